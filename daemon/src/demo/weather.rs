//! Outdoor temperature, cloud and sun of a demonstration place, as pure functions of the instant.
//!
//! Must never: read a clock, keep state, or be taken for a measurement. The same instant always has the same weather.

use std::f64::consts::TAU;

use chrono::{Datelike, NaiveDate};
use model::time::day_start;
use model::{Instant, Zone};

const DAY_SECONDS: f64 = 86_400.0;
/// Length of the tropical year in days, to the precision that a demonstration needs.
const YEAR_DAYS: f64 = 365.2425;
/// 2000-01-01T00:00Z in days since 1970.
const EPOCH_2000_DAYS: f64 = 10_957.0;
/// Share of the year at which the cold is deepest (about 19 January).
const COLDEST: f64 = 18.5 / YEAR_DAYS;

/// The climate of a place: an annual and a daily cycle, with fronts on top.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Climate {
    pub(crate) seed: u64,
    /// Mean of the whole year, °C.
    pub(crate) annual_mean_c: f64,
    /// Half the distance between the warmest and the coldest time of the mean year, K.
    pub(crate) annual_amplitude_k: f64,
    pub(crate) latitude_deg: f64,
    pub(crate) longitude_deg: f64,
}

impl Climate {
    /// The plain of Torino: cold, foggy winters, hot summers.
    pub(crate) const TORINO: Self = Self {
        seed: 0x7031_0001,
        annual_mean_c: 13.2,
        annual_amplitude_k: 10.6,
        latitude_deg: 45.07,
        longitude_deg: 7.69,
    };

    /// Bologna at the foot of the Apennines: a little milder in winter, hotter in summer.
    pub(crate) const BOLOGNA: Self = Self {
        seed: 0xB010_0002,
        annual_mean_c: 14.4,
        annual_amplitude_k: 11.2,
        latitude_deg: 44.49,
        longitude_deg: 11.34,
    };

    /// Air temperature outdoors, °C.
    pub(crate) fn temperature_c(&self, at: Instant) -> f64 {
        let days = days_since_1970(at);
        let summer = -(TAU * (year_share(days) - COLDEST)).cos();
        let solar_hour = self.solar_hour(at);
        let cloud = self.cloud_ratio(at);
        // The day swings more under a clear summer sky than under winter fog; warmest about three in the afternoon.
        let swing_k = (3.2 + 1.8 * summer) * (1.0 - 0.55 * cloud);
        let diurnal_k = swing_k * (TAU * (solar_hour - 15.0) / 24.0).cos();
        let fronts_k = 3.0 * noise(self.seed ^ 1, days / 4.0)
            + 2.4 * noise(self.seed ^ 2, days / 11.0)
            + 1.2 * noise(self.seed ^ 3, days / 35.0);
        self.annual_mean_c + self.annual_amplitude_k * summer + year_offset_k(at) + diurnal_k + fronts_k
    }

    /// Mean of the hourly temperatures of a civil day (23, 24 or 25 of them), °C.
    pub(crate) fn daily_mean_c(&self, day: NaiveDate, zone: Zone) -> f64 {
        let from = day_start(day, zone);
        let to = day_start(day.succ_opt().unwrap_or(day), zone);
        let hours = ((to.millis() - from.millis()) / 3_600_000).max(1);
        let sum: f64 = (0..hours).map(|h| self.temperature_c(from.plus_seconds(h * 3600 + 1800))).sum();
        sum / hours as f64
    }

    /// Share of the sky that is covered, 0 to 1.
    pub(crate) fn cloud_ratio(&self, at: Instant) -> f64 {
        let days = days_since_1970(at);
        let winter = (TAU * (year_share(days) - COLDEST)).cos();
        let mean = 0.45 + 0.12 * winter;
        let covered = mean + 0.55 * noise(self.seed ^ 4, days / 1.7) + 0.2 * noise(self.seed ^ 5, days * 9.0);
        covered.clamp(0.0, 1.0)
    }

    /// Electric power of one installed kWp, W: sun's height and cloud only, no shading and no tilt.
    pub(crate) fn pv_w_per_kwp(&self, at: Instant) -> f64 {
        let days = days_since_1970(at);
        let declination = -23.44_f64.to_radians() * (TAU * (year_share(days) + 10.0 / YEAR_DAYS)).cos();
        let hour_angle = TAU * (self.solar_hour(at) - 12.0) / 24.0;
        let latitude = self.latitude_deg.to_radians();
        let sine = latitude.sin() * declination.sin() + latitude.cos() * declination.cos() * hour_angle.cos();
        if sine <= 0.0 {
            return 0.0;
        }
        // 0.85 stands for inverter, heat and cables.
        1000.0 * 0.85 * sine.powf(1.1) * (1.0 - 0.75 * self.cloud_ratio(at))
    }

    /// Hour of the mean solar day, 0 to 24.
    fn solar_hour(&self, at: Instant) -> f64 {
        let day = days_since_1970(at);
        (day.fract() * 24.0 + self.longitude_deg / 15.0).rem_euclid(24.0)
    }
}

fn days_since_1970(at: Instant) -> f64 {
    at.millis() as f64 / 1000.0 / DAY_SECONDS
}

/// Share of the mean year gone at `days` since 1970, 0 to 1.
fn year_share(days: f64) -> f64 {
    ((days - EPOCH_2000_DAYS) / YEAR_DAYS).rem_euclid(1.0)
}

/// How much warmer than the mean a calendar year is, K. Cold and mild years follow each other, so that two
/// years before and after an intervention never have the same winter.
fn year_offset_k(at: Instant) -> f64 {
    let day = at.utc();
    let of_year = |year: i32| match year.rem_euclid(4) {
        0 => 0.2,
        1 => 0.9,
        2 => 0.1,
        _ => -0.9,
    };
    let here = of_year(day.year());
    let ordinal = f64::from(day.ordinal0());
    // Half a month on each side of New Year leads over from one year to the other.
    if ordinal < 15.0 {
        let share = 0.5 + ordinal / 30.0;
        of_year(day.year() - 1) * (1.0 - share) + here * share
    } else if 350.0 <= ordinal {
        let share = ((ordinal - 350.0) / 30.0).min(0.5);
        here * (1.0 - share) + of_year(day.year() + 1) * share
    } else {
        here
    }
}

/// Value noise between −1 and 1: hashed values at whole numbers, joined smoothly.
pub(crate) fn noise(seed: u64, x: f64) -> f64 {
    let cell = x.floor();
    let inside = x - cell;
    let smooth = inside * inside * (3.0 - 2.0 * inside);
    let left = hashed(seed, cell as i64);
    let right = hashed(seed, cell as i64 + 1);
    left + (right - left) * smooth
}

/// A value between −1 and 1 that depends on nothing but its arguments (the finaliser of SplitMix64).
pub(crate) fn hashed(seed: u64, cell: i64) -> f64 {
    let mut z = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(cell as u64);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^= z >> 31;
    (z >> 11) as f64 / (1u64 << 52) as f64 - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROME: Zone = chrono_tz::Europe::Rome;

    fn day(year: i32, month: u32, day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(year, month, day).unwrap()
    }

    /// Σ (20 − Tm) for Tm < 20 from 15 October to 15 April, the season of climatic zone E (DPR 412/1993).
    fn legal_degree_days(climate: &Climate, winter: i32) -> f64 {
        day(winter - 1, 10, 15)
            .iter_days()
            .take_while(|&d| d <= day(winter, 4, 15))
            .map(|d| (20.0 - climate.daily_mean_c(d, ROME)).max(0.0))
            .sum()
    }

    #[test]
    fn winters_are_those_of_zone_e_and_differ() {
        let torino: Vec<f64> = (2023..2027).map(|y| legal_degree_days(&Climate::TORINO, y)).collect();
        let bologna: Vec<f64> = (2023..2027).map(|y| legal_degree_days(&Climate::BOLOGNA, y)).collect();
        for gg in torino.iter().chain(&bologna) {
            assert!((1900.0..=3000.0).contains(gg), "{torino:?} {bologna:?}");
        }
        assert!(torino[0] - torino[2] > 100.0, "the cold and the mild winter are alike: {torino:?}");
    }

    #[test]
    fn temperatures_stay_on_earth_and_do_not_jump() {
        let mut before = Climate::TORINO.temperature_c(day_start(day(2022, 12, 1), ROME));
        for quarter in 1..(96 * 800) {
            let t = day_start(day(2022, 12, 1), ROME).plus_seconds(quarter * 900);
            let now = Climate::TORINO.temperature_c(t);
            assert!((-18.0..=42.0).contains(&now), "{now} °C at {t}");
            assert!((now - before).abs() < 1.5, "{before} → {now} °C at {t}");
            before = now;
        }
    }

    #[test]
    fn a_year_of_sun_is_that_of_northern_italy() {
        let from = day_start(day(2025, 1, 1), ROME);
        let kwh: f64 = (0..8760)
            .map(|h| Climate::BOLOGNA.pv_w_per_kwp(from.plus_seconds(h * 3600 + 1800)) / 1000.0)
            .sum();
        assert!((950.0..=1400.0).contains(&kwh), "{kwh} kWh per kWp and year");
    }
}
