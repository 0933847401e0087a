//! The annual monitoring report as a document tree, without any format.
//!
//! Must never: compute a figure, or know HTML, PDF or Typst.

pub mod document;
