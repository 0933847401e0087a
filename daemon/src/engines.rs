//! The engines of an installation: made of its settings, judged at start, and their failures as findings.
//!
//! Must never: keep the daemon from starting because an engine is away, or put a token into a finding.

pub(crate) mod delivery;
mod metrics;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use config::{EngineKind, EngineSettings, TokenPlace};
use model::{Finding, Severity};
use store::engine::{
    BaseAddress, Engine, EngineError, HttpOptions, Influx, InfluxSettings, TokenSource, Victoria,
    VictoriaSettings,
};

use crate::installation::{Installation, chain};
use crate::runtime::Runtime;

pub(crate) use metrics::EngineMetrics;

const RULE: &str = "the journal keeps what an engine has not accepted; every failure is shown to a person";

/// The subject of findings about an engine.
pub(crate) fn subject(engine: &str) -> String {
    format!("engine:{engine}")
}

/// What is wrong with the engines and with links that read from one, without any I/O.
pub(crate) fn check(installation: &Installation) -> Vec<Finding> {
    let mut findings = Vec::new();
    for engine in &installation.settings.engines {
        let wrong = addresses(engine).into_iter().filter(|address| BaseAddress::parse(address).is_none());
        for address in wrong {
            let says = format!(
                "{address:?} is no base address; write one such as http://127.0.0.1:8428, without user and query"
            );
            findings.push(
                Finding::new("engine.address", Severity::Blocks, subject(&engine.id), says, RULE)
                    .with("address", address),
            );
        }
    }
    findings.extend(crate::hub::check(installation));
    findings
}

fn addresses(engine: &EngineSettings) -> Vec<&String> {
    match &engine.kind {
        EngineKind::Influx2 { address, .. } => vec![address],
        EngineKind::Victoria { write, read, counters } => [write, read].into_iter().chain(counters).collect(),
    }
}

/// The engine that the settings mean; connects to nothing. Reads token and certificates.
pub(crate) fn make(settings: &EngineSettings) -> Result<Arc<dyn Engine>, EngineError> {
    let address = |text: &str| {
        BaseAddress::parse(text).ok_or_else(|| EngineError::Answer {
            address: text.to_owned(),
            says: "it is no base address".to_owned(),
        })
    };
    let http = HttpOptions {
        timeout: Duration::from_secs(u64::from(settings.timeout_s)),
        token: settings.token.as_ref().map(|place| match place {
            TokenPlace::File(path) => TokenSource::File(PathBuf::from(path)),
            TokenPlace::Environment(name) => TokenSource::Environment(name.clone()),
        }),
        ca_file: settings.ca_file.clone(),
    };
    Ok(match &settings.kind {
        EngineKind::Influx2 { address: at, organisation, bucket } => Arc::new(Influx::new(InfluxSettings {
            address: address(at)?,
            organisation: Some(organisation.clone()),
            bucket: bucket.clone(),
            http,
        })?),
        EngineKind::Victoria { write, read, counters } => Arc::new(Victoria::new(VictoriaSettings {
            write: address(write)?,
            read: address(read)?,
            counters: counters.iter().map(|at| address(at)).collect::<Result<_, _>>()?,
            http,
        })?),
    })
}

/// A failure as a finding that stands until the engine works again.
pub(crate) fn finding(engine: &str, error: &EngineError) -> Finding {
    let says = chain(error);
    Finding::new(error.code(), Severity::Caution, subject(engine), says.clone(), RULE)
        .with("engine", engine)
        .with("error", says)
}

/// The codes of [`finding`].
const FAILURES: [&str; 5] =
    ["engine.unreachable", "engine.busy", "engine.forbidden", "engine.place", "engine.refuses"];

/// Takes back what was said about an engine that works again.
pub(crate) fn resolve_failures(runtime: &Runtime, engine: &str) {
    for code in FAILURES {
        runtime.resolve(&subject(engine), Some(code));
    }
}
