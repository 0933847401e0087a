//! The daemon's paper work: memo mails, deliveries of the grants system, receipts of certified mail, and readings that
//! came after a year was frozen.
//!
//! Must never: hold up the reading of meters, or let one failing task keep the others from their turn.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use connectors::Stop;
use model::{Finding, Severity};

use crate::runtime::Runtime;
use crate::submissions;
use crate::{grants, memos, orders};

/// How often the folders are looked through and memos are looked for.
const ROUND_EVERY: Duration = Duration::from_secs(60);
/// The first round comes soon after the start.
const FIRST_AFTER: Duration = Duration::from_secs(2);
/// A folder with something in it is looked at again so soon, until files have stopped growing.
const AGAIN_AFTER: Duration = Duration::from_secs(3);

/// Works until told to stop.
pub(crate) async fn tend(runtime: Arc<Runtime>, mut stop: Stop) {
    let mut wait = FIRST_AFTER;
    let mut seen = BTreeMap::new();
    let mut first = true;
    loop {
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = runtime.office.notified() => {}
            () = stop.stopped() => return,
        }
        let worker = Arc::clone(&runtime);
        let done = tokio::task::spawn_blocking(move || {
            let open = round(&worker, &mut seen);
            (open, seen)
        });
        match done.await {
            Ok((open, kept)) => {
                seen = kept;
                if std::mem::take(&mut first) {
                    tracing::info!("paper work looked through; again every {} s", ROUND_EVERY.as_secs());
                }
                wait = if open { AGAIN_AFTER } else { ROUND_EVERY };
            }
            Err(error) => {
                tracing::error!(%error, "the paper work panicked");
                seen = BTreeMap::new();
                wait = ROUND_EVERY;
            }
        }
    }
}

/// One round of everything; whether files wait to be looked at again.
fn round(runtime: &Runtime, seen: &mut BTreeMap<PathBuf, u64>) -> bool {
    let (installation, now) = (runtime.installation(), runtime.clock.now());
    let mut said = Vec::new();
    let mut told = |what: &str, result: anyhow::Result<Vec<Finding>>| match result {
        Ok(findings) => said.extend(findings),
        Err(error) => {
            let says = format!("{what}: {error:#}");
            let rule = "every failure is shown to a person";
            let finding =
                Finding::new("office.failed", Severity::Caution, format!("task:{what}"), &*says, rule);
            said.push(finding.with("error", says));
        }
    };
    told("memos", memos::round(&runtime.store, &installation, now));
    told("ordered memos", orders::round(&runtime.store, &installation, now));
    let sending = &installation.settings.sending;
    if let Some(folder) = &sending.grants.folder {
        let looked = grants::watch(&runtime.store, folder, seen, now);
        told(
            "grants",
            looked.map(|looked| looked.refused.iter().map(refused_delivery).chain(looked.notes).collect()),
        );
    }
    told("closed projects", grants::remarks_on_unregistered(&runtime.store));
    if let Some(folder) = sending.pec.as_ref().and_then(|pec| pec.receipts_dir.as_ref()) {
        told("receipts", submissions::send::watch(&runtime.store, folder, now).map(|_| Vec::new()));
    }
    told("frozen years", late(runtime));
    let sent = submissions::newest(&runtime.store);
    told("receipts compared", sent.map(|sent| submissions::receipts::cautions(&sent)));
    let all = submissions::all(&runtime.store);
    told("letters", all.map(|all| submissions::attempts::told(&all)));
    let of = |code: &str| {
        code.starts_with("memo.")
            || code.starts_with("receipt.")
            || submissions::late::CODES.contains(&code)
            || submissions::attempts::CODES.contains(&code)
            || matches!(code, "office.failed" | "project.cup.provisional")
    };
    // A refused delivery stays told: the next round does not see it any more.
    runtime.renew(of, said);
    !seen.is_empty()
}

fn refused_delivery((path, problems): &(PathBuf, Vec<String>)) -> Finding {
    let list = problems.join("; ");
    let says = format!("a delivery of the grants system was refused whole: {list}");
    let rule = "a delivery is taken whole or not at all";
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    Finding::new("grants.refused", Severity::Caution, format!("file:{name}"), says, rule).with("error", list)
}

/// What would differ now from what was frozen.
fn late(runtime: &Runtime) -> anyhow::Result<Vec<Finding>> {
    let figures = runtime.figures();
    let texts = runtime.installation().catalog.texts("it");
    let all = submissions::all(&runtime.store)?;
    let mut found = Vec::new();
    for submission in submissions::late::standing(&all) {
        for year in figures.iter().flat_map(|project| &project.years) {
            found.extend(submissions::late::changes(&runtime.store, &texts, submission, year)?);
        }
    }
    Ok(found)
}
