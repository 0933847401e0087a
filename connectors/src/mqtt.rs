//! MQTT 3.1.1 and 5: settings, and the link that subscribes to the topics of its meters.
//!
//! Must never: acknowledge a message before what it said is durable, count a retained one as new, or publish anything
//! but the request for records that a meter's file names, and that for a node's births where the settings allow it.

mod failure;
mod nodes;
mod rebirth;
mod records;
mod replay;
mod run;
mod session;
mod sort;
mod tls;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use model::{Finding, MeterId};
use profile::{BindError, Bound, When};
use serde::Deserialize;

use crate::error::LinkError;
use crate::inbox::{Clock, Inbox, Stop};
use crate::keys::{self, invalid};
use crate::link::{MeterSpec, Probe, ProbeLine};
use crate::modbus::is_host_and_port;

pub use rebirth::BIRTH_KINDS;
pub use records::RECORDS_KINDS;
pub use replay::{Kept, Replayer};
pub use tls::TlsSettings;

/// The connector's name in settings.
pub const NAME: &str = "mqtt";

const LINK_KEYS: &[&str] = &[
    "address",
    "version",
    "tls",
    "client_id",
    "username",
    "username_file",
    "username_env",
    "password_file",
    "password_env",
    "keep_alive_s",
    "connect_timeout_s",
    "backoff_max_s",
    "sparkplug_rebirth",
];

/// The version of the protocol.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum Version {
    #[default]
    #[serde(rename = "3.1.1")]
    V311,
    #[serde(rename = "5")]
    V5,
}

/// Settings of a link to a broker.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Host and port of the broker, for example `127.0.0.1:1883`.
    pub address: String,
    #[serde(default)]
    pub version: Version,
    /// Without it the connection is neither secret nor sure of whom it talks to.
    pub tls: Option<TlsSettings>,
    /// Fixed, and of this daemon only: the broker keeps what is missed under this name.
    pub client_id: String,
    pub username: Option<String>,
    /// File whose first line is the username.
    pub username_file: Option<String>,
    /// Environment variable that holds the username.
    pub username_env: Option<String>,
    /// File whose first line is the password.
    pub password_file: Option<String>,
    /// Environment variable that holds the password.
    pub password_env: Option<String>,
    #[serde(default = "default_keep_alive_s")]
    pub keep_alive_s: u64,
    #[serde(default = "default_connect_timeout_s")]
    pub connect_timeout_s: u64,
    /// Longest wait between two attempts to connect.
    #[serde(default = "default_backoff_max_s")]
    pub backoff_max_s: u64,
    /// Whether Sparkplug nodes may be told to give birth again. A command to somebody's plant, so only where it is set.
    #[serde(default)]
    pub sparkplug_rebirth: bool,
}

const fn default_keep_alive_s() -> u64 {
    30
}

const fn default_connect_timeout_s() -> u64 {
    5
}

const fn default_backoff_max_s() -> u64 {
    60
}

/// Settings of a meter: its topic and what else its model asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TopicSettings {
    pub values: BTreeMap<String, String>,
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

    /// The keys that say the username; one of them, or none.
    fn usernames(&self) -> Vec<&'static str> {
        let given = [
            ("username", &self.username),
            ("username_file", &self.username_file),
            ("username_env", &self.username_env),
        ];
        given.iter().filter(|(_, value)| value.is_some()).map(|(key, _)| *key).collect()
    }

    /// Judges the settings without any I/O.
    #[must_use]
    pub fn check(&self, id: &str) -> Vec<Finding> {
        let subject = format!("link:{id}");
        let mut findings = Vec::new();
        let mut bad = |says: String| findings.push(invalid(&subject, says));
        if !is_host_and_port(&self.address) {
            bad(format!("address {:?} is no host and port; write it like 127.0.0.1:1883", self.address));
        }
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        if self.client_id.is_empty() || self.client_id.len() > 64 || !self.client_id.bytes().all(plain) {
            bad(format!("client_id {:?} must be 1 to 64 letters, digits, '-', '_' or '.'", self.client_id));
        }
        let usernames = self.usernames();
        if let [one, other, ..] = usernames.as_slice() {
            bad(format!("{one} and {other} are both given; keep one"));
        }
        if self.password_file.is_some() && self.password_env.is_some() {
            bad("password_file and password_env are both given; keep one".to_owned());
        }
        if usernames.is_empty() && (self.password_file.is_some() || self.password_env.is_some()) {
            bad("there is a password but no username; add it".to_owned());
        }
        if let Some(says) = self.tls.as_ref().and_then(TlsSettings::check) {
            bad(says.to_owned());
        }
        for (key, value, from, to) in [
            ("keep_alive_s", self.keep_alive_s, 5, 3_600),
            ("connect_timeout_s", self.connect_timeout_s, 1, 60),
            ("backoff_max_s", self.backoff_max_s, 1, 3_600),
        ] {
            if value < from || to < value {
                bad(format!("{key} is {value}; use {from} to {to}"));
            }
        }
        findings
    }
}

impl TopicSettings {
    /// Reads the connector's keys of a meter. Which there may be, its model says: see [`Subscriber::new`].
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn parse(meter: &MeterId, table: &toml::Table) -> Result<Self, Vec<Finding>> {
        let subject = format!("meter:{meter}");
        let mut values = BTreeMap::new();
        let mut findings = Vec::new();
        for (key, value) in table {
            match value {
                toml::Value::String(text) => drop(values.insert(key.clone(), text.clone())),
                toml::Value::Integer(number) => drop(values.insert(key.clone(), number.to_string())),
                _ => findings.push(invalid(&subject, format!("{key} must be a text or a whole number"))),
            }
        }
        if findings.is_empty() { Ok(Self { values }) } else { Err(findings) }
    }
}

/// Whether the files and the secrets that the settings name can be used. Reads them.
pub(crate) fn prove_files(link: &str, settings: &Settings) -> Result<(), LinkError> {
    session::prove_secrets(link, settings)?;
    settings.tls.as_ref().map_or(Ok(()), |tls| tls.prove(link))
}

/// Whether `topic` fits `pattern`, where `+` is one level and `#` the rest.
#[must_use]
pub fn topic_matches(pattern: &str, topic: &str) -> bool {
    let mut levels = topic.split('/');
    for wanted in pattern.split('/') {
        match (wanted, levels.next()) {
            ("#", _) => return true,
            ("+", Some(_)) => {}
            (wanted, Some(level)) if wanted == level => {}
            _ => return false,
        }
    }
    levels.next().is_none()
}

/// One meter behind a broker.
#[derive(Debug, Clone)]
pub struct Subscriber {
    pub(crate) meter: MeterId,
    pub(crate) bound: Bound,
    /// How often it is expected to speak.
    pub(crate) every_s: u32,
}

impl Subscriber {
    /// `None` when the model sends no messages.
    ///
    /// # Errors
    /// The settings do not fit the model.
    pub fn new(spec: &MeterSpec, settings: &TopicSettings) -> Option<Result<Self, BindError>> {
        let model = spec.model.payloads()?;
        let bound = model.bind(&settings.values);
        Some(bound.map(|bound| Self { meter: spec.id.clone(), bound, every_s: spec.every_s }))
    }

    /// What it reads, each in words: no two meters may read the same.
    pub(crate) fn places(&self) -> Vec<String> {
        self.bound.places()
    }
}

/// Every meter behind one broker.
#[derive(Debug)]
pub struct Mqtt {
    id: String,
    settings: Settings,
    subscribers: Vec<Subscriber>,
}

impl Mqtt {
    #[must_use]
    pub fn new(id: String, settings: Settings, subscribers: Vec<Subscriber>) -> Self {
        Self { id, settings, subscribers }
    }

    pub(crate) fn meters(&self) -> impl Iterator<Item = &MeterId> {
        self.subscribers.iter().map(|s| &s.meter)
    }

    /// Receives until told to stop. Never ends by itself.
    pub async fn run(self, inbox: Arc<dyn Inbox>, clock: Arc<dyn Clock>, stop: Stop) {
        run::run(self, inbox, clock, stop).await;
    }

    /// Subscribes under another client id and shows the first message of the meter, or that none came
    /// within `wait`. The daemon's own session at the broker is not touched.
    ///
    /// # Errors
    /// Why the broker could not be asked.
    pub async fn probe(
        &self,
        meter: &MeterId,
        clock: &dyn Clock,
        wait: Duration,
    ) -> Result<Probe, LinkError> {
        let subscriber = self.subscribers.iter().find(|s| s.meter == *meter);
        let subscriber = subscriber
            .ok_or_else(|| LinkError::NoSuchMeter { link: self.id.clone(), meter: meter.clone() })?;
        let begun = tokio::time::Instant::now();
        let topics = match &subscriber.bound.sparkplug {
            Some(of) => vec![of.filter()],
            None => subscriber.bound.messages.iter().map(|m| m.topic.clone()).collect(),
        };
        let messages = session::first_messages(&self.id, &self.settings, &topics, wait).await?;
        let mut probe = Probe {
            meter: meter.clone(),
            at: format!("mqtt {}, topic {}", self.settings.address, topics.join(" and ")),
            took: begun.elapsed(),
            lines: Vec::new(),
            texts: Vec::new(),
            notes: Vec::new(),
        };
        if messages.is_empty() {
            let seconds = wait.as_secs();
            probe
                .notes
                .push(format!("the broker accepts the subscription, but no message came in {seconds} s"));
        }
        for message in &messages {
            show(&mut probe, subscriber, message, When::arriving(clock.now()));
        }
        Ok(probe)
    }

    /// The names under which a device's values were last told, for kept payloads, and the meters of the link.
    #[must_use]
    pub fn replayer(&self, remembered: &[crate::inbox::Remembered]) -> Replayer {
        Replayer::new(&self.id, self.subscribers.clone(), remembered)
    }
}

/// Shows one message of a probe.
fn show(probe: &mut Probe, subscriber: &Subscriber, message: &session::Message, when: When) {
    let topic = message.topic();
    if message.retain {
        probe.notes.push(format!("{topic}: the message is an old one that the broker had retained"));
    }
    let beginning = message.payload.get(..1024).unwrap_or(&message.payload);
    match replay::decode(subscriber, None, topic, &message.payload, message.length, when) {
        Ok(read) if read.is_empty() => probe.notes.push(format!("{topic}: no reading of this meter in it")),
        Ok(read) => {
            for said in read {
                probe.notes.push(format!("{topic}: observed at {}", said.observed_at));
                let lines = said.values.iter().map(|(channel, v)| ProbeLine::new(*channel, "", *v));
                probe.lines.extend(lines);
            }
        }
        Err(error) => {
            let shown = String::from_utf8_lossy(beginning);
            probe.notes.push(format!("{topic}: not understood: {}; payload {shown}", sort::chain(&error)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Settings, Vec<String>> {
        let table: toml::Table = text.parse().unwrap();
        Settings::parse("broker", &table).map_err(|findings| findings.into_iter().map(|f| f.says).collect())
    }

    #[test]
    fn settings_are_read_and_bad_ones_refused() {
        let good = parse("address = \"localhost:1883\"\nclient_id = \"consuntivo-1\"").unwrap();
        assert_eq!((good.keep_alive_s, good.backoff_max_s), (30, 60));
        assert_eq!(
            parse("adress = \"x\"").unwrap_err(),
            ["key `adress` is not known; did you mean `address`?"]
        );
        let bad = parse("address = \"localhost\"\nclient_id = \"\"\npassword_env = \"P\"").unwrap_err();
        assert_eq!(bad.len(), 3, "{bad:?}");
        let meter = MeterId::new("m").unwrap();
        let table: toml::Table = "topic = \"a/b\"\nchannel = 1\nlist = []".parse().unwrap();
        let said = TopicSettings::parse(&meter, &table).unwrap_err();
        assert_eq!(said[0].says, "list must be a text or a whole number");
        let half =
            "address = \"h:1\"\nclient_id = \"c\"\ntls = { ca_file = \"ca\", client_key_file = \"k\" }";
        assert_eq!(parse(half).unwrap_err(), ["tls has a client_key_file but no client_cert_file; add it"]);
        let with = |more: &str| parse(&format!("address = \"h:1\"\nclient_id = \"c\"\n{more}"));
        assert!(with("username_file = \"/u\"\npassword_file = \"/p\"").is_ok());
        assert!(with("username_env = \"U\"\npassword_env = \"P\"").is_ok());
        let both = "are both given; keep one";
        for (keys, says) in [
            ("username = \"u\"\nusername_file = \"/u\"", "username and username_file"),
            ("username_file = \"/u\"\nusername_env = \"U\"", "username_file and username_env"),
        ] {
            assert_eq!(with(keys).unwrap_err(), [format!("{says} {both}")]);
        }
        let old = parse("address = \"h:1\"\nclient_id = \"c\"\nversion = \"3.1\"").unwrap_err();
        assert!(old[0].contains("unknown variant `3.1`"), "{old:?}");
    }

    #[test]
    fn patterns_match_topics() {
        assert!(topic_matches("tele/+/SENSOR", "tele/boiler/SENSOR"));
        assert!(topic_matches("#", "a/b"));
        assert!(!topic_matches("tele/+/SENSOR", "tele/a/b/SENSOR"));
        assert!(!topic_matches("tele/+", "tele"));
    }
}
