//! Forms with a file, and bodies of programs: who sent them is proved before anything is kept.
//!
//! Must never: keep more than its route allows, or take a form's file before its proof.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts as _, Multipart, Request};
use axum::http::{StatusCode, header};
use axum::response::Response;
use schemars::{JsonSchema, schema_for};
use serde::de::DeserializeOwned;

use super::Upload;
use crate::access::{Proves, Who};
use crate::openapi::fault_json;
use crate::pages::{Ask, Fault, Site, fault_page};

/// The part that every form carries; it comes first.
const PROOF: &str = "csrf";
/// Parts of one form beside its file.
const PARTS_MAX: usize = 20;
/// Longest part that is no file, in bytes.
const PART_BYTES_MAX: usize = 16 * 1024;

/// A form of this site with at most one file, sent by the one it was shown to.
pub(crate) struct CheckedUpload {
    pub(crate) fields: Vec<(String, String)>,
    /// `None` where no file was chosen.
    pub(crate) file: Option<Upload>,
}

impl Proves for CheckedUpload {}

impl CheckedUpload {
    /// A field's text, trimmed; empty where the form has none.
    pub(crate) fn field(&self, name: &str) -> &str {
        self.fields.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value.trim())
    }
}

impl FromRequest<Arc<Site>> for CheckedUpload {
    type Rejection = Response;

    async fn from_request(request: Request, site: &Arc<Site>) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let Ok(ask) = Ask::from_request_parts(&mut parts, site).await;
        let Ok(who) = Who::from_request_parts(&mut parts, site).await;
        let read = read(Request::from_parts(parts, body), site, &who).await;
        read.map_err(|fault| fault_page(site, &ask, &fault))
    }
}

async fn read(request: Request, site: &Arc<Site>, who: &Who) -> Result<CheckedUpload, Fault> {
    let bad = |says: String| Fault::BadForm(says);
    let mut form = Multipart::from_request(request, site).await.map_err(|e| bad(e.to_string()))?;
    let mut found = CheckedUpload { fields: Vec::new(), file: None };
    let mut proved = false;
    while let Some(part) = form.next_field().await.map_err(|e| of_body(&e))? {
        let name = part.name().unwrap_or_default().to_owned();
        let file_name = part.file_name().map(str::to_owned);
        let bytes = part.bytes().await.map_err(|e| of_body(&e))?;
        if !proved {
            let proof = std::str::from_utf8(&bytes).unwrap_or_default();
            if name != PROOF || file_name.is_some() || !who.accepts_form(proof) {
                return Err(Fault::StaleForm);
            }
            proved = true;
            continue;
        }
        match file_name {
            // A browser sends an empty part where nothing was chosen.
            Some(name) if name.is_empty() && bytes.is_empty() => {}
            Some(name) if found.file.is_none() => found.file = Some(Upload { name, bytes: bytes.into() }),
            Some(_) => return Err(bad("more than one file".to_owned())),
            None if bytes.len() <= PART_BYTES_MAX && found.fields.len() < PARTS_MAX => {
                let text = String::from_utf8(bytes.into()).map_err(|e| bad(e.to_string()))?;
                found.fields.push((name, text));
            }
            None => return Err(bad("too many or too long fields".to_owned())),
        }
    }
    if proved { Ok(found) } else { Err(Fault::StaleForm) }
}

fn of_body(error: &axum::extract::multipart::MultipartError) -> Fault {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        Fault::FileTooLong(error.to_string())
    } else {
        Fault::BadForm(error.to_string())
    }
}

/// JSON of a program with a token. A browser's session sends forms: what it may be tricked into is no JSON.
pub(crate) struct Posted<T>(pub(crate) T);

impl<T> Proves for Posted<T> {}

impl<T: DeserializeOwned + JsonSchema> FromRequest<Arc<Site>> for Posted<T> {
    type Rejection = Response;

    async fn from_request(request: Request, site: &Arc<Site>) -> Result<Self, Response> {
        let bytes = of_program(request, site, "application/json").await?;
        let read = || -> Result<T, String> {
            // The library would fill a struct from a list by the order of its fields, which no document promises.
            let is_list = bytes.trim_ascii_start().starts_with(b"[");
            let wants_list = schema_for!(T).get("type").is_some_and(|kind| kind == "array");
            if is_list != wants_list {
                let wanted = if wants_list { "a list" } else { "an object" };
                return Err(format!("the body is not {wanted}"));
            }
            serde_json::from_slice(&bytes).map_err(|error| error.to_string())
        };
        read().map(Self).map_err(|says| fault_json(&Fault::BadForm(says)))
    }
}

/// A file of a program with a token, as the whole body.
pub(crate) struct PostedFile(pub(crate) Vec<u8>);

impl Proves for PostedFile {}

impl FromRequest<Arc<Site>> for PostedFile {
    type Rejection = Response;

    async fn from_request(request: Request, site: &Arc<Site>) -> Result<Self, Response> {
        of_program(request, site, "application/octet-stream").await.map(|bytes| Self(bytes.into()))
    }
}

async fn of_program(request: Request, site: &Arc<Site>, kind: &str) -> Result<Bytes, Response> {
    let (mut parts, body) = request.into_parts();
    let Ok(who) = Who::from_request_parts(&mut parts, site).await;
    let refuse = |fault: Fault| fault_json(&fault);
    if !who.is_program() {
        return Err(refuse(Fault::StaleForm));
    }
    let given = parts.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if given.split(';').next().unwrap_or_default().trim() != kind {
        return Err(refuse(Fault::BodyKind(format!("{kind}, not {given:?}"))));
    }
    let bytes = Bytes::from_request(Request::from_parts(parts, body), site).await;
    bytes.map_err(|error| refuse(Fault::BodyTooLong(error.to_string())))
}
