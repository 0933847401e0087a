//! The replay of `make test`: every target over its seeds, over the inputs that once broke a law (`cases`), and over
//! inputs made of them by a fixed generator. The same on every machine and in every run.
//!
//! Must never: stand for fuzzing; it keeps the targets alive and old bugs dead.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use super::seeds;
use super::{TARGETS, Target};

/// Longest input that is made.
const BYTES_MAX: usize = 8_192;

/// The folder of the fuzz crate, whichever of the two crates this is compiled in.
pub(crate) fn folder() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    if here.ends_with("fuzz") { here } else { here.join("fuzz") }
}

/// Splitmix64 (Steele, Lea, Flood 2014).
struct Generator(u64);

impl Generator {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    /// One to four changes of an input.
    fn changed(&mut self, seed: &[u8], other: &[u8]) -> Vec<u8> {
        let mut bytes = seed.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len() + 1);
            let to = (at + 1 + self.below(16)).min(bytes.len());
            match self.below(8) {
                0 => bytes.truncate(at),
                1 => drop(bytes.drain(at.min(to)..to)),
                2 => {
                    let from = self.below(other.len() + 1);
                    let piece = other[from..(from + self.below(32)).min(other.len())].to_vec();
                    drop(bytes.splice(at..at, piece));
                }
                3 => bytes.extend_from_within(at.min(to)..to),
                4 => bytes.insert(at, [0, 0xFF, b'-', b',', b';', b'9', b'"', b'\n'][self.below(8)]),
                5 => {
                    let digit = bytes.iter().skip(at).position(u8::is_ascii_digit);
                    if let Some(found) = digit {
                        bytes[at + found] = b'0' + self.below(10) as u8;
                    }
                }
                _ => {
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte ^= 1 << self.below(8);
                    }
                }
            }
        }
        bytes.truncate(BYTES_MAX);
        bytes
    }
}

/// Prints the input when a law breaks on it.
struct Told<'a>(&'a str, &'a [u8]);

impl Drop for Told<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}: the input that breaks it: {}", self.0, self.1.escape_ascii());
        }
    }
}

fn run(target: &Target, input: &[u8]) {
    let told = Told(target.name, input);
    (target.run)(input);
    drop(told);
}

fn cases(target: &Target) -> Vec<Vec<u8>> {
    let Ok(entries) = fs::read_dir(folder().join("cases").join(target.name)) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("a case").path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("a case can be read")).collect()
}

/// So many changed inputs of a target: few where one costs much.
const fn changes(name: &str) -> usize {
    match name.as_bytes() {
        b"rtu" => 60,
        b"project" | b"meter_file" | b"settings" => 300,
        b"load_curve" | b"arera_electricity" | b"bills" | b"temperatures" => 600,
        _ => 3_000,
    }
}

fn replay(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target of the list");
    let mut inputs = seeds::of(target.name);
    assert!(!inputs.is_empty(), "{name} has no seed");
    inputs.extend(cases(target));
    inputs.iter().for_each(|input| run(target, input));
    run(target, &[]);
    let mut generator = Generator(0x5EED);
    for _ in 0..changes(target.name) {
        let (one, other) = (generator.below(inputs.len()), generator.below(inputs.len()));
        let changed = generator.changed(&inputs[one], &inputs[other]);
        run(target, &changed);
    }
}

/// One test a target, so that one broken law does not hide another.
macro_rules! replays {
    ($($name:ident)*) => {
        const REPLAYED: &[&str] = &[$(stringify!($name)),*];
        mod no_law_breaks_on {
            $(
                #[test]
                fn $name() {
                    super::replay(stringify!($name));
                }
            )*
        }
    };
}

replays! {
    ape arera_electricity arera_gas bills encodings json line load_curve mapped mbus meter_file payloads project records
    registers rtu settings sparkplug sunspec temperatures weather
}

/// A target that is not in the list is not replayed; one without a file is not fuzzed.
#[test]
fn every_target_is_listed_has_its_file_and_its_program() {
    let names: BTreeSet<String> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    assert!(TARGETS.iter().map(|target| target.name).eq(REPLAYED.iter().copied()));
    let files = fs::read_dir(folder().join("fuzz_targets")).expect("the folder of targets");
    let files: BTreeSet<String> =
        files.map(|entry| entry.expect("a file").file_name().to_string_lossy().replace(".rs", "")).collect();
    assert_eq!(files, names);
    let manifest = fs::read_to_string(folder().join("Cargo.toml")).expect("the manifest");
    let programs: BTreeSet<String> = manifest
        .split("[[bin]]\nname = \"")
        .skip(1)
        .filter_map(|rest| Some(rest.split_once('"')?.0.to_owned()))
        .collect();
    assert_eq!(programs, names);
    for name in &names {
        let text = fs::read_to_string(folder().join(format!("fuzz_targets/{name}.rs"))).expect("a target");
        assert!(text.contains("fuzz::") && text.contains(&format!("`{name}`")), "{name}");
    }
}

/// Writes the seeds and the cases where libFuzzer begins: `make fuzz` does this first.
#[test]
#[ignore = "writes the folder tests/fuzz/corpus"]
fn write_the_corpus() {
    for target in &TARGETS {
        let place = folder().join("corpus").join(target.name);
        fs::create_dir_all(&place).expect("the folder of seeds");
        for (i, seed) in seeds::of(target.name).into_iter().chain(cases(target)).enumerate() {
            fs::write(place.join(format!("seed-{i:03}")), seed).expect("a seed can be written");
        }
    }
}
