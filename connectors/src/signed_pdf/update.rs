//! The incremental updates at the end of a PDF (ISO 32000-2, 7.5.6), read by the letter: which objects they define. It
//! is stricter than any reader of PDF, so that no two of them see different things in what is taken.
//!
//! Must never: pass over a byte that it does not understand, or guess where an object stands.

use std::collections::{BTreeMap, BTreeSet};

use hayro_syntax::object::{FromBytes as _, ObjectIdentifier, Stream};

/// Most updates after one signature: validation data and a time stamp, renewed for decades.
const UPDATES_MAX: usize = 50;
/// Deepest that arrays and dictionaries stand in one another.
const DEPTH_MAX: usize = 30;
/// What the trailer of an update holds. No `Encrypt`, and no `XRefStm`: some readers would not see what it hides.
const TRAILER_MAY_HOLD: [&[u8]; 5] = [b"Size", b"Root", b"Info", b"ID", b"Prev"];
/// What a cross-reference stream holds besides (7.5.8.2).
const TABLE_MAY_HOLD: [&[u8]; 6] = [b"Type", b"W", b"Index", b"Length", b"Filter", b"DecodeParms"];

/// What the updates after one place of the file define.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Updates {
    /// The objects that they define, anew or for the first time.
    pub(super) objects: BTreeSet<ObjectIdentifier>,
    /// Of these, the cross-reference streams.
    pub(super) tables: BTreeSet<ObjectIdentifier>,
    /// The catalogue that every trailer names.
    pub(super) root: Option<ObjectIdentifier>,
    /// The objects that trailers name as the document's information.
    pub(super) info: BTreeSet<ObjectIdentifier>,
}

/// Reads the updates that follow the first `signed` bytes; `None` unless each byte of them belongs to one.
pub(super) fn read(bytes: &[u8], signed: usize) -> Option<Updates> {
    let before = bytes.get(..signed)?;
    let mark = b"startxref";
    let at = before.windows(mark.len()).rposition(|w| w == mark)?;
    let mut text = Text { bytes: before, at: at + mark.len() };
    text.space();
    let mut last = text.digits()?;
    let mut text = Text { bytes, at: signed };
    let mut updates = Updates::default();
    for _ in 0..UPDATES_MAX {
        last = text.update(last, &mut updates)?;
        text.space();
        if text.at == bytes.len() {
            return Some(updates);
        }
    }
    None
}

/// What is written in a PDF, as far as its trailers need it.
#[derive(Debug, PartialEq, Eq)]
enum Value {
    Count(usize),
    Name(Vec<u8>),
    Reference(ObjectIdentifier),
    Array(Vec<Value>),
    Dictionary(BTreeMap<Vec<u8>, Value>),
    Other,
}

impl Value {
    fn count(&self) -> Option<usize> {
        if let Self::Count(count) = self { Some(*count) } else { None }
    }

    fn id(&self) -> Option<ObjectIdentifier> {
        if let Self::Reference(id) = self { Some(*id) } else { None }
    }
}

/// Where each object stands, counted in bytes from the beginning of the file.
type Places = BTreeMap<ObjectIdentifier, usize>;

struct Text<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Text<'a> {
    /// One update whose trailer leads to the one at `last`; where its own cross-reference begins.
    fn update(&mut self, last: usize, updates: &mut Updates) -> Option<usize> {
        let mut written = Places::new();
        let (from, listed, trailer) = loop {
            self.space_and_comments()?;
            let from = self.at;
            if self.take(b"xref") {
                let listed = self.table()?;
                self.space();
                let trailer = self.take(b"trailer").then(|| self.value(0))??;
                break (from, listed, trailer);
            }
            let (id, value) = self.object()?;
            if written.keys().any(|other| other.obj_number == id.obj_number) {
                return None;
            }
            written.insert(id, from);
            if matches!(&value, Value::Dictionary(held) if held.get(&b"Type"[..]) == Some(&Value::Name(b"XRef".to_vec())))
            {
                let mut listed = self.stream_table(from, &value)?;
                // It may leave itself out.
                listed.entry(id).or_insert(from);
                updates.tables.insert(id);
                break (from, listed, value);
            }
        };
        self.space_and_comments()?;
        let stated = self.take(b"startxref").then(|| {
            self.space();
            self.digits()
        })??;
        self.space();
        if stated != from || listed != written || !self.take(b"%%EOF") {
            return None;
        }
        updates.objects.extend(written.keys());
        take_trailer(&trailer, last, updates)?;
        Some(from)
    }

    /// The places in a cross-reference table, each entry of twenty bytes (7.5.4).
    fn table(&mut self) -> Option<Places> {
        let mut listed = Places::new();
        self.space();
        while self.peek()?.is_ascii_digit() {
            let first = self.digits()?;
            self.space();
            let count = self.digits()?;
            self.space();
            for number in first..first.checked_add(count)? {
                let entry = self.bytes.get(self.at..self.at.checked_add(20)?)?;
                self.at += 20;
                let mut part = Text { bytes: entry, at: 0 };
                let offset = part.digits().filter(|_| part.at == 10 && part.take(b" "))?;
                let generation = part.digits().filter(|_| part.at == 16)?;
                match &entry[16..] {
                    b" n \r" | b" n \n" | b" n\r\n" => place(&mut listed, number, generation, offset)?,
                    // Of free numbers the head of their list alone: to free another takes an object away.
                    b" f \r" | b" f \n" | b" f\r\n" if number == 0 => {}
                    _ => return None,
                }
            }
            self.space();
        }
        Some(listed)
    }

    /// The places in the cross-reference stream whose object stands at `from` (7.5.8.3). Objects inside of streams are not
    /// understood: no tool makes them after a file with a table, and the frozen files have one.
    fn stream_table(&self, from: usize, table: &Value) -> Option<Places> {
        let Value::Dictionary(held) = table else { return None };
        let counts = |key: &[u8]| match held.get(key)? {
            Value::Array(items) => items.iter().map(Value::count).collect::<Option<Vec<_>>>(),
            _ => None,
        };
        let size = held.get(&b"Size"[..])?.count()?;
        let widths = counts(b"W").filter(|w| w.len() == 3 && w.iter().all(|width| *width <= 8))?;
        let ranges = if held.contains_key(&b"Index"[..]) { counts(b"Index")? } else { vec![0, size] };
        let object = self.bytes.get(from..)?;
        let dictionary = object.windows(2).position(|w| w == b"<<")?;
        let decoded = Stream::from_bytes(object.get(dictionary..)?)?.decoded().ok()?.into_owned();
        let mut rest = decoded.as_slice();
        let mut number_of = |width: usize, otherwise: usize| {
            let (digits, after) = rest.split_at_checked(width)?;
            rest = after;
            let joined = digits
                .iter()
                .try_fold(0_usize, |sum, digit| sum.checked_mul(256)?.checked_add(usize::from(*digit)))?;
            Some(if width == 0 { otherwise } else { joined })
        };
        let mut listed = Places::new();
        for range in ranges.chunks(2) {
            let [first, count] = range else { return None };
            for number in *first..first.checked_add(*count)? {
                let kind = number_of(widths[0], 1)?;
                let (offset, generation) = (number_of(widths[1], 0)?, number_of(widths[2], 0)?);
                match kind {
                    0 if number == 0 => {}
                    1 => place(&mut listed, number, generation, offset)?,
                    _ => return None,
                }
            }
        }
        rest.is_empty().then_some(listed)
    }

    /// `N G obj … endobj`; of a stream, its dictionary.
    fn object(&mut self) -> Option<(ObjectIdentifier, Value)> {
        let number = self.digits()?;
        self.space();
        let generation = self.digits()?;
        self.space();
        if !self.take(b"obj") {
            return None;
        }
        let value = self.value(0)?;
        self.space();
        if self.take(b"stream") {
            let Value::Dictionary(held) = &value else { return None };
            let length = held.get(&b"Length"[..])?.count()?;
            if !(self.take(b"\r\n") || self.take(b"\n")) {
                return None;
            }
            self.at = self.at.checked_add(length)?;
            self.bytes.get(self.at..)?;
            let _ends_a_line = self.take(b"\r\n") || self.take(b"\n") || self.take(b"\r");
            if !self.take(b"endstream") {
                return None;
            }
            self.space();
        }
        self.take(b"endobj").then_some((identifier(number, generation)?, value))
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        if DEPTH_MAX < depth {
            return None;
        }
        self.space();
        if self.take(b"<<") {
            let mut held = BTreeMap::new();
            loop {
                self.space();
                if self.take(b">>") {
                    return Some(Value::Dictionary(held));
                }
                let key = self.name()?;
                // Of a key that stands there twice, one reader takes the first value and another the last.
                if held.insert(key, self.value(depth + 1)?).is_some() {
                    return None;
                }
            }
        }
        match self.peek()? {
            b'[' => {
                self.at += 1;
                let mut items = Vec::new();
                loop {
                    self.space();
                    if self.take(b"]") {
                        return Some(Value::Array(items));
                    }
                    items.push(self.value(depth + 1)?);
                }
            }
            b'/' => Some(Value::Name(self.name()?)),
            b'(' => self.string().map(|()| Value::Other),
            b'<' => {
                self.at += 1;
                self.run_of(|b| b.is_ascii_hexdigit() || is_space(b));
                self.take(b">").then_some(Value::Other)
            }
            b'+' | b'-' | b'.' | b'0'..=b'9' => self.number(),
            _ => match self.run_of(|b| b.is_ascii_alphabetic()) {
                b"true" | b"false" | b"null" => Some(Value::Other),
                _ => None,
            },
        }
    }

    /// A number, or a reference to an object.
    fn number(&mut self) -> Option<Value> {
        let token = self.run_of(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.'));
        let text = std::str::from_utf8(token).ok()?;
        text.parse::<f64>().ok().filter(|number| number.is_finite())?;
        let Ok(count) = text.parse::<usize>() else { return Some(Value::Other) };
        let after = self.at;
        self.space();
        if let Some(generation) = self.digits() {
            self.space();
            if self.take(b"R") && self.peek().is_none_or(|b| is_space(b) || is_delimiter(b)) {
                return Some(Value::Reference(identifier(count, generation)?));
            }
        }
        self.at = after;
        Some(Value::Count(count))
    }

    /// A name with its `#` escapes resolved.
    fn name(&mut self) -> Option<Vec<u8>> {
        if !self.take(b"/") {
            return None;
        }
        let mut rest = self.run_of(|b| !is_space(b) && !is_delimiter(b)).iter();
        let mut name = Vec::new();
        while let Some(byte) = rest.next() {
            if *byte == b'#' {
                let digit = |b: Option<&u8>| char::from(*b?).to_digit(16);
                let (high, low) = (digit(rest.next())?, digit(rest.next())?);
                name.push(u8::try_from(high * 16 + low).ok()?);
            } else {
                name.push(*byte);
            }
        }
        Some(name)
    }

    /// A string in balanced brackets.
    fn string(&mut self) -> Option<()> {
        let mut open = 0_usize;
        loop {
            let byte = self.peek()?;
            self.at += 1;
            match byte {
                b'\\' => self.at += 1,
                b'(' => open += 1,
                b')' if open == 1 => return Some(()),
                b')' => open -= 1,
                _ => {}
            }
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn take(&mut self, word: &[u8]) -> bool {
        let is_here = self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(word));
        if is_here {
            self.at += word.len();
        }
        is_here
    }

    fn run_of(&mut self, belongs: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let run = &rest[..rest.iter().position(|b| !belongs(*b)).unwrap_or(rest.len())];
        self.at += run.len();
        run
    }

    fn digits(&mut self) -> Option<usize> {
        std::str::from_utf8(self.run_of(|b| b.is_ascii_digit())).ok()?.parse().ok()
    }

    fn space(&mut self) {
        self.run_of(is_space);
    }

    /// White space and the comments that tools leave between objects. None of them may hold what a reader that searches
    /// a broken file takes for more; the end of a file (`%%EOF`) is no comment.
    fn space_and_comments(&mut self) -> Option<()> {
        loop {
            self.space();
            if self.peek() != Some(b'%') || self.bytes.get(self.at..)?.starts_with(b"%%EOF") {
                return Some(());
            }
            let line = self.run_of(|b| b != b'\n' && b != b'\r');
            if ["obj", "xref", "trailer", "<<"].iter().any(|word| contains(line, word.as_bytes())) {
                return None;
            }
        }
    }
}

/// Notes the place of an object; `None` where it has one already.
fn place(listed: &mut Places, number: usize, generation: usize, offset: usize) -> Option<()> {
    listed.insert(identifier(number, generation)?, offset).is_none().then_some(())
}

/// Notes what the trailer of an update names, which must lead to the update at `last` and to the same catalogue.
fn take_trailer(trailer: &Value, last: usize, updates: &mut Updates) -> Option<()> {
    let Value::Dictionary(held) = trailer else { return None };
    let is_stream = held.contains_key(&b"Type"[..]);
    let known = |key: &[u8]| TRAILER_MAY_HOLD.contains(&key) || is_stream && TABLE_MAY_HOLD.contains(&key);
    let root = held.get(&b"Root"[..])?.id()?;
    let is_same = updates.root.is_none_or(|other| other == root);
    if !held.keys().all(|key| known(key)) || held.get(&b"Prev"[..])?.count()? != last || !is_same {
        return None;
    }
    updates.root = Some(root);
    if let Some(info) = held.get(&b"Info"[..]) {
        updates.info.insert(info.id()?);
    }
    Some(())
}

fn identifier(number: usize, generation: usize) -> Option<ObjectIdentifier> {
    Some(ObjectIdentifier::new(i32::try_from(number).ok()?, i32::try_from(generation).ok()?))
}

fn contains(line: &[u8], word: &[u8]) -> bool {
    line.windows(word.len()).any(|w| w == word)
}

/// White space (7.2.3).
const fn is_space(byte: u8) -> bool {
    matches!(byte, 0 | b'\t' | b'\n' | 0x0c | b'\r' | b' ')
}

const fn is_delimiter(byte: u8) -> bool {
    matches!(byte, b'(' | b')' | b'<' | b'>' | b'[' | b']' | b'{' | b'}' | b'/' | b'%')
}

#[cfg(test)]
#[path = "update_tests.rs"]
mod tests;
