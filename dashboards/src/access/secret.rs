//! Secrets that readers show: of sessions, tokens and links.
//!
//! Must never: be printed. `Debug` says that there is one; the store keeps its digest only.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// Longest text taken for a secret, in bytes; what is longer is none of ours.
const TEXT_BYTES_MAX: usize = 128;

/// A secret as its holder shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text, if it looks like a secret of ours at all: letters, digits, `-` and `_`.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        (!text.is_empty() && text.len() <= TEXT_BYTES_MAX && text.bytes().all(plain))
            .then(|| Self(text.to_owned()))
    }

    /// For its holder alone: a cookie, a link, the one page that shows a token.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }

    /// What is kept of it, and looked for. A fast digest does: these secrets are 32 random bytes, not a person's choice.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Equality whose time tells nothing of where two texts differ: digests are compared.
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    Sha256::digest(a) == Sha256::digest(b)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_printed() {
        let secret = Secret::from_text("abc_DEF-123").unwrap();
        assert!(!format!("{secret:?}").contains("abc"));
        assert_eq!(secret.text(), "abc_DEF-123");
    }

    #[test]
    fn what_cannot_be_one_is_none() {
        for text in ["", "a b", "é", "a\0", "a;b", &"x".repeat(129)] {
            assert!(Secret::from_text(text).is_none(), "{text:?}");
        }
    }
}
