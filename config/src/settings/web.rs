//! Settings of the pages: where they are served, by whom they are reached, and how people come in.
//!
//! Must never: hold a secret; a key or a client's secret stands in a file of its own.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use crate::reader::{Source, Table};

/// Where pages are served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebSettings {
    pub listen: SocketAddr,
    /// The site's own address as its readers have it: scheme and host, perhaps a port.
    pub public_url: Option<String>,
    /// Proxies whose word about their client is taken.
    pub trusted_proxies: Vec<IpAddr>,
    /// Certificate chain and key, PEM; read again when they change.
    pub tls: Option<TlsSettings>,
}

/// Files of the server's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSettings {
    pub certificate_file: PathBuf,
    pub key_file: PathBuf,
}

impl WebSettings {
    /// Whether others than this machine can reach the pages: the address is no loopback, or a proxy stands in front.
    #[must_use]
    pub fn is_exposed(&self) -> bool {
        !self.listen.ip().is_loopback() || !self.trusted_proxies.is_empty() || self.public_url.is_some()
    }

    /// The host of [`WebSettings::public_url`].
    #[must_use]
    pub fn public_host(&self) -> Option<&str> {
        let rest = self.public_url.as_deref()?.split_once("://")?.1;
        Some(rest.rsplit_once(':').map_or(rest, |(host, _)| host))
    }
}

/// How people come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessSettings {
    /// Readers on this machine need no account.
    pub anonymous_reading: bool,
    /// A session ends after so long without a use.
    pub idle_minutes: u32,
    /// A session ends after so long in any case.
    pub session_hours: u32,
    pub provider: Option<ProviderSettings>,
}

impl Default for AccessSettings {
    fn default() -> Self {
        Self {
            anonymous_reading: false,
            idle_minutes: DEFAULT_IDLE_MINUTES as u32,
            session_hours: DEFAULT_SESSION_HOURS as u32,
            provider: None,
        }
    }
}

/// An organisation's login provider (OpenID Connect).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderSettings {
    /// What its button says.
    pub name: String,
    pub issuer: String,
    pub client_id: String,
    pub client_secret_file: Option<PathBuf>,
    pub scopes: Vec<String>,
    pub tax_code_claim: String,
    pub acr: Option<String>,
    pub ca_file: Option<PathBuf>,
}

const DEFAULT_IDLE_MINUTES: i64 = 60;
const DEFAULT_SESSION_HOURS: i64 = 12;
const FILE: &str = "a file, absolute or relative to this one";
const ORIGIN: &str = "the site's address such as \"https://energia.example\", without a path";

pub(super) fn read(
    source: &Source<'_>,
    root: &Table<'_, '_>,
    base: &Path,
    default_listen: SocketAddr,
) -> Option<(WebSettings, AccessSettings)> {
    let web = match root.table_optional("web") {
        Some(table) => read_web(source, &table, base, default_listen),
        None => Some(WebSettings {
            listen: default_listen,
            public_url: None,
            trusted_proxies: Vec::new(),
            tls: None,
        }),
    };
    let access = match root.table_optional("access") {
        Some(table) => read_access(source, &table, base, web.as_ref()),
        None => Some(AccessSettings::default()),
    };
    web.zip(access)
}

fn read_web(
    source: &Source<'_>,
    table: &Table<'_, '_>,
    base: &Path,
    default_listen: SocketAddr,
) -> Option<WebSettings> {
    let expected = "an address and port such as \"127.0.0.1:8480\"";
    let listen = table.parsed_or("listen", expected, default_listen, |t| t.parse().ok());
    let public_url = table.parsed_optional("public_url", ORIGIN, origin);
    let proxies = table.texts_optional("trusted_proxies", "a list of addresses such as [\"127.0.0.1\"]");
    let mut trusted_proxies = Vec::new();
    for text in proxies.unwrap_or_default() {
        match text.parse::<IpAddr>() {
            Ok(address) => trusted_proxies.push(address.to_canonical()),
            Err(_) => {
                let says = format!("{text:?} is no IP address");
                source.report_at(&table.at("trusted_proxies"), says, "write one such as \"127.0.0.1\"");
            }
        }
    }
    let path = |key| table.text_optional(key, FILE).map(|text| base.join(text));
    let files = (path("certificate_file"), path("key_file"));
    table.finish();
    let tls = match files {
        (Some(certificate_file), Some(key_file)) => Some(TlsSettings { certificate_file, key_file }),
        (None, None) => None,
        (Some(_), None) | (None, Some(_)) => {
            let at = table.at("certificate_file");
            source.report_at(&at, "stands without its other half", "give certificate_file and key_file");
            None
        }
    };
    Some(WebSettings { listen: listen?, public_url, trusted_proxies, tls })
}

fn read_access(
    source: &Source<'_>,
    table: &Table<'_, '_>,
    base: &Path,
    web: Option<&WebSettings>,
) -> Option<AccessSettings> {
    let anonymous_reading = table.boolean_or("anonymous_reading", false);
    let idle = table.integer_or("idle_minutes", 5..=1_440, DEFAULT_IDLE_MINUTES);
    let hours = table.integer_or("session_hours", 1..=720, DEFAULT_SESSION_HOURS);
    let has_address = web.is_some_and(|web| web.public_url.is_some());
    let provider = match table.table_optional("provider") {
        Some(provider) => Some(read_provider(source, &provider, base, has_address)?),
        None => None,
    };
    table.finish();
    if anonymous_reading == Some(true) && web.is_some_and(WebSettings::is_exposed) {
        let says = "lets everybody read who can reach this machine";
        let next = "take it away, or serve the pages on loopback with neither public_url nor trusted_proxies";
        source.report_at(&table.at("anonymous_reading"), says, next);
    }
    Some(AccessSettings {
        anonymous_reading: anonymous_reading?,
        idle_minutes: u32::try_from(idle?).ok()?,
        session_hours: u32::try_from(hours?).ok()?,
        provider,
    })
}

fn read_provider(
    source: &Source<'_>,
    table: &Table<'_, '_>,
    base: &Path,
    has_address: bool,
) -> Option<ProviderSettings> {
    let name = table.text_optional("name", "what the button says");
    let issuer = table.parsed("issuer", "the provider's address, with https:// but on this machine", |t| {
        let own = ["http://127.0.0.1", "http://localhost", "http://[::1]"];
        let good = t.starts_with("https://") || own.iter().any(|own| t.starts_with(own));
        good.then(|| t.to_owned())
    });
    let client_id = table.text("client_id", "the name that the provider gave to this site");
    let path = |key| table.text_optional(key, FILE).map(|text| base.join(text));
    let (client_secret_file, ca_file) = (path("client_secret_file"), path("ca_file"));
    let scopes = table.texts_optional("scopes", "a list of scopes besides openid");
    let claim = table.text_optional("tax_code_claim", "the claim that holds the tax code");
    let acr = table.text_optional("acr", "the least level of assurance, as the provider names it");
    table.finish();
    if !has_address {
        let next = "set public_url under [web]: the provider sends people back there";
        source.report_at(&table.at("issuer"), "the provider needs this site's own address", next);
    }
    Some(ProviderSettings {
        name: name.unwrap_or_else(|| "SPID / CIE".to_owned()),
        issuer: issuer?,
        client_id: client_id?,
        client_secret_file,
        scopes: scopes.unwrap_or_else(|| vec!["profile".to_owned()]),
        tax_code_claim: claim.unwrap_or_else(|| "fiscal_number".to_owned()),
        acr,
        ca_file,
    })
}

/// Scheme and host, perhaps a port; without a slash at its end.
fn origin(text: &str) -> Option<String> {
    let text = text.trim_end_matches('/');
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    (!rest.is_empty() && rest.chars().all(plain)).then(|| text.to_ascii_lowercase())
}
