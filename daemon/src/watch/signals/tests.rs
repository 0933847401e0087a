//! Each kind of alarm, raised and ended by what was read: hours, counts, forecasts, through the limits of the settings.
//!
//! Must never: hand an alarm its value; it follows from readings as in the daemon.

use std::collections::BTreeMap;
use std::sync::Arc;

use analytics::forecast::Needed;
use analytics::series::HourValue;
use analytics::watch::alarm::{Alarms, Change};
use analytics::watch::span::{UseDay, UseDays};
use analytics::watch::usual::{JUDGED_DAYS, LEARNED_DAYS, Temperatures};
use chrono::{Datelike as _, Days, NaiveDate};
use model::{Carrier, Zone};
use store::Tally;

use super::super::digest::judge;
use super::*;

const HOUR_MILLIS: i64 = 3_600_000;
const ZONE: Zone = chrono_tz::Europe::Rome;

fn meter() -> MeterId {
    MeterId::new("caldaia").unwrap()
}

/// What a round changes: `+kind` raised, `-kind` ended.
fn round(alarms: &mut Alarms, signals: &[Signal], now: Instant) -> Vec<String> {
    let says = |change: Change| match change {
        Change::Raised(s) => format!("+{}", s.id.kind.code()),
        Change::Ended { id, .. } => format!("-{}", id.kind.code()),
        Change::Dropped { id, .. } => format!("dropped {}", id.kind.code()),
    };
    alarms.step(signals, now).into_iter().map(says).collect()
}

fn today() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 2, 2).unwrap()
}

fn temperatures() -> Temperatures {
    let from = today().checked_sub_days(Days::new(LEARNED_DAYS + JUDGED_DAYS)).unwrap();
    let mild = |day: NaiveDate| (day, 4.0 + f64::from(day.ordinal() * 7 % 11));
    from.iter_days().take_while(|day| *day < today()).map(mild).collect()
}

/// Fourteen weeks of hours of a school: by night 2 kWh, by day 10 kWh, as `of` makes them in the last hours (counted back
/// from the end, the last one is 0).
fn hours(of: impl Fn(usize, u32, i64) -> i64) -> Vec<HourValue> {
    let begin = temperatures().into_keys().next().unwrap();
    let begin = model::time::day_start(begin, ZONE);
    let end = model::time::day_start(today(), ZONE);
    let count = (end.seconds_since(begin) / 3_600.0) as usize;
    (0..count)
        .map(|i| {
            let from = begin.plus_millis(i as i64 * HOUR_MILLIS);
            let name = chrono::Timelike::hour(&from.utc().with_timezone(&ZONE));
            // A little unrest, as every building has.
            let usual = if (7..19).contains(&name) { 10_000 } else { 2_000 } + (i as i64 * 37 % 101);
            HourValue {
                from,
                amount: of(count - 1 - i, name, usual),
                covered_millis: HOUR_MILLIS,
                estimated: 0,
            }
        })
        .collect()
}

fn of_hours(hours: Vec<HourValue>) -> Vec<Signal> {
    let settings = AlarmSettings::default();
    let id = meter();
    let meters = BTreeMap::from([(&id, hours)]);
    let from = today().checked_sub_days(Days::new(LEARNED_DAYS + JUDGED_DAYS)).unwrap();
    let of = (Carrier::GridElectricity, f64::from(settings.above_model_percent) / 100.0);
    let digest = judge(of, &meters, &temperatures(), ZONE, (from, today()));
    assert!(digest.usual.is_some(), "eight weeks suffice to learn");
    of_carrier(&digest, "building:p/a", &settings)
}

fn at(seconds: i64) -> Instant {
    Instant::from_seconds(1_770_000_000 + seconds)
}

#[test]
fn a_total_that_stands_still_is_frozen_until_it_moves() {
    let mut alarms = Alarms::default();
    let still = |n: usize| of_hours(hours(move |back, _, usual| if back < n { 0 } else { usual }));
    assert!(round(&mut alarms, &still(20), at(0)).is_empty(), "less than a day");
    assert_eq!(round(&mut alarms, &still(24), at(60)), ["+frozen"]);
    assert!(round(&mut alarms, &still(14), at(90)).is_empty(), "around the limit nothing flutters");
    assert_eq!(round(&mut alarms, &still(0), at(120)), ["-frozen"]);
}

#[test]
fn a_boiler_left_on_raises_base_load_and_model_and_both_end() {
    let mut alarms = Alarms::default();
    let week = 24 * 7;
    let left_on =
        |extra: i64| of_hours(hours(move |back, _, usual| if back < week { usual + extra } else { usual }));
    assert!(round(&mut alarms, &left_on(0), at(0)).is_empty());
    // Nights of 2 kWh an hour become 3 kWh; days of 144 kWh become 168 kWh.
    assert_eq!(round(&mut alarms, &left_on(1_000), at(60)), ["+base_load", "+above_model"]);
    // 15 % more by night: under the limit of 20 %, over the half of it at which it ends.
    assert_eq!(round(&mut alarms, &left_on(300), at(120)), ["-above_model"]);
    assert_eq!(round(&mut alarms, &left_on(0), at(180)), ["-base_load"]);
}

#[test]
fn hours_that_were_not_measured_raise_nothing_and_end_nothing() {
    let mut alarms = Alarms::default();
    let of = |covered: i64| {
        let mut all = hours(|back, _, usual| if back < 24 * 7 { usual + 1_000 } else { usual });
        let count = all.len();
        all.iter_mut().skip(count - 24 * 7).for_each(|hour| hour.covered_millis = covered);
        of_hours(all)
    };
    assert!(round(&mut alarms, &of(0), at(0)).is_empty(), "a gap is no base load");
    assert!(round(&mut alarms, &of(HOUR_MILLIS), at(60)).contains(&"+base_load".to_owned()));
    let after = round(&mut alarms, &of(0), at(120));
    assert!(!after.contains(&"-base_load".to_owned()), "nobody knows that it is right again: {after:?}");
}

#[test]
fn a_meter_that_is_not_heard_is_silent_and_a_dead_link_speaks_for_its_meters() {
    let settings = AlarmSettings::default();
    let mut alarms = Alarms::default();
    let signals = |last: [i64; 2], now: i64| {
        let heard = |(meter, last): (&'static str, i64)| Heard {
            meter,
            link: "gateway",
            every_s: 10,
            last: Some(at(last)),
        };
        let meters: Vec<Heard<'_>> = ["a", "b"].into_iter().zip(last).map(heard).collect();
        unheard(&meters, &settings, (at(0), at(now)))
    };
    let minutes = i64::from(settings.silent_after_minutes) * 60;
    assert!(round(&mut alarms, &signals([0, 0], minutes - 1), at(minutes - 1)).is_empty());
    assert_eq!(round(&mut alarms, &signals([0, 890], minutes), at(minutes)), ["+silent"]);
    let later = minutes * 3;
    let said = round(&mut alarms, &signals([0, 890], later), at(later));
    assert_eq!(said, ["dropped silent", "+silent"], "the link speaks for both: {said:?}");
    assert!(
        round(&mut alarms, &signals([later, later], later + 10), at(later + 10)).is_empty(),
        "a minute first"
    );
    let back = later + 80;
    assert_eq!(round(&mut alarms, &signals([back, back], back), at(back)), ["-silent"]);
    // One that never gave a reading is waited for from the start.
    let never = [Heard { meter: "c", link: "other", every_s: 10, last: None }];
    let signals = unheard(&never, &settings, (at(0), at(minutes)));
    assert_eq!(round(&mut Alarms::default(), &signals, at(minutes)), ["+silent"]);
}

#[test]
fn implausible_readings_of_a_day_are_told_and_end_a_day_later() {
    let settings = AlarmSettings::default();
    let (mut alarms, mut refused) = (Alarms::default(), Refused::default());
    let mut look = |alarms: &mut Alarms, count: u64, hour: i64| {
        let key = (meter(), Month { year: 2026, number: 2 }, Tally::Refused);
        refused.take(&store::Tallies::from([(key, count)]), at(hour * 3_600));
        let signal = kept_aside(&refused, &meter(), &settings, at(hour * 3_600));
        round(alarms, &[signal], at(hour * 3_600))
    };
    assert!(look(&mut alarms, 500, 0).is_empty(), "of before the start nothing is known");
    assert!(look(&mut alarms, 509, 1).is_empty());
    assert_eq!(look(&mut alarms, 510, 2), ["+implausible"]);
    assert!(look(&mut alarms, 510, 20).is_empty(), "a day is not over");
    assert_eq!(look(&mut alarms, 510, 27), ["-implausible"], "in the same month");
    // One that lasts from before a restart does not end by being forgotten.
    let id = AlarmId { kind: AlarmKind::Implausible, subject: format!("meter:{}", meter()) };
    let mut resumed = Alarms::resumed([(id, at(0))]);
    let mut fresh = Refused::default();
    fresh.take(&store::Tallies::new(), at(0));
    let now = |hour: i64| at(hour * 3_600);
    assert!(round(&mut resumed, &[kept_aside(&fresh, &meter(), &settings, now(1))], now(1)).is_empty());
    assert_eq!(
        round(&mut resumed, &[kept_aside(&fresh, &meter(), &settings, now(25))], now(25)),
        ["-implausible"]
    );
}

#[test]
fn a_self_consumed_share_under_its_limit_is_told_until_it_is_well_above() {
    let settings = AlarmSettings { self_consumption_percent: Some(60), ..AlarmSettings::default() };
    let mut alarms = Alarms::default();
    let days = |energy: f64| -> UseDays {
        let from = today().checked_sub_days(Days::new(28)).unwrap();
        let day = |day: NaiveDate| {
            let next = model::time::day_start(day.succ_opt().unwrap(), ZONE);
            let covered = next.seconds_since(model::time::day_start(day, ZONE)) * 1_000.0;
            (day, UseDay { day, energy, covered_millis: covered as i64 })
        };
        from.iter_days().take_while(|d| *d < today()).map(day).collect()
    };
    let mut look = |exported: f64, seconds: i64| {
        let from = today().checked_sub_days(Days::new(28)).unwrap();
        let now = model::time::day_start(today(), ZONE);
        let share = analytics::watch::flow::self_consumed_share(
            &days(100.0),
            &days(exported),
            ZONE,
            (from, today()),
            now,
        );
        let signal = self_consumed(share, "building:p/a".to_owned(), &settings).unwrap();
        round(&mut alarms, &[signal], at(seconds))
    };
    assert!(look(40.0, 0).is_empty(), "just at the limit");
    assert_eq!(look(41.0, 60), ["+self_consumption"]);
    assert!(look(39.0, 120).is_empty(), "two points above, not one");
    assert_eq!(look(37.0, 180), ["-self_consumption"]);
    let unwatched = self_consumed(Some(0.1), "building:p/a".to_owned(), &AlarmSettings::default());
    assert!(unwatched.is_none(), "watched where the settings say so");
}

#[test]
fn a_target_is_at_risk_by_the_settings_threshold_and_ends_after_a_day() {
    let catalog = config::Catalog::embedded().unwrap();
    let text = include_str!("../../../../config/examples/project.toml");
    let (project, _) = config::parse_project(text, &catalog).unwrap();
    let figures = ProjectFigures {
        project: Arc::new(project),
        years: Vec::new(),
        forecast: None,
        background: Arc::default(),
    };
    let forecast = |expected: Option<f64>, outlook| Forecast {
        kpis: vec![KpiForecast {
            code: "KPI-1".to_owned(),
            unit: "MWh",
            target: Some(100.0),
            so_far: None,
            expected,
            low: None,
            high: None,
            if_confirmed: None,
            outlook,
            needed: None,
            because: Vec::new(),
        }],
        year: 2026,
        on: today(),
        months_left: 11,
        weather_years: Vec::new(),
        findings: Vec::new(),
    };
    let at_risk = forecast(Some(95.0), Outlook::AtRisk);
    let signal = targets(&figures, &at_risk, &AlarmSettings::default()).unwrap();
    assert!(signal.details.contains(&("until", at_risk.counted_to().to_string())), "{:?}", signal.details);
    let told = ["needed", "at_most", "exceeded"];
    assert!(!signal.details.iter().any(|(name, _)| told.contains(name)), "{:?}", signal.details);
    let mut exceeded = forecast(Some(95.0), Outlook::OutOfReach);
    exceeded.kpis[0].needed = Some(Needed::ExceededBy(8.313));
    let signal = targets(&figures, &exceeded, &AlarmSettings::default()).unwrap();
    assert!(signal.details.contains(&("exceeded", "8.313".to_owned())), "{:?}", signal.details);
    let mut alarms = Alarms::default();
    let mut look = |expected: Option<f64>, outlook, percent: u32, hours: i64| {
        let settings = AlarmSettings { target_shortfall_percent: percent, ..AlarmSettings::default() };
        let signals: Vec<Signal> =
            targets(&figures, &forecast(expected, outlook), &settings).into_iter().collect();
        round(&mut alarms, &signals, at(hours * 3_600))
    };
    assert!(look(Some(96.0), Outlook::AtRisk, 5, 0).is_empty(), "short by four hundredths of five");
    assert!(look(None, Outlook::Unknown, 5, 1).is_empty());
    assert_eq!(look(Some(95.0), Outlook::AtRisk, 5, 2), ["+target"]);
    assert!(look(Some(96.0), Outlook::AtRisk, 5, 3).is_empty(), "nearer by two hundredths first");
    assert!(look(Some(98.0), Outlook::AtRisk, 5, 4).is_empty(), "for a day");
    assert_eq!(look(Some(98.0), Outlook::AtRisk, 5, 28), ["-target"]);
    assert_eq!(look(Some(99.9), Outlook::AtRisk, 0, 30), ["+target"], "0: by anything");
    assert!(look(Some(101.0), Outlook::OnTrack, 0, 31).is_empty());
    assert_eq!(look(Some(101.0), Outlook::OnTrack, 0, 55), ["-target"]);
}
