//! What stands beside a year's avoided energy: savings under a reference year, and avoided energy since completion.
//!
//! Must never: give a normalised saving without a law of the reporting months, or leave its absence without a reason.

use chrono::NaiveDate;
use model::{MeterId, Month, Project, ReferenceYear};

use super::{Cumulated, Modelled, REFERENCE_YEARS_MIN, Reference, cumulated, normalised, whole_years};
use crate::degree_days::{DailyMeans, DegreeDayDefinition};
use crate::evaluate::COVERAGE_MIN;
use crate::evaluate::laws::Laws;
use crate::places::{Place, ZoneRules};

/// Why there is no normalised saving.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Withheld {
    /// The station has too few whole years of temperatures.
    YearsMissing,
    /// The legal degree days of the municipality, or its heating season, are not known.
    PlaceMissing,
    /// The months since completion do not suffice for a law of their own.
    ReportingShort,
    /// Temperatures of a year of the reference are missing.
    WeatherMissing,
}

impl Withheld {
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::YearsMissing => "years_missing",
            Self::PlaceMissing => "place_missing",
            Self::ReportingShort => "reporting_short",
            Self::WeatherMissing => "weather_missing",
        }
    }
}

/// One meter's savings in these forms.
#[derive(Debug, Clone, PartialEq)]
pub struct MeterForms {
    pub meter: MeterId,
    pub normalised: Result<Modelled, Withheld>,
    pub cumulated: Cumulated,
    /// Whole months from completion to the end of the figures.
    pub months_due: u32,
}

/// Mean heating degree days of a reference year's months, at one base.
#[derive(Debug, Clone, PartialEq)]
pub struct ReferenceMonths {
    pub base_c: f64,
    /// Twelve values in K·d, scaled as the reference is; `None` where a year lacks temperatures of the month.
    pub months: Vec<Option<f64>>,
}

/// Savings of a project's meters in their other forms.
#[derive(Debug, Clone, PartialEq)]
pub struct Forms {
    /// The reference year that the project asks for.
    pub kind: ReferenceYear,
    /// Whole years that the station has.
    pub years_known: usize,
    pub reference: Option<Reference>,
    /// Of the meters that have a baseline, in order of the project file.
    pub meters: Vec<MeterForms>,
    /// Every base of a baseline's law, each once, ascending; empty without a reference.
    pub months: Vec<ReferenceMonths>,
}

/// What can be said of a project's meters by the day `until`.
#[must_use]
pub fn forms(
    project: &Project,
    laws: &[Laws],
    history: &DailyMeans,
    until: NaiveDate,
    place: Option<&(Place, ZoneRules)>,
) -> Forms {
    let kind = project.terms.reference;
    let years_known = whole_years(history, until).len();
    let reference = Reference::of(kind, history, until, place);
    let first = Month::of(project.dates.completed).next();
    let months_due =
        std::iter::successors(Some(first), |m| Some(m.next())).take_while(|m| m.end_day() <= until);
    let months_due = u32::try_from(months_due.count()).unwrap_or(u32::MAX);
    let of = |laws: &Laws| {
        let withheld = || match &reference {
            None if years_known < REFERENCE_YEARS_MIN => Withheld::YearsMissing,
            None => Withheld::PlaceMissing,
            Some(_) if laws.reporting.is_none() => Withheld::ReportingShort,
            Some(_) => Withheld::WeatherMissing,
        };
        let found = reference.as_ref().and_then(|reference| normalised(laws, reference, history));
        MeterForms {
            meter: laws.meter.clone(),
            normalised: found.ok_or_else(withheld),
            cumulated: cumulated(laws),
            months_due,
        }
    };
    let mut bases: Vec<f64> =
        laws.iter().filter_map(|l| l.baseline.as_deref()?.model.heating_base_c).collect();
    bases.sort_by(f64::total_cmp);
    bases.dedup_by(|a, b| (*a - *b).abs() < 1e-9);
    let months =
        reference.iter().flat_map(|r| bases.iter().map(|base_c| reference_months(r, history, *base_c)));
    Forms { kind, years_known, months: months.collect(), meters: laws.iter().map(of).collect(), reference }
}

fn reference_months(reference: &Reference, history: &DailyMeans, base_c: f64) -> ReferenceMonths {
    let month = |number: u32| {
        let of = |year: &i32| {
            let month = Month::new(*year, number)?;
            let days =
                history.heating(DegreeDayDefinition::to_base(base_c), month.first_day(), month.end_day());
            days.whole().filter(|_| COVERAGE_MIN <= days.coverage_ratio())
        };
        let sum = reference.years.iter().map(of).sum::<Option<f64>>()?;
        (!reference.years.is_empty()).then(|| reference.scale * sum / reference.years.len() as f64)
    };
    ReferenceMonths { base_c, months: (1..=12).map(month).collect() }
}
