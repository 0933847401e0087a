//! What the annual report says where a part is lacking: months measured in part, sums of a few months, savings in doubt.
//!
//! Must never: take a part for the whole in what it expects.

use analytics::report::beside::Beside;
use analytics::report::document::{Block, ChartKind, Document};
use analytics::report::{AnnualOptions, annual};
use analytics::result::{ProjectYear, Verdict};
use model::{Finding, Severity};

use super::{SAVINGS, section};
use crate::report_beside::beside;
use crate::report_fixture::{texts, year};
use crate::{assert_says, said};

/// The year with a June of which the supply's meter measured 27 %.
fn short_june() -> ProjectYear {
    let mut year = year();
    let power = &mut year.meters[1];
    let june = &mut power.months[5];
    (june.measured, june.measured_low, june.measured_high) = (Some(758.7), Some(758.7), Some(22_000.0));
    (june.coverage_ratio, june.avoided) = (0.27, None);
    (power.totals.compared_months, power.totals.measured) = (11, 37_842.3);
    year
}

fn document(year: &ProjectYear, beside: &Beside) -> Document {
    annual(year, beside, &texts("it"), AnnualOptions::default())
}

#[test]
fn a_month_measured_in_part_is_never_told_as_a_month() {
    let document = document(&short_june(), &beside());
    let text = said(&document);
    assert_says(
        &text,
        &[
            "giugno | 758,7 ‡ | 200,0",
            "Totale delle parti misurate | 37.842,3 ‡ | 1.480,0",
            "‡ misura incompleta",
            "Almeno un mese rendicontato è misurato solo in parte per: Fornitura elettrica scuola Nord.",
            "quello di minor consumo agosto (1.190,0 kWh)",
            "mesi con dati completi 11 su 12",
            "Energia elettrica da rete | 11 su 12 | 37.",
            "Fornitura elettrica scuola Nord [kWh] | 40.893,6 | 37.842,3 ‡ | n.d. | 2.306,4 | 3.306,4 ‡ (mesi: 11)",
            "giugno 2025 | Fornitura elettrica scuola Nord | letture mancanti: misurato il 27,0 % del tempo |",
        ],
    );
    for untrue in ["minor consumo giugno (758", "Ogni mese rendicontato è stato misurato", "| 12 su 12 | 37."]
    {
        assert!(!text.contains(untrue), "{untrue}");
    }
    // A column of its own, apart from what was measured of whole months.
    let blocks = || document.sections.iter().flat_map(|s| &s.blocks);
    let charts = blocks().filter_map(|b| if let Block::Chart(chart) = b { Some(&chart.kind) } else { None });
    let mut drawn = 0;
    for kind in charts {
        let ChartKind::MonthlyColumns { columns, .. } = kind else { continue };
        let of = |name: &str| columns.iter().find(|c| c.name == name).map(|c| c.values[5]);
        if let Some(part) = of("misura incompleta") {
            assert_eq!((part, of("misurato")), (Some(758.7), Some(Some(0.0))));
            drawn += 1;
        }
    }
    assert_eq!(drawn, 2, "of the measurements, and of the saving");
}

#[test]
fn a_month_estimated_to_the_whole_stays_a_month() {
    let text = said(&document(&year(), &beside()));
    assert_says(&text, &["marzo | 316,0 *\n", "Totale | 39.893,6 | 1.480,0"]);
    assert!(!text.contains("316,0 *‡") && !text.contains("solo in parte per"), "{text}");
}

#[test]
fn a_saving_of_three_months_is_marked_beside_one_of_twelve() {
    let mut beside = beside();
    let former = beside.former.as_mut().expect("a year before");
    former.meters[1].totals.compared_months = 3;
    let says = section(&year(), &beside, "Che cosa è cambiato rispetto all’anno precedente").expect("it");
    assert_says(
        &says,
        &[
            "Fornitura elettrica scuola Nord [kWh] | 40.893,6 | 39.893,6 | −2,4 % | 2.306,4 ‡ (mesi: 3) | 3.306,4\n",
            "Il consumo misurato comprende anche i mesi precedenti (anno 2024)",
        ],
    );
    // A year that lies wholly after the works holds no such months.
    let mut later = year();
    let mut project = (*later.project).clone();
    project.dates.completed = crate::report_fixture::day(2023, 9, 30);
    later.project = std::sync::Arc::new(project);
    let says = section(&later, &beside, "Che cosa è cambiato rispetto all’anno precedente").expect("it");
    assert!(!says.contains("I lavori si sono conclusi"), "{says}");
}

#[test]
fn a_saving_in_doubt_is_told_with_its_doubt() {
    let mut year = year();
    year.meters[0].totals.avoided_low = -12.0;
    let still = |month: &str| {
        Finding::new("series.flat", Severity::Caution, format!("meter:gas-1 {month}"), "still", "")
    };
    year.findings.extend([still("2025-01"), still("2025-02")]);
    let says = section(&year, &beside(), "Sintesi").expect("the section");
    assert_says(
        &says,
        &[
            "la differenza (39,6 %) non si distingue dall’incertezza: nessun risparmio accertato.",
            "Totalizzatore fermo (mesi: 2); che il consumo fosse nullo non lo ha confermato nessuno.",
        ],
    );
    assert!(!says.contains("39,6 % in meno"), "{says}");
}

#[test]
fn the_course_of_a_kpi_that_is_withheld_says_so() {
    let mut year = year();
    let kpi = &mut year.kpis[0];
    (kpi.achieved, kpi.best, kpi.low, kpi.high, kpi.attainment_ratio) = (None, None, None, None, None);
    kpi.verdict = Verdict::Undetermined;
    let document = document(&year, &beside());
    assert_says(
        &said(&document),
        &["andamento cumulato 2025 (MWh) – indicatore non determinabile] Andamento", "non un risultato."],
    );
    let names: Vec<&str> = document
        .sections
        .iter()
        .flat_map(|s| &s.blocks)
        .filter_map(|b| if let Block::Chart(chart) = b { Some(&chart.kind) } else { None })
        .filter_map(|k| if let ChartKind::Course { best, .. } = k { Some(best.name.as_str()) } else { None })
        .collect();
    assert_eq!(names, ["somma dei mesi noti"]);
}

#[test]
fn a_kpi_is_given_its_own_reasons_and_a_sentence_for_a_code() {
    let mut year = year();
    let undeclared = |code: &str| {
        let says = format!("nobody declared {code}");
        Finding::new("kpi.target_missing", Severity::Caution, format!("kpi:{code} 2025"), says, "")
    };
    let no_plant = Finding::new("kpi.plant_missing", Severity::Note, "project:x 2025", "no plant", "");
    year.findings = vec![undeclared("4.c.2"), undeclared("CO34"), undeclared("autoconsumo"), no_plant];
    for kpi in &mut year.kpis {
        (kpi.achieved, kpi.verdict) = (None, Verdict::Undetermined);
        kpi.because = vec!["kpi.target_missing".to_owned()];
    }
    year.kpis[0].because.push("kpi.plant_missing".to_owned());
    year.kpis[1].because.push("kpi.stated".to_owned());
    let says = section(&year, &Beside::default(), SAVINGS).expect("the section");
    assert_says(
        &says,
        &[
            // What withholds it first, and that nobody declared a value last.
            "4.c.2: valore non disponibile. Motivo: progetto 2025: no plant; nobody declared 4.c.2.",
            "CO34: valore non disponibile. Motivo: nessuno lo ha dichiarato; nobody declared CO34.",
            "autoconsumo: valore non disponibile. Motivo: nobody declared autoconsumo.",
        ],
    );
    assert!(!says.contains("kpi.stated"), "{says}");
}

#[test]
fn a_meter_that_counts_nothing_has_no_month_of_most_use_and_no_profile() {
    let (mut year, mut beside) = (year(), beside());
    for month in &mut year.meters[1].months {
        (month.measured, month.measured_low, month.measured_high) = (Some(0.0), Some(0.0), Some(0.0));
    }
    for cell in beside.profiles[0].cells.iter_mut().flatten() {
        *cell = Some(0.0);
    }
    let text = said(&document(&year, &beside));
    assert_says(
        &text,
        &[
            "Fornitura elettrica scuola Nord: in nessun mese è stato misurato un consumo;",
            "Fornitura elettrica scuola Nord: nelle 8.736 ore misurate non risulta alcun consumo; il profilo non è disegnato.",
        ],
    );
    for untrue in
        ["maggior consumo è gennaio (0,0", "il carico medio più alto è di 0,0", "[Profilo di carico"]
    {
        assert!(!text.contains(untrue), "{untrue}");
    }
}

#[test]
fn a_factor_of_the_projects_own_is_printed_with_the_figures_that_use_it() {
    let year = year();
    let own = |kind, value| model::OwnFactor {
        carrier: model::Carrier::NaturalGas,
        kind,
        value,
        source: "certificato del fornitore 2025".to_owned(),
    };
    let title = "Energia primaria ed emissioni dei consumi misurati";
    let plain = section(&year, &Beside::default(), title).expect("the section");
    assert!(!plain.contains("scheda del progetto"), "{plain}");
    let mut with = year.clone();
    let mut project = (*with.project).clone();
    project.terms.factors = vec![own(model::FactorKind::Co2, 0.0)];
    with.project = std::sync::Arc::new(project);
    let says = section(&with, &Beside::default(), title).expect("the section");
    assert_says(
        &says,
        &[
            "la scheda del progetto stabilisce un valore",
            "emissioni di CO₂, gas naturale: 0 kg/kWh (fonte: certificato del fornitore 2025)",
        ],
    );
    let gas =
        |text: &str| text.lines().find(|l| l.starts_with("Gas naturale |")).expect("the carrier").to_owned();
    // Its CO2 is none, and nothing else of it is another.
    let (before, after) = (gas(&plain), gas(&says));
    let cells = |line: &str| line.split(" | ").map(str::to_owned).collect::<Vec<_>>();
    let (before, after) = (cells(&before), cells(&after));
    assert_eq!(before[..4], after[..4]);
    assert!(after[4].starts_with("0,0") && !before[4].starts_with("0,0"), "{before:?} {after:?}");
    let text = said(&document(&with, &Beside::default()));
    assert_says(
        &text,
        &["Gas naturale | Smc | 9,45 | 1,05 | 0 | 0 ¶ | n.d. | n.d.", "Il segno ¶ indica un fattore"],
    );
}

#[test]
fn a_band_in_a_sentence_is_told_as_one() {
    let mut year = year();
    let low: f64 = year.meters[0].months.iter().filter(|m| m.reporting).filter_map(|m| m.measured_low).sum();
    year.meters[0].totals.joint_low = 5_000.5 - low;
    let text = |year: &ProjectYear, language: &str| {
        said(&annual(year, &Beside::default(), &texts(language), AnnualOptions::default()))
    };
    for month in &mut year.meters[0].months {
        month.measured_high = month.measured_high.or(Some(1_000.0));
    }
    let high: f64 =
        year.meters[0].months.iter().filter(|m| m.reporting).filter_map(|m| m.measured_high).sum();
    year.meters[0].totals.joint_high = high - 6_000.5;
    assert_says(&text(&year, "it"), &["I mesi rendicontati insieme stanno tra 5.000,5 e 6.000,5 Smc:"]);
    assert_says(&text(&year, "en"), &["The reporting months together lie between 5,000.5 and 6,000.5 Smc:"]);
    // Without an upper bound of one month nothing but the least is known of all of them.
    year.meters[0].months[11].measured_high = None;
    assert_says(&text(&year, "it"), &["I mesi rendicontati insieme sono almeno 5.000,5 Smc"]);
}
