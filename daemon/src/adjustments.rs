//! People's adjustments for non-routine events, as they are kept in the store: one record each, every version kept.
//!
//! Must never: drop an adjustment that it cannot read; figures without it would be other figures.

use anyhow::Context;
use chrono::NaiveDate;
use model::{Adjustment, Instant, MeterId, ProjectId};
use serde::{Deserialize, Serialize};
use store::{Record, Store};

use crate::exit::Failure;
use crate::records;

/// The kind under which adjustments are kept in the store.
const ADJUSTMENT_RECORD: &str = "adjustment";
/// Most of one project: more are no exceptions.
const ADJUSTMENTS_MAX: usize = 200;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    project: String,
    number: u32,
    meter: String,
    from: String,
    /// First day after it.
    to: String,
    energy: f64,
    reason: String,
    /// Taken back: it counts no more.
    withdrawn: bool,
}

/// What a person adjusts.
#[derive(Debug, Clone)]
pub(crate) struct Said<'a> {
    pub(crate) project: &'a ProjectId,
    pub(crate) meter: &'a MeterId,
    pub(crate) from: NaiveDate,
    pub(crate) to: NaiveDate,
    /// Zero confirms what was measured: [`confirm`].
    pub(crate) energy: f64,
    pub(crate) author: &'a str,
    pub(crate) reason: &'a str,
}

/// The adjustments of a project that are in force, by number.
pub(crate) fn of_project(store: &Store, project: &ProjectId) -> anyhow::Result<Vec<Adjustment>> {
    let mut found = Vec::new();
    for (body, record) in written(store, project)? {
        if !body.withdrawn {
            found.push(adjustment(&body, &record)?);
        }
    }
    found.sort_by_key(|a| a.number);
    Ok(found)
}

/// Puts an adjustment on record; its number.
pub(crate) fn add(store: &Store, said: &Said<'_>, at: Instant) -> Result<u32, Failure> {
    if !said.energy.is_finite() || said.energy == 0.0 {
        return Err(Failure::bad_input(
            "--energy is no amount; write it in the meter's unit, above zero where the building would have used more",
        ));
    }
    put(store, said, at)
}

/// Puts on record that what was measured on these days is right as it is: an adjustment of nothing; its number.
pub(crate) fn confirm(store: &Store, said: &Said<'_>, at: Instant) -> Result<u32, Failure> {
    put(store, &Said { energy: 0.0, ..said.clone() }, at)
}

fn put(store: &Store, said: &Said<'_>, at: Instant) -> Result<u32, Failure> {
    records::check_words("--reason", said.reason)?;
    if said.to <= said.from {
        return Err(Failure::bad_input("--to is the first day after the adjustment and lies after --from"));
    }
    let known = written(store, said.project)?;
    if ADJUSTMENTS_MAX <= known.len() {
        return Err(Failure::bad_input(format!(
            "project {} has {ADJUSTMENTS_MAX} adjustments already; a baseline that needs more is another building's",
            said.project
        )));
    }
    let number = known.iter().map(|(body, _)| body.number).max().unwrap_or(0) + 1;
    let body = Body {
        project: said.project.to_string(),
        number,
        meter: said.meter.to_string(),
        from: said.from.to_string(),
        to: said.to.to_string(),
        energy: said.energy,
        reason: records::lines(said.reason),
        withdrawn: false,
    };
    records::put(store, (ADJUSTMENT_RECORD, &id(said.project, number)), &body, said.author, at)?;
    Ok(number)
}

/// Takes an adjustment back. Every version is kept.
pub(crate) fn withdraw(
    store: &Store,
    project: &ProjectId,
    number: u32,
    (author, reason): (&str, &str),
    at: Instant,
) -> Result<(), Failure> {
    records::check_words("--reason", reason)?;
    let found = written(store, project)?.into_iter().find(|(body, _)| body.number == number);
    let Some((body, _)) = found.filter(|(body, _)| !body.withdrawn) else {
        return Err(Failure::bad_input(format!(
            "project {project} has no adjustment {number} in force; `consuntivo adjustment list` shows them"
        )));
    };
    let body = Body { withdrawn: true, reason: records::lines(reason), ..body };
    records::put(store, (ADJUSTMENT_RECORD, &id(project, number)), &body, author, at)?;
    Ok(())
}

fn id(project: &ProjectId, number: u32) -> String {
    format!("{project} {number:04}")
}

fn written(store: &Store, project: &ProjectId) -> anyhow::Result<Vec<(Body, Record)>> {
    let all = records::all::<Body>(store, ADJUSTMENT_RECORD)?;
    Ok(all.into_iter().filter(|(body, _)| body.project == project.as_str()).collect())
}

fn adjustment(body: &Body, record: &Record) -> anyhow::Result<Adjustment> {
    let unusable = || format!("the recorded adjustment {:?} cannot be read", record.id);
    Ok(Adjustment {
        number: body.number,
        meter: MeterId::new(&body.meter).with_context(unusable)?,
        from: body.from.parse().with_context(unusable)?,
        to: body.to.parse().with_context(unusable)?,
        energy: body.energy,
        author: record.author.clone(),
        reason: body.reason.clone(),
        recorded_at: record.at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::StoreOptions;

    #[test]
    fn adjustments_are_kept_numbered_and_taken_back() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
        let (project, other) = (ProjectId::new("scuola").unwrap(), ProjectId::new("altra").unwrap());
        let meter = MeterId::new("gas").unwrap();
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let said = Said {
            project: &project,
            meter: &meter,
            from: day("2025-01-01"),
            to: day("2025-02-01"),
            energy: -120.5,
            author: "energy manager",
            reason: "ala chiusa",
        };
        let at = Instant::from_seconds(1_760_000_000);
        assert_eq!(add(&store, &said, at).unwrap(), 1);
        assert_eq!(add(&store, &Said { energy: 30.0, ..said.clone() }, at).unwrap(), 2);
        assert_eq!(add(&store, &Said { project: &other, ..said.clone() }, at).unwrap(), 1);
        let of = of_project(&store, &project).unwrap();
        let seen: Vec<_> = of.iter().map(|a| (a.number, a.energy, a.author.as_str())).collect();
        assert_eq!(seen, [(1, -120.5, "energy manager"), (2, 30.0, "energy manager")]);
        withdraw(&store, &project, 1, ("b", "scritta due volte"), at).unwrap();
        assert!(withdraw(&store, &project, 1, ("b", "again"), at).is_err());
        let of = of_project(&store, &project).unwrap();
        assert_eq!(of.iter().map(|a| a.number).collect::<Vec<_>>(), [2]);
        // A number that was taken back is not given again.
        assert_eq!(add(&store, &said, at).unwrap(), 3);
        for wrong in [
            Said { to: said.from, ..said.clone() },
            Said { energy: 0.0, ..said.clone() },
            Said { energy: f64::NAN, ..said.clone() },
            Said { reason: "", ..said.clone() },
            Said { author: "", ..said.clone() },
        ] {
            assert!(add(&store, &wrong, at).is_err(), "{wrong:?}");
        }
        // What was measured is confirmed in words of its own, never by an amount left at nothing.
        assert_eq!(confirm(&store, &said, at).unwrap(), 4);
        assert!(confirm(&store, &Said { reason: "", ..said.clone() }, at).is_err());
        let of = of_project(&store, &project).unwrap();
        assert!(of.iter().any(|a| a.number == 4 && a.is_confirmation()));
        store.verify_audit().unwrap();
    }
}
