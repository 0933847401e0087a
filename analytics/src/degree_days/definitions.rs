//! Heating and cooling degree days by every definition in use, each value with the definition it follows.
//!
//! Must never: compare or add degree days of two definitions: 20, 18 and 15 °C are not interchangeable.
//!
//! Legal degree days of a municipality are a constant of the place (DPR 412/1993, in [`crate::places`]), not a sum of a
//! year's days; [`Definition::DPR_412_93`] counts a year's days the way the law does, over the zone's season.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use crate::places::ZoneRules;

/// What the days are counted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Heating,
    Cooling,
}

/// How a day's value is made of its temperatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Daily {
    /// Of the day's mean.
    Mean,
    /// Of its lowest and highest temperature, by the rules of the UK Met Office.
    Extremes,
    /// The mean of what each hour has.
    Hours,
}

/// How degree days are counted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Definition {
    /// Stable name.
    pub code: &'static str,
    pub side: Side,
    pub base_c: f64,
    /// A day counts only when its mean is at most (heating) or at least (cooling) this; equal to the base where every
    /// day beyond it counts.
    pub threshold_c: f64,
    pub daily: Daily,
    /// Whether only the days of a zone's conventional heating season count.
    pub in_season: bool,
    pub source: &'static str,
}

const fn heating(code: &'static str, base_c: f64, source: &'static str) -> Definition {
    let (side, daily) = (Side::Heating, Daily::Mean);
    Definition { code, side, base_c, threshold_c: base_c, daily, in_season: false, source }
}

const fn cooling(code: &'static str, base_c: f64, source: &'static str) -> Definition {
    Definition { side: Side::Cooling, ..heating(code, base_c, source) }
}

impl Definition {
    pub const DPR_412_93: Self =
        Self { in_season: true, ..heating("dpr-412-93", 20.0, "DPR 412/1993 art. 1, season of the zone") };
    pub const EUROSTAT_HEATING: Self = Self {
        threshold_c: 15.0,
        ..heating("eurostat-heating", 18.0, "Eurostat nrg_chdd: 18 °C where the mean is at most 15 °C")
    };
    pub const EUROSTAT_COOLING: Self = Self {
        threshold_c: 24.0,
        ..cooling("eurostat-cooling", 21.0, "Eurostat nrg_chdd: 21 °C where the mean is at least 24 °C")
    };
    pub const EEA_HEATING: Self = heating("eea-heating", 15.5, "European Environment Agency");
    pub const EEA_COOLING: Self = cooling("eea-cooling", 22.0, "European Environment Agency");
    pub const OECD_HEATING: Self = heating("oecd-heating", 15.0, "OECD");
    pub const OECD_COOLING: Self = cooling("oecd-cooling", 22.0, "OECD");
    pub const VDI_3807: Self = Self {
        threshold_c: 12.0,
        ..heating("vdi-3807", 20.0, "DIN and VDI: 20 °C where the mean is at most 12 °C")
    };
    pub const COVENANT: Self = heating("covenant", 15.0, "Covenant of Mayors guidebook, p. 31");
    pub const UNITED_KINGDOM: Self = Self {
        daily: Daily::Extremes,
        ..heating("uk-met-office", 15.5, "UK Met Office: 15.5 °C from the day's extremes")
    };
    pub const UNITED_STATES_HEATING: Self = heating("us-heating", 65.0 / 1.8 - 32.0 / 1.8, "65 °F");
    pub const UNITED_STATES_COOLING: Self = cooling("us-cooling", 65.0 / 1.8 - 32.0 / 1.8, "65 °F");

    /// Every definition that has a name.
    pub const ALL: [Self; 12] = [
        Self::DPR_412_93,
        Self::EUROSTAT_HEATING,
        Self::EUROSTAT_COOLING,
        Self::EEA_HEATING,
        Self::EEA_COOLING,
        Self::OECD_HEATING,
        Self::OECD_COOLING,
        Self::VDI_3807,
        Self::COVENANT,
        Self::UNITED_KINGDOM,
        Self::UNITED_STATES_HEATING,
        Self::UNITED_STATES_COOLING,
    ];

    /// Every day beyond a base of one's own counts.
    #[must_use]
    pub const fn to_base(side: Side, base_c: f64) -> Self {
        Self { side, ..heating("base", base_c, "a base of the user's own") }
    }

    /// The same, with a day's value made of other temperatures.
    #[must_use]
    pub const fn by(self, daily: Daily) -> Self {
        Self { daily, ..self }
    }

    /// Kelvin days of a day with this mean.
    #[must_use]
    pub fn of_mean(&self, mean_c: f64) -> f64 {
        match self.side {
            Side::Heating if mean_c <= self.threshold_c => (self.base_c - mean_c).max(0.0),
            Side::Cooling if self.threshold_c <= mean_c => (mean_c - self.base_c).max(0.0),
            Side::Heating | Side::Cooling => 0.0,
        }
    }

    /// Kelvin days of a day with these extremes, by the rules of the UK Met Office (McVicker 1946): a day whose range
    /// holds the base counts a part. Cooling is the mirror image.
    #[must_use]
    pub fn of_extremes(&self, low_c: f64, high_c: f64) -> f64 {
        let (low, high) = match self.side {
            Side::Heating => (low_c - self.base_c, high_c - self.base_c),
            Side::Cooling => (self.base_c - high_c, self.base_c - low_c),
        };
        let mean = f64::midpoint(low, high);
        if high <= 0.0 {
            -mean
        } else if mean <= 0.0 {
            -low / 2.0 - high / 4.0
        } else if low < 0.0 {
            -low / 4.0
        } else {
            0.0
        }
    }

    /// Kelvin days of a day with these hourly temperatures; `None` without any.
    #[must_use]
    pub fn of_hours(&self, hours_c: &[f64]) -> Option<f64> {
        let n = hours_c.len() as f64;
        let beyond = |t: &f64| match self.side {
            Side::Heating => (self.base_c - t).max(0.0),
            Side::Cooling => (t - self.base_c).max(0.0),
        };
        (0.0 < n).then(|| hours_c.iter().map(beyond).sum::<f64>() / n)
    }
}

/// Degree days with what they follow and lack.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Counted {
    pub definition: Definition,
    /// Over the days that have a temperature, in K·d.
    pub kelvin_days: f64,
    /// Days of the period, or of the season within it, with a temperature, and without.
    pub days: u32,
    pub missing_days: u32,
}

impl Counted {
    /// Of the whole period: missing days count at the mean of the others; `None` when there is no other.
    #[must_use]
    pub fn whole(&self) -> Option<f64> {
        let all = f64::from(self.days + self.missing_days);
        (0 < self.days).then(|| self.kelvin_days / f64::from(self.days) * all)
    }
}

/// The outdoor temperatures of one day, in °C, as far as they are known.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DayRecord {
    pub mean_c: Option<f64>,
    /// The lowest and the highest.
    pub extremes_c: Option<(f64, f64)>,
    pub hours_c: Vec<f64>,
}

impl Definition {
    /// Kelvin days of a day; `None` where what its value is made of is not known.
    #[must_use]
    pub fn of_record(&self, record: &DayRecord) -> Option<f64> {
        match self.daily {
            Daily::Mean => record.mean_c.map(|mean_c| self.of_mean(mean_c)),
            Daily::Extremes => record.extremes_c.map(|(low_c, high_c)| self.of_extremes(low_c, high_c)),
            Daily::Hours => self.of_hours(&record.hours_c),
        }
    }
}

/// Degree days of the days from `from` to before `to`. `None` for a season without `zone`.
#[must_use]
pub fn count(
    days: &BTreeMap<NaiveDate, DayRecord>,
    definition: Definition,
    zone: Option<&ZoneRules>,
    from: NaiveDate,
    to: NaiveDate,
) -> Option<Counted> {
    if definition.in_season && zone.is_none() {
        return None;
    }
    let mut counted = Counted { definition, kelvin_days: 0.0, days: 0, missing_days: 0 };
    let in_season = |date: NaiveDate| !definition.in_season || zone.is_some_and(|zone| zone.counts(date));
    // A period of more than 400 years is a mistake that must not cost time.
    let length = usize::try_from((to - from).num_days()).unwrap_or(0).min(150_000);
    for date in from.iter_days().take(length).filter(|date| in_season(*date)) {
        match days.get(&date).and_then(|record| definition.of_record(record)) {
            Some(kelvin_days) => {
                counted.kelvin_days += kelvin_days;
                counted.days += 1;
            }
            None => counted.missing_days += 1,
        }
    }
    Some(counted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_those_of_their_source() {
        // Eurostat's examples: 12 °C has 6, 16 °C none; 26 °C has 5, 22 °C none.
        let of = |d: Definition, t: f64| d.of_mean(t);
        assert_eq!(
            (of(Definition::EUROSTAT_HEATING, 12.0), of(Definition::EUROSTAT_HEATING, 16.0)),
            (6.0, 0.0)
        );
        assert_eq!(
            (of(Definition::EUROSTAT_COOLING, 26.0), of(Definition::EUROSTAT_COOLING, 22.0)),
            (5.0, 0.0)
        );
        assert_eq!(
            (of(Definition::EUROSTAT_HEATING, 15.0), of(Definition::EUROSTAT_COOLING, 24.0)),
            (3.0, 3.0)
        );
        assert_eq!((of(Definition::VDI_3807, 12.0), of(Definition::VDI_3807, 12.1)), (8.0, 0.0));
        assert_eq!(of(Definition::DPR_412_93, 19.0), 1.0);
        assert!((of(Definition::UNITED_STATES_HEATING, 0.0) - 18.333_333).abs() < 1e-5);
        let mut codes: Vec<&str> = Definition::ALL.iter().map(|d| d.code).collect();
        codes.dedup();
        assert_eq!(codes.len(), Definition::ALL.len());
    }

    #[test]
    fn the_met_office_rules_part_a_day_that_holds_the_base() {
        let d = Definition::UNITED_KINGDOM;
        assert_eq!(d.of_extremes(5.0, 15.5), 5.25);
        assert_eq!(d.of_extremes(5.0, 20.0), 10.5 / 2.0 - 4.5 / 4.0);
        assert_eq!(d.of_extremes(12.0, 25.0), 3.5 / 4.0);
        assert_eq!(d.of_extremes(15.5, 25.0), 0.0);
        let c = Definition::to_base(Side::Cooling, 15.5);
        assert_eq!(c.of_extremes(6.0, 11.0), 0.0);
        assert_eq!(c.of_extremes(11.0, 26.0), d.of_extremes(5.0, 20.0));
        assert_eq!(d.of_hours(&[10.5, 20.5]), Some(2.5));
        assert_eq!(d.of_hours(&[]), None);
    }

    #[test]
    fn days_without_what_a_definition_needs_are_missing() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let of =
            |mean_c, extremes_c, hours_c: &[f64]| DayRecord { mean_c, extremes_c, hours_c: hours_c.to_vec() };
        let days = BTreeMap::from([
            (day("2025-01-01"), of(Some(5.5), Some((3.5, 11.5)), &[3.5, 11.5])),
            (day("2025-01-02"), of(Some(5.5), None, &[])),
        ]);
        let count = |d: Definition| {
            let counted = count(&days, d, None, day("2025-01-01"), day("2025-01-04")).unwrap();
            (counted.kelvin_days, counted.days, counted.missing_days)
        };
        let to_base = Definition::to_base(Side::Heating, 15.5);
        assert_eq!(count(to_base), (20.0, 2, 1));
        assert_eq!(count(Definition::UNITED_KINGDOM), (8.0, 1, 2));
        assert_eq!(count(to_base.by(Daily::Hours)), (8.0, 1, 2));
        assert!(
            super::count(&days, Definition::DPR_412_93, None, day("2025-01-01"), day("2025-01-04")).is_none()
        );
    }
}
