//! What VictoriaMetrics tells of itself on `/metrics`: what it dropped, and how it is set.
//!
//! Must never: take a flag that is not there for one that is right.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::answer::{Sample, samples};
use super::super::influx::RETENTION_MIN;
use super::super::{Fault, Health};

const DAY: u64 = 86_400;

/// How many rows were dropped for which reason, ever.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Counters(BTreeMap<String, f64>);

impl Counters {
    /// Adds what one process tells.
    pub(super) fn add(&mut self, text: &str) {
        for sample in samples(text) {
            let reason = match sample.name {
                "vm_rows_invalid_total" => sample.label("type").map(|kind| format!("invalid lines ({kind})")),
                "vm_rows_ignored_total" => sample.label("reason").map(|reason| match reason {
                    "small_timestamp" => "outside its retention".to_owned(),
                    "big_timestamp" => "more than two days ahead".to_owned(),
                    other => other.to_owned(),
                }),
                "vm_relabel_metrics_dropped_total" => Some("dropped by relabelling".to_owned()),
                _ => None,
            };
            if let Some(reason) = reason {
                *self.0.entry(reason).or_insert(0.0) += sample.value;
            }
        }
    }

    /// What was dropped since `before`, in words; `None` when nothing was. Counters that fell belong to a process that
    /// was started again: all they show is new.
    pub(super) fn growth_since(&self, before: &Self) -> Option<String> {
        let grown = self.0.iter().filter_map(|(reason, count)| {
            let old = before.0.get(reason).copied().unwrap_or(0.0);
            let more = if *count < old { *count } else { count - old };
            (0.0 < more).then(|| format!("{more} {reason}"))
        });
        let grown: Vec<String> = grown.collect();
        (!grown.is_empty()).then(|| grown.join(", "))
    }
}

/// How it is set, from the text of `/metrics` of every process.
pub(super) fn health(text: &str) -> Health {
    let all: Vec<Sample<'_>> = samples(text).collect();
    let flag = |name: &str| {
        let mut of = all.iter().filter(|s| s.name == "flag" && s.label("name") == Some(name));
        of.find_map(|sample| sample.label("value"))
    };
    let version = all.iter().find(|s| s.name == "vm_app_version");
    let version =
        version.and_then(|s| s.label("short_version").filter(|v| !v.is_empty()).or(s.label("version")));
    let retention = flag("retentionPeriod").and_then(|value| period(value, 31 * DAY));
    let mut faults = Vec::new();
    let mut fault = |kind, is_grave, says: String| faults.push(Fault { kind, says, is_grave });
    match retention {
        Some(kept) if kept < RETENTION_MIN => fault(
            "retention",
            true,
            format!(
                "it keeps readings for {} days only and drops older ones without a word; start it with \
                 -retentionPeriod=10y or more",
                kept.as_secs() / DAY
            ),
        ),
        Some(_) => {}
        None => fault(
            "retention",
            false,
            "it does not say how long it keeps readings; name the address of every vmstorage in `counters`"
                .to_owned(),
        ),
    }
    for (name, right) in [
        ("influxMeasurementFieldSeparator", "_"),
        ("influxSkipMeasurement", "false"),
        ("influxSkipSingleField", "false"),
        ("influxTrimTimestamp", "1ms"),
        ("precisionBits", "64"),
    ] {
        if let Some(value) = flag(name).filter(|value| *value != right) {
            let says =
                format!("it runs with -{name}={value}, which changes what comes back; leave this flag away");
            fault("names", true, says);
        }
    }
    let dedup = flag("dedup.minScrapeInterval").and_then(|value| period(value, 31 * DAY));
    if let Some(window) = dedup.filter(|window| Duration::from_millis(1) < *window) {
        let says = format!(
            "it keeps one sample in {} ms of each series and drops the others; set -dedup.minScrapeInterval=1ms",
            window.as_millis()
        );
        fault("duplicates", true, says);
    } else if dedup == Some(Duration::ZERO) {
        let says = "readings that are delivered twice are kept twice, which sums and counts show; set \
                    -dedup.minScrapeInterval=1ms";
        fault("duplicates", false, says.to_owned());
    }
    Health { version: version.unwrap_or_default().to_owned(), retention, faults }
}

/// A duration as VictoriaMetrics writes it: `100y`, `1d12h`, `5ms`, or a number of `bare_s` seconds each.
fn period(text: &str, bare_s: u64) -> Option<Duration> {
    if let Ok(number) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(number * bare_s as f64).ok();
    }
    let mut rest = text;
    let mut sum = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at_checked(digits)?;
        let unit_end = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at_checked(unit_end)?;
        let seconds = match unit {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3_600.0,
            "d" => DAY as f64,
            "w" => 7.0 * DAY as f64,
            "y" => 365.0 * DAY as f64,
            _ => return None,
        };
        sum += Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()?;
        rest = tail;
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        let days = |text| period(text, 31 * DAY).map(|d| d.as_secs() / DAY);
        assert_eq!(
            [days("1"), days("100y"), days("2w"), days("1d12h")],
            [Some(31), Some(36_500), Some(14), Some(1)]
        );
        assert_eq!(period("1ms", DAY), Some(Duration::from_millis(1)));
        assert_eq!([period("5q", DAY), period("x", DAY), period("-1", DAY)], [None; 3]);
    }

    #[test]
    fn settings_that_lose_readings_are_faults() {
        let of = |flags: &[(&str, &str)]| {
            let lines = flags
                .iter()
                .map(|(n, v)| format!("flag{{name=\"{n}\", value=\"{v}\", is_set=\"true\"}} 1\n"));
            let faults = health(&lines.collect::<String>()).faults;
            faults.into_iter().map(|f| (f.kind, f.is_grave)).collect::<Vec<_>>()
        };
        let good = [("retentionPeriod", "10y"), ("dedup.minScrapeInterval", "1ms"), ("precisionBits", "64")];
        assert_eq!(of(&good), []);
        assert_eq!(of(&[]), [("retention", false)]);
        assert_eq!(of(&[("retentionPeriod", "1")]), [("retention", true)]);
        let odd = [
            ("retentionPeriod", "10y"),
            ("influxSkipSingleField", "true"),
            ("dedup.minScrapeInterval", "60s"),
        ];
        assert_eq!(of(&odd), [("names", true), ("duplicates", true)]);
        assert_eq!(
            of(&[("retentionPeriod", "10y"), ("dedup.minScrapeInterval", "0s")]),
            [("duplicates", false)]
        );
    }

    #[test]
    fn growth_is_told_in_words() {
        let counters = |small: u32, invalid: u32| {
            let mut counters = Counters::default();
            counters.add(&format!(
                "vm_rows_ignored_total{{reason=\"small_timestamp\"}} {small}\nvm_rows_invalid_total{{type=\"influx\"}} {invalid}\n"
            ));
            counters
        };
        assert_eq!(counters(3, 1).growth_since(&counters(3, 1)), None);
        let told = counters(5, 1).growth_since(&counters(3, 0));
        assert_eq!(told.as_deref(), Some("1 invalid lines (influx), 2 outside its retention"));
        assert_eq!(counters(2, 0).growth_since(&counters(3, 0)).as_deref(), Some("2 outside its retention"));
    }
}
