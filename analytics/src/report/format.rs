//! Numbers, dates and shares as a reader of the document's language writes them.
//!
//! Must never: print a missing figure as zero, or depend on the machine's locale.

use chrono::{Datelike, NaiveDate};

use crate::text::Texts;

/// Keeps a number and its unit on one line.
const NO_BREAK_SPACE: char = '\u{a0}';
const MINUS: char = '\u{2212}';

/// Decimals of energies in tables.
pub const ENERGY_DECIMALS: usize = 1;
/// Decimals of a percentage.
pub const PERCENT_DECIMALS: usize = 1;

/// How numbers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbers {
    /// `1.234,5`
    Italian,
    /// `1,234.5`
    English,
}

impl Numbers {
    /// Italian unless the BCP 47 tag says English.
    #[must_use]
    pub fn of_language(tag: &str) -> Self {
        if tag == "en" || tag.starts_with("en-") { Self::English } else { Self::Italian }
    }

    const fn separators(self) -> (char, char) {
        match self {
            Self::Italian => ('.', ','),
            Self::English => (',', '.'),
        }
    }

    /// `value` with this many decimals, thousands grouped. `None` for what is no number.
    #[must_use]
    pub fn number(self, value: f64, decimals: usize) -> Option<String> {
        if !value.is_finite() {
            return None;
        }
        let (group, point) = self.separators();
        let plain = format!("{:.decimals$}", half_up(value.abs(), decimals));
        let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
        let mut out = String::with_capacity(plain.len() + plain.len() / 3 + 1);
        // What rounds to zero has no sign.
        if value < 0.0 && plain.bytes().any(|b| b.is_ascii_digit() && b != b'0') {
            out.push(MINUS);
        }
        for (i, digit) in whole.chars().enumerate() {
            if i > 0 && (whole.len() - i).is_multiple_of(3) {
                out.push(group);
            }
            out.push(digit);
        }
        if !fraction.is_empty() {
            out.push(point);
            out.push_str(fraction);
        }
        Some(out)
    }

    /// `value` with at most this many decimals and no trailing zeros: for factors as their source prints them.
    #[must_use]
    pub fn trimmed(self, value: f64, decimals_max: usize) -> Option<String> {
        let text = self.number(value, decimals_max)?;
        let (_, point) = self.separators();
        Some(match text.split_once(point) {
            Some((whole, fraction)) => {
                let fraction = fraction.trim_end_matches('0');
                if fraction.is_empty() { whole.to_owned() } else { format!("{whole}{point}{fraction}") }
            }
            None => text,
        })
    }
}

/// Halves go up, as people round, and not to the even digit; the smallest nudge lets `22.835`, which no binary
/// number is, count as a half.
fn half_up(value: f64, decimals: usize) -> f64 {
    let scale = 10_f64.powi(i32::try_from(decimals).unwrap_or(i32::MAX));
    let scaled = value * scale;
    if scaled < 1e15 { (scaled * (1.0 + 2.0 * f64::EPSILON)).round() / scale } else { value }
}

/// A text with a capital first letter.
#[must_use]
pub fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}

/// A document's way of writing figures: the numbers of its language and its word for a missing figure.
#[derive(Debug, Clone, Copy)]
pub struct Format<'a> {
    pub numbers: Numbers,
    texts: &'a Texts,
}

impl<'a> Format<'a> {
    #[must_use]
    pub fn new(texts: &'a Texts) -> Self {
        Self { numbers: Numbers::of_language(texts.language()), texts }
    }

    /// The word for a figure that is withheld or unknown.
    #[must_use]
    pub fn missing(&self) -> String {
        self.texts.get("report.missing").to_owned()
    }

    #[must_use]
    pub fn number(&self, value: Option<f64>, decimals: usize) -> String {
        value.and_then(|v| self.numbers.number(v, decimals)).unwrap_or_else(|| self.missing())
    }

    #[must_use]
    pub fn trimmed(&self, value: Option<f64>, decimals_max: usize) -> String {
        value.and_then(|v| self.numbers.trimmed(v, decimals_max)).unwrap_or_else(|| self.missing())
    }

    /// A number and its unit, or the word for a missing figure alone.
    #[must_use]
    pub fn quantity(&self, value: Option<f64>, decimals: usize, unit: &str) -> String {
        match value.and_then(|v| self.numbers.number(v, decimals)) {
            Some(number) => format!("{number}{NO_BREAK_SPACE}{unit}"),
            None => self.missing(),
        }
    }

    /// A ratio as a percentage: `0.823` is `82,3 %`. What is not whole never rounds up to `100,0 %`.
    #[must_use]
    pub fn percent(&self, ratio: Option<f64>) -> String {
        let most_below_whole = 100.0 - 10f64.powi(-(PERCENT_DECIMALS as i32));
        let percent = ratio.map(|r| if r < 1.0 { (r * 100.0).min(most_below_whole) } else { r * 100.0 });
        self.quantity(percent, PERCENT_DECIMALS, "%")
    }

    /// A lower and an upper bound: `1.234,5 – 2.345,6`.
    #[must_use]
    pub fn range(&self, low: Option<f64>, high: Option<f64>, decimals: usize) -> String {
        match (low, high) {
            (None, None) => self.missing(),
            _ => format!("{} – {}", self.number(low, decimals), self.number(high, decimals)),
        }
    }

    /// `31/03/2026`, in both languages.
    #[must_use]
    pub fn date(&self, date: NaiveDate) -> String {
        format!("{:02}/{:02}/{}", date.day(), date.month(), date.year())
    }

    /// `marzo`
    #[must_use]
    pub fn month(&self, number: u32) -> String {
        self.texts.get(&format!("report.month.m{number}")).to_owned()
    }

    /// `mar`
    #[must_use]
    pub fn month_short(&self, number: u32) -> String {
        self.texts.get(&format!("report.month_short.m{number}")).to_owned()
    }

    #[must_use]
    pub fn count(&self, count: u64) -> String {
        #[expect(clippy::cast_precision_loss, reason = "counts of readings stay far below 2^53")]
        self.number(Some(count as f64), 0)
    }
}

/// A unit's symbol as it is printed: `kWh/€` for `kWh/EUR`, `m²` for `m2`.
#[must_use]
pub fn unit_symbol(symbol: &str) -> String {
    symbol.replace("EUR", "€").replace("m2", "m²").replace("m3", "m³")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn numbers_follow_the_language() {
        let cases = [
            (1_234.5, 1, "1.234,5", "1,234.5"),
            (-1_234_567.891, 2, "\u{2212}1.234.567,89", "\u{2212}1,234,567.89"),
            (999.95, 1, "1.000,0", "1,000.0"),
            (-0.04, 1, "0,0", "0.0"),
            (0.0, 0, "0", "0"),
            (3_810.25, 1, "3.810,3", "3,810.3"),
            (22.835, 2, "22,84", "22.84"),
            (2.5, 0, "3", "3"),
            (12.0, 0, "12", "12"),
        ];
        for (value, decimals, italian, english) in cases {
            assert_eq!(Numbers::Italian.number(value, decimals).as_deref(), Some(italian));
            assert_eq!(Numbers::English.number(value, decimals).as_deref(), Some(english));
        }
        assert_eq!(Numbers::Italian.number(f64::NAN, 1), None);
        assert_eq!(Numbers::Italian.trimmed(1.95, 4).as_deref(), Some("1,95"));
        assert_eq!(Numbers::Italian.trimmed(2.0, 4).as_deref(), Some("2"));
        assert_eq!(Numbers::Italian.trimmed(100.0, 0).as_deref(), Some("100"));
    }

    #[test]
    fn a_missing_figure_is_never_a_zero() {
        let map = BTreeMap::from([("report.missing".to_owned(), "n.d.".to_owned())]);
        let texts = Texts::new("it", map);
        let format = Format::new(&texts);
        assert_eq!(format.number(None, 1), "n.d.");
        assert_eq!(format.quantity(None, 1, "kWh"), "n.d.");
        assert_eq!(format.percent(None), "n.d.");
        assert_eq!(format.number(Some(f64::INFINITY), 1), "n.d.");
        assert_eq!(format.range(Some(1.0), None, 1), "1,0 – n.d.");
        assert_eq!(format.percent(Some(0.8234)), "82,3\u{a0}%");
        assert_eq!(format.date(NaiveDate::from_ymd_opt(2026, 3, 31).unwrap()), "31/03/2026");
    }
}
