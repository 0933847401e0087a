//! Funding schemes as data: what is due when, which KPI are reported, which clauses must hold.
//!
//! Must never: hold the text of one scheme in code; schemes are files of the catalogue.

use std::collections::BTreeMap;

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
    /// Numbers of the calls that it covers, as the grants system writes them.
    pub calls: Vec<String>,
    /// Short codes for the region's system, by the code of the KPI; of those whose own code is too long for it.
    pub exchange_codes: BTreeMap<String, String>,
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
    /// The mail address to which it is sent, where it is known.
    pub address: Option<String>,
    pub citation: String,
    /// Days (month, day) of the due year on which the beneficiary is reminded.
    pub memos: Vec<(u32, u32)>,
    /// The event that cannot be without it: once its day is stated, the obligation was fulfilled by then.
    pub closed_by: Option<Event>,
}

impl Obligation {
    /// Whether its values are typed into the authority's own system, by somebody with access to it.
    #[must_use]
    pub fn is_typed_in(&self) -> bool {
        self.signer == Signer::DataEntry && self.report.is_some_and(ReportKind::has_figures)
    }
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

    /// Whether it states figures of the project's years.
    #[must_use]
    pub const fn has_figures(self) -> bool {
        match self {
            Self::Annual | Self::Indicators | Self::Campaign => true,
            Self::System => false,
        }
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
    /// Self-consumed share of the electricity produced on site.
    SelfConsumedShare,
    /// The same of the heat.
    HeatSelfConsumedShare,
    /// Total primary energy saved: non-renewable and renewable.
    TotalPrimaryEnergySaved,
    OilEquivalentSaved,
    /// What the energy avoided would have cost, at the tariffs of its months.
    CostAvoided,
    /// Electricity and heat that renewable plants made.
    RenewableProduced,
    /// Nominal power of the renewable plants that were added.
    RenewableCapacity,
    /// Non-renewable primary energy that the buildings really used, per floor area: the operational EPgl,nren. The
    /// less the better.
    OperationalPrimaryIndex,
    /// Floor area of the buildings.
    FloorArea,
    /// What no meter measures and a document states.
    Stated,
}

impl KpiMeasure {
    pub const ALL: [Self; 16] = [
        Self::FinalEnergySaved,
        Self::PrimaryEnergySaved,
        Self::PrimaryEnergySavedPerEuro,
        Self::Co2Avoided,
        Self::NoxAvoided,
        Self::Pm10Avoided,
        Self::SelfConsumedShare,
        Self::HeatSelfConsumedShare,
        Self::TotalPrimaryEnergySaved,
        Self::OilEquivalentSaved,
        Self::CostAvoided,
        Self::RenewableProduced,
        Self::RenewableCapacity,
        Self::OperationalPrimaryIndex,
        Self::FloorArea,
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
            Self::HeatSelfConsumedShare => "heat_self_consumed_share",
            Self::TotalPrimaryEnergySaved => "total_primary_energy_saved",
            Self::OilEquivalentSaved => "oil_equivalent_saved",
            Self::CostAvoided => "cost_avoided",
            Self::RenewableProduced => "renewable_produced",
            Self::RenewableCapacity => "renewable_capacity",
            Self::OperationalPrimaryIndex => "operational_primary_index",
            Self::FloorArea => "floor_area",
            Self::Stated => "stated",
        }
    }

    /// Whether less of it is better: what is declared is then the most, not the least.
    #[must_use]
    pub const fn less_is_better(self) -> bool {
        matches!(self, Self::OperationalPrimaryIndex)
    }

    /// Whether it is made of months. What only documents state is whole in the year of completion too.
    #[must_use]
    pub const fn needs_months(self) -> bool {
        !matches!(self, Self::RenewableCapacity | Self::FloorArea | Self::Stated)
    }

    /// Whether nothing is a value of it that can be declared. An area of 0 is none that was left out.
    #[must_use]
    pub const fn may_be_zero(self) -> bool {
        !matches!(self, Self::FloorArea)
    }

    /// The units in which it can be stated, with what its own unit (kWh, kWh per euro, kg, tep, EUR, kW, kWh/m2, m2, a
    /// share of one) is multiplied by.
    #[must_use]
    pub const fn units(self) -> &'static [(KpiUnit, f64)] {
        match self {
            Self::FinalEnergySaved
            | Self::PrimaryEnergySaved
            | Self::TotalPrimaryEnergySaved
            | Self::RenewableProduced => {
                &[(KpiUnit::KilowattHour, 1.0), (KpiUnit::MegawattHour, 1e-3), (KpiUnit::GigawattHour, 1e-6)]
            }
            Self::PrimaryEnergySavedPerEuro => &[(KpiUnit::KilowattHourPerEuro, 1.0)],
            Self::Co2Avoided | Self::NoxAvoided | Self::Pm10Avoided => {
                &[(KpiUnit::Kilogram, 1.0), (KpiUnit::Tonne, 1e-3)]
            }
            Self::SelfConsumedShare | Self::HeatSelfConsumedShare => &[(KpiUnit::Percent, 100.0)],
            Self::OilEquivalentSaved => &[(KpiUnit::ToeTonne, 1.0)],
            Self::CostAvoided => &[(KpiUnit::Euro, 1.0)],
            Self::RenewableCapacity => &[(KpiUnit::Kilowatt, 1.0), (KpiUnit::Megawatt, 1e-3)],
            Self::OperationalPrimaryIndex => &[(KpiUnit::KilowattHourPerSquareMetre, 1.0)],
            Self::FloorArea => &[(KpiUnit::SquareMetre, 1.0)],
            // A stated value is in the scheme's unit already.
            Self::Stated => &[
                (KpiUnit::Count, 1.0),
                (KpiUnit::SquareMetre, 1.0),
                (KpiUnit::Megawatt, 1.0),
                (KpiUnit::Kilowatt, 1.0),
                (KpiUnit::Kilometre, 1.0),
                (KpiUnit::Euro, 1.0),
                (KpiUnit::Percent, 1.0),
            ],
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
    /// Tonnes of oil equivalent, tep.
    ToeTonne,
    Euro,
    Megawatt,
    Kilowatt,
    KilowattHourPerSquareMetre,
    SquareMetre,
    Kilometre,
    Count,
}

impl KpiUnit {
    pub const ALL: [Self; 15] = [
        Self::KilowattHour,
        Self::MegawattHour,
        Self::GigawattHour,
        Self::KilowattHourPerEuro,
        Self::Tonne,
        Self::Kilogram,
        Self::Percent,
        Self::ToeTonne,
        Self::Euro,
        Self::Megawatt,
        Self::Kilowatt,
        Self::KilowattHourPerSquareMetre,
        Self::SquareMetre,
        Self::Kilometre,
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
            Self::ToeTonne => "tep",
            Self::Euro => "EUR",
            Self::Megawatt => "MW",
            Self::Kilowatt => "kW",
            Self::KilowattHourPerSquareMetre => "kWh/m2",
            Self::SquareMetre => "m2",
            Self::Kilometre => "km",
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
            | Self::ToeTonne
            | Self::Euro
            | Self::Kilowatt
            | Self::KilowattHourPerSquareMetre
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
    /// Reached when achieved is at most this.
    AtMost(f64),
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
    /// Whether one of its obligations asks for this document.
    #[must_use]
    pub fn asks_for(&self, kind: ReportKind) -> bool {
        self.rules.obligations.iter().any(|o| o.report == Some(kind))
    }

    /// Whether it funds a measurement campaign and no works.
    #[must_use]
    pub fn is_campaign(&self) -> bool {
        self.asks_for(ReportKind::Campaign) && !self.asks_for(ReportKind::Annual)
    }

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

    /// Under which code a KPI goes to the region's system.
    #[must_use]
    pub fn exchange_code<'a>(&'a self, code: &'a str) -> &'a str {
        self.rules.exchange_codes.get(code).map_or(code, String::as_str)
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
