//! The store's half: sweeps of ten from many sources, each acknowledged when it is on disk; then the archive.
//!
//! Must never: count a reading as taken before its receipt.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant as Stopwatch;

use model::{Month, SeriesKey};
use store::{Store, StoreOptions};

use super::stream::{METERS, MINUTES_A_DAY, QUANTITIES, Stream};
use super::{Days, Figures, bytes_in, median, processor_seconds};
use crate::archiving;
use crate::commands::bench_feed;
use crate::commands::bench_memory::resident_kib;
use crate::commands::run::block_on;

/// Sweeps that wait for the disk at a time: a hundred meters, each a few sweeps ahead.
const UNDER_WAY: usize = 2_048;

/// Everything of this half.
pub(super) fn measure(dir: &Path, stream: &Stream, days: Days) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    let mut stream = stream.clone();
    let keys = Stream::keys();
    let store = Store::open(dir, StoreOptions::default())?;
    ingest(&store, &mut stream, &keys, days, &mut figures)?;
    let rest = (days.size - days.ingest) * MINUTES_A_DAY;
    run(feed(&store, &mut stream, &keys, rest))?;
    let zone = chrono_tz::Europe::Rome;
    let begin = Stream::default().next_minute().at;
    let month = Month::of(begin.day(zone));
    let (_, end) = month.bounds(zone);
    let done = archiving::archive(&store, zone, 0, end.plus_seconds(86_400), 0)?;
    let readings = days.readings();
    figures.bytes_per_reading = done.bytes as f64 / done.readings as f64;
    store.close();
    println!(
        "  at rest: {} bytes in {} file for {} of {readings} readings = {:.3} bytes each; the folder: {} bytes",
        done.bytes,
        done.files,
        done.readings,
        figures.bytes_per_reading,
        bytes_in(dir)?
    );
    queries(dir, &keys, days, &mut figures)?;
    Ok(figures)
}

fn run<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    block_on(async { Ok(future.await?) }).map_err(|failure| failure.error)
}

fn ingest(
    store: &Store,
    stream: &mut Stream,
    keys: &[SeriesKey],
    days: Days,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let own = std::process::id();
    let minutes = days.ingest * MINUTES_A_DAY;
    let count = (METERS * QUANTITIES) as f64 * minutes as f64;
    // What making the stream costs is told apart: the peer's was made before the clock ran.
    let (before, begun) = (processor_seconds(own)?, Stopwatch::now());
    let mut idle = stream.clone();
    for _ in 0..minutes {
        std::hint::black_box(idle.next_minute().sweeps(keys));
    }
    let (making, made) = (begun.elapsed().as_secs_f64(), processor_seconds(own)? - before);
    let (before, begun) = (processor_seconds(own)?, Stopwatch::now());
    run(feed(store, stream, keys, minutes))?;
    let took = begun.elapsed().as_secs_f64();
    let used = processor_seconds(own)? - before;
    figures.per_second = count / took;
    figures.per_processor_second = count / (used - made).max(0.01);
    figures.resident = f64::from(resident_kib(own)?) * 1_024.0;
    println!(
        "\nconsuntivo: {count} readings in {took:.2} s = {:.0} readings/s, {used:.1} s of processor time, of which making \
         the stream {made:.1} s ({making:.1} s of the clock); acknowledged when on disk",
        figures.per_second
    );
    println!("  resident memory at the end of it: {:.1} MB", figures.resident / 1e6);
    Ok(())
}

/// Appends sweep after sweep; at most [`UNDER_WAY`] wait for their receipt.
async fn feed(store: &Store, stream: &mut Stream, keys: &[SeriesKey], minutes: i64) -> anyhow::Result<()> {
    let mut left = minutes;
    let mut minute = Vec::new().into_iter();
    let next = || {
        if minute.as_slice().is_empty() && 0 < left {
            left -= 1;
            minute = stream.next_minute().sweeps(keys).into_iter();
        }
        minute.next()
    };
    bench_feed::feed(store, UNDER_WAY, next).await?;
    Ok(())
}

/// Thirty days of the first total of every meter, by day, from its readings.
fn queries(dir: &Path, keys: &[SeriesKey], days: Days, figures: &mut Figures) -> anyhow::Result<()> {
    let begun = Stopwatch::now();
    let store = Store::open(dir, StoreOptions::default())?;
    println!("  opened in {:.1} ms", begun.elapsed().as_secs_f64() * 1e3);
    let ask = || -> anyhow::Result<f64> {
        let begun = Stopwatch::now();
        for key in keys.iter().step_by(QUANTITIES) {
            let mut found = std::collections::BTreeMap::new();
            store.for_each_reading(key, None, None, &mut |reading| {
                let day = reading.observed_at.millis().div_euclid(86_400_000);
                found.insert(day, reading.value);
                ControlFlow::Continue(())
            })?;
            anyhow::ensure!(usize::try_from(days.size)? <= found.len(), "{} days only", found.len());
        }
        Ok(begun.elapsed().as_secs_f64())
    };
    figures.days_cold = ask()?;
    figures.days_warm = median((0..9).map(|_| ask()).collect::<Result<_, _>>()?);
    println!(
        "  {} days of {METERS} totals by day: {:.1} ms first, {:.1} ms later",
        days.size,
        figures.days_cold * 1e3,
        figures.days_warm * 1e3
    );
    store.close();
    Ok(())
}
