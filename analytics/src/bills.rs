//! Billed periods to use periods for fitting, and to civil months for reporting.
//!
//! Must never: take a supplier's estimate for a measurement, or count one day in two bills.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use model::{
    BaseUnit, BillQuality, BilledPeriod, Edge, Finding, Joint, Month, MonthValue, MonthlySeries, Severity,
    Zone,
};

use crate::series::DatedFinding;
use crate::series::split::Splitter;
use crate::series::unmeasured_at_most;

/// Energy of a period as it was billed, settled: estimated bills are joined with the read bill that trues them up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsePeriod {
    pub from: NaiveDate,
    /// First day after the period.
    pub to: NaiveDate,
    /// In the smallest unit; negative only where the supplier refunded.
    pub amount: i64,
    /// Whether both ends were read. An estimate that no read bill follows is not settled.
    pub settled: bool,
}

/// Bills made consistent, and what had to be left out.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SettledBills {
    /// Ascending, not overlapping.
    pub periods: Vec<UsePeriod>,
    pub findings: Vec<DatedFinding>,
}

/// Days more than its own that a bill's readings may lie apart.
const SLACK_DAYS: i64 = 1;
const DAY_MILLIS: i64 = 86_400_000;

const BILL_RULE: &str = "CalTRACK 2.0 §2.2.3.1: estimated reads are joined with the next actual read";

/// Orders bills, drops what cannot be used (wrong unit, empty period, days already billed, more energy than
/// `ceiling_per_milli` carries in its days) with a finding, and joins estimated bills with the read bill that follows
/// without a hole. Read bills go before estimated ones. The ceiling is in the smallest unit per millisecond; 0 or less
/// says that none is known.
#[must_use]
pub fn settle(bills: &[BilledPeriod], unit: BaseUnit, ceiling_per_milli: f64, subject: &str) -> SettledBills {
    let mut out = SettledBills::default();
    let mut usable: Vec<&BilledPeriod> = Vec::with_capacity(bills.len());
    for bill in bills {
        if bill.unit != unit || bill.to <= bill.from {
            out.findings.push(refused(
                "bills.unusable",
                bill,
                subject,
                "its unit or its dates do not fit the meter",
            ));
        } else if is_beyond(bill, ceiling_per_milli) {
            let why = "its energy is more than the connection carries in its days";
            out.findings.push(refused("bills.beyond_connection", bill, subject, why));
        } else {
            usable.push(bill);
        }
    }
    usable.sort_by_key(|b| (b.quality, b.from, b.to, b.amount));
    let mut taken: BTreeMap<NaiveDate, &BilledPeriod> = BTreeMap::new();
    for bill in usable {
        let before = taken.range(..bill.to).next_back();
        if before.is_some_and(|(_, other)| bill.from < other.to) {
            out.findings.push(refused("bills.overlap", bill, subject, "its days are billed already"));
        } else {
            taken.insert(bill.from, bill);
        }
    }
    out.periods = join_estimates(taken.into_values());
    out
}

/// Whether the connection cannot have carried it, in either direction.
fn is_beyond(bill: &BilledPeriod, ceiling_per_milli: f64) -> bool {
    let millis = ((bill.to - bill.from).num_days() + SLACK_DAYS).saturating_mul(DAY_MILLIS);
    unmeasured_at_most(ceiling_per_milli, millis).is_some_and(|most| most < bill.amount.saturating_abs())
}

fn refused(code: &'static str, bill: &BilledPeriod, subject: &str, why: &str) -> DatedFinding {
    let month = Month::of(bill.from);
    let finding = Finding::new(
        code,
        Severity::Caution,
        format!("{subject} {month}"),
        format!("the bill from {} to {} was left out: {why}", bill.from, bill.to),
        BILL_RULE,
    )
    .with("from", bill.from)
    .with("to", bill.to);
    DatedFinding { month, finding }
}

fn join_estimates<'a>(bills: impl Iterator<Item = &'a BilledPeriod>) -> Vec<UsePeriod> {
    let mut periods: Vec<UsePeriod> = Vec::new();
    for bill in bills {
        let settled = bill.quality == BillQuality::Read;
        match periods.last_mut() {
            Some(last) if !last.settled && last.to == bill.from => {
                last.to = bill.to;
                last.amount = last.amount.saturating_add(bill.amount);
                last.settled = settled;
            }
            Some(_) | None => {
                periods.push(UsePeriod { from: bill.from, to: bill.to, amount: bill.amount, settled });
            }
        }
    }
    periods
}

/// Sums of one month while it is being filled.
#[derive(Debug, Clone, Copy, Default)]
struct MonthSum {
    amount: i64,
    low: i64,
    high: i64,
    covered_days: i64,
    estimated: i64,
    /// Of a bill that crosses its beginning or its end.
    begins: Edge,
    ends: Edge,
    /// What settled bills say of it.
    settled: i64,
}

/// Civil months of settled bills. A period that crosses a month's boundary is split by days and marked estimated;
/// its energy bounds both months. An unsettled estimate shows its amount but covers nothing.
#[must_use]
pub fn months(periods: &[UsePeriod], unit: BaseUnit, zone: Zone, ceiling_per_milli: f64) -> MonthlySeries {
    let mut sums: BTreeMap<Month, MonthSum> = BTreeMap::new();
    for period in periods {
        let length = (period.to - period.from).num_days();
        let mut splitter = Splitter::new(period.amount, length);
        let mut month = Month::of(period.from);
        let crosses = month.end_day() < period.to;
        let (mut begin, mut given) = (period.from, 0);
        while begin < period.to {
            let end = month.end_day().min(period.to);
            let part = splitter.part_until((end - period.from).num_days());
            let sum = sums.entry(month).or_default();
            sum.amount += part;
            if period.settled {
                // What is refunded bounds from below, what is used from above.
                sum.low += if crosses { period.amount.min(0) } else { part };
                sum.high += if crosses { period.amount.max(0) } else { part };
                sum.covered_days += (end - begin).num_days();
                sum.settled += part;
                if period.from < begin {
                    sum.begins = edge(period.amount, period.amount - given);
                }
                if end < period.to {
                    sum.ends = edge(period.amount, given + part);
                }
            }
            given += part;
            if crosses || !period.settled {
                sum.estimated += part;
            }
            begin = end;
            month = month.next();
        }
    }
    let value = |(month, sum): (Month, MonthSum)| month_value(month, sum, zone, ceiling_per_milli);
    MonthlySeries { unit, months: sums.into_iter().map(value).collect() }
}

/// Of a bill of so much energy of which a part lies on one side of a month's end by its days, as far as anybody knows:
/// all or nothing of it may lie there.
fn edge(amount: i64, part: i64) -> Edge {
    Edge { less: part - amount.min(0), more: amount.max(0) - part }
}

fn month_value(month: Month, sum: MonthSum, zone: Zone, ceiling_per_milli: f64) -> MonthValue {
    let (from, to) = month.bounds(zone);
    let days = i64::from(month.days());
    let missing_millis = (to.millis() - from.millis()) / days * (days - sum.covered_days).max(0);
    let unmeasured = unmeasured_at_most(ceiling_per_milli, missing_millis);
    MonthValue {
        month,
        amount: sum.amount,
        low: sum.low,
        high: unmeasured.map(|u| sum.high.saturating_add(u)),
        joint: Some(Joint {
            low: sum.settled,
            high: unmeasured.map(|u| sum.settled.saturating_add(u)),
            step: 0,
            begins: sum.begins,
            ends: sum.ends,
        }),
        coverage_ratio: (sum.covered_days as f64 / days as f64).clamp(0.0, 1.0),
        estimated_ratio: if sum.amount == 0 {
            0.0
        } else {
            (sum.estimated as f64 / sum.amount as f64).clamp(0.0, 1.0)
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn bill(from: &str, to: &str, amount: i64, quality: BillQuality) -> BilledPeriod {
        let supply_point = "IT001E1".to_owned();
        BilledPeriod { supply_point, from: day(from), to: day(to), amount, unit: BaseUnit::WattHour, quality }
    }

    const ROME: Zone = chrono_tz();

    const fn chrono_tz() -> Zone {
        Zone::Europe__Rome
    }

    #[test]
    fn an_estimate_is_settled_by_the_next_read_bill() {
        use BillQuality::{Estimated, Read};
        let bills = [
            bill("2025-03-01", "2025-04-01", 70, Read),
            bill("2025-01-01", "2025-02-01", 100, Estimated),
            bill("2025-02-01", "2025-03-01", -20, Read),
            bill("2025-04-01", "2025-05-01", 50, Estimated),
        ];
        let settled = settle(&bills, BaseUnit::WattHour, 0.0, "meter:a");
        let rows: Vec<_> =
            settled.periods.iter().map(|p| (p.from.to_string(), p.amount, p.settled)).collect();
        let row = |d: &str, a, s| (d.to_owned(), a, s);
        assert_eq!(
            rows,
            [row("2025-01-01", 80, true), row("2025-03-01", 70, true), row("2025-04-01", 50, false)]
        );
        let months = months(&settled.periods, BaseUnit::WattHour, ROME, 1e-6);
        let april = months.get(Month { year: 2025, number: 4 }).unwrap();
        assert_eq!((april.amount, april.low, april.coverage_ratio, april.estimated_ratio), (50, 0, 0.0, 1.0));
        assert_eq!(april.high, Some(2592));
    }

    #[test]
    fn a_day_is_billed_once_and_the_read_bill_stands() {
        use BillQuality::{Estimated, Read};
        let bills = [
            bill("2025-01-01", "2025-02-01", 100, Estimated),
            bill("2025-01-01", "2025-03-01", 150, Read),
            bill("2025-02-15", "2025-03-15", 9, Read),
            bill("2025-03-01", "2025-03-01", 9, Read),
        ];
        let settled = settle(&bills, BaseUnit::WattHour, 0.0, "meter:a");
        assert_eq!(settled.periods.len(), 1);
        assert_eq!(settled.periods[0].amount, 150);
        let codes: Vec<_> = settled.findings.iter().map(|f| f.finding.code).collect();
        assert_eq!(codes, ["bills.unusable", "bills.overlap", "bills.overlap"]);
        assert!(settle(&bills, BaseUnit::Litre, 0.0, "meter:a").periods.is_empty());
    }

    #[test]
    fn a_bill_beyond_what_the_connection_carries_is_left_out_and_named() {
        use BillQuality::Read;
        // 1 kW: 24 kWh a day, and a day more for when its readings were made.
        let ceiling_per_milli = 1000.0 / 3_600_000.0;
        let of = |amount| [bill("2025-03-01", "2025-04-01", amount, Read)];
        for amount in [768_000, -768_000] {
            let settled = settle(&of(amount), BaseUnit::WattHour, ceiling_per_milli, "meter:a");
            assert_eq!((settled.periods.len(), settled.findings.len()), (1, 0), "{amount}");
        }
        for amount in [768_001, 9_000_000_000_000, -768_001] {
            let settled = settle(&of(amount), BaseUnit::WattHour, ceiling_per_milli, "meter:a");
            assert!(settled.periods.is_empty(), "{amount}");
            let found: Vec<_> =
                settled.findings.iter().map(|f| (f.finding.code, f.finding.severity)).collect();
            assert_eq!(found, [("bills.beyond_connection", Severity::Caution)]);
        }
    }

    #[test]
    fn splitting_a_month_in_two_sums_to_the_month() {
        let whole =
            settle(&[bill("2025-03-01", "2025-04-01", 101, BillQuality::Read)], BaseUnit::WattHour, 0.0, "m");
        let halves = settle(
            &[
                bill("2025-03-01", "2025-03-18", 55, BillQuality::Read),
                bill("2025-03-18", "2025-04-01", 46, BillQuality::Read),
            ],
            BaseUnit::WattHour,
            0.0,
            "m",
        );
        let of = |s: &SettledBills| months(&s.periods, BaseUnit::WattHour, ROME, 0.1);
        assert_eq!(of(&whole), of(&halves));
    }

    #[test]
    fn a_bill_over_a_boundary_is_split_by_days_and_bounds_both_months() {
        let settled =
            settle(&[bill("2025-01-17", "2025-02-15", 290, BillQuality::Read)], BaseUnit::WattHour, 0.0, "m");
        let series = months(&settled.periods, BaseUnit::WattHour, ROME, 0.0);
        let amounts: Vec<_> =
            series.months.iter().map(|m| (m.amount, m.low, m.high, m.estimated_ratio)).collect();
        assert_eq!(amounts, [(150, 0, None, 1.0), (140, 0, None, 1.0)]);
    }
}
