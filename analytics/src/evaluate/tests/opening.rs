//! Baselines that follow the opening of their building: recovered, withheld where nobody stated it, frozen, told.
//!
//! Must never: hold a calendar that the planted use does not follow.

use model::UseDriver;

use super::*;
use crate::evaluate::laws::{Frozen, laws};
use crate::explain::{Evidence, explain};

fn planted(entries: &[OpeningHours]) -> f64 {
    Month::all_of(2025).iter().map(|&m| sum_days(m, |d| driven_litres(entries, d))).sum::<f64>() / 1000.0
}

/// The planted calendar until the works, then on these days of the week.
fn since_2024(week: [bool; 7]) -> Vec<OpeningHours> {
    let all = calendar();
    let [before] = all.as_slice() else { panic!("one entry") };
    let after = OpeningHours { from: day("2024-01-01"), week, ..before.clone() };
    vec![OpeningHours { to: Some(day("2024-01-01")), ..before.clone() }, after]
}

const ALSO_SATURDAYS: [bool; 7] = [true, true, true, true, true, true, false];
const THREE_DAYS: [bool; 7] = [true, true, true, false, false, false, false];

fn with_input<R>(case: &Case, f: impl FnOnce(&YearInput<'_>) -> R) -> R {
    f(&YearInput {
        project: Arc::new(case.project.clone()),
        scheme: Arc::new(case.scheme.clone()),
        factors: Arc::new(case.factors.clone()),
        year: 2025,
        until: case.until,
        meters: case.meters.clone(),
        temperatures: &case.temperatures,
        neighbour: None,
        places: Vec::new(),
        catalog: Digest([7; 32]),
        frozen: case.frozen.clone(),
        adjustments: Vec::new(),
    })
}

#[test]
fn the_planted_opening_is_recovered_and_a_change_of_opening_is_no_saving() {
    for (week, raises) in [(calendar()[0].week, false), (ALSO_SATURDAYS, true), (THREE_DAYS, false)] {
        let entries = since_2024(week);
        let truth = planted(&entries);
        for share in [1.0, 0.88] {
            let year = Case::opened(entries.clone(), share).year();
            let totals = &only(&year).totals;
            assert!(near(totals.avoided / truth, 1.0 - share, 0.002), "{week:?} {share}: {totals:?}");
            assert!(totals.avoided_low <= (1.0 - share) * truth, "{totals:?}");
            let Baseline::Fitted(model) = &only(&year).baseline else { panic!("{:?}", codes(&year)) };
            assert_eq!((model.method, model.drivers.len()), ("drivers", 1));
            let driver = model.drivers[0];
            assert_eq!(driver.driver, UseDriver::OpeningHours);
            assert!(near(driver.coefficient, 5.0, 0.05), "{model:?}");
            assert_eq!(model.heating_base_c, Some(15.0));
            // The weekdays and holidays of another year fall otherwise; that alone is no caution.
            let told = year.findings.iter().find(|f| f.code == "calendar.raises").map(|f| f.severity);
            assert_eq!(told == Some(Severity::Caution), raises, "{told:?}");
            assert_eq!(told.is_none(), week == THREE_DAYS, "{told:?}");
        }
    }
    // The weather alone would take the closed days for a saving.
    let mut blind = Case::opened(since_2024(THREE_DAYS), 1.0);
    blind.project.terms.baseline = model::BaselineMethod::Auto;
    let year = blind.year();
    assert!(0.1 < only(&year).totals.avoided / planted(&since_2024(THREE_DAYS)), "{:?}", only(&year).totals);
}

#[test]
fn what_the_calendar_adds_is_told_in_energy() {
    let entries = since_2024(ALSO_SATURDAYS);
    let year = Case::opened(entries.clone(), 0.88).year();
    let finding = year.findings.iter().find(|f| f.code == "calendar.raises").expect("it raises");
    // 5 Smc for each hour that the year has more than the baseline's.
    let hours = |year: i32| -> f64 {
        let (from, to) = (Month { year, number: 1 }.first_day(), Month { year, number: 12 }.end_day());
        crate::calendar::sum(&entries, UseDriver::OpeningHours, from, to).unwrap()
    };
    let more = 5.0 * (hours(2025) - hours(2023));
    let told: f64 = finding.values.iter().find(|(name, _)| *name == "energy").unwrap().1.parse().unwrap();
    assert!(0.0 < more && near(told / more, 1.0, 0.01), "{told} {more}");
    assert!(result(&year, "final").because.contains(&"calendar.raises".to_owned()));
}

#[test]
fn a_month_whose_opening_nobody_stated_is_not_compared() {
    let mut case = Case::school(0.5);
    case.project.buildings[0].opening[0].to = Some(day("2025-10-16"));
    let year = case.year();
    let missing: Vec<_> = year.findings.iter().filter(|f| f.code == "calendar.missing").collect();
    assert_eq!(missing.len(), 3, "October, November, December");
    assert!(missing.iter().all(|f| f.severity == Severity::Blocks));
    let compared: Vec<bool> = only(&year).months.iter().map(|m| m.avoided.is_some()).collect();
    assert_eq!(compared, [true, true, true, true, true, true, true, true, true, false, false, false]);
    assert_eq!(result(&year, "final").verdict, Verdict::Undetermined);
    // What is compared counts as before: its band is of these months.
    let whole = Case::school(0.5).year();
    assert!(only(&year).totals.avoided < only(&whole).totals.avoided);
}

#[test]
fn without_the_baselines_calendar_there_is_no_baseline() {
    let mut case = Case::school(0.5);
    case.project.buildings[0].opening[0].from = day("2023-01-10");
    let year = case.year();
    let Baseline::Fitted(model) = &only(&year).baseline else { panic!("{:?}", codes(&year)) };
    assert_eq!(model.quality.n, 11);
    assert!(codes(&year).contains(&"driver.missing") && codes(&year).contains(&"baseline.short"));
    case.project.buildings[0].opening[0].from = day("2024-01-01");
    let year = case.year();
    assert!(matches!(only(&year).baseline, Baseline::Unknown));
    assert!(year.kpis.iter().all(|k| k.verdict != Verdict::Reached), "{:?}", year.kpis);
}

#[test]
fn an_accepted_baseline_keeps_its_coefficients_and_takes_the_calendar_of_now() {
    let mut case = Case::school(0.88);
    let before = case.year();
    let now = with_input(&case, laws);
    case.frozen = vec![Frozen {
        meter: now[0].meter.clone(),
        fitted: now[0].baseline.as_deref().unwrap().clone(),
        inputs: now[0].inputs,
        rules: RULES.to_owned(),
        author: "tecnico".to_owned(),
        accepted_at: Instant::from_seconds(1_700_000_000),
        replaced: Vec::new(),
    }];
    let accepted = case.year();
    assert_eq!(only(&accepted).totals, only(&before).totals, "accepted as it was");
    assert!(!codes(&accepted).contains(&"baseline.inputs_changed"));
    // The reporting year's calendar is edited: the law stands, what it gives follows, and the digest says so.
    case.project.buildings[0].opening = since_2024(ALSO_SATURDAYS);
    let edited = case.year();
    assert!(only(&accepted).totals.adjusted_baseline < only(&edited).totals.adjusted_baseline);
    let law = |year: &ProjectYear| format!("{:?}", only(year).baseline);
    assert_eq!(law(&edited), law(&accepted));
    assert_ne!(edited.provenance.inputs, accepted.provenance.inputs);
    assert!(!codes(&edited).contains(&"baseline.inputs_changed"));
    assert!(codes(&edited).contains(&"calendar.raises"));
    // The baseline's own calendar is edited: the law stands, and it is told.
    let mut opening = calendar();
    opening[0].closed.push(Stretch::Once(day("2023-03-01"), day("2023-04-01")));
    case.project.buildings[0].opening = opening;
    let edited = case.year();
    assert_eq!(only(&edited).totals, only(&accepted).totals);
    assert!(codes(&edited).contains(&"baseline.inputs_changed"));
}

#[test]
fn opening_far_beyond_the_baselines_is_told() {
    let mut entries = since_2024([true; 7]);
    (entries[1].hours_per_day, entries[1].closed) = (24.0, Vec::new());
    entries[1].open_on_holidays = true;
    let year = Case::opened(entries, 0.88).year();
    assert!(codes(&year).contains(&"driver.extrapolated"), "{:?}", codes(&year));
}

#[test]
fn the_chain_of_a_figure_names_the_opening_of_each_month() {
    let year = Case::school(0.88).year();
    for row in &only(&year).months {
        let Baseline::Fitted(model) = &only(&year).baseline else { panic!("no model") };
        let degree_days = row.heating_degree_days.unwrap();
        let days = f64::from(row.month.days());
        let sum =
            model.base_per_day * days + model.heating_per_degree_day * degree_days + row.drivers[0].energy;
        assert!(near(sum, row.adjusted_baseline.unwrap(), 1e-6), "{row:?}");
    }
    let chain = explain(&year, "kpi:final", &Evidence::default()).unwrap();
    assert!(chain.root.broken(1e-6).is_empty());
    let told = format!("{:?}", chain.root);
    assert_eq!(told.matches("\"explain.driver\"").count(), 12);
    assert_eq!(told.matches("\"explain.law.driver\"").count(), 1);
}
