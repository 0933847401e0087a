//! What a forecast says beside its figures.
//!
//! Must never: name a target at risk without what the months left would have to bring.

use chrono::NaiveDate;
use model::{Finding, MeterFacts, Project, Severity};

use super::{KpiForecast, Needed, Outlook, YEARS_WANTED};
use crate::result::LegalDegreeDays;

pub(super) fn of_the_law(project: &Project, year: i32, legal: &LegalDegreeDays) -> Finding {
    let place = &legal.place;
    let says = format!(
        "the station has no past years: the months to come follow the {} legal degree days of {}, two kelvin colder to \
         two warmer, and the band is wide for it; import temperatures of past years",
        place.degree_days, place.name
    );
    let rule = "DPR 412/1993, annex A: legal degree days of a municipality, where no weather was measured";
    let about = format!("project:{} {year}", project.id);
    Finding::new("forecast.legal_weather", Severity::Caution, about, says, rule)
        .with("place", &place.name)
        .with("degree_days", place.degree_days)
}

pub(super) fn few_years(project: &Project, year: i32, years: usize) -> Finding {
    let says = format!(
        "the station has {years} past years for the months to come; the band is that of so few years, and \
         {YEARS_WANTED} are wanted"
    );
    let rule = "the range of the weather still to come is that of the station's past years";
    Finding::new("forecast.few_years", Severity::Note, format!("project:{} {year}", project.id), says, rule)
        .with("years", years)
        .with("wanted", YEARS_WANTED)
}

pub(super) fn standstill(project: &Project, kpi: &KpiForecast, year: i32) -> Option<Finding> {
    let (expected, confirmed) = (kpi.expected?, kpi.if_confirmed?);
    let decimals = kpi.decimals();
    let [expected, confirmed] = [expected, confirmed].map(|value| format!("{value:.decimals$}"));
    let says = format!(
        "{}: a total stands still and nobody has said why; it counts as use. {expected} {} expected; {confirmed} if a \
         person confirms that nothing was used",
        kpi.code, kpi.unit
    );
    let rule = "conservative direction: zero is a value only when the meter is known to work";
    let about = format!("project:{} kpi:{} {year}", project.id, kpi.code);
    Some(
        Finding::new("forecast.standstill", Severity::Caution, about, says, rule)
            .with("kpi", &kpi.code)
            .with("unit", kpi.unit)
            .with("expected", expected)
            .with("confirmed", confirmed),
    )
}

pub(super) fn at_risk(project: &Project, kpi: &KpiForecast, year: i32, months: usize) -> Option<Finding> {
    let (code, severity) = match kpi.outlook {
        Outlook::AtRisk => ("forecast.at_risk", Severity::Caution),
        Outlook::OutOfReach => ("forecast.out_of_reach", Severity::Caution),
        Outlook::Safe | Outlook::OnTrack | Outlook::Unknown => return None,
    };
    let decimals = kpi.decimals();
    let show = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |v| format!("{v:.decimals$}"));
    let (target, expected) = (show(kpi.target), show(kpi.expected));
    let (low, high) = (show(kpi.low), show(kpi.high));
    let (needed, unit) = (show(kpi.needed.map(Needed::value)), kpi.unit);
    let left = match kpi.needed {
        Some(Needed::Each(_)) => {
            format!("{months} months are left, and {needed} {unit} each of them would be needed")
        }
        Some(Needed::AtMost(_)) => format!("{months} months are left, at most {needed} {unit} each of them"),
        Some(Needed::ExceededBy(_)) => format!("already exceeded by {needed} {unit}"),
        None => format!("{months} months are left"),
    };
    let says = format!(
        "{}: {expected} {unit} expected at the end of the year ({low} to {high}), {target} wanted; {left}",
        kpi.code
    );
    let rule = "90 % band from what was measured, the models, and the range of the past years";
    let about = format!("project:{} kpi:{} {year}", project.id, kpi.code);
    Some(
        Finding::new(code, severity, about, says, rule)
            .with("kpi", &kpi.code)
            .with("unit", kpi.unit)
            .with("expected", expected)
            .with("low", low)
            .with("high", high)
            .with("target", target)
            .with("months", months)
            .with("needed", needed)
            .with("kind", kpi.needed.map_or("left", Needed::code)),
    )
}

/// No past year says what the plants of a KPI make in the months to come.
pub(super) fn no_past_production(project: &Project, kpi: &KpiForecast, year: i32) -> Option<Finding> {
    let says = format!(
        "{}: no forecast, because no past year of the same meters has all months to come and enough months beside this \
         year's: two past years, or one with three months of this year",
        kpi.code
    );
    let rule = "what a plant will make is forecast from what it made, never from what was declared";
    let about = format!("project:{} kpi:{} {year}", project.id, kpi.code);
    kpi.because
        .iter()
        .any(|code| code == NO_PAST_PRODUCTION)
        .then(|| Finding::new(NO_PAST_PRODUCTION, Severity::Note, about, says, rule).with("kpi", &kpi.code))
}

/// The code of [`no_past_production`], which withholds the forecast.
pub(super) const NO_PAST_PRODUCTION: &str = "forecast.no_past_production";

/// Months to come are priced at a tariff that has ended.
pub(super) fn tariff_held(meter: &MeterFacts, until: NaiveDate, year: i32) -> Finding {
    let says = format!(
        "no tariff of {} is stated from {until} on; the months to come are priced at the last one",
        meter.id
    );
    let rule = "a price to come is the last that a contract states, and that is said";
    Finding::new("forecast.tariff_held", Severity::Note, format!("meter:{} {year}", meter.id), says, rule)
        .with("meter", &meter.id)
        .with("until", until)
}
