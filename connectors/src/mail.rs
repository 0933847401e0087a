//! Mail by SMTP (RFC 5321): one letter over one connection, encrypted and authenticated as the installation says.
//!
//! Must never: send a password over an unencrypted line, accept a certificate that does not hold, or call a letter
//! unsent when the server may have it.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use model::Instant;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// Longest wait for one step of the conversation.
const STEP_TIMEOUT: Duration = Duration::from_secs(30);
/// Largest certificate or password file in bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Longest line of an answer, and most lines of one.
const ANSWER_LINE_MAX: u64 = 4096;
const ANSWER_LINES_MAX: usize = 100;
/// Characters of base64 on one line.
const BASE64_LINE: usize = 76;
/// Largest letter with its attachments, in bytes.
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

fn unusable(says: impl Into<String>) -> MailError {
    MailError::Unusable { says: says.into() }
}

/// The letter as it goes over the line (RFC 5322, MIME): ASCII, the same bytes for the same letter.
///
/// # Errors
/// [`MailError::Unusable`] for an address that is no plain one, a head that would break, or a letter over
/// [`LETTER_BYTES_MAX`].
pub fn written(letter: &Letter) -> Result<Vec<u8>, MailError> {
    for address in letter.to.iter().chain([&letter.from]) {
        if !is_plain(address) {
            return Err(unusable(format!(
                "{address:?} is no address that mail servers take without quoting"
            )));
        }
    }
    let plain_head = |text: &str| text.is_ascii() && !text.contains(['\r', '\n', '"', '\\']);
    let heads = letter.enclosures.iter().map(|e| &*e.mime).chain([&*letter.message_id]);
    if let Some(wrong) = heads.into_iter().find(|text| !plain_head(text)) {
        return Err(unusable(format!("{wrong:?} cannot stand in the head of a letter")));
    }
    let mut out = String::new();
    let mut line = |text: &str| {
        out.push_str(text);
        out.push_str("\r\n");
    };
    line(&format!("From: {}", letter.from));
    line(&format!("To: {}", letter.to.join(",\r\n ")));
    line(&format!("Subject: {}", encoded_words(&letter.subject)));
    line(&format!("Message-ID: {}", letter.message_id));
    line(&format!("Date: {}", letter.at.utc().format("%a, %d %b %Y %H:%M:%S +0000")));
    line("MIME-Version: 1.0");
    let text_part = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n";
    // The letter's id is unique to it, and base64 never begins a line with two hyphens.
    let boundary: String = letter.message_id.chars().filter(char::is_ascii_alphanumeric).take(60).collect();
    if letter.enclosures.is_empty() {
        line(text_part);
        line(&base64_lines(letter.text.as_bytes()));
    } else {
        line(&format!("Content-Type: multipart/mixed; boundary=\"{boundary}\"\r\n"));
        line(&format!("--{boundary}\r\n{text_part}"));
        line(&base64_lines(letter.text.as_bytes()));
        for file in &letter.enclosures {
            line(&format!("--{boundary}\r\nContent-Type: {}", file.mime));
            line("Content-Transfer-Encoding: base64");
            line(&format!("Content-Disposition: attachment; {}\r\n", file_name(&file.name)));
            line(&base64_lines(&file.bytes));
        }
        line(&format!("--{boundary}--"));
    }
    if LETTER_BYTES_MAX < out.len() {
        return Err(unusable(format!("it has {} bytes, at most {LETTER_BYTES_MAX} are sent", out.len())));
    }
    Ok(out.into_bytes())
}

/// An address of plain ASCII, without blanks or brackets.
fn is_plain(address: &str) -> bool {
    let parts = address.split_once('@');
    parts.is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty() && !domain.contains('@'))
        && address.bytes().all(|b| b.is_ascii_graphic() && !b"<>\"(),:;\\[]".contains(&b))
}

/// A head's text in words of at most 75 characters on lines of at most 76, the head's name included (RFC 2047 §2), never
/// parted within a character.
fn encoded_words(text: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut piece = String::new();
    for c in text.chars().map(|c| if c.is_control() { ' ' } else { c }) {
        // 39 bytes are 52 characters of base64, and leave room for `Subject: `.
        if 39 < piece.len() + c.len_utf8() {
            words.push(std::mem::take(&mut piece));
        }
        piece.push(c);
    }
    words.push(piece);
    let word = |piece: &String| format!("=?utf-8?B?{}?=", base64(piece.as_bytes()));
    words.iter().map(word).collect::<Vec<_>>().join("\r\n ")
}

/// A file's name for old and new readers (RFC 2231).
fn file_name(name: &str) -> String {
    let plain: String =
        name.chars().map(|c| if c.is_ascii_graphic() && !"\"\\".contains(c) { c } else { '_' }).collect();
    let mut percent = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._".contains(&byte) {
            percent.push(char::from(byte));
        } else {
            // Writing to a String does not fail.
            let _written = write!(percent, "%{byte:02X}");
        }
    }
    format!("filename=\"{plain}\";\r\n filename*=utf-8''{percent}")
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len() / 3 * 4 + 4);
    for chunk in bytes.chunks(3) {
        let bits =
            chunk.iter().fold(0_usize, |bits, b| bits << 8 | usize::from(*b)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = DIGITS[bits >> (18 - 6 * place) & 63];
            out.push(if chunk.len() < place { '=' } else { char::from(digit) });
        }
    }
    out
}

fn base64_lines(bytes: &[u8]) -> String {
    let all = base64(bytes);
    let mut out = String::with_capacity(all.len() + all.len() / BASE64_LINE * 2);
    for (i, c) in all.chars().enumerate() {
        if 0 < i && i % BASE64_LINE == 0 {
            out.push_str("\r\n");
        }
        out.push(c);
    }
    out
}

/// Hands one letter over. Blocks, at most half a minute for each step.
///
/// # Errors
/// [`MailError`], which says whether the server may have the letter.
pub fn send(server: &Server, letter: &Letter) -> Result<(), MailError> {
    let bytes = written(letter)?;
    let mut line = connect(server)?;
    line.say(&format!("MAIL FROM:<{}>", letter.from), 2)?;
    for to in &letter.to {
        line.say(&format!("RCPT TO:<{to}>"), 2)?;
    }
    line.say("DATA", 3)?;
    // From here on the server may take the letter without our knowing.
    let handed = line.put(&bytes).and_then(|()| line.put(b".\r\n")).and_then(|()| line.answer());
    match handed {
        Ok((code, _)) if code / 100 == 2 => {
            // The letter is accepted; how the line ends changes nothing.
            drop(line.say("QUIT", 2));
            Ok(())
        }
        Ok((code, says)) => Err(line.not_sent(format!("{code} {says}"))),
        Err(error) => Err(MailError::Uncertain { place: line.place, says: error.to_string() }),
    }
}

/// Connects, encrypts and logs in, and says goodbye.
///
/// # Errors
/// As [`send`].
pub fn greet(server: &Server) -> Result<(), MailError> {
    let mut line = connect(server)?;
    drop(line.say("QUIT", 2));
    Ok(())
}

/// What a line can be read from and written to.
trait Wire: Read + Write + Send {}
impl<T: Read + Write + Send> Wire for T {}

/// A conversation with a server.
struct Line {
    wire: BufReader<Box<dyn Wire>>,
    place: String,
}

impl Line {
    fn not_sent(&self, says: impl Into<String>) -> MailError {
        MailError::NotSent { place: self.place.clone(), says: says.into() }
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.wire.get_mut().write_all(bytes)?;
        self.wire.get_mut().flush()
    }

    /// One answer: its code, and its lines joined.
    fn answer(&mut self) -> io::Result<(u16, String)> {
        let wrong = |says: &str| io::Error::new(io::ErrorKind::InvalidData, says.to_owned());
        let mut all = String::new();
        for _ in 0..ANSWER_LINES_MAX {
            let mut bytes = Vec::new();
            self.wire.by_ref().take(ANSWER_LINE_MAX).read_until(b'\n', &mut bytes)?;
            if bytes.is_empty() {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
            }
            let text = String::from_utf8_lossy(&bytes);
            let text = text.trim_end();
            let code = text.get(..3).and_then(|code| code.parse::<u16>().ok());
            let code = code.ok_or_else(|| wrong("its answer is no SMTP"))?;
            all.push_str(text.get(4..).unwrap_or_default());
            if text.as_bytes().get(3) != Some(&b'-') {
                return Ok((code, all));
            }
            all.push('\n');
        }
        Err(wrong("its answer has no end"))
    }

    /// Says a line and wants an answer of this class; before the letter is handed over every failure is a sure one.
    fn say(&mut self, text: &str, class: u16) -> Result<String, MailError> {
        let put = self.put(format!("{text}\r\n").as_bytes());
        let answer = put.and_then(|()| self.answer());
        let (code, says) = answer.map_err(|error| self.not_sent(error.to_string()))?;
        if code / 100 == class { Ok(says) } else { Err(self.not_sent(format!("{code} {says}"))) }
    }

    fn hello(&mut self) -> Result<String, MailError> {
        self.say("EHLO consuntivo.localdomain", 2)
    }

    fn login(&mut self, user: &str, password: &str, offers: &str) -> Result<(), MailError> {
        let offered = |name: &str| {
            let auth = offers.lines().find(|line| line.to_ascii_uppercase().starts_with("AUTH"));
            auth.is_some_and(|line| line.split_whitespace().any(|word| word.eq_ignore_ascii_case(name)))
        };
        if offered("PLAIN") {
            let secret = base64(format!("\0{user}\0{password}").as_bytes());
            self.say(&format!("AUTH PLAIN {secret}"), 2)?;
        } else if offered("LOGIN") {
            self.say("AUTH LOGIN", 3)?;
            self.say(&base64(user.as_bytes()), 3)?;
            self.say(&base64(password.as_bytes()), 2)?;
        } else {
            return Err(self.not_sent("it offers neither AUTH PLAIN nor AUTH LOGIN"));
        }
        Ok(())
    }
}

fn connect(server: &Server) -> Result<Line, MailError> {
    let place = format!("{}:{}", server.host, server.port);
    let refused = |says: String| MailError::NotSent { place: place.clone(), says };
    let stream = open(server).map_err(|error| refused(error.to_string()))?;
    let tls = match server.security {
        Security::StartTls | Security::Tls => Some(client_config(server)?),
        Security::Plain => None,
    };
    let secured = |stream: TcpStream, config: Arc<ClientConfig>| -> Result<Box<dyn Wire>, MailError> {
        let name = ServerName::try_from(server.host.clone());
        let name = name.map_err(|_| unusable(format!("{:?} is no server name", server.host)))?;
        let client = ClientConnection::new(config, name).map_err(|error| unusable(error.to_string()))?;
        let mut stream = StreamOwned::new(client, stream);
        // The handshake now, so that a certificate that does not hold is told as such.
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).map_err(|error| refused(error.to_string()))?;
        }
        Ok(Box::new(stream))
    };
    let line = |wire: Box<dyn Wire>| Line { wire: BufReader::new(wire), place: place.clone() };
    let greeted = |line: &mut Line| match line.answer() {
        Ok((code, _)) if code / 100 == 2 => Ok(()),
        Ok((code, says)) => Err(line.not_sent(format!("{code} {says}"))),
        Err(error) => Err(line.not_sent(error.to_string())),
    };
    let (mut line, offers) = match (server.security, tls) {
        (Security::Tls, Some(config)) => {
            let mut line = line(secured(stream, config)?);
            greeted(&mut line)?;
            let offers = line.hello()?;
            (line, offers)
        }
        (Security::StartTls, Some(config)) => {
            let copy = stream.try_clone().map_err(|error| refused(error.to_string()))?;
            let mut plain = line(Box::new(copy));
            greeted(&mut plain)?;
            plain.hello()?;
            plain.say("STARTTLS", 2)?;
            // What came in the clear after the answer would be taken for the server's word.
            if !plain.wire.buffer().is_empty() {
                return Err(plain.not_sent("it spoke before TLS began"));
            }
            let mut line = line(secured(stream, config)?);
            let offers = line.hello()?;
            (line, offers)
        }
        _ => {
            let mut line = line(Box::new(stream));
            greeted(&mut line)?;
            let offers = line.hello()?;
            (line, offers)
        }
    };
    if let Some(user) = &server.username {
        if server.security == Security::Plain {
            return Err(unusable("a user and password are not sent over a line without TLS"));
        }
        let file = server.password_file.as_deref().ok_or_else(|| unusable("no password_file is named"))?;
        let password = first_line(file).map_err(unusable)?;
        line.login(user, &password, &offers)?;
    }
    Ok(line)
}

fn open(server: &Server) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in (server.host.as_str(), server.port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, STEP_TIMEOUT) {
            Ok(stream) => {
                stream.set_read_timeout(Some(STEP_TIMEOUT))?;
                stream.set_write_timeout(Some(STEP_TIMEOUT))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn client_config(server: &Server) -> Result<Arc<ClientConfig>, MailError> {
    let mut roots = RootCertStore::empty();
    match &server.ca_file {
        Some(file) => {
            let pem = read(file).map_err(unusable)?;
            let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
            for certificate in
                all.map_err(|e| unusable(format!("{} is no PEM file ({e})", file.display())))?
            {
                let added = roots.add(certificate);
                added.map_err(|e| {
                    unusable(format!("{}: a certificate cannot be used ({e})", file.display()))
                })?;
            }
        }
        None => {
            // Certificates that cannot be read are left out: the others may suffice.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn letter() -> Letter {
        Letter {
            from: "monitoraggio@esempio.example".to_owned(),
            to: vec!["ufficio@esempio.example".to_owned(), "sindaco@esempio.example".to_owned()],
            subject: "Promemoria: è dovuta la relazione annuale di monitoraggio con file strutturato"
                .to_owned(),
            text: "Entro il 31/03/2026.\n.\n".to_owned(),
            message_id: "<memo-1@esempio.example>".to_owned(),
            at: Instant::from_seconds(1_769_846_400),
            enclosures: Vec::new(),
        }
    }

    #[test]
    fn the_same_letter_is_the_same_plain_bytes_in_short_lines() {
        let file =
            Enclosure { name: "è.pdf".to_owned(), mime: "application/pdf".to_owned(), bytes: vec![7; 999] };
        for letter in [letter(), Letter { enclosures: vec![file], ..letter() }] {
            let bytes = written(&letter).unwrap();
            assert_eq!(bytes, written(&letter).unwrap());
            let text = String::from_utf8(bytes).unwrap();
            assert!(text.is_ascii() && text.ends_with("\r\n"), "{text}");
            // No line of a point alone, which would end the letter on its way.
            assert!(text.split("\r\n").all(|l| l.len() <= 76 && l != "." && !l.contains('\n')), "{text}");
            assert!(text.contains("Message-ID: <memo-1@esempio.example>\r\n"), "{text}");
            assert!(text.contains("Date: Sat, 31 Jan 2026 08:00:00 +0000\r\n"), "{text}");
        }
    }

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (plain, wanted) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(plain.as_bytes()), wanted);
            if !wanted.is_empty() {
                assert_eq!(crate::signature::base64(wanted).unwrap(), plain.as_bytes());
            }
        }
    }

    #[test]
    fn what_could_break_a_head_is_refused() {
        for to in ["nobody", "competitività@cert.example", "a@b>\r\nBCC: c@d", "a b@c", "@c", "a@"] {
            assert!(written(&Letter { to: vec![to.to_owned()], ..letter() }).is_err(), "{to}");
        }
        assert!(written(&Letter { message_id: "<a\r\nb>".to_owned(), ..letter() }).is_err());
        let subject = "a\r\nBcc: b@c".to_owned();
        let text = String::from_utf8(written(&Letter { subject, ..letter() }).unwrap()).unwrap();
        assert!(!text.contains("Bcc"), "{text}");
    }

    /// A server that says these lines, one after each line it hears, and hangs up.
    fn scripted(lines: &'static [&'static str]) -> (Server, std::thread::JoinHandle<()>) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let thread = std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut writer = stream;
            for says in lines {
                writer.write_all(says.as_bytes()).unwrap();
                let mut heard = String::new();
                while let Ok(read) = reader.read_line(&mut heard) {
                    // Of a letter only its end is answered.
                    if read == 0 || !says.starts_with("354") || heard.ends_with("\r\n.\r\n") {
                        break;
                    }
                }
            }
        });
        let server = Server {
            host: "127.0.0.1".to_owned(),
            port,
            security: Security::Plain,
            username: None,
            password_file: None,
            ca_file: None,
        };
        (server, thread)
    }

    #[test]
    fn a_refusal_is_sure_and_a_line_that_breaks_after_the_letter_is_not() {
        type Outcome = fn(&Result<(), MailError>) -> bool;
        let cases: [(&'static [&'static str], Outcome); 6] = [
            (
                &[
                    "220 hi\r\n",
                    "250-hi\r\n250 X\r\n",
                    "250 ok\r\n",
                    "250 ok\r\n",
                    "250 ok\r\n",
                    "354 go\r\n",
                    "250 taken\r\n",
                ],
                |r| r.is_ok(),
            ),
            (&["220 hi\r\n", "250 X\r\n", "250 ok\r\n", "550 nobody\r\n"], |r| {
                matches!(r, Err(MailError::NotSent { .. }))
            }),
            (
                &[
                    "220 hi\r\n",
                    "250 X\r\n",
                    "250 ok\r\n",
                    "250 ok\r\n",
                    "250 ok\r\n",
                    "354 go\r\n",
                    "452 full\r\n",
                ],
                |r| matches!(r, Err(MailError::NotSent { .. })),
            ),
            (&["220 hi\r\n", "250 X\r\n", "250 ok\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n"], |r| {
                matches!(r, Err(MailError::Uncertain { .. }))
            }),
            (&["HTTP/1.1 400\r\n"], |r| matches!(r, Err(MailError::NotSent { .. }))),
            (&["554 go away\r\n"], |r| matches!(r, Err(MailError::NotSent { .. }))),
        ];
        for (lines, wanted) in cases {
            let (server, thread) = scripted(lines);
            let result = send(&server, &letter());
            assert!(wanted(&result), "{lines:?}: {result:?}");
            thread.join().unwrap();
        }
    }

    #[test]
    fn a_server_without_tls_gets_no_password() {
        let (server, thread) = scripted(&["220 hi\r\n", "250 AUTH PLAIN\r\n", "502 no\r\n"]);
        let server = Server { security: Security::StartTls, username: Some("u".to_owned()), ..server };
        assert!(matches!(greet(&server), Err(MailError::NotSent { .. })));
        thread.join().unwrap();
        let (server, thread) = scripted(&["220 hi\r\n", "250 AUTH PLAIN\r\n"]);
        let server = Server { username: Some("u".to_owned()), ..server };
        assert!(matches!(greet(&server), Err(MailError::Unusable { .. })));
        thread.join().unwrap();
    }
}
