//! Readings as the body of one write: lines, which reading each is, and gzip over all.
//!
//! Must never: drop a reading without saying which and why.

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use model::Reading;

use super::Refused;
use super::line::{Dialect, Precision, point_of};

/// Lines of some readings.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pub(super) text: String,
    /// The position of each line's reading.
    pub(super) of: Vec<usize>,
    /// Readings that no line can carry.
    pub(super) refused: Vec<Refused>,
}

/// The lines of those readings whose positions are given.
pub(super) fn lines(
    installation: &str,
    readings: &[Reading],
    positions: &[usize],
    dialect: Dialect,
    precision: Precision,
) -> Lines {
    let mut lines = Lines::default();
    for &index in positions {
        let Some(reading) = readings.get(index) else { continue };
        let written = point_of(installation, reading, dialect)
            .and_then(|point| point.write(precision, &mut lines.text));
        match written {
            Ok(()) => lines.of.push(index),
            Err(error) => lines.refused.push(Refused { index, reason: error.to_string() }),
        }
    }
    lines
}

/// The text compressed. At level 1: lines of one series differ little, and more effort gains a few percent.
pub(super) fn gzip(text: &str) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::with_capacity(text.len() / 8 + 64), Compression::fast());
    // Writing to a Vec does not fail.
    encoder.write_all(text.as_bytes()).ok();
    encoder.finish().unwrap_or_default().into()
}
