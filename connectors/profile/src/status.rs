//! What a device says of its own state: coils, discrete inputs or bits of a register that must stand as the meter's
//! file says, or its values are not used.
//!
//! Must never: take a state that was not read for a good one.

use std::collections::BTreeMap;

use model::Channel;

use crate::measure::Decoded;
use crate::plan::{Block, merged};
use crate::registers::{BITS_PER_REQUEST_MAX, Layout, ModelError, RegisterModel, RegisterRef};

/// A condition for values of the meter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    pub register: RegisterRef,
    /// The bits that are looked at; 1 for a coil or a discrete input.
    pub mask: u16,
    /// What these bits are while the values can be trusted.
    pub good: u16,
    /// Of which channels; empty for all.
    pub channels: Vec<Channel>,
}

impl Status {
    fn governs(&self, channel: Channel) -> bool {
        self.channels.is_empty() || self.channels.contains(&channel)
    }

    pub(crate) fn check(&self, model: &RegisterModel) -> Result<(), ModelError> {
        let address = self.register.address;
        let bits = if self.register.space.is_bits() { 1 } else { u16::MAX };
        if self.mask == 0 || self.mask & !bits != 0 || self.good & !self.mask != 0 {
            return Err(ModelError::Status { address });
        }
        if model.layout != Layout::Fixed {
            return Err(ModelError::StatusInChain { address });
        }
        let known = |channel: &&Channel| !model.measures.iter().any(|m| m.channel == **channel);
        match self.channels.iter().find(known) {
            Some(channel) => Err(ModelError::StatusOfNothing { address, channel: *channel }),
            None => Ok(()),
        }
    }
}

impl RegisterModel {
    /// The requests for the states; they are made after those for the values, so that a fault that began before
    /// the values were read is seen. Their blocks hold no measures.
    #[must_use]
    pub fn status_plan(&self) -> Vec<Block> {
        let spans: Vec<_> = self
            .statuses
            .iter()
            .map(|status| (status.register.space, (status.register.address, status.register.address)))
            .collect();
        let of_bits = self.limits.registers_per_request.min(BITS_PER_REQUEST_MAX);
        let limits = crate::registers::Limits { registers_per_request: of_bits, ..self.limits };
        merged(&spans, limits).into_iter().map(|block| Block { measures: Vec::new(), ..block }).collect()
    }

    /// What remains of a value when the states are `known`: itself where every state that governs its channel was
    /// read and is good.
    #[must_use]
    pub fn trusted(&self, channel: Channel, decoded: Decoded, known: &BTreeMap<RegisterRef, u16>) -> Decoded {
        let holds_value = matches!(decoded, Decoded::Value(_) | Decoded::Implausible(..));
        let bad =
            self.statuses.iter().filter(|status| holds_value && status.governs(channel)).find_map(|s| {
                let read = known.get(&s.register);
                read.is_none_or(|word| word & s.mask != s.good)
                    .then_some(Decoded::Withheld { by: s.register, read: read.is_some() })
            });
        bad.unwrap_or(decoded)
    }
}

#[cfg(test)]
mod tests {
    use model::{Quantity, Value};

    use super::*;
    use crate::encoding::Number;
    use crate::measure::tests::measure;
    use crate::registers::{Space, tests::limits};

    const FAULT: RegisterRef = RegisterRef { space: Space::Discrete, address: 7 };
    const STATE: RegisterRef = RegisterRef { space: Space::Input, address: 90 };

    fn model(statuses: Vec<Status>) -> RegisterModel {
        RegisterModel {
            layout: Layout::Fixed,
            limits: limits(10, 4),
            measures: vec![measure(0, Number::U32)],
            statuses,
            examples: vec![],
        }
    }

    fn status(register: RegisterRef, mask: u16, good: u16) -> Status {
        Status { register, mask, good, channels: Vec::new() }
    }

    #[test]
    fn a_value_counts_only_under_states_that_were_read_and_are_good() {
        let energy = Channel::total(Quantity::ActiveEnergyImport);
        let model = model(vec![status(FAULT, 1, 0), status(STATE, 0x00F0, 0x0010)]);
        assert_eq!(model.check(), Ok(()));
        let value = Decoded::Value(Value::Total(5));
        let withheld = |by, read| Decoded::Withheld { by, read };
        let cases: [(&[(RegisterRef, u16)], Decoded); 5] = [
            (&[(FAULT, 0), (STATE, 0xFF1F)], value),
            (&[(FAULT, 1), (STATE, 0xFF1F)], withheld(FAULT, true)),
            (&[(FAULT, 0), (STATE, 0xFF2F)], withheld(STATE, true)),
            (&[(STATE, 0xFF1F)], withheld(FAULT, false)),
            (&[], withheld(FAULT, false)),
        ];
        for (known, expected) in cases {
            let known = known.iter().copied().collect();
            assert_eq!(model.trusted(energy, value, &known), expected, "{known:?}");
            assert_eq!(model.trusted(energy, Decoded::Missing, &known), Decoded::Missing);
        }
    }

    #[test]
    fn a_state_may_govern_some_channels_only() {
        let energy = Channel::total(Quantity::ActiveEnergyImport);
        let mut model = model(vec![Status { channels: vec![energy], ..status(FAULT, 1, 0) }]);
        let value = Decoded::Value(Value::Gauge(5.0));
        let power = Channel::total(Quantity::ActivePower);
        assert_eq!(model.trusted(power, value, &BTreeMap::new()), value);
        model.statuses[0].channels = vec![power];
        assert_eq!(model.check(), Err(ModelError::StatusOfNothing { address: 7, channel: power }));
    }

    #[test]
    fn states_lie_together_in_few_requests_and_never_with_values() {
        let at = |space, address| status(RegisterRef { space, address }, 1, 1);
        let model = model(vec![
            at(Space::Coil, 3),
            at(Space::Discrete, 0),
            at(Space::Discrete, 5),
            at(Space::Discrete, 11),
        ]);
        let plan: Vec<_> = model
            .status_plan()
            .into_iter()
            .map(|b| (b.space, b.address, b.count, b.measures.len()))
            .collect();
        assert_eq!(plan, [(Space::Coil, 3, 1, 0), (Space::Discrete, 0, 6, 0), (Space::Discrete, 11, 1, 0)]);
        assert_eq!(model.plan().len(), 1);
    }

    #[test]
    fn a_state_that_cannot_be_is_refused() {
        for (register, mask, good) in [(FAULT, 2, 0), (FAULT, 0, 0), (FAULT, 1, 2), (STATE, 0x0F, 0x10)] {
            let address = register.address;
            assert_eq!(
                model(vec![status(register, mask, good)]).check(),
                Err(ModelError::Status { address })
            );
        }
        let chained = RegisterModel {
            layout: Layout::SunSpec { models: vec![203] },
            ..model(vec![status(FAULT, 1, 0)])
        };
        assert_eq!(chained.check(), Err(ModelError::StatusInChain { address: 7 }));
    }
}
