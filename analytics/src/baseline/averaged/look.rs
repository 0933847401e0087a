//! Which bills may be wrong, or of a yearly closure: hypotheses that are worth weighing, found on the coarse grid.
//!
//! Must never: ask a law whether a bill is wrong that the bill itself has made.
//!
//! One wrong bill of winter drags every law to the flat one, and then nothing stands out. So each bill is held against
//! the laws that the others make without it (`alone`), and the likely ones are weighed in full.

use super::alone::Alone;
use super::closed::{self, Window};
use super::priors::{COARSE_PRIORS, GROSS, GROSS_SIZE, Priors, scatter};
use super::search::{Bill, Search, View};
use super::{COARSE_POINTS, POINTS, WITH_DAYS, weigh};
use crate::baseline::data::Row;
use crate::baseline::fit::Scatter;

/// By how much (in log evidence) the others fit better without some bill, from which on summer closures are tried.
const SUSPECT_CLOSED: f64 = 1.5;
/// Suspicions less likely than this (in log odds) are not followed.
const SUSPICION: f64 = -5.0;
/// What the first guess of the odds may be off by.
const GUESS: f64 = 1.0;
/// Bills weighed in full in one round, at most.
const WEIGHED: usize = 4;
/// Change of the mean bill from which on all is weighed once more.
const SCALE: f64 = 0.15;
/// A bill with such a share of a year's use is no measure of what a bill is like, if there are bills of months.
const DOMINANT: f64 = 0.45;
const MONTHS: usize = 9;
/// What others may expect of a bill, in mean bills: beyond, they do not know.
const EXPECTED_MAX: f64 = 5.0;
/// A bill that has what the next one lacks: by how much each is off at the least, in mean bills; by how many times more the
/// one than the other; what share of all use both hold at the most, since of two that hold more nothing else tells; and how
/// many such pairs are weighed.
const SHIFT_MIN: f64 = 0.25;
const SHIFT_TIMES: f64 = 2.5;
const SHIFT_SHARE: f64 = 0.5;
const SHIFTED: usize = 2;
/// Most bills of a baseline that may be wrong at once.
const GROSS_MAX: usize = 2;

/// Bills taken for grossly wrong, and how likely that is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hypothesis {
    pub(super) gross: [Option<usize>; GROSS_MAX],
    /// When the building is closed each year.
    pub(super) closed: Option<Window>,
    /// Whether the two gross bills are one mistake: what the one has too much, the other lacks.
    pub(super) shifted: bool,
    pub(super) log_odds: f64,
}

impl Hypothesis {
    pub(super) const NONE: Self =
        Self { gross: [None; GROSS_MAX], closed: None, shifted: false, log_odds: 0.0 };

    /// Whether the bill is no part of the law.
    pub(super) fn holds(&self, bill: usize) -> bool {
        self.is_gross(bill) || self.closed.is_some_and(|window| window.holds(bill))
    }

    pub(super) fn is_gross(&self, bill: usize) -> bool {
        self.gross.contains(&Some(bill))
    }

    fn is_same(&self, other: &Self) -> bool {
        let sorted = |mut gross: [Option<usize>; GROSS_MAX]| {
            gross.sort_unstable();
            gross
        };
        self.closed == other.closed && sorted(self.gross) == sorted(other.gross)
    }

    fn and(mut self, bill: usize) -> Option<Self> {
        let free = self.gross.iter_mut().find(|g| g.is_none())?;
        *free = Some(bill);
        Some(self)
    }

    /// The bills of the closure as wrong ones: to the laws it is the same, but for how likely it was before. What August
    /// lacks comes again.
    fn once(self, bills: usize) -> Option<Self> {
        let window = self.closed.filter(|window| !window.is_of_august())?;
        let mut wrong = Self { closed: None, ..self };
        for bill in (0..bills).filter(|bill| window.holds(*bill)) {
            wrong = wrong.and(bill)?;
        }
        wrong.log_odds += wrong.log_prior() - self.log_prior();
        Some(wrong)
    }

    pub(super) fn log_prior(&self) -> f64 {
        let mistakes = if self.shifted { 1 } else { self.gross.iter().flatten().count() };
        let gross = mistakes as f64 * (GROSS / (1.0 - GROSS)).ln();
        gross + self.closed.map_or(0.0, |window| window.log_prior())
    }
}

/// What every look at the bills shares.
pub(super) struct Look<'a> {
    bills: Vec<Bill<COARSE_POINTS>>,
    rows: &'a [Row],
    priors: &'static Priors<COARSE_POINTS>,
    with_cooling: bool,
    /// Of the bills that are not taken for wrong.
    pub(super) mean_days: f64,
    pub(super) mean_energy: f64,
    /// By how much each bill may be off if it is wrong.
    sizes: Vec<f64>,
}

/// A hypothesis weighed in full.
#[derive(Debug, Clone, Copy)]
struct Weighed {
    hypothesis: Hypothesis,
    /// Logarithm of prior times evidence, and the same of its best law.
    evidence: f64,
    best: f64,
    /// Variance of a mean bill under its laws.
    variance: f64,
}

impl<'a> Look<'a> {
    pub(super) fn new(bills: &[Bill<POINTS>], rows: &'a [Row], with_cooling: bool) -> Self {
        let mut look = Self {
            bills: bills.iter().map(Bill::coarse).collect(),
            rows,
            priors: &COARSE_PRIORS[usize::from(with_cooling)],
            with_cooling,
            mean_days: 1.0,
            mean_energy: 0.0,
            sizes: Vec::with_capacity(bills.len()),
        };
        look.measure(&Hypothesis::NONE);
        look
    }

    /// The means without the gross bills, and from them what a wrong bill may be off by: about a bill, or all that it says.
    fn measure(&mut self, hypothesis: &Hypothesis) {
        let whole: f64 = self.bills.iter().map(|bill| bill.energy).sum();
        let normal = |bill: &Bill<_>| bill.energy < DOMINANT * whole || self.bills.len() < MONTHS;
        let own = || self.bills.iter().enumerate();
        let kept = || own().filter(|(i, bill)| !hypothesis.is_gross(*i) && normal(bill));
        let n = kept().count() as f64;
        let (days, energy) = kept().fold((0.0, 0.0), |(d, e), (_, bill)| (d + bill.days, e + bill.energy));
        if 0.0 < energy {
            (self.mean_days, self.mean_energy) = (days / n, energy / n);
        }
        self.sizes.clear();
        let size = |bill: &Bill<_>| GROSS_SIZE * bill.energy.abs().max(self.mean_energy);
        self.sizes.extend(self.bills.iter().map(size));
    }

    pub(super) fn coarse(&self) -> (&[Bill<COARSE_POINTS>], &'static Priors<COARSE_POINTS>) {
        (&self.bills, self.priors)
    }

    pub(super) fn view<'v>(
        &self,
        weights: &'v [f64],
        noise: usize,
        variance: f64,
        log_prior: f64,
    ) -> View<'v> {
        View {
            weights,
            log_prior,
            noise,
            variance,
            level: self.mean_energy / self.mean_days,
            mean_energy: self.mean_energy,
            with_cooling: self.with_cooling,
        }
    }

    /// 1 over each bill's variance in units of a mean bill's, which is `variance`: with its days, and with the square
    /// of its expected use per day where that is given. A gross bill may be off by as much as a bill.
    pub(super) fn weights(
        &self,
        hypothesis: &Hypothesis,
        expected: Option<&[f64]>,
        variance: f64,
    ) -> Vec<f64> {
        let one = |(i, bill): (usize, &Bill<COARSE_POINTS>)| {
            let share = bill.days / self.mean_days;
            let relative = expected.map_or(1.0, |e| {
                Scatter::relative(
                    e.get(i).copied().unwrap_or(0.0) / bill.days * self.mean_days / self.mean_energy,
                )
            });
            let gross = if hypothesis.holds(i) { self.gross(i, variance) } else { 0.0 };
            1.0 / (share * relative + gross)
        };
        self.bills.iter().enumerate().map(one).collect()
    }

    /// What being wrong adds to a bill's variance, in units of `variance`.
    fn gross(&self, bill: usize, variance: f64) -> f64 {
        self.sizes.get(bill).map_or(0.0, |size| size * size / variance)
    }

    fn glance(&self, hypothesis: Hypothesis, assumed: f64) -> Weighed {
        let weights = self.weights(&hypothesis, None, assumed);
        let view = self.view(&weights, WITH_DAYS, assumed, hypothesis.log_prior());
        let mut laws = Vec::with_capacity(256);
        let best = Search::new(&self.bills, &view, self.priors).all(&mut laws).best.log_weight;
        let sum = weigh(&mut laws);
        let variance = laws.iter().map(|law| law.weight * law.variance).sum();
        Weighed { hypothesis, evidence: best + sum.ln(), best, variance }
    }

    /// What the other bills say of each, under a hypothesis.
    fn alone(&self, under: &Weighed, assumed: f64) -> Vec<Alone> {
        let weights = self.weights(&under.hypothesis, None, assumed);
        let view = self.view(&weights, WITH_DAYS, assumed, under.hypothesis.log_prior());
        Search::new(&self.bills, &view, self.priors).alone()
    }

    /// None wrong; and, where bills stand out from the others, which may be. With the variance of a mean bill.
    pub(super) fn hypotheses(&mut self) -> (Vec<Hypothesis>, f64) {
        let (all, likeliest) = self.search();
        let before = self.mean_energy;
        if likeliest.hypothesis.gross == [None; GROSS_MAX] {
            return (all, likeliest.variance);
        }
        self.measure(&likeliest.hypothesis);
        if (self.mean_energy / before - 1.0).abs() < SCALE {
            return (all, likeliest.variance);
        }
        // A bill of ten times the others was part of every scale: once more without it.
        let (all, likeliest) = self.search();
        (all, likeliest.variance)
    }

    fn search(&mut self) -> (Vec<Hypothesis>, Weighed) {
        let assumed = scatter(self.mean_energy, self.mean_days);
        let none = self.glance(Hypothesis::NONE, assumed);
        let alone = self.alone(&none, assumed);
        let mut all = vec![none.hypothesis];
        let closed = self.closures(&none, &alone, assumed, &mut all);
        let shifted = self.shifted(&none, &alone, assumed, &mut all);
        let mut likeliest = self.wrong(none, Some(alone), (assumed, none.evidence), &mut all);
        let mut offer = |other: Weighed| {
            if likeliest.hypothesis.log_odds < other.hypothesis.log_odds {
                likeliest = other;
            }
        };
        shifted.into_iter().for_each(&mut offer);
        if closed.hypothesis.closed.is_some() {
            offer(self.wrong(closed, None, (assumed, none.evidence), &mut all));
        }
        self.once_each(&mut all);
        let most = all.iter().map(|h| h.log_odds).fold(0.0, f64::max);
        all.retain(|h| most + SUSPICION <= h.log_odds);
        (all, likeliest)
    }

    /// Leaves out what two ways have come to, and an August that is taken for a mistake where it may be a closure.
    fn once_each(&self, all: &mut Vec<Hypothesis>) {
        let windows: Vec<Window> = all.iter().filter_map(|h| h.closed).filter(Window::is_of_august).collect();
        let of_august = |h: &Hypothesis| {
            let own = |w: &Window| (0..self.bills.len()).filter(|i| w.holds(*i)).all(|i| h.is_gross(i));
            h.closed.is_none() && windows.iter().any(own)
        };
        all.retain(|h| !of_august(h));
        for i in (1..all.len()).rev() {
            if all[..i].iter().any(|other| other.is_same(&all[i])) {
                all.remove(i);
            }
        }
    }

    /// Two bills, one after the other, of which the first has too much and the second lacks as much, or the other way
    /// about: an estimate that the next bill makes good, two months in one bill. Each alone would not stand out, for the
    /// other bends the law. Appended to `all`; the likeliest.
    fn shifted(
        &self,
        none: &Weighed,
        alone: &[Alone],
        assumed: f64,
        all: &mut Vec<Hypothesis>,
    ) -> Option<Weighed> {
        let off = |i: usize| Some(self.bills.get(i)?.energy - alone.get(i)?.expected);
        let least = SHIFT_MIN * self.mean_energy;
        let most = SHIFT_SHARE * self.bills.iter().map(|bill| bill.energy).sum::<f64>();
        let pair = |i: usize| {
            let follows = self.rows.get(i)?.to == self.rows.get(i + 1)?.from;
            let (a, b) = (off(i)?, off(i + 1)?);
            let (smaller, larger) = (a.abs().min(b.abs()), a.abs().max(b.abs()));
            let made_good = a * b < 0.0 && least <= smaller && larger <= SHIFT_TIMES * smaller;
            let known = self.bills.get(i)?.energy + self.bills.get(i + 1)?.energy <= most;
            (follows && made_good && known).then_some((smaller, i))
        };
        let mut pairs: Vec<(f64, usize)> = (0..self.bills.len()).filter_map(pair).collect();
        pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut likeliest: Option<Weighed> = None;
        for (_, i) in pairs.into_iter().take(SHIFTED) {
            let hypothesis = Hypothesis { gross: [Some(i), Some(i + 1)], shifted: true, ..Hypothesis::NONE };
            let mut next = self.glance(hypothesis, assumed);
            next.hypothesis.log_odds = next.evidence - none.evidence;
            all.push(next.hypothesis);
            if likeliest.is_none_or(|best| best.hypothesis.log_odds < next.hypothesis.log_odds) {
                likeliest = Some(next);
            }
        }
        likeliest
    }

    /// Bills that may be wrong besides what `parent` says, one more in each round, appended to `all`; the likeliest of all.
    /// `alone` is what the others say of each bill, where that is known already.
    fn wrong(
        &mut self,
        mut parent: Weighed,
        mut alone: Option<Vec<Alone>>,
        (assumed, none): (f64, f64),
        all: &mut Vec<Hypothesis>,
    ) -> Weighed {
        for _ in 0..GROSS_MAX {
            let own = alone.take().unwrap_or_else(|| self.alone(&parent, assumed));
            let found = self.gross_bills(&parent, &own, (assumed, none));
            let Some(likeliest) = found.first().copied() else { break };
            let least = (likeliest.hypothesis.log_odds + SUSPICION).max(SUSPICION);
            all.extend(found.iter().take(3).map(|f| f.hypothesis).filter(|h| least <= h.log_odds));
            if likeliest.hypothesis.log_odds <= parent.hypothesis.log_odds {
                break;
            }
            parent = likeliest;
        }
        parent
    }

    /// Closures of every summer that bills may be of, appended to `all`; the likeliest of them and of none.
    fn closures(&self, none: &Weighed, alone: &[Alone], assumed: f64, all: &mut Vec<Hypothesis>) -> Weighed {
        let mut likeliest = *none;
        if alone.iter().all(|bill| bill.others - none.best < SUSPECT_CLOSED) {
            return likeliest;
        }
        // What is given back is a refund, and no closure.
        let short = |i: usize| {
            let own = self.bills.get(i).zip(alone.get(i));
            own.is_some_and(|(bill, alone)| 0.0 <= bill.energy && bill.energy < alone.expected)
        };
        for window in closed::windows(self.rows, short) {
            let mut next = self.glance(Hypothesis { closed: Some(window), ..Hypothesis::NONE }, assumed);
            next.hypothesis.log_odds = next.evidence - none.evidence;
            all.push(next.hypothesis);
            // The same bills may as well be wrong, and then nothing of it comes again.
            all.extend(next.hypothesis.once(self.bills.len()));
            if likeliest.hypothesis.log_odds < next.hypothesis.log_odds {
                likeliest = next;
            }
        }
        likeliest
    }

    /// One more bill wrong than in `parent`: those that may be, the likeliest first.
    fn gross_bills(
        &mut self,
        parent: &Weighed,
        alone: &[Alone],
        (assumed, none): (f64, f64),
    ) -> Vec<Weighed> {
        let mut suspects: Vec<(f64, usize)> = Vec::new();
        let prior = (GROSS / (1.0 - GROSS)).ln();
        for (bill, own) in alone.iter().enumerate().filter(|(bill, _)| !parent.hypothesis.holds(*bill)) {
            let spread = self.bills.get(bill).map_or(1.0, |b| b.days / self.mean_days);
            let cost = 0.5 * (1.0 + self.gross(bill, assumed) / spread).ln();
            let odds = own.others - parent.best + prior - cost;
            if SUSPICION - GUESS <= odds {
                suspects.push((odds, bill));
                // A month of deep winter is more than a mean one: it may be off by all that the others expect.
                if let Some(size) = self.sizes.get_mut(bill) {
                    *size = size.max(GROSS_SIZE * own.expected.abs().min(EXPECTED_MAX * self.mean_energy));
                }
            }
        }
        suspects.sort_by(|a, b| b.0.total_cmp(&a.0));
        let with = |(_, bill): &(f64, usize)| {
            let mut next = self.glance(parent.hypothesis.and(*bill)?, assumed);
            next.hypothesis.log_odds = next.evidence - none;
            Some(next)
        };
        let mut found: Vec<Weighed> = suspects.iter().take(WEIGHED).filter_map(with).collect();
        found.sort_by(|a, b| b.hypothesis.log_odds.total_cmp(&a.hypothesis.log_odds));
        found
    }
}
