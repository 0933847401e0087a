//! What is said of a frozen year when its figures change: each KPI, each meter's months, and only by the newest version.
//!
//! Must never: take the same figures for changed ones, or keep silent about a month because no KPI moved.

use std::sync::Arc;

use analytics::evaluate::{YearInput, evaluate};
use model::{Digest, Instant};

use super::*;
use crate::submissions::{Frozen, Stage};

/// The example project's year, without a single reading.
pub(crate) fn year() -> ProjectYear {
    let catalog = config::Catalog::embedded().unwrap();
    let text = include_str!("../../../../config/examples/project.toml");
    let (project, _) = config::parse_project(text, &catalog).unwrap();
    let meter =
        |m: &model::MeterFacts| analytics::evaluate::MeterInput::empty(m.id.clone(), m.carrier.base_unit());
    let input = YearInput {
        scheme: Arc::clone(catalog.scheme(&project.scheme).unwrap()),
        factors: Arc::clone(catalog.factor_set(&project.factor_set).unwrap()),
        year: 2025,
        until: chrono::NaiveDate::from_ymd_opt(2026, 1, 1).unwrap(),
        meters: project.meters().map(|(_, m)| meter(m)).collect(),
        temperatures: &[],
        neighbour: None,
        places: Vec::new(),
        catalog: Digest([0; 32]),
        frozen: Vec::new(),
        adjustments: Vec::new(),
        project: Arc::new(project),
    };
    let mut year = evaluate(&input);
    // Figures as if they had been measured.
    for (i, meter) in year.meters.iter_mut().enumerate() {
        for month in &mut meter.months {
            month.measured = Some(100.0 * (i as f64 + 1.0) + f64::from(month.month.number));
        }
    }
    year.meters[0].months[6].measured = None;
    for kpi in &mut year.kpis {
        kpi.achieved = Some(12.0);
    }
    year
}

/// The words of the authority's own system.
fn texts() -> Arc<Texts> {
    config::Catalog::embedded().unwrap().texts("it")
}

/// A version frozen on these figures.
fn frozen(year: &ProjectYear, version: u32) -> Submission {
    let kpi = |k: &analytics::result::KpiResult| FrozenKpi {
        code: k.definition.code.clone(),
        unit: k.definition.unit.symbol().to_owned(),
        achieved: k.achieved,
        best: k.best,
        post: k.achieved,
        verdict: k.verdict.code().to_owned(),
        typed_in: None,
    };
    let frozen = Frozen {
        at_ms: Instant::from_seconds(1_770_000_000).millis(),
        by: "a".to_owned(),
        files: Vec::new(),
        kpis: year.kpis.iter().map(kpi).collect(),
        meters: super::super::check::meters(year),
        catalog_sha256: None,
        inputs_sha256: Some(year.provenance.inputs.hex()),
        rules: None,
    };
    Submission {
        project: year.project.id.to_string(),
        obligation: "relazione-annuale".to_owned(),
        year: Some(year.year),
        version,
        why: None,
        stage: Stage::Frozen,
        attached: Vec::new(),
        lifted: Vec::new(),
        frozen: Some(frozen),
        signed: Vec::new(),
        sending: None,
        attempts: Vec::new(),
        receipts: Vec::new(),
        outcome: None,
    }
}

/// The same year after something arrived.
fn later(year: &ProjectYear) -> ProjectYear {
    let mut later = year.clone();
    later.provenance.inputs = Digest([9; 32]);
    later
}

fn said(submission: &Submission, now: &ProjectYear) -> Vec<(String, String)> {
    let found = differences(submission, now);
    found.iter().map(|f| (f.code.to_owned(), f.says.clone())).collect()
}

#[test]
fn nothing_is_said_where_no_figure_changed() {
    let then = year();
    assert!(!then.kpis.is_empty() && !then.meters.is_empty());
    let submission = frozen(&then, 1);
    assert_eq!(said(&submission, &then), []);
    // Readings came that change no digit that is reported.
    let mut now = later(&then);
    now.kpis[0].achieved = Some(12.004);
    now.meters[0].months[2].measured = now.meters[0].months[2].measured.map(|v| v + 0.04);
    assert_eq!(said(&submission, &now), []);
    // Another year and another project are none of its business.
    let mut other = now.clone();
    other.kpis[0].achieved = Some(0.0);
    other.year = 2024;
    assert_eq!(said(&submission, &other), []);
}

#[test]
fn a_kpi_that_changed_is_told_with_its_difference() {
    let then = year();
    let mut now = later(&then);
    now.kpis[0].achieved = Some(10.5);
    let code = &then.kpis[0].definition.code;
    let found = said(&frozen(&then, 1), &now);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, "submission.figures_changed");
    assert!(found[0].1.starts_with(&format!("{code} was frozen as 12.00 ")), "{found:?}");
    assert!(found[0].1.contains("would be 10.50 now (difference -1.50)"), "{found:?}");
    // Two decimals would say a difference that is not that of the values: 0.79, 0.81, +0.01.
    let mut then = then;
    then.kpis[0].achieved = Some(0.794);
    now.kpis[0].achieved = Some(0.806);
    let told = said(&frozen(&then, 1), &now);
    assert!(
        told[0].1.contains("frozen as 0.794 ") && told[0].1.contains("be 0.806 now (difference +0.012)"),
        "{told:?}"
    );
    // Known then, withheld now.
    now.kpis[0].achieved = None;
    assert!(said(&frozen(&then, 1), &now)[0].1.contains("would be - now"));
}

#[test]
fn a_month_that_moves_no_kpi_is_told_too() {
    let then = year();
    let mut now = later(&then);
    now.meters[0].months[2].measured = Some(250.0);
    now.meters[0].months[6].measured = Some(80.0);
    now.meters[0].months[7].measured = None;
    let found = said(&frozen(&then, 1), &now);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, "submission.months_changed");
    let list = "2025-03 103.0 -> 250.0, 2025-07 - -> 80.0, 2025-08 108.0 -> -";
    assert!(found[0].1.starts_with("3 months of ") && found[0].1.contains(list), "{found:?}");
    // A meter that the project no longer has.
    now.meters.remove(0);
    assert!(said(&frozen(&then, 1), &now)[0].1.starts_with("11 months of "));
}

#[test]
fn only_the_newest_frozen_version_is_compared() {
    let then = year();
    let mut now = later(&then);
    now.kpis[0].achieved = Some(10.5);
    let (old, new) = (frozen(&then, 1), frozen(&now, 2));
    let told = |all: &[Submission]| -> Vec<u32> {
        let changed = |s: &&&Submission| !differences(s, &now).is_empty();
        standing(all).iter().filter(changed).map(|s| s.version).collect()
    };
    assert_eq!(told(std::slice::from_ref(&old)), [1]);
    // A correction in the making has taken up nothing yet.
    let draft = Submission { frozen: None, stage: Stage::Draft, ..new.clone() };
    assert_eq!(told(&[old.clone(), draft]), [1]);
    assert!(told(&[old.clone(), new.clone()]).is_empty());
    // Another obligation's version takes nothing up.
    let other = Submission { obligation: "altro".to_owned(), ..new };
    assert_eq!(told(&[old, other]), [1]);
}

#[test]
fn a_paper_without_figures_is_not_out_of_date() {
    let then = year();
    let mut now = later(&then);
    now.kpis[0].achieved = Some(10.5);
    let submission = frozen(&then, 1);
    assert_eq!(said(&submission, &now).len(), 1);
    let system = Submission { obligation: "relazione-sistema".to_owned(), ..submission };
    assert_eq!(said(&system, &now), []);
}

/// The KPI with what a person stated of the first one.
fn rows(year: &ProjectYear, stated: Option<f64>) -> (tempfile::TempDir, Store, Vec<Row>) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), store::StoreOptions::default()).unwrap();
    let kpi = &year.kpis[0];
    let value = crate::records::KpiValue {
        project: year.project.id.to_string(),
        year: year.year,
        code: kpi.definition.code.clone(),
        value: stated,
        unit: kpi.definition.unit.symbol().to_owned(),
        measured: kpi.achieved,
        reason: "bolletta rettificata".to_owned(),
        note: String::new(),
    };
    crate::records::put_kpi_value(&store, &value, "a", Instant::from_seconds(1_770_000_000)).unwrap();
    let rows = stated::of_figures(&store, year.kpis.clone(), &year.project.id, year.year).unwrap();
    (dir, store, rows)
}

/// The same version with its first KPI as it was typed into the authority's system.
fn typed_in(mut submission: Submission, post: f64, reason: Option<&str>) -> Submission {
    let kpi = &mut submission.frozen.as_mut().unwrap().kpis[0];
    kpi.post = Some(post);
    let reason = reason.map(str::to_owned);
    kpi.typed_in = Some(crate::submissions::TypedIn { note: String::new(), reason });
    submission
}

#[test]
fn a_value_stated_after_it_was_typed_in_is_told() {
    let (then, texts) = (year(), texts());
    let code = &then.kpis[0].definition.code;
    let (_dir, store, now) = rows(&then, Some(15.0));
    // Measured then, stated now; and another value stated than before.
    for submission in
        [typed_in(frozen(&then, 1), 12.0, None), typed_in(frozen(&then, 1), 13.0, Some("bolletta"))]
    {
        let found = changes(&store, &texts, &submission, &then).unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].code, "submission.figures_changed");
        assert!(found[0].says.starts_with(&format!("{code} (Valore POST) was frozen as ")), "{found:?}");
        assert!(found[0].says.contains("would be 15.00 now"), "{found:?}");
    }
    // The same value again.
    assert!(restated(&typed_in(frozen(&then, 1), 15.0, Some("bolletta")), &now).is_empty());
    // Taken back: the measured value counts again.
    let (_dir, store, _) = rows(&then, None);
    let found = changes(&store, &texts, &typed_in(frozen(&then, 1), 15.0, Some("bolletta")), &then).unwrap();
    assert!(found[0].says.contains("would be 12.00 now"), "{found:?}");
    // A measured value that changes is told once, as a figure.
    let mut later = later(&then);
    later.kpis[0].achieved = Some(10.5);
    let found = changes(&store, &texts, &typed_in(frozen(&then, 1), 12.0, None), &later).unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(!found[0].says.contains("Valore POST"), "{found:?}");
}

#[test]
fn a_value_stated_after_the_documents_were_frozen_is_told() {
    let (then, texts) = (year(), texts());
    let code = &then.kpis[0].definition.code;
    let (_dir, store, now) = rows(&then, Some(15.0));
    let sheet = Submission { obligation: "scheda-indicatori".to_owned(), ..frozen(&then, 1) };
    let found = changes(&store, &texts, &sheet, &then).unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].code, "submission.figures_changed");
    let told = format!("{code} (Valore POST) was frozen as 12.00 ");
    assert!(found[0].says.starts_with(&told) && found[0].says.contains("would be 15.00 now"), "{found:?}");
    // The document that says so has taken it up; once it is taken back, the document is wrong again.
    let mut stated_then = sheet.clone();
    stated_then.frozen.as_mut().unwrap().kpis[0].post = Some(15.0);
    assert!(restated(&stated_then, &now).is_empty());
    let (_dir, taken_back, _) = rows(&then, None);
    assert_eq!(changes(&taken_back, &texts, &stated_then, &then).unwrap().len(), 1);
    assert!(changes(&taken_back, &texts, &sheet, &then).unwrap().is_empty());
    // A paper without figures says none of them.
    let system = Submission { obligation: "relazione-sistema".to_owned(), ..sheet };
    assert!(changes(&store, &texts, &system, &then).unwrap().is_empty());
}

#[test]
fn a_note_that_changed_alone_is_told_and_a_note_on_the_project_is_not() {
    let (then, texts) = (year(), texts());
    let (_dir, store, now) = rows(&then, Some(15.0));
    let mut submission = typed_in(frozen(&then, 1), 15.0, Some("bolletta rettificata"));
    let note = |submission: &mut Submission, words: String| {
        let kpi = &mut submission.frozen.as_mut().unwrap().kpis[0];
        kpi.typed_in.as_mut().unwrap().note = words;
    };
    note(&mut submission, stated::note_of(&now[0], &texts));
    let project = crate::records::Note {
        project: then.project.id.to_string(),
        year: Some(then.year),
        text: "sopralluogo".to_owned(),
    };
    crate::records::add_note(&store, &project, "a", Instant::from_seconds(1_780_000_000)).unwrap();
    assert!(changes(&store, &texts, &submission, &then).unwrap().is_empty());
    note(&mut submission, "Parole di prima".to_owned());
    let found = changes(&store, &texts, &submission, &then).unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].code, "submission.note_changed");
    assert!(CODES.contains(&found[0].code));
    assert!(
        texts.finding(&found[0]).contains("congelata come «Parole di prima» e oggi sarebbe «"),
        "{found:?}"
    );
    // With another value comes another note: it is told as the value's.
    submission.frozen.as_mut().unwrap().kpis[0].post = Some(13.0);
    let found = changes(&store, &texts, &submission, &then).unwrap();
    assert_eq!(found.iter().map(|f| f.code).collect::<Vec<_>>(), ["submission.figures_changed"]);
}

#[test]
fn what_was_frozen_before_months_were_kept_is_still_read() {
    let mut submission = frozen(&year(), 1);
    submission.frozen.as_mut().unwrap().meters.clear();
    let text = serde_json::to_string(&submission).unwrap();
    assert!(!text.contains("\"meters\""));
    assert_eq!(serde_json::from_str::<Submission>(&text).unwrap(), submission);
}
