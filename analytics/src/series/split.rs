//! Splitting an integer amount over time so that the parts add up to it exactly.
//!
//! Must never: round each part on its own.

/// Hands out parts of an amount in proportion to time, by rounding the cumulated share: every cumulated sum is
/// within half a unit of its exact share, and the last one is the amount.
#[derive(Debug, Clone)]
pub struct Splitter {
    amount: i64,
    length: i64,
    given: i64,
}

impl Splitter {
    /// `length` is the whole span; when it is not positive the first part is everything.
    #[must_use]
    pub fn new(amount: i64, length: i64) -> Self {
        Self { amount, length, given: 0 }
    }

    /// The part between the last call's end and `end`, counted from the beginning of the span.
    pub fn part_until(&mut self, end: i64) -> i64 {
        let cumulated = if self.length <= end || self.length <= 0 {
            self.amount
        } else {
            let (amount, length) = (i128::from(self.amount), i128::from(self.length));
            let doubled = 2 * amount * i128::from(end.max(0)) + length;
            i64::try_from(doubled.div_euclid(2 * length)).unwrap_or(self.amount)
        };
        let part = cumulated - self.given;
        self.given = cumulated;
        part
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_add_up() {
        let mut s = Splitter::new(10, 3);
        let parts = [s.part_until(1), s.part_until(2), s.part_until(3)];
        assert_eq!(parts, [3, 4, 3]);
        let mut negative = Splitter::new(-7, 2);
        assert_eq!([negative.part_until(1), negative.part_until(2)].iter().sum::<i64>(), -7);
        assert_eq!(Splitter::new(5, 0).part_until(0), 5);
    }
}
