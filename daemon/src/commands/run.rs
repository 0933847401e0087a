//! `consuntivo run`: reads the meters, keeps every reading, serves the pages; reads its files again on SIGHUP.
//!
//! Must never: start half; a bad installation file or a taken port is said at once.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::SystemClock;
use crate::exit::{Exit, Failure};
use crate::installation::Installation;
use crate::service::{Overrides, Service, reload_signal, stop_signal};

pub(crate) fn run(config: &Path) -> Result<Exit, Failure> {
    block_on(async {
        let (stop, hangups) = (stop_signal()?, reload_signal()?);
        let installation = Installation::load(config)?;
        let service = Service::open(installation, Arc::new(SystemClock), Overrides::default()).await?;
        service.reloading_at(hangups).run(stop).await
    })
}

/// Runs a future on a runtime of this command's own.
pub(crate) fn block_on<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| {
        Failure::from(anyhow::Error::new(error).context("cannot start the async runtime"))
    })?;
    let done = runtime.block_on(future);
    // Whatever still reads in the background has nothing to finish.
    runtime.shutdown_timeout(Duration::from_secs(2));
    done
}
