//! SunSpec devices: finding the chain of their information models, and placing a map into it.
//!
//! Must never: assume where the chain begins or in which order its models stand.

use crate::measure::Measure;
use crate::registers::{Layout, RegisterModel, RegisterRef, Space};
use crate::texts::{Letters, TextForm, TextName, TextPlace, TextRegister};

/// Where the mark may stand (SunSpec Device Information Model Specification, chapter on Modbus base addresses).
pub const BASES: [u16; 3] = [40_000, 50_000, 0];
/// Most models of a chain that are looked at.
pub const MODELS_MAX: usize = 64;

/// `SunS`, the mark at the beginning of the chain.
const MARK: [u16; 2] = [0x5375, 0x6E53];
/// The id of the model that ends the chain.
const END: u16 = 0xFFFF;
/// Registers of a model's header: its id and its length.
pub(crate) const HEADER_WORDS: u16 = 2;
/// The id of the common model, which every device has.
const COMMON: u16 = 1;
/// Texts of the common model, with offset from its header and length in words (SunSpec information model 1: Mn, Md, Vr
/// and SN; what follows them is the device's own address).
const COMMON_TEXTS: [(TextName, u16, u16); 4] = [
    (TextName::Manufacturer, 2, 16),
    (TextName::Model, 18, 16),
    (TextName::Firmware, 42, 8),
    (TextName::SerialNumber, 50, 16),
];

/// One model of a device's chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelAt {
    pub id: u16,
    /// Of its header.
    pub address: u16,
    /// Registers after the header.
    pub length: u16,
}

/// Why a device's chain is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WalkError {
    #[error("no SunSpec mark at register 40000, 50000 or 0: is SunSpec enabled on the device?")]
    NoMark,
    #[error("the chain of SunSpec models ends at its first model, at register {address}")]
    NoModels { address: u16 },
    #[error("the chain of SunSpec models has more than {MODELS_MAX} models or runs beyond register 65535")]
    Endless,
    #[error("the walk along the chain of SunSpec models has not ended")]
    Unfinished,
}

/// Why a map does not fit a device's chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    #[error(
        "the device has none of the SunSpec models {wanted:?}, only {found:?}: choose another meter model"
    )]
    Absent { wanted: Vec<u16>, found: Vec<u16> },
    #[error("{channel} lies at offset {offset}, beyond the {length} registers of SunSpec model {id}")]
    Short { channel: model::Channel, offset: u16, id: u16, length: u16 },
}

/// What every SunSpec device says of itself; addresses count from the header of the common model.
pub fn common_texts() -> impl Iterator<Item = TextRegister> {
    COMMON_TEXTS.iter().map(|(name, offset, words)| TextRegister {
        name: *name,
        place: TextPlace::SunSpec(COMMON),
        register: RegisterRef { space: Space::Holding, address: *offset },
        form: TextForm::Letters(Letters::filling(*words)),
    })
}

/// A walk along a device's chain, one read at a time: ask for what [`Self::next`] wants, [`Self::feed`] the answer,
/// until there is nothing more to ask.
#[derive(Debug, Clone)]
pub struct Walk {
    state: State,
    models: Vec<ModelAt>,
}

#[derive(Debug, Clone)]
enum State {
    /// Looking for the mark at the base of this number.
    Mark(usize),
    /// Wanting the header at this address.
    Header(u16),
    Ended,
    Failed(WalkError),
}

impl Default for Walk {
    fn default() -> Self {
        Self::new()
    }
}

impl Walk {
    #[must_use]
    pub const fn new() -> Self {
        Self { state: State::Mark(0), models: Vec::new() }
    }

    /// The read that is wanted: its first register and how many; `None` when the walk has ended.
    #[must_use]
    pub fn next(&self) -> Option<(RegisterRef, u16)> {
        let at = |address| (RegisterRef { space: Space::Holding, address }, HEADER_WORDS);
        match &self.state {
            State::Mark(base) => BASES.get(*base).copied().map(at),
            State::Header(address) => Some(at(*address)),
            State::Ended | State::Failed(_) => None,
        }
    }

    /// Takes the words of the read that was wanted, `None` when the device refused it. A read that got no answer
    /// at all is not to be fed: it says nothing about the chain.
    pub fn feed(&mut self, words: Option<&[u16]>) {
        let words = match words {
            Some([first, second, ..]) => Some([*first, *second]),
            Some(_) | None => None,
        };
        self.state = match self.state {
            State::Mark(base) if words == Some(MARK) => State::Header(BASES[base] + HEADER_WORDS),
            State::Mark(base) if base + 1 < BASES.len() => State::Mark(base + 1),
            State::Mark(_) => State::Failed(WalkError::NoMark),
            State::Header(address) => self.header(address, words),
            State::Ended | State::Failed(_) => return,
        };
    }

    /// Some devices leave the end mark out and refuse to be read beyond their last model.
    fn header(&mut self, address: u16, words: Option<[u16; 2]>) -> State {
        let Some([id, length]) = words.filter(|[id, _]| *id != END) else {
            return if self.models.is_empty() {
                State::Failed(WalkError::NoModels { address })
            } else {
                State::Ended
            };
        };
        self.models.push(ModelAt { id, address, length });
        let next = address.checked_add(HEADER_WORDS).and_then(|a| a.checked_add(length));
        match next.filter(|next| *next < u16::MAX && self.models.len() < MODELS_MAX) {
            Some(next) => State::Header(next),
            None => State::Failed(WalkError::Endless),
        }
    }

    /// The chain, in the device's order.
    ///
    /// # Errors
    /// There is none, it does not end, or the walk has not ended.
    pub fn result(self) -> Result<Vec<ModelAt>, WalkError> {
        match self.state {
            State::Ended => Ok(self.models),
            State::Failed(error) => Err(error),
            State::Mark(_) | State::Header(_) => Err(WalkError::Unfinished),
        }
    }
}

/// See [`RegisterModel::resolve`].
pub(crate) fn resolve(map: &RegisterModel, chain: &[ModelAt]) -> Result<RegisterModel, ResolveError> {
    let Layout::SunSpec { models } = &map.layout else { return Ok(map.clone()) };
    let Some(at) = chain.iter().find(|at| models.contains(&at.id)) else {
        let found = chain.iter().map(|at| at.id).collect();
        return Err(ResolveError::Absent { wanted: models.clone(), found });
    };
    let measures = map.measures.iter().map(|measure| {
        let offset = measure.span().1;
        let inside = u32::from(offset) < u32::from(at.length) + u32::from(HEADER_WORDS);
        let short = ResolveError::Short { channel: measure.channel, offset, id: at.id, length: at.length };
        moved(measure, at.address).filter(|_| inside).ok_or(short)
    });
    let measures = measures.collect::<Result<_, _>>()?;
    Ok(RegisterModel { layout: Layout::Fixed, measures, ..map.clone() })
}

/// The measure with all its registers moved up; `None` beyond the last register.
fn moved(measure: &Measure, by: u16) -> Option<Measure> {
    let mut measure = measure.clone();
    let up = |register: &mut RegisterRef| {
        register.address = register.address.checked_add(by)?;
        Some(())
    };
    up(&mut measure.register)?;
    measure.plus.iter_mut().try_for_each(|part| up(&mut part.register))?;
    measure.factors.iter_mut().try_for_each(|factor| up(&mut factor.register))?;
    measure.unit_register.iter_mut().try_for_each(|unit| up(&mut unit.register))?;
    Some(measure)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::encoding::Number;
    use crate::measure::tests::measure;
    use crate::registers::tests::limits;

    /// A device that has these words and refuses all others.
    fn walk(device: &BTreeMap<u16, u16>) -> (Result<Vec<ModelAt>, WalkError>, usize) {
        let mut walk = Walk::new();
        let mut reads = 0;
        while let Some((register, count)) = walk.next() {
            reads += 1;
            let words: Option<Vec<u16>> =
                (0..count).map(|i| device.get(&(register.address + i)).copied()).collect();
            walk.feed(words.as_deref());
        }
        (walk.result(), reads)
    }

    fn device(base: u16, chain: &[(u16, u16)], end: bool) -> BTreeMap<u16, u16> {
        let mut words = BTreeMap::from([(base, MARK[0]), (base + 1, MARK[1])]);
        let mut at = base + 2;
        for (id, length) in chain {
            words.extend([(at, *id), (at + 1, *length)]);
            at = at.wrapping_add(2 + length);
        }
        if end {
            words.extend([(at, END), (at + 1, 0)]);
        }
        words
    }

    #[test]
    fn the_chain_is_found_wherever_it_begins() {
        for (base, reads) in [(40_000, 4), (50_000, 5), (0, 6)] {
            let (found, asked) = walk(&device(base, &[(1, 66), (203, 105)], true));
            let common = ModelAt { id: 1, address: base + 2, length: 66 };
            let meter = ModelAt { id: 203, address: base + 70, length: 105 };
            assert_eq!((found, asked), (Ok(vec![common, meter]), reads));
        }
    }

    #[test]
    fn what_is_no_chain_says_so_and_every_walk_ends() {
        assert_eq!(walk(&BTreeMap::new()), (Err(WalkError::NoMark), 3));
        let (found, _) = walk(&device(40_000, &[], true));
        assert_eq!(found, Err(WalkError::NoModels { address: 40_002 }));
        let (found, _) = walk(&device(40_000, &[(1, 66)], false));
        assert_eq!(found.map(|models| models.len()), Ok(1), "the end mark may be left out");
        let (found, reads) = walk(&device(40_000, &[(7, 0); 200], true));
        assert_eq!((found, reads), (Err(WalkError::Endless), 1 + MODELS_MAX));
        assert_eq!(walk(&device(40_000, &[(1, 65_000)], true)).0, Err(WalkError::Endless));
        assert_eq!(Walk::new().result(), Err(WalkError::Unfinished));
    }

    #[test]
    fn a_map_is_placed_where_its_model_stands() {
        let map = RegisterModel {
            statuses: vec![],
            layout: Layout::SunSpec { models: vec![201, 203] },
            limits: limits(100, 16),
            measures: vec![measure(46, Number::Acc32)],
            examples: vec![],
        };
        let chain = [
            ModelAt { id: 1, address: 40_002, length: 66 },
            ModelAt { id: 203, address: 40_070, length: 105 },
        ];
        let placed = map.resolve(&chain).unwrap();
        assert_eq!((placed.measures[0].register.address, placed.layout.clone()), (40_116, Layout::Fixed));
        assert_eq!((map.plan(), placed.plan().len()), (vec![], 1), "an offset is never asked for");
        assert_eq!(placed.resolve(&chain).unwrap(), placed);
        assert!(matches!(map.resolve(&chain[..1]), Err(ResolveError::Absent { .. })));
        let short = [ModelAt { id: 203, address: 40_070, length: 45 }];
        assert!(matches!(map.resolve(&short), Err(ResolveError::Short { offset: 47, .. })));
        let high = [ModelAt { id: 203, address: 65_500, length: 105 }];
        assert!(matches!(map.resolve(&high), Err(ResolveError::Short { .. })));
    }
}
