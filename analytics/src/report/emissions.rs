//! Energy, primary energy and CO2 of what was measured, by carrier, with the factor set named.
//!
//! Must never: sum over a missing month without saying how many months there are.

use model::{Carrier, Severity};

use super::context::Context;
use super::document::{Align, Block, Section};
use super::format::{ENERGY_DECIMALS, capitalised};
use super::structured::{self, MonthRow};

pub(super) fn section(context: &Context<'_>) -> Section {
    let rows = structured::rows(context.year);
    // Exports and sub-meters carry neither primary energy nor CO2: they are not use of the building.
    let counted: Vec<&MonthRow> = rows.iter().filter(|r| r.counts_as_use()).collect();
    let mut carriers: Vec<Carrier> = Vec::new();
    for row in &counted {
        if !carriers.contains(&row.carrier) {
            carriers.push(row.carrier);
        }
    }
    if carriers.is_empty() {
        return context.section("emissions", Vec::new());
    }
    let set = &context.year.factors;
    let mut blocks = vec![Block::Paragraph(
        context.fill("emissions.intro", &[("set", &set.title), ("source", &set.source)]),
    )];
    let lines = carriers.iter().map(|c| line(context, *c, &counted)).collect();
    let columns = [
        ("carrier", Align::Left),
        ("months_known", Align::Right),
        ("energy_kwh", Align::Right),
        ("primary_kwh", Align::Right),
        ("co2_kg", Align::Right),
    ];
    let caption = context.fill("emissions.caption", &[("year", &context.year.year.to_string())]);
    blocks.push(context.table(caption, &columns, lines));
    blocks.push(context.paragraph("emissions.note"));
    for carrier in carriers.iter().filter(|c| set.of(**c).is_none()) {
        let text = context.fill("emissions.no_factor", &[("carrier", &context.carrier(*carrier))]);
        blocks.push(Block::Callout { severity: Severity::Caution, text });
    }
    context.section("emissions", blocks)
}

fn line(context: &Context<'_>, carrier: Carrier, rows: &[&MonthRow]) -> Vec<String> {
    let format = &context.format;
    let rows: Vec<&MonthRow> = rows.iter().copied().filter(|r| r.carrier == carrier).collect();
    let known = rows.iter().filter(|r| r.measured.is_some()).count();
    let months = [("compared", &*known.to_string()), ("due", &*rows.len().to_string())];
    vec![
        capitalised(&context.carrier(carrier)),
        context.fill("savings.months_of", &months),
        format.number(sum(&rows, |r| r.energy_kwh), ENERGY_DECIMALS),
        format.number(sum(&rows, |r| r.primary_nonrenewable_kwh), ENERGY_DECIMALS),
        format.number(sum(&rows, |r| r.co2_kg), ENERGY_DECIMALS),
    ]
}

/// The sum of the known months; `None` when none is known.
fn sum(rows: &[&MonthRow], value: fn(&MonthRow) -> Option<f64>) -> Option<f64> {
    rows.iter().filter_map(|r| value(r)).fold(None, |total, v| Some(total.unwrap_or(0.0) + v))
}
