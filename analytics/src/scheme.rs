//! Funding schemes as data: what is due each year, which KPI are reported, which checks must hold.
//!
//! Must never: hold the text of one scheme in code; schemes are files of the catalogue.

use chrono::NaiveDate;
use model::{FactorSetId, Project, SchemeId};

/// One funding call, as its catalogue file says.
#[derive(Debug, Clone, PartialEq)]
pub struct Scheme {
    pub id: SchemeId,
    /// Short official name, Italian.
    pub title: String,
    /// Act and paragraph, e.g. `Regione Piemonte, D.D. 170 del 21/04/2017`.
    pub citation: String,
    pub authority: String,
    /// Offered when a project names none.
    pub default_factor_set: FactorSetId,
    pub yearly: Option<YearlyObligation>,
    /// In report order.
    pub kpis: Vec<KpiDefinition>,
}

/// From which day the years of an obligation count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountsFrom {
    /// First reporting year: the year after the year of completion… of the works.
    Completion,
    /// First reporting year: the year after the year in which expense reporting was closed.
    ExpensesClosed,
}

/// A report due every year.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct YearlyObligation {
    pub due_month: u32,
    pub due_day: u32,
    pub counts_from: CountsFrom,
    /// Number of years, where the act states it.
    pub years: Option<u32>,
    /// By which way it is sent, Italian.
    pub channel: String,
    pub citation: String,
}

/// One reporting year and the day on which its report is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueReport {
    /// The calendar year that the report is about.
    pub year: i32,
    pub due: NaiveDate,
}

/// What a KPI computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KpiMeasure {
    /// Energy delivered to the building and avoided, by lower heating value.
    FinalEnergySaved,
    /// Non-renewable primary energy saved.
    PrimaryEnergySaved,
    /// The same per euro of grant and loan.
    PrimaryEnergySavedPerEuro,
    Co2Avoided,
    NoxAvoided,
    Pm10Avoided,
    /// Self-consumed share of what was produced on site.
    SelfConsumedShare,
}

impl KpiMeasure {
    pub const ALL: [Self; 7] = [
        Self::FinalEnergySaved,
        Self::PrimaryEnergySaved,
        Self::PrimaryEnergySavedPerEuro,
        Self::Co2Avoided,
        Self::NoxAvoided,
        Self::Pm10Avoided,
        Self::SelfConsumedShare,
    ];

    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::FinalEnergySaved => "final_energy_saved",
            Self::PrimaryEnergySaved => "primary_energy_saved",
            Self::PrimaryEnergySavedPerEuro => "primary_energy_saved_per_euro",
            Self::Co2Avoided => "co2_avoided",
            Self::NoxAvoided => "nox_avoided",
            Self::Pm10Avoided => "pm10_avoided",
            Self::SelfConsumedShare => "self_consumed_share",
        }
    }

    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|m| m.code() == code)
    }
}

/// The unit in which a scheme states a KPI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KpiUnit {
    KilowattHour,
    MegawattHour,
    GigawattHour,
    KilowattHourPerEuro,
    Tonne,
    Kilogram,
    Percent,
}

impl KpiUnit {
    pub const ALL: [Self; 7] = [
        Self::KilowattHour,
        Self::MegawattHour,
        Self::GigawattHour,
        Self::KilowattHourPerEuro,
        Self::Tonne,
        Self::Kilogram,
        Self::Percent,
    ];

    #[must_use]
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::KilowattHour => "kWh",
            Self::MegawattHour => "MWh",
            Self::GigawattHour => "GWh",
            Self::KilowattHourPerEuro => "kWh/EUR",
            Self::Tonne => "t",
            Self::Kilogram => "kg",
            Self::Percent => "%",
        }
    }

    #[must_use]
    pub fn parse(symbol: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|u| u.symbol() == symbol)
    }
}

/// What a KPI is held against.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    /// The value the beneficiary declared ex ante for this KPI's code.
    Declared,
    /// A limit the scheme sets, in the KPI's unit; reached when achieved is at least this.
    AtLeast(f64),
}

/// One KPI of a scheme.
#[derive(Debug, Clone, PartialEq)]
pub struct KpiDefinition {
    /// The scheme's own code, e.g. `4.c.2`, or a short name where the act gives none.
    pub code: String,
    /// Key of the name in the text catalogue.
    pub text: String,
    pub measure: KpiMeasure,
    pub unit: KpiUnit,
    pub target: Target,
    pub citation: String,
}

impl Scheme {
    /// The reporting years of a project with their due days; empty when the scheme asks for no yearly report
    /// or the day to count from is not known. When the act states no number of years, `horizon_years` are listed.
    #[must_use]
    pub fn due_reports(&self, project: &Project, horizon_years: u32) -> Vec<DueReport> {
        use chrono::Datelike;
        let Some(rule) = &self.yearly else { return Vec::new() };
        let from = match rule.counts_from {
            CountsFrom::Completion => Some(project.dates.completed),
            CountsFrom::ExpensesClosed => project.dates.expenses_closed,
        };
        let Some(from) = from else { return Vec::new() };
        let count = rule.years.unwrap_or(horizon_years) as i32;
        (1..=count)
            .filter_map(|n| {
                let year = from.year() + n;
                let due = NaiveDate::from_ymd_opt(year + 1, rule.due_month, rule.due_day)?;
                Some(DueReport { year, due })
            })
            .collect()
    }
}
