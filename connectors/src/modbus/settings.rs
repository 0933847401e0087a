//! The keys of Modbus links and meters, for each of the three ways: TCP, a serial line, and the serial framing
//! inside a TCP connection.
//!
//! Must never: do I/O, or accept a line that the framing cannot work on.

use std::fmt;
use std::time::Duration;

use model::{Finding, MeterId};
use serde::Deserialize;

use super::line::Pace;
use super::session::Framing;
use crate::keys::{self, invalid};
use crate::wire::{Parity, SerialDial};

/// Modbus TCP, to a meter with its own socket or through a gateway.
pub const TCP: &str = "modbus-tcp";
/// Modbus RTU on a serial line of this machine.
pub const RTU: &str = "modbus-rtu";
/// Modbus RTU frames inside a TCP connection, through a transparent serial server.
pub const RTU_OVER_TCP: &str = "modbus-rtu-over-tcp";
/// The connectors of this module, as settings name them.
pub const NAMES: [&str; 3] = [TCP, RTU, RTU_OVER_TCP];

const COMMON_KEYS: [&str; 3] = ["timeout_ms", "pause_ms", "backoff_max_s"];
const NETWORK_KEYS: [&str; 2] = ["address", "connect_timeout_ms"];
const SERIAL_KEYS: [&str; 4] = ["device", "baud", "parity", "stop_bits"];
const METER_KEYS: &[&str] = &["unit"];

/// How long a device may take to answer one request, where neither the link nor the meter's file says.
pub const TIMEOUT_MS: u64 = 1_000;
const CONNECT_TIMEOUT_MS: u64 = 3_000;
const BACKOFF_MAX_S: u64 = 300;
/// The speed most meters are delivered with.
pub const BAUD: u32 = 9_600;
/// The speed that is assumed behind a serial server, which does not say. Only waits hang on it.
const BAUD_UNKNOWN: u32 = 9_600;

/// By which way the devices of a link are reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// Host and port, for example `10.0.0.5:502`.
    Tcp { address: String },
    /// Host and port of a serial server.
    RtuOverTcp { address: String },
    /// A serial line of this machine.
    Serial(SerialLine),
}

/// A serial line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SerialLine {
    /// The device file, for example `/dev/ttyUSB0`.
    pub device: String,
    /// Bits a second.
    pub baud: u32,
    pub parity: Parity,
    /// 1 or 2.
    pub stop_bits: u8,
}

impl fmt::Display for Way {
    /// As errors and pages name it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { address } => write!(f, "modbus tcp {address}"),
            Self::RtuOverTcp { address } => write!(f, "modbus rtu over tcp {address}"),
            Self::Serial(line) => {
                let parity = match line.parity {
                    Parity::None => 'N',
                    Parity::Even => 'E',
                    Parity::Odd => 'O',
                };
                write!(f, "modbus rtu {} {} 8{parity}{}", line.device, line.baud, line.stop_bits)
            }
        }
    }
}

impl Way {
    /// What is dialled: host and port, or the device file.
    #[must_use]
    pub fn address(&self) -> &str {
        match self {
            Self::Tcp { address } | Self::RtuOverTcp { address } => address,
            Self::Serial(line) => &line.device,
        }
    }

    /// The connector's name in settings.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Tcp { .. } => TCP,
            Self::RtuOverTcp { .. } => RTU_OVER_TCP,
            Self::Serial(_) => RTU,
        }
    }

    pub(super) fn framing(&self) -> Framing {
        match self {
            Self::Tcp { .. } => Framing::Tcp,
            Self::RtuOverTcp { .. } => Framing::Rtu(Pace::of(BAUD_UNKNOWN)),
            Self::Serial(line) => Framing::Rtu(Pace::of(line.baud)),
        }
    }

    /// Whether this is a line on which unit 0 is everybody and 255 nobody.
    const fn is_rtu(&self) -> bool {
        match self {
            Self::Tcp { .. } => false,
            Self::RtuOverTcp { .. } | Self::Serial(_) => true,
        }
    }

    /// Judges it without any I/O.
    fn check(&self) -> Vec<String> {
        match self {
            Self::Tcp { address } | Self::RtuOverTcp { address } => {
                if is_host_and_port(address) {
                    return Vec::new();
                }
                vec![format!("address {address:?} is no host and port; write it like 10.0.0.5:502")]
            }
            Self::Serial(line) => {
                let mut wrong = Vec::new();
                if !line.device.starts_with('/') {
                    wrong.push(format!(
                        "device {:?} is no device file; write it like /dev/ttyUSB0",
                        line.device
                    ));
                }
                if !(1_200..=1_000_000).contains(&line.baud) {
                    wrong.push(format!("baud is {}; use 1200 to 1000000", line.baud));
                }
                if !(1..=2).contains(&line.stop_bits) {
                    wrong.push(format!("stop_bits is {}; use 1 or 2", line.stop_bits));
                }
                wrong
            }
        }
    }
}

/// Settings of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub way: Way,
    /// How long a device may take to answer one request; the longer of this and what the meter's file says.
    pub timeout_ms: Option<u64>,
    /// How long opening the connection may take.
    pub connect_timeout_ms: u64,
    /// Silence between two requests, where the gateway needs more than the meter's file says.
    pub pause_ms: u64,
    /// Longest wait between two attempts at a meter that does not answer.
    pub backoff_max_s: u64,
}

/// Keys that every way has.
#[derive(Debug, Deserialize)]
struct Common {
    timeout_ms: Option<u64>,
    #[serde(default)]
    pause_ms: u64,
    #[serde(default = "default_backoff_max_s")]
    backoff_max_s: u64,
}

#[derive(Debug, Deserialize)]
struct Network {
    address: String,
    #[serde(default = "default_connect_timeout_ms")]
    connect_timeout_ms: u64,
}

#[derive(Debug, Deserialize)]
struct Serial {
    device: String,
    #[serde(default = "default_baud")]
    baud: u32,
    #[serde(default = "default_parity")]
    parity: Parity,
    #[serde(default = "default_stop_bits")]
    stop_bits: u8,
}

const fn default_connect_timeout_ms() -> u64 {
    CONNECT_TIMEOUT_MS
}

const fn default_backoff_max_s() -> u64 {
    BACKOFF_MAX_S
}

const fn default_baud() -> u32 {
    BAUD
}

const fn default_parity() -> Parity {
    Parity::None
}

const fn default_stop_bits() -> u8 {
    1
}

impl Settings {
    /// The settings that a link has when only its way is given.
    #[must_use]
    pub const fn of(way: Way) -> Self {
        Self {
            way,
            timeout_ms: None,
            connect_timeout_ms: CONNECT_TIMEOUT_MS,
            pause_ms: 0,
            backoff_max_s: BACKOFF_MAX_S,
        }
    }

    /// Reads the table of a link whose connector is one of [`NAMES`].
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(id: &str, connector: &str, table: &toml::Table) -> Result<Self, Vec<Finding>> {
        let subject = format!("link:{id}");
        let own: &[&str] = if connector == RTU { &SERIAL_KEYS } else { &NETWORK_KEYS };
        let known: Vec<&str> = own.iter().chain(&COMMON_KEYS).copied().collect();
        let common: Common = keys::read(&subject, table, &known)?;
        let (way, connect_timeout_ms) = if connector == RTU {
            let Serial { device, baud, parity, stop_bits } = keys::read(&subject, table, &known)?;
            (Way::Serial(SerialLine { device, baud, parity, stop_bits }), CONNECT_TIMEOUT_MS)
        } else {
            let Network { address, connect_timeout_ms } = keys::read(&subject, table, &known)?;
            let way =
                if connector == RTU_OVER_TCP { Way::RtuOverTcp { address } } else { Way::Tcp { address } };
            (way, connect_timeout_ms)
        };
        let Common { timeout_ms, pause_ms, backoff_max_s } = common;
        let settings = Self { way, timeout_ms, connect_timeout_ms, pause_ms, backoff_max_s };
        let findings = settings.check(id);
        if findings.is_empty() { Ok(settings) } else { Err(findings) }
    }

    /// Judges the settings without any I/O.
    #[must_use]
    pub fn check(&self, id: &str) -> Vec<Finding> {
        let subject = format!("link:{id}");
        let mut wrong = self.way.check();
        for (key, value, from, to) in [
            ("timeout_ms", self.timeout_ms.unwrap_or(TIMEOUT_MS), 10, 60_000),
            ("connect_timeout_ms", self.connect_timeout_ms, 10, 60_000),
            ("pause_ms", self.pause_ms, 0, 10_000),
            ("backoff_max_s", self.backoff_max_s, 1, 3_600),
        ] {
            if value < from || to < value {
                wrong.push(format!("{key} is {value}; use {from} to {to}"));
            }
        }
        wrong.into_iter().map(|says| invalid(&subject, says)).collect()
    }

    pub(super) fn timeout(&self, of_meter_ms: Option<u16>) -> Duration {
        let of_meter = of_meter_ms.map(u64::from);
        Duration::from_millis(self.timeout_ms.max(of_meter).unwrap_or(TIMEOUT_MS))
    }

    pub(super) fn pause(&self, of_meter_ms: u16) -> Duration {
        Duration::from_millis(self.pause_ms.max(u64::from(of_meter_ms)))
    }

    /// Judges a meter's settings together with the way to it.
    pub(crate) fn check_unit(&self, unit: UnitSettings) -> Result<(), String> {
        if self.way.is_rtu() && matches!(unit.unit, 0 | 255) {
            return Err(format!("unit {} is no device on a serial line; use 1 to 247", unit.unit));
        }
        Ok(())
    }
}

impl SerialLine {
    pub(super) const fn dial(&self) -> SerialDial {
        SerialDial { baud: self.baud, parity: self.parity, stop_bits: self.stop_bits }
    }
}

/// Settings of a meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnitSettings {
    /// Unit id behind the gateway or on the line, 1 to 247; 255 or 0 for a device with its own network socket.
    pub unit: u8,
}

impl UnitSettings {
    /// Reads the connector's keys of a meter.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn parse(meter: &MeterId, table: &toml::Table) -> Result<Self, Vec<Finding>> {
        let subject = format!("meter:{meter}");
        let settings: Self = keys::read(&subject, table, METER_KEYS)?;
        if (248..=254).contains(&settings.unit) {
            let says = format!("unit {} is reserved; use 1 to 247, or 255", settings.unit);
            return Err(vec![invalid(&subject, says)]);
        }
        Ok(settings)
    }
}

/// Whether the text is a host and a port of 1 to 65535.
pub(crate) fn is_host_and_port(address: &str) -> bool {
    let Some((host, port)) = address.rsplit_once(':') else { return false };
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    let host_good = match bare {
        Some(v6) => v6.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.len() <= 253 && host.bytes().all(good),
    };
    host_good && port.parse::<u16>().is_ok_and(|port| port > 0)
}
