//! Codes of the second factor: TOTP (RFC 6238) over HMAC-SHA-1, six digits, thirty seconds, as every program for it
//! expects; and recovery codes.
//!
//! Must never: take a code twice.

use aws_lc_rs::{hmac, rand};
use sha2::{Digest as _, Sha256};

use super::hex;

pub(super) const STEP_S: i64 = 30;
pub(super) const DIGITS: u32 = 6;
/// 160 bits, RFC 4226 §4 R6.
pub(super) const KEY_BYTES: usize = 20;
/// Steps that a telephone's clock may be off, RFC 6238 §5.2.
const STEPS_OFF: i64 = 1;
pub(super) const RECOVERY_CODES: usize = 8;
const RECOVERY_BYTES: usize = 10;

/// RFC 4648 §6.
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

pub(super) fn new_key() -> Option<[u8; KEY_BYTES]> {
    let mut key = [0; KEY_BYTES];
    rand::fill(&mut key).ok()?;
    Some(key)
}

/// The step whose code this is, if it is one of now that is later than `used`.
pub(super) fn step_of(key: &[u8], code: &str, seconds: i64, used: i64) -> Option<i64> {
    let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    let now = seconds.div_euclid(STEP_S);
    let mut found = None;
    // Every step is tried, so that the time taken does not say which one it was.
    for step in now - STEPS_OFF..=now + STEPS_OFF {
        let same = Sha256::digest(code_at(key, step, DIGITS).as_bytes()) == Sha256::digest(code.as_bytes());
        if same && used < step {
            found = Some(step);
        }
    }
    found
}

/// RFC 4226 §5.3 on a step.
pub(super) fn code_at(key: &[u8], step: i64, digits: u32) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let bytes = tag.as_ref();
    let offset = usize::from(bytes.last().copied().unwrap_or(0) & 0x0f);
    let four = bytes.iter().skip(offset).take(4).fold(0_u32, |n, b| (n << 8) | u32::from(*b));
    let number = (four & 0x7fff_ffff) % 10_u32.pow(digits);
    format!("{number:0width$}", width = digits as usize)
}

pub(super) fn base32(bytes: &[u8]) -> String {
    let mut out = String::new();
    let (mut bits, mut held) = (0_u32, 0_u32);
    for byte in bytes {
        held = (held << 8) | u32::from(*byte);
        bits += 8;
        while 5 <= bits {
            bits -= 5;
            let index = ((held >> bits) & 31) as usize;
            out.push(char::from(BASE32.get(index).copied().unwrap_or(b'A')));
        }
        held &= (1 << bits) - 1;
    }
    if 0 < bits {
        let index = ((held << (5 - bits)) & 31) as usize;
        out.push(char::from(BASE32.get(index).copied().unwrap_or(b'A')));
    }
    out
}

/// Codes for the day the telephone is lost, and the digests that are kept of them.
pub(super) fn recovery_codes() -> Option<(Vec<String>, Vec<String>)> {
    let mut codes = Vec::new();
    for _ in 0..RECOVERY_CODES {
        let mut bytes = [0; RECOVERY_BYTES];
        rand::fill(&mut bytes).ok()?;
        let text = base32(&bytes).to_lowercase();
        let groups: Vec<String> =
            text.as_bytes().chunks(4).map(|part| String::from_utf8_lossy(part).into_owned()).collect();
        codes.push(groups.join("-"));
    }
    let kept = codes.iter().map(|code| recovery_digest(code)).collect();
    Some((codes, kept))
}

/// 80 random bits need no slow hash.
pub(super) fn recovery_digest(code: &str) -> String {
    let plain: String = code.chars().filter(char::is_ascii_alphanumeric).collect();
    hex(&Sha256::digest(plain.to_lowercase().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238 appendix B, the rows of SHA-1.
    #[test]
    fn the_test_vectors_of_the_standard() {
        let key = b"12345678901234567890";
        for (seconds, code) in [
            (59, "94287082"),
            (1_111_111_109, "07081804"),
            (1_111_111_111, "14050471"),
            (1_234_567_890, "89005924"),
            (2_000_000_000, "69279037"),
            (20_000_000_000, "65353130"),
        ] {
            assert_eq!(code_at(key, seconds / STEP_S, 8), code, "{seconds}");
        }
    }

    #[test]
    fn a_code_works_around_its_time_and_once() {
        let key = b"12345678901234567890";
        let code = code_at(key, 1000, DIGITS);
        let spaced = format!("{} {}", &code[..3], &code[3..]);
        for seconds in [29_970, 30_000, 30_029, 30_059] {
            assert_eq!(step_of(key, &code, seconds, 0), Some(1000), "{seconds}");
            assert_eq!(step_of(key, &spaced, seconds, 999), Some(1000));
            assert_eq!(step_of(key, &code, seconds, 1000), None, "used");
        }
        for seconds in [29_969, 30_060] {
            assert_eq!(step_of(key, &code, seconds, 0), None, "{seconds}");
        }
        assert_eq!(step_of(key, "", 30_000, 0), None);
    }

    /// RFC 4648 §10, without padding.
    #[test]
    fn base32_is_the_standards() {
        for (plain, text) in [("f", "MY"), ("fo", "MZXQ"), ("foo", "MZXW6"), ("foobar", "MZXW6YTBOI")] {
            assert_eq!(base32(plain.as_bytes()), text);
        }
    }

    #[test]
    fn recovery_codes_are_many_and_different() {
        let (codes, kept) = recovery_codes().unwrap();
        assert_eq!(codes.len(), RECOVERY_CODES);
        assert_eq!(codes[0].len(), 19);
        assert_eq!(kept[0], recovery_digest(&codes[0].to_uppercase().replace('-', " ")));
        assert!(!kept.contains(&recovery_digest("aaaa-aaaa-aaaa-aaaa")));
        let distinct: std::collections::BTreeSet<_> = codes.iter().collect();
        assert_eq!(distinct.len(), codes.len());
    }
}
