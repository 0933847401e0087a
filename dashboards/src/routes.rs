//! The table of routes, and the rules that hold for all of them: only GET, small requests, a known host,
//! strict headers.
//!
//! Must never: offer a change of state but to the grants system's deliveries, or name a host other than its own in a
//! page's permissions.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use crate::backend::Backend;
use crate::pages::{self, Site};
use crate::{api, assets, calendar, downloads, grants, live, watch};

/// The longest path and query, in bytes.
pub const URI_BYTES_MAX: usize = 2048;
/// Time a page or file has to begin its answer.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// What a page may load: itself, from here, and nothing else.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
     font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Which `Host` a request may name. A page of a foreign site can make its own name point at 127.0.0.1 and read
/// the answers (DNS rebinding); the name it then asks for gives it away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hosts {
    /// `localhost`, `127.0.0.1` and `[::1]`, with any port.
    Loopback,
    /// Any: the server listens on a network, under names it cannot know.
    Any,
}

impl Hosts {
    /// What fits an address to listen on.
    #[must_use]
    pub fn for_address(address: SocketAddr) -> Self {
        if address.ip().is_loopback() { Self::Loopback } else { Self::Any }
    }

    fn allows(self, host: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Loopback => {
                let name = match host.rsplit_once(':') {
                    Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
                    _ => host,
                };
                ["localhost", "127.0.0.1", "[::1]"].iter().any(|own| name.eq_ignore_ascii_case(own))
            }
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
}

impl Default for Options {
    fn default() -> Self {
        Self { hosts: Hosts::Loopback, live_streams_max: 512, renders_max: 8 }
    }
}

/// All pages, files, streams and the API.
pub fn router(backend: Arc<dyn Backend>, options: Options) -> Router {
    let site = Arc::new(Site::new(backend, options));
    Router::new()
        .route("/", get(pages::portfolio::page))
        .route("/projects/{id}", get(pages::project::page))
        .route("/meters", get(pages::meters::page))
        .route("/meters/{id}", get(watch::meter::page))
        .route("/buildings", get(watch::overview::page))
        .route("/buildings/{project}/{building}", get(watch::building::page))
        .route("/alarms", get(watch::alarms::page))
        .route("/kiosk/{project}/{building}", get(watch::kiosk::page))
        .route("/kiosk/{project}/{building}/live", get(live::of_kiosk))
        .route("/findings", get(pages::findings::page))
        .route("/reports/{project}/{year}/{name}", get(downloads::report))
        .route("/schema/structured-file-1.schema.json", get(downloads::schema))
        .route("/schema/structured-file-1.xsd", get(downloads::schema_xml))
        .route("/live", get(live::live))
        .route("/api/v1/portfolio", get(api::portfolio))
        .route("/api/v1/projects/{id}/years/{year}", get(api::project_year))
        .route("/api/v1/meters", get(api::meters))
        .route("/api/v1/meters/{id}", get(watch::api::meter))
        .route("/api/v1/buildings", get(watch::api::buildings))
        .route("/api/v1/buildings/{project}/{building}", get(watch::api::building))
        .route("/api/v1/buildings/{project}/{building}/power", get(watch::api::power))
        .route("/api/v1/buildings/{project}/{building}/hours", get(watch::api::hours))
        .route("/api/v1/alarms", get(watch::api::alarms))
        .route("/api/v1/obligations", get(calendar::api))
        .route("/calendar.ics", get(calendar::feed))
        .route(
            grants::CLOSED_PROJECTS,
            post(grants::closed_projects).layer(DefaultBodyLimit::max(grants::BODY_BYTES_MAX)),
        )
        .route("/metrics", get(downloads::metrics))
        .route("/health", get(api::health))
        .route("/assets/{name}", get(assets::asset))
        .fallback(pages::no_page)
        .layer(middleware::from_fn_with_state(Arc::clone(&site), guard))
        .with_state(site)
}

/// Refuses what no page needs, bounds the time of an answer, and puts the headers that every answer carries.
async fn guard(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let mut response = match refusal(&site.options, &request) {
        Some((status, says)) => {
            tracing::debug!(%status, method = %request.method(), "refused a request: {says}");
            (status, format!("{says}\n")).into_response()
        }
        None => match tokio::time::timeout(ANSWER_TIMEOUT, next.run(request)).await {
            Ok(response) => response,
            Err(_) => {
                tracing::warn!("an answer took longer than {} s and was given up", ANSWER_TIMEOUT.as_secs());
                (StatusCode::SERVICE_UNAVAILABLE, "the answer takes too long; try again later\n")
                    .into_response()
            }
        },
    };
    put_headers(response.headers_mut());
    response
}

fn refusal(options: &Options, request: &Request) -> Option<(StatusCode, &'static str)> {
    let headers = request.headers();
    // The one delivery is guarded by its token; its body is bounded by its route.
    let is_delivery = *request.method() == Method::POST && request.uri().path() == grants::CLOSED_PROJECTS;
    if !is_delivery && !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Some((StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are answered here"));
    }
    let path_and_query_bytes = request.uri().path_and_query().map_or(0, |p| p.as_str().len());
    if path_and_query_bytes > URI_BYTES_MAX {
        return Some((StatusCode::URI_TOO_LONG, "the address is too long"));
    }
    let has_body = headers.contains_key(header::TRANSFER_ENCODING)
        || headers.get(header::CONTENT_LENGTH).is_some_and(|length| length.as_bytes() != b"0");
    if has_body && !is_delivery {
        return Some((StatusCode::PAYLOAD_TOO_LARGE, "a request here has no body"));
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

fn put_headers(headers: &mut HeaderMap) {
    let fixed: [(HeaderName, &'static str); 6] = [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
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
    }

    #[test]
    fn the_address_decides() {
        assert_eq!(Hosts::for_address(([127, 0, 0, 1], 1).into()), Hosts::Loopback);
        assert_eq!(Hosts::for_address(([0, 0, 0, 0], 1).into()), Hosts::Any);
    }
}
