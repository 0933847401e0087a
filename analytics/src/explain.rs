//! The chain of a figure down to the readings: the formula with its numbers, the months of each meter, what the counter
//! decided, the first and last reading of each month.
//!
//! Must never: print a number that is not the one in the figure, or a sum whose parts do not add up without saying what
//! is left.
//!
//! Words are keys of the text catalogue with values, so that a chain reads in every language.

use std::collections::BTreeMap;

use model::{BillQuality, Digest, Instant, MeterId, Month, Origin};

use crate::result::ProjectYear;

mod cost;
mod months;
mod text;
mod tree;

pub use text::lines;
pub use tree::{figures, of, wanted};

/// One reading of a meter's total.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadingFact {
    pub at: Instant,
    /// In the smallest unit, as it was read.
    pub total: i64,
    pub origin: Origin,
}

/// A bill, or a period that the distributor read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BillFact {
    pub from: chrono::NaiveDate,
    /// First day after it.
    pub to: chrono::NaiveDate,
    pub amount: i64,
    pub quality: BillQuality,
}

/// What the store holds of one meter and month.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MonthEvidence {
    /// The last reading before the month, the first and last within it, the first after it.
    pub before: Option<ReadingFact>,
    pub first: Option<ReadingFact>,
    pub last: Option<ReadingFact>,
    pub after: Option<ReadingFact>,
    /// Readings of the month, and the digest of all of them.
    pub readings: u64,
    pub digest: Option<Digest>,
    /// Intervals that files state within the month, and their sum in the smallest unit.
    pub filed: u64,
    pub filed_amount: i64,
    /// Bills that touch the month.
    pub bills: Vec<BillFact>,
}

/// Evidence by meter and month.
pub type Evidence = BTreeMap<(MeterId, Month), MonthEvidence>;

/// A step of the chain.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Key in the texts, `explain.…`.
    pub key: &'static str,
    /// Values of its sentence.
    pub values: Vec<(&'static str, String)>,
    /// The number of this step, unrounded.
    pub value: Option<f64>,
    pub unit: String,
    /// How the number comes about from the nodes below.
    pub from: Sum,
    pub children: Vec<Node>,
}

/// What a node's number is of the numbers below it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sum {
    /// Nothing: the nodes below are evidence.
    Evidence,
    /// This many times the sum of the nodes below that have [`Node::adds`].
    Times(f64),
}

impl Node {
    #[must_use]
    pub fn new(key: &'static str) -> Self {
        Self {
            key,
            values: Vec::new(),
            value: None,
            unit: String::new(),
            from: Sum::Evidence,
            children: Vec::new(),
        }
    }

    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.values.push((name, value.to_string()));
        self
    }

    #[must_use]
    pub fn worth(mut self, value: Option<f64>, unit: impl Into<String>) -> Self {
        self.value = value;
        self.unit = unit.into();
        self
    }

    /// The number is `factor` times the sum of the children that carry a number of the chain.
    #[must_use]
    pub fn sum_of(mut self, factor: f64, children: Vec<Self>) -> Self {
        self.from = Sum::Times(factor);
        self.children = children;
        self
    }

    #[must_use]
    pub fn beside(mut self, children: impl IntoIterator<Item = Self>) -> Self {
        self.children.extend(children);
        self
    }

    /// Whether its number is a term of the node above: those whose key says so.
    #[must_use]
    pub fn adds(&self) -> bool {
        self.value.is_some() && self.key.starts_with("explain.term.")
    }

    /// Every node, this one first, whose number is not what the nodes below make of it; `tolerance` is relative.
    #[must_use]
    pub fn broken(&self, tolerance: f64) -> Vec<&Self> {
        let mut all = Vec::new();
        if let (Sum::Times(factor), Some(value)) = (self.from, self.value) {
            let terms: Vec<f64> = self.children.iter().filter(|c| c.adds()).filter_map(|c| c.value).collect();
            let sum = factor * terms.iter().sum::<f64>();
            let size = terms.iter().map(|t| (factor * t).abs()).fold(value.abs(), f64::max).max(1e-9);
            if tolerance * size < (sum - value).abs() {
                all.push(self);
            }
        }
        all.extend(self.children.iter().flat_map(|c| c.broken(tolerance)));
        all
    }
}

/// What the chain is of, with the digests that make it reproducible.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    pub figure: String,
    pub project: String,
    pub year: i32,
    pub until: chrono::NaiveDate,
    pub root: Node,
    pub inputs: Digest,
    pub catalog: Digest,
    pub rules: &'static str,
}

/// The chain of a figure, or `None` when the year has no such figure; [`figures`] lists them.
#[must_use]
pub fn explain(year: &ProjectYear, figure: &str, evidence: &Evidence) -> Option<Explanation> {
    let root = of(year, figure, evidence)?;
    Some(Explanation {
        figure: figure.to_owned(),
        project: year.project.id.to_string(),
        year: year.year,
        until: year.until,
        root,
        inputs: year.provenance.inputs,
        catalog: year.provenance.catalog,
        rules: year.provenance.rules,
    })
}
