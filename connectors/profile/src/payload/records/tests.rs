//! Answers as a device writes them, and chains that meet, or do not.
//!
//! Must never: accept a chain that a person who adds it up by hand would not.

use model::{Channel, Phase, Quantity};
use proptest::prelude::*;

use super::*;

const PERIOD: i64 = 60;
/// 2025-10-26T00:30:00Z: half an hour before the clocks of Italy go back.
const BEGIN: i64 = 1_761_438_600;

fn total(phase: Phase, keys: &[&str]) -> RecordTotal {
    RecordTotal {
        channel: Channel { quantity: Quantity::ActiveEnergyImport, phase },
        keys: keys.iter().map(|k| (*k).to_owned()).collect(),
        unit: Unit::WattHour,
        resolution_micros: 10_000,
    }
}

fn bound() -> BoundRecords {
    let model = RecordsModel {
        method: RecordsMethod::EmData,
        component: "0".into(),
        request: "meter/rpc".into(),
        period_s: 60,
        keeps_days: 60,
        answer_s: 20,
        totals: vec![total(Phase::Total, &["a", "b"]), total(Phase::L1, &["a"])],
        examples: vec![],
    };
    BoundRecords { topic: "meter/rpc".into(), component: 0, model }
}

fn at(minutes: f64) -> Instant {
    Instant::from_millis(BEGIN * 1_000 + (minutes * 60_000.0) as i64)
}

/// Minutes one after the other from `from` on, in watt-hours.
fn records(from: i64, watt_hours: &[f64]) -> Vec<Record> {
    let record = |(i, wh): (i64, &f64)| Record {
        begins: Instant::from_seconds(BEGIN + (from + i) * PERIOD),
        micros: vec![(wh * 1e6) as i64, 0],
    };
    (0..).zip(watt_hours).map(record).collect()
}

fn gap(before: (f64, i64), after: (f64, i64)) -> Gap {
    Gap { total: 0, before: (at(before.0), before.1), after: (at(after.0), after.1) }
}

fn rebuilt(gap: Gap, records: &[Record]) -> Result<Vec<(f64, i64)>, ChainError> {
    let all = bound().rebuild(&[gap], records, gap.after.0.plus_seconds(120))?;
    Ok(all.into_iter().map(|one| (one.at.seconds_since(at(0.0)) / 60.0, one.value)).collect())
}

#[test]
fn no_method_but_reading_records_has_a_word() {
    let all: Vec<&str> = RecordsMethod::ALL.iter().map(|m| m.code()).collect();
    assert_eq!(all, ["EMData.GetData", "EM1Data.GetData"]);
    for other in [
        "EMData.DeleteAllData",
        "EMData.ResetCounters",
        "EM1Data.DeleteAllData",
        "Switch.Set",
        "Shelly.Reboot",
        "emdata.getdata",
        "EMData.GetData ",
        "",
    ] {
        assert_eq!(RecordsMethod::parse(other), None, "{other}");
    }
    assert_eq!(
        bound().request(5, "us-records", 10, 20),
        r#"{"id":5,"src":"us-records","method":"EMData.GetData","params":{"id":0,"ts":10,"end_ts":20}}"#
    );
}

#[test]
fn the_course_between_two_readings_is_rebuilt() {
    // Read on the minute, before and after: nothing is shared.
    let kept = records(0, &[10.0, 20.0, 30.0, 40.0]);
    assert_eq!(rebuilt(gap((0.0, 100), (4.0, 200)), &kept), Ok(vec![(1.0, 110), (2.0, 130), (3.0, 160)]));
    // Read within minutes of which half is of the gap: 5 and 20 of the 10 and 40 Wh.
    let half = gap((0.5, 100), (3.5, 175));
    assert_eq!(rebuilt(half, &kept), Ok(vec![(1.0, 105), (2.0, 125), (3.0, 155)]));
    // A register that moves on the minute alone: all of the first record, nothing of the last.
    let late = gap((0.01, 100), (3.01, 160));
    let found = rebuilt(late, &kept).unwrap();
    assert_eq!(found.len(), 3);
    assert!(found[0].1 >= 109 && found[2].1 >= 159, "{found:?}");
}

#[test]
fn a_chain_that_does_not_meet_is_refused_whole() {
    let kept = records(0, &[10.0, 20.0, 30.0, 40.0]);
    for (before, after) in [
        // More than all records together; less than the whole minutes; a register that fell.
        ((0.5, 100), (3.5, 202)),
        ((0.5, 100), (3.5, 148)),
        ((0.0, 100), (4.0, 198)),
        ((0.0, 100), (4.0, 202)),
        ((0.5, 100), (3.5, 90)),
    ] {
        let refused = rebuilt(gap(before, after), &kept);
        assert!(matches!(refused, Err(ChainError::Unmet { .. })), "{before:?} {after:?}: {refused:?}");
    }
    // One watt-hour is what two roundings may make.
    assert!(rebuilt(gap((0.0, 100), (4.0, 201)), &kept).is_ok());
    // Of two totals one that does not meet refuses both.
    let both = [gap((0.0, 100), (4.0, 200)), Gap { total: 1, ..gap((0.0, 100), (4.0, 200)) }];
    assert!(bound().rebuild(&both, &kept, at(9.0)).is_err());
}

#[test]
fn a_hole_in_the_records_stays_one() {
    // The device was off from minute 2 to minute 5; its register stood still.
    let mut kept = records(0, &[10.0, 20.0]);
    kept.extend(records(5, &[30.0, 40.0]));
    let found = rebuilt(gap((0.0, 100), (7.0, 200)), &kept);
    assert_eq!(found, Ok(vec![(1.0, 110), (2.0, 130), (6.0, 160)]));
    // The register went on in the hole: then the records do not say where.
    assert!(rebuilt(gap((0.0, 100), (7.0, 290)), &kept).is_err());
}

#[test]
fn a_wrong_clock_of_the_device_is_refused() {
    let whole = gap((0.0, 100), (4.0, 200));
    // An hour behind: nothing of the time asked for, or nothing up to its end.
    assert_eq!(rebuilt(whole, &records(-60, &[25.0; 4])), Err(ChainError::Empty));
    let short = rebuilt(whole, &records(-60, &[25.0; 62]));
    assert_eq!(short, Err(ChainError::Short { last: at(2.0), after: at(4.0) }));
    // An hour ahead: records of what has not been yet.
    let ahead = rebuilt(whole, &records(0, &[25.0; 64]));
    assert_eq!(ahead, Err(ChainError::Ahead { last: at(64.0), now: at(6.0) }));
    assert_eq!(rebuilt(whole, &[]), Err(ChainError::Empty));
}

#[test]
fn answers_that_cannot_be_used_say_why() {
    let page = |result: &str| bound().page(format!(r#"{{"id":1,"result":{result}}}"#).as_bytes());
    let good = page(
        r#"{"keys":["b","x","a"],"data":[{"ts":60,"period":60,"values":[[0.5,9,1.25],[null,9,1],[1,9,2]]}],"next_record_ts":240}"#,
    )
    .unwrap();
    let record =
        |second, micros: [i64; 2]| Record { begins: Instant::from_seconds(second), micros: micros.to_vec() };
    // What the device has no value of is a hole.
    assert_eq!(good.records, [record(60, [1_750_000, 1_250_000]), record(180, [3_000_000, 2_000_000])]);
    assert_eq!(good.next_s, Some(240));
    assert_eq!(page(r#"{"data":[]}"#), Ok(Page { records: vec![], next_s: None }));
    for (result, says) in [
        (
            r#"{"keys":["a"],"data":[{"ts":0,"period":60,"values":[]}]}"#,
            "`b` is missing or no key of the answer",
        ),
        (
            r#"{"keys":["a","b"],"data":[{"ts":0,"period":300,"values":[]}]}"#,
            "a period of 300 s where 60 s are expected",
        ),
        (r#"{"keys":["a","b"],"data":[{"ts":0,"period":60,"values":[[1]]}]}"#, "`b` is missing or no number"),
        (
            r#"{"keys":["a","b"],"data":[{"ts":0,"period":60,"values":[[1,-1]]}]}"#,
            "`b` is below 0 in the record of 1970-01-01T00:00:00Z",
        ),
        (
            r#"{"keys":["a","b"],"data":[{"ts":60,"period":60,"values":[[1,1]]},{"ts":0,"period":60,"values":[[1,1]]}]}"#,
            "the record of 1970-01-01T00:00:00Z begins before the one before it ends",
        ),
        (r#"{"keys":["a","b"]}"#, "`data` is missing or no list"),
        (r#"{"data":[],"next_record_ts":"soon"}"#, "`next_record_ts` is missing or no time"),
        (
            r#"{"keys":["a","b"],"data":[{"ts":9223372036854775807,"period":60,"values":[]}]}"#,
            "`ts` is missing or no time",
        ),
    ] {
        assert_eq!(page(result).unwrap_err().to_string(), says);
    }
    let refused =
        bound().page(br#"{"id":1,"error":{"code":-105,"message":"Argument 'id', value 3 not found!"}}"#);
    assert_eq!(
        refused.unwrap_err().to_string(),
        "the device refuses: Argument 'id', value 3 not found! (-105)"
    );
    assert!(answered(b"garbled").is_err());
    assert_eq!(answered(br#"{"id":"x"}"#), Ok(None));
}

proptest! {
    /// Whatever the course and wherever it was read, what is rebuilt never falls, stays between the two readings and is
    /// within a watt-hour of what the register had when it moves evenly within each minute.
    #[test]
    fn what_is_rebuilt_is_what_the_register_had(
        energies in prop::collection::vec(0.0_f64..500.0, 6..60),
        begins in 0.0_f64..1.0,
        ends in 0.0_f64..1.0,
    ) {
        let energies: Vec<f64> = energies.iter().map(|e| (e * 100.0).round() / 100.0).collect();
        let minutes = energies.len() as f64;
        let register = |minute: f64| {
            let whole = minute.floor() as usize;
            let part = energies.get(whole).map_or(0.0, |e| e * minute.fract());
            1_000.0 + energies[..whole.min(energies.len())].iter().sum::<f64>() + part
        };
        let (before, after) = (begins, minutes - 1.0 + ends);
        let gap = gap((before, register(before).round() as i64), (after, register(after).round() as i64));
        let found = rebuilt(gap, &records(0, &energies)).unwrap();
        prop_assert!(found.len() as f64 >= minutes - 2.0);
        let mut last = gap.before.1;
        for (minute, value) in found {
            prop_assert!(last <= value && value <= gap.after.1);
            prop_assert!((value as f64 - register(minute)).abs() <= 2.0, "{} {}", value, register(minute));
            last = value;
        }
    }
}
