//! The part of a meter file that says how a device shows its model: `[[identify]]`.
//!
//! Must never: accept a way of identification that every device would pass, or that its own example does not.

use std::collections::BTreeMap;

use profile::identify::{Answer, Question};
use profile::{Check, Identification, Letters, RegisterRef, Space};
use serde::Deserialize;

use super::parts::{KeyError, one_of};
use super::registers::{RegisterForm, register, words};
use super::texts::letters;

/// One way: all of its checks must hold.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IdentifyForm {
    check: Vec<CheckForm>,
    /// What such a device answers.
    answers: AnswersForm,
}

/// An example of what a device answers: registers as in an `[[example]]`, and objects of function 43/14.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AnswersForm {
    #[serde(default)]
    input: BTreeMap<String, String>,
    #[serde(default)]
    holding: BTreeMap<String, String>,
    #[serde(default)]
    object: BTreeMap<String, String>,
}

/// The same, to be asked.
#[derive(Debug, Clone)]
pub(super) struct Answers {
    pub(super) registers: BTreeMap<RegisterRef, u16>,
    objects: BTreeMap<u8, String>,
}

impl Answers {
    /// What this device says to a question; it refuses registers that it does not have.
    pub(super) fn answer(&self, question: Question) -> Answer {
        match question {
            Question::Registers { register, count } => {
                let at = |i| {
                    let address = register.address.checked_add(i)?;
                    self.registers.get(&RegisterRef { address, ..register }).copied()
                };
                (0..count).map(at).collect::<Option<Vec<u16>>>().map_or(Answer::Refused, Answer::Words)
            }
            Question::DeviceId { object } => {
                self.objects.get(&object).cloned().map_or(Answer::Refused, Answer::Object)
            }
        }
    }
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
    /// Of these words, those before the text, and those of the text where others follow it.
    #[serde(default)]
    text_skip: u16,
    text_take: Option<u16>,
    /// So many registers are there, whatever they hold.
    there: Option<u16>,
    register: Option<RegisterForm>,
    /// An object of function 43/14 that contains this.
    object: Option<String>,
    contains: Option<String>,
}

/// The names of the objects of function 43/14 (Modbus application protocol V1.1b3, 6.21).
const OBJECTS: [(&str, u8); 4] = [("maker", 0), ("product_code", 1), ("product_name", 4), ("model_name", 5)];

pub(super) fn identifications(forms: &[IdentifyForm]) -> Result<Vec<Identification>, KeyError> {
    forms.iter().enumerate().map(|(i, form)| identification(&format!("identify[{}]", i + 1), form)).collect()
}

fn identification(key: &str, form: &IdentifyForm) -> Result<Identification, KeyError> {
    let at = format!("{key}.check");
    let checks: Vec<Check> = form.check.iter().map(|form| check(&at, form)).collect::<Result<_, _>>()?;
    if checks.iter().all(|check| matches!(check, Check::There { .. })) {
        return Err((at, "give at least one check of what the device says".to_owned()));
    }
    let answers = answers(key, form)?;
    let identification = Identification { checks };
    if !identification.holds(|question| answers.answer(question)) {
        let says = "a device that answers so does not pass the checks: correct one or the other";
        return Err((format!("{key}.answers"), says.to_owned()));
    }
    Ok(identification)
}

/// The example of an identification.
pub(super) fn answers(key: &str, form: &IdentifyForm) -> Result<Answers, KeyError> {
    let AnswersForm { input, holding, .. } = &form.answers;
    let key = format!("{key}.answers");
    let registers = words(&key, [(Space::Input, input), (Space::Holding, holding)])?;
    let object =
        |(name, text): (&String, &String)| Ok::<_, KeyError>((object_named(&key, name)?, text.clone()));
    Ok(Answers { registers, objects: form.answers.object.iter().map(object).collect::<Result<_, _>>()? })
}

fn object_named(key: &str, name: &str) -> Result<u8, KeyError> {
    let known = |name: &str| OBJECTS.iter().find(|(n, _)| *n == name).map(|(_, object)| *object);
    one_of(key, name, known, || OBJECTS.iter().map(|(n, _)| *n).collect())
}

fn check(key: &str, form: &CheckForm) -> Result<Check, KeyError> {
    let nothing = |says: &str| (key.to_owned(), says.to_owned());
    if let (Some(object), Some(contains), None) = (&form.object, &form.contains, &form.register) {
        let object = object_named(key, object)?;
        let contains = Some(contains.clone()).filter(|text| !text.trim().is_empty());
        let contains = contains.ok_or_else(|| nothing("`contains` is empty; every device would pass"))?;
        return Ok(Check::DeviceId { object, contains });
    }
    let says = "give `register` with one of `words`, `one_of`, `there`, `text` and `text_words`; or `object` with \
                `contains`";
    let at = form.register.as_ref().ok_or_else(|| nothing(says))?;
    let (register, encoding) = register(&format!("{key}.register"), at)?;
    match (&form.words, &form.one_of, form.text.as_ref().zip(form.text_words), form.there) {
        (Some(hex), None, None, None) => Ok(Check::Registers { register, words: exactly(key, hex)? }),
        (None, Some(values), None, None) if !values.is_empty() => {
            Ok(Check::OneOf { register, encoding, values: values.clone() })
        }
        (None, None, Some((starts_with, words)), None) if !starts_with.trim().is_empty() => {
            let take = form.text_take.unwrap_or(words.saturating_sub(form.text_skip));
            let given = Letters { words, skip: form.text_skip, take, low_byte_first: false };
            let letters = letters(key, "text_words", given, encoding.order)?;
            Ok(Check::Text { register, letters, starts_with: starts_with.clone() })
        }
        (None, None, None, Some(words)) if 0 < words => Ok(Check::There { register, words }),
        _ => Err(nothing(says)),
    }
}

/// Words in hexadecimal.
pub(super) fn exactly(key: &str, hex: &str) -> Result<Vec<u16>, KeyError> {
    let bad = || (key.to_owned(), "write the words as groups of four hexadecimal digits".to_owned());
    if hex.is_empty() || !hex.len().is_multiple_of(4) || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(bad());
    }
    let word = |chunk: &[u8]| u16::from_str_radix(std::str::from_utf8(chunk).ok()?, 16).ok();
    hex.as_bytes().chunks(4).map(word).collect::<Option<_>>().ok_or_else(bad)
}

#[cfg(test)]
#[path = "identify_tests.rs"]
mod tests;
