//! The few files that pages load besides themselves: one style sheet, one script, one icon. Embedded in the
//! binary, named by their content, so a browser may keep them for ever.
//!
//! Must never: hold anything fetched from elsewhere, or be answered under a name that is not its digest.

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest as _, Sha256};

/// One embedded file.
struct Asset {
    stem: &'static str,
    extension: &'static str,
    content_type: &'static str,
    body: &'static str,
}

const STYLE: Asset = Asset {
    stem: "consuntivo",
    extension: "css",
    content_type: "text/css; charset=utf-8",
    body: include_str!("../assets/consuntivo.css"),
};

const SCRIPT: Asset = Asset {
    stem: "live",
    extension: "js",
    content_type: "text/javascript; charset=utf-8",
    body: include_str!("../assets/live.js"),
};

const ICON: Asset = Asset {
    stem: "icon",
    extension: "svg",
    content_type: "image/svg+xml",
    body: include_str!("../assets/icon.svg"),
};

/// Hexadecimal digits of the SHA-256 that go into a name: 64 bits, enough to tell versions apart.
const DIGEST_BYTES: usize = 8;

impl Asset {
    fn name(&self) -> String {
        let digest = Sha256::digest(self.body.as_bytes());
        let hex: String = digest.iter().take(DIGEST_BYTES).map(|b| format!("{b:02x}")).collect();
        format!("{}.{hex}.{}", self.stem, self.extension)
    }
}

/// The paths under which pages ask for the files.
#[derive(Debug, Clone)]
pub(crate) struct AssetPaths {
    pub(crate) style: String,
    pub(crate) script: String,
    pub(crate) icon: String,
}

impl AssetPaths {
    pub(crate) fn new() -> Self {
        let path = |asset: &Asset| format!("/assets/{}", asset.name());
        Self { style: path(&STYLE), script: path(&SCRIPT), icon: path(&ICON) }
    }
}

/// `GET /assets/{name}`.
pub(crate) async fn asset(Path(name): Path<String>) -> Response {
    let Some(found) = [&STYLE, &SCRIPT, &ICON].into_iter().find(|a| a.name() == name) else {
        return (StatusCode::NOT_FOUND, "no such asset\n").into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, found.content_type),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    (headers, found.body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_asked_of_another_host() {
        for asset in [&STYLE, &SCRIPT] {
            for foreign in ["http:", "https:", "url(//", "@import"] {
                assert!(!asset.body.contains(foreign), "{} mentions {foreign}", asset.name());
            }
        }
    }

    #[test]
    fn a_name_says_what_is_in_the_file() {
        assert_ne!(STYLE.name(), SCRIPT.name());
        assert!(STYLE.name().starts_with("consuntivo.") && STYLE.name().ends_with(".css"));
        assert_eq!(STYLE.name().len(), "consuntivo..css".len() + 2 * DIGEST_BYTES);
    }
}
