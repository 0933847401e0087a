//! Sections of the annual report one by one: what each says of a year, and what it says where nothing is known.
//!
//! Must never: compute what the report should say with the code under test.

use std::sync::Arc;

use analytics::balance::{BalanceMeter, Vector, of_project};
use analytics::exchange::{Known, Line, Stated};
use analytics::report::beside::Beside;
use analytics::report::kpi_annex::{AnnexFacts, kpi_annex};
use analytics::report::{AnnualOptions, annual};
use analytics::result::ProjectYear;
use analytics::savings::forms::Withheld;
use analytics::scheme::KpiMeasure;
use analytics::scheme::clauses::{Clause, Test, fact_of};
use model::{Euro, Statement};

mod parts;
mod stated;

use crate::report_beside::beside;
use crate::report_fixture::{texts, year};
use crate::{assert_says, run, said};

/// What a section of the Italian report says, from its title to the next one's.
fn section(year: &ProjectYear, beside: &Beside, title: &str) -> Option<String> {
    let text = said(&annual(year, beside, &texts("it"), AnnualOptions::default()));
    let after = text.split(&format!("# {title}\n")).nth(1)?;
    after.split("\n# ").next().map(str::to_owned)
}

const CHECKS: &str = "Condizioni del bando e loro verifica";

/// A year of a scheme with these clauses: fact and test each; the citation is the fact's place in the list.
fn with_clauses(clauses: &[(&str, Test)]) -> ProjectYear {
    let mut year = year();
    let mut scheme = (*year.scheme).clone();
    let clause = |(i, (fact, test)): (usize, &(&str, Test))| Clause {
        id: (*fact).to_owned(),
        text: format!("clause.{fact}"),
        fact: fact_of(fact).expect("a fact"),
        test: *test,
        citation: format!("bando, art. {}", i + 1),
    };
    scheme.rules.clauses = clauses.iter().enumerate().map(clause).collect();
    year.scheme = Arc::new(scheme);
    year
}

#[test]
fn every_clause_is_told_with_its_verdict_and_what_to_do() {
    let mut year = with_clauses(&[
        ("costs_eur", Test::AtLeast(500_000.0)),
        ("facility_eur", Test::AtMost(400_000.0)),
        ("buildings_without_ape", Test::AtMost(0.0)),
        ("safety_assessed", Test::Yes),
        ("no_earlier_grant", Test::Yes),
        ("self_consumed_percent", Test::AtLeast(86.2)),
        ("heat_unused_percent", Test::AtMost(20.0)),
    ]);
    let mut project = (*year.project).clone();
    project.grant.costs = Some(Euro::from_euros(1_000_000));
    let stated =
        |fact: &str, value| Statement { fact: fact.to_owned(), value, source: "perizia, p. 3".to_owned() };
    project.grant.statements = vec![stated("safety_assessed", 1.0)];
    year.project = Arc::new(project);
    // The bound that counts misses it, the best estimate does not.
    let share = year.kpis.iter_mut().find(|k| k.definition.measure == KpiMeasure::SelfConsumedShare);
    share.expect("the share").achieved = Some(86.1);
    let says = section(&year, &Beside::default(), CHECKS).expect("the section");
    assert_says(
        &says,
        &[
            "Condizione | Richiesto | Risulta | Esito",
            "clause.costs_eur (bando, art. 1) | almeno 500.000 € | 1.000.000 € (dal file di progetto) | rispettata",
            "clause.facility_eur (bando, art. 2) | al più 400.000 € | 900.000 € (dal file di progetto) | non rispettata",
            "clause.buildings_without_ape (bando, art. 3) | al più 0 edifici | 1 edificio (dal file di progetto) | non rispettata",
            "clause.safety_assessed (bando, art. 4) | sì | sì (dichiarato: perizia, p. 3) | rispettata",
            "clause.no_earlier_grant (bando, art. 5) | sì | n.d. | non verificabile",
            "clause.self_consumed_percent (bando, art. 6) | almeno 86,2 % | 86,1 % (dalle misure del 2025) | non verificabile",
            "clause.heat_unused_percent (bando, art. 7) | al più 20 % | n.d. | non verificabile",
            "clause.facility_eur: la condizione non risulta rispettata.",
            "clause.no_earlier_grant: nessuno ha ancora dichiarato questo fatto; dichiararlo nel file di progetto con il documento",
            "clause.self_consumed_percent: la stima migliore rispetta la condizione",
            "clause.heat_unused_percent: le misure dell’anno non bastano",
            "! caution Condizioni non rispettate: 2.",
        ],
    );
    assert!(!says.contains('`'), "no key of the file in a paper to be signed: {says}");
    assert!(!says.contains("clause.costs_eur: ") && !says.contains("Tutte le condizioni"), "{says}");
}

#[test]
fn what_a_person_states_never_passes_for_measured() {
    let mut year = with_clauses(&[("heat_unused_percent", Test::AtMost(20.0))]);
    let mut project = (*year.project).clone();
    let source = "relazione del progettista".to_owned();
    project.grant.statements = vec![Statement { fact: "heat_unused_percent".to_owned(), value: 5.0, source }];
    year.project = Arc::new(project);
    let says = section(&year, &Beside::default(), CHECKS).expect("the section");
    assert_says(
        &says,
        &["5 % (dichiarato: relazione del progettista)", "Tutte le condizioni risultano rispettate."],
    );
    assert!(!says.contains("dalle misure"), "{says}");
}

#[test]
fn a_scheme_without_clauses_has_no_section_of_checks() {
    assert_eq!(section(&year(), &Beside::default(), CHECKS), None);
}

const BALANCE: &str = "Produzione, autoconsumo e immissione";

/// The balances of a year's meters, by their months.
fn balanced(mut year: ProjectYear) -> ProjectYear {
    let meters: Vec<BalanceMeter<'_>> = year.meters.iter().map(|m| BalanceMeter::of(m, None)).collect();
    year.balances = analytics::balance::year(&meters, chrono_tz::Europe::Rome);
    year
}

#[test]
fn production_and_its_shares_are_told_by_month() {
    let says = section(&balanced(year()), &Beside::default(), BALANCE).expect("the section");
    // January: 500 produced, 67.5 exported; of 4120.5 + 432.5 consumed, 432.5 are the building's own.
    assert_says(
        &says,
        &[
            "[Energia autoconsumata, immessa e prelevata 2025 (kWh): Energia elettrica] Istogramma mensile 2025",
            "autoconsumo misurato 12 su 12",
            "Mese | Prodotta | Autoconsumata | Immessa | Prelevata | Quota di autoconsumo | Quota di autosufficienza",
            "gennaio | 500,0 | 432,5 | 67,5 | 4.120,5 | 86,5 % | 9,5 %",
            // The supply's February is a bill that was estimated.
            "febbraio | 750,0 * | 648,8 * | 101,3 * | 3.810,3 * | 86,5 % | 14,5 %",
            "Totale | 18.500,0 | 16.002,5 | 2.497,5 | 39.893,6 | 86,5 % | 28,6 %",
            "Fra i mesi misurati, quello con la quota di autoconsumo più bassa è",
        ],
    );
    assert_eq!(section(&year(), &Beside::default(), BALANCE), None);
}

#[test]
fn what_was_not_measured_is_never_self_consumed() {
    // Nobody knows what was exported in June.
    let mut gap = year();
    let export = gap.meters.iter_mut().find(|m| m.meter.id.as_str() == "export-1").expect("the meter");
    let month = &mut export.months[5];
    (month.measured, month.measured_low, month.measured_high) = (None, Some(0.0), Some(5_000.0));
    let gap = balanced(gap);
    let says = section(&gap, &Beside::default(), BALANCE).expect("the section");
    assert_says(
        &says,
        &[
            "giugno | 2.500,0 | n.d. | n.d. | 2.810,0 | n.d. | n.d.",
            "Totale | 18.500,0 | n.d. | n.d. | 39.893,6 | n.d. | n.d.",
            "autoconsumo misurato 11 su 12",
        ],
    );
    // All that may have been exported is taken off the share, and what may have been imported too.
    let of =
        |year: &ProjectYear| of_project(&year.balances, Vector::Electricity).expect("a balance").reporting;
    let (whole, open) = (of(&balanced(year())), of(&gap));
    assert!(open.share().expect("a share").worse < whole.share().expect("a share").worse);
    assert!(open.sufficiency().expect("a share").worse < whole.sufficiency().expect("a share").worse);
    // Of what was exported in June only a part is known: of it and of what follows from it the sums lack as much.
    let mut part = year();
    let export = part.meters.iter_mut().find(|m| m.meter.id.as_str() == "export-1").expect("the meter");
    export.months[5].coverage_ratio = 0.5;
    let says = section(&balanced(part), &Beside::default(), BALANCE).expect("the section");
    assert_says(
        &says,
        &[
            "giugno | 2.500,0 | 2.162,5 ‡ | 337,5 ‡ | 2.810,0 | 86,5 % |",
            "Totale | 18.500,0 | 16.002,5 ‡ | 2.497,5 ‡ | 39.893,6 | 86,5 % |",
            "‡ misura incompleta",
        ],
    );
    // No meter at all counts what is exported.
    let mut none = year();
    none.meters.retain(|m| m.meter.id.as_str() != "export-1");
    let says = section(&balanced(none), &Beside::default(), BALANCE).expect("the section");
    assert_says(
        &says,
        &[
            "! blocks Nessun contatore misura l’immissione",
            "gennaio | 500,0 | n.d. | n.d. | 4.120,5 | n.d. | n.d.",
        ],
    );
    // A supply that nobody measures is not one of nothing.
    let mut supply = year();
    supply.meters.retain(|m| m.meter.id.as_str() != "power-1");
    let says = section(&balanced(supply), &Beside::default(), BALANCE).expect("the section");
    assert_says(&says, &["gennaio | 500,0 | 432,5 | 67,5 | n.d. | 86,5 % | n.d."]);
}

const SAVINGS: &str = "Risparmio conseguito e confronto con i valori dichiarati";

#[test]
fn normalised_and_cumulated_savings_stand_beside_avoided_energy() {
    let says = section(&year(), &beside(), SAVINGS).expect("the section");
    assert_says(
        &says,
        &[
            "L’anno di riferimento è la media dei risultati negli anni interi di temperature della stazione «torino»: 2020, 2021, 2022, 2023, 2024.",
            "Contatore | Risparmio dell’anno | Prima dei lavori | Dopo i lavori | Risparmio normalizzato | Intervallo al 90 %",
            "Caldaia scuola Nord [Smc] | 1.651,2 | 4.400,0 | 2.750,0 | 1.650,0 | 1.300,0 – 2.000,0",
            "Fornitura elettrica scuola Nord [kWh] | 3.306,4 | n.d. | n.d. | n.d. | n.d.",
            "! caution Fornitura elettrica scuola Nord: risparmio normalizzato non disponibile. Motivo: i mesi misurati dopo i lavori non bastano per un modello proprio.",
            "! caution Sottocentrale palestra: risparmio normalizzato non disponibile. Motivo: il modello del periodo di riferimento non è disponibile.",
            "[Risparmio cumulato dal 30/09/2024]",
            "Caldaia scuola Nord [Smc] | 13 su 15 | 5.000,0 | 3.040,0 | 1.960,0 | 1.760,0 – 2.110,0",
        ],
    );
    let mut without = beside();
    let forms = without.forms.as_mut().expect("forms");
    (forms.reference, forms.years_known) = (None, 3);
    forms.meters.iter_mut().for_each(|m| m.normalised = Err(Withheld::YearsMissing));
    let says = section(&year(), &without, SAVINGS).expect("the section");
    assert_says(&says, &["Motivo: la stazione ha 3 anni interi di temperature, ne servono 5."]);
    assert!(!says.contains("Risparmio conseguito nell’anno e risparmio normalizzato"), "{says}");
}

#[test]
fn the_weather_stands_beside_the_reference_year_month_by_month() {
    let says = section(&year(), &beside(), "Condizioni climatiche dell’anno").expect("the section");
    assert_says(
        &says,
        &[
            "[Gradi giorno di riscaldamento 2025 e dell’anno di riferimento (base 17,5 °C, K·d)]",
            "Mese | Anno 2025 [K·d] | Anno di riferimento [K·d] | Variazione",
            "gennaio | 438,5 | 460,0 | −4,7 %",
            "luglio | 0,0 | 0,0 | –",
            "Totale | 2.069,6 | 2.127,0 | −2,7 %",
            "L’anno di riferimento è la media, mese per mese, di 5 anni interi della stazione, dal 2020 al 2024.",
        ],
    );
}

#[test]
fn meters_of_one_name_are_told_apart_by_their_buildings() {
    let mut year = year();
    let name = |year: &mut ProjectYear, id: &str, name: &str| {
        let meter = year.meters.iter_mut().find(|m| m.meter.id.as_str() == id).expect("the meter");
        meter.meter.name = name.to_owned();
    };
    name(&mut year, "gas-1", "Riscaldamento");
    name(&mut year, "heat-1", "Riscaldamento");
    let text = said(&annual(&year, &beside(), &texts("it"), AnnualOptions::default()));
    assert_says(
        &text,
        &[
            "Riscaldamento (Scuola primaria Nord) [Smc] | 11 su 12",
            "Riscaldamento (Palestra comunale) [kWh] | 0 su 12",
            "Attenzione | Riscaldamento (Scuola primaria Nord) novembre 2025 |",
        ],
    );
    let plain = text.matches("Riscaldamento").count() - text.matches("Riscaldamento (").count();
    assert_eq!(plain, 0, "{text}");
    // A name that is nobody else's stays as it is.
    assert_says(&text, &["Fornitura elettrica scuola Nord [kWh] | 12 su 12"]);
    // Two in one building: only the code is left.
    name(&mut year, "pv-1", "Riscaldamento");
    let text = said(&annual(&year, &beside(), &texts("it"), AnnualOptions::default()));
    assert_says(
        &text,
        &["Riscaldamento (Scuola primaria Nord) [gas-1]", "Riscaldamento (Scuola primaria Nord) [pv-1]"],
    );
}

#[test]
fn the_annex_of_kpis_is_one_page_with_the_values_as_they_are_pasted() {
    let year = year();
    let line = |code: &str, unit, post: &str, note: &str| Line {
        code: code.to_owned(),
        unit,
        post: post.to_owned(),
        unrounded: None,
        note: note.to_owned(),
        stated: None,
        known: Known::Nothing,
    };
    let lines = [
        (line("4.c.2", "MWh", "17,83", "Obiettivo raggiunto al 29,7 %"), "kpi.test.primary".to_owned()),
        (line("CO34", "t", "", "Valore non determinabile"), "kpi.test.co2".to_owned()),
    ];
    let facts = AnnexFacts {
        standing: None,
        project: &year.project,
        scheme: &year.scheme,
        year: 2025,
        complete: true,
        until: year.until,
        lines: &lines,
    };
    let text = said(&kpi_annex(&facts, &texts("it")));
    assert_says(
        &text,
        &[
            "CUP | C11G06000000001",
            "Stato dei dati | anno completo",
            "Codice | Indicatore | U.M. | Valore POST | Note",
            "4.c.2 | Energia primaria non rinnovabile risparmiata | MWh | 17,83 | Obiettivo raggiunto al 29,7 %",
            "CO34 | Emissioni di CO₂ evitate | t | n.d. | Valore non determinabile",
            "il Sindaco pro tempore",
            "Luogo, data e firma: ___",
        ],
    );
    assert!(!text.contains("trasmess") && !text.contains('§'), "{text}");
    let mut of_person = lines.clone();
    let stated = Stated { measured: "108,75".to_owned(), reason: "Rettifica concordata".to_owned() };
    of_person[0].0 = Line { post: "99999999999,00".to_owned(), stated: Some(stated), ..lines[0].0.clone() };
    let text = said(&kpi_annex(&AnnexFacts { lines: &of_person, ..facts.clone() }, &texts("it")));
    assert_says(
        &text,
        &[
            "Codice | Indicatore | U.M. | Valore POST | Valore misurato | Note",
            "4.c.2 | Energia primaria non rinnovabile risparmiata | MWh | 99.999.999.999,00 § | 108,75 | Obiettivo",
            "CO34 | Emissioni di CO₂ evitate | t | n.d. | n.d. | Valore non determinabile",
            "Il segno § indica un valore dichiarato da una persona",
            "4.c.2: Rettifica concordata",
        ],
    );
    let provisional = said(&kpi_annex(&AnnexFacts { complete: false, ..facts.clone() }, &texts("it")));
    assert_says(&provisional, &["PROVVISORIO: l’anno non è concluso"]);
    let (texts, template) = (texts("it"), dashboards::Template::bundled());
    let press = dashboards::Press { texts: &texts, template: &template, edition: None };
    let file = dashboards::render::annex_of_kpis(&facts, &press).expect("a file");
    assert_eq!(file.name, "allegato-kpi-2025.pdf");
    let folder = tempfile::tempdir().expect("a folder");
    crate::keep(&file.name, &file.bytes);
    std::fs::write(folder.path().join("a.pdf"), &file.bytes).expect("written");
    let info = run("pdfinfo", &["a.pdf"], folder.path());
    assert!(info.contains("Pages:           1\n") && info.contains("Tagged:          yes"), "{info}");
}

#[test]
fn the_annex_of_kpis_says_what_is_known_where_no_value_is() {
    let year = year();
    let line = |code: &str, unit, post: &str, note: &str| Line {
        code: code.to_owned(),
        unit,
        post: post.to_owned(),
        unrounded: None,
        note: note.to_owned(),
        stated: None,
        known: Known::Nothing,
    };
    let lines = [
        (line("4.c.2", "MWh", "17,83", "Obiettivo raggiunto al 29,7 %"), "kpi.test.primary".to_owned()),
        (line("CO34", "t", "", "Valore non determinabile"), "kpi.test.co2".to_owned()),
    ];
    let facts = AnnexFacts {
        standing: None,
        project: &year.project,
        scheme: &year.scheme,
        year: 2025,
        complete: true,
        until: year.until,
        lines: &lines,
    };
    // Without a value what is known of it: bounds, or that a person is to declare it; beside a declared one no gap.
    let mut unknown = lines.clone();
    unknown[0].0 = Line {
        post: String::new(),
        known: Known::Between("1030,00".to_owned(), "1030,30".to_owned()),
        ..lines[0].0.clone()
    };
    unknown[1].0 = Line { known: Known::ToState, ..lines[1].0.clone() };
    let text = said(&kpi_annex(&AnnexFacts { lines: &unknown, ..facts.clone() }, &texts("it")));
    assert_says(
        &text,
        &["| MWh | 1.030,00 – 1.030,30 |", "CO34 | Emissioni di CO₂ evitate | t | da dichiarare |"],
    );
    let english = said(&kpi_annex(&AnnexFacts { lines: &unknown, ..facts.clone() }, &texts("en")));
    assert_says(&english, &["| MWh | 1,030.00 – 1,030.30 |", "| t | to be declared |"]);
    let stated = Stated { measured: String::new(), reason: "Attestato".to_owned() };
    unknown[1].0 = Line { post: "2,00".to_owned(), stated: Some(stated), ..unknown[1].0.clone() };
    let text = said(&kpi_annex(&AnnexFacts { lines: &unknown, ..facts.clone() }, &texts("it")));
    assert_says(
        &text,
        &[
            "CO34 | Emissioni di CO₂ evitate | t | 2,00 § | – |",
            "| 1.030,00 – 1.030,30 | 1.030,00 – 1.030,30 |",
        ],
    );
}
