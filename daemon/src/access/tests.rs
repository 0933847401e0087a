//! Accounts as people and attackers use them, on a real store and a clock of our own.
//!
//! Must never: sleep; time is moved.

use std::net::IpAddr;
use std::sync::Mutex;

use dashboards::access::{LinkUse, NewAccount, NewToken, Role, Scope, SignIn, TokenScope};
use model::ProjectId;
use store::StoreOptions;

use super::*;

const PASSWORD: &str = "quattro gatti al sole";
const TERMS: Terms = Terms { idle_s: 3_600, session_s: 43_200 };

#[derive(Debug)]
struct Set(Mutex<Instant>);

impl Clock for Set {
    fn now(&self) -> Instant {
        *lock(&self.0)
    }
}

struct House {
    accounts: Accounts,
    store: Store,
    clock: Arc<Set>,
    _dir: tempfile::TempDir,
}

fn here() -> IpAddr {
    "198.51.100.7".parse().unwrap()
}

fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

impl House {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
        let clock = Arc::new(Set(Mutex::new(Instant::from_seconds(1_800_000_000))));
        let of: Arc<dyn Clock> = Arc::<Set>::clone(&clock);
        let accounts = Accounts::open(store.clone(), of, TERMS).unwrap();
        Self { accounts, store, clock, _dir: dir }
    }

    /// With an administrator `ada` and her session.
    fn with_ada() -> (Self, Secret) {
        let house = Self::new();
        let link = house.accounts.first_run().unwrap().unwrap();
        let with = LinkUse { account: "ada".into(), name: "Ada".into(), password: PASSWORD.into() };
        let session = house.accounts.use_link(&link, &with, here()).unwrap();
        (house, session)
    }

    fn pass(&self, seconds: i64) {
        let mut now = lock(&self.clock.0);
        *now = now.plus_seconds(seconds);
    }

    fn sign_in(&self, account: &str, password: &str, code: &str) -> Result<Secret, Refused> {
        let (account, password, code) = (account.to_owned(), password.to_owned(), code.to_owned());
        self.accounts.sign_in(&SignIn { account, password, code, address: here() })
    }

    fn who(&self, secret: &Secret) -> Option<String> {
        self.accounts.session(secret, self.clock.now()).map(|person| person.account.clone())
    }

    fn actions(&self) -> Vec<String> {
        let mut all: Vec<String> = self
            .store
            .audit(99)
            .unwrap()
            .into_iter()
            .map(|e| format!("{} {}", e.action, e.subject))
            .collect();
        all.reverse();
        all
    }

    /// Every byte that the database has, as a thief would search it.
    fn holds(&self, text: &str) -> bool {
        let kept =
            format!("{:?} {:?}", self.store.access().unwrap(), self.store.account_details(999).unwrap());
        kept.contains(text)
    }

    fn add(&self, account: &str, role: Role, projects: &[&str]) -> Secret {
        let scope = if projects.is_empty() {
            Scope::All
        } else {
            Scope::Projects(projects.iter().map(|p| id(p)).collect())
        };
        let new = NewAccount {
            account: account.to_owned(),
            name: format!("Persona {account}x"),
            roles: vec![Held { role, scope }],
            ..NewAccount::default()
        };
        let link = self.accounts.add(&new, LinkPurpose::Invitation, "ada").unwrap();
        let with = LinkUse { password: PASSWORD.to_owned(), ..LinkUse::default() };
        self.accounts.use_link(&link, &with, here()).unwrap()
    }
}

#[test]
fn the_first_link_makes_one_administrator_once() {
    let house = House::new();
    let earlier = house.accounts.first_run().unwrap().unwrap();
    let link = house.accounts.first_run().unwrap().unwrap();
    assert!(house.accounts.link(&earlier).is_none(), "a later start ends the former link");
    let with = |password: &str| LinkUse {
        account: "Ada.Rossi".into(),
        name: "Ada Rossi".into(),
        password: password.into(),
    };
    assert_eq!(house.accounts.use_link(&link, &with("ada.rossi-2026"), here()), Err(Refused::Weak));
    let session = house.accounts.use_link(&link, &with(PASSWORD), here()).unwrap();
    assert_eq!(house.who(&session).as_deref(), Some("ada.rossi"));
    assert_eq!(house.accounts.use_link(&link, &with(PASSWORD), here()), Err(Refused::Gone));
    assert!(house.accounts.first_run().unwrap().is_none());
    let person = house.accounts.session(&session, house.clock.now()).unwrap();
    assert_eq!(person.roles, [Held::everywhere(Role::Administrator)]);
    assert_eq!(house.actions(), ["account.create ada.rossi", "account.link_used ada.rossi"]);
    for secret in [PASSWORD, link.text(), session.text()] {
        assert!(!house.holds(secret), "a secret is kept");
    }
    house.store.verify_audit().unwrap();
}

#[test]
fn a_link_ends_with_its_day() {
    let house = House::new();
    let link = house.accounts.first_run().unwrap().unwrap();
    house.pass(LINK_S);
    assert!(house.accounts.link(&link).is_none());
    assert_eq!(house.accounts.use_link(&link, &LinkUse::default(), here()), Err(Refused::Gone));
}

#[test]
fn sessions_end_by_pause_by_age_and_by_hand() {
    let (house, first) = House::with_ada();
    for _ in 0..11 {
        house.pass(3_599);
        assert!(house.who(&first).is_some());
    }
    house.pass(3_600);
    assert!(house.who(&first).is_none(), "at its age in any case");
    let second = house.sign_in("ada", PASSWORD, "").unwrap();
    house.pass(3_600);
    assert!(house.who(&second).is_none(), "unused for an hour");
    let (a, b) = (house.sign_in("Ada ", PASSWORD, "").unwrap(), house.sign_in("ada", PASSWORD, "").unwrap());
    assert_ne!(a.text(), b.text());
    house.accounts.sign_out(&a);
    assert!(house.who(&a).is_none() && house.who(&b).is_some());
    let c = house.sign_in("ada", PASSWORD, "").unwrap();
    house.accounts.sign_out_everywhere("ada", Some(&c), "ada").unwrap();
    assert!(house.who(&b).is_none() && house.who(&c).is_some());
    // Looking whether a stream may go on is no use.
    house.pass(3_000);
    assert!(house.accounts.whose(&c, house.clock.now()).is_some());
    house.pass(700);
    assert!(house.accounts.whose(&c, house.clock.now()).is_none());
}

#[test]
fn uses_outlive_a_restart() {
    let (house, session) = House::with_ada();
    house.pass(3_000);
    assert!(house.who(&session).is_some());
    house.accounts.keep_uses().unwrap();
    let clock: Arc<dyn Clock> = Arc::<Set>::clone(&house.clock);
    let again = Accounts::open(house.store.clone(), clock, TERMS).unwrap();
    house.pass(3_000);
    assert!(again.session(&session, house.clock.now()).is_some());
}

#[test]
fn guessing_waits_and_is_told() {
    let (house, _) = House::with_ada();
    for _ in 0..5 {
        assert_eq!(house.sign_in("ada", "wrong password!", ""), Err(Refused::Wrong));
    }
    assert_eq!(house.sign_in("ada", PASSWORD, ""), Err(Refused::Wait { seconds: 30 }), "even the right one");
    // A name that is none waits alike.
    for _ in 0..5 {
        assert_eq!(house.sign_in("nobody", "wrong password!", ""), Err(Refused::Wrong));
    }
    assert_eq!(house.sign_in("nobody", "x", ""), Err(Refused::Wait { seconds: 30 }));
    house.pass(30);
    house.sign_in("ada", PASSWORD, "").unwrap();
    let actions = house.actions();
    assert_eq!(actions.iter().filter(|a| *a == "account.sign_in_failed ada").count(), 5);
    assert_eq!(actions.iter().filter(|a| *a == "account.sign_in_failed -").count(), 5);
    assert_eq!(actions.iter().filter(|a| a.starts_with("account.locked")).count(), 2);
    assert!(!house.holds("nobody") && !house.holds("wrong password"));
}

#[test]
fn another_password_ends_everything_but_this_session() {
    let (house, session) = House::with_ada();
    let other = house.sign_in("ada", PASSWORD, "").unwrap();
    let change = |old: &str, new: &str| house.accounts.change_password(&session, old, new);
    assert_eq!(change("wrong", "una frase molto lunga"), Err(Refused::Wrong));
    assert_eq!(change(PASSWORD, "corta"), Err(Refused::Weak));
    assert_eq!(change(PASSWORD, PASSWORD), Err(Refused::Weak));
    let renewed = change(PASSWORD, "una frase molto lunga").unwrap();
    assert!(house.who(&session).is_none() && house.who(&other).is_none());
    assert_eq!(house.who(&renewed).as_deref(), Some("ada"));
    assert_eq!(house.sign_in("ada", PASSWORD, ""), Err(Refused::Wrong));
    house.sign_in("ada", "una frase molto lunga", "").unwrap();
}

#[test]
fn with_a_second_factor_the_password_does_not_suffice() {
    let (house, _) = House::with_ada();
    let offer = house.accounts.offer_second_factor("ada").unwrap();
    assert_eq!(house.accounts.offer_second_factor("ada").unwrap().key, offer.key, "the telephone knows it");
    house.sign_in("ada", PASSWORD, "").expect("of no effect before its first code");
    assert_eq!(house.accounts.confirm_second_factor("ada", "000000"), Err(Refused::CodeWrong));
    let code = |house: &House| {
        let body = lock(&house.accounts.state).accounts["ada"].clone();
        let key = unhex(&body.second_factor.unwrap().key).unwrap();
        totp::code_at(&key, house.clock.now().millis() / 1000 / totp::STEP_S, totp::DIGITS)
    };
    let recovery = house.accounts.confirm_second_factor("ada", &code(&house)).unwrap();
    assert_eq!(house.sign_in("ada", PASSWORD, ""), Err(Refused::CodeNeeded));
    assert_eq!(house.sign_in("ada", "wrong password!", ""), Err(Refused::Wrong), "and nothing of a code");
    assert_eq!(house.sign_in("ada", PASSWORD, &code(&house)), Err(Refused::CodeWrong), "used to confirm");
    house.pass(30);
    let now = code(&house);
    house.sign_in("ada", PASSWORD, &now).unwrap();
    assert_eq!(house.sign_in("ada", PASSWORD, &now), Err(Refused::CodeWrong), "used");
    house.sign_in("ada", PASSWORD, &recovery[0]).unwrap();
    assert_eq!(house.sign_in("ada", PASSWORD, &recovery[0]), Err(Refused::CodeWrong), "used");
    assert_eq!(house.accounts.one("ada").unwrap().recovery_codes, totp::RECOVERY_CODES - 1);
    assert!(!house.holds(&recovery[1]));
    house.accounts.end_second_factor("ada", PASSWORD).unwrap();
    house.sign_in("ada", PASSWORD, "").unwrap();
}

#[test]
fn a_disabled_account_is_shut_at_once_also_by_another_process() {
    let (house, _) = House::with_ada();
    let session = house.add("rosa", Role::FacilityManager, &[]);
    let token =
        NewToken { account: "rosa".into(), label: "x".into(), scopes: vec![TokenScope::Read], days: 1 };
    let token = house.accounts.new_token(&token, "ada").unwrap();
    assert!(house.accounts.token(&token, house.clock.now()).is_some());
    let clock: Arc<dyn Clock> = Arc::<Set>::clone(&house.clock);
    let cli = Accounts::open(house.store.clone(), clock, TERMS).unwrap();
    cli.set("rosa", false, None, "cli").unwrap();
    house.accounts.refresh().unwrap();
    assert!(house.who(&session).is_none() && house.accounts.token(&token, house.clock.now()).is_none());
    assert_eq!(house.sign_in("rosa", PASSWORD, ""), Err(Refused::Wrong));
    assert_eq!(cli.set("ada", false, None, "cli"), Err(Refused::LastAdministrator));
    assert_eq!(cli.set("ada", true, Some(Vec::new()), "cli"), Err(Refused::LastAdministrator));
    assert_eq!(cli.set("nobody", true, None, "cli"), Err(Refused::Unknown));
}

#[test]
fn a_legal_representative_looks_after_the_subjects_of_one_project() {
    let (house, _) = House::with_ada();
    let (school, hall): (ProjectId, ProjectId) = (id("scuola"), id("municipio"));
    let new = |account: &str, code: Option<&str>| NewAccount {
        account: account.to_owned(),
        name: "Operatore Uno".to_owned(),
        tax_code: code.map(str::to_owned),
        ..NewAccount::default()
    };
    let code = Some("RSSMRA80A01H501U");
    let add =
        |project: &ProjectId, role, new: &NewAccount| house.accounts.add_subject(project, role, new, "lr");
    assert!(add(&school, Role::DataEntry, &new("uno", code)).unwrap().is_some(), "a new account, by a link");
    assert!(add(&hall, Role::DataEntry, &new("another-name", code)).unwrap().is_none(), "the same person");
    assert_eq!(add(&school, Role::Administrator, &new("due", None)), Err(Refused::Unreadable));
    assert_eq!(add(&school, Role::DataEntry, &new("uno", None)), Err(Refused::Taken));
    assert_eq!(
        add(&school, Role::DataEntry, &new("tre", Some("RSSMRA80A01H501X"))),
        Err(Refused::Unreadable)
    );
    house.accounts.set_subject(&school, "uno", Role::DataEntry, false, "lr").unwrap();
    let enabled = |project| house.accounts.subjects(project).iter().map(|s| s.is_enabled).collect::<Vec<_>>();
    assert_eq!((enabled(&school), enabled(&hall)), (vec![false], vec![true]));
    assert_eq!(house.accounts.one("uno").unwrap().roles.len(), 1, "what is disabled gives nothing");
    house.accounts.set_subject(&school, "uno", Role::DataEntry, true, "lr").unwrap();
    assert_eq!(enabled(&school), [true]);
    assert_eq!(
        house.accounts.set_subject(&school, "ada", Role::DataEntry, true, "lr"),
        Err(Refused::Unknown)
    );
    house.store.verify_audit().unwrap();
}

#[test]
fn tokens_end_by_day_and_by_hand() {
    let (house, _) = House::with_ada();
    let new = |days, scopes: &[TokenScope]| NewToken {
        account: "ada".into(),
        label: "backup".into(),
        scopes: scopes.to_vec(),
        days,
    };
    assert_eq!(house.accounts.new_token(&new(0, &[TokenScope::Read]), "ada"), Err(Refused::Unreadable));
    assert_eq!(house.accounts.new_token(&new(1, &[]), "ada"), Err(Refused::Unreadable));
    let token = house.accounts.new_token(&new(1, &[TokenScope::Metrics]), "ada").unwrap();
    assert!(!house.holds(token.text()));
    house.pass(86_399);
    assert_eq!(house.accounts.token(&token, house.clock.now()).unwrap().1, [TokenScope::Metrics]);
    assert!(house.accounts.session(&token, house.clock.now()).is_none(), "a token is no session");
    assert!(house.accounts.tokens()[0].last_used.is_some());
    house.pass(1);
    assert!(house.accounts.token(&token, house.clock.now()).is_none());
    let token = house.accounts.new_token(&new(1, &[TokenScope::Read]), "ada").unwrap();
    let known = house.accounts.tokens();
    house.accounts.revoke_token(&known[0].id, "ada").unwrap();
    assert!(house.accounts.token(&token, house.clock.now()).is_none());
    assert_eq!(house.accounts.revoke_token("0", "ada"), Err(Refused::Unknown));
}

#[test]
fn sessions_of_one_account_are_bounded() {
    let (house, _) = House::with_ada();
    let mut all = Vec::new();
    for _ in 0..17 {
        house.pass(1);
        all.push(house.sign_in("ada", PASSWORD, "").unwrap());
    }
    assert!(house.who(&all[0]).is_none(), "the one longest unused ended");
    assert_eq!(house.accounts.one("ada").unwrap().sessions, 16);
}
