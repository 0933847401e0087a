//! The server's certificate: read from its files, and read again when they change, without a pause.
//!
//! Must never: serve without a certificate that fits its key, or drop a good one for a bad one.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use sha2::{Digest as _, Sha256};

/// Largest certificate or key file in bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    #[error("{path} cannot be read: {source}; correct certificate_file and key_file under [web]")]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{path} has more than {FILE_BYTES_MAX} bytes")]
    TooLong { path: PathBuf },
    #[error("{path} is no PEM file of what it should hold: {says}")]
    NoPem { path: PathBuf, says: String },
    #[error("the certificate and the key do not fit: {0}")]
    Unfit(rustls::Error),
}

/// The certificate in use.
pub struct Certificate {
    certificate_file: PathBuf,
    key_file: PathBuf,
    current: RwLock<(Arc<CertifiedKey>, [u8; 32])>,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("file", &self.certificate_file).finish_non_exhaustive()
    }
}

impl Certificate {
    /// Reads the files.
    ///
    /// # Errors
    /// [`CertificateError`].
    pub fn read(certificate_file: PathBuf, key_file: PathBuf) -> Result<Arc<Self>, CertificateError> {
        let current = RwLock::new(load(&certificate_file, &key_file)?);
        Ok(Arc::new(Self { certificate_file, key_file, current }))
    }

    /// Reads the files again; connections from now on see what is new. Returns whether anything was. Blocks on the disk.
    ///
    /// # Errors
    /// [`CertificateError`], and the former stays in use. Between the writing of two files they may not fit for a moment.
    pub fn renew(&self) -> Result<bool, CertificateError> {
        let fresh = load(&self.certificate_file, &self.key_file)?;
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let is_new = current.1 != fresh.1;
        *current = fresh;
        Ok(is_new)
    }

    /// TLS 1.2 and 1.3 with this certificate, whichever it is at the time; HTTP/1.1 inside.
    pub(crate) fn config(self: &Arc<Self>) -> Result<Arc<ServerConfig>, rustls::Error> {
        let resolver: Arc<dyn ResolvesServerCert> = Arc::<Self>::clone(self);
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&current.0))
    }
}

fn load(certificate: &PathBuf, key: &PathBuf) -> Result<(Arc<CertifiedKey>, [u8; 32]), CertificateError> {
    let (chain_pem, key_pem) = (read(certificate)?, read(key)?);
    let no_pem = |path: &PathBuf, says: String| CertificateError::NoPem { path: path.clone(), says };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&chain_pem).collect();
    let chain = chain.map_err(|error| no_pem(certificate, error.to_string()))?;
    if chain.is_empty() {
        return Err(no_pem(certificate, "there is no certificate in it".to_owned()));
    }
    let der = PrivateKeyDer::from_pem_slice(&key_pem).map_err(|error| no_pem(key, error.to_string()))?;
    let mut hasher = Sha256::new();
    hasher.update(&chain_pem);
    hasher.update(&key_pem);
    let fit = CertifiedKey::from_der(chain, der, &aws_lc_rs::default_provider());
    Ok((Arc::new(fit.map_err(CertificateError::Unfit)?), hasher.finalize().into()))
}

fn read(path: &PathBuf) -> Result<Vec<u8>, CertificateError> {
    let unreadable = |source| CertificateError::Unreadable { path: path.clone(), source };
    let length = std::fs::metadata(path).map_err(unreadable)?.len();
    if FILE_BYTES_MAX < length {
        return Err(CertificateError::TooLong { path: path.clone() });
    }
    std::fs::read(path).map_err(unreadable)
}
