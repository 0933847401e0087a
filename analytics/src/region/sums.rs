//! What many cases come to together: how many reach their targets, what was declared and what was achieved.
//!
//! Must never: add an achieved value whose declared one is not added too, or leave out in silence what has no figure.

use std::collections::{BTreeMap, BTreeSet};

use model::Intervention;

use super::{Case, CaseKpi};
use crate::result::Verdict;
use crate::scheme::calendar::State;
use crate::scheme::{KpiMeasure, KpiUnit};

/// By what cases are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    Scheme,
    Beneficiary,
    Province,
    Intervention,
    Year,
}

impl Group {
    pub const ALL: [Self; 5] =
        [Self::Scheme, Self::Beneficiary, Self::Province, Self::Intervention, Self::Year];

    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Scheme => "scheme",
            Self::Beneficiary => "beneficiary",
            Self::Province => "province",
            Self::Intervention => "intervention",
            Self::Year => "year",
        }
    }

    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|g| g.code() == code)
    }

    /// Under which keys a case stands, with their names: several interventions are several keys.
    fn keys(self, case: &Case) -> Vec<(String, String)> {
        let same = |text: &str| vec![(text.to_owned(), text.to_owned())];
        match self {
            Self::Scheme => vec![(case.scheme.to_string(), case.scheme_title.clone())],
            Self::Beneficiary => same(&case.beneficiary),
            Self::Province => same(case.province),
            Self::Year => same(&case.year.to_string()),
            Self::Intervention if case.interventions.is_empty() => vec![(String::new(), String::new())],
            Self::Intervention => case
                .interventions
                .iter()
                .map(|i: &Intervention| (i.code().to_owned(), String::new()))
                .collect(),
        }
    }
}

/// What the cases of one group come to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GroupLine {
    /// The value to filter by; empty for cases that state none.
    pub key: String,
    pub name: String,
    pub cases: usize,
    pub projects: usize,
    /// Verdicts of the cases that are [closed](Case::is_closed).
    pub reached: usize,
    pub missed: usize,
    pub undetermined: usize,
    /// Cases that are not: with the three before they make up all.
    pub open: usize,
    pub late: usize,
    /// Sums of the lead KPI over the cases that have both, in `unit`; energies in MWh.
    pub declared: Option<f64>,
    pub achieved: Option<f64>,
    pub unit: Option<KpiUnit>,
    /// Cases whose lead KPI has no figure or no target, and stands in no sum.
    pub left_out: usize,
    /// Of the lead KPI, over the cases that have one.
    pub median_attainment: Option<f64>,
    /// The worst of the cases.
    pub coverage_ratio: Option<f64>,
    /// The mean of the cases.
    pub estimated_ratio: Option<f64>,
}

impl GroupLine {
    /// Achieved over declared of what is in the sums.
    #[must_use]
    pub fn ratio(&self) -> Option<f64> {
        let declared = self.declared.filter(|d| 0.0 < *d)?;
        Some(self.achieved? / declared)
    }
}

/// The groups of cases, by name; cases that state no key come last.
#[must_use]
pub fn groups(cases: &[&Case], by: Group, measure: Option<KpiMeasure>) -> Vec<GroupLine> {
    let mut parts: BTreeMap<(bool, String, String), Vec<&Case>> = BTreeMap::new();
    for case in cases {
        for (key, name) in by.keys(case) {
            parts.entry((key.is_empty(), name, key)).or_default().push(case);
        }
    }
    parts.into_iter().map(|((_, name, key), cases)| line(key, name, &cases, measure)).collect()
}

fn line(key: String, name: String, cases: &[&Case], measure: Option<KpiMeasure>) -> GroupLine {
    let with = |verdict| cases.iter().filter(|c| c.is_closed() && c.verdict() == verdict).count();
    let leads: Vec<Option<&CaseKpi>> = cases.iter().map(|c| c.lead(measure)).collect();
    let mut ratios: Vec<f64> = leads.iter().flatten().filter_map(|k| k.attainment_ratio).collect();
    let (sums, left_out) = sums(&leads);
    let estimated: Vec<f64> = cases.iter().filter_map(|c| c.estimated_ratio).collect();
    GroupLine {
        key,
        name,
        cases: cases.len(),
        projects: cases.iter().map(|c| &c.project).collect::<BTreeSet<_>>().len(),
        reached: with(Verdict::Reached),
        missed: with(Verdict::Missed),
        undetermined: with(Verdict::Undetermined),
        open: cases.iter().filter(|c| !c.is_closed()).count(),
        late: cases.iter().filter(|c| c.duty.as_ref().is_some_and(|d| d.state == State::Late)).count(),
        declared: sums.map(|s| s.0),
        achieved: sums.map(|s| s.1),
        unit: sums.map(|s| s.2),
        left_out,
        median_attainment: median(&mut ratios),
        coverage_ratio: cases.iter().filter_map(|c| c.coverage_ratio).reduce(f64::min),
        estimated_ratio: (!estimated.is_empty())
            .then(|| estimated.iter().sum::<f64>() / estimated.len() as f64),
    }
}

/// Declared and achieved where both are known and the units agree, and how many are in no sum. Shares and other ratios
/// add up to nothing.
fn sums(leads: &[Option<&CaseKpi>]) -> (Option<(f64, f64, KpiUnit)>, usize) {
    let both: Vec<(f64, f64, KpiUnit)> = leads
        .iter()
        .flatten()
        .filter_map(|k| {
            let (unit, factor) = match k.unit.kwh() {
                Some(kwh) => (KpiUnit::MegawattHour, kwh / 1e3),
                None => (k.unit, 1.0),
            };
            let adds = !matches!(
                k.unit,
                KpiUnit::Percent | KpiUnit::KilowattHourPerEuro | KpiUnit::KilowattHourPerSquareMetre
            );
            adds.then_some((k.target? * factor, k.achieved? * factor, unit))
        })
        .collect();
    let left_out = leads.len() - both.len();
    let Some(unit) = both.first().map(|b| b.2) else { return (None, left_out) };
    if both.iter().any(|b| b.2 != unit) {
        return (None, leads.len());
    }
    let sum = |of: fn(&(f64, f64, KpiUnit)) -> f64| both.iter().map(of).sum();
    (Some((sum(|b| b.0), sum(|b| b.1), unit)), left_out)
}

fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    match values.len() {
        0 => None,
        n if n % 2 == 1 => values.get(half).copied(),
        _ => Some(f64::midpoint(*values.get(half - 1)?, *values.get(half)?)),
    }
}

/// Lower bounds of the bins of a distribution, in shares of one; the first has none.
pub const BINS: [f64; 8] = [f64::NEG_INFINITY, 0.0, 0.25, 0.5, 0.75, 0.9, 1.0, 1.25];

/// A bin of a distribution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bin {
    /// Included.
    pub from: f64,
    /// Not included.
    pub to: f64,
    pub cases: usize,
}

/// How attainment of the lead KPI is spread.
#[derive(Debug, Clone, PartialEq)]
pub struct Distribution {
    pub bins: Vec<Bin>,
    /// Cases of which nothing can be said.
    pub without: usize,
}

/// The distribution of the lead KPI's attainment over cases.
#[must_use]
pub fn distribution(cases: &[&Case], measure: Option<KpiMeasure>) -> Distribution {
    let ratios: Vec<f64> =
        cases.iter().filter_map(|c| c.lead(measure).and_then(|k| k.attainment_ratio)).collect();
    let bins = BINS.iter().enumerate().map(|(i, &from)| {
        let to = BINS.get(i + 1).copied().unwrap_or(f64::INFINITY);
        Bin { from, to, cases: ratios.iter().filter(|r| from <= **r && **r < to).count() }
    });
    Distribution { bins: bins.collect(), without: cases.len() - ratios.len() }
}
