//! Two hundred readers of the pages and a thousand of the live values, against a daemon that runs:
//! `cargo run -p tests --release --bin readers -- ADDRESS [PID]`. Prints percentiles and, with the process's number,
//! its resident memory; figures for `docs/benchmarks.md`.
//!
//! Must never: judge, or be pointed at an installation that people use.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tests::http;

const READERS: usize = 200;
const STREAMS: usize = 1_000;
const LASTS: Duration = Duration::from_secs(20);
/// Between two pages of a reader who reads.
const READING: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(30);
/// Longest line of a head.
const LINE_MAX: u64 = 16 * 1024;

/// One connection that is kept for many pages.
struct Reader {
    address: SocketAddr,
    stream: BufReader<TcpStream>,
}

impl Reader {
    fn connect(address: SocketAddr) -> Result<Self, String> {
        let stream = TcpStream::connect_timeout(&address, TIMEOUT).map_err(|e| format!("{address}: {e}"))?;
        stream.set_read_timeout(Some(TIMEOUT)).map_err(|e| e.to_string())?;
        stream.set_nodelay(true).map_err(|e| e.to_string())?;
        Ok(Self { address, stream: BufReader::new(stream) })
    }

    fn ask(&mut self, path: &str, accept: &str) -> Result<(), String> {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nAccept: {accept}\r\nAccept-Encoding: gzip\r\n\r\n",
            self.address
        );
        self.stream.get_mut().write_all(request.as_bytes()).map_err(|e| format!("{path}: {e}"))
    }

    fn line(&mut self) -> Result<String, String> {
        let mut line = String::new();
        Read::by_ref(&mut self.stream).take(LINE_MAX).read_line(&mut line).map_err(|e| e.to_string())?;
        Ok(line.trim_end().to_owned())
    }

    fn skip(&mut self, bytes: u64) -> Result<(), String> {
        let copied = std::io::copy(&mut Read::by_ref(&mut self.stream).take(bytes), &mut std::io::sink());
        copied
            .map_err(|e| e.to_string())
            .and_then(|n| if n == bytes { Ok(()) } else { Err("cut off".into()) })
    }

    /// Status of the answer's head, and its length where it is told.
    fn head(&mut self) -> Result<(u16, Option<u64>), String> {
        let first = self.line()?;
        let status =
            first.split(' ').nth(1).and_then(|s| s.parse().ok()).ok_or(format!("no HTTP: {first}"))?;
        let mut length = None;
        loop {
            let line = self.line()?.to_ascii_lowercase();
            if line.is_empty() {
                return Ok((status, length));
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().ok();
            }
        }
    }

    /// One page, read to its end.
    fn page(&mut self, path: &str) -> Result<(), String> {
        self.ask(path, "text/html")?;
        let (status, length) = self.head()?;
        match length {
            Some(length) => self.skip(length)?,
            None => loop {
                let size = self.line()?;
                let size =
                    u64::from_str_radix(&size, 16).map_err(|e| format!("{path}: chunk {size}: {e}"))?;
                self.skip(size + 2)?;
                if size == 0 {
                    break;
                }
            },
        }
        if status == 200 { Ok(()) } else { Err(format!("{path}: {status}")) }
    }
}

/// Pages that the first pages link to, without reports and other files.
fn pages(address: SocketAddr) -> Result<Vec<String>, String> {
    let mut found = BTreeSet::from(["/".to_owned(), "/buildings".to_owned(), "/meters".to_owned()]);
    for from in ["/", "/buildings"] {
        let body = http::get(address, from)?.body;
        for link in body.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            if ["/projects/", "/buildings/", "/meters/"].iter().any(|p| link.starts_with(p)) {
                found.insert(link.replace("&amp;", "&").replace("&#38;", "&"));
            }
        }
    }
    Ok(found.into_iter().collect())
}

/// 50th, 99th percentile and the largest, in ms, of how long pages took.
fn percentiles(mut took_ms: Vec<f64>) -> (usize, f64, f64, f64) {
    took_ms.sort_by(f64::total_cmp);
    let at = |share: f64| {
        took_ms.get(((took_ms.len() - 1) as f64 * share).round() as usize).copied().unwrap_or(f64::NAN)
    };
    if took_ms.is_empty() {
        (0, f64::NAN, f64::NAN, f64::NAN)
    } else {
        (took_ms.len(), at(0.5), at(0.99), at(1.0))
    }
}

/// Every reader in its own thread; the first failure ends the measurement.
fn read(address: SocketAddr, pages: &[String], pause: Duration) -> Result<Vec<f64>, String> {
    let all = Mutex::new(Ok(Vec::new()));
    let until = Instant::now() + LASTS;
    thread::scope(|scope| {
        for reader in 0..READERS {
            let all = &all;
            scope.spawn(move || {
                let own = || -> Result<Vec<f64>, String> {
                    let mut connection = Reader::connect(address)?;
                    // Readers do not turn their pages in step.
                    thread::sleep(pause.mul_f64(reader as f64 / READERS as f64));
                    let mut took_ms = Vec::new();
                    for path in pages.iter().cycle().skip(reader * 7 % pages.len()) {
                        let begun = Instant::now();
                        if until < begun {
                            break;
                        }
                        connection.page(path)?;
                        took_ms.push(begun.elapsed().as_secs_f64() * 1e3);
                        thread::sleep(pause);
                    }
                    Ok(took_ms)
                }();
                let mut all = all.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                match (all.as_mut(), own) {
                    (Ok(all), Ok(own)) => all.extend(own),
                    (Ok(_), Err(e)) => *all = Err(e),
                    (Err(_), _) => {}
                }
            });
        }
    });
    all.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Resident memory of a process in MB.
fn resident_mb(pid: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<f64>().ok().map(|kib| kib * 1024.0 / 1e6)
}

/// Holds the streams open and reads them, as browsers do; how many are open and how many bytes came.
fn follow(address: SocketAddr) -> Result<(usize, u64), String> {
    let mut streams = Vec::new();
    for _ in 0..STREAMS {
        let mut reader = Reader::connect(address)?;
        reader.ask("/live", "text/event-stream")?;
        let (status, _) = reader.head()?;
        if status != 200 {
            return Err(format!("stream {}: {status}", streams.len() + 1));
        }
        let stream = reader.stream.into_inner();
        stream.set_nonblocking(true).map_err(|e| e.to_string())?;
        streams.push(stream);
    }
    let (until, mut bytes, mut buffer) = (Instant::now() + LASTS, 0_u64, vec![0; 64 * 1024]);
    while Instant::now() < until {
        let mut quiet = true;
        for stream in &mut streams {
            match stream.read(&mut buffer) {
                Ok(0) => return Err("a stream was closed".into()),
                Ok(n) => {
                    bytes += n as u64;
                    quiet = false;
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                Err(e) => return Err(format!("a stream broke: {e}")),
            }
        }
        if quiet {
            thread::sleep(Duration::from_millis(20));
        }
    }
    Ok((streams.len(), bytes))
}

fn measure(address: SocketAddr, pid: Option<u32>) -> Result<(), String> {
    let pages = pages(address)?;
    println!("{} pages of {address}", pages.len());
    for (what, pause) in [("a page a second each", READING), ("without a pause", Duration::ZERO)] {
        let (count, p50, p99, most) = percentiles(read(address, &pages, pause)?);
        let rate = count as f64 / LASTS.as_secs_f64();
        println!(
            "{READERS} readers, {what}: {count} pages, {rate:.0} a second; p50 {p50:.1} ms, p99 {p99:.1} ms, most {most:.1} ms"
        );
    }
    let highest_kb = Arc::new(AtomicU64::new(0));
    let ended = Arc::new(AtomicBool::new(false));
    let before = pid.and_then(resident_mb);
    let watch = pid.map(|pid| {
        let (highest_kb, ended) = (Arc::clone(&highest_kb), Arc::clone(&ended));
        thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                highest_kb.fetch_max((resident_mb(pid).unwrap_or(0.0) * 1e3) as u64, Ordering::Relaxed);
                thread::sleep(Duration::from_millis(100));
            }
        })
    });
    let followed = follow(address);
    ended.store(true, Ordering::Relaxed);
    watch.map(thread::JoinHandle::join);
    let (streams, bytes) = followed?;
    print!("{streams} live streams for {} s: {:.1} MB received", LASTS.as_secs(), bytes as f64 / 1e6);
    if let Some(before) = before {
        print!(
            "; resident {before:.1} MB before, at most {:.1} MB",
            highest_kb.load(Ordering::Relaxed) as f64 / 1e3
        );
    }
    println!();
    Ok(())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(Ok(address)) = arguments.first().map(|a| a.parse()) else {
        eprintln!(
            "say where the daemon listens, such as 127.0.0.1:8080, and its process number for its memory"
        );
        return ExitCode::FAILURE;
    };
    match measure(address, arguments.get(1).and_then(|p| p.parse().ok())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("{e}");
            ExitCode::FAILURE
        }
    }
}
