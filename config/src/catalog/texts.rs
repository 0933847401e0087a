//! Reads a file of texts: nested tables become dotted keys.
//!
//! Must never: accept anything but text as a value.

use std::collections::BTreeMap;

use crate::reader::Problem;

/// Longest text in bytes.
const TEXT_BYTES_MAX: usize = 8_000;

/// The texts of a file by dotted key. A quoted key with dots means the same as nested tables.
pub(super) fn flatten(text: &str) -> Result<BTreeMap<String, String>, Problem> {
    let root: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        let offset = error.span().map_or(0, |span| span.start.min(text.len()));
        let line = 1 + text.as_bytes()[..offset].iter().filter(|&&b| b == b'\n').count();
        let says = error.message().trim().replace('\n', ", ");
        Problem { line, key: String::new(), says, next: "write this line as TOML".to_owned() }
    })?;
    let mut flat = BTreeMap::new();
    add(String::new(), root, &mut flat)?;
    Ok(flat)
}

fn add(prefix: String, table: toml::Table, flat: &mut BTreeMap<String, String>) -> Result<(), Problem> {
    for (name, value) in table {
        let key = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
        let problem = |says: &str, next: &str| Problem {
            line: 1,
            key: key.clone(),
            says: says.to_owned(),
            next: next.to_owned(),
        };
        match value {
            toml::Value::Table(inner) => add(key, inner, flat)?,
            toml::Value::String(text) if text.len() <= TEXT_BYTES_MAX => {
                if flat.contains_key(&key) {
                    return Err(problem("is defined twice", "keep one of them"));
                }
                flat.insert(key, text);
            }
            toml::Value::String(_) => return Err(problem("is too long", "write at most 8000 bytes")),
            _ => return Err(problem("is not a text", "put the value in quotes")),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::flatten;

    #[test]
    fn nested_tables_and_quoted_keys_become_dotted_keys() {
        let flat = flatten("a = \"1\"\n[b]\nc = \"2\"\n[finding]\n\"x.y\" = \"3\"\n").unwrap();
        let flat: Vec<_> = flat.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(flat, [("a", "1"), ("b.c", "2"), ("finding.x.y", "3")]);
    }

    #[test]
    fn wrong_values_are_refused_by_key() {
        assert_eq!(flatten("[a]\nb = 1").unwrap_err().key, "a.b");
        assert_eq!(flatten("\"a.b\" = \"1\"\n[a]\nb = \"2\"").unwrap_err().key, "a.b");
        assert_eq!(flatten("a = \"1\"\nb").unwrap_err().line, 2);
    }
}
