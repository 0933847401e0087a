//! The store under crashes: a child process appends what a seed says and tells what was acknowledged, and is killed,
//! or its disk fails it; then every acknowledged reading is accounted for.
//!
//! Must never: accept a missing, a doubled or an invented reading, or repair a store by hand between two lives.

pub mod account;
pub mod child;
pub mod points;
pub mod work;

/// What a life of the child began with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    pub seed: u64,
    /// The first operation.
    pub from: u64,
    /// The operation after the last one.
    pub to: u64,
}
