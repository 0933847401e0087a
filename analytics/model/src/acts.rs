//! What people decide about a meter: how a break in its totals is explained, that it was exchanged, that one reading
//! was wrong.
//!
//! Must never: change a reading. An act is an input of the computation beside the readings, with its author and reason.

use chrono::NaiveDate;

use crate::ids::MeterId;
use crate::reading::SeriesKey;
use crate::time::Instant;

/// How a total that does not follow from the one before is explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Explanation {
    /// A false low reading, mostly zero; later totals follow the old range.
    Dip,
    /// A false high reading; later totals follow the old range.
    Spike,
    /// The register passed its largest value.
    Wrap,
    /// The counter began again from another total.
    Reset,
    /// The counter lost the last minutes before a power cut and goes on from what it had stored.
    StepBack,
    /// Another meter took its place.
    Exchange,
    /// The register counts in another unit than before.
    UnitChange,
    /// The register, or the device that repeats it, stood still and then showed at once what was used meanwhile.
    CaughtUp,
    /// The total did not move for days.
    Standstill,
    /// Not explained yet.
    Open,
}

impl Explanation {
    pub const ALL: [Self; 10] = [
        Self::Dip,
        Self::Spike,
        Self::Wrap,
        Self::Reset,
        Self::StepBack,
        Self::Exchange,
        Self::UnitChange,
        Self::CaughtUp,
        Self::Standstill,
        Self::Open,
    ];

    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Dip => "dip",
            Self::Spike => "spike",
            Self::Wrap => "wrap",
            Self::Reset => "reset",
            Self::StepBack => "step-back",
            Self::Exchange => "exchange",
            Self::UnitChange => "unit-change",
            Self::CaughtUp => "caught-up",
            Self::Standstill => "standstill",
            Self::Open => "open",
        }
    }

    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|e| e.code() == code)
    }
}

/// How sure an explanation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Confidence {
    /// Nothing else fits the totals.
    Certain,
    /// Fits best; its alternatives stay within the month's bounds.
    Likely,
    /// The totals do not tell; nothing is booked that they do not carry.
    NeedsPerson,
}

impl Confidence {
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Certain => "certain",
            Self::Likely => "likely",
            Self::NeedsPerson => "needs-person",
        }
    }

    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        [Self::Certain, Self::Likely, Self::NeedsPerson].into_iter().find(|c| c.code() == code)
    }
}

/// What a person decided about one instant of a series of totals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Act {
    /// The break that the reading of this instant began is explained so.
    Explained(Explanation),
    /// The meter was exchanged: last total of the old one, first of the new one, in the smallest unit.
    Exchanged { closing: Option<i64>, opening: Option<i64> },
    /// The reading of this instant was wrong: its total in the smallest unit.
    Corrected { total: i64 },
}

/// An act and the instant it is about: the reading that began the break, the exchange, the wrong reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DatedAct {
    pub at: Instant,
    pub act: Act,
}

/// An act as it is on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeterAct {
    pub series: SeriesKey,
    pub dated: DatedAct,
    pub author: String,
    pub reason: String,
    /// When it was put on record.
    pub recorded_at: Instant,
}

/// A non-routine adjustment: what a person states that the building would have used more, or less, for a reason that is
/// neither the weather nor the works (IPMVP: evidenced, dated, quantified, reported separately).
#[derive(Debug, Clone, PartialEq)]
pub struct Adjustment {
    /// Number of it within its project, as `consuntivo adjustment list` prints it.
    pub number: u32,
    /// The meter whose adjusted baseline it is added to.
    pub meter: MeterId,
    pub from: NaiveDate,
    /// First day after it.
    pub to: NaiveDate,
    /// Over the whole of it, in the meter's display unit (kWh, Smc, kg); above zero it raises the adjusted baseline, and
    /// the saving with it. Zero confirms what was measured: [`Self::is_confirmation`].
    pub energy: f64,
    pub author: String,
    pub reason: String,
    /// When it was put on record.
    pub recorded_at: Instant,
}

impl Adjustment {
    /// The part that falls on the days of `[from, to)`: each day of it bears the same.
    #[must_use]
    pub fn within(&self, from: NaiveDate, to: NaiveDate) -> f64 {
        let days = (self.to - self.from).num_days();
        let shared = (self.to.min(to) - self.from.max(from)).num_days().max(0);
        if 0 < days { self.energy * shared as f64 / days as f64 } else { 0.0 }
    }

    /// Whether it adds nothing, and so states that what was measured on its days is right as it is.
    #[must_use]
    pub fn is_confirmation(&self) -> bool {
        self.energy == 0.0
    }

    /// Whether it states so of every day of `[from, to)`.
    #[must_use]
    pub fn confirms(&self, from: NaiveDate, to: NaiveDate) -> bool {
        self.is_confirmation() && self.from <= from && to <= self.to
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_adjustment_falls_on_its_days_alike_and_its_months_add_up() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let of = Adjustment {
            number: 1,
            meter: MeterId::new("gas").unwrap(),
            from: day("2025-01-22"),
            to: day("2025-02-11"),
            energy: -200.0,
            author: "a".to_owned(),
            reason: "r".to_owned(),
            recorded_at: Instant::from_seconds(0),
        };
        let (first, second) = (day("2025-02-01"), day("2025-03-01"));
        assert_eq!(of.within(day("2025-01-01"), first), -100.0);
        assert_eq!(of.within(first, second), -100.0);
        assert_eq!(of.within(second, day("2025-04-01")), 0.0);
        assert!(!of.confirms(day("2025-01-22"), first));
        let word = Adjustment { energy: 0.0, ..of };
        assert!(word.confirms(day("2025-01-22"), first) && !word.confirms(day("2025-01-21"), first));
        assert!(!word.confirms(first, second), "it ends before the month does");
    }
}
