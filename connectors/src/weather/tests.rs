//! A scripted service on a free port: what is asked, how often, and what becomes of each kind of answer.
//!
//! Must never: reach beyond loopback.

use std::sync::{Arc, Mutex};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;

const ROME: Zone = Zone::Europe__Rome;

/// What the service does with one connection.
#[derive(Debug, Clone)]
enum Act {
    /// Sends these bytes and closes.
    Send(String),
    /// Takes the question and says nothing.
    Hang,
    /// Closes without a word.
    Close,
    /// Announces and sends more than anybody should read.
    Flood,
}

fn status(status: &str, headers: &str, body: &str) -> Act {
    let length = body.len();
    Act::Send(format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n{body}"))
}

fn ok(body: &str) -> Act {
    status("200 OK", "", body)
}

const GOOD: &str = r#"{"hourly":{"time":[0,3600],"temperature_2m":[1.5,null]}}"#;

fn good() -> Values {
    Values::Hourly(vec![(Instant::from_seconds(0), 1.5)])
}

/// A service that plays its script, one act a connection, the last one for ever.
struct Service {
    address: String,
    /// First line of each question.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Service {
    async fn start(script: Vec<Act>, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let address = format!("{scheme}://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        tokio::spawn(async move {
            let mut acts = script.iter().cloned().chain(std::iter::repeat(script[script.len() - 1].clone()));
            while let (Ok((stream, _)), Some(act)) = (listener.accept().await, acts.next()) {
                let (log, tls) = (Arc::clone(&log), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => play(stream, act, &log).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                play(stream, act, &log).await;
                            }
                        }
                    }
                });
            }
        });
        Self { address, asked }
    }

    fn archive(&self, means: Means) -> Archive {
        Archive {
            address: BaseAddress::parse(&self.address).unwrap(),
            latitude: 45.07,
            longitude: 7.69,
            means,
            zone: ROME,
            ca_file: None,
            patience: Patience {
                timeout: Duration::from_secs(20),
                attempts: 3,
                first_wait: Duration::from_millis(1),
                longest_wait: Duration::from_secs(2),
            },
        }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn play(mut stream: impl AsyncRead + AsyncWrite + Unpin, act: Act, log: &Mutex<Vec<String>>) {
    let mut question = Vec::new();
    let mut buffer = [0; 1024];
    while !question.windows(4).any(|w| w == b"\r\n\r\n") {
        match stream.read(&mut buffer).await {
            Ok(read) if 0 < read => question.extend_from_slice(&buffer[..read]),
            _ => return,
        }
    }
    let text = String::from_utf8_lossy(&question).into_owned();
    log.lock().unwrap().push(text.lines().next().unwrap_or_default().to_owned());
    match act {
        Act::Send(text) => {
            stream.write_all(text.as_bytes()).await.ok();
            stream.shutdown().await.ok();
        }
        Act::Hang => std::future::pending::<()>().await,
        Act::Close => {}
        Act::Flood => {
            let head = "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n";
            if stream.write_all(head.as_bytes()).await.is_ok() {
                while stream.write_all(&[b' '; 65_536]).await.is_ok() {}
            }
        }
    }
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

async fn fetch(script: Vec<Act>) -> (Result<Fetched, WeatherError>, Vec<String>) {
    let service = Service::start(script, None).await;
    let fetched = service.archive(Means::Hourly).fetch(day("2025-03-30"), day("2025-03-31")).await;
    (fetched, service.asked())
}

#[tokio::test]
async fn a_good_answer_is_asked_for_once_and_in_gmt() {
    let (fetched, asked) = fetch(vec![ok(GOOD)]).await;
    assert_eq!(fetched.unwrap().values, good());
    // The civil day of 30 March begins at 23:00 GMT of the day before and ends at 22:00.
    let wanted = "GET /v1/archive?latitude=45.07&longitude=7.69&start_date=2025-03-29&end_date=2025-03-30\
                  &hourly=temperature_2m&timezone=GMT&timeformat=unixtime HTTP/1.1";
    assert_eq!(asked, [wanted]);
    let service = Service::start(vec![ok(r#"{"daily":{"time":[],"temperature_2m_mean":[]}}"#)], None).await;
    let archive = service.archive(Means::Daily);
    archive.fetch(day("2025-01-01"), day("2025-02-01")).await.unwrap();
    let wanted = "GET /v1/archive?latitude=45.07&longitude=7.69&start_date=2025-01-01&end_date=2025-01-31\
                  &daily=temperature_2m_mean&timezone=Europe%2FRome HTTP/1.1";
    assert_eq!(service.asked(), [wanted]);
    assert!(archive.fetch(day("2025-01-01"), day("2025-01-01")).await.is_err());
    assert!(archive.fetch(day("2020-01-01"), day("2025-01-01")).await.is_err());
    assert_eq!(service.asked().len(), 1, "what cannot be asked is not asked");
}

#[tokio::test]
async fn what_may_pass_is_tried_again() {
    for first in [
        status("500 Internal Server Error", "", ""),
        status("503 Service Unavailable", "Retry-After: 0\r\n", ""),
        status("429 Too Many Requests", "Retry-After: 1\r\n", r#"{"error":true,"reason":"limit"}"#),
        Act::Close,
        Act::Send("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"hour".to_owned()),
    ] {
        let (fetched, asked) = fetch(vec![first.clone(), ok(GOOD)]).await;
        assert_eq!(fetched.map(|f| f.values).unwrap(), good(), "{first:?}");
        assert_eq!(asked.len(), 2, "{first:?}");
    }
}

#[tokio::test]
async fn patience_ends() {
    let (fetched, asked) = fetch(vec![status("502 Bad Gateway", "", "<html>")]).await;
    let error = fetched.unwrap_err();
    assert!(error.to_string().ends_with("answered with status 502; try again later"), "{error}");
    assert_eq!(asked.len(), 3);
    // A service that wants to be left alone for longer is.
    let limit = r#"{"error":true,"reason":"daily limit"}"#;
    let (fetched, asked) = fetch(vec![status("429 Too Many Requests", "Retry-After: 3600\r\n", limit)]).await;
    let error = fetched.unwrap_err();
    assert_eq!((error.retry_after(), asked.len()), (Some(Duration::from_secs(3600)), 1));
    assert!(
        error.to_string().ends_with("status 429: daily limit; it is asked too often: raise every_h"),
        "{error}"
    );
}

#[tokio::test]
async fn what_will_not_pass_is_not_tried_again() {
    for (act, says) in [
        (
            status("400 Bad Request", "", r#"{"error":true,"reason":"no place"}"#),
            "status 400: no place; check address",
        ),
        (
            status("301 Moved Permanently", "Location: http://elsewhere/\r\n", ""),
            "redirects are not followed",
        ),
        (ok("<html>maintenance</html>"), "answered with something else than temperatures"),
        (Act::Flood, "sent more than 4194304 bytes"),
    ] {
        let (fetched, asked) = fetch(vec![act, ok(GOOD)]).await;
        let error = fetched.unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
        assert_eq!(asked.len(), 1, "{says}");
    }
}

#[tokio::test]
async fn a_service_that_hangs_costs_its_time_out() {
    let service = Service::start(vec![Act::Hang], None).await;
    let mut archive = service.archive(Means::Hourly);
    archive.patience.timeout = Duration::from_millis(100);
    let error = archive.fetch(day("2025-01-01"), day("2025-01-02")).await.unwrap_err();
    assert!(matches!(error, WeatherError::Timeout { .. }), "{error}");
    assert_eq!(service.asked().len(), 3);
}

#[tokio::test]
async fn nobody_there_is_said() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let service = Service { address, asked: Arc::default() };
    let error = service.archive(Means::Hourly).fetch(day("2025-01-01"), day("2025-01-02")).await.unwrap_err();
    assert!(matches!(error, WeatherError::Unreachable { .. }), "{error}");
}

fn data(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls").join(file)
}

#[tokio::test]
async fn tls_is_believed_only_with_the_right_authority() {
    let certificates: Vec<_> =
        CertificateDer::pem_file_iter(data("server.pem")).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(data("server.key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .unwrap();
    let service = Service::start(vec![ok(GOOD)], Some(TlsAcceptor::from(Arc::new(config)))).await;
    let mut archive = service.archive(Means::Hourly);
    archive.ca_file = Some(data("authority.pem"));
    let ask = |archive: Archive| async move { archive.fetch(day("2025-01-01"), day("2025-01-02")).await };
    assert_eq!(ask(archive.clone()).await.unwrap().values, good());
    // By name as well as by number.
    archive.address = BaseAddress::parse(&service.address.replace("127.0.0.1", "localhost")).unwrap();
    assert_eq!(ask(archive.clone()).await.unwrap().values, good());
    // The server's own certificate is no authority, and a key is no certificate.
    archive.ca_file = Some(data("server.pem"));
    assert!(matches!(ask(archive.clone()).await, Err(WeatherError::Tls { .. })));
    archive.ca_file = Some(data("server.key.pem"));
    assert!(matches!(ask(archive).await, Err(WeatherError::Certificates { .. })));
    assert_eq!(service.asked().len(), 2, "nothing was asked without trust");
}
