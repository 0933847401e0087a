//! Time of week and temperature: the expected use of an hour, for meters that are read by the hour.
//!
//! Must never: be used for a yearly saving without days; its place is today's expected consumption, against which a
//! person sees at once that something runs which should not.
//!
//! Mathieu, Price, Kiliccote, Piette: "Quantifying changes in building electricity use, with application to demand
//! response", IEEE Transactions on Smart Grid 2 (2011); LBNL's RMV2.0 uses the same. Use of an hour = level of its hour
//! of the week (168 of them) + a piecewise straight line in the outdoor temperature, with one set of slopes for occupied
//! and one for unoccupied hours. An hour of the week is occupied where a straight line in heating and cooling degrees
//! (50 and 65 °F), common to all hours, lies below more than 65 % of its values. The line bends where the paper's six
//! equal intervals of the temperatures meet; here those with too few hours are joined with their neighbour.

use super::fit::student;
use super::linear::{self, Solution};

/// Hours of a week.
pub const HOURS: usize = 168;
const INTERVALS: usize = 6;
/// Fewest hours of an interval of its own: the paper asks for enough points, a week of days is taken.
const INTERVAL_HOURS_MIN: usize = 7 * 24;
/// Share of an hour's values above the common line that makes it occupied.
const OCCUPIED_SHARE: f64 = 0.65;
const HEATING_C: f64 = 10.0;
const COOLING_C: f64 = 18.333;
/// Fewest hours for a model: eight weeks.
pub const HOURS_MIN: usize = 8 * HOURS;

/// One hour: which of the week (0 is Monday 00:00, civil time), its outdoor temperature, its energy in display units.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hour {
    pub of_week: usize,
    pub outdoor_c: f64,
    pub energy: f64,
}

/// A fitted model.
#[derive(Debug, Clone, PartialEq)]
pub struct Towt {
    /// Level of each hour of the week at 0 of all temperature parts; `None` of an hour that was never seen.
    levels: Vec<Option<f64>>,
    occupied: Vec<bool>,
    /// Where the line bends, ascending, in °C.
    bends_c: Vec<f64>,
    /// Slopes per interval: unoccupied, then occupied; 0 where the data have none.
    slopes: [Vec<f64>; 2],
    /// Standard deviation of an hour around the model.
    pub deviation: f64,
    /// Correlation of an hour's residual with the one before.
    pub autocorrelation: f64,
    pub n: usize,
    pub r2: f64,
    freedom: f64,
}

/// Expected use of some hours together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expected {
    pub energy: f64,
    /// Half the band at 90 %.
    pub half_width: f64,
    /// Hours that have no level, left out of `energy`.
    pub unknown_hours: usize,
}

/// Fits the hours, in order of time; `None` with fewer than [`HOURS_MIN`], or values that are not finite.
#[must_use]
pub fn fit(hours: &[Hour]) -> Option<Towt> {
    let sound = |h: &Hour| h.of_week < HOURS && h.outdoor_c.is_finite() && h.energy.is_finite();
    if hours.len() < HOURS_MIN || !hours.iter().all(sound) {
        return None;
    }
    let occupied = occupied(hours)?;
    let bends_c = bends(hours);
    let parts = bends_c.len() + 1;
    // A level per hour of the week is taken out by its mean; what is left is a small least squares.
    let mut means = vec![Mean::new(2 * parts); HOURS];
    let columns = |h: &Hour| columns(&bends_c, h.outdoor_c, occupied[h.of_week]);
    for h in hours {
        means[h.of_week].add(h.energy, &columns(h));
    }
    let mut used: Vec<usize> = (0..2 * parts).collect();
    let solution = loop {
        let row = |h: &Hour| {
            let (own, mean) = (columns(h), &means[h.of_week]);
            let x = used.iter().map(|j| own[*j] - mean.columns[*j] / mean.n).collect();
            linear::Row { weight: 1.0, y: h.energy - mean.energy / mean.n, x }
        };
        let rows: Vec<linear::Row> = hours.iter().map(row).collect();
        match linear::solve(&rows, used.len()) {
            Ok(solution) => break solution,
            Err(linear::NoSolution::Collinear(at)) => {
                used.remove(at);
            }
            Err(linear::NoSolution::Nothing) => return None,
        }
    };
    Some(Towt::of(hours, occupied, bends_c, (&used, &solution), &means))
}

/// Running mean of the hours of one hour of the week.
#[derive(Debug, Clone)]
struct Mean {
    n: f64,
    energy: f64,
    columns: Vec<f64>,
}

impl Mean {
    fn new(columns: usize) -> Self {
        Self { n: 0.0, energy: 0.0, columns: vec![0.0; columns] }
    }

    fn add(&mut self, energy: f64, columns: &[f64]) {
        self.n += 1.0;
        self.energy += energy;
        self.columns.iter_mut().zip(columns).for_each(|(sum, x)| *sum += x);
    }
}

/// Parts of the temperature by interval, in the half of the columns that is the hour's.
fn columns(bends_c: &[f64], outdoor_c: f64, occupied: bool) -> Vec<f64> {
    let parts = bends_c.len() + 1;
    let mut columns = vec![0.0; 2 * parts];
    let offset = if occupied { parts } else { 0 };
    // The first part begins at 0 °C so that levels are those of an hour at 0 °C or at the first bend.
    let mut low = bends_c.first().copied().unwrap_or(0.0).min(0.0);
    for part in 0..parts {
        let high = bends_c.get(part).copied().unwrap_or(f64::INFINITY);
        columns[offset + part] =
            if part == 0 { outdoor_c.min(high) - low } else { (outdoor_c.min(high) - low).max(0.0) };
        low = high;
    }
    columns
}

fn bends(hours: &[Hour]) -> Vec<f64> {
    let (low, high) = hours
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), x| (l.min(x.outdoor_c), h.max(x.outdoor_c)));
    let width = (high - low) / INTERVALS as f64;
    let mut bends: Vec<f64> = Vec::new();
    let mut last = f64::NEG_INFINITY;
    for i in 1..INTERVALS {
        let bend = low + width * i as f64;
        let below = hours.iter().filter(|h| last < h.outdoor_c && h.outdoor_c <= bend).count();
        let above = hours.iter().filter(|h| bend < h.outdoor_c).count();
        if INTERVAL_HOURS_MIN <= below && INTERVAL_HOURS_MIN <= above && 0.0 < width {
            bends.push(bend);
            last = bend;
        }
    }
    bends
}

/// Hours of the week whose use mostly lies above what the temperature alone would say.
fn occupied(hours: &[Hour]) -> Option<Vec<bool>> {
    let degrees = |h: &Hour| [(HEATING_C - h.outdoor_c).max(0.0), (h.outdoor_c - COOLING_C).max(0.0)];
    let mut used = vec![0, 1];
    let solution = loop {
        let row = |h: &Hour| linear::Row {
            weight: 1.0,
            y: h.energy,
            x: used.iter().map(|j: &usize| degrees(h)[*j]).collect(),
        };
        let rows: Vec<linear::Row> = hours.iter().map(row).collect();
        match linear::solve(&rows, used.len()) {
            Ok(solution) => break solution,
            Err(linear::NoSolution::Collinear(at)) => {
                used.remove(at);
            }
            Err(linear::NoSolution::Nothing) => return None,
        }
    };
    let mut above = vec![(0.0, 0.0); HOURS];
    for h in hours {
        let own = degrees(h);
        let line: f64 =
            solution.base + used.iter().zip(&solution.coefficients).map(|(j, c)| own[*j] * c).sum::<f64>();
        above[h.of_week].0 += f64::from(u8::from(line < h.energy));
        above[h.of_week].1 += 1.0;
    }
    Some(above.iter().map(|(above, n)| OCCUPIED_SHARE * n < *above).collect())
}

impl Towt {
    fn of(
        hours: &[Hour],
        occupied: Vec<bool>,
        bends_c: Vec<f64>,
        (used, solution): (&[usize], &Solution),
        means: &[Mean],
    ) -> Self {
        let parts = bends_c.len() + 1;
        let mut all = vec![0.0; 2 * parts];
        for (j, c) in used.iter().zip(&solution.coefficients) {
            all[*j] = *c;
        }
        let level = |m: &Mean| {
            let of_weather: f64 = m.columns.iter().zip(&all).map(|(x, c)| x * c).sum();
            (0.0 < m.n).then(|| (m.energy - of_weather) / m.n)
        };
        let levels: Vec<Option<f64>> = means.iter().map(level).collect();
        let known = levels.iter().flatten().count();
        let n = hours.len();
        let freedom = (n as f64 - known as f64 - used.len() as f64).max(1.0);
        let mut model = Self {
            levels,
            occupied,
            slopes: [all[..parts].to_vec(), all[parts..].to_vec()],
            bends_c,
            deviation: 0.0,
            autocorrelation: 0.0,
            n,
            r2: 0.0,
            freedom,
        };
        let residuals: Vec<f64> =
            hours.iter().map(|h| h.energy - model.hour(h.of_week, h.outdoor_c).unwrap_or(0.0)).collect();
        let sse: f64 = residuals.iter().map(|e| e * e).sum();
        let mean = hours.iter().map(|h| h.energy).sum::<f64>() / n as f64;
        let sst: f64 = hours.iter().map(|h| (h.energy - mean).powi(2)).sum();
        model.deviation = (sse / freedom).sqrt();
        model.r2 = if 0.0 < sst { 1.0 - sse / sst } else { 0.0 };
        let rho = super::fit::autocorrelation(residuals.iter().copied());
        model.autocorrelation = rho.unwrap_or(0.0).clamp(0.0, 0.98);
        model
    }

    /// Expected use of one hour; `None` for an hour of the week that the baseline never had.
    #[must_use]
    pub fn hour(&self, of_week: usize, outdoor_c: f64) -> Option<f64> {
        let level = (*self.levels.get(of_week)?)?;
        let occupied = *self.occupied.get(of_week)?;
        let parts = self.bends_c.len() + 1;
        let columns = columns(&self.bends_c, outdoor_c, occupied);
        let own = if occupied { columns.get(parts..)? } else { columns.get(..parts)? };
        let slopes = if occupied { &self.slopes[1] } else { &self.slopes[0] };
        Some(level + own.iter().zip(slopes).map(|(x, c)| x * c).sum::<f64>())
    }

    /// Whether the hour of the week counts as occupied.
    #[must_use]
    pub fn is_occupied(&self, of_week: usize) -> bool {
        self.occupied.get(of_week).copied().unwrap_or(false)
    }

    /// Expected use of hours that follow each other, such as those of today so far.
    #[must_use]
    pub fn expect(&self, hours: &[(usize, f64)]) -> Expected {
        let known: Vec<f64> = hours.iter().filter_map(|(h, t)| self.hour(*h, *t)).collect();
        let m = known.len() as f64;
        // A sum of m values that follow each other with correlation ρ: m σ² (1 + ρ)/(1 − ρ), less the ends.
        let rho = self.autocorrelation;
        let follow = if 0.0 < m {
            (1.0 + rho) / (1.0 - rho) - 2.0 * rho * (1.0 - rho.powf(m)) / (m * (1.0 - rho).powi(2))
        } else {
            0.0
        };
        Expected {
            energy: known.iter().sum(),
            half_width: student(0.9, self.freedom) * self.deviation * (m * follow).sqrt(),
            unknown_hours: hours.len() - known.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::noise;

    fn is_open(of_week: usize) -> bool {
        of_week < 120 && (8..18).contains(&(of_week % 24))
    }

    fn outdoor_c(i: u64) -> f64 {
        let season = (i as f64 / 8_760.0 * std::f64::consts::TAU).cos();
        let day = (i as f64 / 24.0 * std::f64::consts::TAU).cos();
        13.0 - 11.0 * season - 4.0 * day + 3.0 * noise(i / 24)
    }

    /// A year of an office: open hours use 20 more, and heat twice as much.
    fn year(scatter: f64, seed: u64) -> Vec<Hour> {
        (0..8_760_u64)
            .map(|i| {
                let of_week = (i % 168) as usize;
                let t = outdoor_c(i);
                let slope = if is_open(of_week) { 2.0 } else { 1.0 };
                let level = if is_open(of_week) { 30.0 } else { 10.0 };
                let energy = level + slope * (12.0 - t).max(0.0) + scatter * noise(i * 31 + seed);
                Hour { of_week, outdoor_c: t, energy }
            })
            .collect()
    }

    #[test]
    fn a_week_and_its_weather_are_learned() {
        let model = fit(&year(1.0, 0)).unwrap();
        assert!(0.97 < model.r2, "{}", model.r2);
        let occupied = (0..HOURS).filter(|h| model.is_occupied(*h)).count();
        assert!((45..=60).contains(&occupied), "{occupied}");
        // Tuesday at noon at 0 °C, and Sunday at noon.
        let (open, closed) = (model.hour(36, 0.0).unwrap(), model.hour(156, 0.0).unwrap());
        assert!((open - 54.0).abs() < 2.0 && (closed - 22.0).abs() < 1.5, "{open} {closed}");
        assert!(model.hour(168, 0.0).is_none());
    }

    #[test]
    fn the_band_of_a_day_holds_what_was_planted() {
        let model = fit(&year(3.0, 0)).unwrap();
        let other = year(3.0, 77);
        let mut held = 0;
        for day in 0..300_usize {
            let hours = &other[day * 24..day * 24 + 24];
            let asked: Vec<(usize, f64)> = hours.iter().map(|h| (h.of_week, h.outdoor_c)).collect();
            let expected = model.expect(&asked);
            let truth: f64 = hours.iter().map(|h| h.energy).sum();
            held += usize::from((expected.energy - truth).abs() <= expected.half_width);
            assert_eq!(expected.unknown_hours, 0);
        }
        assert!((240..=297).contains(&held), "{held} of 300");
    }

    #[test]
    fn what_was_never_seen_is_unknown_and_too_little_is_no_model() {
        let all = year(1.0, 0);
        assert!(fit(&all[..HOURS_MIN - 1]).is_none());
        // Nobody ever read on Sundays.
        let part: Vec<Hour> = all.iter().copied().filter(|h| h.of_week < 144).collect();
        let model = fit(&part).unwrap();
        assert!(model.hour(150, 5.0).is_none());
        assert_eq!(model.expect(&[(150, 5.0), (10, 5.0)]).unknown_hours, 1);
        // A constant temperature has no slope.
        let flat: Vec<Hour> = all.iter().map(|h| Hour { outdoor_c: 10.0, ..*h }).collect();
        assert!(fit(&flat).unwrap().hour(36, 10.0).is_some());
        let broken: Vec<Hour> = all.iter().map(|h| Hour { energy: f64::NAN, ..*h }).collect();
        assert!(fit(&broken).is_none());
    }
}
