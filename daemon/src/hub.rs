//! A hub: an installation whose meters stand in other installations and are read from an engine.
//!
//! Its links have the connector `engine`; their meters have models and periods as everywhere, so that series, months and
//! figures are made as the meters' own daemon makes them. Nothing of it is journalled here: the engine alone is asked.
//!
//! Must never: take what an engine does not answer for zero, or let one engine that is away stop another.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use config::{LinkSettings, MeterSettings, Settings};
use connectors::Stop;
use model::{Finding, Instant, MeterId, Reading, SeriesKey, Severity};
use store::engine::{Engine, EngineError, EngineSeries, Readings, for_each_in};
use store::{Store, StoredReading};
use tokio::task::JoinSet;

use crate::engines;
use crate::installation::Installation;
use crate::runtime::Runtime;

/// The connector of links that read from an engine.
pub(crate) const CONNECTOR: &str = "engine";
/// How often new readings are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// How far back the first look goes: for the values that pages show.
const FIRST_LOOK_SECONDS: i64 = 2 * 86_400;
/// How far ahead of now readings are still looked for, in seconds.
const AHEAD_SECONDS: i64 = 2 * 86_400;
/// No reading is older: the clock of its device was never set.
const EARLIEST: Instant = Instant::from_millis(0);
/// No reading is later: the end of the engines' calendars.
const LATEST: Instant = Instant::from_seconds(8_999_999_999);

/// Where a meter of the hub is read.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Remote {
    engine: String,
    installation: String,
    /// Its id there.
    meter: MeterId,
}

/// Whether a link reads from an engine.
pub(crate) fn is_remote(link: &LinkSettings) -> bool {
    link.connector == CONNECTOR
}

/// Whether a meter is read from an engine.
pub(crate) fn is_remote_meter(settings: &Settings, meter: &MeterSettings) -> bool {
    settings.link(&meter.link).is_some_and(is_remote)
}

/// What is wrong with the links and meters of a hub.
pub(crate) fn check(installation: &Installation) -> Vec<Finding> {
    let settings = &installation.settings;
    let wrong = |subject: String, says: String| {
        let rule = "a hub reads what an engine has of another installation";
        Finding::new("engine.link", Severity::Blocks, subject, says.clone(), rule).with("error", says)
    };
    let mut findings = Vec::new();
    for link in settings.links.iter().filter(|link| is_remote(link)) {
        let subject = format!("link:{}", link.id);
        if let Err(says) = parse_link(link, settings) {
            findings.push(wrong(subject, says));
        }
    }
    for meter in settings.meters.iter().filter(|meter| is_remote_meter(settings, meter)) {
        if let Err(says) = parse_meter(meter) {
            findings.push(wrong(format!("meter:{}", meter.id), says));
        }
    }
    findings
}

fn text(table: &toml::Table, key: &str) -> Result<Option<String>, String> {
    match table.get(key) {
        None => Ok(None),
        Some(value) => match value.as_str().filter(|text| !text.is_empty()) {
            Some(text) => Ok(Some(text.to_owned())),
            None => Err(format!("`{key}` must be a text")),
        },
    }
}

fn only(table: &toml::Table, known: &[&str]) -> Result<(), String> {
    match table.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(format!("`{key}` is not a known key; it has {}", known.join(", "))),
        None => Ok(()),
    }
}

/// The ids of engine and installation.
fn parse_link(link: &LinkSettings, settings: &Settings) -> Result<(String, String), String> {
    only(&link.table, &["engine", "installation"])?;
    let engine = text(&link.table, "engine")?.ok_or("`engine` is missing: the id of an [[engine]]")?;
    let installation =
        text(&link.table, "installation")?.ok_or("`installation` is missing: the id of the other one")?;
    if settings.engine(&engine).is_none() {
        return Err(format!("no engine {engine:?} in this file; add an [[engine]] with this id"));
    }
    Ok((engine, installation))
}

/// The meter's id in its own installation.
fn parse_meter(meter: &MeterSettings) -> Result<MeterId, String> {
    only(&meter.table, &["meter"])?;
    match text(&meter.table, "meter")? {
        None => Ok(meter.id.clone()),
        Some(id) => MeterId::new(&id).map_err(|error| error.to_string()),
    }
}

/// Every meter that is read from an engine; those that [`check`] finds fault with are not among them.
fn remotes(settings: &Settings) -> BTreeMap<MeterId, Remote> {
    let remote = |meter: &MeterSettings| {
        let link = settings.link(&meter.link).filter(|link| is_remote(link))?;
        let (engine, installation) = parse_link(link, settings).ok()?;
        let there = parse_meter(meter).ok()?;
        Some((meter.id.clone(), Remote { engine, installation, meter: there }))
    };
    settings.meters.iter().filter_map(remote).collect()
}

/// Whether a reload must begin the tasks of [`start`] anew.
pub(crate) fn is_changed(before: &Settings, after: &Settings) -> bool {
    before.engines != after.engines || remotes(before) != remotes(after)
}

impl Remote {
    fn series(&self, key: &SeriesKey) -> EngineSeries {
        let key = SeriesKey { meter: self.meter.clone(), channel: key.channel };
        EngineSeries { installation: self.installation.clone(), key }
    }
}

/// Where the series of an installation are read: its own journal, and for the meters of a hub their engine.
pub(crate) fn readings(store: &Store, installation: &Installation) -> anyhow::Result<Arc<dyn Readings>> {
    let remotes = remotes(&installation.settings);
    if remotes.is_empty() {
        return Ok(Arc::new(store.clone()));
    }
    let mut made = BTreeMap::new();
    for engine in &installation.settings.engines {
        if remotes.values().any(|remote| remote.engine == engine.id) {
            made.insert(engine.id.clone(), engines::make(engine)?);
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(Arc::new(HubReadings { store: store.clone(), remotes, engines: made, runtime: Some(runtime) }))
}

/// The journal and engines of a hub.
struct HubReadings {
    store: Store,
    remotes: BTreeMap<MeterId, Remote>,
    engines: BTreeMap<String, Arc<dyn Engine>>,
    /// Present until dropped.
    runtime: Option<tokio::runtime::Runtime>,
}

impl Drop for HubReadings {
    fn drop(&mut self) {
        // Without waiting: it may be dropped where waiting is not allowed.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Readings for HubReadings {
    fn for_each_reading(
        &self,
        series: &SeriesKey,
        from: Option<Instant>,
        to: Option<Instant>,
        f: &mut (dyn FnMut(&StoredReading) -> ControlFlow<()> + Send),
    ) -> Result<u64, EngineError> {
        let Some(remote) = self.remotes.get(&series.meter) else {
            return Ok(self.store.for_each_reading(series, from, to, f)?);
        };
        let (Some(engine), Some(runtime)) = (self.engines.get(&remote.engine), &self.runtime) else {
            return Err(EngineError::Unable { attempt: "be read: it is not among the settings" });
        };
        let there = remote.series(series);
        let (from, to) = (from.unwrap_or(EARLIEST), to.unwrap_or(LATEST));
        let given = runtime.block_on(for_each_in(&**engine, &there, from, to, f))?;
        if 0 < given.unsure {
            tracing::warn!(
                meter = %series.meter,
                instants = given.unsure,
                "the engine does not show these readings whole; they count as missing"
            );
        }
        Ok(given.readings)
    }

    fn home(&self, series: &SeriesKey) -> Option<&Store> {
        (!self.remotes.contains_key(&series.meter)).then_some(&self.store)
    }
}

/// Starts what keeps the live values of a hub up to date, one task an engine.
pub(crate) fn start(runtime: &Arc<Runtime>, stop: &Stop, tasks: &mut JoinSet<()>) {
    let installation = runtime.installation();
    let remotes = remotes(&installation.settings);
    for engine in &installation.settings.engines {
        let own: BTreeMap<MeterId, Remote> = remotes
            .iter()
            .filter(|(_, r)| r.engine == engine.id)
            .map(|(m, r)| (m.clone(), r.clone()))
            .collect();
        if own.is_empty() {
            continue;
        }
        match engines::make(engine) {
            Ok(made) => {
                let id = engine.id.clone();
                tasks.spawn(tend(Arc::clone(runtime), id, made, own, stop.clone()));
            }
            Err(error) => runtime.report(engines::finding(&engine.id, &error)),
        }
    }
}

async fn tend(
    runtime: Arc<Runtime>,
    id: String,
    engine: Arc<dyn Engine>,
    remotes: BTreeMap<MeterId, Remote>,
    mut stop: Stop,
) {
    let mut seen = BTreeMap::new();
    loop {
        let round = look(&runtime, &id, &*engine, &remotes, &mut seen);
        let done = tokio::select! {
            done = round => done,
            () = stop.stopped() => return,
        };
        match done {
            Ok(()) => engines::resolve_failures(&runtime, &id),
            Err(error) => runtime.report(engines::finding(&id, &error)),
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = stop.stopped() => return,
        }
    }
}

/// Takes what came since the last look into the live values and series.
async fn look(
    runtime: &Runtime,
    id: &str,
    engine: &dyn Engine,
    remotes: &BTreeMap<MeterId, Remote>,
    seen: &mut BTreeMap<SeriesKey, Instant>,
) -> Result<(), EngineError> {
    let now = runtime.clock.now();
    let end = now.plus_seconds(AHEAD_SECONDS);
    let mut known: BTreeMap<&str, Vec<EngineSeries>> = BTreeMap::new();
    let mut unsure = 0;
    for (meter, remote) in remotes {
        if !known.contains_key(remote.installation.as_str()) {
            let listed = engine.series(Some(&remote.installation)).await?;
            known.insert(&remote.installation, listed);
        }
        let all = known.get(remote.installation.as_str()).into_iter().flatten();
        for series in all.filter(|series| series.key.meter == remote.meter) {
            let key = SeriesKey { meter: meter.clone(), channel: series.key.channel };
            let from = seen.get(&key).map_or(now.plus_seconds(-FIRST_LOOK_SECONDS), |at| at.plus_millis(1));
            let mut came = Vec::new();
            let given = for_each_in(engine, series, from, end, &mut |stored| {
                came.push(reading(&key, stored));
                ControlFlow::Continue(())
            })
            .await?;
            unsure += given.unsure;
            if let Some(last) = came.last() {
                seen.insert(key, last.observed_at);
                runtime.book.take(&came, runtime.clock.now());
            }
        }
    }
    told_unsure(runtime, id, unsure);
    Ok(())
}

fn reading(key: &SeriesKey, stored: &StoredReading) -> Reading {
    Reading {
        series: key.clone(),
        observed_at: stored.observed_at,
        received_at: stored.received_at,
        value: stored.value,
        quality: stored.quality,
        origin: stored.origin,
    }
}

fn told_unsure(runtime: &Runtime, id: &str, unsure: u64) {
    if unsure == 0 {
        return;
    }
    let says = format!(
        "{unsure} instants do not come back whole, or with two values; they count as missing until their series are \
         written again"
    );
    let rule = "a reading that is not sure never becomes a saving";
    runtime.report(
        Finding::new("engine.unsure", Severity::Caution, engines::subject(id), says, rule)
            .with("engine", id)
            .with("count", unsure),
    );
}
