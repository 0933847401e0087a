//! Weeks of every summer in which a building is closed: which bills may be of them, and what is left of the use.
//!
//! Must never: take a month that used more than the law for a closed one, or a closure for a saving.
//!
//! A closed month and a wrong bill look alike, and differ in what they say of the next year: the one comes again. Summer
//! bills that fall short of the law are therefore tried as a closure, all years' bills of the same weeks together. Its
//! prior is what is known of buildings in general; the bills do the rest.

use chrono::{Datelike, NaiveDate};
use model::{Finding, Severity};

use super::POINTS;
use super::expected;
use super::law::Law;
use super::priors::{CLOSED_IN_AUGUST, CLOSED_OTHERWISE};
use super::search::Bill;
use crate::baseline::data::Row;
use crate::baseline::fit::Closure;

/// Bills looked at, at most; a longer baseline than ten years of months is none.
const BILLS_MAX: usize = 128;
/// Middle of a bill of the summer, as days of the year: 10 June to 20 September.
const SUMMER: std::ops::RangeInclusive<u32> = 161..=263;
/// 15 August.
const AUGUST: u32 = 227;
/// Longest closure, in days: the school's summer, June to September with bills that end on other days than months do.
const DAYS_MAX: i64 = 125;

/// Weeks of every year, and the bills that are of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    /// Day of the year on which it begins.
    from: u32,
    days: u32,
    /// One bit a bill.
    bills: u128,
}

impl Window {
    pub(super) fn holds(&self, bill: usize) -> bool {
        bill < BILLS_MAX && self.bills >> bill & 1 == 1
    }

    pub(super) fn is_of_august(&self) -> bool {
        (self.from..self.from + self.days).contains(&AUGUST)
    }

    pub(super) fn log_prior(&self) -> f64 {
        if self.is_of_august() { CLOSED_IN_AUGUST.ln() } else { CLOSED_OTHERWISE.ln() }
    }

    /// What a law leaves for the weeks: the share of its expectation that their bills show.
    pub(super) fn closure(&self, bills: &[Bill<POINTS>], law: &Law) -> Option<Closure> {
        let own = || bills.iter().enumerate().filter(|(i, _)| self.holds(*i)).map(|(_, bill)| bill);
        let wanted: f64 = own().map(|bill| expected(law, bill)).sum();
        let used: f64 = own().map(|bill| bill.energy).sum();
        let left = (used / wanted).clamp(0.0, 1.0);
        let days: f64 = own().map(|bill| bill.days).sum();
        (0.0 < wanted && left < 1.0).then(|| Closure {
            from: self.from,
            days: self.days,
            left,
            seen: (days / f64::from(self.days.max(1))).round().max(1.0),
        })
    }

    /// Says that the closure is expected again.
    pub(super) fn finding(&self, rows: &[Row], subject: &str) -> Finding {
        let own = || rows.iter().enumerate().filter(|(i, _)| self.holds(*i)).map(|(_, row)| row);
        let show = |day: Option<NaiveDate>| day.map_or_else(|| "-".to_owned(), |day| day.to_string());
        let (from, to) = (show(own().map(|r| r.from).min()), show(own().map(|r| r.to).max()));
        let periods = own().count();
        let says = format!(
            "{periods} summer periods between {from} and {to} fall short of what the weather lets expect; they are \
             taken for a closure that comes every year, and it is expected again"
        );
        let rule = "a closed building uses less every year, and its closure is never a saving";
        Finding::new("fit.closed_in_summer", Severity::Note, subject, says, rule)
            .with("periods", periods)
            .with("from", from)
            .with("to", to)
    }
}

/// Every run of summer bills that all fall `short`, with the bills of the same weeks of other years.
pub(super) fn windows(rows: &[Row], short: impl Fn(usize) -> bool) -> Vec<Window> {
    let is_candidate = |i: usize| {
        rows.get(i).is_some_and(|row| {
            let middle = row.from + chrono::Days::new((row.days / 2.0) as u64);
            SUMMER.contains(&middle.ordinal()) && short(i)
        })
    };
    let mut found: Vec<Window> = Vec::new();
    for first in (0..rows.len().min(BILLS_MAX)).filter(|i| is_candidate(*i)) {
        for last in (first..rows.len().min(BILLS_MAX)).take_while(|i| is_candidate(*i)) {
            let (Some(a), Some(b)) = (rows.get(first), rows.get(last)) else { break };
            let days = (b.to - a.from).num_days();
            let follows = rows.get(first..=last).is_some_and(|r| r.windows(2).all(|p| p[0].to == p[1].from));
            if DAYS_MAX < days || !follows {
                break;
            }
            let window = Window { from: a.from.ordinal(), days: u32::try_from(days).unwrap_or(0), bills: 0 };
            let window = window.with_bills(rows);
            let same = |w: &Window| w.bills == window.bills;
            let all_short = (0..rows.len().min(BILLS_MAX)).all(|i| !window.holds(i) || short(i));
            if all_short && !found.iter().any(same) {
                found.push(window);
            }
        }
    }
    found
}

impl Window {
    /// Half a bill's days, or more, within the weeks make it one of them.
    fn with_bills(mut self, rows: &[Row]) -> Self {
        let weeks = Closure { from: self.from, days: self.days, left: 0.0, seen: 1.0 };
        for (i, row) in rows.iter().enumerate().take(BILLS_MAX) {
            if 0.5 * row.days <= weeks.overlap(row) {
                self.bills |= 1 << i;
            }
        }
        self
    }
}
