//! What the Jobs run that take a tenant off the air, bring it back, and take it away for good.

use super::{
    SecretNames,
    pod::{DATA_DIRECTORY, PodParts},
    steps::{DATABASE_LOGIN, STORE_LOGIN, chosen, database, light, roles, store, with_login},
};
use crate::{
    contract::{self, Command},
    names::{SecretPurpose, Step, support_room},
    tenant::{Subject, Tenant},
};

/// The final backup, where the Job that made it could not say its id: there is none after it.
pub const LATEST: &str = "final/latest";

/// Hides the database from its pool.
pub fn tenant_suspend(tenant: &Tenant, secrets: &SecretNames) -> PodParts {
    let command = Command::TenantSuspend(contract::TenantSuspend {
        tenant: database(tenant),
        roles: roles(Subject::Tenant(tenant)),
    });
    with_login(Step::TenantSuspend, tenant, command, &DATABASE_LOGIN, secrets)
}

/// Gives the database back to its pool.
pub fn tenant_resume(tenant: &Tenant, secrets: &SecretNames) -> PodParts {
    let command = Command::TenantResume(contract::TenantResume {
        tenant: database(tenant),
        roles: roles(Subject::Tenant(tenant)),
        odoo_version: tenant.release.major,
    });
    with_login(Step::TenantResume, tenant, command, &DATABASE_LOGIN, secrets)
}

/// Makes the database ready to be dropped.
pub fn tenant_release(final_backup: &str, tenant: &Tenant, secrets: &SecretNames) -> PodParts {
    let command = Command::TenantRelease(contract::TenantRelease {
        tenant: database(tenant),
        roles: roles(Subject::Tenant(tenant)),
        final_backup: final_backup.to_owned(),
        store: store(tenant),
    });
    let logins = [&DATABASE_LOGIN[..], &STORE_LOGIN].concat();
    with_login(Step::TenantRelease, tenant, command, &logins, secrets)
}

/// Removes the filestore, as the user that its files belong to.
pub fn filestore_remove(final_backup: &str, tenant: &Tenant, secrets: &SecretNames) -> PodParts {
    let release = &tenant.release;
    let command = Command::FilestoreRemove(contract::FilestoreRemove {
        tenant: database(tenant),
        roles: roles(Subject::Tenant(tenant)),
        data_directory: DATA_DIRECTORY.to_owned(),
        final_backup: final_backup.to_owned(),
        store: store(tenant),
    });
    let logins = [&DATABASE_LOGIN[..], &STORE_LOGIN].concat();
    PodParts {
        user: (release.uid, release.gid),
        filestore: Some(release.filestore.clone()),
        deadline_seconds: tenant.backup.deadline_seconds,
        ..with_login(Step::FilestoreRemove, tenant, command, &logins, secrets)
    }
}

/// Reads the last backup back, with the client tools that made it.
pub fn final_verify(final_backup: &str, tenant: &Tenant, secrets: &SecretNames) -> PodParts {
    let backup = &tenant.backup;
    let command = Command::BackupVerify(contract::BackupVerify {
        store: store(tenant),
        slug: tenant.slug.to_string(),
        backup: final_backup.to_owned(),
    });
    PodParts {
        image: Some(backup.image.clone()),
        user: (tenant.release.uid, tenant.release.gid),
        secrets: chosen(secrets, &backup.namespace, &STORE_LOGIN),
        resources: tenant.jobs.heavy.clone(),
        deadline_seconds: backup.deadline_seconds,
        ..light(
            Step::FinalVerify.as_str(),
            Subject::Tenant(tenant),
            &backup.namespace,
            command,
            secrets,
        )
    }
}

/// Marks the support room as inactive.
pub fn room_retire(tenant: &Tenant, secrets: &SecretNames) -> Option<PodParts> {
    let matrix = tenant.notices.matrix.as_ref()?;
    let command = Command::RoomRetire(contract::RoomRetire {
        homeserver: matrix.homeserver.clone(),
        server_name: matrix.server_name.clone(),
        alias: support_room(&tenant.slug, tenant.project_id),
    });
    let namespace = &tenant.jobs.namespace;
    let token = [(SecretPurpose::Matrix, contract::MATRIX_TOKEN)];
    Some(PodParts {
        secrets: chosen(secrets, namespace, &token),
        ..light(
            Step::RoomRetire.as_str(),
            Subject::Tenant(tenant),
            namespace,
            command,
            secrets,
        )
    })
}
