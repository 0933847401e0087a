//! A small JSON reader that keeps numbers as the text they were sent as, so that a total of
//! 12345.678 kWh is exactly 12345678 Wh.
//!
//! Must never: recurse or allocate beyond its limits, or accept what RFC 8259 does not.

/// Nesting allowed; no meter needs more.
pub const DEPTH_MAX: usize = 16;

/// A JSON value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Json {
    Null,
    Bool(bool),
    /// As sent; checked to have the form of a JSON number.
    Number(String),
    Text(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// Why a text is no JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {at}")]
pub struct JsonError {
    pub at: usize,
    pub what: &'static str,
}

impl Json {
    /// Reads one JSON value and nothing after it.
    ///
    /// # Errors
    /// Where the text stops being JSON, and how. A key given twice is refused: which one is meant
    /// cannot be known.
    pub fn parse(text: &str) -> Result<Self, JsonError> {
        let mut reader = Reader { text, at: 0 };
        reader.space();
        let value = reader.value(0)?;
        reader.space();
        if reader.at == text.len() { Ok(value) } else { Err(reader.error("text after the value")) }
    }

    /// What lies at `ENERGY.Power[1]`; the empty path is the whole value.
    #[must_use]
    pub fn at(&self, path: &str) -> Option<&Self> {
        let mut here = self;
        for step in path.split('.').filter(|s| !s.is_empty()) {
            let (key, indices) = step.split_once('[').map_or((step, ""), |(k, rest)| (k, rest));
            if !key.is_empty() {
                let Self::Object(members) = here else { return None };
                here = members.iter().find(|(name, _)| name == key).map(|(_, v)| v)?;
            }
            for index in indices.split('[').filter(|s| !s.is_empty()) {
                let Self::Array(items) = here else { return None };
                here = items.get(index.strip_suffix(']')?.parse::<usize>().ok()?)?;
            }
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

impl Reader<'_> {
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

    fn word(&mut self, word: &str, value: Json) -> Result<Json, JsonError> {
        if self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            Ok(value)
        } else {
            Err(self.error("unknown word"))
        }
    }

    fn value(&mut self, depth: usize) -> Result<Json, JsonError> {
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

    fn object(&mut self, depth: usize) -> Result<Json, JsonError> {
        self.at += 1;
        let mut members: Vec<(String, Json)> = Vec::new();
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
            if members.iter().any(|(other, _)| *other == name) {
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
                return Ok(Json::Object(members));
            }
            if !self.eat(b',') {
                return Err(self.error("',' or '}' is missing"));
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Json, JsonError> {
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

    fn number(&mut self) -> Result<Json, JsonError> {
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
        Ok(Json::Number(self.text[from..self.at].to_owned()))
    }

    fn string(&mut self) -> Result<String, JsonError> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = &self.text[self.at..];
            let Some(c) = rest.chars().next() else { return Err(self.error("a quote is not closed")) };
            match c {
                '"' => {
                    self.at += 1;
                    return Ok(out);
                }
                '\\' => {
                    self.at += 1;
                    out.push(self.escape()?);
                }
                c if c < ' ' => return Err(self.error("control character in a text")),
                c => {
                    self.at += c.len_utf8();
                    out.push(c);
                }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_text_and_paths_find_them() {
        let json =
            Json::parse(r#"{"ENERGY":{"Total":12345.6780,"Power":[1,-2e-3]},"em:0":"\u00e8"}"#).unwrap();
        assert_eq!(json.at("ENERGY.Total"), Some(&Json::Number("12345.6780".into())));
        assert_eq!(json.at("ENERGY.Power[1]"), Some(&Json::Number("-2e-3".into())));
        assert_eq!(json.at("em:0"), Some(&Json::Text("è".into())));
        for nowhere in ["ENERGY.Power[2]", "ENERGY.Power[x]", "ENERGY.Total.x", "energy"] {
            assert_eq!(json.at(nowhere), None, "{nowhere}");
        }
        assert_eq!(Json::parse(" 12 ").unwrap().at(""), Some(&Json::Number("12".into())));
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
            proptest::prop_assert!(Json::parse(&text).map_or(true, |json| json.at("") == Some(&json)));
        }

        #[test]
        fn no_json_like_text_makes_it_panic(text in "[\\[\\]{}\":,\\\\u0-9a-f.eE+-]{0,48}", path in "\\PC{0,16}") {
            let read = Json::parse(&text).map(|json| json.at(&path).map(Json::kind));
            proptest::prop_assert!(read.is_err() || read.is_ok_and(|kind| kind != Some("")));
        }
    }
}
