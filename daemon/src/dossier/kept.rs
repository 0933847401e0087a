//! What the store keeps of a project beside its papers: records with every version, its own lines of the audit log,
//! bills, daily temperatures, letters.
//!
//! Must never: take in an account, a secret or another project's record, or pass over a kind because it is not known here.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use model::{BilledPeriod, DailyTemperature, Instant, Project, StationId};
use serde_json::Value;
use store::{Record, Store};

use super::values::thousandths;
use super::{Bundle, when};
use crate::desk::contacts;
use crate::installation::Installation;
use crate::memos::{self, MemoState};
use crate::{figures, grants, reports};

/// Kinds that are about accounts, whose names may be those of projects.
const NEVER: [&str; 5] = ["account", "session", "token", "link", "region_view"];
/// The kind of people's notes on alarms, whose ids are the alarms'.
const ALARM_NOTE: &str = "alarm_note";
/// Longest kind that becomes the name of a file as it is, in bytes.
const NAME_MAX: usize = 64;

/// Adds all of it.
pub(super) fn add(
    store: &Store,
    installation: &Installation,
    project: &Project,
    bundle: &mut Bundle,
    now: Instant,
) -> anyhow::Result<()> {
    let own = Own::of(store, project)?;
    let named = add_records(store, &own, bundle)?;
    add_letters(store, &own, bundle)?;
    add_contacts(store, project, bundle)?;
    let mut imports = add_bills(store, project, bundle)?;
    imports.extend(add_temperatures(store, installation, project, bundle, now)?);
    for (_, meter) in project.meters() {
        imports.extend(store.filed_imports(&meter.id)?);
    }
    add_changes(store, (&named, &imports), bundle)
}

/// By what a record is told to be about the project.
struct Own<'a> {
    project: &'a Project,
    /// Its CUP, and those under which the grants system delivered it before.
    cups: BTreeSet<String>,
    meters: BTreeSet<&'a str>,
    /// Ids of the alarms about its meters and buildings.
    alarms: BTreeSet<String>,
}

impl<'a> Own<'a> {
    fn of(store: &Store, project: &'a Project) -> anyhow::Result<Self> {
        let meters: BTreeSet<&str> = project.meters().map(|(_, meter)| meter.id.as_str()).collect();
        let building = format!("building:{}/", project.id);
        let is_own = |subject: &str| {
            let is_meter = |word: &str| word.strip_prefix("meter:").is_some_and(|id| meters.contains(id));
            subject.split_whitespace().any(|word| is_meter(word) || word.starts_with(&building))
        };
        let alarms = store.alarms(u32::MAX)?.into_iter().filter(|alarm| is_own(&alarm.subject));
        let alarms = alarms.map(|alarm| alarm.id.to_string()).collect();
        let former = grants::first_cups(store)?.into_iter().filter(|(cup, _)| *cup == project.cup);
        let mut cups: BTreeSet<String> = former.map(|(_, first)| first).collect();
        cups.insert(project.cup.clone());
        Ok(Self { project, cups, meters, alarms })
    }

    fn is(&self, project: &str) -> bool {
        // Letters that went out before its file was here name it by its CUP.
        project == self.project.id.as_str()
            || self.cups.iter().any(|cup| grants::delivered_id(cup) == project)
    }

    /// Whether a record is about the project: as its body says, else by its id.
    fn is_about(&self, record: &Record) -> bool {
        if record.kind == ALARM_NOTE {
            return self.alarms.contains(&record.id);
        }
        if let Ok(Value::Object(body)) = serde_json::from_str(&record.body) {
            let text = |key: &str| body.get(key).and_then(Value::as_str);
            if let Some(project) = text("project") {
                return self.is(project);
            }
            if let Some(meter) = text("meter") {
                return self.meters.contains(meter);
            }
            if let Some(Value::Array(cases)) = body.get("cases") {
                return cases.iter().any(|case| self.is_of(case));
            }
            if let Some(cup) = text("cup") {
                return self.cups.contains(cup);
            }
        }
        let rest = record.id.strip_prefix(self.project.id.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '/']))
    }

    fn is_of(&self, case: &Value) -> bool {
        case.get("project").and_then(Value::as_str).is_some_and(|project| self.is(project))
    }

    /// A version as a line of JSON. A body stands as it is in the store, so that no digit of it changes; of an order about
    /// many projects only the cases of this one.
    fn written(&self, record: &Record) -> anyhow::Result<String> {
        let text = |text: &str| serde_json::to_string(text);
        let body = match serde_json::from_str::<Value>(&record.body) {
            Ok(Value::Object(mut body)) if body.contains_key("cases") => {
                if let Some(Value::Array(cases)) = body.get_mut("cases") {
                    cases.retain(|case| self.is_of(case));
                }
                Value::Object(body).to_string()
            }
            Ok(_) => record.body.clone(),
            Err(_) => text(&record.body)?,
        };
        Ok(format!(
            "{{\"id\":{},\"version\":{},\"author\":{},\"at\":\"{}\",\"body\":{body}}}",
            text(&record.id)?,
            record.version,
            text(&record.author)?,
            record.at
        ))
    }
}

/// Every version of every record of the project, a file for each kind; kind and id of what was written.
fn add_records(
    store: &Store,
    own: &Own<'_>,
    bundle: &mut Bundle,
) -> anyhow::Result<BTreeSet<(String, String)>> {
    let mut named = BTreeSet::new();
    for kind in store.record_kinds()? {
        if NEVER.contains(&kind.as_str()) {
            continue;
        }
        let all = store.record_versions_under(&kind, "")?;
        let records = all.chunk_by(|a, b| a.id == b.id);
        let mine = records.filter(|versions| versions.iter().any(|version| own.is_about(version)));
        let mine: Vec<&Record> = mine.flatten().collect();
        if mine.is_empty() {
            continue;
        }
        let lines: Vec<String> =
            mine.iter().map(|record| own.written(record)).collect::<anyhow::Result<_>>()?;
        named.extend(mine.iter().map(|record| (record.kind.clone(), record.id.clone())));
        let text = format!("[\n{}\n]\n", lines.join(",\n"));
        let says = format!("{}, versioni con autore e istante: {}", in_words(&kind), mine.len());
        bundle.add(format!("registrazioni/{}.json", file_stem(&kind)), text.into_bytes(), says)?;
    }
    Ok(named)
}

/// A kind as the name of a file; one that is no plain name by its hash.
fn file_stem(kind: &str) -> String {
    let plain =
        kind.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-'));
    if plain && kind.len() <= NAME_MAX {
        return kind.to_owned();
    }
    let hash = reports::sha256(kind.as_bytes()).hex();
    format!("altro.{}", hash.get(..16).unwrap_or_default())
}

/// A kind in words; one that is not known here as it is.
fn in_words(kind: &str) -> &str {
    match kind {
        "project" => "file di progetto",
        "report_comment" => "commenti alle relazioni",
        "adjustment" => "rettifiche del riferimento",
        "kpi_value" => "valori degli indicatori indicati da una persona",
        "baseline" => "riferimenti accettati",
        "meter_act" => "decisioni sui contatori",
        "reported_months" => "mesi comunicati da un’altra installazione",
        "obligation_done" => "adempimenti assolti altrove",
        "document" => "documenti",
        "note" => "note",
        ALARM_NOTE => "note sugli allarmi",
        "submission" => "invii",
        "submission_send" => "consegne degli invii alla PEC",
        "contacts" => "recapiti",
        "memo" => "promemoria",
        "memo_order" => "promemoria ordinati da una persona",
        "closed_project" => "consegna del gestionale finanziamenti",
        "closed_project_ignored" => "consegne successive del gestionale, senza effetto",
        other => other,
    }
}

/// Whom to reach, in a form to read: the beneficiary, the subjects of the project file, the contacts that were stated last.
fn add_contacts(store: &Store, project: &Project, bundle: &mut Bundle) -> anyhow::Result<()> {
    let of = &project.beneficiary;
    let mut text = format!("beneficiario\t{}\t{}\n", of.name, of.tax_code);
    if !of.legal_representative.trim().is_empty() {
        writeln!(text, "legale rappresentante\t{}", of.legal_representative)?;
    }
    for subject in &project.grant.subjects {
        let state = if subject.enabled { "attivo" } else { "disattivato" };
        let (email, register) = (subject.email.as_deref(), subject.register.as_deref());
        let cells = [&*subject.name, &*subject.tax_code, subject.role.code(), state];
        let more = [email.unwrap_or("-"), register.unwrap_or("-")];
        writeln!(text, "soggetto\t{}\t{}", cells.join("\t"), more.join("\t"))?;
    }
    let stated = contacts::of(store, &project.id)?;
    for (what, value) in
        [("persona", stated.person), ("posta", stated.email), ("pec", stated.pec), ("telefono", stated.phone)]
    {
        if !value.is_empty() {
            writeln!(text, "recapito\t{what}\t{value}")?;
        }
    }
    bundle.add("recapiti.txt".to_owned(), text.into_bytes(), "beneficiario, soggetti e recapiti")
}

/// The letters in a form to read: day, what for, state, to whom, when, what a person added.
fn add_letters(store: &Store, own: &Own<'_>, bundle: &mut Bundle) -> anyhow::Result<()> {
    let mut text = String::new();
    for (memo, at) in memos::all(store)?.into_iter().filter(|(memo, _)| own.is(&memo.project)) {
        let state = match memo.state {
            MemoState::Sending => "in consegna",
            MemoState::Sent => "inviato",
            MemoState::NotSent => "non inviato",
            MemoState::Uncertain => "esito incerto",
        };
        let year = memo.year.map(|year| format!(" {year}")).unwrap_or_default();
        let (to, at) = (memo.to.join(", "), when(at, own.project));
        let words = memo.words.replace(['\r', '\n', '\t'], " ");
        writeln!(text, "{}\t{}{year}\t{state}\t{to}\t{at}\t{words}", memo.day, memo.obligation)?;
    }
    if !text.is_empty() {
        bundle.add("promemoria.txt".to_owned(), text.into_bytes(), "promemoria, dal più recente")?;
    }
    Ok(())
}

/// The bills of the project's supply points; the audit entries of the imports that brought them.
fn add_bills(store: &Store, project: &Project, bundle: &mut Bundle) -> anyhow::Result<BTreeSet<i64>> {
    let points: BTreeSet<&str> =
        project.meters().map(|(_, m)| m.supply_point.as_deref().unwrap_or(m.id.as_str())).collect();
    let (mut standing, mut replaced, mut imports) = (Vec::new(), Vec::new(), BTreeSet::new());
    for point in points {
        standing.extend(store.bills(point)?);
        replaced.extend(store.bills_replaced(point)?);
        imports.extend(store.bill_imports(point)?);
    }
    for (name, bills, says) in [
        ("bollette.csv", standing, "bollette importate"),
        ("bollette-sostituite.csv", replaced, "bollette che una importazione successiva ha sostituito"),
    ] {
        if bills.is_empty() {
            continue;
        }
        let mut text = "punto;dal;al_escluso;consumo;um;tipo\n".to_owned();
        bills.iter().try_for_each(|bill| bill_line(&mut text, bill))?;
        bundle.add(name.to_owned(), text.into_bytes(), format!("{says}: {}", bills.len()))?;
    }
    Ok(imports)
}

fn bill_line(text: &mut String, bill: &BilledPeriod) -> std::fmt::Result {
    writeln!(
        text,
        "{};{};{};{};{};{}",
        cell(&bill.supply_point),
        bill.from,
        bill.to,
        // In whole thousandths, as it is kept.
        thousandths(bill.amount),
        bill.unit.display().symbol(),
        bill.quality.code()
    )
}

/// The daily temperatures of the project's station, and of the one that fills its gaps, from the baseline period on; the
/// audit entries of the imports that brought them.
fn add_temperatures(
    store: &Store,
    installation: &Installation,
    project: &Project,
    bundle: &mut Bundle,
    now: Instant,
) -> anyhow::Result<BTreeSet<i64>> {
    let from = project.dates.baseline_from;
    let today = now.day(project.zone);
    let until = today.succ_opt().unwrap_or(today);
    let mut stations: BTreeSet<&StationId> = BTreeSet::new();
    stations.insert(&project.station);
    stations.extend(figures::fill_from(installation, project));
    let mut imports = BTreeSet::new();
    for station in stations {
        imports.extend(store.temperature_imports(station)?);
        let mut replaced = store.temperatures_replaced(station)?;
        replaced.retain(|day| from <= day.date);
        let standing = store.temperatures(station, from, until)?;
        for (name, days, says) in [
            (format!("temperature/{station}.csv"), standing, "temperature medie giornaliere"),
            (format!("temperature/{station}.sostituite.csv"), replaced, "temperature sostituite"),
        ] {
            if days.is_empty() {
                continue;
            }
            let mut text = "stazione;giorno;media_c;definizione;provenienza\n".to_owned();
            days.iter().try_for_each(|day| temperature_line(&mut text, day))?;
            bundle.add(name, text.into_bytes(), format!("{says}: {}", days.len()))?;
        }
    }
    Ok(imports)
}

fn temperature_line(text: &mut String, day: &DailyTemperature) -> std::fmt::Result {
    let mean = day.mean_c.to_string().replace('.', ",");
    writeln!(text, "{};{};{mean};{};{}", day.station, day.date, day.definition.code(), day.source.code())
}

/// The lines of the audit log about these records and imports, oldest first, with their numbers and hashes.
fn add_changes(
    store: &Store,
    (records, imports): (&BTreeSet<(String, String)>, &BTreeSet<i64>),
    bundle: &mut Bundle,
) -> anyhow::Result<()> {
    let mut entries = store.audit(u32::MAX)?;
    entries.retain(|e| imports.contains(&e.seq) || records.contains(&(e.kind.clone(), e.subject.clone())));
    let mut text = "numero;istante;autore;azione;tipo;oggetto;sha256_contenuto;hash\n".to_owned();
    for entry in entries.iter().rev() {
        let (seq, at) = (entry.seq, entry.at);
        let words = [&entry.author, &entry.action, &entry.kind, &entry.subject].map(|text| cell(text));
        let (content, hash) = (entry.content.hex(), entry.hash.hex());
        writeln!(text, "{seq};{at};{};{content};{hash}", words.join(";"))?;
    }
    let says = format!("righe del registro delle modifiche che riguardano il progetto: {}", entries.len());
    bundle.add("registro-modifiche.csv".to_owned(), text.into_bytes(), says)
}

/// A cell of a CSV file with semicolons.
fn cell(text: &str) -> String {
    if text.contains([';', '"', '\n', '\r']) {
        return format!("\"{}\"", text.replace('"', "\"\""));
    }
    text.to_owned()
}
