//! An analysis by the hour, and the drivers of one by the day.
//!
//! Must never: pair an hour with the temperature of another.

use std::collections::BTreeMap;
use std::path::Path;

use analytics::analysis::Window;
use analytics::analysis::driven::DailyDriver;
use analytics::analysis::hourly::{self, CivilHour};
use analytics::baseline::drivers::Sign;
use chrono::NaiveDateTime;
use connectors::files::drivers::{HourFile, Hourly, read_drivers, read_hours};

use super::{AnalyzeArgs, none_refused, of_file, print, read, stem};
use crate::exit::{Exit, Failure};

/// What the opening calendar is called among the drivers.
const OPEN: &str = "open_days";

/// The drivers that the command line states, over the windows.
pub(super) fn drivers(args: &AnalyzeArgs, windows: &[Window]) -> Result<Vec<DailyDriver>, Failure> {
    let mut all = Vec::new();
    if let Some(path) = &args.drivers {
        let file = read_drivers(&read(path)?).map_err(|e| of_file(path, &e))?;
        none_refused(path, &file.refused)?;
        let driver = |(name, days)| DailyDriver { name, sign: Sign::Any, days };
        all.extend(file.drivers.into_iter().map(driver));
    }
    if let Some(opening) = &args.open_days {
        let mut opening = opening.clone();
        opening.closed = args.closed.iter().map(|w| (w.from, w.to)).collect();
        let mut days = BTreeMap::new();
        for window in windows {
            days.extend(opening.days(window.from, window.to));
        }
        // An open day never uses less than a closed one.
        all.push(DailyDriver { name: OPEN.to_owned(), sign: Sign::Adds, days });
    }
    Ok(all)
}

/// Analyses a meter by the hour.
pub(super) fn analyze(args: &AnalyzeArgs, meter: &Path, temperature: &Path) -> Result<Exit, Failure> {
    if (args.confidence - hourly::CONFIDENCE).abs() > f64::EPSILON {
        return Err(Failure::bad_input("--method towt gives the 90 % band only; leave --confidence out"));
    }
    let (Some(baseline), Some(reporting)) = (args.baseline, args.reporting) else {
        return Err(Failure::bad_input("--method towt needs --baseline FROM..TO and --reporting FROM..TO"));
    };
    let hours = |path: &Path, what| -> Result<HourFile, Failure> {
        let file = read_hours(&read(path)?, what).map_err(|e| of_file(path, &e))?;
        none_refused(path, &file.refused)?;
        Ok(file)
    };
    let (energy, outdoor) = (hours(meter, Hourly::Energy)?, hours(temperature, Hourly::Outdoor)?);
    let outdoor: BTreeMap<NaiveDateTime, f64> = outdoor.hours.into_iter().collect();
    let paired = energy.hours.into_iter().filter_map(|(at, energy)| {
        outdoor.get(&at).map(|outdoor_c| CivilHour { at, outdoor_c: *outdoor_c, energy })
    });
    let mut paired: Vec<CivilHour> = paired.collect();
    paired.sort_by_key(|h| h.at);
    let name = stem(meter);
    let subject = format!("meter:{name}");
    let mut answer = hourly::analyse(&subject, &paired, baseline, reporting);
    if args.normal.is_some() || args.normal_temperature.is_some() {
        answer.findings.push(hourly::not_normalised(&subject));
        answer.findings.sort_by(|a, b| (b.severity, a.code).cmp(&(a.severity, b.code)));
    }
    if args.json {
        println!("{}", print::json(None, &answer));
    } else {
        print!("{}", print::text(&name, &answer));
    }
    Ok(Exit::OK)
}
