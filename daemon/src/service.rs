//! The running service: start, and the ordered stop. Meters first, then what was accepted is on disk, then pages.
//!
//! Must never: exit because a meter or a broker is away, or drop a reading that was accepted.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use connectors::{Clock, Stop};
use dashboards::tls::Certificate;
use store::{CommitObserver, Store};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::access::Accounts;
use crate::backend::DaemonBackend;
use crate::exit::{Exit, Failure};
use crate::installation::Installation;
use crate::links::Links;
use crate::metrics::Metrics;
use crate::reload::reload;
use crate::runtime::{self, Runtime};
use crate::site::Site;

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
    pub(crate) accounts: Arc<Accounts>,
    listener: TcpListener,
    pub(crate) address: SocketAddr,
    certificate: Option<Arc<Certificate>>,
    /// Comes when the files are to be read again; `None` for a service that is not told so.
    hangups: Option<Signal>,
}

/// What a start may override.
#[derive(Debug, Clone, Default)]
pub(crate) struct Overrides {
    pub(crate) reports_dir: Option<PathBuf>,
    pub(crate) demo: bool,
}

impl Service {
    /// Takes the store and the port.
    pub(crate) async fn open(
        installation: Installation,
        clock: Arc<dyn Clock>,
        overrides: Overrides,
    ) -> Result<Self, Failure> {
        let metrics = Arc::new(Metrics::new().map_err(anyhow::Error::from)?);
        let mut options = installation.store_options();
        options.observer = Some(Arc::new(Observer(Arc::clone(&metrics))));
        // The store first: a second daemon on it is told so, not that its port is taken.
        let store = Store::open(&installation.settings.installation.data_dir, options)?;
        let wanted = installation.settings.web.listen;
        let listener = TcpListener::bind(wanted).await.map_err(|error| {
            let next = "stop the program that uses it, or set another `listen` under [web]";
            Failure::from(anyhow::Error::new(error).context(format!("cannot listen on {wanted}; {next}")))
        })?;
        let address =
            listener.local_addr().context("cannot tell the address of the pages").map_err(Failure::from)?;
        let certificate = crate::site::certificate(&installation.settings.web)?;
        let reports_dir = overrides.reports_dir;
        let runtime =
            Arc::new(Runtime::new(installation, store, metrics, clock, reports_dir, overrides.demo)?);
        crate::watch::resume(&runtime)?;
        for finding in &runtime.installation().findings {
            runtime.report(finding.clone());
        }
        let accounts = Arc::new(crate::site::accounts(&runtime)?);
        Ok(Self { runtime, accounts, listener, address, certificate, hangups: None })
    }

    /// The same service, which reads its files again at each of these signals.
    pub(crate) fn reloading_at(mut self, hangups: Signal) -> Self {
        self.hangups = Some(hangups);
        self
    }

    /// Reads meters and serves pages until told to stop, then ends in order.
    pub(crate) async fn run(self, mut stop: Stop) -> Result<Exit, Failure> {
        let runtime = self.runtime;
        let mut links = start_links(&runtime);
        let mut hangups = self.hangups;
        let (pages_stop, mut pages_stopped) = watch::channel(false);
        let site = Site { address: self.address, certificate: self.certificate };
        let backend = Arc::new(DaemonBackend(Arc::clone(&runtime)));
        let directory = Arc::<Accounts>::clone(&self.accounts);
        let router = dashboards::routes::router(backend, directory, site.options(&runtime));
        let certificate = site.certificate.clone();
        let pages = tokio::spawn(dashboards::serve::serve(self.listener, router, certificate, async move {
            pages_stopped.wait_for(|stopped| *stopped).await.ok();
        }));
        println!("consuntivo listens on {}", site.origin(&runtime));
        site.announce(&runtime, &self.accounts).await;
        tracing::info!(address = %self.address, "ready");
        let access = tokio::spawn(crate::access::tend(Arc::clone(&self.accounts), stop.clone()));
        let renewal = tokio::spawn(crate::site::renew(site.certificate.clone(), stop.clone()));

        let mut weather = crate::weather::start(&runtime, &stop);
        let mut engines = start_engines(&runtime, &stop).await;
        let tending = tokio::spawn(start_figures(Arc::clone(&runtime), stop.clone()));
        let archiving = tokio::spawn(crate::archiving::keep(Arc::clone(&runtime), stop.clone()));
        let nightly = tokio::spawn(crate::nightly::keep(Arc::clone(&runtime), stop.clone()));
        let office = tokio::spawn(crate::office::tend(Arc::clone(&runtime), stop.clone()));
        let watching = tokio::spawn(crate::watch::tend(Arc::clone(&runtime), stop.clone()));
        loop {
            tokio::select! {
                biased;
                () = stop.stopped() => break,
                // Signals that come during a reload are one further reload.
                () = hung_up(&mut hangups) => {
                    let before = runtime.installation();
                    reload(&runtime, &mut links).await;
                    let after = runtime.installation();
                    if after.settings.weather != before.settings.weather {
                        weather.abort_all();
                        weather = crate::weather::start(&runtime, &stop);
                    }
                    if crate::hub::is_changed(&before.settings, &after.settings) {
                        engines.abort_all();
                        while engines.join_next().await.is_some() {}
                        engines = start_engines(&runtime, &stop).await;
                    }
                }
            }
        }
        tracing::info!("stopping: meters first");
        links.stop_all().await;
        weather.abort_all();
        engines.abort_all();
        let keeping = Arc::clone(&runtime);
        if let Err(error) = tokio::task::spawn_blocking(move || keeping.keep_losses()).await {
            tracing::error!(%error, "keeping the loss budget panicked");
        }
        runtime.store.clone().close();
        // Figures only read; what they were at is not worth waiting for. A letter that is being handed over is on record
        // as such.
        for task in [tending, archiving, nightly, office, access, renewal, watching] {
            task.abort();
        }
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

/// Starts every link that can be used; what is wrong with the others is told, and is no reason not to start.
fn start_links(runtime: &Arc<Runtime>) -> Links {
    let installation = runtime.installation();
    let (planned, findings) = installation.links();
    for finding in findings {
        runtime.report(finding);
    }
    let mut links = Links::new(Arc::clone(runtime));
    links.start(planned, &installation);
    links
}

/// Starts delivery to engines, and a hub's reading from them.
async fn start_engines(runtime: &Arc<Runtime>, stop: &Stop) -> JoinSet<()> {
    let forgetting = Arc::clone(runtime);
    let forgotten =
        tokio::task::spawn_blocking(move || crate::engines::delivery::forget_gone(&forgetting)).await;
    if let Err(error) = forgotten {
        tracing::error!(%error, "forgetting engines that are gone panicked");
    }
    let mut tasks = crate::engines::delivery::start(runtime, stop);
    crate::hub::start(runtime, stop, &mut tasks);
    tasks
}

/// Resolves at the next SIGHUP; never where none is listened for.
async fn hung_up(hangups: &mut Option<Signal>) {
    let came = match hangups {
        Some(signal) => signal.recv().await,
        None => None,
    };
    if came.is_none() {
        std::future::pending::<()>().await;
    }
}

/// Stops on SIGTERM or Ctrl-C.
pub(crate) fn stop_signal() -> anyhow::Result<Stop> {
    stop_on(None)
}

/// The same, and on SIGHUP: the terminal that it was started in was closed.
pub(crate) fn stop_signal_with_terminal() -> anyhow::Result<Stop> {
    stop_on(Some(reload_signal()?))
}

fn stop_on(mut hangups: Option<Signal>) -> anyhow::Result<Stop> {
    let (handle, stop) = Stop::new();
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
            () = hung_up(&mut hangups) => {}
        }
        handle.stop();
    });
    Ok(stop)
}

/// SIGHUP, from now on: it no longer ends the process.
pub(crate) fn reload_signal() -> anyhow::Result<Signal> {
    signal(SignalKind::hangup()).context("cannot listen for SIGHUP")
}
