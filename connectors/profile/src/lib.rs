//! What a meter's file means: which registers to ask for, and what registers and payloads say.
//!
//! Must never: open a socket, read a clock or a file, or derive serde. Bytes and words come in as
//! arguments; values, or the reason why there is none, go out.

pub mod decimal;
pub mod dump;
pub mod encoding;
pub mod example;
pub mod identify;
pub mod json;
pub mod mbus;
pub mod measure;
pub mod payload;
pub mod plan;
pub mod pulse;
pub mod registers;
pub mod sparkplug;
mod status;
pub mod sunspec;
pub mod texts;

use model::ModelId;

pub use decimal::Decimal;
pub use dump::{Dump, DumpError, Shown};
pub use encoding::{Encoding, Number, WordOrder};
pub use example::{ExampleError, Expected};
pub use identify::{Check, Identification};
pub use mbus::{
    MBusExample, MBusModel, MBusModelError, RecordFunction, RecordKey, RecordKind, RecordMeasure,
};
pub use measure::{Decoded, Factor, FactorRule, Measure, Part, UnitCode, UnitRegister};
pub use payload::{
    Availability, BindError, Bound, BoundAvailability, BoundMessage, Field, Form, Message, PayloadError,
    PayloadExample, PayloadModel, Presence, TimeField, TimeForm, When,
};
pub use plan::{Block, plan};
pub use pulse::{PulseError, PulseExample, PulseInput, PulseModel, PulseUse};
pub use registers::{Layout, Limits, ModelError, Range, RegisterExample, RegisterModel, RegisterRef, Space};
pub use status::Status;
pub use texts::{Letters, TextForm, TextName, TextPlace, TextRegister};

/// How well the file of a meter is known to be right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EvidenceLevel {
    /// Written from one uncertain source: usable, but its readings are refused for a report until registers of a
    /// real meter have proved them.
    Experimental,
    /// Written from the maker's paper or agreeing community sources; never seen with a real meter.
    Datasheet,
    /// Read from a real meter on a table.
    Bench,
    /// Read from a real meter in a building and compared with its display.
    Field,
}

impl EvidenceLevel {
    pub const ALL: [Self; 4] = [Self::Experimental, Self::Datasheet, Self::Bench, Self::Field];

    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Experimental => "experimental",
            Self::Datasheet => "datasheet",
            Self::Bench => "bench",
            Self::Field => "field",
        }
    }

    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.code() == code)
    }
}

/// Where the facts of a meter's file come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    pub level: EvidenceLevel,
    /// Manuals and public sources, one a line.
    pub sources: Vec<String>,
    /// Whether a dump of one meter says nothing of others of this model, since their units are set one by one and no
    /// register says them.
    pub each_meter: bool,
}

/// By which means a meter speaks.
#[derive(Debug, Clone, PartialEq)]
pub enum Interface {
    /// Registers that are asked for (Modbus).
    Registers(RegisterModel),
    /// Messages that arrive (MQTT).
    Payloads(Box<PayloadModel>),
    /// Telegrams that are asked for (wired M-Bus).
    MBus(MBusModel),
    /// Registers that count the pulses of meters the file does not know.
    Pulses(PulseModel),
}

/// One meter model: one file of the catalogue.
#[derive(Debug, Clone, PartialEq)]
pub struct MeterModel {
    pub id: ModelId,
    /// Ids this file was known by before; installations that use them keep loading.
    pub replaces: Vec<ModelId>,
    pub maker: String,
    pub name: String,
    pub evidence: Evidence,
    /// What a person who installs this meter must know, one sentence each.
    pub caveats: Vec<String>,
    /// The ways in which a device shows that it is of this model: any one of them suffices. Empty where the maker
    /// gives none.
    pub identify: Vec<Identification>,
    /// What the device holds of itself, for a person to read.
    pub texts: Vec<TextRegister>,
    pub interface: Interface,
}

impl MeterModel {
    /// The register side, for a Modbus meter.
    #[must_use]
    pub fn registers(&self) -> Option<&RegisterModel> {
        match &self.interface {
            Interface::Registers(model) => Some(model),
            Interface::Payloads(_) | Interface::MBus(_) | Interface::Pulses(_) => None,
        }
    }

    /// The payload side, for an MQTT meter.
    #[must_use]
    pub fn payloads(&self) -> Option<&PayloadModel> {
        match &self.interface {
            Interface::Payloads(model) => Some(model),
            Interface::Registers(_) | Interface::MBus(_) | Interface::Pulses(_) => None,
        }
    }

    /// The telegram side, for an M-Bus meter.
    #[must_use]
    pub fn mbus(&self) -> Option<&MBusModel> {
        match &self.interface {
            Interface::MBus(model) => Some(model),
            Interface::Registers(_) | Interface::Payloads(_) | Interface::Pulses(_) => None,
        }
    }

    /// The inputs, for a pulse counter that was not told yet what it counts.
    #[must_use]
    pub fn pulses(&self) -> Option<&PulseModel> {
        match &self.interface {
            Interface::Pulses(model) => Some(model),
            Interface::Registers(_) | Interface::Payloads(_) | Interface::MBus(_) => None,
        }
    }

    /// Every channel the meter can report, in the order of its file. A pulse counter has none before
    /// [`Self::counting`].
    #[must_use]
    pub fn channels(&self) -> Vec<model::Channel> {
        match &self.interface {
            Interface::Registers(m) => m.measures.iter().map(|measure| measure.channel).collect(),
            Interface::Payloads(m) => m.fields.iter().map(|field| field.channel).collect(),
            Interface::MBus(m) => m.measures.iter().map(|measure| measure.channel).collect(),
            Interface::Pulses(_) => Vec::new(),
        }
    }

    /// The step in which the register of a total counts, in smallest units; `None` where the file does not say it.
    #[must_use]
    pub fn resolution(&self, channel: model::Channel) -> Option<i64> {
        match &self.interface {
            Interface::Registers(m) => m.measures.iter().find(|m| m.channel == channel)?.resolution(),
            Interface::MBus(m) => Some(m.measures.iter().find(|m| m.channel == channel)?.step),
            Interface::Payloads(_) | Interface::Pulses(_) => None,
        }
    }

    /// The count in smallest units at which the register of a total begins again; `None` where the file does not
    /// say it.
    #[must_use]
    pub fn wraps_at(&self, channel: model::Channel) -> Option<i64> {
        match &self.interface {
            Interface::Registers(m) => m.measures.iter().find(|m| m.channel == channel)?.wraps_at(),
            Interface::MBus(_) | Interface::Payloads(_) | Interface::Pulses(_) => None,
        }
    }

    /// Decodes the file's own examples and compares.
    ///
    /// # Errors
    /// The first example that does not decode to what the file says, or that could not tell a wrong address.
    pub fn prove(&self) -> Result<(), ExampleError> {
        example::prove(self)
    }
}
