//! Savings under the reference year and avoided energy since completion, beside the year's own avoided energy.
//!
//! Must never: print a normalised saving that was withheld, or hide which years the reference is made of.

use model::Severity;

use super::context::{Context, meter_unit};
use super::document::{Align, Block};
use super::format::ENERGY_DECIMALS;
use crate::result::MeterYear;
use crate::savings::REFERENCE_YEARS_MIN;
use crate::savings::forms::{Forms, MeterForms};

/// Nothing where the report was given none of it.
pub(super) fn blocks(context: &Context<'_>, compared: &[&MeterYear]) -> Vec<Block> {
    let Some(forms) = &context.beside.forms else { return Vec::new() };
    if compared.is_empty() {
        return Vec::new();
    }
    let mut blocks =
        vec![Block::Heading(context.t("normalised.heading")), Block::Paragraph(intro(context, forms))];
    if forms.meters.iter().any(|m| m.normalised.is_ok()) {
        blocks.push(table(context, forms, compared));
        blocks.push(context.paragraph("normalised.note"));
    }
    blocks.extend(compared.iter().filter_map(|meter| withheld(context, forms, meter)));
    let known: Vec<(&MeterYear, &MeterForms)> = compared
        .iter()
        .filter_map(|m| Some((*m, of(forms, m)?)))
        .filter(|(_, f)| 0 < f.cumulated.months)
        .collect();
    if !known.is_empty() {
        blocks.push(Block::Heading(context.t("normalised.cumulated_heading")));
        blocks.push(cumulated(context, &known));
        blocks.push(context.paragraph("normalised.cumulated_note"));
    }
    blocks
}

fn of<'f>(forms: &'f Forms, meter: &MeterYear) -> Option<&'f MeterForms> {
    forms.meters.iter().find(|f| f.meter == meter.meter.id)
}

/// What the reference year is.
fn intro(context: &Context<'_>, forms: &Forms) -> String {
    let intro = context.t("normalised.intro");
    let Some(reference) = &forms.reference else { return intro };
    let years: Vec<String> = reference.years.iter().map(ToString::to_string).collect();
    let (kind, years) = (forms.kind.code(), years.join(", "));
    let mut values = vec![("years", years), ("station", context.year.project.station.to_string())];
    if let Some((place, mean)) = &reference.legal {
        values.push(("place", place.name.clone()));
        values.push(("legal", context.format.number(Some(f64::from(place.degree_days)), 0)));
        values.push(("mean", context.format.number(Some(*mean), 0)));
    }
    let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    format!("{intro} {}", context.fill(&format!("normalised.reference.{kind}"), &values))
}

fn named(meter: &MeterYear) -> String {
    format!("{} [{}]", meter.meter.name, meter_unit(&meter.meter))
}

fn table(context: &Context<'_>, forms: &Forms, compared: &[&MeterYear]) -> Block {
    let format = &context.format;
    let show = |value: f64| format.number(Some(value), ENERGY_DECIMALS);
    let rows = compared.iter().map(|meter| {
        let totals = &meter.totals;
        let avoided = (0 < totals.compared_months).then_some(totals.avoided);
        let mut row = vec![named(meter), format.number(avoided, ENERGY_DECIMALS)];
        match of(forms, meter).map(|f| &f.normalised) {
            Some(Ok(of)) => row.extend([
                show(of.baseline),
                show(of.reporting),
                show(of.savings),
                format.range(Some(of.low), Some(of.high), ENERGY_DECIMALS),
            ]),
            Some(Err(_)) | None => row.extend(std::iter::repeat_n(format.missing(), 4)),
        }
        row
    });
    let columns = [
        ("meter", Align::Left),
        ("avoided_year", Align::Right),
        ("reference_before", Align::Right),
        ("reference_after", Align::Right),
        ("normalised", Align::Right),
        ("range", Align::Right),
    ];
    context.table(context.t("normalised.caption"), &columns, rows.collect())
}

/// Why a meter has no normalised saving.
fn withheld(context: &Context<'_>, forms: &Forms, meter: &MeterYear) -> Option<Block> {
    let code = match of(forms, meter).map(|f| &f.normalised) {
        Some(Ok(_)) => return None,
        Some(Err(why)) => why.code(),
        None => "baseline_missing",
    };
    let values = [("years", &*forms.years_known.to_string()), ("needed", &*REFERENCE_YEARS_MIN.to_string())];
    let why = context.fill(&format!("normalised.why.{code}"), &values);
    let text = context.fill("normalised.withheld", &[("meter", &meter.meter.name), ("why", &why)]);
    Some(Block::Callout { severity: Severity::Caution, text })
}

fn cumulated(context: &Context<'_>, known: &[(&MeterYear, &MeterForms)]) -> Block {
    let show = |value: f64| context.format.number(Some(value), ENERGY_DECIMALS);
    let rows = known.iter().map(|(meter, forms)| {
        let sum = &forms.cumulated;
        let months = [("compared", &*sum.months.to_string()), ("due", &*forms.months_due.to_string())];
        vec![
            named(meter),
            context.fill("savings.months_of", &months),
            show(sum.adjusted_baseline),
            show(sum.measured),
            show(sum.avoided),
            context.format.range(Some(sum.low), Some(sum.high), ENERGY_DECIMALS),
        ]
    });
    let columns = [
        ("meter", Align::Left),
        ("months", Align::Right),
        ("adjusted_baseline", Align::Right),
        ("measured", Align::Right),
        ("avoided", Align::Right),
        ("range", Align::Right),
    ];
    let completed = context.format.date(context.year.project.dates.completed);
    context.table(
        context.fill("normalised.cumulated_caption", &[("completed", &completed)]),
        &columns,
        rows.collect(),
    )
}
