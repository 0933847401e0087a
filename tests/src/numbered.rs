//! Numbered messages: message n says a total of n kWh at second n, so that each can be found again by its number.
//!
//! Must never: send two messages with the same number.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::broker::{Publisher, Retain};
use crate::journal::Total;

/// 2026-01-01T00:00:00Z in milliseconds: every number lies in the past.
const EPOCH_MS: i64 = 1_767_225_600_000;

/// The plain JSON payload of message `number`.
///
/// # Panics
/// When the number is beyond 86 399: then the time of day would need a date too.
#[must_use]
pub fn payload(number: u64) -> String {
    assert!(number < 86_400, "a day has 86400 seconds");
    let (hour, minute, second) = (number / 3600, number / 60 % 60, number % 60);
    format!(
        "{{\"time\":\"2026-01-01T{hour:02}:{minute:02}:{second:02}Z\",\"active_energy_import_kwh\":{number}}}"
    )
}

/// How message `number` must stand in the journal.
#[must_use]
pub fn expected(number: u64) -> Total {
    let number = i64::try_from(number).unwrap_or(i64::MAX);
    Total { observed_ms: EPOCH_MS + number * 1000, watt_hours: number * 1000 }
}

/// Publishes 1, 2, 3, … until told to stop, one after the other, each after the last one's PUBACK.
#[derive(Debug)]
pub struct Stream {
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

impl Stream {
    /// Begins to publish on `topic`, with `pause` between two messages.
    ///
    /// # Panics
    /// In its thread, when the broker refuses or goes away: the broker must stay.
    #[must_use]
    pub fn start(broker: SocketAddr, topic: &str, pause: Duration) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let acknowledged = Arc::new(AtomicU64::new(0));
        let topic = topic.to_owned();
        let (stopped, taken) = (Arc::clone(&stop), Arc::clone(&acknowledged));
        let thread = std::thread::spawn(move || {
            let mut publisher = Publisher::connect(broker, "numbered").expect("the broker takes a publisher");
            for number in 1.. {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                publisher
                    .publish(&topic, payload(number).as_bytes(), Retain::No)
                    .unwrap_or_else(|e| panic!("message {number} was not acknowledged: {e}"));
                taken.store(number, Ordering::SeqCst);
                std::thread::sleep(pause);
            }
        });
        Self { stop, acknowledged, thread }
    }

    /// The number of the last message that the broker acknowledged so far.
    #[must_use]
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::SeqCst)
    }

    /// Stops after the message under way and returns the last number: 1 to it were all acknowledged.
    ///
    /// # Panics
    /// When publishing had failed.
    #[must_use]
    pub fn finish(self) -> u64 {
        self.stop.store(true, Ordering::SeqCst);
        assert!(self.thread.join().is_ok(), "the publisher failed; its message stands above");
        self.acknowledged.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_a_second_and_a_kilowatt_hour() {
        let text = payload(3_723);
        assert_eq!(text, r#"{"time":"2026-01-01T01:02:03Z","active_energy_import_kwh":3723}"#);
        assert_eq!(expected(1), Total { observed_ms: EPOCH_MS + 1_000, watt_hours: 1_000 });
    }
}
