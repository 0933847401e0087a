//! The memory part of `consuntivo bench`: what a real `run` holds, with few meters and with many.
//!
//! Must never: count the simulated field as the daemon, which is another process.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use connectors::Clock;
use model::{Channel, Quantity};
use rumqttc::{AsyncClient, MqttOptions, QoS};
use store::Store;

use crate::clock::SystemClock;
use crate::demo::{Broker, Demo};
use crate::exit::Failure;

const ZONE: model::Zone = chrono_tz::Europe::Rome;
const METERS_PER_GATEWAY: u8 = 10;
/// The models of the simulated gateways, turn by turn.
const MODELS: [&str; 2] = ["eastron-sdm630", "carlo-gavazzi-em340"];
/// How often every MQTT meter publishes.
const PUBLISHED_EVERY: Duration = Duration::from_secs(10);
const QUEUE_MAX: usize = 64;

/// An installation to be measured.
struct Site {
    /// Gateways of ten meters each.
    gateways: usize,
    /// How often these are read, in seconds.
    every_s: u32,
    /// Meters that publish over MQTT.
    published: usize,
    /// When memory is looked at, in seconds after the start, rising.
    looks_s: &'static [u64],
}

const SITES: [Site; 4] = [
    Site { gateways: 5, every_s: 1, published: 0, looks_s: &[60] },
    Site { gateways: 0, every_s: 10, published: 1, looks_s: &[60] },
    Site { gateways: 8, every_s: 10, published: 20, looks_s: &[60] },
    Site { gateways: 40, every_s: 10, published: 100, looks_s: &[10, 60, 180] },
];

pub(crate) async fn memory(dir: &Path) -> Result<(), Failure> {
    for (number, site) in SITES.iter().enumerate() {
        measure(&dir.join(number.to_string()), site).await?;
    }
    Ok(())
}

async fn measure(dir: &Path, site: &Site) -> Result<(), Failure> {
    fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    let dir = dir.canonicalize().context("the folder was just made")?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let demo = Demo::plan(clock.now().day(ZONE), ZONE);
    let mut text =
        String::from("[installation]\nid = \"bench\"\nname = \"Bench\"\n\n[web]\nlisten = \"127.0.0.1:0\"\n");
    let mut field = Vec::new();
    for (turn, model) in MODELS.into_iter().enumerate() {
        let count = (site.gateways + MODELS.len() - 1 - turn) / MODELS.len();
        let gateways = demo
            .start_gateways(model, count, METERS_PER_GATEWAY, Arc::clone(&clock))
            .await
            .map_err(anyhow::Error::from)?;
        for (number, port) in gateways.ports().into_iter().enumerate() {
            gateway_text(&mut text, &format!("gateway-{turn}-{number}"), port, model, site.every_s);
        }
        field.push(gateways);
    }
    let broker = Broker::start(&dir).await.map_err(anyhow::Error::from)?;
    mqtt_text(&mut text, broker.address.port(), site.published);
    let publisher = publish(broker.address.port(), site.published);
    let config = dir.join("consuntivo.toml");
    fs::write(&config, text).context("cannot write the installation file")?;
    let exe = std::env::current_exe().context("cannot find this binary")?;
    let child = Command::new(exe)
        .args(["run", "--config"])
        .arg(&config)
        .env("CONSUNTIVO_LOG", "error")
        .stdout(Stdio::null())
        .spawn()
        .context("cannot start the daemon to be measured")?;
    let child = Running(child);
    let over_modbus = site.gateways * usize::from(METERS_PER_GATEWAY);
    println!(
        "\nresident memory of `run` with {over_modbus} Modbus meters every {} s and {} MQTT meters every {} s:",
        site.every_s,
        site.published,
        PUBLISHED_EVERY.as_secs()
    );
    let begun = tokio::time::Instant::now();
    for &look_s in site.looks_s {
        tokio::time::sleep_until(begun + Duration::from_secs(look_s)).await;
        let resident = f64::from(resident_kib(child.0.id())?) * 1.024 / 1000.0;
        println!("  {resident:.1} MB after {look_s} s");
    }
    drop(child);
    publisher.abort();
    drop((field, broker));
    let (meters, readings) = read(&dir.join("data"))?;
    println!(
        "  {meters} of {} meters were read, {readings} readings of totals",
        over_modbus + site.published
    );
    Ok(())
}

/// How many meters have readings of their total, and how many readings these are.
fn read(data: &Path) -> Result<(usize, u64), Failure> {
    let store = Store::open_shared(data)?;
    let (mut meters, mut sum) = (0, 0);
    for key in store.series()? {
        if key.channel == Channel::total(Quantity::ActiveEnergyImport) {
            let readings =
                store.for_each_reading(&key, None, None, &mut |_| std::ops::ControlFlow::Continue(()))?;
            meters += usize::from(readings > 0);
            sum += readings;
        }
    }
    Ok((meters, sum))
}

/// A child that ends with its owner.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn gateway_text(text: &mut String, link: &str, port: u16, model: &str, every_s: u32) {
    text.push_str(&format!(
        "\n[[link]]\nid = \"{link}\"\nconnector = \"modbus-tcp\"\naddress = \"127.0.0.1:{port}\"\n"
    ));
    for unit in 1..=METERS_PER_GATEWAY {
        text.push_str(&format!(
            "\n[[meter]]\nid = \"{link}-{unit}\"\nlink = \"{link}\"\nmodel = \"{model}\"\nevery_s = {every_s}\nunit = {unit}\n"
        ));
    }
}

fn mqtt_text(text: &mut String, port: u16, meters: usize) {
    if meters == 0 {
        return;
    }
    text.push_str(&format!(
        "\n[[link]]\nid = \"broker\"\nconnector = \"mqtt\"\naddress = \"127.0.0.1:{port}\"\nclient_id = \"bench\"\n"
    ));
    for meter in 0..meters {
        text.push_str(&format!(
            "\n[[meter]]\nid = \"published-{meter}\"\nlink = \"broker\"\nmodel = \"consuntivo-json\"\nevery_s = {}\n\
             topic = \"energy/{meter}\"\n",
            PUBLISHED_EVERY.as_secs()
        ));
    }
}

/// Publishes three values of every meter, again and again, until aborted.
fn publish(port: u16, meters: usize) -> tokio::task::JoinHandle<()> {
    let mut options = MqttOptions::new("bench-field", "127.0.0.1", port);
    options.set_keep_alive(Duration::from_secs(30));
    let (client, mut connection) = AsyncClient::new(options, QUEUE_MAX);
    tokio::spawn(async move {
        let speaks = async {
            let mut tick = tokio::time::interval(PUBLISHED_EVERY);
            for round in 0_u64.. {
                tick.tick().await;
                let time = SystemClock.now();
                for meter in 0..meters {
                    let payload = format!(
                        "{{\"time\":\"{time}\",\"active_energy_import_kwh\":{}.5,\"active_power_w\":{},\"voltage_l1_v\":230.1}}",
                        100_000 + round,
                        1000 + meter
                    );
                    let sent = client.publish(format!("energy/{meter}"), QoS::AtLeastOnce, false, payload);
                    if sent.await.is_err() {
                        return;
                    }
                }
            }
        };
        let talks = async {
            loop {
                if connection.poll().await.is_err() {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        };
        tokio::join!(speaks, talks);
    })
}

/// `VmRSS` of a process, in KiB.
pub(crate) fn resident_kib(process: u32) -> anyhow::Result<u32> {
    let status =
        fs::read_to_string(format!("/proc/{process}/status")).context("cannot read the process's status")?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse().ok())
        .context("the process's status has no VmRSS")
}
