//! A baseline under another period's weather: the adjusted baseline.
//!
//! Must never: adjust a law that follows the weather without weather, or forget how much of the weather was missing.

use chrono::NaiveDate;

use crate::baseline::Fitted;
use crate::baseline::data::Data;
use crate::baseline::fit::{Fit, Model, Regressor};
use crate::baseline::fitted::{WeatherDoubt, weather_of};
use crate::degree_days::{DailyMeans, DegreeDayDefinition, DegreeDays};
use crate::evaluate::COVERAGE_MIN;

/// Doubt of the weather under this share of the energy is of no matter to a figure.
const DOUBT_MIN: f64 = 0.001;

/// What the baseline building would have used in a period.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Adjusted {
    /// In display units. Days without a temperature count at the mean of the others.
    pub energy: f64,
    /// Parts of `energy`.
    pub heating: f64,
    pub cooling: f64,
    /// Kelvin days at the shown bases, scaled to the whole period; 0 without the term.
    pub degree_days: f64,
    pub cooling_degree_days: f64,
    pub days: f64,
    /// How much less the truth may be than `energy` because of days without a temperature of their own, here and in
    /// the baseline: a missing day here may have had no degree days at all, a filled one may have been milder, and a
    /// missing day of the baseline may have been more extreme than any known, which makes the law less steep. Also
    /// because of weather that no other year of the station bears out.
    pub weather_less: f64,
    /// How much more it may be, by the same reasoning the other way round.
    pub weather_more: f64,
    /// Part of `energy`: what people's adjustments add.
    pub adjustment: f64,
    /// Part of `energy`: by how much the period's opening differs from the baseline's in the same months.
    pub calendar_effect: f64,
}

impl Adjusted {
    /// An amount that owes nothing to the weather.
    #[must_use]
    pub const fn constant(energy: f64, days: f64) -> Self {
        Self {
            energy,
            heating: 0.0,
            cooling: 0.0,
            degree_days: 0.0,
            cooling_degree_days: 0.0,
            days,
            weather_less: 0.0,
            weather_more: 0.0,
            adjustment: 0.0,
            calendar_effect: 0.0,
        }
    }

    /// With what people state that would have been used besides.
    #[must_use]
    pub fn plus(mut self, adjustment: f64) -> Self {
        self.energy += adjustment;
        self.adjustment += adjustment;
        self
    }

    /// With the weather at what is usual as one that it may have been: where that asks for less, so may the truth.
    #[must_use]
    pub fn no_more_sure_than(mut self, usual: &Self) -> Self {
        let less = self.energy - (usual.energy - usual.weather_less);
        self.weather_less = self.weather_less.max(less);
        self
    }

    /// Whether any of it that matters rests on a day without a temperature of its own.
    #[must_use]
    pub fn is_doubtful(&self) -> bool {
        DOUBT_MIN * self.energy.abs() < self.weather_less + self.weather_more
    }
}

/// Whether enough days of a period have a temperature that was measured or filled with a learned difference
/// (CalTRACK 2.0 §2.2.3.2).
#[must_use]
pub fn is_known(temperatures: &DailyMeans, from: NaiveDate, to: NaiveDate) -> bool {
    COVERAGE_MIN <= temperatures.heating(DegreeDayDefinition::to_base(0.0), from, to).coverage_ratio()
}

/// Whether a law can be held against a period: its weather is known where the law follows it, and its opening on every
/// day where the law follows that.
#[must_use]
pub fn is_comparable(fitted: &Fitted, temperatures: &DailyMeans, from: NaiveDate, to: NaiveDate) -> bool {
    let opening = fitted.law.driving.as_deref().is_none_or(|driving| driving.unstated_days(from, to) == 0);
    opening && (!fitted.model.follows_weather() || is_known(temperatures, from, to))
}

/// The law under the weather of `[from, to)`; `None` when it follows the weather and too few days have a temperature, or
/// the building's opening and a day of it is not stated.
#[must_use]
pub fn adjust(
    fitted: &Fitted,
    temperatures: &DailyMeans,
    from: NaiveDate,
    to: NaiveDate,
) -> Option<Adjusted> {
    if !is_comparable(fitted, temperatures, from, to) {
        return None;
    }
    let data = weather_of(temperatures, [(from, to)]);
    let row = data.rows().first()?;
    let prediction = fitted.law.predict(&data);
    let (heating_per_day, cooling_per_day) = fitted.law.model.degree_days_per_day(&data, row);
    let (least, most) = bounds(fitted, temperatures, prediction.energy, (from, to));
    Some(Adjusted {
        energy: prediction.energy,
        heating: prediction.heating,
        cooling: prediction.cooling,
        degree_days: row.days * heating_per_day,
        cooling_degree_days: row.days * cooling_per_day,
        days: row.days,
        weather_less: (prediction.energy - least).max(0.0),
        weather_more: (most - prediction.energy).max(0.0),
        adjustment: 0.0,
        calendar_effect: fitted.law.driving.as_deref().map_or(0.0, |driving| driving.effect(from, to)),
    })
}

/// Between which energies the period lies, whatever its days without a temperature and those of the baseline were.
fn bounds(
    fitted: &Fitted,
    temperatures: &DailyMeans,
    best: f64,
    (from, to): (NaiveDate, NaiveDate),
) -> (f64, f64) {
    bounds_of((&fitted.law, fitted.doubt.as_ref()), temperatures, best, (from, to))
}

/// The same of a law and of what its baseline's days without a temperature may have made of it.
pub(crate) fn bounds_of(
    (law, doubt): (&Fit, Option<&WeatherDoubt>),
    temperatures: &DailyMeans,
    best: f64,
    (from, to): (NaiveDate, NaiveDate),
) -> (f64, f64) {
    let own = temperatures.heating(DegreeDayDefinition::to_base(0.0), from, to);
    if own.missing_days + own.filled_days == 0 && doubt.is_none() {
        return (best, best);
    }
    let weather = Weather::of(temperatures, from, to);
    let doubt = doubt.into_iter().flat_map(|doubt| [&doubt.coldest, &doubt.warmest]);
    let (mut least, mut most) = (best, best);
    for law in [law].into_iter().chain(doubt) {
        let (low, high) = weather.bounds(law);
        least = least.min(low);
        most = most.max(high);
    }
    (least, most)
}

/// A period's weather as mild and as extreme as its days without a temperature of their own may have been.
struct Weather<'a> {
    temperatures: &'a DailyMeans,
    mirrored: DailyMeans,
    /// All such days cold, all such days warm: for laws of the period's mean.
    coldest: Data,
    warmest: Data,
    from: NaiveDate,
    to: NaiveDate,
}

impl<'a> Weather<'a> {
    fn of(temperatures: &'a DailyMeans, from: NaiveDate, to: NaiveDate) -> Self {
        let mirrored = temperatures.mirrored();
        let coldest = weather_of(&temperatures.coldest([(from, to)]), [(from, to)]);
        let warmest = weather_of(&mirrored.coldest([(from, to)]).mirrored(), [(from, to)]);
        Self { temperatures, mirrored, coldest, warmest, from, to }
    }

    /// Least and most energy of the period under a law.
    fn bounds(&self, law: &Fit) -> (f64, f64) {
        let days = (self.to - self.from).num_days() as f64;
        let (mut least, mut most) = (0.0, 0.0);
        let row = self.coldest.rows().first();
        for member in &law.members {
            let model = &member.model;
            let (heating, cooling) = self.degree_days(model);
            let weight = member.weight * row.map_or(1.0, |row| member.kept(row).0);
            least += weight * model.base_per_day * days;
            most += weight * model.base_per_day * days;
            for (slope, (mild, extreme)) in
                [(model.heating_per_degree_day, heating), (model.cooling_per_degree_day, cooling)]
            {
                least += weight * (slope * mild).min(slope * extreme);
                most += weight * (slope * mild).max(slope * extreme);
            }
        }
        if let Some(driving) = law.driving.as_deref() {
            let energy = driving.energy(&driving.sums(self.from, self.to));
            least += energy;
            most += energy;
        }
        (least, most)
    }

    /// Least and most heating, least and most cooling degree days of the period, as the law counts them.
    fn degree_days(&self, model: &Model) -> ((f64, f64), (f64, f64)) {
        match model.regressor {
            Regressor::EachDay => {
                let of = |means: &DailyMeans, base_c: f64| {
                    let sum: DegreeDays =
                        means.heating(DegreeDayDefinition::to_base(base_c), self.from, self.to);
                    (sum.least(), sum.most())
                };
                let heating = model.heating_balance_c.map(|b| of(self.temperatures, b));
                let cooling = model.cooling_balance_c.map(|b| of(&self.mirrored, -b));
                (heating.unwrap_or_default(), cooling.unwrap_or_default())
            }
            Regressor::PeriodMean => {
                let of = |data: &Data| {
                    let row = data.rows().first();
                    row.map_or((0.0, 0.0), |row| {
                        let (h, c) = model.degree_days_per_day(data, row);
                        (row.days * h, row.days * c)
                    })
                };
                let (cold, warm) = (of(&self.coldest), of(&self.warmest));
                ((warm.0, cold.0), (cold.1, warm.1))
            }
        }
    }
}
