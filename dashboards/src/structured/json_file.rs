//! The structured file as JSON, in the form of `docs/schema/structured-file-1.schema.json`.
//!
//! Must never: leave a key out; what is missing is `null`.

use analytics::report::structured::{Header, MonthRow, StructuredFile};
use serde::Serialize;

use super::columns::source_code;
use crate::render::RenderError;

#[derive(Serialize)]
struct File<'a> {
    schema_version: u32,
    project: Project<'a>,
    rows: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Project<'a> {
    project: &'a str,
    title: &'a str,
    cup: &'a str,
    scheme: &'a str,
    scheme_title: &'a str,
    beneficiary: &'a str,
    beneficiary_tax_code: &'a str,
    year: i32,
    until: String,
    complete: bool,
    station: &'a str,
    factor_set: &'a str,
    factor_source: &'a str,
    inputs_digest: &'a str,
    catalog_digest: &'a str,
    rules: &'a str,
}

#[derive(Serialize)]
struct Row<'a> {
    building: &'a str,
    building_name: &'a str,
    istat_code: Option<&'a str>,
    ape_code: Option<&'a str>,
    year: i32,
    month: u32,
    carrier: &'static str,
    meter: &'a str,
    supply_point: Option<&'a str>,
    direction: &'static str,
    role: &'static str,
    unit: &'static str,
    source: &'static str,
    measured: Option<f64>,
    measured_low: Option<f64>,
    measured_high: Option<f64>,
    coverage_percent: f64,
    estimated_percent: Option<f64>,
    energy_kwh: Option<f64>,
    primary_nonrenewable_kwh: Option<f64>,
    co2_kg: Option<f64>,
    heating_degree_days: Option<f64>,
    degree_day_base_c: Option<f64>,
    adjusted_baseline: Option<f64>,
    avoided: Option<f64>,
    findings: &'a [std::borrow::Cow<'static, str>],
}

/// The file as JSON, indented, with a closing line end.
///
/// # Errors
/// When the writer fails, which writing to memory does not.
pub fn json(file: &StructuredFile) -> Result<Vec<u8>, RenderError> {
    let form = File {
        schema_version: file.schema_version,
        project: project(&file.header),
        rows: file.rows.iter().map(row).collect(),
    };
    let mut bytes = serde_json::to_vec_pretty(&form).map_err(|e| RenderError::Json(e.to_string()))?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn project(header: &Header) -> Project<'_> {
    Project {
        project: header.project.as_str(),
        title: &header.title,
        cup: &header.cup,
        scheme: header.scheme.as_str(),
        scheme_title: &header.scheme_title,
        beneficiary: &header.beneficiary,
        beneficiary_tax_code: &header.beneficiary_tax_code,
        year: header.year,
        until: header.until.to_string(),
        complete: header.complete,
        station: &header.station,
        factor_set: header.factor_set.as_str(),
        factor_source: &header.factor_source,
        inputs_digest: &header.inputs_digest,
        catalog_digest: &header.catalog_digest,
        rules: &header.rules,
    }
}

fn row(row: &MonthRow) -> Row<'_> {
    Row {
        building: row.building.as_str(),
        building_name: &row.building_name,
        istat_code: (!row.istat_code.is_empty()).then_some(&*row.istat_code),
        ape_code: row.ape_code.as_deref(),
        year: row.month.year,
        month: row.month.number,
        carrier: row.carrier.code(),
        meter: row.meter.as_str(),
        supply_point: row.supply_point.as_deref(),
        direction: row.direction.code(),
        role: row.role.code(),
        unit: row.unit,
        source: source_code(row.source),
        measured: row.measured,
        measured_low: row.measured_low,
        measured_high: row.measured_high,
        coverage_percent: row.coverage_percent,
        estimated_percent: row.estimated_percent,
        energy_kwh: row.energy_kwh,
        primary_nonrenewable_kwh: row.primary_nonrenewable_kwh,
        co2_kg: row.co2_kg,
        heating_degree_days: row.heating_degree_days,
        degree_day_base_c: row.degree_day_base_c,
        adjusted_baseline: row.adjusted_baseline,
        avoided: row.avoided,
        findings: &row.findings,
    }
}
