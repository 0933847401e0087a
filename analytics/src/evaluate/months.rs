//! The month as the meter and the bills of its supply point have it together.
//!
//! Must never: let a gap of the meter hide what a read bill shows, or choose between two that contradict each other
//! in the beneficiary's favour.

use model::{Finding, Month, MonthValue, MonthlySeries, Severity};

use super::COVERAGE_MIN;
use crate::agree::{self, Room};
use crate::result::MonthSource;
use crate::series::DatedFinding;

/// One month, and where it came from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Chosen {
    pub(super) source: MonthSource,
    pub(super) value: Option<MonthValue>,
    /// The bills say another thing than the meter, and both cannot be true.
    pub(super) contradicted: bool,
    /// So they do of a month that the meter measured without a gap: the bounds reach over both.
    pub(super) disputed: bool,
}

/// The best of what both say.
///
/// A month that the meter measured without a gap is the meter's; where a read bill of it says another thing, its
/// bounds reach over both until a person corrects one of the two. A read bill that covers a month in which the meter has
/// a gap is the better evidence for what is missing: the truth is within the bounds of both, so the month takes
/// the tighter of each bound, and the billed amount within them. Where the two leave no room for a truth, one of
/// them is wrong and nobody knows which: the month stays the meter's with what it covers, at the lower of the lower
/// bounds and without an upper one, and is withheld until a person corrects one of the two.
/// An estimated bill, or one that covers a part of the month, never mends a gap; it stands in where it covers more.
pub(super) fn choose(own: Option<&MonthValue>, billed: Option<&MonthValue>) -> Chosen {
    let plain = |source, value: Option<&MonthValue>| Chosen {
        source,
        value: value.copied(),
        contradicted: false,
        disputed: false,
    };
    match (own, billed) {
        (None, None) => plain(MonthSource::Missing, None),
        (Some(own), None) => plain(MonthSource::Meter, Some(own)),
        (None, Some(billed)) => plain(MonthSource::Bills, Some(billed)),
        (Some(own), Some(billed)) => {
            let sharp = 1.0 <= own.coverage_ratio && own.high == Some(own.low);
            let stands_in = own.coverage_ratio < COVERAGE_MIN && own.coverage_ratio < billed.coverage_ratio;
            if billed.coverage_ratio < 1.0 && !stands_in {
                return plain(MonthSource::Meter, Some(own));
            }
            match agree::room(own, billed) {
                Some(_) if sharp => plain(MonthSource::Meter, Some(own)),
                None if sharp => disputed(own, billed),
                Some(room) => together(own, billed, room),
                None => contradicted(own, billed),
            }
        }
    }
}

fn together(own: &MonthValue, billed: &MonthValue, room: Room) -> Chosen {
    let source = if own.coverage_ratio < COVERAGE_MIN { MonthSource::Bills } else { MonthSource::Meter };
    let mut value = room.raised(billed, own);
    if 1.0 <= billed.coverage_ratio {
        let measured = own.amount as f64 * (1.0 - own.estimated_ratio);
        let of_amount =
            if 0 < value.amount { (1.0 - measured / value.amount as f64).clamp(0.0, 1.0) } else { 0.0 };
        // A month whose bill crosses its boundary is itself split by days.
        value.estimated_ratio = of_amount.min(billed.estimated_ratio.max(1.0 - own.coverage_ratio));
    }
    Chosen { source, value: Some(value), contradicted: false, disputed: false }
}

/// Two whole statements of which one is false: the truth may be either. Of a bill that crosses the month's ends what is
/// nearest to the meter counts.
fn disputed(own: &MonthValue, billed: &MonthValue) -> Chosen {
    let said = own.amount.max(billed.low).min(billed.high.unwrap_or(i64::MAX));
    let value = MonthValue { low: own.low.min(said), high: own.high.map(|high| high.max(said)), ..*own };
    Chosen { source: MonthSource::Meter, value: Some(value), contradicted: false, disputed: true }
}

/// Of two statements of which one is false nothing bounds the month from above: whoever reads it elsewhere, from a
/// file of its months, withholds it too.
fn contradicted(own: &MonthValue, billed: &MonthValue) -> Chosen {
    let value = MonthValue { low: own.low.min(billed.low), high: None, joint: None, ..*own };
    Chosen { source: MonthSource::Meter, value: Some(value), contradicted: true, disputed: false }
}

/// Every month that meter and bills tell together, for the baseline.
pub(super) fn mended(own: &MonthlySeries, billed: &MonthlySeries) -> MonthlySeries {
    let mend = |m: &MonthValue| match choose(Some(m), billed.get(m.month)) {
        Chosen { source: MonthSource::Meter, value: Some(value), .. } => value,
        Chosen { .. } => *m,
    };
    MonthlySeries { unit: own.unit, months: own.months.iter().map(mend).collect() }
}

/// The months in which the two contradict each other.
pub(super) fn denied(own: &MonthlySeries, billed: &MonthlySeries) -> Vec<Month> {
    let is_denied = |m: &&MonthValue| choose(Some(m), billed.get(m.month)).contradicted;
    own.months.iter().filter(is_denied).map(|m| m.month).collect()
}

/// A finding for each month in which the two contradict each other.
pub(super) fn contradictions(
    own: &MonthlySeries,
    billed: &MonthlySeries,
    subject: &str,
) -> Vec<DatedFinding> {
    let unit = own.unit;
    let tell = |month: Month, own: &MonthValue, billed: &MonthValue, disputed: bool| {
        let show = |amount: i64| format!("{:.3}", unit.to_display(amount));
        let (measured, on_bills) = (show(own.amount), show(billed.amount));
        let symbol = unit.display().symbol();
        let (code, why) = if disputed {
            ("bills.dispute", "without a gap; the worse of the two counts in the bound")
        } else {
            ("bills.contradict", "and its gaps cannot hold the difference; the month stays the meter's")
        };
        let says = format!(
            "the bills say {on_bills} {symbol} where the meter says {measured} {symbol}, {why} until one of the two is corrected"
        );
        let rule = "conservative direction: of two that contradict each other neither mends the other";
        let finding = Finding::new(code, Severity::Caution, format!("{subject} {month}"), says, rule)
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
            let Chosen { contradicted, disputed, .. } = choose(Some(m), Some(bill));
            (contradicted || disputed).then(|| tell(m.month, m, bill, disputed))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(amount: i64, low: i64, high: Option<i64>, coverage_ratio: f64) -> MonthValue {
        let month = Month { year: 2025, number: 3 };
        MonthValue { month, amount, low, high, coverage_ratio, estimated_ratio: 0.0, joint: None }
    }

    fn row(own: MonthValue, billed: MonthValue) -> (MonthSource, i64, i64, Option<i64>, bool) {
        let chosen = choose(Some(&own), Some(&billed));
        let v = chosen.value.expect("both are there");
        (chosen.source, v.amount, v.low, v.high, chosen.contradicted)
    }

    #[test]
    fn meter_and_bill_tell_the_month_together() {
        use MonthSource::{Bills, Meter};
        let bill = value(1_000_000, 1_000_000, Some(1_000_000), 1.0);
        let crossing = MonthValue { estimated_ratio: 1.0, ..value(1_000_000, 0, Some(1_900_000), 1.0) };
        let half = value(500_000, 500_000, Some(9_000_000), 0.5);
        let nearly = value(10_000, 10_000, Some(2_000_000), 0.95);
        let own = |amount: i64, high: i64, coverage| value(amount, amount, Some(high), coverage);
        let cases = [
            // Measured without a gap: the meter's; what the bill says else is a bound.
            (own(990_000, 990_000, 1.0), bill, (Meter, 990_000, 990_000, Some(990_000), false)),
            (own(100_000, 100_000, 1.0), bill, (Meter, 100_000, 100_000, Some(1_000_000), false)),
            (own(3_000_000, 3_000_000, 1.0), bill, (Meter, 3_000_000, 1_000_000, Some(3_000_000), false)),
            // One that crosses the month's ends says no more of it than the most.
            (own(990_000, 990_000, 1.0), crossing, (Meter, 990_000, 990_000, Some(990_000), false)),
            (own(3_000_000, 3_000_000, 1.0), crossing, (Meter, 3_000_000, 1_900_000, Some(3_000_000), false)),
            (own(990_000, 990_000, 1.0), half, (Meter, 990_000, 990_000, Some(990_000), false)),
            // A day is missing: the bill says what was used in it.
            (own(960_000, 2_500_000, 0.97), bill, (Meter, 1_000_000, 1_000_000, Some(1_000_000), false)),
            (own(960_000, 2_500_000, 0.97), crossing, (Meter, 1_000_000, 960_000, Some(1_900_000), false)),
            // Most is missing.
            (own(300_000, 9_000_000, 0.4), bill, (Bills, 1_000_000, 1_000_000, Some(1_000_000), false)),
            // The meter alone saw more than was billed, or its gap is too short for the difference.
            (own(1_200_000, 1_300_000, 0.97), bill, (Meter, 1_200_000, 1_000_000, None, true)),
            (own(800_000, 900_000, 0.97), bill, (Meter, 800_000, 800_000, None, true)),
            // Also where the meter measured a quarter of the month.
            (own(1_133_000, 18_301_000, 0.277), bill, (Meter, 1_133_000, 1_000_000, None, true)),
            (own(1_133_000, 18_301_000, 0.277), nearly, (Meter, 1_133_000, 10_000, None, true)),
            // Rounded by the supplier, and read at another hour.
            (own(1_004_000, 9_000_000, 0.4), bill, (Bills, 1_004_000, 1_000_000, Some(1_004_000), false)),
            // Nothing bounds the gap but the bill.
            (
                value(960_000, 960_000, None, 0.97),
                bill,
                (Meter, 1_000_000, 1_000_000, Some(1_000_000), false),
            ),
            // Half a month of bills mends nothing.
            (own(960_000, 2_500_000, 0.97), half, (Meter, 960_000, 960_000, Some(2_500_000), false)),
            (own(100_000, 9_900_000, 0.1), half, (Bills, 500_000, 500_000, Some(9_000_000), false)),
        ];
        for (own, billed, expected) in cases {
            assert_eq!(row(own, billed), expected, "{own:?} {billed:?}");
            let coverage = choose(Some(&own), Some(&billed)).value.map(|v| v.coverage_ratio);
            let of = if expected.4 || expected.0 == Meter && billed == half { own } else { billed };
            assert!(own.coverage_ratio == 1.0 || coverage == Some(of.coverage_ratio), "{coverage:?}");
        }
    }
}
