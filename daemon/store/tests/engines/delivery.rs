//! Delivery from an outbox: everything once, whatever breaks; waits as asked; nothing refused is lost.
//!
//! Must never: wait in real time; the clock is tokio's, stopped and turned by hand.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use model::{Instant, Quantity, Reading, SeriesKey};
use proptest::prelude::*;
use store::engine::{
    BoxFuture, Delivery, DeliveryEvent, DeliveryOptions, Engine, EngineSeries, Keeper, Outbox, OutboxBatch,
    StoreOutbox, deliver,
};
use store::{Store, StoreError, StoreOptions};
use tokio::sync::Notify;

use crate::conformance::Fixed;
use crate::memory::{Fault, Memory};
use crate::sample::{key, total, totals};

/// Batches in memory, and what was accepted of them.
#[derive(Default)]
struct Queue {
    waiting: Mutex<VecDeque<OutboxBatch>>,
    /// Most readings that one look took.
    widest: Mutex<usize>,
}

impl Queue {
    fn push(&self, seq: i64, readings: Vec<Reading>) {
        self.waiting.lock().unwrap().push_back(OutboxBatch { seq, readings });
    }
}

impl Outbox for Queue {
    fn waiting(&self, readings_max: usize) -> Result<Vec<OutboxBatch>, StoreError> {
        let (mut found, mut count) = (Vec::new(), 0);
        for batch in self.waiting.lock().unwrap().iter() {
            if !found.is_empty() && readings_max < count + batch.readings.len() {
                break;
            }
            count += batch.readings.len();
            found.push(batch.clone());
        }
        let mut widest = self.widest.lock().unwrap();
        *widest = (*widest).max(count);
        Ok(found)
    }

    fn accepted(&self, seq: i64) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            self.waiting.lock().unwrap().retain(|batch| seq < batch.seq);
            Ok(())
        })
    }
}

#[derive(Default)]
pub(crate) struct Notes {
    pub(crate) refused: Mutex<Vec<(Reading, String)>>,
    failures: Mutex<Vec<(String, Duration)>>,
    delivered: Mutex<u64>,
    rewrites: Mutex<BTreeSet<SeriesKey>>,
    pub(crate) rewritten: Mutex<usize>,
    pub(crate) idle: Notify,
}

impl Keeper for Notes {
    fn refused(&self, readings: Vec<(Reading, String)>) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            self.refused.lock().unwrap().extend(readings);
            Ok(())
        })
    }

    fn differing(&self, series: BTreeSet<SeriesKey>) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            self.rewrites.lock().unwrap().extend(series);
            Ok(())
        })
    }

    fn next_rewrite(&self) -> BoxFuture<'_, Result<Option<SeriesKey>, StoreError>> {
        Box::pin(async move { Ok(self.rewrites.lock().unwrap().first().cloned()) })
    }

    fn rewritten(&self, series: SeriesKey) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            self.rewrites.lock().unwrap().remove(&series);
            Ok(())
        })
    }

    fn told(&self, event: DeliveryEvent<'_>) {
        match event {
            DeliveryEvent::Delivered { readings, .. } => *self.delivered.lock().unwrap() += readings,
            DeliveryEvent::Rewritten { .. } => *self.rewritten.lock().unwrap() += 1,
            DeliveryEvent::Idle => self.idle.notify_one(),
            DeliveryEvent::Failed { error, wait } => {
                self.failures.lock().unwrap().push((error.code().to_owned(), wait));
            }
        }
    }
}

struct Bench {
    /// The journal, for series that are written again.
    journal: Vec<Reading>,
    engine: Arc<Memory>,
    queue: Arc<Queue>,
    notes: Arc<Notes>,
}

impl Bench {
    fn new(engine: Memory) -> Self {
        Self { journal: Vec::new(), engine: Arc::new(engine), queue: Arc::default(), notes: Arc::default() }
    }

    fn delivery(&self) -> Delivery {
        Delivery {
            engine: Arc::clone(&self.engine) as Arc<dyn Engine>,
            installation: "comune".to_owned(),
            outbox: Arc::clone(&self.queue) as Arc<dyn Outbox>,
            source: Arc::new(Fixed(self.journal.clone())),
            keeper: Arc::clone(&self.notes) as Arc<dyn Keeper>,
            options: DeliveryOptions::default(),
        }
    }

    /// Delivers until nothing waits.
    async fn drain(&self) {
        deliver(self.delivery(), self.notes.idle.notified()).await;
    }

    async fn held(&self, key: &SeriesKey) -> Vec<Reading> {
        let series = EngineSeries { installation: "comune".to_owned(), key: key.clone() };
        let (from, to) = (Instant::from_millis(0), Instant::from_millis(i64::MAX));
        self.engine.read(&series, from, to).await.unwrap().readings
    }
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        3 => Just(Fault::None),
        1 => Just(Fault::Before),
        1 => Just(Fault::After),
        1 => Just(Fault::Half),
        1 => Just(Fault::Busy(3)),
        1 => Just(Fault::Forbidden),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Whatever breaks, a reading reaches the engine only after every earlier one of its series, as the journal took them.
    #[test]
    fn each_series_arrives_in_the_order_of_the_journal(
        faults in prop::collection::vec(fault(), 0..12),
        blocks in prop::collection::vec(prop::collection::vec((0..3_usize, 0..700_i64), 1..4), 1..10),
        cuts in prop::collection::vec(0..5_000_u64, 0..4),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let bench = Bench::new(Memory::with_faults(faults));
            let keys = [0, 1, 2].map(|n| key(&format!("m{n}"), Quantity::HeatEnergy));
            let mut journal: Vec<Reading> = Vec::new();
            for (seq, parts) in blocks.iter().enumerate() {
                let mut block = Vec::new();
                for &(series, count) in parts {
                    let known = journal.iter().chain(&block).filter(|r: &&Reading| r.series == keys[series]).count();
                    // Against the order of time: the journal's order is that of arrival.
                    let all = (0..count).map(|n| total(&keys[series], -(known as i64 + n) * 60_000, n));
                    block.extend(all.collect::<Vec<_>>());
                }
                journal.extend(block.iter().cloned());
                bench.queue.push(seq as i64, block);
            }
            for millis in cuts {
                deliver(bench.delivery(), tokio::time::sleep(Duration::from_millis(millis))).await;
            }
            bench.drain().await;
            for key in &keys {
                let of = |all: &[Reading]| -> Vec<Instant> {
                    all.iter().filter(|r| r.series == *key).map(|r| r.observed_at).collect()
                };
                assert_eq!(of(&bench.engine.first.lock().unwrap()), of(&journal));
            }
        });
    }

    /// Whatever breaks and however often delivery is cut short, the engine ends with exactly what the journal had.
    #[test]
    fn everything_arrives_whatever_breaks(
        faults in prop::collection::vec(fault(), 0..12),
        sizes in prop::collection::vec(0..2_500_i64, 1..12),
        cuts in prop::collection::vec(0..5_000_u64, 0..4),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let bench = Bench::new(Memory::with_faults(faults));
            let key = key("m", Quantity::HeatEnergy);
            let mut all = totals(&key, sizes.iter().sum());
            let expected = all.clone();
            for (seq, size) in sizes.iter().enumerate() {
                let rest = all.split_off(usize::try_from(*size).unwrap());
                bench.queue.push(seq as i64, std::mem::replace(&mut all, rest));
            }
            for millis in cuts {
                deliver(bench.delivery(), tokio::time::sleep(Duration::from_millis(millis))).await;
            }
            bench.drain().await;
            assert_eq!(bench.held(&key).await, expected);
            assert!(bench.queue.waiting.lock().unwrap().is_empty());
            assert!(*bench.queue.widest.lock().unwrap() <= 40_000);
        });
    }
}

#[tokio::test(start_paused = true)]
async fn waits_are_those_the_engine_asks_for_and_a_person_is_waited_for() {
    let faults = [Fault::Busy(900), Fault::Busy(2), Fault::Forbidden, Fault::Before, Fault::None];
    let bench = Bench::new(Memory::with_faults(faults));
    bench.queue.push(1, totals(&key("m", Quantity::HeatEnergy), 10));
    bench.drain().await;
    let failures = bench.notes.failures.lock().unwrap().clone();
    let codes: Vec<&str> = failures.iter().map(|(code, _)| code.as_str()).collect();
    assert_eq!(codes, ["engine.busy", "engine.busy", "engine.forbidden", "engine.unreachable"]);
    let waits: Vec<u64> = failures.iter().map(|(_, wait)| wait.as_secs()).collect();
    assert_eq!(waits[0], 900);
    assert!((1..=3).contains(&waits[1]) && 60 <= waits[2] && waits[3] <= 12, "{waits:?}");
}

#[tokio::test(start_paused = true)]
async fn refused_readings_are_kept_before_anything_is_accepted() {
    let bench = Bench::new(Memory::default());
    bench.engine.refuses.lock().unwrap().insert("bad".to_owned());
    let (good, bad) = (key("good", Quantity::HeatEnergy), key("bad", Quantity::HeatEnergy));
    let mut mixed = totals(&good, 1_500);
    mixed.extend(totals(&bad, 700));
    bench.queue.push(1, mixed);
    bench.drain().await;
    assert_eq!(bench.held(&good).await.len(), 1_500);
    let refused = bench.notes.refused.lock().unwrap();
    assert_eq!(refused.len(), 700);
    assert!(refused.iter().all(|(reading, reason)| reading.series == bad && reason == "refused by the test"));
    // Once each: nothing was tried again.
    assert_eq!(bench.engine.writes.lock().unwrap().iter().sum::<usize>(), 2_200);
}

/// A day without the engine, a hundred series a minute: few questions while it is away, everything in windows after.
#[tokio::test(start_paused = true)]
async fn a_day_of_outage_is_caught_up_in_windows() {
    let minutes = 24 * 60;
    let bench = Bench::new(Memory::default());
    let keys: Vec<SeriesKey> = (0..100).map(|n| key(&format!("m{n}"), Quantity::HeatEnergy)).collect();
    let series: Vec<Vec<Reading>> = keys.iter().map(|key| totals(key, minutes)).collect();
    let begun = tokio::time::Instant::now();
    // The engine refuses every write of the day.
    bench.engine.faults.lock().unwrap().extend(std::iter::repeat_n(Fault::Before, 100_000));
    let delivering = tokio::spawn(deliver(bench.delivery(), tokio::time::sleep(Duration::from_secs(90_000))));
    for minute in 0..minutes {
        let at = usize::try_from(minute).unwrap();
        bench.queue.push(minute, series.iter().map(|s| s[at].clone()).collect());
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    assert!(Duration::from_secs(86_400) <= begun.elapsed());
    let tried = bench.engine.writes.lock().unwrap().len();
    assert!((200..1_000).contains(&tried), "{tried} attempts in a day");
    bench.engine.faults.lock().unwrap().clear();
    // At the latest after the longest wait it is tried again; then nothing but the engine's own time counts.
    tokio::time::sleep(Duration::from_secs(460)).await;
    assert_eq!(bench.queue.waiting.lock().unwrap().len(), 0);
    assert_eq!(bench.engine.count(), 144_000);
    assert!(*bench.queue.widest.lock().unwrap() <= 40_000);
    delivering.abort();
}

/// The engine holds another value: the series is written again from the journal, also when that is cut short first.
#[tokio::test(start_paused = true)]
async fn a_series_that_differs_is_written_again_however_often_it_takes() {
    let mut bench = Bench::new(Memory::with_faults([Fault::Before, Fault::Half, Fault::None, Fault::After]));
    let key = key("m", Quantity::HeatEnergy);
    bench.journal = totals(&key, 2_500);
    let mut wrong = totals(&key, 2_600);
    wrong.iter_mut().for_each(|reading| reading.value = model::Value::Total(0));
    bench.queue.push(1, totals(&key, 2_500));
    bench.engine.write("comune", &wrong).await.unwrap_err();
    bench.notes.rewrites.lock().unwrap().insert(key.clone());
    bench.drain().await;
    assert_eq!(bench.held(&key).await, totals(&key, 2_500));
    assert!(bench.notes.rewrites.lock().unwrap().is_empty());
}

/// The real journal: a day without the engine waits in the outbox; while an engine takes its time over the first window
/// readings are journalled as ever, and in the end it has everything.
#[tokio::test(flavor = "multi_thread")]
async fn ingestion_goes_on_while_a_day_of_outage_is_caught_up() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), StoreOptions::default()).unwrap();
    let outbox = StoreOutbox::open(store.clone(), "centrale").unwrap();
    let keys: Vec<SeriesKey> = (0..100).map(|n| key(&format!("m{n}"), Quantity::HeatEnergy)).collect();
    for key in &keys {
        store.append(totals(key, 24 * 60)).await.unwrap();
    }
    let status = store.outbox_status("centrale").unwrap().unwrap();
    assert_eq!(status.pending_readings, 144_000);
    let mut bench = Bench::new(Memory::default());
    let hold = Arc::clone(&bench.engine.hold).write_owned().await;
    let delivery = Delivery { outbox: Arc::new(outbox), ..bench.delivery() };
    let idle = Arc::clone(&bench.notes);
    let delivering = tokio::spawn(async move { deliver(delivery, idle.idle.notified()).await });
    while bench.engine.writes.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    // The engine sits on its first body; every receipt comes all the same.
    let live = key("live", Quantity::HeatEnergy);
    for reading in totals(&live, 500) {
        store.append(vec![reading]).await.unwrap();
    }
    assert_eq!(bench.engine.count(), 0);
    drop(hold);
    delivering.await.unwrap();
    assert_eq!(bench.engine.count(), 144_500);
    bench.journal = totals(&live, 500);
    assert_eq!(bench.held(&live).await, bench.journal);
    let status = store.outbox_status("centrale").unwrap().unwrap();
    assert_eq!((status.pending_readings, status.pending_blocks), (0, 0));
    store.close();
}
