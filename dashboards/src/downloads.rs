//! Files and plain texts: reports, the schema of the structured file, metrics.
//!
//! Must never: open a path that a request names. The backend names the path, and only for files it lists.

use std::io::{self, Write};
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use futures_util::stream;
use model::ProjectId;
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::desk::WriteFile;
use crate::pages::{Ask, Fault, Site, fault_page, off_loop};

/// Bytes of a report in memory at a time, for each reader.
const CHUNK_BYTES: usize = 64 * 1024;
/// Pieces of a file that is being made, of [`CHUNK_BYTES`] or a little more each, that wait for its reader.
const PIECES_WAITING: usize = 4;
/// How long a reader may take nothing before the file breaks off.
const READER_TIMEOUT: Duration = Duration::from_secs(120);

/// `GET /reports/{project}/{year}/{name}`: a report file, to be saved.
pub(crate) async fn report(
    State(site): State<Arc<Site>>,
    Path((project, year, name)): Path<(String, String, String)>,
    ask: Ask,
) -> Response {
    let found = find(&site, &project, &year, &name);
    let answer = match found {
        Some(path) => stream_file(&path, &name).await,
        None => Err(Fault::NoReport { project, year, name }),
    };
    answer.unwrap_or_else(|fault| fault_page(&site, &ask, &fault))
}

/// The path of a listed report; `None` for anything that is not a plain name of one.
fn find(site: &Site, project: &str, year: &str, name: &str) -> Option<PathBuf> {
    let project = ProjectId::new(project).ok()?;
    let year: i32 = year.parse().ok()?;
    let plain = !name.starts_with('.') && !name.contains(['/', '\\', '\0']) && !name.contains("..");
    if !plain {
        return None;
    }
    let path = site.backend.report_file(&project, year, name)?;
    // A second look at the backend's answer: the file has the name that was asked for.
    (path.file_name() == Some(FilePath::new(name).as_os_str())).then_some(path)
}

async fn stream_file(path: &FilePath, name: &str) -> Result<Response, Fault> {
    let unreadable = |source: io::Error| Fault::ReportUnreadable { path: path.display().to_string(), source };
    let file = File::open(path).await.map_err(unreadable)?;
    let metadata = file.metadata().await.map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(unreadable(io::Error::other("it is not a regular file")));
    }
    let bytes = metadata.len();
    // The length is promised in the head: a file that grows meanwhile is cut there, one that shrinks is an error.
    let body = Body::from_stream(stream::unfold((file, bytes), |(mut file, left)| async move {
        if left == 0 {
            return None;
        }
        let wanted = usize::try_from(left).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES);
        let mut chunk = BytesMut::with_capacity(wanted);
        match (&mut file).take(wanted as u64).read_buf(&mut chunk).await {
            Ok(0) => Some((Err(io::Error::from(io::ErrorKind::UnexpectedEof)), (file, 0))),
            Ok(read) => {
                let left = left.saturating_sub(read as u64);
                Some((Ok(chunk.freeze()), (file, left)))
            }
            Err(error) => Some((Err(error), (file, 0))),
        }
    }));
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(name)));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes));
    headers.insert(header::CONTENT_DISPOSITION, disposition(name));
    Ok(response)
}

/// A body that is written on a thread of its own while the reader takes it: at most [`PIECES_WAITING`] pieces of it are in
/// memory. One that breaks off ends the connection, so that no reader takes it for whole.
pub(crate) fn body_of(write: WriteFile) -> Body {
    let (send, receive) = mpsc::channel(PIECES_WAITING);
    let runtime = Handle::current();
    tokio::task::spawn_blocking(move || {
        let mut pipe = Pipe { send, runtime, piece: BytesMut::with_capacity(CHUNK_BYTES) };
        if let Err(error) = write(&mut pipe).and_then(|()| pipe.flush()) {
            // A reader who went away hears nothing of it.
            drop(pipe.hand_over(Err(error)));
        }
    });
    Body::from_stream(stream::unfold(receive, |mut receive| async move {
        receive.recv().await.map(|piece: io::Result<Bytes>| (piece, receive))
    }))
}

/// Hands pieces to a reader who may be slow, and waits for him.
struct Pipe {
    send: mpsc::Sender<io::Result<Bytes>>,
    runtime: Handle,
    piece: BytesMut,
}

impl Pipe {
    fn hand_over(&self, piece: io::Result<Bytes>) -> io::Result<()> {
        let gone = |why: &str| io::Error::new(io::ErrorKind::BrokenPipe, why.to_owned());
        match self.runtime.block_on(tokio::time::timeout(READER_TIMEOUT, self.send.send(piece))) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(gone("the reader went away")),
            Err(_) => Err(gone("the reader takes nothing any more")),
        }
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if CHUNK_BYTES <= self.piece.len() {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = self.piece.split().freeze();
        self.hand_over(Ok(piece))
    }
}

/// Has a browser save what comes under this name.
pub(crate) fn disposition(name: &str) -> HeaderValue {
    let text = format!("attachment; filename=\"{}\"; filename*=UTF-8''{}", ascii(name), encode(name));
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("attachment"))
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("pdf") => "application/pdf",
        Some("xlsx") => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        Some("csv") => "text/csv; charset=utf-8",
        Some("json") => "application/json",
        Some("xml") => "application/xml",
        _ => "application/octet-stream",
    }
}

/// A name for clients that know no `filename*`: anything but plain ASCII becomes `_`.
fn ascii(name: &str) -> String {
    let plain =
        |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ' ') { c } else { '_' };
    name.chars().map(plain).collect()
}

/// Percent-encodes one path segment (RFC 3986, unreserved characters stay).
pub(crate) fn encode(segment: &str) -> String {
    let mut out = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// `GET /schema/structured-file-2.schema.json`.
pub(crate) async fn schema() -> Response {
    json_schema(crate::structured::SCHEMA_JSON)
}

/// `GET /schema/structured-file-2.xsd`.
pub(crate) async fn schema_xml() -> Response {
    xml_schema(crate::structured::SCHEMA_XSD)
}

/// `GET /schema/structured-file-1.schema.json`: files of that version are still about.
pub(crate) async fn schema_1() -> Response {
    json_schema(crate::structured::SCHEMA_JSON_1)
}

/// `GET /schema/structured-file-1.xsd`.
pub(crate) async fn schema_xml_1() -> Response {
    xml_schema(crate::structured::SCHEMA_XSD_1)
}

fn json_schema(text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, "application/schema+json")], text).into_response()
}

fn xml_schema(text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, "application/xml")], text).into_response()
}

/// `GET /metrics`: Prometheus text format 0.0.4.
pub(crate) async fn metrics(State(site): State<Arc<Site>>) -> Response {
    let headers: [(HeaderName, &str); 2] = [
        (header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    // A part of it is asked of the disk.
    match off_loop(&site, |site| site.backend.metrics()).await {
        Ok(text) => (headers, text).into_response(),
        Err(fault) => {
            fault.log();
            fault.status().into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_in_headers_and_addresses() {
        assert_eq!(encode("a b/ç\".pdf"), "a%20b%2F%C3%A7%22.pdf");
        assert_eq!(ascii("a\"b\r\nç.pdf"), "a_b___.pdf");
    }

    #[test]
    fn a_type_is_never_one_that_a_browser_runs() {
        assert_eq!(content_type("x.html"), "application/octet-stream");
        assert_eq!(content_type("x.pdf"), "application/pdf");
    }
}
