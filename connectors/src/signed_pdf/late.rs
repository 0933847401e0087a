//! What follows the last signature of a PDF: the validation data and the time stamps of the document by which a
//! signature can be proved for decades (PAdES-LT and LTA; ETSI EN 319 142-1, 5.4 and 5.5; ISO 32000-2, 12.8.4 and 12.8.5).
//!
//! Must never: take an object that they do not need, however harmless it looks.

use std::collections::HashSet;
use std::panic::catch_unwind;

use hayro_syntax::Pdf;
use hayro_syntax::object::{
    Array, Dict, MaybeRef, Name, Number, ObjRef, Object, ObjectIdentifier, Rect, Stream,
};

use super::update;
use super::{Difference, Walk, named, resolved};

/// What the catalogue may gain: the validation data, and which extension of the format they are.
const CATALOGUE_MAY_GAIN: [&[u8]; 3] = [b"DSS", b"Extensions", b"Version"];
const STORE_MAY_HOLD: [&[u8]; 5] = [b"Type", b"VRI", b"Certs", b"CRLs", b"OCSPs"];
const PART_MAY_HOLD: [&[u8]; 6] = [b"Type", b"Cert", b"CRL", b"OCSP", b"TU", b"TS"];
const DATA_MAY_HOLD: [&[u8]; 4] = [b"Type", b"Length", b"Filter", b"DecodeParms"];
const METADATA_MAY_HOLD: [&[u8]; 5] = [b"Type", b"Subtype", b"Length", b"Filter", b"DecodeParms"];
const INFO_MAY_HOLD: [&[u8]; 9] = [
    b"Title",
    b"Author",
    b"Subject",
    b"Keywords",
    b"Creator",
    b"Producer",
    b"CreationDate",
    b"ModDate",
    b"Trapped",
];
const FIELD_MAY_HOLD: [&[u8]; 11] =
    [b"Type", b"Subtype", b"FT", b"T", b"TU", b"Ff", b"F", b"Rect", b"P", b"V", b"AP"];
const STAMP_MAY_HOLD: [&[u8]; 8] =
    [b"Type", b"Filter", b"SubFilter", b"Contents", b"ByteRange", b"M", b"Name", b"Prop_Build"];
const LOOK_MAY_HOLD: [&[u8]; 9] = [
    b"Type",
    b"Subtype",
    b"FormType",
    b"BBox",
    b"Matrix",
    b"Resources",
    b"Length",
    b"Filter",
    b"DecodeParms",
];
/// Deepest that plain values stand in one another.
const DEPTH_MAX: usize = 8;

/// What is known of the updates while the files are compared.
pub(super) struct Late<'r> {
    /// Objects that validation data and time stamps are made of, or hang from.
    owned: HashSet<ObjectIdentifier>,
    /// Streams of validation data that are found to be nothing else.
    data: HashSet<ObjectIdentifier>,
    /// The byte ranges of the time stamps that hold.
    stamps: &'r [[usize; 4]],
}

impl Late<'_> {
    /// Notes an object that a time stamp hangs from.
    pub(super) fn own(&mut self, id: ObjRef) {
        self.owned.insert(id.into());
    }
}

/// Judges what follows the first `signed` bytes, up to which the last signature reaches. `stamps` are the byte ranges of
/// the time stamps that were verified.
///
/// # Errors
/// [`Difference::Late`] for anything but validation data and such time stamps.
pub(crate) fn only_validation(bytes: &[u8], signed: usize, stamps: &[[usize; 4]]) -> Result<(), Difference> {
    catch_unwind(|| judged(bytes, signed, stamps)).ok().flatten().ok_or(Difference::Late)
}

fn judged(bytes: &[u8], signed: usize, stamps: &[[usize; 4]]) -> Option<()> {
    let updates = update::read(bytes, signed)?;
    let (before, after) = (Pdf::new(bytes.get(..signed)?.to_vec()).ok()?, Pdf::new(bytes.to_vec()).ok()?);
    let root = before.xref().root_id();
    if updates.root != Some(root) || after.xref().root_id() != root {
        return None;
    }
    let late = Late { owned: HashSet::from([root]), data: HashSet::new(), stamps };
    let mut walk = Walk {
        before: before.xref(),
        after: after.xref(),
        seen: HashSet::new(),
        waiting: Vec::new(),
        late: Some(late),
    };
    let (old, new) = (walk.before.get::<Dict<'_>>(root)?, walk.after.get::<Dict<'_>>(root)?);
    walk.late_catalogue(&old, &new)?;
    while let Some((old, new)) = walk.waiting.pop() {
        walk.compare(old, new).ok()?;
    }
    for info in &updates.info {
        let held = walk.after.get::<Dict<'_>>(*info)?;
        (holds_only(&held, &INFO_MAY_HOLD) && is_plain_within(&held, 0)).then_some(())?;
    }
    let late = walk.late.take()?;
    let compared: HashSet<ObjectIdentifier> =
        walk.seen.iter().filter_map(|(_, new)| *new).map(ObjectIdentifier::from).collect();
    let is_known = |id: &ObjectIdentifier| {
        late.owned.contains(id)
            || compared.contains(id)
            || updates.tables.contains(id)
            || updates.info.contains(id)
    };
    updates.objects.iter().all(is_known).then_some(())
}

/// `None` from these: it is more than validation data and time stamps.
impl<'a> Walk<'a, '_> {
    fn late_catalogue(&mut self, old: &Dict<'a>, new: &Dict<'a>) -> Option<()> {
        let judged: [&[u8]; 5] = [b"AcroForm", b"DSS", b"Extensions", b"Metadata", b"Version"];
        self.entries(old, new, &judged, &CATALOGUE_MAY_GAIN).ok()?;
        if let Some(store) = self.own(new, b"DSS") {
            self.store(store.into_dict()?)?;
        }
        if let Some(extensions) = self.own(new, b"Extensions") {
            is_plain(&extensions, 0).then_some(())?;
        }
        if new.contains_key(b"Version") {
            new.get::<Name<'_>>(b"Version")?;
        }
        if new.contains_key(b"Metadata") {
            // Tools note there when the file was changed; no page shows it.
            let metadata = self.own(new, b"Metadata")?.into_stream()?;
            (old.contains_key(b"Metadata")
                && named(metadata.dict(), b"Type", b"Metadata")
                && holds_only(metadata.dict(), &METADATA_MAY_HOLD))
            .then_some(())?;
        }
        // A file with a signature has a form.
        let (old, new) = (old.get::<Dict<'a>>(b"AcroForm")?, self.own(new, b"AcroForm")?.into_dict()?);
        self.entries(&old, &new, &[b"Fields", b"SigFlags"], &[b"SigFlags"]).ok()?;
        let flags = new.get::<Number>(b"SigFlags").map_or(3, |flags| flags.as_i64());
        (1..=3).contains(&flags).then_some(())?;
        let fields = self.own(&new, b"Fields")?.into_array()?;
        self.only_added(old.get(b"Fields"), Some(fields)).ok()
    }

    /// What a key of the updated file leads to; the object belongs to the validation data.
    fn own(&mut self, dict: &Dict<'a>, key: &[u8]) -> Option<Object<'a>> {
        let value = dict.get_raw::<Object<'a>>(key)?;
        self.own_value(value)
    }

    fn own_value(&mut self, value: MaybeRef<Object<'a>>) -> Option<Object<'a>> {
        if let (Some(to), Some(late)) = (value.as_obj_ref(), &mut self.late) {
            late.own(to);
        }
        resolved(self.after, value)
    }

    /// A document security store (ISO 32000-2, 12.8.4.3).
    fn store(&mut self, store: Dict<'a>) -> Option<()> {
        holds_only(&store, &STORE_MAY_HOLD).then_some(())?;
        for list in [b"Certs".as_slice(), b"CRLs", b"OCSPs"] {
            self.list_of_data(&store, list)?;
        }
        if !store.contains_key(b"VRI") {
            return Some(());
        }
        let parts = self.own(&store, b"VRI")?.into_dict()?;
        for name in parts.keys() {
            if name.as_ref() == b"Type" {
                parts.get::<Name<'_>>(b"Type")?;
                continue;
            }
            let part = self.own(&parts, name.as_ref())?.into_dict()?;
            holds_only(&part, &PART_MAY_HOLD).then_some(())?;
            for list in [b"Cert".as_slice(), b"CRL", b"OCSP"] {
                self.list_of_data(&part, list)?;
            }
            if let Some(stamp) = part.get_raw::<Object<'a>>(b"TS") {
                self.data(stamp)?;
            }
            if part.contains_key(b"TU") {
                part.get::<hayro_syntax::object::String<'_>>(b"TU")?;
            }
        }
        Some(())
    }

    fn list_of_data(&mut self, dict: &Dict<'a>, key: &[u8]) -> Option<()> {
        if !dict.contains_key(key) {
            return Some(());
        }
        let list = self.own(dict, key)?.into_array()?;
        list.raw_iter().try_for_each(|item| self.data(item))
    }

    /// A stream with one message in DER: a certificate, a list of revoked ones, an answer about one, a time stamp.
    fn data(&mut self, item: MaybeRef<Object<'a>>) -> Option<()> {
        let id = ObjectIdentifier::from(item.as_obj_ref()?);
        if self.late.as_ref()?.data.contains(&id) {
            return Some(());
        }
        let stream = self.own_value(item)?.into_stream()?;
        holds_only(stream.dict(), &DATA_MAY_HOLD).then_some(())?;
        is_one_message(&stream.decoded().ok()?).then_some(())?;
        self.late.as_mut()?.data.insert(id);
        Some(())
    }

    /// Whether a new item of a list of fields, or of things on a page, is the field of a time stamp that holds, with a
    /// place on the page that shows nothing.
    pub(super) fn is_time_stamp(&mut self, item: MaybeRef<Object<'a>>) -> bool {
        self.time_stamp(item).is_some()
    }

    fn time_stamp(&mut self, item: MaybeRef<Object<'a>>) -> Option<()> {
        item.as_obj_ref()?;
        let field = self.own_value(item)?.into_dict()?;
        holds_only(&field, &FIELD_MAY_HOLD).then_some(())?;
        let rect = field.get::<Rect>(b"Rect")?;
        let is_unseen = rect.x0 == rect.x1 && rect.y0 == rect.y1;
        let is_field = named(&field, b"FT", b"Sig") && named(&field, b"Subtype", b"Widget") && is_unseen;
        is_field.then_some(())?;
        for key in [b"Type".as_slice(), b"T", b"TU", b"Ff", b"F", b"Rect"] {
            if let Some(value) = field.get_raw::<Object<'a>>(key) {
                is_plain_raw(value, 0).then_some(())?;
            }
        }
        if field.contains_key(b"P") {
            let page = field.get_ref(b"P")?;
            named(&self.before.get::<Dict<'_>>(page.into())?, b"Type", b"Page").then_some(())?;
        }
        if field.contains_key(b"AP") {
            let looks = self.own(&field, b"AP")?.into_dict()?;
            holds_only(&looks, &[b"N"]).then_some(())?;
            let look = self.own(&looks, b"N")?.into_stream()?;
            shows_nothing(&look).then_some(())?;
        }
        let stamp = self.own(&field, b"V")?.into_dict()?;
        let is_stamp = named(&stamp, b"Type", b"DocTimeStamp")
            && named(&stamp, b"SubFilter", b"ETSI.RFC3161")
            && holds_only(&stamp, &STAMP_MAY_HOLD)
            && is_plain_within(&stamp, 0);
        is_stamp.then_some(())?;
        let range = stamp.get::<Array<'_>>(b"ByteRange")?;
        let range: Option<Vec<usize>> =
            range.iter::<Number>().map(|number| usize::try_from(number.as_i64()).ok()).collect();
        let range = <[usize; 4]>::try_from(range?).ok()?;
        self.late.as_ref()?.stamps.contains(&range).then_some(())
    }
}

fn holds_only(dict: &Dict<'_>, names: &[&[u8]]) -> bool {
    dict.keys().all(|name| names.contains(&name.as_ref()))
}

/// Whether a value is written out where it stands: words and numbers that lead to no other object.
fn is_plain(value: &Object<'_>, depth: usize) -> bool {
    match value {
        Object::Dict(dict) => depth < DEPTH_MAX && is_plain_within(dict, depth + 1),
        Object::Array(list) => depth < DEPTH_MAX && list.raw_iter().all(|item| is_plain_raw(item, depth + 1)),
        Object::Stream(_) => false,
        _ => true,
    }
}

fn is_plain_raw(value: MaybeRef<Object<'_>>, depth: usize) -> bool {
    match value {
        MaybeRef::NotRef(object) => is_plain(&object, depth),
        MaybeRef::Ref(_) => false,
    }
}

fn is_plain_within(dict: &Dict<'_>, depth: usize) -> bool {
    dict.keys()
        .all(|key| dict.get_raw::<Object<'_>>(key.as_ref()).is_some_and(|value| is_plain_raw(value, depth)))
}

/// Whether the look of a field is a form whose contents are comments and white space.
fn shows_nothing(look: &Stream<'_>) -> bool {
    let is_blank = |line: &[u8]| line.trim_ascii().is_empty() || line.trim_ascii_start().starts_with(b"%");
    let is_empty = look.dict().get::<Dict<'_>>(b"Resources").is_none_or(|resources| resources.is_empty());
    holds_only(look.dict(), &LOOK_MAY_HOLD)
        && is_plain_within(look.dict(), 0)
        && is_empty
        && look.decoded().is_ok_and(|data| data.split(|b| matches!(b, b'\n' | b'\r')).all(is_blank))
}

/// Whether bytes are one value of ASN.1 in DER, a sequence, and nothing after it (X.690, 8.1).
fn is_one_message(bytes: &[u8]) -> bool {
    let [0x30, length, rest @ ..] = bytes else { return false };
    let stated = match length {
        0..=0x7f => Some((usize::from(*length), 0)),
        0x81..=0x84 => {
            let count = usize::from(length & 0x7f);
            let digits = rest.get(..count);
            digits.map(|d| (d.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit)), count))
        }
        _ => None,
    };
    stated.is_some_and(|(length, count)| rest.len() == count + length)
}

#[cfg(test)]
#[path = "late_tests.rs"]
mod tests;
