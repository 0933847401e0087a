//! Which version of what was sent a document belongs to: a correction says what it replaces, and why.
//!
//! Must never: mark a first version, or count versions itself.

use chrono::NaiveDate;

use super::document::Document;
use super::words::Words;
use crate::text::Texts;

/// A version that replaces an earlier one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edition {
    pub version: u32,
    pub replaces: u32,
    /// The day on which the replaced version was sent, or was finished where it was not sent.
    pub replaces_on: NaiveDate,
    pub why: String,
}

impl Edition {
    /// Says it on the first page, before everything else.
    pub fn mark(&self, document: &mut Document, texts: &Texts) {
        let words = Words::new(texts);
        let why = self.why.split_whitespace().collect::<Vec<_>>().join(" ");
        let value = words.fill(
            "front.edition_value",
            &[
                ("version", &*self.version.to_string()),
                ("replaces", &*self.replaces.to_string()),
                ("on", &*words.format.date(self.replaces_on)),
                ("why", &*why),
            ],
        );
        document.front.insert(0, (words.t("front.edition"), value));
    }
}
