//! The part of a meter file that says how a device shows its model: `[[identify]]`.
//!
//! Must never: accept a way of identification that every device would pass.

use profile::identify::TEXT_WORDS_MAX;
use profile::{Check, Identification};
use serde::Deserialize;

use super::parts::{KeyError, one_of};
use super::registers::{RegisterForm, register};

/// One way: all of its checks must hold.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IdentifyForm {
    check: Vec<CheckForm>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CheckForm {
    /// Registers that hold exactly these words.
    words: Option<String>,
    /// Registers that hold one of these numbers.
    one_of: Option<Vec<u64>>,
    /// Registers whose text begins so, in so many words.
    text: Option<String>,
    text_words: Option<u16>,
    register: Option<RegisterForm>,
    /// An object of function 43/14 that contains this.
    object: Option<String>,
    contains: Option<String>,
}

/// The names of the objects of function 43/14 (Modbus application protocol V1.1b3, 6.21).
const OBJECTS: [(&str, u8); 4] = [("maker", 0), ("product_code", 1), ("product_name", 4), ("model_name", 5)];

pub(super) fn identifications(forms: Vec<IdentifyForm>) -> Result<Vec<Identification>, KeyError> {
    let one = |(i, form): (usize, IdentifyForm)| {
        let key = format!("identify[{}].check", i + 1);
        if form.check.is_empty() {
            return Err((key, "give at least one check".to_owned()));
        }
        let checks = form.check.into_iter().map(|form| check(&key, form)).collect::<Result<_, _>>()?;
        Ok(Identification { checks })
    };
    forms.into_iter().enumerate().map(one).collect()
}

fn check(key: &str, form: CheckForm) -> Result<Check, KeyError> {
    let nothing = |says: &str| (key.to_owned(), says.to_owned());
    if let (Some(object), Some(contains), None) = (&form.object, &form.contains, &form.register) {
        let known = |name: &str| OBJECTS.iter().find(|(n, _)| *n == name).map(|(_, object)| *object);
        let object = one_of(key, object, known, || OBJECTS.iter().map(|(n, _)| *n).collect())?;
        let contains = Some(contains.clone()).filter(|text| !text.trim().is_empty());
        let contains = contains.ok_or_else(|| nothing("`contains` is empty; every device would pass"))?;
        return Ok(Check::DeviceId { object, contains });
    }
    let says =
        "give `register` with one of `words`, `one_of`, `text` and `text_words`; or `object` with `contains`";
    let at = form.register.as_ref().ok_or_else(|| nothing(says))?;
    let (register, encoding) = register(&format!("{key}.register"), at)?;
    match (form.words, form.one_of, form.text.zip(form.text_words)) {
        (Some(hex), None, None) => {
            let digits = !hex.is_empty() && hex.len() % 4 == 0 && hex.bytes().all(|b| b.is_ascii_hexdigit());
            let bad = || nothing("write `words` as groups of four hexadecimal digits");
            let chunks = hex.as_bytes().chunks(4).filter(|_| digits);
            let words: Option<Vec<u16>> =
                chunks.map(|chunk| u16::from_str_radix(std::str::from_utf8(chunk).ok()?, 16).ok()).collect();
            let words = words.filter(|words| !words.is_empty()).ok_or_else(bad)?;
            Ok(Check::Registers { register, words })
        }
        (None, Some(values), None) if !values.is_empty() => Ok(Check::OneOf { register, encoding, values }),
        (None, None, Some((starts_with, words))) if !starts_with.trim().is_empty() => {
            if words == 0 || TEXT_WORDS_MAX < words {
                return Err(nothing(&format!("`text_words` is {words}; use 1 to {TEXT_WORDS_MAX}")));
            }
            Ok(Check::Text { register, words, starts_with })
        }
        _ => Err(nothing(says)),
    }
}
