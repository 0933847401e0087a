//! Signing in at a real provider (`oidc-provider`, certified by the OpenID Foundation) that runs beside the test.
//!
//! Must never: pass without the provider: what it needs is installed by `tests/setup.sh`.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use connectors::Clock;
use connectors::identity::{IdentityError, IdentityProvider, IdentitySettings};
use model::Instant;

const BACK: &str = "http://127.0.0.1:9/login/provider/back";
const SECRET: &str = "un-segreto-di-prova-abbastanza-lungo";
const LEVEL: &str = "https://www.spid.gov.it/SpidL2";

/// The machine's clock: the provider has no other.
struct Wall {
    ahead_s: i64,
}

impl Clock for Wall {
    #[expect(clippy::disallowed_methods, reason = "a test against a process that has the machine's clock")]
    fn now(&self) -> Instant {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Instant::from_seconds(i64::try_from(since.as_secs()).unwrap() + self.ahead_s)
    }
}

struct Real {
    child: Child,
    port: u16,
    dir: tempfile::TempDir,
}

impl Drop for Real {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Real {
    fn start(mode: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/identity");
        assert!(
            folder.join("node_modules").is_dir(),
            "the provider is missing; `sh tests/setup.sh` installs it"
        );
        let mut child = Command::new("node")
            .args(["provider.mjs", BACK, mode])
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node starts");
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().parse().expect("the provider's port");
        Self { child, port, dir: tempfile::tempdir().unwrap() }
    }

    fn settings(&self) -> IdentitySettings {
        let secret = self.dir.path().join("secret");
        std::fs::write(&secret, format!("{SECRET}\n")).unwrap();
        IdentitySettings {
            issuer: format!("http://127.0.0.1:{}", self.port),
            client_id: "consuntivo".to_owned(),
            client_secret_file: Some(secret),
            redirect: BACK.to_owned(),
            scopes: vec!["profile".to_owned()],
            tax_code_claim: "fiscal_number".to_owned(),
            acr: None,
            ca_file: None::<PathBuf>,
        }
    }

    fn site(&self, settings: IdentitySettings) -> IdentityProvider {
        IdentityProvider::new(settings, Arc::new(Wall { ahead_s: 0 })).unwrap()
    }

    /// Who signs in next.
    fn person(&self, json: &str) {
        let head = format!(
            "PUT /person HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{json}",
            json.len()
        );
        assert!(self.ask(&head).starts_with("HTTP/1.1 200"));
    }

    fn ask(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Goes where a browser would go, cookies and all, until it is sent back to the site; returns `state` and `code`.
    fn browse(&self, to: &str) -> BTreeMap<String, String> {
        let mut cookies: BTreeMap<String, String> = BTreeMap::new();
        let mut next = to.to_owned();
        for _ in 0..12 {
            if let Some(query) = next.strip_prefix(&format!("{BACK}?")) {
                let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
                return pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
            }
            let own = format!("http://127.0.0.1:{}", self.port);
            let path = next.strip_prefix(&own).unwrap_or(&next).to_owned();
            let jar: Vec<String> = cookies.iter().map(|(k, v)| format!("{k}={v}")).collect();
            let answer = self.ask(&format!(
                "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\nCookie: {}\r\n\r\n",
                self.port,
                jar.join("; ")
            ));
            let head = answer.split("\r\n\r\n").next().unwrap();
            next = String::new();
            for line in head.lines() {
                let Some((name, value)) = line.split_once(": ") else { continue };
                if name.eq_ignore_ascii_case("location") {
                    next = value.to_owned();
                }
                if name.eq_ignore_ascii_case("set-cookie")
                    && let Some((key, value)) = value.split(';').next().unwrap().split_once('=')
                {
                    cookies.insert(key.to_owned(), value.to_owned());
                }
            }
            assert!(!next.is_empty(), "no way on from {path}: {answer}");
        }
        panic!("the provider does not send people back");
    }
}

#[test]
fn a_person_is_known_by_the_tax_code_that_the_provider_states() {
    for mode in ["", "in-token"] {
        let real = Real::start(mode);
        let site = real.site(real.settings());
        let (to, started) = site.start().unwrap();
        assert!(to.contains("code_challenge_method=S256") && to.contains("nonce="), "{to}");
        assert!(!to.contains(SECRET));
        let back = real.browse(&to);
        assert_eq!(back["state"], started.state);
        assert_eq!(site.finish(&started, &back["code"]).unwrap().tax_code, "RSSMRA80A01H501U");
        // A code works once.
        assert!(matches!(site.finish(&started, &back["code"]), Err(IdentityError::Exchange { .. })));
    }
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let real = Real::start("in-token");
    let site = real.site(real.settings());
    // Another attempt's verifier: PKCE.
    let (to, _) = site.start().unwrap();
    let (_, other) = site.start().unwrap();
    let back = real.browse(&to);
    assert!(matches!(site.finish(&other, &back["code"]), Err(IdentityError::Exchange { .. })));
    assert!(matches!(site.finish(&other, "made-up"), Err(IdentityError::Exchange { .. })));
    // A token whose time is over by our clock.
    let late = IdentityProvider::new(real.settings(), Arc::new(Wall { ahead_s: 3_600 })).unwrap();
    let (to, started) = late.start().unwrap();
    let back = real.browse(&to);
    let refused = late.finish(&started, &back["code"]).unwrap_err();
    assert!(matches!(refused, IdentityError::Token { .. }), "{refused}");
    // The level of assurance that was demanded, which a password alone is not.
    let site = real.site(IdentitySettings { acr: Some(LEVEL.to_owned()), ..real.settings() });
    let (to, started) = site.start().unwrap();
    let back = real.browse(&to);
    let refused = site.finish(&started, &back["code"]).unwrap_err();
    assert!(refused.to_string().contains("level of assurance"), "{refused}");
    real.person(&format!("{{\"sub\":\"b\",\"code\":\"TINIT-RSSMRA80A01H501U\",\"acr\":\"{LEVEL}\"}}"));
    let (to, started) = site.start().unwrap();
    let back = real.browse(&to);
    assert!(site.finish(&started, &back["code"]).is_ok());
}

#[test]
fn nobody_is_vouched_for_without_a_tax_code() {
    let real = Real::start("");
    real.person("{\"sub\":\"c\"}");
    let site = real.site(real.settings());
    let (to, started) = site.start().unwrap();
    let back = real.browse(&to);
    let refused = site.finish(&started, &back["code"]).unwrap_err();
    assert!(matches!(refused, IdentityError::NoTaxCode { .. }), "{refused}");
    real.person("{\"sub\":\"d\",\"code\":\"TINDE-1234\"}");
    let (to, started) = site.start().unwrap();
    let back = real.browse(&to);
    assert!(matches!(site.finish(&started, &back["code"]), Err(IdentityError::NoTaxCode { .. })));
}

#[test]
fn a_wrong_secret_and_a_provider_that_is_away_are_told_apart() {
    let real = Real::start("");
    let settings = real.settings();
    std::fs::write(settings.client_secret_file.as_ref().unwrap(), "wrong\n").unwrap();
    let site = real.site(settings);
    let (to, started) = site.start().unwrap();
    let back = real.browse(&to);
    let refused = site.finish(&started, &back["code"]).unwrap_err();
    assert!(matches!(refused, IdentityError::Exchange { .. }) && !refused.to_string().contains("wrong\n"));
    let away = IdentitySettings { issuer: "http://127.0.0.1:1".to_owned(), ..real.settings() };
    let refused = real.site(away).start().unwrap_err();
    assert!(matches!(refused, IdentityError::Discovery { .. }), "{refused}");
}
