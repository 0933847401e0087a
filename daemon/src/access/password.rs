//! Passwords: argon2id (RFC 9106) with a salt of its own for each, and what makes one too weak.
//!
//! Must never: keep or print a password, or take less time for an account that is not there.

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::rand;

use super::hex;

/// The second choice of RFC 9106 §4 needs 64 MiB; OWASP's Password Storage Cheat Sheet gives these as the smallest
/// that stand: a page of many readers must not exhaust a small machine.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;
/// NIST SP 800-63B-4 §3.1.1.2 asks for 15 where a password stands alone and 8 beside a second factor; with lock-out in
/// front of it, twelve.
pub(super) const CHARACTERS_MIN: usize = 12;
/// What is longer is not hashed: its time would be the sender's to choose.
const BYTES_MAX: usize = 256;

/// A hash as it is kept: `argon2id,MEMORY,PASSES,LANES,SALT,HASH`.
pub(super) fn hash(password: &str) -> Option<String> {
    let mut salt = [0; SALT_BYTES];
    rand::fill(&mut salt).ok()?;
    let out = derive(password, &salt, MEMORY_KIB, PASSES, LANES)?;
    Some(format!("argon2id,{MEMORY_KIB},{PASSES},{LANES},{},{}", hex(&salt), hex(&out)))
}

/// Whether it is the password. Without a kept hash the same work is done for nothing.
pub(super) fn is_right(password: &str, kept: Option<&str>) -> bool {
    let Some((memory, passes, lanes, salt, hash)) = kept.and_then(read) else {
        // The result is of no interest, the time is.
        drop(derive(password, &[0; SALT_BYTES], MEMORY_KIB, PASSES, LANES));
        return false;
    };
    derive(password, &salt, memory, passes, lanes)
        .is_some_and(|out| verify_slices_are_equal(&out, &hash).is_ok())
}

/// Whether it may become a password of the account: long enough, no single repeated pattern, not the account's name.
pub(super) fn is_strong(password: &str, account: &str, name: &str) -> bool {
    let length = password.chars().count();
    let lower = password.to_lowercase();
    let distinct: std::collections::BTreeSet<char> = lower.chars().collect();
    let mentions = |word: &str| 3 < word.len() && lower.contains(&word.to_lowercase());
    // `abcabcabcabc`: what remains when a shorter beginning is repeated.
    let units: Vec<char> = lower.chars().collect();
    let repeats = |n: usize| units.chunks(n).all(|part| units.starts_with(part));
    CHARACTERS_MIN <= length
        && password.len() <= BYTES_MAX
        && 5 <= distinct.len()
        && !(1..=length / 2).any(repeats)
        && !mentions(account)
        && !name.split_whitespace().any(mentions)
}

fn derive(password: &str, salt: &[u8], memory: u32, passes: u32, lanes: u32) -> Option<[u8; HASH_BYTES]> {
    let params = Params::new(memory, passes, lanes, Some(HASH_BYTES)).ok()?;
    let mut out = [0; HASH_BYTES];
    let bytes = password.as_bytes();
    let bytes = bytes.get(..bytes.len().min(BYTES_MAX + 1))?;
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into(bytes, salt, &mut out).ok()?;
    Some(out)
}

type Kept = (u32, u32, u32, Vec<u8>, Vec<u8>);

fn read(kept: &str) -> Option<Kept> {
    let parts: Vec<&str> = kept.split(',').collect();
    let ["argon2id", memory, passes, lanes, salt, hash] = parts.as_slice() else { return None };
    Some((
        memory.parse().ok()?,
        passes.parse().ok()?,
        lanes.parse().ok()?,
        super::unhex(salt)?,
        super::unhex(hash)?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9106 §5.3 needs a secret and associated data; this is the reference implementation's own test of argon2id
    /// without them (phc-winner-argon2, test.c: version 0x13, t=2, m=16, p=1, `password`, `somesalt`).
    #[test]
    fn the_hash_is_argon2id() {
        let out = derive("password", b"somesalt", 1 << 16, 2, 1).unwrap();
        assert_eq!(hex(&out), "09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7");
    }

    #[test]
    fn only_the_password_opens() {
        let kept = hash("quattro gatti al sole").unwrap();
        assert!(is_right("quattro gatti al sole", Some(&kept)));
        for wrong in ["quattro gatti al sol", "", "Quattro gatti al sole"] {
            assert!(!is_right(wrong, Some(&kept)), "{wrong}");
        }
        assert!(!is_right("quattro gatti al sole", None) && !is_right("x", Some("argon2id,1,2")));
        assert_ne!(hash("quattro gatti al sole").unwrap(), kept, "each has its own salt");
    }

    #[test]
    fn weak_ones_are_refused() {
        for weak in ["short", "aaaaaaaaaaaaaaaa", "abcabcabcabcabc", "rosa.bianchi-2026", "Bianchi!bianco12", &"x1y2z".repeat(60)] {
            assert!(!is_strong(weak, "rosa.bianchi", "Rosa Bianchi"), "{weak}");
        }
        assert!(is_strong("quattro gatti al sole", "rosa.bianchi", "Rosa Bianchi"));
    }
}
