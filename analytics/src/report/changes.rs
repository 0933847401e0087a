//! What changed since last year: figures side by side, meters, models, factors, findings that came and went.
//!
//! Must never: set a withheld figure beside another as if both were known.

use std::collections::BTreeSet;

use model::{Finding, Severity};

use super::context::{Context, meter_unit};
use super::document::{Align, Block, Section};
use super::format::{ENERGY_DECIMALS, unit_symbol};
use super::monthly::{lacking, measured_total};
use crate::result::{Baseline, MeterMonth, MeterYear, ProjectYear};

/// Most findings listed as new, and as gone.
const FINDINGS_MAX: usize = 12;

pub(super) fn section(context: &Context<'_>) -> Section {
    let Some(former) = context.beside.former.as_deref() else {
        return context.section("changes", vec![context.paragraph("changes.first")]);
    };
    let (year, before) = (context.year.year.to_string(), former.year.to_string());
    let values = [("year", &*year), ("former", &*before)];
    let mut blocks = vec![Block::Paragraph(context.fill("changes.intro", &values))];
    if !context.year.meters.is_empty() {
        blocks.push(meters(context, former));
        blocks.extend(before_the_end(context, former));
        blocks.extend(shifted(context, former));
    }
    if !context.year.kpis.is_empty() {
        blocks.push(kpis(context, former));
    }
    blocks.push(Block::Bullets(basis(context, former)));
    blocks.extend(findings(context, former));
    context.section("changes", blocks)
}

/// `+12,3 %`, or why there is none.
fn change(context: &Context<'_>, before: Option<f64>, now: Option<f64>) -> String {
    match (before, now) {
        (Some(before), Some(now)) if before.abs() > 1e-9 => {
            let ratio = now / before - 1.0;
            let sign = if 0.0 < ratio { "+" } else { "" };
            format!("{sign}{}", context.format.percent(Some(ratio)))
        }
        _ => context.format.missing(),
    }
}

/// A meter's saving, and of how many months where these are not the whole year.
fn avoided(context: &Context<'_>, meter: Option<&MeterYear>) -> String {
    let Some(totals) = meter.map(|m| &m.totals).filter(|t| 0 < t.compared_months) else {
        return context.format.missing();
    };
    let sum = context.format.number(Some(totals.avoided), ENERGY_DECIMALS);
    if totals.compared_months == 12 {
        return sum;
    }
    let months = [("months", &*totals.compared_months.to_string())];
    format!("{} {}", lacking(&sum), context.fill("changes.part_of_year", &months))
}

/// Says that a year's measured use holds months before the works ended, of which nothing is reported.
fn before_the_end(context: &Context<'_>, former: &ProjectYear) -> Option<Block> {
    let completed = context.year.project.dates.completed;
    let holds = |year: &&ProjectYear| year.year <= chrono::Datelike::year(&completed);
    let years: Vec<String> =
        [former, context.year].iter().copied().filter(holds).map(|y| y.year.to_string()).collect();
    let date = context.format.date(completed);
    let values = [("years", &*years.join(", ")), ("completed", &*date)];
    (!years.is_empty()).then(|| Block::Paragraph(context.fill("changes.before_the_end", &values)))
}

/// A difference of the used share of the baseline from which on it is asked about.
const SHIFT_MIN: f64 = 0.25;

/// What a meter used of its adjusted baseline, and between which 90 % bounds.
fn used_share(meter: &MeterYear) -> Option<(f64, f64, f64)> {
    let t = &meter.totals;
    let whole = t.compared_months == 12 && 0.0 < t.adjusted_baseline;
    let of = |avoided: f64| 1.0 - avoided / t.adjusted_baseline;
    whole.then(|| (of(t.avoided), of(t.avoided_high), of(t.avoided_low)))
}

/// Whether two years of one baseline differ by more than both of their bands, and by more than a quarter.
fn is_shifted((was, was_low, was_high): (f64, f64, f64), (is, is_low, is_high): (f64, f64, f64)) -> bool {
    let apart = was_high < is_low || is_high < was_low;
    apart && SHIFT_MIN * was.abs().max(is.abs()) < (is - was).abs()
}

/// Asks about meters that use quite another share of their baseline than the year before: a year in another unit, or half
/// of its bills, looks like that.
fn shifted(context: &Context<'_>, former: &ProjectYear) -> Vec<Block> {
    let tell = |meter: &MeterYear| {
        let before = former.meters.iter().find(|m| m.meter.id == meter.meter.id)?;
        let (was, is) = (used_share(before)?, used_share(meter)?);
        let told = same_model(&before.baseline, &meter.baseline) && is_shifted(was, is);
        let percent = |share: f64| context.format.percent(Some(share));
        told.then(|| {
            let (year, former) = (context.year.year.to_string(), former.year.to_string());
            let values = [
                ("meter", &*meter.meter.name),
                ("year", &*year),
                ("former", &*former),
                ("was", &*percent(was.0)),
                ("is", &*percent(is.0)),
            ];
            context.fill("changes.shifted", &values)
        })
    };
    let lines: Vec<String> = context.year.meters.iter().filter_map(tell).collect();
    if lines.is_empty() { Vec::new() } else { vec![Block::Bullets(lines)] }
}

fn meters(context: &Context<'_>, former: &ProjectYear) -> Block {
    let rows = context.year.meters.iter().map(|meter| {
        let before = former.meters.iter().find(|m| m.meter.id == meter.meter.id);
        let (was, is) = (before.and_then(measured_total), measured_total(meter));
        // Months that are missing, or measured in part, on one side make the sums unlike.
        let whole = |m: &MeterYear| m.months.iter().all(MeterMonth::is_whole);
        let alike = before.is_some_and(whole) && whole(meter);
        let number = |v| context.format.number(v, ENERGY_DECIMALS);
        let asterisk = |text: String, m: Option<&MeterYear>| {
            let part = m.is_some_and(|m| measured_total(m).is_some() && !whole(m));
            if part { lacking(&text) } else { text }
        };
        vec![
            format!("{} [{}]", meter.meter.name, meter_unit(&meter.meter)),
            asterisk(number(was), before),
            asterisk(number(is), Some(meter)),
            if alike { change(context, was, is) } else { context.format.missing() },
            avoided(context, before),
            avoided(context, Some(meter)),
        ]
    });
    let columns = [
        ("meter", Align::Left),
        ("measured_before", Align::Right),
        ("measured", Align::Right),
        ("change", Align::Right),
        ("avoided_before", Align::Right),
        ("avoided", Align::Right),
    ];
    let values = [("year", &*context.year.year.to_string()), ("former", &*former.year.to_string())];
    context.table(context.fill("changes.meters_caption", &values), &columns, rows.collect())
}

fn kpis(context: &Context<'_>, former: &ProjectYear) -> Block {
    let rows = context.year.kpis.iter().map(|kpi| {
        let before = former.kpis.iter().find(|k| k.definition.code == kpi.definition.code);
        let was = before.and_then(|k| k.achieved);
        vec![
            format!(
                "{} – {} [{}]",
                kpi.definition.code,
                context.kpi_name(kpi),
                unit_symbol(kpi.definition.unit.symbol())
            ),
            before.map_or_else(|| context.format.missing(), |k| context.kpi_number(k, was)),
            before.map_or_else(|| "–".to_owned(), |k| context.former_verdict(k)),
            context.kpi_number(kpi, kpi.achieved),
            context.kpi_verdict(kpi),
        ]
    });
    let columns = [
        ("kpi", Align::Left),
        ("achieved_before", Align::Right),
        ("verdict_before", Align::Left),
        ("achieved", Align::Right),
        ("verdict", Align::Left),
    ];
    let values = [("year", &*context.year.year.to_string()), ("former", &*former.year.to_string())];
    context.table(context.fill("changes.kpis_caption", &values), &columns, rows.collect())
}

/// What the figures rest on: factors, rules, catalogue, meters, models.
fn basis(context: &Context<'_>, former: &ProjectYear) -> Vec<String> {
    let year = context.year;
    let same =
        |key: &str, same: bool| context.t(&format!("changes.{key}_{}", if same { "same" } else { "other" }));
    let mut said = vec![
        if year.factors.id == former.factors.id {
            context.fill("changes.factors_same", &[("set", &year.factors.title)])
        } else {
            let values = [("set", &*year.factors.title), ("former", &*former.factors.title)];
            context.fill("changes.factors_other", &values)
        },
        same("rules", year.provenance.rules == former.provenance.rules),
        same("catalog", year.provenance.catalog == former.provenance.catalog),
    ];
    let name = |m: &MeterYear| m.meter.name.clone();
    let is_in = |m: &MeterYear, other: &ProjectYear| other.meters.iter().any(|o| o.meter.id == m.meter.id);
    let added: Vec<String> = year.meters.iter().filter(|m| !is_in(m, former)).map(name).collect();
    let gone: Vec<String> = former.meters.iter().filter(|m| !is_in(m, year)).map(name).collect();
    let remodelled: Vec<String> = year
        .meters
        .iter()
        .filter(|m| {
            let before = former.meters.iter().find(|o| o.meter.id == m.meter.id);
            before.is_some_and(|o| !same_model(&o.baseline, &m.baseline))
        })
        .map(name)
        .collect();
    for (key, list) in [("meters_added", &added), ("meters_gone", &gone), ("models_other", &remodelled)] {
        if !list.is_empty() {
            said.push(context.fill(&format!("changes.{key}"), &[("meters", &list.join("; "))]));
        }
    }
    if added.is_empty() && gone.is_empty() {
        said.push(context.t("changes.meters_same"));
    }
    if remodelled.is_empty() {
        said.push(context.t("changes.models_same"));
    }
    said
}

/// Whether two baselines predict alike: to a millionth, below which only the rounding of sums lies.
fn same_model(a: &Baseline, b: &Baseline) -> bool {
    match (a, b) {
        (Baseline::Fitted(a), Baseline::Fitted(b)) => {
            let near = |x: f64, y: f64| (x - y).abs() <= 1e-6 * x.abs().max(y.abs()).max(1e-6);
            near(a.base_per_day, b.base_per_day)
                && near(a.heating_per_degree_day, b.heating_per_degree_day)
                && near(a.cooling_per_degree_day, b.cooling_per_degree_day)
                && a.heating_base_c == b.heating_base_c
                && a.cooling_base_c == b.cooling_base_c
                && a.method == b.method
                && a.drivers.len() == b.drivers.len()
                && a.drivers
                    .iter()
                    .zip(&b.drivers)
                    .all(|(a, b)| a.driver == b.driver && near(a.coefficient, b.coefficient))
        }
        (Baseline::Zero, Baseline::Zero)
        | (Baseline::NotCompared, Baseline::NotCompared)
        | (Baseline::Unknown, Baseline::Unknown) => true,
        _ => false,
    }
}

/// Code and subject without the month: the same trouble in another month is not a new one.
fn identity(finding: &Finding) -> (&'static str, String) {
    let subject = finding.subject.split_whitespace().find(|w| w.contains(':')).unwrap_or_default();
    (finding.code, subject.to_owned())
}

fn findings(context: &Context<'_>, former: &ProjectYear) -> Vec<Block> {
    let weighs = |f: &&Finding| Severity::Note < f.severity;
    let set = |year: &ProjectYear| -> BTreeSet<(&'static str, String)> {
        year.findings.iter().filter(weighs).map(identity).collect()
    };
    let (was, is) = (set(former), set(context.year));
    let list = |year: &ProjectYear, other: &BTreeSet<(&'static str, String)>| -> Vec<String> {
        let mut seen = BTreeSet::new();
        let only = year.findings.iter().filter(weighs).filter(|f| {
            let id = identity(f);
            !other.contains(&id) && seen.insert(id)
        });
        only.map(|f| context.told(f)).collect()
    };
    let mut blocks = Vec::new();
    for (key, mut lines) in [("came", list(context.year, &was)), ("went", list(former, &is))] {
        if lines.is_empty() {
            continue;
        }
        blocks.push(Block::Heading(context.t(&format!("changes.{key}"))));
        let more = lines.len().saturating_sub(FINDINGS_MAX);
        lines.truncate(FINDINGS_MAX);
        if 0 < more {
            lines.push(context.fill("findings.more", &[("count", &more.to_string())]));
        }
        blocks.push(Block::Bullets(lines));
    }
    if blocks.is_empty() {
        blocks.push(context.paragraph("changes.findings_same"));
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_year_is_asked_about_where_both_bands_and_a_quarter_lie_between() {
        // Half of the bills of a year.
        assert!(is_shifted((0.7, 0.66, 0.74), (0.35, 0.33, 0.37)));
        assert!(is_shifted((0.35, 0.33, 0.37), (0.7, 0.66, 0.74)), "either way");
        // Bands that touch say nothing, and so does a seventh.
        assert!(!is_shifted((0.7, 0.5, 0.9), (0.45, 0.3, 0.6)));
        assert!(!is_shifted((0.7, 0.69, 0.71), (0.6, 0.59, 0.61)));
    }
}
