//! Dumps of real meters in an installation's catalogue: `dumps/*.toml`, which prove the files of their models.
//!
//! Must never: raise a model whose registers and display do not agree.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use model::{Channel, Kind, MeterId, ModelId};
use profile::{Dump, MeterModel, PulseUse, Shown, Space};
use serde::Deserialize;

use super::parts::{KeyError, channel_named};
use super::pulses::PulseForm;
use super::registers::words;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DumpForm {
    model: String,
    /// The installation's id of the meter, where its model's units are set in each meter.
    meter: Option<String>,
    /// What the input of a pulse counter counts, as the installation says it.
    pulse: Option<PulseForm>,
    serial: String,
    read_on: String,
    #[serde(default)]
    input: BTreeMap<String, String>,
    #[serde(default)]
    holding: BTreeMap<String, String>,
    #[serde(default)]
    coil: BTreeMap<String, String>,
    #[serde(default)]
    discrete: BTreeMap<String, String>,
    display: BTreeMap<String, String>,
}

/// A dump as its file says it.
#[derive(Debug)]
pub(super) struct DumpFile {
    pub(super) model: ModelId,
    pub(super) meter: Option<MeterId>,
    /// Of which meter it is, and of which day.
    pub(super) source: String,
    pub(super) dump: Dump,
    pub(super) pulse: Option<PulseUse>,
}

/// Reads one dump.
pub(super) fn parse(text: &str) -> Result<Result<DumpFile, KeyError>, toml::de::Error> {
    Ok(toml::from_str::<DumpForm>(text)?.file())
}

impl DumpForm {
    fn file(self) -> Result<DumpFile, KeyError> {
        let model = ModelId::new(&self.model).map_err(|e| ("model".to_owned(), e.to_string()))?;
        let meter = self.meter.as_deref().map(MeterId::new).transpose();
        let meter = meter.map_err(|e| ("meter".to_owned(), e.to_string()))?;
        let day = NaiveDate::parse_from_str(&self.read_on, "%Y-%m-%d").map_err(|_| {
            let says = format!("{:?} is not a day; write it like \"2026-02-03\"", self.read_on);
            ("read_on".to_owned(), says)
        })?;
        if self.serial.trim().is_empty() {
            return Err(("serial".to_owned(), "give the number on the meter's plate".to_owned()));
        }
        let shown = self.display.iter().map(|(name, text)| {
            let key = format!("display.{name}");
            let channel = channel_named(&key, name)?;
            Shown::parse(channel, text).ok_or_else(|| {
                let says = format!("{text:?} is no total of {channel}; write it like \"12345.6 kWh\"");
                (key, says)
            })
        });
        let shown: Vec<Shown> = shown.collect::<Result<_, _>>()?;
        if shown.is_empty() {
            return Err(("display".to_owned(), "give what the display showed".to_owned()));
        }
        let spaces = [
            (Space::Input, &self.input),
            (Space::Holding, &self.holding),
            (Space::Coil, &self.coil),
            (Space::Discrete, &self.discrete),
        ];
        let pulse = self.pulse.as_ref().map(PulseForm::used).transpose()?;
        Ok(DumpFile {
            model,
            meter,
            pulse,
            source: format!(
                "register dump of the meter with serial number {}, read on {day}",
                self.serial.trim()
            ),
            dump: Dump { registers: words("dump", spaces)?, shown },
        })
    }
}

/// The totals of a model: what a dump must prove.
pub(super) fn totals(model: &MeterModel) -> BTreeSet<Channel> {
    model.channels().into_iter().filter(|c| c.quantity.kind() == Kind::Total).collect()
}
