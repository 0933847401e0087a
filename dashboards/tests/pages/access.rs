//! Every route against every role, and what attackers try at the door.
//!
//! Must never: list a route by hand: the table of routes is the list.

use std::sync::Arc;
use std::sync::PoisonError;
use std::time::Duration;

use crate::support::Fake;
use crate::support::people::{AUDIT_LINES, LINK, PASSWORD, People};
use dashboards::access::{Need, Right, Role, Row, Verb};
use dashboards::routes::{Options, router, rows};
use dashboards::serve::serve;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

const LIMIT: Duration = Duration::from_secs(60);

pub(crate) struct Server {
    address: std::net::SocketAddr,
    people: Arc<People>,
    pub(crate) fake: Arc<Fake>,
    _stop: oneshot::Sender<()>,
    _folder: tempfile::TempDir,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    fn headers(&self, name: &str) -> Vec<&str> {
        let all = self.head.lines().filter_map(|line| line.split_once(':'));
        all.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).collect()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers(name).first().copied().unwrap_or_default()
    }

    /// The value of the field that a form of this page carries.
    fn csrf(&self) -> String {
        let (_, rest) = self.body.split_once("name=\"csrf\" value=\"").expect("a form");
        rest.split('"').next().unwrap().to_owned()
    }
}

impl Server {
    async fn with(people: Arc<People>, options: Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let fake = Fake::new(&folder.path().join("reports"), 64);
        let app = router(Arc::<Fake>::clone(&fake), Arc::<People>::clone(&people), options);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        tokio::spawn(serve(listener, app, None, stopped));
        Self { address, people, fake, _stop: stop, _folder: folder }
    }

    pub(crate) async fn start() -> Self {
        Self::with(People::of_every_role(), Options::default()).await
    }

    /// A POST of the administrator that says how long its body is, and ends there.
    async fn claims(&self, path: &str, length: usize) -> Answer {
        self.claims_of("administrator", path, "application/x-www-form-urlencoded", length).await
    }

    /// As [`Self::claims`], of another person and another kind of body.
    pub(crate) async fn claims_of(&self, account: &str, path: &str, kind: &str, length: usize) -> Answer {
        let (host, cookie) = (self.address, cookie(account));
        self.exchange(format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {length}\r\n\
             Content-Type: {kind}\r\n{cookie}\r\n"
        ))
        .await
    }

    pub(crate) async fn send(&self, verb: &str, path: &str, headers: &str, body: &str) -> Answer {
        let host = self.address;
        let length =
            if verb == "POST" { format!("Content-Length: {}\r\n", body.len()) } else { String::new() };
        self.exchange(format!(
            "{verb} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{length}{headers}\r\n{body}"
        ))
        .await
    }

    async fn exchange(&self, request: String) -> Answer {
        let exchange = async {
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut all = Vec::new();
            // A live stream never ends: its head is enough.
            let mut chunk = [0; 4096];
            loop {
                let read = stream.read(&mut chunk).await.unwrap_or(0);
                all.extend_from_slice(&chunk[..read]);
                let text = String::from_utf8_lossy(&all);
                if read == 0 || (text.contains("\r\n\r\n") && text.contains("text/event-stream")) {
                    break;
                }
            }
            let text = String::from_utf8_lossy(&all).into_owned();
            let (head, body) = text.split_once("\r\n\r\n").expect("a head");
            let status = head.split(' ').nth(1).unwrap().parse().unwrap();
            Answer { status, head: head.to_owned(), body: body.to_owned() }
        };
        tokio::time::timeout(LIMIT, exchange).await.expect("the server answers")
    }

    pub(crate) async fn get(&self, path: &str, session: &str) -> Answer {
        self.send("GET", path, &cookie(session), "").await
    }

    async fn post(&self, path: &str, headers: &str, body: &str) -> Answer {
        let headers = format!("Content-Type: application/x-www-form-urlencoded\r\n{headers}");
        self.send("POST", path, &headers, body).await
    }

    /// A form of a session, with its right proof.
    pub(crate) async fn form(&self, path: &str, session: &str, fields: &str) -> Answer {
        let csrf = csrf(session);
        self.post(path, &cookie(session), &format!("csrf={csrf}&{fields}")).await
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.people.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

pub(crate) fn cookie(session: &str) -> String {
    if session.is_empty() {
        String::new()
    } else {
        format!("Cookie: consuntivo={session}\r\nAccept: text/html\r\n")
    }
}

/// As the pages make it: of the session's secret.
pub(crate) fn csrf(session: &str) -> String {
    use sha2::Digest as _;
    let digest = sha2::Sha256::digest(format!("consuntivo form\0{session}").as_bytes());
    digest.iter().map(|b| format!("{b:02x}")).collect()
}

/// The path with every name in it filled in with something that is there.
pub(crate) fn concrete(path: &str) -> String {
    path.replace("{project}", "scuola-gobetti")
        .replace("{building}", "scuola-gobetti-sede")
        .replace("{meter}", "contatore-0")
        .replace("{year}", "2025")
        .replace("{token}", LINK)
        .replace("{account}", "data_entry")
        .replace("{name}", "relazione-2025.pdf")
        .replace("{obligation}", "relazione-annuale")
        .replace("{sha256}", &"ab".repeat(32))
        .replace("{order}", "ordine-1")
        .replace("{alarm}", "1")
}

/// Who asks, and where what the path names stands to where the role is held.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Asks {
    Nobody,
    Everywhere(Role),
    /// In another project than the path's.
    Elsewhere(Role),
    /// In the path's project.
    Own(Role),
    /// In the path's building, the one that the path's meter is in.
    OwnBuilding(Role),
    /// In another building of the path's project.
    OtherBuilding(Role),
}

/// The table of `docs/access.md`, stated here again: what each role may.
fn may_do(role: Role) -> &'static [Right] {
    use Right::{
        AcknowledgeAlarms, AdministerAccounts, AdministerTokens, DecideReadings, EditContacts, EditProject,
        ManageSubjects, SeeAudit, SeeInstallation, SeeProject, SeeRegion, SendMemos, Submit, TakeDossier,
        WriteNotes,
    };
    match role {
        Role::LegalRepresentative => {
            &[SeeProject, TakeDossier, EditProject, WriteNotes, ManageSubjects, EditContacts, Submit]
        }
        Role::DataEntry => &[SeeProject, TakeDossier, EditProject, WriteNotes],
        Role::FacilityManager => &[SeeProject, SeeInstallation, DecideReadings, AcknowledgeAlarms],
        Role::RegionalOfficer => &[SeeProject, TakeDossier, SeeRegion, SendMemos],
        Role::Administrator => {
            &[SeeProject, SeeInstallation, SeeRegion, AdministerAccounts, AdministerTokens, SeeAudit]
        }
    }
}

/// Rights about the installation as a whole: no part of it gives them.
const OF_INSTALLATION: [Right; 5] = [
    Right::SeeInstallation,
    Right::SeeRegion,
    Right::AdministerAccounts,
    Right::AdministerTokens,
    Right::SeeAudit,
];

pub(crate) fn may(asks: Asks, need: Need) -> bool {
    let (role, everywhere) = match asks {
        Asks::Nobody => (None, false),
        Asks::Everywhere(role) => (Some(role), true),
        Asks::Elsewhere(role) | Asks::Own(role) | Asks::OwnBuilding(role) | Asks::OtherBuilding(role) => {
            (Some(role), false)
        }
    };
    let right = |right: Right, reaches: bool| {
        role.is_some_and(|role| may_do(role).contains(&right))
            && (everywhere || (reaches && !OF_INSTALLATION.contains(&right)))
    };
    match need {
        // From this machine the metrics are open.
        Need::Always | Need::Public | Need::Delivery | Need::Metrics => true,
        Need::SignedIn => asks != Asks::Nobody,
        Need::Anywhere(wanted) => right(wanted, true),
        // A role in one building reads the project that the building is of, and changes the building alone.
        Need::InProject(wanted @ Right::SeeProject) => right(wanted, !matches!(asks, Asks::Elsewhere(_))),
        Need::InProject(wanted) => right(wanted, matches!(asks, Asks::Own(_))),
        Need::InBuilding(wanted) | Need::OfMeter(wanted) => {
            right(wanted, matches!(asks, Asks::Own(_) | Asks::OwnBuilding(_)))
        }
        Need::Calendar => right(Right::SeeProject, true),
    }
}

async fn passes(server: &Server, row: Row, asks: Asks) -> (bool, u16) {
    let path = concrete(row.path);
    let (session, path) = match asks {
        Asks::Nobody => (String::new(), path),
        Asks::Everywhere(role) => (role.code().to_owned(), path),
        // The account's own project is the other one.
        Asks::Elsewhere(role) => (
            format!("{}-own", role.code()),
            path.replace("scuola-gobetti", "ufficio-hostile").replace("contatore-0", "contatore-1"),
        ),
        Asks::Own(role) => (format!("{}-own", role.code()), path),
        Asks::OwnBuilding(role) => (format!("{}-building", role.code()), path),
        Asks::OtherBuilding(role) => (
            format!("{}-building", role.code()),
            path.replace("scuola-gobetti-sede", "scuola-gobetti-palestra")
                .replace("contatore-0", "contatore-palestra"),
        ),
    };
    let answer = match row.verb {
        Verb::Get => server.get(&path, &session).await,
        Verb::Post => server.form(&path, &session, "").await,
    };
    let refused = match answer.status {
        // `foreign` and `stale` forms are refused too, but behind the gate; the texts tell them apart.
        401 => row.need != Need::Delivery,
        403 => !answer.body.contains("stale_form") && !answer.body.contains("non è più valido"),
        303 => answer.header("location").starts_with("/login?next="),
        _ => false,
    };
    (!refused, answer.status)
}

/// The matrix: every row of the table of routes × every role, everywhere, in the path's project, in another, in the
/// path's building, in another of its project, and nobody.
#[tokio::test]
async fn every_route_lets_exactly_those_in_who_may() {
    let server = Server::start().await;
    let mut who = vec![Asks::Nobody];
    who.extend(Role::ALL.map(Asks::Everywhere));
    who.extend(Role::ALL.map(Asks::Elsewhere));
    who.extend(Role::ALL.map(Asks::Own));
    who.extend(Role::ALL.map(Asks::OwnBuilding));
    who.extend(Role::ALL.map(Asks::OtherBuilding));
    let mut wrong = Vec::new();
    let mut tried = 0;
    for row in rows() {
        for asks in &who {
            // Nobody asking for a page is sent to the sign-in page; with `Accept` left out they are told 401.
            let (passed, status) = passes(&server, row, *asks).await;
            tried += 1;
            if passed != may(*asks, row.need) {
                wrong.push(format!("{:?} {} for {asks:?}: {status}", row.verb, row.path));
            }
            if 500 <= status && !row.path.starts_with("/login/provider") {
                wrong.push(format!("{:?} {} for {asks:?}: {status}", row.verb, row.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(rows().len() * who.len() == tried && 40 < rows().len());
}

/// What no building is known of belongs to the whole installation, and a building is one of its project alone.
#[tokio::test]
async fn a_part_of_the_installation_gives_nothing_beyond_it() {
    let server = Server::start().await;
    for (path, session, passes) in [
        ("/meters/contatore-2", "facility_manager", true),
        ("/meters/contatore-2", "facility_manager-own", false),
        ("/meters/contatore-2", "facility_manager-building", false),
        ("/buildings/scuola-gobetti/scuola-gobetti-sede", "facility_manager-building", true),
        ("/buildings/ufficio-hostile/scuola-gobetti-sede", "facility_manager-building", false),
        ("/buildings/ufficio-hostile/scuola-gobetti-sede", "facility_manager-own", false),
        ("/projects/ufficio-hostile", "facility_manager-building", false),
    ] {
        let answer = server.get(path, session).await;
        assert_eq!(answer.status == 200, passes, "{path} for {session}: {}", answer.status);
        assert!(passes || answer.status == 403, "{path} for {session}: {}", answer.status);
    }
    let meters = server.get("/api/v1/meters", "facility_manager-building").await;
    assert!(meters.body.contains("contatore-0") && !meters.body.contains("contatore-1"), "{}", meters.body);
}

/// Every POST of the table refuses a form without the field, with another session's, and one that another site sends.
#[tokio::test]
async fn no_change_of_state_without_its_proof() {
    let server = Server::start().await;
    for row in rows().into_iter().filter(|row| row.verb == Verb::Post && row.need != Need::Delivery) {
        let role = Role::ALL.into_iter().find(|role| may(Asks::Everywhere(*role), row.need)).unwrap();
        let (path, session) = (concrete(row.path), role.code());
        let good = csrf(session);
        let before = server.asked();
        for body in [
            String::new(),
            "csrf=".to_owned(),
            format!("csrf={}", csrf("other")),
            format!("csrf={good}&csrf={good}"),
        ] {
            let answer = server.post(&path, &cookie(session), &body).await;
            // A form with a file is refused as no such form (400) before its proof is looked for.
            assert!(matches!(answer.status, 400 | 403), "{path} with {body:?}: {}", answer.status);
        }
        for foreign in [
            "Sec-Fetch-Site: cross-site\r\n",
            "Sec-Fetch-Site: same-site\r\n",
            "Origin: http://evil.example\r\n",
            "Origin: null\r\n",
        ] {
            let headers = format!("{}{foreign}", cookie(session));
            let answer = server.post(&path, &headers, &format!("csrf={good}")).await;
            assert_eq!(answer.status, 403, "{path} with {foreign}");
        }
        let json = format!("{}Content-Type: text/plain\r\n", cookie(session));
        let answer = server.send("POST", &path, &json, &format!("csrf={good}")).await;
        assert!(matches!(answer.status, 400 | 403), "{path} as plain text: {}", answer.status);
        assert_eq!(server.asked(), before, "{path} did something");
    }
}

#[tokio::test]
async fn bodies_are_as_long_as_their_route_takes() {
    let server = Server::start().await;
    for row in rows() {
        let path = concrete(row.path);
        // The length alone decides: nothing of the body is waited for.
        let answer = match row.verb {
            Verb::Post => server.claims(&path, row.body_bytes_max + 1).await,
            Verb::Get => server.send("GET", &path, "Content-Length: 1\r\n", "x").await,
        };
        assert!([413, 403, 401].contains(&answer.status), "{path}: {}", answer.status);
        if row.verb == Verb::Get {
            assert_eq!(answer.status, 413, "{path}");
        }
    }
    let answer = server.send("PUT", "/", "", "").await;
    assert_eq!(answer.status, 405);
}

#[tokio::test]
async fn signing_in_changes_the_session_and_binds_it() {
    let server = Server::start().await;
    let page = server.get("/login?next=/meters", "").await;
    assert_eq!((page.status, page.header("cache-control")), (200, "no-store"));
    let form = page.header("set-cookie").to_owned();
    assert!(form.starts_with("consuntivo-form=fresh; Path=/; HttpOnly; SameSite=Lax"), "{form}");
    let body =
        format!("csrf={}&account=administrator&password=quattro+gatti+al+sole&next=/meters", page.csrf());
    // A secret that an attacker planted before is not the one that is opened.
    let headers = "Cookie: consuntivo-form=fresh; consuntivo=planted\r\n";
    let answer = server.post("/login", headers, &body).await;
    assert_eq!((answer.status, answer.header("location")), (303, "/meters"));
    let cookies = answer.headers("set-cookie");
    assert!(cookies.contains(&"consuntivo=administrator; Path=/; HttpOnly; SameSite=Lax"), "{cookies:?}");
    assert!(cookies.iter().any(|c| c.starts_with("consuntivo-form=;") && c.contains("Max-Age=0")));
    // Without the cookie that the form is bound to there is no form.
    assert_eq!(server.post("/login", "", &body).await.status, 403);
    let wrong = body.replace("quattro", "cinque");
    let answer = server.post("/login", headers, &wrong).await;
    assert_eq!(answer.status, 422);
    assert!(answer.headers("set-cookie").iter().all(|c| !c.starts_with("consuntivo=")));
    assert!(answer.body.contains("Nome utente o password errati") && !answer.body.contains("cinque"));
    let waits = body.replace("administrator", "waits");
    assert!(server.post("/login", headers, &waits).await.body.contains("30 secondi"));
}

#[tokio::test]
async fn nobody_is_sent_to_another_site() {
    let server = Server::start().await;
    for next in ["https://evil.example", "//evil.example", "/\\evil.example", "/%0d%0aX: y", "javascript:1"] {
        let body = format!(
            "csrf={}&account=administrator&password=quattro+gatti+al+sole&next={next}",
            csrf("fresh")
        );
        let answer = server.post("/login", "Cookie: consuntivo-form=fresh\r\n", &body).await;
        assert_eq!((answer.status, answer.header("location")), (303, "/"), "{next}");
        assert_eq!(answer.headers("x").len(), 0);
        let page = server.get(&format!("/login?next={next}"), "").await;
        assert!(!page.body.contains("evil.example"), "{next}");
    }
}

#[tokio::test]
async fn under_tls_of_a_trusted_proxy_cookies_are_bound_to_the_host() {
    let options = Options {
        hosts: dashboards::routes::Hosts::Any,
        is_exposed: true,
        trusted_proxies: vec!["127.0.0.1".parse().unwrap()],
        ..Options::default()
    };
    let server = Server::with(People::of_every_role(), options).await;
    let secure = "X-Forwarded-Proto: https\r\nX-Forwarded-For: 198.51.100.7\r\n";
    let page = server.send("GET", "/login", secure, "").await;
    let form = page.header("set-cookie");
    assert!(
        form.starts_with("__Host-consuntivo-form=fresh; Path=/; HttpOnly; SameSite=Lax; Secure"),
        "{form}"
    );
    assert_eq!(page.header("strict-transport-security"), "max-age=63072000");
    let headers =
        format!("{secure}Cookie: __Host-consuntivo-form=fresh\r\nOrigin: https://{}\r\n", server.address);
    let body = format!("csrf={}&account=administrator&password={}", page.csrf(), PASSWORD.replace(' ', "+"));
    let answer = server.post("/login", &headers, &body).await;
    assert_eq!(answer.status, 303);
    assert!(
        answer
            .headers("set-cookie")
            .contains(&"__Host-consuntivo=administrator; Path=/; HttpOnly; SameSite=Lax; Secure")
    );
    assert_eq!(server.asked(), ["sign_in administrator from 198.51.100.7"]);
    // A cookie without the prefix is not taken where the prefix can be had.
    let planted = format!("{secure}Cookie: consuntivo=administrator\r\n");
    assert_eq!(server.send("GET", "/account", &planted, "").await.status, 401);
}

#[tokio::test]
async fn a_spoofed_header_gives_nothing() {
    let server = Server::start().await;
    for header in [
        "X-Forwarded-For: 127.0.0.1\r\n",
        "X-Forwarded-Proto: https\r\n",
        "Forwarded: for=127.0.0.1\r\n",
        "Via: 1.1 x\r\n",
    ] {
        let page = server.send("GET", "/login", header, "").await;
        assert!(page.header("set-cookie").starts_with("consuntivo-form="), "{header}");
        assert_eq!(page.header("strict-transport-security"), "");
        // Whoever sends such a header is not on this machine.
        assert_eq!(server.send("GET", "/metrics", header, "").await.status, 401, "{header}");
    }
    assert_eq!(server.get("/metrics", "").await.status, 200);
}

#[tokio::test]
async fn a_fresh_installation_shows_itself_to_this_machine_alone() {
    let server = Server::with(People::nobody(), Options::default()).await;
    for row in rows().into_iter().filter(|row| row.verb == Verb::Get) {
        let wanted = match row.need {
            Need::Anywhere(right)
            | Need::InProject(right)
            | Need::InBuilding(right)
            | Need::OfMeter(right) => right.is_reading(),
            Need::SignedIn => false,
            Need::Always | Need::Public | Need::Metrics | Need::Calendar | Need::Delivery => true,
        };
        let answer = server.get(&concrete(row.path), "").await;
        assert_eq!(answer.status != 401, wanted, "{}: {}", row.path, answer.status);
        // Behind a proxy that nobody told us of, the client is not on this machine.
        let forwarded = server.send("GET", &concrete(row.path), "X-Forwarded-For: 10.0.0.9\r\n", "").await;
        let open = matches!(row.need, Need::Always | Need::Public);
        assert_eq!(forwarded.status != 401, open, "{}: {}", row.path, forwarded.status);
    }
    let exposed = Options { is_exposed: true, hosts: dashboards::routes::Hosts::Any, ..Options::default() };
    let server = Server::with(People::nobody(), exposed).await;
    for row in rows() {
        let answer = match row.verb {
            Verb::Get => server.get(&concrete(row.path), "").await,
            Verb::Post => server.post(&concrete(row.path), "", "").await,
        };
        let open = row.need == Need::Always;
        let shut = answer.status == 403 && answer.body.contains("not_set_up");
        assert_eq!(shut, !open, "{}: {} {}", row.path, answer.status, answer.body);
    }
}

#[tokio::test]
async fn anonymous_reading_is_a_choice_and_reads_only() {
    let options = Options { anonymous_reading: true, ..Options::default() };
    let server = Server::with(People::of_every_role(), options).await;
    assert_eq!(server.get("/", "").await.status, 200);
    assert_eq!(server.get("/accounts", "").await.status, 401);
    // A wrong token is no reader without a name.
    let answer = server.send("GET", "/", "Authorization: Bearer wrong\r\n", "").await;
    assert_eq!((answer.status, answer.header("www-authenticate")), (401, "Bearer"));
}

#[tokio::test]
async fn a_live_stream_ends_with_the_session_or_token_that_opened_it() {
    for proof in ["Authorization: Bearer token-read\r\n".to_owned(), cookie("facility_manager")] {
        let server = Server::start().await;
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let request = format!("GET /live HTTP/1.1\r\nHost: {}\r\n{proof}\r\n", server.address);
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut seen = String::new();
        let mut chunk = [0; 4096];
        while !seen.contains("event: snapshot") {
            let read =
                tokio::time::timeout(LIMIT, stream.read(&mut chunk)).await.expect("an answer").unwrap();
            assert_ne!(read, 0, "{seen}");
            seen.push_str(&String::from_utf8_lossy(&chunk[..read]));
        }
        server.people.revoked.store(true, std::sync::atomic::Ordering::SeqCst);
        server.fake.set_power(0, Some(12_345.0), model::Instant::from_seconds(1_800_000_000));
        let mut rest = Vec::new();
        tokio::time::timeout(LIMIT, stream.read_to_end(&mut rest)).await.expect("the stream ends").unwrap();
        assert!(!String::from_utf8_lossy(&rest).contains("event: building"), "shown after its end");
    }
}

#[tokio::test]
async fn tokens_open_what_their_scope_says() {
    let server = Server::start().await;
    let with = |scope: &str| format!("Authorization: Bearer token-{scope}\r\nX-Forwarded-For: 10.0.0.9\r\n");
    for (path, opens) in [
        ("/api/v1/portfolio", &["read", "write"][..]),
        ("/accounts", &["write"]),
        ("/metrics", &["metrics"]),
        ("/account", &[]),
    ] {
        for scope in ["read", "write", "metrics", "grants", "calendar"] {
            let answer = server.send("GET", path, &with(scope), "").await;
            assert_eq!(
                answer.status == 200,
                opens.contains(&scope),
                "{path} with {scope}: {}",
                answer.status
            );
        }
    }
    for (token, opens) in [("token-calendar", true), ("token-read", false), ("x", false), ("", false)] {
        let answer = server.send("GET", &format!("/calendar.ics?token={token}"), "", "").await;
        assert_eq!(answer.status == 200, opens, "{token}");
        if opens {
            assert!(answer.body.contains("BEGIN:VEVENT"));
        }
    }
    let delivery = "/api/v1/grants/closed-projects";
    let headers = |scope: &str| format!("{}Content-Type: application/json\r\n", with(scope));
    assert_eq!(server.send("POST", delivery, &headers("grants"), "[]").await.status, 200);
    assert_eq!(server.send("POST", delivery, &headers("read"), "[]").await.status, 401);
}

#[tokio::test]
async fn lists_show_a_subject_their_own_projects() {
    let server = Server::start().await;
    for path in ["/", "/api/v1/portfolio", "/calendar.ics", "/api/v1/meters"] {
        let own = server.get(path, "data_entry-own").await;
        let all = server.get(path, "regional_officer").await;
        assert_eq!((own.status, all.status), (200, 200), "{path}");
        assert!(own.body.len() < all.body.len(), "{path} shows as much");
        if path != "/api/v1/meters" {
            assert!(!own.body.contains("ufficio-hostile") && all.body.contains("ufficio-hostile"), "{path}");
        }
    }
}

#[tokio::test]
async fn forms_of_people_reach_the_directory() {
    let server = Server::start().await;
    let added = server
        .form(
            "/accounts",
            "administrator",
            "account=rosa&name=Rosa&role_data_entry=scuola-gobetti&role_administrator=*",
        )
        .await;
    assert!(added.body.contains(&format!("http://{}/link/new-link", server.address)), "{}", added.body);
    let subject = "account=rosa&name=Rosa&role=data_entry&tax_code=";
    let answer = server.form("/projects/scuola-gobetti/subjects", "legal_representative-own", subject).await;
    assert_eq!(answer.status, 200);
    let elsewhere =
        server.form("/projects/ufficio-hostile/subjects", "legal_representative-own", subject).await;
    assert_eq!(elsewhere.status, 403);
    let set = "role=data_entry&enabled=no";
    let answer =
        server.form("/projects/scuola-gobetti/subjects/data_entry", "legal_representative-own", set).await;
    assert_eq!(answer.header("location"), "/projects/scuola-gobetti/subjects");
    let token =
        server.form("/tokens", "administrator", "label=x&account=a&scope=read&scope=metrics&days=30").await;
    assert!(token.body.contains("the-token"));
    let asked = server.asked();
    assert!(asked[0].starts_with("add_account rosa by administrator: [Held { role: DataEntry"), "{asked:?}");
    assert!(
        asked.contains(&"add_subject scuola-gobetti data_entry rosa by legal_representative-own".to_owned())
    );
    assert!(asked.contains(
        &"set_subject scuola-gobetti data_entry data_entry false by legal_representative-own".to_owned()
    ));
    assert!(asked.contains(&"new_token [Read, Metrics] 30".to_owned()));
    let out = server.form("/logout", "administrator", "").await;
    assert!(out.headers("set-cookie").iter().any(|c| c.starts_with("consuntivo=;")));
    assert!(server.asked().contains(&"sign_out administrator".to_owned()));
}

/// An account may be made before its project is: the role stays, and says so; what is there says nothing.
#[tokio::test]
async fn a_role_in_a_project_that_is_not_there_says_so() {
    let server = Server::start().await;
    let page = server.get("/accounts", "administrator").await.body;
    let lines: Vec<&str> = page.split("<li>").filter(|line| line.contains("non ancora presente")).collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    let (place, says) = lines[0].split_once("<span").unwrap();
    assert!(place.contains("asilo-nuovo scuola-gobetti"), "{place}");
    let says = says.split("</span>").next().unwrap();
    assert!(says.contains("asilo-nuovo") && !says.contains("scuola-gobetti"), "{says}");
}

#[tokio::test]
async fn a_refused_form_keeps_what_was_typed() {
    let server = Server::start().await;
    let role = "role_facility_manager=Not+An+Id%21";
    let refused = [
        ("/accounts", format!("account=rosa&name=Rosa+B&mail=r%40b.it&{role}"), &["Rosa B", "r@b.it"][..]),
        ("/accounts/regional_officer", role.to_owned(), &["Not An Id!"]),
        (
            "/tokens",
            "label=Server+room&account=rosa&scope=metrics&days=many".to_owned(),
            &["Server room", "many"],
        ),
    ];
    for (path, body, kept) in refused {
        let answer = server.form(path, "administrator", &body).await;
        assert_eq!(answer.status, 422, "{path}");
        for typed in kept {
            let there = answer.body.matches(&format!("value=\"{typed}\"")).count();
            assert_eq!(there, 1, "{path}: {typed:?} in\n{}", answer.body);
        }
    }
    let exchange = "what=exchange&at=2026-01-10+08%3A00&closing=1234%2C5&opening=0&reason=new+one";
    let answer = server.form("/meters/contatore-0/acts", "facility_manager", exchange).await;
    assert_eq!(answer.status, 422);
    for typed in ["2026-01-10 08:00", "1234,5", "new one"] {
        assert_eq!(answer.body.matches(&format!("value=\"{typed}\"")).count(), 1, "{typed}\n{}", answer.body);
    }
}

/// The numbers of the lines that a page of the audit log shows, first and last, and how many.
fn lines_of(body: &str) -> (i64, i64, usize) {
    let row = "<tr><th scope=\"row\">";
    let seqs: Vec<i64> =
        body.split(row).skip(1).filter_map(|rest| rest.split('<').next()?.parse().ok()).collect();
    (*seqs.first().unwrap(), *seqs.last().unwrap(), seqs.len())
}

#[tokio::test]
async fn the_audit_log_is_read_to_its_first_entry() {
    let server = Server::start().await;
    let link = |body: &str, rel: &str| -> Option<String> {
        let (before, _) = body.split_once(&format!("\" rel=\"{rel}\""))?;
        before.rsplit_once("href=\"").map(|(_, href)| href.to_owned())
    };
    let (mut path, mut shown) = ("/audit".to_owned(), Vec::new());
    loop {
        let page = server.get(&path, "administrator").await;
        assert_eq!(page.status, 200, "{path}");
        shown.push(lines_of(&page.body));
        assert_eq!(link(&page.body, "prev").is_some(), 1 < shown.len(), "{path}");
        let Some(older) = link(&page.body, "next") else { break };
        path = older;
    }
    assert_eq!(shown, [(AUDIT_LINES, 704, 500), (703, 204, 500), (203, 1, 203)]);
    // And back again, to the newest and no further.
    for (wanted, has_newer) in [((703, 204, 500), true), ((AUDIT_LINES, 704, 500), false)] {
        path = link(&server.get(&path, "administrator").await.body, "prev").unwrap();
        let page = server.get(&path, "administrator").await;
        assert_eq!(lines_of(&page.body), wanted, "{path}");
        assert_eq!(link(&page.body, "prev").is_some(), has_newer, "{path}");
    }
    let beyond = server.get("/audit?before=9999999", "administrator").await.body;
    assert_eq!((lines_of(&beyond).0, link(&beyond, "prev")), (AUDIT_LINES, None));
    let none = server.get("/audit?before=1", "administrator").await;
    assert!(none.status == 200 && link(&none.body, "prev").is_some() && link(&none.body, "next").is_none());
    assert_eq!(server.get("/audit?before=900", "regional_officer").await.status, 403);
    let api = server.get("/api/v1/audit?before=3", "administrator").await.body;
    let api: serde_json::Value = serde_json::from_str(&api).unwrap();
    assert_eq!((api[0]["seq"].as_i64(), api.as_array().map(Vec::len)), (Some(2), Some(2)));
}

#[tokio::test]
async fn a_link_is_used_by_its_form_and_never_by_looking() {
    let server = Server::start().await;
    let page = server.get(&format!("/link/{LINK}"), "").await;
    assert_eq!(
        (page.status, page.header("cache-control"), page.header("referrer-policy")),
        (200, "no-store", "same-origin")
    );
    assert_eq!(page.body.matches(LINK).count(), 1, "only the form repeats the link");
    let send =
        |password: &str, again: &str| format!("csrf={}&password={password}&again={again}", csrf("fresh"));
    let good = PASSWORD.replace(' ', "+");
    let post = async |body: String| {
        server.post(&format!("/link/{LINK}"), "Cookie: consuntivo-form=fresh\r\n", &body).await
    };
    assert_eq!(post(send(&good, "other")).await.status, 422);
    assert_eq!(post(send("short", "short")).await.status, 422);
    let answer = post(send(&good, &good)).await;
    assert_eq!((answer.status, answer.header("location")), (303, "/"));
    assert_eq!(server.get("/link/other", "").await.status, 404);
    assert_eq!(server.get("/first-run/other", "").await.status, 404);
}
