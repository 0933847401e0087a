//! The meter files of the catalogue: read, judged, and proved by their own examples.
//!
//! Must never: load a file with an unknown key, a unit that does not measure its quantity, or an
//! example that does not come out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::{Channel, Instant, ModelId, Phase, Quantity, Unit};
use profile::{
    Decimal, Encoding, Evidence, EvidenceLevel, Expected, Field, Interface, Limits, Measure, MeterModel,
    Number, PayloadExample, PayloadModel, Range, RegisterExample, RegisterModel, RegisterRef, Space,
    TimeField, TimeForm, WordOrder,
};
use serde::Deserialize;

/// The files that come with the program, by name.
const EMBEDDED: &[(&str, &str)] = &[
    ("carlo-gavazzi-em340.toml", include_str!("../catalog/meters/carlo-gavazzi-em340.toml")),
    ("consuntivo-json.toml", include_str!("../catalog/meters/consuntivo-json.toml")),
    ("eastron-sdm630.toml", include_str!("../catalog/meters/eastron-sdm630.toml")),
    ("tasmota-sensor.toml", include_str!("../catalog/meters/tasmota-sensor.toml")),
];

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
    #[error("{file}: the examples do not prove the file")]
    Example {
        file: String,
        #[source]
        source: profile::ExampleError,
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

/// The meters that come with the program and, with a folder, the `*.toml` files in it.
///
/// # Errors
/// Every file that cannot be used, each with its reason.
pub fn load_meters(folder: Option<&Path>) -> Result<Meters, Vec<MeterFileError>> {
    let mut meters = Meters::default();
    let mut errors = Vec::new();
    for (file, text) in EMBEDDED {
        if let Err(error) = parse_meter(file, text).and_then(|model| meters.add(file, model)) {
            errors.push(error);
        }
    }
    if let Some(folder) = folder {
        match files_in(folder) {
            Err(error) => errors.push(error),
            Ok(files) => {
                for path in files {
                    let file = path.display().to_string();
                    let model = read(&path).and_then(|text| parse_meter(&file, &text));
                    if let Err(error) = model.and_then(|model| meters.add(&file, model)) {
                        errors.push(error);
                    }
                }
            }
        }
    }
    if errors.is_empty() { Ok(meters) } else { Err(errors) }
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
    let form: MeterForm = toml::from_str(text).map_err(|error| MeterFileError::Form {
        file: file.to_owned(),
        line: error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1),
        says: format!("{}; compare with a file of the catalogue", error.message().replace('\n', " ")),
    })?;
    let model =
        form.model().map_err(|(key, says)| MeterFileError::Key { file: file.to_owned(), key, says })?;
    if let Interface::Registers(registers) = &model.interface {
        registers.check().map_err(|source| MeterFileError::Model { file: file.to_owned(), source })?;
    }
    model.prove().map_err(|source| MeterFileError::Example { file: file.to_owned(), source })?;
    Ok(model)
}

/// A key and what is wrong with it.
type KeyError = (String, String);

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
    modbus: Option<LimitsForm>,
    mqtt: Option<MqttForm>,
    #[serde(default, rename = "measure")]
    measures: Vec<MeasureForm>,
    #[serde(default, rename = "field")]
    fields: Vec<FieldForm>,
    #[serde(default, rename = "example")]
    examples: Vec<ExampleForm>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EvidenceForm {
    level: String,
    sources: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitsForm {
    registers_per_request: u16,
    widest_gap: u16,
    #[serde(default)]
    pause_ms: u16,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MqttForm {
    topic: String,
    bytes_max: usize,
    time: Option<TimeFieldForm>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TimeFieldForm {
    path: String,
    form: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RangeForm {
    from: f64,
    to: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RegisterForm {
    space: String,
    address: u16,
    #[serde(rename = "type")]
    number: String,
    order: String,
}

const fn one() -> f64 {
    1.0
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MeasureForm {
    quantity: String,
    phase: Option<String>,
    register: RegisterForm,
    unit: String,
    #[serde(default = "one")]
    scale: f64,
    #[serde(default)]
    sentinels: Vec<String>,
    plausible: RangeForm,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FieldForm {
    quantity: String,
    phase: Option<String>,
    path: String,
    unit: String,
    #[serde(default = "one")]
    scale: f64,
    plausible: RangeForm,
    #[serde(default)]
    required: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExampleForm {
    #[serde(default)]
    input: BTreeMap<String, String>,
    #[serde(default)]
    holding: BTreeMap<String, String>,
    payload: Option<String>,
    time: Option<String>,
    expect: BTreeMap<String, String>,
}

impl MeterForm {
    fn model(self) -> Result<MeterModel, KeyError> {
        let id = |key: &str, text: &str| ModelId::new(text).map_err(|e| (key.to_owned(), e.to_string()));
        let level = one_of("evidence.level", &self.evidence.level, EvidenceLevel::parse, || {
            EvidenceLevel::ALL.iter().map(|l| l.code()).collect()
        })?;
        let interface = match (self.modbus, self.mqtt) {
            (Some(limits), None) if self.fields.is_empty() => {
                Interface::Registers(registers(&limits, self.measures, self.examples)?)
            }
            (None, Some(mqtt)) if self.measures.is_empty() => {
                Interface::Payloads(payloads(mqtt, self.fields, self.examples)?)
            }
            _ => {
                return Err((
                    "modbus".to_owned(),
                    "give either [modbus] with [[measure]], or [mqtt] with [[field]]".to_owned(),
                ));
            }
        };
        Ok(MeterModel {
            id: id("id", &self.id)?,
            replaces: self.replaces.iter().map(|old| id("replaces", old)).collect::<Result<_, _>>()?,
            maker: self.maker,
            name: self.name,
            evidence: Evidence { level, sources: self.evidence.sources },
            caveats: self.caveats,
            interface,
        })
    }
}

/// A word out of a closed list.
fn one_of<T>(
    key: &str,
    word: &str,
    parse: impl Fn(&str) -> Option<T>,
    all: impl Fn() -> Vec<&'static str>,
) -> Result<T, KeyError> {
    parse(word)
        .ok_or_else(|| (key.to_owned(), format!("{word:?} is not known; use one of {}", all().join(", "))))
}

fn channel(key: &str, quantity: &str, phase: Option<&str>) -> Result<Channel, KeyError> {
    let all = || Quantity::ALL.iter().map(|q| q.code()).collect();
    let quantity = one_of(&format!("{key}.quantity"), quantity, Quantity::parse, all)?;
    let phases = || Phase::ALL.iter().map(|p| p.code()).collect();
    let phase =
        phase.map_or(Ok(Phase::Total), |p| one_of(&format!("{key}.phase"), p, Phase::parse, phases))?;
    Ok(Channel { quantity, phase })
}

/// The parts that measures of registers and fields of payloads share.
fn scaled(
    key: &str,
    channel: Channel,
    unit: &str,
    scale: f64,
    plausible: &RangeForm,
) -> Result<(Unit, Decimal, Range), KeyError> {
    let all = || Unit::ALL.iter().map(|u| u.symbol()).collect();
    let unit = one_of(&format!("{key}.unit"), unit, Unit::parse, all)?;
    let factor = unit.factor_to(channel.quantity).ok_or_else(|| {
        let says = format!("{unit} does not measure {channel}; use a unit of {}", channel.quantity.unit());
        (format!("{key}.unit"), says)
    })?;
    let scale_key = || (format!("{key}.scale"), "use a number other than 0".to_owned());
    let scale = Decimal::from_f64(scale).filter(|_| scale != 0.0).ok_or_else(scale_key)?;
    let range = Range { from: plausible.from * factor, to: plausible.to * factor };
    // A number that is none is in no order either.
    if range.from.partial_cmp(&range.to) != Some(std::cmp::Ordering::Less) {
        let says = "`from` must be below `to`".to_owned();
        return Err((format!("{key}.plausible"), says));
    }
    Ok((unit, scale, range))
}

fn registers(
    limits: &LimitsForm,
    measures: Vec<MeasureForm>,
    examples: Vec<ExampleForm>,
) -> Result<RegisterModel, KeyError> {
    let limits = Limits {
        registers_per_request: limits.registers_per_request,
        widest_gap: limits.widest_gap,
        pause_ms: limits.pause_ms,
    };
    let measures = measures.iter().enumerate().map(|(i, form)| measure(i, form)).collect::<Result<_, _>>()?;
    let examples = examples.iter().enumerate().map(|(i, form)| register_example(i, form));
    Ok(RegisterModel { limits, measures, examples: examples.collect::<Result<_, _>>()? })
}

fn measure(index: usize, form: &MeasureForm) -> Result<Measure, KeyError> {
    let key = format!("measure[{}]", index + 1);
    let channel = channel(&key, &form.quantity, form.phase.as_deref())?;
    let (unit, scale, plausible) = scaled(&key, channel, &form.unit, form.scale, &form.plausible)?;
    let r = &form.register;
    let space =
        one_of(&format!("{key}.register.space"), &r.space, Space::parse, || vec!["holding", "input"])?;
    let number = one_of(&format!("{key}.register.type"), &r.number, Number::parse, || {
        Number::ALL.iter().map(|n| n.code()).collect()
    })?;
    let order = one_of(&format!("{key}.register.order"), &r.order, WordOrder::parse, || {
        WordOrder::ALL.iter().map(|o| o.code()).collect()
    })?;
    let sentinels = form.sentinels.iter().map(|hex| {
        u64::from_str_radix(hex, 16).map_err(|_| {
            let says = format!("{hex:?} is not hexadecimal; write the bits like \"7fffffff\"");
            (format!("{key}.sentinels"), says)
        })
    });
    Ok(Measure {
        channel,
        register: RegisterRef { space, address: r.address },
        encoding: Encoding { number, order },
        unit,
        scale,
        sentinels: sentinels.collect::<Result<_, _>>()?,
        plausible,
    })
}

fn register_example(index: usize, form: &ExampleForm) -> Result<RegisterExample, KeyError> {
    let key = format!("example[{}]", index + 1);
    if form.payload.is_some() || form.time.is_some() {
        return Err((key, "a meter with registers has no `payload` and no `time`".to_owned()));
    }
    let mut registers = BTreeMap::new();
    for (space, words) in [(Space::Input, &form.input), (Space::Holding, &form.holding)] {
        for (address, hex) in words {
            let at = format!("{key}.{}.{address}", space.code());
            let first: u16 = address
                .parse()
                .map_err(|_| (at.clone(), "the name is not a register address of 0 to 65535".to_owned()))?;
            let bad = || (at.clone(), "write registers as groups of four hexadecimal digits".to_owned());
            if hex.is_empty() || hex.len() % 4 != 0 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(bad());
            }
            for (i, chunk) in hex.as_bytes().chunks(4).enumerate() {
                let word = std::str::from_utf8(chunk).ok().and_then(|w| u16::from_str_radix(w, 16).ok());
                let address = u16::try_from(i).ok().and_then(|i| first.checked_add(i)).ok_or_else(bad)?;
                if registers.insert(RegisterRef { space, address }, word.ok_or_else(bad)?).is_some() {
                    return Err((at, format!("register {address} is given twice")));
                }
            }
        }
    }
    Ok(RegisterExample { registers, expect: expected(&key, &form.expect)? })
}

fn payloads(
    form: MqttForm,
    fields: Vec<FieldForm>,
    examples: Vec<ExampleForm>,
) -> Result<PayloadModel, KeyError> {
    let max = profile::payload::PAYLOAD_BYTES_MAX;
    if form.bytes_max == 0 || form.bytes_max > max {
        return Err(("mqtt.bytes_max".to_owned(), format!("use 1 to {max}")));
    }
    let time = form.time.map(|t| {
        let all = || TimeForm::ALL.iter().map(|f| f.code()).collect();
        Ok::<_, KeyError>(TimeField {
            path: t.path,
            form: one_of("mqtt.time.form", &t.form, TimeForm::parse, all)?,
        })
    });
    let fields: Vec<Field> =
        fields.into_iter().enumerate().map(|(i, form)| field(i, form)).collect::<Result<_, _>>()?;
    if fields.is_empty() {
        return Err(("field".to_owned(), "add at least one [[field]]".to_owned()));
    }
    for (i, field) in fields.iter().enumerate() {
        if fields[..i].iter().any(|other| other.channel == field.channel) {
            return Err((format!("field[{}]", i + 1), format!("{} is given twice; keep one", field.channel)));
        }
    }
    let examples = examples.iter().enumerate().map(|(i, form)| payload_example(i, form));
    Ok(PayloadModel {
        topic: form.topic,
        bytes_max: form.bytes_max,
        time: time.transpose()?,
        fields,
        examples: examples.collect::<Result<_, _>>()?,
    })
}

fn field(index: usize, form: FieldForm) -> Result<Field, KeyError> {
    let key = format!("field[{}]", index + 1);
    let channel = channel(&key, &form.quantity, form.phase.as_deref())?;
    let (unit, scale, plausible) = scaled(&key, channel, &form.unit, form.scale, &form.plausible)?;
    Ok(Field { channel, path: form.path, unit, scale, plausible, required: form.required })
}

fn payload_example(index: usize, form: &ExampleForm) -> Result<PayloadExample, KeyError> {
    let key = format!("example[{}]", index + 1);
    let Some(payload) = form.payload.clone() else {
        return Err((key, "give the `payload`".to_owned()));
    };
    let time = form.time.as_deref().map(|text| {
        Instant::parse_rfc3339(text)
            .ok_or_else(|| (format!("{key}.time"), format!("{text:?} is not RFC 3339 with a zone")))
    });
    Ok(PayloadExample { payload, observed_at: time.transpose()?, expect: expected(&key, &form.expect)? })
}

/// `"voltage.l1" = "229.8 V"`.
fn expected(key: &str, expect: &BTreeMap<String, String>) -> Result<Vec<Expected>, KeyError> {
    let one = |(name, text): (&String, &String)| {
        let at = format!("{key}.expect.{name}");
        let (quantity, phase) = name.split_once('.').map_or((name.as_str(), None), |(q, p)| (q, Some(p)));
        let channel = channel(&at, quantity, phase)?;
        let (number, unit) = text.split_once(' ').unwrap_or((text, ""));
        let value = Decimal::parse(number)
            .zip(Unit::parse(unit))
            .and_then(|(number, unit)| number.value(unit, channel.quantity));
        let value = value.ok_or_else(|| {
            let says = format!("{text:?} is no value of {channel}; write it like \"12345.6 kWh\"");
            (at, says)
        })?;
        Ok(Expected { channel, value })
    };
    expect.iter().map(one).collect()
}

#[cfg(test)]
#[path = "meters_tests.rs"]
mod tests;
