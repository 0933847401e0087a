//! `/first-run/…` and `/link/…`: one-time links. Looking uses nothing up, so that a mail scanner that follows every link
//! does no harm; the form does.
//!
//! Must never: tell a link that never was from one that was used.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::{Outcome, field, page as answer, put_cookie, signed_in, status_of};
use crate::access::{
    Caller, Checked, FORM_COOKIE, Fields, LinkPurpose, LinkUse, LinkView, Refused, Secret, csrf_of,
};
use crate::pages::{Ask, Fault, Frame, Site, Words, fault_page};

#[derive(Template)]
#[template(path = "link.html")]
struct LinkPage<'a> {
    t: &'a Words,
    frame: Frame,
    outcome: Outcome,
    /// `first_run`, `invitation`, `reset`, `sign_in`, or nothing for a link that opens nothing.
    purpose: &'static str,
    /// Where the form goes: the link itself.
    action: String,
    account: String,
    name: String,
}

/// `GET /first-run/{token}`, `GET /link/{token}`.
pub(super) async fn page(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Path(token): Path<String>,
    headers: HeaderMap,
    ask: Ask,
) -> Response {
    show(&site, caller, &headers, &ask, &token, Outcome::default())
}

fn show(
    site: &Arc<Site>,
    caller: Caller,
    headers: &HeaderMap,
    ask: &Ask,
    token: &str,
    outcome: Outcome,
) -> Response {
    let t = &ask.words;
    let known = caller.cookie(headers, FORM_COOKIE);
    let Some(form) = known.clone().or_else(|| site.directory.fresh_secret()) else {
        return fault_page(site, ask, &Fault::Panicked("the machine has no random numbers".to_owned()));
    };
    let secret = Secret::from_text(token);
    let view = secret.as_ref().and_then(|secret| site.directory.link(secret));
    let mut frame = Frame::new(site, ask, t.get("page.access.link.title"), "");
    // The address holds a secret: no link to the other language repeats it.
    frame.languages = Vec::new();
    if !ask.who.is_signed_in() {
        frame.csrf = csrf_of(&form);
    }
    let (purpose, status) = match (&view, outcome.is_error) {
        (None, _) => ("", StatusCode::NOT_FOUND),
        (Some(view), _) => (view.purpose.code(), status_of(&outcome)),
    };
    let outcome = if view.is_none() { Outcome::refused(t, Refused::Gone) } else { outcome };
    let action = match (&view, &secret) {
        (Some(view), Some(secret)) => view.purpose.path(secret),
        _ => String::new(),
    };
    let LinkView { account, name, .. } = view.unwrap_or(LinkView {
        purpose: LinkPurpose::Reset,
        account: String::new(),
        name: String::new(),
    });
    let template = LinkPage { t, frame, outcome, purpose, action, account, name };
    let mut response = answer(site, ask, status, &template);
    if known.is_none() {
        put_cookie(response.headers_mut(), caller, FORM_COOKIE, Some(&form));
    }
    response
}

/// `POST /first-run/{token}`, `POST /link/{token}`.
pub(super) async fn submit(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Path(token): Path<String>,
    headers: HeaderMap,
    ask: Ask,
    Checked(fields): Checked<Fields>,
) -> Response {
    let used = match Secret::from_text(&token) {
        None => Err(Refused::Gone),
        Some(_) if field(&fields, "password") != field(&fields, "again") => Err(Refused::Differ),
        Some(secret) => {
            let with = LinkUse {
                account: field(&fields, "account").to_owned(),
                name: field(&fields, "name").to_owned(),
                password: field(&fields, "password").to_owned(),
            };
            let address = caller.address;
            super::ask(&site, move |directory| directory.use_link(&secret, &with, address)).await
        }
    };
    match used {
        Ok(secret) => signed_in(caller, &secret, "/"),
        Err(refused) => {
            let outcome = Outcome::refused(&ask.words, refused);
            show(&site, caller, &headers, &ask, &token, outcome)
        }
    }
}
