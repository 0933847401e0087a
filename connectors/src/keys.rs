//! The keys of a connector's own tables: unknown ones are refused with the nearest known name.
//!
//! Must never: ignore a key; a misspelt limit that is silently left at its default is found years later.

use model::{Finding, Severity};
use serde::de::DeserializeOwned;

/// Reads a table as `T`, whose keys are `known`.
///
/// # Errors
/// One finding an unknown key, or one for the first value that does not fit.
pub fn read<T: DeserializeOwned>(
    subject: &str,
    table: &toml::Table,
    known: &[&str],
) -> Result<T, Vec<Finding>> {
    let unknown = unknown(subject, table, known);
    if !unknown.is_empty() {
        return Err(unknown);
    }
    toml::Table::try_into(table.clone()).map_err(|error| {
        let says = format!("{}; compare with the manual", error.message().trim().replace('\n', " "));
        vec![invalid(subject, says)]
    })
}

/// One finding for each key that is not among the known ones.
pub(crate) fn unknown(subject: &str, table: &toml::Table, known: &[&str]) -> Vec<Finding> {
    let unknown = table.keys().filter(|key| !known.contains(&key.as_str()));
    unknown
        .map(|key| {
            let nearest = nearest(key, known);
            let says = format!("key `{key}` is not known; did you mean `{nearest}`?");
            Finding::new("settings.key.unknown", Severity::Blocks, subject, says, "")
                .with("key", key)
                .with("nearest", nearest)
        })
        .collect()
}

/// In which way a setting cannot be used; a reader's language has a text for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// A value is missing, or not one of those allowed.
    Value,
    /// It names something that is not there.
    Reference,
    /// The meter's model does not speak as the link does.
    Model,
    /// Two meters or links claim the same place.
    Shared,
}

impl Wrong {
    pub const ALL: [Self; 4] = [Self::Value, Self::Reference, Self::Model, Self::Shared];

    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Value => "value",
            Self::Reference => "reference",
            Self::Model => "model",
            Self::Shared => "shared",
        }
    }
}

/// A setting that has a wrong value.
#[must_use]
pub fn invalid(subject: &str, says: impl Into<String>) -> Finding {
    unusable(subject, Wrong::Value, says)
}

/// A setting that cannot be used.
#[must_use]
pub fn unusable(subject: &str, wrong: Wrong, says: impl Into<String>) -> Finding {
    let says = says.into();
    Finding::new("settings.invalid", Severity::Blocks, subject, says.clone(), "")
        .with("kind", wrong.code())
        .with("says", says)
}

fn nearest<'k>(key: &str, known: &[&'k str]) -> &'k str {
    known.iter().copied().min_by_key(|other| distance(key, other)).unwrap_or_default()
}

/// Levenshtein distance in bytes.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_key_is_named() {
        assert_eq!(nearest("timeout", &["address", "timeout_ms", "pause_ms"]), "timeout_ms");
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }
}
