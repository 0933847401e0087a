//! What a plant made: more than its nominal power can, and one plant counted by two meters.
//!
//! Must never: judge a plant whose nominal power no document states.

use std::collections::BTreeSet;

use model::{Carrier, Finding, Severity};

use super::{Meters, RULE, Weighed, makes, show, vector};
use crate::balance::accuracy_ratio;

const BEYOND: &str = "balance.beyond_nominal";
const TWICE: &str = "balance.counted_twice";
/// A document's power is rounded, and a machine may pass it a little.
const MARGIN: f64 = 1.05;
/// The sun is above the horizon for about half of the hours of a year; what a plant of the sun makes in a month is less
/// than its nominal power over half of the month's hours.
const SUN_SHARE: f64 = 0.5;
/// More full hours than a plant of the sun has in a year in Italy. Makers state 1 600 to 1 670 kWh per kW for the best fixed
/// plants of the South (AROS Solar; Eco Impres), and one that follows the sun may have four tenths more. Hours.
const SUN_HOURS: f64 = 2_400.0;
/// Months in which two meters must agree to be held for meters of one plant.
const MONTHS_MIN: usize = 3;

const fn is_of_the_sun(carrier: Carrier) -> bool {
    matches!(carrier, Carrier::OnSitePv | Carrier::SolarThermal)
}

/// Withholds what was made where a month, or the year, holds more than the plants of its carrier can make.
pub(super) fn beyond_nominal(meters: &mut Meters<'_>, weighed: &mut Weighed) {
    let plants = &meters.input.project.terms.plants;
    let carriers: BTreeSet<Carrier> = plants.iter().map(|p| p.carrier).collect();
    for carrier in carriers {
        let nominal: f64 = plants.iter().filter(|p| p.carrier == carrier).map(|p| p.nominal_kw).sum();
        let own = meters.whose(|m| makes(m) && m.meter.carrier == carrier);
        let Some(first) = own.first().copied().filter(|_| 0.0 < nominal) else { continue };
        let made = |index: usize| own.iter().filter_map(|m| meters.measured(*m, index)).sum::<f64>();
        let most = |index: usize| {
            let hours = meters.month(index).map_or(0.0, |m| f64::from(m.days()) * 24.0);
            nominal * hours * MARGIN * if is_of_the_sun(carrier) { SUN_SHARE } else { 1.0 }
        };
        let of_year = nominal * SUN_HOURS;
        let (mut months, mut measured, mut limit): (Vec<usize>, f64, f64) = (Vec::new(), 0.0, 0.0);
        for index in (0..12).filter(|index| most(*index) < made(*index)) {
            months.push(index);
            measured += made(index);
            limit += most(index);
        }
        let total: f64 = (0..12).map(made).sum();
        if months.is_empty() && is_of_the_sun(carrier) && of_year < total {
            months = (0..12).filter(|index| 0.0 < made(*index)).collect();
            (measured, limit) = (total, of_year);
        }
        if months.is_empty() {
            continue;
        }
        let confirmed = |meter: usize| months.iter().all(|index| meters.word(meter, *index).is_some());
        if let Some(by) = own.iter().find(|meter| confirmed(**meter)) {
            weighed.findings.extend(meters.confirmed(*by, &months));
            continue;
        }
        weighed.findings.extend(tell_beyond(meters, first, &months, (nominal, measured, limit)));
        for meter in own {
            meters.blame(meter, BEYOND, |of| {
                of.withheld = true;
                of.withheld_measure = true;
            });
        }
    }
}

fn tell_beyond(
    meters: &Meters<'_>,
    meter: usize,
    months: &[usize],
    (nominal, made, most): (f64, f64, f64),
) -> Option<Finding> {
    let (id, list) = (meters.id(meter)?, meters.list(months));
    let (nominal, made, most) = (show(nominal), show(made), show(most));
    let says = format!(
        "{list}: {made} kWh were made where plants of {nominal} kW can make {most} kWh at most; the year's production \
         is withheld until the values or their unit are corrected, every plant is stated in [[plant]], or a person \
         confirms the months"
    );
    let about = format!("meter:{id} {}", meters.input.year);
    let finding =
        Finding::new(BEYOND, Severity::Blocks, about, says, "energy is at most nominal power times hours");
    Some(
        finding
            .with("months", list)
            .with("made", made)
            .with("most", most)
            .with("nominal_kw", nominal)
            .with("meter", id),
    )
}

/// Of two meters of a building that made the same within their accuracy in every month, the second may be a part of the
/// first: then it made nothing of its own.
pub(super) fn counted_twice(meters: &mut Meters<'_>, weighed: &mut Weighed) {
    let own = meters.whose(makes);
    let mut left_out: BTreeSet<usize> = BTreeSet::new();
    for (place, second) in own.iter().enumerate() {
        let mut earlier = own.iter().take(place).filter(|first| !left_out.contains(*first));
        let Some((first, months)) = earlier.find_map(|first| Some((*first, alike(meters, *first, *second)?)))
        else {
            continue;
        };
        let confirmed = |meter: usize| months.iter().all(|index| meters.word(meter, *index).is_some());
        if let Some(by) = [*second, first].into_iter().find(|meter| confirmed(*meter)) {
            weighed.findings.extend(meters.confirmed(by, &months));
            continue;
        }
        left_out.insert(*second);
        weighed.findings.extend(tell_twice(meters, (first, *second), months.len()));
        weighed.doubted.extend(meters.id(*second));
        let mut least = 0.0;
        for row in meters.years.get_mut(*second).into_iter().flat_map(|m| &mut m.months) {
            if row.reporting {
                least += row.measured_low.unwrap_or(0.0);
                row.measured_low = row.measured_low.map(|low| low.min(0.0));
            }
        }
        meters.blame(first, TWICE, |_| {});
        meters.blame(*second, TWICE, |of| of.measured.low = (of.measured.low - least).max(0.0));
    }
}

/// The months in which both made something, where they agree in every one.
fn alike(meters: &Meters<'_>, a: usize, b: usize) -> Option<Vec<usize>> {
    let (x, y) = (meters.years.get(a)?, meters.years.get(b)?);
    if x.building != y.building || vector(x) != vector(y) || vector(x).is_none() {
        return None;
    }
    let room = accuracy_ratio(&x.meter) + accuracy_ratio(&y.meter);
    let mut common = Vec::new();
    for index in 0..12 {
        let Some((x, y)) = meters.measured(a, index).zip(meters.measured(b, index)) else { continue };
        if room * x.max(y) < (x - y).abs() {
            return None;
        }
        if 0.0 < x.max(y) {
            common.push(index);
        }
    }
    (MONTHS_MIN <= common.len()).then_some(common)
}

fn tell_twice(meters: &Meters<'_>, (first, second): (usize, usize), months: usize) -> Option<Finding> {
    let (other, id) = (meters.id(first)?, meters.id(second)?);
    let says = format!(
        "{id} and {other} made the same in all of their {months} common months, within their accuracy: a plant and its \
         inverter? In the bound that counts {id} made nothing of its own, until it is written as a part of the other \
         (role = \"sub\", parent = \"{other}\"), or a person confirms that they are two plants"
    );
    let about = format!("meter:{id} {}", meters.input.year);
    let finding = Finding::new(TWICE, Severity::Caution, about, says, RULE);
    Some(finding.with("meter", id).with("other", other).with("months", months))
}
