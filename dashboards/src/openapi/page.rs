//! `/api`: the document as a page: every operation, who may call it, what it takes and answers, an example.
//!
//! Must never: say anything of an operation that the document does not, or ask another host.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde_json::Value;

use super::document;
use crate::pages::{Ask, Fault, Frame, Site, Words, respond};

/// How deep an object is unfolded where it stands; named ones have their own place.
const DEPTH_MAX: usize = 4;

#[derive(Template)]
#[template(path = "api.html")]
struct ApiPage<'a> {
    t: &'a Words,
    frame: Frame,
    groups: Vec<Group<'a>>,
    schemas: Vec<Named<'a>>,
}

struct Group<'a> {
    id: &'a str,
    title: String,
    operations: Vec<OperationView<'a>>,
}

struct OperationView<'a> {
    id: &'a str,
    method: String,
    path: &'a str,
    says: String,
    may: String,
    parameters: Vec<Field>,
    body: Option<Body>,
    /// Status, what it means, its type and the anchor of that.
    answers: Vec<(&'a str, String, String, Option<String>)>,
    example: String,
}

struct Body {
    kinds: String,
    size: String,
    fields: Vec<Field>,
}

/// A field or parameter.
struct Field {
    name: String,
    kind: String,
    /// Anchor of a named type.
    to: Option<String>,
    required: bool,
    says: String,
}

struct Named<'a> {
    name: &'a str,
    says: String,
    fields: Vec<Field>,
}

/// `GET /api`.
pub(super) async fn page(State(site): State<Arc<Site>>, ask: Ask) -> Response {
    respond(site, ask, render).await
}

fn render(site: &Site, ask: &Ask) -> Result<String, Fault> {
    let (t, whole) = (&ask.words, document(site));
    let page = ApiPage {
        t,
        frame: Frame::new(site, ask, t.get("page.api.title"), ""),
        groups: array(&whole["tags"]).filter_map(|tag| group(t, whole, tag)).collect(),
        schemas: object(&whole["components"]["schemas"]).map(|(name, schema)| named(name, schema)).collect(),
    };
    Ok(page.render()?)
}

fn object(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn group<'a>(t: &Words, whole: &'a Value, tag: &'a Value) -> Option<Group<'a>> {
    let id = tag["name"].as_str()?;
    let all = object(&whole["paths"]).flat_map(|(path, item)| object(item).map(move |of| (path, of)));
    let own = all.filter(|(_, (_, operation))| operation["tags"][0].as_str() == Some(id));
    Some(Group {
        id,
        title: t.of("page.api.tag", id),
        operations: own
            .filter_map(|(path, (method, operation))| view(t, whole, (path, method), operation))
            .collect(),
    })
}

fn view<'a>(
    t: &Words,
    whole: &Value,
    (path, method): (&'a str, &str),
    operation: &'a Value,
) -> Option<OperationView<'a>> {
    let id = operation["operationId"].as_str()?;
    let body = operation.get("requestBody").map(|body| Body {
        kinds: object(&body["content"]).map(|(kind, _)| kind).collect::<Vec<_>>().join(", "),
        size: t.size(operation["x-body-bytes-max"].as_u64().unwrap_or_default()),
        fields: fields(&body["content"]["application/json"]["schema"]),
    });
    let answer = |(status, response): (&'a str, &Value)| {
        // Refusals stand once for all operations, and have one form.
        let schema = match response.get("$ref") {
            Some(_) => &whole["components"]["responses"]["Refused400"]["content"],
            None => &response["content"],
        };
        let (kind, to) = kind(&schema["application/json"]["schema"]);
        (status, t.of("page.api.status", status), kind, to)
    };
    Some(OperationView {
        id,
        method: method.to_uppercase(),
        path,
        says: t.of("page.api.op", id),
        may: may(t, operation),
        parameters: array(&operation["parameters"]).map(|p| parameter(t, p)).collect(),
        body,
        answers: object(&operation["responses"]).map(answer).collect(),
        example: example(method, path, operation),
    })
}

/// Who may call it, in words.
fn may(t: &Words, operation: &Value) -> String {
    match (operation["x-right"].as_str(), operation["x-right-in"].as_str()) {
        (Some(right), Some(place)) => {
            let (right, place) = (t.of("page.api.right", right), t.of("page.api.place", place));
            format!("{right} {place}")
        }
        _ if array(&operation["security"]).next().is_none() => t.get("page.api.may.everybody").to_owned(),
        _ => t.get("page.api.may.delivery").to_owned(),
    }
}

fn parameter(t: &Words, parameter: &Value) -> Field {
    let name = text(&parameter["name"]);
    let says = match parameter["in"].as_str() {
        Some("path") => t.of("page.api.path", &name),
        _ => text(&parameter["description"]),
    };
    let (kind, to) = kind(&parameter["schema"]);
    Field { name, kind, to, required: parameter["required"] == true, says }
}

fn named<'a>(name: &'a str, schema: &Value) -> Named<'a> {
    Named { name, says: text(&schema["description"]), fields: fields(schema) }
}

/// The fields of an object, or of each form that it may have, with those of unnamed objects in them.
fn fields(schema: &Value) -> Vec<Field> {
    let mut all = Vec::new();
    unfold(schema, "", DEPTH_MAX, &mut all);
    all
}

fn unfold(schema: &Value, within: &str, depth: usize, all: &mut Vec<Field>) {
    if depth == 0 {
        return;
    }
    for (name, field) in object(&schema["properties"]) {
        let required = array(&schema["required"]).any(|of| of == name);
        let name = if within.is_empty() { name.to_owned() } else { format!("{within}.{name}") };
        let (kind, to) = kind(field);
        let says = text(&field["description"]);
        all.push(Field { name: name.clone(), kind, to, required, says });
        unfold(field, &name, depth - 1, all);
        unfold(&field["items"], &format!("{name}[]"), depth - 1, all);
    }
    for form in array(&schema["oneOf"]).chain(array(&schema["anyOf"])) {
        unfold(form, within, depth - 1, all);
    }
    if within.is_empty() {
        unfold(&schema["items"], "[]", depth - 1, all);
    }
}

/// A type in a word, and the anchor of the named type in it.
fn kind(schema: &Value) -> (String, Option<String>) {
    if let Some(name) = schema["$ref"].as_str().and_then(|of| of.rsplit_once('/')).map(|(_, name)| name) {
        return (name.to_owned(), Some(format!("#schema-{name}")));
    }
    if let Some(fixed) = schema.get("const") {
        return (fixed.to_string(), None);
    }
    let forms: Vec<_> = array(&schema["anyOf"]).chain(array(&schema["oneOf"])).map(kind).collect();
    if !forms.is_empty() {
        let to = forms.iter().find_map(|(_, to)| to.clone());
        let names: Vec<&str> = forms.iter().map(|(name, _)| name.as_str()).collect();
        return (names.join(" | "), to);
    }
    let names: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        several => array(several).filter_map(Value::as_str).collect(),
    };
    if names.contains(&"array") && schema.get("items").is_some() {
        let (inner, to) = kind(&schema["items"]);
        return (format!("{inner}[]"), to);
    }
    (names.join(" | "), None)
}

/// The request as a command line; what must be filled in stands in capitals.
fn example(method: &str, path: &str, operation: &Value) -> String {
    let mut filled = path.to_owned();
    for parameter in array(&operation["parameters"]) {
        let name = parameter["name"].as_str().unwrap_or_default();
        let capital = name.to_uppercase();
        if parameter["in"] == "path" {
            filled = filled.replace(&format!("{{{name}}}"), &capital);
        } else if parameter["required"] == true {
            filled.push_str(&format!("{}{name}={capital}", if filled.contains('?') { '&' } else { '?' }));
        }
    }
    let mut line = format!("curl -H \"Authorization: Bearer $TOKEN\" \"$ADDRESS{filled}\"");
    let json = &operation["requestBody"]["content"]["application/json"];
    if !json.is_null() {
        let body = json["schema"]["examples"].get(0).map(Value::to_string).unwrap_or_else(|| "[]".to_owned());
        line.push_str(&format!(" -H \"Content-Type: application/json\" -d '{body}'"));
    } else if method == "post" {
        line.push_str(" -H \"Content-Type: application/octet-stream\" --data-binary @FILE");
    }
    line
}
