//! People's comments on the sections of a report, as they are kept in the store: one record for each project, year and
//! section, every version kept.
//!
//! Must never: lose whose words they are.

use analytics::report::beside::{Comment, SectionKey};
use anyhow::{Context, anyhow};
use model::{Instant, Project, ProjectId};
use serde::{Deserialize, Serialize};
use store::{Record, Store};

use crate::exit::Failure;

/// The kind under which comments are kept in the store.
const COMMENT_RECORD: &str = "report_comment";
/// Longest comment in characters: about a page.
pub(crate) const TEXT_MAX: usize = 4_000;
/// Longest name of an author in characters.
const AUTHOR_MAX: usize = 120;

/// The form of a record's body.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    /// `None` when the comment was taken away.
    text: Option<String>,
    #[serde(default)]
    instead: bool,
}

fn id(project: &ProjectId, year: i32, section: SectionKey) -> String {
    format!("{project}/{year}/{}", section.code())
}

/// The comments on a report, in order of its sections, with the names of those who wrote them. The audit log keeps their
/// accounts.
pub(crate) fn of_report(store: &Store, project: &Project, year: i32) -> anyhow::Result<Vec<Comment>> {
    let mut comments = Vec::new();
    for section in SectionKey::ALL {
        if let Some(record) = store.record(COMMENT_RECORD, &id(&project.id, year, section))? {
            comments.extend(read(record, project, section)?);
        }
    }
    if !comments.is_empty() {
        let names = crate::access::names(store)?;
        for comment in &mut comments {
            if let Some(name) = names.get(&comment.author).filter(|name| !name.trim().is_empty()) {
                comment.author.clone_from(name);
            }
        }
    }
    Ok(comments)
}

fn read(record: Record, project: &Project, section: SectionKey) -> anyhow::Result<Option<Comment>> {
    let body: Body = serde_json::from_str(&record.body)
        .with_context(|| format!("the comment {} in the store has another form", record.id))?;
    Ok(body.text.map(|text| Comment {
        section,
        text,
        date: record.at.day(project.zone),
        author: record.author,
        instead: body.instead,
    }))
}

/// What a person says of a section.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Said<'a> {
    pub(crate) text: &'a str,
    pub(crate) author: &'a str,
    /// Whether it stands in place of the program's own comment.
    pub(crate) instead: bool,
}

/// Writes a comment in place of the one there was.
pub(crate) fn set(
    store: &Store,
    (project, year, section): (&ProjectId, i32, SectionKey),
    said: Said<'_>,
    at: Instant,
) -> Result<(), Failure> {
    let text = checked(said.text)?;
    put(
        store,
        &id(project, year, section),
        &Body { text: Some(text), instead: said.instead },
        said.author,
        at,
    )
}

/// A comment's text as it is kept, or why it cannot be.
pub(crate) fn checked(text: &str) -> Result<String, Failure> {
    let text = text.replace("\r\n", "\n");
    let text = text.trim();
    let length = text.chars().count();
    if text.is_empty() || TEXT_MAX < length {
        let says = format!("the comment has {length} characters; write at least one and at most {TEXT_MAX}");
        return Err(Failure::bad_input(says).coded("comment"));
    }
    if let Some(c) = text.chars().find(|c| c.is_control() && *c != '\n' && *c != '\t') {
        return Err(Failure::bad_input(format!(
            "the comment holds the control character U+{:04X}; take it out",
            u32::from(c)
        )));
    }
    Ok(text.to_owned())
}

/// Takes a comment away; its versions stay in the store.
pub(crate) fn remove(
    store: &Store,
    (project, year, section): (&ProjectId, i32, SectionKey),
    author: &str,
    at: Instant,
) -> Result<(), Failure> {
    let id = id(project, year, section);
    let record = store.record(COMMENT_RECORD, &id)?;
    let body = record.map(|r| serde_json::from_str::<Body>(&r.body)).transpose().map_err(|e| anyhow!(e))?;
    if body.and_then(|b| b.text).is_none() {
        return Err(Failure::bad_input(format!(
            "there is no comment {id}; `consuntivo comment list` shows them"
        )));
    }
    put(store, &id, &Body { text: None, instead: false }, author, at)
}

fn put(store: &Store, id: &str, body: &Body, author: &str, at: Instant) -> Result<(), Failure> {
    let author = author.trim();
    let length = author.chars().count();
    if author.is_empty() || AUTHOR_MAX < length || author.chars().any(char::is_control) {
        return Err(Failure::bad_input(format!(
            "the author has {length} characters; write a name of at most {AUTHOR_MAX}, without line breaks"
        )));
    }
    let body = serde_json::to_string(body).map_err(|e| anyhow!(e))?;
    store.put_record(COMMENT_RECORD, id, &body, author, at)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use store::StoreOptions;

    use super::*;

    #[test]
    fn a_comment_is_set_replaced_and_taken_away_and_its_author_stays() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), StoreOptions::default()).unwrap();
        let catalog = config::Catalog::embedded().unwrap();
        let text = include_str!("../../config/examples/project.toml");
        let (project, _) = config::parse_project(text, &catalog).unwrap();
        let of = (&project.id, 2025, SectionKey::Savings);
        let at = Instant::from_seconds(1_770_000_000);
        let said = |text| Said { text, author: "A. Rossi", instead: false };
        set(&store, of, said(" Prima riga\r\n\r\nseconda "), at).unwrap();
        let found = of_report(&store, &project, 2025).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].text.as_str(), found[0].author.as_str()), ("Prima riga\n\nseconda", "A. Rossi"));
        assert_eq!(found[0].date, at.day(project.zone));
        assert!(of_report(&store, &project, 2024).unwrap().is_empty());
        set(&store, of, Said { instead: true, ..said("Altro") }, at).unwrap();
        assert!(of_report(&store, &project, 2025).unwrap()[0].instead);
        remove(&store, of, "B. Bianchi", at).unwrap();
        assert!(of_report(&store, &project, 2025).unwrap().is_empty());
        assert!(remove(&store, of, "B. Bianchi", at).is_err());
        let long = "x".repeat(TEXT_MAX + 1);
        for text in ["", "  \n", "a\u{7}b", &long] {
            assert!(set(&store, of, said(text), at).is_err(), "{text:?} was taken");
        }
        assert!(set(&store, of, Said { author: " ", ..said("Altro") }, at).is_err());
    }
}
