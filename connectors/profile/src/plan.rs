//! Merges registers into few requests. A pure function of the map and of what the device tolerates.
//!
//! Must never: exceed the device's limit, or split one value over two requests, since its pieces (halves of a
//! number, digit groups, tariffs, scale and unit registers) could then be of two different moments.

use crate::measure::Measure;
use crate::registers::{Limits, REGISTERS_PER_REQUEST_MAX, Space};

/// One request, and the measures its answer holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    pub space: Space,
    pub address: u16,
    /// Registers asked for.
    pub count: u16,
    /// Indices into the model's measures.
    pub measures: Vec<usize>,
}

impl Block {
    /// Last register asked for.
    #[must_use]
    pub fn last(&self) -> u16 {
        self.address.saturating_add(self.count.saturating_sub(1))
    }

    /// The words of the block's answer from the measure's first register on; `None` when the answer ends before.
    #[must_use]
    pub fn words_of<'w>(&self, measure: &Measure, words: &'w [u16]) -> Option<&'w [u16]> {
        words.get(usize::from(measure.span().0.checked_sub(self.address)?)..)
    }
}

/// The fewest requests that cover all measures: taking registers in rising order, a request is
/// closed only when the next one would break a limit.
#[must_use]
pub fn plan(measures: &[Measure], limits: Limits) -> Vec<Block> {
    let spans: Vec<Span> = measures.iter().map(|m| (m.register.space, m.span())).collect();
    merged(&spans, limits)
}

/// A space, and the first and last register in it.
pub(crate) type Span = (Space, (u16, u16));

/// The fewest requests that cover all spans; in `measures` the indices of the
/// spans.
pub(crate) fn merged(spans: &[Span], limits: Limits) -> Vec<Block> {
    let limit = u32::from(limits.registers_per_request.clamp(1, REGISTERS_PER_REQUEST_MAX));
    let gap = u32::from(limits.widest_gap);
    let mut order: Vec<(usize, Span)> = spans.iter().copied().enumerate().collect();
    order.sort_by_key(|&(i, span)| (span, i));

    let mut blocks: Vec<Block> = Vec::new();
    for (i, (space, (first, last))) in order {
        if let Some(block) = blocks.last_mut().filter(|b| b.space == space) {
            let end = u32::from(block.address) + u32::from(block.count);
            let new_end = end.max(u32::from(last) + 1);
            let span = new_end - u32::from(block.address);
            if u32::from(first) <= end + gap && span <= limit {
                block.count = u16::try_from(span).unwrap_or(REGISTERS_PER_REQUEST_MAX);
                block.measures.push(i);
                continue;
            }
        }
        blocks.push(Block { space, address: first, count: last - first + 1, measures: vec![i] });
    }
    blocks
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::encoding::Number;
    use crate::measure::tests::measure;
    use crate::registers::{RegisterRef, tests::limits};

    fn spans(blocks: &[Block]) -> Vec<(u16, u16)> {
        blocks.iter().map(|b| (b.address, b.count)).collect()
    }

    #[test]
    fn neighbours_are_merged_and_wide_holes_are_not() {
        let map = [measure(0, Number::F32), measure(2, Number::F32), measure(20, Number::F32)];
        assert_eq!(spans(&plan(&map, limits(125, 15))), [(0, 4), (20, 2)]);
        assert_eq!(spans(&plan(&map, limits(125, 16))), [(0, 22)]);
        assert_eq!(spans(&plan(&map, limits(3, 16))), [(0, 2), (2, 2), (20, 2)]);
    }

    #[test]
    fn the_two_spaces_are_never_mixed_and_the_last_register_is_reached() {
        let mut holding = measure(0, Number::U16);
        holding.register.space = Space::Holding;
        let map = [measure(1, Number::U16), holding, measure(65_534, Number::U32)];
        let blocks = plan(&map, limits(125, 16));
        assert_eq!(spans(&blocks), [(0, 1), (1, 1), (65_534, 2)]);
        assert_eq!(blocks[2].last(), 65_535);
    }

    proptest! {
        #[test]
        fn every_measure_is_whole_in_one_block_within_the_limit(
            map in proptest::collection::vec((0_u16..400, 0_usize..17, any::<bool>()), 1..60),
            limit in 4_u16..=125, gap in 0_u16..40,
        ) {
            let measures: Vec<Measure> = map.iter().map(|&(address, n, holding)| {
                let space = if holding { Space::Holding } else { Space::Input };
                Measure { register: RegisterRef { space, address }, ..measure(address, Number::ALL[n]) }
            }).collect();
            let blocks = plan(&measures, limits(limit, gap));
            let mut seen = vec![0; measures.len()];
            for block in &blocks {
                prop_assert!(1 <= block.count && block.count <= limit);
                for &i in &block.measures {
                    seen[i] += 1;
                    let (first, last) = measures[i].span();
                    prop_assert!(measures[i].register.space == block.space);
                    prop_assert!(block.address <= first && last <= block.last());
                }
            }
            prop_assert!(seen.iter().all(|&n| n == 1));
            prop_assert!(blocks.len() <= measures.len());
        }
    }
}
