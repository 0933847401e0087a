//! Energy, primary energy and CO2 of what was measured, by carrier, with the factor set named.
//!
//! Must never: sum over a month that is missing, or measured in part, without saying how many months are whole.

use model::{Carrier, FactorKind, Severity};

use super::annex;
use super::context::Context;
use super::document::{Align, Block, Section};
use super::format::{ENERGY_DECIMALS, capitalised};
use super::monthly::lacking;
use super::structured::{self, MonthRow};
use crate::result::MeterMonth;

pub(super) fn section(context: &Context<'_>) -> Section {
    let rows = structured::rows(context.year, context.beside);
    let months = context.year.meters.iter().flat_map(|m| &m.months);
    // Exports and sub-meters carry neither primary energy nor CO2: they are not use of the building.
    let counted: Vec<Counted<'_>> =
        rows.iter().zip(months.map(MeterMonth::is_whole)).filter(|(r, _)| r.counts_as_use()).collect();
    let mut carriers: Vec<Carrier> = Vec::new();
    for (row, _) in &counted {
        if !carriers.contains(&row.carrier) {
            carriers.push(row.carrier);
        }
    }
    if carriers.is_empty() {
        return context.section("emissions", Vec::new());
    }
    let (set, factors) = (&context.year.factors, context.year.used_factors());
    let mut blocks = vec![Block::Paragraph(
        context.fill("emissions.intro", &[("set", &set.title), ("source", &set.source)]),
    )];
    blocks.extend(annex::own_factors(context, Some(&carriers)));
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
    let lacks = |c: &&Carrier| factors.value(**c, FactorKind::HeatingValue).is_none();
    for carrier in carriers.iter().filter(lacks) {
        let text = context.fill("emissions.no_factor", &[("carrier", &context.carrier(*carrier))]);
        blocks.push(Block::Callout { severity: Severity::Caution, text });
    }
    context.section("emissions", blocks)
}

/// A month that is added up, and whether enough of it was measured.
type Counted<'a> = (&'a MonthRow, bool);

fn line(context: &Context<'_>, carrier: Carrier, rows: &[Counted<'_>]) -> Vec<String> {
    let format = &context.format;
    let rows: Vec<Counted<'_>> = rows.iter().copied().filter(|(r, _)| r.carrier == carrier).collect();
    let whole = rows.iter().filter(|(_, whole)| *whole).count();
    let months = [("compared", &*whole.to_string()), ("due", &*rows.len().to_string())];
    let show = |value: fn(&MonthRow) -> Option<f64>| {
        let sum = sum(&rows, value);
        let text = format.number(sum, ENERGY_DECIMALS);
        if sum.is_some() && whole < rows.len() { lacking(&text) } else { text }
    };
    vec![
        capitalised(&context.carrier(carrier)),
        context.fill("savings.months_of", &months),
        show(|r| r.energy_kwh),
        show(|r| r.primary_nonrenewable_kwh),
        show(|r| r.co2_kg),
    ]
}

/// The sum of the known months; `None` when none is known.
fn sum(rows: &[Counted<'_>], value: fn(&MonthRow) -> Option<f64>) -> Option<f64> {
    rows.iter().filter_map(|(r, _)| value(r)).fold(None, |total, v| Some(total.unwrap_or(0.0) + v))
}
