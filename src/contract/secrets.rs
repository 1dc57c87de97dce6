//! The secrets of the commands: environment variables, and the keys of the Secrets that they come from.

/// A secret that a command reads from its environment, and the key of the Secret that it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecretVariable {
    /// Name of the environment variable.
    pub variable: &'static str,
    /// Key in the Secret.
    pub key: &'static str,
    /// Whether the Secret may lack the key; the variable is then not set.
    pub optional: bool,
}

impl SecretVariable {
    const fn required(variable: &'static str, key: &'static str) -> Self {
        Self {
            variable,
            key,
            optional: false,
        }
    }

    const fn optional(variable: &'static str, key: &'static str) -> Self {
        Self {
            variable,
            key,
            optional: true,
        }
    }
}

/// User name at the database server.
pub const DATABASE_USERNAME: SecretVariable =
    SecretVariable::required("ODOO_JOB_DATABASE_USERNAME", "username");
/// Password at the database server.
pub const DATABASE_PASSWORD: SecretVariable =
    SecretVariable::required("ODOO_JOB_DATABASE_PASSWORD", "password");
/// Certificates (PEM) of the authority of the database server, beside the public ones.
pub const DATABASE_AUTHORITY: SecretVariable = SecretVariable::optional("ODOO_JOB_DATABASE_CA", "ca.crt");
/// Password of a new tenant's administrator.
pub const ADMIN_PASSWORD: SecretVariable = SecretVariable::optional("ODOO_JOB_ADMIN_PASSWORD", "password");
/// The same as Odoo stores it (`$pbkdf2-sha512$...`), for who does not want to hand out the password itself.
pub const ADMIN_PASSWORD_HASH: SecretVariable =
    SecretVariable::optional("ODOO_JOB_ADMIN_PASSWORD_HASH", "password-hash");
/// Key id at the object store.
pub const STORE_KEY_ID: SecretVariable = SecretVariable::required("ODOO_JOB_STORE_KEY_ID", "access-key-id");
/// Secret key at the object store.
pub const STORE_KEY: SecretVariable = SecretVariable::required("ODOO_JOB_STORE_KEY", "secret-access-key");
/// Identity (`AGE-SECRET-KEY-1...`) that an encrypted backup is read with.
pub const AGE_IDENTITY: SecretVariable = SecretVariable::optional("ODOO_JOB_AGE_IDENTITY", "identity");
/// Access token of the Matrix server.
pub const MATRIX_TOKEN: SecretVariable = SecretVariable::required("ODOO_JOB_MATRIX_TOKEN", "token");
/// Key that requests are signed with.
pub const SIGNING_KEY: SecretVariable = SecretVariable::required("ODOO_JOB_SIGNING_KEY", "signing-key");
/// Password of the event stream's server, or key of its REST endpoint.
pub const EVENTS_PASSWORD: SecretVariable = SecretVariable::required("ODOO_JOB_EVENTS_PASSWORD", "password");
