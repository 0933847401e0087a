//! The law of line protocol, and a parser of its own to hold it: written from the protocol's description, sharing nothing
//! with the writer. Used by the store's suite and by the fuzz target `line`.
//!
//! Must never: use the writer's own decoding of a line.

use model::Instant;
use store::engine::{Field, Point, Precision, decode_tag};

/// A parsed line: names and values with the backslashes of the protocol taken away.
#[derive(Debug, PartialEq)]
pub(crate) struct Parsed {
    pub(crate) measurement: String,
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) stamp: i64,
}

/// Reads up to one of `ends` that has no backslash before it. A backslash stands for itself unless a comma, an equals
/// sign or a space follows.
fn piece(text: &str, ends: &[char]) -> Option<(String, Option<char>, usize)> {
    let mut piece = String::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c == '\\' && chars.peek().is_some_and(|(_, next)| [',', '=', ' '].contains(next)) {
            piece.push(chars.next()?.1);
        } else if ends.contains(&c) {
            return Some((piece, Some(c), at + c.len_utf8()));
        } else {
            piece.push(c);
        }
    }
    Some((piece, None, text.len()))
}

/// `measurement[,tag=value…] field=value[,field=value…] timestamp`, and nothing after it.
pub(crate) fn parse(line: &str) -> Option<Parsed> {
    if line.starts_with('#') || line.contains('\n') {
        return None;
    }
    let (measurement, mut end, mut at) = piece(line, &[',', ' '])?;
    let (mut tags, mut fields) = (Vec::new(), Vec::new());
    while end == Some(',') {
        let (name, equals, used) = piece(&line[at..], &['='])?;
        equals?;
        let (value, next, more) = piece(&line[at + used..], &[',', ' '])?;
        if name.is_empty() || value.is_empty() {
            return None;
        }
        tags.push((name, value));
        (end, at) = (next, at + used + more);
    }
    (end == Some(' ')).then_some(())?;
    loop {
        let (name, equals, used) = piece(&line[at..], &['='])?;
        equals?;
        let rest = &line[at + used..];
        let stop = rest.find([',', ' '])?;
        fields.push((name, rest[..stop].to_owned()));
        at += used + stop + 1;
        if rest[stop..].starts_with(' ') {
            break;
        }
    }
    let is_whole = !measurement.is_empty() && fields.iter().all(|(n, v)| !n.is_empty() && !v.is_empty());
    is_whole.then_some(())?;
    Some(Parsed { measurement, tags, fields, stamp: line[at..].parse().ok()? })
}

fn is_same(field: Field, text: &str) -> bool {
    match field {
        Field::Integer(value) => text.strip_suffix('i').and_then(|t| t.parse().ok()) == Some(value),
        Field::Float(value) => {
            text.parse::<f64>().is_ok_and(|read| read.to_bits() == value.to_bits())
                && text.bytes().all(|b| b.is_ascii_digit() || b"-.".contains(&b))
        }
    }
}

/// The body of a fuzz target: a point of anything is refused and leaves nothing, or is one line that says the same.
pub(crate) fn check(
    measurement: &str,
    tags: &[(String, String)],
    fields: &[(String, Field)],
    millis: i64,
    precision: Precision,
) {
    let point = Point {
        measurement,
        tags: tags.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect(),
        fields: fields.iter().map(|(n, f)| (n.as_str(), *f)).collect(),
        at: Instant::from_millis(millis),
    };
    let mut out = String::from("earlier 1=1i 1\n");
    let written = point.write(precision, &mut out);
    let rest = out.strip_prefix("earlier 1=1i 1\n").expect("what stood before is there");
    if written.is_err() {
        assert_eq!(rest, "");
        return;
    }
    assert!(fields.iter().all(|(_, f)| !matches!(f, Field::Float(value) if !value.is_finite())));
    let line = rest.strip_suffix('\n').expect("a line ends");
    assert!(!line.bytes().any(|b| b < 0x20 || b == 0x7f), "{line:?}");
    let parsed = parse(line).unwrap_or_else(|| panic!("{line:?} is no line"));
    assert_eq!(decode_tag(&parsed.measurement).as_deref(), Ok(measurement));
    let decoded = |list: &[(String, String)]| -> Vec<(String, String)> {
        list.iter().map(|(n, v)| (decode_tag(n).unwrap(), decode_tag(v).unwrap())).collect()
    };
    let mut expected = tags.to_vec();
    expected.sort();
    assert_eq!(decoded(&parsed.tags), expected);
    let mut expected = fields.to_vec();
    expected.sort_by(|(a, _), (b, _)| a.cmp(b));
    assert_eq!(parsed.fields.len(), expected.len());
    for ((name, text), (expected_name, value)) in parsed.fields.iter().zip(&expected) {
        assert_eq!(decode_tag(name).as_ref(), Ok(expected_name));
        assert!(is_same(*value, text), "{value:?} as {text}");
    }
    let unit = if precision == Precision::Nanos { 1_000_000 } else { 1 };
    assert_eq!(Some(parsed.stamp), millis.checked_mul(unit));
}
