//! What kind of document a file is, by its content: PDF, JPEG, PNG, Word.
//!
//! Must never: believe a name, unpack what it looks at, or let macros in.

use std::io::Cursor;

/// Largest document in bytes.
pub const DOCUMENT_BYTES_MAX: usize = 20 * 1024 * 1024;
/// How far into a file the mark of a PDF may stand, as readers allow.
const PDF_MARK_WITHIN: usize = 1024;
/// Most parts of a Word file.
const PARTS_MAX: usize = 5_000;

/// The kinds that the region's system takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DocumentKind {
    Pdf,
    Jpeg,
    Png,
    /// Word 2007 and later.
    Docx,
    /// Word 97 to 2003.
    Doc,
}

impl DocumentKind {
    pub const ALL: [Self; 5] = [Self::Pdf, Self::Jpeg, Self::Png, Self::Docx, Self::Doc];

    /// The ending of its files, without a point.
    #[must_use]
    pub const fn ending(self) -> &'static str {
        match self {
            Self::Pdf => "pdf",
            Self::Jpeg => "jpg",
            Self::Png => "png",
            Self::Docx => "docx",
            Self::Doc => "doc",
        }
    }

    #[must_use]
    pub const fn mime(self) -> &'static str {
        match self {
            Self::Pdf => "application/pdf",
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Docx => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            Self::Doc => "application/msword",
        }
    }

    /// Whether a file's name has an ending of this kind.
    #[must_use]
    pub fn fits_name(self, name: &str) -> bool {
        let Some((_, ending)) = name.rsplit_once('.') else { return false };
        let ending = ending.to_ascii_lowercase();
        ending == self.ending() || (self == Self::Jpeg && ending == "jpeg")
    }
}

/// Why a file is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    #[error("it is empty")]
    Empty,
    #[error("it has {bytes} bytes, at most {DOCUMENT_BYTES_MAX} are taken; make it smaller")]
    TooLarge { bytes: usize },
    #[error("its content is neither PDF, JPEG, PNG nor Word; save it as one of these")]
    Unknown,
    #[error("it is cut off: {says}; fetch it again")]
    CutOff { says: &'static str },
    #[error("it holds macros; save it without them")]
    Macros,
    #[error("its content is {}, and its name says otherwise; rename it to end in .{}", .found.mime(), .found.ending())]
    OtherName { found: DocumentKind },
}

/// The kind of a document by its content, which must agree with its name.
///
/// # Errors
/// [`DocumentError`] for what is not taken.
pub fn kind_of(name: &str, bytes: &[u8]) -> Result<DocumentKind, DocumentError> {
    if bytes.is_empty() {
        return Err(DocumentError::Empty);
    }
    if DOCUMENT_BYTES_MAX < bytes.len() {
        return Err(DocumentError::TooLarge { bytes: bytes.len() });
    }
    let found = by_content(bytes)?;
    if found.fits_name(name) { Ok(found) } else { Err(DocumentError::OtherName { found }) }
}

fn by_content(bytes: &[u8]) -> Result<DocumentKind, DocumentError> {
    let head = &bytes[..bytes.len().min(PDF_MARK_WITHIN)];
    let tail = &bytes[bytes.len().saturating_sub(PDF_MARK_WITHIN)..];
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        return whole(holds(tail, b"IEND"), "a PNG without its end", DocumentKind::Png);
    }
    if bytes.starts_with(b"\xff\xd8\xff") {
        return whole(holds(tail, b"\xff\xd9"), "a JPEG without its end", DocumentKind::Jpeg);
    }
    if bytes.starts_with(b"PK\x03\x04") {
        return word(bytes);
    }
    if bytes.starts_with(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1") {
        let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        return match (holds(bytes, &wide("WordDocument")), holds(bytes, &wide("_VBA_PROJECT"))) {
            (true, false) => Ok(DocumentKind::Doc),
            (true, true) => Err(DocumentError::Macros),
            (false, _) => Err(DocumentError::Unknown),
        };
    }
    if holds(head, b"%PDF-") {
        return whole(holds(tail, b"%%EOF"), "a PDF without its end", DocumentKind::Pdf);
    }
    Err(DocumentError::Unknown)
}

fn whole(is: bool, says: &'static str, kind: DocumentKind) -> Result<DocumentKind, DocumentError> {
    if is { Ok(kind) } else { Err(DocumentError::CutOff { says }) }
}

/// Looks at the list of parts only.
fn word(bytes: &[u8]) -> Result<DocumentKind, DocumentError> {
    let cut_off = DocumentError::CutOff { says: "a Word file whose list of parts cannot be read" };
    let archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|_| cut_off)?;
    if PARTS_MAX < archive.len() {
        return Err(DocumentError::Unknown);
    }
    let names: Result<Vec<String>, _> =
        archive.file_names().map(|name| name.map(|name| name.to_ascii_lowercase())).collect();
    let names =
        names.map_err(|_| DocumentError::CutOff { says: "a Word file with unreadable names of parts" })?;
    let has = |wanted: &str| names.iter().any(|name| name == wanted);
    if names.iter().any(|name| name.ends_with("vbaproject.bin")) {
        return Err(DocumentError::Macros);
    }
    let is = has("[content_types].xml") && has("word/document.xml");
    if is { Ok(DocumentKind::Docx) } else { Err(DocumentError::Unknown) }
}

fn holds(bytes: &[u8], mark: &[u8]) -> bool {
    bytes.windows(mark.len()).any(|window| window == mark)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn archive(names: &[&str]) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for name in names {
            writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            writer.write_all(b"x").unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    fn ole(stream: &str) -> Vec<u8> {
        let mut bytes = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec();
        bytes.resize(512, 0);
        bytes.extend(stream.encode_utf16().flat_map(u16::to_le_bytes));
        bytes
    }

    #[test]
    fn the_content_tells_the_kind() {
        let word = ["[Content_Types].xml", "word/document.xml"];
        let png = b"\x89PNG\r\n\x1a\n....IEND\xaeB`\x82".to_vec();
        for (name, bytes, wanted) in [
            ("a.pdf", b"%PDF-1.7\n...\n%%EOF\n".to_vec(), Ok(DocumentKind::Pdf)),
            ("A.PDF", b"%PDF-1.7\n...\n%%EOF\n".to_vec(), Ok(DocumentKind::Pdf)),
            ("a.jpeg", b"\xff\xd8\xff\xe0...\xff\xd9".to_vec(), Ok(DocumentKind::Jpeg)),
            ("a.png", png.clone(), Ok(DocumentKind::Png)),
            ("a.docx", archive(&word), Ok(DocumentKind::Docx)),
            ("a.doc", ole("WordDocument"), Ok(DocumentKind::Doc)),
            ("a.pdf", png, Err(DocumentError::OtherName { found: DocumentKind::Png })),
            ("a", b"%PDF-1.7\n%%EOF".to_vec(), Err(DocumentError::OtherName { found: DocumentKind::Pdf })),
            ("a.pdf", b"MZ\x90 an executable".to_vec(), Err(DocumentError::Unknown)),
            (
                "a.pdf",
                b"%PDF-1.7\n...".to_vec(),
                Err(DocumentError::CutOff { says: "a PDF without its end" }),
            ),
            ("a.docx", archive(&["xl/workbook.xml"]), Err(DocumentError::Unknown)),
            ("a.docx", archive(&[word[0], word[1], "word/vbaProject.bin"]), Err(DocumentError::Macros)),
            ("a.doc", ole("Workbook"), Err(DocumentError::Unknown)),
            ("a.pdf", Vec::new(), Err(DocumentError::Empty)),
        ] {
            assert_eq!(kind_of(name, &bytes), wanted, "{name}");
        }
        let large = vec![0; DOCUMENT_BYTES_MAX + 1];
        assert_eq!(kind_of("a.pdf", &large), Err(DocumentError::TooLarge { bytes: large.len() }));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_judged_without_a_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..600)) {
            let judged = kind_of("a.pdf", &bytes);
            proptest::prop_assert!(judged != Ok(DocumentKind::Png));
            for mark in [&b"PK\x03\x04"[..], b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"%PDF-"] {
                drop(kind_of("a.docx", &[mark, &bytes].concat()));
            }
        }
    }
}
