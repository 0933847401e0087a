//! Certificates of one test, made by OpenSSL: an authority, and what it signs.
//!
//! Must never: be used outside a test; the keys have no password.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A certificate with its key, as PEM files.
#[derive(Debug, Clone)]
pub struct Pair {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// An authority that signs.
#[derive(Debug, Clone)]
pub struct Authority {
    folder: PathBuf,
    pub pair: Pair,
}

fn openssl(arguments: &[&str]) {
    let output = Command::new("openssl")
        .args(arguments)
        .output()
        .unwrap_or_else(|e| panic!("openssl cannot be started ({e}); `make test` installs it"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {arguments:?} failed: {said}");
}

fn text(path: &Path) -> &str {
    path.to_str().expect("temporary folders have plain names")
}

impl Authority {
    /// Makes one whose files begin with `name`.
    #[must_use]
    pub fn new(folder: &Path, name: &str) -> Self {
        let pair =
            Pair { certificate: folder.join(format!("{name}.pem")), key: folder.join(format!("{name}.key")) };
        let subject = format!("/CN={name}");
        openssl(&[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
            "-subj",
            &subject,
            "-keyout",
            text(&pair.key),
            "-out",
            text(&pair.certificate),
        ]);
        Self { folder: folder.to_owned(), pair }
    }

    /// Signs a certificate for the DNS name; one that has expired when `days` is negative.
    #[must_use]
    pub fn sign(&self, file: &str, dns_name: &str, days: i32) -> Pair {
        let at = |ending: &str| self.folder.join(format!("{file}.{ending}"));
        let (request, extensions) = (at("csr"), at("ext"));
        let pair = Pair { certificate: at("pem"), key: at("key") };
        let subject = format!("/CN={dns_name}");
        openssl(&[
            "req",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-subj",
            &subject,
            "-keyout",
            text(&pair.key),
            "-out",
            text(&request),
        ]);
        std::fs::write(&extensions, format!("subjectAltName=DNS:{dns_name}\n"))
            .expect("a file can be written");
        openssl(&[
            "x509",
            "-req",
            "-in",
            text(&request),
            "-CA",
            text(&self.pair.certificate),
            "-CAkey",
            text(&self.pair.key),
            "-CAcreateserial",
            "-days",
            &days.to_string(),
            "-extfile",
            text(&extensions),
            "-out",
            text(&pair.certificate),
        ]);
        pair
    }
}
