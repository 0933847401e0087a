//! Chains that a reader can follow to their end: a cost down to prices and months, a share down to the readings.
//!
//! Must never: take a number from a step that can be made from the steps below it.

use model::time::day_start;

use super::sums::building_with;
use super::*;
use crate::explain::{Evidence, MonthEvidence, Node, ReadingFact, explain};
use crate::text::Texts;

fn all<'a>(node: &'a Node, key: &str) -> Vec<&'a Node> {
    let below = node.children.iter().flat_map(|child| all(child, key));
    (node.key == key).then_some(node).into_iter().chain(below).collect()
}

fn number(node: &Node, name: &str) -> f64 {
    text(node, name).parse().unwrap()
}

fn text<'a>(node: &'a Node, name: &str) -> &'a str {
    &node.values.iter().find(|(known, _)| *known == name).unwrap().1
}

/// A first and a last reading in each month of each meter.
fn readings(year: &ProjectYear) -> Evidence {
    let reading = |day: NaiveDate, total| {
        Some(ReadingFact {
            at: day_start(day, ROME).plus_seconds(3_600),
            total,
            origin: model::Origin::Modbus,
        })
    };
    let of = |(meter, month): (MeterId, Month)| {
        let last = month.end_day().pred_opt().unwrap();
        let known = MonthEvidence {
            first: reading(month.first_day(), 1_000),
            last: reading(last, 2_000),
            readings: 2,
            ..MonthEvidence::default()
        };
        ((meter, month), known)
    };
    crate::explain::wanted(&year.project, year.year).into_iter().map(of).collect()
}

/// The planted gas meter with a price that changes within March and another from October on.
fn priced() -> ProjectYear {
    let tariff = |from: &str, to: Option<&str>, microeuro_per_unit, source: &str| model::Tariff {
        carrier: Carrier::NaturalGas,
        meter: None,
        from: day(from),
        to: to.map(day),
        microeuro_per_unit,
        source: source.to_owned(),
    };
    let mut case = Case::gas(0.7);
    case.scheme.kpis.push(kpi("cost", KpiMeasure::CostAvoided, KpiUnit::Euro, Target::AtLeast(1.0)));
    case.project.terms.tariffs = vec![
        tariff("2024-01-01", Some("2025-03-11"), 912_345, "contratto 2024"),
        tariff("2025-03-11", Some("2025-10-01"), 1_034_567, "contratto 2025"),
        tariff("2025-10-01", None, 870_001, "contratto 2026"),
    ];
    case.year()
}

#[test]
fn an_avoided_cost_is_made_again_from_the_leaves_of_its_chain() {
    let year = priced();
    let chain = explain(&year, "kpi:cost", &readings(&year)).unwrap().root;
    assert_eq!(chain.broken(1e-9), Vec::<&Node>::new());
    let months = all(&chain, "explain.term.cost_month");
    assert_eq!(months.len(), 12);
    let (mut sum, mut most) = (0.0, 0.0_f64);
    for node in &months {
        let energy = all(node, "explain.term.month");
        let energy = number(energy[0], "baseline") - number(energy[0], "measured");
        let prices = all(node, "explain.price");
        let days: f64 = prices.iter().map(|price| number(price, "days")).sum();
        let weighted: f64 = prices.iter().map(|price| number(price, "price") * number(price, "days")).sum();
        let price = weighted / days;
        (sum, most) = (sum + energy * price, most.max(price));
        assert_eq!(all(node, "explain.term.readings").len(), 1, "{node:?}");
    }
    let kpi = result(&year, "cost");
    assert!(near(sum, kpi.best.unwrap(), 1e-9 * sum), "{sum} {:?}", kpi.best);
    // What the bound that counts takes is the energy that it takes from the saving itself, at the highest price.
    let of_energy = explain(&year, "kpi:final", &Evidence::new()).unwrap().root;
    let taken = all(&of_energy, "explain.term.bounds")[0].value.unwrap();
    assert!(near(sum + taken * most, kpi.achieved.unwrap(), 1e-6), "{sum} {taken} {most} {kpi:?}");
    let march = all(months[2], "explain.price");
    let told = march.iter().map(|price| (text(price, "days"), text(price, "document")));
    assert_eq!(told.collect::<Vec<_>>(), [("10", "contratto 2024"), ("21", "contratto 2025")]);
}

#[test]
fn a_price_of_a_chain_is_written_with_all_its_digits() {
    let year = priced();
    let explanation = explain(&year, "kpi:cost", &Evidence::new()).unwrap();
    let words = [
        ("explain.price", "{price} {of_unit} on {days} days ({document})"),
        ("explain.term.cost_month", "{month}: {avoided} x {price} = {value}"),
    ];
    let words = words.map(|(key, sentence)| (key.to_owned(), sentence.to_owned()));
    let lines = crate::explain::lines(&explanation, &Texts::new("en", words.into()));
    assert!(lines.iter().any(|l| l.trim() == "0.912345 EUR/Smc on 31 days (contratto 2024)"), "{lines:?}");
}

#[test]
fn a_self_consumed_share_goes_down_to_the_readings_of_every_meter() {
    let share = kpi("sc", KpiMeasure::SelfConsumedShare, KpiUnit::Percent, Target::AtLeast(1.0));
    let year = building_with(vec![share], &|_, _| true);
    let chain = explain(&year, "kpi:sc", &readings(&year)).unwrap().root;
    assert_eq!(chain.broken(1e-9), Vec::<&Node>::new());
    let meters = all(&chain, "explain.meter");
    let ids: Vec<&str> = meters.iter().map(|node| text(node, "meter")).collect();
    assert_eq!(ids, ["gas", "pv", "fed"]);
    for node in &meters {
        assert_eq!(all(node, "explain.term.readings").len(), 12, "{node:?}");
    }
    let made = |id: &str| meters.iter().find(|node| text(node, "meter") == id).unwrap().value.unwrap();
    let best = 100.0 * (1.0 - made("fed") / made("pv"));
    assert!(near(best, result(&year, "sc").best.unwrap(), 0.01), "{best} {:?}", result(&year, "sc"));
    assert!(all(&chain, "explain.balance").iter().all(|node| text(node, "vector") == "electricity"));
}
