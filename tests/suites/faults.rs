//! The store when the kernel fails it: at the n-th call, for every n, and at random moments; when it may not write, and
//! when two daemons want it.
//!
//! Must never: stop at a number of calls that somebody once counted; it goes on until a life passes untouched.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tests::random::Random;
use tests::soak::Life;
use tests::soak::account::Account;
use tests::soak::points::{self, CALLS, Death, FAILURES, Site, Survived};

const SOAK: &str = env!("CARGO_BIN_EXE_soak");
/// Operations of each life: as many as make the store keep a document, thin, archive, back up, fold and write its log back
/// once.
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

/// A file system without hard links, such as FAT: linking is not permitted, and months are archived all the same.
#[test]
fn months_are_archived_where_there_are_no_hard_links() {
    for error in ["EPERM", "EOPNOTSUPP"] {
        let folder = tempfile::tempdir().unwrap();
        let mut site = Site::new(Path::new(SOAK), folder.path(), 7);
        let (mut random, mut survived) = (Random::of(7), Survived::default());
        let life = Life { seed: 7, from: 0, to: OPERATIONS };
        let death = Death::Failing { call: "linkat", error, nth: 1, on: true };
        assert!(
            site.live_as(life, &death, &mut random, &mut survived).unwrap(),
            "{error}: nothing was linked"
        );
        assert_eq!(site.account.next, OPERATIONS, "{error}");
        let archive = folder.path().join("store").join(store::ARCHIVE_FOLDER);
        let names: Vec<_> = fs::read_dir(archive).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["2000-01.1.parquet"], "{error}");
    }
}

/// A store whose process is not root: root may write everywhere.
struct Guest {
    folder: tempfile::TempDir,
    /// The program where everybody may run it.
    program: PathBuf,
    is_root: bool,
}

/// Whom a test that is root runs a process as: the user that owns nothing.
const NOBODY: u32 = 65_534;
const SEED: u64 = 11;

impl Guest {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let is_root = fs::metadata(folder.path()).unwrap().uid() == 0;
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let program = folder.path().join("soak");
        fs::copy(SOAK, &program).unwrap();
        let home = folder.path().join("home");
        fs::create_dir(&home).unwrap();
        if is_root {
            chown(&home, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        Self { folder, program, is_root }
    }

    fn store(&self) -> PathBuf {
        self.folder.path().join("home/store")
    }

    fn command(&self, from: u64, to: u64) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("work").arg(self.store()).args([SEED, from, to].map(|n| n.to_string()));
        if self.is_root {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }

    fn work(&self, from: u64, to: u64) -> Output {
        self.command(from, to).output().unwrap()
    }

    /// Sets the rights of the store's folder and of the files in it.
    fn allow(&self, folder: u32, files: u32) {
        for entry in fs::read_dir(self.store()).unwrap() {
            let path = entry.unwrap().path();
            let mode = if path.is_dir() { folder } else { files };
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }
        fs::set_permissions(self.store(), fs::Permissions::from_mode(folder)).unwrap();
    }
}

/// The account of so many operations.
fn account(operations: u64) -> Account {
    let mut account = Account::default();
    for operation in 0..operations {
        account.add(SEED, operation);
    }
    account
}

fn acknowledged(output: &Output) -> usize {
    String::from_utf8_lossy(&output.stdout).lines().filter(|line| line.starts_with("ack ")).count()
}

#[test]
fn a_directory_that_may_not_be_written_stops_with_what_to_do_and_goes_on_when_it_may() {
    let guest = Guest::new();
    assert_eq!(acknowledged(&guest.work(0, 20)), 20);
    let mut next = 20;
    for (folder, files) in [(0o555, 0o444), (0o555, 0o600), (0o700, 0o400), (0o000, 0o600)] {
        guest.allow(folder, files);
        let refused = guest.work(next, next + 5);
        let says = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && acknowledged(&refused) == 0, "{folder:o} {files:o}: {says}");
        let tells = ["may write there", "let this user write", "may be read and written"];
        assert!(tells.iter().any(|tell| says.contains(tell)), "{folder:o} {files:o}: {says}");
        guest.allow(0o700, 0o600);
        let taken = guest.work(next, next + 5);
        let says = String::from_utf8_lossy(&taken.stderr).into_owned();
        assert_eq!(acknowledged(&taken), 5, "{folder:o} {files:o}: {says}");
        next += 5;
    }
    account(next).settle(&guest.store(), SEED).unwrap();
}

#[test]
fn of_two_daemons_on_one_directory_the_second_stops_and_the_first_goes_on() {
    let guest = Guest::new();
    let mut first = guest.command(0, 2_000).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(first.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.next().unwrap().starts_with("ack 0 "));
    for _ in 0..5 {
        let second = guest.work(5_000, 5_010);
        let says = String::from_utf8_lossy(&second.stderr).into_owned();
        assert!(!second.status.success() && acknowledged(&second) == 0, "{says}");
        let sentence = format!("another daemon (process {}) works on", first.id());
        assert!(says.contains(&sentence) && says.contains("stop it, or give this one"), "{says}");
    }
    assert!(first.try_wait().unwrap().is_none(), "the first had ended before the second began");
    // It dies in the middle of its work: the next one may begin at once.
    first.kill().unwrap();
    first.wait().unwrap();
    let heard = 1 + lines.filter(|line| line.starts_with("ack ")).count() as u64;
    let mut account = account(heard);
    account.settle(&guest.store(), SEED).unwrap();
    let third = guest.work(account.next, account.next + 10);
    assert_eq!(acknowledged(&third), 10, "{}", String::from_utf8_lossy(&third.stderr));
}
