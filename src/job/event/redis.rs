//! Connections to a Redis server.
//!
//! In: an address, and the password from the environment. Out: a connection of our own, over TLS with the authorities of
//! [`tls`] where the address says so, and failures that say whether another try may help.

use std::{str::FromStr as _, sync::Arc, time::Duration};

use redis::{
    AsyncConnectionConfig, ConnectionAddr, ConnectionInfo, ErrorKind, RedisConnectionInfo, RedisError,
    aio::MultiplexedConnection,
};
use reqwest::Url;
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::JoinHandle,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use crate::job::{
    failure::{Attempted, Failure},
    secrets::{Redactor, Secret},
    tls,
};

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Answers that pass: the server is loading, full, a replica for a while, or has too many clients.
const PASSING: [&str; 9] = [
    "LOADING",
    "OOM",
    "READONLY",
    "MASTERDOWN",
    "BUSY",
    "TRYAGAIN",
    "CLUSTERDOWN",
    "MISCONF",
    "NOREPLICAS",
];
/// Answers to a wrong user, password or right.
const CREDENTIALS: [&str; 3] = ["NOAUTH", "WRONGPASS", "NOPERM"];

/// A server, and how to log in there.
pub struct Server {
    host: String,
    port: u16,
    tls: Option<Arc<ClientConfig>>,
    settings: RedisConnectionInfo,
    redactor: Redactor,
}

/// A connection. Dropping it closes it.
pub struct Connection<'a> {
    /// The connection, for this use only: what one caller watches, another would change.
    pub connection: MultiplexedConnection,
    /// The server.
    pub server: &'a Server,
    driver: JoinHandle<()>,
}

impl Drop for Connection<'_> {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Server {
    /// Reads an address: `redis://[user@]host[:port][/database]`, or `rediss://` with TLS.
    pub fn new(address: &str, password: Option<Secret>) -> Attempted<Self> {
        let (info, is_secure) = read_address(address)?;
        let ConnectionAddr::Tcp(host, port) = info.addr().clone() else {
            return Err(invalid("it is not a host"));
        };
        let mut settings = info.redis_settings().clone().set_skip_set_lib_name();
        if let Some(password) = &password {
            settings = settings.set_password(password.expose());
        }
        Ok(Self {
            host,
            port,
            tls: is_secure.then(|| tls::client(None)).transpose()?.map(Arc::new),
            settings,
            redactor: Redactor::new(password),
        })
    }

    /// Host, port and database, for messages.
    pub fn place(&self) -> String {
        format!("{}:{}/{}", self.host, self.port, self.settings.db())
    }

    /// Connects and logs in; `patience` is how long any answer may take.
    pub async fn connect(&self, patience: Duration) -> Attempted<Connection<'_>> {
        let limit = CONNECT_TIMEOUT.min(patience);
        let opened = timeout(limit, self.open(patience)).await;
        let (connection, driver) = opened
            .map_err(|_| self.unreachable(&format!("no connection within {} ms", limit.as_millis())))??;
        Ok(Connection {
            connection,
            server: self,
            driver,
        })
    }

    async fn open(&self, patience: Duration) -> Attempted<(MultiplexedConnection, JoinHandle<()>)> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await;
        let stream = stream.map_err(|error| self.unreachable(&error.to_string()))?;
        let Some(config) = &self.tls else {
            return self.log_in(stream, patience).await;
        };
        let name = ServerName::try_from(self.host.clone()).map_err(|error| invalid(&error.to_string()))?;
        let stream = TlsConnector::from(Arc::clone(config)).connect(name, stream).await;
        let stream = stream.map_err(|error| {
            let inner = error
                .get_ref()
                .and_then(|inner| inner.downcast_ref::<rustls::Error>());
            if matches!(inner, Some(rustls::Error::InvalidCertificate(_))) {
                let message = format!(
                    "{}: {error}; SSL_CERT_FILE names further authorities",
                    self.place()
                );
                return Failure::give_up("CertificateRefused", message);
            }
            self.unreachable(&format!("no TLS: {error}"))
        })?;
        self.log_in(stream, patience).await
    }

    async fn log_in(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        patience: Duration,
    ) -> Attempted<(MultiplexedConnection, JoinHandle<()>)> {
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(patience));
        let (connection, driver) = MultiplexedConnection::new_with_config(&self.settings, stream, config)
            .await
            .map_err(|error| self.failure(&error))?;
        Ok((connection, tokio::spawn(driver)))
    }

    fn unreachable(&self, why: &str) -> Failure {
        Failure::retry(
            "EventsUnreachable",
            format!("cannot reach the event server {}: {why}", self.place()),
        )
    }

    /// What an error of the server or of the connection means.
    pub fn failure(&self, error: &RedisError) -> Failure {
        let said = self.redactor.redact(&error.to_string());
        let said = format!("the event server {} answers: {said}", self.place());
        let code = error.code().unwrap_or_default();
        if CREDENTIALS.contains(&code) || error.kind() == ErrorKind::AuthenticationFailed {
            let message = format!("{said}; see the user in --address and the Secret's password");
            return Failure::give_up("CredentialsRefused", message);
        }
        if PASSING.contains(&code) || said.contains("max number of clients") {
            return Failure::retry("EventsBusy", said);
        }
        match error.kind() {
            ErrorKind::Server(_) | ErrorKind::Extension | ErrorKind::InvalidClientConfig => {
                Failure::give_up("StreamUnusable", said)
            }
            // A connection that ended, was silent, or spoke something else.
            _ => self.unreachable(&self.redactor.redact(&error.to_string())),
        }
    }
}

fn read_address(address: &str) -> Attempted<(ConnectionInfo, bool)> {
    let url = Url::parse(address).map_err(|error| invalid(&error.to_string()))?;
    if url.password().is_some() {
        return Err(Failure::give_up(
            "PasswordInAddress",
            "--address has a password: take it out, it comes from the Secret",
        ));
    }
    let is_secure = match url.scheme() {
        "redis" => false,
        "rediss" => true,
        scheme => return Err(invalid(&format!("it begins with {scheme}:"))),
    };
    if url.query().is_some() || url.fragment().is_some() {
        return Err(invalid("it has a part after ? or #"));
    }
    // TLS is our own, so the library is told of a plain connection in both cases.
    let plain = address.replacen("rediss:", "redis:", 1);
    let info = ConnectionInfo::from_str(&plain).map_err(|error| invalid(&error.to_string()))?;
    Ok((info, is_secure))
}

fn invalid(problem: &str) -> Failure {
    Failure::give_up(
        "AddressInvalid",
        format!(
            "--address is no address of events, such as redis://user@host:6379/0, rediss://host or https://host/path: \
             {problem}"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(address: &str) -> Attempted<Server> {
        Server::new(address, Some(Secret::new("hunter22".to_owned())))
    }

    #[test]
    fn addresses_are_read() {
        let plain = server("redis://redis.redis").unwrap();
        assert_eq!(plain.place(), "redis.redis:6379/0");
        assert!(plain.tls.is_none());
        let whole = server("rediss://pl%40na@[::1]:7000/3").unwrap();
        assert_eq!(whole.place(), "::1:7000/3");
        assert_eq!(whole.settings.username(), Some("pl@na"));
        assert_eq!(whole.settings.password(), Some("hunter22"));
        assert!(whole.tls.is_some());
    }

    #[test]
    fn addresses_that_cannot_be_asked_are_named() {
        for (address, reason) in [
            ("redis", "AddressInvalid"),
            ("redis://", "AddressInvalid"),
            ("redis://redis/x", "AddressInvalid"),
            ("unix:///run/redis.sock", "AddressInvalid"),
            ("rediss://redis#insecure", "AddressInvalid"),
            ("redis://redis?protocol=resp3", "AddressInvalid"),
            ("redis://:hunter22@redis", "PasswordInAddress"),
            ("redis://user:hunter22@redis", "PasswordInAddress"),
        ] {
            let failure = server(address).err().unwrap();
            assert_eq!(failure.reason, reason, "{address}");
            assert!(!failure.message.contains("hunter22"), "{failure}");
        }
    }

    #[test]
    fn answers_are_told_apart() {
        let server = server("redis://redis").unwrap();
        let answered = |line: &str| {
            let value = redis::parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap();
            server.failure(&value.extract_error().unwrap_err())
        };
        for (line, reason) in [
            ("NOAUTH Authentication required.", "CredentialsRefused"),
            ("WRONGPASS invalid username-password pair", "CredentialsRefused"),
            ("NOPERM this user has no permissions", "CredentialsRefused"),
            (
                "READONLY You can't write against a read only replica.",
                "EventsBusy",
            ),
            ("OOM command not allowed", "EventsBusy"),
            ("LOADING Redis is loading the dataset in memory", "EventsBusy"),
            ("ERR max number of clients reached", "EventsBusy"),
            ("WRONGTYPE Operation against a key", "StreamUnusable"),
            ("MOVED 1234 10.0.0.1:6379", "StreamUnusable"),
            ("ERR unknown command 'XADD'", "StreamUnusable"),
        ] {
            assert_eq!(answered(line).reason, reason, "{line}");
        }
        let gone = RedisError::from(std::io::Error::from(std::io::ErrorKind::BrokenPipe));
        assert_eq!(server.failure(&gone).reason, "EventsUnreachable");
    }
}
