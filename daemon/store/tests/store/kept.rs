//! Files written by every schema there ever was still open and say the same.
//!
//! Must never: rewrite a kept file; a new schema adds one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use model::{
    BaseUnit, BillQuality, BilledPeriod, DailyTemperature, FiledInterval, FiledTotal, Instant,
    MeanDefinition, MeterId, Month, Origin, StationId, TemperatureSource,
};
use store::{
    ARCHIVE_FOLDER, AccessChange, JOURNAL_FILE, Quarantined, Remembered, SCHEMA_VERSION, Store, StoreOptions, Tallies,
    Tally,
};

use crate::accounts::{account, event, ticket};
use crate::results::result;
use crate::support::{all, energy, gauge, note, stranger, total, values, voltage};

fn kept(version: i64) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/kept/journal-{version}.sqlite3"))
}

fn interval(amount: i64) -> FiledInterval {
    let from = Instant::from_seconds(1_700_000_000);
    let (to, received_at) = (from.plus_seconds(900), from.plus_seconds(86_400));
    FiledInterval { series: energy("curve"), from, to, amount, received_at }
}

fn filed_total(total: i64) -> FiledTotal {
    let at = Instant::from_seconds(1_700_000_000);
    FiledTotal { series: energy("gas"), at, total, received_at: at }
}

/// The archive folder that goes with a kept file, from the schema on that has one.
fn kept_archive(version: i64) -> PathBuf {
    kept(version).with_extension("archive")
}

fn copy_all(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// Something in every table, and half of the readings in the archive.
fn fill(store: &Store) {
    let (power, volts) = (energy("boiler-1"), voltage("boiler-1"));
    let mut batch: Vec<_> = (0..50).map(|i| total(&power, i * 60, 1_000 + i)).collect();
    batch.push(gauge(&volts, 0, 229.5));
    batch.push(total(&power, 0, 7));
    store.append_blocking(batch).unwrap();
    let day = |d| NaiveDate::from_ymd_opt(2024, 1, d).unwrap();
    for amount in [100, 90] {
        let bill = BilledPeriod {
            supply_point: "IT001E00000001".to_owned(),
            from: day(1),
            to: day(31),
            amount,
            unit: BaseUnit::WattHour,
            quality: BillQuality::Read,
        };
        store.put_bills(&[bill], &note("bills.csv")).unwrap();
        let station = StationId::new("bologna").unwrap();
        let cold = DailyTemperature::as_given(station, day(1), amount as f64 / 20.0);
        store.put_temperatures(&[cold], &note("days.csv")).unwrap();
        store.put_intervals(&[interval(amount)], &note("curve.csv")).unwrap();
        store.put_totals(&[filed_total(amount)], &note("gas.csv")).unwrap();
    }
    let station = StationId::new("bologna").unwrap();
    let fetched = DailyTemperature {
        definition: MeanDefinition::HourlyMeans,
        source: TemperatureSource::Service,
        ..DailyTemperature::as_given(station.clone(), day(2), -1.5)
    };
    store.put_temperatures(&[fetched], &note("service")).unwrap();
    store.note_weather_asked(&station, "service hourly", &[day(2)], Instant::default()).unwrap();
    store.put_record("project", "school", "a = 1", "energy office", Instant::default()).unwrap();
    let item = Quarantined {
        origin: Origin::Mqtt,
        link: "broker".to_owned(),
        meter: Some(MeterId::new("boiler-1").unwrap()),
        place: "topic".to_owned(),
        payload: vec![1, 2],
        length: 2,
        reason: "no number".to_owned(),
        at: Instant::default(),
    };
    store.quarantine_blocking(item).unwrap();
    let (meter, month) = (MeterId::new("boiler-1").unwrap(), Month { year: 1970, number: 1 });
    let until = BTreeMap::from([(meter.clone(), Instant::from_seconds(60))]);
    store.add_tallies(Tallies::from([((meter, month, Tally::Expected), 60)]), until).unwrap();
    let known = Remembered {
        link: "broker".to_owned(),
        key: "birth/plant/node".to_owned(),
        value: vec![8, 1],
        at: Instant::default(),
    };
    tokio::runtime::Runtime::new().unwrap().block_on(store.remember(known)).unwrap();
    assert_eq!(store.outbox_register("lake").unwrap(), 1);
    store.fold().unwrap();
    let (from, to) = (Instant::default(), Instant::from_seconds(1_500));
    store.archive_month("1970-01", from, to, to).unwrap().unwrap();
    assert_eq!(store.archive_drop(to.plus_seconds(1), to).unwrap(), 26);
    store.keep_results(vec![result(&energy("boiler-1"), 1)]).unwrap();
    let changes = vec![
        AccessChange::NewAccount(account("rosa")),
        AccessChange::PutTicket(ticket(1, "rosa", "session")),
    ];
    store.change_access(None, changes, vec![event("account.create", "rosa")]).unwrap();
    // In no chunk yet, and not accepted by the engine.
    store.append_blocking(vec![total(&energy("boiler-2"), 60, 1), gauge(&volts, 60, 230.25)]).unwrap();
}

#[test]
fn a_file_of_every_schema_opens_and_says_the_same() {
    for version in 1..=SCHEMA_VERSION {
        let dir = tempfile::tempdir().unwrap();
        std::fs::copy(kept(version), dir.path().join(JOURNAL_FILE)).unwrap();
        if 3 <= version {
            copy_all(&kept_archive(version), &dir.path().join(ARCHIVE_FOLDER));
        }
        let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
        assert_eq!(store.verify().unwrap().archived_readings, if version < 3 { 0 } else { 26 });
        assert_eq!(all(&store, &energy("boiler-1")).len(), 50);
        let blocks = 4 <= version;
        let volts = if blocks { &[229.5, 230.25][..] } else { &[229.5] };
        assert_eq!(values(&all(&store, &voltage("boiler-1"))), volts);
        assert_eq!(all(&store, &energy("boiler-2")).len(), usize::from(blocks));
        let waits = store.outbox_status("lake").unwrap().map(|status| status.pending_readings);
        assert_eq!(waits, blocks.then_some(2));
        let made = result(&energy("boiler-1"), 1);
        let kept = store.result(made.kind, &made.series, &made.fingerprint, made.at, 0).unwrap();
        assert_eq!(kept.is_some(), 5 <= version);
        assert_eq!(store.conflicts(9).unwrap().len(), 1);
        assert_eq!(store.bills("IT001E00000001").unwrap()[0].amount, 90);
        assert_eq!(store.bills_replaced("IT001E00000001").unwrap()[0].amount, 100);
        assert_eq!(store.record("project", "school").unwrap().unwrap().body, "a = 1");
        assert_eq!(store.quarantined(9).unwrap().len(), 1);
        // What files state of meters came with the second schema.
        let late = Instant::from_seconds(1_800_000_000);
        let filed =
            (store.intervals(&energy("curve"), late).unwrap(), store.totals(&energy("gas"), late).unwrap());
        let wanted =
            if version == 1 { (vec![], vec![]) } else { (vec![interval(90)], vec![filed_total(90)]) };
        assert_eq!(filed, wanted);
        let bologna = StationId::new("bologna").unwrap();
        let day = |d| NaiveDate::from_ymd_opt(2024, 1, d).unwrap();
        let days = store.temperatures(&bologna, day(1), day(9)).unwrap();
        assert_eq!(days[0], DailyTemperature::as_given(bologna.clone(), day(1), 4.5));
        let defined = version >= 2;
        assert_eq!(days.get(1).map(|d| d.definition), defined.then_some(MeanDefinition::HourlyMeans));
        assert_eq!(store.weather_asked(&bologna, "service hourly").unwrap().contains_key(&day(2)), defined);
        assert_eq!(store.audit_head().unwrap().seq, match version { 1 => 5, 2..6 => 10, _ => 11 });
        let access = store.access().unwrap();
        let wanted = if version < 6 { 0 } else { 1 };
        assert_eq!((access.accounts.len(), access.tickets.len()), (wanted, wanted));
        let tallied = usize::from(version >= 2);
        assert_eq!(store.tallies(Month { year: 1970, number: 1 }).unwrap().len(), tallied);
        assert_eq!(store.tallied_until().unwrap().len(), tallied);
        assert_eq!(store.remembered("broker").unwrap().len(), usize::from(2 <= version));
    }
}

/// Makes the newest schema's file where there is none yet, then fails, so that it is reviewed and committed.
#[test]
fn the_newest_schema_has_its_kept_file() {
    let path = kept(SCHEMA_VERSION);
    if path.exists() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
    fill(&store);
    store.close();
    let conn = stranger(dir.path());
    conn.pragma_update(None, "journal_mode", "DELETE").unwrap();
    drop(conn);
    std::fs::copy(dir.path().join(JOURNAL_FILE), &path).unwrap();
    copy_all(&dir.path().join(ARCHIVE_FOLDER), &kept_archive(SCHEMA_VERSION));
    panic!("{} was missing and has been made; review and commit it", path.display());
}
