//! A Mosquitto of one test, and a publisher that knows which of its messages the broker took.
//!
//! Must never: share a broker between tests, or count a message as taken before its PUBACK.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::daemon::free_address;
use crate::wait;

/// Longest from start to the first connection.
const READY: Duration = Duration::from_secs(10);
/// Longest wait for one acknowledgement.
const ACKNOWLEDGED: Duration = Duration::from_secs(10);

/// A broker with its own folder and port. Killed when dropped.
#[derive(Debug)]
pub struct Broker {
    child: Child,
    pub address: SocketAddr,
    log: PathBuf,
}

impl Broker {
    /// Starts on a free port; keeps its state in `folder`.
    ///
    /// # Panics
    /// When Mosquitto is not installed or does not come up.
    #[must_use]
    pub fn start(folder: &Path) -> Self {
        Self::start_at(folder, free_address())
    }

    /// The same at a given address.
    #[must_use]
    pub fn start_at(folder: &Path, address: SocketAddr) -> Self {
        Self::start_with(
            folder,
            address,
            &format!("listener {} 127.0.0.1\nallow_anonymous true\n", address.port()),
        )
    }

    /// The same with settings of one's own for listeners and access.
    ///
    /// # Panics
    /// When Mosquitto is not installed or does not come up.
    #[must_use]
    pub fn start_with(folder: &Path, address: SocketAddr, access: &str) -> Self {
        let log = folder.join("mosquitto.log");
        let settings = folder.join("mosquitto.conf");
        // No bound on what waits for a session that is away: the default of 1000 would drop messages that the
        // publisher has an acknowledgement for, and the broker's loss would look like ours.
        let text = format!(
            "{access}user root\npersistence true\npersistence_location {}/\n\
             max_queued_messages 0\nmax_inflight_messages 0\nlog_dest file {}\nlog_type all\n",
            folder.display(),
            log.display()
        );
        std::fs::write(&settings, text).expect("the broker's settings can be written");
        let program = ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"];
        let program = program.into_iter().find(|p| Path::new(p).exists()).unwrap_or("mosquitto");
        let child = Command::new(program)
            .arg("-c")
            .arg(&settings)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|e| panic!("{program} cannot be started ({e}); `make test` installs it"));
        let broker = Self { child, address, log };
        wait::until("the broker's port", READY, || {
            TcpStream::connect(address).map_err(|e| format!("{e}; log: {}", broker.log()))
        });
        broker
    }

    /// What Mosquitto has logged.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// SIGTERM: what waits for its clients is written to the folder, and is there when it is started again.
    ///
    /// # Panics
    /// When it does not end.
    pub fn stop(mut self) {
        let told = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        assert!(told.is_ok_and(|s| s.success()), "SIGTERM could not be sent");
        drop(self.child.wait());
    }

    /// Waits until a client has subscribed; from then on the broker keeps messages for its session.
    pub fn await_subscriber(&self) {
        self.await_subscriptions(1);
    }

    /// Waits until there have been so many subscriptions since the log began.
    pub fn await_subscriptions(&self, count: usize) {
        wait::until("a subscription", READY, || {
            let log = self.log();
            if log.matches("Received SUBSCRIBE from").count() >= count { Ok(()) } else { Err(log) }
        });
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// An MQTT 3.1.1 publisher, QoS 1, one message in flight.
#[derive(Debug)]
pub struct Publisher {
    stream: TcpStream,
    packet: u16,
}

impl Publisher {
    /// Connects with a clean session.
    ///
    /// # Errors
    /// When the broker does not accept.
    pub fn connect(address: SocketAddr, client: &str) -> std::io::Result<Self> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ACKNOWLEDGED))?;
        let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', 4, 0b10, 0, 0];
        push_text(&mut body, client);
        send(&mut stream, 0x10, &body)?;
        let mut answer = [0_u8; 4];
        stream.read_exact(&mut answer)?;
        if answer != [0x20, 2, 0, 0] {
            return Err(std::io::Error::other(format!("the broker refused the connection: {answer:?}")));
        }
        Ok(Self { stream, packet: 0 })
    }

    /// Publishes at QoS 1 and returns when the broker has acknowledged it.
    ///
    /// # Errors
    /// When the acknowledgement does not come: then the broker may have the message or not.
    pub fn publish(&mut self, topic: &str, payload: &[u8], retain: Retain) -> std::io::Result<()> {
        self.packet = if self.packet == u16::MAX { 1 } else { self.packet + 1 };
        let mut body = Vec::with_capacity(topic.len() + payload.len() + 4);
        push_text(&mut body, topic);
        body.extend(self.packet.to_be_bytes());
        body.extend(payload);
        let first = match retain {
            Retain::No => 0x32,
            Retain::Yes => 0x33,
        };
        send(&mut self.stream, first, &body)?;
        let mut answer = [0_u8; 4];
        self.stream.read_exact(&mut answer)?;
        let [high, low] = self.packet.to_be_bytes();
        if answer == [0x40, 2, high, low] {
            Ok(())
        } else {
            Err(std::io::Error::other(format!("not the acknowledgement of {}: {answer:?}", self.packet)))
        }
    }
}

/// Whether the broker gives the message to whoever subscribes later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retain {
    No,
    Yes,
}

fn push_text(body: &mut Vec<u8>, text: &str) {
    body.extend(u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes());
    body.extend(text.as_bytes());
}

fn send(stream: &mut TcpStream, first: u8, body: &[u8]) -> std::io::Result<()> {
    let mut packet = vec![first];
    let mut length = body.len();
    // Variable length, seven bits a byte (MQTT 3.1.1, 2.2.3).
    loop {
        let low = u8::try_from(length % 128).unwrap_or_default();
        length /= 128;
        packet.push(if length == 0 { low } else { low | 0x80 });
        if length == 0 {
            break;
        }
    }
    packet.extend(body);
    stream.write_all(&packet)
}
