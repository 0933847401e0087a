//! The energy balance: import, export, production, storage, self-consumption, by slot where meters give slots and by
//! month where only months are known; and the tree of sub-meters.
//!
//! Must never: let what was not measured raise a share, or break an identity: what is produced is self-consumed,
//! exported or stored; what is consumed is imported or self-consumed, to the last watt hour.
//!
//! Bounds. In a slot that every meter measured, self-consumption is production less export. Where a meter misses a
//! slot, what it may have counted is bounded by its connection; and nothing is exported that is not produced or
//! discharged at the same time, so self-consumption of the slot is at least max(0, production - possible export). Over
//! a run of such slots the difference of the sums is a bound as well, since a gap's energy is known although its place
//! is not; and so are the month's totals. The best of these bounds holds: each is true.

use model::{BuildingId, Carrier, Direction, MeterFacts, MeterId, Month, Project, Quantity, Zone};

use crate::result::{MeterMonth, MeterYear};

mod findings;
mod node;
pub mod slots;
mod tree;

pub use findings::limits;
pub use slots::{Slot, SlotBuilder, SlotLength, SlotSeries};
pub(crate) use tree::accuracy_ratio;

/// What flows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Vector {
    Electricity,
    Heat,
    Cooling,
}

impl Vector {
    pub const ALL: [Self; 3] = [Self::Electricity, Self::Heat, Self::Cooling];

    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Electricity => "electricity",
            Self::Heat => "heat",
            Self::Cooling => "cooling",
        }
    }

    /// What a carrier counted in kWh brings; `None` for fuels and for carriers that do not say.
    #[must_use]
    pub fn of(carrier: Carrier) -> Option<Self> {
        match carrier.total_quantity() {
            Quantity::ActiveEnergyImport if carrier != Carrier::Other => Some(Self::Electricity),
            Quantity::HeatEnergy => Some(Self::Heat),
            Quantity::CoolingEnergy => Some(Self::Cooling),
            _ => None,
        }
    }
}

/// Energy in Wh and between which bounds it lies; `high` is `None` when nothing bounds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flow {
    pub amount: i64,
    pub low: i64,
    pub high: Option<i64>,
}

impl Flow {
    /// Nothing, and that for certain.
    pub const NONE: Self = Self { amount: 0, low: 0, high: Some(0) };
    /// Nobody knows.
    pub const UNKNOWN: Self = Self { amount: 0, low: 0, high: None };

    /// The same amount within the bounds of both.
    fn within(self, other: Self) -> Self {
        let high = match (self.high, other.high) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (one, None) | (None, one) => one,
        };
        Self { amount: self.amount, low: self.low.max(other.low), high }
    }

    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            amount: self.amount.saturating_add(other.amount),
            low: self.low.saturating_add(other.low),
            high: self.high.zip(other.high).map(|(a, b)| a.saturating_add(b)),
        }
    }
}

/// What a period's balance rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grain {
    /// Slots that all meters share.
    Slots(SlotLength),
    /// Months: not every meter gives slots.
    Month,
}

impl Grain {
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Slots(length) => length.code(),
            Self::Month => "month",
        }
    }
}

/// A share of what was produced, 0 to 1. `worse` counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share {
    pub worse: f64,
    pub best: f64,
    pub high: f64,
}

/// The balance of a period. Amounts are exact: `produced = self_consumed + exported + stored` and
/// `consumed = imported + self_consumed`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Balance {
    pub imported: Flow,
    pub exported: Flow,
    pub produced: Flow,
    /// Charged less discharged: what a store kept or lost.
    pub stored: Flow,
    pub self_consumed: Flow,
    pub consumed: Flow,
    /// Slots that every meter measured over all of them, 0 to 1; of a month without slots its least coverage.
    pub measured_ratio: f64,
    /// The coarsest of what it rests on.
    pub grain: Grain,
}

impl Balance {
    /// Nothing yet, to add periods to.
    pub const NOTHING: Self = Self {
        imported: Flow::NONE,
        exported: Flow::NONE,
        produced: Flow::NONE,
        stored: Flow::NONE,
        self_consumed: Flow::NONE,
        consumed: Flow::NONE,
        measured_ratio: 1.0,
        grain: Grain::Slots(SlotLength::Quarter),
    };

    /// Two periods or two buildings together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            imported: self.imported.plus(other.imported),
            exported: self.exported.plus(other.exported),
            produced: self.produced.plus(other.produced),
            stored: self.stored.plus(other.stored),
            self_consumed: self.self_consumed.plus(other.self_consumed),
            consumed: self.consumed.plus(other.consumed),
            measured_ratio: self.measured_ratio.min(other.measured_ratio),
            grain: self.grain.max(other.grain),
        }
    }

    /// The same amounts within the bounds of both.
    fn within(self, other: &Self) -> Self {
        Self {
            imported: self.imported.within(other.imported),
            exported: self.exported.within(other.exported),
            produced: self.produced.within(other.produced),
            stored: self.stored.within(other.stored),
            self_consumed: self.self_consumed.within(other.self_consumed),
            consumed: self.consumed.within(other.consumed),
            ..self
        }
    }

    /// The self-consumed share of what was produced; `None` when nothing is sure to have been produced or exported,
    /// or when more was exported and stored than produced.
    ///
    /// The worse bound is the least self-consumption over itself and the most that was exported and stored: a share
    /// falls with each of them, so nothing unknown can raise it.
    #[must_use]
    pub fn share(&self) -> Option<Share> {
        let Self { self_consumed, exported, stored, produced, .. } = self;
        if produced.amount <= 0 || self_consumed.amount < 0 {
            return None;
        }
        let lost = |exported: i64, stored: i64| exported.saturating_add(stored).max(0);
        let of = |used: i64, lost: i64| {
            let whole = used.saturating_add(lost);
            if whole <= 0 { 0.0 } else { used as f64 / whole as f64 }
        };
        let worse = match (exported.high, stored.high) {
            (Some(exported), Some(stored)) => of(self_consumed.low.max(0), lost(exported, stored)),
            _ => 0.0,
        };
        let high = match self_consumed.high {
            Some(most) => of(most.max(0), lost(exported.low, stored.low)),
            None => 1.0,
        };
        let best = self_consumed.amount as f64 / produced.amount as f64;
        Some(Share { worse: worse.min(best), best, high: high.max(best).min(1.0) })
    }

    /// The share of what was consumed that was made on site; `None` when nothing is sure to have been consumed, or when
    /// more was exported and stored than produced. Of the worse bound everything that may have been imported was.
    #[must_use]
    pub fn sufficiency(&self) -> Option<Share> {
        let Self { self_consumed, imported, consumed, .. } = self;
        if consumed.amount <= 0 || self_consumed.amount < 0 {
            return None;
        }
        let of = |used: i64, imported: i64| {
            let whole = used.saturating_add(imported);
            if whole <= 0 { 0.0 } else { used as f64 / whole as f64 }
        };
        let worse = imported.high.map_or(0.0, |most| of(self_consumed.low.max(0), most.max(0)));
        let high = self_consumed.high.map_or(1.0, |most| of(most.max(0), imported.low.max(0)));
        let best = self_consumed.amount as f64 / consumed.amount as f64;
        Some(Share { worse: worse.min(best), best, high: high.max(best).min(1.0) })
    }
}

/// One month of a balance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BalanceMonth {
    pub month: Month,
    pub reporting: bool,
    pub balance: Balance,
}

/// One building's balance of one vector over a year; `building` is `None` for the whole project.
#[derive(Debug, Clone, PartialEq)]
pub struct BalanceYear {
    pub building: Option<BuildingId>,
    pub vector: Vector,
    /// Twelve rows.
    pub months: Vec<BalanceMonth>,
    /// Over the reporting months.
    pub reporting: Balance,
    pub has_production: bool,
    pub has_export: bool,
}

/// One meter in a balance: its twelve months and, where they are known, its slots.
#[derive(Debug, Clone, Copy)]
pub struct BalanceMeter<'a> {
    pub building: &'a BuildingId,
    pub facts: &'a MeterFacts,
    pub months: &'a [MeterMonth],
    /// How much better the reporting months are known together than one by one, of the least and of the most, in display
    /// units: [`crate::result::MeterTotals::joint_low`].
    pub joint: (f64, f64),
    pub slots: Option<&'a SlotSeries>,
}

impl<'a> BalanceMeter<'a> {
    /// Of a year's figures, with the slots of that meter.
    #[must_use]
    pub fn of(year: &'a MeterYear, slots: Option<&'a SlotSeries>) -> Self {
        let joint = (year.totals.joint_low, year.totals.joint_high);
        Self { building: &year.building, facts: &year.meter, months: &year.months, joint, slots }
    }

    fn vector(&self) -> Option<Vector> {
        Vector::of(self.facts.carrier)
    }

    /// Whether it counts in the balance of these: a part of another meter does not, unless it is what the plant makes or
    /// the store moves, which no meter of the supply sees.
    fn counts(&self, among: &[BalanceMeter<'_>]) -> bool {
        let find = |id: &MeterId| among.iter().map(|m| m.facts).find(|facts| facts.id == *id);
        !self.facts.is_counted_by_another(find)
    }
}

/// The balances of every building and vector that produces, exports or stores, then those of the whole project.
#[must_use]
pub fn year(meters: &[BalanceMeter<'_>], zone: Zone) -> Vec<BalanceYear> {
    let mut all: Vec<BalanceYear> = Vec::new();
    for vector in Vector::ALL {
        let of: Vec<BalanceMeter<'_>> =
            meters.iter().copied().filter(|m| m.vector() == Some(vector) && m.counts(meters)).collect();
        if of.iter().all(|m| m.facts.direction == Direction::Import) {
            continue;
        }
        let mut buildings: Vec<&BuildingId> = of.iter().map(|m| m.building).collect();
        buildings.sort();
        buildings.dedup();
        let begin = all.len();
        for building in buildings {
            let own: Vec<BalanceMeter<'_>> = of.iter().copied().filter(|m| m.building == building).collect();
            all.push(node::year(Some(building.clone()), vector, &own, zone));
        }
        let whole = node::sum(vector, all.get(begin..).unwrap_or_default());
        all.extend(whole);
    }
    all
}

/// What is to be said of the balances and of the tree of sub-meters.
#[must_use]
pub fn judge(
    project: &Project,
    meters: &[BalanceMeter<'_>],
    balances: &[BalanceYear],
    limits: &[(Vector, f64)],
) -> Vec<model::Finding> {
    let mut all = tree::findings(meters);
    all.extend(findings::of(project, balances, limits));
    all
}

/// The whole project's balance of a vector.
#[must_use]
pub fn of_project(balances: &[BalanceYear], vector: Vector) -> Option<&BalanceYear> {
    balances.iter().find(|b| b.building.is_none() && b.vector == vector)
}

/// The meters of a balance by id, for the chain of its figures.
#[must_use]
pub fn meters_of(project: &Project, vector: Vector) -> Vec<MeterId> {
    let find = |id: &MeterId| project.meters().map(|(_, m)| m).find(|m| m.id == *id);
    let of = |m: &MeterFacts| Vector::of(m.carrier) == Some(vector) && !m.is_counted_by_another(find);
    project.meters().filter(|(_, m)| of(m)).map(|(_, m)| m.id.clone()).collect()
}

#[cfg(test)]
mod tests;
