//! TLS of a link: the server's authority, and our own certificate where the broker asks for one.
//!
//! Must never: connect without checking the server's certificate and name, or keep a file's content longer
//! than a connection: each reconnect reads the files again, so that a renewed certificate is found.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use serde::Deserialize;

use crate::error::LinkError;

/// Largest certificate or key file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// The `tls` table of a link.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsSettings {
    /// PEM file with the certificates of the authorities that may sign the broker's.
    pub ca_file: String,
    /// PEM file with our certificate, and those between it and its authority.
    pub client_cert_file: Option<String>,
    /// PEM file with the key of our certificate, without a password.
    pub client_key_file: Option<String>,
}

impl TlsSettings {
    /// Every file that is named.
    pub(crate) fn files(&self) -> Vec<&str> {
        let own = self.client_cert_file.iter().chain(&self.client_key_file);
        std::iter::once(&self.ca_file).chain(own).map(String::as_str).collect()
    }

    /// Whether they hold what is wanted of them.
    pub(crate) fn prove(&self, link: &str) -> Result<(), LinkError> {
        client_config(link, self).map(|_| ())
    }

    /// What is wrong with the table itself.
    pub(super) fn check(&self) -> Option<&'static str> {
        match (&self.client_cert_file, &self.client_key_file) {
            (Some(_), None) => Some("tls has a client_cert_file but no client_key_file; add it"),
            (None, Some(_)) => Some("tls has a client_key_file but no client_cert_file; add it"),
            _ => None,
        }
    }
}

/// Reads the files and makes of them what a connection needs. Blocks on the disk for a moment.
pub(super) fn client_config(link: &str, tls: &TlsSettings) -> Result<Arc<ClientConfig>, LinkError> {
    let failed =
        |file: &str, says: String| LinkError::TlsFile { link: link.to_owned(), file: file.to_owned(), says };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&tls.ca_file).map_err(|says| failed(&tls.ca_file, says))? {
        let taken = roots.add(certificate);
        taken.map_err(|error| failed(&tls.ca_file, format!("a certificate cannot be used ({error})")))?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(&tls.ca_file, error.to_string()))?
        .with_root_certificates(roots);
    let config = match (&tls.client_cert_file, &tls.client_key_file) {
        (Some(cert_file), Some(key_file)) => {
            let chain = certificates(cert_file).map_err(|says| failed(cert_file, says))?;
            let key = read(key_file).and_then(|pem| {
                PrivateKeyDer::from_pem_slice(&pem)
                    .map_err(|error| format!("holds no key without a password ({error})"))
            });
            let key = key.map_err(|says| failed(key_file, says))?;
            let mismatch =
                |error: rustls::Error| failed(key_file, format!("is not the key of {cert_file} ({error})"));
            builder.with_client_auth_cert(chain, key).map_err(mismatch)?
        }
        _ => builder.with_no_client_auth(),
    };
    Ok(Arc::new(config))
}

fn certificates(file: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let pem = read(file)?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match all {
        Ok(all) if all.is_empty() => Err("holds no certificate in PEM form".to_owned()),
        Ok(all) => Ok(all),
        Err(error) => Err(format!("is no PEM file ({error})")),
    }
}

fn read(file: &str) -> Result<Vec<u8>, String> {
    let failed = |error: io::Error| format!("cannot be read ({error})");
    let path = Path::new(file);
    let bytes = std::fs::metadata(path).map_err(failed)?.len();
    if bytes > FILE_BYTES_MAX {
        return Err(format!("has {bytes} bytes; at most {FILE_BYTES_MAX} are read"));
    }
    std::fs::read(path).map_err(failed)
}

/// The TLS error among the causes of another error, if there is one.
fn tls_cause<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<rustls::Error>() {
            return Some(found);
        }
        if let Some(inner) = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            return tls_cause(inner);
        }
        next = error.source();
    }
    None
}

/// Why TLS failed, for the person who mends it; `None` when it was not TLS that failed.
pub(super) fn why(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    let cause = tls_cause(error)?;
    Some(match cause {
        rustls::Error::InvalidCertificate(certificate) => match certificate {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "the broker's certificate has expired; renew it, or set the clock of this machine".to_owned()
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "the broker's certificate is not valid yet; set the clock of this machine".to_owned()
            }
            CertificateError::UnknownIssuer => {
                "the broker's certificate is not signed by an authority in ca_file; compare them".to_owned()
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "the broker's certificate is for another name than the one in `address`; use the name it was made for"
                    .to_owned()
            }
            other => format!("the broker's certificate cannot be trusted ({other})"),
        },
        rustls::Error::AlertReceived(alert) => {
            format!("the broker refused our side ({alert:?}); check client_cert_file and its authority at the broker")
        }
        rustls::Error::InvalidMessage(_) => {
            "the broker does not speak TLS on this port; check the port".to_owned()
        }
        other => other.to_string(),
    })
}
