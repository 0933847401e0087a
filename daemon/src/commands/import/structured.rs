//! Import of a structured file: the months that another installation measured, with their bounds and gaps, and the bills
//! that it had.
//!
//! Must never: make a month surer than the file says it is, take a month of a meter that no project has, or choose between
//! two rows of one month.

use std::collections::BTreeMap;
use std::sync::Arc;

use analytics::report::structured::MonthRow;
use analytics::result::MonthSource;
use connectors::files::{ImportReport, OnLine, Refused};
use dashboards::structured::{ReadFile, read};
use model::{BillQuality, BilledPeriod, Building, MeterFacts, MeterId, Month, Project};
use store::{ImportCount, Store};

use super::{BillsFile, Strictness, judge, note, print_count, print_findings, read_file, refuse_standing};
use crate::exit::{Exit, Failure};
use crate::installation::Installation;
use crate::reported::{self, Reported, Wrong};
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
    let at = clock::now();
    let mut projects = projects;
    projects.retain(|project| project.cup == file.cup);
    let (mut bills, mut months) = rows(&file, &projects, at);
    let of = BillsFile { file: &args.file, author: &args.author, strictness: Strictness::of(args), replace };
    refuse_standing(&store, &mut bills, replace.is_some())?;
    refuse_reported(&store, &mut months, replace.is_some())?;
    months.refused.append(&mut bills.refused);
    months.refused.sort_by_key(|r| r.line);
    judge(of.file, &months, of.strictness)?;
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

/// What a row says: nothing without a measurement, a bill where the file has it from bills, else a reported month.
enum Taken {
    Nothing,
    Bill(BilledPeriod),
    Month(Box<Placed>),
}

/// The rows as bills and as reported months, and those that are refused.
fn rows(
    file: &ReadFile,
    projects: &[Arc<Project>],
    at: model::Instant,
) -> (ImportReport<OnLine<BilledPeriod>>, ImportReport<OnLine<Placed>>) {
    let (mut bills, mut months) = (empty(0), empty(file.rows.len()));
    let standing = standing(file);
    for (&line, row) in file.lines.iter().zip(&file.rows) {
        let twice = standing.get(&place(row)).is_some_and(|lines| 1 < lines.len());
        let said =
            if twice { Err(said_twice(row, &standing)) } else { taken(row, (projects, &file.cup), at) };
        match said {
            Ok(Taken::Nothing) => {}
            Ok(Taken::Bill(value)) => bills.accepted.push(OnLine { line, value }),
            Ok(Taken::Month(value)) => months.accepted.push(OnLine { line, value: *value }),
            Err(Wrong { column, value, reason }) => {
                // A file may have all on one line.
                let reason = format!("{} {}: {reason}", row.meter, row.month);
                months.refused.push(Refused { line, column: column.to_owned(), value, reason });
            }
        }
    }
    (bills, months)
}

type Place<'a> = (&'a MeterId, Month);

fn place(row: &MonthRow) -> Place<'_> {
    (&row.meter, row.month)
}

/// On which lines each month of a meter stands.
fn standing(file: &ReadFile) -> BTreeMap<Place<'_>, Vec<u64>> {
    let mut standing: BTreeMap<Place<'_>, Vec<u64>> = BTreeMap::new();
    for (&line, row) in file.lines.iter().zip(&file.rows) {
        standing.entry(place(row)).or_default().push(line);
    }
    standing
}

/// Of two rows of one month nobody knows which holds, alike or not: neither is taken.
fn said_twice(row: &MonthRow, standing: &BTreeMap<Place<'_>, Vec<u64>>) -> Wrong {
    let lines = standing.get(&place(row)).map_or(&[][..], Vec::as_slice);
    let lines: Vec<String> = lines.iter().map(u64::to_string).collect();
    let reason = format!(
        "the file has this month of the meter {} times, on the lines {}; leave the row that holds",
        lines.len(),
        lines.join(", ")
    );
    Wrong::new("mese", row.month.number.to_string(), &reason)
}

/// One row, in its place in a project of the file's CUP.
fn taken(
    row: &MonthRow,
    (projects, cup): (&[Arc<Project>], &str),
    at: model::Instant,
) -> Result<Taken, Wrong> {
    let Some(month) = Reported::of(row)? else { return Ok(Taken::Nothing) };
    let point = row.supply_point.as_deref().unwrap_or(row.meter.as_str());
    let (project, building, facts) = known(projects, row, point).ok_or_else(|| {
        let reason = format!(
            "no imported project of CUP {cup} has this meter and supply point; import its project first, or the file of \
             the right project"
        );
        Wrong::new("contatore", row.meter.to_string(), &reason)
    })?;
    if building.id != row.building {
        let reason = format!("the project's meter stands in building {}", building.id);
        return Err(Wrong::new("codice_edificio", row.building.to_string(), &reason));
    }
    if at < row.month.bounds(project.zone).1 {
        return Err(Wrong::new(
            "mese",
            row.month.number.to_string(),
            "this month has not ended: nobody has measured it",
        ));
    }
    if facts.carrier != row.carrier || facts.direction != row.direction {
        let reason = "the project's meter has another carrier or direction";
        return Err(Wrong::new("vettore", row.carrier.code().to_owned(), reason));
    }
    let unit = facts.carrier.base_unit().display().symbol();
    if row.unit != unit {
        let reason =
            format!("the meter counts in {unit}; correct the unit, or convert the quantities of the row");
        return Err(Wrong::new("unita_misura", row.unit.to_owned(), &reason));
    }
    let carried = carried(facts, row.month);
    if let Some((amount, most)) = row.measured.zip(carried).filter(|(amount, most)| most < amount) {
        let reason = format!(
            "the meter's connection carries at most {most:.0} {unit} in this month; correct the amount, or the meter's \
             ceiling_per_hour in the project file"
        );
        return Err(Wrong::new("quantita_misurata", amount.to_string(), &reason));
    }
    let billed = bill(row, facts, point).filter(|_| project.uses_bills(facts));
    Ok(match billed {
        Some(value) => Taken::Bill(value),
        None => Taken::Month(Box::new(Placed { facts: facts.clone(), month })),
    })
}

/// The most that the connection carries in a month, in display units; `None` where no ceiling is known.
fn carried(facts: &MeterFacts, month: Month) -> Option<f64> {
    // An hour more: of the months with a change to winter time.
    let hours = f64::from(month.days()) * 24.0 + 1.0;
    (facts.ceiling_per_hour.is_finite() && 0.0 < facts.ceiling_per_hour)
        .then_some(facts.ceiling_per_hour * hours)
}

fn empty<T>(rows: usize) -> ImportReport<T> {
    let (accepted, refused, findings) = (Vec::new(), Vec::new(), Vec::new());
    ImportReport { rows, read: rows, accepted, repeated: 0, refused, findings }
}

fn known<'a>(
    projects: &'a [Arc<Project>],
    row: &MonthRow,
    point: &str,
) -> Option<(&'a Project, &'a Building, &'a MeterFacts)> {
    projects
        .iter()
        .flat_map(|project| project.meters().map(|(building, facts)| (project.as_ref(), building, facts)))
        .find(|(_, _, facts)| {
            facts.id == row.meter && facts.supply_point.as_deref().unwrap_or(facts.id.as_str()) == point
        })
}

/// A month that was billed by itself, read at both ends.
fn bill(row: &MonthRow, facts: &MeterFacts, point: &str) -> Option<BilledPeriod> {
    let measured = row.measured?;
    let exact = row.measured_low == Some(measured) && row.measured_high == Some(measured);
    (row.source == MonthSource::Bills && exact).then(|| BilledPeriod {
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
