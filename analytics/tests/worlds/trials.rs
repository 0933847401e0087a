//! Planted buildings of one plain family, with one thing made difficult at a time: months that follow each other, noise,
//! a bill that is wrong by a given factor, bills that are missing.
//!
//! Must never: depend on anything but its set and its seed, or be adjusted to a model that is judged by it.

use super::random::Random;
use super::{Bill, Bills, MONTHS, Shape, World};

/// What is done to one bill or more of the baseline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Fault {
    None,
    /// One bill is multiplied.
    Times(f64),
    Missing(usize),
    /// The energy of two months stands in the first one; the second is at zero, or has no bill.
    Merged {
        zero: bool,
    },
}

/// What a family of buildings is like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Set {
    pub(crate) name: &'static str,
    /// Standard deviation of a day around the law as a share of the base load, from and to; and how much of it the
    /// next day keeps.
    pub(crate) daily: (f64, f64),
    pub(crate) daily_correlation: (f64, f64),
    /// The same of civil months, as a share of the month's use.
    pub(crate) month: f64,
    pub(crate) month_correlation: f64,
    pub(crate) fault: Fault,
    /// Day of the year on which the building closes every year, from 0, and for how many days; 8 to 10 % of the use is left.
    pub(crate) closed: Option<(usize, usize)>,
    /// One period a day instead of one a month.
    pub(crate) by_day: bool,
}

const PLAIN: Set = Set {
    name: "plain",
    daily: (0.05, 0.25),
    daily_correlation: (0.2, 0.7),
    month: 0.02,
    month_correlation: 0.0,
    fault: Fault::None,
    closed: None,
    by_day: false,
};

const fn noisy(name: &'static str, month: f64, month_correlation: f64) -> Set {
    let (daily, daily_correlation) = ((0.1, 0.1), (0.4, 0.4));
    Set { name, daily, daily_correlation, month, month_correlation, ..PLAIN }
}

const fn faulty(name: &'static str, fault: Fault) -> Set {
    Set { name, fault, ..PLAIN }
}

const fn closed(name: &'static str, from: usize, days: usize) -> Set {
    Set { name, closed: Some((from, days)), ..PLAIN }
}

const fn lasting(name: &'static str, daily: f64, correlation: f64, by_day: bool) -> Set {
    Set {
        name,
        daily: (daily, daily),
        daily_correlation: (correlation, correlation),
        month: 0.0,
        by_day,
        ..PLAIN
    }
}

const fn with_months(name: &'static str, month: f64) -> Set {
    let (daily, daily_correlation) = ((0.05, 0.25), (0.2, 0.7));
    Set { name, daily, daily_correlation, month, by_day: true, ..PLAIN }
}

pub(crate) const SETS: [Set; 30] = [
    PLAIN,
    noisy("month noise 5 %", 0.05, 0.0),
    noisy("month noise 10 %", 0.1, 0.0),
    noisy("month noise 20 %", 0.2, 0.0),
    noisy("month noise 5 %, follows by 0.3", 0.05, 0.3),
    noisy("month noise 5 %, follows by 0.5", 0.05, 0.5),
    noisy("month noise 5 %, follows by 0.6", 0.05, 0.6),
    noisy("month noise 5 %, follows by 0.7", 0.05, 0.7),
    lasting("day noise 15 %, follows by 0.95", 0.15, 0.95, false),
    faulty("one bill x 2.5", Fault::Times(2.5)),
    faulty("one bill x 0", Fault::Times(0.0)),
    faulty("one bill x 0.1", Fault::Times(0.1)),
    faulty("one bill x 0.4", Fault::Times(0.4)),
    faulty("one bill x 0.5", Fault::Times(0.5)),
    faulty("one bill x 1.33", Fault::Times(1.33)),
    faulty("one bill x 10", Fault::Times(10.0)),
    faulty("one bill x 100", Fault::Times(100.0)),
    faulty("one bill x -0.3", Fault::Times(-0.3)),
    faulty("two months in one bill, the next at zero", Fault::Merged { zero: true }),
    faulty("two months in one bill, the next missing", Fault::Merged { zero: false }),
    closed("closed in August", 212, 31),
    closed("closed in July and August", 181, 62),
    closed("closed from June to September", 151, 122),
    faulty("1 bill missing", Fault::Missing(1)),
    faulty("2 bills missing", Fault::Missing(2)),
    faulty("3 bills missing", Fault::Missing(3)),
    lasting("days, noise 10 %, follows by 0.4", 0.1, 0.4, true),
    lasting("days, noise 15 %, follows by 0.9", 0.15, 0.9, true),
    with_months("days, and months of 2 %", 0.02),
    Set { month_correlation: 0.3, ..with_months("days, and months of 5 % that follow by 0.3", 0.05) },
];

/// Annual mean, half the summer's distance from the winter, scatter of days: Alps, plain, centre, south, coast, desert.
const CLIMATES: [(f64, f64, f64); 6] = [
    (4.5, 10.5, 3.2),
    (13.5, 11.0, 2.8),
    (16.0, 8.5, 2.4),
    (19.0, 7.5, 2.2),
    (18.0, 6.0, 1.8),
    (22.0, 7.5, 2.2),
];
const SHAPES: [Shape; 4] = [Shape::Heating, Shape::Cooling, Shape::Both, Shape::Flat];
const DAYS: usize = 730;

/// The building of this number, always the same.
pub(crate) fn trial(set: &Set, number: u64) -> World {
    let mut random = Random::new(7_000_000 + number);
    let climate = CLIMATES[number as usize % CLIMATES.len()];
    let shape = SHAPES[number as usize / CLIMATES.len() % SHAPES.len()];
    let temperatures = weather(&mut random, climate);
    let (energies, clean) = load(&mut random, set, shape, &temperatures);
    let cut = |from: usize| -> Vec<Bill> {
        let mut at = from;
        let month = |length: usize| {
            let from = at;
            at += length;
            Bill { from, to: at, energy: energies[from..at].iter().sum() }
        };
        if set.by_day { [1; 365].map(month).to_vec() } else { MONTHS.map(month).to_vec() }
    };
    let mut baseline = cut(0);
    spoil(&mut random, set.fault, &mut baseline);
    World {
        shape,
        bills_kind: Bills::CivilMonths,
        daily_noise: set.daily.1,
        daily_correlation: set.daily_correlation.1,
        month_effect: set.month,
        knee_k: 0.0,
        base_share: clean,
        has_season: false,
        has_closure: set.closed.is_some(),
        has_gross_error: matches!(set.fault, Fault::Times(_) | Fault::Merged { .. }),
        mean_c: climate.0,
        cooling_share: (0.0, 0.0),
        first_day: 0,
        temperatures,
        baseline,
        reporting: cut(365),
    }
}

fn weather(random: &mut Random, (mean_c, amplitude_k, day_k): (f64, f64, f64)) -> Vec<f64> {
    let mean_c = mean_c + 0.7 * random.normal();
    let (mut anomaly, mut month, mut year) = (0.0, 0.0, 0.0);
    let mut next = 0;
    (0..DAYS)
        .map(|day| {
            if day % 365 == 0 {
                year = 0.7 * random.normal();
            }
            if day == next {
                next += MONTHS[(day % 365) / 31];
                month = 1.2 * random.normal();
            }
            anomaly = 0.75 * anomaly + (1.0_f64 - 0.75 * 0.75).sqrt() * random.normal();
            let angle = std::f64::consts::TAU * (day as f64 - 17.0) / 365.25;
            mean_c + year + month - amplitude_k * angle.cos() + day_k * anomaly
        })
        .collect()
}

/// Energies of the days, and the share of the base load.
fn load(random: &mut Random, set: &Set, shape: Shape, temperatures: &[f64]) -> (Vec<f64>, f64) {
    let base = random.within(20.0, 100.0);
    let heating_c = random.within(12.0, 19.0);
    let cooling_c = (heating_c + random.within(1.0, 6.0)).max(random.within(18.0, 24.0));
    let (mut heating, mut cooling) = (base * random.within(0.04, 0.25), base * random.within(0.04, 0.25));
    if !matches!(shape, Shape::Heating | Shape::Both) {
        heating = 0.0;
    }
    if !matches!(shape, Shape::Cooling | Shape::Both) {
        cooling = 0.0;
    }
    let daily = base * random.within(set.daily.0, set.daily.1);
    let keep = random.within(set.daily_correlation.0, set.daily_correlation.1);
    let (mut of_day, mut of_month) = (random.normal(), random.normal());
    let (mut out, mut day, mut whole) = (Vec::with_capacity(DAYS), 0, 0.0);
    let left = set.closed.map(|_| [0; 2].map(|_| random.within(0.08, 0.1)));
    for length in MONTHS.iter().chain(&MONTHS) {
        for t in &temperatures[day..day + length] {
            let clean = base + heating * (heating_c - t).max(0.0) + cooling * (t - cooling_c).max(0.0);
            whole += clean;
            let used = clean * (1.0 + set.month * of_month) + daily * of_day;
            let of_year = out.len() % 365;
            let closed = set.closed.is_some_and(|(from, days)| (from..from + days).contains(&of_year));
            let left = left.filter(|_| closed).map_or(1.0, |left| left[out.len() / 365]);
            out.push(left * used);
            of_day = keep * of_day + (1.0 - keep * keep).sqrt() * random.normal();
        }
        let keep = set.month_correlation;
        of_month = keep * of_month + (1.0 - keep * keep).sqrt() * random.normal();
        day += length;
    }
    (out, base * DAYS as f64 / whole)
}

fn spoil(random: &mut Random, fault: Fault, bills: &mut Vec<Bill>) {
    match fault {
        Fault::None => {}
        Fault::Times(factor) => {
            let index = random.below(bills.len() as u64) as usize;
            bills[index].energy *= factor;
        }
        Fault::Missing(count) => {
            for _ in 0..count {
                let index = random.below(bills.len() as u64) as usize;
                bills.remove(index);
            }
        }
        Fault::Merged { zero } => {
            let index = random.below(bills.len() as u64 - 1) as usize;
            bills[index].energy += bills[index + 1].energy;
            bills[index + 1].energy = 0.0;
            if !zero {
                bills.remove(index + 1);
            }
        }
    }
}
