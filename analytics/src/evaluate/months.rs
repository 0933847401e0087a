//! The month as the meter and the bills of its supply point have it together.
//!
//! Must never: let a gap of the meter hide what a read bill shows, or choose between two that contradict each other
//! in the beneficiary's favour.

use model::{Finding, Month, MonthValue, MonthlySeries, Severity};

use super::COVERAGE_MIN;
use crate::result::MonthSource;
use crate::series::DatedFinding;

/// One month, and where it came from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Chosen {
    pub(super) source: MonthSource,
    pub(super) value: Option<MonthValue>,
    /// The bills say another thing than the meter, and both cannot be true.
    pub(super) contradicted: bool,
}

/// The best of what both say.
///
/// A month that the meter measured without a gap is the meter's. A read bill that covers a month in which the meter
/// has a gap is the better evidence for what is missing: the truth is within the bounds of both, so the month takes
/// the tighter of each bound, and the billed amount within them. Where the two leave no room for a truth, one of
/// them is wrong and nobody knows which: the bounds reach over both, the higher amount counts, and a finding says so.
/// An estimated bill, or one that covers a part of the month, never mends a gap; it stands in where it covers more.
pub(super) fn choose(own: Option<&MonthValue>, billed: Option<&MonthValue>) -> Chosen {
    let plain =
        |source, value: Option<&MonthValue>| Chosen { source, value: value.copied(), contradicted: false };
    match (own, billed) {
        (None, None) => plain(MonthSource::Missing, None),
        (Some(own), None) => plain(MonthSource::Meter, Some(own)),
        (None, Some(billed)) => plain(MonthSource::Bills, Some(billed)),
        (Some(own), Some(billed)) => {
            let sharp = 1.0 <= own.coverage_ratio && own.high == Some(own.low);
            if sharp || billed.coverage_ratio < 1.0 {
                let stands_in =
                    own.coverage_ratio < COVERAGE_MIN && own.coverage_ratio < billed.coverage_ratio;
                return if stands_in {
                    plain(MonthSource::Bills, Some(billed))
                } else {
                    plain(MonthSource::Meter, Some(own))
                };
            }
            together(own, billed)
        }
    }
}

fn together(own: &MonthValue, billed: &MonthValue) -> Chosen {
    let source = if own.coverage_ratio < COVERAGE_MIN { MonthSource::Bills } else { MonthSource::Meter };
    let high_of = |v: &MonthValue| v.high.unwrap_or(i64::MAX);
    let (low, high) = (own.low.max(billed.low), high_of(own).min(high_of(billed)));
    let contradicted = high < low;
    let (low, high, amount) = if contradicted {
        let high = high_of(own).max(high_of(billed));
        (own.low.min(billed.low), high, own.amount.max(billed.amount))
    } else {
        (low, high, billed.amount.clamp(low, high))
    };
    let measured = own.amount as f64 * (1.0 - own.estimated_ratio);
    let estimated_ratio = if 0 < amount { (1.0 - measured / amount as f64).clamp(0.0, 1.0) } else { 0.0 };
    // A month whose bill crosses its boundary is itself split by days.
    let estimated_ratio = estimated_ratio.min(billed.estimated_ratio.max(1.0 - own.coverage_ratio));
    let value = MonthValue {
        month: own.month,
        amount,
        low,
        high: (high != i64::MAX).then_some(high),
        coverage_ratio: billed.coverage_ratio,
        estimated_ratio,
    };
    Chosen { source, value: Some(value), contradicted }
}

/// Every month that meter and bills tell together, for the baseline.
pub(super) fn mended(own: &MonthlySeries, billed: &MonthlySeries) -> MonthlySeries {
    let mend = |m: &MonthValue| match choose(Some(m), billed.get(m.month)) {
        Chosen { source: MonthSource::Meter, value: Some(value), .. } => value,
        Chosen { .. } => *m,
    };
    MonthlySeries { unit: own.unit, months: own.months.iter().map(mend).collect() }
}

/// A finding for each month in which the two contradict each other.
pub(super) fn contradictions(
    own: &MonthlySeries,
    billed: &MonthlySeries,
    subject: &str,
) -> Vec<DatedFinding> {
    let unit = own.unit;
    let tell = |month: Month, own: &MonthValue, billed: &MonthValue| {
        let show = |amount: i64| format!("{:.3}", unit.to_display(amount));
        let (measured, on_bills) = (show(own.amount), show(billed.amount));
        let symbol = unit.display().symbol();
        let says = format!(
            "the bills say {on_bills} {symbol} where the meter says {measured} {symbol}, and its gaps cannot hold the difference; the higher one counts"
        );
        let rule = "conservative direction: of two that contradict each other the worse counts";
        let finding =
            Finding::new("bills.contradict", Severity::Caution, format!("{subject} {month}"), says, rule)
                .with("month", month)
                .with("billed", on_bills)
                .with("measured", measured)
                .with("unit", symbol);
        DatedFinding { month, finding }
    };
    own.months
        .iter()
        .filter_map(|m| {
            let bill = billed.get(m.month)?;
            choose(Some(m), Some(bill)).contradicted.then(|| tell(m.month, m, bill))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(amount: i64, low: i64, high: Option<i64>, coverage_ratio: f64) -> MonthValue {
        let month = Month { year: 2025, number: 3 };
        MonthValue { month, amount, low, high, coverage_ratio, estimated_ratio: 0.0 }
    }

    fn row(own: MonthValue, billed: MonthValue) -> (MonthSource, i64, i64, Option<i64>, bool) {
        let chosen = choose(Some(&own), Some(&billed));
        let v = chosen.value.expect("both are there");
        (chosen.source, v.amount, v.low, v.high, chosen.contradicted)
    }

    #[test]
    fn meter_and_bill_tell_the_month_together() {
        use MonthSource::{Bills, Meter};
        let bill = value(1_000, 1_000, Some(1_000), 1.0);
        let crossing = value(1_000, 0, Some(1_900), 1.0);
        let half = value(500, 500, Some(9_000), 0.5);
        let cases = [
            // Measured without a gap: the meter's, whatever the bill says.
            (value(990, 990, Some(990), 1.0), bill, (Meter, 990, 990, Some(990), false)),
            // A day is missing: the bill says what was used in it.
            (value(960, 960, Some(2_500), 0.97), bill, (Meter, 1_000, 1_000, Some(1_000), false)),
            (value(960, 960, Some(2_500), 0.97), crossing, (Meter, 1_000, 960, Some(1_900), false)),
            // Most is missing.
            (value(300, 300, Some(9_000), 0.4), bill, (Bills, 1_000, 1_000, Some(1_000), false)),
            // The meter alone saw more than was billed, or its gap is too short for the difference.
            (value(1_200, 1_200, Some(1_300), 0.97), bill, (Meter, 1_200, 1_000, Some(1_300), true)),
            (value(800, 800, Some(900), 0.97), bill, (Meter, 1_000, 800, Some(1_000), true)),
            // Nothing bounds the gap but the bill.
            (value(960, 960, None, 0.97), bill, (Meter, 1_000, 1_000, Some(1_000), false)),
            // Half a month of bills mends nothing.
            (value(960, 960, Some(2_500), 0.97), half, (Meter, 960, 960, Some(2_500), false)),
            (value(100, 100, Some(9_900), 0.1), half, (Bills, 500, 500, Some(9_000), false)),
        ];
        for (own, billed, expected) in cases {
            assert_eq!(row(own, billed), expected, "{own:?} {billed:?}");
        }
    }
}
