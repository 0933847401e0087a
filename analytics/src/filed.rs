//! What files say that a meter measured, as months and as periods: quarter-hours of a distributor, readings of a gas
//! meter, intervals of a building's own system.
//!
//! Must never: cover time that no file names, count a fall of a register as use, or let a file's value stand where the
//! meter itself measured enough.

use std::collections::BTreeMap;

use model::{
    BaseUnit, BillQuality, BilledPeriod, FiledInterval, FiledTotal, Finding, Instant, Month, MonthValue,
    MonthlySeries, Severity, Zone,
};

use crate::agree;
use crate::evaluate::COVERAGE_MIN;
use crate::series::split::Splitter;
use crate::series::{DatedFinding, SeriesSettings, unmeasured_at_most};

/// Longest interval that counts as measured time, in milliseconds: 62 days, as for totals that are read rarely.
const COVERED_MILLIS_MAX: i64 = 62 * 24 * 3_600 * 1_000;

/// Sums of one month while it is being filled.
#[derive(Debug, Clone, Copy, Default)]
struct MonthSum {
    amount: i64,
    low: i64,
    high: i64,
    covered_millis: i64,
    estimated: i64,
}

/// Civil months of intervals that do not overlap, in any order. Time between them is not covered. An interval that
/// crosses a month's boundary is split by time and bounds both months. Time from `until` on counts as missing in no
/// month.
#[must_use]
pub fn interval_months(
    intervals: &[FiledInterval],
    settings: &SeriesSettings,
    until: Instant,
) -> MonthlySeries {
    let mut sums: BTreeMap<Month, MonthSum> = BTreeMap::new();
    for interval in intervals {
        let length = interval.to.millis() - interval.from.millis();
        let mut splitter = Splitter::new(interval.amount, length);
        let mut month = interval.from.month(settings.zone);
        let crosses = month.bounds(settings.zone).1 < interval.to;
        let mut begin = interval.from;
        while begin < interval.to {
            let end = month.bounds(settings.zone).1.min(interval.to);
            let part = splitter.part_until(end.millis() - interval.from.millis());
            let sum = sums.entry(month).or_default();
            sum.amount = sum.amount.saturating_add(part);
            sum.low = sum.low.saturating_add(if crosses { 0 } else { part });
            sum.high = sum.high.saturating_add(if crosses { interval.amount } else { part });
            sum.estimated = sum.estimated.saturating_add(if crosses { part } else { 0 });
            if length <= COVERED_MILLIS_MAX {
                sum.covered_millis += end.millis() - begin.millis();
            }
            begin = end;
            month = month.next();
        }
    }
    let months = sums.into_iter().map(|(month, sum)| month_value(month, sum, settings, until)).collect();
    MonthlySeries { unit: settings.unit, months }
}

fn month_value(month: Month, sum: MonthSum, settings: &SeriesSettings, until: Instant) -> MonthValue {
    let (from, to) = month.bounds(settings.zone);
    let length = to.millis() - from.millis();
    let missing = (until.millis().min(to.millis()) - from.millis() - sum.covered_millis).max(0);
    let estimated = if 0 < sum.amount { sum.estimated as f64 / sum.amount as f64 } else { 0.0 };
    MonthValue {
        month,
        amount: sum.amount,
        low: sum.low,
        high: unmeasured_at_most(settings.ceiling_per_milli, missing).map(|u| sum.high.saturating_add(u)),
        coverage_ratio: (sum.covered_millis as f64 / length as f64).clamp(0.0, 1.0),
        estimated_ratio: estimated.clamp(0.0, 1.0),
        joint: None,
    }
}

/// One series of two: the meter's own months where they cover enough, else whichever covers more. A month of a file
/// keeps what the meter itself proved: never less than its lower bound. Where that leaves no room for what the file
/// says, the meter's month stays as little covered as it is, and a finding names both; `subject` begins it.
#[must_use]
pub fn prefer(own: MonthlySeries, filed: MonthlySeries, subject: &str) -> (MonthlySeries, Vec<DatedFinding>) {
    let unit = own.unit;
    let mut findings = Vec::new();
    let mut months: BTreeMap<Month, MonthValue> = filed.months.into_iter().map(|m| (m.month, m)).collect();
    for value in own.months {
        let worse = |filed: &&mut MonthValue| {
            value.coverage_ratio < COVERAGE_MIN && value.coverage_ratio < filed.coverage_ratio
        };
        let Some(filed) = months.get_mut(&value.month).filter(worse) else {
            months.insert(value.month, value);
            continue;
        };
        match agree::room(&value, filed) {
            Some(room) => *filed = room.raised(filed, &value),
            None => {
                findings.push(contradiction(subject, unit, &value, filed));
                *filed = value;
            }
        }
    }
    (MonthlySeries { unit, months: months.into_values().collect() }, findings)
}

/// What is said of a month that a file and the meter itself tell so that both cannot be true.
fn contradiction(subject: &str, unit: BaseUnit, own: &MonthValue, filed: &MonthValue) -> DatedFinding {
    let month = own.month;
    let show = |amount: i64| format!("{:.3}", unit.to_display(amount));
    let (measured, in_file) = (show(own.amount), show(filed.amount));
    let symbol = unit.display().symbol();
    let percent = format!("{:.1}", own.coverage_ratio * 100.0);
    let says = format!(
        "a file says {in_file} {symbol} where the meter itself says {measured} {symbol} with {percent} % of the month \
         measured, and its gaps cannot hold the difference; the meter's month stands until one of the two is corrected"
    );
    let rule = "conservative direction: a file never takes away what the meter proved";
    let finding =
        Finding::new("filed.contradict", Severity::Caution, format!("{subject} {month}"), says, rule)
            .with("month", month)
            .with("filed", in_file)
            .with("measured", measured)
            .with("coverage_percent", percent)
            .with("unit", symbol);
    DatedFinding { month, finding }
}

/// Whose totals are made into periods, and how.
#[derive(Debug, Clone, Copy)]
pub struct TotalsOf<'a> {
    /// Before the month in findings: `meter:boiler-1`.
    pub subject: &'a str,
    /// The key of the periods.
    pub supply_point: &'a str,
    pub settings: &'a SeriesSettings,
    /// How many of the carrier's smallest unit one of the totals' is: the gas coefficient C, else 1.
    pub factor: f64,
}

/// A total that was taken as ground.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ground {
    at: Instant,
    total: i64,
}

impl Ground {
    /// Whether a register that stood here can stand there later.
    fn leads_to(self, later: Self, settings: &SeriesSettings) -> bool {
        let rise = later.total - self.total;
        let most = unmeasured_at_most(settings.ceiling_per_milli, later.at.millis() - self.at.millis());
        0 <= rise && most.is_none_or(|most| rise <= most.saturating_add(settings.resolution))
    }
}

/// The use between consecutive totals, as periods that were read; totals in order of time. A fall or a leap beyond what
/// the connection carries is never a use:
///
/// - a single total that the ones around it contradict is left out, and the period goes from the one before to the one
///   after it, so that the sum over it holds;
/// - a total that falls, but not below the one before the last, speaks against the last one: either of the two may be
///   false. When a later total follows both, both are left out. When it follows the fallen one only, the last one is.
///   As long as nothing tells, the last period is an estimate, whose month is bounded by what the connection carries;
/// - when two totals agree on another range, the register was exchanged or reset: the time in between has no period.
///
/// Each is a finding. The rule is simpler than that of [`crate::counter`], which judges totals minutes apart; here they
/// are months apart, and any of them may be a person's slip of the pen.
#[must_use]
pub fn total_periods(totals: &[FiledTotal], of: &TotalsOf<'_>) -> (Vec<BilledPeriod>, Vec<DatedFinding>) {
    // Each total by itself, so that the periods of one run add up to its difference.
    let scaled =
        |total: &FiledTotal| Ground { at: total.at, total: (total.total as f64 * of.factor).round() as i64 };
    let mut chain = Chain {
        settings: of.settings,
        believed: Vec::new(),
        breaks: Vec::new(),
        doubted: None,
        contested: false,
        left_out: Vec::new(),
    };
    for now in totals.iter().map(scaled) {
        chain.take(now);
    }
    let Chain { believed, breaks, doubted, contested, mut left_out, .. } = chain;
    left_out.extend(doubted.map(|d| d.at));
    let mut periods: Vec<BilledPeriod> = (1..believed.len())
        .filter(|i| !breaks.contains(i))
        .filter_map(|i| period(*believed.get(i - 1)?, *believed.get(i)?, of))
        .collect();
    if contested && let Some(last) = periods.last_mut() {
        last.quality = BillQuality::Estimated;
    }
    let findings = left_out.into_iter().map(|at| unsettled(of.subject, at, of.settings.zone)).collect();
    (periods, findings)
}

/// Totals that follow one from another, while they are being read.
struct Chain<'a> {
    settings: &'a SeriesSettings,
    believed: Vec<Ground>,
    /// Where a run begins that does not follow from what is before it.
    breaks: Vec<usize>,
    /// A total that does not follow from the last believed one.
    doubted: Option<Ground>,
    /// Whether a total since the last one followed from the one before it, so that either may be false.
    contested: bool,
    /// Totals that follow from nothing.
    left_out: Vec<Instant>,
}

impl Chain<'_> {
    fn take(&mut self, now: Ground) {
        let in_run = self.breaks.last().copied().unwrap_or_default();
        let run = self.believed.get(in_run..).unwrap_or_default();
        let before = run.len().checked_sub(2).and_then(|i| run.get(i)).copied();
        let Some(last) = run.last().copied() else {
            self.believed.push(now);
            return;
        };
        let follows = |earlier: Ground| earlier.leads_to(now, self.settings);
        match self.doubted {
            None if follows(last) => self.believed.push(now),
            Some(doubt) if follows(last) => {
                // With nothing before them nobody knows either which of the two is false.
                if self.contested || before.is_none() && follows(doubt) {
                    self.leave_out_last(last);
                }
                self.left_out.push(doubt.at);
                self.settle(now);
            }
            Some(doubt) if follows(doubt) => {
                if self.contested {
                    self.leave_out_last(last);
                }
                if !before.is_some_and(|before| before.leads_to(doubt, self.settings)) {
                    self.left_out.push(doubt.at);
                    self.breaks.push(self.believed.len());
                }
                self.believed.push(doubt);
                self.settle(now);
            }
            doubt => {
                self.left_out.extend(doubt.map(|d| d.at));
                self.doubted = Some(now);
                self.contested |= before.is_some_and(follows);
            }
        }
    }

    fn leave_out_last(&mut self, last: Ground) {
        self.left_out.push(last.at);
        self.believed.pop();
    }

    fn settle(&mut self, now: Ground) {
        self.believed.push(now);
        self.doubted = None;
        self.contested = false;
    }
}

fn period(from: Ground, to: Ground, of: &TotalsOf<'_>) -> Option<BilledPeriod> {
    let (from_day, to_day) = (from.at.day(of.settings.zone), to.at.day(of.settings.zone));
    (from_day < to_day).then(|| BilledPeriod {
        supply_point: of.supply_point.to_owned(),
        from: from_day,
        to: to_day,
        amount: to.total - from.total,
        unit: of.settings.unit,
        quality: BillQuality::Read,
    })
}

fn unsettled(subject: &str, at: Instant, zone: Zone) -> DatedFinding {
    // A reading at midnight is of the day that ends.
    let day = at.plus_millis(-1).day(zone);
    let month = Month::of(day);
    let says = format!(
        "the total of {day} does not follow from the others: a fall, or more than the connection carries"
    );
    let rule = "conservative direction: a fall or a leap of a register is never a use";
    let finding =
        Finding::new("totals.unsettled", Severity::Caution, format!("{subject} {month}"), says, rule)
            .with("day", day);
    DatedFinding { month, finding }
}

/// Bills, and the periods read by the distributor where no bill that was read stands: a day is never counted twice, and
/// a supplier's estimate gives way to a reading.
#[must_use]
pub fn beside_bills(mut bills: Vec<BilledPeriod>, read: Vec<BilledPeriod>) -> Vec<BilledPeriod> {
    let overlaps = |a: &BilledPeriod, b: &BilledPeriod| a.from < b.to && b.from < a.to;
    let free: Vec<BilledPeriod> = read
        .into_iter()
        .filter(|period| {
            !bills.iter().any(|bill| bill.quality == BillQuality::Read && overlaps(bill, period))
        })
        .collect();
    bills.retain(|bill| {
        bill.quality == BillQuality::Read || !free.iter().any(|period| overlaps(bill, period))
    });
    bills.extend(free);
    bills
}

#[cfg(test)]
mod tests;
