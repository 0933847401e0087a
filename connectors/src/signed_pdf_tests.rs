//! The time that a signature states in a PDF.
//!
//! Must never: make an instant of a time whose zone is not said.

use super::*;

#[test]
fn a_date_of_a_pdf_is_an_instant_only_with_its_zone() {
    let noon = Some(Instant::from_millis(1_706_702_400_000));
    for (text, expected) in [
        ("D:20240131120000Z", noon),
        ("D:20240131120000Z00'00'", noon),
        ("D:20240131130000+01'00'", noon),
        ("D:20240131130000+01'00", noon),
        ("D:20240131073000-04'30'", noon),
        ("D:20240131120000", None),
        ("D:20240131", None),
        ("20240131120000Z", None),
        ("D:20240231120000Z", None),
        ("D:20240131120000+xx'00'", None),
        ("D:2024013112000\u{e8}Z", None),
    ] {
        assert_eq!(pdf_date(text), expected, "{text}");
    }
}

#[test]
fn the_time_is_taken_from_the_dictionary_of_the_very_signature() {
    let of = |range: &str, time: &str| {
        format!("9 0 obj\n<< /Type /Sig /ByteRange {range} /M (D:{time}Z) >>\nendobj\n")
    };
    let (first, second) = (of("[0 1 2 3]", "20240131120000"), of("[0 4 5 6]", "20240131130000"));
    let both = first.clone() + &second;
    let mark = |nth: usize| both.match_indices("/ByteRange").nth(nth).unwrap().0;
    let hour = 3_600_000;
    let at = Instant::from_millis(1_706_702_400_000);
    assert_eq!(stated_time(both.as_bytes(), mark(0)), Some(at));
    assert_eq!(stated_time(both.as_bytes(), mark(1)), Some(Instant::from_millis(at.millis() + hour)));
    // Words that look like a signature, in a string before it.
    let told = format!("8 0 obj\n({} 7 0 obj << /M (D:20200101000000Z) >>)\n{first}", "x");
    assert_eq!(stated_time(told.as_bytes(), told.find("/ByteRange").unwrap()), Some(at));
    assert_eq!(stated_time(b"/ByteRange [0 1 2 3]", 0), None);
}
