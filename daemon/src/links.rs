//! The links that run: started, compared with what the files now say, and stopped in order.
//!
//! Must never: touch a link whose settings did not change, or start one before the old one of the same place has let
//! go of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use connectors::{Link, Stop, StopHandle};
use model::{Finding, MeterId, Severity};
use tokio::task::{AbortHandle, JoinHandle};

use crate::ingest::Ingest;
use crate::installation::{Installation, Shape};
use crate::runtime::Runtime;

/// How long links may take to finish what they accepted before a stop goes on without them.
const STOP_MAX: Duration = Duration::from_secs(20);

/// The running links by id.
pub(crate) struct Links {
    runtime: Arc<Runtime>,
    running: BTreeMap<String, Running>,
}

struct Running {
    shape: Shape,
    meters: Vec<MeterId>,
    stop: StopHandle,
    /// Ends the link itself.
    link: AbortHandle,
    /// Waits for the link, and tells when it ended by a fault.
    watch: JoinHandle<()>,
}

/// What became of the links, by id.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    pub(crate) kept: Vec<String>,
    pub(crate) restarted: Vec<String>,
    pub(crate) started: Vec<String>,
    pub(crate) stopped: Vec<String>,
}

impl Links {
    pub(crate) fn new(runtime: Arc<Runtime>) -> Self {
        Self { runtime, running: BTreeMap::new() }
    }

    /// Starts what the installation has and does not run.
    pub(crate) fn start(&mut self, links: Vec<Link>, installation: &Installation) {
        for link in links {
            if self.running.contains_key(link.id()) {
                continue;
            }
            // A link was planned from these very settings, so it has a shape.
            let Some(shape) = installation.shape(&link) else { continue };
            let (id, meters) = (link.id().to_owned(), link.meters());
            let (stop, stopping) = Stop::new();
            let inbox: Arc<dyn connectors::Inbox> = Arc::new(Ingest(Arc::clone(&self.runtime)));
            // A panic inside one link ends that link alone, visibly.
            let task = tokio::spawn(link.run(inbox, Arc::clone(&self.runtime.clock), stopping));
            let abort = task.abort_handle();
            let watch = tokio::spawn(watch(Arc::clone(&self.runtime), id.clone(), task));
            self.running.insert(id, Running { shape, meters, stop, link: abort, watch });
        }
    }

    /// Stops what the planned links do not have, or have otherwise; what is left runs on untouched. A link that ended
    /// by a fault counts as changed. The changes say which links are still to be started.
    pub(crate) async fn stop_changed(&mut self, links: &[Link], installation: &Installation) -> Changes {
        let mut changes = Changes::default();
        let wanted: BTreeMap<&str, Option<Shape>> =
            links.iter().map(|link| (link.id(), installation.shape(link))).collect();
        for (id, running) in &self.running {
            match wanted.get(id.as_str()) {
                Some(Some(shape)) if *shape == running.shape && !running.link.is_finished() => {
                    changes.kept.push(id.clone());
                }
                Some(_) => changes.restarted.push(id.clone()),
                None => changes.stopped.push(id.clone()),
            }
        }
        changes.started =
            wanted.keys().filter(|id| !self.running.contains_key(**id)).map(|id| (*id).to_owned()).collect();
        let leaving: BTreeSet<&String> = changes.restarted.iter().chain(&changes.stopped).collect();
        let (ending, staying) =
            std::mem::take(&mut self.running).into_iter().partition(|(id, _)| leaving.contains(id));
        self.running = staying;
        self.end(ending).await;
        changes
    }

    /// Stops all.
    pub(crate) async fn stop_all(mut self) {
        let all = std::mem::take(&mut self.running);
        self.end(all).await;
    }

    /// Lets links finish what they accepted, all at the same time, and forgets what was said of them.
    async fn end(&self, ending: BTreeMap<String, Running>) {
        ending.values().for_each(|running| running.stop.stop());
        let until = tokio::time::Instant::now() + STOP_MAX;
        for (id, running) in ending {
            if tokio::time::timeout_at(until, running.watch).await.is_err() {
                tracing::warn!(
                    link = id,
                    "the link did not end in time; nothing unacknowledged of it is lost"
                );
                running.link.abort();
            }
            self.runtime.resolve(&format!("link:{id}"), None);
            for meter in running.meters {
                self.runtime.resolve(&format!("meter:{meter}"), None);
            }
        }
    }
}

/// Waits for a link to end; a panic becomes a finding.
async fn watch(runtime: Arc<Runtime>, link: String, task: JoinHandle<()>) {
    let Err(error) = task.await else { return };
    if !error.is_panic() {
        return;
    }
    let says =
        format!("the link ended by a fault of the program ({error}); reload the settings and report it");
    let rule = "one failing link never stops the others";
    runtime.report(
        Finding::new("link.failed", Severity::Blocks, format!("link:{link}"), says, rule)
            .with("error", error),
    );
}
