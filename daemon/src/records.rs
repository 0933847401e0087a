//! What people put on record beside the project file: KPI values, documents, notes, that something was done elsewhere.
//! Each is one record of the store, with every version kept.
//!
//! Must never: change a record without a name, or a measured value: a person's value stands beside it.

use analytics::scheme::Scheme;
use anyhow::Context;
use connectors::day::Day;
use connectors::files::document::{DocumentError, DocumentKind, kind_of};
use model::{Digest, Instant, ProjectId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use store::{Record, RecordChange, Store};

use crate::exit::Failure;

/// Longest author, reason and note in characters.
const WORDS_MAX: usize = 400;
/// Longest title of a document in characters.
const TITLE_MAX: usize = 200;

/// Refuses empty words, and those that fit no report. `name` is that of the command line; pages call the field by the
/// refusal's code.
pub(crate) fn check_words(name: &str, words: &str) -> Result<(), Failure> {
    let (code, most) = match name {
        "--title" => ("words_title", TITLE_MAX),
        "--reason" | "--why" => ("words_reason", WORDS_MAX),
        "--note" => ("words_note", WORDS_MAX),
        "--to" => ("words_to", WORDS_MAX),
        "--text" => ("words_text", WORDS_MAX),
        _ => ("words", WORDS_MAX),
    };
    let length = lines(words.trim()).chars().count();
    let is_refused = |c: char| c.is_control() && c != '\n';
    if length == 0 || most < length || lines(words).contains(is_refused) {
        let says = format!("{name} has {length} characters; state it in 1 to {most} printable ones");
        return Err(Failure::bad_input(says).coded(code));
    }
    Ok(())
}

/// A text with its line ends as they are kept: browsers send two characters for each.
pub(crate) fn lines(text: &str) -> String {
    text.replace("\r\n", "\n")
}

/// Writes a record of a type of ours.
pub(crate) fn put<T: Serialize>(
    store: &Store,
    (kind, id): (&str, &str),
    body: &T,
    author: &str,
    at: Instant,
) -> Result<RecordChange, Failure> {
    check_words("--author", author)?;
    let text = serde_json::to_string(body).context("cannot write a record down")?;
    Ok(store.put_record(kind, id, &text, author, at)?)
}

/// Puts `after` in the place of `before`, in one step of the store; whether the record still was `before`. Where it was
/// not, nothing is written.
pub(crate) fn replace<T: Serialize + DeserializeOwned + PartialEq>(
    store: &Store,
    (kind, id): (&str, &str),
    (before, after): (&T, &T),
    author: &str,
    at: Instant,
) -> Result<bool, Failure> {
    check_words("--author", author)?;
    let write = |body: &T| serde_json::to_string(body).context("cannot write a record down");
    let (was, text) = (write(before)?, write(after)?);
    let Some(last) = store.record(kind, id)? else { return Ok(false) };
    // Another version of the program may have written the same in other words.
    let same = last.body == was || read::<T>(&last)? == *before;
    Ok(same && store.put_next_record(&last, &text, author, at)?)
}

fn read<T: DeserializeOwned>(record: &Record) -> anyhow::Result<T> {
    serde_json::from_str(&record.body).with_context(|| {
        format!(
            "version {} of the {} {:?} cannot be read; this version of the program is too old for it, or the store was changed from outside",
            record.version, record.kind, record.id
        )
    })
}

/// The newest version of a record.
pub(crate) fn get<T: DeserializeOwned>(
    store: &Store,
    kind: &str,
    id: &str,
) -> anyhow::Result<Option<(T, Record)>> {
    store.record(kind, id)?.map(|record| Ok((read(&record)?, record))).transpose()
}

/// The newest version of every record of a kind, in order of id.
pub(crate) fn all<T: DeserializeOwned>(store: &Store, kind: &str) -> anyhow::Result<Vec<(T, Record)>> {
    store.records(kind)?.into_iter().map(|record| Ok((read(&record)?, record))).collect()
}

const KPI_RECORD: &str = "kpi_value";

/// *Valore POST* of one KPI and year, as a person states it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KpiValue {
    pub(crate) project: String,
    pub(crate) year: i32,
    pub(crate) code: String,
    /// In the scheme's unit; `None` where only a note is stated, or the value was taken back.
    pub(crate) value: Option<f64>,
    pub(crate) unit: String,
    /// What was measured when the person stated the value.
    pub(crate) measured: Option<f64>,
    pub(crate) reason: String,
    pub(crate) note: String,
}

fn kpi_id(project: &ProjectId, year: i32, code: &str) -> String {
    format!("{project} {year} {code}")
}

/// What a person stated of one KPI, with who and when.
pub(crate) fn kpi_value(
    store: &Store,
    project: &ProjectId,
    year: i32,
    code: &str,
) -> anyhow::Result<Option<(KpiValue, Record)>> {
    get(store, KPI_RECORD, &kpi_id(project, year, code))
}

pub(crate) fn put_kpi_value(
    store: &Store,
    value: &KpiValue,
    author: &str,
    at: Instant,
) -> Result<(), Failure> {
    let project = ProjectId::new(&value.project).map_err(anyhow::Error::from)?;
    check_words("--reason", &value.reason)?;
    let value = KpiValue { reason: lines(&value.reason), note: lines(&value.note), ..value.clone() };
    put(store, (KPI_RECORD, &kpi_id(&project, value.year, &value.code)), &value, author, at)?;
    Ok(())
}

/// The kind under which documents are kept.
pub(crate) const DOCUMENT_RECORD: &str = "document";

/// A document of a project; its bytes are kept under their hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Document {
    pub(crate) project: String,
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) mime: String,
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
    pub(crate) year: Option<i32>,
    /// The KPI that it explains.
    pub(crate) kpi: Option<String>,
}

/// Refuses a KPI that the project's scheme does not have.
pub(crate) fn check_kpi(scheme: &Scheme, code: Option<&str>) -> Result<(), Failure> {
    let codes = || scheme.kpis.iter().map(|kpi| kpi.code.as_str());
    match code {
        Some(code) if !codes().any(|known| known == code) => {
            let known: Vec<&str> = codes().collect();
            let says = format!("the scheme has no KPI {code:?}; it has {}", known.join(", "));
            Err(Failure::bad_input(says).coded("no_kpi"))
        }
        _ => Ok(()),
    }
}

/// Takes a document in: its kind verified by its content, its bytes kept once. One file may explain several KPI and
/// years: each is a record.
pub(crate) fn add_document(
    store: &Store,
    mut document: Document,
    bytes: &[u8],
    author: &str,
    at: Instant,
) -> Result<Document, Failure> {
    check_words("--title", &document.title)?;
    check_name(&document.name)?;
    let kind = kind_of_document(&document.name, bytes)?;
    document.title = lines(&document.title);
    document.mime = kind.mime().to_owned();
    document.bytes = bytes.len() as u64;
    document.sha256 = store.keep_document(bytes)?.hex();
    let mut id = format!("{} {}", document.project, document.sha256);
    if let Some(kpi) = &document.kpi {
        let year = document.year.map_or_else(|| "-".to_owned(), |year| year.to_string());
        id = format!("{id} {year} {kpi}");
    }
    put(store, (DOCUMENT_RECORD, &id), &document, author, at)?;
    Ok(document)
}

/// The kind of a document by its content, or why it is not taken.
pub(crate) fn kind_of_document(name: &str, bytes: &[u8]) -> Result<DocumentKind, Failure> {
    kind_of(name, bytes).map_err(|error| {
        let says = format!("{name} cannot be taken: {error}");
        Failure::bad_input(says).coded(document_code(&error))
    })
}

const fn document_code(error: &DocumentError) -> &'static str {
    match error {
        DocumentError::Empty => "file_empty",
        DocumentError::TooLarge { .. } => "file_too_large",
        DocumentError::Unknown => "file_kind",
        DocumentError::CutOff { .. } => "file_cut_off",
        DocumentError::Macros => "file_macros",
        DocumentError::OtherName { .. } => "file_other_name",
    }
}

/// A plain file name: it becomes one in the bundle of a project.
pub(crate) fn check_name(name: &str) -> Result<(), Failure> {
    let plain = !name.is_empty()
        && name.len() <= 200
        && !name.starts_with('.')
        && !name.contains(['/', '\\'])
        && !name.chars().any(char::is_control);
    if plain {
        Ok(())
    } else {
        Err(Failure::bad_input(format!("{name:?} is no plain file name; rename the file")).coded("file_name"))
    }
}

/// The documents of a project, in order of hash.
pub(crate) fn documents(store: &Store, project: &ProjectId) -> anyhow::Result<Vec<(Document, Record)>> {
    let mut found: Vec<(Document, Record)> = all(store, DOCUMENT_RECORD)?;
    found.retain(|(document, _)| document.project == project.as_str());
    Ok(found)
}

/// A digest from its sixty-four digits.
pub(crate) fn digest(hex: &str) -> Option<Digest> {
    if hex.len() != 64 || !hex.is_ascii() {
        return None;
    }
    let mut bytes = [0; 32];
    for (i, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hex.get(2 * i..2 * i + 2)?, 16).ok()?;
    }
    Some(Digest(bytes))
}

/// The bytes kept under a hash that a record names.
pub(crate) fn kept(store: &Store, sha256: &str) -> anyhow::Result<Vec<u8>> {
    let digest = digest(sha256).with_context(|| format!("{sha256:?} is no SHA-256"))?;
    store.document(&digest)?.with_context(|| {
        format!("the file with SHA-256 {sha256} is not in the store any more; restore the folder `documents` from a backup")
    })
}

const NOTE_RECORD: &str = "note";

/// A note on a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Note {
    pub(crate) project: String,
    pub(crate) year: Option<i32>,
    pub(crate) text: String,
}

pub(crate) fn add_note(store: &Store, note: &Note, author: &str, at: Instant) -> Result<(), Failure> {
    check_words("--text", &note.text)?;
    let note = Note { text: lines(&note.text), ..note.clone() };
    put(store, (NOTE_RECORD, &format!("{} {}", note.project, at.millis())), &note, author, at)?;
    Ok(())
}

/// The notes of a project, oldest first.
pub(crate) fn notes(store: &Store, project: &ProjectId) -> anyhow::Result<Vec<(Note, Record)>> {
    let mut found: Vec<(Note, Record)> = all(store, NOTE_RECORD)?;
    found.retain(|(note, _)| note.project == project.as_str());
    found.sort_by_key(|(_, record)| record.at);
    Ok(found)
}

const DONE_RECORD: &str = "obligation_done";

/// That an obligation was fulfilled outside this program: in the authority's own system, or on paper.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Done {
    pub(crate) project: String,
    pub(crate) obligation: String,
    pub(crate) year: Option<i32>,
    /// `None` once it was taken back.
    pub(crate) on: Option<Day>,
    pub(crate) note: String,
}

pub(crate) fn put_done(store: &Store, done: &Done, author: &str, at: Instant) -> Result<(), Failure> {
    check_words("--note", &done.note)?;
    let year = done.year.map_or_else(|| "-".to_owned(), |year| year.to_string());
    let id = format!("{} {} {year}", done.project, done.obligation);
    let done = Done { note: lines(&done.note), ..done.clone() };
    put(store, (DONE_RECORD, &id), &done, author, at)?;
    Ok(())
}

pub(crate) fn all_done(store: &Store) -> anyhow::Result<Vec<Done>> {
    Ok(all(store, DONE_RECORD)?.into_iter().map(|(done, _)| done).collect())
}
