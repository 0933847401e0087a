//! Modbus servers that this project did not write, as processes of one test.
//!
//! Must never: be shared between tests, or outlive them.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The repository's folder.
fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).to_owned()
}

/// A Modbus server of `tests/field`, one of those written by others. Killed when dropped.
#[derive(Debug)]
pub struct FieldServer {
    child: Child,
    /// What it said once it listened: its port, or the device file of its serial line.
    pub said: String,
}

impl FieldServer {
    /// Starts `script` with `way` (`tcp:0`, `rtu-tcp:0`, `serial`) and register maps of `tests/field`, and returns once
    /// it listens.
    ///
    /// # Panics
    /// When its packages are not installed or it does not come up.
    #[must_use]
    pub fn start(script: &str, way: &str, maps: &[&str]) -> Self {
        let root = root();
        let python = root.join("target/venv/bin/python");
        let field = root.join("tests/field");
        let mut child = Command::new(&python)
            .arg(field.join(script))
            .arg(way)
            .args(maps.iter().map(|map| field.join(map)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| {
                panic!("{} cannot be started ({e}); `make test` installs it", python.display())
            });
        let out = child.stdout.take().expect("its output is a pipe");
        let mut line = String::new();
        // Ends with an empty line when the process dies.
        BufReader::new(out).read_line(&mut line).expect("its output can be read");
        let said = line.trim().to_owned();
        assert!(!said.is_empty(), "{script} {way} did not come up");
        Self { child, said }
    }

    /// Its address on loopback.
    ///
    /// # Panics
    /// When it serves a serial line.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        let port: u16 = self.said.parse().unwrap_or_else(|_| panic!("it said {:?}, not its port", self.said));
        SocketAddr::from((Ipv4Addr::LOCALHOST, port))
    }
}

impl Drop for FieldServer {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A pymodbus server for Modbus TCP. Killed when dropped.
#[derive(Debug)]
pub struct Pymodbus {
    _server: FieldServer,
    pub address: SocketAddr,
}

impl Pymodbus {
    /// Starts it on `port`, 0 for any free one, and returns once it listens.
    #[must_use]
    pub fn start(port: u16, maps: &[&str]) -> Self {
        let server = FieldServer::start("pymodbus_server.py", &format!("tcp:{port}"), maps);
        let address = server.address();
        Self { _server: server, address }
    }
}
