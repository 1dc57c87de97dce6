//! What every command on a tenant begins with: the names, the lock, the server's facts, the marker.
//!
//! In: the contract's tenant and the login from the environment. Out: a way to the server while the lock is held, and
//! whose database it is. Nothing here changes anything.

use tokio_postgres::GenericClient;

use super::{
    attempt::Attempt,
    failure::{Attempted, Failure},
    postgres::{
        Client, LockMode, Login, Marker, MarkerState, TenantLock,
        access::{self, DatabaseFacts},
        check_name, query_error,
    },
};
use crate::contract::TenantDatabase;

/// A tenant that we hold the lock of.
#[derive(Debug)]
pub struct Tenancy<'a> {
    /// Which one.
    pub tenant: &'a TenantDatabase,
    /// How to log in.
    pub login: Login,
    /// A connection to the server, in no tenant's database.
    pub server: Client,
    lock: TenantLock,
}

impl<'a> Tenancy<'a> {
    /// Checks the names, logs in and takes the lock.
    pub async fn enter(attempt: &Attempt, tenant: &'a TenantDatabase, mode: LockMode) -> Attempted<Self> {
        check_name("database", &tenant.database)?;
        let name = format!("odoo-job {} {}", attempt.command(), tenant.slug);
        let login = Login::from_environment(&tenant.server, &name)?;
        let lock = TenantLock::take(&login, &tenant.slug, mode).await?;
        let server = login.connect().await?;
        Ok(Self {
            tenant,
            login,
            server,
            lock,
        })
    }

    /// What the server says about the database; `None` when there is none.
    pub async fn facts(&self) -> Attempted<Option<DatabaseFacts>> {
        access::facts(&*self.server, &self.tenant.database).await
    }

    /// The same, of a database that must be there.
    pub async fn required_facts(&self) -> Attempted<DatabaseFacts> {
        self.facts().await?.ok_or_else(|| {
            Failure::retry(
                "DatabaseMissing",
                format!(
                    "there is no database {:?} on {}; its Database resource says why",
                    self.tenant.database,
                    self.login.place()
                ),
            )
        })
    }

    /// A connection into the tenant's database.
    pub async fn inside(&self) -> Attempted<Client> {
        self.login.connect_to(&self.tenant.database).await
    }

    /// Proves that nobody else has become the writer meanwhile. Call it before what cannot be taken back.
    pub async fn prove_lock(&self) -> Attempted<()> {
        self.lock.prove().await
    }

    /// The marker, from inside the database where that is possible, and from its comment where nobody may connect.
    pub async fn marker(&self, facts: &DatabaseFacts) -> Attempted<Option<Marker>> {
        if !facts.allow_connections {
            return Marker::read_comment(&*self.server, &self.tenant.database).await;
        }
        let inside = self.inside().await?;
        let marker = Marker::read(&*inside).await;
        inside.close().await;
        marker
    }

    /// The marker, which must be the tenant's own.
    pub async fn own_marker(&self, facts: &DatabaseFacts) -> Attempted<Marker> {
        let marker = self.marker(facts).await?;
        let wanted = self.marker_as(MarkerState::Ready);
        match marker {
            Some(marker) if marker.is_same_owner(&wanted) => Ok(marker),
            Some(other) => Err(self.foreign(&other)),
            None => Err(Failure::refused(
                "DatabaseUnmarked",
                format!(
                    "the database {:?} says nothing of whose it is ({}), and was to be that of {}; nothing was touched",
                    self.tenant.database,
                    facts.describe(),
                    wanted.describe()
                ),
            )),
        }
    }

    /// The marker that the tenant's database is to have.
    pub fn marker_as(&self, state: MarkerState) -> Marker {
        Marker::tenant(&self.tenant.marker, &self.tenant.slug, state)
    }

    /// That the database is somebody else's.
    pub fn foreign(&self, other: &Marker) -> Failure {
        Failure::refused(
            "ForeignDatabase",
            format!(
                "the database {:?} belongs to {}, not to {}; nothing was touched. To take it over on purpose, set \
                 spec.adoptDatabase to {:?}",
                self.tenant.database,
                other.describe(),
                self.marker_as(MarkerState::Ready).describe(),
                other.id
            ),
        )
    }
}

/// Checks that Odoo is installed in the database and of the major; returns the version of `base`.
pub async fn base_version(client: &impl GenericClient, odoo_version: u32) -> Attempted<String> {
    const QUERY: &str =
        "SELECT latest_version::text, state::text FROM public.ir_module_module WHERE name = 'base'";
    const THERE: &str = "SELECT to_regclass('public.ir_module_module') IS NOT NULL";
    let there = client.query_one(THERE, &[]).await;
    let there: bool = there.map_err(|error| query_error(THERE, &error))?.get(0);
    let row = if there {
        let row = client.query_opt(QUERY, &[]).await;
        row.map_err(|error| query_error(QUERY, &error))?
    } else {
        None
    };
    let (version, state): (Option<String>, Option<String>) =
        row.map_or((None, None), |row| (row.get(0), row.get(1)));
    let version = version.filter(|_| state.as_deref() == Some("installed"));
    let Some(version) = version else {
        return Err(Failure::give_up(
            "BaseNotInstalled",
            "Odoo's module base is not installed in the database: it is no Odoo database, or an unfinished one",
        ));
    };
    if major(&version) == Some(odoo_version) {
        return Ok(version);
    }
    Err(Failure::give_up(
        "WrongVersion",
        format!(
            "the database is of Odoo {version}, and Odoo {odoo_version} was to serve it; its workers would break it. \
             Only a TenantUpgrade moves a tenant to another major"
        ),
    ))
}

/// The major of a module's version: 18 of `18.0.1.3` and of `saas~18.2.1.3`.
#[must_use]
pub fn major(version: &str) -> Option<u32> {
    let version = version.strip_prefix("saas~").unwrap_or(version);
    version.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_is_the_first_number() {
        assert_eq!(major("18.0.1.3"), Some(18));
        assert_eq!(major("saas~18.2.1.3"), Some(18));
        assert_eq!(major("1.3"), Some(1));
        assert_eq!(major("master"), None);
        assert_eq!(major(""), None);
    }
}
