//! The structured file as JSON, in the form of `docs/schema/structured-file-2.schema.json`.
//!
//! Must never: leave a key out; what is missing is `null`.

use analytics::report::structured::{Header, KpiRow, MonthRow, SCHEMA_VERSION, StructuredFile};
use serde::Serialize;

use super::columns::source_code;
use crate::render::RenderError;

#[derive(Serialize)]
struct File<'a> {
    schema_version: u32,
    project: Project<'a>,
    kpis: Vec<Kpi<'a>>,
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
    reference: Option<&'static str>,
    reference_years: Option<&'a [i32]>,
    inputs_digest: &'a str,
    catalog_digest: &'a str,
    rules: &'a str,
}

#[derive(Serialize)]
struct Kpi<'a> {
    code: &'a str,
    unit: &'a str,
    rule: &'static str,
    expected: Option<f64>,
    expected_source: Option<&'a str>,
    achieved: Option<f64>,
    best: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
    stated: Option<f64>,
    attainment_percent: Option<f64>,
    verdict: &'static str,
}

#[derive(Serialize)]
struct Row<'a> {
    building: &'a str,
    building_name: &'a str,
    istat_code: Option<&'a str>,
    ape_code: Option<&'a str>,
    usage_profile: Option<&'a str>,
    open_days: Option<f64>,
    open_hours: Option<f64>,
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
    self_consumed: Option<f64>,
    self_consumed_low: Option<f64>,
    self_consumed_high: Option<f64>,
    energy_kwh: Option<f64>,
    primary_nonrenewable_kwh: Option<f64>,
    primary_total_kwh: Option<f64>,
    co2_kg: Option<f64>,
    heating_degree_days: Option<f64>,
    degree_day_base_c: Option<f64>,
    reference_degree_days: Option<f64>,
    adjusted_baseline: Option<f64>,
    adjustment: Option<f64>,
    avoided: Option<f64>,
    findings: &'a [std::borrow::Cow<'static, str>],
    note: Option<&'a str>,
}

/// The file as JSON, indented, with a closing line end.
///
/// # Errors
/// When the writer fails, which writing to memory does not.
pub fn json(file: &StructuredFile) -> Result<Vec<u8>, RenderError> {
    let form = File {
        schema_version: SCHEMA_VERSION,
        project: project(&file.header),
        kpis: file.kpis.iter().map(kpi).collect(),
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
        reference: header.reference.as_ref().map(|of| of.kind.code()),
        reference_years: header.reference.as_ref().map(|of| &*of.years),
        inputs_digest: &header.inputs_digest,
        catalog_digest: &header.catalog_digest,
        rules: &header.rules,
    }
}

fn kpi(kpi: &KpiRow) -> Kpi<'_> {
    Kpi {
        code: &kpi.code,
        unit: &kpi.unit,
        rule: kpi.rule.code(),
        expected: kpi.expected,
        expected_source: kpi.expected_source.as_deref(),
        achieved: kpi.achieved,
        best: kpi.best,
        low: kpi.low,
        high: kpi.high,
        stated: kpi.stated,
        attainment_percent: kpi.attainment_percent,
        verdict: kpi.verdict.code(),
    }
}

fn row(row: &MonthRow) -> Row<'_> {
    Row {
        building: row.building.as_str(),
        building_name: &row.building_name,
        istat_code: (!row.istat_code.is_empty()).then_some(&*row.istat_code),
        ape_code: row.ape_code.as_deref(),
        usage_profile: row.usage_profile.as_deref(),
        open_days: row.open_days,
        open_hours: row.open_hours,
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
        self_consumed: row.self_consumed,
        self_consumed_low: row.self_consumed_low,
        self_consumed_high: row.self_consumed_high,
        energy_kwh: row.energy_kwh,
        primary_nonrenewable_kwh: row.primary_nonrenewable_kwh,
        primary_total_kwh: row.primary_total_kwh,
        co2_kg: row.co2_kg,
        heating_degree_days: row.heating_degree_days,
        degree_day_base_c: row.degree_day_base_c,
        reference_degree_days: row.reference_degree_days,
        adjusted_baseline: row.adjusted_baseline,
        adjustment: row.adjustment,
        avoided: row.avoided,
        findings: &row.findings,
        note: row.note.as_deref(),
    }
}
