//! The tree of sub-meters: parts against the meter that they are parts of.
//!
//! Must never: add a part to its whole, or blame a meter for a difference within its accuracy.

use model::{Carrier, Finding, MeterFacts, MeterRole, Severity};

use super::BalanceMeter;

const RULE: &str = "parts of a meter add up to no more than the meter, within both accuracies";

/// Largest error of a meter as a share of what it counts, from the class written on it: MID active energy A, B, C
/// (2, 1, 0.5 %), heat meters of EN 1434 (class 1 to 3: 2, 3, 5 % in the lower range), gas meters of class 1.5 (in use
/// 3 %). Without a class the widest of its kind.
#[must_use]
pub(crate) fn accuracy_ratio(facts: &MeterFacts) -> f64 {
    let class = facts.accuracy_class.as_deref().unwrap_or_default().trim();
    match facts.carrier {
        Carrier::SolarThermal
        | Carrier::DistrictHeating
        | Carrier::DistrictCooling
        | Carrier::Aerothermal => match class {
            "1" => 0.02,
            "2" => 0.03,
            _ => 0.05,
        },
        Carrier::NaturalGas => 0.03,
        Carrier::GridElectricity
        | Carrier::OnSitePv
        | Carrier::SmallWind
        | Carrier::SmallHydro
        | Carrier::Lpg
        | Carrier::Coal
        | Carrier::FuelOil
        | Carrier::SolidBiomass
        | Carrier::Wood
        | Carrier::Pellets
        | Carrier::Other => match class {
            "C" | "0.5" | "0,5" | "0.5S" => 0.005,
            "B" | "1" => 0.01,
            _ => 0.02,
        },
    }
}

/// A finding for each meter whose parts counted more than itself, month by month, beyond what their accuracy and what
/// was not measured explain.
pub(super) fn findings(meters: &[BalanceMeter<'_>]) -> Vec<Finding> {
    meters.iter().filter_map(|parent| exceeded(parent, meters)).collect()
}

fn exceeded(parent: &BalanceMeter<'_>, meters: &[BalanceMeter<'_>]) -> Option<Finding> {
    let children: Vec<&BalanceMeter<'_>> = meters
        .iter()
        .filter(|m| m.facts.role == MeterRole::Sub && m.facts.parent.as_ref() == Some(&parent.facts.id))
        .filter(|m| {
            m.facts.carrier.base_unit() == parent.facts.carrier.base_unit()
                && m.facts.direction == parent.facts.direction
        })
        .collect();
    let mut worst: Option<(model::Month, f64, f64)> = None;
    let mut count = 0;
    for (index, row) in parent.months.iter().enumerate() {
        // Without an upper bound nothing contradicts.
        let Some(most) = row.measured_high else { continue };
        let own = most * (1.0 + accuracy_ratio(parent.facts));
        let parts: f64 = children
            .iter()
            .filter_map(|child| {
                Some(child.months.get(index)?.measured_low? * (1.0 - accuracy_ratio(child.facts)))
            })
            .sum();
        if own < parts {
            count += 1;
            let shown: f64 = children.iter().filter_map(|c| c.months.get(index)?.measured_low).sum::<f64>();
            if worst.is_none_or(|(_, whole, sum)| sum - whole < shown - most) {
                worst = Some((row.month, most, shown));
            }
        }
    }
    let (month, whole, parts) = worst?;
    let unit = parent.facts.carrier.base_unit().display().symbol();
    let [whole, parts] = [whole, parts].map(|value| format!("{value:.1}"));
    let says = format!(
        "in {count} months the parts counted more than the meter, most in {month}: {parts} {unit} against {whole} \
         {unit}, beyond the accuracy of both"
    );
    let about = format!("meter:{} {month}", parent.facts.id);
    Some(
        Finding::new("balance.parts_exceed", Severity::Caution, about, says, RULE)
            .with("months", count)
            .with("month", month)
            .with("parts", parts)
            .with("whole", whole)
            .with("unit", unit),
    )
}
