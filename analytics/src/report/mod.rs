//! The annual monitoring report as a document tree, and the structured monthly file as rows, without any
//! format.
//!
//! Must never: compute a figure that the results do not hold, or know HTML, PDF or Typst.
//!
//! To add a section: one file here and one line in `SECTIONS`; its words in `config/catalog/text`.

pub mod document;
pub mod format;
pub mod structured;
pub mod system;

mod adjustments;
mod annex;
mod baseline;
mod buildings;
mod closing;
mod context;
mod emissions;
mod findings;
mod monitoring;
mod monthly;
mod record;
mod savings;
mod summary;
mod weather;
mod words;

use chrono::{Days, NaiveDate};

use self::context::Context;
use self::document::{Document, Section};
use crate::result::ProjectYear;
use crate::text::Texts;

/// What a caller may choose about the annual report.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AnnualOptions {
    /// The day the document carries; the day up to which data were counted when none is given.
    pub date: Option<NaiveDate>,
}

/// Every section of the annual report, in order. A section without content leaves itself out.
const SECTIONS: &[fn(&Context<'_>) -> Section] = &[
    summary::section,
    buildings::section,
    monitoring::section,
    monthly::section,
    weather::section,
    baseline::section,
    savings::section,
    emissions::section,
    findings::section,
    closing::section,
    annex::months,
    record::section,
    annex::factors,
    annex::provenance,
];

/// The *relazione annuale di monitoraggio* of a project and a year, in the language of `texts`.
#[must_use]
pub fn annual(year: &ProjectYear, texts: &Texts, options: AnnualOptions) -> Document {
    let context = Context::new(year, texts);
    let number = year.year.to_string();
    let title_key = if year.is_complete() { "title" } else { "title_provisional" };
    Document {
        title: context.fill(title_key, &[("year", &number)]),
        subtitle: year.project.title.clone(),
        author: year.project.beneficiary.name.clone(),
        language: texts.language().to_owned(),
        date: options.date.unwrap_or(year.until),
        front: front(&context),
        sections: SECTIONS
            .iter()
            .map(|write| write(&context))
            .filter(|section| !section.blocks.is_empty())
            .collect(),
    }
}

/// The facts of the first page.
fn front(context: &Context<'_>) -> Vec<(String, String)> {
    let year = context.year;
    let project = &year.project;
    let buildings: Vec<&str> = project.buildings.iter().map(|b| b.name.as_str()).collect();
    let last_day = year.until.checked_sub_days(Days::new(1)).unwrap_or(year.until);
    let from = NaiveDate::from_ymd_opt(year.year, 1, 1).unwrap_or(year.until);
    let period = context.fill(
        "front.period_value",
        &[("from", &context.format.date(from)), ("to", &context.format.date(last_day))],
    );
    let status = if year.is_complete() { "front.complete" } else { "front.provisional" };
    let beneficiary = format!("{} ({})", project.beneficiary.name, project.beneficiary.tax_code);
    let mut facts = vec![
        ("front.scheme", year.scheme.title.clone()),
        ("front.citation", year.scheme.citation.clone()),
        ("front.authority", year.scheme.authority.clone()),
        ("front.cup", project.cup.clone()),
        ("front.project", project.id.to_string()),
        ("front.beneficiary", beneficiary),
        ("front.representative", project.beneficiary.legal_representative.clone()),
        ("front.buildings", buildings.join("; ")),
        ("front.completed", context.format.date(project.dates.completed)),
        ("front.period", period),
        ("front.status", context.t(status)),
        ("front.factor_set", year.factors.title.clone()),
    ];
    facts.retain(|(_, value)| !value.trim().is_empty());
    facts.into_iter().map(|(key, value)| (context.t(key), value)).collect()
}
