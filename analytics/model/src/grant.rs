//! What the grant decided and who answers for it: days that deadlines count from, costs, subjects, statements.
//!
//! Must never: hold anything measured, or a day that nobody stated.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use crate::money::Euro;

/// What happened, or ends, on a day from which a scheme counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Event {
    /// The works were completed (*realizzazione*, *ultimazione dell'intervento*).
    Completion,
    /// The reporting of expenses was closed (*data chiusura rendicontazione*).
    ExpensesClosed,
    /// The balance was paid to the beneficiary (*erogazione del saldo*).
    FinalPayment,
    /// The grant was notified (*notifica della concessione, del decreto*).
    GrantNotice,
    /// The crediting of the grant was notified (*notifica dell'accredito*).
    CreditNotice,
    /// The disbursement was notified (*notifica dell'erogazione*).
    DisbursementNotice,
    /// The suppliers' invoices fall due (*scadenza delle fatture*).
    InvoicesDue,
    /// First and last day of the period set for the project (*periodo stabilito per la realizzazione*).
    TermFrom,
    TermTo,
    /// Expenses reached half of what was admitted.
    HalfSpent,
    /// Completion of the works as the time schedule had it (*cronoprogramma*).
    PlannedCompletion,
}

impl Event {
    pub const ALL: [Self; 11] = [
        Self::Completion,
        Self::ExpensesClosed,
        Self::FinalPayment,
        Self::GrantNotice,
        Self::CreditNotice,
        Self::DisbursementNotice,
        Self::InvoicesDue,
        Self::TermFrom,
        Self::TermTo,
        Self::HalfSpent,
        Self::PlannedCompletion,
    ];

    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Completion => "completion",
            Self::ExpensesClosed => "expenses_closed",
            Self::FinalPayment => "final_payment",
            Self::GrantNotice => "grant_notice",
            Self::CreditNotice => "credit_notice",
            Self::DisbursementNotice => "disbursement_notice",
            Self::InvoicesDue => "invoices_due",
            Self::TermFrom => "term_from",
            Self::TermTo => "term_to",
            Self::HalfSpent => "half_spent",
            Self::PlannedCompletion => "planned_completion",
        }
    }

    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|e| e.code() == code)
    }
}

/// The days of events, as far as they are known.
pub type Events = BTreeMap<Event, NaiveDate>;

/// What a person may do for a beneficiary. The names are those of the region's monitoring system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SubjectRole {
    /// Adds, enables and disables subjects; edits contacts and project data; signs.
    LegalRepresentative,
    /// Edits project data.
    DataEntry,
    /// A registered professional (*iscritto a Ordine o Collegio*), who signs technical reports.
    Professional,
}

impl SubjectRole {
    pub const ALL: [Self; 3] = [Self::LegalRepresentative, Self::DataEntry, Self::Professional];

    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::LegalRepresentative => "legal_representative",
            Self::DataEntry => "data_entry",
            Self::Professional => "professional",
        }
    }

    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|r| r.code() == code)
    }
}

/// A person enabled for a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    pub name: String,
    /// Codice fiscale of the person.
    pub tax_code: String,
    pub role: SubjectRole,
    /// Where memo mails go, if anywhere.
    pub email: Option<String>,
    /// Disabled subjects stay on record.
    pub enabled: bool,
    /// Professional body and number, of a professional.
    pub register: Option<String>,
}

/// A fact that no meter measures, stated by a person with the document that shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// A fact that the scheme's checks know, e.g. `ape_cost_eur`.
    pub fact: String,
    /// Yes is 1, no is 0.
    pub value: f64,
    /// The document and its paragraph.
    pub source: String,
}

/// What was done to a building, in the words of the calls; a project may have several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Intervention {
    /// Insulation, windows, shading (*involucro*).
    Envelope,
    /// Boilers, district heating, distribution, control valves (*impianto termico*).
    Heating,
    HeatPump,
    /// Cooling and ventilation.
    Cooling,
    Lighting,
    Photovoltaic,
    SolarThermal,
    /// Building automation and monitoring (*BACS*).
    Automation,
    Other,
}

impl Intervention {
    pub const ALL: [Self; 9] = [
        Self::Envelope,
        Self::Heating,
        Self::HeatPump,
        Self::Cooling,
        Self::Lighting,
        Self::Photovoltaic,
        Self::SolarThermal,
        Self::Automation,
        Self::Other,
    ];

    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Envelope => "envelope",
            Self::Heating => "heating",
            Self::HeatPump => "heat_pump",
            Self::Cooling => "cooling",
            Self::Lighting => "lighting",
            Self::Photovoltaic => "photovoltaic",
            Self::SolarThermal => "solar_thermal",
            Self::Automation => "automation",
            Self::Other => "other",
        }
    }

    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|i| i.code() == code)
    }
}

/// What the grant decided, beyond what figures need.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Grant {
    /// For how many years reports are due, where the scheme's act leaves it to each grant.
    pub report_years: Option<u32>,
    /// Days beyond those of [`crate::ProjectDates`].
    pub dates: Events,
    /// Admissible costs of the project; where they were set anew after the tender, those.
    pub costs: Option<Euro>,
    /// Admissible costs as first granted, where the tender changed them: the advance is a share of what they gave.
    pub granted_costs: Option<Euro>,
    /// Codes of the tenders (*codice identificativo gara*).
    pub cig: Vec<String>,
    /// What was done; each once, in order of the file. Figures do not depend on it.
    pub interventions: Vec<Intervention>,
    /// In order of the file.
    pub subjects: Vec<Subject>,
    /// In order of the file, each fact once.
    pub statements: Vec<Statement>,
}
