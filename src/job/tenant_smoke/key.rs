//! A key of Odoo's API for as long as a read takes, and what SQL says that the read is to give.

use tokio_postgres::GenericClient;
use tracing::info;

use crate::job::{
    failure::{Attempted, Failure},
    passlib::{self, KEY_ROUNDS},
    postgres::{columns::columns, query_error},
    secrets::Secret,
};

/// What our keys are called in the administrator's list of keys.
const NAME: &str = "odoo-job smoke";
/// Bytes of a key, and the digits of it that Odoo finds it by (`API_KEY_SIZE`, `INDEX_SIZE` of its `res_users.py`).
const KEY_BYTES: usize = 20;
const INDEX_DIGITS: usize = 8;

/// A key that is in the database.
#[derive(Debug)]
pub struct Key {
    /// The administrator's id.
    pub user: i32,
    id: i32,
    value: Secret,
}

/// What SQL says.
#[derive(Debug)]
pub struct Expected {
    /// The administrator's login.
    pub login: String,
    /// Ids of the administrator's partner and of the company's.
    pub partners: Vec<i32>,
    /// How many of them are active.
    pub partner_count: i64,
}

/// Removes keys that runs which were killed have left.
pub async fn remove_stale(client: &impl GenericClient) -> Attempted<()> {
    const DELETE: &str = "DELETE FROM public.res_users_apikeys WHERE name = $1";
    if columns(client, "res_users_apikeys").await?.is_empty() {
        return Err(Failure::give_up(
            "KeysUnavailable",
            "the database has no table res_users_apikeys, which every Odoo since 14 has: it is not whole",
        ));
    }
    let deleted = client.execute(DELETE, &[&NAME]).await;
    let deleted = deleted.map_err(|error| query_error(DELETE, &error))?;
    if deleted > 0 {
        info!(deleted, "removed keys that an earlier run has left");
    }
    Ok(())
}

impl Key {
    /// Puts a key of the administrator into the database.
    pub async fn insert(client: &impl GenericClient) -> Attempted<Self> {
        let user = administrator(client).await?;
        let digits = passlib::random::<KEY_BYTES>()?
            .map(|byte| format!("{byte:02x}"))
            .concat();
        let index = digits[..INDEX_DIGITS].to_owned();
        let value = Secret::new(digits);
        let hash = passlib::hash(&value, KEY_ROUNDS)?;
        // It came with Odoo 18; before, only we remove it.
        let expires = columns(client, "res_users_apikeys")
            .await?
            .contains("expiration_date");
        let statement = if expires {
            "INSERT INTO public.res_users_apikeys (name, user_id, scope, index, key, expiration_date) \
             VALUES ($1, $2, 'rpc', $3, $4, now() AT TIME ZONE 'UTC' + interval '10 minutes') RETURNING id"
        } else {
            "INSERT INTO public.res_users_apikeys (name, user_id, scope, index, key) \
             VALUES ($1, $2, 'rpc', $3, $4) RETURNING id"
        };
        let row = client
            .query_one(statement, &[&NAME, &user, &index, &hash.expose()])
            .await;
        let row = row.map_err(|error| query_error(statement, &error))?;
        Ok(Self {
            user,
            id: row.get(0),
            value,
        })
    }

    /// The key, for a request.
    #[must_use]
    pub fn value(&self) -> &str {
        self.value.expose()
    }

    /// Takes it away.
    pub async fn remove(&self, client: &impl GenericClient) -> Attempted<()> {
        const DELETE: &str = "DELETE FROM public.res_users_apikeys WHERE id = $1";
        let deleted = client.execute(DELETE, &[&self.id]).await;
        let failed = |error| query_error(DELETE, &error).while_doing("the smoke's own key is still there");
        deleted.map(|_| ()).map_err(failed)
    }
}

async fn administrator(client: &impl GenericClient) -> Attempted<i32> {
    const QUERY: &str = "SELECT u.id FROM public.res_users u JOIN public.ir_model_data d ON d.res_id = u.id \
        WHERE d.module = 'base' AND d.name = 'user_admin' AND u.active";
    let row = client.query_opt(QUERY, &[]).await;
    let row = row.map_err(|error| query_error(QUERY, &error))?;
    row.map(|row| row.get(0)).ok_or_else(|| {
        Failure::give_up(
            "AdministratorMissing",
            "the tenant has no active user base.user_admin to read as; activate it again in Odoo",
        )
    })
}

/// What the read is to give.
pub async fn expected(client: &impl GenericClient, user: i32) -> Attempted<Expected> {
    const QUERY: &str = "\
        SELECT u.login::text, array_agg(DISTINCT p.id), count(DISTINCT p.id) FILTER (WHERE p.active) \
        FROM public.res_users u JOIN public.res_company c ON c.id = u.company_id \
        JOIN public.res_partner p ON p.id IN (u.partner_id, c.partner_id) WHERE u.id = $1 GROUP BY u.login";
    let row = client.query_one(QUERY, &[&user]).await;
    let row = row.map_err(|error| query_error(QUERY, &error))?;
    Ok(Expected {
        login: row.get(0),
        partners: row.get(1),
        partner_count: row.get(2),
    })
}
