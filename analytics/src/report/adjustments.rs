//! What people adjusted for non-routine events, apart from what was measured.
//!
//! Must never: leave out an adjustment, or its author, or what the saving is without it.

use super::context::{Context, meter_unit};
use super::document::{Align, Block};
use super::format::ENERGY_DECIMALS;
use crate::result::MeterYear;

/// Heading, table and the saving with and without, where there is any adjustment.
pub(super) fn blocks(context: &Context<'_>) -> Vec<Block> {
    let of: Vec<&MeterYear> =
        context.year.meters.iter().filter(|m| !m.record.adjustments.is_empty()).collect();
    if of.is_empty() {
        return Vec::new();
    }
    let mut blocks = vec![
        Block::Heading(context.t("savings.adjustments_heading")),
        context.paragraph("savings.adjustments_intro"),
        table(context, &of),
    ];
    let changes = |m: &&&MeterYear| m.record.adjustments.iter().any(|a| !a.is_confirmation());
    let compared = |m: &&&MeterYear| 0 < m.totals.compared_months;
    blocks.extend(of.iter().filter(changes).filter(compared).map(|m| effect(context, m)));
    blocks
}

fn table(context: &Context<'_>, of: &[&MeterYear]) -> Block {
    let format = &context.format;
    let row = |m: &MeterYear, a: &model::Adjustment| {
        vec![
            a.number.to_string(),
            format!("{} [{}]", m.meter.name, meter_unit(&m.meter)),
            format.date(a.from),
            format.date(a.to.pred_opt().unwrap_or(a.to)),
            format.number(Some(a.energy), ENERGY_DECIMALS),
            a.author.clone(),
            a.reason.clone(),
        ]
    };
    let rows = of.iter().flat_map(|m| m.record.adjustments.iter().map(move |a| row(m, a)));
    let columns = [
        ("number", Align::Right),
        ("meter", Align::Left),
        ("first_day", Align::Left),
        ("last_day", Align::Left),
        ("adjustment", Align::Right),
        ("author", Align::Left),
        ("reason", Align::Left),
    ];
    let caption = context.fill("savings.adjustments_caption", &[("year", &context.year.year.to_string())]);
    context.table(caption, &columns, rows.collect())
}

fn effect(context: &Context<'_>, meter: &MeterYear) -> Block {
    let (totals, unit) = (&meter.totals, meter_unit(&meter.meter));
    let show = |v: f64| context.format.quantity(Some(v), ENERGY_DECIMALS, unit);
    Block::Paragraph(context.fill(
        "savings.adjustments_effect",
        &[
            ("meter", &meter.meter.name),
            ("avoided", &show(totals.avoided)),
            ("adjustment", &show(totals.adjustment)),
            ("measured", &show(totals.avoided - totals.adjustment)),
        ],
    ))
}
