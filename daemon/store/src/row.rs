//! A reading as the journal handles it, and the two bodies that hold many: the block of a commit and the chunk of a
//! series.
//!
//! A block holds the readings of one commit, of any series: the columns series, instant, flags (origin, quality times
//! 16, 256 for a gauge), delay, then the totals' values and the bits of the gauges' values, each in the readings'
//! order. A chunk holds readings of one series, in order of (instant, origin): a byte that says how values stand, then
//! the columns instant, flags (origin, quality times 16), delay, value.
//!
//! Must never: lose a bit of a value, or read a body that another version wrote as if it were its own.

use model::{Instant, SeriesKey, Value};

use crate::archive::columns;
use crate::codec::{self, Input};
use crate::codes;
use crate::error::Fault;
use crate::reader::StoredReading;

const GAUGE: i64 = 256;
/// How values of a chunk stand: totals; gauges as integers of so many decimal places (16 and above); the bits of a
/// 32-bit float; the bits of a 64-bit one.
const TOTALS: u8 = 0;
const DECIMALS: u8 = 16;
const BITS_32: u8 = 32;
const BITS_64: u8 = 33;

/// A reading of a series that is known from elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) at_ms: i64,
    pub(crate) delay_ms: i64,
    /// A total, or the bits of a gauge.
    pub(crate) bits: i64,
    pub(crate) origin: u8,
    pub(crate) quality: u8,
}

impl Row {
    /// Order and identity within a series.
    pub(crate) const fn identity(&self) -> (i64, u8) {
        (self.at_ms, self.origin)
    }

    pub(crate) fn value(&self, is_total: bool) -> Value {
        if is_total { Value::Total(self.bits) } else { Value::Gauge(f64::from_bits(self.bits as u64)) }
    }

    pub(crate) fn stored(&self, is_total: bool) -> Result<StoredReading, Fault> {
        let received = self.at_ms.checked_add(self.delay_ms).ok_or_else(|| {
            Fault::Unreadable(format!("a reading at {} ms with the delay {} ms", self.at_ms, self.delay_ms))
        })?;
        Ok(StoredReading {
            observed_at: Instant::from_millis(self.at_ms),
            received_at: Instant::from_millis(received),
            value: self.value(is_total),
            quality: codes::quality(i64::from(self.quality))?,
            origin: codes::origin(i64::from(self.origin))?,
        })
    }

    pub(crate) fn of(reading: &StoredReading) -> Self {
        let at_ms = reading.observed_at.millis();
        Self {
            at_ms,
            delay_ms: reading.received_at.millis().saturating_sub(at_ms),
            bits: bits(reading.value),
            origin: codes::origin_code(reading.origin) as u8,
            quality: codes::quality_code(reading.quality) as u8,
        }
    }
}

pub(crate) fn bits(value: Value) -> i64 {
    match value {
        Value::Total(total) => total,
        Value::Gauge(gauge) => gauge.to_bits() as i64,
    }
}

/// Whether the series' values are totals.
pub(crate) fn is_total(key: &SeriesKey) -> bool {
    key.channel.quantity.kind() == model::Kind::Total
}

/// A reading of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockRow {
    pub(crate) series: i64,
    pub(crate) is_total: bool,
    pub(crate) row: Row,
}

fn flags(row: &Row) -> i64 {
    i64::from(row.origin) | i64::from(row.quality) << 4
}

fn unflag(flags: i64) -> Option<(u8, u8)> {
    (0..GAUGE).contains(&flags).then_some(((flags & 15) as u8, (flags >> 4) as u8))
}

/// Writes the block of a commit.
pub(crate) fn put_block(rows: &[BlockRow], body: &mut Vec<u8>) {
    codec::begin(body);
    codec::put_varint(rows.len() as u64, body);
    let mut column = Vec::with_capacity(rows.len());
    put(rows.iter().map(|r| r.series), &mut column, body);
    put(rows.iter().map(|r| r.row.at_ms), &mut column, body);
    let kind = |r: &BlockRow| if r.is_total { 0 } else { GAUGE };
    put(rows.iter().map(|r| flags(&r.row) | kind(r)), &mut column, body);
    put(rows.iter().map(|r| r.row.delay_ms), &mut column, body);
    put(rows.iter().filter(|r| r.is_total).map(|r| r.row.bits), &mut column, body);
    put(rows.iter().filter(|r| !r.is_total).map(|r| r.row.bits), &mut column, body);
    codec::seal(body);
}

/// Writes a column by way of `column`, whose room is used again.
fn put(values: impl Iterator<Item = i64>, column: &mut Vec<i64>, body: &mut Vec<u8>) {
    column.clear();
    column.extend(values);
    codec::put_column(column, body);
}

/// Reads a block back; `None` when it is damaged.
pub(crate) fn block(body: &[u8]) -> Option<Vec<BlockRow>> {
    let mut input = codec::open(body)?;
    let count = input.count()?;
    let series = input.column(count)?;
    let at = input.column(count)?;
    let flags = input.column(count)?;
    let delay = input.column(count)?;
    let gauges = flags.iter().filter(|f| GAUGE <= **f).count();
    let mut total_bits = input.column(count - gauges)?.into_iter();
    let mut gauge_bits = input.column(gauges)?.into_iter();
    let mut rows = Vec::with_capacity(count);
    for (((series, at_ms), flags), delay_ms) in series.into_iter().zip(at).zip(flags).zip(delay) {
        let is_total = flags < GAUGE;
        let (origin, quality) = unflag(if is_total { flags } else { flags - GAUGE })?;
        let bits = if is_total { total_bits.next()? } else { gauge_bits.next()? };
        rows.push(BlockRow { series, is_total, row: Row { at_ms, delay_ms, bits, origin, quality } });
    }
    Some(rows)
}

/// Writes the chunk of a series; rows in order of their identity.
pub(crate) fn put_chunk(rows: &[Row], is_total: bool, body: &mut Vec<u8>) {
    codec::begin(body);
    codec::put_varint(rows.len() as u64, body);
    let (form, values) =
        if is_total { (TOTALS, rows.iter().map(|r| r.bits).collect()) } else { gauges(rows) };
    body.push(form);
    let mut column = Vec::with_capacity(rows.len());
    put(rows.iter().map(|r| r.at_ms), &mut column, body);
    put(rows.iter().map(flags), &mut column, body);
    put(rows.iter().map(|r| r.delay_ms), &mut column, body);
    codec::put_column(&values, body);
    codec::seal(body);
}

/// The smallest form in which every one of the gauges comes back bit for bit.
fn gauges(rows: &[Row]) -> (u8, Vec<i64>) {
    let value = |row: &Row| f64::from_bits(row.bits as u64);
    if let Some(scale) = columns::common_scale(rows.iter().map(value))
        && let Some(values) = rows.iter().map(|r| columns::scaled(value(r), scale)).collect()
    {
        return (DECIMALS + scale, values);
    }
    let single = |row: &Row| {
        let short = value(row) as f32;
        (f64::from(short).to_bits() as i64 == row.bits).then_some(i64::from(short.to_bits()))
    };
    match rows.iter().map(single).collect() {
        Some(values) => (BITS_32, values),
        None => (BITS_64, rows.iter().map(|r| r.bits).collect()),
    }
}

/// Reads a chunk back; `None` when it is damaged.
pub(crate) fn chunk(body: &[u8]) -> Option<Vec<Row>> {
    let mut input = codec::open(body)?;
    let count = input.count()?;
    let form = input.byte()?;
    let at = input.column(count)?;
    let flags = input.column(count)?;
    let delay = input.column(count)?;
    let values = values(form, count, &mut input)?;
    let mut rows = Vec::with_capacity(count);
    for (((at_ms, flags), delay_ms), bits) in at.into_iter().zip(flags).zip(delay).zip(values) {
        let (origin, quality) = unflag(flags)?;
        rows.push(Row { at_ms, delay_ms, bits, origin, quality });
    }
    Some(rows)
}

fn values(form: u8, count: usize, input: &mut Input<'_>) -> Option<Vec<i64>> {
    let mut values = input.column(count)?;
    match form {
        TOTALS | BITS_64 => {}
        BITS_32 => {
            for value in &mut values {
                *value = f64::from(f32::from_bits(u32::try_from(*value).ok()?)).to_bits() as i64;
            }
        }
        _ => {
            let scale = form.checked_sub(DECIMALS).filter(|scale| *scale <= columns::SCALE_MAX)?;
            for value in &mut values {
                let Value::Gauge(gauge) = columns::number(*value, i32::from(scale), None, false)? else {
                    return None;
                };
                *value = gauge.to_bits() as i64;
            }
        }
    }
    Some(values)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row() -> impl Strategy<Value = Row> {
        let bits = prop_oneof![
            any::<i64>(),
            (-5_000_i64..5_000).prop_map(|tenths| (tenths as f64 / 10.0).to_bits() as i64),
            (-5_000_i64..5_000).prop_map(|n| f64::from(n as f32 / 7.0).to_bits() as i64),
        ];
        (any::<i64>(), any::<i64>(), bits, 0_u8..16, 0_u8..16).prop_map(
            |(at_ms, delay_ms, bits, origin, quality)| Row { at_ms, delay_ms, bits, origin, quality },
        )
    }

    proptest! {
        #[test]
        fn what_is_put_in_a_chunk_comes_back(rows in prop::collection::vec(row(), 0..200), is_total: bool) {
            let mut body = Vec::new();
            put_chunk(&rows, is_total, &mut body);
            prop_assert_eq!(chunk(&body).unwrap(), rows);
        }

        #[test]
        fn what_is_put_in_a_block_comes_back(rows in prop::collection::vec((1_i64..9, any::<bool>(), row()), 0..200)) {
            let rows: Vec<_> = rows.into_iter().map(|(series, is_total, row)| BlockRow { series, is_total, row }).collect();
            let mut body = Vec::new();
            put_block(&rows, &mut body);
            prop_assert_eq!(block(&body).unwrap(), rows);
        }
    }

    #[test]
    fn gauges_of_one_form_take_its_room() {
        let at = |i: i64, value: f64| Row {
            at_ms: i * 60_000,
            delay_ms: 40,
            bits: value.to_bits() as i64,
            origin: 0,
            quality: 0,
        };
        let size = |of: &dyn Fn(i64) -> f64| {
            let rows: Vec<_> = (0..4_096).map(|i| at(i, of(i))).collect();
            let mut body = Vec::new();
            put_chunk(&rows, false, &mut body);
            assert_eq!(chunk(&body).unwrap(), rows);
            body.len() as f64 / 4_096.0
        };
        let noise = |i: i64| i.wrapping_mul(7_919) % 256;
        assert!(size(&|i| (2_300 + noise(i)) as f64 / 10.0) < 1.3);
        assert!(size(&|i| f64::from((2_300 + noise(i)) as f32 / 10.0)) < 3.2);
        assert!(size(&|i| (2_300 + noise(i)) as f64 / 7.0) < 8.3);
    }
}
