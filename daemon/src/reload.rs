//! Reading the files again while the daemon runs (SIGHUP): all of it is taken, or nothing.
//!
//! Must never: leave the daemon between two settings, or refuse without naming every reason.

use std::path::Path;
use std::sync::Arc;

use config::ConfigError;
use connectors::Link;
use model::{Finding, Severity};

use crate::installation::{Installation, LoadError, chain};
use crate::links::{Changes, Links};
use crate::runtime::Runtime;

/// Why the files were not taken.
const REFUSED: &str = "settings.reload.refused";
/// A setting that cannot change while the daemon runs.
const RESTART: &str = "settings.reload.restart";
const RULE: &str = "a wrong settings file changes nothing";

/// Reads the files again and, when all of them can be used, lets only what changed begin anew.
pub(crate) async fn reload(runtime: &Arc<Runtime>, links: &mut Links) {
    let current = runtime.installation();
    let path = current.settings.file.clone();
    let judged = tokio::task::spawn_blocking(move || judge(&current, &path)).await;
    let judged = judged.unwrap_or_else(|error| {
        let says =
            format!("reading the settings again failed by a fault of the program ({error}); report it");
        Err(vec![Finding::new(REFUSED, Severity::Caution, "settings", says, RULE)])
    });
    // What earlier attempts were refused for is history now, whatever this one comes to.
    runtime.resolve_codes(|code| code.starts_with("settings.reload."));
    match judged {
        Err(reasons) => {
            let count = reasons.len();
            reasons.into_iter().for_each(|reason| runtime.report(reason));
            tracing::error!(
                reasons = count,
                "the settings were not reloaded; nothing was changed, the former ones stay in force"
            );
        }
        Ok(Judged::Same) => tracing::info!("settings reloaded: nothing has changed"),
        Ok(Judged::New(new)) => {
            let changes = apply(runtime, links, *new).await;
            let Changes { kept, restarted, started, stopped } = changes;
            tracing::info!(?kept, ?restarted, ?started, ?stopped, "settings reloaded");
        }
    }
}

/// Files that can be used.
enum Judged {
    /// They say what they said before.
    Same,
    New(Box<New>),
}

struct New {
    installation: Installation,
    links: Vec<Link>,
    /// What a person should look at although all can be used.
    findings: Vec<Finding>,
}

/// Reads the files; the error is every reason against taking them. Blocks on the disk.
fn judge(current: &Installation, path: &Path) -> Result<Judged, Vec<Finding>> {
    let new = Installation::load(path).map_err(|error| refusals(&error))?;
    let mut reasons: Vec<Finding> = fixed_changes(current, &new)
        .into_iter()
        .map(|(table, key)| {
            let line = config::settings::line_of_key(path, table, key).unwrap_or(1);
            let name = format!("{table}.{key}");
            let says = format!(
                "line {line}: `{name}` cannot change while the daemon runs, nothing of the file was taken; restart the daemon"
            );
            Finding::new(RESTART, Severity::Caution, format!("settings:{name}"), says, RULE)
                .with("line", line)
                .with("key", name)
        })
        .collect();
    let (links, findings) = new.links();
    let (wrong, fine): (Vec<Finding>, Vec<Finding>) =
        findings.into_iter().partition(|finding| finding.severity == Severity::Blocks);
    let wrong = wrong.into_iter().chain(new.unusable_renewals(current));
    reasons.extend(wrong.map(|finding| refusal_of_link(&new, &finding)));
    if !reasons.is_empty() {
        return Err(reasons);
    }
    if new.is_same(current) {
        return Ok(Judged::Same);
    }
    let mut all = new.findings.clone();
    all.extend(fine);
    Ok(Judged::New(Box::new(New { installation: new, links, findings: all })))
}

/// Table and key of every setting that a running daemon cannot take on.
fn fixed_changes(old: &Installation, new: &Installation) -> Vec<(&'static str, &'static str)> {
    let (old, new) = (&old.settings, &new.settings);
    let mut changed = Vec::new();
    let mut look = |same: bool, table, key| {
        if !same {
            changed.push((table, key));
        }
    };
    look(old.installation.id == new.installation.id, "installation", "id");
    look(old.installation.zone == new.installation.zone, "installation", "zone");
    look(old.installation.data_dir == new.installation.data_dir, "installation", "data_dir");
    look(old.web.listen == new.web.listen, "web", "listen");
    look(old.web.public_url == new.web.public_url, "web", "public_url");
    look(old.web.trusted_proxies == new.web.trusted_proxies, "web", "trusted_proxies");
    look(old.web.tls.is_some() == new.web.tls.is_some(), "web", "tls");
    look(old.access.anonymous_reading == new.access.anonymous_reading, "access", "anonymous_reading");
    look(old.access.idle_minutes == new.access.idle_minutes, "access", "idle_minutes");
    look(old.access.session_hours == new.access.session_hours, "access", "session_hours");
    look(old.access.provider == new.access.provider, "access", "provider");
    look(old.store.queue_readings == new.store.queue_readings, "store", "queue_readings");
    changed
}

/// Every reason why files could not be read, one finding each.
fn refusals(error: &LoadError) -> Vec<Finding> {
    match error {
        LoadError::File(error @ ConfigError::Problems { path, problems }) => {
            let file = name(path);
            let mut found: Vec<Finding> = problems
                .iter()
                .map(|p| {
                    let key = if p.key.is_empty() { String::new() } else { format!("`{}`: ", p.key) };
                    let says = format!("{key}{}; {}", p.says, p.next);
                    refusal(&file, p.line, &format!("{} {}", p.line, p.key), &says)
                })
                .collect();
            if found.is_empty() {
                found.push(unlocated(&error.to_string()));
            }
            found
        }
        LoadError::File(error) => vec![unlocated(&chain(error))],
        LoadError::Template(error) => vec![unlocated(&chain(error))],
        LoadError::Meters(errors) => errors.iter().map(|error| unlocated(&chain(error))).collect(),
    }
}

/// What is wrong with the connector's own keys of a link or meter, with the line on which its table begins.
fn refusal_of_link(new: &Installation, finding: &Finding) -> Finding {
    let settings = &new.settings;
    let line = match finding.subject.split_once(':') {
        Some(("link", id)) => settings.link(id).map(|link| link.line),
        Some(("meter", id)) => settings.meters.iter().find(|m| m.id.as_str() == id).map(|m| m.line),
        _ => None,
    };
    let says = format!("{}: {}", finding.subject, finding.says);
    match line {
        Some(line) => refusal(&name(&settings.file), line, &format!("{line} {}", finding.subject), &says),
        None => unlocated(&says),
    }
}

fn refusal(file: &str, line: usize, place: &str, reason: &str) -> Finding {
    let says = format!("{file}, line {line}: {reason}; nothing of the file was taken");
    Finding::new(REFUSED, Severity::Caution, format!("settings:{file} {place}").trim_end(), says, RULE)
        .with("file", file)
        .with("line", line)
        .with("says", reason)
}

/// A reason that has no line of its own.
fn unlocated(reason: &str) -> Finding {
    let subject = format!("settings:{}", reason.split([':', ';']).next().unwrap_or_default());
    let says = format!("{reason}; nothing of the files was taken");
    Finding::new(REFUSED, Severity::Caution, subject, says, RULE)
}

fn name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

/// Takes the new settings on: old links end first, then pages and figures see the new files, then new links begin.
async fn apply(runtime: &Arc<Runtime>, links: &mut Links, new: New) -> Changes {
    let New { installation, links: planned, findings } = new;
    let installation = Arc::new(installation);
    let changes = links.stop_changed(&planned, &installation).await;
    let (taking, file) = (Arc::clone(runtime), Arc::clone(&installation));
    if let Err(error) = tokio::task::spawn_blocking(move || taking.replace(file)).await {
        tracing::error!(%error, "taking the new settings on panicked; restart the daemon");
    }
    for finding in findings {
        runtime.report(finding);
    }
    links.start(planned, &installation);
    changes
}
