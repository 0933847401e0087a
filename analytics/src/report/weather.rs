//! The weather of the year: degree days with their base, threshold and station named.
//!
//! Must never: print degree days without the base they were counted to.

use super::context::Context;
use super::document::{Align, Block, Section, Table};
use crate::result::{Baseline, MeterYear};

pub(super) fn section(context: &Context<'_>) -> Section {
    let bases = by_base(context);
    let station = context.year.project.station.to_string();
    let mut blocks = vec![Block::Paragraph(context.fill("weather.intro", &[("station", &station)]))];
    if bases.is_empty() {
        blocks.push(context.paragraph("weather.none"));
    } else {
        blocks.push(Block::Table(table(context, &bases)));
        blocks.push(context.paragraph("weather.note"));
    }
    context.section("weather", blocks)
}

/// One meter for each base temperature in use; meters of the same base share their degree days.
fn by_base<'a>(context: &Context<'a>) -> Vec<(f64, &'a MeterYear)> {
    let mut bases: Vec<(f64, &MeterYear)> = Vec::new();
    for meter in &context.year.meters {
        let Baseline::Fitted(model) = &meter.baseline else { continue };
        let Some(base) = model.heating_base_c else { continue };
        if !bases.iter().any(|(known, _)| (known - base).abs() < 1e-9) {
            bases.push((base, meter));
        }
    }
    bases.sort_by(|a, b| a.0.total_cmp(&b.0));
    bases
}

fn table(context: &Context<'_>, bases: &[(f64, &MeterYear)]) -> Table {
    let mut columns =
        vec![(context.t("column.month"), Align::Left), (context.t("column.temperature_days"), Align::Right)];
    for (base, _) in bases {
        let base = context.format.trimmed(Some(*base), 1);
        columns.push((context.fill("weather.column", &[("base", &base)]), Align::Right));
    }
    let rows = (0..12)
        .map(|i| {
            let days = bases.iter().find_map(|(_, m)| m.months.get(i)).map(|m| m.temperature_days);
            let mut row = vec![context.format.month(i as u32 + 1)];
            row.push(days.map_or_else(|| context.format.missing(), |d| d.to_string()));
            row.extend(bases.iter().map(|(_, m)| {
                context.format.number(m.months.get(i).and_then(|month| month.heating_degree_days), 1)
            }));
            row
        })
        .collect();
    let year = context.year.year.to_string();
    Table { caption: context.fill("weather.caption", &[("year", &year)]), columns, rows, total: None }
}
