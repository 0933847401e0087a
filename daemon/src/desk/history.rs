//! Every change of anything about a project: who, when, what before and after.
//!
//! Must never: leave a version out, or show the bytes of a file.

use std::collections::BTreeMap;

use dashboards::desk::wire::{Change, FieldChange};
use model::ProjectId;
use serde_json::Value;
use store::{Record, Store};

use super::contacts;
use crate::figures::PROJECT_RECORD;

/// Kinds whose ids begin with the project's, and what follows it there.
const KINDS: [(&str, char); 7] = [
    ("kpi_value", ' '),
    ("document", ' '),
    ("note", ' '),
    ("obligation_done", ' '),
    ("submission", ' '),
    ("memo", ' '),
    ("report_comment", '/'),
];
/// Most changes shown.
const CHANGES_MAX: usize = 2_000;
/// Most fields shown of one change.
const FIELDS_MAX: usize = 30;
/// Longest value shown, in characters.
const VALUE_MAX: usize = 300;

/// The changes of a project, newest first.
pub(super) fn of(store: &Store, project: &ProjectId) -> anyhow::Result<Vec<Change>> {
    let mut versions = store.record_versions(PROJECT_RECORD, project.as_str())?;
    let mut changes = changes_of(&versions);
    versions = store.record_versions(contacts::RECORD, project.as_str())?;
    changes.extend(changes_of(&versions));
    for (kind, end) in KINDS {
        versions = store.record_versions_under(kind, &format!("{project}{end}"))?;
        changes.extend(changes_of(&versions));
    }
    changes.sort_by(|(a, x), (b, y)| b.cmp(a).then_with(|| y.version.cmp(&x.version)));
    changes.truncate(CHANGES_MAX);
    Ok(changes.into_iter().map(|(_, change)| change).collect())
}

/// The versions of records in order of id and version, each against the one before.
fn changes_of(versions: &[Record]) -> Vec<(model::Instant, Change)> {
    let mut before: Option<(&str, BTreeMap<String, String>)> = None;
    let mut changes = Vec::with_capacity(versions.len());
    for record in versions {
        let after = fields(record);
        let empty = BTreeMap::new();
        let known = match &before {
            Some((id, fields)) if *id == record.id => fields,
            Some(_) | None => &empty,
        };
        changes.push((record.at, change(record, known, &after)));
        before = Some((&record.id, after));
    }
    changes
}

fn change(record: &Record, before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Change {
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let mut fields: Vec<FieldChange> = names
        .into_iter()
        .filter(|name| before.get(*name) != after.get(*name))
        .map(|name| FieldChange {
            field: name.clone(),
            before: before.get(name).cloned(),
            after: after.get(name).cloned(),
        })
        .collect();
    let more = fields.len().saturating_sub(FIELDS_MAX);
    fields.truncate(FIELDS_MAX);
    Change {
        at: record.at.to_string(),
        author: record.author.clone(),
        kind: record.kind.clone(),
        subject: record.id.clone(),
        version: record.version,
        fields,
        more,
    }
}

/// A record's fields by dotted name: JSON of ours, TOML of project files; one without a form is one field.
fn fields(record: &Record) -> BTreeMap<String, String> {
    let value = if record.kind == PROJECT_RECORD {
        record.body.parse::<toml::Table>().ok().and_then(|table| serde_json::to_value(table).ok())
    } else {
        serde_json::from_str(&record.body).ok()
    };
    let mut flat = BTreeMap::new();
    match value {
        Some(value) => flatten(String::new(), &value, &mut flat),
        None => put(&mut flat, "text".to_owned(), &record.body),
    }
    flat
}

fn flatten(name: String, value: &Value, flat: &mut BTreeMap<String, String>) {
    let under = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
    match value {
        Value::Null => {}
        // A TOML day or time, as the TOML crate hands it on.
        Value::Object(map) if map.len() == 1 && map.contains_key("$__toml_private_datetime") => {
            flatten(name, map.values().next().unwrap_or(&Value::Null), flat);
        }
        Value::Object(map) => map.iter().for_each(|(key, value)| flatten(under(key), value, flat)),
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(i, value)| flatten(under(&(i + 1).to_string()), value, flat));
        }
        Value::String(text) => put(flat, name, text),
        Value::Bool(_) | Value::Number(_) => put(flat, name, &value.to_string()),
    }
}

fn put(flat: &mut BTreeMap<String, String>, name: String, text: &str) {
    let mut shown: String = text.chars().take(VALUE_MAX).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    flat.insert(name, shown);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: &str, version: u32, body: &str) -> Record {
        Record {
            kind: "note".to_owned(),
            id: id.to_owned(),
            version,
            body: body.to_owned(),
            author: "a".to_owned(),
            at: model::Instant::from_seconds(i64::from(version)),
        }
    }

    #[test]
    fn a_change_says_what_was_before_and_after() {
        let versions = [
            record("p 1", 1, r#"{"a":1,"b":{"c":"x"},"l":[1,2]}"#),
            record("p 1", 2, r#"{"a":1,"b":{"c":"y"},"l":[1]}"#),
            record("p 2", 1, r#"{"a":null}"#),
        ];
        let changes = changes_of(&versions);
        let fields = |i: usize| -> Vec<(&str, Option<&str>, Option<&str>)> {
            changes[i]
                .1
                .fields
                .iter()
                .map(|f| (f.field.as_str(), f.before.as_deref(), f.after.as_deref()))
                .collect()
        };
        assert_eq!(fields(0).len(), 4);
        assert_eq!(fields(1), [("b.c", Some("x"), Some("y")), ("l.2", Some("2"), None)]);
        assert_eq!(fields(2), []);
    }
}
