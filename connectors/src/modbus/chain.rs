//! Where the registers of a device are: as the meter's file says, or where its chain of SunSpec models puts them.
//!
//! Must never: use the places of one session in the next; a device may have been set up anew meanwhile.

use profile::sunspec::{ModelAt, Walk};
use profile::{Layout, RegisterModel};

use super::ask::{Answer, Ask};
use super::line::Terms;
use super::narrow::{Planned, planned};
use super::session::ReadError;
use super::sweep::{Bus, unit_is_away};

/// The registers of a device with the requests they take.
#[derive(Debug, Clone)]
pub(super) struct Map {
    /// With absolute addresses; `None` while the chain was not walked.
    pub(super) registers: Option<RegisterModel>,
    pub(super) plan: Vec<Planned>,
    /// The device's SunSpec models; none for maps without a chain.
    pub(super) chain: Vec<ModelAt>,
    /// The session in which the chain was walked; 0 for maps without one.
    session: u64,
}

/// Why a device could not be placed.
#[derive(Debug)]
pub(super) enum ChainError {
    /// The device did not answer a question on the way.
    Read(Ask, ReadError),
    /// It answered, and has no chain, or one without the registers that are wanted.
    Unfit(Box<dyn std::error::Error + Send + Sync>),
}

impl Map {
    pub(super) fn of(registers: &RegisterModel) -> Self {
        match registers.layout {
            Layout::Fixed => Self::placed(registers.clone(), Vec::new(), 0),
            Layout::SunSpec { .. } => {
                Self { registers: None, plan: Vec::new(), chain: Vec::new(), session: 0 }
            }
        }
    }

    fn placed(registers: RegisterModel, chain: Vec<ModelAt>, session: u64) -> Self {
        let plan = planned(registers.plan());
        Self { registers: Some(registers), plan, chain, session }
    }

    /// Whether the device is to be asked where its registers are.
    pub(super) const fn is_stale(&self, registers: &RegisterModel, session: u64) -> bool {
        match registers.layout {
            Layout::Fixed => false,
            Layout::SunSpec { .. } => self.registers.is_none() || self.session != session,
        }
    }
}

/// Walks the chain of a device and places `registers` in it.
pub(super) async fn place(
    bus: &mut Bus,
    unit: u8,
    registers: &RegisterModel,
    terms: Terms,
) -> Result<Map, ChainError> {
    let mut walk = Walk::new();
    while let Some((register, count)) = walk.next() {
        let ask = Ask::Words { space: register.space, address: register.address, count };
        match bus.ask(unit, ask, terms).await {
            Ok(Answer::Words(words)) => walk.feed(Some(&words)),
            // A refusal that may have been meant for another question says nothing about the chain.
            Err(ReadError::Exception { code, sure: true }) if !unit_is_away(code) => walk.feed(None),
            Err(ReadError::Short { .. }) | Ok(Answer::Identity(_)) => walk.feed(None),
            Err(
                error @ (ReadError::Exception { .. }
                | ReadError::Timeout
                | ReadError::Owing
                | ReadError::Garbled { .. }
                | ReadError::Lost(_)
                | ReadError::Protocol(_)),
            ) => return Err(ChainError::Read(ask, error)),
        }
    }
    let chain = walk.result().map_err(|error| ChainError::Unfit(Box::new(error)))?;
    let placed = registers.resolve(&chain).map_err(|error| ChainError::Unfit(Box::new(error)))?;
    Ok(Map::placed(placed, chain, bus.session_number()))
}
