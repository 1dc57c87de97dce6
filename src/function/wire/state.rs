//! The desired `State` as undecoded bytes: what earlier functions want, and what we want beside it.
//!
//! In: `desired` of a request, our composite and our resources. Out: `desired` of the response. A pipeline's functions
//! share one desired state, and whatever a function leaves out is deleted; so everything of others is passed on byte
//! for byte, fields that we do not know included, except what we set ourselves. Only the composite resource is
//! shared key by key. Nothing below the keys of its Struct and of its `status` is looked at.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    fmt::{Debug, Formatter},
};

use super::{
    cursor::{Cursor, Entry, Field, Payload},
    encode::{MAX_HEAD_BYTES, append_bytes, append_number, close, open},
    error::ReadError,
    field::{ENTRIES, ENTRY_KEY, ENTRY_VALUE, OBJECT},
    reader::Kind,
};
use crate::function::proto::v1::Ready;

/// `State.composite`
const COMPOSITE: u32 = 1;
/// `State.resources`
const RESOURCES: u32 = 2;
/// `Resource.resource`
const RESOURCE: u32 = 1;
/// `Resource.ready`
const READY: u32 = 3;

/// The one key of a composite resource that several functions write into.
const STATUS: &str = "status";

/// A desired state, taken apart but not decoded.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ForeignState<'a> {
    /// The composite resource, when there is one.
    pub composite: Option<ForeignComposite<'a>>,
    /// The composed resources, in their order.
    pub resources: Vec<ForeignResource<'a>>,
    /// Fields that we do not know, each with its tag.
    pub unknown: Vec<&'a [u8]>,
}

/// The composite resource of a desired state.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ForeignComposite<'a> {
    /// The Struct of its object. Owned only if the field was split, which protobuf allows and nobody does.
    pub resource: Option<Cow<'a, [u8]>>,
    /// Whether a function finds it ready, as the protocol has it.
    pub ready: u64,
    /// All its other fields, each with its tag.
    pub others: Vec<&'a [u8]>,
}

/// A composed resource of a desired state.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ForeignResource<'a> {
    /// Its composition resource name.
    pub name: &'a str,
    /// The whole entry with its tag: appended to a `State`, it is that resource.
    pub entry: &'a [u8],
}

/// Names only: what others want may be secret.
impl Debug for ForeignState<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        let names = self.resources.iter().map(|resource| resource.name);
        formatter
            .debug_struct("ForeignState")
            .field("composite", &self.composite.is_some())
            .field("resources", &names.collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// Appends a composed resource to a `State`. A name must be appended once only.
pub fn append_resource(desired: &mut Vec<u8>, name: &str, resource: &[u8], ready: Ready) {
    let entry = open(desired, RESOURCES);
    append_bytes(desired, ENTRY_KEY, name.as_bytes());
    let value = open(desired, ENTRY_VALUE);
    append_bytes(desired, RESOURCE, resource);
    append_ready(desired, ready_number(ready));
    close(desired, value);
    close(desired, entry);
}

/// Appends the composite resource to a `State`.
pub fn append_composite(desired: &mut Vec<u8>, resource: &[u8], ready: Ready) {
    let start = open(desired, COMPOSITE);
    append_bytes(desired, RESOURCE, resource);
    append_ready(desired, ready_number(ready));
    close(desired, start);
}

/// Takes a desired state apart.
pub fn split(desired: &[u8]) -> Result<ForeignState<'_>, ReadError> {
    let mut state = ForeignState::default();
    let mut cursor = Cursor::new(desired);
    while let Some(field) = cursor.field()? {
        match field.number {
            COMPOSITE => state
                .composite
                .get_or_insert_default()
                .add(field.message()?)
                .map_err(|error| error.within("composite"))?,
            RESOURCES => state.resources.push(resource(&field)?),
            _ => state.unknown.push(field.raw),
        }
    }
    Ok(state)
}

/// The desired state of the response: ours, and of `foreign` whatever is not ours.
///
/// - Resources whose names we do not set pass as they are; so do unknown fields.
/// - Our composite wins key by key, at the top level and under `status`; keys that it lacks stay, and so do the other
///   fields of the foreign message. Its readiness is replaced unless ours is unspecified.
pub fn merge(
    foreign: &[u8],
    composite: Option<(&[u8], Ready)>,
    resources: &BTreeMap<String, (&[u8], Ready)>,
) -> Result<Vec<u8>, ReadError> {
    let state = split(foreign)?;
    let around = |name: &str| name.len() + 4 * MAX_HEAD_BYTES;
    let ours = resources.iter();
    let ours: usize = ours
        .map(|(name, (resource, _))| around(name) + resource.len())
        .sum();
    let composed = composite.map_or(0, |(bytes, _)| around("") + bytes.len());
    let mut out = Vec::with_capacity(foreign.len() + ours + composed);

    if let Some(message) = merge_composite(state.composite.as_ref(), composite)
        .map_err(|error| error.within("resource").within("composite"))?
    {
        append_bytes(&mut out, COMPOSITE, &message);
    }
    for resource in state
        .resources
        .iter()
        .filter(|resource| !resources.contains_key(resource.name))
    {
        out.extend_from_slice(resource.entry);
    }
    for (name, (resource, ready)) in resources {
        append_resource(&mut out, name, resource, *ready);
    }
    for unknown in state.unknown {
        out.extend_from_slice(unknown);
    }
    Ok(out)
}

impl<'a> ForeignComposite<'a> {
    /// Adds the fields of one message: protobuf merges a message that comes in parts, and a Struct's parts are its
    /// entries one after the other.
    fn add(&mut self, message: &'a [u8]) -> Result<(), ReadError> {
        let mut cursor = Cursor::new(message);
        while let Some(field) = cursor.field()? {
            match (field.number, &field.payload) {
                (RESOURCE, Payload::Bytes(bytes)) => match &mut self.resource {
                    Some(parts) => parts.to_mut().extend_from_slice(bytes),
                    none => *none = Some(Cow::Borrowed(bytes)),
                },
                (READY, Payload::Varint(ready)) => self.ready = *ready,
                (RESOURCE | READY, _) => return Err(field.unexpected()),
                _ => self.others.push(field.raw),
            }
        }
        Ok(())
    }
}

fn resource<'a>(field: &Field<'a>) -> Result<ForeignResource<'a>, ReadError> {
    let entry = Entry::parse(field.message()?).map_err(|error| error.within("resources"))?;
    Ok(ForeignResource {
        name: entry.key,
        entry: field.raw,
    })
}

/// The message of the composite resource that both sides give.
fn merge_composite(
    foreign: Option<&ForeignComposite<'_>>,
    ours: Option<(&[u8], Ready)>,
) -> Result<Option<Vec<u8>>, ReadError> {
    let nothing = ForeignComposite::default();
    if foreign.is_none() && ours.is_none() {
        return Ok(None);
    }
    let foreign = foreign.unwrap_or(&nothing);
    let resource = match (ours, &foreign.resource) {
        (Some((ours, _)), Some(theirs)) => Some(Cow::Owned(merge_object(ours, theirs)?)),
        (Some((ours, _)), None) => Some(Cow::Borrowed(ours)),
        (None, theirs) => theirs.clone(),
    };
    let ready = match ours.map(|(_, ready)| ready) {
        None | Some(Ready::Unspecified) => foreign.ready,
        Some(ready @ (Ready::True | Ready::False)) => ready_number(ready),
    };

    let mut out = Vec::new();
    if let Some(resource) = resource {
        append_bytes(&mut out, RESOURCE, &resource);
    }
    for other in &foreign.others {
        out.extend_from_slice(other);
    }
    append_ready(&mut out, ready);
    Ok(Some(out))
}

/// Our entries in their order, then those of theirs that we lack. A `status` of both is merged in the same way.
fn merge_object(ours: &[u8], theirs: &[u8]) -> Result<Vec<u8>, ReadError> {
    let statuses = match (status(ours)?, status(theirs)?) {
        (Some(ours), Some(theirs)) => Some(merge_entries(ours, theirs, None)?),
        _ => None,
    };
    merge_entries(ours, theirs, statuses.as_deref())
}

/// Entries of both, ours first; with `status` in the place of that of ours.
fn merge_entries(ours: &[u8], theirs: &[u8], status: Option<&[u8]>) -> Result<Vec<u8>, ReadError> {
    let mut out = Vec::with_capacity(ours.len() + theirs.len());
    let mut keys = BTreeSet::new();
    let mut cursor = Cursor::new(ours);
    while let Some(field) = cursor.field()? {
        let Some(key) = key(&field)? else {
            out.extend_from_slice(field.raw);
            continue;
        };
        let first = keys.insert(key);
        match status {
            Some(merged) if key == STATUS => {
                if first {
                    append_object_entry(&mut out, STATUS, merged);
                }
            }
            _ => out.extend_from_slice(field.raw),
        }
    }
    let mut cursor = Cursor::new(theirs);
    while let Some(field) = cursor.field()? {
        if key(&field)?.is_none_or(|key| !keys.contains(key)) {
            out.extend_from_slice(field.raw);
        }
    }
    Ok(out)
}

/// The key, if the field is an entry.
fn key<'a>(field: &Field<'a>) -> Result<Option<&'a str>, ReadError> {
    if field.number != ENTRIES {
        return Ok(None);
    }
    Entry::parse(field.message()?).map(|entry| Some(entry.key))
}

/// The last `status`, if it is an object.
fn status(object: &[u8]) -> Result<Option<&[u8]>, ReadError> {
    let mut last = None;
    let mut cursor = Cursor::new(object);
    while let Some(entry) = cursor.entry(ENTRIES)? {
        if entry.key == STATUS {
            last = Some(entry.value);
        }
    }
    let Some(value) = last else { return Ok(None) };
    match Kind::of(value).map_err(|error| error.within(STATUS))? {
        Kind::Object(status) => Ok(Some(status)),
        Kind::Null | Kind::Number(_) | Kind::Bool(_) | Kind::Text(_) | Kind::List(_) => Ok(None),
    }
}

fn append_object_entry(out: &mut Vec<u8>, key: &str, object: &[u8]) {
    let entry = open(out, ENTRIES);
    append_bytes(out, ENTRY_KEY, key.as_bytes());
    let value = open(out, ENTRY_VALUE);
    append_bytes(out, OBJECT, object);
    close(out, value);
    close(out, entry);
}

fn append_ready(out: &mut Vec<u8>, ready: u64) {
    if ready != 0 {
        append_number(out, READY, ready);
    }
}

fn ready_number(ready: Ready) -> u64 {
    match ready {
        Ready::Unspecified => 0,
        Ready::True => 1,
        Ready::False => 2,
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;
    use serde_json::{Value, json};

    use super::*;
    use crate::function::{
        proto::v1::State,
        wire::{ReadErrorKind, to_json, write},
    };

    fn bytes(object: &Value) -> Vec<u8> {
        write(object).unwrap()
    }

    fn composite_of(desired: &[u8]) -> (Value, i32) {
        let composite = State::decode(desired).unwrap().composite.unwrap();
        (to_json(&composite.resource.unwrap()).unwrap(), composite.ready)
    }

    #[test]
    fn what_is_appended_decodes_as_a_state() {
        let mut desired = Vec::new();
        append_composite(
            &mut desired,
            &bytes(&json!({"status": {"a": 1}})),
            Ready::Unspecified,
        );
        append_resource(&mut desired, "one", &bytes(&json!({"kind": "Job"})), Ready::True);
        append_resource(&mut desired, "two", &[], Ready::False);
        let state = State::decode(desired.as_slice()).unwrap();
        assert_eq!(state.encode_to_vec(), desired);
        assert_eq!(state.resources["one"].ready, 1);
        assert_eq!(state.resources["two"].ready, 2);
        assert_eq!(
            to_json(state.resources["one"].resource.as_ref().unwrap()).unwrap(),
            json!({"kind": "Job"})
        );
    }

    #[test]
    fn split_gives_the_composite_and_each_entry() {
        let mut one = Vec::new();
        append_resource(&mut one, "one", &bytes(&json!({"kind": "Job"})), Ready::True);
        let mut desired = Vec::new();
        let object = bytes(&json!({"spec": {}}));
        append_composite(&mut desired, &object, Ready::True);
        desired.extend_from_slice(&one);
        desired.extend_from_slice(&[0x48, 1]);
        let state = split(&desired).unwrap();
        let shown = format!("{state:?}");
        assert!(
            shown.contains("one") && !shown.contains("Job") && !shown.contains("74"),
            "{shown}"
        );
        let composite = state.composite.unwrap();
        assert_eq!(
            (composite.resource.as_deref(), composite.ready),
            (Some(&object[..]), 1)
        );
        assert!(
            state.resources
                == [ForeignResource {
                    name: "one",
                    entry: &one
                }]
        );
        assert_eq!(state.unknown, [&[0x48, 1]]);
    }

    #[test]
    fn resources_of_others_stay_and_ours_replace_theirs() {
        let (mut foreign, mut kept) = (Vec::new(), Vec::new());
        append_resource(&mut foreign, "ours", &bytes(&json!({"old": true})), Ready::True);
        append_resource(
            &mut kept,
            "theirs",
            &bytes(&json!({"kind": "Bucket"})),
            Ready::False,
        );
        foreign.extend_from_slice(&kept);
        let new = bytes(&json!({"new": true}));
        let resources = BTreeMap::from([("ours".to_owned(), (new.as_slice(), Ready::False))]);
        let merged = merge(&foreign, None, &resources).unwrap();
        assert!(merged.starts_with(&kept));
        let state = State::decode(merged.as_slice()).unwrap();
        assert_eq!(state.resources.len(), 2);
        assert_eq!(
            to_json(state.resources["ours"].resource.as_ref().unwrap()).unwrap(),
            json!({"new": true})
        );
        assert_eq!(state.resources["ours"].ready, 2);
    }

    #[test]
    fn our_keys_of_the_composite_win_and_their_others_stay() {
        let theirs = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"x": 1},
            "status": {"phase": "Old", "theirs": {"deep": [1]}}});
        let ours =
            json!({"apiVersion": "v1", "spec": {"y": 2}, "status": {"phase": "Running", "mine": true}});
        let mut foreign = Vec::new();
        append_composite(&mut foreign, &bytes(&theirs), Ready::False);
        let merged = merge(&foreign, Some((&bytes(&ours), Ready::True)), &BTreeMap::new()).unwrap();
        let expected = json!({"apiVersion": "v1", "metadata": {"labels": {"a": "b"}}, "spec": {"y": 2},
            "status": {"phase": "Running", "mine": true, "theirs": {"deep": [1]}}});
        assert_eq!(composite_of(&merged), (expected, 1));
    }

    #[test]
    fn their_readiness_stays_where_ours_is_unspecified() {
        let mut foreign = Vec::new();
        append_composite(&mut foreign, &bytes(&json!({})), Ready::False);
        let ours = bytes(&json!({"a": 1}));
        let merged = merge(&foreign, Some((&ours, Ready::Unspecified)), &BTreeMap::new()).unwrap();
        assert_eq!(composite_of(&merged).1, 2);
    }

    #[test]
    fn a_status_that_is_no_object_is_replaced_whole() {
        let mut foreign = Vec::new();
        append_composite(
            &mut foreign,
            &bytes(&json!({"status": "odd", "kept": 1})),
            Ready::True,
        );
        let ours = bytes(&json!({"status": {"a": 1}}));
        let merged = merge(&foreign, Some((&ours, Ready::True)), &BTreeMap::new()).unwrap();
        assert_eq!(composite_of(&merged).0, json!({"status": {"a": 1}, "kept": 1}));
    }

    #[test]
    fn without_a_composite_of_ours_theirs_passes_with_its_unknown_fields() {
        let mut composite = Vec::new();
        append_bytes(&mut composite, RESOURCE, &bytes(&json!({"a": 1})));
        let unknown = [0x4a, 2, 7, 7];
        composite.extend_from_slice(&unknown);
        let mut foreign = Vec::new();
        append_bytes(&mut foreign, COMPOSITE, &composite);
        assert_eq!(merge(&foreign, None, &BTreeMap::new()).unwrap(), foreign);
        let ours = bytes(&json!({"a": 2}));
        let merged = merge(&foreign, Some((&ours, Ready::True)), &BTreeMap::new()).unwrap();
        assert!(merged.windows(unknown.len()).any(|window| window == unknown));
        assert_eq!(composite_of(&merged), (json!({"a": 2}), 1));
    }

    #[test]
    fn a_composite_in_parts_is_one_composite() {
        let mut foreign = Vec::new();
        append_composite(&mut foreign, &bytes(&json!({"a": 1, "b": 1})), Ready::True);
        append_composite(&mut foreign, &bytes(&json!({"b": 2})), Ready::Unspecified);
        let ours = bytes(&json!({"c": 3}));
        let merged = merge(&foreign, Some((&ours, Ready::Unspecified)), &BTreeMap::new()).unwrap();
        assert_eq!(composite_of(&merged), (json!({"a": 1, "b": 2, "c": 3}), 1));
    }

    #[test]
    fn a_broken_desired_state_is_an_error_with_its_place_not_a_smaller_state() {
        let mut foreign = Vec::new();
        append_composite(&mut foreign, &[0x0a, 9], Ready::True);
        let ours = bytes(&json!({"c": 3}));
        let error = merge(&foreign, Some((&ours, Ready::True)), &BTreeMap::new()).unwrap_err();
        assert_eq!(
            (error.path(), error.kind()),
            ("composite.resource", &ReadErrorKind::Truncated)
        );
        let error = split(&[0x12, 2, 0x0a, 5]).unwrap_err();
        assert_eq!(
            (error.path(), error.kind()),
            ("resources", &ReadErrorKind::Truncated)
        );
        assert!(split(&[0x10, 1]).is_err());
    }
}
