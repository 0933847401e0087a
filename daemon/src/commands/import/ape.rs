//! `consuntivo import ape`: shows what certificates declare, as text for the project file, and where they differ from it.
//!
//! Must never: write into a project: what was declared is a person's to state.

use std::fmt::Write as _;
use std::path::Path;

use analytics::certificate::{Certified, declared_saving, differs};
use config::Catalog;
use connectors::files::ape::Ape;
use connectors::files::read_ape;
use model::{Building, BuildingId, Finding, Project, Severity};

use super::{read_file, unusable};
use crate::exit::{Exit, Failure};
use crate::installation::Installation;

/// What the command was given.
pub(super) struct ApeArgs<'a> {
    pub(super) file: &'a Path,
    pub(super) after: Option<&'a Path>,
    pub(super) project: Option<&'a Path>,
    pub(super) building: Option<&'a BuildingId>,
    pub(super) config: Option<&'a Path>,
}

pub(super) fn show(args: &ApeArgs<'_>) -> Result<Exit, Failure> {
    let before = certificate(args.file)?;
    let after = args.after.map(certificate).transpose()?;
    print!("{}", building_text(&before));
    if let Some(after) = &after {
        print!("\n# After the works.\n{}", building_text(after));
    }
    let Some(path) = args.project else { return Ok(Exit::OK) };
    let catalog = match args.config {
        Some(config) => Installation::load(config)?.catalog,
        None => std::sync::Arc::new(Catalog::load(None).map_err(|e| Failure::new(Exit::BAD_INPUT, e))?),
    };
    let (project, _) =
        config::project::load_project(path, &catalog).map_err(|e| Failure::new(Exit::BAD_INPUT, e))?;
    let building = building(&project, args.building)?;
    let mut findings = building_findings(building, &before);
    if let Some(after) = &after {
        let (text, said) = declared(&project, &catalog, &before, after);
        print!("{text}");
        findings.extend(said);
    }
    super::print_findings(&findings);
    Ok(Exit::OK)
}

fn certificate(path: &Path) -> Result<Ape, Failure> {
    read_ape(&read_file(path)?).map_err(|error| unusable(path, error))
}

fn building<'p>(project: &'p Project, wanted: Option<&BuildingId>) -> Result<&'p Building, Failure> {
    match (wanted, project.buildings.as_slice()) {
        (None, [only]) => Ok(only),
        (None, _) => Err(Failure::bad_input(format!(
            "project {} has {} buildings; say with --building which one the certificate is of",
            project.id,
            project.buildings.len()
        ))),
        (Some(id), buildings) => buildings
            .iter()
            .find(|b| b.id == *id)
            .ok_or_else(|| Failure::bad_input(format!("project {} has no building {id}", project.id))),
    }
}

/// A text of the certificate as it may stand in a TOML file: it comes from outside.
fn quoted(text: &str) -> String {
    let plain: String = text.chars().filter(|c| !c.is_control()).collect();
    format!("\"{}\"", plain.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The part of a `[[building]]` that the certificate knows, its other values as comments.
fn building_text(ape: &Ape) -> String {
    let mut text = String::new();
    let mut line = |written: String| writeln!(text, "{written}").unwrap_or_default();
    let words = |value: &Option<String>| value.as_deref().map_or_else(|| "not stated".to_owned(), quoted);
    line(format!(
        "# Certificate of region {}, class {}, climate zone {}, built {}, valid until {}.",
        words(&ape.region),
        words(&ape.class),
        words(&ape.climate_zone),
        ape.year_built.map_or_else(|| "not stated".to_owned(), |y| y.to_string()),
        ape.expires.map_or_else(|| "not stated".to_owned(), |d| d.to_string()),
    ));
    line("# In [[building]]:".to_owned());
    let number = |key: &str, value: Option<f64>, of: &str| match value {
        Some(value) => format!("{key} = {value:?}  # {of}"),
        None => format!("# {key} is not stated ({of})"),
    };
    line(match &ape.code {
        Some(code) => format!("ape_code = {}", quoted(code)),
        None => "# ape_code is not stated".to_owned(),
    });
    line(number("floor_area_m2", ape.heated_area_m2, "heated useful area"));
    line(number("gross_volume_m3", ape.heated_volume_m3, "heated gross volume"));
    line("# Declared for standard use, a square metre and year:".to_owned());
    line(number("# EPgl,nren", ape.primary_nonrenewable_kwh_m2, "kWh/m2"));
    line(number("# EPgl,ren", ape.primary_renewable_kwh_m2, "kWh/m2"));
    line(number("# CO2", ape.co2_kg_m2, "kg/m2"));
    line(number("# cooled useful area", ape.cooled_area_m2, "m2"));
    line(number("# cooled gross volume", ape.cooled_volume_m3, "m3"));
    for carrier in &ape.carriers {
        line(format!("# {}: {} {} a year", carrier.name, carrier.amount, carrier.unit.symbol()));
    }
    for problem in &ape.problems {
        line(format!("# Not usable: {}", problem.chars().filter(|c| !c.is_control()).collect::<String>()));
    }
    text
}

fn certified(ape: &Ape) -> Option<Certified> {
    Some(Certified {
        area_m2: ape.heated_area_m2?,
        primary_nonrenewable_kwh_m2: ape.primary_nonrenewable_kwh_m2,
        co2_kg_m2: ape.co2_kg_m2,
    })
}

const RULE: &str = "a project declares what its certificates say";

/// Where the project's building is another one than the certificate's.
fn building_findings(building: &Building, ape: &Ape) -> Vec<Finding> {
    let about = || format!("building:{}", building.id);
    let mut findings = Vec::new();
    let mut differ = |what: &'static str, stated: String, certified: String| {
        let says = format!("{what} is {stated} in the project and {certified} in the certificate");
        findings.push(
            Finding::new("ape.differs", Severity::Caution, about(), says, RULE)
                .with("what", what)
                .with("stated", stated)
                .with("certified", certified),
        );
    };
    if let Some(area) = ape.heated_area_m2.filter(|&area| differs(building.floor_area_m2, area)) {
        differ("floor_area_m2", building.floor_area_m2.to_string(), area.to_string());
    }
    if let Some(volume) = ape.heated_volume_m3.filter(|&volume| differs(building.gross_volume_m3, volume)) {
        differ("gross_volume_m3", building.gross_volume_m3.to_string(), volume.to_string());
    }
    if let (Some(stated), Some(code)) = (&building.ape_code, &ape.code)
        && stated != code
    {
        differ("ape_code", stated.clone(), code.clone());
    }
    findings
}

/// The `[[declared]]` tables that the two certificates give for the scheme's KPI, and where the project says otherwise.
fn declared(project: &Project, catalog: &Catalog, before: &Ape, after: &Ape) -> (String, Vec<Finding>) {
    let (mut text, mut findings) = (String::new(), Vec::new());
    let (Some(scheme), Some(b), Some(a)) =
        (catalog.scheme(&project.scheme), certified(before), certified(after))
    else {
        return (
            "\n# The certificates state no heated area, so they declare no saving.\n".to_owned(),
            findings,
        );
    };
    for kpi in &scheme.kpis {
        let Some(saving) = declared_saving(kpi.measure, kpi.unit, &b, &a) else { continue };
        let rounded = (saving * 100.0).round() / 100.0;
        let source = format!(
            "APE {} ante, {} post",
            before.code.as_deref().unwrap_or_default(),
            after.code.as_deref().unwrap_or_default()
        );
        let (code, unit, source) = (quoted(&kpi.code), quoted(kpi.unit.symbol()), quoted(&source));
        text.push_str(&format!(
            "\n[[declared]]\nkpi = {code}\nvalue = {rounded:?}\nunit = {unit}\nsource = {source}\n"
        ));
        let stated = project.declared.iter().find(|d| d.kpi == kpi.code);
        if let Some(stated) = stated.filter(|d| differs(d.value, saving)) {
            let says = format!(
                "{} is declared as {} {} in the project and is {rounded} by the certificates",
                kpi.code,
                stated.value,
                kpi.unit.symbol()
            );
            findings.push(
                Finding::new("ape.differs", Severity::Caution, format!("project:{}", project.id), says, RULE)
                    .with("what", &kpi.code)
                    .with("stated", stated.value)
                    .with("certified", rounded),
            );
        }
    }
    (text, findings)
}
