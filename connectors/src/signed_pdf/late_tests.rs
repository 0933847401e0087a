//! What follows the last signature of a PDF, put together by hand. Files of a real signing tool are a test of the suites.
//!
//! Must never: agree to a change only because it is small.

use super::*;

/// Objects by their numbers, as a whole file or as an update of one: where it leads to the file before.
fn with(before: &[u8], objects: &[(u32, &str)]) -> Vec<u8> {
    let mut bytes = before.to_vec();
    let mut table = "xref\n0 1\n0000000000 65535 f \n".to_owned();
    for (number, text) in objects {
        table += &format!("{number} 1\n{:010} 00000 n \n", bytes.len());
        bytes.extend(format!("{number} 0 obj\n{text}\nendobj\n").bytes());
    }
    let last = before.windows(9).rposition(|w| w == b"startxref").map(|at| {
        let digits: String =
            before[at + 10..].iter().map(|b| char::from(*b)).take_while(char::is_ascii_digit).collect();
        format!("/Prev {digits}")
    });
    let from = bytes.len();
    let last = last.unwrap_or_default();
    bytes
        .extend(format!("{table}trailer\n<</Size 20/Root 1 0 R{last}>>\nstartxref\n{from}\n%%EOF\n").bytes());
    bytes
}

const ROOT: &str = "/Type/Catalog/Pages 2 0 R/AcroForm 5 0 R";
const FORM: &str = "<</Fields[6 0 R]/SigFlags 3>>";
const PAGE: &str = "/Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Contents 4 0 R";
const STAMP: &str =
    "<</Type/DocTimeStamp/Filter/Adobe.PPKLite/SubFilter/ETSI.RFC3161/ByteRange[0 10 20 30]/Contents<00>>>";
const FIELD: &str = "/Type/Annot/Subtype/Widget/FT/Sig/T(t)/Rect[0 0 0 0]/F 132/P 3 0 R/V 9 0 R";

fn signed() -> Vec<u8> {
    with(
        b"%PDF-1.7\n",
        &[
            (1, &format!("<<{ROOT}>>")),
            (2, "<</Type/Pages/Kids[3 0 R]/Count 1>>"),
            (3, &format!("<<{PAGE}/Annots[6 0 R]>>")),
            (4, "<</Length 12>>\nstream\n(100 MWh) Tj\nendstream"),
            (5, FORM),
            (6, "<</Subtype/Widget/FT/Sig/T(f)/Rect[9 9 99 99]/V 7 0 R>>"),
            (7, "<</Type/Sig/Contents<00>/ByteRange[0 1 2 3]>>"),
        ],
    )
}

fn judged_with(objects: &[(u32, &str)]) -> Result<(), Difference> {
    let before = signed();
    only_validation(&with(&before, objects), before.len(), &[[0, 10, 20, 30]])
}

/// The objects of a time stamp, with this in the place of one of them, or beside them.
fn stamped(put: &[(u32, &str)]) -> Result<(), Difference> {
    let (page, field) = (format!("<<{PAGE}/Annots[6 0 R 8 0 R]>>"), format!("<<{FIELD}>>"));
    let form = "<</Fields[6 0 R 8 0 R]/SigFlags 3>>";
    let mut objects =
        std::collections::BTreeMap::from([(3, page.as_str()), (5, form), (8, field.as_str()), (9, STAMP)]);
    objects.extend(put.iter().copied());
    judged_with(&objects.into_iter().collect::<Vec<_>>())
}

#[test]
fn validation_data_are_taken_and_nothing_beside_them() {
    let root =
        format!("<<{ROOT}/DSS 10 0 R/Version/2.0/Extensions<</ESIC<</BaseVersion/1.7/ExtensionLevel 1>>>>>>");
    let root = root.as_str();
    let store = "<</Type/DSS/Certs[11 0 R]/CRLs 12 0 R/VRI<</AB<</Cert[11 0 R]/TU(D:20240101)>>>>>>";
    let data = "<</Length 4>>\nstream\n0\u{2}ab\nendstream";
    let good = [(1, root), (10, store), (11, data), (12, "[11 0 R]")];
    assert_eq!(judged_with(&good), Ok(()));
    let other_root = |more: &str| root.replace("/Version", &format!("{more}/Version"));
    let put = |number: u32, text: &str| {
        let mut objects = good.to_vec();
        objects.retain(|(other, _)| *other != number);
        objects.push((number, text));
        judged_with(&objects)
    };
    for (what, number, text) in [
        ("a stray object", 13, "(x)".to_owned()),
        ("other words on the page", 4, "<</Length 12>>\nstream\n(999 MWh) Tj\nendstream".to_owned()),
        ("another box", 3, format!("<<{}/Annots[6 0 R]>>", PAGE.replace("200 200]", "200 100]"))),
        ("more on the page", 3, format!("<<{PAGE}/Annots[6 0 R]/Rotate 90>>")),
        ("a signature unsigned", 6, "<</Subtype/Widget/FT/Sig/T(f)/Rect[9 9 99 99]>>".to_owned()),
        (
            "a signature seen elsewhere",
            6,
            "<</Subtype/Widget/FT/Sig/T(f)/Rect[0 0 200 200]/V 7 0 R>>".to_owned(),
        ),
        ("another signature", 7, "<</Type/Sig/Contents<01>/ByteRange[0 1 2 3]>>".to_owned()),
        ("a script", 1, other_root("/OpenAction<</S/JavaScript/JS(x)>>")),
        ("names", 1, other_root("/Names<</JavaScript 13 0 R>>")),
        ("permissions", 1, other_root("/Perms<</DocMDP 7 0 R>>")),
        ("metadata", 1, other_root("/Metadata 11 0 R")),
        ("an extension that leads on", 1, root.replace("/ExtensionLevel 1", "/ExtensionLevel 4 0 R")),
        ("words for a certificate", 11, "<</Length 7>>\nstream\n999 MWh\nendstream".to_owned()),
        ("words after a certificate", 11, "<</Length 7>>\nstream\n0\u{2}abMWh\nendstream".to_owned()),
        ("a picture for a certificate", 11, data.replace("/Length", "/Subtype/Image/Length")),
        ("more in the store", 10, store.replace("/Type", "/A 4 0 R/Type")),
        ("more in a part", 10, store.replace("/TU", "/A 4 0 R/TU")),
        ("a list of something else", 12, "[(x)]".to_owned()),
        ("a form with a font", 5, "<</Fields[6 0 R]/SigFlags 3/DR<</Font 11 0 R>>>>".to_owned()),
        ("a form without the signature", 5, "<</Fields[]/SigFlags 3>>".to_owned()),
    ] {
        assert_eq!(put(number, &text), Err(Difference::Late), "{what}");
    }
    // What is written once more as it was is no change.
    assert_eq!(put(4, "<</Length 12>>\nstream\n(100 MWh) Tj\nendstream"), Ok(()));
}

#[test]
fn a_time_stamp_is_taken_where_it_shows_nothing_and_holds() {
    assert_eq!(stamped(&[]), Ok(()));
    let blank =
        "<</Type/XObject/Subtype/Form/BBox[0 0 0 0]/Resources<<>>/Length 9>>\nstream\n% DSBlank\nendstream";
    let looks = format!("<<{FIELD}/AP<</N 10 0 R>>>>");
    assert_eq!(stamped(&[(8, &looks), (10, blank)]), Ok(()));
    let field = |from: &str, to: &str| format!("<<{}>>", FIELD.replace(from, to));
    for (what, number, text) in [
        ("a place that is seen", 8, field("[0 0 0 0]", "[0 0 9 9]")),
        ("a place elsewhere", 8, field("[0 0 0 0]", "4 0 R")),
        ("no place", 8, field("/Rect[0 0 0 0]", "")),
        ("a field of text", 8, field("/FT/Sig", "/FT/Tx")),
        ("a note", 8, field("/Widget", "/FreeText")),
        ("a field that acts", 8, field("/F 132", "/AA<<>>/F 132")),
        ("a field with others below", 8, field("/F 132", "/Kids[6 0 R]/F 132")),
        ("a page that is none", 8, field("/P 3 0 R", "/P 4 0 R")),
        ("no time stamp", 8, field("/V 9 0 R", "")),
        ("another signature", 8, field("/V 9 0 R", "/V 7 0 R")),
        ("one that was not verified", 9, STAMP.replace("[0 10 20 30]", "[0 10 20 31]")),
        ("one of another kind", 9, STAMP.replace("ETSI.RFC3161", "adbe.pkcs7.detached")),
        ("one that is a signature", 9, STAMP.replace("/DocTimeStamp", "/Sig")),
        ("one that leads on", 9, STAMP.replace("/Filter/", "/Reference[4 0 R]/Filter/")),
        ("other flags", 5, "<</Fields[6 0 R 8 0 R]/SigFlags 7>>".to_owned()),
        ("a note on the page", 3, format!("<<{PAGE}/Annots[6 0 R 8 0 R 7 0 R]>>")),
    ] {
        assert_eq!(stamped(&[(number, &text)]), Err(Difference::Late), "{what}");
    }
    for (what, from, to) in [
        ("a look with words", "% DSBlank", "(999) Tj "),
        ("words after a comment", "% DSBlank", "%\n(9) Tj "),
        ("a look with a font", "<<>>", "<</Font 4 0 R>>"),
        ("a picture", "/Form", "/Image/Width 9"),
    ] {
        assert_eq!(stamped(&[(8, &looks), (10, &blank.replace(from, to))]), Err(Difference::Late), "{what}");
    }
}

#[test]
fn a_message_in_der_is_one_from_its_first_byte_to_its_last() {
    let long = |length: &[u8], bytes: usize| [&[0x30], length, &vec![7; bytes]].concat();
    assert!(is_one_message(&long(&[2], 2)) && is_one_message(&long(&[0x82, 1, 0], 256)));
    for bytes in [&b""[..], b"0", b"1\x02ab", b"0\x02a", b"0\x02abc", b"0\x80ab", b"0\x85\0\0\0\0\x02ab"] {
        assert!(!is_one_message(bytes), "{bytes:?}");
    }
    assert!(!is_one_message(&long(&[0x82, 1, 0], 257)));
}
