//! The annex to the KPI exchange: one page with the values as they are pasted into the region's system, to be signed.
//!
//! Must never: show a value in another form than the one that is pasted, or fill in one that is not known.

use chrono::NaiveDate;
use model::Project;

use super::document::{Align, Block, Document};
use super::format::unit_symbol;
use super::words::Words;
use crate::exchange::Line;
use crate::scheme::Scheme;
use crate::text::Texts;

/// What the annex says.
#[derive(Debug, Clone)]
pub struct AnnexFacts<'a> {
    pub project: &'a Project,
    pub scheme: &'a Scheme,
    pub year: i32,
    /// Whether the whole year is counted.
    pub complete: bool,
    /// Data before this day count.
    pub until: NaiveDate,
    /// What is pasted, each with the key of the KPI's name.
    pub lines: &'a [(Line, String)],
}

/// The annex in the language of `texts`.
#[must_use]
pub fn kpi_annex(facts: &AnnexFacts<'_>, texts: &Texts) -> Document {
    let words = Words::new(texts);
    let (project, year) = (facts.project, facts.year.to_string());
    let status = if facts.complete { "front.complete" } else { "front.provisional" };
    let mut front = vec![
        (words.t("front.scheme"), facts.scheme.title.clone()),
        (words.t("front.authority"), facts.scheme.authority.clone()),
        (words.t("front.cup"), project.cup.clone()),
        (words.t("front.project"), project.id.to_string()),
        (
            words.t("front.beneficiary"),
            format!("{} ({})", project.beneficiary.name, project.beneficiary.tax_code),
        ),
        (words.t("kpi_annex.year"), year.clone()),
        (words.t("front.status"), words.t(status)),
    ];
    front.retain(|(_, value)| !value.trim().is_empty());
    let rows = facts.lines.iter().map(|(line, name)| {
        // The very text that is pasted, decimal comma included, in whichever language the page is.
        let post = if line.post.is_empty() { words.format.missing() } else { line.post.clone() };
        let name = texts.get(name).to_owned();
        vec![line.code.clone(), name, unit_symbol(line.unit), post, line.note.clone()]
    });
    let columns = [
        ("code", Align::Left),
        ("kpi", Align::Left),
        ("unit", Align::Left),
        ("post", Align::Right),
        ("note", Align::Left),
    ];
    let named = [("year", &*year), ("representative", &*project.beneficiary.legal_representative)];
    let signer =
        if project.beneficiary.legal_representative.trim().is_empty() { "signer" } else { "signer_named" };
    let blocks = vec![
        Block::Paragraph(words.fill("kpi_annex.intro", &named)),
        words.table(words.fill("kpi_annex.caption", &named), &columns, rows.collect()),
        words.paragraph("kpi_annex.note"),
        Block::Paragraph(words.fill(&format!("kpi_annex.{signer}"), &named)),
        words.paragraph("kpi_annex.place"),
    ];
    Document {
        title: words.fill("kpi_annex.title", &named),
        subtitle: project.title.clone(),
        author: project.beneficiary.name.clone(),
        language: texts.language().to_owned(),
        date: facts.until,
        front,
        sections: vec![words.section("kpi_annex", blocks)],
    }
}
