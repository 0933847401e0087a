//! Characters that no bundled font has, written by their code: a picture in a comment keeps no report from being set.
//!
//! Must never: change a character that can be shown, or drop one without a trace unless it has no shape at all.

use std::borrow::Cow;
use std::ops::RangeInclusive;

/// Marks without a shape: joiners, directions, variation selectors.
const SHAPELESS: [RangeInclusive<char>; 5] = [
    '\u{200b}'..='\u{200f}',
    '\u{202a}'..='\u{202e}',
    '\u{2060}'..='\u{206f}',
    '\u{fe00}'..='\u{fe0f}',
    '\u{feff}'..='\u{feff}',
];

/// The text with `[U+1F44D]` for each character that is not `shown`; line breaks and tabs stay.
pub(crate) fn legible<'a>(text: &'a str, shown: impl Fn(char) -> bool) -> Cow<'a, str> {
    let stays = |c: char| c.is_ascii() || shown(c);
    if text.chars().all(stays) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if stays(c) {
            out.push(c);
        } else if !SHAPELESS.iter().any(|range| range.contains(&c)) {
            out.push_str(&format!("[U+{:04X}]", u32::from(c)));
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_shape_here_is_told_by_its_code() {
        let shown = |c: char| c < '\u{2000}';
        assert_eq!(legible("città\t", shown), "città\t");
        assert!(matches!(legible("città", shown), Cow::Borrowed(_)));
        assert_eq!(legible("ok 👍\u{fe0f} 漢", shown), "ok [U+1F44D] [U+6F22]");
    }
}
