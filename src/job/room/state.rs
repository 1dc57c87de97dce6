//! What a room says of itself, and whose it is.
//!
//! In: the state events of a room. Out: its name, who was ever invited, and whether it is ours: made by our account, or marked
//! by it with this alias. A marker that somebody else has set proves nothing, and one with another alias says that the
//! room is another tenant's.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The type of the state event that says what the room is for.
pub const MARKER_TYPE: &str = "com.planapulse.support";
/// The type of the state event with the room's name.
pub const NAME_TYPE: &str = "m.room.name";
const CREATION_TYPE: &str = "m.room.create";
const MEMBER_TYPE: &str = "m.room.member";

/// What we say of a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Marker {
    /// The alias, whole.
    pub alias: String,
    /// Whether the tenant is there.
    pub active: bool,
    /// The owner's mail address, for the staff.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_email: Option<String>,
}

/// A state event, as far as it matters.
#[derive(Debug, Deserialize)]
pub struct StateEvent {
    r#type: String,
    state_key: String,
    sender: String,
    content: Value,
}

/// A room.
#[derive(Debug)]
pub struct Room {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: Option<String>,
    /// Everybody who is in it, or was, or was invited.
    pub members: BTreeSet<String>,
    creator: Option<String>,
    marker: Option<(String, Marker)>,
}

impl Marker {
    /// Of a room that is used.
    pub fn active(alias: &str, owner_email: &str) -> Self {
        Self {
            alias: alias.to_owned(),
            active: true,
            owner_email: Some(owner_email.to_owned()),
        }
    }

    /// Of a room that is not used any more. Whose it was is nobody's concern then.
    pub fn inactive(alias: &str) -> Self {
        Self {
            alias: alias.to_owned(),
            active: false,
            owner_email: None,
        }
    }
}

impl Room {
    /// Reads the state of a room.
    pub fn new(id: &str, events: Vec<StateEvent>) -> Self {
        let mut room = Self {
            id: id.to_owned(),
            name: None,
            members: BTreeSet::new(),
            creator: None,
            marker: None,
        };
        for event in events {
            match event.r#type.as_str() {
                CREATION_TYPE => room.creator = Some(event.sender),
                MEMBER_TYPE => drop(room.members.insert(event.state_key)),
                NAME_TYPE => room.name = event.content["name"].as_str().map(str::to_owned),
                MARKER_TYPE if event.state_key.is_empty() => {
                    // One that is not of this form is none.
                    let marker = serde_json::from_value(event.content).ok();
                    room.marker = marker.map(|marker| (event.sender, marker));
                }
                _ => {}
            }
        }
        room
    }

    /// Whether it is ours to change, as the room of this alias.
    pub fn is_ours(&self, user: &str, alias: &str) -> bool {
        let is_marked = match &self.marker {
            Some((_, marker)) if marker.alias != alias => return false,
            Some((sender, _)) => sender == user,
            None => false,
        };
        is_marked || self.creator.as_deref() == Some(user)
    }

    /// Whether it says that it is used.
    pub fn is_active(&self, alias: &str) -> bool {
        self.says(alias, true)
    }

    /// Whether it says that it is not used any more.
    pub fn is_inactive(&self, alias: &str) -> bool {
        self.says(alias, false)
    }

    fn says(&self, alias: &str, active: bool) -> bool {
        self.marker
            .as_ref()
            .is_some_and(|(_, marker)| marker.alias == alias && marker.active == active)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const BOT: &str = "@bot:x.org";
    const ALIAS: &str = "#support-acme-042:x.org";

    fn room(events: &Value) -> Room {
        Room::new("!r:x.org", serde_json::from_value(events.clone()).unwrap())
    }

    fn event(kind: &str, key: &str, sender: &str, content: &Value) -> Value {
        json!({"type": kind, "state_key": key, "sender": sender, "content": content, "origin_server_ts": 1})
    }

    fn marker(sender: &str, alias: &str) -> Value {
        event(
            MARKER_TYPE,
            "",
            sender,
            &json!({"alias": alias, "active": true, "ownerEmail": "o@x.org"}),
        )
    }

    #[test]
    fn a_room_is_ours_when_we_made_or_marked_it() {
        let made_by = |who| event(CREATION_TYPE, "", who, &json!({"room_version": "11"}));
        let other = "@other:x.org";
        for (events, is_ours) in [
            (json!([made_by(BOT)]), true),
            (json!([made_by(BOT), marker(BOT, ALIAS)]), true),
            (json!([made_by(BOT), marker(other, ALIAS)]), true),
            (json!([made_by(other), marker(BOT, ALIAS)]), true),
            (json!([made_by(other)]), false),
            (json!([made_by(other), marker(other, ALIAS)]), false),
            (
                json!([made_by(BOT), marker(BOT, "#support-globex-001:x.org")]),
                false,
            ),
            (json!([]), false),
        ] {
            assert_eq!(room(&events).is_ours(BOT, ALIAS), is_ours, "{events}");
        }
    }

    #[test]
    fn a_room_says_what_it_is() {
        let room = room(&json!([
            event(NAME_TYPE, "", BOT, &json!({"name": "Support Ö"})),
            event(MEMBER_TYPE, "@a:x.org", BOT, &json!({"membership": "join"})),
            event(MEMBER_TYPE, "@b:x.org", BOT, &json!({"membership": "leave"})),
            event(
                MARKER_TYPE,
                "another",
                BOT,
                &json!({"alias": ALIAS, "active": false})
            ),
            marker(BOT, ALIAS),
        ]));
        assert_eq!(room.name.as_deref(), Some("Support Ö"));
        assert!(room.members.contains("@a:x.org") && room.members.contains("@b:x.org"));
        assert!(room.is_active(ALIAS) && !room.is_inactive(ALIAS));
        assert!(!room.is_active("#another:x.org"));
    }
}
