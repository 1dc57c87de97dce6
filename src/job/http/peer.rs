//! A system that is asked, and what its answers mean.
//!
//! In: a request, made anew for each try. Out: an answer that the caller can use. Connection errors, silence, broken
//! answers, 5xx, 408, 425 and 429 may pass and are tried again; a redirect and any other 4xx do not.

use std::{error::Error, io};

use reqwest::{
    Client, RequestBuilder, Response, StatusCode,
    header::{HeaderValue, LOCATION},
};

use super::{
    Patience, Trouble,
    answer::{Answer, presentable},
    client, shown,
};
use crate::{
    contract::SecretVariable,
    job::{
        attempt::Attempt,
        failure::{Attempted, Failure, with_causes},
        secrets::{Redactor, Secret},
    },
};

/// Bytes of an answer that are read. The largest wanted is the state of a room.
const ANSWER_BYTES: usize = 16 << 20;

/// A system that is asked.
#[derive(Debug)]
pub struct Peer<'a> {
    attempt: &'a Attempt,
    client: Client,
    /// What it is called in messages: `the account portal`.
    name: &'static str,
    redactor: Redactor,
    patience: Patience,
}

impl<'a> Peer<'a> {
    /// A system that is asked with these secrets, which then appear in no message.
    pub fn new(
        attempt: &'a Attempt,
        name: &'static str,
        secrets: impl IntoIterator<Item = Secret>,
    ) -> Attempted<Self> {
        Ok(Self {
            attempt,
            client: client()?,
            name,
            redactor: Redactor::new(secrets),
            patience: Patience::from_environment()?,
        })
    }

    /// The same with less patience.
    pub fn brief(&self) -> Self {
        Self {
            client: self.client.clone(),
            redactor: self.redactor.clone(),
            patience: self.patience.brief(),
            ..*self
        }
    }

    /// How often and how long it is tried.
    pub fn patience(&self) -> &Patience {
        &self.patience
    }

    /// Text of the system, fit to be shown.
    pub fn presentable(&self, text: &str) -> String {
        presentable(text, &self.redactor)
    }

    /// Asks until there is an answer of 2xx, or one that `wanted` takes.
    pub async fn ask(
        &self,
        request: impl Fn(&Client) -> RequestBuilder,
        wanted: impl Fn(&Answer) -> bool,
    ) -> Attempted<Answer> {
        let work = async |tries| {
            let request = request(&self.client).timeout(self.patience.request).build();
            let request = request.map_err(|error| self.cannot_ask(&error))?;
            let place = format!("{}, {} {}", self.name, request.method(), shown(request.url()));
            let answered = async { read(self.client.execute(request).await?, tries).await };
            let answer = answered.await.map_err(|broken| self.broken(&place, broken))?;
            if answer.status.is_success() || wanted(&answer) {
                Ok(answer)
            } else {
                Err(self.refusal(&place, &answer))
            }
        };
        self.patience.persist(self.attempt, work).await
    }

    fn cannot_ask(&self, error: &reqwest::Error) -> Failure {
        Failure::give_up(
            "RequestInvalid",
            format!("cannot make a request to {}: {}", self.name, with_causes(error)),
        )
    }

    fn broken(&self, place: &str, broken: Broken) -> Trouble {
        let error = match broken {
            Broken::TooLong => {
                let message =
                    format!("{place}: the answer has more than {ANSWER_BYTES} bytes; is the address right?");
                return Failure::give_up("AnswerTooLong", message).into();
            }
            Broken::Transport(error) => error,
        };
        let causes = self.presentable(&with_causes(&error));
        if is_certificate(&error) {
            let message = format!("{place}: {causes}; SSL_CERT_FILE names further authorities");
            return Failure::give_up("CertificateRefused", message).into();
        }
        let (reason, what) = if error.is_connect() {
            ("EndpointUnreachable", "cannot connect")
        } else if error.is_timeout() {
            ("EndpointSilent", "no whole answer in time")
        } else {
            ("AnswerBroken", "what came back is no whole answer of HTTP")
        };
        Failure::retry(reason, format!("{place}: {what}: {causes}")).into()
    }

    fn refusal(&self, place: &str, answer: &Answer) -> Trouble {
        let status = answer.status;
        let line = answer.first_line(&self.redactor);
        let said = format!("{place}: {}: {line}", status.as_u16());
        let asked = answer.asks_to_wait();
        let failure = match status {
            StatusCode::TOO_MANY_REQUESTS => {
                let wait = asked.map(|wait| format!("; it asks to wait {} s", wait.as_secs_f64()));
                Failure::retry("EndpointBusy", format!("{said}{}", wait.unwrap_or_default()))
            }
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY => Failure::retry("EndpointBusy", said),
            status if status.is_server_error() => Failure::retry("EndpointFailing", said),
            status if status.is_redirection() => self.redirected(place, answer),
            StatusCode::UNAUTHORIZED => Failure::give_up(
                "CredentialsRefused",
                format!("{said}; the Secret has to hold what this address takes"),
            ),
            _ => Failure::give_up("NotAccepted", said),
        };
        Trouble {
            asked: asked.filter(|_| failure.exit == crate::contract::ExitCode::Retry),
            failure,
        }
    }

    fn redirected(&self, place: &str, answer: &Answer) -> Failure {
        let target = answer.headers.get(LOCATION).map(HeaderValue::as_bytes);
        let target = String::from_utf8_lossy(target.unwrap_or_default());
        // What follows may be a key, as in every address.
        let target = target.split(['?', '#']).next().unwrap_or_default();
        let target = self.presentable(target);
        Failure::give_up(
            "Redirected",
            format!(
                "{place}: {} to {target}, which is not followed: configure the address that answers itself",
                answer.status.as_u16()
            ),
        )
    }
}

/// A secret as the value of a header, which no log shows.
pub fn secret_header(variable: SecretVariable, text: &str) -> Attempted<HeaderValue> {
    let mut value = HeaderValue::from_str(text).map_err(|_| {
        Failure::give_up(
            "SecretUnreadable",
            format!("{} has characters that no header may have", variable.variable),
        )
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// Why there is no whole answer.
enum Broken {
    Transport(reqwest::Error),
    TooLong,
}

impl From<reqwest::Error> for Broken {
    fn from(error: reqwest::Error) -> Self {
        // The address is shown by us, without its query.
        Self::Transport(error.without_url())
    }
}

async fn read(mut response: Response, tries: u32) -> Result<Answer, Broken> {
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await? {
        body.extend_from_slice(&part);
        if body.len() > ANSWER_BYTES {
            return Err(Broken::TooLong);
        }
    }
    Ok(Answer {
        status: response.status(),
        headers: std::mem::take(response.headers_mut()),
        body,
        tries,
    })
}

fn is_certificate(error: &reqwest::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if is_refused_certificate(error) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Whether a server's certificate was refused. An I/O error hides what it wraps from its row of causes.
pub fn is_refused_certificate(error: &(dyn Error + 'static)) -> bool {
    if let Some(wrapper) = error.downcast_ref::<io::Error>() {
        return wrapper
            .get_ref()
            .is_some_and(|inner| is_refused_certificate(inner));
    }
    let refused = error.downcast_ref::<rustls::Error>();
    matches!(refused, Some(rustls::Error::InvalidCertificate(_)))
}
