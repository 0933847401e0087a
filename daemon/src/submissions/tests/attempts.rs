//! What receipts of certified mail change of a letter: not delivered, delivered after all, accepted only; and what a person
//! may say of one that never went out.
//!
//! Must never: send anything.

use super::super::attempts::{CODES, End, is_waited_for, settle_unsent, told};
use super::*;

const TO: &str = "ente@pec.example";

/// Claims the sending and notes the letter as handed over, as the server's answer would.
fn hand_over(store: &Store, letter: &str) -> Result<Submission, Option<&'static str>> {
    let before = current(store, &key()).unwrap();
    before.must_be_ready(false, ROME).map_err(|failure| failure.code)?;
    send::claim(store, &before, letter, ("a", NOW)).map_err(|failure| failure.code)?;
    let mut after = before.clone();
    let way = "pec".to_owned();
    after.sending =
        Some(Sending { way, to: TO.to_owned(), message_id: Some(letter.to_owned()), ..sending() });
    after.stage = Stage::Sending;
    put(store, &before, &after, "a", NOW).unwrap();
    Ok(after)
}

/// A receipt of this kind and fault about a letter `<ID>`, to an address.
fn receipt(kind: &str, fault: &str, letter: &str, to: &str) -> String {
    let who = if kind == "accettazione" { "destinatari" } else { "consegna" };
    let data = data_of(letter.trim_matches(['<', '>']), &format!("<{who}>{to}</{who}>"), 60);
    certified(kind, &data).replace("errore=\"nessuno\"", &format!("errore=\"{fault}\""))
}

fn take(store: &Store, text: &str) -> Stage {
    let taken = send::take_receipt(store, ("r.eml", text.as_bytes()), ("daemon", NOW)).unwrap();
    assert_eq!(taken.len(), 1);
    taken[0].stage
}

fn codes(store: &Store) -> Vec<&'static str> {
    let all = all(store).unwrap();
    let cautions = receipts::cautions(&all);
    told(&all).iter().chain(&cautions).map(|finding| finding.code).collect()
}

fn is_waited(store: &Store) -> bool {
    let all = all(store).unwrap();
    all.iter().any(|s| is_waited_for(s, &all))
}

/// Signed, too.
fn signed(store: &Store) {
    let before = frozen(store);
    let file = before.frozen.as_ref().unwrap().files[0].clone();
    let mut after = before.clone();
    let wraps_sha256 = file.sha256.clone();
    after.signed.push(SignedFile { file, wraps_sha256, signers: Vec::new(), reason: None });
    after.stage = Stage::Signed;
    put(store, &before, &after, "a", NOW).unwrap();
}

#[test]
fn what_was_not_delivered_is_sent_again_and_delivered() {
    let (_dir, store) = opened();
    signed(&store);
    hand_over(&store, "<1@x>").unwrap();
    assert_eq!(hand_over(&store, "<2@x>").err(), Some(Some("stage")), "one letter at a time");
    let failed = receipt("errore-consegna", "no-dest", "<1@x>", TO);
    assert_eq!(take(&store, &failed), Stage::Signed);
    let back = current(&store, &key()).unwrap();
    assert_eq!((back.sending.is_none(), back.receipts.len(), back.attempts.len()), (true, 1, 1));
    let receipt_sha256 = back.receipts[0].file.sha256.clone();
    assert_eq!(back.attempts[0].end, End::NotDelivered { receipt_sha256, fault: "no-dest".to_owned() });
    assert_eq!(codes(&store), ["submission.not_delivered"]);
    assert!(is_waited(&store), "it may be delivered after all");
    hand_over(&store, "<2@x>").unwrap();
    assert!(codes(&store).is_empty(), "the next letter is on its way");
    // The same receipt again, from the folder and by hand, ends no other letter.
    for _ in 0..2 {
        assert_eq!(take(&store, &failed), Stage::Sending);
    }
    assert_eq!(current(&store, &key()).unwrap().receipts.len(), 1);
    assert_eq!(take(&store, &receipt("avvenuta-consegna", "nessuno", "<2@x>", TO)), Stage::Sent);
    assert!(codes(&store).is_empty() && !is_waited(&store));
    assert_eq!(take(&store, &receipt("errore-consegna", "altro", "<2@x>", TO)), Stage::Sent, "it arrived");
    store.verify_audit().unwrap();
}

#[test]
fn a_letter_delivered_after_all_makes_it_sent_and_is_told() {
    let (_dir, store) = opened();
    frozen(&store);
    hand_over(&store, "<1@x>").unwrap();
    assert_eq!(take(&store, &receipt("errore-consegna", "altro", "<1@x>", TO)), Stage::Frozen);
    let second = hand_over(&store, "<2@x>").unwrap();
    let elsewhere = receipt("avvenuta-consegna", "nessuno", "<1@x>", "altro@pec.example");
    assert_eq!(take(&store, &elsewhere), Stage::Sending);
    assert_eq!(take(&store, &receipt("avvenuta-consegna", "nessuno", "<1@x>", TO)), Stage::Sent);
    let sent = current(&store, &key()).unwrap();
    assert_eq!(sent.sending.as_ref().unwrap().message_id.as_deref(), Some("<1@x>"));
    let overtaken = sent.attempts.last().unwrap();
    assert_eq!((&overtaken.sending, &overtaken.end), (second.sending.as_ref().unwrap(), &End::Overtaken));
    assert_eq!(codes(&store), ["submission.delivery_late"]);
    // What comes of the other is kept and changes nothing.
    assert_eq!(take(&store, &receipt("errore-consegna", "altro", "<2@x>", TO)), Stage::Sent);
    assert_eq!(current(&store, &key()).unwrap().receipts.len(), 4);
}

#[test]
fn a_letter_that_nobody_took_goes_back_and_another_recipients_fault_does_not() {
    let (_dir, store) = opened();
    frozen(&store);
    hand_over(&store, "<1@x>").unwrap();
    let other = receipt("errore-consegna", "no-dest", "<1@x>", "altro@pec.example");
    assert_eq!(take(&store, &other), Stage::Sending);
    assert_eq!(take(&store, &receipt("preavviso-errore-consegna", "altro", "<1@x>", TO)), Stage::Sending);
    assert_eq!(codes(&store), ["submission.delivery_notice"]);
    // By hand, as by the folder: kept, and back to where it was.
    let refused = receipt("non-accettazione", "virus", "<1@x>", "");
    let by_hand = by_hand(TO, ("r.eml", refused.as_bytes()));
    let back = sent(&store, &key(), &by_hand, &obligation(Signer::DataEntry), ROME, ("a", NOW)).unwrap();
    assert!(back.is_back() && back.stage == Stage::Frozen);
    let finding = told(&[back]).pop().unwrap();
    for language in config::catalog::LANGUAGES {
        let texts = config::Catalog::embedded().unwrap().texts(language);
        for code in CODES {
            assert!(texts.find(&format!("finding.{code}")).is_some(), "{language}: {code}");
        }
        let says = texts.finding(&finding);
        assert!(says.contains(TO) && says.contains("virus") && !says.contains('{'), "{says}");
    }
    // Now a person sends it, and that letter's receipt counts.
    let delivered = receipt("avvenuta-consegna", "nessuno", "<other@y>", TO);
    let free = obligation(Signer::DataEntry);
    assert_eq!(noted(&store, &super::by_hand(TO, ("s.eml", delivered.as_bytes())), &free), Ok(()));
    assert_eq!(current(&store, &key()).unwrap().stage, Stage::Sent);
}

#[test]
fn who_knows_that_it_never_went_out_says_so() {
    let (_dir, store) = opened();
    frozen(&store);
    let settle = |reason: &str| {
        let settled = settle_unsent(&store, &key(), reason, ("mario", NOW));
        settled.map(|s| s.stage).map_err(|failure| failure.code)
    };
    assert_eq!(settle("mai partita"), Err(Some("stage")), "nothing is on its way");
    hand_over(&store, "<1@x>").unwrap();
    assert_eq!(settle(" "), Err(Some("words_reason")));
    assert_eq!(settle("mai partita"), Ok(Stage::Frozen));
    let (author, reason) = ("mario".to_owned(), "mai partita".to_owned());
    assert_eq!(current(&store, &key()).unwrap().attempts[0].end, End::Unsent { author, reason });
    assert!(codes(&store).is_empty() && is_waited(&store));
    assert_eq!(take(&store, &receipt("accettazione", "nessuno", "<1@x>", TO)), Stage::Frozen);
    assert_eq!(codes(&store), ["submission.delivery_notice"], "it did go out");
    hand_over(&store, "<2@x>").unwrap();
    assert_eq!(take(&store, &receipt("accettazione", "nessuno", "<2@x>", TO)), Stage::Sending);
    assert_eq!(settle("mai partita"), Err(Some("stage")), "its provider has it");
    // Whoever said so was wrong.
    assert_eq!(take(&store, &receipt("avvenuta-consegna", "nessuno", "<1@x>", TO)), Stage::Sent);
    assert_eq!(codes(&store), ["submission.delivery_late"]);
}

#[test]
fn a_claim_without_a_letter_is_given_up() {
    let (_dir, store) = opened();
    let before = frozen(&store);
    send::claim(&store, &before, "<1@x>", ("a", NOW)).unwrap();
    assert_eq!(hand_over(&store, "<2@x>").err(), Some(Some("stage")));
    settle_unsent(&store, &key(), "il programma si è interrotto", ("a", NOW)).unwrap();
    assert!(hand_over(&store, "<2@x>").is_ok());
}

#[test]
fn acceptance_alone_is_told_until_the_delivery() {
    let accepted = receipt("accettazione", "nessuno", "<m@y>", TO);
    let brought = || {
        let (dir, store) = opened();
        frozen(&store);
        let by_hand = by_hand(TO, ("acc.eml", accepted.as_bytes()));
        assert_eq!(noted(&store, &by_hand, &obligation(Signer::DataEntry)), Ok(()));
        assert_eq!(codes(&store), ["receipt.accepted_only"]);
        assert!(is_waited(&store));
        (dir, store)
    };
    let (_dir, store) = brought();
    assert_eq!(
        take(&store, &receipt("avvenuta-consegna", "nessuno", "<m@y>", "altro@pec.example")),
        Stage::Sent
    );
    assert_eq!(codes(&store), ["receipt.accepted_only"], "to another");
    assert_eq!(take(&store, &receipt("avvenuta-consegna", "nessuno", "<m@y>", TO)), Stage::Sent);
    assert!(codes(&store).is_empty() && !is_waited(&store));
    let (_dir, store) = brought();
    assert_eq!(take(&store, &receipt("errore-consegna", "no-dominio", "<m@y>", TO)), Stage::Frozen);
    assert_eq!(codes(&store), ["submission.not_delivered"]);
    assert_eq!(take(&store, &receipt("avvenuta-consegna", "nessuno", "<m@y>", TO)), Stage::Sent);
    assert_eq!(codes(&store), ["submission.delivery_late"]);
}

#[test]
fn the_folder_is_looked_through_for_letters_that_may_still_arrive() {
    let (dir, store) = opened();
    frozen(&store);
    hand_over(&store, "<1@x>").unwrap();
    let folder = dir.path().join("receipts");
    std::fs::create_dir(&folder).unwrap();
    let drop_in = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    drop_in("1.eml", &receipt("errore-consegna", "no-dest", "<1@x>", TO));
    assert_eq!(send::watch(&store, &folder, NOW).unwrap(), 1);
    assert_eq!(current(&store, &key()).unwrap().stage, Stage::Frozen);
    drop_in("2.eml", &receipt("avvenuta-consegna", "nessuno", "<1@x>", TO));
    send::watch(&store, &folder, NOW).unwrap();
    assert_eq!(current(&store, &key()).unwrap().stage, Stage::Sent);
    assert_eq!(send::watch(&store, &folder, NOW).unwrap(), 0, "nothing is waited for");
}
