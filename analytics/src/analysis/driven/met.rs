//! What the baseline met of each driver, and what the reporting period has beyond it.
//!
//! Must never: let a driver that is stated too high raise the lower bound by more than the baseline's own values bear out.
//!
//! A driver counts for the bound as far as the baseline met it: each period's value within the range of its periods, each
//! month's mean within that of its months, and the mean of all within two standard errors of its own mean. What the model
//! makes of the rest is in the best estimate alone, and the band is as wide as if it were as likely as not.

use chrono::NaiveDate;
use model::{Finding, Month, Severity};

use super::{DailyDriver, Driven};
use crate::baseline::data::{Data, Row};

/// ASHRAE Guideline 14-2014: the model holds to 110 % of the largest baseline value of a variable.
const RANGE: f64 = 0.1;
/// How likely the use beyond it is, as of unseen weather.
const LIKELY: f64 = 0.5;
/// Standard errors of the baseline's mean, by the scatter of its months.
const ERRORS: f64 = 2.0;
/// Fewest days of a month that has a mean of its own.
const MONTH_DAYS_MIN: f64 = 20.0;

/// What is beyond.
#[derive(Debug, Default)]
pub(super) struct Beyond {
    /// What the stated values raise expectations by, each period alone, in display units: a lower bound does without it.
    pub(super) raised: f64,
    /// What they lower expectations by.
    pub(super) lowered: f64,
    /// What the band's variance has besides.
    pub(super) variance: f64,
    pub(super) findings: Vec<Finding>,
    /// The drivers as far as they were met.
    pub(super) met: Vec<DailyDriver>,
}

/// The least and the largest.
#[derive(Debug, Clone, Copy)]
struct Range {
    low: f64,
    high: f64,
}

impl Range {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let begin = Self { low: f64::INFINITY, high: f64::NEG_INFINITY };
        values.fold(begin, |r, v| Self { low: r.low.min(v), high: r.high.max(v) })
    }

    fn within(self, value: f64) -> f64 {
        if self.low <= self.high { value.clamp(self.low, self.high) } else { value }
    }

    fn is_far(self, value: f64) -> bool {
        let slack = RANGE * self.high.abs().max(self.low.abs());
        self.high + slack < value || value < self.low - slack
    }
}

/// A driver's mean per day over a period.
fn per_day(driver: &DailyDriver, row: &Row) -> f64 {
    driver.sum(row.from, row.to).unwrap_or(0.0) / row.days
}

/// Numbers of the rows of each civil month, longer periods alone.
fn months(data: &Data) -> Vec<Vec<usize>> {
    let mut months: Vec<(Option<Month>, Vec<usize>)> = Vec::new();
    for (i, row) in data.rows().iter().enumerate() {
        let month = (row.days < MONTH_DAYS_MIN).then(|| Month::of(row.from));
        match months.last_mut() {
            Some((own, rows)) if month.is_some() && *own == month => rows.push(i),
            _ => months.push((month, vec![i])),
        }
    }
    let days = |rows: &[usize]| rows.iter().filter_map(|i| data.rows().get(*i)).map(|r| r.days).sum::<f64>();
    months.into_iter().map(|(_, rows)| rows).filter(|rows| MONTH_DAYS_MIN <= days(rows)).collect()
}

/// The mean of some rows' values, by their days.
fn mean(rows: &[Row], values: &[f64], own: &[usize]) -> f64 {
    let of = |i: &usize| Some((rows.get(*i)?.days, *values.get(*i)?));
    let (days, sum) =
        own.iter().filter_map(of).fold((0.0, 0.0), |(d, s), (days, v)| (d + days, s + days * v));
    sum / days
}

/// What the drivers of the model have beyond the baseline's in a window. The band is of all its rows; what expectations are
/// raised or lowered by is of those that count.
pub(super) fn beyond(
    about: &str,
    driven: &Driven,
    given: &[DailyDriver],
    [before, after]: [&Data; 2],
    counts: impl Fn(&Row) -> bool,
) -> Beyond {
    let mut all = Beyond { met: given.to_vec(), ..Beyond::default() };
    let of_weather = driven.names.len() - given.len();
    for (place, driver) in given.iter().enumerate() {
        let Some(term) = driven.fit.terms.iter().find(|t| t.driver == of_weather + place) else { continue };
        let stated: Vec<f64> = after.rows().iter().map(|row| per_day(driver, row)).collect();
        let met = Met::of(driver, before, (after, &stated));
        let sum = |values: &dyn Fn(usize) -> f64| -> f64 {
            after.rows().iter().enumerate().map(|(i, row)| row.days * values(i)).sum()
        };
        let at = |values: &[f64], i: usize| values.get(i).copied().unwrap_or(0.0);
        let over = term.coefficient * sum(&|i| at(&stated, i) - at(&met.values, i));
        // Each period alone: one that is too low makes none good that is too high.
        for (i, row) in after.rows().iter().enumerate().filter(|(_, row)| counts(row)) {
            let by = row.days * term.coefficient * (at(&stated, i) - at(&met.values, i));
            all.raised += by.max(0.0);
            all.lowered += (-by).max(0.0);
        }
        if 0.0 < met.far_days {
            all.variance += LIKELY * over * over;
            all.findings.push(unseen(about, driver, &met));
        }
        if let Some(own) = all.met.get_mut(place) {
            for (row, value) in after.rows().iter().zip(&met.values) {
                own.days.extend(row.from.iter_days().take_while(|d| *d < row.to).map(|d| (d, *value)));
            }
        }
    }
    all
}

fn unseen(about: &str, driver: &DailyDriver, met: &Met) -> Finding {
    let Met { far_days, first, range, .. } = met;
    let first = first.map_or_else(String::new, |day| day.to_string());
    let says = format!(
        "driver {} lies beyond what the baseline met ({:.2} to {:.2} a day, or its mean) on {far_days} days, the first \
         {first}: the lower bound takes it as far as it was met, and the band is wide for the rest; confirm or correct it",
        driver.name, range.low, range.high
    );
    let rule = "ASHRAE Guideline 14-2014: no variable beyond 110 % of its largest baseline value";
    Finding::new("driver.unseen", Severity::Caution, about, says, rule)
        .with("driver", &driver.name)
        .with("days", far_days)
        .with("from", first)
        .with("low", format!("{:.2}", range.low))
        .with("high", format!("{:.2}", range.high))
}

/// A driver of the reporting period as far as the baseline met it.
struct Met {
    /// Of each row, per day.
    values: Vec<f64>,
    /// Days in rows, months or a window that are far beyond.
    far_days: f64,
    first: Option<NaiveDate>,
    /// Of the baseline's rows.
    range: Range,
}

impl Met {
    fn of(driver: &DailyDriver, before: &Data, (after, stated): (&Data, &[f64])) -> Self {
        let own: Vec<f64> = before.rows().iter().map(|row| per_day(driver, row)).collect();
        let range = Range::of(own.iter().copied());
        let mut far: Vec<bool> = stated.iter().map(|value| range.is_far(*value)).collect();
        let mut values: Vec<f64> = stated.iter().map(|value| range.within(*value)).collect();
        let means: Vec<f64> = months(before).iter().map(|rows| mean(before.rows(), &own, rows)).collect();
        let of_months = Range::of(means.iter().copied());
        for rows in months(after) {
            let now = mean(after.rows(), &values, &rows);
            shift(&mut values, &rows, of_months.within(now) - now);
            if of_months.is_far(mean(after.rows(), stated, &rows)) {
                for i in &rows {
                    far.get_mut(*i).into_iter().for_each(|far| *far = true);
                }
            }
        }
        let every: Vec<usize> = (0..values.len()).collect();
        let n = means.len() as f64;
        if 2.0 <= n {
            let middle = means.iter().sum::<f64>() / n;
            let variance = means.iter().map(|m| (m - middle).powi(2)).sum::<f64>() / (n - 1.0);
            let slack = ERRORS * (variance / n).sqrt();
            let whole = mean(before.rows(), &own, &(0..own.len()).collect::<Vec<_>>());
            let of_whole = Range { low: whole - slack, high: whole + slack };
            let now = mean(after.rows(), &values, &every);
            shift(&mut values, &every, of_whole.within(now) - now);
            if of_whole.is_far(mean(after.rows(), stated, &every)) {
                far.fill(true);
            }
        }
        let told = || after.rows().iter().zip(&far).filter(|(_, far)| **far).map(|(row, _)| row);
        let (far_days, first) = (told().map(|row| row.days).sum(), told().next().map(|row| row.from));
        Self { values, far_days, first, range }
    }
}

fn shift(values: &mut [f64], own: &[usize], by: f64) {
    for i in own {
        if let Some(value) = values.get_mut(*i).filter(|_| by != 0.0) {
            *value += by;
        }
    }
}
