//! What administrators and legal representatives do: accounts, roles, subjects of a project, tokens.
//!
//! Must never: leave an installation without an administrator, or give a right in another project than the one asked
//! for.

use std::collections::BTreeSet;

use config::project::codes::is_tax_code;
use dashboards::access::{
    AccountView, AuditLine, Held, LinkPurpose, NewAccount, NewToken, Refused, Role, Scope, Secret,
    SubjectView, TokenView,
};
use model::ProjectId;
use serde_json::json;
use store::AccessChange;

use super::kept::{AccountBody, HeldBody, LINK, Opens, SESSION, State, TOKEN};
use super::sign_in::{account_id, created, words};
use super::{Accounts, LINK_S, drop_all, hex, kept_account, roles_told};
use crate::desk::contacts::is_address;
use crate::runtime::lock;

/// Longest life of a token in days.
const TOKEN_DAYS_MAX: u32 = 3_660;
/// Tokens of one account.
const TOKENS_MAX: usize = 50;
const SECONDS_A_DAY: i64 = 86_400;
/// The roles that a project's subjects have.
const SUBJECT_ROLES: [Role; 2] = [Role::LegalRepresentative, Role::DataEntry];

impl Accounts {
    pub(super) fn view(&self, state: &State, id: &str, body: &AccountBody) -> AccountView {
        let mine = || state.tickets.values().filter(|t| t.account == id && t.opens == Opens::Session);
        let factor = body.second_factor.as_ref().filter(|factor| factor.confirmed);
        AccountView {
            account: id.to_owned(),
            name: body.name.clone(),
            mail: body.mail.clone(),
            tax_code: body.tax_code.clone(),
            is_enabled: body.enabled,
            has_password: body.password.is_some(),
            has_second_factor: factor.is_some(),
            recovery_codes: factor.map_or(0, |factor| factor.recovery.len()),
            roles: body.held(),
            sessions: mine().count(),
            last_seen: mine().map(|ticket| ticket.used).max(),
        }
    }

    pub(crate) fn all(&self) -> Vec<AccountView> {
        let state = lock(&self.state);
        state.accounts.iter().map(|(id, body)| self.view(&state, id, body)).collect()
    }

    pub(super) fn one(&self, id: &str) -> Option<AccountView> {
        let state = lock(&self.state);
        state.accounts.get(id).map(|body| self.view(&state, id, body))
    }

    /// Makes an account and the link to set its password; with `purpose` another kind of link.
    pub(crate) fn add(
        &self,
        new: &NewAccount,
        purpose: LinkPurpose,
        author: &str,
    ) -> Result<Secret, Refused> {
        let (id, body) = body_of(new)?;
        let (secret, ticket) = self.ticket(&id, &Opens::Link(purpose), LINK_S)?;
        self.change(|state| {
            check_free(state, &id, &body)?;
            let event = created(self, &id, &body, author);
            let link = self.event("account.link", &id, author, &json!({ "purpose": purpose.code() }));
            let changes =
                vec![AccessChange::NewAccount(kept_account(&id, &body)?), AccessChange::PutTicket(ticket)];
            Ok((changes, vec![event, link], secret))
        })
    }

    pub(crate) fn set(
        &self,
        id: &str,
        enabled: bool,
        roles: Option<Vec<Held>>,
        author: &str,
    ) -> Result<(), Refused> {
        self.change(|state| {
            let before = state.accounts.get(id).ok_or(Refused::Unknown)?;
            let mut body = before.clone();
            body.enabled = enabled;
            if let Some(roles) = &roles {
                // Subjects that are disabled in a project stay on record there.
                let off = before.roles.iter().filter(|held| held.disabled).cloned();
                body.roles = roles.iter().map(HeldBody::of).chain(off).collect();
            }
            if before.administers() && !body.administers() {
                let others = state.accounts.iter().filter(|(other, _)| *other != id);
                if !others.into_iter().any(|(_, other)| other.administers()) {
                    return Err(Refused::LastAdministrator);
                }
            }
            let mut changes = vec![AccessChange::PutAccount(kept_account(id, &body)?)];
            if !enabled {
                changes.extend([drop_all(id, SESSION), drop_all(id, LINK)]);
            }
            let told = json!({ "enabled": enabled, "roles": roles_told(&body.roles) });
            Ok((changes, vec![self.event("account.set", id, author, &told)], ()))
        })
    }

    pub(crate) fn renew_link(&self, id: &str, purpose: LinkPurpose, author: &str) -> Result<Secret, Refused> {
        let (secret, ticket) = self.ticket(id, &Opens::Link(purpose), LINK_S)?;
        self.change(|state| {
            if !state.accounts.get(id).is_some_and(|body| body.enabled) {
                return Err(Refused::Unknown);
            }
            let event = self.event("account.link", id, author, &json!({ "purpose": purpose.code() }));
            Ok((vec![drop_all(id, LINK), AccessChange::PutTicket(ticket)], vec![event], secret))
        })
    }

    pub(super) fn subjects(&self, project: &ProjectId) -> Vec<SubjectView> {
        let state = lock(&self.state);
        let mut all = Vec::new();
        for (id, body) in &state.accounts {
            for held in &body.roles {
                let Some(known) = held.held().filter(|known| names(known, project)) else { continue };
                all.push(SubjectView {
                    account: id.clone(),
                    name: body.name.clone(),
                    role: known.role,
                    is_enabled: body.enabled && !held.disabled,
                });
            }
        }
        all
    }

    pub(super) fn add_subject(
        &self,
        project: &ProjectId,
        role: Role,
        new: &NewAccount,
        author: &str,
    ) -> Result<Option<Secret>, Refused> {
        if !SUBJECT_ROLES.contains(&role) {
            return Err(Refused::Unreadable);
        }
        let held = Held { role, scope: Scope::Projects(BTreeSet::from([project.clone()])) };
        let new = NewAccount { roles: vec![held.clone()], ..new.clone() };
        let (id, fresh) = body_of(&new)?;
        let (secret, ticket) = self.ticket(&id, &Opens::Link(LinkPurpose::Invitation), LINK_S)?;
        let told = json!({ "project": project.to_string(), "role": role.code(), "enabled": true });
        self.change(|state| {
            let same_person =
                |body: &AccountBody| fresh.tax_code.is_some() && body.tax_code == fresh.tax_code;
            let known = state.accounts.iter().find(|(_, body)| same_person(body));
            let Some((known_id, known)) = known else {
                check_free(state, &id, &fresh)?;
                let changes = vec![
                    AccessChange::NewAccount(kept_account(&id, &fresh)?),
                    AccessChange::PutTicket(ticket),
                ];
                let events = vec![
                    created(self, &id, &fresh, author),
                    self.event("account.subject", &id, author, &told),
                ];
                return Ok((changes, events, Some(secret)));
            };
            let mut body = known.clone();
            let is_it = |h: &HeldBody| h.held().is_some_and(|h| h.role == role && names(&h, project));
            body.roles.retain(|h| !is_it(h));
            body.roles.push(HeldBody::of(&held));
            let put = AccessChange::PutAccount(kept_account(known_id, &body)?);
            Ok((vec![put], vec![self.event("account.subject", known_id, author, &told)], None))
        })
    }

    pub(super) fn set_subject(
        &self,
        project: &ProjectId,
        id: &str,
        role: Role,
        enabled: bool,
        author: &str,
    ) -> Result<(), Refused> {
        self.change(|state| {
            let mut body = state.accounts.get(id).cloned().ok_or(Refused::Unknown)?;
            let is_it = |h: &HeldBody| h.held().is_some_and(|h| h.role == role && names(&h, project));
            let found = body.roles.iter().position(is_it).ok_or(Refused::Unknown)?;
            let mut held = body.roles.remove(found);
            // A role held for several projects is taken apart: the others stay as they are.
            if let Some(projects) = &mut held.projects {
                projects.remove(project.as_str());
            }
            if held.projects.as_ref().is_some_and(|rest| !rest.is_empty()) {
                body.roles.push(held);
            }
            let scope = Scope::Projects(BTreeSet::from([project.clone()]));
            let one = HeldBody { disabled: !enabled, ..HeldBody::of(&Held { role, scope }) };
            body.roles.push(one);
            let told = json!({ "project": project.to_string(), "role": role.code(), "enabled": enabled });
            let put = AccessChange::PutAccount(kept_account(id, &body)?);
            Ok((vec![put], vec![self.event("account.subject", id, author, &told)], ()))
        })
    }

    pub(super) fn tokens(&self) -> Vec<TokenView> {
        let state = lock(&self.state);
        let mut all: Vec<TokenView> = state
            .tickets
            .values()
            .filter_map(|ticket| {
                let Opens::Token { id, label, scopes } = &ticket.opens else { return None };
                Some(TokenView {
                    id: id.clone(),
                    account: ticket.account.clone(),
                    label: label.clone(),
                    scopes: scopes.clone(),
                    created: ticket.created,
                    expires: ticket.expires,
                    last_used: (ticket.created < ticket.used).then_some(ticket.used),
                })
            })
            .collect();
        all.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| a.id.cmp(&b.id)));
        all
    }

    pub(super) fn new_token(&self, new: &NewToken, author: &str) -> Result<Secret, Refused> {
        let label = words(&new.label)?;
        if new.scopes.is_empty() || !(1..=TOKEN_DAYS_MAX).contains(&new.days) {
            return Err(Refused::Unreadable);
        }
        let scopes: Vec<_> = new.scopes.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
        let lasts = i64::from(new.days) * SECONDS_A_DAY;
        let mut opens = Opens::Token { id: String::new(), label, scopes };
        let (secret, mut ticket) = self.ticket(&new.account, &opens, lasts)?;
        // The beginning of the digest tells tokens apart and opens nothing.
        let short = hex(ticket.sha256.get(..6).unwrap_or_default());
        if let Opens::Token { id, .. } = &mut opens {
            id.clone_from(&short);
        }
        ticket.body = opens.body();
        self.change(|state| {
            if !state.accounts.get(&new.account).is_some_and(|body| body.enabled) {
                return Err(Refused::Unknown);
            }
            let of_account = |t: &&super::kept::Open| t.account == new.account && t.opens.kind() == TOKEN;
            if TOKENS_MAX <= state.tickets.values().filter(of_account).count() {
                return Err(Refused::Taken);
            }
            let codes: Vec<&str> = new.scopes.iter().map(|scope| scope.code()).collect();
            let told = json!({ "id": short, "label": new.label, "scopes": codes, "days": new.days });
            let event = self.event("token.create", &new.account, author, &told);
            Ok((vec![AccessChange::PutTicket(ticket)], vec![event], secret))
        })
    }

    pub(super) fn revoke_token(&self, wanted: &str, author: &str) -> Result<(), Refused> {
        self.change(|state| {
            let found = state
                .tickets
                .iter()
                .find(|(_, ticket)| matches!(&ticket.opens, Opens::Token { id, .. } if id == wanted));
            let (sha256, ticket) = found.ok_or(Refused::Unknown)?;
            let event = self.event("token.revoke", &ticket.account, author, &json!({ "id": wanted }));
            Ok((vec![AccessChange::DropTicket(*sha256)], vec![event], ()))
        })
    }

    pub(super) fn audit(&self, before: Option<i64>, limit: u32) -> Vec<AuditLine> {
        let before = before.unwrap_or(i64::MAX);
        let read = || -> Result<Vec<AuditLine>, store::StoreError> {
            let details = self.store.account_details_before(before, limit)?;
            let entries = self.store.audit_before(before, limit)?;
            let line = |entry: store::AuditEntry| AuditLine {
                detail: details.get(&entry.seq).cloned().unwrap_or_default(),
                seq: entry.seq,
                at: entry.at,
                author: entry.author,
                action: entry.action,
                kind: entry.kind,
                subject: entry.subject,
            };
            Ok(entries.into_iter().map(line).collect())
        };
        read().unwrap_or_else(|error| {
            tracing::error!("the audit log cannot be shown: {error}");
            Vec::new()
        })
    }
}

/// Whether a role is a subject's and names the project.
fn names(held: &Held, project: &ProjectId) -> bool {
    let of_project = matches!(&held.scope, Scope::Projects(projects) if projects.contains(project));
    SUBJECT_ROLES.contains(&held.role) && of_project
}

fn body_of(new: &NewAccount) -> Result<(String, AccountBody), Refused> {
    let id = account_id(&new.account)?;
    let tax_code = new.tax_code.as_ref().map(|code| code.trim().to_uppercase());
    if tax_code.as_ref().is_some_and(|code| code.len() != 16 || !is_tax_code(code)) {
        return Err(Refused::Unreadable);
    }
    let mail = new.mail.as_ref().map(|mail| mail.trim().to_owned());
    if mail.as_ref().is_some_and(|mail| !is_address(mail)) {
        return Err(Refused::Unreadable);
    }
    let body = AccountBody {
        name: words(&new.name)?,
        mail,
        tax_code,
        enabled: true,
        roles: new.roles.iter().map(HeldBody::of).collect(),
        password: None,
        second_factor: None,
    };
    Ok((id, body))
}

fn check_free(state: &State, id: &str, body: &AccountBody) -> Result<(), Refused> {
    let same_code = |other: &AccountBody| body.tax_code.is_some() && other.tax_code == body.tax_code;
    if state.accounts.contains_key(id) || state.accounts.values().any(same_code) {
        return Err(Refused::Taken);
    }
    Ok(())
}
