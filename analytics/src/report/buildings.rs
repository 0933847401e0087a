//! The buildings and the profiles of use that the results must be read with.
//!
//! Must never: guess a use; what was not declared is left out.

use chrono::NaiveDate;
use model::{Building, Month, UseDriver};

use super::context::Context;
use super::document::{Align, Block, Section};
use crate::calendar;

pub(super) fn section(context: &Context<'_>) -> Section {
    let buildings = &context.year.project.buildings;
    let mut blocks = Vec::new();
    if !buildings.is_empty() {
        blocks.push(context.paragraph("buildings.intro"));
    }
    for building in buildings {
        blocks.push(Block::Heading(building.name.clone()));
        blocks.push(Block::Facts(facts(context, building)));
        if building.uses.len() > 1 {
            blocks.push(uses(context, building));
        }
        if !building.opening.is_empty() {
            blocks.push(opening(context, building));
        }
    }
    context.section("buildings", blocks)
}

fn facts(context: &Context<'_>, building: &Building) -> Vec<(String, String)> {
    let format = &context.format;
    let category = match building.uses.as_slice() {
        [only] => only.category.clone(),
        _ => String::new(),
    };
    let place = if building.istat_code.is_empty() {
        building.municipality.clone()
    } else {
        format!("{} (ISTAT {})", building.municipality, building.istat_code)
    };
    let mut facts = vec![
        ("buildings.municipality", place),
        ("buildings.address", building.address.clone()),
        ("buildings.category", category),
        ("buildings.floor_area", format.quantity(Some(building.floor_area_m2), 1, "m²")),
        ("buildings.gross_volume", format.quantity(Some(building.gross_volume_m3), 1, "m³")),
        ("buildings.usage_profile", building.usage_profile.clone()),
        ("buildings.ape_code", building.ape_code.clone().unwrap_or_default()),
    ];
    if !building.opening.is_empty() {
        let dates = &context.year.project.dates;
        let baseline = (dates.baseline_from, dates.baseline_to);
        facts.push(("buildings.opening_baseline", opened(context, building, baseline)));
        facts.push(("buildings.opening_year", opened(context, building, of_year(context.year.year))));
    }
    facts.retain(|(_, value)| !value.trim().is_empty());
    facts.into_iter().map(|(key, value)| (context.t(key), value)).collect()
}

fn of_year(year: i32) -> (NaiveDate, NaiveDate) {
    let first = |year| NaiveDate::from_ymd_opt(year, 1, 1).unwrap_or_default();
    (first(year), first(year + 1))
}

/// Days and hours on which the building is open by its calendar, and how many days the calendar does not state.
fn opened(context: &Context<'_>, building: &Building, (from, to): (NaiveDate, NaiveDate)) -> String {
    let stated = from.iter_days().take_while(|date| *date < to);
    let hours: Vec<f64> = stated.filter_map(|date| calendar::hours_on(&building.opening, date)).collect();
    let days = hours.iter().filter(|hours| 0.0 < **hours).count();
    let unstated = calendar::unstated_days(&building.opening, from, to);
    let key = if unstated == 0 { "buildings.opening_value" } else { "buildings.opening_value_unstated" };
    let values = [
        ("days", days.to_string()),
        ("hours", context.format.number(Some(hours.iter().sum()), 1)),
        ("unstated", unstated.to_string()),
    ];
    context.fill(key, &values.each_ref().map(|(name, value)| (*name, value.as_str())))
}

/// The calendar of the year by month. A month with a day that nobody stated has no sum.
fn opening(context: &Context<'_>, building: &Building) -> Block {
    let year = context.year.year;
    let sum =
        |driver, month: Month| calendar::sum(&building.opening, driver, month.first_day(), month.end_day());
    let row = |month: Month| {
        vec![
            context.format.month(month.number),
            context.format.number(sum(UseDriver::OpeningDays, month), 0),
            context.format.number(sum(UseDriver::OpeningHours, month), 1),
        ]
    };
    let rows = Month::all_of(year).into_iter().map(row).collect();
    let year = year.to_string();
    let caption = context.fill("buildings.opening_caption", &[("building", &building.name), ("year", &year)]);
    let columns = [("month", Align::Left), ("open_days", Align::Right), ("open_hours", Align::Right)];
    context.table(caption, &columns, rows)
}

fn uses(context: &Context<'_>, building: &Building) -> Block {
    let rows = building
        .uses
        .iter()
        .map(|u| vec![u.category.clone(), context.format.number(Some(u.floor_area_m2), 1)])
        .collect();
    let caption = context.fill("buildings.uses_caption", &[("building", &building.name)]);
    context.table(caption, &[("use", Align::Left), ("floor_area", Align::Right)], rows)
}
