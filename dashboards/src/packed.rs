//! Text answers packed by gzip for readers that take it.
//!
//! What is packed tells its length, and the length of a secret beside a text of an attacker's choice tells the secret
//! (BREACH, CVE-2013-3587). The attacker needs the reader's browser to ask, with the reader's cookie, again and again from
//! another site. So an answer to a cookie is packed only where the browser itself says that this site, or the reader's
//! own hand, asked (`Sec-Fetch-Site`, which no page can write).
//!
//! Must never: pack a stream that goes on, or an answer that a foreign site had asked for with a reader's cookie.

use std::io::Write as _;

use axum::body::{Body, HttpBody as _, to_bytes};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::assets::takes;

/// Shorter answers fit into one packet either way.
const BYTES_MIN: u64 = 1_024;
/// Longer ones are sent as they are; none of the pages is.
const BYTES_MAX: u64 = 16 * 1024 * 1024;
/// A quarter of the time of the usual level for a tenth more bytes.
const LEVEL: u32 = 4;
/// Types that are texts.
const TEXTS: [&str; 7] = [
    "text/html",
    "text/csv",
    "text/plain",
    "text/calendar",
    "application/json",
    "application/schema+json",
    "application/xml",
];

/// Whether a request's answer may be packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wish(bool);

impl Wish {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let text = |name| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let own = matches!(text("sec-fetch-site"), "same-origin" | "none");
        let safe = own || !headers.contains_key(header::COOKIE);
        Self(safe && takes(text("accept-encoding"), "gzip"))
    }
}

fn is_text(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    TEXTS.contains(&kind) && !response.headers().contains_key(header::CONTENT_ENCODING)
}

/// The answer, packed where that is wished and saves something. A body whose length is not known goes on as it is.
pub(crate) async fn pack(wish: Wish, mut response: Response) -> Response {
    if !is_text(&response) {
        return response;
    }
    for name in ["accept-encoding", "sec-fetch-site"] {
        response.headers_mut().append(header::VARY, HeaderValue::from_static(name));
    }
    let known = response.body().size_hint().exact();
    if !wish.0 || !known.is_some_and(|bytes| (BYTES_MIN..=BYTES_MAX).contains(&bytes)) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    // A body of known length is in memory already.
    let Ok(plain) = to_bytes(body, BYTES_MAX as usize).await else {
        return Response::from_parts(parts, Body::empty());
    };
    let worker = plain.clone();
    let packed = tokio::task::spawn_blocking(move || squeeze(&worker)).await;
    match packed {
        Ok(Some(packed)) if packed.len() < plain.len() => {
            parts.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            parts.headers.remove(header::CONTENT_LENGTH);
            Response::from_parts(parts, Body::from(packed))
        }
        Ok(_) | Err(_) => Response::from_parts(parts, Body::from(plain)),
    }
}

fn squeeze(plain: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 4), Compression::new(LEVEL));
    encoder.write_all(plain).ok()?;
    encoder.finish().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(pairs: &[(&'static str, &'static str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        Wish::of(&headers).0
    }

    #[test]
    fn an_answer_to_a_cookie_is_packed_only_where_this_site_asked() {
        let gzip = ("accept-encoding", "gzip, br");
        assert!(wish(&[gzip]), "no cookie, no secret");
        assert!(wish(&[gzip, ("authorization", "Bearer x")]), "a program sends its token by its own will");
        let cookie = ("cookie", "consuntivo=x");
        assert!(wish(&[gzip, cookie, ("sec-fetch-site", "same-origin")]));
        assert!(wish(&[gzip, cookie, ("sec-fetch-site", "none")]), "typed, or from a bookmark");
        for foreign in ["cross-site", "same-site", "", "rubbish"] {
            assert!(!wish(&[gzip, cookie, ("sec-fetch-site", foreign)]), "{foreign:?}");
        }
        assert!(!wish(&[gzip, cookie]), "a browser that does not say");
        assert!(!wish(&[("accept-encoding", "br")]) && !wish(&[("accept-encoding", "gzip;q=0")]));
    }

    async fn packed(kind: &'static str, body: Body) -> Option<Vec<u8>> {
        let mut response = Response::new(body);
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        let response = pack(Wish(true), response).await;
        let coding = response.headers().contains_key(header::CONTENT_ENCODING);
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        coding.then(|| bytes.to_vec())
    }

    #[tokio::test]
    async fn only_texts_of_some_length_that_end_are_packed() {
        let long = "energia ".repeat(1_000);
        let small = packed("text/html; charset=utf-8", Body::from(long.clone())).await.unwrap();
        assert!(small.len() * 10 < long.len());
        let mut back = String::new();
        std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&small[..]), &mut back).unwrap();
        assert_eq!(back, long);
        assert_eq!(packed("application/pdf", Body::from(long.clone())).await, None);
        assert_eq!(packed("text/event-stream", Body::from(long.clone())).await, None);
        assert_eq!(packed("text/html", Body::from("short")).await, None);
        let endless = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>("x"));
        let mut response = Response::new(Body::from_stream(endless));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/csv"));
        let response = pack(Wish(true), response).await;
        assert!(!response.headers().contains_key(header::CONTENT_ENCODING), "its end is not known");
    }
}
