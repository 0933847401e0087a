//! `consuntivo explain`: the chain of a figure down to the first and last reading of each month.
//!
//! Must never: give a chain of other inputs than the figure's own.

use std::ops::ControlFlow;

use analytics::explain::{
    BillFact, Evidence, Explanation, MonthEvidence, Node, ReadingFact, explain as chain_of, figures as names,
    lines, wanted,
};
use analytics::result::ProjectYear;
use chrono::NaiveDate;
use clap::Args;
use model::time::day_start;
use model::{Digest, Instant, MeterFacts, Month, Project, ProjectId, Quality, SeriesKey, Value};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use store::{Store, StoredReading};

use crate::exit::{Exit, Failure};
use crate::installation::Installation;
use crate::readout::say;
use crate::{ConfigArg, clock, figures, filed, parse_project, reported};

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The figure: `kpi:CODE`, `meter:ID`, `"meter:ID 2025-03"`, `balance:electricity`; without it, the list of all
    figure: Option<String>,
    #[arg(long, value_parser = parse_project)]
    project: ProjectId,
    #[arg(long)]
    year: i32,
    #[command(flatten)]
    config: ConfigArg,
    /// For a year in progress: count data before this day (default: today)
    #[arg(long, value_name = "YYYY-MM-DD")]
    until: Option<NaiveDate>,
    /// Language of the sentences (default: the installation's)
    #[arg(long, value_parser = config::catalog::LANGUAGES)]
    lang: Option<String>,
    /// For programs: numbers unrounded
    #[arg(long)]
    json: bool,
}

pub(crate) fn explain(args: &ExplainArgs) -> Result<Exit, Failure> {
    let installation = Installation::load(&args.config.config)?;
    let store = installation.open_shared_store()?;
    let project = figures::project(&store, &installation.catalog, &args.project)?;
    let today = clock::now().day(project.zone);
    let until = figures::until(args.year, args.until.unwrap_or(today));
    let year = figures::project_year(&store, &installation, &project, args.year, until)?;
    let Some(figure) = &args.figure else {
        say(&names(&year).iter().map(|name| format!("{name}\n")).collect::<String>());
        return Ok(Exit::OK);
    };
    let evidence = evidence(&store, &year, figure)?;
    let Some(explanation) = chain_of(&year, figure, &evidence) else {
        return Err(Failure::bad_input(format!(
            "{} has no figure {figure} in {}; it has {}",
            project.id,
            args.year,
            names(&year).join(", ")
        )));
    };
    if args.json {
        println!("{}", to_json(&explanation));
    } else {
        let language = args.lang.as_deref().unwrap_or(&installation.settings.installation.language);
        let texts = installation.catalog.texts(language);
        say(&lines(&explanation, &texts).iter().map(|line| format!("{line}\n")).collect::<String>());
    }
    Ok(Exit::OK)
}

/// What the store holds of the meters' months; of one meter alone when the figure is one meter's.
fn evidence(store: &Store, year: &ProjectYear, figure: &str) -> anyhow::Result<Evidence> {
    let only = figure.strip_prefix("meter:").map(|name| name.split(' ').next().unwrap_or(name));
    let mut all = Evidence::new();
    let project = &year.project;
    let until = day_start(year.until, project.zone);
    for (id, month) in wanted(project, year.year) {
        if only.is_some_and(|only| only != id.as_str()) {
            continue;
        }
        let Some(facts) = project.meters().map(|(_, m)| m).find(|m| m.id == id) else { continue };
        let known = of_month(store, project, facts, month, until)?;
        all.insert((id, month), known);
    }
    Ok(all)
}

/// How far from a month's ends the neighbouring reading is looked for, in milliseconds: an hour, two days, 62 days.
const NEIGHBOUR_MILLIS: [i64; 3] = [3_600_000, 2 * 24 * 3_600_000, 62 * 24 * 3_600_000];

fn of_month(
    store: &Store,
    project: &Project,
    facts: &MeterFacts,
    month: Month,
    until: Instant,
) -> anyhow::Result<MonthEvidence> {
    let (begin, end) = month.bounds(project.zone);
    let key = SeriesKey { meter: facts.id.clone(), channel: facts.total_channel() };
    let mut known = MonthEvidence::default();
    if until <= begin {
        return Ok(known);
    }
    let end = end.min(until);
    let mut hash = Sha256::new();
    store.for_each_reading(&key, Some(begin), Some(end), &mut |reading| {
        hash.update(reading.observed_at.millis().to_be_bytes());
        hash.update(reading.value.as_f64().to_bits().to_be_bytes());
        hash.update(reading.origin.code().as_bytes());
        known.readings += 1;
        if let Some(fact) = fact(reading) {
            known.first.get_or_insert(fact);
            known.last = Some(fact);
        }
        ControlFlow::Continue(())
    })?;
    if 0 < known.readings {
        known.digest = Some(Digest(hash.finalize().into()));
        // Nearly always it is near; the whole span is read only where it is not.
        for millis in NEIGHBOUR_MILLIS {
            let before = begin.plus_millis(-millis);
            store.for_each_reading(&key, Some(before), Some(begin), &mut |reading| {
                known.before = fact(reading).or(known.before);
                ControlFlow::Continue(())
            })?;
            if known.before.is_some() {
                break;
            }
        }
        let after = end.plus_millis(NEIGHBOUR_MILLIS[2]);
        store.for_each_reading(&key, Some(end), Some(after), &mut |reading| {
            known.after = fact(reading);
            if known.after.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
    }
    let stated = SeriesKey { meter: facts.id.clone(), channel: filed::own_channel(facts) };
    for interval in store.intervals(&stated, end)?.iter().filter(|i| begin <= i.from && i.to <= end) {
        known.filed += 1;
        known.filed_amount = known.filed_amount.saturating_add(interval.amount);
    }
    if let Some(reported) = reported::of_meter(store, facts, month.end_day())?.get(month) {
        known.filed += 1;
        known.filed_amount = known.filed_amount.saturating_add(reported.amount);
    }
    known.bills = bills(store, project, facts, month)?;
    Ok(known)
}

fn bills(
    store: &Store,
    project: &Project,
    facts: &MeterFacts,
    month: Month,
) -> anyhow::Result<Vec<BillFact>> {
    if !project.uses_bills(facts) {
        return Ok(Vec::new());
    }
    let touches = |from: NaiveDate, to: NaiveDate| from < month.end_day() && month.first_day() < to;
    let of = store.bills(facts.bills_key())?;
    Ok(of
        .iter()
        .filter(|b| touches(b.from, b.to))
        .map(|b| BillFact { from: b.from, to: b.to, amount: b.amount, quality: b.quality })
        .collect())
}

/// A usable reading of the total.
fn fact(reading: &StoredReading) -> Option<ReadingFact> {
    match reading.value {
        Value::Total(total) if reading.quality != Quality::Implausible => {
            Some(ReadingFact { at: reading.observed_at, total, origin: reading.origin })
        }
        Value::Total(_) | Value::Gauge(_) => None,
    }
}

fn to_json(of: &Explanation) -> serde_json::Value {
    json!({
        "figure": of.figure, "project": of.project, "year": of.year, "until": of.until.to_string(),
        "inputs": of.inputs.hex(), "catalog": of.catalog.hex(), "rules": of.rules,
        "chain": node(&of.root),
    })
}

fn node(of: &Node) -> serde_json::Value {
    let values: serde_json::Map<String, serde_json::Value> =
        of.values.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    let factor = match of.from {
        analytics::explain::Sum::Evidence => None,
        analytics::explain::Sum::Times(factor) => Some(factor),
    };
    json!({
        "step": of.key, "value": of.value, "unit": of.unit, "sum_times": factor, "is_term": of.adds(),
        "with": values, "from": of.children.iter().map(node).collect::<Vec<_>>(),
    })
}
