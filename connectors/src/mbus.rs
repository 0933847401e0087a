//! Wired M-Bus (EN 13757-2, -3) through a level converter on TCP or a serial line: settings, and the link that
//! reads every meter of one bus.
//!
//! Must never: write to a meter, or read a meter that lives on a battery more often than it is told.

mod address;
mod fault;
mod reading;
mod run;
mod session;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use model::{Finding, MeterId, Severity};
use serde::Deserialize;

pub use address::{Address, PRIMARY_MAX, Secondary};
pub use fault::{MBusError, MBusTarget};

use crate::error::LinkError;
use crate::inbox::{Clock, Inbox, Stop};
use crate::keys::{self, Wrong, invalid, unusable};
use crate::link::{MeterSpec, Probe, ProbeLine};
use crate::modbus::is_host_and_port;
use crate::wire::{Dial, Parity, SerialDial, TcpDial};

/// The connector's name in settings.
pub const NAME: &str = "mbus";

/// Period in seconds below which readings shorten the life of a battery noticeably: makers count on a few dozen a
/// day.
pub const BATTERY_PERIOD_SECONDS_MIN: u32 = 900;

const LINK_KEYS: &[&str] =
    &["address", "device", "baud", "timeout_ms", "connect_timeout_ms", "pause_ms", "backoff_max_s"];
const METER_KEYS: &[&str] = &["primary", "secondary", "maker", "medium", "mains"];
/// Speeds of EN 13757-2.
const BAUDS: [u32; 8] = [300, 600, 1_200, 2_400, 4_800, 9_600, 19_200, 38_400];

/// Settings of a link.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Host and port of a level converter on the network, for example `10.0.0.7:10001`.
    pub address: Option<String>,
    /// Device file of a level converter on a serial line, for example `/dev/ttyUSB0`.
    pub device: Option<String>,
    /// Speed of the serial line, always with eight bits, even parity and one stop bit.
    #[serde(default = "default_baud")]
    pub baud: u32,
    /// How long a meter may take to begin its answer, and to go on with it.
    #[serde(default = "default_timeout_ms")]
    pub timeout_ms: u64,
    /// How long opening the connection may take.
    #[serde(default = "default_connect_timeout_ms")]
    pub connect_timeout_ms: u64,
    /// Silence of the bus between an answer and the next request.
    #[serde(default = "default_pause_ms")]
    pub pause_ms: u64,
    /// Longest wait between two attempts at a meter that does not answer.
    #[serde(default = "default_backoff_max_s")]
    pub backoff_max_s: u64,
}

const fn default_baud() -> u32 {
    2_400
}

const fn default_timeout_ms() -> u64 {
    1_000
}

const fn default_connect_timeout_ms() -> u64 {
    3_000
}

const fn default_pause_ms() -> u64 {
    50
}

const fn default_backoff_max_s() -> u64 {
    300
}

/// Settings of a meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlaveSettings {
    pub address: Address,
    /// The meter has a supply of its own although its kind usually lives on a battery.
    pub mains: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SlaveForm {
    primary: Option<u8>,
    secondary: Option<String>,
    maker: Option<String>,
    medium: Option<u8>,
    #[serde(default)]
    mains: bool,
}

impl Settings {
    /// Reads the table of a link.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(id: &str, table: &toml::Table) -> Result<Self, Vec<Finding>> {
        let settings: Self = keys::read(&format!("link:{id}"), table, LINK_KEYS)?;
        let findings = settings.check(id);
        if findings.is_empty() { Ok(settings) } else { Err(findings) }
    }

    /// Judges the settings without any I/O.
    #[must_use]
    pub fn check(&self, id: &str) -> Vec<Finding> {
        let subject = format!("link:{id}");
        let mut findings = Vec::new();
        match (&self.address, &self.device) {
            (Some(address), None) if is_host_and_port(address) => {}
            (Some(address), None) => {
                let says = format!("address {address:?} is no host and port; write it like 10.0.0.7:10001");
                findings.push(invalid(&subject, says));
            }
            (None, Some(device)) if device.starts_with('/') => {}
            (None, Some(device)) => {
                let says = format!("device {device:?} is no path; write it like /dev/ttyUSB0");
                findings.push(invalid(&subject, says));
            }
            (Some(_), Some(_)) | (None, None) => {
                let says =
                    "give either `address` (a converter on the network) or `device` (on a serial line)";
                findings.push(invalid(&subject, says));
            }
        }
        if !BAUDS.contains(&self.baud) {
            let all = BAUDS.map(|baud| baud.to_string()).join(", ");
            findings.push(invalid(&subject, format!("baud is {}; use one of {all}", self.baud)));
        }
        for (key, value, from, to) in [
            ("timeout_ms", self.timeout_ms, 100, 60_000),
            ("connect_timeout_ms", self.connect_timeout_ms, 10, 60_000),
            ("pause_ms", self.pause_ms, 0, 10_000),
            ("backoff_max_s", self.backoff_max_s, 1, 3_600),
        ] {
            if value < from || to < value {
                findings.push(invalid(&subject, format!("{key} is {value}; use {from} to {to}")));
            }
        }
        findings
    }

    /// Where the level converter is.
    pub(crate) fn place(&self) -> &str {
        self.address.as_deref().or(self.device.as_deref()).unwrap_or_default()
    }

    fn dial(&self) -> Arc<dyn Dial> {
        match &self.device {
            None => Arc::new(TcpDial),
            Some(_) => Arc::new(SerialDial { baud: self.baud, parity: Parity::Even, stop_bits: 1 }),
        }
    }
}

impl SlaveSettings {
    /// Reads the connector's keys of a meter.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn parse(meter: &MeterId, table: &toml::Table) -> Result<Self, Vec<Finding>> {
        let subject = format!("meter:{meter}");
        let form: SlaveForm = keys::read(&subject, table, METER_KEYS)?;
        let bad = |says: String| Err(vec![invalid(&subject, says)]);
        let address = match (form.primary, &form.secondary) {
            (Some(primary), None) if form.maker.is_some() || form.medium.is_some() => {
                return bad(format!(
                    "maker and medium belong to `secondary`; primary {primary} needs neither"
                ));
            }
            (Some(primary), None) if primary <= PRIMARY_MAX => Address::Primary(primary),
            (Some(primary), None) => {
                return bad(format!(
                    "primary is {primary}; use 1 to {PRIMARY_MAX}, or 0 for a meter never set"
                ));
            }
            (None, Some(number)) => match Secondary::parse(number, form.maker.as_deref(), form.medium) {
                Some(secondary) => Address::Secondary(secondary),
                None => {
                    return bad(format!(
                        "secondary {number:?} cannot be used; write the eight digits of the meter, ? for any digit, and `maker` as three capitals"
                    ));
                }
            },
            (Some(_), Some(_)) | (None, None) => {
                return bad("give either `primary` or `secondary`".to_owned());
            }
        };
        Ok(Self { address, mains: form.mains })
    }
}

/// One meter of the bus.
#[derive(Debug, Clone)]
pub struct Slave {
    meter: MeterId,
    address: Address,
    every: Duration,
    model: Arc<profile::MeterModel>,
}

impl Slave {
    /// `None` when the model has no telegrams.
    #[must_use]
    pub fn new(spec: &MeterSpec, settings: SlaveSettings) -> Option<Self> {
        spec.model.mbus()?;
        let every = Duration::from_secs(u64::from(spec.every_s.max(1)));
        Some(Self {
            meter: spec.id.clone(),
            address: settings.address,
            every,
            model: Arc::clone(&spec.model),
        })
    }
}

/// The meters of a link among `meters`; what cannot be used is left out and told.
pub(crate) fn slaves(meters: &[&MeterSpec], findings: &mut Vec<Finding>) -> Vec<Slave> {
    let mut slaves: Vec<Slave> = Vec::new();
    for meter in meters {
        let subject = format!("meter:{}", meter.id);
        let settings = match SlaveSettings::parse(&meter.id, &meter.table) {
            Ok(settings) => settings,
            Err(errors) => {
                findings.extend(errors);
                continue;
            }
        };
        if let Some(other) = slaves.iter().find(|s| s.address.meets(&settings.address)) {
            let says = format!(
                "meter `{}` would answer to {} as well; give each an address of its own",
                other.meter, settings.address
            );
            findings.push(unusable(&subject, Wrong::Shared, says));
            continue;
        }
        let Some(slave) = Slave::new(meter, settings) else {
            findings.push(crate::link::wrong_model(meter, NAME));
            continue;
        };
        let battery = meter.model.mbus().is_some_and(|m| m.battery) && !settings.mains;
        if battery && meter.every_s < BATTERY_PERIOD_SECONDS_MIN {
            let says = format!(
                "every_s is {}: reading this often empties the meter's battery; use {BATTERY_PERIOD_SECONDS_MIN} or more, or write `mains = true` if it has a supply",
                meter.every_s
            );
            findings.push(
                Finding::new("settings.battery.often", Severity::Caution, subject, says, "")
                    .with("every_s", meter.every_s)
                    .with("least_s", BATTERY_PERIOD_SECONDS_MIN),
            );
        }
        slaves.push(slave);
    }
    slaves
}

/// Every meter of one bus.
#[derive(Debug)]
pub struct MBus {
    id: String,
    settings: Settings,
    slaves: Vec<Slave>,
    dial: Arc<dyn Dial>,
}

impl MBus {
    /// A link over TCP or a serial line, as its settings say.
    #[must_use]
    pub fn new(id: String, settings: Settings, slaves: Vec<Slave>) -> Self {
        let dial = settings.dial();
        Self::over(id, settings, slaves, dial)
    }

    /// A link over another way of opening connections.
    #[must_use]
    pub fn over(id: String, settings: Settings, slaves: Vec<Slave>, dial: Arc<dyn Dial>) -> Self {
        Self { id, settings, slaves, dial }
    }

    pub(crate) fn meters(&self) -> impl Iterator<Item = &MeterId> {
        self.slaves.iter().map(|slave| &slave.meter)
    }

    /// Reads all meters on their schedule until told to stop. Never ends by itself.
    pub async fn run(self, inbox: Arc<dyn Inbox>, clock: Arc<dyn Clock>, stop: Stop) {
        run::run(self, inbox, clock, stop).await;
    }

    /// Reads one meter once and shows what it said.
    ///
    /// # Errors
    /// Why the meter gave nothing.
    pub async fn probe(&self, meter: &MeterId, clock: &dyn Clock) -> Result<Probe, LinkError> {
        let slave = self.slaves.iter().find(|s| s.meter == *meter);
        let slave =
            slave.ok_or_else(|| LinkError::NoSuchMeter { link: self.id.clone(), meter: meter.clone() })?;
        let begun = tokio::time::Instant::now();
        let mut bus = reading::Bus::new(&self.settings, Arc::clone(&self.dial));
        bus.connect().await?;
        let read = bus.read(slave, clock).await?;
        let took = begun.elapsed();
        let mut notes = vec![format!("answers as {}", read.identity)];
        if read.power_low {
            notes.push("the meter says that its battery is low".to_owned());
        }
        if read.unreadable {
            notes.push("the end of its telegram could not be read".to_owned());
        }
        notes.extend(read.values.iter().filter(|p| p.ambiguous).map(|p| ambiguous(&p.channel)));
        let lines = read.values.iter();
        Ok(Probe {
            meter: meter.clone(),
            at: format!("m-bus {}, {}", self.settings.place(), slave.address),
            took,
            lines: lines.map(|p| ProbeLine::new(p.channel, &session::hex(&p.raw), p.decoded)).collect(),
            texts: Vec::new(),
            notes,
        })
    }
}

fn ambiguous(channel: &model::Channel) -> String {
    format!("several records could be {channel} and differ, so none was taken; the model does not fit")
}
