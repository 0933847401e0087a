//! Receipts of certified mail (PEC): what the certification file `daticert.xml` inside a message says.
//!
//! Must never: take a message without certification data for a receipt, or judge the provider's signature.

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use model::{Instant, Zone};
use quick_xml::Reader;
use quick_xml::events::Event;

use crate::signature::base64;

/// Largest message in bytes.
pub const MESSAGE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Largest certification file in bytes.
const DATA_BYTES_MAX: usize = 1024 * 1024;

/// What a receipt says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Receipt {
    /// `accettazione`, `avvenuta-consegna`, `errore-consegna` and others, as it stands.
    pub kind: String,
    /// `nessuno` where all went well.
    pub fault: String,
    /// The message that it is about, with its angle brackets.
    pub message_id: String,
    /// The provider's own number.
    pub number: String,
    /// Day and time as it stands, local time with its offset.
    pub when: String,
    /// To whom it was delivered, on a receipt of delivery.
    pub delivered_to: Option<String>,
    /// To whom the message was addressed (`destinatari`), as it stands.
    pub recipients: Vec<String>,
}

impl Receipt {
    /// Whether it says that the message was delivered.
    #[must_use]
    pub fn is_delivery(&self) -> bool {
        self.kind == "avvenuta-consegna" && self.fault == "nessuno"
    }

    /// Whether it says that the message did not arrive and will not: the sender's provider did not take it
    /// (`non-accettazione`), or the recipient's could not deliver it (`errore-consegna`).
    #[must_use]
    pub fn is_failure(&self) -> bool {
        self.is_refusal() || self.kind == "errore-consegna"
    }

    /// Whether the sender's own provider did not take the message: it went to nobody.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        self.kind == "non-accettazione"
    }

    /// The civil day that it bears, as it stands; `None` where it bears none that can be read.
    #[must_use]
    pub fn day(&self) -> Option<NaiveDate> {
        let day = self.when.split_whitespace().next()?;
        NaiveDate::parse_from_str(day, "%d/%m/%Y").ok()
    }

    /// The instant that it bears; a time without its offset is one of `zone`, the earlier of the two where that hour came
    /// twice. `None` where it bears no day and time that can be read.
    #[must_use]
    pub fn instant(&self, zone: Zone) -> Option<Instant> {
        const LOCAL: &str = "%d/%m/%Y %H:%M:%S";
        if let Ok(at) = DateTime::parse_from_str(&self.when, "%d/%m/%Y %H:%M:%S %z") {
            return Some(Instant::from_millis(at.timestamp_millis()));
        }
        let at =
            NaiveDateTime::parse_from_str(&self.when, LOCAL).ok()?.and_local_timezone(zone).earliest()?;
        Some(Instant::from_millis(at.timestamp_millis()))
    }

    /// Whether it names who got the message, or was to get it.
    #[must_use]
    pub fn names_recipient(&self) -> bool {
        self.delivered_to.is_some() || !self.recipients.is_empty()
    }

    /// Whether the message is of this address, as far as it names one: who got it counts before who was to get it.
    #[must_use]
    pub fn is_to(&self, address: &str) -> bool {
        let is = |named: &str| named.trim().eq_ignore_ascii_case(address.trim());
        match &self.delivered_to {
            Some(to) => is(to),
            None => self.recipients.iter().any(|to| is(to)),
        }
    }
}

/// Reads a message as a mail fetcher saves it (`.eml`); `None` when it holds no certification data.
#[must_use]
pub fn read(message: &[u8]) -> Option<Receipt> {
    if MESSAGE_BYTES_MAX < message.len() {
        return None;
    }
    let text = String::from_utf8_lossy(message).replace("\r\n", "\n");
    let xml = attachment(&text)?;
    parse(&xml)
}

/// The part named `daticert.xml`, decoded.
fn attachment(text: &str) -> Option<String> {
    let named = text.to_ascii_lowercase().find("daticert.xml")?;
    // The part's head begins after the boundary before its name and ends with an empty line.
    let head_from = text[..named].rfind("\n--").map_or(0, |i| i + 1);
    let head_to = named + text[named..].find("\n\n")?;
    let head = text[head_from..head_to].to_ascii_lowercase();
    let rest = &text[head_to + 2..];
    let body = rest.find("\n--").map_or(rest, |end| &rest[..end]);
    let body = body.get(..body.len().min(DATA_BYTES_MAX))?;
    if head.contains("base64") {
        let bytes = base64(&body.split_whitespace().collect::<String>())?;
        return String::from_utf8(bytes).ok();
    }
    if head.contains("quoted-printable") { quoted_printable(body) } else { Some(body.to_owned()) }
}

fn quoted_printable(body: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(body.len());
    let mut rest = body.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first != b'=' {
            bytes.push(*first);
        } else if let Some(after) = rest.strip_prefix(b"\n") {
            rest = after;
        } else {
            let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &rest[2..];
        }
    }
    String::from_utf8(bytes).ok()
}

fn parse(xml: &str) -> Option<Receipt> {
    let mut reader = Reader::from_str(xml);
    let (mut receipt, mut found, mut inside) = (Receipt::default(), false, String::new());
    let mut offset = String::new();
    loop {
        match reader.read_event().ok()? {
            Event::Eof => break,
            Event::Start(start) | Event::Empty(start) => {
                inside = start.local_name().as_ref().to_owned();
                for attribute in start.attributes().flatten() {
                    let value = attribute.value.to_string();
                    match (inside.as_str(), attribute.key.as_ref()) {
                        ("postacert", "tipo") => {
                            receipt.kind = value;
                            found = true;
                        }
                        ("postacert", "errore") => receipt.fault = value,
                        ("data", "zona") => offset = value,
                        _ => {}
                    }
                }
            }
            Event::Text(text) => {
                add(&mut receipt, &inside, text.trim());
            }
            // quick-xml gives `&lt;` as an event of its own.
            Event::GeneralRef(entity) if inside == "msgid" => match &*entity.to_string() {
                "lt" => receipt.message_id.push('<'),
                "gt" => receipt.message_id.push('>'),
                _ => {}
            },
            Event::End(_) => inside.clear(),
            _ => {}
        }
    }
    if !offset.is_empty() {
        receipt.when = format!("{} {offset}", receipt.when);
    }
    found.then_some(receipt)
}

fn add(receipt: &mut Receipt, inside: &str, value: &str) {
    match inside {
        "identificativo" => receipt.number.push_str(value),
        "msgid" => receipt.message_id.push_str(value),
        "consegna" if !value.is_empty() => receipt.delivered_to = Some(value.to_owned()),
        "destinatari" if !value.is_empty() => receipt.recipients.push(value.to_owned()),
        "giorno" => receipt.when.push_str(value),
        "ora" => {
            receipt.when.push(' ');
            receipt.when.push_str(value);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const XML: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<postacert tipo=\"avvenuta-consegna\" errore=\"nessuno\">\n\
        <intestazione><mittente>a@pec.example</mittente><destinatari tipo=\"certificato\">b@pec.example</destinatari>\n\
        <destinatari tipo=\"esterno\">c@example</destinatari></intestazione><dati><gestore-emittente>P</gestore-emittente>\n\
        <data zona=\"+0200\"><giorno>31/03/2026</giorno><ora>10:11:12</ora></data>\n\
        <identificativo>opec1.2026@pec.example</identificativo><msgid>&lt;consuntivo-1@example&gt;</msgid>\n\
        <consegna>b@pec.example</consegna></dati></postacert>\n";

    fn message(encoding: &str, body: &str) -> String {
        format!(
            "Subject: CONSEGNA\r\nContent-Type: multipart/mixed; boundary=\"x\"\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\n\
             ciao\r\n--x\r\nContent-Type: application/xml; name=\"daticert.xml\"\r\nContent-Transfer-Encoding: {encoding}\r\n\
             Content-Disposition: attachment; filename=\"daticert.xml\"\r\n\r\n{}\r\n--x--\r\n",
            body.replace('\n', "\r\n")
        )
    }

    #[test]
    fn a_receipt_is_read_in_every_encoding() {
        let quoted = XML.replace('=', "=3D");
        for (encoding, body) in
            [("7bit", XML.to_owned()), ("quoted-printable", quoted), ("base64", encoded(XML))]
        {
            let receipt = read(message(encoding, &body).as_bytes()).unwrap_or_else(|| panic!("{encoding}"));
            assert!(receipt.is_delivery(), "{receipt:?}");
            assert_eq!(receipt.message_id, "<consuntivo-1@example>");
            assert_eq!(receipt.number, "opec1.2026@pec.example");
            assert_eq!(receipt.when, "31/03/2026 10:11:12 +0200");
            assert_eq!(receipt.day(), NaiveDate::from_ymd_opt(2026, 3, 31));
            assert_eq!(receipt.delivered_to.as_deref(), Some("b@pec.example"));
            assert_eq!(receipt.recipients, ["b@pec.example", "c@example"]);
        }
    }

    #[test]
    fn who_got_it_counts_before_who_was_to_get_it() {
        let mut receipt = read(message("7bit", XML).as_bytes()).unwrap();
        assert!(receipt.is_to(" B@PEC.example") && !receipt.is_to("c@example"));
        receipt.delivered_to = None;
        assert!(receipt.is_to("c@example") && !receipt.is_to("d@example"));
        receipt.recipients.clear();
        assert!(!receipt.names_recipient() && !receipt.is_to("c@example"));
    }

    #[test]
    fn the_instant_of_a_receipt_is_by_its_offset_or_the_zone() {
        let zone = chrono_tz::Europe::Rome;
        let of = |when: &str| Receipt { when: when.to_owned(), ..Receipt::default() }.instant(zone);
        let at = Some(Instant::from_seconds(1_774_944_672));
        assert_eq!(of("31/03/2026 10:11:12 +0200"), at);
        assert_eq!(of("31/03/2026 08:11:12 +0000"), at);
        assert_eq!(of("31/03/2026 10:11:12"), at, "local time");
        for nothing in ["31/03/2026 +0200", "31/03/2026", "presto 10:11:12", ""] {
            assert_eq!(of(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn what_is_no_receipt_is_none() {
        for text in
            ["", "Subject: hello\r\n\r\ndaticert.xml", &message("7bit", "<html>"), &message("base64", "!!")]
        {
            assert_eq!(read(text.as_bytes()), None, "{text}");
        }
        let fault = XML.replace("avvenuta-consegna", "errore-consegna").replace("nessuno", "no-dest");
        let fault = read(message("7bit", &fault).as_bytes()).unwrap();
        assert!(!fault.is_delivery() && fault.is_failure() && !fault.is_refusal());
        assert_eq!(fault.fault, "no-dest");
        for (kind, is_failure) in [
            ("non-accettazione", true),
            ("preavviso-errore-consegna", false),
            ("accettazione", false),
            ("presa-in-carico", false),
        ] {
            let of = Receipt { kind: kind.to_owned(), ..Receipt::default() };
            assert_eq!((of.is_failure(), of.is_delivery()), (is_failure, false), "{kind}");
        }
        let undated = XML.replace("<giorno>31/03/2026</giorno>", "<giorno>presto</giorno>");
        assert_eq!(read(message("7bit", &undated).as_bytes()).unwrap().day(), None);
    }

    /// Base64 with lines of 76, for the test.
    fn encoded(text: &str) -> String {
        const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut out = String::new();
        for (i, chunk) in text.as_bytes().chunks(3).enumerate() {
            let n = chunk.iter().fold(0_u32, |n, b| n << 8 | u32::from(*b)) << (8 * (3 - chunk.len()));
            for place in 0..4 {
                let digit = DIGITS[(n >> (18 - 6 * place) & 63) as usize];
                out.push(if chunk.len() < place { '=' } else { char::from(digit) });
            }
            if i % 19 == 18 {
                out.push('\n');
            }
        }
        out
    }

    proptest::proptest! {
        #[test]
        fn any_message_is_read_without_a_panic(body in "\\PC{0,200}") {
            drop(read(message("quoted-printable", &body).as_bytes()));
            drop(read(body.as_bytes()));
        }
    }
}
