//! Inputs to begin with: the examples of the meter files, and small files of every form that is imported.
//!
//! Must never: hold data of a real person or building.

use std::fs;

use model::{BillQuality, BilledPeriod};
use profile::{Form, Interface, Layout, MeterModel, Number, WordOrder};

use super::bills::{PDR, POD};
use super::laws::models;
use super::{mapped, replay, workbook};

/// The seeds of a target.
pub(crate) fn of(name: &str) -> Vec<Vec<u8>> {
    match name {
        "ape" => vec![APE.into(), APE.replace("210.50", "<![CDATA[210.50]]>").into()],
        "arera_electricity" => vec![electricity(96), electricity(100)],
        "arera_gas" => vec![gas()],
        "bills" => bills(),
        "encodings" => encodings(),
        "json" => payloads().into_iter().map(|input| [b"a.b[1]\n", &input[2..]].concat()).collect(),
        "line" => lines(),
        "load_curve" => load_curve(),
        "mapped" => mapped_files(),
        "mbus" => mbus(),
        "meter_file" => files("config/catalog/meters", 12),
        "payloads" => payloads(),
        "project" => files("config/examples", 4),
        "records" => records(),
        "registers" => registers(),
        "rtu" => scripts(),
        "settings" => vec![config::DEFAULT_SETTINGS.into(), SETTINGS.into()],
        "sparkplug" => sparkplug(),
        "sunspec" => vec![
            vec![0, 3, 7, 0, 20, 2],
            vec![1, 0, 3, 7, 0, 200, 7, 0, 200, 0, 1, 2, 3, 4],
            vec![2, 0, 0, 3, 15, 0, 1, 0, 66, 7, 0, 250, 2, 1, 2, 3, 4, 5, 6, 7, 8],
        ],
        "temperatures" => temperatures(),
        "weather" => vec![
            br#"{"hourly":{"time":[1743292800,1743296400],"temperature_2m":[-1.5,null]}}"#.into(),
            br#"{"utc_offset_seconds":3600,"hourly_units":{"temperature_2m":"\u00b0C"},"hourly":{"time":["2025-03-30T01:00"],"temperature_2m":[4]}}"#.into(),
            br#"{"utc_offset_seconds":7200,"daily":{"time":["2025-03-30",1743372000],"temperature_2m_mean":[null,4.25]}}"#.into(),
            br#"{"error":true,"reason":"No data"}"#.into(),
        ],
        _ => Vec::new(),
    }
}

/// A point as readings make it, one of hard names, and one that no line carries.
fn lines() -> Vec<Vec<u8>> {
    let begin = |tags: u8, fields: u8| [&[0, 0, 0, 1, 0x97, 0, 0, 0, 0, 0][..], &[tags, fields]].concat();
    let text = |text: &str| [&[text.len() as u8], text.as_bytes()].concat();
    let point = [begin(1, 1), text("consuntivo"), text("meter"), text("a b,c=d"), text("total"), vec![0; 9]];
    let hard = [
        begin(2, 1),
        text("#m"),
        text("\\"),
        text("%0A"),
        text("t\n"),
        text("\u{1f3eb}"),
        text("f"),
        vec![2, 9, 1],
    ];
    let nan = [begin(0, 1), text("m"), text("f"), vec![1], f64::NAN.to_be_bytes().to_vec()];
    [&point[..], &hard[..], &nan[..]].map(<[Vec<u8>]>::concat).to_vec()
}

/// The smallest files of a folder of the repository.
fn files(folder: &str, most: usize) -> Vec<Vec<u8>> {
    let folder = replay::folder().join("../..").join(folder);
    let entries = fs::read_dir(folder).expect("a folder of the repository");
    let mut all: Vec<(usize, Vec<u8>)> = entries
        .filter_map(|entry| fs::read(entry.ok()?.path()).ok())
        .map(|bytes| (bytes.len(), bytes))
        .collect();
    all.sort();
    all.into_iter().take(most).map(|(_, bytes)| bytes).collect()
}

fn indexed(wanted: impl Fn(&MeterModel) -> bool) -> Vec<(u8, std::sync::Arc<MeterModel>)> {
    (0..=u8::MAX).zip(models(wanted)).collect()
}

fn registers() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (index, model) in indexed(|m| m.registers().is_some() || m.pulses().is_some()) {
        let Interface::Registers(map) = &model.interface else {
            seeds.push(vec![index, 0, 0, 1, 0, 1, 3, 0, 1, 2, 3]);
            continue;
        };
        for example in &map.examples {
            let words: Vec<u16> = match map.layout {
                Layout::Fixed => (map.plan().iter())
                    .flat_map(|block| (0..block.count).map(|i| (block.space, block.address + i)))
                    .map(|(space, address)| {
                        let register = profile::RegisterRef { space, address };
                        example.registers.get(&register).copied().unwrap_or_default()
                    })
                    .collect(),
                Layout::SunSpec { .. } => example.registers.values().copied().collect(),
            };
            let bytes = words.iter().flat_map(|word| word.to_be_bytes());
            seeds.push(std::iter::once(index).chain(bytes).collect());
        }
    }
    seeds
}

fn encodings() -> Vec<Vec<u8>> {
    let all = (0..Number::ALL.len() as u8).flat_map(|n| (0..WordOrder::ALL.len() as u8).map(move |o| (n, o)));
    all.map(|(n, o)| vec![n, o, 4, 0x12, 0x34, 0x05, 0x67, 0, 1, 0x99, 0x99, 0, 25, 16]).collect()
}

fn payloads() -> Vec<Vec<u8>> {
    let mut seeds = vec![vec![0, 1, b'o', b'n', b'l', b'i', b'n', b'e'], b"\0\0topic=a/{x}/b".to_vec()];
    for (index, model) in indexed(|m| m.payloads().is_some_and(|p| p.form != Form::SparkplugB)) {
        let Some(payloads) = model.payloads() else { continue };
        let given = super::payloads::settings(payloads);
        let Ok(bound) = payloads.bind(&given) else { continue };
        for example in &payloads.examples {
            let topic = payloads.fill(&given, &example.topic).unwrap_or_default();
            let place = bound.messages.iter().position(|message| message.topic == topic).unwrap_or(0);
            // The numbers below 2 do something else.
            let count = bound.messages.len();
            let what = (2..).find(|what| what % count == place).unwrap_or(2);
            seeds.push([&[index, what as u8], example.payload.as_slice()].concat());
        }
    }
    seeds
}

fn records() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (index, model) in indexed(|m| m.payloads().is_some_and(|p| p.records.is_some())) {
        let Some(records) = model.payloads().and_then(|p| p.records.as_ref()) else { continue };
        for example in &records.examples {
            // A gap of an hour around the first record, and one of ten minutes after its begin.
            for [begins, length] in [[0x78, 0x0E], [0x80, 0x02]] {
                let gap = [index, begins, 0, length, 0x10, 0x10, 0, 0, 20];
                seeds.push([&gap, example.answer.as_slice()].concat());
            }
        }
    }
    let block =
        r#"{"id":1,"result":{"keys":[],"data":[{"ts":9223372036854775807,"period":60,"values":[]}]}}"#;
    seeds.push([&[0; 9], block.as_bytes()].concat());
    seeds
}

fn sparkplug() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (index, model) in indexed(|m| m.payloads().is_some_and(|p| p.form == Form::SparkplugB)) {
        for example in model.payloads().map(|p| p.examples.clone()).unwrap_or_default() {
            let length = (example.payload.len() as u16).to_be_bytes();
            seeds.push([&[index], &length[..], &example.payload, &example.payload].concat());
        }
    }
    seeds
}

fn mbus() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (index, model) in indexed(|m| m.mbus().is_some()) {
        let examples = model.mbus().map(|m| m.examples.clone()).unwrap_or_default();
        for telegram in examples.iter().flat_map(|example| &example.telegrams) {
            seeds.push([&[index, 0], telegram.as_slice()].concat());
            seeds.push([&[index, 2], telegram.get(19..telegram.len() - 2).unwrap_or_default()].concat());
        }
    }
    seeds
}

/// Each way to disturb an answer, alone and mixed.
fn scripts() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = (0..14_u8).map(|what| [what, 77, 5].repeat(40)).collect();
    seeds.push((0..=255).collect());
    seeds.push([1, 20, 0, 0, 1, 200, 0, 0, 13, 90].repeat(30));
    seeds
}

fn bills() -> Vec<Vec<u8>> {
    let bill = |month: u32, amount: i64, point: &str| BilledPeriod {
        supply_point: point.to_owned(),
        from: chrono::NaiveDate::from_ymd_opt(2024, month, 1).unwrap_or_default(),
        to: chrono::NaiveDate::from_ymd_opt(2024, month + 1, 1).unwrap_or_default(),
        amount,
        unit: if point == POD { model::BaseUnit::WattHour } else { model::BaseUnit::Litre },
        quality: if month == 2 { BillQuality::Estimated } else { BillQuality::Read },
    };
    let all = [bill(1, 1_234_567, POD), bill(2, 900_000, POD), bill(5, 1, POD), bill(1, 812_345, PDR)];
    let italian = format!(
        "POD;Dal;Al;Quantità;Unità;Tipo\r\n{POD};01/01/2024;31/01/2024;1.234,5;kWh;letta\r\n\
         {POD};01/02/2024;28/02/2024;\"2,5\";MWh;stimata\r\n{PDR};2024-01-01;2024-01-31;812;Smc;reale\r\n"
    );
    let sheet = workbook::sheet(&[
        &["POD", "Dal", "Al", "Quantità", "Unità", "Tipo"],
        &[POD, "2024-01-01", "2024-01-31", "5", "kWh", "letta"],
        &[POD, "01/02/2024", "29/02/2024", "1.234,5", "kWh", "stimata"],
    ]);
    let written = super::bills::written(&all.iter().collect::<Vec<_>>());
    let archive = workbook::packed(sheet.as_bytes());
    vec![written.into(), italian.into(), sheet.into(), archive]
}

fn temperatures() -> Vec<Vec<u8>> {
    let sheet = workbook::sheet(&[&["data", "media"], &["2024-01-02", "-1,5"], &["01/01/2024", "3"]]);
    vec![
        b"date,mean\n2024-01-02,-1.5\n2024-01-01,3\n2024-02-01,0\n".into(),
        "Data;Temperatura media\r\n02/01/2024;-1,5\r\n01/01/2024;3\r\n01/01/2024;3,0\r\n".into(),
        sheet.into(),
    ]
}

fn load_curve() -> Vec<Vec<u8>> {
    let case = replay::folder().join("../cases/load-curve-e-distribuzione/september.csv");
    let case = fs::read_to_string(case).expect("the case of the suites");
    let head: String = case.split_inclusive('\n').take(4).collect();
    let long = "Data;Ora;Consumo\n26/10/2025;02:00-02:15;0,5\n26/10/2025;02:00-02:15;0,25\n\
                30/03/2025;02:15-02:30;0\n31/03/2025;00:00-00:15;1\n";
    let with = |what: u8, text: &str| [&[what], text.as_bytes()].concat();
    vec![with(0, &head), with(0, long), with(3, &head)]
}

fn gas() -> Vec<u8> {
    format!(
        "PDR;ANNOMESE_RIFERIMENTO;DATA LETTURA;DATA RICEZIONE;FLUSSO;MOTIVAZIONE;LETTURA\n\
         {PDR};202501;2025-01-31;2025-02-05;TML;4;00012345\n{PDR};202501;2025-01-31;2025-03-10;RML;4;00012300\n\
         {PDR};202502;2025-02-28;2025-03-04;TGL;4;00012700\n"
    )
    .into()
}

fn electricity(quarters: usize) -> Vec<u8> {
    let names = |prefix: &str| (1..=quarters).map(|i| format!("{prefix}{i}")).collect::<Vec<_>>().join(";");
    let many = |value: &str| vec![value; quarters].join(";");
    let row = |day: &str, total: &str| {
        format!("{POD};{day};2025-11-05;4;{total};;;;;;;PDO;202510;{};{}\n", many("0,25"), many(""))
    };
    format!(
        "pod;data_lettura;data_ricezione;motivazione;lettura_monoraria;lettura_f1;lettura_f2;lettura_f3;lettura_f4;\
         lettura_f5;lettura_f6;tipo_flusso;annomese_riferimento;{};{}\n{}{}",
        names("ea"),
        names("er"),
        row("2025-10-26", "12345,5"),
        row("2025-10-27", "")
    )
    .into()
}

fn mapped_files() -> Vec<Vec<u8>> {
    let totals = "Impianto\nData;Ora;Calore;Acqua\n01/01/2025;00:00;12,5;100\n02/01/2025;00:00;12,75;101,5\n";
    let hours = "time,energy\n2025-01-01 00:00,1.5\n2025-01-01 01:00,0\n2025-10-26 02:30,1\n";
    let join = |mapping: &str, file: &str| format!("{mapping}{}{file}", mapped::BETWEEN).into_bytes();
    vec![totals.into(), hours.into(), join(mapped::TOTALS, totals), join(mapped::HOURS, hours)]
}

const APE: &str = r#"<?xml version="1.0" encoding="UTF-8"?><a:ape2015 xmlns:a="urn:example"><datiAttestato><codiceISTATRegione>01</codiceISTATRegione><codiceIdentificativo>2019 1 &amp; 2</codiceIdentificativo><dataScadenza>2029-12-31</dataScadenza></datiAttestato><datiGenerali><zonaClimatica>E</zonaClimatica><annoCostruzione>1962</annoCostruzione><superficieUtileRiscaldata>1850.00</superficieUtileRiscaldata><superficieUtileRaffrescata/></datiGenerali><gasNaturale><consumoAnnuo>30500</consumoAnnuo><consumoAnnuoUM>4</consumoAnnuoUM></gasNaturale><epglnren>210.50</epglnren><raccomandazioni><epglnren>120.00</epglnren></raccomandazioni></a:ape2015>"#;

const SETTINGS: &str = r#"[installation]
id = "example"
name = "Example"
zone = "Europe/Rome"
data_dir = "data"

[[link]]
id = "line"
connector = "modbus-rtu"
device = "/dev/ttyUSB0"
baud = 19200
parity = "even"

[[link]]
id = "broker"
connector = "mqtt"
address = "10.0.0.2:1883"

[[meter]]
id = "boiler"
link = "line"
model = "eastron-sdm630"
unit = 3
every_s = 60

[[weather]]
station = "torino"
meter = "boiler"
"#;
