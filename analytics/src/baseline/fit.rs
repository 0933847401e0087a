//! What every baseline method gives back, and how any of them predicts.
//!
//! Must never: predict without the variance of the prediction, or add bands of sums that share a model as if they were
//! independent.
//!
//! Every model here is a law per day: use = base + heating × (heating balance − T)⁺ + cooling × (T − cooling balance)⁺.
//! A fit is one such model or a weighted mixture of them. The energy of a sum of days is linear in three numbers, its
//! days and its heating and cooling degree days, so the variance of any sum is exact: s² g'(X'WX)⁻¹g, with
//! g = (days, heating degree days, cooling degree days), and the scatter of the days themselves, s² × days.
//! Daily residuals follow each other; `inflation` raises both for it.

use chrono::{Datelike, Days, NaiveDate};
use model::Finding;
use statrs::distribution::{ContinuousCDF, StudentsT};

use super::data::{Data, Row};
use super::driving::Driving;

mod columns;

use columns::Columns;

/// Which law, by the terms it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The same every day.
    Flat,
    Heating,
    Cooling,
    HeatingCooling,
    /// A straight line in the temperature, of either sign (2P).
    Linear,
    /// Two straight lines that meet in one balance point (4P).
    TwoLines,
}

impl Kind {
    pub const ALL: [Self; 6] =
        [Self::Flat, Self::Heating, Self::Cooling, Self::HeatingCooling, Self::Linear, Self::TwoLines];

    /// Stable, for files and the command line; CalTRACK's names where it has one.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Flat => "intercept_only",
            Self::Heating => "hdd_only",
            Self::Cooling => "cdd_only",
            Self::HeatingCooling => "cdd_hdd",
            Self::Linear => "linear",
            Self::TwoLines => "two_lines",
        }
    }
}

/// Which temperature the law is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Regressor {
    /// Of each day; a period has the sum of its days (degree days).
    EachDay,
    /// Of the period as a whole: the mean over its days (change-point models on monthly means).
    PeriodMean,
}

impl Regressor {
    /// Mean heating degree days per day of a row, in K.
    fn heating(self, data: &Data, row: &Row, balance_c: f64) -> f64 {
        match self {
            Self::EachDay => data.heating_per_day(row, balance_c),
            Self::PeriodMean => (balance_c - row.mean_c).max(0.0),
        }
    }

    /// Mean cooling degree days per day of a row, in K.
    fn cooling(self, data: &Data, row: &Row, balance_c: f64) -> f64 {
        match self {
            Self::EachDay => data.cooling_per_day(row, balance_c),
            Self::PeriodMean => (row.mean_c - balance_c).max(0.0),
        }
    }
}

/// The coefficients of a law, in display units per day and K·d.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Model {
    pub kind: Kind,
    pub regressor: Regressor,
    pub base_per_day: f64,
    pub heating_balance_c: Option<f64>,
    pub cooling_balance_c: Option<f64>,
    /// 0 without the term.
    pub heating_per_degree_day: f64,
    pub cooling_per_degree_day: f64,
}

impl Model {
    #[must_use]
    pub const fn flat(base_per_day: f64) -> Self {
        Self {
            kind: Kind::Flat,
            regressor: Regressor::EachDay,
            base_per_day,
            heating_balance_c: None,
            cooling_balance_c: None,
            heating_per_degree_day: 0.0,
            cooling_per_degree_day: 0.0,
        }
    }

    /// Mean heating and cooling degree days per day of a row, as this law counts them.
    #[must_use]
    pub fn degree_days_per_day(&self, data: &Data, row: &Row) -> (f64, f64) {
        (
            self.heating_balance_c.map_or(0.0, |b| self.regressor.heating(data, row, b)),
            self.cooling_balance_c.map_or(0.0, |b| self.regressor.cooling(data, row, b)),
        )
    }

    /// Energy of a row, in display units. Days without a temperature count at the mean of the others.
    #[must_use]
    pub fn energy(&self, data: &Data, row: &Row) -> f64 {
        let (heating, cooling) = self.degree_days_per_day(data, row);
        row.days * self.per_day(heating, cooling)
    }

    fn per_day(&self, heating_per_day: f64, cooling_per_day: f64) -> f64 {
        self.base_per_day
            + self.heating_per_degree_day * heating_per_day
            + self.cooling_per_degree_day * cooling_per_day
    }
}

/// (X'WX)⁻¹ of base, heating and cooling, weights in days; rows of terms that the law lacks are 0.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Leverage(pub [[f64; 3]; 3]);

impl Leverage {
    /// g'(X'WX)⁻¹g.
    #[must_use]
    pub fn of(&self, g: [f64; 3]) -> f64 {
        let row = |r: &[f64; 3]| r[0] * g[0] + r[1] * g[1] + r[2] * g[2];
        (g[0] * row(&self.0[0]) + g[1] * row(&self.0[1]) + g[2] * row(&self.0[2])).max(0.0)
    }
}

/// One law of a fit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Member {
    /// Shares of all members sum to 1.
    pub weight: f64,
    pub model: Model,
    /// s²: variance of a day's energy around this law, in display units squared; a period of n days has n times it.
    pub variance_per_day: f64,
    /// At least 1 for variances raised by residuals that follow each other.
    pub inflation: f64,
    pub leverage: Leverage,
    pub scatter: Scatter,
    /// `None` where the building is open all year, as far as this law goes.
    pub closure: Option<Closure>,
}

/// A stretch of every year in which a building is closed, or nearly so.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Closure {
    /// Day of the year on which it begins; 1 is 1 January.
    pub from: u32,
    pub days: u32,
    /// Share of the law's use that is left, 0 to 1.
    pub left: f64,
    /// In how many years of the baseline it was seen.
    pub seen: f64,
}

impl Closure {
    /// Days of a row that lie in it.
    #[must_use]
    pub fn overlap(&self, row: &Row) -> f64 {
        let within = |year: i32| {
            let begin = NaiveDate::from_yo_opt(year, self.from.max(1))?;
            let end = begin.checked_add_days(Days::new(u64::from(self.days)))?;
            Some((end.min(row.to) - begin.max(row.from)).num_days().max(0) as f64)
        };
        // One that begins late in a year reaches into the next.
        let years = row.from.year() - 1..=row.to.year();
        years.filter_map(within).sum::<f64>().min(row.days)
    }

    /// What is left of the use of a row with so many closed days.
    fn kept(&self, row: &Row, closed_days: f64) -> f64 {
        1.0 - closed_days / row.days * (1.0 - self.left)
    }
}

impl Member {
    /// Share of the law's use that is left in a row, and the days of it that are closed.
    #[must_use]
    pub fn kept(&self, row: &Row) -> (f64, f64) {
        let Some(closure) = self.closure else { return (1.0, 0.0) };
        let closed_days = closure.overlap(row);
        (closure.kept(row, closed_days), closed_days)
    }

    /// The rows of parts as this law counts them. Of `heating` and `cooling`, their degree days per day, the first row is
    /// number `first`.
    fn over(&self, (heating, cooling): (&[f64], &[f64]), first: usize, parts: &[Part<'_>]) -> Counted {
        let mut sum = Counted::default();
        let mut number = first;
        for part in parts {
            for row in part.rows {
                let h = heating.get(number).copied().unwrap_or(0.0) * part.heating_scale;
                let c = cooling.get(number).copied().unwrap_or(0.0);
                let (kept, closed) = self.kept(row);
                sum.open_days += part.share * row.days * kept;
                sum.closed_days += part.share * closed;
                sum.heating += part.share * row.days * h * kept;
                sum.cooling += part.share * row.days * c * kept;
                sum.noisy_days += part.share * self.scatter.days(row, kept * self.model.per_day(h, c));
                number += 1;
            }
        }
        sum
    }

    /// Variance of what a closure leaves on so many of its days: it was seen once in each year of the baseline.
    fn closed_variance(&self, days: f64) -> f64 {
        self.closure.map_or(0.0, |c| {
            self.variance_per_day * days * days / (f64::from(c.days.max(1)) * c.seen.max(1.0))
        })
    }
}

/// Sums over rows: days that are open, closed, and as the variance counts them; degree days, in K·d.
#[derive(Debug, Clone, Copy, Default)]
struct Counted {
    open_days: f64,
    closed_days: f64,
    noisy_days: f64,
    heating: f64,
    cooling: f64,
}

/// How the variance of a period grows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scatter {
    /// With its days.
    Days,
    /// With its days and the square of its use per day, relative to the mean use per day of the baseline.
    Use { mean_per_day: f64 },
}

impl Scatter {
    /// By how much the variance of a day is larger than at the mean use, when its use is `ratio` times the mean; a
    /// tenth of the mean at the least, so that a period without use is not free of noise.
    #[must_use]
    pub fn relative(ratio: f64) -> f64 {
        ratio.max(0.1).powi(2)
    }

    /// Days of `row` as the variance counts them, when the law gives it so much energy `per_day`.
    fn days(self, row: &Row, per_day: f64) -> f64 {
        match self {
            Self::Days => row.days,
            Self::Use { mean_per_day } => row.days * Self::relative(per_day / mean_per_day),
        }
    }
}

/// What weather a baseline has met, and what a term may use that it could not show. Degree days in K·d.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Experience {
    pub heating_c: f64,
    pub heating: f64,
    /// `None` for a meter that does not cool.
    pub cooling_c: Option<f64>,
    pub cooling: f64,
    /// Use per degree day of a term that was not seen, in display units.
    pub slope: f64,
    /// How likely such a term is.
    pub likely: f64,
}

/// Use of a building per kelvin beyond a balance point that its baseline never met, as a share of its mean use: at
/// 10 K beyond it the term is twice all the rest.
const SLOPE_UNSEEN: f64 = 0.2;
/// How likely a term is that the baseline could not show: as likely as not.
const TERM_UNSEEN: f64 = 0.5;
/// Balance points at which weather is compared with what the baseline met, in °C.
const SEEN_HEATING_C: f64 = 15.0;
const SEEN_COOLING_C: f64 = 22.0;

/// Degree days of a year that count as met beside twice those of the baseline, in K·d: a warm or a cold week.
const MET_ANYWAY: f64 = 20.0;
/// Days of a year with a leap day: rows of no more are judged together, wherever the year begins.
const YEAR_DAYS_MAX: i64 = 366;

impl Experience {
    /// What these periods met of a building with this mean use, in display units per day. `cools` says whether the
    /// meter's fuel can cool at all.
    #[must_use]
    pub fn of(data: &Data, cools: bool, mean_per_day: f64) -> Self {
        let met = |per_day: &dyn Fn(&Row) -> f64| data.rows().iter().map(|r| r.days * per_day(r)).sum();
        Self {
            heating_c: SEEN_HEATING_C,
            heating: met(&|r| data.heating_per_day(r, SEEN_HEATING_C)),
            cooling_c: cools.then_some(SEEN_COOLING_C),
            cooling: met(&|r| data.cooling_per_day(r, SEEN_COOLING_C)),
            slope: SLOPE_UNSEEN * mean_per_day,
            likely: TERM_UNSEEN,
        }
    }

    /// Heating and cooling degree days of some rows beyond twice what the baseline met, in K·d. Each year is held
    /// against the baseline by itself: years like the baseline's are no new weather, however many they are. What is
    /// beyond it in several years adds up, since the same unknown use falls on all of them.
    #[must_use]
    pub fn unseen(&self, data: &Data, rows: &[Row]) -> (f64, f64) {
        let beyond = |met: f64, per_day: &dyn Fn(&Row) -> f64| {
            let of_year = |year: &[Row]| {
                let now: f64 = year.iter().map(|r| r.days * per_day(r)).sum();
                (now - 2.0 * met - MET_ANYWAY).max(0.0)
            };
            years(rows).map(of_year).sum::<f64>()
        };
        let cooling = self.cooling_c.map_or(0.0, |c| beyond(self.cooling, &|r| data.cooling_per_day(r, c)));
        (beyond(self.heating, &|r| data.heating_per_day(r, self.heating_c)), cooling)
    }

    /// Variance of what terms that the baseline could not show may use.
    #[must_use]
    pub fn variance(&self, data: &Data, rows: &[Row]) -> f64 {
        let (heating, cooling) = self.unseen(data, rows);
        self.likely * self.slope * self.slope * (heating * heating + cooling * cooling)
    }
}

/// Rows in order of time, by civil year where they are of more than a year: as the figures of each year judge them.
fn years(rows: &[Row]) -> impl Iterator<Item = &[Row]> {
    let span = rows.first().zip(rows.last()).map_or(0, |(first, last)| (last.to - first.from).num_days());
    let together = span <= YEAR_DAYS_MAX;
    rows.chunk_by(move |a, b| together || a.from.year() == b.from.year())
}

/// How well a fit follows its baseline. Ratios, not percent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quality {
    pub n: usize,
    /// Parameters that count in the degrees of freedom.
    pub parameters: f64,
    pub r2: f64,
    pub r2_adjusted: f64,
    /// Root of the mean square error of the periods' energies, degrees of freedom removed, over their mean.
    pub cvrmse_ratio: f64,
    pub nmbe_ratio: f64,
    /// Correlation of each period's residual with the one before; `None` with fewer than three, or without residuals.
    pub autocorrelation: Option<f64>,
}

/// A fitted baseline.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    /// Stable name of the method, as on the command line.
    pub method: &'static str,
    /// The one law, or the members of an average; never empty.
    pub members: Vec<Member>,
    /// What is shown of it: the one law, or the coefficients that stand for the average.
    pub model: Model,
    pub quality: Quality,
    /// Degrees of freedom of s², for Student's t.
    pub freedom: f64,
    pub findings: Vec<Finding>,
    /// `None` where the method does not judge the weather beyond its baseline's.
    pub experience: Option<Experience>,
    /// What it follows beside the weather; then it has one member. `None` of a law of the weather alone.
    pub driving: Option<Box<Driving>>,
}

/// Energy under given weather, with what is known of its error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prediction {
    /// In display units.
    pub energy: f64,
    pub days: f64,
    /// Parts of `energy`.
    pub heating: f64,
    pub cooling: f64,
    /// Of the model's mean, in display units squared.
    pub model_variance: f64,
    /// Of what the days themselves add around it.
    pub noise_variance: f64,
    pub freedom: f64,
}

impl Prediction {
    /// Half the band of what will be measured; `confidence` is 0.9 for 90 % two-sided.
    #[must_use]
    pub fn half_width(&self, confidence: f64) -> f64 {
        student(confidence, self.freedom) * (self.model_variance + self.noise_variance).sqrt()
    }
}

impl Fit {
    /// The energy of all rows together under their weather.
    #[must_use]
    pub fn predict(&self, data: &Data) -> Prediction {
        self.predict_rows(data, data.rows())
    }

    /// The energy of some rows together: their common model error is counted once, as it falls on all of them alike.
    #[must_use]
    pub fn predict_rows(&self, data: &Data, rows: &[Row]) -> Prediction {
        self.predict_parts(&[Part { data, rows, share: 1.0, heating_scale: 1.0 }])
    }

    /// The energy of all rows together, which are part of a time with the weather of `whole`: weather that the baseline
    /// never met counts of all of it, so that the band is no narrower where rows of it lack.
    #[must_use]
    pub fn predict_within(&self, data: &Data, whole: &Data) -> Prediction {
        let mut sum = self.predict_met(data);
        sum.model_variance += self.experience.map_or(0.0, |met| met.variance(whole, whole.rows()));
        sum
    }

    /// The energy of all rows together, without what weather that the baseline never met adds to the band.
    #[must_use]
    pub fn predict_met(&self, data: &Data) -> Prediction {
        let parts = [Part { data, rows: data.rows(), share: 1.0, heating_scale: 1.0 }];
        self.sum_met(&Columns::of(self, &parts), 0, &parts)
    }

    /// The energy of each row alone, in order: as `predict_rows` says of one, for all in one go.
    #[must_use]
    pub fn predict_each(&self, data: &Data) -> Vec<Prediction> {
        let part = |rows| Part { data, rows, share: 1.0, heating_scale: 1.0 };
        let columns = Columns::of(self, &[part(data.rows())]);
        let rows = data.rows().iter().enumerate();
        rows.map(|(number, row)| self.sum(&columns, number, &[part(std::slice::from_ref(row))])).collect()
    }

    /// The energy of parts together, each counted with its share: of a mean of years each has its part of one.
    #[must_use]
    pub fn predict_parts(&self, parts: &[Part<'_>]) -> Prediction {
        self.sum(&Columns::of(self, parts), 0, parts)
    }

    /// The parts' energy, their first row being number `first` of the columns.
    fn sum(&self, columns: &Columns, first: usize, parts: &[Part<'_>]) -> Prediction {
        let mut sum = self.sum_met(columns, first, parts);
        let unseen = |met: Experience| parts.iter().map(|p| p.share * met.variance(p.data, p.rows)).sum();
        sum.model_variance += self.experience.map_or(0.0, unseen);
        sum
    }

    /// The same, without what weather that the baseline never met adds to the band.
    fn sum_met(&self, columns: &Columns, first: usize, parts: &[Part<'_>]) -> Prediction {
        let days: f64 = parts.iter().map(Part::days).sum();
        let mut sum = Prediction {
            energy: 0.0,
            days,
            heating: 0.0,
            cooling: 0.0,
            model_variance: 0.0,
            noise_variance: 0.0,
            freedom: self.freedom,
        };
        let mut squares = 0.0;
        let driven = self.driving.as_deref().map(|driving| (driving, driving.sums_of(parts)));
        for (number, member) in self.members.iter().enumerate() {
            let (w, m) = (member.weight, &member.model);
            let own = member.over(columns.under(number), first, parts);
            let heat = m.heating_per_degree_day * own.heating;
            let cool = m.cooling_per_degree_day * own.cooling;
            let mut energy = m.base_per_day * own.open_days + heat + cool;
            let weather = [own.open_days, own.heating, own.cooling];
            let mut leverage = member.leverage.of(weather);
            if let Some((driving, sums)) = &driven {
                energy += driving.energy(sums);
                leverage = driving.leverage(weather, sums);
            }
            let variance = member.variance_per_day * member.inflation;
            sum.energy += w * energy;
            sum.heating += w * heat;
            sum.cooling += w * cool;
            squares += w * energy * energy;
            sum.model_variance += w * variance * leverage;
            sum.model_variance += w * member.closed_variance(own.closed_days);
            sum.noise_variance += w * variance * own.noisy_days;
        }
        if 1 < self.members.len() {
            // Members that disagree are part of what is not known.
            sum.model_variance += (squares - sum.energy * sum.energy).max(0.0);
        }
        sum
    }
}

/// Rows that are predicted together with others.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    pub data: &'a Data,
    pub rows: &'a [Row],
    /// How much of it counts.
    pub share: f64,
    /// What its heating degree days are multiplied by.
    pub heating_scale: f64,
}

impl Part<'_> {
    fn days(&self) -> f64 {
        self.share * self.rows.iter().map(|r| r.days).sum::<f64>()
    }
}

/// Student's t, two-sided. Infinite where there is no freedom: nothing is known of the scatter.
#[must_use]
pub fn student(confidence: f64, freedom: f64) -> f64 {
    let p = 0.5 + confidence.clamp(0.0, 0.999_999) / 2.0;
    StudentsT::new(0.0, 1.0, freedom).map_or(f64::INFINITY, |t| t.inverse_cdf(p))
}

impl Quality {
    /// Of one law with so many parameters.
    #[must_use]
    pub fn of(data: &Data, model: &Model, parameters: f64) -> Self {
        let modelled: Vec<f64> = data.rows().iter().map(|row| model.energy(data, row)).collect();
        Self::between(data, &modelled, parameters)
    }

    /// From measured and modelled energies of the rows, their weights in days, and the number of parameters.
    #[must_use]
    pub fn between(data: &Data, modelled: &[f64], parameters: f64) -> Self {
        let n = data.len();
        let count = n as f64;
        let whole: f64 = data.energy();
        let days: f64 = data.days();
        let mean = whole / days;
        let (mut sse, mut sst, mut squares, mut bias) = (0.0, 0.0, 0.0, 0.0);
        let residuals = data.rows().iter().zip(modelled).map(|(row, expected)| row.energy - expected);
        for (row, residual) in data.rows().iter().zip(residuals.clone()) {
            sse += residual * residual / row.days;
            sst += (row.energy - mean * row.days).powi(2) / row.days;
            squares += residual * residual;
            bias += residual;
        }
        let freedom = count - parameters;
        let r2 = if 0.0 < sst { 1.0 - sse / sst } else { 0.0 };
        let relative = |x: f64| if 0.0 < whole { x / whole } else { 0.0 };
        Self {
            n,
            parameters,
            r2,
            r2_adjusted: if 0.0 < freedom { 1.0 - (1.0 - r2) * (count - 1.0) / freedom } else { f64::NAN },
            cvrmse_ratio: if 0.0 < freedom { relative((squares / freedom).sqrt() * count) } else { f64::NAN },
            nmbe_ratio: if 0.0 < freedom { relative(bias) * count / freedom } else { f64::NAN },
            autocorrelation: autocorrelation(residuals),
        }
    }
}

/// Pearson's correlation of each value with the one before; `None` with fewer than three values or without variation.
pub(crate) fn autocorrelation(values: impl Iterator<Item = f64> + Clone) -> Option<f64> {
    let pairs = values.clone().zip(values.skip(1));
    let (mut n, mut a, mut b) = (0.0, 0.0, 0.0);
    for (x, y) in pairs.clone() {
        n += 1.0;
        a += x;
        b += y;
    }
    let (a, b) = (a / n, b / n);
    let (mut cross, mut left, mut right) = (0.0, 0.0, 0.0);
    for (x, y) in pairs {
        cross += (x - a) * (y - b);
        left += (x - a).powi(2);
        right += (y - b).powi(2);
    }
    let all = (left * right).sqrt();
    (2.0 <= n && 0.0 < all && all.is_finite()).then(|| cross / all)
}
