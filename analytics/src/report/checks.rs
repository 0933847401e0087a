//! The checks of the scheme: what each clause asks, what was found, the verdict, and what to do where it is not met.
//!
//! Must never: call a clause met that the judgement does not, or leave out a clause of which nothing is known.

use model::Severity;

use super::context::Context;
use super::document::{Align, Block, Section};
use super::format::{Format, unit_symbol};
use crate::scheme::clauses::{ClauseVerdict, DECIMALS_MAX, Judged, Origin, Test, gather, judge};

pub(super) fn section(context: &Context<'_>) -> Section {
    let judged = judged(context);
    let mut blocks = Vec::new();
    if !judged.is_empty() {
        blocks.push(context.paragraph("checks.intro"));
        blocks.push(table(context, &judged));
        let acts: Vec<String> = judged.iter().filter_map(|of| act(context, of)).collect();
        if acts.is_empty() {
            blocks.push(context.paragraph("checks.all_met"));
        } else {
            blocks.push(Block::Heading(context.t("checks.acts_heading")));
            blocks.push(Block::Bullets(acts));
        }
        blocks.extend(missed(context, &judged));
    }
    context.section("checks", blocks)
}

/// Every clause on the figures of this year: what `consuntivo project` and the desk show.
fn judged(context: &Context<'_>) -> Vec<Judged> {
    let (year, scheme) = (context.year, &context.year.scheme);
    let facts = gather(&year.project, scheme.declared_saving(), Some(year));
    judge(&scheme.rules.clauses, &facts)
}

fn table(context: &Context<'_>, judged: &[Judged]) -> Block {
    let rows = judged.iter().map(|of| {
        let citation = of.clause.citation.trim();
        let text = context.texts.get(&of.clause.text);
        vec![
            if citation.is_empty() { text.to_owned() } else { format!("{text} ({citation})") },
            asked(context, of),
            found(context, of),
            context.t(&format!("checks.verdict.{}", of.verdict.code())),
        ]
    });
    let columns =
        [("clause", Align::Left), ("asked", Align::Left), ("found", Align::Left), ("verdict", Align::Left)];
    let values = [("scheme", &*context.year.scheme.title), ("year", &*context.year.year.to_string())];
    context.table(context.fill("checks.caption", &values), &columns, rows.collect())
}

/// A value in its fact's own unit; what is or is not, in a word.
fn shown(context: &Context<'_>, unit: &str, value: f64) -> String {
    if unit == "yes" {
        return context.t(if 0.5 < value { "checks.yes" } else { "checks.no" });
    }
    let format: &Format<'_> = &context.format;
    let number = format.trimmed(Some(value), DECIMALS_MAX);
    let one = if number == "1" { "_one" } else { "" };
    let key = format!("report.checks.unit.{unit}{one}");
    let unit = context.texts.find(&key).map_or_else(|| unit_symbol(unit), str::to_owned);
    format!("{number}\u{a0}{unit}")
}

fn asked(context: &Context<'_>, of: &Judged) -> String {
    let show = |limit: f64| shown(context, of.clause.fact.unit, limit);
    match of.clause.test {
        Test::AtLeast(limit) => context.fill("checks.at_least", &[("limit", &show(limit))]),
        Test::AtMost(limit) => context.fill("checks.at_most", &[("limit", &show(limit))]),
        Test::Between(from, to) => {
            context.fill("checks.between", &[("from", &show(from)), ("to", &show(to))])
        }
        Test::Yes => context.t("checks.yes"),
    }
}

/// What is known, with where it comes from.
fn found(context: &Context<'_>, of: &Judged) -> String {
    let Some(value) = of.shown() else { return context.format.missing() };
    let value = shown(context, of.clause.fact.unit, value);
    let year = context.year.year.to_string();
    let source = match of.origin {
        Some(Origin::Measured) => context.fill("checks.from_year", &[("year", &year)]),
        // A person's words, with the paper that they name.
        Some(Origin::Stated) => context.fill("checks.stated", &[("source", &of.evidence)]),
        Some(Origin::Project) | None => context.t("checks.from_project"),
    };
    format!("{value} ({source})")
}

/// What a person does about a clause that is not shown to be met.
fn act(context: &Context<'_>, of: &Judged) -> Option<String> {
    let key = match (of.verdict, of.clause.fact.origin, of.value) {
        (ClauseVerdict::Met, ..) => return None,
        (ClauseVerdict::NotMet, ..) => "checks.act_not_met",
        // The best estimate meets it, the bound that counts does not.
        (ClauseVerdict::Unknown, _, Some(_)) => "checks.act_unsure",
        (ClauseVerdict::Unknown, Origin::Project, None) => "checks.act_project",
        (ClauseVerdict::Unknown, Origin::Measured, None) => "checks.act_measured",
        (ClauseVerdict::Unknown, Origin::Stated, None) => "checks.act_stated",
    };
    Some(context.fill(key, &[("clause", context.texts.get(&of.clause.text))]))
}

/// Clauses that are surely not met, set apart.
fn missed(context: &Context<'_>, judged: &[Judged]) -> Option<Block> {
    let missed = judged.iter().filter(|of| of.verdict == ClauseVerdict::NotMet).count();
    let text = context.fill("checks.missed", &[("count", &missed.to_string())]);
    (0 < missed).then_some(Block::Callout { severity: Severity::Caution, text })
}
