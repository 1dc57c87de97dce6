//! Odoo itself, as it is in the image: installing modules into a database, with gates before and proofs after.
//!
//! In: an empty database that no pool can see, and modules. Out: a database in which they are installed, with the version
//! of each, or why not. `odoo` ends with exit code 0 for a missing database (it makes one), for an unknown module (it
//! leaves it out) and for one whose files are gone, so nothing here rests on that: [`gate`] looks first, [`log`] listens,
//! [`proof`] reads what is in the database in the end.
//!
//! Whether the image has a module cannot be known before: the path of Odoo's own modules is in no file. Odoo says so
//! itself after it has loaded `base`, and is ended there and then.

mod config;
mod gate;
mod log;
mod proof;
mod run;

use std::collections::BTreeMap;

use tracing::info;

pub use self::gate::check_roles;
use self::{
    gate::Content,
    run::{Odoo, Place},
};
use super::{
    attempt::Attempt,
    failure::{Attempted, Failure},
    postgres::{Client, Login},
};
use crate::contract::Roles;

/// Installs modules into an empty database that belongs to the maintenance role, and proves it. One that has them
/// already is only proven. What a run of ours left unfinished (the database's marker says `claimed`) is thrown away: Odoo
/// cannot go on from there.
pub async fn install(
    attempt: &Attempt,
    login: &Login,
    roles: &Roles,
    database: &str,
    odoo_version: u32,
    modules: &[String],
    data_directory: &str,
) -> Attempted<BTreeMap<String, String>> {
    check_names(database, modules)?;
    let odoo = Odoo::find(attempt, odoo_version).await?;
    let mut client = login.connect_to(database).await?;
    gate::check_roles(&*client, roles).await?;
    gate::check_dark(&client, roles).await?;
    match gate::content(&client, odoo_version, modules).await? {
        Content::Empty => {}
        Content::Installed => {
            info!(database, "Odoo is installed already");
            return prove(&client, odoo_version, modules).await;
        }
        // Files that the killed run has written stay: they are named after their content and in nobody's way, and
        // whoever deletes here would have to know whose directory it was before.
        Content::Unfinished => gate::empty(&mut client).await?,
    }
    gate::prepare(&mut client, roles).await?;
    client.close().await;
    let place = Place {
        login,
        roles,
        database,
        data_directory,
    };
    odoo.install(attempt, place, modules).await?;
    let client = login.connect_to(database).await?;
    prove(&client, odoo_version, modules).await
}

/// Refuses an image without Odoo, or with one of another major.
pub async fn check_version(attempt: &Attempt, odoo_version: u32) -> Attempted<()> {
    Odoo::find(attempt, odoo_version).await.map(drop)
}

/// Proves that these modules are installed, that nothing is half done, and that everything is of this major.
pub async fn prove(
    client: &Client,
    odoo_version: u32,
    modules: &[String],
) -> Attempted<BTreeMap<String, String>> {
    proof::judge(&proof::rows(&**client).await?, odoo_version, modules)
}

/// Refuses names that Odoo's command line would read as something else.
pub fn check_names(database: &str, modules: &[String]) -> Attempted<()> {
    if database.contains([',', '/']) || database.starts_with('-') {
        return Err(Failure::give_up(
            "NameUnsafe",
            format!("Odoo cannot be told of a database named {database:?}"),
        ));
    }
    let is_name = |name: &String| {
        !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    };
    match modules.iter().find(|name| !is_name(name)) {
        Some(name) => Err(Failure::give_up(
            "ModuleUnknown",
            format!("{name:?} cannot be the name of a module; correct the list of modules"),
        )),
        None if modules.is_empty() => Err(Failure::give_up("ModuleUnknown", "there is no module to install")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_mean_something_else_to_odoo_are_refused() {
        let base = ["base".to_owned()];
        assert!(check_names("basic-19.planapulse.app~0123456789ab", &base).is_ok());
        for database in ["a,b", "postgresql://elsewhere/x", "-x"] {
            assert_eq!(check_names(database, &base).unwrap_err().reason, "NameUnsafe");
        }
        for module in ["", "a,b", "--dev", "Base", "../x"] {
            let failure = check_names("a", &[module.to_owned()]).unwrap_err();
            assert_eq!(failure.reason, "ModuleUnknown", "{module}");
        }
        assert!(check_names("a", &[]).is_err());
    }
}
