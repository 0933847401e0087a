//! `/projects/{project}/subjects`: who acts for a project. The legal representative adds, enables and disables them
//! (requirement B5).
//!
//! Must never: reach into another project, or tell whether a stranger has an account elsewhere.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use model::ProjectId;

use super::{Outcome, address, field, optional, page as answer, see_other, status_of};
use crate::access::{Caller, Checked, Fields, LinkPurpose, NewAccount, Refused, Role};
use crate::downloads::encode;
use crate::pages::{Ask, Fault, Frame, Site, Words, fault_page};

#[derive(Template)]
#[template(path = "subjects.html")]
struct SubjectsPage<'a> {
    t: &'a Words,
    frame: Frame,
    outcome: Outcome,
    project: String,
    title: String,
    subjects: Vec<SubjectLine>,
}

struct SubjectLine {
    account: String,
    name: String,
    role: &'static str,
    role_says: String,
    is_enabled: bool,
    /// The reader themselves: not to be disabled by mistake.
    is_reader: bool,
}

/// `GET /projects/{project}/subjects`.
pub(super) async fn page(State(site): State<Arc<Site>>, Path(project): Path<String>, ask: Ask) -> Response {
    show(&site, &ask, &project, Outcome::default())
}

fn show(site: &Arc<Site>, ask: &Ask, project: &str, outcome: Outcome) -> Response {
    let t = &ask.words;
    let found = ProjectId::new(project).ok().and_then(|id| site.backend.project(&id));
    let Some(view) = found else { return fault_page(site, ask, &Fault::NoProject(project.to_owned())) };
    let line = |subject: crate::access::SubjectView| SubjectLine {
        is_reader: Some(subject.account.as_str()) == ask.who.account(),
        role: subject.role.code(),
        role_says: t.of("page.role", subject.role.code()),
        is_enabled: subject.is_enabled,
        account: subject.account,
        name: subject.name,
    };
    let status = status_of(&outcome);
    let template = SubjectsPage {
        t,
        frame: Frame::new(site, ask, t.get("page.access.subjects.title"), ""),
        outcome,
        title: view.project.title.clone(),
        subjects: site.directory.subjects(&view.project.id).into_iter().map(line).collect(),
        project: view.project.id.to_string(),
    };
    answer(site, ask, status, &template)
}

/// `POST /projects/{project}/subjects`.
pub(super) async fn add(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Path(project): Path<String>,
    headers: HeaderMap,
    ask: Ask,
    Checked(form): Checked<Fields>,
) -> Response {
    let new = NewAccount {
        account: field(&form, "account").to_owned(),
        name: field(&form, "name").to_owned(),
        mail: optional(&form, "mail"),
        tax_code: optional(&form, "tax_code"),
        roles: Vec::new(),
    };
    let asked = ProjectId::new(&project).ok().zip(Role::parse(field(&form, "role")));
    let author = ask.who.author();
    let made = match asked {
        Some((id, role)) => super::ask(&site, move |d| d.add_subject(&id, role, &new, &author)).await,
        None => Err(Refused::Unreadable),
    };
    let t = &ask.words;
    let outcome = match made {
        Ok(Some(secret)) => {
            let link = address(&site, caller, &headers, &LinkPurpose::Invitation.path(&secret));
            Outcome::done(t, "page.access.accounts.link_shown", vec![link])
        }
        Ok(None) => Outcome::done(t, "page.access.subjects.added", Vec::new()),
        Err(refused) => Outcome::refused(t, refused).keeping(form),
    };
    show(&site, &ask, &project, outcome)
}

/// `POST /projects/{project}/subjects/{account}`: enables or disables.
pub(super) async fn set(
    State(site): State<Arc<Site>>,
    Path((project, account)): Path<(String, String)>,
    ask: Ask,
    Checked(form): Checked<Fields>,
) -> Response {
    let asked = ProjectId::new(&project).ok().zip(Role::parse(field(&form, "role")));
    let is_enabled = field(&form, "enabled") == "yes";
    let author = ask.who.author();
    let done = match asked {
        Some((id, role)) => {
            super::ask(&site, move |d| d.set_subject(&id, &account, role, is_enabled, &author)).await
        }
        None => Err(Refused::Unreadable),
    };
    match done {
        Ok(()) => see_other(&format!("/projects/{}/subjects", encode(&project))),
        Err(refused) => show(&site, &ask, &project, Outcome::refused(&ask.words, refused)),
    }
}
