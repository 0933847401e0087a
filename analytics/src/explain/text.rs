//! A chain as lines of text in one language.
//!
//! Must never: round so far that a reader could not add the numbers up again.

use super::{Explanation, Node};
use crate::report::format::Numbers;
use crate::text::Texts;

/// Decimals of every number: thousandths of the display unit are the smallest that is kept.
const DECIMALS: usize = 3;
/// Decimals of prices, which multiply: tariffs have six, the mean of a month's days may have more.
const PRICE_DECIMALS: usize = 9;
/// Deepest level printed; chains have fewer.
const DEPTH_MAX: usize = 12;

/// The chain, one line a step, two spaces deeper each level; at the end what makes it reproducible.
#[must_use]
pub fn lines(of: &Explanation, texts: &Texts) -> Vec<String> {
    let numbers = Numbers::of_language(texts.language());
    let mut out = Vec::new();
    let head = [
        ("project", of.project.clone()),
        ("year", of.year.to_string()),
        ("until", of.until.to_string()),
        ("figure", of.figure.clone()),
    ];
    out.push(fill(texts, "explain.head", &head));
    node(&of.root, texts, numbers, 0, &mut out);
    let tail = [("inputs", of.inputs.hex()), ("catalog", of.catalog.hex()), ("rules", of.rules.to_owned())];
    out.push(fill(texts, "explain.digest", &tail));
    out
}

fn node(of: &Node, texts: &Texts, numbers: Numbers, depth: usize, out: &mut Vec<String>) {
    let values: Vec<(&str, String)> = of
        .values
        .iter()
        .map(|(name, value)| (*name, spoken(name, value, texts, numbers)))
        .chain([("value", of.value.map_or_else(|| "–".to_owned(), |v| shown(v, numbers)))])
        .chain([("of_unit", of.unit.clone())])
        .collect();
    let sentence = fill(texts, of.key, &values);
    out.push(format!("{}{sentence}", "  ".repeat(depth)));
    if depth < DEPTH_MAX {
        for child in &of.children {
            node(child, texts, numbers, depth + 1, out);
        }
    }
}

fn shown(value: f64, numbers: Numbers) -> String {
    // Small factors keep their digits.
    let decimals = if value != 0.0 && value.abs() < 0.1 { 9 } else { DECIMALS };
    numbers.trimmed(value, decimals).unwrap_or_else(|| "–".to_owned())
}

/// A value as it is read: numbers in the language's form, codes as words where the texts have one.
fn spoken(name: &str, value: &str, texts: &Texts, numbers: Numbers) -> String {
    if name == "told" {
        return texts.told(value).to_owned();
    }
    if matches!(name, "formula" | "quantity" | "source" | "kind" | "what" | "grain") {
        let key = format!("explain.word.{value}");
        return texts.find(&key).map_or_else(|| value.to_owned(), str::to_owned);
    }
    if name.starts_with("price")
        && let Ok(price) = value.parse::<f64>()
    {
        return numbers.trimmed(price, PRICE_DECIMALS).unwrap_or_else(|| value.to_owned());
    }
    // Counts, codes and totals stay as they are; what has a point is a number.
    match value.parse::<f64>() {
        Ok(number) if value.contains('.') => shown(number, numbers),
        Ok(_) | Err(_) => value.to_owned(),
    }
}

fn fill(texts: &Texts, key: &str, values: &[(&str, String)]) -> String {
    let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    texts.fill(key, &values)
}
