//! `consuntivo bench`: prints what this machine does: durable ingest, decoding, MQTT, months, a report, memory.
//!
//! Must never: judge. It prints figures for `docs/benchmarks.md`; no test depends on them.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant as Stopwatch};

use analytics::scheme::ReportKind;
use analytics::series::{Accumulator, SeriesSettings};
use anyhow::Context;
use chrono::NaiveDate;
use model::{
    BaseUnit, Channel, Instant, MeterId, Origin, Quality, Quantity, Reading, SeriesKey, Value, Zone,
};
use store::{CommitObserver, Store, StoreOptions};

use crate::commands::bench_feed::feed;
use crate::commands::import::{import_bills_into, import_project_into, import_temperatures_into};
use crate::commands::run::block_on;
use crate::commands::{bench_decode, bench_memory, bench_mqtt, bench_peer, bench_store};
use crate::demo::Demo;
use crate::documents::{self, Dress};
use crate::exit::{Exit, Failure};
use crate::installation::Installation;
use crate::{figures, reports};

const ZONE: Zone = chrono_tz::Europe::Rome;
/// Readings of each ingest measurement.
const INGEST_READINGS: usize = 2_000_000;
/// Sources that submit at the same time and wait for the disk.
const INGEST_SOURCES: usize = 32;
const COUNTERS: usize = 100;
const YEARS: i64 = 5;
/// Reports of the measurement of many.
const REPORTS: usize = 1_000;

/// A part of the benchmark that can be run alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Section {
    Ingest,
    Decode,
    Mqtt,
    Months,
    /// A hundred totals over five years: takes ten minutes and a gigabyte
    Store,
    Report,
    Memory,
}

/// Runs the sections of `only`, or all of them where it names none.
pub(crate) fn bench(dir: &Path, only: &[Section]) -> Result<Exit, Failure> {
    if dir.exists() {
        return Err(Failure::bad_input(format!(
            "{} exists; remove it or name another folder: the benchmark fills and removes it",
            dir.display()
        )));
    }
    fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    println!("profile: {}", if cfg!(debug_assertions) { "dev" } else { "release" });
    let wanted = |section| only.is_empty() || only.contains(&section);
    let done = block_on(async {
        if wanted(Section::Ingest) {
            ingest(&dir.join("sweeps"), 10).await?;
            ingest(&dir.join("singles"), 1).await?;
        }
        if wanted(Section::Decode) {
            bench_decode::decode()?;
        }
        if wanted(Section::Mqtt) {
            bench_mqtt::mqtt(&dir.join("mqtt")).await?;
        }
        if wanted(Section::Months) {
            months();
        }
        if wanted(Section::Store) {
            bench_store::store(&dir.join("store")).await?;
        }
        if wanted(Section::Report) {
            report(&dir.join("report")).await?;
        }
        if wanted(Section::Memory) {
            bench_memory::memory(&dir.join("memory")).await?;
        }
        Ok(())
    });
    fs::remove_dir_all(dir).with_context(|| format!("cannot remove {}", dir.display()))?;
    done.map(|()| Exit::OK)
}

/// Collects the durations of commits.
#[derive(Default)]
struct Commits(Mutex<Vec<Duration>>);

impl CommitObserver for Commits {
    fn committed(&self, _readings: u64, duration: Duration, _queue_depth: u64) {
        crate::runtime::lock(&self.0).push(duration);
    }
}

/// `INGEST_SOURCES` sources append `batch` readings at a time; each waits until its own are on disk.
async fn ingest(dir: &Path, batch: usize) -> Result<(), Failure> {
    let commits = Arc::new(Commits::default());
    let observer: Arc<dyn CommitObserver> = Arc::clone(&commits) as Arc<dyn CommitObserver>;
    let store = Store::open(dir, StoreOptions { observer: Some(observer), ..StoreOptions::default() })?;
    let own = std::process::id();
    let (used_before, begun) = (bench_peer::processor_seconds(own)?, Stopwatch::now());
    let mut sources = tokio::task::JoinSet::new();
    // A source of single readings keeps many appends under way, as a message broker does.
    let under_way = if batch == 1 { 256 } else { 64 };
    for source in 0..INGEST_SOURCES {
        let store = store.clone();
        sources.spawn(async move { append_all(&store, source, batch, under_way).await });
    }
    let mut waits = Vec::new();
    while let Some(done) = sources.join_next().await {
        waits.extend(done.context("a source panicked")??);
    }
    let took = begun.elapsed();
    let used = bench_peer::processor_seconds(own)? - used_before;
    let count = INGEST_READINGS / INGEST_SOURCES / batch * batch * INGEST_SOURCES;
    let shape = if batch == 1 { "single readings".to_owned() } else { format!("sweeps of {batch}") };
    println!(
        "\ndurable ingest, {shape}: {count} readings in {:.2} s = {:.0} readings/s",
        took.as_secs_f64(),
        count as f64 / took.as_secs_f64()
    );
    println!(
        "  processor time {used:.2} s, the making of readings included: {:.0} readings per second of one core",
        count as f64 / used.max(0.01)
    );
    let mut commits = std::mem::take(&mut *crate::runtime::lock(&commits.0));
    println!(
        "  commits: {}, p50 {}, p99 {}",
        commits.len(),
        percentile(&mut commits, 50),
        percentile(&mut commits, 99)
    );
    println!(
        "  from submission to receipt: p50 {}, p99 {}",
        percentile(&mut waits, 50),
        percentile(&mut waits, 99)
    );
    store.close();
    let bytes: u64 = fs::read_dir(dir)
        .and_then(|entries| entries.map(|e| Ok(e?.metadata()?.len())).sum())
        .context("cannot measure the store's folder")?;
    println!("  on disk: {bytes} bytes = {:.1} bytes/reading", bytes as f64 / count as f64);
    Ok(())
}

/// Appends one source's share; returns how long each append waited for the disk.
async fn append_all(
    store: &Store,
    source: usize,
    batch: usize,
    under_way: usize,
) -> Result<Vec<Duration>, Failure> {
    let keys: Vec<SeriesKey> = (0..batch.max(10)).map(|n| key(source, n)).collect::<Result<_, _>>()?;
    let appends = INGEST_READINGS / INGEST_SOURCES / batch;
    let mut numbers = 0..appends;
    let next = || {
        let n = numbers.next()?;
        Some((0..batch).map(|i| reading(&keys, n, i, batch)).collect())
    };
    Ok(feed(store, under_way, next).await?)
}

fn key(source: usize, n: usize) -> Result<SeriesKey, Failure> {
    let meter = MeterId::new(&format!("bench-{source}-{n}")).map_err(anyhow::Error::from)?;
    Ok(SeriesKey { meter, channel: Channel::total(Quantity::ActiveEnergyImport) })
}

fn reading(keys: &[SeriesKey], n: usize, i: usize, batch: usize) -> Reading {
    let (series, minute) = if batch == 1 { (n % keys.len(), n / keys.len()) } else { (i, n) };
    let at = Instant::from_seconds(1_704_063_600 + 60 * minute as i64);
    Reading {
        series: keys[series].clone(),
        observed_at: at,
        received_at: at.plus_millis(40),
        value: Value::Total(1_000_000 + 20 * minute as i64),
        quality: Quality::Good,
        origin: Origin::Modbus,
    }
}

fn percentile(durations: &mut [Duration], percent: usize) -> String {
    if durations.is_empty() {
        return "none".to_owned();
    }
    durations.sort_unstable();
    let at = durations[(durations.len() - 1) * percent / 100];
    format!("{:.2} ms", at.as_secs_f64() * 1000.0)
}

/// Days and months of 100 counters over five years of minutes, from totals made on the way.
fn months() {
    let settings = SeriesSettings {
        gas: None,
        unit: BaseUnit::WattHour,
        zone: ZONE,
        ceiling_per_milli: 100_000.0 / 3_600_000.0,
        wraps_at: None,
        resolution: 1,
        gap_after_millis: 900_000,
    };
    let minutes = YEARS * 365 * 24 * 60;
    let begun = Stopwatch::now();
    let (mut pushed, mut sum) = (0_i64, 0_i64);
    for counter in 0..COUNTERS as i64 {
        let mut series = Accumulator::new(settings);
        let mut total = 0;
        for minute in 0..minutes {
            total += (minute * 7 + counter) % 900;
            series.push(Instant::from_seconds(1_577_833_200 + 60 * minute), total);
        }
        pushed += minutes;
        let end = Instant::from_seconds(1_577_833_200 + 60 * minutes);
        sum += series.snapshot(end).months.iter().map(|m| m.amount).sum::<i64>();
    }
    let took = begun.elapsed().as_secs_f64();
    println!(
        "\nmonths of {COUNTERS} counters x {YEARS} years x 1 minute: {pushed} totals in {took:.2} s = {:.1} ns each (checksum {sum})",
        took * 1e9 / pushed as f64
    );
}

/// The demonstration's first report, from the journal to the files.
async fn report(dir: &Path) -> Result<(), Failure> {
    let today = NaiveDate::from_ymd_opt(2026, 6, 30).context("no such day")?;
    let demo = Demo::plan(today, ZONE);
    let files = demo
        .write_files(dir, &demo.unopened_ports(), ([127, 0, 0, 1], 0).into())
        .map_err(anyhow::Error::from)?;
    let installation = Installation::load(&files.config)?;
    let catalog = &installation.catalog;
    let store = Store::open(&installation.settings.installation.data_dir, installation.store_options())?;
    let at = model::time::day_start(today, ZONE);
    for file in &files.projects {
        import_project_into(&store, catalog, file, "bench", at)?;
    }
    for file in &files.bills {
        import_bills_into(&store, catalog, file, "bench", at)?;
    }
    for (station, file) in &files.temperatures {
        import_temperatures_into(&store, station, file, "bench", at)?;
    }
    let begun = Stopwatch::now();
    let mut count = 0;
    for batch in demo.history(at) {
        count += batch.len();
        store.append(batch).await?;
    }
    let took = begun.elapsed().as_secs_f64();
    println!(
        "\nreplay of the demonstration: {count} readings in {took:.2} s = {:.0} readings/s",
        count as f64 / took
    );
    let dress = Dress::of(&installation, "it");
    for (id, year) in demo.report_years() {
        let project = figures::project(&store, catalog, &id)?;
        let until = figures::until(year, today);
        let begun = Stopwatch::now();
        let computed = figures::with_beside(&store, &installation, &project, year, until)?;
        let figures_took = begun.elapsed();
        let begun = Stopwatch::now();
        let written = documents::of_year(&computed, &[ReportKind::Annual], &dress)?;
        let render_took = begun.elapsed();
        reports::write_all(&dir.join("out"), &written)?;
        println!(
            "report {id} {year}: figures of two years from {} readings {} ms, PDF+XLSX+CSV+XML+JSON {} ms",
            computed.year.provenance.readings,
            figures_took.as_millis(),
            render_took.as_millis()
        );
    }
    many(&store, &installation, &demo, today, &dress)?;
    store.close();
    Ok(())
}

/// Reports of as many projects as a region has, made as `report` makes them, on two threads; nothing is kept.
fn many(
    store: &Store,
    installation: &Installation,
    demo: &Demo,
    today: NaiveDate,
    dress: &Dress,
) -> Result<(), Failure> {
    let years = demo.report_years();
    let next = AtomicUsize::new(0);
    let bytes = AtomicUsize::new(0);
    let resident = Mutex::new(Vec::new());
    let begun = Stopwatch::now();
    let work = || -> Result<(), Failure> {
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            if REPORTS <= n {
                return Ok(());
            }
            let (id, year) = &years[n % years.len()];
            let project = figures::project(store, &installation.catalog, id)?;
            let until = figures::until(*year, today);
            let gathered = figures::with_beside(store, installation, &project, *year, until)?;
            let files = documents::of_year(&gathered, &[ReportKind::Annual], dress)?;
            bytes.fetch_add(files.iter().map(|f| f.bytes.len()).sum(), Ordering::Relaxed);
            if (n + 1).is_multiple_of(REPORTS / 5) {
                crate::runtime::lock(&resident).push(bench_memory::resident_kib(std::process::id())?);
            }
        }
    };
    std::thread::scope(|threads| -> Result<(), Failure> {
        let other = threads.spawn(work);
        work()?;
        other.join().map_err(|_| anyhow::anyhow!("making reports panicked"))?
    })?;
    let took = begun.elapsed().as_secs_f64();
    let resident: Vec<String> = std::mem::take(&mut *crate::runtime::lock(&resident))
        .into_iter()
        .map(|kib| format!("{:.0}", f64::from(kib) / 1000.0 * 1.024))
        .collect();
    println!(
        "\n{REPORTS} annual reports, figures of two years each, on two threads: {took:.0} s = {:.0} ms each, {} MB of files",
        took * 1000.0 / REPORTS as f64,
        bytes.into_inner() / 1_000_000
    );
    println!("  resident memory after each fifth: {} MB", resident.join(", "));
    Ok(())
}
