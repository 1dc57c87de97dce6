//! tenant-suspend, tenant-resume, tenant-release: who may use a tenant's database. Its data are never touched.
//!
//! In: the tenant and the roles. Out: the database hidden, published, or ready to be dropped, and the proof. All of them
//! look at the marker first, and find nothing to do when it is so already.

use tokio_postgres::GenericClient;

use super::{
    attempt::Attempt,
    backup,
    failure::{Attempted, Failure},
    postgres::{
        LockMode, MarkerState,
        access::{self, DatabaseFacts},
        change, query_error,
    },
    tenancy::{self, Tenancy},
};
use crate::contract::{AccessReport, Report, TenantRelease, TenantResume, TenantSuspend};

/// Hides a tenant's database from every pool. Its crons stop with that: they list databases by owner.
pub async fn suspend(attempt: &Attempt, command: &TenantSuspend) -> Attempted<Option<Report>> {
    attempt.phase("lock").await?;
    let mut tenancy = Tenancy::enter(attempt, &command.tenant, LockMode::Write).await?;
    attempt.phase("gate").await?;
    let before = tenancy.required_facts().await?;
    refuse_template(&tenancy, &before)?;
    tenancy.own_marker(&before).await?;
    if !before.allow_connections {
        return Err(released(&tenancy, &before));
    }
    let database = &command.tenant.database;
    let would = format!(
        "hide {database:?}, which is {}, and end its sessions",
        before.describe()
    );
    if attempt.only_says(&would) {
        return Ok(None);
    }
    attempt.phase("hide").await?;
    tenancy.prove_lock().await?;
    let ended = access::hide(&mut tenancy.server, database, &command.roles).await?;
    attempt.phase("prove").await?;
    report(&tenancy, &before, ended).await
}

/// Gives a hidden database back to its pool.
pub async fn resume(attempt: &Attempt, command: &TenantResume) -> Attempted<Option<Report>> {
    attempt.phase("lock").await?;
    let mut tenancy = Tenancy::enter(attempt, &command.tenant, LockMode::Write).await?;
    attempt.phase("gate").await?;
    let before = tenancy.required_facts().await?;
    refuse_template(&tenancy, &before)?;
    let marker = tenancy.own_marker(&before).await?;
    if marker.state != MarkerState::Ready {
        return Err(Failure::give_up(
            "TenantUnfinished",
            "tenant-init has not finished this database; run it again, it publishes by itself",
        ));
    }
    let (database, roles) = (&command.tenant.database, &command.roles);
    let would = format!(
        "give {database:?}, which is {}, to {}",
        before.describe(),
        roles.application_role
    );
    if attempt.only_says(&would) {
        return Ok(None);
    }
    if !before.allow_connections {
        attempt.phase("open").await?;
        access::open_dark(&mut tenancy.server, database, roles).await?;
    }
    attempt.phase("check").await?;
    let inside = tenancy.inside().await?;
    // Once it is open, the row decides, and not the comment.
    tenancy.own_marker(&tenancy.required_facts().await?).await?;
    tenancy::base_version(&*inside, command.odoo_version).await?;
    inside.close().await;
    attempt.phase("publish").await?;
    tenancy.prove_lock().await?;
    if !before.is_published(roles) {
        let transaction = access::begin(&mut tenancy.server).await?;
        access::publish_within(&transaction, database, roles).await?;
        access::commit(transaction).await?;
    }
    attempt.phase("prove").await?;
    access::prove_published(&*tenancy.server, database, roles).await?;
    report(&tenancy, &before, 0).await
}

/// Makes a tenant's database ready to be dropped: hidden, closed, owned by the login that drops it. It comes last, and so
/// it first wants to see the final backup, whole.
pub async fn release(attempt: &Attempt, command: &TenantRelease) -> Attempted<Option<Report>> {
    attempt.phase("lock").await?;
    let mut tenancy = Tenancy::enter(attempt, &command.tenant, LockMode::Write).await?;
    attempt.phase("gate").await?;
    let before = tenancy.facts().await?;
    let marker = match &before {
        Some(before) => Some(tenancy.own_marker(before).await?),
        None => None,
    };
    attempt.phase("backup").await?;
    let (slug, id) = (&command.tenant.slug, &command.final_backup);
    backup::prove_complete(attempt, &command.store, slug, id).await?;
    // Nothing is left to be released once it was dropped.
    let (Some(before), Some(marker)) = (before, marker) else {
        return Ok(Some(Report::Access(AccessReport {
            unchanged: true,
            ..AccessReport::default()
        })));
    };
    let database = &command.tenant.database;
    let would = format!("hide {database:?}, end its sessions, and close it for whoever drops it");
    if attempt.only_says(&would) {
        return Ok(None);
    }
    let login = tenancy.login.username.expose().to_owned();
    let is_released =
        |facts: &DatabaseFacts| facts.owner == login && !facts.allow_connections && !facts.is_template;
    if is_released(&before) {
        return report(&tenancy, &before, 0).await;
    }
    attempt.phase("hide").await?;
    tenancy.prove_lock().await?;
    let transaction = access::begin(&mut tenancy.server).await?;
    access::hide_within(&transaction, database, &command.roles).await?;
    // From here on nobody can look inside: the comment has to tell the next run whose it is.
    marker.write_comment(&transaction, database).await?;
    access::close(&transaction, database).await?;
    change(&transaction, "ALTER DATABASE %I IS_TEMPLATE false", &[database]).await?;
    access::commit(transaction).await?;
    attempt.phase("end-sessions").await?;
    let ended = access::end_sessions(&*tenancy.server, database).await?;
    attempt.phase("give").await?;
    give_to_login(&*tenancy.server, database).await?;
    attempt.phase("prove").await?;
    let after = tenancy.required_facts().await?;
    if is_released(&after) {
        return report(&tenancy, &before, ended).await;
    }
    Err(Failure::give_up(
        "NotReleased",
        format!("the database {database:?} is still {}", after.describe()),
    ))
}

/// The login that drops it owns it: membership in the owner is not enough for every server's rules.
async fn give_to_login(client: &impl GenericClient, database: &str) -> Attempted<()> {
    const WHO: &str = "SELECT session_user::text";
    let row = client.query_one(WHO, &[]).await;
    let login: String = row.map_err(|error| query_error(WHO, &error))?.get(0);
    change(client, "ALTER DATABASE %I OWNER TO %I", &[database, &login]).await
}

async fn report(
    tenancy: &Tenancy<'_>,
    before: &DatabaseFacts,
    sessions_ended: u32,
) -> Attempted<Option<Report>> {
    let after = tenancy.required_facts().await?;
    let access = |facts: &DatabaseFacts| {
        let DatabaseFacts {
            owner,
            allow_connections,
            is_template,
            bytes: _,
            grantees,
        } = facts;
        (owner.clone(), *allow_connections, *is_template, grantees.clone())
    };
    Ok(Some(Report::Access(AccessReport {
        unchanged: sessions_ended == 0 && access(before) == access(&after),
        owner: after.owner,
        sessions_ended,
    })))
}

fn refuse_template(tenancy: &Tenancy<'_>, facts: &DatabaseFacts) -> Attempted<()> {
    if !facts.is_template {
        return Ok(());
    }
    let database = &tenancy.tenant.database;
    Err(Failure::refused(
        "DatabaseIsTemplate",
        format!(
            "the database {database:?} is a template (IS_TEMPLATE), and no tenant's; nothing was touched"
        ),
    ))
}

fn released(tenancy: &Tenancy<'_>, facts: &DatabaseFacts) -> Failure {
    Failure::refused(
        "DatabaseClosed",
        format!(
            "the database {:?} is {}: it was released to be dropped, or never opened; nothing was touched",
            tenancy.tenant.database,
            facts.describe()
        ),
    )
}
