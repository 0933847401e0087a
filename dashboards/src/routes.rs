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
    Caller, Connection, Directory, FORM_BYTES_MAX, Need, Right, Route, Row, assemble, get, post,
};
use crate::backend::Backend;
use crate::pages::{self, Site};
use crate::{api, assets, calendar, desk, downloads, grants, live, watch};

/// The longest path and query, in bytes.
pub const URI_BYTES_MAX: usize = 2048;
/// Time a page or file has to begin its answer.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Time a change has: a report is computed, set as PDF and put on disk before its submission is frozen.
pub const CHANGE_TIMEOUT: Duration = Duration::from_secs(60);

/// What a page may load: itself, from here, and nothing else.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
     font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

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
            live_streams_max: 512,
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
    use Need::{Always, Anywhere, Calendar, Delivery, InBuilding, InProject, Metrics, OfMeter, Public};
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
        get("/schema/structured-file-1.schema.json", Always, downloads::schema),
        get("/schema/structured-file-1.xsd", Always, downloads::schema_xml),
        get("/live", Anywhere(SeeProject), live::live),
        get("/api/v1/portfolio", Anywhere(SeeProject), api::portfolio),
        get("/api/v1/projects/{project}/years/{year}", InProject(SeeProject), api::project_year),
        get("/api/v1/meters", Anywhere(SeeProject), api::meters),
        get("/api/v1/meters/{meter}", OfMeter(SeeProject), watch::api::meter),
        get("/api/v1/buildings", Anywhere(SeeProject), watch::api::buildings),
        get("/api/v1/buildings/{project}/{building}", InBuilding(SeeProject), watch::api::building),
        get("/api/v1/buildings/{project}/{building}/power", InBuilding(SeeProject), watch::api::power),
        get("/api/v1/buildings/{project}/{building}/hours", InBuilding(SeeProject), watch::api::hours),
        get("/api/v1/alarms", Anywhere(SeeProject), watch::api::alarms),
        get("/api/v1/obligations", Anywhere(SeeProject), calendar::api),
        get("/calendar.ics", Calendar, calendar::feed),
        post("/api/v1/grants/closed-projects", Delivery, grants::BODY_BYTES_MAX, grants::closed_projects),
        get("/metrics", Metrics, downloads::metrics),
        get("/health", Always, api::health),
        get("/assets/{name}", Always, assets::asset),
    ];
    all.extend(desk::routes::table());
    all.extend(pages::access::routes());
    all
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
    let mut response = match refusal(&site.options, &request) {
        Some((status, says)) => {
            tracing::debug!(%status, method = %request.method(), "refused a request: {says}");
            (status, format!("{says}\n")).into_response()
        }
        None => match tokio::time::timeout(limit, next.run(request)).await {
            Ok(response) => response,
            Err(_) => {
                tracing::warn!("an answer took longer than {} s and was given up", limit.as_secs());
                (StatusCode::SERVICE_UNAVAILABLE, "the answer takes too long; try again later\n")
                    .into_response()
            }
        },
    };
    put_headers(response.headers_mut(), caller);
    response
}

fn refusal(options: &Options, request: &Request) -> Option<(StatusCode, &'static str)> {
    let headers = request.headers();
    let is_get = matches!(*request.method(), Method::GET | Method::HEAD);
    if !is_get && *request.method() != Method::POST {
        return Some((StatusCode::METHOD_NOT_ALLOWED, "only GET, HEAD and POST are answered here"));
    }
    let path_and_query_bytes = request.uri().path_and_query().map_or(0, |p| p.as_str().len());
    if path_and_query_bytes > URI_BYTES_MAX {
        return Some((StatusCode::URI_TOO_LONG, "the address is too long"));
    }
    let has_body = headers.contains_key(header::TRANSFER_ENCODING)
        || headers.get(header::CONTENT_LENGTH).is_some_and(|length| length.as_bytes() != b"0");
    if has_body && is_get {
        return Some((StatusCode::PAYLOAD_TOO_LARGE, "a request of this kind has no body"));
    }
    let host = request.uri().host().or_else(|| headers.get(header::HOST).and_then(|h| h.to_str().ok()));
    match host {
        None if options.hosts == Hosts::Any => None,
        None => Some((StatusCode::BAD_REQUEST, "the request names no host")),
        Some(host) if options.hosts.allows(host) => None,
        Some(_) => Some((
            StatusCode::MISDIRECTED_REQUEST,
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
