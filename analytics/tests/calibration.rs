//! The default model for bills against planted truths: how far off it is, and how often its band holds the truth.
//!
//! Must never: take the truth into the model, or be tuned to one set of meters.

mod worlds;

use std::collections::BTreeMap;
use std::path::Path;

use analytics::analysis::{Answer, Method};
use analytics::baseline::FitPeriod;
use analytics::baseline::averaged;
use analytics::baseline::caltrack::{self, Interval, Options, Terms};
use analytics::baseline::change_point::Shape;
use analytics::baseline::data::{Data, Grid};
use analytics::baseline::fit::Fit;
use analytics::degree_days::DailyMeans;
use chrono::NaiveDate;
use model::{DailyTemperature, StationId};
use worlds::judge::{Case, Said, Tally, answer};
use worlds::strata::strata;
use worlds::trials::{SETS, Set, trial};
use worlds::{references, world};

const WORLDS: u64 = 400;
const TRIALS: u64 = 240;

fn averaged(data: &Data) -> Fit {
    averaged::fit(data, Terms::HeatingAndCooling, "meter:x baseline").unwrap()
}

fn caltrack(data: &Data) -> Option<Fit> {
    let options =
        Options { grid: Grid::FAHRENHEIT_3, interval: Interval::Monthly, terms: Terms::HeatingAndCooling };
    caltrack::fit(data, options)
}

fn rows(name: &str) -> Vec<csv::StringRecord> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/mv").join(name);
    csv::Reader::from_path(&path).unwrap().records().map(Result::unwrap).collect()
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// Days of which more than half the hours are known (CalTRACK 2.0 §2.2.2.3).
fn temperatures(weather: &str) -> DailyMeans {
    let station = StationId::new("s").unwrap();
    let known = rows(&format!("weather/{weather}.csv"));
    let known = known.iter().filter(|r| !r[1].is_empty() && 12 < r[2].parse::<u32>().unwrap());
    let days: Vec<DailyTemperature> = known
        .map(|r| DailyTemperature::as_given(station.clone(), day(&r[0]), r[1].parse().unwrap()))
        .collect();
    DailyMeans::of(&days, &station)
}

/// With 400 worlds the share in a right band is within 85 and 95 % but for one time in a thousand.
#[test]
fn over_planted_worlds_the_band_holds_nine_truths_in_ten_and_the_error_is_below_the_references() {
    let (mut own, mut others, mut aicc) = (Tally::default(), Tally::default(), Tally::default());
    let mut by_stratum: BTreeMap<String, Tally> = BTreeMap::new();
    for number in 0..WORLDS {
        let world = world(1_000_000 + number);
        let case = Case::of(&world);
        let said = Said::by(&averaged(&case.baseline), &case.reporting);
        own.add(world.truth(), said);
        for name in strata(&world) {
            by_stratum.entry(name).or_default().add(world.truth(), said);
        }
        if let Some(fit) = caltrack(&case.baseline) {
            others.add(world.truth(), Said::by(&fit, &case.reporting));
        }
        if number % 4 == 0
            && let Some(said) = references::aicc(&case)
        {
            aicc.add(world.truth(), said);
        }
    }
    assert!(own.count() == WORLDS as usize && 300 < others.count() && 50 < aicc.count());
    assert!((0.85..0.95).contains(&own.coverage()), "{}", own.coverage());
    assert!(own.error(0.5) < others.error(0.5), "{} {}", own.error(0.5), others.error(0.5));
    assert!(own.error(0.95) < 0.8 * others.error(0.95), "{} {}", own.error(0.95), others.error(0.95));
    assert!(own.error(0.95) < aicc.error(0.95), "{} {}", own.error(0.95), aicc.error(0.95));
    assert!(own.root_mean_square() < others.root_mean_square());
    assert!(own.half_width(0.5) < 0.04, "{}", own.half_width(0.5));
    for (name, tally) in &by_stratum {
        let (held, count) = (100.0 * tally.coverage(), tally.count());
        println!("{name}: {held:.1} % of {count}, median error {:.2} %", 100.0 * tally.error(0.5));
    }
    // No kind of building is left to a band that is much too narrow; small strata tell nothing.
    for (name, tally) in by_stratum.iter().filter(|(_, tally)| 60 <= tally.count()) {
        assert!(0.79 < tally.coverage(), "{name}: {} of {}", tally.coverage(), tally.count());
    }
}

/// 75 meters that others planted: CalTRACK monthly is off by 1.35 % in the median and 5.3 % in the worst of twenty,
/// OpenDSM's bills by 1.97 % and 31.6 %; their 90 % bands hold 59 % and 80 % of the truths.
#[test]
fn on_the_meters_planted_by_others_the_error_and_the_band_are_within_their_marks() {
    let all = rows("planted/monthly.csv");
    let mut tally = Tally::default();
    let (mut bias, mut shown): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
    for truth in rows("planted/truth.csv") {
        let weather = temperatures(&truth[1]);
        let periods = |phase: &str| -> Data {
            let own = all.iter().filter(|r| r[0] == truth[0] && &r[4] == phase);
            let periods: Vec<FitPeriod> = own
                .map(|r| FitPeriod {
                    from: day(&r[1]),
                    to: day(&r[2]),
                    energy: r[3].parse().unwrap(),
                    coverage_ratio: 1.0,
                })
                .collect();
            Data::of(&periods, &weather)
        };
        let (fit, reporting) = (averaged(&periods("baseline")), periods("reporting"));
        tally.add(truth[3].parse().unwrap(), Said::by(&fit, &reporting));
        // Who computes with the coefficients shown comes to the figure.
        let by_hand: f64 = reporting.rows().iter().map(|row| fit.model.energy(&reporting, row)).sum();
        let predicted = fit.predict(&reporting).energy;
        shown.push((by_hand / predicted - 1.0).abs());
        bias.push(fit.quality.nmbe_ratio.abs());
    }
    assert!(tally.count() == 75);
    shown.sort_by(f64::total_cmp);
    bias.sort_by(f64::total_cmp);
    println!("shown: median {:.5}, most {:.5}; bias at most {:.5}", shown[37], shown[74], bias[74]);
    assert!(shown[37] <= 0.001 && shown[74] <= 0.02, "{shown:?}");
    // A month that is as well wrong as of a term that no other month shows is met half way.
    assert!(bias[71] <= 0.02 && bias[74] <= 0.08, "{bias:?}");
    println!(
        "median {:.4} p95 {:.4} band {:.4} half {:.4}",
        tally.error(0.5),
        tally.error(0.95),
        tally.coverage(),
        tally.half_width(0.5)
    );
    assert!(tally.error(0.5) <= 0.0115, "{}", tally.error(0.5));
    assert!(tally.error(0.95) <= 0.05, "{}", tally.error(0.95));
    assert!((0.85..=0.95).contains(&tally.coverage()), "{}", tally.coverage());
    assert!(tally.half_width(0.5) <= 0.03, "{}", tally.half_width(0.5));
}

fn set(name: &str) -> &'static Set {
    SETS.iter().find(|set| set.name == name).unwrap()
}

/// Trials of a set, and the share of them with a finding of this code.
fn tried(name: &str, code: &str) -> (Tally, f64) {
    let (mut tally, mut found) = (Tally::default(), 0);
    for number in 0..TRIALS {
        let world = trial(set(name), number);
        let answer = answer(&world, Method::Auto);
        found += usize::from(answer.findings.iter().any(|f| f.code == code));
        tally.add(world.truth(), Said::of(&answer).unwrap());
    }
    (tally, found as f64 / TRIALS as f64)
}

/// One wrong bill of any month must not make the laws that it is judged by.
#[test]
fn one_wrong_bill_neither_moves_the_model_nor_leaves_its_band() {
    let gross = "fit.gross_period";
    let (plain, alarms) = tried("plain", gross);
    assert!(alarms < 0.06, "{alarms}");
    for (name, known) in
        [("one bill x 0", 0.7), ("one bill x 0.1", 0.7), ("one bill x 10", 0.85), ("one bill x 100", 0.9)]
    {
        let (tally, found) = tried(name, gross);
        println!("{name}: {found} {} {}", tally.coverage(), tally.error(0.5));
        assert!(known <= found, "{name}: {found}");
        assert!(0.84 < tally.coverage(), "{name}: {}", tally.coverage());
        assert!(tally.error(0.5) < 2.0 * plain.error(0.5), "{name}: {}", tally.error(0.5));
        assert!(tally.half_width(0.5) < 2.0 * plain.half_width(0.5), "{name}: {}", tally.half_width(0.5));
    }
}

/// What is too much in one bill and lacks in the next, and a bill that makes a term that no other month shows.
#[test]
fn a_bill_far_too_high_and_two_months_in_one_do_not_make_the_law() {
    let (plain, _) = tried("plain", "");
    for (name, known) in [
        ("one bill x 2.5", 0.85),
        ("two months in one bill, the next at zero", 0.8),
        ("two months in one bill, the next missing", 0.8),
    ] {
        let (tally, found) = tried(name, "fit.gross_period");
        println!("{name}: {found} {} {}", tally.coverage(), tally.error(0.95));
        assert!(known <= found, "{name}: {found}");
        assert!((0.84..0.97).contains(&tally.coverage()), "{name}: {}", tally.coverage());
        assert!(tally.error(0.95) < 2.5 * plain.error(0.95), "{name}: {}", tally.error(0.95));
        assert!(tally.half_width(0.5) < 1.3 * plain.half_width(0.5), "{name}: {}", tally.half_width(0.5));
    }
}

/// A school's summer, from one month to four: what is closed comes again, and the band says no more than that.
#[test]
fn a_building_closed_every_summer_keeps_a_band_that_says_something() {
    for (name, known, widest) in [
        ("closed in August", 0.95, 0.05),
        ("closed in July and August", 0.95, 0.06),
        ("closed from June to September", 0.7, 0.1),
    ] {
        let (tally, found) = tried(name, "fit.closed_in_summer");
        println!("{name}: {found} {} {}", tally.coverage(), tally.half_width(0.5));
        assert!(known <= found, "{name}: {found}");
        assert!(0.87 < tally.coverage(), "{name}: {}", tally.coverage());
        assert!(tally.half_width(0.5) < widest, "{name}: {}", tally.half_width(0.5));
    }
}

/// Independent months keep a band that is right; where they follow each other it is wider, as far as twelve can tell.
#[test]
fn months_that_follow_each_other_widen_the_band_and_others_hardly() {
    let (apart, _) = tried("month noise 5 %", "");
    assert!((0.85..0.955).contains(&apart.coverage()), "{}", apart.coverage());
    for (name, least) in [
        ("month noise 5 %, follows by 0.3", 0.86),
        ("month noise 5 %, follows by 0.6", 0.74),
        ("day noise 15 %, follows by 0.95", 0.8),
    ] {
        let (following, _) = tried(name, "");
        println!("{name}: {}", following.coverage());
        assert!(least < following.coverage(), "{name}: {}", following.coverage());
    }
}

/// Days that follow each other hide their scatter in the law, and months that differ all of it; the band counts both.
#[test]
fn days_that_follow_each_other_keep_their_band() {
    for name in [
        "days, noise 10 %, follows by 0.4",
        "days, noise 15 %, follows by 0.9",
        "days, and months of 2 %",
        "days, and months of 5 % that follow by 0.3",
    ] {
        let (days, _) = tried(name, "");
        println!("{name}: {}", days.coverage());
        // Where months hardly differ the band is a little wider than it need be.
        assert!((0.875..0.97).contains(&days.coverage()), "{name}: {}", days.coverage());
    }
}

#[test]
fn two_missing_bills_leave_the_model_and_a_short_window_does_not() {
    let why = |answer: &Answer| {
        let chosen = answer.findings.iter().find(|f| f.code == "method.chosen").unwrap();
        chosen.values.iter().find(|(key, _)| *key == "kind").unwrap().1.clone()
    };
    for number in 0..TRIALS {
        let mut world = trial(set("2 bills missing"), number);
        let holed = answer(&world, Method::Auto);
        assert!(holed.method == "averaged" && why(&holed) == "bills", "{number}: {}", holed.method);
        assert!(holed.findings.iter().any(|f| f.code == "baseline.short"));
        world.baseline.truncate(6);
        let short = answer(&world, Method::Auto);
        assert!(short.method == "degree-days" && why(&short) == "short", "{number}: {}", short.method);
    }
    // A year without its summer is not short.
    let mut world = trial(set("plain"), 1);
    world.baseline.drain(5..8);
    assert!(why(&answer(&world, Method::Auto)) == "holes");
}

#[test]
fn a_coefficient_that_no_building_has_is_never_chosen_and_is_told_where_it_was_asked_for() {
    let negative = |answer: &Answer| {
        let model = answer.fit.as_ref().unwrap().model;
        model.base_per_day.min(model.heating_per_degree_day).min(model.cooling_per_degree_day) < 0.0
    };
    let told = |answer: &Answer| answer.findings.iter().any(|f| f.code == "fit.sign");
    for number in 0..TRIALS / 4 {
        let world = trial(set("days, noise 15 %, follows by 0.9"), number);
        let chosen = answer(&world, Method::Auto);
        assert!(!negative(&chosen) && !told(&chosen), "{number}");
        for shape in [Shape::P3Cooling, Shape::P3Heating, Shape::P4] {
            let asked = answer(&world, Method::Shape(shape));
            assert!(negative(&asked) == told(&asked), "{number} {shape:?}");
        }
    }
    // Use that falls with the temperature, asked for as cooling; and the right way about.
    let heated = trial(set("days, noise 10 %, follows by 0.4"), 1);
    assert!(told(&answer(&heated, Method::Shape(Shape::P3Cooling))));
    assert!(!told(&answer(&heated, Method::Shape(Shape::P3Heating))));
}

#[test]
fn each_period_is_predicted_as_alone_and_their_energies_are_the_whole() {
    let close = |a: f64, b: f64| (a - b).abs() <= 1e-12 * (a.abs() + b.abs());
    let mut closed = 0;
    for number in 0..60 {
        let case = Case::of(&world(number));
        let fit = averaged(&case.baseline);
        closed += usize::from(fit.members.iter().any(|member| member.closure.is_some()));
        let each = fit.predict_each(&case.reporting);
        assert!(each.len() == case.reporting.len());
        for (row, own) in case.reporting.rows().iter().zip(&each) {
            let alone = fit.predict_rows(&case.reporting, std::slice::from_ref(row));
            assert!(alone == *own, "{number} {row:?}");
        }
        let whole = fit.predict(&case.reporting);
        assert!(close(whole.energy, each.iter().map(|one| one.energy).sum()), "{number}");
        assert!(close(whole.noise_variance, each.iter().map(|one| one.noise_variance).sum()), "{number}");
    }
    assert!(2 < closed, "{closed}");
}
