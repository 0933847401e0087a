//! InfluxDB 2: line protocol to `/api/v2/write`, InfluxQL on `/query` back (its 1.x compatibility API, which InfluxDB
//! 1.x and 3 have as well).
//!
//! Must never: let a name become a part of a query, or take an answer in part for all.

use hyper::Method;
use model::quantity::Kind;
use model::{Instant, Origin, Quality, Reading, Value};
use serde_json::Value as Json;

use super::address::BaseAddress;
use super::answer::{self, Cell, Table};
use super::error::{EngineError, Retry};
use super::http::{Ask, Http, HttpOptions};
use super::isolate::{self, Sender};
use super::line::{Dialect, Field, MEASUREMENT, Point, Precision, field, identity_of};
use super::{BoxFuture, Engine, EngineSeries, Fault, Health, Limits, ReadBack, Refused, Unconfirmed, body};

/// Rows of one page of an answer. Above 10 000, InfluxDB 1.x marks answers that are whole as partial.
const PAGE_ROWS: usize = 8_000;
/// Shorter retention than this loses what reports of past years need: the monitoring lasts five years, and a baseline
/// of a year lies before it.
pub(super) const RETENTION_MIN: std::time::Duration = std::time::Duration::from_secs(7 * 366 * 86_400);

/// Where readings go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InfluxSettings {
    pub address: BaseAddress,
    /// The organisation; `None` writes to `/write` as InfluxDB 1.x has it, where buckets are databases.
    pub organisation: Option<String>,
    pub bucket: String,
    pub http: HttpOptions,
}

/// An InfluxDB.
#[derive(Debug)]
pub struct Influx {
    settings: InfluxSettings,
    http: Http,
}

impl Influx {
    /// Reads token and certificates; connects to nothing.
    ///
    /// # Errors
    /// [`EngineError::Token`], [`EngineError::Certificates`].
    pub fn new(settings: InfluxSettings) -> Result<Self, EngineError> {
        let http = Http::new(settings.http.clone(), settings.address.is_secure(), "Token")?;
        Ok(Self { settings, http })
    }

    async fn send(&self, text: &str) -> Result<(), EngineError> {
        let bucket = self.settings.bucket.as_str();
        let (path, parameters) = match &self.settings.organisation {
            Some(organisation) => (
                "/api/v2/write",
                vec![("org", organisation.as_str()), ("bucket", bucket), ("precision", "ms")],
            ),
            None => ("/write", vec![("db", bucket), ("precision", "ms")]),
        };
        let ask = Ask {
            method: Method::POST,
            address: &self.settings.address,
            path,
            parameters: &parameters,
            lines: Some(body::gzip(text)),
        };
        self.http.ask(ask).await.map(|_| ())
    }

    async fn query(&self, method: Method, query: &str) -> Result<Vec<Table>, EngineError> {
        let ask = Ask {
            method,
            address: &self.settings.address,
            path: "/query",
            parameters: &[("db", &self.settings.bucket), ("epoch", "ms"), ("q", query)],
            lines: None,
        };
        let answer = self.http.ask(ask).await?;
        let address = || self.settings.address.to_string();
        answer::influxql(&answer.body).map_err(|says| match says.contains("not found") {
            true => EngineError::NoSuchPlace { address: address(), status: 200, says: format!(": {says}") },
            false => EngineError::Answer { address: address(), says },
        })
    }

    /// How long the bucket keeps points; `None` for ever, or where the token may not ask.
    async fn retention(&self) -> Result<Option<std::time::Duration>, EngineError> {
        let Some(organisation) = &self.settings.organisation else { return Ok(None) };
        let ask = Ask {
            method: Method::GET,
            address: &self.settings.address,
            path: "/api/v2/buckets",
            parameters: &[("org", organisation), ("name", &self.settings.bucket)],
            lines: None,
        };
        let answer = match self.http.ask(ask).await {
            Ok(answer) => answer,
            Err(EngineError::Forbidden { .. } | EngineError::NoSuchPlace { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let json: Json = serde_json::from_slice(&answer.body).unwrap_or_default();
        let rules = json.pointer("/buckets/0/retentionRules").and_then(Json::as_array);
        let seconds = rules.into_iter().flatten().find_map(|rule| rule.get("everySeconds")?.as_u64());
        Ok(seconds.filter(|s| *s != 0).map(std::time::Duration::from_secs))
    }

    async fn read_all(
        &self,
        series: &EngineSeries,
        from: Instant,
        to: Instant,
    ) -> Result<ReadBack, EngineError> {
        let mut back = ReadBack::default();
        let mut first = from.millis();
        loop {
            let query = format!(
                "SELECT \"{}\",\"{}\",\"{}\",\"origin\",\"quality\" FROM \"{MEASUREMENT}\" WHERE {} \
                 AND time >= {first}ms AND time < {}ms ORDER BY time ASC LIMIT {PAGE_ROWS}",
                field::TOTAL,
                field::GAUGE,
                field::DELAY,
                condition(series),
                to.millis(),
            );
            let tables = self.query(Method::GET, &query).await?;
            let rows: usize = tables.iter().map(|t| t.rows.len()).sum();
            let mut page = Vec::new();
            for table in &tables {
                page.extend(table.rows.iter().map(|row| (stamp(table, row), reading(series, table, row))));
            }
            let last = page.iter().filter_map(|(stamp, _)| *stamp).max();
            // What shares its instant with the last row may go on on the next page.
            let next = last.filter(|last| rows == PAGE_ROWS && first < *last);
            for (stamp, reading) in page {
                match reading {
                    _ if next.is_some() && stamp == next => {}
                    Some(reading) => back.readings.push(reading),
                    None => back.incomplete += 1,
                }
            }
            match next {
                Some(next) => first = next,
                None => break,
            }
        }
        settle(&mut back);
        Ok(back)
    }
}

/// Orders what was read; identities with two values are no readings.
pub(super) fn settle(back: &mut ReadBack) {
    back.readings.sort_by_key(|r| (r.observed_at, r.origin));
    let all = std::mem::take(&mut back.readings);
    let mut rest = all.into_iter().peekable();
    while let Some(reading) = rest.next() {
        let mut is_sure = true;
        while let Some(other) =
            rest.next_if(|r| (r.observed_at, r.origin) == (reading.observed_at, reading.origin))
        {
            is_sure &= other == reading;
        }
        if is_sure {
            back.readings.push(reading);
        } else {
            back.ambiguous += 1;
        }
    }
}

fn stamp(table: &Table, row: &[Cell]) -> Option<i64> {
    cell(table, row, "time")?.parse().ok()
}

/// The text of a cell, JSON as it stands.
fn cell<'a>(table: &Table, row: &'a [Cell], column: &str) -> Option<&'a str> {
    Some(row.get(table.columns.iter().position(|c| c == column)?)?.get())
}

fn reading(series: &EngineSeries, table: &Table, row: &[Cell]) -> Option<Reading> {
    let text = |column| serde_json::from_str::<String>(cell(table, row, column)?).ok();
    let (origin, quality) = (text("origin")?, text("quality")?);
    let value = match series.key.channel.quantity.kind() {
        Kind::Total => Value::Total(cell(table, row, field::TOTAL)?.parse().ok()?),
        Kind::Gauge => {
            let gauge: f64 = cell(table, row, field::GAUGE)?.parse().ok()?;
            Value::Gauge(Some(gauge).filter(|g| g.is_finite())?)
        }
    };
    let delay = match cell(table, row, field::DELAY)? {
        "null" => 0,
        delay => delay.parse().ok()?,
    };
    let at = stamp(table, row)?;
    Some(Reading {
        series: series.key.clone(),
        observed_at: Instant::from_millis(at),
        received_at: Instant::from_millis(at.checked_add(delay)?),
        value,
        quality: Quality::ALL.into_iter().find(|q| q.code() == quality)?,
        origin: Origin::ALL.into_iter().find(|o| o.code() == origin)?,
    })
}

/// A text as InfluxQL's string literal.
fn literal(text: &str) -> String {
    let mut literal = String::from("'");
    for c in text.chars() {
        match c {
            '\'' | '\\' => literal.extend(['\\', c]),
            '\n' => literal.push_str("\\n"),
            _ => literal.push(c),
        }
    }
    literal.push('\'');
    literal
}

fn condition(series: &EngineSeries) -> String {
    let channel = series.key.channel;
    let tags = [
        ("installation", series.installation.as_str()),
        ("meter", series.key.meter.as_str()),
        ("phase", channel.phase.code()),
        ("quantity", channel.quantity.code()),
    ];
    let one = |(name, value): (&str, &str)| format!("\"{name}\" = {}", literal(&super::line::stored(value)));
    tags.map(one).join(" AND ")
}

struct Batch<'a> {
    engine: &'a Influx,
    installation: &'a str,
    readings: &'a [Reading],
}

impl Sender for Batch<'_> {
    fn lines(&self, positions: &[usize]) -> body::Lines {
        body::lines(self.installation, self.readings, positions, Dialect::Exact, Precision::Millis)
    }

    async fn send(&self, text: &str) -> Result<(), EngineError> {
        self.engine.send(text).await
    }

    fn harmless(&self) -> String {
        let at = self.readings.iter().map(|r| r.observed_at).max().unwrap_or_default();
        let point = Point {
            measurement: "consuntivo_check",
            tags: vec![("installation", self.installation)],
            fields: vec![("alive", Field::Integer(1))],
            at,
        };
        let mut text = String::new();
        // Whatever is wrong with the installation's name is wrong with every line.
        point.write(Precision::Millis, &mut text).ok();
        text
    }
}

impl Engine for Influx {
    fn kind(&self) -> &'static str {
        "influxdb2"
    }

    fn limits(&self) -> Limits {
        // 5 000 lines is what InfluxData's own clients send at once.
        Limits { write_readings_max: 5_000, deletes: true, drops_silently: false, installations: true }
    }

    fn write<'a>(
        &'a self,
        installation: &'a str,
        readings: &'a [Reading],
    ) -> BoxFuture<'a, Result<Vec<Refused>, EngineError>> {
        Box::pin(async move {
            isolate::write(&Batch { engine: self, installation, readings }, readings.len()).await
        })
    }

    fn confirm<'a>(
        &'a self,
        _installation: &'a str,
        _readings: &'a [Reading],
    ) -> BoxFuture<'a, Result<Vec<Unconfirmed>, EngineError>> {
        // It answers an error for what it does not take.
        Box::pin(async { Ok(Vec::new()) })
    }

    fn read<'a>(
        &'a self,
        series: &'a EngineSeries,
        from: Instant,
        to: Instant,
    ) -> BoxFuture<'a, Result<ReadBack, EngineError>> {
        Box::pin(self.read_all(series, from, to))
    }

    fn series<'a>(
        &'a self,
        installation: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Vec<EngineSeries>, EngineError>> {
        Box::pin(async move {
            let only = installation
                .map(|id| format!(" WHERE \"installation\" = {}", literal(&super::line::stored(id))))
                .unwrap_or_default();
            let one =
                |name: &str| format!("SELECT first(\"{name}\") FROM \"{MEASUREMENT}\"{only} GROUP BY *");
            let query = [field::TOTAL, field::GAUGE].map(one).join("; ");
            let tables = self.query(Method::GET, &query).await?;
            let known = tables.iter().filter_map(|t| identity_of(|tag| t.tags.get(tag).map(String::as_str)));
            let mut all: Vec<EngineSeries> = known.map(|(series, _, _)| series).collect();
            all.sort();
            all.dedup();
            Ok(all)
        })
    }

    fn delete<'a>(&'a self, series: &'a EngineSeries) -> BoxFuture<'a, Result<(), EngineError>> {
        Box::pin(async move {
            let query = format!("DELETE FROM \"{MEASUREMENT}\" WHERE {}", condition(series));
            self.query(Method::POST, &query).await.map(|_| ())
        })
    }

    fn health(&self) -> BoxFuture<'_, Result<Health, EngineError>> {
        Box::pin(async move {
            let address = &self.settings.address;
            let ask = Ask { method: Method::GET, address, path: "/ping", parameters: &[], lines: None };
            let version = self.http.ask(ask).await?.version;
            let retention = match self.retention().await {
                Ok(retention) => retention,
                // Not to know is no fault; not to reach it is.
                Err(error) if error.retry() == Retry::Hold => None,
                Err(error) => return Err(error),
            };
            let mut faults = Vec::new();
            if let Some(kept) = retention.filter(|kept| *kept < RETENTION_MIN) {
                let says = format!(
                    "the bucket {} keeps readings for {} days only; give it a retention of at least seven years, or none",
                    self.settings.bucket,
                    kept.as_secs() / 86_400
                );
                faults.push(Fault { kind: "retention", says, is_grave: true });
            }
            Ok(Health { version, retention, faults })
        })
    }
}
