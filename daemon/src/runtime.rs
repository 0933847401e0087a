//! What the running daemon shares between ingestion, jobs and pages, and the job that keeps it up to date.
//!
//! Must never: let one failing project or meter stop the others.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use analytics::result::ProjectYear;
use chrono::NaiveDate;
use connectors::{Clock, Stop};
use dashboards::backend::BuildingLive;
use model::{Finding, MeterId, Month, Project, ProjectId, Severity};
use store::{Store, StoreError, Tallies};
use tokio::sync::broadcast;

use crate::acts;
use crate::aside::Aside;
use crate::book::{self, Book};
use crate::clock::{CLOCK, JUMPS, Jumps};
use crate::duties::Fulfilments;
use crate::figures;
use crate::installation::Installation;
use crate::losses::Losses;
use crate::metrics::Metrics;
use crate::watch::{Background, Watched};

/// How often changed live values are sent to readers.
const LIVE_EVERY: Duration = Duration::from_secs(1);
/// How often imports done by other processes are looked for.
const IMPORTS_EVERY: Duration = Duration::from_secs(2);
/// How often figures of the year in progress are computed again.
const FIGURES_EVERY: Duration = Duration::from_secs(600);
/// For this long after its end a year's figures are computed again, since its last readings may still be coming.
const SETTLING: chrono::Days = chrono::Days::new(7);
/// How often series are made again after readings out of order.
const MEND_EVERY: Duration = Duration::from_secs(60);
/// How often the counts of the loss budget are put on disk.
const LOSSES_EVERY: Duration = Duration::from_secs(60);
/// Live changes that a slow reader may be behind before it is told to start again.
const LIVE_BACKLOG: usize = 256;
/// Operational findings kept at most; one per (code, subject).
const FINDINGS_MAX: usize = 1_000;

/// Locks, also after a panic of another holder: every value here stays usable.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A project with its figures, newest year first.
#[derive(Debug, Clone)]
pub(crate) struct ProjectFigures {
    pub(crate) project: Arc<Project>,
    pub(crate) years: Vec<Arc<ProjectYear>>,
    /// Of the year in progress.
    pub(crate) forecast: Option<Arc<analytics::forecast::Forecast>>,
    /// Laws and temperatures of the year in progress, for the pages of the facility manager.
    pub(crate) background: Arc<Background>,
}

/// The daemon's shared state.
pub(crate) struct Runtime {
    /// What the files say; another one after a reload.
    installation: Mutex<Arc<Installation>>,
    pub(crate) store: Store,
    pub(crate) book: Book,
    pub(crate) losses: Losses,
    pub(crate) aside: Aside,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Stands in place of the folder that the installation file names.
    reports_dir: Option<PathBuf>,
    pub(crate) demo: bool,
    pub(crate) live: broadcast::Sender<Arc<BuildingLive>>,
    pub(crate) watched: Watched,
    /// Calls the office to its next round at once.
    pub(crate) office: tokio::sync::Notify,
    /// Reports in the making, as they were last gathered.
    pub(crate) drafts: Mutex<Vec<crate::desk::guide::Draft>>,
    /// The region's table as it was last made.
    pub(crate) region: Mutex<Option<crate::desk::region::Made>>,
    /// What is on record as sent, with the stamp of the store that it was read at.
    done: Mutex<Option<(u64, Arc<Fulfilments>)>>,
    figures: Mutex<Vec<ProjectFigures>>,
    findings: Mutex<BTreeMap<(&'static str, String), Finding>>,
    sent: Mutex<BTreeMap<String, BuildingLive>>,
    /// Readings out of order or of a past year came since every figure was last computed.
    late: AtomicBool,
    /// The files were read again since every figure was last computed.
    renewed: AtomicBool,
}

impl Runtime {
    pub(crate) fn new(
        installation: Installation,
        store: Store,
        metrics: Arc<Metrics>,
        clock: Arc<dyn Clock>,
        reports_dir: Option<PathBuf>,
        demo: bool,
    ) -> Result<Self, StoreError> {
        let (live, _) = broadcast::channel(LIVE_BACKLOG);
        let losses = Losses::open(&store, &installation, clock.now())?;
        Ok(Self {
            installation: Mutex::new(Arc::new(installation)),
            losses,
            aside: Aside::default(),
            store,
            book: Book::default(),
            metrics,
            clock,
            reports_dir,
            demo,
            live,
            watched: Watched::default(),
            office: tokio::sync::Notify::new(),
            drafts: Mutex::default(),
            region: Mutex::new(None),
            done: Mutex::default(),
            figures: Mutex::default(),
            findings: Mutex::default(),
            sent: Mutex::default(),
            late: AtomicBool::new(false),
            renewed: AtomicBool::new(false),
        })
    }

    /// What the files said when they were last taken. Whoever needs it twice keeps it: it may be another one the next
    /// time.
    pub(crate) fn installation(&self) -> Arc<Installation> {
        Arc::clone(&lock(&self.installation))
    }

    /// Takes on what the files say now. The links are the caller's; figures follow with the next upkeep.
    /// Blocks on the disk.
    pub(crate) fn replace(&self, new: Arc<Installation>) {
        let old = std::mem::replace(&mut *lock(&self.installation), Arc::clone(&new));
        // Findings about settings were made of the old files; the new ones bring their own.
        self.resolve_codes(|code| code.starts_with("settings.") || code == "web.open");
        for meter in old.settings.meters.iter().filter(|m| new.settings.meter(&m.id).is_none()) {
            self.metrics.forget_meter(&meter.id);
            self.resolve(&format!("meter:{}", meter.id), None);
        }
        for link in old.settings.links.iter().filter(|l| new.settings.link(&l.id).is_none()) {
            self.metrics.forget_link(&link.id);
            self.resolve(&format!("link:{}", link.id), None);
        }
        if let Err(error) = self.losses.follow(&self.store, &new, &BTreeMap::new(), self.clock.now()) {
            tracing::warn!(%error, "the loss budget counts by the former settings until the next reload");
        }
        self.renewed.store(true, Relaxed);
    }

    /// Where reports are written and looked for.
    pub(crate) fn reports_dir(&self) -> PathBuf {
        self.reports_dir.clone().unwrap_or_else(|| self.installation().settings.reports.dir.clone())
    }

    /// Puts the counts of the loss budget on disk. What fails is tried again with the next upkeep. Blocks on the disk.
    pub(crate) fn keep_losses(&self) {
        if let Err(error) = self.losses.keep(&self.store, self.clock.now()) {
            tracing::warn!(%error, "the counts of the loss budget are not on disk yet");
        }
    }

    /// The loss budget of `from` and later months; empty when the store cannot be asked.
    pub(crate) fn losses_since(&self, from: Month) -> Tallies {
        self.losses.since(&self.store, from, self.clock.now()).unwrap_or_else(|error| {
            tracing::warn!(%error, "the loss budget cannot be shown");
            Tallies::new()
        })
    }

    /// Since when the loss budget counts each meter, where that began while this daemon ran.
    pub(crate) fn losses_begun(&self) -> BTreeMap<MeterId, model::Instant> {
        self.losses.begun()
    }

    pub(crate) fn today(&self) -> NaiveDate {
        self.clock.now().day(self.installation().settings.installation.zone)
    }

    /// The period at which a meter is read; a quarter of an hour for meters that this installation does not read.
    pub(crate) fn every_seconds(&self, meter: &MeterId) -> u32 {
        self.installation().every_seconds(meter)
    }

    pub(crate) fn figures(&self) -> Vec<ProjectFigures> {
        lock(&self.figures).clone()
    }

    /// What is on record as sent, read again only when people's records changed. What cannot be read counts as not sent.
    pub(crate) fn fulfilments(&self) -> Arc<Fulfilments> {
        let read = || -> anyhow::Result<Arc<Fulfilments>> {
            let stamp = self.store.change_stamp()?;
            if let Some((of, done)) = lock(&self.done).as_ref()
                && *of == stamp
            {
                return Ok(Arc::clone(done));
            }
            let done = Arc::new(Fulfilments::read(&self.store)?);
            *lock(&self.done) = Some((stamp, Arc::clone(&done)));
            Ok(done)
        };
        read().unwrap_or_else(|error| {
            tracing::error!("what was sent cannot be read: {error:#}");
            Arc::default()
        })
    }

    pub(crate) fn project_figures(&self, id: &ProjectId) -> Option<ProjectFigures> {
        lock(&self.figures).iter().find(|f| f.project.id == *id).cloned()
    }

    pub(crate) fn projects(&self) -> Vec<Arc<Project>> {
        lock(&self.figures).iter().map(|f| Arc::clone(&f.project)).collect()
    }

    /// Tells that readings came which complete years may not know.
    pub(crate) fn note_late(&self) {
        self.late.store(true, Relaxed);
    }

    /// Notes an operational finding; one per code and subject, the newest sentence wins.
    pub(crate) fn report(&self, finding: Finding) {
        let mut findings = lock(&self.findings);
        let key = (finding.code, finding.subject.clone());
        if FINDINGS_MAX <= findings.len() && !findings.contains_key(&key) {
            drop(findings);
            tracing::warn!(
                code = finding.code,
                subject = %finding.subject,
                "{} (not shown on the pages: {FINDINGS_MAX} findings are open already)",
                finding.says
            );
            return;
        }
        if findings.insert(key, finding.clone()).as_ref() != Some(&finding) {
            tracing::warn!(code = finding.code, subject = %finding.subject, "{}", finding.says);
        }
    }

    /// Takes back the findings of a subject, with all codes or one.
    pub(crate) fn resolve(&self, subject: &str, code: Option<&str>) {
        lock(&self.findings).retain(|(c, s), _| s != subject || code.is_some_and(|code| *c != code));
    }

    /// A panic of the store's writer is a fault of this program: ingestion goes on, but a person must know.
    fn look_at_writer(&self) {
        let panics = self.store.stats().writer_panics;
        if 0 < panics {
            self.report(
                Finding::new(
                    "store.writer",
                    Severity::Blocks,
                    "store:journal",
                    format!(
                        "the writer of the journal panicked and began anew, {panics} times since the start"
                    ),
                    "nothing is acknowledged that is not on disk",
                )
                .with("count", panics),
            );
        }
    }

    /// Tells of a clock that was set, forward or back: readings stand where it said they were made.
    fn look_at_clock(&self, jumps: &mut Jumps, now: tokio::time::Instant) {
        let says = self.clock.now();
        if let Some(jumped) = jumps.look(says, now) {
            self.report(jumped);
        } else if jumps.over(says) {
            JUMPS.iter().for_each(|code| self.resolve(CLOCK, Some(code)));
        }
    }

    /// Takes back the findings of all subjects with these codes.
    pub(crate) fn resolve_codes(&self, of: impl Fn(&str) -> bool) {
        lock(&self.findings).retain(|(code, _), _| !of(code));
    }

    /// Notes what is to be said now under these codes; what was said before under them and is not among it is taken back.
    pub(crate) fn renew(&self, of: impl Fn(&str) -> bool, now: Vec<Finding>) {
        let stays = |code: &str, subject: &str| now.iter().any(|f| f.code == code && f.subject == subject);
        lock(&self.findings).retain(|(code, subject), _| !of(code) || stays(code, subject));
        now.into_iter().for_each(|finding| self.report(finding));
    }

    /// Takes back what was said about a link or meter that works again.
    pub(crate) fn resolve_links(&self, subject: &str) {
        lock(&self.findings).retain(|(code, s), _| s != subject || !code.starts_with("link."));
    }

    pub(crate) fn open_findings(&self) -> Vec<Finding> {
        let mut list: Vec<Finding> = lock(&self.findings).values().cloned().collect();
        list.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.cmp(b)));
        list
    }

    /// Reads projects again and computes every year's figures. Blocks on the disk.
    pub(crate) fn refresh(&self) -> anyhow::Result<()> {
        let installation = self.installation();
        let (projects, unreadable) = figures::projects(&self.store, &installation.catalog)?;
        self.resolve_codes(|code| {
            matches!(code, "project.unreadable" | "meter.experimental" | "series.wrap.fast")
        });
        self.resolve_codes(|code| code.starts_with("forecast."));
        let unproved = projects.iter().flat_map(|project| project.meters());
        let unproved = unproved.filter_map(|(_, meter)| installation.unproved(meter));
        let series = projects.iter().flat_map(|project| installation.series_findings(project));
        for finding in unreadable.into_iter().chain(unproved).chain(series) {
            self.report(finding);
        }
        let wanted = book::wanted_series(&projects, &installation);
        // An imported project may count on another channel of a meter than was counted so far.
        if let Err(error) = self.losses.follow(&self.store, &installation, &BTreeMap::new(), self.clock.now())
        {
            tracing::warn!(%error, "the loss budget counts by the former projects until the next upkeep");
        }
        if lock(&self.figures).is_empty() {
            // Right after a start: projects are shown at once, their figures as they are computed.
            let bare = |project: &Arc<Project>| ProjectFigures {
                project: Arc::clone(project),
                years: Vec::new(),
                forecast: None,
                background: Arc::default(),
            };
            *lock(&self.figures) = projects.iter().map(bare).collect();
        }
        let readings = crate::hub::readings(&self.store, &installation)?;
        self.book.follow(&*readings, wanted, &acts::all(&self.store)?)?;
        let all = projects.into_iter().map(|project| self.compute(project, None)).collect();
        *lock(&self.figures) = all;
        Ok(())
    }

    /// Computes the year in progress again for every project. Blocks on the disk.
    pub(crate) fn refresh_current_year(&self) {
        let known = self.figures();
        self.resolve_codes(|code| code.starts_with("forecast."));
        let all: Vec<ProjectFigures> =
            known.into_iter().map(|old| self.compute(Arc::clone(&old.project), Some(&old))).collect();
        let mut figures = lock(&self.figures);
        // Projects imported meanwhile are already newer than what was computed here.
        if figures.len() == all.len() {
            *figures = all;
        }
    }

    /// The figures of a project; complete years are taken from `old` when it has them.
    fn compute(&self, project: Arc<Project>, old: Option<&ProjectFigures>) -> ProjectFigures {
        let (today, installation) = (self.today(), self.installation());
        let (mut years, mut forecast) = (Vec::new(), None);
        let mut background = old.map(|o| Arc::clone(&o.background)).unwrap_or_default();
        for year in figures::years(&project, today) {
            let until = figures::until(year, today);
            let subject = format!("project:{} {year}", project.id);
            let kept = old
                .filter(|_| until + SETTLING < today)
                .and_then(|o| o.years.iter().find(|y| y.year == year && y.is_complete() && y.until == until))
                .map(Arc::clone);
            let computed = match kept {
                Some(kept) => Ok(kept),
                None if until == today => figures::outlook(&self.store, &installation, &project, year, until)
                    .map(|outlook| {
                        forecast = Some(Arc::new(outlook.forecast));
                        let figures::Outlook { laws, history, .. } = outlook;
                        background = Arc::new(Background::new(laws, &history, &project.station, today));
                        Arc::new(outlook.year)
                    }),
                None => {
                    figures::project_year(&self.store, &installation, &project, year, until).map(Arc::new)
                }
            };
            match computed {
                Ok(figures) => {
                    self.resolve(&subject, Some("figures.failed"));
                    years.push(figures);
                }
                Err(error) => {
                    let says = format!("the figures could not be computed: {error:#}");
                    let rule = "every failure is shown to a person";
                    self.report(
                        Finding::new("figures.failed", Severity::Blocks, subject, says, rule)
                            .with("error", format!("{error:#}")),
                    );
                }
            }
        }
        let weighty = |f: &&Finding| Severity::Note < f.severity;
        for finding in forecast.iter().flat_map(|f| &f.findings).filter(weighty) {
            self.report(finding.clone());
        }
        ProjectFigures { project, years, forecast, background }
    }

    /// Sends the buildings whose live values changed since the last time.
    pub(crate) fn send_live(&self) {
        for building in crate::backend::buildings_live(self) {
            let key = format!("{}\n{}", building.project, building.building);
            let mut sent = lock(&self.sent);
            let same = sent.get(&key).is_some_and(|old| {
                old.power_w == building.power_w
                    && old.production_w == building.production_w
                    && old.today == building.today
                    && old.meters == building.meters
            });
            if !same {
                sent.insert(key, building.clone());
                // No receiver means no reader: nothing to do.
                self.live.send(Arc::new(building)).ok();
            }
        }
    }
}

/// Keeps series, figures and live values up to date until told to stop.
/// `known` is the store's stamp that the figures were computed at; `None` when they still are to be.
pub(crate) async fn tend(runtime: Arc<Runtime>, known: Option<u64>, mut stop: Stop) {
    let mut tick = tokio::time::interval(LIVE_EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let mut stamp = known;
    let mut day = runtime.today();
    let mut imports_at = tokio::time::Instant::now() + IMPORTS_EVERY;
    let mut figures_at = tokio::time::Instant::now() + FIGURES_EVERY;
    let mut mend_at = tokio::time::Instant::now();
    let mut losses_at = mend_at + LOSSES_EVERY;
    let mut jumps = Jumps::default();
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = stop.stopped() => return,
        }
        runtime.send_live();
        let now = tokio::time::Instant::now();
        runtime.look_at_clock(&mut jumps, now);
        if now < imports_at {
            continue;
        }
        imports_at = now + IMPORTS_EVERY;
        let today = runtime.today();
        let work = Work {
            figures: figures_at <= now || today != day,
            mend: mend_at <= now,
            losses: losses_at <= now,
        };
        if work.losses {
            losses_at = now + LOSSES_EVERY;
        }
        let worker = Arc::clone(&runtime);
        let known = stamp;
        let done = tokio::task::spawn_blocking(move || upkeep(&worker, known, work)).await;
        match done {
            Ok(Ok(done)) => {
                stamp = Some(done.stamp);
                if 0 < done.mended {
                    mend_at = now + MEND_EVERY;
                }
            }
            Ok(Err(error)) => {
                tracing::warn!("upkeep of series and figures failed, to be tried again: {error:#}")
            }
            Err(error) => tracing::error!(%error, "upkeep of series and figures panicked"),
        }
        if work.figures {
            figures_at = now + FIGURES_EVERY;
            day = today;
        }
    }
}

/// What a round of upkeep may do.
#[derive(Debug, Clone, Copy)]
struct Work {
    /// The figures of the year in progress are old.
    figures: bool,
    /// Series may be made again from the journal.
    mend: bool,
    /// The loss budget is due on disk.
    losses: bool,
}

/// What a round of upkeep did.
#[derive(Debug)]
struct Done {
    stamp: u64,
    /// Series made again.
    mended: usize,
}

/// One round: mends series, and computes what an import, a new day or time passed has made old. Late readings reach
/// the figures with the next round that is due for them: one clock that runs ahead must not keep the disk busy.
fn upkeep(runtime: &Runtime, known: Option<u64>, work: Work) -> anyhow::Result<Done> {
    if work.losses {
        runtime.keep_losses();
        crate::aside::catch_up(runtime);
    }
    runtime.look_at_writer();
    let mended = if work.mend {
        let readings = crate::hub::readings(&runtime.store, &runtime.installation())?;
        runtime.book.mend(&*readings)?
    } else {
        0
    };
    if 0 < mended {
        tracing::info!(series = mended, "series made again after readings out of order");
        runtime.late.store(true, Relaxed);
    }
    let stamp = runtime.store.change_stamp()?;
    let renewed = runtime.renewed.swap(false, Relaxed);
    if renewed || known != Some(stamp) || (work.figures && runtime.late.load(Relaxed)) {
        runtime.late.store(false, Relaxed);
        runtime.refresh().inspect_err(|_| {
            runtime.note_late();
            runtime.renewed.fetch_or(renewed, Relaxed);
        })?;
    } else if work.figures {
        runtime.refresh_current_year();
    }
    Ok(Done { stamp, mended })
}
