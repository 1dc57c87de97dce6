//! Who may use a database: hidden from every pool, published to one.
//!
//! In: a database, the application role and the maintenance role. Out: the database with the one or the other as its owner,
//! and the proof. Odoo lists the databases that its role owns, and its cron visits all of them; its HTTP workers and RPC
//! go on with a database that they know as long as they may connect. So hiding is three things: another owner, no
//! CONNECT for anybody, no session left. `ALLOW_CONNECTIONS false` alone would lock out the Job as well.
//!
//! The Jobs' login keeps its access either way: it is a member of both roles. Publishing grants CONNECT to the
//! application role only, never to PUBLIC: pools of another major that log in with another role stay outside.
//! Owner and rights change in one transaction, so there is no moment in which a database is half of either.

use std::{collections::BTreeSet, time::Duration};

use tokio::time::{Instant, sleep};
use tokio_postgres::{GenericClient, error::SqlState};
use tracing::info;

use super::{change, query_error};
use crate::{
    contract::Roles,
    job::failure::{Attempted, Failure},
};

/// How long sessions that we may not end are waited for: a superuser's `psql`, say.
const SESSIONS_LIMIT: Duration = Duration::from_secs(10);
const SESSIONS_PAUSE: Duration = Duration::from_millis(200);

/// What the server says about a database, from outside of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseFacts {
    /// The role that owns it.
    pub owner: String,
    /// Whether anybody may connect at all.
    pub allow_connections: bool,
    /// Whether everybody with CREATEDB may clone it.
    pub is_template: bool,
    /// Its size; 0 when the Jobs' login may not know it.
    pub bytes: u64,
    /// Who was given CONNECT or TEMPORARY, the owner left out; `None` is PUBLIC.
    pub grantees: BTreeSet<Option<String>>,
}

/// A session in a database.
#[derive(Clone, Debug)]
struct Session {
    pid: i32,
    who: String,
    is_superuser: bool,
}

impl DatabaseFacts {
    /// Whether no pool can see it: the maintenance role owns it, and nobody else was given a way in.
    #[must_use]
    pub fn is_dark(&self, roles: &Roles) -> bool {
        self.owner == roles.maintenance_role && !self.is_reachable_by_others(roles)
    }

    /// Whether the pool owns it, and not everybody may connect. A role that was given CONNECT by name (monitoring) may.
    #[must_use]
    pub fn is_published(&self, roles: &Roles) -> bool {
        // The owner's own rights are in no list; `prove_published` asks for them.
        self.owner == roles.application_role && self.allow_connections && !self.grantees.contains(&None)
    }

    fn is_reachable_by_others(&self, roles: &Roles) -> bool {
        let ours = |grantee: &Option<String>| grantee.as_ref() == Some(&roles.maintenance_role);
        self.grantees.iter().any(|grantee| !ours(grantee))
    }

    /// In words, for messages.
    #[must_use]
    pub fn describe(&self) -> String {
        let grantees: Vec<_> = self
            .grantees
            .iter()
            .map(|grantee| grantee.as_deref().unwrap_or("PUBLIC"))
            .collect();
        let connect = if !self.allow_connections {
            "closed to connections".to_owned()
        } else if grantees.is_empty() {
            "open to nobody else".to_owned()
        } else {
            format!("open to {}", grantees.join(", "))
        };
        format!("owned by {}, {connect}", self.owner)
    }
}

/// What the server says about a database; `None` when there is none.
pub async fn facts(client: &impl GenericClient, database: &str) -> Attempted<Option<DatabaseFacts>> {
    const QUERY: &str = "\
        SELECT owner.rolname::text, d.datallowconn, d.datistemplate, \
          CASE WHEN has_database_privilege(d.oid, 'CONNECT') THEN pg_database_size(d.oid) ELSE 0 END, \
          coalesce((SELECT array_agg(DISTINCT coalesce(grantee.rolname::text, '')) \
            FROM aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a \
            LEFT JOIN pg_roles grantee ON grantee.oid = a.grantee \
            WHERE a.privilege_type IN ('CONNECT', 'TEMPORARY') AND a.grantee <> d.datdba), '{}') \
        FROM pg_database d JOIN pg_roles owner ON owner.oid = d.datdba WHERE d.datname = $1";
    let row = client
        .query_opt(QUERY, &[&database])
        .await
        .map_err(|error| query_error(QUERY, &error))?;
    Ok(row.map(|row| {
        let grantees: Vec<String> = row.get(4);
        DatabaseFacts {
            owner: row.get(0),
            allow_connections: row.get(1),
            is_template: row.get(2),
            bytes: u64::try_from(row.get::<_, i64>(3)).unwrap_or_default(),
            grantees: grantees
                .into_iter()
                .map(|name| Some(name).filter(|name| !name.is_empty()))
                .collect(),
        }
    }))
}

/// What the server says about a database that must be there.
pub async fn required_facts(client: &impl GenericClient, database: &str) -> Attempted<DatabaseFacts> {
    facts(client, database).await?.ok_or_else(|| {
        Failure::retry(
            "DatabaseMissing",
            format!("there is no database {database:?} any more"),
        )
    })
}

/// Hides a database from every pool, ends its sessions, and proves both. The client is connected to another database.
/// Returns how many sessions were ended.
pub async fn hide(client: &mut tokio_postgres::Client, database: &str, roles: &Roles) -> Attempted<u32> {
    let transaction = begin(client).await?;
    hide_within(&transaction, database, roles).await?;
    commit(transaction).await?;
    let ended = end_sessions(client, database).await?;
    prove_dark(client, database, roles).await?;
    Ok(ended)
}

/// The statements of [`hide`], for a transaction with more in it. Sessions that are there stay.
pub async fn hide_within(client: &impl GenericClient, database: &str, roles: &Roles) -> Attempted<()> {
    let maintenance = &roles.maintenance_role;
    change(client, "ALTER DATABASE %I OWNER TO %I", &[database, maintenance]).await?;
    // Read after the change: what the owner had before went to the new one along with the ownership.
    let facts = required_facts(client, database).await?;
    for grantee in &facts.grantees {
        match grantee {
            None => {
                let statement = "REVOKE CONNECT, TEMPORARY ON DATABASE %I FROM PUBLIC CASCADE";
                change(client, statement, &[database]).await?;
            }
            Some(role) if role == maintenance => {}
            Some(role) => {
                let statement = "REVOKE CONNECT, TEMPORARY ON DATABASE %I FROM %I CASCADE";
                change(client, statement, &[database, role]).await?;
            }
        }
    }
    Ok(())
}

/// Proves that no pool can see a database, and that the Jobs' login still can.
pub async fn prove_dark(client: &impl GenericClient, database: &str, roles: &Roles) -> Attempted<()> {
    let facts = required_facts(client, database).await?;
    if !facts.is_dark(roles) || may_connect(client, Some(&roles.application_role), database).await? {
        return Err(Failure::give_up(
            "NotHidden",
            format!(
                "the database {database:?} is still {}; the role {} must be no member of {}, and CONNECT must not \
                 have been granted by somebody else",
                facts.describe(),
                roles.application_role,
                roles.maintenance_role
            ),
        ));
    }
    if may_connect(client, None, database).await? {
        return Ok(());
    }
    Err(Failure::give_up(
        "LockedOut",
        format!(
            "the Jobs' login may not connect to {database:?}: it must be a member of {} and inherit its rights",
            roles.maintenance_role
        ),
    ))
}

/// The statements that give a database to its pool, the owner last, for a transaction with more in it.
pub async fn publish_within(client: &impl GenericClient, database: &str, roles: &Roles) -> Attempted<()> {
    let application = &roles.application_role;
    let revoke = "REVOKE CONNECT, TEMPORARY ON DATABASE %I FROM PUBLIC CASCADE";
    change(client, revoke, &[database]).await?;
    let grant = "GRANT CONNECT, TEMPORARY ON DATABASE %I TO %I";
    change(client, grant, &[database, application]).await?;
    change(client, "ALTER DATABASE %I OWNER TO %I", &[database, application]).await
}

/// Proves that a database is its pool's.
pub async fn prove_published(client: &impl GenericClient, database: &str, roles: &Roles) -> Attempted<()> {
    let facts = required_facts(client, database).await?;
    if facts.is_published(roles) && may_connect(client, Some(&roles.application_role), database).await? {
        return Ok(());
    }
    Err(Failure::give_up(
        "NotPublished",
        format!(
            "the database {database:?} is {}, and was to be the pool's role's, {}",
            facts.describe(),
            roles.application_role
        ),
    ))
}

/// Opens a database that was born closed to connections: first nobody but us may come in, then it is opened. The order
/// matters, and so it is one transaction.
pub async fn open_dark(client: &mut tokio_postgres::Client, database: &str, roles: &Roles) -> Attempted<()> {
    let transaction = begin(client).await?;
    hide_within(&transaction, database, roles).await?;
    change(
        &transaction,
        "ALTER DATABASE %I ALLOW_CONNECTIONS true",
        &[database],
    )
    .await?;
    commit(transaction).await?;
    prove_dark(client, database, roles).await
}

/// Closes a database to all connections, ours as well.
pub async fn close(client: &impl GenericClient, database: &str) -> Attempted<()> {
    change(client, "ALTER DATABASE %I ALLOW_CONNECTIONS false", &[database]).await
}

/// Ends all sessions of a database but our own, and proves that none is left. Those that the Jobs' login may not end (a
/// superuser's) are waited for a little, and then named. Returns how many were ended.
pub async fn end_sessions(client: &impl GenericClient, database: &str) -> Attempted<u32> {
    let deadline = Instant::now() + SESSIONS_LIMIT;
    let mut ended = BTreeSet::new();
    loop {
        let sessions = sessions(client, database).await?;
        if sessions.is_empty() {
            // 32 bits are enough for all processes that there ever are.
            return Ok(u32::try_from(ended.len()).unwrap_or(u32::MAX));
        }
        for session in &sessions {
            if !session.is_superuser && terminate(client, session.pid).await? && ended.insert(session.pid) {
                info!(session = session.who, "ended a session");
            }
        }
        if Instant::now() >= deadline {
            let who: Vec<_> = sessions.into_iter().map(|session| session.who).collect();
            return Err(Failure::retry(
                "SessionsRemain",
                format!(
                    "sessions in the database {database:?} that the Jobs' login may not end: {}; end them, and the \
                     next try goes on",
                    who.join(", ")
                ),
            ));
        }
        sleep(SESSIONS_PAUSE).await;
    }
}

/// Ends one session; false when the Jobs' login may not.
async fn terminate(client: &impl GenericClient, pid: i32) -> Attempted<bool> {
    const QUERY: &str = "SELECT pg_terminate_backend($1)";
    match client.query_one(QUERY, &[&pid]).await {
        Ok(row) => Ok(row.get(0)),
        Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => Ok(false),
        Err(error) => Err(query_error(QUERY, &error)),
    }
}

/// The sessions of a database but our own. The server's own processes (autovacuum) have no user and are none.
async fn sessions(client: &impl GenericClient, database: &str) -> Attempted<Vec<Session>> {
    const QUERY: &str = "\
        SELECT a.pid, r.rolname || ' (' || coalesce(nullif(a.application_name, ''), 'process ' || a.pid) || ')', \
          r.rolsuper FROM pg_stat_activity a JOIN pg_roles r ON r.oid = a.usesysid \
        WHERE a.datname = $1 AND a.pid <> pg_backend_pid() ORDER BY a.pid";
    let rows = client.query(QUERY, &[&database]).await;
    let rows = rows.map_err(|error| query_error(QUERY, &error))?;
    let session = |row: &tokio_postgres::Row| Session {
        pid: row.get(0),
        who: row.get(1),
        is_superuser: row.get(2),
    };
    Ok(rows.iter().map(session).collect())
}

/// Whether a role (`None`: the Jobs' login) has the right to connect.
async fn may_connect(client: &impl GenericClient, role: Option<&str>, database: &str) -> Attempted<bool> {
    const QUERY: &str =
        "SELECT has_database_privilege(coalesce($1::text, session_user::text)::name, $2::text, 'CONNECT')";
    let row = client.query_one(QUERY, &[&role, &database]).await;
    Ok(row.map_err(|error| query_error(QUERY, &error))?.get(0))
}

/// Begins a transaction.
pub async fn begin(client: &mut tokio_postgres::Client) -> Attempted<tokio_postgres::Transaction<'_>> {
    let transaction = client.transaction().await;
    transaction.map_err(|error| query_error("BEGIN", &error))
}

/// Ends a transaction; what it changed is there from then on.
pub async fn commit(transaction: tokio_postgres::Transaction<'_>) -> Attempted<()> {
    let committed = transaction.commit().await;
    committed.map_err(|error| query_error("COMMIT", &error))
}
