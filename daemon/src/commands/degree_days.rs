//! `consuntivo degree-days`: what a file of temperatures comes to under every definition in use, by month or year.
//!
//! Must never: print degree days without the definition that they follow, or a period with missing days as a whole one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use analytics::analysis::Window;
use analytics::degree_days::definitions::{Counted, Daily, DayRecord, Definition, Side, count};
use analytics::places::{Place, ZoneRules};
use chrono::{Datelike, NaiveDate};
use clap::{Args, ValueEnum};
use config::catalog::Catalog;
use connectors::files::drivers::{Hourly, read_drivers, read_hours};
use connectors::files::temperatures::MEAN_C;
use model::Month;
use serde_json::json;

use super::analyze::{none_refused, of_file, parse_window, read};
use crate::exit::{Exit, Failure};

/// A day is known by its hours when more than half of them are: CalTRACK 2.0 §2.2.2.3.
const HOURS_MIN: usize = 13;
/// Longest period printed, in years.
const YEARS_MAX: i32 = 200;

/// Degree days by every definition in use, from a file of temperatures
#[derive(Debug, Args)]
pub(crate) struct DegreeDaysArgs {
    /// Days: CSV with date and tmean_c, and tmin_c and tmax_c where a definition takes a day's extremes
    #[arg(long, value_name = "FILE", required_unless_present = "hours", conflicts_with = "hours")]
    temperature: Option<PathBuf>,
    /// Hours instead: CSV with at and t_c; mean and extremes of a day are those of its hours
    #[arg(long, value_name = "FILE")]
    hours: Option<PathBuf>,
    /// Code of a definition; may be given several times (default: all)
    #[arg(long, value_name = "CODE", value_parser = parse_definition)]
    definition: Vec<Definition>,
    /// A heating base of one's own in °C, beside the definitions; may be given several times
    #[arg(long, value_name = "C", value_parser = parse_base)]
    base: Vec<f64>,
    /// A cooling base of one's own in °C
    #[arg(long, value_name = "C", value_parser = parse_base)]
    cooling_base: Vec<f64>,
    /// How a day's value is made of its temperatures (default: as each definition says)
    #[arg(long, value_enum)]
    daily: Option<DailyArg>,
    /// Municipality, by ISTAT code or name: its zone's season for DPR 412/93, and its legal degree days
    #[arg(long, value_name = "NAME")]
    municipality: Option<String>,
    /// Days to count; the end is the first day after (default: all of the file)
    #[arg(long, value_name = "FROM..TO", value_parser = parse_window)]
    period: Option<Window>,
    #[arg(long, value_enum, default_value_t = Step::Years)]
    step: Step,
    /// One JSON object instead of CSV
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum DailyArg {
    Mean,
    Extremes,
    Hours,
}

impl From<DailyArg> for Daily {
    fn from(of: DailyArg) -> Self {
        match of {
            DailyArg::Mean => Self::Mean,
            DailyArg::Extremes => Self::Extremes,
            DailyArg::Hours => Self::Hours,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Step {
    Months,
    Years,
}

fn parse_definition(text: &str) -> Result<Definition, String> {
    Definition::ALL.into_iter().find(|d| d.code == text).ok_or_else(|| {
        let codes: Vec<&str> = Definition::ALL.iter().map(|d| d.code).collect();
        format!("there is no definition {text:?}; take one of {}, or a --base", codes.join(", "))
    })
}

fn parse_base(text: &str) -> Result<f64, String> {
    let base = text.replace(',', ".").parse::<f64>().ok().filter(|base| (-20.0..=40.0).contains(base));
    base.ok_or_else(|| format!("{text:?} is no base; write °C from -20 to 40, such as 15.5"))
}

/// One row: a period under a definition.
struct Row {
    period: String,
    counted: Counted,
}

pub(crate) fn degree_days(args: &DegreeDaysArgs) -> Result<Exit, Failure> {
    let catalog = Catalog::embedded().map_err(|e| Failure::bad_input(e.to_string()))?;
    let place = args.municipality.as_deref().map(|name| place(&catalog, name)).transpose()?;
    let zone = place.and_then(|place| catalog.zone(place.zone));
    let days = days(args)?;
    let (Some(first), Some(last)) = (days.keys().next(), days.keys().next_back()) else {
        return Err(Failure::bad_input("the file has no day with a temperature"));
    };
    let (from, to) = args.period.map_or((*first, last.succ_opt().unwrap_or(*last)), |w| (w.from, w.to));
    if YEARS_MAX < to.year() - from.year() {
        return Err(Failure::bad_input(format!(
            "the days from {from} to {to} are more than {YEARS_MAX} years; name fewer with --period"
        )));
    }
    let mut rows = Vec::new();
    for definition in definitions(args) {
        for (period, from, to) in periods(args.step, from, to) {
            let counted = count(&days, definition, zone, from, to);
            rows.extend(counted.map(|counted| Row { period, counted }));
        }
    }
    if args.json {
        println!("{}", as_json(place, zone, &rows));
        return Ok(Exit::OK);
    }
    if let Some(place) = place {
        eprintln!(
            "{} ({}): zone {}, {} legal degree days, a constant of the place (DPR 412/1993, annex A)",
            place.name,
            place.istat,
            place.zone.letter(),
            place.degree_days
        );
    } else if args.definition.is_empty() || args.definition.contains(&Definition::DPR_412_93) {
        eprintln!("dpr-412-93 counts the heating season of a climatic zone: name the --municipality");
    }
    println!("period,definition,side,base_c,threshold_c,daily,kelvin_days,days,missing_days,source");
    for Row { period, counted } in &rows {
        let d = &counted.definition;
        println!(
            "{period},{},{},{:.2},{:.2},{},{:.2},{},{},\"{}\"",
            d.code,
            side(d.side),
            d.base_c,
            d.threshold_c,
            daily(d.daily),
            counted.kelvin_days,
            counted.days,
            counted.missing_days,
            d.source
        );
    }
    Ok(Exit::OK)
}

fn definitions(args: &DegreeDaysArgs) -> Vec<Definition> {
    let mut all = args.definition.clone();
    let own =
        |side, bases: &[f64]| bases.iter().map(|base| Definition::to_base(side, *base)).collect::<Vec<_>>();
    all.extend(own(Side::Heating, &args.base));
    all.extend(own(Side::Cooling, &args.cooling_base));
    if all.is_empty() {
        all.extend(Definition::ALL);
    }
    match args.daily {
        Some(daily) => all.into_iter().map(|d| d.by(daily.into())).collect(),
        None => all,
    }
}

/// The months or years that the days touch, each cut to them.
fn periods(step: Step, from: NaiveDate, to: NaiveDate) -> Vec<(String, NaiveDate, NaiveDate)> {
    let mut periods = Vec::new();
    let mut begin = from;
    while begin < to {
        let month = Month::of(begin);
        let (name, end) = match step {
            Step::Months => (month.to_string(), month.end_day()),
            Step::Years => (begin.year().to_string(), Month { year: begin.year(), number: 12 }.end_day()),
        };
        let end = end.min(to);
        periods.push((name, begin, end));
        begin = end;
    }
    periods
}

fn place<'c>(catalog: &'c Catalog, name: &str) -> Result<&'c Place, Failure> {
    if let Some(place) = catalog.place(name) {
        return Ok(place);
    }
    let mut named = catalog.places_named(name);
    let others = |places: &mut dyn Iterator<Item = &Place>| {
        places.map(|p| p.istat.clone()).collect::<Vec<_>>().join(", ")
    };
    match (named.next(), named.next()) {
        (Some(place), None) => Ok(place),
        (Some(_), Some(_)) => {
            let codes = others(&mut catalog.places_named(name));
            Err(Failure::bad_input(format!(
                "several municipalities are called {name:?}; name one by its code: {codes}"
            )))
        }
        (None, _) => Err(Failure::bad_input(format!(
            "the catalogue has no municipality {name:?}; its table is not national: leave --municipality out, or add the \
             place to the catalogue (docs/files.md)"
        ))),
    }
}

fn days(args: &DegreeDaysArgs) -> Result<BTreeMap<NaiveDate, DayRecord>, Failure> {
    match (&args.temperature, &args.hours) {
        (_, Some(path)) => of_hours(path),
        (Some(path), None) => of_days(path),
        (None, None) => Err(Failure::bad_input("name a --temperature file, or one of --hours")),
    }
}

fn of_days(path: &Path) -> Result<BTreeMap<NaiveDate, DayRecord>, Failure> {
    let file = read_drivers(&read(path)?).map_err(|e| of_file(path, &e))?;
    none_refused(path, &file.refused)?;
    let column = |name: &str| file.drivers.get(name);
    if column("tmean_c").is_none() && (column("tmin_c").is_none() || column("tmax_c").is_none()) {
        return Err(Failure::bad_input(format!(
            "{}: no column tmean_c, nor both tmin_c and tmax_c",
            path.display()
        )));
    }
    let mut days: BTreeMap<NaiveDate, DayRecord> = BTreeMap::new();
    for name in ["tmean_c", "tmin_c", "tmax_c"] {
        for (date, value) in column(name).into_iter().flatten() {
            within(path, &format!("{date}, {name}"), *value)?;
            days.entry(*date).or_default();
        }
    }
    for (date, record) in &mut days {
        let of = |name: &str| column(name).and_then(|days| days.get(date)).copied();
        record.mean_c = of("tmean_c");
        record.extremes_c = of("tmin_c").zip(of("tmax_c"));
        if let Some((low, high)) = record.extremes_c.filter(|(low, high)| high < low) {
            return Err(Failure::bad_input(format!(
                "{}: {date} has tmin_c {low} above tmax_c {high}; mend the row",
                path.display()
            )));
        }
    }
    Ok(days)
}

fn of_hours(path: &Path) -> Result<BTreeMap<NaiveDate, DayRecord>, Failure> {
    let file = read_hours(&read(path)?, Hourly::Outdoor).map_err(|e| of_file(path, &e))?;
    none_refused(path, &file.refused)?;
    let mut days: BTreeMap<NaiveDate, DayRecord> = BTreeMap::new();
    for (at, t_c) in file.hours {
        within(path, &at.to_string(), t_c)?;
        days.entry(at.date()).or_default().hours_c.push(t_c);
    }
    days.retain(|_, record| HOURS_MIN <= record.hours_c.len());
    for record in days.values_mut() {
        let hours = &record.hours_c;
        record.mean_c = Some(hours.iter().sum::<f64>() / hours.len() as f64);
        let low = hours.iter().copied().fold(f64::INFINITY, f64::min);
        let high = hours.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        record.extremes_c = Some((low, high));
    }
    Ok(days)
}

fn within(path: &Path, place: &str, value_c: f64) -> Result<(), Failure> {
    if MEAN_C.contains(&value_c) {
        return Ok(());
    }
    let (from, to) = (MEAN_C.start(), MEAN_C.end());
    Err(Failure::bad_input(format!(
        "{}: {place}: {value_c} is outside {from} to {to} °C; leave the cell empty",
        path.display()
    )))
}

const fn side(side: Side) -> &'static str {
    match side {
        Side::Heating => "heating",
        Side::Cooling => "cooling",
    }
}

const fn daily(daily: Daily) -> &'static str {
    match daily {
        Daily::Mean => "mean",
        Daily::Extremes => "extremes",
        Daily::Hours => "hours",
    }
}

fn as_json(place: Option<&Place>, zone: Option<&ZoneRules>, rows: &[Row]) -> serde_json::Value {
    let day = |d: analytics::places::MonthDay| format!("{:02}-{:02}", d.month, d.day);
    let season = zone.and_then(|z| z.season).map(|s| json!({"from": day(s.from), "to": day(s.to)}));
    let place = place.map(|p| {
        json!({"istat": p.istat, "name": p.name, "zone": p.zone.letter(), "legal_degree_days": p.degree_days,
               "season": season})
    });
    let rows: Vec<serde_json::Value> = rows
        .iter()
        .map(|Row { period, counted }| {
            let d = &counted.definition;
            json!({"period": period, "definition": d.code, "side": side(d.side), "base_c": d.base_c,
                   "threshold_c": d.threshold_c, "daily": daily(d.daily), "in_season": d.in_season,
                   "kelvin_days": counted.kelvin_days, "days": counted.days, "missing_days": counted.missing_days,
                   "source": d.source})
        })
        .collect();
    json!({"municipality": place, "degree_days": rows})
}
