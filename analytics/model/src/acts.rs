//! What people decide about a meter: how a break in its totals is explained, that it was exchanged, that one reading
//! was wrong.
//!
//! Must never: change a reading. An act is an input of the computation beside the readings, with its author and reason.

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
