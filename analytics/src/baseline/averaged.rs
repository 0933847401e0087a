//! The default for bills: an average over balance points and shapes, weighted by how well each explains the bills.
//!
//! Must never: bet on one balance point that the bills cannot tell from its neighbour, let one wrong bill make the
//! model, or be certain of weather that the baseline never met.
//!
//! Twelve bills do not tell one balance point from the next, nor always whether there is a term at all. A method that
//! picks the best fit makes a choice that is mostly luck, and its band does not know. Here every law per day
//! (flat, heating, cooling, both; balance points every half kelvin) keeps the weight that Bayes' theorem gives it, and
//! what is predicted is their mixture, so that disagreement between laws that fit equally well widens the band.
//! Integrals are closed forms (`search`); nothing is drawn at random. `priors` holds all that is assumed.
//!
//! Bills of a summer's weeks that fall short of the law may be a closure that comes every year: then they are no part of
//! the law, and the prediction has the closure again (`closed`).
//!
//! Noise may grow with the days of a bill (habits) or also with its use (a month that is busier in everything); both
//! are weighed. A bill that the others contradict is tried as grossly wrong, and counts for as much as that is unlikely.

use model::{Finding, Severity};

use super::caltrack::Terms;
use super::data::{Data, Grid, Row};
use super::fit::{Experience, Fit, Kind, Leverage, Member, Model, Quality, Regressor, Scatter};
use super::wls;

mod alone;
mod closed;
mod follow;
mod law;
mod look;
mod priors;
mod search;

use law::Law;
use look::{Hypothesis, Look};
use priors::PRIORS;
use search::{Bill, Search};

/// Stable name of the method, as on the command line.
pub const METHOD: &str = "averaged";

/// Balance points every half kelvin, of heating from 5 °C, of cooling from 9 °C.
const GRID: Grid = Grid { first_c: 5.0, step_c: 0.5, count: OFFSET + POINTS };
const POINTS: usize = 41;
/// Points of the grid below the first of cooling.
const OFFSET: usize = 8;
/// A first look takes every fourth point.
const COARSE: usize = 4;
const COARSE_POINTS: usize = POINTS.div_ceil(COARSE);

/// Least degree days of a term in the baseline, in K·d: less is the weather of a few days, and the slope would be
/// anything. A term that one warm month shows stays, beside the hypothesis that this month's bill is wrong.
const DEGREE_DAYS_MIN: f64 = 10.0;

/// Fewest bills. A law with two terms and two balance points needs more to be told, but the others still are weighed.
pub const BILLS_MIN: usize = 4;

/// Share of the odds from which on a bill is reported as wrong.
const REPORTED: f64 = 0.5;

/// The average over all laws. `None` with too few bills, or when they do not add up to any use, or a bill has no
/// day with a temperature. `subject` begins the findings' subjects, such as `meter:boiler baseline`.
#[must_use]
pub fn fit(data: &Data, terms: Terms, subject: &str) -> Option<Fit> {
    let table = data.table(GRID);
    let known = data.rows().iter().all(|row| 0.0 < row.known_days && row.energy.is_finite());
    if data.len() < BILLS_MIN || !known || data.energy() <= 0.0 {
        return None;
    }
    let bills: Vec<Bill<POINTS>> = data
        .rows()
        .iter()
        .enumerate()
        .map(|(r, row)| Bill {
            days: row.days,
            energy: row.energy,
            heating: std::array::from_fn(|p| row.days * at(table.heating(p), r)),
            cooling: std::array::from_fn(|p| row.days * at(table.cooling(p + OFFSET), r)),
        })
        .collect();
    let average = Average::of(&bills, data.rows(), terms == Terms::HeatingAndCooling);
    Some(average.finish(data, &bills, terms, subject))
}

fn at(column: &[f64], row: usize) -> f64 {
    column.get(row).copied().unwrap_or(0.0)
}

/// All laws of all hypotheses, and what they were weighed with.
struct Average {
    laws: Vec<Law>,
    /// Which hypothesis each law stands under, in the order of `laws`.
    under: Vec<usize>,
    hypotheses: Vec<Hypothesis>,
    /// Weight of the laws of each hypothesis.
    probabilities: Vec<f64>,
    /// What the laws together expect of each bill, open all year.
    expected: Vec<f64>,
    days: f64,
    energy: f64,
}

/// The two ways in which noise may grow.
const WITH_DAYS: usize = 0;
const WITH_USE: usize = 1;

impl Average {
    fn of(bills: &[Bill<POINTS>], rows: &[Row], with_cooling: bool) -> Self {
        let priors = &PRIORS[usize::from(with_cooling)];
        let mut look = Look::new(bills, rows, with_cooling);
        let (hypotheses, variance) = look.hypotheses();
        let mut average = Self {
            laws: Vec::with_capacity(512),
            under: Vec::with_capacity(512),
            probabilities: vec![0.0; hypotheses.len()],
            hypotheses,
            expected: Vec::new(),
            days: look.mean_days,
            energy: look.mean_energy,
        };
        let (coarse_bills, coarse_priors) = look.coarse();
        let mut coarse_laws = Vec::with_capacity(256);
        let mut best = f64::NEG_INFINITY;
        for number in 0..average.hypotheses.len() {
            let hypothesis = average.hypotheses[number];
            let mut weights = look.weights(&hypothesis, None, variance);
            for noise in [WITH_DAYS, WITH_USE] {
                let log_prior = hypothesis.log_prior() - std::f64::consts::LN_2;
                let view = look.view(&weights, noise, variance, log_prior);
                coarse_laws.clear();
                let coarse = Search::new(coarse_bills, &view, coarse_priors).all(&mut coarse_laws);
                let before = average.laws.len();
                let refined = Search::new(bills, &view, priors).fine(&coarse, best, &mut average.laws);
                best = best.max(refined);
                if noise == WITH_DAYS {
                    let own = average.laws.get_mut(before..).unwrap_or_default();
                    weigh(own);
                    weights = look.weights(&hypothesis, Some(&means(own, bills)), variance);
                }
            }
            average.under.resize(average.laws.len(), number);
        }
        average.keep();
        average.expected = means(&average.laws, bills);
        average
    }

    /// Drops the hopeless laws and makes the weights of the others sum to 1.
    fn keep(&mut self) {
        let best = self.laws.iter().map(|law| law.log_weight).fold(f64::NEG_INFINITY, f64::max);
        let kept = |law: &Law| best - search::KEPT <= law.log_weight;
        let under: Vec<usize> =
            self.laws.iter().zip(&self.under).filter(|(law, _)| kept(law)).map(|(_, u)| *u).collect();
        self.under = under;
        self.laws.retain(kept);
        weigh(&mut self.laws);
        for (law, under) in self.laws.iter().zip(&self.under) {
            self.probabilities[*under] += law.weight;
        }
    }

    fn finish(&self, data: &Data, bills: &[Bill<POINTS>], terms: Terms, subject: &str) -> Fit {
        let laws = self.laws.iter().zip(&self.under);
        let inflation = self.inflation(data.rows(), bills);
        let member = |(law, under): (&Law, &usize)| Member { inflation, ..self.member(law, *under, bills) };
        let members: Vec<Member> = laws.map(member).collect();
        let model = self.shown(data);
        let parameters = 1.0
            + self
                .laws
                .iter()
                .map(|law| {
                    2.0 * law.weight
                        * f64::from(u8::from(law.heating.is_some()) + u8::from(law.cooling.is_some()))
                })
                .sum::<f64>();
        Fit {
            method: METHOD,
            quality: self.quality(data, bills, &members, parameters),
            members,
            model,
            freedom: self.laws.iter().map(|law| law.weight * law.freedom).sum(),
            findings: self.findings(data, subject),
            driving: None,
            experience: Some(Experience::of(
                data,
                terms == Terms::HeatingAndCooling,
                self.energy / self.days,
            )),
        }
    }

    fn member(&self, law: &Law, under: usize, bills: &[Bill<POINTS>]) -> Member {
        let window = self.hypotheses.get(under).and_then(|hypothesis| hypothesis.closed);
        let variance_per_day = law.variance / self.days;
        let scale = if 0.0 < variance_per_day { 1.0 / variance_per_day } else { 0.0 };
        Member {
            weight: law.weight,
            model: model(law),
            variance_per_day,
            inflation: 1.0,
            leverage: Leverage(law.covariance.map(|row| row.map(|x| x * scale))),
            closure: window.and_then(|window| window.closure(bills, law)),
            scatter: if law.noise == WITH_DAYS {
                Scatter::Days
            } else {
                Scatter::Use { mean_per_day: self.energy / self.days }
            },
        }
    }

    /// How well the mixture, which is what predicts, follows the bills that it counts.
    fn quality(&self, data: &Data, bills: &[Bill<POINTS>], members: &[Member], parameters: f64) -> Quality {
        let mut modelled = self.expected.clone();
        for (law, member) in self.laws.iter().zip(members).filter(|(_, member)| member.closure.is_some()) {
            for ((row, bill), energy) in data.rows().iter().zip(bills).zip(&mut modelled) {
                *energy -= law.weight * (1.0 - member.kept(row).0) * expected(law, bill);
            }
        }
        let counts = |bill: usize| self.gross_probability(bill) < REPORTED;
        if (0..bills.len()).all(counts) {
            return Quality::between(data, &modelled, parameters);
        }
        let kept = modelled.iter().enumerate().filter(|(bill, _)| counts(*bill));
        Quality::between(&data.only(counts), &kept.map(|(_, energy)| *energy).collect::<Vec<_>>(), parameters)
    }

    /// The law of the likeliest shape that is nearest to what the mixture expects of the bills, so that whoever computes
    /// with the coefficients shown comes to what the mixture predicts. At the mean of the shape's balance points; with the
    /// mean of its coefficients where the nearest ones would be negative or cannot be told apart.
    fn shown(&self, data: &Data) -> Model {
        let mean_of_shape = self.mean_of_likeliest();
        let nearest = wls::solve(&data.with_energies(&self.expected), mean_of_shape);
        let physical =
            |m: &Model| 0.0 <= m.base_per_day.min(m.heating_per_degree_day).min(m.cooling_per_degree_day);
        nearest.filter(physical).unwrap_or(mean_of_shape)
    }

    /// The mean of the laws of the likeliest shape.
    fn mean_of_likeliest(&self) -> Model {
        let kinds = [Kind::Flat, Kind::Heating, Kind::Cooling, Kind::HeatingCooling];
        let share =
            |kind: Kind| self.laws.iter().filter(|l| kind_of(l) == kind).map(|l| l.weight).sum::<f64>();
        let kind = kinds.into_iter().max_by(|a, b| share(*a).total_cmp(&share(*b))).unwrap_or(Kind::Flat);
        let whole = share(kind);
        let mean = |of: &dyn Fn(&Model) -> f64| {
            let own = self.laws.iter().filter(|l| kind_of(l) == kind);
            own.map(|l| l.weight * of(&model(l))).sum::<f64>() / whole
        };
        let balance = |of: fn(&Model) -> Option<f64>, has: bool| has.then(|| mean(&|m| of(m).unwrap_or(0.0)));
        Model {
            kind,
            regressor: Regressor::EachDay,
            base_per_day: mean(&|m| m.base_per_day),
            heating_balance_c: balance(
                |m| m.heating_balance_c,
                matches!(kind, Kind::Heating | Kind::HeatingCooling),
            ),
            cooling_balance_c: balance(
                |m| m.cooling_balance_c,
                matches!(kind, Kind::Cooling | Kind::HeatingCooling),
            ),
            heating_per_degree_day: mean(&|m| m.heating_per_degree_day),
            cooling_per_degree_day: mean(&|m| m.cooling_per_degree_day),
        }
    }

    /// The weight of the laws whose hypothesis is so.
    fn probability(&self, is: impl Fn(&Hypothesis) -> bool) -> f64 {
        self.hypotheses.iter().zip(&self.probabilities).filter(|(h, _)| is(h)).map(|(_, p)| p).sum()
    }

    fn gross_probability(&self, bill: usize) -> f64 {
        self.probability(|h| h.is_gross(bill))
    }

    /// Bills that are more likely wrong than right, and a closure that is likelier than not.
    fn findings(&self, data: &Data, subject: &str) -> Vec<Finding> {
        let mut findings = self.gross_findings(data, subject);
        if REPORTED <= self.probability(|h| h.closed.is_some()) {
            let weight =
                |h: &Hypothesis| h.closed.map(|_| self.probability(|other| other.closed == h.closed));
            let closed = self.hypotheses.iter().filter(|h| h.closed.is_some());
            let likeliest =
                closed.max_by(|a, b| weight(a).unwrap_or(0.0).total_cmp(&weight(b).unwrap_or(0.0)));
            findings.extend(likeliest.and_then(|h| h.closed).map(|w| w.finding(data.rows(), subject)));
        }
        findings
    }

    /// Bills that are more likely wrong than right.
    fn gross_findings(&self, data: &Data, subject: &str) -> Vec<Finding> {
        let probability = |bill: usize| self.gross_probability(bill);
        let rows = data.rows().iter().zip(&self.expected).enumerate();
        rows.filter(|(bill, _)| REPORTED <= probability(*bill))
            .map(|(_, (row, expected))| {
                let says = format!(
                    "the period from {} to {} contradicts the others: {:.0} where the weather lets expect {:.0}; it \
                     hardly counts in the model",
                    row.from, row.to, row.energy, expected
                );
                let rule = "robust estimation: one wrong bill in a hundred is assumed; ASHRAE Guideline 14-2014: no \
                            bill is left out without cause";
                Finding::new("fit.gross_period", Severity::Caution, subject, says, rule)
                    .with("from", row.from)
                    .with("to", row.to)
                    .with("energy", format!("{:.0}", row.energy))
                    .with("expected", format!("{expected:.0}"))
            })
            .collect()
    }
}

/// Makes the weights sum to 1; their sum before, in units of the largest.
fn weigh(laws: &mut [Law]) -> f64 {
    let best = laws.iter().map(|law| law.log_weight).fold(f64::NEG_INFINITY, f64::max);
    let mut sum = 0.0;
    for law in laws.iter_mut() {
        law.weight = (law.log_weight - best).exp();
        sum += law.weight;
    }
    laws.iter_mut().for_each(|law| law.weight /= sum);
    sum
}

/// Days, heating and cooling degree days of a bill at the balance points of a law of the same grid.
fn regressors<const N: usize>(law: &Law, bill: &Bill<N>) -> [f64; 3] {
    let of =
        |column: &[f64; N], point: Option<usize>| point.and_then(|p| column.get(p)).copied().unwrap_or(0.0);
    [bill.days, of(&bill.heating, law.heating), of(&bill.cooling, law.cooling)]
}

/// What a law expects of a bill of the same grid.
fn expected<const N: usize>(law: &Law, bill: &Bill<N>) -> f64 {
    let [days, heating, cooling] = regressors(law, bill);
    law.energy(days, heating, cooling)
}

/// What the laws together expect of each bill.
fn means(laws: &[Law], bills: &[Bill<POINTS>]) -> Vec<f64> {
    let mut sums = vec![0.0; bills.len()];
    for law in laws {
        sums.iter_mut().zip(bills).for_each(|(sum, bill)| *sum += law.weight * expected(law, bill));
    }
    sums
}

fn kind_of(law: &Law) -> Kind {
    match (law.heating, law.cooling) {
        (None, None) => Kind::Flat,
        (Some(_), None) => Kind::Heating,
        (None, Some(_)) => Kind::Cooling,
        (Some(_), Some(_)) => Kind::HeatingCooling,
    }
}

fn model(law: &Law) -> Model {
    Model {
        kind: kind_of(law),
        regressor: Regressor::EachDay,
        base_per_day: law.coefficients[0],
        heating_balance_c: law.heating.map(|p| GRID.balance_c(p)),
        cooling_balance_c: law.cooling.map(|p| GRID.balance_c(p + OFFSET)),
        heating_per_degree_day: law.coefficients[1],
        cooling_per_degree_day: law.coefficients[2],
    }
}
