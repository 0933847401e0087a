//! The annex to the KPI exchange: one page with the values as they are pasted into the region's system, to be signed.
//!
//! Must never: show another value than the one that is pasted, fill in one that is not known, or let a person's value
//! pass for a measured one.

use chrono::NaiveDate;
use model::Project;

use super::document::{Align, Block, Document};
use super::edition::Standing;
use super::format::unit_symbol;
use super::stated::MARK;
use super::words::Words;
use crate::exchange::{Known, Line};
use crate::result::TO_STATE;
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
    /// Of a page that is made by itself; `None` of one that is being frozen.
    pub standing: Option<Standing>,
}

/// The annex in the language of `texts`.
#[must_use]
pub fn kpi_annex(facts: &AnnexFacts<'_>, texts: &Texts) -> Document {
    let words = Words::new(texts);
    let (project, year) = (facts.project, facts.year.to_string());
    let status = if facts.complete { "front.complete" } else { "front.provisional" };
    let mut front: Vec<_> = facts.standing.map(|standing| standing.line(&words)).into_iter().collect();
    front.extend([
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
    ]);
    front.retain(|(_, value)| !value.trim().is_empty());
    let named = [
        ("year", &*year),
        ("authority", &*facts.scheme.authority),
        ("representative", &*project.beneficiary.legal_representative),
    ];
    let signer =
        if project.beneficiary.legal_representative.trim().is_empty() { "signer" } else { "signer_named" };
    let mut blocks = vec![
        Block::Paragraph(words.fill("kpi_annex.intro", &named)),
        values(&words, facts, words.fill("kpi_annex.caption", &named)),
    ];
    blocks.extend(reasons(&words, facts));
    blocks.extend([
        words.paragraph("kpi_annex.note"),
        Block::Paragraph(words.fill(&format!("kpi_annex.{signer}"), &named)),
        words.paragraph("kpi_annex.place"),
    ]);
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

/// In place of a measured value that there is not, where a person states one: nobody has to fill it in.
const NOT_MEASURED: &str = "–";

/// The value to paste; without one what is known: that a person is to declare it, or between which bounds it lies.
fn value(words: &Words<'_>, line: &Line) -> String {
    match (&line.known, line.post.is_empty()) {
        (Known::ToState, true) => words.texts.told(TO_STATE).to_owned(),
        (Known::Between(low, high), true) => format!("{} – {}", shown(words, low), shown(words, high)),
        _ => shown(words, &line.post),
    }
}

/// The measured value beside one that a person stated.
fn measured(words: &Words<'_>, line: &Line) -> String {
    match &line.stated {
        Some(stated) if stated.measured.is_empty() => NOT_MEASURED.to_owned(),
        Some(stated) => shown(words, &stated.measured),
        None if line.known == Known::ToState => NOT_MEASURED.to_owned(),
        None => value(words, line),
    }
}

/// A value as it is pasted, its thousands parted; the word for a missing figure where there is none.
fn shown(words: &Words<'_>, pasted: &str) -> String {
    let decimals = pasted.split_once(',').map_or(0, |(_, decimals)| decimals.len());
    words.format.number(pasted.replace(',', ".").parse().ok(), decimals)
}

/// The values; the measured ones beside them where a person stated any.
fn values(words: &Words<'_>, facts: &AnnexFacts<'_>, caption: String) -> Block {
    let any_stated = facts.lines.iter().any(|(line, _)| line.stated.is_some());
    let rows = facts.lines.iter().map(|(line, name)| {
        let post = value(words, line);
        let post = if line.stated.is_some() { format!("{post}\u{a0}{MARK}") } else { post };
        let mut row = vec![line.code.clone(), words.texts.get(name).to_owned(), unit_symbol(line.unit), post];
        if any_stated {
            row.push(measured(words, line));
        }
        row.push(line.note.clone());
        row
    });
    let mut columns =
        vec![("code", Align::Left), ("kpi", Align::Left), ("unit", Align::Left), ("post", Align::Right)];
    if any_stated {
        columns.push(("measured_value", Align::Right));
    }
    columns.push(("note", Align::Left));
    words.table(caption, &columns, rows.collect())
}

/// Why each value that a person stated stands in place of the measured one.
fn reasons(words: &Words<'_>, facts: &AnnexFacts<'_>) -> Vec<Block> {
    let reason = |(line, _): &(Line, String)| {
        let stated = line.stated.as_ref()?;
        let key = if stated.reason.is_empty() { "kpi_annex.no_reason" } else { "kpi_annex.reason" };
        Some(words.fill(key, &[("code", &line.code), ("reason", &stated.reason)]))
    };
    let reasons: Vec<String> = facts.lines.iter().filter_map(reason).collect();
    if reasons.is_empty() {
        return Vec::new();
    }
    vec![words.paragraph("kpi_annex.stated"), Block::Bullets(reasons)]
}
