//! The files that pages load besides themselves: style, scripts, fonts, icon, bundled by the build script. Embedded in the
//! binary with their compressed twins, named by their content, so a browser may keep them for ever.
//!
//! Must never: be answered under a name that is not of its content, or hold anything that asks another host.

use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// One embedded file.
struct Asset {
    /// What pages know it by; `-` for files that other files name.
    role: &'static str,
    name: &'static str,
    media_type: &'static str,
    body: &'static [u8],
    /// Empty where compression saves nothing.
    gzip: &'static [u8],
    brotli: &'static [u8],
}

const ASSETS: &[Asset] = include!(concat!(env!("OUT_DIR"), "/assets_table.rs"));

/// The paths under which pages ask for the files.
#[derive(Debug, Clone)]
pub(crate) struct AssetPaths {
    pub(crate) style: String,
    /// What every page uses.
    pub(crate) script: String,
    /// Zoomable charts, for pages that have some.
    pub(crate) charts: String,
    pub(crate) kiosk: String,
    /// The choice of light or dark, before the page is painted.
    pub(crate) theme: String,
    pub(crate) icon: String,
    pub(crate) licences: String,
}

impl AssetPaths {
    pub(crate) fn new() -> Self {
        let path = |role: &str| {
            let name = ASSETS.iter().find(|a| a.role == role).map_or("", |a| a.name);
            format!("/assets/{name}")
        };
        Self {
            style: path("style"),
            script: path("app"),
            charts: path("charts"),
            kiosk: path("kiosk"),
            theme: path("theme"),
            icon: path("icon"),
            licences: path("licences"),
        }
    }
}

/// `GET /assets/{name}`.
pub(crate) async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let Some(found) = ASSETS.iter().find(|a| a.name == name) else {
        return (StatusCode::NOT_FOUND, "no such asset\n").into_response();
    };
    let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let head = [
        (header::CONTENT_TYPE, found.media_type),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (header::VARY, "accept-encoding"),
    ];
    match found.for_reader(accepted) {
        (body, None) => (head, body).into_response(),
        (body, Some(coding)) => (head, [(header::CONTENT_ENCODING, coding)], body).into_response(),
    }
}

impl Asset {
    /// The smallest form that the reader takes, with its content coding.
    fn for_reader(&self, accepted: &str) -> (&'static [u8], Option<&'static str>) {
        if !self.brotli.is_empty() && takes(accepted, "br") {
            (self.brotli, Some("br"))
        } else if !self.gzip.is_empty() && takes(accepted, "gzip") {
            (self.gzip, Some("gzip"))
        } else {
            (self.body, None)
        }
    }
}

/// Whether `Accept-Encoding` names a coding without refusing it by `q=0` (RFC 9110, 12.5.3).
pub(crate) fn takes(accepted: &str, coding: &str) -> bool {
    accepted.split(',').any(|part| {
        let (name, weight) = part.split_once(';').unwrap_or((part, ""));
        let weight: f32 = weight.trim().strip_prefix("q=").and_then(|q| q.parse().ok()).unwrap_or(1.0);
        name.trim().eq_ignore_ascii_case(coding) && 0.0 < weight
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compressed bytes of a first page's files: without charts, 250 kB are allowed.
    const FIRST_PAGE_BYTES_MAX: usize = 200_000;

    fn text(asset: &Asset) -> &'static str {
        std::str::from_utf8(asset.body).unwrap_or_default()
    }

    #[test]
    fn nothing_is_asked_of_another_host() {
        for asset in ASSETS.iter().filter(|a| a.name.ends_with(".css")) {
            for foreign in ["http:", "https:", "url(//", "@import", "url(data:", "url(\"data:"] {
                assert!(!text(asset).contains(foreign), "{} mentions {foreign}", asset.name);
            }
        }
        for asset in ASSETS.iter().filter(|a| a.name.ends_with(".js")) {
            for foreign in ["https://cdn", "https://unpkg", "importScripts"] {
                assert!(!text(asset).contains(foreign), "{} mentions {foreign}", asset.name);
            }
        }
    }

    #[test]
    fn every_role_has_its_file_and_the_first_page_is_small() {
        let paths = AssetPaths::new();
        for path in [&paths.style, &paths.script, &paths.charts, &paths.kiosk, &paths.theme, &paths.icon] {
            assert!(path.len() > "/assets/".len(), "{paths:?}");
        }
        let fonts = ASSETS.iter().filter(|a| a.name.ends_with(".woff2")).map(|a| a.body.len()).sum::<usize>();
        let packed = |role: &str| ASSETS.iter().find(|a| a.role == role).map_or(usize::MAX, |a| a.gzip.len());
        let first = fonts + packed("style") + packed("app") + packed("theme") + packed("icon");
        assert!(first <= FIRST_PAGE_BYTES_MAX, "a first page loads {first} bytes");
    }

    #[test]
    fn a_reader_gets_the_smallest_form_it_takes() {
        let style = ASSETS.iter().find(|a| a.role == "style").unwrap();
        assert_eq!(style.for_reader("gzip, deflate, br").1, Some("br"));
        assert_eq!(style.for_reader("gzip;q=0.5, br;q=0").1, Some("gzip"));
        assert_eq!(style.for_reader("").1, None);
        assert!(style.brotli.len() < style.body.len());
        let font = ASSETS.iter().find(|a| a.name.ends_with(".woff2")).unwrap();
        assert_eq!(font.for_reader("gzip, br").1, None);
    }
}
