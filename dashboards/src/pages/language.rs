//! Which language a reader gets: asked for in the address, else kept in the cookie, else the browser's, else
//! the installation's.
//!
//! Must never: put anything of the request into an answer but a language that the site has.

use std::convert::Infallible;
use std::sync::Arc;

use analytics::text::Texts;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};

use super::{Site, Words};
use crate::access::Who;

/// Name of the cookie that keeps the choice. It holds nothing else.
pub(crate) const COOKIE: &str = "lang";

/// A reader's request as far as pages care.
#[derive(Clone)]
pub(crate) struct Ask {
    pub(crate) words: Words,
    /// Path as asked, still percent-encoded.
    pub(crate) path: String,
    /// The value of `year=` in the query.
    pub(crate) year: Option<String>,
    /// Whether the address itself named the language.
    pub(crate) chosen: bool,
    /// Who asks, as the gate found.
    pub(crate) who: Who,
}

impl Ask {
    pub(crate) fn of(parts: &Parts, site: &Site) -> Self {
        let query = parts.uri.query().unwrap_or_default();
        let all = site.backend.texts();
        let asked = query_value(query, "lang").and_then(|tag| find(&all, tag));
        let chosen = asked.is_some();
        let texts = asked
            .or_else(|| cookie(&parts.headers).and_then(|tag| find(&all, tag)))
            .or_else(|| accepted(&parts.headers, &all))
            .or_else(|| find(&all, &site.backend.installation().language))
            .or_else(|| all.first().cloned())
            .unwrap_or_default();
        Self {
            words: Words::new(texts),
            path: parts.uri.path().to_owned(),
            year: query_value(query, "year").map(str::to_owned),
            chosen,
            // What is behind no gate is asked by nobody.
            who: parts.extensions.get::<Who>().cloned().unwrap_or_else(|| Who::nobody(false, None)),
        }
    }

    /// The site's other languages: tag, own name, address of this page in it.
    pub(crate) fn other_languages(&self, site: &Site) -> Vec<(String, String, String)> {
        let year = self.year.as_deref().filter(|y| y.bytes().all(|b| b.is_ascii_digit()));
        let year = year.map(|y| format!("&year={y}")).unwrap_or_default();
        site.backend
            .texts()
            .iter()
            .filter(|texts| texts.language() != self.words.language())
            .map(|texts| {
                let tag = texts.language().to_owned();
                // `//host` would be the address of another host.
                let path = format!("/{}", self.path.trim_start_matches('/'));
                let address = format!("{path}?lang={tag}{year}");
                (tag, texts.get("page.language.name").to_owned(), address)
            })
            .collect()
    }
}

impl FromRequestParts<Arc<Site>> for Ask {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, site: &Arc<Site>) -> Result<Self, Infallible> {
        Ok(Self::of(parts, site))
    }
}

fn find(texts: &[Arc<Texts>], tag: &str) -> Option<Arc<Texts>> {
    let primary = tag.split(['-', '_']).next().unwrap_or(tag);
    texts.iter().find(|t| t.language().eq_ignore_ascii_case(primary)).cloned()
}

fn query_value<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|value| value.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

/// The first of the site's languages in the reader's order of preference.
fn accepted(headers: &HeaderMap, texts: &[Arc<Texts>]) -> Option<Arc<Texts>> {
    let wanted = headers.get(header::ACCEPT_LANGUAGE)?.to_str().ok()?;
    let mut best: Option<(f32, Arc<Texts>)> = None;
    for part in wanted.split(',') {
        let mut fields = part.split(';').map(str::trim);
        let Some(texts) = fields.next().and_then(|tag| find(texts, tag)) else { continue };
        let weight = match fields.next().and_then(|q| q.strip_prefix("q=")) {
            Some(q) => q.parse::<f32>().unwrap_or(0.0),
            None => 1.0,
        };
        if weight > best.as_ref().map_or(0.0, |(w, _)| *w) {
            best = Some((weight, texts));
        }
    }
    best.map(|(_, texts)| texts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn both() -> Vec<Arc<Texts>> {
        ["it", "en"].map(|tag| Arc::new(Texts::new(tag, BTreeMap::new()))).to_vec()
    }

    fn accept(value: &'static str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_LANGUAGE, value.parse().unwrap());
        accepted(&headers, &both()).map(|t| t.language().to_owned())
    }

    #[test]
    fn the_browsers_order_of_preference_holds() {
        assert_eq!(accept("it-IT,it;q=0.9,en;q=0.8").as_deref(), Some("it"));
        assert_eq!(accept("de,en;q=0.5,it;q=0.4").as_deref(), Some("en"));
        assert_eq!(accept("en;q=0.3, it;q=0.7").as_deref(), Some("it"));
        assert_eq!(accept("it;q=0, de"), None);
        assert_eq!(accept("en;q=nonsense"), None);
    }

    #[test]
    fn cookie_and_query_are_read_by_name() {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, "a=b; lang=en; langx=it".parse().unwrap());
        assert_eq!(cookie(&headers), Some("en"));
        assert_eq!(query_value("xlang=de&lang=en", "lang"), Some("en"));
        assert_eq!(query_value("language=en", "lang"), None);
    }
}
