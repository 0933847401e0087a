//! x
//!
//! Must never: x.
