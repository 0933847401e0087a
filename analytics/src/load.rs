//! The load profile of a year: what a meter counted on average in each hour of each weekday.
//!
//! Must never: enter a figure of the result, or count time in which it is not known when the energy was used.

use chrono::{DateTime, Datelike, Timelike};
use model::{Instant, MeterId, Zone};

use crate::series::SeriesSettings;

/// Longest time between two totals whose energy is still placed in its hour.
const INTERVAL_MILLIS_MAX: i64 = 3_600_000;
const HOUR_MILLIS: i64 = 3_600_000;
/// Hours of one weekday and time of day that must have been measured for their mean to be shown: a month of weeks.
const HOURS_MIN: f64 = 4.0;

/// Mean use of each hour of each weekday.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadProfile {
    pub meter: MeterId,
    /// Monday first, hour by local time; in display units per hour (kW, Smc/h, kg/h). `None` where too few hours were
    /// measured.
    pub cells: [[Option<f64>; 24]; 7],
    /// Hours measured.
    pub hours: f64,
}

impl LoadProfile {
    /// Whether every cell is known: a profile with holes is no profile.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.cells.iter().flatten().all(Option::is_some)
    }

    /// Weekday (0 is Monday), hour and value of the highest mean.
    #[must_use]
    pub fn peak(&self) -> Option<(usize, usize, f64)> {
        let known = self.cells.iter().enumerate().flat_map(|(day, hours)| {
            hours.iter().enumerate().filter_map(move |(hour, value)| Some((day, hour, (*value)?)))
        });
        known.reduce(|a, b| if a.2 < b.2 { b } else { a })
    }

    /// Mean of the hours of every day from midnight to five o'clock.
    #[must_use]
    pub fn night(&self) -> Option<f64> {
        let values: Option<Vec<f64>> = self.cells.iter().flat_map(|hours| &hours[..5]).copied().collect();
        values.map(|v| v.iter().sum::<f64>() / v.len() as f64)
    }

    /// Share of the week's energy that falls on Saturday and Sunday.
    #[must_use]
    pub fn weekend_share(&self) -> Option<f64> {
        let sum = |days: &[[Option<f64>; 24]]| -> Option<f64> {
            days.iter().flatten().copied().collect::<Option<Vec<f64>>>().map(|v| v.iter().sum())
        };
        let (weekend, week) = (sum(&self.cells[5..])?, sum(&self.cells)?);
        (0.0 < week).then_some(weekend / week)
    }
}

/// Makes a profile of totals as they come, in order of time.
#[derive(Debug, Clone)]
pub struct LoadBuilder {
    settings: SeriesSettings,
    zone: Zone,
    from: i64,
    to: i64,
    last: Option<(i64, i64)>,
    /// Energy in the smallest unit and milliseconds, by weekday and hour.
    energy: [[f64; 24]; 7],
    millis: [[f64; 24]; 7],
}

impl LoadBuilder {
    /// A profile of the time from `from` to before `to`.
    #[must_use]
    pub fn new(settings: SeriesSettings, from: Instant, to: Instant) -> Self {
        Self {
            zone: settings.zone,
            settings,
            from: from.millis(),
            to: to.millis(),
            last: None,
            energy: [[0.0; 24]; 7],
            millis: [[0.0; 24]; 7],
        }
    }

    /// Takes a total. Time before a total that went back, that the connection could not have carried, or that came more
    /// than an hour after the one before, is left out.
    pub fn push(&mut self, at: Instant, total: i64) {
        let at = at.millis();
        if let Some((before, counted)) = self.last.replace((at, total))
            && before < at
            && at - before <= INTERVAL_MILLIS_MAX
            && counted <= total
            && (total - counted) as f64
                <= self.settings.ceiling_per_milli * (at - before) as f64 + self.settings.resolution as f64
        {
            self.place(before, at, (total - counted) as f64);
        }
    }

    /// Spreads the energy of an interval evenly over its time.
    fn place(&mut self, from: i64, to: i64, energy: f64) {
        let per_milli = energy / (to - from) as f64;
        let mut begin = from.max(self.from);
        let end = to.min(self.to);
        while begin < end {
            let next = ((begin.div_euclid(HOUR_MILLIS) + 1) * HOUR_MILLIS).min(end);
            if let Some(local) = DateTime::from_timestamp_millis(begin).map(|t| t.with_timezone(&self.zone)) {
                let (day, hour) = (local.weekday().num_days_from_monday() as usize, local.hour() as usize);
                let millis = (next - begin) as f64;
                self.energy[day][hour] += per_milli * millis;
                self.millis[day][hour] += millis;
            }
            begin = next;
        }
    }

    #[must_use]
    pub fn finish(self, meter: MeterId) -> LoadProfile {
        let standard = self.settings.gas.map_or(1.0, |coefficient| coefficient.to_f64());
        let one = self.settings.unit.to_display(1_000_000) / 1e6;
        let mut cells = [[None; 24]; 7];
        for (day, hours) in cells.iter_mut().enumerate() {
            for (hour, cell) in hours.iter_mut().enumerate() {
                let measured = self.millis[day][hour] / HOUR_MILLIS as f64;
                *cell = (HOURS_MIN <= measured).then(|| self.energy[day][hour] / measured * one * standard);
            }
        }
        let hours = self.millis.iter().flatten().sum::<f64>() / HOUR_MILLIS as f64;
        LoadProfile { meter, cells, hours }
    }
}

#[cfg(test)]
mod tests {
    use model::BaseUnit;

    use super::*;

    const ROME: Zone = Zone::Europe__Rome;

    fn settings() -> SeriesSettings {
        SeriesSettings {
            gas: None,
            unit: BaseUnit::WattHour,
            zone: ROME,
            ceiling_per_milli: 50_000.0 / 3_600_000.0,
            wraps_at: None,
            resolution: 1,
            gap_after_millis: 900_000,
        }
    }

    /// Quarter-hours of ten weeks from Monday 6 January 2025, 2 kW by night and 10 kW from 8 to 18 on workdays.
    fn pushed(skip: impl Fn(i64) -> bool, total_of: impl Fn(i64, i64) -> i64) -> LoadProfile {
        let begin = model::time::day_start(chrono::NaiveDate::from_ymd_opt(2025, 1, 6).unwrap(), ROME);
        let end = begin.plus_seconds(70 * 86_400);
        let mut builder = LoadBuilder::new(settings(), begin, end);
        let mut total = 0;
        for quarter in 0..=(70 * 96) {
            let (day, hour) = (quarter / 96 % 7, quarter % 96 / 4);
            if !skip(quarter) {
                builder.push(begin.plus_seconds(quarter * 900), total_of(quarter, total));
            }
            total += if day < 5 && (8..18).contains(&hour) { 2_500 } else { 500 };
        }
        builder.finish(MeterId::new("m").unwrap())
    }

    #[test]
    fn hours_and_weekdays_are_those_of_the_clock_on_the_wall() {
        let profile = pushed(|_| false, |_, total| total);
        assert!(profile.is_whole());
        assert_eq!(profile.hours, 1680.0);
        assert_eq!(profile.cells[0][7], Some(2.0));
        assert_eq!(profile.cells[0][8], Some(10.0));
        assert_eq!(profile.cells[4][17], Some(10.0));
        assert_eq!(profile.cells[4][18], Some(2.0));
        assert_eq!(profile.cells[5][12], Some(2.0));
        assert_eq!(profile.night(), Some(2.0));
        assert_eq!(profile.peak().map(|p| p.2), Some(10.0));
        let week: f64 = 5.0 * (100.0 + 28.0) + 2.0 * 48.0;
        assert!((profile.weekend_share().unwrap() - 96.0 / week).abs() < 1e-12);
    }

    #[test]
    fn gaps_resets_and_leaps_are_left_out_and_never_lower_or_raise_an_hour() {
        // A gap of two hours every day, a total that falls to nothing, one that leaps.
        let gap = pushed(|q| (33..41).contains(&(q % 96)), |_, total| total);
        assert_eq!(gap.cells[0][9], None);
        assert_eq!(gap.cells[0][12], Some(10.0));
        let broken = pushed(
            |_| false,
            |q, total| match q {
                1_000 => 0,
                2_000 => total + 90_000_000,
                _ => total,
            },
        );
        let whole = pushed(|_| false, |_, total| total);
        assert_eq!(broken.cells, whole.cells);
        assert!(broken.hours < whole.hours);
    }
}
