//! Import of a structured file: the months that another installation measured, with their bounds and gaps, and the bills
//! that it had.
//!
//! Must never: make a month surer than the file says it is, or take a month of a meter that no project has.

use std::collections::BTreeMap;
use std::sync::Arc;

use analytics::report::structured::MonthRow;
use analytics::result::MonthSource;
use connectors::files::{ImportReport, OnLine, Refused};
use dashboards::structured::{ReadFile, read};
use model::{BillQuality, BilledPeriod, Direction, MeterFacts, MeterId, MeterRole, Project};
use store::{ImportCount, Store};

use super::{BillsFile, Strictness, judge, note, print_count, print_findings, read_file, refuse_standing};
use crate::exit::{Exit, Failure};
use crate::installation::Installation;
use crate::reported::{self, Reported};
use crate::{ImportArgs, clock, figures};

/// A row that a project has a place for.
#[derive(Debug, Clone)]
struct Placed {
    facts: MeterFacts,
    month: Reported,
}

pub(super) fn import(args: &ImportArgs, replace: Option<&str>) -> Result<Exit, Failure> {
    let installation = Installation::load(&args.config.config)?;
    let store = installation.open_or_make_store()?;
    let bytes = read_file(&args.file)?;
    let file = read(&bytes).map_err(|error| {
        Failure::bad_input(format!("{} cannot be imported: {error}", args.file.display()))
    })?;
    let (projects, findings) = figures::projects(&store, &installation.catalog)?;
    print_findings(&findings);
    let (mut bills, mut months) = rows(&file, &projects);
    let of = BillsFile { file: &args.file, author: &args.author, strictness: Strictness::of(args), replace };
    refuse_standing(&store, &mut bills, replace.is_some())?;
    refuse_reported(&store, &mut months, replace.is_some())?;
    months.refused.append(&mut bills.refused);
    months.refused.sort_by_key(|r| r.line);
    judge(of.file, &months, of.strictness)?;
    let at = clock::now();
    let read = months.accepted.len() + bills.accepted.len();
    let mut count = put_months(&store, &of, &months, at)?;
    let rows: Vec<BilledPeriod> = bills.accepted.into_iter().map(|on| on.value).collect();
    if !rows.is_empty() {
        let note = note(of.file, &bytes, of.author, at);
        let billed = match replace {
            None => store.put_bills(&rows, &note)?,
            Some(reason) => store.put_bills_replacing(&rows, &note, reason)?,
        };
        count.new += billed.new;
        count.same += billed.same;
        count.replaced += billed.replaced;
    }
    print_count("months", read, count);
    Ok(Exit::OK)
}

/// The rows as bills where the file has them from bills, and as reported months. A row without a measurement says
/// nothing.
fn rows(
    file: &ReadFile,
    projects: &[Arc<Project>],
) -> (ImportReport<OnLine<BilledPeriod>>, ImportReport<OnLine<Placed>>) {
    let (mut bills, mut months) = (empty(0), empty(file.rows.len()));
    for (line, row) in (1..).zip(&file.rows) {
        let Some(month) = Reported::of(row) else { continue };
        let refuse = |column: &str, value: &str, reason: &str| Refused {
            line,
            column: column.to_owned(),
            value: value.to_owned(),
            reason: reason.to_owned(),
        };
        let point = row.supply_point.as_deref().unwrap_or(row.meter.as_str());
        match known(projects, row, point) {
            None => months.refused.push(refuse(
                "contatore",
                row.meter.as_str(),
                "no imported project has this meter and supply point; import its project first",
            )),
            Some(facts) if facts.carrier != row.carrier || facts.direction != row.direction => {
                months.refused.push(refuse(
                    "vettore",
                    row.carrier.code(),
                    "the project's meter has another carrier or direction",
                ))
            }
            Some(facts) => match bill(row, facts, point) {
                Some(value) => bills.accepted.push(OnLine { line, value }),
                None => {
                    let value = Placed { facts: facts.clone(), month };
                    months.accepted.push(OnLine { line, value });
                }
            },
        }
    }
    (bills, months)
}

fn empty<T>(rows: usize) -> ImportReport<T> {
    let (accepted, refused, findings) = (Vec::new(), Vec::new(), Vec::new());
    ImportReport { rows, read: rows, accepted, repeated: 0, refused, findings }
}

fn known<'a>(projects: &'a [Arc<Project>], row: &MonthRow, point: &str) -> Option<&'a MeterFacts> {
    projects.iter().flat_map(|project| project.meters()).map(|(_, facts)| facts).find(|facts| {
        facts.id == row.meter && facts.supply_point.as_deref().unwrap_or(facts.id.as_str()) == point
    })
}

/// A month that was billed by itself, read at both ends.
fn bill(row: &MonthRow, facts: &MeterFacts, point: &str) -> Option<BilledPeriod> {
    let measured = row.measured?;
    let exact = row.measured_low == Some(measured) && row.measured_high == Some(measured);
    let supplied = facts.direction == Direction::Import && facts.role != MeterRole::Sub;
    (row.source == MonthSource::Bills && exact && supplied).then(|| BilledPeriod {
        supply_point: point.to_owned(),
        from: row.month.first_day(),
        to: row.month.end_day(),
        #[expect(clippy::cast_possible_truncation, reason = "the file holds thousandths; a cast saturates")]
        amount: (measured * 1000.0).round() as i64,
        unit: facts.carrier.base_unit(),
        quality: BillQuality::Read,
    })
}

/// Refuses the months that change what an earlier file reported, unless this one corrects it.
fn refuse_reported(
    store: &Store,
    report: &mut ImportReport<OnLine<Placed>>,
    corrects: bool,
) -> Result<(), Failure> {
    let mut kept = Vec::with_capacity(report.accepted.len());
    for on in std::mem::take(&mut report.accepted) {
        if !corrects && reported::clashes(store, &on.value.facts, &on.value.month)? {
            let reason = "an earlier file reports other figures for this month; if this one corrects it, give the reason with \
                 --replace";
            let (column, value) = (String::new(), on.value.facts.id.to_string());
            report.refused.push(Refused { line: on.line, column, value, reason: reason.to_owned() });
        } else {
            kept.push(on);
        }
    }
    report.accepted = kept;
    Ok(())
}

fn put_months(
    store: &Store,
    of: &BillsFile<'_>,
    months: &ImportReport<OnLine<Placed>>,
    at: model::Instant,
) -> Result<ImportCount, Failure> {
    let mut by_meter: BTreeMap<&MeterId, (&MeterFacts, Vec<Reported>)> = BTreeMap::new();
    for Placed { facts, month } in months.accepted.iter().map(|on| &on.value) {
        by_meter.entry(&facts.id).or_insert_with(|| (facts, Vec::new())).1.push(*month);
    }
    let mut sum = ImportCount::default();
    for (facts, of_meter) in by_meter.into_values() {
        let said = (of.author, of.replace.unwrap_or_default());
        let count = reported::put(store, facts, &of_meter, said, at)?;
        sum.new += count.new;
        sum.same += count.same;
        sum.replaced += count.replaced;
    }
    Ok(sum)
}
