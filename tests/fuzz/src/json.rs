//! The JSON reader of payloads against serde_json.
//!
//! Laws: what it accepts, serde_json accepts too and reads the same; what serde_json accepts and it does not is one of
//! its own refusals: a key given twice, or deeper than 16.
//!
//! Must never: compare numbers as floats; they are kept as their text.

use profile::json::{DEPTH_MAX, Json, Path};
use serde_json::Value;

/// Bytes: a path up to the first line break, then a text.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (path, text) = text.split_once('\n').unwrap_or(("", text));
    let path = Path::parse(path);
    let theirs: Result<Value, _> = serde_json::from_str(text);
    match Json::parse(text) {
        Ok(ours) => {
            assert!(depth(&ours) <= DEPTH_MAX + 1, "nested deeper than allowed");
            if let Some(path) = path {
                // It finds something or nothing, within what was read.
                let _found = ours.at(&path).is_some();
            }
            match theirs {
                Ok(theirs) => assert_same(&ours, &theirs),
                // They keep numbers as floats, we as text.
                Err(error) => assert!(error.to_string().contains("number out of range"), "{error}: {text}"),
            }
        }
        Err(error) => {
            assert!(error.at <= text.len() && !error.what.is_empty());
            if theirs.is_ok() {
                let own = error.what.contains("twice") || error.what.contains("deep");
                assert!(own, "{error} is no reason to refuse {text:?}");
            }
        }
    }
}

fn depth(json: &Json<'_>) -> usize {
    1 + match json {
        Json::Array(items) => items.iter().map(depth).max().unwrap_or(0),
        Json::Object(members) => members.iter().map(|(_, value)| depth(value)).max().unwrap_or(0),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Text(_) => 0,
    }
}

fn assert_same(ours: &Json<'_>, theirs: &Value) {
    match (ours, theirs) {
        (Json::Null, Value::Null) => {}
        (Json::Bool(a), Value::Bool(b)) => assert_eq!(a, b),
        (Json::Text(a), Value::String(b)) => assert_eq!(a, b),
        (Json::Number(a), Value::Number(b)) => {
            let ours: f64 = a.parse().expect("a JSON number is a Rust number");
            let theirs = b.as_f64().unwrap_or(f64::NAN);
            assert!((ours - theirs).abs() <= ours.abs() * 1e-12, "{a} and {b}");
        }
        (Json::Array(a), Value::Array(b)) => {
            assert_eq!(a.len(), b.len());
            a.iter().zip(b).for_each(|(a, b)| assert_same(a, b));
        }
        (Json::Object(a), Value::Object(b)) => {
            assert_eq!(a.len(), b.len());
            for (name, value) in a {
                assert_same(value, b.get(name.as_ref()).expect("both have the same names"));
            }
        }
        (ours, theirs) => panic!("{ours:?} and {theirs:?}"),
    }
}
