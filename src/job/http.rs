//! HTTP as the Jobs speak it.
//!
//! In: requests. Out: whole answers, or a failure that names the system, the address and the way out. There is one
//! [`client`], which knows its limits: it connects within seconds, gives up on a peer that went silent, and follows no
//! redirect, since a POST that is redirected becomes a GET and would count as done. A [`Peer`] is a system that is asked
//! with [`Patience`]: what may pass is tried again, what does not is told at once.
//!
//! | file | what it has |
//! |---|---|
//! | `address` | URLs that are asked: checked, and shown without what may be secret |
//! | `patience` | how often and how long something is tried |
//! | `peer` | a system that is asked, and what its answers mean |
//! | `answer` | a whole answer |

mod address;
mod answer;
mod patience;
mod peer;

use std::time::Duration;

use reqwest::{Client, redirect};

pub use self::{
    address::{address, secrets_of, shown, with_path},
    answer::Answer,
    patience::{Patience, Trouble},
    peer::{Peer, is_refused_certificate, secret_header},
};
use super::{
    failure::{Attempted, Failure},
    tls,
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A peer that says nothing for so long is gone; a long transfer that goes on is none of it.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(60);
/// While the body of a request is sent, the peer says nothing: a part of an upload over a slow line takes its time.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(300);
const KEEPALIVE: Duration = Duration::from_secs(30);

/// A client. Make one for a command; clones share its connections.
pub fn client() -> Attempted<Client> {
    build(SILENCE_TIMEOUT)
}

/// A client for long requests.
pub fn upload_client() -> Attempted<Client> {
    build(UPLOAD_TIMEOUT)
}

fn build(silence: Duration) -> Attempted<Client> {
    Client::builder()
        .tls_backend_preconfigured(tls::client(None)?)
        .user_agent(concat!("odoo-job/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .referer(false)
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(silence)
        .tcp_keepalive(KEEPALIVE)
        .build()
        .map_err(|error| {
            Failure::give_up(
                "HttpUnavailable",
                format!("cannot make a client for HTTP, a proxy of the environment may be wrong: {error:?}"),
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_can_be_made() {
        client().unwrap();
    }
}
