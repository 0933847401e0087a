//! Change-point models of the energy per day on the mean temperature of day or period: 2P, 3P heating and cooling, 4P,
//! 5P; the *firma energetica* of EN 15603.
//!
//! Must never: search on a grid. The least squares are found exactly: with the points in order of temperature, every
//! way of parting them into left, middle and right is solved in closed form, once with the change points free within
//! their gaps and once with them on the points beside (an optimum lies in a gap or on a point, there is no third). A
//! part's sums come from running totals, and a parting whose free sum of squares is no better than the best so far is
//! skipped: it bounds every solution of that parting from below.
//!
//! A change point lies between the second coldest and the second warmest point: beyond, one point alone would make a
//! slope of its own.

use super::data::{Data, Row};
use super::fit::{Experience, Fit, Kind, Member, Model, Quality, Regressor};
use super::wls;

/// The family, simplest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// The mean.
    P1,
    /// A straight line.
    P2,
    /// Flat, rising below the change point.
    P3Heating,
    /// Flat, rising above the change point.
    P3Cooling,
    /// Two lines that meet.
    P4,
    /// Flat between two change points.
    P5,
}

impl Shape {
    pub const ALL: [Self; 6] = [Self::P1, Self::P2, Self::P3Heating, Self::P3Cooling, Self::P4, Self::P5];

    /// Stable, for files and the command line.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::P1 => "1p",
            Self::P2 => "2p",
            Self::P3Heating => "3ph",
            Self::P3Cooling => "3pc",
            Self::P4 => "4p",
            Self::P5 => "5p",
        }
    }

    /// Parameters, change points included (ASHRAE Guideline 14: 3P has three, 4P four, 5P five).
    #[must_use]
    pub const fn parameters(self) -> u32 {
        match self {
            Self::P1 => 1,
            Self::P2 => 2,
            Self::P3Heating | Self::P3Cooling => 3,
            Self::P4 => 4,
            Self::P5 => 5,
        }
    }
}

/// Whether slopes must be those of heating and cooling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signs {
    /// Any: the plain least squares.
    Any,
    /// 3P and 5P rise away from the change point and have a base load of at least zero.
    Physical,
    /// 4P too; no straight line, which falls on one side of any temperature.
    Strict,
}

/// What rows weigh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weights {
    Days,
    Equal,
}

/// A shape's optimum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Optimum {
    pub shape: Shape,
    /// Use per day at the change point (1P, 3P, 4P), between them (5P), or at 0 °C (2P).
    pub level: f64,
    /// Per K below the left change point, and above the right one. 2P: the slope is `right`.
    pub left: f64,
    pub right: f64,
    /// °C.
    pub left_c: Option<f64>,
    pub right_c: Option<f64>,
    /// Weighted sum of squared residuals of the use per day.
    pub sse: f64,
}

impl Optimum {
    /// Use per day at a mean temperature.
    #[must_use]
    pub fn at(&self, mean_c: f64) -> f64 {
        if self.shape == Shape::P2 {
            return self.level + self.right * mean_c;
        }
        let below = self.left_c.map_or(0.0, |c| (c - mean_c).max(0.0));
        let above = self.right_c.map_or(0.0, |c| (mean_c - c).max(0.0));
        self.level + self.left * below + self.right * above
    }
}

/// Sums of weight, x, y and their products, around the means of all points.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    w: f64,
    x: f64,
    y: f64,
    xx: f64,
    xy: f64,
    yy: f64,
}

impl Sums {
    fn minus(self, o: Self) -> Self {
        Self {
            w: self.w - o.w,
            x: self.x - o.x,
            y: self.y - o.y,
            xx: self.xx - o.xx,
            xy: self.xy - o.xy,
            yy: self.yy - o.yy,
        }
    }

    /// Squares around the mean.
    fn flat(&self) -> f64 {
        if self.w <= 0.0 { 0.0 } else { (self.yy - self.y * self.y / self.w).max(0.0) }
    }

    /// Level at x = 0 and slope of the line, and the squares around it. A part of one temperature has no slope of its own.
    fn line(&self) -> (Option<(f64, f64)>, f64) {
        if self.w <= 0.0 {
            return (None, 0.0);
        }
        let xx = self.xx - self.x * self.x / self.w;
        if xx <= 1e-9 * self.w {
            return (None, self.flat());
        }
        let slope = (self.xy - self.x * self.y / self.w) / xx;
        let squares = (self.flat() - slope * slope * xx).max(0.0);
        (Some(((self.y - slope * self.x) / self.w, slope)), squares)
    }
}

/// The points in order of temperature, those of the same temperature as one in the totals.
struct Points {
    /// Distinct temperatures, less their mean.
    x: Vec<f64>,
    /// `before[k]` holds the sums of all points colder than `x[k]`; one more at the end.
    before: Vec<Sums>,
    x_mean: f64,
    y_mean: f64,
}

impl Points {
    fn of(data: &Data, weights: Weights) -> Option<Self> {
        let weight = |r: &Row| if weights == Weights::Days { r.known_days } else { 1.0 };
        let mut rows: Vec<&Row> = data.rows().iter().filter(|r| 0.0 < r.known_days).collect();
        rows.sort_by(|a, b| a.mean_c.total_cmp(&b.mean_c));
        let all: f64 = rows.iter().map(|r| weight(r)).sum();
        let x_mean = rows.iter().map(|r| weight(r) * r.mean_c).sum::<f64>() / all;
        let y_mean = rows.iter().map(|r| weight(r) * r.energy_per_day()).sum::<f64>() / all;
        let mut points = Self { x: Vec::new(), before: vec![Sums::default()], x_mean, y_mean };
        let mut sum = Sums::default();
        for r in rows {
            let (w, x, y) = (weight(r), r.mean_c - x_mean, r.energy_per_day() - y_mean);
            if points.x.last() == Some(&x) {
                points.before.pop();
            } else {
                points.x.push(x);
            }
            sum.w += w;
            sum.x += w * x;
            sum.y += w * y;
            sum.xx += w * x * x;
            sum.xy += w * x * y;
            sum.yy += w * y * y;
            points.before.push(sum);
        }
        (points.x_mean.is_finite() && points.y_mean.is_finite()).then_some(points)
    }

    fn n(&self) -> usize {
        self.x.len()
    }

    /// Sums of the points from number `a` to before `b`.
    fn part(&self, a: usize, b: usize) -> Sums {
        self.before[b].minus(self.before[a])
    }
}

/// A candidate in centred coordinates.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    level: f64,
    left: f64,
    right: f64,
    left_x: f64,
    right_x: f64,
    sse: f64,
}

struct Search<'a> {
    points: &'a Points,
    signs: Signs,
    /// Solutions with as many squares or more are of no use.
    limit: f64,
    best: Option<Candidate>,
}

impl Search<'_> {
    fn bound(&self) -> f64 {
        self.best.map_or(self.limit, |b| b.sse)
    }

    fn offer(&mut self, candidate: Candidate) {
        let physical =
            0.0 <= candidate.left && 0.0 <= candidate.right && 0.0 <= candidate.level + self.points.y_mean;
        if candidate.sse < self.bound() && (self.signs == Signs::Any || physical) {
            self.best = Some(candidate);
        }
    }

    /// Left of `left_x` one hinge, right of `right_x` the other, both given.
    fn hinges(&mut self, left: Sums, middle: Sums, right: Sums, left_x: f64, right_x: f64) {
        let w = left.w + middle.w + right.w;
        let y = left.y + middle.y + right.y;
        let yy = left.yy + middle.yy + right.yy - y * y / w;
        // h = left_x − x on the left part, c = x − right_x on the right one; never both.
        let (h, hy) = (left.w * left_x - left.x, left_x * left.y - left.xy);
        let hh = left.w * left_x * left_x - 2.0 * left_x * left.x + left.xx - h * h / w;
        let (c, cy) = (right.x - right.w * right_x, right.xy - right_x * right.y);
        let cc = right.xx - 2.0 * right_x * right.x + right.w * right_x * right_x - c * c / w;
        let (hc, hy, cy) = (-h * c / w, hy - h * y / w, cy - c * y / w);
        let tiny = 1e-9 * w;
        let (a, b) = match (tiny < hh, tiny < cc) {
            (false, false) => (0.0, 0.0),
            (true, false) => (hy / hh, 0.0),
            (false, true) => (0.0, cy / cc),
            (true, true) => {
                let det = hh * cc - hc * hc;
                if det <= 1e-12 * hh * cc {
                    return;
                }
                ((hy * cc - cy * hc) / det, (cy * hh - hy * hc) / det)
            }
        };
        self.offer(Candidate {
            level: (y - a * h - b * c) / w,
            left: a,
            right: b,
            left_x,
            right_x,
            sse: (yy - a * hy - b * cy).max(0.0),
        });
    }

    /// Every parting into left, middle and right.
    fn all_fives(&mut self) {
        let points = self.points;
        let n = points.n();
        // Squares of the outer parts depend on one end each.
        let left: Vec<f64> = (0..n).map(|i| points.part(0, i).line().1).collect();
        let right: Vec<f64> = (0..n).map(|j| points.part(j, n).line().1).collect();
        #[expect(clippy::needless_range_loop, reason = "the two indices walk several arrays together")]
        for i in 1..n.saturating_sub(1) {
            for j in i.max(2)..n {
                let outer = left[i] + right[j];
                if outer < self.bound() && outer + points.part(i, j).flat() < self.bound() {
                    self.five(i, j);
                }
            }
        }
    }

    /// Everything with points before `i` on the left, from `j` on the right, the others level.
    fn five(&mut self, i: usize, j: usize) {
        let points = self.points;
        let n = points.n();
        let (left, middle, right) = (points.part(0, i), points.part(i, j), points.part(j, n));
        let ((left_line, left_sse), (right_line, right_sse)) = (left.line(), right.line());
        // Both change points on points: the first of the middle or of the right, the last of the left or the middle.
        let (left_x, right_x) = (points.x[i], points.x[j - 1]);
        if i < j {
            self.hinges(left, middle, right, left_x, right_x);
            let level = middle.y / middle.w;
            let sse = left_sse + middle.flat() + right_sse;
            self.joined(left_line, Some(level), right_line, (i, j), sse);
        } else {
            self.empty_middle(left_line, right_line, i, left_sse + right_sse);
        }
        if i < j {
            self.half_joined(left, middle, right, (i, j));
        }
    }

    /// Both change points free: where the lines meet the level, if that is within their gaps.
    fn joined(
        &mut self,
        left: Option<(f64, f64)>,
        level: Option<f64>,
        right: Option<(f64, f64)>,
        (i, j): (usize, usize),
        sse: f64,
    ) {
        let (Some(left), Some(level), Some(right)) = (left, level, right) else { return };
        let (left_x, right_x) = ((level - left.0) / left.1, (level - right.0) / right.1);
        if self.in_gap(left_x, i) && self.in_gap(right_x, j) && left_x <= right_x {
            self.offer(Candidate { level, left: -left.1, right: right.1, left_x, right_x, sse });
        }
    }

    /// Whether `x` lies between the points before and at number `k`.
    fn in_gap(&self, x: f64, k: usize) -> bool {
        let low = k.checked_sub(1).and_then(|k| self.points.x.get(k));
        let high = self.points.x.get(k);
        let inner = 2 <= k && k + 2 <= self.points.n();
        inner && low.is_some_and(|low| *low <= x) && high.is_some_and(|high| x <= *high)
    }

    /// One change point on a point, the other free in its gap.
    fn half_joined(&mut self, left: Sums, middle: Sums, right: Sums, (i, j): (usize, usize)) {
        let points = self.points;
        let none = Sums::default();
        let (left_x, right_x) = (points.x[i], points.x[j - 1]);
        let ((left_line, left_sse), (right_line, right_sse)) = (left.line(), right.line());
        let mut own = Search { points, signs: Signs::Any, limit: f64::INFINITY, best: None };
        own.hinges(left, middle, none, left_x, left_x);
        if let (Some(c), Some(line)) = (own.best.take(), right_line) {
            let x = (c.level - line.0) / line.1;
            if self.in_gap(x, j) {
                self.offer(Candidate { right: line.1, right_x: x, sse: c.sse + right_sse, ..c });
            }
        }
        own.hinges(none, middle, right, right_x, right_x);
        if let (Some(c), Some(line)) = (own.best, left_line) {
            let x = (c.level - line.0) / line.1;
            if self.in_gap(x, i) {
                self.offer(Candidate { left: -line.1, left_x: x, sse: c.sse + left_sse, ..c });
            }
        }
    }

    /// No point is level: some level at which both lines cross it within the gap, the left one first.
    fn empty_middle(&mut self, left: Option<(f64, f64)>, right: Option<(f64, f64)>, i: usize, sse: f64) {
        let (Some(left), Some(right)) = (left, right) else { return };
        if i < 2 || self.points.n() < i + 2 {
            return;
        }
        let (a, b) = (self.points.x[i - 1], self.points.x[i]);
        let value = |line: (f64, f64), x: f64| line.0 + line.1 * x;
        // Levels that each line takes in the gap; and at the level both change points are in order.
        let range = |line| {
            let (p, q) = (value(line, a), value(line, b));
            (p.min(q), p.max(q))
        };
        let ((left_low, left_high), (right_low, right_high)) = (range(left), range(right));
        let (low, high) = (left_low.max(right_low), left_high.min(right_high));
        if high < low {
            return;
        }
        let crossing = (right.0 - left.0) / (left.1 - right.1);
        for level in [low, high, value(left, crossing).clamp(low, high)] {
            let (left_x, right_x) = ((level - left.0) / left.1, (level - right.0) / right.1);
            if left_x <= right_x + 1e-9 && left_x.is_finite() && right_x.is_finite() {
                self.offer(Candidate { level, left: -left.1, right: right.1, left_x, right_x, sse });
                return;
            }
        }
    }

    fn four(&mut self) {
        let points = self.points;
        let n = points.n();
        for k in 2..=n.saturating_sub(2) {
            let (left, right) = (points.part(0, k), points.part(k, n));
            let ((left_line, left_sse), (right_line, right_sse)) = (left.line(), right.line());
            let sse = left_sse + right_sse;
            if self.bound() <= sse {
                continue;
            }
            for x in [points.x[k - 1], points.x[k]] {
                self.hinges(left, Sums::default(), right, x, x);
            }
            if let (Some(l), Some(r)) = (left_line, right_line) {
                let x = (r.0 - l.0) / (l.1 - r.1);
                if self.in_gap(x, k) {
                    let level = l.0 + l.1 * x;
                    self.offer(Candidate { level, left: -l.1, right: r.1, left_x: x, right_x: x, sse });
                }
            }
        }
    }

    fn three(&mut self, cooling: bool) {
        let points = self.points;
        let n = points.n();
        let none = Sums::default();
        for k in 2..=n.saturating_sub(2) {
            let (cold, warm) = (points.part(0, k), points.part(k, n));
            let (sloped, flat) = if cooling { (warm, cold) } else { (cold, warm) };
            let (line, line_sse) = sloped.line();
            let sse = line_sse + flat.flat();
            if self.bound() <= sse {
                continue;
            }
            for x in [points.x[k - 1], points.x[k]] {
                if cooling {
                    self.hinges(none, flat, sloped, x, x);
                } else {
                    self.hinges(sloped, flat, none, x, x);
                }
            }
            if let Some(line) = line {
                let level = flat.y / flat.w;
                let x = (level - line.0) / line.1;
                if self.in_gap(x, k) {
                    let (left, right) = if cooling { (0.0, line.1) } else { (-line.1, 0.0) };
                    self.offer(Candidate { level, left, right, left_x: x, right_x: x, sse });
                }
            }
        }
    }
}

/// The exact least squares of a shape. `None` with fewer distinct temperatures than parameters, or when no solution
/// has the signs asked for.
#[must_use]
pub fn optimum(data: &Data, shape: Shape, signs: Signs, weights: Weights) -> Option<Optimum> {
    below(&Points::of(data, weights)?, shape, signs, f64::INFINITY)
}

/// The same, `None` too where no solution has less than `limit` of squares.
fn below(points: &Points, shape: Shape, signs: Signs, limit: f64) -> Option<Optimum> {
    let n = points.n();
    if n < shape.parameters() as usize {
        return None;
    }
    let all = points.part(0, n);
    let mut search = Search { points, signs, limit, best: None };
    match shape {
        Shape::P1 => {
            return Some(Optimum {
                shape,
                level: points.y_mean,
                left: 0.0,
                right: 0.0,
                left_c: None,
                right_c: None,
                sse: all.flat(),
            });
        }
        Shape::P2 if signs == Signs::Strict => return None,
        Shape::P2 => {
            let (line, sse) = all.line();
            let (level, slope) = line?;
            let level = points.y_mean + level - slope * points.x_mean;
            return Some(Optimum { shape, level, left: 0.0, right: slope, left_c: None, right_c: None, sse });
        }
        Shape::P3Heating => search.three(false),
        Shape::P3Cooling => search.three(true),
        // Two lines may lean either way: that is what tells this shape from 5P.
        Shape::P4 => {
            search.signs = if signs == Signs::Strict { signs } else { Signs::Any };
            search.four();
        }
        Shape::P5 => {
            // A good start makes the bound skip most partings.
            search.four();
            search.all_fives();
        }
    }
    let c = search.best?;
    Some(Optimum {
        shape,
        level: c.level + points.y_mean,
        left: c.left,
        right: c.right,
        left_c: (shape != Shape::P3Cooling).then_some(c.left_x + points.x_mean),
        right_c: (shape != Shape::P3Heating).then_some(c.right_x + points.x_mean),
        sse: c.sse,
    })
}

/// The physical shape that the Bayesian information criterion prefers, change points counted as parameters.
#[must_use]
pub fn fit(data: &Data) -> Option<Fit> {
    best_of(data, Signs::Physical)
}

/// The same where nobody asked for this family: use falls on neither side of the change points.
#[must_use]
pub fn fit_strict(data: &Data) -> Option<Fit> {
    best_of(data, Signs::Strict)
}

fn best_of(data: &Data, signs: Signs) -> Option<Fit> {
    let n = data.len() as f64;
    let points = Points::of(data, Weights::Days)?;
    // A hundred-thousandth of the mean square of the load itself is as good as nothing.
    let floor = 1e-10 * data.rows().iter().map(|r| r.energy * r.energy_per_day()).sum::<f64>().max(1e-300);
    let mut best: Option<(f64, Optimum)> = None;
    for shape in Shape::ALL {
        let cost = f64::from(shape.parameters()) * n.ln();
        if n <= f64::from(shape.parameters()) + 1.0 {
            continue;
        }
        // With more squares than this the shape is not preferred, whatever its change points.
        let limit = best.map_or(f64::INFINITY, |(least, _)| n * ((least - cost) / n).exp());
        if limit <= floor {
            continue;
        }
        let Some(o) = below(&points, shape, signs, limit * (1.0 + 1e-9)) else { continue };
        let criterion = n * (o.sse.max(floor) / n).ln() + cost;
        if best.is_none_or(|(least, _)| criterion < least) {
            best = Some((criterion, o));
        }
    }
    fit_of(data, &best?.1)
}

/// One shape, whatever the criterion says of it.
#[must_use]
pub fn fit_shape(data: &Data, shape: Shape) -> Option<Fit> {
    fit_of(data, &optimum(data, shape, Signs::Any, Weights::Days)?)
}

fn fit_of(data: &Data, o: &Optimum) -> Option<Fit> {
    let (kind, left_c, right_c) = match o.shape {
        Shape::P1 => (Kind::Flat, None, None),
        Shape::P2 => (Kind::Linear, Some(0.0), Some(0.0)),
        Shape::P3Heating => (Kind::Heating, o.left_c, None),
        Shape::P3Cooling => (Kind::Cooling, None, o.right_c),
        Shape::P4 => (Kind::TwoLines, o.left_c, o.right_c),
        Shape::P5 => (Kind::HeatingCooling, o.left_c, o.right_c),
    };
    let shape = Model {
        kind,
        regressor: Regressor::PeriodMean,
        base_per_day: o.level,
        heating_balance_c: left_c,
        cooling_balance_c: right_c,
        heating_per_degree_day: if o.shape == Shape::P2 { -o.right } else { o.left },
        cooling_per_degree_day: o.right,
    };
    // The same coefficients once more from the data themselves, without the rounding of running totals.
    let model = wls::solve(data, shape).unwrap_or(shape);
    let parameters = f64::from(o.shape.parameters());
    let member = wls::member(data, model, parameters);
    Some(Fit {
        method: "change-point",
        freedom: wls::freedom(data, &model, parameters),
        members: vec![Member { weight: 1.0, ..member }],
        model,
        quality: Quality::of(data, &model, parameters),
        findings: Vec::new(),
        driving: None,
        experience: Some(Experience::of(data, true, data.energy() / data.days())),
    })
}
