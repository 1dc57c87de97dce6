//! A Matrix server of the test's own, over the HTTP double: it keeps rooms, aliases and accounts, and checks what it is asked.
//!
//! In: accounts, and what goes wrong. Out: its rooms, and a list of everything in the requests that a real server would not
//! have taken. It answers like Synapse where that differs from what one would expect: an alias can be known before the room
//! has its state, an invitation of somebody who is in the room is refused, and of two who want one alias at the same
//! moment the second gets 409.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use crate::http_double::{Double, Request, Step, answer};

/// The server's name in ids.
pub const NAME: &str = "x.org";
/// The account that the tokens of the tests belong to.
pub const BOT: &str = "@bot:x.org";
/// Its token.
pub const TOKEN: &str = "syt_planted_matrix_token";

/// What happens to a request instead of, or after, being served.
pub enum Fault {
    /// It is not served.
    Instead(Step),
    /// It is served, and the answer is lost.
    After(Step),
}

type Faults = dyn Fn(&Request, usize) -> Option<Fault> + Send + Sync;

/// A room.
#[derive(Clone, Debug, Default)]
pub struct Room {
    /// State events by type and key: sender and content.
    pub state: BTreeMap<(String, String), (String, Value)>,
}

/// What the server knows.
#[derive(Default)]
pub struct World {
    /// Rooms by id.
    pub rooms: BTreeMap<String, Room>,
    /// Room ids by alias.
    pub aliases: BTreeMap<String, String>,
    /// Accounts by mail address.
    pub mails: BTreeMap<String, String>,
    /// Whether the token is an administrator's.
    pub is_admin: bool,
    /// Accounts that cannot be invited, with status and code.
    pub unreachable: BTreeMap<String, (u16, &'static str)>,
    /// How long an alias is known before its room has its state.
    pub gap: Duration,
    /// Requests that a real server would not have taken.
    pub violations: Vec<String>,
    /// How often something was changed.
    pub changes: u32,
}

/// The server.
pub struct Matrix {
    /// What it was asked.
    pub http: Double,
    world: Arc<Mutex<World>>,
}

impl Room {
    /// The content of a state event.
    pub fn content(&self, kind: &str, key: &str) -> Option<&Value> {
        let event = self.state.get(&(kind.to_owned(), key.to_owned()));
        event.map(|(_, content)| content)
    }

    /// Sets a state event.
    pub fn set(&mut self, sender: &str, kind: &str, key: &str, content: Value) {
        self.state
            .insert((kind.to_owned(), key.to_owned()), (sender.to_owned(), content));
    }

    /// The membership of somebody.
    pub fn membership(&self, user: &str) -> Option<&str> {
        self.content("m.room.member", user)?["membership"].as_str()
    }
}

impl Matrix {
    /// A server where nothing goes wrong.
    pub fn new(prepare: impl FnOnce(&mut World)) -> Self {
        Self::with_faults(prepare, |_, _| None)
    }

    /// A server where this goes wrong; it gets the request and how many came before.
    pub fn with_faults(
        prepare: impl FnOnce(&mut World),
        faults: impl Fn(&Request, usize) -> Option<Fault> + Send + Sync + 'static,
    ) -> Self {
        let mut world = World::default();
        prepare(&mut world);
        let world = Arc::new(Mutex::new(world));
        let server = Arc::clone(&world);
        let faults: Box<Faults> = Box::new(faults);
        let http = Double::new(move |request, before| match faults(request, before) {
            Some(Fault::Instead(step)) => step,
            Some(Fault::After(step)) => {
                serve(&server, request);
                step
            }
            None => serve(&server, request),
        });
        Self { http, world }
    }

    /// What it knows.
    pub fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }

    /// The room with an alias, the only one of the server.
    pub fn only_room(&self, alias: &str) -> (String, Room) {
        let world = self.world();
        assert_eq!(world.rooms.len(), 1, "{:?}", world.rooms);
        let id = &world.aliases[alias];
        (id.clone(), world.rooms[id].clone())
    }

    /// Ends the test if anything was asked in a way that a real server does not take.
    pub fn assert_clean(&self) {
        let violations = self.world().violations.clone();
        assert!(violations.is_empty(), "{violations:#?}");
    }
}

fn lock(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

fn error(status: u16, code: &str, text: &str) -> Step {
    answer(status, json!({"errcode": code, "error": text}).to_string())
}

fn serve(shared: &Mutex<World>, request: &Request) -> Step {
    if request.header("authorization") != Some(&format!("Bearer {TOKEN}")) {
        return error(401, "M_UNKNOWN_TOKEN", "Invalid access token passed.");
    }
    let path: Vec<String> = request.target.split('/').skip(1).map(decode).collect();
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let method = request.method.as_str();
    if request.target.contains(['?', '#']) {
        lock(shared)
            .violations
            .push(format!("a query: {}", request.target));
    }
    let has_body = matches!(method, "POST" | "PUT");
    if has_body && request.header("content-type") != Some("application/json") {
        lock(shared)
            .violations
            .push(format!("no JSON: {}", request.target));
    }
    match (method, path.as_slice()) {
        ("GET", ["_matrix", "client", "v3", "account", "whoami"]) => {
            answer(200, json!({"user_id": BOT, "is_guest": false}).to_string())
        }
        ("GET", ["_matrix", "client", "v3", "directory", "room", alias]) => {
            match lock(shared).aliases.get(*alias) {
                Some(id) => answer(200, json!({"room_id": id, "servers": [NAME]}).to_string()),
                None => error(404, "M_NOT_FOUND", "Room alias not found"),
            }
        }
        ("POST", ["_matrix", "client", "v3", "createRoom"]) => create(shared, &request.json()),
        ("GET", ["_matrix", "client", "v3", "rooms", id, "state"]) => state(&lock(shared), id),
        ("PUT", ["_matrix", "client", "v3", "rooms", id, "state", kind]) => {
            let mut world = lock(shared);
            let Some(room) = world.rooms.get_mut(*id) else {
                return error(403, "M_FORBIDDEN", "not in room");
            };
            room.set(BOT, kind, "", request.json());
            world.changes += 1;
            answer(200, r#"{"event_id":"$1"}"#)
        }
        ("POST", ["_matrix", "client", "v3", "rooms", id, "invite"]) => {
            invite(&mut lock(shared), id, &request.json())
        }
        ("GET", ["_synapse", "admin", "v1", "threepid", "email", "users", mail]) => {
            let world = lock(shared);
            match world.mails.get(*mail) {
                _ if !world.is_admin => error(403, "M_FORBIDDEN", "You are not a server admin"),
                Some(user) => answer(200, json!({"user_id": user}).to_string()),
                None => error(404, "M_NOT_FOUND", "User not found"),
            }
        }
        _ => {
            lock(shared)
                .violations
                .push(format!("{method} {}", request.target));
            error(404, "M_UNRECOGNIZED", "Unrecognized request")
        }
    }
}

fn create(shared: &Mutex<World>, body: &Value) -> Step {
    let mut world = lock(shared);
    let local = body["room_alias_name"].as_str().unwrap_or_default();
    if local.is_empty() || local.contains([':', ' ']) || local.starts_with('#') {
        world.violations.push(format!("room_alias_name: {local:?}"));
        return error(400, "M_INVALID_PARAM", "Invalid characters in room alias");
    }
    for (field, expected) in [("preset", "private_chat"), ("visibility", "private")] {
        if body[field] != expected {
            world.violations.push(format!("{field}: {}", body[field]));
        }
    }
    if body.get("invite").is_some() {
        world.violations.push("invitations in createRoom".to_owned());
    }
    let alias = format!("#{local}:{NAME}");
    if world.aliases.contains_key(&alias) {
        return if world.gap.is_zero() {
            error(400, "M_ROOM_IN_USE", "Room alias already taken")
        } else {
            error(409, "M_UNKNOWN", "Room alias already exists")
        };
    }
    let id = format!("!room{}/%#?:{NAME}", world.rooms.len());
    world.aliases.insert(alias.clone(), id.clone());
    let gap = world.gap;
    drop(world);
    thread::sleep(gap);
    let mut room = Room::default();
    room.set(BOT, "m.room.create", "", json!({"room_version": "11"}));
    room.set(BOT, "m.room.member", BOT, json!({"membership": "join"}));
    room.set(BOT, "m.room.canonical_alias", "", json!({"alias": alias}));
    for event in body["initial_state"].as_array().into_iter().flatten() {
        let text = |field: &str| event[field].as_str().unwrap_or_default();
        room.set(BOT, text("type"), text("state_key"), event["content"].clone());
    }
    room.set(BOT, "m.room.name", "", json!({"name": body["name"]}));
    room.set(BOT, "m.room.topic", "", json!({"topic": body["topic"]}));
    let mut world = lock(shared);
    world.rooms.insert(id.clone(), room);
    world.changes += 1;
    answer(200, json!({"room_id": id}).to_string())
}

fn state(world: &World, id: &str) -> Step {
    let Some(room) = world
        .rooms
        .get(id)
        .filter(|room| room.membership(BOT) == Some("join"))
    else {
        return error(403, "M_FORBIDDEN", "User not in room");
    };
    let events = room.state.iter().map(|((kind, key), (sender, content))| {
        json!({"type": kind, "state_key": key, "sender": sender, "content": content, "room_id": id})
    });
    answer(200, events.collect::<Value>().to_string())
}

fn invite(world: &mut World, id: &str, body: &Value) -> Step {
    let user = body["user_id"].as_str().unwrap_or_default().to_owned();
    if !user.starts_with('@') || !user.contains(':') {
        world.violations.push(format!("invitation of {user:?}"));
        return error(400, "M_INVALID_PARAM", "Invalid user id");
    }
    if let Some((status, code)) = world.unreachable.get(&user) {
        return error(*status, code, "cannot be invited");
    }
    let Some(room) = world.rooms.get_mut(id) else {
        return error(403, "M_FORBIDDEN", "not in room");
    };
    if room.membership(&user) == Some("join") {
        world
            .violations
            .push(format!("{user} is in the room and was invited"));
        return error(403, "M_FORBIDDEN", "is already in the room.");
    }
    room.set(BOT, "m.room.member", &user, json!({"membership": "invite"}));
    world.changes += 1;
    answer(200, "{}")
}

/// A segment of a path, without its encoding.
fn decode(segment: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = segment.as_bytes();
    while let [first, tail @ ..] = rest {
        let encoded = (*first == b'%').then(|| tail.get(..2)).flatten();
        let encoded = encoded.and_then(|digits| std::str::from_utf8(digits).ok());
        if let Some(byte) = encoded.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            bytes.push(byte);
            rest = &tail[2..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).expect("paths are UTF-8")
}
