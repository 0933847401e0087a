//! In front of every route: who asks, whether that suffices, and whether a change of state comes from this site.
//!
//! Must never: let a request pass whose need it cannot judge, or tell a stranger whether something exists.

use std::sync::Arc;

use axum::extract::{RawPathParams, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use model::{BuildingId, MeterId, ProjectId};

use super::caller::Caller;
use super::role::Right;
use super::secret::Secret;
use super::table::{Need, Row, Verb};
use super::who::{TokenScope, Who};
use crate::desk::UPLOAD_BYTES_MAX;
use crate::downloads::encode;
use crate::openapi::fault_json;
use crate::pages::{Ask, Fault, Site, fault_page};

/// Stem of the cookie that holds a session's secret.
pub(crate) const SESSION_COOKIE: &str = "consuntivo";
/// Stem of the cookie that binds the form for signing in to the browser that asked for it.
pub(crate) const FORM_COOKIE: &str = "consuntivo-form";

/// One route's gate.
#[derive(Clone)]
pub(crate) struct Gate {
    pub(crate) site: Arc<Site>,
    pub(crate) row: Row,
}

/// Why a request does not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    /// Nobody has an account yet, and the server can be reached by others than this machine.
    NotSetUp,
    SignIn,
    Forbidden,
    /// A change of state that another site's page asks for.
    Foreign,
    Body,
}

/// Puts [`Who`] into the request, or refuses it.
pub(crate) async fn gate(
    State(Gate { site, row }): State<Gate>,
    params: Result<RawPathParams, axum::extract::rejection::RawPathParamsRejection>,
    mut request: Request,
    next: Next,
) -> Response {
    let caller = request.extensions().get::<Caller>().copied();
    let caller = caller.unwrap_or_else(|| Caller::of(None, request.headers(), &[]));
    let who = identify(&site, caller, row, request.headers(), request.uri());
    let refusal = match params {
        Ok(params) => judge(&site, row, caller, &who, &params, &request),
        // A path that is not UTF-8 names nothing here.
        Err(_) => Some(Refusal::Forbidden),
    };
    request.extensions_mut().insert(who);
    match refusal {
        None => next.run(request).await,
        Some(refusal) => refuse(&site, row, refusal, request),
    }
}

fn identify(site: &Site, caller: Caller, row: Row, headers: &HeaderMap, uri: &Uri) -> Who {
    let now = site.backend.now();
    let bearer = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
    if let Some(bearer) = bearer {
        let secret = bearer.strip_prefix("Bearer ").and_then(Secret::from_text);
        let known = secret.and_then(|secret| Some((site.directory.token(&secret, now)?, secret)));
        // A wrong token is not taken for a reader without a name: its sender wanted more than that.
        return known.map_or_else(
            || Who::nobody(false, None),
            |((person, scopes), secret)| Who::token(person, secret, scopes),
        );
    }
    if row.need == Need::Calendar
        && let Some(secret) = query_token(uri)
    {
        let known = site.directory.token(&secret, now);
        let known = known.filter(|(_, scopes)| scopes.contains(&TokenScope::Calendar));
        return known.map_or_else(
            || Who::nobody(false, None),
            |(person, _)| Who::token(person, secret, vec![TokenScope::Calendar]),
        );
    }
    if let Some(secret) = caller.cookie(headers, SESSION_COOKIE)
        && let Some(person) = site.directory.session(&secret, now)
    {
        return Who::session(person, secret);
    }
    let form = caller.cookie(headers, FORM_COOKIE);
    Who::nobody(caller.is_local && site.reading_is_open(), form.as_ref())
}

fn query_token(uri: &Uri) -> Option<Secret> {
    uri.query()?.split('&').find_map(|pair| pair.strip_prefix("token=")).and_then(Secret::from_text)
}

fn judge(
    site: &Site,
    row: Row,
    caller: Caller,
    who: &Who,
    params: &RawPathParams,
    request: &Request,
) -> Option<Refusal> {
    if row.need == Need::Always {
        return refuse_change(site, row, caller, who, request);
    }
    if site.options.is_exposed && !site.directory.has_accounts() {
        return Some(Refusal::NotSetUp);
    }
    if !suffices(site, row.need, caller, who, params) {
        let known = who.person().is_some();
        return Some(if known { Refusal::Forbidden } else { Refusal::SignIn });
    }
    refuse_change(site, row, caller, who, request)
}

fn suffices(site: &Site, need: Need, caller: Caller, who: &Who, params: &RawPathParams) -> bool {
    let of = |name: &str| params.iter().find(|(key, _)| *key == name).map(|(_, value)| value);
    let project = || of("project").and_then(|text| ProjectId::new(text).ok());
    match need {
        Need::Always | Need::Public | Need::Delivery => true,
        Need::SignedIn => who.is_signed_in(),
        Need::Anywhere(right) => who.may(right, None),
        Need::InProject(right) => project().map_or_else(
            // No such name can be: only who sees everything is told so.
            || who.may_everywhere(right),
            |project| who.may(right, Some(&project)),
        ),
        Need::InBuilding(right) => {
            let building = of("building").and_then(|text| BuildingId::new(text).ok());
            match project().zip(building) {
                Some((project, building)) => who.may_in(right, &project, &building),
                None => who.may_everywhere(right),
            }
        }
        Need::OfMeter(right) => {
            let meter = of("meter").and_then(|text| MeterId::new(text).ok());
            match meter.and_then(|meter| site.backend.place_of_meter(&meter)) {
                Some((project, building)) => who.may_in(right, &project, &building),
                None => who.may_everywhere(right),
            }
        }
        Need::Metrics => caller.is_local || who.has_token_for(TokenScope::Metrics),
        Need::Calendar => who.may(Right::SeeProject, None) || who.has_token_for(TokenScope::Calendar),
    }
}

/// A change of state comes from this site's own pages, or from a program with a token; and has a body of the size
/// that its route takes.
fn refuse_change(site: &Site, row: Row, caller: Caller, who: &Who, request: &Request) -> Option<Refusal> {
    let headers = request.headers();
    let length = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok());
    let length: Option<usize> = length.and_then(|text| text.parse().ok());
    if length.is_some_and(|length| row.body_bytes_max < length) {
        return Some(Refusal::Body);
    }
    if row.verb == Verb::Get || who.is_program() || row.need == Need::Delivery {
        return None;
    }
    let says = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let foreign = match (says("sec-fetch-site"), says("origin")) {
        (Some(site), _) if site != "same-origin" => true,
        (_, Some(origin)) => {
            // A proxy may ask for another host than its readers do.
            let is_public = site.options.public_origin.as_deref() == Some(origin);
            !is_public && !is_own_origin(origin, caller, request)
        }
        // Neither: no browser of today. The form's field still has to be right.
        (Some(_) | None, None) => false,
    };
    foreign.then_some(Refusal::Foreign)
}

fn is_own_origin(origin: &str, caller: Caller, request: &Request) -> bool {
    let host = request.uri().host().map(|_| request.uri().authority().map_or("", |a| a.as_str()));
    let host = host.or_else(|| request.headers().get(header::HOST).and_then(|h| h.to_str().ok()));
    let scheme = if caller.is_secure { "https" } else { "http" };
    host.is_some_and(|host| origin.eq_ignore_ascii_case(&format!("{scheme}://{host}")))
}

fn refuse(site: &Arc<Site>, row: Row, refusal: Refusal, request: Request) -> Response {
    let fault = match refusal {
        Refusal::NotSetUp => Fault::NotSetUp,
        Refusal::SignIn => Fault::SignIn,
        Refusal::Forbidden => Fault::Forbidden,
        Refusal::Foreign => Fault::ForeignForm,
        Refusal::Body => Fault::BodyTooLong(format!("more than {} bytes", row.body_bytes_max)),
    };
    let (parts, _) = request.into_parts();
    let is_page = !row.path.starts_with("/api/") && accepts_pages(&parts.headers);
    // A person who sent a file is told how large one may be.
    let fault = match fault {
        Fault::BodyTooLong(says) if is_page && row.body_bytes_max == UPLOAD_BYTES_MAX => {
            Fault::FileTooLong(says)
        }
        other => other,
    };
    if !is_page {
        let mut response = fault_json(&fault);
        if refusal == Refusal::SignIn {
            let challenge = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        return response;
    }
    tracing::debug!(path = row.path, "refused a request: {fault}");
    if refusal == Refusal::SignIn && row.verb == Verb::Get {
        let next = parts.uri.path_and_query().map_or("/", |p| p.as_str());
        let to = format!("/login?next={}", encode(next));
        let location = HeaderValue::from_str(&to).unwrap_or(HeaderValue::from_static("/login"));
        let headers =
            [(header::LOCATION, location), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
        return (StatusCode::SEE_OTHER, headers).into_response();
    }
    fault_page(site, &Ask::of(&parts, site), &fault)
}

fn accepts_pages(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains("text/html"))
}

/// Where to go after signing in: a path of this site, or its first page for anything else.
pub(crate) fn safe_next(next: &str) -> &str {
    let inside = next.starts_with('/') && !next.starts_with("//");
    let plain = next.bytes().all(|b| b.is_ascii_graphic() && b != b'\\' && b != b'"' && b != b'<');
    if inside && plain { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_signing_in_nobody_is_sent_elsewhere() {
        for own in ["/", "/projects/a?year=2025", "/meters#x"] {
            assert_eq!(safe_next(own), own);
        }
        for foreign in [
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            "",
            "evil",
            "/a\r\nSet-Cookie: x=y",
            "/\t/evil.example",
            "/ /evil.example",
        ] {
            assert_eq!(safe_next(foreign), "/", "{foreign:?}");
        }
    }
}
