//! Line protocol for engines: a point of any names, values and instant.
//!
//! Laws: those of the store's own suite (`line_law`): it is refused and leaves nothing, or it is one line, of which a
//! parser of its own reads every name and value as it went in.
//!
//! Must never: hold another law than the suite does.

#[path = "../../../daemon/store/tests/engines/line_law.rs"]
mod line_law;

use store::engine::{Field, Precision};

use crate::input::Input;

/// Most tags and fields.
const NAMED_MAX: usize = 6;

/// Bytes: precision and instant, how many tags and fields, then names and values, each a length and so many bytes.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let precision = if input.u8() & 1 == 0 { Precision::Millis } else { Precision::Nanos };
    let millis = input.u64().cast_signed() >> (input.u8() % 64);
    let (tags, fields) = (input.below(NAMED_MAX), input.below(NAMED_MAX));
    let measurement = text(&mut input);
    let tags: Vec<(String, String)> = (0..tags).map(|_| (text(&mut input), text(&mut input))).collect();
    let fields: Vec<(String, Field)> = (0..fields).map(|_| (text(&mut input), field(&mut input))).collect();
    line_law::check(&measurement, &tags, &fields, millis, precision);
}

fn text(input: &mut Input<'_>) -> String {
    let length = usize::from(input.u8());
    // Beyond the longest name that a line carries, too.
    let length = if length == 255 { 1_001 } else { length };
    String::from_utf8_lossy(input.take(length)).into_owned()
}

fn field(input: &mut Input<'_>) -> Field {
    match input.u8() % 3 {
        0 => Field::Integer(input.u64().cast_signed()),
        1 => Field::Float(f64::from_bits(input.u64())),
        _ => Field::Float(f64::from(i32::from(input.u16().cast_signed())) / 10.0),
    }
}
