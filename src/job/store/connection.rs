//! How requests get to the store: through the Jobs' HTTP client, with an eye on the store's clock.

use std::{
    fmt,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use jiff::{Timestamp, fmt::rfc2822};
use object_store::{
    ClientOptions,
    client::{HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpService},
};

/// How far the store's clock is from ours, as its answers say.
#[derive(Debug, Default)]
pub struct Clock(AtomicI64);

/// Hands out the client.
pub struct Connector(Service);

#[derive(Clone)]
struct Service {
    client: reqwest::Client,
    clock: Arc<Clock>,
}

impl Clock {
    /// Seconds that the store's clock is ahead of ours; below 0 when it is behind, 0 while nothing is known.
    pub fn skew_seconds(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    fn note(&self, date: &str) {
        // Only the last answer counts; one without a date that can be read says nothing.
        if let Ok(there) = rfc2822::DateTimeParser::new().parse_timestamp(date) {
            let skew = there.as_second() - Timestamp::now().as_second();
            self.0.store(skew, Ordering::Relaxed);
        }
    }
}

impl Connector {
    /// One that hands out this client.
    pub fn new(client: reqwest::Client, clock: Arc<Clock>) -> Self {
        Self(Service { client, clock })
    }
}

impl HttpConnector for Connector {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.0.clone()))
    }
}

type Answer<'a> = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'a>>;

impl HttpService for Service {
    fn call<'life, 'future>(&'life self, request: HttpRequest) -> Answer<'future>
    where
        'life: 'future,
        Self: 'future,
    {
        Box::pin(async move {
            let answer = HttpService::call(&self.client, request).await?;
            if let Some(date) = answer.headers().get("date").and_then(|date| date.to_str().ok()) {
                self.clock.note(date);
            }
            Ok(answer)
        })
    }
}

// The derived ones would show the client's whole configuration.
impl fmt::Debug for Connector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Connector")
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Service")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_store_s_clock_is_read() {
        let clock = Clock::default();
        clock.note("not a date");
        assert_eq!(clock.skew_seconds(), 0);
        let there = Timestamp::now() + jiff::SignedDuration::from_mins(20);
        let date = there.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        clock.note(&date);
        assert!((1198..=1201).contains(&clock.skew_seconds()), "{date}");
    }
}
