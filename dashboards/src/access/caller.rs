//! From where a request comes: its connection, and what a trusted proxy says of it.
//!
//! Must never: believe a header of a peer that the settings do not name.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};

use super::secret::Secret;

/// What the server knows of a connection; [`crate::serve`] puts it into every request.
#[derive(Debug, Clone, Copy)]
pub struct Connection {
    pub peer: SocketAddr,
    /// Whether this server itself speaks TLS on it.
    pub tls: bool,
}

/// A request's origin as far as it can be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The client, behind proxies that are trusted.
    pub(crate) address: IpAddr,
    /// On this very machine, by no detour.
    pub(crate) is_local: bool,
    /// Reached over TLS, so that cookies may be bound to it.
    pub(crate) is_secure: bool,
}

const FORWARDED_FOR: &str = "x-forwarded-for";
const FORWARDED_PROTO: &str = "x-forwarded-proto";
/// Headers that only a proxy sends.
const OF_PROXIES: [&str; 4] = [FORWARDED_FOR, FORWARDED_PROTO, "forwarded", "via"];
/// Proxies in a row that are looked through.
const HOPS_MAX: usize = 8;

impl Caller {
    /// `connection` is `None` where no server stands in front (a router driven by hand): then nothing is taken for local.
    pub(crate) fn of(connection: Option<Connection>, headers: &HeaderMap, trusted: &[IpAddr]) -> Self {
        let Some(Connection { peer, tls }) = connection else {
            let address = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
            return Self { address, is_local: false, is_secure: false };
        };
        let peer = peer.ip().to_canonical();
        if !trusted.contains(&peer) {
            // A proxy that the settings do not name: its client is not known, and so not on this machine.
            let forwarded = OF_PROXIES.iter().any(|name| headers.contains_key(*name));
            return Self { address: peer, is_local: peer.is_loopback() && !forwarded, is_secure: tls };
        }
        let proto = headers.get(FORWARDED_PROTO).and_then(|v| v.to_str().ok()).unwrap_or_default();
        Self {
            address: client(headers, trusted).unwrap_or(peer),
            is_local: false,
            is_secure: tls
                || proto.rsplit(',').next().is_some_and(|p| p.trim().eq_ignore_ascii_case("https")),
        }
    }

    /// The name of a cookie: bound to this host, to TLS and to the whole site where the browser can hold it to that
    /// (RFC 6265bis §4.1.3.2).
    pub(crate) fn cookie_name(self, stem: &str) -> String {
        if self.is_secure { format!("__Host-{stem}") } else { stem.to_owned() }
    }

    /// A cookie's value as a secret. Of two with the same name none is taken: one of them is foreign.
    pub(crate) fn cookie(self, headers: &HeaderMap, stem: &str) -> Option<Secret> {
        let name = self.cookie_name(stem);
        let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut found = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let mut of_name = found.by_ref().filter(|(key, _)| *key == name).map(|(_, value)| value);
        match (of_name.next(), of_name.next()) {
            (Some(value), None) => Secret::from_text(value),
            _ => None,
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let known = parts.extensions.get::<Self>().copied();
        Ok(known.unwrap_or_else(|| Self::of(None, &parts.headers, &[])))
    }
}

/// The rightmost address that is no trusted proxy: what stands left of it anybody could have written.
fn client(headers: &HeaderMap, trusted: &[IpAddr]) -> Option<IpAddr> {
    let all: Vec<&str> = headers
        .get_all(FORWARDED_FOR)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .collect();
    for text in all.iter().rev().take(HOPS_MAX) {
        let address: IpAddr = text.trim().parse().ok()?;
        let address = address.to_canonical();
        if !trusted.contains(&address) {
            return Some(address);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    fn caller(peer: &str, pairs: &[(&'static str, &'static str)], trusted: &[&str]) -> Caller {
        let trusted: Vec<IpAddr> = trusted.iter().map(|t| t.parse().unwrap()).collect();
        let connection = Connection { peer: format!("{peer}:40000").parse().unwrap(), tls: false };
        Caller::of(Some(connection), &headers(pairs), &trusted)
    }

    #[test]
    fn a_header_of_an_untrusted_peer_only_takes_trust_away() {
        let spoofed = caller("10.0.0.9", &[(FORWARDED_FOR, "127.0.0.1"), (FORWARDED_PROTO, "https")], &[]);
        assert_eq!(spoofed.address, "10.0.0.9".parse::<IpAddr>().unwrap());
        assert!(!spoofed.is_local && !spoofed.is_secure);
        assert!(caller("127.0.0.1", &[], &[]).is_local && caller("[::1]", &[], &[]).is_local);
        // A proxy on this machine that nobody told us of.
        for name in OF_PROXIES {
            assert!(!caller("127.0.0.1", &[(name, "10.0.0.9")], &[]).is_local, "{name}");
        }
    }

    #[test]
    fn a_trusted_proxy_is_believed_as_far_as_it_can_know() {
        let pairs = [(FORWARDED_FOR, "6.6.6.6, 198.51.100.7"), (FORWARDED_PROTO, "http, https")];
        let behind = caller("127.0.0.1", &pairs, &["127.0.0.1"]);
        assert_eq!(behind.address, "198.51.100.7".parse::<IpAddr>().unwrap());
        assert!(behind.is_secure && !behind.is_local);
        let two = caller("10.0.0.2", &[(FORWARDED_FOR, "198.51.100.7, 10.0.0.1")], &["10.0.0.2", "10.0.0.1"]);
        assert_eq!(two.address, "198.51.100.7".parse::<IpAddr>().unwrap());
        // Even a client that says it is this machine is not.
        assert!(!caller("127.0.0.1", &[(FORWARDED_FOR, "127.0.0.1")], &["127.0.0.1"]).is_local);
        let rubbish = caller("10.0.0.2", &[(FORWARDED_FOR, "198.51.100.7, rubbish")], &["10.0.0.2"]);
        assert_eq!(rubbish.address, "10.0.0.2".parse::<IpAddr>().unwrap());
    }

    #[test]
    fn a_cookie_is_found_by_its_bound_name_and_only_alone() {
        let open = caller("10.0.0.9", &[], &[]);
        let secure = Caller { is_secure: true, ..open };
        let both = headers(&[("cookie", "consuntivo=plain; __Host-consuntivo=bound")]);
        assert_eq!(open.cookie(&both, "consuntivo").unwrap().text(), "plain");
        assert_eq!(secure.cookie(&both, "consuntivo").unwrap().text(), "bound");
        let twice = headers(&[("cookie", "consuntivo=a"), ("cookie", "consuntivo=b")]);
        assert!(open.cookie(&twice, "consuntivo").is_none());
    }
}
