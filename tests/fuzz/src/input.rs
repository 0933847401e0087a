//! Bytes of the fuzzer as choices: numbers until they run out, then zeros.
//!
//! Must never: fail on any bytes.

/// What is left of an input.
#[derive(Debug, Clone)]
pub struct Input<'a> {
    bytes: &'a [u8],
}

impl<'a> Input<'a> {
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub fn u8(&mut self) -> u8 {
        let Some((first, rest)) = self.bytes.split_first() else { return 0 };
        self.bytes = rest;
        *first
    }

    pub fn u16(&mut self) -> u16 {
        u16::from_be_bytes([self.u8(), self.u8()])
    }

    pub fn u64(&mut self) -> u64 {
        (0..4).fold(0, |number, _| (number << 16) | u64::from(self.u16()))
    }

    /// A number below `end`, which must not be 0.
    pub fn below(&mut self, end: usize) -> usize {
        let chosen = if end <= 256 { usize::from(self.u8()) } else { usize::from(self.u16()) };
        chosen % end
    }

    /// So many bytes, fewer where there are no more.
    pub fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.bytes.split_at(count.min(self.bytes.len()));
        self.bytes = rest;
        taken
    }

    #[must_use]
    pub const fn rest(self) -> &'a [u8] {
        self.bytes
    }
}
