//! Meters that take less than their file says: a block they refuse is asked for in pieces, as long as they run.
//!
//! Must never: split one value over two requests, or go on splitting what is refused in every size.

use std::collections::VecDeque;

use model::{Finding, MeterId, ModelId, Severity};
use profile::{Block, Measure};

/// A request of a unit's plan.
#[derive(Debug, Clone)]
pub(super) struct Planned {
    pub(super) block: Block,
    /// It was refused in every size: pieces of it are not tried again.
    whole: bool,
}

/// What a unit is asked in one sweep.
pub(super) fn planned(blocks: Vec<Block>) -> Vec<Planned> {
    blocks.into_iter().map(|block| Planned { block, whole: false }).collect()
}

/// A block that was refused and then answered in pieces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Narrowed {
    /// Registers that were refused at once.
    pub(super) wanted: u16,
    /// Most registers that were answered at once.
    pub(super) most: u16,
    pub(super) first: u16,
    pub(super) last: u16,
}

impl Narrowed {
    /// Code of the finding.
    pub(super) const CODE: &str = "meter.limit";

    /// What a person can do about it.
    pub(super) fn says(&self, model: &ModelId) -> String {
        let Self { wanted, most, first, last } = self;
        format!(
            "it refuses {wanted} registers at once ({first}-{last}) and gives at most {most} of them; lower \
             registers_per_request or widest_gap in the file of model {model}"
        )
    }

    /// The same as a finding about the meter.
    pub(super) fn finding(&self, meter: &MeterId, model: &ModelId) -> Finding {
        let subject = format!("meter:{meter}");
        Finding::new(Self::CODE, Severity::Note, subject, self.says(model), "")
            .with("wanted", self.wanted)
            .with("most", self.most)
            .with("model", model)
    }
}

#[derive(Debug)]
struct Origin<E> {
    planned: Planned,
    /// Why it was refused as a whole, once it is asked for in pieces.
    split: Option<E>,
    /// Most registers of it that were answered at once; 0 while nothing was.
    most: u16,
    kept: Vec<Planned>,
    refusals: Vec<E>,
}

/// One sweep through a plan, splitting on the way. `E` is why a device refuses.
#[derive(Debug)]
pub(super) struct Walk<E> {
    ahead: VecDeque<(usize, Planned)>,
    origins: Vec<Origin<E>>,
}

/// What a sweep through a plan came to.
#[derive(Debug)]
pub(super) struct Walked<E> {
    /// What is asked from now on, if all of the plan was asked for.
    pub(super) plan: Vec<Planned>,
    pub(super) narrowed: Vec<Narrowed>,
    /// What the device does not give in any size.
    pub(super) refusals: Vec<E>,
}

impl<E> Walk<E> {
    pub(super) fn through(plan: &[Planned]) -> Self {
        let origin = |planned: &Planned| Origin {
            planned: planned.clone(),
            split: None,
            most: 0,
            kept: Vec::new(),
            refusals: Vec::new(),
        };
        Self { ahead: plan.iter().cloned().enumerate().collect(), origins: plan.iter().map(origin).collect() }
    }

    /// The next request, with its place in the plan.
    pub(super) fn next(&mut self) -> Option<(usize, Planned)> {
        self.ahead.pop_front()
    }

    pub(super) fn answered(&mut self, origin: usize, planned: Planned) {
        if let Some(origin) = self.origins.get_mut(origin) {
            origin.most = origin.most.max(planned.block.count);
            origin.kept.push(planned);
        }
    }

    /// Notes a refusal. Where it may mean `too_much`, the block will be asked for in two pieces.
    pub(super) fn refused(
        &mut self,
        origin: usize,
        planned: Planned,
        measures: &[Measure],
        too_much: bool,
        why: E,
    ) {
        let halves = if too_much && !planned.whole { halves(&planned.block, measures) } else { None };
        let Some(at) = self.origins.get_mut(origin) else { return };
        match halves {
            Some(halves) => {
                at.split.get_or_insert(why);
                for block in halves.into_iter().rev() {
                    self.ahead.push_front((origin, Planned { block, whole: false }));
                }
            }
            None => {
                at.refusals.push(why);
                at.kept.push(planned);
            }
        }
    }

    pub(super) fn end(self) -> Walked<E> {
        let mut walked = Walked { plan: Vec::new(), narrowed: Vec::new(), refusals: Vec::new() };
        for origin in self.origins {
            match origin.split {
                None => {
                    walked.plan.push(origin.planned);
                    walked.refusals.extend(origin.refusals);
                }
                Some(why) if origin.most == 0 => {
                    walked.plan.push(Planned { whole: true, ..origin.planned });
                    walked.refusals.push(why);
                }
                Some(_) => {
                    let block = &origin.planned.block;
                    walked.narrowed.push(Narrowed {
                        wanted: block.count,
                        most: origin.most,
                        first: block.address,
                        last: block.last(),
                    });
                    walked.plan.extend(origin.kept);
                    walked.refusals.extend(origin.refusals);
                }
            }
        }
        walked
    }
}

/// The block as two, each with the registers of half of its measures; `None` for a single measure.
fn halves(block: &Block, measures: &[Measure]) -> Option<[Block; 2]> {
    let mut order: Vec<usize> = block.measures.clone();
    order.sort_by_key(|&i| measures.get(i).map(Measure::span));
    let (low, high) = order.split_at(order.len() / 2);
    Some([part(block, low, measures)?, part(block, high, measures)?])
}

fn part(block: &Block, of: &[usize], measures: &[Measure]) -> Option<Block> {
    let spans = || of.iter().filter_map(|&i| measures.get(i)).map(Measure::span);
    let first = spans().map(|(first, _)| first).min()?;
    let last = spans().map(|(_, last)| last).max()?;
    Some(Block { space: block.space, address: first, count: last - first + 1, measures: of.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::row;

    fn spans(plan: &[Planned]) -> Vec<(u16, u16)> {
        plan.iter().map(|p| (p.block.address, p.block.count)).collect()
    }

    /// Asks a meter that answers blocks for which `takes` holds; what came of it, and how many requests it took.
    fn sweep(plan: &[Planned], measures: &[Measure], takes: impl Fn(&Block) -> bool) -> (Walked<u16>, usize) {
        let mut walk = Walk::through(plan);
        let mut asked = 0;
        while let Some((origin, planned)) = walk.next() {
            asked += 1;
            if takes(&planned.block) {
                walk.answered(origin, planned);
            } else {
                let first = planned.block.address;
                walk.refused(origin, planned, measures, true, first);
            }
        }
        (walk.end(), asked)
    }

    #[test]
    fn a_block_is_halved_until_it_is_answered_and_stays_so() {
        let (measures, block) = row(12);
        let ten_words = |block: &Block| block.count <= 10;
        let (walked, _) = sweep(&planned(vec![block]), &measures, ten_words);
        assert_eq!(spans(&walked.plan), [(0, 6), (6, 6), (12, 6), (18, 6)]);
        assert_eq!(walked.narrowed, [Narrowed { wanted: 24, most: 6, first: 0, last: 23 }]);
        assert_eq!(walked.refusals, [] as [u16; 0]);
        let (again, asked) = sweep(&walked.plan, &measures, ten_words);
        assert_eq!((asked, again.narrowed), (4, vec![]));
    }

    #[test]
    fn a_register_that_is_not_there_does_not_take_the_others_along() {
        let (measures, block) = row(4);
        let (walked, _) = sweep(&planned(vec![block]), &measures, |b| !(b.address..=b.last()).contains(&4));
        assert_eq!(spans(&walked.plan), [(0, 4), (4, 2), (6, 2)]);
        assert_eq!((walked.narrowed.len(), walked.refusals), (1, vec![4]));
    }

    #[test]
    fn what_is_refused_in_every_size_is_asked_for_once_a_sweep_again() {
        let (measures, block) = row(4);
        let (walked, asked) = sweep(&planned(vec![block]), &measures, |_| false);
        assert_eq!(asked, 7);
        assert_eq!((spans(&walked.plan), walked.narrowed, walked.refusals), (vec![(0, 8)], vec![], vec![0]));
        let (_, asked) = sweep(&walked.plan, &measures, |_| false);
        assert_eq!(asked, 1);
    }
}
