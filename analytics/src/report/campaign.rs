//! The final technical report of a measurement campaign: what was done, what was measured and found, and the saving to
//! be expected of the measures proposed.
//!
//! Must never: call an expected saving measured, or count time outside the campaign.
//!
//! After art. 6 and 11.4 of the MATTM call for energy audits: the campaign lasts 12 to 15 months; the report with the
//! final statement of progress describes the objectives reached and the analysis, and analyses the saving that the
//! proposed measures may bring.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use model::{Direction, FactorKind, Finding, MeterRole, Severity};

use super::annex;
use super::beside::{Beside, StatedValue};
use super::context::{Context, meter_unit};
use super::document::{Align, Block, Document, Section, Table};
use super::format::{ENERGY_DECIMALS, unit_symbol};
use super::monthly::{cell, lacking};
use super::{baseline, buildings, events, findings, load, names};
use crate::expected::{self, Amounts, Part};
use crate::result::{MeterMonth, MeterYear, ProjectYear};
use crate::scheme::{KpiMeasure, ReportKind};
use crate::text::Texts;

/// Days of a month of the campaign's length: a twelfth of a mean Gregorian year.
const MONTH_DAYS: f64 = 365.2425 / 12.0;
/// Between which lengths the call wants a campaign, in months (art. 6).
const MONTHS: (f64, f64) = (12.0, 15.0);

/// A campaign.
#[derive(Debug, Clone)]
pub struct Campaign {
    /// First day, and first day after it.
    pub from: NaiveDate,
    pub to: NaiveDate,
    /// The calendar years that it touches, ascending, none left out; not empty.
    pub years: Vec<ProjectYear>,
    /// Signatures and profiles of the whole campaign, comments of its last year.
    pub beside: Beside,
    /// What people state of the KPI of each calendar year.
    pub stated: BTreeMap<i32, Vec<StatedValue>>,
}

/// The report in the language of `texts`. `None` without a year.
#[must_use]
pub fn campaign(campaign: &Campaign, texts: &Texts) -> Option<Document> {
    let years = campaign.years.iter().map(|year| names::renamed(year).into_owned()).collect();
    let campaign = &Campaign { years, ..campaign.clone() };
    let mut last = campaign.years.last()?.clone();
    // A campaign has no reporting year and no KPI to be reached: what is said of them does not concern it.
    last.findings.retain(|f| f.code != "year.incomplete" && !f.code.starts_with("kpi."));
    if let Some(found) = beyond_use(campaign, &last) {
        // Findings are printed worst first.
        let at = last.findings.partition_point(|f| found.severity <= f.severity);
        last.findings.insert(at, found);
    }
    let context = Context::new(&last, &campaign.beside, texts);
    let format = &context.format;
    let last_day = campaign.to.pred_opt().unwrap_or(campaign.to);
    let period = context
        .fill("front.period_value", &[("from", &format.date(campaign.from)), ("to", &format.date(last_day))]);
    let project = &last.project;
    let buildings_named: Vec<&str> = project.buildings.iter().map(|b| b.name.as_str()).collect();
    let mut front = vec![
        (context.t("front.scheme"), last.scheme.title.clone()),
        (context.t("front.citation"), last.scheme.citation.clone()),
        (context.t("front.authority"), last.scheme.authority.clone()),
        (context.t("front.cup"), project.cup.clone()),
        (context.t("front.project"), project.id.to_string()),
        (
            context.t("front.beneficiary"),
            format!("{} ({})", project.beneficiary.name, project.beneficiary.tax_code),
        ),
        (context.t("front.buildings"), buildings_named.join("; ")),
        (context.t("campaign.front.period"), period),
        (context.t("front.factor_set"), last.factors.title.clone()),
    ];
    front.retain(|(_, value)| !value.trim().is_empty());
    let mut sections = vec![
        objectives(&context, campaign),
        buildings::section(&context),
        points(&context, campaign),
        measured(&context, campaign),
        load::section(&context),
        baseline::of_campaign(&context),
        believed(potential(&context, campaign), &context),
        events::of_campaign(&context, &campaign.years, (campaign.from, campaign.to)),
        findings::section(&context),
        signature(&context),
        annex::meters(&context),
        super::record::section(&context),
        annex::factors(&context),
        annex::provenance(&context),
    ];
    sections.retain(|s| !s.blocks.is_empty());
    Some(Document {
        title: context.t("campaign.title"),
        subtitle: project.title.clone(),
        author: project.beneficiary.name.clone(),
        language: texts.language().to_owned(),
        date: last.until.max(campaign.to),
        front,
        sections,
    })
}

/// The months of a meter that lie in the campaign as a whole, through all its years.
fn months<'c>(campaign: &'c Campaign, meter: &'c MeterYear) -> impl Iterator<Item = &'c MeterMonth> {
    let of_year =
        campaign.years.iter().filter_map(|y| y.meters.iter().find(|m| m.meter.id == meter.meter.id));
    of_year
        .flat_map(|m| &m.months)
        .filter(|m| campaign.from <= m.month.first_day() && m.month.end_day() <= campaign.to)
}

fn objectives(context: &Context<'_>, campaign: &Campaign) -> Section {
    let length = (campaign.to - campaign.from).num_days() as f64 / MONTH_DAYS;
    let main = context.year.meters.iter().filter(|m| m.meter.role != MeterRole::Sub).count();
    let values = [
        ("months", &*context.format.number(Some(length), 1)),
        ("meters", &*context.year.meters.len().to_string()),
        ("main", &*main.to_string()),
        ("buildings", &*context.year.project.buildings.len().to_string()),
    ];
    let mut blocks = vec![Block::Paragraph(context.fill("campaign.objectives", &values))];
    // To the tenth that is printed.
    let rounded = (length * 10.0).round() / 10.0;
    if rounded < MONTHS.0 || MONTHS.1 < rounded {
        let text = context.fill("campaign.length_outside", &values);
        blocks.push(Block::Callout { severity: Severity::Caution, text });
    }
    context.section("campaign_objectives", blocks)
}

fn points(context: &Context<'_>, campaign: &Campaign) -> Section {
    let rows = context.year.meters.iter().map(|meter| {
        let facts = &meter.meter;
        let all: Vec<&MeterMonth> = months(campaign, meter).collect();
        let days: f64 = all.iter().map(|m| f64::from(m.month.days())).sum();
        let covered: f64 = all.iter().map(|m| f64::from(m.month.days()) * m.coverage_ratio).sum();
        let coverage = (0.0 < days).then(|| covered / days);
        let dash = || "–".to_owned();
        vec![
            facts.name.clone(),
            context.building_name(meter),
            format!("{}, {}", context.carrier(facts.carrier), context.direction(facts.direction)),
            facts.supply_point.clone().unwrap_or_else(dash),
            facts.serial.clone().unwrap_or_else(dash),
            context.format.percent(coverage),
        ]
    });
    let columns = [
        ("meter", Align::Left),
        ("building", Align::Left),
        ("carrier", Align::Left),
        ("supply_point", Align::Left),
        ("serial", Align::Left),
        ("coverage", Align::Right),
    ];
    let table = context.table(context.t("campaign.points_caption"), &columns, rows.collect());
    context.section("campaign_points", vec![table, context.paragraph("campaign.points_note")])
}

/// Every month of the campaign, four meters to a table.
fn measured(context: &Context<'_>, campaign: &Campaign) -> Section {
    let mut blocks = vec![context.paragraph("monthly.intro")];
    for part in context.year.meters.chunks(4) {
        let Some(first) = part.first() else { continue };
        let mut columns = vec![(context.t("column.month"), Align::Left)];
        columns.extend(
            part.iter().map(|m| (format!("{} [{}]", m.meter.name, meter_unit(&m.meter)), Align::Right)),
        );
        let rows = months(campaign, first).map(|row| {
            let mut cells = vec![format!("{} {}", context.format.month(row.month.number), row.month.year)];
            cells.extend(part.iter().map(|meter| {
                let found = months(campaign, meter).find(|m| m.month == row.month);
                found.map_or_else(|| context.format.missing(), |m| cell(context, m))
            }));
            cells
        });
        let rows: Vec<Vec<String>> = rows.collect();
        let is_part = |meter: &MeterYear| months(campaign, meter).any(MeterMonth::is_part);
        let any_part = part.iter().any(is_part);
        let label = if any_part { "monthly.total_parts" } else { "monthly.total_available" };
        let mut total = vec![context.t(label)];
        total.extend(part.iter().map(|meter| {
            let known: Vec<f64> = months(campaign, meter).filter_map(|m| m.measured).collect();
            let sum = (!known.is_empty()).then(|| known.iter().sum::<f64>());
            let sum = context.format.number(sum, ENERGY_DECIMALS);
            if is_part(meter) { lacking(&sum) } else { sum }
        }));
        blocks.push(Block::Table(Table {
            caption: context.t("campaign.months_caption"),
            columns,
            rows,
            total: Some(total),
        }));
    }
    blocks.push(context.paragraph("campaign.marks"));
    context.section("campaign_measured", blocks)
}

/// What the audit declares of the measures it proposes; expected, never measured. A limit of the scheme is no forecast.
fn potential(context: &Context<'_>, campaign: &Campaign) -> Section {
    let stated: Vec<_> =
        context.year.kpis.iter().filter(|k| k.target.is_some() && k.target_source.is_some()).collect();
    if stated.is_empty() {
        let text = context.t("campaign.no_potential");
        return context
            .section("campaign_potential", vec![Block::Callout { severity: Severity::Blocks, text }]);
    }
    let rows = stated.iter().map(|kpi| {
        vec![
            context.kpi_name(kpi),
            unit_symbol(kpi.definition.unit.symbol()),
            context.kpi_number(kpi, kpi.target),
            kpi.target_source.clone().unwrap_or_else(|| "–".to_owned()),
        ]
    });
    let columns =
        [("kpi", Align::Left), ("unit", Align::Left), ("expected", Align::Right), ("source", Align::Left)];
    let table = context.table(context.t("campaign.potential_caption"), &columns, rows.collect());
    let mut blocks = vec![context.paragraph("campaign.potential"), table];
    blocks.extend(split(context, campaign));
    blocks.push(context.paragraph("campaign.potential_note"));
    context.section("campaign_potential", blocks)
}

/// The declared final energy by carrier: what is thermal, what is electric, and both; or that it is not known.
fn split(context: &Context<'_>, campaign: &Campaign) -> Vec<Block> {
    let (project, last_day) = (&context.year.project, campaign.to.pred_opt().unwrap_or(campaign.to));
    let factors = context.year.used_factors();
    let number =
        |value: Option<f64>| context.format.number(value, crate::digits::decimals(&[value], (None, None)));
    let row = |name: String, of: Amounts| {
        let mwh = |kwh: f64| kwh / 1000.0;
        vec![name, number(Some(mwh(of.final_kwh))), number(of.primary_kwh.map(mwh)), number(of.cost_eur)]
    };
    let mut blocks = Vec::new();
    for kpi in context.year.kpis.iter().filter(|k| k.definition.measure == KpiMeasure::FinalEnergySaved) {
        let parts = expected::parts(project, factors, &kpi.definition, last_day);
        let Some(total) = expected::sum(&parts) else { continue };
        let mut rows = Vec::new();
        for (is_electric, label) in [(false, "campaign.split_thermal"), (true, "campaign.split_electric")] {
            let of: Vec<&Part> = parts.iter().filter(|p| p.carrier.is_electric() == is_electric).collect();
            let Some(together) = expected::sum(of.iter().copied()) else { continue };
            rows.extend(of.iter().map(|part| row(context.carrier(part.carrier), part.amounts)));
            rows.push(row(context.t(label), together));
        }
        let caption = context.fill("campaign.split_caption", &[("kpi", &context.kpi_name(kpi))]);
        let keys = ["carrier", "expected_final", "expected_primary", "expected_cost"];
        let align = |i| if i == 0 { Align::Left } else { Align::Right };
        let columns: Vec<_> = keys.into_iter().enumerate().map(|(i, key)| (key, align(i))).collect();
        blocks.push(Block::Table(Table {
            caption,
            columns: context.columns(&columns),
            rows,
            total: Some(row(context.t("campaign.split_total"), total)),
        }));
    }
    if blocks.is_empty() {
        let text = context.t("campaign.not_split");
        return vec![Block::Callout { severity: Severity::Caution, text }];
    }
    blocks.push(context.paragraph("campaign.split_note"));
    blocks
}

/// Of a declared saving of final energy that is more than the whole campaign used: nobody can save what nobody uses.
fn beyond_use(campaign: &Campaign, last: &ProjectYear) -> Option<Finding> {
    let kpi = last.kpis.iter().find(|k| k.definition.measure == KpiMeasure::FinalEnergySaved)?;
    let unit_kwh = kpi.definition.unit.kwh()?;
    let declared = kpi.target.filter(|_| kpi.target_source.is_some())?;
    let used = used_kwh(campaign, last)? / unit_kwh;
    if declared <= used {
        return None;
    }
    let (code, unit) = (&kpi.definition.code, kpi.definition.unit.symbol());
    let decimals = crate::digits::decimals(&[Some(declared), Some(used)], (Some(used), Some(declared)));
    let [declared, used] = [declared, used].map(|value| format!("{value:.decimals$}"));
    let says = format!("{code} declares {declared} {unit}, and the whole campaign used about {used} {unit}");
    let subject = format!("project:{}", last.project.id);
    let rule = "bando art. 11.4: a saving to be expected is a part of the use";
    let finding = Finding::new("campaign.potential.beyond_use", Severity::Caution, subject, says, rule);
    Some(finding.with("kpi", code).with("declared", declared).with("used", used).with("unit", unit))
}

/// Final energy that the campaign's meters took, in kWh; time that a meter did not measure counts at its mean. `None`
/// where one of them measured nothing, or a heating value is missing.
fn used_kwh(campaign: &Campaign, last: &ProjectYear) -> Option<f64> {
    let factors = last.used_factors();
    let of = |m: &&MeterYear| m.meter.role != MeterRole::Sub && m.meter.direction == Direction::Import;
    let mut sum = None;
    for meter in last.meters.iter().filter(of) {
        let (mut days, mut covered, mut measured) = (0.0, 0.0, 0.0);
        for row in months(campaign, meter) {
            let of_month = f64::from(row.month.days());
            days += of_month;
            if let Some(value) = row.measured {
                covered += of_month * row.coverage_ratio;
                measured += value;
            }
        }
        if covered <= 0.0 {
            return None;
        }
        let heating = factors.find(meter.meter.carrier, FactorKind::HeatingValue)?.value;
        *sum.get_or_insert(0.0) += measured / covered * days * heating;
    }
    sum
}

/// The declared saving, with what makes it hard to believe.
fn believed(mut section: Section, context: &Context<'_>) -> Section {
    let found = context.year.findings.iter().filter(|f| f.code == "campaign.potential.beyond_use");
    section.blocks.extend(found.map(|f| Block::Callout { severity: f.severity, text: context.sentence(f) }));
    section
}

fn signature(context: &Context<'_>) -> Section {
    let obligations = &context.year.scheme.rules.obligations;
    let mut blocks = vec![context.paragraph("campaign.signer")];
    if let Some(obligation) = obligations.iter().find(|o| o.report == Some(ReportKind::Campaign)) {
        let values =
            [("channel", context.texts.channel(&obligation.channel)), ("citation", &*obligation.citation)];
        blocks.push(Block::Paragraph(context.fill("closing.channel", &values)));
    }
    blocks.push(context.paragraph("campaign.place"));
    context.section("campaign_signature", blocks)
}
