//! Answers of a device with its minute records, through every meter file that reads them, and the registers that are
//! rebuilt of them over any gap.
//!
//! Laws: records of one answer are whole, not negative, one after the other and of this age; what is rebuilt lies
//! strictly within its gap in time and between the two readings around it, and never falls; what the records do not
//! reach or add up to gives nothing.
//!
//! Allowed errors: those of [`assert_answer_error`] and [`assert_chain_error`].
//!
//! Must never: rebuild from other records than the answer's.

use std::sync::LazyLock;

use model::Instant;
use profile::payload::records::{
    BoundRecords, ChainError, Gap, RECORD_AHEAD_SECONDS_MAX, RECORDS_MAX, Rebuilt, Record, RecordsError,
    answered,
};

use crate::input::Input;
use crate::laws::models;
use crate::payloads::settings;

/// 2200-01-01: no run of records begins later.
const LATEST: Instant = Instant::from_seconds(7_258_118_400);

static BOUND: LazyLock<Vec<BoundRecords>> = LazyLock::new(|| {
    let with_records = models(|m| m.payloads().is_some_and(|p| p.records.is_some()));
    let bound = |m: std::sync::Arc<profile::MeterModel>| {
        let bound = m.payloads().map(|p| p.bind(&settings(p)));
        bound.and_then(Result::ok).and_then(|b| b.records).expect("plain settings fit every convention")
    };
    with_records.into_iter().map(bound).collect()
});

/// Bytes: one for the meter file, eight for the gap's ends and readings, then the answer.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let bound = &BOUND[input.below(BOUND.len())];
    let [begins, length, total, rise] = [input.u16(), input.u16(), input.u16(), input.u16()];
    let answer = input.rest();
    if let Err(error) = answered(answer) {
        assert_answer_error(bound, &error);
    }
    let page = match bound.page(answer) {
        Ok(page) => page,
        Err(error) => return assert_answer_error(bound, &error),
    };
    let period = bound.period_ms();
    assert!(page.records.len() <= RECORDS_MAX);
    for record in &page.records {
        assert_eq!(record.micros.len(), bound.model.totals.len());
        assert!(record.micros.iter().all(|&m| 0 <= m), "a negative energy");
        let latest = LATEST.plus_millis(period * RECORDS_MAX as i64);
        assert!(Instant::from_seconds(0) <= record.begins && record.begins < latest, "{}", record.begins);
    }
    let ordered = page.records.windows(2).all(|w| w[0].begins.plus_millis(period) <= w[1].begins);
    assert!(ordered, "records overlap");
    let Some(first) = page.records.first() else { return };
    // Around the first record, so that some of the answer lies in the gap.
    let from = first.begins.plus_seconds(i64::from(begins) - 32_768);
    let until = from.plus_seconds(1 + i64::from(length));
    let (total, rise) = (i64::from(total), i64::from(rise));
    let gaps: Vec<Gap> = (0..bound.model.totals.len())
        .map(|index| Gap { total: index, before: (from, total), after: (until, total + rise) })
        .collect();
    match bound.rebuild(&gaps, &page.records, until) {
        Ok(rebuilt) => assert_rebuilt(bound, &gaps, &rebuilt),
        Err(error) => assert_chain_error(&error, &page.records, until, period),
    }
}

fn assert_rebuilt(bound: &BoundRecords, gaps: &[Gap], rebuilt: &[Rebuilt]) {
    for gap in gaps {
        let channel = bound.model.totals[gap.total].channel;
        let own: Vec<&Rebuilt> = rebuilt.iter().filter(|r| r.channel == channel).collect();
        for one in &own {
            assert!(gap.before.0 < one.at && one.at < gap.after.0, "outside its gap");
            assert!((gap.before.1..=gap.after.1).contains(&one.value), "not between the two readings");
        }
        assert!(
            own.windows(2).all(|w| w[0].at < w[1].at && w[0].value <= w[1].value),
            "a rebuilt total fell"
        );
    }
}

/// The allowed errors of answers; a new one must be added here knowingly.
fn assert_answer_error(bound: &BoundRecords, error: &RecordsError) {
    match error {
        RecordsError::Refused { .. }
        | RecordsError::Form { .. }
        | RecordsError::Negative { .. }
        | RecordsError::Disorder { .. }
        | RecordsError::TooMany => {}
        RecordsError::Period { found, wanted } => {
            assert_eq!(*wanted, bound.model.period_s);
            assert_ne!(*found, i64::from(*wanted));
        }
    }
}

/// The allowed reasons for which records are not used; a new one must be added here knowingly.
fn assert_chain_error(error: &ChainError, records: &[Record], until: Instant, period: i64) {
    match error {
        ChainError::Empty | ChainError::Unmet { .. } => {}
        ChainError::Short { last, after } => assert!(last < after && *after == until),
        ChainError::Ahead { last, now } => {
            assert!(now.plus_seconds(RECORD_AHEAD_SECONDS_MAX) < *last);
            assert_eq!(records.last().map(|r| r.begins.plus_millis(period)), Some(*last));
        }
    }
}
