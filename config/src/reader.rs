//! Reads TOML so that every problem of a file is found at once, each with its line, key and next step.
//!
//! Must never: stop at the first problem, or take a value that is not of the kind asked for.

use std::cell::RefCell;
use std::fmt;
use std::ops::RangeInclusive;

use chrono::NaiveDate;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Longest text of one value, in characters.
const TEXT_LENGTH_MAX: usize = 2_000;

/// What is wrong at one place of a file, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Line of the file, from 1.
    pub line: usize,
    /// Dotted path of the key: `meter[2].every_s`.
    pub key: String,
    /// What was expected and what was found.
    pub says: String,
    /// What to do about it.
    pub next: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        if !self.key.is_empty() {
            write!(f, "`{}`: ", self.key)?;
        }
        write!(f, "{}; {}", self.says, self.next)
    }
}

/// A key that was once valid, and what stands in its place now. Its use only warns, so that an upgrade
/// does not keep a daemon from starting.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Retired {
    /// Name of the table, without numbers: `web`, `meter`.
    pub(crate) table: &'static str,
    pub(crate) key: &'static str,
    pub(crate) instead: &'static str,
}

/// A retired key that a file still uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RetiredUse {
    pub(crate) line: usize,
    pub(crate) key: String,
    pub(crate) instead: &'static str,
}

/// One file being read: its text, and what was found wrong so far.
#[derive(Debug)]
pub(crate) struct Source<'s> {
    text: &'s str,
    retired: &'s [Retired],
    problems: RefCell<Vec<Problem>>,
    retired_used: RefCell<Vec<RetiredUse>>,
}

impl<'s> Source<'s> {
    pub(crate) fn new(text: &'s str, retired: &'s [Retired]) -> Self {
        Self { text, retired, problems: RefCell::default(), retired_used: RefCell::default() }
    }

    /// Parses the whole text; a file that is not TOML is one problem.
    pub(crate) fn parse(&self) -> Option<Spanned<DeTable<'s>>> {
        match DeTable::parse(self.text) {
            Ok(table) => Some(table),
            Err(error) => {
                let offset = error.span().map_or(0, |span| span.start);
                let says = error.message().trim().replace('\n', ", ");
                self.report(offset, "", says, "write this line as TOML".to_owned());
                None
            }
        }
    }

    pub(crate) fn report(&self, offset: usize, key: &str, says: String, next: String) {
        let line = self.line(offset);
        self.problems.borrow_mut().push(Problem { line, key: key.to_owned(), says, next });
    }

    pub(crate) fn report_at(&self, at: &At, says: impl Into<String>, next: impl Into<String>) {
        self.report(at.offset, &at.key, says.into(), next.into());
    }

    pub(crate) fn line(&self, offset: usize) -> usize {
        let end = offset.min(self.text.len());
        1 + self.text.as_bytes()[..end].iter().filter(|&&b| b == b'\n').count()
    }

    /// Every problem in order of the file, and the retired keys in use.
    pub(crate) fn finish(self) -> (Vec<Problem>, Vec<RetiredUse>) {
        let mut problems = self.problems.into_inner();
        problems.sort_by(|a, b| (a.line, &a.key).cmp(&(b.line, &b.key)));
        problems.dedup();
        (problems, self.retired_used.into_inner())
    }
}

/// A place in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct At {
    pub(crate) offset: usize,
    pub(crate) key: String,
}

/// A table being read. Keys asked for are remembered; [`Table::finish`] reports the others.
#[derive(Debug)]
pub(crate) struct Table<'t, 's> {
    source: &'t Source<'s>,
    table: &'t DeTable<'s>,
    path: String,
    offset: usize,
    asked: RefCell<Vec<&'static str>>,
}

impl<'t, 's> Table<'t, 's> {
    pub(crate) fn root(source: &'t Source<'s>, root: &'t Spanned<DeTable<'s>>) -> Self {
        Self { source, table: root.get_ref(), path: String::new(), offset: 0, asked: RefCell::default() }
    }

    /// Where `key` stands, or where the table begins when the key is absent.
    pub(crate) fn at(&self, key: &str) -> At {
        let offset = self.table.get(key).map_or(self.offset, |value| value.span().start);
        At { offset, key: self.key_path(key) }
    }

    pub(crate) fn line(&self) -> usize {
        self.source.line(self.offset)
    }

    fn key_path(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Whether the file gives the key, usable or not.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    fn value(&self, key: &'static str) -> Option<&'t Spanned<DeValue<'s>>> {
        self.asked.borrow_mut().push(key);
        self.table.get(key)
    }

    fn wrong(&self, key: &str, value: &Spanned<DeValue<'s>>, expected: &str) {
        let found = self.source.text.get(value.span()).unwrap_or("").lines().next().unwrap_or("");
        let found: String = found.chars().take(60).collect();
        let says = format!("expected {expected}, found {found}");
        self.source.report(value.span().start, &self.key_path(key), says, format!("write {expected}"));
    }

    fn missing(&self, key: &str, expected: &str) {
        let near = nearest(key, self.table.keys().map(|k| k.get_ref().as_ref()));
        let next = match near {
            Some(near) => format!("add `{key}`, or rename `{near}` if that was meant"),
            None => format!("add `{key} = …` with {expected}"),
        };
        self.source.report(self.offset, &self.key_path(key), "is missing".to_owned(), next);
    }

    /// A required value that `read` must accept; `expected` says in words what it accepts.
    fn required<T>(
        &self,
        key: &'static str,
        expected: &str,
        read: impl FnOnce(&DeValue<'s>) -> Option<T>,
    ) -> Option<T> {
        if self.value(key).is_none() {
            self.missing(key, expected);
            return None;
        }
        self.optional(key, expected, read)
    }

    fn optional<T>(
        &self,
        key: &'static str,
        expected: &str,
        read: impl FnOnce(&DeValue<'s>) -> Option<T>,
    ) -> Option<T> {
        let value = self.value(key)?;
        let read = read(value.get_ref());
        if read.is_none() {
            self.wrong(key, value, expected);
        }
        read
    }

    /// A text that `parse` accepts.
    pub(crate) fn parsed<T>(
        &self,
        key: &'static str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        self.required(key, expected, |v| parse(plain_text(v)?))
    }

    pub(crate) fn parsed_optional<T>(
        &self,
        key: &'static str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        self.optional(key, expected, |v| parse(plain_text(v)?))
    }

    /// The same with a default for an absent key; a wrong value is still wrong.
    pub(crate) fn parsed_or<T>(
        &self,
        key: &'static str,
        expected: &str,
        default: T,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        match self.value(key) {
            Some(_) => self.parsed(key, expected, parse),
            None => Some(default),
        }
    }

    /// A text with something in it.
    pub(crate) fn text(&self, key: &'static str, expected: &str) -> Option<String> {
        self.parsed(key, expected, |t| (!t.trim().is_empty()).then(|| t.trim().to_owned()))
    }

    pub(crate) fn text_optional(&self, key: &'static str, expected: &str) -> Option<String> {
        self.parsed_optional(key, expected, |t| (!t.trim().is_empty()).then(|| t.trim().to_owned()))
    }

    /// A list of texts with something in each.
    pub(crate) fn texts_optional(&self, key: &'static str, expected: &str) -> Option<Vec<String>> {
        self.optional(key, expected, |value| {
            let DeValue::Array(array) = value else { return None };
            let text = |t: &str| (!t.trim().is_empty()).then(|| t.trim().to_owned());
            array.iter().map(|item| text(plain_text(item.get_ref())?)).collect()
        })
    }

    /// True or false; `default` when absent.
    pub(crate) fn boolean_or(&self, key: &'static str, default: bool) -> Option<bool> {
        match self.value(key) {
            Some(_) => self.optional(key, "true or false", |value| match value {
                DeValue::Boolean(is) => Some(*is),
                _ => None,
            }),
            None => Some(default),
        }
    }

    /// A whole number in a range; `default` when absent.
    pub(crate) fn integer_or(
        &self,
        key: &'static str,
        range: RangeInclusive<i64>,
        default: i64,
    ) -> Option<i64> {
        match self.value(key) {
            Some(_) => self.integer(key, range),
            None => Some(default),
        }
    }

    pub(crate) fn integer_optional(&self, key: &'static str, range: RangeInclusive<i64>) -> Option<i64> {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        self.optional(key, &expected, |v| whole(v).filter(|n| range.contains(n)))
    }

    pub(crate) fn integer(&self, key: &'static str, range: RangeInclusive<i64>) -> Option<i64> {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        self.required(key, &expected, |v| whole(v).filter(|n| range.contains(n)))
    }

    /// A finite number that `accept` accepts.
    pub(crate) fn number(
        &self,
        key: &'static str,
        expected: &str,
        accept: impl FnOnce(f64) -> bool,
    ) -> Option<f64> {
        self.required(key, expected, |v| real(v).filter(|n| accept(*n)))
    }

    pub(crate) fn number_optional(
        &self,
        key: &'static str,
        expected: &str,
        accept: impl FnOnce(f64) -> bool,
    ) -> Option<f64> {
        self.optional(key, expected, |v| real(v).filter(|n| accept(*n)))
    }

    pub(crate) fn date(&self, key: &'static str) -> Option<NaiveDate> {
        self.required(key, DATE, day)
    }

    pub(crate) fn date_optional(&self, key: &'static str) -> Option<NaiveDate> {
        self.optional(key, DATE, day)
    }

    /// Yes or no.
    pub(crate) fn flag_optional(&self, key: &'static str) -> Option<bool> {
        self.optional(key, "true or false", DeValue::as_bool)
    }

    /// The texts of the array `key`, at most `most` of them; none when it is absent.
    pub(crate) fn texts(&self, key: &'static str, expected: &str, most: usize) -> Vec<String> {
        let read = |value: &DeValue<'_>| -> Option<Vec<String>> {
            let DeValue::Array(array) = value else { return None };
            let texts: Option<Vec<String>> =
                array.iter().map(|item| plain_text(item.get_ref()).map(str::to_owned)).collect();
            texts.filter(|texts| texts.len() <= most)
        };
        self.optional(key, expected, read).unwrap_or_default()
    }

    /// The two numbers of the array `key`, the first not above the second.
    pub(crate) fn range_optional(&self, key: &'static str) -> Option<(f64, f64)> {
        self.optional(key, "two numbers, the lower one first, such as [12, 15]", |value| {
            let DeValue::Array(array) = value else { return None };
            let numbers: Option<Vec<f64>> = array.iter().map(|item| real(item.get_ref())).collect();
            match numbers?.as_slice() {
                [from, to] if from <= to => Some((*from, *to)),
                _ => None,
            }
        })
    }

    /// The table `key`; its absence is a problem.
    pub(crate) fn table(&self, key: &'static str) -> Option<Table<'t, 's>> {
        if self.value(key).is_none() {
            self.missing(key, "a table");
        }
        self.table_optional(key)
    }

    pub(crate) fn table_optional(&self, key: &'static str) -> Option<Table<'t, 's>> {
        let value = self.value(key)?;
        let DeValue::Table(table) = value.get_ref() else {
            self.wrong(key, value, "a table");
            return None;
        };
        Some(self.child(table, self.key_path(key), value.span().start))
    }

    /// The tables of the array `key`, at most `most` of them; none when it is absent.
    pub(crate) fn tables(&self, key: &'static str, most: usize) -> Vec<Table<'t, 's>> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let DeValue::Array(array) = value.get_ref() else {
            self.wrong(key, value, &format!("tables, each under [[{key}]]"));
            return Vec::new();
        };
        if most < array.len() {
            let says = format!("holds {} tables, the most is {most}", array.len());
            let next = format!("keep at most {most} of them in one file");
            self.source.report(value.span().start, &self.key_path(key), says, next);
            return Vec::new();
        }
        let mut tables = Vec::with_capacity(array.len());
        for (i, item) in array.iter().enumerate() {
            let path = format!("{}[{}]", self.key_path(key), i + 1);
            match item.get_ref() {
                DeValue::Table(table) => tables.push(self.child(table, path, item.span().start)),
                _ => self.wrong(key, item, "a table"),
            }
        }
        tables
    }

    fn child(&self, table: &'t DeTable<'s>, path: String, offset: usize) -> Table<'t, 's> {
        Table { source: self.source, table, path, offset, asked: RefCell::default() }
    }

    /// Every key but those asked for, as an opaque table.
    pub(crate) fn rest(&self) -> toml::Table {
        let asked = self.asked.borrow();
        self.table
            .iter()
            .filter(|(key, _)| !asked.contains(&key.get_ref().as_ref()))
            .filter_map(|(key, value)| Some((key.get_ref().to_string(), opaque(value.get_ref())?)))
            .collect()
    }

    /// Reports every key that nobody asked for.
    pub(crate) fn finish(&self) {
        let asked = self.asked.borrow();
        for key in self.table.keys() {
            let name = key.get_ref().as_ref();
            if asked.contains(&name) {
                continue;
            }
            let path = self.key_path(name);
            if let Some(retired) =
                self.source.retired.iter().find(|r| r.key == name && r.table == self.table_name())
            {
                let line = self.source.line(key.span().start);
                let used = RetiredUse { line, key: path, instead: retired.instead };
                self.source.retired_used.borrow_mut().push(used);
                continue;
            }
            let next = match nearest(name, asked.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("remove it; known keys here are {}", list(&asked)),
            };
            self.source.report(key.span().start, &path, "is not a known key".to_owned(), next);
        }
    }

    /// The path without numbers: `building.meter`.
    fn table_name(&self) -> String {
        let mut name = String::new();
        let mut inside = false;
        for c in self.path.chars() {
            match c {
                '[' => inside = true,
                ']' => inside = false,
                c if !inside => name.push(c),
                _ => {}
            }
        }
        name
    }
}

const DATE: &str = "a date such as 2024-09-30";

fn plain_text<'v>(value: &'v DeValue<'_>) -> Option<&'v str> {
    value.as_str().filter(|t| t.chars().count() <= TEXT_LENGTH_MAX && !t.contains('\0'))
}

fn whole(value: &DeValue<'_>) -> Option<i64> {
    let n = value.as_integer()?;
    i64::from_str_radix(n.as_str(), n.radix()).ok()
}

fn real(value: &DeValue<'_>) -> Option<f64> {
    let number = match value.as_float() {
        Some(float) => float.as_str().parse::<f64>().ok()?,
        None => whole(value)? as f64,
    };
    number.is_finite().then_some(number)
}

fn day(value: &DeValue<'_>) -> Option<NaiveDate> {
    let text = match value.as_datetime() {
        Some(t) if t.time.is_none() && t.offset.is_none() => t.to_string(),
        Some(_) => return None,
        None => plain_text(value)?.to_owned(),
    };
    let day = NaiveDate::parse_from_str(&text, "%Y-%m-%d").ok()?;
    let from = NaiveDate::from_ymd_opt(1990, 1, 1)?;
    let to = NaiveDate::from_ymd_opt(2100, 1, 1)?;
    (from <= day && day < to).then_some(day)
}

fn opaque(value: &DeValue<'_>) -> Option<toml::Value> {
    Some(match value {
        DeValue::String(text) => toml::Value::String(text.to_string()),
        DeValue::Integer(_) => toml::Value::Integer(whole(value)?),
        DeValue::Float(_) => toml::Value::Float(real(value)?),
        DeValue::Boolean(b) => toml::Value::Boolean(*b),
        DeValue::Datetime(t) => toml::Value::Datetime(*t),
        DeValue::Array(items) => {
            toml::Value::Array(items.iter().map(|v| opaque(v.get_ref())).collect::<Option<_>>()?)
        }
        DeValue::Table(table) => toml::Value::Table(
            table
                .iter()
                .map(|(k, v)| Some((k.get_ref().to_string(), opaque(v.get_ref())?)))
                .collect::<Option<_>>()?,
        ),
    })
}

/// Names joined for a sentence.
pub(crate) fn list<T: AsRef<str>>(names: &[T]) -> String {
    let mut names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    names.sort_unstable();
    names.dedup();
    names.join(", ")
}

/// The candidate that a mistyped name most likely meant: at most a third of its letters away, rounded up.
pub(crate) fn nearest<'c>(name: &str, candidates: impl Iterator<Item = &'c str>) -> Option<&'c str> {
    candidates
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1.max(candidate.len().min(name.len()).div_ceil(3)))
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance, over at most the first 64 characters of each.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let replace = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = replace.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, retired: &[Retired]) -> (Vec<String>, Vec<RetiredUse>) {
        let source = Source::new(text, retired);
        if let Some(root) = source.parse() {
            let root = Table::root(&source, &root);
            if let Some(web) = root.table("web") {
                web.parsed("listen", "an address", |t| t.parse::<std::net::SocketAddr>().ok());
                web.integer_or("workers", 1..=4, 2);
                web.finish();
            }
            root.finish();
        }
        let (problems, retired) = source.finish();
        (problems.iter().map(ToString::to_string).collect(), retired)
    }

    #[test]
    fn every_problem_has_its_line_key_and_next_step() {
        let (problems, _) = read("[web]\nlisten = 3\nworkers = 9\n\n[wep]\n", &[]);
        assert_eq!(
            problems,
            [
                "line 2: `web.listen`: expected an address, found 3; write an address",
                "line 3: `web.workers`: expected a whole number from 1 to 4, found 9; \
                 write a whole number from 1 to 4",
                "line 5: `wep`: is not a known key; did you mean `web`?",
            ]
        );
    }

    #[test]
    fn a_missing_key_points_at_the_misspelt_one() {
        let (problems, _) = read("[web]\nlissten = \"127.0.0.1:1\"\n", &[]);
        assert_eq!(
            problems,
            [
                "line 1: `web.listen`: is missing; add `listen`, or rename `lissten` if that was meant",
                "line 2: `web.lissten`: is not a known key; did you mean `listen`?",
            ]
        );
    }

    #[test]
    fn a_retired_key_is_no_problem() {
        let retired = [Retired { table: "web", key: "port", instead: "listen" }];
        let (problems, used) = read("[web]\nlisten = \"127.0.0.1:1\"\nport = 1\n", &retired);
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(used, [RetiredUse { line: 3, key: "web.port".to_owned(), instead: "listen" }]);
    }

    #[test]
    fn what_is_not_toml_is_one_problem_with_its_line() {
        let (problems, _) = read("[web]\nlisten =\n", &[]);
        assert_eq!(problems.len(), 1);
        assert!(problems[0].starts_with("line 2: "), "{problems:?}");
    }

    #[test]
    fn the_nearest_name_is_near() {
        assert_eq!(nearest("lisen", ["listen", "id"].into_iter()), Some("listen"));
        assert_eq!(nearest("completely", ["listen", "id"].into_iter()), None);
    }
}
