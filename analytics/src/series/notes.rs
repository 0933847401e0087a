//! What happened to a counter, told per month so that a chattering meter cannot fill the memory.
//!
//! Must never: grow with the number of readings, or forget an impossible claim that was not taken back.

use std::collections::BTreeMap;

use model::{Confidence, Explanation, Finding, Month, Severity, Unit, Zone};

use super::DatedFinding;
use crate::checkpoint::kept;
use crate::counter::Decision;

const HOUR_MILLIS: i64 = 3_600_000;

/// The readings missing in one month.
#[derive(Debug, Clone, Copy)]
struct Gaps {
    month: Month,
    count: u32,
    millis: i64,
    amount: i64,
}

kept!(Gaps { month, count, millis, amount });

/// How often one thing happened in a month, and how bad the worst of it is.
#[derive(Debug, Clone, Copy)]
struct Tally {
    count: u32,
    recovered: u32,
    severity: Severity,
}

kept!(Tally { count, recovered, severity });

type Tallies = BTreeMap<(Month, &'static str), Tally>;

/// Gaps by month, and decisions that are only counted.
#[derive(Debug, Clone, Default)]
pub(super) struct Notes {
    /// Ascending as they came.
    gaps: Vec<Gaps>,
    forgotten: Tallies,
}

kept!(Notes { gaps, forgotten });

impl Notes {
    /// The part of a gap that lies in one month.
    pub(super) fn gap(&mut self, month: Month, millis: i64, amount: i64) {
        if self.gaps.last().is_none_or(|g| g.month != month) {
            self.gaps.push(Gaps { month, count: 0, millis: 0, amount: 0 });
        }
        if let Some(gaps) = self.gaps.last_mut() {
            gaps.count += 1;
            gaps.millis += millis;
            gaps.amount = gaps.amount.saturating_add(amount);
        }
    }

    /// Counts a decision that is kept no longer.
    pub(super) fn forget(&mut self, decision: &Decision, zone: Zone) {
        tally(&mut self.forgotten, decision, zone);
    }

    pub(super) fn findings(
        &self,
        decisions: &[Decision],
        subject: &str,
        unit: Unit,
        zone: Zone,
    ) -> Vec<DatedFinding> {
        let mut tallies = self.forgotten.clone();
        for decision in decisions {
            tally(&mut tallies, decision, zone);
        }
        let mut out: Vec<DatedFinding> = tallies
            .into_iter()
            .map(|((month, code), tally)| DatedFinding {
                month,
                finding: tally.finding(code, format!("{subject} {month}")),
            })
            .collect();
        out.extend(self.gaps.iter().filter(|gaps| !gaps.is_hourly()).map(|gaps| DatedFinding {
            month: gaps.month,
            finding: gaps.finding(format!("{subject} {}", gaps.month), unit),
        }));
        out
    }
}

fn tally(tallies: &mut Tallies, decision: &Decision, zone: Zone) {
    let Some((code, severity, noise)) = told_as(decision) else { return };
    let first = decision.at.month(zone);
    // In another unit, every month since is in doubt; everything else belongs to the month in which it began.
    let last = if code == "counter.unit_change" { decision.to.month(zone) } else { first };
    let mut add = |month, code, severity: Severity, noise: bool| {
        let tally = tallies.entry((month, code)).or_insert(Tally { count: 0, recovered: 0, severity });
        tally.count += 1;
        tally.recovered += u32::from(noise);
        tally.severity = tally.severity.max(severity);
    };
    let mut month = first;
    while month <= last {
        add(month, code, severity, noise);
        month = month.next();
    }
    // Measuring goes on from a range that nobody can explain: the claim stays.
    if decision.explanation == Explanation::Reset && decision.before < decision.seen {
        add(first, "counter.impossible", Severity::Blocks, false);
    }
}

/// Every code that [`told_as`] gives, and what a reset adds.
pub(crate) const CODES: [&str; 9] = [
    "counter.caught_up",
    "counter.exchanged",
    "counter.held",
    "counter.impossible",
    "counter.reset",
    "counter.step_back",
    "counter.unit_change",
    "counter.wrap_doubtful",
    "counter.wrapped",
];

/// The finding's code, its weight, and whether it was noise that later totals took back. What a person decided is no
/// finding any more; it stands in the annex.
fn told_as(decision: &Decision) -> Option<(&'static str, Severity, bool)> {
    let certain = decision.confidence == Confidence::Certain;
    let unless_certain = if certain { Severity::Note } else { Severity::Caution };
    if decision.by_person && decision.explanation != Explanation::Exchange {
        return None;
    }
    Some(match decision.explanation {
        Explanation::Dip => ("counter.held", unless_certain, certain),
        Explanation::Spike => ("counter.impossible", Severity::Note, true),
        Explanation::Wrap if certain => ("counter.wrapped", Severity::Note, false),
        Explanation::Wrap => ("counter.wrap_doubtful", Severity::Caution, false),
        Explanation::Reset => ("counter.reset", Severity::Caution, false),
        Explanation::StepBack => ("counter.step_back", unless_certain, false),
        Explanation::Exchange => ("counter.exchanged", Severity::Note, false),
        Explanation::UnitChange => ("counter.unit_change", unless_certain, false),
        Explanation::CaughtUp => ("counter.caught_up", Severity::Note, false),
        // Told with the baseline beside it, which says whether anything should have moved.
        Explanation::Standstill => return None,
        Explanation::Open if decision.seen < decision.before => ("counter.held", Severity::Caution, false),
        Explanation::Open => ("counter.impossible", Severity::Blocks, false),
    })
}

const COUNTER_RULE: &str = "conservative direction: a total that does not follow is never booked";

impl Tally {
    fn finding(&self, code: &'static str, about: String) -> Finding {
        let (count, back) = (self.count, self.recovered);
        let says = match code {
            "counter.held" => {
                format!(
                    "the total went backwards {count} times, {back} of them noise; none is counted as energy"
                )
            }
            "counter.impossible" => format!(
                "the total rose {count} times by more than the connection can carry, {back} of them taken back by later totals; none is counted as energy"
            ),
            "counter.reset" => format!(
                "the counter began again from another total {count} times; the energy in between is unknown"
            ),
            "counter.wrapped" => {
                format!("the register passed its largest value {count} times and began again")
            }
            "counter.wrap_doubtful" => format!(
                "the register may have passed its largest value {count} times in a gap; how often, or whether it was reset, is unknown"
            ),
            "counter.step_back" => format!(
                "the total stepped back a little {count} times, as after a power cut; nothing was counted twice"
            ),
            "counter.unit_change" => {
                "the register counts in another unit than before; its totals were converted".to_owned()
            }
            "counter.caught_up" => {
                format!("the total stood still {count} times and then showed at once what was used meanwhile")
            }
            _ => format!("the meter was exchanged {count} times"),
        };
        let finding = Finding::new(code, self.severity, about, says, COUNTER_RULE).with("count", count);
        if matches!(code, "counter.held" | "counter.impossible") {
            finding.with("recovered", back)
        } else {
            finding
        }
    }
}

impl Gaps {
    /// Whether the whole month was read about every hour: that is how the register is read, and no gap.
    fn is_hourly(&self) -> bool {
        let month = i64::from(self.month.days()) * 24 * HOUR_MILLIS;
        let mean = self.millis / i64::from(self.count.max(1));
        mean <= HOUR_MILLIS + HOUR_MILLIS / 60 && month - month / 50 <= self.millis
    }

    /// `unit` is that of a thousand of the smallest.
    fn finding(&self, about: String, unit: Unit) -> Finding {
        let hours = self.millis as f64 / 3_600_000.0;
        let energy = self.amount as f64 / 1000.0;
        let symbol = unit.symbol();
        let says = format!(
            "{} gaps between readings, {hours:.1} h in all; {energy:.3} {symbol} were used in them at unknown times",
            self.count
        );
        let rule = "coverage and gaps are shown with every month";
        Finding::new("series.gap", Severity::Note, about, says, rule)
            .with("count", self.count)
            .with("hours", format!("{hours:.1}"))
            .with("energy", format!("{energy:.3}"))
            .with("unit", symbol)
    }
}
