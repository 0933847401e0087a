//! One cause, one alarm: a boiler that was left on raises the base load, then days above the model, then the risk of the
//! year's target. Whoever was told of the first knows of the others.
//!
//! Must never: end an alarm that was raised, or let another building's alarm speak.

use analytics::watch::alarm::{AlarmId, AlarmKind, Signal};
use model::Instant;

/// What follows from what, the earlier first.
const CHAIN: [AlarmKind; 3] = [AlarmKind::BaseLoad, AlarmKind::AboveModel, AlarmKind::Target];

/// Lets what speaks already speak for what follows from the same cause and was not raised yet.
pub(super) fn cover(signals: &mut [Signal], raised_at: impl Fn(&AlarmId) -> Option<Instant>) {
    let is_wrong = |s: &Signal| s.value.is_some_and(|value| s.limits.raise_at <= value);
    // Those that speak: raised, or about to be.
    let mut speakers: Vec<(usize, Option<Instant>)> = Vec::new();
    for (i, signal) in signals.iter().enumerate() {
        let at = raised_at(&signal.id);
        if CHAIN.contains(&signal.id.kind) && (at.is_some() || is_wrong(signal)) {
            speakers.push((i, at));
        }
    }
    let order = |i: usize| signals.get(i).and_then(|s| CHAIN.iter().position(|kind| *kind == s.id.kind));
    // Raised ones by their time, then by what follows from what.
    speakers.sort_by_key(|(i, at)| (at.is_none(), *at, order(*i)));
    let mut heard: Vec<AlarmId> = Vec::new();
    for (i, at) in speakers {
        let Some(signal) = signals.get_mut(i) else { continue };
        let cause = heard.iter().find(|earlier| is_same(earlier, &signal.id));
        match cause {
            Some(cause) if at.is_none() => signal.covered_by = Some(cause.subject.clone()),
            Some(_) | None => heard.push(signal.id.clone()),
        }
    }
}

/// Base load and model of one carrier of one building; the target of a building's project.
fn is_same(a: &AlarmId, b: &AlarmId) -> bool {
    match (a.kind, b.kind) {
        (AlarmKind::Target, AlarmKind::Target) => false,
        (AlarmKind::Target, _) | (_, AlarmKind::Target) => project(&a.subject) == project(&b.subject),
        _ => a.subject == b.subject,
    }
}

/// `building:project/building carrier` and `project:project year`.
fn project(subject: &str) -> Option<&str> {
    let (kind, name) = subject.split_once(':')?;
    let end = if kind == "building" { '/' } else { ' ' };
    name.split(end).next()
}

#[cfg(test)]
mod tests {
    use analytics::watch::alarm::{Alarms, Change, Limits};

    use super::*;

    fn signal(kind: AlarmKind, subject: &str, wrong: bool) -> Signal {
        let limits = Limits { raise_at: 1.0, clear_below: 0.5, raise_after_s: 0.0, clear_after_s: 0.0 };
        let id = AlarmId { kind, subject: subject.to_owned() };
        Signal { id, value: Some(f64::from(u8::from(wrong))), limits, details: Vec::new(), covered_by: None }
    }

    /// What one round says.
    fn round(alarms: &mut Alarms, at: i64, wrong: [bool; 4]) -> Vec<String> {
        let subjects = ["building:p/a gas", "building:p/a gas", "project:p 2026", "building:p/b gas"];
        let kinds = [CHAIN[0], CHAIN[1], CHAIN[2], CHAIN[1]];
        let all = kinds.into_iter().zip(subjects).zip(wrong);
        let mut signals: Vec<Signal> = all.map(|((kind, of), wrong)| signal(kind, of, wrong)).collect();
        let phases = alarms.phases().clone();
        cover(&mut signals, |id| phases.get(id).and_then(|phase| phase.raised_at()));
        let changes = alarms.step(&signals, Instant::from_seconds(at));
        let says = |change: &Change| match change {
            Change::Raised(s) => format!("+{} {}", s.id.kind.code(), s.id.subject),
            Change::Ended { id, .. } => format!("-{} {}", id.kind.code(), id.subject),
            Change::Dropped { id, .. } => format!("dropped {}", id.kind.code()),
        };
        changes.iter().map(says).collect()
    }

    #[test]
    fn a_boiler_left_on_is_told_once_and_another_building_for_itself() {
        let mut alarms = Alarms::default();
        assert_eq!(round(&mut alarms, 0, [true, true, true, false]), ["+base_load building:p/a gas"]);
        assert!(round(&mut alarms, 60, [true, true, true, false]).is_empty());
        // The other building's days above the model are its own cause.
        assert_eq!(round(&mut alarms, 120, [true, true, true, true]), ["+above_model building:p/b gas"]);
        // The night is right again, the days are not: now they are told, and the target stays theirs.
        let said = round(&mut alarms, 180, [false, true, true, true]);
        assert_eq!(said, ["-base_load building:p/a gas"]);
        assert_eq!(round(&mut alarms, 240, [false, true, true, true]), ["+above_model building:p/a gas"]);
        let said = round(&mut alarms, 300, [false, false, true, false]);
        assert_eq!(said, ["-above_model building:p/a gas", "-above_model building:p/b gas"]);
        assert_eq!(round(&mut alarms, 360, [false, false, true, false]), ["+target project:p 2026"]);
        // What was raised first stays raised, whatever comes after it.
        assert_eq!(round(&mut alarms, 420, [true, false, true, false]), Vec::<String>::new());
        assert_eq!(round(&mut alarms, 480, [true, false, false, false]), ["-target project:p 2026"]);
    }
}
