//! The engines outside to which readings are delivered, or from which a hub reads: `[[engine]]`.
//!
//! Must never: hold a token; only where one is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::reader::{At, Source, Table};

/// Most engines of one installation.
pub const ENGINES_MAX: usize = 8;

/// An engine outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineSettings {
    pub id: String,
    pub kind: EngineKind,
    /// Readings of this installation are delivered to it.
    pub delivers: bool,
    pub token: Option<TokenPlace>,
    /// Certificates to trust instead of the system's, as a PEM file.
    pub ca_file: Option<PathBuf>,
    pub timeout_s: u32,
    /// Line of the file on which the engine begins.
    pub line: usize,
}

/// What it is, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EngineKind {
    Influx2 {
        address: String,
        organisation: String,
        bucket: String,
    },
    Victoria {
        write: String,
        read: String,
        /// Where its counters and flags are; the same as `write` and `read` where none is given.
        counters: Vec<String>,
    },
}

/// Where a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenPlace {
    File(PathBuf),
    Environment(String),
}

pub(super) struct EngineRead {
    pub(super) engine: EngineSettings,
    id_at: At,
}

const ADDRESS: &str = "a base address such as \"http://127.0.0.1:8428\"";
const KIND: &str = "\"victoriametrics\" or \"influxdb2\"";

pub(super) fn read(source: &Source<'_>, table: &Table<'_, '_>, base: &Path) -> Option<EngineRead> {
    let id = table.parsed("id", super::ID, super::plain_id);
    let is_influx = table.parsed("kind", KIND, |kind| match kind {
        "influxdb2" => Some(true),
        "victoriametrics" => Some(false),
        _ => None,
    });
    let kind = match is_influx {
        Some(true) => read_influx(table),
        Some(false) => read_victoria(source, table),
        None => {
            // Whatever else stands there belongs to a kind that is not known.
            table.rest();
            return None;
        }
    };
    let delivers = table.boolean_or("deliver", true);
    let token_file = table.text_optional("token_file", "a file with the token");
    let token_env = table.text_optional("token_env", "an environment variable with the token");
    let token = match (token_file, token_env) {
        (Some(_), Some(_)) => {
            let says = "the token has one place, and `token_file` is another";
            source.report_at(&table.at("token_env"), says, "keep one of them");
            return None;
        }
        (Some(file), None) => Some(TokenPlace::File(base.join(file))),
        (None, Some(name)) => Some(TokenPlace::Environment(name)),
        (None, None) => None,
    };
    let ca_file = table.text_optional("ca_file", "a PEM file with certificates to trust");
    let timeout_s = table.integer_or("timeout_s", 1..=600, 30);
    table.finish();
    let engine = EngineSettings {
        id: id?,
        kind: kind?,
        delivers: delivers?,
        token,
        ca_file: ca_file.map(|file| base.join(file)),
        timeout_s: u32::try_from(timeout_s?).ok()?,
        line: table.line(),
    };
    Some(EngineRead { engine, id_at: table.at("id") })
}

fn read_influx(table: &Table<'_, '_>) -> Option<EngineKind> {
    let address = table.text("address", ADDRESS);
    let organisation = table.text("organisation", "the organisation that owns the bucket");
    let bucket = table.text("bucket", "the bucket of the readings");
    Some(EngineKind::Influx2 { address: address?, organisation: organisation?, bucket: bucket? })
}

/// `address` for a single server; `write`, `read` and perhaps `counters` for a cluster.
fn read_victoria(source: &Source<'_>, table: &Table<'_, '_>) -> Option<EngineKind> {
    let address = table.text_optional("address", ADDRESS);
    let write = table.text_optional("write", ADDRESS);
    let read = table.text_optional("read", ADDRESS);
    let counters = table.texts_optional("counters", "a list of base addresses");
    match (address, write, read) {
        (Some(address), None, None) => {
            let counters = counters.unwrap_or_else(|| vec![address.clone()]);
            Some(EngineKind::Victoria { write: address.clone(), read: address, counters })
        }
        (None, Some(write), Some(read)) => {
            // The counters of a vminsert and a vmselect stand at their roots.
            let counters = counters.unwrap_or_else(|| vec![root_of(&write), root_of(&read)]);
            Some(EngineKind::Victoria { write, read, counters })
        }
        _ => {
            let says = "an engine has either one `address`, or `write` and `read` for a cluster";
            source.report_at(&table.at("address"), says, "give one of the two");
            None
        }
    }
}

/// An address without its path.
fn root_of(address: &str) -> String {
    let after_scheme = address.find("://").map_or(0, |at| at + 3);
    let end = address.get(after_scheme..).and_then(|rest| rest.find('/'));
    let end = end.map_or(address.len(), |at| at + after_scheme);
    address.get(..end).unwrap_or(address).to_owned()
}

/// One engine for each id.
pub(super) fn check(source: &Source<'_>, all: &[EngineRead]) {
    let mut lines: BTreeMap<&str, usize> = BTreeMap::new();
    for EngineRead { engine, id_at } in all {
        if let Some(line) = lines.insert(&engine.id, engine.line) {
            let says = format!("engine {:?} is already defined on line {line}", engine.id);
            source.report_at(id_at, says, "give each engine its own id");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse_settings;
    use super::*;

    const INSTALLATION: &str = "[installation]\nid = \"a\"\nname = \"A\"\n";

    fn engines(text: &str) -> Result<Vec<EngineSettings>, Vec<String>> {
        parse_settings(&format!("{INSTALLATION}{text}"), Path::new("/etc/consuntivo/c.toml"))
            .map(|(settings, _)| settings.engines)
            .map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn single_cluster_and_influx_are_read() {
        let text = r#"
[[engine]]
id = "one"
kind = "victoriametrics"
address = "http://vm:8428"
[[engine]]
id = "many"
kind = "victoriametrics"
write = "http://vminsert:8480/insert/0/influx"
read = "https://vmselect:8481/select/0/prometheus"
deliver = false
[[engine]]
id = "flux"
kind = "influxdb2"
address = "https://influx:8086"
organisation = "comune"
bucket = "readings"
token_file = "influx-token"
timeout_s = 10
"#;
        let all = engines(text).unwrap();
        let [one, many, flux] = all.as_slice() else { panic!("{all:?}") };
        let address = "http://vm:8428".to_owned();
        let counters = vec![address.clone()];
        assert_eq!(one.kind, EngineKind::Victoria { write: address.clone(), read: address, counters });
        assert!(one.delivers && !many.delivers);
        let EngineKind::Victoria { counters, .. } = &many.kind else { panic!("{many:?}") };
        assert_eq!(counters, &["http://vminsert:8480", "https://vmselect:8481"]);
        assert_eq!(flux.token, Some(TokenPlace::File(PathBuf::from("/etc/consuntivo/influx-token"))));
        assert_eq!(engines("").unwrap(), []);
    }

    #[test]
    fn each_wrong_engine_has_its_message() {
        let vm = "[[engine]]\nid = \"a\"\nkind = \"victoriametrics\"\naddress = \"http://vm\"\n";
        for (text, message) in [
            (vm.replace("victoriametrics", "influxdb"), "`engine[1].kind`"),
            (vm.replace("address", "write"), "either one `address`, or `write` and `read`"),
            (format!("{vm}bucket = \"b\"\n"), "`engine[1].bucket`: is not a known key"),
            (format!("{vm}token = \"abc\"\n"), "`engine[1].token`: is not a known key"),
            (format!("{vm}token_file = \"a\"\ntoken_env = \"B\"\n"), "keep one of them"),
            (format!("{vm}{vm}"), "engine \"a\" is already defined on line 4"),
            (format!("{vm}counters = \"http://vm\"\n"), "`engine[1].counters`"),
        ] {
            let problems = engines(&text).unwrap_err();
            assert!(problems.iter().any(|p| p.contains(message)), "{message} is not in {problems:?}");
        }
    }
}
