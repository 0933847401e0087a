//! What a cell means: dates and numbers as they are written in Italy and by programs.
//!
//! Must never: choose between two meanings. What can be read two ways is refused.

use chrono::NaiveDate;

/// First and last year that a file may speak of.
const YEARS: std::ops::RangeInclusive<i32> = 1990..=2100;

/// A day: `2024-01-31` or `31/01/2024`.
pub(super) fn date(cell: &str) -> Result<NaiveDate, String> {
    use chrono::Datelike;
    let parts = |separator| cell.split(separator).collect::<Vec<_>>();
    let (year, month, day) = match (parts('-').as_slice(), parts('/').as_slice()) {
        ([y, m, d], [_]) => (*y, *m, *d),
        ([_], [d, m, y]) => (*y, *m, *d),
        _ => return Err(DATE_FORM.to_owned()),
    };
    let number = |text: &str, digits: usize| {
        (text.len() == digits && text.bytes().all(|b| b.is_ascii_digit()))
            .then(|| text.parse::<u32>().ok())
            .flatten()
    };
    let (Some(year), Some(month), Some(day)) = (number(year, 4), number(month, 2), number(day, 2)) else {
        return Err(DATE_FORM.to_owned());
    };
    let year = i32::try_from(year).map_err(|_| DATE_FORM.to_owned())?;
    let day = NaiveDate::from_ymd_opt(year, month, day).ok_or_else(|| {
        let swapped = NaiveDate::from_ymd_opt(year, day, month).is_some();
        if swapped { MONTH_FIRST } else { "is no day of the calendar; correct the day or the month" }
            .to_owned()
    })?;
    if YEARS.contains(&day.year()) {
        Ok(day)
    } else {
        Err(format!("is outside the years {} to {}; correct the year", YEARS.start(), YEARS.end()))
    }
}

/// Of a date that has a meaning only with its month first.
pub(super) const MONTH_FIRST: &str = "is no day of the calendar, unless its month comes first; write the day first in every row, 31/01/2024, or 2024-01-31";

const DATE_FORM: &str = "is no date; write 2024-01-31 or 31/01/2024";

/// A decimal number. The comma is a decimal mark only in files separated by `;`. Groups of three digits are
/// accepted only where a decimal comma makes them plain (`1.234,5`); `1.234` in a `;` file means 1234 to one
/// reader and 1.234 to another, and is refused.
pub(super) fn number(cell: &str, separator: u8) -> Result<f64, String> {
    let form = || match separator {
        b';' => "is no number; write it like 1234,5".to_owned(),
        _ => "is no number; write it like 1234.5".to_owned(),
    };
    if cell.is_empty() {
        return Err("is empty; leave the row out when nothing is known".to_owned());
    }
    let unsigned = cell.strip_prefix(['-', '+']).unwrap_or(cell);
    let plain = match (separator, unsigned.split_once(',')) {
        // No whole number begins with a zero, so 0.139 has one meaning.
        (_, None) if separator == b';' && is_grouped(unsigned) && !unsigned.starts_with('0') => {
            let without = unsigned.replace('.', "");
            let decimal = unsigned.replacen('.', ",", 1);
            return Err(format!("can mean {without} or {decimal}; write one of them without the point"));
        }
        (_, None) => unsigned.to_owned(),
        (b';', Some((whole, decimals))) => {
            let whole = if is_grouped(whole) { whole.replace('.', "") } else { whole.to_owned() };
            if whole.contains('.') || decimals.contains(['.', ',']) {
                return Err(form());
            }
            format!("{whole}.{decimals}")
        }
        (_, Some(_)) => {
            return Err(
                "has a comma in a file separated by commas; write the decimals with a point".to_owned()
            );
        }
    };
    let digits = plain.bytes().filter(u8::is_ascii_digit).count();
    let marks = plain.bytes().filter(|&b| b == b'.').count();
    let is_decimal = digits + marks == plain.len()
        && (1..=18).contains(&digits)
        && marks <= 1
        && !plain.starts_with('.')
        && !plain.ends_with('.');
    let value = if is_decimal { plain.parse::<f64>().map_err(|_| form())? } else { return Err(form()) };
    Ok(if cell.starts_with('-') { -value } else { value })
}

/// How a file writes its numbers, as far as they show it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Notation {
    comma: bool,
    point: bool,
}

impl Notation {
    /// Takes note of a number's cell.
    pub(super) fn see(&mut self, cell: &str) {
        self.comma |= cell.contains(',');
        self.point |= cell.contains('.') && (!is_grouped(cell) || cell.starts_with('0'));
    }

    /// The separator of files that write numbers so, for [`number`]: `;` for a decimal comma, `,` for a point. Where
    /// the cells leave it open, what the file's own separator says.
    pub(super) fn separator(self, of_file: u8) -> u8 {
        match self {
            Self { comma: true, .. } => b';',
            Self { point: true, .. } => b',',
            Self { .. } => of_file,
        }
    }
}

/// `1.234`, `12.345.678`: one to three digits, then groups of a point and three digits.
fn is_grouped(text: &str) -> bool {
    let mut groups = text.split('.');
    let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    let first = groups.next().is_some_and(|g| (1..=3).contains(&g.len()) && digits(g));
    let mut count = 0;
    first
        && groups.all(|g| {
            count += 1;
            g.len() == 3 && digits(g)
        })
        && 0 < count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_iso_or_italian() {
        let day = NaiveDate::from_ymd_opt(2024, 2, 29);
        assert_eq!(date("2024-02-29").ok(), day);
        assert_eq!(date("29/02/2024").ok(), day);
        for bad in [
            "",
            "29/2/2024",
            "29-02-2024",
            "2024/02/29",
            "29.02.2024",
            "29/02/24",
            "45351",
            "2024-02-29T00:00",
        ] {
            assert_eq!(date(bad), Err(DATE_FORM.to_owned()), "{bad}");
        }
        assert!(date("30/02/2024").unwrap_err().starts_with("is no day of the calendar"));
        assert!(date("2024-13-01").unwrap_err().starts_with("is no day of the calendar"));
        assert!(date("01/01/0024").unwrap_err().starts_with("is outside the years"));
    }

    #[test]
    fn numbers_have_one_meaning_or_none() {
        for (cell, separator, value) in [
            ("1234,5", b';', 1234.5),
            ("1.234,5", b';', 1234.5),
            ("12.5", b';', 12.5),
            ("-0,139", b';', -0.139),
            ("1234", b';', 1234.0),
            ("1.234", b',', 1.234),
            ("+7", b',', 7.0),
        ] {
            assert_eq!(number(cell, separator), Ok(value), "{cell}");
        }
        for (cell, separator, start) in [
            ("1.234", b';', "can mean 1234 or 1,234"),
            ("1.234.567", b';', "can mean 1234567 or"),
            ("1,5", b',', "has a comma in a file separated by commas"),
            ("", b';', "is empty"),
            ("1,2,3", b';', "is no number"),
            ("1.23,4", b';', "is no number"),
            ("1e5", b',', "is no number"),
            ("NaN", b',', "is no number"),
            ("inf", b',', "is no number"),
            (".5", b',', "is no number"),
            ("5.", b',', "is no number"),
            ("1 234", b';', "is no number"),
            ("--1", b';', "is no number"),
            ("1234567890123456789", b';', "is no number"),
        ] {
            let error = number(cell, separator).unwrap_err();
            assert!(error.starts_with(start), "{cell}: {error}");
        }
    }
}
