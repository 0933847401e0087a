//! The journal's outbox as delivery sees it: one engine's place in the intake.
//!
//! Must never: ask for what was accepted, or accept on behalf of another engine.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use super::BoxFuture;
use super::deliver::{Outbox, OutboxBatch};
use crate::{Store, StoreError};

/// The place of one engine.
#[derive(Debug)]
pub struct StoreOutbox {
    store: Store,
    name: String,
    accepted: AtomicI64,
}

impl StoreOutbox {
    /// Takes the engine's place, or gives it one at the end of the intake; blocks on the disk. What is older is not in
    /// the outbox of a new place: its series are to be written from the journal.
    ///
    /// # Errors
    /// The store's own.
    pub fn open(store: Store, name: &str) -> Result<Self, StoreError> {
        let accepted = AtomicI64::new(store.outbox_register(name)?);
        Ok(Self { store, name: name.to_owned(), accepted })
    }
}

impl Outbox for StoreOutbox {
    fn waiting(&self, readings_max: usize) -> Result<Vec<OutboxBatch>, StoreError> {
        let blocks = self.store.outbox_after(self.accepted.load(Relaxed), readings_max)?;
        let batch = |block: crate::OutboxBlock| OutboxBatch { seq: block.seq, readings: block.readings };
        Ok(blocks.into_iter().map(batch).collect())
    }

    fn accepted(&self, seq: i64) -> BoxFuture<'_, Result<(), StoreError>> {
        let (store, name) = (self.store.clone(), self.name.clone());
        Box::pin(async move {
            let noted = tokio::task::spawn_blocking(move || store.outbox_accepted(&name, seq)).await;
            // A task that was cancelled noted nothing: it is delivered and accepted again.
            noted.unwrap_or_else(|_| Err(self.store.closed()))?;
            self.accepted.fetch_max(seq, Relaxed);
            Ok(())
        })
    }
}
