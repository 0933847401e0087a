//! The degree-day ratio with the weather-independent part split off, for baselines of less than a year.
//!
//! Must never: scale energy that the weather does not ask for, or split off a negative base load.
//!
//! Energy = base load + (energy − base load) × degree days now / degree days then, at a fixed base temperature (15.5 °C
//! as in the United Kingdom; Covenant of Mayors guidebook and EcoGIS scale the heating part alone). The base load is what
//! periods that need no heating use per day. Which those are depends on the data: with periods of hardly any degree
//! days, those; with a year, its three lowest, as is the practice; otherwise the winter months alone cannot tell, and
//! the base load is anything from nothing to the lowest period's use: the middle counts, and the band reaches over all.

use super::data::Data;
use super::fit::{Experience, Fit, Kind, Member, Model, Quality, Regressor};
use super::wls;

/// Base temperature of the method where none is given, in °C.
pub const BASE_C: f64 = 15.5;

/// A period with fewer degree days per day needs no heating to speak of, in K.
const IDLE_K: f64 = 0.5;

/// Days of a year's data, when its lowest periods are its summer.
const YEAR_DAYS: f64 = 328.0;

/// Where the base load comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BaseLoad {
    /// Periods that needed no heating.
    Idle,
    /// The mean of a year's three lowest periods.
    ThreeLowest,
    /// Between nothing and the lowest period's use.
    Unknown,
}

/// The two numbers of the method, and how far the base load may be off.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Split {
    pub origin: BaseLoad,
    /// Display units per day, at least 0.
    pub base_per_day: f64,
    pub base_low: f64,
    pub base_high: f64,
}

/// The base load of the periods; `None` without any.
#[must_use]
pub fn split(data: &Data, base_c: f64) -> Option<Split> {
    let mut by_use: Vec<f64> = data.rows().iter().map(|r| r.energy_per_day().max(0.0)).collect();
    by_use.sort_by(f64::total_cmp);
    let lowest = *by_use.first()?;
    let known = |origin, base_per_day: f64| Split {
        origin,
        base_per_day,
        base_low: base_per_day,
        base_high: base_per_day,
    };
    if YEAR_DAYS <= data.days() && 6 <= by_use.len() {
        let few = by_use.get(..3.min(by_use.len() / 2))?;
        return Some(known(BaseLoad::ThreeLowest, few.iter().sum::<f64>() / few.len() as f64));
    }
    let idle = data.rows().iter().filter(|r| data.heating_per_day(r, base_c) < IDLE_K);
    let (days, energy) = idle.fold((0.0, 0.0), |(d, e), r| (d + r.days, e + r.energy));
    if 25.0 <= days {
        return Some(known(BaseLoad::Idle, (energy / days).max(0.0)));
    }
    Some(Split { origin: BaseLoad::Unknown, base_per_day: lowest / 2.0, base_low: 0.0, base_high: lowest })
}

/// The law of a base load: what is left of the energy, over the degree days.
fn law(data: &Data, base_c: f64, base_per_day: f64) -> Option<Model> {
    let degree_days: f64 = data.rows().iter().map(|r| r.days * data.heating_per_day(r, base_c)).sum();
    let heat = (data.energy() - base_per_day * data.days()).max(0.0);
    if data.is_empty() || degree_days <= 0.0 {
        return None;
    }
    Some(Model {
        kind: Kind::Heating,
        regressor: Regressor::EachDay,
        base_per_day,
        heating_balance_c: Some(base_c),
        cooling_balance_c: None,
        heating_per_degree_day: heat / degree_days,
        cooling_per_degree_day: 0.0,
    })
}

/// The method's law; `None` without a period or without any degree day: there is nothing to scale by.
#[must_use]
pub fn fit(data: &Data, base_c: f64) -> Option<(Fit, Split)> {
    let split = split(data, base_c)?;
    let model = law(data, base_c, split.base_per_day)?;
    let member = |base_per_day: f64, weight: f64| {
        let law = law(data, base_c, base_per_day)?;
        Some(Member { weight, ..wls::member(data, law, 2.0) })
    };
    let members = if split.origin == BaseLoad::Unknown {
        // A uniform base load between the bounds: three points with its mean and variance.
        vec![
            member(split.base_low, 1.0 / 6.0)?,
            member(split.base_per_day, 4.0 / 6.0)?,
            member(split.base_high, 1.0 / 6.0)?,
        ]
    } else {
        vec![member(split.base_per_day, 1.0)?]
    };
    let fit = Fit {
        method: "degree-days",
        freedom: (data.len() as f64 - 2.0).max(0.0),
        members,
        model,
        quality: Quality::of(data, &model, 2.0),
        findings: Vec::new(),
        driving: None,
        experience: Some(Experience::of(data, true, data.energy() / data.days())),
    };
    Some((fit, split))
}
