//! Connections to the server.

use std::{sync::Arc, time::Duration};

use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use tokio::task::JoinHandle;
use tokio_postgres::{
    Config, NoTls,
    config::{ChannelBinding, SslMode},
    error::SqlState,
};
use tokio_postgres_rustls::MakeRustlsConnect;
use tracing::debug;

use crate::{
    contract::{self, DATABASE_AUTHORITY, DATABASE_PASSWORD, DATABASE_USERNAME},
    job::{
        failure::{Attempted, Failure},
        secrets::{self, Secret},
        tls,
    },
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A server that is gone is noticed after about two minutes, not after the kernel's two hours.
const KEEPALIVE: Duration = Duration::from_secs(60);
/// The database that always is there, for statements about others.
const MAINTENANCE_DATABASE: &str = "postgres";

/// How a command logs in.
#[derive(Clone, Debug)]
pub struct Login {
    /// The server.
    pub server: contract::Server,
    /// The login role.
    pub username: Secret,
    /// Its password.
    pub password: Secret,
    authority: Option<Secret>,
    application_name: String,
}

/// A connection. Dropping it closes it.
#[derive(Debug)]
pub struct Client {
    session: tokio_postgres::Client,
    driver: JoinHandle<()>,
    /// The database.
    pub database: String,
}

/// That a database is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing;

impl Login {
    /// The login of the environment; `application_name` is what the server shows of us, such as `odoo-job backup acme`.
    pub fn from_environment(server: &contract::Server, application_name: &str) -> Attempted<Self> {
        Ok(Self {
            server: server.clone(),
            username: secrets::required(DATABASE_USERNAME)?,
            password: secrets::required(DATABASE_PASSWORD)?,
            authority: secrets::optional(DATABASE_AUTHORITY)?,
            // PostgreSQL cuts it at 63 bytes by itself.
            application_name: application_name.to_owned(),
        })
    }

    /// Connects to the database for statements about others.
    pub async fn connect(&self) -> Attempted<Client> {
        self.connect_to(MAINTENANCE_DATABASE).await
    }

    /// Connects to a database that must be there.
    pub async fn connect_to(&self, database: &str) -> Attempted<Client> {
        self.try_connect_to(database).await?.map_err(|Missing| {
            Failure::give_up(
                "DatabaseMissing",
                format!("there is no database {database:?} on {}", self.place()),
            )
        })
    }

    /// Connects to a database that may not be there.
    pub async fn try_connect_to(&self, database: &str) -> Attempted<Result<Client, Missing>> {
        let config = self.config(database);
        let outcome = match self.server.database_ssl_mode.as_str() {
            "disable" => match config.connect(NoTls).await {
                Ok((client, connection)) => Ok((client, drive(connection))),
                Err(error) => Err(error),
            },
            mode => match config.connect(self.tls(mode)?).await {
                Ok((client, connection)) => Ok((client, drive(connection))),
                Err(error) => Err(error),
            },
        };
        match outcome {
            Ok((session, driver)) => Ok(Ok(Client {
                session,
                driver,
                database: database.to_owned(),
            })),
            Err(error) if error.code() == Some(&SqlState::INVALID_CATALOG_NAME) => Ok(Err(Missing)),
            Err(error) => Err(self.cannot_connect(database, &error)),
        }
    }

    /// Host and port, for messages.
    #[must_use]
    pub fn place(&self) -> String {
        format!("{}:{}", self.server.database_host, self.server.database_port)
    }

    /// The environment of the server's own programs (`pg_dump` and the like) and of Odoo. `PGDATABASE` is never part of
    /// it: Odoo 19 takes it for `-d`.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("PGHOST", self.server.database_host.clone()),
            ("PGPORT", self.server.database_port.to_string()),
            ("PGUSER", self.username.expose().to_owned()),
            ("PGPASSWORD", self.password.expose().to_owned()),
            ("PGSSLMODE", self.server.database_ssl_mode.clone()),
            ("PGAPPNAME", self.application_name.clone()),
            ("PGCONNECT_TIMEOUT", CONNECT_TIMEOUT.as_secs().to_string()),
        ]
    }

    /// Certificates for `PGSSLROOTCERT`, when the Secret has them; libpq wants them in a file.
    #[must_use]
    pub fn authority(&self) -> Option<&Secret> {
        self.authority.as_ref()
    }

    fn config(&self, database: &str) -> Config {
        let mut config = Config::new();
        config
            .host(&self.server.database_host)
            .port(self.server.database_port)
            .user(self.username.expose())
            .password(self.password.expose())
            .dbname(database)
            .application_name(&self.application_name)
            // A role setting of the login or the database would make us somebody else, whose GRANTs grant nothing and
            // still succeed. `RESET role` goes back to that setting; this does not.
            .options("-c role=none")
            .connect_timeout(CONNECT_TIMEOUT)
            .keepalives_idle(KEEPALIVE)
            .tcp_user_timeout(KEEPALIVE * 2)
            .channel_binding(ChannelBinding::Prefer)
            .ssl_mode(if self.server.database_ssl_mode == "disable" {
                SslMode::Disable
            } else {
                SslMode::Require
            });
        config
    }

    fn tls(&self, mode: &str) -> Attempted<MakeRustlsConnect> {
        let mut config = tls::client(self.authority.as_ref())?;
        match mode {
            "require" => look_away(&mut config, None),
            "verify-ca" => {
                let roots = Arc::new(tls::authorities(self.authority.as_ref())?);
                let verifier = WebPkiServerVerifier::builder_with_provider(roots, tls::provider())
                    .build()
                    .map_err(|error| Failure::give_up("AuthoritiesUnusable", error.to_string()))?;
                look_away(&mut config, Some(verifier));
            }
            // verify-full is what rustls does by itself.
            _ => {}
        }
        Ok(MakeRustlsConnect::new(config))
    }

    fn cannot_connect(&self, database: &str, error: &tokio_postgres::Error) -> Failure {
        let place = self.place();
        let Some(server) = error.as_db_error() else {
            return Failure::retry(
                "ServerUnreachable",
                format!("cannot connect to PostgreSQL at {place}: {}", with_causes(error)),
            );
        };
        let said = server.message();
        let code = server.code();
        if [
            &SqlState::INVALID_PASSWORD,
            &SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
        ]
        .contains(&code)
        {
            return Failure::give_up(
                "LoginRefused",
                format!(
                    "PostgreSQL at {place} refuses the login of the Secret for database {database:?}: {said}"
                ),
            );
        }
        if *code == SqlState::INSUFFICIENT_PRIVILEGE || *code == SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE {
            return Failure::give_up(
                "ConnectRefused",
                format!(
                    "PostgreSQL at {place} does not let the Jobs' login into database {database:?}: {said}"
                ),
            );
        }
        // Starting up, shutting down, recovering, too many connections: all of these pass.
        Failure::retry("ServerUnavailable", format!("PostgreSQL at {place}: {said}"))
    }
}

impl std::ops::Deref for Client {
    type Target = tokio_postgres::Client;

    fn deref(&self) -> &Self::Target {
        &self.session
    }
}

impl std::ops::DerefMut for Client {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.session
    }
}

impl Client {
    /// Closes the connection, and waits until the server has it from us: a session that lingers would block a rename.
    pub async fn close(self) {
        let Self { session, driver, .. } = self;
        drop(session);
        // The task ends when the connection is closed, in whatever way.
        let _ = driver.await;
    }
}

fn drive<S, T>(connection: tokio_postgres::Connection<S, T>) -> JoinHandle<()>
where
    tokio_postgres::Connection<S, T>: Future<Output = Result<(), tokio_postgres::Error>> + Send + 'static,
{
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            debug!(%error, "a connection to PostgreSQL ended");
        }
    })
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

fn look_away(config: &mut ClientConfig, chain: Option<Arc<WebPkiServerVerifier>>) {
    config
        .dangerous()
        .set_certificate_verifier(Arc::new(Lenient { chain }));
}

/// What `require` and `verify-ca` mean in PostgreSQL: the name is not checked, and without authorities nothing is.
#[derive(Debug)]
struct Lenient {
    chain: Option<Arc<WebPkiServerVerifier>>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        use rustls::CertificateError::{NotValidForName, NotValidForNameContext};
        let Some(chain) = &self.chain else {
            return Ok(ServerCertVerified::assertion());
        };
        match chain.verify_server_cert(certificate, intermediates, name, ocsp, now) {
            // The name is checked last, so the chain is good.
            Err(rustls::Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. })) => {
                Ok(ServerCertVerified::assertion())
            }
            outcome => outcome,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = tls::provider().signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, &algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = tls::provider().signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        tls::provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}
