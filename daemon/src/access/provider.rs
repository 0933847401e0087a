//! Signing in at an organisation's provider (SPID, CIE), and whom of us it vouches for.
//!
//! Must never: take a person for somebody by anything but the tax code that the provider signed, or make an account for
//! somebody whom no project names.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Mutex;

use connectors::identity::{Identity, IdentityProvider, Started};
use dashboards::access::{Departure, Held, Refused, Secret};
use model::Instant;
use serde_json::json;
use store::AccessChange;

use super::kept::{AccountBody, HeldBody};
use super::sign_in::created;
use super::{Accounts, NamedSubject, kept_account};
use crate::runtime::lock;

/// People on their way to the provider and back, at most.
const AWAY_MAX: usize = 1_000;
/// How long they may take, in seconds.
const AWAY_S: f64 = 600.0;

/// A provider, and who is on the way there.
pub(crate) struct Provider {
    /// What its button says.
    pub(crate) name: String,
    identity: IdentityProvider,
    away: Mutex<HashMap<String, Away>>,
}

struct Away {
    started: Started,
    /// The digest of the browser's own secret: another browser cannot finish what this one began.
    form: [u8; 32],
    next: String,
    since: Instant,
}

impl Provider {
    pub(crate) fn new(name: String, identity: IdentityProvider) -> Self {
        Self { name, identity, away: Mutex::default() }
    }
}

impl Accounts {
    pub(super) fn depart(&self, form: &Secret, next: &str) -> Result<Departure, Refused> {
        let provider = self.provider.as_ref().ok_or(Refused::Provider)?;
        let (to, started) = provider.identity.start().map_err(|error| {
            tracing::warn!("the login provider cannot be used: {error}");
            Refused::Provider
        })?;
        let now = self.now();
        let mut away = lock(&provider.away);
        away.retain(|_, one| now.seconds_since(one.since) < AWAY_S);
        if AWAY_MAX <= away.len() {
            return Err(Refused::Busy);
        }
        let one = Away { form: form.digest(), next: next.to_owned(), since: now, started };
        away.insert(one.started.state.clone(), one);
        Ok(Departure { to })
    }

    pub(super) fn arrive(
        &self,
        form: &Secret,
        state: &str,
        code: &str,
        address: IpAddr,
    ) -> Result<(Secret, String), Refused> {
        let provider = self.provider.as_ref().ok_or(Refused::Provider)?;
        // Used up whatever comes of it.
        let away = lock(&provider.away).remove(state).ok_or(Refused::Provider)?;
        if away.form != form.digest() || AWAY_S <= self.now().seconds_since(away.since) {
            return Err(Refused::Provider);
        }
        let identity = provider.identity.finish(&away.started, code).map_err(|error| {
            tracing::warn!("the login provider did not vouch for a person: {error}");
            Refused::Provider
        })?;
        let account = self.account_of(&identity, address)?;
        let secret = self.open_session(&account, None, address, "provider")?;
        Ok((secret, away.next))
    }

    /// The account of a tax code. Who has none and is a subject of a project gets one (requirement B8: subjects enabled
    /// there are enabled here).
    fn account_of(&self, identity: &Identity, address: IpAddr) -> Result<String, Refused> {
        let code = &identity.tax_code;
        self.refresh().map_err(super::busy)?;
        let known = {
            let state = lock(&self.state);
            let found = state.accounts.iter().find(|(_, body)| body.tax_code.as_ref() == Some(code));
            found.map(|(id, body)| (id.clone(), body.enabled))
        };
        let stranger = |why: &str| {
            let detail = json!({ "from": address.to_string(), "why": why, "by": "provider" });
            self.note("account.sign_in_failed", super::NO_ACCOUNT, &detail);
            Refused::Stranger
        };
        match known {
            Some((id, true)) => return Ok(id),
            Some((_, false)) => return Err(stranger("disabled")),
            None => {}
        }
        let named: Vec<NamedSubject> =
            (self.subjects)().into_iter().filter(|subject| subject.tax_code == *code).collect();
        let Some(first) = named.first() else { return Err(stranger("stranger")) };
        let roles: BTreeSet<Held> = named.iter().map(|subject| subject.held.clone()).collect();
        let body = AccountBody {
            name: first.name.clone(),
            mail: None,
            tax_code: Some(code.clone()),
            enabled: true,
            roles: roles.iter().map(HeldBody::of).collect(),
            password: None,
            second_factor: None,
        };
        let id = code.to_lowercase();
        self.change(|state| {
            if state.accounts.contains_key(&id) {
                return Err(Refused::Taken);
            }
            let event = created(self, &id, &body, "provider");
            Ok((vec![AccessChange::NewAccount(kept_account(&id, &body)?)], vec![event], ()))
        })?;
        Ok(id)
    }
}

#[cfg(test)]
mod tests;
