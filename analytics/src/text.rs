//! Texts of one language by dotted key, with named placeholders: what reports and pages say.
//!
//! Must never: hold a sentence itself. Sentences live in the catalogue; this is only the lookup.

use std::collections::BTreeMap;

use model::Finding;

/// The texts of one language. A missing key shows itself as the key instead of failing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Texts {
    language: String,
    map: BTreeMap<String, String>,
}

impl Texts {
    /// `language` is a BCP 47 tag: `it`, `en`.
    #[must_use]
    pub fn new(language: impl Into<String>, map: BTreeMap<String, String>) -> Self {
        Self { language: language.into(), map }
    }

    #[must_use]
    pub fn language(&self) -> &str {
        &self.language
    }

    /// The template of `key`, or the key itself when the catalogue has none, so that the gap is seen.
    #[must_use]
    pub fn get<'a>(&'a self, key: &'a str) -> &'a str {
        self.find(key).unwrap_or(key)
    }

    /// The template of `key`, if there is one.
    #[must_use]
    pub fn find(&self, key: &str) -> Option<&str> {
        self.map.get(key).map(String::as_str)
    }

    /// The text of `key` with every `{name}` replaced by its value. A placeholder without a value stays
    /// as it is, so that the gap is seen. Values are never searched for placeholders.
    #[must_use]
    pub fn fill(&self, key: &str, values: &[(&str, &str)]) -> String {
        fill_template(self.get(key), values)
    }

    /// A finding in this language: `finding.<code>` with its values, `{kind}` as `kind.<code>.<kind>`, or its own English sentence when the
    /// catalogue has no such text or the finding lacks one of the values the text wants.
    #[must_use]
    pub fn finding(&self, finding: &Finding) -> String {
        let key = format!("finding.{}", finding.code);
        let Some(template) = self.find(&key) else { return finding.says.clone() };
        let has_all =
            placeholders(template).all(|name| finding.values.iter().any(|(given, _)| *given == name));
        if !has_all {
            return finding.says.clone();
        }
        // The value `kind` names a text itself: what a code alone does not tell, in the reader's language.
        let word = |name: &str, value: &str| match name {
            "kind" => self.find(&format!("kind.{}.{value}", finding.code)),
            _ => None,
        };
        let values: Vec<(&str, &str)> =
            finding.values.iter().map(|(n, v)| (*n, word(n, v).unwrap_or(v))).collect();
        fill_template(template, &values)
    }

    /// Every key, ascending.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.map.keys().map(String::as_str)
    }
}

/// The names of the placeholders of a template, in order.
pub fn placeholders(template: &str) -> impl Iterator<Item = &str> {
    pieces(template).filter_map(|piece| match piece {
        Piece::Placeholder(name) => Some(name),
        Piece::Literal(_) => None,
    })
}

enum Piece<'a> {
    Literal(&'a str),
    Placeholder(&'a str),
}

/// Cuts a template into literal text and placeholders. A placeholder is `{name}` with a name of lower-case
/// letters, digits and `_`; any other brace is literal text.
fn pieces(template: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = template;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        if let Some((name, after)) = leading_placeholder(rest) {
            rest = after;
            return Some(Piece::Placeholder(name));
        }
        // The first character is literal whatever it is; go on to the next brace after it.
        let first = rest.chars().next().map_or(1, char::len_utf8);
        let end = rest[first..].find('{').map_or(rest.len(), |i| first + i);
        let (literal, after) = rest.split_at(end);
        rest = after;
        Some(Piece::Literal(literal))
    })
}

fn leading_placeholder(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('{')?;
    let (name, after) = inner.split_once('}')?;
    let is_name =
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    is_name.then_some((name, after))
}

fn fill_template(template: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(template.len());
    for piece in pieces(template) {
        match piece {
            Piece::Literal(text) => out.push_str(text),
            Piece::Placeholder(name) => match values.iter().find(|(given, _)| *given == name) {
                Some((_, value)) => out.push_str(value),
                None => {
                    out.push('{');
                    out.push_str(name);
                    out.push('}');
                }
            },
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Severity;

    fn texts() -> Texts {
        let map = [
            ("a.b", "da {from} a {to}"),
            ("braces", "{} {Not} {open {from}"),
            ("finding.series.coverage.low", "{month}: misurato solo il {percent} %"),
        ];
        Texts::new("it", map.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect())
    }

    #[test]
    fn a_template_is_filled_by_name_and_values_are_not_searched_again() {
        assert_eq!(texts().fill("a.b", &[("to", "{from}"), ("from", "x")]), "da x a {from}");
        assert_eq!(texts().fill("braces", &[("from", "x")]), "{} {Not} {open x");
    }

    #[test]
    fn a_gap_is_seen() {
        assert_eq!(texts().get("no.such"), "no.such");
        assert_eq!(texts().fill("a.b", &[("from", "x")]), "da x a {to}");
    }

    #[test]
    fn a_finding_is_translated_or_says_its_own_sentence() {
        let finding =
            Finding::new("series.coverage.low", Severity::Caution, "meter:m", "only 80 % measured", "");
        assert_eq!(texts().finding(&finding), "only 80 % measured");
        let finding = finding.with("month", "2025-03").with("percent", 80);
        assert_eq!(texts().finding(&finding), "2025-03: misurato solo il 80 %");
    }
}
