//! The buildings and the profiles of use that the results must be read with.
//!
//! Must never: guess a use; what was not declared is left out.

use model::Building;

use super::context::Context;
use super::document::{Align, Block, Section};

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
    facts.retain(|(_, value)| !value.trim().is_empty());
    facts.into_iter().map(|(key, value)| (context.t(key), value)).collect()
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
