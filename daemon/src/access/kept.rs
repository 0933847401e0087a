//! How accounts and tickets are written down, and what is held of them in memory.
//!
//! Must never: hold a secret that opens something by itself, but the key of a second factor, which makes codes only.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use dashboards::access::{Held, LinkPurpose, Person, Role, Scope, TokenScope};
use model::{BuildingId, Instant, ProjectId};
use serde::{Deserialize, Serialize};
use store::{AccessChange, KeptAccess, KeptAccount, Ticket};

pub(super) const SESSION: &str = "session";
pub(super) const TOKEN: &str = "token";
pub(super) const LINK: &str = "link";

/// An account's body in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AccountBody {
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) mail: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tax_code: Option<String>,
    pub(crate) enabled: bool,
    pub(crate) roles: Vec<HeldBody>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) password: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) second_factor: Option<SecondFactorBody>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SecondFactorBody {
    /// Hexadecimal.
    pub(super) key: String,
    /// Not of effect before its first code came.
    pub(super) confirmed: bool,
    /// The step of the last code taken.
    pub(super) used: i64,
    /// Digests of recovery codes not used yet.
    pub(super) recovery: Vec<String>,
}

/// A role and where it is held. With neither projects nor buildings: everywhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HeldBody {
    pub(crate) role: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) projects: Option<BTreeSet<String>>,
    /// Project and building.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) buildings: Option<BTreeSet<(String, String)>>,
    /// Taken away for a time; a subject that is disabled stays on record.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) disabled: bool,
}

impl HeldBody {
    pub(crate) fn of(held: &Held) -> Self {
        let bare =
            Self { role: held.role.code().to_owned(), projects: None, buildings: None, disabled: false };
        match &held.scope {
            Scope::All => bare,
            Scope::Projects(ids) => {
                Self { projects: Some(ids.iter().map(ToString::to_string).collect()), ..bare }
            }
            Scope::Buildings(ids) => Self {
                buildings: Some(ids.iter().map(|(p, b)| (p.to_string(), b.to_string())).collect()),
                ..bare
            },
        }
    }

    /// `None` for a role that this version does not know: it gives nothing.
    pub(super) fn held(&self) -> Option<Held> {
        let role = Role::parse(&self.role)?;
        let scope = match (&self.projects, &self.buildings) {
            (None, None) => Scope::All,
            (Some(ids), None) => {
                Scope::Projects(ids.iter().filter_map(|id| ProjectId::new(id).ok()).collect())
            }
            (None, Some(ids)) => Scope::Buildings(
                ids.iter()
                    .filter_map(|(p, b)| ProjectId::new(p).ok().zip(BuildingId::new(b).ok()))
                    .collect(),
            ),
            // Written by nobody of us.
            (Some(_), Some(_)) => return None,
        };
        Some(Held { role, scope })
    }
}

impl AccountBody {
    /// The roles that are in force.
    pub(super) fn held(&self) -> Vec<Held> {
        self.roles.iter().filter(|held| !held.disabled).filter_map(HeldBody::held).collect()
    }

    /// Whether it could let others in again after everybody else was shut out.
    pub(super) fn administers(&self) -> bool {
        self.enabled && self.held().contains(&Held::everywhere(Role::Administrator))
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct TokenBody {
    id: String,
    label: String,
    scopes: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct LinkBody {
    purpose: String,
}

/// What a ticket opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Opens {
    Session,
    Token { id: String, label: String, scopes: Vec<TokenScope> },
    Link(LinkPurpose),
}

impl Opens {
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Session => SESSION,
            Self::Token { .. } => TOKEN,
            Self::Link(_) => LINK,
        }
    }

    pub(super) fn body(&self) -> String {
        let body = match self {
            Self::Session => Ok("{}".to_owned()),
            Self::Token { id, label, scopes } => serde_json::to_string(&TokenBody {
                id: id.clone(),
                label: label.clone(),
                scopes: scopes.iter().map(|scope| scope.code().to_owned()).collect(),
            }),
            Self::Link(purpose) => {
                serde_json::to_string(&LinkBody { purpose: purpose.code().to_owned() })
            }
        };
        // Plain structs of texts always serialise; what does not opens nothing.
        body.unwrap_or_default()
    }

    fn read(ticket: &Ticket) -> Option<Self> {
        match ticket.kind.as_str() {
            SESSION => Some(Self::Session),
            TOKEN => {
                let body: TokenBody = serde_json::from_str(&ticket.body).ok()?;
                let scopes = body.scopes.iter().filter_map(|code| TokenScope::parse(code)).collect();
                Some(Self::Token { id: body.id, label: body.label, scopes })
            }
            LINK => {
                let body: LinkBody = serde_json::from_str(&ticket.body).ok()?;
                LinkPurpose::parse(&body.purpose).map(Self::Link)
            }
            _ => None,
        }
    }
}

/// A ticket in memory.
#[derive(Debug, Clone)]
pub(super) struct Open {
    pub(super) account: String,
    pub(super) opens: Opens,
    pub(super) created: Instant,
    pub(super) used: Instant,
    pub(super) expires: Instant,
    /// Used since that was last written down.
    pub(super) is_touched: bool,
}

/// Everything of one mark.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) mark: i64,
    pub(super) accounts: BTreeMap<String, AccountBody>,
    pub(super) tickets: HashMap<[u8; 32], Open>,
    persons: BTreeMap<String, Arc<Person>>,
}

impl State {
    pub(super) fn read(kept: KeptAccess) -> Self {
        let mut state = Self { mark: kept.mark, ..Self::default() };
        for account in &kept.accounts {
            state.put_account(account);
        }
        for ticket in &kept.tickets {
            state.put_ticket(ticket);
        }
        state
    }

    /// The account as requests see it; `None` while it is disabled.
    pub(super) fn person(&self, account: &str) -> Option<Arc<Person>> {
        self.persons.get(account).map(Arc::clone)
    }

    /// Does in memory what the store has done.
    pub(super) fn apply(&mut self, change: &AccessChange) {
        match change {
            AccessChange::PutAccount(account) | AccessChange::NewAccount(account) => {
                self.put_account(account);
            }
            AccessChange::PutTicket(ticket) => self.put_ticket(ticket),
            AccessChange::TakeTicket(sha256) | AccessChange::DropTicket(sha256) => {
                self.tickets.remove(sha256);
            }
            AccessChange::DropTickets { account, kind, but } => self.tickets.retain(|sha256, open| {
                open.account != *account || open.opens.kind() != kind || Some(*sha256) == *but
            }),
            AccessChange::Touch { .. } => {}
            AccessChange::DropExpired(before) => self.tickets.retain(|_, open| *before <= open.expires),
        }
    }

    fn put_account(&mut self, kept: &KeptAccount) {
        let body: AccountBody = match serde_json::from_str(&kept.body) {
            Ok(body) => body,
            Err(error) => {
                tracing::error!(
                    account = %kept.id,
                    "an account cannot be read and stays shut: {error}; the store was changed from outside, or by a newer version"
                );
                self.persons.remove(&kept.id);
                return;
            }
        };
        if body.enabled {
            let person =
                Person { account: kept.id.clone(), name: body.name.clone(), roles: body.held() };
            self.persons.insert(kept.id.clone(), Arc::new(person));
        } else {
            self.persons.remove(&kept.id);
        }
        self.accounts.insert(kept.id.clone(), body);
    }

    fn put_ticket(&mut self, ticket: &Ticket) {
        // What cannot be read opens nothing.
        let Some(opens) = Opens::read(ticket) else { return };
        let open = Open {
            account: ticket.account.clone(),
            opens,
            created: ticket.created,
            used: ticket.used,
            expires: ticket.expires,
            is_touched: false,
        };
        self.tickets.insert(ticket.sha256, open);
    }
}
