//! A server that answers as a test says, one request a connection: stubs of engines, and a proxy before a real one.
//!
//! Must never: answer what the test did not say.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// With its query.
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The body is compressed and says so, and is smaller than what it holds.
    #[track_caller]
    pub(crate) fn must_be_packed(&self) {
        assert_eq!(self.header("content-encoding"), Some("gzip"), "{} {}", self.method, self.path);
        assert!(self.body.starts_with(&[0x1f, 0x8b]), "{} {} is no gzip", self.method, self.path);
        let lines = self.text();
        let count = lines.lines().count();
        assert!(count < 5 || self.body.len() < lines.len() / 2, "{count} lines in {} bytes", self.body.len());
    }

    /// The body as text, unpacked where it is compressed.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        match self.header("content-encoding") {
            Some("gzip") => drop(flate2::read::GzDecoder::new(&self.body[..]).read_to_string(&mut text)),
            _ => text = String::from_utf8_lossy(&self.body).into_owned(),
        }
        text
    }
}

/// What to answer: status, headers, body.
pub(crate) type Reply = (u16, Vec<(&'static str, String)>, Vec<u8>);

/// A server on a port of its own; ends with the process.
#[derive(Debug)]
pub(crate) struct Stub {
    pub(crate) address: SocketAddr,
    /// Everything that was asked.
    pub(crate) asked: Arc<Mutex<Vec<Request>>>,
}

impl Stub {
    pub(crate) fn start(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let asked: Arc<Mutex<Vec<Request>>> = Arc::default();
        let (noted, answer) = (Arc::clone(&asked), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(stream), noted, answer) = (stream, Arc::clone(&noted), Arc::clone(&answer)) else {
                    continue;
                };
                std::thread::spawn(move || {
                    if let Some(request) = read(&stream) {
                        let reply = answer(&request);
                        noted.lock().unwrap().push(request);
                        // Who asked may be gone.
                        drop(send(&stream, &reply));
                    }
                });
            }
        });
        Self { address, asked }
    }

    /// Passes on to `server` with the path that `map` makes of each, and 404 where it makes none.
    pub(crate) fn proxy(server: SocketAddr, map: fn(&str) -> Option<String>) -> Self {
        Self::start(move |request| match map(&request.path) {
            Some(path) => forward(server, request, &path).expect("the server behind the proxy answers"),
            None => (404, Vec::new(), b"no such path".to_vec()),
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let (first, headers) = head(&mut reader)?;
    let mut words = first.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let length = headers.iter().find(|(n, _)| n == "content-length").and_then(|(_, v)| v.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    Some(Request { method, path, headers, body })
}

fn head(reader: &mut impl BufRead) -> Option<(String, Vec<(String, String)>)> {
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        Some(line.trim_end().to_owned())
    };
    let first = line().filter(|l| !l.is_empty())?;
    let mut headers = Vec::new();
    loop {
        let line = line()?;
        let Some((name, value)) = line.split_once(':') else { return Some((first, headers)) };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

fn send(mut stream: &TcpStream, (status, headers, body): &Reply) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {status} x\r\nConnection: close\r\n");
    if *status != 204 {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)
}

fn forward(server: SocketAddr, request: &Request, path: &str) -> Option<Reply> {
    let mut stream = TcpStream::connect(server).ok()?;
    let mut head_text = format!("{} {path} HTTP/1.0\r\nHost: {server}\r\n", request.method);
    for (name, value) in &request.headers {
        if !["host", "connection"].contains(&name.as_str()) {
            head_text.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    head_text.push_str("\r\n");
    stream.write_all(head_text.as_bytes()).ok()?;
    stream.write_all(&request.body).ok()?;
    let mut reader = BufReader::new(stream);
    let (first, _) = head(&mut reader)?;
    let status = first.split(' ').nth(1)?.parse().ok()?;
    let mut body = Vec::new();
    reader.read_to_end(&mut body).ok()?;
    Some((status, Vec::new(), body))
}
