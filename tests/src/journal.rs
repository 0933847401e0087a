//! What stands in a journal, as numbers that can be compared with what was sent.
//!
//! Must never: change the journal.

use std::ops::ControlFlow;

use model::{Channel, MeterId, Quantity, SeriesKey, Value};
use store::Store;

/// A total as it stands in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Total {
    pub observed_ms: i64,
    pub watt_hours: i64,
}

/// Every imported-energy total of a meter, in order of observation.
///
/// # Panics
/// When the journal cannot be read or holds something that is no total.
#[must_use]
pub fn totals(store: &Store, meter: &str) -> Vec<Total> {
    let meter = MeterId::new(meter).unwrap_or_else(|e| panic!("{e}"));
    let series = SeriesKey { meter, channel: Channel::total(Quantity::ActiveEnergyImport) };
    let mut found = Vec::new();
    let mut take = |reading: &store::StoredReading| {
        match reading.value {
            Value::Total(watt_hours) => {
                found.push(Total { observed_ms: reading.observed_at.millis(), watt_hours });
            }
            Value::Gauge(value) => panic!("a total is kept as the gauge {value}"),
        }
        ControlFlow::Continue(())
    };
    store.for_each_reading(&series, None, None, &mut take).unwrap_or_else(|e| panic!("{e}"));
    found
}

/// How many readings of a meter the journal holds, of all its channels.
///
/// # Panics
/// When the journal cannot be read.
#[must_use]
pub fn count(store: &Store, meter: &str) -> u64 {
    let all = store.series().unwrap_or_else(|e| panic!("{e}"));
    let own = all.iter().filter(|series| series.meter.as_str() == meter);
    let mut keep_on = |_: &store::StoredReading| ControlFlow::Continue(());
    own.map(|s| store.for_each_reading(s, None, None, &mut keep_on).unwrap_or_else(|e| panic!("{e}"))).sum()
}
