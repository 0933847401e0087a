//! What a project file states beside its meters: own factors, tariffs, plants, values that no meter measures.
//!
//! Must never: hold anything measured, or a value without the document that it stands in.

use chrono::NaiveDate;

use crate::ids::MeterId;
use crate::opening::UseDriver;
use crate::quantity::Carrier;

/// What a conversion factor converts into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FactorKind {
    /// Energy content by lower heating value, kWh per Smc, kg or kWh.
    HeatingValue,
    PrimaryNonrenewable,
    PrimaryRenewable,
    Co2,
    Nox,
    Pm10,
    /// Tonnes of oil equivalent per Smc, kg or kWh.
    OilEquivalent,
}

impl FactorKind {
    pub const ALL: [Self; 7] = [
        Self::HeatingValue,
        Self::PrimaryNonrenewable,
        Self::PrimaryRenewable,
        Self::Co2,
        Self::Nox,
        Self::Pm10,
        Self::OilEquivalent,
    ];

    /// The key in factor files and project files.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::HeatingValue => "kwh_per_unit",
            Self::PrimaryNonrenewable => "primary_nonrenewable",
            Self::PrimaryRenewable => "primary_renewable",
            Self::Co2 => "co2_kg_per_kwh",
            Self::Nox => "nox_g_per_gj",
            Self::Pm10 => "pm10_g_per_gj",
            Self::OilEquivalent => "toe_per_unit",
        }
    }

    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.code() == code)
    }

    /// The unit of a factor of this kind for a carrier: `kWh/Smc`, `kg/kWh`.
    #[must_use]
    pub fn unit(self, carrier: Carrier) -> String {
        let per = carrier.base_unit().display().symbol();
        match self {
            Self::HeatingValue => format!("kWh/{per}"),
            Self::PrimaryNonrenewable | Self::PrimaryRenewable => "kWh/kWh".to_owned(),
            Self::Co2 => "kg/kWh".to_owned(),
            Self::Nox | Self::Pm10 => "g/GJ".to_owned(),
            Self::OilEquivalent => format!("tep/{per}"),
        }
    }

    /// The largest value that is believed.
    #[must_use]
    pub const fn value_max(self) -> f64 {
        match self {
            Self::HeatingValue => 100.0,
            Self::PrimaryNonrenewable | Self::PrimaryRenewable | Self::Co2 => 10.0,
            Self::Nox | Self::Pm10 => 10_000.0,
            Self::OilEquivalent => 0.01,
        }
    }
}

/// A factor that a person typed for one project: a supplier's certified value, or one that no shipped set confirms. It
/// stands in place of the set's, on both sides of every comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnFactor {
    pub carrier: Carrier,
    pub kind: FactorKind,
    pub value: f64,
    /// The document: act, certificate of the supplier, with its date.
    pub source: String,
}

/// What one unit of a carrier cost between two days. Money is whole millionths of a euro.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tariff {
    pub carrier: Carrier,
    /// Only of this meter; else of every one of the carrier that has no tariff of its own.
    pub meter: Option<MeterId>,
    pub from: NaiveDate,
    /// First day after the last; `None` while it goes on.
    pub to: Option<NaiveDate>,
    /// Millionths of a euro per kWh, Smc or kg.
    pub microeuro_per_unit: i64,
    /// Contract or invoice.
    pub source: String,
}

/// A renewable plant that the intervention added.
#[derive(Debug, Clone, PartialEq)]
pub struct Plant {
    pub name: String,
    pub carrier: Carrier,
    pub nominal_kw: f64,
    pub in_service: NaiveDate,
    /// Equivalent hours of running a year, where a document states them.
    pub running_hours: Option<f64>,
    pub source: String,
}

/// The value after the works of an indicator that no meter measures, as a document states it: buildings with a better
/// certificate, charging points.
#[derive(Debug, Clone, PartialEq)]
pub struct StatedValue {
    /// The scheme's KPI code.
    pub kpi: String,
    /// In the unit of the scheme.
    pub value: f64,
    pub source: String,
}

/// The weather under which two periods are made comparable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReferenceYear {
    /// The mean of the years that the project's station has.
    #[default]
    Typical,
    /// The same, scaled so that its degree days to 20 °C over the heating season are those of the law.
    Legal,
}

impl ReferenceYear {
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Typical => "typical",
            Self::Legal => "legal",
        }
    }

    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        [Self::Typical, Self::Legal].into_iter().find(|r| r.code() == code)
    }
}

/// How the baselines of a project are modelled, where a person fixes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BaselineMethod {
    /// Chosen by the data, with the reason among the findings.
    #[default]
    Auto,
    /// The average over balance points and shapes.
    Averaged,
    /// CalTRACK 2.0, monthly.
    CaltrackMonthly,
    /// The change-point shape that the Bayesian information criterion prefers.
    ChangePoint,
    /// The degree-day ratio with the base load split off; it does with less than a year.
    DegreeDays,
    /// Degree days and what the building's calendar says, in one law.
    Drivers,
}

impl BaselineMethod {
    pub const ALL: [Self; 6] = [
        Self::Auto,
        Self::Averaged,
        Self::CaltrackMonthly,
        Self::ChangePoint,
        Self::DegreeDays,
        Self::Drivers,
    ];

    /// As in project files and on the command line.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Averaged => "averaged",
            Self::CaltrackMonthly => "caltrack-monthly",
            Self::ChangePoint => "change-point",
            Self::DegreeDays => "degree-days",
            Self::Drivers => "drivers",
        }
    }

    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|m| m.code() == code)
    }
}

/// Everything that a project file states beside its meters.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Terms {
    pub factors: Vec<OwnFactor>,
    pub tariffs: Vec<Tariff>,
    pub plants: Vec<Plant>,
    pub stated: Vec<StatedValue>,
    pub reference: ReferenceYear,
    pub baseline: BaselineMethod,
    /// Of the method of drivers: what it follows beside the weather.
    pub drivers: Vec<UseDriver>,
}
