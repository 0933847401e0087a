//! The part of a meter file that says what a device holds of itself: `[[text]]`.
//!
//! Must never: accept a text without an example that it reads right.

use profile::texts::{TEXT_WORDS_MAX, TEXTS_MAX};
use profile::{Letters, Limits, TextForm as Form, TextName, TextPlace, TextRegister, WordOrder};
use serde::Deserialize;

use super::parts::{KeyError, one_of};
use super::registers::{RegisterForm, register};

/// One text. With `words` it is characters, without it the number of the register's type.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TextForm {
    name: String,
    register: RegisterForm,
    words: Option<u16>,
    #[serde(default)]
    skip: u16,
    take: Option<u16>,
    /// An example: the words, and what they read.
    answer: String,
    reads: String,
}

pub(super) fn texts(forms: &[TextForm], limits: Limits) -> Result<Vec<TextRegister>, KeyError> {
    if TEXTS_MAX < forms.len() {
        return Err(("text".to_owned(), format!("at most {TEXTS_MAX} texts are shown")));
    }
    let mut texts: Vec<TextRegister> = Vec::new();
    for (i, form) in forms.iter().enumerate() {
        let key = format!("text[{}]", i + 1);
        let text = text(&key, form)?;
        if limits.registers_per_request < text.words() {
            let says = format!("{} registers are more than registers_per_request", text.words());
            return Err((format!("{key}.words"), says));
        }
        if texts.iter().any(|other| other.name == text.name) {
            return Err((format!("{key}.name"), format!("{} is given twice; keep one", text.name)));
        }
        texts.push(text);
    }
    Ok(texts)
}

fn text(key: &str, form: &TextForm) -> Result<TextRegister, KeyError> {
    let all = || TextName::ALL.iter().map(|name| name.code()).collect();
    let name = one_of(&format!("{key}.name"), &form.name, TextName::parse, all)?;
    let (register, encoding) = register(&format!("{key}.register"), &form.register)?;
    let lies = match form.words {
        None => Form::Number(encoding),
        Some(words) => {
            let take = form.take.unwrap_or(words.saturating_sub(form.skip));
            let given = Letters { words, skip: form.skip, take, low_byte_first: false };
            Form::Letters(letters(key, "words", given, encoding.order)?)
        }
    };
    let text = TextRegister { name, place: TextPlace::Fixed, register, form: lies };
    let words = super::identify::exactly(&format!("{key}.answer"), &form.answer)?;
    if words.len() != usize::from(text.words()) {
        let says = format!("{} words where {} are read", words.len(), text.words());
        return Err((format!("{key}.answer"), says));
    }
    let reads = text.read(&words);
    if reads != form.reads || reads.is_empty() {
        return Err((
            format!("{key}.reads"),
            format!("the answer reads {reads:?}; correct one or the other"),
        ));
    }
    Ok(text)
}

/// Characters within what may be read, with the byte order that the register's order says.
pub(super) fn letters(key: &str, words: &str, given: Letters, order: WordOrder) -> Result<Letters, KeyError> {
    let Letters { words: all, skip, take, .. } = given;
    if all == 0 || TEXT_WORDS_MAX < all {
        return Err((key.to_owned(), format!("`{words}` is {all}; use 1 to {TEXT_WORDS_MAX}")));
    }
    if take == 0 || all < skip.saturating_add(take) {
        return Err((key.to_owned(), format!("the text lies outside its {all} registers")));
    }
    match order {
        WordOrder::Abcd => Ok(given),
        WordOrder::Badc => Ok(Letters { low_byte_first: true, ..given }),
        WordOrder::Cdab | WordOrder::Dcba => {
            Err((key.to_owned(), "a text is in order ABCD, or BADC with the lower byte first".to_owned()))
        }
    }
}
