//! Tells of alarms by mail and by webhook: that they were raised, and that they ended.
//!
//! Must never: tell of an old alarm because telling was set up today, or hold up the next round for long.

use std::sync::Arc;

use analytics::text::Texts;
use analytics::watch::alarm::AlarmKind;
use config::{AlarmSettings, MailSettings};
use connectors::mail::{Letter, MailError, send};
use connectors::webhook::{BaseAddress, Hook};
use dashboards::watch::AlarmView;
use model::{Finding, Instant, Severity};
use serde_json::json;
use store::StoredAlarm;

use super::alarms::{HOOK_ENDED, HOOK_RAISED, MAIL_ENDED, MAIL_RAISED, details};
use crate::memos;
use crate::runtime::Runtime;

/// Alarms older than this are told of no more.
const TELL_WITHIN_S: f64 = 86_400.0;
/// Messages of one round by each way; the others go with the next.
const MESSAGES_MAX: usize = 20;
/// Alarms looked at, of those that ended.
const ENDED_LOOKED: u32 = 200;

/// One thing to be told.
struct Message {
    alarm: StoredAlarm,
    view: AlarmView,
    ended: bool,
}

impl Message {
    fn at(&self) -> Instant {
        self.alarm.ended_at.filter(|_| self.ended).unwrap_or(self.alarm.raised_at)
    }
}

/// One round over what was not told yet.
pub(super) async fn round(runtime: &Arc<Runtime>) {
    let installation = runtime.installation();
    let settings = &installation.settings.alarms;
    let mail = installation.settings.sending.mail.as_ref().filter(|_| !settings.mail_to.is_empty());
    let hook = hook(settings);
    if mail.is_none() && hook.is_none() {
        return;
    }
    let now = runtime.clock.now();
    let alarms = match runtime.store.alarms(ENDED_LOOKED) {
        Ok(alarms) => alarms,
        Err(error) => {
            tracing::warn!(%error, "alarms to be told of cannot be read, to be tried again");
            return;
        }
    };
    let mut failures: Vec<String> = Vec::new();
    if let Some(mail) = mail {
        for message in due(&alarms, now, MAIL_RAISED, MAIL_ENDED) {
            failures.extend(by_mail(runtime, mail, settings, message).await);
        }
    }
    if let Some(hook) = hook {
        for message in due(&alarms, now, HOOK_RAISED, HOOK_ENDED) {
            failures.extend(by_hook(runtime, &hook, message).await);
        }
    }
    let rule = "every failure is shown to a person";
    let finding = |says: &String| {
        Finding::new("alarm.not_told", Severity::Caution, "task:alarms", says.clone(), rule)
            .with("error", says)
    };
    runtime.renew(|code| code == "alarm.not_told", failures.first().map(finding).into_iter().collect());
}

fn hook(settings: &AlarmSettings) -> Option<Hook> {
    Some(Hook {
        address: BaseAddress::parse(settings.webhook.as_ref()?)?,
        token_file: settings.webhook_token_file.clone(),
        ca_file: settings.webhook_ca_file.clone(),
    })
}

/// Raised and not told; or ended, told that it was raised, and not that it ended.
fn due(alarms: &[StoredAlarm], now: Instant, raised: i64, ended: i64) -> Vec<Message> {
    let of = |alarm: &StoredAlarm| {
        let at = alarm.ended_at.unwrap_or(alarm.raised_at);
        let told = |bit: i64| alarm.told & bit != 0;
        let is_end = alarm.ended_at.is_some();
        let wanted = if is_end { told(raised) && !told(ended) } else { !told(raised) };
        let kind = AlarmKind::parse(&alarm.kind)?;
        (wanted && now.seconds_since(at) <= TELL_WITHIN_S).then(|| Message {
            view: AlarmView {
                id: alarm.id,
                kind,
                subject: alarm.subject.clone(),
                raised_at: alarm.raised_at,
                ended_at: alarm.ended_at,
                details: details(alarm),
                acknowledged: None,
            },
            alarm: alarm.clone(),
            ended: is_end,
        })
    };
    alarms.iter().rev().filter_map(of).take(MESSAGES_MAX).collect()
}

async fn by_mail(
    runtime: &Arc<Runtime>,
    mail: &MailSettings,
    settings: &AlarmSettings,
    message: Message,
) -> Option<String> {
    let installation = runtime.installation();
    let texts = installation.catalog.texts(&installation.settings.installation.language);
    let letter = letter(&texts, &installation.settings.installation.name, mail, settings, &message, runtime);
    let server = memos::server(mail);
    let sent = tokio::task::spawn_blocking(move || send(&server, &letter)).await;
    let failure = match sent {
        Ok(Ok(())) => None,
        // The server may have it: it is not sent twice.
        Ok(Err(MailError::Uncertain { .. })) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(error) => Some(error.to_string()),
    };
    told(runtime, &message, if message.ended { MAIL_ENDED } else { MAIL_RAISED }, failure)
}

fn letter(
    texts: &Arc<Texts>,
    installation: &str,
    mail: &MailSettings,
    settings: &AlarmSettings,
    message: &Message,
    runtime: &Runtime,
) -> Letter {
    let zone = runtime.installation().settings.installation.zone;
    let words = dashboards::watch::sentence(texts, &message.view, zone);
    let domain = mail.from.split_once('@').map_or("localdomain", |(_, domain)| domain);
    let (subject, text, stem) = if message.ended {
        ("alarm.mail.ended", "alarm.mail.ended_text", "ended")
    } else {
        ("alarm.mail.raised", "alarm.mail.text", "raised")
    };
    let at = dashboards::watch::instant(texts, message.at(), zone);
    let about = message.alarm.subject.split_once(':').map_or(&*message.alarm.subject, |(_, name)| name);
    let title = texts.get(&format!("alarm.title.{}", message.view.kind.code())).to_owned();
    let values = [
        ("installation", installation),
        ("title", title.as_str()),
        ("about", about),
        ("says", words.as_str()),
        ("at", at.as_str()),
    ];
    let id = runtime.installation().settings.installation.id.clone();
    Letter {
        from: mail.from.clone(),
        to: settings.mail_to.clone(),
        subject: texts.fill(subject, &values),
        text: texts.fill(text, &values),
        message_id: format!("<alarm-{id}-{}-{stem}@{domain}>", message.alarm.id),
        at: message.at(),
        enclosures: Vec::new(),
    }
}

async fn by_hook(runtime: &Arc<Runtime>, hook: &Hook, message: Message) -> Option<String> {
    let installation = runtime.installation();
    let texts = installation.catalog.texts(&installation.settings.installation.language);
    let zone = installation.settings.installation.zone;
    let body = json!({
        "installation": installation.settings.installation.id,
        "alarm": message.alarm.id,
        "event": if message.ended { "ended" } else { "raised" },
        "kind": message.alarm.kind,
        "subject": message.alarm.subject,
        "severity": message.view.kind.severity().code(),
        "raised_at": message.alarm.raised_at.to_string(),
        "ended_at": message.alarm.ended_at.map(|at| at.to_string()),
        "text": dashboards::watch::sentence(&texts, &message.view, zone),
    });
    let failure = hook.post(body.to_string()).await.err().map(|error| error.to_string());
    told(runtime, &message, if message.ended { HOOK_ENDED } else { HOOK_RAISED }, failure)
}

/// Notes what was told; what failed is tried again with the next round.
fn told(runtime: &Runtime, message: &Message, bit: i64, failure: Option<String>) -> Option<String> {
    if failure.is_some() {
        return failure;
    }
    runtime.store.note_told(message.alarm.id, bit).err().map(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alarm(id: i64, raised_s: i64, ended_s: Option<i64>, told: i64) -> StoredAlarm {
        StoredAlarm {
            id,
            kind: "silent".to_owned(),
            subject: format!("meter:m{id}"),
            raised_at: Instant::from_seconds(raised_s),
            ended_at: ended_s.map(Instant::from_seconds),
            details: "{}".to_owned(),
            told,
        }
    }

    #[test]
    fn each_alarm_is_told_once_and_its_end_only_where_its_beginning_was() {
        let now = Instant::from_seconds(1_000_000);
        let said = |alarms: &[StoredAlarm]| -> Vec<(i64, bool)> {
            due(alarms, now, MAIL_RAISED, MAIL_ENDED).iter().map(|m| (m.alarm.id, m.ended)).collect()
        };
        let fresh = 999_990;
        assert_eq!(said(&[alarm(1, fresh, None, 0)]), [(1, false)]);
        assert_eq!(said(&[alarm(1, fresh, None, MAIL_RAISED)]), []);
        // By the other way only.
        assert_eq!(said(&[alarm(1, fresh, None, HOOK_RAISED)]), [(1, false)]);
        assert_eq!(said(&[alarm(1, fresh, Some(fresh), MAIL_RAISED)]), [(1, true)]);
        assert_eq!(said(&[alarm(1, fresh, Some(fresh), MAIL_RAISED | MAIL_ENDED)]), []);
        // It came and went before anybody could be told.
        assert_eq!(said(&[alarm(1, fresh, Some(fresh), 0)]), []);
        // Older than a day: telling was set up today.
        assert_eq!(said(&[alarm(1, 0, None, 0)]), []);
        // Newest first as the store gives them: told oldest first, and not all at once.
        let many: Vec<StoredAlarm> = (0..50).rev().map(|id| alarm(id, fresh, None, 0)).collect();
        assert_eq!(said(&many).len(), MESSAGES_MAX);
        assert_eq!(said(&many)[0], (0, false));
    }
}
