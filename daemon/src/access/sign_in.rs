//! Signing in and out: passwords with codes, sessions, one-time links, and what a person changes of their own account.
//!
//! Must never: say whether a name exists, or let one session's secret outlive what it was opened by.

use std::net::IpAddr;
use std::sync::Arc;

use dashboards::access::{
    Held, LinkPurpose, LinkUse, LinkView, Person, Refused, Role, SecondFactorOffer, Secret, SignIn,
    TokenScope,
};
use model::Instant;
use serde_json::json;
use store::{AccessChange, AccessEvent};

use super::kept::{AccountBody, HeldBody, LINK, Open, Opens, SESSION, SecondFactorBody};
use super::{Accounts, NO_ACCOUNT, drop_all, hex, kept_account, password, totp, unhex};
use crate::runtime::lock;

/// Sessions of one account at a time; the one longest unused ends for a new one.
const SESSIONS_MAX: usize = 16;
/// Longest name of an account, in bytes.
const ACCOUNT_BYTES_MAX: usize = 64;

impl Accounts {
    /// Whether a session is still open: by its own end, and by the pause since its last use.
    fn lives(&self, open: &Open, at: Instant) -> bool {
        let idle_s = at.seconds_since(open.used);
        open.opens == Opens::Session && at < open.expires && idle_s < f64::from(self.terms.idle_s)
    }

    pub(super) fn session(&self, secret: &Secret, at: Instant) -> Option<Arc<Person>> {
        let mut state = lock(&self.state);
        let open = state.tickets.get_mut(&secret.digest())?;
        if !self.lives(open, at) {
            return None;
        }
        if open.used < at {
            (open.used, open.is_touched) = (at, true);
        }
        let account = open.account.clone();
        state.person(&account)
    }

    pub(super) fn whose(&self, secret: &Secret, at: Instant) -> Option<Arc<Person>> {
        let state = lock(&self.state);
        let open = state.tickets.get(&secret.digest()).filter(|open| self.lives(open, at))?;
        state.person(&open.account)
    }

    pub(super) fn token(&self, secret: &Secret, at: Instant) -> Option<(Arc<Person>, Vec<TokenScope>)> {
        let mut state = lock(&self.state);
        let open = state.tickets.get_mut(&secret.digest())?;
        let Opens::Token { scopes, .. } = &open.opens else { return None };
        if open.expires <= at {
            return None;
        }
        let (scopes, account) = (scopes.clone(), open.account.clone());
        if open.used < at {
            (open.used, open.is_touched) = (at, true);
        }
        Some((state.person(&account)?, scopes))
    }

    pub(super) fn sign_in(&self, attempt: &SignIn) -> Result<Secret, Refused> {
        let (name, now) = (attempt.account.trim().to_lowercase(), self.now());
        let name = if name.len() <= ACCOUNT_BYTES_MAX { name } else { String::new() };
        if let Some(seconds) = lock(&self.throttle).wait(&name, attempt.address, now) {
            return Err(Refused::Wait { seconds });
        }
        self.refresh().map_err(super::busy)?;
        let body = lock(&self.state).accounts.get(&name).cloned();
        let kept = body.as_ref().and_then(|body| body.password.as_deref());
        let is_right = password::is_right(&attempt.password, kept);
        let body = body.filter(|body| is_right && body.enabled);
        let judged = match &body {
            None => Err(Refused::Wrong),
            Some(body) => second_factor(body, &attempt.code, now),
        };
        match (judged, body) {
            (Ok(renewed), Some(_)) => {
                let secret = self.open_session(&name, renewed, attempt.address, "password")?;
                lock(&self.throttle).succeeded(&name);
                Ok(secret)
            }
            // The password was right, and nothing was guessed: no failure.
            (Err(Refused::CodeNeeded), _) => Err(Refused::CodeNeeded),
            (Err(refused), _) => {
                self.note_failure(&name, attempt.address, refused);
                Err(refused)
            }
            (Ok(_), None) => Err(Refused::Wrong),
        }
    }

    fn note_failure(&self, name: &str, address: IpAddr, refused: Refused) {
        let noted = lock(&self.throttle).failed(name, address, self.now());
        // What was typed as a name may be a password: only names that are accounts are written down.
        let known = lock(&self.state).accounts.contains_key(name);
        let account = if known { name } else { NO_ACCOUNT };
        let detail = json!({ "from": address.to_string(), "why": refused.code(), "count": noted.count });
        self.note("account.sign_in_failed", account, &detail);
        if noted.locks {
            tracing::warn!(account, %address, "an account has to wait after wrong passwords");
            self.note("account.locked", account, &json!({ "from": address.to_string() }));
        }
    }

    /// A session under a new secret; with it the account's body where that was renewed by signing in.
    pub(super) fn open_session(
        &self,
        account: &str,
        renewed: Option<AccountBody>,
        address: IpAddr,
        by: &str,
    ) -> Result<Secret, Refused> {
        let (secret, ticket) = self.ticket(account, &Opens::Session, i64::from(self.terms.session_s))?;
        self.change(|state| {
            if state.person(account).is_none() {
                return Err(Refused::Wrong);
            }
            let mut changes: Vec<AccessChange> = Vec::new();
            if let Some(body) = &renewed {
                changes.push(AccessChange::PutAccount(kept_account(account, body)?));
            }
            let mut mine: Vec<_> = state
                .tickets
                .iter()
                .filter(|(_, open)| open.account == account && open.opens == Opens::Session)
                .map(|(sha256, open)| (open.used, *sha256))
                .collect();
            mine.sort();
            let over = (mine.len() + 1).saturating_sub(SESSIONS_MAX);
            changes.extend(mine.iter().take(over).map(|(_, sha256)| AccessChange::DropTicket(*sha256)));
            changes.push(AccessChange::PutTicket(ticket));
            let detail = json!({ "from": address.to_string(), "by": by });
            let event = self.event("account.signed_in", account, account, &detail);
            Ok((changes, vec![event], secret))
        })
    }

    pub(super) fn sign_out(&self, secret: &Secret) {
        let done = self.change(|state| {
            let sha256 = secret.digest();
            let Some(open) = state.tickets.get(&sha256).filter(|open| open.opens == Opens::Session) else {
                return Err(Refused::Gone);
            };
            let event = self.event("account.signed_out", &open.account, &open.account, &json!({}));
            Ok((vec![AccessChange::DropTicket(sha256)], vec![event], ()))
        });
        if let Err(refused) = done {
            tracing::debug!("signing out changed nothing: {}", refused.code());
        }
    }

    pub(super) fn sign_out_everywhere(
        &self,
        account: &str,
        but: Option<&Secret>,
        author: &str,
    ) -> Result<(), Refused> {
        self.change(|_| {
            let but = but.map(Secret::digest);
            let (account, kind) = (account.to_owned(), SESSION.to_owned());
            let event = self.event("account.signed_out_everywhere", &account, author, &json!({}));
            Ok((vec![AccessChange::DropTickets { account, kind, but }], vec![event], ()))
        })
    }

    pub(super) fn link(&self, secret: &Secret) -> Option<LinkView> {
        let now = self.now();
        let state = lock(&self.state);
        let open = state.tickets.get(&secret.digest()).filter(|open| now < open.expires)?;
        let Opens::Link(purpose) = open.opens else { return None };
        if purpose == LinkPurpose::FirstRun {
            let first = state.accounts.is_empty();
            return first.then(|| LinkView { purpose, account: String::new(), name: String::new() });
        }
        let body = state.accounts.get(&open.account).filter(|body| body.enabled)?;
        Some(LinkView { purpose, account: open.account.clone(), name: body.name.clone() })
    }

    pub(super) fn use_link(
        &self,
        secret: &Secret,
        with: &LinkUse,
        address: IpAddr,
    ) -> Result<Secret, Refused> {
        if self.refresh().is_err() {
            return Err(Refused::Busy);
        }
        let view = self.link(secret).ok_or(Refused::Gone)?;
        let first = view.purpose == LinkPurpose::FirstRun;
        let account = if first { account_id(&with.account)? } else { view.account.clone() };
        let name = if first { words(&with.name)? } else { view.name.clone() };
        let hash = match view.purpose {
            LinkPurpose::SignIn => None,
            LinkPurpose::FirstRun | LinkPurpose::Invitation | LinkPurpose::Reset => {
                if !password::is_strong(&with.password, &account, &name) {
                    return Err(Refused::Weak);
                }
                Some(password::hash(&with.password).ok_or(Refused::Busy)?)
            }
        };
        let (opened, ticket) = self.ticket(&account, &Opens::Session, i64::from(self.terms.session_s))?;
        let from = json!({ "from": address.to_string(), "purpose": view.purpose.code() });
        self.change(|state| {
            let mut changes = vec![AccessChange::TakeTicket(secret.digest())];
            let mut events = vec![self.event("account.link_used", &account, &account, &from)];
            if first {
                let body = AccountBody {
                    name,
                    mail: None,
                    tax_code: None,
                    enabled: true,
                    roles: vec![HeldBody::of(&Held::everywhere(Role::Administrator))],
                    password: hash,
                    second_factor: None,
                };
                changes.push(AccessChange::NewAccount(kept_account(&account, &body)?));
                let told = json!({ "roles": super::roles_told(&body.roles) });
                events.insert(0, self.event("account.create", &account, &account, &told));
            } else if let Some(hash) = hash {
                let mut body = state.accounts.get(&account).cloned().ok_or(Refused::Gone)?;
                body.password = Some(hash);
                changes.push(AccessChange::PutAccount(kept_account(&account, &body)?));
                // Who had the old password has nothing any more, and neither has another link.
                changes.extend([drop_all(&account, SESSION), drop_all(&account, LINK)]);
                events.push(self.event("account.password", &account, &account, &json!({})));
            }
            changes.push(AccessChange::PutTicket(ticket));
            Ok((changes, events, opened))
        })
    }

    /// The account of a session, without noting a use.
    fn holder(&self, session: &Secret) -> Result<(String, AccountBody), Refused> {
        let state = lock(&self.state);
        let open = state.tickets.get(&session.digest()).filter(|open| open.opens == Opens::Session);
        let open = open.ok_or(Refused::Unknown)?;
        let body = state.accounts.get(&open.account).cloned().ok_or(Refused::Unknown)?;
        Ok((open.account.clone(), body))
    }

    /// Whether a person who is signed in knows their password; guessing it here waits as at the door.
    fn confirm_password(&self, account: &str, body: &AccountBody, given: &str) -> Result<(), Refused> {
        // Of the one throttle only the account's part: who is signed in may sit anywhere.
        let nowhere = IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);
        if let Some(seconds) = lock(&self.throttle).wait(account, nowhere, self.now()) {
            return Err(Refused::Wait { seconds });
        }
        if password::is_right(given, body.password.as_deref()) {
            return Ok(());
        }
        self.note_failure(account, nowhere, Refused::Wrong);
        Err(Refused::Wrong)
    }

    pub(super) fn change_password(&self, session: &Secret, old: &str, new: &str) -> Result<Secret, Refused> {
        let (account, body) = self.holder(session)?;
        self.confirm_password(&account, &body, old)?;
        if !password::is_strong(new, &account, &body.name) || old == new {
            return Err(Refused::Weak);
        }
        let hash = password::hash(new).ok_or(Refused::Busy)?;
        let (secret, ticket) = self.ticket(&account, &Opens::Session, i64::from(self.terms.session_s))?;
        self.change(|state| {
            let mut body = state.accounts.get(&account).cloned().ok_or(Refused::Unknown)?;
            body.password = Some(hash);
            let changes = vec![
                AccessChange::PutAccount(kept_account(&account, &body)?),
                drop_all(&account, SESSION),
                drop_all(&account, LINK),
                AccessChange::PutTicket(ticket),
            ];
            let event = self.event("account.password", &account, &account, &json!({}));
            Ok((changes, vec![event], secret))
        })
    }

    pub(super) fn offer_second_factor(&self, account: &str) -> Result<SecondFactorOffer, Refused> {
        let fresh = totp::new_key().ok_or(Refused::Busy)?;
        let key = self.change(|state| {
            let mut body = state.accounts.get(account).cloned().ok_or(Refused::Unknown)?;
            // A key that was offered before stays: the telephone may know it already.
            let offered = match &body.second_factor {
                Some(factor) if factor.confirmed => return Err(Refused::Taken),
                Some(factor) => unhex(&factor.key),
                None => None,
            };
            let key = offered.unwrap_or_else(|| fresh.to_vec());
            let recovery = Vec::new();
            body.second_factor =
                Some(SecondFactorBody { key: hex(&key), confirmed: false, used: 0, recovery });
            let put = AccessChange::PutAccount(kept_account(account, &body)?);
            Ok((vec![put], Vec::new(), key))
        })?;
        let text = totp::base32(&key);
        let groups: Vec<String> =
            text.as_bytes().chunks(4).map(|part| String::from_utf8_lossy(part).into_owned()).collect();
        // An account's name has no character that an address would take for its own, but `@`, which may stand there.
        let address = format!("otpauth://totp/consuntivo:{account}?secret={text}&issuer=consuntivo");
        Ok(SecondFactorOffer { key: groups.join(" "), address })
    }

    pub(super) fn confirm_second_factor(&self, account: &str, code: &str) -> Result<Vec<String>, Refused> {
        let (codes, recovery) = totp::recovery_codes().ok_or(Refused::Busy)?;
        let seconds = self.now().millis().div_euclid(1000);
        self.change(|state| {
            let mut body = state.accounts.get(account).cloned().ok_or(Refused::Unknown)?;
            let factor = body.second_factor.as_mut().filter(|factor| !factor.confirmed);
            let factor = factor.ok_or(Refused::Unknown)?;
            let key = unhex(&factor.key).ok_or(Refused::Unknown)?;
            factor.used = totp::step_of(&key, code, seconds, 0).ok_or(Refused::CodeWrong)?;
            (factor.confirmed, factor.recovery) = (true, recovery);
            let put = AccessChange::PutAccount(kept_account(account, &body)?);
            let event = self.event("account.second_factor_on", account, account, &json!({}));
            Ok((vec![put], vec![event], codes))
        })
    }

    pub(super) fn end_second_factor(&self, account: &str, given: &str) -> Result<(), Refused> {
        let body = lock(&self.state).accounts.get(account).cloned().ok_or(Refused::Unknown)?;
        self.confirm_password(account, &body, given)?;
        self.change(|state| {
            let mut body = state.accounts.get(account).cloned().ok_or(Refused::Unknown)?;
            body.second_factor = None;
            let put = AccessChange::PutAccount(kept_account(account, &body)?);
            let event = self.event("account.second_factor_off", account, account, &json!({}));
            Ok((vec![put], vec![event], ()))
        })
    }
}

/// Judges the second factor. What changes by a code being used up is returned.
fn second_factor(body: &AccountBody, code: &str, now: Instant) -> Result<Option<AccountBody>, Refused> {
    let Some(factor) = body.second_factor.as_ref().filter(|factor| factor.confirmed) else {
        return Ok(None);
    };
    if code.trim().is_empty() {
        return Err(Refused::CodeNeeded);
    }
    let key = unhex(&factor.key).ok_or(Refused::CodeWrong)?;
    let mut renewed = factor.clone();
    if let Some(step) = totp::step_of(&key, code, now.millis().div_euclid(1000), factor.used) {
        renewed.used = step;
    } else {
        let digest = totp::recovery_digest(code);
        renewed.recovery.retain(|kept| *kept != digest);
        if renewed.recovery.len() == factor.recovery.len() {
            return Err(Refused::CodeWrong);
        }
    }
    Ok(Some(AccountBody { second_factor: Some(renewed), ..body.clone() }))
}

/// What an account may be called: it stands in addresses, logs and the audit log.
pub(super) fn account_id(text: &str) -> Result<String, Refused> {
    let id = text.trim().to_lowercase();
    let first = id.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.@".contains(&b);
    let good = first && id.len() <= ACCOUNT_BYTES_MAX && id.bytes().all(plain);
    if good { Ok(id) } else { Err(Refused::Unreadable) }
}

/// A name or label as a person may write it.
pub(super) fn words(text: &str) -> Result<String, Refused> {
    let text = text.trim();
    let good = !text.is_empty() && text.chars().count() <= 100 && !text.chars().any(char::is_control);
    if good { Ok(text.to_owned()) } else { Err(Refused::Unreadable) }
}

/// Tells of an account that was made.
pub(super) fn created(accounts: &Accounts, id: &str, body: &AccountBody, author: &str) -> AccessEvent {
    let told = json!({ "roles": super::roles_told(&body.roles) });
    accounts.event("account.create", id, author, &told)
}
