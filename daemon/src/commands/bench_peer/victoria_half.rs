//! VictoriaMetrics' half: its own process, fed over loopback, asked over its API.
//!
//! Must never: feed it through what slows it down: bodies are made before the clock runs.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant as Stopwatch};

use anyhow::{Context, bail};

use super::stream::{METERS, MINUTES_A_DAY, QUANTITIES, Stream};
use super::{Days, Figures, bytes_in, median, processor_seconds};
use crate::commands::bench_memory::resident_kib;

const PROGRAM: &str = "victoria-metrics";
/// Minutes of one body: some 10 000 readings.
const BODY_MINUTES: i64 = 10;
/// Longest from start to the first answer, and from a forced merge to its end.
const READY: Duration = Duration::from_secs(30);
const MERGED: Duration = Duration::from_secs(600);

/// A server with a folder of its own; ends with its owner.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Server {
    fn start(folder: &Path) -> anyhow::Result<Self> {
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let log = File::create(folder.with_extension("log")).context("cannot write the peer's log")?;
        let child = Command::new(PROGRAM)
            .arg(format!("-storageDataPath={}", folder.display()))
            .arg(format!("-httpListenAddr={address}"))
            .arg("-retentionPeriod=10y")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .with_context(|| {
                format!("{PROGRAM} cannot be started; install the Debian package victoria-metrics")
            })?;
        let server = Self { child, address };
        let begun = Stopwatch::now();
        while server.ask("GET", "/health", &[]).is_err() {
            if READY < begun.elapsed() {
                bail!("{PROGRAM} was not ready within {} s", READY.as_secs());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }

    /// Ends it in order, so that everything is on disk.
    fn stop(mut self) -> anyhow::Result<()> {
        let told = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status()?;
        anyhow::ensure!(told.success(), "{PROGRAM} could not be told to stop");
        self.child.wait()?;
        Ok(())
    }

    fn ask(&self, method: &str, path: &str, body: &[u8]) -> anyhow::Result<String> {
        let mut connection = Connection::open(self.address)?;
        connection.ask(method, path, body)
    }

    fn metric(&self, name: &str) -> anyhow::Result<f64> {
        let text = self.ask("GET", "/metrics", &[])?;
        let samples = text.lines().filter(|line| line.starts_with(name));
        Ok(samples.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum())
    }
}

/// One kept connection.
struct Connection(TcpStream, SocketAddr);

impl Connection {
    fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(120)))?;
        Ok(Self(stream, address))
    }

    fn ask(&mut self, method: &str, path: &str, body: &[u8]) -> anyhow::Result<String> {
        let head =
            format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n\r\n", self.1, body.len());
        self.0.write_all(head.as_bytes())?;
        self.0.write_all(body)?;
        let mut bytes = Vec::new();
        let mut buffer = [0; 65_536];
        loop {
            let count = self.0.read(&mut buffer)?;
            anyhow::ensure!(count != 0, "{PROGRAM} closed the connection");
            bytes.extend_from_slice(buffer.get(..count).unwrap_or_default());
            if let Some(body) = whole(&bytes)? {
                return Ok(body);
            }
        }
    }
}

/// The body of an answer once all of it is there.
fn whole(bytes: &[u8]) -> anyhow::Result<Option<String>> {
    let Some(split) = bytes.windows(4).position(|w| w == b"\r\n\r\n") else { return Ok(None) };
    let head = String::from_utf8_lossy(bytes.get(..split).unwrap_or_default()).to_lowercase();
    let body = bytes.get(split + 4..).unwrap_or_default();
    anyhow::ensure!(
        head.starts_with("http/1.1 2"),
        "{PROGRAM} answered {}",
        head.lines().next().unwrap_or_default()
    );
    let text = || Ok(Some(String::from_utf8_lossy(body).into_owned()));
    if head.contains("http/1.1 204") {
        return text();
    }
    if head.contains("transfer-encoding: chunked") {
        return if body.ends_with(b"0\r\n\r\n") { text() } else { Ok(None) };
    }
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    if body.len() < length.unwrap_or(0) { Ok(None) } else { text() }
}

/// Everything of this half.
pub(super) fn measure(dir: &Path, stream: &Stream, days: Days) -> anyhow::Result<Figures> {
    fs::create_dir_all(dir)?;
    let mut figures = Figures::default();
    let mut stream = stream.clone();
    let folder = dir.join("data");
    let server = Server::start(&folder)?;
    ingest(&server, &mut stream, days, &mut figures)?;
    for _ in days.ingest..days.size {
        feed(&server, &bodies(&mut stream, 1))?;
    }
    let readings = days.readings();
    settle(&server, readings)?;
    server.stop()?;
    let data = bytes_in(&folder.join("data"))?;
    let index = bytes_in(&folder.join("indexdb"))?;
    figures.bytes_per_reading = data as f64 / readings as f64;
    println!(
        "  at rest: {data} bytes of data and {index} of index for {readings} readings = {:.3} and {:.3} bytes each",
        figures.bytes_per_reading,
        index as f64 / readings as f64
    );
    queries(&folder, days, &mut figures)?;
    Ok(figures)
}

/// Bodies of some days.
fn bodies(stream: &mut Stream, days: i64) -> Vec<String> {
    let body = |_| {
        let mut text = String::new();
        for _ in 0..BODY_MINUTES {
            stream.next_minute().lines(&mut text);
        }
        text
    };
    (0..days * MINUTES_A_DAY / BODY_MINUTES).map(body).collect()
}

fn feed(server: &Server, bodies: &[String]) -> anyhow::Result<()> {
    let mut connection = Connection::open(server.address)?;
    for body in bodies {
        connection.ask("POST", "/write?precision=ms", body.as_bytes())?;
    }
    Ok(())
}

fn ingest(server: &Server, stream: &mut Stream, days: Days, figures: &mut Figures) -> anyhow::Result<()> {
    let bodies = bodies(stream, days.ingest);
    let count = (METERS * QUANTITIES) as f64 * (MINUTES_A_DAY * days.ingest) as f64;
    let before = processor_seconds(server.child.id())?;
    let begun = Stopwatch::now();
    feed(server, &bodies)?;
    let took = begun.elapsed().as_secs_f64();
    let used = processor_seconds(server.child.id())? - before;
    figures.per_second = count / took;
    figures.per_processor_second = count / used;
    figures.resident = f64::from(resident_kib(server.child.id())?) * 1_024.0;
    println!(
        "\nVictoriaMetrics: {count} readings in {took:.2} s = {:.0} readings/s, {used:.1} s of processor time; \
         acknowledged before they are on disk",
        figures.per_second
    );
    println!("  resident memory at the end of it: {:.1} MB", figures.resident / 1e6);
    Ok(())
}

/// Waits until all rows are counted and merged.
fn settle(server: &Server, readings: i64) -> anyhow::Result<()> {
    server.ask("GET", "/internal/force_flush", &[])?;
    server.ask("GET", "/internal/force_merge", &[])?;
    let begun = Stopwatch::now();
    loop {
        std::thread::sleep(Duration::from_millis(500));
        let rows = server.metric("vm_rows{type=\"storage")?;
        if server.metric("vm_active_merges")? == 0.0 && readings as f64 <= rows {
            return Ok(());
        }
        anyhow::ensure!(begun.elapsed() < MERGED, "{PROGRAM} holds {rows} of {readings} rows and merges on");
    }
}

/// Thirty days of the first total of every meter, by day.
fn queries(folder: &Path, days: Days, figures: &mut Figures) -> anyhow::Result<()> {
    let server = Server::start(folder)?;
    let begin = Stream::default().next_minute().at.millis() / 1_000;
    let end = begin + days.size * 86_400;
    // Without its cache of results: the store's figures are made of readings too.
    let path = format!(
        "/api/v1/query_range?query=increase(bench_q0%5B1d%5D)&start={}&end={end}&step=1d&nocache=1",
        begin + 86_400
    );
    let ask = || -> anyhow::Result<f64> {
        let begun = Stopwatch::now();
        let answer = server.ask("GET", &path, &[])?;
        let found = answer.matches("\"metric\"").count();
        anyhow::ensure!(found == METERS, "{PROGRAM} answered {found} series of {METERS}");
        Ok(begun.elapsed().as_secs_f64())
    };
    figures.days_cold = ask()?;
    figures.days_warm = median((0..9).map(|_| ask()).collect::<Result<_, _>>()?);
    println!(
        "  {} days of {METERS} totals by day: {:.1} ms first, {:.1} ms later",
        days.size,
        figures.days_cold * 1e3,
        figures.days_warm * 1e3
    );
    server.stop()
}
