//! Arbitrary words through every block of every register map of the catalogue.
//!
//! Must never: skip a map; the first byte chooses it.
#![no_main]

use fuzz::{METERS, assert_lawful};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, Vec<u16>)| {
    let (choice, words) = input;
    let maps: Vec<_> = METERS.iter().filter_map(|meter| meter.registers()).collect();
    let map = maps[usize::from(choice) % maps.len()];
    for block in map.plan() {
        for (channel, decoded) in map.decode(&block, &words) {
            assert_lawful(channel, decoded);
        }
    }
});
