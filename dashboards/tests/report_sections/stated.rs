//! Values that people state beside what was measured, in the sheet of indicators and in the annual report.
//!
//! Must never: take a person's value for a measured one in what it expects.

use analytics::report::AnnualOptions;
use analytics::report::annual;
use analytics::report::beside::{Beside, Paper, StatedValue};
use analytics::report::sheet::sheet;
use analytics::result::ProjectYear;
use analytics::scheme::KpiMeasure;

use super::{SAVINGS, section};
use crate::report_fixture::{day, texts, year};
use crate::{assert_says, said};

/// What a person states of these KPI.
fn stated(values: &[(&str, f64)]) -> Beside {
    let one = |(code, value): &(&str, f64)| StatedValue {
        code: (*code).to_owned(),
        value: *value,
        reason: "Rettifica del\ngestore.".to_owned(),
        author: "A. Rossi".to_owned(),
        date: day(2026, 3, 20),
    };
    Beside { stated: values.iter().map(one).collect(), ..Beside::default() }
}

fn sheet_of(year: &ProjectYear, beside: &Beside) -> String {
    said(&sheet(year, beside, &texts("it"), AnnualOptions::default()))
}

#[test]
fn the_sheet_prints_what_a_person_states_with_its_reason_and_the_measured_value_beside_it() {
    let mut year = year();
    let unmeasured = &mut year.kpis[1];
    unmeasured.definition.measure = KpiMeasure::Stated;
    unmeasured.because = vec!["kpi.stated".to_owned()];
    let before = sheet_of(&year, &Beside::default());
    assert_says(
        &before,
        &[
            "CO34 | Emissioni di CO₂ evitate | t | 4,50 | da dichiarare |",
            "CO34: valore da dichiarare; nessun contatore può misurarlo.",
        ],
    );
    assert!(!before.contains("CO34: valore non disponibile"), "{before}");
    let savings = section(&year, &Beside::default(), SAVINGS).expect("the section");
    assert!(savings.lines().any(|l| l.starts_with("CO34 –") && l.ends_with("| da dichiarare")), "{savings}");
    assert!(!before.contains('§') && !before.contains("Valore misurato"), "{before}");
    assert!(!before.contains("Documenti registrati"), "{before}");
    let paper = Paper {
        code: "CO34".to_owned(),
        title: "Attestati dopo i lavori".to_owned(),
        name: "ape.pdf".to_owned(),
    };
    let beside = Beside { papers: vec![paper], ..stated(&[("4.c.2", 21.5), ("CO34", 2.0)]) };
    let text = sheet_of(&year, &beside);
    assert_says(
        &text,
        &[
            "Codice | Indicatore | U.M. | Obiettivo | Conseguito | Valore misurato | Intervallo",
            "4.c.2 | Energia primaria non rinnovabile risparmiata | MWh | 60,00 | 21,50 § | 17,83 | 17,83 – 27,74",
            "CO34 | Emissioni di CO₂ evitate | t | 4,50 | 2,00 § | – | n.d.",
            "autoconsumo | Quota di autoconsumo | % | 80,00 | 86,50 | 86,50 |",
            "Il segno § indica un valore dichiarato da una persona",
            "4.c.2: 21,50 MWh, dichiarato da A. Rossi il 20/03/2026. Motivo: Rettifica del gestore.",
            "CO34: 2,00 t, dichiarato da A. Rossi il 20/03/2026. Motivo: Rettifica del gestore.",
            "Documenti registrati per gli indicatori:\nCO34: Attestati dopo i lavori (ape.pdf)",
        ],
    );
    assert!(!text.contains("nessuno lo ha dichiarato"), "{text}");
}

/// A plant of 4.9 kW in a unit of a thousand kW.
#[test]
fn a_small_value_in_a_large_unit_keeps_its_digits_in_every_paper() {
    let mut year = year();
    let kpi = &mut year.kpis[0];
    kpi.definition.unit = analytics::scheme::KpiUnit::Megawatt;
    (kpi.target, kpi.achieved, kpi.best) = (Some(0.0049), Some(0.0049), Some(0.0049));
    (kpi.low, kpi.high, kpi.better) = (Some(0.0048), Some(0.005), Some(0.005));
    (kpi.attainment_ratio, kpi.verdict) = (Some(1.0), analytics::result::Verdict::Reached);
    let row = "| MW | 0,0049 | 0,0049 | 0,0048 – 0,0050";
    assert_says(&sheet_of(&year, &Beside::default()), &[row]);
    let savings = section(&year, &Beside::default(), SAVINGS).expect("the section");
    assert_says(&savings, &["[MW] | 0,0049 | 0,0049 | 0,0049 | 0,0048 – 0,0050 | 100,0 % | raggiunto"]);
    let text = said(&annual(&year, &Beside::default(), &texts("it"), AnnualOptions::default()));
    assert_says(&text, &["0,0049 MW"]);
    assert!(!text.contains("0,00 MW"), "{text}");
    // A value that a person states counts for the decimals of all.
    let text = sheet_of(&year, &stated(&[("4.c.2", 0.004_75)]));
    assert_says(&text, &["| MW | 0,00490 | 0,00475 § | 0,00490 | 0,00480 – 0,00500"]);
}

#[test]
fn the_annual_report_keeps_the_measured_value_and_judges_by_it() {
    let plain = section(&year(), &Beside::default(), SAVINGS).expect("the section");
    assert!(!plain.contains('§') && !plain.contains("Valore POST"), "{plain}");
    let beside = stated(&[("4.c.2", 21.5), ("CO34", 5.0)]);
    let says = section(&year(), &beside, SAVINGS).expect("the section");
    assert_says(
        &says,
        &[
            "Indicatore | Obiettivo | Conseguito | Valore POST | Stima migliore",
            "4.c.2 – Energia primaria non rinnovabile risparmiata [MWh] | 60,00 | 17,83 | 21,50 § | 22,84 | 17,83 – 27,74 | 29,7 % | non raggiunto",
            "CO34 – Emissioni di CO₂ evitate [t] | 4,50 | n.d. | 5,00 § | n.d. | n.d. | n.d. | non determinabile",
            "4.c.2: 21,50 MWh, dichiarato da A. Rossi il 20/03/2026. Motivo: Rettifica del gestore.",
            "! caution CO34: valore misurato non disponibile. Motivo: ",
        ],
    );
    let text = said(&annual(&year(), &beside, &texts("it"), AnnualOptions::default()));
    let summary = "(29,7 %). Obiettivo non raggiunto. Valore dichiarato da una persona: 21,50 MWh.";
    assert_says(&text, &[summary]);
}

#[test]
fn what_is_to_be_declared_is_told_by_the_same_words_in_both_years() {
    let mut year = year();
    let to_state = |kpi: &mut analytics::result::KpiResult| {
        kpi.definition.measure = KpiMeasure::Stated;
        (kpi.achieved, kpi.low, kpi.high, kpi.best) = (None, None, None, None);
        kpi.because = vec!["kpi.stated".to_owned()];
    };
    to_state(&mut year.kpis[1]);
    let mut former = crate::report_beside::former();
    to_state(&mut former.kpis[1]);
    let beside = Beside { former: Some(Box::new(former)), ..Beside::default() };
    let changes =
        |beside: &Beside| section(&year, beside, "Che cosa è cambiato rispetto all’anno precedente");
    let line = |beside: &Beside| {
        let said = changes(beside).expect("the section");
        said.lines().find(|l| l.starts_with("CO34 –")).expect("the KPI").to_owned()
    };
    let open = line(&beside);
    assert_eq!(open.matches("da dichiarare").count(), 2, "{open}");
    assert!(!open.contains("non determinabile"), "{open}");
    // Once a person declared it, it is declared: in the one year, and in the one before.
    let declared = Beside { former_stated: vec!["CO34".to_owned()], ..beside };
    let said = line(&declared);
    assert!(said.contains("| dichiarato |") && said.ends_with("| da dichiarare"), "{said}");
    let both = Beside { stated: stated(&[("CO34", 2.0)]).stated, ..declared };
    let said = line(&both);
    assert_eq!(said.matches("dichiarato").count(), 2, "{said}");
}
