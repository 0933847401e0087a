//! The grants system's way in: closed projects by POST, with a token.
//!
//! Must never: take a body without the token, or say more than whether it was taken.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts as _, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::access::{Proves, TokenScope, Who};
use crate::openapi::{DeliveryAnswer, fault_json};
use crate::pages::{Fault, Site, off_loop};

/// Largest body in bytes.
pub(crate) const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How the body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantsForm {
    Csv,
    Json,
}

/// What became of the projects of one delivery.
#[derive(Debug, Clone, Default, PartialEq, Eq, JsonSchema, Serialize)]
pub struct GrantsTaken {
    pub new: Vec<String>,
    pub same: Vec<String>,
    /// Already there with other data: the first version stays, the change is on record.
    pub ignored: Vec<String>,
    /// What in the delivery had no effect; empty where everything is known here.
    pub notes: Vec<GrantsNote>,
}

/// A key or column of a delivery that means nothing here.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct GrantsNote {
    /// `grants.key_unknown`.
    pub code: String,
    /// Its path from the project on, such as `subjects[].phone`, or the column's name.
    pub key: String,
    /// How many times it stands in the delivery.
    pub times: usize,
    /// In plain words, by language.
    pub says: BTreeMap<String, String>,
}

/// Why nothing of a delivery was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GrantsRefused {
    /// Each with its line or place.
    Unusable(Vec<String>),
    /// Not the sender's fault; try again.
    Busy,
}

#[derive(Serialize)]
struct RefusedView {
    code: &'static str,
    message: &'static str,
    problems: Vec<String>,
}

fn refused(status: StatusCode, code: &'static str, problems: Vec<String>) -> Response {
    let message = match code {
        "grants.off" => "nobody may deliver here; state the file of the token under [grants]",
        "grants.token" => "the delivery carries no token that may deliver",
        "grants.form" => "a delivery is text/csv or application/json",
        "grants.unusable" => "nothing was taken; each problem says where it is",
        _ => "the delivery cannot be taken now; send it again later",
    };
    let body = RefusedView { code, message, problems };
    (status, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

/// Whether the request carries the token. Digests are compared, so that the time taken tells nothing of the token.
fn authorised(headers: &HeaderMap, token: &str) -> bool {
    let given = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
    let given = given.and_then(|v| v.strip_prefix("Bearer ")).unwrap_or_default();
    Sha256::digest(given.as_bytes()) == Sha256::digest(token.as_bytes()) && !token.is_empty()
}

/// A delivery whose sender showed the token; judged before its body is read.
pub(crate) struct Delivery {
    form: GrantsForm,
    body: Bytes,
}

impl Proves for Delivery {}

impl FromRequest<Arc<Site>> for Delivery {
    type Rejection = Response;

    async fn from_request(request: Request, site: &Arc<Site>) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let Ok(who) = Who::from_request_parts(&mut parts, site).await;
        let headers = &parts.headers;
        if !who.has_token_for(TokenScope::Grants) {
            match site.backend.grants_token() {
                None if !site.directory.has_accounts() => {
                    return Err(refused(StatusCode::NOT_FOUND, "grants.off", Vec::new()));
                }
                Some(token) if authorised(headers, &token) => {}
                None | Some(_) => return Err(refused(StatusCode::UNAUTHORIZED, "grants.token", Vec::new())),
            }
        }
        let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let form = match kind.split(';').next().unwrap_or_default().trim() {
            "text/csv" => GrantsForm::Csv,
            "application/json" => GrantsForm::Json,
            _ => return Err(refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, "grants.form", Vec::new())),
        };
        let body = Bytes::from_request(Request::from_parts(parts, body), site).await;
        let body = body.map_err(|error| fault_json(&Fault::BodyTooLong(error.to_string())))?;
        Ok(Self { form, body })
    }
}

/// `POST /api/v1/grants/closed-projects`, `text/csv` or `application/json`, with `Authorization: Bearer TOKEN`.
pub(crate) async fn closed_projects(
    State(site): State<Arc<Site>>,
    Delivery { form, body }: Delivery,
) -> DeliveryAnswer {
    let taken = off_loop(&site, move |site| site.backend.take_closed_projects(form, &body)).await;
    DeliveryAnswer(match taken {
        Ok(Ok(taken)) => ([(header::CACHE_CONTROL, "no-store")], Json(taken)).into_response(),
        Ok(Err(GrantsRefused::Unusable(problems))) => {
            refused(StatusCode::UNPROCESSABLE_ENTITY, "grants.unusable", problems)
        }
        Ok(Err(GrantsRefused::Busy)) | Err(_) => {
            refused(StatusCode::SERVICE_UNAVAILABLE, "grants.busy", Vec::new())
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_very_token_opens() {
        let with = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            headers
        };
        assert!(authorised(&with("Bearer abc"), "abc"));
        for wrong in ["Bearer abcd", "Bearer ab", "bearer abc", "abc", "Bearer "] {
            assert!(!authorised(&with(wrong), "abc"), "{wrong}");
        }
        assert!(!authorised(&HeaderMap::new(), "abc") && !authorised(&with("Bearer "), ""));
    }
}
