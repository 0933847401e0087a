//! The document tree as PDF: texts as data, charts as SVG, files attached.
//!
//! Must never: put a text into markup, or a figure that the document does not hold.

use analytics::report::document::{Align, Block, Chart, Document, Table};
use analytics::report::format::Numbers;
use analytics::text::Texts;
use chrono::Datelike;
use model::Severity;
use serde_json::{Value, json};
use typeset::{Attachment, Date, PdfJob};

use crate::chart::{ChartStyle, svg};
use crate::render::{Press, RenderError};

/// The bundled family, so that text in charts is embedded like all other text.
const FONT: &str = "Libertinus Serif";

/// Sets `document` with `attachments` inside. `code` stands in the header of every page after the first.
///
/// # Errors
/// When the document passes a limit of [`typeset`].
pub fn pdf(
    document: &Document,
    code: &str,
    press: &Press<'_>,
    attachments: Vec<Attachment>,
) -> Result<Vec<u8>, RenderError> {
    let texts = press.texts;
    let mut charts = Vec::new();
    let sections: Vec<Value> = document
        .sections
        .iter()
        .map(|section| {
            let blocks: Vec<Value> =
                section.blocks.iter().map(|b| block(b, document, texts, &mut charts)).collect();
            json!({ "title": section.title, "annex": section.annex, "blocks": blocks })
        })
        .collect();
    let data = json!({
        "title": document.title,
        "subtitle": document.subtitle,
        "author": document.author,
        "language": document.language,
        "header": document.title,
        "code": code,
        "labels": labels(texts),
        "front": document.front,
        "sections": sections,
    });
    let date = document.date;
    let job = PdfJob {
        data: data.to_string(),
        charts,
        attachments,
        date: Date { year: date.year(), month: day_number(date.month()), day: day_number(date.day()) },
        ident: format!("{code} {} {}", document.title, document.language),
    };
    Ok(typeset::pdf(&job, press.template)?)
}

fn day_number(number: u32) -> u8 {
    u8::try_from(number).unwrap_or(1)
}

fn labels(texts: &Texts) -> Value {
    let names = ["page", "of", "contents", "table", "figure", "annex", "note", "caution", "blocks"];
    names.iter().map(|n| ((*n).to_owned(), Value::from(texts.get(&format!("report.label.{n}"))))).collect()
}

fn block(block: &Block, document: &Document, texts: &Texts, charts: &mut Vec<String>) -> Value {
    match block {
        Block::Heading(text) => json!({ "kind": "heading", "text": text }),
        Block::Paragraph(text) => json!({ "kind": "paragraph", "text": text }),
        Block::Bullets(items) => json!({ "kind": "bullets", "items": items }),
        Block::Facts(rows) => json!({ "kind": "facts", "rows": rows }),
        Block::Table(table) => table_data(table),
        Block::Chart(chart) => chart_data(chart, document, texts, charts),
        Block::Comment { by, paragraphs } => {
            json!({ "kind": "comment", "by": by, "paragraphs": paragraphs })
        }
        Block::Callout { severity, text } => {
            let severity = match severity {
                Severity::Note => "note",
                Severity::Caution => "caution",
                Severity::Blocks => "blocks",
            };
            json!({ "kind": "callout", "severity": severity, "text": text })
        }
    }
}

fn chart_data(chart: &Chart, document: &Document, texts: &Texts, charts: &mut Vec<String>) -> Value {
    let index = charts.len();
    let style = ChartStyle {
        numbers: Numbers::of_language(&document.language),
        font: FONT.to_owned(),
        no_data: texts.get("report.label.no_data").to_owned(),
        all_zero: texts.get("report.label.all_zero").to_owned(),
        id: format!("chart-{index}"),
        counts: false,
    };
    charts.push(svg(chart, &style));
    json!({ "kind": "chart", "caption": chart.caption, "alternative": chart.alternative, "index": index })
}

fn table_data(table: &Table) -> Value {
    let columns: Vec<Value> = table
        .columns
        .iter()
        .enumerate()
        .map(|(i, (title, align))| {
            let align = match align {
                Align::Left => "left",
                Align::Right => "right",
            };
            json!({ "title": title, "align": align, "weight": weight(table, i) })
        })
        .collect();
    json!({
        "kind": "table",
        "caption": table.caption,
        "columns": columns,
        "rows": table.rows,
        "total": table.total,
    })
}

/// A column's share of the width, from its longest cell: enough for a number on one line, and no more for a
/// long text than it needs to wrap in a few lines.
fn weight(table: &Table, column: usize) -> f64 {
    let cells = table.rows.iter().chain(&table.total).filter_map(|row| row.get(column));
    let longest = cells.map(|c| c.chars().count()).max().unwrap_or(0);
    let (title, align) = &table.columns[column];
    let word = longest_word(title);
    let unbroken = table.rows.iter().filter_map(|row| row.get(column)).map(|c| longest_word(c)).max();
    // Heads are heavier than cells, and every column has its margins.
    let head = word as f64 * 1.15;
    let cell = match align {
        Align::Right => longest as f64,
        // A text wraps: its room grows more slowly than its length.
        Align::Left if longest > 14 => 14.0 + (longest as f64 - 14.0).sqrt(),
        Align::Left => longest as f64,
    };
    cell.max(head).max(unbroken.unwrap_or(0) as f64).max(3.0) + 2.5
}

/// Longer words are left to break: a column is at most about a third of the page.
const WORD_MAX: usize = 34;

fn longest_word(text: &str) -> usize {
    text.split([' ', '-', '/']).map(|w| w.chars().count()).max().unwrap_or(0).min(WORD_MAX)
}
