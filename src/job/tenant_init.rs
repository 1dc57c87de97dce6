//! tenant-init: makes a database a tenant's, proves it, and gives it to the pool as the last act.
//!
//! In: a database that was born hidden: a clone of a template, an empty one, or another installation's that is taken
//! over. Out: the tenant's own database and filestore. Until the last transaction (marker ready, CONNECT, owner) no pool
//! can see it. A run that was killed is continued from where the marker and the record say; one that has finished finds
//! everything as it is to be, and changes nothing.
//!
//! | phase | does | a killed run leaves |
//! |---|---|---|
//! | `lock` `gate` | whose database is it? refuses what is not ours | nothing |
//! | `open` | born closed: lets us in, and nobody else | a hidden database without our marker, as before |
//! | `claim` | marker and record, hidden, no sessions | our marker, `claimed` |
//! | `initialise` | Odoo's modules into an empty database | a part of Odoo, which is thrown away |
//! | `filestore` | the template's files, renamed into place at the end | a directory beside it, which is continued |
//! | `personalise` | ids, host, administrator, company: one transaction | nothing, or all of it |
//! | `grants` | rights that a clone does not bring along | rights |
//! | `prove` | everything, read back | nothing |
//! | `publish` | marker ready, CONNECT, owner: one transaction | nothing, or all of it |
//! | `read-back` | what the server says now | nothing |

mod files;
mod password;
mod personalise;
mod prove;
mod record;
mod report;
mod standing;

use std::iter;

use self::{
    password::Password,
    record::Record,
    standing::{Seen, Standing},
};
use super::{
    attempt::Attempt,
    failure::{Attempted, Failure},
    filestore::Filestore,
    odoo,
    postgres::{
        LockMode, Marker, MarkerState,
        access::{self, DatabaseFacts},
        change, check_name,
        columns::is_empty,
    },
    tenancy::{self, Tenancy},
};
use crate::contract::{Origin, Report, TenantInit};

/// The module that every other needs.
const BASE: &str = "base";

/// Makes a database a tenant's.
pub async fn run(attempt: &Attempt, command: &TenantInit) -> Attempted<Option<Report>> {
    attempt.phase("lock").await?;
    let mut tenancy = Tenancy::enter(attempt, &command.tenant, LockMode::Write).await?;
    attempt.phase("gate").await?;
    if let Some(template) = &command.template {
        check_name("template", template)?;
    }
    let filestore = Filestore::new(&command.data_directory, &command.tenant.database)?;
    let password = Password::from_environment()?;
    let Some(standing) = look(attempt, &mut tenancy, command).await? else {
        return Ok(None);
    };
    if attempt.only_says(&standing::would(command, &standing)) {
        return Ok(None);
    }
    match standing {
        Standing::Clone | Standing::Empty => {
            let inside = tenancy.inside().await?;
            files::refuse_leftover(&filestore, &files::attachments(&*inside).await?)?;
            inside.close().await;
            make(attempt, &mut tenancy, command, &password, true).await?;
        }
        Standing::Begun => make(attempt, &mut tenancy, command, &password, false).await?,
        Standing::Adoptable => adopt(attempt, &mut tenancy, command).await?,
        Standing::Finished => {}
    }
    attempt.phase("read-back").await?;
    report::read(&tenancy, command).await.map(Some)
}

/// Whose database it is. One that was born closed is opened for us first, and closed again when it is none of ours.
async fn look(
    attempt: &Attempt,
    tenancy: &mut Tenancy<'_>,
    command: &TenantInit,
) -> Attempted<Option<Standing>> {
    let (database, roles) = (&command.tenant.database, &command.roles);
    let facts = tenancy.required_facts().await?;
    if facts.allow_connections {
        return judge(tenancy, command, facts).await.map(Some);
    }
    refuse_closed(tenancy, command, &facts).await?;
    if attempt.only_says(&format!(
        "open {database:?} for the Jobs only, look whose it is, and make it the tenant's"
    )) {
        return Ok(None);
    }
    attempt.phase("open").await?;
    access::open_dark(&mut tenancy.server, database, roles).await?;
    let facts = tenancy.required_facts().await?;
    let outcome = judge(tenancy, command, facts).await;
    if outcome.is_err() {
        access::close(&*tenancy.server, database).await?;
    }
    outcome.map(Some)
}

/// What can be known of a closed database from outside.
async fn refuse_closed(tenancy: &Tenancy<'_>, command: &TenantInit, facts: &DatabaseFacts) -> Attempted<()> {
    let database = &command.tenant.database;
    let say = |what: &str| {
        format!(
            "the database {database:?} {what} ({}); nothing was touched",
            facts.describe()
        )
    };
    if facts.is_template {
        return Err(Failure::refused(
            "DatabaseIsTemplate",
            say("is a template, and no tenant's"),
        ));
    }
    if facts.owner != command.roles.maintenance_role {
        return Err(Failure::refused(
            "DatabaseClosed",
            say(
                "is closed, and not by its Database resource: it was released to be dropped, or somebody closed it",
            ),
        ));
    }
    let comment = Marker::read_comment(&*tenancy.server, database).await?;
    match comment {
        Some(marker) if !marker.is_same_owner(&tenancy.marker_as(MarkerState::Ready)) => {
            Err(tenancy.foreign(&marker))
        }
        Some(_) | None => Ok(()),
    }
}

async fn judge(tenancy: &Tenancy<'_>, command: &TenantInit, facts: DatabaseFacts) -> Attempted<Standing> {
    let inside = tenancy.inside().await?;
    let comment = match &command.template {
        Some(template) => Marker::read_comment(&*tenancy.server, template).await?,
        None => None,
    };
    let of_name = || standing::subject_of_name(command.template.as_deref().unwrap_or_default());
    let seen = Seen {
        facts,
        marker: Marker::read(&*inside).await?,
        is_empty: is_empty(&*inside).await?,
        template_subject: comment.map(|marker| marker.subject).or_else(of_name),
    };
    let mut standing = standing::standing(command, &seen)?;
    if standing == Standing::Clone {
        tenancy::base_version(&*inside, command.odoo_version).await?;
    }
    let is_known = Record::read(&*inside, &command.tenant.marker).await?.is_some();
    if standing == Standing::Finished && command.adopt.is_some() && !is_known {
        // Marked by hand, and never seen by us: its rights and its host are not yet what a tenant's are.
        standing = Standing::Adoptable;
    }
    inside.close().await;
    Ok(standing)
}

async fn make(
    attempt: &Attempt,
    tenancy: &mut Tenancy<'_>,
    command: &TenantInit,
    password: &Password,
    is_new: bool,
) -> Attempted<()> {
    let filestore = Filestore::new(&command.data_directory, &command.tenant.database)?;
    attempt.phase("claim").await?;
    if is_new {
        files::clear_unfinished(&filestore)?;
    }
    let mut record = claim(tenancy, command, is_new).await?;
    if record.origin == Origin::Installed && !record.is_installed {
        attempt.phase("initialise").await?;
        record = initialise(attempt, tenancy, command, record).await?;
    }
    attempt.phase("filestore").await?;
    copy_files(attempt, tenancy, command, &record).await?;
    if !record.is_personalised {
        attempt.phase("personalise").await?;
        record = personalise(tenancy, command, &record, password).await?;
    }
    attempt.phase("grants").await?;
    grant(tenancy, command).await?;
    attempt.phase("prove").await?;
    let inside = tenancy.inside().await?;
    prove::prove(&*inside, command, &record).await?;
    prove::prove_credentials(&*inside, record.password_set).await?;
    inside.close().await;
    attempt.phase("publish").await?;
    publish(tenancy, command, None).await
}

/// Marks a database as ours and in the making, and hides it. What an earlier run has recorded is kept.
async fn claim(tenancy: &mut Tenancy<'_>, command: &TenantInit, is_new: bool) -> Attempted<Record> {
    let (database, roles) = (&command.tenant.database, &command.roles);
    let id = &command.tenant.marker;
    tenancy.prove_lock().await?;
    let mut inside = tenancy.inside().await?;
    let transaction = access::begin(&mut inside).await?;
    // A row of an earlier tenant, which the template brought along, is not ours whatever it says.
    let known = if is_new {
        None
    } else {
        Record::read(&transaction, id).await?
    };
    let record = if let Some(record) = known {
        record
    } else {
        let origin = if command.template.is_some() {
            Origin::Template
        } else {
            Origin::Installed
        };
        Record::new(origin, record::database_uuid(&transaction).await?)
    };
    let marker = tenancy.marker_as(MarkerState::Claimed);
    marker
        .write(&transaction, database, &roles.application_role)
        .await?;
    record.write(&transaction, id).await?;
    access::hide_within(&transaction, database, roles).await?;
    access::commit(transaction).await?;
    inside.close().await;
    access::end_sessions(&*tenancy.server, database).await?;
    access::prove_dark(&*tenancy.server, database, roles).await?;
    Ok(record)
}

/// Odoo's modules into an empty database; what a killed run has left of that is thrown away first.
async fn initialise(
    attempt: &Attempt,
    tenancy: &Tenancy<'_>,
    command: &TenantInit,
    record: Record,
) -> Attempted<Record> {
    let given = command.module.iter().filter(|module| *module != BASE).cloned();
    let modules: Vec<_> = iter::once(BASE.to_owned()).chain(given).collect();
    odoo::install(
        attempt,
        &tenancy.login,
        &command.roles,
        &command.tenant.database,
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
    record.write(&*inside, &command.tenant.marker).await?;
    inside.close().await;
    Ok(record)
}

async fn copy_files(
    attempt: &Attempt,
    tenancy: &Tenancy<'_>,
    command: &TenantInit,
    record: &Record,
) -> Attempted<()> {
    let (Some(template), Origin::Template) = (&command.template, record.origin) else {
        // Odoo itself has written what its modules need.
        return Ok(());
    };
    let inside = tenancy.inside().await?;
    let attachments = files::attachments(&*inside).await?;
    inside.close().await;
    let from = Filestore::new(&command.data_directory, template)?;
    let to = Filestore::new(&command.data_directory, &command.tenant.database)?;
    let stop = attempt.stop();
    let copied = tokio::task::spawn_blocking(move || {
        files::copy(&from, &to, &attachments, &stop)?;
        files::prove_ownership(&to, true)
    });
    copied
        .await
        .map_err(|error| Failure::retry("FilestoreUnusable", format!("the copy ended: {error}")))?
}

async fn personalise(
    tenancy: &Tenancy<'_>,
    command: &TenantInit,
    record: &Record,
    password: &Password,
) -> Attempted<Record> {
    let owned = password.clone();
    let hash = tokio::task::spawn_blocking(move || owned.hashed())
        .await
        .map_err(|error| Failure::retry("PasswordNotHashed", error.to_string()))??;
    tenancy.prove_lock().await?;
    let mut inside = tenancy.inside().await?;
    let transaction = access::begin(&mut inside).await?;
    personalise::personalise(&transaction, command, record, hash.as_ref()).await?;
    access::commit(transaction).await?;
    inside.close().await;
    Ok(Record {
        is_personalised: true,
        password_set: password.is_given(),
        ..record.clone()
    })
}

/// Rights on the database that CREATE DATABASE ... TEMPLATE loses, and rights in it that it never gave.
async fn grant(tenancy: &Tenancy<'_>, command: &TenantInit) -> Attempted<()> {
    let (database, role) = (&command.tenant.database, &command.roles.application_role);
    let inside = tenancy.inside().await?;
    change(&*inside, "GRANT CREATE ON DATABASE %I TO %I", &[database, role]).await?;
    change(&*inside, "GRANT USAGE, CREATE ON SCHEMA public TO %I", &[role]).await?;
    prove::prove_schema_rights(&*inside, role).await?;
    inside.close().await;
    Ok(())
}

/// The last act: ready, and the pool's. `adopted` is the record of a database that is taken over.
async fn publish(tenancy: &Tenancy<'_>, command: &TenantInit, adopted: Option<&Record>) -> Attempted<()> {
    let (database, roles) = (&command.tenant.database, &command.roles);
    tenancy.prove_lock().await?;
    let mut inside = tenancy.inside().await?;
    let transaction = access::begin(&mut inside).await?;
    let marker = tenancy.marker_as(MarkerState::Ready);
    marker
        .write(&transaction, database, &roles.application_role)
        .await?;
    if let Some(record) = adopted {
        record.write(&transaction, &command.tenant.marker).await?;
        personalise::base_url(&transaction, &command.host).await?;
    }
    access::publish_within(&transaction, database, roles).await?;
    access::commit(transaction).await?;
    inside.close().await;
    access::prove_published(&*tenancy.server, database, roles).await
}

/// Takes over what is another's by its marker: it keeps its ids, users and files, and gets our marker and host. It may be
/// serving all the while.
async fn adopt(attempt: &Attempt, tenancy: &mut Tenancy<'_>, command: &TenantInit) -> Attempted<()> {
    attempt.phase("prove").await?;
    let record = Record::new(Origin::Adopted, None);
    let inside = tenancy.inside().await?;
    prove::prove(&*inside, command, &record).await?;
    inside.close().await;
    attempt.phase("adopt").await?;
    publish(tenancy, command, Some(&record)).await
}
