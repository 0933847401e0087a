//! Texts of one language by dotted key, with named placeholders: what reports and pages say.
//!
//! Must never: hold a sentence itself. Sentences live in the catalogue; this is only the lookup.

use std::collections::BTreeMap;

use model::Finding;

mod values;

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

    /// A way of sending as a scheme names it, in Italian, in this language where the catalogue has it: `channel.` and the
    /// scheme's own words.
    #[must_use]
    pub fn channel<'a>(&'a self, channel: &'a str) -> &'a str {
        self.find(&format!("channel.{channel}")).unwrap_or(channel)
    }

    /// What is said of a KPI's outcome, by the code of [`crate::result::KpiResult::told`]: the one place of its words.
    #[must_use]
    pub fn told<'a>(&'a self, code: &'a str) -> &'a str {
        self.find(&format!("verdict.{code}")).unwrap_or(code)
    }

    /// The text of `key` with every `{name}` replaced by its value. A placeholder without a value stays
    /// as it is, so that the gap is seen. Values are never searched for placeholders.
    #[must_use]
    pub fn fill(&self, key: &str, values: &[(&str, &str)]) -> String {
        fill_template(self.get(key), values, self.has_articles())
    }

    /// The same with values as machines write them, each written as the language does.
    #[must_use]
    pub fn fill_shown(&self, key: &str, values: &[(&'static str, String)]) -> String {
        let shown: Vec<(&str, String)> =
            values.iter().map(|(name, v)| (*name, self.value(name, v))).collect();
        let values: Vec<(&str, &str)> = shown.iter().map(|(n, v)| (*n, v.as_str())).collect();
        self.fill(key, &values)
    }

    /// Whether an article changes with the number after it.
    fn has_articles(&self) -> bool {
        self.language == "it" || self.language.starts_with("it-")
    }

    /// A finding in this language: `finding.<code>` with its values, `{kind}` as `kind.<code>.<kind>`, or its own English sentence when the
    /// catalogue has no such text or the finding lacks one of the values the text wants. Findings hold their values as
    /// machines write them; here they are written as the language does.
    #[must_use]
    pub fn finding(&self, finding: &Finding) -> String {
        let key = format!("finding.{}", finding.code);
        let Some(template) = self.find(&key) else { return finding.says.clone() };
        let has_all =
            placeholders(template).all(|name| finding.values.iter().any(|(given, _)| *given == name));
        if !has_all {
            return finding.says.clone();
        }
        let shown: Vec<(&str, String)> =
            finding.values.iter().map(|(name, value)| (*name, self.value(name, value))).collect();
        let mut values: Vec<(&str, &str)> = shown.iter().map(|(n, v)| (*n, v.as_str())).collect();
        // The value `kind` names a text itself: what a code alone does not tell, in the reader's language.
        let kind = finding.values.iter().find(|(name, _)| *name == "kind");
        let kind = kind.and_then(|(_, value)| self.find(&format!("kind.{}.{value}", finding.code)));
        let kind = kind.map(|text| fill_template(text, &values, self.has_articles()));
        if let (Some(text), Some(value)) = (&kind, values.iter_mut().find(|(name, _)| *name == "kind")) {
            value.1 = text;
        }
        fill_template(template, &values, self.has_articles())
    }

    /// What a finding's code alone says, for a code whose finding is not at hand: its sentence, if it wants no value.
    #[must_use]
    pub fn of_code(&self, code: &str) -> Option<&str> {
        self.find(&format!("finding.{code}")).filter(|text| placeholders(text).next().is_none())
    }

    /// A finding's value as the language writes it: a word of the program by its text `word.<name>.<value>`, or the one
    /// that reports have for it.
    fn value(&self, name: &str, value: &str) -> String {
        let area = match name {
            "carrier" | "direction" => "report",
            _ => "word",
        };
        match self.find(&format!("{area}.{name}.{value}")) {
            Some(word) => word.to_owned(),
            None => values::shown(self, name, value),
        }
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

fn fill_template(template: &str, values: &[(&str, &str)], articles: bool) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = pieces(template).peekable();
    while let Some(piece) = rest.next() {
        match piece {
            Piece::Literal(text) => out.push_str(text),
            Piece::Placeholder(name) => match values.iter().find(|(given, _)| *given == name) {
                Some((_, value)) => {
                    let after = match rest.peek() {
                        Some(Piece::Literal(text)) => *text,
                        Some(Piece::Placeholder(_)) | None => "",
                    };
                    if articles && is_percentage(value, after) {
                        values::article(&mut out, value);
                    }
                    out.push_str(value);
                }
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

/// Whether the sign of a percentage ends the value, or follows it.
fn is_percentage(value: &str, after: &str) -> bool {
    value.ends_with('%') || after.trim_start_matches([' ', '\u{a0}']).starts_with('%')
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
            ("finding.plain", "nessun valore"),
            ("finding.x.kind", "{method}, valida {kind}"),
            ("kind.x.kind.until", "fino al {to}"),
            ("word.method.averaged", "media pesata"),
            ("report.month.m3", "marzo"),
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
        assert_eq!(texts().finding(&finding), "marzo 2025: misurato solo l’80 %");
    }

    #[test]
    fn a_kind_is_a_text_with_values_of_its_own_and_a_word_of_the_program_is_translated() {
        let finding = Finding::new("x.kind", Severity::Note, "meter:m", "…", "")
            .with("kind", "until")
            .with("to", "2026-06-02")
            .with("method", "averaged");
        assert_eq!(texts().finding(&finding), "media pesata, valida fino al 02/06/2026");
        // What a person wrote is never searched for placeholders.
        let finding = finding.with("reason", "{to}");
        assert_eq!(texts().finding(&finding), "media pesata, valida fino al 02/06/2026");
        let unknown = Finding::new("x.kind", Severity::Note, "meter:m", "…", "");
        let unknown = unknown.with("kind", "else").with("method", "else");
        assert_eq!(texts().finding(&unknown), "else, valida else");
    }

    #[test]
    fn a_code_alone_says_its_sentence_only_where_no_value_is_missing() {
        assert_eq!(texts().of_code("plain"), Some("nessun valore"));
        assert_eq!(texts().of_code("series.coverage.low"), None);
        assert_eq!(texts().of_code("no.such"), None);
    }

    #[test]
    fn articles_change_in_italian_alone() {
        let of = |tag: &str| {
            let map = [("a".to_owned(), "il {share}, del {n} % e il {day}".to_owned())];
            let values = [("share", "88,5\u{a0}%"), ("n", "1,0"), ("day", "8")];
            Texts::new(tag, map.into()).fill("a", &values)
        };
        assert_eq!(of("it"), "l’88,5\u{a0}%, dell’1,0 % e il 8");
        assert_eq!(of("en"), "il 88,5\u{a0}%, del 1,0 % e il 8");
    }
}
