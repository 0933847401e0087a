//! Closed projects as the grants system delivers them: CSV with a header, or JSON.
//!
//! Must never: take a delivery in part, guess a day, or pass over in silence what it does not know.

use std::collections::BTreeMap;
use std::fmt;

use chrono::NaiveDate;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::day::Day;

/// Largest delivery in bytes.
pub const DELIVERY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Most projects of one delivery.
const PROJECTS_MAX: usize = 10_000;
/// Longest text of one value in characters.
const TEXT_MAX: usize = 400;
/// Most keys that are named of those nobody knows; the others are counted under one name.
const UNKNOWN_MAX: usize = 50;
/// Longest name of an unknown key in characters.
const NAME_MAX: usize = 80;

/// One closed project, as delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClosedProject {
    /// The grants system's own code.
    pub code: String,
    pub cup: String,
    pub title: String,
    pub beneficiary: String,
    pub tax_code: String,
    /// Name or number of the call.
    pub call: String,
    /// Day on which the reporting of expenses was closed.
    pub expenses_closed: Day,
    /// Who may work on it.
    #[serde(default)]
    pub subjects: Vec<ClosedSubject>,
}

/// A person enabled in the grants system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClosedSubject {
    pub name: String,
    pub tax_code: String,
    /// `legal_representative` or `data_entry`.
    pub role: String,
    #[serde(default)]
    pub email: Option<String>,
}

/// What was delivered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Delivered {
    pub projects: Vec<ClosedProject>,
    /// In order of their paths.
    pub unknown: Vec<UnknownKey>,
}

/// A key or column that has no meaning here and had no effect: the other system may grow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownKey {
    /// Of JSON from the project on, such as `budget` or `subjects[].phone`; of CSV the column's name.
    pub path: String,
    /// How many times it stands in the delivery; of a column how many rows it has.
    pub times: usize,
}

const KEYS: [&str; 8] =
    ["code", "cup", "title", "beneficiary", "tax_code", "call", "expenses_closed", "subjects"];
const SUBJECT_KEYS: [&str; 4] = ["name", "tax_code", "role", "email"];

/// Reads a JSON delivery: a list of projects. Keys that are not of [`ClosedProject`] have no effect and are named.
///
/// # Errors
/// Every problem, each with its record and key.
pub fn read_json(bytes: &[u8]) -> Result<Delivered, Vec<String>> {
    check_size(bytes)?;
    let records: Vec<Entry> = serde_json::from_slice(bytes)
        .map_err(|error| vec![format!("it is no list of closed projects: {error}")])?;
    if PROJECTS_MAX < records.len() {
        return Err(vec![too_many()]);
    }
    let (mut projects, mut problems, mut unknown) = (Vec::new(), Vec::new(), Unknown::default());
    for (i, record) in records.iter().enumerate() {
        let at = named(i, record);
        match project(&at, record, &mut unknown) {
            Ok(project) => projects.push(project),
            Err(found) => problems.extend(found),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(Delivered { projects: checked(projects)?, unknown: unknown.list() })
}

/// How problems name a record: by its place, and by its code where it has one.
fn named(i: usize, record: &Entry) -> String {
    let code = match record {
        Entry::Keys(keys) => keys.iter().find(|(key, _)| key == "code").and_then(|(_, value)| value.text()),
        Entry::Other(_) | Entry::List(_) => None,
    };
    code.map_or_else(|| format!("record {}", i + 1), |code| format!("record {} ({:?})", i + 1, shown(code)))
}

fn project(at: &str, record: &Entry, unknown: &mut Unknown) -> Result<ClosedProject, Vec<String>> {
    let mut keys = Keys::of(at.to_owned(), record, &KEYS, ("", &mut *unknown))?;
    let [code, cup, title, beneficiary, tax_code, call] =
        ["code", "cup", "title", "beneficiary", "tax_code", "call"].map(|key| keys.text(key));
    let expenses_closed = keys.text("expenses_closed").and_then(|text| {
        let found = NaiveDate::parse_from_str(&text, "%Y-%m-%d").ok();
        if found.is_none() {
            keys.problem("expenses_closed", &format!("{:?} is no day such as 2024-09-30", shown(&text)));
        }
        found.map(Day)
    });
    let mut subjects = Vec::new();
    match keys.find("subjects") {
        None => {}
        Some(Entry::List(list)) => {
            for (i, entry) in list.iter().enumerate() {
                match subject(format!("{at}, subjects[{i}]"), entry, unknown) {
                    Ok(subject) => subjects.push(subject),
                    Err(found) => keys.problems.extend(found),
                }
            }
        }
        Some(_) => keys.problem("subjects", "is no list"),
    }
    keys.done()?;
    let none = || vec![format!("{at}: it cannot be read")];
    Ok(ClosedProject {
        code: code.ok_or_else(none)?,
        cup: cup.ok_or_else(none)?,
        title: title.ok_or_else(none)?,
        beneficiary: beneficiary.ok_or_else(none)?,
        tax_code: tax_code.ok_or_else(none)?,
        call: call.ok_or_else(none)?,
        expenses_closed: expenses_closed.ok_or_else(none)?,
        subjects,
    })
}

fn subject(at: String, entry: &Entry, unknown: &mut Unknown) -> Result<ClosedSubject, Vec<String>> {
    let none = vec![format!("{at}: it cannot be read")];
    let mut keys = Keys::of(at, entry, &SUBJECT_KEYS, ("subjects[].", unknown))?;
    let [name, tax_code, role] = ["name", "tax_code", "role"].map(|key| keys.text(key));
    let email = match keys.find("email") {
        None | Some(Entry::Other(Value::Null)) => None,
        Some(_) => keys.text("email"),
    };
    keys.done()?;
    let (Some(name), Some(tax_code), Some(role)) = (name, tax_code, role) else { return Err(none) };
    Ok(ClosedSubject { name, tax_code, role, email })
}

/// The keys of one object, and what is wrong with them.
struct Keys<'e> {
    at: String,
    entries: &'e [(String, Entry)],
    /// Keys of it that nobody knows: one of them may be a wanted one, misspelt.
    strange: Vec<&'e str>,
    problems: Vec<String>,
}

impl<'e> Keys<'e> {
    /// Notes the keys that are not among `known` under `prefix`.
    fn of(
        at: String,
        entry: &'e Entry,
        known: &[&str],
        (prefix, unknown): (&str, &mut Unknown),
    ) -> Result<Self, Vec<String>> {
        let Entry::Keys(entries) = entry else { return Err(vec![format!("{at}: it is no object")]) };
        let mut keys = Self { at, entries, strange: Vec::new(), problems: Vec::new() };
        for (i, (key, _)) in entries.iter().enumerate() {
            if !known.contains(&key.as_str()) {
                unknown.note(&format!("{prefix}{}", shown(key)));
                keys.strange.push(key);
            } else if entries.iter().take(i).any(|(before, _)| before == key) {
                keys.problem(key, "stands in it twice");
            }
        }
        Ok(keys)
    }

    fn find(&self, key: &str) -> Option<&'e Entry> {
        self.entries.iter().find(|(own, _)| own == key).map(|(_, entry)| entry)
    }

    /// A text that must be there.
    fn text(&mut self, key: &str) -> Option<String> {
        match self.find(key) {
            None => {
                let strange: Vec<String> =
                    self.strange.iter().map(|key| format!("{:?}", shown(key))).collect();
                let perhaps = match strange.len() {
                    0 => String::new(),
                    _ => format!("; not known are {}", strange.join(", ")),
                };
                self.problem(key, &format!("is missing{perhaps}"));
                None
            }
            Some(entry) => {
                let text = entry.text().map(str::to_owned);
                if text.is_none() {
                    self.problem(key, &format!("is {} and must be a text", entry.kind()));
                }
                text
            }
        }
    }

    fn problem(&mut self, key: &str, says: &str) {
        self.problems.push(format!("{}: `{key}`: {says}", self.at));
    }

    fn done(self) -> Result<(), Vec<String>> {
        if self.problems.is_empty() { Ok(()) } else { Err(self.problems) }
    }
}

/// Keys that nobody knows, each with how many times it came.
#[derive(Default)]
struct Unknown(BTreeMap<String, usize>);

impl Unknown {
    fn note(&mut self, path: &str) {
        let is_new = !self.0.contains_key(path);
        let path = if is_new && UNKNOWN_MAX <= self.0.len() { "…" } else { path };
        *self.0.entry(path.to_owned()).or_default() += 1;
    }

    fn list(self) -> Vec<UnknownKey> {
        self.0.into_iter().map(|(path, times)| UnknownKey { path, times }).collect()
    }
}

/// Another system's words as a person may be shown them.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(NAME_MAX).collect()
}

/// A JSON value of which a key that stands twice is not lost.
enum Entry {
    Keys(Vec<(String, Entry)>),
    List(Vec<Entry>),
    Other(Value),
}

impl Entry {
    fn text(&self) -> Option<&str> {
        match self {
            Self::Other(value) => value.as_str(),
            Self::Keys(_) | Self::List(_) => None,
        }
    }

    const fn kind(&self) -> &'static str {
        match self {
            Self::Keys(_) | Self::Other(Value::Object(_)) => "an object",
            Self::List(_) | Self::Other(Value::Array(_)) => "a list",
            Self::Other(Value::Null) => "null",
            Self::Other(Value::Bool(_)) => "true or false",
            Self::Other(Value::Number(_)) => "a number",
            Self::Other(Value::String(_)) => "a text",
        }
    }
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EntryVisitor)
    }
}

struct EntryVisitor;

impl<'de> Visitor<'de> for EntryVisitor {
    type Value = Entry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Entry, E> {
        Ok(Entry::Other(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Entry, E> {
        Ok(Entry::Other(Value::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Entry, E> {
        Ok(Entry::Other(Value::from(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Entry, E> {
        Ok(Entry::Other(Value::from(value)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Entry, E> {
        Ok(Entry::Other(Value::from(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Entry, E> {
        Ok(Entry::Other(Value::String(value.to_owned())))
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<Entry, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = list.next_element()? {
            entries.push(entry);
        }
        Ok(Entry::List(entries))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entry, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Entry::Keys(entries))
    }
}

const COLUMNS: [&str; 7] = ["code", "cup", "title", "beneficiary", "tax_code", "call", "expenses_closed"];

/// Reads a CSV delivery: a header with every column of [`ClosedProject`] but the subjects, separated by `;` or `,`.
/// Other columns have no effect and are named.
///
/// # Errors
/// Every problem, each with its line.
pub fn read_csv(bytes: &[u8]) -> Result<Delivered, Vec<String>> {
    check_size(bytes)?;
    let text = std::str::from_utf8(bytes).map_err(|_| vec!["it is not UTF-8 text".to_owned()])?;
    let text = text.trim_start_matches('\u{feff}');
    let head = text.lines().next().unwrap_or_default();
    let separator = if head.contains(';') { b';' } else { b',' };
    let mut reader = csv::ReaderBuilder::new().delimiter(separator).from_reader(text.as_bytes());
    let headers = reader.headers().map_err(|error| vec![error.to_string()])?.clone();
    let places = places(&headers)?;
    let (mut projects, mut problems) = (Vec::new(), Vec::new());
    for row in reader.records().take(PROJECTS_MAX + 1) {
        let row = match row {
            Ok(row) => row,
            Err(error) => {
                problems.push(error.to_string());
                continue;
            }
        };
        let line = row.position().map_or(0, csv::Position::line);
        let cell = |i: usize| row.get(places[i]).unwrap_or_default().trim().to_owned();
        match day(&cell(6)) {
            Some(expenses_closed) => projects.push(ClosedProject {
                code: cell(0),
                cup: cell(1),
                title: cell(2),
                beneficiary: cell(3),
                tax_code: cell(4),
                call: cell(5),
                expenses_closed,
                subjects: Vec::new(),
            }),
            None => problems
                .push(format!("line {line}: {:?} is no day such as 2024-09-30 or 30/09/2024", cell(6))),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let rows = projects.len();
    let unknown = strange_columns(&headers).map(|path| UnknownKey { path, times: rows }).collect();
    Ok(Delivered { projects: checked(projects)?, unknown })
}

/// Where each of [`COLUMNS`] stands.
fn places(headers: &csv::StringRecord) -> Result<[usize; COLUMNS.len()], Vec<String>> {
    let mut places = [0; COLUMNS.len()];
    let mut problems = Vec::new();
    for (place, column) in places.iter_mut().zip(COLUMNS) {
        let mut found = headers.iter().enumerate().filter(|(_, h)| h.trim().eq_ignore_ascii_case(column));
        match (found.next(), found.next()) {
            (Some((first, _)), None) => *place = first,
            (Some(_), Some(_)) => problems.push(format!("line 1: the column {column} stands in it twice")),
            (None, _) => problems.push(format!("line 1: the column {column} is missing")),
        }
    }
    let strange: Vec<String> = strange_columns(headers).map(|column| format!("{column:?}")).collect();
    match problems.first_mut() {
        None => return Ok(places),
        // One of them may be the missing one, misspelt.
        Some(first) if !strange.is_empty() => *first += &format!("; not known are {}", strange.join(", ")),
        Some(_) => {}
    }
    Err(problems)
}

/// The columns that have no meaning here, by name; by number where they have none.
fn strange_columns(headers: &csv::StringRecord) -> impl Iterator<Item = String> {
    let is_known = |header: &str| COLUMNS.iter().any(|column| header.trim().eq_ignore_ascii_case(column));
    let strange = headers.iter().enumerate().filter(move |(_, header)| !is_known(header));
    strange.take(UNKNOWN_MAX).map(|(i, header)| match shown(header.trim()) {
        name if name.is_empty() => format!("column {}", i + 1),
        name => name,
    })
}

fn too_many() -> String {
    format!("it holds more than {PROJECTS_MAX} projects; deliver them in parts")
}

fn day(text: &str) -> Option<Day> {
    ["%Y-%m-%d", "%d/%m/%Y"].iter().find_map(|format| NaiveDate::parse_from_str(text, format).ok().map(Day))
}

fn check_size(bytes: &[u8]) -> Result<(), Vec<String>> {
    if DELIVERY_BYTES_MAX < bytes.len() {
        return Err(vec![format!("it has {} bytes, at most {DELIVERY_BYTES_MAX} are taken", bytes.len())]);
    }
    Ok(())
}

fn checked(projects: Vec<ClosedProject>) -> Result<Vec<ClosedProject>, Vec<String>> {
    let mut problems = Vec::new();
    if PROJECTS_MAX < projects.len() {
        problems.push(too_many());
    }
    let mut codes: Vec<&str> = projects.iter().map(|p| p.code.as_str()).collect();
    codes.sort_unstable();
    for pair in codes.windows(2).filter(|pair| pair[0] == pair[1]) {
        problems.push(format!("project {:?} stands in it twice", pair[0]));
    }
    for project in &projects {
        let texts = [&project.code, &project.title, &project.beneficiary, &project.call];
        let plain =
            |t: &&String| !t.is_empty() && t.chars().count() <= TEXT_MAX && !t.chars().any(char::is_control);
        if !texts.iter().all(plain) {
            problems.push(format!("project {:?}: a text is empty, too long or not printable", project.code));
        }
    }
    if problems.is_empty() { Ok(projects) } else { Err(problems) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CSV: &str = "code;cup;title;beneficiary;tax_code;call;expenses_closed\n\
                       P-1;C11G06000000001;Municipio;Comune di Esempio;12345678903;II.2i.1;30/09/2024\n";

    #[test]
    fn both_forms_say_the_same() {
        let json = r#"[{"code":"P-1","cup":"C11G06000000001","title":"Municipio","beneficiary":"Comune di Esempio",
            "tax_code":"12345678903","call":"II.2i.1","expenses_closed":"2024-09-30"}]"#;
        let wanted = read_csv(CSV.as_bytes()).unwrap();
        assert_eq!(wanted, read_json(json.as_bytes()).unwrap());
        assert_eq!(wanted, read_csv(CSV.replace(';', ",").as_bytes()).unwrap());
        assert_eq!(wanted.projects[0].expenses_closed.to_string(), "2024-09-30");
        assert_eq!(wanted.unknown, []);
    }

    fn json(more: &str) -> String {
        format!(
            r#"{{"code":"P-1","cup":"C11G06000000001","title":"Municipio","beneficiary":"Comune di Esempio",
            "tax_code":"12345678903","call":"II.2i.1","expenses_closed":"2024-09-30"{more}}}"#
        )
    }

    #[test]
    fn a_field_more_has_no_effect_and_is_named() {
        let plain = read_csv(CSV.as_bytes()).unwrap().projects;
        let wide: String =
            CSV.lines().zip(["Budget;", "1;2"]).map(|(l, more)| format!("{l};{more}\n")).collect();
        let csv = read_csv(wide.as_bytes()).unwrap();
        assert_eq!(csv.projects, plain);
        let named = |of: &Delivered| {
            of.unknown.iter().map(|key| format!("{} {}", key.path, key.times)).collect::<Vec<_>>()
        };
        assert_eq!(named(&csv), ["Budget 1", "column 9 1"]);
        let more = r#","budget":{"title":1},"subjects":[{"name":"A","tax_code":"x","role":"r","phone":null},
            {"name":"B","tax_code":"x","role":"r","email":null,"phone":7,"floor":"2"}]"#;
        let of_json = read_json(format!("[{}]", json(more)).as_bytes()).unwrap();
        assert_eq!(named(&of_json), ["budget 1", "subjects[].floor 1", "subjects[].phone 2"]);
        assert_eq!((of_json.projects[0].subjects.len(), &of_json.projects[0].cup), (2, &plain[0].cup));
        // However many there are, what is said of them stays short.
        let many: String = (0..200).map(|n| format!(",\"k{n}\":1")).collect();
        let of_many = read_json(format!("[{}]", json(&many)).as_bytes()).unwrap().unknown;
        assert_eq!(
            (of_many.len(), of_many.iter().map(|key| key.times).sum::<usize>()),
            (UNKNOWN_MAX + 1, 200)
        );
    }

    #[test]
    fn what_is_missing_misspelt_or_of_another_kind_is_refused_with_its_record_and_key() {
        let good = json("");
        for (from, to, says) in [
            ("\"title\"", "\"titel\"", "record 2 (\"P-2\"): `title`: is missing; not known are \"titel\""),
            ("\"Municipio\"", "7", "record 2 (\"P-2\"): `title`: is a number and must be a text"),
            ("\"Municipio\"", "null", "record 2 (\"P-2\"): `title`: is null"),
            ("\"2024-09-30\"", "\"30/9\"", "`expenses_closed`: \"30/9\" is no day such as"),
            ("}", ",\"subjects\":{}}", "record 2 (\"P-2\"): `subjects`: is no list"),
            ("}", ",\"subjects\":[{\"name\":\"A\"}]}", "record 2 (\"P-2\"), subjects[0]: `role`: is missing"),
            ("}", ",\"subjects\":[7]}", "record 2 (\"P-2\"), subjects[0]: it is no object"),
            ("}", ",\"cup\":\"C\"}", "record 2 (\"P-2\"): `cup`: stands in it twice"),
            ("\"code\":\"P-1\",", "", "record 2: `code`: is missing"),
        ] {
            let second = good.replacen(from, to, 1).replace("P-1", "P-2");
            let problems = read_json(format!("[{good},{second}]").as_bytes()).unwrap_err().join("; ");
            assert!(problems.contains(says) && !problems.contains("record 1"), "{says}: {problems}");
        }
        let twice = CSV.replacen("expenses_closed", "expenses_closed;CUP", 1);
        assert!(read_csv(twice.as_bytes()).unwrap_err()[0].contains("the column cup stands in it twice"));
        let named = read_csv(CSV.replacen("title", "titolo", 1).as_bytes()).unwrap_err();
        assert_eq!(named, ["line 1: the column title is missing; not known are \"titolo\""]);
    }

    #[test]
    fn each_wrong_delivery_is_refused_whole_with_its_line() {
        for (from, to, says) in [
            ("30/09/2024", "30.09.2024", "line 2: \"30.09.2024\" is no day"),
            (";title", ";name", "line 1: the column title is missing"),
            ("Municipio", "", "\"P-1\": a text is empty"),
        ] {
            let problems = read_csv(CSV.replacen(from, to, 1).as_bytes()).unwrap_err().join("; ");
            assert!(problems.contains(says), "{problems}");
        }
        let twice = format!("{CSV}{}", CSV.lines().nth(1).unwrap());
        assert!(read_csv(twice.as_bytes()).unwrap_err()[0].contains("stands in it twice"));
        assert!(read_json(b"{}").is_err() && read_csv(b"\xff").is_err());
        assert_eq!(read_json(b"[]").unwrap(), Delivered::default());
    }
}
