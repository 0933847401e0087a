//! One message at a time: what it is counted as, what it leaves behind.
//!
//! Must never: need a broker.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{Channel, Instant, MeterId, Quantity, Unit};
use profile::{Availability, Decimal, Field, Form, PayloadModel, Range};

use super::*;
use crate::testing::{BEGIN, TestInbox};

fn model() -> PayloadModel {
    let field = |topic: &str, path: &str, quantity, unit| Field {
        channel: Channel::total(quantity),
        topic: topic.to_owned(),
        path: path.to_owned(),
        unit,
        scale: Decimal::ONE,
        plausible: Range { from: 0.0, to: 1e9 },
        required: false,
    };
    PayloadModel {
        form: Form::Json,
        topic: "+".into(),
        bytes_max: 100,
        time: None,
        ignores_unrelated: false,
        must_be_zero: vec![],
        settings: BTreeMap::new(),
        needs: vec![],
        records: None,
        availability: Some(Availability {
            topic: "{topic}/online".into(),
            path: String::new(),
            online: vec!["true".into()],
            offline: vec!["false".into()],
        }),
        fields: vec![
            field("{topic}/energy", "", Quantity::ActiveEnergyImport, Unit::WattHour),
            field("{topic}/power", "", Quantity::ActivePower, Unit::Watt),
        ],
        examples: vec![],
    }
}

fn sorter() -> Sorter {
    let given = [("topic".to_owned(), "hall".to_owned())].into();
    let bound = model().bind(&given).unwrap();
    Sorter::new(
        "l".into(),
        "c",
        false,
        vec![Subscriber { meter: MeterId::new("hall").unwrap(), bound, every_s: 60 }],
    )
}

fn at(seconds: i64) -> Instant {
    BEGIN.plus_seconds(seconds)
}

/// Sorts one message and settles it.
fn take(sorter: &mut Sorter, inbox: &Arc<TestInbox>, message: Message) -> Sorted {
    let mut sorted = Sorted::default();
    sorter.sort(&message, &mut sorted, &**inbox);
    sorter.settled(&[message], &sorted, &**inbox);
    sorted
}

fn outcome(sorted: &Sorted) -> MessageOutcome {
    let outcomes: Vec<_> = sorted.tally.iter().map(|((_, outcome), count)| (*outcome, *count)).collect();
    assert_eq!(outcomes.len(), 1, "{outcomes:?}");
    assert_eq!(outcomes[0].1, 1);
    outcomes[0].0
}

#[test]
fn the_topics_of_a_meter_are_its_own_messages() {
    let (mut sorter, inbox) = (sorter(), Arc::new(TestInbox::default()));
    assert_eq!(sorter.topics(), ["hall/energy", "hall/online", "hall/power"]);
    let sorted = take(&mut sorter, &inbox, Message::of("hall/energy", b"12", at(1), 1));
    assert_eq!((sorted.readings.len(), sorted.readings[0].observed_at), (1, at(1)));
    let sorted = take(&mut sorter, &inbox, Message::of("hall/power", b"5", at(2), 2));
    assert_eq!(sorted.readings[0].observed_at, at(2));
    let sorted = take(&mut sorter, &inbox, Message::of("hall/other", b"5", at(3), 3));
    assert_eq!((outcome(&sorted), sorted.unclaimed.len()), (MessageOutcome::Unclaimed, 1));
}

#[test]
fn a_message_sent_again_is_no_new_arrival_but_one_never_taken_is() {
    let (mut sorter, inbox) = (sorter(), Arc::new(TestInbox::default()));
    take(&mut sorter, &inbox, Message::of("hall/energy", b"12", at(1), 7));
    let again = Message { dup: true, ..Message::of("hall/energy", b"12", at(60), 7) };
    let sorted = take(&mut sorter, &inbox, again);
    assert_eq!((outcome(&sorted), sorted.readings.len()), (MessageOutcome::Duplicate, 0));
    // The broker may say `dup` of a message that never reached us, and give a number to another one.
    let missed = Message { dup: true, ..Message::of("hall/energy", b"13", at(61), 7) };
    assert_eq!(take(&mut sorter, &inbox, missed).readings.len(), 1);
    let same_value = Message::of("hall/energy", b"13", at(62), 7);
    assert_eq!(take(&mut sorter, &inbox, same_value).readings.len(), 1);
    // Not settled: what the journal refused counts as never taken.
    let refused = Message::of("hall/energy", b"14", at(63), 8);
    sorter.sort(&refused, &mut Sorted::default(), &*inbox);
    let again = Message { dup: true, ..Message::of("hall/energy", b"14", at(64), 8) };
    assert_eq!(take(&mut sorter, &inbox, again).readings.len(), 1);
}

#[test]
fn presence_is_told_once_also_by_a_retained_word_and_ends_with_the_next_reading() {
    let (mut sorter, inbox) = (sorter(), Arc::new(TestInbox::default()));
    for _ in 0..2 {
        let word = Message { retain: true, ..Message::of("hall/online", b"false", at(1), 1) };
        assert_eq!(outcome(&take(&mut sorter, &inbox, word)), MessageOutcome::Presence);
    }
    assert_eq!(inbox.codes(), ["link.offline"]);
    take(&mut sorter, &inbox, Message::of("hall/power", b"5", at(2), 2));
    assert_eq!(inbox.codes(), ["link.offline", "link.up"]);
    take(&mut sorter, &inbox, Message::of("hall/online", b"asleep", at(3), 3));
    assert_eq!(inbox.codes().last(), Some(&"payload.presence.unknown"));
    assert!(inbox.quarantined.lock().unwrap().is_empty());
}

#[test]
fn a_retained_value_is_none_and_what_is_not_understood_is_kept_with_its_meter() {
    let (mut sorter, inbox) = (sorter(), Arc::new(TestInbox::default()));
    let old = Message { retain: true, ..Message::of("hall/energy", b"12", at(1), 1) };
    let sorted = take(&mut sorter, &inbox, old);
    assert_eq!((outcome(&sorted), sorted.readings.len()), (MessageOutcome::Retained, 0));
    let giant = Message { length: 1_000_000, ..Message::of("hall/energy", b"12", at(2), 2) };
    let sorted = take(&mut sorter, &inbox, giant);
    let kept = &sorted.quarantined[0];
    assert_eq!((kept.length, kept.payload.as_slice(), kept.link.as_str()), (1_000_000, &b"12"[..], "l"));
    assert_eq!(kept.meter.as_ref().map(MeterId::as_str), Some("hall"));
    assert_eq!(kept.reason, "the payload has 1000000 bytes where at most 100 are allowed");
}
