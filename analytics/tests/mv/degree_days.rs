//! Degree days of two stations against values computed elsewhere, month by month, under fifteen definitions.
//!
//! Must never: compare a value with one of another definition.

use std::collections::BTreeMap;

use crate::meters::{day, rows, temperatures};
use analytics::degree_days::definitions::{DayRecord, Definition, Side, count};
use analytics::places::{ClimaticZone, HeatingSeason, MonthDay, ZoneRules};
use chrono::NaiveDate;

/// DPR 412/1993 art. 9 (limits now of DPR 74/2013): the season of each zone.
fn zone(letter: &str) -> ZoneRules {
    let season = |from: (u32, u32), to: (u32, u32)| {
        let of = |(day, month)| MonthDay { month, day };
        Some(HeatingSeason { from: of(from), to: of(to), hours_per_day: 0 })
    };
    let season = match letter {
        "A" => season((1, 12), (15, 3)),
        "B" => season((1, 12), (31, 3)),
        "C" => season((15, 11), (31, 3)),
        "D" => season((1, 11), (15, 4)),
        "E" => season((15, 10), (15, 4)),
        _ => None,
    };
    ZoneRules { zone: ClimaticZone::parse(letter).unwrap(), above: None, up_to: None, season }
}

fn definition(column: &str) -> (Definition, Option<ZoneRules>) {
    if let Some(letter) = column.strip_prefix("gg20_dpr412_zone") {
        return (Definition::DPR_412_93, Some(zone(letter)));
    }
    match column {
        "hdd_eurostat" => return (Definition::EUROSTAT_HEATING, None),
        "cdd_eurostat" => return (Definition::EUROSTAT_COOLING, None),
        _ => {}
    }
    let parts: Vec<&str> = column.split('_').collect();
    let side = if parts[0] == "hdd" { Side::Heating } else { Side::Cooling };
    // 18.33 stands for 65 °F.
    let base = if parts[1] == "18.33" { 33.0 / 1.8 } else { parts[1].parse().unwrap() };
    (Definition::to_base(side, base), None)
}

fn means(station: &str) -> BTreeMap<NaiveDate, DayRecord> {
    let record = |mean_c| DayRecord { mean_c: Some(mean_c), ..DayRecord::default() };
    temperatures(station).dated().map(|(date, mean_c)| (date, record(mean_c))).collect()
}

#[test]
fn every_month_has_the_reference_s_degree_days() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/mv/expected/degree_days.csv");
    let header = csv::Reader::from_path(path).unwrap().headers().unwrap().clone();
    let mut compared = 0;
    for r in &rows("expected/degree_days.csv") {
        let days = means(&r[1]);
        let from = day(&format!("{}-01", &r[0]));
        let to = from + chrono::Months::new(1);
        for (column, value) in header.iter().zip(r).skip(3) {
            let (definition, zone) = definition(column);
            let counted = count(&days, definition, zone.as_ref(), from, to).unwrap();
            let theirs: f64 = value.parse().unwrap();
            assert!((counted.kelvin_days - theirs).abs() < 2e-4, "{} {column}: {counted:?} {theirs}", &r[0]);
            compared += 1;
        }
    }
    assert!(360 < compared, "{compared}");
}

#[test]
fn a_season_needs_its_zone_and_extremes_need_more_than_means() {
    let means = means("rmv2");
    let year = (day("2006-01-01"), day("2007-01-01"));
    assert!(count(&means, Definition::DPR_412_93, None, year.0, year.1).is_none());
    assert_eq!(count(&means, Definition::UNITED_KINGDOM, None, year.0, year.1).unwrap().days, 0);
    let all = count(&means, Definition::DPR_412_93, Some(&zone("F")), year.0, year.1).unwrap();
    let free = count(&means, Definition::to_base(Side::Heating, 20.0), None, year.0, year.1).unwrap();
    assert_eq!(all.kelvin_days, free.kelvin_days);
    // A leap year's season of zone C has a day more.
    let count_days = |from, to| {
        let c = count(&means, Definition::DPR_412_93, Some(&zone("C")), day(from), day(to)).unwrap();
        c.days + c.missing_days
    };
    assert_eq!((count_days("2006-01-01", "2007-01-01"), count_days("2008-01-01", "2009-01-01")), (137, 138));
}
