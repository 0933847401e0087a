//! A closed month in the archive, read by strangers: pyarrow and DuckDB give what the store itself gives, reading by
//! reading, and the command of the document works.
//!
//! Must never: pass because a reader is missing, or compare a file with anything but what the store says.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::process::Command;

use model::{
    Channel, Instant, MeterId, Month, Origin, Phase, Quality, Quantity, Reading, SeriesKey, Value, Zone,
};
use store::{ARCHIVE_FOLDER, Store, StoreOptions};
use tempfile::TempDir;
use tests::repo;

const MONTH: Month = Month { year: 2025, number: 3 };
const ZONE: Zone = Zone::Europe__Rome;

/// What the reader of `tests/field` prints.
fn read(arguments: &[&str]) -> Vec<Vec<String>> {
    let python = repo::root().join("target/venv/bin/python");
    let output = Command::new(&python)
        .arg(repo::root().join("tests/field/archive_read.py"))
        .args(arguments)
        .output()
        .unwrap_or_else(|e| panic!("{} cannot be started ({e}); `make test` installs it", python.display()));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "archive_read.py {arguments:?}: {said}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

fn key(meter: &str, quantity: Quantity, phase: Phase) -> SeriesKey {
    SeriesKey { meter: MeterId::new(meter).unwrap(), channel: Channel { quantity, phase } }
}

/// Totals that do not fit a double, gauges of one decimal, of none, and of no decimal at all; every origin and quality;
/// a clock that ran ahead; the first and the last millisecond of the month, and the hour that the clocks skip.
fn readings() -> Vec<Reading> {
    let (from, to) = MONTH.bounds(ZONE);
    let series = [
        key("scuola.elettrico", Quantity::ActiveEnergyImport, Phase::Total),
        key("scuola.elettrico", Quantity::ActiveEnergyImport, Phase::Tariff2),
        key("scuola.elettrico", Quantity::Voltage, Phase::L1),
        key("scuola.elettrico", Quantity::ActivePower, Phase::Total),
        key("municipio-gas", Quantity::GasVolume, Phase::Total),
        key("municipio-gas", Quantity::Voltage, Phase::L2),
    ];
    let mut all = Vec::new();
    for (s, series) in series.iter().enumerate() {
        for n in 0..3_000_i64 {
            let at = match n {
                0 => from,
                2_999 => to.plus_millis(-1),
                _ => from.plus_seconds(n * 890 + s as i64),
            };
            let value = match s {
                0 => Value::Total(9_007_199_254_740_993 + n * 7),
                1 | 4 => Value::Total(n * 13 - 5_000),
                2 => Value::Gauge((2_300 + n % 40) as f64 / 10.0),
                3 => Value::Gauge((n % 900) as f64),
                // No short decimal, with a zero that has a sign.
                _ if n == 17 => Value::Gauge(-0.0),
                _ => Value::Gauge(f64::from(230.1_f32 + n as f32 / 7.0)),
            };
            all.push(Reading {
                series: series.clone(),
                observed_at: at,
                received_at: at.plus_millis(if n % 50 == 0 { -3_000 } else { 40 + n % 3 }),
                value,
                quality: Quality::ALL[n as usize % Quality::ALL.len()],
                origin: Origin::ALL[n as usize % Origin::ALL.len()],
            });
        }
    }
    all
}

/// A store whose month is archived and out of the journal, in its second generation: one reading came late.
fn archived() -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), StoreOptions::default()).unwrap();
    store.append_blocking(readings()).unwrap();
    let (from, to) = MONTH.bounds(ZONE);
    let close = |now: i64| {
        let file = store.archive_month("2025-03", from, to, Instant::from_seconds(now)).unwrap().unwrap();
        store.archive_drop(Instant::from_seconds(now + 1), Instant::from_seconds(now + 1)).unwrap();
        file
    };
    assert_eq!(close(10).readings, 18_000);
    let mut late = readings().swap_remove(5);
    late.observed_at = late.observed_at.plus_millis(7);
    store.append_blocking(vec![late]).unwrap();
    let file = close(20);
    assert_eq!((file.readings, file.name.as_str()), (18_001, "2025-03.2.parquet"));
    (folder, store)
}

/// Every reading that the store gives, by series.
fn given(store: &Store) -> BTreeMap<SeriesKey, Vec<Reading>> {
    let mut all = BTreeMap::new();
    for series in store.series().unwrap() {
        let mut own = Vec::new();
        store
            .for_each_reading(&series, None, None, &mut |r| {
                own.push(Reading {
                    series: series.clone(),
                    observed_at: r.observed_at,
                    received_at: r.received_at,
                    value: r.value,
                    quality: r.quality,
                    origin: r.origin,
                });
                ControlFlow::Continue(())
            })
            .unwrap();
        all.insert(series, own);
    }
    all
}

fn names(reading: &Reading) -> Vec<String> {
    let SeriesKey { meter, channel } = &reading.series;
    vec![meter.to_string(), channel.quantity.code().to_owned(), channel.phase.code().to_owned()]
}

fn delay(reading: &Reading) -> i64 {
    reading.received_at.millis() - reading.observed_at.millis()
}

fn bits(value: Value) -> String {
    format!("{:016x}", value.as_f64().to_bits())
}

#[test]
fn pyarrow_reads_every_reading_as_the_store_gives_it() {
    let (folder, store) = archived();
    let file = folder.path().join(ARCHIVE_FOLDER).join("2025-03.2.parquet");
    let lines = read(&["rows", file.to_str().unwrap()]);
    let (schema, rows): (Vec<_>, Vec<_>) = lines.iter().partition(|line| line[0] == "schema");
    // The table of the document is the file's schema: name and type of each column, in order.
    let text = repo::text("docs/store.md").unwrap();
    let documented: Vec<(String, String)> = text
        .lines()
        .skip_while(|line| !line.starts_with("| column | Parquet type"))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            (cells[1].trim_matches('`').to_owned(), cells[2].to_owned())
        })
        .collect();
    let arrow = |documented: &str| match documented {
        "string" => ("string", "False"),
        "timestamp, ms, UTC" => ("timestamp[ms,tz=UTC]", "False"),
        "int64" => ("int64", "False"),
        "int32" => ("int32", "False"),
        "double or null" => ("double", "True"),
        other => panic!("the document has a type {other:?} that no file has"),
    };
    let expected: Vec<Vec<String>> = documented
        .iter()
        .map(|(name, kind)| {
            let (kind, null) = arrow(kind);
            ["schema", name, kind, null].map(str::to_owned).to_vec()
        })
        .collect();
    assert_eq!(schema.into_iter().cloned().collect::<Vec<_>>(), expected);
    assert_eq!(expected.len(), 10);

    let mut rows = rows.into_iter();
    let (mut scaled, mut exact) = (0, 0);
    for reading in given(&store).into_values().flatten() {
        let row = rows.next().unwrap_or_else(|| panic!("{reading:?} is not in the file"));
        let mut expected = names(&reading);
        expected.extend([
            reading.observed_at.millis().to_string(),
            reading.origin.code().to_owned(),
            reading.quality.code().to_owned(),
            delay(&reading).to_string(),
        ]);
        assert_eq!(row[1..8], expected, "{reading:?}");
        match reading.value {
            Value::Total(total) => {
                let whole = [total.to_string(), "0".to_owned(), "False".to_owned()];
                assert_eq!(row[8..11], whole, "{reading:?}");
            }
            Value::Gauge(_) if row[10] == "True" => exact += 1,
            Value::Gauge(_) => scaled += usize::from(row[9] != "0"),
        }
        assert_eq!(row[11], bits(reading.value), "{reading:?}");
    }
    assert_eq!(rows.next(), None);
    assert_eq!((scaled, exact), (3_000, 3_000));
}

#[test]
fn duckdb_counts_and_sums_what_the_store_gives() {
    let (folder, store) = archived();
    let mut expected = Vec::new();
    for readings in given(&store).into_values() {
        let sum = |of: &dyn Fn(&Reading) -> i128| readings.iter().map(of).sum::<i128>().to_string();
        // The store's own series of short decimals has one place, the others none.
        let is_exact = readings[0].series == key("municipio-gas", Quantity::Voltage, Phase::L2);
        let places = if readings[0].series.channel.quantity == Quantity::Voltage { 10.0 } else { 1.0 };
        let mut line = vec!["sum".to_owned()];
        line.extend(names(&readings[0]));
        line.extend([
            readings.len().to_string(),
            sum(&|r| match r.value {
                Value::Total(total) => i128::from(total),
                Value::Gauge(_) if is_exact => 0,
                Value::Gauge(gauge) => (gauge * places).round() as i128,
            }),
            sum(&|r| i128::from(r.observed_at.millis())),
            readings[0].observed_at.millis().to_string(),
            readings[readings.len() - 1].observed_at.millis().to_string(),
            sum(&|r| i128::from(delay(r))),
            if is_exact { readings.len() } else { 0 }.to_string(),
        ]);
        expected.push(line);
    }
    expected.sort();
    let mut found = read(&["sums", folder.path().to_str().unwrap()]);
    found.sort();
    assert_eq!(found, expected);
    assert_eq!(found.len(), 6);
}

/// The words of the document's command, as a shell takes them: blanks part them outside double quotes, and a backslash
/// before a quote gives the quote.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => word.extend(chars.next()),
            '"' => quoted = !quoted,
            ' ' if !quoted => words.push(std::mem::take(&mut word)),
            c => word.push(c),
        }
    }
    words.push(word);
    words
}

#[test]
fn the_command_of_the_document_gives_every_reading() {
    let (folder, store) = archived();
    let text = repo::text("docs/operating.md").unwrap();
    let line =
        text.lines().find(|line| line.starts_with("duckdb -c ")).expect("the document shows a command");
    let words = words(line);
    let mut arguments = vec!["command", folder.path().to_str().unwrap()];
    arguments.extend(words.iter().map(String::as_str));
    let lines = read(&arguments);
    assert_eq!(lines[0], ["columns", "meter", "quantity", "phase", "at", "number"]);
    let mut found = lines[1..].to_vec();
    found.sort();
    let mut expected: Vec<Vec<String>> = given(&store)
        .into_values()
        .flatten()
        .map(|reading| {
            let mut line = vec!["answer".to_owned()];
            line.extend(names(&reading));
            line.extend([reading.observed_at.millis().to_string(), bits(reading.value)]);
            line
        })
        .collect();
    expected.sort();
    assert_eq!(found.len(), 18_001);
    assert_eq!(found, expected);
}
