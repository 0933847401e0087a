//! The *file strutturato* of monthly measurements as rows: the one model that XLSX, CSV, XML and JSON are written from and read back to.
//!
//! Must never: hold a missing value as zero, or give two files different roundings of the same figure.

use std::borrow::Cow;

use chrono::NaiveDate;
use model::{
    BuildingId, Carrier, Direction, FactorSetId, Finding, MeterId, MeterRole, Month, ProjectId, SchemeId,
};

use super::context::{concerns, meter_unit, parse_month};
use crate::factors::CarrierFactors;
use crate::result::{Baseline, MeterMonth, MeterYear, MonthSource, ProjectYear};

/// Version of the columns. A changed meaning or a removed column is a new number.
pub const SCHEMA_VERSION: u32 = 1;

/// A year of monthly measurements of one project.
#[derive(Debug, Clone, PartialEq)]
pub struct StructuredFile {
    pub schema_version: u32,
    pub header: Header,
    /// Twelve rows a meter, in the order of the project file.
    pub rows: Vec<MonthRow>,
}

/// What is said once for the whole file.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    pub project: ProjectId,
    pub title: String,
    pub cup: String,
    pub scheme: SchemeId,
    pub scheme_title: String,
    pub beneficiary: String,
    pub beneficiary_tax_code: String,
    pub year: i32,
    /// First day not counted.
    pub until: NaiveDate,
    /// Whether the whole calendar year is counted; otherwise the figures are provisional.
    pub complete: bool,
    pub station: String,
    pub factor_set: FactorSetId,
    pub factor_source: String,
    /// SHA-256 of the inputs as used, and of the catalogue files, in hexadecimal.
    pub inputs_digest: String,
    pub catalog_digest: String,
    pub rules: String,
}

/// One meter in one civil month. Energies in `unit` unless the name says kWh.
#[derive(Debug, Clone, PartialEq)]
pub struct MonthRow {
    pub building: BuildingId,
    pub building_name: String,
    pub istat_code: String,
    pub ape_code: Option<String>,
    pub month: Month,
    pub carrier: Carrier,
    pub meter: MeterId,
    /// POD or PDR.
    pub supply_point: Option<String>,
    pub direction: Direction,
    pub role: MeterRole,
    pub unit: &'static str,
    pub source: MonthSource,
    pub measured: Option<f64>,
    pub measured_low: Option<f64>,
    pub measured_high: Option<f64>,
    /// 0 to 100.
    pub coverage_percent: f64,
    /// 0 to 100; `None` when nothing was measured.
    pub estimated_percent: Option<f64>,
    /// By lower heating value.
    pub energy_kwh: Option<f64>,
    /// Only for imports of meters that are no part of another one: what may be added up.
    pub primary_nonrenewable_kwh: Option<f64>,
    pub co2_kg: Option<f64>,
    /// Kelvin days below `degree_day_base_c`.
    pub heating_degree_days: Option<f64>,
    pub degree_day_base_c: Option<f64>,
    pub adjusted_baseline: Option<f64>,
    pub avoided: Option<f64>,
    /// Codes of the findings about this meter and month, ascending, each once.
    pub findings: Vec<Cow<'static, str>>,
}

impl MonthRow {
    /// Whether the row is energy that the building took in and that no other row holds too.
    #[must_use]
    pub fn counts_as_use(&self) -> bool {
        self.direction == Direction::Import && self.role != MeterRole::Sub
    }
}

/// The structured file of a year.
#[must_use]
pub fn structured(year: &ProjectYear) -> StructuredFile {
    let project = &year.project;
    let header = Header {
        project: project.id.clone(),
        title: project.title.clone(),
        cup: project.cup.clone(),
        scheme: year.scheme.id.clone(),
        scheme_title: year.scheme.title.clone(),
        beneficiary: project.beneficiary.name.clone(),
        beneficiary_tax_code: project.beneficiary.tax_code.clone(),
        year: year.year,
        until: year.until,
        complete: year.is_complete(),
        station: project.station.to_string(),
        factor_set: year.factors.id.clone(),
        factor_source: year.factors.source.clone(),
        inputs_digest: year.provenance.inputs.hex(),
        catalog_digest: year.provenance.catalog.hex(),
        rules: year.provenance.rules.to_owned(),
    };
    StructuredFile { schema_version: SCHEMA_VERSION, header, rows: rows(year) }
}

/// Every meter's twelve months.
pub(super) fn rows(year: &ProjectYear) -> Vec<MonthRow> {
    year.meters.iter().flat_map(|meter| meter.months.iter().map(move |m| row(year, meter, m))).collect()
}

fn row(year: &ProjectYear, meter: &MeterYear, month: &MeterMonth) -> MonthRow {
    let facts = &meter.meter;
    let building = year.project.buildings.iter().find(|b| b.id == meter.building);
    let factors = year.factors.of(facts.carrier);
    let base = match &meter.baseline {
        Baseline::Fitted(model) => model.heating_base_c,
        Baseline::Zero | Baseline::NotCompared | Baseline::Unknown => None,
    };
    let mut row = MonthRow {
        building: meter.building.clone(),
        building_name: building.map(|b| b.name.clone()).unwrap_or_default(),
        istat_code: building.map(|b| b.istat_code.clone()).unwrap_or_default(),
        ape_code: building.and_then(|b| b.ape_code.clone()),
        month: month.month,
        carrier: facts.carrier,
        meter: facts.id.clone(),
        supply_point: facts.supply_point.clone(),
        direction: facts.direction,
        role: facts.role,
        unit: meter_unit(facts),
        source: month.source,
        measured: rounded(month.measured),
        measured_low: rounded(month.measured_low),
        measured_high: rounded(month.measured_high),
        coverage_percent: percent(month.coverage_ratio),
        estimated_percent: month.measured.map(|_| percent(month.estimated_ratio)),
        energy_kwh: None,
        primary_nonrenewable_kwh: None,
        co2_kg: None,
        heating_degree_days: base.and_then(|_| rounded(month.heating_degree_days)),
        degree_day_base_c: base,
        adjusted_baseline: rounded(month.adjusted_baseline),
        avoided: rounded(month.avoided),
        findings: findings(year, meter, month),
    };
    convert(&mut row, month.measured, factors);
    row
}

/// The measured energy in kWh, primary energy and CO2, where the set has the factor.
fn convert(row: &mut MonthRow, measured: Option<f64>, factors: Option<&CarrierFactors>) {
    let (Some(measured), Some(factors)) = (measured, factors) else { return };
    let kwh = measured * factors.kwh_per_unit;
    row.energy_kwh = rounded(Some(kwh));
    if row.counts_as_use() {
        row.primary_nonrenewable_kwh = rounded(factors.primary_nonrenewable.map(|f| kwh * f));
        row.co2_kg = rounded(factors.co2_kg_per_kwh.map(|f| kwh * f));
    }
}

/// To a thousandth: the smallest unit that totals are counted in (Wh, litre, gram). `None` for what is no number.
fn rounded(value: Option<f64>) -> Option<f64> {
    // Adding zero turns a negative zero into zero.
    value.filter(|v| v.is_finite()).map(|v| (v * 1000.0).round() / 1000.0 + 0.0)
}

/// A ratio as a percentage, to a hundredth.
fn percent(ratio: f64) -> f64 {
    if ratio.is_finite() { (ratio * 10_000.0).round() / 100.0 + 0.0 } else { 0.0 }
}

fn findings(year: &ProjectYear, meter: &MeterYear, month: &MeterMonth) -> Vec<Cow<'static, str>> {
    let mut codes: Vec<Cow<'static, str>> = year
        .findings
        .iter()
        .filter(|f| concerns(f, &meter.meter))
        .filter(|f| {
            let mut months = f.subject.split_whitespace().filter_map(parse_month).peekable();
            months.peek().is_none() || months.any(|m| m == month.month)
        })
        .filter(|f| falls_on(f, meter, month))
        .map(|f| Cow::Borrowed(f.code))
        .collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

/// Whether what a finding of the year tells is of this month: an adjustment is told once a year, and stands only where it
/// is in the adjusted baseline.
fn falls_on(finding: &Finding, meter: &MeterYear, month: &MeterMonth) -> bool {
    let (from, to) = (month.month.first_day(), month.month.end_day());
    let mut parts = meter.record.adjustments.iter().map(|a| a.within(from, to));
    match finding.code {
        "adjustment.raises" => month.reporting && parts.any(|part| 0.0 < part),
        "adjustment.lowers" => month.reporting && parts.any(|part| part < 0.0),
        _ => true,
    }
}
