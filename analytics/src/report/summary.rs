//! The result in ten lines that a mayor understands.
//!
//! Must never: say "reached" of a KPI whose verdict is anything else, or be longer than ten lines.

use model::{FactorKind, Finding, MeterRole, Month, Severity};

use super::context::{Context, YEAR_INCOMPLETE, concerns, meter_unit};
use super::document::{Block, Section};
use super::format::ENERGY_DECIMALS;
use crate::kpi;
use crate::result::{Baseline, KpiResult, MeterYear, Verdict};

/// Lines in all, and how many of them KPI and meters may take.
const LINES_MAX: usize = 10;
const KPI_LINES_MAX: usize = 3;
const METER_LINES_MAX: usize = 2;

pub(super) fn section(context: &Context<'_>) -> Section {
    let year = context.year;
    let project = &year.project;
    let number = year.year.to_string();
    let mut lines = vec![context.fill(
        "summary.intro",
        &[
            ("year", &number),
            ("title", &project.title),
            ("completed", &context.format.date(project.dates.completed)),
        ],
    )];
    lines.extend(meter_lines(context));
    if year.kpis.is_empty() {
        lines.push(context.t("summary.no_kpi"));
    } else {
        lines.extend(kpi_lines(context));
    }
    lines.extend(former_line(context));
    lines.push(format!("{} {}", context.t("summary.weather"), context.t("summary.conservative")));
    lines.extend(coverage_line(context));
    lines.push(findings_line(context));
    debug_assert!(lines.len() <= LINES_MAX, "{} lines", lines.len());
    lines.truncate(LINES_MAX);
    let mut blocks = Vec::new();
    if !year.is_complete() {
        let text = context
            .fill("summary.provisional", &[("year", &number), ("until", &context.format.date(year.until))]);
        blocks.push(Block::Callout { severity: Severity::Caution, text });
    }
    blocks.push(Block::Bullets(lines));
    context.section("summary", blocks)
}

/// What the meters with the largest baselines used, and what they would have used.
fn meter_lines(context: &Context<'_>) -> Vec<String> {
    let mut compared: Vec<&MeterYear> = context
        .year
        .meters
        .iter()
        .filter(|m| {
            m.meter.role != MeterRole::Sub && 0 < m.totals.compared_months && 0.0 < m.totals.adjusted_baseline
        })
        .collect();
    // By energy: a cubic metre of gas holds about ten kilowatt-hours.
    let weight = |m: &MeterYear| {
        let kwh = context.year.used_factors().value(m.meter.carrier, FactorKind::HeatingValue).unwrap_or(1.0);
        m.totals.adjusted_baseline * kwh
    };
    compared.sort_by(|a, b| weight(b).total_cmp(&weight(a)));
    let rest = compared.len().saturating_sub(METER_LINES_MAX);
    let mut lines: Vec<String> =
        compared.into_iter().take(METER_LINES_MAX).map(|m| meter_line(context, m)).collect();
    if let Some(last) = lines.last_mut().filter(|_| 0 < rest) {
        let others = context.fill("summary.meter_rest", &[("count", &rest.to_string())]);
        *last = format!("{last} {others}");
    }
    lines
}

fn meter_line(context: &Context<'_>, meter: &MeterYear) -> String {
    let t = &meter.totals;
    let show = |v: f64| context.format.quantity(Some(v), ENERGY_DECIMALS, meter_unit(&meter.meter));
    let percent = context.format.percent(Some((t.avoided / t.adjusted_baseline).abs()));
    let key = if t.avoided < 0.0 {
        "summary.meter_more"
    } else if t.avoided_low <= 0.0 {
        // The bound that counts is no saving: the difference is told, and not as one.
        "summary.meter_unsure"
    } else {
        "summary.meter_less"
    };
    let line = context.fill(
        key,
        &[
            ("meter", &meter.meter.name),
            ("months", &t.compared_months.to_string()),
            ("measured", &show(t.compared_measured)),
            ("baseline", &show(t.adjusted_baseline)),
            ("percent", &percent),
        ],
    );
    let line = if t.adjustment == 0.0 {
        line
    } else {
        format!("{line} {}", context.fill("summary.meter_adjusted", &[("energy", &show(t.adjustment))]))
    };
    let is_still = |f: &&Finding| f.code == "series.flat" && concerns(f, &meter.meter);
    match context.year.findings.iter().filter(is_still).count() {
        0 => line,
        months => {
            let values = [("months", &*months.to_string())];
            format!("{line} {}", context.fill("summary.meter_still", &values))
        }
    }
}

/// The KPI, those with a verdict first; what does not fit is counted.
fn kpi_lines(context: &Context<'_>) -> Vec<String> {
    let kpis = &context.year.kpis;
    let mut ranked: Vec<&KpiResult> = kpis.iter().collect();
    // Stable: in the scheme's order within each rank.
    ranked.sort_by_key(|k| match k.verdict {
        Verdict::Missed => 0,
        Verdict::Reached => 1,
        Verdict::Undetermined => 2,
    });
    let room = if kpis.len() <= KPI_LINES_MAX { KPI_LINES_MAX } else { KPI_LINES_MAX - 1 };
    let mut lines: Vec<String> = ranked.iter().take(room).map(|kpi| kpi_line(context, kpi)).collect();
    let rest = ranked.get(room..).unwrap_or_default();
    if !rest.is_empty() {
        let count = |verdict| rest.iter().filter(|k| k.verdict == verdict).count().to_string();
        let values = [
            ("reached", &*count(Verdict::Reached)),
            ("missed", &*count(Verdict::Missed)),
            ("undetermined", &*count(Verdict::Undetermined)),
        ];
        lines.push(context.fill("summary.kpi_rest", &values));
    }
    lines
}

/// What was measured, and a person's value after it.
fn kpi_line(context: &Context<'_>, kpi: &KpiResult) -> String {
    let line = measured_line(context, kpi);
    let Some(stated) = context.stated(kpi) else { return line };
    let value = context.kpi_value(kpi, Some(stated.value));
    format!("{line} {}", context.fill("summary.kpi_stated", &[("value", &*value)]))
}

fn measured_line(context: &Context<'_>, kpi: &KpiResult) -> String {
    let name = context.kpi_name(kpi);
    let achieved = context.kpi_value(kpi, kpi.achieved);
    let target = context.kpi_value(kpi, kpi.target);
    let attainment = context.format.percent(kpi.attainment_ratio);
    let values =
        [("name", &*name), ("achieved", &*achieved), ("target", &*target), ("attainment", &*attainment)];
    let because = |code: &str| kpi.because.iter().any(|c| c == code);
    match (kpi.verdict, kpi.achieved, kpi.target) {
        // The verdict is of the value that counts; a band that goes below the target is said with it.
        (Verdict::Reached, Some(_), Some(target)) => {
            let ends = [kpi.low, kpi.high];
            let surely = ends.into_iter().flatten().all(|end| kpi::reaches(&kpi.definition, end, target));
            context.fill(if surely { "summary.kpi_reached" } else { "summary.kpi_reached_wide" }, &values)
        }
        (Verdict::Missed, Some(_), Some(_)) => context.fill("summary.kpi_missed", &values),
        (Verdict::Undetermined, Some(_), Some(_)) if because(kpi::DOUBTFUL_METER) => {
            context.fill("summary.kpi_doubtful", &values)
        }
        // Of a baseline of less than a year the whole band is held against the target.
        (Verdict::Undetermined, Some(_), Some(_)) if because(kpi::SHORT_BASELINE) => {
            context.fill("summary.kpi_short", &values)
        }
        (Verdict::Undetermined, Some(_), Some(_)) => {
            let better = context.kpi_value(kpi, kpi.better);
            let values: Vec<_> = values.into_iter().chain([("better", &*better)]).collect();
            context.fill("summary.kpi_between", &values)
        }
        (_, Some(_), None) => context.fill("summary.kpi_no_target", &values),
        _ if context.is_to_be_stated(kpi) => context.fill("summary.kpi_to_state", &values),
        _ => {
            let subjects = context.kpi_meters(kpi).join("; ");
            let only_for_the_year = context.kpi_codes(kpi).all(|code| code == YEAR_INCOMPLETE);
            let reason = if only_for_the_year {
                reason_incomplete(context)
            } else if subjects.is_empty() {
                context.t("summary.no_reason")
            } else {
                context.fill("summary.reason", &[("subjects", &subjects)])
            };
            context.fill("summary.kpi_undetermined", &[("name", &name), ("reason", &reason)])
        }
    }
}

/// Why a year is not judged: it goes on, or its works ended within it.
fn reason_incomplete(context: &Context<'_>) -> String {
    let months = |from: chrono::NaiveDate| {
        Month::all_of(context.year.year).iter().filter(|m| from <= m.first_day()).count()
    };
    match context.year.first_reporting_day().filter(|_| context.year.is_complete()) {
        Some(from) => context.fill("summary.reason_partial", &[("months", &months(from).to_string())]),
        None => context.t("summary.reason_incomplete"),
    }
}

/// The first KPI that both years know.
fn former_line(context: &Context<'_>) -> Option<String> {
    let former = context.beside.former.as_deref()?;
    let both = context.year.kpis.iter().find_map(|kpi| {
        let before = former.kpis.iter().find(|k| k.definition.code == kpi.definition.code)?;
        Some((kpi, before.achieved?, kpi.achieved?))
    })?;
    let (kpi, before, now) = both;
    let key = if now < before { "summary.former_less" } else { "summary.former_more" };
    let values = [
        ("name", &*context.kpi_name(kpi)),
        ("former", &*former.year.to_string()),
        ("before", &*context.kpi_value(kpi, Some(before))),
        ("now", &*context.kpi_value(kpi, Some(now))),
    ];
    Some(context.fill(key, &values))
}

/// The compared meter that measured least, by name: an average would hide it.
fn coverage_line(context: &Context<'_>) -> Option<String> {
    let worst = context
        .year
        .meters
        .iter()
        .filter(|m| !matches!(m.baseline, Baseline::NotCompared))
        .min_by(|a, b| a.totals.coverage_ratio.total_cmp(&b.totals.coverage_ratio))?;
    let percent = context.format.percent(Some(worst.totals.coverage_ratio));
    Some(context.fill("summary.coverage", &[("meter", &worst.meter.name), ("percent", &percent)]))
}

fn findings_line(context: &Context<'_>) -> String {
    let count = |severity: Severity| {
        context.year.findings.iter().filter(|f| f.severity == severity).count().to_string()
    };
    if context.year.findings.is_empty() {
        return context.t("summary.no_findings");
    }
    context.fill(
        "summary.findings",
        &[
            ("blocks", &count(Severity::Blocks)),
            ("cautions", &count(Severity::Caution)),
            ("notes", &count(Severity::Note)),
        ],
    )
}
