//! From opaque tables of settings to links that run. Adding a protocol is a variant here and a file beside.
//!
//! Must never: do I/O before `run` or `probe` unless asked to prove the files that settings name, or let one bad meter keep the others from running.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use model::{Channel, Finding, MeterId, Severity, Value};
use profile::{Decoded, MeterModel, TextName};

use crate::error::LinkError;
use crate::inbox::{Clock, Inbox, Remembered, Stop};
use crate::keys::{Wrong, invalid, unusable};
use crate::{keys, mbus, modbus, mqtt};

/// Names of all connectors, as settings use them.
pub const CONNECTORS: &[&str] = &[modbus::TCP, modbus::RTU, modbus::RTU_OVER_TCP, mqtt::NAME, mbus::NAME];

/// How long a probe waits for a message that is pushed.
pub const PROBE_WAIT: Duration = Duration::from_secs(10);

/// A link as the installation's file has it.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkSpec {
    pub id: String,
    pub connector: String,
    /// The connector's own keys.
    pub table: toml::Table,
}

/// A meter as the installation's file has it, with its model looked up.
#[derive(Debug, Clone)]
pub struct MeterSpec {
    pub id: MeterId,
    /// Id of its link.
    pub link: String,
    pub model: Arc<MeterModel>,
    pub every_s: u32,
    /// The input it is read from, of a device that counts for several meters.
    pub input: Option<u8>,
    /// The connector's own keys.
    pub table: toml::Table,
}

/// Settings of a link, as its connector reads them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkSettings {
    Modbus(modbus::Settings),
    Mqtt(mqtt::Settings),
    MBus(mbus::Settings),
}

/// Settings of a meter, as its connector reads them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MeterSettings {
    Modbus(modbus::UnitSettings),
    Mqtt(mqtt::TopicSettings),
    MBus(mbus::SlaveSettings),
}

impl LinkSettings {
    /// Files whose content a connection is made with: certificates and keys.
    #[must_use]
    pub fn named_files(&self) -> Vec<&str> {
        match self {
            Self::Modbus(_) | Self::MBus(_) => Vec::new(),
            Self::Mqtt(settings) => settings.tls.as_ref().map(mqtt::TlsSettings::files).unwrap_or_default(),
        }
    }

    /// Whether a connection could be made with these files and secrets as they are. Reads them.
    ///
    /// # Errors
    /// The file that cannot be used, and why.
    pub fn prove_files(&self, link: &str) -> Result<(), LinkError> {
        match self {
            Self::Modbus(_) | Self::MBus(_) => Ok(()),
            Self::Mqtt(settings) => mqtt::prove_files(link, settings),
        }
    }

    /// What no two links may share: a gateway often takes one connection only, and a broker takes a
    /// second client of the same id for the first one come back.
    fn place(&self) -> String {
        match self {
            // The same gateway cannot be two things, whatever the framing.
            Self::Modbus(s) => format!("modbus address {}", s.way.address()),
            Self::Mqtt(s) => format!("{} address {} and client_id {}", mqtt::NAME, s.address, s.client_id),
            Self::MBus(s) => format!("{} converter {}", mbus::NAME, s.place()),
        }
    }
}

/// Reads the table of a link.
///
/// # Errors
/// Everything that is wrong with it, with severity `Blocks`.
pub fn parse_link(id: &str, connector: &str, table: &toml::Table) -> Result<LinkSettings, Vec<Finding>> {
    match connector {
        modbus::TCP | modbus::RTU | modbus::RTU_OVER_TCP => {
            modbus::Settings::parse(id, connector, table).map(LinkSettings::Modbus)
        }
        mqtt::NAME => mqtt::Settings::parse(id, table).map(LinkSettings::Mqtt),
        mbus::NAME => mbus::Settings::parse(id, table).map(LinkSettings::MBus),
        other => Err(vec![unusable(
            &format!("link:{id}"),
            Wrong::Reference,
            format!("connector {other:?} is not known; use one of {}", CONNECTORS.join(", ")),
        )]),
    }
}

/// Reads the connector's keys of a meter.
///
/// # Errors
/// Everything that is wrong with them, with severity `Blocks`.
pub fn parse_meter(
    id: &MeterId,
    connector: &str,
    table: &toml::Table,
) -> Result<MeterSettings, Vec<Finding>> {
    match connector {
        modbus::TCP | modbus::RTU | modbus::RTU_OVER_TCP => {
            modbus::UnitSettings::parse(id, table).map(MeterSettings::Modbus)
        }
        mqtt::NAME => mqtt::TopicSettings::parse(id, table).map(MeterSettings::Mqtt),
        mbus::NAME => mbus::SlaveSettings::parse(id, table).map(MeterSettings::MBus),
        other => Err(vec![unusable(
            &format!("meter:{id}"),
            Wrong::Reference,
            format!("connector {other:?} is not known; use one of {}", CONNECTORS.join(", ")),
        )]),
    }
}

/// Everything behind one address, ready to run.
#[derive(Debug)]
pub struct Link {
    id: String,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Modbus(modbus::Modbus),
    Mqtt(mqtt::Mqtt),
    MBus(mbus::MBus),
}

impl Link {
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The meters it reads.
    #[must_use]
    pub fn meters(&self) -> Vec<MeterId> {
        match &self.kind {
            Kind::Modbus(link) => link.meters().cloned().collect(),
            Kind::Mqtt(link) => link.meters().cloned().collect(),
            Kind::MBus(link) => link.meters().cloned().collect(),
        }
    }

    /// Works until told to stop. Failures of the field are findings and retries, never an end.
    pub async fn run(self, inbox: Arc<dyn Inbox>, clock: Arc<dyn Clock>, stop: Stop) {
        match self.kind {
            Kind::Modbus(link) => link.run(inbox, clock, stop).await,
            Kind::Mqtt(link) => link.run(inbox, clock, stop).await,
            Kind::MBus(link) => link.run(inbox, clock, stop).await,
        }
    }

    /// One harmless round trip to one meter.
    ///
    /// # Errors
    /// Why it gave nothing.
    pub async fn probe(&self, meter: &MeterId, clock: &dyn Clock) -> Result<Probe, LinkError> {
        match &self.kind {
            Kind::Modbus(link) => link.probe(meter, clock).await,
            Kind::Mqtt(link) => link.probe(meter, clock, PROBE_WAIT).await,
            Kind::MBus(link) => link.probe(meter, clock).await,
        }
    }

    /// As [`Self::probe`], without asking again what the device says of itself.
    ///
    /// # Errors
    /// Why it gave nothing.
    pub async fn probe_again(&self, meter: &MeterId, clock: &dyn Clock) -> Result<Probe, LinkError> {
        match &self.kind {
            Kind::Modbus(link) => link.probe_again(meter, clock).await,
            // These send it with their values or not at all.
            Kind::Mqtt(_) | Kind::MBus(_) => self.probe(meter, clock).await,
        }
    }

    /// What reads kept payloads of this link again; `None` for a link whose payloads are not kept.
    #[must_use]
    pub fn replayer(&self, remembered: &[Remembered]) -> Option<mqtt::Replayer> {
        match &self.kind {
            Kind::Modbus(_) | Kind::MBus(_) => None,
            Kind::Mqtt(link) => Some(link.replayer(remembered)),
        }
    }
}

/// Probes a meter on whichever of the links has it.
///
/// # Errors
/// Why it gave nothing.
pub async fn probe(links: &[Link], meter: &MeterId, clock: &dyn Clock) -> Result<Probe, LinkError> {
    with(links, meter)?.probe(meter, clock).await
}

/// As [`probe`], for a meter that was asked before: what it says of itself is not asked again.
///
/// # Errors
/// Why it gave nothing.
pub async fn probe_again(links: &[Link], meter: &MeterId, clock: &dyn Clock) -> Result<Probe, LinkError> {
    with(links, meter)?.probe_again(meter, clock).await
}

/// Whichever of the links has the meter.
fn with<'l>(links: &'l [Link], meter: &MeterId) -> Result<&'l Link, LinkError> {
    let none = || LinkError::NoSuchMeter { link: "any".to_owned(), meter: meter.clone() };
    links.iter().find(|link| link.meters().contains(meter)).ok_or_else(none)
}

/// What a meter said to a probe.
#[derive(Debug, Clone, PartialEq)]
pub struct Probe {
    pub meter: MeterId,
    /// Where it was asked.
    pub at: String,
    pub took: Duration,
    pub lines: Vec<ProbeLine>,
    /// What the device says of itself.
    pub texts: Vec<ProbeText>,
    pub notes: Vec<String>,
}

/// What a device says of itself, such as its serial number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeText {
    pub name: TextName,
    /// The raw words in hexadecimal; empty when there are none.
    pub raw: String,
    /// The text, or why there is none.
    pub reads: String,
}

/// One value of a probe.
#[derive(Debug, Clone, PartialEq)]
pub struct ProbeLine {
    pub channel: Channel,
    /// The raw words in hexadecimal; empty for payloads.
    pub raw: String,
    /// The value with its unit, or why there is none.
    pub reads: String,
}

impl ProbeLine {
    pub(crate) fn new(channel: Channel, raw: &str, decoded: Decoded) -> Self {
        let unit = channel.quantity.unit();
        let shown = |value| match value {
            Value::Total(total) => format!("{total} {unit}"),
            Value::Gauge(gauge) => format!("{gauge} {unit}"),
        };
        let reads = match decoded {
            Decoded::Value(value) => shown(value),
            Decoded::Implausible(value, range) => {
                format!("{} (implausible: {range} expected)", shown(value))
            }
            Decoded::Sentinel { .. } => "no value (the meter says so)".to_owned(),
            Decoded::NotANumber { .. } => "no finite number".to_owned(),
            Decoded::Overflow { .. } => "too large to be kept".to_owned(),
            Decoded::UnknownUnit { code } => format!("no value: the unit's code {code} is not known"),
            Decoded::NoFactor { .. } => "no value: its scale register holds no factor".to_owned(),
            Decoded::Missing => "not in the answer".to_owned(),
            Decoded::Withheld { by, read: true } => format!("withheld: {by} is not as the file wants it"),
            Decoded::Withheld { by, read: false } => format!("withheld: {by} was not read"),
        };
        Self { channel, raw: raw.to_owned(), reads }
    }
}

/// Puts meters on their links. What cannot be used is left out, with the reason as a finding; the rest runs.
#[must_use]
pub fn plan_links(links: Vec<LinkSpec>, meters: Vec<MeterSpec>) -> (Vec<Link>, Vec<Finding>) {
    let mut findings = Vec::new();
    let mut planned = Vec::new();
    let known: BTreeSet<String> = links.iter().map(|link| link.id.clone()).collect();
    for meter in meters.iter().filter(|meter| !known.contains(&meter.link)) {
        let says = format!("link `{}` does not exist; name one of the [[link]] tables", meter.link);
        findings.push(unusable(&format!("meter:{}", meter.id), Wrong::Reference, says));
    }
    let mut places: BTreeMap<String, String> = BTreeMap::new();
    for link in links {
        let settings = match parse_link(&link.id, &link.connector, &link.table) {
            Ok(settings) => settings,
            Err(errors) => {
                findings.extend(errors);
                continue;
            }
        };
        let place = settings.place();
        if let Some(other) = places.insert(place.clone(), link.id.clone()) {
            let says = format!("link `{other}` has the same {place}; put the meters under one link");
            findings.push(unusable(&format!("link:{}", link.id), Wrong::Shared, says));
            continue;
        }
        let own: Vec<&MeterSpec> = meters.iter().filter(|meter| meter.link == link.id).collect();
        if own.is_empty() {
            let says = "no meter uses this link; add one or remove the link";
            let subject = format!("link:{}", link.id);
            findings.push(Finding::new("settings.link.unused", Severity::Note, subject, says, ""));
            continue;
        }
        let kind = match settings {
            LinkSettings::Modbus(settings) => {
                let units = units(&own, &settings, &mut findings);
                Kind::Modbus(modbus::Modbus::new(link.id.clone(), settings, units))
            }
            LinkSettings::Mqtt(settings) => {
                let subscribers = subscribers(&own, &mut findings);
                Kind::Mqtt(mqtt::Mqtt::new(link.id.clone(), settings, subscribers))
            }
            LinkSettings::MBus(settings) => {
                let slaves = mbus::slaves(&own, &mut findings);
                Kind::MBus(mbus::MBus::new(link.id.clone(), settings, slaves))
            }
        };
        planned.push(Link { id: link.id, kind });
    }
    (planned, findings)
}

pub(crate) fn wrong_model(meter: &MeterSpec, connector: &str) -> Finding {
    let says = format!("model `{}` does not speak {connector}; choose another model or link", meter.model.id);
    unusable(&format!("meter:{}", meter.id), Wrong::Model, says)
}

fn units(meters: &[&MeterSpec], link: &modbus::Settings, findings: &mut Vec<Finding>) -> Vec<modbus::Unit> {
    let mut taken: BTreeMap<(u8, Option<u8>), &MeterId> = BTreeMap::new();
    let mut units = Vec::new();
    for meter in meters {
        let settings = match modbus::UnitSettings::parse(&meter.id, &meter.table) {
            Ok(settings) => settings,
            Err(errors) => {
                findings.extend(errors);
                continue;
            }
        };
        if let Err(says) = link.check_unit(settings) {
            findings.push(invalid(&format!("meter:{}", meter.id), says));
            continue;
        }
        // One unit read as two meters would count its energy twice, unless they are two inputs of a pulse counter.
        let shared = taken.iter().find(|((unit, input), _)| {
            *unit == settings.unit && (*input == meter.input || input.is_none() || meter.input.is_none())
        });
        let other = shared.map(|(_, other)| *other);
        taken.insert((settings.unit, meter.input), &meter.id);
        if let Some(other) = other {
            let says = format!("meter `{other}` has the same unit {}; give each its own", settings.unit);
            findings.push(unusable(&format!("meter:{}", meter.id), Wrong::Shared, says));
            continue;
        }
        match modbus::Unit::new(meter, settings) {
            Some(unit) => units.push(unit),
            None => findings.push(wrong_model(meter, link.way.name())),
        }
    }
    units
}

fn subscribers(meters: &[&MeterSpec], findings: &mut Vec<Finding>) -> Vec<mqtt::Subscriber> {
    let mut taken: BTreeMap<String, &MeterId> = BTreeMap::new();
    let mut subscribers = Vec::new();
    for meter in meters {
        let settings = match mqtt::TopicSettings::parse(&meter.id, &meter.table) {
            Ok(settings) => settings,
            Err(errors) => {
                findings.extend(errors);
                continue;
            }
        };
        let Some(model) = meter.model.payloads() else {
            findings.push(wrong_model(meter, mqtt::NAME));
            continue;
        };
        let subject = format!("meter:{}", meter.id);
        let unknown = keys::unknown(&subject, &meter.table, &model.keys());
        if !unknown.is_empty() {
            findings.extend(unknown);
            continue;
        }
        let subscriber = match mqtt::Subscriber::new(meter, &settings) {
            None => continue,
            Some(Err(error)) => {
                findings.push(invalid(&subject, error.to_string()));
                continue;
            }
            Some(Ok(subscriber)) => subscriber,
        };
        let places = subscriber.places();
        if let Some((place, other)) = places.iter().find_map(|place| Some((place, taken.get(place)?))) {
            let says = format!("meter `{other}` has the same {place}; give each its own");
            findings.push(unusable(&subject, Wrong::Shared, says));
            continue;
        }
        taken.extend(places.into_iter().map(|place| (place, &meter.id)));
        let topic = settings.values.get("topic").map_or("", String::as_str);
        if !topic.is_empty() && !mqtt::topic_matches(&model.topic, topic) {
            let says = format!(
                "topic {topic} does not look like {} of model `{}`; check it",
                model.topic, meter.model.id
            );
            findings.push(Finding::new("settings.topic.unusual", Severity::Caution, subject, says, ""));
        }
        subscribers.push(subscriber);
    }
    subscribers
}

#[cfg(test)]
#[path = "link_tests.rs"]
mod tests;
