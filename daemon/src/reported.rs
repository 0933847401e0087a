//! Months of a meter that a structured file reports: what another installation measured, with its bounds, its coverage
//! and its estimated part, one record for each meter.
//!
//! Must never: make a month surer than its file says it is, or change one without a reason.

use analytics::report::structured::MonthRow;
use analytics::result::MonthSource;
use anyhow::Context;
use chrono::NaiveDate;
use model::{Instant, MeterFacts, Month, MonthValue, MonthlySeries};
use serde::{Deserialize, Serialize};
use store::Store;

use crate::exit::Failure;
use crate::records;

const RECORD: &str = "reported_months";
/// Coverage from which a month is shown whole, with what its missing hours are taken to have used.
const WHOLE_FROM: f64 = analytics::evaluate::COVERAGE_MIN;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    meter: String,
    /// Symbol of the meter's display unit; amounts are in thousandths of it.
    unit: String,
    /// Ascending.
    months: Vec<Reported>,
    /// Why an earlier version was changed; empty in the first.
    reason: String,
}

/// One month; amounts in the smallest unit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reported {
    year: i32,
    month: u32,
    amount: i64,
    low: i64,
    high: Option<i64>,
    coverage_ratio: f64,
    estimated_ratio: f64,
}

/// Why a row cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// Head of the column, as in the office's files; empty when the row as a whole is meant.
    pub(crate) column: &'static str,
    pub(crate) value: String,
    pub(crate) reason: String,
}

impl Wrong {
    pub(crate) fn new(column: &'static str, value: String, reason: &str) -> Self {
        Self { column, value, reason: reason.to_owned() }
    }
}

/// What became of a file's months.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) new: u64,
    pub(crate) same: u64,
    pub(crate) replaced: u64,
}

impl Reported {
    /// A row as it was computed before its missing hours were filled; `None` where nothing was measured.
    ///
    /// # Errors
    /// For an amount below zero, bounds that do not hold the amount, and shares that are none: none of them can be of a
    /// meter, and each could be taken for a saving.
    pub(crate) fn of(row: &MonthRow) -> Result<Option<Self>, Wrong> {
        check(row)?;
        let Some(shown) = row.measured else { return Ok(None) };
        let coverage = row.coverage_percent / 100.0;
        let estimated = row.estimated_percent.unwrap_or(0.0) / 100.0;
        let low = row.measured_low.unwrap_or(0.0);
        let filled = (WHOLE_FROM..1.0).contains(&coverage) && 0.0 < shown;
        // Filled hours stop at the upper bound, so that less than their share may have been filled.
        let amount = if filled { (shown * coverage).max(low) } else { shown };
        let own = if filled { (estimated * shown - (shown - amount)) / amount } else { estimated };
        Ok(Some(Self {
            year: row.month.year,
            month: row.month.number,
            amount: smallest(amount),
            low: smallest(low),
            high: row.measured_high.map(smallest),
            coverage_ratio: coverage,
            estimated_ratio: own.clamp(0.0, 1.0),
        }))
    }

    /// Whether a meter can have measured it: a store may hold months that were taken before rows were checked.
    fn is_sound(&self) -> bool {
        0 <= self.amount
            && 0 <= self.low
            && self.high.is_none_or(|high| self.amount <= high && self.low <= high)
    }

    fn is_of_month(&self, other: &Self) -> bool {
        (self.year, self.month) == (other.year, other.month)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the file holds thousandths; a cast saturates")]
fn smallest(value: f64) -> i64 {
    (value * 1000.0).round() as i64
}

/// Whether a row's quantities can be those of a meter's month.
fn check(row: &MonthRow) -> Result<(), Wrong> {
    let amounts = [
        ("quantita_misurata", row.measured),
        ("quantita_minima", row.measured_low),
        ("quantita_massima", row.measured_high),
    ];
    for (column, amount) in amounts {
        if let Some(amount) = amount.filter(|amount| !(0.0..).contains(amount)) {
            let reason = "a meter's month is never below zero; give the energy that flowed in its direction";
            return Err(Wrong::new(column, amount.to_string(), reason));
        }
    }
    let shares =
        [("copertura_percento", Some(row.coverage_percent)), ("stimato_percento", row.estimated_percent)];
    for (column, share) in shares {
        if let Some(share) = share.filter(|share| !(0.0..=100.0).contains(share)) {
            return Err(Wrong::new(column, share.to_string(), "a share lies between 0 and 100"));
        }
    }
    let Some(shown) = row.measured else { return Ok(()) };
    if row.source == MonthSource::Missing {
        let reason = "nothing was measured, says the row, and gives an amount; say where it is from, or leave it empty";
        return Err(Wrong::new("provenienza", "missing".to_owned(), reason));
    }
    if let Some(low) = row.measured_low.filter(|low| smallest(shown) < smallest(*low)) {
        return Err(Wrong::new(
            "quantita_minima",
            low.to_string(),
            "the lower bound is above the measured quantity",
        ));
    }
    if let Some(high) = row.measured_high.filter(|high| smallest(*high) < smallest(shown)) {
        return Err(Wrong::new(
            "quantita_massima",
            high.to_string(),
            "the upper bound is below the measured quantity",
        ));
    }
    Ok(())
}

/// What is on record of a meter; nothing where the project file says another unit now, since that makes other energy of
/// the same numbers.
fn kept(store: &Store, meter: &MeterFacts) -> anyhow::Result<Vec<Reported>> {
    let found = records::get::<Body>(store, RECORD, meter.id.as_str())?;
    let body = found.map(|(body, _)| body).filter(|body| body.unit == unit(meter));
    Ok(body.map_or_else(Vec::new, |body| body.months))
}

fn unit(meter: &MeterFacts) -> &'static str {
    meter.carrier.base_unit().display().symbol()
}

/// Whether the same month stands on record with other figures.
pub(crate) fn clashes(store: &Store, meter: &MeterFacts, of: &Reported) -> anyhow::Result<bool> {
    Ok(kept(store, meter)?.iter().any(|k| k.is_of_month(of) && k != of))
}

/// Puts months of a meter on record beside those that are there.
pub(crate) fn put(
    store: &Store,
    meter: &MeterFacts,
    months: &[Reported],
    (author, reason): (&str, &str),
    at: Instant,
) -> Result<Count, Failure> {
    let mut count = Count::default();
    let mut all = kept(store, meter)?;
    for month in months {
        match all.iter_mut().find(|k| k.is_of_month(month)) {
            Some(same) if *same == *month => count.same += 1,
            Some(other) => {
                *other = *month;
                count.replaced += 1;
            }
            None => {
                all.push(*month);
                count.new += 1;
            }
        }
    }
    if 0 < count.new + count.replaced {
        all.sort_by_key(|m| (m.year, m.month));
        let (id, unit) = (meter.id.to_string(), unit(meter).to_owned());
        let body = Body { meter: id, unit, months: all, reason: reason.to_owned() };
        records::put(store, (RECORD, meter.id.as_str()), &body, author, at)?;
    }
    Ok(count)
}

/// The months on record of a meter that end by `until`.
pub(crate) fn of_meter(store: &Store, meter: &MeterFacts, until: NaiveDate) -> anyhow::Result<MonthlySeries> {
    let mut months = Vec::new();
    for of in kept(store, meter)?.into_iter().filter(Reported::is_sound) {
        let month = Month::new(of.year, of.month)
            .with_context(|| format!("the reported months of {} have a month {}", meter.id, of.month))?;
        months.push(MonthValue {
            month,
            amount: of.amount,
            low: of.low,
            high: of.high,
            coverage_ratio: of.coverage_ratio,
            estimated_ratio: of.estimated_ratio,
            joint: None,
        });
    }
    months.retain(|m| m.month.end_day() <= until);
    Ok(MonthlySeries { unit: meter.carrier.base_unit(), months })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(measured: f64, (low, high): (f64, Option<f64>), coverage: f64, estimated: f64) -> MonthRow {
        MonthRow {
            building: model::BuildingId::new("b").unwrap(),
            building_name: String::new(),
            istat_code: String::new(),
            ape_code: None,
            usage_profile: None,
            open_days: None,
            open_hours: None,
            month: Month::new(2025, 6).unwrap(),
            carrier: model::Carrier::GridElectricity,
            meter: model::MeterId::new("m").unwrap(),
            supply_point: None,
            direction: model::Direction::Import,
            role: model::MeterRole::Compared,
            unit: "kWh",
            source: analytics::result::MonthSource::Meter,
            measured: Some(measured),
            measured_low: Some(low),
            measured_high: high,
            coverage_percent: coverage,
            estimated_percent: Some(estimated),
            self_consumed: None,
            self_consumed_low: None,
            self_consumed_high: None,
            energy_kwh: None,
            primary_nonrenewable_kwh: None,
            primary_total_kwh: None,
            co2_kg: None,
            heating_degree_days: None,
            degree_day_base_c: None,
            reference_degree_days: None,
            adjusted_baseline: None,
            adjustment: None,
            avoided: None,
            findings: Vec::new(),
            note: None,
        }
    }

    #[test]
    fn a_month_keeps_its_bounds_and_its_gaps() {
        // 27.7 % measured: nothing was filled, and it stays as little known as it was.
        let of = |row: &MonthRow| Reported::of(row).unwrap();
        let poor = of(&row(1133.1, (1133.1, Some(18_301.0)), 27.7, 0.0)).unwrap();
        assert_eq!((poor.amount, poor.low, poor.high), (1_133_100, 1_133_100, Some(18_301_000)));
        assert!((poor.coverage_ratio - 0.277).abs() < 1e-12 && poor.estimated_ratio == 0.0, "{poor:?}");
        // 95 % measured: shown whole, and kept as it was before it was filled.
        let filled = of(&row(1000.0, (950.0, None), 95.0, 5.0)).unwrap();
        assert_eq!((filled.amount, filled.low, filled.high), (950_000, 950_000, None));
        assert!(filled.estimated_ratio.abs() < 1e-12, "{filled:?}");
        // The upper bound stopped what was filled: what was measured stays at least the lower bound.
        let stopped = of(&row(960.0, (950.0, Some(960.0)), 95.0, 1.0)).unwrap();
        assert_eq!((stopped.amount, stopped.low, stopped.high), (950_000, 950_000, Some(960_000)));
        // What an earlier version took.
        assert!([poor, filled, stopped].iter().all(Reported::is_sound));
        assert!(!Reported { amount: -11_379_000, ..poor }.is_sound());
        assert!(!Reported { high: Some(0), ..poor }.is_sound());
        assert_eq!(of(&MonthRow { measured: None, ..row(0.0, (0.0, None), 0.0, 0.0) }), None);
    }

    #[test]
    fn what_no_meter_can_have_measured_is_refused() {
        let export = |measured| MonthRow {
            direction: model::Direction::Export,
            ..row(measured, (0.0, None), 100.0, 0.0)
        };
        let unmeasured = |low| MonthRow { measured: None, ..row(0.0, (low, None), 0.0, 0.0) };
        let cases = [
            (row(-11_379.0, (-11_379.0, Some(-11_379.0)), 100.0, 0.0), "quantita_misurata"),
            (row(10.0, (-0.001, Some(10.0)), 100.0, 0.0), "quantita_minima"),
            (row(0.0, (0.0, Some(-1.0)), 100.0, 0.0), "quantita_massima"),
            (export(-1.0), "quantita_misurata"),
            (unmeasured(-1.0), "quantita_minima"),
            (row(f64::NAN, (0.0, None), 100.0, 0.0), "quantita_misurata"),
            // Bounds that do not hold what was measured.
            (row(11_379.0, (0.0, Some(0.0)), 100.0, 0.0), "quantita_massima"),
            (row(10.0, (10.001, Some(20.0)), 100.0, 0.0), "quantita_minima"),
            (row(10.0, (10.0, Some(10.0)), 100.01, 0.0), "copertura_percento"),
            (row(10.0, (10.0, Some(10.0)), -1.0, 0.0), "copertura_percento"),
            (row(10.0, (10.0, Some(10.0)), 100.0, 101.0), "stimato_percento"),
        ];
        for (row, column) in cases {
            let wrong = Reported::of(&row).unwrap_err();
            assert_eq!(wrong.column, column, "{wrong:?}");
        }
        assert!(Reported::of(&row(0.0, (0.0, Some(0.0)), 100.0, 0.0)).is_ok(), "nothing used is a value");
    }
}
