//! Energy fed in that was hardly measured: a register that is dead, frozen or in another unit makes a share too good.
//!
//! Must never: let a doubted month feed in less than its plant made, as far as the connection carries it; or doubt a
//! plant that is small beside what the building draws.
//!
//! Nothing fed in is a common truth where the building draws more than its plant makes, and hardly one where it draws
//! less: then the sun makes more at noon than is used, and what is bought is bought at night. A month is doubted
//!
//! - where next to nothing was fed in though less was drawn than made, and with it every other month of next to nothing;
//! - where it holds the same amount as the months beside it, three in a row;
//! - where less of what was made was fed in than in months that had less to spare: a third, in two of them;
//! - where the register stood still though months with less to spare fed in.
//!
//! Heat has no draw to compare with, and is doubted by the year and where it repeats itself.

use std::collections::BTreeSet;

use model::{BuildingId, Carrier, Direction, Finding, Severity};

use super::super::stuck::RATIO_MAX;
use super::{Meters, RULE, Weighed, show, vector};
use crate::balance::Vector;
use crate::result::MonthSource;

const DOUBTFUL: &str = "balance.export_doubtful";
/// Share of what was made that is next to nothing.
const NOTHING: f64 = 0.02;
/// The same of a plant of sun or wind without a store that makes more than the building draws: such a building uses half
/// of it or less.
const LITTLE: f64 = 0.1;
/// Of a month that shows that the building feeds in.
const FEEDS: f64 = 0.05;
/// How much less than such months.
const LESS: f64 = 3.0;
/// Months in a row with the same amount.
const REPEATED: usize = 3;

/// A month of a building that makes and feeds in, in kWh.
#[derive(Debug, Clone, Copy)]
struct Seen {
    index: usize,
    made: f64,
    /// The most that was made.
    most: f64,
    drawn: Option<f64>,
    fed: f64,
    /// What the meter in question fed in, and the share of the month in which its register stood still.
    own: f64,
    still_ratio: f64,
}

impl Seen {
    fn share(&self) -> f64 {
        self.fed / self.made
    }

    /// What the building had to spare beside what it drew.
    fn spare(&self, by_draw: bool) -> f64 {
        match self.drawn {
            Some(drawn) if by_draw => self.made / drawn.max(1e-3),
            _ => self.made,
        }
    }
}

/// The meters of one building and vector.
struct Node {
    vector: Vector,
    fed: Vec<usize>,
    made: Vec<usize>,
    drawn: Vec<usize>,
    /// The share that is too little where less is drawn than made.
    little: f64,
}

/// Doubts what the buildings fed in, and lets the doubted months have fed in what was made.
pub(super) fn doubt(meters: &mut Meters<'_>, weighed: &mut Weighed) {
    for node in nodes(meters) {
        // What all of them feed in is told by the one that shows least.
        let of_year = |meter: usize| (0..12).filter_map(|i| meters.measured(meter, i)).sum::<f64>();
        let least = node.fed.iter().copied().min_by(|a, b| of_year(*a).total_cmp(&of_year(*b)));
        for meter in &node.fed {
            let seen = seen(meters, &node, *meter);
            let mut months = repeated(&seen);
            if Some(*meter) == least {
                months.extend(too_little(&seen, &node));
            }
            if node.vector == Vector::Electricity {
                months.extend(standing(&seen));
            }
            let doubted: Vec<Seen> = seen.iter().filter(|s| months.contains(&s.index)).copied().collect();
            bound(meters, *meter, &doubted, weighed);
        }
    }
}

fn nodes(meters: &Meters<'_>) -> Vec<Node> {
    let places: BTreeSet<(BuildingId, Vector)> = meters
        .years
        .iter()
        .filter(|m| m.meter.direction == Direction::Export)
        .filter_map(|m| Some((m.building.clone(), vector(m)?)))
        .collect();
    let of = |(building, of): (BuildingId, Vector)| {
        let here = |direction: Direction| {
            meters
                .whose(|m| m.building == building && vector(m) == Some(of) && m.meter.direction == direction)
        };
        let drawn = here(Direction::Import);
        let made = here(Direction::Production);
        let stores = !here(Direction::Charge).is_empty() || !here(Direction::Discharge).is_empty();
        let by_weather = |meter: &usize| {
            meters.facts(*meter).is_some_and(|m| matches!(m.carrier, Carrier::OnSitePv | Carrier::SmallWind))
        };
        let little = if !stores && made.iter().all(by_weather) { LITTLE } else { NOTHING };
        Node { vector: of, fed: here(Direction::Export), made, drawn, little }
    };
    places.into_iter().map(of).filter(|node| !node.made.is_empty()).collect()
}

/// The months in which something was made and everything that counts was measured.
fn seen(meters: &Meters<'_>, node: &Node, meter: usize) -> Vec<Seen> {
    let drawn = |index| meters.sum(&node.drawn, index).filter(|_| !node.drawn.is_empty());
    let month = |index: usize| {
        let made = meters.sum(&node.made, index).filter(|made| 1.0 <= *made)?;
        let most = node.made.iter().map(|m| meters.row(*m, index)?.measured_high).sum::<Option<f64>>();
        Some(Seen {
            index,
            made,
            most: most.unwrap_or(f64::INFINITY).max(made),
            drawn: drawn(index),
            fed: meters.sum(&node.fed, index)?,
            own: meters.measured(meter, index)?,
            still_ratio: still_ratio(meters, meter, index),
        })
    };
    (0..12).filter_map(month).collect()
}

fn still_ratio(meters: &Meters<'_>, meter: usize, index: usize) -> f64 {
    let of = || {
        let (id, month) = (&meters.facts(meter)?.id, meters.month(index)?);
        let known = meters.input.meters.iter().find(|m| m.meter == *id)?;
        let of_meter = meters.row(meter, index)?.source == MonthSource::Meter;
        let (_, millis) = known.still.iter().find(|(m, _)| *m == month).filter(|_| of_meter)?;
        let (begin, end) = month.bounds(meters.input.project.zone);
        Some(*millis as f64 / (end.millis() - begin.millis()) as f64)
    };
    of().unwrap_or(0.0)
}

/// Whether a month's spare energy is known beside what was drawn in every month.
fn by_draw(seen: &[Seen]) -> bool {
    seen.iter().all(|s| s.drawn.is_some())
}

/// Months of next to nothing, and those that fed in far less than months with less to spare.
fn too_little(seen: &[Seen], node: &Node) -> BTreeSet<usize> {
    let index_of = |s: &Seen| s.index;
    if node.vector != Vector::Electricity {
        let (fed, made) = seen.iter().fold((0.0, 0.0), |(f, m), s| (f + s.fed, m + s.made));
        return if fed < NOTHING * made { seen.iter().map(index_of).collect() } else { BTreeSet::new() };
    }
    let hardly = |s: &&Seen| match s.drawn {
        Some(drawn) => s.share() < node.little && drawn < s.made,
        None => s.share() < NOTHING,
    };
    let mut months: BTreeSet<usize> = seen.iter().filter(hardly).map(index_of).collect();
    if !months.is_empty() {
        months.extend(seen.iter().filter(|s| s.share() < NOTHING).map(index_of));
    }
    let by_draw = by_draw(seen);
    let outdone = |s: &&Seen| {
        let witness = |k: &&Seen| {
            k.spare(by_draw) <= s.spare(by_draw) && FEEDS <= k.share() && LESS * s.share() <= k.share()
        };
        2 <= seen.iter().filter(witness).count()
    };
    months.extend(seen.iter().filter(outdone).map(index_of));
    months
}

/// Months that hold the same amount as their neighbours; next to nothing is judged as that.
fn repeated(seen: &[Seen]) -> BTreeSet<usize> {
    let same = |a: &Seen, b: &Seen| (a.own - b.own).abs() <= 1e-9 * a.own.abs();
    let is_one = |w: &&[Seen]| {
        let first = w.first();
        let follows = w.windows(2).all(|p| matches!(p, [a, b] if a.index + 1 == b.index && same(a, b)));
        follows && first.is_some_and(|s| 0.0 < s.own) && w.iter().any(|s| NOTHING * s.made <= s.own)
    };
    seen.windows(REPEATED).filter(is_one).flatten().map(|s| s.index).collect()
}

/// Months in which the register stood still though less was drawn than made, or months with less to spare fed in.
fn standing(seen: &[Seen]) -> BTreeSet<usize> {
    let by_draw = by_draw(seen);
    let is_one = |s: &&Seen| {
        let witness = |k: &Seen| {
            k.index != s.index
                && k.spare(by_draw) <= s.spare(by_draw)
                && FEEDS <= k.share()
                && s.share() < k.share()
        };
        RATIO_MAX < s.still_ratio && (s.drawn.is_some_and(|drawn| drawn < s.made) || seen.iter().any(witness))
    };
    seen.iter().filter(is_one).map(|s| s.index).collect()
}

/// Lets each doubted month have fed in all that was made, as far as the connection carries it, and tells them; those
/// that a person confirmed keep their bounds.
fn bound(meters: &mut Meters<'_>, meter: usize, doubted: &[Seen], weighed: &mut Weighed) {
    let (confirmed, open): (Vec<&Seen>, Vec<&Seen>) =
        doubted.iter().partition(|s| meters.word(meter, s.index).is_some());
    let words: Vec<usize> = confirmed.iter().map(|s| s.index).collect();
    weighed.findings.extend(meters.confirmed(meter, &words));
    let Some(facts) = meters.facts(meter).cloned().filter(|_| !open.is_empty()) else { return };
    let mut more = 0.0;
    for s in &open {
        let hours = meters.month(s.index).map_or(0.0, |m| f64::from(m.days()) * 24.0 + 1.0);
        let known = facts.ceiling_per_hour.is_finite() && 0.0 < facts.ceiling_per_hour;
        let carried = if known { facts.ceiling_per_hour * hours } else { f64::INFINITY };
        let row = meters.years.get_mut(meter).and_then(|m| m.months.get_mut(s.index));
        if let Some(high) = row.and_then(|row| row.measured_high.as_mut()) {
            let was = *high;
            *high = high.max(s.most.min(carried));
            more += *high - was;
        }
    }
    meters.blame(meter, DOUBTFUL, |of| of.measured.high += more);
    weighed.findings.push(tell(meters, &facts.id, &open));
    weighed.doubted.insert(facts.id);
}

fn tell(meters: &Meters<'_>, id: &model::MeterId, months: &[&Seen]) -> Finding {
    let list = meters.list(&months.iter().map(|s| s.index).collect::<Vec<_>>());
    let (fed, made) = months.iter().fold((0.0, 0.0), |(f, m), s| (f + s.own, m + s.made));
    let drawn: Option<f64> = months.iter().map(|s| s.drawn).sum();
    let (fed, made) = (show(fed), show(made));
    let drawn = drawn.map_or_else(|| "-".to_owned(), show);
    let says = format!(
        "{list}: {fed} kWh fed in where {made} kWh were made and {drawn} kWh drawn: next to nothing, the same amount \
         again, a register that stands still, or far less than in months with less to spare. In the bound that counts \
         all that was made was fed in, until the values are corrected or a person confirms the months"
    );
    let about = format!("meter:{id} {}", meters.input.year);
    Finding::new(DOUBTFUL, Severity::Caution, about, says, RULE)
        .with("months", list)
        .with("fed", fed)
        .with("made", made)
        .with("drawn", drawn)
}
