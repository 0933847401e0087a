//! Alarms between the rounds: what is raised is put on disk, what people say about it beside it.
//!
//! Must never: forget an alarm at a restart, or change one that ended.

use std::collections::BTreeMap;

use analytics::watch::alarm::{AlarmId, AlarmKind, Alarms, Change};
use dashboards::watch::{Acknowledged, ActRefused, AlarmView};
use model::{Building, Instant};
use serde::{Deserialize, Serialize};
use store::{Store, StoredAlarm};

use super::{Place, causes, signals};
use crate::records;
use crate::runtime::{Runtime, lock};

/// The kind under which people's notes on alarms are kept.
const NOTE_RECORD: &str = "alarm_note";
/// Alarms that ended shown at most.
const ENDED_SHOWN: u32 = 50;
/// Longest note in characters.
const NOTE_MAX: usize = 400;

/// Bits of what was told of an alarm.
pub(super) const MAIL_RAISED: i64 = 1;
pub(super) const HOOK_RAISED: i64 = 2;
pub(super) const MAIL_ENDED: i64 = 4;
pub(super) const HOOK_ENDED: i64 = 8;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    note: String,
}

/// The alarms that last from before a restart.
pub(crate) fn resume(runtime: &Runtime) -> anyhow::Result<()> {
    let lasting = runtime.store.alarms(0)?;
    let known = lasting.iter().filter_map(|a| {
        let kind = AlarmKind::parse(&a.kind)?;
        Some((AlarmId { kind, subject: a.subject.clone() }, a.raised_at))
    });
    *lock(&runtime.watched.alarms) = Alarms::resumed(known);
    show(runtime)
}

/// One round. Blocks on the disk.
pub(super) fn look(runtime: &Runtime, now: Instant) -> anyhow::Result<()> {
    let mut signals = signals::all(runtime, now);
    let changes = {
        let mut alarms = lock(&runtime.watched.alarms);
        let raised = |id: &AlarmId| alarms.phases().get(id).and_then(|phase| phase.raised_at());
        causes::cover(&mut signals, raised);
        alarms.step(&signals, now)
    };
    for change in changes {
        match change {
            Change::Raised(signal) => {
                let details: BTreeMap<&str, &String> = signal.details.iter().map(|(k, v)| (*k, v)).collect();
                let (kind, subject) = (signal.id.kind.code(), &signal.id.subject);
                runtime.store.raise_alarm(kind, subject, &serde_json::to_string(&details)?, now)?;
                tracing::warn!(kind, %subject, "alarm raised");
            }
            Change::Ended { id, .. } => {
                runtime.store.end_alarm(id.kind.code(), &id.subject, now)?;
                tracing::info!(kind = id.kind.code(), subject = %id.subject, "alarm ended");
            }
            Change::Dropped { id, .. } => drop_quietly(&runtime.store, &id, now)?,
        }
    }
    show(runtime)
}

/// Another cause speaks for it, or nobody watches it any more: its end is told to nobody.
fn drop_quietly(store: &Store, id: &AlarmId, now: Instant) -> anyhow::Result<()> {
    let lasting = store.alarms(0)?;
    let of = |a: &&StoredAlarm| a.kind == id.kind.code() && a.subject == id.subject;
    if let Some(alarm) = lasting.iter().find(of) {
        store.note_told(alarm.id, MAIL_ENDED | HOOK_ENDED)?;
    }
    store.end_alarm(id.kind.code(), &id.subject, now)?;
    Ok(())
}

/// Reads what pages show.
fn show(runtime: &Runtime) -> anyhow::Result<()> {
    let notes: BTreeMap<String, Acknowledged> = records::all::<Note>(&runtime.store, NOTE_RECORD)?
        .into_iter()
        .map(|(note, record)| (record.id, Acknowledged { by: record.author, at: record.at, note: note.note }))
        .collect();
    let all = runtime.store.alarms(ENDED_SHOWN)?;
    let shown = all.iter().filter_map(|alarm| view(alarm, &notes)).collect();
    *lock(&runtime.watched.shown) = shown;
    Ok(())
}

pub(super) fn details(alarm: &StoredAlarm) -> Vec<(String, String)> {
    let read: BTreeMap<String, String> = serde_json::from_str(&alarm.details).unwrap_or_default();
    read.into_iter().collect()
}

/// One of a kind that this version does not know is not shown.
fn view(alarm: &StoredAlarm, notes: &BTreeMap<String, Acknowledged>) -> Option<AlarmView> {
    Some(AlarmView {
        id: alarm.id,
        kind: AlarmKind::parse(&alarm.kind)?,
        subject: alarm.subject.clone(),
        raised_at: alarm.raised_at,
        ended_at: alarm.ended_at,
        details: details(alarm),
        acknowledged: notes.get(&alarm.id.to_string()).cloned(),
    })
}

pub(super) fn acknowledge(runtime: &Runtime, id: i64, note: &str, author: &str) -> Result<(), ActRefused> {
    let note = note.trim();
    if note.is_empty() || NOTE_MAX < note.chars().count() {
        return Err(ActRefused::Unusable {
            code: "words",
            says: format!("state a note of 1 to {NOTE_MAX} characters"),
        });
    }
    if !runtime.watched.shown().iter().any(|a| a.id == id) {
        return Err(ActRefused::Unusable { code: "unusable", says: format!("there is no alarm {id}") });
    }
    let note = Note { note: note.to_owned() };
    let now = runtime.clock.now();
    records::put(&runtime.store, (NOTE_RECORD, &id.to_string()), &note, author, now).map_err(|error| {
        tracing::error!("a note on an alarm could not be kept: {:#}", error.error);
        ActRefused::Busy
    })?;
    show(runtime).map_err(|error| {
        tracing::error!("the alarms cannot be read: {error:#}");
        ActRefused::Busy
    })
}

/// Alarms that last about a building, its meters, or the links they are read over.
pub(super) fn about(runtime: &Runtime, place: &Place, building: &Building) -> usize {
    let installation = runtime.installation();
    let own = format!("building:{}/{}", place.0, place.1);
    let is_link = |name: &str| {
        building.meters.iter().filter_map(|m| installation.settings.meter(&m.id)).any(|m| m.link == name)
    };
    let is_own = |subject: &str| match subject.split_once(':') {
        Some(("meter", id)) => building.meters.iter().any(|m| m.id.as_str() == id),
        Some(("link", name)) => is_link(name),
        Some(("building", _)) => subject == own || subject.starts_with(&format!("{own} ")),
        Some(_) | None => false,
    };
    runtime.watched.shown().iter().filter(|a| a.ended_at.is_none() && is_own(&a.subject)).count()
}
