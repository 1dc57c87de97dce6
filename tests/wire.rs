//! The reader and writer of Struct bytes against prost's own Struct: same values, same bytes, same refusals.

#![expect(clippy::unwrap_used, reason = "a test may panic, and so may what it calls")]

use std::collections::BTreeMap;

use function_odoo::function::wire::{RawValue, ReadErrorKind, read, to_json, write};
use proptest::{
    collection::{btree_map, vec},
    prelude::*,
    strategy::ValueTree,
};
use prost::{
    Message,
    encoding::{WireType, decode_key, decode_varint},
};
use prost_types::{ListValue, Struct, Value, value::Kind};
use serde::{Deserialize, Serialize};
use serde_json::json;

const LIMIT: f64 = 9_007_199_254_740_992.0;

fn value(kind: Kind) -> Value {
    Value { kind: Some(kind) }
}

/// Keys and texts of every length class, with characters of one to four bytes.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z]{0,8}",
        2 => "\\PC{0,6}",
        1 => "[a-c/.\"\n]{0,4}",
        1 => "[xü]{100,140}",
    ]
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        3 => (-1000_i32..1000).prop_map(f64::from),
        1 => proptest::num::f64::NORMAL | proptest::num::f64::ZERO | proptest::num::f64::SUBNORMAL,
        1 => prop_oneof![Just(LIMIT), Just(-LIMIT), Just(LIMIT + 2.0), Just(1e300), Just(-0.0), Just(0.5)],
    ]
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Kind::NullValue(0)),
        any::<bool>().prop_map(Kind::BoolValue),
        number().prop_map(Kind::NumberValue),
        text().prop_map(Kind::StringValue),
    ]
    .prop_map(value);
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(|values| value(Kind::ListValue(ListValue { values }))),
            btree_map(text(), inner, 0..5).prop_map(|fields| value(Kind::StructValue(Struct { fields }))),
        ]
    })
}

fn any_struct() -> impl Strategy<Value = Struct> {
    btree_map(text(), any_value(), 0..6).prop_map(|fields| Struct { fields })
}

/// What the reader is to make of a value.
fn expected(value: &Value) -> serde_json::Value {
    match &value.kind {
        None | Some(Kind::NullValue(_)) => json!(null),
        Some(Kind::BoolValue(value)) => json!(value),
        Some(Kind::StringValue(text)) => json!(text),
        #[expect(clippy::cast_possible_truncation, reason = "whole and small")]
        Some(Kind::NumberValue(number))
            if number.fract() == 0.0
                && number.abs() <= LIMIT
                && !(*number == 0.0 && number.is_sign_negative()) =>
        {
            json!(*number as i64)
        }
        Some(Kind::NumberValue(number)) => json!(number),
        Some(Kind::ListValue(list)) => list.values.iter().map(expected).collect(),
        Some(Kind::StructValue(object)) => expected_object(object),
    }
}

fn expected_object(object: &Struct) -> serde_json::Value {
    object
        .fields
        .iter()
        .map(|(key, value)| (key.clone(), expected(value)))
        .collect()
}

fn holds_what_json_has_not(value: &Value) -> bool {
    match &value.kind {
        Some(Kind::NumberValue(number)) => !number.is_finite(),
        Some(Kind::ListValue(list)) => list.values.iter().any(holds_what_json_has_not),
        Some(Kind::StructValue(object)) => object.fields.values().any(holds_what_json_has_not),
        Some(Kind::NullValue(_) | Kind::BoolValue(_) | Kind::StringValue(_)) | None => false,
    }
}

#[derive(Clone, Copy)]
enum Part {
    Struct,
    Entry,
    Value,
    List,
}

/// Whether one of the three things is in there where we differ from prost on purpose: a field twice that should be
/// there once, a group, and a map's field of another wire type. Written without our reader; gives up at the first byte
/// that is wrong.
fn differs_on_purpose(mut bytes: &[u8], part: Part) -> bool {
    let mut seen = Vec::new();
    while let Ok((number, wire_type)) = decode_key(&mut bytes) {
        let single = match part {
            Part::Struct | Part::List => None,
            Part::Entry => (number <= 2).then_some(number),
            Part::Value => (number <= 6).then_some(0),
        };
        if let Some(single) = single {
            if seen.contains(&single) {
                return true;
            }
            seen.push(single);
        }
        // prost takes a map's field for an entry whatever its wire type; other runtimes do not, and we refuse it.
        if matches!(part, Part::Struct) && number == 1 && wire_type != WireType::LengthDelimited {
            return true;
        }
        let length = match wire_type {
            WireType::Varint => {
                if decode_varint(&mut bytes).is_err() {
                    return false;
                }
                continue;
            }
            WireType::SixtyFourBit => 8,
            WireType::ThirtyTwoBit => 4,
            WireType::LengthDelimited => match decode_varint(&mut bytes) {
                Ok(length) => usize::try_from(length).unwrap(),
                Err(_) => return false,
            },
            WireType::StartGroup | WireType::EndGroup => return true,
        };
        let Some((payload, rest)) = bytes.split_at_checked(length) else {
            return false;
        };
        bytes = rest;
        let nested = match (part, number, wire_type) {
            (Part::Struct, 1, WireType::LengthDelimited) => Part::Entry,
            (Part::Entry, 2, WireType::LengthDelimited) | (Part::List, 1, WireType::LengthDelimited) => {
                Part::Value
            }
            (Part::Value, 5, WireType::LengthDelimited) => Part::Struct,
            (Part::Value, 6, WireType::LengthDelimited) => Part::List,
            _ => continue,
        };
        if differs_on_purpose(payload, nested) {
            return true;
        }
    }
    false
}

fn agrees_with_prost(bytes: &[u8]) -> Result<(), TestCaseError> {
    let ours = to_json(bytes);
    if differs_on_purpose(bytes, Part::Struct) {
        return Ok(());
    }
    match (Struct::decode(bytes), ours) {
        (Ok(theirs), Ok(ours)) => prop_assert_eq!(ours, expected_object(&theirs)),
        (Err(_), Err(_)) => {}
        (Ok(theirs), Err(error)) => {
            let not_json = theirs.fields.values().any(holds_what_json_has_not);
            prop_assert!(
                not_json && matches!(error.kind(), ReadErrorKind::InvalidValue { .. }),
                "{error}"
            );
        }
        (Err(error), Ok(ours)) => prop_assert!(false, "prost says {error}, we read {ours}"),
    }
    Ok(())
}

#[derive(Clone, Debug)]
enum Mutation {
    Set(usize, u8),
    Insert(usize, u8),
    Remove(usize),
    Cut(usize),
    Append(u8),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let (place, byte) = (any::<usize>(), any::<u8>());
    prop_oneof![
        4 => (place, byte).prop_map(|(place, byte)| Mutation::Set(place, byte)),
        2 => (place, 0_u8..0x32).prop_map(|(place, byte)| Mutation::Set(place, byte)),
        2 => (place, byte).prop_map(|(place, byte)| Mutation::Insert(place, byte)),
        2 => place.prop_map(Mutation::Remove),
        1 => place.prop_map(Mutation::Cut),
        1 => byte.prop_map(Mutation::Append),
    ]
}

fn mutate(bytes: &mut Vec<u8>, mutation: &Mutation) {
    let length = bytes.len().max(1);
    match *mutation {
        Mutation::Set(place, byte) => {
            if let Some(slot) = bytes.get_mut(place % length) {
                *slot = byte;
            }
        }
        Mutation::Insert(place, byte) => bytes.insert(place % length % (bytes.len() + 1), byte),
        Mutation::Remove(place) if !bytes.is_empty() => {
            bytes.remove(place % length);
        }
        Mutation::Remove(_) => {}
        Mutation::Cut(place) => bytes.truncate(place % length),
        Mutation::Append(byte) => bytes.push(byte),
    }
}

/// A type with one field of each kind that specs have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Typed {
    text: String,
    signed: i32,
    unsigned: u16,
    float: f64,
    flag: bool,
    optional: Option<Choice>,
    choices: Vec<Choice>,
    labels: BTreeMap<String, String>,
    by_port: BTreeMap<u16, Option<bool>>,
    pair: (u8, String),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Choice {
    Plain,
    Sized(u8),
    Named { name: String, size: i64 },
}

fn choice() -> impl Strategy<Value = Choice> {
    prop_oneof![
        Just(Choice::Plain),
        any::<u8>().prop_map(Choice::Sized),
        (text(), -(1_i64 << 53)..=1 << 53).prop_map(|(name, size)| Choice::Named { name, size }),
    ]
}

fn typed() -> impl Strategy<Value = Typed> {
    let scalars = (text(), any::<i32>(), any::<u16>(), number(), any::<bool>());
    let nested = (
        proptest::option::of(choice()),
        vec(choice(), 0..4),
        btree_map(text(), text(), 0..4),
        btree_map(any::<u16>(), any::<Option<bool>>(), 0..4),
        (any::<u8>(), text()),
    );
    (scalars, nested).prop_map(
        |((text, signed, unsigned, float, flag), (optional, choices, labels, by_port, pair))| Typed {
            text,
            signed,
            unsigned,
            float,
            flag,
            optional,
            choices,
            labels,
            by_port,
            pair,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_reader_sees_what_prost_decodes(object in any_struct()) {
        prop_assert_eq!(to_json(&object.encode_to_vec()).unwrap(), expected_object(&object));
    }

    #[test]
    fn the_writer_gives_prosts_own_bytes(object in any_struct()) {
        prop_assert_eq!(write(&expected_object(&object)).unwrap(), object.encode_to_vec());
    }

    #[test]
    fn what_is_written_is_read_back(object in any_struct()) {
        let json = expected_object(&object);
        prop_assert_eq!(to_json(&write(&json).unwrap()).unwrap(), json);
    }

    #[test]
    fn types_survive_the_round_trip_and_mean_what_serde_json_says(typed in typed()) {
        let bytes = write(&typed).unwrap();
        prop_assert_eq!(&read::<Typed>(&bytes).unwrap(), &typed);
        let json = serde_json::to_value(&typed).unwrap();
        prop_assert_eq!(&read::<Typed>(&write(&json).unwrap()).unwrap(), &typed);
        prop_assert_eq!(serde_json::from_value::<Typed>(to_json(&bytes).unwrap()).unwrap(), typed);
    }

    #[test]
    fn raw_values_are_the_bytes_they_came_as(object in any_struct()) {
        let bytes = object.encode_to_vec();
        let raw: BTreeMap<String, RawValue> = read(&bytes).unwrap();
        prop_assert_eq!(write(&raw).unwrap(), bytes);
    }

    #[test]
    fn cutting_a_struct_anywhere_agrees_with_prost(object in any_struct()) {
        let bytes = object.encode_to_vec();
        for end in 0..bytes.len() {
            let cut = &bytes[..end];
            match (Struct::decode(cut), to_json(cut)) {
                (Ok(theirs), Ok(ours)) => prop_assert_eq!(ours, expected_object(&theirs)),
                (Err(_), Err(error)) => prop_assert_eq!(error.kind(), &ReadErrorKind::Truncated),
                (theirs, ours) => prop_assert!(false, "at {end}: prost {theirs:?}, ours {ours:?}"),
            }
        }
    }

    #[test]
    fn arbitrary_bytes_are_a_value_or_an_error_and_prost_agrees(bytes in vec(any::<u8>(), 0..64)) {
        agrees_with_prost(&bytes)?;
        let _ = read::<Typed>(&bytes);
        let _ = read::<RawValue>(&bytes).map(|raw| write(&raw));
    }

    #[test]
    fn damaged_structs_are_a_value_or_an_error_and_prost_agrees(
        object in any_struct(),
        mutations in vec(mutation(), 1..4),
    ) {
        let mut bytes = object.encode_to_vec();
        for mutation in &mutations {
            mutate(&mut bytes, mutation);
        }
        agrees_with_prost(&bytes)?;
    }

    #[test]
    fn damaged_bytes_of_a_type_never_panic(typed in typed(), mutations in vec(mutation(), 1..4)) {
        let mut bytes = write(&typed).unwrap();
        for mutation in &mutations {
            mutate(&mut bytes, mutation);
        }
        if let Err(error) = read::<Typed>(&bytes) {
            prop_assert!(error.to_string().starts_with("cannot read "));
        }
    }
}

#[test]
fn the_comparison_with_prost_is_not_vacuous() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut read, mut refused, mut skipped) = (0, 0, 0);
    for _ in 0..500 {
        let strategy = (any_struct(), vec(mutation(), 1..4));
        let (object, mutations) = strategy.new_tree(&mut runner).unwrap().current();
        let mut bytes = object.encode_to_vec();
        for mutation in &mutations {
            mutate(&mut bytes, mutation);
        }
        match to_json(&bytes) {
            _ if differs_on_purpose(&bytes, Part::Struct) => skipped += 1,
            Ok(_) => read += 1,
            Err(_) => refused += 1,
        }
    }
    assert!(
        read > 50 && refused > 50 && skipped < 200,
        "read {read}, refused {refused}, skipped {skipped}"
    );
}

#[test]
fn ten_megabytes_are_read_and_written_like_any_other() {
    #[derive(Deserialize)]
    struct Last<'a> {
        name: &'a str,
    }
    let items: Vec<_> = (0..10_000)
        .map(|index| json!({"index": index, "data": "x".repeat(1000)}))
        .collect();
    let object = json!({"items": items, "name": "big"});
    let bytes = write(&object).unwrap();
    assert!(bytes.len() > 10_000_000);
    assert_eq!(Struct::decode(bytes.as_slice()).unwrap().encode_to_vec(), bytes);
    assert_eq!(read::<Last>(&bytes).unwrap().name, "big");
    assert_eq!(to_json(&bytes).unwrap(), object);
}

#[test]
fn fields_unknown_to_struct_are_skipped_at_every_level() {
    let mut bytes = Vec::new();
    let unknown = |bytes: &mut Vec<u8>| {
        bytes.extend([
            0x48, 1, 0x51, 0, 0, 0, 0, 0, 0, 0, 0, 0x5d, 0, 0, 0, 0, 0x62, 1, 7,
        ]);
    };
    // {"k": [true]} with unknown fields in the Struct, the entry, both Values and the list.
    let wrap = |tag: u8, inner: &[u8]| {
        let mut message = vec![tag, u8::try_from(inner.len()).unwrap()];
        message.extend(inner);
        unknown(&mut message);
        message
    };
    let mut element = vec![0x20, 1];
    unknown(&mut element);
    let list = wrap(0x0a, &element);
    let value = wrap(0x32, &list);
    let mut entry = vec![0x0a, 1, b'k'];
    entry.extend(wrap(0x12, &value));
    unknown(&mut bytes);
    bytes.extend(wrap(0x0a, &entry));
    assert_eq!(to_json(&bytes).unwrap(), json!({"k": [true]}));
    assert_eq!(
        expected_object(&Struct::decode(bytes.as_slice()).unwrap()),
        json!({"k": [true]})
    );
}
