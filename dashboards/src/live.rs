//! `GET /live`: the state of every building as server-sent events; `GET /kiosk/…/live`: of one building that everyone
//! may see.
//!
//! Events: `snapshot` (a JSON array with every building, first and after a reader fell behind), `building`
//! (one building that changed) and `beat` (nothing changed for a while; the link is alive).
//!
//! Must never: queue without bound. A reader that falls behind loses updates and gets a new snapshot.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use futures_util::stream;
use model::{BuildingId, ProjectId};
use tokio::sync::{OwnedSemaphorePermit, broadcast, watch};

use crate::access::{Caller, Who};
use crate::api::LiveView;
use crate::backend::BuildingLive;
use crate::openapi::fault_json;
use crate::pages::Site;
use crate::shares::Share;
use crate::watch::kiosk;

/// Silence after which a `beat` is sent. The script in the page takes three of them missing as a dead link.
const BEAT: Duration = Duration::from_secs(15);
/// After how long a browser comes back when the link is cut.
const RETRY: Duration = Duration::from_secs(3);
/// What a reader refused for want of room is asked to wait, in seconds.
const RETRY_AFTER_FULL: &str = "30";

/// Turns true when the server stops; open streams end then.
#[derive(Debug, Clone)]
pub(crate) struct Closing(pub(crate) watch::Receiver<bool>);

/// `GET /live`.
pub(crate) async fn live(
    State(site): State<Arc<Site>>,
    who: Who,
    caller: Caller,
    closing: Option<Extension<Closing>>,
) -> Response {
    stream_of(&site, caller, closing, Sight::Of(who))
}

/// `GET /kiosk/{project}/{building}/live`.
pub(crate) async fn of_kiosk(
    State(site): State<Arc<Site>>,
    Path((project, building)): Path<(String, String)>,
    caller: Caller,
    closing: Option<Extension<Closing>>,
) -> Response {
    match kiosk::public(&site, &project, &building) {
        Ok((project, building)) => stream_of(&site, caller, closing, Sight::One(project, building)),
        Err(fault) => fault_json(&fault),
    }
}

/// Which buildings a stream shows.
enum Sight {
    /// What this reader may see.
    Of(Who),
    /// One that everyone may see.
    One(ProjectId, BuildingId),
}

impl Sight {
    fn holds(&self, live: &BuildingLive) -> bool {
        match self {
            Self::Of(who) => who.sees_building(&live.project, &live.building),
            Self::One(project, building) => live.project == *project && live.building == *building,
        }
    }
}

/// All streams are taken, or all that one address may have.
fn full(status: StatusCode, says: &'static str) -> Response {
    let headers = [(header::RETRY_AFTER, RETRY_AFTER_FULL), (header::CACHE_CONTROL, "no-store")];
    (status, headers, says).into_response()
}

fn stream_of(
    site: &Arc<Site>,
    caller: Caller,
    closing: Option<Extension<Closing>>,
    sight: Sight,
) -> Response {
    let Some(share) = site.stream_shares.take(caller.address) else {
        tracing::warn!("refused a live stream of {}: it has all that it may have", caller.address);
        return full(StatusCode::TOO_MANY_REQUESTS, "your address has too many live streams open\n");
    };
    let Ok(permit) = Arc::clone(&site.streams).try_acquire_owned() else {
        tracing::warn!("refused a live stream: all {} are taken", site.options.live_streams_max);
        let says = "too many live streams are open; try again later\n";
        return full(StatusCode::SERVICE_UNAVAILABLE, says);
    };
    let follower = Follower {
        site: Arc::clone(site),
        sight,
        updates: None,
        closing: closing.map(|Extension(Closing(receiver))| receiver),
        _permit: permit,
        _share: share,
    };
    let beat = Event::default().comment("keep-alive").event("beat").data("{}");
    let mut response =
        Sse::new(follower.events()).keep_alive(KeepAlive::new().interval(BEAT).event(beat)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Reverse proxies that buffer would hold live values back.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

/// One reader of the live stream.
struct Follower {
    site: Arc<Site>,
    sight: Sight,
    /// `None` before the first snapshot and after falling behind.
    updates: Option<broadcast::Receiver<Arc<BuildingLive>>>,
    closing: Option<watch::Receiver<bool>>,
    /// Gives the place back when the reader goes.
    _permit: OwnedSemaphorePermit,
    _share: Share,
}

impl Follower {
    fn events(self) -> impl Stream<Item = Result<Event, Infallible>> {
        stream::unfold(self, |mut follower| async move {
            let event = follower.next().await?;
            Some((Ok(event), follower))
        })
    }

    /// The next event; `None` ends the stream: the server stops, or nothing will ever change again.
    async fn next(&mut self) -> Option<Event> {
        loop {
            let Some(updates) = &mut self.updates else {
                let (now, updates) = self.site.backend.live();
                self.updates = Some(updates);
                let all: Vec<LiveView> =
                    now.iter().filter(|b| self.sight.holds(b)).map(LiveView::from).collect();
                return Some(event("snapshot", &all).retry(RETRY));
            };
            let update = tokio::select! {
                () = closed(self.closing.as_mut()) => return None,
                update = tokio::time::timeout(BEAT, updates.recv()) => update,
            };
            // A page that stays open keeps no session alive, and shows nothing after the end of a session, a token or
            // a right.
            if let Sight::Of(who) = &mut self.sight {
                *who = who.renewed(self.site.directory.as_ref(), self.site.backend.now())?;
            }
            let Ok(update) = update else { continue };
            match update {
                Ok(building) if !self.sight.holds(&building) => {}
                Ok(building) => return Some(event("building", &LiveView::from(building.as_ref()))),
                Err(broadcast::error::RecvError::Lagged(missed)) => {
                    tracing::debug!(
                        "a live reader fell behind by {missed} updates and is sent the whole state"
                    );
                    self.updates = None;
                }
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}

/// Resolves when the server stops; never, when nobody will say so.
async fn closed(closing: Option<&mut watch::Receiver<bool>>) {
    match closing {
        // An error means that the server is gone, which is a stop too.
        Some(receiver) => drop(receiver.wait_for(|stop| *stop).await),
        None => std::future::pending().await,
    }
}

fn event(name: &'static str, body: &impl serde::Serialize) -> Event {
    // Plain structs of texts and finite numbers always serialise; an empty object keeps the stream going.
    let json = serde_json::to_string(body).unwrap_or_else(|_| "{}".to_owned());
    Event::default().event(name).data(json)
}
