//! What all pages share: the site, the reader and their language, the frame around a page, faults.
//!
//! Must never: show a reader an internal cause, or a log line less than the cause.

pub(crate) mod access;
pub(crate) mod findings;
pub(crate) mod kpi;
pub(crate) mod language;
pub(crate) mod meters;
pub(crate) mod portfolio;
pub(crate) mod project;
pub(crate) mod words;

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use tokio::sync::Semaphore;

use crate::access::{Directory, Right};
use crate::assets::AssetPaths;
use crate::backend::{Backend, Installation};
use crate::desk::RefusedKind;
use crate::routes::Options;
use crate::shares::Shares;
use crate::watch::ActRefused;

pub(crate) use language::Ask;
pub(crate) use words::Words;

/// Passwords hashed at the same time: each takes 19 MiB and a core.
const HASHING_MAX: usize = 2;

/// Everything a route needs.
pub(crate) struct Site {
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) options: Options,
    pub(crate) assets: AssetPaths,
    /// Free places for live streams.
    pub(crate) streams: Arc<Semaphore>,
    /// What of them each address has.
    pub(crate) stream_shares: Arc<Shares>,
    renders: Arc<Semaphore>,
    /// Turns for what hashes a password.
    pub(crate) hashing: Arc<Semaphore>,
}

impl Site {
    pub(crate) fn new(backend: Arc<dyn Backend>, directory: Arc<dyn Directory>, options: Options) -> Self {
        Self {
            backend,
            directory,
            assets: AssetPaths::new(),
            streams: Arc::new(Semaphore::new(options.live_streams_max)),
            stream_shares: Shares::new(options.live_streams_of_address_max),
            renders: Arc::new(Semaphore::new(options.renders_max)),
            hashing: Arc::new(Semaphore::new(HASHING_MAX)),
            options,
        }
    }

    /// Whether readers on this machine are let in without a name.
    pub(crate) fn reading_is_open(&self) -> bool {
        !self.options.is_exposed && (self.options.anonymous_reading || !self.directory.has_accounts())
    }
}

/// Why a page cannot be shown. `Display` is the log's message; [`Fault::code`] names the reader's.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("no page at {0:?}")]
    NoPage(String),
    #[error("no project {0:?}")]
    NoProject(String),
    #[error("no building {0:?}")]
    NoBuilding(String),
    #[error("no meter {0:?}")]
    NoMeter(String),
    #[error("no alarm {0:?}")]
    NoAlarm(String),
    #[error("{0}")]
    Act(ActRefused),
    #[error("{0}")]
    Access(crate::access::Refused),
    #[error("project {project} has no figures for {year:?}")]
    NoYear { project: String, year: String },
    #[error("no report file {name:?} of project {project:?} and year {year:?}")]
    NoReport { project: String, year: String, name: String },
    #[error("cannot read report file {path}: {source}")]
    ReportUnreadable { path: String, source: std::io::Error },
    #[error("a reader without a session asked for what needs one")]
    SignIn,
    #[error("an account asked for what its roles do not allow")]
    Forbidden,
    #[error("the installation has no account yet and is reachable from other machines")]
    NotSetUp,
    #[error("a change was asked for by a page of another site")]
    ForeignForm,
    #[error("a form came without the proof that this session was shown it")]
    StaleForm,
    #[error("the request cannot be read: {0}")]
    BadForm(String),
    #[error("a body of another type was wanted: {0}")]
    BodyKind(String),
    #[error("a body is too long: {0}")]
    BodyTooLong(String),
    #[error("a file is too long: {0}")]
    FileTooLong(String),
    #[error("{0}")]
    Desk(crate::desk::Refused),
    #[error("a page panicked while it was made: {0}")]
    Panicked(String),
    #[error("a template failed: {0}")]
    Template(askama::Error),
}

impl Fault {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::NoPage(_)
            | Self::NoProject(_)
            | Self::NoBuilding(_)
            | Self::NoMeter(_)
            | Self::NoAlarm(_)
            | Self::NoYear { .. }
            | Self::NoReport { .. } => StatusCode::NOT_FOUND,
            Self::SignIn => StatusCode::UNAUTHORIZED,
            Self::Forbidden | Self::NotSetUp | Self::ForeignForm | Self::StaleForm => StatusCode::FORBIDDEN,
            Self::BadForm(_) => StatusCode::BAD_REQUEST,
            Self::Desk(refused) => match refused.kind {
                RefusedKind::Unknown => StatusCode::NOT_FOUND,
                RefusedKind::Unusable => StatusCode::UNPROCESSABLE_ENTITY,
                RefusedKind::Busy => StatusCode::SERVICE_UNAVAILABLE,
            },
            Self::Act(ActRefused::Unusable { .. }) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Act(ActRefused::Busy) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Access(refused) => match refused {
                crate::access::Refused::Unknown | crate::access::Refused::Gone => StatusCode::NOT_FOUND,
                crate::access::Refused::Busy => StatusCode::SERVICE_UNAVAILABLE,
                _ => StatusCode::UNPROCESSABLE_ENTITY,
            },
            Self::BodyKind(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::BodyTooLong(_) | Self::FileTooLong(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::ReportUnreadable { .. } | Self::Panicked(_) | Self::Template(_) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        }
    }

    /// Stable name, for the API and as the key of the reader's text (`page.fault.<code>`).
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::NoPage(_) => "no_page",
            Self::NoProject(_) => "no_project",
            Self::NoBuilding(_) => "no_building",
            Self::NoMeter(_) => "no_meter",
            Self::NoAlarm(_) => "no_alarm",
            Self::Act(ActRefused::Unusable { .. }) => "refused",
            Self::Act(ActRefused::Busy) => "busy",
            Self::Access(refused) => refused.code(),
            Self::NoYear { .. } => "no_year",
            Self::NoReport { .. } => "no_report",
            Self::ReportUnreadable { .. } => "report_unreadable",
            Self::SignIn => "sign_in",
            Self::Forbidden => "forbidden",
            Self::NotSetUp => "not_set_up",
            Self::ForeignForm => "foreign_form",
            Self::StaleForm => "stale_form",
            Self::BadForm(_) => "bad_form",
            Self::BodyKind(_) => "body_kind",
            Self::BodyTooLong(_) => "body_too_long",
            Self::FileTooLong(_) => "file_too_long",
            Self::Desk(refused) => match refused.kind {
                RefusedKind::Unknown => "not_here",
                RefusedKind::Unusable => "refused",
                RefusedKind::Busy => "busy",
            },
            Self::Panicked(_) | Self::Template(_) => "internal",
        }
    }

    pub(crate) fn log(&self) {
        if self.status().is_server_error() {
            tracing::error!("{self}");
        } else {
            tracing::debug!("{self}");
        }
    }
}

impl From<ActRefused> for Fault {
    fn from(refused: ActRefused) -> Self {
        Self::Act(refused)
    }
}

impl From<crate::access::Refused> for Fault {
    fn from(refused: crate::access::Refused) -> Self {
        Self::Access(refused)
    }
}

impl From<askama::Error> for Fault {
    fn from(error: askama::Error) -> Self {
        Self::Template(error)
    }
}

/// What stands around every page.
pub(crate) struct Frame {
    pub(crate) title: String,
    /// Which entry of the navigation is the current one: `portfolio`, `buildings`, `meters`, `alarms`, `findings` or
    /// nothing.
    pub(crate) here: &'static str,
    pub(crate) installation: Installation,
    pub(crate) assets: AssetPaths,
    /// The other languages: tag, name in itself, address of this page in it.
    pub(crate) languages: Vec<(String, String, String)>,
    /// Alarms that nobody has acknowledged.
    pub(crate) alarms: usize,
    /// Whether this reader may see the region's table.
    pub(crate) region: bool,
    /// Whether the page has zoomable charts and wants their script.
    pub(crate) charts: bool,
    /// Who reads: their account's name.
    pub(crate) account: Option<String>,
    /// Whether there is an account to sign in with.
    pub(crate) can_sign_in: bool,
    /// The value of the field `csrf` that every form carries.
    pub(crate) csrf: String,
    /// Whether the reader administers accounts.
    pub(crate) administers: bool,
}

impl Frame {
    pub(crate) fn new(site: &Site, ask: &Ask, title: impl Into<String>, here: &'static str) -> Self {
        Self {
            title: title.into(),
            here,
            installation: site.backend.installation(),
            assets: site.assets.clone(),
            languages: ask.other_languages(site),
            alarms: site.alarms_open(&ask.who),
            region: ask.who.may(Right::SeeRegion, None),
            charts: false,
            account: ask.who.person().map(|person| person.name.clone()),
            can_sign_in: site.directory.has_accounts(),
            csrf: ask.who.csrf().to_owned(),
            administers: ask.who.may(Right::AdministerAccounts, None),
        }
    }

    pub(crate) fn with_charts(mut self) -> Self {
        self.charts = true;
        self
    }
}

#[derive(Template)]
#[template(path = "fault.html")]
struct FaultPage<'a> {
    t: &'a Words,
    frame: Frame,
    status: u16,
    says: &'a str,
}

/// Does what may ask the disk off the event loop, in one of the places for pages.
pub(crate) async fn off_loop<T: Send + 'static>(
    site: &Arc<Site>,
    work: impl FnOnce(&Site) -> T + Send + 'static,
) -> Result<T, Fault> {
    // The semaphore is never closed; without a permit the page would only be made unbounded.
    let turn = Arc::clone(&site.renders).acquire_owned().await;
    let site = Arc::clone(site);
    let done = tokio::task::spawn_blocking(move || {
        // The turn ends with the work, also when the reader has gone meanwhile.
        let _turn = turn;
        work(&site)
    });
    done.await.map_err(|error| Fault::Panicked(error.to_string()))
}

/// Makes a page off the event loop and answers with it, or with the page of its fault.
pub(crate) async fn respond<F>(site: Arc<Site>, ask: Ask, render: F) -> Response
where
    F: FnOnce(&Site, &Ask) -> Result<String, Fault> + Send + 'static,
{
    let asked = ask.clone();
    let made = off_loop(&site, move |site| render(site, &asked)).await;
    match made.and_then(|page| page) {
        Ok(page) => {
            let mut response = Html(page).into_response();
            put_language(&ask, response.headers_mut());
            response
        }
        Err(fault) => fault_page(&site, &ask, &fault),
    }
}

/// The page that tells a reader what could not be shown and what to do; the cause goes into the log.
pub(crate) fn fault_page(site: &Site, ask: &Ask, fault: &Fault) -> Response {
    fault.log();
    let t = &ask.words;
    let key = format!("page.fault.{}", fault.code());
    let page = FaultPage {
        t,
        frame: Frame::new(site, ask, t.get("page.fault.title"), ""),
        status: fault.status().as_u16(),
        says: t.get(&key),
    };
    let mut response = match page.render() {
        Ok(page) => (fault.status(), Html(page)).into_response(),
        Err(error) => {
            Fault::from(error).log();
            (fault.status(), format!("{}\n", t.get(&key))).into_response()
        }
    };
    put_language(ask, response.headers_mut());
    response
}

pub(crate) async fn no_page(State(site): State<Arc<Site>>, ask: Ask) -> Response {
    let fault = Fault::NoPage(ask.path.clone());
    if ask.path.starts_with(crate::openapi::ROOT) {
        return crate::openapi::fault_json(&fault);
    }
    fault_page(&site, &ask, &fault)
}

/// Says which language the page is in, on what that depended, and keeps an explicit choice for a year.
pub(crate) fn put_language(ask: &Ask, headers: &mut HeaderMap) {
    headers.insert(header::VARY, HeaderValue::from_static("accept-language, cookie"));
    if let Ok(tag) = HeaderValue::from_str(ask.words.language()) {
        headers.insert(header::CONTENT_LANGUAGE, tag);
    }
    if ask.chosen {
        let cookie = format!(
            "{}={}; Path=/; Max-Age=31536000; SameSite=Lax; HttpOnly",
            language::COOKIE,
            ask.words.language()
        );
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            headers.append(header::SET_COOKIE, cookie);
        }
    }
}
