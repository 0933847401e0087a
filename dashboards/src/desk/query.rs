//! What an address asks of the region's table, and the addresses of its other views.
//!
//! Must never: put a value into an address that was not understood.

use std::borrow::Cow;

use analytics::region::{DueFilter, Group, PER_PAGE_MAX, Query, Sort};
use analytics::result::Verdict;
use analytics::scheme::KpiMeasure;
use model::{Intervention, ProjectId, SchemeId};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::json;

use crate::downloads::encode;
use crate::pages::Fault;

/// Lines of a page where the address says nothing.
const PER_PAGE: usize = 50;
/// Days within which something is soon late, where the address says nothing else.
pub(crate) const SOON_DAYS: i64 = 60;
/// Longest text that is searched for, in characters.
const TEXT_MAX: usize = 100;

/// The names that an address may hold, in the order in which it is written.
const NAMES: [&str; 19] = [
    "text",
    "scheme",
    "beneficiary",
    "province",
    "intervention",
    "year",
    "verdict",
    "due",
    "below",
    "coverage",
    "estimated",
    "blocked",
    "closed",
    "kpi",
    "project",
    "sort",
    "desc",
    "group",
    "per",
];

/// The names of an address with their values, in any order; names that mean nothing are passed over.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(transparent)]
pub(crate) struct TableWords(pub(crate) Vec<(String, String)>);

impl JsonSchema for TableWords {
    fn schema_name() -> Cow<'static, str> {
        "TableWords".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let of = |name: &&'static str| ((*name).to_owned(), json!({ "type": "string" }));
        let names: serde_json::Map<String, serde_json::Value> =
            NAMES.iter().chain(&["page"]).map(of).collect();
        json_schema!({ "type": "object", "properties": names })
    }
}

/// What is asked.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct TableAsk {
    pub(crate) query: Query,
    /// From 1.
    pub(crate) page: usize,
    pub(crate) per_page: usize,
    /// What was understood, as it stands in addresses.
    pairs: Vec<(&'static str, String)>,
    /// Names whose value means nothing: the table is not narrowed by them, and must say so.
    pub(crate) ignored: Vec<&'static str>,
}

/// A share of one from a percentage.
fn share(text: &str) -> Option<f64> {
    let percent: f64 = text.replace(',', ".").parse().ok()?;
    (percent.is_finite() && (-1e4..=1e4).contains(&percent)).then_some(percent / 100.0)
}

/// The same of what cannot exceed the whole.
fn part(text: &str) -> Option<f64> {
    share(text).filter(|ratio| (0.0..=1.0).contains(ratio))
}

impl TableAsk {
    pub(crate) fn of(given: &[(String, String)]) -> Self {
        let mut ask = Self { page: 1, per_page: PER_PAGE, ..Self::default() };
        for name in NAMES {
            let value = given.iter().find(|(n, v)| n == name && !v.trim().is_empty());
            let Some((_, value)) = value else { continue };
            match ask.take(name, value.trim()) {
                Some(()) => ask.pairs.push((name, value.trim().to_owned())),
                None => ask.ignored.push(name),
            }
        }
        let page = given.iter().find(|(n, v)| n == "page" && !v.trim().is_empty());
        let number = page.and_then(|(_, v)| v.trim().parse().ok()).filter(|page| 0 < *page);
        if page.is_some() && number.is_none() {
            ask.ignored.push("page");
        }
        ask.page = number.unwrap_or(1);
        ask
    }

    /// The same for a file or a program, which no page tells what was left out: a value that means nothing is an error.
    pub(crate) fn strictly(given: &[(String, String)]) -> Result<Self, Fault> {
        let ask = Self::of(given);
        if ask.ignored.is_empty() {
            return Ok(ask);
        }
        Err(Fault::BadForm(format!("no meaning: {}", ask.ignored.join(", "))))
    }

    /// `None` for a value that means nothing.
    fn take(&mut self, name: &str, value: &str) -> Option<()> {
        let query = &mut self.query;
        match name {
            "text" => query.text = value.chars().take(TEXT_MAX).collect(),
            "project" => query.project = Some(ProjectId::new(value).ok()?),
            "scheme" => query.scheme = Some(SchemeId::new(value).ok()?),
            "beneficiary" => query.beneficiary = Some(value.to_owned()),
            "province" => query.province = Some(value.to_owned()),
            "intervention" => query.intervention = Some(Intervention::parse(value)?),
            "year" => query.year = Some(value.parse().ok()?),
            "verdict" => query.verdict = Some(verdict(value)?),
            "due" => query.due = Some(due(value)?),
            "below" => query.attainment_below = Some(share(value)?),
            "coverage" => query.coverage_below = Some(part(value)?),
            "estimated" => query.estimated_above = Some(part(value)?),
            "blocked" => query.blocked = value == "1",
            "closed" => query.closed = Some(closed(value)?),
            "kpi" => query.measure = Some(KpiMeasure::parse(value)?),
            "sort" => query.sort = Sort::parse(value)?,
            "desc" => query.descending = value == "1",
            "group" => query.group = Some(Group::parse(value)?),
            "per" => self.per_page = value.parse::<usize>().ok()?.clamp(1, PER_PAGE_MAX),
            _ => return None,
        }
        Some(())
    }

    /// The value of a name as it stands in the address; empty where it has none.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.pairs.iter().find(|(n, _)| *n == name).map_or("", |(_, v)| v)
    }

    /// The query of an address that asks the same but for these names; an empty value takes a name away. The page begins
    /// anew.
    pub(crate) fn with(&self, changes: &[(&'static str, &str)]) -> String {
        let mut parts = Vec::new();
        for name in NAMES {
            let changed = changes.iter().find(|(n, _)| *n == name).map(|(_, v)| *v);
            let value = changed.unwrap_or_else(|| self.get(name));
            if !value.is_empty() {
                parts.push(format!("{name}={}", encode(value)));
            }
        }
        parts.extend(changes.iter().filter(|(n, _)| *n == "page").map(|(_, v)| format!("page={v}")));
        parts.join("&")
    }
}

fn verdict(code: &str) -> Option<Verdict> {
    [Verdict::Reached, Verdict::Missed, Verdict::Undetermined].into_iter().find(|v| v.code() == code)
}

fn closed(text: &str) -> Option<bool> {
    match text {
        "1" => Some(true),
        "0" => Some(false),
        _ => None,
    }
}

fn due(text: &str) -> Option<DueFilter> {
    match text {
        "late" => Some(DueFilter::Late),
        "soon" => Some(DueFilter::Within(SOON_DAYS)),
        "open" => Some(DueFilter::Open),
        "done" => Some(DueFilter::Done),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(pairs: &[(&str, &str)]) -> TableAsk {
        let pairs: Vec<_> = pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        TableAsk::of(&pairs)
    }

    #[test]
    fn an_address_says_again_what_was_understood() {
        let asked = ask(&[
            ("year", "2025"),
            ("scheme", "a b"),
            ("verdict", "great"),
            ("text", " è x "),
            ("sort", "attainment"),
            ("desc", "1"),
            ("page", "3"),
            ("evil", "\"><script>"),
        ]);
        assert_eq!(asked.page, 3);
        assert_eq!(asked.ignored, ["scheme", "verdict"]);
        let wrong = [("year", "abcd"), ("below", "abc"), ("coverage", "200"), ("page", "x"), ("sort", "zzz")];
        assert_eq!(ask(&wrong).ignored, ["year", "below", "coverage", "sort", "page"]);
        assert_eq!(ask(&[("closed", "yes")]).ignored, ["closed"]);
        assert_eq!(ask(&[("closed", "0")]).query.closed, Some(false));
        assert_eq!(asked.with(&[]), "text=%C3%A8%20x&year=2025&sort=attainment&desc=1");
        assert_eq!(
            asked.with(&[("year", ""), ("sort", "due"), ("page", "2")]),
            "text=%C3%A8%20x&sort=due&desc=1&page=2"
        );
    }

    #[test]
    fn shares_are_percentages() {
        let asked = ask(&[("coverage", "95,5"), ("below", "nan"), ("per", "100000"), ("estimated", "10")]);
        assert_eq!(asked.query.coverage_below, Some(0.955));
        assert_eq!(asked.query.attainment_below, None);
        assert_eq!(asked.query.estimated_above, Some(0.1));
        assert_eq!(asked.per_page, PER_PAGE_MAX);
    }
}
