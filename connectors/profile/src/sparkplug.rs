//! Sparkplug B: the payload's protobuf, read by hand, and what a meter takes from its metrics.
//! Source of the field numbers and datatypes: Eclipse Sparkplug specification 3.0, `sparkplug_b.proto`.
//!
//! Must never: allocate more than its limits for any bytes, or give a value whose metric or sign is a guess.

use std::collections::BTreeMap;

use model::{Channel, Instant};

use crate::decimal::{Decimal, float_value};
use crate::payload::{Field, Message, PayloadError, When};
use crate::registers::Decoded;

/// Metrics of one payload that are read at most.
pub const METRICS_MAX: usize = 8_192;
/// Longest name of a metric, in bytes.
pub const NAME_BYTES_MAX: usize = 1_024;

/// Why bytes are no Sparkplug B payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {at}")]
pub struct SparkplugError {
    pub at: usize,
    pub what: &'static str,
}

/// One payload, borrowed from its bytes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Payload<'a> {
    /// Milliseconds since 1970.
    pub timestamp: Option<u64>,
    pub seq: Option<u64>,
    pub metrics: Vec<Metric<'a>>,
}

/// One metric.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Metric<'a> {
    pub name: Option<&'a str>,
    pub alias: Option<u64>,
    /// Milliseconds since 1970.
    pub timestamp: Option<u64>,
    pub datatype: Option<u32>,
    /// A value of the past, sent late.
    pub is_historical: bool,
    /// Not to be kept.
    pub is_transient: bool,
    pub is_null: bool,
    pub value: Option<RawValue>,
}

/// A value as it is on the wire; what an integer means, its datatype says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RawValue {
    Int(u32),
    Long(u64),
    Float(f32),
    Double(f64),
    Bool(bool),
    /// A text, bytes, a data set or a template: nothing a meter counts.
    Other,
}

/// One field of a protobuf message.
enum Wire<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(&'a [u8], usize),
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Where `bytes` begin in the whole payload, for messages.
    base: usize,
}

impl<'a> Reader<'a> {
    const fn new(bytes: &'a [u8], base: usize) -> Self {
        Self { bytes, at: 0, base }
    }

    const fn error(&self, what: &'static str) -> SparkplugError {
        SparkplugError { at: self.base + self.at, what }
    }

    fn varint(&mut self) -> Result<u64, SparkplugError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = *self.bytes.get(self.at).ok_or(self.error("it ends within a number"))?;
            self.at += 1;
            let bits = u64::from(byte & 0x7F);
            if shift == 63 && bits > 1 {
                return Err(self.error("a number of more than 64 bits"));
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(self.error("a number of more than 64 bits"))
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], SparkplugError> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or(self.error("it ends within a field"))?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], SparkplugError> {
        let error = self.error("it ends within a field");
        self.take(N)?.try_into().map_err(|_| error)
    }

    /// The number of the next field and its content; `None` at the end.
    fn field(&mut self) -> Result<Option<(u64, Wire<'a>)>, SparkplugError> {
        if self.at == self.bytes.len() {
            return Ok(None);
        }
        let key = self.varint()?;
        let wire = match key & 7 {
            0 => Wire::Varint(self.varint()?),
            1 => Wire::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = self.varint()?;
                let length = usize::try_from(length).map_err(|_| self.error("it ends within a field"))?;
                let at = self.base + self.at;
                Wire::Bytes(self.take(length)?, at)
            }
            5 => Wire::Fixed32(u32::from_le_bytes(self.array()?)),
            _ => return Err(self.error("a field of an unknown kind")),
        };
        match key >> 3 {
            0 => Err(self.error("a field without a number")),
            number => Ok(Some((number, wire))),
        }
    }
}

impl<'a> Payload<'a> {
    /// Reads a payload. Fields that are not known are passed over, as protobuf wants it.
    ///
    /// # Errors
    /// Where the bytes stop being a payload, and how.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, SparkplugError> {
        let mut reader = Reader::new(bytes, 0);
        let mut payload = Self::default();
        while let Some((number, wire)) = reader.field()? {
            match (number, wire) {
                (1, Wire::Varint(timestamp)) => payload.timestamp = Some(timestamp),
                (2, Wire::Bytes(metric, at)) => {
                    if payload.metrics.len() == METRICS_MAX {
                        return Err(reader.error("too many metrics"));
                    }
                    payload.metrics.push(Metric::parse(metric, at)?);
                }
                (3, Wire::Varint(seq)) => payload.seq = Some(seq),
                (1..=3, _) => return Err(reader.error("a field of the wrong kind")),
                _ => {}
            }
        }
        Ok(payload)
    }
}

impl<'a> Metric<'a> {
    fn parse(bytes: &'a [u8], base: usize) -> Result<Self, SparkplugError> {
        let mut reader = Reader::new(bytes, base);
        let mut metric = Self::default();
        while let Some((number, wire)) = reader.field()? {
            let value = match (number, wire) {
                (1, Wire::Bytes(name, at)) => {
                    let wrong = |what| SparkplugError { at, what };
                    if name.len() > NAME_BYTES_MAX {
                        return Err(wrong("a name that is too long"));
                    }
                    let name = std::str::from_utf8(name).map_err(|_| wrong("a name that is no text"))?;
                    metric.name = Some(name);
                    continue;
                }
                (2, Wire::Varint(alias)) => {
                    metric.alias = Some(alias);
                    continue;
                }
                (3, Wire::Varint(timestamp)) => {
                    metric.timestamp = Some(timestamp);
                    continue;
                }
                (4, Wire::Varint(code)) => {
                    metric.datatype = Some(u32::try_from(code).unwrap_or(u32::MAX));
                    continue;
                }
                (5, Wire::Varint(flag)) => {
                    metric.is_historical = flag != 0;
                    continue;
                }
                (6, Wire::Varint(flag)) => {
                    metric.is_transient = flag != 0;
                    continue;
                }
                (7, Wire::Varint(flag)) => {
                    metric.is_null = flag != 0;
                    continue;
                }
                // Some encoders write negative numbers of 32 bits as ten bytes: the low half counts.
                (10, Wire::Varint(value)) => RawValue::Int((value & 0xFFFF_FFFF) as u32),
                (11, Wire::Varint(value)) => RawValue::Long(value),
                (12, Wire::Fixed32(bits)) => RawValue::Float(f32::from_bits(bits)),
                (13, Wire::Fixed64(bits)) => RawValue::Double(f64::from_bits(bits)),
                (14, Wire::Varint(flag)) => RawValue::Bool(flag != 0),
                (15..=19, Wire::Bytes(..)) => RawValue::Other,
                (1..=7 | 10..=19, _) => return Err(reader.error("a field of the wrong kind")),
                _ => continue,
            };
            if metric.value.replace(value).is_some() {
                return Err(reader.error("a metric with two values"));
            }
        }
        Ok(metric)
    }
}

/// The metric by which a host asks a node for its births (specification 3.0, `tck-id-operational-behavior-data-commands`).
const REBIRTH: &str = "Node Control/Rebirth";

/// The payload that asks a node to give birth again: that command, and nothing else a node could be told. It has a time
/// and no sequence number, as the specification wants it.
#[must_use]
pub fn rebirth_request(at: Instant) -> Vec<u8> {
    let varint = |mut value: u64| {
        let mut out = Vec::new();
        while value > 0x7F {
            out.push((value & 0x7F) as u8 | 0x80);
            value >>= 7;
        }
        out.push((value & 0x7F) as u8);
        out
    };
    let number = |field: u64, value: u64| [varint(field << 3), varint(value)].concat();
    let bytes = |field: u64, content: &[u8]| {
        [varint(field << 3 | 2), varint(content.len() as u64), content.to_vec()].concat()
    };
    let time = u64::try_from(at.millis()).unwrap_or_default();
    let metric =
        [bytes(1, REBIRTH.as_bytes()), number(3, time), number(4, u64::from(BOOLEAN)), number(14, 1)]
            .concat();
    [number(1, time), bytes(2, &metric)].concat()
}

/// What a birth message taught: the metrics of one node or device, by name and by alias.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Birth {
    names: BTreeMap<u64, String>,
    datatypes: BTreeMap<String, u32>,
}

impl Birth {
    /// # Errors
    /// A metric without a name, or an alias given to two metrics: which one is meant cannot be known.
    pub fn of(payload: &Payload<'_>) -> Result<Self, PayloadError> {
        let mut birth = Self::default();
        for metric in &payload.metrics {
            let name = metric.name.ok_or(PayloadError::BirthWithoutName)?;
            if let Some(datatype) = metric.datatype {
                birth.datatypes.insert(name.to_owned(), datatype);
            }
            if let Some(alias) = metric.alias
                && birth.names.insert(alias, name.to_owned()).is_some_and(|other| other != name)
            {
                return Err(PayloadError::AliasTwice { alias });
            }
        }
        Ok(birth)
    }
}

/// What one meter takes from the payloads of its node or device.
#[derive(Debug, Clone, PartialEq)]
pub struct SparkplugMeter {
    pub group: String,
    pub node: String,
    /// `None` for metrics of the node itself.
    pub device: Option<String>,
    pub bytes_max: usize,
    fields: Vec<Field>,
}

impl SparkplugMeter {
    pub(crate) const fn new(
        group: String,
        node: String,
        device: Option<String>,
        bytes_max: usize,
        fields: Vec<Field>,
    ) -> Self {
        Self { group, node, device, bytes_max, fields }
    }

    pub(crate) fn places(&self) -> Vec<String> {
        let device = self.device.as_deref().unwrap_or("(node)");
        let place =
            |field: &Field| format!("Sparkplug {}/{}/{device}, metric {}", self.group, self.node, field.path);
        self.fields.iter().map(place).collect()
    }

    /// The births and data of the meter, as a subscription.
    #[must_use]
    pub fn filter(&self) -> String {
        match &self.device {
            Some(device) => format!("spBv1.0/{}/+/{}/{device}", self.group, self.node),
            None => format!("spBv1.0/{}/+/{}", self.group, self.node),
        }
    }

    /// The readings of a payload, one message for each instant. Empty when none of its metrics is the meter's:
    /// a node sends only what has changed.
    ///
    /// # Errors
    /// Why the payload is not understood: an alias that no birth taught, an integer whose datatype is not
    /// known, a number that cannot be kept, a time that cannot be believed.
    pub fn read(
        &self,
        payload: &Payload<'_>,
        birth: Option<&Birth>,
        when: When,
    ) -> Result<Vec<Message>, PayloadError> {
        let mut messages: Vec<Message> = Vec::new();
        for metric in payload.metrics.iter().filter(|metric| !metric.is_transient) {
            let name = match (metric.name, metric.alias) {
                (Some(name), _) => name,
                (None, Some(alias)) => {
                    let known = birth.and_then(|birth| birth.names.get(&alias));
                    known.ok_or(PayloadError::UnknownAlias { alias })?
                }
                (None, None) => return Err(PayloadError::MetricWithoutName),
            };
            let Some(field) = self.fields.iter().find(|field| field.path == name) else { continue };
            let datatype = metric.datatype.or_else(|| birth?.datatypes.get(name).copied());
            let value = decoded(field, metric, datatype)?;
            let own = metric.timestamp.or(payload.timestamp);
            if own.is_none() && metric.is_historical {
                return Err(PayloadError::Missing { path: format!("timestamp of {name}") });
            }
            let own = own.map(|millis| Instant::from_millis(i64::try_from(millis).unwrap_or(i64::MAX)));
            let (observed_at, quality) = when.observed(own)?;
            let entry: (Channel, Decoded) = (field.channel, value);
            match messages.iter_mut().rev().find(|m| m.observed_at == observed_at) {
                Some(message) => message.values.push(entry),
                None => messages.push(Message { observed_at, quality, values: vec![entry] }),
            }
        }
        Ok(messages)
    }
}

/// A metric's value as the field's.
fn decoded(field: &Field, metric: &Metric<'_>, datatype: Option<u32>) -> Result<Decoded, PayloadError> {
    let Some(value) = metric.value.filter(|_| !metric.is_null) else { return Ok(Decoded::Missing) };
    let not_a_number = |found| PayloadError::NotANumber { path: field.path.clone(), found };
    let float = |number: f64| match float_value(number, field.scale, field.unit, field.channel.quantity) {
        Some(value) => Decoded::of(value, field.plausible),
        None if number.is_finite() => Decoded::Overflow { bits: number.to_bits() },
        None => Decoded::NotANumber { bits: number.to_bits() },
    };
    match value {
        RawValue::Float(number) => Ok(float(f64::from(number))),
        RawValue::Double(number) => Ok(float(number)),
        RawValue::Int(bits) => {
            let bits = u64::from(bits);
            // Without a datatype only a number that is the same in every one of them is taken: below half the
            // range of a datatype, and above that of the next smaller one.
            let plain = matches!(bits, 0..=0x7F | 0x100..=0x7FFF | 0x1_0000..=0x7FFF_FFFF);
            let number = integer(bits, datatype.or(plain.then_some(UINT64)));
            field.value(Decimal::integer(
                number.ok_or_else(|| not_a_number("an integer of unknown datatype"))?,
            ))
        }
        RawValue::Long(bits) => {
            let number = integer(bits, datatype.or(i64::try_from(bits).is_ok().then_some(UINT64)));
            field.value(Decimal::integer(
                number.ok_or_else(|| not_a_number("an integer of unknown datatype"))?,
            ))
        }
        RawValue::Bool(_) => Err(not_a_number("true or false")),
        RawValue::Other => Err(not_a_number("a text or a structure")),
    }
}

/// The datatype of an unsigned integer of 64 bits.
const UINT64: u32 = 8;
/// That of a truth value.
const BOOLEAN: u32 = 11;

/// The datatypes of the specification: signed ones are sent as two's complement in an unsigned field.
fn integer(bits: u64, datatype: Option<u32>) -> Option<i128> {
    match datatype? {
        1 => Some(i128::from(bits as u8 as i8)),
        2 => Some(i128::from(bits as u16 as i16)),
        3 => Some(i128::from(bits as u32 as i32)),
        4 => Some(i128::from(bits as i64)),
        5..=UINT64 => Some(i128::from(bits)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
