//! `room-create`, `room-retire`: the support room of a tenant on a Matrix server.
//!
//! In: an alias, and who is to be in the room. Out: a room that has the alias and is ours, with everybody invited who can be;
//! or one that says it is inactive. The alias is what makes it one room: the server gives it to one only. A room that
//! has it without being ours is refused.
//!
//! | file | what it has |
//! |---|---|
//! | `matrix` | the requests |
//! | `state` | what a room says of itself, and whose it is |

mod matrix;
mod state;

use tracing::{info, warn};

use self::{
    matrix::{Invited, Matrix, NewRoom},
    state::{Marker, Room},
};
use super::{
    attempt::Attempt,
    failure::{Attempted, Failure},
    http::Trouble,
};
use crate::contract::{Report, RoomCreate, RoomReport, RoomRetire};

/// Stands before the name of a room that is no longer used.
const INACTIVE: &str = "[inactive] ";
/// The reason while a room does not let us in.
const HIDDEN: &str = "RoomHidden";

/// Makes the room, or finds it.
pub async fn create(attempt: &Attempt, command: &RoomCreate) -> Attempted<Option<Report>> {
    attempt.phase("check").await?;
    let alias = alias(&command.alias, &command.server_name)?;
    let matrix = Matrix::log_in(attempt, &command.homeserver).await?;
    attempt.phase("find").await?;
    let found = find(attempt, &matrix, &alias).await?;
    if attempt.dry_run {
        say_create(attempt, command, &alias, found.as_ref());
        return Ok(None);
    }
    attempt.phase("create").await?;
    let existed = found.is_some();
    let room = match found {
        Some(room) => room,
        None => make(attempt, &matrix, command, &alias).await?,
    };
    attempt.phase("mark").await?;
    activate(&matrix, &room, command, &alias).await?;
    attempt.phase("invite").await?;
    let not_invited = invite(&matrix, &room, command).await?;
    attempt.phase("prove").await?;
    let proven = find(attempt, &matrix, &alias).await?;
    match proven.filter(|proven| proven.id == room.id && proven.is_active(&alias)) {
        Some(_) => Ok(Some(Report::Room(RoomReport {
            room_id: room.id,
            alias,
            existed,
            not_invited,
        }))),
        None => Err(changed_meanwhile(&alias)),
    }
}

/// Marks the room as inactive. One that is not there needs no mark.
pub async fn retire(attempt: &Attempt, command: &RoomRetire) -> Attempted<Option<Report>> {
    attempt.phase("check").await?;
    let alias = alias(&command.alias, &command.server_name)?;
    let matrix = Matrix::log_in(attempt, &command.homeserver).await?;
    attempt.phase("find").await?;
    let Some(room) = find(attempt, &matrix, &alias).await? else {
        info!("there is no room {alias}, so there is nothing to retire");
        return Ok(Some(Report::Room(RoomReport {
            alias,
            ..RoomReport::default()
        })));
    };
    if attempt.only_says(&format!("mark the room {} ({alias}) as inactive", room.id)) {
        return Ok(None);
    }
    attempt.phase("mark").await?;
    // The name first: the marker is what says that it is done.
    let name = room.name.as_deref().unwrap_or(&command.alias);
    if !name.starts_with(INACTIVE) {
        matrix.set_name(&room.id, &format!("{INACTIVE}{name}")).await?;
    }
    if !room.is_inactive(&alias) {
        matrix.set_marker(&room.id, &Marker::inactive(&alias)).await?;
    }
    attempt.phase("prove").await?;
    let proven = find(attempt, &matrix, &alias).await?;
    match proven.filter(|proven| proven.id == room.id && proven.is_inactive(&alias)) {
        Some(_) => Ok(Some(Report::Room(RoomReport {
            room_id: room.id,
            alias,
            existed: true,
            not_invited: Vec::new(),
        }))),
        None => Err(changed_meanwhile(&alias)),
    }
}

/// The whole alias, when it can be one.
fn alias(name: &str, server: &str) -> Attempted<String> {
    /// Bytes of an alias, as the specification has it.
    const LONGEST: usize = 255;
    let alias = format!("#{name}:{server}");
    let invalid = |problem: &str| {
        let message = format!("{alias:?} cannot be the alias of a room: {problem}");
        Err(Failure::give_up("AliasInvalid", message))
    };
    if name.is_empty() || server.is_empty() {
        return invalid("--alias and --server-name must not be empty");
    }
    if name.contains(|letter: char| letter == ':' || letter.is_whitespace() || letter.is_control()) {
        return invalid("--alias has a colon, a space or a control character");
    }
    if alias.len() > LONGEST {
        return invalid(&format!("it has more than {LONGEST} bytes"));
    }
    Ok(alias)
}

/// The room with this alias, if there is one. It is ours, or this fails.
async fn find(attempt: &Attempt, matrix: &Matrix<'_>, alias: &str) -> Attempted<Option<Room>> {
    let Some(id) = matrix.lookup(alias).await? else {
        return Ok(None);
    };
    // A server may know the alias before the room has its state, and says until then that we are not in it.
    let read = async |_| match matrix.room(&id).await? {
        Some(room) => Ok(room),
        None => Err(Trouble::from(Failure::retry(
            HIDDEN,
            format!(
                "the room {id} has the alias {alias} and does not let {} in",
                matrix.user
            ),
        ))),
    };
    match matrix.patience().persist(attempt, read).await {
        Ok(room) if room.is_ours(&matrix.user, alias) => Ok(Some(room)),
        Ok(_) => Err(foreign(&format!(
            "the room {id} has the alias {alias}, but {} has not made it or set its state {} to this alias",
            matrix.user,
            state::MARKER_TYPE
        ))),
        Err(failure) if failure.reason == HIDDEN => Err(foreign(&failure.message)),
        Err(failure) => Err(failure),
    }
}

fn foreign(what: &str) -> Failure {
    Failure::refused(
        "RoomForeign",
        format!("{what}; take the alias from that room, or use the token of the account that made it"),
    )
}

/// Makes the room; another that is faster makes it for us.
async fn make(attempt: &Attempt, matrix: &Matrix<'_>, command: &RoomCreate, alias: &str) -> Attempted<Room> {
    let topic = format!("Support of {}, owner {}", command.alias, command.owner_email);
    let room = NewRoom::new(
        &command.alias,
        &command.name,
        &topic,
        Marker::active(alias, &command.owner_email),
    );
    if !matrix.create(&room).await? {
        info!("somebody else made {alias} just now");
    }
    let found = find(attempt, matrix, alias).await?;
    found.ok_or_else(|| {
        let message = format!("the server made a room for {alias} and does not find it");
        Failure::retry("RoomMissing", message)
    })
}

/// Makes a room that was found what it would be if it were new; what the staff changed in it stays.
async fn activate(matrix: &Matrix<'_>, room: &Room, command: &RoomCreate, alias: &str) -> Attempted<()> {
    if !room.is_active(alias) {
        let marker = Marker::active(alias, &command.owner_email);
        matrix.set_marker(&room.id, &marker).await?;
    }
    let is_named = room.name.as_ref().is_some_and(|name| !name.starts_with(INACTIVE));
    if !is_named {
        matrix.set_name(&room.id, &command.name).await?;
    }
    Ok(())
}

/// Invites everybody who was not invited yet; returns who could not be.
async fn invite(matrix: &Matrix<'_>, room: &Room, command: &RoomCreate) -> Attempted<Vec<String>> {
    let mut not_invited = Vec::new();
    let owner = matrix.account_of(&command.owner_email).await?;
    if owner.is_none() {
        info!("the server tells of no account with the owner's mail address; the topic of the room has it");
        not_invited.push(command.owner_email.clone());
    }
    let mut invited = room.members.clone();
    for user in command.invite.iter().chain(&owner) {
        if !invited.insert(user.clone()) {
            continue;
        }
        match matrix.invite(&room.id, user).await? {
            Invited::Yes => info!("invited {user}"),
            Invited::No(why) => {
                warn!("cannot invite {user}: {why}");
                not_invited.push(user.clone());
            }
        }
    }
    Ok(not_invited)
}

fn say_create(attempt: &Attempt, command: &RoomCreate, alias: &str, found: Option<&Room>) {
    let missing = |user: &&String| found.is_none_or(|room| !room.members.contains(*user));
    let missing: Vec<_> = command
        .invite
        .iter()
        .filter(missing)
        .map(String::as_str)
        .collect();
    let make = match found {
        None => format!("make the room {alias}"),
        Some(room) if room.is_active(alias) => format!("keep the room {} ({alias})", room.id),
        Some(room) => format!("make the room {} ({alias}) active again", room.id),
    };
    let invite = match missing.as_slice() {
        [] => String::new(),
        missing => format!(", and invite {}", missing.join(", ")),
    };
    attempt.only_says(&format!("{make}{invite}"));
}

fn changed_meanwhile(alias: &str) -> Failure {
    let message = format!("the room {alias} is not as it was left; somebody else changed it just now");
    Failure::retry("RoomChanged", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_are_checked() {
        assert_eq!(
            alias("support-acme-042", "x.org").unwrap(),
            "#support-acme-042:x.org"
        );
        assert!(alias("a\"b.c%2e'é/#?", "x.org").is_ok());
        let long = "a".repeat(249);
        for (name, server) in [
            ("", "x.org"),
            ("a", ""),
            ("a b", "x.org"),
            ("a:b", "x.org"),
            (&long, "x.org"),
        ] {
            let failure = alias(name, server).unwrap_err();
            assert_eq!(failure.reason, "AliasInvalid", "{name}");
        }
    }
}
