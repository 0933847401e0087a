//! VictoriaMetrics, single or cluster: line protocol in, the export API back.
//!
//! It answers 204 to what it drops (points outside its retention or more than two days ahead, lines it cannot read),
//! and it does not overwrite: a point written again with another value is a second sample. So what was written is
//! looked at before it counts as delivered, and a correction deletes the series and writes it again.
//!
//! Must never: take a status for a delivery, or make a reading of two samples that disagree.

mod counters;
mod merge;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hyper::Method;
use model::{Instant, Reading};

use super::address::BaseAddress;
use super::answer::{self, Exported};
use super::error::EngineError;
use super::http::{Ask, Http, HttpOptions};
use super::isolate::{self, Sender};
use super::line::{Dialect, Field, MEASUREMENT, Point, Precision, field, identity_of, stored};
use super::{BoxFuture, Engine, EngineSeries, Health, Limits, ReadBack, Refused, Unconfirmed, body};
use counters::Counters;

/// Readings looked at of each batch while the counters are at rest.
const SAMPLE: usize = 32;
/// How long a sample may take to be seen: VictoriaMetrics makes what it took visible within a second or two.
const VISIBLE_WITHIN: Duration = Duration::from_secs(5);
/// How old the counters that it shows may be: it makes them anew once a second.
const COUNTED_WITHIN: Duration = Duration::from_millis(1_100);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// The last instant that the query API knows, in seconds.
const END_SECONDS: i64 = 9_000_000_000;

/// Where readings go and come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VictoriaSettings {
    /// Single: `http://vm:8428`. Cluster: `http://vminsert:8480/insert/0/influx`.
    pub write: BaseAddress,
    /// Single: the same. Cluster: `http://vmselect:8481/select/0/prometheus`.
    pub read: BaseAddress,
    /// Base addresses whose `/metrics` tell what was dropped. Single: the same. Cluster: each vminsert and vmstorage.
    pub counters: Vec<BaseAddress>,
    pub http: HttpOptions,
}

/// A VictoriaMetrics.
#[derive(Debug)]
pub struct Victoria {
    settings: VictoriaSettings,
    http: Http,
    /// What its counters stood at when they were last looked at.
    seen: Mutex<Option<Counters>>,
    /// When the last write ended.
    wrote: Mutex<Option<tokio::time::Instant>>,
}

impl Victoria {
    /// Reads token and certificates; connects to nothing.
    ///
    /// # Errors
    /// [`EngineError::Token`], [`EngineError::Certificates`].
    pub fn new(settings: VictoriaSettings) -> Result<Self, EngineError> {
        let all = [&settings.write, &settings.read].into_iter().chain(&settings.counters);
        let secure = all.into_iter().any(BaseAddress::is_secure);
        let http = Http::new(settings.http.clone(), secure, "Bearer")?;
        Ok(Self { settings, http, seen: Mutex::default(), wrote: Mutex::default() })
    }

    async fn send(&self, text: &str) -> Result<(), EngineError> {
        let ask = Ask {
            method: Method::POST,
            address: &self.settings.write,
            path: "/api/v2/write",
            parameters: &[("precision", "ms")],
            lines: Some(body::gzip(text)),
        };
        let sent = self.http.ask(ask).await;
        *self.wrote.lock().unwrap_or_else(PoisonError::into_inner) = Some(tokio::time::Instant::now());
        sent.map(|_| ())
    }

    async fn ask(
        &self,
        address: &BaseAddress,
        method: Method,
        path: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Vec<u8>, EngineError> {
        let ask = Ask { method, address, path, parameters, lines: None };
        Ok(self.http.ask(ask).await?.body)
    }

    fn wrong(&self, says: String) -> EngineError {
        EngineError::Answer { address: self.settings.read.to_string(), says }
    }

    /// Everything of a series from `from_ms` to `to_ms`, both included, perhaps with a little more.
    async fn export(
        &self,
        series: &EngineSeries,
        from_ms: i64,
        to_ms: i64,
    ) -> Result<Vec<Exported>, EngineError> {
        // In whole seconds: fractions would pass through floats.
        let start = from_ms.div_euclid(1_000).clamp(0, END_SECONDS).to_string();
        let end = to_ms.div_euclid(1_000).saturating_add(1).clamp(0, END_SECONDS).to_string();
        let parameters = [("match[]", selector(Some(series), None)), ("start", start), ("end", end)];
        let parameters: Vec<(&str, &str)> = parameters.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let body = self.ask(&self.settings.read, Method::GET, "/api/v1/export", &parameters).await?;
        answer::export(&body).map_err(|says| self.wrong(says))
    }

    async fn counters(&self) -> Result<Counters, EngineError> {
        let mut sum = Counters::default();
        for address in &self.settings.counters {
            let text = self.ask(address, Method::GET, "/metrics", &[]).await?;
            sum.add(&String::from_utf8_lossy(&text));
        }
        Ok(sum)
    }

    /// Whether anything was dropped since the last look, and the counters' growth in words. The first look sees a
    /// change: what happened before is not known.
    async fn grown(&self) -> Result<Option<String>, EngineError> {
        let wrote = *self.wrote.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(wrote) = wrote {
            tokio::time::sleep_until(wrote + COUNTED_WITHIN).await;
        }
        let now = self.counters().await?;
        let before = self.seen.lock().unwrap_or_else(PoisonError::into_inner).replace(now.clone());
        Ok(match before {
            Some(before) => now.growth_since(&before),
            None => Some("the first look".to_owned()),
        })
    }

    async fn confirm_all(
        &self,
        installation: &str,
        readings: &[Reading],
    ) -> Result<Vec<Unconfirmed>, EngineError> {
        let grown = self.grown().await?;
        let all: Vec<usize> = (0..readings.len()).collect();
        let positions = if grown.is_some() { all.clone() } else { sample(readings) };
        let mut odd = self.await_visible(installation, readings, positions).await?;
        if !odd.is_empty() && grown.is_none() {
            // A sample is missing without a reason: every reading is looked at, and what is absent is sent once more.
            odd = self.odd(installation, readings, &all).await?;
            let absent = odd.iter().filter(|(_, differs)| !differs);
            let absent: Vec<Reading> = absent.filter_map(|(i, _)| readings.get(*i).cloned()).collect();
            isolate::write(&Batch { engine: self, installation, readings: &absent }, absent.len()).await?;
            let again = odd.iter().map(|(index, _)| *index).collect();
            odd = self.await_visible(installation, readings, again).await?;
        }
        let counted = match grown {
            Some(growth) => format!("; its counters: {growth}"),
            None => String::new(),
        };
        let told = |(index, differs)| {
            let what = if differs { "has another value" } else { "does not have it" };
            let reason = format!("the engine answered that it took it and {what}{counted}");
            Unconfirmed { refused: Refused { index, reason }, differs }
        };
        Ok(odd.into_iter().map(told).collect())
    }

    /// Looks at the readings at these positions until all are there, or it is too late for them.
    async fn await_visible(
        &self,
        installation: &str,
        readings: &[Reading],
        positions: Vec<usize>,
    ) -> Result<Vec<(usize, bool)>, EngineError> {
        let until = tokio::time::Instant::now() + VISIBLE_WITHIN;
        let mut odd: Vec<(usize, bool)> = positions.into_iter().map(|index| (index, false)).collect();
        loop {
            let positions: Vec<usize> = odd.iter().map(|(index, _)| *index).collect();
            odd = self.odd(installation, readings, &positions).await?;
            if odd.iter().all(|(_, differs)| *differs) || until <= tokio::time::Instant::now() {
                return Ok(odd);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Those of the readings at `positions` that do not come back as they were written, and whether another value is
    /// there in their place.
    async fn odd(
        &self,
        installation: &str,
        readings: &[Reading],
        positions: &[usize],
    ) -> Result<Vec<(usize, bool)>, EngineError> {
        let mut by_series: BTreeMap<EngineSeries, Vec<usize>> = BTreeMap::new();
        for &index in positions {
            let Some(reading) = readings.get(index) else { continue };
            let series = EngineSeries { installation: installation.to_owned(), key: reading.series.clone() };
            by_series.entry(series).or_default().push(index);
        }
        let mut odd = Vec::new();
        for (series, positions) in by_series {
            let stamps = positions.iter().filter_map(|&i| readings.get(i)).map(|r| r.observed_at.millis());
            let (Some(first), Some(last)) = (stamps.clone().min(), stamps.max()) else { continue };
            let found = merge::compare(&series, &self.export(&series, first, last).await?);
            odd.extend(positions.into_iter().filter_map(|index| {
                let reading = readings.get(index)?;
                match found.get(&(reading.observed_at.millis(), reading.origin)) {
                    Some(Some(there)) if there == reading => None,
                    Some(_) => Some((index, true)),
                    None => Some((index, false)),
                }
            }));
        }
        odd.sort_unstable();
        Ok(odd)
    }

    async fn list(&self, installation: Option<&str>) -> Result<Vec<EngineSeries>, EngineError> {
        self.selected(&selector(None, installation)).await
    }

    async fn selected(&self, selector: &str) -> Result<Vec<EngineSeries>, EngineError> {
        // A start of 0 is taken for none, and none for the last minutes.
        let end = END_SECONDS.to_string();
        let parameters = [("match[]", selector), ("start", "1"), ("end", end.as_str())];
        let body = self.ask(&self.settings.read, Method::GET, "/api/v1/series", &parameters).await?;
        let sets = answer::label_sets(&body).map_err(|says| self.wrong(says))?;
        let known = sets.iter().filter_map(|set| identity_of(|label| set.get(label).map(String::as_str)));
        let all: BTreeSet<EngineSeries> = known.map(|(series, _, _)| series).collect();
        Ok(all.into_iter().collect())
    }
}

/// Positions of some readings over the whole batch, with the oldest and the newest, which are dropped first.
fn sample(readings: &[Reading]) -> Vec<usize> {
    let step = readings.len().div_ceil(SAMPLE).max(1);
    let mut positions: BTreeSet<usize> = (0..readings.len()).step_by(step).collect();
    let by_time = readings.iter().enumerate();
    positions.extend(by_time.clone().min_by_key(|(_, r)| r.observed_at).map(|(index, _)| index));
    positions.extend(by_time.max_by_key(|(_, r)| r.observed_at).map(|(index, _)| index));
    positions.into_iter().collect()
}

/// The selector of a series with all its fields, or of every series, perhaps of one installation.
fn selector(series: Option<&EngineSeries>, installation: Option<&str>) -> String {
    let names: Vec<String> = field::ALL.iter().map(|field| format!("{MEASUREMENT}_{field}")).collect();
    let mut text = format!("{{__name__=~\"{}\"", names.join("|"));
    let mut label = |name: &str, value: &str| {
        // No backslash and no line break is left in what an engine holds.
        let value = stored(value).replace('"', "\\\"");
        text.push_str(&format!(",{name}=\"{value}\""));
    };
    if let Some(installation) = installation.or(series.map(|s| s.installation.as_str())) {
        label("installation", installation);
    }
    if let Some(series) = series {
        label("meter", series.key.meter.as_str());
        label("phase", series.key.channel.phase.code());
        label("quantity", series.key.channel.quantity.code());
    }
    text.push('}');
    text
}

struct Batch<'a> {
    engine: &'a Victoria,
    installation: &'a str,
    readings: &'a [Reading],
}

impl Sender for Batch<'_> {
    fn lines(&self, positions: &[usize]) -> body::Lines {
        let before_1970 = |&&index: &&usize| {
            self.readings.get(index).is_some_and(|reading| reading.observed_at.millis() < 0)
        };
        let (before, possible): (Vec<usize>, Vec<usize>) =
            positions.iter().partition(|index| before_1970(index));
        let mut lines =
            body::lines(self.installation, self.readings, &possible, Dialect::Decimal, Precision::Millis);
        let reason = "VictoriaMetrics holds nothing from before 1970";
        lines.refused.extend(before.into_iter().map(|index| Refused { index, reason: reason.to_owned() }));
        lines
    }

    async fn send(&self, text: &str) -> Result<(), EngineError> {
        self.engine.send(text).await
    }

    fn harmless(&self) -> String {
        let at = self.readings.iter().map(|r| r.observed_at).max().unwrap_or_default();
        let mut text = String::new();
        let point = Point {
            measurement: "consuntivo_check",
            tags: vec![("installation", self.installation)],
            fields: vec![("alive", Field::Integer(1))],
            at,
        };
        // Whatever is wrong with the installation's name is wrong with every line.
        point.write(Precision::Millis, &mut text).ok();
        text
    }
}

impl Engine for Victoria {
    fn kind(&self) -> &'static str {
        "victoriametrics"
    }

    fn limits(&self) -> Limits {
        Limits { write_readings_max: 10_000, deletes: true, drops_silently: true, installations: true }
    }

    fn write<'a>(
        &'a self,
        installation: &'a str,
        readings: &'a [Reading],
    ) -> BoxFuture<'a, Result<Vec<Refused>, EngineError>> {
        Box::pin(async move {
            if self.seen.lock().unwrap_or_else(PoisonError::into_inner).is_none() {
                // So that the first batch is judged by what it does itself.
                let now = self.counters().await?;
                *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
            }
            isolate::write(&Batch { engine: self, installation, readings }, readings.len()).await
        })
    }

    fn confirm<'a>(
        &'a self,
        installation: &'a str,
        readings: &'a [Reading],
    ) -> BoxFuture<'a, Result<Vec<Unconfirmed>, EngineError>> {
        Box::pin(self.confirm_all(installation, readings))
    }

    fn read<'a>(
        &'a self,
        series: &'a EngineSeries,
        from: Instant,
        to: Instant,
    ) -> BoxFuture<'a, Result<ReadBack, EngineError>> {
        Box::pin(async move {
            if to <= from {
                return Ok(ReadBack::default());
            }
            let exported = self.export(series, from.millis(), to.millis() - 1).await?;
            Ok(merge::readings_within(series, &exported, from, to))
        })
    }

    fn series<'a>(
        &'a self,
        installation: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Vec<EngineSeries>, EngineError>> {
        Box::pin(self.list(installation))
    }

    fn delete<'a>(&'a self, series: &'a EngineSeries) -> BoxFuture<'a, Result<(), EngineError>> {
        Box::pin(async move {
            let match_ = selector(Some(series), None);
            // A deletion costs it its caches, even where there is nothing: a new engine that gets everything would
            // delete each series once. What a cut-off rewrite has just written and is not listed yet is what the
            // journal says, and may be written twice.
            if self.selected(&match_).await?.is_empty() {
                return Ok(());
            }
            // Of a cluster, `/select/0/prometheus` reads and `/delete/0/prometheus` deletes.
            let address = self.settings.read.to_string().replacen("/select/", "/delete/", 1);
            let address = BaseAddress::parse(&address).unwrap_or_else(|| self.settings.read.clone());
            let path = "/api/v1/admin/tsdb/delete_series";
            self.ask(&address, Method::POST, path, &[("match[]", &match_)]).await?;
            Ok(())
        })
    }

    fn health(&self) -> BoxFuture<'_, Result<Health, EngineError>> {
        Box::pin(async move {
            let mut all = String::new();
            for address in &self.settings.counters {
                let text = self.ask(address, Method::GET, "/metrics", &[]).await?;
                all.push_str(&String::from_utf8_lossy(&text));
                all.push('\n');
            }
            // That it can be asked for readings, too.
            self.list(Some("consuntivo-health-check")).await?;
            Ok(counters::health(&all))
        })
    }
}
