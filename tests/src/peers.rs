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

/// A pymodbus server that holds register maps of `tests/field`. Killed when dropped.
#[derive(Debug)]
pub struct Pymodbus {
    child: Child,
    pub address: SocketAddr,
}

impl Pymodbus {
    /// Starts it on `port`, 0 for any free one, and returns once it listens.
    ///
    /// # Panics
    /// When pymodbus is not installed or does not come up.
    #[must_use]
    pub fn start(port: u16, maps: &[&str]) -> Self {
        let root = root();
        let python = root.join("target/venv/bin/python");
        let field = root.join("tests/field");
        let mut child = Command::new(&python)
            .arg(field.join("pymodbus_server.py"))
            .arg(port.to_string())
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
        let port: u16 =
            line.trim().parse().unwrap_or_else(|_| panic!("pymodbus said {line:?}, not its port"));
        Self { child, address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)) }
    }
}

impl Drop for Pymodbus {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
