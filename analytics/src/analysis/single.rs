//! Days of a meter, each against days of its own kind, before they are joined to anything.
//!
//! Must never: join a day to a month without having looked at it, judge a closed day by the law of open ones, or doubt a
//! day that the baseline had as low at that time of its year.
//!
//! Weekdays whose levels lie apart are kinds of their own, with a law of the weather each: an office on Sundays and on the
//! others. Italian holidays are Sundays where the baseline shows them as such. Zeros and refunds are held against the
//! baseline's days of the same kind, deep days against the line of the same kind's, and all against their neighbours
//! ([`scattered`]). A low day is none where the baseline had one as low, of the same kind, within a month of the year; each
//! of the baseline's explains one.

use std::collections::BTreeMap;

use chrono::{Datelike, NaiveDate};
use model::{Finding, Severity};

use super::doubt::{self, Doubt};
use super::scattered::{self, Share};
use super::screen::{self, Screened};
use super::{Question, Window, choose};
use crate::baseline::FitPeriod;
use crate::baseline::caltrack;
use crate::baseline::data::{Data, Row};
use crate::baseline::fit::{Fit, Prediction};
use crate::calendar;

/// Weekdays are of two kinds where their levels are apart by this share of the highest.
const APART: f64 = 0.2;
/// Fewest days of a kind in the baseline.
const KIND_MIN: usize = 20;
/// Less than this share of the mean expectation is no measure of a day's level.
const LITTLE: f64 = 0.1;
/// A day below this share of its expectation is low; the baseline explains it within so many days of the year, where what
/// is left of it is at most so many times as much.
const LOW: f64 = 0.6;
const APART_DAYS: i64 = 30;
const AS_LOW: f64 = 1.5;
/// Baseline days that are too high by less than this share of all its use say nothing.
const MATTERS: f64 = 0.005;

const RULE: &str = "conservative direction: what is missing or garbled never becomes a saving";

/// Days of one kind, of the baseline and of the reporting period, with what is expected of each.
pub(super) struct Kind {
    pub(super) before: Data,
    pub(super) expected_before: Vec<Prediction>,
    pub(super) after: Data,
    pub(super) expected: Vec<Prediction>,
}

/// What is doubted of single days.
#[derive(Debug, Default)]
pub(super) struct Judged {
    pub(super) doubt: Doubt,
    /// By how much a doubted day is below its expectation.
    below: BTreeMap<NaiveDate, f64>,
}

/// What is doubted of the periods that are compared, each of which the law predicts `alone`: of single days by themselves, and of months that days were joined to
/// with what is doubted of their days made good, so that nothing is doubted twice.
pub(super) fn doubt(
    asked: &Question<'_>,
    (daily, joined): (bool, bool),
    (fit, alone): (&Fit, &[Prediction]),
    [before, after]: [&Data; 2],
) -> Doubt {
    let subject = asked.subject;
    // Before any day is excused: then nothing of the year is saved for sure.
    if let Some(doubt) = doubt::other_unit(subject, alone, before, after) {
        return doubt;
    }
    if !joined && !daily {
        return doubt::values(subject, alone, before, after);
    }
    let kinds = if joined { of_file(asked) } else { kinds(asked, fit, [before, after]) };
    let judged = judge(subject, &kinds);
    let mut doubt = if joined {
        let mut doubt = doubt::values(subject, alone, before, &judged.made_good(after));
        doubt.energy += judged.doubt.energy;
        doubt.findings.extend(judged.doubt.findings);
        doubt
    } else {
        judged.doubt
    };
    if let Some((share, finding)) = too_high(subject, &kinds) {
        doubt.energy += share * alone.iter().map(|of| of.energy.max(0.0)).sum::<f64>();
        doubt.findings.push(finding);
    }
    doubt
}

/// The days of a file that is analysed by months, by kind.
fn of_file(asked: &Question<'_>) -> Vec<Kind> {
    let days = |window| Data::of(&of_window(asked, window), asked.temperatures);
    let (before, after) = (days(asked.baseline), days(asked.reporting));
    let Some(fit) = law(asked, &before) else { return Vec::new() };
    kinds(asked, &fit, [&before, &after])
}

/// Baseline days far above their neighbours, where the reporting days have none such: the share of the baseline's use that
/// is beyond the others' level, where it matters.
fn too_high(subject: &str, kinds: &[Kind]) -> Option<(f64, Finding)> {
    let (mut before, mut after): (Vec<Share>, Vec<Share>) = (Vec::new(), Vec::new());
    let mut beyond: BTreeMap<i64, f64> = BTreeMap::new();
    let mut whole = 0.0;
    for kind in kinds {
        let own = shares(&kind.before, &kind.expected_before);
        let level = middle(own.iter().copied().filter(|share| !share.is_nan()).collect());
        for ((row, ratio), of) in kind.before.rows().iter().zip(own).zip(&kind.expected_before) {
            before.push(share(row, ratio));
            beyond.insert(share(row, ratio).at, row.energy - level * of.energy);
            whole += row.energy;
        }
        let own = kind.after.rows().iter().zip(shares(&kind.after, &kind.expected));
        after.extend(own.map(|(row, ratio)| share(row, ratio)));
    }
    before.sort_by_key(|share| share.at);
    after.sort_by_key(|share| share.at);
    let found = scattered::far_above(&before, &after, &scattered::OF_DAYS);
    let high = before.iter().zip(found).filter(|(_, found)| *found);
    let excess: Vec<f64> = high.filter_map(|(share, _)| beyond.get(&share.at).copied()).collect();
    let lost = excess.iter().sum::<f64>() / whole;
    let n = excess.len();
    let says = format!(
        "{n} baseline days used far more than the days around them, as no reporting days did; the lower bound does without \
         what they used beyond the others; a person should look"
    );
    let finding =
        Finding::new("energy.extreme", Severity::Caution, format!("{subject} baseline"), says, RULE);
    (MATTERS < lost).then(|| (lost, finding.with("periods", n)))
}

fn share(row: &Row, ratio: f64) -> Share {
    Share { at: i64::from(row.from.num_days_from_ce()), ratio }
}

fn law(asked: &Question<'_>, days: &Data) -> Option<Fit> {
    caltrack::fit(days, choose::options(&choose::Asked::of(asked), caltrack::Interval::Daily))
}

/// Days of a window with a value and a temperature.
fn of_window(asked: &Question<'_>, window: Window) -> Vec<FitPeriod> {
    let inside = asked.periods.iter().filter(|p| p.from < p.to && window.holds(p.from, p.to));
    let day = |p: &super::MeterPeriod| {
        let energy = p.value?;
        asked.temperatures.means(p.from, p.to).next()?;
        Some(FitPeriod { from: p.from, to: p.to, energy, coverage_ratio: 1.0 })
    };
    inside.filter_map(day).collect()
}

/// Tells of the days that were joined to months what is told of days, once and counted by the day. What one of them gave
/// back is no less given back for what the others of its month used.
pub(super) fn retell(asked: &Question<'_>, reporting: &mut Screened, findings: &mut Vec<Finding>) {
    let (before, after) = (of_window(asked, asked.baseline), of_window(asked, asked.reporting));
    let mut told = Vec::new();
    screen::tell_values(asked.subject, &before, true, &mut told);
    reporting.given_back = screen::given_back(&after);
    if 0.0 < reporting.given_back {
        screen::negative(asked.subject, "reporting", &after, &mut told);
    }
    findings.retain(|f| !told.iter().any(|t| t.code == f.code && t.subject == f.subject));
    findings.append(&mut told);
}

/// Days by kind. A week without a pattern is one kind, with the law that is given.
pub(super) fn kinds(asked: &Question<'_>, fit: &Fit, [before, after]: [&Data; 2]) -> Vec<Kind> {
    let expected = fit.predict_each(before);
    let week = Week::of(before, &expected);
    if week.kinds == 1 {
        let (before, expected_before) = (before.clone(), expected);
        return vec![Kind {
            before,
            expected_before,
            expected: fit.predict_each(after),
            after: after.clone(),
        }];
    }
    let of_kind = |data: &Data, kind: usize| {
        let rows = data.rows();
        data.only(|i| rows.get(i).is_some_and(|row| week.kind(row.from) == kind))
    };
    let kind = |kind: usize| {
        let (before, after) = (of_kind(before, kind), of_kind(after, kind));
        let own = law(asked, &before);
        let own = own.as_ref().unwrap_or(fit);
        let (expected_before, expected) = (own.predict_each(&before), own.predict_each(&after));
        Kind { before, expected_before, after, expected }
    };
    (0..week.kinds).map(kind).collect()
}

/// Which days are of a kind.
struct Week {
    /// Of Monday to Sunday.
    of: [usize; 7],
    kinds: usize,
    /// Whether holidays are as Sundays.
    keeps_holidays: bool,
}

impl Week {
    fn of(days: &Data, expected: &[Prediction]) -> Self {
        let shares: Vec<(NaiveDate, f64)> = days
            .rows()
            .iter()
            .zip(shares(days, expected))
            .filter(|(_, share)| !share.is_nan())
            .map(|(row, share)| (row.from, share))
            .collect();
        let day = |date: NaiveDate| date.weekday().num_days_from_monday() as usize;
        let level = |weekday: usize| {
            let own = shares.iter().filter(|(date, _)| day(*date) == weekday && !calendar::is_holiday(*date));
            middle(own.map(|(_, share)| *share).collect())
        };
        let mut levels: Vec<(usize, f64)> = (0..7).map(|weekday| (weekday, level(weekday))).collect();
        levels.sort_by(|a, b| a.1.total_cmp(&b.1));
        let highest = levels.last().map_or(0.0, |(_, level)| *level);
        let mut week = Self { of: [0; 7], kinds: 1, keeps_holidays: false };
        for pair in levels.windows(2) {
            week.kinds += usize::from(APART * highest < pair[1].1 - pair[0].1);
            week.of[pair[1].0] = week.kinds - 1;
        }
        let of_kind = |kind| shares.iter().filter(|(date, _)| week.of[day(*date)] == kind).count();
        if levels.iter().any(|(_, level)| level.is_nan())
            || (0..week.kinds).any(|kind| of_kind(kind) < KIND_MIN)
        {
            return Self { of: [0; 7], kinds: 1, keeps_holidays: false };
        }
        let level_of = |weekday: usize| levels.iter().find(|(w, _)| *w == weekday).map_or(0.0, |(_, l)| *l);
        let apart =
            |(date, _): &&(NaiveDate, f64)| calendar::is_holiday(*date) && week.of[day(*date)] != week.of[6];
        let as_sunday = |(date, share): &&(NaiveDate, f64)| {
            (share - level_of(6)).abs() < (share - level_of(day(*date))).abs()
        };
        let holidays = shares.iter().filter(apart).count();
        week.keeps_holidays = holidays < 2 * shares.iter().filter(apart).filter(as_sunday).count();
        week
    }

    fn kind(&self, date: NaiveDate) -> usize {
        let sunday = self.keeps_holidays && calendar::is_holiday(date);
        self.of[if sunday { 6 } else { date.weekday().num_days_from_monday() as usize }]
    }
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Each day as a share of what is expected of it; NaN where that is little.
fn shares(days: &Data, expected: &[Prediction]) -> Vec<f64> {
    let mean = expected.iter().map(|p| p.energy.max(0.0)).sum::<f64>() / days.days();
    let share = |(row, of): (&Row, &Prediction)| {
        if LITTLE * mean * row.days < of.energy { row.energy / of.energy } else { f64::NAN }
    };
    days.rows().iter().zip(expected).map(share).collect()
}

/// What is doubted of days, kind by kind.
pub(super) fn judge(subject: &str, kinds: &[Kind]) -> Judged {
    let mut judged = Judged::default();
    let mut told: BTreeMap<&'static str, Vec<NaiveDate>> = BTreeMap::new();
    let mut open: Vec<NaiveDate> = Vec::new();
    for kind in kinds {
        let excused = kind.excused();
        let counts = |i: usize| excused.get(i) == Some(&false);
        let after = kind.after.only(counts);
        let numbered = kind.expected.iter().enumerate().filter(|(i, _)| counts(*i));
        let expected: Vec<Prediction> = numbered.map(|(_, of)| *of).collect();
        let doubt = doubt::values(subject, &expected, &kind.before, &after);
        judged.doubt.energy += doubt.energy;
        let is_unit = |f: &Finding| f.code == "reporting.unit";
        let other_unit = doubt.findings.iter().any(is_unit);
        let known = judged.doubt.findings.iter().any(is_unit);
        judged.doubt.findings.extend(doubt.findings.into_iter().filter(|f| is_unit(f) && !known));
        let mut dates: Vec<NaiveDate> = Vec::new();
        for (code, date) in doubt.told {
            told.entry(code).or_default().push(date);
            dates.extend((code != "reporting.extreme").then_some(date));
        }
        for (row, of) in after.rows().iter().zip(&expected) {
            if other_unit || dates.contains(&row.from) {
                judged.below.insert(row.from, of.energy.max(0.0) - row.energy);
            } else if 0.0 < row.energy {
                open.push(row.from);
            }
        }
    }
    if judged.doubt.findings.is_empty() {
        let found = judged.scattered(kinds, &open);
        told.entry("reporting.doubtful").or_default().extend(found);
    }
    for (code, dates) in told {
        judged.doubt.findings.extend(tell(subject, code, &dates));
    }
    judged
}

fn tell(subject: &str, code: &'static str, dates: &[NaiveDate]) -> Option<Finding> {
    let (first, n) = (dates.iter().min()?, dates.len());
    let lost = "; the lower bound counts no saving in them; confirm or correct them";
    let (what, then) = match code {
        "reporting.zero" => {
            ("used nothing, or next to nothing, where the baseline never did on such days", lost)
        }
        "reporting.extreme" => ("used far more than the others lead to expect", "; a person should look"),
        _ => ("used far less than the others lead to expect", lost),
    };
    let says = format!("{n} reporting days, the first {first}, {what}{then}");
    let finding = Finding::new(code, Severity::Caution, format!("{subject} reporting"), says, RULE);
    Some(finding.with("periods", n).with("from", first))
}

impl Kind {
    /// Low days that the baseline explains, one by one.
    fn excused(&self) -> Vec<bool> {
        let measured: f64 = self.after.rows().iter().map(|row| row.energy.max(0.0)).sum();
        let expected: f64 = self.expected.iter().map(|of| of.energy.max(0.0)).sum();
        let left = if 0.0 < expected { (measured / expected).min(1.0) } else { 1.0 };
        let before = self.before.rows().iter().zip(shares(&self.before, &self.expected_before));
        let mut lows: Vec<(NaiveDate, f64)> =
            before.filter(|(_, share)| *share < LOW).map(|(row, share)| (row.from, share)).collect();
        let excused = |(row, share): (&Row, f64)| {
            if row.energy <= 0.0 || share.is_nan() || LOW <= share {
                return false;
            }
            let explains = |(_, (date, own)): &(usize, &(NaiveDate, f64))| {
                days_apart(*date, row.from) <= APART_DAYS && left * own <= AS_LOW * share
            };
            let nearest = lows.iter().enumerate().filter(explains);
            let nearest = nearest.min_by_key(|(_, (date, _))| days_apart(*date, row.from)).map(|(i, _)| i);
            nearest.map(|i| lows.swap_remove(i)).is_some()
        };
        self.after.rows().iter().zip(shares(&self.after, &self.expected)).map(excused).collect()
    }
}

/// On the circle of the year.
fn days_apart(a: NaiveDate, b: NaiveDate) -> i64 {
    let apart = (i64::from(a.ordinal()) - i64::from(b.ordinal())).rem_euclid(365);
    apart.min(365 - apart)
}

impl Judged {
    /// Open days far below their neighbours, of whatever kind these are.
    fn scattered(&mut self, kinds: &[Kind], open: &[NaiveDate]) -> Vec<NaiveDate> {
        let mut before: Vec<Share> = Vec::new();
        let mut after: Vec<(Share, NaiveDate, f64)> = Vec::new();
        for kind in kinds {
            let own = kind.before.rows().iter().zip(shares(&kind.before, &kind.expected_before));
            before.extend(own.map(|(row, ratio)| share(row, ratio)));
            let own = kind.after.rows().iter().zip(shares(&kind.after, &kind.expected)).zip(&kind.expected);
            after.extend(own.map(|((row, ratio), of)| (share(row, ratio), row.from, of.energy - row.energy)));
        }
        before.sort_by_key(|share| share.at);
        after.sort_by_key(|(share, ..)| share.at);
        let shares: Vec<Share> = after.iter().map(|(share, ..)| *share).collect();
        let doubted = scattered::far_below(&before, &shares, &scattered::OF_DAYS);
        let mut found = Vec::new();
        for ((_, date, below), _) in after.iter().zip(doubted).filter(|(_, doubted)| *doubted) {
            if open.contains(date) && 0.0 < *below {
                self.doubt.energy += below;
                self.below.insert(*date, *below);
                found.push(*date);
            }
        }
        found
    }

    /// The periods with each doubted day as it was expected.
    fn made_good(&self, periods: &Data) -> Data {
        let lost = |row: &Row| self.below.range(row.from..row.to).map(|(_, below)| below).sum::<f64>();
        let energies: Vec<f64> = periods.rows().iter().map(|row| row.energy + lost(row)).collect();
        periods.with_energies(&energies)
    }
}

#[cfg(test)]
mod tests;
