//! Random messages of the official Rust SDK's types, all fields of the protocol included.

use std::{collections::HashMap, hash::Hash};

use function_sdk_rust::proto::v1::{
    Condition, CredentialData, Credentials, MatchLabels, RequestMeta, Requirements, Resource,
    ResourceSelector, Resources, ResponseMeta, Result, RunFunctionRequest, RunFunctionResponse, Schema,
    SchemaSelector, State, credentials::Source, resource_selector::Match,
};
use pbjson_types::{Duration, ListValue, Struct, Value, value::Kind};
use proptest::{
    collection::{hash_map, vec},
    option,
    prelude::*,
};

fn word() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[a-z]{0,6}", 1 => "[A-Zü./ -]{1,5}", 1 => "x{130}"]
}

fn blob() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..7)
}

fn map<V: Strategy>(values: V) -> impl Strategy<Value = HashMap<String, V::Value>>
where
    V::Value: Clone,
    String: Hash,
{
    hash_map(word(), values, 0..3)
}

/// Eighths, since not every reader of JSON text rounds the last digit alike.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Kind::NullValue(0)),
        any::<bool>().prop_map(Kind::BoolValue),
        any::<i32>().prop_map(|number| Kind::NumberValue(f64::from(number) / 8.0)),
        word().prop_map(Kind::StringValue),
    ]
    .prop_map(|kind| Value { kind: Some(kind) });
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(|values| Kind::ListValue(ListValue { values })),
            map(inner).prop_map(|fields| Kind::StructValue(Struct { fields })),
        ]
        .prop_map(|kind| Value { kind: Some(kind) })
    })
}

fn object() -> impl Strategy<Value = Struct> {
    map(value()).prop_map(|fields| Struct { fields })
}

fn resource() -> impl Strategy<Value = Resource> {
    (option::of(object()), map(blob()), 0..=2).prop_map(|(resource, connection_details, ready)| Resource {
        resource,
        connection_details,
        ready,
    })
}

/// A desired or observed state.
pub fn state() -> impl Strategy<Value = State> {
    (option::of(resource()), map(resource()))
        .prop_map(|(composite, resources)| State { composite, resources })
}

fn resources() -> impl Strategy<Value = Resources> {
    vec(resource(), 0..3).prop_map(|items| Resources { items })
}

fn credentials() -> impl Strategy<Value = Credentials> {
    option::of(map(blob()).prop_map(|data| Source::CredentialData(CredentialData { data })))
        .prop_map(|source| Credentials { source })
}

fn selector() -> impl Strategy<Value = ResourceSelector> {
    let matching = prop_oneof![
        word().prop_map(Match::MatchName),
        map(word()).prop_map(|labels| Match::MatchLabels(MatchLabels { labels })),
    ];
    (word(), word(), option::of(word()), option::of(matching)).prop_map(
        |(api_version, kind, namespace, r#match)| ResourceSelector {
            api_version,
            kind,
            namespace,
            r#match,
        },
    )
}

fn requirements() -> impl Strategy<Value = Requirements> {
    let schema = (word(), word()).prop_map(|(api_version, kind)| SchemaSelector { api_version, kind });
    (map(selector()), map(selector()), map(schema)).prop_map(|(extra_resources, resources, schemas)| {
        Requirements {
            extra_resources,
            resources,
            schemas,
        }
    })
}

fn result() -> impl Strategy<Value = Result> {
    (0..=3, word(), option::of(word()), option::of(0..=2)).prop_map(|(severity, message, reason, target)| {
        Result {
            severity,
            message,
            reason,
            target,
        }
    })
}

fn condition() -> impl Strategy<Value = Condition> {
    (word(), 0..=3, word(), option::of(word()), option::of(0..=2)).prop_map(
        |(r#type, status, reason, message, target)| Condition {
            r#type,
            status,
            reason,
            message,
            target,
        },
    )
}

/// A request with all fields.
pub fn request() -> impl Strategy<Value = RunFunctionRequest> {
    let meta = (word(), vec(0..=5, 0..4)).prop_map(|(tag, capabilities)| RequestMeta { tag, capabilities });
    let schema = option::of(object()).prop_map(|openapi_v3| Schema { openapi_v3 });
    let parts = (option::of(meta), option::of(state()), option::of(state()));
    let structs = (option::of(object()), option::of(object()));
    let maps = (
        map(resources()),
        map(credentials()),
        map(resources()),
        map(schema),
    );
    (parts, structs, maps).prop_map(|((meta, observed, desired), (input, context), maps)| {
        let (extra_resources, credentials, required_resources, required_schemas) = maps;
        RunFunctionRequest {
            meta,
            observed,
            desired,
            input,
            context,
            extra_resources,
            credentials,
            required_resources,
            required_schemas,
        }
    })
}

/// A response with all fields.
pub fn response() -> impl Strategy<Value = RunFunctionResponse> {
    let ttl = (
        0_i64..100_000,
        prop_oneof![Just(0), Just(5_000_000), Just(7_000), Just(1)],
    )
        .prop_map(|(seconds, nanos)| Duration { seconds, nanos });
    let meta = (word(), option::of(ttl)).prop_map(|(tag, ttl)| ResponseMeta { tag, ttl });
    let lists = (vec(result(), 0..3), vec(condition(), 0..3));
    let structs = (option::of(object()), option::of(object()));
    (
        option::of(meta),
        option::of(state()),
        lists,
        structs,
        option::of(requirements()),
    )
        .prop_map(
            |(meta, desired, (results, conditions), (context, output), requirements)| RunFunctionResponse {
                meta,
                desired,
                results,
                context,
                requirements,
                conditions,
                output,
            },
        )
}
