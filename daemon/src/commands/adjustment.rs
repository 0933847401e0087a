//! `consuntivo adjustment`: what a person states that a building would have used more or less, for reasons that are
//! neither weather nor works.
//!
//! Must never: take an adjustment without a name and a reason, or of a meter that the project does not compare.

use std::sync::Arc;

use analytics::evaluate::laws::laws;
use analytics::result::BaselinePoint;
use chrono::{Datelike, NaiveDate};
use clap::{Args, Subcommand};
use model::{Direction, MeterFacts, MeterId, MeterRole, Project, ProjectId};
use store::Store;

use crate::adjustments::{self, Said};
use crate::exit::{Exit, Failure};
use crate::installation::Installation;
use crate::readout::{aligned, say};
use crate::{ConfigArg, clock, figures, parse_project};

/// The shortest time whose baseline use an adjustment may reach: a year.
const YEAR_DAYS: f64 = 365.0;

#[derive(Debug, Subcommand)]
pub(crate) enum What {
    /// Add energy to the adjusted baseline of a meter, or take it off, over a period
    Add {
        #[command(flatten)]
        of: Of,
        #[arg(long)]
        meter: MeterId,
        /// First day
        #[arg(long)]
        from: NaiveDate,
        /// First day after it
        #[arg(long)]
        to: NaiveDate,
        /// Over the whole period, in the meter's unit; above zero where the building would have used more
        #[arg(long, allow_negative_numbers = true)]
        energy: f64,
        #[command(flatten)]
        by: By,
    },
    /// State that what was measured or billed on these days is right, however little it is: whole months that a
    /// finding doubts save again what they show
    Confirm {
        #[command(flatten)]
        of: Of,
        #[arg(long)]
        meter: MeterId,
        /// First day
        #[arg(long)]
        from: NaiveDate,
        /// First day after the last
        #[arg(long)]
        to: NaiveDate,
        #[command(flatten)]
        by: By,
    },
    /// The adjustments in force
    List {
        #[command(flatten)]
        of: Of,
    },
    /// Take an adjustment back; every version is kept
    Withdraw {
        #[command(flatten)]
        of: Of,
        /// As `adjustment list` prints it
        number: u32,
        #[command(flatten)]
        by: By,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Of {
    #[arg(long, value_parser = parse_project)]
    project: ProjectId,
    #[command(flatten)]
    config: ConfigArg,
}

#[derive(Debug, Args)]
pub(crate) struct By {
    /// Who says so; printed in the report
    #[arg(long)]
    author: String,
    /// Why, with the evidence; printed in the report
    #[arg(long)]
    reason: String,
}

pub(crate) fn adjustment(what: &What) -> Result<Exit, Failure> {
    match what {
        What::Add { of, meter, from, to, energy, by } => add(of, meter, (*from, *to), Some(*energy), by),
        What::Confirm { of, meter, from, to, by } => add(of, meter, (*from, *to), None, by),
        What::List { of } => list(of),
        What::Withdraw { of, number, by } => {
            let installation = Installation::load(&of.config.config)?;
            let store = installation.open_shared_store()?;
            let word = (by.author.as_str(), by.reason.as_str());
            adjustments::withdraw(&store, &of.project, *number, word, clock::now())?;
            println!("adjustment {number} of {} is taken back; every version is kept", of.project);
            Ok(Exit::OK)
        }
    }
}

/// Without an amount, what was measured is confirmed.
fn add(
    of: &Of,
    meter: &MeterId,
    (from, to): (NaiveDate, NaiveDate),
    energy: Option<f64>,
    by: &By,
) -> Result<Exit, Failure> {
    let installation = Installation::load(&of.config.config)?;
    let store = installation.open_shared_store()?;
    let project = figures::project(&store, &installation.catalog, &of.project)?;
    // What a plant made or fed in has no baseline to adjust; that its values are right can be said.
    let is_meant = |facts: &&MeterFacts| match facts.direction {
        Direction::Import => facts.role == MeterRole::Compared,
        Direction::Export | Direction::Production => energy.is_none(),
        Direction::Charge | Direction::Discharge => false,
    };
    let compared: Vec<_> = project.meters().map(|(_, facts)| facts).filter(is_meant).collect();
    let Some(facts) = compared.iter().find(|facts| facts.id == *meter) else {
        let known: Vec<&str> = compared.iter().map(|facts| facts.id.as_str()).collect();
        return Err(Failure::bad_input(format!(
            "project {} has no meter {meter} of which this can be said; it has {}",
            of.project,
            known.join(", ")
        )));
    };
    if to <= project.dates.completed {
        return Err(Failure::bad_input(format!(
            "the adjustment ends on {to}, before the works were completed on {}; nothing is compared there",
            project.dates.completed
        )));
    }
    let (author, reason) = (by.author.as_str(), by.reason.as_str());
    let said = Said { project: &of.project, meter, from, to, energy: energy.unwrap_or(0.0), author, reason };
    let Some(energy) = energy else {
        let number = adjustments::confirm(&store, &said, clock::now())?;
        println!(
            "adjustment {number}: what {meter} counted from {from} to before {to} is confirmed as it is; the report says so"
        );
        return Ok(Exit::OK);
    };
    judge_amount(&(&store, &installation, &project), facts, (from, to), energy)?;
    let number = adjustments::add(&store, &said, clock::now())?;
    let unit = facts.carrier.base_unit().display().symbol();
    let way = if 0.0 < energy { "raises" } else { "lowers" };
    println!(
        "adjustment {number}: {energy} {unit} from {from} to before {to} on {meter}; it {way} the saving, and the report says so"
    );
    Ok(Exit::OK)
}

/// Refuses more energy than the connection carries on those days, or than the baseline used in as long: such an amount is
/// a slip, and the year would be withheld for it as if the meter were wrong.
fn judge_amount(
    (store, installation, project): &(&Store, &Installation, &Arc<Project>),
    facts: &MeterFacts,
    (from, to): (NaiveDate, NaiveDate),
    energy: f64,
) -> Result<(), Failure> {
    let days = (to - from).num_days().max(0) as f64;
    let unit = facts.carrier.base_unit().display().symbol();
    let is_known = facts.ceiling_per_hour.is_finite() && 0.0 < facts.ceiling_per_hour;
    let carried = facts.ceiling_per_hour * 24.0 * days;
    if is_known && carried < energy.abs() {
        return Err(Failure::bad_input(format!(
            "--energy {energy} {unit} is more than the connection of {} carries from {from} to before {to}, which is \
             {carried:.0} {unit}; check the amount and its unit",
            facts.id
        )));
    }
    let today = clock::now().day(project.zone);
    let laws = figures::with_input(store, installation, project, today.year(), today, laws)?;
    let law = laws.iter().find(|l| l.meter == facts.id).and_then(|l| l.baseline.as_deref());
    let points = law.map(|fitted| fitted.model.points.as_slice()).unwrap_or_default();
    let of = |p: &BaselinePoint| (p.to - p.from).num_days() as f64;
    let (used, over) =
        points.iter().fold((0.0, 0.0), |(used, over), p| (used + p.energy_per_day * of(p), over + of(p)));
    let most = used / f64::max(over, 1.0) * days.max(YEAR_DAYS);
    if 0.0 < most && most < energy.abs() {
        return Err(Failure::bad_input(format!(
            "--energy {energy} {unit} is more than {} used in a whole year of its baseline, {most:.0} {unit}; check the \
             amount and its unit. A building that uses twice as much is another building, with a baseline of its own",
            facts.id
        )));
    }
    Ok(())
}

fn list(of: &Of) -> Result<Exit, Failure> {
    let installation = Installation::load(&of.config.config)?;
    let store = installation.open_shared_store()?;
    figures::project(&store, &installation.catalog, &of.project)?;
    let mut rows =
        vec![["number", "meter", "from", "to", "energy", "author", "reason"].map(String::from).to_vec()];
    for a in adjustments::of_project(&store, &of.project)? {
        rows.push(vec![
            a.number.to_string(),
            a.meter.to_string(),
            a.from.to_string(),
            a.to.to_string(),
            a.energy.to_string(),
            a.author,
            a.reason,
        ]);
    }
    say(&aligned(&rows, ""));
    Ok(Exit::OK)
}
