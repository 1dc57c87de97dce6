//! Secrets: from the environment, to where they are used, and nowhere else.
//!
//! In: the variables that the contract names. Out: values that no format string, log or error can show.

use std::{env, fmt};

use super::failure::{Attempted, Failure};
use crate::contract::SecretVariable;

/// A value that is shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value.
    #[must_use]
    pub fn new(value: String) -> Self {
        Self(value)
    }

    /// The value, for where it is used.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(...)")
    }
}

/// A secret that must be there.
pub fn required(variable: SecretVariable) -> Attempted<Secret> {
    optional(variable)?.ok_or_else(|| {
        Failure::give_up(
            "SecretMissing",
            format!(
                "{} is not set or empty: the Secret must have the key {}",
                variable.variable, variable.key
            ),
        )
    })
}

/// A secret that may be there. An empty one is none.
pub fn optional(variable: SecretVariable) -> Attempted<Option<Secret>> {
    match env::var(variable.variable) {
        Ok(value) if value.is_empty() => Ok(None),
        // A Secret that was made with `echo` ends with a newline, which is never part of it.
        Ok(value) => Ok(Some(Secret(value.trim_end_matches(['\r', '\n']).to_owned()))),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => Err(Failure::give_up(
            "SecretUnreadable",
            format!("{} is not UTF-8 text", variable.variable),
        )),
    }
}

/// Takes secrets out of text that is shown: what a child process printed may hold them.
#[derive(Clone, Debug, Default)]
pub struct Redactor(Vec<Secret>);

impl Redactor {
    /// Hides these. One of fewer than four letters would take words apart, and protects nothing.
    #[must_use]
    pub fn new(secrets: impl IntoIterator<Item = Secret>) -> Self {
        Self(secrets.into_iter().filter(|secret| secret.0.len() >= 4).collect())
    }

    /// The text without them.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| {
            text.replace(secret.expose(), "***")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_shown() {
        let secret = Secret::new("s3cret-value".to_owned());
        assert!(!format!("{secret:?} {:?}", Redactor::new([secret.clone()])).contains("s3cret"));
        let redactor = Redactor::new([secret, Secret::new("a".to_owned())]);
        assert_eq!(
            redactor.redact("password s3cret-value at a place"),
            "password *** at a place"
        );
    }

    #[test]
    fn a_missing_secret_names_its_key() {
        let failure = required(SecretVariable {
            variable: "ODOO_JOB_NO_SUCH_SECRET",
            key: "password",
            optional: false,
        })
        .unwrap_err();
        assert_eq!(failure.reason, "SecretMissing");
        assert!(failure.message.contains("key password"), "{failure}");
    }
}
