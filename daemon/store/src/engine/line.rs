//! Line protocol: readings as lines of text, and nothing else as lines.
//!
//! Escaping follows the description of line protocol (InfluxDB OSS 2, "Line protocol reference"): comma, equals sign
//! and space with a backslash. What the protocol cannot carry, or what engines unescape in different ways (backslash,
//! line break and other control characters, the percent sign itself), is percent-encoded, so that every tag value
//! comes back as it was and no value can begin a line, a tag or a field of its own.
//!
//! Must never: write a number that is not finite, an empty name, or a line break inside a line.

use std::fmt::Write as _;

use model::{Instant, Origin, Phase, Quality, Quantity, Reading, SeriesKey, Value};

use super::EngineSeries;
use super::number::{self, Parts};

/// The measurement of every reading.
pub(super) const MEASUREMENT: &str = "consuntivo";
/// Longest name or tag value, in bytes before escaping.
const NAME_BYTES_MAX: usize = 1_000;
/// Nanoseconds from 1970 must fit 64 bits, less a second at each end: the years 1677 to 2262.
const MILLIS_MAX: i64 = i64::MAX / 1_000_000 - 1_000;

/// A value of a field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Field {
    Integer(i64),
    Float(f64),
}

/// One line: names and values as they are, not escaped.
#[derive(Debug, Clone, PartialEq)]
pub struct Point<'a> {
    pub measurement: &'a str,
    /// Written in order of their names.
    pub tags: Vec<(&'a str, &'a str)>,
    /// Written in order of their names.
    pub fields: Vec<(&'a str, Field)>,
    pub at: Instant,
}

/// The unit of timestamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    Millis,
    Nanos,
}

/// How exact the numbers of an engine are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// 64-bit integers and floats come back as they were (InfluxDB).
    Exact,
    /// Decimals of limited length (VictoriaMetrics).
    Decimal,
}

/// Why a point is no line. It will never be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    #[error("a name or tag value is empty")]
    Empty,
    #[error("a name or tag value is longer than {NAME_BYTES_MAX} bytes")]
    Long,
    #[error("two tags or two fields have one name")]
    Twice,
    #[error("there is no field")]
    NoField,
    #[error("the value is not finite")]
    NotFinite,
    #[error("the instant is outside the years 1677 to 2262")]
    Time,
}

impl Point<'_> {
    /// Adds the point as one line with its line break; after an error nothing is added.
    ///
    /// # Errors
    /// [`LineError`] for what no line can carry.
    pub fn write(&self, precision: Precision, into: &mut String) -> Result<(), LineError> {
        let begun = into.len();
        self.try_write(precision, into).inspect_err(|_| into.truncate(begun))
    }

    fn try_write(&self, precision: Precision, into: &mut String) -> Result<(), LineError> {
        let (tags, fields) = (sorted(&self.tags)?, sorted(&self.fields)?);
        if fields.is_empty() {
            return Err(LineError::NoField);
        }
        escape(self.measurement, into)?;
        for (name, value) in tags {
            into.push(',');
            escape(name, into)?;
            into.push('=');
            escape(value, into)?;
        }
        for (n, (name, field)) in fields.into_iter().enumerate() {
            into.push(if n == 0 { ' ' } else { ',' });
            escape(name, into)?;
            into.push('=');
            // Writing to a String does not fail.
            match field {
                Field::Integer(value) => write!(into, "{value}i").ok(),
                Field::Float(value) if value.is_finite() => write!(into, "{value}").ok(),
                Field::Float(_) => return Err(LineError::NotFinite),
            };
        }
        let millis = self.at.millis();
        if !(-MILLIS_MAX..=MILLIS_MAX).contains(&millis) {
            return Err(LineError::Time);
        }
        let stamp = match precision {
            Precision::Millis => millis,
            Precision::Nanos => millis * 1_000_000,
        };
        writeln!(into, " {stamp}").ok();
        Ok(())
    }
}

fn sorted<'a, T: Copy>(named: &[(&'a str, T)]) -> Result<Vec<(&'a str, T)>, LineError> {
    let mut sorted = named.to_vec();
    sorted.sort_by_key(|(name, _)| *name);
    let is_twice = sorted.windows(2).any(|pair| matches!(pair, [(a, _), (b, _)] if a == b));
    if is_twice { Err(LineError::Twice) } else { Ok(sorted) }
}

/// A name or tag value so that it is one, whatever stands in it.
fn escape(text: &str, into: &mut String) -> Result<(), LineError> {
    if text.is_empty() {
        return Err(LineError::Empty);
    }
    if NAME_BYTES_MAX < text.len() {
        return Err(LineError::Long);
    }
    for (n, c) in text.chars().enumerate() {
        match c {
            ',' | '=' | ' ' => into.extend(['\\', c]),
            // A line that begins with # is a comment.
            '%' | '\\' | '\x7f' | '\0'..='\x1f' => percent(c, into),
            '#' if n == 0 => percent(c, into),
            _ => into.push(c),
        }
    }
    Ok(())
}

/// A tag value as an engine holds it: percent-encoded, the backslashes of line protocol taken away.
pub(super) fn stored(text: &str) -> String {
    let mut written = String::new();
    // What is no tag value is no tag value of any series either.
    escape(text, &mut written).ok();
    // An escaped backslash is `%5C`: every backslash here is one of line protocol.
    written.retain(|c| c != '\\');
    written
}

fn percent(c: char, into: &mut String) {
    // All of them are ASCII: two digits.
    write!(into, "%{:02X}", u32::from(c)).ok();
}

/// A tag value that came back and was not written by [`Point::write`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a tag value is not as this program writes it")]
pub struct TagError;

/// A tag value as it was before [`Point::write`].
///
/// # Errors
/// [`TagError`] for a percent sign without two digits, or bytes that are no text.
pub fn decode_tag(text: &str) -> Result<String, TagError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|b| char::from(b).to_digit(16)).ok_or(TagError);
        let value = digit()? * 16 + digit()?;
        bytes.push(u8::try_from(value).map_err(|_| TagError)?);
    }
    String::from_utf8(bytes).map_err(|_| TagError)
}

/// The fields of a reading. `total` and `gauge` are what people look at; see `number` for the others.
pub(super) mod field {
    pub(in crate::engine) const TOTAL: &str = "total";
    pub(in crate::engine) const GAUGE: &str = "gauge";
    pub(in crate::engine) const STEPS: &str = "gauge_steps";
    pub(in crate::engine) const HIGH: &str = "bits_high";
    pub(in crate::engine) const LOW: &str = "bits_low";
    /// From observation to arrival, in milliseconds; not written when it is zero.
    pub(in crate::engine) const DELAY: &str = "delay_ms";

    pub(in crate::engine) const ALL: [&str; 6] = [TOTAL, GAUGE, STEPS, HIGH, LOW, DELAY];
}

/// A reading as a point: the identity in tags, the value in fields.
///
/// # Errors
/// [`LineError::NotFinite`]; [`LineError::Time`] for an arrival that far from the observation that no number holds it.
pub fn point_of<'a>(
    installation: &'a str,
    reading: &'a Reading,
    dialect: Dialect,
) -> Result<Point<'a>, LineError> {
    let parts = number::split(reading.value).ok_or(LineError::NotFinite)?;
    let mut fields = Vec::with_capacity(3);
    match (dialect, reading.value, parts) {
        (Dialect::Exact, Value::Total(total), _) | (Dialect::Decimal, _, Parts::Total(total)) => {
            fields.push((field::TOTAL, Field::Integer(total)));
        }
        (Dialect::Exact, Value::Gauge(gauge), _) => fields.push((field::GAUGE, Field::Float(gauge))),
        (Dialect::Decimal, _, Parts::Gauge { rounded, steps }) => {
            fields.push((field::GAUGE, Field::Float(rounded)));
            if steps != 0 {
                fields.push((field::STEPS, Field::Integer(steps)));
            }
        }
        (Dialect::Decimal, _, Parts::Bits { high, low }) => {
            fields.extend([(field::HIGH, Field::Integer(high)), (field::LOW, Field::Integer(low))]);
        }
    }
    let delay = reading.received_at.millis().checked_sub(reading.observed_at.millis());
    match delay.filter(|delay| delay.unsigned_abs() <= 1 << 53).ok_or(LineError::Time)? {
        0 => {}
        delay => fields.push((field::DELAY, Field::Integer(delay))),
    }
    let channel = reading.series.channel;
    let tags = vec![
        ("installation", installation),
        ("meter", reading.series.meter.as_str()),
        ("origin", reading.origin.code()),
        ("phase", channel.phase.code()),
        ("quality", reading.quality.code()),
        ("quantity", channel.quantity.code()),
    ];
    Ok(Point { measurement: MEASUREMENT, tags, fields, at: reading.observed_at })
}

/// The identity that the tags of an answer say; `None` for a series that this program did not write.
pub(super) fn identity_of<'a>(
    tag: impl Fn(&str) -> Option<&'a str>,
) -> Option<(EngineSeries, Origin, Quality)> {
    let own = |name| tag(name).and_then(|value| decode_tag(value).ok());
    let (origin, quality) = (own("origin")?, own("quality")?);
    let key = SeriesKey {
        meter: model::MeterId::new(&own("meter")?).ok()?,
        channel: model::Channel {
            quantity: Quantity::parse(&own("quantity")?)?,
            phase: Phase::parse(&own("phase")?)?,
        },
    };
    Some((
        EngineSeries { installation: own("installation")?, key },
        Origin::ALL.into_iter().find(|o| o.code() == origin)?,
        Quality::ALL.into_iter().find(|q| q.code() == quality)?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(
        tags: Vec<(&str, &str)>,
        fields: Vec<(&str, Field)>,
        precision: Precision,
    ) -> Result<String, LineError> {
        let mut text = String::from("before\n");
        let point = Point { measurement: "m", tags, fields, at: Instant::from_millis(1_750_000_000_123) };
        let done = point.write(precision, &mut text);
        let rest = text.strip_prefix("before\n").unwrap_or_default().to_owned();
        assert!(done.is_ok() || rest.is_empty(), "{rest}");
        done.map(|()| rest)
    }

    #[test]
    fn values_are_written_in_their_own_kind_and_precision() {
        let fields = || vec![("total", Field::Integer(-5)), ("gauge", Field::Float(230.1))];
        assert_eq!(
            line(vec![("b", "2"), ("a", "1")], fields(), Precision::Millis).unwrap(),
            "m,a=1,b=2 gauge=230.1,total=-5i 1750000000123\n"
        );
        assert_eq!(
            line(Vec::new(), fields(), Precision::Nanos).unwrap(),
            "m gauge=230.1,total=-5i 1750000000123000000\n"
        );
    }

    #[test]
    fn no_value_breaks_out_of_its_place() {
        let field = || vec![("f", Field::Integer(1))];
        for (value, written) in [
            ("a b,c=d", r"a\ b\,c\=d"),
            ("a\nenergia,b=c d=1 1", r"a%0Aenergia\,b\=c\ d\=1\ 1"),
            ("trailing\\", "trailing%5C"),
            ("\\ ", r"%5C\ "),
            ("100 %", r"100\ %25"),
            ("perché \"così\"", "perché\\ \"così\""),
            ("#comment", "%23comment"),
            ("\0\r\t\x7f", "%00%0D%09%7F"),
        ] {
            let text = line(vec![("t", value)], field(), Precision::Millis).unwrap();
            assert_eq!(text, format!("m,t={written} f=1i 1750000000123\n"));
            assert_eq!(decode_tag(&written.replace('\\', "")).as_deref(), Ok(value));
        }
        assert!(decode_tag("%4").is_err() && decode_tag("%zz").is_err() && decode_tag("%FF").is_err());
    }

    #[test]
    fn what_is_no_line_is_refused_and_leaves_nothing() {
        let one = || vec![("f", Field::Integer(1))];
        let long = "x".repeat(NAME_BYTES_MAX + 1);
        for (tags, fields, error) in [
            (vec![("t", "")], one(), LineError::Empty),
            (vec![("", "v")], one(), LineError::Empty),
            (vec![("t", long.as_str())], one(), LineError::Long),
            (vec![("t", "a"), ("t", "b")], one(), LineError::Twice),
            (Vec::new(), Vec::new(), LineError::NoField),
            (Vec::new(), vec![("f", Field::Float(f64::NAN))], LineError::NotFinite),
            (Vec::new(), vec![("f", Field::Float(f64::NEG_INFINITY))], LineError::NotFinite),
        ] {
            assert_eq!(line(tags, fields, Precision::Millis), Err(error));
        }
        for millis in [i64::MIN, MILLIS_MAX + 1] {
            let point =
                Point { measurement: "m", tags: Vec::new(), fields: one(), at: Instant::from_millis(millis) };
            assert_eq!(point.write(Precision::Nanos, &mut String::new()), Err(LineError::Time));
        }
    }
}
