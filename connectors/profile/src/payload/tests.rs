//! Payloads: what they say, when they say it, and every way of not being understood.
//!
//! Must never: depend on a file of the catalogue; those prove themselves.

use model::{Quantity, Value};

use super::time::{local, millis};
use super::*;

fn field(topic: &str, path: &str, quantity: Quantity, unit: Unit) -> Field {
    let plausible = Range { from: 0.0, to: 1e9 };
    Field {
        channel: Channel::total(quantity),
        topic: topic.into(),
        path: path.into(),
        unit,
        scale: Decimal::ONE,
        plausible,
        required: false,
    }
}

fn model() -> PayloadModel {
    PayloadModel {
        form: Form::Json,
        topic: "energy/+".into(),
        bytes_max: 200,
        time: Some(TimeField {
            path: "time".into(),
            form: TimeForm::Rfc3339,
            zone: String::new(),
            optional: false,
        }),
        ignores_unrelated: false,
        must_be_zero: vec![],
        settings: BTreeMap::new(),
        needs: vec![],
        availability: None,
        records: None,
        fields: vec![
            field("{topic}", "kwh", Quantity::ActiveEnergyImport, Unit::KilowattHour),
            field("{topic}", "w", Quantity::ActivePower, Unit::Watt),
        ],
        examples: vec![],
    }
}

fn at(text: &str) -> Instant {
    Instant::parse_rfc3339(text).unwrap()
}

fn given(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn read(model: &PayloadModel, payload: &[u8], when: When) -> Result<Option<Message>, PayloadError> {
    let bound = model.bind(&given(&[("topic", "energy/hall")])).unwrap();
    bound.messages[0].decode(payload, payload.len(), when)
}

fn decode(payload: &str) -> Result<Message, PayloadError> {
    read(&model(), payload.as_bytes(), When::arriving(at("2025-06-01T10:00:05Z"))).map(Option::unwrap)
}

#[test]
fn late_data_are_put_at_their_own_time() {
    let m = decode(r#"{"time":"2025-05-31T23:59:00+02:00","kwh":12345.678,"w":null,"x":[]}"#).unwrap();
    assert_eq!((m.observed_at, m.quality), (at("2025-05-31T21:59:00Z"), Quality::Good));
    let kwh = Channel::total(Quantity::ActiveEnergyImport);
    assert_eq!(m.values, [(kwh, Decoded::Value(Value::Total(12_345_678)))]);
}

#[test]
fn every_way_of_not_being_understood_has_its_reason() {
    let t = r#""time":"2025-06-01T10:00:00Z""#;
    let long = format!(r#"{{{t},"kwh":{}}}"#, "1".repeat(200));
    for (payload, reason) in [
        (long.as_str(), "the payload has 238 bytes where at most 200 are allowed"),
        ("hello", "the payload is not JSON"),
        (&format!("{{{t},\"kwh\":\"12\"}}"), "`kwh` is a text where a number is expected"),
        (&format!("{{{t},\"kwh\":1e29}}"), "`kwh` is a number that cannot be kept"),
        (&format!("{{{t}}}"), "none of the fields of the meter's file is there"),
        (r#"{"kwh":1}"#, "`time` is missing"),
        (r#"{"kwh":1,"time":"2025-06-01T10:00:00"}"#, "`time` is no time of the form rfc3339"),
        (
            r#"{"kwh":1,"time":"2025-06-01T11:00:05Z"}"#,
            "its time 2025-06-01T11:00:05Z is 3600 s ahead of its arrival",
        ),
        (
            r#"{"kwh":1,"time":"1970-01-01T00:00:05Z"}"#,
            "its time 1970-01-01T00:00:05Z is before 2000: the clock of the device is not set",
        ),
    ] {
        assert_eq!(decode(payload).unwrap_err().to_string(), reason);
    }
    let when = When::arriving(at("2025-06-01T10:00:05Z"));
    assert_eq!(read(&model(), &[0xFF, 0xFE], when), Err(PayloadError::NotText));
}

#[test]
fn only_the_beginning_of_a_payload_is_never_read() {
    let bound = model().bind(&given(&[("topic", "e")])).unwrap();
    let when = When::arriving(at("2025-06-01T10:00:05Z"));
    let cut = bound.messages[0].decode(b"12", 13, when);
    assert_eq!(cut, Err(PayloadError::TooLong { bytes: 13, limit: 200 }));
}

#[test]
fn a_kept_payload_is_read_again_with_the_clock_of_today() {
    let payload = br#"{"kwh":1,"time":"2025-06-01T10:00:00Z"}"#;
    let arrived = at("1970-01-01T00:05:00Z");
    let held = read(&model(), payload, When::arriving(arrived));
    assert!(matches!(held, Err(PayloadError::TimeAhead { .. })), "{held:?}");
    let again = read(&model(), payload, When { arrived, now: at("2025-06-02T00:00:00Z") }).unwrap().unwrap();
    assert_eq!((again.observed_at, again.quality), (at("2025-06-01T10:00:00Z"), Quality::Good));
}

#[test]
fn without_own_time_a_machine_without_clock_keeps_the_payload_aside() {
    let scalar = PayloadModel {
        time: None,
        fields: vec![field("{topic}", "", Quantity::ActivePower, Unit::Watt)],
        ..model()
    };
    let arrived = at("1970-01-01T00:05:00Z");
    let held = read(&scalar, b"12", When::arriving(arrived));
    assert_eq!(held, Err(PayloadError::HostClockUnset { time: arrived }));
}

#[test]
fn an_implausible_value_is_kept_apart_and_a_null_is_no_value() {
    let m = decode(r#"{"time":"2025-06-01T10:00:00Z","w":-5}"#).unwrap();
    assert!(matches!(m.values[0].1, Decoded::Implausible(Value::Gauge(v), _) if v == -5.0));
    let m = decode(r#"{"time":"2025-06-01T10:00:00Z","w":null}"#).unwrap();
    assert_eq!(m.values[0].1, Decoded::Missing);
}

#[test]
fn epochs_are_read_exactly_and_a_scalar_payload_is_a_number() {
    assert_eq!(millis("1748772000.25", 3), Some(Instant::from_millis(1_748_772_000_250)));
    assert_eq!(millis("1748772000250", 0), Some(Instant::from_millis(1_748_772_000_250)));
    let scalar = PayloadModel {
        time: None,
        fields: vec![field("{topic}", "", Quantity::ActivePower, Unit::Watt)],
        ..model()
    };
    let arrived = at("2025-06-01T10:00:00Z");
    let m = read(&scalar, b"123.5", When::arriving(arrived)).unwrap().unwrap();
    assert_eq!((m.observed_at, m.quality), (arrived, Quality::ArrivalTime));
    assert_eq!(m.values[0].1, Decoded::Value(Value::Gauge(123.5)));
}

#[test]
fn an_optional_time_and_a_local_one_are_used_only_when_they_are_there() {
    let mut optional = model();
    optional.time = Some(TimeField {
        path: "last_seen".into(),
        form: TimeForm::Rfc3339OrEpochMillis,
        zone: String::new(),
        optional: true,
    });
    let arrived = at("2025-06-01T10:00:05Z");
    let quality = |model: &PayloadModel, payload: &str| {
        let m = read(model, payload.as_bytes(), When::arriving(arrived)).unwrap().unwrap();
        (m.observed_at.to_string(), m.quality)
    };
    let good = ("2025-06-01T10:00:00Z".to_owned(), Quality::Good);
    let arrival = ("2025-06-01T10:00:05Z".to_owned(), Quality::ArrivalTime);
    assert_eq!(quality(&optional, r#"{"kwh":1,"last_seen":"2025-06-01T12:00:00+02:00"}"#), good);
    assert_eq!(quality(&optional, r#"{"kwh":1,"last_seen":1748772000000}"#), good);
    assert_eq!(quality(&optional, r#"{"kwh":1,"last_seen":null}"#), arrival);
    assert_eq!(quality(&optional, r#"{"kwh":1}"#), arrival);
    // The seconds since it was switched on: a clock that was never set is no time, where none is needed.
    assert_eq!(quality(&optional, r#"{"kwh":1,"last_seen":1610}"#), arrival);
    optional.time.as_mut().unwrap().optional = false;
    let unset = read(&optional, br#"{"kwh":1,"last_seen":1610}"#, When::arriving(arrived));
    assert!(matches!(unset, Err(PayloadError::TimeUnset { .. })), "{unset:?}");
    let rome = |zone: &str| {
        let mut local = model();
        local.time = Some(TimeField {
            path: "Time".into(),
            form: TimeForm::Local,
            zone: zone.into(),
            optional: false,
        });
        local
    };
    assert_eq!(quality(&rome("Europe/Rome"), r#"{"kwh":1,"Time":"2025-06-01T12:00:00"}"#), good);
    assert_eq!(quality(&rome(""), r#"{"kwh":1,"Time":"2025-06-01T12:00:00"}"#), arrival);
}

#[test]
fn a_count_that_must_be_zero_refuses_its_payload() {
    let mut model = model();
    model.must_be_zero = vec!["{name}.total".into()];
    model.settings = given(&[("name", "returned")]);
    let of = |payload: &str| read(&model, payload.as_bytes(), When::arriving(at("2025-06-01T10:00:00Z")));
    let time = r#""time":"2025-06-01T10:00:00Z","kwh":7"#;
    for zero in ["", r#","returned":{"total":0.000}"#, r#","returned":{"total":null}"#, r#","returned":{}"#] {
        assert_eq!(of(&format!("{{{time}{zero}}}")).unwrap().unwrap().values.len(), 1, "{zero}");
    }
    let path = "returned.total".to_owned();
    for more in ["0.001", "-1", "\"0\"", "[]"] {
        let said = of(&format!(r#"{{{time},"returned":{{"total":{more}}}}}"#));
        assert_eq!(said, Err(PayloadError::NotZero { path: path.clone() }), "{more}");
    }
}

#[test]
fn of_a_minute_the_arrival_counts_unless_the_message_was_held_up() {
    let mut model = model();
    model.time = Some(TimeField {
        path: "minute_ts".into(),
        form: TimeForm::EpochMinute,
        zone: String::new(),
        optional: true,
    });
    // 1748772000 is 2025-06-01T10:00:00Z.
    let of = |minute: &str, arrived: &str| {
        let payload = format!(r#"{{"kwh":1,"minute_ts":{minute}}}"#);
        let m = read(&model, payload.as_bytes(), When::arriving(at(arrived)));
        m.map(|m| m.unwrap()).map(|m| (m.observed_at.to_string(), m.quality))
    };
    let arrival = |at: &str| Ok((at.to_owned(), Quality::ArrivalTime));
    for prompt in
        ["2025-06-01T10:00:00Z", "2025-06-01T10:00:59Z", "2025-06-01T10:02:59Z", "2025-06-01T09:56:00Z"]
    {
        assert_eq!(of("1748772000", prompt), arrival(prompt));
    }
    // The broker kept it while nobody listened: it is of the end of its minute.
    let ended = Ok(("2025-06-01T10:01:00Z".to_owned(), Quality::Good));
    assert_eq!(of("1748772000", "2025-06-01T10:03:01Z"), ended);
    assert_eq!(of("1748772000", "2025-06-03T18:00:00Z"), ended);
    // No clock: null, nothing, or the seconds since the start.
    for unset in ["null", "0", "61"] {
        assert_eq!(of(unset, "2025-06-01T18:00:00Z"), arrival("2025-06-01T18:00:00Z"));
    }
    assert!(matches!(of("1748772000", "2025-06-01T09:00:00Z"), Err(PayloadError::TimeAhead { .. })));
}

#[test]
fn in_the_hour_that_happens_twice_the_arrival_tells_which() {
    let rome = "Europe/Rome".parse().unwrap();
    let text = "2025-10-26T02:30:00";
    for arrived in ["2025-10-26T00:30:02Z", "2025-10-26T01:30:02Z"] {
        let meant = local(text, rome, at(arrived)).unwrap();
        assert_eq!(meant, at(arrived).plus_seconds(-2));
    }
    assert_eq!(local("2025-10-26 02:30", rome, at("2025-10-26T00:30:02Z")), None);
}

#[test]
fn settings_fill_topics_and_paths_and_wrong_ones_are_named() {
    let em = |topic: &str, path: &str| field(topic, path, Quantity::ActivePower, Unit::Watt);
    let shelly = PayloadModel {
        time: None,
        settings: given(&[("channel", "0")]),
        availability: Some(Availability {
            topic: "{topic}/online".into(),
            path: "state".into(),
            online: vec!["true".into()],
            offline: vec!["false".into()],
        }),
        fields: vec![em("{topic}/status/em:{channel}", "a"), em("{parent}/rpc", "params.em:{channel}.a")],
        ..model()
    };
    let bound = shelly.bind(&given(&[("topic", "site/em3"), ("channel", "1")])).unwrap();
    let topics: Vec<&str> = bound.messages.iter().map(|m| m.topic.as_str()).collect();
    assert_eq!(topics, ["site/em3/status/em:1", "site/rpc"]);
    assert_eq!(bound.messages[1].fields[0].1.path, "params.em:1.a");
    let presence = bound.availability.unwrap();
    assert_eq!(presence.topic, "site/em3/online");
    assert_eq!(presence.read(b"true"), Some(Presence::Online));
    assert_eq!(presence.read(br#"{"state":"false"}"#), Some(Presence::Offline));
    assert_eq!(presence.read(b"asleep"), None);
    for (pairs, says) in [
        (&[("topic", "a"), ("chanel", "1")][..], "key `chanel` is not known; this model has topic, channel"),
        (&[("channel", "1")], "key `topic` is missing; this model needs it"),
        (
            &[("topic", "a/+")],
            "topic \"a/+\" must be 1 to 1024 bytes without '+', '#' and control characters",
        ),
    ] {
        assert_eq!(shelly.bind(&given(pairs)).unwrap_err().to_string(), says);
    }
    let lost = PayloadModel { fields: vec![em("{topic}/{nothing}", "")], ..shelly };
    assert!(matches!(lost.bind(&given(&[("topic", "a")])), Err(BindError::Placeholder { .. })));
}

#[test]
fn other_messages_of_a_shared_topic_are_passed_over_and_lines_of_numbers_are_read() {
    let shared = PayloadModel { ignores_unrelated: true, time: None, ..model() };
    let when = When::arriving(at("2025-06-01T10:00:05Z"));
    assert_eq!(read(&shared, br#"{"method":"NotifyEvent"}"#, when), Ok(None));
    assert!(read(&shared, b"{", when).is_err());
    let line = PayloadModel {
        form: Form::Csv,
        time: None,
        fields: vec![field("{topic}", "[2]", Quantity::ActivePower, Unit::Watt)],
        ..model()
    };
    let m = read(&line, b"1, 2,3.5,x", when).unwrap().unwrap();
    assert_eq!(m.values[0].1, Decoded::Value(Value::Gauge(3.5)));
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_the_decoder_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..64)) {
        let when = When::arriving(at("2025-06-01T10:00:05Z"));
        let understood = read(&model(), &bytes, when).is_ok();
        proptest::prop_assert!(!understood || !bytes.is_empty());
    }
}
