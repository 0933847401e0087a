//! M-Bus: any bytes as a frame and as the body of a sound one, through every M-Bus meter of the catalogue.
//!
//! Laws: one changed byte makes a sound frame none, or leaves its sum right by changing two; records lie within the
//! body and hold no more bytes than it; a record in error gives no value; values are lawful; of two records that differ
//! none is taken; a body that ends unread says where.
//!
//! Allowed ends: every `TelegramError`; `Rest`; the variants of `Decoded` without a value.
//!
//! Must never: take the checksum from the code under test.

use std::sync::{Arc, LazyLock};

use profile::mbus::telegram::{FRAME_BYTES_MAX, frame_length};
use profile::mbus::{Rest, Telegram, TelegramError, records};
use profile::{Decoded, MBusModel, MeterModel, RecordFunction};

use crate::input::Input;
use crate::laws::{assert_lawful, models};

static MODELS: LazyLock<Vec<Arc<MeterModel>>> = LazyLock::new(|| models(|m| m.mbus().is_some()));

/// A long frame around these bytes, which follow the start.
#[must_use]
pub fn framed(counted: &[u8]) -> Vec<u8> {
    let length = counted.len() as u8;
    let sum = counted.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    [&[0x68, length, length, 0x68], counted, &[sum, 0x16]].concat()
}

/// Bytes: one for the meter, one for what they are: a frame, what a frame counts, or the records of a sound one.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let model = MODELS[input.below(MODELS.len())].mbus().expect("it has telegrams");
    let what = input.u8() % 4;
    let rest = input.clone().rest();
    let counted = &rest[..rest.len().min(240)];
    let frame = match what {
        0 => rest.to_vec(),
        1 => framed(counted),
        _ => {
            let header = [0x08, 5, 0x72, 0x78, 0x56, 0x34, 0x12, 0x2D, 0x2C, 1, 4, 7, 0, 0, 0];
            framed(&[&header[..], counted].concat())
        }
    };
    match Telegram::parse(&frame) {
        Ok(telegram) => {
            assert!(frame.len() <= FRAME_BYTES_MAX);
            let start: [u8; 4] = frame[..4].try_into().expect("four bytes");
            assert_eq!(frame_length(start), Some(frame.len()));
            assert_one_wrong_byte(&frame, &mut input);
            body(model, telegram.body);
        }
        Err(error) => assert_telegram_error(error, what),
    }
}

/// The allowed errors of telegrams; a new one must be added here knowingly.
fn assert_telegram_error(error: TelegramError, what: u8) {
    match error {
        TelegramError::Frame { .. } => assert!(what < 2, "a sound frame is refused: {error}"),
        TelegramError::Checksum => assert_eq!(what, 0, "a sound sum is refused"),
        TelegramError::NotData { .. }
        | TelegramError::Application { .. }
        | TelegramError::Fixed
        | TelegramError::Structure { .. }
        | TelegramError::Encrypted { .. }
        | TelegramError::Header => assert!(what < 2, "a sound header is refused: {error}"),
    }
}

fn assert_one_wrong_byte(frame: &[u8], input: &mut Input<'_>) {
    let mut wrong = frame.to_vec();
    let at = input.below(wrong.len());
    wrong[at] ^= input.u8().max(1);
    assert!(Telegram::parse(&wrong).is_err(), "byte {at} may be anything");
}

fn body(model: &MBusModel, body: &[u8]) {
    let (all, rest) = records(body);
    if let Rest::Unreadable { at } = rest {
        assert!(at < body.len(), "it ends unread behind its end");
    }
    let bytes: usize = all.iter().map(|record| record.raw.len() + 2).sum();
    assert!(bytes <= body.len(), "{} records of {} bytes", all.len(), body.len());
    for record in &all {
        let inside = record.raw.is_empty() || body.windows(record.raw.len()).any(|w| w == record.raw);
        assert!(inside, "{record:?} holds what was not sent");
    }
    let picked = model.pick(&all);
    assert!(picked.len() <= model.measures.len());
    for picked in &picked {
        let measure = model.measures.iter().find(|m| m.channel == picked.channel);
        let measure = measure.expect("a channel that the file does not have");
        assert_lawful(picked.channel, picked.decoded, measure.plausible);
        let taken = matches!(picked.decoded, Decoded::Value(_) | Decoded::Implausible(..));
        assert!(!picked.ambiguous || !taken, "one of two was taken: {picked:?}");
        if taken {
            let key = &measure.key;
            // Several records may have the same bytes; the value is lawful if any of them may be taken.
            let sound = all.iter().filter(|r| !r.faulty && r.function != RecordFunction::Error);
            let from = sound.clone().find(|record| {
                record.kind == key.kind
                    && (record.storage, record.tariff, record.subunit)
                        == (key.storage, key.tariff, key.subunit)
                    && record.extensions == key.extensions
                    && record.raw == picked.raw
            });
            assert!(from.is_some(), "a value without a sound record: {picked:?} of {all:?}");
        }
    }
    if model.is_satisfied(&all) {
        let missing = picked.iter().find(|p| p.decoded == Decoded::Missing && !p.ambiguous);
        assert!(missing.is_none(), "{missing:?} is missing from what suffices");
    }
}
