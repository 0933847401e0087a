//! The pages of the beneficiary and of the region over a made-up daemon: what they show to whom, and what they take.
//!
//! Must never: depend on a browser; that is `tests/browser/desk.mjs`.

use std::sync::Arc;

use analytics::region::{Case, CaseDuty};
use analytics::scheme::calendar::State;
use dashboards::desk::{Region, UPLOAD_BYTES_MAX};

use super::access::{Server, cookie, csrf};
use super::support::{HOSTILE, day};

const REPRESENTATIVE: &str = "legal_representative";
const OFFICER: &str = "regional_officer";
const PAGES: [&str; 9] = [
    "/desk/ufficio-hostile",
    "/desk/ufficio-hostile/economics",
    "/desk/ufficio-hostile/savings?year=2025",
    "/desk/ufficio-hostile/history",
    "/desk/ufficio-hostile/duties",
    "/desk/ufficio-hostile/submit/relazione-annuale/2025",
    "/region",
    "/region?group=intervention",
    "/region?text=%22%3E%3Cscript%3E&sort=attainment&evil=%3Cscript%3E",
];
const GUIDE: &str = "/desk/scuola-gobetti/submit/relazione-annuale/2025";

/// A form with a file, as a browser sends it.
async fn upload(
    server: &Server,
    path: &str,
    session: &str,
    proof: &str,
    name: &str,
    body: &str,
) -> super::access::Answer {
    upload_with(server, (path, session, proof), (name, body), &[("year", "2025")]).await
}

async fn upload_with(
    server: &Server,
    (path, session, proof): (&str, &str, &str),
    (name, body): (&str, &str),
    more: &[(&str, &str)],
) -> super::access::Answer {
    let edge = "edge-of-a-part";
    let field = |name: &str, value: &str| {
        format!("--{edge}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let file = format!(
        "--{edge}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: text/html\r\n\r\n{body}\r\n--{edge}--\r\n"
    );
    let fields = [
        field("csrf", proof),
        field("title", "Titolo"),
        field("to", "protocollo@ente.example"),
        field("on", "2026-03-05"),
    ];
    let more: String = more.iter().map(|(name, value)| field(name, value)).collect();
    let whole = format!("{}{more}{file}", fields.concat());
    let headers = format!("Content-Type: multipart/form-data; boundary={edge}\r\n{}", cookie(session));
    server.send("POST", path, &headers, &whole).await
}

#[tokio::test]
async fn no_text_of_the_data_becomes_markup() {
    let server = Server::start().await;
    for page in PAGES {
        for session in [REPRESENTATIVE, OFFICER] {
            if page.starts_with("/region") && session == REPRESENTATIVE {
                continue;
            }
            let answer = server.get(page, session).await;
            assert_eq!(answer.status, 200, "{page}: {}", answer.body);
            assert!(!answer.body.contains(HOSTILE) && !answer.body.contains("<script>"), "{page}");
            for area in ["page.desk.", "page.region.", "page.memos."] {
                assert!(!answer.body.contains(area), "{page} shows the key of a missing text");
            }
        }
    }
}

#[tokio::test]
async fn personal_codes_are_for_who_may_edit() {
    let server = Server::start().await;
    for page in ["/desk/scuola-gobetti", "/desk/scuola-gobetti/history"] {
        let own = server.get(page, REPRESENTATIVE).await;
        assert!(own.body.contains("RSSMRA80A01H501U"), "{page}");
        let other = server.get(page, OFFICER).await;
        assert!(other.status == 200 && !other.body.contains("RSSMRA80A01H501U"), "{page}");
        assert!(!other.body.contains("ufficio@esempio.example"), "{page}");
    }
    // The same for programs; a token that only reads is no editor's.
    let token = async |scope_and_role: &str| {
        let proof = format!("Authorization: Bearer token-{scope_and_role}\r\n");
        server.send("GET", "/api/v1/desk/scuola-gobetti/history", &proof, "").await
    };
    for (of, shown) in [
        ("write-legal_representative", true),
        ("read-legal_representative", false),
        ("read-regional_officer", false),
    ] {
        let answer = token(of).await;
        assert_eq!((answer.status, answer.body.contains("RSSMRA80A01H501U")), (200, shown), "{of}");
        assert!(answer.body.contains("Titolo di prima"), "{of}: what is no person's stays");
    }
}

#[tokio::test]
async fn every_file_is_handed_out_to_be_saved() {
    let server = Server::start().await;
    let path = format!("/desk/scuola-gobetti/files/{}", "ab".repeat(32));
    for path in [
        path.as_str(),
        "/desk/scuola-gobetti/dossier",
        "/desk/scuola-gobetti/kpi-annex/2025",
        "/api/v1/desk/scuola-gobetti/kpi-annex/2025",
    ] {
        let answer = server.get(path, REPRESENTATIVE).await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.header("content-disposition").starts_with("attachment"), "{path}");
        assert_eq!(answer.header("content-type"), "application/octet-stream");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
    }
    for path in ["/desk/scuola-gobetti/kpi-annex/2025", "/api/v1/desk/scuola-gobetti/kpi-annex/2025"] {
        for (asked, name) in
            [("", "allegato-kpi"), ("?language=it", "allegato-kpi"), ("?language=en", "kpi-annex")]
        {
            let answer = server.get(&format!("{path}{asked}"), REPRESENTATIVE).await;
            assert!(answer.header("content-disposition").contains(name), "{path}{asked}");
        }
    }
    let none = server.get("/api/v1/desk/scuola-gobetti/kpi-annex/last", REPRESENTATIVE).await;
    assert_eq!((none.status, none.body.contains("no_year")), (404, true), "{}", none.body);
    let none = server.get("/desk/scuola-gobetti/files/cdcd", REPRESENTATIVE).await;
    assert_eq!(none.status, 404);
    for path in ["/region/table.csv", "/region/table.xlsx"] {
        let answer = server.get(path, OFFICER).await;
        assert!(
            answer.status == 200 && answer.header("content-disposition").starts_with("attachment"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn an_upload_is_taken_only_with_its_proof_and_says_what_is_wrong() {
    let server = Server::start().await;
    let (path, proof) = ("/desk/scuola-gobetti/documents", csrf(REPRESENTATIVE));
    let stale = upload(&server, path, REPRESENTATIVE, &csrf(OFFICER), "a.pdf", "%PDF-1.7").await;
    assert_eq!(stale.status, 403);
    let foreign = upload(&server, path, OFFICER, &csrf(OFFICER), "a.pdf", "%PDF-1.7").await;
    assert_eq!(foreign.status, 403);
    let wrong = upload(&server, path, REPRESENTATIVE, &proof, "a.pdf", "<html>").await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.body.contains("role=\"alert\"") && wrong.body.contains("non è PDF"), "{}", wrong.body);
    let right = upload(&server, path, REPRESENTATIVE, &proof, "a.pdf", "%PDF-1.7").await;
    assert_eq!(right.status, 303);
    assert!(right.header("location").starts_with("/desk/scuola-gobetti/savings"));
    // A year that is none is refused before the file is kept, on the page with the form.
    let kept = server.fake.kept().uploads.len();
    let of = (path, REPRESENTATIVE, proof.as_str());
    let wrong = upload_with(&server, of, ("b.pdf", "%PDF-1.7"), &[("year", "20x5")]).await;
    assert!(wrong.status == 422 && wrong.body.contains("quattro cifre"), "{}", wrong.body);
    assert_eq!(server.fake.kept().uploads.len(), kept);
    // One without figures is no page's address.
    let other = upload_with(&server, of, ("c.pdf", "%PDF-1.7"), &[("year", "2022")]).await;
    assert_eq!(other.header("location"), "/desk/scuola-gobetti/savings?done=document#documents");
}

#[tokio::test]
async fn a_file_that_is_too_large_is_refused_with_the_limit() {
    let server = Server::start().await;
    let (path, kind) = ("/desk/scuola-gobetti/documents", "multipart/form-data; boundary=b");
    let answer = server.claims_of(REPRESENTATIVE, path, kind, UPLOAD_BYTES_MAX + 1).await;
    assert!(answer.status == 413 && answer.body.contains("20 MB"), "{}: {}", answer.status, answer.body);
}

#[tokio::test]
async fn an_unusual_value_is_confirmed_and_what_was_typed_stays() {
    let server = Server::start().await;
    let path = "/desk/scuola-gobetti/kpi";
    let of = |value: &str, more: &str| {
        format!("year=2025&code=4.c.2&value={value}&note=n&reason=contatore+guasto{more}")
    };
    for value in ["-5", "99999999", "1801", "0,2"] {
        let asked = server.form(path, REPRESENTATIVE, &of(value, "")).await;
        assert_eq!(asked.status, 422, "{value}");
        assert!(
            asked.body.contains("name=\"confirmed\"") && asked.body.contains(&format!("value=\"{value}\""))
        );
        assert!(asked.body.contains("value=\"contatore guasto\""), "{}", asked.body);
        assert_eq!(
            server.form(path, REPRESENTATIVE, &of(value, "&confirmed=1")).await.status,
            303,
            "{value}"
        );
    }
    assert_eq!(server.form(path, REPRESENTATIVE, &of("200", "")).await.status, 303);
}

#[tokio::test]
async fn a_value_needs_a_reason_and_one_reading() {
    let server = Server::start().await;
    let path = "/desk/scuola-gobetti/kpi";
    let of = |value: &str, reason: &str| format!("year=2025&code=4.c.2&value={value}&note=n&reason={reason}");
    for (fields, wanted) in
        [(of("1.234", "r"), 422), (of("212,5", ""), 422), (of("212,5", "r"), 303), (of("", "r"), 303)]
    {
        let answer = server.form(path, REPRESENTATIVE, &fields).await;
        assert_eq!(answer.status, wanted, "{fields}: {}", answer.body);
    }
    assert_eq!(server.form(path, OFFICER, &of("1", "r")).await.status, 403);
    // Eleven digits fit the authority's field, and no confirmation makes more of them fit.
    for (value, wanted) in [("99999999999,99", 303), ("100000000000", 422), (&*"9".repeat(309), 422)] {
        let confirmed = format!("{}&confirmed=1", of(value, "r"));
        assert_eq!(server.form(path, REPRESENTATIVE, &confirmed).await.status, wanted, "{value}");
    }
}

#[tokio::test]
async fn the_guide_leads_from_step_to_step() {
    let server = Server::start().await;
    let here = |body: &str| -> String {
        let (_, rest) = body.split_once("aria-current=\"step\"").expect("a step is shown");
        let (_, rest) = rest.split_once("</span>").expect("a number");
        rest.split('<').next().unwrap_or_default().trim().to_owned()
    };
    let step = async || here(&server.get(GUIDE, REPRESENTATIVE).await.body);
    assert_eq!(step().await, "Inizio");
    assert_eq!(server.form(&format!("{GUIDE}/begin"), REPRESENTATIVE, "").await.status, 303);
    assert_eq!(step().await, "Controllo");
    assert_eq!(server.form(&format!("{GUIDE}/check"), REPRESENTATIVE, "").await.status, 303);
    assert_eq!(step().await, "Commenti");
    let comment =
        "section=summary&text=Una+parola&next=/desk/scuola-gobetti/submit/relazione-annuale/2025?step=freeze";
    let after = server.form(&format!("{GUIDE}/comment"), REPRESENTATIVE, comment).await;
    assert_eq!(after.header("location"), format!("{GUIDE}?step=freeze"));
    let elsewhere = "section=summary&text=Altro&next=https://evil.example/";
    let after = server.form(&format!("{GUIDE}/comment"), REPRESENTATIVE, elsewhere).await;
    assert!(after.header("location").starts_with(GUIDE), "{}", after.header("location"));
    // The operator prepares; generating belongs to the representative.
    assert_eq!(server.form(&format!("{GUIDE}/freeze"), "data_entry", "").await.status, 403);
    assert_eq!(server.form(&format!("{GUIDE}/freeze"), REPRESENTATIVE, "").await.status, 303);
    assert_eq!(step().await, "Firma");
    let proof = csrf(REPRESENTATIVE);
    let wrong = upload(&server, &format!("{GUIDE}/sign"), REPRESENTATIVE, &proof, "a.p7m", "").await;
    assert_eq!(wrong.status, 422);
    let path = format!("{GUIDE}/sign");
    let doubted = upload(&server, &path, REPRESENTATIVE, &proof, "a.p7m", "signed").await;
    assert!(doubted.status == 422 && doubted.body.contains("non è verificata"), "{}", doubted.body);
    assert!(!doubted.body.contains("Dettaglio") && !doubted.body.contains("its authority"));
    let reason = [("reason", "il firmatario è noto")];
    let of = (path.as_str(), REPRESENTATIVE, proof.as_str());
    let right = upload_with(&server, of, ("a.p7m", "signed"), &reason).await;
    assert_eq!(right.status, 303);
    // Who signed is seen at once; the code of the person by those who may edit.
    let told = server.get(right.header("location"), REPRESENTATIVE).await.body;
    for part in ["RSSMRA80A01H501U", "01/01/2028", "autorità non verificata", "il firmatario è noto"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(!told.contains(HOSTILE));
    let other = server.get(&format!("{GUIDE}?step=sign"), OFFICER).await.body;
    assert!(other.contains("autorità non verificata") && !other.contains("RSSMRA80A01H501U"), "{other}");
    assert_eq!(step().await, "Invio");
    let sent =
        upload(&server, &format!("{GUIDE}/sent"), REPRESENTATIVE, &proof, "ricevuta.eml", "receipt").await;
    assert_eq!(sent.status, 303);
    assert_eq!(step().await, "Esito");
    // While a correction is in the making, the version that was sent can be answered all the same.
    let correct = format!("{GUIDE}/correct");
    assert_eq!(server.form(&correct, REPRESENTATIVE, "why=Una+lettura+tardiva").await.status, 303);
    assert_eq!(step().await, "Controllo");
    let page = server.get(GUIDE, REPRESENTATIVE).await.body;
    assert!(page.contains("La versione 1 è stata inviata") && page.contains("/answered\""), "{page}");
    let page = server.get(GUIDE, OFFICER).await.body;
    assert!(!page.contains("/answered\""), "{page}");
}

#[tokio::test]
async fn an_officer_looks_at_letters_before_they_go_and_orders_once() {
    let server = Server::start().await;
    let cases = "case=scuola-gobetti+2025&case=ufficio-hostile+2025";
    let preview = server.form("/region/memos/preview", OFFICER, cases).await;
    assert_eq!(preview.status, 200);
    assert!(!preview.body.contains(HOSTILE));
    // Every case of the filter, whatever page is shown and whatever is ticked.
    let chosen = |body: &str| body.matches("type=\"hidden\" name=\"case\"").count();
    let table = server.get("/region?year=2025&per=1", OFFICER).await.body;
    let (_, rest) = table.split_once("name=\"all\" value=\"").expect("a button for all");
    let query = rest.split('"').next().unwrap().replace("&amp;", "&").replace("&#38;", "&");
    assert!(query.contains("year=2025"), "{query}");
    let all = format!("case=scuola-gobetti+2026&all={}", query.replace('=', "%3D").replace('&', "%26"));
    let all = server.form("/region/memos/preview", OFFICER, &all).await;
    assert_eq!((all.status, chosen(&all.body)), (200, 2), "{}", all.body);
    assert!(all.body.contains("ufficio-hostile 2025") && !all.body.contains("scuola-gobetti 2026"));
    assert_eq!(server.form("/region/memos/preview", REPRESENTATIVE, "all=").await.status, 403);
    let order = format!("{cases}&order=ordine-1&words=Cordiali+saluti");
    for _ in 0..2 {
        let answer = server.form("/region/memos", OFFICER, &order).await;
        assert_eq!(answer.header("location"), "/region/memos/ordine-1");
    }
    assert_eq!(server.get("/region/memos/ordine-1", OFFICER).await.status, 200);
    assert_eq!(server.form("/region/memos", REPRESENTATIVE, &order).await.status, 403);
}

#[tokio::test]
async fn what_is_typed_is_shown_as_the_report_would_have_it_and_not_kept() {
    let server = Server::start().await;
    let preview = |text: &'static str| {
        let (server, path) = (&server, format!("{GUIDE}/preview"));
        async move {
            server
                .form(&path, REPRESENTATIVE, &format!("section=savings&next=&text={text}%3Cscript%3E"))
                .await
        }
    };
    let shown = preview("La+palestra+era+chiusa").await;
    assert_eq!(shown.status, 200, "{}", shown.body);
    assert!(shown.body.contains("La palestra era chiusa") && shown.body.contains("desk-preview"));
    assert!(!shown.body.contains("<script>") && !shown.body.contains("<html"), "a part of a page, escaped");
    let notes = || server.get("/desk/scuola-gobetti/savings?year=2025", REPRESENTATIVE);
    assert!(!notes().await.body.contains("palestra"), "nothing is kept");
    let said = "section=savings&next=&stay=1&text=La+palestra+era+chiusa";
    assert_eq!(server.form(&format!("{GUIDE}/comment"), REPRESENTATIVE, said).await.status, 303);
    assert!(notes().await.body.contains("palestra"), "the button keeps it");
    // Too long: the reason stands where the preview would.
    let long = format!("section=savings&text={}", "x".repeat(4_001));
    let refused = server.form(&format!("{GUIDE}/preview"), REPRESENTATIVE, &long).await;
    assert!(refused.status == 200 && refused.body.contains("4000 caratteri"), "{}", refused.body);
    assert_eq!(server.form(&format!("{GUIDE}/preview"), OFFICER, said).await.status, 403);
    let page = server.get(&format!("{GUIDE}?step=comments&section=savings"), REPRESENTATIVE).await;
    if page.body.contains("name=\"instead\"") {
        assert!(page.body.contains(&format!("hx-post=\"{GUIDE}/preview\"")), "typing asks for it");
    }
}

#[tokio::test]
async fn the_legal_representative_edits_contacts_and_finds_the_accounts() {
    let server = Server::start().await;
    let (page, path) = ("/desk/scuola-gobetti", "/desk/scuola-gobetti/contacts");
    let accounts = "href=\"/projects/scuola-gobetti/subjects\"";
    let own = server.get(page, REPRESENTATIVE).await.body;
    assert!(own.contains(accounts) && own.contains("action=\"/desk/scuola-gobetti/contacts\""));
    let said = |mail: &str| format!("person=Ufficio+energia&email={mail}&pec=&phone=011+4321111");
    let wrong = server.form(path, REPRESENTATIVE, &said("a+b")).await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.body.contains("value=\"a b\"") && wrong.body.contains("recapito"), "what was typed stays");
    for other in ["data_entry", OFFICER, "facility_manager", "administrator", "legal_representative-own"] {
        let path = path.replace(
            "scuola-gobetti",
            if other.ends_with("-own") { "ufficio-hostile" } else { "scuola-gobetti" },
        );
        assert_eq!(server.form(&path, other, &said("x@y.example")).await.status, 403, "{other}");
    }
    let no_proof = server
        .send(
            "POST",
            path,
            &format!("Content-Type: application/x-www-form-urlencoded\r\n{}", cookie(REPRESENTATIVE)),
            &said("x@y.example"),
        )
        .await;
    assert_eq!(no_proof.status, 403);
    let done = server.form(path, REPRESENTATIVE, &said("energia@ente.example")).await;
    assert_eq!(done.status, 303);
    let entry = server.get(page, "data_entry").await.body;
    assert!(
        entry.contains("energia@ente.example") && !entry.contains("/contacts\""),
        "sees, and does not edit"
    );
    assert!(!entry.contains(accounts), "who may not use the page is not sent there");
    let officer = server.get(page, OFFICER).await.body;
    assert!(!officer.contains("energia@ente.example") && !officer.contains(accounts));
}

#[tokio::test]
async fn a_filter_that_means_nothing_is_told_of() {
    let server = Server::start().await;
    let told = server.get("/region?year=abcd&coverage=200&sort=zzz", OFFICER).await;
    assert_eq!(told.status, 200);
    for part in ["Filtri non compresi", "Anno", "Copertura sotto", "Ordine"] {
        assert!(told.body.contains(part), "{part}");
    }
    assert!(server.get("/region?page=99", OFFICER).await.body.contains("Filtri non compresi"));
    assert!(!server.get("/region?year=2025&sort=due", OFFICER).await.body.contains("Filtri non compresi"));
}

#[tokio::test]
async fn an_attached_file_is_taken_off_again() {
    let server = Server::start().await;
    let path = format!("{GUIDE}/detach");
    assert_eq!(server.form(&path, OFFICER, "name=a.pdf").await.status, 403);
    assert_eq!(server.form(&path, REPRESENTATIVE, "name=a.pdf").await.status, 303);
    let acts = server.fake.kept().acts.clone();
    assert_eq!(acts, [dashboards::desk::Act::Detach { name: "a.pdf".into() }]);
}

/// Of each project the running year and one that is over; something is due about one that is over.
fn one_closed_case(server: &Server) -> Region {
    let duty = |due| CaseDuty {
        obligation: "relazione-annuale".into(),
        text: "obligation.annual_report".into(),
        due,
        days_left: None,
        state: State::Upcoming,
        sent: None,
    };
    let days = [day(2027, 3, 31), day(2026, 3, 31)];
    let school = &server.fake.projects[0].years;
    let mut cases: Vec<Case> = school
        .iter()
        .zip(days)
        .map(|(figures, due)| Case::new(figures, Some(duty(Some(due))), &[]))
        .collect();
    let office = &server.fake.projects[1].years;
    cases.push(Case::new(&office[0], Some(duty(Some(day(2027, 3, 31)))), &[]));
    cases.push(Case::new(&office[1], Some(duty(None)), &[]));
    Region { day: day(2026, 3, 10), cases, pending: Vec::new() }
}

#[tokio::test]
async fn the_tiles_of_the_region_count_years_that_are_over_and_due() {
    let server = Server::start().await;
    let region = one_closed_case(&server);
    server.fake.kept().region = Some(Arc::new(region));
    let page = server.get("/region", OFFICER).await.body;
    for (label, count) in [
        ("Raggiunti", 0),
        ("Non raggiunti", 1),
        ("Non determinabili", 0),
        ("Con dati bloccanti", 1),
        ("In corso o non dovuti", 3),
    ] {
        let tile = format!("<span class=\"label\">{label}</span><span class=\"value\">");
        let (before, after) = page.split_once(&tile).unwrap_or_else(|| panic!("no tile {label}: {page}"));
        assert_eq!(after.split('<').next(), Some(count.to_string().as_str()), "{label}");
        // Its link leads to as many lines.
        let (_, href) = before.rsplit_once("<a href=\"/region?").unwrap();
        let query = href.split('"').next().unwrap().replace("&amp;", "&").replace("&#38;", "&");
        let found = server.get(&format!("/api/v1/region?{query}"), OFFICER).await.body;
        let found: serde_json::Value = serde_json::from_str(&found).unwrap();
        assert_eq!(found["cases"], count, "{label}: {query}");
    }
    let groups = server.get("/api/v1/region/groups?group=scheme", OFFICER).await.body;
    let groups: serde_json::Value = serde_json::from_str(&groups).unwrap();
    let of = |name: &str| groups[0][name].as_u64();
    assert_eq!(["reached", "missed", "undetermined", "open"].map(of), [Some(0), Some(1), Some(0), Some(3)]);
}
