//! Funding schemes as data: what is due when, which KPI are reported, which clauses must hold.
//!
//! Must never: hold the text of one scheme in code; schemes are files of the catalogue.

use chrono::NaiveDate;
use model::{Event, FactorSetId, Project, SchemeId};

use crate::economics::FacilityRule;

pub mod calendar;
pub mod clauses;
pub mod deadline;

use clauses::Clause;
use deadline::Deadline;

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
    /// The obligation that the annual monitoring report fulfils; one of `rules.obligations`.
    pub yearly: Option<YearlyObligation>,
    /// In report order.
    pub kpis: Vec<KpiDefinition>,
    pub rules: SchemeRules,
}

/// What a scheme asks beside its KPI.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SchemeRules {
    /// In order of the file.
    pub obligations: Vec<Obligation>,
    /// Times during which something must be kept as it is.
    pub periods: Vec<KeepPeriod>,
    pub clauses: Vec<Clause>,
    pub facility: Option<FacilityRule>,
}

/// Something to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obligation {
    /// Unique in its scheme; records name it.
    pub id: String,
    /// Key of its name in the texts.
    pub text: String,
    pub due: Deadline,
    /// What is made for it; `None` for papers that come from elsewhere.
    pub report: Option<ReportKind>,
    pub signer: Signer,
    /// By which way it is sent, Italian.
    pub channel: String,
    pub citation: String,
    /// Days (month, day) of the due year on which the beneficiary is reminded.
    pub memos: Vec<(u32, u32)>,
}

/// A document that this program makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReportKind {
    /// *Relazione annuale di monitoraggio* with its structured file.
    Annual,
    /// *Relazione sul sistema di monitoraggio*.
    System,
    /// *Scheda riepilogativa degli indicatori*.
    Indicators,
    /// Final report of a measurement campaign.
    Campaign,
}

impl ReportKind {
    pub const ALL: [Self; 4] = [Self::Annual, Self::System, Self::Indicators, Self::Campaign];

    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Annual => "annual",
            Self::System => "system",
            Self::Indicators => "indicators",
            Self::Campaign => "campaign",
        }
    }

    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|r| r.code() == code)
    }
}

/// Who signs or sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Signer {
    /// *Legale rappresentante*: sends, no digital signature asked of the file.
    LegalRepresentative,
    /// The same, with a digital signature on the file.
    LegalRepresentativeSigned,
    /// A registered professional, with a digital signature (`.p7m`).
    Professional,
    /// The beneficiary or the technician in charge, with a signature.
    BeneficiaryOrTechnician,
    /// *Responsabile del progetto*.
    ProjectLead,
    /// A person with access to the authority's own system.
    DataEntry,
}

impl Signer {
    pub const ALL: [Self; 6] = [
        Self::LegalRepresentative,
        Self::LegalRepresentativeSigned,
        Self::Professional,
        Self::BeneficiaryOrTechnician,
        Self::ProjectLead,
        Self::DataEntry,
    ];

    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::LegalRepresentative => "legal_representative",
            Self::LegalRepresentativeSigned => "legal_representative_signed",
            Self::Professional => "professional",
            Self::BeneficiaryOrTechnician => "beneficiary_or_technician",
            Self::ProjectLead => "project_lead",
            Self::DataEntry => "data_entry",
        }
    }

    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.code() == code)
    }

    /// Whether the act asks for a digital signature on the file.
    #[must_use]
    pub const fn signs_digitally(self) -> bool {
        match self {
            Self::LegalRepresentativeSigned | Self::Professional => true,
            Self::LegalRepresentative
            | Self::BeneficiaryOrTechnician
            | Self::ProjectLead
            | Self::DataEntry => false,
        }
    }
}

/// A time during which something must be kept as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeepPeriod {
    pub id: String,
    pub text: String,
    pub event: Event,
    pub years: u32,
    pub citation: String,
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
    /// Nothing that is metered: a person states it (power installed, number of buildings, length, area).
    Stated,
}

impl KpiMeasure {
    pub const ALL: [Self; 8] = [
        Self::FinalEnergySaved,
        Self::PrimaryEnergySaved,
        Self::PrimaryEnergySavedPerEuro,
        Self::Co2Avoided,
        Self::NoxAvoided,
        Self::Pm10Avoided,
        Self::SelfConsumedShare,
        Self::Stated,
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
            Self::Stated => "stated",
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
    Megawatt,
    Kilometre,
    SquareMetre,
    /// A number of things.
    Count,
}

impl KpiUnit {
    pub const ALL: [Self; 11] = [
        Self::KilowattHour,
        Self::MegawattHour,
        Self::GigawattHour,
        Self::KilowattHourPerEuro,
        Self::Tonne,
        Self::Kilogram,
        Self::Percent,
        Self::Megawatt,
        Self::Kilometre,
        Self::SquareMetre,
        Self::Count,
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
            Self::Megawatt => "MW",
            Self::Kilometre => "km",
            Self::SquareMetre => "m2",
            Self::Count => "n.",
        }
    }

    #[must_use]
    pub fn parse(symbol: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|u| u.symbol() == symbol)
    }

    /// How many kWh one of it is; `None` for what is no energy.
    #[must_use]
    pub const fn kwh(self) -> Option<f64> {
        match self {
            Self::KilowattHour => Some(1.0),
            Self::MegawattHour => Some(1e3),
            Self::GigawattHour => Some(1e6),
            Self::KilowattHourPerEuro
            | Self::Tonne
            | Self::Kilogram
            | Self::Percent
            | Self::Megawatt
            | Self::Kilometre
            | Self::SquareMetre
            | Self::Count => None,
        }
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
    /// or the day to count from is not known. Where neither act nor project states a number of years,
    /// `horizon_years` are listed.
    #[must_use]
    pub fn due_reports(&self, project: &Project, horizon_years: u32) -> Vec<DueReport> {
        use chrono::Datelike;
        let Some(rule) = &self.yearly else { return Vec::new() };
        let from = match rule.counts_from {
            CountsFrom::Completion => Some(project.dates.completed),
            CountsFrom::ExpensesClosed => project.dates.expenses_closed,
        };
        let Some(from) = from else { return Vec::new() };
        let count = rule.years.or(project.grant.report_years).unwrap_or(horizon_years);
        (1..=count)
            .filter_map(|n| {
                let year = from.year().checked_add_unsigned(n)?;
                let due = NaiveDate::from_ymd_opt(year + 1, rule.due_month, rule.due_day)?;
                Some(DueReport { year, due })
            })
            .collect()
    }

    #[must_use]
    pub fn obligation(&self, id: &str) -> Option<&Obligation> {
        self.rules.obligations.iter().find(|o| o.id == id)
    }

    /// The code of the KPI under which the non-renewable primary energy saved is declared in MWh.
    #[must_use]
    pub fn declared_saving(&self) -> Option<&str> {
        let kpi = self
            .kpis
            .iter()
            .find(|k| k.measure == KpiMeasure::PrimaryEnergySaved && k.unit == KpiUnit::MegawattHour)?;
        Some(&kpi.code)
    }
}
