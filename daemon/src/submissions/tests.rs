//! What a submission allows at which stage, and what is said of figures that changed after it was frozen.
//!
//! Must never: send anything.

use store::StoreOptions;

use super::*;

fn opened() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
    (dir, store)
}

fn key() -> Key {
    Key { project: ProjectId::new("p").unwrap(), obligation: "relazione".to_owned(), year: Some(2025) }
}

const NOW: Instant = Instant::from_seconds(1_760_000_000);

/// A submission of one file, frozen.
fn frozen(store: &Store) -> Submission {
    draft(store, &key(), "a", NOW).unwrap();
    let file = attach(store, &key(), ("r.pdf", b"%PDF-1.7\n%%EOF"), "a", NOW).unwrap();
    let before = current(store, &key()).unwrap();
    let mut after = before.clone();
    after.frozen = Some(Frozen {
        at_ms: NOW.millis(),
        by: "a".to_owned(),
        files: vec![file],
        kpis: Vec::new(),
        meters: Vec::new(),
        catalog_sha256: None,
        inputs_sha256: None,
        rules: None,
    });
    after.stage = Stage::Frozen;
    put(store, &before, &after, "a", NOW).unwrap();
    after
}

fn sending() -> Sending {
    Sending { way: "other".to_owned(), to: "b".to_owned(), message_id: None, at_ms: NOW.millis() }
}

#[test]
fn nothing_frozen_changes_and_a_correction_is_a_new_version() {
    let (_dir, store) = opened();
    let before = frozen(&store);
    for change in [
        |s: &mut Submission| s.attached.clear(),
        |s: &mut Submission| s.frozen = None,
        |s: &mut Submission| s.frozen.iter_mut().for_each(|f| f.by = "b".to_owned()),
    ] {
        let mut after = before.clone();
        change(&mut after);
        assert!(put(&store, &before, &after, "a", NOW).is_err());
    }
    assert!(attach(&store, &key(), ("s.pdf", b"%PDF-1.7\n%%EOF"), "a", NOW).is_err());
    assert!(correct(&store, &key(), "", "a", NOW).is_err(), "a correction says why");
    let next = correct(&store, &key(), "a file was missing", "a", NOW).unwrap();
    assert_eq!((next.version, next.stage, next.attached.len()), (2, Stage::Draft, 1));
    assert!(correct(&store, &key(), "again", "a", NOW).is_err(), "a draft is changed as it is");
    assert_eq!(all(&store).unwrap().first(), Some(&before));
    store.verify_audit().unwrap();
}

#[test]
fn what_the_act_wants_signed_is_signed_before_it_is_sent() {
    let (_dir, store) = opened();
    draft(&store, &key(), "a", NOW).unwrap();
    let receipt = ("r.eml", &b"x"[..]);
    assert!(sent(&store, &key(), sending(), receipt, false, ("a", NOW)).is_err(), "a draft is not sent");
    let (_dir, store) = opened();
    frozen(&store);
    assert!(sent(&store, &key(), sending(), receipt, true, ("a", NOW)).is_err());
    let outcome_of = |text: &str| Outcome { on: Day(chrono::NaiveDate::default()), says: text.to_owned() };
    assert!(outcome(&store, &key(), Stage::Accepted, outcome_of("ok"), ("a", NOW)).is_err());
    sent(&store, &key(), sending(), receipt, false, ("a", NOW)).unwrap();
    assert!(sent(&store, &key(), sending(), receipt, false, ("a", NOW)).is_err(), "once");
    outcome(&store, &key(), Stage::Accepted, outcome_of("prot. 1"), ("a", NOW)).unwrap();
    assert_eq!(newest(&store).unwrap()[0].stage, Stage::Accepted);
    assert!(outcome(&store, &key(), Stage::IntegrationAsked, outcome_of("x"), ("a", NOW)).is_err());
}

#[test]
fn a_correction_in_the_making_does_not_unsend_what_was_sent() {
    let (_dir, store) = opened();
    frozen(&store);
    sent(&store, &key(), sending(), ("r.eml", b"x"), false, ("a", NOW)).unwrap();
    correct(&store, &key(), "a file was missing", "a", NOW).unwrap();
    let newest = newest(&store).unwrap();
    assert_eq!((newest.len(), newest[0].version, newest[0].stage), (1, 1, Stage::Sent));
    assert_eq!(current(&store, &key()).unwrap().version, 2);
}

#[test]
fn a_receipt_of_delivery_makes_it_sent_and_others_do_not() {
    let (_dir, store) = opened();
    let before = frozen(&store);
    let mut after = before.clone();
    after.sending = Some(Sending { message_id: Some("<m@x>".to_owned()), ..sending() });
    after.stage = Stage::Sending;
    put(&store, &before, &after, "a", NOW).unwrap();
    let receipt = |kind: &str, id: &str| {
        format!(
            "Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: application/xml; name=\"daticert.xml\"\n\n\
             <postacert tipo=\"{kind}\" errore=\"nessuno\"><dati><msgid>&lt;{id}&gt;</msgid></dati></postacert>\n--x--\n"
        )
    };
    let take = |text: String| {
        send::take_receipt(&store, ("r.eml", text.as_bytes()), ("a", NOW)).unwrap().map(|s| s.stage)
    };
    assert_eq!(take(receipt("avvenuta-consegna", "other@x")), None);
    assert_eq!(take("hello".to_owned()), None);
    assert_eq!(take(receipt("accettazione", "m@x")), Some(Stage::Sending));
    assert_eq!(take(receipt("avvenuta-consegna", "m@x")), Some(Stage::Sent));
    // The same receipt again changes nothing.
    assert_eq!(take(receipt("avvenuta-consegna", "m@x")), Some(Stage::Sent));
    assert_eq!(current(&store, &key()).unwrap().receipts.len(), 2);
}
