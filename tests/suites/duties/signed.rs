//! Signed files of a real signing tool, pyHanko: PAdES in every form that it makes, up to LTA, and CAdES, taken back by the
//! product; and the same files tampered with.
//!
//! Must never: call a file signed that a reader would see with other words than the frozen ones.

use std::path::{Path, PathBuf};
use std::process::Command;

use tests::repo;
use tests::site::Site;

use super::{PROJECT, good, lift_all, python, refused, stdout, with_project};

const OF: [&str; 6] = ["--project", PROJECT, "--obligation", "relazione-sistema", "--year", "2022"];
const REPORT: &str = "sistema-di-monitoraggio.pdf";
/// Whom the certificates name.
const SIGNER: (&str, &str) = ("Rossi Maria", "TINIT-RSSMRA80A01H501U");

/// What is said of more than validation data after the last signature.
const LATE: &str = "goes on after the last signature with more than validation data";

/// The signing tool with its authority, in a folder of its own.
struct Tool {
    folder: tempfile::TempDir,
}

impl Tool {
    fn new() -> Self {
        let tool = Self { folder: tempfile::tempdir().unwrap() };
        tool.run(&["authority", "-60", "60", "autorita"]);
        tool
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, arguments: &[&str]) {
        let output = Command::new(python())
            .arg(repo::root().join("tests/field/sign_pdf.py"))
            .args(arguments)
            .current_dir(self.folder.path())
            .output()
            .unwrap_or_else(|e| {
                panic!("{} cannot be started ({e}); `make test` installs it", python().display())
            });
        assert!(
            output.status.success(),
            "{arguments:?}: {}{}",
            stdout(&output),
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// A personal certificate of the authority, valid between these days from now.
    fn certificate(&self, file: &str, (from, to): (&str, &str)) {
        let (name, code) = SIGNER;
        self.run(&["certificate", "autorita.key", "autorita.pem", name, code, from, to, file]);
    }

    /// Signs a PDF with what more the tool is told; a path in its folder or an absolute one.
    fn pades(&self, pair: &str, from: &str, to: &str, more: &[&str]) -> PathBuf {
        self.run(&[&["pades", pair, "autorita.pem", from, to], more].concat());
        self.at(to)
    }

    /// An update with validation data after the signature (PAdES-LT), with what the tool does besides.
    fn long_term(&self, from: &str, to: &str, more: &[&str]) -> PathBuf {
        self.run(&[&["longterm", "autorita.pem", from, to], more].concat());
        self.at(to)
    }

    /// An update with a time stamp of the document (PAdES-LTA).
    fn time_stamp(&self, from: &str, to: &str, more: &[&str]) -> PathBuf {
        self.run(&[&["timestamp", "servizio", from, to], more].concat());
        self.at(to)
    }
}

/// A site with a frozen report to be signed, and that report.
fn frozen(tool: &Tool) -> (Site, PathBuf) {
    let trust = tool.at("autorita.pem");
    let trust = trust.display();
    let site = Site::new().with_text(&format!("\n[signatures]\ntrust_file = \"{trust}\"\n"));
    with_project(&site, &[]);
    good(&site, &[&["submission", "draft"][..], &OF].concat());
    lift_all(&site, &OF);
    let out = site.path().join("out");
    good(&site, &[&["submission", "freeze", "--out", out.to_str().unwrap()][..], &OF].concat());
    (site, out.join(REPORT))
}

fn taken(site: &Site, file: &Path) -> String {
    good(site, &[&["submission", "sign", file.to_str().unwrap()][..], &OF].concat())
}

fn not_taken(site: &Site, file: &Path) -> String {
    refused(site, 6, &[&["submission", "sign", file.to_str().unwrap()][..], &OF].concat())
}

#[expect(
    clippy::disallowed_methods,
    reason = "the signing tool and the program share the clock of this machine"
)]
fn now() -> chrono::DateTime<chrono::Utc> {
    std::time::SystemTime::now().into()
}

/// The day so many days from now, as a time in UTC begins with it.
fn day(days: i64) -> String {
    (now() + chrono::Duration::days(days)).format("%Y-%m-%d").to_string()
}

#[test]
fn files_of_a_signing_tool_are_taken_back_with_who_signed_when_and_with_what() {
    let tool = Tool::new();
    tool.certificate("rossi", ("-10", "10"));
    tool.certificate("vecchio", ("-30", "-20"));
    let (site, report) = frozen(&tool);
    let from = report.to_str().unwrap();
    let signed_at = |said: &str, at: &str, times: usize| {
        let who = format!("signed by {}\t{}\tissued by autorita", SIGNER.0, SIGNER.1);
        assert_eq!(said.matches(&who).count(), times, "{said}");
        assert_eq!(said.matches(&format!("at {at}")).count(), times, "{said}");
    };
    let plain = tool.pades("rossi", from, "firmato.pdf", &[]);
    signed_at(&taken(&site, &plain), &day(0), 1);
    let seen = tool.pades("rossi", from, "visibile.pdf", &["--visible"]);
    signed_at(&taken(&site, &seen), &day(0), 1);
    // Countersigned: a second signature around the first.
    let twice = tool.pades("rossi", "visibile.pdf", "doppio.pdf", &["--field", "Firma2", "--visible"]);
    signed_at(&taken(&site, &twice), &day(0), 2);
    // A certificate that has run out since, by the time that stands in the PDF alone (PAdES).
    let then = tool.pades("vecchio", from, "allora.pdf", &["--days", "-25"]);
    signed_at(&taken(&site, &then), &day(-25), 1);
    tool.run(&["cades", "rossi", "autorita.pem", from, "relazione.pdf.p7m"]);
    signed_at(&taken(&site, &tool.at("relazione.pdf.p7m")), &day(0), 1);
    // The signed PDF in a signed message: both signed.
    tool.run(&["cades", "rossi", "autorita.pem", "firmato.pdf", "firmato.pdf.p7m"]);
    signed_at(&taken(&site, &tool.at("firmato.pdf.p7m")), &day(0), 2);
    let shown = good(&site, &["submission", "show", "--json", "--project", PROJECT]);
    assert!(shown.contains("\"digest\": \"sha256\"") && shown.contains("\"trusted\": true"), "{shown}");
    // The validity of each certificate, oldest signature first, to the day.
    let ends: Vec<i64> = shown
        .split("\"not_after_ms\": ")
        .skip(1)
        .map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap())
        .collect();
    let now = now().timestamp_millis();
    let days: Vec<i64> = ends.iter().map(|at| (at - now + 43_200_000).div_euclid(86_400_000)).collect();
    assert_eq!(days, [10, 10, 10, 10, -20, 10, 10, 10], "{shown}");
}

#[test]
fn a_signed_pdf_that_shows_other_than_the_frozen_pages_is_not_taken() {
    let tool = Tool::new();
    tool.certificate("rossi", ("-10", "10"));
    tool.certificate("vecchio", ("-30", "-20"));
    tool.certificate("futuro", ("5", "20"));
    let (site, report) = frozen(&tool);
    let from = report.to_str().unwrap();
    let signed = std::fs::read(tool.pades("rossi", from, "firmato.pdf", &["--visible"])).unwrap();
    let length = std::fs::read(&report).unwrap().len();
    let with = |name: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = signed.clone();
        change(&mut bytes);
        std::fs::write(tool.at(name), bytes).unwrap();
        not_taken(&site, &tool.at(name))
    };
    let said = with("byte.pdf", &|bytes| bytes[length / 2] ^= 1);
    assert!(said.contains("does not begin with the very bytes"), "{said}");
    // Inside the signed range, in what the tool added: the reason for signing.
    let said = with("motivo.pdf", &|bytes| {
        let at = bytes.windows(9).rposition(|w| w == b"Relazione").unwrap();
        bytes[at] = b'r';
    });
    assert!(said.contains("its signature does not hold"), "{said}");

    let other = tool.at("altro.pdf");
    tool.run(&["redraw", from, other.to_str().unwrap()]);
    // Over other bytes: the same pages saved anew by another program.
    let anew = Command::new("qpdf").arg(&report).arg(tool.at("salvato.pdf")).status().unwrap();
    assert!(anew.success());
    let said = not_taken(&site, &tool.pades("rossi", "salvato.pdf", "salvato-firmato.pdf", &[]));
    assert!(said.contains("does not begin with the very bytes"), "{said}");
    // Painted over before signing: it begins with the frozen bytes, and the signature covers everything.
    let said = not_taken(&site, &tool.pades("rossi", "altro.pdf", "altro-firmato.pdf", &[]));
    assert!(said.contains("what was added after the frozen bytes"), "{said}");

    for (act, says) in [("redraw", "what was added"), ("remark", "is more than signatures")] {
        let (changed, again) = (format!("{act}.pdf"), format!("{act}-firmato.pdf"));
        tool.run(&[act, "firmato.pdf", &changed]);
        // After the signature, which does not cover it.
        let said = not_taken(&site, &tool.at(&changed));
        assert!(said.contains(LATE), "{said}");
        // And signed once more, so that the last signature covers it.
        let said = not_taken(&site, &tool.pades("rossi", &changed, &again, &["--field", "Firma2"]));
        assert!(said.contains(says), "{act}: {said}");
    }
    for (pair, days) in [("vecchio", "0"), ("futuro", "0"), ("rossi", "-20")] {
        let said = not_taken(&site, &tool.pades(pair, from, "scaduto.pdf", &["--days", days]));
        assert!(said.contains("not when it signed"), "{pair}: {said}");
    }
    let shown = good(&site, &["submission", "show", "--project", PROJECT]);
    assert!(!shown.contains("signed by"), "{shown}");
}

#[test]
fn validation_data_and_time_stamps_after_the_signature_are_taken_and_nothing_beside_them() {
    let tool = Tool::new();
    tool.certificate("rossi", ("-10", "10"));
    tool.run(&["service", "servizio"]);
    let (site, report) = frozen(&tool);
    let from = report.to_str().unwrap();
    tool.pades("rossi", from, "firmato.pdf", &["--visible"]);
    let signers = |file: &Path| taken(&site, file).matches("signed by").count();
    assert_eq!(signers(&tool.long_term("firmato.pdf", "lt.pdf", &[])), 1);
    assert_eq!(signers(&tool.time_stamp("firmato.pdf", "t.pdf", &[])), 1);
    assert_eq!(signers(&tool.time_stamp("lt.pdf", "lta.pdf", &[])), 1);
    // Renewed years later, and signed by a second person around all of that.
    assert_eq!(signers(&tool.time_stamp("lta.pdf", "rinnovato.pdf", &[])), 1);
    assert_eq!(signers(&tool.pades("rossi", "lta.pdf", "doppio.pdf", &["--field", "Firma2"])), 2);
    tool.long_term("doppio.pdf", "doppio-lt.pdf", &[]);
    assert_eq!(signers(&tool.time_stamp("doppio-lt.pdf", "doppio-lta.pdf", &[])), 2);

    let acts = ["redraw", "remark", "script", "attach", "fonts", "restate", "show", "stray", "smuggle"];
    for act in acts {
        let (changed, stamped) = (format!("lt-{act}.pdf"), format!("lta-{act}.pdf"));
        let said = not_taken(&site, &tool.long_term("firmato.pdf", &changed, &["--also", act]));
        assert!(said.contains(LATE), "{act}: {said}");
        // Covered by a time stamp, which anybody can ask for.
        let said = not_taken(&site, &tool.time_stamp(&changed, &stamped, &[]));
        assert!(said.contains(LATE), "{act}: {said}");
        let said = not_taken(&site, &tool.time_stamp("lt.pdf", &stamped, &["--also", act]));
        assert!(said.contains(LATE), "{act}: {said}");
    }
    broken_time_stamps(&tool, &site, from);
}

/// Time stamps that do not hold, or stand where no signature does.
fn broken_time_stamps(tool: &Tool, site: &Site, from: &str) {
    let weak = tool.time_stamp("lt.pdf", "sha1.pdf", &["--digest", "sha1"]);
    let said = not_taken(site, &weak);
    assert!(said.contains("digest sha1"), "{said}");
    let said = not_taken(site, &tool.time_stamp(from, "senza.pdf", &[]));
    assert!(said.contains("no signature follows the frozen bytes"), "{said}");
    let stamped = std::fs::read(tool.at("lta.pdf")).unwrap();
    let with = |name: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = stamped.clone();
        change(&mut bytes);
        std::fs::write(tool.at(name), bytes).unwrap();
        not_taken(site, &tool.at(name))
    };
    // A byte that the time stamp covers and the signature does not: of the name of its field.
    let said = with("nome.pdf", &|bytes| {
        let at = bytes.windows(10).rposition(|w| w == b"(Timestamp").unwrap();
        bytes[at + 1] = b't';
    });
    assert!(said.contains("of the time stamp"), "{said}");
    let said = with("coda.pdf", &|bytes| bytes.extend(b"9 0 obj\n(999 MWh)\nendobj\n"));
    assert!(said.contains(LATE), "{said}");
}
