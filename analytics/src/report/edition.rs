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

/// How a page that is made outside a submission stands to the one that was frozen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// None was frozen: a draft of that day.
    Draft { on: NaiveDate },
    /// It says what the frozen one says.
    AsFrozen { version: u32, frozen_on: NaiveDate },
    /// It was made on that day, and the frozen one, which counts, is another.
    OtherThanFrozen { on: NaiveDate, version: u32, frozen_on: NaiveDate },
}

impl Standing {
    /// Name and value of its line on the first page.
    pub(super) fn line(self, words: &Words<'_>) -> (String, String) {
        let date = |date: NaiveDate| words.format.date(date);
        let value = match self {
            Self::Draft { on } => words.fill("front.edition_draft", &[("on", &date(on))]),
            Self::AsFrozen { version, frozen_on } => words.fill(
                "front.edition_frozen",
                &[("version", &*version.to_string()), ("frozen", &*date(frozen_on))],
            ),
            Self::OtherThanFrozen { on, version, frozen_on } => words.fill(
                "front.edition_other",
                &[("on", &*date(on)), ("version", &*version.to_string()), ("frozen", &*date(frozen_on))],
            ),
        };
        (words.t("front.edition"), value)
    }
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
