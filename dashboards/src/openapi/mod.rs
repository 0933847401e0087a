//! The API's own description: every route of it says by its types what it reads, takes and answers; from that the
//! OpenAPI document is made, and the page that people read.
//!
//! Must never: describe a route that is not in the table, or leave one out.

mod answer;
mod describe;
mod document;
mod page;

use std::sync::{Arc, OnceLock};

use axum::extract::State;
use serde_json::Value;

use crate::access::{Need, Route, get, read};
use crate::pages::Site;

pub(crate) use answer::{Asked, Done, Given, Made, Saved, change, fault_json, give, refused_json};
pub(crate) use describe::{DeliveryAnswer, Described, Operation};
pub(crate) use document::ROOT;

/// The routes of this folder.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        read("openapi", "/api/v1/openapi.json", Need::Always, openapi),
        get("/api", Need::Public, page::page),
    ]
}

/// The document, made once: the same program describes itself the same.
pub(crate) fn document(site: &Site) -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(|| {
        let texts = site.backend.texts();
        let texts = texts.iter().find(|t| t.language() == "en").or(texts.first()).cloned();
        document::document(&crate::routes::operations(), &texts.unwrap_or_default())
    })
}

/// `GET /api/v1/openapi.json`.
async fn openapi(State(site): State<Arc<Site>>) -> Given<&'static Value> {
    Given(Ok(document(&site)))
}
