//! Whom the provider vouches for, and what he is here: over a real provider (`oidc-provider`) that runs beside the test.
//!
//! Must never: pass without the provider: what it needs is installed by `tests/setup.sh`.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use connectors::Clock;
use connectors::identity::IdentitySettings;
use dashboards::access::{LinkPurpose, LinkUse, NewAccount, Role, Scope};
use model::ProjectId;
use store::{Store, StoreOptions};

use super::super::{NamedSubject, Terms};
use super::*;

const BACK: &str = "http://127.0.0.1:9/login/provider/back";
const SECRET: &str = "un-segreto-di-prova-abbastanza-lungo";
const CODE: &str = "RSSMRA80A01H501U";

/// The machine's clock, which the provider has, and what a test lets pass.
#[derive(Debug, Default)]
struct Wall(AtomicI64);

impl Clock for Wall {
    #[expect(clippy::disallowed_methods, reason = "a test against a process that has the machine's clock")]
    fn now(&self) -> Instant {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Instant::from_seconds(i64::try_from(since.as_secs()).unwrap() + self.0.load(Relaxed))
    }
}

/// An installation whose project names a person, and the provider that people sign in at.
struct House {
    accounts: Accounts,
    store: Store,
    clock: Arc<Wall>,
    child: Child,
    port: u16,
    _dir: tempfile::TempDir,
}

impl Drop for House {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn here() -> IpAddr {
    "198.51.100.7".parse().unwrap()
}

fn browser(name: &str) -> Secret {
    Secret::from_text(name).unwrap()
}

fn held(role: Role) -> Held {
    Held { role, scope: Scope::Projects(BTreeSet::from([ProjectId::new("scuola").unwrap()])) }
}

impl House {
    fn naming(subjects: Vec<NamedSubject>) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/identity");
        let installed = folder.join("node_modules").is_dir();
        assert!(installed, "the provider is missing; `sh tests/setup.sh` installs it");
        let mut child = Command::new("node")
            .args(["provider.mjs", BACK, "in-token"])
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node starts");
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let port: u16 = line.trim().parse().expect("the provider's port");
        let dir = tempfile::tempdir().unwrap();
        let secret = dir.path().join("secret");
        std::fs::write(&secret, format!("{SECRET}\n")).unwrap();
        let settings = IdentitySettings {
            issuer: format!("http://127.0.0.1:{port}"),
            client_id: "consuntivo".to_owned(),
            client_secret_file: Some(secret),
            redirect: BACK.to_owned(),
            scopes: vec!["profile".to_owned()],
            tax_code_claim: "fiscal_number".to_owned(),
            acr: None,
            ca_file: None,
        };
        let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
        let clock = Arc::new(Wall::default());
        let of: Arc<dyn Clock> = Arc::<Wall>::clone(&clock);
        let terms = Terms { idle_s: 3_600, session_s: 43_200 };
        let accounts = Accounts::open(store.clone(), Arc::clone(&of), terms).unwrap();
        let identity = IdentityProvider::new(settings, of).unwrap();
        let provider = Provider::new("Ente".to_owned(), identity);
        let accounts = accounts.with_provider(provider, Box::new(move || subjects.clone()));
        let link = accounts.first_run().unwrap().unwrap();
        let password = "quattro gatti al sole".to_owned();
        let with = LinkUse { account: "ada".into(), name: "Ada".into(), password };
        accounts.use_link(&link, &with, here()).unwrap();
        Self { accounts, store, clock, child, port, _dir: dir }
    }

    fn ask(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Who signs in next at the provider.
    fn person(&self, json: &str) {
        let length = json.len();
        let request = format!(
            "PUT /person HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{json}"
        );
        assert!(self.ask(&request).starts_with("HTTP/1.1 200"));
    }

    /// Goes where a browser would go until it is sent back; `state` and `code`.
    fn browse(&self, to: &str) -> (String, String) {
        let mut cookies: BTreeMap<String, String> = BTreeMap::new();
        let mut next = to.to_owned();
        for _ in 0..12 {
            if let Some(query) = next.strip_prefix(&format!("{BACK}?")) {
                let of = |name: &str| {
                    let found = query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")));
                    found.expect("the provider sends both").to_owned()
                };
                return (of("state"), of("code"));
            }
            let path = next.strip_prefix(&format!("http://127.0.0.1:{}", self.port)).unwrap_or(&next);
            let jar: Vec<String> = cookies.iter().map(|(k, v)| format!("{k}={v}")).collect();
            let answer = self.ask(&format!(
                "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\nCookie: {}\r\n\r\n",
                self.port,
                jar.join("; ")
            ));
            next = String::new();
            for (name, value) in answer.lines().filter_map(|line| line.split_once(": ")) {
                if name.eq_ignore_ascii_case("location") {
                    next = value.to_owned();
                }
                if name.eq_ignore_ascii_case("set-cookie")
                    && let Some((key, value)) = value.split(';').next().unwrap().split_once('=')
                {
                    cookies.insert(key.to_owned(), value.to_owned());
                }
            }
            assert!(!next.is_empty(), "no way on: {answer}");
        }
        panic!("the provider does not send people back");
    }

    /// To the provider and back in one browser.
    fn come(&self) -> Result<(Secret, String), Refused> {
        let form = browser("this-browser");
        let to = self.accounts.depart(&form, "/meters").unwrap().to;
        let (state, code) = self.browse(&to);
        self.accounts.arrive(&form, &state, &code, here())
    }

    fn who(&self, session: &Secret) -> String {
        self.accounts.session(session, self.clock.now()).unwrap().account.clone()
    }

    fn failures(&self) -> Vec<String> {
        let details = self.store.account_details(99).unwrap();
        let entries = self.store.audit(99).unwrap().into_iter();
        let failed = entries.filter(|e| e.action == "account.sign_in_failed");
        failed.filter_map(|e| details.get(&e.seq).cloned()).collect()
    }
}

fn subject(role: Role) -> NamedSubject {
    NamedSubject { tax_code: CODE.to_owned(), name: "Persona Uno".to_owned(), held: held(role) }
}

#[test]
fn a_known_account_is_found_by_its_tax_code_and_a_disabled_one_stays_out() {
    let house = House::naming(Vec::new());
    let new = NewAccount {
        account: "uno".to_owned(),
        name: "Persona Uno".to_owned(),
        tax_code: Some(CODE.to_owned()),
        roles: vec![held(Role::DataEntry)],
        ..NewAccount::default()
    };
    house.accounts.add(&new, LinkPurpose::Invitation, "ada").unwrap();
    let (session, next) = house.come().unwrap();
    assert_eq!((house.who(&session).as_str(), next.as_str()), ("uno", "/meters"));
    house.accounts.set("uno", false, None, "ada").unwrap();
    assert!(house.accounts.session(&session, house.clock.now()).is_none(), "the open session ended");
    assert_eq!(house.come().unwrap_err(), Refused::Stranger);
    assert!(house.failures().iter().any(|why| why.contains("disabled")), "{:?}", house.failures());
    house.store.verify_audit().unwrap();
}

#[test]
fn a_subject_of_a_project_gets_an_account_once_and_a_stranger_none() {
    let named = vec![subject(Role::LegalRepresentative), subject(Role::DataEntry)];
    let house = House::naming(named);
    let before = house.accounts.all().len();
    let (session, _) = house.come().unwrap();
    let person = house.accounts.session(&session, house.clock.now()).unwrap();
    assert_eq!((person.account.as_str(), person.name.as_str()), ("rssmra80a01h501u", "Persona Uno"));
    assert_eq!(person.roles, [held(Role::LegalRepresentative), held(Role::DataEntry)]);
    house.come().unwrap();
    assert_eq!(house.accounts.all().len(), before + 1, "the second time it is known");
    // The provider vouches for somebody whom no project names: nobody here.
    house.person("{\"sub\":\"b\",\"code\":\"TINIT-VRDLGI75B02L219X\"}");
    assert_eq!(house.come().unwrap_err(), Refused::Stranger);
    assert_eq!(house.accounts.all().len(), before + 1);
    assert!(house.failures().iter().any(|why| why.contains("stranger")));
    // And for somebody without a tax code.
    house.person("{\"sub\":\"c\"}");
    assert_eq!(house.come().unwrap_err(), Refused::Provider);
}

#[test]
fn what_another_browser_began_is_not_finished_here_and_nothing_is_used_twice() {
    let house = House::naming(vec![subject(Role::DataEntry)]);
    let (mine, other) = (browser("this-browser"), browser("another-browser"));
    // Somebody is given the address of an attempt that a thief began, so as to be signed in as the thief.
    let to = house.accounts.depart(&other, "/").unwrap().to;
    let (state, code) = house.browse(&to);
    let arrive = |form: &Secret, state: &str| house.accounts.arrive(form, state, &code, here());
    assert_eq!(arrive(&mine, &state).unwrap_err(), Refused::Provider);
    assert_eq!(arrive(&other, &state).unwrap_err(), Refused::Provider, "used up by the first");
    assert_eq!(arrive(&mine, "made-up").unwrap_err(), Refused::Provider);
    // The way back works once.
    let to = house.accounts.depart(&mine, "/").unwrap().to;
    let (state, code) = house.browse(&to);
    assert!(house.accounts.arrive(&mine, &state, &code, here()).is_ok());
    assert_eq!(
        house.accounts.arrive(&mine, &state, &code, here()).unwrap_err(),
        Refused::Provider,
        "replayed"
    );
    // And not after ten minutes.
    let to = house.accounts.depart(&mine, "/").unwrap().to;
    let (state, code) = house.browse(&to);
    house.clock.0.fetch_add(AWAY_S as i64, Relaxed);
    assert_eq!(house.accounts.arrive(&mine, &state, &code, here()).unwrap_err(), Refused::Provider);
}
