//! What routes of the API answer: JSON, nothing, or a file; a fault always as JSON with its code.
//!
//! Must never: answer with a type that the document does not describe.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::desk::papers::to_be_saved;
use crate::desk::{KeptFile, MadeFile};
use crate::downloads;
use crate::pages::{Fault, Site, off_loop};

/// Why something was not given or done.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "Fault")]
pub(crate) struct FaultView {
    /// Stable name of the kind.
    code: &'static str,
    /// The cause in English, for the program's log.
    message: String,
}

pub(crate) fn fault_json(fault: &Fault) -> Response {
    fault.log();
    // What went wrong inside is for the log here; the other causes name only what was asked for.
    let message = if fault.status() == StatusCode::INTERNAL_SERVER_ERROR {
        "the answer could not be made; the daemon's log says why".to_owned()
    } else {
        fault.to_string()
    };
    refused_json(fault.status(), fault.code(), message)
}

/// A refusal that is no fault of a route.
pub(crate) fn refused_json(status: StatusCode, code: &'static str, message: impl Into<String>) -> Response {
    let body = FaultView { code, message: message.into() };
    (status, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

/// A JSON body, or a fault.
pub(crate) struct Given<T>(pub(crate) Result<T, Fault>);

impl<T: Serialize> IntoResponse for Given<T> {
    fn into_response(self) -> Response {
        match self.0 {
            Ok(body) => ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response(),
            Err(fault) => fault_json(&fault),
        }
    }
}

/// A change that was made, or a fault.
pub(crate) struct Done(pub(crate) Result<(), Fault>);

impl IntoResponse for Done {
    fn into_response(self) -> Response {
        match self.0 {
            Ok(()) => {
                (StatusCode::NO_CONTENT, [(header::CACHE_CONTROL, "no-store")], Body::empty()).into_response()
            }
            Err(fault) => fault_json(&fault),
        }
    }
}

/// A file, or a fault.
pub(crate) struct Saved(pub(crate) Result<KeptFile, Fault>);

impl IntoResponse for Saved {
    fn into_response(self) -> Response {
        match self.0 {
            Ok(kept) => to_be_saved(&kept.name, Body::from(kept.bytes)),
            Err(fault) => fault_json(&fault),
        }
    }
}

/// A file that is made while it goes out, or a fault.
pub(crate) struct Made(pub(crate) Result<MadeFile, Fault>);

impl IntoResponse for Made {
    fn into_response(self) -> Response {
        match self.0 {
            Ok(made) => to_be_saved(&made.name, downloads::body_of(made.write)),
            Err(fault) => fault_json(&fault),
        }
    }
}

/// Answers with what the work gives; it may ask the disk.
pub(crate) async fn give<T, F>(site: &Arc<Site>, work: F) -> Given<T>
where
    T: Send + 'static,
    F: FnOnce(&Site) -> Result<T, Fault> + Send + 'static,
{
    Given(off_loop(site, work).await.and_then(|done| done))
}

/// Does a change; it may ask the disk.
pub(crate) async fn change<F>(site: &Arc<Site>, work: F) -> Done
where
    F: FnOnce(&Site) -> Result<(), Fault> + Send + 'static,
{
    Done(off_loop(site, work).await.and_then(|done| done))
}

/// What stands behind the question mark of an address.
pub(crate) struct Asked<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Arc<Site>> for Asked<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, site: &Arc<Site>) -> Result<Self, Response> {
        let read = Query::<T>::from_request_parts(parts, site).await;
        read.map(|Query(asked)| Self(asked))
            .map_err(|error: QueryRejection| fault_json(&Fault::BadForm(error.body_text())))
    }
}
