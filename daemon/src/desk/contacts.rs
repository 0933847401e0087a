//! Whom to reach about a project: what its legal representative states, beside the project file's own addresses.
//!
//! Must never: keep what is no address, or hand contacts to who may neither edit the project nor take its dossier.

use std::collections::BTreeMap;

use dashboards::desk::wire::Contacts;
use model::{Instant, ProjectId};
use serde::{Deserialize, Serialize};
use store::Store;

use crate::exit::Failure;
use crate::records;

/// The kind under which contacts are kept, one record for each project.
pub(crate) const RECORD: &str = "contacts";
/// RFC 5321, 4.5.3.1.3 without its brackets.
const ADDRESS_MAX: usize = 254;
/// Longest name in characters.
const PERSON_MAX: usize = 120;
/// Digits of a telephone number: ITU-T E.164 has at most 15; the shortest of an office has 5 or so.
const DIGITS: std::ops::RangeInclusive<usize> = 5..=15;
/// Longest number as written, with its blanks.
const PHONE_MAX: usize = 40;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    person: String,
    email: String,
    pec: String,
    phone: String,
}

/// What was stated last; empty where nobody did.
pub(crate) fn of(store: &Store, project: &ProjectId) -> anyhow::Result<Contacts> {
    let found = records::get::<Body>(store, RECORD, project.as_str())?;
    Ok(found.map_or_else(Contacts::default, |(body, _)| Contacts {
        person: body.person,
        email: body.email,
        pec: body.pec,
        phone: body.phone,
    }))
}

/// The addresses that letters go to beside the subjects', by project.
pub(crate) fn mails(store: &Store) -> anyhow::Result<BTreeMap<String, String>> {
    let all = records::all::<Body>(store, RECORD)?.into_iter();
    Ok(all.filter(|(b, _)| !b.email.is_empty()).map(|(body, record)| (record.id, body.email)).collect())
}

/// Puts contacts on record; the same again is no new version.
pub(super) fn set(
    store: &Store,
    project: &ProjectId,
    said: &Contacts,
    (author, at): (&str, Instant),
) -> Result<(), Failure> {
    let body = Body {
        person: said.person.trim().to_owned(),
        email: said.email.trim().to_owned(),
        pec: said.pec.trim().to_owned(),
        phone: said.phone.trim().to_owned(),
    };
    let wrong = |field: &str, says: &str| {
        Err(Failure::bad_input(format!("{field} is no {says}; correct it or leave it empty"))
            .coded("contacts"))
    };
    if PERSON_MAX < body.person.chars().count() || body.person.chars().any(char::is_control) {
        return wrong("person", "name on one line of at most 120 characters");
    }
    for (field, address) in [("email", &body.email), ("pec", &body.pec)] {
        if !address.is_empty() && !is_address(address) {
            return wrong(field, "mail address");
        }
    }
    if !body.phone.is_empty() && !is_phone(&body.phone) {
        return wrong("phone", "telephone number of 5 to 15 digits");
    }
    records::put(store, (RECORD, project.as_str()), &body, author, at)?;
    Ok(())
}

/// One plain mail address: nothing that a mail program could take for two, or for a header.
pub(crate) fn is_address(text: &str) -> bool {
    let forbidden = |c: char| c.is_whitespace() || c.is_control() || ",;<>()[]\\\":".contains(c);
    let Some((local, domain)) = text.split_once('@') else { return false };
    text.len() <= ADDRESS_MAX
        && !text.chars().any(forbidden)
        && !local.is_empty()
        && !domain.contains('@')
        && domain.split('.').count() > 1
        && domain.split('.').all(|part| !part.is_empty())
}

fn is_phone(text: &str) -> bool {
    let is_known = |c: char| c.is_ascii_digit() || " +-/().".contains(c);
    let digits = text.chars().filter(char::is_ascii_digit).count();
    text.len() <= PHONE_MAX && text.chars().all(is_known) && DIGITS.contains(&digits)
}

#[cfg(test)]
mod tests {
    use store::StoreOptions;

    use super::*;

    fn said(person: &str, email: &str, pec: &str, phone: &str) -> Contacts {
        Contacts { person: person.into(), email: email.into(), pec: pec.into(), phone: phone.into() }
    }

    #[test]
    fn contacts_are_kept_with_who_stated_them_and_rubbish_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), StoreOptions::default()).unwrap();
        let project = ProjectId::new("scuola").unwrap();
        let at = Instant::from_seconds(1_770_000_000);
        let set = |contacts: &Contacts| set(&store, &project, contacts, ("rosa", at));
        assert_eq!(of(&store, &project).unwrap(), Contacts::default());
        set(&said(" Ufficio energia ", "energia@ente.example", "ente@pec.example", "+39 011 432.1111"))
            .unwrap();
        let kept = of(&store, &project).unwrap();
        assert_eq!((kept.person.as_str(), kept.phone.as_str()), ("Ufficio energia", "+39 011 432.1111"));
        let mail = || mails(&store).unwrap().remove("scuola");
        assert_eq!(mail().as_deref(), Some("energia@ente.example"));
        let long = "x".repeat(PERSON_MAX + 1);
        for wrong in [
            said("a\r\nBcc: b", "", "", ""),
            said(&long, "", "", ""),
            said("", "a@b", "", ""),
            said("", "a@b.example,c@d.example", "", ""),
            said("", "a@b@c.example", "", ""),
            said("", "", "<a@b.example>", ""),
            said("", "", "@b.example", ""),
            said("", "", "a@b..example", ""),
            said("", "", "", "1234"),
            said("", "", "", "chiamare Anna 011 4321"),
            said("", "", "", "1234567890123456"),
        ] {
            assert_eq!(set(&wrong).unwrap_err().code, Some("contacts"), "{wrong:?}");
        }
        assert_eq!(of(&store, &project).unwrap(), kept, "what was refused changed nothing");
        let log = store.audit(10).unwrap();
        assert!(log.iter().any(|e| e.kind == RECORD && e.author == "rosa"), "{log:?}");
        store.verify_audit().unwrap();
        set(&Contacts::default()).unwrap();
        assert_eq!(mail(), None, "taken away");
        assert_eq!(store.record_versions(RECORD, "scuola").unwrap().len(), 2, "every version stays");
    }
}
