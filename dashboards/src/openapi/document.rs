//! The whole document: every route of the API's part of the table, in OpenAPI 3.1.
//!
//! Must never: hold a path, a right or a schema that the table and the types do not.

use analytics::text::Texts;
use serde_json::{Map, Value, json};

use super::answer::FaultView;
use super::describe::{Operation, Sketch};
use crate::access::{Need, Right, Row, SESSION_COOKIE, Verb};

/// Version of the interface: of its names, units and meanings. The first number stands in every path.
const VERSION: &str = "1.0.0";
/// Under which every path of the API stands.
pub(crate) const ROOT: &str = "/api/v1/";

/// A route of the API and what it says of itself.
pub(crate) type Described = (Row, Operation);

/// The document in English, the same for the same program.
pub(crate) fn document(routes: &[Described], texts: &Texts) -> Value {
    let mut sketch = Sketch::new();
    let fault = sketch.answer::<FaultView>();
    let mut paths = Map::new();
    for (row, operation) in routes {
        sketch.next();
        (operation.describe)(&mut sketch);
        let item = paths.entry(row.path).or_insert_with(|| json!({}));
        let verb = if row.verb == Verb::Get { "get" } else { "post" };
        item[verb] = one(*row, *operation, &sketch, texts);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "consuntivo",
            "version": VERSION,
            "description": texts.get("page.api.describes"),
            "license": { "name": "EUPL-1.2", "identifier": "EUPL-1.2" },
        },
        "servers": [{ "url": "/" }],
        "tags": tags(routes, texts),
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer", "description": texts.get("page.api.token") },
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": SESSION_COOKIE,
                    "description": texts.get("page.api.session"),
                },
            },
            "responses": refusals(&fault, texts),
            "schemas": sketch.schemas(),
        },
    })
}

fn of(texts: &Texts, area: &str, code: &str) -> String {
    texts.get(&format!("{area}.{code}")).to_owned()
}

fn one(row: Row, operation: Operation, sketch: &Sketch, texts: &Texts) -> Value {
    let mut parameters: Vec<Value> = names(row.path).map(|name| in_path(name, texts)).collect();
    parameters.extend(sketch.parameters.iter().cloned());
    let mut responses = sketch.responses.clone();
    for status in statuses(row, sketch) {
        let named = format!("#/components/responses/Refused{status}");
        responses.insert(status.to_string(), json!({ "$ref": named }));
    }
    let mut made = json!({
        "operationId": operation.id,
        "summary": of(texts, "page.api.op", operation.id),
        "tags": [tag(row.path)],
        "responses": responses,
        "security": security(row),
    });
    if !parameters.is_empty() {
        made["parameters"] = Value::Array(parameters);
    }
    if let Some(body) = &sketch.body {
        made["requestBody"] = body.clone();
        made["x-body-bytes-max"] = json!(row.body_bytes_max);
    }
    if let Some((right, place)) = right(row.need) {
        made["x-right"] = json!(right.code());
        made["x-right-in"] = json!(place);
    }
    made
}

/// The right that a route needs, and of what: `installation`, `anywhere`, `project`, `building`, `meter`.
fn right(need: Need) -> Option<(Right, &'static str)> {
    match need {
        Need::Anywhere(right) if right.is_of_installation() => Some((right, "installation")),
        Need::Anywhere(right) => Some((right, "anywhere")),
        Need::InProject(right) => Some((right, "project")),
        Need::InBuilding(right) => Some((right, "building")),
        Need::OfMeter(right) => Some((right, "meter")),
        Need::Always | Need::Public | Need::SignedIn | Need::Metrics | Need::Calendar | Need::Delivery => {
            None
        }
    }
}

/// Changes are for programs with a token; what is read opens to a person's session too.
fn security(row: Row) -> Value {
    match (row.need, row.verb) {
        (Need::Always | Need::Public, _) => json!([]),
        (_, Verb::Get) => json!([{ "token": [] }, { "session": [] }]),
        (_, Verb::Post) => json!([{ "token": [] }]),
    }
}

/// With which a route may refuse. 500 and 503 are nobody's to count on, and yet may come from any.
fn statuses(row: Row, sketch: &Sketch) -> Vec<u16> {
    let has_body = sketch.body.is_some();
    let open = matches!(row.need, Need::Always | Need::Public);
    let mut all = Vec::new();
    all.extend((has_body || !sketch.parameters.is_empty() || row.path.contains('{')).then_some(400));
    all.extend((!open).then_some([401, 403]).into_iter().flatten());
    all.extend((row.path.contains('{') || has_body || !sketch.parameters.is_empty()).then_some(404));
    all.extend(has_body.then_some([413, 415]).into_iter().flatten());
    // What a path names may be there, and yet have nothing of what is asked for: a year before the works.
    all.extend((has_body || row.path.contains('{')).then_some(422));
    all.push(503);
    all
}

/// Every way to be refused; all have one form.
fn refusals(fault: &Value, texts: &Texts) -> Map<String, Value> {
    let one = |status: u16| {
        let describes = of(texts, "page.api.status", &status.to_string());
        let content = json!({ "application/json": { "schema": fault } });
        (format!("Refused{status}"), json!({ "description": describes, "content": content }))
    };
    [400, 401, 403, 404, 413, 415, 422, 503].into_iter().map(one).collect()
}

/// What stands in braces in a path.
fn names(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

fn in_path(name: &str, texts: &Texts) -> Value {
    let schema = match name {
        "alarm" => json!({ "type": "integer", "format": "int64" }),
        // `-` for what is sent once.
        "year" => json!({ "type": "string", "pattern": "^([0-9]{4}|-)$" }),
        "sha256" => json!({ "type": "string", "pattern": "^[0-9a-f]{64}$" }),
        "name" => json!({ "type": "string", "minLength": 1 }),
        "account" => json!({ "type": "string", "pattern": "^[a-z0-9_.@-]{1,64}$" }),
        "token" | "order" => json!({ "type": "string", "pattern": "^[A-Za-z0-9-]{1,64}$" }),
        _ => json!({ "type": "string", "pattern": "^[a-z0-9][a-z0-9._-]{0,63}$" }),
    };
    let describes = of(texts, "page.api.path", name);
    json!({ "name": name, "in": "path", "required": true, "description": describes, "schema": schema })
}

/// The first part of a path below the root.
fn tag(path: &str) -> &str {
    path.strip_prefix(ROOT).and_then(|rest| rest.split(['/', '.']).next()).unwrap_or("openapi")
}

fn tags(routes: &[Described], texts: &Texts) -> Vec<Value> {
    let mut all: Vec<&str> = Vec::new();
    for (row, _) in routes {
        if !all.contains(&tag(row.path)) {
            all.push(tag(row.path));
        }
    }
    let named = |tag: &&str| json!({ "name": tag, "description": of(texts, "page.api.tag", tag) });
    all.iter().map(named).collect()
}
