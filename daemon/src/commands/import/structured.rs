//! Import of a structured file: the months that another installation measured, as read periods of their supply points.
//!
//! Must never: take a month whose bounds differ for a measured one, or a month of a meter that no project has.

use std::sync::Arc;

use connectors::files::{ImportReport, OnLine, Refused};
use dashboards::structured::{ReadFile, read};
use model::{BillQuality, BilledPeriod, MeterFacts, Project};

use analytics::report::structured::MonthRow;

use super::{BillsFile, Strictness, print_findings, put_bills, read_file};
use crate::exit::{Exit, Failure};
use crate::installation::Installation;
use crate::{ImportArgs, clock, figures};

pub(super) fn import(args: &ImportArgs, replace: Option<&str>) -> Result<Exit, Failure> {
    let installation = Installation::load(&args.config.config)?;
    let store = installation.open_shared_store()?;
    let bytes = read_file(&args.file)?;
    let file = read(&bytes).map_err(|error| {
        Failure::bad_input(format!("{} cannot be imported: {error}", args.file.display()))
    })?;
    let (projects, findings) = figures::projects(&store, &installation.catalog)?;
    print_findings(&findings);
    let report = months(&file, &projects);
    let bills =
        BillsFile { file: &args.file, author: &args.author, strictness: Strictness::of(args), replace };
    put_bills(&store, &bills, &bytes, report, "months", clock::now())?;
    Ok(Exit::OK)
}

/// The rows as billed periods. A row without a measurement says nothing.
fn months(file: &ReadFile, projects: &[Arc<Project>]) -> ImportReport<OnLine<BilledPeriod>> {
    let mut report = ImportReport {
        rows: file.rows.len(),
        read: file.rows.len(),
        accepted: Vec::new(),
        repeated: 0,
        refused: Vec::new(),
        findings: Vec::new(),
    };
    for (line, row) in (1..).zip(&file.rows) {
        let Some(measured) = row.measured else { continue };
        let refuse = |column: &str, value: &str, reason: &str| Refused {
            line,
            column: column.to_owned(),
            value: value.to_owned(),
            reason: reason.to_owned(),
        };
        let point = row.supply_point.as_deref().unwrap_or(row.meter.as_str());
        match known(projects, row, point) {
            None => report.refused.push(refuse(
                "contatore",
                row.meter.as_str(),
                "no imported project has this meter and supply point; import its project first",
            )),
            Some(facts) if facts.carrier != row.carrier || facts.direction != row.direction => {
                report.refused.push(refuse(
                    "vettore",
                    row.carrier.code(),
                    "the project's meter has another carrier or direction",
                ))
            }
            Some(facts) => report.accepted.push(OnLine { line, value: period(row, facts, point, measured) }),
        }
    }
    report
}

fn known<'a>(projects: &'a [Arc<Project>], row: &MonthRow, point: &str) -> Option<&'a MeterFacts> {
    projects.iter().flat_map(|project| project.meters()).map(|(_, facts)| facts).find(|facts| {
        facts.id == row.meter && facts.supply_point.as_deref().unwrap_or(facts.id.as_str()) == point
    })
}

/// A month whose bounds are one value was read at both ends; any other joins the month after it, as an estimated bill does.
fn period(row: &MonthRow, facts: &MeterFacts, point: &str, measured: f64) -> BilledPeriod {
    let exact = row.measured_low == Some(measured) && row.measured_high == Some(measured);
    BilledPeriod {
        supply_point: point.to_owned(),
        from: row.month.first_day(),
        to: row.month.end_day(),
        #[expect(clippy::cast_possible_truncation, reason = "the file holds thousandths; a cast saturates")]
        amount: (measured * 1000.0).round() as i64,
        unit: facts.carrier.base_unit(),
        quality: if exact { BillQuality::Read } else { BillQuality::Estimated },
    }
}
