//! Offices by the day, sound and garbled.
//!
//! Must never: use random numbers that are not the same on every run.

use chrono::Days;
use model::{DailyTemperature, StationId};

use super::*;
use crate::analysis::{Answer, MeterPeriod, Method, analyse};
use crate::baseline::caltrack::Terms;
use crate::baseline::data::Grid;
use crate::degree_days::DailyMeans;
use crate::noise::noise;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn mean_c(date: NaiveDate) -> f64 {
    let n = (date - day("2023-01-01")).num_days();
    13.0 - 11.0 * ((n as f64 - 15.0) / 365.25 * std::f64::consts::TAU).cos() + 3.0 * noise(n.unsigned_abs())
}

fn weather() -> DailyMeans {
    let station = StationId::new("s").unwrap();
    let days = day("2023-01-01").iter_days().take(731);
    let list: Vec<DailyTemperature> =
        days.map(|date| DailyTemperature::as_given(station.clone(), date, mean_c(date))).collect();
    DailyMeans::of(&list, &station)
}

/// A building by the day: 2023 before, 2024 after.
#[derive(Debug, Clone, Copy)]
struct Office {
    base: f64,
    heating: f64,
    cooling: f64,
    /// What is left of the use on Saturdays, Sundays and holidays.
    closed: f64,
    after: f64,
    scatter: f64,
    seed: u64,
}

const OFFICE: Office =
    Office { base: 100.0, heating: 1.5, cooling: 3.0, closed: 0.3, after: 1.0, scatter: 0.15, seed: 0 };

impl Office {
    fn days(self) -> Vec<MeterPeriod> {
        let mut slow = 0.0;
        let mut of = |i: u64| {
            let from = day("2023-01-01") + Days::new(i);
            let law = self.base
                + self.heating * (15.0 - mean_c(from)).max(0.0)
                + self.cooling * (mean_c(from) - 20.0).max(0.0);
            let is_closed = 5 <= from.weekday().num_days_from_monday() || calendar::is_holiday(from);
            slow = 0.3 * slow + self.scatter * noise(self.seed * 7_919 + i);
            let times = if is_closed { self.closed } else { 1.0 }
                * if from.year() == 2023 { 1.0 } else { self.after };
            MeterPeriod { from, to: from + Days::new(1), value: Some((law * times * (1.0 + slow)).max(0.0)) }
        };
        (0..731).map(&mut of).collect()
    }
}

fn ask(periods: &[MeterPeriod], method: Method) -> Answer {
    analyse(&Question {
        subject: "meter:x",
        periods,
        temperatures: &weather(),
        baseline: Window { from: day("2023-01-01"), to: day("2024-01-01") },
        reporting: Window { from: day("2024-01-01"), to: day("2025-01-01") },
        method,
        grid: Grid::CELSIUS_HALF,
        terms: Terms::HeatingAndCooling,
        confidence: 0.9,
        normal: None,
    })
}

fn told(answer: &Answer, code: &str) -> Option<String> {
    let found = answer.findings.iter().find(|f| f.code == code && f.subject.ends_with("reporting"));
    found.map(|f| f.says.clone())
}

fn low(answer: &Answer) -> f64 {
    answer.reporting.unwrap().avoided_low
}

/// What a day becomes.
type Harm<'a> = (&'a str, &'a str, &'a dyn Fn(NaiveDate, f64) -> f64);

#[test]
fn garbled_days_are_seen_before_they_are_joined_to_months() {
    let sound = OFFICE.days();
    let wednesday = |d: NaiveDate| d.weekday() == chrono::Weekday::Wed;
    let harms: [Harm<'_>; 4] = [
        ("negated", "energy.negative", &|d, v| if wednesday(d) { -v } else { v }),
        ("zero", "reporting.zero", &|d, v| if wednesday(d) { 0.0 } else { v }),
        ("a digit lost", "reporting.doubtful", &|d, v| if d.ordinal() % 12 == 3 { v / 10.0 } else { v }),
        ("halved", "reporting.doubtful", &|d, v| if d.ordinal() % 6 == 3 { v / 2.0 } else { v }),
    ];
    for method in [Method::Auto, Method::Averaged, Method::CaltrackMonthly, Method::CaltrackDaily] {
        let plain = ask(&sound, method);
        let whole = plain.reporting.unwrap().adjusted_baseline;
        assert!(plain.findings.iter().all(|f| f.code != "reporting.doubtful"), "{:?}", plain.findings);
        for (name, code, harm) in harms {
            let mut garbled = sound.clone();
            let hit = garbled.iter_mut().filter(|p| p.from.year() == 2024);
            hit.for_each(|p| p.value = p.value.map(|v| harm(p.from, v)));
            let answer = ask(&garbled, method);
            assert!(told(&answer, code).is_some(), "{name} {method:?}: {:?}", answer.findings);
            let off = (low(&answer) - low(&plain)) / whole;
            assert!((-0.06..0.02).contains(&off), "{name} {method:?}: {off} {:?}", answer.findings);
        }
    }
}

#[test]
fn a_zero_on_a_working_day_is_not_explained_by_idle_sundays() {
    let idle = Office { closed: 0.0, ..OFFICE }.days();
    let plain = ask(&idle, Method::Auto);
    assert_eq!(told(&plain, "reporting.zero"), None);
    let mut garbled = idle;
    let working = |p: &&mut MeterPeriod| {
        let wednesday = p.from.weekday() == chrono::Weekday::Wed && !calendar::is_holiday(p.from);
        p.from.year() == 2024 && wednesday
    };
    garbled.iter_mut().filter(working).take(40).for_each(|p| p.value = Some(0.0));
    let says = told(&ask(&garbled, Method::Auto), "reporting.zero").unwrap();
    assert!(says.starts_with("40 reporting days, the first 2024-01-03"), "{says}");
}

/// A window that bills lost their ends of is told, and a year of bills is not.
#[test]
fn a_reporting_period_that_is_no_year_is_told() {
    let asked = |to: &str| {
        let mut findings = Vec::new();
        let window = Window { from: day("2024-01-01"), to: day(to) };
        screen::tell_year("meter:x", window, &mut findings);
        findings.into_iter().map(|f| (f.severity, f.says)).next()
    };
    for year in ["2025-01-01", "2024-12-20", "2025-01-10", "2026-01-01"] {
        assert_eq!(asked(year), None, "{year}");
    }
    let (severity, says) = asked("2024-11-01").unwrap();
    assert_eq!(severity, Severity::Caution);
    assert!(says.contains("305 days: 60 of a year lack"), "{says}");
    assert_eq!(asked("2025-06-01").unwrap().0, Severity::Note);
}

/// At most three in a hundred sound meters are doubted at all.
#[test]
fn a_week_is_no_doubt() {
    let mut doubted = Vec::new();
    for seed in 0..100 {
        let pick =
            |of: u64, from: f64, to: f64| from + (to - from) * f64::midpoint(1.0, noise(seed * 31 + of));
        let office = Office {
            base: pick(1, 20.0, 100.0),
            heating: if seed % 3 == 1 { 0.0 } else { pick(2, 1.0, 9.0) },
            cooling: if seed % 3 == 2 { 0.0 } else { pick(3, 1.0, 12.0) },
            closed: pick(4, 0.2, 0.9),
            after: pick(5, 0.6, 1.0),
            scatter: pick(6, 0.08, 0.35),
            seed,
        };
        let method = [Method::Auto, Method::CaltrackDaily][usize::from(seed % 2 == 1)];
        let answer = ask(&office.days(), method);
        let found = answer.findings.iter().filter(|f| f.code.starts_with("reporting."));
        doubted.extend(found.map(|f| format!("{seed} {office:?} {}", f.says)).next());
    }
    assert!(doubted.len() <= 3, "{doubted:#?}");
}

/// Days garbled at random never raise the lower bound by more than two hundredths of the adjusted baseline without a word.
#[test]
fn harm_at_random_raises_no_bound_in_silence() {
    for seed in 0..60_u64 {
        let unit = |of: u64| f64::midpoint(1.0, noise(seed * 131 + of));
        let closed = [1.0, 0.3][usize::from(seed % 2 == 1)];
        let office = Office { heating: 9.0 * unit(1), closed, after: 0.7 + 0.3 * unit(2), seed, ..OFFICE };
        let sound = office.days();
        let times = [0.0, -1.0, 0.1, 0.01, 0.5][(seed % 5) as usize];
        let one_in = [4, 10, 40, 150][(seed / 5 % 4) as usize];
        let mut garbled = sound.clone();
        for (i, p) in garbled.iter_mut().enumerate().skip(365) {
            if noise(seed * 17 + i as u64 * 1_009) < 2.0 / f64::from(one_in) - 1.0 {
                p.value = p.value.map(|v| times * v);
            }
        }
        let (plain, answer) = (ask(&sound, Method::Auto), ask(&garbled, Method::Auto));
        let off = (low(&answer) - low(&plain)) / plain.reporting.unwrap().adjusted_baseline;
        let said = ["reporting.zero", "reporting.doubtful", "energy.negative", "reporting.unit"];
        let silent = said.iter().all(|code| told(&answer, code).is_none());
        assert!(off < if silent { 0.02 } else { 0.05 }, "{seed}: {off} {office:?} x {times} 1 in {one_in}");
    }
}

/// Baseline days that are far too high here and there make no saving of a year without such.
#[test]
fn single_baseline_days_that_are_far_too_high_are_told_and_save_nothing_for_sure() {
    let flat = Office { heating: 0.0, cooling: 0.0, closed: 1.0, scatter: 0.2, ..OFFICE };
    for one_in in [3.7, 10.0] {
        for method in [Method::Auto, Method::Averaged, Method::CaltrackDaily] {
            let sound = flat.days();
            let hit = |i: usize| noise(i as u64 * 1_009 + 7) < 2.0 / one_in - 1.0;
            let mut garbled = sound.clone();
            for (i, p) in garbled.iter_mut().enumerate().take(365) {
                p.value = p.value.map(|v| if hit(i) { 3.0 * v } else { v });
            }
            let (plain, answer) = (ask(&sound, method), ask(&garbled, method));
            let extreme =
                |answer: &Answer| answer.findings.iter().filter(|f| f.code == "energy.extreme").count();
            assert_eq!((extreme(&plain), extreme(&answer)), (0, 1), "{method:?} 1 in {one_in}");
            let off = (low(&answer) - low(&plain)) / plain.reporting.unwrap().adjusted_baseline;
            assert!(off < 0.02, "{method:?} 1 in {one_in}: {off}");
            // The building's own way, where the year after has as many.
            let mut both = garbled;
            for (i, p) in both.iter_mut().enumerate().skip(365) {
                p.value = p.value.map(|v| if hit(i) { 3.0 * v } else { v });
            }
            let told = |f: &&Finding| f.says.contains("as no reporting days did");
            assert_eq!(ask(&both, method).findings.iter().find(told), None, "{method:?} 1 in {one_in}");
        }
    }
}
