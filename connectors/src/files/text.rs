//! The bytes of a file as text: UTF-8, with or without a byte-order mark, or Windows-1252 as older spreadsheets save.
//!
//! Must never: replace a byte it does not understand by another character.

use std::borrow::Cow;

use super::{FILE_BYTES_MAX, FileError};

/// What the bytes 0x80 to 0x9F mean in Windows-1252; `\0` where nothing is meant (WHATWG encoding standard, index
/// windows-1252, whose five undefined bytes are control characters there and refused here).
const HIGH: [char; 32] = [
    '€', '\0', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\0', 'Ž', '\0', '\0', '‘', '’', '“',
    '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\0', 'ž', 'Ÿ',
];

/// The text of a file.
pub(super) fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, FileError> {
    if FILE_BYTES_MAX < bytes.len() {
        return Err(FileError::TooLarge { bytes: bytes.len() });
    }
    let line_of = |offset: usize| 1 + bytes.iter().take(offset).filter(|&&b| b == b'\n').count() as u64;
    // UTF-16 and binary files are full of zeros; no text has one.
    if let Some(offset) = bytes.iter().position(|&b| b == 0) {
        return Err(FileError::NotText { line: line_of(offset) });
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Cow::Borrowed(text.strip_prefix('\u{feff}').unwrap_or(text))),
        Err(_) => {
            let mut text = String::with_capacity(bytes.len() + bytes.len() / 8);
            for (offset, &byte) in bytes.iter().enumerate() {
                match windows_1252(byte) {
                    Some(c) => text.push(c),
                    None => return Err(FileError::NotText { line: line_of(offset) }),
                }
            }
            Ok(Cow::Owned(text))
        }
    }
}

fn windows_1252(byte: u8) -> Option<char> {
    match byte {
        0x80..=0x9F => HIGH.get(usize::from(byte - 0x80)).copied().filter(|&c| c != '\0'),
        _ => Some(char::from(byte)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utf8_and_windows_1252_say_the_same() {
        assert_eq!(decode("\u{feff}Quantità".as_bytes()).unwrap(), "Quantità");
        assert_eq!(decode(b"Quantit\xe0 \x80\x92").unwrap(), "Quantità €’");
    }

    #[test]
    fn what_is_no_text_is_refused_with_its_line() {
        assert_eq!(decode(b"a\nb\x81"), Err(FileError::NotText { line: 2 }));
        assert_eq!(decode(b"\xff\xfeP\0O\0"), Err(FileError::NotText { line: 1 }));
    }
}
