//! The *file strutturato* of monthly measurements as rows: the one model that XLSX, CSV, XML and JSON are written from and read back to.
//!
//! Must never: hold a missing value as zero, or give two files different roundings of the same figure.

use std::borrow::Cow;

use chrono::NaiveDate;
use model::{
    BuildingId, Carrier, Direction, FactorKind, FactorSetId, Finding, MeterId, MeterRole, Month, ProjectId,
    ReferenceYear, SchemeId, UseDriver,
};

use super::balance;
use super::beside::Beside;
use super::context::{concerns, meter_unit, parse_month};
use crate::calendar;
use crate::factors::Factors;
use crate::result::{Baseline, KpiResult, MeterMonth, MeterYear, MonthSource, ProjectYear, Verdict};
use crate::scheme::Target;

mod notes;

/// Version of the columns. A new or removed column and a changed meaning are a new number.
pub const SCHEMA_VERSION: u32 = 2;

/// A year of monthly measurements of one project, with the columns of [`SCHEMA_VERSION`].
#[derive(Debug, Clone, PartialEq)]
pub struct StructuredFile {
    pub header: Header,
    /// In the order of the scheme.
    pub kpis: Vec<KpiRow>,
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
    /// The reference year that `reference_degree_days` are of; `None` where there is none.
    pub reference: Option<ReferenceHeader>,
    /// SHA-256 of the inputs as used, and of the catalogue files, in hexadecimal.
    pub inputs_digest: String,
    pub catalog_digest: String,
    pub rules: String,
}

/// Which reference year the file's reference degree days are of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferenceHeader {
    pub kind: ReferenceYear,
    /// Calendar years of the station whose mean it is, ascending.
    pub years: Vec<i32>,
}

/// What the value of a KPI is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetRule {
    /// The value that the beneficiary declared ex ante.
    Declared,
    /// A limit of the scheme that is to be reached.
    AtLeast,
    /// A limit of the scheme that is not to be passed.
    AtMost,
}

impl TargetRule {
    pub const ALL: [Self; 3] = [Self::Declared, Self::AtLeast, Self::AtMost];

    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Declared => "declared",
            Self::AtLeast => "at_least",
            Self::AtMost => "at_most",
        }
    }

    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.code() == code)
    }

    const fn of(target: Target) -> Self {
        match target {
            Target::Declared => Self::Declared,
            Target::AtLeast(_) => Self::AtLeast,
            Target::AtMost(_) => Self::AtMost,
        }
    }
}

/// One KPI of the year, in `unit`. It is of the whole year and the whole project: no month and no carrier has a share of
/// what was declared, so none is given.
#[derive(Debug, Clone, PartialEq)]
pub struct KpiRow {
    /// The scheme's own.
    pub code: String,
    /// Symbol of the scheme's unit.
    pub unit: String,
    pub rule: TargetRule,
    /// Declared ex ante, or the scheme's limit; `None` where nobody declared it.
    pub expected: Option<f64>,
    /// The document that a declared value stands in.
    pub expected_source: Option<String>,
    /// The measured value that counts: the bound that is worse for the beneficiary. `None` when withheld.
    pub achieved: Option<f64>,
    pub best: Option<f64>,
    /// 90 % bounds.
    pub low: Option<f64>,
    pub high: Option<f64>,
    /// What a person states in place of the measured value.
    pub stated: Option<f64>,
    /// How far `expected` is reached, 100 is all of it: `achieved` over `expected`; of an index that should be low the other
    /// way round.
    pub attainment_percent: Option<f64>,
    /// Of `achieved`, whatever a person states.
    pub verdict: Verdict,
}

/// One meter in one civil month. Energies in `unit` unless the name says kWh.
#[derive(Debug, Clone, PartialEq)]
pub struct MonthRow {
    pub building: BuildingId,
    pub building_name: String,
    pub istat_code: String,
    pub ape_code: Option<String>,
    /// Opening hours in the words of the project file; nothing is computed of them.
    pub usage_profile: Option<String>,
    /// Of the month, by the opening calendar of the project file; `None` where a day of it is not stated.
    pub open_days: Option<f64>,
    pub open_hours: Option<f64>,
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
    /// Of the one production meter of a building's balance: what of its energy was used there, best value and bounds.
    pub self_consumed: Option<f64>,
    pub self_consumed_low: Option<f64>,
    /// `None` too when nothing bounds it.
    pub self_consumed_high: Option<f64>,
    /// By lower heating value.
    pub energy_kwh: Option<f64>,
    /// Only for imports of meters that are no part of another one: what may be added up.
    pub primary_nonrenewable_kwh: Option<f64>,
    /// Likewise; `None` too where the set has only one of the two factors.
    pub primary_total_kwh: Option<f64>,
    pub co2_kg: Option<f64>,
    /// Kelvin days below `degree_day_base_c`.
    pub heating_degree_days: Option<f64>,
    pub degree_day_base_c: Option<f64>,
    /// Kelvin days of the reference year's month below `degree_day_base_c`.
    pub reference_degree_days: Option<f64>,
    pub adjusted_baseline: Option<f64>,
    /// What people's adjustments add to `adjusted_baseline`; 0 where there are none, `None` without a baseline.
    pub adjustment: Option<f64>,
    pub avoided: Option<f64>,
    /// Codes of the findings about this meter and month, ascending, each once.
    pub findings: Vec<Cow<'static, str>>,
    /// Why people decided what they decided about the meter in the month, each with its day and author.
    pub note: Option<String>,
}

impl MonthRow {
    /// Whether the row is energy that the building took in and that no other row holds too.
    #[must_use]
    pub fn counts_as_use(&self) -> bool {
        self.direction == Direction::Import && self.role != MeterRole::Sub
    }
}

/// The structured file of a year, with the reference year and the values that people state from beside it.
#[must_use]
pub fn structured(year: &ProjectYear, beside: &Beside) -> StructuredFile {
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
        factor_source: year.used_factors().source(),
        reference: reference(beside),
        inputs_digest: year.provenance.inputs.hex(),
        catalog_digest: year.provenance.catalog.hex(),
        rules: year.provenance.rules.to_owned(),
    };
    let kpis = year.kpis.iter().map(|kpi| kpi_row(kpi, beside)).collect();
    StructuredFile { header, kpis, rows: rows(year, beside) }
}

fn reference(beside: &Beside) -> Option<ReferenceHeader> {
    let forms = beside.forms.as_ref()?;
    let reference = forms.reference.as_ref().filter(|_| !forms.months.is_empty())?;
    Some(ReferenceHeader { kind: forms.kind, years: reference.years.clone() })
}

fn kpi_row(kpi: &KpiResult, beside: &Beside) -> KpiRow {
    let stated = beside.stated.iter().find(|stated| stated.code == kpi.definition.code);
    KpiRow {
        code: kpi.definition.code.clone(),
        unit: kpi.definition.unit.symbol().to_owned(),
        rule: TargetRule::of(kpi.definition.target),
        expected: to_a_millionth(kpi.target),
        expected_source: kpi.target_source.clone().filter(|source| !source.is_empty()),
        achieved: to_a_millionth(kpi.achieved),
        best: to_a_millionth(kpi.best),
        low: to_a_millionth(kpi.low),
        high: to_a_millionth(kpi.high),
        stated: to_a_millionth(stated.map(|stated| stated.value)),
        attainment_percent: kpi.attainment_ratio.filter(|ratio| ratio.is_finite()).map(percent),
        verdict: kpi.verdict,
    }
}

/// Every meter's twelve months.
pub(super) fn rows(year: &ProjectYear, beside: &Beside) -> Vec<MonthRow> {
    let of = |meter: &MeterYear| -> Vec<MonthRow> {
        let own = balance::self_consumed(year, meter);
        let months = meter.months.iter().enumerate();
        months
            .map(|(i, month)| {
                let mut row = row(year, meter, month);
                row.reference_degree_days = reference_degree_days(beside, &row);
                if let Some(flow) = own.get(i).copied().flatten() {
                    let kwh = |amount: i64| rounded(Some(amount as f64 / 1000.0));
                    row.self_consumed = kwh(flow.amount);
                    row.self_consumed_low = kwh(flow.low);
                    row.self_consumed_high = flow.high.and_then(kwh);
                }
                row
            })
            .collect()
    };
    year.meters.iter().flat_map(of).collect()
}

/// Of the row's month in the reference year, at the row's own base.
fn reference_degree_days(beside: &Beside, row: &MonthRow) -> Option<f64> {
    let base = row.degree_day_base_c?;
    let forms = beside.forms.as_ref().filter(|forms| forms.reference.is_some())?;
    let of = forms.months.iter().find(|of| (of.base_c - base).abs() < 1e-9)?;
    let index = usize::try_from(row.month.number.checked_sub(1)?).ok()?;
    rounded(of.months.get(index).copied().flatten())
}

fn row(year: &ProjectYear, meter: &MeterYear, month: &MeterMonth) -> MonthRow {
    let facts = &meter.meter;
    let building = year.project.buildings.iter().find(|b| b.id == meter.building);
    let opening = |of: UseDriver| {
        let (from, to) = (month.month.first_day(), month.month.end_day());
        calendar::sum(&building?.opening, of, from, to)
    };
    let base = match &meter.baseline {
        Baseline::Fitted(model) => model.heating_base_c,
        Baseline::Zero | Baseline::NotCompared | Baseline::Unknown => None,
    };
    let mut row = MonthRow {
        building: meter.building.clone(),
        building_name: building.map(|b| b.name.clone()).unwrap_or_default(),
        istat_code: building.map(|b| b.istat_code.clone()).unwrap_or_default(),
        ape_code: building.and_then(|b| b.ape_code.clone()),
        usage_profile: building.map(|b| b.usage_profile.clone()).filter(|profile| !profile.is_empty()),
        open_days: opening(UseDriver::OpeningDays),
        open_hours: opening(UseDriver::OpeningHours),
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
        self_consumed: None,
        self_consumed_low: None,
        self_consumed_high: None,
        energy_kwh: None,
        primary_nonrenewable_kwh: None,
        primary_total_kwh: None,
        co2_kg: None,
        heating_degree_days: base.and_then(|_| rounded(month.heating_degree_days)),
        degree_day_base_c: base,
        reference_degree_days: None,
        adjusted_baseline: rounded(month.adjusted_baseline),
        adjustment: rounded(month.adjusted_baseline.map(|_| month.adjustment)),
        avoided: rounded(month.avoided),
        findings: findings(year, meter, month),
        note: notes::of(year, meter, month),
    };
    convert(&mut row, month.measured, year.used_factors());
    row
}

/// The measured energy in kWh, primary energy and CO2, where there is the factor: the same that the KPI use.
fn convert(row: &mut MonthRow, measured: Option<f64>, factors: Factors<'_>) {
    let factor = |kind| factors.value(row.carrier, kind);
    let (Some(measured), Some(heating_value)) = (measured, factor(FactorKind::HeatingValue)) else { return };
    let kwh = measured * heating_value;
    let (nonrenewable, renewable) =
        (factor(FactorKind::PrimaryNonrenewable), factor(FactorKind::PrimaryRenewable));
    let co2 = factor(FactorKind::Co2);
    row.energy_kwh = rounded(Some(kwh));
    if row.counts_as_use() {
        row.primary_nonrenewable_kwh = rounded(nonrenewable.map(|f| kwh * f));
        let total = nonrenewable.zip(renewable);
        row.primary_total_kwh = rounded(total.map(|(nren, ren)| kwh * (nren + ren)));
        row.co2_kg = rounded(co2.map(|f| kwh * f));
    }
}

/// To a thousandth: the smallest unit that totals are counted in (Wh, litre, gram). `None` for what is no number.
fn rounded(value: Option<f64>) -> Option<f64> {
    // Adding zero turns a negative zero into zero.
    value.filter(|v| v.is_finite()).map(|v| (v * 1000.0).round() / 1000.0 + 0.0)
}

/// Indicators may be in GWh: six decimals are a Wh of a MWh and a kWh of a GWh.
fn to_a_millionth(value: Option<f64>) -> Option<f64> {
    value.filter(|v| v.is_finite()).map(|v| (v * 1e6).round() / 1e6 + 0.0)
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
