//! What a submission allows at which stage, and what is said of figures that changed after it was frozen.
//!
//! Must never: send anything.

use analytics::scheme::Signer;
use analytics::scheme::deadline::Deadline;
use store::StoreOptions;

use super::*;

mod attempts;

fn opened() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
    (dir, store)
}

fn key() -> Key {
    Key { project: ProjectId::new("p").unwrap(), obligation: "relazione".to_owned(), year: Some(2025) }
}

const NOW: Instant = Instant::from_seconds(1_760_000_000);

const ROME: Zone = chrono_tz::Europe::Rome;

fn obligation(signer: Signer) -> Obligation {
    Obligation {
        id: "relazione".to_owned(),
        text: String::new(),
        due: Deadline::On(NOW.day(ROME)),
        report: None,
        signer,
        channel: "Gestionale".to_owned(),
        address: None,
        citation: String::new(),
        memos: Vec::new(),
        closed_by: None,
    }
}

/// A submission of one file, frozen.
fn frozen(store: &Store) -> Submission {
    draft(store, &key(), "a", NOW).unwrap();
    frozen_of(store)
}

/// The draft there is, with one file more, frozen.
fn frozen_of(store: &Store) -> Submission {
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

/// Sent today by a person.
fn by_hand<'a>(to: &'a str, receipt: (&'a str, &'a [u8])) -> ByHand<'a> {
    ByHand { to, on: NOW.day(ROME), receipt }
}

/// Notes it as sent by this person's account; the code of the refusal where it is refused.
fn noted(store: &Store, by_hand: &ByHand<'_>, of: &Obligation) -> Result<(), Option<&'static str>> {
    sent(store, &key(), by_hand, of, ROME, ("a", NOW)).map(|_| ()).map_err(|failure| failure.code)
}

/// Certified mail with this certification data.
fn certified(kind: &str, data: &str) -> String {
    format!(
        "Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: application/xml; name=\"daticert.xml\"\n\n\
         <postacert tipo=\"{kind}\" errore=\"nessuno\"><dati>{data}</dati></postacert>\n--x--\n"
    )
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
fn whoever_read_it_earlier_writes_nothing_over_what_came_since() {
    let (_dir, store) = opened();
    draft(&store, &key(), "a", NOW).unwrap();
    // Two who freeze at once have both read the draft; the slower one is still at work when the other's was sent.
    let read = current(&store, &key()).unwrap();
    let before = frozen_of(&store);
    noted(&store, &by_hand("b", ("r.pdf", b"x")), &obligation(Signer::DataEntry)).unwrap();
    let sent = current(&store, &key()).unwrap();
    let mut slower = Submission { frozen: before.frozen.clone(), stage: Stage::Frozen, ..read.clone() };
    slower.frozen.as_mut().unwrap().by = "b".to_owned();
    let late = |before: &Submission| put(&store, before, &slower, "b", NOW).map_err(|failure| failure.code);
    assert_eq!(late(&read), Err(Some("meanwhile")));
    let again = Submission { stage: Stage::Signed, ..before.clone() };
    let signed = put(&store, &before, &again, "b", NOW).map_err(|failure| failure.code);
    assert_eq!(signed, Err(Some("meanwhile")), "a signature does not unsend it");
    assert_eq!((&sent.stage, &current(&store, &key()).unwrap()), (&Stage::Sent, &sent));
    store.verify_audit().unwrap();
}

#[test]
fn of_two_who_freeze_at_once_one_does() {
    let (_dir, store) = opened();
    draft(&store, &key(), "a", NOW).unwrap();
    let read = current(&store, &key()).unwrap();
    let start = std::sync::Barrier::new(4);
    let frozen = |n: i64| {
        let of = Frozen {
            at_ms: n,
            by: format!("person {n}"),
            files: Vec::new(),
            kpis: Vec::new(),
            meters: Vec::new(),
            catalog_sha256: None,
            inputs_sha256: None,
            rules: None,
        };
        let after = Submission { frozen: Some(of), stage: Stage::Frozen, ..read.clone() };
        start.wait();
        put(&store, &read, &after, "a", NOW).is_ok()
    };
    let wrote: Vec<bool> = std::thread::scope(|scope| {
        let frozen = &frozen;
        let all: Vec<_> = (0..4).map(|n| scope.spawn(move || frozen(n))).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(wrote.iter().filter(|wrote| **wrote).count(), 1, "{wrote:?}");
    let by = wrote.iter().position(|wrote| *wrote).map(|n| format!("person {n}"));
    assert_eq!(current(&store, &key()).unwrap().frozen.map(|frozen| frozen.by), by);
}

#[test]
fn what_the_act_wants_signed_is_signed_before_it_is_sent() {
    let (_dir, store) = opened();
    draft(&store, &key(), "a", NOW).unwrap();
    let receipt = by_hand("b", ("r.pdf", b"x"));
    let (free, signed) = (obligation(Signer::DataEntry), obligation(Signer::Professional));
    assert!(noted(&store, &receipt, &free).is_err(), "a draft is not sent");
    let (_dir, store) = opened();
    frozen(&store);
    assert_eq!(noted(&store, &receipt, &signed), Err(Some("stage")));
    let outcome_of = |text: &str| Outcome { on: Day(NOW.day(ROME)), says: text.to_owned() };
    assert!(outcome(&store, &key(), Stage::Accepted, outcome_of("ok"), ROME, ("a", NOW)).is_err());
    assert_eq!(noted(&store, &receipt, &free), Ok(()));
    assert_eq!(noted(&store, &receipt, &free), Err(Some("stage")), "once");
    outcome(&store, &key(), Stage::Accepted, outcome_of("prot. 1"), ROME, ("a", NOW)).unwrap();
    assert_eq!(newest(&store).unwrap()[0].stage, Stage::Accepted);
    assert!(outcome(&store, &key(), Stage::IntegrationAsked, outcome_of("x"), ROME, ("a", NOW)).is_err());
}

#[test]
fn a_correction_in_the_making_does_not_unsend_what_was_sent() {
    let (_dir, store) = opened();
    frozen(&store);
    noted(&store, &by_hand("b", ("r.pdf", b"x")), &obligation(Signer::DataEntry)).unwrap();
    correct(&store, &key(), "a file was missing", "a", NOW).unwrap();
    let newest = newest(&store).unwrap();
    assert_eq!((newest.len(), newest[0].version, newest[0].stage), (1, 1, Stage::Sent));
    assert_eq!(current(&store, &key()).unwrap().version, 2);
}

#[test]
fn a_correction_replaces_what_the_authority_has() {
    let (_dir, store) = opened();
    let first = frozen(&store);
    assert_eq!(edition(&store, &first, ROME).unwrap(), None, "a first version says nothing");
    let second = correct(&store, &key(), "a file was missing", "a", NOW).unwrap();
    let of = |submission: &Submission| edition(&store, submission, ROME).unwrap().unwrap();
    let unsent = of(&second);
    assert_eq!((unsent.version, unsent.replaces, unsent.replaces_on), (2, 1, NOW.day(ROME)));
    assert_eq!(unsent.why, "a file was missing");
    let ready = Submission { frozen: first.frozen, stage: Stage::Frozen, ..second.clone() };
    put(&store, &second, &ready, "a", NOW).unwrap();
    noted(&store, &by_hand("b", ("r.pdf", b"x")), &obligation(Signer::DataEntry)).unwrap();
    // The third was never sent: the fourth replaces the second.
    let frozen_again = |why: &str| {
        let draft = correct(&store, &key(), why, "a", NOW).unwrap();
        let ready = Submission { frozen: ready.frozen.clone(), stage: Stage::Frozen, ..draft.clone() };
        put(&store, &draft, &ready, "a", NOW).unwrap();
        ready
    };
    assert_eq!(of(&frozen_again("x")).replaces, 2);
    let fourth = of(&frozen_again("y"));
    assert_eq!((fourth.version, fourth.replaces, &*fourth.why), (4, 2, "y"));
}

#[test]
fn an_answer_is_about_what_was_sent_whatever_is_in_the_making() {
    let (_dir, store) = opened();
    let free = obligation(Signer::DataEntry);
    let frozen_first = frozen(&store);
    let answer = |stage: Stage| {
        let of = Outcome { on: Day(NOW.day(ROME)), says: "prot. 1".to_owned() };
        let answered = outcome(&store, &key(), stage, of, ROME, ("a", NOW));
        answered.map(|s| (s.version, s.stage)).map_err(|failure| failure.code)
    };
    assert_eq!(answer(Stage::Accepted), Err(Some("stage")), "nothing was sent");
    noted(&store, &by_hand("b", ("r.pdf", b"x")), &free).unwrap();
    correct(&store, &key(), "a file was missing", "a", NOW).unwrap();
    assert_eq!(answer(Stage::IntegrationAsked), Ok((1, Stage::IntegrationAsked)));
    assert_eq!(newest(&store).unwrap()[0].stage, Stage::IntegrationAsked);
    assert_eq!(current(&store, &key()).unwrap().stage, Stage::Draft, "the correction stays as it is");
    // Frozen and not sent: still the first.
    let draft = current(&store, &key()).unwrap();
    let ready = Submission { frozen: frozen_first.frozen, stage: Stage::Frozen, ..draft.clone() };
    put(&store, &draft, &ready, "a", NOW).unwrap();
    assert_eq!(answer(Stage::IntegrationAsked), Ok((1, Stage::IntegrationAsked)));
    noted(&store, &by_hand("b", ("s.pdf", b"y")), &free).unwrap();
    assert_eq!(answer(Stage::Accepted), Ok((2, Stage::Accepted)));
}

#[test]
fn a_receipt_of_delivery_makes_it_sent_and_others_do_not() {
    let (_dir, store) = opened();
    let before = frozen(&store);
    let mut after = before.clone();
    after.sending = Some(Sending { message_id: Some("<m@x>".to_owned()), ..sending() });
    after.stage = Stage::Sending;
    put(&store, &before, &after, "a", NOW).unwrap();
    let receipt = |kind: &str, id: &str| certified(kind, &format!("<msgid>&lt;{id}&gt;</msgid>"));
    let take = |text: String| {
        send::take_receipt(&store, ("r.eml", text.as_bytes()), ("a", NOW)).unwrap().first().map(|s| s.stage)
    };
    assert_eq!(take(receipt("avvenuta-consegna", "other@x")), None);
    assert_eq!(take("hello".to_owned()), None);
    assert_eq!(take(receipt("accettazione", "m@x")), Some(Stage::Sending));
    assert_eq!(take(receipt("avvenuta-consegna", "m@x")), Some(Stage::Sent));
    // The same receipt again changes nothing.
    assert_eq!(take(receipt("avvenuta-consegna", "m@x")), Some(Stage::Sent));
    assert_eq!(current(&store, &key()).unwrap().receipts.len(), 2);
}

#[test]
fn nothing_counts_as_sent_or_answered_without_what_shows_it() {
    let (_dir, store) = opened();
    frozen(&store);
    let by_pec =
        Obligation { channel: "PEC del legale rappresentante".to_owned(), ..obligation(Signer::DataEntry) };
    let note = |to: &str, receipt: (&str, &[u8]), of: &Obligation| noted(&store, &by_hand(to, receipt), of);
    let portal = obligation(Signer::DataEntry);
    assert_eq!(note("portale", ("r.pdf", b""), &portal), Err(Some("file_empty")));
    assert_eq!(note("a@b.example", ("r.eml", b"Subject: x\n\nciao"), &portal), Err(Some("receipt_mail")));
    assert_eq!(note("non un indirizzo", ("r.pdf", b"x"), &by_pec), Err(Some("address")));
    assert_eq!(note("a@b.example", ("r.txt", b"ricevuta"), &by_pec), Err(Some("receipt_kind")));
    assert_eq!(note("a@b.example", ("r.pdf", b"%PDF-1.7\nx\n%%EOF\n"), &by_pec), Ok(()));
    let answer = |day: chrono::NaiveDate| {
        let of = Outcome { on: Day(day), says: "prot. 1".to_owned() };
        outcome(&store, &key(), Stage::Accepted, of, ROME, ("a", NOW)).map_err(|failure| failure.code)
    };
    let day = NOW.day(ROME);
    assert_eq!(answer(day.pred_opt().unwrap()), Err(Some("answer_before")));
    assert_eq!(answer(day.succ_opt().unwrap()), Err(Some("future")));
    assert!(answer(day).is_ok());
}

#[test]
fn the_day_of_a_sending_is_possible_and_that_of_its_receipt() {
    let (_dir, store) = opened();
    let before = frozen(&store);
    let (today, free) = (NOW.day(ROME), obligation(Signer::DataEntry));
    let (yesterday, tomorrow) = (today.pred_opt().unwrap(), today.succ_opt().unwrap());
    let mail = |day: NaiveDate| {
        certified(
            "accettazione",
            &format!("<data zona=\"+0200\"><giorno>{}</giorno></data>", day.format("%d/%m/%Y")),
        )
    };
    let note = |on: NaiveDate, receipt: (&str, &[u8])| {
        let by_hand = ByHand { on, ..by_hand("a@b.example", receipt) };
        noted(&store, &by_hand, &free)
    };
    let plain: (&str, &[u8]) = ("r.pdf", b"x");
    assert_eq!(note(tomorrow, plain), Err(Some("future")));
    assert_eq!(note(yesterday, plain), Err(Some("sent_before")), "it was frozen today");
    assert_eq!(note(today, ("r.eml", mail(yesterday).as_bytes())), Err(Some("receipt_day")));
    // What was to be sent does not show that it was.
    let own = records::kept(&store, &before.frozen.as_ref().unwrap().files[0].sha256).unwrap();
    assert_eq!(note(today, ("ricevuta.pdf", own.as_slice())), Err(Some("receipt_own")));
    assert_eq!(note(today, ("r.eml", mail(today).as_bytes())), Ok(()));
    assert_eq!(current(&store, &key()).unwrap().sent_at().map(|at| at.day(ROME)), Some(today));
}

/// Certification data: about this letter, to this address, so many seconds after now.
fn data_of(letter: &str, to: &str, seconds: i64) -> String {
    let at = NOW.plus_seconds(seconds).millis();
    let at = chrono::DateTime::from_timestamp_millis(at).unwrap();
    format!(
        "<msgid>&lt;{letter}&gt;</msgid><data zona=\"+0000\"><giorno>{}</giorno><ora>{}</ora></data>{to}",
        at.format("%d/%m/%Y"),
        at.format("%H:%M:%S")
    )
}

#[test]
fn a_receipt_noted_by_hand_is_about_what_was_sent() {
    let (_dir, store) = opened();
    frozen(&store);
    let channel = "PEC del legale rappresentante".to_owned();
    let known =
        Obligation { channel, address: Some("ente@pec.example".to_owned()), ..obligation(Signer::DataEntry) };
    let to = "<destinatari>ente@pec.example</destinatari>";
    let note = |address: &str, data: &str| {
        let text = certified("accettazione", data);
        noted(&store, &by_hand(address, ("r.eml", text.as_bytes())), &known)
    };
    let ente = "ente@pec.example";
    let other = "<destinatari>altro@pec.example</destinatari>";
    assert_eq!(note(ente, &data_of("m@x", other, 60)), Err(Some("receipt_other")));
    assert_eq!(note("altro@pec.example", &data_of("m@x", other, 60)), Err(Some("receipt_address")));
    assert_eq!(
        note(ente, &data_of("m@x", to, -3600)),
        Err(Some("receipt_before")),
        "an hour before the freezing"
    );
    assert_eq!(note(ente, &data_of("m@x", to, -60)), Ok(()), "two clocks");
    let sent = newest(&store).unwrap();
    let told: Vec<&str> = receipts::cautions(&sent).iter().map(|finding| finding.code).collect();
    assert_eq!((sent[0].stage, told), (Stage::Sent, vec!["receipt.accepted_only"]), "all else was compared");
}

#[test]
fn what_of_a_receipt_cannot_be_compared_is_told_until_it_is_accepted() {
    let channel = "PEC del legale rappresentante".to_owned();
    let by_pec = Obligation { channel, ..obligation(Signer::DataEntry) };
    let known = Obligation { address: Some("Ente@pec.example".to_owned()), ..by_pec.clone() };
    let portal = obligation(Signer::DataEntry);
    let told = |(name, bytes): (&str, &[u8]), of: &Obligation| {
        let (_dir, store) = opened();
        frozen(&store);
        assert_eq!(noted(&store, &by_hand("ente@pec.example", (name, bytes)), of), Ok(()));
        let codes: Vec<&str> =
            receipts::cautions(&newest(&store).unwrap()).iter().map(|finding| finding.code).collect();
        let answer = Outcome { on: Day(NOW.day(ROME)), says: "prot. 1".to_owned() };
        outcome(&store, &key(), Stage::Accepted, answer, ROME, ("a", NOW)).unwrap();
        assert_eq!(receipts::cautions(&newest(&store).unwrap()), [], "accepted");
        codes
    };
    let page: (&str, &[u8]) = ("r.pdf", b"%PDF-1.7\nx\n%%EOF\n");
    assert_eq!(told(page, &by_pec), ["receipt.page", "receipt.address"]);
    assert_eq!(told(page, &known), ["receipt.page"]);
    assert!(told(page, &portal).is_empty(), "a portal has no receipt of certified mail");
    let bare = certified("accettazione", "<msgid>&lt;m@x&gt;</msgid>");
    assert_eq!(
        told(("r.eml", bare.as_bytes()), &known),
        ["receipt.recipient", "receipt.time", "receipt.accepted_only"]
    );
    let full = certified("avvenuta-consegna", &data_of("m@x", "<consegna>ente@pec.example</consegna>", 60));
    assert_eq!(told(("r.eml", full.as_bytes()), &by_pec), ["receipt.address"]);
    assert!(told(("r.eml", full.as_bytes()), &portal).is_empty());
    // Every one of them has its words in both languages.
    for tag in config::catalog::LANGUAGES {
        let texts = config::Catalog::embedded().unwrap().texts(tag);
        for code in
            ["receipt.page", "receipt.recipient", "receipt.address", "receipt.time", "receipt.accepted_only"]
        {
            assert!(
                texts.find(&format!("finding.{code}")).is_some_and(|text| text.contains("{file}")),
                "{code}"
            );
        }
        for code in ["receipt_letter", "receipt_address", "receipt_before"] {
            assert!(texts.find(&format!("page.desk.refused.{code}")).is_some(), "{code}");
        }
    }
}

#[test]
fn a_receipt_of_the_letter_sent_from_here_and_of_no_other() {
    let (_dir, store) = opened();
    let before = frozen(&store);
    let mut after = before.clone();
    let to = "ente@pec.example".to_owned();
    after.sending = Some(Sending { to, message_id: Some("<m@x>".to_owned()), ..sending() });
    after.stage = Stage::Sending;
    put(&store, &before, &after, "a", NOW).unwrap();
    let free = obligation(Signer::DataEntry);
    let note = |kind: &str, letter: &str, to: &str| {
        let text = certified(kind, &data_of(letter, &format!("<consegna>{to}</consegna>"), 60));
        noted(&store, &by_hand("ente@pec.example", ("r.eml", text.as_bytes())), &free)
    };
    let stage = || current(&store, &key()).unwrap().stage;
    let page = by_hand("ente@pec.example", ("r.pdf", b"x"));
    assert_eq!(noted(&store, &page, &free), Err(Some("stage")), "a page does not show the delivery");
    assert_eq!(note("avvenuta-consegna", "other@x", "ente@pec.example"), Err(Some("receipt_letter")));
    assert_eq!(note("avvenuta-consegna", "m@x", "altro@pec.example"), Err(Some("receipt_other")));
    assert_eq!(stage(), Stage::Sending);
    assert_eq!(note("accettazione", "m@x", "ente@pec.example"), Ok(()));
    assert_eq!(stage(), Stage::Sending, "accepted is not delivered");
    assert_eq!(note("avvenuta-consegna", "m@x", "ente@pec.example"), Ok(()));
    assert_eq!(stage(), Stage::Sent);
    // A correction that a person sends is another letter.
    let draft = correct(&store, &key(), "un dato era errato", "a", NOW).unwrap();
    let ready = Submission { frozen: before.frozen, stage: Stage::Frozen, ..draft.clone() };
    put(&store, &draft, &ready, "a", NOW).unwrap();
    let text = certified("avvenuta-consegna", &data_of("m@x", "", 120));
    let again = by_hand("ente@pec.example", ("r2.eml", text.as_bytes()));
    assert_eq!(noted(&store, &again, &free), Err(Some("receipt_letter")));
}

#[test]
fn a_receipt_shows_one_sending() {
    let (_dir, store) = opened();
    let first = frozen(&store);
    let portal = obligation(Signer::DataEntry);
    let receipt: (&str, &[u8]) = ("r.pdf", b"protocollo 123");
    assert_eq!(noted(&store, &by_hand("portale", receipt), &portal), Ok(()));
    let before = correct(&store, &key(), "un dato era errato", "a", NOW).unwrap();
    let mut second = before.clone();
    (second.frozen, second.stage) = (first.frozen.clone(), Stage::Frozen);
    put(&store, &before, &second, "a", NOW).unwrap();
    assert_eq!(noted(&store, &by_hand("portale", receipt), &portal), Err(Some("receipt_used")));
    assert_eq!(noted(&store, &by_hand("portale", ("r.pdf", b"protocollo 124")), &portal), Ok(()));
}

#[test]
fn nothing_is_sent_before_the_signature_that_goes_out() {
    let (_dir, store) = opened();
    let mut submission = frozen(&store);
    let frozen_on = NOW.day(ROME);
    let later = Instant::from_seconds(1_760_000_000 + 5 * 86_400);
    assert_eq!(submission.ready_on(ROME, later).unwrap(), (frozen_on, "frozen"));
    let file = submission.frozen.as_ref().unwrap().files[0].clone();
    let signed_at = |days: i64, name: &str| SignedFile {
        file: FileRef { name: name.to_owned(), ..file.clone() },
        wraps_sha256: file.sha256.clone(),
        signers: vec![super::Signer {
            name: "r".to_owned(),
            person: None,
            issuer: "i".to_owned(),
            serial: "1".to_owned(),
            not_before_ms: 0,
            not_after_ms: i64::MAX,
            fingerprint: "f".to_owned(),
            signed_at_ms: Some(NOW.millis() + days * 86_400_000),
            digest: None,
            trusted: None,
        }],
        reason: None,
    };
    // Of two signed forms of a file the newer one goes out.
    submission.signed = vec![signed_at(4, "a.p7m"), signed_at(2, "b.p7m")];
    let on = frozen_on.checked_add_days(chrono::Days::new(2)).unwrap();
    assert_eq!(submission.ready_on(ROME, later).unwrap(), (on, "signed"));
    // A signer's clock that is ahead of ours holds nothing up.
    submission.signed = vec![signed_at(9, "a.p7m")];
    assert_eq!(submission.ready_on(ROME, later).unwrap(), (frozen_on, "frozen"));
}

#[test]
fn only_documents_and_signed_files_are_attached_and_a_draft_lets_go_of_them() {
    let (_dir, store) = opened();
    draft(&store, &key(), "a", NOW).unwrap();
    let pdf: &[u8] = b"%PDF-1.7\n%%EOF";
    for (name, bytes, code) in [
        ("evil.exe", &b"MZ\x90"[..], "file_kind"),
        ("empty.pdf", b"", "file_empty"),
        ("fake.pdf", b"text", "file_kind"),
        ("r.p7m", b"text", "file_kind"),
        ("r.exe", pdf, "file_other_name"),
    ] {
        let refused = attach(&store, &key(), (name, bytes), "a", NOW).map_err(|failure| failure.code);
        assert_eq!(refused.err(), Some(Some(code)), "{name}");
    }
    attach(&store, &key(), ("r.pdf", pdf), "a", NOW).unwrap();
    assert!(detach(&store, &key(), "s.pdf", "a", NOW).is_err());
    detach(&store, &key(), "r.pdf", "a", NOW).unwrap();
    assert!(current(&store, &key()).unwrap().attached.is_empty());
    frozen_of(&store);
    assert!(detach(&store, &key(), "r.pdf", "a", NOW).is_err(), "frozen");
}

#[test]
fn a_frozen_file_with_a_tail_is_told_from_another_file() {
    let (_dir, store) = opened();
    let files = frozen(&store).frozen.unwrap().files;
    let of = |content: &[u8]| sign::other_content(&store, &files, content).unwrap().to_string();
    let longer = of(b"%PDF-1.7\n%%EOF\n");
    assert!(longer.contains("1 bytes follow it"), "{longer}");
    assert!(of(b"%PDF-1.7\nother").contains("does not begin with"));
}

#[test]
fn a_factor_that_no_set_has_can_be_typed_in() {
    assert!(check::act_for("factor.missing").contains("[[factor]]"));
    let catalog = config::Catalog::embedded().unwrap();
    for language in config::catalog::LANGUAGES {
        let texts = catalog.texts(language);
        let key = format!("page.desk.act.{}", check::act_name("factor.missing"));
        assert!(texts.get(&key).contains("[[factor]]"), "{language}: {}", texts.get(&key));
    }
}

#[test]
fn only_what_the_calendar_has_is_begun() {
    let catalog = config::Catalog::embedded().unwrap();
    let text = include_str!("../../../config/examples/project.toml");
    let (project, _) = config::parse_project(text, &catalog).unwrap();
    let scheme = catalog.scheme(&project.scheme).unwrap();
    let day = |year| NaiveDate::from_ymd_opt(year, 11, 23).unwrap();
    let asked = |id: &str, year: Option<i32>| {
        let of = scheme.obligation(id).unwrap();
        check::must_be_asked(scheme, &project, of, year, day(2026)).map_err(|failure| {
            assert_eq!(failure.code, Some("not_asked"));
            failure.error.to_string()
        })
    };
    // Completed in 2021: five reports, from the year after on.
    for year in 2022..=2026 {
        assert_eq!(asked("relazione-annuale", Some(year)), Ok(()));
    }
    for year in [1999, 2021, 2027, 2031] {
        let says = asked("relazione-annuale", Some(year)).unwrap_err();
        assert!(says.contains(&format!("for {year}; it does for 2022, 2023, 2024, 2025, 2026")), "{says}");
    }
    assert!(asked("relazione-annuale", None).unwrap_err().contains("without a year; it does for 2022"));
    assert_eq!(asked("relazione-sistema", Some(2022)), Ok(()));
    assert!(asked("relazione-sistema", Some(2023)).is_err(), "with the first report only");
    assert_eq!(asked("rendicontazione-finale", None), Ok(()));
    assert!(asked("rendicontazione-finale", Some(2022)).unwrap_err().contains("leave --year out"));
}

#[test]
fn one_letter_carries_the_papers_of_one_project_and_year() {
    let (_dir, store) = opened();
    let first = frozen(&store);
    let portal = obligation(Signer::DataEntry);
    let receipt: (&str, &[u8]) = ("r.pdf", b"protocollo 123");
    noted(&store, &by_hand("portale", receipt), &portal).unwrap();
    let with = |of: Key| {
        draft(&store, &of, "a", NOW).unwrap();
        let before = current(&store, &of).unwrap();
        let after = Submission { frozen: first.frozen.clone(), stage: Stage::Frozen, ..before.clone() };
        put(&store, &before, &after, "a", NOW).unwrap();
        let said = by_hand("portale", receipt);
        sent(&store, &of, &said, &portal, ROME, ("a", NOW)).map(|_| ()).map_err(|failure| failure.code)
    };
    assert_eq!(with(Key { obligation: "sistema".to_owned(), ..key() }), Ok(()));
    let used = Err(Some("receipt_used"));
    assert_eq!(with(Key { obligation: "altra".to_owned(), year: Some(2024), ..key() }), used);
    assert_eq!(with(Key { year: Some(2024), ..key() }), used);
    assert_eq!(with(Key { project: ProjectId::new("q").unwrap(), ..key() }), used);
}

#[test]
fn each_refusal_says_what_stands_in_the_way() {
    let (_dir, store) = opened();
    let note = |signer: Signer| {
        let said = by_hand("b", ("r.pdf", b"x"));
        let refused = sent(&store, &key(), &said, &obligation(signer), ROME, ("a", NOW));
        refused.map_err(|failure| failure.error.to_string())
    };
    let before = frozen(&store);
    let says = note(Signer::Professional).unwrap_err();
    assert!(says.contains("is frozen and not signed yet"), "{says}");
    let mut on_its_way = before.clone();
    (on_its_way.stage, on_its_way.sending) = (Stage::Sending, Some(sending()));
    put(&store, &before, &on_its_way, "a", NOW).unwrap();
    for signer in [Signer::Professional, Signer::DataEntry] {
        let says = note(signer).unwrap_err();
        assert!(says.contains("was handed to the mail server on 2025-10-09"), "{says}");
        assert!(says.contains("`submission receipt FILE`"), "{says}");
    }
    put(&store, &on_its_way, &before, "a", NOW).unwrap();
    note(Signer::DataEntry).unwrap();
    let says = note(Signer::DataEntry).unwrap_err();
    assert!(says.contains("was sent already on 2025-10-09"), "{says}");
    let answer = |stage: Stage| {
        let of = Outcome { on: Day(NOW.day(ROME)), says: "prot. 1".to_owned() };
        outcome(&store, &key(), stage, of, ROME, ("a", NOW)).map_err(|failure| failure.error.to_string())
    };
    answer(Stage::Accepted).unwrap();
    let says = answer(Stage::IntegrationAsked).unwrap_err();
    assert!(
        says.contains("is accepted and cannot be answered again") && !says.contains("not sent"),
        "{says}"
    );
}

#[test]
fn the_line_ends_of_a_browser_are_taken_and_kept_as_one_character() {
    let (_dir, store) = opened();
    frozen(&store);
    let refused = correct(&store, &key(), "riga\raltra", "a", NOW).map_err(|failure| failure.code);
    assert_eq!(refused.err(), Some(Some("words_reason")));
    let next = correct(&store, &key(), "riga\r\naltra", "a", NOW).unwrap();
    assert_eq!(next.why.as_deref(), Some("riga\naltra"));
    assert_eq!(current(&store, &key()).unwrap().why, next.why);
    let words = |n: usize| records::check_words("--note", &"\r\n".repeat(n).replace("\r\n", "x\r\n")).is_ok();
    assert!(words(200) && !words(201), "each line end counts once, and the last one is no word");
    let note = records::Note { project: "p".to_owned(), year: None, text: "a\r\nb".to_owned() };
    records::add_note(&store, &note, "a", NOW).unwrap();
    let kept = records::notes(&store, &ProjectId::new("p").unwrap()).unwrap();
    assert_eq!(kept[0].0.text, "a\nb");
}

#[test]
fn a_signature_that_proves_less_takes_no_better_ones_place() {
    let (_dir, store) = opened();
    let mut submission = frozen(&store);
    let file = submission.frozen.as_ref().unwrap().files[0].clone();
    let signers = |person: Option<&str>, trusted: Option<bool>| {
        vec![super::Signer {
            name: "r".to_owned(),
            person: person.map(str::to_owned),
            issuer: "i".to_owned(),
            serial: "1".to_owned(),
            not_before_ms: 0,
            not_after_ms: i64::MAX,
            fingerprint: "f".to_owned(),
            signed_at_ms: None,
            digest: None,
            trusted,
        }]
    };
    let person = Some("TINIT-RSSMRA80A01H501U");
    let mut better = |old: Vec<super::Signer>, new: Vec<super::Signer>| {
        submission.signed = vec![SignedFile {
            file: file.clone(),
            wraps_sha256: file.sha256.clone(),
            signers: old,
            reason: None,
        }];
        assert_eq!(sign::better_signed(&submission, "another file", &new), None);
        sign::better_signed(&submission, &file.sha256, &new).is_some()
    };
    // Without a list of authorities the person counts all the same.
    assert!(better(signers(person, None), signers(None, None)));
    assert!(better(signers(person, None), signers(Some("serial-12"), None)));
    assert!(better(signers(person, Some(true)), signers(person, None)));
    assert!(better(
        signers(person, Some(true)),
        [signers(person, Some(true)), signers(None, Some(true))].concat()
    ));
    assert!(!better(signers(person, None), signers(person, None)));
    assert!(!better(signers(None, None), signers(None, None)));
    assert!(!better(signers(None, None), signers(person, None)));
}
