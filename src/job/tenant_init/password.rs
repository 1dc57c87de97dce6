//! The password of a new tenant's administrator: from the environment, to the hash that Odoo checks.
//!
//! In: `ODOO_JOB_ADMIN_PASSWORD`, or its hash. Out: the hash, or none: then nobody can log in until the administrator
//! asks for a new password by mail, and no default password is ever live.

use crate::{
    contract::{ADMIN_PASSWORD, ADMIN_PASSWORD_HASH},
    job::{
        failure::{Attempted, Failure},
        passlib::{self, PASSWORD_ROUNDS},
        secrets::{self, Secret},
    },
};

/// What was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Password {
    /// A password.
    Plain(Secret),
    /// Its hash.
    Hash(Secret),
    /// Nothing.
    None,
}

impl Password {
    /// What the environment gives. A Secret that has both has the hash so that the password need not be used.
    pub fn from_environment() -> Attempted<Self> {
        Self::choose(
            secrets::optional(ADMIN_PASSWORD)?,
            secrets::optional(ADMIN_PASSWORD_HASH)?,
        )
    }

    fn choose(plain: Option<Secret>, hash: Option<Secret>) -> Attempted<Self> {
        match (plain, hash) {
            (_, Some(hash)) if passlib::is_hash(hash.expose()) => Ok(Self::Hash(hash)),
            (_, Some(_)) => Err(Failure::give_up(
                "PasswordHashUnusable",
                format!(
                    "{} is not a hash that Odoo can check: it must be passlib's, \
                     $pbkdf2-sha512$<rounds>$<salt>$<hash>, as in the column password of res_users",
                    ADMIN_PASSWORD_HASH.variable
                ),
            )),
            (Some(plain), None) => Ok(Self::Plain(plain)),
            (None, None) => Ok(Self::None),
        }
    }

    /// Whether there is one.
    #[must_use]
    pub fn is_given(&self) -> bool {
        match self {
            Self::Plain(_) | Self::Hash(_) => true,
            Self::None => false,
        }
    }

    /// The hash. A password takes about half a second.
    pub fn hashed(&self) -> Attempted<Option<Secret>> {
        match self {
            Self::Plain(password) => passlib::hash(password, PASSWORD_ROUNDS).map(Some),
            Self::Hash(hash) => Ok(Some(hash.clone())),
            Self::None => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_goes_before_a_password_and_must_be_one() {
        let secret = |text: &str| Some(Secret::new(text.to_owned()));
        let hash = passlib::hash(&Secret::new("x".to_owned()), 1).unwrap();
        let chosen = Password::choose(secret("x"), Some(hash.clone())).unwrap();
        assert_eq!(chosen, Password::Hash(hash));
        assert_eq!(Password::choose(None, None).unwrap(), Password::None);
        assert!(Password::choose(secret("x"), None).unwrap().is_given());
        let failure = Password::choose(None, secret("planted-secret")).unwrap_err();
        assert_eq!(failure.reason, "PasswordHashUnusable");
        assert!(!failure.message.contains("planted-secret"), "{failure}");
    }
}
