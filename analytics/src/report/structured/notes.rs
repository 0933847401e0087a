//! What people noted about a meter's month: the reasons of their decisions and adjustments, as one line of text.
//!
//! Must never: say what nobody wrote, or hold a character that a form of the file cannot give back.

use model::{Adjustment, MeterAct};

use crate::result::{MeterMonth, MeterYear, ProjectYear};

/// Longest note, in characters.
const CHARS_MAX: usize = 1000;
/// At the end of a note that was longer.
const CUT: char = '…';

/// The reasons of the acts of the month's days and of the adjustments that are part of its adjusted baseline, in order of their days; `None`
/// where nobody wrote one.
pub(super) fn of(year: &ProjectYear, meter: &MeterYear, month: &MeterMonth) -> Option<String> {
    let (from, to) = (month.month.first_day(), month.month.end_day());
    let acted = |act: &MeterAct| {
        let day = act.dated.at.day(year.project.zone);
        let said = said(&act.author, &act.reason)?;
        (from <= day && day < to && day < year.until).then(|| (day, format!("{day} {said}")))
    };
    let adjusted = |of: &Adjustment| {
        let last = of.to.pred_opt().unwrap_or(of.to);
        let said = said(&of.author, &of.reason)?;
        (month.reporting && of.from < to && from < of.to)
            .then(|| (of.from, format!("{}/{last} {said}", of.from)))
    };
    let record = &meter.record;
    let mut all: Vec<_> = record.acts.iter().filter_map(acted).collect();
    all.extend(record.adjustments.iter().filter_map(adjusted));
    all.sort();
    all.dedup();
    let lines: Vec<String> = all.into_iter().map(|(_, line)| line).collect();
    (!lines.is_empty()).then(|| cut(&lines.join("; ")))
}

/// `A. Rossi: reason`; `None` without a reason.
fn said(author: &str, reason: &str) -> Option<String> {
    let (author, reason) = (plain(author), plain(reason));
    (!reason.is_empty())
        .then(|| if author.is_empty() { reason.clone() } else { format!("{author}: {reason}") })
}

/// On one line, without what XML has no way to hold.
fn plain(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().filter(|c| !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}')).collect()
}

fn cut(text: &str) -> String {
    if text.chars().count() <= CHARS_MAX {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(CHARS_MAX - 1).collect();
    short.truncate(short.trim_end().len());
    short.push(CUT);
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_line_and_stays_within_its_length() {
        assert_eq!(
            said("A.\tRossi ", " le aule\r\n\u{2028}aperte\u{0} "),
            Some("A. Rossi: le aule aperte".into())
        );
        assert_eq!(said("A. Rossi", " \n"), None, "an act without a reason has no note");
        assert_eq!(said("", "perché"), Some("perché".to_owned()));
        let long = cut(&"è ".repeat(CHARS_MAX));
        assert!(long.ends_with("è…") && long.chars().count() <= CHARS_MAX, "{}", long.chars().count());
        assert_eq!(cut("breve"), "breve");
    }
}
