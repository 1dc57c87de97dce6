//! Makes a copy of a template a database of its own: ids, host, administrator, company.
//!
//! In: the tenant, and the administrator's password as a hash. Out: one transaction, with the line in the record that
//! says so; all of it or nothing. It goes by SQL and not by Odoo, which takes seconds to start; what Odoo keeps in
//! other columns as well (a partner's `complete_name`) is written along. Columns differ by major and module, so those
//! that are not there are left out; of the administrator there must be one.

use tokio_postgres::{GenericClient, types::ToSql};
use tracing::info;

use super::record::Record;
use crate::{
    contract::TenantInit,
    job::{
        failure::{Attempted, Failure},
        postgres::{columns::columns, query_error},
        secrets::Secret,
    },
};

/// What the copy must not have in common with the template. Of `database.*` Odoo's own duplicate does the same.
const OWN_IDS: &str = "\
    UPDATE public.ir_config_parameter SET value = gen_random_uuid()::text \
    WHERE key IN ('database.uuid', 'database.secret')";
const CREATED: &str = "\
    INSERT INTO public.ir_config_parameter (key, value) \
    VALUES ('database.create_date', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')) \
    ON CONFLICT (key) DO UPDATE SET value = excluded.value";
/// Without `freeze`, the next administrator's login writes the host of its request there.
const BASE_URL: &str = "\
    INSERT INTO public.ir_config_parameter (key, value) \
    VALUES ('web.base.url', $1), ('web.base.url.freeze', 'True') \
    ON CONFLICT (key) DO UPDATE SET value = excluded.value";
/// A subscription and its expiry, and the keys of web push, are the template's.
const NOT_INHERITED: &str = "\
    DELETE FROM public.ir_config_parameter WHERE key IN ('database.enterprise_code', 'database.expiration_date', \
      'database.expiration_reason', 'mail.web_push_vapid_private_key', 'mail.web_push_vapid_public_key')";
/// Ways into the template that would be ways into the tenant: keys of the API, trusted devices, sessions' devices.
const CREDENTIALS: [&str; 4] = [
    "res_users_apikeys",
    "auth_totp_device",
    "auth_passkey_key",
    "res_device_log",
];
/// The same in the columns of users.
const USER_SECRETS: [&str; 4] = ["password", "totp_secret", "oauth_access_token", "oauth_uid"];

/// Personalises the database that the client is in a transaction of.
pub async fn personalise(
    client: &impl GenericClient,
    command: &TenantInit,
    record: &Record,
    hash: Option<&Secret>,
) -> Attempted<()> {
    run(client, OWN_IDS, &[]).await?;
    run(client, CREATED, &[]).await?;
    base_url(client, &command.host).await?;
    run(client, NOT_INHERITED, &[]).await?;
    forget_credentials(client).await?;
    administrator(client, command, hash).await?;
    company(client, command).await?;
    let record = Record {
        is_personalised: true,
        password_set: hash.is_some(),
        ..record.clone()
    };
    record.write(client, &command.tenant.marker).await
}

/// Sets the URL that Odoo writes into mails and links, for good.
pub async fn base_url(client: &impl GenericClient, host: &str) -> Attempted<()> {
    run(client, BASE_URL, &[&format!("https://{host}")]).await?;
    Ok(())
}

async fn forget_credentials(client: &impl GenericClient) -> Attempted<()> {
    for table in CREDENTIALS {
        if columns(client, table).await?.is_empty() {
            continue;
        }
        // A constant of ours, and no name from outside.
        let deleted = run(client, &format!("DELETE FROM public.{table}"), &[]).await?;
        if deleted > 0 {
            info!(table, deleted, "removed the template's credentials");
        }
    }
    let there = columns(client, "res_users").await?;
    for column in USER_SECRETS.into_iter().filter(|column| there.contains(*column)) {
        let statement = format!("UPDATE public.res_users SET {column} = NULL WHERE {column} IS NOT NULL");
        run(client, &statement, &[]).await?;
    }
    Ok(())
}

async fn administrator(
    client: &impl GenericClient,
    command: &TenantInit,
    hash: Option<&Secret>,
) -> Attempted<()> {
    const USER: &str = "UPDATE public.res_users SET login = $1, password = $2 WHERE active AND id = \
        (SELECT res_id FROM public.ir_model_data WHERE module = 'base' AND name = 'user_admin')";
    const PARTNER: &str = "(SELECT partner_id FROM public.res_users WHERE id = \
        (SELECT res_id FROM public.ir_model_data WHERE module = 'base' AND name = 'user_admin'))";
    let hash = hash.map(Secret::expose);
    if run(client, USER, &[&command.owner_email, &hash]).await? != 1 {
        return Err(Failure::give_up(
            "AdministratorMissing",
            "the template has no active user base.user_admin to become the tenant's administrator; rebuild the template",
        ));
    }
    partner(client, command, PARTNER).await
}

async fn company(client: &impl GenericClient, command: &TenantInit) -> Attempted<()> {
    const COMPANY: &str = "SELECT min(id) FROM public.res_company";
    let there = columns(client, "res_company").await?;
    let mut set = vec!["name = $1::text"];
    if there.contains("email") {
        set.push("email = $2::text");
    }
    // Both parameters are named in any case, or PostgreSQL would not know the type of one.
    let statement = format!(
        "UPDATE public.res_company SET {} WHERE id = ({COMPANY}) AND $2::text IS NOT NULL",
        set.join(", ")
    );
    run(client, &statement, &[&command.owner_name, &command.owner_email]).await?;
    let partner_of = format!("(SELECT partner_id FROM public.res_company WHERE id = ({COMPANY}))");
    partner(client, command, &partner_of).await
}

/// Gives a partner the owner's name and address, in all columns that keep them.
async fn partner(client: &impl GenericClient, command: &TenantInit, which: &str) -> Attempted<()> {
    const NAMES: [&str; 4] = ["name", "complete_name", "display_name", "commercial_company_name"];
    let there = columns(client, "res_partner").await?;
    let named = NAMES.iter().filter(|column| there.contains(**column));
    let mut set: Vec<String> = named
        // A person is no company, and has none of its own.
        .map(|column| match *column {
            "commercial_company_name" => {
                format!("{column} = CASE WHEN is_company THEN $1::text ELSE {column} END")
            }
            column => format!("{column} = $1::text"),
        })
        .collect();
    set.push("email = $2::text".to_owned());
    if there.contains("email_normalized") {
        set.push("email_normalized = lower($2::text)".to_owned());
    }
    let statement = format!(
        "UPDATE public.res_partner SET {} WHERE id = {which}",
        set.join(", ")
    );
    run(client, &statement, &[&command.owner_name, &command.owner_email]).await?;
    Ok(())
}

async fn run(
    client: &impl GenericClient,
    statement: &str,
    parameters: &[&(dyn ToSql + Sync)],
) -> Attempted<u64> {
    let outcome = client.execute(statement, parameters).await;
    outcome.map_err(|error| query_error(statement, &error))
}
