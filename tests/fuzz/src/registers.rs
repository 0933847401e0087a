//! Two targets. `registers`: arbitrary words through a meter file of the catalogue, block by block as a sweep reads
//! them, and pulse counters with arbitrary weights. `encodings`: arbitrary words through every type in every order.
//!
//! Laws: a value is what an independent reading of the same words gives, times scale and unit; it is good exactly in
//! its plausible range; an answer that breaks off gives `Missing` or the same value; words and bits are inverses.
//!
//! Allowed ends of bad words: the variants of `Decoded` without a value; of pulse weights every `PulseError` of
//! [`assert_pulse_error`].
//!
//! Must never: use the decoder's own arithmetic as the reference.

use std::sync::{Arc, LazyLock};

use model::{Channel, Quantity, Unit, Value};
use profile::encoding::Raw;
use profile::{
    Decimal, Decoded, Encoding, Interface, Layout, Measure, MeterModel, Number, PulseError, PulseModel,
    PulseUse, RegisterModel, WordOrder,
};

use crate::input::Input;
use crate::laws::{assert_lawful, models};

static MODELS: LazyLock<Vec<Arc<MeterModel>>> =
    LazyLock::new(|| models(|m| m.registers().is_some() || m.pulses().is_some()));

/// Bytes: one for the meter, then words; the words repeat until every block is full.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let model = &MODELS[input.below(MODELS.len())];
    match &model.interface {
        Interface::Registers(registers) => map(registers, input.rest()),
        Interface::Pulses(pulses) => counter(pulses, input),
        Interface::Payloads(_) | Interface::MBus(_) => unreachable!("the models are of registers"),
    }
}

/// Decodes a whole map from these words.
pub fn map(model: &RegisterModel, bytes: &[u8]) {
    let placed = match &model.layout {
        Layout::Fixed => model.clone(),
        Layout::SunSpec { models } => {
            let id = models.first().copied().unwrap_or_default();
            let at = profile::sunspec::ModelAt { id, address: 40_070, length: 1_000 };
            model.resolve(&[at]).expect("a model of 1000 registers is long enough for every map")
        }
    };
    let mut words = bytes.chunks(2).map(|pair| match *pair {
        [high, low] => u16::from_be_bytes([high, low]),
        [high] => u16::from(high),
        _ => 0,
    });
    let pattern: Vec<u16> = words.by_ref().take(2_048).collect();
    let mut endless = pattern.iter().copied().cycle();
    let mut seen = 0;
    for block in placed.plan() {
        let answer: Vec<u16> = (0..block.count).map(|_| endless.next().unwrap_or_default()).collect();
        let whole = placed.decode(&block, &answer);
        let half = placed.decode(&block, &answer[..answer.len() / 2]);
        for ((&index, (channel, decoded)), (_, cut)) in block.measures.iter().zip(&whole).zip(&half) {
            let measure = &placed.measures[index];
            assert_eq!(measure.channel, *channel);
            assert_lawful(*channel, *decoded, measure.plausible);
            assert!(same(cut, decoded) || *cut == Decoded::Missing, "{channel}: {cut:?} of half an answer");
            let words = block.words_of(measure, &answer).expect("a whole answer has every measure");
            assert_agrees(measure, words, *decoded);
            seen += 1;
        }
    }
    assert_eq!(seen, placed.measures.len(), "a measure is in no block, or in two");
}

/// Equal, bit for bit where floats are concerned.
fn same(one: &Decoded, other: &Decoded) -> bool {
    one == other || format!("{one:?}") == format!("{other:?}")
}

/// A number in one piece, read with arithmetic of its own, gives the same value.
fn assert_agrees(measure: &Measure, words: &[u16], decoded: Decoded) {
    if !measure.plus.is_empty() || !measure.factors.is_empty() || measure.unit_register.is_some() {
        return;
    }
    let (Decoded::Value(value) | Decoded::Implausible(value, _)) = decoded else { return };
    let number = reference(measure.encoding, words).expect("a value was made of what is no number");
    let factor = measure.unit.factor_to(measure.channel.quantity).expect("a map has units that fit");
    let expected = number * measure.scale.to_f64() * factor;
    let slack = expected.abs() * 1e-9 + if matches!(value, Value::Total(_)) { 0.51 } else { 1e-9 };
    // Degrees of another scale have an offset, which no factor says; there are none in the catalogue.
    let off = (value.as_f64() - expected).abs();
    assert!(off <= slack, "{}: {words:04x?} reads {value:?}, {expected} is expected", measure.channel);
}

/// The number in these words; `None` where the type says that there is none.
fn reference(encoding: Encoding, words: &[u16]) -> Option<f64> {
    let count = usize::from(encoding.number.words());
    let mut bytes: Vec<[u8; 2]> = words.get(..count)?.iter().map(|w| w.to_be_bytes()).collect();
    if matches!(encoding.order, WordOrder::Badc | WordOrder::Dcba) {
        bytes.iter_mut().for_each(|pair| pair.reverse());
    }
    if matches!(encoding.order, WordOrder::Cdab | WordOrder::Dcba) {
        bytes.reverse();
    }
    let flat: Vec<u8> = bytes.concat();
    let unsigned = flat.iter().fold(0_i128, |n, byte| n * 256 + i128::from(*byte));
    // Before it becomes a float: the difference of two large floats would have no digits left.
    let signed = (if flat[0] < 128 { unsigned } else { unsigned - (1 << (8 * flat.len())) }) as f64;
    let unsigned = unsigned as f64;
    match encoding.number {
        Number::U16 | Number::U32 | Number::U64 => Some(unsigned),
        Number::Acc32 | Number::Acc64 => Some(unsigned).filter(|n| *n != 0.0),
        Number::I16 | Number::I32 | Number::I64 => Some(signed),
        Number::F32 => flat.try_into().ok().map(|b| f64::from(f32::from_be_bytes(b))),
        Number::F64 => flat.try_into().ok().map(f64::from_be_bytes),
        Number::Bcd16 | Number::Bcd32 | Number::Bcd48 | Number::Bcd64 => {
            let text: String = flat.iter().map(|byte| format!("{byte:02x}")).collect();
            text.parse::<u64>().ok().map(|n| n as f64)
        }
        Number::Mod10k32 | Number::Mod10k48 | Number::Mod10k64 => {
            let groups = bytes.iter().map(|pair| i64::from(i16::from_be_bytes(*pair)));
            let all: Option<Vec<i64>> = groups.map(|g| (-9_999..=9_999).contains(&g).then_some(g)).collect();
            all.map(|groups| groups.iter().fold(0, |n, g| n * 10_000 + g) as f64)
        }
    }
    .filter(|n| n.is_finite())
}

/// A pulse counter with any weight: refused, or a counter that wraps where it says.
fn counter(pulses: &PulseModel, mut input: Input<'_>) {
    let quantities = [Quantity::WaterVolume, Quantity::GasVolume, Quantity::ActiveEnergyImport];
    let units = [Unit::CubicMetre, Unit::Litre, Unit::KilowattHour, Unit::WattHour];
    let quantity = quantities[input.below(quantities.len())];
    let unit = units[input.below(units.len())];
    let number = input.u8();
    let weight = format!("{}e-{} {unit}", input.u16(), input.below(12));
    let read = PulseUse::parse(number, quantity, &weight)
        .and_then(|pulse| pulses.registers(&pulse).map(|model| (pulse, model)));
    match read {
        Err(error) => assert_pulse_error(&error),
        Ok((pulse, model)) => {
            model.check().expect("what a counter gives can be read");
            let measure = &model.measures[0];
            assert_eq!(measure.channel, Channel::total(pulse.quantity));
            if let Some(modulus) = measure.wraps_at() {
                let highest: Vec<u16> = vec![u16::MAX; usize::from(measure.encoding.number.words())];
                if let Decoded::Value(Value::Total(total)) = measure.decode(&highest) {
                    assert!(total <= modulus, "{weight}: reads {total} with its wrap at {modulus}");
                }
            }
            map(&model, input.rest());
        }
    }
}

/// The allowed errors of a pulse weight; a new one must be added here knowingly.
fn assert_pulse_error(error: &PulseError) {
    match error {
        PulseError::Weight { .. }
        | PulseError::Unit { .. }
        | PulseError::NoTotal { .. }
        | PulseError::NoInput { .. }
        | PulseError::Uneven { .. } => {}
        PulseError::NoPulses
        | PulseError::Inputs
        | PulseError::Encoding { .. }
        | PulseError::Registers(_)
        | PulseError::Example { .. } => panic!("no weight can cause: {error}"),
    }
}

/// Bytes: type, order, then words and a scale.
pub fn encodings(data: &[u8]) {
    let mut input = Input::new(data);
    let number = Number::ALL[input.below(Number::ALL.len())];
    let encoding = Encoding { number, order: WordOrder::ALL[input.below(WordOrder::ALL.len())] };
    let count = input.below(6);
    let words: Vec<u16> = (0..count).map(|_| input.u16()).collect();
    let Some(bits) = encoding.bits(&words) else {
        assert!(count < usize::from(number.words()), "there are words enough");
        return;
    };
    let wanted = usize::from(number.words());
    assert_eq!(encoding.words(bits), words[..wanted], "words and bits are no inverses");
    let raw = encoding.number(bits);
    let expected = reference(encoding, &words);
    match raw {
        Raw::NotDigits => assert_eq!(expected, None),
        Raw::Integer(n) if number.is_absent(bits) => assert_eq!(n, 0),
        // Beyond 2^53 the reference is off by its own rounding.
        Raw::Integer(n) => {
            let expected = expected.expect("a number of what is none");
            assert!((n as f64 - expected).abs() <= expected.abs() * 1e-15, "{n}, {expected} is expected");
        }
        Raw::Float(n) => assert_eq!(expected, Some(n).filter(|n| n.is_finite())),
    }
    if let (Raw::Integer(n), Some(back)) = (raw, encoding.bits_of(raw)) {
        assert_eq!(encoding.number(back), Raw::Integer(n), "a number does not come back");
    }
    assert_decimal(&mut input, raw);
}

/// Exact decimals agree with floats wherever both can hold a number.
fn assert_decimal(input: &mut Input<'_>, raw: Raw) {
    let Raw::Integer(n) = raw else { return };
    let scale = format!("{}e{}", input.u16().cast_signed(), i32::from(input.u8().cast_signed()) / 8);
    let scale = Decimal::parse(&scale).expect("a short number with a short exponent is a decimal");
    let Some(product) = Decimal::integer(n).times(scale) else { return };
    let expected = n as f64 * scale.to_f64();
    let off = (product.to_f64() - expected).abs();
    assert!(off <= expected.abs() * 1e-12, "{n} times {scale:?} is {product:?}, {expected} is expected");
    if let Some(Value::Total(total)) = product.value(Unit::WattHour, Quantity::ActiveEnergyImport) {
        assert!((total as f64 - expected).abs() <= 0.51 + expected.abs() * 1e-12, "{product:?} is {total}");
    }
}
