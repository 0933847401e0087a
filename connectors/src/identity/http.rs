//! One question over HTTP/1.1, plain to this machine alone or with TLS, with a bound on what comes back.
//!
//! Must never: follow a redirect, speak to another machine without TLS, accept a certificate that does not hold, or
//! read without end.

use std::io::{self, Read, Write};
use std::net::{IpAddr, TcpStream, ToSocketAddrs as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hyper::{Request, Response, StatusCode};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// Time of one step: connecting, writing, reading on.
const STEP_TIMEOUT: Duration = Duration::from_secs(8);
/// Largest answer in bytes, head and body.
const ANSWER_BYTES_MAX: u64 = 1024 * 1024;

/// Whom to believe, and how to ask.
pub(super) struct Http {
    tls: Arc<ClientConfig>,
}

impl Http {
    pub(super) fn new(ca_file: Option<&Path>) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        match ca_file {
            Some(file) => {
                let no_pem = |error| format!("{} is no PEM file ({error})", file.display());
                let all = CertificateDer::pem_file_iter(file).map_err(no_pem)?;
                let all: Vec<_> = all.collect::<Result<_, _>>().map_err(no_pem)?;
                roots.add_parsable_certificates(all);
            }
            None => {
                // Certificates that cannot be read are left out: the others may suffice.
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
        }
        // Named here, so that it does not matter whether the process has installed one already.
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { tls: Arc::new(config) })
    }

    /// Asks and reads the whole answer. Blocks.
    pub(super) fn ask(&self, request: Request<Vec<u8>>) -> io::Result<Response<Vec<u8>>> {
        let uri = request.uri();
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let secure = uri.scheme_str() == Some("https");
        let own = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if !secure && !own {
            return Err(io::Error::other(format!("{host} is asked over TLS only")));
        }
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let stream = open(&host, port)?;
        let asked = written(&request);
        let answer = if secure {
            let name = match host.parse::<IpAddr>() {
                Ok(ip) => ServerName::IpAddress(ip.into()),
                Err(_) => ServerName::try_from(host).map_err(io::Error::other)?,
            };
            let client = ClientConnection::new(Arc::clone(&self.tls), name).map_err(io::Error::other)?;
            exchange(StreamOwned::new(client, stream), &asked)?
        } else {
            exchange(stream, &asked)?
        };
        read(&answer).ok_or_else(|| io::Error::other("the answer is no HTTP/1.1"))
    }
}

fn open(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, STEP_TIMEOUT) {
            Ok(stream) => {
                stream.set_read_timeout(Some(STEP_TIMEOUT))?;
                stream.set_write_timeout(Some(STEP_TIMEOUT))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn written(request: &Request<Vec<u8>>) -> Vec<u8> {
    let uri = request.uri();
    let path = uri.path_and_query().map_or("/", |p| p.as_str());
    let host = uri.authority().map_or("", |a| a.as_str());
    let mut out = format!("{} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n", request.method());
    for (name, value) in request.headers() {
        if let Ok(value) = value.to_str() {
            out.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    out.push_str(&format!("content-length: {}\r\n\r\n", request.body().len()));
    let mut bytes = out.into_bytes();
    bytes.extend_from_slice(request.body());
    bytes
}

fn exchange(mut stream: impl Read + Write, asked: &[u8]) -> io::Result<Vec<u8>> {
    stream.write_all(asked)?;
    stream.flush()?;
    let mut answer = Vec::new();
    match stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer) {
        Ok(_) => {}
        // Some servers leave without a farewell; an answer that is whole is whole.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && !answer.is_empty() => {}
        Err(error) => return Err(error),
    }
    Ok(answer)
}

/// The answer, once it is whole: as long as its head says, or with its last chunk.
fn read(answer: &[u8]) -> Option<Response<Vec<u8>>> {
    let cut = answer.windows(4).position(|w| w == b"\r\n\r\n")?;
    let head = std::str::from_utf8(answer.get(..cut)?).ok()?;
    let body = answer.get(cut + 4..)?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse::<u16>().ok()?;
    let mut response = Response::builder().status(StatusCode::from_u16(status).ok()?);
    let (mut length, mut chunked) = (None, false);
    for line in lines {
        let (name, value) = line.split_once(':')?;
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            length = Some(value.parse::<usize>().ok()?);
        }
        if name.eq_ignore_ascii_case("transfer-encoding") {
            chunked = value.eq_ignore_ascii_case("chunked");
        }
        response = response.header(name, value);
    }
    let body = match (chunked, length) {
        (true, _) => dechunked(body)?,
        (false, Some(length)) => body.get(..length)?.to_vec(),
        (false, None) => body.to_vec(),
    };
    response.body(body).ok()
}

/// RFC 9112 §7.1; trailers are left unread.
fn dechunked(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    loop {
        let end = rest.windows(2).position(|w| w == b"\r\n")?;
        let line = std::str::from_utf8(rest.get(..end)?).ok()?;
        let size = usize::from_str_radix(line.split(';').next()?.trim(), 16).ok()?;
        rest = rest.get(end + 2..)?;
        if size == 0 {
            return Some(out);
        }
        out.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size..)?.strip_prefix(b"\r\n")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(answer: &str) -> Option<String> {
        read(answer.as_bytes()).map(|r| String::from_utf8(r.into_body()).unwrap())
    }

    #[test]
    fn an_answer_is_taken_whole_or_not_at_all() {
        let whole = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        assert_eq!(body(whole).as_deref(), Some("hello"));
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n";
        assert_eq!(body(chunked).as_deref(), Some("hello"));
        for cut in [&whole[..whole.len() - 1], &chunked[..chunked.len() - 5], "HTTP/2 200", "", "HTTP/1.1 2"] {
            assert_eq!(body(cut), None, "{cut:?}");
        }
    }

    #[test]
    fn other_machines_are_asked_over_tls_only() {
        let http = Http::new(None).unwrap();
        let request = Request::builder().uri("http://192.0.2.1/").body(Vec::new()).unwrap();
        assert!(http.ask(request).unwrap_err().to_string().contains("TLS only"));
    }
}
