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

    /// (X'WX)⁻¹ of base and terms, weights in days.
    #[must_use]
    pub fn inverse(&self) -> Vec<Vec<f64>> {
        self.solution.with_base()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::noise;

    fn driver(name: &str, sign: Sign) -> Driver {
        Driver { name: name.to_owned(), sign }
    }

    /// Two years of months: degree days, opening days, and a third column made of them.
    fn months(third: impl Fn(f64, f64, u64) -> f64, use_of: impl Fn(f64, f64, f64) -> f64) -> Vec<Observed> {
        (0..24_u64)
            .map(|i| {
                let season = (i as f64 / 12.0 * std::f64::consts::TAU).cos();
                let degree_days = (200.0 + 220.0 * season + 30.0 * noise(i)).max(0.0);
                let open = 18.0 + 4.0 * noise(i + 100);
                let other = third(degree_days, open, i);
                Observed {
                    days: 30.0,
                    energy: use_of(degree_days, open, other),
                    sums: vec![degree_days, open, other],
                }
            })
            .collect()
    }

    fn all() -> Vec<Driver> {
        vec![driver("degree-days", Sign::Adds), driver("open-days", Sign::Adds), driver("third", Sign::Adds)]
    }

    fn codes(findings: &[Finding]) -> Vec<&'static str> {
        findings.iter().map(|f| f.code).collect()
    }

    #[test]
    fn planted_drivers_are_recovered_and_a_sum_is_predicted() {
        let rows =
            months(|_, _, i| 50.0 + 20.0 * noise(i + 500), |d, o, t| 300.0 + 4.0 * d + 25.0 * o + 2.0 * t);
        let (fit, findings) = fit(&rows, &all(), "meter:x");
        let fit = fit.unwrap();
        assert_eq!(codes(&findings), [] as [&str; 0]);
        let found: Vec<f64> = fit.terms.iter().map(|t| t.coefficient).collect();
        for (a, b) in found.iter().zip([4.0, 25.0, 2.0]) {
            assert!((a - b).abs() < 1e-9, "{found:?}");
        }
        assert!((fit.base_per_day - 10.0).abs() < 1e-9);
        let p = fit.predict(365.0, &[2_400.0, 220.0, 600.0]);
        assert!((p.energy - (3_650.0 + 9_600.0 + 5_500.0 + 1_200.0)).abs() < 1e-6);
    }

    #[test]
    fn a_driver_that_others_tell_leaves_and_one_that_nearly_does_is_told() {
        let use_of = |d: f64, o: f64, _: f64| 300.0 + 4.0 * d + 25.0 * o;
        let (exact, findings) = fit(&months(|d, o, _| 2.0 * d + o, use_of), &all(), "meter:x");
        assert_eq!((exact.unwrap().terms.len(), codes(&findings)), (2, vec!["driver.collinear"]));
        let near =
            months(|d, _, i| d + 20.0 * noise(i + 900), |d, o, t| 300.0 + 2.0 * d + 25.0 * o + 2.0 * t);
        let (near, findings) = fit(&near, &all(), "meter:x");
        assert_eq!(near.unwrap().terms.len(), 3);
        assert_eq!(codes(&findings), ["driver.inflated", "driver.inflated"]);
    }

    #[test]
    fn a_driver_against_its_sign_leaves() {
        let rows =
            months(|_, _, i| 50.0 + 20.0 * noise(i + 500), |d, o, t| 900.0 + 4.0 * d + 25.0 * o - 2.0 * t);
        let (kept, findings) = fit(&rows, &all(), "meter:x");
        assert_eq!((kept.unwrap().terms.len(), codes(&findings)), (2, vec!["driver.wrong_sign"]));
        let mut free = all();
        free[2].sign = Sign::Any;
        assert_eq!(fit(&rows, &free, "meter:x").0.unwrap().terms.len(), 3);
    }

    #[test]
    fn too_few_periods_carry_nothing() {
        let rows = months(|_, _, i| noise(i), |d, _, _| d);
        let (none, findings) = fit(&rows[..4], &all(), "meter:x");
        assert_eq!((none, codes(&findings)), (None, vec!["driver.too_many"]));
    }

    #[test]
    fn the_band_of_a_year_holds_what_was_planted() {
        let held = (0..300_u64)
            .filter(|seed| {
                let noisy = |i: u64| 150.0 * (noise(i * 17 + seed * 7919) + noise(i * 29 + seed * 104_729));
                let law = |d: f64, o: f64, _: f64| 300.0 + 4.0 * d + 25.0 * o;
                let mut rows = months(|_, _, i| noise(i), law);
                for (i, r) in rows.iter_mut().enumerate() {
                    r.energy += noisy(i as u64);
                }
                let (fit, _) = fit(&rows[..12], &all()[..2], "meter:x");
                let year = &rows[12..];
                let sum = |j: usize| year.iter().map(|r| r.sums[j]).sum::<f64>();
                let p = fit.unwrap().predict(360.0, &[sum(0), sum(1)]);
                let truth: f64 = year.iter().map(|r| r.energy).sum();
                (p.energy - truth).abs() <= p.half_width(0.9)
            })
            .count();
        assert!((255..=290).contains(&held), "{held} of 300");
    }
}
