//! The installation's settings: links, meters, addresses and folders, from one TOML file.
//!
//! Must never: know a connector, or touch anything but the file. What belongs to a connector stays an
//! opaque table that the connector reads.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::{Finding, Kind, MeterId, ModelId, Quantity, Severity, StationId, Zone};
use profile::{MeterModel, PulseUse};

use crate::error::ConfigError;
use crate::meters::Meters;
use crate::reader::{At, Problem, Retired, RetiredUse, Source, Table, list, nearest};

mod alarms;
mod engines;
mod sending;
mod weather;
mod web;

pub use alarms::{AlarmSettings, KIOSKS_MAX, KioskSettings};
pub use engines::{ENGINES_MAX, EngineKind, EngineSettings, TokenPlace};
pub use sending::{GrantsSettings, MailSecurity, MailSettings, SendingSettings};
pub use web::{AccessSettings, ProviderSettings, TlsSettings, WebSettings};
pub use weather::{ServiceMeans, ServiceSettings, WEATHER_MAX, WeatherSettings, WeatherSource};

/// The commented default settings, for people to start from.
pub const DEFAULT_SETTINGS: &str = include_str!("../default.toml");

/// Largest settings file in bytes.
pub const SETTINGS_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Most links of one installation.
pub const LINKS_MAX: usize = 1_000;
/// Most meters of one installation.
pub const METERS_MAX: usize = 10_000;
/// Longest period between two readings of a meter, in seconds.
pub const EVERY_SECONDS_MAX: i64 = 86_400;

/// Keys of earlier versions. None yet: this is the first version.
const RETIRED: &[Retired] = &[];

/// What one installation is set to do. Paths are joined to the folder of the settings file.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The file they were read from.
    pub file: PathBuf,
    pub installation: InstallationSettings,
    pub web: WebSettings,
    pub access: AccessSettings,
    pub reports: ReportSettings,
    pub store: StoreSettings,
    /// In order of the file.
    pub links: Vec<LinkSettings>,
    /// In order of the file.
    pub meters: Vec<MeterSettings>,
    /// In order of the file.
    pub weather: Vec<WeatherSettings>,
    /// In order of the file.
    pub engines: Vec<EngineSettings>,
    pub sending: SendingSettings,
    pub alarms: AlarmSettings,
    /// Displays that everyone may see, in order of the file.
    pub kiosks: Vec<KioskSettings>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct InstallationSettings {
    /// Same form as the other ids; also the MQTT client id's stem and a metric label.
    pub id: String,
    pub name: String,
    pub zone: Zone,
    /// `it` or `en`: the language of reports and of a reader who states none.
    pub language: String,
    pub data_dir: PathBuf,
    /// A folder of catalogue files that are added to the embedded ones, or stand in their place.
    pub catalog_dir: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportSettings {
    pub dir: PathBuf,
    /// A folder with a template of documents that stands in place of the program's own.
    pub template_dir: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreSettings {
    /// Most readings that wait for the disk before sources are held back.
    pub queue_readings: usize,
    /// A month is moved to the archive this many days after its end.
    pub archive_after_days: u32,
    /// Gauges that are thinned when they are old; what is not named is kept for ever.
    pub thin: Vec<ThinSettings>,
}

/// How one gauge is thinned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThinSettings {
    pub quantity: Quantity,
    /// Age in days from which on it is thinned.
    pub after_days: u32,
    /// Seconds of an interval of which one reading stays.
    pub every_s: u32,
}

/// One way to reach meters.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkSettings {
    pub id: String,
    /// The connector's name, as the connectors call themselves: `modbus-tcp`, `mqtt`.
    pub connector: String,
    /// Every other key, for the connector.
    pub table: toml::Table,
    /// Line of the file on which the link begins.
    pub line: usize,
}

/// One meter that is read.
#[derive(Debug, Clone, PartialEq)]
pub struct MeterSettings {
    pub id: MeterId,
    /// Id of a link.
    pub link: String,
    pub model: ModelId,
    /// Reading period in seconds, aligned to the wall clock; for links that push, the period expected.
    pub every_s: u32,
    /// What an input of a pulse counter counts.
    pub pulse: Option<PulseUse>,
    /// Every other key, for the connector.
    pub table: toml::Table,
    /// Line of the file on which the meter begins.
    pub line: usize,
}

impl Settings {
    #[must_use]
    pub fn link(&self, id: &str) -> Option<&LinkSettings> {
        self.links.iter().find(|l| l.id == id)
    }

    #[must_use]
    pub fn meter(&self, id: &MeterId) -> Option<&MeterSettings> {
        self.meters.iter().find(|m| m.id == *id)
    }

    #[must_use]
    pub fn engine(&self, id: &str) -> Option<&EngineSettings> {
        self.engines.iter().find(|e| e.id == id)
    }

    /// The weather source of a station.
    #[must_use]
    pub fn weather(&self, station: &StationId) -> Option<&WeatherSettings> {
        self.weather.iter().find(|w| w.station == *station)
    }

    /// The model of a meter as this installation uses it: a pulse counter counts what its input was told to.
    #[must_use]
    pub fn model_of(&self, meter: &MeterSettings, models: &Meters) -> Option<Arc<MeterModel>> {
        let model = models.get(&meter.model)?;
        match &meter.pulse {
            Some(pulse) => model.counting(pulse).ok().map(Arc::new),
            None => Some(Arc::clone(model)),
        }
    }

    /// A problem for every meter that counts pulses without being told what, or the other way round.
    #[must_use]
    pub fn pulse_problems(&self, models: &Meters) -> Vec<Problem> {
        let problem = |(i, meter): (usize, &MeterSettings)| {
            let model = models.get(&meter.model)?;
            let (says, next) = match (&meter.pulse, model.pulses()) {
                (Some(pulse), _) => (model.counting(pulse).err()?.to_string(), "correct `pulse`".to_owned()),
                (None, Some(_)) => (
                    format!("model {:?} counts pulses of whatever is wired to it", model.id.as_str()),
                    "add pulse = { input = 1, quantity = \"…\", weight = \"…\" }".to_owned(),
                ),
                (None, None) => return None,
            };
            Some(Problem { line: meter.line, key: format!("meter[{}].pulse", i + 1), says, next })
        };
        self.meters.iter().enumerate().filter_map(problem).collect()
    }

    /// A problem for every meter whose model is not among `known`.
    #[must_use]
    pub fn unknown_models(&self, known: &[&str]) -> Vec<Problem> {
        let unknown = self.meters.iter().enumerate().filter(|(_, m)| !known.contains(&m.model.as_str()));
        unknown
            .map(|(i, m)| Problem {
                line: m.line,
                key: format!("meter[{}].model", i + 1),
                says: format!("no meter model {:?} in the catalogue", m.model.as_str()),
                next: match nearest(m.model.as_str(), known.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("use one of {}, or add a file for it", list(known)),
                },
            })
            .collect()
    }
}

/// Reads and checks a settings file, with no other I/O. Findings are what a person should look at although
/// the settings can be used.
pub fn load(path: &Path) -> Result<(Settings, Vec<Finding>), ConfigError> {
    let text = crate::error::read_text(path, SETTINGS_BYTES_MAX)?;
    parse_settings(&text, path).map_err(|problems| ConfigError::Problems { path: path.to_owned(), problems })
}

/// The line on which the table `[table]` of a settings file has `key`, or on which the table begins; `None` when the
/// file cannot be read or has neither.
#[must_use]
pub fn line_of_key(path: &Path, table: &'static str, key: &str) -> Option<usize> {
    let text = crate::error::read_text(path, SETTINGS_BYTES_MAX).ok()?;
    let source = Source::new(&text, &[]);
    let root = source.parse()?;
    let table = Table::root(&source, &root).table_optional(table)?;
    Some(source.line(table.at(key).offset))
}

/// Reads settings from text; `path` is where relative paths begin.
pub fn parse_settings(text: &str, path: &Path) -> Result<(Settings, Vec<Finding>), Vec<Problem>> {
    parse_with(text, path, RETIRED)
}

fn parse_with(
    text: &str,
    path: &Path,
    retired: &[Retired],
) -> Result<(Settings, Vec<Finding>), Vec<Problem>> {
    let source = Source::new(text, retired);
    let root = source.parse();
    let settings = root.as_ref().and_then(|root| read(&source, &Table::root(&source, root), path));
    let (problems, retired_used) = source.finish();
    match settings {
        Some(settings) if problems.is_empty() => {
            let findings = findings(&settings, &retired_used);
            Ok((settings, findings))
        }
        _ => Err(problems),
    }
}

fn read(source: &Source<'_>, root: &Table<'_, '_>, path: &Path) -> Option<Settings> {
    let base = path.parent().unwrap_or(Path::new(""));
    let installation = root.table("installation").and_then(|t| read_installation(&t, base));
    let web = web::read(source, root, base, DEFAULT_LISTEN);
    let (reports_dir, template_dir) = root.table_optional("reports").map_or((None, None), |table| {
        let folders = (table.text_optional("dir", FOLDER), table.text_optional("template_dir", FOLDER));
        table.finish();
        folders
    });
    let store = match root.table_optional("store") {
        Some(table) => {
            let queue = table.integer_or("queue_readings", 1_000..=10_000_000, DEFAULT_QUEUE_READINGS);
            let after = table.integer_or("archive_after_days", 1..=3_660, DEFAULT_ARCHIVE_AFTER_DAYS);
            table.finish();
            queue.zip(after)
        }
        None => Some((DEFAULT_QUEUE_READINGS, DEFAULT_ARCHIVE_AFTER_DAYS)),
    };
    let thin = root.tables("thin", THIN_MAX).iter().filter_map(read_thin).collect();
    let links: Vec<_> = root.tables("link", LINKS_MAX).iter().filter_map(read_link).collect();
    let meters: Vec<_> = root.tables("meter", METERS_MAX).iter().filter_map(read_meter).collect();
    let zone = installation.as_ref().map(|i| i.zone);
    let weather: Vec<_> = root
        .tables("weather", WEATHER_MAX)
        .iter()
        .filter_map(|table| weather::read(source, table, base, zone))
        .collect();
    let engines: Vec<_> = root
        .tables("engine", ENGINES_MAX)
        .iter()
        .filter_map(|table| engines::read(source, table, base))
        .collect();
    let sending = sending::read(source, root, base);
    let alarms = alarms::read(source, root, base);
    let kiosks = root.tables("kiosk", KIOSKS_MAX).iter().filter_map(alarms::read_kiosk).collect();
    root.finish();
    engines::check(source, &engines);
    check_links(source, &links, &meters);
    weather::check(source, &weather, &meters.iter().map(|m| &m.meter).collect::<Vec<_>>());
    let installation = installation?;
    let (web, access) = web?;
    let reports = ReportSettings {
        dir: match reports_dir {
            Some(dir) => base.join(dir),
            None => installation.data_dir.join("reports"),
        },
        template_dir: template_dir.map(|dir| base.join(dir)),
    };
    Some(Settings {
        file: path.to_owned(),
        installation,
        web,
        access,
        reports,
        store: StoreSettings {
            queue_readings: usize::try_from(store?.0).ok()?,
            archive_after_days: u32::try_from(store?.1).ok()?,
            thin,
        },
        links: links.into_iter().map(|(link, _)| link).collect(),
        meters: meters.into_iter().map(|m| m.meter).collect(),
        weather: weather.into_iter().map(|w| w.weather).collect(),
        engines: engines.into_iter().map(|e| e.engine).collect(),
        sending: sending?,
        alarms: alarms?,
        kiosks,
    })
}

const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::V4(std::net::SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, 8480));
const DEFAULT_QUEUE_READINGS: i64 = 100_000;
const DEFAULT_ARCHIVE_AFTER_DAYS: i64 = 45;
/// Most gauges that are thinned.
const THIN_MAX: usize = 64;
const FOLDER: &str = "a folder, absolute or relative to this file";
const ZONE: &str = "a time zone of the IANA list such as \"Europe/Rome\"";
const ID: &str = "an id of 1 to 64 of a-z, 0-9, '-', '_' and '.', beginning with a letter or digit";

/// Totals are no choice: what they say between two readings is energy.
fn read_thin(table: &Table<'_, '_>) -> Option<ThinSettings> {
    let quantity =
        table.parsed("quantity", "a gauge such as \"voltage\"; totals are kept for ever", |text| {
            Quantity::parse(text).filter(|quantity| quantity.kind() == Kind::Gauge)
        });
    let after_days = table.integer("after_days", 90..=36_500);
    let every_s = table.integer_or("every_s", 60..=86_400, 900);
    table.finish();
    Some(ThinSettings {
        quantity: quantity?,
        after_days: u32::try_from(after_days?).ok()?,
        every_s: u32::try_from(every_s?).ok()?,
    })
}

fn read_installation(table: &Table<'_, '_>, base: &Path) -> Option<InstallationSettings> {
    let id = table.parsed("id", ID, plain_id);
    let name = table.text("name", "the name that pages and reports show");
    let zone = table.parsed_or("zone", ZONE, chrono_tz::Europe::Rome, |t| t.parse().ok());
    let language = table.parsed_or("language", "\"it\" or \"en\"", "it".to_owned(), |t| {
        ["it", "en"].contains(&t).then(|| t.to_owned())
    });
    let data_dir = table.text_optional("data_dir", FOLDER);
    let catalog_dir = table.text_optional("catalog_dir", FOLDER);
    table.finish();
    Some(InstallationSettings {
        id: id?,
        name: name?,
        zone: zone?,
        language: language?,
        data_dir: base.join(data_dir.unwrap_or_else(|| "data".to_owned())),
        catalog_dir: catalog_dir.map(|dir| base.join(dir)),
    })
}

fn read_link(table: &Table<'_, '_>) -> Option<(LinkSettings, At)> {
    let id = table.parsed("id", ID, plain_id);
    let connector = table.parsed("connector", "the name of a connector such as \"modbus-tcp\"", plain_id);
    let link = LinkSettings { id: id?, connector: connector?, table: table.rest(), line: table.line() };
    Some((link, table.at("id")))
}

struct MeterRead {
    meter: MeterSettings,
    id_at: At,
    link_at: At,
}

fn read_meter(table: &Table<'_, '_>) -> Option<MeterRead> {
    let id = table.parsed("id", ID, |t| MeterId::new(t).ok());
    let link = table.parsed("link", "the id of a [[link]]", plain_id);
    let model = table.parsed("model", "the id of a meter model of the catalogue", |t| ModelId::new(t).ok());
    let every_s = table.integer("every_s", 1..=EVERY_SECONDS_MAX);
    let pulse = table.table_optional("pulse").map(|pulse| read_pulse(&pulse));
    let meter = MeterSettings {
        id: id?,
        link: link?,
        model: model?,
        every_s: u32::try_from(every_s?).ok()?,
        pulse: match pulse {
            Some(pulse) => Some(pulse?),
            None => None,
        },
        table: table.rest(),
        line: table.line(),
    };
    Some(MeterRead { meter, id_at: table.at("id"), link_at: table.at("link") })
}

/// `pulse = { input = 1, quantity = "gas_volume", weight = "0.01 m3" }`: without a weight nothing is counted.
fn read_pulse(table: &Table<'_, '_>) -> Option<PulseUse> {
    let input = table.integer("input", 1..=255).and_then(|input| u8::try_from(input).ok());
    let quantity = table.parsed("quantity", "a total such as \"gas_volume\"", |code| {
        Quantity::parse(code).filter(|quantity| quantity.kind() == Kind::Total)
    });
    let pulse = match (input, quantity) {
        (Some(input), Some(quantity)) => {
            let unit = quantity.unit();
            let expected = format!("what one pulse is worth in a unit of {unit}, such as \"10 {unit}\"");
            table.parsed("weight", &expected, |weight| PulseUse::parse(input, quantity, weight).ok())
        }
        _ => {
            table.text("weight", "what one pulse is worth, such as \"0.01 m3\"")?;
            None
        }
    };
    table.finish();
    pulse
}

/// The same grammar as the ids of the model.
fn plain_id(text: &str) -> Option<String> {
    MeterId::new(text).ok().map(|id| id.to_string())
}

fn check_links(source: &Source<'_>, links: &[(LinkSettings, At)], meters: &[MeterRead]) {
    let mut first_lines: BTreeMap<&str, usize> = BTreeMap::new();
    for (link, at) in links {
        if let Some(line) = first_lines.insert(&link.id, link.line) {
            let says = format!("link {:?} is already defined on line {line}", link.id);
            source.report_at(at, says, "give each link its own id");
        }
    }
    let names: Vec<&str> = first_lines.keys().copied().collect();
    let mut first_lines: BTreeMap<&str, usize> = BTreeMap::new();
    for MeterRead { meter, id_at, link_at } in meters {
        if let Some(line) = first_lines.insert(meter.id.as_str(), meter.line) {
            let says = format!("meter {:?} is already defined on line {line}", meter.id.as_str());
            source.report_at(id_at, says, "give each meter its own id");
        }
        if !names.contains(&meter.link.as_str()) {
            let next = match nearest(&meter.link, names.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None if names.is_empty() => "add a [[link]] with this id".to_owned(),
                None => format!("use one of {}, or add a [[link]] with this id", list(&names)),
            };
            source.report_at(link_at, format!("no link {:?} in this file", meter.link), next);
        }
    }
}

fn findings(settings: &Settings, retired: &[RetiredUse]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for used in retired {
        findings.push(
            Finding::new(
                "settings.key.retired",
                Severity::Caution,
                format!("settings:{}", used.key),
                format!("line {}: this key has no effect any more; use `{}`", used.line, used.instead),
                "settings keys of earlier versions warn for a while before they are refused",
            )
            .with("key", &used.key)
            .with("line", used.line)
            .with("instead", used.instead),
        );
    }
    let listen = settings.web.listen;
    if !listen.ip().is_loopback() && settings.web.tls.is_none() && settings.web.trusted_proxies.is_empty() {
        findings.push(
            Finding::new(
                "web.open",
                Severity::Caution,
                "settings:web.listen",
                format!("pages are served on {listen} to everyone who can reach this machine, without TLS"),
                "passwords and sessions cross a network under TLS, here or in a proxy in front",
            )
            .with("listen", listen),
        );
    }
    findings
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
