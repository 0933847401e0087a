//! How the benchmarks feed a store: many appends under way at a time, each of which waits for its own receipt.
//!
//! Must never: give an append to the store before the one that was made before it, or count one without its receipt.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::{Duration, Instant as Stopwatch};

use model::Reading;
use store::{Appended, Store, StoreError};

type Append = Pin<Box<dyn Future<Output = Result<Appended, StoreError>> + Send>>;

/// Appends what `next` makes until it makes nothing more; at most `under_way` wait for their receipt. Returns how long
/// each waited. One task does it all, as a link that receives from one connection does: a task of its own for each
/// append would be most of what is measured.
pub(crate) async fn feed(
    store: &Store,
    under_way: usize,
    mut next: impl FnMut() -> Option<Vec<Reading>>,
) -> Result<Vec<Duration>, StoreError> {
    let mut waiting: VecDeque<(Stopwatch, Append)> = VecDeque::with_capacity(under_way);
    let mut waits = Vec::new();
    let mut is_over = false;
    let fed = poll_fn(|context| {
        loop {
            while let Some((begun, append)) = waiting.front_mut()
                && let Poll::Ready(done) = append.as_mut().poll(context)
            {
                done?;
                waits.push(begun.elapsed());
                waiting.pop_front();
            }
            let before = waiting.len();
            while !is_over && waiting.len() < under_way {
                let Some(readings) = next() else {
                    is_over = true;
                    break;
                };
                let (begun, store) = (Stopwatch::now(), store.clone());
                let mut append: Append = Box::pin(async move { store.append(readings).await });
                // The first look is what gives it to the store.
                match append.as_mut().poll(context) {
                    Poll::Pending => waiting.push_back((begun, append)),
                    Poll::Ready(done) => {
                        done?;
                        waits.push(begun.elapsed());
                    }
                }
            }
            if waiting.is_empty() && is_over {
                return Poll::Ready(Ok(()));
            }
            if waiting.len() == before {
                return Poll::Pending;
            }
        }
    });
    // The runtime's turns would hold back every append after the hundredth of a round.
    tokio::task::unconstrained(fed).await.map(|()| waits)
}
