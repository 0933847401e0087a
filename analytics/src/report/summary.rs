//! The result in words that a mayor understands.
//!
//! Must never: say "reached" of a KPI whose verdict is anything else.

use model::Severity;

use super::context::Context;
use super::document::{Block, Section};
use crate::result::{Baseline, KpiResult, Verdict};

pub(super) fn section(context: &Context<'_>) -> Section {
    let year = context.year;
    let project = &year.project;
    let number = year.year.to_string();
    let mut blocks = vec![Block::Paragraph(context.fill(
        "summary.intro",
        &[
            ("year", &number),
            ("title", &project.title),
            ("beneficiary", &project.beneficiary.name),
            ("scheme", &year.scheme.title),
            ("completed", &context.format.date(project.dates.completed)),
        ],
    ))];
    if !year.is_complete() {
        let text = context
            .fill("summary.provisional", &[("year", &number), ("until", &context.format.date(year.until))]);
        blocks.push(Block::Callout { severity: Severity::Caution, text });
    }
    if year.kpis.is_empty() {
        blocks.push(context.paragraph("summary.no_kpi"));
    } else {
        blocks.push(context.paragraph("summary.kpi_lead"));
        blocks.push(Block::Bullets(year.kpis.iter().map(|kpi| kpi_line(context, kpi)).collect()));
        blocks.push(context.paragraph("summary.conservative"));
    }
    blocks.extend(coverage_line(context));
    blocks.push(context.paragraph("summary.weather"));
    blocks.push(findings_line(context));
    context.section("summary", blocks)
}

fn kpi_line(context: &Context<'_>, kpi: &KpiResult) -> String {
    let name = context.kpi_name(kpi);
    let achieved = context.kpi_value(kpi, kpi.achieved);
    let target = context.kpi_value(kpi, kpi.target);
    let attainment = context.format.percent(kpi.attainment_ratio);
    let values =
        [("name", &*name), ("achieved", &*achieved), ("target", &*target), ("attainment", &*attainment)];
    match (kpi.verdict, kpi.achieved, kpi.target) {
        (Verdict::Reached, Some(_), Some(_)) => context.fill("summary.kpi_reached", &values),
        (Verdict::Missed, Some(_), Some(_)) => context.fill("summary.kpi_missed", &values),
        (_, Some(_), None) => context.fill("summary.kpi_no_target", &values),
        _ => {
            let subjects = context.kpi_subjects(kpi).join("; ");
            let reason = if subjects.is_empty() {
                context.t("summary.no_reason")
            } else {
                context.fill("summary.reason", &[("subjects", &subjects)])
            };
            context.fill("summary.kpi_undetermined", &[("name", &name), ("reason", &reason)])
        }
    }
}

/// The compared meter that measured least, by name: an average would hide it.
fn coverage_line(context: &Context<'_>) -> Option<Block> {
    let worst = context
        .year
        .meters
        .iter()
        .filter(|m| !matches!(m.baseline, Baseline::NotCompared))
        .min_by(|a, b| a.totals.coverage_ratio.total_cmp(&b.totals.coverage_ratio))?;
    let percent = context.format.percent(Some(worst.totals.coverage_ratio));
    let text = context.fill("summary.coverage", &[("meter", &worst.meter.name), ("percent", &percent)]);
    Some(Block::Paragraph(text))
}

fn findings_line(context: &Context<'_>) -> Block {
    let count = |severity: Severity| {
        context.year.findings.iter().filter(|f| f.severity == severity).count().to_string()
    };
    if context.year.findings.is_empty() {
        return context.paragraph("summary.no_findings");
    }
    Block::Paragraph(context.fill(
        "summary.findings",
        &[
            ("blocks", &count(Severity::Blocks)),
            ("cautions", &count(Severity::Caution)),
            ("notes", &count(Severity::Note)),
        ],
    ))
}
