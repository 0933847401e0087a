//! Accounts, tokens, subjects and the audit log as JSON, for programs of administrators and legal representatives.
//!
//! Must never: show a secret twice, or do for a program what only a person may: passwords, second factors, sessions of
//! one's own.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use model::{BuildingId, ProjectId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{address, ask, audit};
use crate::access::{
    AccountView, Caller, FORM_BYTES_MAX, Held, LinkPurpose, Need, NewAccount, NewToken, Refused, Right, Role,
    Route, Scope, Secret, TokenScope, TokenView, Who, read, write,
};
use crate::desk::upload::Posted;
use crate::desk::wire::Nothing;
use crate::openapi::{Asked, Done, Given, give};
use crate::pages::{Fault, Site};

/// The routes of this file.
pub(super) fn routes() -> Vec<Route> {
    use Need::{Anywhere, InProject};
    use Right::{AdministerAccounts, AdministerTokens, ManageSubjects, SeeAudit, SeeProject};
    let (accounts, tokens) = (Anywhere(AdministerAccounts), Anywhere(AdministerTokens));
    let subjects = InProject(ManageSubjects);
    let form = FORM_BYTES_MAX;
    vec![
        read("account", "/api/v1/account", Anywhere(SeeProject), account),
        read("accounts", "/api/v1/accounts", accounts, all),
        write("add_account", ("/api/v1/accounts/add", accounts, form), add),
        write("set_account", ("/api/v1/accounts/{account}/set", accounts, form), set),
        write("link_account", ("/api/v1/accounts/{account}/link", accounts, form), link),
        write("sign_out_account", ("/api/v1/accounts/{account}/sign-out", accounts, form), sign_out),
        read("tokens", "/api/v1/tokens", tokens, all_tokens),
        write("add_token", ("/api/v1/tokens/add", tokens, form), add_token),
        write("revoke_token", ("/api/v1/tokens/{token}/revoke", tokens, form), revoke_token),
        read("audit", "/api/v1/audit", Anywhere(SeeAudit), audit_lines),
        read("subjects", "/api/v1/projects/{project}/subjects", subjects, all_subjects),
        write("add_subject", ("/api/v1/projects/{project}/subjects/add", subjects, form), add_subject),
        write(
            "set_subject",
            ("/api/v1/projects/{project}/subjects/{account}/set", subjects, form),
            set_subject,
        ),
    ]
}

/// A role and where it is held: everywhere when neither projects nor buildings are named.
#[derive(Debug, Clone, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RoleHeld {
    /// `legal_representative`, `data_entry`, `facility_manager`, `regional_officer` or `administrator`.
    role: String,
    #[serde(default)]
    projects: Vec<String>,
    /// `project/building`.
    #[serde(default)]
    buildings: Vec<String>,
}

impl From<&Held> for RoleHeld {
    fn from(held: &Held) -> Self {
        let (projects, buildings) = match &held.scope {
            Scope::All => (Vec::new(), Vec::new()),
            Scope::Projects(ids) => (ids.iter().map(ToString::to_string).collect(), Vec::new()),
            Scope::Buildings(ids) => {
                (Vec::new(), ids.iter().map(|(project, building)| format!("{project}/{building}")).collect())
            }
        };
        Self { role: held.role.code().to_owned(), projects, buildings }
    }
}

impl RoleHeld {
    fn held(&self) -> Result<Held, Refused> {
        let role = Role::parse(&self.role).ok_or(Refused::Unreadable)?;
        let project = |text: &str| ProjectId::new(text).map_err(|_| Refused::Unreadable);
        let building = |text: &String| {
            let (of, own) = text.split_once('/').ok_or(Refused::Unreadable)?;
            Ok((project(of)?, BuildingId::new(own).map_err(|_| Refused::Unreadable)?))
        };
        let scope = match (self.projects.is_empty(), self.buildings.is_empty()) {
            (true, true) => Scope::All,
            (false, true) => {
                Scope::Projects(self.projects.iter().map(|p| project(p)).collect::<Result<BTreeSet<_>, _>>()?)
            }
            (true, false) => {
                Scope::Buildings(self.buildings.iter().map(building).collect::<Result<BTreeSet<_>, _>>()?)
            }
            // Two scopes are two entries.
            (false, false) => return Err(Refused::Unreadable),
        };
        Ok(Held { role, scope })
    }
}

fn all_held(roles: &[RoleHeld]) -> Result<Vec<Held>, Refused> {
    roles.iter().map(RoleHeld::held).collect()
}

/// Whose token or session it is.
#[derive(JsonSchema, Serialize)]
pub(super) struct OwnAccountJson {
    /// `null` for a reader without a name.
    account: Option<String>,
    name: Option<String>,
    roles: Vec<RoleHeld>,
    /// What this token or session may do somewhere.
    rights: Vec<&'static str>,
}

/// `GET /api/v1/account`.
async fn account(State(site): State<Arc<Site>>, who: Who) -> Given<OwnAccountJson> {
    give(&site, move |_| {
        let person = who.person();
        Ok(OwnAccountJson {
            account: person.map(|p| p.account.clone()),
            name: person.map(|p| p.name.clone()),
            roles: person.iter().flat_map(|p| &p.roles).map(RoleHeld::from).collect(),
            rights: Right::ALL.into_iter().filter(|r| who.may(*r, None)).map(Right::code).collect(),
        })
    })
    .await
}

/// An account as administrators see it.
#[derive(JsonSchema, Serialize)]
pub(super) struct AccountJson {
    account: String,
    name: String,
    mail: Option<String>,
    tax_code: Option<String>,
    enabled: bool,
    has_password: bool,
    has_second_factor: bool,
    roles: Vec<RoleHeld>,
    sessions: usize,
    last_seen: Option<String>,
}

impl From<AccountView> for AccountJson {
    fn from(view: AccountView) -> Self {
        Self {
            enabled: view.is_enabled,
            has_password: view.has_password,
            has_second_factor: view.has_second_factor,
            roles: view.roles.iter().map(RoleHeld::from).collect(),
            sessions: view.sessions,
            last_seen: view.last_seen.map(|at| at.to_string()),
            account: view.account,
            name: view.name,
            mail: view.mail,
            tax_code: view.tax_code,
        }
    }
}

/// `GET /api/v1/accounts`.
async fn all(State(site): State<Arc<Site>>) -> Given<Vec<AccountJson>> {
    give(&site, |site| Ok(site.directory.accounts().into_iter().map(AccountJson::from).collect())).await
}

/// A one-time link, shown this once.
#[derive(JsonSchema, Serialize)]
pub(super) struct LinkJson {
    /// `null` where none is needed.
    link: Option<String>,
}

/// Made of what only the request knows: under which name this server was asked.
struct At(String);

impl At {
    fn of(site: &Site, caller: Caller, headers: &HeaderMap) -> Self {
        Self(address(site, caller, headers, ""))
    }

    fn link(&self, purpose: LinkPurpose, secret: &Secret) -> LinkJson {
        LinkJson { link: Some(format!("{}{}", self.0, purpose.path(secret))) }
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("examples" = [{
    "account": "rosa", "name": "Rosa", "roles": [{ "role": "facility_manager", "projects": ["scuola-primaria"] }]
}]))]
struct NewAccountSaid {
    /// 1 to 64 of a-z, 0-9, `-`, `_`, `.` and `@`.
    account: String,
    name: String,
    mail: Option<String>,
    tax_code: Option<String>,
    #[serde(default)]
    roles: Vec<RoleHeld>,
}

/// `POST /api/v1/accounts/add`.
async fn add(
    State(site): State<Arc<Site>>,
    caller: Caller,
    headers: HeaderMap,
    who: Who,
    Posted(said): Posted<NewAccountSaid>,
) -> Given<LinkJson> {
    let at = At::of(&site, caller, &headers);
    let made = ask(&site, move |directory| {
        let NewAccountSaid { account, name, mail, tax_code, roles } = said;
        let new = NewAccount { account, name, mail, tax_code, roles: all_held(&roles)? };
        directory.add_account(&new, &who.author())
    });
    Given(made.await.map(|secret| at.link(LinkPurpose::Invitation, &secret)).map_err(Fault::from))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("examples" = [{ "enabled": true, "roles": [{ "role": "regional_officer" }] }]))]
struct AccountSaid {
    enabled: bool,
    /// All that it has from now on.
    roles: Vec<RoleHeld>,
}

/// `POST /api/v1/accounts/{account}/set`.
async fn set(
    State(site): State<Arc<Site>>,
    Path(account): Path<String>,
    who: Who,
    Posted(said): Posted<AccountSaid>,
) -> Done {
    let done = ask(&site, move |directory| {
        directory.set_account(&account, said.enabled, all_held(&said.roles)?, &who.author())
    });
    Done(done.await.map_err(Fault::from))
}

/// `POST /api/v1/accounts/{account}/link`.
async fn link(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Path(account): Path<String>,
    headers: HeaderMap,
    who: Who,
    Posted(Nothing {}): Posted<Nothing>,
) -> Given<LinkJson> {
    let at = At::of(&site, caller, &headers);
    let made = ask(&site, move |directory| directory.new_link(&account, &who.author()));
    Given(made.await.map(|secret| at.link(LinkPurpose::Reset, &secret)).map_err(Fault::from))
}

/// `POST /api/v1/accounts/{account}/sign-out`.
async fn sign_out(
    State(site): State<Arc<Site>>,
    Path(account): Path<String>,
    who: Who,
    Posted(Nothing {}): Posted<Nothing>,
) -> Done {
    let done = ask(&site, move |directory| directory.sign_out_everywhere(&account, None, &who.author()));
    Done(done.await.map_err(Fault::from))
}

/// A token without its secret.
#[derive(JsonSchema, Serialize)]
pub(super) struct TokenJson {
    /// Tells it from others; opens nothing.
    id: String,
    account: String,
    label: String,
    scopes: Vec<&'static str>,
    created: String,
    expires: String,
    last_used: Option<String>,
}

impl From<TokenView> for TokenJson {
    fn from(view: TokenView) -> Self {
        Self {
            id: view.id,
            account: view.account,
            label: view.label,
            scopes: view.scopes.into_iter().map(TokenScope::code).collect(),
            created: view.created.to_string(),
            expires: view.expires.to_string(),
            last_used: view.last_used.map(|at| at.to_string()),
        }
    }
}

/// `GET /api/v1/tokens`.
async fn all_tokens(State(site): State<Arc<Site>>) -> Given<Vec<TokenJson>> {
    give(&site, |site| Ok(site.directory.tokens().into_iter().map(TokenJson::from).collect())).await
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("examples" = [{ "account": "rosa", "label": "data warehouse", "scopes": ["read"], "days": 90 }]))]
struct NewTokenSaid {
    account: String,
    label: String,
    /// `read`, `write`, `metrics`, `grants`, `calendar`.
    scopes: Vec<String>,
    days: u32,
}

/// A token's secret, shown this once.
#[derive(JsonSchema, Serialize)]
pub(super) struct TokenSecretJson {
    token: String,
}

/// `POST /api/v1/tokens/add`.
async fn add_token(
    State(site): State<Arc<Site>>,
    who: Who,
    Posted(said): Posted<NewTokenSaid>,
) -> Given<TokenSecretJson> {
    let made = ask(&site, move |directory| {
        let NewTokenSaid { account, label, scopes, days } = said;
        let scopes: Option<Vec<TokenScope>> = scopes.iter().map(|code| TokenScope::parse(code)).collect();
        let new = NewToken { account, label, scopes: scopes.ok_or(Refused::Unreadable)?, days };
        directory.new_token(&new, &who.author())
    });
    Given(made.await.map(|secret| TokenSecretJson { token: secret.text().to_owned() }).map_err(Fault::from))
}

/// `POST /api/v1/tokens/{token}/revoke`, by its id.
async fn revoke_token(
    State(site): State<Arc<Site>>,
    Path(token): Path<String>,
    who: Who,
    Posted(Nothing {}): Posted<Nothing>,
) -> Done {
    Done(
        ask(&site, move |directory| directory.revoke_token(&token, &who.author())).await.map_err(Fault::from),
    )
}

/// An entry of the audit log.
#[derive(JsonSchema, Serialize)]
pub(super) struct AuditJson {
    seq: i64,
    at: String,
    author: String,
    action: String,
    kind: String,
    subject: String,
    detail: String,
}

/// Which entries of the audit log are wanted.
#[derive(Deserialize, JsonSchema)]
pub(super) struct AuditAsk {
    /// Only entries with lower numbers: the number of the last entry of the answer before.
    before: Option<i64>,
}

/// `GET /api/v1/audit?before=`: the newest entries first, a page of them.
async fn audit_lines(State(site): State<Arc<Site>>, Asked(asked): Asked<AuditAsk>) -> Given<Vec<AuditJson>> {
    let line = |line: crate::access::AuditLine| AuditJson {
        seq: line.seq,
        at: line.at.to_string(),
        author: line.author,
        action: line.action,
        kind: line.kind,
        subject: line.subject,
        detail: line.detail,
    };
    give(&site, move |site| {
        Ok(site.directory.audit(asked.before, audit::LINES_MAX).into_iter().map(line).collect())
    })
    .await
}

/// Somebody who acts for a project by an account.
#[derive(JsonSchema, Serialize)]
pub(super) struct ProjectSubjectJson {
    account: String,
    name: String,
    role: &'static str,
    enabled: bool,
}

fn known(site: &Site, project: &str) -> Result<ProjectId, Fault> {
    let found = ProjectId::new(project).ok().and_then(|id| site.backend.project(&id));
    found.map(|view| view.project.id.clone()).ok_or_else(|| Fault::NoProject(project.to_owned()))
}

/// `GET /api/v1/projects/{project}/subjects`.
async fn all_subjects(
    State(site): State<Arc<Site>>,
    Path(project): Path<String>,
) -> Given<Vec<ProjectSubjectJson>> {
    let view = |subject: crate::access::SubjectView| ProjectSubjectJson {
        role: subject.role.code(),
        enabled: subject.is_enabled,
        account: subject.account,
        name: subject.name,
    };
    give(&site, move |site| {
        let id = known(site, &project)?;
        Ok(site.directory.subjects(&id).into_iter().map(view).collect())
    })
    .await
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("examples" = [{ "account": "luca", "name": "Luca", "role": "data_entry" }]))]
struct NewSubjectSaid {
    account: String,
    name: String,
    mail: Option<String>,
    tax_code: Option<String>,
    /// `legal_representative` or `data_entry`.
    role: String,
}

/// `POST /api/v1/projects/{project}/subjects/add`.
async fn add_subject(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Path(project): Path<String>,
    headers: HeaderMap,
    who: Who,
    Posted(said): Posted<NewSubjectSaid>,
) -> Given<LinkJson> {
    let id = match known(&site, &project) {
        Ok(id) => id,
        Err(fault) => return Given(Err(fault)),
    };
    let at = At::of(&site, caller, &headers);
    let made = ask(&site, move |directory| {
        let NewSubjectSaid { account, name, mail, tax_code, role } = said;
        let role = Role::parse(&role).ok_or(Refused::Unreadable)?;
        let new = NewAccount { account, name, mail, tax_code, roles: Vec::new() };
        directory.add_subject(&id, role, &new, &who.author())
    });
    let link = |secret: Option<Secret>| match secret {
        Some(secret) => at.link(LinkPurpose::Invitation, &secret),
        None => LinkJson { link: None },
    };
    Given(made.await.map(link).map_err(Fault::from))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("examples" = [{ "role": "data_entry", "enabled": false }]))]
struct SubjectSaid {
    role: String,
    enabled: bool,
}

/// `POST /api/v1/projects/{project}/subjects/{account}/set`.
async fn set_subject(
    State(site): State<Arc<Site>>,
    Path((project, account)): Path<(String, String)>,
    who: Who,
    Posted(said): Posted<SubjectSaid>,
) -> Done {
    let id = match known(&site, &project) {
        Ok(id) => id,
        Err(fault) => return Done(Err(fault)),
    };
    let done = ask(&site, move |directory| {
        let role = Role::parse(&said.role).ok_or(Refused::Unreadable)?;
        directory.set_subject(&id, &account, role, said.enabled, &who.author())
    });
    Done(done.await.map_err(Fault::from))
}
