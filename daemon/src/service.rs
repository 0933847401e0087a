//! The running service: start, and the ordered stop. Meters first, then what was accepted is on disk, then pages.
//!
//! Must never: exit because a meter or a broker is away, or drop a reading that was accepted.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use connectors::{Clock, Stop};
use model::{Finding, Severity};
use store::{CommitObserver, Store};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::backend::DaemonBackend;
use crate::exit::{Exit, Failure};
use crate::ingest::Ingest;
use crate::installation::Installation;
use crate::metrics::Metrics;
use crate::runtime::{self, Runtime};

/// How long links may take to finish what they accepted before the stop goes on without them.
const LINKS_STOP_MAX: Duration = Duration::from_secs(20);
/// How long open pages may take to end.
const PAGES_STOP_MAX: Duration = Duration::from_secs(5);

/// Feeds commits into the metrics.
struct Observer(Arc<Metrics>);

impl CommitObserver for Observer {
    fn committed(&self, _readings: u64, duration: Duration, queue_depth: u64) {
        self.0.commit(duration, queue_depth);
    }
}

/// A service whose store is open and whose pages have their port, not yet reading meters.
pub(crate) struct Service {
    pub(crate) runtime: Arc<Runtime>,
    listener: TcpListener,
    address: SocketAddr,
}

/// What a start may override.
#[derive(Debug, Clone, Default)]
pub(crate) struct Overrides {
    pub(crate) listen: Option<SocketAddr>,
    pub(crate) reports_dir: Option<PathBuf>,
    pub(crate) demo: bool,
}

impl Service {
    /// Takes the port and the store.
    pub(crate) async fn open(
        installation: Installation,
        clock: Arc<dyn Clock>,
        overrides: Overrides,
    ) -> Result<Self, Failure> {
        let wanted = overrides.listen.unwrap_or(installation.settings.web.listen);
        let listener = TcpListener::bind(wanted).await.map_err(|error| {
            let next = "stop the program that uses it, or set another `listen` under [web]";
            Failure::from(anyhow::Error::new(error).context(format!("cannot listen on {wanted}; {next}")))
        })?;
        let address =
            listener.local_addr().context("cannot tell the address of the pages").map_err(Failure::from)?;
        let metrics = Arc::new(Metrics::new().map_err(anyhow::Error::from)?);
        let mut options = installation.store_options();
        options.observer = Some(Arc::new(Observer(Arc::clone(&metrics))));
        let store = Store::open(&installation.settings.installation.data_dir, options)?;
        let reports_dir = overrides.reports_dir.unwrap_or_else(|| installation.settings.reports.dir.clone());
        let runtime =
            Arc::new(Runtime::new(installation, store, metrics, clock, reports_dir, overrides.demo));
        for finding in &runtime.installation.findings {
            runtime.report(finding.clone());
        }
        Ok(Self { runtime, listener, address })
    }

    /// Reads meters and serves pages until told to stop, then ends in order.
    pub(crate) async fn run(self, mut stop: Stop) -> Result<Exit, Failure> {
        let runtime = self.runtime;
        let links = start_links(&runtime, &stop);
        let (pages_stop, mut pages_stopped) = watch::channel(false);
        let texts =
            config::catalog::LANGUAGES.map(|language| runtime.installation.catalog.texts(language)).to_vec();
        let options = dashboards::routes::Options {
            hosts: dashboards::routes::Hosts::for_address(self.address),
            ..dashboards::routes::Options::default()
        };
        let router =
            dashboards::routes::router(Arc::new(DaemonBackend(Arc::clone(&runtime))), texts, options);
        let pages = tokio::spawn(dashboards::serve::serve(self.listener, router, async move {
            pages_stopped.wait_for(|stopped| *stopped).await.ok();
        }));
        println!("consuntivo listens on http://{}", self.address);
        tracing::info!(address = %self.address, "ready");

        let tending = tokio::spawn(start_figures(Arc::clone(&runtime), stop.clone()));
        let archiving = tokio::spawn(crate::archiving::keep(Arc::clone(&runtime), stop.clone()));
        stop.stopped().await;
        tracing::info!("stopping: meters first");
        end_links(links).await;
        runtime.store.clone().close();
        // Figures only read; what they were at is not worth waiting for.
        tending.abort();
        archiving.abort();
        pages_stop.send(true).ok();
        if tokio::time::timeout(PAGES_STOP_MAX, pages).await.is_err() {
            tracing::warn!("some pages were still open at the end");
        }
        tracing::info!("stopped; everything accepted is on disk");
        Ok(Exit::OK)
    }
}

/// Computes the first figures, then keeps them up to date. A failure is tried again with the next upkeep.
async fn start_figures(runtime: Arc<Runtime>, mut stop: Stop) {
    let first = Arc::clone(&runtime);
    let computed = tokio::task::spawn_blocking(move || -> anyhow::Result<u64> {
        first.book.load_latest(&first.store)?;
        let stamp = first.store.change_stamp()?;
        first.refresh()?;
        Ok(stamp)
    });
    let computed = tokio::select! {
        computed = computed => computed,
        () = stop.stopped() => return,
    };
    let known = match computed {
        Ok(Ok(stamp)) => Some(stamp),
        Ok(Err(error)) => {
            tracing::error!("the first figures could not be computed, to be tried again: {error:#}");
            None
        }
        Err(error) => {
            tracing::error!(%error, "the first computation of figures panicked");
            None
        }
    };
    runtime::tend(runtime, known, stop).await;
}

fn start_links(runtime: &Arc<Runtime>, stop: &Stop) -> Links {
    let (links, findings) = runtime.installation.links();
    for finding in findings {
        runtime.report(finding);
    }
    let mut tasks = JoinSet::new();
    let mut inner = Vec::new();
    for link in links {
        let inbox: Arc<dyn connectors::Inbox> = Arc::new(Ingest(Arc::clone(runtime)));
        let clock = Arc::clone(&runtime.clock);
        let stop = stop.clone();
        let name = link.id().to_owned();
        let watcher = Arc::clone(runtime);
        // A panic inside one link ends that link alone, visibly.
        let task = tokio::spawn(link.run(inbox, clock, stop));
        inner.push(task.abort_handle());
        tasks.spawn(async move {
            if let Err(error) = task.await
                && error.is_panic()
            {
                let says = format!(
                    "the link ended by a fault of the program ({error}); restart the daemon and report it"
                );
                let rule = "one failing link never stops the others";
                watcher.report(
                    Finding::new("link.failed", Severity::Blocks, format!("link:{name}"), says, rule)
                        .with("error", error),
                );
            }
        });
    }
    Links { tasks, inner }
}

/// The running links.
struct Links {
    /// Each waits for its link.
    tasks: JoinSet<()>,
    /// Ends the links themselves.
    inner: Vec<tokio::task::AbortHandle>,
}

async fn end_links(mut links: Links) {
    let all = async { while links.tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(LINKS_STOP_MAX, all).await.is_err() {
        tracing::warn!("a link did not end in time; nothing unacknowledged of it is lost");
        links.inner.iter().for_each(tokio::task::AbortHandle::abort);
    }
}

/// Stops on SIGTERM or Ctrl-C.
pub(crate) fn stop_signal() -> anyhow::Result<Stop> {
    use tokio::signal::unix::{SignalKind, signal};
    let (handle, stop) = Stop::new();
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        handle.stop();
    });
    Ok(stop)
}
