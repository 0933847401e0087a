//! `soak crash --points N`: the store through N random crashes, each followed by an account of every reading.
//!
//! Must never: end with success when a point was not survived.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::ExitCode;

use tests::random::Random;
use tests::soak::{Life, account, child, points};

const USAGE: &str = "soak crash --points N   (TEST_SEED=... for the same run again)";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["crash", "--points", points] => crash(points),
        ["work", directory, seed, from, to] => work(directory, [seed, from, to]),
        _ => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(says) => {
            eprintln!("{says}");
            ExitCode::FAILURE
        }
    }
}

fn crash(points: &str) -> Result<(), String> {
    let points = points.parse().map_err(|_| USAGE.to_owned())?;
    let program = std::env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
    let begun = std::time::Instant::now();
    let survived = points::soak(&program, points, &mut Random::printed("soak"))?;
    println!("{survived:#?}\n{points} crash points survived in {:.0} s", begun.elapsed().as_secs_f64());
    println!("0 acknowledged readings lost, 0 counted twice, 0 repairs by hand");
    Ok(())
}

fn work(directory: &str, numbers: [&str; 3]) -> Result<(), String> {
    let mut parsed = [0_u64; 3];
    for (to, text) in parsed.iter_mut().zip(numbers) {
        *to = text.parse().map_err(|_| USAGE.to_owned())?;
    }
    let [seed, from, to] = parsed;
    let life = Life { seed, from, to };
    let out =
        std::io::stdout().as_fd().try_clone_to_owned().map_err(|error| format!("no output: {error}"))?;
    child::live(Path::new(directory), life, &File::from(out)).map_err(|error| account::said(&error))
}
