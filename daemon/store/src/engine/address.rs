//! Where an engine is: scheme, host, port and perhaps a path; never a query, a user or a password.
//!
//! Must never: accept an address that would carry a secret into logs.

use std::fmt;

use hyper::Uri;

/// Longest base address, in bytes.
const ADDRESS_BYTES_MAX: usize = 500;

/// A base address, `http://127.0.0.1:8428` or `https://vm.example.org/select/0/prometheus`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseAddress {
    secure: bool,
    authority: String,
    /// Without a slash at its end.
    path: String,
}

impl BaseAddress {
    /// Reads an address; `None` for what is none, has a query, or names a user.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if ADDRESS_BYTES_MAX < text.len() {
            return None;
        }
        let uri: Uri = text.parse().ok()?;
        let secure = match uri.scheme_str()? {
            "http" => false,
            "https" => true,
            _ => return None,
        };
        let authority = uri.authority()?.as_str();
        let is_plain = !authority.contains('@') && !authority.ends_with(':');
        if !is_plain || uri.query().is_some() || uri.host()?.is_empty() {
            return None;
        }
        let path = uri.path().trim_end_matches('/').to_owned();
        Some(Self { secure, authority: authority.to_owned(), path })
    }

    #[must_use]
    pub const fn is_secure(&self) -> bool {
        self.secure
    }

    /// The address of a path below it, with parameters.
    pub(super) fn at(&self, path: &str, parameters: &[(&str, &str)]) -> Option<Uri> {
        let mut text = format!("{self}{path}");
        for (n, (name, value)) in parameters.iter().enumerate() {
            text.push(if n == 0 { '?' } else { '&' });
            text.push_str(name);
            text.push('=');
            percent(value, &mut text);
        }
        text.parse().ok()
    }
}

impl fmt::Display for BaseAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority, self.path)
    }
}

/// Percent-encodes everything but RFC 3986's unreserved characters.
pub(super) fn percent(value: &str, into: &mut String) {
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            into.push(char::from(byte));
        } else {
            into.push_str(&format!("%{byte:02X}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_addresses_are_read_and_others_refused() {
        for (text, shown) in [
            ("http://127.0.0.1:8428", "http://127.0.0.1:8428"),
            ("https://vm/select/0/prometheus/", "https://vm/select/0/prometheus"),
            ("http://[::1]:8086", "http://[::1]:8086"),
        ] {
            assert_eq!(BaseAddress::parse(text).map(|a| a.to_string()), Some(shown.to_owned()));
        }
        for text in ["", "vm:8428", "ftp://vm", "http://u:p@vm", "http://vm?db=a", "http://vm:", "/v1"] {
            assert_eq!(BaseAddress::parse(text), None, "{text}");
        }
        let at = BaseAddress::parse("http://vm/x").and_then(|a| a.at("/query", &[("q", "a b&c='\u{e8}'")]));
        assert_eq!(
            at.map(|u| u.to_string()),
            Some("http://vm/x/query?q=a%20b%26c%3D%27%C3%A8%27".to_owned())
        );
    }
}
