//! Months of a new meter that are hardly the meter's, told by its other months: what it uses counts against the saving, and
//! it has no baseline that would lead to expect anything.
//!
//! Must never: lower what a month may have used, or judge a month by one that is doubted itself.
//!
//! A month is held against the three others of the year whose weather is nearest to its own, by the outdoor temperature, or
//! by the calendar where a month has none: what heats is at rest when it is warm, and so are the months like it. One that
//! used next to nothing of the middle one of them is doubted, and so is a value that comes again month after month. For the
//! bound a doubted month used as much a day as the highest of those that are not, and a quarter more where it was colder
//! or warmer than all of them. All months garbled alike stay unseen: nothing
//! of the meter tells then.

use model::{Finding, Month};

use super::{Expected, Judge, counts};
use crate::evaluate::meter::Row;
use crate::result::MonthSource;

/// Of use a day, below which share of the middle one of the like months a month is doubted: a tenth, with room for the
/// months that use half as much again as those like them.
const NEXT_TO_NOTHING: f64 = 0.15;
/// Months that a month is held against, and the fewest that tell.
const ALIKE: usize = 3;
const ALIKE_MIN: usize = 2;
/// Times the highest use of the others, in a month whose weather none of them has met.
const BEYOND: f64 = 1.25;
/// Months of the year; and by how many K the mean temperature of months that are alike differs at most as long as some of them are
/// still to come: the first warm month of a year stands beside none like it.
const WHOLE_YEAR: usize = 12;
const ALIKE_C: f64 = 6.0;
/// The same value so many months in a row is no measurement.
const REPEATED: usize = 3;
/// A small number of whole units repeats itself by chance: below so many of the steps that the months' values are made of.
const STEPS: f64 = 20.0;

/// A month that counts.
#[derive(Debug, Clone, Copy)]
struct Own {
    /// Its place among the rows.
    place: usize,
    month: Month,
    source: MonthSource,
    energy: f64,
    days: f64,
    /// Mean of its days' temperatures, in °C.
    mean_c: Option<f64>,
}

impl Own {
    fn per_day(&self) -> f64 {
        self.energy / self.days
    }

    /// Whether the month was colder or warmer than each of these; so it may have been where no temperature tells.
    fn is_beyond(&self, known: &[Own]) -> bool {
        let Some(own) = self.mean_c else { return true };
        known.iter().all(|m| m.mean_c.is_none_or(|c| own < c))
            || known.iter().all(|m| m.mean_c.is_none_or(|c| c < own))
    }
}

impl Judge<'_> {
    /// Lifts the upper bound of a new meter's doubted months, and tells each of them; a confirmed one is told and keeps its
    /// bounds.
    pub(super) fn doubt_new(&self, rows: &mut [Row]) -> Vec<Finding> {
        let months = self.own_months(rows);
        let is_doubted = doubted(&months);
        let sound: Vec<Own> =
            months.iter().zip(&is_doubted).filter(|(_, doubted)| !**doubted).map(|(m, _)| *m).collect();
        let known = if sound.is_empty() { &months } else { &sound };
        let highest = known.iter().map(Own::per_day).fold(0.0, f64::max);
        let mut findings = Vec::new();
        for (own, _) in months.iter().zip(&is_doubted).filter(|(_, doubted)| **doubted) {
            let Some(row) = rows.get_mut(own.place) else { continue };
            let beyond = if own.is_beyond(known) { BEYOND } else { 1.0 };
            let expected = Expected::Others(beyond * highest * own.days);
            if self.is_closed_by_word(row) {
                continue;
            }
            let word = self.confirmation(own.month.first_day(), own.month.end_day());
            if word.is_none() {
                row.doubted = (expected.energy() - own.energy.max(0.0)).max(0.0);
                row.shown.measured_high = row.shown.measured_high.map(|high| high + row.doubted);
            }
            findings.push(self.tell(row, expected, word));
        }
        findings
    }

    fn own_months(&self, rows: &[Row]) -> Vec<Own> {
        let of = |(place, row): (usize, &Row)| {
            let (month, energy) = (row.shown.month, row.shown.measured?);
            let days: Vec<f64> =
                self.context.temperatures.means(month.first_day(), month.end_day()).collect();
            let mean_c = (!days.is_empty()).then(|| days.iter().sum::<f64>() / days.len() as f64);
            let source = row.shown.source;
            Some(Own { place, month, source, energy, days: f64::from(month.days()), mean_c })
        };
        rows.iter().enumerate().filter(|(_, row)| counts(row)).filter_map(of).collect()
    }
}

/// Which of the months are doubted, in the same order.
fn doubted(months: &[Own]) -> Vec<bool> {
    let by_weather = months.iter().all(|m| m.mean_c.is_some());
    let frozen = frozen(months);
    months
        .iter()
        .zip(frozen)
        .map(|(month, frozen)| frozen || is_next_to_nothing(month, months, by_weather))
        .collect()
}

fn is_next_to_nothing(month: &Own, months: &[Own], by_weather: bool) -> bool {
    let apart = |other: &Own| {
        let of_year = (f64::from(other.month.number) - f64::from(month.month.number)).abs();
        let by_calendar = of_year.min(12.0 - of_year);
        let by_temperature = month.mean_c.zip(other.mean_c).map(|(a, b)| (a - b).abs());
        by_temperature.filter(|_| by_weather).unwrap_or(by_calendar)
    };
    let is_alike = |other: &&Own| !by_weather || WHOLE_YEAR <= months.len() || apart(other) <= ALIKE_C;
    let mut others: Vec<&Own> =
        months.iter().filter(|other| other.place != month.place).filter(is_alike).collect();
    if others.len() < ALIKE_MIN {
        return false;
    }
    others.sort_by(|a, b| apart(a).total_cmp(&apart(b)));
    let mut alike: Vec<f64> = others.iter().take(ALIKE).map(|other| other.per_day()).collect();
    alike.sort_by(|a, b| b.total_cmp(a));
    // Of three the middle one, of two the lower.
    let middle = alike.get(1).copied().unwrap_or(0.0);
    month.per_day().max(0.0) < NEXT_TO_NOTHING * middle
}

/// Months of the meter with one and the same value in a row. A bill that is split over its months by days says nothing here.
fn frozen(months: &[Own]) -> Vec<bool> {
    let is_same = |a: &Own, b: &Own| {
        let measured = a.source == MonthSource::Meter && b.source == MonthSource::Meter;
        measured && a.place + 1 == b.place && 0.0 < a.energy && (a.energy - b.energy).abs() <= 1e-9 * a.energy
    };
    // In thousandths, which are whole: what divides all of them is the step that the meter counts in.
    let thousandths = |m: &Own| (1_000.0 * m.energy).round().abs();
    let step = months.iter().map(thousandths).fold(0.0, common);
    let mut flags = Vec::with_capacity(months.len());
    for run in months.chunk_by(|a, b| is_same(a, b)) {
        let repeats = REPEATED <= run.len() && run.iter().all(|m| STEPS * step < thousandths(m));
        flags.extend(run.iter().map(|_| repeats));
    }
    flags
}

/// The largest common divisor of two whole numbers; of nothing and a number, that number.
fn common(mut a: f64, mut b: f64) -> f64 {
    while 0.5 < b {
        (a, b) = (b, a % b);
    }
    a
}
