//! A small JSON reader that keeps numbers as the text they were sent as, so that a total of
//! 12345.678 kWh is exactly 12345678 Wh. Texts and numbers are borrowed from the payload.
//!
//! Must never: recurse or allocate beyond its limits, or accept what RFC 8259 does not.

use std::borrow::Cow;

/// Nesting allowed; no meter needs more.
pub const DEPTH_MAX: usize = 16;
/// Members up to which names are compared pair by pair, which costs no memory; beyond it they are sorted.
const PAIRWISE_MAX: usize = 16;

/// A JSON value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Json<'a> {
    Null,
    Bool(bool),
    /// As sent; checked to have the form of a JSON number.
    Number(&'a str),
    Text(Cow<'a, str>),
    Array(Vec<Json<'a>>),
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

/// A way into a JSON value, `ENERGY.Power[1]`, taken apart once; the empty one is the whole value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Path {
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Member(String),
    Item(usize),
}

impl Path {
    /// `None` when an index is not closed or is no number.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut steps = Vec::new();
        for step in text.split('.').filter(|s| !s.is_empty()) {
            let (name, indices) = step.split_once('[').map_or((step, None), |(n, rest)| (n, Some(rest)));
            if !name.is_empty() {
                steps.push(Step::Member(name.to_owned()));
            }
            for index in indices.into_iter().flat_map(|i| i.split('[')) {
                steps.push(Step::Item(index.strip_suffix(']')?.parse().ok()?));
            }
        }
        Some(Self { steps })
    }
}

/// Why a text is no JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {at}")]
pub struct JsonError {
    pub at: usize,
    pub what: &'static str,
}

impl<'a> Json<'a> {
    /// Reads one JSON value and nothing after it.
    ///
    /// # Errors
    /// Where the text stops being JSON, and how. A key given twice is refused: which one is meant
    /// cannot be known.
    pub fn parse(text: &'a str) -> Result<Self, JsonError> {
        let mut reader = Reader { text, at: 0 };
        reader.space();
        let value = reader.value(0)?;
        reader.space();
        if reader.at == text.len() { Ok(value) } else { Err(reader.error("text after the value")) }
    }

    /// What lies at a path.
    #[must_use]
    pub fn at(&self, path: &Path) -> Option<&Self> {
        let mut here = self;
        for step in &path.steps {
            here = match (step, here) {
                (Step::Member(name), Self::Object(members)) => {
                    members.iter().find(|(other, _)| other == name).map(|(_, value)| value)?
                }
                (Step::Item(index), Self::Array(items)) => items.get(*index)?,
                (Step::Member(_) | Step::Item(_), _) => return None,
            };
        }
        Some(here)
    }

    /// The word for an error message.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "true or false",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::Array(_) => "a list",
            Self::Object(_) => "an object",
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    const fn error(&self, what: &'static str) -> JsonError {
        JsonError { at: self.at, what }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn word(&mut self, word: &str, value: Json<'a>) -> Result<Json<'a>, JsonError> {
        if self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            Ok(value)
        } else {
            Err(self.error("unknown word"))
        }
    }

    fn value(&mut self, depth: usize) -> Result<Json<'a>, JsonError> {
        if depth > DEPTH_MAX {
            return Err(self.error("nested too deeply"));
        }
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string().map(Json::Text),
            Some(b't') => self.word("true", Json::Bool(true)),
            Some(b'f') => self.word("false", Json::Bool(false)),
            Some(b'n') => self.word("null", Json::Null),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(_) => Err(self.error("unexpected character")),
            None => Err(self.error("unexpected end")),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json<'a>, JsonError> {
        self.at += 1;
        let mut members: Vec<(Cow<'a, str>, Json<'a>)> = Vec::new();
        self.space();
        if self.eat(b'}') {
            return Ok(Json::Object(members));
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return Err(self.error("a name in quotes is missing"));
            }
            let name = self.string()?;
            if members.len() < PAIRWISE_MAX && members.iter().any(|(other, _)| *other == name) {
                return Err(self.error("a name is given twice"));
            }
            self.space();
            if !self.eat(b':') {
                return Err(self.error("':' is missing"));
            }
            self.space();
            let value = self.value(depth + 1)?;
            members.push((name, value));
            self.space();
            if self.eat(b'}') {
                return if repeats(&members) {
                    Err(self.error("a name is given twice"))
                } else {
                    Ok(Json::Object(members))
                };
            }
            if !self.eat(b',') {
                return Err(self.error("',' or '}' is missing"));
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Json<'a>, JsonError> {
        self.at += 1;
        let mut items = Vec::new();
        self.space();
        if self.eat(b']') {
            return Ok(Json::Array(items));
        }
        loop {
            self.space();
            items.push(self.value(depth + 1)?);
            self.space();
            if self.eat(b']') {
                return Ok(Json::Array(items));
            }
            if !self.eat(b',') {
                return Err(self.error("',' or ']' is missing"));
            }
        }
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let from = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at > from { Ok(()) } else { Err(self.error("a digit is missing")) }
    }

    fn number(&mut self) -> Result<Json<'a>, JsonError> {
        let from = self.at;
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits()?;
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            let _signed = self.eat(b'+') || self.eat(b'-');
            self.digits()?;
        }
        Ok(Json::Number(&self.text[from..self.at]))
    }

    /// A text; borrowed up to its first escape, of which most have none.
    fn string(&mut self) -> Result<Cow<'a, str>, JsonError> {
        self.at += 1;
        let text = self.text;
        let bytes = text.as_bytes();
        let mut from = self.at;
        let mut out = String::new();
        loop {
            match bytes.get(self.at) {
                None => return Err(self.error("a quote is not closed")),
                Some(b'"') => {
                    let last = &text[from..self.at];
                    self.at += 1;
                    if out.is_empty() {
                        return Ok(Cow::Borrowed(last));
                    }
                    out.push_str(last);
                    return Ok(Cow::Owned(out));
                }
                Some(b'\\') => {
                    out.push_str(&text[from..self.at]);
                    self.at += 1;
                    out.push(self.escape()?);
                    from = self.at;
                }
                Some(0..=0x1F) => return Err(self.error("control character in a text")),
                Some(_) => self.at += 1,
            }
        }
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        let c = match self.peek() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.unicode();
            }
            _ => return Err(self.error("unknown escape")),
        };
        self.at += 1;
        Ok(c)
    }

    fn hex4(&mut self) -> Result<u32, JsonError> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4);
        let digits = digits.filter(|d| d.iter().all(u8::is_ascii_hexdigit));
        let code =
            digits.and_then(|d| std::str::from_utf8(d).ok()).and_then(|d| u32::from_str_radix(d, 16).ok());
        let code = code.ok_or(self.error("four hexadecimal digits are missing"))?;
        self.at += 4;
        Ok(code)
    }

    fn unicode(&mut self) -> Result<char, JsonError> {
        let high = self.hex4()?;
        let code = if (0xD800..0xDC00).contains(&high) {
            if !(self.eat(b'\\') && self.eat(b'u')) {
                return Err(self.error("half of a surrogate pair"));
            }
            let low = self.hex4()?;
            if !(0xDC00..0xE000).contains(&low) {
                return Err(self.error("half of a surrogate pair"));
            }
            0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)
        } else {
            high
        };
        char::from_u32(code).ok_or(self.error("half of a surrogate pair"))
    }
}

/// Whether a name of an object is given twice. Those of a small object were compared on the way.
fn repeats(members: &[(Cow<'_, str>, Json<'_>)]) -> bool {
    if members.len() <= PAIRWISE_MAX {
        return false;
    }
    let mut names: Vec<&str> = members.iter().map(|(name, _)| name.as_ref()).collect();
    names.sort_unstable();
    names.windows(2).any(|pair| pair[0] == pair[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at<'j, 'a>(json: &'j Json<'a>, path: &str) -> Option<&'j Json<'a>> {
        Path::parse(path).and_then(|path| json.at(&path))
    }

    #[test]
    fn many_names_are_compared_without_comparing_every_pair() {
        let object = |last: &str| {
            let names: Vec<String> = (0..20_000).map(|i| format!("\"n{i}\":1")).collect();
            format!("{{{},{last}:1}}", names.join(","))
        };
        let begun = std::time::Instant::now();
        assert!(Json::parse(&object("\"n20000\"")).is_ok());
        for twice in ["\"n0\"", "\"n19999\"", "\"\\u006e7\""] {
            assert_eq!(Json::parse(&object(twice)).unwrap_err().what, "a name is given twice");
        }
        // Pair by pair it would be a thousand million comparisons.
        assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
    }

    #[test]
    fn numbers_keep_their_text_and_paths_find_them() {
        let json =
            Json::parse(r#"{"ENERGY":{"Total":12345.6780,"Power":[1,-2e-3]},"em:0":"\u00e8"}"#).unwrap();
        assert_eq!(at(&json, "ENERGY.Total"), Some(&Json::Number("12345.6780")));
        assert_eq!(at(&json, "ENERGY.Power[1]"), Some(&Json::Number("-2e-3")));
        assert_eq!(at(&json, "em:0"), Some(&Json::Text("è".into())));
        for nowhere in ["ENERGY.Power[2]", "ENERGY.Power[x]", "ENERGY.Total.x", "energy"] {
            assert_eq!(at(&json, nowhere), None, "{nowhere}");
        }
        assert_eq!(at(&Json::parse(" 12 ").unwrap(), ""), Some(&Json::Number("12")));
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for bad in [
            "",
            "{",
            "[1,]",
            "{\"a\":1,}",
            "{\"a\" 1}",
            "01",
            "1.",
            "-",
            "+1",
            "NaN",
            "\"\u{1}\"",
            "\"a",
            "1 2",
            "{\"a\":1,\"a\":2}",
            "\"\\ud800\"",
            "\"\\x\"",
            "nul",
            "\"\\ud800\\u0041\"",
            "\"\\u00g0\"",
        ] {
            assert!(Json::parse(bad).is_err(), "{bad:?} was accepted");
        }
        let deep = "[".repeat(100_000);
        assert_eq!(Json::parse(&deep).unwrap_err().what, "nested too deeply");
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,64}") {
            proptest::prop_assert!(Json::parse(&text).map_or(true, |json| at(&json, "") == Some(&json)));
        }

        #[test]
        fn no_json_like_text_makes_it_panic(text in "[\\[\\]{}\":,\\\\u0-9a-f.eE+-]{0,48}", path in "\\PC{0,16}") {
            let read = Json::parse(&text).map(|json| at(&json, &path).map(Json::kind));
            proptest::prop_assert!(read.is_err() || read.is_ok_and(|kind| kind != Some("")));
        }
    }
}
