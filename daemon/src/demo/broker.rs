//! The demonstration's MQTT broker: a Mosquitto of its own, on loopback, that ends with the demonstration.
//!
//! Must never: listen beyond loopback, keep secrets, or touch a broker that it did not start.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

use super::DemoError;

/// How long the broker may take to open its port.
const READY_TRIES_MAX: u32 = 100;
const READY_PAUSE: Duration = Duration::from_millis(50);
/// Free ports tried, should another process take one between our look and the broker's start.
const PORTS_TRIED_MAX: u32 = 5;
/// Debian installs the broker in a folder that only root has on its path.
const PLACES: [&str; 3] = ["mosquitto", "/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"];

/// A running Mosquitto; killed when dropped.
#[derive(Debug)]
pub(crate) struct Broker {
    pub(crate) address: SocketAddr,
    child: Child,
}

impl Broker {
    /// Writes a configuration into `dir`, starts the broker and waits until it takes connections.
    pub(crate) async fn start(dir: &Path) -> Result<Self, DemoError> {
        for _ in 0..PORTS_TRIED_MAX {
            let address = free_address().await.map_err(|cause| DemoError::Bind { cause })?;
            if let Some(broker) = Self::start_at(dir, address).await? {
                return Ok(broker);
            }
        }
        Err(DemoError::BrokerStart { log: dir.join("mosquitto.log") })
    }

    /// `None` when the broker ended by itself, as it does when the port is taken.
    async fn start_at(dir: &Path, address: SocketAddr) -> Result<Option<Self>, DemoError> {
        let config = dir.join("mosquitto.conf");
        let log = dir.join("mosquitto.log");
        std::fs::write(&config, configuration(address))
            .map_err(|cause| DemoError::Write { path: config.clone(), cause })?;
        let child = spawn(&config, &log)?;
        let mut broker = Self { address, child };
        for _ in 0..READY_TRIES_MAX {
            if broker.child.try_wait().ok().flatten().is_some() {
                return Ok(None);
            }
            if TcpStream::connect(address).await.is_ok() {
                return Ok(Some(broker));
            }
            tokio::time::sleep(READY_PAUSE).await;
        }
        Err(DemoError::BrokerStart { log })
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // It may have ended by itself; either way it must be reaped.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn spawn(config: &Path, log: &Path) -> Result<Child, DemoError> {
    let output = std::fs::File::create(log)
        .and_then(|file| Ok((file.try_clone()?, file)))
        .map_err(|cause| DemoError::Write { path: log.to_owned(), cause })?;
    let (out, err) = output;
    let command_of = |program: &str| {
        let mut command = Command::new(program);
        command.arg("-c").arg(config).stdin(Stdio::null());
        if let (Ok(out), Ok(err)) = (out.try_clone(), err.try_clone()) {
            command.stdout(out).stderr(err);
        }
        command.spawn()
    };
    for program in PLACES {
        match command_of(program) {
            Ok(child) => return Ok(child),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
            Err(cause) => return Err(DemoError::BrokerSpawn { program: PathBuf::from(program), cause }),
        }
    }
    Err(DemoError::BrokerMissing)
}

async fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?.local_addr()
}

/// Everything the broker needs to know; whoever reaches loopback may speak, nobody else can reach it.
fn configuration(address: SocketAddr) -> String {
    format!(
        "# Written by the demonstration at each start.\n\
         listener {} {}\n\
         allow_anonymous true\n\
         persistence false\n\
         log_dest stderr\n\
         log_type error\n\
         log_type warning\n",
        address.port(),
        address.ip()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_broker_listens_on_loopback_only() {
        let text = configuration(SocketAddr::from((Ipv4Addr::LOCALHOST, 18_830)));
        let listeners: Vec<&str> = text.lines().filter(|line| line.starts_with("listener")).collect();
        assert_eq!(listeners, ["listener 18830 127.0.0.1"]);
    }

    #[test]
    fn a_missing_broker_says_how_to_install_it() {
        assert!(DemoError::BrokerMissing.to_string().contains("apt-get install mosquitto"));
    }
}
