//! What people did to a meter's readings, told beside the figures it touches.
//!
//! Must never: keep an edit quiet. Whoever changed a reading stands in the report with the reason.

use model::{Act, Finding, MeterAct, Severity, Zone};

use super::MeterInput;
use crate::series::DatedFinding;

const RULE: &str = "conservative direction: an edited reading never becomes a saving";

/// One finding for each corrected reading and for each act that the readings do not bear out.
pub(super) fn findings(known: &MeterInput, zone: Zone, subject: &str) -> Vec<DatedFinding> {
    let mut out = Vec::new();
    for act in &known.acts {
        let refused = known.refused_acts.contains(&act.dated);
        let Act::Corrected { .. } = act.dated.act else {
            out.extend(refused.then(|| not_borne_out(act, zone, subject)));
            continue;
        };
        if refused {
            out.push(not_borne_out(act, zone, subject));
            continue;
        }
        let says = format!(
            "the reading of {} was corrected by {}: {}; what the edit took or gave stays within the bounds",
            act.dated.at, act.author, act.reason
        );
        out.push(dated("reading.edited", act, zone, subject, says));
    }
    out
}

fn not_borne_out(act: &MeterAct, zone: Zone, subject: &str) -> DatedFinding {
    let says = format!(
        "what {} recorded for {} has no effect: no reading bears it out, or the connection cannot carry it",
        act.author, act.dated.at
    );
    dated("act.without_effect", act, zone, subject, says)
}

fn dated(code: &'static str, act: &MeterAct, zone: Zone, subject: &str, says: String) -> DatedFinding {
    let month = act.dated.at.month(zone);
    let finding = Finding::new(code, Severity::Caution, format!("{subject} {month}"), says, RULE)
        .with("at", act.dated.at)
        .with("author", &act.author)
        .with("reason", &act.reason);
    DatedFinding { month, finding }
}
