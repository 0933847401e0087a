//! Bills, temperatures, records, and the audit log over all three.
//!
//! Must never: let an edit behind the store's back pass.

use chrono::NaiveDate;
use model::{
    BaseUnit, BillQuality, BilledPeriod, DailyTemperature, Instant, MeanDefinition, StationId,
    TemperatureSource,
};
use store::{AuditBreak, ImportCount, RecordChange, Store, StoreError, StoreOptions};

use crate::support::{energy, minutes, note, opened, stranger};

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn bill(from: &str, to: &str, amount: i64) -> BilledPeriod {
    BilledPeriod {
        supply_point: "IT001E00000001".to_owned(),
        from: day(from),
        to: day(to),
        amount,
        unit: BaseUnit::WattHour,
        quality: BillQuality::Read,
    }
}

fn temperature(date: &str, mean_c: f64) -> DailyTemperature {
    DailyTemperature::as_given(StationId::new("bologna").unwrap(), day(date), mean_c)
}

fn count(new: u64, same: u64, replaced: u64) -> ImportCount {
    ImportCount { new, same, replaced, older: 0 }
}

#[test]
fn importing_bills_twice_changes_nothing() {
    let (_dir, store) = opened();
    let bills = [bill("2024-02-01", "2024-03-01", 200), bill("2024-01-01", "2024-02-01", 100)];
    assert_eq!(store.put_bills(&bills, &note("bills.csv")).unwrap(), count(2, 0, 0));
    let (stamp, head) = (store.change_stamp().unwrap(), store.audit_head().unwrap());
    assert_eq!(store.put_bills(&bills, &note("bills.csv")).unwrap(), count(0, 2, 0));
    assert_eq!((store.change_stamp().unwrap(), store.audit_head().unwrap()), (stamp, head));
    let [second, first] = bills;
    assert_eq!(store.bills("IT001E00000001").unwrap(), [first, second]);
    assert_eq!(store.supply_points().unwrap(), ["IT001E00000001"]);
    store.verify_audit().unwrap();
}

#[test]
fn a_changed_bill_replaces_and_the_former_is_kept() {
    let (_dir, store) = opened();
    let (old, new) = (bill("2024-01-01", "2024-02-01", 100), bill("2024-01-01", "2024-02-01", 90));
    store.put_bills(std::slice::from_ref(&old), &note("a.csv")).unwrap();
    assert_eq!(store.put_bills(std::slice::from_ref(&new), &note("b.csv")).unwrap(), count(0, 0, 1));
    let estimated = BilledPeriod { quality: BillQuality::Estimated, ..new.clone() };
    assert_eq!(store.put_bills(std::slice::from_ref(&estimated), &note("c.csv")).unwrap(), count(0, 0, 1));
    assert_eq!(store.bills("IT001E00000001").unwrap(), [estimated]);
    assert_eq!(store.bills_replaced("IT001E00000001").unwrap(), [old, new]);
    store.verify_audit().unwrap();
}

#[test]
fn an_import_is_whole_or_not_at_all() {
    let (_dir, store) = opened();
    let good = bill("2024-01-01", "2024-02-01", 100);
    for (bad, says) in [
        (bill("2024-02-01", "2024-02-01", 1), "the period does not end after it begins"),
        (bill("2024-01-01", "2024-02-01", 101), "correct the file"),
        (BilledPeriod { supply_point: String::new(), ..good.clone() }, "it is empty"),
    ] {
        let error = store.put_bills(&[good.clone(), bad], &note("a.csv")).unwrap_err();
        assert!(matches!(error, StoreError::Refused { .. }), "{error}");
        assert!(error.to_string().contains(says), "{error}");
    }
    assert!(
        store
            .put_temperatures(
                &[temperature("2024-01-01", 3.0), temperature("2024-01-02", f64::NAN)],
                &note("t")
            )
            .is_err()
    );
    assert_eq!(store.supply_points().unwrap(), [""; 0]);
    assert_eq!(store.audit(10).unwrap(), []);
    // Said twice alike is no contradiction.
    assert_eq!(store.put_bills(&[good.clone(), good], &note("a.csv")).unwrap(), count(1, 1, 0));
}

#[test]
fn temperatures_come_back_in_order_without_the_end() {
    let (_dir, store) = opened();
    let days =
        [temperature("2024-01-03", -2.5), temperature("2024-01-01", -0.0), temperature("2024-01-02", 1.25)];
    assert_eq!(store.put_temperatures(&days, &note("t.csv")).unwrap(), count(3, 0, 0));
    assert_eq!(store.put_temperatures(&days, &note("t.csv")).unwrap(), count(0, 3, 0));
    let correction = temperature("2024-01-02", 1.5);
    let more = [correction, temperature("2024-01-04", 4.0)];
    assert_eq!(store.put_temperatures(&more, &note("t2.csv")).unwrap(), count(1, 0, 1));
    let found = store.temperatures(&days[0].station, day("2024-01-01"), day("2024-01-04")).unwrap();
    let means: Vec<f64> = found.iter().map(|t| t.mean_c).collect();
    assert_eq!(means, [0.0, 1.5, -2.5]);
    store.verify_audit().unwrap();
}

#[test]
fn a_revised_temperature_replaces_with_its_definition_and_the_former_is_kept() {
    let (_dir, store) = opened();
    let service = |mean_c, definition| DailyTemperature {
        definition,
        source: TemperatureSource::Service,
        ..temperature("2024-01-01", mean_c)
    };
    let first = service(3.0, MeanDefinition::HourlyMeans);
    let revised = service(3.5, MeanDefinition::HourlyMeans);
    let redefined = service(3.5, MeanDefinition::SourceDaily);
    let imported = temperature("2024-01-01", 3.5);
    let all = [&first, &revised, &redefined, &imported];
    for (n, day) in all.into_iter().enumerate() {
        let wanted = if n == 0 { count(1, 0, 0) } else { count(0, 0, 1) };
        let note = note(&format!("answer-{n}"));
        assert_eq!(store.put_temperatures(std::slice::from_ref(day), &note).unwrap(), wanted);
        assert_eq!(store.put_temperatures(std::slice::from_ref(day), &note).unwrap(), count(0, 1, 0));
    }
    let station = &first.station;
    let standing = store.temperatures(station, day("2024-01-01"), day("2024-01-02")).unwrap();
    assert_eq!(standing, std::slice::from_ref(&imported));
    assert_eq!(store.temperatures_replaced(station).unwrap(), [first, revised, redefined]);
    assert_eq!(store.audit_head().unwrap().seq, 4);
    store.verify_audit().unwrap();
}

#[test]
fn what_a_weather_service_was_asked_outlives_a_restart() {
    let (dir, store) = opened();
    let station = StationId::new("torino").unwrap();
    let at = Instant::from_seconds(1_760_000_000);
    let (first, second) = (day("2024-01-01"), day("2024-01-02"));
    let before = store.change_stamp().unwrap();
    store.note_weather_asked(&station, "here hourly", &[first, second], at).unwrap();
    store.note_weather_asked(&station, "here hourly", &[second], at.plus_seconds(60)).unwrap();
    store.note_weather_asked(&station, "there daily", &[first], at).unwrap();
    assert_eq!(store.change_stamp().unwrap(), before, "no figure depends on it");
    store.close();
    let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
    let asked = store.weather_asked(&station, "here hourly").unwrap();
    assert_eq!(asked.into_iter().collect::<Vec<_>>(), [(first, at), (second, at.plus_seconds(60))]);
    assert!(store.weather_asked(&station, "nowhere").unwrap().is_empty());
    assert!(store.note_weather_asked(&station, "", &[first], at).is_err());
}

#[test]
fn records_keep_every_version() {
    let (dir, store) = opened();
    let at = Instant::from_seconds(1_760_000_000);
    let put = |store: &Store, id: &str, body: &str| {
        store.put_record("project", id, body, "energy office", at).unwrap()
    };
    assert_eq!(put(&store, "school", "a = 1"), RecordChange::Created);
    assert_eq!(put(&store, "school", "a = 1"), RecordChange::Unchanged);
    assert_eq!(put(&store, "school", "a = 2"), RecordChange::Updated);
    assert_eq!(put(&store, "library", "b"), RecordChange::Created);
    store.close();
    let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
    let found: Vec<_> =
        store.records("project").unwrap().into_iter().map(|r| (r.id, r.version, r.body)).collect();
    assert_eq!(found, [("library".into(), 1, "b".into()), ("school".into(), 2, "a = 2".into())]);
    assert_eq!(store.record("project", "school").unwrap().unwrap().body, "a = 2");
    assert_eq!(store.record("note", "school").unwrap(), None);
    let versions: Vec<_> =
        store.record_versions("project", "school").unwrap().into_iter().map(|r| r.body).collect();
    assert_eq!(versions, ["a = 1", "a = 2"]);
    let actions: Vec<_> =
        store.audit(10).unwrap().into_iter().map(|e| (e.seq, e.action, e.subject)).collect();
    assert_eq!(actions[0], (3, "create".into(), "library".into()));
    assert_eq!(actions[1], (2, "update".into(), "school".into()));
    let before = |number, limit| -> Vec<i64> {
        store.audit_before(number, limit).unwrap().into_iter().map(|e| e.seq).collect()
    };
    assert_eq!([before(3, 1), before(3, 9), before(1, 9)], [vec![2], vec![2, 1], vec![]]);
    store.verify_audit().unwrap();
    let long = "x".repeat((1 << 20) + 1);
    assert!(matches!(store.put_record("project", "p", &long, "a", at), Err(StoreError::Refused { .. })));
}

#[test]
fn every_edit_behind_the_stores_back_shows() {
    for (edit, says) in [
        ("UPDATE record_version SET body = 'a = 9' WHERE version = 1", "version 1 of project \"school\""),
        ("UPDATE record_version SET author = 'x' WHERE version = 2", "version 2 of project \"school\""),
        ("DELETE FROM record_version WHERE version = 2", "project \"school\""),
        ("UPDATE bill SET amount = amount + 1", "the import of bills from \"b.csv\""),
        ("UPDATE bill_replaced SET amount = amount + 1", "the import of bills from \"a.csv\""),
        ("DELETE FROM bill", "the import of bills from \"b.csv\""),
        ("UPDATE temperature SET mean_c = 4.5", "the import of temperatures from \"t.csv\""),
        ("UPDATE temperature SET definition = 'max_min'", "the import of temperatures from \"t.csv\""),
        ("UPDATE temperature SET source = 'service'", "the import of temperatures from \"t.csv\""),
        ("DELETE FROM import WHERE kind = 'temperatures'", "the import of \"t.csv\""),
        ("UPDATE audit SET author = 'x' WHERE seq = 2", "audit entry 2 was edited"),
        ("UPDATE audit SET content = x'00' WHERE seq = 2", "audit entry 2 holds no valid digest"),
        ("UPDATE audit SET previous = zeroblob(32) WHERE seq = 3", "audit entry 3 does not follow"),
        ("DELETE FROM audit WHERE seq = 1", "audit entry 1 is missing"),
        ("DELETE FROM audit WHERE seq = 3", "audit entry 3 is missing"),
        ("DELETE FROM audit WHERE seq = 5", "the import of temperatures from \"t.csv\""),
    ] {
        let (dir, store) = opened();
        let at = Instant::from_seconds(1_760_000_000);
        store.put_record("project", "school", "a = 1", "energy office", at).unwrap();
        store.put_record("project", "school", "a = 2", "energy office", at).unwrap();
        store.put_bills(&[bill("2024-01-01", "2024-02-01", 100)], &note("a.csv")).unwrap();
        store.put_bills(&[bill("2024-01-01", "2024-02-01", 90)], &note("b.csv")).unwrap();
        store.put_temperatures(&[temperature("2024-01-01", 3.0)], &note("t.csv")).unwrap();
        store.verify_audit().unwrap();
        let stranger = stranger(dir.path());
        stranger.pragma_update(None, "foreign_keys", false).unwrap();
        assert!(stranger.execute_batch("DELETE FROM audit").is_err(), "the log is append-only");
        stranger
            .execute_batch("DROP TRIGGER audit_is_not_updated; DROP TRIGGER audit_is_not_deleted")
            .unwrap();
        assert!(stranger.execute(edit, []).unwrap() > 0, "{edit}");
        let broken = store.verify_audit().unwrap_err();
        assert!(!matches!(broken, AuditBreak::Unreadable(_)), "{edit}: {broken}");
        assert!(broken.to_string().contains(says), "{edit}: {broken}");
    }
}

#[test]
fn the_change_stamp_tells_of_another_process() {
    let (dir, store) = opened();
    let shared = Store::open_shared(dir.path()).unwrap();
    let mut last = store.change_stamp().unwrap();
    let mut grew = |what: &str| {
        let now = store.change_stamp().unwrap();
        assert!(now > last, "{what}");
        last = now;
    };
    shared.put_bills(&[bill("2024-01-01", "2024-02-01", 100)], &note("a.csv")).unwrap();
    grew("bills");
    shared.put_temperatures(&[temperature("2024-01-01", 3.0)], &note("t.csv")).unwrap();
    grew("temperatures");
    shared.put_record("project", "school", "a", "energy office", Instant::default()).unwrap();
    grew("a record");
    shared.append_blocking(minutes(&energy("boiler-1"), 5)).unwrap();
    grew("readings");
    shared.append_blocking(minutes(&energy("boiler-1"), 5)).unwrap();
    assert_eq!(store.change_stamp().unwrap(), last, "readings that were there already");
}

#[test]
fn a_correction_takes_the_place_of_the_periods_within_it_and_keeps_its_reason() {
    let (dir, store) = opened();
    let months = [bill("2024-01-01", "2024-02-01", 100), bill("2024-02-01", "2024-03-01", 50)];
    store.put_bills(&months, &note("a.csv")).unwrap();
    let both = bill("2024-01-01", "2024-03-01", 140);
    let outcome =
        store.put_bills_replacing(std::slice::from_ref(&both), &note("b.csv"), "conguaglio").unwrap();
    assert_eq!(outcome, count(1, 0, 2));
    assert_eq!(store.bills("IT001E00000001").unwrap(), [both]);
    assert_eq!(store.bills_replaced("IT001E00000001").unwrap(), months);
    store.verify_audit().unwrap();
    stranger(dir.path()).execute("UPDATE import SET reason = 'altro' WHERE reason IS NOT NULL", []).unwrap();
    assert!(matches!(store.verify_audit(), Err(AuditBreak::Content { .. })));
    assert!(store.put_bills_replacing(&months, &note("c.csv"), "").is_err(), "a reason is needed");
}
