//! `/login` and `/logout`.
//!
//! Must never: say whether an account exists, or go on to another site.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;

use super::{Outcome, page as answer, put_cookie, see_other, signed_in, status_of};
use crate::access::{Caller, Checked, FORM_COOKIE, Refused, SESSION_COOKIE, Secret, SignIn, Who, csrf_of, safe_next};
use crate::pages::{Ask, Fault, Frame, Site, Words, fault_page};

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage<'a> {
    t: &'a Words,
    frame: Frame,
    outcome: Outcome,
    account: String,
    next: String,
    /// What the button of the login provider says; empty without one.
    provider: String,
    provider_address: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    next: Option<String>,
}

/// `GET /login?next=`.
pub(super) async fn page(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Query(wanted): Query<Wanted>,
    headers: HeaderMap,
    ask: Ask,
) -> Response {
    let next = safe_next(wanted.next.as_deref().unwrap_or("/")).to_owned();
    if ask.who.is_signed_in() {
        return see_other(&next);
    }
    show(&site, caller, &headers, &ask, Outcome::default(), String::new(), next)
}

/// The form, bound to this browser by a cookie of its own.
fn show(
    site: &Arc<Site>,
    caller: Caller,
    headers: &HeaderMap,
    ask: &Ask,
    outcome: Outcome,
    account: String,
    next: String,
) -> Response {
    let known = caller.cookie(headers, FORM_COOKIE);
    let Some(form) = known.clone().or_else(|| site.directory.fresh_secret()) else {
        return fault_page(site, ask, &Fault::Panicked("the machine has no random numbers".to_owned()));
    };
    let t = &ask.words;
    let mut frame = Frame::new(site, ask, t.get("page.access.sign_in.title"), "");
    frame.csrf = csrf_of(&form);
    let status = status_of(&outcome);
    let template = LoginPage {
        t,
        frame,
        outcome,
        account,
        provider: site.directory.provider().unwrap_or_default(),
        provider_address: format!("/login/provider?next={}", crate::downloads::encode(&next)),
        next,
    };
    let mut response = answer(site, ask, status, &template);
    if known.is_none() {
        put_cookie(response.headers_mut(), caller, FORM_COOKIE, Some(&form));
    }
    response
}

#[derive(Deserialize)]
pub(super) struct LoginForm {
    account: String,
    password: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    next: String,
}

/// `POST /login`.
pub(super) async fn submit(
    State(site): State<Arc<Site>>,
    caller: Caller,
    headers: HeaderMap,
    ask: Ask,
    Checked(form): Checked<LoginForm>,
) -> Response {
    let attempt = SignIn {
        account: form.account.clone(),
        password: form.password,
        code: form.code,
        address: caller.address,
    };
    let next = safe_next(&form.next).to_owned();
    match super::ask(&site, move |directory| directory.sign_in(&attempt)).await {
        Ok(secret) => {
            // A session that this browser had before is not left open behind the new one.
            if let Some(old) = ask.who.session_secret().cloned() {
                end(&site, old).await;
            }
            signed_in(caller, &secret, &next)
        }
        Err(refused) => {
            let outcome = Outcome::refused(&ask.words, refused);
            show(&site, caller, &headers, &ask, outcome, form.account, next)
        }
    }
}

async fn end(site: &Arc<Site>, secret: Secret) {
    let ended = super::ask(site, move |directory| {
        directory.sign_out(&secret);
        Ok(())
    });
    if let Err(refused) = ended.await {
        tracing::warn!("a session could not be ended: {}", refused.code());
    }
}

#[derive(Deserialize)]
pub(super) struct Nothing {}

/// `POST /logout`.
pub(super) async fn sign_out(
    State(site): State<Arc<Site>>,
    caller: Caller,
    who: Who,
    Checked(Nothing {}): Checked<Nothing>,
) -> Response {
    if let Some(secret) = who.session_secret().cloned() {
        end(&site, secret).await;
    }
    let mut response = see_other("/login");
    put_cookie(response.headers_mut(), caller, SESSION_COOKIE, None);
    response
}

/// `GET /login/provider?next=`: to the login provider. Changes nothing here but for a note that this browser went there.
pub(super) async fn depart(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Query(wanted): Query<Wanted>,
    headers: HeaderMap,
    ask: Ask,
) -> Response {
    let next = safe_next(wanted.next.as_deref().unwrap_or("/")).to_owned();
    let form = caller.cookie(&headers, FORM_COOKIE).or_else(|| site.directory.fresh_secret());
    let Some(form) = form else {
        return fault_page(&site, &ask, &Fault::Panicked("the machine has no random numbers".to_owned()));
    };
    let (bound, after) = (form.clone(), next.clone());
    match super::ask(&site, move |directory| directory.depart(&bound, &after)).await {
        Ok(departure) => {
            let mut response = see_other(&departure.to);
            put_cookie(response.headers_mut(), caller, FORM_COOKIE, Some(&form));
            response
        }
        Err(refused) => {
            let outcome = Outcome::refused(&ask.words, refused);
            show(&site, caller, &headers, &ask, outcome, String::new(), next)
        }
    }
}

#[derive(Deserialize)]
pub(super) struct Arrival {
    #[serde(default)]
    state: String,
    #[serde(default)]
    code: String,
}

/// `GET /login/provider/back`: what the provider says of who signed in there.
pub(super) async fn arrive(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Query(arrival): Query<Arrival>,
    headers: HeaderMap,
    ask: Ask,
) -> Response {
    let arrived = match caller.cookie(&headers, FORM_COOKIE) {
        Some(form) => {
            let address = caller.address;
            super::ask(&site, move |directory| {
                directory.arrive(&form, &arrival.state, &arrival.code, address)
            })
            .await
        }
        None => Err(Refused::Provider),
    };
    match arrived {
        Ok((secret, next)) => signed_in(caller, &secret, &next),
        Err(refused) => {
            let outcome = Outcome::refused(&ask.words, refused);
            show(&site, caller, &headers, &ask, outcome, String::new(), "/".to_owned())
        }
    }
}

