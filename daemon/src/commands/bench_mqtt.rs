//! The MQTT part of `consuntivo bench`: messages a second from a broker's socket to the journal, acknowledged.
//!
//! Must never: judge, or take the broker's own work for ours: it is a script that sends and counts.

use std::fs;
use std::io::{BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant as Stopwatch};

use anyhow::Context;
use connectors::{Clock, Inbox, Stop};
use store::Store;

use crate::clock::SystemClock;
use crate::exit::Failure;
use crate::ingest::Ingest;
use crate::installation::Installation;
use crate::metrics::Metrics;
use crate::runtime::Runtime;

const MESSAGES: usize = 500_000;
const METERS: usize = 200;
/// Messages that the script sends before it waits for acknowledgements, as a broker with such a limit does.
const IN_FLIGHT: usize = 2_000;
/// Longest wait for the link to come and for the last acknowledgement.
const PATIENCE: Duration = Duration::from_secs(120);

/// What the script saw.
struct Seen {
    took: Duration,
    /// CPU time of the script itself.
    own_cpu: Duration,
}

pub(crate) async fn mqtt(dir: &Path) -> Result<(), Failure> {
    for version in ["3.1.1", "5"] {
        one(&dir.join(version), version).await?;
    }
    Ok(())
}

async fn one(dir: &Path, version: &str) -> Result<(), Failure> {
    fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
    let port = listener.local_addr().context("a listener has an address")?.port();
    let file = dir.join("consuntivo.toml");
    fs::write(&file, settings(port, version)).context("cannot write the installation file")?;
    let installation = Installation::load(&file)?;
    let store = Store::open(&dir.join("data"), installation.store_options())?;
    let (mut links, _) = installation.links();
    let link = links.pop().context("the benchmark's link is not usable")?;
    let metrics = Arc::new(Metrics::new().map_err(anyhow::Error::from)?);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let runtime = Runtime::new(
        installation,
        store.clone(),
        metrics,
        Arc::clone(&clock),
        Some(dir.join("reports")),
        false,
    )?;
    let inbox: Arc<dyn Inbox> = Arc::new(Ingest(Arc::new(runtime)));
    let five = version == "5";
    let script = tokio::task::spawn_blocking(move || script(&listener, five));
    let cpu_before = cpu_of("/proc/self/stat")?;
    let (handle, stop) = Stop::new();
    let running = tokio::spawn(link.run(inbox, clock, stop));
    let seen = script.await.context("the script panicked")??;
    let cpu = cpu_of("/proc/self/stat")?.saturating_sub(cpu_before).saturating_sub(seen.own_cpu);
    handle.stop();
    running.await.context("the link panicked")?;
    let rate = |span: Duration| MESSAGES as f64 / span.as_secs_f64();
    println!(
        "\nMQTT {version}: {MESSAGES} messages (3 values each) from the socket to the journal, acknowledged, in {:.2} s = {:.0} messages/s",
        seen.took.as_secs_f64(),
        rate(seen.took)
    );
    println!(
        "  CPU time of the daemon's side {:.2} s: {:.1} µs a message, {:.0} messages/s of one core",
        cpu.as_secs_f64(),
        cpu.as_secs_f64() * 1e6 / MESSAGES as f64,
        rate(cpu)
    );
    store.close();
    Ok(())
}

fn settings(port: u16, version: &str) -> String {
    let mut text = format!(
        "[installation]\nid = \"bench\"\nname = \"Bench\"\n\n[[link]]\nid = \"broker\"\nconnector = \"mqtt\"\n\
         address = \"127.0.0.1:{port}\"\nversion = \"{version}\"\nclient_id = \"bench\"\n"
    );
    for meter in 0..METERS {
        text.push_str(&format!(
            "\n[[meter]]\nid = \"meter-{meter}\"\nlink = \"broker\"\nmodel = \"consuntivo-json\"\nevery_s = 1\n\
             topic = \"energy/meter-{meter}\"\n"
        ));
    }
    text
}

/// CPU time in a `stat` file of the kernel, user and system together; its tick is a hundredth of a second.
fn cpu_of(file: &str) -> anyhow::Result<Duration> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?;
    let rest = text.rsplit_once(") ").context("a stat file without a name")?.1;
    let ticks: u64 = rest.split(' ').skip(11).take(2).filter_map(|n| n.parse::<u64>().ok()).sum();
    Ok(Duration::from_millis(10 * ticks))
}

/// Takes one client, sends it all messages at QoS 1, and waits until each is acknowledged.
fn script(listener: &TcpListener, five: bool) -> anyhow::Result<Seen> {
    let (mut stream, _) = listener.accept().context("no client came")?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::with_capacity(1 << 16, stream.try_clone()?);
    packet(&mut reader)?;
    stream.write_all(if five { &[0x20, 3, 0, 0, 0] } else { &[0x20, 2, 0, 0] })?;
    let asked = packet(&mut reader)?;
    stream.write_all(&granted(&asked, five))?;
    let begun = Stopwatch::now();
    let (mut sent, mut acknowledged) = (0, 0);
    let mut out = Vec::new();
    while acknowledged < MESSAGES {
        out.clear();
        while sent < MESSAGES && sent - acknowledged < IN_FLIGHT {
            publish(&mut out, sent, five);
            sent += 1;
        }
        stream.write_all(&out)?;
        // Half of what is on the way, so that neither side ever waits for the other to be quite done.
        let enough = (acknowledged + IN_FLIGHT / 2).min(MESSAGES);
        while acknowledged < enough {
            let answer = packet(&mut reader)?;
            anyhow::ensure!(matches!(answer.first(), Some(0x40 | 0xC0)), "unexpected packet {answer:x?}");
            acknowledged += usize::from(answer.first() == Some(&0x40));
        }
    }
    let took = begun.elapsed();
    let own_cpu = cpu_of("/proc/thread-self/stat")?;
    // Until the link has said good-bye.
    std::thread::spawn(move || drain(reader));
    Ok(Seen { took, own_cpu })
}

fn drain(mut reader: BufReader<TcpStream>) {
    let mut rest = [0; 256];
    while reader.read(&mut rest).is_ok_and(|read| read > 0) {}
}

/// One packet: its first byte, then its body.
fn packet(reader: &mut impl Read) -> std::io::Result<Vec<u8>> {
    let mut byte = [0];
    reader.read_exact(&mut byte)?;
    let mut out = vec![byte[0]];
    let (mut length, mut shift) = (0_usize, 0);
    loop {
        reader.read_exact(&mut byte)?;
        length |= usize::from(byte[0] & 0x7F) << shift;
        shift += 7;
        if byte[0] & 0x80 == 0 || shift > 21 {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    out.append(&mut body);
    Ok(out)
}

fn length(mut length: usize, out: &mut Vec<u8>) {
    loop {
        let low = (length % 128) as u8;
        length /= 128;
        out.push(if length == 0 { low } else { low | 0x80 });
        if length == 0 {
            return;
        }
    }
}

/// A SUBACK that grants every topic at QoS 1.
fn granted(asked: &[u8], five: bool) -> Vec<u8> {
    let mut body = asked.get(1..3).unwrap_or_default().to_vec();
    if five {
        body.push(0);
    }
    body.extend(std::iter::repeat_n(1, METERS));
    let mut out = vec![0x90];
    length(body.len(), &mut out);
    out.extend(body);
    out
}

/// Message `number`: of meter after meter, a second later each round.
fn publish(out: &mut Vec<u8>, number: usize, five: bool) {
    let (meter, round) = (number % METERS, number / METERS);
    let topic = format!("energy/meter-{meter}");
    let (minute, second) = (round / 60 % 60, round % 60);
    let payload = format!(
        "{{\"time\":\"2026-01-01T{:02}:{minute:02}:{second:02}Z\",\"active_energy_import_kwh\":{}.125,\"active_power_w\":{}.5,\"voltage_l1_v\":230.{}}}",
        round / 3600,
        100_000 + round,
        1000 + number % 500,
        number % 10
    );
    let mut body = Vec::with_capacity(160);
    body.extend((topic.len() as u16).to_be_bytes());
    body.extend(topic.as_bytes());
    body.extend(((number % 65_535) as u16 + 1).to_be_bytes());
    if five {
        body.push(0);
    }
    body.extend(payload.as_bytes());
    out.push(0x32);
    length(body.len(), out);
    out.extend(body);
}
