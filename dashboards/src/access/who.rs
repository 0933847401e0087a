//! Who asks: an account by its session or token, or a reader without a name.
//!
//! Must never: be made from anything in the request but what the gate has verified.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use model::{BuildingId, Instant, ProjectId};
use sha2::{Digest as _, Sha256};

use super::directory::Directory;
use super::role::{Held, Right, Role, Scope};
use super::secret::{self, Secret};

/// What a token may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TokenScope {
    /// Whatever its account may look at.
    Read,
    /// Whatever its account may change; includes [`TokenScope::Read`].
    Write,
    /// `/metrics`.
    Metrics,
    /// Deliveries of the grants system.
    Grants,
    /// The calendar of obligations, from a calendar program.
    Calendar,
}

impl TokenScope {
    pub const ALL: [Self; 5] = [Self::Read, Self::Write, Self::Metrics, Self::Grants, Self::Calendar];

    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Metrics => "metrics",
            Self::Grants => "grants",
            Self::Calendar => "calendar",
        }
    }

    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.code() == code)
    }
}

/// An account as far as a request cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Its stable id, the author in the audit log.
    pub account: String,
    /// As pages show it.
    pub name: String,
    pub roles: Vec<Held>,
}

/// How a request proved who it is from.
#[derive(Debug, Clone)]
pub(crate) enum Proof {
    /// Nothing proved. `reading` where such readers are let in.
    Nobody {
        reading: bool,
    },
    Session(Secret),
    Token(Secret, Vec<TokenScope>),
}

/// Who asks. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Who {
    person: Option<Arc<Person>>,
    proof: Proof,
    /// What a form of this reader must carry; empty where a form would be of no use.
    csrf: Arc<str>,
}

impl Who {
    pub(crate) fn nobody(reading: bool, form: Option<&Secret>) -> Self {
        let csrf = form.map(csrf_of).unwrap_or_default();
        Self { person: None, proof: Proof::Nobody { reading }, csrf: csrf.into() }
    }

    pub(crate) fn session(person: Arc<Person>, secret: Secret) -> Self {
        let csrf = csrf_of(&secret).into();
        Self { person: Some(person), proof: Proof::Session(secret), csrf }
    }

    pub(crate) fn token(person: Arc<Person>, secret: Secret, scopes: Vec<TokenScope>) -> Self {
        Self { person: Some(person), proof: Proof::Token(secret, scopes), csrf: "".into() }
    }

    /// The same as of now, for what stays open; `None` when the session or the token is no more. Notes no use of a
    /// session.
    pub(crate) fn renewed(&self, directory: &dyn Directory, now: Instant) -> Option<Self> {
        match &self.proof {
            Proof::Nobody { .. } => Some(self.clone()),
            Proof::Session(secret) => {
                directory.whose(secret, now).map(|person| Self::session(person, secret.clone()))
            }
            Proof::Token(secret, _) => {
                let known = directory.token(secret, now);
                known.map(|(person, scopes)| Self::token(person, secret.clone(), scopes))
            }
        }
    }

    /// `None` for a reader without a name.
    #[must_use]
    pub fn person(&self) -> Option<&Person> {
        self.person.as_deref()
    }

    /// The account's id, for the audit log; `None` for a reader without a name, who changes nothing.
    #[must_use]
    pub fn account(&self) -> Option<&str> {
        self.person().map(|person| person.account.as_str())
    }

    /// Under which name a change is entered in the audit log.
    #[must_use]
    pub fn author(&self) -> String {
        self.account().unwrap_or("nobody").to_owned()
    }

    /// What forms carry as their field `csrf`.
    #[must_use]
    pub fn csrf(&self) -> &str {
        &self.csrf
    }

    /// The secret of the session, where it is one.
    pub(crate) fn session_secret(&self) -> Option<&Secret> {
        match &self.proof {
            Proof::Session(secret) => Some(secret),
            Proof::Nobody { .. } | Proof::Token(..) => None,
        }
    }

    /// Whether a person sits there: programs with a token do not sign out or change passwords.
    #[must_use]
    pub fn is_signed_in(&self) -> bool {
        matches!(self.proof, Proof::Session(_))
    }

    pub(crate) fn has_token_for(&self, scope: TokenScope) -> bool {
        matches!(&self.proof, Proof::Token(_, scopes) if scopes.contains(&scope))
    }

    /// Whether the request proved itself by something that a browser does not send by itself.
    pub(crate) fn is_program(&self) -> bool {
        matches!(self.proof, Proof::Token(..))
    }

    /// Whether this reader may do it in the project, or with `None` anywhere at all (to show the way there; what is
    /// done there asks again, with the project).
    ///
    /// A role that is held for some of a project's buildings reaches the project's pages, and changes nothing in it
    /// but through [`Who::may_in`].
    #[must_use]
    pub fn may(&self, right: Right, project: Option<&ProjectId>) -> bool {
        self.judge(right, |held| match project {
            Some(project) if right == Right::SeeProject => held.scope.touches(project),
            Some(project) => held.scope.holds_project(project),
            None => true,
        })
    }

    /// Whether this reader may do it in one building of a project.
    #[must_use]
    pub fn may_in(&self, right: Right, project: &ProjectId, building: &BuildingId) -> bool {
        self.judge(right, |held| held.scope.holds_building(project, building))
    }

    /// Whether this reader may do it wherever it can be done.
    #[must_use]
    pub fn may_everywhere(&self, right: Right) -> bool {
        self.judge(right, |held| held.scope == Scope::All)
    }

    /// Whether lists show the project.
    #[must_use]
    pub fn sees(&self, project: &ProjectId) -> bool {
        self.may(Right::SeeProject, Some(project))
            || self.has_token_for(TokenScope::Calendar) && self.holds(project)
    }

    /// Whether any role of the account reaches into the project.
    fn holds(&self, project: &ProjectId) -> bool {
        let roles = self.person().map(|person| person.roles.as_slice()).unwrap_or_default();
        roles.iter().any(|held| held.role.may(Right::SeeProject) && held.scope.touches(project))
    }

    /// Whether lists show the building.
    #[must_use]
    pub fn sees_building(&self, project: &ProjectId, building: &BuildingId) -> bool {
        self.may_in(Right::SeeProject, project, building)
    }

    /// Whether the account has this role somewhere.
    #[must_use]
    pub fn is(&self, role: Role) -> bool {
        self.person().is_some_and(|person| person.roles.iter().any(|held| held.role == role))
    }

    fn judge(&self, right: Right, here: impl Fn(&Held) -> bool) -> bool {
        let proof_suffices = match &self.proof {
            Proof::Nobody { reading } => return *reading && right.is_reading(),
            Proof::Session(_) => true,
            Proof::Token(_, scopes) => {
                scopes.contains(&TokenScope::Write)
                    || (scopes.contains(&TokenScope::Read) && right.is_reading())
            }
        };
        let roles = self.person().map(|person| person.roles.as_slice()).unwrap_or_default();
        let everywhere = |held: &Held| !right.is_of_installation() || held.scope == Scope::All;
        proof_suffices && roles.iter().any(|held| held.role.may(right) && everywhere(held) && here(held))
    }

    /// Compares in constant time what a form carries.
    pub(crate) fn accepts_form(&self, csrf: &str) -> bool {
        !self.csrf.is_empty() && secret::same(self.csrf.as_bytes(), csrf.as_bytes())
    }
}

/// A form's proof is made of the secret in the cookie: nobody else can make it, and it tells nothing of the secret.
pub(crate) fn csrf_of(secret: &Secret) -> String {
    let mut hasher = Sha256::new();
    hasher.update(b"consuntivo form\0");
    hasher.update(secret.text().as_bytes());
    secret::hex(&hasher.finalize())
}

impl<S: Sync> FromRequestParts<S> for Who {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        // The gate puts it there for every route of the table; what is no route is asked by nobody.
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_else(|| Self::nobody(false, None)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn person(role: Role, scope: Scope) -> Arc<Person> {
        Arc::new(Person { account: "a".into(), name: "A".into(), roles: vec![Held { role, scope }] })
    }

    fn session(role: Role, scope: Scope) -> Who {
        Who::session(person(role, scope), Secret::from_text("s").unwrap())
    }

    fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
        text.parse().unwrap()
    }

    #[test]
    fn a_right_is_held_where_its_role_is() {
        let (mine, other): (ProjectId, ProjectId) = (id("mine"), id("other"));
        let who = session(Role::LegalRepresentative, Scope::Projects(BTreeSet::from([mine.clone()])));
        assert!(who.may(Right::EditProject, Some(&mine)) && who.may(Right::EditProject, None));
        assert!(!who.may(Right::EditProject, Some(&other)) && !who.sees(&other));
        assert!(!who.may(Right::DecideReadings, Some(&mine)) && !who.may(Right::SeeRegion, None));
    }

    #[test]
    fn a_role_in_one_building_reads_its_project_and_changes_only_the_building() {
        let (project, a, b): (ProjectId, BuildingId, BuildingId) = (id("p"), id("a"), id("b"));
        let scope = Scope::Buildings(BTreeSet::from([(project.clone(), a.clone())]));
        let who = session(Role::FacilityManager, scope);
        assert!(who.sees(&project) && who.sees_building(&project, &a) && !who.sees_building(&project, &b));
        assert!(who.may_in(Right::DecideReadings, &project, &a));
        assert!(!who.may(Right::DecideReadings, Some(&project)));
        assert!(!who.may_in(Right::DecideReadings, &project, &b));
        // What is about the whole installation needs a role in the whole installation.
        assert!(!who.may(Right::SeeInstallation, None));
        assert!(session(Role::FacilityManager, Scope::All).may(Right::SeeInstallation, None));
    }

    #[test]
    fn nobody_reads_where_let_in_and_never_changes() {
        for right in Right::ALL {
            assert_eq!(Who::nobody(true, None).may(right, None), right.is_reading(), "{}", right.code());
            assert!(!Who::nobody(false, None).may(right, None));
        }
    }

    #[test]
    fn a_token_does_no_more_than_its_scopes() {
        let all = person(Role::Administrator, Scope::All);
        let token = |scopes: &[TokenScope]| {
            Who::token(Arc::clone(&all), Secret::from_text("t").unwrap(), scopes.to_vec())
        };
        assert!(token(&[TokenScope::Read]).may(Right::SeeProject, None));
        assert!(!token(&[TokenScope::Read]).may(Right::AdministerAccounts, None));
        assert!(token(&[TokenScope::Write]).may(Right::AdministerAccounts, None));
        for right in Right::ALL {
            assert!(!token(&[TokenScope::Metrics, TokenScope::Grants]).may(right, None));
        }
        assert!(!token(&[TokenScope::Write]).accepts_form(""));
    }

    #[test]
    fn a_form_belongs_to_one_session() {
        let scope = || Scope::All;
        let who = session(Role::Administrator, scope());
        let other = Who::session(person(Role::Administrator, scope()), Secret::from_text("t").unwrap());
        assert!(who.accepts_form(who.csrf()) && !who.accepts_form(other.csrf()) && !who.accepts_form(""));
        assert!(!who.csrf().contains(who.session_secret().unwrap().text()));
    }
}
