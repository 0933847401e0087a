//! The table of routes, each with what it needs, and the rules that hold for all of them: small requests, a known host,
//! strict headers.
//!
//! Must never: serve a route that is not in the table, or name a host other than its own in a page's permissions.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};

use crate::access::{
    Caller, Connection, Directory, FORM_BYTES_MAX, Need, Right, Route, Row, assemble, get, post, read, write,
};
use crate::backend::Backend;
use crate::openapi::Operation;
use crate::packed::{Wish, pack};
use crate::pages::{self, Site};
use crate::{api, assets, calendar, desk, downloads, grants, live, openapi, watch};

/// The longest path and query, in bytes.
pub const URI_BYTES_MAX: usize = 2048;
/// Time a page or file has to begin its answer.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Time a change has: a report is computed, set as PDF and put on disk before its submission is frozen.
pub const CHANGE_TIMEOUT: Duration = Duration::from_secs(60);

/// What a page may load: itself, from here, and nothing else.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
     font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const WRONG_METHOD: &str = "this address does not answer that method; GET, HEAD and POST are used here";

/// Two years, this host alone: what else the domain has is not ours to bind (RFC 6797).
const TRANSPORT_SECURITY: &str = "max-age=63072000";

/// Which `Host` a request may name. A page of a foreign site can make its own name point at 127.0.0.1 and read
/// the answers (DNS rebinding); the name it then asks for gives it away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hosts {
    /// `localhost`, `127.0.0.1` and `[::1]`, with any port.
    Loopback,
    /// The same and one name, as the settings state the site's own address: a proxy on this machine stands in front.
    Public(String),
    /// Any: the server listens on a network, under names it cannot know.
    Any,
}

impl Hosts {
    /// What fits an address to listen on.
    #[must_use]
    pub fn for_address(address: SocketAddr) -> Self {
        if address.ip().is_loopback() { Self::Loopback } else { Self::Any }
    }

    fn allows(&self, host: &str) -> bool {
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
            _ => host,
        };
        let is_own = || ["localhost", "127.0.0.1", "[::1]"].iter().any(|own| name.eq_ignore_ascii_case(own));
        match self {
            Self::Any => true,
            Self::Loopback => is_own(),
            Self::Public(public) => name.eq_ignore_ascii_case(public) || is_own(),
        }
    }
}

/// Settings of the router.
#[derive(Debug, Clone)]
pub struct Options {
    pub hosts: Hosts,
    /// Live streams open at the same time; one more is answered 503.
    pub live_streams_max: usize,
    /// Of these, streams of one address other than this machine.
    pub live_streams_of_address_max: usize,
    /// Pages rendered at the same time; further ones wait their turn, at most [`ANSWER_TIMEOUT`].
    pub renders_max: usize,
    /// Others than this machine can reach the server, directly or by a proxy. Then nothing is shown to readers without
    /// a name, and nothing works but the first sign-in link until there is an account.
    pub is_exposed: bool,
    /// Readers on this machine need no name although there are accounts.
    pub anonymous_reading: bool,
    /// The site's own address as others reach it, `https://energia.example`, where the settings state it.
    pub public_origin: Option<String>,
    /// Peers whose word about their client is taken.
    pub trusted_proxies: Vec<IpAddr>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            hosts: Hosts::Loopback,
            live_streams_max: 2_048,
            live_streams_of_address_max: 512,
            renders_max: 8,
            is_exposed: false,
            anonymous_reading: false,
            public_origin: None,
            trusted_proxies: Vec::new(),
        }
    }
}

/// Every route with what it needs; [`router`] serves exactly these.
fn table() -> Vec<Route> {
    use Need::{Always, Anywhere, Calendar, InBuilding, InProject, Metrics, OfMeter, Public};
    use Right::{AcknowledgeAlarms, DecideReadings, SeeInstallation, SeeProject};
    let mut all = vec![
        get("/", Anywhere(SeeProject), pages::portfolio::page),
        get("/projects/{project}", InProject(SeeProject), pages::project::page),
        get("/buildings", Anywhere(SeeProject), watch::overview::page),
        get("/buildings/{project}/{building}", InBuilding(SeeProject), watch::building::page),
        get("/meters", Anywhere(SeeProject), pages::meters::page),
        get("/meters/{meter}", OfMeter(SeeProject), watch::meter::page),
        post("/meters/{meter}/acts", OfMeter(DecideReadings), FORM_BYTES_MAX, watch::meter::say),
        get("/alarms", Anywhere(SeeProject), watch::alarms::page),
        post(
            "/alarms/{alarm}/acknowledge",
            Anywhere(AcknowledgeAlarms),
            FORM_BYTES_MAX,
            watch::alarms::acknowledge,
        ),
        get("/kiosk/{project}/{building}", Public, watch::kiosk::page),
        get("/kiosk/{project}/{building}/live", Public, live::of_kiosk),
        get("/findings", Anywhere(SeeInstallation), pages::findings::page),
        get("/reports/{project}/{year}/{name}", InProject(SeeProject), downloads::report),
        get("/schema/structured-file-1.schema.json", Always, downloads::schema_1),
        get("/schema/structured-file-1.xsd", Always, downloads::schema_xml_1),
        get("/schema/structured-file-2.schema.json", Always, downloads::schema),
        get("/schema/structured-file-2.xsd", Always, downloads::schema_xml),
        get("/live", Anywhere(SeeProject), live::live),
        get("/calendar.ics", Calendar, calendar::feed),
        get("/metrics", Metrics, downloads::metrics),
        get("/health", Always, api::health),
        get("/assets/{name}", Always, assets::asset),
    ];
    all.extend(openapi::routes());
    all.extend(of_programs());
    all.extend(desk::routes::table());
    all.extend(pages::access::routes());
    all
}

/// What the pages above show and do, for programs.
fn of_programs() -> Vec<Route> {
    use Need::{Anywhere, Delivery, InBuilding, InProject, OfMeter};
    use Right::{AcknowledgeAlarms, DecideReadings, SeeInstallation, SeeProject};
    let (all, building) = (Anywhere(SeeProject), InBuilding(SeeProject));
    let form = FORM_BYTES_MAX;
    vec![
        read("portfolio", "/api/v1/portfolio", all, api::portfolio),
        read("project", "/api/v1/projects/{project}", InProject(SeeProject), api::project),
        read(
            "project_year",
            "/api/v1/projects/{project}/years/{year}",
            InProject(SeeProject),
            api::project_year,
        ),
        read("findings", "/api/v1/findings", Anywhere(SeeInstallation), api::findings),
        read("meters", "/api/v1/meters", all, api::meters),
        read("meter", "/api/v1/meters/{meter}", OfMeter(SeeProject), watch::api_meter::meter),
        write(
            "say_of_meter",
            ("/api/v1/meters/{meter}/acts", OfMeter(DecideReadings), form),
            watch::api_meter::say,
        ),
        read("buildings", "/api/v1/buildings", all, watch::api::buildings),
        read("building", "/api/v1/buildings/{project}/{building}", building, watch::api::building),
        read("power", "/api/v1/buildings/{project}/{building}/power", building, watch::api::power),
        read("hours", "/api/v1/buildings/{project}/{building}/hours", building, watch::api::hours),
        read("alarms", "/api/v1/alarms", all, watch::api::alarms),
        write(
            "acknowledge_alarm",
            ("/api/v1/alarms/{alarm}/acknowledge", Anywhere(AcknowledgeAlarms), form),
            watch::api::acknowledge,
        ),
        read("obligations", "/api/v1/obligations", all, calendar::api),
        write(
            "deliver_closed_projects",
            ("/api/v1/grants/closed-projects", Delivery, grants::BODY_BYTES_MAX),
            grants::closed_projects,
        ),
    ]
}

/// The API's part of the table, with what each route says of itself.
pub(crate) fn operations() -> Vec<(Row, Operation)> {
    table().into_iter().filter_map(|route| Some((route.row, route.operation?))).collect()
}

/// The table of routes: what each is, and what it needs.
#[must_use]
pub fn rows() -> Vec<Row> {
    table().iter().map(|route| route.row).collect()
}

/// All pages, files, streams and the API.
pub fn router(backend: Arc<dyn Backend>, directory: Arc<dyn Directory>, options: Options) -> Router {
    let site = Arc::new(Site::new(backend, directory, options));
    assemble(table(), &site)
        .fallback(pages::no_page)
        .layer(middleware::from_fn_with_state(Arc::clone(&site), guard))
        .with_state(site)
}

/// Refuses what no page needs, bounds the time of an answer, and puts the headers that every answer carries.
async fn guard(State(site): State<Arc<Site>>, mut request: Request, next: Next) -> Response {
    let connection = request.extensions().get::<Connection>().copied();
    let caller = Caller::of(connection, request.headers(), &site.options.trusted_proxies);
    request.extensions_mut().insert(caller);
    let limit = if *request.method() == Method::POST { CHANGE_TIMEOUT } else { ANSWER_TIMEOUT };
    let of_api = request.uri().path().starts_with(openapi::ROOT);
    let wish = Wish::of(request.headers());
    let mut response = match refusal(&site.options, &request) {
        Some((status, code, says)) => {
            tracing::debug!(%status, method = %request.method(), "refused a request: {says}");
            refused(of_api, status, code, says)
        }
        None => match tokio::time::timeout(limit, next.run(request)).await {
            // The router's own refusal has no body.
            Ok(response) if of_api && response.status() == StatusCode::METHOD_NOT_ALLOWED => {
                let allow = response.headers().get(header::ALLOW).cloned();
                let mut said = refused(of_api, response.status(), "method", WRONG_METHOD);
                said.headers_mut().extend(allow.map(|allow| (header::ALLOW, allow)));
                said
            }
            Ok(response) => response,
            Err(_) => {
                tracing::warn!("an answer took longer than {} s and was given up", limit.as_secs());
                let status = StatusCode::SERVICE_UNAVAILABLE;
                refused(of_api, status, "busy", "the answer takes too long; try again later")
            }
        },
    };
    put_headers(response.headers_mut(), caller);
    pack(wish, response).await
}

/// A refusal before any route: as JSON where a program asked.
fn refused(of_api: bool, status: StatusCode, code: &'static str, says: &'static str) -> Response {
    let mut response = if of_api {
        openapi::refused_json(status, code, says)
    } else {
        (status, format!("{says}\n")).into_response()
    };
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET,HEAD,POST"));
    }
    response
}

fn refusal(options: &Options, request: &Request) -> Option<(StatusCode, &'static str, &'static str)> {
    let headers = request.headers();
    let is_get = matches!(*request.method(), Method::GET | Method::HEAD);
    if !is_get && *request.method() != Method::POST {
        return Some((StatusCode::METHOD_NOT_ALLOWED, "method", WRONG_METHOD));
    }
    let path_and_query_bytes = request.uri().path_and_query().map_or(0, |p| p.as_str().len());
    if path_and_query_bytes > URI_BYTES_MAX {
        return Some((StatusCode::URI_TOO_LONG, "uri_too_long", "the address is too long"));
    }
    let has_body = headers.contains_key(header::TRANSFER_ENCODING)
        || headers.get(header::CONTENT_LENGTH).is_some_and(|length| length.as_bytes() != b"0");
    if has_body && is_get {
        return Some((StatusCode::PAYLOAD_TOO_LARGE, "body_too_long", "a request of this kind has no body"));
    }
    let host = request.uri().host().or_else(|| headers.get(header::HOST).and_then(|h| h.to_str().ok()));
    match host {
        None if options.hosts == Hosts::Any => None,
        None => Some((StatusCode::BAD_REQUEST, "no_host", "the request names no host")),
        Some(host) if options.hosts.allows(host) => None,
        Some(_) => Some((
            StatusCode::MISDIRECTED_REQUEST,
            "host",
            "this server answers to localhost and 127.0.0.1 only; open it under one of these names",
        )),
    }
}

fn put_headers(headers: &mut HeaderMap, caller: Caller) {
    let fixed: [(HeaderName, &'static str); 6] = [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // Not `no-referrer`: browsers then send `Origin: null` with this site's own forms, and the gate refuses them.
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if caller.is_secure {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(TRANSPORT_SECURITY));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_answers_to_its_own_names_only() {
        for own in ["localhost", "localhost:8480", "127.0.0.1:1", "[::1]:8480", "[::1]", "LOCALHOST:80"] {
            assert!(Hosts::Loopback.allows(own), "{own} was refused");
        }
        for foreign in
            ["evil.example", "evil.example:8480", "localhost.evil.example", "127.0.0.1.nip.io", "", "::1"]
        {
            assert!(!Hosts::Loopback.allows(foreign), "{foreign} was allowed");
        }
        assert!(Hosts::Any.allows("anything"));
        let public = Hosts::Public("energia.example".to_owned());
        assert!(public.allows("energia.example:443") && public.allows("127.0.0.1:8480"));
        assert!(!public.allows("x.energia.example"));
    }

    #[test]
    fn the_address_decides() {
        assert_eq!(Hosts::for_address(([127, 0, 0, 1], 1).into()), Hosts::Loopback);
        assert_eq!(Hosts::for_address(([0, 0, 0, 0], 1).into()), Hosts::Any);
    }
}
