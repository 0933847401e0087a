//! The routes of the beneficiary's and the region's pages, each with what it needs.
//!
//! Must never: let an officer or a manager change a project.

use super::{UPLOAD_BYTES_MAX, api, export, file, guide, guide_steps, memos, papers, region};
use crate::access::{FORM_BYTES_MAX, Need, Right, Route, get, post, read, write};

/// Bodies with a list of many cases.
const CASES_BYTES_MAX: usize = 256 * 1024;

/// Every route of these pages.
pub(crate) fn table() -> Vec<Route> {
    let mut all = project();
    all.extend(submission());
    all.extend(of_region());
    all.extend(of_programs());
    all.extend(of_submitting_programs());
    all
}

fn project() -> Vec<Route> {
    use Need::InProject;
    use Right::{EditContacts, EditProject, SeeProject, TakeDossier, WriteNotes};
    vec![
        get("/desk/{project}", InProject(SeeProject), file::subjects),
        get("/desk/{project}/economics", InProject(SeeProject), file::economics),
        get("/desk/{project}/savings", InProject(SeeProject), papers::page),
        get("/desk/{project}/history", InProject(SeeProject), file::history),
        get("/desk/{project}/files/{sha256}", InProject(SeeProject), papers::file),
        get("/desk/{project}/dossier", InProject(TakeDossier), papers::dossier),
        get("/desk/{project}/kpi-annex/{year}", InProject(SeeProject), papers::kpi_annex),
        post("/desk/{project}/contacts", InProject(EditContacts), FORM_BYTES_MAX, file::state_contacts),
        post("/desk/{project}/kpi", InProject(EditProject), FORM_BYTES_MAX, papers::state_kpi),
        post("/desk/{project}/documents", InProject(EditProject), UPLOAD_BYTES_MAX, papers::add_document),
        post("/desk/{project}/notes", InProject(WriteNotes), FORM_BYTES_MAX, papers::add_note),
        get("/desk/{project}/duties", InProject(SeeProject), guide::duties),
    ]
}

fn submission() -> Vec<Route> {
    use Need::InProject;
    use Right::{EditProject, SeeProject, Submit, WriteNotes};
    let (edit, submit, note) = (InProject(EditProject), InProject(Submit), InProject(WriteNotes));
    let (form, file) = (FORM_BYTES_MAX, UPLOAD_BYTES_MAX);
    vec![
        get("/desk/{project}/submit/{obligation}/{year}", InProject(SeeProject), guide::page),
        post("/desk/{project}/submit/{obligation}/{year}/begin", edit, form, guide_steps::begin),
        post("/desk/{project}/submit/{obligation}/{year}/check", edit, form, guide_steps::check),
        post("/desk/{project}/submit/{obligation}/{year}/lift", edit, form, guide_steps::lift),
        post("/desk/{project}/submit/{obligation}/{year}/attach", edit, file, guide_steps::attach),
        post("/desk/{project}/submit/{obligation}/{year}/detach", edit, form, guide_steps::detach),
        post("/desk/{project}/submit/{obligation}/{year}/comment", note, form, guide_steps::comment),
        post("/desk/{project}/submit/{obligation}/{year}/preview", note, form, guide_steps::preview),
        post("/desk/{project}/submit/{obligation}/{year}/freeze", submit, form, guide_steps::freeze),
        post("/desk/{project}/submit/{obligation}/{year}/sign", submit, file, guide_steps::sign),
        post("/desk/{project}/submit/{obligation}/{year}/send", submit, form, guide_steps::send),
        post("/desk/{project}/submit/{obligation}/{year}/sent", submit, file, guide_steps::sent),
        post("/desk/{project}/submit/{obligation}/{year}/answered", submit, form, guide_steps::answered),
        post("/desk/{project}/submit/{obligation}/{year}/correct", submit, form, guide_steps::correct),
    ]
}

fn of_region() -> Vec<Route> {
    use Need::Anywhere;
    use Right::{SeeRegion, SendMemos};
    vec![
        get("/region", Anywhere(SeeRegion), region::page),
        get("/region/table.csv", Anywhere(SeeRegion), export::as_csv),
        get("/region/table.xlsx", Anywhere(SeeRegion), export::as_xlsx),
        post("/region/views", Anywhere(SeeRegion), FORM_BYTES_MAX, region::save_view),
        post("/region/memos/preview", Anywhere(SendMemos), CASES_BYTES_MAX, memos::preview),
        post("/region/memos", Anywhere(SendMemos), CASES_BYTES_MAX, memos::send),
        get("/region/memos/{order}", Anywhere(SendMemos), memos::order),
    ]
}

fn of_programs() -> Vec<Route> {
    use Need::{Anywhere, InProject};
    use Right::{EditContacts, EditProject, SeeProject, SeeRegion, SendMemos, TakeDossier, WriteNotes};
    let contacts = InProject(EditContacts);
    let (see, edit, note) = (InProject(SeeProject), InProject(EditProject), InProject(WriteNotes));
    let (form, file) = (FORM_BYTES_MAX, UPLOAD_BYTES_MAX);
    vec![
        read("project_file", "/api/v1/desk/{project}", see, api::file),
        write("state_contacts", ("/api/v1/desk/{project}/contacts", contacts, form), api::state_contacts),
        read("kpis", "/api/v1/desk/{project}/kpis/{year}", see, api::kpis),
        write("state_kpi", ("/api/v1/desk/{project}/kpis/{year}/state", edit, form), api::state_kpi),
        read("documents", "/api/v1/desk/{project}/documents", see, api::documents),
        write("add_document", ("/api/v1/desk/{project}/documents/add", edit, file), api::add_document),
        read("notes", "/api/v1/desk/{project}/notes", see, api::notes),
        write("add_note", ("/api/v1/desk/{project}/notes/add", note, form), api::add_note),
        read("history", "/api/v1/desk/{project}/history", see, api::history),
        read("duties", "/api/v1/desk/{project}/duties", see, api::duties),
        read("kept_file", "/api/v1/desk/{project}/files/{sha256}", see, api::kept_file),
        read("dossier", "/api/v1/desk/{project}/dossier", InProject(TakeDossier), api::dossier),
        read("kpi_annex", "/api/v1/desk/{project}/kpi-annex/{year}", see, api::kpi_annex),
        read("region", "/api/v1/region", Anywhere(SeeRegion), api::region),
        read("region_groups", "/api/v1/region/groups", Anywhere(SeeRegion), api::region_groups),
        read("region_pending", "/api/v1/region/pending", Anywhere(SeeRegion), api::region_pending),
        read("views", "/api/v1/region/views", Anywhere(SeeRegion), api::views),
        write("save_view", ("/api/v1/region/views/save", Anywhere(SeeRegion), form), api::save_view),
        write(
            "preview_memos",
            ("/api/v1/region/memos/preview", Anywhere(SendMemos), CASES_BYTES_MAX),
            api::preview_memos,
        ),
        write(
            "order_memos",
            ("/api/v1/region/memos", Anywhere(SendMemos), CASES_BYTES_MAX),
            api::order_memos,
        ),
        read("memo_order", "/api/v1/region/memos/{order}", Anywhere(SendMemos), api::memo_order),
    ]
}

fn of_submitting_programs() -> Vec<Route> {
    use Need::InProject;
    use Right::{EditProject, SeeProject, Submit, WriteNotes};
    let (see, edit) = (InProject(SeeProject), InProject(EditProject));
    let (submit, note) = (InProject(Submit), InProject(WriteNotes));
    let (form, file) = (FORM_BYTES_MAX, UPLOAD_BYTES_MAX);
    /// One submission, and one of its steps.
    macro_rules! of {
        ($step:literal) => {
            concat!("/api/v1/desk/{project}/submissions/{obligation}/{year}", $step)
        };
    }
    vec![
        read("submission", of!(""), see, api::guide),
        write("begin_submission", (of!("/begin"), edit, form), api::begin),
        write("check_submission", (of!("/check"), edit, form), api::check),
        write("lift_submission", (of!("/lift"), edit, form), api::lift),
        write("attach_submission", (of!("/attach"), edit, file), api::attach),
        write("detach_submission", (of!("/detach"), edit, form), api::detach),
        write("comment_submission", (of!("/comment"), note, form), api::comment),
        write("freeze_submission", (of!("/freeze"), submit, form), api::freeze),
        write("sign_submission", (of!("/sign"), submit, file), api::sign),
        write("send_submission", (of!("/send"), submit, form), api::send),
        write("sent_submission", (of!("/sent"), submit, file), api::sent),
        write("answered_submission", (of!("/answered"), submit, form), api::answered),
        write("correct_submission", (of!("/correct"), submit, form), api::correct),
        read("sections", of!("/sections"), see, api::sections),
    ]
}
