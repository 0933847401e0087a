//! The balance of one building and vector: its meters' slots or months put together.
//!
//! Must never: add a bound that is not true of every energy the meters allow.

use model::{BuildingId, Direction, Instant, Month, Zone};

use super::slots::UNBOUNDED;
use super::{
    Balance, BalanceMeter, BalanceMonth, BalanceYear, Flow, Grain, Slot, SlotLength, SlotSeries, Vector,
};

/// The meters of a node by what they count.
struct Node<'a> {
    meters: &'a [BalanceMeter<'a>],
}

/// Slots of all meters of one direction, added up.
struct Slots {
    imported: Vec<Slot>,
    exported: Vec<Slot>,
    produced: Vec<Slot>,
    charged: Vec<Slot>,
    discharged: Vec<Slot>,
}

pub(super) fn year(
    building: Option<BuildingId>,
    vector: Vector,
    meters: &[BalanceMeter<'_>],
    zone: Zone,
) -> BalanceYear {
    let node = Node { meters };
    // Hours are made once, where some meter has no finer slots.
    let quarters = node.has_quarters();
    let hours: Vec<Option<SlotSeries>> =
        meters.iter().map(|m| m.slots.filter(|_| !quarters).map(SlotSeries::hours)).collect();
    let shown = meters.first().map(|m| m.months).unwrap_or_default();
    let months: Vec<BalanceMonth> = shown
        .iter()
        .enumerate()
        .map(|(index, row)| BalanceMonth {
            month: row.month,
            reporting: row.reporting,
            balance: node.month(index, row.month, &hours, zone),
        })
        .collect();
    BalanceYear {
        building,
        vector,
        reporting: node.reporting(&months, &hours, zone),
        months,
        has_production: node.has(Direction::Production),
        has_export: node.has(Direction::Export),
    }
}

/// The whole project of its buildings; `None` without any.
pub(super) fn sum(vector: Vector, buildings: &[BalanceYear]) -> Option<BalanceYear> {
    let mut sum = BalanceYear { building: None, ..buildings.first()?.clone() };
    for other in buildings.get(1..).unwrap_or_default() {
        for (month, more) in sum.months.iter_mut().zip(&other.months) {
            month.balance = month.balance.plus(more.balance);
        }
        sum.has_production |= other.has_production;
        sum.has_export |= other.has_export;
    }
    // A building that produces and whose export nobody measures leaves the project's export unknown.
    sum.has_export &= buildings.iter().all(|b| b.has_export || !b.has_production);
    sum.vector = vector;
    sum.reporting = buildings.iter().fold(Balance::NOTHING, |sum, b| sum.plus(b.reporting));
    Some(sum)
}

fn total(months: &[BalanceMonth]) -> Balance {
    let reporting = months.iter().filter(|m| m.reporting);
    reporting.fold(Balance::NOTHING, |sum, m| sum.plus(m.balance))
}

impl Node<'_> {
    /// Whether every meter has quarter-hours.
    fn has_quarters(&self) -> bool {
        self.meters.iter().all(|m| m.slots.is_some_and(|s| s.length == SlotLength::Quarter))
    }

    fn has(&self, direction: Direction) -> bool {
        self.meters.iter().any(|m| m.facts.direction == direction)
    }

    fn month(&self, index: usize, month: Month, hours: &[Option<SlotSeries>], zone: Zone) -> Balance {
        let by_month = self.by_month(index);
        let bounds = month.bounds(zone);
        let Some((slots, length)) = self.slots(bounds, hours) else { return by_month };
        self.by_slots(&slots, length, &by_month)
    }

    /// The month's totals of every meter of a direction.
    fn flow(&self, direction: Direction, index: usize) -> Flow {
        let of = |value: f64| (value * 1000.0).round() as i64;
        let mut sum = Flow::NONE;
        for meter in self.meters.iter().filter(|m| m.facts.direction == direction) {
            sum = sum.plus(meter.months.get(index).map_or(Flow::UNKNOWN, |m| Flow {
                amount: m.measured.map_or(0, of),
                low: m.measured_low.map_or(0, of),
                high: m.measured_high.map(of),
            }));
        }
        sum
    }

    fn by_month(&self, index: usize) -> Balance {
        let coverage = self.meters.iter().filter_map(|m| m.months.get(index)).map(|m| m.coverage_ratio);
        self.by_totals(|direction| self.flow(direction, index), coverage.fold(1.0, f64::min))
    }

    /// The reporting months together: as the sum of what each of them says, and where the span as a whole is known
    /// better, as that. What crosses the end of a month within it is no doubt of the span.
    fn reporting(&self, months: &[BalanceMonth], hours: &[Option<SlotSeries>], zone: Zone) -> Balance {
        let sum = total(months);
        let counted: Vec<usize> =
            (0..months.len()).filter(|i| months.get(*i).is_some_and(|m| m.reporting)).collect();
        let ends = counted.first().zip(counted.last());
        let Some((first, last)) = ends.and_then(|(a, b)| months.get(*a).zip(months.get(*b))) else {
            return sum;
        };
        let totals = self.by_totals(|direction| self.flow_of_span(direction, &counted), sum.measured_ratio);
        let bounds = (first.month.bounds(zone).0, last.month.bounds(zone).1);
        let slots = self.slots(bounds, hours);
        let whole = slots.map_or(totals, |(slots, length)| self.by_slots(&slots, length, &totals));
        sum.within(&whole)
    }

    /// The totals of every meter of a direction over the reporting months.
    fn flow_of_span(&self, direction: Direction, counted: &[usize]) -> Flow {
        let of = |value: f64| (value * 1000.0).round() as i64;
        let months = counted.iter().map(|index| self.flow(direction, *index));
        let sum = months.fold(Flow::NONE, Flow::plus);
        let own = self.meters.iter().filter(|m| m.facts.direction == direction);
        own.fold(sum, |sum, meter| Flow {
            amount: sum.amount,
            low: sum.low.saturating_add(of(meter.joint.0)),
            high: sum.high.map(|high| high.saturating_sub(of(meter.joint.1))),
        })
    }

    fn by_totals(&self, flow: impl Fn(Direction) -> Flow, measured_ratio: f64) -> Balance {
        let [imported, produced, charged, discharged] =
            [Direction::Import, Direction::Production, Direction::Charge, Direction::Discharge].map(&flow);
        let mut exported = flow(Direction::Export);
        if !self.has(Direction::Export) && self.has(Direction::Production) {
            exported = Flow::UNKNOWN;
        }
        let stored = minus(charged, discharged);
        exported.high = capped(exported.high, produced.high, discharged.high);
        let low = at_least(
            produced.low.saturating_add(discharged.low),
            exported.high.zip(charged.high).map(|(e, c)| e.saturating_add(c)),
        );
        let most = produced.high.zip(stored_least(&stored)).map(|(p, s)| p - s - exported.low);
        finish(Parts {
            imported,
            exported,
            produced,
            stored,
            self_low: low,
            self_high: most,
            measured_ratio,
            grain: Grain::Month,
        })
    }

    /// The slots of every meter in a month, by direction; `None` unless every meter has slots there.
    fn slots(
        &self,
        (from, to): (Instant, Instant),
        hours: &[Option<SlotSeries>],
    ) -> Option<(Slots, SlotLength)> {
        let all_quarters = self.has_quarters();
        let length = if all_quarters { SlotLength::Quarter } else { SlotLength::Hour };
        let count = usize::try_from((to.millis() - from.millis()) / length.millis()).ok()?;
        let nothing = || vec![Slot::NOTHING; count];
        let mut slots = Slots {
            imported: nothing(),
            exported: nothing(),
            produced: nothing(),
            charged: nothing(),
            discharged: nothing(),
        };
        for (meter, hours) in self.meters.iter().zip(hours) {
            let own = if all_quarters { meter.slots } else { hours.as_ref() }?.within(from, to)?;
            // A meter without a single slot of the month is known by its month alone.
            if !own.iter().any(|s| s.measured) {
                return None;
            }
            let sum = match meter.facts.direction {
                Direction::Import => &mut slots.imported,
                Direction::Export => &mut slots.exported,
                Direction::Production => &mut slots.produced,
                Direction::Charge => &mut slots.charged,
                Direction::Discharge => &mut slots.discharged,
            };
            for (sum, slot) in sum.iter_mut().zip(own) {
                *sum = sum.add(*slot);
            }
        }
        if !self.has(Direction::Export) {
            return None;
        }
        Some((slots, length))
    }

    /// The month from its slots, and from its totals where they are tighter.
    fn by_slots(&self, slots: &Slots, length: SlotLength, month: &Balance) -> Balance {
        let (mut bounds, mut measured) = (Bounds::default(), 0);
        let mut begin = 0;
        let count = slots.produced.len();
        while begin < count {
            let known = slots.is_measured(begin);
            let mut end = begin + 1;
            while end < count && slots.is_measured(end) == known {
                end += 1;
            }
            let run = slots.run(begin, end);
            if known {
                measured += end - begin;
                bounds.add_measured(&run);
            } else {
                bounds.add_open(&run, slots, begin, end);
            }
            begin = end;
        }
        let tighter = |flow: Flow, low: i64, high: i64| {
            let high = flow.high.map_or(high, |month| month.min(high));
            let low = flow.low.max(low).min(high.max(0));
            Flow { amount: flow.amount, low, high: (high < UNBOUNDED).then_some(high) }
        };
        let exported = tighter(month.exported, bounds.exported_low, bounds.exported_high);
        let self_low = month.self_consumed.low.max(bounds.self_low);
        let self_high = match month.self_consumed.high {
            Some(high) => Some(high.min(bounds.self_high)),
            None => (bounds.self_high < UNBOUNDED).then_some(bounds.self_high),
        };
        finish(Parts {
            imported: month.imported,
            exported,
            produced: month.produced,
            stored: month.stored,
            self_low,
            self_high,
            measured_ratio: measured as f64 / count.max(1) as f64,
            grain: Grain::Slots(length),
        })
    }
}

/// A run's sums by direction.
struct Run {
    exported: Slot,
    produced: Slot,
    charged: Slot,
    discharged: Slot,
}

impl Slots {
    fn is_measured(&self, i: usize) -> bool {
        [&self.exported, &self.produced, &self.charged, &self.discharged]
            .iter()
            .all(|slots| slots.get(i).is_some_and(|s| s.measured))
    }

    fn run(&self, begin: usize, end: usize) -> Run {
        Run {
            exported: run(&self.exported, begin, end),
            produced: run(&self.produced, begin, end),
            charged: run(&self.charged, begin, end),
            discharged: run(&self.discharged, begin, end),
        }
    }

    fn at(&self, i: usize) -> [Slot; 4] {
        [&self.exported, &self.produced, &self.charged, &self.discharged]
            .map(|slots| slots.get(i).copied().unwrap_or(Slot::NOTHING))
    }
}

/// The slots from `begin` to before `end` as one: inside it only the two ends' crossing energy is in doubt.
fn run(slots: &[Slot], begin: usize, end: usize) -> Slot {
    let Some(part @ [first, .., last] | part @ [first @ last]) = slots.get(begin..end) else {
        return Slot::NOTHING;
    };
    let amount = part.iter().fold(0_i64, |sum, s| sum.saturating_add(s.amount));
    let missing_most = part.iter().fold(0_i64, |sum, s| sum.saturating_add(s.missing_most));
    let edge = first.edge.saturating_add(last.edge);
    Slot {
        amount,
        low: amount.saturating_sub(edge).max(0),
        high: amount.saturating_add(edge).saturating_add(missing_most),
        edge,
        missing_most,
        measured: part.iter().all(|s| s.measured),
    }
}

/// Bounds of a month while its runs are added.
#[derive(Default)]
struct Bounds {
    self_low: i64,
    self_high: i64,
    exported_low: i64,
    exported_high: i64,
}

impl Bounds {
    fn add(&mut self, self_low: i64, self_high: i64, exported: (i64, i64)) {
        self.self_low = self.self_low.saturating_add(self_low.max(0));
        self.self_high = self.self_high.saturating_add(self_high.max(0)).min(UNBOUNDED);
        self.exported_low = self.exported_low.saturating_add(exported.0);
        self.exported_high = self.exported_high.saturating_add(exported.1).min(UNBOUNDED);
    }

    /// Every meter measured every slot: the sums stand, but for what crosses the ends.
    fn add_measured(&mut self, run: &Run) {
        let Run { exported, produced, charged, discharged } = run;
        let low = produced.low + discharged.low - exported.high - charged.high;
        let high = produced.high + discharged.high - exported.low - charged.low;
        self.add(low, high, (exported.low, exported.high));
    }

    /// Some meter misses some of the slots: slot by slot what must and what may have been, or the sums where they say
    /// more.
    fn add_open(&mut self, run: &Run, slots: &Slots, begin: usize, end: usize) {
        let (mut low, mut high, mut exported_low, mut exported_high) = (0_i64, 0_i64, 0_i64, 0_i64);
        for i in begin..end {
            let [exported, produced, charged, discharged] = slots.at(i);
            let most = exported.high.min(produced.high.saturating_add(discharged.high));
            let sure = produced.low + discharged.low - most - charged.high;
            low = low.saturating_add(sure.max(0));
            high = high.saturating_add((produced.high + discharged.high - exported.low - charged.low).max(0));
            exported_low = exported_low.saturating_add(exported.low);
            exported_high = exported_high.saturating_add(most);
        }
        let exported_high = exported_high.min(run.exported.high);
        let exported_low = exported_low.max(run.exported.low).min(exported_high);
        let sums = run.produced.low + run.discharged.low - exported_high - run.charged.high;
        let most = run.produced.high + run.discharged.high - exported_low - run.charged.low;
        self.add(low.max(sums), high.min(most), (exported_low, exported_high));
    }
}

struct Parts {
    imported: Flow,
    exported: Flow,
    produced: Flow,
    stored: Flow,
    self_low: i64,
    self_high: Option<i64>,
    measured_ratio: f64,
    grain: Grain,
}

/// The identities, to the last watt hour.
fn finish(parts: Parts) -> Balance {
    let Parts { imported, exported, produced, stored, self_low, self_high, measured_ratio, grain } = parts;
    let amount = produced.amount - exported.amount - stored.amount;
    // Bounds hold the amount, unless the meters contradict each other, which is a finding.
    let self_consumed = Flow {
        amount,
        low: self_low.max(0).min(amount.max(0)),
        high: self_high.map(|high| high.max(amount)),
    };
    Balance {
        imported,
        exported,
        produced,
        stored,
        self_consumed,
        consumed: imported.plus(self_consumed),
        measured_ratio,
        grain,
    }
}

/// Charged less discharged.
fn minus(a: Flow, b: Flow) -> Flow {
    Flow {
        amount: a.amount - b.amount,
        low: b.high.map_or(-UNBOUNDED, |b| a.low - b),
        high: a.high.map(|a| a - b.low),
    }
}

fn stored_least(stored: &Flow) -> Option<i64> {
    (-UNBOUNDED < stored.low).then_some(stored.low)
}

/// Nothing is exported that was not produced or discharged.
fn capped(exported: Option<i64>, produced: Option<i64>, discharged: Option<i64>) -> Option<i64> {
    let most = produced.zip(discharged).map(|(p, d)| p.saturating_add(d));
    match (exported, most) {
        (Some(exported), Some(most)) => Some(exported.min(most)),
        (one, None) => one,
        (None, most) => most,
    }
}

fn at_least(of: i64, less: Option<i64>) -> i64 {
    less.map_or(0, |less| (of - less).max(0))
}
