//! Memo mails about closed projects that the grants system delivered and nobody registered yet.
//!
//! Must never: reach a mail server beyond loopback.

use chrono::Datelike as _;
use tests::site::Site;
use tests::wait;

use super::{Mail, SOON, good, looked_through, reminding_site, today, with_project};

/// Delivers a closed project of a call, with one subject who has an address; what the command said of it.
fn delivered(site: &Site, code: &str, cup: &str, call: &str) -> String {
    let closed = format!("{}-06-30", today().year() - 2);
    let subject = r#"{"name":"M. R.","tax_code":"RSSMRA80A01H501U","role":"data_entry","email":"scuola@esempio.example"}"#;
    let text = format!(
        r#"[{{"code":"{code}","cup":"{cup}","title":"Scuola","beneficiary":"Comune di Esempio","tax_code":"12345678903","call":"{call}","expenses_closed":"{closed}","subjects":[{subject}]}}]"#
    );
    let path = site.path().join("consegna.json");
    std::fs::write(&path, text).unwrap();
    let output = site.run(&["grants", "import", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The scheme of the site covers the call PR-1, and counts from this event.
fn scheme_counts_from(site: &Site, event: &str) {
    let path = site.path().join("catalog/schemes/it/prova.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let text = text.replace("citation = \"act\"", "citation = \"act\"\ncalls = [\"PR-1\"]");
    std::fs::write(
        &path,
        text.replace("counts_from = \"completion\"", &format!("counts_from = \"{event}\"")),
    )
    .unwrap();
}

#[test]
fn a_delivered_project_that_nobody_registered_is_reminded_once_and_its_file_does_not_bring_the_letter_again()
{
    let mail = Mail::new();
    let server = mail.start("starttls");
    let site = reminding_site(&server, "starttls", &mail.authority);
    // The project that is here states no closing of expenses: nothing is due of it.
    scheme_counts_from(&site, "expenses_closed");
    delivered(&site, "P-9", "C11G06000000002", "PR-1");
    let daemon = site.start();
    wait::until("a memo", SOON, || {
        let listed = good(&site, &["memo", "list"]);
        if listed.contains("grants:C11G06000000002 relazione") && listed.contains("\tsent\t") {
            Ok(())
        } else {
            Err(format!("{listed}{}", daemon.log()))
        }
    });
    drop(daemon);
    assert_eq!(mail.letters().len(), 1);
    let about = mail.envelope(1);
    assert_eq!(about["to"][0], "scuola@esempio.example");
    let text = about["text"].as_str().unwrap_or_default();
    assert!(
        text.contains("C11G06000000002") && text.contains(&format!("31/12/{}", today().year())),
        "{text}"
    );
    // The file comes on the same day, and with it the same obligation.
    let completed = format!("completed = {}-06-30", today().year() - 2);
    let works = format!("works_from = {}-03-01", today().year() - 2);
    let closed = format!("expenses_closed = {}-06-30", today().year() - 2);
    let declared = "[[declared]]\nkpi = \"risparmio-energia-primaria\"\nvalue = 110.0\n# The scheme's unit, repeated so that it is plain what the value means.\nunit = \"MWh\"\nsource = \"RTES §4, APE ex ante\"\n";
    let subject = "[[subject]]\nname = \"M. R.\"\ntax_code = \"RSSMRA80A01H501U\"\nrole = \"data_entry\"\nemail = \"ufficio@esempio.example\"\n";
    with_project(
        &site,
        &[
            ("cup = \"C11G06000000001\"", "cup = \"C11G06000000002\""),
            ("scheme = \"piemonte-por-fesr-2014-20-4c1\"", "scheme = \"prova\""),
            ("works_from = 2020-03-01", &works),
            ("completed = 2021-10-15", &completed),
            ("# expenses_closed = 2021-12-20", &closed),
            ("final_payment = 2022-03-30\n", ""),
            (declared, subject),
        ],
    );
    let daemon = site.start();
    looked_through(&daemon);
    drop(daemon);
    assert_eq!(mail.letters().len(), 1, "the same letter again: {}", good(&site, &["memo", "list"]));
}

#[test]
fn nobody_is_reminded_where_what_was_delivered_does_not_tell_the_day_and_it_shows() {
    let mail = Mail::new();
    let server = mail.start("starttls");
    let site = reminding_site(&server, "starttls", &mail.authority);
    scheme_counts_from(&site, "completion");
    delivered(&site, "P-9", "C11G06000000002", "PR-1");
    let said = delivered(&site, "P-8", "PROV0000012345", "un altro bando");
    assert!(said.contains("project.cup.provisional") && said.contains("PROV0000012345"), "{said}");
    let daemon = site.start();
    wait::until("the findings", SOON, || {
        let found = tests::http::get(daemon.address(), "/api/v1/findings").map_err(|e| e.to_string())?.body;
        let wanted = ["memo.call_unknown", "memo.day_unknown", "project.cup.provisional"];
        if wanted.iter().all(|code| found.contains(code)) { Ok(()) } else { Err(found) }
    });
    drop(daemon);
    let listed = good(&site, &["memo", "list"]);
    assert!(!listed.contains("grants:"), "{listed}");
    assert!(mail.letters().iter().all(|letter| !letter.contains("scuola@esempio.example")));
}
