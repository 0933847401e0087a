//! Lives and deaths: at a random moment, at the n-th call to the kernel, by a call that fails, with a log torn after
//! what was acknowledged.
//!
//! Must never: wait for a quiet moment, or count a point at which nothing was attempted as one that was survived.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Seek};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{PoisonError, RwLock};
use std::thread;
use std::time::Duration;

use super::Life;
use super::account::Account;
use crate::random::Random;

/// Operations of a life, if it lasts.
const OPERATIONS: u64 = 40;
/// Lives on one directory, before another one begins.
const LIVES: u64 = 30;
/// Directories at a time for each core: a life waits for its disk most of the time.
const WORKERS_PER_CORE: usize = 2;
/// Longest life: a child that hangs is a failure.
const LONGEST: Duration = Duration::from_secs(120);

/// Calls to the kernel by which the store writes, and what they may fail with.
///
/// SQLite writes by the first; files of the archive, documents, backups and the lock by `write`. What the child says goes
/// through another call, `writev`, which nothing strikes.
pub const CALLS: [&str; 7] = ["pwrite64", "fsync", "ftruncate", "unlink", "write", "linkat", "rename"];
pub const FAILURES: [&str; 2] = ["EIO", "ENOSPC"];

/// Held alone while a child begins, and shared while a store is open in this process: between fork and exec a child has
/// the lock on that store's directory too.
static BEGINNING: RwLock<()> = RwLock::new(());

/// How a life ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Death {
    /// SIGKILL after so many microseconds, from the first acknowledgement or from the start.
    Killed { after_us: u64, from_start: bool },
    /// SIGKILL, and of a copy of the log what follows the last acknowledgement is cut or spoilt.
    Torn { after_us: u64 },
    /// SIGKILL at the n-th call.
    KilledAt { call: &'static str, nth: u64 },
    /// The n-th call fails; with `on`, all that follow fail too. The child goes on as long as it can.
    Failing { call: &'static str, error: &'static str, nth: u64, on: bool },
}

/// What was done and survived.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Survived {
    pub points: u64,
    pub kills: u64,
    pub torn: u64,
    pub kills_at_calls: u64,
    pub failed_calls: u64,
    /// Acknowledged operations over all lives, and the readings accounted for at the end of each directory.
    pub acknowledged: u64,
    pub readings: u64,
}

impl std::ops::AddAssign for Survived {
    fn add_assign(&mut self, other: Self) {
        self.points += other.points;
        self.kills += other.kills;
        self.torn += other.torn;
        self.kills_at_calls += other.kills_at_calls;
        self.failed_calls += other.failed_calls;
        self.acknowledged += other.acknowledged;
        self.readings += other.readings;
    }
}

/// The soak: so many points, chosen at random, on as many directories at a time as the machine bears.
///
/// Each directory has a seed of its own, so what happens on it does not depend on the others.
///
/// # Errors
/// The first life after which the account does not agree, with everything needed to do it again.
pub fn soak(program: &Path, points: u64, random: &mut Random) -> Result<Survived, String> {
    let directories = points.div_ceil(LIVES);
    let seeds: Vec<u64> = (0..directories).map(|_| random.next_u64()).collect();
    let next = AtomicU64::new(0);
    let failed = AtomicBool::new(false);
    let work = || {
        let mut survived = Survived::default();
        while !failed.load(Relaxed) {
            let number = next.fetch_add(1, Relaxed);
            let Some(seed) = usize::try_from(number).ok().and_then(|n| seeds.get(n)) else { break };
            let lives = LIVES.min(points - number * LIVES);
            match directory(program, lives, *seed) {
                Ok(one) => survived += one,
                Err(says) => {
                    failed.store(true, Relaxed);
                    return Err(says);
                }
            }
        }
        Ok(survived)
    };
    let workers = thread::available_parallelism().map_or(1, NonZero::get) * WORKERS_PER_CORE;
    thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let mut sum = Survived::default();
        for worker in workers {
            sum += worker.join().map_err(|_| "a worker of the soak panicked".to_owned())??;
        }
        Ok(sum)
    })
}

/// So many lives on one new directory.
fn directory(program: &Path, lives: u64, seed: u64) -> Result<Survived, String> {
    let random = &mut Random::of(seed);
    let mut survived = Survived::default();
    let folder = tempfile::tempdir().map_err(|e| format!("cannot make a folder: {e}"))?;
    let mut site = Site::new(program, folder.path(), random.next_u64());
    for life in 0..lives {
        let death = death(random);
        site.live(&death, random, &mut survived).map_err(|says| {
            let kept = folder.path().with_extension("failed");
            fs::rename(folder.path(), &kept).ok();
            format!(
                "{says}\nafter {death:?}, life {life} of the directory of seed {seed}; it is kept as {}",
                kept.display()
            )
        })?;
        survived.points += 1;
    }
    survived.readings = site.account.readings() as u64;
    Ok(survived)
}

fn death(random: &mut Random) -> Death {
    let pick = |random: &mut Random, of: &[&'static str]| of[random.between(0, of.len() as u64) as usize];
    let call = pick(random, &CALLS);
    // Rare calls are reached by small numbers only.
    let nth = 1 + random.between(0, if call == "pwrite64" { 300 } else { 30 });
    match random.between(0, 20) {
        0 => Death::KilledAt { call, nth },
        1 => Death::Failing { call, error: pick(random, &FAILURES), nth, on: random.between(0, 4) == 0 },
        2..5 => Death::Torn { after_us: random.between(0, 30_000) },
        n => Death::Killed { after_us: random.between(0, 30_000), from_start: n == 5 },
    }
}

/// A directory and the account of it.
#[derive(Debug)]
pub struct Site {
    program: PathBuf,
    directory: PathBuf,
    pub seed: u64,
    pub account: Account,
}

impl Site {
    #[must_use]
    pub fn new(program: &Path, folder: &Path, seed: u64) -> Self {
        let account = Account::default();
        Self { program: program.to_owned(), directory: folder.join("store"), seed, account }
    }

    /// One life, its end, and the account after it. Returns whether the call that was to fail was reached.
    ///
    /// # Errors
    /// What does not agree.
    pub fn live(
        &mut self,
        death: &Death,
        random: &mut Random,
        survived: &mut Survived,
    ) -> Result<bool, String> {
        let life = Life { seed: self.seed, from: self.account.next, to: self.account.next + OPERATIONS };
        self.live_as(life, death, random, survived)
    }

    /// As [`Self::live`], for as many operations as the life says.
    ///
    /// # Errors
    /// What does not agree.
    pub fn live_as(
        &mut self,
        life: Life,
        death: &Death,
        random: &mut Random,
        survived: &mut Survived,
    ) -> Result<bool, String> {
        let trace = self.directory.with_extension("trace");
        let mut running = Running::start(&self.program, &self.directory, life, death, &trace)?;
        let heard = running.hear(death);
        let status = running.end(death)?;
        let lines = [heard, running.rest()].concat();
        self.believe(&lines, death, survived)?;
        let traced = fs::read_to_string(&trace).unwrap_or_default();
        fs::remove_file(&trace).ok();
        let struck = traced.contains("INJECTED") || traced.contains("SIGKILL");
        let ended = lines.last().is_some_and(|line| line == "end");
        // A child may give up when its disk fails it; by itself it does not.
        let by_itself = match death {
            Death::Killed { .. } | Death::Torn { .. } => status.code().is_some_and(|code| code != 0),
            Death::KilledAt { .. } | Death::Failing { .. } => !struck && !ended,
        };
        if by_itself {
            return Err(format!("the child ended by itself ({status}): {}", running.said().trim_end()));
        }
        match death {
            Death::Killed { .. } => survived.kills += 1,
            Death::Torn { .. } => {
                survived.torn += 1;
                self.tear(random)?;
            }
            Death::KilledAt { .. } => survived.kills_at_calls += 1,
            Death::Failing { .. } => survived.failed_calls += 1,
        }
        let _open = BEGINNING.read().unwrap_or_else(PoisonError::into_inner);
        self.account.settle(&self.directory, self.seed)?;
        self.account.settle_backup(&self.directory, self.seed)?;
        Ok(struck)
    }

    /// Adds what the child says was acknowledged, and holds its counts against the account.
    ///
    /// Where calls fail, a commit may be on disk and its receipt not have come: the sync failed after the writing. The
    /// child appends it again, and then every reading of it is rightly there already.
    fn believe(&mut self, lines: &[String], death: &Death, survived: &mut Survived) -> Result<(), String> {
        for line in lines {
            let words: Vec<&str> = line.split(' ').collect();
            let numbers = words.iter().skip(1).map(|word| word.parse::<u64>()).collect::<Result<Vec<_>, _>>();
            match (words.first().copied(), numbers.as_deref()) {
                (Some("ack"), Ok(&[operation, new, duplicate, conflicting])) => {
                    if operation != self.account.next {
                        return Err(format!("operation {operation} instead of {}", self.account.next));
                    }
                    let expected = self.account.add(self.seed, operation);
                    let found = store::Appended { new, duplicate, conflicting };
                    let again = matches!(death, Death::Failing { .. })
                        && found == self.account.clone().add(self.seed, operation);
                    if found != expected && !again {
                        return Err(format!("operation {operation}: {found:?} instead of {expected:?}"));
                    }
                    survived.acknowledged += 1;
                }
                (Some("document"), Ok(&[operation])) => self.account.add_document(operation),
                (Some("end"), _) => {}
                _ => return Err(format!("the child says {line:?}")),
            }
        }
        Ok(())
    }

    /// A machine that lost its power may find the end of the log cut or spoilt, after what was synced. The child
    /// was killed at once, so what was synced is all that is acknowledged; the bytes of a commit under way are spoilt.
    fn tear(&mut self, random: &mut Random) -> Result<(), String> {
        let failed = |error: std::io::Error| format!("cannot copy the directory: {error}");
        let copy = self.directory.with_extension("torn");
        fs::remove_dir_all(&copy).ok();
        copy_folder(&self.directory, &copy).map_err(failed)?;
        let log = copy.join(format!("{}-wal", store::JOURNAL_FILE));
        let Ok(mut bytes) = fs::read(&log) else { return Ok(()) };
        let end = committed_end(&bytes);
        let at = end + random.between(0, (bytes.len() - end) as u64 + 1) as usize;
        if random.between(0, 2) == 0 {
            bytes.truncate(at);
        } else {
            for byte in bytes.iter_mut().skip(at).take(700) {
                *byte = !*byte;
            }
        }
        fs::write(&log, bytes).map_err(failed)?;
        let open = BEGINNING.read().unwrap_or_else(PoisonError::into_inner);
        let torn = self.account.clone().settle(&copy, self.seed);
        drop(open);
        fs::remove_dir_all(&copy).ok();
        torn.map_err(|says| format!("with a torn log: {says}"))
    }
}

/// Where the last whole commit of a write-ahead log ends: the last frame of the present salts that says how large the
/// database is then (SQLite file format, section 4.1). Frames after it were never acknowledged.
fn committed_end(log: &[u8]) -> usize {
    const HEAD: usize = 32;
    const FRAME: usize = 24 + 4_096;
    let Some(salts) = log.get(16..24) else { return log.len() };
    let frames = log[HEAD..].chunks_exact(FRAME).take_while(|frame| &frame[8..16] == salts);
    let committed = frames.enumerate().filter(|(_, frame)| frame[4..8] != [0; 4]).last();
    HEAD + committed.map_or(0, |(number, _)| (number + 1) * FRAME)
}

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else if !entry.file_name().to_string_lossy().ends_with("-shm") {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// A child and what it says.
struct Running {
    child: Child,
    lines: Receiver<String>,
    /// What it says of failures.
    errors: File,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Running {
    fn start(
        program: &Path,
        directory: &Path,
        life: Life,
        death: &Death,
        trace: &Path,
    ) -> Result<Self, String> {
        let injected = match death {
            Death::Killed { .. } | Death::Torn { .. } => None,
            Death::KilledAt { call, nth } => Some(format!("inject={call}:signal=KILL:when={nth}")),
            Death::Failing { call, error, nth, on } => {
                Some(format!("inject={call}:error={error}:when={nth}{}", if *on { "+" } else { "" }))
            }
        };
        let mut command = match injected {
            None => Command::new(program),
            Some(inject) => {
                let call = inject.split([':', '=']).nth(1).unwrap_or_default().to_owned();
                let mut command = Command::new("strace");
                command.args(["-f", "-qq", "-e", &format!("trace={call}"), "-e", &inject, "-o"]);
                command.arg(trace).arg(program);
                command
            }
        };
        let Life { seed, from, to } = life;
        command.arg("work").arg(directory).args([seed, from, to].map(|n| n.to_string()));
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let errors = tempfile::tempfile().map_err(|e| format!("cannot make a file: {e}"))?;
        command.stderr(errors.try_clone().map_err(|e| format!("cannot share a file: {e}"))?);
        let begin = BEGINNING.write().unwrap_or_else(PoisonError::into_inner);
        let mut child = command.spawn().map_err(|e| format!("cannot start {command:?}: {e}"))?;
        drop(begin);
        let out = child.stdout.take().ok_or("a child without output")?;
        let (say, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if say.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self { child, lines, errors })
    }

    /// Listens until it is time for the end, or to the end of what is said.
    fn hear(&mut self, death: &Death) -> Vec<String> {
        let (after, from_start) = match death {
            Death::Killed { after_us, from_start } => (Duration::from_micros(*after_us), *from_start),
            Death::Torn { after_us } => (Duration::from_micros(*after_us), false),
            Death::KilledAt { .. } | Death::Failing { .. } => (LONGEST, true),
        };
        let mut heard = Vec::new();
        if !from_start {
            heard.extend(self.lines.recv_timeout(LONGEST).ok());
        }
        let until = std::time::Instant::now() + after;
        loop {
            match self.lines.recv_timeout(until.saturating_duration_since(std::time::Instant::now())) {
                Ok(line) => heard.push(line),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return heard,
            }
        }
    }

    /// Kills, or waits for the end that was arranged.
    fn end(&mut self, death: &Death) -> Result<ExitStatus, String> {
        let failed = |error: std::io::Error| format!("cannot end the child: {error}");
        match death {
            Death::Killed { .. } | Death::Torn { .. } => {
                self.child.kill().map_err(failed)?;
            }
            Death::KilledAt { .. } | Death::Failing { .. } => {
                if self.child.try_wait().map_err(failed)?.is_none() {
                    let begun = std::time::Instant::now();
                    while self.child.try_wait().map_err(failed)?.is_none() {
                        if LONGEST < begun.elapsed() {
                            return Err("the child hangs".to_owned());
                        }
                        thread::yield_now();
                    }
                }
            }
        }
        self.child.wait().map_err(failed)
    }

    /// What it said of its failures.
    fn said(&mut self) -> String {
        let mut text = String::new();
        let read = self.errors.rewind().and_then(|()| (&self.errors).take(2_000).read_to_string(&mut text));
        if let Err(error) = read { error.to_string() } else { text }
    }

    /// What was said before the end and not yet heard.
    fn rest(&mut self) -> Vec<String> {
        self.lines.iter().collect()
    }
}
