//! When a payload was measured: its own time where it has one that can be believed, else its arrival.
//!
//! Must never: guess the zone of a time without one, or believe a clock that was never set.

use model::{Instant, Quality, Unit, Zone};

use super::PayloadError;
use crate::decimal::Decimal;
use crate::json::{Json, Path};

/// How far a device's clock may be ahead of ours before its time is not believed.
pub const AHEAD_SECONDS_MAX: i64 = 300;
/// 2000-01-01T00:00:00Z: a device that says an earlier time has never had its clock set.
const EARLIEST: Instant = Instant::from_seconds(946_684_800);
/// 2020-01-01T00:00:00Z: this program is younger, so a machine that says an earlier time has no clock.
const EARLIEST_HOST: Instant = Instant::from_seconds(1_577_836_800);

const MINUTE_MS: i64 = 60_000;
/// How long after the end of its minute a message may arrive and still count as one that was not held up.
const PROMPT_MS: i64 = 2 * MINUTE_MS;

/// How a time is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimeForm {
    /// `2025-03-30T02:00:00+01:00` or `…Z`. A time without zone is refused.
    Rfc3339,
    /// Seconds since 1970, fractions allowed.
    EpochSeconds,
    /// Milliseconds since 1970.
    EpochMillis,
    /// A text of the first form or a number of the third.
    Rfc3339OrEpochMillis,
    /// `2025-03-30T02:00:00`, in the zone that the meter is set to; with no zone set it is not used.
    Local,
    /// Seconds since 1970 at which the minute of the measurement began. What arrives in or soon after that minute is of its
    /// arrival, which is sharper; what was held up is of the minute's end.
    EpochMinute,
}

impl TimeForm {
    pub const ALL: [Self; 6] = [
        Self::Rfc3339,
        Self::EpochSeconds,
        Self::EpochMillis,
        Self::Rfc3339OrEpochMillis,
        Self::Local,
        Self::EpochMinute,
    ];

    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Rfc3339 => "rfc3339",
            Self::EpochSeconds => "epoch_s",
            Self::EpochMillis => "epoch_ms",
            Self::Rfc3339OrEpochMillis => "rfc3339_or_epoch_ms",
            Self::Local => "local",
            Self::EpochMinute => "epoch_minute_s",
        }
    }

    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|form| form.code() == code)
    }
}

/// Where a payload says when it was measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeField {
    pub path: String,
    pub form: TimeForm,
    /// For [`TimeForm::Local`]: the zone's name, or a placeholder for it.
    pub zone: String,
    /// A payload without it is of its arrival time; so is one of a device whose clock was never set, which counts the
    /// seconds since it was switched on.
    pub optional: bool,
}

/// When a payload arrived, and up to when its own time can be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct When {
    pub arrived: Instant,
    /// Now. Later than the arrival only when a kept payload is read again: if the clock of this machine
    /// was behind when it arrived, it is right by now.
    pub now: Instant,
}

impl When {
    /// A payload that has just arrived.
    #[must_use]
    pub const fn arriving(at: Instant) -> Self {
        Self { arrived: at, now: at }
    }

    /// The instant of a payload with this time of its own, or none.
    ///
    /// # Errors
    /// The own time cannot be believed, or there is none and the clock of this machine was not set.
    pub fn observed(self, own: Option<Instant>) -> Result<(Instant, Quality), PayloadError> {
        let Some(time) = own else {
            return if self.arrived < EARLIEST_HOST {
                Err(PayloadError::HostClockUnset { time: self.arrived })
            } else {
                Ok((self.arrived, Quality::ArrivalTime))
            };
        };
        let ahead_seconds = time.millis().saturating_sub(self.now.max(self.arrived).millis()) / 1000;
        if ahead_seconds > AHEAD_SECONDS_MAX {
            Err(PayloadError::TimeAhead { time, seconds: ahead_seconds })
        } else if time < EARLIEST {
            Err(PayloadError::TimeUnset { time })
        } else {
            Ok((time, Quality::Good))
        }
    }
}

/// A [`TimeField`] of one meter.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct BoundTime {
    pub(super) path: Path,
    pub(super) text: String,
    pub(super) form: TimeForm,
    pub(super) zone: Option<Zone>,
    pub(super) optional: bool,
}

impl BoundTime {
    /// The payload's own time; `None` where it may be without one and is.
    pub(super) fn read(&self, json: &Json<'_>, when: When) -> Result<Option<Instant>, PayloadError> {
        let found = match json.at(&self.path) {
            None | Some(Json::Null) if self.optional => return Ok(None),
            None => return Err(PayloadError::Missing { path: self.text.clone() }),
            Some(found) => found,
        };
        let time = match (self.form, found) {
            (TimeForm::Rfc3339 | TimeForm::Rfc3339OrEpochMillis, Json::Text(text)) => {
                Instant::parse_rfc3339(text)
            }
            (TimeForm::EpochSeconds | TimeForm::EpochMinute, Json::Number(text)) => millis(text, 3),
            (TimeForm::EpochMillis | TimeForm::Rfc3339OrEpochMillis, Json::Number(text)) => millis(text, 0),
            (TimeForm::Local, Json::Text(text)) => match self.zone {
                Some(zone) => local(text, zone, when.arrived),
                None => return Ok(None),
            },
            _ => None,
        };
        let time = time.ok_or_else(|| PayloadError::NotATime { path: self.text.clone(), form: self.form })?;
        if self.optional && time < EARLIEST {
            return Ok(None);
        }
        Ok(if self.form == TimeForm::EpochMinute { of_minute(time, when.arrived) } else { Some(time) })
    }
}

/// The instant of a measurement in the minute that `begins` then; `None` where its arrival says it better. The end of the
/// minute, so that nothing counts as used before it was, and none of an outage stands before the last that came in time.
fn of_minute(begins: Instant, arrived: Instant) -> Option<Instant> {
    let ends = begins.plus_millis(MINUTE_MS);
    let late = arrived.millis().saturating_sub(ends.millis());
    // Before its minute: the device's clock is ahead of ours, and how far is judged as with any other time.
    let ahead = begins.millis().saturating_sub(arrived.millis());
    let prompt = late <= PROMPT_MS && ahead <= AHEAD_SECONDS_MAX * 1_000;
    (!prompt).then_some(ends)
}

/// A number of 10^`power` milliseconds as an instant.
pub(super) fn millis(text: &str, power: u32) -> Option<Instant> {
    let shift = Decimal::integer(10_i128.pow(power));
    let millis = Decimal::parse(text)?.times(shift)?;
    // Any total kept one to one rounds the way an instant must.
    match millis.value(Unit::WattHour, model::Quantity::ActiveEnergyImport)? {
        model::Value::Total(millis) => Some(Instant::from_millis(millis)),
        model::Value::Gauge(_) => None,
    }
}

/// A wall-clock time as an instant. In the hour that happens twice the one nearer to the arrival is meant.
pub(super) fn local(text: &str, zone: Zone, arrived: Instant) -> Option<Instant> {
    let wall = Instant::parse_rfc3339(&format!("{text}Z"))?.utc().naive_utc();
    let first = model::time::local_to_instant(wall, zone);
    let second = first.plus_seconds(3_600);
    let twice = second.utc().with_timezone(&zone).naive_local() == wall;
    let off = |at: Instant| at.millis().abs_diff(arrived.millis());
    Some(if twice && off(second) < off(first) { second } else { first })
}
