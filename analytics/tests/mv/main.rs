//! Measurement and verification on reference meters: one binary, so that it is linked once.
//!
//! Must never: take a reference value from our own output.

mod analysis;
mod bills;
mod caltrack;
mod change_point;
mod degree_days;
mod doubts;
mod meters;
mod ratio;
mod reference;
mod weather;
