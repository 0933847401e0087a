//! Bodies that prove that their sender meant it: forms with the session's field, JSON of a program with a token.
//!
//! Must never: read a body before its sender is known, or let one pass because something was left out.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Form, FromRequest, FromRequestParts as _, Request};
use axum::http::header;
use axum::response::Response;
use serde::de::DeserializeOwned;

use super::who::Who;
use crate::pages::{Ask, Fault, Site, fault_page};

/// An extractor that refuses what was not meant; every POST ends in one.
pub(crate) trait Proves {}

/// A form of this site, sent by the one it was shown to.
pub(crate) struct Checked<T>(pub(crate) T);

/// A form's fields in their order, for forms with repeated names.
pub(crate) type Fields = Vec<(String, String)>;

impl<T> Proves for Checked<T> {}

/// The name of the field that every form carries.
const FIELD: &str = "csrf";
/// Fields of one form: an order of a thousand letters, with what stands beside them.
const FIELDS_MAX: usize = 1_024;

impl<T: DeserializeOwned> FromRequest<Arc<Site>> for Checked<T> {
    type Rejection = Response;

    async fn from_request(request: Request, site: &Arc<Site>) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let Ok(ask) = Ask::from_request_parts(&mut parts, site).await;
        let Ok(who) = Who::from_request_parts(&mut parts, site).await;
        let refuse = |fault: Fault| fault_page(site, &ask, &fault);
        let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        if !kind.starts_with("application/x-www-form-urlencoded") {
            return Err(refuse(Fault::BadForm(format!("a body of type {kind:?}"))));
        }
        let again = parts.clone();
        let whole = Request::from_parts(parts, body);
        let bytes = Bytes::from_request(whole, site).await;
        let bytes = bytes.map_err(|error| refuse(Fault::BodyTooLong(error.to_string())))?;
        let fields: Fields = read(&again, &bytes, site).await.map_err(&refuse)?;
        if FIELDS_MAX < fields.len() {
            return Err(refuse(Fault::BadForm(format!("{} fields", fields.len()))));
        }
        let mut proofs = fields.iter().filter(|(name, _)| name == FIELD).map(|(_, value)| value);
        match (proofs.next(), proofs.next()) {
            (Some(proof), None) if who.accepts_form(proof) => {}
            _ => return Err(refuse(Fault::StaleForm)),
        }
        read(&again, &bytes, site).await.map(Self).map_err(&refuse)
    }
}

async fn read<T: DeserializeOwned>(
    parts: &axum::http::request::Parts,
    bytes: &Bytes,
    site: &Arc<Site>,
) -> Result<T, Fault> {
    let request = Request::from_parts(parts.clone(), bytes.clone().into());
    let read = Form::<T>::from_request(request, site).await;
    read.map(|Form(value)| value).map_err(|error| Fault::BadForm(error.to_string()))
}
