//! The files that records name: documents of projects, and what submissions froze, attached, had signed and received.
//!
//! Every version of a record counts: what it named then is part of what was done.
//!
//! Must never: pass over a record that cannot be read, or over a version because a newer one replaced it.

use std::collections::BTreeMap;

use anyhow::Context;
use model::Digest;
use serde_json::Value;
use store::Store;

use crate::{records, submissions};

/// Kinds of records whose bodies name files.
const KINDS: [&str; 2] = [records::DOCUMENT_RECORD, submissions::RECORD];

/// What records name, and what of it the store has not.
#[derive(Debug, Default)]
pub(super) struct Named {
    pub(super) files: usize,
    /// A sentence each.
    pub(super) missing: Vec<String>,
}

/// Looks for every file that a record names. Whether bytes are those of their name [`Store::verify`] says.
pub(super) fn look(store: &Store) -> anyhow::Result<Named> {
    let mut named: BTreeMap<String, String> = BTreeMap::new();
    for kind in KINDS {
        for record in store.record_versions_under(kind, "")? {
            let body: Value = serde_json::from_str(&record.body).with_context(|| {
                format!("version {} of the {kind} {:?} cannot be read", record.version, record.id)
            })?;
            let by = format!("{kind} {:?}", record.id);
            gather(&body, &mut |name, sha256| {
                named.entry(sha256.to_owned()).or_insert_with(|| format!("{name:?}, named by {by}"));
            });
        }
    }
    let mut found = Named { files: named.len(), missing: Vec::new() };
    for (sha256, what) in named {
        let digest =
            Digest::parse_hex(&sha256).with_context(|| format!("{what}: {sha256:?} is no SHA-256"))?;
        if !store.has_document(&digest)? {
            found.missing.push(format!(
                "the file with SHA-256 {sha256} ({what}) is missing; copy documents/{}/{} back from a backup",
                &sha256[..2],
                &sha256[2..]
            ));
        }
    }
    Ok(found)
}

/// Every object with a name and a `sha256`, however deep it stands.
fn gather(value: &Value, found: &mut impl FnMut(&str, &str)) {
    match value {
        Value::Object(object) => {
            let text = |key| object.get(key).and_then(Value::as_str);
            if let (Some(name), Some(sha256)) = (text("name"), text("sha256")) {
                found(name, sha256);
            }
            object.values().for_each(|value| gather(value, found));
        }
        Value::Array(list) => list.iter().for_each(|value| gather(value, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use model::Instant;
    use store::StoreOptions;

    use super::*;
    use crate::submissions::FileRef;

    fn file(name: &str, sha256: String) -> FileRef {
        FileRef { name: name.to_owned(), mime: "text/plain".to_owned(), bytes: 3, sha256 }
    }

    #[test]
    fn files_of_every_version_are_looked_for() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), StoreOptions::default()).unwrap();
        assert_eq!(look(&store).unwrap().files, 0);
        let kept = store.keep_document(b"abc").unwrap().hex();
        let lost = Digest([9; 32]).hex();
        let document = records::Document {
            project: "p".to_owned(),
            name: "a.pdf".to_owned(),
            title: "A".to_owned(),
            mime: "application/pdf".to_owned(),
            bytes: 3,
            sha256: kept.clone(),
            year: None,
            kpi: None,
        };
        let put =
            |kind: &str, body: String| store.put_record(kind, "p x", &body, "a", Instant::default()).unwrap();
        put(records::DOCUMENT_RECORD, serde_json::to_string(&document).unwrap());
        let signed = |file: FileRef| {
            let file = serde_json::to_value(file).unwrap();
            serde_json::json!({"signed": [{"file": file, "wraps_sha256": "0"}], "attached": []}).to_string()
        };
        put(submissions::RECORD, signed(file("lost.p7m", lost.clone())));
        put(submissions::RECORD, signed(file("kept.p7m", kept)));
        let named = look(&store).unwrap();
        assert_eq!((named.files, named.missing.len()), (2, 1));
        let says = &named.missing[0];
        assert!(says.contains("lost.p7m") && says.contains(&lost) && says.contains("submission"), "{says}");
        put(submissions::RECORD, "{".to_owned());
        assert!(look(&store).unwrap_err().to_string().contains("version 3 of the submission"));
    }
}
