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
        let texts = ["it", "en"].map(|language| runtime.installation.catalog.texts(language)).to_vec();
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

        let first = Arc::clone(&runtime);
        let first_figures = tokio::task::spawn_blocking(move || {
            first.book.load_latest(&first.store)?;
            first.refresh()
        });
        let tending = tokio::spawn(runtime::tend(Arc::clone(&runtime), stop.clone()));
        match first_figures.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!("the first figures could not be computed: {error:#}"),
            Err(error) => tracing::error!(%error, "the first computation of figures panicked"),
        }
        stop.stopped().await;
        tracing::info!("stopping: meters first");
        end_links(links).await;
        tending.await.ok();
        runtime.store.clone().close();
        pages_stop.send(true).ok();
        if tokio::time::timeout(PAGES_STOP_MAX, pages).await.is_err() {
            tracing::warn!("some pages were still open at the end");
        }
        tracing::info!("stopped; everything accepted is on disk");
        Ok(Exit::OK)
    }
}

fn start_links(runtime: &Arc<Runtime>, stop: &Stop) -> JoinSet<()> {
    let (links, findings) = runtime.installation.links();
    for finding in findings {
        runtime.report(finding);
    }
    let mut tasks = JoinSet::new();
    for link in links {
        let inbox: Arc<dyn connectors::Inbox> = Arc::new(Ingest(Arc::clone(runtime)));
        let clock = Arc::clone(&runtime.clock);
        let stop = stop.clone();
        let name = link.id().to_owned();
        let watcher = Arc::clone(runtime);
        tasks.spawn(async move {
            // A panic inside one link ends that link alone, visibly.
            let task = tokio::spawn(link.run(inbox, clock, stop));
            if let Err(error) = task.await {
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
    tasks
}

async fn end_links(mut links: JoinSet<()>) {
    let all = async { while links.join_next().await.is_some() {} };
    if tokio::time::timeout(LINKS_STOP_MAX, all).await.is_err() {
        tracing::warn!("a link did not end in time; nothing unacknowledged of it is lost");
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
