//! A look around a bus: which units answer, and which model each one is.
//!
//! Must never: write, ask a unit that is silent for more, or go on without a limit.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use model::ModelId;
use profile::identify::{self, Question};
use profile::sunspec::{ModelAt, Walk, common_texts};
use profile::{Check, Layout, Limits, MeterModel, RegisterRef, Space, TextName};

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
    /// What its chain of SunSpec models says, where it has one.
    pub sunspec: Option<SunSpec>,
    /// Its own identification (function 43): object number and text.
    pub identity: Vec<(u8, String)>,
    /// What it said to the first holding register.
    pub first: FirstWord,
    /// It stopped answering, so that not every model was tried.
    pub unfinished: bool,
}

/// A unit's chain of SunSpec models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SunSpec {
    /// Their ids, in the unit's order.
    pub ids: Vec<u16>,
    /// What its common model says of it.
    pub texts: Vec<(TextName, String)>,
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
        let mut shown = visit.models(models).await?;
        let sunspec = visit.sunspec().await?;
        if shown.is_empty() {
            visit.identity().await?;
            let ids = sunspec.as_ref().map(|chain| chain.ids.as_slice()).unwrap_or_default();
            shown = of_chain(models, ids);
        }
        let unfinished = visit.is_tired();
        let identity = visit.identity.unwrap_or_default();
        let unit = FoundUnit { unit, models: shown, sunspec, identity, first, unfinished };
        told(ScanStep::Found(&unit));
        found.push(unit);
    }
    Ok(found)
}

/// The catalogue's maps for a chain with these models.
fn of_chain(models: &[Arc<MeterModel>], ids: &[u16]) -> Vec<ModelId> {
    let fits = |model: &&Arc<MeterModel>| match model.registers().map(|map| &map.layout) {
        Some(Layout::SunSpec { models }) => ids.iter().any(|id| models.contains(id)),
        Some(Layout::Fixed) | None => false,
    };
    models.iter().filter(fits).map(|model| model.id.clone()).collect()
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

    /// Walks the unit's chain of SunSpec models and reads what the common one says; `None` without a chain, or when
    /// the unit fell silent on the way.
    async fn sunspec(&mut self) -> Result<Option<SunSpec>, LinkError> {
        let mut walk = Walk::new();
        while let Some((register, count)) = walk.next() {
            match self.words(register, count).await? {
                Some(answer) => walk.feed(answer.as_deref()),
                None => return Ok(None),
            }
        }
        let Ok(chain) = walk.result() else { return Ok(None) };
        let texts = self.common(&chain).await?;
        Ok(Some(SunSpec { ids: chain.iter().map(|model| model.id).collect(), texts }))
    }

    async fn common(&mut self, chain: &[ModelAt]) -> Result<Vec<(TextName, String)>, LinkError> {
        let mut texts = Vec::new();
        for text in common_texts().filter_map(|text| text.placed(chain)) {
            if let Some(Some(words)) = self.words(text.register, text.words()).await? {
                texts.push((text.name, text.read(&words)));
            }
        }
        texts.retain(|(_, text)| !text.is_empty());
        Ok(texts)
    }

    /// Registers of a chain; inside `None` when the unit says that it does not have them. Outside `None` when nothing
    /// came that says so, after which the chain is not known.
    async fn words(
        &mut self,
        register: RegisterRef,
        count: u16,
    ) -> Result<Option<Option<Vec<u16>>>, LinkError> {
        if self.is_tired() {
            return Ok(None);
        }
        let ask = Ask::Words { space: register.space, address: register.address, count };
        Ok(match self.ask(ask).await? {
            Some(Ok(Answer::Words(words))) => Some(Some(words)),
            Some(Err(ReadError::Exception { sure: true, .. } | ReadError::Short { .. })) => Some(None),
            Some(Ok(Answer::Identity(_)) | Err(_)) | None => None,
        })
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
