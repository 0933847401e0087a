//! The meter files of the catalogue: read, judged, and proved by their own examples.
//!
//! Must never: load a file with an unknown key, a unit that does not measure its quantity, or an
//! example that does not come out.

mod dumps;
mod identify;
mod kept;
mod mbus;
mod parts;
mod payloads;
mod pulses;
mod registers;
mod statuses;
mod texts;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::{Channel, MeterId, ModelId};
use profile::sunspec::common_texts;
use profile::{Evidence, EvidenceLevel, Interface, Layout, MeterModel, TextRegister};
use serde::Deserialize;

use identify::{IdentifyForm, identifications};
use mbus::{MBusForm, RecordForm, telegrams};
use parts::{ExampleForm, KeyError, one_of};
use payloads::{FieldForm, MqttForm, payloads};
use pulses::{InputForm, pulse_key, pulses};
use registers::{MeasureForm, ModbusForm, registers};
use statuses::StatusForm;
use texts::{TextForm, texts};

/// Largest meter file that is read.
pub const METER_FILE_BYTES_MAX: u64 = 1_048_576;
/// Most meter files a folder may hold.
pub const METER_FILES_MAX: usize = 4_096;

/// Why a meter file is not used. It names the file, the place in it, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum MeterFileError {
    #[error("{file}: cannot be read; check that it exists and may be read")]
    Read {
        file: String,
        #[source]
        source: std::io::Error,
    },
    #[error("{file}: {bytes} bytes are more than the {METER_FILE_BYTES_MAX} allowed; split or shorten it")]
    TooLarge { file: String, bytes: u64 },
    #[error("{folder}: more than {METER_FILES_MAX} meter files; keep only those in use")]
    TooMany { folder: String },
    #[error("{file}:{line}: {says}")]
    Form { file: String, line: usize, says: String },
    #[error("{file}: `{key}`: {says}")]
    Key { file: String, key: String, says: String },
    #[error("{file}: the register map cannot be used")]
    Model {
        file: String,
        #[source]
        source: profile::ModelError,
    },
    #[error("{file}: the records cannot be used")]
    Records {
        file: String,
        #[source]
        source: profile::MBusModelError,
    },
    #[error("{file}: the inputs cannot be used")]
    Pulses {
        file: String,
        #[source]
        source: profile::PulseError,
    },
    #[error("{file}: the examples do not prove the file")]
    Example {
        file: String,
        #[source]
        source: profile::ExampleError,
    },
    #[error("{file}: no meter model {id} in the catalogue; correct `model`")]
    UnknownModel { file: String, id: ModelId },
    #[error("{file}: this dump of a real meter contradicts the meter's file")]
    Dump {
        file: String,
        #[source]
        source: profile::DumpError,
    },
    #[error("{file}: the id {id} is also claimed by {other}; rename one of them")]
    Twice { file: String, other: String, id: ModelId },
}

/// Every known meter model, by id and by the ids it replaces.
#[derive(Debug, Clone, Default)]
pub struct Meters {
    models: BTreeMap<ModelId, Arc<MeterModel>>,
    /// Old ids.
    replaced: BTreeMap<ModelId, ModelId>,
    /// Which file a model came from.
    files: BTreeMap<ModelId, String>,
    /// Totals that a dump of a real meter has proved: of every meter of the model, or of one.
    proved: BTreeMap<ModelId, BTreeSet<(Option<MeterId>, Channel)>>,
}

impl Meters {
    /// The model of an id, or of an id it was known by before.
    #[must_use]
    pub fn get(&self, id: &ModelId) -> Option<&Arc<MeterModel>> {
        self.models.get(id).or_else(|| self.replaced.get(id).and_then(|now| self.models.get(now)))
    }

    /// All models, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<MeterModel>> {
        self.models.values()
    }

    /// Whether readings of a meter's channel may enter a report: not those of an experimental model, unless a dump in
    /// the installation's catalogue has proved them. A model that is not known proves nothing.
    #[must_use]
    pub fn is_proved(&self, id: &ModelId, meter: &MeterId, channel: Channel) -> bool {
        let Some(model) = self.get(id) else { return false };
        let of = model.evidence.each_meter.then(|| meter.clone());
        model.evidence.level != EvidenceLevel::Experimental
            || self.proved.get(&model.id).is_some_and(|proved| proved.contains(&(of, channel)))
    }

    /// Takes a dump as evidence. A model of which every total is proved has been read on a bench.
    fn prove(&mut self, file: &str, text: &str) -> Result<(), MeterFileError> {
        let form = dumps::parse(text).map_err(|error| form_error(file, text, &error))?;
        let at_key = |(key, says)| MeterFileError::Key { file: file.to_owned(), key, says };
        let form = form.map_err(at_key)?;
        let Some(model) = self.get(&form.model) else {
            return Err(MeterFileError::UnknownModel { file: file.to_owned(), id: form.model });
        };
        let mut model = MeterModel::clone(model);
        let meter = form.meter.filter(|_| model.evidence.each_meter);
        if model.evidence.each_meter && meter.is_none() {
            let says = format!("units of {} are set in each meter; give the id of the one dumped", model.id);
            return Err(at_key(("meter".to_owned(), says)));
        }
        let source = |source| MeterFileError::Dump { file: file.to_owned(), source };
        // What a pulse counter was told to count is part of the proof.
        let dumped = match &form.pulse {
            Some(pulse) => model.counting(pulse).map_err(|error| at_key(pulse_key(error)))?,
            None => model.clone(),
        };
        let proved = self.proved.entry(model.id.clone()).or_default();
        proved.extend(form.dump.prove(&dumped).map_err(source)?.into_iter().map(|c| (meter.clone(), c)));
        model.evidence.sources.push(form.source);
        let mut totals = dumps::totals(&model).into_iter().peekable();
        if totals.peek().is_some() && totals.all(|channel| proved.contains(&(None, channel))) {
            model.evidence.level = model.evidence.level.max(EvidenceLevel::Bench);
        }
        self.models.insert(model.id.clone(), Arc::new(model));
        Ok(())
    }

    fn add_file(&mut self, file: &str, text: &str) -> Result<(), MeterFileError> {
        self.add(file, parse_meter(file, text)?)
    }

    fn add(&mut self, file: &str, model: MeterModel) -> Result<(), MeterFileError> {
        for id in std::iter::once(&model.id).chain(&model.replaces) {
            let claimed = if self.models.contains_key(id) { Some(id) } else { self.replaced.get(id) };
            if let Some(owner) = claimed {
                let other = self.files.get(owner).cloned().unwrap_or_default();
                return Err(MeterFileError::Twice { file: file.to_owned(), other, id: id.clone() });
            }
        }
        for old in &model.replaces {
            self.replaced.insert(old.clone(), model.id.clone());
        }
        self.files.insert(model.id.clone(), file.to_owned());
        self.models.insert(model.id.clone(), Arc::new(model));
        Ok(())
    }
}

/// The meters that come with the program and, with an installation's catalogue folder, the files `meters/*.toml` in
/// it, proved by the dumps of real meters `dumps/*.toml`.
///
/// # Errors
/// Every file that cannot be used, each with its reason.
pub fn load_meters(catalog_dir: Option<&Path>) -> Result<Meters, Vec<MeterFileError>> {
    let mut meters = Meters::default();
    let mut errors = Vec::new();
    for (file, text) in embedded() {
        if let Err(error) = parse_meter(file, text).and_then(|model| meters.add(file, model)) {
            errors.push(error);
        }
    }
    for (name, use_file) in [("meters", Meters::add_file as UseFile), ("dumps", Meters::prove)] {
        let Some(folder) = catalog_dir.map(|dir| dir.join(name)).filter(|folder| folder.is_dir()) else {
            continue;
        };
        match files_in(&folder) {
            Err(error) => errors.push(error),
            Ok(files) => {
                for path in files {
                    let file = path.display().to_string();
                    if let Err(error) = read(&path).and_then(|text| use_file(&mut meters, &file, &text)) {
                        errors.push(error);
                    }
                }
            }
        }
    }
    if errors.is_empty() { Ok(meters) } else { Err(errors) }
}

/// What is done with a file: its name in errors, and its text.
type UseFile = fn(&mut Meters, &str, &str) -> Result<(), MeterFileError>;

/// The meter files that come with the program, by name.
fn embedded() -> impl Iterator<Item = (&'static str, &'static str)> {
    crate::embedded::FILES.iter().filter_map(|(path, text)| Some((path.strip_prefix("meters/")?, *text)))
}

fn files_in(folder: &Path) -> Result<Vec<PathBuf>, MeterFileError> {
    let failed = |source| MeterFileError::Read { file: folder.display().to_string(), source };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|e| e == "toml") {
            files.push(path);
        }
        if files.len() > METER_FILES_MAX {
            return Err(MeterFileError::TooMany { folder: folder.display().to_string() });
        }
    }
    files.sort();
    Ok(files)
}

fn read(path: &Path) -> Result<String, MeterFileError> {
    let file = || path.display().to_string();
    let failed = |source| MeterFileError::Read { file: file(), source };
    let bytes = std::fs::metadata(path).map_err(failed)?.len();
    if bytes > METER_FILE_BYTES_MAX {
        return Err(MeterFileError::TooLarge { file: file(), bytes });
    }
    std::fs::read_to_string(path).map_err(failed)
}

/// Reads one meter file and proves it by its examples. `file` is only named in errors.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn parse_meter(file: &str, text: &str) -> Result<MeterModel, MeterFileError> {
    let form: MeterForm = toml::from_str(text).map_err(|error| form_error(file, text, &error))?;
    let model =
        form.model().map_err(|(key, says)| MeterFileError::Key { file: file.to_owned(), key, says })?;
    match &model.interface {
        Interface::Registers(registers) => {
            registers.check().map_err(|source| MeterFileError::Model { file: file.to_owned(), source })?;
        }
        Interface::MBus(telegrams) => {
            telegrams.check().map_err(|source| MeterFileError::Records { file: file.to_owned(), source })?;
        }
        Interface::Pulses(pulses) => {
            pulses.check().map_err(|source| MeterFileError::Pulses { file: file.to_owned(), source })?;
        }
        Interface::Payloads(_) => {}
    }
    model.prove().map_err(|source| MeterFileError::Example { file: file.to_owned(), source })?;
    Ok(model)
}

fn form_error(file: &str, text: &str, error: &toml::de::Error) -> MeterFileError {
    MeterFileError::Form {
        file: file.to_owned(),
        line: error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1),
        says: format!("{}; compare with a file of the catalogue", error.message().replace('\n', " ")),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MeterForm {
    id: String,
    #[serde(default)]
    replaces: Vec<String>,
    maker: String,
    name: String,
    #[serde(default)]
    caveats: Vec<String>,
    evidence: EvidenceForm,
    modbus: Option<ModbusForm>,
    mqtt: Option<MqttForm>,
    mbus: Option<MBusForm>,
    #[serde(default, rename = "measure")]
    measures: Vec<MeasureForm>,
    #[serde(default, rename = "status")]
    statuses: Vec<StatusForm>,
    #[serde(default, rename = "field")]
    fields: Vec<FieldForm>,
    #[serde(default)]
    identify: Vec<IdentifyForm>,
    #[serde(default, rename = "text")]
    texts: Vec<TextForm>,
    #[serde(default, rename = "record")]
    records: Vec<RecordForm>,
    #[serde(default, rename = "input")]
    inputs: Vec<InputForm>,
    #[serde(default, rename = "example")]
    examples: Vec<ExampleForm>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EvidenceForm {
    level: String,
    sources: Vec<String>,
    #[serde(default)]
    each_meter: bool,
}

impl MeterForm {
    fn model(self) -> Result<MeterModel, KeyError> {
        let id = |key: &str, text: &str| ModelId::new(text).map_err(|e| (key.to_owned(), e.to_string()));
        let level = one_of("evidence.level", &self.evidence.level, EvidenceLevel::parse, || {
            EvidenceLevel::ALL.iter().map(|l| l.code()).collect()
        })?;
        if !self.statuses.is_empty() && self.measures.is_empty() {
            return Err(("status".to_owned(), "only meters with [[measure]] have a [[status]]".to_owned()));
        }
        let interface = match (self.modbus, self.mqtt, self.mbus) {
            (Some(limits), None, None)
                if !self.inputs.is_empty()
                    && self.measures.is_empty()
                    && self.fields.is_empty()
                    && self.records.is_empty() =>
            {
                Interface::Pulses(pulses(&limits, &self.inputs, &self.examples)?)
            }
            (Some(limits), None, None)
                if self.fields.is_empty() && self.records.is_empty() && self.inputs.is_empty() =>
            {
                Interface::Registers(registers(limits, self.measures, &self.statuses, self.examples)?)
            }
            (None, Some(mqtt), None)
                if self.measures.is_empty() && self.records.is_empty() && self.inputs.is_empty() =>
            {
                Interface::Payloads(Box::new(payloads(mqtt, self.fields, self.examples)?))
            }
            (None, None, Some(mbus))
                if self.measures.is_empty() && self.fields.is_empty() && self.inputs.is_empty() =>
            {
                Interface::MBus(telegrams(&mbus, &self.records, &self.examples)?)
            }
            _ => {
                return Err((
                    "modbus".to_owned(),
                    "give [modbus] with [[measure]] or [[input]], [mqtt] with [[field]], or [mbus] with [[record]]"
                        .to_owned(),
                ));
            }
        };
        Ok(MeterModel {
            id: id("id", &self.id)?,
            replaces: self.replaces.iter().map(|old| id("replaces", old)).collect::<Result<_, _>>()?,
            maker: self.maker,
            name: self.name,
            evidence: Evidence {
                level,
                sources: self.evidence.sources,
                each_meter: self.evidence.each_meter,
            },
            caveats: self.caveats,
            identify: identifications(&self.identify)?,
            texts: texts_of(&self.texts, &interface)?,
            interface,
        })
    }
}

/// The texts of a file; those of a SunSpec device stand in its common model.
fn texts_of(forms: &[TextForm], interface: &Interface) -> Result<Vec<TextRegister>, KeyError> {
    match interface {
        Interface::Registers(model) if model.layout != Layout::Fixed => {
            if forms.is_empty() {
                return Ok(common_texts().collect());
            }
            let says = "the texts of a SunSpec device stand in its common model; leave [[text]] out";
            Err(("text".to_owned(), says.to_owned()))
        }
        Interface::Registers(model) => texts(forms, model.limits),
        Interface::Pulses(model) => texts(forms, model.limits),
        Interface::Payloads(_) | Interface::MBus(_) if forms.is_empty() => Ok(Vec::new()),
        Interface::Payloads(_) | Interface::MBus(_) => {
            Err(("text".to_owned(), "only meters with [modbus] have a [[text]]".to_owned()))
        }
    }
}

#[cfg(test)]
#[path = "meters_tests.rs"]
mod tests;
