//! SIGKILL in the middle of ingestion, again and again, and then the account of every reading that was acknowledged.
//!
//! MQTT: a message whose publisher has its PUBACK belongs to the broker until the daemon acknowledges it in turn, so
//! every such message must stand in the journal, once, whatever happened in between. Modbus: what the daemon has
//! counted as stored must be there, and nothing may be there that the meter did not say.
//!
//! Must never: be made gentler by waiting for a quiet moment before a kill.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use tests::broker::Broker;
use tests::journal;
use tests::meter::CountingMeter;
use tests::numbered::{self, Stream};
use tests::random::Random;
use tests::site::Site;
use tests::wait;

const KILLS: u32 = 60;
/// A daemon lives at least and less than so long before it is killed, from the first instruction on: one in three
/// dies while it starts and recovers, the others while they ingest.
const SHORT_LIFE_MS: (u64, u64) = (2, 120);
const LONG_LIFE_MS: (u64, u64) = (120, 1_400);
/// About 250 messages a second: several commits are always under way.
const PUBLISH_EVERY: Duration = Duration::from_millis(4);
/// How long the last daemon may take to catch up with what the broker kept.
const CATCH_UP: Duration = Duration::from_secs(60);
const STORED: &str = "consuntivo_readings_total";

#[test]
fn every_acknowledged_reading_survives_sixty_kills() {
    let site = Site::new();
    let broker = Broker::start(site.path());
    let meter = CountingMeter::start();
    let site = site.with_mqtt_meter(broker.address, "via-mqtt", "site/via-mqtt").with_modbus_meter(
        meter.address,
        "bus",
        "via-modbus",
    );
    let mut random = Random::printed("crash");

    // The session must exist at the broker before the first message, or the broker has no one to keep it for.
    let first = site.start();
    broker.await_subscriber();
    first.kill();

    let stream = Stream::start(broker.address, "site/via-mqtt", PUBLISH_EVERY);
    let begun = Instant::now();
    let mut counted_modbus = 0.0;
    let mut ready = 0;
    for _ in 0..KILLS {
        let mut daemon = site.spawn();
        let (from, to) = if random.between(0, 3) == 0 { SHORT_LIFE_MS } else { LONG_LIFE_MS };
        std::thread::sleep(Duration::from_millis(random.between(from, to)));
        assert!(daemon.is_running(), "the daemon ended by itself:\n{}", daemon.log());
        if let Some(count) = stored_now(&mut daemon, "modbus") {
            ready += 1;
            counted_modbus += count;
        }
        daemon.kill();
    }
    let published = stream.finish();
    println!("{KILLS} kills in {:?}, {ready} of them after the start, {published} messages", begun.elapsed());
    assert!(
        KILLS / 4 < ready,
        "only {ready} of {KILLS} daemons lived long enough to ingest; lengthen their lives"
    );
    assert!(1_000 < published, "only {published} messages were published");

    let last = site.start();
    let expected: BTreeSet<_> = (1..=published).map(numbered::expected).collect();
    let journal_store = site.journal();
    wait::until("every acknowledged message in the journal", CATCH_UP, || {
        let found: BTreeSet<_> = journal::totals(&journal_store, "via-mqtt").into_iter().collect();
        let missing: Vec<_> = expected.difference(&found).take(5).collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(format!("{} of {published}, for example {missing:?} missing; log:\n{}", found.len(), last.log()))
    });
    assert!(last.stop().success(), "the last daemon did not stop cleanly");

    let found = journal::totals(&journal_store, "via-mqtt");
    assert_eq!(found.len(), expected.len(), "the journal has other readings than those published");
    account_for_modbus(&journal::totals(&journal_store, "via-modbus"), &meter.served());
    let there = journal::count(&journal_store, "via-modbus") as f64;
    println!(
        "modbus: {counted_modbus} readings counted as stored just before a kill, {there} in the journal"
    );
    assert!(0.0 < counted_modbus, "no Modbus reading was counted before a kill; lengthen the lives");
    assert!(
        counted_modbus <= there,
        "the daemons counted {counted_modbus} stored readings, {there} are there"
    );
}

/// What the daemon says it has stored from a source; `None` before its pages answer.
fn stored_now(daemon: &mut tests::daemon::Daemon, source: &str) -> Option<f64> {
    daemon.try_ready()?;
    daemon.metric(STORED, &["outcome=\"stored\"", &format!("source=\"{source}\"")]).ok()
}

/// Nothing may stand in the journal that the meter did not say, and nothing twice.
fn account_for_modbus(found: &[journal::Total], served: &[u32]) {
    assert!(!found.is_empty(), "no Modbus reading was stored in {KILLS} lives");
    let said: BTreeSet<i64> = served.iter().map(|kwh| i64::from(*kwh) * 1_000).collect();
    for total in found {
        assert!(said.contains(&total.watt_hours), "the meter never said {total:?}");
    }
    for pair in found.windows(2) {
        assert!(pair[0].observed_ms < pair[1].observed_ms, "two readings at one instant: {pair:?}");
        assert!(pair[0].watt_hours < pair[1].watt_hours, "readings out of order: {pair:?}");
    }
}
