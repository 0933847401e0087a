//! The region's table on small made-up cases.
//!
//! Must never: depend on the catalogue.

use model::{Intervention, ProjectId, SchemeId};

use super::*;

fn case(id: &str, year: i32, attainment: Option<f64>) -> Case {
    let verdict = match attainment {
        None => Verdict::Undetermined,
        Some(ratio) if 1.0 <= ratio => Verdict::Reached,
        Some(_) => Verdict::Missed,
    };
    let kpi = CaseKpi {
        code: "e".to_owned(),
        text: "kpi.e".to_owned(),
        measure: KpiMeasure::PrimaryEnergySaved,
        unit: KpiUnit::MegawattHour,
        target: Some(100.0),
        achieved: attainment.map(|a| a * 100.0),
        low: None,
        high: None,
        attainment_ratio: attainment,
        verdict,
        told: verdict.code(),
    };
    let mut case = Case {
        project: ProjectId::new(id).unwrap(),
        title: format!("Progetto {id}"),
        cup: "C1".to_owned(),
        beneficiary: format!("Comune di {id}"),
        scheme: SchemeId::new("bando").unwrap(),
        scheme_title: "Bando".to_owned(),
        municipality: "Torino".to_owned(),
        province: "TO",
        interventions: vec![Intervention::Envelope],
        year,
        complete: true,
        kpis: vec![kpi],
        coverage_ratio: Some(0.9),
        estimated_ratio: Some(0.1),
        blocking: 0,
        cautions: 0,
        duty: None,
        haystack: String::new(),
    };
    case.index();
    case
}

/// The same with something to be sent about it by a day.
fn due(case: Case) -> Case {
    let duty = CaseDuty {
        obligation: "relazione".to_owned(),
        text: "x".to_owned(),
        due: NaiveDate::from_ymd_opt(case.year + 1, 3, 31),
        days_left: Some(21),
        state: State::Due,
        sent: None,
    };
    Case { duty: Some(duty), ..case }
}

fn ids(cases: &[&Case]) -> Vec<String> {
    cases.iter().map(|c| format!("{}-{}", c.project, c.year)).collect()
}

#[test]
fn what_has_no_value_comes_last_both_ways() {
    let cases = [case("a", 2025, None), case("b", 2025, Some(0.4)), case("c", 2025, Some(1.2))];
    let sorted = |descending| {
        let query = Query { sort: Sort::Attainment, descending, ..Query::default() };
        ids(&select(&cases, &query))
    };
    assert_eq!(sorted(false), ["b-2025", "c-2025", "a-2025"]);
    assert_eq!(sorted(true), ["c-2025", "b-2025", "a-2025"]);
}

#[test]
fn filters_hold_together() {
    let mut late = case("b", 2025, Some(0.4));
    late.duty = Some(CaseDuty {
        obligation: "relazione".to_owned(),
        text: "x".to_owned(),
        due: None,
        days_left: Some(-3),
        state: State::Late,
        sent: None,
    });
    late.beneficiary = "Comune di Bra".to_owned();
    late.index();
    let cases = [case("a", 2024, Some(1.0)), late, case("c", 2025, None)];
    let of = |query: Query| ids(&select(&cases, &query));
    assert_eq!(of(Query { year: Some(2025), ..Query::default() }), ["b-2025", "c-2025"]);
    assert_eq!(of(Query { text: "COMUNE bra".to_owned(), ..Query::default() }), ["b-2025"]);
    assert_eq!(of(Query { due: Some(DueFilter::Late), ..Query::default() }), ["b-2025"]);
    assert_eq!(of(Query { due: Some(DueFilter::Within(60)), ..Query::default() }), Vec::<String>::new());
    assert_eq!(of(Query { verdict: Some(Verdict::Undetermined), ..Query::default() }), ["c-2025"]);
    assert_eq!(of(Query { attainment_below: Some(0.5), ..Query::default() }), ["b-2025"]);
    assert_eq!(
        of(Query { intervention: Some(Intervention::Lighting), ..Query::default() }),
        Vec::<String>::new()
    );
    assert_eq!(of(Query { measure: Some(KpiMeasure::Co2Avoided), ..Query::default() }), Vec::<String>::new());
}

#[test]
fn one_withheld_kpi_keeps_a_case_from_being_reached() {
    let mut both = case("a", 2025, Some(1.1));
    assert_eq!(both.verdict(), Verdict::Reached);
    let withheld = case("x", 2025, None).kpis;
    both.kpis.extend(withheld);
    assert_eq!(both.verdict(), Verdict::Undetermined);
    let missed = case("x", 2025, Some(0.2)).kpis;
    both.kpis.extend(missed);
    assert_eq!(both.verdict(), Verdict::Missed);
}

#[test]
fn sums_hold_only_what_is_known_on_both_sides() {
    let mut two = due(case("b", 2025, Some(0.5)));
    two.interventions.push(Intervention::Lighting);
    let cases = [due(case("a", 2025, Some(1.5))), two, due(case("c", 2025, None))];
    let all: Vec<&Case> = cases.iter().collect();
    let lines = groups(&all, Group::Intervention, None);
    let keys: Vec<_> = lines.iter().map(|l| (l.key.as_str(), l.cases)).collect();
    assert_eq!(keys, [("envelope", 3), ("lighting", 1)]);
    let envelope = &lines[0];
    assert_eq!((envelope.declared, envelope.achieved, envelope.left_out), (Some(200.0), Some(200.0), 1));
    assert_eq!((envelope.reached, envelope.missed, envelope.undetermined), (1, 1, 1));
    assert_eq!(envelope.median_attainment, Some(1.0));
    assert_eq!(lines[1].ratio(), Some(0.5));
}

#[test]
fn a_year_that_runs_and_one_without_an_obligation_are_no_failures() {
    let running = Case { complete: false, ..due(case("a", 2026, None)) };
    let mut waiting = due(case("a", 2023, None));
    waiting.duty.as_mut().unwrap().due = None;
    let cases = [running, due(case("a", 2025, None)), case("a", 2024, Some(0.3)), waiting];
    let all: Vec<&Case> = cases.iter().collect();
    let line = &groups(&all, Group::Scheme, None)[0];
    assert_eq!((line.reached, line.missed, line.undetermined, line.open, line.cases), (0, 0, 1, 3, 4));
    let closed = |closed| ids(&select(&cases, &Query { closed, ..Query::default() }));
    assert_eq!(closed(Some(true)), ["a-2025"]);
    assert_eq!(closed(Some(false)), ["a-2026", "a-2024", "a-2023"]);
    assert_eq!(closed(None).len(), 4);
}

#[test]
fn a_distribution_counts_every_case_once() {
    let ratios = [-0.2, 0.0, 0.3, 0.74, 0.899, 0.999, 1.0, 1.249, 3.0];
    let cases: Vec<Case> =
        ratios.iter().map(|r| case("a", 2025, Some(*r))).chain([case("b", 2025, None)]).collect();
    let all: Vec<&Case> = cases.iter().collect();
    let spread = distribution(&all, None);
    let counts: Vec<usize> = spread.bins.iter().map(|b| b.cases).collect();
    assert_eq!(counts, [1, 1, 1, 1, 1, 1, 2, 1]);
    assert_eq!(spread.without, 1);
}
