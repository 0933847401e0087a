//! The demonstration as a whole: what its buildings were built to save, what its history says, what its meters
//! answer, and that its files are those the program reads.
//!
//! Must never: need a broker, a fixed port or the time of day.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use analytics::factors::FactorSet;
use chrono::NaiveDate;
use model::time::day_start;
use model::{Carrier, Channel, Instant, Kind, MeterId, Project, Quantity, Reading, Value, Zone};
use profile::registers::Decoded;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Demo;
use super::building::{Building, Flow};
use super::field::FieldPorts;
use super::installation::{PROJECTS, filled_in};
use super::modbus_server::{Behaviour, Device, Gateway};
use super::portfolio::{Meter, Way};
use super::publisher::{Published, payload};
use super::registers::{Face, as_read};

const ROME: Zone = chrono_tz::Europe::Rome;

/// Years in progress whose winters differ.
const YEARS: [i32; 3] = [2025, 2026, 2027];

fn day(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).unwrap()
}

fn demo_of(year: i32) -> Demo {
    Demo::plan(day(year, 11, 22), ROME)
}

fn meter<'d>(demo: &'d Demo, id: &str) -> &'d Meter {
    &demo.meters.iter().find(|(name, _)| name.as_str() == id).unwrap().1
}

fn project(demo: &Demo, id: &str) -> Project {
    let template = PROJECTS.iter().find(|p| p.id == id).unwrap().template;
    config::parse_project(&filled_in(template, demo.calendars), &config::Catalog::embedded().unwrap())
        .unwrap()
        .0
}

fn factors() -> Arc<FactorSet> {
    let catalog = config::Catalog::embedded().unwrap();
    Arc::clone(catalog.factor_set(&model::FactorSetId::new("dm-2015-enea-cti").unwrap()).unwrap())
}

/// Energy of a year in kWh, Smc or kg.
fn of_year(building: &Building, flow: Flow, year: i32) -> f64 {
    let at = |year| building.total(flow, day_start(day(year, 1, 1), ROME));
    (at(year + 1) - at(year)) as f64 / 1000.0
}

/// The building as if no works had been done.
fn without_works(building: &Building) -> Building {
    Building {
        seed: building.seed,
        climate: building.climate.clone(),
        zone: building.zone,
        calendar: building.calendar.clone(),
        before: building.before.clone(),
        after: building.before.clone(),
        completed: building.completed,
        from: building.from,
        to: building.to,
        series: std::sync::OnceLock::new(),
    }
}

/// What was planted, by KPI: the same weather and use with and without the works.
#[derive(Debug, Default)]
struct Planted {
    final_mwh: f64,
    primary_mwh: f64,
    co2_t: f64,
    nox_kg: f64,
}

fn planted(demo: &Demo, prefixes: &[&str], year: i32) -> Planted {
    let factors = factors();
    let mut sum = Planted::default();
    // Simulating takes a while: once for each building, not for each of its meters.
    let mut unchanged: BTreeMap<u64, Building> = BTreeMap::new();
    for (id, meter) in &demo.meters {
        let carrier = match meter.flow {
            Flow::Import => Carrier::GridElectricity,
            Flow::Gas => Carrier::NaturalGas,
            Flow::Heat => Carrier::DistrictHeating,
            Flow::Export | Flow::Production => continue,
        };
        if !prefixes.iter().any(|prefix| id.as_str().starts_with(prefix)) {
            continue;
        }
        let twin = unchanged.entry(meter.building.seed).or_insert_with(|| without_works(&meter.building));
        let saved = of_year(twin, meter.flow, year) - of_year(&meter.building, meter.flow, year);
        let factor = factors.of(carrier).unwrap();
        let mwh = saved * factor.kwh_per_unit / 1000.0;
        sum.final_mwh += mwh;
        sum.primary_mwh += mwh * factor.primary_nonrenewable.unwrap();
        sum.co2_t += mwh * factor.co2_kg_per_kwh.unwrap();
        if carrier == Carrier::NaturalGas {
            sum.nox_kg += mwh * 3.6 * factor.nox_g_per_gj.unwrap_or(0.0) / 1000.0;
        }
    }
    sum
}

fn declared(project: &Project, kpi: &str) -> f64 {
    project.declared.iter().find(|d| d.kpi == kpi).unwrap().value
}

#[test]
fn the_school_was_built_to_keep_its_promise_and_the_town_hall_to_break_it() {
    for year in YEARS {
        let demo = demo_of(year);
        let school = planted(&demo, &["scuola"], year - 1);
        let promise = project(&demo, "scuola-primaria");
        assert!(school.primary_mwh > 1.2 * declared(&promise, "risparmio-energia-primaria"), "{school:?}");
        assert!(school.co2_t > 1.2 * declared(&promise, "co2-evitata"), "{school:?}");
        let per_euro = school.primary_mwh * 1000.0 / promise.facility.unwrap().as_f64();
        assert!(per_euro > 1.2 * 0.4, "{per_euro} kWh per euro");

        let hall = planted(&demo, &["municipio"], year - 1);
        let promise = project(&demo, "municipio");
        assert!(hall.final_mwh > 0.0, "{hall:?}");
        assert!(hall.primary_mwh < 0.75 * declared(&promise, "risparmio-energia-primaria"), "{hall:?}");
        assert!(hall.final_mwh < 0.75 * declared(&promise, "risparmio-energia-finale"), "{hall:?}");
        assert!(hall.co2_t < 0.75 * declared(&promise, "co2-evitata"), "{hall:?}");
    }
}

#[test]
fn the_health_centre_and_the_gym_declared_what_their_works_can_give() {
    for year in YEARS {
        let demo = demo_of(year);
        let health = planted(&demo, &["ambulatori", "consultorio"], year - 1);
        let promise = project(&demo, "casa-della-salute");
        assert!(health.primary_mwh / 1000.0 > 1.1 * declared(&promise, "4.c.2"), "{health:?}");
        assert!(health.co2_t > 1.1 * declared(&promise, "CO34"), "{health:?}");
        assert!(health.nox_kg > 1.1 * declared(&promise, "4.c.5"), "{health:?}");

        let gym = planted(&demo, &["palestra"], year);
        let promise = project(&demo, "palestra-uffici");
        assert!(gym.final_mwh * 1000.0 > 1.1 * declared(&promise, "riduzione-consumi"), "{gym:?}");
        let building = &meter(&demo, "palestra-fotovoltaico").building;
        let made = of_year(building, Flow::Production, year);
        let self_consumed = 1.0 - of_year(building, Flow::Export, year) / made;
        assert!((0.83..0.99).contains(&self_consumed), "{self_consumed} of {made} kWh used on site");
    }
}

#[test]
fn no_quarter_exceeds_what_the_connection_can_carry() {
    let demo = demo_of(2026);
    for id in ["scuola-primaria", "municipio", "casa-della-salute", "palestra-uffici"] {
        for (_, facts) in project(&demo, id).meters() {
            let meter = meter(&demo, facts.id.as_str());
            assert_eq!(facts.total_channel(), meter.channel(), "{}", facts.id);
            assert!(meter.billed.is_none() || meter.billed == facts.supply_point.as_deref(), "{}", facts.id);
            let from = meter.building.origin();
            let highest = (0..96 * 1400)
                .map(|q| from.plus_seconds(q * 900))
                .map(|t| {
                    meter.building.total(meter.flow, t.plus_seconds(900))
                        - meter.building.total(meter.flow, t)
                })
                .max()
                .unwrap_or(0);
            let per_hour = highest as f64 * 4.0 / 1000.0;
            assert!(per_hour * 1.1 < facts.ceiling_per_hour, "{}: {per_hour} per hour", facts.id);
        }
    }
}

#[test]
fn every_meter_of_the_projects_is_simulated_and_the_reverse() {
    let demo = demo_of(2026);
    let mut declared: Vec<String> = demo
        .report_years()
        .iter()
        .flat_map(|(id, _)| {
            project(&demo, id.as_str()).meters().map(|(_, m)| m.id.to_string()).collect::<Vec<_>>()
        })
        .collect();
    let mut simulated: Vec<String> = demo.meters.iter().map(|(id, _)| id.to_string()).collect();
    declared.sort();
    simulated.sort();
    assert_eq!(declared, simulated);
    let years: Vec<i32> = demo.report_years().iter().map(|&(_, year)| year).collect();
    assert_eq!(years, [2025, 2025, 2025, 2026]);
}

#[test]
fn the_files_are_those_the_program_reads() {
    let folder = tempfile::tempdir().unwrap();
    let ports = FieldPorts { gateways: BTreeMap::from([("quadro-scuola".to_owned(), 1502)]), broker: 1883 };
    let ports = FieldPorts {
        gateways: ["quadro-municipio", "quadro-ambulatori", "quadro-consultorio", "quadro-palestra"]
            .iter()
            .map(|&link| (link.to_owned(), 1503))
            .chain(ports.gateways)
            .collect(),
        ..ports
    };
    let demo = demo_of(2026);
    let pages = ([127, 0, 0, 1], 8181).into();
    let files = demo.write_files(folder.path(), &ports, pages).unwrap();
    let (settings, findings) = config::load(&files.config).unwrap();
    assert_eq!(findings, []);
    assert_eq!(settings.web.listen, pages);
    assert_eq!(settings.meters.len(), demo.meters.len());
    for meter in &settings.meters {
        assert!(demo.models.get(&meter.model).is_some(), "{}", meter.model);
    }
    assert_eq!((files.projects.len(), files.bills.len(), files.temperatures.len()), (4, 2, 2));
    let weather = std::fs::read_to_string(&files.temperatures[0].1).unwrap();
    assert_eq!(weather.lines().nth(1).map(|l| &l[..10]), Some("2019-01-01"));
    assert_eq!(weather.lines().last().map(|l| &l[..10]), Some("2026-11-21"));
    let bills = std::fs::read_to_string(&files.bills[0]).unwrap();
    assert_eq!(bills.lines().count(), 13, "{bills}");
    // Writing again changes nothing.
    let again = demo.write_files(folder.path(), &ports, pages).unwrap();
    assert_eq!(again, files);
    assert_eq!(std::fs::read_to_string(&files.bills[0]).unwrap(), bills);
}

fn readings_of<'r>(history: &'r [Reading], id: &str) -> Vec<&'r Reading> {
    history.iter().filter(|r| r.series.meter.as_str() == id).collect()
}

#[test]
fn the_history_is_in_order_the_same_each_time_and_broken_where_it_should_be() {
    let until = day_start(day(2026, 11, 22), ROME).plus_seconds(3600);
    let mut previous = Instant::default();
    let mut history = Vec::new();
    for batch in demo_of(2026).history(until) {
        assert!(!batch.is_empty() && batch.len() <= 6000, "{} readings in a batch", batch.len());
        history.extend(batch);
    }
    for reading in &history {
        assert!(previous <= reading.observed_at && reading.observed_at < until);
        previous = reading.observed_at;
    }
    let again: Vec<Reading> = demo_of(2026).history(until).flatten().collect();
    assert!(history == again, "the history differs from one time to the next");

    let demo = demo_of(2026);
    for (id, meter) in demo.meters.iter().filter(|(_, m)| m.fault.is_none()) {
        let readings = readings_of(&history, id.as_str());
        assert_eq!(readings[0].observed_at, day_start(meter.since, ROME), "{id}");
        for pair in readings.windows(2) {
            assert_eq!(pair[1].observed_at.millis() - pair[0].observed_at.millis(), 900_000, "{id}");
            assert!(pair[0].value.as_f64() <= pair[1].value.as_f64(), "{id} fell at {}", pair[1].observed_at);
        }
    }
    let broken = readings_of(&history, "consultorio-elettricita");
    let gap =
        broken.windows(2).position(|p| p[1].observed_at.seconds_since(p[0].observed_at) > 40.0 * 86_400.0);
    let gap = gap.expect("the broken meter was never silent");
    let shown: Vec<f64> = broken[gap..gap + 3].iter().map(|r| r.value.as_f64()).collect();
    assert!(shown[1] > 1e11 && shown[2] < shown[0], "{shown:?}");
    assert!(until.seconds_since(broken.last().unwrap().observed_at) > 8.0 * 86_400.0);
}

#[test]
fn registers_decode_back_to_what_the_history_says() {
    let demo = demo_of(2026);
    let now = day_start(day(2026, 11, 22), ROME).plus_millis(36_123_456);
    for (id, meter) in &demo.meters {
        let (Way::Modbus { model, .. } | Way::DeadModbus { model, .. }) = meter.way else { continue };
        let model =
            demo.models.get(&model::ModelId::new(model).unwrap()).unwrap().registers().unwrap().clone();
        let face = Face { meter: meter.clone(), model: model.clone(), now: Arc::new(move || now) };
        let total = &demo.registers()[id];
        for block in model.plan() {
            let function = if block.space == profile::Space::Input { 4 } else { 3 };
            let words = face.words(function, block.address, block.count).expect("a planned block is refused");
            assert_eq!(words.len(), usize::from(block.count));
            for (channel, decoded) in model.decode(&block, &words) {
                let Decoded::Value(value) = decoded else { panic!("{id} {channel}: {decoded:?}") };
                assert!(value.as_f64().is_finite());
                if channel == meter.channel() {
                    let index = meter.index(now);
                    assert_eq!(value, Value::Total(as_read(total, index)), "{id}");
                    assert!((value.as_f64() - index as f64).abs() <= 100.0, "{id}: {value:?} for {index} Wh");
                }
                if channel == Channel::total(Quantity::ActivePower) {
                    assert!(value.as_f64().abs() < 150_000.0, "{id}: {value:?}");
                }
            }
        }
        assert_eq!(face.words(4, 60_000, 2), None);
    }
}

#[test]
fn live_totals_continue_the_history() {
    let demo = demo_of(2026);
    let until = day_start(day(2026, 2, 1), ROME);
    let registers = demo.registers();
    let last: BTreeMap<MeterId, i64> = demo
        .history(until)
        .flatten()
        .filter_map(|r| if let Value::Total(total) = r.value { Some((r.series.meter, total)) } else { None })
        .collect();
    for (id, meter) in demo.meters.iter().filter(|(_, m)| m.fault.is_none()) {
        let index = meter.index(until.plus_seconds(1));
        let live = registers.get(id).map_or(index, |register| as_read(register, index));
        let step = live - last[id];
        assert!((0..100_000).contains(&step), "{id} steps by {step} from history to life");
    }
}

#[test]
fn a_published_message_is_understood_by_its_model() {
    let demo = demo_of(2026);
    let now = day_start(day(2026, 1, 20), ROME).plus_millis(36_000_777);
    for (id, meter) in &demo.meters {
        let Way::Mqtt { model } = meter.way else { continue };
        let model =
            demo.models.get(&model::ModelId::new(model).unwrap()).unwrap().payloads().unwrap().clone();
        let text = payload(&Published { meter: meter.clone(), model: model.clone() }, now);
        let given = [("topic".to_owned(), super::publisher::topic(id.as_str()))].into();
        let bound = model.bind(&given).unwrap();
        let message = bound.messages[0].decode(text.as_bytes(), text.len(), profile::When::arriving(now));
        let message = message.unwrap().unwrap();
        let whole = Instant::from_seconds(now.millis() / 1000);
        assert_eq!(message.observed_at, whole, "{id}");
        let total = message.values.iter().find(|(channel, _)| *channel == meter.channel()).map(|(_, v)| *v);
        assert_eq!(total, Some(Decoded::Value(Value::Total(meter.index(whole)))), "{text}");
        assert!(
            message.values.iter().all(|(c, _)| c.quantity.kind() == Kind::Total || meter.flow != Flow::Gas)
        );
    }
}

#[tokio::test]
async fn a_meter_behind_a_gateway_shows_the_clock_s_now() {
    let demo = demo_of(2026);
    let meter = meter(&demo, "municipio-elettricita").clone();
    let Way::Modbus { model, unit, .. } = meter.way else { panic!("not a Modbus meter") };
    let model = demo.models.get(&model::ModelId::new(model).unwrap()).unwrap().registers().unwrap().clone();
    let total = model.measures.iter().find(|m| m.channel == meter.channel()).unwrap().clone();
    let clock = Arc::new(Mutex::new(day_start(day(2026, 11, 20), ROME)));
    let hand = Arc::clone(&clock);
    let face = Face { meter: meter.clone(), model, now: Arc::new(move || *hand.lock().unwrap()) };
    let units: BTreeMap<u8, Arc<dyn Device>> = BTreeMap::from([(unit, Arc::new(face) as Arc<dyn Device>)]);
    let gateway = Gateway::start(Behaviour::Serves(units)).await.unwrap();
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    for hours in [0, 5, 30] {
        let now = day_start(day(2026, 11, 20), ROME).plus_seconds(hours * 3600);
        *clock.lock().unwrap() = now;
        let [high, low] = total.register.address.to_be_bytes();
        stream.write_all(&[0, 7, 0, 0, 0, 6, unit, 4, high, low, 0, 2]).await.unwrap();
        let mut answer = [0u8; 13];
        stream.read_exact(&mut answer).await.unwrap();
        let words =
            [u16::from_be_bytes([answer[9], answer[10]]), u16::from_be_bytes([answer[11], answer[12]])];
        assert_eq!(total.decode(&words), Decoded::Value(Value::Total(as_read(&total, meter.index(now)))));
    }
}

struct Still(Instant);

impl connectors::Clock for Still {
    fn now(&self) -> Instant {
        self.0
    }
}

/// The whole field with its real broker; where there is none, the error says what to install.
#[tokio::test]
async fn the_field_starts_and_stops() {
    let folder = tempfile::tempdir().unwrap();
    let demo = demo_of(2026);
    let clock = Arc::new(Still(day_start(day(2026, 11, 22), ROME)));
    let started = demo.start_field(folder.path(), clock).await;
    let field = started.unwrap_or_else(|error| panic!("{error}"));
    let ports = field.ports();
    assert_eq!(ports.gateways.len(), 5);
    let connect = |port| TcpStream::connect((std::net::Ipv4Addr::LOCALHOST, port));
    assert!(connect(ports.broker).await.is_ok());
    for &port in ports.gateways.values() {
        assert!(connect(port).await.is_ok());
    }
    field.stop();
    assert!(connect(ports.broker).await.is_err(), "the broker outlived the field");
}
