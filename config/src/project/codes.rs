//! The forms and check digits of Italian administrative and supply codes.
//!
//! Must never: accept a code whose check digit is wrong, or correct one.

pub use analytics::certificate::is_ape_code;

/// CUP: a letter, two digits, a letter, eleven digits (CIPE resolution 143/2002); or a provisional one, see
/// [`is_provisional_cup`].
#[must_use]
pub fn is_cup(text: &str) -> bool {
    let b = text.as_bytes();
    let is_final = b.len() == 15
        && b.iter()
            .enumerate()
            .all(|(i, c)| if i == 0 || i == 3 { c.is_ascii_uppercase() } else { c.is_ascii_digit() });
    is_final || is_provisional_cup(text)
}

/// A provisional CUP, given until the final one is: `PROV` and ten digits.
#[must_use]
pub fn is_provisional_cup(text: &str) -> bool {
    text.strip_prefix("PROV").is_some_and(|number| digits(number, 10))
}

/// POD, the code of an electricity supply point: `IT`, three digits, `E`, eight or nine of 0-9 and A-Z.
#[must_use]
pub fn is_pod(text: &str) -> bool {
    let b = text.as_bytes();
    (b.len() == 14 || b.len() == 15)
        && text.starts_with("IT")
        && b[2..5].iter().all(u8::is_ascii_digit)
        && b[5] == b'E'
        && b[6..].iter().all(|c| c.is_ascii_digit() || c.is_ascii_uppercase())
}

/// PDR, the code of a gas supply point: fourteen digits.
#[must_use]
pub fn is_pdr(text: &str) -> bool {
    digits(text, 14)
}

/// ISTAT code of a municipality: three digits of the province, three of the municipality.
#[must_use]
pub fn is_istat(text: &str) -> bool {
    digits(text, 6)
}

/// CIG, the code of a tender: seven digits and a check of three hexadecimal ones, or the short form (*SmartCIG*) with
/// its check in second and third place; or one of the codes that stand for "none needed" (ES01 to ES27). Rules of the
/// Italian profile of Peppol orders (AGID-PEPPOL-T01-CIG). Codes of a newer kind fail: a warning, no error.
#[must_use]
pub fn is_cig(text: &str) -> bool {
    let hex = |t: &str| u64::from_str_radix(t, 16).ok();
    let upper = text.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase());
    if let Some(number) = text.strip_prefix("ES") {
        return number.len() == 2 && matches!(number.parse(), Ok(1..=27_u32));
    }
    if text.len() != 10 || !upper {
        return false;
    }
    let short = matches!(text.as_bytes()[0], b'X' | b'Y' | b'Z');
    if short {
        let (Some(check), Some(number)) = (hex(&text[1..3]), hex(&text[3..])) else { return false };
        return number * 211 % 251 == check;
    }
    if !digits(&text[..7], 7) {
        return false;
    }
    let (Ok(number), Some(check)) = (text[..7].parse::<u64>(), hex(&text[7..])) else { return false };
    number != 0 && number * 211 % 4091 == check
}

/// Use category of DPR 412/93 art. 3: `E.1` to `E.8`, with subdivisions such as `E.1(1)` and `E.4(2)`, and the
/// `bis` of `E.1(1bis)`.
#[must_use]
pub fn is_use_category(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("E.") else { return false };
    let (class, sub) = match rest.split_once('(') {
        Some((class, sub)) => match sub.strip_suffix(')') {
            Some(sub) => (class, Some(sub)),
            None => return false,
        },
        None => (rest, None),
    };
    let digit = |t: &str| matches!(t.as_bytes(), [b'1'..=b'8']);
    digit(class) && sub.is_none_or(|s| digit(s.strip_suffix("bis").unwrap_or(s)))
}

/// Tax code: eleven digits for bodies and VAT numbers, sixteen characters for persons.
#[must_use]
pub fn is_tax_code(text: &str) -> bool {
    match text.len() {
        11 => is_vat_number(text),
        16 => is_personal_tax_code(text),
        _ => false,
    }
}

fn digits(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|b| b.is_ascii_digit())
}

/// Eleven digits, the last one by the Luhn rule.
fn is_vat_number(text: &str) -> bool {
    if !digits(text, 11) || text == "00000000000" {
        return false;
    }
    let sum: u32 = text
        .bytes()
        .enumerate()
        .map(|(i, b)| {
            let digit = u32::from(b - b'0');
            if i % 2 == 0 { digit } else { digit * 2 / 10 + digit * 2 % 10 }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Values of 0-9 and A-Z in odd places (first, third, …), DM 23/12/1976.
const ODD: [u32; 26] =
    [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];

/// Letters that stand for 0 to 9 where two persons would share a code.
const LETTERS_FOR_DIGITS: [u8; 10] = *b"LMNPQRSTUV";

/// Sixteen characters: letters and digits in their places, letters standing for digits where two persons would
/// share a code, a day of birth that there is, and a check letter.
fn is_personal_tax_code(text: &str) -> bool {
    let b = text.as_bytes();
    if b.len() != 16 {
        return false;
    }
    let digit = |c: u8| c.is_ascii_digit() || LETTERS_FOR_DIGITS.contains(&c);
    let form = b.iter().enumerate().all(|(i, &c)| match i {
        6 | 7 | 9 | 10 | 12 | 13 | 14 => digit(c),
        8 => b"ABCDEHLMPRST".contains(&c),
        _ => c.is_ascii_uppercase(),
    });
    if !form {
        return false;
    }
    if !is_birth_day(b[9], b[10]) {
        return false;
    }
    let place = |c: u8| if c.is_ascii_digit() { c - b'0' } else { c - b'A' };
    let sum: u32 = b[..15]
        .iter()
        .enumerate()
        .map(|(i, &c)| if i % 2 == 0 { ODD[usize::from(place(c))] } else { u32::from(place(c)) })
        .sum();
    u32::from(b[15] - b'A') == sum % 26
}

/// Whether two characters are a day of birth: 1 to 31, of women 41 to 71.
fn is_birth_day(tens: u8, ones: u8) -> bool {
    let value = |c: u8| match c {
        b'0'..=b'9' => Some(usize::from(c - b'0')),
        _ => LETTERS_FOR_DIGITS.iter().position(|letter| *letter == c),
    };
    let day = value(tens).zip(value(ones)).map(|(tens, ones)| tens * 10 + ones);
    day.is_some_and(|day| matches!(day, 1..=31 | 41..=71))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A personal code with these two characters for the day, and the check letter that they make.
    fn with_day(day: &str) -> String {
        let codes = (b'A'..=b'Z').map(|check| format!("RSSMRA80A{day}H501{}", char::from(check)));
        let sum = |code: &str| {
            let place = |c: u8| if c.is_ascii_digit() { c - b'0' } else { c - b'A' };
            let of = |(i, c): (usize, u8)| {
                if i % 2 == 0 { ODD[usize::from(place(c))] } else { u32::from(place(c)) }
            };
            code.bytes().take(15).enumerate().map(of).sum::<u32>() % 26
        };
        codes.into_iter().find(|code| u32::from(code.as_bytes()[15] - b'A') == sum(code)).unwrap()
    }

    #[test]
    fn a_day_of_birth_is_one_of_a_month() {
        for day in ["01", "31", "41", "71", "0M", "M9", "LM", "PM"] {
            assert!(is_tax_code(&with_day(day)), "{day}");
        }
        for day in ["00", "32", "40", "72", "99", "LL", "PN", "VV"] {
            assert!(!is_tax_code(&with_day(day)), "{day}");
        }
    }

    #[test]
    fn tax_codes_are_checked_by_their_last_character() {
        for good in ["12345678903", "RSSMRA80A01H501U"] {
            assert!(is_tax_code(good), "{good}");
        }
        for bad in [
            "12345678901",
            "21345678903",
            "1234567890",
            "00000000000",
            "RSSMRA80A01H501V",
            "RSSMRA80A02H501U",
            "RSSMRA80Z01H501U",
            "rssmra80a01h501u",
            "",
            "àààààààà",
        ] {
            assert!(!is_tax_code(bad), "{bad}");
        }
    }

    #[test]
    fn a_letter_that_stands_for_a_digit_is_accepted_with_its_own_check() {
        // RSSMRA80A01H501U with the last digit replaced by its letter: 1 is M, and the check follows.
        let stem = "RSSMRA80A01H50M";
        let good = (b'A'..=b'Z').filter(|c| is_tax_code(&format!("{stem}{}", char::from(*c)))).count();
        assert_eq!(good, 1);
    }

    #[test]
    fn tender_codes_have_their_check() {
        for good in ["1234567CE7", "9876543D1B", "00000010D3", "Z6A21A3F4B", "ZD30000001", "ES01", "ES27"] {
            assert!(is_cig(good), "{good}");
        }
        for bad in
            ["1234567CE8", "0000000000", "Z6B21A3F4B", "1234567ce7", "ES00", "ES28", "123456", "àààààCE7", ""]
        {
            assert!(!is_cig(bad), "{bad}");
        }
    }

    #[test]
    fn forms() {
        assert!(is_cup("C11G06000000001") && is_cup("H49J21005480003"));
        assert!(!is_cup("C11G0600000000") && !is_cup("c11G06000000001") && !is_cup("C11GO6000000001"));
        assert!(is_cup("PROV0000012345") && is_provisional_cup("PROV0000012345"));
        assert!(!is_provisional_cup("C11G06000000001"));
        for bad in
            ["PROV000001234", "PROV00000123456", "prov0000012345", "PROV00000A2345", "PROVà00001234", "PROV"]
        {
            assert!(!is_cup(bad), "{bad}");
        }
        assert!(is_pod("IT001E12345678") && is_pod("IT001E123456789") && is_pod("IT012E0012345A"));
        assert!(!is_pod("IT001E1234567") && !is_pod("IT01E123456789") && !is_pod("FR001E12345678"));
        assert!(!is_pod("IT001E1234567à"));
        assert!(is_pdr("00881234567890") && !is_pdr("881234567890"));
        assert!(is_istat("001272") && !is_istat("1272"));
        for good in ["E.1", "E.8", "E.4(1)", "E.1(1bis)"] {
            assert!(is_use_category(good), "{good}");
        }
        for bad in ["E1", "E.9", "E.4(", "E.4()", "E.4(1", "E.4(bis)", "e.1"] {
            assert!(!is_use_category(bad), "{bad}");
        }
    }
}
