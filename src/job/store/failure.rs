//! What an answer of the store means: whether another try helps, and who can do something about it.

use std::fmt;

use object_store::Error;

use crate::{
    contract::{STORE_KEY, STORE_KEY_ID},
    job::{
        failure::{Failure, with_causes},
        secrets::Redactor,
    },
};

/// Letters of what the store says that are shown.
const SHOWN: usize = 300;

/// Where the store is.
#[derive(Clone, Debug)]
pub struct Place {
    /// Its URL.
    pub endpoint: String,
    /// The bucket.
    pub bucket: String,
    /// Hides the keys, should the store repeat them.
    pub redactor: Redactor,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "bucket {} at {}", self.bucket, self.endpoint)
    }
}

impl Place {
    /// The failure that an error of a request is; `skew` is how many seconds the store's clock is ahead.
    pub fn failure(&self, doing: &str, error: &Error, skew: i64) -> Failure {
        let text = with_causes(error);
        let code = element(&text, "Code").unwrap_or_default();
        let said = self.redactor.redact(&shown(&text));
        let what = format!("cannot {doing} in {self}");
        match kind(code, error, &text) {
            Kind::Login => Failure::give_up(
                "StoreLoginRefused",
                format!(
                    "{what}: the store refuses the keys {} and {} of the Secret: {said}",
                    STORE_KEY_ID.key, STORE_KEY.key
                ),
            ),
            Kind::Denied => Failure::give_up(
                "StoreAccessDenied",
                format!(
                    "{what}: the owner of the Secret's {} may not do that: {said}; give it a policy that lets it list, read, \
                     write and delete",
                    STORE_KEY_ID.key
                ),
            ),
            Kind::Bucket => Failure::give_up(
                "BucketMissing",
                format!("{what}: there is no such bucket: {said}"),
            ),
            Kind::Region => Failure::give_up(
                "StoreRegionWrong",
                format!("{what}: the store is of another region than the Platform says: {said}"),
            ),
            Kind::Clock => Failure::retry(
                "ClockSkewed",
                format!(
                    "{what}: the store's clock is {skew} seconds ahead of this node's, and it takes 900 at most; \
                     synchronise the clocks: {said}"
                ),
            ),
            Kind::Full => Failure::retry("StoreFull", format!("{what}: the store has no room left: {said}")),
            Kind::Busy => Failure::retry("StoreUnavailable", format!("{what}: {said}")),
            Kind::Gone => Failure::retry("StoreUnreachable", format!("{what}: {said}")),
            Kind::Garbled => Failure::retry(
                "StoreGarbled",
                format!(
                    "{what}: what answers there is no store of objects, or something in between is at fault: {said}"
                ),
            ),
            Kind::Name => Failure::give_up(
                "KeyUnusable",
                format!(
                    "{what}: an object of somebody else has a name that cannot be listed, move it away: {said}"
                ),
            ),
            Kind::Other => Failure::give_up("StoreRefused", format!("{what}: {said}")),
        }
    }
}

/// Whether an object is not there, and not the whole bucket.
pub fn is_missing(error: &Error) -> bool {
    matches!(error, Error::NotFound { .. }) && element(&with_causes(error), "Code") != Some("NoSuchBucket")
}

/// Whether there is an object already.
pub fn is_conflict(error: &Error) -> bool {
    matches!(error, Error::AlreadyExists { .. } | Error::Precondition { .. })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Login,
    Denied,
    Bucket,
    Region,
    Clock,
    Full,
    Busy,
    Gone,
    Garbled,
    Name,
    Other,
}

fn kind(code: &str, error: &Error, text: &str) -> Kind {
    match code {
        "SignatureDoesNotMatch"
        | "InvalidAccessKeyId"
        | "XAdminUserNotFound"
        | "InvalidToken"
        | "ExpiredToken" => return Kind::Login,
        "AccessDenied" | "AllAccessDisabled" => return Kind::Denied,
        "NoSuchBucket" | "InvalidBucketName" => return Kind::Bucket,
        "AuthorizationHeaderMalformed" | "PermanentRedirect" | "IllegalLocationConstraintException" => {
            return Kind::Region;
        }
        "RequestTimeTooSkewed" | "RequestExpired" => return Kind::Clock,
        "XMinioStorageFull" | "QuotaExceeded" | "InsufficientStorage" => return Kind::Full,
        "SlowDown" | "InternalError" | "ServiceUnavailable" | "RequestTimeout" => return Kind::Busy,
        // Other codes say no more than the status does.
        _ => {}
    }
    match (error, status(text)) {
        (Error::PermissionDenied { .. }, _) => Kind::Denied,
        (Error::Unauthenticated { .. }, _) => Kind::Login,
        (Error::InvalidPath { .. }, _) => Kind::Name,
        (_, Some(507)) => Kind::Full,
        (_, Some(408 | 429 | 500..=599)) => Kind::Busy,
        (_, Some(301..=308)) => Kind::Region,
        (_, Some(_)) => Kind::Other,
        (_, None) if text.contains("Got invalid") => Kind::Garbled,
        (_, None) if text.contains("without LOCATION") => Kind::Region,
        (_, None) => Kind::Gone,
    }
}

/// The status in an error's words: the type that has it is private to the crate that makes it.
fn status(text: &str) -> Option<u16> {
    let rest = text.split("status code: ").nth(1)?;
    rest.get(..3)?.parse().ok()
}

/// The text of an element of the store's XML answer.
fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let start = text.find(&format!("<{name}>"))? + name.len() + 2;
    let length = text[start..].find(&format!("</{name}>"))?;
    Some(&text[start..start + length])
}

/// What to show of an error: the store's own words, and not what it says it had to sign.
fn shown(text: &str) -> String {
    let words = match (element(text, "Code"), element(text, "Message")) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        (None, _) => text.to_owned(),
    };
    let printable = words
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter });
    printable.take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{contract::ExitCode, job::secrets::Secret};

    fn failure(text: &str) -> Failure {
        let place = Place {
            endpoint: "https://s3.example".to_owned(),
            bucket: "backups".to_owned(),
            redactor: Redactor::new([Secret::new("s3cr3t-key".to_owned())]),
        };
        let error = Error::Generic {
            store: "S3",
            source: text.to_owned().into(),
        };
        place.failure("list acme", &error, 1234)
    }

    #[test]
    fn what_the_store_says_decides() {
        use ExitCode::{GiveUp, Retry};
        for (code, status, exit, reason) in [
            ("SignatureDoesNotMatch", 403, GiveUp, "StoreLoginRefused"),
            ("AccessDenied", 403, GiveUp, "StoreAccessDenied"),
            ("NoSuchBucket", 404, GiveUp, "BucketMissing"),
            ("AuthorizationHeaderMalformed", 400, GiveUp, "StoreRegionWrong"),
            ("RequestTimeTooSkewed", 403, Retry, "ClockSkewed"),
            ("SlowDown", 503, Retry, "StoreUnavailable"),
            ("Whatever", 507, Retry, "StoreFull"),
            ("Whatever", 500, Retry, "StoreUnavailable"),
            ("Whatever", 400, GiveUp, "StoreRefused"),
        ] {
            let text = format!(
                "Server returned non-2xx status code: {status} X: <Error><Code>{code}</Code><Message>no\nway</Message>\
                 <StringToSign>s3cr3t-key</StringToSign></Error>"
            );
            let failure = failure(&text);
            assert_eq!((failure.exit, failure.reason), (exit, reason), "{code}");
            assert!(
                failure.message.contains("bucket backups at https://s3.example"),
                "{failure}"
            );
            assert!(failure.message.contains(&format!("{code}: no way")), "{failure}");
            assert!(!failure.message.contains("s3cr3t"), "{failure}");
        }
    }

    #[test]
    fn the_clocks_are_told() {
        let failure = failure("status code: 403: <Code>RequestTimeTooSkewed</Code>");
        assert!(failure.message.contains("1234 seconds ahead"), "{failure}");
    }

    #[test]
    fn a_store_that_is_away_may_come_back() {
        let failure = failure("error sending request: connection refused, s3cr3t-key");
        assert_eq!(
            (failure.exit, failure.reason),
            (ExitCode::Retry, "StoreUnreachable")
        );
        assert!(failure.message.contains("***"), "{failure}");
    }
}
