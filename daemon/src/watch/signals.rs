//! Everything that is watched, as signals for the alarms.
//!
//! Must never: judge; limits come from the settings, and what they mean from `analytics`.

use analytics::forecast::{KpiForecast, Outlook};
use analytics::watch::alarm::{AlarmId, AlarmKind, Limits, Signal, Silence, silences};
use config::AlarmSettings;
use model::{Building, Instant, Month};
use store::Tally;

use super::digest::CarrierDigest;
use crate::runtime::{ProjectFigures, Runtime, lock};

/// A silence has ended only after so many seconds of readings.
const HEARD_S: f64 = 60.0;
/// A forecast that is computed anew each day is right again only after one.
const FORECAST_S: f64 = 86_400.0;
/// Usual use, in display units, under which nobody can say whether a total stands still.
const FLOW_MIN: f64 = 1.0;
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
    signals.extend(implausible(runtime, settings));
    for figures in runtime.figures() {
        for building in &figures.project.buildings {
            signals.extend(of_building(runtime, &figures, building, settings));
        }
        signals.extend(targets(&figures));
    }
    signals
}

fn silent(runtime: &Runtime, settings: &AlarmSettings, now: Instant) -> Vec<Signal> {
    let since = lock(&runtime.watched.since).unwrap_or(now);
    let installation = runtime.installation();
    let of = |meter: &config::MeterSettings| {
        let last = runtime.book.last_reading_at(&meter.id);
        // One that never gave a reading is waited for from the start of the daemon.
        let silent_s = now.seconds_since(last.unwrap_or(since)).max(0.0);
        let periods_s = f64::from(settings.silent_after_periods) * f64::from(meter.every_s);
        let allowed_s = periods_s.max(f64::from(settings.silent_after_minutes) * 60.0);
        let last = last.map_or_else(|| "-".to_owned(), |at| at.to_string());
        Silence {
            meter: meter.id.to_string(),
            link: meter.link.clone(),
            silence: Some(silent_s / allowed_s),
            details: vec![("last", last), ("every", meter.every_s.to_string())],
        }
    };
    let meters: Vec<Silence> = installation.settings.meters.iter().map(of).collect();
    silences(&meters, Limits { clear_after_s: HEARD_S, ..limits(1.0, 0.5) })
}

fn implausible(runtime: &Runtime, settings: &AlarmSettings) -> Vec<Signal> {
    let month = Month::of(runtime.today());
    let counts = runtime.losses_since(month);
    let installation = runtime.installation();
    let of = |meter: &config::MeterSettings| {
        let refused = counts.get(&(meter.id.clone(), month, Tally::Refused)).copied().unwrap_or(0);
        let value = refused as f64 / f64::from(settings.implausible_readings);
        let details = vec![("count", refused.to_string())];
        signal(AlarmKind::Implausible, format!("meter:{}", meter.id), Some(value), limits(1.0, 1.0), details)
    };
    installation.settings.meters.iter().map(of).collect()
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
    if let Some(percent) = settings.self_consumption_percent {
        let limit = f64::from(percent) / 100.0;
        let details = vec![
            ("share", digest.self_consumed_share.map(|s| s.to_string()).unwrap_or_default()),
            ("limit", limit.to_string()),
        ];
        // Just under the limit is wrong already.
        let value = digest.self_consumed_share.map(|share| limit - share);
        let limits = limits(f64::EPSILON, -SHARE_BACK);
        signals.push(signal(AlarmKind::SelfConsumption, about, value, limits, details));
    }
    signals
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
        signals.push(signal(AlarmKind::Frozen, subject, Some(value), limits(1.0, 1.0), details));
    }
    signals
}

/// One for each project: where several targets are at risk they have one cause, and the worst of them speaks.
fn targets(figures: &ProjectFigures) -> Option<Signal> {
    let forecast = figures.forecast.as_ref()?;
    let weight = |kpi: &KpiForecast| match kpi.outlook {
        Outlook::Safe | Outlook::OnTrack => Some(0.0),
        Outlook::AtRisk => Some(1.0),
        Outlook::OutOfReach => Some(2.0),
        Outlook::Unknown => None,
    };
    let with_target = forecast.kpis.iter().filter(|k| k.target.is_some());
    let known = with_target.filter_map(|kpi| Some((weight(kpi)?, kpi)));
    // Of equals the first in the order of the scheme.
    let worst = known.reduce(|worst, other| if worst.0 < other.0 { other } else { worst });
    let subject = format!("project:{} {}", figures.project.id, forecast.year);
    let limits = Limits { clear_after_s: FORECAST_S, ..limits(1.0, 1.0) };
    let Some((value, kpi)) = worst else {
        return Some(signal(AlarmKind::Target, subject, None, limits, Vec::new()));
    };
    let year = figures.years.iter().find(|y| y.year == forecast.year);
    let named = year.and_then(|y| y.kpis.iter().find(|k| k.definition.code == kpi.code));
    let number = |v: Option<f64>| v.map(|v| v.to_string()).unwrap_or_default();
    let details = vec![
        ("kpi", named.map_or_else(|| kpi.code.clone(), |k| k.definition.text.clone())),
        ("unit", kpi.unit.to_owned()),
        ("expected", number(kpi.expected)),
        ("target", number(kpi.target)),
        ("needed", number(kpi.needed_per_month)),
        ("months", forecast.months_left.to_string()),
    ];
    Some(signal(AlarmKind::Target, subject, Some(value), limits, details))
}
