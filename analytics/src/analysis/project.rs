//! The baseline of a project's meter, by the method that its file fixes or its data ask for.
//!
//! Must never: fit on a period that was not measured, choose in silence, or give a law that knows nothing of the days
//! without a temperature.

use chrono::NaiveDate;
use model::{BaselineMethod, Carrier, Finding, OpeningHours, UseDriver};

use super::choose::{self, Asked};
use super::{Method, Window, driven, rules};
use crate::baseline::breaks;
use crate::baseline::caltrack::Terms;
use crate::baseline::data::{Data, Grid};
use crate::baseline::fit::Fit;
use crate::baseline::fitted::{Fitted, WeatherDoubt};
use crate::baseline::{FitPeriod, sufficiency};
use crate::degree_days::{DailyMeans, DegreeDayDefinition};

/// What is asked of a meter's periods.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Subjects of the findings begin with it.
    pub subject: &'a str,
    pub method: BaselineMethod,
    pub carrier: Carrier,
    pub from: NaiveDate,
    /// First day after the baseline.
    pub to: NaiveDate,
    /// Whether a method chosen by the data may be that for less than a year.
    pub short: bool,
    /// What the method of drivers follows beside the weather, and the calendar that states it.
    pub drivers: &'a [UseDriver],
    pub calendar: &'a [OpeningHours],
}

/// Whether a carrier can cool at all: a fuel has no cooling candidates (CalTRACK 2.0 §3.3).
#[must_use]
pub const fn terms(carrier: Carrier) -> Terms {
    match carrier {
        Carrier::GridElectricity
        | Carrier::OnSitePv
        | Carrier::SmallWind
        | Carrier::SmallHydro
        | Carrier::DistrictCooling
        | Carrier::Aerothermal
        | Carrier::Other => Terms::HeatingAndCooling,
        Carrier::NaturalGas
        | Carrier::Lpg
        | Carrier::Coal
        | Carrier::FuelOil
        | Carrier::SolidBiomass
        | Carrier::Wood
        | Carrier::Pellets
        | Carrier::SolarThermal
        | Carrier::DistrictHeating => Terms::Heating,
    }
}

/// `None` of the method that follows more than the weather.
const fn method(of: BaselineMethod) -> Option<Method> {
    match of {
        BaselineMethod::Auto => Some(Method::Auto),
        BaselineMethod::Averaged => Some(Method::Averaged),
        BaselineMethod::CaltrackMonthly => Some(Method::CaltrackMonthly),
        BaselineMethod::ChangePoint => Some(Method::ChangePoint),
        BaselineMethod::DegreeDays => Some(Method::DegreeDays),
        BaselineMethod::Drivers => None,
    }
}

/// Fits a baseline on the periods. `None` when they do not allow it; the findings say why.
#[must_use]
pub fn fit(
    periods: &[FitPeriod],
    temperatures: &DailyMeans,
    wanted: &Wanted<'_>,
) -> (Option<Fitted>, Vec<Finding>) {
    let mut findings = Vec::new();
    let (subject, bounds) = (wanted.subject, (wanted.from, wanted.to));
    let mut usable = sufficiency::screen(periods, temperatures, bounds, subject, &mut findings);
    let of_weather = method(wanted.method);
    if of_weather.is_none() {
        usable = driven::stated(usable, wanted.calendar, subject, &mut findings);
    }
    let less = match wanted.method {
        BaselineMethod::DegreeDays => true,
        BaselineMethod::Auto => wanted.short,
        _ => false,
    };
    if !sufficiency::enough(&usable, less, subject, &mut findings) {
        return (None, findings);
    }
    let asked = Asked {
        subject,
        method: of_weather.unwrap_or(Method::Auto),
        // The step of CalTRACK's own library.
        grid: Grid::FAHRENHEIT_1,
        terms: terms(wanted.carrier),
    };
    let data = Data::of(&usable, temperatures);
    let chosen = of_weather.map(|_| choose::chosen(&asked, &data, (false, None), &mut findings));
    let run = |data: &Data, findings: &mut Vec<Finding>| match chosen {
        Some(method) => choose::run(&asked, method, data, findings),
        None => driven::law(&asked, wanted.drivers, wanted.calendar, data, findings),
    };
    let Some(law) = run(&data, &mut findings) else {
        findings.push(choose::impossible(&format!("{subject} baseline")));
        return (None, findings);
    };
    findings.extend(law.findings.iter().cloned());
    let about = format!("{subject} baseline");
    let window = Window { from: wanted.from, to: wanted.to };
    let basis = rules::Basis { subject: &about, window, fit: &law, data: &data, daily: false };
    rules::judge_fit(&basis, &mut findings);
    let found = breaks::find(&breaks::points(&law.predict_each(&data), &data), law.freedom);
    findings.extend(found.map(|found| breaks::finding(&found, subject, "baseline")));
    let doubt = doubt(run, &law, &usable, temperatures);
    let fitted = Fitted::new(law, &data, doubt);
    sufficiency::judge(&fitted.model, subject, &mut findings);
    findings.extend(sufficiency::prorated(&usable, temperatures, &fitted.model, subject));
    (Some(fitted), findings)
}

/// The laws of the same method when the days without a temperature of their own were as cold or as warm as may be.
pub(super) fn doubt(
    run: impl Fn(&Data, &mut Vec<Finding>) -> Option<Fit>,
    best: &Fit,
    usable: &[FitPeriod],
    temperatures: &DailyMeans,
) -> Option<WeatherDoubt> {
    let lacks = |p: &FitPeriod| {
        let weather = temperatures.heating(DegreeDayDefinition::to_base(0.0), p.from, p.to);
        0 < weather.missing_days + weather.filled_days
    };
    if !usable.iter().any(lacks) {
        return None;
    }
    let spans = || usable.iter().map(|p| (p.from, p.to));
    let under = |means: &DailyMeans| {
        let other = run(&Data::of(usable, means), &mut Vec::new());
        other.unwrap_or_else(|| best.clone())
    };
    let coldest = under(&temperatures.coldest(spans()));
    let warmest = under(&temperatures.mirrored().coldest(spans()).mirrored());
    Some(WeatherDoubt { coldest, warmest })
}

#[cfg(test)]
mod tests;
