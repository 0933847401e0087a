//! How well the baseline models predict planted buildings, and how often their 90 % bands hold the truth:
//! `cargo run --release -p analytics --example calibration [WORLDS]`. The same worlds on every machine.
//!
//! Must never: print a figure that it did not compute just now.

#[path = "../tests/worlds/mod.rs"]
mod worlds;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use analytics::analysis::Method;
use analytics::baseline::averaged;
use analytics::baseline::caltrack::{self, Interval, Options, Terms};
use analytics::baseline::data::Grid;
use worlds::judge::{Case, Said, Tally, answer};
use worlds::strata::strata;
use worlds::trials::{SETS, trial};
use worlds::{World, references, world};

const WORLDS: u64 = 4000;

fn main() {
    let count = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(WORLDS);
    let mut tallies: BTreeMap<(u8, String), Tally> = BTreeMap::new();
    let mut members = 0;
    for number in 0..count {
        let world = world(number);
        let case = Case::of(&world);
        let truth = world.truth();
        let fit = averaged::fit(&case.baseline, Terms::HeatingAndCooling, "world");
        let Some(fit) = fit else { continue };
        members += fit.members.len();
        let own = Said::by(&fit, &case.reporting);
        for name in strata(&world) {
            tallies.entry((1, format!("averaged: {name}"))).or_default().add(truth, own);
        }
        let wrong = if world.has_gross_error { "one wrong bill" } else { "no wrong bill" };
        let options = Options {
            grid: Grid::FAHRENHEIT_3,
            interval: Interval::Monthly,
            terms: Terms::HeatingAndCooling,
        };
        let others = [
            ("averaged", Some(own)),
            (
                "CalTRACK monthly",
                caltrack::fit(&case.baseline, options).map(|f| Said::by(&f, &case.reporting)),
            ),
            ("AICc-weighted least squares", references::aicc(&case)),
        ];
        for (name, said) in others {
            let Some(said) = said else { continue };
            for part in ["all", wrong] {
                tallies.entry((0, format!("{name}: {part}"))).or_default().add(truth, said);
            }
        }
    }
    heading(&format!("{count} worlds"));
    for ((_, name), tally) in &tallies {
        line(name, tally);
    }
    println!();
    trials(count / 2);
    println!();
    println!("{:.0} laws kept", members as f64 / count as f64);
    speed("12 bills, none wrong", count, |w| w.baseline.len() == 12 && !w.has_gross_error);
    speed("all worlds", count, |_| true);
}

fn heading(what: &str) {
    println!("| {what} | n | median error % | P95 % | RMSE % | in the 90 % band | median half-width % |");
    println!("| --- | --- | --- | --- | --- | --- | --- |");
}

fn line(name: &str, tally: &Tally) {
    println!(
        "| {name} | {} | {:.2} | {:.2} | {:.2} | {:.1} | {:.2} |",
        tally.count(),
        100.0 * tally.error(0.5),
        100.0 * tally.error(0.95),
        100.0 * tally.root_mean_square(),
        100.0 * tally.coverage(),
        100.0 * tally.half_width(0.5),
    );
}

/// What the whole analysis says where one thing is made difficult at a time.
fn trials(count: u64) {
    println!();
    heading(&format!("{count} trials of a kind, method auto"));
    for set in &SETS {
        let mut tally = Tally::default();
        // A day's fit takes as long as thirty of months.
        for number in 0..if set.by_day { count / 5 } else { count } {
            let world = trial(set, number);
            if let Some(said) = Said::of(&answer(&world, Method::Auto)) {
                tally.add(world.truth(), said);
            }
        }
        line(set.name, &tally);
    }
}

/// Fits a second on one core: each world's best of five, so that other work on the machine counts little.
fn speed(name: &str, count: u64, chosen: impl Fn(&World) -> bool) {
    let cases: Vec<Case> = (0..count).map(world).filter(chosen).take(500).map(|w| Case::of(&w)).collect();
    let (mut fits, mut predictions) = (Duration::ZERO, Duration::ZERO);
    for case in &cases {
        let (mut best_fit, mut best_prediction) = (Duration::MAX, Duration::MAX);
        for _ in 0..5 {
            let begin = Instant::now();
            let fit = averaged::fit(&case.baseline, Terms::HeatingAndCooling, "world");
            best_fit = best_fit.min(begin.elapsed());
            let begin = Instant::now();
            let said = fit.map(|fit| Said::by(&fit, &case.reporting));
            best_prediction = best_prediction.min(begin.elapsed());
            assert!(said.is_some_and(|said| said.energy.is_finite()));
        }
        fits += best_fit;
        predictions += best_prediction;
    }
    let each = |time: Duration| time.as_secs_f64() / cases.len() as f64 * 1e6;
    println!(
        "{name}: {:.0} µs a fit, {:.0} fits/s; {:.0} µs a prediction of 12 months",
        each(fits),
        1e6 / each(fits),
        each(predictions)
    );
}
