//! Values of findings as a reader of the language writes them: days, months, instants, decimals, and the article before
//! a percentage.
//!
//! Must never: touch a name, a code or a person's words, or change a digit.

use chrono::{DateTime, NaiveDate};

use super::Texts;
use crate::report::format::{Format, Numbers};

const MINUS: char = '\u{2212}';

/// Values that are names, codes or other people's words: `2025-03` may well be the id of a meter.
const VERBATIM: [&str; 41] = [
    "address",
    "author",
    "before",
    "channel",
    "cig",
    "code",
    "driver",
    "engine",
    "error",
    "factor",
    "factor_set",
    "file",
    "identity",
    "instead",
    "istat",
    "key",
    "kpi",
    "line",
    "link",
    "listen",
    "meter",
    "model",
    "name",
    "nearest",
    "neighbour",
    "node",
    "number",
    "other",
    "place",
    "raw",
    "reason",
    "says",
    "set",
    "station",
    "supply_point",
    "topic",
    "unit",
    "what",
    "word",
    "year",
    "zone",
];

/// Whole numbers that are amounts and no codes: their thousands are parted.
const AMOUNTS: [&str; 21] = [
    "billed",
    "costs",
    "count",
    "days",
    "degree_days",
    "energy",
    "expected",
    "exported",
    "facility",
    "given",
    "hours",
    "made",
    "measured",
    "megabytes",
    "parts",
    "power",
    "produced",
    "readings",
    "rows",
    "values",
    "whole",
];

/// The value of this name, or as it is where it is none of what a language writes its own way.
pub(super) fn shown(texts: &Texts, name: &str, value: &str) -> String {
    if VERBATIM.contains(&name) {
        return value.to_owned();
    }
    let written = day(texts, value)
        .or_else(|| month(texts, value))
        .or_else(|| instant(texts, value))
        .or_else(|| number(texts, value, AMOUNTS.contains(&name)));
    written.unwrap_or_else(|| value.to_owned())
}

/// `2026-04-01`
fn day(texts: &Texts, value: &str) -> Option<String> {
    let day: NaiveDate = value.parse().ok().filter(|_| value.len() == 10)?;
    Some(Format::new(texts).date(day))
}

/// `2025-06`
fn month(texts: &Texts, value: &str) -> Option<String> {
    let (year, month) = value.split_once('-').filter(|(y, m)| y.len() == 4 && m.len() == 2)?;
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let number: u32 = month.parse().ok().filter(|_| digits(year) && digits(month))?;
    let name = texts.find(&format!("report.month.m{number}"))?;
    Some(format!("{name} {year}"))
}

/// `2026-04-01T10:20:00Z`, to the minute.
fn instant(texts: &Texts, value: &str) -> Option<String> {
    let at = DateTime::parse_from_rfc3339(value).ok().filter(|_| value.ends_with('Z'))?.to_utc();
    Some(format!("{} {} UTC", Format::new(texts).date(at.date_naive()), at.format("%H:%M")))
}

/// `-110.8`, with all its digits; a whole number only where it is an amount, or has a sign.
fn number(texts: &Texts, value: &str, is_amount: bool) -> Option<String> {
    let plain = value.trim_start_matches(['+', '-']);
    if value.len() - plain.len() > 1 {
        return None;
    }
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let decimals = match plain.split_once('.') {
        Some((whole, fraction)) if digits(whole) && digits(fraction) => fraction.len(),
        None if digits(plain) && (is_amount || plain != value) => 0,
        _ => return None,
    };
    let written = Numbers::of_language(texts.language()).number(plain.parse().ok()?, decimals)?;
    Some(match value.chars().next() {
        Some('-') if written.bytes().any(|b| (b'1'..=b'9').contains(&b)) => format!("{MINUS}{written}"),
        Some('+') => format!("+{written}"),
        _ => written,
    })
}

/// The Italian article, alone or within a preposition, before what begins with a vowel, and before `z`.
const ARTICLES: [(&str, &str, &str); 10] = [
    ("il ", "l’", "lo "),
    ("Il ", "L’", "Lo "),
    ("del ", "dell’", "dello "),
    ("Del ", "Dell’", "Dello "),
    ("al ", "all’", "allo "),
    ("Al ", "All’", "Allo "),
    ("dal ", "dall’", "dallo "),
    ("Dal ", "Dall’", "Dallo "),
    ("nel ", "nell’", "nello "),
    ("sul ", "sull’", "sullo "),
];

/// Writes the article at the end of `text` as the percentage that follows it is said: *l’88,5 %*, *lo 0,0 %*.
pub(super) fn article(text: &mut String, percentage: &str) {
    let Some((vowel, zero)) = said(percentage) else { return };
    let Some((plain, elided, before_z)) = ARTICLES.iter().find(|(plain, ..)| {
        let before = text.strip_suffix(plain);
        before.is_some_and(|b| !b.chars().next_back().is_some_and(char::is_alphanumeric))
    }) else {
        return;
    };
    if vowel || zero {
        text.truncate(text.len() - plain.len());
        text.push_str(if vowel { elided } else { before_z });
    }
}

/// Whether a number is said with a vowel first (*uno*, *otto*, *undici*, *ottanta*, *ottocento*), and whether it is zero.
fn said(number: &str) -> Option<(bool, bool)> {
    let whole = number.split(',').next()?;
    let digits: String = whole.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    let value: u64 = digits.replace('.', "").parse().ok()?;
    let thousands = value / 1000;
    let leading = if thousands == 0 { value } else { thousands };
    let vowel = match leading {
        1 => thousands == 0,
        8 | 11 | 80..=89 | 800..=899 => true,
        _ => false,
    };
    Some((vowel, value == 0))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn texts(language: &str) -> Texts {
        let name = if language == "it" { "giugno" } else { "June" };
        Texts::new(language, BTreeMap::from([("report.month.m6".to_owned(), name.to_owned())]))
    }

    #[test]
    fn days_months_instants_and_decimals_are_written_as_the_language_does() {
        for (name, value, italian, english) in [
            ("from", "2026-04-01", "01/04/2026", "01/04/2026"),
            ("month", "2025-06", "giugno 2025", "June 2025"),
            // A month without its name in the texts stays as it is.
            ("month", "2025-07", "2025-07", "2025-07"),
            ("at", "2026-04-01T10:20:33Z", "01/04/2026 10:20 UTC", "01/04/2026 10:20 UTC"),
            ("percent", "27.7", "27,7", "27.7"),
            ("percent", "-110.8", "−110,8", "−110.8"),
            ("percent", "+12.0", "+12,0", "+12.0"),
            ("percent", "-0.0", "0,0", "0.0"),
            ("percent", "-5", "−5", "−5"),
            ("measured", "48224.67", "48.224,67", "48,224.67"),
            ("energy", "48224", "48.224", "48,224"),
            ("days", "365", "365", "365"),
        ] {
            assert_eq!(shown(&texts("it"), name, value), italian, "{name} {value}");
            assert_eq!(shown(&texts("en"), name, value), english, "{name} {value}");
        }
    }

    #[test]
    fn a_name_a_code_or_a_persons_word_stays() {
        for (name, value) in [
            ("meter", "2025-06"),
            ("meter", "12.5"),
            ("kpi", "4.2"),
            ("reason", "2026-04-01"),
            ("author", "1.5"),
            ("raw", "65535.0"),
            ("supply_point", "00883100300031"),
            ("istat", "001272"),
            ("year", "2025"),
            ("from", "-"),
            ("now", "1e5f0712"),
            ("timeout_ms", "1000"),
            ("version", "1.2.3"),
            ("at", "2026-04-01T10:20:33+02:00"),
            ("percent", "--5"),
            ("percent", ".5"),
            ("percent", "5."),
            ("percent", "NaN"),
            ("percent", ""),
        ] {
            assert_eq!(shown(&texts("it"), name, value), value, "{name}");
        }
    }

    #[test]
    fn the_article_before_a_percentage_is_the_one_that_is_said() {
        for (text, number, wanted) in [
            ("misurato il ", "88,5", "misurato l’"),
            ("misurato il ", "0,0", "misurato lo "),
            ("misurato il ", "27,7", "misurato il "),
            ("risparmio del ", "1,0", "risparmio dell’"),
            ("Del ", "11", "Dell’"),
            ("del ", "800,0", "dell’"),
            ("del ", "1.000,0", "del "),
            ("del ", "8.000,0", "dell’"),
            ("del ", "18,0", "del "),
            ("al ", "8", "all’"),
            ("stabil ", "8", "stabil "),
            ("per ", "8", "per "),
            ("del ", "−8,0", "del "),
        ] {
            let mut text = text.to_owned();
            article(&mut text, number);
            assert_eq!(text, wanted, "{number}");
        }
    }
}
