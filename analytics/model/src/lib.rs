//! The words of the domain as types: ids, civil time, quantities and units, readings, series,
//! projects, findings, provenance. Every other crate speaks in these words.
//!
//! Must never: do I/O, read a clock, be async, derive serde, log. Files, database and wire each
//! own their form and convert at their edge.

pub mod acts;
pub mod filed;
pub mod finding;
pub mod gas;
pub mod grant;
pub mod ids;
pub mod money;
pub mod opening;
pub mod project;
pub mod provenance;
pub mod quantity;
pub mod reading;
pub mod series;
pub mod terms;
pub mod time;

pub use acts::{Act, Adjustment, Confidence, DatedAct, Explanation, MeterAct};
pub use filed::{FiledInterval, FiledTotal};
pub use finding::{Finding, Severity};
pub use gas::{GasBasis, GasCoefficient, GasConversion};
pub use grant::{Event, Events, Grant, Intervention, Statement, Subject, SubjectRole};
pub use ids::{BuildingId, FactorSetId, IdError, MeterId, ModelId, ProjectId, SchemeId, StationId};
pub use money::Euro;
pub use opening::{OpeningHours, Stretch, UseDriver, YearDay};
pub use project::{
    Beneficiary, Building, Calibration, DeclaredValue, Direction, MeterFacts, MeterRole, Project,
    ProjectDates, Use,
};
pub use provenance::{Digest, Provenance};
pub use quantity::{BaseUnit, Carrier, Channel, Kind, Phase, Quantity, Unit};
pub use reading::{
    BillQuality, BilledPeriod, DailyTemperature, MeanDefinition, Origin, Quality, Reading, SeriesKey,
    TemperatureSource, Value,
};
pub use series::{Edge, Interval, Joint, MonthValue, MonthlySeries, Step};
pub use terms::{BaselineMethod, FactorKind, OwnFactor, Plant, ReferenceYear, StatedValue, Tariff, Terms};
pub use time::{Instant, Month, Zone};
