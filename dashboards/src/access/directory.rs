//! What the pages ask of the daemon about accounts.
//!
//! Must never: hand out a hash, or answer faster for a name that exists.

use std::sync::Arc;

use model::Instant;

use super::secret::Secret;
use super::who::{Person, TokenScope};

/// The accounts as the pages see them. What is asked for every request answers from memory.
pub trait Directory: Send + Sync + 'static {
    /// Whether there is any account, enabled or not. Without one there is nobody to sign in.
    fn has_accounts(&self) -> bool;
    /// Whose session it is; notes that it was used. From memory.
    fn session(&self, secret: &Secret, at: Instant) -> Option<Arc<Person>>;
    /// Whose token it is and what for; notes that it was used. From memory.
    fn token(&self, secret: &Secret, at: Instant) -> Option<(Arc<Person>, Vec<TokenScope>)>;
}

/// A directory without accounts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nobody;

impl Directory for Nobody {
    fn has_accounts(&self) -> bool {
        false
    }

    fn session(&self, _: &Secret, _: Instant) -> Option<Arc<Person>> {
        None
    }

    fn token(&self, _: &Secret, _: Instant) -> Option<(Arc<Person>, Vec<TokenScope>)> {
        None
    }
}
