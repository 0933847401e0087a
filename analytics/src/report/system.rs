//! The *relazione sul sistema di monitoraggio*, sent with the first annual report: what measures, how its values travel,
//! how they are kept and protected, and how the system was checked. Written from the installation as it is configured.
//!
//! Must never: state a check that was not made, or a protection that is not switched on.

use std::borrow::Cow;
use std::sync::Arc;

use chrono::NaiveDate;
use model::{BuildingId, MeterFacts, MeterId, Project};

use super::document::{Align, Block, Chart, ChartKind, Document, FlowArrow, FlowBox, FlowColumn, Section};
use super::words::Words;
use super::{gaps, names};
use crate::commissioning::{Check, Delivered, Outcome, difference_ratio, outcome, received_ratio};
use crate::gaps::MeterGaps;
use crate::scheme::Scheme;
use crate::text::Texts;

/// Most boxes in a column of the diagram; meters beyond them are counted in the last one.
const BOXES_MAX: usize = 8;

/// What the report says.
#[derive(Debug, Clone)]
pub struct SystemFacts {
    pub project: Arc<Project>,
    pub scheme: Arc<Scheme>,
    /// The day of the report; nothing later is in it.
    pub date: NaiveDate,
    pub installation: String,
    /// Of the program, as it states it.
    pub version: String,
    /// One for each meter of the project, in the order of the project file.
    pub points: Vec<Point>,
    pub station: String,
    pub protection: Protection,
    pub keeping: Keeping,
    /// What the meters that are read delivered.
    pub delivered: Vec<Delivered>,
    /// What each meter did not measure, in the order of `points`.
    pub gaps: Vec<MeterGaps>,
}

/// A measuring point.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    pub building: BuildingId,
    pub meter: MeterFacts,
    /// How it is read; `None` for a meter whose values come from files and bills.
    pub read: Option<ReadBy>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ReadBy {
    pub link: String,
    /// The connector: `modbus-tcp`, `mqtt`.
    pub protocol: String,
    pub maker: String,
    pub model: String,
    pub every_s: u32,
    /// Quantities that are recorded, by their codes.
    pub quantities: Vec<String>,
    /// Whether the way to the meter is encrypted.
    pub encrypted: bool,
}

/// What is switched on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protection {
    /// Pages are reachable from this machine only.
    pub pages_on_loopback: bool,
    /// Links that are encrypted, of all.
    pub links_encrypted: usize,
    pub links: usize,
}

/// How readings are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keeping {
    /// Readings held on the day of the report.
    pub readings: u64,
    pub bytes: u64,
}

/// The report in the language of `texts`.
#[must_use]
pub fn system(facts: &SystemFacts, texts: &Texts) -> Document {
    let told = told_apart(facts);
    let facts = told.as_ref();
    let words = Words::new(texts);
    let project = &facts.project;
    let buildings: Vec<&str> = project.buildings.iter().map(|b| b.name.as_str()).collect();
    let mut front = vec![
        (words.t("front.scheme"), facts.scheme.title.clone()),
        (words.t("front.citation"), facts.scheme.citation.clone()),
        (words.t("front.authority"), facts.scheme.authority.clone()),
        (words.t("front.cup"), project.cup.clone()),
        (words.t("front.project"), project.id.to_string()),
        (
            words.t("front.beneficiary"),
            format!("{} ({})", project.beneficiary.name, project.beneficiary.tax_code),
        ),
        (words.t("front.buildings"), buildings.join("; ")),
        (words.t("front.completed"), words.format.date(project.dates.completed)),
        (words.t("system.front.date"), words.format.date(facts.date)),
    ];
    front.retain(|(_, value)| !value.trim().is_empty());
    Document {
        title: words.t("system.title"),
        subtitle: project.title.clone(),
        author: project.beneficiary.name.clone(),
        language: texts.language().to_owned(),
        date: facts.date,
        front,
        sections: vec![
            points(&words, facts),
            path(&words, facts),
            keeping(&words, facts),
            protection(&words, facts),
            checks(&words, facts),
            gaps::section(&words, facts),
            signature(&words),
        ],
    }
}

/// The same with names of meters that nobody takes for each other.
fn told_apart(facts: &SystemFacts) -> Cow<'_, SystemFacts> {
    let of = facts.points.iter().map(|p| (&p.building, &p.meter));
    let Some(names) = names::distinct(&facts.project, of) else { return Cow::Borrowed(facts) };
    let mut facts = facts.clone();
    for (point, name) in facts.points.iter_mut().zip(names) {
        point.meter.name = name;
    }
    Cow::Owned(facts)
}

fn or_dash(text: Option<&str>) -> String {
    text.filter(|t| !t.is_empty()).unwrap_or("–").to_owned()
}

fn points(words: &Words<'_>, facts: &SystemFacts) -> Section {
    let building = |id: &BuildingId| {
        let found = facts.project.buildings.iter().find(|b| b.id == *id);
        found.map_or_else(|| id.to_string(), |b| b.name.clone())
    };
    let what = facts.points.iter().map(|p| {
        vec![
            p.meter.name.clone(),
            building(&p.building),
            format!("{}, {}", words.carrier(p.meter.carrier), words.direction(p.meter.direction)),
            words.t(&format!("role.{}", p.meter.role.code())),
            or_dash(p.meter.supply_point.as_deref()),
            or_dash(p.meter.serial.as_deref()),
            or_dash(p.meter.accuracy_class.as_deref()),
        ]
    });
    let heads = ["meter", "building", "carrier", "role", "supply_point", "serial", "accuracy_class"];
    let what =
        words.table(words.t("monitoring.meters_caption"), &heads.map(|h| (h, Align::Left)), what.collect());
    let how = facts.points.iter().map(|p| match &p.read {
        Some(read) => vec![
            p.meter.name.clone(),
            format!("{} {}", read.maker, read.model).trim().to_owned(),
            words.t(&format!("system.protocol.{}", read.protocol)),
            read.link.clone(),
            period(words, read.every_s),
            read.quantities.len().to_string(),
        ],
        None => vec![
            p.meter.name.clone(),
            "–".to_owned(),
            words.t("system.points.by_files"),
            "–".to_owned(),
            "–".to_owned(),
            "–".to_owned(),
        ],
    });
    let heads = [
        ("meter", Align::Left),
        ("model", Align::Left),
        ("protocol", Align::Left),
        ("link", Align::Left),
        ("period", Align::Right),
        ("quantities", Align::Right),
    ];
    let how = words.table(words.t("system.points.caption_read"), &heads, how.collect());
    let weather = Block::Paragraph(words.fill("system.points.weather", &[("station", &facts.station)]));
    let blocks = vec![
        words.paragraph("system.points.intro"),
        what,
        how,
        words.paragraph("system.points.accuracy"),
        calibrations(words, facts),
        words.paragraph("system.points.calibration"),
        weather,
    ];
    words.section("system_points", blocks)
}

/// When each meter was calibrated, as the project file says; where it says nothing, that.
fn calibrations(words: &Words<'_>, facts: &SystemFacts) -> Block {
    let rows = facts.points.iter().map(|p| {
        let of = p.meter.calibration.as_ref();
        vec![
            p.meter.name.clone(),
            or_dash(p.meter.serial.as_deref()),
            of.map_or_else(|| words.t("system.points.not_stated"), |c| words.format.date(c.on)),
            of.map_or_else(
                || "–".to_owned(),
                |c| c.certificate.clone().unwrap_or_else(|| words.t("system.points.not_stated")),
            ),
        ]
    });
    let heads = ["meter", "serial", "calibrated_on", "certificate"].map(|h| (h, Align::Left));
    words.table(words.t("system.points.caption_calibration"), &heads, rows.collect())
}

/// `15 min`, `10 s`, `1 h`.
fn period(words: &Words<'_>, every_s: u32) -> String {
    let (amount, unit) = match every_s {
        s if s != 0 && s % 3_600 == 0 => (s / 3_600, "h"),
        s if s != 0 && s % 60 == 0 => (s / 60, "min"),
        s => (s, "s"),
    };
    format!("{}\u{a0}{unit}", words.format.count(u64::from(amount)))
}

fn path(words: &Words<'_>, facts: &SystemFacts) -> Section {
    let steps =
        ["read", "judge", "journal", "months", "report"].map(|s| words.t(&format!("system.path.step_{s}")));
    let blocks = vec![
        words.paragraph("system.path.intro"),
        Block::Chart(diagram(words, facts)),
        Block::Bullets(steps.to_vec()),
        words.paragraph("system.path.gap"),
    ];
    words.section("system_path", blocks)
}

/// Meters, the links by which they are read, the daemon, what it keeps, what leaves it.
fn diagram(words: &Words<'_>, facts: &SystemFacts) -> Chart {
    let mut links: Vec<FlowBox> = Vec::new();
    let mut meters: Vec<FlowBox> = Vec::new();
    let mut arrows: Vec<FlowArrow> = Vec::new();
    let mut hidden = 0_usize;
    for point in &facts.points {
        let (name, note) = match &point.read {
            Some(read) => (read.link.clone(), words.t(&format!("system.protocol.{}", read.protocol))),
            None => (words.t("system.path.files"), words.t("system.path.files_note")),
        };
        let link = links.iter().position(|l| l.name == name).unwrap_or_else(|| {
            links.push(FlowBox { name, note });
            links.len() - 1
        });
        if meters.len() + 1 < BOXES_MAX || facts.points.len() <= BOXES_MAX {
            arrows.push(FlowArrow { from: (0, meters.len()), to: (1, link) });
            let note = point.meter.serial.clone().unwrap_or_default();
            meters.push(FlowBox { name: point.meter.name.clone(), note });
        } else {
            hidden += 1;
            arrows.push(FlowArrow { from: (0, BOXES_MAX - 1), to: (1, link) });
        }
    }
    if 0 < hidden {
        let name = words.fill("system.path.more", &[("count", &hidden.to_string())]);
        meters.push(FlowBox { name, note: String::new() });
    }
    arrows.sort_by_key(|a| (a.from, a.to));
    arrows.dedup();
    arrows.extend((0..links.len()).map(|link| FlowArrow { from: (1, link), to: (2, 0) }));
    let kept = ["journal", "series"];
    let sent = ["pages", "report"];
    arrows.extend((0..kept.len()).map(|k| FlowArrow { from: (2, 0), to: (3, k) }));
    arrows.extend((0..sent.len()).map(|s| FlowArrow { from: (3, 1), to: (4, s) }));
    let boxes = |names: &[&str]| -> Vec<FlowBox> {
        let of = |name: &&str| FlowBox {
            name: words.t(&format!("system.path.{name}")),
            note: words.t(&format!("system.path.{name}_note")),
        };
        names.iter().map(of).collect()
    };
    let names: Vec<&str> = meters.iter().map(|m| m.name.as_str()).collect();
    let alternative = words.fill(
        "system.path.alternative",
        &[("meters", &names.join(", ")), ("installation", &facts.installation)],
    );
    let column = |title: &str, boxes| FlowColumn { title: words.t(&format!("system.path.{title}")), boxes };
    let columns = vec![
        column("column_meters", meters),
        column("column_links", links),
        column(
            "column_daemon",
            vec![FlowBox { name: facts.installation.clone(), note: facts.version.clone() }],
        ),
        column("column_kept", boxes(&kept)),
        column("column_sent", boxes(&sent)),
    ];
    Chart { caption: words.t("system.path.caption"), alternative, kind: ChartKind::Flow { columns, arrows } }
}

fn keeping(words: &Words<'_>, facts: &SystemFacts) -> Section {
    let megabytes = words.format.number(Some(facts.keeping.bytes as f64 / 1e6), 1);
    let values = [("readings", &*words.format.count(facts.keeping.readings)), ("megabytes", &*megabytes)];
    let rules =
        ["raw", "durable", "corrected", "audit", "years"].map(|r| words.t(&format!("system.keeping.{r}")));
    let blocks =
        vec![Block::Paragraph(words.fill("system.keeping.amount", &values)), Block::Bullets(rules.to_vec())];
    words.section("system_keeping", blocks)
}

fn protection(words: &Words<'_>, facts: &SystemFacts) -> Section {
    let on = &facts.protection;
    let pages = if on.pages_on_loopback { "pages_here" } else { "pages_open" };
    let links = [("encrypted", &*on.links_encrypted.to_string()), ("links", &*on.links.to_string())];
    let measures = vec![
        words.t("system.protection.read_only"),
        words.t(&format!("system.protection.{pages}")),
        words.fill("system.protection.links", &links),
        words.t("system.protection.secrets"),
        words.t("system.protection.chain"),
    ];
    words.section("system_protection", vec![Block::Bullets(measures)])
}

fn checks(words: &Words<'_>, facts: &SystemFacts) -> Section {
    let mut blocks = vec![words.paragraph("system.checks.intro")];
    let definitions = Check::ALL.map(|c| words.t(&format!("system.check.{}_means", c.code()))).to_vec();
    blocks.push(Block::Bullets(definitions));
    let name = |meter: &MeterId| {
        let found = facts.points.iter().find(|p| p.meter.id == *meter);
        found.map_or_else(|| meter.to_string(), |p| p.meter.name.clone())
    };
    let rows = facts.delivered.iter().flat_map(|of| {
        let name = name(&of.meter);
        Check::ALL.map(|check| {
            vec![
                name.clone(),
                words.t(&format!("system.check.{}", check.code())),
                words.t(&format!("system.outcome.{}", outcome(check, of).code())),
                evidence(words, facts, check, of),
            ]
        })
    });
    let heads = ["meter", "check", "outcome", "evidence"].map(|h| (h, Align::Left));
    if facts.delivered.is_empty() {
        blocks.push(words.paragraph("system.checks.none"));
    } else {
        blocks.push(words.table(words.t("system.checks.caption"), &heads, rows.collect()));
    }
    blocks.push(words.paragraph("system.checks.display"));
    let by_hand = facts.points.iter().filter(|p| p.read.is_some()).map(|p| {
        let blank = || "______________".to_owned();
        vec![p.meter.name.clone(), or_dash(p.meter.serial.as_deref()), blank(), blank(), blank()]
    });
    let heads = ["meter", "serial", "display", "recorded", "read_at"].map(|h| (h, Align::Left));
    blocks.push(words.table(words.t("system.checks.caption_display"), &heads, by_hand.collect()));
    words.section("system_checks", blocks)
}

/// The figures on which an outcome rests.
fn evidence(words: &Words<'_>, facts: &SystemFacts, check: Check, of: &Delivered) -> String {
    if outcome(check, of) == Outcome::NotPossible {
        return words.t("system.evidence.none");
    }
    let zone = facts.project.zone;
    let day =
        |at: Option<model::Instant>| at.map_or_else(|| "–".to_owned(), |at| words.format.date(at.day(zone)));
    let count = |n: u64| words.format.count(n);
    match check {
        Check::Reads => match of.first_at {
            Some(_) => words
                .fill("system.evidence.reads", &[("first", &day(of.first_at)), ("last", &day(of.last_at))]),
            None => words.t("system.evidence.silent"),
        },
        Check::Complete => words.fill(
            "system.evidence.complete",
            &[
                ("received", &count(of.received)),
                ("expected", &count(of.expected)),
                ("percent", &words.format.percent(received_ratio(of))),
            ],
        ),
        Check::Plausible => words.fill("system.evidence.plausible", &[("count", &count(of.refused))]),
        Check::Counts => words.fill("system.evidence.counts", &[("count", &count(of.undecided))]),
        Check::Agrees => of.day.as_ref().map_or_else(String::new, |both| {
            words.fill(
                "system.evidence.agrees",
                &[
                    ("day", &words.format.date(both.day)),
                    ("total", &words.format.number(Some(both.by_total_kwh), 1)),
                    ("power", &words.format.number(Some(both.by_power_kwh), 1)),
                    ("percent", &words.format.percent(difference_ratio(both))),
                ],
            )
        }),
    }
}

fn signature(words: &Words<'_>) -> Section {
    let blocks = vec![words.paragraph("system.signature.who"), words.paragraph("system.signature.place")];
    words.section("system_signature", blocks)
}
