//! How many baselines a core fits in a second, and how long a region's portfolio takes: `cargo bench -p analytics`;
//! with `-- WORD`, only the measurements whose name has the word.
//!
//! Must never: judge. It prints figures for `docs/benchmarks.md`; no test depends on them.

use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

use analytics::analysis::{MeterPeriod, Method, Question, Window, analyse};
use analytics::baseline::FitPeriod;
use analytics::baseline::averaged;
use analytics::baseline::caltrack::{self, Interval, Options, Terms};
use analytics::baseline::change_point::{self, Shape, Signs, Weights};
use analytics::baseline::data::{Data, Grid};
use analytics::degree_days::DailyMeans;
use chrono::{Days, NaiveDate};
use model::{DailyTemperature, StationId};

/// Different meters of each measurement.
const METERS: u64 = 100;
const PROJECTS: usize = 5_000;
const CARRIERS: usize = 3;
const THREADS: usize = 2;
const LEAST: Duration = Duration::from_secs(2);

fn first() -> NaiveDate {
    NaiveDate::default() + Days::new(19_358)
}

/// Deterministic noise of mean 0 in -1..1.
fn noise(seed: u64) -> f64 {
    let mut x = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((x ^ (x >> 31)) >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}

fn weather() -> DailyMeans {
    let station = StationId::new("s").expect("a name of one letter is an id");
    let list: Vec<DailyTemperature> = (0..730)
        .map(|i| {
            let season = (i as f64 - 15.0) / 365.25 * std::f64::consts::TAU;
            let mean_c = 13.0 - 11.0 * season.cos() + 3.0 * noise(i + 7);
            DailyTemperature::as_given(station.clone(), first() + Days::new(i), mean_c)
        })
        .collect();
    DailyMeans::of(&list, &station)
}

/// Two years of periods of `days` days with heating, cooling and noise.
fn periods(weather: &DailyMeans, days: u64, seed: u64) -> Vec<FitPeriod> {
    let mut all = Vec::new();
    let mut at = 0;
    while at + days <= 730 {
        let (from, to) = (first() + Days::new(at), first() + Days::new(at + days));
        let law = |t: f64| 20.0 + 3.0 * (14.5 - t).max(0.0) + 2.0 * (t - 21.0).max(0.0);
        let clean: f64 = weather.means(from, to).map(law).sum();
        let energy = clean * (1.0 + 0.05 * noise(seed * 1_000 + at));
        all.push(FitPeriod { from, to, energy, coverage_ratio: 1.0 });
        at += days;
    }
    all
}

/// CPU time in seconds of this thread (`thread-self`) or of the whole process (`self`), where the system tells it: others
/// may be at work beside.
fn cpu_seconds(whose: &str) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{whose}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |i: usize| fields.get(i)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / 100.0)
}

/// Whether the measurement was asked for.
fn wanted(what: &str) -> bool {
    std::env::args().skip(1).filter(|word| !word.starts_with("--")).all(|word| what.contains(&word))
}

fn measure(what: &str, meters: &[Vec<FitPeriod>], fit: impl Fn(&[FitPeriod])) {
    if !wanted(what) {
        return;
    }
    let (begun, cpu) = (Instant::now(), cpu_seconds("thread-self"));
    let mut fits = 0_u64;
    while begun.elapsed() < LEAST {
        for meter in meters {
            fit(meter);
            fits += 1;
        }
    }
    let took =
        cpu.zip(cpu_seconds("thread-self")).map_or_else(|| begun.elapsed().as_secs_f64(), |(a, b)| b - a);
    println!("{what}: {:.0} fits/s of CPU time on one core", fits as f64 / took);
}

fn portfolio(weather: &DailyMeans, monthly: &[Vec<FitPeriod>]) {
    if !wanted("projects") {
        return;
    }
    let own = |p: &FitPeriod| MeterPeriod { from: p.from, to: p.to, value: Some(p.energy) };
    let meters: Vec<Vec<MeterPeriod>> = monthly.iter().map(|m| m.iter().map(own).collect()).collect();
    let middle = first() + Days::new(360);
    let one = |periods: &[MeterPeriod]| {
        black_box(analyse(&Question {
            subject: "meter:x",
            periods,
            temperatures: weather,
            baseline: Window { from: first(), to: middle },
            reporting: Window { from: middle, to: middle + Days::new(360) },
            method: Method::Auto,
            grid: Grid::CELSIUS_HALF,
            terms: Terms::HeatingAndCooling,
            confidence: 0.9,
            normal: None,
        }));
    };
    let (begun, cpu) = (Instant::now(), cpu_seconds("self"));
    thread::scope(|scope| {
        for part in 0..THREADS {
            let (meters, one) = (&meters, &one);
            scope.spawn(move || {
                for i in (part..PROJECTS * CARRIERS).step_by(THREADS) {
                    one(&meters[i % meters.len()]);
                }
            });
        }
    });
    let took = begun.elapsed().as_secs_f64();
    let of_cpu = cpu.zip(cpu_seconds("self")).map_or(took * THREADS as f64, |(a, b)| b - a);
    println!(
        "{PROJECTS} projects of {CARRIERS} carriers analysed on {THREADS} cores: {took:.2} s, {of_cpu:.2} s of CPU time"
    );
}

fn main() {
    let weather = weather();
    let of = |days: u64| (0..METERS).map(|seed| periods(&weather, days, seed)).collect::<Vec<_>>();
    let (monthly, daily) = (of(30), of(1));
    let half =
        |meters: &[Vec<FitPeriod>]| meters.iter().map(|m| m[..m.len() / 2].to_vec()).collect::<Vec<_>>();
    let (year_monthly, year_daily) = (half(&monthly), half(&daily));
    let terms = Terms::HeatingAndCooling;
    for (name, grid) in [("3F", Grid::FAHRENHEIT_3), ("1F", Grid::FAHRENHEIT_1), ("0.5C", Grid::CELSIUS_HALF)]
    {
        measure(&format!("CalTRACK monthly, {name}"), &year_monthly, |p| {
            let options = Options { grid, interval: Interval::Monthly, terms };
            black_box(caltrack::fit(&Data::of(p, &weather), options));
        });
        measure(&format!("CalTRACK daily, {name}"), &year_daily, |p| {
            let options = Options { grid, interval: Interval::Daily, terms };
            black_box(caltrack::fit(&Data::of(p, &weather), options));
        });
    }
    measure("average over laws, the default for bills", &year_monthly, |p| {
        black_box(averaged::fit(&Data::of(p, &weather), terms, "meter:x"));
    });
    measure("change point, best of 1P to 5P, monthly", &year_monthly, |p| {
        black_box(change_point::fit(&Data::of(p, &weather)));
    });
    measure("change point, best of 1P to 5P, daily", &year_daily, |p| {
        black_box(change_point::fit(&Data::of(p, &weather)));
    });
    measure("change point, 5P, daily", &year_daily, |p| {
        black_box(change_point::optimum(&Data::of(p, &weather), Shape::P5, Signs::Any, Weights::Days));
    });
    portfolio(&weather, &monthly);
}
