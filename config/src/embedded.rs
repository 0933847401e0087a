//! The catalogue's files as they stood when the binary was built: path within `catalog/`, and text.
//!
//! Must never: be edited by hand; `build.rs` lists the folder.

include!(concat!(env!("OUT_DIR"), "/catalog.rs"));
