//! An answer, read whole.

use std::time::Duration;

use jiff::{Timestamp, fmt::rfc2822};
use reqwest::{
    StatusCode,
    header::{HeaderMap, RETRY_AFTER},
};
use serde::{Deserialize, de::DeserializeOwned};

use crate::job::secrets::Redactor;

/// Characters of a body that are shown.
const LINE_CHARACTERS: usize = 200;

/// An answer, read whole.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Vec<u8>,
    /// How often it was asked for.
    pub tries: u32,
}

impl Answer {
    /// Its body as JSON of this form, if it is.
    pub fn json<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The first line of its body, fit to be shown: short, without control characters and secrets.
    pub fn first_line(&self, redactor: &Redactor) -> String {
        presentable(&String::from_utf8_lossy(&self.body), redactor)
    }

    /// How long it asks us to wait: `Retry-After`, in seconds or as a date, or the field that Matrix has for it.
    pub fn asks_to_wait(&self) -> Option<Duration> {
        /// What Matrix says in the body of a 429.
        #[derive(Deserialize)]
        struct Limited {
            retry_after_ms: u64,
        }
        let header = self
            .headers
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok());
        header
            .and_then(|value| wait_of(value, Timestamp::now()))
            .or_else(|| Some(Duration::from_millis(self.json::<Limited>()?.retry_after_ms)))
    }
}

/// The first line with something in it, fit to be shown.
pub fn presentable(text: &str, redactor: &Redactor) -> String {
    // Redacted before it is cut: half of a secret would no longer be known as one.
    let text = redactor.redact(text);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty());
    let mut shown: String = line
        .unwrap_or("(an empty answer)")
        .chars()
        .filter(|letter| !letter.is_control())
        .take(LINE_CHARACTERS + 1)
        .collect();
    if let Some((end, _)) = shown.char_indices().nth(LINE_CHARACTERS) {
        shown.truncate(end);
        shown.push('…');
    }
    shown
}

fn wait_of(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = rfc2822::DateTimeParser::new().parse_timestamp(value).ok()?;
    // A moment that has passed is no wait.
    Some(Duration::try_from(until.duration_since(now)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::secrets::Secret;

    #[test]
    fn what_is_shown_is_short_and_clean() {
        let redactor = Redactor::new([Secret::new("hunter22".to_owned())]);
        let line = |text: &str| presentable(text, &redactor);
        assert_eq!(
            line("\n  \r\n no such\u{7} workspace\r\nsecond"),
            "no such workspace"
        );
        assert_eq!(line(""), "(an empty answer)");
        assert_eq!(line("key hunter22 is wrong"), "key *** is wrong");
        let long = line(&format!("{}hunter22", "é".repeat(197)));
        assert_eq!(long, format!("{}***", "é".repeat(197)));
        assert_eq!(line(&"é".repeat(300)), format!("{}…", "é".repeat(200)));
    }

    #[test]
    fn waits_are_read_in_both_forms() {
        let now: Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
        let wait = |value: &str| wait_of(value, now).map(|wait| wait.as_secs());
        assert_eq!(wait("120"), Some(120));
        assert_eq!(wait("Sat, 21 Nov 2026 10:01:00 GMT"), Some(60));
        assert_eq!(wait("Sat, 21 Nov 2026 09:00:00 GMT"), Some(0));
        assert_eq!(wait("soon"), None);
        assert_eq!(wait("-5"), None);
    }
}
