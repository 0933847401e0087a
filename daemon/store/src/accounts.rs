//! Accounts, and the tickets that open them: sessions, tokens, one-time links.
//!
//! Must never: know what a body means, keep a secret itself, or change an account without its audit entry.

use std::collections::BTreeMap;

use model::{Digest, Instant};
use rusqlite::{Connection, OptionalExtension};

use crate::audit::{self, AuditBreak, Change, FieldHasher};
use crate::error::{Fault, StoreError};
use crate::records::check_text;
use crate::store::Store;

/// Longest id, kind or author in bytes.
const NAME_BYTES_MAX: usize = 256;
/// Longest body or detail in bytes.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// Most accounts.
pub const ACCOUNTS_MAX: usize = 50_000;
/// Most tickets of all kinds.
pub const TICKETS_MAX: usize = 100_000;
/// The kind of audit entries about accounts.
pub const ACCOUNT_KIND: &str = "account";

/// An account as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAccount {
    pub id: String,
    pub body: String,
}

/// The digest of a secret that somebody holds, and what it opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    pub sha256: [u8; 32],
    pub kind: String,
    pub account: String,
    pub body: String,
    pub created: Instant,
    pub used: Instant,
    pub expires: Instant,
}

/// One change of accounts or tickets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessChange {
    PutAccount(KeptAccount),
    /// The account must not be there yet.
    NewAccount(KeptAccount),
    PutTicket(Ticket),
    /// The ticket must be there: what can be used once is used once.
    TakeTicket([u8; 32]),
    DropTicket([u8; 32]),
    /// Those of an account, of one kind, but for one.
    DropTickets {
        account: String,
        kind: String,
        but: Option<[u8; 32]>,
    },
    Touch {
        sha256: [u8; 32],
        used: Instant,
    },
    /// Tickets whose time ended before.
    DropExpired(Instant),
}

/// What the audit log says of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessEvent {
    pub at: Instant,
    pub author: String,
    pub action: String,
    pub account: String,
    /// More about it; holds no secret.
    pub detail: String,
}

/// Accounts and tickets of one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeptAccess {
    /// Which moment: another number after every change.
    pub mark: i64,
    /// In order of id.
    pub accounts: Vec<KeptAccount>,
    pub tickets: Vec<Ticket>,
}

fn content(event: &AccessEvent) -> Digest {
    let mut hasher = FieldHasher::default();
    hasher.field(event.account.as_bytes()).field(event.detail.as_bytes());
    hasher.digest()
}

fn note(conn: &Connection, event: &AccessEvent) -> Result<(), Fault> {
    let change = Change {
        at: event.at,
        author: &event.author,
        action: &event.action,
        kind: ACCOUNT_KIND,
        subject: &event.account,
        content: content(event),
    };
    let seq = audit::append(conn, &change)?;
    conn.prepare_cached("INSERT INTO account_event (audit, detail) VALUES (?1, ?2)")?
        .execute((seq, &event.detail))?;
    Ok(())
}

fn count(conn: &Connection, table: &str) -> Result<usize, Fault> {
    let count: i64 = conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

fn put_account(conn: &Connection, account: &KeptAccount) -> Result<(), Fault> {
    conn.prepare_cached(
        "INSERT INTO account (id, body) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET body = excluded.body",
    )?
    .execute((&account.id, &account.body))?;
    Ok(())
}

fn put_ticket(conn: &Connection, ticket: &Ticket) -> Result<(), Fault> {
    if TICKETS_MAX <= count(conn, "ticket")? {
        let says = format!("there are {TICKETS_MAX} sessions, tokens and links already");
        return Err(StoreError::refused("a session, token or link", says).into());
    }
    conn.prepare_cached(
        "INSERT INTO ticket (sha256, kind, account, body, created_ms, used_ms, expires_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute((
        ticket.sha256,
        &ticket.kind,
        &ticket.account,
        &ticket.body,
        ticket.created.millis(),
        ticket.used.millis(),
        ticket.expires.millis(),
    ))?;
    Ok(())
}

fn apply(conn: &Connection, change: &AccessChange) -> Result<(), Fault> {
    match change {
        AccessChange::PutAccount(account) => put_account(conn, account)?,
        AccessChange::NewAccount(account) => {
            let known = conn
                .query_row("SELECT 1 FROM account WHERE id = ?1", [&account.id], |_| Ok(()))
                .optional()?;
            if known.is_some() {
                let subject = format!("the account {:?}", account.id);
                return Err(StoreError::refused(subject, "there is one of this name").into());
            }
            if ACCOUNTS_MAX <= count(conn, "account")? {
                let says = format!("there are {ACCOUNTS_MAX} already");
                return Err(StoreError::refused("an account", says).into());
            }
            put_account(conn, account)?;
        }
        AccessChange::PutTicket(ticket) => put_ticket(conn, ticket)?,
        AccessChange::TakeTicket(sha256) => {
            if conn.execute("DELETE FROM ticket WHERE sha256 = ?1", [sha256])? != 1 {
                return Err(StoreError::refused("a one-time secret", "it was used already").into());
            }
        }
        AccessChange::DropTicket(sha256) => {
            conn.execute("DELETE FROM ticket WHERE sha256 = ?1", [sha256])?;
        }
        AccessChange::DropTickets { account, kind, but } => {
            let but = but.map_or_else(Vec::new, |sha256| sha256.to_vec());
            conn.execute(
                "DELETE FROM ticket WHERE account = ?1 AND kind = ?2 AND sha256 <> ?3",
                (account, kind, but),
            )?;
        }
        AccessChange::Touch { sha256, used } => {
            conn.execute("UPDATE ticket SET used_ms = ?2 WHERE sha256 = ?1", (sha256, used.millis()))?;
        }
        AccessChange::DropExpired(before) => {
            conn.execute("DELETE FROM ticket WHERE expires_ms < ?1", [before.millis()])?;
        }
    }
    Ok(())
}

fn mark(conn: &Connection) -> Result<i64, Fault> {
    Ok(conn
        .prepare_cached("SELECT value FROM counter WHERE name = 'access_changes'")?
        .query_row([], |row| row.get(0))?)
}

/// Compares what is said of every event with its audit entry.
pub(crate) fn verify(conn: &Connection) -> Result<Option<AuditBreak>, Fault> {
    let mut select = conn.prepare(
        "SELECT a.seq, a.subject, a.content, e.detail FROM audit a LEFT JOIN account_event e ON e.audit = a.seq
         WHERE a.kind = ?1 ORDER BY a.seq",
    )?;
    let mut rows = select.query([ACCOUNT_KIND])?;
    while let Some(row) = rows.next()? {
        let (seq, account): (i64, String) = (row.get(0)?, row.get(1)?);
        let detail: Option<String> = row.get(3)?;
        let told = detail.map(|detail| {
            let (author, action) = (String::new(), String::new());
            content(&AccessEvent { at: Instant::default(), author, action, account: account.clone(), detail })
        });
        if told != Some(Digest(row.get(2)?)) {
            let what = format!("what happened to the account {account:?}");
            return Ok(Some(AuditBreak::Content { what, seq }));
        }
    }
    Ok(None)
}

impl Store {
    /// Makes all changes and enters the events in the audit log, or does nothing of it. Returns the new mark.
    /// `seen` is the mark of what the changes were made from; another process may have changed it since.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when it did, for a name or body that is empty or too long, an account that is there already, a
    /// one-time ticket that is not there, or too many of them; the database's own.
    pub fn change_access(
        &self,
        seen: Option<i64>,
        changes: Vec<AccessChange>,
        events: Vec<AccessEvent>,
    ) -> Result<i64, StoreError> {
        for change in &changes {
            check(change)?;
        }
        for event in &events {
            check_text("the author of a change", &event.author, NAME_BYTES_MAX)?;
            check_text("the action", &event.action, NAME_BYTES_MAX)?;
            check_text("the account of an event", &event.account, NAME_BYTES_MAX)?;
            if BODY_BYTES_MAX < event.detail.len() {
                return Err(StoreError::refused("the detail of an event", "it is too long"));
            }
        }
        self.write("change accounts", move |conn| {
            let now = mark(conn)?;
            if seen.is_some_and(|seen| seen != now) {
                let says = "another process changed them meanwhile; try again";
                return Err(StoreError::refused("the accounts", says).into());
            }
            for change in &changes {
                apply(conn, change)?;
            }
            for event in &events {
                note(conn, event)?;
            }
            // Only noting when something was last used concerns nobody else.
            if changes.iter().any(|change| !matches!(change, AccessChange::Touch { .. })) {
                conn.execute("UPDATE counter SET value = value + 1 WHERE name = 'access_changes'", [])?;
            }
            mark(conn)
        })
    }

    /// All accounts and tickets.
    ///
    /// # Errors
    /// The database's own.
    pub fn access(&self) -> Result<KeptAccess, StoreError> {
        self.read("read the accounts", |conn| {
            let snapshot = conn.unchecked_transaction()?;
            let mut select = snapshot.prepare_cached("SELECT id, body FROM account ORDER BY id")?;
            let account = |row: &rusqlite::Row<'_>| Ok(KeptAccount { id: row.get(0)?, body: row.get(1)? });
            let accounts = select.query_map([], account)?.collect::<Result<_, _>>()?;
            let mut select = snapshot.prepare_cached(
                "SELECT sha256, kind, account, body, created_ms, used_ms, expires_ms FROM ticket",
            )?;
            let ticket = |row: &rusqlite::Row<'_>| {
                Ok(Ticket {
                    sha256: row.get(0)?,
                    kind: row.get(1)?,
                    account: row.get(2)?,
                    body: row.get(3)?,
                    created: Instant::from_millis(row.get(4)?),
                    used: Instant::from_millis(row.get(5)?),
                    expires: Instant::from_millis(row.get(6)?),
                })
            };
            let tickets = select.query_map([], ticket)?.collect::<Result<_, _>>()?;
            Ok(KeptAccess { mark: mark(&snapshot)?, accounts, tickets })
        })
    }

    /// The number that changes with every change of accounts or tickets, by whatever process.
    ///
    /// # Errors
    /// The database's own.
    pub fn access_mark(&self) -> Result<i64, StoreError> {
        self.read("read the mark of accounts", mark)
    }

    /// What the newest `limit` audit entries about accounts say besides their action, by number.
    ///
    /// # Errors
    /// The database's own.
    pub fn account_details(&self, limit: u32) -> Result<BTreeMap<i64, String>, StoreError> {
        self.account_details_before(i64::MAX, limit)
    }

    /// The same of audit entries with numbers below `before`.
    ///
    /// # Errors
    /// The database's own.
    pub fn account_details_before(
        &self,
        before: i64,
        limit: u32,
    ) -> Result<BTreeMap<i64, String>, StoreError> {
        self.read("read the details of account events", |conn| {
            let mut select = conn.prepare_cached(
                "SELECT audit, detail FROM account_event WHERE audit < ?1 ORDER BY audit DESC LIMIT ?2",
            )?;
            let rows = select.query_map((before, limit), |row| Ok((row.get(0)?, row.get(1)?)))?;
            let all = rows.collect::<Result<_, _>>()?;
            Ok(all)
        })
    }
}

fn check(change: &AccessChange) -> Result<(), StoreError> {
    let body = |what: &str, body: &str| {
        if BODY_BYTES_MAX < body.len() {
            return Err(StoreError::refused(what, format!("it has {} bytes", body.len())));
        }
        Ok(())
    };
    match change {
        AccessChange::PutAccount(account) | AccessChange::NewAccount(account) => {
            check_text("the id of an account", &account.id, NAME_BYTES_MAX)?;
            body("the body of an account", &account.body)
        }
        AccessChange::PutTicket(ticket) => {
            check_text("the kind of a ticket", &ticket.kind, NAME_BYTES_MAX)?;
            check_text("the account of a ticket", &ticket.account, NAME_BYTES_MAX)?;
            body("the body of a ticket", &ticket.body)
        }
        AccessChange::TakeTicket(_)
        | AccessChange::DropTicket(_)
        | AccessChange::DropTickets { .. }
        | AccessChange::Touch { .. }
        | AccessChange::DropExpired(_) => Ok(()),
    }
}
