//! Whether Odoo may be let into a database, and what it needs there.
//!
//! In: the database and the roles. Out: a refusal, or a database in which the pool's role may make tables. Odoo goes
//! only where no pool can look: a worker's cron takes every database of its role, half installed or not.

use tokio_postgres::GenericClient;
use tracing::{info, warn};

use super::proof;
use crate::{
    contract::Roles,
    job::{
        failure::{Attempted, Failure},
        postgres::{Client, Marker, MarkerState, change, query_error},
    },
};

/// What is in a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Nothing.
    Empty,
    /// What a run of ours left that was killed or failed; it can be thrown away.
    Unfinished,
    /// What is to be installed, whole.
    Installed,
}

/// Refuses roles that are not as the platform's are: the login acts as both, and the pool's role can create no database.
pub async fn check_roles(client: &impl GenericClient, roles: &Roles) -> Attempted<()> {
    const QUERY: &str = "SELECT rolsuper, rolcreatedb, pg_has_role(current_user, oid, 'MEMBER'), current_user::text \
                         FROM pg_roles WHERE rolname = $1";
    for (role, is_applications) in [(&roles.application_role, true), (&roles.maintenance_role, false)] {
        let row = client
            .query_opt(QUERY, &[role])
            .await
            .map_err(|error| query_error(QUERY, &error))?;
        let Some(row) = row else {
            return Err(unfit(format!("there is no role {role:?}")));
        };
        let login: String = row.get(3);
        if !row.get::<_, bool>(2) {
            return Err(unfit(format!(
                "the Jobs' login {login:?} is no member of {role:?}; GRANT it"
            )));
        }
        if is_applications && (row.get(0) || row.get(1)) {
            return Err(unfit(format!(
                "the pool's role {role:?} may create databases, and Odoo would make a new one of a mistaken name; \
                 ALTER ROLE it NOSUPERUSER NOCREATEDB"
            )));
        }
    }
    Ok(())
}

/// Refuses a database that a pool can see.
pub async fn check_dark(client: &Client, roles: &Roles) -> Attempted<()> {
    const QUERY: &str = "SELECT pg_get_userbyid(datdba)::text, has_database_privilege($1, oid, 'CONNECT') \
                         FROM pg_database WHERE datname = current_database()";
    let row = client
        .query_one(QUERY, &[&roles.application_role])
        .await
        .map_err(|error| query_error(QUERY, &error))?;
    let (owner, is_open): (String, bool) = (row.get(0), row.get(1));
    if owner == roles.maintenance_role && !is_open {
        return Ok(());
    }
    Err(Failure::refused(
        "DatabaseVisible",
        format!(
            "database {:?} belongs to {owner:?} and the role {:?} may{} connect: Odoo is only let into one that no \
             pool can see",
            client.database,
            roles.application_role,
            if is_open { "" } else { " not" }
        ),
    ))
}

/// What is in the database, and a refusal when that is somebody's. One run commits `base` long before the other modules,
/// so what is installed counts only when it is all of them.
pub async fn content(client: &Client, major: u32, modules: &[String]) -> Attempted<Content> {
    const TABLES: &str = "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                          WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND NOT EXISTS \
                          (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')";
    let tables: i64 = client
        .query_one(TABLES, &[])
        .await
        .map_err(|error| query_error(TABLES, &error))?
        .get(0);
    if tables == 0 {
        return Ok(Content::Empty);
    }
    let rows = proof::rows(&**client).await?;
    let Err(failure) = proof::judge(&rows, major, modules) else {
        return Ok(Content::Installed);
    };
    match Marker::read(&**client).await? {
        Some(marker) if marker.state == MarkerState::Claimed => Ok(Content::Unfinished),
        _ => Err(Failure::refused(
            "DatabaseNotEmpty",
            format!(
                "database {:?} has {tables} tables, but {}; no marker says that this is ours to throw away",
                client.database, failure.message
            ),
        )),
    }
}

/// Throws away what is in the database. Only for [`Content::Unfinished`].
pub async fn empty(client: &mut Client) -> Attempted<()> {
    const STATEMENTS: &str = "SET LOCAL client_min_messages = warning; DROP SCHEMA public CASCADE; \
                              CREATE SCHEMA public; ALTER SCHEMA public OWNER TO pg_database_owner";
    info!(
        database = client.database,
        "removing what an unfinished run has left"
    );
    let failed = |error| query_error(STATEMENTS, &error);
    let transaction = client.transaction().await.map_err(failed)?;
    transaction.batch_execute(STATEMENTS).await.map_err(failed)?;
    transaction.commit().await.map_err(failed)
}

/// Lets the pool's role make tables and trusted extensions, and makes those that Odoo makes in a database of its own.
pub async fn prepare(client: &mut Client, roles: &Roles) -> Attempted<()> {
    const PROOF: &str = "SELECT has_schema_privilege($1, 'public', 'USAGE') AND has_schema_privilege($1, 'public', \
                         'CREATE') AND has_database_privilege($1, current_database(), 'CREATE')";
    let role = roles.application_role.as_str();
    let database = client.database.clone();
    change(&**client, "GRANT USAGE, CREATE ON SCHEMA public TO %I", &[role]).await?;
    change(&**client, "GRANT CREATE ON DATABASE %I TO %I", &[&database, role]).await?;
    let row = client
        .query_one(PROOF, &[&role])
        .await
        .map_err(|error| query_error(PROOF, &error))?;
    if !row.get::<_, bool>(0) {
        return Err(unfit(format!(
            "the Jobs' login may not let {role:?} into the schema public of {database:?}: it must be a member of the \
             owner"
        )));
    }
    // Not made IMMUTABLE as by Odoo, for which one must be superuser: searches work, indexes do without it.
    for extension in ["pg_trgm", "unaccent"] {
        if let Err(failure) = create_extension(client, role, extension).await {
            warn!(extension, "Odoo has to do without this extension: {failure}");
        }
    }
    Ok(())
}

async fn create_extension(client: &mut Client, role: &str, extension: &str) -> Attempted<()> {
    let failed = |error| query_error("CREATE EXTENSION", &error);
    let transaction = client.transaction().await.map_err(failed)?;
    change(&transaction, "SET LOCAL ROLE %I", &[role]).await?;
    change(
        &transaction,
        "SET LOCAL client_min_messages = warning; CREATE EXTENSION IF NOT EXISTS %I SCHEMA public",
        &[extension],
    )
    .await?;
    transaction.commit().await.map_err(failed)
}

fn unfit(message: String) -> Failure {
    Failure::give_up("RolesUnfit", message)
}
