//! The requests: as the gateway sends them, to the workers themselves.
//!
//! In: the workers' URL and the tenant's host. Out: answers that were understood, or what an operator is to do. Workers
//! that roll out or build their first page are asked again for a while; a redirect is an answer and is not followed.

use std::time::Duration;

use reqwest::{Client, RequestBuilder, Response, Url, header};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use tracing::info;

use super::answer::{self, Version};
use crate::{
    contract::TenantSmoke,
    job::{
        failure::{Attempted, Failure},
        http,
    },
};

/// One request: a first page with its assets takes seven seconds and more.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_secs(1);
/// A page of Odoo has some ten thousand bytes; what has more than this is none.
const BODY_BYTES: usize = 4 << 20;

/// The workers of a tenant.
#[derive(Debug)]
pub struct Workers {
    client: Client,
    url: Url,
    host: String,
    deadline: Instant,
}

impl Workers {
    /// Workers that are asked for so long, from now on.
    pub fn new(command: &TenantSmoke, patience: Duration) -> Attempted<Self> {
        let unusable = |why: &str| {
            Failure::give_up(
                "WorkersUrlUnusable",
                format!(
                    "cannot ask {:?}: {why}; correct the Platform",
                    command.workers_url
                ),
            )
        };
        let url = Url::parse(&command.workers_url).map_err(|error| unusable(&error.to_string()))?;
        if !["http", "https"].contains(&url.scheme()) {
            return Err(unusable("it is neither http nor https"));
        }
        if header::HeaderValue::from_str(&command.host).is_err() {
            return Err(unusable("the host is no host name"));
        }
        Ok(Self {
            client: http::client()?,
            url,
            host: command.host.clone(),
            deadline: Instant::now() + patience,
        })
    }

    /// The page where one logs in: 200, and its form.
    pub async fn login_page(&self) -> Attempted<()> {
        self.patiently("the login page", async || {
            let (status, location, body) = self.send(self.request("GET", "/web/login")?).await?;
            answer::login_page(status, location.as_deref(), &body, &self.host)
        })
        .await
    }

    /// Which Odoo they are.
    pub async fn version(&self) -> Attempted<Version> {
        self.patiently("the version", async || {
            let body = json!({ "jsonrpc": "2.0", "method": "call", "id": 1, "params": {} });
            let request = self.request("POST", "/web/webclient/version_info")?.json(&body);
            let (status, _, body) = self.send(request).await?;
            answer::version(&answer::json_rpc(status, &body)?)
        })
        .await
    }

    /// A call of a model's method; `arguments` are those of `execute_kw`.
    pub async fn execute(&self, arguments: &Value) -> Attempted<Value> {
        self.patiently("the read through the models", async || {
            let params = json!({ "service": "object", "method": "execute_kw", "args": arguments });
            let body = json!({ "jsonrpc": "2.0", "method": "call", "id": 1, "params": params });
            let (status, _, body) = self.send(self.request("POST", "/jsonrpc")?.json(&body)).await?;
            answer::json_rpc(status, &body)
        })
        .await
    }

    /// Asks until the answer is good or the time is over; the last failure is the one that counts.
    async fn patiently<T>(&self, what: &str, ask: impl AsyncFn() -> Attempted<T>) -> Attempted<T> {
        loop {
            let failure = match ask().await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            if Instant::now() + PAUSE >= self.deadline {
                return Err(failure.while_doing(what));
            }
            info!(reason = failure.reason, "not yet: {what}");
            sleep(PAUSE).await;
        }
    }

    /// A request with the headers of the gateway.
    fn request(&self, method: &str, path: &str) -> Attempted<RequestBuilder> {
        let method = if method == "POST" {
            reqwest::Method::POST
        } else {
            reqwest::Method::GET
        };
        let url = self.url.join(path).map_err(|error| {
            Failure::give_up("WorkersUrlUnusable", format!("cannot ask {}: {error}", self.url))
        })?;
        Ok(self
            .client
            .request(method, url)
            .timeout(REQUEST_TIMEOUT)
            .header(header::HOST, &self.host)
            .header("X-Forwarded-Host", &self.host)
            .header("X-Forwarded-Proto", "https")
            .header("X-Forwarded-For", "127.0.0.1"))
    }

    async fn send(&self, request: RequestBuilder) -> Attempted<(u16, Option<String>, Vec<u8>)> {
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = response.status().as_u16();
        let location = response.headers().get(header::LOCATION);
        let location = location.and_then(|value| value.to_str().ok()).map(str::to_owned);
        Ok((status, location, self.body(response).await?))
    }

    async fn body(&self, mut response: Response) -> Attempted<Vec<u8>> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unreachable(&error))? {
            body.extend_from_slice(&chunk);
            if body.len() > BODY_BYTES {
                return Err(Failure::retry(
                    "AnswerOdd",
                    format!(
                        "{} answers with more than {BODY_BYTES} bytes: it is no Odoo",
                        self.url
                    ),
                ));
            }
        }
        Ok(body)
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        if error.is_timeout() && !error.is_connect() {
            return Failure::retry(
                "WorkersSilent",
                format!(
                    "{} does not answer within {} seconds: its workers are busy or stuck; see their log",
                    self.url,
                    REQUEST_TIMEOUT.as_secs()
                ),
            );
        }
        Failure::retry(
            "WorkersUnreachable",
            format!(
                "cannot ask {}: {error:?}; is the Deployment of the workers running?",
                self.url
            ),
        )
    }
}
