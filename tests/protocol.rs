//! Our messages against those of the official Rust SDK: what one writes, the other reads.

#![expect(clippy::unwrap_used, reason = "a test may panic, and so may what it calls")]

#[path = "protocol/official.rs"]
mod official;
#[path = "protocol/ours.rs"]
mod ours;

use std::collections::{BTreeMap, HashMap};

use function_odoo::function::{
    proto::{DESCRIPTORS, v1},
    wire::{
        read,
        state::{append_composite, append_resource, merge, split},
        to_json, write,
    },
};
use function_sdk_rust::proto as sdk;
use proptest::prelude::*;
use prost::{Message, bytes::Bytes};
use prost_types::{DescriptorProto, FileDescriptorSet};
use serde::Deserialize;
use serde_json::{Value, json};

/// Fields that no version of the protocol has: a varint, a text and a fixed number.
const UNKNOWN: [&[u8]; 3] = [
    &[0xf8, 0x06, 42],
    &[0xfa, 0x06, 3, b'n', b'e', b'w'],
    &[0xfd, 0x06, 1, 2, 3, 4],
];

const FILE: &str = "apiextensions.fn.proto.v1";

fn official_json(message: &impl serde::Serialize) -> Value {
    ours::doubles(serde_json::to_value(message).unwrap())
}

/// The same State with fields that nobody knows in every resource and beside them.
fn with_unknown_fields(state: &sdk::v1::State) -> Vec<u8> {
    let field = |tag: u8, payload: &[u8], out: &mut Vec<u8>| {
        out.push(tag);
        prost::encoding::encode_varint(payload.len() as u64, out);
        out.extend_from_slice(payload);
    };
    let resource = |resource: &sdk::v1::Resource, unknown: &[u8]| {
        let mut bytes = unknown.to_vec();
        bytes.extend(resource.encode_to_vec());
        bytes
    };
    let mut out = UNKNOWN[0].to_vec();
    for (index, (name, value)) in state.resources.iter().enumerate() {
        let mut entry = Vec::new();
        field(0x0a, name.as_bytes(), &mut entry);
        field(0x12, &resource(value, UNKNOWN[index % UNKNOWN.len()]), &mut entry);
        entry.extend_from_slice(UNKNOWN[2]);
        field(0x12, &entry, &mut out);
    }
    if let Some(composite) = &state.composite {
        field(0x0a, &resource(composite, UNKNOWN[1]), &mut out);
    }
    out
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn requests_of_the_official_sdk_are_ours_and_back(message in official::request()) {
        let bytes = Bytes::from(message.encode_to_vec());
        let request = v1::RunFunctionRequest::decode(bytes.clone()).unwrap();
        prop_assert_eq!(ours::request(&request), official_json(&message));
        let encoded = request.encode_to_vec();
        prop_assert_eq!(encoded.len(), bytes.len());
        prop_assert_eq!(sdk::v1::RunFunctionRequest::decode(encoded.as_slice()).unwrap(), message);
    }

    #[test]
    fn responses_of_the_official_sdk_are_ours_and_back(message in official::response()) {
        let bytes = Bytes::from(message.encode_to_vec());
        let response = v1::RunFunctionResponse::decode(bytes.clone()).unwrap();
        prop_assert_eq!(ours::response(&response), official_json(&message));
        let encoded = response.encode_to_vec();
        prop_assert_eq!(encoded.len(), bytes.len());
        prop_assert_eq!(sdk::v1::RunFunctionResponse::decode(encoded.as_slice()).unwrap(), message);
    }

    #[test]
    fn a_desired_state_passes_byte_for_byte_when_we_want_nothing(state in official::state()) {
        let foreign = with_unknown_fields(&state);
        let merged = merge(&foreign, None, &BTreeMap::new()).unwrap();
        prop_assert_eq!(merged.len(), foreign.len());
        for entry in split(&foreign).unwrap().resources {
            prop_assert!(contains(&merged, entry.entry));
        }
        prop_assert_eq!(sdk::v1::State::decode(merged.as_slice()).unwrap(), state);
    }

    #[test]
    fn what_others_want_survives_beside_what_we_want(state in official::state(), replace in any::<bool>()) {
        let foreign = with_unknown_fields(&state);
        let object = write(&json!({"kind": "Job"})).unwrap();
        let mut resources = BTreeMap::from([("ours-alone".to_owned(), (object.as_slice(), v1::Ready::True))]);
        let taken = state.resources.keys().min().filter(|_| replace);
        if let Some(name) = taken {
            resources.insert(name.clone(), (object.as_slice(), v1::Ready::False));
        }
        let composite = write(&json!({"status": {"phase": "Running"}})).unwrap();
        let merged = merge(&foreign, Some((&composite, v1::Ready::True)), &resources).unwrap();

        for entry in split(&foreign).unwrap().resources {
            prop_assert_eq!(contains(&merged, entry.entry), !resources.contains_key(entry.name));
        }
        prop_assert!(contains(&merged, UNKNOWN[0]));
        let seen = sdk::v1::State::decode(merged.as_slice()).unwrap();
        for (name, theirs) in &state.resources {
            if !resources.contains_key(name) {
                prop_assert_eq!(seen.resources.get(name), Some(theirs));
            }
        }
        for (name, (_, ready)) in &resources {
            prop_assert_eq!(seen.resources[name].ready, *ready as i32);
        }
        prop_assert_eq!(seen.resources.len(), state.resources.keys().filter(|name| !resources.contains_key(*name)).count() + resources.len());

        let (seen, theirs) = (seen.composite.unwrap(), state.composite.unwrap_or_default());
        prop_assert_eq!(seen.ready, 1);
        prop_assert_eq!(&seen.connection_details, &theirs.connection_details);
        let mut expected = official_json(&theirs.resource.unwrap_or_default());
        if !expected["status"].is_object() {
            expected["status"] = json!({});
        }
        expected["status"]["phase"] = json!("Running");
        prop_assert_eq!(official_json(&seen.resource), expected);
    }

    #[test]
    fn a_damaged_desired_state_is_an_error_or_a_state_but_no_panic(
        state in official::state(),
        place in any::<usize>(),
        byte in any::<u8>(),
    ) {
        let mut foreign = with_unknown_fields(&state);
        let place = place % foreign.len();
        foreign[place] = byte;
        let composite = write(&json!({"status": {"phase": "Running"}})).unwrap();
        let _ = split(&foreign);
        let _ = merge(&foreign, Some((&composite, v1::Ready::True)), &BTreeMap::new());
        let _ = merge(&foreign[..place], Some((&composite, v1::Ready::True)), &BTreeMap::new());
    }
}

#[test]
fn a_state_that_we_append_to_is_what_the_official_sdk_would_have_built() {
    let object = json!({"kind": "Job", "spec": {"parallelism": 1, "name": "ü".repeat(200)}});
    let bytes = write(&object).unwrap();
    let mut desired = Vec::new();
    append_composite(
        &mut desired,
        &write(&json!({"status": {}})).unwrap(),
        v1::Ready::Unspecified,
    );
    append_resource(&mut desired, "job", &bytes, v1::Ready::True);
    let resource = |object: &Value, ready| sdk::v1::Resource {
        resource: Some(serde_json::from_value(object.clone()).unwrap()),
        connection_details: HashMap::new(),
        ready,
    };
    let state = sdk::v1::State {
        composite: Some(resource(&json!({"status": {}}), 0)),
        resources: HashMap::from([("job".to_owned(), resource(&object, 1))]),
    };
    assert_eq!(sdk::v1::State::decode(desired.as_slice()).unwrap(), state);
    assert_eq!(to_json(&bytes).unwrap(), object);
}

/// Names, numbers and types of all messages and enums of protocol version 1.
fn shape(descriptors: &[u8]) -> BTreeMap<String, Vec<String>> {
    fn messages(prefix: &str, list: &[DescriptorProto], shape: &mut BTreeMap<String, Vec<String>>) {
        for message in list {
            let name = format!("{prefix}.{}", message.name());
            let mut fields: Vec<_> = message
                .field
                .iter()
                .map(|field| {
                    format!(
                        "{} {} {:?} {:?} {} optional={} oneof={:?}",
                        field.number(),
                        field.name(),
                        field.label(),
                        field.r#type(),
                        field.type_name(),
                        field.proto3_optional(),
                        field.oneof_index,
                    )
                })
                .collect();
            fields.sort();
            shape.insert(name.clone(), fields);
            messages(&name, &message.nested_type, shape);
        }
    }
    let set = FileDescriptorSet::decode(descriptors).unwrap();
    let file = set.file.iter().find(|file| file.package() == FILE).unwrap();
    let mut shape = BTreeMap::new();
    messages("", &file.message_type, &mut shape);
    for choices in &file.enum_type {
        let values = choices
            .value
            .iter()
            .map(|value| format!("{} {}", value.number(), value.name()));
        shape.insert(choices.name().to_owned(), values.collect());
    }
    for service in &file.service {
        let methods = service.method.iter();
        let methods =
            methods.map(|call| format!("{} {} {}", call.name(), call.input_type(), call.output_type()));
        shape.insert(service.name().to_owned(), methods.collect());
    }
    shape
}

#[test]
fn our_proto_file_has_the_names_numbers_and_types_of_the_official_one() {
    let ours = shape(DESCRIPTORS);
    assert!(
        ours.len() > 20 && ours.contains_key(".RunFunctionRequest"),
        "{:?}",
        ours.keys()
    );
    assert_eq!(ours, shape(sdk::FILE_DESCRIPTOR_SET));
}

#[test]
fn a_typed_read_of_an_observed_object_needs_no_tree() {
    #[derive(Deserialize)]
    struct Object<'a> {
        kind: &'a str,
    }
    let message = sdk::v1::RunFunctionRequest {
        observed: Some(sdk::v1::State {
            composite: Some(sdk::v1::Resource {
                resource: Some(serde_json::from_value(json!({"kind": "PLANAClient", "spec": {}})).unwrap()),
                ..Default::default()
            }),
            ..Default::default()
        }),
        ..Default::default()
    };
    let request = v1::RunFunctionRequest::decode(message.encode_to_vec().as_slice()).unwrap();
    let composite = request.observed.unwrap().composite.unwrap().resource.unwrap();
    assert_eq!(read::<Object>(&composite).unwrap().kind, "PLANAClient");
}
