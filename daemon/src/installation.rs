//! The installation as its files say: settings, catalogue, meter models, and the links made of them.
//!
//! Must never: touch the network.

use std::path::Path;
use std::sync::Arc;

use analytics::series::SeriesSettings;
use config::meters::Meters;
use config::{Catalog, MeterSettings, Settings};
use connectors::{Link, LinkSpec, MeterSpec};
use model::{Finding, MeterFacts, MeterId, Project, Severity};
use store::{Store, StoreOptions};

use crate::exit::{Exit, Failure};

/// The period assumed for meters that this installation does not read itself: a quarter of an hour, the step of
/// distributors' load profiles.
const EVERY_SECONDS_UNREAD: u32 = 900;

/// Everything read from files, checked against each other.
#[derive(Debug)]
pub(crate) struct Installation {
    pub(crate) settings: Settings,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) models: Meters,
    /// What a person should look at although the files can be used.
    pub(crate) findings: Vec<Finding>,
}

impl Installation {
    /// Reads the installation file and the catalogue. Links are judged by [`Self::links`].
    pub(crate) fn load(path: &Path) -> Result<Self, Failure> {
        let bad = |error: config::ConfigError| Failure::new(Exit::BAD_INPUT, error);
        let (settings, findings) = config::load(path).map_err(bad)?;
        let catalog = Catalog::load(settings.installation.catalog_dir.as_deref()).map_err(bad)?;
        let catalog_dir = settings.installation.catalog_dir.as_deref();
        let models = config::meters::load_meters(catalog_dir).map_err(|errors| {
            let lines: Vec<String> = errors.iter().map(|error| format!("  {error}")).collect();
            Failure::bad_input(format!("the catalogue of meters cannot be used:\n{}", lines.join("\n")))
        })?;
        let mut known: Vec<&str> = models.iter().map(|model| model.id.as_str()).collect();
        known.extend(
            settings
                .meters
                .iter()
                .map(|m| &m.model)
                .filter(|id| models.get(id).is_some())
                .map(|id| id.as_str()),
        );
        let mut problems = settings.unknown_models(&known);
        problems.extend(settings.pulse_problems(&models));
        if !problems.is_empty() {
            return Err(bad(config::ConfigError::Problems { path: path.to_owned(), problems }));
        }
        Ok(Self { settings, catalog: Arc::new(catalog), models, findings })
    }

    /// The links with their meters, ready to run, and what is wrong with the others.
    pub(crate) fn links(&self) -> (Vec<Link>, Vec<Finding>) {
        let links = self.settings.links.iter().map(|link| LinkSpec {
            id: link.id.clone(),
            connector: link.connector.clone(),
            table: link.table.clone(),
        });
        let meters = self.settings.meters.iter().filter_map(|meter| {
            Some(MeterSpec {
                id: meter.id.clone(),
                link: meter.link.clone(),
                model: self.settings.model_of(meter, &self.models)?,
                every_s: meter.every_s,
                input: meter.pulse.map(|pulse| pulse.input),
                table: meter.table.clone(),
            })
        });
        connectors::plan_links(links.collect(), meters.collect())
    }

    /// How the series of a project's meter is made: its limits, its reading period, the step of its register and
    /// where it begins again. What the project says of the latter stands; else what its model says.
    pub(crate) fn series_settings(&self, project: &Project, meter: &MeterFacts) -> SeriesSettings {
        let mut settings = SeriesSettings::of(meter, project.zone, self.every_seconds(&meter.id));
        let model = self.settings.meter(&meter.id).and_then(|m| self.settings.model_of(m, &self.models));
        if let Some(model) = model {
            let channel = meter.total_channel();
            settings.resolution = model.resolution(channel).unwrap_or(settings.resolution);
            settings.wraps_at = settings.wraps_at.or_else(|| model.wraps_at(channel));
        }
        settings
    }

    /// What a person must know of a project's meters as they are read here.
    pub(crate) fn series_findings(&self, project: &Project) -> Vec<Finding> {
        let read_here = project.meters().filter(|(_, meter)| self.settings.meter(&meter.id).is_some());
        read_here
            .filter_map(|(_, meter)| {
                let settings = self.series_settings(project, meter);
                settings.fast_wrap(self.every_seconds(&meter.id), &format!("meter:{}", meter.id))
            })
            .collect()
    }

    /// Why the readings of a project's meter may enter no report, where its model is experimental and no dump of a
    /// real meter has proved it.
    pub(crate) fn unproved(&self, meter: &MeterFacts) -> Option<Finding> {
        let model = &self.settings.meter(&meter.id)?.model;
        if self.models.is_proved(model, &meter.id, meter.total_channel()) {
            return None;
        }
        let says = format!(
            "its model {model} is experimental: its readings count in no report until a register dump of the real \
             meter proves {}",
            meter.total_channel()
        );
        let rule = "conservative direction: a register map of uncertain origin proves no saving";
        let subject = format!("meter:{}", meter.id);
        Some(Finding::new("meter.experimental", Severity::Blocks, subject, says, rule).with("model", model))
    }

    pub(crate) fn every_seconds(&self, meter: &MeterId) -> u32 {
        self.settings.meter(meter).map_or(EVERY_SECONDS_UNREAD, |m| m.every_s)
    }

    /// Every configured meter with where it is read, in words.
    pub(crate) fn meter_places(&self) -> Vec<(&MeterSettings, String)> {
        self.settings
            .meters
            .iter()
            .map(|meter| {
                let link = self.settings.link(&meter.link);
                let connector = link.map_or("", |l| l.connector.as_str());
                let address =
                    link.and_then(|l| l.table.get("address")).and_then(|a| a.as_str()).unwrap_or("");
                let own: Vec<String> = meter
                    .table
                    .iter()
                    .map(|(key, value)| match value.as_str() {
                        Some(text) => format!("{key} {text}"),
                        None => format!("{key} {value}"),
                    })
                    .collect();
                (meter, format!("{connector} {address} {}", own.join(" ")).trim().to_owned())
            })
            .collect()
    }

    pub(crate) fn store_options(&self) -> StoreOptions {
        let queue = u32::try_from(self.settings.store.queue_readings).unwrap_or(u32::MAX);
        StoreOptions { queue_readings_max: queue, ..StoreOptions::default() }
    }

    /// The store for a short command, also while a daemon runs.
    pub(crate) fn open_shared_store(&self) -> Result<Store, Failure> {
        Ok(Store::open_shared_with(&self.settings.installation.data_dir, self.store_options())?)
    }
}
