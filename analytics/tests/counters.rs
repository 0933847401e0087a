//! Every event a real counter shows, one folder each: what it comes to here, what is true, and what simpler rules make
//! of the same readings.
//!
//! Must never: take an expected figure from the code under test. Truth stands in each case's settings; `expected.txt`
//! is what a person reviewed, and the table in `docs/counters.md` is compared with what was computed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use analytics::series::{Accumulator, Pushed, SeriesSettings};
use model::{Act, BaseUnit, DatedAct, Explanation, Instant, Month, MonthValue, Zone};

const ROME: Zone = Zone::Europe__Rome;

/// Set to write `expected.txt` and the table anew, for a person to review.
const BLESS: &str = "CONSUNTIVO_BLESS";

struct Case {
    name: String,
    about: String,
    settings: SeriesSettings,
    exact: bool,
    truth: BTreeMap<Month, i64>,
    acts: Vec<DatedAct>,
    /// In order of arrival.
    readings: Vec<(Instant, i64)>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn cases() -> Vec<(PathBuf, Case)> {
    let folder = root().join("tests/cases/counters");
    let mut all: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.sort();
    all.into_iter().map(|path| (path.clone(), read_case(&path))).collect()
}

fn instant(text: &str) -> Instant {
    Instant::parse_rfc3339(text).unwrap_or_else(|| panic!("{text} is no instant"))
}

fn read_case(path: &Path) -> Case {
    let text = fs::read_to_string(path.join("settings.txt")).unwrap();
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let mut keys: BTreeMap<&str, &str> = BTreeMap::new();
    let (mut about, mut truth, mut acts) = (String::new(), BTreeMap::new(), Vec::new());
    for line in text.lines() {
        if let Some(words) = line.strip_prefix("# ") {
            about = words.to_owned();
            continue;
        }
        let (key, value) = line.split_once(" = ").unwrap_or_else(|| panic!("{name}: {line}"));
        match key.split_once(' ') {
            Some(("truth", month)) => {
                let (year, number) = month.split_once('-').unwrap();
                let month = Month::new(year.parse().unwrap(), number.parse().unwrap()).unwrap();
                truth.insert(month, value.parse().unwrap());
            }
            _ if key == "act" => acts.push(read_act(value)),
            _ => assert!(keys.insert(key, value).is_none(), "{name}: {key} twice"),
        }
    }
    let number = |key: &str| keys.get(key).map(|v| v.parse::<i64>().unwrap());
    let every = number("every_s").unwrap();
    let settings = SeriesSettings {
        gas: None,
        unit: BaseUnit::WattHour,
        zone: ROME,
        ceiling_per_milli: number("ceiling_kw").unwrap() as f64 / 3_600.0,
        wraps_at: number("wraps_at"),
        resolution: number("resolution").unwrap(),
        gap_after_millis: every * 3_000,
    };
    let csv = fs::read_to_string(path.join("readings.csv")).unwrap();
    let readings = csv
        .lines()
        .skip(1)
        .map(|line| {
            let (at, total) = line.split_once(',').unwrap();
            (instant(at), total.parse().unwrap())
        })
        .collect();
    let exact = keys["exact"] == "yes";
    Case { name, about, settings, exact, truth, acts, readings }
}

/// `exchanged 2025-06-30T11:20:00Z closing=1 opening=2`, `explained INSTANT reset`.
fn read_act(text: &str) -> DatedAct {
    let words: Vec<&str> = text.split_whitespace().collect();
    let at = instant(words[1]);
    let value = |key: &str| {
        words.iter().find_map(|w| w.strip_prefix(key)?.strip_prefix('=')).map(|v| v.parse().unwrap())
    };
    let act = match words[0] {
        "exchanged" => Act::Exchanged { closing: value("closing"), opening: value("opening") },
        "explained" => Act::Explained(Explanation::parse(words[2]).unwrap()),
        "corrected" => Act::Corrected { total: value("total").unwrap() },
        other => panic!("no act {other}"),
    };
    DatedAct { at, act }
}

/// As the daemon does: live, and made again in order of time when something came out of order.
fn series(case: &Case) -> Accumulator {
    let mut live = Accumulator::with_acts(case.settings, &case.acts);
    let mut stale = false;
    for &(at, total) in &case.readings {
        stale |= live.push(at, total) == Pushed::OutOfOrder;
    }
    if stale {
        live = Accumulator::with_acts(case.settings, &case.acts);
        for (at, total) in in_order(case) {
            live.push(at, total);
        }
    }
    live
}

fn in_order(case: &Case) -> Vec<(Instant, i64)> {
    let mut sorted = case.readings.clone();
    sorted.sort_by_key(|r| r.0);
    sorted.dedup_by_key(|r| r.0);
    sorted
}

/// A month's bounds without the time before the first reading and after the last, of which a case says nothing.
fn within(case: &Case, value: &MonthValue) -> (i64, i64) {
    let (begin, end) = value.month.bounds(ROME);
    let sorted = in_order(case);
    let (first, last) = (sorted[0].0.max(begin), sorted[sorted.len() - 1].0.min(end));
    let outside = (first.millis() - begin.millis()) + (end.millis() - last.millis());
    let outside_until_last = outside - (end.millis() - last.millis());
    let hidden = (case.settings.ceiling_per_milli * outside_until_last as f64) as i64;
    (value.low, value.high.unwrap() - hidden)
}

fn months(case: &Case, series: &Accumulator) -> Vec<MonthValue> {
    let last = in_order(case).last().unwrap().0;
    series.snapshot(last).months
}

fn told(case: &Case, series: &Accumulator) -> String {
    let mut out = String::new();
    for value in months(case, series) {
        let (low, high) = within(case, &value);
        writeln!(out, "month {}: {} Wh, between {low} and {high}", value.month, value.amount).unwrap();
    }
    for d in series.decisions() {
        let sure = if d.by_person { "by a person" } else { d.confidence.code() };
        let alternatives: Vec<&str> = d.alternatives.iter().map(|a| a.explanation.code()).collect();
        let or =
            if alternatives.is_empty() { String::new() } else { format!("; or {}", alternatives.join(", ")) };
        writeln!(
            out,
            "decision {}: {} ({sure}), {} -> {} -> {}, {} Wh between {} and {}{or}",
            d.at,
            d.explanation.code(),
            d.before,
            d.seen,
            d.after,
            d.booked,
            d.low,
            d.high
        )
        .unwrap();
    }
    for f in series.findings("meter") {
        writeln!(out, "finding {}: {} {}", f.month, f.finding.severity.code(), f.finding.code).unwrap();
    }
    out
}

fn keep_fresh(path: &Path, expected: &str) {
    let found = fs::read_to_string(path).unwrap_or_default();
    if std::env::var_os(BLESS).is_some() {
        fs::write(path, expected).unwrap();
    } else {
        assert!(
            found == expected,
            "{} differs from what was computed; review and write it anew with {BLESS}=1\n{expected}",
            path.display()
        );
    }
}

#[test]
fn every_event_comes_to_what_was_reviewed_and_never_flatters() {
    for (path, case) in cases() {
        let series = series(&case);
        for value in months(&case, &series) {
            let (low, high) = within(&case, &value);
            let truth = case.truth[&value.month];
            assert!(low <= truth && truth <= high, "{}: {truth} not in {low}..{high}", case.name);
            assert!(low <= value.amount && value.amount <= high, "{}: {value:?}", case.name);
            if case.exact {
                assert_eq!((value.amount, low, high), (truth, truth, truth), "{} {}", case.name, value.month);
            } else if value.amount < truth {
                assert!(low < high, "{}: less than was used, and nobody is told", case.name);
            }
        }
        assert!(series.refused_acts().is_empty(), "{}", case.name);
        keep_fresh(&path.join("expected.txt"), &told(&case, &series));
    }
}

/// While the readings of a clock that was ahead are still the newest: what was used is within the bounds with every one that
/// arrives.
#[test]
fn a_clock_that_was_ahead_flatters_at_no_time() {
    for (_, mut case) in cases().into_iter().filter(|(_, case)| case.name.starts_with("clock-")) {
        let all = std::mem::take(&mut case.readings);
        for count in 2..=all.len() {
            case.readings = all[..count].to_vec();
            let used = all[..count].iter().map(|r| r.1).max().unwrap() - all[0].1;
            let series = series(&case);
            let values = months(&case, &series);
            let bounds: Vec<(i64, i64)> = values.iter().map(|v| within(&case, v)).collect();
            let (low, high) = (bounds.iter().map(|b| b.0).sum(), bounds.iter().map(|b| b.1).sum());
            assert!(
                (low..=high).contains(&used),
                "{}, {count} readings: {used} not in {low}..{high}",
                case.name
            );
        }
    }
}

/// The rules of other systems, as their sources have them, on totals of one register. Written for this test; nothing
/// of theirs is copied.
mod rules {
    use model::Instant;

    type Readings = [(Instant, i64)];
    pub(super) type Rule = fn(&Readings, f64) -> i64;

    fn steps(readings: &Readings) -> impl Iterator<Item = (i64, i64, i64)> {
        readings.windows(2).map(|w| (w[0].1, w[1].1, w[1].0.millis() - w[0].0.millis()))
    }

    /// Home Assistant, `total_increasing`: under 90 % of the old total it began again at zero; a smaller fall is
    /// negative energy.
    fn ninety_percent(readings: &Readings, _: f64) -> i64 {
        steps(readings).map(|(old, new, _)| if new * 10 < old * 9 { new } else { new - old }).sum()
    }

    /// Prometheus, `increase`: every fall is a reset to zero.
    fn any_drop(readings: &Readings, _: f64) -> i64 {
        steps(readings).map(|(old, new, _)| if new < old { new } else { new - old }).sum()
    }

    /// VictoriaMetrics: a fall of less than an eighth counts nothing, any other is a reset to zero.
    fn one_eighth(readings: &Readings, _: f64) -> i64 {
        steps(readings)
            .map(|(old, new, _)| match new - old {
                rise if 0 <= rise => rise,
                fall if -fall * 8 < old => 0,
                _ => new,
            })
            .sum()
    }

    /// emoncms, `kwh_accumulator`: a fall, or a rise of 60 kW or more, counts nothing and moves the base.
    fn sixty_kw(readings: &Readings, _: f64) -> i64 {
        let counted = |(old, new, millis): (i64, i64, i64)| {
            let kw = (new - old) as f64 * 3_600.0 / millis.max(1) as f64;
            if old <= new && kw < 60.0 { new - old } else { 0 }
        };
        steps(readings).map(counted).sum()
    }

    /// MyEMS: a fall counts nothing, and a rise over the meter's hourly limit is zero.
    fn hourly_limit(readings: &Readings, ceiling_per_milli: f64) -> i64 {
        let counted = |(old, new, millis): (i64, i64, i64)| {
            let rise = new - old;
            if 0 <= rise && rise as f64 <= ceiling_per_milli * millis as f64 { rise } else { 0 }
        };
        steps(readings).map(counted).sum()
    }

    /// BEMServer: differences clipped at zero.
    fn clip(readings: &Readings, _: f64) -> i64 {
        steps(readings).map(|(old, new, _)| (new - old).max(0)).sum()
    }

    pub(super) const ALL: [(&str, Rule); 6] = [
        ("90 % rule (Home Assistant)", ninety_percent),
        ("any drop (Prometheus)", any_drop),
        ("1/8 rule (VictoriaMetrics)", one_eighth),
        ("60 kW rule (emoncms)", sixty_kw),
        ("hourly limit (MyEMS)", hourly_limit),
        ("clip (BEMServer)", clip),
    ];
}

fn kwh(wh: i64) -> String {
    format!("{:.1}", wh as f64 / 1000.0)
}

fn error(wh: i64, truth: i64) -> String {
    let off = wh - truth;
    if off == 0 { "exact".to_owned() } else { format!("{:+.1}", off as f64 / 1000.0) }
}

/// The table of the documentation: energy of the whole case in kWh, and by how much each rule is off.
fn table() -> String {
    let mut out = String::from("| event | true kWh | here | between |");
    for (name, _) in rules::ALL {
        write!(out, " {name} |").unwrap();
    }
    out.push_str("\n| --- | --: | --: | --- |");
    out.push_str(&" --: |".repeat(rules::ALL.len()));
    out.push('\n');
    for (_, case) in cases() {
        let truth: i64 = case.truth.values().sum();
        let values = months(&case, &series(&case));
        let ours: i64 = values.iter().map(|v| v.amount).sum();
        let bounds: Vec<(i64, i64)> = values.iter().map(|v| within(&case, v)).collect();
        let (low, high) = (bounds.iter().map(|b| b.0).sum::<i64>(), bounds.iter().map(|b| b.1).sum::<i64>());
        let between =
            if low == high { "sharp".to_owned() } else { format!("{} – {}", kwh(low), kwh(high)) };
        write!(out, "| {} | {} | {} | {between} |", case.about, kwh(truth), error(ours, truth)).unwrap();
        let sorted = in_order(&case);
        for (_, rule) in rules::ALL {
            let theirs = rule(&sorted, case.settings.ceiling_per_milli);
            write!(out, " {} |", error(theirs, truth)).unwrap();
        }
        out.push('\n');
    }
    out
}

const TABLE_BEGINS: &str = "<!-- table: written by analytics/tests/counters.rs -->\n";
const TABLE_ENDS: &str = "<!-- end of table -->\n";

#[test]
fn the_documented_comparison_is_what_is_computed() {
    let path = root().join("docs/counters.md");
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(TABLE_BEGINS).expect("the page has a table");
    let (_, after) = rest.split_once(TABLE_ENDS).expect("the table has an end");
    keep_fresh(&path, &format!("{before}{TABLE_BEGINS}\n{}\n{TABLE_ENDS}{after}", table()));
}

/// Each simpler rule errs somewhere, or the suite would not tell them apart.
#[test]
fn every_simpler_rule_errs_in_some_event() {
    for (name, rule) in rules::ALL {
        let errs = cases().into_iter().any(|(_, case)| {
            let truth: i64 = case.truth.values().sum();
            rule(&in_order(&case), case.settings.ceiling_per_milli) != truth
        });
        assert!(errs, "{name}");
    }
}
