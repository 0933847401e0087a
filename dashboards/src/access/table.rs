//! A route with what it needs: the only way to add one.
//!
//! Must never: take a handler of a change of state that does not end in a proof of intent. The compiler sees to it.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::middleware;
use axum::routing::{self, MethodRouter};

use super::checked::Proves;
use super::gate::{Gate, gate};
use super::role::Right;
use crate::openapi::{Described, Operation};
use crate::pages::Site;
use std::sync::Arc;

/// What a request must have to reach a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Nothing, not even an account: health, assets, one-time links.
    Always,
    /// Nothing, once the installation may be used at all: signing in, enabled kiosk pages (which answer 404 otherwise).
    Public,
    /// A person's session.
    SignedIn,
    /// The right somewhere. The handler asks again with the project of what it shows or changes.
    Anywhere(Right),
    /// The right in the project that the path names as `{project}`.
    InProject(Right),
    /// The right in the building that the path names as `{project}` and `{building}`.
    InBuilding(Right),
    /// The right in the building that the meter of the path's `{meter}` is in; in the whole installation for a meter
    /// that is in none.
    OfMeter(Right),
    /// Come from this machine, or a token for metrics.
    Metrics,
    /// The right to see projects, or a token for the calendar in the address (calendar programs send no headers).
    Calendar,
    /// A token for deliveries of the grants system; the handler's extractor asks for it.
    Delivery,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// GET and HEAD.
    Get,
    Post,
}

/// One line of the table of routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    pub verb: Verb,
    pub path: &'static str,
    pub need: Need,
    /// Longest body; 0 for none.
    pub body_bytes_max: usize,
}

/// Of routes that only answer.
pub(crate) const BODY_NONE: usize = 0;
/// Of ordinary forms.
pub(crate) const FORM_BYTES_MAX: usize = 64 * 1024;

/// A line of the table with who answers.
pub(crate) struct Route {
    pub(crate) row: Row,
    /// What it says of itself, where it is one of the API.
    pub(crate) operation: Option<Operation>,
    handler: MethodRouter<Arc<Site>>,
}

/// A page, a file, a stream: changes nothing.
pub(crate) fn get<H, T>(path: &'static str, need: Need, handler: H) -> Route
where
    H: Handler<T, Arc<Site>>,
    T: 'static,
{
    let row = Row { verb: Verb::Get, path, need, body_bytes_max: BODY_NONE };
    Route { row, operation: None, handler: routing::get(handler) }
}

/// A route of the API that changes nothing; `id` names it in the document and in the texts.
pub(crate) fn read<H, T, R>(id: &'static str, path: &'static str, need: Need, handler: H) -> Route
where
    H: Handler<T, Arc<Site>> + Described<T, R>,
    T: 'static,
{
    let operation = Some(Operation { id, describe: <H as Described<T, R>>::describe });
    Route { operation, ..get(path, need, handler) }
}

/// A change of state. Its last argument proves that the person meant it: [`super::Checked`] for a form.
pub(crate) fn post<H, T>(path: &'static str, need: Need, body_bytes_max: usize, handler: H) -> Route
where
    H: Handler<T, Arc<Site>>,
    T: EndsInProof + 'static,
{
    let row = Row { verb: Verb::Post, path, need, body_bytes_max };
    Route { row, operation: None, handler: routing::post(handler) }
}

/// A route of the API that changes something.
pub(crate) fn write<H, T, R>(
    id: &'static str,
    (path, need, body_bytes_max): (&'static str, Need, usize),
    handler: H,
) -> Route
where
    H: Handler<T, Arc<Site>> + Described<T, R>,
    T: EndsInProof + 'static,
{
    let operation = Some(Operation { id, describe: <H as Described<T, R>>::describe });
    Route { operation, ..post(path, need, body_bytes_max, handler) }
}

/// The router of a table: every route behind its gate.
pub(crate) fn assemble(routes: Vec<Route>, site: &Arc<Site>) -> Router<Arc<Site>> {
    routes.into_iter().fold(Router::new(), |router, Route { row, handler, .. }| {
        let at = Gate { site: Arc::clone(site), row };
        let limit = DefaultBodyLimit::max(row.body_bytes_max);
        router.route(row.path, handler.layer(limit).route_layer(middleware::from_fn_with_state(at, gate)))
    })
}

/// A handler's arguments whose last is a [`Proves`].
pub(crate) trait EndsInProof {}

macro_rules! ends_in_proof {
    ($($before:ident),*) => {
        impl<M, $($before,)* L: Proves> EndsInProof for (M, $($before,)* L,) {}
    };
}

ends_in_proof!();
ends_in_proof!(A);
ends_in_proof!(A, B);
ends_in_proof!(A, B, C);
ends_in_proof!(A, B, C, D);
ends_in_proof!(A, B, C, D, E);
