//! A look around a bus: which units answer, and which model each one is.
//!
//! Must never: write, ask a unit that is silent for more, or go on without a limit.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use model::ModelId;
use profile::identify::{self, Question};
use profile::{Check, Limits, MeterModel, RegisterRef, Space};

use super::ask::{Answer, Ask, IdentityLevel};
use super::line::Terms;
use super::session::ReadError;
use super::settings::Settings;
use super::sweep::Bus;
use super::{Way, dial};
use crate::error::LinkError;
use crate::wire::Dial;

/// Questions without an answer after which a unit is not asked for more.
const SILENT_MAX: u32 = 3;
/// Parts of an identification that are asked for.
const PAGES_MAX: usize = 8;
/// Characters of an identification object that are shown.
const OBJECT_CHARS_MAX: usize = 64;
/// What every device is asked first. Those without it answer that they have not, which tells as much.
const FIRST: RegisterRef = RegisterRef { space: Space::Holding, address: 0 };

/// A unit that answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundUnit {
    pub unit: u8,
    /// The models whose identification it shows.
    pub models: Vec<ModelId>,
    /// Its own identification (function 43): object number and text.
    pub identity: Vec<(u8, String)>,
    /// What it said to the first holding register.
    pub first: FirstWord,
    /// It stopped answering, so that not every model was tried.
    pub unfinished: bool,
}

/// What a unit said to the first holding register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstWord {
    Holds(u16),
    /// It refused with this exception.
    Refused(u8),
    /// Bytes came that made no whole answer.
    Garbled,
}

/// Something to tell the person who waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScanStep<'a> {
    /// This unit is asked now.
    Asking(u8),
    Found(&'a FoundUnit),
}

/// How long a scan of so many units takes at most when none of them answers.
#[must_use]
pub fn longest_silence(settings: &Settings, units: usize) -> Duration {
    let a_unit = settings.timeout(None) + settings.pause(0);
    let opening = match settings.way {
        Way::Tcp { .. } | Way::RtuOverTcp { .. } => Duration::from_millis(settings.connect_timeout_ms),
        Way::Serial(_) => Duration::ZERO,
    };
    // A line is listened to before the first question.
    opening + settings.timeout(None) + a_unit * u32::try_from(units).unwrap_or(u32::MAX)
}

/// Asks each of `units`, and those that answer for what identifies the `models`.
///
/// # Errors
/// The way to the bus cannot be opened, or not again.
pub async fn scan(
    settings: &Settings,
    units: &[u8],
    models: &[Arc<MeterModel>],
    told: impl FnMut(ScanStep<'_>),
) -> Result<Vec<FoundUnit>, LinkError> {
    scan_over(settings, units, models, dial(&settings.way), told).await
}

pub(super) async fn scan_over(
    settings: &Settings,
    units: &[u8],
    models: &[Arc<MeterModel>],
    dial: Arc<dyn Dial>,
    mut told: impl FnMut(ScanStep<'_>),
) -> Result<Vec<FoundUnit>, LinkError> {
    let mut bus = Bus::new(settings, dial);
    bus.connect().await?;
    let mut found = Vec::new();
    for &unit in units {
        told(ScanStep::Asking(unit));
        let mut visit = Visit::new(&mut bus, unit);
        let Some(first) = visit.first().await? else { continue };
        let models = visit.models(models).await?;
        if models.is_empty() {
            visit.identity().await?;
        }
        let unfinished = visit.is_tired();
        let unit =
            FoundUnit { unit, models, identity: visit.identity.unwrap_or_default(), first, unfinished };
        told(ScanStep::Found(&unit));
        found.push(unit);
    }
    Ok(found)
}

/// Everything asked of one unit.
struct Visit<'a> {
    bus: &'a mut Bus,
    unit: u8,
    terms: Terms,
    answers: BTreeMap<Question, identify::Answer>,
    identity: Option<Vec<(u8, String)>>,
    silent: u32,
}

impl<'a> Visit<'a> {
    fn new(bus: &'a mut Bus, unit: u8) -> Self {
        // What a device tolerates is not known before it is known what it is; the questions are small.
        let limits = Limits { registers_per_request: 2, widest_gap: 0, pause_ms: 0, timeout_ms: None };
        let terms = bus.terms(limits);
        Self { bus, unit, terms, answers: BTreeMap::new(), identity: None, silent: 0 }
    }

    const fn is_tired(&self) -> bool {
        SILENT_MAX <= self.silent
    }

    /// One question; `None` when nothing came.
    async fn ask(&mut self, ask: Ask) -> Result<Option<Result<Answer, ReadError>>, LinkError> {
        self.bus.connect().await?;
        match self.bus.ask(self.unit, ask, self.terms).await {
            Err(ReadError::Timeout | ReadError::Owing | ReadError::Lost(_) | ReadError::Protocol(_)) => {
                self.silent += 1;
                Ok(None)
            }
            answer @ (Ok(_)
            | Err(
                ReadError::Exception { .. } | ReadError::Short { .. } | ReadError::Garbled { .. },
            )) => Ok(Some(answer)),
        }
    }

    /// Whether somebody is there.
    async fn first(&mut self) -> Result<Option<FirstWord>, LinkError> {
        let ask = Ask::Words { space: FIRST.space, address: FIRST.address, count: 1 };
        Ok(match self.ask(ask).await? {
            None => None,
            Some(Ok(Answer::Words(words))) => words.first().copied().map(FirstWord::Holds),
            Some(Ok(Answer::Identity(_))) => None,
            Some(Err(ReadError::Exception { code: 0x0A | 0x0B, .. })) => None,
            Some(Err(ReadError::Exception { code, .. })) => Some(FirstWord::Refused(code)),
            Some(Err(
                ReadError::Short { .. }
                | ReadError::Garbled { .. }
                | ReadError::Timeout
                | ReadError::Owing
                | ReadError::Lost(_)
                | ReadError::Protocol(_),
            )) => Some(FirstWord::Garbled),
        })
    }

    /// The models that the unit shows itself to be.
    async fn models(&mut self, models: &[Arc<MeterModel>]) -> Result<Vec<ModelId>, LinkError> {
        let mut shown = Vec::new();
        for model in models {
            for identification in &model.identify {
                if !identification.checks.is_empty() && self.all_hold(&identification.checks).await? {
                    shown.push(model.id.clone());
                    break;
                }
            }
        }
        Ok(shown)
    }

    async fn all_hold(&mut self, checks: &[Check]) -> Result<bool, LinkError> {
        for check in checks {
            if !check.holds(&self.answer(check.question()).await?) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The answer to a question, asked at most once. A unit that fell silent has none.
    async fn answer(&mut self, question: Question) -> Result<identify::Answer, LinkError> {
        if let Some(known) = self.answers.get(&question) {
            return Ok(known.clone());
        }
        let answer = match question {
            Question::DeviceId { object } => {
                self.identity().await?;
                let objects = self.identity.as_deref().unwrap_or_default();
                match objects.iter().find(|(id, _)| *id == object) {
                    Some((_, text)) => identify::Answer::Object(text.clone()),
                    None => identify::Answer::Refused,
                }
            }
            Question::Registers { .. } if self.is_tired() => identify::Answer::Refused,
            Question::Registers { register, count } => {
                let ask = Ask::Words { space: register.space, address: register.address, count };
                match self.ask(ask).await? {
                    Some(Ok(Answer::Words(words))) => identify::Answer::Words(words),
                    Some(Ok(Answer::Identity(_)) | Err(_)) | None => identify::Answer::Refused,
                }
            }
        };
        self.answers.insert(question, answer.clone());
        Ok(answer)
    }

    /// Asks the unit who it is (function 43), once.
    async fn identity(&mut self) -> Result<(), LinkError> {
        if self.identity.is_some() {
            return Ok(());
        }
        let mut objects = BTreeMap::new();
        for level in [IdentityLevel::Regular, IdentityLevel::Basic] {
            let mut next = Some(0);
            for _ in 0..PAGES_MAX {
                let Some(first) = next.take().filter(|_| !self.is_tired()) else { break };
                if let Some(Ok(Answer::Identity(page))) = self.ask(Ask::Identity { level, first }).await? {
                    objects.extend(page.objects.into_iter().map(|(id, value)| (id, text(&value))));
                    next = page.next.filter(|next| first < *next);
                }
            }
            if !objects.is_empty() {
                break;
            }
        }
        self.identity = Some(objects.into_iter().collect());
        Ok(())
    }
}

/// The printable part of an identification object.
fn text(value: &[u8]) -> String {
    let printable = value.iter().filter(|b| b.is_ascii_graphic() || **b == b' ').map(|b| char::from(*b));
    printable.take(OBJECT_CHARS_MAX).collect::<String>().trim().to_owned()
}
