//! What happened to a counter, kept per month so that a chattering meter cannot fill the memory.
//!
//! Must never: grow with the number of readings, or forget an impossible claim that was not taken back.

use model::{BaseUnit, Finding, Interval, Month, Severity, Step};

use super::DatedFinding;

/// The events of one month.
#[derive(Debug, Clone)]
struct MonthNotes {
    month: Month,
    held: u32,
    held_recovered: u32,
    impossible: u32,
    impossible_recovered: u32,
    resets: u32,
    wraps: u32,
    gaps: u32,
    gap_millis: i64,
    gap_amount: i64,
}

/// Events of a series by month, ascending as they came.
#[derive(Debug, Clone, Default)]
pub(super) struct Notes {
    months: Vec<MonthNotes>,
    /// Where the fall and the impossible rise that are still in doubt began: indices into `months`.
    held_in: Option<usize>,
    impossible_in: Option<usize>,
}

impl Notes {
    /// A plain rise.
    #[inline]
    pub(super) fn calm(&mut self) {
        if self.held_in.is_some() || self.impossible_in.is_some() {
            self.held_in = None;
            self.impossible_in = None;
        }
    }

    pub(super) fn step(&mut self, month: Month, interval: Interval) {
        match interval.step {
            Step::Advance => self.calm(),
            Step::First | Step::Recovered => self.taken_back(),
            Step::Held => {
                if self.held_in.is_none() {
                    let index = self.index(month);
                    self.held_in = Some(index);
                    self.months[index].held += 1;
                }
            }
            Step::Impossible => {
                if self.impossible_in.is_none() {
                    let index = self.index(month);
                    self.impossible_in = Some(index);
                    self.months[index].impossible += 1;
                }
            }
            Step::Wrapped => {
                self.taken_back();
                self.at(month).wraps += 1;
            }
            Step::Reset => {
                self.calm();
                self.at(month).resets += 1;
            }
        }
    }

    pub(super) fn gap(&mut self, month: Month, interval: Interval) {
        let notes = self.at(month);
        notes.gaps += 1;
        notes.gap_millis += interval.to.millis() - interval.from.millis();
        notes.gap_amount = notes.gap_amount.saturating_add(interval.amount);
    }

    /// Later totals showed that what is in doubt was noise.
    fn taken_back(&mut self) {
        if let Some(index) = self.held_in.take() {
            self.months[index].held_recovered += 1;
        }
        if let Some(index) = self.impossible_in.take() {
            self.months[index].impossible_recovered += 1;
        }
    }

    fn at(&mut self, month: Month) -> &mut MonthNotes {
        let index = self.index(month);
        &mut self.months[index]
    }

    /// Readings come in order of time, so the month is the last one or a new one.
    fn index(&mut self, month: Month) -> usize {
        if self.months.last().is_none_or(|m| m.month != month) {
            self.months.push(MonthNotes {
                month,
                held: 0,
                held_recovered: 0,
                impossible: 0,
                impossible_recovered: 0,
                resets: 0,
                wraps: 0,
                gaps: 0,
                gap_millis: 0,
                gap_amount: 0,
            });
        }
        self.months.len() - 1
    }

    pub(super) fn findings(&self, subject: &str, unit: BaseUnit) -> Vec<DatedFinding> {
        let mut out = Vec::new();
        for notes in &self.months {
            let about = format!("{subject} {}", notes.month);
            let list = [
                notes.held_finding(&about),
                notes.impossible_finding(&about),
                notes.reset_finding(&about),
                notes.wrapped_finding(&about),
                notes.gap_finding(&about, unit),
            ];
            out.extend(
                list.into_iter().flatten().map(|finding| DatedFinding { month: notes.month, finding }),
            );
        }
        out
    }
}

const COUNTER_RULE: &str = "conservative direction: a total that does not follow is never booked";

impl MonthNotes {
    fn held_finding(&self, about: &str) -> Option<Finding> {
        let (count, back) = (self.held, self.held_recovered);
        let severity = if count == back { Severity::Note } else { Severity::Caution };
        let says =
            format!("the total went backwards {count} times, {back} of them noise; nothing was booked");
        (0 < count).then(|| {
            Finding::new("counter.held", severity, about, says, COUNTER_RULE)
                .with("count", count)
                .with("recovered", back)
        })
    }

    fn impossible_finding(&self, about: &str) -> Option<Finding> {
        let (count, back) = (self.impossible, self.impossible_recovered);
        let severity = if count == back { Severity::Caution } else { Severity::Blocks };
        let says = format!(
            "the total rose {count} times by more than the connection can carry, {back} of them taken back by later totals; nothing was booked"
        );
        (0 < count).then(|| {
            Finding::new("counter.impossible", severity, about, says, COUNTER_RULE)
                .with("count", count)
                .with("recovered", back)
        })
    }

    fn reset_finding(&self, about: &str) -> Option<Finding> {
        let count = self.resets;
        let says = format!(
            "the counter began again from another total {count} times; the energy in between is unknown"
        );
        (0 < count).then(|| {
            Finding::new("counter.reset", Severity::Caution, about, says, COUNTER_RULE).with("count", count)
        })
    }

    fn wrapped_finding(&self, about: &str) -> Option<Finding> {
        let count = self.wraps;
        let says = format!("the register passed its largest value {count} times and began again");
        (0 < count).then(|| {
            Finding::new("counter.wrapped", Severity::Note, about, says, COUNTER_RULE).with("count", count)
        })
    }

    fn gap_finding(&self, about: &str, unit: BaseUnit) -> Option<Finding> {
        let hours = self.gap_millis as f64 / 3_600_000.0;
        let energy = unit.to_display(self.gap_amount);
        let symbol = unit.display().symbol();
        let says = format!(
            "{} gaps between readings, {hours:.1} h in all; {energy:.3} {symbol} were used in them at unknown times",
            self.gaps
        );
        (0 < self.gaps).then(|| {
            Finding::new(
                "series.gap",
                Severity::Note,
                about,
                says,
                "coverage and gaps are shown with every month",
            )
            .with("count", self.gaps)
            .with("hours", format!("{hours:.1}"))
            .with("energy", format!("{energy:.3}"))
            .with("unit", symbol)
        })
    }
}
