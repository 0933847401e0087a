//! What people declare: projects, buildings, what a meter stands for, ex-ante values.
//!
//! Must never: hold anything measured.

use chrono::NaiveDate;

use crate::gas::GasConversion;
use crate::grant::{Event, Events, Grant};
use crate::ids::{BuildingId, FactorSetId, MeterId, ProjectId, SchemeId, StationId};
use crate::money::Euro;
use crate::opening::OpeningHours;
use crate::quantity::{Carrier, Channel, Quantity, Unit};
use crate::terms::Terms;
use crate::time::Zone;

/// Who received the grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beneficiary {
    pub name: String,
    /// Codice fiscale or VAT number.
    pub tax_code: String,
    pub legal_representative: String,
}

/// One funded intervention on one or more buildings.
#[derive(Debug, Clone, PartialEq)]
pub struct Project {
    pub id: ProjectId,
    pub title: String,
    /// Codice unico di progetto.
    pub cup: String,
    pub scheme: SchemeId,
    /// The one set used for both sides of every comparison.
    pub factor_set: FactorSetId,
    pub beneficiary: Beneficiary,
    pub dates: ProjectDates,
    /// Grant and repayable loan together, in euro.
    pub facility: Option<Euro>,
    pub zone: Zone,
    /// Where outdoor temperatures come from.
    pub station: StationId,
    pub buildings: Vec<Building>,
    /// Values declared when applying, by KPI code.
    pub declared: Vec<DeclaredValue>,
    /// Own factors, tariffs, plants, values that no meter measures.
    pub terms: Terms,
    /// What the grant decided, and who answers for it.
    pub grant: Grant,
}

impl Project {
    /// Every known day from which a scheme may count.
    #[must_use]
    pub fn events(&self) -> Events {
        let mut events = self.grant.dates.clone();
        events.insert(Event::Completion, self.dates.completed);
        events.extend(self.dates.expenses_closed.map(|day| (Event::ExpensesClosed, day)));
        events.extend(self.dates.final_payment.map(|day| (Event::FinalPayment, day)));
        events
    }

    /// Every meter with the building it belongs to, in the order of the project file.
    pub fn meters(&self) -> impl Iterator<Item = (&Building, &MeterFacts)> {
        self.buildings.iter().flat_map(|b| b.meters.iter().map(move |m| (b, m)))
    }

    /// Whether what is billed to a meter's supply point is that meter's. Bills are of what was drawn, also where the same
    /// supply point feeds in, and of the whole of it, of which a part says nothing; of a supply point that no other meter
    /// has they are its own, whatever it measures.
    #[must_use]
    pub fn uses_bills(&self, meter: &MeterFacts) -> bool {
        let own = meter.bills_key();
        let draws_whole = meter.direction == Direction::Import && meter.role != MeterRole::Sub;
        draws_whole || self.meters().filter(|(_, m)| m.bills_key() == own).count() == 1
    }
}

/// The days that rule baseline, reporting and obligations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectDates {
    /// First day of the baseline period.
    pub baseline_from: NaiveDate,
    /// First day after the baseline period.
    pub baseline_to: NaiveDate,
    /// First day on which works were done; `baseline_to` is not after it.
    pub works_from: NaiveDate,
    /// Day of completion; measuring of the result begins the day after.
    pub completed: NaiveDate,
    /// Day on which the reporting of expenses was closed, where the scheme counts from it.
    pub expenses_closed: Option<NaiveDate>,
    pub final_payment: Option<NaiveDate>,
}

/// A use category of DPR 412/93 with its share of the building.
#[derive(Debug, Clone, PartialEq)]
pub struct Use {
    /// `E.1` to `E.8`, with subdivisions like `E.4(1)`.
    pub category: String,
    pub floor_area_m2: f64,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Building {
    pub id: BuildingId,
    pub name: String,
    pub municipality: String,
    /// Six digits.
    pub istat_code: String,
    pub address: String,
    pub uses: Vec<Use>,
    pub floor_area_m2: f64,
    pub gross_volume_m3: f64,
    /// Opening hours as declared, for the report: `lun-ven 7:30-18:00`.
    pub usage_profile: String,
    /// When it is open, by the day; empty where nobody stated it. No day is stated by two entries.
    pub opening: Vec<OpeningHours>,
    /// Code of the energy certificate before the works, where there is one.
    pub ape_code: Option<String>,
    pub meters: Vec<MeterFacts>,
}

/// Which way energy flows through a meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// Into the building.
    Import,
    /// Out of the building, sold or given.
    Export,
    /// Made in the building.
    Production,
    /// Into a store of energy in the building.
    Charge,
    /// Out of that store.
    Discharge,
}

impl Direction {
    pub const ALL: [Self; 5] = [Self::Import, Self::Export, Self::Production, Self::Charge, Self::Discharge];

    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Import => "import",
            Self::Export => "export",
            Self::Production => "production",
            Self::Charge => "charge",
            Self::Discharge => "discharge",
        }
    }

    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|d| d.code() == code)
    }
}

/// How a meter enters the comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MeterRole {
    /// Compared with its own baseline period.
    Compared,
    /// Did not exist before the works: its baseline is zero, and all it measures counts against the saving.
    New,
    /// A part of another meter: shown, never added.
    Sub,
}

impl MeterRole {
    pub const ALL: [Self; 3] = [Self::Compared, Self::New, Self::Sub];

    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Compared => "compared",
            Self::New => "new",
            Self::Sub => "sub",
        }
    }

    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|r| r.code() == code)
    }
}

/// A calibration of a meter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calibration {
    pub on: NaiveDate,
    /// Number and issuer of its certificate.
    pub certificate: Option<String>,
}

/// Most meters above one another; a circle of parents ends here too.
const PARENTS_MAX: usize = 16;

/// What a meter stands for in a project. How it is read is the installation's matter.
#[derive(Debug, Clone, PartialEq)]
pub struct MeterFacts {
    pub id: MeterId,
    pub name: String,
    pub carrier: Carrier,
    pub direction: Direction,
    pub role: MeterRole,
    /// Of a sub-meter: the meter that it is a part of.
    pub parent: Option<MeterId>,
    /// POD or PDR: the key under which bills are imported.
    pub supply_point: Option<String>,
    /// The most the connection can carry, in kW (kWh per hour), standard cubic metres per hour or kg per hour:
    /// the contractual or protective limit, not the expected load. Bounds what a missing hour can hide.
    pub ceiling_per_hour: f64,
    /// The total at which the register begins again, in the smallest unit; `None` when it does not within the plant's life.
    pub wraps_at: Option<i64>,
    /// Of a gas meter that counts at its own conditions; `None` where a corrector's register is read.
    pub gas: Option<GasConversion>,
    pub serial: Option<String>,
    /// MID class or accuracy class as written on the meter: `B`, `1`.
    pub accuracy_class: Option<String>,
    /// When it was last calibrated, as its paper says; printed, and part of no figure.
    pub calibration: Option<Calibration>,
}

impl MeterFacts {
    /// Under which its bills are imported: its supply point, else its id.
    #[must_use]
    pub fn bills_key(&self) -> &str {
        self.supply_point.as_deref().unwrap_or_else(|| self.id.as_str())
    }

    /// Whether what it counts is counted by another meter of the same direction already. A part of a supply always is; a
    /// plant or a store behind a supply is not, for no meter of the supply sees it, unless it is a part of another plant's
    /// or store's meter. `find` gives the facts of a meter of the same project.
    #[must_use]
    pub fn is_counted_by_another<'a>(&self, find: impl Fn(&MeterId) -> Option<&'a Self>) -> bool {
        if self.role != MeterRole::Sub {
            return false;
        }
        let mut up = self.parent.as_ref();
        for _ in 0..PARENTS_MAX {
            let Some(parent) = up.and_then(&find) else { break };
            if parent.direction == self.direction {
                return true;
            }
            up = parent.parent.as_ref();
        }
        self.direction == Direction::Import
    }

    /// The channel whose total is this meter's energy.
    #[must_use]
    pub fn total_channel(&self) -> Channel {
        let quantity = match (self.carrier.total_quantity(), self.direction) {
            (Quantity::ActiveEnergyImport, Direction::Export) => Quantity::ActiveEnergyExport,
            (Quantity::GasStandardVolume, _) if self.gas.is_some() => Quantity::GasVolume,
            (quantity, _) => quantity,
        };
        Channel::total(quantity)
    }

    /// The unit in which people read the meter's own totals, a thousand of its smallest: of gas that is counted at the
    /// meter's conditions cubic metres, not standard ones.
    #[must_use]
    pub fn register_unit(&self) -> Unit {
        match self.total_channel().quantity {
            Quantity::GasVolume => Unit::CubicMetre,
            _ => self.carrier.base_unit().display(),
        }
    }

    /// The ceiling in smallest units of the carrier per millisecond: of gas at standard conditions, also where the
    /// meter counts at its own.
    #[must_use]
    pub fn ceiling_per_milli(&self) -> f64 {
        self.ceiling_per_hour * 1000.0 / 3_600_000.0
    }
}

/// A value declared ex ante for one KPI.
#[derive(Debug, Clone, PartialEq)]
pub struct DeclaredValue {
    /// The scheme's KPI code, e.g. `4.c.2`.
    pub kpi: String,
    /// In the unit that the scheme states for that KPI.
    pub value: f64,
    /// The document it stands in: certificate, application form, diagnosis.
    pub source: String,
    /// Its parts by carrier in the same unit, where the document tells them; they add up to the value. A part below zero
    /// is a use that grows.
    pub by_carrier: Vec<(Carrier, f64)>,
}
