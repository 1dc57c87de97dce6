//! What tenant-init reports: everything, read back from the server.
//!
//! In: a tenant's database that is finished. Out: its report, or what is not as it is to be.

use tokio_postgres::GenericClient;

use super::{
    prove::{self, Proven},
    record::Record,
};
use crate::{
    contract::{Origin, Report, TenantInit, TenantReport},
    job::{failure::Attempted, postgres::access, tenancy::Tenancy},
};

/// Reads a finished tenant back.
pub async fn read(tenancy: &Tenancy<'_>, command: &TenantInit) -> Attempted<Report> {
    let (database, id) = (&command.tenant.database, &command.tenant.marker);
    let facts = tenancy.required_facts().await?;
    tenancy.own_marker(&facts).await?;
    let inside = tenancy.inside().await?;
    let record = finished_record(&*inside, id).await?;
    let Proven {
        uuid,
        base_version,
        module_count,
        files,
    } = prove::prove(&*inside, command, &record).await?;
    inside.close().await;
    if !facts.is_dark(&command.roles) {
        // A tenant that was suspended since is finished too, and stays as it is.
        access::prove_published(&*tenancy.server, database, &command.roles).await?;
    }
    Ok(Report::Tenant(TenantReport {
        marker: id.clone(),
        origin: record.origin,
        database_uuid: uuid,
        base_version,
        module_count,
        database_bytes: facts.bytes,
        filestore_files: files,
        password_set: record.password_set,
    }))
}

/// The record of a finished tenant. One that another command has made (a restore) has none, and was there before.
async fn finished_record(client: &impl GenericClient, id: &str) -> Attempted<Record> {
    let record = Record::read(client, id).await?;
    Ok(record.unwrap_or_else(|| Record::new(Origin::Adopted, None)))
}
