//! MQTT 3.1.1: settings, and the link that subscribes to the topics of its meters.
//!
//! Must never: acknowledge a message before what it said is durable, or count a retained one as new.

mod run;
mod session;
mod sort;

use std::sync::Arc;
use std::time::Duration;

use model::{Finding, MeterId};
use serde::Deserialize;

use crate::error::LinkError;
use crate::inbox::{Clock, Inbox, Stop};
use crate::keys::{self, invalid};
use crate::link::{MeterSpec, Probe, ProbeLine};
use crate::modbus::is_host_and_port;

/// The connector's name in settings.
pub const NAME: &str = "mqtt";

const LINK_KEYS: &[&str] = &[
    "address",
    "client_id",
    "username",
    "password_file",
    "password_env",
    "keep_alive_s",
    "connect_timeout_s",
    "backoff_max_s",
];
const METER_KEYS: &[&str] = &["topic"];

/// Settings of a link to a broker.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Host and port of the broker, for example `127.0.0.1:1883`.
    pub address: String,
    /// Fixed, and of this daemon only: the broker keeps what is missed under this name.
    pub client_id: String,
    pub username: Option<String>,
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

/// Settings of a meter.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TopicSettings {
    /// The one topic its messages come on, without wildcards.
    pub topic: String,
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
        let mut bad = |says: String| findings.push(invalid(&subject, says));
        if !is_host_and_port(&self.address) {
            bad(format!("address {:?} is no host and port; write it like 127.0.0.1:1883", self.address));
        }
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        if self.client_id.is_empty() || self.client_id.len() > 64 || !self.client_id.bytes().all(plain) {
            bad(format!("client_id {:?} must be 1 to 64 letters, digits, '-', '_' or '.'", self.client_id));
        }
        if self.password_file.is_some() && self.password_env.is_some() {
            bad("password_file and password_env are both given; keep one".to_owned());
        }
        if self.username.is_none() && (self.password_file.is_some() || self.password_env.is_some()) {
            bad("there is a password but no username; add it".to_owned());
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
    /// Reads the connector's keys of a meter.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn parse(meter: &MeterId, table: &toml::Table) -> Result<Self, Vec<Finding>> {
        let subject = format!("meter:{meter}");
        let settings: Self = keys::read(&subject, table, METER_KEYS)?;
        let topic = &settings.topic;
        if topic.is_empty() || topic.len() > 1024 || topic.contains(['+', '#', '\0']) {
            let says =
                format!("topic {topic:?} must be one whole topic without wildcards, at most 1024 bytes");
            return Err(vec![invalid(&subject, says)]);
        }
        Ok(settings)
    }
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
    pub(crate) topic: String,
    pub(crate) model: Arc<profile::MeterModel>,
}

impl Subscriber {
    /// `None` when the model sends no messages.
    #[must_use]
    pub fn new(spec: &MeterSpec, settings: TopicSettings) -> Option<Self> {
        spec.model.payloads()?;
        Some(Self { meter: spec.id.clone(), topic: settings.topic, model: Arc::clone(&spec.model) })
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
        let message = session::first_message(&self.id, &self.settings, &subscriber.topic, wait).await?;
        let mut probe = Probe {
            meter: meter.clone(),
            at: format!("mqtt {}, topic {}", self.settings.address, subscriber.topic),
            took: begun.elapsed(),
            lines: Vec::new(),
            notes: Vec::new(),
        };
        let Some((payload, retained)) = message else {
            let seconds = wait.as_secs();
            probe
                .notes
                .push(format!("the broker accepts the subscription, but no message came in {seconds} s"));
            return Ok(probe);
        };
        if retained {
            probe.notes.push("the message is an old one that the broker had retained".to_owned());
        }
        let shown = String::from_utf8_lossy(&payload[..payload.len().min(1024)]).into_owned();
        match subscriber.model.payloads().map(|model| model.decode(&payload, clock.now())) {
            Some(Ok(message)) => {
                probe.notes.push(format!("observed at {}; payload {shown}", message.observed_at));
                let lines = message.values.iter().map(|(channel, v)| ProbeLine::new(*channel, "", *v));
                probe.lines.extend(lines);
            }
            Some(Err(error)) => {
                probe.notes.push(format!("not understood: {}; payload {shown}", sort::chain(&error)));
            }
            None => {}
        }
        Ok(probe)
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
        for topic in ["", "a/+", "#"] {
            let table: toml::Table = format!("topic = \"{topic}\"").parse().unwrap();
            assert!(TopicSettings::parse(&meter, &table).is_err(), "{topic:?}");
        }
    }

    #[test]
    fn patterns_match_topics() {
        assert!(topic_matches("tele/+/SENSOR", "tele/boiler/SENSOR"));
        assert!(topic_matches("#", "a/b"));
        assert!(!topic_matches("tele/+/SENSOR", "tele/a/b/SENSOR"));
        assert!(!topic_matches("tele/+", "tele"));
    }
}
