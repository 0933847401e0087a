//! The pages of the facility manager: overview, building, meter, alarms, and the display for a building's users.
//!
//! Must never: compute; what is compared, learned or judged comes ready from `analytics` through [`Watch`].

pub(crate) mod alarms;
pub(crate) mod api;
pub(crate) mod api_meter;
pub(crate) mod building;
pub(crate) mod charts;
pub(crate) mod kiosk;
pub(crate) mod meter;
pub(crate) mod overview;

use std::sync::Arc;

use analytics::counter::Decision;
use analytics::forecast::{Needed, Outlook};
use analytics::text::Texts;
use analytics::watch::Carpet;
use analytics::watch::alarm::AlarmKind;
use analytics::watch::base_load::BaseLoad;
use analytics::watch::pace::Pace;
use analytics::watch::span::{Compared, Span};
use analytics::watch::usual::Expectation;
use chrono::NaiveDate;
use model::{
    BuildingId, Carrier, Channel, Direction, Instant, MeterAct, MeterFacts, MeterId, MeterRole, Origin,
    Project, ProjectId, Value,
};

use crate::backend::{BuildingLive, MeterHealth, MeterState};
use crate::pages::Words;

/// What the facility manager's pages ask of the daemon. Calls that may ask the disk say so.
pub trait Watch: Send + Sync + 'static {
    /// Every building, in the order of the projects.
    fn buildings(&self) -> Vec<BuildingNow>;
    /// One building in full. May ask the disk.
    fn building(&self, ask: &BuildingAsk) -> Option<BuildingView>;
    /// Power of a building's electricity meters over the last day. May ask the disk.
    fn power(&self, project: &ProjectId, building: &BuildingId) -> Option<Plot>;
    /// Hours of a carrier over the last thirteen weeks.
    fn hours(&self, project: &ProjectId, building: &BuildingId, carrier: Carrier) -> Option<Plot>;
    /// One meter in full. May ask the disk.
    fn meter(&self, id: &MeterId) -> Option<MeterView>;
    /// Newest first. May ask the disk.
    fn alarms(&self) -> Vec<AlarmView>;
    /// How many are raised and not acknowledged.
    fn alarms_open(&self) -> usize;
    /// Whether everyone may see the display of this building.
    fn is_public(&self, project: &ProjectId, building: &BuildingId) -> bool;
    /// Puts on record what a person says about a meter. Asks the disk.
    ///
    /// # Errors
    /// Why it is refused.
    fn say(&self, meter: &MeterId, said: &MeterSaid, author: &str) -> Result<(), ActRefused>;
    /// Acknowledges an alarm with a note. Asks the disk.
    ///
    /// # Errors
    /// Why it is refused.
    fn acknowledge(&self, alarm: i64, note: &str, author: &str) -> Result<(), ActRefused>;
}

/// A person's word was not put on record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ActRefused {
    /// `code` names the reader's sentence (`page.act.refused.<code>`); `says` is the cause in the program's words.
    #[error("{says}")]
    Unusable { code: &'static str, says: String },
    #[error("the store cannot take it now")]
    Busy,
}

/// What a person says about a meter, as typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MeterSaid {
    Exchanged {
        at: String,
        closing: String,
        opening: String,
        reason: String,
    },
    /// `sure`: also where the readings around it do not follow from the total.
    Corrected {
        at: String,
        total: String,
        sure: bool,
        reason: String,
    },
    Explained {
        at: String,
        explanation: String,
        reason: String,
    },
    Withdrawn {
        at: String,
        reason: String,
    },
}

/// A building now.
#[derive(Debug, Clone)]
pub struct BuildingNow {
    pub project: Arc<Project>,
    pub building: BuildingId,
    pub name: String,
    pub live: BuildingLive,
    /// Of each carrier that is read live.
    pub today: Vec<CarrierToday>,
    /// The month in progress beside the baseline, by carrier.
    pub pace: Vec<(Carrier, Pace)>,
    pub target: Option<TargetPace>,
    /// Meters of the building by health.
    pub health: [(MeterHealth, usize); 3],
    /// Alarms about it, or about its meters and links, that are raised.
    pub alarms: usize,
}

/// A carrier's use today.
#[derive(Debug, Clone, PartialEq)]
pub struct CarrierToday {
    pub carrier: Carrier,
    /// Since midnight, in display units; `None` when not enough of it was measured.
    pub measured: Option<f64>,
    /// What is usual up to this minute, and for the whole day.
    pub expected_now: Option<Expectation>,
    pub expected_day: Option<Expectation>,
    /// The outdoor temperature that was taken, °C, and the day it was measured on.
    pub outdoor: Option<(f64, NaiveDate)>,
}

/// How the project's first target stands.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetPace {
    /// Key of the KPI's name in the texts.
    pub text: String,
    pub unit: &'static str,
    pub target: f64,
    /// Of the whole months up to `counted_to`.
    pub so_far: Option<f64>,
    /// Last day of the last whole month that counts.
    pub counted_to: NaiveDate,
    /// Reporting months that are not over.
    pub months_left: u32,
    pub expected: Option<f64>,
    pub needed: Option<Needed>,
    pub outlook: Outlook,
}

/// Which view of which building.
#[derive(Debug, Clone, PartialEq)]
pub struct BuildingAsk {
    pub project: ProjectId,
    pub building: BuildingId,
    /// The first one of the building when it has no such carrier.
    pub carrier: Option<Carrier>,
    /// `day`, `week`, `month` or `year`.
    pub kind: String,
    /// A day of the span; today when `None` or to come.
    pub on: Option<NaiveDate>,
}

/// One building in full.
#[derive(Debug, Clone)]
pub struct BuildingView {
    pub now: BuildingNow,
    pub meters: Vec<MeterNow>,
    pub carriers: Vec<Carrier>,
    pub carrier: Carrier,
    pub today: NaiveDate,
    pub span: Span,
    pub compared: Compared,
    /// The first day with readings: nothing is to be seen before.
    pub first_day: Option<NaiveDate>,
    pub carpet: Carpet,
    pub signature: Option<Signature>,
    pub base_load: Option<BaseLoad>,
    pub own: Option<OwnEnergy>,
}

/// A meter on its building's page.
#[derive(Debug, Clone, PartialEq)]
pub struct MeterNow {
    pub id: MeterId,
    pub name: String,
    pub carrier: Carrier,
    pub direction: Direction,
    pub role: MeterRole,
    /// `None` for a meter that this installation does not read.
    pub health: Option<MeterHealth>,
    /// In W; of meters of electricity.
    pub power_w: Option<f64>,
    /// Since midnight, in display units.
    pub today: Option<f64>,
    pub last_reading_at: Option<Instant>,
}

/// Use of a day against its outdoor temperature.
#[derive(Debug, Clone, PartialEq)]
pub struct Signature {
    /// Of the last year without this week: °C, energy in display units.
    pub days: Vec<(f64, f64)>,
    /// Of the last seven complete days.
    pub week: Vec<(NaiveDate, f64, f64)>,
    /// The law of what is used now; empty without one.
    pub law: Vec<(f64, f64)>,
}

/// What was produced on site in the span, in kWh; each `None` when not enough of it was measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OwnEnergy {
    pub produced: Option<f64>,
    pub exported: Option<f64>,
    pub imported: Option<f64>,
    /// Produced less exported.
    pub self_consumed: Option<f64>,
}

/// Columns for a zoomable chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Plot {
    pub unit: &'static str,
    pub zone: model::Zone,
    pub at: Vec<Instant>,
    /// Key, name, values as long as `at`.
    pub series: Vec<(String, String, Vec<Option<f64>>)>,
}

/// One meter in full.
#[derive(Debug, Clone)]
pub struct MeterView {
    pub state: MeterState,
    pub zone: model::Zone,
    /// What a project says of it; nothing can be said about a meter that no project counts on.
    pub facts: Option<MeterFacts>,
    pub place: Option<(Arc<Project>, BuildingId)>,
    /// Newest first.
    pub decisions: Vec<Decision>,
    /// Newest first.
    pub acts: Vec<MeterAct>,
    /// Newest first: the last totals as they were read.
    pub readings: Vec<(Instant, i64)>,
    /// Latest instant first: second values of one quantity, instant and origin, of which the first one stands.
    pub aside: Vec<PutAside>,
}

/// A value that was put aside because another one stands in its place; both in the unit of the quantity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PutAside {
    pub channel: Channel,
    pub at: Instant,
    pub kept: Value,
    pub refused: Value,
    pub origin: Origin,
    pub received_at: Instant,
}

/// An alarm as shown.
#[derive(Debug, Clone, PartialEq)]
pub struct AlarmView {
    pub id: i64,
    pub kind: AlarmKind,
    pub subject: String,
    pub raised_at: Instant,
    /// `None` while it lasts.
    pub ended_at: Option<Instant>,
    /// Names and values of its sentence.
    pub details: Vec<(String, String)>,
    pub acknowledged: Option<Acknowledged>,
}

/// An alarm's sentence in a language, for letters.
#[must_use]
pub fn sentence(texts: &Arc<Texts>, alarm: &AlarmView, zone: model::Zone) -> String {
    alarms::says(&Words::new(Arc::clone(texts)), alarm, zone)
}

/// An instant as readers of a language write it.
#[must_use]
pub fn instant(texts: &Arc<Texts>, at: Instant, zone: model::Zone) -> String {
    Words::new(Arc::clone(texts)).date_time(at, zone)
}

/// Who took notice of an alarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledged {
    pub by: String,
    pub at: Instant,
    pub note: String,
}
