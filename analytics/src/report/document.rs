//! The document tree: what a report says, in order, as plain data that every renderer accepts.
//!
//! Must never: hold markup. Every text is plain text and is escaped by the renderer.

use chrono::NaiveDate;
use model::Severity;

/// A finished document in one language.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    pub title: String,
    pub subtitle: String,
    pub author: String,
    /// BCP 47: `it`, `en`.
    pub language: String,
    /// The day the document speaks of as its own; never the wall clock.
    pub date: NaiveDate,
    /// Printed on the first page: label and value.
    pub front: Vec<(String, String)>,
    pub sections: Vec<Section>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    pub title: String,
    /// Set after the text proper, lettered instead of numbered.
    pub annex: bool,
    pub blocks: Vec<Block>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    Heading(String),
    Paragraph(String),
    Bullets(Vec<String>),
    /// Label and value, one a line.
    Facts(Vec<(String, String)>),
    Table(Table),
    Chart(Chart),
    /// What is said of a section's figures; `by` names whose words they are.
    Comment {
        by: String,
        paragraphs: Vec<String>,
    },
    /// A remark set apart.
    Callout {
        severity: Severity,
        text: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    Left,
    Right,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    pub caption: String,
    pub columns: Vec<(String, Align)>,
    pub rows: Vec<Vec<String>>,
    /// A closing row of sums, where there is one.
    pub total: Option<Vec<String>>,
}

/// A chart as data; `alternative` says in a sentence what it shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    pub caption: String,
    pub alternative: String,
    pub kind: ChartKind,
}

#[derive(Debug, Clone, PartialEq)]
pub enum ChartKind {
    /// Stacked columns per month, a layer for each of `columns`, with one line over them. A month in which any
    /// layer is `None` is drawn as a gap, never as a lower column.
    MonthlyColumns {
        unit: String,
        /// Twelve short labels.
        labels: Vec<String>,
        columns: Vec<NamedValues>,
        line: Option<NamedValues>,
    },
    /// Points and an optional straight line from `x_min` to `x_max`.
    Scatter { x_label: String, y_label: String, groups: Vec<NamedPoints>, line: Option<NamedLine> },
    /// Boxes in columns, left to right, with an arrow for each of `arrows`: (column, box) to (column, box). Arrows
    /// lead from a column to the next one.
    Flow { columns: Vec<FlowColumn>, arrows: Vec<FlowArrow> },
    /// A value that grows through the year: its best line, the band around it, and what is to be reached. The unit
    /// stands at the axis.
    Course {
        unit: String,
        /// Twelve short labels.
        labels: Vec<String>,
        best: NamedValues,
        /// Name of the band, with its bounds.
        band: String,
        low: Vec<Option<f64>>,
        high: Vec<Option<f64>>,
        /// Name and value.
        target: Option<(String, f64)>,
    },
    /// A cell for each label of each row, as dark as its value is high, with the value in it.
    Grid { labels: Vec<String>, rows: Vec<NamedValues> },
    /// A row per meter, a cell per month: share measured, 0 to 1; `None` where not due.
    Coverage { labels: Vec<String>, rows: Vec<NamedValues> },
}

#[derive(Debug, Clone, PartialEq)]
pub struct NamedValues {
    pub name: String,
    pub values: Vec<Option<f64>>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct NamedPoints {
    pub name: String,
    pub points: Vec<(f64, f64)>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct NamedLine {
    pub name: String,
    pub points: Vec<(f64, f64)>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct FlowColumn {
    pub title: String,
    pub boxes: Vec<FlowBox>,
}

/// A box with its name and what is said of it in a smaller line.
#[derive(Debug, Clone, PartialEq)]
pub struct FlowBox {
    pub name: String,
    pub note: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowArrow {
    pub from: (usize, usize),
    pub to: (usize, usize),
}
