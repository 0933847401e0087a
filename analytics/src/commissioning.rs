//! Whether a monitoring system does what it was installed for: checks on what each meter delivered so far.
//!
//! Must never: call a check passed on which nothing is known.

use chrono::NaiveDate;
use model::{Instant, MeterId};

/// Share of the expected readings that must have come, and below which the check fails.
pub const RECEIVED_MIN: f64 = 0.99;
pub const RECEIVED_FAILED: f64 = 0.9;
/// Fewer expected readings than these prove nothing either way.
pub const EXPECTED_MIN: u64 = 100;
/// Longest time from the last reading to the end of the report in which a meter is said to answer: the longest civil
/// day, since meters may be read once a day.
pub const SILENT_MILLIS_MAX: i64 = 25 * 3_600_000;
/// Largest relative difference between a day's energy by the total and by the mean power, and beyond which the
/// check fails: a wrong current-transformer ratio or a swapped phase shows as far more.
pub const POWER_DIFFERENCE_MAX: f64 = 0.02;
pub const POWER_DIFFERENCE_FAILED: f64 = 0.1;

/// What one meter delivered since it is read.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivered {
    pub meter: MeterId,
    /// Of the readings before `end`.
    pub first_at: Option<Instant>,
    pub last_at: Option<Instant>,
    /// The first instant that the report does not tell of.
    pub end: Instant,
    /// By the reading period, and of these received with a usable value.
    pub expected: u64,
    pub received: u64,
    /// Values refused as implausible, and payloads that could not be understood.
    pub refused: u64,
    /// Breaks of the total that nobody has decided on.
    pub undecided: u64,
    /// The latest whole day on which both are known.
    pub day: Option<DayByBoth>,
}

/// Energy of a civil day by the meter's total and by its mean power.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DayByBoth {
    pub day: NaiveDate,
    pub by_total_kwh: f64,
    pub by_power_kwh: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// The meter answers, to this day.
    Reads,
    /// Hardly a reading is missing.
    Complete,
    /// Nothing was refused.
    Plausible,
    /// The total has no break without an explanation.
    Counts,
    /// Power and energy agree.
    Agrees,
}

impl Check {
    pub const ALL: [Self; 5] = [Self::Reads, Self::Complete, Self::Plausible, Self::Counts, Self::Agrees];

    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Reads => "reads",
            Self::Complete => "complete",
            Self::Plausible => "plausible",
            Self::Counts => "counts",
            Self::Agrees => "agrees",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Passed,
    /// A person should look at it.
    Remark,
    Failed,
    /// Nothing is known on which it could rest.
    NotPossible,
}

impl Outcome {
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Remark => "remark",
            Self::Failed => "failed",
            Self::NotPossible => "not_possible",
        }
    }
}

/// How one check came out.
#[must_use]
pub fn outcome(check: Check, of: &Delivered) -> Outcome {
    if of.first_at.is_none() {
        return if check == Check::Reads { Outcome::Failed } else { Outcome::NotPossible };
    }
    match check {
        Check::Reads => match of.last_at {
            Some(at) if of.end.millis() - at.millis() <= SILENT_MILLIS_MAX => Outcome::Passed,
            Some(_) | None => Outcome::Failed,
        },
        Check::Complete => match received_ratio(of) {
            None => Outcome::NotPossible,
            Some(ratio) if RECEIVED_MIN <= ratio => Outcome::Passed,
            Some(ratio) if RECEIVED_FAILED <= ratio => Outcome::Remark,
            Some(_) => Outcome::Failed,
        },
        Check::Plausible => if_none(of.refused),
        Check::Counts => if_none(of.undecided),
        Check::Agrees => match of.day.as_ref().and_then(difference_ratio) {
            None => Outcome::NotPossible,
            Some(ratio) if ratio.abs() <= POWER_DIFFERENCE_MAX => Outcome::Passed,
            Some(ratio) if ratio.abs() <= POWER_DIFFERENCE_FAILED => Outcome::Remark,
            Some(_) => Outcome::Failed,
        },
    }
}

const fn if_none(count: u64) -> Outcome {
    if count == 0 { Outcome::Passed } else { Outcome::Remark }
}

/// Readings received over those expected, at most 1; `None` when too few were expected yet.
#[must_use]
pub fn received_ratio(of: &Delivered) -> Option<f64> {
    (EXPECTED_MIN <= of.expected).then(|| (of.received as f64 / of.expected as f64).min(1.0))
}

/// By how much the power's energy differs from the total's; `None` for a day without use, on which nothing can differ.
#[must_use]
pub fn difference_ratio(day: &DayByBoth) -> Option<f64> {
    (0.0 < day.by_total_kwh).then(|| day.by_power_kwh / day.by_total_kwh - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivered() -> Delivered {
        Delivered {
            meter: MeterId::new("m").expect("an id"),
            first_at: Some(Instant::from_millis(0)),
            last_at: Some(Instant::from_millis(1)),
            end: Instant::from_millis(86_400_000),
            expected: 1_000,
            received: 995,
            refused: 0,
            undecided: 0,
            day: Some(DayByBoth { day: NaiveDate::MIN, by_total_kwh: 100.0, by_power_kwh: 101.0 }),
        }
    }

    #[test]
    fn checks_come_out_as_the_evidence_says() {
        let good = delivered();
        assert!(Check::ALL.iter().all(|check| outcome(*check, &good) == Outcome::Passed));
        let day = |power| Some(DayByBoth { day: NaiveDate::MIN, by_total_kwh: 100.0, by_power_kwh: power });
        // Nine days of silence; a day of 25 hours is none.
        let until = |hours: i64| Delivered { end: Instant::from_millis(hours * 3_600_000), ..good.clone() };
        let cases: [(Check, Delivered, Outcome); 12] = [
            (Check::Reads, until(25), Outcome::Passed),
            (Check::Reads, until(26), Outcome::Failed),
            (Check::Reads, until(9 * 24), Outcome::Failed),
            (Check::Complete, Delivered { received: 989, ..good.clone() }, Outcome::Remark),
            (Check::Complete, Delivered { received: 899, ..good.clone() }, Outcome::Failed),
            (Check::Complete, Delivered { expected: 99, received: 3, ..good.clone() }, Outcome::NotPossible),
            (Check::Plausible, Delivered { refused: 1, ..good.clone() }, Outcome::Remark),
            (Check::Counts, Delivered { undecided: 1, ..good.clone() }, Outcome::Remark),
            (Check::Agrees, Delivered { day: day(97.0), ..good.clone() }, Outcome::Remark),
            // One of three current transformers turned round: a third of the power.
            (Check::Agrees, Delivered { day: day(33.0), ..good.clone() }, Outcome::Failed),
            (Check::Agrees, Delivered { day: None, ..good.clone() }, Outcome::NotPossible),
            (
                Check::Agrees,
                Delivered {
                    day: Some(DayByBoth { day: NaiveDate::MIN, by_total_kwh: 0.0, by_power_kwh: 0.0 }),
                    ..good.clone()
                },
                Outcome::NotPossible,
            ),
        ];
        for (check, of, wanted) in cases {
            assert_eq!(outcome(check, &of), wanted, "{check:?} of {of:?}");
        }
        let silent = Delivered { first_at: None, ..good };
        assert_eq!(outcome(Check::Reads, &silent), Outcome::Failed);
        let others = &Check::ALL[1..];
        assert!(others.iter().all(|check| outcome(*check, &silent) == Outcome::NotPossible));
    }
}
