//! Whether a submission may be frozen, what would lift each obstacle, and the freezing itself.
//!
//! Must never: freeze over a blocking finding that nobody took upon them, or freeze figures of a year in progress.

use std::sync::Arc;

use analytics::exchange::EnergyUnit;
use analytics::result::{MeterYear, ProjectYear, Verdict};
use analytics::scheme::calendar::calendar;
use analytics::scheme::deadline::Deadline;
use analytics::scheme::{Obligation, ReportKind, Scheme};
use anyhow::Context;
use chrono::NaiveDate;
use dashboards::RenderedFile;
use model::{Finding, Instant, Project, Severity};
use store::Store;

use super::{
    FileRef, Frozen, FrozenKpi, FrozenMeter, Key, Lifted, Stage, Submission, TypedIn, current, draft,
    edition, put, to_mend,
};
use crate::documents::{self, Dress};
use crate::exit::Failure;
use crate::figures::Figures;
use crate::installation::Installation;
use crate::stated::Row;
use crate::{commissioning, figures, holds, records, stated};

/// An obstacle and what lifts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Obstacle {
    pub(crate) finding: Finding,
    pub(crate) act: &'static str,
}

/// A missed KPI that no document explains yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Advised {
    pub(crate) code: String,
    /// Key of its name in the texts.
    pub(crate) text: String,
}

/// What a check found.
pub(crate) struct Checked {
    pub(crate) obstacles: Vec<Obstacle>,
    /// What does not hold it up and is worth a look.
    pub(crate) advice: Vec<String>,
    /// The KPI that the advice is about.
    pub(crate) advised: Vec<Advised>,
    year: Option<ProjectYear>,
}

/// Everything that a check needs to know.
pub(crate) struct Bench<'a> {
    pub(crate) store: &'a Store,
    pub(crate) installation: &'a Installation,
    pub(crate) project: Arc<Project>,
    pub(crate) obligation: Obligation,
    pub(crate) now: Instant,
}

impl<'a> Bench<'a> {
    pub(crate) fn new(
        store: &'a Store,
        installation: &'a Installation,
        key: &Key,
        now: Instant,
    ) -> Result<Self, Failure> {
        let project = figures::project(store, &installation.catalog, &key.project)?;
        let scheme = installation.catalog.scheme(&project.scheme);
        let known: Vec<&str> =
            scheme.iter().flat_map(|s| &s.rules.obligations).map(|o| o.id.as_str()).collect();
        let obligation = scheme.and_then(|s| s.obligation(&key.obligation)).cloned().ok_or_else(|| {
            Failure::bad_input(format!(
                "the scheme {} has no obligation {:?}; it has {}",
                project.scheme,
                key.obligation,
                known.join(", ")
            ))
        })?;
        Ok(Self { store, installation, project, obligation, now })
    }

    /// Begins a submission of what the scheme asks of the project.
    pub(crate) fn begin(&self, key: &Key, author: &str) -> Result<Submission, Failure> {
        let scheme = self.installation.catalog.scheme(&self.project.scheme);
        let scheme = scheme.with_context(|| {
            format!(
                "the catalogue has no scheme {}, which project {} names",
                self.project.scheme, key.project
            )
        })?;
        must_be_asked(scheme, &self.project, &self.obligation, key.year, self.now.day(self.project.zone))?;
        draft(self.store, key, author, self.now)
    }

    /// The figures of the year, for what is about one.
    fn figures(&self, year: Option<i32>) -> anyhow::Result<Option<ProjectYear>> {
        let Some(year) = year.filter(|_| self.obligation.report.is_some()) else { return Ok(None) };
        let until = figures::until(year, self.now.day(self.project.zone));
        figures::project_year(self.store, self.installation, &self.project, year, until).map(Some)
    }

    /// Judges a submission.
    pub(crate) fn check(&self, submission: &Submission) -> anyhow::Result<Checked> {
        let year = self.figures(submission.year)?;
        let mut obstacles = Vec::new();
        let about = format!("submission:{}", submission.id());
        let mut obstacle = |code: &'static str, says: String, rule: &'static str| {
            let finding = Finding::new(code, Severity::Blocks, about.clone(), says, rule);
            obstacles.push(Obstacle { act: act_for(code), finding });
        };
        if let Some(year) = year.as_ref().filter(|year| !year.is_complete()) {
            let says = format!("the year {} is not over", year.year);
            obstacle("submission.year.open", says, "a report is about a whole calendar year");
        }
        let made = match self.obligation.report {
            None => false,
            Some(ReportKind::Annual | ReportKind::Indicators) => year.is_some(),
            Some(ReportKind::System | ReportKind::Campaign) => true,
        };
        if !made && submission.attached.is_empty() {
            let says = "no file is attached, and none is made for this obligation".to_owned();
            obstacle("submission.no_file", says, "what is sent is frozen as files");
        }
        let blocking = year.iter().flat_map(|y| &y.findings).filter(|f| f.severity == Severity::Blocks);
        obstacles.extend(blocking.map(|f| Obstacle { finding: f.clone(), act: act_for(f.code) }));
        let is_lifted = |o: &Obstacle| {
            submission.lifted.iter().any(|l| l.code == o.finding.code && l.subject == o.finding.subject)
        };
        obstacles.retain(|o| !is_lifted(o));
        let (advice, advised) = self.advice(submission, year.as_ref())?;
        Ok(Checked { obstacles, advice, advised, year })
    }

    /// A missed KPI is no obstacle; the region advises to explain it with a document. What is not known is not missed, and
    /// nothing of a year in progress is missed yet.
    fn advice(
        &self,
        submission: &Submission,
        year: Option<&ProjectYear>,
    ) -> anyhow::Result<(Vec<String>, Vec<Advised>)> {
        let documents = records::documents(self.store, &self.project.id)?;
        let year = year.filter(|year| year.is_complete());
        let explained = |code: &str| {
            documents.iter().any(|(d, _)| d.kpi.as_deref() == Some(code) && d.year == submission.year)
        };
        let rows = year.map(|year| self.rows(year).map_err(|failure| failure.error)).transpose()?;
        let missed =
            rows.iter().flatten().filter(|row| row.is_missed() && !explained(&row.result.definition.code));
        Ok(missed
            .map(|row| {
                let (kpi, code) = (&row.result.definition, &row.result.definition.code);
                let year = submission.year.map_or_else(String::new, |year| format!(" --year {year}"));
                let is = if row.result.verdict == Verdict::Missed { "is missed" } else { "is missed as stated" };
                let says = format!(
                    "KPI {code} {is}; a document that explains it is advised (record document-add --kpi {code}{year})"
                );
                (says, Advised { code: code.clone(), text: kpi.text.clone() })
            })
            .unzip())
    }

    /// Checks and notes the result; the obstacles that are left.
    pub(crate) fn note_checked(&self, key: &Key, author: &str) -> Result<Checked, Failure> {
        let before = current(self.store, key)?;
        before.must_be(&[Stage::Draft, Stage::Checked], "checked")?;
        let checked = self.check(&before)?;
        let mut after = before.clone();
        after.stage = if checked.obstacles.is_empty() { Stage::Checked } else { Stage::Draft };
        put(self.store, &before, &after, author, self.now)?;
        Ok(checked)
    }

    /// A person takes a finding upon them; only one that stands in the way.
    pub(crate) fn lift(&self, key: &Key, lifted: Lifted) -> Result<(), Failure> {
        let before = current(self.store, key)?;
        let was = |l: &Lifted| (&l.code, &l.subject) == (&lifted.code, &lifted.subject);
        let checked = self.check(&before)?;
        let stands = checked.obstacles.iter().any(|o| {
            (o.finding.code, o.finding.subject.as_str()) == (lifted.code.as_str(), lifted.subject.as_str())
        });
        if !stands && !before.lifted.iter().any(was) {
            let known: Vec<String> = checked
                .obstacles
                .iter()
                .map(|o| format!("--code {} --subject {:?}", o.finding.code, o.finding.subject))
                .collect();
            let known = if known.is_empty() { "nothing does".to_owned() } else { known.join("; ") };
            let says = format!(
                "{} of {:?} does not stand in the way of submission {}; what does: {known}",
                lifted.code,
                lifted.subject,
                before.id()
            );
            return Err(Failure::bad_input(says).coded("no_obstacle"));
        }
        super::lift(self.store, key, lifted, self.now)
    }

    /// Freezes: figures, files and digests as they are now.
    pub(crate) fn freeze(&self, key: &Key, language: &str, author: &str) -> Result<Submission, Failure> {
        let before = current(self.store, key)?;
        before.must_be(&[Stage::Checked], "frozen; check it first")?;
        let checked = self.check(&before)?;
        if !checked.obstacles.is_empty() {
            let list: Vec<String> = checked
                .obstacles
                .iter()
                .map(|o| format!("  {}\n    to lift it: {}", o.finding, o.act))
                .collect();
            return Err(to_mend(format!(
                "submission {} cannot be frozen:\n{}",
                before.id(),
                list.join("\n")
            )));
        }
        // Read once: every file says the same of what people state.
        let rows = checked.year.as_ref().map(|year| self.rows(year)).transpose()?.unwrap_or_default();
        let mut files = before.attached.clone();
        for file in self.made(&before, checked.year.as_ref(), &rows, language)? {
            let sha256 = self.store.keep_document(&file.bytes)?.hex();
            let bytes = file.bytes.len() as u64;
            files.push(FileRef { name: file.name, mime: file.mime.to_owned(), bytes, sha256 });
        }
        let mut names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            let says = format!("two files would be called {:?}; rename the attached one", twice[0]);
            return Err(Failure::bad_input(says).coded("file_twice"));
        }
        // A paper that states no figures is not out of date when they change.
        let states_some = self.obligation.report.is_some_and(ReportKind::has_figures);
        let figures = checked.year.as_ref().filter(|_| states_some);
        let frozen = Frozen {
            at_ms: self.now.millis(),
            by: author.to_owned(),
            files,
            kpis: figures.map(|_| self.kpis(&rows)).unwrap_or_default(),
            meters: figures.map(meters).unwrap_or_default(),
            catalog_sha256: figures.map(|y| y.provenance.catalog.hex()),
            inputs_sha256: figures.map(|y| y.provenance.inputs.hex()),
            rules: figures.map(|y| y.provenance.rules.to_owned()),
        };
        // Before it is frozen: what it refers to must not be thinned for a moment.
        let name = format!("submission {}", before.id());
        holds::hold(self.store, self.installation, &self.project, before.year, (&name, self.now))?;
        let mut after = before.clone();
        after.frozen = Some(frozen);
        after.stage = Stage::Frozen;
        put(self.store, &before, &after, author, self.now)?;
        Ok(after)
    }

    /// The documents that this program makes for the obligation, of the figures that were checked; where values are typed
    /// into the authority's own system, also the page of them that is signed.
    fn made(
        &self,
        submission: &Submission,
        checked: Option<&ProjectYear>,
        rows: &[Row],
        language: &str,
    ) -> Result<Vec<RenderedFile>, Failure> {
        let (store, installation, project) = (self.store, self.installation, &self.project);
        let today = self.now.day(project.zone);
        let replaces = edition(store, submission, project.zone)?;
        let dress = Dress::of(installation, language).for_edition(replaces.clone());
        match (self.obligation.report, checked) {
            (None, _) | (Some(ReportKind::Annual | ReportKind::Indicators), None) => Ok(Vec::new()),
            (Some(kind @ (ReportKind::Annual | ReportKind::Indicators)), Some(year)) => {
                let until = figures::until(year.year, today);
                let gathered = figures::with_beside(store, installation, project, year.year, until)?;
                if gathered.year.provenance.inputs != year.provenance.inputs {
                    let says = format!(
                        "readings of {} arrived while it was being frozen; check it again",
                        year.year
                    );
                    return Err(to_mend(says));
                }
                // What is set are the very figures that were checked, whatever arrived in between.
                let mut gathered = Figures { year: year.clone(), ..gathered };
                stated::put_rows_beside(store, year, rows, &mut gathered.beside)?;
                let mut files = documents::of_year(&gathered, &[kind], &dress)?;
                if self.obligation.is_typed_in() {
                    files.push(stated::annex_of(installation, year, rows, EnergyUnit::Scheme, replaces)?);
                }
                Ok(files)
            }
            (Some(ReportKind::System), _) => {
                let facts = commissioning::facts(store, installation, project, today)?;
                Ok(vec![dashboards::system_report(&facts, &dress.press()).map_err(anyhow::Error::from)?])
            }
            (Some(ReportKind::Campaign), _) => {
                documents::of_campaign(store, installation, project, today, &dress)
            }
        }
    }

    /// The KPI with what people stated of them.
    fn rows(&self, year: &ProjectYear) -> Result<Vec<Row>, Failure> {
        stated::of_figures(self.store, year.kpis.clone(), &self.project.id, year.year)
    }

    /// The same to be frozen; for the authority's own system, with what `kpi exchange` prints as well.
    fn kpis(&self, rows: &[Row]) -> Vec<FrozenKpi> {
        let texts = self.installation.catalog.texts("it");
        let typed_in = |row: &Row| TypedIn {
            note: stated::note_of(row, &texts),
            reason: row.reason().map(str::to_owned),
        };
        let kpi = |row: &Row| FrozenKpi {
            code: row.result.definition.code.clone(),
            unit: row.result.definition.unit.symbol().to_owned(),
            achieved: row.result.achieved,
            best: row.result.best,
            post: row.post(),
            verdict: row.result.verdict.code().to_owned(),
            typed_in: self.obligation.is_typed_in().then(|| typed_in(row)),
        };
        rows.iter().map(kpi).collect()
    }
}

/// Refuses a year for which the calendar of the project has no such obligation, and names those for which it has.
pub(super) fn must_be_asked(
    scheme: &Scheme,
    project: &Project,
    obligation: &Obligation,
    year: Option<i32>,
    today: NaiveDate,
) -> Result<(), Failure> {
    let mut entries = calendar(scheme, project, today, &[]);
    entries.retain(|entry| entry.obligation == obligation.id);
    // What comes every year and waits for a day has no year yet that a submission could be about.
    let is_yearly = matches!(obligation.due, Deadline::Yearly(_));
    if entries.iter().any(|entry| entry.year == year && (entry.due.is_some() || !is_yearly)) {
        return Ok(());
    }
    let asked = year.map_or_else(|| "without a year".to_owned(), |year| format!("for {year}"));
    let mut says =
        format!("the scheme {} asks no {} of project {} {asked}", scheme.id, obligation.id, project.id);
    let years: Vec<String> = entries.iter().filter_map(|e| e.year).map(|year| year.to_string()).collect();
    match (years.is_empty(), is_yearly) {
        (false, _) => says.push_str(&format!("; it does for {}: name one with --year", years.join(", "))),
        (true, false) => says.push_str("; it comes once: leave --year out"),
        (true, true) => says.push_str(", nor for any other year yet"),
    }
    let mut needs: Vec<&str> = entries.iter().flat_map(|e| &e.needs).map(|need| need.key()).collect();
    needs.sort_unstable();
    needs.dedup();
    if !needs.is_empty() {
        says.push_str(&format!("; state {} in the project file for the years to come", needs.join(", ")));
    }
    Err(Failure::bad_input(says).coded("not_asked"))
}

/// The months of every meter, to tell later by how much they changed.
pub(super) fn meters(year: &ProjectYear) -> Vec<FrozenMeter> {
    let of = |m: &MeterYear| FrozenMeter {
        meter: m.meter.id.to_string(),
        unit: m.meter.carrier.base_unit().display().symbol().to_owned(),
        measured: m.months.iter().map(|month| month.measured).collect(),
    };
    year.meters.iter().map(of).collect()
}

/// What a person does about a finding, by the family of its code: on the command line, and the name of the sentence
/// that pages show (`page.desk.act.<name>`).
const ACTS: [(&str, &str, &str); 14] = [
    ("submission.year.open", "wait until the year is over", "wait"),
    ("submission.no_file", "submission attach FILE", "attach"),
    (
        "meter.experimental",
        "put a register dump of the real meter into the catalogue's folder `dumps`",
        "dump",
    ),
    ("meter.", "import bills or readings of the meter, or correct the project file", "meter"),
    ("series.", "import bills or load curves for these months (consuntivo import …)", "series"),
    ("counter.", "explain the break (consuntivo counter explain …)", "counter"),
    ("bills.", "correct the bills (consuntivo import bills --replace REASON …)", "bills"),
    (
        "weather.",
        "import temperatures of the station, or name one that fills its gaps (fill_from)",
        "weather",
    ),
    ("baseline.", "import bills or readings of the baseline period", "baseline"),
    ("fit.", "import more of the baseline period, or state its bills by month", "baseline"),
    (
        "factor.",
        "choose a factor set that has the factor (project file, factor_set), or type it there under [[factor]] with its source",
        "factor",
    ),
    ("facility.", "state facility_eur in the project file", "facility"),
    ("kpi.", "add the meter or value that it names to the project file", "kpi"),
    ("year.", "wait until the year is over", "wait"),
];

fn act(code: &str) -> (&'static str, &'static str) {
    let known = ACTS.iter().find(|(prefix, ..)| code.starts_with(prefix));
    known.map_or(("take it upon you with a reason (submission lift …)", "lift"), |(_, act, name)| {
        (act, name)
    })
}

/// What a person does about a finding.
pub(crate) fn act_for(code: &str) -> &'static str {
    act(code).0
}

/// The name of the sentence that says it on a page.
pub(crate) fn act_name(code: &str) -> &'static str {
    act(code).1
}
