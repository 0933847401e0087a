//! How much better the months of a year are known together than one by one.
//!
//! Must never: take two sources for one series, or let a bound of the year be wider than the sum of its months'.
//!
//! A bill of two months gives each of them anything between nothing and all of it, and both together exactly what it
//! says. Bounds of months that are added up one by one forget that. So the year takes, for every run of months of one
//! source, the tighter of the sum of their bounds and of what the source knows of the run as a whole.

use chrono::{Days, NaiveDate};
use model::{Finding, Joint, Month, MonthValue, Severity, Unit};

use crate::bills::UsePeriod;
use crate::result::MonthSource;

/// A month as a link of the chain of the year.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link {
    source: MonthSource,
    low: i64,
    high: Option<i64>,
    joint: Joint,
}

impl Link {
    /// Of a month that is shown with `value`, as its source has it beside its neighbours; `None` where the source knows it
    /// alone.
    pub(super) fn of(source: MonthSource, value: &MonthValue, own: Option<&MonthValue>) -> Option<Self> {
        let joint = own?.joint?;
        Some(Self { source, low: value.low, high: value.high, joint })
    }
}

/// By how much the least that was used is more than the sum of the months' lower bounds, and the most less than that of
/// the upper ones. In the smallest unit, not negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Gain {
    pub(super) low: i64,
    pub(super) high: i64,
}

impl Gain {
    fn of_run(run: &[Link]) -> Self {
        let known: Vec<Joint> = run.iter().map(|link| link.joint).collect();
        let Some((low, high)) = Joint::span(&known) else { return Self::default() };
        let lows = run.iter().fold(0_i64, |sum, link| sum.saturating_add(link.low));
        let highs = run.iter().try_fold(0_i64, |sum, link| Some(sum.saturating_add(link.high?)));
        Self {
            low: low.saturating_sub(lows).max(0),
            high: highs.zip(high).map_or(0, |(sum, known)| sum.saturating_sub(known).max(0)),
        }
    }
}

/// The gain over consecutive months; `None` stands for a month that counts in no run. Of all ways to part them into runs
/// the best holds for each bound: each of them is true.
pub(super) fn gain(months: &[Option<Link>]) -> Gain {
    let mut best = vec![Gain::default()];
    for end in 1..=months.len() {
        let mut of = best.last().copied().unwrap_or_default();
        let mut run: Vec<Link> = Vec::new();
        for begin in (0..end).rev() {
            let link = months.get(begin).copied().flatten();
            let Some(link) = link.filter(|link| run.first().is_none_or(|next| next.source == link.source))
            else {
                break;
            };
            run.insert(0, link);
            let before = best.get(begin).copied().unwrap_or_default();
            let own = Gain::of_run(&run);
            of.low = of.low.max(before.low.saturating_add(own.low));
            of.high = of.high.max(before.high.saturating_add(own.high));
        }
        best.push(of);
    }
    best.last().copied().unwrap_or_default()
}

/// The bills that reach over the beginning or the end of a year whose first or last month rests on them: nobody knows how
/// much of them is the year's. A reading of the meter on the last day before would tell.
pub(super) fn straddling(
    bills: &[UsePeriod],
    (first, last): (Option<MonthSource>, Option<MonthSource>),
    year: i32,
    (subject, unit): (&str, Unit),
) -> Vec<Finding> {
    let (Some(from), Some(to)) =
        (NaiveDate::from_ymd_opt(year, 1, 1), NaiveDate::from_ymd_opt(year + 1, 1, 1))
    else {
        return Vec::new();
    };
    let rests = |source: Option<MonthSource>| source == Some(MonthSource::Bills);
    let edges = [(from, rests(first), from), (to, rests(last), to - Days::new(1))];
    let mut findings = Vec::new();
    for (edge, _, within) in edges.iter().filter(|(_, rests, _)| *rests) {
        let over = bills.iter().filter(|bill| bill.settled && bill.from < *edge && *edge < bill.to);
        findings
            .extend(over.map(|bill| told(bill, *edge, &format!("{subject} {}", Month::of(*within)), unit)));
    }
    findings
}

fn told(bill: &UsePeriod, edge: NaiveDate, about: &str, unit: Unit) -> Finding {
    let energy = format!("{:.3}", bill.amount as f64 / 1000.0);
    let (symbol, day) = (unit.symbol(), edge - Days::new(1));
    let says = format!(
        "the bill from {} to {} reaches over the year's end: how much of its {energy} {symbol} is the year's nobody \
         knows, and the bound counts that is worse; a reading of the meter at the end of {day} would tell",
        bill.from, bill.to
    );
    let rule =
        "conservative direction: of a bill over the year's end anything between none and all is the year's";
    Finding::new("bills.straddle", Severity::Caution, about, says, rule)
        .with("from", bill.from)
        .with("to", bill.to)
        .with("energy", energy)
        .with("unit", symbol)
        .with("day", day)
}

#[cfg(test)]
mod tests {
    use model::Edge;

    use super::*;

    /// A month that alone lies between `low` and `high` and within a span is exact, but for what its ends leave.
    fn link(source: MonthSource, (low, high): (i64, i64), amount: i64, ends: [i64; 2]) -> Option<Link> {
        let edge = |by: i64| Edge { less: by, more: by };
        let [begins, ends] = ends.map(edge);
        let joint = Joint { low: amount, high: Some(amount), step: 0, begins, ends };
        Some(Link { source, low, high: Some(high), joint })
    }

    #[test]
    fn two_months_of_one_bill_are_known_together() {
        use MonthSource::{Bills, Meter};
        let (a, b) = (link(Bills, (0, 100), 60, [0, 60]), link(Bills, (0, 100), 40, [60, 0]));
        let none = Gain::default();
        assert_eq!(gain(&[a, b]), Gain { low: 100, high: 100 });
        // Cut off at the year's end, or known from elsewhere beside it: nothing is gained.
        assert_eq!((gain(&[a]), gain(&[a, None, b]), gain(&[])), (none, none, none));
        let metered = link(Meter, (40, 40), 40, [0, 0]);
        assert_eq!(gain(&[a, metered]), none);
        // Each bill by itself, whatever stands between them.
        assert_eq!(gain(&[a, b, metered, a, b, None]), Gain { low: 200, high: 200 });
    }

    #[test]
    fn what_the_ends_of_the_year_leave_open_stays_open() {
        let b = |begins, ends| link(MonthSource::Bills, (0, 100), 50, [begins, ends]);
        // Three bills over four months' ends: the inner ones cancel.
        assert_eq!(gain(&[b(30, 20), b(20, 10), b(10, 25)]), Gain { low: 150 - 55, high: 300 - 150 - 55 });
        let open = b(0, 0).map(|link| Link { high: None, ..link });
        // Nothing bounds the first from above; the other is exact by itself.
        assert_eq!(gain(&[open, b(0, 0)]), Gain { low: 100, high: 50 });
    }
}
