//! One reading of a meter: it is called, asked for its telegrams, and what they say is put together.
//!
//! Must never: take an answer of another meter, or use a session again after anything but an answer.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use model::Instant;
use profile::mbus::{Identity, Picked, Rest, Telegram, records};
use tokio::time::Instant as Tick;

use super::address::Address;
use super::fault::{MBusError, MBusTarget};
use super::session::{AskError, Request, SELECTED, Session};
use super::{Settings, Slave};
use crate::error::LinkError;
use crate::inbox::Clock;
use crate::wire::Dial;

/// What a reading brought.
#[derive(Debug)]
pub(super) struct Readout {
    /// One instant for all values: just before the first request.
    pub(super) observed_at: Instant,
    pub(super) identity: Identity,
    pub(super) values: Vec<Picked>,
    /// Where the records could not be read to their end.
    pub(super) unreadable: bool,
    pub(super) power_low: bool,
}

/// The connection of a link, open or not.
#[derive(Debug)]
pub(super) struct Bus {
    at: String,
    timeout: Duration,
    connect_timeout: Duration,
    pause: Duration,
    dial: Arc<dyn Dial>,
    session: Option<Session>,
    last_request: Option<Tick>,
}

impl Bus {
    pub(super) fn new(settings: &Settings, dial: Arc<dyn Dial>) -> Self {
        Self {
            at: settings.place().to_owned(),
            timeout: Duration::from_millis(settings.timeout_ms),
            connect_timeout: Duration::from_millis(settings.connect_timeout_ms),
            pause: Duration::from_millis(settings.pause_ms),
            dial,
            session: None,
            last_request: None,
        }
    }

    pub(super) const fn is_open(&self) -> bool {
        self.session.is_some()
    }

    /// Opens a session unless there is one.
    pub(super) async fn connect(&mut self) -> Result<(), LinkError> {
        if self.session.is_some() {
            return Ok(());
        }
        let address = self.at.clone();
        match Session::open(&*self.dial, &address, self.connect_timeout).await {
            Ok(session) => {
                self.session = Some(session);
                Ok(())
            }
            Err(source) if source.kind() == io::ErrorKind::ConnectionRefused => {
                Err(LinkError::Refused { address, source })
            }
            Err(source) if source.kind() == io::ErrorKind::TimedOut => {
                Err(LinkError::ConnectTimeout { address, timeout_ms: millis(self.connect_timeout) })
            }
            Err(source) => Err(LinkError::Unreachable { address, source }),
        }
    }

    /// Reads a meter once. After a failure of the wire the session is gone.
    pub(super) async fn read(&mut self, slave: &Slave, clock: &dyn Clock) -> Result<Readout, MBusError> {
        let observed_at = clock.now();
        let target = MBusTarget {
            meter: slave.meter.clone(),
            at: self.at.clone(),
            address: slave.address.to_string(),
        };
        let read = self.telegrams(slave, observed_at, &target).await;
        if read.as_ref().is_err_and(|error| !error.keeps_session()) {
            self.session = None;
        }
        read
    }

    async fn telegrams(
        &mut self,
        slave: &Slave,
        observed_at: Instant,
        target: &MBusTarget,
    ) -> Result<Readout, MBusError> {
        let address = self.call(slave.address, target).await?;
        let Some(model) = slave.model.mbus() else {
            return Err(MBusError::Garbled { target: Box::new(target.clone()), says: "no model".to_owned() });
        };
        let mut found = Vec::new();
        let mut frame_count_bit = true;
        let mut first: Option<(Identity, bool)> = None;
        let mut unreadable = false;
        for _ in 0..model.telegrams {
            let frame = self.ask(Request::Ask { address, frame_count_bit }, target).await?;
            let telegram = Telegram::parse(&frame)
                .map_err(|source| MBusError::Telegram { target: Box::new(target.clone()), source })?;
            let identity = telegram.identity;
            let is_meant = match slave.address {
                Address::Primary(primary) => telegram.address == primary,
                Address::Secondary(secondary) => secondary.matches(&identity),
            };
            if !is_meant || first.is_some_and(|(before, _)| before != identity) {
                let answered = format!("primary {}, {identity}", telegram.address);
                return Err(MBusError::Foreign { target: Box::new(target.clone()), answered });
            }
            if let Some(says) = telegram.status.trouble() {
                return Err(MBusError::Trouble { target: Box::new(target.clone()), says });
            }
            let power_low = telegram.status.is_power_low();
            first = Some((identity, power_low));
            let (more, rest) = records(telegram.body);
            found.extend(more);
            unreadable |= matches!(rest, Rest::Unreadable { .. });
            if rest != Rest::MoreFollow || model.is_satisfied(&found) {
                break;
            }
            frame_count_bit = !frame_count_bit;
        }
        let Some((identity, power_low)) = first else {
            return Err(MBusError::Garbled { target: Box::new(target.clone()), says: "nothing".to_owned() });
        };
        Ok(Readout { observed_at, identity, values: model.pick(&found), unreadable, power_low })
    }

    /// Makes the meter listen, and returns the address under which it does.
    async fn call(&mut self, address: Address, target: &MBusTarget) -> Result<u8, MBusError> {
        match address {
            Address::Primary(address) => {
                self.acknowledged(Request::Reset { address }, target).await?;
                Ok(address)
            }
            Address::Secondary(secondary) => {
                // Whoever was selected before is dismissed; nobody need have been.
                match self.acknowledged(Request::Reset { address: SELECTED }, target).await {
                    Ok(()) | Err(MBusError::Timeout { .. }) => {}
                    Err(error) => return Err(error),
                }
                self.acknowledged(Request::Select(secondary), target).await?;
                Ok(SELECTED)
            }
        }
    }

    async fn acknowledged(&mut self, request: Request, target: &MBusTarget) -> Result<(), MBusError> {
        let limit = self.timeout;
        let answer = match self.ready().await {
            Ok(session) => session.acknowledged(request, limit).await,
            Err(error) => Err(error),
        };
        self.last_request = Some(Tick::now());
        answer.map_err(|error| self.fault(error, target))
    }

    async fn ask(&mut self, request: Request, target: &MBusTarget) -> Result<Vec<u8>, MBusError> {
        let limit = self.timeout;
        let answer = match self.ready().await {
            Ok(session) => session.telegram(request, limit).await,
            Err(error) => Err(error),
        };
        self.last_request = Some(Tick::now());
        answer.map_err(|error| self.fault(error, target))
    }

    /// The session, once the bus has had its rest.
    async fn ready(&mut self) -> Result<&mut Session, AskError> {
        if let Some(last) = self.last_request {
            tokio::time::sleep_until(last + self.pause).await;
        }
        self.session.as_mut().ok_or_else(|| AskError::Lost(io::ErrorKind::NotConnected.into()))
    }

    fn fault(&self, error: AskError, target: &MBusTarget) -> MBusError {
        let target = Box::new(target.clone());
        match error {
            AskError::Timeout => MBusError::Timeout { target, timeout_ms: millis(self.timeout) },
            AskError::Lost(source) => MBusError::Lost { target, source },
            AskError::Garbled(says) => MBusError::Garbled { target, says },
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
