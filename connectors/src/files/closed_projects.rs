//! Closed projects as the grants system delivers them: CSV with a header, or JSON.
//!
//! Must never: take a delivery in part, or guess a day.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::day::Day;

/// Largest delivery in bytes.
pub const DELIVERY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Most projects of one delivery.
const PROJECTS_MAX: usize = 10_000;
/// Longest text of one value in characters.
const TEXT_MAX: usize = 400;

/// One closed project, as delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClosedProject {
    /// The grants system's own code.
    pub code: String,
    pub cup: String,
    pub title: String,
    pub beneficiary: String,
    pub tax_code: String,
    /// Name or number of the call.
    pub call: String,
    /// Day on which the reporting of expenses was closed.
    pub expenses_closed: Day,
    /// Who may work on it.
    #[serde(default)]
    pub subjects: Vec<ClosedSubject>,
}

/// A person enabled in the grants system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClosedSubject {
    pub name: String,
    pub tax_code: String,
    /// `legal_representative` or `data_entry`.
    pub role: String,
    #[serde(default)]
    pub email: Option<String>,
}

/// Reads a JSON delivery: a list of projects.
///
/// # Errors
/// Every problem, each with its place.
pub fn read_json(bytes: &[u8]) -> Result<Vec<ClosedProject>, Vec<String>> {
    check_size(bytes)?;
    let projects: Vec<ClosedProject> = serde_json::from_slice(bytes)
        .map_err(|error| vec![format!("it is no list of closed projects: {error}")])?;
    checked(projects)
}

const COLUMNS: [&str; 7] = ["code", "cup", "title", "beneficiary", "tax_code", "call", "expenses_closed"];

/// Reads a CSV delivery: a header with every column of [`ClosedProject`] but the subjects, separated by `;` or `,`.
///
/// # Errors
/// Every problem, each with its line.
pub fn read_csv(bytes: &[u8]) -> Result<Vec<ClosedProject>, Vec<String>> {
    check_size(bytes)?;
    let text = std::str::from_utf8(bytes).map_err(|_| vec!["it is not UTF-8 text".to_owned()])?;
    let text = text.trim_start_matches('\u{feff}');
    let head = text.lines().next().unwrap_or_default();
    let separator = if head.contains(';') { b';' } else { b',' };
    let mut reader = csv::ReaderBuilder::new().delimiter(separator).from_reader(text.as_bytes());
    let headers = reader.headers().map_err(|error| vec![error.to_string()])?.clone();
    let mut places = [0; COLUMNS.len()];
    let mut problems = Vec::new();
    for (place, column) in places.iter_mut().zip(COLUMNS) {
        match headers.iter().position(|h| h.trim().eq_ignore_ascii_case(column)) {
            Some(found) => *place = found,
            None => problems.push(format!("line 1: the column {column} is missing")),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut projects = Vec::new();
    for row in reader.records().take(PROJECTS_MAX + 1) {
        let row = match row {
            Ok(row) => row,
            Err(error) => {
                problems.push(error.to_string());
                continue;
            }
        };
        let line = row.position().map_or(0, csv::Position::line);
        let cell = |i: usize| row.get(places[i]).unwrap_or_default().trim().to_owned();
        match day(&cell(6)) {
            Some(expenses_closed) => projects.push(ClosedProject {
                code: cell(0),
                cup: cell(1),
                title: cell(2),
                beneficiary: cell(3),
                tax_code: cell(4),
                call: cell(5),
                expenses_closed,
                subjects: Vec::new(),
            }),
            None => problems
                .push(format!("line {line}: {:?} is no day such as 2024-09-30 or 30/09/2024", cell(6))),
        }
    }
    if problems.is_empty() { checked(projects) } else { Err(problems) }
}

fn day(text: &str) -> Option<Day> {
    ["%Y-%m-%d", "%d/%m/%Y"].iter().find_map(|format| NaiveDate::parse_from_str(text, format).ok().map(Day))
}

fn check_size(bytes: &[u8]) -> Result<(), Vec<String>> {
    if DELIVERY_BYTES_MAX < bytes.len() {
        return Err(vec![format!("it has {} bytes, at most {DELIVERY_BYTES_MAX} are taken", bytes.len())]);
    }
    Ok(())
}

fn checked(projects: Vec<ClosedProject>) -> Result<Vec<ClosedProject>, Vec<String>> {
    let mut problems = Vec::new();
    if PROJECTS_MAX < projects.len() {
        problems.push(format!("it holds more than {PROJECTS_MAX} projects; deliver them in parts"));
    }
    let mut codes: Vec<&str> = projects.iter().map(|p| p.code.as_str()).collect();
    codes.sort_unstable();
    for pair in codes.windows(2).filter(|pair| pair[0] == pair[1]) {
        problems.push(format!("project {:?} stands in it twice", pair[0]));
    }
    for project in &projects {
        let texts = [&project.code, &project.title, &project.beneficiary, &project.call];
        let plain =
            |t: &&String| !t.is_empty() && t.chars().count() <= TEXT_MAX && !t.chars().any(char::is_control);
        if !texts.iter().all(plain) {
            problems.push(format!("project {:?}: a text is empty, too long or not printable", project.code));
        }
    }
    if problems.is_empty() { Ok(projects) } else { Err(problems) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CSV: &str = "code;cup;title;beneficiary;tax_code;call;expenses_closed\n\
                       P-1;C11G06000000001;Municipio;Comune di Esempio;12345678903;II.2i.1;30/09/2024\n";

    #[test]
    fn both_forms_say_the_same() {
        let json = r#"[{"code":"P-1","cup":"C11G06000000001","title":"Municipio","beneficiary":"Comune di Esempio",
            "tax_code":"12345678903","call":"II.2i.1","expenses_closed":"2024-09-30"}]"#;
        let wanted = read_csv(CSV.as_bytes()).unwrap();
        assert_eq!(wanted, read_json(json.as_bytes()).unwrap());
        assert_eq!(wanted, read_csv(CSV.replace(';', ",").as_bytes()).unwrap());
        assert_eq!(wanted[0].expenses_closed.to_string(), "2024-09-30");
    }

    #[test]
    fn each_wrong_delivery_is_refused_whole_with_its_line() {
        for (from, to, says) in [
            ("30/09/2024", "30.09.2024", "line 2: \"30.09.2024\" is no day"),
            (";title", ";name", "line 1: the column title is missing"),
            ("Municipio", "", "\"P-1\": a text is empty"),
        ] {
            let problems = read_csv(CSV.replacen(from, to, 1).as_bytes()).unwrap_err().join("; ");
            assert!(problems.contains(says), "{problems}");
        }
        let twice = format!("{CSV}{}", CSV.lines().nth(1).unwrap());
        assert!(read_csv(twice.as_bytes()).unwrap_err()[0].contains("stands in it twice"));
        assert!(read_json(b"{}").is_err() && read_csv(b"\xff").is_err());
        assert_eq!(read_json(b"[]").unwrap(), []);
    }
}
