//! What the pages ask of the daemon about accounts.
//!
//! Must never: hand out a hash, or answer faster for a name that exists.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use model::{Instant, ProjectId};

use super::role::{Held, Role};
use super::secret::Secret;
use super::who::{Person, TokenScope};

/// Why something about accounts was not done; `Display` is for programs. [`Refused::code`] names the reader's text
/// (`page.access.refused.<code>`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Name or password; which of them is not said.
    Wrong,
    /// The password was right; the code of the second factor is missing.
    CodeNeeded,
    CodeWrong,
    /// Too many failures; again after so many seconds.
    Wait {
        seconds: u32,
    },
    /// Not the reader's fault: the store cannot write. Try again.
    Busy,
    /// The new password is too short or too simple.
    Weak,
    /// The two entries of a new password differ.
    Differ,
    /// There is an account of this name or tax code.
    Taken,
    /// No such account, token or subject.
    Unknown,
    /// The link was used, or its time is over.
    Gone,
    /// It would leave nobody who can administer accounts.
    LastAdministrator,
    /// A name, address, tax code or label that is none.
    Unreadable,
    /// The login provider did not vouch for the person.
    Provider,
    /// The login provider vouched for somebody who has no account here.
    Stranger,
}

impl Refused {
    /// Stable name, for the API and as the key of the reader's text.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Wrong => "wrong",
            Self::CodeNeeded => "code_needed",
            Self::CodeWrong => "code_wrong",
            Self::Wait { .. } => "wait",
            Self::Busy => "busy",
            Self::Weak => "weak",
            Self::Differ => "differ",
            Self::Taken => "taken",
            Self::Unknown => "unknown",
            Self::Gone => "gone",
            Self::LastAdministrator => "last_administrator",
            Self::Unreadable => "unreadable",
            Self::Provider => "provider",
            Self::Stranger => "stranger",
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Wrong => "name or password are wrong",
            Self::CodeNeeded => "the code of the second factor is missing",
            Self::CodeWrong => "the code of the second factor is wrong",
            Self::Wait { .. } => "too many failures; try again later",
            Self::Busy => "the store cannot take it now; try again later",
            Self::Weak => "the new password is too short or too simple",
            Self::Differ => "the two entries of the new password differ",
            Self::Taken => "there is an account of this name or tax code; choose another",
            Self::Unknown => "there is no such account, token or subject",
            Self::Gone => "the link was used, or its time is over",
            Self::LastAdministrator => {
                "nobody else who administers accounts is enabled; enable or add an administrator first"
            }
            Self::Unreadable => "a name, address, tax code, role, scope or label is none; correct it",
            Self::Provider => "the login provider did not vouch for the person",
            Self::Stranger => "the login provider vouched for somebody who has no account here",
        })
    }
}

/// An attempt to sign in.
#[derive(Clone)]
pub struct SignIn {
    pub account: String,
    pub password: String,
    /// Of the second factor, or a recovery code; empty without one.
    pub code: String,
    /// Where it comes from.
    pub address: IpAddr,
}

/// Passwords, codes and keys are not printed.
macro_rules! without_secrets {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )*};
}

without_secrets!(SignIn, LinkUse, SecondFactorOffer);

/// What a one-time link is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkPurpose {
    /// To make the first administrator.
    FirstRun,
    /// To set the first password of an account.
    Invitation,
    /// To set another password.
    Reset,
    /// To sign in at once; the demonstration's.
    SignIn,
}

impl LinkPurpose {
    pub const ALL: [Self; 4] = [Self::FirstRun, Self::Invitation, Self::Reset, Self::SignIn];

    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::FirstRun => "first_run",
            Self::Invitation => "invitation",
            Self::Reset => "reset",
            Self::SignIn => "sign_in",
        }
    }

    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.code() == code)
    }

    /// The path that a link of this purpose has on this site.
    #[must_use]
    pub fn path(self, secret: &Secret) -> String {
        let stem = if self == Self::FirstRun { "first-run" } else { "link" };
        format!("/{stem}/{}", secret.text())
    }
}

/// What a link opens, before it is used.
#[derive(Debug, Clone)]
pub struct LinkView {
    pub purpose: LinkPurpose,
    /// The account's id and name; empty for the first one, which is still to be made.
    pub account: String,
    pub name: String,
}

/// What its holder enters to use a link.
#[derive(Clone, Default)]
pub struct LinkUse {
    /// Only for the first account.
    pub account: String,
    pub name: String,
    /// Not for a link that signs in at once.
    pub password: String,
}

/// An account that is to be made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewAccount {
    /// What its holder signs in with: 1 to 64 of a-z, 0-9, `-`, `_`, `.` and `@`.
    pub account: String,
    pub name: String,
    pub mail: Option<String>,
    pub tax_code: Option<String>,
    pub roles: Vec<Held>,
}

/// An account as administrators see it.
#[derive(Debug, Clone)]
pub struct AccountView {
    pub account: String,
    pub name: String,
    pub mail: Option<String>,
    pub tax_code: Option<String>,
    pub is_enabled: bool,
    /// Has set a password.
    pub has_password: bool,
    pub has_second_factor: bool,
    /// Recovery codes not used yet.
    pub recovery_codes: usize,
    pub roles: Vec<Held>,
    pub sessions: usize,
    /// Of any session.
    pub last_seen: Option<Instant>,
}

/// Somebody who acts for a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectView {
    pub account: String,
    pub name: String,
    pub role: Role,
    /// Enabled in this project, and the account as a whole.
    pub is_enabled: bool,
}

/// A key for a program that makes codes, offered before it is confirmed.
#[derive(Clone)]
pub struct SecondFactorOffer {
    /// Base32, in groups of four.
    pub key: String,
    /// `otpauth://totp/…`.
    pub address: String,
}

/// A program's token, without its secret.
#[derive(Debug, Clone)]
pub struct TokenView {
    /// Tells it from others; opens nothing.
    pub id: String,
    pub account: String,
    pub label: String,
    pub scopes: Vec<TokenScope>,
    pub created: Instant,
    pub expires: Instant,
    pub last_used: Option<Instant>,
}

/// A token that is to be made.
#[derive(Debug, Clone)]
pub struct NewToken {
    pub account: String,
    pub label: String,
    pub scopes: Vec<TokenScope>,
    pub days: u32,
}

/// A line of the audit log.
#[derive(Debug, Clone)]
pub struct AuditLine {
    pub seq: i64,
    pub at: Instant,
    pub author: String,
    pub action: String,
    pub kind: String,
    pub subject: String,
    pub detail: String,
}

/// Where a reader is sent to sign in at another place.
#[derive(Debug, Clone)]
pub struct Departure {
    /// The provider's address with this attempt's parameters.
    pub to: String,
}

/// The accounts as the pages see them. What is asked for every request answers from memory; the rest may ask the disk
/// and take the time of hashing a password.
pub trait Directory: Send + Sync + 'static {
    /// Whether there is any account, enabled or not. Without one there is nobody to sign in.
    fn has_accounts(&self) -> bool;
    /// Whose session it is; notes that it was used. From memory.
    fn session(&self, secret: &Secret, at: Instant) -> Option<Arc<Person>>;
    /// Whose session it still is, without noting a use. From memory.
    fn whose(&self, secret: &Secret, at: Instant) -> Option<Arc<Person>>;
    /// Whose token it is and what for; notes that it was used. From memory.
    fn token(&self, secret: &Secret, at: Instant) -> Option<(Arc<Person>, Vec<TokenScope>)>;
    /// 32 random bytes as text; `None` when the machine has none to give.
    fn fresh_secret(&self) -> Option<Secret>;

    /// # Errors
    /// [`Refused`], after the same time whatever was wrong.
    fn sign_in(&self, attempt: &SignIn) -> Result<Secret, Refused>;
    fn sign_out(&self, secret: &Secret);
    /// Ends every session of an account, but for one.
    ///
    /// # Errors
    /// [`Refused::Busy`].
    fn sign_out_everywhere(&self, account: &str, but: Option<&Secret>, author: &str) -> Result<(), Refused>;

    /// What a link opens; `None` once it was used or its time is over.
    fn link(&self, secret: &Secret) -> Option<LinkView>;
    /// Uses a link up and opens a session.
    ///
    /// # Errors
    /// [`Refused`]; the link stays as it was.
    fn use_link(&self, secret: &Secret, with: &LinkUse, address: IpAddr) -> Result<Secret, Refused>;

    fn account(&self, account: &str) -> Option<AccountView>;
    /// Sets another password; every other session ends, and the session goes on under a new secret.
    ///
    /// # Errors
    /// [`Refused`].
    fn change_password(&self, session: &Secret, old: &str, new: &str) -> Result<Secret, Refused>;
    /// Makes a key for codes, of no effect until confirmed.
    ///
    /// # Errors
    /// [`Refused`].
    fn offer_second_factor(&self, account: &str) -> Result<SecondFactorOffer, Refused>;
    /// Takes the offered key into use. Returns the recovery codes, which are shown this once.
    ///
    /// # Errors
    /// [`Refused::CodeWrong`], and the offer stays.
    fn confirm_second_factor(&self, account: &str, code: &str) -> Result<Vec<String>, Refused>;
    /// # Errors
    /// [`Refused::Wrong`] without the right password.
    fn end_second_factor(&self, account: &str, password: &str) -> Result<(), Refused>;

    /// In order of id.
    fn accounts(&self) -> Vec<AccountView>;
    /// Makes an account and a link to set its password.
    ///
    /// # Errors
    /// [`Refused`].
    fn add_account(&self, new: &NewAccount, author: &str) -> Result<Secret, Refused>;
    /// Sets what an account may do, and whether it may do anything.
    ///
    /// # Errors
    /// [`Refused::LastAdministrator`], [`Refused::Unknown`], [`Refused::Busy`].
    fn set_account(
        &self,
        account: &str,
        is_enabled: bool,
        roles: Vec<Held>,
        author: &str,
    ) -> Result<(), Refused>;
    /// A link to set another password; earlier ones of the account end.
    ///
    /// # Errors
    /// [`Refused`].
    fn new_link(&self, account: &str, author: &str) -> Result<Secret, Refused>;

    /// Legal representatives and data-entry operators of a project.
    fn subjects(&self, project: &ProjectId) -> Vec<SubjectView>;
    /// Makes somebody a subject of a project, by an account that is there (same tax code) or a new one, for which a
    /// link is returned.
    ///
    /// # Errors
    /// [`Refused`].
    fn add_subject(
        &self,
        project: &ProjectId,
        role: Role,
        new: &NewAccount,
        author: &str,
    ) -> Result<Option<Secret>, Refused>;
    /// # Errors
    /// [`Refused`].
    fn set_subject(
        &self,
        project: &ProjectId,
        account: &str,
        role: Role,
        is_enabled: bool,
        author: &str,
    ) -> Result<(), Refused>;

    /// Newest first.
    fn tokens(&self) -> Vec<TokenView>;
    /// Makes a token; its secret is shown this once.
    ///
    /// # Errors
    /// [`Refused`].
    fn new_token(&self, new: &NewToken, author: &str) -> Result<Secret, Refused>;
    /// # Errors
    /// [`Refused::Unknown`], [`Refused::Busy`].
    fn revoke_token(&self, id: &str, author: &str) -> Result<(), Refused>;

    /// The newest lines first, at most `limit`; with `before` only those with lower numbers.
    fn audit(&self, before: Option<i64>, limit: u32) -> Vec<AuditLine>;

    /// What the button of the login provider says; `None` where none is set up.
    fn provider(&self) -> Option<String>;
    /// Begins signing in at the provider, for the browser that holds `form`.
    ///
    /// # Errors
    /// [`Refused::Provider`] when it cannot be reached.
    fn depart(&self, form: &Secret, next: &str) -> Result<Departure, Refused>;
    /// Ends it: opens a session for whom the provider vouches. Returns where to go as well.
    ///
    /// # Errors
    /// [`Refused::Provider`], [`Refused::Stranger`], [`Refused::Busy`].
    fn arrive(
        &self,
        form: &Secret,
        state: &str,
        code: &str,
        address: IpAddr,
    ) -> Result<(Secret, String), Refused>;
}
