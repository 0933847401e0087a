//! Two compared meters with the same values: one supply under two names saves twice.
//!
//! Must never: take a value that both lack, or nothing on both sides, for the same energy.

use model::{Direction, Finding, MeterRole, Severity};

use super::{Meters, RULE, Weighed};

/// Of the meter whose saving is left out until a person looked; also among what weakens its figures.
pub(crate) const SAME_VALUES: &str = "meter.same_values";
/// Months that two meters must share for their values to be compared.
const MONTHS_MIN: usize = 3;

pub(super) fn same_values(meters: &mut Meters<'_>, weighed: &mut Weighed) {
    let compared =
        meters.whose(|m| m.meter.direction == Direction::Import && m.meter.role == MeterRole::Compared);
    for (place, second) in compared.iter().enumerate() {
        let mut earlier = compared.iter().take(place);
        let Some((first, months)) = earlier.find_map(|first| Some((*first, same(meters, *first, *second)?)))
        else {
            continue;
        };
        let confirmed = |meter: usize| months.iter().all(|index| meters.word(meter, *index).is_some());
        if let Some(by) = [*second, first].into_iter().find(|meter| confirmed(*meter)) {
            weighed.findings.extend(meters.confirmed(by, &months));
            continue;
        }
        weighed.findings.extend(tell(meters, (first, *second), months.len()));
        meters.blame(*second, SAME_VALUES, |_| {});
    }
}

/// The months that both have, where they have the same energy in each.
fn same(meters: &Meters<'_>, a: usize, b: usize) -> Option<Vec<usize>> {
    let unit = |meter| meters.facts(meter).map(|facts| facts.carrier.base_unit());
    if unit(a) != unit(b) {
        return None;
    }
    let (mut common, mut sum) = (Vec::new(), 0.0);
    for index in 0..12 {
        let Some((x, y)) = meters.measured(a, index).zip(meters.measured(b, index)) else { continue };
        if 1e-6 * x.abs().max(y.abs()) < (x - y).abs() {
            return None;
        }
        common.push(index);
        sum += x;
    }
    (MONTHS_MIN <= common.len() && 0.0 < sum).then_some(common)
}

fn tell(meters: &Meters<'_>, (first, second): (usize, usize), months: usize) -> Option<Finding> {
    let (other, id) = (meters.id(first)?, meters.id(second)?);
    let year = meters.input.year;
    let says = format!(
        "{id} and {other} have the same values in all of their {months} common months: is it one supply under two \
         names? What {id} saves reaches no KPI until one of them is corrected or taken out, or a person confirms the months"
    );
    let finding = Finding::new(SAME_VALUES, Severity::Caution, format!("meter:{id} {year}"), says, RULE);
    Some(finding.with("meter", id).with("other", other).with("months", months))
}
