//! The long part of `consuntivo bench`: a hundred totals at one a minute over five years, from durable ingestion to months:
//! how soon a store of so many readings is open again, and how soon its months are there.
//!
//! Must never: count months that were made of other readings than those in the store.

use std::fs;
use std::path::Path;
use std::time::Instant as Stopwatch;

use analytics::series::{Accumulator, SeriesSettings};
use anyhow::Context;
use model::{
    BaseUnit, Channel, Instant, MeterId, Origin, Quality, Quantity, Reading, SeriesKey, Value, Zone,
};
use store::{JOURNAL_FILE, Store, StoreOptions};

use super::bench_feed::feed;
use super::bench_memory::resident_kib;
use crate::exit::Failure;
use crate::{archiving, made};

const ZONE: Zone = chrono_tz::Europe::Rome;
const TOTALS: usize = 100;
/// Readings that one append brings.
const SWEEP: usize = 10;
const UNDER_WAY: usize = 2_048;
/// 1 January 2020 to 1 January 2025 in Rome, in seconds.
const BEGIN_SECONDS: i64 = 1_577_833_200;
const END_SECONDS: i64 = 1_735_686_000;
/// Readings after which the store is closed and opened for the first time.
const FIRST_STOP: i64 = 50_000_000;

pub(crate) async fn store(dir: &Path) -> Result<(), Failure> {
    let keys = (0..TOTALS).map(key).collect::<Result<Vec<_>, _>>()?;
    let mut stream =
        Stream { keys: keys.clone(), totals: vec![1_000_000; TOTALS], minute: 0, next: 0, random: 0x5EED };
    let minutes = (END_SECONDS - BEGIN_SECONDS) / 60;
    let stop = (FIRST_STOP / TOTALS as i64).min(minutes);
    println!("\nstore of {TOTALS} totals x 5 years x 1 minute:");
    let mut store = Store::open(dir, StoreOptions::default())?;
    for until in [stop, minutes] {
        let begun = Stopwatch::now();
        let from = stream.minute;
        feed(&store, UNDER_WAY, || stream.sweep(until)).await?;
        let count = ((until - from) * TOTALS as i64) as f64;
        let took = begun.elapsed().as_secs_f64();
        println!("  {count} readings durable in {took:.1} s = {:.0} readings/s", count / took);
        after_a_power_cut(dir)?;
        store.close();
        store = opened(dir, until * TOTALS as i64)?;
    }
    let begun = Stopwatch::now();
    let now = Instant::from_seconds(END_SECONDS + 86_400);
    let done = archiving::archive(&store, ZONE, 0, now, 0)?;
    println!(
        "  {} months archived in {:.1} s: {} bytes = {:.3} bytes each",
        done.files,
        begun.elapsed().as_secs_f64(),
        done.bytes,
        done.bytes as f64 / done.readings as f64
    );
    store.close();
    store = opened(dir, minutes * TOTALS as i64)?;
    let (_, first) = months(&store, &keys, "of all readings, nothing kept")?;
    store.close();
    store = opened(dir, minutes * TOTALS as i64)?;
    let (series, again) = months(&store, &keys, "cold: after a start, from what is kept")?;
    let begun = Stopwatch::now();
    let warm = sum_of(&series);
    println!("  warm, in the running daemon: {:.1} ms", begun.elapsed().as_secs_f64() * 1e3);
    if first != again || first != warm || first != stream.grown() {
        let says =
            format!("the months differ: {first}, {again}, {warm}, where {} was put in", stream.grown());
        return Err(anyhow::Error::msg(says).into());
    }
    let resident = f64::from(resident_kib(std::process::id())?) * 1.024 / 1_000.0;
    println!("  resident memory at the end: {resident:.1} MB");
    store.close();
    Ok(())
}

fn opened(dir: &Path, readings: i64) -> anyhow::Result<Store> {
    let begun = Stopwatch::now();
    let store = Store::open(dir, StoreOptions::default())?;
    println!("  opened with {readings} readings in {:.1} ms", begun.elapsed().as_secs_f64() * 1e3);
    Ok(store)
}

/// Opens what a machine would find that stops now: the database and its log as they are on the disk.
fn after_a_power_cut(dir: &Path) -> anyhow::Result<()> {
    let copy = dir.with_extension("cut");
    fs::create_dir(&copy).context("cannot make a folder")?;
    let mut log_bytes = 0;
    for name in [JOURNAL_FILE.to_owned(), format!("{JOURNAL_FILE}-wal")] {
        log_bytes = fs::copy(dir.join(&name), copy.join(&name)).context("cannot copy the store")?;
    }
    let begun = Stopwatch::now();
    let store = Store::open(&copy, StoreOptions::default())?;
    let took = begun.elapsed().as_secs_f64() * 1e3;
    println!("  opened as after a power cut, with {log_bytes} bytes of log, in {took:.1} ms");
    store.close();
    fs::remove_dir_all(&copy).context("cannot remove a folder")
}

/// Every series up to its end, and the sum of its months.
fn months(store: &Store, keys: &[SeriesKey], how: &str) -> anyhow::Result<(Vec<Accumulator>, i64)> {
    let begun = Stopwatch::now();
    let series: Vec<Accumulator> = keys
        .iter()
        .map(|key| made::series(store, key, settings(), &[], None))
        .collect::<Result<_, _>>()
        .context("a series cannot be made")?;
    let sum = sum_of(&series);
    println!("  months {how}: {:.0} ms", begun.elapsed().as_secs_f64() * 1e3);
    Ok((series, sum))
}

fn sum_of(series: &[Accumulator]) -> i64 {
    let end = Instant::from_seconds(END_SECONDS);
    series.iter().flat_map(|one| one.snapshot(end).months).map(|month| month.amount).sum()
}

const fn settings() -> SeriesSettings {
    SeriesSettings {
        gas: None,
        unit: BaseUnit::WattHour,
        zone: ZONE,
        ceiling_per_milli: 100_000.0 / 3_600_000.0,
        wraps_at: None,
        resolution: 1,
        gap_after_millis: 900_000,
    }
}

fn key(number: usize) -> anyhow::Result<SeriesKey> {
    let meter = MeterId::new(&format!("bench-{number}"))?;
    Ok(SeriesKey { meter, channel: Channel::total(Quantity::ActiveEnergyImport) })
}

/// Totals that grow by 0 to 2 units of 0.01 kWh a minute at random.
struct Stream {
    keys: Vec<SeriesKey>,
    totals: Vec<i64>,
    minute: i64,
    next: usize,
    random: u64,
}

impl Stream {
    /// The next sweep before a minute.
    fn sweep(&mut self, until: i64) -> Option<Vec<Reading>> {
        if until <= self.minute {
            return None;
        }
        let at = Instant::from_seconds(BEGIN_SECONDS + 60 * self.minute);
        let meters = self.next..self.next + SWEEP;
        let mut sweep = Vec::with_capacity(SWEEP);
        for (key, total) in self.keys.iter().zip(&mut self.totals).skip(meters.start).take(SWEEP) {
            // Linear congruential (Knuth, MMIX); its high bits are the random ones.
            self.random = self.random.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
            if self.minute != 0 {
                *total += 10 * i64::try_from((self.random >> 33) % 3).unwrap_or_default();
            }
            sweep.push(Reading {
                series: key.clone(),
                observed_at: at,
                received_at: at.plus_millis(40),
                value: Value::Total(*total),
                quality: Quality::Good,
                origin: Origin::Modbus,
            });
        }
        self.next = if meters.end < TOTALS { meters.end } else { 0 };
        self.minute += i64::from(self.next == 0);
        Some(sweep)
    }

    /// What the totals grew by in all.
    fn grown(&self) -> i64 {
        self.totals.iter().map(|total| total - 1_000_000).sum()
    }
}
