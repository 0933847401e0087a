//! The pages under TLS: a client that believes one authority shakes hands with the server; certificates change under it.
//!
//! Must never: believe a certificate because it is a test's: the client checks it as a browser does.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use dashboards::routes::{Options, router};
use dashboards::serve::serve;
use dashboards::tls::Certificate;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsConnector;

use crate::support::Fake;
use crate::support::people::People;

fn openssl(arguments: &[&str]) {
    let output = Command::new("openssl").args(arguments).output().expect("openssl starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {arguments:?}: {said}");
}

/// A certificate for `localhost` that signs itself, and its key.
fn make(folder: &Path, name: &str) -> (PathBuf, PathBuf) {
    let (certificate, key) = (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));
    let text = |path: &Path| path.to_str().unwrap().to_owned();
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
        "/CN=localhost",
        "-addext",
        "subjectAltName=DNS:localhost",
        "-addext",
        "basicConstraints=critical,CA:FALSE",
        "-keyout",
        &text(&key),
        "-out",
        &text(&certificate),
    ]);
    (certificate, key)
}

fn chain(file: &Path) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_file_iter(file).unwrap().map(Result::unwrap).collect()
}

/// Asks for the first page under TLS, believing only `root`; the answer and the certificate that the server showed.
async fn ask(port: u16, root: &Path, name: &str) -> std::io::Result<(String, Vec<CertificateDer<'static>>)> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(chain(root));
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    let shown = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let shown = shown.iter().cloned().map(CertificateDer::into_owned).collect();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok();
    Ok((String::from_utf8_lossy(&answer).into_owned(), shown))
}

#[tokio::test]
async fn pages_come_under_tls_and_a_new_certificate_takes_over_while_a_bad_one_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("site.pem"), folder.path().join("site.key"));
    let (first, second) = (make(folder.path(), "first"), make(folder.path(), "second"));
    let put = |(c, k): &(PathBuf, PathBuf)| {
        std::fs::copy(c, &certificate).unwrap();
        std::fs::copy(k, &key).unwrap();
    };
    put(&first);
    let current = Certificate::read(certificate.clone(), key.clone()).unwrap();
    let app = router(Fake::new(folder.path(), 64), People::nobody(), Options::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(serve(listener, app, Some(Arc::clone(&current)), stopped));

    let (answer, shown) = ask(port, &first.0, "localhost").await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.to_ascii_lowercase().contains("strict-transport-security: max-age="), "said under TLS");
    assert_eq!(shown, chain(&first.0));
    assert!(ask(port, &second.0, "localhost").await.is_err(), "who does not believe it does not speak");
    assert!(ask(port, &first.0, "evil.example").await.is_err(), "nor under another name");

    assert!(!current.renew().unwrap(), "the same files are nothing new");
    // Bad ones: rubbish, a key of another certificate, nothing at all. The former stays.
    std::fs::write(&certificate, "no certificate").unwrap();
    assert!(current.renew().is_err());
    std::fs::copy(&second.0, &certificate).unwrap();
    assert!(current.renew().is_err(), "between the writing of two files they do not fit");
    std::fs::remove_file(&key).unwrap();
    assert!(current.renew().is_err());
    let (answer, shown) = ask(port, &first.0, "localhost").await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && shown == chain(&first.0), "the former one serves");

    put(&second);
    assert!(current.renew().unwrap(), "there is a new one");
    let (answer, shown) = ask(port, &second.0, "localhost").await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && shown == chain(&second.0));
    assert!(ask(port, &first.0, "localhost").await.is_err());
    // Plain HTTP is not answered there.
    let mut plain = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut said = Vec::new();
    plain.read_to_end(&mut said).await.ok();
    assert!(!String::from_utf8_lossy(&said).contains("HTTP/1.1 200"));
    stop.send(()).unwrap();
    server.await.unwrap().unwrap();
}
