//! The law of a project's baseline that follows degree days and the opening of its building.
//!
//! Must never: keep a term that the fit left out, or give a band that forgets the error of a driver's coefficient.

use std::sync::Arc;

use model::{Finding, OpeningHours, UseDriver};

use super::{DailyDriver, Driven, METHOD, best};
use crate::analysis::choose::{self, Asked};
use crate::baseline::data::Data;
use crate::baseline::driving::{self, Driving, DrivingTerm};
use crate::baseline::fit::{Fit, Kind, Leverage, Member, Model, Quality, Regressor, Scatter};

/// The law of some periods whose days the calendar all states. `None` when they carry none.
pub(in crate::analysis) fn law(
    asked: &Asked<'_>,
    drivers: &[UseDriver],
    entries: &[OpeningHours],
    data: &Data,
    findings: &mut Vec<Finding>,
) -> Option<Fit> {
    let of = |driver: &UseDriver| DailyDriver::of_calendar(entries, *driver, data.rows());
    let given: Vec<DailyDriver> = drivers.iter().map(of).collect();
    let driven = best((asked.subject, asked.terms), &given, data, false, findings)?;
    let mut fit = Columns::of(&driven, drivers).fit(&driven, entries, data);
    let modelled: Vec<f64> = fit.predict_each(data).iter().map(|of| of.energy).collect();
    fit.quality = Quality::between(data, &modelled, fit.quality.parameters);
    choose::signed(asked, Some(fit), findings)
}

/// Where the terms that stayed stand: base, heating and cooling first, then the drivers.
struct Columns {
    model: Model,
    kept: Vec<(UseDriver, f64, f64)>,
    /// The column of each row of the fit's own inverse.
    places: Vec<usize>,
}

impl Columns {
    fn of(driven: &Driven, drivers: &[UseDriver]) -> Self {
        let (heats, cools) = (driven.heating_balance_c.is_some(), driven.cooling_balance_c.is_some());
        let weather = usize::from(heats) + usize::from(cools);
        let mut of = Self { model: Model::flat(driven.fit.base_per_day), kept: Vec::new(), places: vec![0] };
        for term in &driven.fit.terms {
            if heats && term.driver == 0 {
                of.model.heating_balance_c = driven.heating_balance_c;
                of.model.heating_per_degree_day = term.coefficient;
                of.places.push(1);
            } else if term.driver < weather {
                of.model.cooling_balance_c = driven.cooling_balance_c;
                of.model.cooling_per_degree_day = term.coefficient;
                of.places.push(2);
            } else if let Some(driver) = drivers.get(term.driver - weather) {
                of.places.push(3 + of.kept.len());
                of.kept.push((*driver, term.coefficient, term.standard_error));
            }
        }
        of.model.kind = match (of.model.heating_balance_c, of.model.cooling_balance_c) {
            (None, None) => Kind::Flat,
            (Some(_), None) => Kind::Heating,
            (None, Some(_)) => Kind::Cooling,
            (Some(_), Some(_)) => Kind::HeatingCooling,
        };
        of.model.regressor = Regressor::EachDay;
        of
    }

    /// (X'WX)⁻¹ of all columns; 0 of those that the fit lacks.
    fn inverse(&self, driven: &Driven) -> Vec<Vec<f64>> {
        let size = 3 + self.kept.len();
        let mut all = vec![vec![0.0; size]; size];
        for (i, row) in self.places.iter().zip(driven.fit.inverse()) {
            for (j, value) in self.places.iter().zip(row) {
                all[*i][*j] = value;
            }
        }
        all
    }

    fn fit(&self, driven: &Driven, entries: &[OpeningHours], data: &Data) -> Fit {
        let inverse = self.inverse(driven);
        let leverage = Leverage(std::array::from_fn(|i| std::array::from_fn(|j| inverse[i][j])));
        let spans = || data.rows().iter().map(|row| (row.from, row.to));
        let terms = self.kept.iter().map(|&(driver, coefficient, standard_error)| DrivingTerm {
            driver,
            coefficient,
            standard_error,
            usual: driving::usual(entries, driver, spans()),
        });
        let driving = Driving { terms: terms.collect(), inverse, calendar: Arc::from(entries) };
        let balances = [driven.heating_balance_c, driven.cooling_balance_c].iter().flatten().count() as f64;
        let parameters = 1.0 + driven.fit.terms.len() as f64 + balances;
        Fit {
            method: METHOD,
            members: vec![Member {
                weight: 1.0,
                model: self.model,
                variance_per_day: driven.fit.variance_per_day,
                inflation: driven.inflation.times,
                leverage,
                scatter: Scatter::Days,
                closure: None,
            }],
            model: self.model,
            quality: Quality::of(data, &self.model, parameters),
            freedom: driven.inflation.limit(driven.fit.freedom - balances),
            findings: Vec::new(),
            driving: (!driving.terms.is_empty()).then(|| Box::new(driving)),
            experience: Some(driven.experience),
        }
    }
}
