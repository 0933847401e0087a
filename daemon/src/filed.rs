//! What files state of a project's meter, gathered from the store: months of its intervals, months that another
//! installation reports, periods of its totals.
//!
//! Must never: convert gas without a coefficient, or let a value after the year change the figures of the year.

use analytics::filed::{TotalsOf, interval_months, prefer, total_periods};
use analytics::series::{DatedFinding, SeriesSettings};
use chrono::NaiveDate;
use model::{
    BilledPeriod, Carrier, Channel, FiledTotal, Finding, Instant, MeterFacts, Month, MonthlySeries, Quantity,
    SeriesKey, Severity,
};
use store::Store;

use crate::reported;

/// Totals after the year that close its last period: the next one, and one that may contradict it.
const CLOSING_TOTALS: usize = 2;

/// What files say of one meter.
#[derive(Debug)]
pub(crate) struct Filed {
    pub(crate) months: MonthlySeries,
    /// Between consecutive totals, as read.
    pub(crate) periods: Vec<BilledPeriod>,
    pub(crate) findings: Vec<DatedFinding>,
    /// How many values, from when to when.
    pub(crate) values: u64,
    pub(crate) first_at: Option<Instant>,
    pub(crate) last_at: Option<Instant>,
}

/// Gathers what files say of `meter` before `until`, which begins at `end`.
pub(crate) fn of_meter(
    store: &Store,
    meter: &MeterFacts,
    settings: &SeriesSettings,
    until: NaiveDate,
    end: Instant,
) -> anyhow::Result<Filed> {
    let key = |channel| SeriesKey { meter: meter.id.clone(), channel };
    // What files state in the carrier's own unit; the meter's register may count in another.
    let settings = SeriesSettings { ceiling_per_milli: meter.ceiling_per_milli(), gas: None, ..*settings };
    let own = key(own_channel(meter));
    let intervals = store.intervals(&own, end)?;
    let stated = reported::of_meter(store, meter, until)?;
    let curve = interval_months(&intervals, &settings, end);
    let (months, findings) = prefer(curve, stated, &format!("meter:{}", meter.id));
    let mut filed = Filed {
        months,
        periods: Vec::new(),
        findings,
        values: intervals.len() as u64,
        first_at: intervals.first().map(|i| i.from),
        last_at: intervals.last().map(|i| i.to),
    };
    filed.add_totals(meter, &settings, until, closed_by(store.totals(&own, LATEST)?, end), Some(1.0));
    if meter.carrier == Carrier::NaturalGas {
        let raw = store.totals(&key(Channel::total(Quantity::GasVolume)), LATEST)?;
        let factor = meter.gas.map(|gas| gas.coefficient.to_f64());
        filed.add_totals(meter, &settings, until, closed_by(raw, end), factor);
    }
    Ok(filed)
}

/// The channel of what files state of a meter in its carrier's own unit: of gas, standard volume.
pub(crate) fn own_channel(meter: &MeterFacts) -> Channel {
    match meter.carrier {
        Carrier::NaturalGas => Channel::total(Quantity::GasStandardVolume),
        _ => meter.total_channel(),
    }
}

/// Later than any total.
const LATEST: Instant = Instant::from_millis(i64::MAX);

/// The totals up to `end` and those after it that close the last period.
fn closed_by(mut totals: Vec<FiledTotal>, end: Instant) -> Vec<FiledTotal> {
    let within = totals.iter().take_while(|t| t.at <= end).count();
    totals.truncate(within + CLOSING_TOTALS);
    totals
}

impl Filed {
    fn add_totals(
        &mut self,
        meter: &MeterFacts,
        settings: &SeriesSettings,
        until: NaiveDate,
        totals: Vec<FiledTotal>,
        factor: Option<f64>,
    ) {
        let (Some(first), Some(last)) = (totals.first(), totals.last()) else { return };
        self.values += totals.len() as u64;
        self.first_at = Some(self.first_at.map_or(first.at, |at| at.min(first.at)));
        self.last_at = Some(self.last_at.map_or(last.at, |at| at.max(last.at)));
        let subject = format!("meter:{}", meter.id);
        let Some(factor) = factor else {
            self.findings.extend(unconverted(&subject, &totals, settings));
            return;
        };
        let supply_point = meter.supply_point.as_deref().unwrap_or(meter.id.as_str());
        let of = TotalsOf { subject: &subject, supply_point, settings, factor };
        let (periods, findings) = total_periods(&totals, &of);
        self.periods.extend(periods.into_iter().filter(|p| p.from < until));
        self.findings.extend(findings);
    }
}

/// One finding for each month with a total that cannot be converted.
fn unconverted(subject: &str, totals: &[FiledTotal], settings: &SeriesSettings) -> Vec<DatedFinding> {
    let mut months: Vec<Month> = totals.iter().map(|t| t.at.plus_millis(-1).month(settings.zone)).collect();
    months.dedup();
    let finding = |month: Month| {
        let says = "gas was read in cubic metres at the meter, and nothing says how many standard cubic metres they are; \
                    the readings are left out";
        let rule = "a cubic metre at the meter is no standard cubic metre";
        let about = format!("{subject} {month}");
        let finding = Finding::new("gas.coefficient.missing", Severity::Caution, about, says, rule);
        DatedFinding { month, finding: finding.with("month", month) }
    };
    months.into_iter().map(finding).collect()
}
