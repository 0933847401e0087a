//! The registers of a simulated meter: its model's map, filled with what the building does at this instant.
//!
//! Must never: know an address by heart. Addresses, types, orders and scales are those of the catalogue's file.

use std::sync::Arc;

use model::{Channel, Instant, Kind, Phase, Quantity};
use profile::encoding::{Number, Raw};
use profile::{Measure, RegisterModel, Space};

use super::building::Flow;
use super::modbus_server::Device;
use super::portfolio::Meter;
use super::weather::noise;

/// Share of each phase in the load; a building is never quite even.
const PHASE_SHARES: [f64; 3] = [0.35, 0.33, 0.32];
/// Lighting, computers and pumps behind modern drives.
const POWER_FACTOR: f64 = 0.97;

/// What the clock of the simulated field says.
pub(crate) type Now = Arc<dyn Fn() -> Instant + Send + Sync>;

/// A meter as its registers show it.
pub(crate) struct Face {
    pub(crate) meter: Meter,
    pub(crate) model: RegisterModel,
    pub(crate) now: Now,
}

impl Device for Face {
    fn words(&self, function: u8, first: u16, count: u16) -> Option<Vec<u16>> {
        let end = u32::from(first) + u32::from(count);
        let now = (self.now)();
        let mut words = vec![0u16; usize::from(count)];
        let mut known = false;
        for measure in &self.model.measures {
            let wanted = match measure.register.space {
                Space::Coil => 1,
                Space::Discrete => 2,
                Space::Holding => 3,
                Space::Input => 4,
            };
            let (from, to) = measure.span();
            if wanted != function || u32::from(from) >= end || to < first {
                continue;
            }
            known = true;
            let encoded = encode(measure, value_of(&self.meter, measure.channel, now));
            for (address, word) in (from..=to).zip(encoded) {
                if let Some(slot) = address.checked_sub(first).and_then(|i| words.get_mut(usize::from(i))) {
                    *slot = word;
                }
            }
        }
        // Registers between two measures read as zero; a range without any measure is not the meter's.
        known.then_some(words)
    }
}

/// What a meter says of a channel, in the unit in which the quantity is kept.
pub(crate) fn value_of(meter: &Meter, channel: Channel, now: Instant) -> f64 {
    let share = match channel.phase {
        Phase::L1 => PHASE_SHARES[0],
        Phase::L2 => PHASE_SHARES[1],
        Phase::L3 => PHASE_SHARES[2],
        Phase::Total | Phase::Tariff1 | Phase::Tariff2 | Phase::Tariff3 | Phase::Tariff4 => 1.0,
    };
    let total = |flow| (meter.building.total(flow, now)) as f64 * share;
    let index = meter.index(now) as f64 * share;
    let counts_exchange = matches!(meter.flow, Flow::Import | Flow::Export);
    let power_w = power_w(meter, now) * share;
    let reactive_per_active = (1.0 / (POWER_FACTOR * POWER_FACTOR) - 1.0).sqrt();
    match channel.quantity {
        Quantity::ActiveEnergyImport if meter.flow == Flow::Export => total(Flow::Import),
        Quantity::ActiveEnergyExport if meter.flow == Flow::Import => total(Flow::Export),
        Quantity::ActiveEnergyImport => index,
        Quantity::ActiveEnergyExport if counts_exchange => index,
        Quantity::ActiveEnergyImportPlusExport => {
            let of = |quantity| value_of(meter, Channel { quantity, ..channel }, now);
            of(Quantity::ActiveEnergyImport) + of(Quantity::ActiveEnergyExport)
        }
        Quantity::ReactiveEnergyImport if meter.flow == Flow::Import => index * reactive_per_active,
        Quantity::ActivePower => power_w,
        Quantity::ApparentPower => power_w.abs() / POWER_FACTOR,
        Quantity::ReactivePower => power_w.abs() * reactive_per_active,
        Quantity::PowerFactor => POWER_FACTOR,
        Quantity::Voltage => voltage_v(channel.phase, now),
        Quantity::Current => power_w.abs() / POWER_FACTOR / voltage_v(channel.phase, now),
        Quantity::Frequency => 50.0 + 0.03 * noise(50, now.millis() as f64 / 20_000.0),
        _ => 0.0,
    }
}

/// Active power through the meter, W; what leaves the building counts as negative at the point of exchange.
pub(crate) fn power_w(meter: &Meter, now: Instant) -> f64 {
    let rate = |flow| meter.building.rate_per_hour(flow, now);
    match meter.flow {
        Flow::Import | Flow::Export => rate(Flow::Import) - rate(Flow::Export),
        Flow::Production | Flow::Gas | Flow::Heat => rate(meter.flow),
    }
}

fn voltage_v(phase: Phase, now: Instant) -> f64 {
    let seed = 230 + phase as u64;
    231.0 + 2.5 * noise(seed, now.millis() as f64 / 60_000.0)
}

/// The words in which a meter of this model would say `value`: the inverse of [`Measure::decode`]. A total is cut
/// to what the register resolves, as a counter's display is.
pub(crate) fn encode(measure: &Measure, value: f64) -> Vec<u16> {
    let factor = measure.unit.factor_to(measure.channel.quantity).unwrap_or(1.0);
    let in_register = value / (factor * measure.scale.to_f64());
    // A hair is added before cutting: 300 Wh over 100 Wh may be 2.9999999999999996.
    let whole = match measure.channel.quantity.kind() {
        Kind::Total => (in_register + 1e-6).floor(),
        Kind::Gauge => in_register.round(),
    };
    let raw = match measure.encoding.number {
        Number::F32 | Number::F64 => Raw::Float(in_register),
        _ => Raw::Integer(whole as i128),
    };
    let bits = measure.encoding.bits_of(raw).unwrap_or_default();
    measure.encoding.words(bits)
}

/// The total that a reader of this register gets when the meter has counted `index`, in the smallest unit: the
/// history of a meter is what its registers would have said, so that live readings continue it.
pub(crate) fn as_read(measure: &Measure, index: i64) -> i64 {
    let words = encode(measure, index as f64);
    let factor = measure.unit.factor_to(measure.channel.quantity).unwrap_or(1.0) * measure.scale.to_f64();
    let read = measure.encoding.bits(&words).and_then(|bits| match measure.encoding.number(bits) {
        Raw::Integer(number) => Some(number as f64 * factor),
        Raw::Float(number) => Some(number * factor),
        Raw::NotDigits => None,
    });
    read.map_or(index, |read| read.round() as i64)
}
