//! `/tokens`: what programs show in place of a session.
//!
//! Must never: show a token again.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;

use super::sign_in::Nothing;
use super::{Outcome, field, page as answer, see_other, status_of};
use crate::access::{Checked, Fields, NewToken, Refused, TokenScope, TokenView};
use crate::pages::{Ask, Frame, Site, Words};

#[derive(Template)]
#[template(path = "tokens.html")]
struct TokensPage<'a> {
    t: &'a Words,
    frame: Frame,
    outcome: Outcome,
    tokens: Vec<TokenLine>,
    /// Code and words of every scope.
    scopes: Vec<(&'static str, String)>,
    /// The reader's own account, as the form's first guess.
    account: String,
    days: String,
}

/// Days that a new token lasts, as the form proposes them.
const DAYS: &str = "365";

struct TokenLine {
    id: String,
    account: String,
    label: String,
    scopes: String,
    created: String,
    expires: String,
    last_used: String,
}

impl TokenLine {
    fn new(t: &Words, token: &TokenView) -> Self {
        let zone = chrono_tz::Europe::Rome;
        let never = || t.get("page.access.tokens.never").to_owned();
        Self {
            id: token.id.clone(),
            account: token.account.clone(),
            label: token.label.clone(),
            scopes: token.scopes.iter().map(|scope| scope.code()).collect::<Vec<_>>().join(", "),
            created: t.date_time(token.created, zone),
            expires: t.date_time(token.expires, zone),
            last_used: token.last_used.map_or_else(never, |at| t.date_time(at, zone)),
        }
    }
}

/// `GET /tokens`.
pub(super) async fn page(State(site): State<Arc<Site>>, ask: Ask) -> Response {
    show(&site, &ask, Outcome::default())
}

fn show(site: &Arc<Site>, ask: &Ask, outcome: Outcome) -> Response {
    let t = &ask.words;
    let status = status_of(&outcome);
    let scope = |scope: TokenScope| (scope.code(), t.of("page.access.scope", scope.code()));
    let typed = |name: &str, else_is: &str| match outcome.typed(name) {
        "" => else_is.to_owned(),
        typed => typed.to_owned(),
    };
    let template = TokensPage {
        t,
        frame: Frame::new(site, ask, t.get("page.access.tokens.title"), "tokens"),
        tokens: site.directory.tokens().iter().map(|token| TokenLine::new(t, token)).collect(),
        scopes: TokenScope::ALL.into_iter().map(scope).collect(),
        account: typed("account", ask.who.account().unwrap_or_default()),
        days: typed("days", DAYS),
        outcome,
    };
    answer(site, ask, status, &template)
}

/// `POST /tokens`.
pub(super) async fn add(State(site): State<Arc<Site>>, ask: Ask, Checked(form): Checked<Fields>) -> Response {
    let scopes = form.iter().filter(|(name, _)| name == "scope").map(|(_, code)| TokenScope::parse(code));
    let scopes: Option<Vec<TokenScope>> = scopes.collect();
    let days = field(&form, "days").parse::<u32>().ok();
    let author = ask.who.author();
    let made = match scopes.zip(days) {
        Some((scopes, days)) => {
            let (account, label) = (field(&form, "account").to_owned(), field(&form, "label").to_owned());
            let new = NewToken { account, label, scopes, days };
            super::ask(&site, move |d| d.new_token(&new, &author)).await
        }
        None => Err(Refused::Unreadable),
    };
    let outcome = match made {
        Ok(secret) => {
            let shown = vec![secret.text().to_owned()];
            Outcome::done(&ask.words, "page.access.tokens.shown", shown)
        }
        Err(refused) => Outcome::refused(&ask.words, refused).keeping(form),
    };
    show(&site, &ask, outcome)
}

/// `POST /tokens/{token}/revoke`.
pub(super) async fn revoke(
    State(site): State<Arc<Site>>,
    Path(token): Path<String>,
    ask: Ask,
    Checked(Nothing {}): Checked<Nothing>,
) -> Response {
    let author = ask.who.author();
    match super::ask(&site, move |d| d.revoke_token(&token, &author)).await {
        Ok(()) => see_other("/tokens"),
        Err(refused) => show(&site, &ask, Outcome::refused(&ask.words, refused)),
    }
}
