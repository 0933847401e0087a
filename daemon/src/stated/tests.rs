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

#[test]
fn a_value_that_decides_nothing_is_told_with_its_band() {
    let catalog = config::Catalog::embedded().unwrap();
    let (it, en) = (catalog.texts("it"), catalog.texts("en"));
    let mut row = row();
    row.result.verdict = Verdict::Undetermined;
    (row.result.achieved, row.result.low, row.result.high) = (Some(1_030.0), Some(-30.0), Some(1_130.3));
    let unit = row.result.definition.unit.symbol();
    assert_eq!(
        note_of(&row, &it),
        format!(
            "Esito non determinabile dai dati misurati: il valore sta tra -30,00 e 1.130,30 {unit}, l’obiettivo è \
             100,00 {unit}; si veda la relazione di monitoraggio."
        )
    );
    assert!(note_of(&row, &en).contains("between -30.00 and 1,130.30"), "{}", note_of(&row, &en));
    // Nothing was declared that it could be held against: that, and no band, is what is lacking.
    row.result.target = None;
    assert!(note_of(&row, &it).starts_with("Nessun valore dichiarato"), "{}", note_of(&row, &it));
    (row.result.achieved, row.result.low, row.result.high) = (None, None, None);
    assert!(note_of(&row, &it).starts_with("Valore non determinabile"), "{}", note_of(&row, &it));
    row.result.definition.measure = analytics::scheme::KpiMeasure::Stated;
    row.result.because = vec!["kpi.stated".to_owned()];
    assert!(note_of(&row, &it).ends_with("valore da dichiarare."), "{}", note_of(&row, &it));
}

#[test]
fn a_report_has_what_people_state_and_the_documents_of_its_indicators() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), store::StoreOptions::default()).unwrap();
    let (year, at) = (year(), Instant::from_seconds(1_770_000_000));
    let code = year.kpis[0].definition.code.clone();
    let state = |value| {
        let said = KpiValue {
            project: year.project.id.to_string(),
            year: year.year,
            code: code.clone(),
            value,
            unit: "MWh".to_owned(),
            measured: year.kpis[0].achieved,
            reason: "Rettifica".to_owned(),
            note: String::new(),
        };
        records::put_kpi_value(&store, &said, "A. Rossi", at).unwrap();
    };
    let paper = |title: &str, of: Option<i32>, kpi: Option<&str>| {
        let document = records::Document {
            project: year.project.id.to_string(),
            name: format!("{title}.pdf"),
            title: title.to_owned(),
            mime: String::new(),
            bytes: 0,
            sha256: String::new(),
            year: of,
            kpi: kpi.map(str::to_owned),
        };
        let bytes = format!("%PDF-1.7\n{title}\n%%EOF\n");
        records::add_document(&store, document, bytes.as_bytes(), "a", at).unwrap();
    };
    let mut beside = Beside::default();
    put_beside(&store, &year, &mut beside).unwrap();
    assert!(beside.stated.is_empty() && beside.papers.is_empty());
    state(Some(15.0));
    paper("attestato", Some(year.year), Some(&code));
    paper("perizia", None, Some(&code));
    paper("vecchio", Some(year.year - 1), Some(&code));
    paper("altro", Some(year.year), None);
    put_beside(&store, &year, &mut beside).unwrap();
    let stated = StatedValue {
        code: code.clone(),
        value: 15.0,
        reason: "Rettifica".to_owned(),
        author: "A. Rossi".to_owned(),
        date: at.day(year.project.zone),
    };
    assert_eq!(beside.stated, [stated]);
    let titles: Vec<&str> = beside.papers.iter().map(|paper| paper.title.as_str()).collect();
    assert_eq!(titles, ["attestato", "perizia"]);
    // Taken back: nothing stands beside what was measured.
    state(None);
    put_beside(&store, &year, &mut beside).unwrap();
    assert!(beside.stated.is_empty());
}

#[test]
fn a_value_that_its_two_decimals_hide_is_told_in_the_note_beside_it() {
    let year = year();
    let of = |value: f64, note: &str, language: &str| {
        let mut row = stated(Some(value), note);
        row.result.target = Some(value);
        let texts = config::Catalog::embedded().unwrap().texts(language);
        lines(&[row], &year.scheme, &texts, EnergyUnit::Scheme).swap_remove(0).0
    };
    let unit = unit_symbol(row().result.definition.unit.symbol());
    let line = of(0.0049, "Nota del gestore.", "it");
    let says = format!("Con due decimali il valore non si legge per intero: è 0,0049 {unit}.");
    assert_eq!((&*line.post, line.note), ("0,00", format!("Nota del gestore. {says}")));
    let line = of(0.0049, "Own note.", "en");
    assert!(line.note.ends_with(&format!("it is 0.0049 {unit}.")), "{}", line.note);
    assert_eq!(of(12.345, "Nota del gestore.", "it").note, "Nota del gestore.");
}

#[test]
fn a_document_is_advised_where_either_value_misses() {
    // Half of the target measured.
    let is = |row: Row| (row.post_verdict(), row.is_missed());
    assert_eq!(is(row()), (Verdict::Missed, true));
    assert_eq!(is(stated(Some(120.0), "")), (Verdict::Reached, true));
    let reached = |value: Option<f64>| {
        let mut row = stated(value, "");
        (row.result.achieved, row.result.verdict) = (Some(117.15), Verdict::Reached);
        row
    };
    assert_eq!(is(reached(Some(41.996))), (Verdict::Missed, true));
    assert_eq!(is(reached(Some(100.0))), (Verdict::Reached, false));
    assert_eq!(is(reached(None)), (Verdict::Reached, false), "taken back");
    // What stands a hair below the target is not printed as standing on it.
    let kpi = row().result;
    assert!((kpi.printed(99.996, 2) - 99.99).abs() < 1e-9 && (kpi.printed(100.0, 2) - 100.0).abs() < 1e-9);
}
