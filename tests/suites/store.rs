//! `consuntivo store` as a person runs it: stats, verify, backup, restore and archive, beside a daemon and without one, and
//! what they leave with when something is not as it was.
//!
//! Must never: look at the store in another way than those commands, but to spoil it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use model::{Channel, Instant, MeterId, Origin, Quality, Quantity, Reading, SeriesKey, Value};
use store::{ARCHIVE_FOLDER, DOCUMENTS_FOLDER, JOURNAL_FILE, Store, StoreOptions};
use tests::repo;
use tests::site::Site;

const PROJECT: &str = "municipio-esempio";
const METER: &str = "municipio-elettrico";
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n....IEND\xaeB`\x82";

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs a command that must leave with this code; what it says, errors last.
#[track_caller]
fn ran(site: &Site, code: i32, arguments: &[&str]) -> String {
    let output = site.run(arguments);
    let said = format!("{}{}", stdout(&output), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    said
}

#[track_caller]
fn must_say(said: &str, words: &[&str]) {
    for word in words {
        assert!(said.contains(word), "{word:?} is not in:\n{said}");
    }
}

/// The example project with the one meter that has readings.
fn project(site: &Site) -> PathBuf {
    let text = repo::text("config/examples/project.toml").unwrap();
    let gas = text.find("[[building.meter]]\nid = \"municipio-gas\"").expect("the example has a gas meter");
    let declared = text.find("[[declared]]").expect("the example declares values");
    let file = site.path().join("progetto.toml");
    std::fs::write(&file, format!("{}{}", &text[..gas], &text[declared..])).unwrap();
    file
}

fn readings() -> Vec<Reading> {
    let begin = Instant::parse_rfc3339("2021-12-30T00:00:00+01:00").unwrap();
    let series = SeriesKey {
        meter: MeterId::new(METER).unwrap(),
        channel: Channel::total(Quantity::ActiveEnergyImport),
    };
    (0..400 * 24)
        .map(|n| Reading {
            series: series.clone(),
            observed_at: begin.plus_seconds(n * 3_600 + 1_800),
            received_at: begin.plus_seconds(n * 3_600 + 1_801),
            value: Value::Total(5_000_000 + n * 900 + n % 500),
            quality: Quality::Good,
            origin: Origin::Modbus,
        })
        .collect()
}

/// An installation with a year of readings, a project, a document, and kept results.
fn site() -> Site {
    let site = Site::new();
    let store = Store::open(&site.data_dir(), StoreOptions::default()).unwrap();
    store.append_blocking(readings()).unwrap();
    store.close();
    ran(&site, 0, &["import", "project", project(&site).to_str().unwrap()]);
    let png = site.path().join("foto.png");
    std::fs::write(&png, PNG).unwrap();
    let add = ["record", "document-add", png.to_str().unwrap(), "--title", "Targa", "--project", PROJECT];
    ran(&site, 0, &[&add[..], &["--author", "ufficio"]].concat());
    series(&site);
    site
}

/// Hours and months of the meter as a person gets them; they leave results behind.
fn series(site: &Site) -> [String; 2] {
    let hours = ["series", "--meter", METER, "--step", "hours", "--from", "2022-02", "--to", "2022-03"];
    let months = ["series", "--meter", METER, "--step", "months", "--from", "2022-01", "--to", "2022-12"];
    [ran(site, 0, &hours), ran(site, 0, &months)]
}

/// The one document in a data directory or a backup.
fn document(directory: &Path) -> PathBuf {
    let mut found = Vec::new();
    for folder in std::fs::read_dir(directory.join(DOCUMENTS_FOLDER)).unwrap() {
        let files = std::fs::read_dir(folder.unwrap().path()).unwrap();
        found.extend(files.map(|file| file.unwrap().path()));
    }
    assert_eq!(found.len(), 1, "{found:?}");
    found.swap_remove(0)
}

/// Changes the database behind the program's back.
fn spoil(site: &Site, sql: &str) {
    let journal = site.data_dir().join(JOURNAL_FILE);
    let done = Command::new("sqlite3").arg("-bail").arg(journal).arg(sql).output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{sql}: {said}");
    assert_ne!(String::from_utf8_lossy(&done.stdout).trim(), "0", "{sql} changed nothing");
}

#[test]
fn a_store_is_shown_verified_saved_and_brought_back() {
    let site = site();
    let before = series(&site);
    must_say(&ran(&site, 0, &["store", "archive"]), &["files with", "rows left the journal"]);
    must_say(&ran(&site, 0, &["store", "stats"]), &["2022-03.1.parquet", "bytes per reading", "archive"]);
    let verified = ran(&site, 0, &["store", "verify"]);
    must_say(&verified, &["1 documents as kept; of 1 that records name 0 are missing", "0 series differ"]);
    must_say(&verified, &["1 series made again of 9600 readings"]);
    let kept: usize = verified
        .lines()
        .find_map(|line| line.split(", ").find_map(|part| part.strip_suffix(" kept results looked at")))
        .and_then(|number| number.parse().ok())
        .unwrap();
    // Two months of hours, and checkpoints.
    assert!(4 <= kept, "{verified}");
    let out = tempfile::tempdir().unwrap();
    let folder = out.path().join("copia");
    let backup = ["store", "backup", folder.to_str().unwrap()];
    // Beside a daemon, and again: nothing but the journal is new.
    let daemon = site.start();
    must_say(&ran(&site, 0, &backup), &["1 documents copied"]);
    must_say(&ran(&site, 0, &backup), &[" 0 archive files copied", " 0 documents copied, 1 there already"]);
    must_say(&ran(&site, 0, &["store", "verify"]), &["0 series differ"]);
    must_say(&ran(&site, 5, &["store", "verify", "--drop-differing"]), &["another daemon"]);
    assert!(daemon.stop().success());
    let sums = Command::new("sha256sum")
        .args(["-c", "--strict", "SHA256SUMS"])
        .current_dir(&folder)
        .output()
        .unwrap();
    assert!(sums.status.success(), "{}", String::from_utf8_lossy(&sums.stderr));
    must_say(&stdout(&sums), &["journal.sqlite3: OK", "documents/", "archive/2022-03.1.parquet: OK"]);

    let home = Site::new();
    let restore = ["store", "restore", folder.to_str().unwrap()];
    must_say(&ran(&home, 0, &restore), &[" 1 documents", "verified"]);
    must_say(&ran(&home, 6, &restore), &["holds a store already"]);
    must_say(
        &ran(&home, 0, &["store", "verify"]),
        &["of 1 that records name 0 are missing", "0 series differ"],
    );
    assert_eq!(series(&home), before);
    // Through the record that names it.
    let name = document(&site.data_dir());
    let above = name.parent().unwrap().file_name().unwrap().to_str().unwrap();
    let sha256 = format!("{above}{}", name.file_name().unwrap().to_str().unwrap());
    must_say(&ran(&home, 0, &["record", "document-list", "--project", PROJECT]), &[&sha256]);
    let back = home.path().join("tornata.png");
    ran(
        &home,
        0,
        &["record", "document-get", &sha256, "--out", back.to_str().unwrap(), "--project", PROJECT],
    );
    assert_eq!(std::fs::read(back).unwrap(), PNG);
}

#[test]
fn kept_results_that_differ_are_told_and_stay_until_somebody_asks() {
    let site = site();
    let before = series(&site);
    ran(&site, 0, &["store", "verify"]);
    // February gets the hours of March, with the digest of what it now holds; every number is a good one.
    spoil(
        &site,
        "UPDATE result SET (body, sha256) = (SELECT body, sha256 FROM result r WHERE r.kind = 'hours' ORDER BY at_ms \
         DESC LIMIT 1) WHERE kind = 'hours' AND at_ms = (SELECT min(at_ms) FROM result WHERE kind = 'hours'); \
         SELECT changes();",
    );
    assert_ne!(series(&site)[0], before[0], "a wrong result is used while nobody looks");
    for _ in 0..2 {
        let said = ran(&site, 3, &["store", "verify"]);
        must_say(
            &said,
            &["1 series differ", METER, "what is kept is not what its readings say", "--drop-differing"],
        );
    }
    assert_ne!(series(&site)[0], before[0], "to verify writes nothing");
    must_say(&ran(&site, 3, &["store", "verify", "--drop-differing"]), &["it was dropped"]);
    ran(&site, 0, &["store", "verify"]);
    assert_eq!(series(&site), before);
    // An older checkpoint, from which nothing is resumed now: it is looked at all the same.
    spoil(
        &site,
        "UPDATE result SET (body, sha256) = (SELECT body, sha256 FROM result r WHERE r.kind = 'checkpoint' ORDER BY \
         at_ms DESC LIMIT 1) WHERE kind = 'checkpoint' AND at_ms = (SELECT min(at_ms) FROM result WHERE kind = \
         'checkpoint'); SELECT changes();",
    );
    must_say(&ran(&site, 3, &["store", "verify"]), &["1 series differ"]);
}

#[test]
fn a_document_that_was_altered_or_lost_is_told_by_name() {
    let site = site();
    let out = tempfile::tempdir().unwrap();
    let folder = out.path().to_str().unwrap().to_owned();
    ran(&site, 0, &["store", "backup", &folder]);
    let kept = document(&site.data_dir());
    let name = kept.file_name().unwrap().to_str().unwrap().to_owned();
    let mut bytes = PNG.to_vec();
    bytes[9] ^= 1;
    std::fs::write(&kept, &bytes).unwrap();
    must_say(&ran(&site, 1, &["store", "verify"]), &[&name, "changed outside this program"]);
    std::fs::remove_file(&kept).unwrap();
    must_say(&ran(&site, 1, &["store", "verify"]), &[&name, "foto.png", "is missing", "backup"]);
    // The next backup still has it, and says that the store has not.
    let said = ran(&site, 1, &["store", "backup", &folder]);
    must_say(&said, &["0 documents copied, 1 there already", "foto.png", "is missing"]);
    let home = Site::new();
    ran(&home, 0, &["store", "restore", &folder]);
    assert_eq!(std::fs::read(document(&home.data_dir())).unwrap(), PNG);
    // Without any copy of it a backup is made, and cannot be taken for a whole one.
    let other = tempfile::tempdir().unwrap();
    must_say(&ran(&site, 1, &["store", "backup", other.path().to_str().unwrap()]), &["is missing"]);
    let home = Site::new();
    must_say(
        &ran(&home, 1, &["store", "restore", other.path().to_str().unwrap()]),
        &["verified", "is missing"],
    );
}

#[test]
fn a_damaged_archive_file_is_told_by_name_and_nothing_is_restored_of_it() {
    let site = site();
    ran(&site, 0, &["store", "archive"]);
    let out = tempfile::tempdir().unwrap();
    ran(&site, 0, &["store", "backup", out.path().to_str().unwrap()]);
    for directory in [site.data_dir(), out.path().to_owned()] {
        let file = directory.join(ARCHIVE_FOLDER).join("2022-05.1.parquet");
        let mut bytes = std::fs::read(&file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&file, bytes).unwrap();
    }
    must_say(&ran(&site, 1, &["store", "verify"]), &["2022-05.1.parquet"]);
    let home = Site::new();
    must_say(&ran(&home, 1, &["store", "restore", out.path().to_str().unwrap()]), &["2022-05.1.parquet"]);
    assert!(!home.data_dir().join(JOURNAL_FILE).exists());
}
