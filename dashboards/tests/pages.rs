//! Drives the router over a real socket, as a browser or an attacker would.
//!
//! Must never: sleep to synchronise, or use a fixed port.

#[path = "pages/access.rs"]
mod access;
#[path = "pages/api.rs"]
mod api;
#[path = "pages/desk.rs"]
mod desk;
mod support;
#[path = "pages/tls.rs"]
mod tls;

use std::io::Read as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dashboards::routes::{Hosts, Options, router};
use dashboards::serve::{CONNECTIONS_MAX, serve};
use support::people::People;
use support::{Fake, HOSTILE, REPORT_BODY, REPORT_NAME, texts};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

const LIMIT: Duration = Duration::from_secs(20);
const PAGES: [&str; 14] = [
    "/",
    "/projects/scuola-gobetti",
    "/projects/scuola-gobetti?year=2025",
    "/projects/ufficio-hostile",
    "/meters",
    "/findings",
    "/buildings",
    "/buildings/scuola-gobetti/scuola-gobetti-sede",
    "/buildings/scuola-gobetti/scuola-gobetti-sede?span=day&on=2026-03-09",
    "/buildings/scuola-gobetti/scuola-gobetti-sede?span=month&carrier=natural_gas",
    "/buildings/ufficio-hostile/ufficio-hostile-sede?span=year&on=rubbish",
    "/meters/contatore-0",
    "/meters/contatore-1",
    "/alarms",
];
/// Without the frame of the others, for everyone.
const KIOSK: &str = "/kiosk/scuola-gobetti/scuola-gobetti-sede";

struct Server {
    address: SocketAddr,
    fake: Arc<Fake>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<std::io::Result<()>>,
    _folder: tempfile::TempDir,
}

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

impl Server {
    async fn start() -> Self {
        Self::with(Options::default(), 64).await
    }

    async fn with(options: Options, updates_kept: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let reports = folder.path().join("reports");
        let fake = Fake::new(&reports, updates_kept);
        std::fs::write(folder.path().join("secret.txt"), "never-to-be-sent").unwrap();
        let app = router(Arc::<Fake>::clone(&fake), People::nobody(), options);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(serve(listener, app, None, stopped));
        Self { address, fake, stop: Some(stop), task, _folder: folder }
    }

    async fn send(&self, request: String) -> Answer {
        let exchange = async {
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut all = Vec::new();
            stream.read_to_end(&mut all).await.unwrap();
            let cut = all.windows(4).position(|w| w == b"\r\n\r\n").expect("an answer has a head");
            let head = String::from_utf8(all[..cut].to_vec()).unwrap();
            let status = head.split(' ').nth(1).unwrap().parse().unwrap();
            let body = all[cut + 4..].to_vec();
            Answer { status, head, body }
        };
        tokio::time::timeout(LIMIT, exchange).await.expect("the server answers")
    }

    async fn get_with(&self, path: &str, headers: &str) -> Answer {
        let host = self.address;
        self.send(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n")).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.get_with(path, "").await
    }

    /// Opens the live stream and returns it after its head.
    async fn follow(&self) -> BufReader<TcpStream> {
        self.follow_as("/live", "").await
    }

    async fn follow_as(&self, path: &str, headers: &str) -> BufReader<TcpStream> {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n", self.address);
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut stream = BufReader::new(stream);
        let head = lines_until(&mut stream, |line| line.is_empty()).await.join("\n");
        assert!(head.starts_with("HTTP/1.1 200") && head.contains("text/event-stream"), "{head}");
        stream
    }
}

async fn lines_until(stream: &mut BufReader<TcpStream>, found: impl Fn(&str) -> bool) -> Vec<String> {
    let mut lines = Vec::new();
    let read = async {
        loop {
            let mut line = String::new();
            assert_ne!(stream.read_line(&mut line).await.unwrap(), 0, "the stream ended after {lines:?}");
            let line = line.trim_end().to_owned();
            let end = found(&line);
            lines.push(line);
            if end {
                return;
            }
        }
    };
    tokio::time::timeout(LIMIT, read).await.expect("the line comes");
    lines
}

/// Texts of the catalogue never look like `page.some.key`.
fn visible_keys(page: &str) -> Vec<&str> {
    page.split(|c: char| c.is_whitespace() || "<>\"'=()".contains(c))
        .filter(|word| word.starts_with("page.") || word.starts_with("report.") || word.contains("{n}"))
        .collect()
}

#[tokio::test]
async fn every_page_is_there_in_both_languages_without_a_missing_text() {
    let server = Server::start().await;
    for path in PAGES {
        for (language, word) in [("it", "Portafoglio"), ("en", "Portfolio")] {
            let separator = if path.contains('?') { '&' } else { '?' };
            let answer = server.get(&format!("{path}{separator}lang={language}")).await;
            let page = answer.text();
            assert_eq!(answer.status, 200, "{path}: {page}");
            assert!(page.contains(&format!("<html lang=\"{language}\">")), "{path} is not in {language}");
            assert!(page.contains(word), "{path} lacks {word}");
            assert_eq!(visible_keys(&page), Vec::<&str>::new(), "{path} in {language}");
            assert_eq!(answer.header("content-language"), Some(language));
            assert!(answer.header("set-cookie").is_some_and(|c| c.starts_with(&format!("lang={language};"))));
        }
    }
}

#[tokio::test]
async fn the_language_comes_from_address_then_cookie_then_browser_then_installation() {
    let server = Server::start().await;
    let language = async |path: &str, headers: &str| {
        let answer = server.get_with(path, headers).await;
        answer.header("content-language").unwrap().to_owned()
    };
    assert_eq!(language("/", "").await, "it");
    assert_eq!(language("/", "Accept-Language: en-GB,en;q=0.9\r\n").await, "en");
    assert_eq!(language("/", "Accept-Language: en\r\nCookie: lang=it\r\n").await, "it");
    assert_eq!(language("/?lang=en", "Accept-Language: it\r\nCookie: lang=it\r\n").await, "en");
    assert_eq!(language("/?lang=xx", "").await, "it");
}

#[tokio::test]
async fn names_are_escaped_everywhere() {
    let server = Server::start().await;
    for path in PAGES {
        let page = server.get(path).await.text();
        assert!(!page.contains("<script>alert"), "{path} carries a foreign script");
        assert!(!page.contains("\" onmouseover"), "{path} lets an attribute out");
    }
    let page = server.get("/").await.text();
    assert!(page.contains("&#60;script&#62;"), "the name is shown, escaped: {HOSTILE}");
}

#[tokio::test]
async fn what_is_withheld_is_not_a_number_and_says_why() {
    let server = Server::start().await;
    let page = server.get("/projects/scuola-gobetti?year=2026").await.text();
    assert!(page.contains("<b>n.d.</b>"), "a withheld figure is n.d.");
    assert!(page.contains("non determinabile"));
    assert!(page.contains("21 of 28 days have data"), "the reason stands beside it");
    // 93 % of 180 MWh.
    assert!(page.contains("167,40") && page.contains("93,0"));
    let english = server.get("/projects/scuola-gobetti?year=2026&lang=en").await.text();
    assert!(english.contains("167.40"));
}

#[tokio::test]
async fn what_does_not_exist_is_a_page_too() {
    let server = Server::start().await;
    for path in [
        "/nothing",
        "/projects/unknown",
        "/projects/UPPER%20CASE",
        "/projects/scuola-gobetti?year=1999",
        "/projects/scuola-gobetti?year=%3Cscript%3E",
        "/reports/scuola-gobetti/2024/relazione-2025.pdf",
    ] {
        let answer = server.get(path).await;
        let page = answer.text();
        assert_eq!(answer.status, 404, "{path}");
        assert!(page.contains("Torna al portafoglio"), "{path}: {page}");
        assert!(!page.contains("<script>"), "{path} shows what was asked");
    }
    let answer = server.get("/api/v1/projects/unknown/years/2025").await;
    assert_eq!(answer.status, 404);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(server.get("/assets/consuntivo.css").await.status, 404);
}

#[tokio::test]
async fn the_display_is_for_everyone_only_where_it_is_enabled_and_names_nobody() {
    let server = Server::start().await;
    for language in ["it", "en"] {
        let answer = server.get(&format!("{KIOSK}?lang={language}")).await;
        let page = answer.text();
        assert_eq!(answer.status, 200, "{page}");
        assert!(page.contains("Scuola primaria Gobetti") && page.contains("118"), "{page}");
        assert!(!page.contains("Sindaco") && !page.contains("Comune di Prova (dimostrativo)"), "{page}");
        assert_eq!(visible_keys(&page), Vec::<&str>::new());
    }
    for other in ["/kiosk/ufficio-hostile/ufficio-hostile-sede", "/kiosk/none/none"] {
        assert_eq!(server.get(other).await.status, 404, "{other}");
        assert_eq!(server.get(&format!("{other}/live")).await.status, 404, "{other}/live");
    }
}

#[tokio::test]
async fn the_facility_managers_figures_are_json_too() {
    let server = Server::start().await;
    let json = async |path: &str| -> serde_json::Value {
        let answer = server.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        serde_json::from_slice(&answer.body).unwrap()
    };
    let all = json("/api/v1/buildings").await;
    assert_eq!(all[0]["today"][0]["measured"], 118.4);
    assert_eq!(all[0]["today"][1]["measured"], serde_json::Value::Null);
    assert_eq!(all[0]["live"]["meters"][0]["power_w"], 12_340.0);
    let place = "/api/v1/buildings/scuola-gobetti/scuola-gobetti-sede";
    let one = json(&format!("{place}?span=week")).await;
    assert_eq!(one["parts"].as_array().unwrap().len(), 7);
    assert_eq!(one["parts"][1]["measured"], serde_json::Value::Null);
    let carpet = one["carpet"].as_array().unwrap();
    assert!(carpet.iter().all(|day| day["hours"].as_array().unwrap().len() == 24) && 7 <= carpet.len());
    let values = || carpet.iter().flat_map(|day| day["hours"].as_array().unwrap());
    assert!(values().any(serde_json::Value::is_number), "{carpet:?}");
    assert!(values().any(serde_json::Value::is_null), "what was not measured is no 0");
    assert!(one["signature"]["week"][0]["outdoor_c"].is_number(), "{}", one["signature"]);
    let power = json(&format!("{place}/power")).await;
    assert_eq!(power["series"][0]["values"][2], serde_json::Value::Null);
    assert_eq!(power["at"].as_array().unwrap().len(), 6);
    assert_eq!(
        json(&format!("{place}/hours?carrier=natural_gas")).await["series"][0]["meter"],
        "natural_gas"
    );
    assert_eq!(json("/api/v1/meters/contatore-0").await["health"], "fresh");
    assert_eq!(json("/api/v1/alarms").await[0]["kind"], "silent");
    for path in ["/api/v1/meters/none", "/api/v1/buildings/none/none"] {
        assert_eq!(server.get(path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn a_meters_page_shows_which_value_lost() {
    let server = Server::start().await;
    let text = server.get("/meters/contatore-0").await.text();
    let (_, table) = text.split_once("<h2 id=\"aside\">").expect("values put aside have their table");
    let (table, _) = table.split_once("</section>").expect("the table ends");
    for wanted in ["128.345,600\u{a0}kWh", "128.345,999\u{a0}kWh", ">mqtt<"] {
        assert!(table.contains(wanted), "{wanted} is not in\n{table}");
    }
}

#[tokio::test]
async fn a_report_is_sent_whole_to_be_saved() {
    let server = Server::start().await;
    let answer = server.get(&format!("/reports/scuola-gobetti/2025/{REPORT_NAME}")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body, REPORT_BODY);
    assert_eq!(answer.header("content-type"), Some("application/pdf"));
    assert!(
        answer
            .header("content-disposition")
            .unwrap()
            .starts_with("attachment; filename=\"relazione-2025.pdf\"")
    );
    assert_eq!(answer.header("content-length"), Some(REPORT_BODY.len().to_string().as_str()));
}

#[tokio::test]
async fn no_address_leads_outside_the_reports() {
    let server = Server::start().await;
    for name in [
        "..%2fsecret.txt",
        "%2e%2e%2fsecret.txt",
        "..%5csecret.txt",
        "../secret.txt",
        "%2fetc%2fpasswd",
        "..",
        "%2e",
        ".hidden",
        "a%00b",
        "missing.pdf",
    ] {
        let answer = server.get(&format!("/reports/scuola-gobetti/2025/{name}")).await;
        assert!(matches!(answer.status, 404 | 500), "{name} gave {}", answer.status);
        assert!(!answer.text().contains("never-to-be-sent") && !answer.text().contains("root:"), "{name}");
    }
    let answer = server.get("/reports/..%2f..%2fx/2025/secret.txt").await;
    assert_eq!(answer.status, 404);
}

#[tokio::test]
async fn the_live_stream_begins_with_everything_and_goes_on_with_changes() {
    let server = Server::start().await;
    let mut stream = server.follow().await;
    let snapshot = lines_until(&mut stream, |line| line.starts_with("data:")).await.concat();
    assert!(snapshot.contains("snapshot") && snapshot.contains("\"power_w\":12340.0"), "{snapshot}");
    assert!(snapshot.contains("scuola-gobetti") && snapshot.contains("ufficio-hostile"));
    server.fake.set_power(0, Some(777.5), server.fake.now.lock().unwrap().plus_seconds(1));
    let update = lines_until(&mut stream, |line| line.contains("777.5")).await.concat();
    assert!(update.contains("event: building"), "{update}");
    server.fake.set_power(0, None, server.fake.now.lock().unwrap().plus_seconds(2));
    lines_until(&mut stream, |line| line.contains("\"power_w\":null")).await;
}

#[tokio::test]
async fn a_reader_that_fell_behind_is_given_the_whole_state() {
    let server = Server::with(Options::default(), 2).await;
    let mut stream = server.follow().await;
    lines_until(&mut stream, |line| line.starts_with("data:")).await;
    // One thread runs server and test: none of these is read before the last is sent.
    let now = *server.fake.now.lock().unwrap();
    for n in 0..50 {
        server.fake.set_power(1, Some(f64::from(n)), now.plus_seconds(n.into()));
    }
    let lines = lines_until(&mut stream, |line| line.contains("\"power_w\":49.0")).await;
    assert!(lines.iter().any(|line| line == "event: snapshot"), "{lines:?}");
}

#[tokio::test]
async fn streams_are_counted_and_given_back() {
    let server = Server::with(Options { live_streams_max: 1, ..Options::default() }, 64).await;
    let first = server.follow().await;
    let refused = server.get("/live").await;
    assert_eq!(refused.status, 503);
    assert!(refused.header("retry-after").is_some() && refused.text().contains("too many live streams"));
    assert_eq!(server.get("/").await.status, 200, "pages go on");
    drop(first);
    // The place comes back once the server notices that the reader has gone.
    let again = async {
        loop {
            server.fake.set_power(0, Some(1.0), *server.fake.now.lock().unwrap());
            let mut stream = TcpStream::connect(server.address).await.unwrap();
            let request = format!("GET /live HTTP/1.1\r\nHost: {}\r\n\r\n", server.address);
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut start = [0_u8; 12];
            stream.read_exact(&mut start).await.unwrap();
            if &start == b"HTTP/1.1 200" {
                return;
            }
        }
    };
    tokio::time::timeout(LIMIT, again).await.expect("the place comes back");
}

#[tokio::test]
async fn one_address_does_not_take_every_stream() {
    // A trusted proxy names its clients; this machine itself is not counted.
    let trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
    let options = Options { live_streams_of_address_max: 1, trusted_proxies, ..Options::default() };
    let (server, live) = (Server::with(options, 64).await, format!("{KIOSK}/live"));
    let first = server.follow_as(&live, "X-Forwarded-For: 198.51.100.7\r\n").await;
    let refused = server.get_with(&live, "X-Forwarded-For: 198.51.100.7\r\n").await;
    assert_eq!(refused.status, 429);
    assert!(refused.header("retry-after").is_some() && refused.text().contains("your address"));
    let other = server.follow_as(&live, "X-Forwarded-For: 198.51.100.8\r\n").await;
    let own = (server.follow_as(&live, "").await, server.follow_as(&live, "").await);
    drop((first, other, own));
}

#[tokio::test]
async fn more_readers_follow_at_the_same_time_than_there_were_places_once() {
    // As many as fit into the 1 024 files that a process may open where nobody raised that; each takes two here.
    let server = Server::with(Options::default(), 64).await;
    let mut all = Vec::new();
    for _ in 0..450 {
        all.push(server.follow().await);
    }
    let options = Options::default();
    assert!(1_000 < options.live_streams_max && options.live_streams_max < CONNECTIONS_MAX);
    assert_eq!(server.get("/").await.status, 200);
}

#[tokio::test]
async fn stopping_ends_open_streams_and_returns() {
    let mut server = Server::start().await;
    let mut stream = server.follow().await;
    lines_until(&mut stream, |line| line.starts_with("data:")).await;
    server.stop.take().unwrap().send(()).unwrap();
    let mut rest = Vec::new();
    tokio::time::timeout(LIMIT, stream.read_to_end(&mut rest)).await.expect("the stream ends").unwrap();
    tokio::time::timeout(LIMIT, server.task).await.expect("the server returns").unwrap().unwrap();
    assert!(TcpStream::connect(server.address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn every_answer_carries_the_strict_headers() {
    let server = Server::start().await;
    for path in ["/", "/meters", "/nothing", "/metrics", "/health", "/api/v1/portfolio"] {
        let answer = server.get(path).await;
        let policy = answer.header("content-security-policy").unwrap();
        assert!(
            policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("referrer-policy"), Some("same-origin"), "{path}");
        assert!(answer.header("cache-control").is_some(), "{path}");
    }
}

#[tokio::test]
async fn texts_are_packed_for_who_takes_it_and_streams_are_not() {
    let server = Server::start().await;
    for path in ["/", "/buildings", "/api/v1/portfolio", "/schema/structured-file-1.xsd"] {
        let (plain, packed) =
            (server.get(path).await, server.get_with(path, "Accept-Encoding: gzip, br\r\n").await);
        assert_eq!(plain.header("content-encoding"), None, "{path}");
        assert_eq!((packed.status, packed.header("content-encoding")), (200, Some("gzip")), "{path}");
        assert!(
            packed.head.to_ascii_lowercase().contains("vary: accept-encoding"),
            "{path}: {}",
            packed.head
        );
        assert!(
            packed.body.len() * 2 < plain.body.len(),
            "{path}: {} of {}",
            packed.body.len(),
            plain.body.len()
        );
        let mut text = String::new();
        flate2::read::GzDecoder::new(&packed.body[..]).read_to_string(&mut text).unwrap();
        assert_eq!(text, plain.text(), "{path}");
        // A foreign page's question with a cookie: its length must tell nothing.
        let foreign = "Accept-Encoding: gzip\r\nCookie: lang=it\r\nSec-Fetch-Site: cross-site\r\n";
        assert_eq!(server.get_with(path, foreign).await.header("content-encoding"), None, "{path}");
    }
    let report = format!("/reports/scuola-gobetti/2025/{REPORT_NAME}");
    assert_eq!(server.get_with(&report, "Accept-Encoding: gzip\r\n").await.body, REPORT_BODY);
    let mut stream = server.follow_as("/live", "Accept-Encoding: gzip\r\n").await;
    let snapshot = lines_until(&mut stream, |line| line.starts_with("data:")).await.concat();
    assert!(snapshot.contains("scuola-gobetti"), "a live stream is readable as it is");
}

#[tokio::test]
async fn the_energy_of_production_follows_the_span() {
    let server = Server::start().await;
    let page = server.get("/buildings/scuola-gobetti/scuola-gobetti-sede").await.text();
    let links = page.lines().filter(|line| line.contains("hx-target=\"#span\"")).collect::<String>();
    let of = |what: &str| links.matches(what).count();
    assert!(0 < of("hx-target=\"#span\""), "the span changes without the page");
    assert_eq!(of("hx-target=\"#span\""), of("hx-select-oob=\"#own-energy\""), "{links}");
    assert_eq!(page.matches("id=\"own-energy\"").count(), 1);
}

#[tokio::test]
async fn what_a_script_draws_is_a_table_of_the_page_too() {
    let server = Server::start().await;
    let page = server.get("/buildings/scuola-gobetti/scuola-gobetti-sede").await.text();
    let tables: Vec<&str> = page
        .split("<table class=\"plotted\">")
        .skip(1)
        .filter_map(|rest| rest.split("</table>").next())
        .collect();
    let [power, hours] = tables[..] else { panic!("{} tables for two drawings", tables.len()) };
    assert_eq!(power.matches("<th scope=\"row\">").count(), 2, "{power}");
    assert!(power.contains("11,00"), "the step that ends with the hour is of that hour: {power}");
    assert!(power.contains("12,25"), "the mean of the four steps that are known: {power}");
    assert_eq!(hours.matches("<th scope=\"row\">").count(), 14, "a row for each day: {hours}");
    assert_eq!(hours.matches("14,00").count() + hours.matches("3,00").count(), 14 * 24 - 1, "{hours}");
    assert_eq!(hours.matches("n.d.").count(), 1, "what was not measured is no 0: {hours}");
}

#[tokio::test]
async fn a_target_says_which_kpi_it_is_and_up_to_when_it_counts() {
    let page = Server::start().await.get("/buildings").await.text();
    assert!(page.contains("42,50 MWh nei mesi interi fino al 28/02/2026, su 180,00 MWh"), "{page}");
    assert!(page.contains("Mesi che restano: 10; servirebbero 13,75 MWh al mese."), "{page}");
    let line = page.lines().find(|line| line.contains("fino al 28/02/2026")).unwrap();
    let (before, _) = line.split_once("42,50 MWh").unwrap();
    assert!(before.ends_with(": "), "the KPI is named: {before}");
}

#[tokio::test]
async fn pages_keep_to_their_own_policy() {
    let server = Server::start().await;
    for path in PAGES {
        let page = server.get(path).await.text();
        for forbidden in
            ["style=", "<style", " onclick", "javascript:", "http://", "https://", "<form", "<input"]
        {
            // The namespace of inline SVG is a name, not an address.
            let page = page.replace("http://www.w3.org/", "").replace("&#34; onmouseover", "");
            assert!(!page.contains(forbidden), "{path} contains {forbidden}");
        }
    }
    let page = server.get("/").await.text();
    for name in ["/assets/style.", "/assets/app.", "/assets/theme.", "/assets/icon."] {
        let from = page.find(name).unwrap_or_else(|| panic!("the page asks for no {name}"));
        let path = &page[from..from + page[from..].find('"').unwrap()];
        let asset = server.get(path).await;
        assert_eq!(asset.status, 200, "{path}");
        assert!(asset.header("cache-control").unwrap().contains("immutable"));
    }
}

#[tokio::test]
async fn only_small_reading_requests_to_the_own_name_are_answered() {
    let server = Server::start().await;
    let host = server.address;
    let request =
        |head: &str, host: &str| format!("{head} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let own = host.to_string();
    for (sent, status) in [
        (request("POST /", &own), 405),
        (request("DELETE /projects/scuola-gobetti", &own), 405),
        (request("GET /", "evil.example"), 421),
        (request("GET /api/v1/portfolio", "localhost.evil.example:80"), 421),
        (request("GET /", &format!("localhost:{}", host.port())), 200),
        (request("HEAD /", &own), 200),
        (request(&format!("GET /{}", "a".repeat(3_000)), &own), 414),
        (
            format!("GET / HTTP/1.1\r\nHost: {own}\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"),
            413,
        ),
        (
            format!(
                "GET / HTTP/1.1\r\nHost: {own}\r\nConnection: close\r\nX: {}\r\n\r\n",
                "a".repeat(40_000)
            ),
            431,
        ),
    ] {
        let first_line = sent.lines().next().unwrap_or_default().chars().take(60).collect::<String>();
        assert_eq!(server.send(sent).await.status, status, "{first_line}");
    }
    let open = Server::with(Options { hosts: Hosts::Any, ..Options::default() }, 64).await;
    assert_eq!(open.send(request("GET /", "energia.comune.example")).await.status, 200);
}

#[tokio::test]
async fn the_api_says_null_for_what_is_not_known() {
    let server = Server::start().await;
    let json = async |path: &str| -> serde_json::Value {
        let answer = server.get(path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        serde_json::from_slice(&answer.body).unwrap()
    };
    let portfolio = json("/api/v1/portfolio").await;
    assert_eq!(portfolio["projects"][0]["id"], "scuola-gobetti");
    assert_eq!(portfolio["projects"][0]["next_due"]["days_left"], 21);
    assert_eq!(portfolio["buildings"][0]["power_w"], 12_340.0);
    let year = json("/api/v1/projects/scuola-gobetti/years/2026").await;
    assert_eq!(year["complete"], false);
    assert_eq!(year["coverage_ratio"], 0.976);
    assert!(year["kpis"][2]["achieved"].is_null());
    assert_eq!(year["kpis"][2]["verdict"], "undetermined");
    assert!(year["meters"][1]["months"][1]["avoided"].is_null());
    assert_eq!(year["meters"][0]["baseline"]["kind"], "fitted");
    let meters = json("/api/v1/meters").await;
    assert!(meters["meters"][2]["last_reading_at"].is_null());
    assert_eq!(meters["meters"][0]["values"][0]["unit"], "Wh");
    assert_eq!(meters["meters"][0]["losses"][0]["expected"], 267_840);
    assert_eq!(meters["meters"][0]["losses"][0]["month"], "2026-05");
    assert_eq!(meters["meters"][0]["losses"][0]["since"], "2026-05-01T06:05:00Z");
    for page in ["/meters", "/meters/contatore-0"] {
        let shown = server.get(page).await.text();
        assert!(shown.contains("05/2026, dal 01/05/2026 08:05"), "{page}: {shown}");
    }
    assert_eq!(json("/health").await["status"], "ok");
    let metrics = server.get("/metrics").await;
    assert_eq!(metrics.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    for version in [1, 2] {
        let schema = server.get(&format!("/schema/structured-file-{version}.schema.json")).await;
        assert_eq!(schema.header("content-type"), Some("application/schema+json"));
        let of: serde_json::Value = serde_json::from_slice(&schema.body).unwrap();
        assert_eq!(of["properties"]["schema_version"]["const"], version);
        let schema = server.get(&format!("/schema/structured-file-{version}.xsd")).await;
        assert_eq!(schema.header("content-type"), Some("application/xml"));
        let space = format!("targetNamespace=\"urn:consuntivo:structured-file:{version}\"");
        assert!(schema.text().contains(&space));
    }
}

/// Every key that templates and page code name stands in both languages, and the two have the same keys.
#[test]
fn no_text_is_missing_in_either_language() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut named = Vec::new();
    for folder in ["templates", "src/pages", "src/pages/access", "src/watch", "src/desk"] {
        let entries = std::fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path());
        for path in entries.filter(|path| path.is_file()) {
            let source = std::fs::read_to_string(path).unwrap();
            let source = source.split("#[cfg(test)]").next().unwrap_or_default().to_owned();
            let keys = source.split('"').filter(|word| {
                (word.starts_with("page.") || word.starts_with("alarm."))
                    && !word.ends_with(".html")
                    && word.bytes().all(|b| b.is_ascii_lowercase() || b"._".contains(&b))
            });
            named.extend(keys.map(str::to_owned));
        }
    }
    assert!(named.len() > 100, "only {} keys were found", named.len());
    let (it, en) = (texts("it"), texts("en"));
    for key in &named {
        for texts in [&it, &en] {
            // A key that is only a beginning (`page.verdict`) is completed at run time.
            let beginning = format!("{key}.");
            let there = texts.find(key).is_some() || texts.keys().any(|k| k.starts_with(&beginning));
            assert!(there, "{key} is missing in {}", texts.language());
        }
    }
    let keys = |texts: &analytics::text::Texts| -> Vec<String> {
        texts
            .keys()
            .filter(|k| k.starts_with("page.") || k.starts_with("alarm."))
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(keys(&it), keys(&en));
    for quantity in model::Quantity::ALL {
        assert!(it.find(&format!("page.quantity.{}", quantity.code())).is_some(), "{quantity} has no name");
    }
    for carrier in model::Carrier::ALL {
        assert!(it.find(&format!("page.carrier.{}", carrier.code())).is_some(), "{carrier} has no name");
    }
}
