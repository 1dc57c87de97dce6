//! The requests of the Matrix client-server API (v3, of Matrix 1.1 and later), and one of Synapse's administration.
//!
//! In: an address and a token. Out: answers as values. Each request can be repeated: a second creation of the room meets the
//! alias of the first, states are set to what they are to be, and an invitation is only sent to who has none.

use reqwest::{Client, Method, RequestBuilder, StatusCode, Url, header::AUTHORIZATION, header::HeaderValue};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::state::{self, Marker, Room, StateEvent};
use crate::{
    contract::MATRIX_TOKEN,
    job::{
        attempt::Attempt,
        failure::{Attempted, Failure},
        http::{self, Answer, Patience, Peer, secret_header},
        secrets,
    },
};

const CLIENT: [&str; 3] = ["_matrix", "client", "v3"];
/// What a server answers to the second of two who want one alias.
const TAKEN: &str = "M_ROOM_IN_USE";

/// A Matrix server that knows us.
pub struct Matrix<'a> {
    peer: Peer<'a>,
    /// For requests about others, who may never answer.
    brief: Peer<'a>,
    base: Url,
    authorization: HeaderValue,
    /// Who we are there.
    pub user: String,
}

/// What came of an invitation.
pub enum Invited {
    /// It was sent.
    Yes,
    /// It was not, and why.
    No(String),
}

/// A room that is to be made.
#[derive(Serialize)]
pub struct NewRoom<'a> {
    room_alias_name: &'a str,
    name: &'a str,
    topic: &'a str,
    preset: &'a str,
    visibility: &'a str,
    initial_state: [InitialState; 1],
}

#[derive(Serialize)]
struct InitialState {
    r#type: &'static str,
    state_key: &'static str,
    content: Marker,
}

impl<'a> NewRoom<'a> {
    /// A room that only those see who are invited. Nobody is invited here: a server that cannot invite one of them
    /// would say that it failed, having made the room all the same.
    pub fn new(alias: &'a str, name: &'a str, topic: &'a str, marker: Marker) -> Self {
        Self {
            room_alias_name: alias,
            name,
            topic,
            preset: "private_chat",
            visibility: "private",
            initial_state: [InitialState {
                r#type: state::MARKER_TYPE,
                state_key: "",
                content: marker,
            }],
        }
    }
}

/// An answer that names a user.
#[derive(Deserialize)]
struct User {
    user_id: String,
}

/// An answer that names a room.
#[derive(Deserialize)]
struct RoomId {
    room_id: String,
}

/// What a server says of an error.
#[derive(Deserialize)]
struct Refusal {
    errcode: String,
}

#[derive(Serialize)]
struct Name<'a> {
    name: &'a str,
}

#[derive(Serialize)]
struct Invitation<'a> {
    user_id: &'a str,
}

impl<'a> Matrix<'a> {
    /// Asks the server who we are, with the token of the environment.
    pub async fn log_in(attempt: &'a Attempt, homeserver: &str) -> Attempted<Self> {
        let base = http::address("homeserver", homeserver)?;
        let token = secrets::required(MATRIX_TOKEN)?;
        let authorization = secret_header(MATRIX_TOKEN, &format!("Bearer {}", token.expose()))?;
        let peer = Peer::new(attempt, "the Matrix server", [token])?;
        let mut matrix = Self {
            brief: peer.brief(),
            peer,
            base,
            authorization,
            user: String::new(),
        };
        let url = matrix.url(["account", "whoami"]);
        let answer = matrix.peer.ask(matrix.get(&url), |_| false).await;
        let answer = answer.map_err(|failure| match failure.reason {
            "NotAccepted" => Failure {
                message: format!(
                    "{}; is --homeserver the address of a Matrix server?",
                    failure.message
                ),
                ..failure
            },
            _ => failure,
        })?;
        matrix.user = read::<User>(&answer, "whoami")?.user_id;
        Ok(matrix)
    }

    /// The patience for something that is not there at once.
    pub fn patience(&self) -> &Patience {
        self.peer.patience()
    }

    /// The room that an alias leads to.
    pub async fn lookup(&self, alias: &str) -> Attempted<Option<String>> {
        let url = self.url(["directory", "room", alias]);
        let answer = self
            .peer
            .ask(self.get(&url), |answer| {
                answer.status == StatusCode::NOT_FOUND && is_of(answer, "M_NOT_FOUND")
            })
            .await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        Ok(Some(read::<RoomId>(&answer, "the alias")?.room_id))
    }

    /// What a room says of itself; `None` for one that does not let us in.
    pub async fn room(&self, id: &str) -> Attempted<Option<Room>> {
        let url = self.url(["rooms", id, "state"]);
        let hidden = |answer: &Answer| matches!(answer.status, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND);
        let answer = self.peer.ask(self.get(&url), hidden).await?;
        if hidden(&answer) {
            return Ok(None);
        }
        let events: Vec<StateEvent> = read(&answer, "the state of the room")?;
        Ok(Some(Room::new(id, events)))
    }

    /// Makes a room; `false` when the alias is taken.
    pub async fn create(&self, room: &NewRoom<'_>) -> Attempted<bool> {
        let url = self.url(["createRoom"]);
        // Two at the same moment pass the check of the alias, and one of them fails to store it, with 409.
        let taken = |answer: &Answer| answer.status == StatusCode::CONFLICT || is_of(answer, TAKEN);
        let answer = self.peer.ask(self.send(Method::POST, &url, room), taken).await?;
        Ok(answer.status.is_success())
    }

    /// Sets the name of a room.
    pub async fn set_name(&self, room: &str, name: &str) -> Attempted<()> {
        self.set(room, state::NAME_TYPE, &Name { name }).await
    }

    /// Sets what we say of a room.
    pub async fn set_marker(&self, room: &str, marker: &Marker) -> Attempted<()> {
        self.set(room, state::MARKER_TYPE, marker).await
    }

    async fn set(&self, room: &str, kind: &str, content: &impl Serialize) -> Attempted<()> {
        let url = self.url(["rooms", room, "state", kind]);
        let request = self.send(Method::PUT, &url, content);
        self.peer.ask(request, |_| false).await.map(drop)
    }

    /// Invites somebody. That this may fail is no failure: the account, or its server, may not be there.
    pub async fn invite(&self, room: &str, user: &str) -> Attempted<Invited> {
        let url = self.url(["rooms", room, "invite"]);
        let invitation = Invitation { user_id: user };
        let request = self.send(Method::POST, &url, &invitation);
        match self.brief.ask(request, |_| false).await {
            Ok(_) => Ok(Invited::Yes),
            // A server of others that is away or refuses is told as 4xx or 5xx of ours.
            Err(failure) if ["NotAccepted", "EndpointFailing"].contains(&failure.reason) => {
                Ok(Invited::No(failure.message))
            }
            Err(failure) => Err(failure),
        }
    }

    /// The account with a mail address, where the server is a Synapse that tells us.
    pub async fn account_of(&self, mail: &str) -> Attempted<Option<String>> {
        // Synapse keeps addresses in lower case.
        let mail = mail.to_lowercase();
        let segments = ["_synapse", "admin", "v1", "threepid", "email", "users", &mail];
        let url = http::with_path(&self.base, segments);
        let untold = |answer: &Answer| {
            answer.status.is_client_error() && answer.status != StatusCode::TOO_MANY_REQUESTS
        };
        match self.brief.ask(self.get(&url), untold).await {
            Ok(answer) if answer.status.is_success() => Ok(answer.json::<User>().map(|user| user.user_id)),
            Ok(_) => Ok(None),
            // A gateway that keeps the administration to itself may say so in this way, too.
            Err(failure) if failure.reason == "EndpointFailing" => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    fn url<const N: usize>(&self, segments: [&str; N]) -> Url {
        http::with_path(&self.base, CLIENT.into_iter().chain(segments))
    }

    fn get(&self, url: &Url) -> impl Fn(&Client) -> RequestBuilder {
        move |client| {
            client
                .get(url.clone())
                .header(AUTHORIZATION, self.authorization.clone())
        }
    }

    fn send(&self, method: Method, url: &Url, body: &impl Serialize) -> impl Fn(&Client) -> RequestBuilder {
        move |client| {
            client
                .request(method.clone(), url.clone())
                .header(AUTHORIZATION, self.authorization.clone())
                .json(body)
        }
    }
}

fn is_of(answer: &Answer, code: &str) -> bool {
    answer
        .json::<Refusal>()
        .is_some_and(|refusal| refusal.errcode == code)
}

fn read<T: DeserializeOwned>(answer: &Answer, what: &str) -> Attempted<T> {
    answer.json().ok_or_else(|| {
        Failure::give_up(
            "AnswerUnknown",
            format!(
                "the Matrix server's answer about {what} is not what Matrix has; is --homeserver its address?"
            ),
        )
    })
}
