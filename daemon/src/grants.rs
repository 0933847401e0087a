//! Closed projects from the grants system: by a watched folder, by the endpoint, by hand. One way; the first version
//! of a project wins, and later changes are put on record without effect.
//!
//! Must never: take a delivery in part, change a project once taken, or lose what was ignored or hide it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use analytics::scheme::Scheme;
use analytics::scheme::calendar::{Entry, calendar_of};
use analytics::scheme::deadline::Known;
use anyhow::Context;
use chrono::NaiveDate;
use config::Catalog;
use config::catalog::LANGUAGES;
use config::project::codes::{is_cup, is_provisional_cup, is_tax_code};
use connectors::files::closed_projects::{
    ClosedProject, DELIVERY_BYTES_MAX, Delivered, UnknownKey, read_csv, read_json,
};
use dashboards::grants::{GrantsForm, GrantsNote, GrantsTaken};
use model::{Event, Events, Finding, Instant, Severity, Zone};
use store::{FirstChange, Store};

use crate::exit::Failure;
use crate::figures::PROJECT_RECORD;
use crate::records;

/// The kind under which closed projects are kept.
const CLOSED_RECORD: &str = "closed_project";
/// Whose days the acts count.
const ZONE: Zone = Zone::Europe__Rome;
/// Later changes that had no effect.
const IGNORED_RECORD: &str = "closed_project_ignored";
/// Files of the folder looked at in one round.
const FILES_MAX: usize = 200;
/// Folders beside the deliveries for those that were looked at.
const DONE: &str = "done";
const REFUSED: &str = "refused";

/// Reads a delivery and judges every code and day in it: the first version of a project stays, so one that cannot be is
/// not taken.
pub(crate) fn read(form: GrantsForm, bytes: &[u8], now: Instant) -> Result<Delivered, Vec<String>> {
    let delivered = match form {
        GrantsForm::Csv => read_csv(bytes)?,
        GrantsForm::Json => read_json(bytes)?,
    };
    let today = now.day(ZONE);
    let mut problems = Vec::new();
    for project in &delivered.projects {
        let code = &project.code;
        let is_plain = |c: char| c.is_alphanumeric() || "-_/. ".contains(c);
        if !code.chars().next().is_some_and(char::is_alphanumeric) || !code.chars().all(is_plain) {
            problems.push(format!("project {code:?}: a code has letters, digits, and - _ / . between them"));
        }
        if today < project.expenses_closed.0 {
            let day = project.expenses_closed;
            problems.push(format!("project {code:?}: it is not closed yet, {day} is still to come"));
        }
        if !is_cup(&project.cup) {
            problems.push(format!("project {code:?}: {:?} is no CUP", project.cup));
        }
        if !is_tax_code(&project.tax_code) {
            problems.push(format!(
                "project {code:?}: the check digit of tax code {:?} is wrong",
                project.tax_code
            ));
        }
        let unknown = |role: &str| !["legal_representative", "data_entry"].contains(&role);
        for subject in &project.subjects {
            if !is_tax_code(&subject.tax_code) {
                problems
                    .push(format!("project {code:?}: the check character of a subject's tax code is wrong"));
            }
            if unknown(&subject.role) {
                problems.push(format!("project {code:?}: {:?} is no role", subject.role));
            }
        }
    }
    if problems.is_empty() { Ok(delivered) } else { Err(problems) }
}

/// What had no effect because nobody here knows the key or column: one finding each.
pub(crate) fn unknown(keys: &[UnknownKey]) -> Vec<Finding> {
    let told = keys.iter().map(|UnknownKey { path, times }| {
        let says = format!(
            "the grants system's delivery has a key or column {path:?} ({times} times) that means nothing here; it had \
             no effect"
        );
        let rule = "an exchange survives a new field, and what had no effect is named";
        let about = format!("grants:{path}");
        let finding = Finding::new("grants.key_unknown", Severity::Note, about, says, rule);
        finding.with("key", path).with("count", times)
    });
    told.collect()
}

/// The same as the sender is told, in every language.
pub(crate) fn notes(catalog: &Catalog, keys: &[UnknownKey]) -> Vec<GrantsNote> {
    let note = |(finding, key): (Finding, &UnknownKey)| {
        let says = LANGUAGES.map(|tag| (tag.to_owned(), catalog.texts(tag).finding(&finding)));
        GrantsNote {
            code: finding.code.to_owned(),
            key: key.path.clone(),
            times: key.times,
            says: says.into_iter().collect(),
        }
    };
    unknown(keys).into_iter().zip(keys).map(note).collect()
}

/// Takes a delivery.
pub(crate) fn take(
    store: &Store,
    projects: &[ClosedProject],
    author: &str,
    at: Instant,
) -> anyhow::Result<GrantsTaken> {
    let mut taken = GrantsTaken::default();
    for project in projects {
        let body = serde_json::to_string(project).context("cannot write a closed project down")?;
        match store.put_first_record(CLOSED_RECORD, &project.code, &body, author, at)? {
            FirstChange::Created => taken.new.push(project.code.clone()),
            FirstChange::Same => taken.same.push(project.code.clone()),
            FirstChange::Differs => {
                // The same change again is the same record.
                let digest = crate::reports::sha256(body.as_bytes()).hex();
                let id = format!("{} {}", project.code, digest.get(..16).unwrap_or_default());
                if store.put_first_record(IGNORED_RECORD, &id, &body, author, at)? == FirstChange::Created {
                    tracing::warn!(
                        project = %project.code,
                        "the grants system delivered a change of a project that was taken before; it has no effect"
                    );
                }
                taken.ignored.push(project.code.clone());
            }
        }
    }
    Ok(taken)
}

/// The one scheme that a call belongs to: by the numbers that its file lists, its id or its title.
pub(crate) fn scheme_of<'c>(catalog: &'c Catalog, call: &str) -> Option<&'c Scheme> {
    let call = call.trim();
    let is_of = |scheme: &Scheme| {
        let numbers = scheme.rules.calls.iter().map(String::as_str);
        numbers.chain([scheme.id.as_str(), &*scheme.title]).any(|name| name.eq_ignore_ascii_case(call))
    };
    let mut found = catalog.schemes().map(|scheme| &**scheme).filter(|scheme| is_of(scheme));
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

/// What the scheme asks of a closed project, as far as what was delivered tells the days.
pub(crate) fn calendar_of_closed(scheme: &Scheme, closed: &ClosedProject, today: NaiveDate) -> Vec<Entry> {
    let events = Events::from([(Event::ExpensesClosed, closed.expenses_closed.0)]);
    calendar_of(scheme, &Known { events: &events, report_years: None, today }, &[])
}

/// As letters to a closed project name it before its file is here; no id of a project file has a colon.
pub(crate) fn delivered_id(cup: &str) -> String {
    format!("grants:{cup}")
}

/// Every closed project, with when it came.
pub(crate) fn all(store: &Store) -> anyhow::Result<Vec<(ClosedProject, Instant)>> {
    Ok(records::all(store, CLOSED_RECORD)?
        .into_iter()
        .map(|(project, record)| (project, record.at))
        .collect())
}

/// Every change that had no effect, with when it came first.
pub(crate) fn ignored(store: &Store) -> anyhow::Result<Vec<(ClosedProject, Instant)>> {
    Ok(records::all(store, IGNORED_RECORD)?
        .into_iter()
        .map(|(project, record)| (project, record.at))
        .collect())
}

/// Closed projects that none of these CUP takes up: neither the one delivered first, nor one delivered later under the same
/// code, as where the final CUP came after a provisional one.
pub(crate) fn unregistered(store: &Store, cups: &BTreeSet<&str>) -> anyhow::Result<Vec<ClosedProject>> {
    let later = ignored(store)?;
    let is_here = |closed: &ClosedProject| cups.contains(closed.cup.as_str());
    let taken_up: BTreeSet<&str> =
        later.iter().filter(|(of, _)| is_here(of)).map(|(of, _)| of.code.as_str()).collect();
    let first = all(store)?.into_iter().map(|(closed, _)| closed);
    Ok(first.filter(|closed| !is_here(closed) && !taken_up.contains(closed.code.as_str())).collect())
}

/// The CUP of every project file here, also of those that this catalogue cannot read.
pub(crate) fn registered_cups(store: &Store) -> anyhow::Result<BTreeSet<String>> {
    let cup = |text: &str| -> Option<String> {
        let table: toml::Table = text.parse().ok()?;
        Some(table.get("project")?.get("cup")?.as_str()?.to_owned())
    };
    Ok(store.records(PROJECT_RECORD)?.iter().filter_map(|record| cup(&record.body)).collect())
}

/// The CUP under which a project was delivered first, beside each one that was delivered of it.
pub(crate) fn first_cups(store: &Store) -> anyhow::Result<Vec<(String, String)>> {
    let (first, later) = (all(store)?, ignored(store)?);
    let mut pairs = Vec::new();
    for (closed, _) in &first {
        pairs.push((closed.cup.clone(), closed.cup.clone()));
        let own = later.iter().filter(|(of, _)| of.code == closed.code && of.cup != closed.cup);
        pairs.extend(own.map(|(of, _)| (of.cup.clone(), closed.cup.clone())));
    }
    Ok(pairs)
}

/// What is not wrong with closed projects and yet worth a look.
pub(crate) fn remarks(projects: &[ClosedProject]) -> Vec<Finding> {
    let provisional = projects.iter().filter(|closed| is_provisional_cup(&closed.cup));
    let told = provisional.map(|closed| {
        let says =
            format!("CUP {} is provisional; put the final one in its place once it is given", closed.cup);
        let rule = "a report is filed under the project's final CUP";
        let about = format!("project:{}", delivered_id(&closed.cup));
        Finding::new("project.cup.provisional", Severity::Caution, about, says, rule).with("cup", &closed.cup)
    });
    told.chain(shared(projects)).collect()
}

/// A CUP is one project's: two under one are an error of the list, or parts of one project.
fn shared(projects: &[ClosedProject]) -> impl Iterator<Item = Finding> {
    let mut by_cup: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for closed in projects {
        by_cup.entry(&closed.cup).or_default().insert(&closed.code);
    }
    by_cup.into_iter().filter(|(_, codes)| 1 < codes.len()).map(|(cup, codes)| {
        let codes = codes.into_iter().collect::<Vec<_>>().join(", ");
        let says = format!("CUP {cup} was delivered for several projects: {codes}");
        let rule = "a CUP identifies one project";
        let about = format!("project:{}", delivered_id(cup));
        Finding::new("project.cup.shared", Severity::Caution, about, says, rule)
            .with("cup", cup)
            .with("projects", codes)
    })
}

/// [`remarks`] on those that no project file takes up yet.
pub(crate) fn remarks_on_unregistered(store: &Store) -> anyhow::Result<Vec<Finding>> {
    let cups = registered_cups(store)?;
    Ok(remarks(&unregistered(store, &cups.iter().map(String::as_str).collect())?))
}

/// By which ending a delivery says its form.
pub(crate) fn form_of(path: &Path) -> Option<GrantsForm> {
    match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "csv" => Some(GrantsForm::Csv),
        "json" => Some(GrantsForm::Json),
        _ => None,
    }
}

/// One file by hand, with what is worth a look.
pub(crate) fn import(
    store: &Store,
    path: &Path,
    author: &str,
    at: Instant,
) -> Result<(GrantsTaken, Vec<Finding>), Failure> {
    let form = form_of(path).ok_or_else(|| {
        Failure::bad_input(format!("{} ends neither in .csv nor in .json; rename it", path.display()))
    })?;
    let bytes = crate::commands::import::read_file(path)?;
    let delivered = read(form, &bytes, at).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(|p| format!("  {p}")).collect();
        Failure::bad_input(format!("{} cannot be taken:\n{}", path.display(), lines.join("\n")))
    })?;
    let mut findings = remarks(&delivered.projects);
    findings.extend(unknown(&delivered.unknown));
    Ok((take(store, &delivered.projects, author, at)?, findings))
}

/// What a round through the folder came to.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Looked {
    /// Each with the reasons.
    pub(crate) refused: Vec<(PathBuf, Vec<String>)>,
    /// What had no effect in deliveries that were taken.
    pub(crate) notes: Vec<Finding>,
}

/// A round through the folder: each delivery is taken whole and moved to `done`, or moved to `refused`; beside it stands
/// what had no effect, or the reasons. Files that still grow (another size than in `seen`) wait for the next round.
pub(crate) fn watch(
    store: &Store,
    folder: &Path,
    seen: &mut BTreeMap<PathBuf, u64>,
    at: Instant,
) -> anyhow::Result<Looked> {
    let entries = fs::read_dir(folder).with_context(|| {
        format!("cannot read the folder {}; create it or correct [grants]", folder.display())
    })?;
    let mut paths: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
        .map(|entry| entry.path())
        .filter(|path| form_of(path).is_some() && !is_hidden(path))
        .take(FILES_MAX)
        .collect();
    paths.sort();
    seen.retain(|path, _| paths.contains(path));
    let mut looked = Looked::default();
    for path in paths {
        let length = fs::metadata(&path).map_or(0, |m| m.len());
        if seen.insert(path.clone(), length) != Some(length) {
            continue;
        }
        let Some(form) = form_of(&path) else { continue };
        let read = read_delivery(&path, length).and_then(|bytes| read(form, &bytes, at));
        let (to, lines) = match &read {
            Ok(delivered) => {
                take(store, &delivered.projects, "grants-folder", at)?;
                let notes = unknown(&delivered.unknown);
                let lines = notes.iter().map(|note| format!("{}: {}", note.code, note.says)).collect();
                looked.notes.extend(notes);
                (DONE, lines)
            }
            Err(problems) => (REFUSED, problems.clone()),
        };
        set_aside(folder, &path, (to, &lines), at)?;
        seen.remove(&path);
        if let Err(problems) = read {
            looked.refused.push((path, problems));
        }
    }
    Ok(looked)
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

fn read_delivery(path: &Path, length: u64) -> Result<Vec<u8>, Vec<String>> {
    if DELIVERY_BYTES_MAX as u64 <= length {
        return Err(vec![format!("it has {length} bytes, at most {DELIVERY_BYTES_MAX} are taken")]);
    }
    fs::read(path).map_err(|error| vec![format!("it cannot be read: {error}")])
}

/// Moves a delivery away, with what is said of it beside it. A name that is taken gets the time before it.
fn set_aside(folder: &Path, path: &Path, (to, lines): (&str, &[String]), at: Instant) -> anyhow::Result<()> {
    let to = folder.join(to);
    fs::create_dir_all(&to).with_context(|| format!("cannot create {}", to.display()))?;
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let target = to.join(format!("{}-{name}", at.millis()));
    fs::rename(path, &target).with_context(|| {
        format!("cannot move {} to {}; its folder must be writable", path.display(), to.display())
    })?;
    if !lines.is_empty() {
        let text = lines.join("\n") + "\n";
        let beside = to.join(format!("{}-{name}.txt", at.millis()));
        fs::write(&beside, text).with_context(|| format!("cannot write {}", beside.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use store::StoreOptions;

    use super::*;

    /// 14 November 2025.
    const NOW: Instant = Instant::from_seconds(1_763_078_400);
    const CSV: &str = "code;cup;title;beneficiary;tax_code;call;expenses_closed\n\
                       P-1;C11G06000000001;Municipio;Comune di Esempio;12345678903;II.2i.1;30/09/2024\n";

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
        (dir, store)
    }

    fn taken(store: &Store, csv: &str) -> GrantsTaken {
        take(store, &read(GrantsForm::Csv, csv.as_bytes(), NOW).unwrap().projects, "t", NOW).unwrap()
    }

    #[test]
    fn the_first_version_wins_and_every_later_one_is_on_record() {
        let (_dir, store) = store();
        assert_eq!(taken(&store, CSV).new, ["P-1"]);
        assert_eq!(taken(&store, CSV).same, ["P-1"]);
        let later = CSV.replace("Municipio", "Scuola");
        assert_eq!(taken(&store, &later).ignored, ["P-1"]);
        assert_eq!(taken(&store, &later).ignored, ["P-1"]);
        let (kept, changes) = (all(&store).unwrap(), ignored(&store).unwrap());
        assert_eq!((kept.len(), kept[0].0.title.as_str()), (1, "Municipio"));
        assert_eq!((changes.len(), changes[0].0.title.as_str()), (1, "Scuola"));
        store.verify_audit().unwrap();
    }

    #[test]
    fn wrong_codes_refuse_the_whole_delivery() {
        let two = format!("{CSV}P-2;X;Scuola;Comune;12345678901;II.2i.1;2024-09-30\n");
        let problems = read(GrantsForm::Csv, two.as_bytes(), NOW).unwrap_err();
        assert_eq!(problems.len(), 2, "{problems:?}");
    }

    #[test]
    fn a_first_version_that_cannot_be_is_refused_and_a_cup_of_two_projects_told() {
        let refused = |csv: &str| read(GrantsForm::Csv, csv.as_bytes(), NOW).unwrap_err();
        let later = refused(&CSV.replace("30/09/2024", "31/12/2031"));
        assert!(later[0].contains("2031-12-31 is still to come"), "{later:?}");
        assert!(refused(&CSV.replace("P-1", "=cmd()"))[0].contains("\"=cmd()\": a code has letters"));
        let (_dir, store) = store();
        let second = CSV.lines().nth(1).unwrap().replace("P-1", "P-2");
        assert_eq!(taken(&store, &format!("{CSV}{second}\n")).new, ["P-1", "P-2"]);
        let told = remarks_on_unregistered(&store).unwrap();
        assert_eq!((told.len(), told[0].code), (1, "project.cup.shared"));
        assert!(told[0].says.contains("P-1, P-2"), "{}", told[0].says);
    }

    #[test]
    fn a_provisional_cup_is_taken_and_told_until_the_final_one_is_registered() {
        let (_dir, store) = store();
        let csv = CSV.replace("C11G06000000001", "PROV0000012345");
        assert_eq!(taken(&store, &csv).new, ["P-1"]);
        let told = remarks_on_unregistered(&store).unwrap();
        assert_eq!((told.len(), told[0].code), (1, "project.cup.provisional"));
        // The final one came later, and a project file has it.
        taken(&store, CSV);
        let cups = BTreeSet::from(["C11G06000000001"]);
        assert!(unregistered(&store, &cups).unwrap().is_empty());
        assert_eq!(unregistered(&store, &BTreeSet::new()).unwrap().len(), 1);
        let file = "[project]\ncup = \"C11G06000000001\"\n";
        store.put_record(PROJECT_RECORD, "p", file, "t", Instant::from_seconds(9)).unwrap();
        assert!(remarks_on_unregistered(&store).unwrap().is_empty());
    }

    #[test]
    fn a_folder_is_looked_through_and_files_that_grow_wait() {
        let (_dir, store) = store();
        let folder = tempfile::tempdir().unwrap();
        let mut seen = BTreeMap::new();
        let mut look = |n: i64| watch(&store, folder.path(), &mut seen, NOW.plus_seconds(n)).unwrap();
        let mut round = |n: i64| look(n).refused;
        fs::write(folder.path().join("a.csv"), &CSV[..40]).unwrap();
        assert_eq!(round(1), []);
        // It has grown since: another round.
        fs::write(folder.path().join("a.csv"), CSV).unwrap();
        assert_eq!(round(2), []);
        assert_eq!(all(&store).unwrap().len(), 0);
        fs::write(folder.path().join("b.json"), "[{}]").unwrap();
        fs::write(folder.path().join("note.txt"), "not ours").unwrap();
        assert_eq!(round(3), []);
        assert_eq!(all(&store).unwrap().len(), 1);
        let refused = round(4);
        assert_eq!(refused.len(), 1);
        assert!(
            folder.path().join("done/1763078403000-a.csv").is_file()
                && folder.path().join("note.txt").is_file()
        );
        let why = fs::read_to_string(folder.path().join("refused/1763078404000-b.json.txt")).unwrap();
        assert!(why.contains("record 1: `cup`: is missing"), "{why}");
    }

    #[test]
    fn a_new_field_of_the_other_system_stops_nothing_and_is_told() {
        let (_dir, store) = store();
        let folder = tempfile::tempdir().unwrap();
        let wide = CSV.replace("expenses_closed", "expenses_closed;budget").replace("2024\n", "2024;7\n");
        fs::write(folder.path().join("a.csv"), wide).unwrap();
        let mut seen = BTreeMap::new();
        let mut look = |n: i64| watch(&store, folder.path(), &mut seen, NOW.plus_seconds(n)).unwrap();
        assert_eq!(look(1), Looked::default());
        let looked = look(2);
        assert_eq!((looked.refused.len(), looked.notes.len()), (0, 1));
        let note = &looked.notes[0];
        assert_eq!(
            (note.code, note.severity, &*note.subject),
            ("grants.key_unknown", Severity::Note, "grants:budget")
        );
        let beside = fs::read_to_string(folder.path().join("done/1763078402000-a.csv.txt")).unwrap();
        assert!(
            beside.starts_with("grants.key_unknown: ") && beside.contains("\"budget\" (1 times)"),
            "{beside}"
        );
        // What is kept of it is the project alone: the same without the field is the same project.
        assert_eq!(taken(&store, CSV).same, ["P-1"]);
        let key = UnknownKey { path: "subjects[].phone".to_owned(), times: 2 };
        let catalog = Catalog::embedded().unwrap();
        let told = notes(&catalog, &[key]).remove(0);
        assert!(
            told.says["it"].contains("subjects[].phone") && told.says["it"].contains("non ha avuto effetto")
        );
        assert!(told.says["en"].contains("subjects[].phone") && told.says["en"].contains("no effect"));
    }
}
