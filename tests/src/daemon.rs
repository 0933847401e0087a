//! The real binary as a process: started, awaited, asked, told to stop, or killed.
//!
//! Must never: leave a process behind, use a fixed port, or take a daemon for ready because time has passed.

use std::fs::File;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::http;

/// Longest from start to the first answer, on a busy machine.
pub const READY: Duration = Duration::from_secs(30);
/// Longest from SIGTERM to the end.
pub const STOP: Duration = Duration::from_secs(15);
/// Longest a command that is no daemon may take.
pub const COMMAND: Duration = Duration::from_secs(600);

/// Where cargo put the binary: beside this test's own executable.
///
/// # Panics
/// When it has not been built.
#[must_use]
pub fn binary() -> PathBuf {
    let executable = std::env::current_exe().expect("a test knows its own executable");
    // target/debug/deps/suite-hash → target/debug/consuntivo
    let folder = executable.parent().and_then(Path::parent).expect("tests run from target/<profile>/deps");
    let path = folder.join("consuntivo");
    assert!(
        path.is_file(),
        "{} is not built; run `cargo build --workspace` first, or `cargo test --workspace`, which builds it too",
        path.display()
    );
    path
}

/// A port that was free a moment ago.
#[must_use]
pub fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
    listener.local_addr().expect("a listener has an address")
}

/// Runs a command of the binary to its end.
///
/// # Panics
/// When it cannot be started or does not end within [`COMMAND`].
#[must_use]
pub fn run(arguments: &[&str]) -> Output {
    run_in(Command::new(binary()).args(arguments))
}

/// The same for a prepared command.
#[must_use]
pub fn run_in(command: &mut Command) -> Output {
    run_within(command, COMMAND)
}

/// The same for one that may take longer, or must not take as long.
#[must_use]
pub fn run_within(command: &mut Command, limit: Duration) -> Output {
    let said = format!("{command:?}");
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("{said} cannot be started: {e}"));
    // Both pipes are drained beside the wait, so that a talkative command cannot block.
    let stdout = child.stdout.take().map(drained);
    let stderr = child.stderr.take().map(drained);
    let begun = Instant::now();
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if begun.elapsed() < limit => std::thread::sleep(Duration::from_millis(5)),
            Ok(None) | Err(_) => {
                drop(child.kill());
                panic!("{said} did not end within {limit:?}");
            }
        }
    };
    let join = |pipe: Option<JoinHandle<Vec<u8>>>| pipe.and_then(|p| p.join().ok()).unwrap_or_default();
    Output { status, stdout: join(stdout), stderr: join(stderr) }
}

fn drained(mut pipe: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // What came before an error is what there is to show.
        drop(pipe.read_to_end(&mut bytes));
        bytes
    })
}

/// A daemon that was started with `run --config`. Killed when dropped.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    /// Where its pages are; known once it is ready.
    address: Option<SocketAddr>,
    log: PathBuf,
    /// Bytes of the log that earlier daemons wrote.
    log_before: usize,
}

impl Daemon {
    /// Starts `consuntivo run` on the settings file, without waiting. What it prints is added to `log`.
    ///
    /// # Panics
    /// When the process cannot be started.
    #[must_use]
    pub fn spawn(settings: &Path, log: &Path) -> Self {
        let mut command = Command::new(binary());
        command.arg("run").arg("--config").arg(settings);
        Self::spawn_command(command, log)
    }

    /// The same for a prepared command, for example one behind `prlimit`.
    #[must_use]
    pub fn spawn_command(mut command: Command, log: &Path) -> Self {
        let file = File::options().create(true).append(true).open(log).expect("the log can be written");
        let log_before = std::fs::metadata(log).map_or(0, |m| usize::try_from(m.len()).unwrap_or(usize::MAX));
        let copy = file.try_clone().expect("the log's handle can be copied");
        let child = command
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(copy)
            .spawn()
            .unwrap_or_else(|e| panic!("{command:?} cannot be started: {e}"));
        Self { child, address: None, log: log.to_owned(), log_before }
    }

    /// Starts and waits until `/health` answers 200.
    #[must_use]
    pub fn start(settings: &Path, log: &Path) -> Self {
        let mut daemon = Self::spawn(settings, log);
        daemon.await_ready();
        daemon
    }

    /// Waits until the daemon has said where it listens and `/health` answers 200 there.
    ///
    /// # Panics
    /// When the daemon ends first or takes longer than [`READY`]; the message holds the log.
    pub fn await_ready(&mut self) {
        self.await_ready_within(READY);
    }

    /// The same with a limit of one's own.
    pub fn await_ready_within(&mut self, limit: Duration) {
        let begun = Instant::now();
        while self.try_ready().is_none() {
            let ended = self.child.try_wait().ok().flatten();
            assert!(ended.is_none(), "the daemon ended with {ended:?} before it was ready:\n{}", self.log());
            assert!(begun.elapsed() < limit, "the daemon was not ready within {limit:?}:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The address, once the daemon has said where it listens and `/health` answers 200 there.
    pub fn try_ready(&mut self) -> Option<SocketAddr> {
        let address = self.address.or_else(|| listening(&self.log()))?;
        if http::get(address, "/health").is_ok_and(|answer| answer.status == 200) {
            self.address = Some(address);
        }
        self.address
    }

    /// Where its pages are.
    ///
    /// # Panics
    /// Before [`Daemon::await_ready`].
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address.expect("await_ready comes first")
    }

    /// Everything this daemon has printed so far.
    #[must_use]
    pub fn log(&self) -> String {
        let all = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(all.get(self.log_before..).unwrap_or_default()).into_owned()
    }

    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether the process still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// The sum of a metric's samples whose labels contain every one of `labels`, such as `source="mqtt"`;
    /// 0 when there is none.
    ///
    /// # Errors
    /// When `/metrics` does not answer.
    pub fn metric(&self, name: &str, labels: &[&str]) -> Result<f64, String> {
        let answer = http::get(self.address(), "/metrics")?;
        Ok(metric_in(&answer.body, name, labels))
    }

    /// Sends a signal by name, such as `HUP`.
    ///
    /// # Panics
    /// When it cannot be sent.
    pub fn signal(&self, name: &str) {
        let told = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(told.is_ok_and(|s| s.success()), "SIG{name} could not be sent");
    }

    /// SIGKILL: nothing in the process runs any more.
    ///
    /// # Panics
    /// When there is nothing to kill.
    pub fn kill(mut self) {
        self.child.kill().expect("a running child can be killed");
        drop(self.child.wait());
    }

    /// SIGTERM, then the exit status.
    ///
    /// # Panics
    /// When it does not end within [`STOP`]; the message holds the log.
    pub fn stop(mut self) -> ExitStatus {
        self.signal("TERM");
        self.ended(STOP)
    }

    /// Waits for the process to end by itself.
    ///
    /// # Panics
    /// When it does not within `limit`; the message holds the log.
    pub fn ended(&mut self, limit: Duration) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                return status;
            }
            assert!(begun.elapsed() < limit, "the daemon did not end within {limit:?}:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The address in the line that the daemon prints when its port is open.
fn listening(log: &str) -> Option<SocketAddr> {
    let rest = log.split_once("consuntivo listens on http://")?.1;
    // The line must be whole: half a port number is another port.
    rest.split_once('\n')?.0.trim().parse().ok()
}

/// The sum of a metric's samples in Prometheus text format.
fn metric_in(text: &str, name: &str, labels: &[&str]) -> f64 {
    let sample = |line: &str| {
        let rest = line.strip_prefix(name)?;
        if !rest.starts_with(['{', ' ']) || !labels.iter().all(|l| rest.contains(l)) {
            return None;
        }
        rest.rsplit_once(' ')?.1.parse::<f64>().ok()
    };
    text.lines().filter_map(sample).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_taken_from_a_whole_line_only() {
        assert_eq!(listening("x\nconsuntivo listens on http://127.0.0.1:48"), None);
        let address = listening("consuntivo listens on http://127.0.0.1:4812\n");
        assert_eq!(address, Some(SocketAddr::from(([127, 0, 0, 1], 4812))));
    }

    #[test]
    fn samples_are_summed_by_label() {
        let text = "# HELP a b\na_total{source=\"mqtt\",outcome=\"stored\"} 3\na_total{source=\"modbus\"} 4\nab 9\na 1\n";
        assert_eq!(metric_in(text, "a_total", &["source=\"mqtt\""]), 3.0);
        assert_eq!(metric_in(text, "a_total", &[]), 7.0);
        assert_eq!(metric_in(text, "a", &[]), 1.0);
    }
}
