//! The words of a report in one language: its texts by key, its numbers, its tables' heads.
//!
//! Must never: know a figure.

use model::{Carrier, Direction};

use super::document::{Align, Block, Section, Table};
use super::format::Format;
use crate::text::Texts;

pub(super) struct Words<'a> {
    pub(super) texts: &'a Texts,
    pub(super) format: Format<'a>,
}

impl<'a> Words<'a> {
    pub(super) fn new(texts: &'a Texts) -> Self {
        Self { texts, format: Format::new(texts) }
    }

    /// The text `report.<key>`.
    pub(super) fn t(&self, key: &str) -> String {
        self.texts.get(&format!("report.{key}")).to_owned()
    }

    /// The text `report.<key>` with its values.
    pub(super) fn fill(&self, key: &str, values: &[(&str, &str)]) -> String {
        self.texts.fill(&format!("report.{key}"), values)
    }

    pub(super) fn paragraph(&self, key: &str) -> Block {
        Block::Paragraph(self.t(key))
    }

    pub(super) fn section(&self, key: &str, blocks: Vec<Block>) -> Section {
        Section { title: self.t(&format!("section.{key}")), annex: false, blocks }
    }

    pub(super) fn annex(&self, key: &str, blocks: Vec<Block>) -> Section {
        Section { title: self.t(&format!("section.{key}")), annex: true, blocks }
    }

    /// Column heads from `report.column.<key>`.
    pub(super) fn columns(&self, keys: &[(&str, Align)]) -> Vec<(String, Align)> {
        keys.iter().map(|(key, align)| (self.t(&format!("column.{key}")), *align)).collect()
    }

    pub(super) fn table(&self, caption: String, keys: &[(&str, Align)], rows: Vec<Vec<String>>) -> Block {
        Block::Table(Table { caption, columns: self.columns(keys), rows, total: None })
    }

    pub(super) fn carrier(&self, carrier: Carrier) -> String {
        self.t(&format!("carrier.{}", carrier.code()))
    }

    pub(super) fn direction(&self, direction: Direction) -> String {
        self.t(&format!("direction.{}", direction.code()))
    }
}
