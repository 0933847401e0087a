//! The load profile: what runs at which hour of which weekday, read with the buildings' profiles of use.
//!
//! Must never: show a profile with holes as one without use.

use super::annex::per_hour;
use super::context::{Context, meter_unit};
use super::document::{Block, Chart, ChartKind, NamedValues, Section};
use crate::load::LoadProfile;
use crate::result::MeterYear;

/// Most profiles printed; the main meters come first in a project file.
const PRINTED_MAX: usize = 6;

pub(super) fn section(context: &Context<'_>) -> Section {
    let known = context.beside.profiles.iter().filter(|p| p.is_whole()).filter_map(|profile| {
        let meter = context.year.meters.iter().find(|m| m.meter.id == profile.meter)?;
        Some((meter, profile))
    });
    let mut blocks: Vec<Block> =
        known.take(PRINTED_MAX).map(|(meter, profile)| of_meter(context, meter, profile)).collect();
    if !blocks.is_empty() {
        blocks.insert(0, context.paragraph("load.intro"));
    }
    context.section("load", blocks)
}

/// The profile drawn; of a meter that counted nothing at all, only that.
fn of_meter(context: &Context<'_>, meter: &MeterYear, profile: &LoadProfile) -> Block {
    if profile.peak().is_some_and(|(_, _, peak)| peak <= 0.0) {
        let hours = context.format.number(Some(profile.hours.floor()), 0);
        let values = [("meter", &*meter.meter.name), ("hours", &*hours)];
        return Block::Paragraph(context.fill("load.zero", &values));
    }
    Block::Chart(chart(context, meter, profile))
}

fn chart(context: &Context<'_>, meter: &MeterYear, profile: &LoadProfile) -> Chart {
    let unit = per_hour(meter_unit(&meter.meter));
    let year = context.beside_period().unwrap_or_else(|| context.year.year.to_string());
    let hours = context.format.number(Some(profile.hours.floor()), 0);
    let (day, hour, peak) = profile.peak().unwrap_or((0, 0, 0.0));
    let values = [
        ("meter", &*meter.meter.name),
        ("year", &*year),
        ("unit", &*unit),
        ("hours", &*hours),
        ("day", &*context.t(&format!("weekday.d{}", day + 1))),
        ("hour", &*hour.to_string()),
        ("peak", &*context.format.quantity(Some(peak), 1, &unit)),
        ("night", &*context.format.quantity(profile.night(), 1, &unit)),
    ];
    let rows = profile.cells.iter().enumerate().map(|(day, cells)| NamedValues {
        name: context.t(&format!("weekday.d{}", day + 1)),
        values: cells.to_vec(),
    });
    Chart {
        caption: context.fill("load.caption", &values),
        alternative: context.fill("load.alternative", &values),
        kind: ChartKind::Grid { labels: (0..24).map(|h| h.to_string()).collect(), rows: rows.collect() },
    }
}
