//! The API's document against the table of routes, the made-up daemon's answers against the document, and the page that
//! people read.
//!
//! Must never: list an operation by hand: the document is the list.

use std::collections::BTreeSet;

use dashboards::access::{Role, Row, Verb};
use dashboards::routes::rows;
use serde_json::{Value, json};

use super::access::{Asks, Server, concrete, may};
use super::support::HOSTILE;

const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/api/openapi-1.json");
const DOCUMENT: &str = "/api/v1/openapi.json";

async fn document(server: &Server) -> Value {
    let answer = server.get(DOCUMENT, "").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    serde_json::from_str(&answer.body).unwrap()
}

/// Method, path and operation of each.
fn operations(document: &Value) -> Vec<(Verb, &str, &Value)> {
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let verb = match method.as_str() {
                "get" => Verb::Get,
                "post" => Verb::Post,
                other => panic!("{path} has {other}"),
            };
            all.push((verb, path.as_str(), operation));
        }
    }
    all
}

fn of_api() -> Vec<Row> {
    rows().into_iter().filter(|row| row.path.starts_with("/api/")).collect()
}

#[tokio::test]
async fn the_document_holds_every_route_of_the_api_and_no_other() {
    let document = document(&Server::start().await).await;
    let operations = operations(&document);
    for row in of_api() {
        let found = operations.iter().filter(|(verb, path, _)| (*verb, *path) == (row.verb, row.path));
        assert_eq!(found.count(), 1, "{:?} {}", row.verb, row.path);
    }
    assert_eq!(operations.len(), of_api().len());
    let ids: BTreeSet<&str> = operations.iter().filter_map(|(_, _, o)| o["operationId"].as_str()).collect();
    assert_eq!(ids.len(), operations.len(), "an operation's id stands twice");
    for (_, path, operation) in &operations {
        assert!(!operation["summary"].as_str().unwrap().starts_with("page."), "{path} has no summary");
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let says = parameter["description"].as_str().unwrap_or_default();
            assert!(parameter["in"] == "query" || !says.starts_with("page."), "{path}: {parameter}");
        }
    }
    // Two types of one name would be told apart by a number that changes with their order.
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(!name.ends_with(|c: char| c.is_ascii_digit()), "{name}: rename one of the two");
    }
}

#[tokio::test]
async fn the_kept_document_is_the_one_that_is_served() {
    let document = document(&Server::start().await).await;
    if std::env::var_os("CONSUNTIVO_BLESS").is_some() {
        let served = serde_json::to_string_pretty(&document).unwrap();
        std::fs::write(KEPT, format!("{served}\n")).unwrap();
    }
    let kept = std::fs::read_to_string(KEPT).unwrap_or_default();
    let kept: Value = serde_json::from_str(&kept).unwrap_or_default();
    assert!(kept == document, "write it anew with CONSUNTIVO_BLESS=1, if the API was meant to change");
}

/// A role that may call it everywhere, if there is any.
fn role_for(row: Row) -> Role {
    Role::ALL.into_iter().find(|role| may(Asks::Everywhere(*role), row.need)).unwrap()
}

#[tokio::test]
async fn answers_are_as_the_document_says() {
    let server = Server::start().await;
    let document = document(&server).await;
    let mut empty = Vec::new();
    let officer = "Authorization: Bearer token-write-regional_officer\r\nContent-Type: application/json\r\n";
    let order = "{\"id\":\"ordine-1\",\"cases\":[{\"project\":\"scuola-gobetti\",\"year\":2025}]}";
    assert_eq!(server.send("POST", "/api/v1/region/memos", officer, order).await.status, 204);
    for row in of_api().into_iter().filter(|row| row.verb == Verb::Get) {
        let path = concrete(row.path);
        let token = format!("Authorization: Bearer token-read-{}\r\n", role_for(row).code());
        // What only those who change may read needs a token for changes.
        let mut answer = server.send("GET", &path, &token, "").await;
        if answer.status == 403 {
            answer = server.send("GET", &path, &token.replace("read", "write"), "").await;
        }
        let responses = &document["paths"][row.path]["get"]["responses"];
        let content = &responses[answer.status.to_string()]["content"];
        let kind = answer.header("content-type");
        if answer.status != 200 {
            empty.push(format!("{path}: {} {}", answer.status, answer.body));
            continue;
        }
        let schema = content.get(kind).unwrap_or_else(|| panic!("{path} answers {kind}"));
        if kind != "application/json" {
            continue;
        }
        let whole = json!({ "components": document["components"], "allOf": [schema["schema"]] });
        let validator = jsonschema::validator_for(&whole).unwrap();
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        let faults: Vec<String> =
            validator.iter_errors(&body).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(faults.is_empty(), "{path}: {faults:#?}");
    }
    assert!(empty.is_empty(), "the made-up daemon gives nothing: {empty:#?}");
}

#[tokio::test]
async fn refusals_are_json_with_a_code_and_a_message() {
    let server = Server::start().await;
    let token = "Authorization: Bearer token-write-facility_manager\r\n";
    let with = |kind: &str| format!("{token}Content-Type: {kind}\r\n");
    let (ack, body) = ("/api/v1/alarms/3/acknowledge", "{\"note\":\"visto\"}");
    let json = || with("application/json");
    let long = format!("{{\"note\":\"{}\"}}", "x".repeat(70_000));
    for (verb, path, headers, body, status, code) in [
        ("GET", "/api/v1/nothing", token.to_owned(), "", 404, "no_page"),
        ("PUT", "/api/v1/alarms", token.to_owned(), "", 405, "method"),
        ("POST", "/api/v1/alarms", json(), "{}", 405, "method"),
        ("GET", "/api/v1/obligations?project=A%20B", token.to_owned(), "", 404, "no_project"),
        ("GET", "/api/v1/portfolio", String::new(), "", 401, "sign_in"),
        ("GET", "/api/v1/accounts", token.to_owned(), "", 403, "forbidden"),
        ("POST", ack, with("text/plain"), body, 415, "body_kind"),
        ("POST", ack, json(), "{\"note\":", 400, "bad_form"),
        ("POST", ack, json(), "{\"note\":\"a\",\"more\":1}", 400, "bad_form"),
        ("POST", ack, json(), &long, 413, "body_too_long"),
        ("POST", "/api/v1/alarms/x/acknowledge", json(), body, 404, "no_alarm"),
        ("POST", "/api/v1/alarms/99/acknowledge", json(), body, 404, "no_alarm"),
        ("POST", "/api/v1/meters/contatore-0/acts", json(), "{\"what\":\"eat\"}", 400, "bad_form"),
    ] {
        let answer = server.send(verb, path, &headers, body).await;
        assert_eq!(answer.status, status, "{verb} {path}: {}", answer.body);
        assert_eq!(answer.header("content-type"), "application/json", "{verb} {path}");
        let said: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(said["code"], code, "{verb} {path}");
        assert!(said["message"].as_str().is_some_and(|m| 8 < m.len()), "{verb} {path}: {said}");
    }
    assert_eq!(server.send("POST", ack, &json(), body).await.status, 204);
}

#[tokio::test]
async fn programs_administer_as_their_account_may() {
    let server = Server::start().await;
    let json = "Content-Type: application/json\r\n";
    let of = |scope: &str| format!("Authorization: Bearer token-{scope}-administrator\r\n{json}");
    let new =
        "{\"account\":\"rosa\",\"name\":\"Rosa\",\"roles\":[{\"role\":\"data_entry\",\"projects\":[\"p\"]}]}";
    let path = "/api/v1/accounts/add";
    assert_eq!(server.send("POST", path, &of("read"), new).await.status, 403);
    assert_eq!(server.asked(), Vec::<String>::new());
    let made = server.send("POST", path, &of("write"), new).await;
    assert_eq!((made.status, made.body.contains("/link/")), (200, true), "{}", made.body);
    let king = new.replace("data_entry", "king");
    assert_eq!(server.send("POST", path, &of("write"), &king).await.status, 422);
    let both = new.replace("[\"p\"]", "[\"p\"],\"buildings\":[\"p/b\"]");
    assert_eq!(server.send("POST", path, &of("write"), &both).await.status, 422);
    let token = "{\"account\":\"rosa\",\"label\":\"l\",\"scopes\":[\"read\"],\"days\":30}";
    let made = server.send("POST", "/api/v1/tokens/add", &of("write"), token).await;
    assert_eq!(made.status, 200, "{}", made.body);
    let scope = token.replace("\"read\"", "\"everything\"");
    assert_eq!(server.send("POST", "/api/v1/tokens/add", &of("write"), &scope).await.status, 422);
}

#[tokio::test]
async fn the_page_shows_every_operation_in_both_languages() {
    let server = Server::start().await;
    let document = document(&server).await;
    for (language, title) in [("it", "Interfaccia per programmi"), ("en", "Interface for programs")] {
        let page = server.get(&format!("/api?lang={language}"), "administrator").await;
        assert_eq!(page.status, 200);
        assert!(page.body.contains(&format!("<h1>{title}</h1>")), "{language}");
        for (_, path, operation) in operations(&document) {
            let id = operation["operationId"].as_str().unwrap();
            assert!(page.body.contains(&format!("id=\"{id}\"")), "{path}");
        }
        for name in document["components"]["schemas"].as_object().unwrap().keys() {
            assert!(page.body.contains(&format!("id=\"schema-{name}\"")), "{name}");
        }
        assert!(!page.body.contains("page.api."), "{language}: a text is missing");
        assert!(!page.body.contains("http://") && !page.body.contains("https://"), "{language}");
        assert!(!page.body.contains(HOSTILE));
        let open = server.get("/meters", "administrator").await;
        assert!(open.body.contains("href=\"/api\""), "the foot leads there");
    }
}
