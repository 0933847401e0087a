//! What the meters of a plant and of a building say of one another: energy fed in that hardly is, energy made that no
//! plant can make, one energy counted by two meters.
//!
//! Must never: move a bound in the beneficiary's favour, or lift a doubt without a person's word.
//!
//! Meters without a law of their own have nothing to be held against but each other. The best estimate keeps what was
//! measured; the bound that counts takes a doubted value for what it may hide. Who knows that it is right confirms its
//! days with an adjustment of nothing, as of a compared meter.

use std::collections::BTreeSet;

use model::{Adjustment, Direction, Finding, MeterFacts, MeterId, Month, Severity};

use super::YearInput;
use super::meter::Assessment;
use crate::balance::Vector;
use crate::result::{MeterMonth, MeterYear};

mod alike;
mod export;
mod made;

pub(crate) use alike::SAME_VALUES;

const RULE: &str = "conservative direction: what is missing or garbled never becomes a saving";

/// What comes of it beside the bounds that it moved.
#[derive(Debug, Default)]
pub(super) struct Weighed {
    pub(super) findings: Vec<Finding>,
    /// Meters whose slots are in doubt with their months.
    pub(super) doubted: BTreeSet<MeterId>,
}

/// Holds the meters of the year against each other, and moves the bounds of what is in doubt.
pub(super) fn weigh(input: &YearInput<'_>, years: &mut [MeterYear], assessed: &mut [Assessment]) -> Weighed {
    let mut weighed = Weighed::default();
    let mut meters = Meters { input, years, assessed };
    alike::same_values(&mut meters, &mut weighed);
    made::beyond_nominal(&mut meters, &mut weighed);
    made::counted_twice(&mut meters, &mut weighed);
    export::doubt(&mut meters, &mut weighed);
    weighed
}

/// The meters of a year; months are named by their index, 0 to 11.
struct Meters<'a> {
    input: &'a YearInput<'a>,
    years: &'a mut [MeterYear],
    assessed: &'a mut [Assessment],
}

impl Meters<'_> {
    fn facts(&self, meter: usize) -> Option<&MeterFacts> {
        self.years.get(meter).map(|m| &m.meter)
    }

    fn row(&self, meter: usize, index: usize) -> Option<&MeterMonth> {
        self.years.get(meter)?.months.get(index)
    }

    /// A reporting month that was measured enough, in display units.
    fn measured(&self, meter: usize, index: usize) -> Option<f64> {
        let row = self.row(meter, index)?;
        row.measured.filter(|_| row.reporting && row.is_whole())
    }

    /// All of them together; `None` where one is not known.
    fn sum(&self, of: &[usize], index: usize) -> Option<f64> {
        of.iter().map(|meter| self.measured(*meter, index)).sum()
    }

    fn month(&self, index: usize) -> Option<Month> {
        Month::all_of(self.input.year).get(index).copied()
    }

    fn id(&self, meter: usize) -> Option<MeterId> {
        self.facts(meter).map(|facts| facts.id.clone())
    }

    /// The meters of `of` that count by themselves.
    fn whose(&self, of: impl Fn(&MeterYear) -> bool) -> Vec<usize> {
        let by_itself =
            |m: &MeterYear| !self.assessed.iter().any(|a| a.meter == m.meter.id && a.counted_by_another);
        let found = self.years.iter().enumerate().filter(|(_, m)| of(m) && by_itself(m));
        found.map(|(index, _)| index).collect()
    }

    /// A person's word that the month's value is right.
    fn word(&self, meter: usize, index: usize) -> Option<&Adjustment> {
        let (id, month) = (&self.facts(meter)?.id, self.month(index)?);
        let (from, to) = (month.first_day(), month.end_day());
        self.input.adjustments.iter().find(|a| a.meter == *id && a.confirms(from, to))
    }

    /// Leaves the code with what the KPI know of the meter, and does what else is to be done there.
    fn blame(&mut self, meter: usize, code: &'static str, act: impl FnOnce(&mut Assessment)) {
        let Some(id) = self.id(meter) else { return };
        if let Some(of) = self.assessed.iter_mut().find(|a| a.meter == id) {
            if !of.because.iter().any(|c| c == code) {
                of.because.push(code.to_owned());
                of.because.sort();
            }
            act(of);
        }
    }

    /// Tells of the months that a person confirmed.
    fn confirmed(&self, meter: usize, months: &[usize]) -> Option<Finding> {
        let (id, by) = (self.id(meter)?, self.word(meter, *months.first()?)?);
        let list = self.list(months);
        let says =
            format!("{list}: a doubted value stands as it is; {} confirmed it: {}", by.author, by.reason);
        let about = format!("meter:{id} {}", self.input.year);
        let finding = Finding::new("balance.confirmed", Severity::Note, about, says, RULE);
        Some(finding.with("months", list).with("author", &by.author).with("reason", &by.reason))
    }

    fn list(&self, months: &[usize]) -> String {
        let names: Vec<String> =
            months.iter().filter_map(|index| self.month(*index)).map(|m| m.to_string()).collect();
        names.join(", ")
    }
}

/// Whether a meter counts what is made there.
fn makes(year: &MeterYear) -> bool {
    year.meter.direction == Direction::Production
}

fn vector(year: &MeterYear) -> Option<Vector> {
    Vector::of(year.meter.carrier)
}

fn show(value: f64) -> String {
    format!("{value:.1}")
}
