//! A section of the report as a page shows it.
//!
//! Must never: let a text of the report become markup; the chart renderer alone gives finished markup.

use analytics::report::document::{Align, Block, Section, Table};
use analytics::report::format::Numbers;
use askama::Template;

use super::Refused;
use super::file::Notice;
use crate::chart::{ChartStyle, svg};
use crate::pages::{Fault, Words};

/// Rows of a table that a preview shows; the report has them all.
const ROWS_MAX: usize = 24;

#[derive(Template)]
#[template(path = "desk_preview.html")]
struct Preview<'a> {
    t: &'a Words,
    title: &'a str,
    blocks: Vec<Shown<'a>>,
}

enum Shown<'a> {
    Heading(&'a str),
    Paragraph(&'a str),
    Bullets(&'a [String]),
    Facts(&'a [(String, String)]),
    Table(TableView<'a>),
    /// Finished, escaped markup of the chart renderer, and its caption.
    Chart(String, &'a str),
    Comment(&'a str, &'a [String]),
    Callout(&'static str, &'a str),
}

struct TableView<'a> {
    caption: &'a str,
    /// Head and whether its column holds numbers.
    columns: Vec<(&'a str, bool)>,
    rows: Vec<Vec<(&'a str, bool)>>,
    more: usize,
}

/// The section as escaped markup.
pub(crate) fn markup(t: &Words, section: &Section) -> Result<String, Fault> {
    let blocks = section.blocks.iter().enumerate().map(|(i, block)| shown(t, i, block)).collect();
    Ok(Preview { t, title: &section.title, blocks }.render()?)
}

#[derive(Template)]
#[template(path = "desk_notice.html")]
struct Remark {
    notice: Notice,
}

/// Why what is typed cannot stand in the report, in the place of the preview.
pub(crate) fn remark(t: &Words, refused: &Refused) -> Result<String, Fault> {
    Ok(Remark { notice: Notice::refused(t, refused) }.render()?)
}

fn shown<'a>(t: &Words, index: usize, block: &'a Block) -> Shown<'a> {
    match block {
        Block::Heading(text) => Shown::Heading(text),
        Block::Paragraph(text) => Shown::Paragraph(text),
        Block::Bullets(list) => Shown::Bullets(list),
        Block::Facts(list) => Shown::Facts(list),
        Block::Table(table) => Shown::Table(table_view(table)),
        Block::Chart(chart) => {
            let style = ChartStyle {
                numbers: Numbers::of_language(t.language()),
                font: "system-ui, sans-serif".to_owned(),
                no_data: t.get("report.label.no_data").to_owned(),
                all_zero: t.get("report.label.all_zero").to_owned(),
                id: format!("preview-{index}"),
                counts: false,
            };
            Shown::Chart(svg(chart, &style), &chart.caption)
        }
        Block::Comment { by, paragraphs } => Shown::Comment(by, paragraphs),
        Block::Callout { severity, text } => Shown::Callout(severity.code(), text),
    }
}

fn table_view(table: &Table) -> TableView<'_> {
    let is_number = |i: usize| table.columns.get(i).is_some_and(|(_, align)| *align == Align::Right);
    let rows = table.rows.iter().take(ROWS_MAX).chain(&table.total);
    TableView {
        caption: &table.caption,
        columns: table.columns.iter().map(|(name, align)| (name.as_str(), *align == Align::Right)).collect(),
        rows: rows
            .map(|row| row.iter().enumerate().map(|(i, cell)| (cell.as_str(), is_number(i))).collect())
            .collect(),
        more: table.rows.len().saturating_sub(ROWS_MAX),
    }
}
