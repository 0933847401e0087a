//! What engines answer, as JSON or Prometheus text, read with nothing taken for granted.
//!
//! Must never: panic on an answer, or take half of one for the whole.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value as Json;
use serde_json::value::RawValue;

/// A line that an engine names as the one it does not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedLine {
    pub which: Which,
    pub reason: String,
}

/// By what an engine names a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// Its number in the body, from 0.
    Number(usize),
    /// The line as it was sent.
    Text(String),
}

/// Most named lines of one answer.
const NAMED_MAX: usize = 10_000;

/// The reason of a refusal: the message of its JSON, or its text.
pub(super) fn reason(body: &[u8]) -> String {
    let json: Option<Json> = serde_json::from_slice(body).ok();
    let text = |json: &Json| {
        let found = ["message", "error"].iter().find_map(|key| json.get(*key)?.as_str());
        found.map(str::to_owned)
    };
    json.as_ref().and_then(text).unwrap_or_else(|| String::from_utf8_lossy(body).into_owned())
}

/// The lines that a refusal names, in the three ways that InfluxDB has: by `data` with numbers (3.x), by the text of
/// each line (1.x and 2.x), by the number of the first one (2.x, `line`).
pub(super) fn named_lines(body: &[u8]) -> Vec<NamedLine> {
    let Ok(json) = serde_json::from_slice::<Json>(body) else { return Vec::new() };
    let numbered = |entry: &Json| {
        let number = entry.get("line_number")?.as_u64()?.checked_sub(1)?;
        let reason = entry.get("error_message").and_then(Json::as_str).unwrap_or("it was refused");
        let which = Which::Number(usize::try_from(number).ok()?);
        Some(NamedLine { which, reason: reason.chars().take(300).collect() })
    };
    let data = json.get("data").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut named: Vec<NamedLine> = data.iter().take(NAMED_MAX).filter_map(numbered).collect();
    let message = reason(body);
    if named.is_empty() {
        named = message.lines().take(NAMED_MAX).filter_map(unparsed).collect();
    }
    if named.is_empty()
        && let Some(first) = json.get("line").and_then(Json::as_u64).and_then(|line| line.checked_sub(1))
        && let Ok(first) = usize::try_from(first)
    {
        named.push(NamedLine { which: Which::Number(first), reason: message.chars().take(300).collect() });
    }
    named
}

/// `unable to parse 'LINE': reason`, perhaps with words before it.
fn unparsed(text: &str) -> Option<NamedLine> {
    let (_, rest) = text.split_once("unable to parse '")?;
    let (line, reason) = rest.rsplit_once("': ")?;
    let reason = reason.split(" dropped=").next().unwrap_or(reason);
    Some(NamedLine { which: Which::Text(line.to_owned()), reason: reason.chars().take(300).collect() })
}

/// A cell of an InfluxQL answer, as its text: numbers of seventeen digits are read by the standard library, which
/// rounds them right.
pub(super) type Cell = Box<RawValue>;

/// One table of an InfluxQL answer.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Table {
    #[serde(default)]
    pub(super) tags: BTreeMap<String, String>,
    pub(super) columns: Vec<String>,
    #[serde(default, rename = "values")]
    pub(super) rows: Vec<Vec<Cell>>,
    #[serde(default)]
    partial: bool,
}

#[derive(Debug, Deserialize)]
struct Results {
    results: Vec<Statement>,
}

#[derive(Debug, Deserialize)]
struct Statement {
    #[serde(default)]
    series: Vec<Table>,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    partial: bool,
}

/// Every table of an InfluxQL answer; the error is a sentence about the answer.
pub(super) fn influxql(body: &[u8]) -> Result<Vec<Table>, String> {
    let answer: Results = serde_json::from_slice(body).map_err(|_| "it has no results".to_owned())?;
    let mut tables = Vec::new();
    for statement in answer.results {
        if let Some(error) = statement.error {
            return Err(error.chars().take(300).collect());
        }
        if statement.partial || statement.series.iter().any(|table| table.partial) {
            return Err("it is only a part".to_owned());
        }
        tables.extend(statement.series);
    }
    let is_table = |table: &Table| table.rows.iter().all(|row| row.len() == table.columns.len());
    if tables.iter().all(is_table) { Ok(tables) } else { Err("a series in it is no table".to_owned()) }
}

/// One line of VictoriaMetrics' export: a metric with its samples.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Exported {
    pub(super) labels: BTreeMap<String, String>,
    /// Milliseconds and value.
    pub(super) samples: Vec<(i64, f64)>,
}

/// Every line of an export; the error is a sentence about the answer.
pub(super) fn export(body: &[u8]) -> Result<Vec<Exported>, String> {
    let lines = body.split(|b| *b == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| exported(line).ok_or_else(|| "a line of it is no metric".to_owned())).collect()
}

fn exported(line: &[u8]) -> Option<Exported> {
    let json: Json = serde_json::from_slice(line).ok()?;
    let label = |(name, value): (&String, &Json)| Some((name.clone(), value.as_str()?.to_owned()));
    let labels = json.get("metric")?.as_object()?.iter().map(label).collect::<Option<_>>()?;
    let (values, stamps) = (json.get("values")?.as_array()?, json.get("timestamps")?.as_array()?);
    if values.len() != stamps.len() {
        return None;
    }
    let sample = |(stamp, value): (&Json, &Json)| Some((stamp.as_i64()?, value.as_f64()?));
    let samples = stamps.iter().zip(values).map(sample).collect::<Option<_>>()?;
    Some(Exported { labels, samples })
}

/// The label sets of VictoriaMetrics' list of series.
pub(super) fn label_sets(body: &[u8]) -> Result<Vec<BTreeMap<String, String>>, String> {
    let json: Json = serde_json::from_slice(body).map_err(|_| "it is no JSON".to_owned())?;
    let data = json.get("data").and_then(Json::as_array).ok_or("it has no data")?;
    let label = |(name, value): (&String, &Json)| Some((name.clone(), value.as_str()?.to_owned()));
    let set = |one: &Json| one.as_object()?.iter().map(label).collect::<Option<BTreeMap<_, _>>>();
    data.iter().map(|one| set(one).ok_or_else(|| "a series in it has no labels".to_owned())).collect()
}

/// A sample of Prometheus text: name, labels as they stand, value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sample<'a> {
    pub(super) name: &'a str,
    labels: &'a str,
    pub(super) value: f64,
}

impl<'a> Sample<'a> {
    /// The value of a label, where it holds no quotation mark.
    pub(super) fn label(&self, name: &str) -> Option<&'a str> {
        let (_, rest) = self.labels.split_once(&format!("{name}=\""))?;
        rest.split_once('"').map(|(value, _)| value)
    }
}

/// The samples of Prometheus text; lines that are none are passed over.
pub(super) fn samples(text: &str) -> impl Iterator<Item = Sample<'_>> {
    text.lines().filter_map(|line| {
        let (head, value) = line.rsplit_once(' ')?;
        let (name, labels) = head.split_once('{').unwrap_or((head, ""));
        let is_name = !name.is_empty() && !name.starts_with('#');
        Some(Sample { name, labels, value: value.parse().ok()? }).filter(|_| is_name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_name_their_lines_in_three_ways() {
        let text = |line: &str, reason: &str| NamedLine {
            which: Which::Text(line.to_owned()),
            reason: reason.to_owned(),
        };
        // As influxd 1.6.7 answered.
        let body = br#"{"error":"partial write: unable to parse 'bad line': invalid field format\nunable to parse 'm,t=c total= 1750000000000': missing field value dropped=0"}"#;
        assert_eq!(
            named_lines(body),
            [
                text("bad line", "invalid field format"),
                text("m,t=c total= 1750000000000", "missing field value")
            ]
        );
        let body = br#"{"code":"invalid","message":"partial write of line protocol occurred","data":[{"original_line":"x","line_number":3,"error_message":"no fields"}]}"#;
        let third = NamedLine { which: Which::Number(2), reason: "no fields".to_owned() };
        assert_eq!(named_lines(body), [third]);
        let body =
            br#"{"code":"invalid","message":"failed to parse line protocol","op":"","err":"","line":2}"#;
        assert_eq!(named_lines(body).first().map(|n| n.which.clone()), Some(Which::Number(1)));
        let body = br#"{"error":"partial write: points beyond retention policy dropped=1"}"#;
        assert_eq!(named_lines(body), []);
        assert_eq!(reason(body), "partial write: points beyond retention policy dropped=1");
        assert_eq!((reason(b"no such thing\n").as_str(), named_lines(b"")), ("no such thing\n", Vec::new()));
    }

    #[test]
    fn half_answers_are_no_answers() {
        let whole = br#"{"results":[{"series":[{"name":"m","tags":{"a":"b"},"columns":["time","v"],"values":[[1,2.5]]}]}]}"#;
        let tables = influxql(whole).unwrap();
        assert_eq!(tables.iter().map(|t| t.rows.len()).sum::<usize>(), 1);
        for wrong in [
            &b"[]"[..],
            b"{}",
            br#"{"results":[{"error":"database not found: b"}]}"#,
            br#"{"results":[{"partial":true,"series":[]}]}"#,
            br#"{"results":[{"series":[{"columns":["a"],"values":[[1],[2]],"partial":true}]}]}"#,
            br#"{"results":[{"series":[{"columns":["a","b"],"values":[[1]]}]}]}"#,
        ] {
            assert!(influxql(wrong).is_err(), "{}", String::from_utf8_lossy(wrong));
        }
        let line = b"{\"metric\":{\"__name__\":\"a\"},\"values\":[1,2.5],\"timestamps\":[1000,2000]}\n";
        assert_eq!(
            export(line).unwrap().first().map(|e| e.samples.clone()),
            Some(vec![(1000, 1.0), (2000, 2.5)])
        );
        assert!(export(b"{\"metric\":{},\"values\":[1],\"timestamps\":[]}\n").is_err());
        assert!(export(b"{\"metric\":{},\"values\":[null],\"timestamps\":[1]}\n").is_err());
        assert!(export(b"{\"metric\":{},\"val").is_err() && export(b"").unwrap().is_empty());
    }

    #[test]
    fn prometheus_text_is_read() {
        let text = "# HELP x y\nflag{name=\"retentionPeriod\", value=\"100y\", is_set=\"true\"} 1\nvm_x 7\n";
        let all: Vec<_> = samples(text).collect();
        assert_eq!(all.first().and_then(|s| s.label("value")), Some("100y"));
        assert_eq!(all.last().map(|s| (s.name, s.value)), Some(("vm_x", 7.0)));
        assert_eq!(all.len(), 2);
    }
}
