//! An operation of the API as its handler's own types describe it: what it reads of an address, which body it takes,
//! what it answers. A handler with a part that says nothing of itself cannot become a route of the API.
//!
//! Must never: describe by hand what a type can tell.

use std::future::Future;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::answer::{Asked, Done, Given, Made, Saved};
use crate::access::{Caller, Who};
use crate::desk::upload::{Posted, PostedFile};
use crate::grants::{Delivery, GrantsTaken};
use crate::pages::{Ask, Site};

/// A route of the API: its name in the document and in the texts (`page.api.op.<id>`), and what its handler says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operation {
    pub(crate) id: &'static str,
    pub(crate) describe: fn(&mut Sketch),
}

/// The document in the making, and the operation that is being described.
pub(crate) struct Sketch {
    answers: SchemaGenerator,
    asked: SchemaGenerator,
    /// Of the address behind the question mark.
    pub(super) parameters: Vec<Value>,
    pub(super) body: Option<Value>,
    pub(super) responses: Map<String, Value>,
}

impl Sketch {
    pub(super) fn new() -> Self {
        let settings = || SchemaSettings::draft2020_12().with(|s| s.meta_schema = None);
        let answers = settings().for_serialize().with(|s| s.definitions_path = "/components/schemas".into());
        // What is asked for stands whole where it is asked for: the same name may be another type in an answer.
        let asked = settings().for_deserialize().with(|s| s.inline_subschemas = true);
        Self {
            answers: answers.into_generator(),
            asked: asked.into_generator(),
            parameters: Vec::new(),
            body: None,
            responses: Map::new(),
        }
    }

    /// Leaves the named schemas and forgets the operation.
    pub(super) fn next(&mut self) {
        self.parameters = Vec::new();
        self.body = None;
        self.responses = Map::new();
    }

    /// The schema of an answer; named types become references.
    pub(super) fn answer<T: JsonSchema + ?Sized>(&mut self) -> Value {
        self.answers.subschema_for::<T>().to_value()
    }

    fn asked<T: JsonSchema>(&mut self) -> Value {
        let mut schema = T::json_schema(&mut self.asked).to_value();
        if let Some(whole) = schema.as_object_mut() {
            whole.remove("title");
        }
        schema
    }

    /// The named schemas so far.
    pub(super) fn schemas(&mut self) -> Map<String, Value> {
        self.answers.take_definitions(true)
    }

    fn responds(&mut self, status: &str, describes: &str, content: Option<(&str, Value)>) {
        let mut response = json!({ "description": describes });
        if let Some((kind, schema)) = content {
            response["content"] = json!({ kind: { "schema": schema } });
        }
        self.responses.insert(status.to_owned(), response);
    }

    fn takes(&mut self, content: Value) {
        self.body = Some(json!({ "required": true, "content": content }));
    }
}

/// An argument of a handler.
pub(crate) trait Part {
    /// Says what it reads of a request; nothing for what is no business of the sender.
    fn describe(_: &mut Sketch) {}
}

impl Part for State<Arc<Site>> {}
impl Part for Who {}
impl Part for Ask {}
impl Part for Caller {}
impl Part for HeaderMap {}
/// The path itself names what it holds.
impl<T> Part for Path<T> {}

impl<T: JsonSchema> Part for Asked<T> {
    fn describe(sketch: &mut Sketch) {
        let schema = sketch.asked::<T>();
        let required = schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
        let fields = schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
        for (name, mut schema) in fields {
            let is_required = required.iter().any(|of| of.as_str() == Some(&*name));
            let describes = schema.as_object_mut().and_then(|s| s.remove("description"));
            absent_not_null(&mut schema);
            let mut parameter =
                json!({ "name": name, "in": "query", "required": is_required, "schema": schema });
            if let Some(describes) = describes {
                parameter["description"] = describes;
            }
            sketch.parameters.push(parameter);
        }
    }
}

/// An address leaves a name out; it cannot say `null`.
fn absent_not_null(schema: &mut Value) {
    let Some(schema) = schema.as_object_mut() else { return };
    let known = schema.get("type").and_then(Value::as_array).cloned();
    let kind = known.and_then(|kinds| kinds.into_iter().find(|kind| kind != "null"));
    if let Some(kind) = kind {
        schema.insert("type".to_owned(), kind);
    }
    schema.retain(|key, value| !(key == "default" && value.is_null()));
}

impl<T: JsonSchema> Part for Posted<T> {
    fn describe(sketch: &mut Sketch) {
        let schema = sketch.asked::<T>();
        sketch.takes(json!({ "application/json": { "schema": schema } }));
    }
}

impl Part for PostedFile {
    fn describe(sketch: &mut Sketch) {
        // OpenAPI 3.1 describes raw bytes by saying nothing of their type.
        sketch.takes(json!({ "application/octet-stream": { "schema": {} } }));
    }
}

impl Part for Delivery {
    fn describe(sketch: &mut Sketch) {
        sketch.takes(json!({
            "application/json": { "schema": { "type": "object" } },
            "text/csv": { "schema": { "type": "string" } },
        }));
    }
}

/// What a handler answers.
pub(crate) trait Answers {
    fn describe(sketch: &mut Sketch);
}

impl<T: JsonSchema> Answers for Given<T> {
    fn describe(sketch: &mut Sketch) {
        let schema = sketch.answer::<T>();
        sketch.responds("200", "The answer", Some(("application/json", schema)));
    }
}

impl Answers for Done {
    fn describe(sketch: &mut Sketch) {
        sketch.responds("204", "Done", None);
    }
}

impl Answers for Saved {
    fn describe(sketch: &mut Sketch) {
        sketch.responds("200", "The file", Some(("application/octet-stream", json!({}))));
    }
}

impl Answers for Made {
    fn describe(sketch: &mut Sketch) {
        <Saved as Answers>::describe(sketch);
    }
}

/// What became of a delivery.
pub(crate) struct DeliveryAnswer(pub(crate) axum::response::Response);

impl axum::response::IntoResponse for DeliveryAnswer {
    fn into_response(self) -> axum::response::Response {
        self.0
    }
}

impl Answers for DeliveryAnswer {
    fn describe(sketch: &mut Sketch) {
        <Given<GrantsTaken> as Answers>::describe(sketch);
    }
}

/// A handler all of whose arguments and whose answer describe themselves. `T` are the arguments as axum has them, `R`
/// is the answer.
pub(crate) trait Described<T, R> {
    fn describe(sketch: &mut Sketch);
}

macro_rules! described {
    ($($part:ident),+) => {
        impl<F, M, Answering, R, $($part,)+> Described<(M, $($part,)+), R> for F
        where
            F: FnOnce($($part,)+) -> Answering,
            Answering: Future<Output = R>,
            R: Answers,
            $($part: Part,)+
        {
            fn describe(sketch: &mut Sketch) {
                $($part::describe(sketch);)+
                R::describe(sketch);
            }
        }
    };
}

described!(A);
described!(A, B);
described!(A, B, C);
described!(A, B, C, D);
described!(A, B, C, D, E);
described!(A, B, C, D, E, G);
