//! Odoo's modules into a tenant's empty database, where there is no template.
//!
//! In: a database that is ours, hidden, and empty or half filled. Out: one with the modules. Odoo that was killed half way
//! cannot go on: `-i base` on a part of it takes it for whole. So a half filled database is made anew first.

use std::iter;

use tokio_postgres::GenericClient;
use tracing::info;

use super::{claim, files, record::Record};
use crate::{
    contract::{Origin, TenantInit},
    job::{
        attempt::Attempt,
        failure::Attempted,
        filestore::Filestore,
        odoo,
        postgres::{access, change, columns::is_empty, query_error},
        tenancy::Tenancy,
    },
};

/// The module that everything else needs.
const BASE: &str = "base";

/// Installs the modules, and writes down that they are there.
pub async fn install(
    attempt: &Attempt,
    tenancy: &mut Tenancy<'_>,
    command: &TenantInit,
    filestore: &Filestore,
) -> Attempted<Record> {
    let database = &command.tenant.database;
    let inside = tenancy.inside().await?;
    let is_clean = is_empty(&**inside).await?;
    inside.close().await;
    let record = if is_clean {
        Record::new(Origin::Installed, None)
    } else {
        info!("an earlier run was ended while Odoo was installing: the database is made anew");
        make_anew(tenancy, command).await?;
        claim(tenancy, command, true).await?
    };
    // Odoo has written files for the database that is no more.
    files::clear(filestore)?;
    let given = command.module.iter().filter(|module| *module != BASE).cloned();
    let modules: Vec<_> = iter::once(BASE.to_owned()).chain(given).collect();
    odoo::install(
        attempt,
        &tenancy.login,
        &command.roles,
        database,
        command.odoo_version,
        &modules,
        &command.data_directory,
    )
    .await?;
    let record = Record {
        is_installed: true,
        ..record
    };
    let inside = tenancy.inside().await?;
    record.write(&**inside, &command.tenant.marker).await?;
    inside.close().await;
    Ok(record)
}

/// Drops the database and makes it again with the same locale, closed from its first moment. A run that is killed in
/// between leaves none: the Database resource makes it again, empty, as the first time.
async fn make_anew(tenancy: &mut Tenancy<'_>, command: &TenantInit) -> Attempted<()> {
    let (database, roles) = (&command.tenant.database, &command.roles);
    let (encoding, collate, ctype) = locale(&**tenancy.server, database).await?;
    tenancy.prove_lock().await?;
    access::end_sessions(&**tenancy.server, database).await?;
    change(&**tenancy.server, "DROP DATABASE %I", &[database]).await?;
    let statement = "CREATE DATABASE %I OWNER %I TEMPLATE template0 ENCODING %L LC_COLLATE %L LC_CTYPE %L \
        ALLOW_CONNECTIONS false";
    let owner = &roles.maintenance_role;
    let arguments: [&str; 5] = [database, owner, &encoding, &collate, &ctype];
    change(&**tenancy.server, statement, &arguments).await?;
    access::open_dark(&mut tenancy.server, database, roles).await
}

async fn locale(client: &impl GenericClient, database: &str) -> Attempted<(String, String, String)> {
    const QUERY: &str = "SELECT pg_encoding_to_char(encoding)::text, datcollate::text, datctype::text \
        FROM pg_database WHERE datname = $1";
    let row = client.query_one(QUERY, &[&database]).await;
    let row = row.map_err(|error| query_error(QUERY, &error))?;
    Ok((row.get(0), row.get(1), row.get(2)))
}
