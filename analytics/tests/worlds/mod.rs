//! Planted buildings by the thousand: climates, shapes, faults of bills and noise, each with the truth of the year
//! that is to be predicted. For the calibration of baseline models.
//!
//! Must never: depend on anything but its seed, or be adjusted to a model that is judged by it.

pub(crate) mod judge;
mod random;
pub(crate) mod references;
pub(crate) mod strata;
pub(crate) mod trials;

use random::Random;

/// Days of the year before which months begin.
const MONTHS: [usize; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// Which terms the planted load has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Shape {
    Flat,
    Heating,
    Cooling,
    Both,
}

/// How bills divide time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Bills {
    CivilMonths,
    /// 25 to 35 days.
    Uneven,
    TwoMonthly,
    /// Monthly and two-monthly bills in turn.
    Mixed,
}

/// A period and its energy as billed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bill {
    /// Days from the beginning of the weather, end exclusive.
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) energy: f64,
}

/// One planted building.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) shape: Shape,
    pub(crate) bills_kind: Bills,
    /// Standard deviation of a day's energy around its mean.
    pub(crate) daily_noise: f64,
    pub(crate) daily_correlation: f64,
    /// Standard deviation of the random effect of a calendar month.
    pub(crate) month_effect: f64,
    /// Softness of the knees in K; 0 is sharp.
    pub(crate) knee_k: f64,
    pub(crate) base_share: f64,
    pub(crate) has_season: bool,
    pub(crate) has_closure: bool,
    pub(crate) has_gross_error: bool,
    /// Annual mean outdoor temperature.
    pub(crate) mean_c: f64,
    /// Share of the reporting year's energy that cooling takes, and of the baseline's.
    pub(crate) cooling_share: (f64, f64),
    /// Day of the year on which the baseline begins, from 0.
    pub(crate) first_day: usize,
    /// Daily mean outdoor temperature over baseline and reporting year.
    pub(crate) temperatures: Vec<f64>,
    /// Bills of the baseline, ascending; some months may be missing.
    pub(crate) baseline: Vec<Bill>,
    /// The twelve months of the reporting year, as they truly would have been.
    pub(crate) reporting: Vec<Bill>,
}

impl World {
    /// The energy of the reporting year without the measure: what a model is to predict.
    pub(crate) fn truth(&self) -> f64 {
        self.reporting.iter().map(|b| b.energy).sum()
    }
}

/// The building of this number, always the same.
pub(crate) fn world(number: u64) -> World {
    let mut random = Random::new(number);
    let bills_kind = match random.below(20) {
        0..8 => Bills::CivilMonths,
        8..15 => Bills::Uneven,
        15..18 => Bills::TwoMonthly,
        _ => Bills::Mixed,
    };
    // Months of baseline: mostly one year.
    let months = match random.below(20) {
        0..12 => 12,
        12..14 => 9 + random.below(3) as usize,
        14..17 => 13 + random.below(11) as usize,
        17..19 => 24,
        _ => 36,
    };
    let months = if bills_kind == Bills::TwoMonthly { months.max(12) } else { months };
    let first_month = random.below(12) as usize;
    let calendar: Vec<usize> = (0..months + 12).map(|m| MONTHS[(first_month + m) % 12]).collect();
    let baseline_days: usize = calendar[..months].iter().sum();
    let days: usize = calendar.iter().sum();
    let first_day: usize = MONTHS[..first_month].iter().sum();
    let climate = Climate::draw(&mut random);
    let temperatures = climate.days(&mut random, first_day, days);
    let load = Load::draw(&mut random, &temperatures);
    let energies = load.days(&mut random, &temperatures, &calendar, first_day);
    let mut baseline = bills(&mut random, bills_kind, &calendar[..months], baseline_days, &energies);
    let has_gross_error = spoil(&mut random, &mut baseline);
    let mut at = baseline_days;
    let reporting = calendar[months..].iter().map(|length| {
        let from = at;
        at += length;
        Bill { from, to: at, energy: energies[from..at].iter().sum() }
    });
    World {
        shape: load.shape,
        bills_kind,
        daily_noise: load.noise,
        daily_correlation: load.correlation,
        month_effect: load.month_effect,
        knee_k: load.knee_k,
        base_share: load.base_share,
        has_season: load.season != 0.0,
        has_closure: load.closure.is_some(),
        has_gross_error,
        mean_c: climate.mean_c,
        cooling_share: (
            load.cooling_share(&temperatures[..baseline_days]),
            load.cooling_share(&temperatures[baseline_days..]),
        ),
        reporting: reporting.collect(),
        first_day,
        temperatures,
        baseline,
    }
}

/// A place's weather, from the Alps to Sicily.
struct Climate {
    mean_c: f64,
    amplitude_k: f64,
    day_k: f64,
    day_correlation: f64,
    month_k: f64,
    hottest_day: f64,
}

impl Climate {
    fn draw(random: &mut Random) -> Self {
        let (mean_c, amplitude_k) = match random.below(10) {
            // The Alps, the plain of the Po, the centre, the coasts, hot summers with mild winters, weak seasons.
            0..2 => (random.within(5.0, 9.0), random.within(8.0, 10.0)),
            2..5 => (random.within(11.5, 14.5), random.within(10.0, 12.5)),
            5..7 => (random.within(13.0, 16.0), random.within(8.0, 10.0)),
            7 => (random.within(16.0, 19.0), random.within(6.5, 8.5)),
            8 => (random.within(16.0, 20.0), random.within(9.0, 11.0)),
            _ => (random.within(9.0, 17.0), random.within(4.0, 6.0)),
        };
        Self {
            mean_c,
            amplitude_k,
            day_k: random.within(1.8, 3.8),
            day_correlation: random.within(0.6, 0.85),
            month_k: random.within(0.4, 1.8),
            hottest_day: random.within(198.0, 212.0),
        }
    }

    fn days(&self, random: &mut Random, first_day: usize, days: usize) -> Vec<f64> {
        let (mut anomaly, mut month) = (0.0, random.normal() * self.month_k);
        let keep = (1.0 - self.day_correlation * self.day_correlation).sqrt();
        let mut out = Vec::with_capacity(days);
        for day in 0..days {
            if day % 30 == 0 {
                month = random.normal() * self.month_k;
            }
            anomaly = self.day_correlation * anomaly + keep * self.day_k * random.normal();
            let angle = std::f64::consts::TAU * ((first_day + day) as f64 - self.hottest_day) / 365.0;
            out.push(self.mean_c + self.amplitude_k * angle.cos() + month + anomaly);
        }
        out
    }
}

/// A building's load as it truly is.
struct Load {
    shape: Shape,
    base: f64,
    heating: f64,
    cooling: f64,
    heating_base_c: f64,
    cooling_base_c: f64,
    knee_k: f64,
    base_share: f64,
    /// Relative amplitude of the base load's season, highest in January (hot water).
    season: f64,
    /// First day of the year, length, remaining share of the load.
    closure: Option<(usize, usize, f64)>,
    /// What is left of the load on two days of seven.
    weekend: f64,
    noise: f64,
    /// Whether noise goes with the day's energy rather than with the mean.
    noise_is_relative: bool,
    correlation: f64,
    month_effect: f64,
}

impl Load {
    fn draw(random: &mut Random, temperatures: &[f64]) -> Self {
        let shape = match random.below(20) {
            0..3 => Shape::Flat,
            3..10 => Shape::Heating,
            10..12 => Shape::Cooling,
            _ => Shape::Both,
        };
        let heating_base_c = (15.5 + 2.5 * random.normal()).clamp(8.0, 22.0);
        let cooling_base_c = match (shape, random.below(10)) {
            (Shape::Both, 0) => heating_base_c - random.within(0.0, 3.0),
            (Shape::Both, _) => heating_base_c + random.within(0.0, 9.0),
            _ => random.within(15.0, 25.0),
        };
        let knee_k = if random.below(2) == 0 { 0.0 } else { random.within(0.4, 2.0) };
        let base_share = if shape == Shape::Flat { 1.0 } else { random.within(0.05, 0.8) };
        let heating_part = match shape {
            Shape::Flat | Shape::Cooling => 0.0,
            Shape::Heating => 1.0,
            Shape::Both => random.within(0.1, 0.9),
        };
        let cooling_part = if shape == Shape::Flat { 0.0 } else { 1.0 - heating_part };
        let n = temperatures.len() as f64;
        let mean = |base_c: f64, sign: f64| {
            temperatures.iter().map(|t| bend(sign * (t - base_c), knee_k)).sum::<f64>() / n
        };
        // No building has a steeper slope than its mean use in 1.5 K: weak seasons leave less weather-bound energy.
        let size = (random.within(1.0, 7.0)).exp() * 10.0;
        let weather = size * (1.0 - base_share);
        let slope = |part: f64, degree_days: f64| (part * weather / degree_days.max(1e-6)).min(size / 1.5);
        Self {
            shape,
            base: size * base_share,
            heating: slope(heating_part, mean(heating_base_c, -1.0)),
            cooling: slope(cooling_part, mean(cooling_base_c, 1.0)),
            heating_base_c,
            cooling_base_c,
            knee_k,
            base_share,
            season: if random.below(10) < 3 { random.within(0.05, 0.2) } else { 0.0 },
            closure: (random.below(10) == 0).then(|| {
                (213 + random.below(14) as usize, 14 + random.below(15) as usize, random.within(0.1, 0.6))
            }),
            weekend: if random.below(10) < 3 { random.within(0.5, 0.95) } else { 1.0 },
            noise: (random.within(0.01_f64.ln(), 0.2_f64.ln())).exp(),
            noise_is_relative: random.below(2) == 0,
            correlation: random.within(0.0, 0.8),
            month_effect: random.within(0.0, 0.05),
        }
    }

    fn mean(&self, t: f64) -> (f64, f64, f64) {
        (
            self.base,
            self.heating * bend(self.heating_base_c - t, self.knee_k),
            self.cooling * bend(t - self.cooling_base_c, self.knee_k),
        )
    }

    fn cooling_share(&self, temperatures: &[f64]) -> f64 {
        let (mut all, mut cooling) = (0.0, 0.0);
        for t in temperatures {
            let (b, h, c) = self.mean(*t);
            all += b + h + c;
            cooling += c;
        }
        cooling / all
    }

    fn days(
        &self,
        random: &mut Random,
        temperatures: &[f64],
        calendar: &[usize],
        first_day: usize,
    ) -> Vec<f64> {
        let mut out = Vec::with_capacity(temperatures.len());
        let keep = (1.0 - self.correlation * self.correlation).sqrt();
        let level = temperatures
            .iter()
            .map(|t| {
                let (b, h, c) = self.mean(*t);
                b + h + c
            })
            .sum::<f64>()
            / temperatures.len() as f64;
        let mut noise = random.normal();
        let mut day = 0;
        for length in calendar {
            let month = 1.0 + self.month_effect * random.normal();
            for _ in 0..*length {
                let of_year = (first_day + day) % 365;
                let (base, heating, cooling) = self.mean(temperatures[day]);
                let season =
                    1.0 + self.season * (std::f64::consts::TAU * (of_year as f64 - 15.0) / 365.0).cos();
                let mut mean = base * season + heating + cooling;
                if day % 7 >= 5 {
                    mean *= self.weekend;
                }
                if let Some((from, length, left)) = self.closure
                    && (from..from + length).contains(&of_year)
                {
                    mean *= left;
                }
                noise = self.correlation * noise + keep * random.normal();
                let around = if self.noise_is_relative { mean } else { level };
                out.push(mean * month + self.noise * around * noise);
                day += 1;
            }
        }
        out
    }
}

/// The positive part, softened over `knee_k` where that is not zero.
fn bend(x: f64, knee_k: f64) -> f64 {
    if knee_k == 0.0 || 20.0 < x / knee_k { x.max(0.0) } else { knee_k * (x / knee_k).exp().ln_1p() }
}

fn bills(random: &mut Random, kind: Bills, calendar: &[usize], days: usize, energies: &[f64]) -> Vec<Bill> {
    let mut ends = Vec::new();
    let mut at = 0;
    for (index, length) in calendar.iter().enumerate() {
        at += length;
        let keep = match kind {
            Bills::CivilMonths | Bills::Uneven => true,
            Bills::TwoMonthly => index % 2 == 1,
            Bills::Mixed => index % 3 != 0,
        };
        if keep || index + 1 == calendar.len() {
            ends.push(at);
        }
    }
    if kind == Bills::Uneven {
        ends.clear();
        at = 0;
        while at + 25 <= days {
            at += 25 + random.below(11) as usize;
            ends.push(at.min(days));
        }
    }
    // Readings are whole units of the meter; a bill is the difference of two.
    let mean = energies[..days].iter().sum::<f64>() / days as f64;
    let unit = mean * 30.0 * random.within(0.0, 0.01);
    let missing = if random.below(7) == 0 { random.below(ends.len() as u64) as usize } else { usize::MAX };
    let mut out = Vec::new();
    let (mut from, mut total, mut read) = (0, 0.0, 0.0);
    for (index, &to) in ends.iter().enumerate() {
        total += energies[from..to].iter().sum::<f64>();
        let reading = if 0.0 < unit { (total / unit).floor() * unit } else { total };
        if index != missing {
            out.push(Bill { from, to, energy: reading - read });
        }
        (from, read) = (to, reading);
    }
    out
}

/// In one building of twelve, one bill is grossly wrong: a refund, an estimate, a reading of another meter.
fn spoil(random: &mut Random, bills: &mut [Bill]) -> bool {
    let chosen = random.below(12) == 0;
    if chosen {
        let index = random.below(bills.len() as u64) as usize;
        let factor = match random.below(3) {
            0 => random.within(-0.5, 0.4),
            1 => random.within(1.6, 3.0),
            _ => 0.0,
        };
        bills[index].energy *= factor;
    }
    chosen
}
