//! Asking an engine over HTTP/1.1, plain or with TLS, on connections that are kept, with limits on time and size.
//!
//! Must never: follow a redirect (it would take the token elsewhere), read without end, or let a token into an error.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use hyper::{Method, Request, Response};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::address::BaseAddress;
use super::error::{EngineError, said};
use super::secret::{Token, TokenSource};

/// Largest answer that is read, in bytes.
pub(super) const ANSWER_BYTES_MAX: usize = 32 << 20;
/// How much of a refusal is read for its reason.
const REASON_BYTES_MAX: usize = 256 << 10;

/// How an engine is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpOptions {
    /// Longest from the first byte sent to the last received.
    pub timeout: Duration,
    /// Where the token is; `None` where the engine asks for none.
    pub token: Option<TokenSource>,
    /// Certificates to trust instead of the system's, as a PEM file.
    pub ca_file: Option<PathBuf>,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(30), token: None, ca_file: None }
    }
}

/// A client of one engine.
#[derive(Debug)]
pub(super) struct Http {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    options: HttpOptions,
    /// The word before the token in the header.
    scheme: &'static str,
    token: Mutex<Option<Token>>,
}

/// A question.
#[derive(Debug)]
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    pub(super) address: &'a BaseAddress,
    pub(super) path: &'a str,
    pub(super) parameters: &'a [(&'a str, &'a str)],
    /// Compressed lines, or nothing.
    pub(super) lines: Option<Bytes>,
}

/// A successful answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) body: Vec<u8>,
    pub(super) version: String,
}

impl Http {
    /// Reads certificates and token; connects to nothing.
    pub(super) fn new(options: HttpOptions, secure: bool, scheme: &'static str) -> Result<Self, EngineError> {
        let mut plain = HttpConnector::new();
        plain.enforce_http(false);
        plain.set_connect_timeout(Some(options.timeout));
        plain.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls(&options, secure)?)
            .https_or_http()
            .enable_http1();
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .pool_max_idle_per_host(2)
            .build(connector.wrap_connector(plain));
        let token = options.token.as_ref().map(Token::read).transpose()?;
        Ok(Self { client, options, scheme, token: Mutex::new(token) })
    }

    /// Asks and reads the answer of a status from 200 to 299; every other is an error.
    pub(super) async fn ask(&self, ask: Ask<'_>) -> Result<Answer, EngineError> {
        let address = ask.address.to_string();
        let timeout_s = self.options.timeout.as_secs();
        let asked = tokio::time::timeout(self.options.timeout, self.exchange(ask, &address)).await;
        let done = asked.unwrap_or(Err(EngineError::Timeout { address, timeout_s }));
        if let (Err(EngineError::Forbidden { .. }), Some(source)) = (&done, &self.options.token) {
            // It may have been renewed; the next question then has the new one.
            if let Ok(token) = Token::read(source) {
                *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Some(token);
            }
        }
        done
    }

    async fn exchange(&self, ask: Ask<'_>, address: &str) -> Result<Answer, EngineError> {
        let wrong = |says: &str| EngineError::Answer { address: address.to_owned(), says: says.to_owned() };
        let uri = ask.address.at(ask.path, ask.parameters).ok_or_else(|| wrong("the address is too long"))?;
        let mut request = Request::builder()
            .method(ask.method)
            .uri(uri)
            .header(USER_AGENT, concat!("consuntivo/", env!("CARGO_PKG_VERSION")))
            .header(ACCEPT, "application/json");
        if let Some(token) = self.token.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            request = request.header(AUTHORIZATION, token.header(self.scheme));
        }
        if ask.lines.is_some() {
            request =
                request.header(CONTENT_TYPE, "text/plain; charset=utf-8").header(CONTENT_ENCODING, "gzip");
        }
        let request = request
            .body(Full::new(ask.lines.unwrap_or_default()))
            .map_err(|_| wrong("the question cannot stand in a request"))?;
        let response = self.client.request(request).await.map_err(|error| {
            let (address, is_connect) = (address.to_owned(), error.is_connect());
            let source = Box::new(error);
            if is_connect {
                EngineError::Unreachable { address, source }
            } else {
                EngineError::Broken { address, source }
            }
        })?;
        let header = |name: &str| {
            let value = response.headers().get(name).and_then(|v| v.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        let version = header("x-influxdb-version");
        let after = header(RETRY_AFTER.as_str());
        let status = response.status();
        if status.is_success() {
            return Ok(Answer { body: read(response, ANSWER_BYTES_MAX, address).await?, version });
        }
        let body = read(response, REASON_BYTES_MAX, address).await.unwrap_or_default();
        Err(failure(address, status.as_u16(), &body, after.trim().parse().ok().map(Duration::from_secs)))
    }
}

/// What a status means. A wish for a wait in the form of a date is not followed: our clock may be another.
fn failure(address: &str, status: u16, body: &[u8], after: Option<Duration>) -> EngineError {
    let address = address.to_owned();
    let reason = super::answer::reason(body);
    let says = said(&reason);
    match status {
        401 | 403 | 407 => EngineError::Forbidden { address, status, says },
        404 => EngineError::NoSuchPlace { address, status, says },
        413 => EngineError::TooLarge { address },
        400 | 422 => {
            let lines = super::answer::named_lines(body);
            EngineError::Refused { address, status, says: reason.chars().take(300).collect(), lines }
        }
        408 | 425 | 429 | 500..=599 => EngineError::Busy { address, status, says, after },
        _ => EngineError::Answer { address, says: format!("status {status}{says}") },
    }
}

/// All bytes of a body, if they are at most `most`.
async fn read(response: Response<Incoming>, most: usize, address: &str) -> Result<Vec<u8>, EngineError> {
    let mut body = response.into_body();
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame
            .map_err(|error| EngineError::Broken { address: address.to_owned(), source: Box::new(error) })?;
        if let Ok(data) = frame.into_data() {
            if most < bytes.len() + data.len() {
                return Err(EngineError::AnswerTooLarge { address: address.to_owned(), most });
            }
            bytes.extend_from_slice(&data);
        }
    }
    Ok(bytes)
}

/// Whom to believe: the system's certificates, or those of the file alone.
fn tls(options: &HttpOptions, secure: bool) -> Result<ClientConfig, EngineError> {
    let mut roots = RootCertStore::empty();
    let place = match &options.ca_file {
        Some(file) => {
            let read = CertificateDer::pem_file_iter(file).map(|all| all.collect::<Result<Vec<_>, _>>());
            if let Ok(Ok(certificates)) = read {
                roots.add_parsable_certificates(certificates);
            }
            file.display().to_string()
        }
        None if secure => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            "the system's store (package ca-certificates)".to_owned()
        }
        None => String::new(),
    };
    let certificates = || EngineError::Certificates { place: place.clone() };
    if secure && roots.is_empty() {
        return Err(certificates());
    }
    // Named here, so that it does not matter whether the process has installed one already.
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| certificates())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}
