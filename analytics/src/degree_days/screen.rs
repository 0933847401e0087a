//! Daily means that a station hardly measured: of a sensor that stands still, of an error's code, of a garbled day.
//!
//! Must never: doubt a true cold spell, change a mean, or screen a normal year, whose means are made and not measured.
//!
//! A day that is doubted has no temperature; what follows is what follows of every day without one. How many equal means
//! in a row are chance, and how far one day leaves the next, is told by the station's own record.

use chrono::{Datelike, Days, NaiveDate};
use model::{Finding, Severity};

use super::DailyMeans;

/// Fewest days in a row that no weather makes: with the very same mean, in K, and with the same to a tenth of a kelvin.
const RUNS: [(f64, usize); 2] = [(0.005, 4), (0.050_001, 5)];
/// Of a station of coarse or steady means as many more as make a run by chance rarer than this a year.
const CHANCE_A_YEAR: f64 = 0.001;
/// Days in a row that are no chance at any station.
const RUN_MAX: usize = 14;
/// The means of a station change by this from day to day, as a robust deviation in K. A record that never does is no
/// station's: a curve, or the mean of a month for each of its days.
const CHANGES_MIN_K: f64 = 0.4;
/// Of such a record only a longer run stands still, and none that is a civil month where most of its days are in such.
const RUN_MAX_OF_CURVE: usize = 30;
const MOST: f64 = 0.8;
/// Exactly zero between days as warm as this, in °C, is an empty cell.
const MILD_C: f64 = 8.0;
/// A mean that comes back more often than this, and so many times as often as those within [`NEAR_TENTHS`], is a code.
const OFTEN: usize = 8;
const TIMES_OFTEN: f64 = 4.0;
const NEAR_TENTHS: i64 = 20;
/// A day is garbled when it leaves both neighbours by more than this, in K, and by so many deviations of the station's
/// changes from day to day: real days of Europe and Illinois leave both by 2.5 of them at most.
const JUMP_MIN_K: f64 = 8.0;
const JUMP_DEVIATIONS: f64 = 3.5;
/// Fewest changes from day to day that tell their deviation, and days of which they are taken.
const CHANGES_MIN: usize = 60;
const YEAR: usize = 365;
/// A day is garbled when it is so many robust deviations, of at least so many kelvin, from the middle of the days within
/// so many of its date in every year. The heat of 19 July 2022 in England is 4.4.
const SEASON_DEVIATIONS: f64 = 5.5;
const SEASON_MIN_K: f64 = 2.5;
const SEASON_DAYS: i64 = 15;
const SEASON_MIN: usize = 25;
/// Seasons are told every so many days.
const SEASON_STEP: usize = 5;
/// Median of absolute values to standard deviation, of a normal distribution.
const TO_DEVIATION: f64 = 1.482_6;
/// No place of Italy has a warmer mean than this, in °C.
const WARMEST_C: f64 = 28.0;
const UNIT_DAYS_MIN: f64 = 300.0;

const RULE: &str = "conservative direction: what is missing or garbled never becomes a saving";

/// A station's means without those that are doubted.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Screened {
    pub means: DailyMeans,
    /// Days of a sensor that stands still or of an error's code, in order of time.
    pub frozen: Vec<NaiveDate>,
    /// Days that no weather of the station explains, in order of time.
    pub outliers: Vec<NaiveDate>,
}

impl Screened {
    /// What is to be said of the days that are within any of the windows, each from its first day to before its second.
    #[must_use]
    pub fn findings(&self, about: &str, windows: &[(NaiveDate, NaiveDate)]) -> Vec<Finding> {
        let within = |days: &[NaiveDate]| -> Vec<NaiveDate> {
            let inside = |day: &&NaiveDate| windows.iter().any(|(from, to)| from <= *day && *day < to);
            days.iter().filter(inside).copied().collect()
        };
        let tell = |code, days: Vec<NaiveDate>, what: &str| {
            let (first, n) = (*days.first()?, days.len());
            let says =
                format!("{n} days, the first on {first}, {what}; they count as days without a temperature");
            let finding = Finding::new(code, Severity::Caution, about, says, RULE);
            Some(finding.with("days", n).with("from", first))
        };
        let frozen = "repeat one mean as no weather does: a sensor that stands still, or an error's code";
        let outlier = "have a mean that neither the days around them nor the season's bear out";
        let told = [
            tell("weather.frozen", within(&self.frozen), frozen),
            tell("weather.outlier", within(&self.outliers), outlier),
        ];
        told.into_iter().flatten().collect()
    }
}

/// Whether the means look like degrees Fahrenheit, with the finding that asks.
#[must_use]
pub fn unit(means: &DailyMeans, about: &str) -> Option<Finding> {
    let (days, sum) = means.dated().fold((0.0, 0.0), |(n, sum), (_, mean_c)| (n + 1.0, sum + mean_c));
    (UNIT_DAYS_MIN <= days && WARMEST_C * days < sum).then(|| {
        let mean_c = format!("{:.1}", sum / days);
        let says =
            format!("the mean of all temperatures is {mean_c} °C: are they degrees Fahrenheit? Give Celsius");
        let rule = "no place in Italy is as warm";
        Finding::new("weather.unit", Severity::Caution, about, says, rule).with("mean_c", mean_c)
    })
}

impl DailyMeans {
    /// The means that can be believed. Of a station's own record, as long as there is one; never of a normal year.
    #[must_use]
    pub fn screened(&self) -> Screened {
        let days: Vec<(NaiveDate, f64)> = self.dated().collect();
        let mut frozen: Vec<NaiveDate> = if is_weather(&days) {
            let mut frozen: Vec<NaiveDate> = RUNS.into_iter().flat_map(|of| still(&days, of)).collect();
            frozen.extend(codes(&days));
            frozen
        } else {
            still_on_a_curve(&days)
        };
        frozen.extend(zeros(&days));
        frozen.sort_unstable();
        frozen.dedup();
        let kept: Vec<(NaiveDate, f64)> =
            days.into_iter().filter(|(day, _)| frozen.binary_search(day).is_err()).collect();
        let mut outliers = jumps(&kept);
        outliers.extend(out_of_season(&kept));
        outliers.sort_unstable();
        outliers.dedup();
        let mut means = self.clone();
        for day in frozen.iter().chain(&outliers) {
            if let Some(slot) = means.slot(*day) {
                *slot = None;
            }
        }
        Screened { means, frozen, outliers }
    }
}

/// Runs of days in a row whose means are within so many kelvin of the first.
fn runs(days: &[(NaiveDate, f64)], same_k: f64) -> Vec<&[(NaiveDate, f64)]> {
    let mut runs = Vec::new();
    let mut begin = 0;
    for end in 1..=days.len() {
        let (first, last) = (days[begin], days[end - 1]);
        let goes_on = days
            .get(end)
            .is_some_and(|next| last.0.succ_opt() == Some(next.0) && (next.1 - first.1).abs() <= same_k);
        if !goes_on {
            runs.extend(days.get(begin..end));
            begin = end;
        }
    }
    runs
}

/// Whether any year of the record changes as weather does.
fn is_weather(days: &[(NaiveDate, f64)]) -> bool {
    days.chunks(YEAR).filter_map(change_k).any(|k| CHANGES_MIN_K <= k)
}

/// Days that stand still in a record of smooth means.
fn still_on_a_curve(days: &[(NaiveDate, f64)]) -> Vec<NaiveDate> {
    let runs = runs(days, RUNS[0].0);
    let is_month = |run: &&[(NaiveDate, f64)]| {
        let (first, last) = (run[0].0, run[run.len() - 1].0);
        first.day() == 1 && last.succ_opt().is_some_and(|next| next.day() == 1)
    };
    let in_months: usize = runs.iter().copied().filter(is_month).map(<[_]>::len).sum();
    let by_month = MOST * days.len() as f64 <= in_months as f64;
    let long = runs.into_iter().filter(|run| RUN_MAX_OF_CURVE <= run.len() && !(by_month && is_month(run)));
    long.flat_map(|run| run.iter().map(|(day, _)| *day)).collect()
}

/// Days of a sensor that stands still.
fn still(days: &[(NaiveDate, f64)], (same_k, least): (f64, usize)) -> Vec<NaiveDate> {
    let runs = runs(days, same_k);
    // How often a day has the mean of the day before by chance: long runs are none.
    let chance = || runs.iter().filter(|run| run.len() < RUN_MAX);
    let (all, same) = chance().fold((0, 0), |(all, same), run| (all + run.len(), same + run.len() - 1));
    let share = (same as f64 / (all as f64).max(1.0)).clamp(1e-6, 0.9);
    let least = (least..RUN_MAX)
        .find(|n| YEAR as f64 * share.powi(i32::try_from(n - 1).unwrap_or(0)) < CHANCE_A_YEAR);
    let least = least.unwrap_or(RUN_MAX);
    let long = runs.into_iter().filter(|run| least <= run.len());
    long.flat_map(|run| run.iter().map(|(day, _)| *day)).collect()
}

/// Days whose mean comes back far more often than those beside it, wherever they lie.
fn codes(days: &[(NaiveDate, f64)]) -> Vec<NaiveDate> {
    let tenth = |mean_c: f64| (mean_c * 10.0).round() as i64;
    let mut tenths: Vec<i64> = days.iter().map(|(_, mean_c)| tenth(*mean_c)).collect();
    tenths.sort_unstable();
    // Each that there is, with how many days have it.
    let counts: Vec<(i64, usize)> =
        tenths.chunk_by(|a, b| a == b).map(|same| (same[0], same.len())).collect();
    if counts.iter().all(|(_, n)| *n <= OFTEN) {
        return Vec::new();
    }
    let is_code = |i: usize| {
        let (own, count) = counts[i];
        let near = || {
            let below = counts[..i].iter().rev().take_while(|(at, _)| own - NEAR_TENTHS <= *at);
            below.chain(counts[i + 1..].iter().take_while(|(at, _)| *at <= own + NEAR_TENTHS))
        };
        let usual = || near().map(|(_, n)| *n as f64).sum::<f64>() / (near().count() as f64).max(1.0);
        OFTEN < count && OFTEN as f64 + TIMES_OFTEN * usual() < count as f64
    };
    let codes: Vec<i64> = (0..counts.len()).filter(|i| is_code(*i)).map(|i| counts[i].0).collect();
    let is_told = |mean_c: f64| codes.binary_search(&tenth(mean_c)).is_ok();
    if codes.is_empty() {
        return Vec::new();
    }
    days.iter().filter(|(_, mean_c)| is_told(*mean_c)).map(|(day, _)| *day).collect()
}

/// Days at exactly zero among mild ones: cells that were filled.
fn zeros(days: &[(NaiveDate, f64)]) -> Vec<NaiveDate> {
    let mut found = Vec::new();
    let mut at = 0_usize;
    for run in days.chunk_by(|a, b| a.1 == b.1 && a.0.succ_opt() == Some(b.0)) {
        let (before, after) = (at.checked_sub(1).and_then(|i| days.get(i)), days.get(at + run.len()));
        let mild = |day: Option<&(NaiveDate, f64)>| day.is_some_and(|(_, mean_c)| MILD_C < *mean_c);
        if run.iter().all(|(_, mean_c)| *mean_c == 0.0) && mild(before) && mild(after) {
            found.extend(run.iter().map(|(day, _)| *day));
        }
        at += run.len();
    }
    found
}

fn middle(values: &mut [f64]) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let at = values.len() / 2;
    *values.select_nth_unstable_by(at, f64::total_cmp).1
}

/// Whether a day comes after another, with no more than one between that has no mean.
fn follow(a: &(NaiveDate, f64), b: &(NaiveDate, f64)) -> bool {
    b.0 <= a.0 + Days::new(2)
}

/// Robust standard deviation of the changes from day to day, in K; `None` of too few. Garbled days widen it: the calmest
/// year tells it.
pub(super) fn changes_k(days: &[(NaiveDate, f64)]) -> Option<f64> {
    days.chunks(YEAR).filter_map(change_k).min_by(f64::total_cmp)
}

/// That of one year.
fn change_k(year: &[(NaiveDate, f64)]) -> Option<f64> {
    let pairs = year.windows(2).filter(|pair| follow(&pair[0], &pair[1]));
    let mut changes: Vec<f64> = pairs.map(|pair| (pair[1].1 - pair[0].1).abs()).collect();
    (CHANGES_MIN <= changes.len()).then(|| TO_DEVIATION * middle(&mut changes))
}

/// Days that leave the day before and the day after to one side.
fn jumps(days: &[(NaiveDate, f64)]) -> Vec<NaiveDate> {
    let Some(deviation) = changes_k(days) else { return Vec::new() };
    let limit = JUMP_MIN_K.max(JUMP_DEVIATIONS * deviation);
    let leaves = |three: &[(NaiveDate, f64)]| {
        let (from_before, from_after) = (three[1].1 - three[0].1, three[1].1 - three[2].1);
        let one_side = 0.0 < from_before * from_after;
        one_side && limit < from_before.abs().min(from_after.abs())
    };
    let both = days.windows(3).filter(|three| follow(&three[0], &three[1]) && follow(&three[1], &three[2]));
    both.filter(|three| leaves(three)).map(|three| three[1].0).collect()
}

/// Days far from every day of their season.
fn out_of_season(days: &[(NaiveDate, f64)]) -> Vec<NaiveDate> {
    let mut of_date: Vec<Vec<f64>> = vec![Vec::new(); YEAR + 1];
    let slot = |day: NaiveDate| day.ordinal0() as usize;
    for (day, mean_c) in days {
        of_date[slot(*day)].push(*mean_c);
    }
    let season = |center: usize| {
        let around = (-SEASON_DAYS..=SEASON_DAYS)
            .map(|by| usize::try_from((center as i64 + by).rem_euclid(YEAR as i64 + 1)).unwrap_or(center));
        let mut all: Vec<f64> = around.flat_map(|at| of_date[at].iter().copied()).collect();
        let (low, high) =
            all.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), t| (l.min(*t), h.max(*t)));
        if high - low <= SEASON_DEVIATIONS * SEASON_MIN_K {
            return None;
        }
        let middle_c = middle(&mut all);
        let mut off: Vec<f64> = all.iter().map(|mean_c| (mean_c - middle_c).abs()).collect();
        let deviation = (TO_DEVIATION * middle(&mut off)).max(SEASON_MIN_K);
        (SEASON_MIN <= all.len()).then_some((middle_c, SEASON_DEVIATIONS * deviation))
    };
    let seasons: Vec<Option<(f64, f64)>> = (0..=YEAR).step_by(SEASON_STEP).map(season).collect();
    let is_out = |(day, mean_c): &&(NaiveDate, f64)| {
        seasons[slot(*day) / SEASON_STEP].is_some_and(|(middle_c, limit)| limit < (mean_c - middle_c).abs())
    };
    days.iter().filter(is_out).map(|(day, _)| *day).collect()
}
