//! The installation as its files say: settings, catalogue, meter models, and the links made of them.
//!
//! Must never: touch the network.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use analytics::series::SeriesSettings;
use config::meters::{MeterFileError, Meters};
use config::{Catalog, ConfigError, MeterSettings, Settings, WeatherSource};
use connectors::{Link, LinkSpec, MeterSpec};
use model::{
    Channel, Finding, Kind, MeanDefinition, MeterFacts, MeterId, Phase, Project, Quantity, Severity,
    StationId,
};
use profile::MeterModel;
use sha2::{Digest, Sha256};
use store::{Store, StoreOptions};

use crate::exit::{Exit, Failure};

/// The period assumed for meters that this installation does not read itself: a quarter of an hour, the step of
/// distributors' load profiles.
const EVERY_SECONDS_UNREAD: u32 = 900;

/// Largest certificate or key file whose renewal is seen.
const NAMED_FILE_BYTES_MAX: u64 = 1_048_576;

/// Why the files cannot be used.
#[derive(Debug)]
pub(crate) enum LoadError {
    /// The installation file, or a file of schemes, factors or texts.
    File(ConfigError),
    /// The template of documents.
    Template(crate::template::FolderError),
    /// Meter files, each with its reason.
    Meters(Vec<MeterFileError>),
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::File(error) => Self::new(Exit::BAD_INPUT, error),
            LoadError::Template(error) => Self::new(Exit::BAD_INPUT, error),
            LoadError::Meters(errors) => {
                let lines: Vec<String> = errors.iter().map(|error| format!("  {}", chain(error))).collect();
                Self::bad_input(format!("the catalogue of meters cannot be used:\n{}", lines.join("\n")))
            }
        }
    }
}

/// An error with its causes, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// What a link is made of. Two links of equal shape read the same meters in the same way, however their files are
/// written: a default that is spelt out, or another order of the meters, makes no difference.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shape {
    settings: connectors::LinkSettings,
    /// What the certificate and key files held when the installation was read.
    files: Vec<FileDigest>,
    meters: BTreeMap<MeterId, MeterShape>,
}

/// SHA-256 of a file; `None` of one that cannot be read.
type FileDigest = Option<[u8; 32]>;

#[derive(Debug, Clone, PartialEq)]
struct MeterShape {
    settings: connectors::MeterSettings,
    every_s: u32,
    model: Arc<MeterModel>,
}

/// Everything read from files, checked against each other.
#[derive(Debug)]
pub(crate) struct Installation {
    pub(crate) settings: Settings,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) models: Meters,
    /// What documents are set with.
    pub(crate) template: Arc<dashboards::Template>,
    /// What a person should look at although the files can be used.
    pub(crate) findings: Vec<Finding>,
    /// Of each link, what the files hold that its settings only name.
    named: BTreeMap<String, Vec<FileDigest>>,
}

impl Installation {
    /// Reads the installation file and the catalogue. Links are judged by [`Self::links`].
    pub(crate) fn load(path: &Path) -> Result<Self, LoadError> {
        let (settings, findings) = config::load(path).map_err(LoadError::File)?;
        let (catalog, models) = load_catalog(settings.installation.catalog_dir.as_deref())?;
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
            return Err(LoadError::File(ConfigError::Problems { path: path.to_owned(), problems }));
        }
        let template =
            crate::template::load(settings.reports.template_dir.as_deref()).map_err(LoadError::Template)?;
        let mut installation = Self {
            named: settings.links.iter().map(|link| (link.id.clone(), named_digests(link))).collect(),
            settings,
            catalog: Arc::new(catalog),
            models,
            template,
            findings,
        };
        let weather = crate::weather::check(&installation);
        installation.findings.extend(weather);
        let engines = crate::engines::check(&installation);
        installation.findings.extend(engines);
        Ok(installation)
    }

    /// The links with their meters, ready to run, and what is wrong with the others.
    pub(crate) fn links(&self) -> (Vec<Link>, Vec<Finding>) {
        let own = self.settings.links.iter().filter(|link| !crate::hub::is_remote(link));
        let links = own.map(|link| LinkSpec {
            id: link.id.clone(),
            connector: link.connector.clone(),
            table: link.table.clone(),
        });
        let own = |meter: &&MeterSettings| !crate::hub::is_remote_meter(&self.settings, meter);
        let meters = self.settings.meters.iter().filter(own).filter_map(|meter| {
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

    /// Whether both were read from files that say the same.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.settings == other.settings
            && self.catalog.is_same(&other.catalog)
            && self.models.iter().eq(other.models.iter())
            && *self.template == *other.template
            && self.named == other.named
    }

    /// Why a connection that is changed since `former` was read could not be made: certificates, keys, passwords.
    pub(crate) fn unusable_renewals(&self, former: &Self) -> Vec<Finding> {
        let renewed = self.settings.links.iter().filter(|link| {
            let before = former.settings.link(&link.id);
            let files = || former.named.get(&link.id) != self.named.get(&link.id);
            before.is_some_and(|before| before != *link || files())
        });
        renewed
            .filter_map(|link| {
                let settings = connectors::parse_link(&link.id, &link.connector, &link.table).ok()?;
                Some(settings.prove_files(&link.id).err()?.finding(&format!("link:{}", link.id)))
            })
            .collect()
    }

    /// What a link of [`Self::links`] is made of.
    pub(crate) fn shape(&self, link: &Link) -> Option<Shape> {
        let settings = self.settings.link(link.id())?;
        let mut meters = BTreeMap::new();
        for id in link.meters() {
            let meter = self.settings.meter(&id)?;
            let shape = MeterShape {
                settings: connectors::parse_meter(&id, &settings.connector, &meter.table).ok()?,
                every_s: meter.every_s,
                model: self.settings.model_of(meter, &self.models)?,
            };
            meters.insert(id, shape);
        }
        let settings = connectors::parse_link(&settings.id, &settings.connector, &settings.table).ok()?;
        let files = self.named.get(link.id()).cloned().unwrap_or_default();
        Some(Shape { settings, files, meters })
    }

    /// The channel by which a meter's readings are counted in the loss budget: the total that a project takes from it;
    /// of a meter that no project uses the first total of all phases of which `has_readings`, since a model of plain
    /// payloads lists more totals than any meter sends; else the model's first total, or its first channel.
    pub(crate) fn main_channel(
        &self,
        meter: &MeterSettings,
        projects: &[Arc<Project>],
        has_readings: impl Fn(Channel) -> bool,
    ) -> Option<Channel> {
        let channels = self.settings.model_of(meter, &self.models)?.channels();
        let of_projects = projects.iter().flat_map(|project| project.meters());
        let used = of_projects.filter(|(_, facts)| facts.id == meter.id).map(|(_, f)| f.total_channel());
        if let Some(channel) = used.into_iter().find(|channel| channels.contains(channel)) {
            return Some(channel);
        }
        let total = |c: &&Channel| c.phase == Phase::Total && c.quantity.kind() == Kind::Total;
        let sent = channels.iter().filter(total).find(|channel| has_readings(**channel));
        sent.or_else(|| channels.iter().find(total)).or(channels.first()).copied()
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
            .flat_map(|(_, meter)| {
                let settings = self.series_settings(project, meter);
                let subject = format!("meter:{}", meter.id);
                let fast = settings.fast_wrap(self.every_seconds(&meter.id), &subject);
                fast.into_iter().chain(self.uncounted(meter))
            })
            .collect()
    }

    /// Why nothing of a project's meter will ever be counted: its model has no total of what the project says.
    fn uncounted(&self, meter: &MeterFacts) -> Option<Finding> {
        let model = self.settings.model_of(self.settings.meter(&meter.id)?, &self.models)?;
        let (channels, wanted) = (model.channels(), meter.total_channel());
        let raw_gas = meter.gas.is_some() && channels.contains(&Channel::total(Quantity::GasVolume));
        if channels.contains(&wanted) || raw_gas {
            return None;
        }
        let says = format!(
            "its model {} has no {wanted}, so nothing of it is counted; name the model that the meter has, or import \
             its bills or load curve",
            model.id
        );
        let rule = "conservative direction: a meter without data is not a meter without use";
        let subject = format!("meter:{}", meter.id);
        Some(
            Finding::new("meter.uncounted", Severity::Caution, subject, says, rule)
                .with("model", &model.id)
                .with("channel", wanted),
        )
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
                let address = link
                    .and_then(|l| l.table.get("address").or_else(|| l.table.get("device")))
                    .and_then(|a| a.as_str())
                    .unwrap_or("");
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

    /// How the means of imported files of a station were made.
    pub(crate) fn definition_of_files(&self, station: &StationId) -> MeanDefinition {
        match self.settings.weather(station).map(|w| &w.source) {
            Some(WeatherSource::Files { definition }) => *definition,
            Some(WeatherSource::Sensor { .. } | WeatherSource::Service(_)) | None => MeanDefinition::AsGiven,
        }
    }

    /// The store for a short command, also while a daemon runs. One that reads makes none: a mistyped folder would
    /// look like an installation without readings.
    pub(crate) fn open_shared_store(&self) -> Result<Store, Failure> {
        let folder = &self.settings.installation.data_dir;
        if !folder.join(store::JOURNAL_FILE).exists() {
            return Err(Failure::bad_input(format!(
                "there is no store in {}; correct `data_dir`, or make one: `consuntivo run` and every import do",
                folder.display()
            )));
        }
        Ok(Store::open_shared_with(folder, self.store_options())?)
    }

    /// As [`Self::open_shared_store`], for a command that begins an installation.
    pub(crate) fn open_or_make_store(&self) -> Result<Store, Failure> {
        Ok(Store::open_shared_with(&self.settings.installation.data_dir, self.store_options())?)
    }
}

/// What the files hold that a link's settings name.
fn named_digests(link: &config::LinkSettings) -> Vec<FileDigest> {
    let settings = connectors::parse_link(&link.id, &link.connector, &link.table);
    // A link whose settings are wrong is told of by `links`.
    settings.map_or_else(|_| Vec::new(), |s| s.named_files().into_iter().map(file_digest).collect())
}

fn file_digest(file: &str) -> FileDigest {
    let small = std::fs::metadata(file).is_ok_and(|data| data.len() <= NAMED_FILE_BYTES_MAX);
    let bytes = small.then(|| std::fs::read(file).ok()).flatten()?;
    Some(Sha256::digest(bytes).into())
}

/// The catalogue that comes with the program, with an installation's own folder over it.
pub(crate) fn load_catalog(folder: Option<&Path>) -> Result<(Catalog, Meters), LoadError> {
    let catalog = Catalog::load(folder).map_err(LoadError::File)?;
    let models = config::meters::load_meters(folder).map_err(LoadError::Meters)?;
    Ok((catalog, models))
}
