//! One HTTP GET over a plain socket: enough to ask the daemon how it is.
//!
//! Must never: hide a refused or broken answer behind an empty one.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Longest an answer may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Longest answer that is read.
const BODY_MAX: u64 = 16 * 1024 * 1024;

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    /// Header names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

/// Asks for `path` and reads until the server closes.
///
/// # Errors
/// When the server cannot be reached, does not answer in time, or answers something that is not HTTP.
pub fn get(address: SocketAddr, path: &str) -> Result<Answer, String> {
    let tried = |what: &str, e: &dyn std::fmt::Display| format!("GET http://{address}{path}: {what}: {e}");
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT).map_err(|e| tried("connect", &e))?;
    stream.set_read_timeout(Some(TIMEOUT)).map_err(|e| tried("timeout", &e))?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(|e| tried("send", &e))?;
    let mut bytes = Vec::new();
    Read::by_ref(&mut stream).take(BODY_MAX).read_to_end(&mut bytes).map_err(|e| tried("receive", &e))?;
    parse(&bytes).ok_or_else(|| tried("answer", &"is not HTTP"))
}

fn parse(bytes: &[u8]) -> Option<Answer> {
    let split = bytes.windows(4).position(|w| w == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..split]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    let headers: Vec<_> = lines
        .filter_map(|l| l.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let raw = &bytes[split + 4..];
    let chunked = headers.iter().any(|(n, v)| n == "transfer-encoding" && v.eq_ignore_ascii_case("chunked"));
    let body = if chunked { unchunk(raw)? } else { raw.to_vec() };
    Some(Answer { status, headers, body: String::from_utf8_lossy(&body).into_owned() })
}

fn unchunk(mut raw: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = raw.windows(2).position(|w| w == b"\r\n")?;
        let size = std::str::from_utf8(&raw[..end]).ok()?.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        raw = raw.get(end + 2..)?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(raw.get(..size)?);
        raw = raw.get(size + 2..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunked_and_plain_bodies_are_read() {
        let plain = parse(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
        assert_eq!((plain.status, plain.body.as_str()), (200, "ok"));
        let chunked = parse(
            b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n",
        )
        .unwrap();
        assert_eq!((chunked.status, chunked.body.as_str()), (404, "abcd"));
        assert!(parse(b"rubbish").is_none());
    }
}
