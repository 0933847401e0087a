//! Everything that is watched, as signals for the alarms.
//!
//! Must never: judge; limits come from the settings, and what they mean from `analytics`.

use analytics::forecast::{Forecast, KpiForecast, Outlook};
use analytics::watch::alarm::{AlarmId, AlarmKind, Limits, Signal, Silence, silences};
use config::AlarmSettings;
use model::{Building, Instant, MeterId, Month};

use super::digest::CarrierDigest;
use super::refused::Refused;
use crate::runtime::{ProjectFigures, Runtime, lock};

/// A silence has ended only after so many seconds of readings.
const HEARD_S: f64 = 60.0;
/// A forecast that is computed anew each day is right again only after one.
const FORECAST_S: f64 = 86_400.0;
/// Usual use, in display units, under which nobody can say whether a total stands still.
const FLOW_MIN: f64 = 1.0;
/// Part of its limit under which what stood still moves again, and what was garbled is clean.
const BACK: f64 = 0.5;
/// Part of the target by which a forecast must be nearer to it again than where the alarm begins.
const SHORT_BACK: f64 = 0.02;
/// Percentage points above its limit at which a self-consumed share is right again.
const SHARE_BACK: f64 = 0.02;

/// Wrong from `raise_at` on, right below `clear_below`, at once.
const fn limits(raise_at: f64, clear_below: f64) -> Limits {
    Limits { raise_at, clear_below, raise_after_s: 0.0, clear_after_s: 0.0 }
}

fn signal(
    kind: AlarmKind,
    subject: String,
    value: Option<f64>,
    limits: Limits,
    details: Vec<(&'static str, String)>,
) -> Signal {
    Signal { id: AlarmId { kind, subject }, value, limits, details, covered_by: None }
}

/// All signals of a moment.
pub(super) fn all(runtime: &Runtime, now: Instant) -> Vec<Signal> {
    let installation = runtime.installation();
    let settings = &installation.settings.alarms;
    let mut signals = silent(runtime, settings, now);
    signals.extend(implausible(runtime, settings, now));
    for figures in runtime.figures() {
        for building in &figures.project.buildings {
            signals.extend(of_building(runtime, &figures, building, settings));
        }
        signals.extend(figures.forecast.as_ref().and_then(|f| targets(&figures, f, settings)));
    }
    signals
}

fn silent(runtime: &Runtime, settings: &AlarmSettings, now: Instant) -> Vec<Signal> {
    let since = lock(&runtime.watched.since).unwrap_or(now);
    let installation = runtime.installation();
    let all = installation.settings.meters.iter();
    let meters: Vec<Heard<'_>> = all
        .map(|meter| Heard {
            meter: meter.id.as_str(),
            link: &meter.link,
            every_s: meter.every_s,
            last: runtime.book.last_reading_at(&meter.id),
        })
        .collect();
    unheard(&meters, settings, (since, now))
}

/// A meter and when it was heard last.
struct Heard<'a> {
    meter: &'a str,
    link: &'a str,
    every_s: u32,
    last: Option<Instant>,
}

fn unheard(meters: &[Heard<'_>], settings: &AlarmSettings, (since, now): (Instant, Instant)) -> Vec<Signal> {
    let of = |meter: &Heard<'_>| {
        // One that never gave a reading is waited for from the start of the daemon.
        let silent_s = now.seconds_since(meter.last.unwrap_or(since)).max(0.0);
        let allowed_s = settings.silence_s(meter.every_s);
        let last = meter.last.map_or_else(|| "-".to_owned(), |at| at.to_string());
        Silence {
            meter: meter.meter.to_owned(),
            link: meter.link.to_owned(),
            silence: Some(silent_s / allowed_s),
            details: vec![("last", last), ("every", meter.every_s.to_string())],
        }
    };
    let meters: Vec<Silence> = meters.iter().map(of).collect();
    silences(&meters, Limits { clear_after_s: HEARD_S, ..limits(1.0, 0.5) })
}

fn implausible(runtime: &Runtime, settings: &AlarmSettings, now: Instant) -> Vec<Signal> {
    let month = Month::of(runtime.today());
    let mut refused = lock(&runtime.watched.refused);
    refused.take(&runtime.losses_since(month.previous()), now);
    let installation = runtime.installation();
    let meters = installation.settings.meters.iter();
    meters.map(|meter| kept_aside(&refused, &meter.id, settings, now)).collect()
}

fn kept_aside(refused: &Refused, meter: &MeterId, settings: &AlarmSettings, now: Instant) -> Signal {
    let count = refused.of(meter);
    let value = count as f64 / f64::from(settings.implausible_readings);
    // Less than a day is enough to say that it is wrong, not that it is right again.
    let value = Some(value).filter(|value| 1.0 <= *value || refused.is_whole(now));
    let details = vec![("count", count.to_string())];
    signal(AlarmKind::Implausible, format!("meter:{meter}"), value, limits(1.0, BACK), details)
}

fn of_building(
    runtime: &Runtime,
    figures: &ProjectFigures,
    building: &Building,
    settings: &AlarmSettings,
) -> Vec<Signal> {
    let place = (figures.project.id.clone(), building.id.clone());
    let Some(digest) = runtime.watched.digest(&place) else { return Vec::new() };
    let about = format!("building:{}/{}", place.0, place.1);
    let mut signals: Vec<Signal> =
        digest.carriers.iter().flat_map(|carrier| of_carrier(carrier, &about, settings)).collect();
    signals.extend(self_consumed(digest.self_consumed_share, about, settings));
    signals
}

fn self_consumed(share: Option<f64>, about: String, settings: &AlarmSettings) -> Option<Signal> {
    let limit = f64::from(settings.self_consumption_percent?) / 100.0;
    let details =
        vec![("share", share.map(|s| s.to_string()).unwrap_or_default()), ("limit", limit.to_string())];
    // Just under the limit is wrong already.
    let limits = limits(f64::EPSILON, -SHARE_BACK);
    Some(signal(AlarmKind::SelfConsumption, about, share.map(|share| limit - share), limits, details))
}

fn of_carrier(digest: &CarrierDigest, about: &str, settings: &AlarmSettings) -> Vec<Signal> {
    let carrier = digest.carrier.code();
    let subject = || format!("{about} {carrier}");
    let excess = digest.base_load.and_then(|b| b.night_excess_ratio);
    let raise_at = f64::from(settings.base_load_percent) / 100.0;
    let mut signals = vec![
        signal(
            AlarmKind::BaseLoad,
            subject(),
            excess,
            limits(raise_at, raise_at / 2.0),
            vec![
                ("carrier", carrier.to_owned()),
                ("percent", excess.map(|e| e.to_string()).unwrap_or_default()),
            ],
        ),
        signal(
            AlarmKind::AboveModel,
            subject(),
            digest.usual.as_ref().map(|_| f64::from(digest.days_above)),
            limits(f64::from(settings.above_model_days), 1.0),
            vec![("carrier", carrier.to_owned()), ("days", digest.days_above.to_string())],
        ),
    ];
    for (meter, still) in &digest.still {
        let hours = f64::from(still.hours) / f64::from(settings.frozen_after_hours);
        let value = if FLOW_MIN <= still.usual { hours } else { 0.0 };
        let unit = digest.carrier.base_unit().display().symbol();
        let details = vec![
            ("hours", still.hours.to_string()),
            ("usual", still.usual.to_string()),
            ("unit", unit.to_owned()),
        ];
        let subject = format!("meter:{meter}");
        signals.push(signal(AlarmKind::Frozen, subject, Some(value), limits(1.0, BACK), details));
    }
    signals
}

/// By which part of its target the forecast misses it; `None` when nobody knows.
fn shortfall(kpi: &KpiForecast) -> Option<f64> {
    match kpi.outlook {
        Outlook::Safe | Outlook::OnTrack => Some(0.0),
        Outlook::AtRisk | Outlook::OutOfReach => {
            let (target, expected) = kpi.target.zip(kpi.expected)?;
            let part = (target - expected).abs() / target.abs();
            // Of a target of nothing everything is missing.
            Some(if part.is_finite() { part.max(f64::EPSILON) } else { 1.0 })
        }
        Outlook::Unknown => None,
    }
}

/// One for each project: where several targets are at risk they have one cause, and the worst of them speaks.
fn targets(figures: &ProjectFigures, forecast: &Forecast, settings: &AlarmSettings) -> Option<Signal> {
    let with_target = forecast.kpis.iter().filter(|k| k.target.is_some());
    let known = with_target.filter_map(|kpi| Some((shortfall(kpi)?, kpi)));
    // Of equals the first in the order of the scheme.
    let worst = known.reduce(|worst, other| if worst.0 < other.0 { other } else { worst });
    let subject = format!("project:{} {}", figures.project.id, forecast.year);
    // What is short by nothing is on track.
    let raise_at = (f64::from(settings.target_shortfall_percent) / 100.0).max(f64::EPSILON);
    let clear_below = (raise_at - SHORT_BACK).max(f64::EPSILON);
    let limits = Limits { clear_after_s: FORECAST_S, ..limits(raise_at, clear_below) };
    let Some((value, kpi)) = worst else {
        return Some(signal(AlarmKind::Target, subject, None, limits, Vec::new()));
    };
    let year = figures.years.iter().find(|y| y.year == forecast.year);
    let named = year.and_then(|y| y.kpis.iter().find(|k| k.definition.code == kpi.code));
    let number = |v: Option<f64>| v.map(|v| v.to_string()).unwrap_or_default();
    let mut details = vec![
        ("kpi", named.map_or_else(|| kpi.code.clone(), |k| k.definition.text.clone())),
        ("unit", kpi.unit.to_owned()),
        ("expected", number(kpi.expected)),
        ("target", number(kpi.target)),
        ("months", forecast.months_left.to_string()),
        ("until", forecast.counted_to().to_string()),
    ];
    details.extend(kpi.needed.map(|needed| (needed.code(), needed.value().to_string())));
    Some(signal(AlarmKind::Target, subject, Some(value), limits, details))
}

#[cfg(test)]
mod tests;
