//! The buildings and meters of a project file.
//!
//! Must never: let a meter without a ceiling through; without it, nothing bounds what a missing hour hides.

use std::collections::BTreeMap;

use analytics::places::{Place, plain_name};
use analytics::uncertainty::accuracy::most_relative_error;
use model::{
    BaseUnit, Building, BuildingId, Calibration, Carrier, Direction, Finding, GasBasis, GasCoefficient,
    GasConversion, MeterFacts, MeterId, MeterRole, Project, Severity, Use,
};

use super::{codes, opening};
use crate::catalog::Catalog;
use crate::reader::{At, Source, Table};

/// Most buildings of one project.
const BUILDINGS_MAX: usize = 500;
/// Most meters of one building.
const METERS_MAX: usize = 500;
/// Most uses of one building.
const USES_MAX: usize = 50;

struct MeterRead {
    meter: MeterFacts,
    id_at: At,
    supply_at: At,
    parent_at: At,
    line: usize,
}

pub(super) fn read_all(
    source: &Source<'_>,
    root: &Table<'_, '_>,
    catalog: &Catalog,
) -> Option<Vec<Building>> {
    let tables = root.tables("building", BUILDINGS_MAX);
    if tables.is_empty() {
        source.report_at(&root.at("building"), "is missing", "add at least one [[building]]");
    }
    let mut buildings = Vec::new();
    let mut meters = Vec::new();
    let mut lines = BTreeMap::new();
    let mut complete = !tables.is_empty();
    for table in &tables {
        let Some((building, read)) = read_building(source, table, catalog) else {
            complete = false;
            continue;
        };
        if let Some(line) = lines.insert(building.id.to_string(), table.line()) {
            let says = format!("building {:?} is already defined on line {line}", building.id.as_str());
            source.report_at(&table.at("id"), says, "give each building its own id");
        }
        buildings.push(building);
        meters.extend(read);
    }
    check_unique(source, &meters);
    check_parents(source, &meters);
    complete.then_some(buildings)
}

fn read_building(
    source: &Source<'_>,
    table: &Table<'_, '_>,
    catalog: &Catalog,
) -> Option<(Building, Vec<MeterRead>)> {
    let id = table.parsed("id", "a building id", |t| BuildingId::new(t).ok());
    let name = table.text("name", "the building's name");
    let municipality = table.text("municipality", "the municipality's name");
    let istat = table.parsed("istat_code", "the ISTAT code of the municipality, 6 digits in quotes", |t| {
        codes::is_istat(t).then(|| t.to_owned())
    });
    let address = table.text("address", "street and number");
    let area = table.number("floor_area_m2", "an area in m2, above 0", positive);
    let volume = table.number("gross_volume_m3", "a gross conditioned volume in m3, above 0", positive);
    let profile = table.text("usage_profile", "the opening hours as declared");
    let opening = opening::read(source, table);
    let ape_code = table.text_optional("ape_code", "the code of the ex-ante energy certificate");
    let uses: Vec<_> = table.tables("uses", USES_MAX).iter().map(read_use).collect();
    check_uses(source, table, &uses, area);
    let tables = table.tables("meter", METERS_MAX);
    if tables.is_empty() {
        source.report_at(&table.at("meter"), "is missing", "add at least one [[building.meter]]");
    }
    let place = istat.as_deref().and_then(|istat| catalog.place(istat));
    let meters: Vec<_> = tables.iter().map(|t| read_meter(source, t, place)).collect();
    table.finish();
    let read = meters.into_iter().collect::<Option<Vec<_>>>();
    let building = Building {
        id: id?,
        name: name?,
        municipality: municipality?,
        istat_code: istat?,
        address: address?,
        uses: uses.into_iter().collect::<Option<_>>()?,
        floor_area_m2: area?,
        gross_volume_m3: volume?,
        usage_profile: profile?,
        opening: opening?,
        ape_code,
        meters: read.as_ref()?.iter().map(|m| m.meter.clone()).collect(),
    };
    Some((building, read?))
}

fn positive(number: f64) -> bool {
    0.0 < number && number <= 1e7
}

fn read_use(table: &Table<'_, '_>) -> Option<Use> {
    let category = table.parsed("category", "a use of DPR 412/93 such as \"E.7\" or \"E.4(1)\"", |t| {
        codes::is_use_category(t).then(|| t.to_owned())
    });
    let area = table.number("floor_area_m2", "an area in m2, above 0", positive);
    table.finish();
    Some(Use { category: category?, floor_area_m2: area? })
}

/// The uses are shares of the building: together no more than all of it (1 % for rounding).
fn check_uses(source: &Source<'_>, table: &Table<'_, '_>, uses: &[Option<Use>], area: Option<f64>) {
    if uses.is_empty() {
        source.report_at(
            &table.at("uses"),
            "is missing",
            "add at least one use, { category = \"E.7\", floor_area_m2 = … }",
        );
    }
    let sum: f64 = uses.iter().flatten().map(|u| u.floor_area_m2).sum();
    if let Some(area) = area
        && area * 1.01 < sum
    {
        let says = format!("the areas of the uses add up to {sum} m2, more than floor_area_m2 = {area}");
        source.report_at(&table.at("uses"), says, "correct the areas");
    }
}

fn read_meter(source: &Source<'_>, table: &Table<'_, '_>, place: Option<&Place>) -> Option<MeterRead> {
    let id = table.parsed("id", "a meter id", |t| MeterId::new(t).ok());
    let name = table.text("name", "what the meter measures");
    let carrier = table.parsed("carrier", "an energy carrier such as \"natural_gas\"", Carrier::parse);
    let direction = table.parsed_or(
        "direction",
        "\"import\", \"export\", \"production\", \"charge\" or \"discharge\"",
        Direction::Import,
        Direction::parse,
    );
    let role =
        table.parsed_or("role", "\"compared\", \"new\" or \"sub\"", MeterRole::Compared, MeterRole::parse);
    let parent = table.parsed_optional("parent", "the id of the meter that this one is a part of", |t| {
        MeterId::new(t).ok()
    });
    let expected = supply_point_form(carrier);
    let supply_point = table
        .parsed_optional("supply_point", expected, |t| is_supply_point(carrier, t).then(|| t.to_owned()));
    let ceiling = table.number(
        "ceiling_per_hour",
        "the most the connection can carry in an hour, in kW, Smc/h or kg/h, above 0",
        |n| 0.0 < n && n <= 1e6,
    );
    let wraps_at = table.integer_optional("wraps_at", 1_000..=i64::MAX / 4);
    let gas = table.table_optional("gas").map(|table| read_gas(source, &table, place));
    let serial = table.text_optional("serial", "the meter's serial number");
    let accuracy_class = table.text_optional("accuracy_class", "the class written on the meter");
    let calibration = read_calibration(source, table);
    table.finish();
    let (carrier, direction) = (carrier?, direction?);
    check_direction(source, table, carrier, direction);
    check_gas(source, table, carrier, gas.is_some());
    let meter = MeterFacts {
        id: id?,
        name: name?,
        carrier,
        direction,
        role: role?,
        parent,
        supply_point,
        ceiling_per_hour: ceiling?,
        wraps_at,
        gas: match gas {
            Some(gas) => Some(gas?),
            None => None,
        },
        serial,
        accuracy_class,
        calibration,
    };
    Some(MeterRead {
        meter,
        id_at: table.at("id"),
        supply_at: table.at("supply_point"),
        parent_at: table.at("parent"),
        line: table.line(),
    })
}

/// When the meter was calibrated, and the paper that says so: a paper without a day says nothing.
fn read_calibration(source: &Source<'_>, table: &Table<'_, '_>) -> Option<Calibration> {
    let on = table.date_optional("calibrated_on");
    let certificate =
        table.text_optional("certificate", "number and issuer of the calibration's certificate");
    if let (None, Some(certificate)) = (&on, &certificate) {
        let says = format!("certificate {certificate:?} has no day");
        source.report_at(&table.at("certificate"), says, "add calibrated_on = YYYY-MM-DD");
    }
    Some(Calibration { on: on?, certificate })
}

/// How the volume at a gas meter becomes standard volume: a coefficient, or the place that gives it. Degree days and zone
/// are those of the building's municipality in the catalogue's table, which has no altitudes, unless the file says them.
fn read_gas(source: &Source<'_>, table: &Table<'_, '_>, place: Option<&Place>) -> Option<GasConversion> {
    let expected = "the coefficient C of the bill, 0.5 to 2 with at most six decimals";
    let coefficient = table.number_optional("coefficient", expected, |c| stated_coefficient(c).is_some());
    let altitude_m = table.integer_optional("altitude_m", -50..=3_000);
    let degree_days = table.integer_optional("degree_days", 1..=6_000);
    let zone = table.parsed_optional("zone", "a climatic zone, \"B\" to \"F\"", |t| match t.as_bytes() {
        [letter @ b'A'..=b'F'] => Some(char::from(*letter)),
        _ => None,
    });
    table.finish();
    let (degree_days, zone) = match (coefficient, degree_days, zone, place) {
        (None, None, None, Some(place)) => {
            (Some(i64::from(place.degree_days)), place.zone.letter().chars().next())
        }
        (_, degree_days, zone, _) => (degree_days, zone),
    };
    match (coefficient, altitude_m, degree_days, zone) {
        (Some(stated), None, None, None) => {
            Some(GasConversion { coefficient: stated_coefficient(stated)?, basis: GasBasis::Stated })
        }
        (None, Some(altitude_m), Some(degree_days), Some(zone)) => {
            let place = (i32::try_from(altitude_m).ok()?, u32::try_from(degree_days).ok()?);
            match analytics::gas::of_place(place.0, place.1, zone) {
                Ok(conversion) => Some(conversion),
                Err(error) => {
                    source.report_at(&table.at("zone"), error.to_string(), "or give `coefficient`");
                    None
                }
            }
        }
        _ => {
            let next = "give `coefficient`, or `altitude_m`, and `degree_days` and `zone` too where the catalogue's table lacks the municipality";
            source.report_at(&table.at("coefficient"), "does not say the coefficient", next);
            None
        }
    }
}

fn stated_coefficient(number: f64) -> Option<GasCoefficient> {
    let millionths = (number * 1e6).round();
    let exact = (number * 1e6 - millionths).abs() < 1e-3;
    // The range is checked before the cast, so it cannot cut anything off.
    (exact && 0.0 < millionths && millionths < 1e9)
        .then(|| GasCoefficient::from_millionths(millionths as i64))?
}

fn check_gas(source: &Source<'_>, table: &Table<'_, '_>, carrier: Carrier, gas: bool) {
    if gas && carrier != Carrier::NaturalGas {
        let says = format!("{carrier} has no gas coefficient");
        source.report_at(&table.at("gas"), says, "leave `gas` out");
    }
}

fn check_direction(source: &Source<'_>, table: &Table<'_, '_>, carrier: Carrier, direction: Direction) {
    let fuel = matches!(carrier.base_unit(), BaseUnit::Gram | BaseUnit::Litre);
    if fuel && direction != Direction::Import {
        let says = format!("{carrier} cannot have the direction {:?}", direction.code());
        source.report_at(&table.at("direction"), says, "write \"import\", or leave it out");
    }
}

fn supply_point_form(carrier: Option<Carrier>) -> &'static str {
    match carrier {
        Some(Carrier::GridElectricity) => "a POD such as \"IT001E12345678\"",
        Some(Carrier::NaturalGas) => "a PDR of 14 digits, in quotes",
        _ => "the supplier's code, at most 40 printable characters without spaces",
    }
}

fn is_supply_point(carrier: Option<Carrier>, text: &str) -> bool {
    match carrier {
        Some(Carrier::GridElectricity) => codes::is_pod(text),
        Some(Carrier::NaturalGas) => codes::is_pdr(text),
        _ => !text.is_empty() && text.len() <= 40 && text.bytes().all(|b| b.is_ascii_graphic()),
    }
}

/// Meter ids are unique in the project; so are supply points, or a bill would count twice. One POD may have an
/// import and an export meter: bills are of what was drawn.
fn check_unique(source: &Source<'_>, meters: &[MeterRead]) {
    let mut ids: BTreeMap<&str, usize> = BTreeMap::new();
    let mut points: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for read in meters {
        let meter = &read.meter;
        if let Some(line) = ids.insert(meter.id.as_str(), read.line) {
            let says = format!("meter {:?} is already defined on line {line}", meter.id.as_str());
            source.report_at(&read.id_at, says, "give each meter its own id");
        }
        let Some(point) = &meter.supply_point else { continue };
        if let Some(line) = points.insert((point, meter.direction.code()), read.line) {
            let says = format!("supply point {point:?} already belongs to the meter on line {line}");
            source.report_at(&read.supply_at, says, "name each supply point once");
        }
    }
}

/// A part names a meter of the same project and carrier, and no meter is a part of itself by any way.
fn check_parents(source: &Source<'_>, meters: &[MeterRead]) {
    let of = |id: &MeterId| meters.iter().find(|m| m.meter.id == *id).map(|m| &m.meter);
    for read in meters {
        let Some(parent) = &read.meter.parent else { continue };
        let at = read.parent_at.clone();
        if read.meter.role != MeterRole::Sub {
            source.report_at(&at, "only a sub-meter is a part of another", "write role = \"sub\"");
        }
        match of(parent) {
            None => {
                let says = format!("no meter {:?} in this project", parent.as_str());
                source.report_at(&at, says, "name a meter of this file");
            }
            Some(whole) if whole.carrier != read.meter.carrier => {
                let says = format!("{parent} measures {}, not {}", whole.carrier, read.meter.carrier);
                source.report_at(&at, says, "name a meter of the same carrier");
            }
            Some(_) => {}
        }
        let mut up = Some(parent);
        for _ in 0..=meters.len() {
            up = up.and_then(&of).and_then(|m| m.parent.as_ref());
        }
        if up.is_some() {
            source.report_at(&at, "the meter is a part of itself", "break the circle");
        }
    }
}

/// Where a building's municipality and its ISTAT code do not agree with the catalogue's table, or the code is not in it.
pub(super) fn place_remarks(catalog: &Catalog, project: &Project) -> Vec<Finding> {
    let mut findings = Vec::new();
    for building in &project.buildings {
        let subject = format!("project:{} building:{}", project.id, building.id);
        let (istat, name) = (&building.istat_code, &building.municipality);
        let finding = match catalog.place(istat) {
            Some(place) if plain_name(&place.name) == plain_name(name) => continue,
            Some(place) => {
                let says = format!("ISTAT code {istat} is {}, and the file says {name:?}", place.name);
                let rule =
                    "code and name of a municipality agree; the legal degree days are those of the code";
                Finding::new("project.place.other", Severity::Caution, subject, says, rule)
                    .with("place", &place.name)
            }
            None => {
                let says = format!(
                    "ISTAT code {istat} ({name}) is not in the catalogue's table of municipalities, which is not \
                     national; its legal degree days are not shown"
                );
                let rule = "legal degree days come from a table with a source or not at all";
                Finding::new("project.place.unknown", Severity::Note, subject, says, rule)
            }
        };
        findings.push(finding.with("istat", istat).with("name", name));
    }
    findings
}

/// An accuracy class that is none of the carrier's: it counts as if nothing were stated.
fn class_remark(meter: &MeterFacts, subject: &str) -> Option<Finding> {
    let class = meter.accuracy_class.as_deref()?;
    if most_relative_error(meter.carrier, class).is_some() {
        return None;
    }
    let says = format!(
        "accuracy class {class:?} is none that is known for {}; the figures take the widest one",
        meter.carrier
    );
    let rule = "classes: A, B, C (MID), 1, 2, 0.5S, 0.2S for electricity; 1.0, 1.5 for gas; 1, 2, 3 for heat";
    let finding = Finding::new("project.class.unknown", Severity::Caution, subject.to_owned(), says, rule);
    Some(finding.with("class", class))
}

/// What is not wrong and yet worth a look.
pub(super) fn remarks(project: &Project) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (_, meter) in project.meters() {
        let subject = format!("project:{} meter:{}", project.id, meter.id);
        findings.extend(class_remark(meter, &subject));
        let Some(point) = &meter.supply_point else { continue };
        if codes::is_pod(point) && !point[6..].bytes().all(|b| b.is_ascii_digit()) {
            let says = format!("POD {point} has letters after the E; most have digits only");
            let rule = "form of the POD; letters are rare";
            let finding = Finding::new("project.pod.unusual", Severity::Note, subject, says, rule);
            findings.push(finding.with("supply_point", point));
        }
    }
    findings
}
