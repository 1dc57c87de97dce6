//! `portal-notify`, `erp-callback`: tell another system of a tenant.
//!
//! In: the facts of the tenant. Out: an answer that says the system took them. The same news always has the same key, so a
//! system that was told twice has heard of one thing; that makes every try, and every run, a repetition.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use reqwest::{
    StatusCode,
    header::{CONTENT_TYPE, HeaderValue},
};
use serde::Serialize;
use sha2::Sha256;

use super::{
    attempt::Attempt,
    failure::{Attempted, Failure},
    http::{self, Answer, Peer},
    secrets::{self, Secret},
};
use crate::contract::{NoticeReport, Notification, Report, SIGNING_KEY, TenantFacts};

const KEY_HEADER: &str = "idempotency-key";
const TIME_HEADER: &str = "x-signature-timestamp";
const SIGNATURE_HEADER: &str = "x-signature";

/// The facts of a tenant, as other systems read them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Facts<'a> {
    subdomain: &'a str,
    project_id: i64,
    tier: &'a str,
    odoo_version: u32,
    owner_email: &'a str,
    owner_name: &'a str,
    url: &'a str,
}

impl<'a> From<&'a TenantFacts> for Facts<'a> {
    fn from(facts: &'a TenantFacts) -> Self {
        Self {
            subdomain: &facts.subdomain,
            project_id: facts.project_id,
            tier: &facts.tier,
            odoo_version: facts.odoo_version,
            owner_email: &facts.owner_email,
            owner_name: &facts.owner_name,
            url: &facts.tenant_url,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct News<'a> {
    event: &'a str,
    idempotency_key: &'a str,
    #[serde(flatten)]
    tenant: Facts<'a>,
}

/// Tells the system, which messages call `name`.
pub async fn run(attempt: &Attempt, command: &Notification, name: &'static str) -> Attempted<Option<Report>> {
    attempt.phase("check").await?;
    let url = http::address("url", &command.url)?;
    let signing_key = signing_key()?;
    let signer = signing_key.as_ref().map(signer).transpose()?;
    let key = HeaderValue::from_str(&command.idempotency_key).map_err(|_| {
        Failure::give_up(
            "KeyInvalid",
            "--idempotency-key has characters that no header may have",
        )
    })?;
    let body = body(command)?;
    let peer = Peer::new(
        attempt,
        name,
        signing_key.into_iter().chain(http::secrets_of(&url)),
    )?;
    let would = format!(
        "post {} of {} to {}",
        command.event_type,
        command.tenant.subdomain,
        http::shown(&url)
    );
    if attempt.only_says(&would) {
        return Ok(None);
    }
    attempt.phase("send").await?;
    let request = |client: &reqwest::Client| {
        let request = client
            .post(url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(KEY_HEADER, key.clone())
            .body(body.clone());
        // Signed anew for each try: a receiver may refuse what was signed long ago.
        signer.iter().fold(request, |request, signer| {
            let time = Timestamp::now().as_second().to_string();
            let signature = format!("sha256={}", signature(signer, &time, &body));
            request
                .header(TIME_HEADER, time)
                .header(SIGNATURE_HEADER, signature)
        })
    };
    let answer = peer
        .ask(request, |answer| {
            is_known_already(answer, &command.idempotency_key)
        })
        .await?;
    Ok(Some(Report::Notice(NoticeReport {
        status: answer.status.as_u16(),
        attempts: answer.tries,
    })))
}

/// The key that is signed with. A platform without one sends unsigned; an empty one is a mistake, and never that.
fn signing_key() -> Attempted<Option<Secret>> {
    let key = secrets::optional(SIGNING_KEY)?.filter(|key| !key.expose().is_empty());
    if key.is_none() && std::env::var_os(SIGNING_KEY.variable).is_some() {
        return Err(Failure::give_up(
            "SecretMissing",
            format!(
                "{} is empty: the Secret must have the key {}, or the platform no Secret",
                SIGNING_KEY.variable, SIGNING_KEY.key
            ),
        ));
    }
    Ok(key)
}

fn body(command: &Notification) -> Attempted<Vec<u8>> {
    let news = News {
        event: &command.event_type,
        idempotency_key: &command.idempotency_key,
        tenant: (&command.tenant).into(),
    };
    serde_json::to_vec(&news).map_err(|error| Failure::give_up("NewsInvalid", error.to_string()))
}

fn signer(key: &Secret) -> Attempted<Hmac<Sha256>> {
    Hmac::new_from_slice(key.expose().as_bytes())
        .map_err(|error| Failure::give_up("SecretUnreadable", error.to_string()))
}

/// HMAC-SHA256 of `timestamp.body`, in hexadecimal.
fn signature(signer: &Hmac<Sha256>, time: &str, body: &[u8]) -> String {
    let mut mac = signer.clone();
    mac.update(time.as_bytes());
    mac.update(b".");
    mac.update(body);
    let bytes = mac.finalize().into_bytes();
    bytes.iter().fold(String::new(), |mut digits, byte| {
        // Writing to a string does not fail.
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

/// A conflict that names our key is about our own news. Any other may be about somebody else's, which is no success.
fn is_known_already(answer: &Answer, key: &str) -> bool {
    let in_header = answer.headers.get(KEY_HEADER).is_some_and(|value| value == key);
    let in_body = || String::from_utf8_lossy(&answer.body).contains(key);
    answer.status == StatusCode::CONFLICT && !key.is_empty() && (in_header || in_body())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_those_of_others() {
        // printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac 'key'
        let signer = signer(&Secret::new("key".to_owned())).unwrap();
        let signature = signature(&signer, "1700000000", br#"{"a":1}"#);
        assert_eq!(
            signature,
            "a438e398bfafc57e4396bb7fc2304422f0f768e965d073ca313cb52e22e6ad03"
        );
    }
}
