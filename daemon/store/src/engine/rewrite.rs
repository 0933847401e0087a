//! Corrections: a series is taken away from an engine and written again from the journal.
//!
//! While it is written again the engine holds its beginning only; whoever computes from it then sees a series that ends
//! early, which withholds figures and never flatters them. A rewrite that is interrupted is made again from the start.
//!
//! Must never: delete what cannot be written again at once: the journal is read before the engine is touched.

use std::ops::ControlFlow;
use std::sync::Arc;

use model::{Reading, SeriesKey};
use tokio::sync::mpsc;

use super::error::EngineError;
use super::readings::Readings;
use super::{Engine, EngineSeries, Refused};

/// Readings that are looked at together, where the engine may have dropped some in silence.
const CONFIRMED_TOGETHER: usize = 100_000;
/// Batches that wait between journal and engine.
const WAITING: usize = 2;

/// Writes a series again from its beginning; returns how many readings there are, and those that the engine does not
/// take.
///
/// # Errors
/// The engine's or the journal's; then the engine may hold a part, and the rewrite is to be made again.
pub async fn rewrite(
    engine: &dyn Engine,
    series: &EngineSeries,
    from: Arc<dyn Readings>,
) -> Result<(u64, Vec<(Reading, String)>), EngineError> {
    let (sender, mut batches) = mpsc::channel::<Vec<Reading>>(WAITING);
    let (key, most) = (series.key.clone(), engine.limits().write_readings_max);
    let reading = tokio::task::spawn_blocking(move || pass(&key, most, &*from, &sender));
    let (mut count, mut refused, mut unseen) = (0, Vec::new(), Vec::new());
    let mut is_first = true;
    while let Some(batch) = batches.recv().await {
        if is_first {
            engine.delete(series).await?;
            is_first = false;
        }
        count += batch.len() as u64;
        let not_taken = engine.write(&series.installation, &batch).await?;
        unseen.extend(without(&batch, &not_taken));
        refused.extend(named(&batch, not_taken));
        if CONFIRMED_TOGETHER <= unseen.len() {
            refused.extend(look(engine, series, &mut unseen).await?);
        }
    }
    refused.extend(look(engine, series, &mut unseen).await?);
    reading.await??;
    if is_first {
        // The journal was read to its end and holds nothing of it: what the engine has is nobody's.
        engine.delete(series).await?;
    }
    Ok((count, refused))
}

/// Those of the readings that the engine took and does not have.
async fn look(
    engine: &dyn Engine,
    series: &EngineSeries,
    unseen: &mut Vec<Reading>,
) -> Result<Vec<(Reading, String)>, EngineError> {
    let odd = engine.confirm(&series.installation, unseen).await?;
    let absent = named(unseen, odd.into_iter().map(|u| u.refused).collect());
    unseen.clear();
    Ok(absent)
}

/// Reads the series and passes it on in batches.
fn pass(
    key: &SeriesKey,
    most: usize,
    from: &dyn Readings,
    sender: &mpsc::Sender<Vec<Reading>>,
) -> Result<(), EngineError> {
    let mut batch = Vec::with_capacity(most);
    from.for_each_reading(key, None, None, &mut |stored| {
        batch.push(Reading {
            series: key.clone(),
            observed_at: stored.observed_at,
            received_at: stored.received_at,
            value: stored.value,
            quality: stored.quality,
            origin: stored.origin,
        });
        if batch.len() < most {
            return ControlFlow::Continue(());
        }
        // Nobody to take it means that the rewrite has failed already.
        match sender.blocking_send(std::mem::take(&mut batch)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    })?;
    if !batch.is_empty() {
        sender.blocking_send(batch).ok();
    }
    Ok(())
}

/// The readings that are not among the refused.
pub(super) fn without(readings: &[Reading], refused: &[Refused]) -> Vec<Reading> {
    let refused: std::collections::BTreeSet<usize> = refused.iter().map(|r| r.index).collect();
    let kept = readings.iter().enumerate().filter(|(index, _)| !refused.contains(index));
    kept.map(|(_, reading)| reading.clone()).collect()
}

/// The refused with their readings.
pub(super) fn named(readings: &[Reading], refused: Vec<Refused>) -> Vec<(Reading, String)> {
    refused.into_iter().filter_map(|r| Some((readings.get(r.index)?.clone(), r.reason))).collect()
}
