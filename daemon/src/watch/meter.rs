//! One meter's page, and what a person says on it: by the same functions as the commands.
//!
//! Must never: put a word on record that the readings or the connection do not bear out.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;

use dashboards::backend::Backend as _;
use dashboards::watch::{ActRefused, MeterSaid, MeterView, PutAside};
use model::{Instant, MeterFacts, MeterId, Project, Quality, Value};
use store::Conflict;

use super::digest::key;
use crate::acts;
use crate::aside::SHOWN_MAX;
use crate::backend::DaemonBackend;
use crate::commands::{counter, meter as words};
use crate::exit::Failure;
use crate::runtime::Runtime;

/// Readings shown.
const READINGS_SHOWN: usize = 12;
/// How far back they are looked for.
const READINGS_BACK_S: i64 = 2 * 86_400;

/// The project and the facts of a meter that a project counts on.
fn facts(runtime: &Runtime, id: &MeterId) -> Option<(Arc<Project>, model::BuildingId, MeterFacts)> {
    runtime.projects().into_iter().find_map(|project| {
        let (building, facts) = project.meters().find(|(_, facts)| facts.id == *id)?;
        let (building, facts) = (building.id.clone(), facts.clone());
        Some((project, building, facts))
    })
}

/// The page of a meter. Blocks on the disk.
pub(super) fn view(backend: &DaemonBackend, id: &MeterId) -> Option<MeterView> {
    let runtime = &backend.0;
    let state = backend.meters().into_iter().find(|m| m.id == *id)?;
    let found = facts(runtime, id);
    let zone = found
        .as_ref()
        .map_or(runtime.installation().settings.installation.zone, |(project, ..)| project.zone);
    let mut view = MeterView {
        state,
        zone,
        facts: found.as_ref().map(|(.., facts)| facts.clone()),
        place: found.as_ref().map(|(project, building, _)| (Arc::clone(project), building.clone())),
        decisions: Vec::new(),
        acts: Vec::new(),
        readings: Vec::new(),
        aside: aside(runtime, id),
    };
    if let Some((.., facts)) = &found {
        let key = key(facts);
        view.decisions = runtime.book.decisions(&key);
        view.decisions.reverse();
        let read = acts::of_series(&runtime.store, &key).and_then(|acts| Ok((acts, last(runtime, facts)?)));
        match read {
            Ok((mut acts, readings)) => {
                acts.sort_by_key(|act| std::cmp::Reverse(act.dated.at));
                view.acts = acts;
                view.readings = readings;
            }
            Err(error) => {
                tracing::error!(meter = %id, "what is on record of a meter cannot be read: {error:#}")
            }
        }
    }
    Some(view)
}

/// What was put aside of the meter, the latest instants first.
fn aside(runtime: &Runtime, id: &MeterId) -> Vec<PutAside> {
    let found = runtime.store.conflicts_of(id, SHOWN_MAX).unwrap_or_else(|error| {
        tracing::error!(meter = %id, %error, "what was put aside of a meter cannot be read");
        Vec::new()
    });
    let shown = |Conflict { series, kept, later }: Conflict| PutAside {
        channel: series.channel,
        at: later.observed_at,
        kept,
        refused: later.value,
        origin: later.origin,
        received_at: later.received_at,
    };
    found.into_iter().map(shown).collect()
}

/// The last totals, newest first.
fn last(runtime: &Runtime, facts: &MeterFacts) -> anyhow::Result<Vec<(Instant, i64)>> {
    let key = key(facts);
    let Some(latest) = runtime.store.latest(&key)? else { return Ok(Vec::new()) };
    let from = latest.observed_at.plus_seconds(-READINGS_BACK_S);
    let mut readings: VecDeque<(Instant, i64)> = VecDeque::new();
    runtime.store.for_each_reading(&key, Some(from), None, &mut |reading| {
        if let (Value::Total(total), true) = (reading.value, reading.quality != Quality::Implausible) {
            readings.push_front((reading.observed_at, total));
            readings.truncate(READINGS_SHOWN);
        }
        ControlFlow::Continue(())
    })?;
    Ok(readings.into())
}

/// Puts on record what a person says. Blocks on the disk.
pub(super) fn say(runtime: &Runtime, id: &MeterId, said: &MeterSaid, author: &str) -> Result<(), ActRefused> {
    let (project, _, facts) = facts(runtime, id).ok_or_else(|| ActRefused::Unusable {
        code: "no_meter",
        says: format!("no project counts on a meter {id}"),
    })?;
    let counted = counter::Counted::of(runtime.store.clone(), &runtime.installation(), &project, facts);
    let optional = |text: &'_ str| (!text.trim().is_empty()).then(|| text.trim().to_owned());
    let done = match said {
        MeterSaid::Exchanged { at, closing, opening, reason } => {
            let totals = (optional(closing), optional(opening));
            words::record_exchange(&counted, at, (totals.0.as_deref(), totals.1.as_deref()), (author, reason))
                .map(drop)
        }
        MeterSaid::Corrected { at, total, sure, reason } => {
            words::record_correction(&counted, at, (total, *sure), (author, reason)).map(drop)
        }
        MeterSaid::Explained { at, explanation, reason } => {
            counter::record_explanation(&counted, at, explanation, (author, reason))
        }
        MeterSaid::Withdrawn { at, reason } => words::withdraw_at(&counted, at, (author, reason)),
    };
    done.map_err(|failure: Failure| ActRefused::Unusable {
        code: failure.code.unwrap_or("unusable"),
        says: format!("{:#}", failure.error),
    })
}
