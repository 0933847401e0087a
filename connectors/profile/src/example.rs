//! The examples of a meter's file: raw input with the readings it must give.
//!
//! Must never: pass a file whose examples could not tell a wrong address from the right one.

use std::collections::BTreeMap;

use model::{Channel, Instant, Value};

use crate::mbus::{MBusModel, Telegram, TelegramError, Trouble, records};
use crate::measure::{Decoded, Measure};
use crate::payload::records::{BoundRecords, RecordsError};
use crate::payload::{BindError, Form, PayloadError, PayloadModel, When};
use crate::registers::{Layout, RegisterModel, RegisterRef};
use crate::sparkplug::{Birth, Payload};
use crate::sunspec::{ModelAt, ResolveError, Walk, WalkError};
use crate::{Interface, MeterModel};

/// One reading an example must give.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expected {
    pub channel: Channel,
    pub value: Value,
}

/// Why the examples of a meter's file do not prove it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ExampleError {
    #[error("no example says what {channel} must read: add it to an [[example]]")]
    Uncovered { channel: Channel },
    #[error(
        "example {number} expects {channel}, which the file does not measure: add the measure or drop the line"
    )]
    Unknown { number: usize, channel: Channel },
    #[error("example {number} lacks register {address} of {channel}: give all of its words")]
    Register { number: usize, channel: Channel, address: u16 },
    #[error(
        "example {number} has the same registers or values for {one} and {other}: make them differ, or a wrong address passes"
    )]
    Same { number: usize, one: Channel, other: Channel },
    #[error(
        "example {number}: {channel} reads {read:?} where {expected:?} is expected: correct the register, type, order, scale or unit"
    )]
    Differs { number: usize, channel: Channel, read: Decoded, expected: Value },
    #[error("example {number}: its registers are not those of a SunSpec device")]
    Walk {
        number: usize,
        #[source]
        source: WalkError,
    },
    #[error("example {number}: the map does not fit its SunSpec models")]
    Resolve {
        number: usize,
        #[source]
        source: ResolveError,
    },
    #[error("example {number} is refused")]
    Payload {
        number: usize,
        #[source]
        source: PayloadError,
    },
    #[error("the settings of the file do not fit its topics and paths")]
    Bind(#[source] BindError),
    #[error("record example {number} is refused")]
    Records {
        number: usize,
        #[source]
        source: RecordsError,
    },
    #[error(
        "record example {number} gives {read:?} of {channel} where {expected:?} is expected, in millionths: correct keys or unit"
    )]
    RecordsDiffer { number: usize, channel: Channel, read: Vec<i64>, expected: Vec<i64> },
    #[error("no record example says what {channel} must give: add it")]
    RecordsUncovered { channel: Channel },
    #[error("example {number} is on topic {topic}, of which no field comes: correct `topic`")]
    Topic { number: usize, topic: String },
    #[error("example {number}: telegram {telegram} is refused")]
    Telegram {
        number: usize,
        telegram: usize,
        #[source]
        source: TelegramError,
    },
    #[error(
        "example {number}: telegram {telegram} comes from a meter in error ({says}): give one of a sound meter"
    )]
    State { number: usize, telegram: usize, says: Trouble },
    #[error("example {number} gives no reading of {channel}: correct the path or the payload")]
    Absent { number: usize, channel: Channel },
    #[error("example {number} is of {read} where {expected} is expected: correct `time` or its path")]
    Time { number: usize, read: Instant, expected: Instant },
}

pub(crate) fn prove(model: &MeterModel) -> Result<(), ExampleError> {
    match &model.interface {
        Interface::Registers(registers) => prove_registers(registers)?,
        Interface::Payloads(payloads) => prove_payloads(payloads)?,
        Interface::MBus(telegrams) => prove_telegrams(telegrams)?,
        // `PulseModel::check` proves their examples, which are of pulses.
        Interface::Pulses(_) => {}
    }
    let covered: Vec<Channel> = match &model.interface {
        Interface::Registers(m) => {
            m.examples.iter().flat_map(|e| e.expect.iter().map(|x| x.channel)).collect()
        }
        Interface::Payloads(m) => {
            m.examples.iter().flat_map(|e| e.expect.iter().map(|x| x.channel)).collect()
        }
        Interface::Pulses(_) => Vec::new(),
        Interface::MBus(m) => m.examples.iter().flat_map(|e| e.expect.iter().map(|x| x.channel)).collect(),
    };
    match model.channels().into_iter().find(|c| !covered.contains(c)) {
        Some(channel) => Err(ExampleError::Uncovered { channel }),
        None => Ok(()),
    }
}

fn prove_registers(model: &RegisterModel) -> Result<(), ExampleError> {
    for (i, example) in model.examples.iter().enumerate() {
        let number = i + 1;
        let model = place(model, &example.registers).map_err(|e| e.of_example(number))?;
        let mut seen: BTreeMap<Vec<u64>, Channel> = BTreeMap::new();
        for expected in &example.expect {
            let channel = expected.channel;
            let Some(measure) = model.measures.iter().find(|m| m.channel == channel) else {
                return Err(ExampleError::Unknown { number, channel });
            };
            let words = words_of(measure, &example.registers).map_err(|address| ExampleError::Register {
                number,
                channel,
                address,
            })?;
            if let Some(other) = seen.insert(measure.bits(&words), channel) {
                return Err(ExampleError::Same { number, one: other, other: channel });
            }
            let decoded = model.trusted(channel, measure.decode(&words), &example.registers);
            compare(number, *expected, decoded)?;
        }
    }
    Ok(())
}

/// Why a SunSpec map cannot be placed into given registers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PlaceError {
    Walk(WalkError),
    Resolve(ResolveError),
}

impl std::fmt::Display for PlaceError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Walk(error) => error.fmt(f),
            Self::Resolve(error) => error.fmt(f),
        }
    }
}

impl PlaceError {
    fn of_example(self, number: usize) -> ExampleError {
        match self {
            Self::Walk(source) => ExampleError::Walk { number, source },
            Self::Resolve(source) => ExampleError::Resolve { number, source },
        }
    }
}

/// The map as a device with these registers has it.
pub(crate) fn place(
    model: &RegisterModel,
    registers: &BTreeMap<RegisterRef, u16>,
) -> Result<RegisterModel, PlaceError> {
    let chain = match model.layout {
        Layout::Fixed => Vec::new(),
        Layout::SunSpec { .. } => walk(registers).map_err(PlaceError::Walk)?,
    };
    model.resolve(&chain).map_err(PlaceError::Resolve)
}

fn walk(registers: &BTreeMap<RegisterRef, u16>) -> Result<Vec<ModelAt>, WalkError> {
    let mut walk = Walk::new();
    while let Some((first, count)) = walk.next() {
        let word = |i| {
            let address = first.address.checked_add(i)?;
            registers.get(&RegisterRef { address, ..first }).copied()
        };
        let words: Option<Vec<u16>> = (0..count).map(word).collect();
        walk.feed(words.as_deref());
    }
    walk.result()
}

/// The words of a measure's span; registers that none of its pieces use need not be given.
///
/// # Errors
/// The address of a register that is missing.
pub(crate) fn words_of(measure: &Measure, registers: &BTreeMap<RegisterRef, u16>) -> Result<Vec<u16>, u16> {
    let (first, last) = measure.span();
    let used = |address| {
        measure
            .pieces()
            .any(|(r, words)| r.address <= address && address <= r.address.saturating_add(words - 1))
    };
    (first..=last)
        .map(|address| match registers.get(&RegisterRef { address, ..measure.register }) {
            Some(word) => Ok(*word),
            None if used(address) => Err(address),
            None => Ok(0),
        })
        .collect()
}

fn prove_payloads(model: &PayloadModel) -> Result<(), ExampleError> {
    let mut given: BTreeMap<String, String> =
        model.needs.iter().map(|key| (key.clone(), "example".to_owned())).collect();
    if model.form != Form::SparkplugB {
        given.insert("topic".to_owned(), "example/meter".to_owned());
    }
    let bound = model.bind(&given).map_err(ExampleError::Bind)?;
    for (i, example) in model.examples.iter().enumerate() {
        let number = i + 1;
        // An example arrives when it says it was observed, so that its time can never be in the future.
        let arrived = example.observed_at.unwrap_or(Instant::from_seconds(1_750_000_000));
        let refused = |source| ExampleError::Payload { number, source };
        let messages = match &bound.sparkplug {
            Some(meter) => {
                let payload = Payload::parse(&example.payload)
                    .map_err(|source| refused(PayloadError::NotSparkplug(source)))?;
                let birth = Birth::of(&payload).map_err(refused)?;
                meter.read(&payload, Some(&birth), When::arriving(arrived)).map_err(refused)?
            }
            None => {
                let topic = model.fill(&given, &example.topic).map_err(ExampleError::Bind)?;
                let message = bound.messages.iter().find(|m| m.topic == topic);
                let message = message.ok_or(ExampleError::Topic { number, topic })?;
                let read = message.decode(&example.payload, example.payload.len(), When::arriving(arrived));
                read.map_err(refused)?.into_iter().collect()
            }
        };
        if let Some(message) = messages.iter().find(|message| message.observed_at != arrived) {
            return Err(ExampleError::Time { number, read: message.observed_at, expected: arrived });
        }
        for expected in &example.expect {
            let channel = expected.channel;
            let mut values = messages.iter().flat_map(|message| &message.values);
            let found = values.find(|(c, _)| *c == channel);
            let (_, read) = found.ok_or(ExampleError::Absent { number, channel })?;
            compare(number, *expected, *read)?;
        }
    }
    bound.records.as_ref().map_or(Ok(()), prove_records)
}

/// Every total must be in an example, or a wrong key could pass.
fn prove_records(records: &BoundRecords) -> Result<(), ExampleError> {
    for (i, example) in records.model.examples.iter().enumerate() {
        let number = i + 1;
        let page =
            records.page(&example.answer).map_err(|source| ExampleError::Records { number, source })?;
        for (channel, expected) in &example.expect {
            let place = records.model.totals.iter().position(|total| total.channel == *channel);
            let place = place.ok_or(ExampleError::Unknown { number, channel: *channel })?;
            let read: Vec<i64> =
                page.records.iter().filter_map(|record| record.micros.get(place).copied()).collect();
            if read != *expected {
                let (channel, expected) = (*channel, expected.clone());
                return Err(ExampleError::RecordsDiffer { number, channel, read, expected });
            }
        }
    }
    let covered =
        |channel| records.model.examples.iter().any(|e| e.expect.iter().any(|(other, _)| *other == channel));
    match records.model.totals.iter().find(|total| !covered(total.channel)) {
        Some(total) => Err(ExampleError::RecordsUncovered { channel: total.channel }),
        None => Ok(()),
    }
}

fn prove_telegrams(model: &MBusModel) -> Result<(), ExampleError> {
    for (i, example) in model.examples.iter().enumerate() {
        let number = i + 1;
        let mut all = Vec::new();
        for (j, frame) in example.telegrams.iter().enumerate() {
            let telegram = j + 1;
            let read = Telegram::parse(frame);
            let read = read.map_err(|source| ExampleError::Telegram { number, telegram, source })?;
            if let Some(says) = read.status.trouble() {
                return Err(ExampleError::State { number, telegram, says });
            }
            all.extend(records(read.body).0);
        }
        let picked = model.pick(&all);
        let mut seen: Vec<(&'static str, Value, Channel)> = Vec::new();
        for expected in &example.expect {
            let channel = expected.channel;
            let Some(measure) = model.measures.iter().find(|m| m.channel == channel) else {
                return Err(ExampleError::Unknown { number, channel });
            };
            let kind = measure.key.kind.code();
            let same = seen.iter().find(|(k, value, _)| *k == kind && *value == expected.value);
            if let Some(&(_, _, one)) = same {
                return Err(ExampleError::Same { number, one, other: channel });
            }
            seen.push((kind, expected.value, channel));
            let found = picked.iter().find(|p| p.channel == channel);
            compare(number, *expected, found.ok_or(ExampleError::Absent { number, channel })?.decoded)?;
        }
    }
    Ok(())
}

fn compare(number: usize, expected: Expected, read: Decoded) -> Result<(), ExampleError> {
    let same = match (read, expected.value) {
        (Decoded::Value(Value::Total(a)), Value::Total(b)) => a == b,
        // Registers of 32-bit floats hold seven digits; a person writes fewer.
        (Decoded::Value(Value::Gauge(a)), Value::Gauge(b)) => (a - b).abs() <= 1e-6 * b.abs().max(1e-3),
        _ => false,
    };
    if same {
        Ok(())
    } else {
        Err(ExampleError::Differs { number, channel: expected.channel, read, expected: expected.value })
    }
}
