//! Reading series back without caring from where: the journal, or an engine in pieces that fit its answers.
//!
//! Must never: hold a whole series of years in memory, or pass over readings that did not come back whole unseen.

use std::ops::ControlFlow;

use model::{Instant, SeriesKey};

use super::error::{EngineError, Retry};
use super::{Engine, EngineSeries};
use crate::{Store, StoredReading};

/// The shortest piece of time that is asked for.
const PIECE_MILLIS_MIN: i64 = 60_000;
/// The first piece of time that is asked for: a month.
const PIECE_MILLIS_FIRST: i64 = 31 * 86_400_000;
/// The longest one.
const PIECE_MILLIS_MAX: i64 = 3_660 * 86_400_000;

/// Where the readings of one installation's series are read.
pub trait Readings: Send + Sync {
    /// Gives the readings of a series to `f` in order of (observed at, origin), from `from` on and before `to`, until
    /// it breaks. Returns how many were given. Blocks.
    ///
    /// # Errors
    /// Whatever keeps them from being read; some may have been given by then.
    fn for_each_reading(
        &self,
        series: &SeriesKey,
        from: Option<Instant>,
        to: Option<Instant>,
        f: &mut (dyn FnMut(&StoredReading) -> ControlFlow<()> + Send),
    ) -> Result<u64, EngineError>;

    /// The store in which the series stands, so that what was made of it can be kept there. `None` for a series that is
    /// read from elsewhere.
    fn home(&self, series: &SeriesKey) -> Option<&Store>;
}

impl Readings for Store {
    fn for_each_reading(
        &self,
        series: &SeriesKey,
        from: Option<Instant>,
        to: Option<Instant>,
        f: &mut (dyn FnMut(&StoredReading) -> ControlFlow<()> + Send),
    ) -> Result<u64, EngineError> {
        Ok(Self::for_each_reading(self, series, from, to, f)?)
    }

    fn home(&self, _: &SeriesKey) -> Option<&Store> {
        Some(self)
    }
}

/// What was read of a series from an engine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Given {
    pub readings: u64,
    /// Instants that did not come back whole, or with two values: none of them was given.
    pub unsure: u64,
}

/// Gives the readings of an engine's series to `f` in order, from `from` on and before `to`, until it breaks. Asks for
/// pieces of time that grow while answers are small and shrink when one is too large.
///
/// # Errors
/// The engine's own; some readings may have been given by then.
pub async fn for_each_in(
    engine: &dyn Engine,
    series: &EngineSeries,
    from: Instant,
    to: Instant,
    f: &mut (dyn FnMut(&StoredReading) -> ControlFlow<()> + Send),
) -> Result<Given, EngineError> {
    let (mut at, mut piece) = (from, PIECE_MILLIS_FIRST);
    let mut given = Given::default();
    while at < to {
        let end = Instant::from_millis(at.millis().saturating_add(piece)).min(to);
        let back = match engine.read(series, at, end).await {
            Ok(back) => back,
            Err(error) if error.retry() == Retry::Smaller && PIECE_MILLIS_MIN < piece => {
                piece = (piece / 4).max(PIECE_MILLIS_MIN);
                continue;
            }
            Err(error) => return Err(error),
        };
        given.unsure += back.incomplete + back.ambiguous;
        let count = back.readings.len();
        for reading in back.readings {
            given.readings += 1;
            let stored = StoredReading {
                observed_at: reading.observed_at,
                received_at: reading.received_at,
                value: reading.value,
                quality: reading.quality,
                origin: reading.origin,
            };
            if f(&stored).is_break() {
                return Ok(given);
            }
        }
        if count < 100_000 {
            piece = piece.saturating_mul(4).min(PIECE_MILLIS_MAX);
        }
        at = end;
    }
    Ok(given)
}
