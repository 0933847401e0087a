//! Incremental updates in both forms of the cross-reference, and what no two readers would read alike.
//!
//! Must never: take an update whose every byte is not accounted for.

use super::*;

const BEFORE: &[u8] = b"%PDF-1.7\n1 0 obj\n<</Type/Catalog>>\nendobj\nstartxref\n9\n%%EOF\n";

fn id(number: i32) -> ObjectIdentifier {
    ObjectIdentifier::new(number, 0)
}

/// An update with these objects, listed where they stand, and this in its trailer.
fn with_table(before: &[u8], objects: &[(u32, &str)], trailer: &str) -> Vec<u8> {
    let (mut bytes, mut table) = (before.to_vec(), "xref\n0 1\n0000000000 65535 f \n".to_owned());
    for (number, text) in objects {
        table += &format!("{number} 1\n{:010} 00000 n \n", bytes.len());
        bytes.extend(format!("{number} 0 obj\n{text}\nendobj\n").bytes());
    }
    let from = bytes.len();
    bytes.extend(format!("{table}trailer\n<<{trailer}>>\nstartxref\n{from}\n%%EOF\n").bytes());
    bytes
}

const TRAILER: &str = "/Size 9/Root 1 0 R/Prev 9";

fn taken(bytes: &[u8]) -> Option<Vec<i32>> {
    read(bytes, BEFORE.len()).map(|found| found.objects.iter().map(|id| id.obj_number).collect())
}

#[test]
fn updates_with_a_table_are_read_one_after_another() {
    let objects = [(1, "<</Type/Catalog/DSS 5 0 R>>"), (5, "<</Length 5>>\nstream\nabcde\nendstream")];
    let one = with_table(BEFORE, &objects, &format!("{TRAILER}/Info 7 0 R/ID[<00>(a\\)b)]"));
    let found = read(&one, BEFORE.len()).unwrap();
    assert_eq!(found.objects, BTreeSet::from([id(1), id(5)]));
    assert_eq!((found.root, found.info), (Some(id(1)), BTreeSet::from([id(7)])));
    let last = one.windows(5).rposition(|w| w == b"xref\n").unwrap();
    let last = one[..last].windows(5).rposition(|w| w == b"xref\n").unwrap();
    let two =
        with_table(&one, &[(6, "[1 -2.5 (x) <0a> /N#41 true null]")], &format!("/Root 1 0 R/Prev {last}"));
    assert_eq!(taken(&two), Some(vec![1, 5, 6]));
    // The second must lead to the first, not around it.
    assert_eq!(taken(&with_table(&one, &[(6, "[]")], TRAILER)), None);
    let commented = String::from_utf8(one).unwrap().replace("startxref", "%a tool 1.0\nstartxref");
    assert_eq!(taken(commented.replacen("%a tool 1.0\n", "", 1).as_bytes()), Some(vec![1, 5]));
}

#[test]
fn updates_with_a_cross_reference_stream_are_read() {
    let mut bytes = BEFORE.to_vec();
    let (first, own) = (bytes.len(), b"5 0 obj\n(a)\nendobj\n");
    bytes.extend(own);
    let from = bytes.len();
    let entry = |kind: u8, at: usize| [&[kind][..], &u16::try_from(at).unwrap().to_be_bytes(), &[0]].concat();
    let with = |kind: u8, at: usize, more: &str| {
        let entries = [entry(kind, at), entry(1, from)].concat();
        let head = format!(
            "6 0 obj\n<</Type/XRef/W[1 2 1]/Index[5 2]/Length 8{more}/Size 7/Root 1 0 R/Prev 9>>\nstream\n"
        );
        let tail = format!("\nendstream\nendobj\nstartxref\n{from}\n%%EOF");
        [&bytes, head.as_bytes(), &entries, tail.as_bytes()].concat()
    };
    let found = read(&with(1, first, ""), BEFORE.len()).unwrap();
    assert_eq!((found.objects, found.tables), (BTreeSet::from([id(5), id(6)]), BTreeSet::from([id(6)])));
    // A freed object, one inside of a stream, one elsewhere, and an entry that hides more.
    for (kind, at, more) in [(0, first, ""), (2, first, ""), (1, first + 1, ""), (1, first, "/Encrypt 5 0 R")]
    {
        assert_eq!(taken(&with(kind, at, more)), None, "{kind} {at} {more}");
    }
}

#[test]
fn what_is_not_an_update_by_the_letter_is_not_taken() {
    let good = with_table(BEFORE, &[(5, "<</A 1/B 2>>")], TRAILER);
    assert_eq!(taken(&good), Some(vec![5]));
    let text = String::from_utf8(good.clone()).unwrap();
    for (what, from, to) in [
        ("a key twice", "/B 2", "/A 2"),
        ("the same key written otherwise", "/B 2", "/#41 2"),
        ("words between objects", "xref\n0", "7 0\nxref\n0"),
        ("an object in a comment", "xref\n0", "%1 0 obj\nxref\n0"),
        ("another generation", " 00000 n", " 00001 n"),
        ("a freed object", " 00000 n", " 00000 f"),
        ("another catalogue's chain", "/Prev 9", "/Prev 8"),
        ("no chain", "/Prev 9", ""),
        ("a hidden table", "/Prev 9", "/Prev 9/XRefStm 9"),
        ("an encryption", "/Prev 9", "/Prev 9/Encrypt 5 0 R"),
        ("an object that is not listed", "xref\n0", "8 0 obj\n1\nendobj\nxref\n0"),
        ("an object twice", "xref\n0", "5 0 obj\n1\nendobj\nxref\n0"),
        ("a comment inside", "/B 2", "%x\n/B 2"),
        ("an unknown word", "/B 2", "/B yes"),
        ("an open string", "/B 2", "/B (2"),
        ("no end", "%%EOF\n", ""),
    ] {
        let (head, tail) = text.split_at(BEFORE.len());
        assert!(tail.contains(from), "{what}");
        // What is longer by it moves the table: the end says where it stands then.
        let changed = format!("{head}{}", tail.replace(from, to));
        let at = changed.find("xref\n0").unwrap();
        let (front, _) = changed.rsplit_once("startxref\n").unwrap();
        let end = if what == "no end" { "" } else { "%%EOF\n" };
        assert_eq!(taken(format!("{front}startxref\n{at}\n{end}").as_bytes()), None, "{what}");
    }
    for bytes in [&good[..BEFORE.len()], &good[..good.len() - 4], &[&good[..], b"more"].concat()] {
        assert_eq!(taken(bytes), None);
    }
    assert_eq!(taken(&[&good[..], b" \n\0"].concat()), Some(vec![5]));
}

#[test]
fn depth_and_number_are_limited() {
    let deep = "[".repeat(DEPTH_MAX + 2) + &"]".repeat(DEPTH_MAX + 2);
    assert_eq!(taken(&with_table(BEFORE, &[(5, &deep)], TRAILER)), None);
    let long = with_table(BEFORE, &[(5, "<</Length 99999999>>\nstream\nx\nendstream")], TRAILER);
    assert_eq!(taken(&long), None);
    let range = String::from_utf8(with_table(BEFORE, &[], TRAILER)).unwrap();
    assert_eq!(taken(range.replace("0 1\n", "0 99999999999999\n").as_bytes()), None);
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(
        at in 0_usize..200,
        put in proptest::collection::vec(proptest::num::u8::ANY, 0..40),
    ) {
        let good = with_table(BEFORE, &[(5, "<</A 1/B (2)/C <00>/D[1 0 R]>>")], TRAILER);
        let at = BEFORE.len() + at.min(good.len() - BEFORE.len());
        let bytes = [&good[..at], &put, &good[at..]].concat();
        let found = read(&bytes, BEFORE.len());
        // Whatever is taken defines what the unchanged update defines.
        proptest::prop_assert!(found.is_none_or(|found| found.objects == BTreeSet::from([id(5)])));
    }
}
