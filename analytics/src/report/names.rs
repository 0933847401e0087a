//! Names of meters that tell them apart: where two meters are called the same, the building's name stands beside it.
//!
//! Must never: let two meters of a document bear one name, or change the name of a meter that has its own.

use std::borrow::Cow;

use model::{BuildingId, MeterFacts, Project};

use super::beside::Beside;
use crate::result::ProjectYear;

/// A year and what stands beside it, with names that tell every meter apart.
pub(super) struct Told<'a> {
    pub(super) year: Cow<'a, ProjectYear>,
    pub(super) beside: Cow<'a, Beside>,
}

pub(super) fn told_apart<'a>(year: &'a ProjectYear, beside: &'a Beside) -> Told<'a> {
    let mut told = Told { year: renamed(year), beside: Cow::Borrowed(beside) };
    if let Some(former) = &beside.former
        && let Cow::Owned(former) = renamed(former)
    {
        told.beside.to_mut().former = Some(Box::new(former));
    }
    told
}

/// A year whose meters' names are told apart.
pub(super) fn renamed(year: &ProjectYear) -> Cow<'_, ProjectYear> {
    let of = year.meters.iter().map(|m| (&m.building, &m.meter));
    let Some(names) = distinct(&year.project, of) else { return Cow::Borrowed(year) };
    let mut year = year.clone();
    for (meter, name) in year.meters.iter_mut().zip(names) {
        meter.meter.name = name;
    }
    Cow::Owned(year)
}

/// A name for each meter, in order; `None` where the names differ already.
pub(super) fn distinct<'a>(
    project: &Project,
    meters: impl Iterator<Item = (&'a BuildingId, &'a MeterFacts)>,
) -> Option<Vec<String>> {
    let meters: Vec<_> = meters.collect();
    let own: Vec<String> = meters.iter().map(|(_, m)| m.name.clone()).collect();
    let twice = |names: &[String], name: &str| 1 < names.iter().filter(|n| *n == name).count();
    if !own.iter().any(|name| twice(&own, name)) {
        return None;
    }
    let building = |id: &BuildingId| {
        let found = project.buildings.iter().find(|b| b.id == *id);
        found.map_or_else(|| id.to_string(), |b| b.name.clone())
    };
    let with_building: Vec<String> = meters
        .iter()
        .map(
            |(at, m)| {
                if twice(&own, &m.name) { format!("{} ({})", m.name, building(at)) } else { m.name.clone() }
            },
        )
        .collect();
    // Two of one name in one building, or in buildings of one name: only the code is left.
    let names = meters.iter().zip(&with_building).map(|((_, m), name)| {
        if twice(&with_building, name) { format!("{name} [{}]", m.id) } else { name.clone() }
    });
    Some(names.collect())
}
