//! What the meters behind a saving may be off by their class.
//!
//! Must never: let a meter's error shrink with the readings that are missing.

use model::MeterFacts;

use super::{Reference, Row};
use crate::result::MonthSource;
use crate::uncertainty::accuracy::relative_error;
use crate::uncertainty::{Source, Uncertain};

/// Adds what the meters may be off by their class.
///
/// One meter on both sides of the comparison is off by the same share of both, and so of their difference. Two meters
/// are off independently. Shares are of the bounds, never of the best estimate: with fewer readings the measured energy
/// may be taken for less, and its meter's error must not shrink with it.
pub(super) fn with_instruments(
    facts: &MeterFacts,
    reference: &Reference,
    (rows, less): (&[Row], f64),
    avoided: Uncertain,
) -> Uncertain {
    let Some(error) = relative_error(facts.carrier, facts.accuracy_class.as_deref()) else { return avoided };
    let own = Source::Instrument(facts.id.clone());
    let due = || rows.iter().filter(|r| r.adjusted.is_some());
    let compared = || due().filter(|r| r.shown.avoided.is_some());
    let by_meter = compared().any(|r| r.shown.source == MonthSource::Meter);
    let by_bills = compared().any(|r| r.shown.source == MonthSource::Bills);
    match reference {
        Reference::Model(_, billed) if *billed == by_bills && *billed != by_meter => {
            let share = avoided.least() * error;
            avoided.through(own, share)
        }
        Reference::Model(..) => {
            let expected: f64 = due().filter_map(|r| r.adjusted).map(|a| a.energy).sum();
            let most: f64 = due().map(|r| r.most(facts)).sum::<f64>() - less;
            avoided.through(Source::Bills(facts.id.clone()), expected * error).through(own, most * error)
        }
        Reference::Zero => {
            let most: f64 = due().map(|r| r.most(facts)).sum::<f64>() - less;
            avoided.through(own, most * error)
        }
        Reference::None | Reference::Unknown => avoided,
    }
}
