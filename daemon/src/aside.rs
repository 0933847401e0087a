//! Values that the journal put aside because another one stands for the same meter, quantity, instant and origin: a
//! finding a meter, so that a person sees which value lost.
//!
//! Must never: cost anything while values agree, or tell anew of a meter more than once a minute.

use std::collections::BTreeMap;
use std::sync::Mutex;

use model::{Channel, Finding, Instant, MeterId, Reading, Severity, Value};
use store::Conflict;

use crate::runtime::{Runtime, lock};

/// The code of the finding.
const CODE: &str = "reading.conflict";
const RULE: &str = "the first value of an instant stands; another one is kept aside and never used";
/// A meter is told of anew after so many seconds at the soonest.
const TELL_EVERY_S: f64 = 60.0;
/// Values shown to a person, of a meter.
pub(crate) const SHOWN_MAX: u32 = 50;

/// When each meter was last told of, and what came since. Bounded by the meters that have readings.
#[derive(Debug, Default)]
pub(crate) struct Aside(Mutex<BTreeMap<MeterId, Told>>);

#[derive(Debug)]
struct Told {
    at: Instant,
    untold: Option<Conflict>,
}

impl Aside {
    /// Whether the meter is to be told of now; what came too soon waits.
    fn is_due(&self, conflict: &Conflict, now: Instant) -> bool {
        let mut told = lock(&self.0);
        match told.get_mut(&conflict.series.meter) {
            // A clock that was set back must not silence a meter.
            Some(one) if (0.0..TELL_EVERY_S).contains(&now.seconds_since(one.at)) => {
                one.untold = Some(conflict.clone());
                false
            }
            Some(_) | None => {
                told.insert(conflict.series.meter.clone(), Told { at: now, untold: None });
                true
            }
        }
    }

    /// What came too soon after its meter was told of.
    fn untold(&self) -> Vec<Conflict> {
        lock(&self.0).values_mut().filter_map(|told| told.untold.take()).collect()
    }
}

/// Tells of those of the readings that were put aside. Blocks on the disk.
pub(crate) fn look(runtime: &Runtime, readings: &[Reading]) {
    match runtime.store.conflicts_among(readings) {
        Ok(found) => tell(runtime, found),
        Err(error) => tracing::warn!(%error, "which values were put aside cannot be told"),
    }
}

/// Tells of what came too soon after its meter was last told of. Blocks on the disk.
pub(crate) fn catch_up(runtime: &Runtime) {
    tell(runtime, runtime.aside.untold());
}

fn tell(runtime: &Runtime, found: Vec<Conflict>) {
    // One a meter, the latest of its instants.
    let mut latest: BTreeMap<MeterId, Conflict> = BTreeMap::new();
    for conflict in found {
        let newest = latest.entry(conflict.series.meter.clone()).or_insert_with(|| conflict.clone());
        if newest.later.observed_at < conflict.later.observed_at {
            *newest = conflict;
        }
    }
    for (meter, conflict) in latest {
        if !runtime.aside.is_due(&conflict, runtime.clock.now()) {
            continue;
        }
        let count = runtime.store.conflict_count(&meter).unwrap_or_else(|error| {
            tracing::warn!(%error, %meter, "how many values were put aside cannot be told");
            1
        });
        runtime.report(finding(&conflict, count));
    }
}

fn finding(conflict: &Conflict, count: u64) -> Finding {
    let Conflict { series, kept, later } = conflict;
    let (kept, refused) = (shown(series.channel, *kept), shown(series.channel, later.value));
    let says = format!(
        "{} of {} came as {refused} where {kept} stands and stays; {count} such values are kept aside; if the second \
         is right, correct the reading",
        series.channel, later.observed_at
    );
    Finding::new(CODE, Severity::Caution, format!("meter:{}", series.meter), says, RULE)
        .with("channel", series.channel)
        .with("at", later.observed_at)
        .with("kept", &kept)
        .with("refused", &refused)
        .with("count", count)
}

/// A value in the unit in which people read it, with every digit of a total.
pub(crate) fn shown(channel: Channel, value: Value) -> String {
    let unit = channel.quantity.display_unit();
    let factor = unit.factor_to(channel.quantity).unwrap_or(1.0);
    match value {
        Value::Total(total) => format!("{:.3} {unit}", total as f64 / factor),
        Value::Gauge(gauge) => format!("{} {unit}", gauge / factor),
    }
}

#[cfg(test)]
mod tests {
    use model::{Origin, Quality, Quantity, SeriesKey};
    use store::StoredReading;

    use super::*;

    fn conflict(meter: &str, at_s: i64) -> Conflict {
        let at = Instant::from_seconds(at_s);
        Conflict {
            series: SeriesKey {
                meter: MeterId::new(meter).unwrap(),
                channel: Channel::total(Quantity::ActiveEnergyImport),
            },
            kept: Value::Total(110),
            later: StoredReading {
                observed_at: at,
                received_at: at,
                value: Value::Total(120),
                quality: Quality::Good,
                origin: Origin::Mqtt,
            },
        }
    }

    #[test]
    fn a_meter_is_told_of_once_a_minute_and_nothing_is_left_out() {
        let aside = Aside::default();
        let now = Instant::from_seconds(1_780_000_000);
        assert!(aside.is_due(&conflict("a", 1), now));
        assert!(!aside.is_due(&conflict("a", 2), now.plus_seconds(59)));
        assert!(aside.is_due(&conflict("b", 1), now.plus_seconds(59)), "another meter does not wait");
        assert_eq!(aside.untold(), [conflict("a", 2)]);
        assert!(aside.untold().is_empty());
        assert!(aside.is_due(&conflict("a", 2), now.plus_seconds(60)));
        assert!(aside.is_due(&conflict("a", 3), now.plus_seconds(-3_600)), "the clock was set back");
    }

    #[test]
    fn the_finding_names_both_values() {
        let says = finding(&conflict("a", 0), 3).to_string();
        assert_eq!(
            says,
            "caution [reading.conflict] meter:a: active_energy_import of 1970-01-01T00:00:00Z came as 0.120 kWh where \
             0.110 kWh stands and stays; 3 such values are kept aside; if the second is right, correct the reading"
        );
    }
}
