//! The store when the kernel fails it: at the n-th call, for every n, and at random moments.
//!
//! Must never: stop at a number of calls that somebody once counted; it goes on until a life passes untouched.

use std::path::Path;

use tests::random::Random;
use tests::soak::Life;
use tests::soak::points::{self, CALLS, Death, FAILURES, Site, Survived};

const SOAK: &str = env!("CARGO_BIN_EXE_soak");
/// Operations of each life: as many as make the store fold, archive and write its log back once.
const OPERATIONS: u64 = 68;
/// The store lives through this many before, so that there is something to lose.
const BEFORE: u64 = 60;
/// Every call of the first kind would take minutes; these steps, from a random start, are all of them in the end.
const STEP: u64 = 23;

#[test]
fn random_crash_points_are_survived() {
    let survived = points::soak(Path::new(SOAK), 60, &mut Random::printed("soak")).unwrap();
    println!("{survived:?}");
    assert!(0 < survived.acknowledged && 0 < survived.readings);
}

/// Lives on a fresh directory each, the n-th call struck, n growing until a life passes untouched.
fn every_nth(death: impl Fn(&'static str, u64) -> Death) {
    let mut random = Random::printed("every nth call");
    for call in CALLS {
        let step = if call == "pwrite64" { STEP } else { 1 };
        let mut nth = 1 + random.between(0, step);
        let mut struck = 0;
        loop {
            let folder = tempfile::tempdir().unwrap();
            let mut site = Site::new(Path::new(SOAK), folder.path(), 7);
            let mut survived = Survived::default();
            let first = Life { seed: 7, from: 0, to: BEFORE };
            let untouched = Death::KilledAt { call, nth: 65_000 };
            assert!(!site.live_as(first, &untouched, &mut random, &mut survived).unwrap());
            let life = Life { seed: 7, from: BEFORE, to: OPERATIONS };
            let death = death(call, nth);
            let reached = site.live_as(life, &death, &mut random, &mut survived);
            let reached = reached.unwrap_or_else(|says| panic!("{death:?}: {says}"));
            if !reached {
                assert_eq!(site.account.next, OPERATIONS, "{death:?} was not reached, and not all was done");
                break;
            }
            struck += 1;
            nth += step;
        }
        println!("{call}: struck {struck} times, then a life passed untouched");
        assert!(0 < struck, "{call} is not called at all");
    }
}

#[test]
fn a_kill_at_every_nth_call_is_survived() {
    every_nth(|call, nth| Death::KilledAt { call, nth });
}

#[test]
fn a_failure_of_every_nth_call_is_survived() {
    for error in FAILURES {
        every_nth(|call, nth| Death::Failing { call, error, nth, on: false });
    }
}

#[test]
fn a_disk_that_fails_from_the_nth_call_on_is_survived() {
    every_nth(|call, nth| Death::Failing { call, error: "EIO", nth, on: true });
}
