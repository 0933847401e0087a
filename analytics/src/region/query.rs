//! Choosing and sorting cases.
//!
//! Must never: let a case without a value come before one with it.

use std::cmp::Ordering;

use model::{Intervention, ProjectId, SchemeId};

use super::{Case, Group};
use crate::result::Verdict;
use crate::scheme::KpiMeasure;
use crate::scheme::calendar::State;

/// Most lines of one page of the table.
pub const PER_PAGE_MAX: usize = 500;

/// By what cases are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sort {
    #[default]
    Project,
    Beneficiary,
    Scheme,
    Province,
    Year,
    Attainment,
    Coverage,
    Estimated,
    Findings,
    Due,
}

impl Sort {
    pub const ALL: [Self; 10] = [
        Self::Project,
        Self::Beneficiary,
        Self::Scheme,
        Self::Province,
        Self::Year,
        Self::Attainment,
        Self::Coverage,
        Self::Estimated,
        Self::Findings,
        Self::Due,
    ];

    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Project => "project",
            Self::Beneficiary => "beneficiary",
            Self::Scheme => "scheme",
            Self::Province => "province",
            Self::Year => "year",
            Self::Attainment => "attainment",
            Self::Coverage => "coverage",
            Self::Estimated => "estimated",
            Self::Findings => "findings",
            Self::Due => "due",
        }
    }

    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.code() == code)
    }
}

/// Which due days are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DueFilter {
    /// The day has passed and nothing was sent.
    Late,
    /// To be sent within so many days.
    Within(i64),
    /// Sent or accepted.
    Done,
    /// Not sent, whether late or not.
    Open,
}

/// What is wanted of the table. An empty query wants everything.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Query {
    /// Words that must all occur in title, CUP, beneficiary, municipality or scheme.
    pub text: String,
    pub project: Option<ProjectId>,
    pub scheme: Option<SchemeId>,
    pub beneficiary: Option<String>,
    pub province: Option<String>,
    pub intervention: Option<Intervention>,
    pub year: Option<i32>,
    pub verdict: Option<Verdict>,
    pub due: Option<DueFilter>,
    /// Of the lead KPI, in shares of one.
    pub attainment_below: Option<f64>,
    pub coverage_below: Option<f64>,
    pub estimated_above: Option<f64>,
    /// Only cases with findings that withhold figures.
    pub blocked: bool,
    /// Only cases that are, or are not, [closed](Case::is_closed).
    pub closed: Option<bool>,
    /// The KPI that leads; see [`Case::lead`].
    pub measure: Option<KpiMeasure>,
    pub sort: Sort,
    pub descending: bool,
    pub group: Option<Group>,
}

impl Query {
    fn wants(&self, case: &Case, words: &[String]) -> bool {
        let lead = || case.lead(self.measure);
        self.year.is_none_or(|year| year == case.year)
            && self.project.as_ref().is_none_or(|p| *p == case.project)
            && self.scheme.as_ref().is_none_or(|s| *s == case.scheme)
            && self.beneficiary.as_ref().is_none_or(|b| *b == case.beneficiary)
            && self.province.as_deref().is_none_or(|p| p == case.province)
            && self.intervention.is_none_or(|i| case.interventions.contains(&i))
            && (!self.blocked || 0 < case.blocking)
            && self.closed.is_none_or(|closed| closed == case.is_closed())
            && self.verdict.is_none_or(|v| v == case.verdict())
            && self.due.is_none_or(|due| is_due(case, due))
            && self.coverage_below.is_none_or(|limit| case.coverage_ratio.is_none_or(|c| c < limit))
            && self.estimated_above.is_none_or(|limit| case.estimated_ratio.is_none_or(|e| limit < e))
            && self
                .attainment_below
                .is_none_or(|limit| lead().and_then(|k| k.attainment_ratio).is_some_and(|a| a < limit))
            && (self.measure.is_none() || lead().is_some())
            && words.iter().all(|word| case.haystack.contains(word.as_str()))
    }
}

fn is_due(case: &Case, wanted: DueFilter) -> bool {
    let Some(duty) = &case.duty else { return false };
    let open = !matches!(duty.state, State::Sent | State::Accepted);
    match wanted {
        DueFilter::Late => duty.state == State::Late,
        DueFilter::Within(days) => open && duty.days_left.is_some_and(|left| 0 <= left && left <= days),
        DueFilter::Done => !open,
        DueFilter::Open => open,
    }
}

/// The wanted cases in the wanted order.
#[must_use]
pub fn select<'c>(cases: &'c [Case], query: &Query) -> Vec<&'c Case> {
    let words: Vec<String> = query.text.to_lowercase().split_whitespace().map(str::to_owned).collect();
    let mut chosen: Vec<&Case> = cases.iter().filter(|case| query.wants(case, &words)).collect();
    chosen.sort_by(|a, b| {
        let order = compare(a, b, query);
        order.then_with(|| a.project.cmp(&b.project)).then_with(|| b.year.cmp(&a.year))
    });
    chosen
}

fn compare(a: &Case, b: &Case, query: &Query) -> Ordering {
    let turned = |order: Ordering| if query.descending { order.reverse() } else { order };
    // What has no value comes last, whichever way the table is turned.
    let values = |a: Option<f64>, b: Option<f64>| match (a, b) {
        (Some(a), Some(b)) => turned(a.total_cmp(&b)),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    };
    let attainment = |case: &Case| case.lead(query.measure).and_then(|k| k.attainment_ratio);
    let days = |case: &Case| case.duty.as_ref().and_then(|d| d.days_left).map(|d| d as f64);
    match query.sort {
        Sort::Project => turned(a.title.cmp(&b.title)),
        Sort::Beneficiary => turned(a.beneficiary.cmp(&b.beneficiary)),
        Sort::Scheme => turned(a.scheme_title.cmp(&b.scheme_title)),
        Sort::Province => turned(a.province.cmp(b.province)),
        Sort::Year => turned(a.year.cmp(&b.year)),
        Sort::Attainment => values(attainment(a), attainment(b)),
        Sort::Coverage => values(a.coverage_ratio, b.coverage_ratio),
        Sort::Estimated => values(a.estimated_ratio, b.estimated_ratio),
        Sort::Findings => turned((a.blocking, a.cautions).cmp(&(b.blocking, b.cautions))),
        Sort::Due => values(days(a), days(b)),
    }
}
