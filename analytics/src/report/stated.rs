//! Values that people state in place of measured ones: marked, with who stated them, when and why.
//!
//! Must never: let a person's value pass for a measured one, or leave the measured one out.

use super::context::Context;
use super::document::Block;
use crate::result::KpiResult;

/// The mark of a value that a person stated.
pub(super) const MARK: char = '§';
/// In place of a measured value that there is not, where a person states one: nobody has to fill it in.
const NOT_MEASURED: &str = "–";

/// Whether a person states any value of the year.
pub(super) fn any(context: &Context<'_>) -> bool {
    context.year.kpis.iter().any(|kpi| context.stated(kpi).is_some())
}

/// The value that counts: a person's with the mark, else the measured one.
pub(super) fn counting(context: &Context<'_>, kpi: &KpiResult) -> String {
    let shown = |value: Option<f64>| context.kpi_number(kpi, value);
    match context.stated(kpi) {
        Some(stated) => format!("{}\u{a0}{MARK}", shown(Some(stated.value))),
        None if context.is_to_be_stated(kpi) => context.kpi_verdict(kpi),
        None => shown(kpi.achieved),
    }
}

/// The measured value beside it.
pub(super) fn measured(context: &Context<'_>, kpi: &KpiResult) -> String {
    if kpi.achieved.is_none() && context.stated(kpi).is_some() {
        return NOT_MEASURED.to_owned();
    }
    context.kpi_number(kpi, kpi.achieved)
}

/// What the mark means, and of each marked value who stated it, when and why; nothing where there is none.
pub(super) fn reasons(context: &Context<'_>) -> Vec<Block> {
    let one = |kpi: &KpiResult| {
        let stated = context.stated(kpi)?;
        let value = context.kpi_value(kpi, Some(stated.value));
        let date = context.format.date(stated.date);
        let reason = stated.reason.split_whitespace().collect::<Vec<_>>().join(" ");
        let values = [
            ("code", kpi.definition.code.as_str()),
            ("value", value.as_str()),
            ("author", stated.author.as_str()),
            ("date", date.as_str()),
            ("reason", reason.trim_end_matches('.')),
        ];
        Some(context.fill("stated.reason", &values))
    };
    let reasons: Vec<String> = context.year.kpis.iter().filter_map(one).collect();
    if reasons.is_empty() {
        return Vec::new();
    }
    vec![context.paragraph("stated.intro"), Block::Bullets(reasons)]
}
