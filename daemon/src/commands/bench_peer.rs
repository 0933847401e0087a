//! `consuntivo bench --peer`: the store and VictoriaMetrics side by side, the same stream, one after the other on this
//! machine: how fast it goes in, how small it lies, how fast months come out, how much memory it takes.
//!
//! The stream is that of a hundred meters with ten quantities a minute: three cumulative totals that grow by 0 to 2
//! units of 0.01 kWh at random, seven gauges around 230 with a deviation of 5 and one decimal.
//!
//! Must never: give the peer a harder stream, count bytes that are not there yet, or leave its process behind.

mod store_half;
mod stream;
mod victoria_half;

use std::fs;
use std::path::Path;

use anyhow::Context;

use crate::exit::{Exit, Failure};

/// Most days of the measurement of ingestion.
const INGEST_DAYS_MAX: i64 = 5;

/// How much of the stream there is.
#[derive(Debug, Clone, Copy)]
struct Days {
    ingest: i64,
    /// Those of the ingestion among them.
    size: i64,
}

impl Days {
    fn readings(self) -> i64 {
        (stream::METERS * stream::QUANTITIES) as i64 * stream::MINUTES_A_DAY * self.size
    }
}

/// What was measured of one of the two; `None` where it has no such figure.
#[derive(Debug, Clone, Copy, Default)]
struct Figures {
    /// Readings a second of wall clock, as the source sees it.
    per_second: f64,
    /// Readings a second of processor time.
    per_processor_second: f64,
    bytes_per_reading: f64,
    /// Memory at the end of the ingestion, in bytes.
    resident: f64,
    /// Days of one total of every meter, in seconds: the first time after a start, and the median of later ones.
    days_cold: f64,
    days_warm: f64,
}

pub(crate) fn bench(dir: &Path, days: i64) -> Result<Exit, Failure> {
    if dir.exists() {
        return Err(Failure::bad_input(format!(
            "{} exists; remove it or name another folder: the benchmark fills and removes it",
            dir.display()
        )));
    }
    fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    println!("profile: {}", if cfg!(debug_assertions) { "dev" } else { "release" });
    let stream = stream::Stream::default();
    let days = Days { ingest: days.min(INGEST_DAYS_MAX), size: days };
    println!(
        "stream: {} meters x {} quantities x 1 minute; {} days for ingestion, {} days for size",
        stream::METERS,
        stream::QUANTITIES,
        days.ingest,
        days.size
    );
    let done = (|| {
        let ours = store_half::measure(&dir.join("store"), &stream, days)?;
        let peer = victoria_half::measure(&dir.join("victoria"), &stream, days)?;
        print(&ours, &peer);
        Ok(Exit::OK)
    })();
    fs::remove_dir_all(dir).with_context(|| format!("cannot remove {}", dir.display()))?;
    done
}

fn print(ours: &Figures, peer: &Figures) {
    println!("\n{:<44} {:>14} {:>16} {:>8}", "", "consuntivo", "VictoriaMetrics", "ratio");
    let row = |name: &str, ours: f64, peer: f64, digits: usize| {
        println!("{name:<44} {ours:>14.digits$} {peer:>16.digits$} {:>8.2}", ours / peer);
    };
    row("ingest, readings/s (ours: on disk first)", ours.per_second, peer.per_second, 0);
    row("ingest, readings per processor second", ours.per_processor_second, peer.per_processor_second, 0);
    row("at rest, bytes per reading", ours.bytes_per_reading, peer.bytes_per_reading, 3);
    row("resident memory during ingestion, MB", ours.resident / 1e6, peer.resident / 1e6, 1);
    row("100 totals by day, cold, ms", ours.days_cold * 1e3, peer.days_cold * 1e3, 1);
    row("100 totals by day, warm, ms", ours.days_warm * 1e3, peer.days_warm * 1e3, 1);
}

/// Processor time of a process so far, user and system, in seconds.
pub(crate) fn processor_seconds(process: u32) -> anyhow::Result<f64> {
    let stat =
        fs::read_to_string(format!("/proc/{process}/stat")).context("cannot read the process's state")?;
    // After the name, which may hold anything but ends with the last bracket; see proc(5).
    let rest = stat.rsplit_once(')').map(|(_, rest)| rest).context("the process's state has no name")?;
    let ticks = |n: usize| rest.split_whitespace().nth(n).and_then(|field| field.parse::<f64>().ok());
    let (user, system) = (ticks(11).context("no user time")?, ticks(12).context("no system time")?);
    // Linux gives these to programs in hundredths of a second whatever its own tick.
    Ok((user + system) / 100.0)
}

/// Bytes of a folder with everything in it.
fn bytes_in(folder: &Path) -> anyhow::Result<u64> {
    let mut sum = 0;
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let meta = entry.metadata()?;
        sum += if meta.is_dir() { bytes_in(&entry.path())? } else { meta.len() };
    }
    Ok(sum)
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}
