//! What the program says of a value in *Note*, where a person says nothing.
//!
//! Must never: let a stated value go out as a measured one.

use super::*;
use crate::submissions::late::tests::year;

/// The first KPI of the example, half of its target measured.
fn row() -> Row {
    let mut result = year().kpis.swap_remove(0);
    (result.target, result.achieved) = (Some(100.0), Some(50.0));
    (result.verdict, result.attainment_ratio) = (Verdict::Missed, Some(0.5));
    Row { result, stated: None }
}

fn stated(value: Option<f64>, note: &str) -> Row {
    let row = row();
    let code = row.result.definition.code.clone();
    let value = KpiValue {
        project: "p".to_owned(),
        year: 2025,
        code,
        value,
        unit: "MWh".to_owned(),
        measured: row.result.achieved,
        reason: "Rettifica del\ngestore.".to_owned(),
        note: note.to_owned(),
    };
    let record = Record {
        kind: "kpi_value".to_owned(),
        id: "p".to_owned(),
        version: 1,
        body: String::new(),
        author: "a".to_owned(),
        at: Instant::from_seconds(1_770_000_000),
    };
    Row { stated: Some((value, record)), ..row }
}

#[test]
fn the_note_is_about_the_value_that_goes_out() {
    let texts = config::Catalog::embedded().unwrap().texts("it");
    let missed =
        |percent: &str| format!("Obiettivo raggiunto al {percent} %; si veda la relazione di monitoraggio.");
    let reason = "Valore dichiarato in luogo di quello misurato, per questo motivo: Rettifica del gestore.";
    assert_eq!(note_of(&row(), &texts), missed("50,0"));
    assert_eq!(note_of(&stated(Some(70.0), ""), &texts), format!("{reason} {}", missed("70,0")));
    assert_eq!(note_of(&stated(Some(120.0), " "), &texts), reason, "nothing is missed any more");
    // A value that was taken back leaves what the figures say.
    assert_eq!(note_of(&stated(None, ""), &texts), missed("50,0"));
    assert_eq!(note_of(&stated(Some(70.0), "Parole mie"), &texts), "Parole mie");
    let mut unmeasured = stated(Some(3.0), "");
    (unmeasured.result.target, unmeasured.result.achieved) = (None, None);
    assert_eq!(
        note_of(&unmeasured, &texts),
        "Valore dichiarato, non misurato, per questo motivo: Rettifica del gestore."
    );
}
