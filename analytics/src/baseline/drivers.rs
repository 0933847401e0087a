//! Several drivers at once: degree days, opening days and hours, occupancy, production.
//!
//! Must never: keep a driver that the others already tell, or one that works against its physical sign.
//!
//! Use per day = base + Σ coefficient × driver per day, weighted by days (ISO 50006: a model of consumption on the
//! relevant variables; IPMVP Option C: routine adjustments). Before anything else the drivers are looked at alone: one
//! that is constant or a sum of others leaves, and a variance inflation factor over 10 is told. A driver that can only
//! add, such as degree days, leaves when the data give it a negative coefficient; the least certain first.

use model::{Finding, Severity};

use super::fit::Prediction;
use super::linear::{self, NoSolution, Solution};

/// Most drivers of a model; twelve months carry two or three.
pub const DRIVERS_MAX: usize = 12;
/// A variance inflation factor over this makes single coefficients unreliable (O'Brien 2007: the usual limit).
const INFLATION_MAX: f64 = 10.0;

/// Whether a driver may lower the use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// More of it never means less energy.
    Adds,
    Any,
}

/// A variable that the use may depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Driver {
    pub name: String,
    pub sign: Sign,
}

/// One period: its days, its energy in display units, and each driver's sum over it.
#[derive(Debug, Clone, PartialEq)]
pub struct Observed {
    pub days: f64,
    pub energy: f64,
    pub sums: Vec<f64>,
}

/// A driver that stayed.
#[derive(Debug, Clone, PartialEq)]
pub struct Term {
    /// Its place among the drivers given.
    pub driver: usize,
    /// Display units per unit of the driver.
    pub coefficient: f64,
    pub standard_error: f64,
    pub inflation: f64,
}

/// A fitted model of several drivers.
#[derive(Debug, Clone, PartialEq)]
pub struct DriversFit {
    pub base_per_day: f64,
    pub terms: Vec<Term>,
    pub n: usize,
    pub r2_adjusted: f64,
    pub cvrmse_ratio: f64,
    /// Variance of a day's energy around the model.
    pub variance_per_day: f64,
    pub freedom: f64,
    solution: Solution,
}

/// The model of those drivers that can be told apart and work the right way, and what was found about the others.
/// `None` with fewer rows than parameters and one more.
#[must_use]
pub fn fit(rows: &[Observed], drivers: &[Driver], subject: &str) -> (Option<DriversFit>, Vec<Finding>) {
    let mut findings = Vec::new();
    let mut kept: Vec<usize> = (0..drivers.len().min(DRIVERS_MAX)).collect();
    loop {
        if rows.len() < kept.len() + 2 {
            let says = format!("{} periods do not carry {} drivers; take fewer", rows.len(), kept.len());
            let rule = "least squares needs more periods than parameters";
            findings.push(
                Finding::new("driver.too_many", Severity::Blocks, subject, says, rule)
                    .with("drivers", kept.len())
                    .with("periods", rows.len()),
            );
            return (None, findings);
        }
        match solve(rows, &kept) {
            Err(NoSolution::Nothing) => return (None, findings),
            Err(NoSolution::Collinear(at)) => {
                let gone = kept.remove(at);
                findings.push(left_out(
                    drivers,
                    gone,
                    subject,
                    "driver.collinear",
                    "it is constant, or the others already tell it",
                    "collinear drivers have no coefficients of their own",
                ));
            }
            Ok(solution) => {
                let fit = DriversFit::of(rows, &kept, solution);
                let Some(gone) = fit.against_its_sign(drivers) else {
                    findings.extend(fit.inflated(drivers, subject));
                    return (Some(fit), findings);
                };
                kept.retain(|d| *d != gone);
                findings.push(left_out(
                    drivers,
                    gone,
                    subject,
                    "driver.wrong_sign",
                    "the data would have it lower the use",
                    "a driver that only adds has no negative coefficient",
                ));
            }
        }
    }
}

fn left_out(
    drivers: &[Driver],
    gone: usize,
    subject: &str,
    code: &'static str,
    why: &str,
    rule: &'static str,
) -> Finding {
    let name = drivers.get(gone).map_or("", |d| d.name.as_str());
    let says = format!("driver {name} was left out: {why}");
    Finding::new(code, Severity::Caution, subject, says, rule).with("driver", name)
}

fn solve(rows: &[Observed], kept: &[usize]) -> Result<Solution, NoSolution> {
    let per_day = |r: &Observed, d: usize| r.sums.get(d).copied().unwrap_or(0.0) / r.days;
    let of = |r: &Observed| linear::Row {
        weight: r.days,
        y: r.energy / r.days,
        x: kept.iter().map(|d| per_day(r, *d)).collect(),
    };
    linear::solve(&rows.iter().map(of).collect::<Vec<_>>(), kept.len())
}

impl DriversFit {
    fn of(rows: &[Observed], kept: &[usize], solution: Solution) -> Self {
        let n = rows.len() as f64;
        let freedom = n - 1.0 - kept.len() as f64;
        let variance_per_day = solution.sse / freedom;
        let term = |(i, driver): (usize, &usize)| Term {
            driver: *driver,
            coefficient: solution.coefficients[i],
            standard_error: (variance_per_day * solution.inverse[i][i]).sqrt(),
            inflation: solution.inflation[i],
        };
        let whole: f64 = rows.iter().map(|r| r.energy).sum();
        let r2 = if 0.0 < solution.sst { 1.0 - solution.sse / solution.sst } else { 0.0 };
        Self {
            base_per_day: solution.base,
            terms: kept.iter().enumerate().map(term).collect(),
            n: rows.len(),
            r2_adjusted: 1.0 - (1.0 - r2) * (n - 1.0) / freedom,
            cvrmse_ratio: (variance_per_day * n * solution.weight).sqrt() / whole,
            variance_per_day,
            freedom,
            solution,
        }
    }

    /// The least certain of the drivers that work against their sign.
    fn against_its_sign(&self, drivers: &[Driver]) -> Option<usize> {
        let wrong =
            |t: &&Term| t.coefficient < 0.0 && drivers.get(t.driver).is_some_and(|d| d.sign == Sign::Adds);
        let certainty = |t: &Term| (t.coefficient / t.standard_error).abs();
        self.terms.iter().filter(wrong).min_by(|a, b| certainty(a).total_cmp(&certainty(b))).map(|t| t.driver)
    }

    fn inflated(&self, drivers: &[Driver], subject: &str) -> Vec<Finding> {
        let tell = |t: &Term| {
            let name = drivers.get(t.driver).map_or("", |d| d.name.as_str());
            let says = format!(
                "driver {name} moves with the others (variance inflation {:.0}, over 10): their sum is known, its own part is not",
                t.inflation
            );
            let rule = "variance inflation factor over 10";
            Finding::new("driver.inflated", Severity::Caution, subject, says, rule)
                .with("driver", name)
                .with("inflation", format!("{:.0}", t.inflation))
        };
        self.terms.iter().filter(|t| INFLATION_MAX < t.inflation).map(tell).collect()
    }

    /// The energy of `days` days with these sums of all the drivers given to [`fit`], in display units.
    #[must_use]
    pub fn predict(&self, days: f64, sums: &[f64]) -> Prediction {
        let own: Vec<f64> = self.terms.iter().map(|t| sums.get(t.driver).copied().unwrap_or(0.0)).collect();
        let of_terms: f64 = self.terms.iter().zip(&own).map(|(t, s)| t.coefficient * s).sum();
        Prediction {
            energy: self.base_per_day * days + of_terms,
            days,
            heating: 0.0,
            cooling: 0.0,
            model_variance: self.variance_per_day * self.solution.leverage(days, &own),
            noise_variance: self.variance_per_day * days,
            freedom: self.freedom,
        }
    }
}
