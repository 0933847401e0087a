//! The walk along a SunSpec device's chain of models, and every SunSpec map placed into what it found.
//!
//! Laws: the walk ends within its limit of reads, whatever the device says; it finds each model where the one before
//! ends; a placed map lies wholly inside its model.
//!
//! Allowed ends: every `WalkError` but `Unfinished`, every `ResolveError`.
//!
//! Must never: feed an answer that was not asked for.

use std::sync::{Arc, LazyLock};

use profile::sunspec::{BASES, MODELS_MAX, ModelAt, ResolveError, Walk, WalkError};
use profile::{Layout, MeterModel, RegisterModel};

use crate::input::Input;
use crate::laws::models;
use crate::registers::map;

static MAPS: LazyLock<Vec<Arc<MeterModel>>> =
    LazyLock::new(|| models(|m| m.registers().is_some_and(|r| matches!(r.layout, Layout::SunSpec { .. }))));

/// What a device answers to one read: a refusal, the mark, a short answer, a likely header or any words.
fn answer(input: &mut Input<'_>, wanted: &[u16]) -> Option<Vec<u16>> {
    match input.u8() % 16 {
        0 => None,
        1 => Some(vec![0x5375]),
        2 => Some(vec![0xFFFF, 0]),
        3..=6 => Some(vec![0x5375, 0x6E53]),
        7..=11 => Some(vec![wanted[input.below(wanted.len())], u16::from(input.u8())]),
        _ => Some(vec![input.u16(), input.u16()]),
    }
}

/// Bytes: answers until the walk ends, then words.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let maps: Vec<&RegisterModel> = MAPS.iter().filter_map(|m| m.registers()).collect();
    let map_of = maps[input.below(maps.len())];
    let Layout::SunSpec { models: wanted } = &map_of.layout else { unreachable!("it is a SunSpec map") };
    let mut walk = Walk::new();
    let mut reads = 0;
    while let Some((register, count)) = walk.next() {
        reads += 1;
        assert!(reads <= BASES.len() + MODELS_MAX + 1, "the walk does not end");
        assert!(register.address.checked_add(count - 1).is_some(), "a read beyond the last register");
        let words = answer(&mut input, wanted);
        walk.feed(words.as_deref());
    }
    let ended = walk.clone();
    walk.feed(Some(&[1, 2]));
    assert_eq!(walk.next(), None, "a walk that has ended goes on");
    assert_eq!(walk.result(), ended.clone().result());
    match ended.result() {
        Ok(chain) => placed(map_of, wanted, &chain, input.rest()),
        Err(WalkError::NoMark | WalkError::NoModels { .. } | WalkError::Endless) => {}
        Err(WalkError::Unfinished) => panic!("a walk without a next read is unfinished"),
    }
}

fn placed(map_of: &RegisterModel, wanted: &[u16], chain: &[ModelAt], words: &[u8]) {
    assert!(!chain.is_empty() && chain.len() < MODELS_MAX);
    for pair in chain.windows(2) {
        let end = u32::from(pair[0].address) + 2 + u32::from(pair[0].length);
        assert_eq!(u32::from(pair[1].address), end, "a model does not begin where the one before ends");
    }
    let found = chain.iter().find(|at| wanted.contains(&at.id));
    match map_of.resolve(chain) {
        Ok(placed) => {
            let at = found.expect("a map was placed into a model that is not there");
            let end = u32::from(at.address) + 2 + u32::from(at.length);
            for measure in &placed.measures {
                let (first, last) = measure.span();
                assert!(at.address <= first && u32::from(last) < end, "{} is outside", measure.channel);
            }
            map(&placed, words);
        }
        Err(ResolveError::Absent { .. }) => assert_eq!(found, None),
        Err(ResolveError::Short { .. }) => assert!(found.is_some()),
    }
}
