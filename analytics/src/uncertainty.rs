//! Amounts with what is not known of them, so that sums over months, carriers, buildings and projects have right bands.
//!
//! Must never: add bands of figures that share a model or an instrument as if they were independent, or count what was
//! not measured as if chance would even it out.
//!
//! Three kinds of not knowing add in three ways. What was not measured lies between bounds, and bounds add. The scatter
//! of a period is its own, and adds in quadrature. The error of a model or of an instrument falls on everything that it
//! made alike: it adds with its sign within one source, and in quadrature between sources.

use std::collections::BTreeMap;

use model::MeterId;

pub mod accuracy;

/// What an error is shared through.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// The baseline model of a meter.
    Model(MeterId),
    /// The meter that measured.
    Instrument(MeterId),
    /// The supplier's meter that the bills of a meter rest on.
    Bills(MeterId),
}

/// An amount, the bounds of what was not measured, and the errors with their sources. Half-widths are of one
/// confidence, 90 % two-sided as a rule.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Uncertain {
    pub best: f64,
    /// By how much the truth may be less, and more, because of what was not measured; not negative.
    less: f64,
    more: f64,
    /// Sum of the squared half-widths of independent errors.
    own: f64,
    /// Half-width by source; negative where the source's error lowers this amount while it raises another.
    shared: BTreeMap<Source, f64>,
}

impl Uncertain {
    #[must_use]
    pub fn exact(best: f64) -> Self {
        Self { best, ..Self::default() }
    }

    /// Sets what was not measured: by how much less and more the truth may be. Negative amounts count as none.
    #[must_use]
    pub fn bounded(mut self, less: f64, more: f64) -> Self {
        self.less = less.max(0.0);
        self.more = more.max(0.0);
        self
    }

    /// Adds an independent error.
    #[must_use]
    pub fn scattered(mut self, half_width: f64) -> Self {
        self.own += half_width * half_width;
        self
    }

    /// Adds an error that everything from `source` shares.
    #[must_use]
    pub fn through(mut self, source: Source, half_width: f64) -> Self {
        *self.shared.entry(source).or_default() += half_width;
        self
    }

    /// Both together.
    #[must_use]
    pub fn plus(mut self, other: &Self) -> Self {
        self.best += other.best;
        self.less += other.less;
        self.more += other.more;
        self.own += other.own;
        for (source, half_width) in &other.shared {
            *self.shared.entry(source.clone()).or_default() += half_width;
        }
        self
    }

    /// In another unit, or of the other sign.
    #[must_use]
    pub fn times(mut self, factor: f64) -> Self {
        // Nothing of what has no bound is nothing.
        if factor == 0.0 {
            return Self::exact(0.0);
        }
        self.best *= factor;
        let (less, more) = (self.less * factor.abs(), self.more * factor.abs());
        (self.less, self.more) = if factor < 0.0 { (more, less) } else { (less, more) };
        self.own *= factor * factor;
        self.shared.values_mut().for_each(|half_width| *half_width *= factor);
        self
    }

    /// Half the band of model and instruments, without what was not measured.
    #[must_use]
    pub fn half_width(&self) -> f64 {
        (self.own + self.shared.values().map(|h| h * h).sum::<f64>()).sqrt()
    }

    /// The lower bound of what was not measured, without the band.
    #[must_use]
    pub fn least(&self) -> f64 {
        self.best - self.less
    }

    #[must_use]
    pub fn most(&self) -> f64 {
        self.best + self.more
    }

    /// The ends of the band, with what was not measured.
    #[must_use]
    pub fn low(&self) -> f64 {
        self.least() - self.half_width()
    }

    #[must_use]
    pub fn high(&self) -> f64 {
        self.most() + self.half_width()
    }
}

#[cfg(test)]
mod tests;
