//! Bulk memos: what would go out, the order, and what became of it.
//!
//! Must never: hand a letter to a server itself; that is the office's.

use dashboards::desk::Refused;
use dashboards::desk::wire::{LetterView, MemoCase, MemoOrder, MemoOrderView, MemoPreview, OrderedLetter};

use super::{broken, refused};
use crate::memos;
use crate::orders::{self, Case, Desk};
use crate::runtime::Runtime;

fn case(of: &MemoCase) -> Case {
    Case { project: of.project.clone(), year: of.year }
}

fn view(of: &Case) -> MemoCase {
    MemoCase { project: of.project.clone(), year: of.year }
}

pub(super) fn preview(runtime: &Runtime, cases: &[MemoCase]) -> Result<MemoPreview, Refused> {
    if orders::CASES_MAX < cases.len() {
        let says = format!("at most {} letters are shown at once", orders::CASES_MAX);
        return Err(Refused::unusable("no_cases", says));
    }
    let (installation, now) = (runtime.installation(), runtime.clock.now());
    let texts = installation.catalog.texts(&installation.settings.installation.language);
    let desk = Desk::open(&runtime.store, &installation, now).map_err(broken)?;
    let today = now.day(installation.settings.installation.zone);
    let mut letters = Vec::new();
    for of in cases.iter().map(case) {
        let mut letter = LetterView {
            case: view(&of),
            title: desk.title(&of),
            to: Vec::new(),
            subject: String::new(),
            text: String::new(),
            held: None,
        };
        match desk.ready(&of, today) {
            Err(held) => letter.held = Some(held.code()),
            Ok(ready) => {
                let due = ready.due("", "");
                (letter.subject, letter.text) = memos::wording(&texts, &due);
                letter.to = due.recipients();
                let known = memos::by_id(&runtime.store, &due.id()).map_err(broken)?;
                letter.held = known.map(|_| "today");
            }
        }
        letters.push(letter);
    }
    let mail = installation.settings.sending.mail.as_ref();
    Ok(MemoPreview { can_send: mail.is_some(), from: mail.map(|m| m.from.clone()), letters })
}

pub(super) fn order(runtime: &Runtime, order: &MemoOrder, author: &str) -> Result<(), Refused> {
    if runtime.installation().settings.sending.mail.is_none() {
        return Err(Refused::unusable(
            "no_mail",
            "no mail server is set up; add [mail] to the installation file",
        ));
    }
    let cases = order.cases.iter().map(case).collect();
    let who = (author, runtime.clock.now());
    orders::put(&runtime.store, &order.id, cases, &order.words, who).map_err(refused)?;
    runtime.office.notify_one();
    Ok(())
}

pub(super) fn of(runtime: &Runtime, id: &str) -> Result<MemoOrderView, Refused> {
    let found = orders::get(&runtime.store, id).map_err(broken)?;
    let (order, record) = found.ok_or_else(|| Refused::unknown(format!("no order {id:?}")))?;
    let installation = runtime.installation();
    let desk = Desk::open(&runtime.store, &installation, runtime.clock.now()).map_err(broken)?;
    let day = orders::day(&installation, &record);
    let letter = |of: &Case| {
        let state = orders::state(&runtime.store, &desk, of, day)?;
        Ok(OrderedLetter { case: view(of), title: desk.title(of), state })
    };
    let letters: anyhow::Result<Vec<OrderedLetter>> = order.cases.iter().map(letter).collect();
    Ok(MemoOrderView {
        id: id.to_owned(),
        at: record.at.to_string(),
        author: record.author,
        words: order.words,
        letters: letters.map_err(broken)?,
    })
}
