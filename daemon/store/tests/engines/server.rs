//! Real engines as processes of one test: VictoriaMetrics and InfluxDB, as Debian packages them.
//!
//! Must never: outlive its test, use a fixed port, or keep data outside its own folder.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Longest from start to the first answer, on a busy machine.
const READY: Duration = Duration::from_secs(60);

/// A server with a folder of its own. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    folder: TempDir,
    program: &'static str,
    arguments: Vec<String>,
    pub(crate) address: SocketAddr,
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
    listener.local_addr().expect("a listener has an address")
}

fn spawn(program: &str, arguments: &[String], folder: &Path) -> Child {
    let log = std::fs::File::options().create(true).append(true).open(folder.join("log"));
    let log = log.expect("the log can be written");
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("the log's handle can be copied"))
        .stderr(log)
        .spawn()
        .unwrap_or_else(|e| panic!("{program} cannot be started ({e}); `make test` installs it"))
}

impl Server {
    fn start(program: &'static str, folder: TempDir, arguments: Vec<String>, address: SocketAddr) -> Self {
        let child = spawn(program, &arguments, folder.path());
        let server = Self { child, folder, program, arguments, address };
        server.await_ready();
        server
    }

    /// VictoriaMetrics with these flags besides address and folder.
    pub(crate) fn victoria(flags: &[&str]) -> Self {
        let (folder, address) = (tempfile::tempdir().expect("a folder"), free_address());
        let mut arguments = vec![
            format!("-storageDataPath={}", folder.path().join("data").display()),
            format!("-httpListenAddr={address}"),
        ];
        arguments.extend(flags.iter().map(|f| (*f).to_owned()));
        Self::start("victoria-metrics", folder, arguments, address)
    }

    /// InfluxDB 1.x with one database.
    pub(crate) fn influx(database: &str) -> Self {
        let (folder, address, bind) =
            (tempfile::tempdir().expect("a folder"), free_address(), free_address());
        let at = |name: &str| folder.path().join(name).display().to_string();
        let settings = format!(
            "reporting-disabled = true\nbind-address = \"{bind}\"\n[meta]\ndir = \"{}\"\n[data]\ndir = \"{}\"\n\
             wal-dir = \"{}\"\nquery-log-enabled = false\n[http]\nbind-address = \"{address}\"\nlog-enabled = false\n\
             [monitor]\nstore-enabled = false\n",
            at("meta"),
            at("data"),
            at("wal")
        );
        std::fs::write(folder.path().join("influxdb.conf"), settings).expect("the settings can be written");
        let arguments = vec!["-config".to_owned(), at("influxdb.conf")];
        let server = Self::start("influxd", folder, arguments, address);
        let made = server.ask("POST", &format!("/query?q=CREATE%20DATABASE%20{database}"));
        assert!(made.is_some_and(|answer| answer.starts_with("HTTP/1.1 200")));
        server
    }

    /// Kills it; its port then refuses.
    pub(crate) fn kill(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// Starts it again on the same port and folder.
    pub(crate) fn start_again(&mut self) {
        self.child = spawn(self.program, &self.arguments, self.folder.path());
        self.await_ready();
    }

    fn await_ready(&self) {
        let begun = Instant::now();
        while !self.ask("GET", "/ping").is_some_and(|answer| answer.starts_with("HTTP/1.1 20")) {
            let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(begun.elapsed() < READY, "{} was not ready within {READY:?}:\n{log}", self.program);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// An answer with its head; `None` when there is none.
    pub(crate) fn ask(&self, method: &str, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect_timeout(&self.address, Duration::from_secs(1)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            self.address
        );
        stream.write_all(head.as_bytes()).ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?;
        Some(String::from_utf8_lossy(&answer).into_owned())
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
