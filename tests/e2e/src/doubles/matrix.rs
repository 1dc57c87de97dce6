//! A Matrix server with one account: rooms with state, aliases, invitations.
//!
//! In: requests with that account's token. Out: the answers of Synapse to what `room-create` and `room-retire` ask,
//! 401 for another token, 404 for anything else. The account is no administrator, so it learns of no mail addresses.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use serde_json::{Value, json};

use super::http::{Answer, Request};

/// The server's name in ids, which is the Platform's default.
const NAME: &str = "planapulse.com";
/// The account.
const BOT: &str = "@support-bot:planapulse.com";

/// The content of state events by type and key; all are sent by [`BOT`].
type Room = BTreeMap<(String, String), Value>;

#[derive(Debug, Default)]
struct World {
    rooms: BTreeMap<String, Room>,
    aliases: BTreeMap<String, String>,
}

/// The server.
#[derive(Debug)]
pub struct Matrix {
    authorization: String,
    world: Mutex<World>,
}

impl Matrix {
    /// One without rooms.
    pub fn new(token: &str) -> Self {
        Self {
            authorization: format!("Bearer {token}"),
            world: Mutex::default(),
        }
    }

    /// The answer to a request.
    pub fn answer(&self, request: &Request) -> Answer {
        if request.header("authorization") != Some(&self.authorization) {
            return error(401, "M_UNKNOWN_TOKEN", "Invalid access token passed.");
        }
        let path: Vec<_> = request.target.split('/').skip(1).map(decode).collect();
        let path: Vec<_> = path.iter().map(String::as_str).collect();
        // Rooms are put in whole, so one who panicked has left them usable.
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        match (request.method.as_str(), path.as_slice()) {
            (method, ["_matrix", "client", "v3", rest @ ..]) => world.client(method, rest, request),
            ("GET", ["_synapse", "admin", ..]) => error(403, "M_FORBIDDEN", "You are not a server admin"),
            _ => unknown(),
        }
    }
}

impl World {
    fn client(&mut self, method: &str, path: &[&str], request: &Request) -> Answer {
        let body = request.json();
        match (method, path) {
            ("GET", ["account", "whoami"]) => Answer::new(200, json!({"user_id": BOT, "is_guest": false})),
            ("GET", ["directory", "room", alias]) => match self.aliases.get(*alias) {
                Some(id) => Answer::new(200, json!({"room_id": id, "servers": [NAME]})),
                None => error(404, "M_NOT_FOUND", "Room alias not found"),
            },
            ("POST", ["createRoom"]) => self.create(&body),
            (_, ["rooms", id, rest @ ..]) => match self.rooms.get_mut(*id) {
                Some(room) => in_room(room, id, method, rest, body),
                None => error(403, "M_FORBIDDEN", "User not in room"),
            },
            _ => unknown(),
        }
    }

    fn create(&mut self, body: &Value) -> Answer {
        let local = body["room_alias_name"].as_str().unwrap_or_default();
        if local.is_empty() || local.starts_with('#') || local.contains([':', ' ']) {
            return error(400, "M_INVALID_PARAM", "Invalid characters in room alias");
        }
        let alias = format!("#{local}:{NAME}");
        if self.aliases.contains_key(&alias) {
            return error(400, "M_ROOM_IN_USE", "Room alias already taken");
        }
        let id = format!("!room{}:{NAME}", self.rooms.len());
        let event = |kind: &str, key: &str, content: Value| ((kind.to_owned(), key.to_owned()), content);
        let mut room = Room::from([
            event("m.room.create", "", json!({"room_version": "11"})),
            event("m.room.member", BOT, json!({"membership": "join"})),
            event("m.room.canonical_alias", "", json!({"alias": alias})),
            event("m.room.name", "", json!({"name": body["name"]})),
            event("m.room.topic", "", json!({"topic": body["topic"]})),
        ]);
        for initial in body["initial_state"].as_array().into_iter().flatten() {
            let text = |field: &str| initial[field].as_str().unwrap_or_default();
            room.extend([event(text("type"), text("state_key"), initial["content"].clone())]);
        }
        self.aliases.insert(alias, id.clone());
        self.rooms.insert(id.clone(), room);
        Answer::new(200, json!({"room_id": id}))
    }
}

fn in_room(room: &mut Room, id: &str, method: &str, path: &[&str], body: Value) -> Answer {
    match (method, path) {
        ("GET", ["state"]) => {
            let events = room.iter().map(|((kind, key), content)| {
                json!({"type": kind, "state_key": key, "sender": BOT, "content": content, "room_id": id})
            });
            Answer::new(200, events.collect())
        }
        ("PUT", ["state", kind]) => {
            room.insert(((*kind).to_owned(), String::new()), body);
            Answer::new(200, json!({"event_id": "$1"}))
        }
        ("POST", ["invite"]) => invite(room, body["user_id"].as_str().unwrap_or_default()),
        _ => unknown(),
    }
}

fn invite(room: &mut Room, user: &str) -> Answer {
    if !user.starts_with('@') || !user.contains(':') {
        return error(400, "M_INVALID_PARAM", "Invalid user id");
    }
    let member = room
        .entry(("m.room.member".to_owned(), user.to_owned()))
        .or_default();
    if member["membership"] == "join" {
        return error(403, "M_FORBIDDEN", "is already in the room.");
    }
    *member = json!({"membership": "invite"});
    Answer::new(200, json!({}))
}

fn error(status: u16, code: &str, text: &str) -> Answer {
    Answer::new(status, json!({"errcode": code, "error": text}))
}

fn unknown() -> Answer {
    error(404, "M_UNRECOGNIZED", "Unrecognized request")
}

/// A segment of a path, without its encoding.
fn decode(segment: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = segment.as_bytes();
    while let [first, tail @ ..] = rest {
        let digits = (*first == b'%').then(|| tail.get(..2)).flatten();
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        if let Some(byte) = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            bytes.push(byte);
            rest = &tail[2..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(server: &Matrix, token: &str, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let answer = server.answer(&Request {
            method: method.to_owned(),
            target: format!("/_matrix/client/v3/{path}"),
            headers: vec![("authorization".to_owned(), format!("Bearer {token}"))],
            body: body.to_string().into_bytes(),
        });
        (answer.status, answer.body)
    }

    #[test]
    fn a_room_is_made_once_found_by_its_alias_and_keeps_its_state() {
        let server = Matrix::new("t");
        let ask = |method: &str, path: &str, body: Value| ask(&server, "t", method, path, &body);
        let lookup = || {
            ask(
                "GET",
                "directory/room/%23support-acme-023%3Aplanapulse.com",
                json!(null),
            )
        };
        assert_eq!(lookup().0, 404);
        let room = json!({"room_alias_name": "support-acme-023", "name": "Acme", "topic": "t", "initial_state": [
            {"type": "com.planapulse.support", "state_key": "", "content": {"active": true}}]});
        assert_eq!(ask("POST", "createRoom", room.clone()).0, 200);
        assert_eq!(ask("POST", "createRoom", room).1["errcode"], "M_ROOM_IN_USE");
        let id = lookup().1["room_id"].as_str().unwrap().replace('!', "%21");
        let path = |rest: &str| format!("rooms/{id}/{rest}");
        let (status, _) = ask(
            "PUT",
            &path("state/com.planapulse.support"),
            json!({"active": false}),
        );
        assert_eq!(status, 200);
        assert_eq!(
            ask("POST", &path("invite"), json!({"user_id": "@anna:x.org"})).0,
            200
        );
        let (_, state) = ask("GET", &path("state"), json!(null));
        let content = |kind: &str, key: &str| {
            let mut events = state.as_array().unwrap().iter();
            let event = events
                .find(|event| event["type"] == kind && event["state_key"] == key)
                .unwrap();
            event["content"].clone()
        };
        assert_eq!(content("com.planapulse.support", ""), json!({"active": false}));
        assert_eq!(
            content("m.room.member", "@anna:x.org"),
            json!({"membership": "invite"})
        );
    }

    #[test]
    fn another_token_is_refused() {
        let (status, body) = ask(&Matrix::new("t"), "u", "GET", "account/whoami", &json!(null));
        assert_eq!((status, &body["errcode"]), (401, &json!("M_UNKNOWN_TOKEN")));
    }
}
