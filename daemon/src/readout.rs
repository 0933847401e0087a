//! What one meter answers, and tables in general, as text for a person at a terminal.
//!
//! Must never: hide a value or an error; both come with what a person can do next.

use std::io::Write as _;
use std::path::Path;

use connectors::{Link, LinkError, Probe, ProbeLine, ProbeText};
use model::MeterId;

use crate::exit::{Exit, Failure};
use crate::installation::Installation;

/// The links of an installation, one of which has the meter.
pub(crate) fn links_of(config: &Path, meter: &MeterId) -> Result<Vec<Link>, Failure> {
    let installation = Installation::load(config)?;
    if installation.settings.meter(meter).is_none() {
        let known: Vec<&str> = installation.settings.meters.iter().map(|m| m.id.as_str()).collect();
        return Err(Failure::bad_input(format!(
            "no meter {meter} in {}; it has {}",
            config.display(),
            known.join(", ")
        )));
    }
    let (links, findings) = installation.links();
    if !links.iter().any(|link| link.meters().contains(meter)) {
        let reasons: Vec<String> = findings.iter().map(ToString::to_string).collect();
        return Err(Failure::bad_input(format!(
            "{meter} cannot be read as it is set: {}",
            reasons.join("; ")
        )));
    }
    Ok(links)
}

/// Who answered, from where, and how fast; or that nobody did.
pub(crate) fn answered(probe: &Probe) -> String {
    let did = if is_silent(probe) { "said nothing" } else { "answered" };
    format!("{} {did} in {} ms ({})", probe.meter, probe.took.as_millis(), probe.at)
}

/// Whether a meter was listened to and sent nothing.
pub(crate) fn is_silent(probe: &Probe) -> bool {
    probe.lines.is_empty() && probe.texts.is_empty()
}

/// How a command leaves that has asked a meter.
pub(crate) fn exit_of(probe: &Probe) -> Exit {
    if is_silent(probe) { Exit::UNREACHABLE } else { Exit::OK }
}

/// Quantity, raw words, and what they read.
pub(crate) fn cells(line: &ProbeLine) -> Vec<String> {
    vec![line.channel.to_string(), line.raw.clone(), line.reads.clone()]
}

/// What the device says of itself: name, raw words, and what they read.
pub(crate) fn text_cells(text: &ProbeText) -> Vec<String> {
    vec![text.name.code().replace('_', " "), text.raw.clone(), text.reads.clone()]
}

/// An error with its causes and, where it can be the reason, a word about the running daemon.
pub(crate) fn explained(error: &LinkError) -> String {
    let taken = ["link.refused", "link.unreachable", "link.timeout", "link.lost", "link.protocol"];
    let hint = if taken.contains(&error.code()) {
        "; many gateways and every serial line take one program only: if the daemon reads this meter now, stop it \
         first, or look at its page /meters"
    } else {
        ""
    };
    format!("{}{hint}", error.chain())
}

/// Writes to standard output. Whoever reads only the beginning, such as `head`, has what they want.
pub(crate) fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).ok();
}

/// Rows with their columns one under the other, two spaces apart.
pub(crate) fn aligned(rows: &[Vec<String>], indent: &str) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text.push_str(format!("{indent}{}", cells.join("  ")).trim_end());
        text.push('\n');
    }
    text
}
