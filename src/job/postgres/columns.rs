//! Which tables and columns a database has: Odoo's differ from major to major and module to module.

use std::collections::BTreeSet;

use tokio_postgres::GenericClient;

use super::query_error;
use crate::job::failure::Attempted;

/// The columns of a table of the schema `public`; none when there is no such table.
pub async fn columns(client: &impl GenericClient, table: &str) -> Attempted<BTreeSet<String>> {
    const QUERY: &str = "\
        SELECT attname::text FROM pg_attribute WHERE attrelid = to_regclass(format('public.%I', $1::text)) \
        AND attnum > 0 AND NOT attisdropped";
    let rows = client.query(QUERY, &[&table]).await;
    let rows = rows.map_err(|error| query_error(QUERY, &error))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Whether the database has tables or the like of anybody's: not PostgreSQL's, not an extension's, not ours.
pub async fn is_empty(client: &impl GenericClient) -> Attempted<bool> {
    const QUERY: &str = "\
        SELECT NOT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
          WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname NOT IN ('information_schema', 'planapulse') \
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid \
            AND d.deptype = 'e'))";
    let row = client.query_one(QUERY, &[]).await;
    Ok(row.map_err(|error| query_error(QUERY, &error))?.get(0))
}
