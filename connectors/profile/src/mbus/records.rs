//! The records of a telegram: what each measures, of which storage, tariff and subunit, and its exact number.
//!
//! The meaning of headers (DIF and VIF, EN 13757-3) is read with `m-bus-application-layer`. The numbers and the
//! ends of the records are not: that library keeps numbers as 64-bit floats, takes the length of a date from its
//! meaning and not from its header, and in version 0.5.3 panics on a binary number of length 0.
//!
//! Must never: go on after a record whose end is not known, or take an invalid number for one.

use m_bus_application_layer::data_information::{DataFieldCoding, FunctionField};
use m_bus_application_layer::data_record::DataRecordHeader;
use m_bus_application_layer::value_information::{Unit as WireUnit, UnitName, ValueInformation, ValueLabel};
use model::{Quantity, Unit};

use crate::decimal::Decimal;

/// What a record measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordKind {
    Energy,
    ReactiveEnergy,
    Volume,
    Power,
    VolumeFlow,
    FlowTemperature,
    ReturnTemperature,
    ExternalTemperature,
    Voltage,
    Current,
    Frequency,
}

impl RecordKind {
    pub const ALL: [Self; 11] = [
        Self::Energy,
        Self::ReactiveEnergy,
        Self::Volume,
        Self::Power,
        Self::VolumeFlow,
        Self::FlowTemperature,
        Self::ReturnTemperature,
        Self::ExternalTemperature,
        Self::Voltage,
        Self::Current,
        Self::Frequency,
    ];

    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Energy => "energy",
            Self::ReactiveEnergy => "reactive_energy",
            Self::Volume => "volume",
            Self::Power => "power",
            Self::VolumeFlow => "volume_flow",
            Self::FlowTemperature => "flow_temperature",
            Self::ReturnTemperature => "return_temperature",
            Self::ExternalTemperature => "external_temperature",
            Self::Voltage => "voltage",
            Self::Current => "current",
            Self::Frequency => "frequency",
        }
    }

    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// Whether a record of this kind can be a value of `quantity`.
    #[must_use]
    pub const fn measures(self, quantity: Quantity) -> bool {
        match self {
            Self::Energy => matches!(
                quantity,
                Quantity::HeatEnergy
                    | Quantity::CoolingEnergy
                    | Quantity::ActiveEnergyImport
                    | Quantity::ActiveEnergyExport
                    | Quantity::ActiveEnergyImportPlusExport
            ),
            Self::ReactiveEnergy => {
                matches!(quantity, Quantity::ReactiveEnergyImport | Quantity::ReactiveEnergyExport)
            }
            Self::Volume => {
                matches!(quantity, Quantity::WaterVolume | Quantity::GasVolume | Quantity::GasStandardVolume)
            }
            Self::Power => matches!(quantity, Quantity::ThermalPower | Quantity::ActivePower),
            Self::VolumeFlow => matches!(quantity, Quantity::VolumeFlow),
            Self::FlowTemperature => matches!(quantity, Quantity::FlowTemperature),
            Self::ReturnTemperature => matches!(quantity, Quantity::ReturnTemperature),
            Self::ExternalTemperature => matches!(quantity, Quantity::OutdoorTemperature),
            Self::Voltage => matches!(quantity, Quantity::Voltage),
            Self::Current => matches!(quantity, Quantity::Current),
            Self::Frequency => matches!(quantity, Quantity::Frequency),
        }
    }

    const fn of(label: ValueLabel) -> Option<Self> {
        match label {
            ValueLabel::Energy => Some(Self::Energy),
            ValueLabel::ReactiveEnergy => Some(Self::ReactiveEnergy),
            ValueLabel::Volume => Some(Self::Volume),
            ValueLabel::Power => Some(Self::Power),
            ValueLabel::VolumeFlow => Some(Self::VolumeFlow),
            ValueLabel::FlowTemperature => Some(Self::FlowTemperature),
            ValueLabel::ReturnTemperature => Some(Self::ReturnTemperature),
            ValueLabel::ExternalTemperature => Some(Self::ExternalTemperature),
            ValueLabel::Voltage => Some(Self::Voltage),
            ValueLabel::Current => Some(Self::Current),
            ValueLabel::Frequency => Some(Self::Frequency),
            _ => None,
        }
    }
}

/// Of which moment a record speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordFunction {
    /// The value at the time of reading, or of its storage.
    Instantaneous,
    Maximum,
    Minimum,
    /// Taken while the meter was in error: no value.
    Error,
}

/// A record's number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RecordNumber {
    Integer(i64),
    Float(f32),
    /// The bits that a meter sends where it has no value: digits that are none, the smallest integer.
    Invalid(u64),
}

/// One record whose meaning is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    pub kind: RecordKind,
    pub function: RecordFunction,
    pub storage: u64,
    pub tariff: u64,
    pub subunit: u64,
    /// What qualifies the value beyond its unit (VIFE), without the bit that says more follow: `3b` only
    /// forward flow, `fc01` phase L1, `7f` the maker's own.
    pub extensions: Vec<u8>,
    /// The meter says of this one record that its value is in error.
    pub faulty: bool,
    pub number: RecordNumber,
    pub unit: Unit,
    /// What the number is multiplied with to be in `unit`.
    pub scale: Decimal,
    /// The number's bytes as sent.
    pub raw: Vec<u8>,
}

/// How the records of a telegram end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// All of them were here.
    Complete,
    /// The meter has another telegram to give.
    MoreFollow,
    /// A record could not be read, and so nothing behind it either.
    Unreadable { at: usize },
}

/// Reads the records of a telegram's body. Those of no known kind are left out.
#[must_use]
pub fn records(body: &[u8]) -> (Vec<Record>, Rest) {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(&dif) = body.get(at) {
        match dif {
            0x2F => at += 1,
            0x0F => return (found, Rest::Complete),
            0x1F => return (found, Rest::MoreFollow),
            _ => match record(body.get(at..).unwrap_or_default(), dif) {
                Some((record, size)) => {
                    found.extend(record);
                    at += size;
                }
                None => return (found, Rest::Unreadable { at }),
            },
        }
    }
    (found, Rest::Complete)
}

/// The record at the beginning of `data`, if it is of a known kind, and its size; `None` when its end is not known.
fn record(data: &[u8], dif: u8) -> Option<(Option<Record>, usize)> {
    let header = DataRecordHeader::try_from(data).ok()?;
    let header_size = header.get_size();
    let rest = data.get(header_size..)?;
    let length = match dif & 0x0F {
        0x00 | 0x08 => 0,
        width @ 0x01..=0x04 => usize::from(width),
        0x05 => 4,
        0x06 | 0x0E => 6,
        0x07 => 8,
        digits @ 0x09..=0x0C => usize::from(digits) - 8,
        0x0D => DataFieldCoding::VariableLength.data_size(rest)?,
        _ => return None,
    };
    let raw = rest.get(..length)?;
    let size = header_size + length;
    let processed = &header.processed_data_record_header;
    let known = processed.data_information.as_ref().zip(processed.value_information.as_ref());
    let block = header.raw_data_record_header.value_information_block.as_ref();
    let Some(((information, value), block)) = known.zip(block) else { return Some((None, size)) };
    let chain: Vec<u8> =
        block.value_information_extension.iter().flat_map(|e| e.iter()).map(|e| e.data).collect();
    let own = usize::from(matches!(block.value_information.data, 0xFB | 0xFD));
    let (extensions, faulty) = qualifiers(chain.get(own..).unwrap_or_default());
    let record = number(dif, raw).zip(meaning(value)).map(|(number, (kind, unit, scale))| Record {
        kind,
        function: match information.function_field {
            FunctionField::InstantaneousValue => RecordFunction::Instantaneous,
            FunctionField::MaximumValue => RecordFunction::Maximum,
            FunctionField::MinimumValue => RecordFunction::Minimum,
            _ => RecordFunction::Error,
        },
        storage: information.storage_number,
        tariff: information.tariff,
        subunit: information.device,
        extensions,
        faulty,
        number,
        unit,
        scale,
        raw: raw.to_vec(),
    });
    Some((record, size))
}

/// The extensions that are neither a decimal factor (part of the scale already) nor an error code, and whether
/// there is an error code (EN 13757-3: 00 to 1F, from the meter).
fn qualifiers(chain: &[u8]) -> (Vec<u8>, bool) {
    let (mut kept, mut faulty) = (Vec::new(), false);
    let mut bytes = chain.iter().map(|byte| byte & 0x7F);
    while let Some(byte) = bytes.next() {
        match byte {
            0x00..=0x1F => faulty = true,
            0x70..=0x77 | 0x7D => {}
            // The next byte is of a second table.
            0x7C => {
                kept.push(0xFC);
                kept.extend(bytes.next());
            }
            // What follows is the maker's own.
            0x7F => {
                kept.push(byte);
                kept.extend(bytes.by_ref());
            }
            _ => kept.push(byte),
        }
    }
    (kept, faulty)
}

/// Kind, unit and the factor to it. `None` for what this program has no use for.
fn meaning(value: &ValueInformation<'_>) -> Option<(RecordKind, Unit, Decimal)> {
    let kind = RecordKind::of(value.labels().next()?)?;
    let mut units = value.units().map(|WireUnit { name, exponent }| (name, exponent));
    let (unit, power, times) = match (units.next()?, units.next()) {
        ((UnitName::Watt, 1), Some((UnitName::Hour, 1))) => (Unit::WattHour, 0, 1),
        ((UnitName::ReactiveWatt, 1), Some((UnitName::Hour, 1))) => (Unit::VarHour, 0, 1),
        ((UnitName::Joul, 1), None) => (Unit::Gigajoule, -9, 1),
        ((UnitName::Calorie, 1), None) => (Unit::Gigacalorie, -9, 1),
        ((UnitName::Meter, 3), None) => (Unit::CubicMetre, 0, 1),
        ((UnitName::Meter, 3), Some((UnitName::Hour, -1))) => (Unit::CubicMetrePerHour, 0, 1),
        ((UnitName::Meter, 3), Some((UnitName::Minute, -1))) => (Unit::CubicMetrePerHour, 0, 60),
        ((UnitName::Meter, 3), Some((UnitName::Second, -1))) => (Unit::CubicMetrePerHour, 0, 3_600),
        ((UnitName::Watt, 1), None) => (Unit::Watt, 0, 1),
        ((UnitName::Celsius, 1), None) => (Unit::DegreeCelsius, 0, 1),
        ((UnitName::Volt, 1), None) => (Unit::Volt, 0, 1),
        ((UnitName::Ampere, 1), None) => (Unit::Ampere, 0, 1),
        ((UnitName::Hertz, 1), None) => (Unit::Hertz, 0, 1),
        _ => return None,
    };
    let power = i32::try_from(value.decimal_scale_exponent).ok()?.checked_add(power)?;
    Some((kind, unit, Decimal::parse(&format!("{times}e{power}"))?))
}

/// The number of a data field; `None` where it has none, or a form that counts nothing (text, date).
fn number(dif: u8, raw: &[u8]) -> Option<RecordNumber> {
    let bits = raw.iter().rev().take(8).fold(0_u64, |bits, byte| (bits << 8) | u64::from(*byte));
    match dif & 0x0F {
        0x01..=0x04 | 0x06 | 0x07 => {
            let unused = 64_u32.checked_sub(u32::try_from(raw.len()).ok()?.checked_mul(8)?)?;
            let value = (bits << unused).cast_signed() >> unused;
            let smallest = i64::MIN >> unused;
            Some(if value == smallest { RecordNumber::Invalid(bits) } else { RecordNumber::Integer(value) })
        }
        0x05 => Some(RecordNumber::Float(f32::from_bits(u32::try_from(bits).ok()?))),
        0x09..=0x0C | 0x0E => Some(digits(raw).map_or(RecordNumber::Invalid(bits), RecordNumber::Integer)),
        _ => None,
    }
}

/// Decimal digits, two a byte, the least significant byte first; a leading F is a minus.
fn digits(raw: &[u8]) -> Option<i64> {
    let mut value: i64 = 0;
    let mut negative = false;
    for (place, byte) in raw.iter().rev().enumerate() {
        for (half, digit) in [byte >> 4, byte & 0x0F].into_iter().enumerate() {
            if place == 0 && half == 0 && digit == 0x0F {
                negative = true;
            } else if digit <= 9 {
                value = value.checked_mul(10)?.checked_add(i64::from(digit))?;
            } else {
                return None;
            }
        }
    }
    Some(if negative { -value } else { value })
}
