//! Obligations, submissions, memo mails and the grants system's deliveries, with the real binary and peers written by
//! others: aiosmtpd, icalendar, OpenSSL, pyHanko, sha256sum.
//!
//! Must never: reach a mail server beyond loopback.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use chrono::Datelike as _;
use tests::certificates::{Authority, Pair};
use tests::peers::FieldServer;
use tests::site::Site;
use tests::{repo, wait};

#[path = "duties/alarms.rs"]
mod alarms;
#[path = "duties/delivered.rs"]
mod delivered;
#[path = "duties/dossier.rs"]
mod dossier;
#[path = "duties/signed.rs"]
mod signed;
#[path = "duties/typed_in.rs"]
mod typed_in;

const SOON: Duration = Duration::from_secs(60);
const PROJECT: &str = "municipio-esempio";

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs a command that must succeed, and gives what it printed.
fn good(site: &Site, arguments: &[&str]) -> String {
    let output = site.run(arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}{said}", stdout(&output));
    stdout(&output)
}

/// Runs a command that must be refused with this code, and gives its complaint.
fn refused(site: &Site, code: i32, arguments: &[&str]) -> String {
    let output = site.run(arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}{said}", stdout(&output));
    said
}

/// The example project, changed, as a file of the site.
fn project_file(site: &Site, changes: &[(&str, &str)]) -> PathBuf {
    let mut text = repo::text("config/examples/project.toml").expect("the example is text");
    for (from, to) in changes {
        assert!(text.contains(from), "the example has no {from:?}");
        text = text.replacen(from, to, 1);
    }
    let path = site.path().join("project.toml");
    std::fs::write(&path, text).unwrap();
    path
}

fn with_project(site: &Site, changes: &[(&str, &str)]) {
    let path = project_file(site, changes);
    good(site, &["import", "project", path.to_str().unwrap()]);
}

fn python() -> PathBuf {
    repo::root().join("target/venv/bin/python")
}

/// The calendar's events as a parser written by others reads them.
fn read_calendar(text: &str) -> Vec<String> {
    let mut child = Command::new(python())
        .arg(repo::root().join("tests/field/calendar_reader.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| {
            panic!("{} cannot be started ({e}); `make test` installs it", python().display())
        });
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}\n{text}", String::from_utf8_lossy(&output.stderr));
    stdout(&output).lines().map(str::to_owned).collect()
}

/// The day by this machine's clock.
fn today() -> chrono::NaiveDate {
    let said = Command::new("date").args(["+%F"]).env("TZ", "Europe/Rome").output().unwrap();
    stdout(&said).trim().parse().unwrap()
}

fn yesterday() -> String {
    today().pred_opt().unwrap().to_string()
}

/// Waits until the daemon has looked through its paper work once.
fn looked_through(daemon: &tests::daemon::Daemon) {
    wait::until("a round of paper work", SOON, || {
        if daemon.log().contains("paper work looked through") { Ok(()) } else { Err(daemon.log()) }
    });
}

#[test]
fn the_calendar_says_what_is_due_and_other_programs_read_it() {
    let site = Site::new();
    with_project(&site, &[]);
    let text = good(&site, &["obligations", "--project", PROJECT]);
    // Completed on 15 October 2021: five reports, of which the first days have passed.
    let yearly: Vec<&str> = text.lines().filter(|l| l.contains("\trelazione-annuale\t")).collect();
    assert_eq!(yearly.len(), 5, "{text}");
    assert!(yearly[0].starts_with("2023-03-31\t-") && yearly[0].contains("\tlate\t"), "{text}");
    let events = read_calendar(&good(&site, &["obligations", "--format", "ics"]));
    let first = format!("2023-03-31\t{PROJECT}-relazione-annuale-2022@prova.consuntivo\t");
    assert!(events.iter().any(|e| e.starts_with(&first) && e.contains("in ritardo")), "{events:#?}");
    // Seven obligations with a day, and two times of keeping that end.
    assert_eq!(events.len(), 9, "{events:#?}");
    assert!(events.iter().any(|e| e.starts_with("2027-03-30\t")), "stability, five years: {events:#?}");

    let json = good(&site, &["obligations", "--format", "json"]);
    let lines: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(lines.as_array().map(Vec::len), Some(7));

    // Done elsewhere: it is sent, and the calendar says so.
    let done =
        ["record", "done", "--project", PROJECT, "--obligation", "relazione-annuale", "--year", "2022"];
    good(&site, &[&done[..], &["--on", "2023-03-20", "--note", "PEC dell'ufficio"]].concat());
    let text = good(&site, &["obligations", "--project", PROJECT]);
    assert!(text.lines().any(|l| l.starts_with("2023-03-31\t") && l.contains("\tsent\t")), "{text}");
    let wrong =
        refused(&site, 6, &["record", "done", "--project", PROJECT, "--obligation", "x", "--note", "n"]);
    assert!(wrong.contains("no obligation \"x\""), "{wrong}");

    // The same feed over the daemon's route, for all and for one.
    let daemon = site.start();
    let feed = tests::http::get(daemon.address(), "/calendar.ics").unwrap();
    assert_eq!(feed.status, 200);
    let kind = feed.headers.iter().find(|(name, _)| name == "content-type").map(|(_, v)| v.as_str());
    assert_eq!(kind, Some("text/calendar; charset=utf-8"));
    assert_eq!(read_calendar(&feed.body).len(), 9);
    let none = tests::http::get(daemon.address(), "/calendar.ics?project=nobody").unwrap();
    assert_eq!(none.status, 404);
    let api = tests::http::get(daemon.address(), &format!("/api/v1/obligations?project={PROJECT}")).unwrap();
    assert!(api.body.contains("\"state\":\"sent\""), "{}", api.body);
}

#[test]
fn a_project_shows_its_clauses_with_evidence() {
    let site = Site::new();
    let more = "facility_eur = 240000.00\n[grant]\ncosts_eur = 1500000\n[grant.dates]\nplanned_completion = 2021-12-31\n[x]\n";
    // The table of the grant comes after those of the example.
    let text = repo::text("config/examples/project.toml").unwrap();
    let more = more.split_once('\n').unwrap().1.replace("[x]\n", "");
    let statement = "[[statement]]\nfact = \"not_oil_fired\"\nyes = false\nsource = \"RTES §3\"\n";
    std::fs::write(site.path().join("p.toml"), format!("{text}\n{more}\n{statement}")).unwrap();
    good(&site, &["import", "project", site.path().join("p.toml").to_str().unwrap()]);
    let shown = good(&site, &["project", "--project", PROJECT]);
    let line =
        |id: &str| shown.lines().find(|l| l.starts_with(&format!("clause\t{id}\t"))).unwrap_or_default();
    // 110 MWh declared over 240 000 euro.
    assert!(line("rapporto-ex-ante").contains("\tmet\t0.46 kWh"), "{shown}");
    assert!(line("rapporto-misurato").contains("\tunknown\t"), "{shown}");
    assert!(line("no-gasolio").contains("\tnot_met\t") && line("no-gasolio").contains("RTES §3"), "{shown}");
    assert!(shown.contains("grant 600000.00 EUR\tloan 750000.00 EUR\town share 150000.00 EUR"), "{shown}");
    // 77 days early: the last instalment of the loan becomes grant.
    assert!(shown.contains("last loan 150000.00 as grant"), "{shown}");
}

/// A scheme whose yearly report was due to be reminded of today.
fn reminding_site(server: &FieldServer, mode: &str, authority: &Pair) -> Site {
    let port = server.said.clone();
    let site = Site::new();
    let today = today();
    let schemes = site.path().join("catalog/schemes/it");
    std::fs::create_dir_all(&schemes).unwrap();
    // 29 February is no day of every year; the day before is still within the days of grace.
    let day = if (today.month(), today.day()) == (2, 29) {
        "02-28".to_owned()
    } else {
        today.format("%m-%d").to_string()
    };
    let scheme = format!(
        "id = \"prova\"\ntitle = \"Bando di prova\"\ncitation = \"act\"\nauthority = \"chi\"\n\
         default_factor_set = \"dm-2015-enea-cti\"\n\
         [[obligation]]\nid = \"relazione\"\ntext = \"obligation.annual_report\"\nreport = \"annual\"\n\
         due = {{ rule = \"yearly\", month = 12, day = 31, counts_from = \"completion\", first_year = 0, due_after_years = 1, years = 9 }}\n\
         signer = \"professional\"\nchannel = \"PEC\"\ncitation = \"§7\"\nmemos = [\"{day}\"]\n\
         [[kpi]]\ncode = \"co2-evitata\"\ntext = \"kpi.co2_avoided\"\nmeasure = \"co2_avoided\"\nunit = \"t\"\ntarget = \"declared\"\ncitation = \"§2\"\n"
    );
    std::fs::write(schemes.join("prova.toml"), scheme).unwrap();
    std::fs::write(site.path().join("password"), "segreto\n").unwrap();
    let ca = authority.certificate.display();
    let mail = format!(
        "server = \"localhost\"\nport = {port}\nsecurity = \"{mode}\"\nusername = \"consuntivo\"\n\
         password_file = \"password\"\nca_file = \"{ca}\"\nfrom = \"monitoraggio@esempio.example\"\n"
    );
    let site = site
        .with("data_dir = \"data\"\n", "data_dir = \"data\"\ncatalog_dir = \"catalog\"\n")
        .with_text(&format!("\n[mail]\n{mail}\n[pec]\n{mail}receipts_dir = \"receipts\"\n"));
    std::fs::create_dir_all(site.path().join("receipts")).unwrap();
    let completed = format!("completed = {}-06-30", today.year() - 2);
    let works = format!("works_from = {}-03-01", today.year() - 2);
    let kpi = "[[declared]]\nkpi = \"risparmio-energia-primaria\"\nvalue = 110.0\n# The scheme's unit, repeated so that it is plain what the value means.\nunit = \"MWh\"\nsource = \"RTES §4, APE ex ante\"\n";
    let subject = "[[subject]]\nname = \"M. R.\"\ntax_code = \"RSSMRA80A01H501U\"\nrole = \"data_entry\"\nemail = \"ufficio@esempio.example\"\n";
    with_project(
        &site,
        &[
            ("scheme = \"piemonte-por-fesr-2014-20-4c1\"", "scheme = \"prova\""),
            ("works_from = 2020-03-01", &works),
            ("completed = 2021-10-15", &completed),
            ("final_payment = 2022-03-30\n", ""),
            (kpi, subject),
        ],
    );
    site
}

struct Mail {
    _folder: tempfile::TempDir,
    letters: PathBuf,
    authority: Pair,
    own: Pair,
}

impl Mail {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new(folder.path(), "autorita");
        let own = authority.sign("posta", "localhost", 2);
        let letters = folder.path().join("letters");
        std::fs::create_dir_all(&letters).unwrap();
        Self { _folder: folder, letters, authority: authority.pair, own }
    }

    fn start(&self, mode: &str) -> FieldServer {
        let path = |p: &Path| p.to_str().unwrap().to_owned();
        let (letters, certificate, key) =
            (path(&self.letters), path(&self.own.certificate), path(&self.own.key));
        // Absolute paths stay as they are when joined to the folder of the maps.
        FieldServer::start("mail_server.py", mode, &[&letters, &certificate, &key])
    }

    fn letters(&self) -> Vec<String> {
        let mut names: Vec<PathBuf> = std::fs::read_dir(&self.letters)
            .unwrap()
            .filter_map(Result::ok)
            .map(|e| e.path())
            .filter(|p| p.extension().is_some_and(|e| e == "eml"))
            .collect();
        names.sort();
        names.iter().map(|p| String::from_utf8_lossy(&std::fs::read(p).unwrap()).into_owned()).collect()
    }

    fn envelope(&self, number: usize) -> serde_json::Value {
        let path = self.letters.join(format!("{number}.envelope"));
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }
}

fn memo_state(site: &Site) -> String {
    let listed = good(site, &["memo", "list"]);
    listed.split('\t').nth(1).unwrap_or_default().to_owned()
}

#[test]
fn a_memo_goes_out_once_over_starttls_and_over_tls_and_not_again() {
    for mode in ["starttls", "tls"] {
        let mail = Mail::new();
        let server = mail.start(mode);
        let site = reminding_site(&server, mode, &mail.authority);
        let daemon = site.start();
        wait::until("a memo", SOON, || match memo_state(&site).as_str() {
            "sent" => Ok(()),
            other => Err(format!("{other}: {}", daemon.log())),
        });
        drop(daemon);
        let letters = mail.letters();
        assert_eq!(letters.len(), 1, "{mode}");
        let about = mail.envelope(1);
        assert_eq!(about["tls"], true, "{mode}");
        assert_eq!(about["authenticated"], true, "{mode}");
        assert_eq!(about["to"][0], "ufficio@esempio.example");
        let due = format!("31/12/{}", today().year());
        let said = format!("{} {}", about["subject"], about["text"]);
        assert!(said.contains(&due) && said.contains("C11G06000000001"), "{said}");
        // A daemon that starts again, and looks again, sends nothing.
        let again = site.start();
        looked_through(&again);
        drop(again);
        assert_eq!(mail.letters().len(), 1, "{mode}");
    }
}

#[test]
fn what_was_sent_is_not_reminded_of() {
    let mail = Mail::new();
    let server = mail.start("starttls");
    let site = reminding_site(&server, "starttls", &mail.authority);
    let year = (today().year() - 1).to_string();
    let done = ["record", "done", "--project", PROJECT, "--obligation", "relazione", "--year", &year];
    good(&site, &[&done[..], &["--on", "2025-01-10", "--note", "PEC"]].concat());
    let daemon = site.start();
    looked_through(&daemon);
    drop(daemon);
    assert_eq!(good(&site, &["memo", "list"]), "");
    assert!(mail.letters().is_empty());
}

#[test]
fn a_daemon_killed_while_it_hands_a_memo_over_never_sends_it_again() {
    let mail = Mail::new();
    let server = mail.start("starttls-hold");
    let site = reminding_site(&server, "starttls", &mail.authority);
    let daemon = site.start();
    // The server has the letter and does not answer.
    wait::until("a letter that is being handed over", SOON, || {
        if mail.letters().len() == 1 { Ok(()) } else { Err(daemon.log()) }
    });
    daemon.signal("KILL");
    drop(daemon);
    assert_eq!(memo_state(&site), "sending");
    drop(server);
    let server = mail.start("starttls");
    let settings = site.settings().to_owned();
    let old = settings.lines().find(|l| l.starts_with("port = ")).unwrap().to_owned();
    let mut site = site;
    site.rewrite(settings.replace(&old, &format!("port = {}", server.said)));
    let daemon = site.start();
    wait::until("the finding that a person must look", SOON, || {
        let page = tests::http::get(daemon.address(), "/findings").map_err(|e| e.to_string())?;
        if page.body.contains("memo.uncertain") || page.body.contains("promemoria") {
            Ok(())
        } else {
            Err(page.body)
        }
    });
    assert_eq!(mail.letters().len(), 1, "it was sent twice");
    assert_eq!(memo_state(&site), "sending");
    // A person looked: it had not gone out.
    let id = good(&site, &["memo", "list"]).split('\t').next().unwrap().to_owned();
    refused(&site, 6, &["memo", "settle", "nobody", "--sent"]);
    good(&site, &["memo", "settle", &id, "--sent"]);
    assert_eq!(memo_state(&site), "sent");
    assert_eq!(mail.letters().len(), 1);
}

/// POST with a token; status and body.
fn post(address: SocketAddr, token: &str, kind: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    let head = format!(
        "POST /api/v1/grants/closed-projects HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.get(9..12).and_then(|s| s.parse().ok()).unwrap_or_default();
    (status, answer)
}

/// Of two closed projects that nobody registered the region's officer is told, until a project file takes one up.
fn waits_to_be_registered(site: &Site, address: SocketAddr) {
    let csv = "code;cup;title;beneficiary;tax_code;call;expenses_closed\n\
               P-3;C11G06000000002;Scuola;Comune di Esempio;12345678903;II.2i.1;30/09/2024\n";
    assert_eq!(post(address, "segreto-lungo", "text/csv", csv).0, 200);
    let unregistered = || {
        let body = tests::http::get(address, "/api/v1/region/pending").unwrap().body;
        let all: Vec<serde_json::Value> = serde_json::from_str(&body).unwrap();
        let own = all.into_iter().filter(|p| p["project"].is_null());
        own.map(|p| format!("{} {} {}", p["cup"], p["ended"], p["scheme"])).collect::<Vec<_>>().join("; ")
    };
    let (first, second) = ("\"C11G06000000001\" \"2024-09-30\"", "\"C11G06000000002\" \"2024-09-30\"");
    let told = unregistered();
    assert!(told.contains(first) && told.contains(second), "{told}");
    with_project(site, &[]);
    wait::until("the registered project is no longer waited for", SOON, || {
        let told = unregistered();
        if !told.contains(first) && told.contains(second) { Ok(()) } else { Err(told) }
    });
}

#[test]
fn closed_projects_come_by_endpoint_folder_and_hand_and_the_first_version_wins() {
    let site = Site::new().with_text("\n[grants]\nfolder = \"incoming\"\ntoken_file = \"token\"\n");
    std::fs::create_dir_all(site.path().join("incoming")).unwrap();
    std::fs::write(site.path().join("token"), "segreto-lungo\n").unwrap();
    let csv = "code;cup;title;beneficiary;tax_code;call;expenses_closed\n\
               P-1;C11G06000000001;Municipio;Comune di Esempio;12345678903;II.2i.1;30/09/2024\n";
    // There before the start: looked at in the first round, taken in the second, when it has stopped growing.
    let other = csv.replace("P-1", "P-2");
    std::fs::write(site.path().join("incoming/delivery.csv"), other).unwrap();
    let daemon = site.start();
    let address = daemon.address();
    assert_eq!(post(address, "wrong", "text/csv", csv).0, 401);
    assert_eq!(post(address, "segreto-lungo", "text/plain", csv).0, 415);
    let (status, said) =
        post(address, "segreto-lungo", "text/csv", &csv.replace("12345678903", "12345678901"));
    assert!(status == 422 && said.contains("check digit"), "{said}");
    let (status, said) = post(address, "segreto-lungo", "text/csv", csv);
    assert!(status == 200 && said.contains("\"new\":[\"P-1\"]"), "{said}");
    let (_, said) = post(address, "segreto-lungo", "text/csv; charset=utf-8", csv);
    assert!(said.contains("\"same\":[\"P-1\"]"), "{said}");
    let (_, said) = post(address, "segreto-lungo", "text/csv", &csv.replace("Municipio", "Scuola"));
    assert!(said.contains("\"ignored\":[\"P-1\"]"), "{said}");
    let more = r#"[{"code":"P-1","cup":"C11G06000000001","title":"Municipio","beneficiary":"Comune di Esempio",
        "tax_code":"12345678903","call":"II.2i.1","expenses_closed":"2024-09-30","budget":{"eur":7}}]"#;
    let (status, said) = post(address, "segreto-lungo", "application/json", more);
    assert!(status == 200 && said.contains("\"same\":[\"P-1\"]"), "{said}");
    assert!(said.contains("\"code\":\"grants.key_unknown\",\"key\":\"budget\",\"times\":1"), "{said}");
    assert!(said.contains("non ha avuto effetto") && said.contains("it had no effect"), "{said}");
    let (status, said) =
        post(address, "segreto-lungo", "application/json", &more.replace("\"title\"", "\"titel\""));
    assert!(status == 422 && said.contains("record 1") && said.contains("`title`: is missing"), "{said}");

    waits_to_be_registered(&site, address);
    wait::until("the folder's delivery", SOON, || {
        let listed = good(&site, &["grants", "list"]);
        if listed.contains("P-2\t") { Ok(()) } else { Err(format!("{listed}{}", daemon.log())) }
    });
    drop(daemon);
    let listed = good(&site, &["grants", "list"]);
    assert!(listed.contains("P-1\tC11G06000000001\tMunicipio"), "{listed}");
    assert!(listed.contains("ignored\tP-1\tScuola"), "{listed}");
    let by_hand = site.path().join("again.csv");
    std::fs::write(&by_hand, csv).unwrap();
    let said = good(&site, &["grants", "import", by_hand.to_str().unwrap()]);
    assert_eq!(said, "closed projects: 0 new, 1 already there, 0 changes ignored\n");
}

/// OpenSSL as a professional's signing device.
fn sign(folder: &Path, own: &Pair, file: &Path) -> PathBuf {
    let out = folder.join(format!("{}.p7m", file.file_name().unwrap().to_string_lossy()));
    let done = Command::new("openssl")
        .args(["cms", "-sign", "-binary", "-nodetach", "-outform", "DER", "-md", "sha256", "-in"])
        .arg(file)
        .arg("-signer")
        .arg(&own.certificate)
        .arg("-inkey")
        .arg(&own.key)
        .arg("-out")
        .arg(&out)
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    out
}

/// Brings signed files back: those that do not hold are refused, the others tell who signed.
fn signed_files_come_back(
    folder: &Path,
    out: &Path,
    (own, expired): (&Pair, &Pair),
    run: &dyn Fn(&[&str]) -> String,
    no: &dyn Fn(i32, &[&str]) -> String,
) {
    let frozen = out.join("sistema-di-monitoraggio.pdf");
    let other = folder.join("altro.pdf");
    std::fs::write(&other, "%PDF-1.7\nother\n%%EOF\n").unwrap();
    assert!(
        no(6, &["sign", sign(folder, own, &other).to_str().unwrap()])
            .contains("does not begin with the very bytes")
    );
    assert!(
        no(6, &["sign", sign(folder, expired, &frozen).to_str().unwrap()]).contains("not when it signed")
    );
    assert!(no(6, &["sign", frozen.to_str().unwrap()]).contains("no signature follows"));
    let signed = sign(folder, own, &frozen);
    let nested = sign(folder, own, &signed);
    // A certificate that names nobody proves no person: it is taken for a reason, which stays on record.
    assert!(no(6, &["sign", nested.to_str().unwrap()]).contains("names no person"));
    let reason = ["--reason", "il certificato è quello di prova dell'ordine"];
    let taken = |file: &Path| run(&[&["sign", file.to_str().unwrap()][..], &reason].concat());
    assert_eq!(taken(&nested).matches("signed by rossi.example").count(), 2);
    assert!(taken(&signed).starts_with("signed by rossi.example\t-\tissued by autorita"));
}

#[test]
fn a_submission_goes_from_draft_to_accepted_and_its_dossier_is_verified_by_a_stranger() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path(), "autorita");
    let (own, expired) = (
        authority.sign("professionista", "rossi.example", 2),
        authority.sign("scaduto", "rossi.example", -1),
    );
    let trust = authority.pair.certificate.display().to_string();
    let site = Site::new().with_text(&format!("\n[signatures]\ntrust_file = \"{trust}\"\n"));
    with_project(&site, &[]);
    let of = ["--project", PROJECT, "--obligation", "relazione-sistema", "--year", "2022"];
    let run = |what: &[&str]| good(&site, &[&["submission"], what, &of].concat());
    let no = |code: i32, what: &[&str]| refused(&site, code, &[&["submission"], what, &of].concat());

    run(&["draft"]);
    only_what_is_asked_is_begun_once(&site, &no);
    // Nothing to send where this program makes no document: every obstacle with the act that lifts it.
    let other = ["--project", PROJECT, "--obligation", "rendicontazione-finale"];
    good(&site, &[&["submission", "draft"][..], &other].concat());
    let output = site.run(&[&["submission", "check"][..], &other].concat());
    let checked = stdout(&output);
    assert_eq!(output.status.code(), Some(3), "{checked}");
    assert!(
        checked.contains("submission.no_file") && checked.contains("to lift it: submission attach FILE"),
        "{checked}"
    );
    assert!(no(6, &["freeze"]).contains("is draft and cannot be frozen"));
    let report = site.path().join("planimetria.pdf");
    std::fs::write(&report, "%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\n%%EOF\n").unwrap();
    run(&["attach", report.to_str().unwrap()]);
    a_draft_takes_documents_and_lets_go_of_them(&report, &run, &no);
    // What the year's figures lack is taken upon a person, one by one.
    assert!(0 < lift_all(&site, &of));
    let out = site.path().join("out");
    run(&["freeze", "--out", out.to_str().unwrap()]);

    // Frozen: nothing can be added, and it is signed before it is sent.
    assert!(no(6, &["attach", report.to_str().unwrap()]).contains("cannot be changed"));
    let receipt = site.path().join("ricevuta.eml");
    std::fs::write(&receipt, pec_receipt("avvenuta-consegna", "<m@ente.example>")).unwrap();
    let on = today().to_string();
    let sent = ["sent", receipt.to_str().unwrap(), "--to", "ente@pec.example", "--on", &on];
    assert!(no(6, &sent).contains("not signed yet"));

    signed_files_come_back(folder.path(), &out, (&own, &expired), &run, &no);
    nothing_is_sent_without_a_receipt(&site, &out, &no);
    run(&sent);
    assert!(
        no(6, &["accepted", "--on", &yesterday(), "--text", "prot. 11"]).contains("came before it"),
        "no answer before the sending"
    );
    let calendar = good(&site, &["obligations", "--project", PROJECT]);
    assert!(calendar.contains("\tsent\tmunicipio-esempio\t2022\trelazione-sistema"), "{calendar}");
    run(&["integration", "--on", &on, "--text", "prot. 12: manca la planimetria"]);
    let calendar = good(&site, &["obligations", "--project", PROJECT]);
    assert!(calendar.contains("relazione-sistema") && calendar.contains("integration asked"), "{calendar}");
    // A correction is a new version that says why.
    run(&["correct", "--why", "aggiunta la planimetria"]);
    let shown = good(&site, &["submission", "show", "--project", PROJECT]);
    assert!(
        shown.contains("v1\tintegration-asked")
            && shown.contains("v2\tdraft\n    why: aggiunta la planimetria"),
        "{shown}"
    );
    // The authority answers what it has: the first version.
    let answered = run(&["integration", "--on", &on, "--text", "prot. 13: manca anche la firma"]);
    assert!(answered.contains("\tv1\tintegration-asked"), "{answered}");

    dossier::verified(&site);
}

/// What was begun is not begun again; a year of which the scheme asks nothing is refused with those of which it does.
fn only_what_is_asked_is_begun_once(site: &Site, no: &dyn Fn(i32, &[&str]) -> String) {
    assert!(no(6, &["draft"]).contains("already"));
    for year in ["1999", "2031"] {
        let draft = ["submission", "draft", "--project", PROJECT, "--obligation", "relazione-annuale"];
        let said = refused(site, 6, &[&draft[..], &["--year", year]].concat());
        assert!(said.contains("it does for 2022, 2023, 2024, 2025, 2026"), "{said}");
    }
}

/// What is no document by its content is not taken, and what was attached by mistake is taken off again.
fn a_draft_takes_documents_and_lets_go_of_them(
    report: &Path,
    run: &dyn Fn(&[&str]) -> String,
    no: &dyn Fn(i32, &[&str]) -> String,
) {
    let nothing = ["lift", "--code", "nosuch", "--subject", "x", "--reason", "prova"];
    assert!(no(6, &nothing).contains("nosuch of \"x\" does not stand in the way"));
    let fake = report.with_file_name("finto.pdf");
    std::fs::write(&fake, "not a PDF").unwrap();
    assert!(no(6, &["attach", fake.to_str().unwrap()]).contains("neither PDF, JPEG, PNG nor Word"));
    let wrong = report.with_file_name("sbagliato.pdf");
    std::fs::copy(report, &wrong).unwrap();
    run(&["attach", wrong.to_str().unwrap()]);
    run(&["detach", "sbagliato.pdf"]);
    assert!(no(6, &["detach", "sbagliato.pdf"]).contains("has no attached file"));
}

/// The report on the monitoring system states no figures, and is frozen with none.
fn frozen_without_figures(site: &Site) {
    let shown = good(site, &["submission", "show", "--json", "--project", PROJECT]);
    let all: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let of_system = |s: &&serde_json::Value| s["obligation"] == "relazione-sistema";
    let frozen = &all.as_array().unwrap().iter().find(of_system).expect("the report on the system")["frozen"];
    assert!(frozen["files"].as_array().is_some_and(|files| files.len() == 2), "{frozen}");
    assert!(frozen["kpis"] == serde_json::json!([]) && frozen["meters"].is_null(), "{frozen}");
    assert!(frozen["inputs_sha256"].is_null(), "{frozen}");
}

/// Files that show no sending: empty, plain mail, a fault, another recipient, the report itself; and days on which
/// there was nothing to send, or that are not the receipt's.
fn nothing_is_sent_without_a_receipt(site: &Site, out: &Path, no: &dyn Fn(i32, &[&str]) -> String) {
    let file = site.path().join("prova.eml");
    let on = |day: &str, text: &str, to: &str| {
        std::fs::write(&file, text).unwrap();
        no(6, &["sent", file.to_str().unwrap(), "--to", to, "--on", day])
    };
    let refused = |text: &str, to: &str| on(&today().to_string(), text, to);
    let to = "ente@pec.example";
    assert!(refused("", to).contains("it is empty"));
    assert!(refused("Subject: CONSEGNA\r\n\r\nciao\r\n", to).contains("without certification data"));
    assert!(refused(&pec_receipt("errore-consegna", "<m@x>"), to).contains("it says errore-consegna"));
    assert!(
        refused(&pec_receipt("avvenuta-consegna", "<m@x>"), "non un indirizzo")
            .contains("is no mail address")
    );
    let other = pec_receipt("avvenuta-consegna", "<m@x>")
        .replace("<dati>", "<dati><consegna>altro@pec.example</consegna>");
    assert!(refused(&other, to).contains("delivered to altro@pec.example"));
    let good = pec_receipt("avvenuta-consegna", "<m@x>");
    assert!(on(&yesterday(), &good, to).contains("cannot have been sent on"), "it was frozen today");
    let old = good.replace(&today().format("%d/%m/%Y").to_string(), "20/03/2023");
    assert!(refused(&old, to).contains("prova.eml is of 20/03/2023"));
    // The same day as it stands, and ten hours before.
    let stale = good.replace("zona=\"+0", "zona=\"+1");
    assert!(refused(&stale, to).contains("it is the receipt of something else"));
    let frozen = out.join("sistema-di-monitoraggio.pdf");
    let day = today().to_string();
    let own = no(6, &["sent", frozen.to_str().unwrap(), "--to", to, "--on", &day]);
    assert!(own.contains("sistema-di-monitoraggio.pdf is no receipt: it is"), "{own}");
}

/// A receipt as a provider of certified mail writes it today, about a message.
fn pec_receipt(kind: &str, message_id: &str) -> String {
    // Of this minute: a receipt is not older than what was frozen.
    let said =
        Command::new("date").args(["+%d/%m/%Y %H:%M:%S %z"]).env("TZ", "Europe/Rome").output().unwrap();
    let now = stdout(&said);
    let mut parts = now.split_whitespace();
    let mut part = || parts.next().unwrap().to_owned();
    let (day, time, offset) = (part(), part(), part());
    let about = message_id.replace('<', "&lt;").replace('>', "&gt;");
    format!(
        "From: posta-certificata@pec.example\r\nSubject: {kind}\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary=\"b\"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nricevuta\r\n\
         --b\r\nContent-Type: application/xml; name=\"daticert.xml\"\r\n\r\n\
         <?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<postacert tipo=\"{kind}\" errore=\"nessuno\">\r\n\
         <dati><identificativo>opec1.{kind}</identificativo><msgid>{about}</msgid>\
         <data zona=\"{offset}\"><giorno>{day}</giorno><ora>{time}</ora></data></dati></postacert>\r\n--b--\r\n"
    )
}

/// Takes every obstacle upon a person, until nothing stands in the way.
fn lift_all(site: &Site, of: &[&str]) -> usize {
    let output = site.run(&[&["submission", "check"][..], of].concat());
    let mut lifted = 0;
    for line in stdout(&output).lines().filter(|l| !l.starts_with(' ') && !l.starts_with("note:")) {
        let Some((code, subject)) = blocking(line) else { continue };
        let lift = ["submission", "lift", "--code", code, "--subject", subject, "--reason", "senza misure"];
        good(site, &[&lift[..], of].concat());
        lifted += 1;
    }
    let checked = good(site, &[&["submission", "check"][..], of].concat());
    assert!(checked.ends_with("nothing stands in the way\n"), "{checked}");
    lifted
}

#[test]
fn a_signed_submission_goes_out_once_by_certified_mail_and_counts_as_sent_with_the_receipt_of_delivery() {
    let mail = Mail::new();
    let server = mail.start("tls");
    let site = reminding_site(&server, "tls", &mail.authority);
    let professional = Authority::new(site.path(), "firme").sign("professionista", "rossi.example", 2);
    let year = (today().year() - 1).to_string();
    let of = ["--project", PROJECT, "--obligation", "relazione", "--year", &year];
    let run = |what: &[&str]| good(&site, &[&["submission"], what, &of].concat());
    let no = |code: i32, what: &[&str]| refused(&site, code, &[&["submission"], what, &of].concat());
    run(&["draft"]);
    lift_all(&site, &of);
    let out = site.path().join("out");
    run(&["freeze", "--out", out.to_str().unwrap()]);
    let send = ["send", "--to", "ente@pec.example"];
    assert!(no(6, &send).contains("not signed yet"));
    let pdf = std::fs::read_dir(&out).unwrap().filter_map(Result::ok).map(|e| e.path());
    let pdf = pdf.into_iter().find(|p| p.extension().is_some_and(|e| e == "pdf")).expect("a frozen PDF");
    let signed = sign(site.path(), &professional, &pdf);
    run(&["sign", signed.to_str().unwrap(), "--reason", "certificato di prova"]);
    run(&send);
    // Handed over once; a second attempt says where to look.
    assert!(no(6, &send).contains("was handed to the mail server"));
    assert_eq!(mail.letters().len(), 1);
    let about = mail.envelope(1);
    assert_eq!((&about["tls"], &about["to"][0]), (&true.into(), &"ente@pec.example".into()));
    let files: Vec<&str> = about["files"].as_array().unwrap().iter().filter_map(|f| f[0].as_str()).collect();
    assert!(
        files.iter().any(|f| f.ends_with(".pdf.p7m")) && files.iter().any(|f| f.ends_with(".xlsx")),
        "{files:?}"
    );
    assert!(!files.iter().any(|f| f.ends_with(".pdf")), "the signed form stands for the file: {files:?}");

    let message_id = about["message_id"].as_str().unwrap();
    let drop_in = |name: &str, kind: &str| {
        std::fs::write(site.path().join("receipts").join(name), pec_receipt(kind, message_id)).unwrap();
    };
    let stage = || good(&site, &["submission", "show", "--project", PROJECT]);
    drop_in("1.eml", "accettazione");
    let daemon = site.start();
    looked_through(&daemon);
    assert!(stage().contains("v1\tsending"), "taken by the sender's provider is not delivered: {}", stage());
    drop(daemon);
    drop_in("2.eml", "avvenuta-consegna");
    let daemon = site.start();
    wait::until("the delivery", SOON, || {
        let shown = stage();
        if shown.contains("v1\tsent") { Ok(()) } else { Err(format!("{shown}{}", daemon.log())) }
    });
    drop(daemon);
    // The daemon also wrote a memo by the same server; to the authority went one letter.
    let to = |number: usize| mail.envelope(number)["to"][0].as_str() == Some("ente@pec.example");
    assert_eq!((1..=mail.letters().len()).filter(|number| to(*number)).count(), 1);
}

/// Code and subject of a finding as it is printed: `blocks code subject: says`.
fn blocking(line: &str) -> Option<(&str, &str)> {
    let rest = line.strip_prefix("blocks [")?;
    let (code, rest) = rest.split_once("] ")?;
    let (subject, _) = rest.split_once(": ")?;
    Some((code, subject))
}
