//! `/account`: one's own account.
//!
//! Must never: change anything of another account.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::sign_in::Nothing;
use super::{Outcome, page as answer, put_cookie, see_other, status_of};
use crate::access::{AccountView, Caller, Checked, Refused, SESSION_COOKIE, SecondFactorOffer};
use crate::pages::{Ask, Fault, Frame, Site, Words, fault_page};

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage<'a> {
    t: &'a Words,
    frame: Frame,
    outcome: Outcome,
    account: String,
    name: String,
    /// Role, and where it is held.
    roles: Vec<(String, String)>,
    sessions: usize,
    has_password: bool,
    has_second_factor: bool,
    recovery_codes: usize,
    /// A key offered and not yet confirmed.
    offer: Option<SecondFactorOffer>,
}

/// A role in words, and where it is held.
pub(super) fn roles(t: &Words, view: &AccountView) -> Vec<(String, String)> {
    view.roles.iter().map(|held| (t.of("page.role", held.role.code()), super::accounts::place(t, held))).collect()
}

/// `GET /account`.
pub(super) async fn page(State(site): State<Arc<Site>>, ask: Ask) -> Response {
    show(&site, &ask, Outcome::default(), None)
}

fn show(site: &Arc<Site>, ask: &Ask, outcome: Outcome, offer: Option<SecondFactorOffer>) -> Response {
    let t = &ask.words;
    let Some(view) = ask.who.account().and_then(|account| site.directory.account(account)) else {
        return fault_page(site, ask, &Fault::SignIn);
    };
    let status = status_of(&outcome);
    let template = AccountPage {
        t,
        frame: Frame::new(site, ask, t.get("page.access.account.title"), "account"),
        outcome,
        roles: roles(t, &view),
        account: view.account,
        name: view.name,
        sessions: view.sessions,
        has_password: view.has_password,
        has_second_factor: view.has_second_factor,
        recovery_codes: view.recovery_codes,
        offer,
    };
    answer(site, ask, status, &template)
}

fn refused(site: &Arc<Site>, ask: &Ask, refused: Refused) -> Response {
    show(site, ask, Outcome::refused(&ask.words, refused), None)
}

#[derive(Deserialize)]
pub(super) struct PasswordForm {
    old: String,
    new: String,
    again: String,
}

/// `POST /account/password`.
pub(super) async fn password(
    State(site): State<Arc<Site>>,
    caller: Caller,
    ask: Ask,
    Checked(form): Checked<PasswordForm>,
) -> Response {
    let Some(session) = ask.who.session_secret().cloned() else {
        return fault_page(&site, &ask, &Fault::SignIn);
    };
    if form.new != form.again {
        return refused(&site, &ask, Refused::Differ);
    }
    let changed = super::ask(&site, move |d| d.change_password(&session, &form.old, &form.new)).await;
    match changed {
        Ok(secret) => {
            let mut response = see_other("/account");
            put_cookie(response.headers_mut(), caller, SESSION_COOKIE, Some(&secret));
            response
        }
        Err(why) => refused(&site, &ask, why),
    }
}

/// `POST /account/sign-out-everywhere`: this session goes on.
pub(super) async fn sign_out_everywhere(
    State(site): State<Arc<Site>>,
    ask: Ask,
    Checked(Nothing {}): Checked<Nothing>,
) -> Response {
    let (account, session) = (ask.who.author(), ask.who.session_secret().cloned());
    let done =
        super::ask(&site, move |d| d.sign_out_everywhere(&account, session.as_ref(), &account)).await;
    match done {
        Ok(()) => see_other("/account"),
        Err(why) => refused(&site, &ask, why),
    }
}

/// `POST /account/second-factor`: offers a key.
pub(super) async fn offer(
    State(site): State<Arc<Site>>,
    ask: Ask,
    Checked(Nothing {}): Checked<Nothing>,
) -> Response {
    let account = ask.who.author();
    match super::ask(&site, move |d| d.offer_second_factor(&account)).await {
        Ok(offer) => show(&site, &ask, Outcome::default(), Some(offer)),
        Err(why) => refused(&site, &ask, why),
    }
}

#[derive(Deserialize)]
pub(super) struct CodeForm {
    code: String,
}

/// `POST /account/second-factor/confirm`.
pub(super) async fn confirm(
    State(site): State<Arc<Site>>,
    ask: Ask,
    Checked(form): Checked<CodeForm>,
) -> Response {
    let account = ask.who.author();
    match super::ask(&site, move |d| d.confirm_second_factor(&account, &form.code)).await {
        Ok(codes) => {
            let outcome = Outcome::done(&ask.words, "page.access.account.recovery_shown", codes);
            show(&site, &ask, outcome, None)
        }
        Err(Refused::CodeWrong) => {
            let account = ask.who.author();
            let again = super::ask(&site, move |d| d.offer_second_factor(&account)).await.ok();
            show(&site, &ask, Outcome::refused(&ask.words, Refused::CodeWrong), again)
        }
        Err(why) => refused(&site, &ask, why),
    }
}

#[derive(Deserialize)]
pub(super) struct EndForm {
    password: String,
}

/// `POST /account/second-factor/end`.
pub(super) async fn end(
    State(site): State<Arc<Site>>,
    ask: Ask,
    Checked(form): Checked<EndForm>,
) -> Response {
    let account = ask.who.author();
    match super::ask(&site, move |d| d.end_second_factor(&account, &form.password)).await {
        Ok(()) => see_other("/account"),
        Err(why) => refused(&site, &ask, why),
    }
}

