//! What the values of a reporting period have in common that no measure makes: they are in another unit than the
//! baseline's, or the same value stands there again and again.
//!
//! Must never: leave a level untold that a lost digit makes, doubt values that the baseline repeats as well, or a season in
//! which the baseline was as low.
//!
//! Hardly a measure leaves less than an eighth of a meter's use, and a decimal point or cubic metres for kilowatt-hours
//! always do: below that a person confirms the year, whatever its shape and however many its periods are. A heat pump that
//! takes a boiler's place, with the cooking left, is told too; it is one word of one person, once.

use chrono::NaiveDate;
use model::{Finding, Severity};

use super::{Doubt, Point, RULE, deep, held, is_as_low, sums};
use crate::baseline::data::Data;

/// All values together below this share of the expectation, or above it so many times, are in another unit: a lost digit
/// and cubic metres of gas for kilowatt-hours (9.6 to 10.7 kWh), of a year that used up to a fifth more.
const LEAST: f64 = 0.12;
const UNIT: f64 = 20.0;
/// Of the baseline's mean use, what is expected of a closed season is less.
const CLOSED: f64 = 0.3;
/// The same value so many times, over so many days in a row, is no measurement: of bills or months, and of days. What
/// lacks between does not end a run.
const REPEATED: (usize, f64) = (3, 115.0);
const REPEATED_DAYS: (usize, f64) = (8, 15.0);
/// The expectation differs by so much meanwhile.
const REPEATED_EXPECTED: f64 = 1.25;
/// A small number of whole units repeats itself by chance: below so many of the least steps between values of the file.
const STEPS: f64 = 20.0;
/// A bill with another's very value, of so much more expectation and so far under its neighbours' shares, is that one again:
/// presumed, or copied. Values of less say nothing, for they meet by chance.
const COPIED_EXPECTED: f64 = 1.25;
const COPIED_SHARE: f64 = 0.85;
const COPIED_MIN: f64 = 500.0;
/// Values are the same up to rounding of the file.
const SAME: f64 = 1e-9;

/// Whether all values together are in another unit than the baseline's; then none of them saves anything for sure.
pub(super) fn unit(about: &str, points: &[Point], baseline: &Data, doubt: &mut Doubt) -> bool {
    // What is given back is told, and the bound does without it, as such.
    let measured: f64 = points.iter().map(|p| p.row.energy.max(0.0)).sum();
    let (_, expected) = sums(points);
    if measured <= 0.0 || expected <= 0.0 || (LEAST..=UNIT).contains(&(measured / expected)) {
        return false;
    }
    // The closed season alone, of a year that has only begun.
    let per_day = expected / points.iter().map(|p| p.row.days).sum::<f64>();
    if per_day * baseline.days() < CLOSED * baseline.energy()
        && points.iter().all(|p| is_as_low(&p.row, baseline, 1.0))
    {
        return false;
    }
    let times = if measured < expected { expected / measured } else { measured / expected };
    let direction = if measured < expected { "less" } else { "more" };
    let says = format!(
        "the reporting periods used {times:.0} times {direction} than the baseline's law expects: are both in the same \
         unit? The lower bound counts no saving"
    );
    doubt.energy += (expected - measured).max(0.0);
    let finding = Finding::new("reporting.unit", Severity::Caution, about, says, RULE);
    doubt.findings.push(finding.with("times", format!("{times:.0}")).with("direction", direction));
    true
}

/// Takes values that repeat themselves out of the points and doubts their saving.
pub(super) fn drop_frozen(about: &str, points: Vec<Point>, baseline: &Data, doubt: &mut Doubt) -> Vec<Point> {
    let step =
        least_step(points.iter().map(|p| p.row.energy).chain(baseline.rows().iter().map(|r| r.energy)));
    let before = baseline.rows().chunk_by(|a, b| is_same(a.energy, b.energy));
    let usual = before.map(<[_]>::len).max().unwrap_or(0);
    let (mut frozen, mut kept) = (Vec::new(), Vec::with_capacity(points.len()));
    for run in points.chunk_by(|a, b| is_same(a.row.energy, b.row.energy)) {
        let by_day = run.iter().any(|p| p.row.days < deep::BLOCK_DAYS);
        let (least_values, least_days) = if by_day { REPEATED_DAYS } else { REPEATED };
        let long = usual < run.len() && least_values <= run.len() && least_days <= span_days(run);
        let per_day = || run.iter().map(|p| p.expected / p.row.days);
        let (low, high) = (per_day().fold(f64::INFINITY, f64::min), per_day().fold(0.0, f64::max));
        let moves = REPEATED_EXPECTED * low <= high;
        let no_chance = run.iter().all(|p| STEPS * step < p.row.energy.abs());
        if long && moves && no_chance { frozen.extend_from_slice(run) } else { kept.extend_from_slice(run) }
    }
    let copies = copied(&kept, usual);
    frozen.extend(kept.extract_if(.., |p| copies.contains(&p.row.from)));
    if !frozen.is_empty() {
        frozen.sort_by_key(|p| p.row.from);
        let what = "repeat one and the same value, which no meter measures";
        doubt.take(&frozen, "reporting.frozen", about, what);
    }
    kept
}

/// The first days of bills that have the value of another which less was expected of.
fn copied(points: &[Point], usual: usize) -> Vec<NaiveDate> {
    let share = |p: &Point| p.row.energy / p.expected;
    let mut found = Vec::new();
    for (i, p) in points.iter().enumerate() {
        let copies = |q: &&Point| {
            is_same(p.row.energy, q.row.energy)
                && COPIED_EXPECTED * q.expected < p.expected
                && held::OFF_DEVIATIONS * p.noise < p.expected - q.expected
        };
        let mut neighbours = points[i.saturating_sub(1)..points.len().min(i + 2)]
            .iter()
            .filter(|q| !is_same(p.row.energy, q.row.energy) && 0.0 < q.expected);
        let alone = neighbours.all(|q| share(p) < COPIED_SHARE * share(q));
        if usual < 2 && COPIED_MIN < p.row.energy && alone && points.iter().any(|q| copies(&q)) {
            found.push(p.row.from);
        }
    }
    if held::are_bills(points) { found } else { Vec::new() }
}

/// Whether two values are the same and say anything: zero has its own doubts.
fn is_same(a: f64, b: f64) -> bool {
    a != 0.0 && (a - b).abs() <= SAME * a.abs()
}

/// Days from the beginning of the first of some points to the end of the last.
fn span_days(run: &[Point]) -> f64 {
    run.first().zip(run.last()).map_or(0.0, |(first, last)| (last.row.to - first.row.from).num_days() as f64)
}

/// The least distance between two different values: at most what the file counts in.
fn least_step(values: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    let steps = sorted.windows(2).filter(|pair| !is_same(pair[1], pair[0])).map(|pair| pair[1] - pair[0]);
    let least = steps.filter(|step| 0.0 < *step).fold(f64::INFINITY, f64::min);
    if least.is_finite() { least } else { 0.0 }
}
