//! What a signing tool adds to the end of a PDF: whether the frozen pages still show the same, what follows the last
//! signature, and the time that a signature states there. The file is read by `hayro-syntax`.
//!
//! Must never: take a page that is not the frozen one, or an object that it does not know for a signature's.

mod late;
mod update;

use std::collections::HashSet;
use std::panic::{RefUnwindSafe, catch_unwind};

use chrono::{Duration, NaiveDateTime};
use hayro_syntax::Pdf;
use hayro_syntax::object::{Array, Dict, FromBytes as _, MaybeRef, Name, ObjRef, Object, ObjectIdentifier};
use hayro_syntax::xref::XRef;
use model::Instant;

use self::late::Late;
pub(crate) use self::late::only_validation;

/// Most objects of a PDF that are compared.
const OBJECTS_MAX: usize = 1_000_000;
/// What a signature adds to the catalogue of a PDF (ISO 32000-2, 12.8; ETSI EN 319 142-1, 5.4).
const CATALOGUE_MAY_GAIN: [&[u8]; 6] =
    [b"AcroForm", b"DSS", b"Extensions", b"Metadata", b"Perms", b"Version"];
/// What a form made for signatures alone holds. No `XFA`: it would be a second text of the same pages.
const FORM_MAY_HOLD: [&[u8]; 5] = [b"Fields", b"SigFlags", b"DR", b"DA", b"NeedAppearances"];

/// What keeps a signed PDF from being the frozen one with signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Difference {
    /// It cannot be read as a PDF.
    Unreadable,
    /// Something of the frozen file is no longer the same.
    Changed,
    /// Something that is no signature was put on a page, or into the catalogue.
    Added,
    /// Something that is neither validation data nor a time stamp follows the last signature.
    Late,
}

/// Compares everything that the frozen PDF reaches from its catalogue with what the signed one has in its place.
///
/// # Errors
/// The first [`Difference`] that no signature explains.
pub(crate) fn same_pages(frozen: &[u8], signed: &[u8]) -> Result<(), Difference> {
    // The reader of PDF panics on some broken ones, inside of itself; such a file is refused like any other broken one.
    catch_unwind(|| compared(frozen, signed)).unwrap_or(Err(Difference::Unreadable))
}

fn compared(frozen: &[u8], signed: &[u8]) -> Result<(), Difference> {
    let open = |bytes: &[u8]| Pdf::new(bytes.to_vec()).map_err(|_| Difference::Unreadable);
    let (before, after) = (open(frozen)?, open(signed)?);
    let mut walk = Walk {
        before: before.xref(),
        after: after.xref(),
        seen: HashSet::new(),
        waiting: Vec::new(),
        late: None,
    };
    let of = |id: ObjectIdentifier| MaybeRef::Ref(ObjRef::from(id));
    let catalogue =
        (resolved(walk.before, of(walk.before.root_id())), resolved(walk.after, of(walk.after.root_id())));
    let (Some(Object::Dict(old)), Some(Object::Dict(new))) = catalogue else {
        return Err(Difference::Unreadable);
    };
    walk.catalogue(&old, &new)?;
    while let Some((old, new)) = walk.waiting.pop() {
        walk.compare(old, new)?;
    }
    Ok(())
}

/// An object, or what a reference leads to; `None` where that is nothing.
fn resolved<'a>(file: &'a XRef, object: MaybeRef<Object<'a>>) -> Option<Object<'a>> {
    let object = match object {
        MaybeRef::NotRef(object) => Some(object),
        MaybeRef::Ref(to) => file.get::<Object<'a>>(to.into()),
    };
    object.filter(|object| !matches!(object, Object::Null(_)))
}

/// The two files side by side.
struct Walk<'a, 'r> {
    before: &'a XRef,
    after: &'a XRef,
    /// Objects whose comparison is done or waits: a PDF is full of circles.
    seen: HashSet<(ObjRef, Option<ObjRef>)>,
    waiting: Vec<(Object<'a>, Object<'a>)>,
    /// Where it is about what follows the last signature.
    late: Option<Late<'r>>,
}

impl<'a> Walk<'a, '_> {
    fn catalogue(&mut self, old: &Dict<'a>, new: &Dict<'a>) -> Result<(), Difference> {
        // The metadata say when the file was changed; no page shows them.
        self.entries(old, new, &[b"AcroForm", b"Metadata"], &CATALOGUE_MAY_GAIN)?;
        let form = |dict: &Dict<'a>| dict.get::<Dict<'a>>(b"AcroForm");
        let (old, new) = (form(old).unwrap_or_default(), form(new).unwrap_or_default());
        self.entries(&old, &new, &[b"Fields", b"SigFlags"], &FORM_MAY_HOLD)?;
        self.only_added(old.get(b"Fields"), new.get(b"Fields"))
    }

    fn compare(&mut self, old: Object<'a>, new: Object<'a>) -> Result<(), Difference> {
        let same = match (old, new) {
            (Object::Dict(old), Object::Dict(new)) => return self.dictionary(&old, &new),
            (Object::Array(old), Object::Array(new)) => {
                let (old, new): (Vec<_>, Vec<_>) = (old.raw_iter().collect(), new.raw_iter().collect());
                if old.len() != new.len() {
                    return Err(Difference::Changed);
                }
                return old.into_iter().zip(new).try_for_each(|(old, new)| self.pair(old, new));
            }
            (Object::Stream(old), Object::Stream(new)) => {
                self.entries(old.dict(), new.dict(), &[], &[])?;
                old.raw_data() == new.raw_data()
            }
            (Object::String(old), Object::String(new)) => old.as_bytes() == new.as_bytes(),
            (old, new) => old == new,
        };
        if same { Ok(()) } else { Err(Difference::Changed) }
    }

    fn dictionary(&mut self, old: &Dict<'a>, new: &Dict<'a>) -> Result<(), Difference> {
        if self.late.is_none() && is_signature_field(old) && is_signature_field(new) {
            // A place for a signature that was there before, now signed.
            return Ok(());
        }
        if named(old, b"Type", b"Page") {
            self.entries(old, new, &[b"Annots"], &[b"Annots"])?;
            if let (Some(late), Some(to)) = (&mut self.late, new.get_ref(b"Annots")) {
                late.own(to);
            }
            return self.only_added(old.get(b"Annots"), new.get(b"Annots"));
        }
        self.entries(old, new, &[], &[])
    }

    /// Every entry but the `left` ones is the same; the new dictionary holds no other than those that it `may_gain`.
    fn entries(
        &mut self,
        old: &Dict<'a>,
        new: &Dict<'a>,
        left: &[&[u8]],
        may_gain: &[&[u8]],
    ) -> Result<(), Difference> {
        let among = |list: &[&[u8]], name: &Name<'_>| list.contains(&name.as_ref());
        // Not its iterator over entries, which panics where a value cannot be read.
        for name in old.keys().filter(|name| !among(left, name)) {
            let read = |dict: &Dict<'a>| dict.get_raw::<Object<'a>>(name.as_ref());
            let value = read(old).ok_or(Difference::Unreadable)?;
            match read(new) {
                Some(other) => self.pair(value, other)?,
                // What leads nowhere in both files is the same nothing.
                None if !new.contains_key(name.as_ref()) && resolved(self.before, value).is_none() => {}
                None => return Err(Difference::Changed),
            }
        }
        if new.keys().any(|name| !old.contains_key(name.as_ref()) && !among(may_gain, &name)) {
            return Err(Difference::Added);
        }
        Ok(())
    }

    fn pair(&mut self, old: MaybeRef<Object<'a>>, new: MaybeRef<Object<'a>>) -> Result<(), Difference> {
        if let Some(from) = old.as_obj_ref()
            && !self.seen.insert((from, new.as_obj_ref()))
        {
            return Ok(());
        }
        if OBJECTS_MAX < self.seen.len() + self.waiting.len() {
            return Err(Difference::Unreadable);
        }
        match (resolved(self.before, old), resolved(self.after, new)) {
            (None, None) => Ok(()),
            (Some(old), Some(new)) => {
                self.waiting.push((old, new));
                Ok(())
            }
            _ => Err(Difference::Changed),
        }
    }

    /// A list of fields or of things on a page: what was there first is the same, and what follows are signatures, or
    /// time stamps after the last of them.
    fn only_added(&mut self, old: Option<Array<'a>>, new: Option<Array<'a>>) -> Result<(), Difference> {
        let items = |list: Option<Array<'a>>| list.unwrap_or_default().raw_iter().collect::<Vec<_>>();
        let (old, mut new) = (items(old), items(new));
        if new.len() < old.len() {
            return Err(Difference::Changed);
        }
        let added = new.split_off(old.len());
        old.into_iter().zip(new).try_for_each(|(old, new)| self.pair(old, new))?;
        let is_signature = |item| match resolved(self.after, item) {
            Some(Object::Dict(dict)) => is_signature_field(&dict),
            _ => false,
        };
        let is_known = if self.late.is_some() {
            added.into_iter().all(|item| self.is_time_stamp(item))
        } else {
            added.into_iter().all(is_signature)
        };
        if is_known { Ok(()) } else { Err(Difference::Added) }
    }
}

fn named(dict: &Dict<'_>, key: &[u8], name: &[u8]) -> bool {
    dict.get::<Name<'_>>(key).is_some_and(|found| found.as_ref() == name)
}

/// Whether it is the field of a signature, which as a thing on a page does nothing when it is touched.
fn is_signature_field(dict: &Dict<'_>) -> bool {
    let field = dict.get::<Dict<'_>>(b"Parent").filter(|_| !dict.contains_key(b"FT"));
    let is_signature = named(field.as_ref().unwrap_or(dict), b"FT", b"Sig");
    let is_shown = dict.contains_key(b"Subtype");
    let acts = dict.contains_key(b"A") || dict.contains_key(b"AA");
    is_signature && !acts && (!is_shown || named(dict, b"Subtype", b"Widget"))
}

/// The time that the signature around the `/ByteRange` at `mark` states in its own dictionary: PAdES keeps it there and
/// not in the signed message (ETSI EN 319 142-1, 5.3). It stands in bytes that the signature covers.
pub(crate) fn stated_time(bytes: &[u8], mark: usize) -> Option<Instant> {
    of_dictionary_around(bytes, mark, |dict| {
        let text = dict.get::<hayro_syntax::object::String<'_>>(b"M")?;
        pdf_date(std::str::from_utf8(text.as_bytes()).ok()?)
    })
}

/// Whether the `/ByteRange` at `mark` is that of a time stamp of the document (ISO 32000-2, 12.8.5).
pub(crate) fn is_time_stamp(bytes: &[u8], mark: usize) -> bool {
    let kind = |dict: &Dict<'_>| {
        Some(named(dict, b"Type", b"DocTimeStamp") && named(dict, b"SubFilter", b"ETSI.RFC3161"))
    };
    of_dictionary_around(bytes, mark, kind) == Some(true)
}

fn of_dictionary_around<T>(
    bytes: &[u8],
    mark: usize,
    said: impl Fn(&Dict<'_>) -> Option<T> + RefUnwindSafe,
) -> Option<T> {
    let before = bytes.get(..mark)?;
    let object = before.windows(4).rposition(|w| w == b" obj")?;
    let from = bytes.get(object + 4..)?.trim_ascii_start();
    let read = || {
        let dict = Dict::from_bytes(from)?;
        // The dictionary read must be the one that holds this very byte range.
        let range = dict.get::<Array<'_>>(b"ByteRange")?;
        let here = bytes.get(mark..bytes.len().min(mark + 200))?;
        if contains(here, range.data()) { said(&dict) } else { None }
    };
    catch_unwind(read).ok().flatten()
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    !part.is_empty() && bytes.windows(part.len()).any(|w| w == part)
}

/// `D:YYYYMMDDHHmmSS` with its distance from UTC (ISO 32000-2, 7.9.4); a time without one is no instant.
fn pdf_date(text: &str) -> Option<Instant> {
    let text = text.strip_prefix("D:")?;
    let (digits, zone) = text.split_at_checked(14)?;
    let local = NaiveDateTime::parse_from_str(digits, "%Y%m%d%H%M%S").ok()?;
    let minutes = match zone.split_at_checked(1)? {
        ("Z", _) => 0,
        (sign @ ("+" | "-"), rest) => {
            let mut parts = rest.split('\'').filter(|part| !part.is_empty());
            let hours: i64 = parts.next()?.parse().ok().filter(|h| (0..24).contains(h))?;
            let minutes: i64 = parts.next().unwrap_or("0").parse().ok().filter(|m| (0..60).contains(m))?;
            (hours * 60 + minutes) * if sign == "+" { 1 } else { -1 }
        }
        _ => return None,
    };
    let utc = local.checked_sub_signed(Duration::minutes(minutes))?;
    Some(Instant::from_millis(utc.and_utc().timestamp_millis()))
}

#[cfg(test)]
#[path = "signed_pdf_tests.rs"]
mod tests;
