//! The annual monitoring report as a document tree, and the structured monthly file as rows, without any
//! format.
//!
//! Must never: compute a figure that the results do not hold, or know HTML, PDF or Typst.
//!
//! To add a section: one file here and one line in `SECTIONS`; its words in `config/catalog/text`.

pub mod beside;
pub mod campaign;
pub mod document;
pub mod edition;
pub mod format;
pub mod kpi_annex;
pub mod sheet;
pub mod structured;
pub mod system;

mod adjustments;
mod annex;
mod balance;
mod baseline;
mod buildings;
mod changes;
mod checks;
mod closing;
mod comments;
mod context;
mod emissions;
mod events;
mod findings;
mod gaps;
mod load;
mod monitoring;
mod monthly;
mod names;
mod normalised;
mod record;
mod savings;
mod stated;
mod summary;
mod weather;
mod words;

use chrono::{Days, NaiveDate};

use self::beside::{Beside, SectionKey};
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

/// How a section is written, and under which name a person may comment on it.
type Write = (Option<SectionKey>, fn(&Context<'_>) -> Section);

/// Every section of the annual report, in order. A section without content leaves itself out.
const SECTIONS: &[Write] = &[
    (Some(SectionKey::Summary), summary::section),
    (Some(SectionKey::Buildings), buildings::section),
    (Some(SectionKey::Monitoring), monitoring::section),
    (Some(SectionKey::Monthly), monthly::section),
    (Some(SectionKey::Load), load::section),
    (Some(SectionKey::Weather), weather::section),
    (Some(SectionKey::Baseline), baseline::section),
    (Some(SectionKey::Savings), savings::section),
    (Some(SectionKey::Balance), balance::section),
    (Some(SectionKey::Emissions), emissions::section),
    (Some(SectionKey::Checks), checks::section),
    (Some(SectionKey::Events), events::section),
    (Some(SectionKey::Changes), changes::section),
    (Some(SectionKey::Findings), findings::section),
    (None, closing::section),
    (None, annex::months),
    (None, annex::meters),
    (None, record::section),
    (None, annex::factors),
    (None, annex::provenance),
];

/// The *relazione annuale di monitoraggio* of a project and a year, in the language of `texts`.
#[must_use]
pub fn annual(year: &ProjectYear, beside: &Beside, texts: &Texts, options: AnnualOptions) -> Document {
    let told = names::told_apart(year, beside);
    let context = Context::new(&told.year, &told.beside, texts);
    let number = year.year.to_string();
    let title_key = if year.is_complete() { "title" } else { "title_provisional" };
    Document {
        title: context.fill(title_key, &[("year", &number)]),
        subtitle: year.project.title.clone(),
        author: year.project.beneficiary.name.clone(),
        language: texts.language().to_owned(),
        date: options.date.unwrap_or(year.until),
        front: front(&context),
        sections: written(&context, SECTIONS).into_iter().map(|(_, section)| section).collect(),
    }
}

/// The sections of the annual report on which a person may comment, in order, as they stand now.
#[must_use]
pub fn commentable(year: &ProjectYear, beside: &Beside, texts: &Texts) -> Vec<(SectionKey, Section)> {
    let told = names::told_apart(year, beside);
    let context = Context::new(&told.year, &told.beside, texts);
    let sections = written(&context, SECTIONS);
    sections.into_iter().filter_map(|(key, section)| Some((key?, section))).collect()
}

/// The sections with content, each with its comments.
fn written(context: &Context<'_>, sections: &[Write]) -> Vec<(Option<SectionKey>, Section)> {
    let write = |(key, write): &Write| {
        let mut section = write(context);
        let commented = key.map(|key| comments::of(context, key)).unwrap_or_default();
        // A person's word stands even where the section has nothing of its own.
        let by_person = context.beside.comments.iter().any(|c| Some(c.section) == *key);
        if !section.blocks.is_empty() || by_person {
            section.blocks.extend(commented);
        }
        (*key, section)
    };
    sections.iter().map(write).filter(|(_, section)| !section.blocks.is_empty()).collect()
}

/// The facts of the first page.
fn front(context: &Context<'_>) -> Vec<(String, String)> {
    let year = context.year;
    let project = &year.project;
    let buildings: Vec<&str> = project.buildings.iter().map(|b| b.name.as_str()).collect();
    let last_day = year.until.checked_sub_days(Days::new(1)).unwrap_or(year.until);
    let january = NaiveDate::from_ymd_opt(year.year, 1, 1).unwrap_or(year.until);
    // In the year of completion only the months after it are reported on.
    let from = year.first_reporting_day().unwrap_or(january);
    let period = context.fill(
        "front.period_value",
        &[("from", &context.format.date(from)), ("to", &context.format.date(last_day))],
    );
    let status = if !year.is_complete() {
        "front.provisional"
    } else if january < from {
        "front.partial"
    } else {
        "front.complete"
    };
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
