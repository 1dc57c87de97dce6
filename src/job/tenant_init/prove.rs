//! The proof that a database is a tenant's: read back, and compared with what was to be.
//!
//! In: the database from inside, its filestore. Out: what the report says of it, or the name of what does not hold.
//! Nothing of it relies on what an earlier step believes to have done.

use tokio_postgres::GenericClient;
use tracing::warn;

use super::{
    files::{self, shown},
    record::{Record, database_uuid},
};
use crate::{
    contract::{Origin, TenantInit},
    job::{
        failure::{Attempted, Failure},
        filestore::Filestore,
        postgres::{columns::columns, one_text, query_error},
        tenancy,
    },
};

/// What was proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// Odoo's id of the database.
    pub uuid: String,
    /// Version of `base`.
    pub base_version: String,
    /// Installed modules.
    pub module_count: u32,
    /// Files in the filestore.
    pub files: u64,
}

/// Proves the database that the client is in.
pub async fn prove(client: &impl GenericClient, command: &TenantInit, record: &Record) -> Attempted<Proven> {
    let base_version = tenancy::base_version(client, command.odoo_version).await?;
    let module_count = modules(client).await?;
    let uuid = uuid(client, record).await?;
    prove_base_url(client, &command.host).await?;
    prove_objects(client, &command.roles.application_role).await?;
    if record.origin != Origin::Adopted {
        prove_schema_rights(client, &command.roles.application_role).await?;
    }
    let files = prove_files(client, command, record).await?;
    Ok(Proven {
        uuid,
        base_version,
        module_count,
        files,
    })
}

/// No module may be on its way: Odoo's workers would go on with it, and its crons skip the database.
async fn modules(client: &impl GenericClient) -> Attempted<u32> {
    const UNSETTLED: &str = "SELECT string_agg(name || ' (' || state || ')', ', ' ORDER BY name) \
        FROM public.ir_module_module WHERE state LIKE 'to %'";
    const INSTALLED: &str = "SELECT count(*) FROM public.ir_module_module WHERE state = 'installed'";
    if let Some(modules) = one_text(client, UNSETTLED, &[]).await? {
        return Err(Failure::give_up(
            "ModulesUnsettled",
            format!("modules are half installed: {modules}; rebuild the template, and delete the database"),
        ));
    }
    let row = client.query_one(INSTALLED, &[]).await;
    let count: i64 = row.map_err(|error| query_error(INSTALLED, &error))?.get(0);
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

async fn uuid(client: &impl GenericClient, record: &Record) -> Attempted<String> {
    match database_uuid(client).await? {
        Some(uuid) if record.source_uuid.as_ref() != Some(&uuid) => Ok(uuid),
        Some(uuid) => Err(not_personalised(&format!(
            "its database.uuid {uuid} is the template's"
        ))),
        None => Err(not_personalised("it has no database.uuid")),
    }
}

async fn prove_base_url(client: &impl GenericClient, host: &str) -> Attempted<()> {
    let query = "SELECT string_agg(key || '=' || value, ' ' ORDER BY key) FROM public.ir_config_parameter \
        WHERE key IN ('web.base.url', 'web.base.url.freeze')";
    let found = one_text(client, query, &[]).await?.unwrap_or_default();
    if found == format!("web.base.url=https://{host} web.base.url.freeze=True") {
        return Ok(());
    }
    // An administrator may have changed it later, who knows for what domain.
    warn!(found, host, "web.base.url is not that of the tenant's host");
    Ok(())
}

/// The pool's role must be able to use and alter what is there, or the next update of a module fails.
async fn prove_objects(client: &impl GenericClient, role: &str) -> Attempted<()> {
    let query = "SELECT min(c.relname || ' of ' || r.rolname) FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner \
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') \
        AND NOT pg_has_role($1::text::name, c.relowner, 'USAGE') AND NOT EXISTS (SELECT FROM pg_depend d \
          WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')";
    let Some(foreign) = one_text(client, query, &[&role]).await? else {
        return Ok(());
    };
    Err(Failure::give_up(
        "ObjectsForeign",
        format!(
            "tables in the database belong to a role that {role} is no member of ({foreign}): Odoo could not use them. \
             The template must have been built for the same application role"
        ),
    ))
}

/// PostgreSQL 15 and later give CREATE in `public` to the owner of the database only, and a GRANT that grants nothing
/// succeeds with a warning. So the right itself is asked for.
pub async fn prove_schema_rights(client: &impl GenericClient, role: &str) -> Attempted<()> {
    const QUERY: &str = "SELECT has_schema_privilege($1::text::name, 'public', 'USAGE') \
        AND has_schema_privilege($1::text::name, 'public', 'CREATE')";
    let row = client.query_one(QUERY, &[&role]).await;
    if row.map_err(|error| query_error(QUERY, &error))?.get(0) {
        return Ok(());
    }
    Err(Failure::give_up(
        "SchemaNotGranted",
        format!(
            "{role} may not use or create in the schema public, and the Jobs' login cannot grant it: it must own the \
             schema, or be a member of who does (ALTER SCHEMA public OWNER TO pg_database_owner, in the template)"
        ),
    ))
}

async fn prove_files(client: &impl GenericClient, command: &TenantInit, record: &Record) -> Attempted<u64> {
    let filestore = Filestore::new(&command.data_directory, &command.tenant.database)?;
    let attachments = files::attachments(client).await?;
    let comparison = files::compare(&filestore, &attachments)?;
    if !comparison.orphans.is_empty() {
        warn!(
            orphans = comparison.orphans.len(),
            "files that no attachment names, as Odoo leaves them"
        );
    }
    let is_adopted = record.origin == Origin::Adopted;
    if is_adopted && comparison.missing.len() == attachments.len() && !attachments.is_empty() {
        return Err(Failure::give_up(
            "FilestoreMissing",
            format!(
                "none of the {} files that the database names is below {}: bring the filestore along first",
                attachments.len(),
                filestore.path().display()
            ),
        ));
    }
    let lacking: Vec<_> = [&comparison.missing[..], &comparison.damaged[..]].concat();
    match (lacking.is_empty(), is_adopted) {
        (true, _) => {}
        (false, true) => warn!(
            missing = comparison.missing.len(),
            damaged = comparison.damaged.len(),
            "the database that is taken over names files that are not there or not whole"
        ),
        (false, false) => {
            return Err(Failure::give_up(
                "FilesMissing",
                format!(
                    "{} files that the database names are missing and {} are not whole in {} ({})",
                    comparison.missing.len(),
                    comparison.damaged.len(),
                    filestore.path().display(),
                    shown(&lacking)
                ),
            ));
        }
    }
    if !is_adopted && filestore.exists() {
        files::prove_ownership(&filestore, false)?;
    }
    Ok(comparison.files)
}

/// Nobody who was in the template may be let into the tenant.
pub async fn prove_credentials(client: &impl GenericClient, password_set: bool) -> Attempted<()> {
    const QUERY: &str =
        "SELECT count(*) FILTER (WHERE password IS NOT NULL AND password <> '') FROM public.res_users";
    if !columns(client, "res_users").await?.contains("password") {
        return Err(not_personalised("its users have no passwords"));
    }
    let row = client.query_one(QUERY, &[]).await;
    let passwords: i64 = row.map_err(|error| query_error(QUERY, &error))?.get(0);
    if passwords == i64::from(password_set) {
        return Ok(());
    }
    Err(not_personalised(&format!(
        "{passwords} of its users have a password"
    )))
}

fn not_personalised(what: &str) -> Failure {
    Failure::give_up(
        "NotPersonalised",
        format!("the database was to be the tenant's own, and {what}; delete it, so that it is made again"),
    )
}
