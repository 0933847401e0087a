//! Reporting months whose value is hardly the meter's: garbled bills and totals, as `consuntivo analyze` doubts them.
//!
//! Must never: let a doubted month save anything in the bound that counts, or lift a doubt without a person's word.
//!
//! Every period is judged as it was measured or billed, against what the baseline's law expects of it and against the
//! other periods of the year ([`crate::analysis::doubt`]). The best estimate keeps what was measured. For the bound a
//! doubted month is taken to have used what the baseline would have, and more where the other months used more than it.
//! Who knows that the value is right confirms its days with an adjustment of nothing: author and reason stand in the
//! report, and the doubt becomes a note. A new meter has no baseline's law: its months are judged by each
//! other ([`own`]), and its year by what its connection carries ([`idle`]).

use chrono::NaiveDate;
use model::{Adjustment, Finding, MeterFacts, Severity};

use super::meter::{Context, Evidence, Reference, Row};
use super::{adjustments, stuck};
use crate::analysis::doubt;
use crate::baseline::data::Data;
use crate::baseline::{FitPeriod, Fitted};
use crate::normalise::is_known;
use crate::result::MonthSource;

mod idle;
mod own;

const RULE: &str = "conservative direction: what is missing or garbled never becomes a saving";
/// All periods in another unit; the code under which the doubts say so.
const OTHER_UNIT: &str = "reporting.unit";
/// Far above the others, which lowers the saving; the doubts' own words tell it.
const EXTREME: &str = "reporting.extreme";

/// Compares the months of one year with what they are measured against, and bounds those that readings leave in doubt.
pub(super) fn weigh(
    context: &Context<'_>,
    facts: &MeterFacts,
    evidence: &Evidence<'_>,
    reference: &Reference,
    rows: &mut [Row],
) -> Vec<Finding> {
    for row in &mut *rows {
        row.compare(context, facts, reference);
    }
    let mut findings = stuck::withhold(context, facts, evidence.known, rows);
    for row in &mut *rows {
        row.bound_standstill(facts);
    }
    let judge = Judge { context, facts, evidence };
    match reference {
        Reference::Model(fitted, _) => findings.extend(judge.doubt(fitted, rows)),
        Reference::Zero => {
            findings.extend(judge.withhold_idle(rows));
            findings.extend(judge.doubt_new(rows));
        }
        Reference::None | Reference::Unknown => {}
    }
    findings
}

struct Judge<'a> {
    context: &'a Context<'a>,
    facts: &'a MeterFacts,
    evidence: &'a Evidence<'a>,
}

/// What a month is doubted against, in display units: the code tells readers which of the two.
#[derive(Debug, Clone, Copy)]
enum Expected {
    /// What the baseline leads to expect.
    Baseline(f64),
    /// As much a day as the highest of the meter's other months.
    Others(f64),
    /// The least of all its months together that a plant behind the meter would use.
    Plant(f64),
}

impl Expected {
    const fn energy(self) -> f64 {
        match self {
            Self::Baseline(energy) | Self::Others(energy) | Self::Plant(energy) => energy,
        }
    }

    /// Code of the words for it: `kind.reporting.month_doubtful.CODE`.
    const fn kind(self) -> &'static str {
        match self {
            Self::Baseline(_) => "baseline",
            Self::Others(_) => "others",
            Self::Plant(_) => "plant",
        }
    }
}

/// A period as it was measured or billed, with what is expected of it, in display units.
#[derive(Debug, Clone, Copy)]
struct Judged {
    from: NaiveDate,
    to: NaiveDate,
    measured: f64,
    expected: f64,
}

impl Judged {
    fn days_in(&self, from: NaiveDate, to: NaiveDate) -> f64 {
        (self.to.min(to) - self.from.max(from)).num_days().max(0) as f64
    }

    fn days(&self) -> f64 {
        (self.to - self.from).num_days() as f64
    }
}

/// Whether a month can be judged: it counts, and the baseline says something of it.
fn counts(row: &Row) -> bool {
    row.complete && row.adjusted.is_some() && row.shown.measured.is_some()
}

impl Judge<'_> {
    fn doubt(&self, fitted: &Fitted, rows: &mut [Row]) -> Vec<Finding> {
        let periods = self.periods(rows);
        if periods.is_empty() {
            return Vec::new();
        }
        let temperatures = self.context.temperatures;
        let reporting = Data::of(&periods, temperatures);
        let before: Vec<FitPeriod> = fitted.model.points.iter().map(point).collect();
        let baseline = Data::of(&before, temperatures);
        let mut alone = fitted.law.predict_each(&reporting);
        for (prediction, row) in alone.iter_mut().zip(reporting.rows()) {
            prediction.energy += adjustments::within(self.context.input, self.facts, row.from, row.to);
        }
        let subject = format!("meter:{} {}", self.facts.id, self.context.input.year);
        let doubt = doubt::values(&subject, &alone, &baseline, &reporting);
        let judged: Vec<Judged> = reporting
            .rows()
            .iter()
            .zip(&alone)
            .map(|(row, of)| Judged {
                from: row.from,
                to: row.to,
                measured: row.energy,
                expected: of.energy.max(0.0),
            })
            .collect();
        let other_unit = doubt.findings.iter().find(|f| f.code == OTHER_UNIT);
        let is_doubted = |p: &&Judged| other_unit.is_some() || doubt.spans.contains(&(p.from, p.to));
        let sound = judged.iter().filter(|p| !is_doubted(p));
        let (measured, expected) = sound.fold((0.0, 0.0), |(m, e), p| (m + p.measured, e + p.expected));
        // Where the others use more than the baseline would, so may these.
        let share = if 0.0 < expected { (measured / expected).max(1.0) } else { 1.0 };
        let doubted: Vec<Judged> = judged.iter().filter(is_doubted).copied().collect();
        let mut findings: Vec<Finding> =
            doubt.findings.iter().filter(|f| f.code == EXTREME).cloned().collect();
        findings.extend(self.bound(rows, &doubted, share, other_unit.is_some()));
        if let Some(found) = other_unit
            && findings.iter().any(|f| f.code == UNCONFIRMED)
        {
            findings.retain(|f| f.code != UNCONFIRMED);
            findings.push(in_other_unit(&subject, found));
        }
        findings
    }

    /// The months' values in the periods in which they were told: measured months, and bills as they are.
    fn periods(&self, rows: &[Row]) -> Vec<FitPeriod> {
        let period = |from, to, energy| FitPeriod { from, to, energy, coverage_ratio: 1.0 };
        let month = |row: &Row| {
            let (from, to) = (row.shown.month.first_day(), row.shown.month.end_day());
            period(from, to, row.shown.measured.unwrap_or(0.0))
        };
        let of = |source| rows.iter().filter(move |r| counts(r) && r.shown.source == source);
        let overlaps = |a: &FitPeriod, b: &FitPeriod| a.from < b.to && b.from < a.to;
        let mut periods: Vec<FitPeriod> = of(MonthSource::Meter).map(month).collect();
        let by_bill: Vec<FitPeriod> = of(MonthSource::Bills).map(month).collect();
        let unit = self.facts.carrier.base_unit();
        let settled = self.evidence.settled.periods.iter().filter(|p| p.settled);
        let bills: Vec<FitPeriod> = settled
            .map(|p| period(p.from, p.to, unit.to_display(p.amount)))
            .filter(|p| by_bill.iter().any(|m| overlaps(p, m)) && !periods.iter().any(|m| overlaps(p, m)))
            .filter(|p| is_known(self.context.temperatures, p.from, p.to))
            .collect();
        let rest = by_bill.into_iter().filter(|m| !bills.iter().any(|b| overlaps(b, m)));
        periods.extend(rest);
        periods.extend(bills);
        periods
    }

    /// Lifts the upper bound of the months that doubted periods touch, and tells each of them; a confirmed one is told
    /// and keeps its bounds.
    fn bound(&self, rows: &mut [Row], doubted: &[Judged], share: f64, all: bool) -> Vec<Finding> {
        let mut findings = Vec::new();
        for row in rows.iter_mut().filter(|r| counts(r)) {
            let (from, to) = (row.shown.month.first_day(), row.shown.month.end_day());
            let may_have = |p: &Judged| {
                let unproved = (share * p.expected - p.measured.max(0.0)).max(0.0);
                unproved * p.days_in(from, to) / p.days()
            };
            let touching = || doubted.iter().filter(|p| 0.0 < p.days_in(from, to));
            if touching().next().is_none() || (!all && self.is_closed_by_word(row)) {
                continue;
            }
            let expected = Expected::Baseline(row.adjusted.map_or(0.0, |a| a.energy));
            if let Some(word) = self.confirmation(from, to) {
                findings.push(self.tell(row, expected, Some(word)));
                continue;
            }
            let energy: f64 = touching().map(may_have).sum();
            row.doubted = (energy - row.hidden).max(0.0);
            row.shown.measured_high = row.shown.measured_high.map(|high| high + row.doubted);
            // A standstill is told as such, and its confirmation lifts this too.
            findings.extend((row.still_ratio <= stuck::RATIO_MAX).then(|| self.tell(row, expected, None)));
        }
        findings
    }

    /// Whether a person confirmed that the total rightly stood still for more of the month than may go unmeasured.
    fn is_closed_by_word(&self, row: &Row) -> bool {
        let zone = self.context.input.project.zone;
        row.shown.source == MonthSource::Meter
            && stuck::confirmed_ratio(self.evidence.known, row.shown.month, zone) > stuck::RATIO_MAX
    }

    fn confirmation(&self, from: NaiveDate, to: NaiveDate) -> Option<&Adjustment> {
        let input = self.context.input;
        input.adjustments.iter().find(|a| a.meter == self.facts.id && a.confirms(from, to))
    }

    fn tell(&self, row: &Row, against: Expected, by: Option<&Adjustment>) -> Finding {
        let month = row.shown.month;
        let unit = self.facts.carrier.base_unit().display().symbol();
        let measured = format!("{:.1}", row.shown.measured.unwrap_or(0.0));
        let expected = format!("{:.1}", against.energy());
        let about = format!("meter:{} {month}", self.facts.id);
        let (says, then) = match against {
            Expected::Baseline(_) => (
                format!("{measured} {unit} where the baseline leads to expect {expected} {unit}"),
                "the other months do not bear it out; the month saves nothing in the bound that counts"
                    .to_owned(),
            ),
            Expected::Others(_) => (
                format!("{measured} {unit} where the like months of this new meter used far more"),
                format!(
                    "in the bound that counts the month used {expected} {unit}, going by the highest of the others,"
                ),
            ),
            Expected::Plant(_) => (
                format!(
                    "{measured} {unit} of a new meter whose months together stay below {expected} {unit}"
                ),
                "a plant hardly uses so little; the month is withheld".to_owned(),
            ),
        };
        let finding = |code, severity, says: String| {
            Finding::new(code, severity, &about, says, RULE)
                .with("month", month)
                .with("measured", &measured)
                .with("expected", &expected)
                .with("kind", against.kind())
                .with("unit", unit)
        };
        match by {
            None => {
                let until = "until the bill or the reading is corrected, or a person confirms it";
                finding(UNCONFIRMED, Severity::Caution, format!("{says}: {then} {until}"))
            }
            Some(by) => {
                let says = format!("{says}; {} confirmed it: {}", by.author, by.reason);
                finding("reporting.confirmed", Severity::Note, says)
                    .with("author", &by.author)
                    .with("reason", &by.reason)
            }
        }
    }
}

/// A month of which nobody has said that its doubted value is right; also among what weakens a meter's figures.
pub(crate) const UNCONFIRMED: &str = "reporting.month_doubtful";

fn point(p: &crate::result::BaselinePoint) -> FitPeriod {
    let days = (p.to - p.from).num_days() as f64;
    FitPeriod { from: p.from, to: p.to, energy: days * p.energy_per_day, coverage_ratio: 1.0 }
}

/// All values together are a whole factor away: the year is withheld, since no month of it tells anything.
fn in_other_unit(subject: &str, found: &Finding) -> Finding {
    let times = found.values.iter().find(|(name, _)| *name == "times").map_or("many", |(_, times)| times);
    let says = format!(
        "all months together are {times} times off what the baseline leads to expect: are both in the same unit? The \
         year is withheld until they are corrected, or a person confirms them"
    );
    Finding::new("reporting.other_unit", Severity::Blocks, subject, says, RULE).with("times", times)
}
