//! Answers as a device writes them, and chains that meet, or do not.
//!
//! Must never: accept a chain that a person who adds it up by hand would not.
