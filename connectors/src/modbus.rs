//! Modbus TCP: settings, and the link that reads every unit behind one address over one connection.
//!
//! Must never: send anything but functions 3 and 4, or let one dead meter delay another link.

mod run;
mod session;
mod sweep;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use model::{Finding, MeterId};
use profile::{Block, RegisterModel};
use serde::Deserialize;

use crate::error::LinkError;
use crate::inbox::{Clock, Inbox, Stop};
use crate::keys::{self, invalid};
use crate::link::{MeterSpec, Probe, ProbeLine};
use crate::wire::{Dial, TcpDial};

/// The connector's name in settings.
pub const NAME: &str = "modbus-tcp";

const LINK_KEYS: &[&str] = &["address", "timeout_ms", "connect_timeout_ms", "pause_ms", "backoff_max_s"];
const METER_KEYS: &[&str] = &["unit"];

/// Settings of a link.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Host and port, for example `10.0.0.5:502`.
    pub address: String,
    /// How long a device may take to answer one request.
    #[serde(default = "default_timeout_ms")]
    pub timeout_ms: u64,
    /// How long opening the connection may take.
    #[serde(default = "default_connect_timeout_ms")]
    pub connect_timeout_ms: u64,
    /// Silence between two requests, where the gateway needs more than the meter's file says.
    #[serde(default)]
    pub pause_ms: u64,
    /// Longest wait between two attempts at a meter that does not answer.
    #[serde(default = "default_backoff_max_s")]
    pub backoff_max_s: u64,
}

const fn default_timeout_ms() -> u64 {
    1_000
}

const fn default_connect_timeout_ms() -> u64 {
    3_000
}

const fn default_backoff_max_s() -> u64 {
    300
}

/// Settings of a meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnitSettings {
    /// Unit id behind the gateway, 1 to 247; 255 or 0 for a device with its own network socket.
    pub unit: u8,
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
        if !is_host_and_port(&self.address) {
            let says = format!("address {:?} is no host and port; write it like 10.0.0.5:502", self.address);
            findings.push(invalid(&subject, says));
        }
        for (key, value, from, to) in [
            ("timeout_ms", self.timeout_ms, 10, 60_000),
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

/// One meter behind the address.
#[derive(Debug, Clone)]
pub struct Unit {
    meter: MeterId,
    unit: u8,
    every: Duration,
    model: Arc<profile::MeterModel>,
    plan: Vec<Block>,
}

impl Unit {
    /// `None` when the model has no registers.
    #[must_use]
    pub fn new(spec: &MeterSpec, settings: UnitSettings) -> Option<Self> {
        let plan = spec.model.registers()?.plan();
        let every = Duration::from_secs(u64::from(spec.every_s.max(1)));
        Some(Self {
            meter: spec.id.clone(),
            unit: settings.unit,
            every,
            model: Arc::clone(&spec.model),
            plan,
        })
    }

    fn registers(&self) -> Option<&RegisterModel> {
        self.model.registers()
    }
}

/// Every meter behind one address.
#[derive(Debug)]
pub struct Modbus {
    id: String,
    settings: Settings,
    units: Vec<Unit>,
    dial: Arc<dyn Dial>,
}

impl Modbus {
    /// A link over TCP.
    #[must_use]
    pub fn new(id: String, settings: Settings, units: Vec<Unit>) -> Self {
        Self::over(id, settings, units, Arc::new(TcpDial))
    }

    /// A link over another way of opening connections.
    #[must_use]
    pub fn over(id: String, settings: Settings, units: Vec<Unit>, dial: Arc<dyn Dial>) -> Self {
        Self { id, settings, units, dial }
    }

    pub(crate) fn meters(&self) -> impl Iterator<Item = &MeterId> {
        self.units.iter().map(|unit| &unit.meter)
    }

    /// Reads all units on their schedule until told to stop. Never ends by itself.
    pub async fn run(self, inbox: Arc<dyn Inbox>, clock: Arc<dyn Clock>, stop: Stop) {
        run::run(self, inbox, clock, stop).await;
    }

    /// Reads one meter once and shows what it said, word for word.
    ///
    /// # Errors
    /// Why the meter gave nothing.
    pub async fn probe(&self, meter: &MeterId, clock: &dyn Clock) -> Result<Probe, LinkError> {
        let unit = self.units.iter().find(|u| u.meter == *meter);
        let unit =
            unit.ok_or_else(|| LinkError::NoSuchMeter { link: self.id.clone(), meter: meter.clone() })?;
        let begun = tokio::time::Instant::now();
        let mut bus = sweep::Bus::new(&self.settings, Arc::clone(&self.dial));
        bus.connect().await?;
        let mut swept = bus.sweep(unit, clock).await;
        let took = begun.elapsed();
        if let Some(error) = swept.failure {
            return Err(error);
        }
        if swept.values.is_empty() && !swept.refusals.is_empty() {
            return Err(swept.refusals.swap_remove(0));
        }
        let lines = swept.values.iter().zip(&swept.raw);
        Ok(Probe {
            meter: meter.clone(),
            at: format!("modbus tcp {}, unit {}", self.settings.address, unit.unit),
            took,
            lines: lines.map(|((channel, decoded), raw)| ProbeLine::new(*channel, raw, *decoded)).collect(),
            notes: swept.refusals.iter().map(LinkError::chain).collect(),
        })
    }
}
