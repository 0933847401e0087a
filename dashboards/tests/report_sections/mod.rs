//! Sections of the annual report one by one: what each says of a year, and what it says where nothing is known.
//!
//! Must never: compute what the report should say with the code under test.

use std::sync::Arc;

use analytics::report::beside::Beside;
use analytics::report::{AnnualOptions, annual};
use analytics::result::ProjectYear;
use analytics::scheme::KpiMeasure;
use analytics::scheme::clauses::{Clause, Test, fact_of};
use model::{Euro, Statement};

use crate::report_fixture::{texts, year};
use crate::{assert_says, said};

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
            "clause.buildings_without_ape (bando, art. 3) | al più 0 edifici | 1 edifici (dal file di progetto) | non rispettata",
            "clause.safety_assessed (bando, art. 4) | sì | sì (dichiarato: perizia, p. 3) | rispettata",
            "clause.no_earlier_grant (bando, art. 5) | sì | n.d. | non verificabile",
            "clause.self_consumed_percent (bando, art. 6) | almeno 86,2 % | 86,1 % (dalle misure del 2025) | non verificabile",
            "clause.heat_unused_percent (bando, art. 7) | al più 20 % | n.d. | non verificabile",
            "clause.facility_eur: la condizione non risulta rispettata.",
            "clause.no_earlier_grant: nessuno ha ancora dichiarato questo fatto; dichiararlo nel file di progetto (`no_earlier_grant`)",
            "clause.self_consumed_percent: la stima migliore rispetta la condizione",
            "clause.heat_unused_percent: le misure dell’anno non bastano",
            "! caution Condizioni non rispettate: 2.",
        ],
    );
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
