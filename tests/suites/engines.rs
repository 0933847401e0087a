//! Daemons that deliver to a VictoriaMetrics, a hub that computes from it alone, and our line protocol against the
//! crate `influxdb2`.
//!
//! Must never: give the hub anything of the daemons but what the engine has.

#[path = "../../daemon/store/tests/engines/server.rs"]
#[expect(dead_code, reason = "the store's own suite uses the rest")]
mod server;

use std::time::Duration;

use influxdb2::models::{DataPoint, WriteDataPoint};
use model::{Channel, Instant, MeterId, Origin, Phase, Quality, Quantity, Reading, SeriesKey, Value};
use proptest::prelude::*;
use serde_json::Value as Json;
use store::Store;
use store::engine::{Dialect, Field, Point, Precision, point_of};
use tests::daemon::Daemon;
use tests::site::Site;
use tests::{http, repo, wait};

use crate::server::Server;

/// From a new engine to everything delivered, on a busy machine.
const DELIVERED: Duration = Duration::from_secs(120);
/// From a start to the first figures.
const FIGURES: Duration = Duration::from_secs(60);

/// The example project with one meter of its own.
fn project(name: &str) -> String {
    let text = repo::text("config/examples/project.toml").expect("text");
    let gas = text.find("[[building.meter]]\nid = \"municipio-gas\"").expect("the example has a gas meter");
    let declared = text.find("[[declared]]").expect("the example declares values");
    let text = format!("{}{}", &text[..gas], &text[declared..]);
    text.replace("municipio-esempio", name)
        .replace("municipio-elettrico", &format!("{name}-el"))
        .replace("IT999E12345678", &format!("IT999E{:08}", name.len()))
}

/// A year of quarter-hours with everything that makes months hard: an outage, an exchange of the register, a reading
/// that is no consumption, a clock that stood still.
fn history(meter: &str, seed: i64) -> Vec<Reading> {
    let begin = Instant::parse_rfc3339("2021-12-30T00:00:00+01:00").expect("an instant");
    let mut total = 5_000_000 + seed;
    let mut all = Vec::new();
    for n in 0..(368 * 96_i64) {
        total += 200 + (n * 37 + seed * 11) % 900;
        let is_outage = (5_000..5_600).contains(&n);
        if n == 12_000 {
            total = 40;
        }
        if is_outage {
            continue;
        }
        let at = begin.plus_seconds(n * 900);
        let mut reading = Reading {
            series: SeriesKey {
                meter: MeterId::new(meter).expect("an id"),
                channel: Channel::total(Quantity::ActiveEnergyImport),
            },
            observed_at: at,
            received_at: at.plus_millis(150),
            value: Value::Total(total),
            quality: Quality::Good,
            origin: Origin::Modbus,
        };
        if n % 997 == 0 {
            reading.quality = Quality::Implausible;
            reading.value = Value::Total(total * 1_000);
        }
        all.push(reading);
    }
    all
}

const METER: &str = "model = \"eastron-sdm630\"\nevery_s = 900\n";

/// A daemon's installation whose meter is not there any more: what it has is its journal.
fn daemon_site(name: &str, engine: &str) -> Site {
    let text = format!(
        "\n[[link]]\nid = \"quadro\"\nconnector = \"modbus-tcp\"\naddress = \"127.0.0.1:9\"\n\
         [[meter]]\nid = \"{name}-el\"\nlink = \"quadro\"\nunit = 1\n{METER}\
         [[engine]]\nid = \"centrale\"\nkind = \"victoriametrics\"\naddress = \"{engine}\"\n"
    );
    let site = Site::new().with("id = \"prova\"", &format!("id = \"{name}\"")).with_text(&text);
    let store = Store::open(&site.data_dir(), store::StoreOptions::default()).expect("a new store");
    for part in history(&format!("{name}-el"), name.len() as i64).chunks(5_000) {
        store.append_blocking(part.to_vec()).expect("the journal takes readings");
    }
    store.close();
    import(&site, name);
    site
}

fn import(site: &Site, name: &str) {
    let file = site.path().join(format!("{name}.toml"));
    std::fs::write(&file, project(name)).expect("a file can be written");
    let done = site.run(&["import", "project", file.to_str().expect("a plain name")]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// The figures of 2022 as a daemon's pages have them, once they are computed.
fn figures(daemon: &Daemon, project: &str) -> Json {
    wait::until("the figures of 2022", FIGURES, || {
        let answer = http::get(daemon.address(), &format!("/api/v1/projects/{project}/years/2022"))?;
        let year: Json = serde_json::from_str(&answer.body).map_err(|e| e.to_string())?;
        if answer.status == 200 { Ok(year) } else { Err(answer.body) }
    })
}

/// What the months of a year are made of.
fn months(year: &Json) -> Vec<Json> {
    let meters = year["meters"].as_array().expect("meters is a list");
    assert_eq!(meters.len(), 1);
    meters[0]["months"].as_array().expect("months is a list").clone()
}

#[test]
fn a_hub_computes_the_months_of_two_daemons_from_the_engine_alone() {
    let mut server = Server::victoria(&["-retentionPeriod=100y", "-dedup.minScrapeInterval=1ms"]);
    let names = ["scuola", "palestra"];
    let sites = names.map(|name| daemon_site(name, &server.url()));
    // The first daemon starts while the engine is away: it is told, and nothing is lost.
    server.kill();
    let first = sites[0].start();
    wait::until("a failure of delivery", DELIVERED, || {
        match first.metric("consuntivo_engine_failures_total", &["centrale"])? {
            0.0 => Err("none yet".to_owned()),
            count => Ok(count),
        }
    });
    server.start_again();
    let daemons = [first, sites[1].start()];
    for (daemon, name) in daemons.iter().zip(names) {
        let count = history(&format!("{name}-el"), name.len() as i64).len() as f64;
        wait::until("everything delivered", DELIVERED, || {
            let delivered = daemon.metric("consuntivo_engine_delivered_readings_total", &["centrale"])?;
            if delivered >= count { Ok(()) } else { Err(format!("{delivered} of {count}\n{}", daemon.log())) }
        });
        assert_eq!(daemon.metric("consuntivo_engine_refused_readings_total", &[]), Ok(0.0));
    }
    let expected = [0, 1].map(|n| figures(&daemons[n], names[n]));
    // From here on there is the engine alone.
    for daemon in daemons {
        assert!(daemon.stop().success());
    }
    drop(sites);
    let links = names.map(|name| {
        format!(
            "[[link]]\nid = \"{name}\"\nconnector = \"engine\"\nengine = \"regione\"\ninstallation = \"{name}\"\n\
             [[meter]]\nid = \"{name}-el\"\nlink = \"{name}\"\n{METER}"
        )
    });
    let text = format!(
        "\n[[engine]]\nid = \"regione\"\nkind = \"victoriametrics\"\naddress = \"{}\"\ndeliver = false\n{}",
        server.url(),
        links.concat()
    );
    let hub = Site::new().with_text(&text);
    for name in names {
        import(&hub, name);
    }
    let running = hub.start();
    for (name, expected) in names.iter().zip(&expected) {
        let found = figures(&running, name);
        let (found_months, expected_months) = (months(&found), months(expected));
        assert_eq!(found_months, expected_months, "{name}");
        assert_eq!(found["meters"], expected["meters"], "{name}");
        let measured: Vec<&Json> = expected_months.iter().map(|m| &m["measured"]).collect();
        assert!(measured.iter().filter(|m| m.is_f64()).count() >= 10, "{measured:?}");
    }
    assert_ne!(months(&expected[0]), months(&expected[1]));
    // It kept nothing of it.
    assert_eq!(hub.journal().series().expect("the hub has a journal"), []);
    assert!(running.stop().success());
    // Without the engine nothing is computed, and nothing is taken for zero.
    server.kill();
    let report = hub.run(&["report", "--project", "scuola", "--year", "2022"]);
    assert!(!report.status.success());
    let said = String::from_utf8_lossy(&report.stderr);
    assert!(said.contains("failed to reach the engine"), "{said}");
}

fn reading() -> impl Strategy<Value = Reading> {
    let value = prop_oneof![
        any::<i64>().prop_map(Value::Total),
        any::<f64>().prop_filter("finite", |g| g.is_finite()).prop_map(Value::Gauge),
    ];
    let channel = (0..Quantity::ALL.len(), 0..Phase::ALL.len())
        .prop_map(|(q, p)| Channel { quantity: Quantity::ALL[q], phase: Phase::ALL[p] });
    (
        "[a-z0-9][a-z0-9_-]{0,20}",
        channel,
        value,
        0..4_000_000_000_000_i64,
        -1_000..100_000_i64,
        0..Origin::ALL.len(),
        0..Quality::ALL.len(),
    )
        .prop_map(|(meter, channel, value, at, delay, origin, quality)| Reading {
            series: SeriesKey { meter: MeterId::new(&meter).expect("an id"), channel },
            observed_at: Instant::from_millis(at),
            received_at: Instant::from_millis(at + delay),
            value,
            quality: Quality::ALL[quality],
            origin: Origin::ALL[origin],
        })
}

/// The same point by the crate.
fn by_the_crate(point: &Point<'_>) -> Vec<u8> {
    let mut builder = DataPoint::builder(point.measurement).timestamp(point.at.millis());
    for (name, value) in &point.tags {
        builder = builder.tag(*name, *value);
    }
    for (name, field) in &point.fields {
        builder = match *field {
            Field::Integer(value) => builder.field(*name, value),
            Field::Float(value) => builder.field(*name, value),
        };
    }
    let mut bytes = Vec::new();
    builder.build().expect("a point").write_data_point_to(&mut bytes).expect("a Vec takes all");
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn clean_points_have_the_bytes_of_the_crate_influxdb2(
        reading in reading(),
        installation in "[a-zA-Z0-9 ,=\"'.:/è-]{1,20}",
        is_exact: bool,
    ) {
        let dialect = if is_exact { Dialect::Exact } else { Dialect::Decimal };
        let point = point_of(&installation, &reading, dialect).expect("a clean reading");
        let mut ours = String::new();
        point.write(Precision::Millis, &mut ours).expect("a clean line");
        prop_assert_eq!(String::from_utf8_lossy(&by_the_crate(&point)).into_owned(), ours);
    }
}

/// Why the crate is a reference for clean points only.
#[test]
fn where_the_crate_breaks_lines_ours_do_not() {
    let point = Point {
        measurement: "m",
        tags: vec![("topic", "a\nenergia,x=y total=1 1")],
        fields: vec![("f", Field::Integer(1))],
        at: Instant::from_millis(1),
    };
    let mut ours = String::new();
    point.write(Precision::Millis, &mut ours).expect("a line");
    assert_eq!(ours.lines().count(), 1);
    assert_eq!(String::from_utf8_lossy(&by_the_crate(&point)).lines().count(), 2);
}
