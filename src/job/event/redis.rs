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

use crate::{
    contract::EVENTS_PASSWORD,
    job::{
        failure::{Attempted, Failure},
        http::is_refused_certificate,
        secrets::{Redactor, Secret},
        tls,
    },
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
    user: Option<String>,
    password: Option<Secret>,
    database: i64,
    redactor: Redactor,
}

/// A connection. Dropping it closes it.
pub struct Connection<'a> {
    /// The connection, for this use only: what one caller watches, another would change.
    pub line: MultiplexedConnection,
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
        let settings = info.redis_settings();
        if settings.username().is_some() && password.is_none() {
            let message = format!(
                "--address has a user, and {} no password",
                EVENTS_PASSWORD.variable
            );
            return Err(Failure::give_up("SecretMissing", message));
        }
        Ok(Self {
            host,
            port,
            tls: is_secure.then(|| tls::client(None)).transpose()?.map(Arc::new),
            user: settings.username().map(str::to_owned),
            database: settings.db(),
            redactor: Redactor::new(password.clone()),
            password,
        })
    }

    /// Host, port and database, for messages.
    pub fn place(&self) -> String {
        format!("{}:{}/{}", self.host, self.port, self.database)
    }

    /// Connects and logs in; `patience` is how long any answer may take.
    pub async fn connect(&self, patience: Duration) -> Attempted<Connection<'_>> {
        let limit = CONNECT_TIMEOUT.min(patience);
        let opened = timeout(limit, self.open(patience)).await;
        let (line, driver) = opened
            .map_err(|_| self.unreachable(&format!("no connection within {} ms", limit.as_millis())))??;
        Ok(Connection {
            line,
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
            if is_refused_certificate(&error) {
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
        // The library would log in by itself, and tell a refusal without the server's word for it.
        let settings = RedisConnectionInfo::default().set_skip_set_lib_name();
        let opened = MultiplexedConnection::new_with_config(&settings, stream, config).await;
        let (mut connection, driver) = opened.map_err(|error| self.failure(&error))?;
        let driver = tokio::spawn(driver);
        if let Some(password) = &self.password {
            let mut login = redis::cmd("AUTH");
            login.arg(&self.user).arg(password.expose());
            self.order(&mut connection, &login).await?;
        }
        if self.database != 0 {
            let mut select = redis::cmd("SELECT");
            self.order(&mut connection, select.arg(self.database)).await?;
        }
        Ok((connection, driver))
    }

    async fn order(&self, connection: &mut MultiplexedConnection, command: &redis::Cmd) -> Attempted<()> {
        let done = command.query_async(connection).await;
        done.map_err(|error| self.failure(&error))
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
        // A server without passwords takes none either, and has no code for it.
        if CREDENTIALS.contains(&code) || said.contains("without any password configured") {
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
        assert_eq!(whole.user.as_deref(), Some("pl@na"));
        assert!(whole.tls.is_some());
    }

    #[test]
    fn addresses_that_cannot_be_asked_are_named() {
        let user = Server::new("redis://plana@redis", None).err().unwrap();
        assert_eq!(user.reason, "SecretMissing");
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
            (
                "ERR AUTH <password> called without any password configured for the default user.",
                "CredentialsRefused",
            ),
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
