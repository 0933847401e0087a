//! The decoding part of `consuntivo bench`: what a whole round's registers cost, through a meter's plan.
//!
//! Must never: decode anything but the examples that the meter files themselves are proved by.

use std::hint::black_box;
use std::time::Instant as Stopwatch;

use anyhow::Context;
use model::ModelId;
use profile::{Block, RegisterModel, RegisterRef};

use crate::exit::Failure;

/// One of floats in nearly every register, one of integers, one of 64-bit integers.
const MODELS: [&str; 3] = ["eastron-sdm630", "carlo-gavazzi-em340", "abb-b23"];
const ROUNDS: u32 = 200_000;

pub(crate) fn decode() -> Result<(), Failure> {
    let meters = config::meters::load_meters(None).unwrap_or_default();
    println!();
    for id in MODELS {
        let id = ModelId::new(id).map_err(anyhow::Error::from)?;
        let model = meters.get(&id).and_then(|model| model.registers()).context("no such register map")?;
        let answers: Vec<(Block, Vec<u16>)> =
            model.plan().into_iter().map(|block| (block.clone(), words(model, &block))).collect();
        let registers: usize = answers.iter().map(|(_, words)| words.len()).sum();
        let values = model.measures.len();
        let begun = Stopwatch::now();
        let mut decoded = 0;
        for _ in 0..ROUNDS {
            for (block, words) in &answers {
                decoded += black_box(model.decode(block, black_box(words))).len();
            }
        }
        let nanos = begun.elapsed().as_secs_f64() * 1e9 / f64::from(ROUNDS);
        println!(
            "decoding {id}: {registers} registers, {values} values, {:.0} ns a round = {:.1} ns a register, {:.1} ns a value ({decoded} decoded)",
            nanos,
            nanos / registers as f64,
            nanos / values as f64
        );
    }
    Ok(())
}

/// The answer to a block, out of the file's example; registers between its values hold 0.
fn words(model: &RegisterModel, block: &Block) -> Vec<u16> {
    let word = |address| {
        let at = RegisterRef { space: block.space, address };
        model.examples.iter().find_map(|example| example.registers.get(&at)).copied().unwrap_or_default()
    };
    (block.address..=block.last()).map(word).collect()
}
