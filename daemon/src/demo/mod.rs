//! The demonstration: an invented portfolio whose field is simulated (buildings, weather, meters, a broker) and whose
//! results are not. Its meters are real Modbus TCP servers and MQTT messages on loopback; its past is readings.
//!
//! Must never: hand a result to anyone, read a clock other than the one it is given, or listen beyond loopback.

mod broker;
mod building;
mod calendar;
mod field;
mod history;
mod installation;
mod modbus_server;
mod portfolio;
mod publisher;
mod registers;
#[cfg(test)]
mod tests;
mod weather;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{Datelike, NaiveDate};
use config::meters::Meters;
use model::{Instant, MeterId, ModelId, ProjectId, Reading, Zone};
use profile::Measure;

pub(crate) use broker::Broker;
pub(crate) use field::{Field, FieldPorts, Gateways};
pub(crate) use installation::DemoFiles;

use portfolio::{Calendars, Meter, Portfolio, Way};

/// Why the demonstration cannot be shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    #[error("cannot write {}: check that the folder exists and may be written", path.display())]
    Write {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error(
        "cannot listen on a free port of 127.0.0.1 for the simulated meters: check that the loopback interface is up"
    )]
    Bind {
        #[source]
        cause: io::Error,
    },
    #[error(
        "there is no mosquitto to be the demonstration's MQTT broker: install it with `apt-get install mosquitto`"
    )]
    BrokerMissing,
    #[error("cannot start {}: check that it may be executed", program.display())]
    BrokerSpawn {
        program: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("mosquitto was started but takes no connections: its reason is in {}", log.display())]
    BrokerStart { log: PathBuf },
    #[error(
        "the catalogue has no meter model {model} of the kind that the simulated meter {meter} needs: restore config/catalog/meters"
    )]
    Model { meter: String, model: String },
}

/// The demonstration around one day.
#[derive(Debug)]
pub(crate) struct Demo {
    calendars: Calendars,
    meters: Vec<(MeterId, Meter)>,
    models: Meters,
}

impl Demo {
    /// Lays out the demonstration whose year in progress is that of `today`.
    pub(crate) fn plan(today: NaiveDate, zone: Zone) -> Self {
        let calendars = Calendars { year: today.year(), today, zone };
        let Portfolio { meters } = portfolio::portfolio(calendars);
        let meters = meters.into_iter().filter_map(|m| MeterId::new(m.id).ok().map(|id| (id, m))).collect();
        // The embedded files are proved by their own tests; one that is missing is named by `start_field`.
        let models = config::meters::load_meters(None).unwrap_or_default();
        Self { calendars, meters, models }
    }

    /// Writes the installation file, project files, bills and temperatures, so that the usual commands work on them.
    pub(crate) fn write_files(
        &self,
        dir: &Path,
        ports: &FieldPorts,
        pages: SocketAddr,
    ) -> Result<DemoFiles, DemoError> {
        installation::write(self, dir, ports, pages)
    }

    /// Every reading before `until`, in batches in order of time; the same each time.
    pub(crate) fn history(&self, until: Instant) -> impl Iterator<Item = Vec<Reading>> + use<> {
        history::History::new(&self.meters, &self.registers(), until)
    }

    /// Opens the simulated meters, the broker and the publisher, on free ports of loopback.
    pub(crate) async fn start_field(
        &self,
        dir: &Path,
        clock: Arc<dyn connectors::Clock>,
    ) -> Result<Field, DemoError> {
        field::start(self, dir, Arc::new(move || clock.now())).await
    }

    /// The meters that answer; the broken one does not.
    pub(crate) fn living_meters(&self) -> Vec<MeterId> {
        let lives = |meter: &Meter| match meter.way {
            Way::Modbus { .. } | Way::Mqtt { .. } => true,
            Way::DeadModbus { .. } => false,
        };
        self.meters.iter().filter(|(_, meter)| lives(meter)).map(|(id, _)| id.clone()).collect()
    }

    /// Ports for a demonstration whose field is not started: the discard port for every link.
    pub(crate) fn unopened_ports(&self) -> FieldPorts {
        const DISCARD: u16 = 9;
        let link = |(_, meter): &(MeterId, Meter)| match meter.way {
            Way::Modbus { link, .. } | Way::DeadModbus { link, .. } => Some((link.to_owned(), DISCARD)),
            Way::Mqtt { .. } => None,
        };
        FieldPorts { gateways: self.meters.iter().filter_map(link).collect(), broker: DISCARD }
    }

    /// Opens gateways full of meters of one model, for measurements of the daemon itself.
    pub(crate) async fn start_gateways(
        &self,
        model: &str,
        count: usize,
        units: u8,
        clock: Arc<dyn connectors::Clock>,
    ) -> Result<Gateways, DemoError> {
        let now: registers::Now = Arc::new(move || clock.now());
        field::start_many(self, count, units, model, &now).await
    }

    /// The reports that the demonstration writes: the last whole year, and for the project completed at its end the
    /// year in progress.
    pub(crate) fn report_years(&self) -> Vec<(ProjectId, i32)> {
        installation::PROJECTS
            .iter()
            .filter_map(|p| Some((ProjectId::new(p.id).ok()?, self.calendars.year + p.report_year)))
            .collect()
    }

    /// The measure of the total of every meter that is read by registers.
    fn registers(&self) -> BTreeMap<MeterId, Measure> {
        let measure = |meter: &Meter| {
            let (Way::Modbus { model, .. } | Way::DeadModbus { model, .. } | Way::Mqtt { model }) = meter.way;
            let model = self.models.get(&ModelId::new(model).ok()?)?;
            model.registers()?.measures.iter().find(|m| m.channel == meter.channel()).cloned()
        };
        self.meters.iter().filter_map(|(id, meter)| Some((id.clone(), measure(meter)?))).collect()
    }
}
