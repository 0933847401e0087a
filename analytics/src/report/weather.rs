//! The weather of the year: degree days with their base, threshold and station named.
//!
//! Must never: print degree days without the base they were counted to.

use super::context::Context;
use super::document::{Align, Block, Chart, ChartKind, NamedValues, Section, Table};
use crate::result::{Baseline, MeterYear};

/// Most bases that are shown against the reference year.
const REFERENCES_MAX: usize = 3;

pub(super) fn section(context: &Context<'_>) -> Section {
    let bases = by_base(context);
    let station = context.year.project.station.to_string();
    let mut blocks = vec![Block::Paragraph(context.fill("weather.intro", &[("station", &station)]))];
    if bases.is_empty() {
        blocks.push(context.paragraph("weather.none"));
    } else {
        blocks.push(Block::Table(table(context, &bases)));
        blocks.push(context.paragraph("weather.note"));
        blocks.extend(against_reference(context, &bases));
    }
    let weather = &context.year.weather;
    if !weather.periods.is_empty() {
        blocks.push(Block::Table(days(context)));
    }
    blocks.extend(made(context));
    blocks.extend(filling(context));
    if !weather.legal.is_empty() {
        blocks.push(Block::Table(legal(context)));
        blocks.push(context.paragraph("weather.legal_note"));
    }
    context.section("weather", blocks)
}

/// The year's degree days beside those of the reference year, by month, at each base that both have.
fn against_reference(context: &Context<'_>, bases: &[(f64, &MeterYear)]) -> Vec<Block> {
    let Some(forms) = &context.beside.forms else { return Vec::new() };
    let Some(reference) = &forms.reference else { return Vec::new() };
    let mut blocks = Vec::new();
    for (base, meter) in bases.iter().take(REFERENCES_MAX) {
        let Some(of) = forms.months.iter().find(|r| (r.base_c - base).abs() < 1e-9) else { continue };
        let year: Vec<Option<f64>> = meter.months.iter().map(|m| m.heating_degree_days).collect();
        let base = context.format.trimmed(Some(*base), 1);
        blocks.push(Block::Chart(reference_chart(context, &base, &year, &of.months)));
        blocks.push(Block::Table(reference_table(context, &base, &year, &of.months)));
    }
    if let (Some(first), Some(last), false) =
        (reference.years.first(), reference.years.last(), blocks.is_empty())
    {
        let count = reference.years.len().to_string();
        let values = [("count", &*count), ("from", &*first.to_string()), ("to", &*last.to_string())];
        let key = format!("weather.reference_note.{}", forms.kind.code());
        blocks.push(Block::Paragraph(context.fill(&key, &values)));
    }
    blocks
}

fn reference_table(
    context: &Context<'_>,
    base: &str,
    year: &[Option<f64>],
    reference: &[Option<f64>],
) -> Table {
    let number = context.year.year.to_string();
    let row = |head: String, now: Option<f64>, then: Option<f64>| {
        let change = now.zip(then).filter(|(_, then)| 0.5 <= *then).map(|(now, then)| now / then - 1.0);
        let format = &context.format;
        let change = change.map_or_else(|| "–".to_owned(), |change| format.percent(Some(change)));
        vec![head, format.number(now, 1), format.number(then, 1), change]
    };
    let both = |i: usize| (year.get(i).copied().flatten(), reference.get(i).copied().flatten());
    let rows = (0..12).map(|i| row(context.format.month(i as u32 + 1), both(i).0, both(i).1));
    let sum = |values: &[Option<f64>]| values.iter().copied().sum::<Option<f64>>();
    let columns = vec![
        (context.t("column.month"), Align::Left),
        (context.fill("weather.reference_year", &[("year", &number)]), Align::Right),
        (context.t("weather.reference_column"), Align::Right),
        (context.t("column.change"), Align::Right),
    ];
    Table {
        caption: context.fill("weather.reference_caption", &[("year", &number), ("base", base)]),
        columns,
        rows: rows.collect(),
        total: Some(row(context.t("monthly.total"), sum(year), sum(reference))),
    }
}

fn reference_chart(
    context: &Context<'_>,
    base: &str,
    year: &[Option<f64>],
    reference: &[Option<f64>],
) -> Chart {
    let number = context.year.year.to_string();
    let values = [("year", &*number), ("base", base)];
    let known = year.iter().filter(|v| v.is_some()).count().to_string();
    let said = [("year", &*number), ("base", base), ("months", &*known)];
    Chart {
        caption: context.fill("weather.reference_chart_caption", &values),
        alternative: context.fill("weather.reference_chart_alternative", &said),
        kind: ChartKind::MonthlyColumns {
            unit: "K·d".to_owned(),
            labels: (1..=12).map(|n| context.format.month_short(n)).collect(),
            columns: vec![NamedValues {
                name: context.fill("weather.reference_year", &values),
                values: year.to_vec(),
            }],
            line: Some(NamedValues {
                name: context.t("weather.reference_column"),
                values: reference.to_vec(),
            }),
        },
    }
}

/// Days of the baseline and the year by where their temperature comes from.
fn days(context: &Context<'_>) -> Table {
    let columns = ["period", "measured", "adjusted", "unadjusted", "missing"].map(|key| {
        let align = if key == "period" { Align::Left } else { Align::Right };
        (context.t(&format!("weather.days_{key}")), align)
    });
    let rows = context.year.weather.periods.iter().map(|p| {
        let (from, to) = (context.format.date(p.from), context.format.date(p.to));
        let mut row = vec![context.fill("weather.days_period_value", &[("from", &from), ("to", &to)])];
        let counts = [p.measured_days, p.adjusted_days, p.unadjusted_days, p.missing_days];
        row.extend(counts.iter().map(u32::to_string));
        row
    });
    Table {
        caption: context.t("weather.days_caption"),
        columns: columns.to_vec(),
        rows: rows.collect(),
        total: None,
    }
}

/// How the daily means were made and by which way they came.
fn made(context: &Context<'_>) -> Option<Block> {
    let items: Vec<String> = context
        .year
        .weather
        .made
        .iter()
        .map(|(how, by, days)| {
            let how = context.t(&format!("weather.how.{}", how.code()));
            let by = context.t(&format!("weather.by.{}", by.code()));
            context.fill("weather.made_item", &[("days", &days.to_string()), ("how", &how), ("by", &by)])
        })
        .collect();
    let list = items.join("; ");
    (!items.is_empty()).then(|| Block::Paragraph(context.fill("weather.made", &[("list", &list)])))
}

/// Where missing days were filled from, where any was.
fn filling(context: &Context<'_>) -> Option<Block> {
    let weather = &context.year.weather;
    let filling = weather.filling.as_ref()?;
    if weather.periods.iter().all(|p| p.adjusted_days + p.unadjusted_days == 0) {
        return None;
    }
    let items: Vec<String> = filling
        .seasons
        .iter()
        .map(|s| {
            let season = context.t(&format!("weather.season.{}", s.season.code()));
            let days = s.common_days.to_string();
            match s.offset_k {
                Some(offset_k) => {
                    let offset = context.format.number(Some(offset_k), 1);
                    let values = [("season", season.as_str()), ("offset", &offset), ("days", &days)];
                    context.fill("weather.filling_learned", &values)
                }
                None => context.fill("weather.filling_unknown", &[("season", &season), ("days", &days)]),
            }
        })
        .collect();
    let values = [("neighbour", filling.neighbour.as_str()), ("list", &items.join("; "))];
    Some(Block::Paragraph(context.fill("weather.filling", &values)))
}

/// Legal degree days of the municipalities beside those of the station, each under its definition.
fn legal(context: &Context<'_>) -> Table {
    let year = context.year.year.to_string();
    let columns = vec![
        (context.t("weather.legal_place"), Align::Left),
        (context.t("weather.legal_legal"), Align::Right),
        (context.t("weather.legal_baseline"), Align::Right),
        (context.fill("weather.legal_year", &[("year", &year)]), Align::Right),
    ];
    let rows = context.year.weather.legal.iter().map(|of| {
        let place = &of.place;
        let values = [("name", place.name.as_str()), ("istat", &place.istat), ("zone", place.zone.letter())];
        vec![
            context.fill("weather.legal_place_value", &values),
            context.format.number(Some(f64::from(place.degree_days)), 0),
            context.format.number(of.baseline, 0),
            context.format.number(of.year, 0),
        ]
    });
    Table { caption: context.t("weather.legal_caption"), columns, rows: rows.collect(), total: None }
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
