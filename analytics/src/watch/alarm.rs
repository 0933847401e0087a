//! Alarms: when a value that is watched has been over its limit for long enough, and when it has been back for long
//! enough; one alarm for one cause.
//!
//! Must never: end an alarm because its value became unknown, or raise one for each meter behind a gateway that is dead.

use std::collections::BTreeMap;

use model::{Instant, Severity};

/// What is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AlarmKind {
    /// A meter, or a link with all its meters, gives no readings. Value: its silence over the silence allowed.
    Silent,
    /// A meter's total stands still where energy usually flows. Value: hours over the hours allowed.
    Frozen,
    /// Readings kept aside, such as no meter of the connection can have counted. Value: those of the last 24
    /// hours over the number allowed.
    Implausible,
    /// Nights of the last week above what is usual for their weather. Value: ratio, 0.2 is 20 % more.
    BaseLoad,
    /// Consecutive days above the model. Value: days.
    AboveModel,
    /// The year's forecast does not reach a target. Value: 1 at risk, 2 out of reach.
    Target,
    /// The self-consumed share of the last weeks under its limit. Value: limit less share.
    SelfConsumption,
}

impl AlarmKind {
    pub const ALL: [Self; 7] = [
        Self::Silent,
        Self::Frozen,
        Self::Implausible,
        Self::BaseLoad,
        Self::AboveModel,
        Self::Target,
        Self::SelfConsumption,
    ];

    /// Stable: it stands on disk, in texts and in the API.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::Frozen => "frozen",
            Self::Implausible => "implausible",
            Self::BaseLoad => "base_load",
            Self::AboveModel => "above_model",
            Self::Target => "target",
            Self::SelfConsumption => "self_consumption",
        }
    }

    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// How loudly it is told.
    #[must_use]
    pub const fn severity(self) -> Severity {
        match self {
            Self::Silent | Self::Frozen | Self::Implausible | Self::Target => Severity::Blocks,
            Self::BaseLoad | Self::AboveModel | Self::SelfConsumption => Severity::Caution,
        }
    }
}

/// What an alarm is about: `meter:boiler-1`, `link:gateway`, `building:school/main electricity`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlarmId {
    pub kind: AlarmKind,
    pub subject: String,
}

/// Limits with hysteresis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// From this value on it is wrong.
    pub raise_at: f64,
    /// Only below this value it is right again. Never above `raise_at`.
    pub clear_below: f64,
    /// It must be wrong for so long before the alarm is raised, and right for so long before it ends, in seconds.
    pub raise_after_s: f64,
    pub clear_after_s: f64,
}

/// A value that is watched, as it is now.
#[derive(Debug, Clone, PartialEq)]
pub struct Signal {
    pub id: AlarmId,
    /// `None` when nobody knows: nothing changes then.
    pub value: Option<f64>,
    pub limits: Limits,
    /// What the sentence of the alarm needs besides the value.
    pub details: Vec<(&'static str, String)>,
    /// The cause that speaks for it: its own alarm then ends without a word.
    pub covered_by: Option<String>,
}

/// Where an alarm is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Phase {
    /// Wrong since then, not yet for long enough.
    Rising {
        since: Instant,
    },
    Raised {
        at: Instant,
    },
    /// Raised then, and right again since.
    Falling {
        at: Instant,
        since: Instant,
    },
}

impl Phase {
    /// When it was raised; `None` before.
    #[must_use]
    pub const fn raised_at(self) -> Option<Instant> {
        match self {
            Self::Rising { .. } => None,
            Self::Raised { at } | Self::Falling { at, .. } => Some(at),
        }
    }
}

/// What a round changed.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    Raised(Signal),
    /// Raised at the instant, right again now.
    Ended {
        id: AlarmId,
        raised_at: Instant,
    },
    /// Its subject is watched no more, or another cause speaks for it.
    Dropped {
        id: AlarmId,
        raised_at: Instant,
    },
}

/// Every alarm that is not at rest.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Alarms {
    phases: BTreeMap<AlarmId, Phase>,
}

impl Alarms {
    /// As it was when the program ended: alarms raised and not ended.
    #[must_use]
    pub fn resumed(raised: impl IntoIterator<Item = (AlarmId, Instant)>) -> Self {
        Self { phases: raised.into_iter().map(|(id, at)| (id, Phase::Raised { at })).collect() }
    }

    #[must_use]
    pub const fn phases(&self) -> &BTreeMap<AlarmId, Phase> {
        &self.phases
    }

    /// Takes the signals of a round.
    pub fn step(&mut self, signals: &[Signal], now: Instant) -> Vec<Change> {
        let mut changes = Vec::new();
        let known: BTreeMap<&AlarmId, &Signal> = signals.iter().map(|s| (&s.id, s)).collect();
        self.phases.retain(|id, phase| {
            let stays = known.get(id).is_some_and(|signal| signal.covered_by.is_none());
            if !stays && let Some(raised_at) = phase.raised_at() {
                changes.push(Change::Dropped { id: id.clone(), raised_at });
            }
            stays
        });
        for signal in known.into_values().filter(|s| s.covered_by.is_none()) {
            let phase = self.phases.get(&signal.id).copied();
            let next = advance(phase, signal, now);
            match (phase.and_then(Phase::raised_at), next.and_then(Phase::raised_at)) {
                (None, Some(_)) => changes.push(Change::Raised(signal.clone())),
                (Some(raised_at), None) => changes.push(Change::Ended { id: signal.id.clone(), raised_at }),
                (None, None) | (Some(_), Some(_)) => {}
            }
            match next {
                Some(phase) => drop(self.phases.insert(signal.id.clone(), phase)),
                None => drop(self.phases.remove(&signal.id)),
            }
        }
        changes
    }
}

/// The phase after a value; `None` is at rest.
fn advance(phase: Option<Phase>, signal: &Signal, now: Instant) -> Option<Phase> {
    let limits = &signal.limits;
    let Some(value) = signal.value.filter(|v| v.is_finite()) else { return phase };
    let wrong = limits.raise_at <= value;
    let right = value < limits.clear_below;
    let raise = |since: Instant| {
        if limits.raise_after_s <= now.seconds_since(since) {
            Phase::Raised { at: now }
        } else {
            Phase::Rising { since }
        }
    };
    match phase {
        None if wrong => Some(raise(now)),
        None => None,
        Some(Phase::Rising { since }) if wrong => Some(raise(since)),
        Some(Phase::Rising { .. }) => None,
        Some(Phase::Raised { at }) if right => ended_or(limits, at, now, now),
        Some(Phase::Raised { at }) => Some(Phase::Raised { at }),
        Some(Phase::Falling { at, since }) if right => ended_or(limits, at, since, now),
        Some(Phase::Falling { at, .. }) => Some(Phase::Raised { at }),
    }
}

fn ended_or(limits: &Limits, at: Instant, since: Instant, now: Instant) -> Option<Phase> {
    (now.seconds_since(since) < limits.clear_after_s).then_some(Phase::Falling { at, since })
}

/// A meter's silence, and the link it is read over.
#[derive(Debug, Clone, PartialEq)]
pub struct Silence {
    pub meter: String,
    pub link: String,
    /// Its silence over the silence allowed; `None` when nobody knows.
    pub silence: Option<f64>,
    pub details: Vec<(&'static str, String)>,
}

/// One signal for each meter, and one for each link with several meters: where all of them are silent, the link is the
/// cause and speaks for them.
#[must_use]
pub fn silences(meters: &[Silence], limits: Limits) -> Vec<Signal> {
    let mut links: BTreeMap<&str, Vec<&Silence>> = BTreeMap::new();
    for meter in meters {
        links.entry(&meter.link).or_default().push(meter);
    }
    let mut signals = Vec::new();
    for (link, of) in links {
        let least = of.iter().map(|m| m.silence.unwrap_or(0.0)).fold(f64::INFINITY, f64::min);
        let dead = 1 < of.len() && limits.raise_at <= least;
        let subject = format!("link:{link}");
        if 1 < of.len() {
            let names: Vec<&str> = of.iter().map(|m| m.meter.as_str()).collect();
            signals.push(Signal {
                id: AlarmId { kind: AlarmKind::Silent, subject: subject.clone() },
                value: Some(least),
                limits,
                details: vec![("link", link.to_owned()), ("meters", names.join(", "))],
                covered_by: None,
            });
        }
        for meter in of {
            signals.push(Signal {
                id: AlarmId { kind: AlarmKind::Silent, subject: format!("meter:{}", meter.meter) },
                value: meter.silence,
                limits,
                details: meter.details.clone(),
                covered_by: dead.then(|| subject.clone()),
            });
        }
    }
    signals
}
