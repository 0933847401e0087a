//! One GET or POST over HTTP/1.1, plain or with TLS, with a bound on what comes back.
//!
//! Must never: follow a redirect, accept a certificate that does not hold, or read without end.

use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use hyper::{Method, Request, Response, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{ANSWER_BYTES_MAX, WeatherError};

/// Longest base address, in bytes.
const ADDRESS_BYTES_MAX: usize = 500;
/// How much of a refusal is read for its reason, in bytes.
const REASON_BYTES_MAX: usize = 4_096;

/// Scheme, host, port and perhaps a path; no query, user or password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseAddress {
    secure: bool,
    /// Without brackets where it is an IPv6 address.
    host: String,
    port: u16,
    /// As the Host header wants it.
    authority: String,
    /// Without a slash at its end.
    path: String,
}

impl BaseAddress {
    /// Reads `http://host`, `https://host:8443/path` and the like.
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
        if authority.contains('@') || uri.query().is_some() || uri.host()?.is_empty() {
            return None;
        }
        let port = match uri.port() {
            Some(port) => port.as_u16(),
            None if authority.ends_with(':') => return None,
            None if secure => 443,
            None => 80,
        };
        Some(Self {
            secure,
            host: uri.host()?.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port,
            authority: authority.to_owned(),
            path: uri.path().trim_end_matches('/').to_owned(),
        })
    }
}

impl fmt::Display for BaseAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority, self.path)
    }
}

/// Whom to believe.
pub(crate) enum Trust {
    /// Plain HTTP: nobody is asked who they are.
    Plain,
    Roots(Arc<ClientConfig>),
}

impl Trust {
    /// The system's certificates, or those of `ca_file` alone.
    pub(crate) fn of(address: &BaseAddress, ca_file: Option<&Path>) -> Result<Self, WeatherError> {
        if !address.secure {
            return Ok(Self::Plain);
        }
        let mut roots = RootCertStore::empty();
        let place = match ca_file {
            Some(file) => {
                let read = CertificateDer::pem_file_iter(file).map(|all| all.collect::<Result<Vec<_>, _>>());
                if let Ok(Ok(certificates)) = read {
                    roots.add_parsable_certificates(certificates);
                }
                file.display().to_string()
            }
            None => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
                "the system's store (package ca-certificates)".to_owned()
            }
        };
        let certificates = || WeatherError::Certificates { place: place.clone() };
        if roots.is_empty() {
            return Err(certificates());
        }
        // Named here, so that it does not matter whether the process has installed one already.
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|_| certificates())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self::Roots(Arc::new(config)))
    }
}

/// What is asked.
struct Asked {
    method: Method,
    /// What follows the base address.
    path: String,
    /// JSON; nothing for a GET.
    body: String,
    /// Sent as a bearer token.
    token: Option<String>,
}

/// The body of a 200.
pub(super) async fn get(
    address: &BaseAddress,
    trust: &Trust,
    question: String,
) -> Result<Vec<u8>, WeatherError> {
    ask(address, trust, Asked { method: Method::GET, path: question, body: String::new(), token: None }).await
}

/// Hands JSON over; what is answered with a 2xx is not looked at.
pub(crate) async fn post(
    address: &BaseAddress,
    trust: &Trust,
    body: String,
    token: Option<String>,
) -> Result<(), WeatherError> {
    let asked = Asked { method: Method::POST, path: String::new(), body, token };
    ask(address, trust, asked).await.map(drop)
}

async fn ask(address: &BaseAddress, trust: &Trust, question: Asked) -> Result<Vec<u8>, WeatherError> {
    let unreachable = |source| WeatherError::Unreachable { address: address.to_string(), source };
    let stream = TcpStream::connect((address.host.as_str(), address.port)).await.map_err(unreachable)?;
    match trust {
        Trust::Plain => exchange(address, stream, question).await,
        Trust::Roots(config) => {
            let tls = |source| WeatherError::Tls { address: address.to_string(), source };
            let name = match address.host.parse::<IpAddr>() {
                Ok(ip) => ServerName::IpAddress(ip.into()),
                Err(_) => ServerName::try_from(address.host.clone())
                    .map_err(|error| tls(std::io::Error::other(error)))?,
            };
            let stream = TlsConnector::from(Arc::clone(config)).connect(name, stream).await.map_err(tls)?;
            exchange(address, stream, question).await
        }
    }
}

async fn exchange(
    address: &BaseAddress,
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    asked: Asked,
) -> Result<Vec<u8>, WeatherError> {
    let broken = |source| WeatherError::Broken { address: address.to_string(), source };
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    // Ends with the request: dropping the sender closes the connection. Its error is the sender's too.
    let driver = tokio::spawn(async move { connection.await.is_ok() });
    let path = format!("{}{}", address.path, asked.path);
    let mut request = Request::builder()
        .method(&asked.method)
        .uri(if path.is_empty() { "/" } else { &path })
        .header(HOST, &address.authority)
        .header(USER_AGENT, concat!("consuntivo/", env!("CARGO_PKG_VERSION")))
        .header(ACCEPT, "application/json")
        .header(CONNECTION, "close");
    if asked.method == Method::POST {
        request = request.header(CONTENT_TYPE, "application/json");
    }
    if let Some(token) = &asked.token {
        request = request.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    let request = request.body(Full::new(Bytes::from(asked.body)));
    let Ok(request) = request else {
        let source = std::io::Error::other("its path cannot stand in a request");
        return Err(WeatherError::Unreachable { address: address.to_string(), source });
    };
    let answered = async {
        let response = sender.send_request(request).await.map_err(broken)?;
        let taken = asked.method == Method::POST && response.status().is_success();
        if taken || response.status().as_u16() == 200 {
            return body(response, ANSWER_BYTES_MAX)
                .await
                .map_err(broken)?
                .ok_or_else(|| WeatherError::TooLarge { address: address.to_string() });
        }
        Err(refusal(address, response).await)
    };
    let answered = answered.await;
    driver.abort();
    answered
}

/// All bytes of a body; `None` when they are more than `most`.
async fn body(
    response: Response<hyper::body::Incoming>,
    most: usize,
) -> Result<Option<Vec<u8>>, hyper::Error> {
    let mut body = response.into_body();
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            if most < bytes.len() + data.len() {
                return Ok(None);
            }
            bytes.extend_from_slice(&data);
        }
    }
    Ok(Some(bytes))
}

async fn refusal(address: &BaseAddress, response: Response<hyper::body::Incoming>) -> WeatherError {
    let status = response.status().as_u16();
    let after = response.headers().get(RETRY_AFTER).and_then(|v| v.to_str().ok());
    let retry_after_s = after.and_then(|text| text.trim().parse().ok());
    let said = body(response, REASON_BYTES_MAX).await.ok().flatten().unwrap_or_default();
    let reason = serde_json::from_slice::<serde_json::Value>(&said)
        .ok()
        .and_then(|value| Some(format!(": {}", value.get("reason")?.as_str()?)))
        .unwrap_or_default();
    WeatherError::Status {
        address: address.to_string(),
        status,
        reason: reason.chars().filter(|c| !c.is_control()).take(200).collect(),
        retry_after_s,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_addresses_are_read_and_others_refused() {
        for (text, host, port, shown) in [
            ("https://archive-api.open-meteo.com", "archive-api.open-meteo.com", 443, None),
            ("http://127.0.0.1:8080/weather/", "127.0.0.1", 8080, Some("http://127.0.0.1:8080/weather")),
            ("http://[::1]:9", "::1", 9, None),
            ("http://localhost", "localhost", 80, None),
        ] {
            let address = BaseAddress::parse(text).unwrap();
            assert_eq!((address.host.as_str(), address.port), (host, port), "{text}");
            assert_eq!(address.to_string(), shown.unwrap_or(text));
        }
        for text in
            ["", "host", "ftp://host", "http://", "http://u:p@host", "http://host?a=b", "http://ho st", "/v1"]
        {
            assert_eq!(BaseAddress::parse(text), None, "{text}");
        }
    }
}
