//! Mail by SMTP: one letter over one connection, encrypted and authenticated as the installation says.
//!
//! Must never: send a password over an unencrypted line, accept a certificate that does not hold, or call a letter
//! unsent when the server may have it.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use lettre::message::header::ContentType;
use lettre::message::{Attachment, Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{
    Certificate, CertificateStore, SmtpConnection, TlsParameters, TlsVersion,
};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, Message};
use model::Instant;

/// Longest wait for one step of the conversation.
const STEP_TIMEOUT: Duration = Duration::from_secs(30);
/// Largest certificate or password file in bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Largest letter with its attachments, in bytes; certified-mail providers take 100 MB at most, many take 30.
pub const LETTER_BYTES_MAX: usize = 30 * 1024 * 1024;

/// How the line is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// Plain first, then STARTTLS; a server without it is refused.
    StartTls,
    /// TLS from the first byte (SMTPS).
    Tls,
    /// None. For a relay on this machine; no password is ever sent.
    Plain,
}

/// A mail server and who we are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// The name for which its certificate was made.
    pub host: String,
    pub port: u16,
    pub security: Security,
    pub username: Option<String>,
    /// First line of the file.
    pub password_file: Option<PathBuf>,
    /// Authorities to trust in place of the system's, PEM.
    pub ca_file: Option<PathBuf>,
}

/// A file that goes with a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enclosure {
    pub name: String,
    pub mime: String,
    pub bytes: Vec<u8>,
}

/// One letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    pub from: String,
    pub to: Vec<String>,
    pub subject: String,
    pub text: String,
    /// With its angle brackets; the same letter always has the same.
    pub message_id: String,
    pub at: Instant,
    pub enclosures: Vec<Enclosure>,
}

/// Why a letter did not go, or may not have gone.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The server does not have it; it may be tried again.
    #[error("{place} did not take the letter: {says}; check server, user and recipient, then try again")]
    NotSent { place: String, says: String },
    /// The line broke while the letter was handed over: the server may have it.
    #[error(
        "the line to {place} broke while the letter was handed over ({says}); the server may have sent it"
    )]
    Uncertain { place: String, says: String },
    /// The letter or the settings cannot be used.
    #[error("the letter cannot be sent: {says}")]
    Unusable { says: String },
}

impl MailError {
    /// Whether the server certainly does not have the letter.
    #[must_use]
    pub const fn is_surely_unsent(&self) -> bool {
        match self {
            Self::NotSent { .. } | Self::Unusable { .. } => true,
            Self::Uncertain { .. } => false,
        }
    }
}

fn unusable(says: impl std::fmt::Display) -> MailError {
    MailError::Unusable { says: says.to_string() }
}

/// The letter as it goes over the line.
///
/// # Errors
/// [`MailError::Unusable`] for an address that is none, or a letter over [`LETTER_BYTES_MAX`].
pub fn written(letter: &Letter) -> Result<(lettre::address::Envelope, Vec<u8>), MailError> {
    let address = |text: &str| text.parse::<Address>().map_err(|e| unusable(format!("{text:?}: {e}")));
    let millis = u64::try_from(letter.at.millis()).map_err(unusable)?;
    let mut builder = Message::builder()
        .from(Mailbox::new(None, address(&letter.from)?))
        .subject(&letter.subject)
        .message_id(Some(letter.message_id.clone()))
        .date(UNIX_EPOCH + Duration::from_millis(millis));
    for to in &letter.to {
        builder = builder.to(Mailbox::new(None, address(to)?));
    }
    let text = SinglePart::plain(letter.text.clone());
    let message = if letter.enclosures.is_empty() {
        builder.singlepart(text)
    } else {
        let mut parts = MultiPart::mixed().singlepart(text);
        for file in &letter.enclosures {
            let mime = ContentType::parse(&file.mime).map_err(unusable)?;
            parts = parts.singlepart(Attachment::new(file.name.clone()).body(file.bytes.clone(), mime));
        }
        builder.multipart(parts)
    };
    let message = message.map_err(unusable)?;
    let bytes = message.formatted();
    if LETTER_BYTES_MAX < bytes.len() {
        return Err(unusable(format!("it has {} bytes, at most {LETTER_BYTES_MAX} are sent", bytes.len())));
    }
    Ok((message.envelope().clone(), bytes))
}

/// Hands one letter over. Blocks, at most half a minute for each step.
///
/// # Errors
/// [`MailError`], which says whether the server may have the letter.
pub fn send(server: &Server, letter: &Letter) -> Result<(), MailError> {
    let (envelope, bytes) = written(letter)?;
    let mut connection = connect(server)?;
    let handed = connection.send(&envelope, &bytes);
    match handed {
        Ok(_) => {
            // The letter is accepted; how the line ends changes nothing.
            drop(connection.quit());
            Ok(())
        }
        // The server answered no: it does not have the letter.
        Err(error) if error.is_permanent() || error.is_transient() || error.is_client() => {
            Err(not_sent(server, &error))
        }
        Err(error) => Err(MailError::Uncertain { place: place(server), says: chain(&error) }),
    }
}

/// Connects, encrypts and logs in, and says goodbye: what `probe` does.
///
/// # Errors
/// As [`send`].
pub fn greet(server: &Server) -> Result<(), MailError> {
    let mut connection = connect(server)?;
    drop(connection.quit());
    Ok(())
}

fn connect(server: &Server) -> Result<SmtpConnection, MailError> {
    let refused = |error: &lettre::transport::smtp::Error| not_sent(server, error);
    let name = ClientId::Domain("consuntivo.localdomain".to_owned());
    let tls = match server.security {
        Security::StartTls | Security::Tls => Some(tls(server)?),
        Security::Plain => None,
    };
    let at = (server.host.as_str(), server.port);
    let first = tls.as_ref().filter(|_| server.security == Security::Tls);
    let mut connection =
        SmtpConnection::connect(at, Some(STEP_TIMEOUT), &name, first, None).map_err(|e| refused(&e))?;
    if let (Security::StartTls, Some(tls)) = (server.security, &tls) {
        connection.starttls(tls, &name).map_err(|e| refused(&e))?;
    }
    if let Some(username) = &server.username {
        if !connection.is_encrypted() {
            return Err(unusable("a user and password are not sent over a line without TLS"));
        }
        let file = server.password_file.as_deref().ok_or_else(|| unusable("no password_file is named"))?;
        let credentials = Credentials::new(username.clone(), first_line(file).map_err(unusable)?);
        connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials).map_err(|e| refused(&e))?;
    }
    Ok(connection)
}

fn tls(server: &Server) -> Result<TlsParameters, MailError> {
    let mut builder = TlsParameters::builder(server.host.clone()).set_min_tls_version(TlsVersion::Tlsv12);
    if let Some(file) = &server.ca_file {
        let pem = read(file).map_err(unusable)?;
        let all =
            rustls_certificates(&pem).map_err(|says| unusable(format!("{}: {says}", file.display())))?;
        builder = builder.certificate_store(CertificateStore::None);
        for der in all {
            builder = builder.add_root_certificate(Certificate::from_der(der).map_err(unusable)?);
        }
    }
    builder.build().map_err(|error| unusable(chain(&error)))
}

fn rustls_certificates(pem: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject as _;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match all {
        Ok(all) if all.is_empty() => Err("holds no certificate in PEM form".to_owned()),
        Ok(all) => Ok(all.into_iter().map(|c| c.as_ref().to_vec()).collect()),
        Err(error) => Err(format!("is no PEM file ({error})")),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let opened = fs::File::open(path).and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut bytes));
    opened.map_err(|error| format!("{} cannot be read ({error})", path.display()))?;
    Ok(bytes)
}

/// The first line of a secret's file.
///
/// # Errors
/// A sentence for the person who made the file.
pub fn first_line(path: &Path) -> Result<String, String> {
    let bytes = read(path)?;
    let text = String::from_utf8(bytes).map_err(|_| format!("{} is not UTF-8", path.display()))?;
    let line = text.lines().next().unwrap_or_default().trim_end();
    if line.is_empty() {
        return Err(format!("{} is empty; write the secret on its first line", path.display()));
    }
    Ok(line.to_owned())
}

fn place(server: &Server) -> String {
    format!("{}:{}", server.host, server.port)
}

fn not_sent(server: &Server, error: &lettre::transport::smtp::Error) -> MailError {
    MailError::NotSent { place: place(server), says: chain(error) }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let more = cause.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter() -> Letter {
        Letter {
            from: "monitoraggio@esempio.example".to_owned(),
            to: vec!["ufficio@esempio.example".to_owned()],
            subject: "Promemoria: è dovuta la relazione".to_owned(),
            text: "Entro il 31/03/2026.\n".to_owned(),
            message_id: "<memo-1@esempio.example>".to_owned(),
            at: Instant::from_seconds(1_769_846_400),
            enclosures: Vec::new(),
        }
    }

    #[test]
    fn the_same_letter_is_the_same_bytes() {
        let (_, bytes) = written(&letter()).unwrap();
        assert_eq!(bytes, written(&letter()).unwrap().1);
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.is_ascii(), "{text}");
        assert!(text.contains("Message-ID: <memo-1@esempio.example>\r\n"), "{text}");
        assert!(text.contains("Date: Sat, 31 Jan 2026 08:00:00 +0000\r\n"), "{text}");
    }

    #[test]
    fn what_is_no_address_is_refused_and_a_closed_port_is_surely_unsent() {
        let wrong = Letter { to: vec!["competitività@cert".to_owned()], ..letter() };
        assert!(written(&wrong).is_ok_and(|(e, _)| e.has_non_ascii_addresses()) || written(&wrong).is_err());
        assert!(written(&Letter { to: vec!["nobody".to_owned()], ..letter() }).is_err());
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let server = Server {
            host: "127.0.0.1".to_owned(),
            port,
            security: Security::Plain,
            username: None,
            password_file: None,
            ca_file: None,
        };
        let error = send(&server, &letter()).unwrap_err();
        assert!(
            error.is_surely_unsent() && error.to_string().contains(&format!("127.0.0.1:{port}")),
            "{error}"
        );
    }
}
