//! Modbus over TCP, on a serial line, and with serial frames inside TCP: the link that reads every unit behind one
//! address or on one line.
//!
//! Must never: send anything but functions 1 to 4 and 43, or let one dead meter delay another link.

mod ask;
#[cfg(test)]
mod bus_sim;
#[cfg(test)]
mod bus_tests;
mod chain;
mod line;
#[cfg(test)]
mod line_tests;
mod narrow;
mod outbox;
mod owed;
mod rtu;
mod run;
pub mod scan;
mod session;
mod settings;
mod sweep;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use model::MeterId;

pub(crate) use self::settings::is_host_and_port;
pub use self::settings::{
    BAUD, NAMES, RTU, RTU_OVER_TCP, SerialLine, Settings, TCP, TIMEOUT_MS, UnitSettings, Way,
};
use crate::error::LinkError;
use crate::inbox::{Clock, Inbox, Stop};
use crate::link::{MeterSpec, Probe, ProbeLine};
use crate::wire::{Dial, TcpDial};

/// One meter behind the address.
#[derive(Debug, Clone)]
pub struct Unit {
    meter: MeterId,
    unit: u8,
    every: Duration,
    model: Arc<profile::MeterModel>,
    map: chain::Map,
}

impl Unit {
    /// `None` when the model has no registers.
    #[must_use]
    pub fn new(spec: &MeterSpec, settings: UnitSettings) -> Option<Self> {
        let map = chain::Map::of(spec.model.registers()?);
        let every = Duration::from_secs(u64::from(spec.every_s.max(1)));
        Some(Self { meter: spec.id.clone(), unit: settings.unit, every, model: Arc::clone(&spec.model), map })
    }

    /// Forgets what was learned of the device: another one may stand in its place.
    fn relearn(&mut self) {
        if let Some(registers) = self.model.registers() {
            self.map = chain::Map::of(registers);
        }
    }
}

/// Every meter behind one address or on one line.
#[derive(Debug)]
pub struct Modbus {
    id: String,
    settings: Settings,
    units: Vec<Unit>,
    dial: Arc<dyn Dial>,
}

impl Modbus {
    /// A link by the way that its settings say.
    #[must_use]
    pub fn new(id: String, settings: Settings, units: Vec<Unit>) -> Self {
        let dial = dial(&settings.way);
        Self::over(id, settings, units, dial)
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
        let (mut bus, unit, mut probe) = self.values(meter, clock).await?;
        probe.texts = bus.texts(&unit).await;
        Ok(probe)
    }

    /// As [`Self::probe`], without asking what the device says of itself: that does not change from one round to the next.
    ///
    /// # Errors
    /// Why the meter gave nothing.
    pub async fn probe_again(&self, meter: &MeterId, clock: &dyn Clock) -> Result<Probe, LinkError> {
        self.values(meter, clock).await.map(|(.., probe)| probe)
    }

    /// What the meter measures, with the session and the unit as they are then.
    async fn values(
        &self,
        meter: &MeterId,
        clock: &dyn Clock,
    ) -> Result<(sweep::Bus, Unit, Probe), LinkError> {
        let unit = self.units.iter().find(|u| u.meter == *meter);
        let mut unit = unit
            .ok_or_else(|| LinkError::NoSuchMeter { link: self.id.clone(), meter: meter.clone() })?
            .clone();
        let mut bus = sweep::Bus::new(&self.settings, Arc::clone(&self.dial));
        bus.connect().await?;
        let begun = tokio::time::Instant::now();
        let mut swept = bus.sweep(&mut unit, clock).await;
        let took = begun.elapsed();
        if let Some(error) = swept.failure {
            return Err(error);
        }
        if swept.values.is_empty() && !swept.refusals.is_empty() {
            return Err(swept.refusals.swap_remove(0));
        }
        let lines = swept.values.iter().zip(&swept.raw);
        let narrowed = swept.narrowed.iter().map(|narrowed| narrowed.says(&unit.model.id));
        let probe = Probe {
            meter: meter.clone(),
            at: format!("{}, unit {}", self.settings.way, unit.unit),
            took,
            lines: lines.map(|((channel, decoded), raw)| ProbeLine::new(*channel, raw, *decoded)).collect(),
            texts: Vec::new(),
            notes: swept.refusals.iter().map(LinkError::chain).chain(narrowed).collect(),
        };
        Ok((bus, unit, probe))
    }
}

fn dial(way: &Way) -> Arc<dyn Dial> {
    match way {
        Way::Tcp { .. } | Way::RtuOverTcp { .. } => Arc::new(TcpDial),
        Way::Serial(line) => Arc::new(line.dial()),
    }
}
