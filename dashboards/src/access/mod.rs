//! Who may do what: roles and rights, who asks, the table of routes with what each needs, and the gate in front of
//! every one of them.
//!
//! Must never: leave a route without a need, a change of state without a proof of intent, or a secret in a page, a log
//! or the address of a page.

mod caller;
mod checked;
mod directory;
mod gate;
mod role;
mod secret;
mod seen;
mod table;
mod who;

pub use caller::Connection;
pub use directory::{
    AccountView, AuditLine, Departure, Directory, LinkPurpose, LinkUse, LinkView, NewAccount, NewToken,
    Refused, SecondFactorOffer, SignIn, SubjectView, TokenView,
};
pub use role::{Held, Right, Role, Scope};
pub use secret::Secret;
pub use table::{Need, Row, Verb};
pub use who::{Person, TokenScope, Who};

pub(crate) use caller::Caller;
pub(crate) use checked::{Checked, Fields, Proves};
pub(crate) use gate::{FORM_COOKIE, SESSION_COOKIE, safe_next};
pub(crate) use table::{FORM_BYTES_MAX, Route, assemble, get, post, read, write};
pub(crate) use who::csrf_of;
