//! `event-publish`: publish an event of a tenant, once.
//!
//! In: the facts of the tenant, and where events go: a stream of a Redis server, or a REST endpoint. Out: an event that is
//! there exactly once, however often and by how many it was published.
//!
//! | file | what it has |
//! |---|---|
//! | `redis` | connections to a Redis server, and what its errors mean |
//! | `stream` | an entry that is added once |

mod redis;
mod stream;

use jiff::{Timestamp, Unit};
use reqwest::{StatusCode, header::CONTENT_TYPE};
use serde::Serialize;

use self::{redis::Server, stream::Entry};
use super::{
    attempt::Attempt,
    failure::{Attempted, Failure},
    http::{self, Peer, secret_header},
    notify::Facts,
    secrets,
};
use crate::contract::{EVENTS_PASSWORD, EventPublish, EventReport, Report};

const SPECIFICATION: &str = "1.0";
const KEY_HEADER: &str = "x-api-key";
/// The type of a whole event as one document, which is what the specification calls structured.
const CONTENT: &str = "application/cloudevents+json";

/// An event, as the CloudEvents specification has it.
#[derive(Serialize)]
struct CloudEvent<'a> {
    specversion: &'a str,
    id: &'a str,
    source: &'a str,
    r#type: &'a str,
    subject: &'a str,
    time: String,
    datacontenttype: &'a str,
    data: Facts<'a>,
}

/// Publishes the event.
pub async fn run(attempt: &Attempt, command: &EventPublish) -> Attempted<Option<Report>> {
    attempt.phase("check").await?;
    check(command)?;
    let event = serde_json::to_string(&event(command))
        .map_err(|error| Failure::give_up("EventInvalid", error.to_string()))?;
    let report = if command.address.starts_with("http:") || command.address.starts_with("https:") {
        post(attempt, command, event).await?
    } else {
        add(attempt, command, &event).await?
    };
    Ok(report.map(Report::Event))
}

/// What the specification and the stream demand of the arguments.
fn check(command: &EventPublish) -> Attempted<()> {
    let named = [
        ("id", &command.id),
        ("source", &command.source),
        ("event-type", &command.event_type),
        ("subdomain", &command.tenant.subdomain),
        ("stream", &command.stream),
    ];
    if let Some((argument, _)) = named.iter().find(|(_, value)| value.is_empty()) {
        let message = format!("--{argument} is empty, which an event may not have");
        return Err(Failure::give_up("EventInvalid", message));
    }
    if command.max_length == 0 {
        let message = "--max-length is 0: a stream that keeps nothing publishes nothing";
        return Err(Failure::give_up("EventInvalid", message));
    }
    Ok(())
}

fn event(command: &EventPublish) -> CloudEvent<'_> {
    // The clock's nanoseconds would only look precise.
    let now = Timestamp::now();
    let time = now.round(Unit::Millisecond).unwrap_or(now).to_string();
    CloudEvent {
        specversion: SPECIFICATION,
        id: &command.id,
        source: &command.source,
        r#type: &command.event_type,
        subject: &command.tenant.subdomain,
        time,
        datacontenttype: "application/json",
        data: (&command.tenant).into(),
    }
}

async fn add(attempt: &Attempt, command: &EventPublish, event: &str) -> Attempted<Option<EventReport>> {
    let server = Server::new(&command.address, secrets::optional(EVENTS_PASSWORD)?)?;
    let patience = http::Patience::from_environment()?;
    let entry = Entry {
        stream: &command.stream,
        max_length: command.max_length,
        id: &command.id,
        source: &command.source,
        r#type: &command.event_type,
        subject: &command.tenant.subdomain,
        event,
    };
    if attempt.dry_run {
        let found = patience
            .persist(attempt, async |_| {
                let mut connection = server.connect(patience.request).await?;
                Ok(entry.find(&mut connection).await?)
            })
            .await?;
        let would = match found {
            Some(found) => format!("change nothing: the event is entry {found} of {}", command.stream),
            None => format!(
                "add event {} to the stream {} of {}",
                command.id,
                command.stream,
                server.place()
            ),
        };
        attempt.only_says(&would);
        return Ok(None);
    }
    attempt.phase("publish").await?;
    let published = patience
        .persist(attempt, async |_| {
            let mut connection = server.connect(patience.request).await?;
            Ok(entry.publish(&mut connection).await?)
        })
        .await?;
    Ok(Some(EventReport {
        entry: published.entry,
        existed: published.existed,
    }))
}

async fn post(attempt: &Attempt, command: &EventPublish, event: String) -> Attempted<Option<EventReport>> {
    let url = http::address("address", &command.address)?;
    let key = secrets::optional(EVENTS_PASSWORD)?;
    let header = key
        .as_ref()
        .map(|key| secret_header(EVENTS_PASSWORD, key.expose()))
        .transpose()?;
    let peer = Peer::new(
        attempt,
        "the event service",
        key.into_iter().chain(http::secrets_of(&url)),
    )?;
    if attempt.only_says(&format!("post event {} to {}", command.id, http::shown(&url))) {
        return Ok(None);
    }
    attempt.phase("publish").await?;
    let request = |client: &reqwest::Client| {
        let request = client
            .post(url.clone())
            .header(CONTENT_TYPE, CONTENT)
            .body(event.clone());
        header
            .iter()
            .fold(request, |request, key| request.header(KEY_HEADER, key.clone()))
    };
    let answer = peer
        .ask(request, |answer| answer.status == StatusCode::CONFLICT)
        .await?;
    Ok(Some(EventReport {
        entry: String::new(),
        existed: answer.status == StatusCode::CONFLICT,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::TenantFacts;

    fn command() -> EventPublish {
        EventPublish {
            address: "redis://redis:6379".to_owned(),
            stream: "PLANA:events".to_owned(),
            max_length: 10,
            event_type: "client.provisioned".to_owned(),
            source: "//plana".to_owned(),
            id: "0a".to_owned(),
            tenant: TenantFacts {
                subdomain: "acme".to_owned(),
                project_id: 7,
                tier: "pro".to_owned(),
                odoo_version: 18,
                owner_email: "o@example.com".to_owned(),
                owner_name: "O \"Q\" Ö".to_owned(),
                tenant_url: "https://acme.example.com".to_owned(),
            },
        }
    }

    #[test]
    fn an_event_is_as_the_specification_has_it() {
        let event = serde_json::to_value(event(&command())).unwrap();
        let time: Timestamp = event["time"].as_str().unwrap().parse().unwrap();
        assert!(time <= Timestamp::now() + jiff::SignedDuration::from_secs(1));
        let expected = serde_json::json!({
            "specversion": "1.0", "id": "0a", "source": "//plana", "type": "client.provisioned",
            "subject": "acme", "time": event["time"], "datacontenttype": "application/json",
            "data": {
                "subdomain": "acme", "projectId": 7, "tier": "pro", "odooVersion": 18,
                "ownerEmail": "o@example.com", "ownerName": "O \"Q\" Ö", "url": "https://acme.example.com",
            },
        });
        assert_eq!(event, expected);
    }

    #[test]
    fn what_an_event_must_have_is_named() {
        let refused = |change: fn(&mut EventPublish)| {
            let mut command = command();
            change(&mut command);
            check(&command).unwrap_err().message
        };
        assert!(refused(|command| command.id.clear()).contains("--id"));
        assert!(refused(|command| command.source.clear()).contains("--source"));
        assert!(refused(|command| command.max_length = 0).contains("--max-length"));
        assert!(check(&command()).is_ok());
    }
}
