//! A webhook: JSON posted to an address that somebody else serves.
//!
//! Must never: follow a redirect, wait without end, or write its token anywhere.

use std::path::PathBuf;
use std::time::Duration;

use crate::mail::first_line;
use crate::weather::WeatherError;
use crate::weather::http::{Trust, post};

pub use crate::weather::http::BaseAddress;

/// How long an address may take.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Where something is posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    pub address: BaseAddress,
    /// Its first line is sent as a bearer token.
    pub token_file: Option<PathBuf>,
    /// Certificates to trust instead of the system's, as a PEM file.
    pub ca_file: Option<PathBuf>,
}

/// Why a webhook did not take something.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    #[error("the webhook's token cannot be read: {0}")]
    Token(String),
    #[error(transparent)]
    NotTaken(#[from] WeatherError),
}

impl Hook {
    /// Posts JSON; `Ok` when it was answered with a status of success.
    ///
    /// # Errors
    /// [`HookError`]; the address may have taken it nonetheless, when the answer was lost.
    pub async fn post(&self, json: String) -> Result<(), HookError> {
        let token = self.token_file.as_deref().map(first_line).transpose().map_err(HookError::Token)?;
        let trust = Trust::of(&self.address, self.ca_file.as_deref())?;
        let posted = post(&self.address, &trust, json, token);
        let address = || self.address.to_string();
        let timeout = WeatherError::Timeout { address: address(), timeout_s: TIMEOUT.as_secs() };
        Ok(tokio::time::timeout(TIMEOUT, posted).await.unwrap_or(Err(timeout))?)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// Serves one request with this answer; what was asked.
    async fn served(answer: &'static str) -> (Hook, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/hook", listener.local_addr().unwrap());
        let served = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = Vec::new();
            while !asked.ends_with(b"}") {
                let mut part = [0; 1024];
                let n = stream.read(&mut part).await.unwrap();
                asked.extend_from_slice(&part[..n]);
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8(asked).unwrap()
        });
        let hook = Hook { address: BaseAddress::parse(&address).unwrap(), token_file: None, ca_file: None };
        (hook, served)
    }

    #[tokio::test]
    async fn what_is_posted_arrives_with_its_token() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, "geheim\nmore").unwrap();
        let (hook, served) = served("HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n").await;
        Hook { token_file: Some(file), ..hook }.post(r#"{"a":1}"#.into()).await.unwrap();
        let asked = served.await.unwrap();
        assert!(asked.starts_with("POST /hook HTTP/1.1"), "{asked}");
        assert!(asked.to_lowercase().contains("authorization: bearer geheim"), "{asked}");
        assert!(asked.ends_with(r#"{"a":1}"#), "{asked}");
    }

    #[tokio::test]
    async fn a_refusal_is_an_error() {
        let (hook, _served) = served("HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n").await;
        assert!(hook.post(r#"{"a":1}"#.into()).await.is_err());
    }
}
