//! Made-up accounts for tests: one for each role, whose session's secret is the role's own name, and notes of what was
//! asked for.
//!
//! Must never: be linked into the daemon.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use dashboards::access::{
    AccountView, AuditLine, Departure, Directory, Held, LinkPurpose, LinkUse, LinkView, NewAccount, NewToken,
    Person, Refused, Role, Scope, SecondFactorOffer, Secret, SignIn, SubjectView, TokenScope, TokenView,
};
use model::{BuildingId, Instant, ProjectId};

/// The password of every one of them.
pub(crate) const PASSWORD: &str = "quattro gatti al sole";
/// The secret of a link that sets a password.
pub(crate) const LINK: &str = "a-link";

/// Entries of the audit log: more than two pages of it.
pub(crate) const AUDIT_LINES: i64 = 1_203;

/// Accounts by role.
#[derive(Default)]
pub(crate) struct People {
    pub(crate) empty: bool,
    /// Every session and token has ended.
    pub(crate) revoked: AtomicBool,
    /// What was changed, in order.
    pub(crate) asked: Mutex<Vec<String>>,
}

impl People {
    pub(crate) fn nobody() -> Arc<Self> {
        Arc::new(Self { empty: true, ..Self::default() })
    }

    pub(crate) fn of_every_role() -> Arc<Self> {
        Arc::new(Self::default())
    }

    fn note(&self, what: String) {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }
}

fn person(account: &str) -> Option<Arc<Person>> {
    // `ROLE` everywhere, `ROLE-own` in one project, `ROLE-building` in one of that project's two buildings,
    // `ROLE-later` in it and in what is not registered yet.
    let own = ProjectId::new("scuola-gobetti").unwrap();
    let (code, scope) = if let Some(code) = account.strip_suffix("-own") {
        (code, Scope::Projects(BTreeSet::from([own])))
    } else if let Some(code) = account.strip_suffix("-building") {
        let building = BuildingId::new("scuola-gobetti-sede").unwrap();
        (code, Scope::Buildings(BTreeSet::from([(own, building)])))
    } else if let Some(code) = account.strip_suffix("-later") {
        (code, Scope::Projects(BTreeSet::from([own, ProjectId::new("asilo-nuovo").unwrap()])))
    } else {
        (account, Scope::All)
    };
    let role = Role::parse(code)?;
    let (account, name) = (account.to_owned(), format!("Persona {code}"));
    Some(Arc::new(Person { account, name, roles: vec![Held { role, scope }] }))
}

fn secret(text: &str) -> Secret {
    Secret::from_text(text).unwrap()
}

impl Directory for People {
    fn has_accounts(&self) -> bool {
        !self.empty
    }

    fn session(&self, secret: &Secret, _: Instant) -> Option<Arc<Person>> {
        let lives = !self.empty && !self.revoked.load(Ordering::SeqCst);
        if lives { person(secret.text()) } else { None }
    }

    fn whose(&self, secret: &Secret, at: Instant) -> Option<Arc<Person>> {
        self.session(secret, at)
    }

    /// `token-SCOPE`, of the administrator; `token-SCOPE-ROLE`, of that role.
    fn token(&self, secret: &Secret, _: Instant) -> Option<(Arc<Person>, Vec<TokenScope>)> {
        let lives = !self.revoked.load(Ordering::SeqCst);
        let of = secret.text().strip_prefix("token-").filter(|_| lives)?;
        let (scope, role) = of.split_once('-').unwrap_or((of, "administrator"));
        Some((person(role)?, vec![TokenScope::parse(scope)?]))
    }

    fn fresh_secret(&self) -> Option<Secret> {
        Some(secret("fresh"))
    }

    fn sign_in(&self, attempt: &SignIn) -> Result<Secret, Refused> {
        self.note(format!("sign_in {} from {}", attempt.account, attempt.address));
        match attempt.account.as_str() {
            "waits" => Err(Refused::Wait { seconds: 30 }),
            account if person(account).is_some() && attempt.password == PASSWORD => Ok(secret(account)),
            _ => Err(Refused::Wrong),
        }
    }

    fn sign_out(&self, secret: &Secret) {
        self.note(format!("sign_out {}", secret.text()));
    }

    fn sign_out_everywhere(&self, account: &str, but: Option<&Secret>, author: &str) -> Result<(), Refused> {
        self.note(format!("sign_out_everywhere {account} but {} by {author}", but.is_some()));
        Ok(())
    }

    fn link(&self, secret: &Secret) -> Option<LinkView> {
        (secret.text() == LINK).then(|| LinkView {
            purpose: LinkPurpose::Reset,
            account: "data_entry".to_owned(),
            name: "Persona".to_owned(),
        })
    }

    fn use_link(&self, link: &Secret, with: &LinkUse, _: IpAddr) -> Result<Secret, Refused> {
        self.link(link).ok_or(Refused::Gone)?;
        if with.password == PASSWORD { Ok(secret("data_entry")) } else { Err(Refused::Weak) }
    }

    fn account(&self, account: &str) -> Option<AccountView> {
        let person = person(account)?;
        Some(AccountView {
            account: person.account.clone(),
            name: person.name.clone(),
            mail: Some("persona@example.invalid".to_owned()),
            tax_code: None,
            is_enabled: true,
            has_password: true,
            has_second_factor: false,
            recovery_codes: 0,
            roles: person.roles.clone(),
            sessions: 1,
            last_seen: None,
        })
    }

    fn change_password(&self, _: &Secret, old: &str, _: &str) -> Result<Secret, Refused> {
        if old == PASSWORD { Ok(secret("administrator")) } else { Err(Refused::Wrong) }
    }

    fn offer_second_factor(&self, _: &str) -> Result<SecondFactorOffer, Refused> {
        let address = "otpauth://totp/consuntivo:a?secret=ABCD".to_owned();
        Ok(SecondFactorOffer { key: "ABCD EFGH".to_owned(), address })
    }

    fn confirm_second_factor(&self, _: &str, code: &str) -> Result<Vec<String>, Refused> {
        if code == "123456" { Ok(vec!["aaaa-bbbb".to_owned()]) } else { Err(Refused::CodeWrong) }
    }

    fn end_second_factor(&self, _: &str, password: &str) -> Result<(), Refused> {
        if password == PASSWORD { Ok(()) } else { Err(Refused::Wrong) }
    }

    fn accounts(&self) -> Vec<AccountView> {
        let others = ["data_entry-later", "facility_manager-building"];
        Role::ALL.iter().map(|role| role.code()).chain(others).filter_map(|name| self.account(name)).collect()
    }

    fn add_account(&self, new: &NewAccount, author: &str) -> Result<Secret, Refused> {
        self.note(format!("add_account {} by {author}: {:?}", new.account, new.roles));
        Ok(secret("new-link"))
    }

    fn set_account(
        &self,
        account: &str,
        is_enabled: bool,
        _: Vec<Held>,
        author: &str,
    ) -> Result<(), Refused> {
        self.note(format!("set_account {account} {is_enabled} by {author}"));
        Ok(())
    }

    fn new_link(&self, _: &str, _: &str) -> Result<Secret, Refused> {
        Ok(secret("new-link"))
    }

    fn subjects(&self, _: &ProjectId) -> Vec<SubjectView> {
        vec![SubjectView {
            account: "data_entry".to_owned(),
            name: "Persona".to_owned(),
            role: Role::DataEntry,
            is_enabled: true,
        }]
    }

    fn add_subject(
        &self,
        project: &ProjectId,
        role: Role,
        new: &NewAccount,
        author: &str,
    ) -> Result<Option<Secret>, Refused> {
        self.note(format!("add_subject {project} {} {} by {author}", role.code(), new.account));
        Ok(Some(secret("new-link")))
    }

    fn set_subject(
        &self,
        project: &ProjectId,
        account: &str,
        role: Role,
        is_enabled: bool,
        author: &str,
    ) -> Result<(), Refused> {
        self.note(format!("set_subject {project} {account} {} {is_enabled} by {author}", role.code()));
        Ok(())
    }

    fn tokens(&self) -> Vec<TokenView> {
        Vec::new()
    }

    fn new_token(&self, new: &NewToken, _: &str) -> Result<Secret, Refused> {
        self.note(format!("new_token {:?} {}", new.scopes, new.days));
        Ok(secret("the-token"))
    }

    fn revoke_token(&self, id: &str, _: &str) -> Result<(), Refused> {
        self.note(format!("revoke_token {id}"));
        Ok(())
    }

    fn audit(&self, before: Option<i64>, limit: u32) -> Vec<AuditLine> {
        let newest = before.map_or(AUDIT_LINES, |before| before.saturating_sub(1).min(AUDIT_LINES));
        let line = |seq: i64| AuditLine {
            seq,
            at: Instant::from_seconds(1_770_000_000 + seq),
            author: "a".to_owned(),
            action: "create".to_owned(),
            kind: "note".to_owned(),
            subject: format!("nota-{seq}"),
            detail: String::new(),
        };
        (1..=newest).rev().take(limit as usize).map(line).collect()
    }

    fn provider(&self) -> Option<String> {
        None
    }

    fn depart(&self, _: &Secret, _: &str) -> Result<Departure, Refused> {
        Err(Refused::Provider)
    }

    fn arrive(&self, _: &Secret, _: &str, _: &str, _: IpAddr) -> Result<(Secret, String), Refused> {
        Err(Refused::Provider)
    }
}
