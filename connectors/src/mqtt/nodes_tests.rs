//! The life of a Sparkplug node: births, data, losses, deaths, restarts of ours.
//!
//! Must never: need a broker, or the decoder to make what it decodes.

use std::sync::Arc;

use model::{Channel, MeterId, Quantity, Unit};
use profile::{Decimal, Field, Form, PayloadModel, Range};

use super::super::Subscriber;
use super::super::sort::Sorter;
use super::*;
use crate::testing::{BEGIN, TestInbox};

fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let low = (value & 0x7F) as u8;
        value >>= 7;
        out.push(if value == 0 { low } else { low | 0x80 });
        if value == 0 {
            return out;
        }
    }
}

fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

fn bytes(field: u64, content: &[u8]) -> Vec<u8> {
    [varint(field << 3 | 2), varint(content.len() as u64), content.to_vec()].concat()
}

/// One metric: an unsigned long of Wh by name, alias or both.
fn metric(name: Option<&str>, alias: Option<u64>, wh: u64) -> Vec<u8> {
    let name = name.map(|name| bytes(1, name.as_bytes())).unwrap_or_default();
    let alias = alias.map(|alias| number(2, alias)).unwrap_or_default();
    [name, alias, number(4, 8), number(11, wh)].concat()
}

fn payload(seq: Option<u64>, metrics: &[Vec<u8>]) -> Vec<u8> {
    let time = number(1, u64::try_from(BEGIN.millis()).unwrap());
    let metrics: Vec<u8> = metrics.iter().flat_map(|metric| bytes(2, metric)).collect();
    [time, metrics, seq.map(|seq| number(3, seq)).unwrap_or_default()].concat()
}

struct Bench {
    sorter: Sorter,
    inbox: Arc<TestInbox>,
    remembered: BTreeMap<String, Remembered>,
    packet_id: u16,
}

impl Bench {
    fn new() -> Self {
        Self::asking(false)
    }

    /// The same, where nodes may be asked for their births or may not.
    fn asking(asks: bool) -> Self {
        let field = Field {
            channel: Channel::total(Quantity::ActiveEnergyImport),
            topic: "{topic}".into(),
            path: "energy".into(),
            unit: Unit::WattHour,
            scale: Decimal::ONE,
            plausible: Range { from: 0.0, to: 1e9 },
            required: false,
        };
        let model = PayloadModel {
            form: Form::SparkplugB,
            topic: "spBv1.0/+/+/+/+".into(),
            bytes_max: 4_096,
            time: None,
            ignores_unrelated: false,
            must_be_zero: vec![],
            settings: BTreeMap::from([("device".to_owned(), String::new())]),
            needs: vec!["group".into(), "node".into()],
            availability: None,
            records: None,
            fields: vec![field],
            examples: vec![],
        };
        let of = |meter: &str, device: Option<&str>| {
            let mut given =
                BTreeMap::from([("group".to_owned(), "g".to_owned()), ("node".into(), "n".into())]);
            given.extend(device.map(|device| ("device".to_owned(), device.to_owned())));
            Subscriber {
                meter: MeterId::new(meter).unwrap(),
                bound: model.bind(&given).unwrap(),
                every_s: 60,
            }
        };
        let mut sorter = Sorter::new("l".into(), "c", asks, vec![of("node", None), of("device", Some("d"))]);
        sorter.nodes.subscribed(true);
        Self { sorter, inbox: Arc::default(), remembered: BTreeMap::new(), packet_id: 0 }
    }

    fn message(&mut self, kind: &str, payload: &[u8]) -> Message {
        self.packet_id += 1;
        let device = if kind.starts_with('D') { "/d" } else { "" };
        let topic = format!("spBv1.0/g/{kind}/n{device}");
        Message::of(&topic, payload, BEGIN.plus_seconds(1), self.packet_id)
    }

    fn take(&mut self, message: Message) -> Sorted {
        let mut sorted = Sorted::default();
        self.sorter.sort(&message, &mut sorted, &*self.inbox);
        for (key, one) in &sorted.remembered {
            if one.value.is_empty() {
                self.remembered.remove(key);
            } else {
                self.remembered.insert(key.clone(), one.clone());
            }
        }
        self.sorter.settled(&[message], &sorted, &*self.inbox);
        sorted
    }

    /// The totals read from one payload, or the reason why it was kept aside.
    fn say(&mut self, kind: &str, seq: Option<u64>, metrics: &[Vec<u8>]) -> Result<Vec<f64>, String> {
        let message = self.message(kind, &payload(seq, metrics));
        let sorted = self.take(message);
        match sorted.quarantined.first() {
            Some(kept) => Err(kept.reason.clone()),
            None => Ok(sorted.readings.iter().map(|r| r.value.as_f64()).collect()),
        }
    }

    /// Whether the node is asked now: the topic and what the payload says.
    fn asked(&mut self) -> Vec<(String, String, bool)> {
        let requests = self.sorter.nodes.act(BEGIN);
        let read = requests.iter().map(|request| {
            let Request::Rebirth { topic, payload } = request else { panic!("{request:?}") };
            let payload = Payload::parse(payload).unwrap();
            let [metric] = payload.metrics.as_slice() else { panic!("{payload:?}") };
            assert_eq!((payload.seq, payload.timestamp), (None, u64::try_from(BEGIN.millis()).ok()));
            (topic.clone(), metric.name.unwrap().to_owned(), metric.value == Some(RawValue::Bool(true)))
        });
        read.collect()
    }

    fn born(&mut self) {
        let death = metric(Some("bdSeq"), None, 4);
        let node = self.say("NBIRTH", Some(0), &[death, metric(Some("energy"), Some(1), 100)]);
        assert_eq!(node, Ok(vec![100.0]));
        let device = self.say("DBIRTH", Some(1), &[metric(Some("energy"), Some(2), 200)]);
        assert_eq!(device, Ok(vec![200.0]));
    }
}

const LOST: &str = "metric alias 2 is not known: no birth message has taught it since the link began or lost messages; have the node send its births again";

#[test]
fn values_by_alias_follow_their_birth() {
    let mut bench = Bench::new();
    assert_eq!(bench.sorter.topics(), ["spBv1.0/g/+/n/#"]);
    bench.born();
    assert_eq!(bench.say("DDATA", Some(2), &[metric(None, Some(2), 201)]), Ok(vec![201.0]));
    // Another device of the node: not ours, but it takes part in the sequence.
    let mut other = bench.message("DDATA", &payload(Some(3), &[metric(None, Some(9), 1)]));
    other.topic = "spBv1.0/g/DDATA/n/other".into();
    assert!(bench.take(other).readings.is_empty());
    assert_eq!(bench.say("NDATA", Some(4), &[metric(None, Some(1), 101)]), Ok(vec![101.0]));
    // The host's state and commands are nothing of ours.
    let command = bench.message("NCMD", &payload(None, &[]));
    assert!(bench.take(command).quarantined.is_empty());
    assert!(bench.inbox.codes().is_empty());
}

#[test]
fn after_a_loss_aliases_wait_for_the_next_birth_and_names_do_not() {
    let mut bench = Bench::new();
    bench.born();
    assert_eq!(bench.say("DDATA", Some(3), &[metric(None, Some(2), 202)]), Err(LOST.to_owned()));
    assert_eq!(bench.inbox.codes(), ["payload.sequence", "payload.birth", "payload.quarantined"]);
    assert_eq!(bench.say("DDATA", Some(4), &[metric(Some("energy"), None, 203)]), Ok(vec![203.0]));
    assert_eq!(bench.say("DBIRTH", Some(5), &[metric(Some("energy"), Some(2), 204)]), Ok(vec![204.0]));
    assert_eq!(bench.say("DDATA", Some(6), &[metric(None, Some(2), 205)]), Ok(vec![205.0]));
    assert!(bench.say("NDATA", Some(7), &[metric(None, Some(1), 104)]).is_err());
}

#[test]
fn a_message_sent_again_breaks_no_sequence() {
    let mut bench = Bench::new();
    bench.born();
    assert_eq!(bench.say("DDATA", Some(2), &[metric(None, Some(2), 201)]), Ok(vec![201.0]));
    let mut again = bench.message("DDATA", &payload(Some(2), &[metric(None, Some(2), 201)]));
    again.dup = true;
    assert_eq!(bench.take(again).readings.len(), 1, "the journal knows it by its own time");
    assert_eq!(bench.say("DDATA", Some(3), &[metric(None, Some(2), 202)]), Ok(vec![202.0]));
}

#[test]
fn a_death_is_told_and_that_of_an_older_birth_is_not() {
    let mut bench = Bench::new();
    bench.born();
    let stale = bench.message("NDEATH", &payload(None, &[metric(Some("bdSeq"), None, 3)]));
    bench.take(stale);
    assert!(bench.inbox.codes().is_empty());
    let device = bench.message("DDEATH", &payload(Some(2), &[]));
    bench.take(device);
    assert_eq!(bench.inbox.codes(), ["link.offline"]);
    let node = bench.message("NDEATH", &payload(None, &[metric(Some("bdSeq"), None, 4)]));
    bench.take(node);
    assert_eq!(bench.inbox.codes(), ["link.offline", "link.offline"]);
    assert!(bench.remembered.keys().all(|key| !key.starts_with("birth/")), "{:?}", bench.remembered);
    bench.born();
    assert_eq!(bench.inbox.codes()[2..], ["link.up", "link.up"]);
}

#[test]
fn births_are_known_again_after_a_restart_while_the_broker_keeps_the_session() {
    let mut before = Bench::new();
    before.born();
    let remembered: Vec<Remembered> = before.remembered.values().cloned().collect();
    assert_eq!(
        remembered.iter().map(|r| r.key.as_str()).collect::<Vec<_>>(),
        ["birth/g/n", "birth/g/n/d", "seq/g/n"]
    );
    let mut after = Bench::new();
    after.sorter.nodes.recall(&remembered);
    assert_eq!(after.say("DDATA", Some(2), &[metric(None, Some(2), 201)]), Ok(vec![201.0]));
    let mut lost = Bench::new();
    lost.sorter.nodes.recall(&remembered);
    // The broker dropped what was in between: the sequence shows it.
    assert_eq!(lost.say("DDATA", Some(9), &[metric(None, Some(2), 201)]), Err(LOST.to_owned()));
    let mut new_session = Bench::new();
    new_session.sorter.nodes.recall(&remembered);
    let forgotten = new_session.sorter.nodes.forget(BEGIN);
    assert!(forgotten.iter().all(|one| one.value.is_empty()) && forgotten.len() == 2);
    assert_eq!(new_session.say("DDATA", Some(2), &[metric(None, Some(2), 201)]), Err(LOST.to_owned()));
}

#[test]
fn a_retained_birth_teaches_names_but_its_values_are_old() {
    let mut bench = Bench::new();
    let mut old = bench.message("DBIRTH", &payload(Some(1), &[metric(Some("energy"), Some(2), 200)]));
    old.retain = true;
    assert!(bench.take(old).readings.is_empty());
    assert_eq!(bench.say("DDATA", Some(7), &[metric(None, Some(2), 201)]), Ok(vec![201.0]));
}

#[test]
fn bytes_that_are_no_payload_are_kept_for_the_meter_they_would_be_of() {
    let mut bench = Bench::new();
    bench.born();
    let broken = bench.message("DDATA", &[0x08]);
    let sorted = bench.take(broken);
    assert_eq!(
        sorted.quarantined[0].reason,
        "the payload is not Sparkplug B: it ends within a number at byte 1"
    );
    let meters: Vec<_> = sorted.quarantined.iter().filter_map(|q| q.meter.as_ref()).collect();
    assert_eq!(meters, [&MeterId::new("device").unwrap()]);
}

fn kinds(bench: &Bench) -> Vec<(String, String)> {
    let findings = bench.inbox.findings.lock().unwrap();
    let births = findings.iter().filter(|f| f.code == "payload.birth");
    let kind = |f: &Finding| f.values.iter().find(|(name, _)| *name == "kind").unwrap().1.clone();
    births.map(|f| (f.subject.clone(), kind(f))).collect()
}

#[tokio::test(start_paused = true)]
async fn a_node_whose_birth_is_not_known_is_asked_for_it_where_that_is_allowed() {
    let mut silent = Bench::asking(false);
    assert!(silent.say("DDATA", Some(7), &[metric(None, Some(2), 201)]).is_err());
    assert!(silent.asked().is_empty() && silent.sorter.due().is_none());
    assert_eq!(kinds(&silent), [("meter:device".to_owned(), "off".to_owned())]);

    let mut bench = Bench::asking(true);
    assert!(bench.asked().is_empty());
    assert!(bench.say("DDATA", Some(7), &[metric(None, Some(2), 201)]).is_err());
    let once = [("spBv1.0/g/NCMD/n".to_owned(), "Node Control/Rebirth".to_owned(), true)];
    // Before the subscription is there the birth would be missed.
    bench.sorter.nodes.subscribed(false);
    assert!(bench.asked().is_empty() && bench.sorter.due().is_none());
    bench.sorter.nodes.subscribed(true);
    assert_eq!(bench.asked(), once);
    // However much comes meanwhile, it is asked once a minute.
    for seq in 8..20 {
        assert!(bench.say("DDATA", Some(seq), &[metric(None, Some(2), 201)]).is_err());
        assert!(bench.asked().is_empty());
    }
    assert_eq!(kinds(&bench), [("meter:device".to_owned(), "asked".to_owned())]);
    bench.born();
    assert_eq!(bench.inbox.resolved(), [("meter:device".to_owned(), "payload.birth")]);
    tokio::time::advance(std::time::Duration::from_secs(3_600)).await;
    assert!(bench.asked().is_empty() && bench.sorter.due().is_none());
    assert_eq!(bench.say("DDATA", Some(2), &[metric(None, Some(2), 202)]), Ok(vec![202.0]));
}

#[tokio::test(start_paused = true)]
async fn a_gap_an_unknown_alias_and_data_without_a_birth_want_one_and_a_death_does_not() {
    let mut bench = Bench::asking(true);
    bench.born();
    let later = || tokio::time::advance(std::time::Duration::from_secs(7_200));
    // A gap, though what came after it is understood by its name.
    assert_eq!(bench.say("DDATA", Some(9), &[metric(Some("energy"), None, 203)]), Ok(vec![203.0]));
    assert_eq!(bench.asked().len(), 1);
    later().await;
    bench.born();
    assert!(bench.asked().is_empty());
    // An alias that the birth did not teach.
    assert!(bench.say("DDATA", Some(2), &[metric(None, Some(77), 203)]).is_err());
    assert_eq!(bench.asked().len(), 1);
    later().await;
    // A node that is gone is not asked; once it speaks without a birth, it is.
    assert!(bench.say("DDATA", Some(3), &[metric(None, Some(77), 203)]).is_err());
    let death = bench.message("NDEATH", &payload(None, &[metric(Some("bdSeq"), None, 4)]));
    bench.take(death);
    assert!(bench.asked().is_empty());
    assert_eq!(bench.say("DDATA", Some(4), &[metric(Some("energy"), None, 204)]), Ok(vec![204.0]));
    assert_eq!(bench.asked().len(), 1);
    // An old message that the broker had retained asks for nothing.
    let mut old = Bench::asking(true);
    let mut message = old.message("DDATA", &payload(Some(1), &[metric(None, Some(2), 200)]));
    message.retain = true;
    old.take(message);
    assert!(old.asked().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_node_that_does_not_answer_is_told_as_such() {
    let mut bench = Bench::asking(true);
    for seq in 0..6 {
        assert!(bench.say("DDATA", Some(seq), &[metric(None, Some(2), 201)]).is_err());
        assert_eq!(bench.asked().len(), 1);
        tokio::time::advance(std::time::Duration::from_secs(7_200)).await;
    }
    let kinds: Vec<String> = kinds(&bench).into_iter().map(|(_, kind)| kind).collect();
    assert_eq!(kinds, ["asked", "silent"]);
}
