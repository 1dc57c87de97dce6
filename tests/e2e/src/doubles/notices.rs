//! A system that is told of tenants: the account portal, and the ERP.
//!
//! In: news with an idempotency key, signed with HMAC-SHA256 over `timestamp.body`. Out: 200 for news, 409 with the key
//! for what it knows already, 401 for a signature that is missing, wrong or old, 400 for what is no news.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use ring::hmac;
use serde_json::{Value, json};

use super::http::{Answer, Request};

const KEY_HEADER: &str = "idempotency-key";
const TIME_HEADER: &str = "x-signature-timestamp";
const SIGNATURE_HEADER: &str = "x-signature";
/// Seconds that a signature may be old, or ahead.
const LONGEST_AGE: u64 = 300;

/// One such system.
#[derive(Debug)]
pub struct Notices {
    signing_key: hmac::Key,
    known: Mutex<BTreeSet<String>>,
}

impl Notices {
    /// One that knows nothing yet.
    pub fn new(signing_key: &str) -> Self {
        Self {
            signing_key: hmac::Key::new(hmac::HMAC_SHA256, signing_key.as_bytes()),
            known: Mutex::default(),
        }
    }

    /// The answer to what comes at this second, and what the log says of it.
    pub fn answer(&self, request: &Request, now: u64) -> (Answer, Value) {
        let key = request.header(KEY_HEADER).unwrap_or_default();
        let signature = self.signature(request, now);
        let seen = json!({"signature": signature.err().unwrap_or("right"), "key": key});
        (self.judge(request, key, signature), seen)
    }

    fn judge(&self, request: &Request, key: &str, signature: Result<(), &str>) -> Answer {
        let refuse = |status: u16, what: &str| Answer::new(status, json!({ "error": what }));
        if let Err(problem) = signature {
            return refuse(401, &format!("the signature is {problem}"));
        }
        if request.method != "POST" {
            return refuse(405, "news is posted");
        }
        let is_news = request.json()["event"].is_string() && request.json()["idempotencyKey"] == key;
        if key.is_empty() || !is_news {
            return refuse(
                400,
                "news has an event, and its idempotency key in header and body",
            );
        }
        // Only ever added to, so one who panicked has left it usable.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.insert(key.to_owned()) {
            return Answer::new(200, json!({"received": true}));
        }
        Answer {
            header: Some(("Idempotency-Key", key.to_owned())),
            ..refuse(409, "known already")
        }
    }

    fn signature(&self, request: &Request, now: u64) -> Result<(), &'static str> {
        let time = request.header(TIME_HEADER).ok_or("missing")?;
        let signature = request.header(SIGNATURE_HEADER).ok_or("missing")?;
        let signature = signature.strip_prefix("sha256=").and_then(bytes).ok_or("wrong")?;
        let signed = [time.as_bytes(), b".", &request.body].concat();
        hmac::verify(&self.signing_key, &signed, &signature).map_err(|_| "wrong")?;
        let time: u64 = time.parse().map_err(|_| "wrong")?;
        if time.abs_diff(now) > LONGEST_AGE {
            return Err("old");
        }
        Ok(())
    }
}

/// The bytes that hexadecimal digits stand for.
fn bytes(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?;
        u8::from_str_radix(pair, 16).ok()
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    // printf '1700000000.{"event":"a","idempotencyKey":"k"}' | openssl dgst -sha256 -hmac 'key'
    const SIGNATURE: &str = "sha256=22bc8bfb4c263eb664a81c27848ee1298b0ac434f9bb58660d7bc63ac9c1c9fe";
    const BODY: &str = r#"{"event":"a","idempotencyKey":"k"}"#;
    const TIME: u64 = 1_700_000_000;

    fn news(signature: &str, body: &str) -> Request {
        let headers = [
            (KEY_HEADER, "k"),
            (TIME_HEADER, "1700000000"),
            (SIGNATURE_HEADER, signature),
        ];
        Request {
            method: "POST".to_owned(),
            target: "/news".to_owned(),
            headers: headers
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            body: body.as_bytes().to_vec(),
        }
    }

    #[test]
    fn signed_news_is_taken_once_and_known_afterwards() {
        let system = Notices::new("key");
        let (first, seen) = system.answer(&news(SIGNATURE, BODY), TIME + 1);
        assert_eq!((first.status, &seen["signature"]), (200, &json!("right")));
        let (second, _) = system.answer(&news(SIGNATURE, BODY), TIME + 2);
        assert_eq!(
            (second.status, second.header),
            (409, Some(("Idempotency-Key", "k".to_owned())))
        );
    }

    #[test]
    fn what_is_not_signed_by_us_and_now_is_refused_with_its_reason() {
        let other_body = BODY.replace('a', "b");
        for (key, request, now, reason) in [
            ("another", news(SIGNATURE, BODY), TIME, "wrong"),
            ("key", news(SIGNATURE, &other_body), TIME, "wrong"),
            ("key", news("sha256=zz", BODY), TIME, "wrong"),
            ("key", news("", BODY), TIME, "wrong"),
            ("key", news(SIGNATURE, BODY), TIME + LONGEST_AGE + 1, "old"),
        ] {
            let (answer, seen) = Notices::new(key).answer(&request, now);
            assert_eq!(
                (answer.status, &seen["signature"]),
                (401, &json!(reason)),
                "{request:?}"
            );
        }
        let mut unsigned = news(SIGNATURE, BODY);
        unsigned.headers.truncate(1);
        let (answer, seen) = Notices::new("key").answer(&unsigned, TIME);
        assert_eq!((answer.status, &seen["signature"]), (401, &json!("missing")));
    }

    #[test]
    fn signed_news_needs_its_key_in_header_and_body() {
        let mut request = news(SIGNATURE, BODY);
        request.headers[0].1 = "another".to_owned();
        assert_eq!(Notices::new("key").answer(&request, TIME).0.status, 400);
    }
}
