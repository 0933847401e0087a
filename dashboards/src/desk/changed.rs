//! What changed, in the reader's words: the names of fields and their values, as the history shows them.
//!
//! Must never: hide a field or a value that it has no word for; such a one stands as it is.

use chrono::NaiveDate;
use model::Instant;

use crate::pages::Words;

/// `firmati n. 1, firmatari n. 2, nome` for `signed.1.signers.2.name`.
pub(crate) fn field(t: &Words, name: &str) -> String {
    let mut parts: Vec<String> = Vec::new();
    for part in name.split('.') {
        let is_number = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        match (is_number, parts.last_mut()) {
            (true, Some(last)) => last.push_str(&format!(" n. {part}")),
            (_, _) => parts.push(word(t, "page.desk.field", part).unwrap_or_else(|| part.to_owned())),
        }
    }
    parts.join(", ")
}

/// A value of a field: stages, days, instants and yes or no in words.
pub(crate) fn value(t: &Words, name: &str, value: &str) -> String {
    let leaf = name.rsplit('.').next().unwrap_or(name);
    let area = match leaf {
        "stage" => Some("page.desk.stage"),
        "verdict" => Some("verdict"),
        "way" => Some("page.desk.way"),
        "state" => Some("page.memos.state"),
        _ => None,
    };
    if let Some(word) = area.and_then(|area| word(t, area, value)) {
        return word;
    }
    if leaf.ends_with("_ms")
        && let Ok(millis) = value.parse::<i64>()
    {
        return t.date_time(Instant::from_millis(millis), chrono_tz::Europe::Rome);
    }
    match value {
        "true" => return t.get("page.desk.yes").to_owned(),
        "false" => return t.get("page.desk.no").to_owned(),
        _ => {}
    }
    if let Ok(day) = value.parse::<NaiveDate>() {
        return t.date(day);
    }
    match Instant::parse_rfc3339(value) {
        Some(at) => t.date_time(at, chrono_tz::Europe::Rome),
        None => value.to_owned(),
    }
}

fn word(t: &Words, area: &str, code: &str) -> Option<String> {
    t.texts().find(&format!("{area}.{code}")).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use analytics::text::Texts;

    use super::*;

    #[test]
    fn a_change_is_said_in_words_and_nothing_is_hidden() {
        let map = [
            ("page.desk.field.signed", "file firmati"),
            ("page.desk.field.signed_at_ms", "firmato il"),
            ("page.desk.stage.frozen", "congelato (non più modificabile)"),
            ("page.desk.way.other", "altra via"),
            ("page.desk.yes", "sì"),
        ];
        let map: BTreeMap<_, _> = map.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        let t = Words::new(Arc::new(Texts::new("it", map)));
        assert_eq!(field(&t, "signed.1.signed_at_ms"), "file firmati n. 1, firmato il");
        assert_eq!(field(&t, "building.2.uses.1.category"), "building n. 2, uses n. 1, category");
        for (name, given, wanted) in [
            ("stage", "frozen", "congelato (non più modificabile)"),
            ("stage", "unheard", "unheard"),
            ("sending.way", "other", "altra via"),
            ("signed.1.signed_at_ms", "1795403305000", "23/11/2026 04:08:25"),
            ("instead", "true", "sì"),
            ("outcome.on", "2026-03-31", "31/03/2026"),
            ("title", "Targa", "Targa"),
        ] {
            assert_eq!(value(&t, name, given), wanted, "{name}");
        }
    }
}
