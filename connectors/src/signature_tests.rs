//! Signed files made by OpenSSL, and what is done to them.
//!
//! Must never: keep a key beyond the test.

use super::*;

struct Signer {
    folder: tempfile::TempDir,
}

fn openssl(arguments: &[&str], folder: &Path) {
    let output = Command::new("openssl").args(arguments).current_dir(folder).output();
    let output =
        output.unwrap_or_else(|e| panic!("openssl cannot be started ({e}); `make test` installs it"));
    assert!(output.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

impl Signer {
    /// An authority, and a professional whose certificate it signed for so many days.
    fn new(days: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        let key = ["-newkey", "rsa:2048", "-nodes"];
        let authority = ["req", "-x509", "-days", "30", "-subj", "/O=Prova/CN=Autorità di prova", "-utf8"];
        openssl(&[&authority[..], &key, &["-keyout", "ca.key", "-out", "ca.pem"]].concat(), at);
        let subject = "/CN=Rossi Maria/serialNumber=TINIT-RSSMRA80A01H501U";
        openssl(
            &[&["req", "-subj", subject][..], &key, &["-keyout", "own.key", "-out", "own.csr"]].concat(),
            at,
        );
        openssl(
            &[
                "x509",
                "-req",
                "-in",
                "own.csr",
                "-CA",
                "ca.pem",
                "-CAkey",
                "ca.key",
                "-CAcreateserial",
                "-days",
                days,
                "-out",
                "own.pem",
            ],
            at,
        );
        Self { folder }
    }

    /// The same person's certificate anew, for these uses of its key.
    fn with_usage(self, usage: &str) -> Self {
        let at = self.folder.path();
        fs::write(at.join("uses"), format!("keyUsage=critical,{usage}\n")).unwrap();
        let made = ["x509", "-req", "-in", "own.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"];
        openssl(&[&made[..], &["-days", "10", "-extfile", "uses", "-out", "own.pem"]].concat(), at);
        self
    }

    fn sign(&self, bytes: &[u8], more: &[&str]) -> Vec<u8> {
        let at = self.folder.path();
        fs::write(at.join("in"), bytes).unwrap();
        let sign = [
            "cms", "-sign", "-binary", "-in", "in", "-signer", "own.pem", "-inkey", "own.key", "-out", "out",
        ];
        openssl(&[&sign[..], more].concat(), at);
        fs::read(at.join("out")).unwrap()
    }

    fn p7m(&self, bytes: &[u8]) -> Vec<u8> {
        self.sign(bytes, &["-nodetach", "-outform", "DER"])
    }

    fn verifier(&self) -> Verifier {
        Verifier { trust_file: Some(self.folder.path().join("ca.pem")), now: now() }
    }

    /// A PDF with a signature added to its end, as signing tools do it.
    fn pdf(&self, frozen: &[u8]) -> Vec<u8> {
        self.pdf_with(frozen, b"")
    }

    /// The same, with these objects before the signature's.
    fn pdf_with(&self, frozen: &[u8], objects: &[u8]) -> Vec<u8> {
        let room = 8192;
        let range = |first: usize, from: usize, second: usize| {
            format!("/ByteRange [0 {first:08} {from:08} {second:08}]")
        };
        let head_length = range(0, 0, 0).len();
        let own = b"\n9 0 obj\n<< /Type /Sig /SubFilter /adbe.pkcs7.detached /M (D:20240131120000+01'00') ";
        let head = [b"\n", objects, own].concat();
        let first = frozen.len() + head.len() + head_length + b" /Contents ".len();
        let tail = b" >>\nendobj\ntrailer\n<< /Root 1 0 R /Size 10 >>\n%%EOF\n";
        let from = first + room + 2;
        let head = [head.as_slice(), range(first, from, tail.len()).as_bytes(), b" /Contents "].concat();
        let signed = [frozen, &head, tail].concat();
        let message = self.sign(&signed, &["-outform", "DER"]);
        let mut digits: String = message.iter().map(|b| format!("{b:02x}")).collect();
        assert!(digits.len() <= room);
        digits.extend(std::iter::repeat_n('0', room - digits.len()));
        [frozen, &head, b"<", digits.as_bytes(), b">", tail].concat()
    }
}

/// The machine's time, which OpenSSL signs with.
fn now() -> Instant {
    Instant::from_millis(i64::try_from(machine_millis()).unwrap())
}

fn machine_millis() -> u128 {
    let file = tempfile::NamedTempFile::new().unwrap();
    let at = file.as_file().metadata().unwrap().modified().unwrap();
    at.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis()
}

const PDF: &[u8] = b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n\
    2 0 obj\n<< /Type /Pages /Kids [3 0 R] /Count 1 >>\nendobj\n\
    3 0 obj\n<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] /Contents 4 0 R >>\nendobj\n\
    4 0 obj\n<< /Length 11 >>\nstream\n(100 MWh) Tj\nendstream\nendobj\n\
    trailer\n<< /Root 1 0 R /Size 5 >>\n%%EOF\n";

#[test]
fn a_p7m_is_unwrapped_in_every_form_with_who_signed_it() {
    let signer = Signer::new("10");
    let der = signer.p7m(PDF);
    let pem = signer.sign(PDF, &["-nodetach", "-outform", "PEM"]);
    let bare: String =
        String::from_utf8(pem.clone()).unwrap().lines().filter(|l| !l.starts_with('-')).collect();
    for (what, bytes) in [("DER", der), ("PEM", pem), ("base64", bare.into_bytes())] {
        let found = signer.verifier().unwrap_p7m(&bytes).unwrap_or_else(|e| panic!("{what}: {e}"));
        assert_eq!(found.content, PDF, "{what}");
        let [signature] = found.signatures.as_slice() else { panic!("{what}: {found:?}") };
        assert_eq!(signature.name, "Rossi Maria");
        assert_eq!(signature.person.as_deref(), Some("TINIT-RSSMRA80A01H501U"));
        assert_eq!(signature.issuer, "Autorità di prova");
        assert_eq!(signature.trusted, Some(true), "{what}");
        assert!(signature.signed_at.is_some_and(|at| at.seconds_since(now()).abs() < 600.0), "{signature:?}");
        assert!(signature.was_valid(now()) && signature.fingerprint.len() == 64);
    }
}

#[test]
fn nested_signatures_are_unwrapped_to_the_bottom_and_not_further() {
    let (one, two) = (Signer::new("10"), Signer::new("10"));
    let nested = two.p7m(&one.p7m(PDF));
    let found = one.verifier().unwrap_p7m(&nested).unwrap();
    assert_eq!((found.content.as_slice(), found.signatures.len()), (PDF, 2));
    // The outer one is of an authority that is not in the list.
    let trusted: Vec<_> = found.signatures.iter().map(|s| s.trusted).collect();
    assert_eq!(trusted, [Some(false), Some(true)]);
    let mut deep = PDF.to_vec();
    for _ in 0..=LAYERS_MAX {
        deep = one.p7m(&deep);
    }
    assert!(matches!(one.verifier().unwrap_p7m(&deep), Err(SignatureError::TooDeep)));
}

#[test]
fn one_changed_byte_breaks_it_and_what_is_not_signed_is_said_so() {
    let signer = Signer::new("10");
    let mut message = signer.p7m(PDF);
    let at = message.windows(PDF.len()).position(|w| w == PDF).unwrap();
    message[at + 20] ^= 1;
    assert!(matches!(signer.verifier().unwrap_p7m(&message), Err(SignatureError::Broken { .. })));
    for bytes in [PDF, b"", b"hello", &message[..100]] {
        assert!(signer.verifier().unwrap_p7m(bytes).is_err());
    }
}

#[test]
fn a_weak_digest_is_refused_and_a_signature_apart_from_its_file_is_said_so() {
    let signer = Signer::new("10");
    let weak = signer.sign(PDF, &["-nodetach", "-outform", "DER", "-md", "sha1"]);
    match signer.verifier().unwrap_p7m(&weak) {
        Err(SignatureError::WeakDigest { digest }) => assert_eq!(digest, "sha1"),
        other => panic!("{other:?}"),
    }
    let apart = signer.sign(PDF, &["-outform", "DER"]);
    assert!(matches!(signer.verifier().unwrap_p7m(&apart), Err(SignatureError::Detached)));
    let found = signer.verifier().unwrap_p7m(&signer.p7m(PDF)).unwrap();
    assert_eq!(found.signatures[0].digest, "sha256");
}

#[test]
fn a_certificate_names_a_person_by_a_code() {
    let signer = Signer::new("10");
    let found = signer.verifier().unwrap_p7m(&signer.p7m(PDF)).unwrap().signatures.remove(0);
    assert!(found.names_person());
    for (person, names) in [
        (Some("TINIT-RSSMRA80A01H501U"), true),
        (Some("IT:RSSMRA80A01H501U"), true),
        (Some("IDCFR-1234"), true),
        (Some("TINIT-"), false),
        (Some("12345"), false),
        (Some("serial-12"), false),
        (None, false),
    ] {
        let of = Signature { person: person.map(str::to_owned), ..found.clone() };
        assert_eq!(of.names_person(), names, "{person:?}");
    }
}

#[test]
fn a_certificate_for_something_else_is_seen() {
    for (usage, may_sign) in [
        (None, true),
        (Some("keyEncipherment"), false),
        (Some("keyEncipherment,dataEncipherment"), false),
        (Some("nonRepudiation"), true),
        (Some("digitalSignature,keyEncipherment"), true),
    ] {
        let signer = Signer::new("10");
        let signer = match usage {
            Some(usage) => signer.with_usage(usage),
            None => signer,
        };
        let found = signer.verifier().unwrap_p7m(&signer.p7m(PDF)).unwrap().signatures.remove(0);
        assert_eq!((found.may_sign, found.trusted), (may_sign, Some(true)), "{usage:?}");
        assert_eq!(found.name, "Rossi Maria", "{usage:?}");
    }
}

#[test]
fn an_expired_certificate_is_seen() {
    let signer = Signer::new("-1");
    let found = signer.verifier().unwrap_p7m(&signer.p7m(PDF)).unwrap();
    assert!(!found.signatures[0].was_valid(now()));
    assert_eq!(found.signatures[0].trusted, Some(false));
    let without = Verifier { trust_file: None, now: now() };
    assert_eq!(without.unwrap_p7m(&signer.p7m(PDF)).unwrap().signatures[0].trusted, None);
}

#[test]
fn a_signed_pdf_must_begin_with_the_frozen_bytes_and_be_covered_to_its_end() {
    let signer = Signer::new("10");
    let signed = signer.pdf(PDF);
    let found = signer.verifier().check_pdf(&signed, PDF).unwrap();
    assert_eq!((found.len(), found[0].name.as_str(), found[0].trusted), (1, "Rossi Maria", Some(true)));
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = signed.clone();
        change(&mut bytes);
        signer.verifier().check_pdf(&bytes, PDF)
    };
    assert!(matches!(with(&|b| b[12] ^= 1), Err(SignatureError::OtherContent)));
    let after = with(&|b| b.extend(b"more"));
    assert!(
        matches!(after, Err(SignatureError::Edited { says }) if says.contains("after the last signature"))
    );
    let inside = PDF.len() + 5;
    assert!(matches!(with(&|b| b[inside] ^= 1), Err(SignatureError::Broken { .. })));
    assert!(matches!(signer.verifier().check_pdf(PDF, PDF), Err(SignatureError::NotSigned { .. })));
    // A signature over less than the frozen bytes proves nothing of them.
    let longer = [PDF, b"x"].concat();
    assert!(matches!(
        signer.verifier().check_pdf(&signer.pdf(PDF), &longer),
        Err(SignatureError::OtherContent)
    ));
}

#[test]
fn what_is_added_to_a_signed_pdf_is_signatures_only() {
    let signer = Signer::new("10");
    let page = |more: &str| {
        let contents = "/MediaBox [0 0 200 200] /Contents 4 0 R";
        format!("3 0 obj\n<< /Type /Page /Parent 2 0 R {contents} {more} >>\nendobj\n")
    };
    let root = |more: &str| format!("1 0 obj\n<< /Type /Catalog /Pages 2 0 R {more} >>\nendobj\n");
    let field = "7 0 obj\n<< /FT /Sig /T (f) /Subtype /Widget /Rect [9 9 99 99] /V 9 0 R >>\nendobj\n";
    let note = "8 0 obj\n<< /Subtype /FreeText /Rect [0 0 200 200] /Contents (999 MWh) >>\nendobj\n";
    let painted = "4 0 obj\n<< /Length 11 >>\nstream\n(999 MWh) Tj\nendstream\nendobj\n";
    let form = "/AcroForm << /Fields [7 0 R] /SigFlags 3 >>";
    let touched = field.replace("/T (f)", "/T (f) /AA << >>");
    for (what, objects, says) in [
        ("a seen signature", page("/Annots [7 0 R]") + &root(form) + field, None),
        ("other words", painted.to_owned(), Some("changes what")),
        ("a lost page", "2 0 obj\n<< /Type /Pages /Kids [] /Count 0 >>\nendobj\n".to_owned(), Some("")),
        ("a note", page("/Annots [7 0 R 8 0 R]") + &root(form) + field + note, Some("is more than")),
        ("a turned page", page("/Rotate 180"), Some("is more than")),
        ("a script", root("/OpenAction << /S /JavaScript >>"), Some("is more than")),
        ("a form of text", root("/AcroForm << /Fields [8 0 R] >>") + note, Some("is more than")),
        ("a second text", root("/AcroForm << /Fields [] /XFA (x) >>"), Some("is more than")),
        ("a field that acts", page("/Annots [7 0 R]") + &touched, Some("is more than")),
    ] {
        let taken = signer.verifier().check_pdf(&signer.pdf_with(PDF, objects.as_bytes()), PDF);
        match (taken, says) {
            (Ok(found), None) => assert_eq!(found.len(), 1, "{what}"),
            (Err(SignatureError::Edited { says: said }), Some(says)) => {
                assert!(said.contains(says), "{what}: {said}");
            }
            (other, _) => panic!("{what}: {other:?}"),
        }
    }
}

proptest::proptest! {
    #[test]
    fn any_change_of_a_pdf_is_read_without_a_panic(
        at in 0..PDF.len(),
        bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..60),
    ) {
        let changed = [&PDF[..at], &bytes, &PDF[at..]].concat();
        for (one, other) in [(PDF, changed.as_slice()), (&changed, PDF)] {
            let found = signed_pdf::same_pages(one, other);
            proptest::prop_assert_eq!(found, signed_pdf::same_pages(one, other));
        }
        proptest::prop_assert_eq!(signed_pdf::stated_time(&changed, at), None);
    }

    #[test]
    fn any_bytes_are_cut_without_a_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
        drop(message_of(&bytes));
        drop(base64(&String::from_utf8_lossy(&bytes)));
        let marked = [b"/ByteRange [0 10 20 ", bytes.as_slice()].concat();
        for range in byte_ranges(&marked, 0) {
            drop(range.cut(&marked, 0));
        }
    }
}

#[test]
fn what_follows_the_message_is_refused_whatever_the_form_of_its_length() {
    let signer = Signer::new("10");
    let streamed = signer.sign(PDF, &["-nodetach", "-outform", "DER", "-stream"]);
    assert_eq!(streamed[1], 0x80, "of an unstated length");
    for message in [signer.p7m(PDF), streamed] {
        assert_eq!(message_end(&message), Some(message.len()));
        assert_eq!(signer.verifier().unwrap_p7m(&message).unwrap().content, PDF);
        let longer = [&message[..], b"\n%x"].concat();
        match signer.verifier().unwrap_p7m(&longer) {
            Err(SignatureError::MoreBytes { bytes }) => assert_eq!(bytes, 3),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn an_end_is_found_only_where_the_lengths_tell_it() {
    for (bytes, end) in [
        (&[0x30, 0x00][..], Some(2)),
        (&[0x30, 0x81, 0x01, 0x05, 0xff], Some(4)),
        (&[0x30, 0x80, 0x04, 0x01, 0x00, 0x00, 0x00, 0xff], Some(7)),
        // A tag of two bytes.
        (&[0x3f, 0x81, 0x01, 0x01, 0x05], Some(5)),
        (&[0x30, 0x05, 0x00], None),
        (&[0x30, 0x80, 0x04, 0x01, 0x00], None),
        (&[0x30, 0x89, 1, 1, 1, 1, 1, 1, 1, 1, 1], None),
        (&[0x30, 0xff], None),
        (&[], None),
    ] {
        assert_eq!(message_end(bytes), end, "{bytes:?}");
    }
    assert_eq!(message_end(&[0x30, 0x80].repeat(10_000)), None, "nested without end");
}
