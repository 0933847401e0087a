//! A project file against the embedded catalogue.
//!
//! Laws: a file is used whole or refused with problems that have a line; its dates are in order; ids are single; areas
//! and volumes are finite and above 0; declared values are finite.
//!
//! Allowed ends: problems, findings.
//!
//! Must never: read another catalogue than the embedded one.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use config::{Catalog, parse_project};
use model::Project;

use crate::laws::assert_problems;

static CATALOG: LazyLock<Catalog> =
    LazyLock::new(|| Catalog::embedded().expect("the embedded catalogue can be used"));

/// Bytes: the file.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match parse_project(text, &CATALOG) {
        Ok((project, _)) => assert_project(&project),
        Err(problems) => assert_problems(text, &problems),
    }
}

fn assert_project(project: &Project) {
    let dates = &project.dates;
    assert!(dates.baseline_from < dates.baseline_to, "{dates:?}");
    assert!(dates.baseline_to <= dates.works_from && dates.works_from <= dates.completed, "{dates:?}");
    let buildings: BTreeSet<_> = project.buildings.iter().map(|building| &building.id).collect();
    assert_eq!(buildings.len(), project.buildings.len(), "a building id stands twice");
    for building in &project.buildings {
        let sizes = [building.floor_area_m2, building.gross_volume_m3];
        assert!(sizes.iter().all(|size| size.is_finite() && 0.0 < *size), "{building:?}");
        assert!(building.uses.iter().all(|used| used.floor_area_m2.is_finite()), "{building:?}");
    }
    let meters: Vec<_> = project.meters().map(|(_, meter)| &meter.id).collect();
    let single: BTreeSet<_> = meters.iter().collect();
    assert_eq!(single.len(), meters.len(), "a meter id stands twice");
    assert!(project.declared.iter().all(|declared| declared.value.is_finite()), "{:?}", project.declared);
}
