//! `consuntivo import`: brings files into the store.
//!
//! Must never: take half a file unless told to, or change anything when the same file comes again.

mod ape;
mod filed;
mod structured;

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use config::Catalog;
use connectors::files::{FileError, ImportReport, OnLine, Refused, read_bills, read_temperatures};
use model::{BilledPeriod, Carrier, Finding, Instant, MeanDefinition, MeterId, Project, StationId};
use store::{ImportCount, ImportNote, RecordChange, Store};

use crate::exit::{Exit, Failure};
use crate::figures::{self, PROJECT_RECORD};
use crate::installation::Installation;
use crate::{ImportArgs, ImportWhat, clock, reports};

/// Largest file taken, in bytes.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Refused lines printed before the rest is only counted.
const REFUSED_SHOWN_MAX: usize = 50;

pub(crate) fn import(what: &ImportWhat) -> Result<Exit, Failure> {
    match what {
        ImportWhat::Bills { replace, args } => import_bills(args, replace.as_deref()),
        ImportWhat::LoadCurve { meter, pod, curve, replace, args } => {
            let wanted = filed::Wanted::of(meter.as_ref(), pod.as_deref());
            filed::load_curve(&wanted, curve.as_deref(), replace.as_deref(), args)
        }
        ImportWhat::AreraGas(args) => filed::arera_gas(args),
        ImportWhat::AreraElectricity { replace, args } => filed::arera_electricity(replace.as_deref(), args),
        ImportWhat::Csv { map, replace, args } => filed::mapped(map, replace.as_deref(), args),
        ImportWhat::Ape { file, after, project, building, config } => ape::show(&ape::ApeArgs {
            file,
            after: after.as_deref(),
            project: project.as_deref(),
            building: building.as_ref(),
            config: config.as_deref(),
        }),
        ImportWhat::Temperatures { station, args } => import_temperatures(station, args),
        ImportWhat::Project(args) => import_project(args),
        ImportWhat::Structured { replace, args } => structured::import(args, replace.as_deref()),
    }
}

fn import_bills(args: &ImportArgs, replace: Option<&str>) -> Result<Exit, Failure> {
    let installation = Installation::load(&args.config.config)?;
    let store = installation.open_or_make_store()?;
    let bills =
        BillsFile { file: &args.file, author: &args.author, strictness: Strictness::of(args), replace };
    bills_into(&store, &installation.catalog, &bills, clock::now())?;
    Ok(Exit::OK)
}

fn import_temperatures(station: &StationId, args: &ImportArgs) -> Result<Exit, Failure> {
    let installation = Installation::load(&args.config.config)?;
    let store = installation.open_or_make_store()?;
    let of = Days { station, definition: installation.definition_of_files(station) };
    temperatures_into(&store, of, &args.file, &args.author, clock::now(), Strictness::of(args))?;
    Ok(Exit::OK)
}

fn import_project(args: &ImportArgs) -> Result<Exit, Failure> {
    let installation = Installation::load(&args.config.config)?;
    let store = installation.open_or_make_store()?;
    import_project_into(&store, &installation.catalog, &args.file, &args.author, clock::now())?;
    Ok(Exit::OK)
}

/// Whether a file with refused lines is refused whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Strictness {
    Whole,
    GoodLines,
}

impl Strictness {
    fn of(args: &ImportArgs) -> Self {
        if args.partial { Self::GoodLines } else { Self::Whole }
    }
}

/// A file of bills and how it is taken.
struct BillsFile<'a> {
    file: &'a Path,
    author: &'a str,
    strictness: Strictness,
    /// Why bills of earlier imports may be corrected; they may not without.
    replace: Option<&'a str>,
}

/// Brings a file of bills in, whole or not at all; the demonstration makes its own anew at every start.
pub(crate) fn import_bills_into(
    store: &Store,
    catalog: &Catalog,
    file: &Path,
    author: &str,
    at: Instant,
) -> Result<(), Failure> {
    let replace = Some("the demonstration was made again");
    bills_into(store, catalog, &BillsFile { file, author, strictness: Strictness::Whole, replace }, at)
}

/// Brings a file of daily temperatures in, whole or not at all.
pub(crate) fn import_temperatures_into(
    store: &Store,
    station: &StationId,
    file: &Path,
    author: &str,
    at: Instant,
) -> Result<(), Failure> {
    let of = Days { station, definition: MeanDefinition::AsGiven };
    temperatures_into(store, of, file, author, at, Strictness::Whole)
}

/// Whose days a file holds, and how their means were made.
#[derive(Debug, Clone, Copy)]
struct Days<'a> {
    station: &'a StationId,
    definition: MeanDefinition,
}

fn bills_into(store: &Store, catalog: &Catalog, bills: &BillsFile<'_>, at: Instant) -> Result<(), Failure> {
    let bytes = read_file(bills.file)?;
    let (projects, findings) = figures::projects(store, catalog)?;
    print_findings(&findings);
    let carrier_of = |supply_point: &str| carrier_of(&projects, supply_point);
    let mut report = read_bills(&bytes, &carrier_of).map_err(|error| unusable(bills.file, error))?;
    refuse_unused(&projects, &mut report);
    put_bills(store, bills, &bytes, report, "bills", at)
}

/// Enters what a file says of supply points; `what` names it to the person.
fn put_bills(
    store: &Store,
    bills: &BillsFile<'_>,
    bytes: &[u8],
    mut report: ImportReport<OnLine<BilledPeriod>>,
    what: &str,
    at: Instant,
) -> Result<(), Failure> {
    refuse_standing(store, &mut report, bills.replace.is_some())?;
    judge(bills.file, &report, bills.strictness)?;
    let rows: Vec<BilledPeriod> = report.accepted.into_iter().map(|on| on.value).collect();
    let note = note(bills.file, bytes, bills.author, at);
    let count = match bills.replace {
        None => store.put_bills(&rows, &note)?,
        Some(reason) => store.put_bills_replacing(&rows, &note, reason)?,
    };
    print_count(what, report.read, count);
    Ok(())
}

/// Refuses the bills of supply points of which no meter would use them.
fn refuse_unused(projects: &[Arc<Project>], report: &mut ImportReport<OnLine<BilledPeriod>>) {
    let mut kept = Vec::with_capacity(report.accepted.len());
    for on in std::mem::take(&mut report.accepted) {
        match unused(projects, &on.value.supply_point) {
            None => kept.push(on),
            Some(reason) => {
                let (column, value) = ("supply_point".to_owned(), on.value.supply_point.clone());
                report.refused.push(Refused { line: on.line, column, value, reason });
            }
        }
    }
    report.accepted = kept;
    report.refused.sort_by_key(|r| r.line);
}

/// Why no meter uses the bills of a supply point: several have it, and none of them draws the whole of it.
fn unused(projects: &[Arc<Project>], supply_point: &str) -> Option<String> {
    let mut meters: Vec<(bool, &MeterId)> = Vec::new();
    for project in projects {
        let own = project.meters().map(|(_, m)| m).filter(|m| m.bills_key() == supply_point);
        meters.extend(own.map(|m| (project.uses_bills(m), &m.id)));
    }
    if meters.is_empty() || meters.iter().any(|(uses, _)| *uses) {
        return None;
    }
    let names: Vec<&str> = meters.iter().map(|(_, id)| id.as_str()).collect();
    Some(format!(
        "no meter would use bills of this supply point, which is that of {}: give the meter that they are of a supply \
         point of its own in the project file, or import its energy with `consuntivo import csv`",
        names.join(", ")
    ))
}

/// Refuses the bills that change, or count a second time, what an earlier import said; a correction may change the same
/// period and those wholly within it.
fn refuse_standing(
    store: &Store,
    report: &mut ImportReport<OnLine<BilledPeriod>>,
    corrects: bool,
) -> Result<(), Failure> {
    let mut standing: BTreeMap<String, Vec<BilledPeriod>> = BTreeMap::new();
    let mut kept = Vec::with_capacity(report.accepted.len());
    for on in std::mem::take(&mut report.accepted) {
        let bill = &on.value;
        if !standing.contains_key(&bill.supply_point) {
            standing.insert(bill.supply_point.clone(), store.bills(&bill.supply_point)?);
        }
        let others = standing.get(&bill.supply_point).into_iter().flatten();
        match others.filter_map(|other| clash(bill, other, corrects)).next() {
            None => kept.push(on),
            Some(reason) => {
                let (column, value) = (String::new(), String::new());
                report.refused.push(Refused { line: on.line, column, value, reason });
            }
        }
    }
    report.accepted = kept;
    report.refused.sort_by_key(|r| r.line);
    Ok(())
}

/// Why a bill cannot be entered beside one of an earlier import.
fn clash(bill: &BilledPeriod, other: &BilledPeriod, corrects: bool) -> Option<String> {
    if bill == other || other.to <= bill.from || bill.to <= other.from {
        return None;
    }
    let covers = bill.from <= other.from && other.to <= bill.to;
    if corrects && covers {
        return None;
    }
    let last = other.to.pred_opt().unwrap_or(other.to);
    Some(if (bill.from, bill.to) == (other.from, other.to) {
        format!(
            "an earlier import says another quantity or type for the period from {} to {last}; if this one corrects it, \
             give the reason with --replace",
            bill.from
        )
    } else if covers {
        format!(
            "the period covers the bill from {} to {last} of an earlier import; if it takes its place, give the reason \
             with --replace",
            other.from
        )
    } else {
        format!(
            "the period overlaps the bill from {} to {last} of an earlier import, so energy would count twice; correct \
             the dates",
            other.from
        )
    })
}

fn temperatures_into(
    store: &Store,
    of: Days<'_>,
    file: &Path,
    author: &str,
    at: Instant,
    strictness: Strictness,
) -> Result<(), Failure> {
    let bytes = read_file(file)?;
    let mut report = read_temperatures(&bytes, of.station).map_err(|error| unusable(file, error))?;
    judge(file, &report, strictness)?;
    report.accepted.iter_mut().for_each(|day| day.definition = of.definition);
    let count = store.put_temperatures(&report.accepted, &note(file, &bytes, author, at))?;
    print_count("daily temperatures", report.read, count);
    Ok(())
}

/// What a supply point delivers, as the imported projects say.
fn carrier_of(projects: &[Arc<Project>], supply_point: &str) -> Option<Carrier> {
    projects
        .iter()
        .flat_map(|project| project.meters())
        .find(|(_, meter)| meter.supply_point.as_deref().unwrap_or(meter.id.as_str()) == supply_point)
        .map(|(_, meter)| meter.carrier)
}

fn unusable(file: &Path, error: FileError) -> Failure {
    Failure::new(
        Exit::BAD_INPUT,
        anyhow::Error::new(error).context(format!("{} cannot be imported", file.display())),
    )
}

/// Brings a project file in.
pub(crate) fn import_project_into(
    store: &Store,
    catalog: &Catalog,
    file: &Path,
    author: &str,
    at: Instant,
) -> Result<(), Failure> {
    let text = String::from_utf8(read_file(file)?)
        .map_err(|_| Failure::bad_input(format!("{} is not UTF-8 text; save it as UTF-8", file.display())))?;
    let (project, findings) = config::parse_project(&text, catalog).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(|p| format!("  {}: {p}", file.display())).collect();
        Failure::bad_input(format!("{} cannot be imported:\n{}", file.display(), lines.join("\n")))
    })?;
    print_findings(&findings);
    let (others, _) = figures::projects(store, catalog)?;
    let others =
        others.iter().map(AsRef::as_ref).filter(|other| other.cup == project.cup && other.id != project.id);
    print_findings(&config::project::grant::shared_cups(others.chain([&project])));
    let change = store.put_record(PROJECT_RECORD, project.id.as_str(), &text, author, at)?;
    let says = match change {
        RecordChange::Unchanged => "unchanged",
        RecordChange::Created => "imported",
        RecordChange::Updated => "updated; the former version is kept",
    };
    println!("project {}: {says}", project.id);
    Ok(())
}

/// Reads a whole file within the limit.
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>, Failure> {
    let read = || -> anyhow::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let file = fs::File::open(path).context("check that the file exists and may be read")?;
        file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
        anyhow::ensure!(
            bytes.len() as u64 <= FILE_BYTES_MAX,
            "it is larger than {FILE_BYTES_MAX} bytes; split it"
        );
        Ok(bytes)
    };
    read().map_err(|error| {
        Failure::new(Exit::BAD_INPUT, error.context(format!("cannot read {}", path.display())))
    })
}

fn note(file: &Path, bytes: &[u8], author: &str, at: Instant) -> ImportNote {
    ImportNote {
        source_name: file.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned()),
        source_sha256: reports::sha256(bytes),
        author: author.to_owned(),
        at,
    }
}

/// Prints what was refused and found, and how many rows there were where that is not told with what was entered; an
/// error when anything was refused and only whole files are taken.
fn judge<T>(file: &Path, report: &ImportReport<T>, strictness: Strictness) -> Result<(), Failure> {
    print_findings(&report.findings);
    for refused in report.refused.iter().take(REFUSED_SHOWN_MAX) {
        eprintln!("{}: {refused}", file.display());
    }
    let hidden = report.refused.len().saturating_sub(REFUSED_SHOWN_MAX);
    if 0 < hidden {
        eprintln!("{}: and {hidden} more", file.display());
    }
    let refused = report.refused_rows();
    if report.refused.is_empty() || (strictness == Strictness::GoodLines && !report.accepted.is_empty()) {
        if 0 < refused || report.rows != report.read {
            println!("rows: {} read, {refused} refused", report.rows);
        }
        return Ok(());
    }
    Err(Failure::bad_input(format!(
        "{refused} of {} lines of {} were refused and nothing was imported; mend them, or take the good ones with --partial",
        report.rows,
        file.display()
    )))
}

fn print_findings(findings: &[Finding]) {
    for finding in findings {
        eprintln!("{finding}");
    }
}

fn print_count(what: &str, read: usize, count: ImportCount) {
    let older = match count.older {
        0 => String::new(),
        older => format!(", {older} older than what is there"),
    };
    println!(
        "{what}: {read} read, {} new, {} already there, {} replaced{older}",
        count.new, count.same, count.replaced
    );
}
