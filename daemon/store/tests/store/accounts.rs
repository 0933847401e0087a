//! Accounts and tickets: all or nothing, once or never, and every change in the chain.
//!
//! Must never: hold a real person's data.

use model::Instant;
use store::{AccessChange, AccessEvent, KeptAccount, Store, StoreError, StoreOptions, Ticket};

use crate::support::stranger;

pub(crate) fn account(id: &str) -> KeptAccount {
    KeptAccount { id: id.to_owned(), body: "{}".to_owned() }
}

pub(crate) fn ticket(byte: u8, account: &str, kind: &str) -> Ticket {
    Ticket {
        sha256: [byte; 32],
        kind: kind.to_owned(),
        account: account.to_owned(),
        body: "{}".to_owned(),
        created: Instant::from_seconds(10),
        used: Instant::from_seconds(20),
        expires: Instant::from_seconds(30),
    }
}

pub(crate) fn event(action: &str, account: &str) -> AccessEvent {
    AccessEvent {
        at: Instant::from_seconds(5),
        author: "office".to_owned(),
        action: action.to_owned(),
        account: account.to_owned(),
        detail: "{\"from\":\"127.0.0.1\"}".to_owned(),
    }
}

fn refused(result: Result<i64, StoreError>) -> bool {
    matches!(result, Err(StoreError::Refused { .. }))
}

#[test]
fn changes_are_made_together_and_told() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
    let before = store.access_mark().unwrap();
    let changes = vec![
        AccessChange::NewAccount(account("rosa")),
        AccessChange::PutTicket(ticket(1, "rosa", "session")),
        AccessChange::PutTicket(ticket(2, "rosa", "session")),
        AccessChange::PutTicket(ticket(3, "rosa", "link")),
    ];
    let mark = store.change_access(None, changes, vec![event("account.create", "rosa")]).unwrap();
    assert_ne!(mark, before);
    let kept = store.access().unwrap();
    assert_eq!((kept.mark, kept.accounts.len(), kept.tickets.len()), (mark, 1, 3));
    assert!(kept.tickets.contains(&ticket(3, "rosa", "link")));

    // Made of what is not any more: nothing is done.
    let stale = vec![AccessChange::DropTicket([1; 32])];
    assert!(refused(store.change_access(Some(before), stale, Vec::new())));

    // The second of the same id takes nothing of its company with it.
    let again =
        vec![AccessChange::DropTicket([1; 32]), AccessChange::NewAccount(account("rosa"))];
    assert!(refused(store.change_access(Some(mark), again, vec![event("account.create", "rosa")])));
    assert_eq!(store.access().unwrap(), kept);

    let but = AccessChange::DropTickets {
        account: "rosa".to_owned(),
        kind: "session".to_owned(),
        but: Some([2; 32]),
    };
    store.change_access(None, vec![but], Vec::new()).unwrap();
    let left: Vec<u8> = store.access().unwrap().tickets.iter().map(|t| t.sha256[0]).collect();
    assert_eq!(left, [2, 3]);
    assert_eq!(store.audit(9).unwrap().len(), 1);
    assert_eq!(store.account_details(9).unwrap().len(), 1);
    store.verify_audit().unwrap();
}

#[test]
fn what_works_once_works_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
    store.change_access(None, vec![AccessChange::PutTicket(ticket(1, "a", "link"))], Vec::new()).unwrap();
    let take = || store.change_access(None, vec![AccessChange::TakeTicket([1; 32])], Vec::new());
    take().unwrap();
    assert!(refused(take()));
}

#[test]
fn time_ends_tickets_and_use_changes_no_mark() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
    let mark = store
        .change_access(None, vec![AccessChange::PutTicket(ticket(1, "a", "session"))], Vec::new())
        .unwrap();
    let used = Instant::from_seconds(25);
    let touched = store.change_access(None, vec![AccessChange::Touch { sha256: [1; 32], used }], Vec::new());
    assert_eq!(touched.unwrap(), mark);
    assert_eq!(store.access().unwrap().tickets[0].used, used);
    let drop = |s| store.change_access(None, vec![AccessChange::DropExpired(Instant::from_seconds(s))], Vec::new());
    drop(30).unwrap();
    assert_eq!(store.access().unwrap().tickets.len(), 1);
    drop(31).unwrap();
    assert_eq!(store.access().unwrap().tickets.len(), 0);
}

#[test]
fn an_edit_of_what_is_told_shows() {
    let edits = [
        "UPDATE account_event SET detail = '{}'",
        "DELETE FROM account_event",
    ];
    for edit in edits {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
        store
            .change_access(None, vec![AccessChange::NewAccount(account("a"))], vec![event("account.create", "a")])
            .unwrap();
        store.verify_audit().unwrap();
        stranger(dir.path()).execute(edit, []).unwrap();
        let broken = store.verify_audit().unwrap_err().to_string();
        assert!(broken.contains("account \"a\"") && broken.contains("audit entry 1"), "{broken}");
    }
}
