//! An installation in a temporary folder: its settings file, its links and meters, its data directory.
//!
//! Must never: be shared by two tests.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use store::Store;
use tempfile::TempDir;

use crate::daemon::Daemon;

/// A folder with an installation file. Removed when dropped.
#[derive(Debug)]
pub struct Site {
    folder: TempDir,
    settings: String,
}

impl Site {
    /// An installation without links, whose pages listen on a port of the system's choice.
    ///
    /// # Panics
    /// When no temporary folder can be made.
    #[must_use]
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let settings = "[installation]\nid = \"prova\"\nname = \"Prova\"\ndata_dir = \"data\"\n\n\
                        [web]\nlisten = \"127.0.0.1:0\"\n"
            .to_owned();
        let site = Self { folder, settings };
        site.write();
        site
    }

    /// Replaces a text of the settings file, for what the other functions do not foresee.
    #[must_use]
    pub fn with(mut self, from: &str, to: &str) -> Self {
        assert!(self.settings.contains(from), "the settings do not contain {from:?}:\n{}", self.settings);
        self.settings = self.settings.replace(from, to);
        self.write();
        self
    }

    /// The settings file as it was last written.
    #[must_use]
    pub fn settings(&self) -> &str {
        &self.settings
    }

    /// Puts a text in place of the whole settings file, also while a daemon runs.
    pub fn rewrite(&mut self, settings: String) {
        self.settings = settings;
        self.write();
    }

    /// Adds an MQTT link to `broker` with one meter of the plain JSON model on `topic`.
    #[must_use]
    pub fn with_mqtt_meter(self, broker: SocketAddr, meter: &str, topic: &str) -> Self {
        let link = format!(
            "[[link]]\nid = \"broker\"\nconnector = \"mqtt\"\naddress = \"{broker}\"\nclient_id = \"prova\"\n"
        );
        let own = format!("topic = \"{topic}\"\n");
        self.add(&link, meter, "broker", "consuntivo-json", &own)
    }

    /// Adds text to the settings, for what the other functions do not foresee.
    #[must_use]
    pub fn with_text(mut self, text: &str) -> Self {
        self.settings.push_str(text);
        self.write();
        self
    }

    /// Adds a Modbus TCP link named `link` with one SDM630 behind it, read every second.
    #[must_use]
    pub fn with_modbus_meter(self, address: SocketAddr, link: &str, meter: &str) -> Self {
        // Short, because a test does not wait for a meter that is not there; far above a local round trip.
        let link_text = format!(
            "[[link]]\nid = \"{link}\"\nconnector = \"modbus-tcp\"\naddress = \"{address}\"\n\
             timeout_ms = 500\nconnect_timeout_ms = 500\nbackoff_max_s = 1\n"
        );
        self.add(&link_text, meter, link, "eastron-sdm630", "unit = 1\n")
    }

    fn add(mut self, link_text: &str, meter: &str, link: &str, model: &str, own: &str) -> Self {
        let meter = format!(
            "[[meter]]\nid = \"{meter}\"\nlink = \"{link}\"\nmodel = \"{model}\"\nevery_s = 1\n{own}"
        );
        write!(self.settings, "\n{link_text}\n{meter}").expect("a String takes every text");
        self.write();
        self
    }

    fn write(&self) {
        std::fs::write(self.settings_file(), &self.settings).expect("the settings can be written");
    }

    /// The folder that holds everything.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    #[must_use]
    pub fn settings_file(&self) -> PathBuf {
        self.path().join("consuntivo.toml")
    }

    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.path().join("data")
    }

    #[must_use]
    pub fn log_file(&self) -> PathBuf {
        self.path().join("daemon.log")
    }

    /// Starts the daemon without waiting.
    #[must_use]
    pub fn spawn(&self) -> Daemon {
        Daemon::spawn(&self.settings_file(), &self.log_file())
    }

    /// Starts the daemon and waits until it answers.
    #[must_use]
    pub fn start(&self) -> Daemon {
        Daemon::start(&self.settings_file(), &self.log_file())
    }

    /// Runs a command of the binary on this installation: `arguments`, then `--config FILE`.
    #[must_use]
    pub fn run(&self, arguments: &[&str]) -> std::process::Output {
        let file = self.settings_file();
        let mut all = arguments.to_vec();
        all.extend(["--config", file.to_str().expect("temporary folders have plain names")]);
        crate::daemon::run(&all)
    }

    /// The journal, opened as a command beside the daemon would.
    ///
    /// # Panics
    /// When it cannot be opened.
    #[must_use]
    pub fn journal(&self) -> Store {
        Store::open_shared(&self.data_dir()).unwrap_or_else(|e| panic!("the journal cannot be opened: {e}"))
    }
}

impl Default for Site {
    fn default() -> Self {
        Self::new()
    }
}
