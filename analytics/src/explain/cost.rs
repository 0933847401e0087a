//! From an avoided cost to the months, prices and tariffs that it is made of.
//!
//! Must never: price a month otherwise than the figure does, or name a price without its days.

use model::{Month, Project};

use super::Node;
use crate::kpi::{mean_price, tariffs_of_month};
use crate::result::{KpiPart, MeterYear};

/// What the avoided energy of each month would have cost, and what the bound that counts takes from it; `compared` are
/// the months that have avoided energy, with the chain of it.
pub(super) fn avoided(
    project: &Project,
    meter: &MeterYear,
    part: &KpiPart,
    compared: Vec<(Month, Node)>,
) -> Vec<Node> {
    let price = |month: Month| mean_price(project, &meter.meter, month);
    let mut nodes: Vec<Node> =
        compared.into_iter().filter_map(|(m, energy)| month(project, meter, m, price(m)?, energy)).collect();
    let best: f64 = nodes.iter().filter_map(|node| node.value).sum();
    let prices: Vec<f64> =
        meter.months.iter().filter(|row| row.reporting).filter_map(|row| price(row.month)).collect();
    let most = prices.iter().copied().fold(0.0, f64::max);
    let least = prices.into_iter().fold(f64::INFINITY, f64::min);
    let misplaced = meter.totals.joint_high * (most - least).max(0.0);
    let doubt = best - part.worse - misplaced;
    let bounds = Node::new("explain.term.cost_bounds").with("price", most).worth(Some(-doubt), part.unit);
    let energy = |node: Node| node.worth(Some(-doubt / most), unit_of(meter));
    nodes.push(if 0.0 < most {
        bounds.sum_of(most, vec![energy(Node::new("explain.term.bounds"))])
    } else {
        bounds
    });
    if 0.0 < misplaced {
        nodes.push(
            Node::new("explain.term.cost_placed")
                .with("energy", meter.totals.joint_high)
                .with("energy_unit", unit_of(meter))
                .with("price_least", least)
                .with("price", most)
                .worth(Some(-misplaced), part.unit),
        );
    }
    nodes
}

/// A month: its avoided energy times the mean of its prices, and the tariffs with the days that each of them holds.
fn month(project: &Project, meter: &MeterYear, month: Month, price: f64, energy: Node) -> Option<Node> {
    let value = energy.value?;
    let tariffs = tariffs_of_month(project, &meter.meter, month)?;
    let tariffs = tariffs.into_iter().map(|(tariff, days)| {
        let euro_per_unit = tariff.microeuro_per_unit as f64 / 1e6;
        Node::new("explain.price")
            .with("price", euro_per_unit)
            .with("days", days)
            .with("from", tariff.from)
            .with("to", tariff.to.map_or_else(|| "-".to_owned(), |day| day.to_string()))
            .with("document", &tariff.source)
            .worth(Some(euro_per_unit), format!("EUR/{}", unit_of(meter)))
    });
    let node = Node::new("explain.term.cost_month")
        .with("month", month)
        .with("avoided", value)
        .with("energy_unit", unit_of(meter))
        .with("price", price)
        .worth(Some(value * price), "EUR");
    Some(node.sum_of(price, vec![energy]).beside(tariffs))
}

fn unit_of(meter: &MeterYear) -> &'static str {
    meter.meter.carrier.base_unit().display().symbol()
}
