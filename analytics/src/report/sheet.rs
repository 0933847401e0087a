//! The *scheda riepilogativa dei valori degli indicatori*: what the beneficiary, or the technician in charge, signs.
//!
//! Must never: fill in an indicator that was neither measured nor stated, let a person's value pass for a measured one,
//! or name a paper that nobody named.
//!
//! After art. 6 of the call POR FESR Emilia-Romagna 2014-20 for the health estate: the values of the indicators of one
//! year, signed, with the methods of computing and the emission factors used; the annual reduction, never that of the
//! project's whole life; renewable energy counts as neutral.

use super::annex;
use super::beside::Beside;
use super::context::Context;
use super::document::{Align, Block, Document, Section};
use super::format::unit_symbol;
use super::{AnnualOptions, Write, front, stated, written};
use crate::result::ProjectYear;
use crate::scheme::{KpiMeasure, ReportKind};
use crate::text::Texts;

const SECTIONS: &[Write] = &[
    (None, values),
    (None, methods),
    (None, papers),
    (None, signature),
    (None, annex::factors),
    (None, annex::provenance),
];

/// The sheet of a project and a year, in the language of `texts`. Of what stands beside the year it says what people
/// state, and the papers that they recorded.
#[must_use]
pub fn sheet(year: &ProjectYear, beside: &Beside, texts: &Texts, options: AnnualOptions) -> Document {
    let told = super::names::told_apart(year, beside);
    let context = Context::new(&told.year, &told.beside, texts);
    let key = if year.is_complete() { "sheet.title" } else { "sheet.title_provisional" };
    Document {
        title: context.fill(key, &[("year", &year.year.to_string())]),
        subtitle: year.project.title.clone(),
        author: year.project.beneficiary.name.clone(),
        language: texts.language().to_owned(),
        date: options.date.unwrap_or(year.until),
        front: front(&context),
        sections: written(&context, SECTIONS).into_iter().map(|(_, section)| section).collect(),
    }
}

fn values(context: &Context<'_>) -> Section {
    let any_stated = stated::any(context);
    let rows = context.year.kpis.iter().map(|kpi| {
        let mut row = vec![
            kpi.definition.code.clone(),
            context.kpi_name(kpi),
            unit_symbol(kpi.definition.unit.symbol()),
            context.kpi_number(kpi, kpi.target),
            stated::counting(context, kpi),
        ];
        if any_stated {
            row.push(stated::measured(context, kpi));
        }
        row.push(context.kpi_range(kpi));
        row
    });
    let mut columns = vec![
        ("code", Align::Left),
        ("kpi", Align::Left),
        ("unit", Align::Left),
        ("declared", Align::Right),
        ("achieved", Align::Right),
    ];
    if any_stated {
        columns.push(("measured_value", Align::Right));
    }
    columns.push(("range", Align::Right));
    let dates = &context.year.project.dates;
    let values =
        [("completed", &*context.format.date(dates.completed)), ("year", &*context.year.year.to_string())];
    let mut blocks = vec![
        Block::Paragraph(context.fill("sheet.intro", &values)),
        context.table(context.fill("sheet.caption", &values), &columns, rows.collect()),
    ];
    blocks.extend(stated::reasons(context));
    blocks.extend(super::savings::remarks(context));
    blocks.push(context.paragraph("sheet.note"));
    context.section("sheet_values", blocks)
}

fn methods(context: &Context<'_>) -> Section {
    let facts = context.year.kpis.iter().map(|kpi| {
        let key = format!("report.sheet.method.{}", kpi.definition.measure.code());
        let method = context.texts.find(&key).map_or_else(|| context.t("sheet.method.other"), str::to_owned);
        (kpi.definition.code.clone(), method)
    });
    let mut blocks = vec![Block::Facts(facts.collect()), context.paragraph("sheet.neutral")];
    let burns = |m: KpiMeasure| {
        matches!(m, KpiMeasure::Co2Avoided | KpiMeasure::NoxAvoided | KpiMeasure::Pm10Avoided)
    };
    if context.year.kpis.iter().any(|k| burns(k.definition.measure)) {
        let set = &context.year.factors;
        blocks.push(Block::Paragraph(
            context.fill("sheet.factors", &[("set", &set.title), ("source", &set.source)]),
        ));
    }
    context.section("sheet_methods", blocks)
}

/// The papers that the declared values name, each once, and those that people recorded for an indicator.
fn papers(context: &Context<'_>) -> Section {
    let mut named: Vec<String> = Vec::new();
    for source in context.year.kpis.iter().filter_map(|k| k.target_source.clone()) {
        if !named.contains(&source) {
            named.push(source);
        }
    }
    let mut blocks = if named.is_empty() {
        vec![context.paragraph("sheet.no_papers")]
    } else {
        vec![context.paragraph("sheet.papers"), Block::Bullets(named)]
    };
    let recorded: Vec<String> = context
        .beside
        .papers
        .iter()
        .map(|paper| format!("{}: {} ({})", paper.code, paper.title, paper.name))
        .collect();
    if !recorded.is_empty() {
        blocks.extend([context.paragraph("sheet.recorded"), Block::Bullets(recorded)]);
    }
    context.section("sheet_papers", blocks)
}

fn signature(context: &Context<'_>) -> Section {
    let project = &context.year.project;
    let named = [
        ("beneficiary", &*project.beneficiary.name),
        ("representative", &*project.beneficiary.legal_representative),
    ];
    let mut blocks = vec![Block::Paragraph(context.fill("sheet.signer", &named))];
    let of_kind =
        context.year.scheme.rules.obligations.iter().find(|o| o.report == Some(ReportKind::Indicators));
    if let Some(obligation) = of_kind {
        let values =
            [("channel", context.texts.channel(&obligation.channel)), ("citation", &*obligation.citation)];
        blocks.push(Block::Paragraph(context.fill("closing.channel", &values)));
    }
    blocks.push(context.paragraph("sheet.place"));
    context.section("sheet_signature", blocks)
}
