//! Our messages as protobuf's JSON mapping has them: what the official SDKs are compared with.

use std::{collections::BTreeMap, fmt::Write};

use function_odoo::function::{
    proto::v1::{
        Capability, Condition, Credentials, Ready, Requirements, Resource, ResourceSelector, Result,
        RunFunctionRequest, RunFunctionResponse, SchemaSelector, Severity, State, Status, Target,
        credentials::Source, resource_selector::Match,
    },
    wire::to_json,
};
use prost::{Message, bytes::Bytes};
use serde_json::{Map, Number, Value, json};

/// An object that leaves out what protobuf leaves out: absent fields and empty text, lists, maps and zeros.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn present(mut self, name: &str, value: Option<Value>) -> Self {
        if let Some(value) = value {
            self.0.insert(name.to_owned(), value);
        }
        self
    }

    fn text(self, name: &str, text: &str) -> Self {
        self.present(name, (!text.is_empty()).then(|| json!(text)))
    }

    fn choice(self, name: &str, number: i32, word: &str) -> Self {
        self.present(name, (number != 0).then(|| json!(word)))
    }

    fn list(self, name: &str, list: Vec<Value>) -> Self {
        self.present(name, (!list.is_empty()).then_some(Value::Array(list)))
    }

    fn map<V>(self, name: &str, map: &BTreeMap<String, V>, value: impl Fn(&V) -> Value) -> Self {
        let entries = map
            .iter()
            .map(|(key, entry)| (key.clone(), value(entry)))
            .collect();
        self.present(name, (!map.is_empty()).then_some(Value::Object(entries)))
    }

    fn end(self) -> Value {
        Value::Object(self.0)
    }
}

/// A request.
pub fn request(request: &RunFunctionRequest) -> Value {
    let meta = request.meta.as_ref().map(|meta| {
        let capabilities = meta
            .capabilities
            .iter()
            .map(|number| json!(Capability::try_from(*number).unwrap().as_str_name()));
        Fields::default()
            .text("tag", &meta.tag)
            .list("capabilities", capabilities.collect())
            .end()
    });
    let resources = |resources: &function_odoo::function::proto::v1::Resources| {
        Fields::default()
            .list("items", resources.items.iter().map(resource).collect())
            .end()
    };
    Fields::default()
        .present("meta", meta)
        .present("observed", request.observed.as_ref().map(state))
        .present("desired", request.desired.as_ref().map(undecoded_state))
        .present("input", request.input.as_ref().map(object))
        .present("context", request.context.as_ref().map(object))
        .map("extraResources", &request.extra_resources, resources)
        .map("credentials", &request.credentials, credentials)
        .map("requiredResources", &request.required_resources, resources)
        .map("requiredSchemas", &request.required_schemas, |schema| {
            Fields::default()
                .present("openapiV3", schema.openapi_v3.as_ref().map(object))
                .end()
        })
        .end()
}

/// A response.
pub fn response(response: &RunFunctionResponse) -> Value {
    let meta = response.meta.as_ref().map(|meta| {
        let ttl = meta
            .ttl
            .as_ref()
            .map(|ttl| json!(duration(ttl.seconds, ttl.nanos)));
        Fields::default().text("tag", &meta.tag).present("ttl", ttl).end()
    });
    Fields::default()
        .present("meta", meta)
        .present("desired", response.desired.as_ref().map(undecoded_state))
        .list("results", response.results.iter().map(result).collect())
        .present("context", response.context.as_ref().map(object))
        .present("requirements", response.requirements.as_ref().map(requirements))
        .list("conditions", response.conditions.iter().map(condition).collect())
        .present("output", response.output.as_ref().map(object))
        .end()
}

/// Numbers as doubles, since a Struct has no others.
pub fn doubles(value: Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64().and_then(Number::from_f64)),
        Value::Array(values) => values.into_iter().map(doubles).collect(),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(key, value)| (key, doubles(value)))
            .collect(),
        other => other,
    }
}

fn object(bytes: &Bytes) -> Value {
    doubles(to_json(bytes).unwrap())
}

fn undecoded_state(bytes: &Bytes) -> Value {
    state(&State::decode(bytes.clone()).unwrap())
}

fn state(state: &State) -> Value {
    Fields::default()
        .present("composite", state.composite.as_ref().map(resource))
        .map("resources", &state.resources, resource)
        .end()
}

fn resource(resource: &Resource) -> Value {
    Fields::default()
        .present("resource", resource.resource.as_ref().map(object))
        .map("connectionDetails", &resource.connection_details, |bytes| {
            json!(base64(bytes))
        })
        .choice(
            "ready",
            resource.ready,
            Ready::try_from(resource.ready).unwrap().as_str_name(),
        )
        .end()
}

fn credentials(credentials: &Credentials) -> Value {
    let data = credentials.source.as_ref().map(|Source::CredentialData(data)| {
        Fields::default()
            .map("data", &data.data, |bytes| json!(base64(bytes)))
            .end()
    });
    Fields::default().present("credentialData", data).end()
}

fn requirements(requirements: &Requirements) -> Value {
    Fields::default()
        .map("extraResources", &requirements.extra_resources, selector)
        .map("resources", &requirements.resources, selector)
        .map(
            "schemas",
            &requirements.schemas,
            |SchemaSelector { api_version, kind }| {
                Fields::default()
                    .text("apiVersion", api_version)
                    .text("kind", kind)
                    .end()
            },
        )
        .end()
}

fn selector(selector: &ResourceSelector) -> Value {
    let fields = Fields::default()
        .text("apiVersion", &selector.api_version)
        .text("kind", &selector.kind)
        .present(
            "namespace",
            selector.namespace.as_ref().map(|namespace| json!(namespace)),
        );
    match &selector.r#match {
        None => fields,
        Some(Match::MatchName(name)) => fields.present("matchName", Some(json!(name))),
        Some(Match::MatchLabels(labels)) => {
            let labels = Fields::default()
                .map("labels", &labels.labels, |label| json!(label))
                .end();
            fields.present("matchLabels", Some(labels))
        }
    }
    .end()
}

fn result(result: &Result) -> Value {
    Fields::default()
        .choice(
            "severity",
            result.severity,
            Severity::try_from(result.severity).unwrap().as_str_name(),
        )
        .text("message", &result.message)
        .present("reason", result.reason.as_ref().map(|reason| json!(reason)))
        .present("target", result.target.map(target))
        .end()
}

fn condition(condition: &Condition) -> Value {
    Fields::default()
        .text("type", &condition.r#type)
        .choice(
            "status",
            condition.status,
            Status::try_from(condition.status).unwrap().as_str_name(),
        )
        .text("reason", &condition.reason)
        .present(
            "message",
            condition.message.as_ref().map(|message| json!(message)),
        )
        .present("target", condition.target.map(target))
        .end()
}

fn target(number: i32) -> Value {
    json!(Target::try_from(number).unwrap().as_str_name())
}

fn duration(seconds: i64, nanos: i32) -> String {
    match nanos {
        0 => format!("{seconds}s"),
        nanos if nanos % 1_000_000 == 0 => format!("{seconds}.{:03}s", nanos / 1_000_000),
        nanos if nanos % 1_000 == 0 => format!("{seconds}.{:06}s", nanos / 1_000),
        nanos => format!("{seconds}.{nanos:09}s"),
    }
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk
            .iter()
            .chain(&[0; 2])
            .take(3)
            .fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte));
        for index in 0..4 {
            let digit = if index <= chunk.len() {
                ALPHABET[bits >> (18 - 6 * index) & 63]
            } else {
                b'='
            };
            text.write_char(char::from(digit)).unwrap();
        }
    }
    text
}
