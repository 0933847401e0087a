//! `consuntivo demo`: the demonstration portfolio, on simulated meters read by the ordinary connectors.
//!
//! Must never: write a result that the ordinary way did not compute from readings in the journal.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use chrono::NaiveDate;
use connectors::{Clock, Inbox, Stop};
use dashboards::access::{Held, LinkPurpose, NewAccount, Refused, Role};
use model::{Instant, MeterId, Zone};
use store::{Store, StoreOptions};

use crate::access::Accounts;
use crate::clock::{ShiftedClock, SystemClock};
use crate::commands::import::{import_bills_into, import_project_into, import_temperatures_into};
use crate::commands::run::block_on;
use crate::demo::{Demo, DemoFiles};
use crate::documents::{self, Dress};
use crate::exit::{Exit, Failure};
use crate::ingest::Ingest;
use crate::installation::Installation;
use crate::runtime::Runtime;
use crate::service::{Overrides, Service, stop_signal_with_terminal};
use crate::{DemoArgs, figures, holds, reports};

const ZONE: Zone = chrono_tz::Europe::Rome;
/// Who brings the demonstration's files in, for the audit log.
const AUTHOR: &str = "demo";
/// Where the demonstration's installation file says that the store is.
const DATA_FOLDER: &str = "data";
/// How long `--once` waits for a first reading of every live meter.
const FIRST_READINGS_MAX: Duration = Duration::from_secs(30);

pub(crate) fn demo(args: &DemoArgs) -> Result<Exit, Failure> {
    block_on(async {
        let clock = clock(args.today)?;
        let today = clock.now().day(ZONE);
        let demo = Demo::plan(today, ZONE);
        // Whoever closes the terminal is done with it, and its broker must not outlive it.
        let stop = stop_signal_with_terminal()?;
        refuse_a_folder_in_use(&args.dir)?;
        let field = demo.start_field(&args.dir, Arc::clone(&clock)).await.map_err(anyhow::Error::from)?;
        // To write files and leave, any free port will do for the pages.
        let pages = if args.once { ([127, 0, 0, 1], 0).into() } else { args.listen };
        let files = demo.write_files(&args.dir, &field.ports(), pages).map_err(anyhow::Error::from)?;
        let installation = Installation::load(&files.config)?;
        let reports_dir = args.out.clone().unwrap_or_else(|| args.dir.join("reports"));
        let overrides = Overrides { reports_dir: Some(reports_dir.clone()), demo: true };
        let service = Service::open(installation, Arc::clone(&clock), overrides).await?;
        let runtime = Arc::clone(&service.runtime);
        bring_in(&runtime, &files)?;
        replay(&runtime, &demo, clock.now()).await?;
        let links = sample_accounts(&service.accounts)?;
        let outcome = if args.once {
            once(service, &runtime, &demo, &reports_dir, stop).await
        } else {
            write_reports(&runtime, &demo, &reports_dir).await?;
            // The first page of the demonstration shows every figure.
            let first = Arc::clone(&runtime);
            tokio::task::spawn_blocking(move || first.refresh())
                .await
                .context("the first figures panicked")??;
            println!("sign in as one of the demonstration's people, each link once and within 24 hours:");
            for (role, path) in links {
                println!("{role}: http://{}{path}", service.address);
            }
            service.run(stop).await
        };
        field.stop();
        outcome
    })
}

/// What another daemon works on stays as it is: its files name the ports of its own simulated meters.
fn refuse_a_folder_in_use(dir: &Path) -> Result<(), Failure> {
    let data = dir.join(DATA_FOLDER);
    if data.exists() {
        Store::open(&data, StoreOptions::default())?.close();
    }
    Ok(())
}

/// The machine's clock, or one that begins at noon of the day asked for.
fn clock(today: Option<NaiveDate>) -> Result<Arc<dyn Clock>, Failure> {
    let Some(day) = today else { return Ok(Arc::new(SystemClock)) };
    let noon = day.and_hms_opt(12, 0, 0).context("the day asked for has no noon")?;
    Ok(Arc::new(ShiftedClock::starting_at(model::time::local_to_instant(noon, ZONE))))
}

/// Imports projects, bills and temperatures as a person would.
fn bring_in(runtime: &Runtime, files: &DemoFiles) -> Result<(), Failure> {
    let installation = runtime.installation();
    let (store, catalog, at) = (&runtime.store, &installation.catalog, runtime.clock.now());
    for file in &files.projects {
        import_project_into(store, catalog, file, AUTHOR, at)?;
    }
    for file in &files.bills {
        import_bills_into(store, catalog, file, AUTHOR, at)?;
    }
    for (station, file) in &files.temperatures {
        import_temperatures_into(store, station, file, AUTHOR, at)?;
    }
    Ok(())
}

/// A person for each role, without a password: each comes in by a one-time link.
fn sample_accounts(accounts: &Accounts) -> Result<Vec<(&'static str, String)>, Failure> {
    let people = [
        (Role::LegalRepresentative, "rappresentante", "Legale rappresentante dimostrativo"),
        (Role::DataEntry, "operatore", "Operatore dimostrativo"),
        (Role::FacilityManager, "gestore", "Gestore dimostrativo"),
        (Role::RegionalOfficer, "regione", "Funzionario dimostrativo"),
        (Role::Administrator, "amministratore", "Amministratore dimostrativo"),
    ];
    let mut links = Vec::new();
    for (role, account, name) in people {
        let new = NewAccount {
            account: account.to_owned(),
            name: name.to_owned(),
            roles: vec![Held::everywhere(role)],
            ..NewAccount::default()
        };
        let made = match accounts.add(&new, LinkPurpose::SignIn, AUTHOR) {
            // From an earlier start of the demonstration.
            Err(Refused::Taken) => accounts.renew_link(account, LinkPurpose::SignIn, AUTHOR),
            made => made,
        };
        let secret = made.map_err(|refused| {
            Failure::from(anyhow::anyhow!(
                "the sample account {account:?} cannot be made: {}",
                refused.code()
            ))
        })?;
        links.push((role.code(), LinkPurpose::SignIn.path(&secret)));
    }
    Ok(links)
}

/// Sends the past through the same inbox as live readings.
async fn replay(runtime: &Arc<Runtime>, demo: &Demo, until: Instant) -> Result<(), Failure> {
    let inbox = Ingest(Arc::clone(runtime));
    let mut count = 0_u64;
    for batch in demo.history(until) {
        count += batch.len() as u64;
        inbox.submit(batch).await.map_err(|error| {
            Failure::from(
                anyhow::Error::new(error).context("the history could not be replayed into the journal"),
            )
        })?;
    }
    println!("{count} readings of the past are in the journal");
    Ok(())
}

/// Writes the report of every demonstration project.
async fn write_reports(runtime: &Arc<Runtime>, demo: &Demo, dir: &Path) -> Result<(), Failure> {
    let runtime = Arc::clone(runtime);
    let years = demo.report_years();
    let dir = dir.to_owned();
    let work = move || -> Result<(), Failure> {
        let installation = runtime.installation();
        let catalog = &installation.catalog;
        let dress = Dress::of(&installation, "it");
        for (id, year) in years {
            let project = figures::project(&runtime.store, catalog, &id)?;
            let until = figures::until(year, runtime.today());
            let gathered = figures::with_beside(&runtime.store, &installation, &project, year, until)?;
            let files = documents::of_year(&gathered, &documents::wanted(&gathered.year.scheme), &dress)?;
            let name = format!("report {id} {year}");
            let held = (name.as_str(), runtime.clock.now());
            holds::hold(&runtime.store, &installation, &project, Some(year), held)?;
            for path in reports::write_all(&reports::folder(&dir, &id, year), &files)? {
                println!("{}", path.display());
            }
        }
        Ok(())
    };
    tokio::task::spawn_blocking(work).await.context("writing the reports panicked")??;
    Ok(())
}

/// Reads every live meter once, writes the reports, and ends.
async fn once(
    service: Service,
    runtime: &Arc<Runtime>,
    demo: &Demo,
    dir: &Path,
    mut outer_stop: Stop,
) -> Result<Exit, Failure> {
    let (handle, stop) = Stop::new();
    let since = runtime.clock.now();
    let running = tokio::spawn(service.run(stop));
    let meters = demo.living_meters();
    let waited = tokio::select! {
        waited = tokio::time::timeout(FIRST_READINGS_MAX, first_readings(runtime, &meters, since)) => waited,
        () = outer_stop.stopped() => return Err(Failure::from(anyhow::anyhow!("stopped before the reports were written"))),
    };
    if waited.is_err() {
        println!("some meters gave no reading in time: {}", silent(runtime, &meters, since).join(", "));
    }
    let written = write_reports(runtime, demo, dir).await;
    handle.stop();
    let ended = running.await.context("the service panicked")?;
    written?;
    ended
}

/// Resolves when each of the meters has a reading younger than `since`.
async fn first_readings(runtime: &Runtime, meters: &[MeterId], since: Instant) {
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    while !silent(runtime, meters, since).is_empty() {
        tick.tick().await;
    }
}

/// Meters without a reading since then.
fn silent(runtime: &Runtime, meters: &[MeterId], since: Instant) -> Vec<String> {
    let silent = |id: &&MeterId| runtime.book.last_reading_at(id).is_none_or(|at| at < since);
    meters.iter().filter(silent).map(MeterId::to_string).collect()
}
