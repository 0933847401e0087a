//! Gaps, requests and answers, one step at a time.
//!
//! Must never: need a broker.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{Channel, Quantity, Unit};
use profile::payload::records::{RecordTotal, RecordsMethod, RecordsModel};
use profile::{Decimal, Field, Form, PayloadModel, Range};

use super::*;
use crate::mqtt::sort::Sorter;
use crate::testing::{BEGIN, TestInbox};

const IMPORT: Channel = Channel::total(Quantity::ActiveEnergyImport);

fn model() -> PayloadModel {
    let field = Field {
        channel: IMPORT,
        topic: "{topic}/status".into(),
        path: "total".into(),
        unit: Unit::WattHour,
        scale: Decimal::ONE,
        plausible: Range { from: 0.0, to: 1e9 },
        required: false,
    };
    let total = RecordTotal {
        channel: IMPORT,
        keys: vec!["energy".into()],
        unit: Unit::WattHour,
        resolution_micros: 10_000,
    };
    PayloadModel {
        form: Form::Json,
        topic: "#".into(),
        bytes_max: 1_000,
        time: None,
        ignores_unrelated: false,
        must_be_zero: vec![],
        settings: [("channel".to_owned(), "0".to_owned())].into(),
        needs: vec![],
        availability: None,
        records: Some(RecordsModel {
            method: RecordsMethod::Em1Data,
            component: "{channel}".into(),
            request: "{topic}/rpc".into(),
            period_s: 60,
            keeps_days: 60,
            answer_s: 20,
            totals: vec![total],
            examples: vec![],
        }),
        fields: vec![field],
        examples: vec![],
    }
}

struct Bench {
    sorter: Sorter,
    inbox: Arc<TestInbox>,
    packet: u16,
}

impl Bench {
    /// Meters of these names, each of its own component of one device.
    fn new(meters: &[&str]) -> Self {
        let subscriber = |(channel, meter): (usize, &&str)| {
            let given: BTreeMap<String, String> =
                [("topic".to_owned(), "device".to_owned()), ("channel".to_owned(), channel.to_string())]
                    .into();
            let mut model = model();
            model.fields[0].topic = format!("{{topic}}/{meter}");
            let bound = model.bind(&given).unwrap();
            Subscriber { meter: MeterId::new(meter).unwrap(), bound, every_s: 60 }
        };
        let subscribers = meters.iter().enumerate().map(subscriber).collect();
        let mut sorter = Sorter::new("l".into(), "us", false, subscribers);
        sorter.records.subscribed();
        Self { sorter, inbox: Arc::new(TestInbox::default()), packet: 0 }
    }

    fn message(&mut self, topic: &str, payload: &str, second: i64) -> Sorted {
        self.packet += 1;
        let message = Message::of(topic, payload.as_bytes(), at(second), self.packet);
        let mut sorted = Sorted::default();
        self.sorter.sort(&message, &mut sorted, &*self.inbox);
        self.sorter.settled(&[message], &sorted, &*self.inbox);
        sorted
    }

    fn total(&mut self, meter: &str, second: i64, watt_hours: i64) -> Sorted {
        self.message(&format!("device/{meter}"), &format!("{{\"total\":{watt_hours}}}"), second)
    }

    /// Waits until something is to be done, and does it.
    async fn act(&mut self, second: i64) -> Due {
        tokio::time::sleep_until(self.sorter.records.due().expect("something is to be done")).await;
        self.sorter.records.act(at(second), &*self.inbox)
    }

    /// The answer to the request of this number: minutes from `second` on.
    fn answer(&mut self, number: u64, blocks: &str, next: &str, second: i64) -> Sorted {
        let payload = format!(
            "{{\"id\":{number},\"src\":\"device\",\"result\":{{\"keys\":[\"energy\"],\"data\":[{blocks}]{next}}}}}"
        );
        self.message("us-records/rpc", &payload, second)
    }
}

fn at(second: i64) -> Instant {
    BEGIN.plus_seconds(second)
}

fn unix(second: i64) -> i64 {
    at(second).millis() / 1_000
}

/// A run of minutes that begins at `second`, each of so many watt-hours.
fn block(second: i64, watt_hours: &[i64]) -> String {
    let rows: Vec<String> = watt_hours.iter().map(|wh| format!("[{wh}]")).collect();
    format!("{{\"ts\":{},\"period\":60,\"values\":[{}]}}", unix(second), rows.join(","))
}

/// Number and first second of the one request.
fn asked(due: &Due) -> (u64, i64) {
    let [Request::Records { topic, payload }] = due.requests.as_slice() else {
        panic!("one request is expected: {due:?}")
    };
    assert_eq!(topic, "device/rpc");
    let part = |from: &str| {
        let rest = payload.split_once(from).expect("it is there").1;
        rest.split([',', '}']).next().unwrap().parse::<i64>().unwrap()
    };
    assert!(payload.contains("\"src\":\"us-records\",\"method\":\"EM1Data.GetData\""), "{payload}");
    (part("\"id\":").unsigned_abs(), part("\"ts\":") - unix(0))
}

fn found(sorted: &Sorted) -> Vec<(i64, i64)> {
    let one = |r: &Reading| {
        assert_eq!((r.origin, r.quality), (Origin::Record, Quality::Good));
        let Value::Total(value) = r.value else { panic!("{r:?}") };
        ((r.observed_at.millis() - BEGIN.millis()) / 1_000, value)
    };
    sorted.recovered.iter().map(one).collect()
}

#[tokio::test(start_paused = true)]
async fn what_a_device_kept_in_a_gap_is_asked_for_page_by_page() {
    let mut bench = Bench::new(&["m"]);
    bench.total("m", 0, 100);
    bench.total("m", 180, 130);
    assert!(bench.sorter.records.due().is_none(), "three periods are no gap");
    bench.total("m", 480, 200);
    let due = bench.act(545).await;
    let (number, from) = asked(&due);
    assert_eq!(from, 180);
    assert!(bench.answer(number + 7, &block(180, &[1]), "", 546).recovered.is_empty());
    let next = format!(",\"next_record_ts\":{}", unix(300));
    let first = bench.answer(number, &block(180, &[10, 20]), &next, 546);
    assert!(first.recovered.is_empty() && bench.inbox.codes().is_empty());
    let due = bench.act(546).await;
    let (second, from) = asked(&due);
    assert_eq!((second, from), (number + 1, 300));
    // The first answer once more, as a broker may send it.
    assert!(bench.answer(number, &block(180, &[10, 20]), &next, 546).recovered.is_empty());
    let last = bench.answer(second, &block(300, &[5, 15, 20, 9]), "", 546);
    assert_eq!(found(&last), [(240, 140), (300, 160), (360, 165), (420, 180)]);
    assert!(bench.sorter.records.due().is_none() && bench.inbox.codes().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_silent_device_is_asked_three_times_and_never_again() {
    let mut bench = Bench::new(&["m"]);
    bench.total("m", 0, 100);
    let opened = bench.total("m", 600, 200);
    assert_eq!(opened.remembered.len(), 1);
    let begun = Ticks::now();
    let mut requests = 0;
    let mut ended = Vec::new();
    while bench.sorter.records.due().is_some() {
        let due = bench.act(600).await;
        requests += due.requests.len();
        ended.extend(due.ended);
    }
    assert_eq!((requests, bench.inbox.codes()), (3, vec!["records.refused"]));
    assert!(begun.elapsed() < Duration::from_secs(240), "{:?}", begun.elapsed());
    // What was remembered of the gap is forgotten under the same key.
    assert_eq!(ended.len(), 1);
    assert!(ended[0].value.is_empty() && opened.remembered.contains_key(&ended[0].key));
    // The next gap is another one.
    bench.total("m", 1_200, 300);
    assert_eq!(asked(&bench.act(1_300).await).1, 600);
}

#[tokio::test(start_paused = true)]
async fn two_meters_of_one_device_ask_one_after_the_other() {
    let mut bench = Bench::new(&["one", "two"]);
    for meter in ["one", "two"] {
        bench.total(meter, 0, 100);
    }
    for meter in ["one", "two"] {
        bench.total(meter, 300, 150);
    }
    let (number, _) = asked(&bench.act(400).await);
    assert!(bench.sorter.records.act(at(400), &*bench.inbox).requests.is_empty());
    let done = bench.answer(number, &block(0, &[10; 6]), "", 401);
    assert_eq!(found(&done), [(60, 110), (120, 120), (180, 130), (240, 140)]);
    assert!(asked(&bench.act(402).await).0 > number);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_used_is_told_and_garbled_bytes_are_kept() {
    let cases = [
        (block(0, &[10; 12]), "add up to 100 to 100"),
        (block(-3_600, &[10; 5]), "no record of the time"),
        (block(0, &[10; 120]), "the clock of the device is wrong"),
        ("{\"ts\":0}".to_owned(), "is missing"),
    ];
    for (blocks, says) in cases {
        let mut bench = Bench::new(&["m"]);
        bench.total("m", 0, 100);
        bench.total("m", 600, 250);
        let (number, _) = asked(&bench.act(665).await);
        let sorted = bench.answer(number, &blocks, "", 666);
        assert!(sorted.recovered.is_empty());
        assert_eq!(sorted.quarantined.len(), usize::from(says == "is missing"));
        let findings = bench.inbox.findings.lock().unwrap();
        assert_eq!(findings.len(), 1);
        assert!(findings[0].says.contains(says), "{}", findings[0].says);
        assert!(bench.sorter.records.due().is_none());
    }
    let mut bench = Bench::new(&["m"]);
    let garbled = bench.message("us-records/rpc", "{", 1);
    assert_eq!((garbled.quarantined.len(), garbled.recovered.len()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_record_that_is_not_written_yet_is_waited_for() {
    let mut bench = Bench::new(&["m"]);
    bench.total("m", 0, 100);
    bench.total("m", 630, 205);
    let (number, _) = asked(&bench.act(665).await);
    assert!(bench.answer(number, &block(0, &[10; 10]), "", 666).recovered.is_empty());
    let begun = Ticks::now();
    let (number, from) = asked(&bench.act(730).await);
    assert_eq!((from, begun.elapsed()), (600, Duration::from_secs(60)));
    let done = bench.answer(number, &block(600, &[10]), "", 731);
    assert_eq!((done.recovered.len(), found(&done)[9]), (10, (600, 200)));
}

#[tokio::test(start_paused = true)]
async fn a_restart_in_the_middle_forgets_no_gap() {
    let mut bench = Bench::new(&["m"]);
    bench.total("m", 0, 100);
    let opened = bench.total("m", 300, 150);
    let kept: Vec<Remembered> = opened.remembered.into_values().collect();
    let (number, _) = asked(&bench.act(400).await);
    // The same daemon with a new connection asks again, and does not take the answer to what it asked before.
    bench.sorter.records.reset();
    assert!(bench.sorter.records.due().is_none(), "not before it has subscribed");
    bench.sorter.records.subscribed();
    assert!(bench.answer(number, &block(0, &[10; 6]), "", 401).recovered.is_empty());
    assert_eq!(asked(&bench.act(401).await), (number + 1, 0));
    // So does the next one, which knows the journal's last total.
    let mut next = Bench::new(&["m"]);
    next.sorter.records.recall(&kept);
    let [series] = next.sorter.records.series().try_into().unwrap();
    next.sorter.records.learn(&series, at(300), 150);
    let (number, from) = asked(&next.act(500).await);
    assert_eq!(from, 0);
    assert_eq!(next.answer(number, &block(0, &[10; 6]), "", 501).recovered.len(), 4);
    next.total("m", 900, 250);
    assert_eq!(asked(&next.act(1_000).await).1, 300);
}

#[tokio::test(start_paused = true)]
async fn what_must_not_be_asked_is_not() {
    // A register that fell: the counter's own rules judge it.
    let mut bench = Bench::new(&["m"]);
    bench.total("m", 0, 100);
    bench.total("m", 600, 50);
    assert!(bench.sorter.records.due().is_none() && bench.inbox.codes().is_empty());
    // Longer ago than the device keeps.
    bench.total("m", 600 + 61 * 86_400, 500);
    assert!(bench.sorter.records.due().is_none());
    assert_eq!(bench.inbox.codes(), ["records.refused"]);
    // What the broker had kept, and a message that is not of now.
    let mut bench = Bench::new(&["m"]);
    bench.total("m", 0, 100);
    let said = Said {
        observed_at: at(600),
        quality: Quality::Good,
        values: vec![(IMPORT, Decoded::Value(Value::Total(200)))],
    };
    let mut sorted = Sorted::default();
    bench.sorter.records.seen(0, &[said], at(4_200), &mut sorted, &*bench.inbox);
    assert!(bench.sorter.records.due().is_none() && sorted.remembered.is_empty());
    assert_eq!(bench.inbox.codes(), ["records.refused"]);
}
