//! Old gauges are thinned to readings that there were; totals, held spans and what is newer stay whole.
//!
//! Must never: let a thinning pass for anything but fewer readings.

use model::{Channel, Instant, Quality, Quantity, Reading};
use store::{ChangedSpan, HeldSpan, Store, Thinned, Thinning};

use crate::support::{all, energy, gauge, minutes, opened, total, voltage};

fn rule(before_seconds: i64) -> Thinning {
    Thinning { quantity: Quantity::Voltage, before: Instant::from_seconds(before_seconds), every_ms: 900_000 }
}

/// Gauges of so many minutes.
fn volts(meter: &str, count: i64) -> Vec<Reading> {
    (0..count).map(|i| gauge(&voltage(meter), i * 60, 229.0 + i as f64 / 10.0)).collect()
}

fn seconds(store: &Store, meter: &str) -> Vec<i64> {
    all(store, &voltage(meter)).iter().map(|r| r.observed_at.millis() / 1000).collect()
}

#[test]
fn one_real_reading_an_interval_stays_and_nothing_else_changes() {
    let (_dir, store) = opened();
    let power = energy("boiler-1");
    store.append_blocking([minutes(&power, 100), volts("boiler-1", 100)].concat()).unwrap();
    let mut wrong = gauge(&voltage("boiler-1"), -1, 0.0);
    wrong.quality = Quality::Implausible;
    store.append_blocking(vec![wrong]).unwrap();
    let before = all(&store, &voltage("boiler-1"));
    let now = Instant::from_seconds(1);
    assert_eq!(store.thin(rule(3_000), now).unwrap(), Thinned { removed: 50 - 4 + 1, files: 0 });
    let after = all(&store, &voltage("boiler-1"));
    assert!(after.iter().all(|reading| before.contains(reading)));
    let wanted: Vec<i64> = [0, 900, 1_800, 2_700].into_iter().chain((50..100).map(|i| i * 60)).collect();
    assert_eq!(seconds(&store, "boiler-1"), wanted);
    assert_eq!(all(&store, &power).len(), 100);
    assert_eq!(store.thin(rule(3_000), now).unwrap(), Thinned::default());
    store.thin(rule(6_000), now).unwrap();
    assert_eq!(seconds(&store, "boiler-1"), [0, 900, 1_800, 2_700, 3_600, 4_500, 5_400]);
}

#[test]
fn archived_months_are_thinned_as_a_new_generation() {
    let (_dir, store) = opened();
    let at = Instant::from_seconds;
    store.append_blocking([minutes(&energy("boiler-1"), 100), volts("boiler-1", 100)].concat()).unwrap();
    store.archive_month("2025-01", at(0), at(3_000), at(1)).unwrap().unwrap();
    let waits = store.thin(rule(3_000), at(2)).unwrap();
    assert_eq!(waits.files, 0, "a month still in two places waits");
    store.archive_drop(at(3), at(3)).unwrap();
    store.thin(rule(3_000), at(4)).unwrap();
    store.archive_drop(at(5), at(5)).unwrap();
    let wanted: Vec<i64> = [0, 900, 1_800, 2_700].into_iter().chain((50..100).map(|i| i * 60)).collect();
    assert_eq!(seconds(&store, "boiler-1"), wanted);
    assert_eq!(all(&store, &energy("boiler-1")).len(), 100);
    let files = store.archive_files().unwrap();
    assert_eq!(files.iter().map(|f| (f.generation, f.readings)).collect::<Vec<_>>(), [(2, 54)]);
    store.verify().unwrap();
}

#[test]
fn what_is_held_stays_until_it_is_released() {
    let (_dir, store) = opened();
    let at = Instant::from_seconds;
    store.append_blocking([volts("a", 60), volts("b", 60)].concat()).unwrap();
    let span = HeldSpan { series: voltage("a"), from: at(600), to: at(1_200) };
    store.hold("submission school 2025", std::slice::from_ref(&span)).unwrap();
    assert_eq!(store.holds().unwrap(), [("submission school 2025".to_owned(), span)]);
    store.thin(rule(3_600), at(1)).unwrap();
    assert_eq!(seconds(&store, "b"), [0, 900, 1_800, 2_700]);
    let wanted: Vec<i64> =
        [0].into_iter().chain((10..20).map(|i| i * 60)).chain([1_200, 1_800, 2_700]).collect();
    assert_eq!(seconds(&store, "a"), wanted);
    assert!(store.release("submission school 2025").unwrap());
    assert!(!store.release("submission school 2025").unwrap());
    assert!(store.holds().unwrap().is_empty());
}

#[test]
fn totals_and_senseless_rules_are_refused() {
    let (dir, store) = opened();
    let energy = Thinning { quantity: Quantity::ActiveEnergyImport, ..rule(60) };
    for wrong in [energy, Thinning { every_ms: 0, ..rule(60) }] {
        let error = store.thin(wrong, Instant::default()).unwrap_err();
        assert!(error.to_string().contains("only gauges are thinned"), "{error}");
    }
    let beside = Store::open_shared(dir.path()).unwrap();
    assert!(beside.thin(rule(60), Instant::default()).is_err());
}

#[test]
fn every_change_shows_in_its_month_and_in_no_other_series() {
    let (_dir, store) = opened();
    let (power, volts_of) = (energy("boiler-1"), voltage("boiler-1"));
    let at = Instant::from_seconds;
    let (january, february) = ((at(0), at(31 * 86_400)), (at(31 * 86_400), at(59 * 86_400)));
    let changed = |series, (from, to)| store.last_change(series, from, to).unwrap();
    assert_eq!(changed(&power, january), 0);
    store.append_blocking(vec![total(&power, 60, 1), gauge(&volts_of, 60, 230.0)]).unwrap();
    let mark = store.change_mark().unwrap();
    assert!(0 < changed(&power, january) && changed(&power, january) <= mark);
    for folded in [false, true] {
        let mark = store.change_mark().unwrap();
        store.append_blocking(vec![total(&power, 40 * 86_400 + i64::from(folded), 9)]).unwrap();
        if folded {
            store.fold().unwrap();
        }
        assert!(mark < changed(&power, february), "folded: {folded}");
        assert!(changed(&power, january) <= mark && changed(&volts_of, february) <= mark);
        let wanted = ChangedSpan { series: power.clone(), from: february.0, to: february.1 };
        assert_eq!(store.changed_since(mark).unwrap(), [wanted]);
    }
    // A duplicate changes nothing, a thinning does.
    let mark = store.change_mark().unwrap();
    store.append_blocking(vec![total(&power, 60, 1)]).unwrap();
    assert_eq!((store.change_mark().unwrap(), store.changed_since(mark).unwrap()), (mark, vec![]));
    store.append_blocking(volts("boiler-1", 30)).unwrap();
    let mark = store.change_mark().unwrap();
    store.thin(rule(3_600), at(1)).unwrap();
    assert!(mark < changed(&volts_of, january));
    assert!(changed(&power, january) <= mark);
    let free = model::SeriesKey { channel: Channel::total(Quantity::GasVolume), ..power.clone() };
    assert_eq!(changed(&free, january), 0);
}
