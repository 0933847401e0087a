//! The laws of a project's meters: what each would have used before the works, and what it uses now.
//!
//! Must never: fit what is used now on a month that was not measured, or change a baseline that a person accepted.

use std::sync::Arc;

use chrono::NaiveDate;
use model::{
    Adjustment, Carrier, Digest, Direction, Finding, Instant, MeterFacts, MeterId, MeterRole, Month,
    OpeningHours, Project, Severity,
};
use sha2::{Digest as _, Sha256};

use super::meter::{Context, Evidence, Reference, Row, fit_periods};
use super::{COVERAGE_MIN, MeterInput, RULES, YearInput, doubts};
use crate::analysis::project::{self, Wanted};
use crate::baseline::data::Data;
use crate::baseline::fitted::weather_of;
use crate::baseline::{FitPeriod, Fitted};
use crate::bills;
use crate::calendar;
use crate::degree_days::DailyMeans;
use crate::normalise::Adjusted;

/// A baseline that a person accepted: it stands for the whole obligation, whatever becomes of its inputs.
#[derive(Debug, Clone, PartialEq)]
pub struct Frozen {
    pub meter: MeterId,
    pub fitted: Fitted,
    /// Of the periods and temperatures it was fitted on: `baseline_digest`, by the computing rules of then.
    pub inputs: Digest,
    pub rules: String,
    pub author: String,
    pub accepted_at: Instant,
    /// Accepted baselines of the meter that gave way to it, in order of time.
    pub replaced: Vec<Replaced>,
}

/// An accepted baseline that gave way to a later one, by a person's word.
#[derive(Debug, Clone, PartialEq)]
pub struct Replaced {
    pub inputs: Digest,
    pub author: String,
    pub accepted_at: Instant,
    /// Why it gave way.
    pub reason: String,
    /// What its successor expected over what it expected itself, of the same months; `None` where none were known then.
    pub energy_ratio: Option<f64>,
}

impl Frozen {
    /// The law that stands: what it was when it was accepted, under the building's calendar as it is now.
    pub(super) fn standing(&self, calendar: &[OpeningHours]) -> Fitted {
        self.fitted.clone().with_calendar(calendar)
    }
}

/// A month after completion, as it was measured and as the baseline would have been.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReportedMonth {
    pub month: Month,
    /// In display units: the best value, and the most that may have been used.
    pub measured: f64,
    pub most: f64,
    /// Of `most`, what the month may have used while its total stood still and nobody has said why.
    pub hidden: f64,
    /// Of `most`, what it may have used besides because its value is doubted.
    pub doubted: f64,
    pub adjusted: Adjusted,
}

/// A month after completion that cannot be compared, with the bounds of its avoided energy in display units.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LeftOut {
    pub month: Month,
    pub low: f64,
    pub high: f64,
}

/// What a meter's use follows.
#[derive(Debug, Clone, PartialEq)]
pub struct Laws {
    pub meter: MeterId,
    pub carrier: Carrier,
    /// `None` for a meter that is new: its baseline is zero.
    pub baseline: Option<Arc<Fitted>>,
    /// Of the reporting months so far; `None` where they do not suffice for a model of their own.
    pub reporting: Option<Arc<Fitted>>,
    /// Measured months after completion, ascending.
    pub months: Vec<ReportedMonth>,
    /// Months after completion that are over and were not measured: between which their avoided energy lies.
    pub left_out: Vec<LeftOut>,
    /// The weather of `months` and of those of `left_out` that have an adjusted baseline, row by row: the band is of all of
    /// them, so that it does not narrow where readings are missing.
    pub weather: Data,
    /// What people adjusted, past and to come.
    pub adjustments: Vec<Adjustment>,
    /// Digest of what the baseline was fitted on.
    pub inputs: Digest,
}

impl Laws {
    /// Share of the baseline that the last twelve months may have used while the total stood still: what holds of them
    /// until a person says why is expected of the months to come as well. 0 to 1.
    #[must_use]
    pub fn hidden_share(&self) -> f64 {
        self.share(|month| month.hidden)
    }

    /// The same with what the months may have used because their values or their weather are doubted, and with what
    /// months that were left out may have used beyond the baseline: what a model of these months may be too low by.
    #[must_use]
    pub fn unproved_share(&self) -> f64 {
        let known = self.share(|month| month.hidden + month.doubted + month.adjusted.weather_less);
        let last = self.months.len().saturating_sub(12);
        let recent = self.months.get(last..).unwrap_or_default();
        let per_day = |month: &ReportedMonth| month.measured / f64::from(month.month.days());
        let most = MOST * recent.iter().map(per_day).fold(0.0, f64::max);
        let first = recent.first().map(|month| month.month);
        // Of no month more than twice the highest use that is known of the meter.
        let lost = |out: &LeftOut| (-out.low).clamp(0.0, most * f64::from(out.month.days()));
        let left_out: f64 = self.left_out.iter().filter(|out| first <= Some(out.month)).map(lost).sum();
        let baseline: f64 = recent.iter().map(|month| month.adjusted.energy.max(0.0)).sum();
        known + if 0.0 < baseline { left_out / baseline } else { 0.0 }
    }

    fn share(&self, of: impl Fn(&ReportedMonth) -> f64) -> f64 {
        let last = self.months.len().saturating_sub(12);
        let (mut hidden, mut baseline) = (0.0, 0.0);
        for month in self.months.get(last..).unwrap_or_default() {
            hidden += of(month);
            baseline += month.adjusted.energy.max(0.0);
        }
        if 0.0 < baseline { (hidden / baseline).min(1.0) } else { 0.0 }
    }
}

/// Times the highest use per day that is known.
const MOST: f64 = 2.0;

/// Months of reporting on which a law of its own is fitted, at most: three years.
const REPORTING_MONTHS_MAX: usize = 36;

/// The laws of every meter that is compared, in order of the project file. A meter whose baseline cannot be fitted is
/// left out; its findings stand in the year's figures.
#[must_use]
pub fn laws(input: &YearInput<'_>) -> Vec<Laws> {
    let (temperatures, ..) = super::weather::temperatures(input);
    let context = Context::new(input, &temperatures);
    let of = |facts: &MeterFacts| {
        let compared = facts.direction == Direction::Import && facts.role != MeterRole::Sub;
        let known = input.meters.iter().find(|m| m.meter == facts.id).filter(|_| compared)?;
        meter(&context, input, &temperatures, facts, known)
    };
    input.project.meters().filter_map(|(_, facts)| of(facts)).collect()
}

fn meter(
    context: &Context<'_>,
    input: &YearInput<'_>,
    temperatures: &DailyMeans,
    facts: &MeterFacts,
    known: &MeterInput,
) -> Option<Laws> {
    let unit = facts.carrier.base_unit();
    let settled = bills::settle(&known.bills, unit, facts.ceiling_per_milli(), "");
    let from_bills = bills::months(&settled.periods, unit, input.project.zone, facts.ceiling_per_milli());
    let evidence = Evidence { known, settled: &settled, from_bills: &from_bills };
    let (periods, billed) = fit_periods(facts, &evidence);
    let wanted = wanted(&input.project, facts, "");
    let baseline = if facts.role == MeterRole::New {
        None
    } else {
        let frozen = input.frozen.iter().find(|f| f.meter == facts.id).map(|f| f.standing(wanted.calendar));
        Some(Arc::new(frozen.or_else(|| project::fit(&periods, temperatures, &wanted).0)?))
    };
    let reference =
        baseline.as_ref().map_or(Reference::Zero, |b| Reference::Model(Box::new((**b).clone()), billed));
    let (mut months, mut left_out, mut due) = (Vec::new(), Vec::new(), Vec::new());
    let mut month = Month::of(input.project.dates.completed).next();
    while month.end_day() <= input.until && months.len() + left_out.len() < 12 * 40 {
        let (year, mut rows) = (month.year, Vec::new());
        while month.year == year {
            rows.push(Row::of(context, facts, month, known, &from_bills));
            month = month.next();
        }
        // Year by year, as the figures do; of the last one what is over.
        doubts::weigh(context, facts, &evidence, &reference, &mut rows);
        for row in &rows {
            let reported = row.reported();
            let over = row.shown.month.end_day() <= input.until;
            due.extend((reported.is_some() || over && row.adjusted.is_some()).then_some(row.shown.month));
            match reported {
                Some(reported) => months.push(reported),
                None => left_out.extend(Some(row.left_out(facts)).filter(|_| over)),
            }
        }
    }
    let reporting = reporting(&months, temperatures, &wanted);
    let opening = baseline.as_deref().and_then(|b| opening_of(b, wanted.calendar));
    let weather = weather_of(temperatures, due.iter().map(|m| (m.first_day(), m.end_day())));
    Some(Laws {
        meter: facts.id.clone(),
        carrier: facts.carrier,
        baseline,
        reporting: reporting.map(Arc::new),
        months,
        left_out,
        weather,
        adjustments: input.adjustments.iter().filter(|a| a.meter == facts.id).cloned().collect(),
        inputs: baseline_digest(&periods, temperatures, opening, (wanted.from, wanted.to), RULES),
    })
}

/// What is asked of a meter's baseline periods. Subjects of the findings begin with `subject`.
pub(super) fn wanted<'a>(project: &'a Project, facts: &MeterFacts, subject: &'a str) -> Wanted<'a> {
    let (dates, terms) = (&project.dates, &project.terms);
    let building = project.meters().find(|(_, m)| m.id == facts.id).map(|(building, _)| building);
    Wanted {
        subject,
        method: terms.baseline,
        carrier: facts.carrier,
        from: dates.baseline_from,
        to: dates.baseline_to,
        short: true,
        drivers: &terms.drivers,
        calendar: building.map_or(&[], |building| &building.opening),
    }
}

/// The calendar, where a law follows it.
pub(super) fn opening_of<'a>(law: &Fitted, calendar: &'a [OpeningHours]) -> Option<&'a [OpeningHours]> {
    law.law.driving.is_some().then_some(calendar)
}

/// The model of what is used now; at the best value, since it is a forecast of what will be measured.
fn reporting(months: &[ReportedMonth], temperatures: &DailyMeans, wanted: &Wanted<'_>) -> Option<Fitted> {
    let recent = months.get(months.len().saturating_sub(REPORTING_MONTHS_MAX)..)?;
    let periods: Vec<FitPeriod> = recent
        .iter()
        .map(|m| FitPeriod {
            from: m.month.first_day(),
            to: m.month.end_day(),
            energy: m.measured,
            coverage_ratio: 1.0,
        })
        .collect();
    let (first, last) = (periods.first()?, periods.last()?);
    // What is used now is told by a year: a ratio of fewer months would bend forecasts for nothing.
    let wanted = Wanted { from: first.from, to: last.to, short: false, ..*wanted };
    project::fit(&periods, temperatures, &wanted).0
}

/// The digest of what a baseline is fitted on: the computing rules, each usable period with its energy, the
/// temperatures of the baseline, and its opening by the day where the law follows it.
pub(super) fn baseline_digest(
    periods: &[FitPeriod],
    temperatures: &DailyMeans,
    opening: Option<&[OpeningHours]>,
    (from, to): (NaiveDate, NaiveDate),
    rules: &str,
) -> Digest {
    let mut hash = Sha256::new();
    hash.update(b"consuntivo baseline");
    hash.update(rules.as_bytes());
    let mut used: Vec<&FitPeriod> =
        periods.iter().filter(|p| COVERAGE_MIN <= p.coverage_ratio && from <= p.from && p.to <= to).collect();
    used.sort_by_key(|p| (p.from, p.to));
    for period in used {
        hash.update(period.from.to_string().as_bytes());
        hash.update(period.to.to_string().as_bytes());
        hash.update(period.energy.to_bits().to_be_bytes());
    }
    for (date, mean_c) in temperatures.dated().filter(|(date, _)| from <= *date && *date < to) {
        hash.update(date.to_string().as_bytes());
        hash.update((mean_c + 0.0).to_bits().to_be_bytes());
    }
    if let Some(entries) = opening {
        hash.update(b"opening");
        for date in from.iter_days().take_while(|date| *date < to) {
            // A day that is not stated is none of a closed building.
            let hours = calendar::hours_on(entries, date).unwrap_or(-1.0);
            hash.update((hours + 0.0).to_bits().to_be_bytes());
        }
    }
    Digest(hash.finalize().into())
}

/// That the baseline which stands is not the one that was accepted first: told in every year from then on.
pub(super) fn again(frozen: &Frozen, subject: &str) -> Vec<Finding> {
    let short = |digest: Digest| digest.hex().chars().take(12).collect::<String>();
    let last = (frozen.inputs, &frozen.author, frozen.accepted_at);
    let later = frozen.replaced.iter().skip(1).map(|r| (r.inputs, &r.author, r.accepted_at)).chain([last]);
    let tell = |(former, (inputs, author, at)): (&Replaced, (Digest, &String, Instant))| {
        let (then, now) = (short(former.inputs), short(inputs));
        let percent = former.energy_ratio.map_or_else(|| "-".to_owned(), |r| format!("{:.1}", 100.0 * r));
        let says = format!(
            "the baseline that {} accepted on {} (digest {then}) gave way to that of {author} of {at} (digest {now}), \
             which for the same months expects {percent} % of its energy: {}",
            former.author, former.accepted_at, former.reason
        );
        let rule = "a baseline, once accepted, is frozen for the whole obligation";
        Finding::new("baseline.accepted_again", Severity::Caution, subject, says, rule)
            .with("former_author", &former.author)
            .with("former_at", former.accepted_at)
            .with("then", then)
            .with("author", author)
            .with("at", at)
            .with("now", now)
            .with("percent", percent)
            .with("reason", &former.reason)
    };
    frozen.replaced.iter().zip(later).map(tell).collect()
}

/// What is said when the inputs of an accepted baseline are others than when it was accepted.
pub(super) fn changed(frozen: &Frozen, now: Digest, subject: &str) -> Option<Finding> {
    let short = |digest: Digest| digest.hex().chars().take(12).collect::<String>();
    let (then, now_short) = (short(frozen.inputs), short(now));
    let says = format!(
        "the baseline that {} accepted on {} stands; what it was fitted on has changed since (digest {then}, now \
         {now_short})",
        frozen.author, frozen.accepted_at
    );
    let rule = "a baseline, once accepted, is frozen for the whole obligation";
    (frozen.inputs != now).then(|| {
        Finding::new("baseline.inputs_changed", Severity::Caution, subject, says, rule)
            .with("author", &frozen.author)
            .with("at", frozen.accepted_at)
            .with("then", then)
            .with("now", now_short)
    })
}
