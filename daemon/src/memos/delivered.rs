//! Memo mails about closed projects that the grants system delivered and nobody registered yet, as far as what was
//! delivered tells the day.
//!
//! Must never: remind of a project whose file is here, twice of one, or by a day that was not stated.

use std::collections::BTreeMap;

use config::MailSettings;
use model::{Finding, Instant, Severity};
use store::Store;

use super::{About, Due, MemoState, by_id, memo_day, remind};
use crate::grants;
use crate::installation::Installation;

/// For whom the findings stand.
const RULE: &str = "each beneficiary with a report to send is reminded";
/// Most projects that a finding names.
const NAMED_MAX: usize = 5;

/// What keeps letters back: codes of projects by call, and by scheme, obligation and what is missing.
#[derive(Default)]
struct Held {
    calls: BTreeMap<String, Vec<String>>,
    days: BTreeMap<(String, String, String), Vec<String>>,
}

/// The letter of the same day and obligation that went out, or may have, before the project's file was here.
pub(super) fn gone(
    store: &Store,
    first_cups: &[(String, String)],
    due: &Due<'_>,
) -> anyhow::Result<Option<String>> {
    for (_, first) in first_cups.iter().filter(|(cup, _)| cup == due.about.cup()) {
        let id = due.id_under(&grants::delivered_id(first));
        if by_id(store, &id)?.is_some_and(|memo| memo.state != MemoState::NotSent) {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

/// A round; findings say for which projects no letter can go out.
pub(super) fn round(
    store: &Store,
    installation: &Installation,
    mail: &MailSettings,
    now: Instant,
) -> anyhow::Result<Vec<Finding>> {
    let cups = grants::registered_cups(store)?;
    let open = grants::unregistered(store, &cups.iter().map(String::as_str).collect())?;
    let own = &installation.settings.installation;
    let (texts, today) = (installation.catalog.texts(&own.language), now.day(own.zone));
    let (mut held, mut findings) = (Held::default(), Vec::new());
    for closed in &open {
        let Some(scheme) = grants::scheme_of(&installation.catalog, &closed.call) else {
            held.calls.entry(closed.call.clone()).or_default().push(closed.code.clone());
            continue;
        };
        for entry in &grants::calendar_of_closed(scheme, closed, today) {
            let reminded = scheme.obligation(&entry.obligation).is_some_and(|o| !o.memos.is_empty());
            if reminded && entry.due.is_none() {
                let missing: Vec<&str> = entry.needs.iter().map(|need| need.key()).collect();
                let key = (scheme.id.to_string(), entry.obligation.clone(), missing.join(", "));
                held.days.entry(key).or_default().push(closed.code.clone());
            }
            let Some(day) = memo_day(scheme, entry, today) else { continue };
            let about = About::Delivered(closed);
            let due = Due { about, scheme, entry, day, words: "", author: super::AUTHOR, contact: None };
            findings.extend(remind(store, mail, &texts, &due, now)?);
        }
    }
    findings.extend(held.findings());
    Ok(findings)
}

impl Held {
    fn findings(self) -> Vec<Finding> {
        let calls = self.calls.into_iter().map(|(call, codes)| {
            let (count, names) = (codes.len(), named(&codes));
            let says = format!(
                "no scheme of the catalogue, or more than one, is about the call {call}: nobody is reminded of {count} delivered projects ({names})"
            );
            let about = format!("call:{call}");
            let finding = Finding::new("memo.call_unknown", Severity::Caution, about, says, RULE);
            finding.with("call", call).with("count", count).with("projects", names)
        });
        let days = self.days.into_iter().map(|((scheme, obligation, missing), codes)| {
            let (count, names) = (codes.len(), named(&codes));
            let says = format!(
                "the day of {obligation} cannot be told without {missing}, which is not delivered: nobody is reminded of {count} projects ({names})"
            );
            let about = format!("scheme:{scheme} {obligation}");
            let finding = Finding::new("memo.day_unknown", Severity::Caution, about, says, RULE);
            let finding = finding.with("obligation", obligation).with("missing", missing);
            finding.with("count", count).with("projects", names)
        });
        calls.chain(days).collect()
    }
}

/// The first codes, and that there are more.
fn named(codes: &[String]) -> String {
    let shown: Vec<&str> = codes.iter().take(NAMED_MAX).map(String::as_str).collect();
    let more = if NAMED_MAX < codes.len() { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}
