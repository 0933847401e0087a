//! The dossier of a project, as a stranger verifies and reads it.
//!
//! Must never: pass when a record of the project is left out, or when a secret or another project's record is in.

use std::path::{Path, PathBuf};
use std::process::Command;

use chrono::NaiveDate;
use model::{
    BaseUnit, BillQuality, BilledPeriod, Channel, DailyTemperature, Digest, FiledInterval, FiledTotal,
    Instant, MeterId, Origin, Quality, Quantity, Reading, SeriesKey, StationId, Value,
};
use store::{AccessChange, AccessEvent, ImportNote, KeptAccount, Store, Ticket};
use tests::site::Site;

use super::{PROJECT, frozen_without_figures, good, python, refused, stdout};

/// What a stranger finds verified, each at least.
const PARTS: [&str; 30] = [
    "progetto/versione-001.toml: OK",
    "INDICE.txt: OK",
    "congelati/sistema-di-monitoraggio.pdf: OK",
    "congelati/planimetria.pdf: OK",
    "firmati/",
    "ricevute/",
    "documenti/",
    "note.txt: OK",
    "catalogo/schemes/it/piemonte-por-fesr-2014-20-4c1.toml: OK",
    "registro-modifiche.txt: OK",
    "registro-modifiche.csv: OK",
    "registrazioni/project.json: OK",
    "registrazioni/report_comment.json: OK",
    "registrazioni/adjustment.json: OK",
    "registrazioni/kpi_value.json: OK",
    "registrazioni/obligation_done.json: OK",
    "registrazioni/meter_act.json: OK",
    "registrazioni/memo.json: OK",
    "registrazioni/kind-to-come.json: OK",
    "promemoria.txt: OK",
    "bollette.csv: OK",
    "temperature/esempio.csv: OK",
    "recapiti.txt: OK",
    "registrazioni/contacts.json: OK",
    "letture/municipio-gas/gas_standard_volume-total-2021.csv: OK",
    "letture/municipio-gas/gas_standard_volume-total-2022.csv: OK",
    "curve/municipio-gas/gas_standard_volume-total-2022.csv: OK",
    "curve-sostituite/municipio-gas/gas_standard_volume-total-2022.csv: OK",
    "totali/municipio-gas/gas_standard_volume-total.csv: OK",
    "totali-sostituiti/municipio-gas/gas_standard_volume-total.csv: OK",
];
/// What must stand in no file of the dossier.
const SECRETS: [&str; 4] =
    ["$argon2id$parola", "biglietto-di-sessione", "vista-di-un-account", "nota-di-un-altro-progetto"];

pub(super) fn verified(site: &Site) {
    frozen_without_figures(site);
    let png = site.path().join("foto.png");
    std::fs::write(&png, b"\x89PNG\r\n\x1a\n....IEND\xaeB`\x82").unwrap();
    let add = ["record", "document-add", png.to_str().unwrap(), "--title", "Targa", "--project", PROJECT];
    good(site, &add);
    let wrong = site.path().join("foto.pdf");
    std::fs::copy(&png, &wrong).unwrap();
    let said = refused(
        site,
        6,
        &["record", "document-add", wrong.to_str().unwrap(), "--title", "Targa", "--project", PROJECT],
    );
    assert!(said.contains("its content is image/png"), "{said}");
    good(site, &["record", "note-add", "--text", "sopralluogo fatto", "--project", PROJECT]);
    everything_else_is_on_record(site);
    let out = site.path().join("fascicolo");
    good(site, &["dossier", "--project", PROJECT, "--out", out.to_str().unwrap()]);
    refused(site, 6, &["dossier", "--project", PROJECT, "--out", out.to_str().unwrap()]);
    let verify = || {
        Command::new("sha256sum").args(["-c", "--strict", "SHA256SUMS"]).current_dir(&out).output().unwrap()
    };
    let verified = verify();
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    let listed = stdout(&verified);
    for part in PARTS {
        assert!(listed.contains(part), "{part} is not in\n{listed}");
    }
    let text = |name: &str| std::fs::read_to_string(out.join(name)).unwrap();
    let index = text("INDICE.txt");
    assert!(index.contains("stato: richiesta integrazione") && !index.contains("T0"), "in words: {index}");
    let duties = text("adempimenti.txt");
    assert!(duties.contains("\tin ritardo\t") && duties.contains("Relazione"), "in words: {duties}");
    what_is_on_record_is_in_it(&out, &index);
    what_was_measured_is_in_it(&out, &index);
    again_it_has_the_same_bytes(site, &out);
    let count = files(&out).len();
    assert_eq!(listed.lines().count() + 1, count, "every file but the manifest is in the manifest");
    zipped_dossier(site, count);
    // One changed byte is seen by a stranger.
    let index = out.join("INDICE.txt");
    std::fs::write(&index, std::fs::read_to_string(&index).unwrap() + "x").unwrap();
    assert!(!verify().status.success());
}

/// The same as one file, unpacked and verified by programs written by others.
fn zipped_dossier(site: &Site, count: usize) {
    let into = site.path().join("zip");
    good(site, &["dossier", "--project", PROJECT, "--zip", "--out", into.to_str().unwrap()]);
    let unpack = ["-m", "zipfile", "-e", "fascicolo-municipio-esempio.zip", "."];
    let unpacked = Command::new(python()).args(unpack).current_dir(&into).status().unwrap();
    assert!(unpacked.success());
    let folder = into.join("fascicolo-municipio-esempio");
    assert_eq!(files(&folder).len(), count);
    let verify = Command::new("sha256sum")
        .args(["-c", "--strict", "--quiet", "SHA256SUMS"])
        .current_dir(&folder)
        .status();
    assert!(verify.unwrap().success());
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().filter_map(Result::ok).map(|e| e.path());
    let mut all: Vec<PathBuf> =
        entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect();
    all.sort();
    all
}

/// What people and files put on record beside submissions, documents and notes; and what is none of the project's.
fn everything_else_is_on_record(site: &Site) {
    let on = ["--project", PROJECT, "--year", "2022"];
    let comment =
        ["comment", "set", "--section", "savings", "--author", "A. Rossi", "--text", "Prima stesura"];
    good(site, &[&comment[..], &on].concat());
    let again =
        ["comment", "set", "--section", "savings", "--author", "A. Rossi", "--text", "Palestra chiusa"];
    good(site, &[&again[..], &on].concat());
    let kpi = [
        "kpi",
        "set",
        "--code",
        "risparmio-energia-primaria",
        "--value",
        "100",
        "--reason",
        "bolletta rettificata",
    ];
    good(site, &[&kpi[..], &on].concat());
    let done = ["record", "done", "--obligation", "relazione-annuale", "--on", "2023-03-20", "--note", "PEC"];
    good(site, &[&done[..], &on].concat());
    let adjusted =
        ["--from", "2022-03-01", "--to", "2022-04-01", "--energy", "-120.5", "--author", "A. Rossi"];
    let adjustment =
        ["adjustment", "add", "--project", PROJECT, "--meter", "municipio-gas", "--reason", "ala chiusa"];
    good(site, &[&adjustment[..], &adjusted].concat());
    let store = site.journal();
    let at = Instant::from_seconds(1_770_000_000);
    let put = |kind: &str, id: &str, body: &str| {
        store.put_record(kind, id, body, "rosa", at).unwrap();
    };
    let act = r#"{"meter":"municipio-gas","quantity":"gas_volume","phase":"all","at_ms":1640995200000,"reason":"cambio","what":{"corrected":{"total":5}}}"#;
    put("meter_act", "municipio-gas gas_volume 2022-01-01T00:00:00Z corrected", act);
    let other_act = act.replace("municipio-gas", "altrove-gas").replace("cambio", SECRETS[3]);
    put("meter_act", "altrove-gas gas_volume 2022-01-01T00:00:00Z corrected", &other_act);
    let memo = format!(
        r#"{{"project":"{PROJECT}","obligation":"relazione-annuale","year":2022,"day":"2023-01-31","to":["ufficio@esempio.example"],"message_id":"<m@x>","state":"sent","attempts":1,"says":""}}"#
    );
    put("memo", &format!("{PROJECT} relazione-annuale 2022 2023-01-31"), &memo);
    // A kind that no list of the dossier's knows; digits that another writer would change stay.
    put("kind-to-come", &format!("{PROJECT} 7"), r#"{"said":1.10}"#);
    // A project whose id begins alike, and accounts that are called like the project.
    put("kind-to-come", &format!("{PROJECT}-2 7"), &format!("{:?}", SECRETS[3]));
    put(
        "note",
        &format!("{PROJECT} 9"),
        &format!(r#"{{"project":"altro","year":null,"text":"{}"}}"#, SECRETS[3]),
    );
    put("region_view", PROJECT, &format!("[{:?}]", SECRETS[2]));
    put("session", PROJECT, &format!("{:?}", SECRETS[1]));
    an_account_is_called_like_the_project(&store, at);
    files_bring(&store, at);
    meters_measured(&store, at);
    put("contacts", PROJECT, r#"{"person":"Anna Bo","email":"a@x.example","pec":"","phone":"+39 011 5550"}"#);
}

/// Readings over the end of a year of the zone, a momentary value, a load curve and totals from files with what replaced
/// them; and the readings of a meter that is none of the project's.
fn meters_measured(store: &Store, at: Instant) {
    let key = |meter: &str, quantity| SeriesKey {
        meter: MeterId::new(meter).unwrap(),
        channel: Channel::total(quantity),
    };
    let instant = |text: &str| Instant::from(text.parse::<chrono::DateTime<chrono::Utc>>().unwrap());
    let reading = |series: &SeriesKey, observed: &str, value| Reading {
        series: series.clone(),
        observed_at: instant(observed),
        received_at: instant(observed).plus_seconds(2),
        value,
        quality: Quality::Good,
        origin: Origin::Modbus,
    };
    let gas = key("municipio-gas", Quantity::GasStandardVolume);
    let total = Value::Total;
    store
        .append_blocking(vec![
            // 2021 ended in Rome an hour before it did in UTC.
            reading(&gas, "2021-12-31T22:59:59Z", total(7_000_001)),
            reading(&gas, "2021-12-31T23:00:00Z", total(7_000_002)),
            reading(&gas, "2022-06-01T00:00:00Z", total(7_500_000)),
            reading(
                &key("municipio-gas", Quantity::FlowTemperature),
                "2022-06-01T00:00:00Z",
                Value::Gauge(55.5),
            ),
            reading(&key("altrove-gas", Quantity::GasStandardVolume), "2022-06-01T00:00:00Z", total(1)),
        ])
        .unwrap();
    let note = |name: &str, byte| ImportNote {
        source_name: name.to_owned(),
        source_sha256: Digest([byte; 32]),
        author: "rosa".to_owned(),
        at,
    };
    let interval = |amount| FiledInterval {
        series: gas.clone(),
        from: instant("2022-02-01T00:00:00Z"),
        to: instant("2022-02-01T01:00:00Z"),
        amount,
        received_at: at,
    };
    store.put_intervals(&[interval(3_000)], &note("curva.csv", 11)).unwrap();
    store.put_intervals(&[interval(3_250)], &note("curva-2.csv", 12)).unwrap();
    let filed = |total| FiledTotal {
        series: gas.clone(),
        at: instant("2022-03-01T00:00:00Z"),
        total,
        received_at: at,
    };
    store.put_totals(&[filed(7_200_000)], &note("portale.csv", 13)).unwrap();
    store.put_totals(&[filed(7_210_000)], &note("portale-2.csv", 14)).unwrap();
}

/// Every value that was measured, to its last digit, in the file of its year; nothing of another project's meter.
fn what_was_measured_is_in_it(out: &Path, index: &str) {
    let text = |name: &str| std::fs::read_to_string(out.join(name)).unwrap();
    let of_gas =
        |folder: &str, end: &str| text(&format!("{folder}/municipio-gas/gas_standard_volume-total{end}.csv"));
    let lines = |text: String| text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(
        lines(of_gas("letture", "-2021")),
        ["2021-12-31T22:59:59Z;2021-12-31T23:00:01Z;7000,001;Smc;good;modbus"]
    );
    assert_eq!(
        lines(of_gas("letture", "-2022")),
        [
            "2021-12-31T23:00:00Z;2021-12-31T23:00:02Z;7000,002;Smc;good;modbus",
            "2022-06-01T00:00:00Z;2022-06-01T00:00:02Z;7500,000;Smc;good;modbus",
        ]
    );
    let curve = |amount: &str| format!("2022-02-01T00:00:00Z;2022-02-01T01:00:00Z;{amount};Smc;");
    assert!(lines(of_gas("curve", "-2022"))[0].starts_with(&curve("3,250")));
    assert!(lines(of_gas("curve-sostituite", "-2022"))[0].starts_with(&curve("3,000")));
    assert!(lines(of_gas("totali", ""))[0].starts_with("2022-03-01T00:00:00Z;7210,000;Smc;"));
    assert!(lines(of_gas("totali-sostituiti", ""))[0].starts_with("2022-03-01T00:00:00Z;7200,000;Smc;"));
    assert!(!out.join("letture/altrove-gas").exists());
    // What is left out is told, with how much it is.
    assert!(index.contains("i contatori danno insieme ai totalizzatori, 1 serie"), "{index}");
    assert!(index.contains("letture di municipio-gas") && index.contains("anno 2022: 2,"), "{index}");
    let whom = text("recapiti.txt");
    assert!(whom.starts_with("beneficiario\t") && whom.contains("recapito\tpersona\tAnna Bo\n"), "{whom}");
    assert!(whom.contains("recapito\ttelefono\t+39 011 5550\n") && !whom.contains("recapito\tpec"), "{whom}");
}

fn an_account_is_called_like_the_project(store: &Store, at: Instant) {
    let account = KeptAccount { id: PROJECT.to_owned(), body: format!(r#"{{"password":"{}"}}"#, SECRETS[0]) };
    let ticket = Ticket {
        sha256: [7; 32],
        kind: "session".to_owned(),
        account: PROJECT.to_owned(),
        body: SECRETS[1].to_owned(),
        created: at,
        used: at,
        expires: at,
    };
    let event = AccessEvent {
        at,
        author: "cli".to_owned(),
        action: "add".to_owned(),
        account: PROJECT.to_owned(),
        detail: String::new(),
    };
    let changes = vec![AccessChange::NewAccount(account), AccessChange::PutTicket(ticket)];
    store.change_access(None, changes, vec![event]).unwrap();
}

fn files_bring(store: &Store, at: Instant) {
    let day = |text: &str| text.parse::<NaiveDate>().unwrap();
    let note = |name: &str, byte| ImportNote {
        source_name: name.to_owned(),
        source_sha256: Digest([byte; 32]),
        author: "rosa".to_owned(),
        at,
    };
    let bill = |point: &str, amount| BilledPeriod {
        supply_point: point.to_owned(),
        from: day("2019-01-01"),
        to: day("2019-02-01"),
        amount,
        unit: BaseUnit::Litre,
        quality: BillQuality::Read,
    };
    store.put_bills(&[bill("00880000000001", 1_234_005)], &note("gas.csv", 1)).unwrap();
    store.put_bills(&[bill("00889999999999", 9_999_000)], &note("altrove.csv", 2)).unwrap();
    let station = StationId::new("esempio").unwrap();
    let days = [DailyTemperature::as_given(station, day("2019-01-01"), 3.25)];
    store.put_temperatures(&days, &note("torino.csv", 3)).unwrap();
}

/// Every record with its versions, authors and times, the lines of the audit log, bills and temperatures; no secret.
fn what_is_on_record_is_in_it(out: &Path, index: &str) {
    let text = |name: &str| std::fs::read_to_string(out.join(name)).unwrap();
    let json = |name: &str| -> Vec<serde_json::Value> { serde_json::from_str(&text(name)).unwrap() };
    let comments = json("registrazioni/report_comment.json");
    assert_eq!(comments.len(), 2, "every version: {comments:?}");
    assert_eq!(
        (comments[1]["version"].as_u64(), comments[1]["author"].as_str()),
        (Some(2), Some("A. Rossi"))
    );
    assert_eq!(comments[1]["body"]["text"], "Palestra chiusa");
    assert!(comments[1]["at"].as_str().is_some_and(|at| at.ends_with('Z')), "{comments:?}");
    assert_eq!(json("registrazioni/adjustment.json")[0]["body"]["reason"], "ala chiusa");
    assert_eq!(json("registrazioni/meter_act.json").len(), 1);
    assert!(text("registrazioni/kind-to-come.json").contains(r#""body":{"said":1.10}}"#));
    assert!(text("bollette.csv").contains("00880000000001;2019-01-01;2019-02-01;1234,005;Smc;read\n"));
    assert!(!text("bollette.csv").contains("00889999999999"));
    assert!(text("temperature/esempio.csv").contains("esempio;2019-01-01;3,25;as_given;file\n"));
    let letters = text("promemoria.txt");
    assert!(
        letters.contains("2023-01-31\trelazione-annuale 2022\tinviato\tufficio@esempio.example"),
        "{letters}"
    );
    let log = text("registro-modifiche.csv");
    for part in
        [";create;report_comment;", ";update;report_comment;", ";import;bills;gas.csv;", ";torino.csv;"]
    {
        assert!(log.contains(part), "{part} is not in\n{log}");
    }
    assert!(!log.contains("altrove") && !log.contains(";account;"), "{log}");
    for name in ["registrazioni/adjustment.json", "registro-modifiche.csv", "bollette.csv", "Non compresi:"] {
        assert!(index.contains(name), "{name} is not in\n{index}");
    }
    assert!(
        !out.join("registrazioni/session.json").exists()
            && !out.join("registrazioni/region_view.json").exists()
    );
    for file in files(out) {
        let bytes = std::fs::read(&file).unwrap();
        for secret in SECRETS {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} is in {}", file.display());
        }
    }
}

/// But for the index, which says when it was gathered.
fn again_it_has_the_same_bytes(site: &Site, out: &Path) {
    let again = site.path().join("di-nuovo");
    good(site, &["dossier", "--project", PROJECT, "--out", again.to_str().unwrap()]);
    let hashes = |folder: &Path| -> Vec<String> {
        let text = std::fs::read_to_string(folder.join("SHA256SUMS")).unwrap();
        text.lines().filter(|line| !line.ends_with("INDICE.txt")).map(str::to_owned).collect()
    };
    assert_eq!(hashes(out), hashes(&again));
}
