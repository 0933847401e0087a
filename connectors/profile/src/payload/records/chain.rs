//! From the energies of single minutes to the course of a register between two readings of it.
//!
//! Must never: use records that do not add up to what was measured, or fill a minute that the device has no record of.

use model::{Channel, Instant};

use super::{BoundRecords, MICRO, RECORD_AHEAD_SECONDS_MAX, Record, RecordTotal};

/// A total before and after a time without readings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// Its place among the totals of the file.
    pub total: usize,
    pub before: (Instant, i64),
    pub after: (Instant, i64),
}

/// A total at the end of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rebuilt {
    pub channel: Channel,
    pub at: Instant,
    pub value: i64,
}

/// Why records are not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    #[error("the device has no record of the time without readings")]
    Empty,
    #[error("the records end at {last}, before the meter was read again at {after}")]
    Short { last: Instant, after: Instant },
    #[error("a record ends at {last}, and it is {now}: the clock of the device is wrong")]
    Ahead { last: Instant, now: Instant },
    #[error("{channel} went from {before} to {after}, but its records add up to {least} to {most}")]
    Unmet { channel: Channel, before: i64, after: i64, least: i64, most: i64 },
}

impl ChainError {
    /// What is wrong in a word.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Short { .. } => "short",
            Self::Ahead { .. } => "clock",
            Self::Unmet { .. } => "unmet",
        }
    }
}

/// The records of one gap, as one total sees them.
struct Parts<'r> {
    /// The record in which the last reading before the gap fell, and the one of the first reading after it.
    first: Option<&'r Record>,
    last: Option<&'r Record>,
    /// Those between, whole.
    whole: Vec<&'r Record>,
}

impl BoundRecords {
    /// How long a record is.
    #[must_use]
    pub fn period_ms(&self) -> i64 {
        i64::from(self.model.period_s) * 1_000
    }

    /// The totals at the end of each record between the readings around the gap, rebuilt backwards from the one
    /// after it. `records` are in the order of time; `now` is what the clock of this machine says.
    ///
    /// The records of the two minutes in which the readings around the gap fell belong to it in part. What the whole
    /// minutes leave of the difference between the two readings must be between nothing and all of these two, and is
    /// shared between them by their energies and by how much of them lies within the gap.
    ///
    /// # Errors
    /// Why none of the records is used, for none of the totals.
    pub fn rebuild(
        &self,
        gaps: &[Gap],
        records: &[Record],
        now: Instant,
    ) -> Result<Vec<Rebuilt>, ChainError> {
        let ends = |record: &Record| record.begins.plus_millis(self.period_ms());
        if let Some(last) = records.last().map(ends)
            && last > now.plus_seconds(RECORD_AHEAD_SECONDS_MAX)
        {
            return Err(ChainError::Ahead { last, now });
        }
        let mut rebuilt = Vec::new();
        for gap in gaps {
            let Some(total) = self.model.totals.get(gap.total) else { continue };
            let parts = self.parts(gap, records)?;
            rebuilt.extend(self.one(gap, total, &parts)?);
        }
        Ok(rebuilt)
    }

    fn parts<'r>(&self, gap: &Gap, records: &'r [Record]) -> Result<Parts<'r>, ChainError> {
        let (before, after) = (gap.before.0, gap.after.0);
        let mut parts = Parts { first: None, last: None, whole: Vec::new() };
        for record in records {
            let (begins, ends) = (record.begins, record.begins.plus_millis(self.period_ms()));
            if before <= begins && ends <= after {
                parts.whole.push(record);
            } else if begins < before && before < ends {
                parts.first = Some(record);
            } else if begins < after && after < ends {
                parts.last = Some(record);
            }
        }
        if parts.whole.is_empty() {
            return Err(ChainError::Empty);
        }
        // The record up to the reading after the gap must be there: else the device wrote it under another time, or
        // not yet.
        let reached = parts.last.or_else(|| parts.whole.last().copied());
        let reached = reached.map_or(before, |record| record.begins.plus_millis(self.period_ms()));
        if reached < after {
            return Err(ChainError::Short { last: reached, after });
        }
        Ok(parts)
    }

    fn one(&self, gap: &Gap, total: &RecordTotal, parts: &Parts<'_>) -> Result<Vec<Rebuilt>, ChainError> {
        let energy = |record: &Record| i128::from(record.micros.get(gap.total).copied().unwrap_or(0));
        let part = |record: Option<&Record>| record.map_or(0, energy);
        let (first, last) = (part(parts.first), part(parts.last));
        let whole: i128 = parts.whole.iter().map(|record| energy(record)).sum();
        let (before, after) = (i128::from(gap.before.1) * MICRO, i128::from(gap.after.1) * MICRO);
        let rest = after - before - whole;
        let tolerance = tolerance(total, parts.whole.len());
        if rest < -tolerance || first + last + tolerance < rest {
            let units = |micros: i128| i64::try_from(micros.div_euclid(MICRO)).unwrap_or(i64::MAX);
            return Err(ChainError::Unmet {
                channel: total.channel,
                before: gap.before.1,
                after: gap.after.1,
                least: units(whole),
                most: units(whole + first + last + MICRO - 1),
            });
        }
        let after_part = self.share(gap, parts, rest.clamp(0, first + last), (first, last));
        let mut at_end = after - after_part;
        let mut rebuilt = Vec::with_capacity(parts.whole.len() + 1);
        let mut put = |ends: Instant, micros: i128| {
            let kept = micros.clamp(before, after);
            let value = i64::try_from((kept + MICRO / 2).div_euclid(MICRO)).unwrap_or(gap.after.1);
            if gap.before.0 < ends && ends < gap.after.0 {
                rebuilt.push(Rebuilt { channel: total.channel, at: ends, value });
            }
        };
        for record in parts.whole.iter().rev() {
            put(record.begins.plus_millis(self.period_ms()), at_end);
            at_end -= energy(record);
        }
        if let Some(record) = parts.first {
            put(record.begins.plus_millis(self.period_ms()), at_end);
        }
        rebuilt.reverse();
        Ok(rebuilt)
    }

    /// How much of `rest` was counted in the minute of the reading after the gap.
    fn share(&self, gap: &Gap, parts: &Parts<'_>, rest: i128, (first, last): (i128, i128)) -> i128 {
        let period = i128::from(self.period_ms()).max(1);
        let inside = |from: Instant, to: Instant| i128::from(to.millis() - from.millis()).clamp(0, period);
        let ends = |record: &Record| record.begins.plus_millis(self.period_ms());
        let first_weight = parts.first.map_or(0, |record| first * inside(gap.before.0, ends(record)));
        let last_weight = parts.last.map_or(0, |record| last * inside(record.begins, gap.after.0));
        let share = match first_weight + last_weight {
            0 => 0,
            // Taken back to energies first, so that no product leaves the range.
            weights => (last_weight / period) * rest / (weights / period).max(1),
        };
        share.clamp((rest - first).max(0), last.min(rest))
    }
}

/// Both readings are rounded to the unit they are kept in, and each key of each record to its last digit.
fn tolerance(total: &RecordTotal, records: usize) -> i128 {
    let digits = i128::try_from(records * total.keys.len()).unwrap_or(i128::MAX);
    MICRO + digits.saturating_mul(i128::from(total.resolution_micros)) / 2
}
