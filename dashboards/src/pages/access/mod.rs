//! Pages about accounts: signing in, one's own account, one-time links, accounts and tokens, a project's subjects, the
//! audit log. All of them are forms that work without a script.
//!
//! Must never: be kept by a browser or a proxy, or show a secret twice.

mod account;
mod accounts;
mod api;
mod audit;
mod link;
mod sign_in;
mod subjects;
mod tokens;

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use super::{Ask, Fault, Site, Words, fault_page, put_language};
use crate::access::{
    Caller, Directory, FORM_BYTES_MAX, Fields, Need, Refused, Right, Route, SESSION_COOKIE, Secret, get, post,
};

/// How long a form waits for its turn to have a password hashed.
const TURN_MAX: Duration = Duration::from_secs(5);

/// The routes of this folder.
pub(crate) fn routes() -> Vec<Route> {
    use Need::{Always, Anywhere, InProject, Public, SignedIn};
    use Right::{AdministerAccounts, AdministerTokens, ManageSubjects, SeeAudit};
    let form = FORM_BYTES_MAX;
    let mut all = vec![
        get("/login", Public, sign_in::page),
        post("/login", Public, form, sign_in::submit),
        get("/login/provider", Public, sign_in::depart),
        get("/login/provider/back", Public, sign_in::arrive),
        post("/logout", SignedIn, form, sign_in::sign_out),
        get("/first-run/{token}", Always, link::page),
        post("/first-run/{token}", Always, form, link::submit),
        get("/link/{token}", Always, link::page),
        post("/link/{token}", Always, form, link::submit),
        get("/account", SignedIn, account::page),
        post("/account/password", SignedIn, form, account::password),
        post("/account/sign-out-everywhere", SignedIn, form, account::sign_out_everywhere),
        post("/account/second-factor", SignedIn, form, account::offer),
        post("/account/second-factor/confirm", SignedIn, form, account::confirm),
        post("/account/second-factor/end", SignedIn, form, account::end),
        get("/accounts", Anywhere(AdministerAccounts), accounts::page),
        post("/accounts", Anywhere(AdministerAccounts), form, accounts::add),
        post("/accounts/{account}", Anywhere(AdministerAccounts), form, accounts::set),
        post("/accounts/{account}/link", Anywhere(AdministerAccounts), form, accounts::link),
        post("/accounts/{account}/sign-out", Anywhere(AdministerAccounts), form, accounts::sign_out),
        get("/tokens", Anywhere(AdministerTokens), tokens::page),
        post("/tokens", Anywhere(AdministerTokens), form, tokens::add),
        post("/tokens/{token}/revoke", Anywhere(AdministerTokens), form, tokens::revoke),
        get("/audit", Anywhere(SeeAudit), audit::page),
        get("/projects/{project}/subjects", InProject(ManageSubjects), subjects::page),
        post("/projects/{project}/subjects", InProject(ManageSubjects), form, subjects::add),
        post("/projects/{project}/subjects/{account}", InProject(ManageSubjects), form, subjects::set),
    ];
    all.extend(api::routes());
    all
}

/// What a page says of what was just asked.
#[derive(Default)]
pub(crate) struct Outcome {
    /// Empty for nothing.
    pub(crate) says: String,
    pub(crate) is_error: bool,
    /// What is shown this once: a link, a token, codes.
    pub(crate) secrets: Vec<String>,
    /// What a form that was refused says, but for passwords: nobody types it again.
    typed: Fields,
}

impl Outcome {
    pub(crate) fn refused(t: &Words, refused: Refused) -> Self {
        let text = t.of("page.access.refused", refused.code());
        let says = match refused {
            Refused::Wait { seconds } => text.replace("{seconds}", &seconds.to_string()),
            _ => text,
        };
        Self { says, is_error: true, ..Self::default() }
    }

    /// With the fields of the refused form. Must not be given those of a form that asks for a password.
    fn keeping(self, form: Fields) -> Self {
        if self.is_error { Self { typed: form, ..self } } else { self }
    }

    /// A field of the refused form; empty without one.
    fn typed(&self, name: &str) -> &str {
        field(&self.typed, name)
    }

    /// Whether the refused form chose `value` for that field.
    fn chose(&self, name: &str, value: &str) -> bool {
        self.typed.iter().any(|(key, chosen)| key == name && chosen == value)
    }

    fn done(t: &Words, key: &str, secrets: Vec<String>) -> Self {
        Self { says: t.get(key).to_owned(), secrets, ..Self::default() }
    }
}

/// Asks about accounts off the event loop, a few at a time: hashing takes memory and time.
async fn ask<T: Send + 'static>(
    site: &Arc<Site>,
    work: impl FnOnce(&dyn Directory) -> Result<T, Refused> + Send + 'static,
) -> Result<T, Refused> {
    let turn = tokio::time::timeout(TURN_MAX, Arc::clone(&site.hashing).acquire_owned()).await;
    let Ok(Ok(turn)) = turn else { return Err(Refused::Busy) };
    let site = Arc::clone(site);
    let done = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        work(site.directory.as_ref())
    });
    done.await.unwrap_or_else(|error| {
        tracing::error!("asking about accounts panicked: {error}");
        Err(Refused::Busy)
    })
}

/// A page of this folder: of one reader, now.
fn page(site: &Arc<Site>, ask: &Ask, status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => {
            let mut response = (status, Html(text)).into_response();
            put_language(ask, response.headers_mut());
            no_store(&mut response);
            response
        }
        Err(error) => fault_page(site, ask, &Fault::from(error)),
    }
}

/// Refused forms are shown again with a status that no program takes for success.
fn status_of(outcome: &Outcome) -> StatusCode {
    if outcome.is_error { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK }
}

fn no_store(response: &mut Response) {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

/// To another page of this site, by GET.
fn see_other(path: &str) -> Response {
    let location = HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static("/"));
    let mut response = (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response();
    no_store(&mut response);
    response
}

/// A cookie that scripts do not see and other sites do not send along with a form (RFC 6265bis). It ends with the
/// browser; how long it opens something is the directory's to say.
fn put_cookie(headers: &mut HeaderMap, caller: Caller, stem: &str, value: Option<&Secret>) {
    let secure = if caller.is_secure { "; Secure" } else { "" };
    let (text, end) = value.map_or(("", "; Max-Age=0"), |secret| (secret.text(), ""));
    let cookie = format!("{}={text}; Path=/; HttpOnly; SameSite=Lax{secure}{end}", caller.cookie_name(stem));
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        headers.append(header::SET_COOKIE, cookie);
    }
}

/// Signed in: the session's cookie, and on to `next`.
fn signed_in(caller: Caller, secret: &Secret, next: &str) -> Response {
    let mut response = see_other(crate::access::safe_next(next));
    put_cookie(response.headers_mut(), caller, SESSION_COOKIE, Some(secret));
    put_cookie(response.headers_mut(), caller, crate::access::FORM_COOKIE, None);
    response
}

/// The value of a field; empty when the form has none.
fn field<'f>(fields: &'f [(String, String)], name: &str) -> &'f str {
    fields.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.trim())
}

/// A field as it was typed: what surrounds a password belongs to it.
fn raw<'f>(fields: &'f [(String, String)], name: &str) -> &'f str {
    fields.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
}

fn optional(fields: &[(String, String)], name: &str) -> Option<String> {
    let value = field(fields, name);
    (!value.is_empty()).then(|| value.to_owned())
}

/// This site's own address, for links that are passed on.
fn address(site: &Site, caller: Caller, headers: &HeaderMap, path: &str) -> String {
    let host = headers.get(header::HOST).and_then(|h| h.to_str().ok()).unwrap_or("localhost");
    let own = site.options.public_origin.clone();
    let scheme = if caller.is_secure { "https" } else { "http" };
    format!("{}{path}", own.unwrap_or_else(|| format!("{scheme}://{host}")))
}
