//! What counts against the lower bound of a saving: days of the reporting window without a value, and values that the
//! other periods do not bear out.
//!
//! Must never: raise a bound, change what was measured, or doubt a use that the meter's own year shows.
//!
//! A day without a value may have used anything; for the bound it is taken to have used twice the highest use per day
//! that is known of the meter. A zero, or next to nothing, is a value where the baseline was as low in the same season, and
//! else a doubt. A bill is also doubted where it is far below what the others say of it ([`held`]), a day where it is far below the line that the reporting periods follow, each against its own
//! expectation: measures change that line, a garbled bill leaves it. What all values share and no measure makes is `alike`:
//! another unit, one value again and again. What is doubted saves nothing for the bound.

use chrono::{Datelike, NaiveDate};
use model::{Finding, Severity};

use super::screen::Screened;
use super::{MeterPeriod, Question, Window};
use crate::baseline::FitPeriod;
use crate::baseline::data::{Data, Row};
use crate::baseline::fit::{Fit, Prediction};
use crate::baseline::linear::{self, NoSolution};
use crate::degree_days::unusual::Unusual;
use crate::evaluate::COVERAGE_MIN;

mod alike;
mod deep;
mod held;

/// Times the highest use per day that is known.
const MOST: f64 = 2.0;
/// A zero of the baseline explains one of the reporting period within so many days of the year.
const SEASON_DAYS: u32 = 15;
/// A value below this share of the line, and this many times the scatter from it, is doubted; the same above.
const FAR_BELOW: f64 = 0.6;
const FAR_ABOVE: f64 = 2.0;
const SCATTERS: f64 = 4.0;
/// Fewest periods that make a line.
const LINE_MIN: usize = 6;
/// Rounds of reweighting.
const ROUNDS: usize = 30;
/// Up to this share of its expectation a value is as good as zero: what cooking leaves of a boiler's gas is more.
pub(super) const NOTHING: f64 = 0.03;
/// The baseline explains a value of next to nothing by one of so many times as much in the same season.
const AS_LITTLE: f64 = 3.0;
/// A zero is of no matter below this share of the mean use that is expected.
const ZERO_SHARE: f64 = 0.1;
/// A day that uses so many times what most of its weekdays used in that season of the baseline, or less, is no doubt; a
/// bill of the same weeks alike.
const AS_LOW: f64 = 1.5;
/// Of a bill that the others speak against.
const AS_LOW_BILL: f64 = 1.1;
/// By so many of its own standard deviations a doubted value may have used more than was expected: half of the half band
/// at 90 %, for the rest is in the band of all periods, of which the doubted ones are part.
const OWN_DEVIATIONS: f64 = 0.82;

const RULE: &str = "conservative direction: what is missing or garbled never becomes a saving";

/// What is doubted.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Doubt {
    /// What the lower bound does without, in display units.
    pub(super) energy: f64,
    /// The periods whose saving it does without, one by one; all of them are doubted where they are in another unit.
    pub(crate) spans: Vec<(NaiveDate, NaiveDate)>,
    pub(crate) findings: Vec<Finding>,
    /// Which periods are told, by the finding's code and their first day.
    pub(super) told: Vec<(&'static str, NaiveDate)>,
}

/// What is not compared of a window.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Missing {
    /// What it may take from the saving, in display units.
    pub(super) lost: f64,
    /// What the baseline would have used in its days of known weather, and how many these are.
    pub(super) expected: f64,
    pub(super) days: f64,
    /// Its days of known weather with the most that they may have used, in pieces as long as the file's.
    pub(super) at_most: Vec<FitPeriod>,
}

impl Missing {
    /// A span that may have used so much, cut into days or months.
    fn fill(
        &mut self,
        question: &Question<'_>,
        (from, to): (NaiveDate, NaiveDate),
        (may, daily): (f64, bool),
    ) {
        let span = Window { from, to };
        let known = |p: &FitPeriod| {
            COVERAGE_MIN * p.days() <= question.temperatures.means(p.from, p.to).count() as f64
        };
        let of = |p: FitPeriod| FitPeriod { energy: may * p.days() / span.days(), ..p };
        self.at_most.extend(super::pieces(span, daily).into_iter().filter(known).map(of));
    }
}

/// What the spans that are not compared may take from the saving: the most that they may have used, less what the baseline
/// would have, where their weather is known; and their own band, which that of the compared days lacks. Weather that the
/// baseline never met is in the band of the whole window already. In months that nothing bears out they count at the lower
/// of what the baseline would have used under the weather as measured and as usual. Of a period that lies partly in the
/// window, all may have been used within.
pub(super) fn missing(
    question: &Question<'_>,
    (reporting, daily): (&Screened, bool),
    by: Option<(&Fit, &Unusual)>,
) -> Missing {
    let most = MOST * most_per_day(question.periods, question);
    let unknown = reporting.missing.iter().map(|(from, to)| (*from, *to, f64::INFINITY));
    let mut all = Missing::default();
    for (from, to, value) in unknown.chain(reporting.crossing.iter().copied()) {
        let weather = Data::weather(question.temperatures, from, to);
        let known = weather.rows().iter().all(|row| row.days <= row.known_days);
        let may = value.min(most * weather.days());
        all.fill(question, (from, to), (may, daily));
        let Some((fit, unusual)) = by.filter(|_| known) else {
            all.lost += may.max(0.0);
            continue;
        };
        let predicted = fit.predict_met(&weather);
        let own = predicted.energy.max(0.0);
        let at_usual = |means| fit.predict_met(&Data::weather(means, from, to)).energy.clamp(0.0, own);
        let sure = unusual.at_usual.as_ref().map_or(own, at_usual);
        all.lost += (may - sure).max(0.0) + predicted.half_width(question.confidence);
        all.expected += own;
        all.days += weather.days();
    }
    all
}

fn most_per_day(periods: &[MeterPeriod], question: &Question<'_>) -> f64 {
    let used = |p: &&MeterPeriod| {
        p.from < p.to && (question.baseline.touches(p.from, p.to) || question.reporting.touches(p.from, p.to))
    };
    let per_day = |p: &MeterPeriod| p.value.map(|value| value / (p.to - p.from).num_days() as f64);
    periods.iter().filter(used).filter_map(per_day).fold(0.0, f64::max)
}

/// A reporting period with what the baseline's law expects of it.
#[derive(Debug, Clone, Copy)]
struct Point {
    row: Row,
    expected: f64,
    /// Of it for heating and for cooling.
    parts: [f64; 2],
    /// Standard deviation of such periods around the law.
    noise: f64,
    /// Variance of this one alone, the law's own error with it.
    variance: f64,
}

fn points(alone: &[Prediction], reporting: &Data) -> Vec<Point> {
    let point = |(row, of): (&Row, &Prediction)| Point {
        row: *row,
        expected: of.energy.max(0.0),
        parts: [of.heating, of.cooling],
        noise: of.noise_variance.max(0.0).sqrt(),
        variance: (of.model_variance + of.noise_variance).max(0.0),
    };
    reporting.rows().iter().zip(alone).map(point).collect()
}

/// The doubt of all values together, where they are in another unit than the baseline's: none of them saves anything.
pub(super) fn other_unit(
    subject: &str,
    alone: &[Prediction],
    baseline: &Data,
    reporting: &Data,
) -> Option<Doubt> {
    let mut doubt = Doubt::default();
    let about = format!("{subject} reporting");
    alike::unit(&about, &points(alone, reporting), baseline, &mut doubt).then_some(doubt)
}

/// Values of the reporting periods, each predicted `alone`, that are hardly those of the meter.
pub(crate) fn values(subject: &str, alone: &[Prediction], baseline: &Data, reporting: &Data) -> Doubt {
    if let Some(doubt) = other_unit(subject, alone, baseline, reporting) {
        return doubt;
    }
    let points = points(alone, reporting);
    let about = format!("{subject} reporting");
    let mut doubt = Doubt::default();
    let (days, expected) = points.iter().fold((0.0, 0.0), |(d, e), p| (d + p.row.days, e + p.expected));
    let mut open: Vec<Point> = Vec::with_capacity(points.len());
    let (mut zeros, mut refunds): (Vec<Point>, Vec<Point>) = (Vec::new(), Vec::new());
    let all = points.clone();
    let points = alike::drop_frozen(&about, points, baseline, &mut doubt);
    let bills = held::are_bills(&points);
    for p in &points {
        // Of bills each counts; what a day of little need does not use is no matter.
        let least = if bills { 0.0 } else { ZERO_SHARE * expected / days };
        let is_nothing = p.row.energy <= NOTHING * p.expected;
        if is_nothing && least < p.expected / p.row.days && !is_closed_season(&p.row, baseline) {
            if p.row.energy < 0.0 { refunds.push(*p) } else { zeros.push(*p) }
        } else {
            open.push(*p);
        }
    }
    if !zeros.is_empty() {
        let what = "used nothing, or next to nothing, where the baseline never did";
        doubt.take(&zeros, "reporting.zero", &about, what);
    }
    let mut below = refunds;
    leave_the_others(&about, (open, bills), baseline, &mut below, &mut doubt);
    if !below.is_empty() {
        below.sort_by_key(|p| p.row.from);
        let what = "used far less than the other periods lead to expect";
        doubt.take(&below, "reporting.doubtful", &about, what);
    }
    doubt.exceed(&all);
    doubt
}

/// Months and bills that leave what the others say, into those below; and those far above into the findings.
fn leave_the_others(
    about: &str,
    (open, bills): (Vec<Point>, bool),
    baseline: &Data,
    below: &mut Vec<Point>,
    doubt: &mut Doubt,
) {
    let far = held::far_below(&open);
    let far: Vec<NaiveDate> = open.iter().zip(far).filter(|(_, far)| *far).map(|(p, _)| p.row.from).collect();
    let (dropped, mut kept) = deep::part(open, baseline);
    below.extend(dropped);
    let (measured, expected) = sums(&kept);
    let share = if 0.0 < expected { (measured / expected).clamp(0.0, 1.0) } else { 1.0 };
    let closed = |p: &Point| p.row.energy < FAR_BELOW * p.expected && is_as_low(&p.row, baseline, share);
    // The same weeks of a milder year are no excuse: only a bill about as low is.
    let as_low = |p: &Point| is_as_low(&p.row, baseline, share * AS_LOW / AS_LOW_BILL);
    let left = |p: &Point| far.contains(&p.row.from) && !as_low(p);
    below.extend(kept.extract_if(.., |p| left(p)));
    // A closed month bends the line; without the lower ones of many days it would be too sure.
    kept.retain(|p| p.row.days < deep::BLOCK_DAYS || !closed(p));
    let known = below.len();
    far_from_the_line(about, &kept, closed, below, doubt);
    if bills {
        below.truncate(known);
    }
}

impl Doubt {
    /// Doubts the saving of these periods. What one gives back, the bound does without already.
    fn take(&mut self, points: &[Point], code: &'static str, about: &str, what: &str) {
        self.energy += points.iter().map(|p| (p.expected - p.row.energy.max(0.0)).max(0.0)).sum::<f64>();
        self.spans.extend(points.iter().map(|p| (p.row.from, p.row.to)));
        self.tell(
            points,
            code,
            about,
            what,
            "; the lower bound counts no saving in them; confirm or correct them",
        );
    }

    /// A doubted period may have used more than was expected: by as much as the others did, or by its own band.
    fn exceed(&mut self, all: &[Point]) {
        let is_doubted = |p: &Point| {
            self.told.iter().any(|(code, from)| *code != "reporting.extreme" && *from == p.row.from)
        };
        let (doubted, sound): (Vec<Point>, Vec<Point>) = all.iter().copied().partition(|p| is_doubted(p));
        if doubted.is_empty() {
            return;
        }
        let (measured, of_sound) = sums(&sound);
        let share = if 0.0 < of_sound { (measured / of_sound).clamp(1.0, MOST) } else { 1.0 };
        let (_, expected) = sums(&doubted);
        // Days of a month scatter past each other; months may all be off the same way.
        let months = deep::join(doubted, |p| p.row);
        let band = |month: &Vec<Point>| month.iter().map(|p| p.variance).sum::<f64>().sqrt();
        self.energy += ((share - 1.0) * expected).max(OWN_DEVIATIONS * months.iter().map(band).sum::<f64>());
    }

    fn tell(&mut self, points: &[Point], code: &'static str, about: &str, what: &str, then: &str) {
        let (Some(first), n) = (points.first(), points.len()) else { return };
        self.told.extend(points.iter().map(|p| (code, p.row.from)));
        let says = format!("{n} reporting periods, the first from {}, {what}{then}", first.row.from);
        let finding = Finding::new(code, Severity::Caution, about, says, RULE);
        self.findings.push(finding.with("periods", n).with("from", first.row.from));
    }
}

/// What was measured in all of them and what was expected.
fn sums(points: &[Point]) -> (f64, f64) {
    points.iter().fold((0.0, 0.0), |(m, e), p| (m + p.row.energy, e + p.expected))
}

/// Whether the baseline was at zero in the same season, or at about as little; for what is given back, whether it gave
/// back too.
fn is_closed_season(row: &Row, baseline: &Data) -> bool {
    let days = |row: &Row| (row.from.ordinal(), (row.to - row.from).num_days() as u32);
    let (begin, length) = days(row);
    let most = AS_LITTLE * row.energy_per_day();
    let as_little = |b: &Row| 0.0 < b.energy && 0.0 < row.energy && b.energy_per_day() <= most;
    let explains = |b: &&Row| b.energy == 0.0 || (b.energy < 0.0 && row.energy < 0.0) || as_little(b);
    baseline.rows().iter().filter(explains).any(|b| {
        let (from, of) = days(b);
        // On the circle of the year, from the beginning of one to that of the other.
        let ahead = (365 + begin - from.min(365)) % 365;
        let behind = 365 - ahead;
        ahead <= of + SEASON_DAYS || behind <= length + SEASON_DAYS
    })
}

/// The day of the year in the middle of a span.
fn middle_of_year(from: NaiveDate, to: NaiveDate) -> f64 {
    f64::from(from.ordinal()) + (to - from).num_days() as f64 / 2.0
}

/// Whether the baseline used as little at the same time of its year, where `share` of all use is left: of days, on most of
/// the same weekdays around it.
fn is_as_low(row: &Row, baseline: &Data, share: f64) -> bool {
    let by_day = row.days < deep::BLOCK_DAYS;
    let middle = middle_of_year(row.from, row.to);
    let own = |b: &&Row| {
        let apart = (middle - middle_of_year(b.from, b.to)).rem_euclid(365.0);
        let same_kind =
            if by_day { b.from.weekday() == row.from.weekday() } else { deep::BLOCK_DAYS <= b.days };
        same_kind && apart.min(365.0 - apart) <= f64::from(SEASON_DAYS)
    };
    let low = |b: &&Row| share * b.energy_per_day() <= AS_LOW * row.energy_per_day();
    let all = baseline.rows().iter().filter(own).count();
    let as_low = baseline.rows().iter().filter(own).filter(low).count();
    0 < as_low && all <= 2 * as_low
}

/// Finds values far below both their expectation and the line of measured on expected use, and tells of those far above
/// the line.
fn far_from_the_line(
    about: &str,
    points: &[Point],
    closed: impl Fn(&Point) -> bool,
    below: &mut Vec<Point>,
    doubt: &mut Doubt,
) {
    let Some(line) = Line::of(points) else { return };
    let mut above = Vec::new();
    for p in points {
        let at = line.at(p);
        let least = at.min(p.expected);
        let scatter = SCATTERS * line.scatter_per_day * p.row.days;
        if p.row.energy < FAR_BELOW * least && scatter < least - p.row.energy {
            below.extend((!closed(p)).then_some(*p));
        } else if FAR_ABOVE * at.max(0.0) < p.row.energy && scatter < p.row.energy - at {
            above.push(*p);
        }
    }
    if !above.is_empty() {
        let what = "used far more than the other periods lead to expect";
        doubt.tell(&above, "reporting.extreme", about, what, "; a person should look");
    }
}

/// Use per day = base + Σ slope × part of what was expected, heating and cooling, through the periods' middle: outliers
/// do not bend it, and a measure that changes a season changes its slope.
struct Line {
    base_per_day: f64,
    /// Of heating and of cooling.
    slopes: [f64; 2],
    scatter_per_day: f64,
}

impl Line {
    fn of(points: &[Point]) -> Option<Self> {
        if points.len() < LINE_MIN {
            return None;
        }
        let mut line = Self { base_per_day: 0.0, slopes: [0.0; 2], scatter_per_day: 0.0 };
        let mut weights = vec![1.0; points.len()];
        // Least absolute deviations by reweighting.
        for _ in 0..ROUNDS {
            line.fit(points, &weights)?;
            for (weight, p) in weights.iter_mut().zip(points) {
                let off = (p.row.energy - line.at(p)).abs() / p.row.days;
                *weight = 1.0 / off.max(1e-9 * (1.0 + p.row.energy_per_day().abs()));
            }
        }
        let mut off: Vec<f64> =
            points.iter().map(|p| (p.row.energy - line.at(p)).abs() / p.row.days).collect();
        off.sort_by(f64::total_cmp);
        // The median of absolute deviations as a standard deviation, beside the periods that the line goes through.
        let through = 1 + line.slopes.iter().filter(|s| **s != 0.0).count();
        let middle = off.get(through + (off.len() - through) / 2).copied().unwrap_or(0.0);
        line.scatter_per_day = 1.4826 * middle;
        Some(line)
    }

    /// Weighted least squares; a part that tells nothing of its own has no slope.
    fn fit(&mut self, points: &[Point], weights: &[f64]) -> Option<()> {
        let mut parts = vec![0, 1];
        loop {
            let row = |(p, weight): (&Point, &f64)| {
                let x = parts.iter().map(|part| p.parts[*part] / p.row.days).collect();
                linear::Row { weight: *weight, y: p.row.energy_per_day(), x }
            };
            let rows: Vec<linear::Row> = points.iter().zip(weights).map(row).collect();
            match linear::solve(&rows, parts.len()) {
                Ok(found) => {
                    self.base_per_day = found.base;
                    self.slopes = [0.0; 2];
                    parts.iter().zip(&found.coefficients).for_each(|(part, c)| self.slopes[*part] = *c);
                    return Some(());
                }
                Err(NoSolution::Collinear(column)) => drop(parts.remove(column)),
                Err(NoSolution::Nothing) => return None,
            }
        }
    }

    fn at(&self, p: &Point) -> f64 {
        p.row.days * self.base_per_day + self.slopes[0] * p.parts[0] + self.slopes[1] * p.parts[1]
    }
}
