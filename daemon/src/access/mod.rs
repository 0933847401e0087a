//! Accounts: who may sign in, by what, for how long, and what is told of it in the audit log. The policy of access
//! lives here; rows are the store's, pages are the dashboards'.
//!
//! Must never: keep, print or log a password, a secret of a session, token or link; let an account in that was disabled.

mod administer;
mod directory;
mod kept;
mod password;
mod provider;
mod sign_in;
mod throttle;
mod totp;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::rand;
use connectors::{Clock, Stop};
use dashboards::access::{Held, LinkPurpose, Refused, Secret};
use model::Instant;
use serde_json::Value;
use store::{AccessChange, AccessEvent, KeptAccount, Store, StoreError, Ticket};

use crate::runtime::lock;
use kept::{AccountBody, HeldBody, Opens, State};
use throttle::Throttle;

pub(crate) use provider::Provider;

/// How often changes by other processes are looked for, and uses written down.
const TEND_EVERY: Duration = Duration::from_secs(2);
/// Ticks between two times that uses are written down.
const TOUCH_TICKS: u32 = 15;
/// How long one-time links work, in seconds.
pub(crate) const LINK_S: i64 = 24 * 3_600;
/// The subject of events that are about no account there is.
const NO_ACCOUNT: &str = "-";
/// Bytes of a secret.
const SECRET_BYTES: usize = 32;

/// What every account is called, by its id: reports are signed by people, not by what they type to sign in.
pub(crate) fn names(store: &Store) -> Result<std::collections::BTreeMap<String, String>, StoreError> {
    let kept = store.access()?.accounts.into_iter();
    let name = |account: KeptAccount| {
        let body: AccountBody = serde_json::from_str(&account.body).ok()?;
        Some((account.id, body.name))
    };
    Ok(kept.filter_map(name).collect())
}

/// How long sessions last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Terms {
    /// Without a use, in seconds.
    pub(crate) idle_s: u32,
    /// At most, in seconds.
    pub(crate) session_s: u32,
}

/// The accounts of this installation.
pub(crate) struct Accounts {
    store: Store,
    clock: Arc<dyn Clock>,
    terms: Terms,
    state: Mutex<State>,
    throttle: Mutex<Throttle>,
    /// Held from reading the accounts until what was made of them is on disk.
    changing: Mutex<()>,
    provider: Option<Provider>,
    /// Projects' own subjects, for those who come by the provider.
    subjects: SubjectSource,
}

/// Legal representatives and data-entry operators as projects name them: tax code, name, what they may do.
pub(crate) type SubjectSource = Box<dyn Fn() -> Vec<NamedSubject> + Send + Sync>;

/// A person that a project names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamedSubject {
    pub(crate) tax_code: String,
    pub(crate) name: String,
    pub(crate) held: Held,
}

impl Accounts {
    /// Reads what the store has. Blocks on the disk.
    pub(crate) fn open(store: Store, clock: Arc<dyn Clock>, terms: Terms) -> Result<Self, StoreError> {
        let state = State::read(store.access()?);
        Ok(Self {
            store,
            clock,
            terms,
            state: Mutex::new(state),
            throttle: Mutex::default(),
            changing: Mutex::default(),
            provider: None,
            subjects: Box::new(Vec::new),
        })
    }

    /// The same with a provider that vouches for people, and what projects say of them.
    pub(crate) fn with_provider(mut self, provider: Provider, subjects: SubjectSource) -> Self {
        self.provider = Some(provider);
        self.subjects = subjects;
        self
    }

    fn now(&self) -> Instant {
        self.clock.now()
    }

    /// Takes on what another process changed. Blocks on the disk.
    pub(crate) fn refresh(&self) -> Result<(), StoreError> {
        if self.store.access_mark()? == lock(&self.state).mark {
            return Ok(());
        }
        let fresh = State::read(self.store.access()?);
        let mut state = lock(&self.state);
        // What was used since it was last written down is not forgotten.
        let touched: Vec<_> =
            state.tickets.iter().filter(|(_, open)| open.is_touched).map(|(k, o)| (*k, o.used)).collect();
        *state = fresh;
        for (sha256, used) in touched {
            if let Some(open) = state.tickets.get_mut(&sha256) {
                (open.used, open.is_touched) = (used, true);
            }
        }
        Ok(())
    }

    /// Makes `work` of the newest state, puts it on disk, then in memory. One at a time.
    fn change<T>(
        &self,
        work: impl FnOnce(&State) -> Result<(Vec<AccessChange>, Vec<AccessEvent>, T), Refused>,
    ) -> Result<T, Refused> {
        let _turn = lock(&self.changing);
        self.refresh().map_err(busy)?;
        let (seen, (changes, events, made)) = {
            let state = lock(&self.state);
            (state.mark, work(&state)?)
        };
        let mark = self.store.change_access(Some(seen), changes.clone(), events);
        let mark = mark.map_err(|error| match error {
            // Between the refresh and the change another process was faster, or a link was used twice.
            StoreError::Refused { .. } => Refused::Gone,
            error => busy(error),
        })?;
        let mut state = lock(&self.state);
        changes.iter().for_each(|change| state.apply(change));
        state.mark = mark;
        Ok(made)
    }

    fn event(&self, action: &str, account: &str, author: &str, detail: &Value) -> AccessEvent {
        AccessEvent {
            at: self.now(),
            author: author.to_owned(),
            action: action.to_owned(),
            account: account.to_owned(),
            detail: detail.to_string(),
        }
    }

    /// Enters an event that changes nothing. What cannot be entered is said in the log of the process.
    fn note(&self, action: &str, account: &str, detail: &Value) {
        let event = self.event(action, account, account, detail);
        if let Err(error) = self.store.change_access(None, Vec::new(), vec![event]) {
            tracing::error!(action, account, "an event could not be entered in the audit log: {error}");
        }
    }

    fn ticket(&self, account: &str, opens: &Opens, lasts_s: i64) -> Result<(Secret, Ticket), Refused> {
        let secret = fresh_secret().ok_or(Refused::Busy)?;
        let now = self.now();
        let ticket = Ticket {
            sha256: secret.digest(),
            kind: opens.kind().to_owned(),
            account: account.to_owned(),
            body: opens.body(),
            created: now,
            used: now,
            expires: now.plus_seconds(lasts_s),
        };
        Ok((secret, ticket))
    }

    /// A one-time link to make the first administrator; `None` where there is an account. Earlier ones end.
    pub(crate) fn first_run(&self) -> Result<Option<Secret>, Refused> {
        if !lock(&self.state).accounts.is_empty() {
            return Ok(None);
        }
        let (secret, ticket) = self.ticket(NO_ACCOUNT, &Opens::Link(LinkPurpose::FirstRun), LINK_S)?;
        self.change(|_| {
            let earlier = drop_all(NO_ACCOUNT, kept::LINK);
            // Made at every start until it is used: its use is what the audit log tells.
            Ok((vec![earlier, AccessChange::PutTicket(ticket)], Vec::new(), Some(secret)))
        })
    }

    /// Writes down when sessions and tokens were last used, and drops what is over. Blocks on the disk.
    fn keep_uses(&self) -> Result<(), StoreError> {
        let now = self.now();
        let mut changes = Vec::new();
        {
            let mut state = lock(&self.state);
            for (sha256, open) in &mut state.tickets {
                if std::mem::take(&mut open.is_touched) {
                    changes.push(AccessChange::Touch { sha256: *sha256, used: open.used });
                }
            }
            if state.tickets.values().any(|open| open.expires < now) {
                changes.push(AccessChange::DropExpired(now));
            }
        }
        if !changes.is_empty() {
            self.store.change_access(None, changes, Vec::new())?;
            self.refresh()?;
        }
        Ok(())
    }
}

/// Keeps the accounts up to date with other processes, and their uses on disk, until told to stop.
pub(crate) async fn tend(accounts: Arc<Accounts>, mut stop: Stop) {
    let mut tick = tokio::time::interval(TEND_EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let mut ticks = 0_u32;
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = stop.stopped() => return,
        }
        ticks = ticks.wrapping_add(1);
        let worker = Arc::clone(&accounts);
        let writes = ticks.is_multiple_of(TOUCH_TICKS);
        let done = tokio::task::spawn_blocking(move || {
            worker.refresh()?;
            if writes { worker.keep_uses() } else { Ok(()) }
        });
        match done.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!("the accounts cannot be kept up to date: {error}"),
            Err(error) => tracing::error!(%error, "keeping the accounts panicked"),
        }
    }
}

fn drop_all(account: &str, kind: &str) -> AccessChange {
    AccessChange::DropTickets { account: account.to_owned(), kind: kind.to_owned(), but: None }
}

fn busy(error: StoreError) -> Refused {
    tracing::error!("the accounts cannot be kept: {error}");
    Refused::Busy
}

fn kept_account(id: &str, body: &AccountBody) -> Result<KeptAccount, Refused> {
    let body = serde_json::to_string(body).map_err(|_| Refused::Busy)?;
    Ok(KeptAccount { id: id.to_owned(), body })
}

fn roles_told(roles: &[HeldBody]) -> Value {
    serde_json::to_value(roles).unwrap_or_default()
}

fn fresh_secret() -> Option<Secret> {
    let mut bytes = [0; SECRET_BYTES];
    rand::fill(&mut bytes).ok()?;
    Secret::from_text(&hex(&bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits.chunks(2).map(byte).collect()
}
