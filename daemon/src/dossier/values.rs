//! What was measured, value by value: readings of the meters' totals, load curves and totals from files, as CSV by meter
//! and year.
//!
//! Must never: hold a year in memory, cut a series, or leave one out in silence.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::ops::ControlFlow;

use chrono::{Datelike as _, NaiveDate};
use model::time::day_start;
use model::{Instant, Kind, MeterFacts, Project, Quantity, SeriesKey, Value};
use store::{Store, StoredReading};

use super::out::Out;
use crate::hub;
use crate::installation::Installation;

/// Bytes of lines in memory at a time.
const LINES_BYTES: usize = 256 * 1024;
/// Later than every value.
const LATEST: Instant = Instant::from_millis(i64::MAX);

const READINGS: &str = "osservata_utc;ricevuta_utc;totale;um;qualita;provenienza\n";
const INTERVALS: &str = "dal_utc;al_utc_escluso;quantita;um;ricevuto_utc\n";
const TOTALS: &str = "istante_utc;totale;um;ricevuto_utc\n";

/// Adds all of it, what came before `now`; how many series of momentary values were left out.
pub(super) fn add(
    store: &Store,
    installation: &Installation,
    project: &Project,
    out: &mut Out<'_>,
    now: Instant,
) -> anyhow::Result<usize> {
    let known = store.series()?;
    let mut momentary = 0;
    for (_, meter) in project.meters() {
        let mut own: BTreeSet<&SeriesKey> = known.iter().filter(|key| key.meter == meter.id).collect();
        let all = own.len();
        own.retain(|key| key.channel.quantity.kind() == Kind::Total);
        momentary += all - own.len();
        // A hub reads the meter's own register elsewhere: no series of this store.
        let register = SeriesKey { meter: meter.id.clone(), channel: meter.total_channel() };
        own.insert(&register);
        for key in own {
            add_readings(store, installation, project, key, out, now)?;
            add_filed(store, project, meter, key, out)?;
        }
    }
    Ok(momentary)
}

/// A file that grows line by line, a new one for each year of the project's zone.
struct Yearly<'o, 'w> {
    out: &'o mut Out<'w>,
    /// The folder, and how the file is called before the year.
    stem: String,
    head: &'static str,
    what: String,
    project: &'o Project,
    lines: String,
    /// The year, its end and how many lines it has.
    year: Option<(i32, Instant, u64)>,
}

impl<'o, 'w> Yearly<'o, 'w> {
    fn new(
        out: &'o mut Out<'w>,
        (project, key): (&'o Project, &SeriesKey),
        (folder, head, what): (&str, &'static str, &str),
    ) -> Self {
        let stem = format!("{folder}/{}/{}", key.meter, name_of(key));
        let what = format!("{what} di {} ({})", key.meter, key.channel);
        Self { out, stem, head, what, project, lines: String::new(), year: None }
    }

    /// Adds the line of an instant; the instants rise.
    fn line(&mut self, at: Instant, line: std::fmt::Arguments<'_>) -> anyhow::Result<()> {
        if self.year.is_none_or(|(_, end, _)| end <= at) {
            self.close()?;
            let year = at.day(self.project.zone).year();
            let end = NaiveDate::from_ymd_opt(year + 1, 1, 1).map(|day| day_start(day, self.project.zone));
            self.out.open(&format!("{}-{year}.csv", self.stem))?;
            self.lines.push_str(self.head);
            self.year = Some((year, end.unwrap_or(LATEST), 0));
        }
        self.lines.write_fmt(line)?;
        self.lines.push('\n');
        if let Some((_, _, count)) = &mut self.year {
            *count += 1;
        }
        if LINES_BYTES <= self.lines.len() {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        self.out.write(self.lines.as_bytes())?;
        self.lines.clear();
        Ok(())
    }

    /// Ends the file of the last year.
    fn close(&mut self) -> anyhow::Result<()> {
        let Some((year, _, count)) = self.year.take() else { return Ok(()) };
        self.flush()?;
        self.out.close(format!("{}, anno {year}: {count}", self.what))
    }
}

fn add_readings(
    store: &Store,
    installation: &Installation,
    project: &Project,
    key: &SeriesKey,
    out: &mut Out<'_>,
    now: Instant,
) -> anyhow::Result<()> {
    let unit = key.channel.quantity.display_unit().symbol();
    let mut yearly = Yearly::new(out, (project, key), ("letture", READINGS, "letture"));
    let mut failed = None;
    let mut each = |reading: &StoredReading| {
        let (at, received) = (reading.observed_at, reading.received_at);
        let (quality, origin) = (reading.quality.code(), reading.origin.code());
        let total = match reading.value {
            Value::Total(total) => thousandths(total),
            Value::Gauge(value) => value.to_string().replace('.', ","),
        };
        match yearly.line(at, format_args!("{at};{received};{total};{unit};{quality};{origin}")) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        }
    };
    hub::readings(store, installation)?.for_each_reading(key, None, Some(now), &mut each)?;
    match failed {
        Some(error) => Err(error),
        None => yearly.close(),
    }
}

/// What files state of the series, and what later files replaced.
fn add_filed(
    store: &Store,
    project: &Project,
    meter: &MeterFacts,
    key: &SeriesKey,
    out: &mut Out<'_>,
) -> anyhow::Result<()> {
    let unit = key.channel.quantity.display_unit().symbol();
    let curve = [
        ("curve", "curva di carico importata", store.intervals(key, LATEST)?),
        ("curve-sostituite", "valori sostituiti della curva di carico", store.intervals_replaced(key)?),
    ];
    for (folder, what, intervals) in curve {
        let mut yearly = Yearly::new(out, (project, key), (folder, INTERVALS, what));
        for one in &intervals {
            let amount = thousandths(one.amount);
            let line = format_args!("{};{};{amount};{unit};{}", one.from, one.to, one.received_at);
            yearly.line(one.from, line)?;
        }
        yearly.close()?;
    }
    let totals = [
        ("totali", "totali importati", store.totals(key, LATEST)?),
        ("totali-sostituiti", "totali importati e poi sostituiti", store.totals_replaced(key)?),
    ];
    for (folder, what, totals) in totals {
        if totals.is_empty() {
            continue;
        }
        let mut text = TOTALS.to_owned();
        for one in &totals {
            writeln!(text, "{};{};{unit};{}", one.at, thousandths(one.total), one.received_at)?;
        }
        let says = format!("{what} di {} ({}): {}", meter.id, key.channel, totals.len());
        out.put(&format!("{folder}/{}/{}.csv", key.meter, name_of(key)), text.as_bytes(), says)?;
    }
    Ok(())
}

/// Quantity and phase as the name of a file.
fn name_of(key: &SeriesKey) -> String {
    let (quantity, phase): (Quantity, _) = (key.channel.quantity, key.channel.phase);
    format!("{}-{}", quantity.code(), phase.code())
}

/// Smallest units as thousands of them, with a decimal comma and every digit.
pub(super) fn thousandths(amount: i64) -> String {
    let (sign, amount) = (if amount < 0 { "-" } else { "" }, amount.unsigned_abs());
    format!("{sign}{},{:03}", amount / 1000, amount % 1000)
}
