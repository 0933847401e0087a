//! *Valore POST* and *Note*: what a person states of a KPI beside what was measured.
//!
//! Must never: change a measured value, or take a value for a KPI that the scheme does not have.

use std::sync::Arc;

use analytics::exchange::{EnergyUnit, Line, line, text};
use analytics::report::beside::{Beside, Paper, StatedValue};
use analytics::report::edition::{Edition, Standing};
use analytics::report::format::{Numbers, unit_symbol};
use analytics::report::kpi_annex::AnnexFacts;
use analytics::result::{KpiResult, ProjectYear, Verdict};
use analytics::scheme::Scheme;
use analytics::text::Texts;
use dashboards::RenderedFile;
use model::{Instant, ProjectId, Zone};
use store::{Record, Store};

use crate::documents::Dress;
use crate::exit::Failure;
use crate::figures;
use crate::installation::Installation;
use crate::records::{self, KpiValue};
use crate::reports;
use crate::submissions::{self, Submission};

/// A KPI with what was measured and what a person stated.
pub(crate) struct Row {
    pub(crate) result: KpiResult,
    pub(crate) stated: Option<(KpiValue, Record)>,
}

impl Row {
    pub(crate) fn post(&self) -> Option<f64> {
        self.stated.as_ref().and_then(|(value, _)| value.value).or(self.result.achieved)
    }

    /// The verdict on [`Row::post`]: the figures' own, or that on a person's value.
    pub(crate) fn post_verdict(&self) -> Verdict {
        let stated = self.stated.as_ref().and_then(|(said, _)| said.value);
        stated.map_or(self.result.verdict, |value| self.result.judged(value).0)
    }

    /// Whether the measured value or the one that goes out misses the target.
    pub(crate) fn is_missed(&self) -> bool {
        [self.result.verdict, self.post_verdict()].contains(&Verdict::Missed)
    }

    /// With how many decimals its values are printed.
    pub(crate) fn decimals(&self) -> usize {
        self.result.decimals(self.post())
    }

    /// Why the value is a person's; `None` where the measured one counts.
    pub(crate) fn reason(&self) -> Option<&str> {
        self.stated.as_ref().filter(|(said, _)| said.value.is_some()).map(|(said, _)| said.reason.as_str())
    }
}

/// What a person states.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Said<'a> {
    pub(crate) code: &'a str,
    /// In the scheme's unit; `None`: the measured value counts.
    pub(crate) value: Option<f64>,
    pub(crate) reason: &'a str,
    pub(crate) note: &'a str,
}

/// The figures of a year that has some, or had some coming.
fn year_of(
    store: &Store,
    installation: &Installation,
    project: &ProjectId,
    year: i32,
    now: Instant,
) -> Result<ProjectYear, Failure> {
    let project = figures::project(store, &installation.catalog, project)?;
    let today = now.day(project.zone);
    if !figures::years(&project, today).contains(&year) {
        let says = format!("project {} has no reporting period in {year}", project.id);
        return Err(Failure::bad_input(says).coded("no_year"));
    }
    Ok(figures::project_year(store, installation, &project, year, figures::until(year, today))?)
}

/// The KPI of a year.
pub(crate) fn rows(
    store: &Store,
    installation: &Installation,
    project: &ProjectId,
    year: i32,
    now: Instant,
) -> Result<Vec<Row>, Failure> {
    Ok(year_and_rows(store, installation, (project, year), now)?.1)
}

/// The same with the figures that they are of.
pub(crate) fn year_and_rows(
    store: &Store,
    installation: &Installation,
    (project, year): (&ProjectId, i32),
    now: Instant,
) -> Result<(ProjectYear, Vec<Row>), Failure> {
    let of = year_of(store, installation, project, year, now)?;
    let rows = of_figures(store, of.kpis.clone(), project, year)?;
    Ok((of, rows))
}

/// KPI whose figures are at hand, with what people stated of them.
pub(crate) fn of_figures(
    store: &Store,
    kpis: Vec<KpiResult>,
    project: &ProjectId,
    year: i32,
) -> Result<Vec<Row>, Failure> {
    let row = |result: KpiResult| {
        let stated = records::kpi_value(store, project, year, &result.definition.code)?;
        Ok(Row { result, stated })
    };
    kpis.into_iter().map(row).collect()
}

/// Puts what people state of a year's KPI, and the documents that they recorded for them, beside its figures.
pub(crate) fn put_beside(store: &Store, year: &ProjectYear, beside: &mut Beside) -> anyhow::Result<()> {
    let rows =
        of_figures(store, year.kpis.clone(), &year.project.id, year.year).map_err(|failure| failure.error)?;
    if let Some(former) = &beside.former {
        beside.former_stated = declared_in(store, former);
    }
    put_rows_beside(store, year, &rows, beside)
}

/// The same of rows that are at hand.
pub(crate) fn put_rows_beside(
    store: &Store,
    year: &ProjectYear,
    rows: &[Row],
    beside: &mut Beside,
) -> anyhow::Result<()> {
    beside.stated = values(store, rows, year.project.zone)?;
    beside.papers = papers(store, year)?;
    Ok(())
}

/// The KPI of these years that no meter measures and whose value a person stated. What cannot be read counts as not
/// stated: a page still says that it is to be.
pub(crate) fn declared(store: &Store, years: &[Arc<ProjectYear>]) -> Vec<(i32, String)> {
    let mut all = Vec::new();
    for year in years {
        all.extend(declared_in(store, year).into_iter().map(|code| (year.year, code)));
    }
    all
}

/// Their codes in one year.
pub(crate) fn declared_in(store: &Store, year: &ProjectYear) -> Vec<String> {
    let open = year.kpis.iter().filter(|kpi| kpi.is_declared()).map(|kpi| &kpi.definition.code);
    let is_stated = |code: &&String| {
        let said = records::kpi_value(store, &year.project.id, year.year, code);
        said.is_ok_and(|said| said.is_some_and(|(value, _)| value.value.is_some()))
    };
    open.filter(is_stated).cloned().collect()
}

/// The values that people state, with the names of those who did. The audit log keeps their accounts.
fn values(store: &Store, rows: &[Row], zone: Zone) -> anyhow::Result<Vec<StatedValue>> {
    let of = |row: &Row| {
        let (said, record) = row.stated.as_ref()?;
        Some(StatedValue {
            code: said.code.clone(),
            value: said.value?,
            reason: said.reason.clone(),
            author: record.author.clone(),
            date: record.at.day(zone),
        })
    };
    let mut values: Vec<StatedValue> = rows.iter().filter_map(of).collect();
    if !values.is_empty() {
        let names = crate::access::names(store)?;
        for value in &mut values {
            if let Some(name) = names.get(&value.author).filter(|name| !name.trim().is_empty()) {
                value.author.clone_from(name);
            }
        }
    }
    Ok(values)
}

/// The documents that people recorded for a KPI of the year; one without a year is of every year.
fn papers(store: &Store, year: &ProjectYear) -> anyhow::Result<Vec<Paper>> {
    let mut papers = Vec::new();
    for (document, _) in records::documents(store, &year.project.id)? {
        let is_of_year = document.year.is_none_or(|of| of == year.year);
        let Some(code) = document.kpi.filter(|_| is_of_year) else { continue };
        if year.kpis.iter().any(|kpi| kpi.definition.code == code) {
            papers.push(Paper { code, title: document.title, name: document.name });
        }
    }
    papers.sort_by(|a, b| (&a.code, &a.title, &a.name).cmp(&(&b.code, &b.title, &b.name)));
    Ok(papers)
}

/// Every KPI of a year as it goes to the region's system, with the key of its name. The system is Italian, a page of
/// it may be in another language.
fn lines(rows: &[Row], scheme: &Scheme, texts: &Texts, energy: EnergyUnit) -> Vec<(Line, String)> {
    let of = |row: &Row| {
        let definition = &row.result.definition;
        let values = (row.post(), row.result.target);
        let line = line(scheme, definition, values, &note_of(row, texts), energy).beside(&row.result);
        // A value of a person goes out with the measured one and the reason beside it.
        let line = match &row.stated {
            Some((value, _)) if value.value.is_some() => {
                line.as_stated(definition, row.result.achieved, &value.reason)
            }
            _ => line,
        };
        (told_beside(line, texts), definition.text.clone())
    };
    rows.iter().map(of).collect()
}

/// Decimals with which a value that its two decimals hide is told; trailing zeros are not.
const UNROUNDED_DECIMALS: usize = 9;

/// A line whose two decimals hide the value says it in its note, after what a person or the program notes.
fn told_beside(line: Line, texts: &Texts) -> Line {
    let numbers = Numbers::of_language(texts.language());
    let Some(value) = line.unrounded.and_then(|value| numbers.trimmed(value, UNROUNDED_DECIMALS)) else {
        return line;
    };
    let value = value.replace('\u{2212}', "-");
    let unit = unit_symbol(line.unit);
    let says = texts.fill("kpi_note.unrounded", &[("value", &*value), ("unit", &*unit)]);
    Line { note: format!("{} {says}", line.note).trim_start().to_owned(), ..line }
}

/// A year's KPI as text to paste.
pub(crate) fn exchanged(
    store: &Store,
    installation: &Installation,
    (project, year): (&ProjectId, i32),
    energy: EnergyUnit,
    now: Instant,
) -> Result<String, Failure> {
    let of = year_of(store, installation, project, year, now)?;
    let scheme = Arc::clone(&of.scheme);
    let rows = of_figures(store, of.kpis, project, year)?;
    let lines = lines(&rows, &scheme, &installation.catalog.texts("it"), energy);
    Ok(text(&lines.into_iter().map(|(line, _)| line).collect::<Vec<_>>()))
}

/// The same as a page to be signed, in a language of the catalogue. What the program itself notes is in it too; a
/// person's note stays as it was written.
pub(crate) fn annex(
    store: &Store,
    installation: &Installation,
    (project, year): (&ProjectId, i32),
    (energy, language): (EnergyUnit, &str),
    now: Instant,
) -> Result<RenderedFile, Failure> {
    let of = year_of(store, installation, project, year, now)?;
    let rows = of_figures(store, of.kpis.clone(), project, year)?;
    let standing = standing(store, installation, &of, &rows, now)?;
    Ok(page_of(installation, &of, (&rows, energy, language), (None, Some(standing)))?)
}

/// How the page stands to the newest one that was frozen: it is the same where the frozen one would come out again.
fn standing(
    store: &Store,
    installation: &Installation,
    year: &ProjectYear,
    rows: &[Row],
    now: Instant,
) -> anyhow::Result<Standing> {
    let (project, on) = (&year.project, now.day(year.project.zone));
    let own = |s: &Submission| s.project == project.id.as_str() && s.year == Some(year.year);
    let mut newest: Option<(i64, u32, bool)> = None;
    for submission in submissions::all(store)?.into_iter().filter(own) {
        let Some(frozen) = &submission.frozen else { continue };
        let edition = submissions::edition(store, &submission, project.zone)?;
        let page = annex_of(installation, year, rows, EnergyUnit::Scheme, edition)?;
        let Some(file) = frozen.files.iter().find(|file| file.name == page.name) else { continue };
        let is_same = file.sha256 == reports::sha256(&page.bytes).hex();
        if newest.as_ref().is_none_or(|(at, ..)| *at <= frozen.at_ms) {
            newest = Some((frozen.at_ms, submission.version, is_same));
        }
    }
    Ok(match newest {
        None => Standing::Draft { on },
        Some((at_ms, version, is_same)) => {
            let frozen_on = Instant::from_millis(at_ms).day(project.zone);
            if is_same {
                Standing::AsFrozen { version, frozen_on }
            } else {
                Standing::OtherThanFrozen { on, version, frozen_on }
            }
        }
    })
}

/// The same page of rows that are at hand, which says what it replaces where it does.
pub(crate) fn annex_of(
    installation: &Installation,
    year: &ProjectYear,
    rows: &[Row],
    energy: EnergyUnit,
    edition: Option<Edition>,
) -> anyhow::Result<RenderedFile> {
    page_of(installation, year, (rows, energy, "it"), (edition, None))
}

fn page_of(
    installation: &Installation,
    year: &ProjectYear,
    (rows, energy, language): (&[Row], EnergyUnit, &str),
    (edition, standing): (Option<Edition>, Option<Standing>),
) -> anyhow::Result<RenderedFile> {
    let lines = lines(rows, &year.scheme, &installation.catalog.texts(language), energy);
    let facts = AnnexFacts {
        project: &year.project,
        scheme: &year.scheme,
        year: year.year,
        complete: year.is_complete(),
        until: year.until,
        lines: &lines,
        standing,
    };
    let dress = Dress::of(installation, language).for_edition(edition);
    Ok(dashboards::render::annex_of_kpis(&facts, &dress.press())?)
}

/// The person's own note; where there is none, what the program says of the value.
pub(crate) fn note_of(row: &Row, texts: &Texts) -> String {
    let own = row.stated.as_ref().map(|(value, _)| value.note.trim()).filter(|note| !note.is_empty());
    own.map_or_else(|| note_of_value(row, texts), str::to_owned)
}

/// The most, in percent of its target, that is said of a KPI that misses it.
const MISSED_MOST_PERCENT: f64 = 99.9;
/// Under half of the last decimal of the percentage nothing of the target was reached.
const NOTHING_RATIO: f64 = 0.0005;

/// Why a missed KPI was missed, as far as the figures say it; of a value that a person stated, that it is stated, for
/// which reason, and how it stands to the target.
fn note_of_value(row: &Row, texts: &Texts) -> String {
    let result = &row.result;
    let missed = |verdict: Verdict, ratio: Option<f64>| {
        if verdict != Verdict::Missed {
            return None;
        }
        // What is missed is never told as reached in full, and what was not saved as a negative share of the target.
        let Some(ratio) = ratio.filter(|ratio| NOTHING_RATIO <= *ratio) else {
            return Some(texts.get("kpi_note.missed_whole").to_owned());
        };
        let percent = in_words(texts, (ratio * 100.0).min(MISSED_MOST_PERCENT), 1);
        Some(texts.fill("kpi_note.missed", &[("percent", &*percent)]))
    };
    let stated = row.stated.as_ref().and_then(|(said, _)| Some((said.value?, said.reason.as_str())));
    let Some((value, reason)) = stated else {
        return match result.verdict {
            Verdict::Undetermined => undetermined(result, texts),
            verdict => missed(verdict, result.attainment_ratio).unwrap_or_default(),
        };
    };
    let key = if result.achieved.is_some() { "kpi_note.stated" } else { "kpi_note.stated_unmeasured" };
    let reason = words_of(reason);
    let said = texts.fill(key, &[("reason", reason.trim_end_matches('.'))]);
    let (verdict, ratio) = result.judged(value);
    match missed(verdict, ratio) {
        Some(missed) => format!("{said} {missed}"),
        None => said,
    }
}

/// Why a KPI is neither reached nor missed, with what is known of it.
fn undetermined(result: &KpiResult, texts: &Texts) -> String {
    let key = match (result.achieved, result.target, result.low.zip(result.high)) {
        _ if result.is_declared() => "kpi_note.to_state",
        (Some(_), None, _) => "kpi_note.no_target",
        (Some(_), Some(target), Some((low, high))) => {
            let decimals = result.decimals(None);
            let shown = |value| in_words(texts, value, decimals);
            let (low, high, target) = (shown(low), shown(high), shown(target));
            let unit = unit_symbol(result.definition.unit.symbol());
            let values = [("low", &*low), ("high", &*high), ("target", &*target), ("unit", &*unit)];
            return texts.fill("kpi_note.between", &values);
        }
        _ => "kpi_note.undetermined",
    };
    texts.get(key).to_owned()
}

/// A number as the texts' language writes it, with a plain minus sign: fields of other systems take no other.
fn in_words(texts: &Texts, value: f64, decimals: usize) -> String {
    let number = Numbers::of_language(texts.language()).number(value, decimals).unwrap_or_default();
    number.replace('\u{2212}', "-")
}

/// A text on one line, as fields take it.
pub(crate) fn words_of(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Puts on record what a person states.
pub(crate) fn set(
    store: &Store,
    installation: &Installation,
    (project, year): (&ProjectId, i32),
    said: &Said<'_>,
    (author, at): (&str, Instant),
) -> Result<(), Failure> {
    let (figures, rows) = year_and_rows(store, installation, (project, year), at)?;
    let codes: Vec<&str> = rows.iter().map(|row| row.result.definition.code.as_str()).collect();
    // By the scheme's code, or by the short one that stands for it in the authority's system: no two are alike.
    let is_named = |code: &str| code == said.code || figures.scheme.exchange_code(code) == said.code;
    let row = rows.iter().find(|row| is_named(&row.result.definition.code)).ok_or_else(|| {
        let says = format!("the scheme has no KPI {:?}; it has {}", said.code, codes.join(", "));
        Failure::bad_input(says).coded("no_kpi")
    })?;
    if said.value.is_some_and(|value| analytics::exchange::pasted(value).is_none()) {
        let says = "the value is no number that fits the field: eleven digits, two decimals";
        return Err(Failure::bad_input(says).coded("number"));
    }
    // A note that the form showed and nobody changed is the program's: it follows the value that is stated now.
    let shown = note_of_value(row, &installation.catalog.texts("it"));
    let note = if words_of(said.note) == words_of(&shown) { "" } else { said.note };
    let stated = KpiValue {
        project: project.to_string(),
        year,
        code: row.result.definition.code.clone(),
        value: said.value,
        unit: row.result.definition.unit.symbol().to_owned(),
        measured: row.result.achieved,
        reason: said.reason.to_owned(),
        note: note.to_owned(),
    };
    records::put_kpi_value(store, &stated, author, at)
}

#[cfg(test)]
mod tests;
