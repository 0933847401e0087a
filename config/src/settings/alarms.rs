//! Settings of alarms and of the displays for a building's users.
//!
//! Must never: hold a secret; it stands in a file of its own.

use std::path::{Path, PathBuf};

use model::{BuildingId, ProjectId};

use crate::project::grant::is_address;
use crate::reader::{Source, Table};

/// When alarms are raised, and who is told.
#[derive(Debug, Clone, PartialEq)]
pub struct AlarmSettings {
    /// A meter is silent after so many of its periods, and never before `silent_after_minutes`.
    pub silent_after_periods: u32,
    pub silent_after_minutes: u32,
    /// A total stands still after so many hours in which energy usually flows.
    pub frozen_after_hours: u32,
    /// Implausible readings of a day from which on it is wrong.
    pub implausible_readings: u32,
    /// Nights above what is usual for their weather, in percent.
    pub base_load_percent: u32,
    /// Days in a row above the model by more than the percentage.
    pub above_model_days: u32,
    pub above_model_percent: u32,
    /// The least self-consumed share of the production of four weeks; not watched without.
    pub self_consumption_percent: Option<u32>,
    /// By how much of its target the year's forecast has to miss it; 0: by anything.
    pub target_shortfall_percent: u32,
    /// Who gets a letter for each alarm, by the server of `[mail]`.
    pub mail_to: Vec<String>,
    /// Where each alarm is posted as JSON.
    pub webhook: Option<String>,
    /// Its first line is sent as a bearer token.
    pub webhook_token_file: Option<PathBuf>,
    /// The authority of the webhook's certificate, PEM.
    pub webhook_ca_file: Option<PathBuf>,
}

impl AlarmSettings {
    /// For how long a meter with this period may say nothing before it is silent, in seconds.
    #[must_use]
    pub fn silence_s(&self, every_s: u32) -> f64 {
        let periods_s = f64::from(self.silent_after_periods) * f64::from(every_s);
        periods_s.max(f64::from(self.silent_after_minutes) * 60.0)
    }
}

impl Default for AlarmSettings {
    fn default() -> Self {
        Self {
            silent_after_periods: 10,
            silent_after_minutes: 15,
            frozen_after_hours: 24,
            implausible_readings: 10,
            base_load_percent: 20,
            above_model_days: 3,
            above_model_percent: 10,
            self_consumption_percent: None,
            target_shortfall_percent: 0,
            mail_to: Vec::new(),
            webhook: None,
            webhook_token_file: None,
            webhook_ca_file: None,
        }
    }
}

/// A display that everyone may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KioskSettings {
    pub project: ProjectId,
    pub building: BuildingId,
}

/// Most displays of one installation.
pub const KIOSKS_MAX: usize = 1_000;
/// Most people told of an alarm.
const MAIL_TO_MAX: usize = 20;
const FILE: &str = "a file, absolute or relative to this one";

pub(super) fn read(source: &Source<'_>, root: &Table<'_, '_>, base: &Path) -> Option<AlarmSettings> {
    let Some(table) = root.table_optional("alarms") else { return Some(AlarmSettings::default()) };
    let usual = AlarmSettings::default();
    let number = |key, most: i64, usual: u32| {
        table.integer_or(key, 1..=most, i64::from(usual)).and_then(|n| u32::try_from(n).ok())
    };
    let silent_after_periods = number("silent_after_periods", 10_000, usual.silent_after_periods);
    let silent_after_minutes = number("silent_after_minutes", 44_640, usual.silent_after_minutes);
    let frozen_after_hours = number("frozen_after_hours", 2_160, usual.frozen_after_hours);
    let implausible_readings = number("implausible_readings", 1_000_000, usual.implausible_readings);
    let base_load_percent = number("base_load_percent", 1_000, usual.base_load_percent);
    let above_model_days = number("above_model_days", 7, usual.above_model_days);
    let above_model_percent = number("above_model_percent", 1_000, usual.above_model_percent);
    let share = table.integer_optional("self_consumption_percent", 1..=100);
    let short = table.integer_or("target_shortfall_percent", 0..=99, 0).and_then(|n| u32::try_from(n).ok());
    let mail_to = table.texts("mail_to", "mail addresses", MAIL_TO_MAX);
    if let Some(wrong) = mail_to.iter().find(|to| !is_address(to)) {
        let says = format!("{wrong:?} is no mail address");
        source.report_at(&table.at("mail_to"), says, "write addresses such as \"plants@example.org\"");
    }
    let webhook = table.parsed_optional("webhook", "an http or https address", |text| {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
        (!rest.is_empty() && !text.contains(char::is_whitespace)).then(|| text.to_owned())
    });
    let path = |key| table.text_optional(key, FILE).map(|text| base.join(text));
    let (webhook_token_file, webhook_ca_file) = (path("webhook_token_file"), path("webhook_ca_file"));
    table.finish();
    Some(AlarmSettings {
        silent_after_periods: silent_after_periods?,
        silent_after_minutes: silent_after_minutes?,
        frozen_after_hours: frozen_after_hours?,
        implausible_readings: implausible_readings?,
        base_load_percent: base_load_percent?,
        above_model_days: above_model_days?,
        above_model_percent: above_model_percent?,
        self_consumption_percent: share.and_then(|n| u32::try_from(n).ok()),
        target_shortfall_percent: short?,
        mail_to,
        webhook,
        webhook_token_file,
        webhook_ca_file,
    })
}

pub(super) fn read_kiosk(table: &Table<'_, '_>) -> Option<KioskSettings> {
    let project = table.parsed("project", "the id of a project", |t| ProjectId::new(t).ok());
    let building = table.parsed("building", "the id of a building of it", |t| BuildingId::new(t).ok());
    table.finish();
    Some(KioskSettings { project: project?, building: building? })
}
