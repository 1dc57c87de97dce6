//! What the Job of each step of a tenant runs, where, and with what.

use super::{
    Occasion, SecretNames, labels,
    pod::{DATA_DIRECTORY, PROGRAM_UID, PodParts},
    teardown,
};
use crate::{
    contract::{self, BackupPurpose, Command, Compression, SecretVariable},
    defaults,
    names::{SecretPurpose, Step, hexadecimal, support_room},
    tenant::{Callback, Source, SslMode, Subject, Tenant, TierName},
};

/// The type of the event of a new tenant.
const PROVISIONED: &str = "client.provisioned";
/// The type of the event of a tenant that goes.
const DEPROVISIONED: &str = "client.deprovisioned";

/// What a Job logs in to the database server with.
pub const DATABASE_LOGIN: [(SecretPurpose, SecretVariable); 3] = [
    (SecretPurpose::Database, contract::DATABASE_USERNAME),
    (SecretPurpose::Database, contract::DATABASE_PASSWORD),
    (SecretPurpose::Database, contract::DATABASE_AUTHORITY),
];
const ADMIN_PASSWORD: [(SecretPurpose, SecretVariable); 2] = [
    (SecretPurpose::Admin, contract::ADMIN_PASSWORD),
    (SecretPurpose::Admin, contract::ADMIN_PASSWORD_HASH),
];
/// What a Job logs in to the object store with.
pub const STORE_LOGIN: [(SecretPurpose, SecretVariable); 2] = [
    (SecretPurpose::Store, contract::STORE_KEY_ID),
    (SecretPurpose::Store, contract::STORE_KEY),
];

/// The parts of a step's pod; `None` when the platform has no system that it would talk to.
pub fn parts(step: Step, tenant: &Tenant, secrets: &SecretNames, occasion: Occasion<'_>) -> Option<PodParts> {
    let final_backup = occasion.final_backup.unwrap_or(teardown::LATEST);
    Some(match step {
        Step::TemplateBuild => return None,
        Step::TenantInit => tenant_init(tenant, secrets),
        Step::TenantSmoke => tenant_smoke(tenant, secrets),
        Step::RoomCreate => room_create(tenant, secrets)?,
        Step::RoomRetire => teardown::room_retire(tenant, secrets)?,
        Step::PortalNotify | Step::PortalFarewell | Step::ErpCallback | Step::ErpFarewell => {
            notify(step, tenant, occasion, secrets)?
        }
        Step::EventPublish => event_publish(step, PROVISIONED, tenant, occasion, secrets)?,
        Step::EventFarewell => event_publish(step, DEPROVISIONED, tenant, occasion, secrets)?,
        Step::TenantSuspend => teardown::tenant_suspend(tenant, secrets),
        Step::TenantResume => teardown::tenant_resume(tenant, secrets),
        Step::FinalBackup => backup_for(step.as_str(), BackupPurpose::Final, tenant, secrets),
        Step::FinalVerify => teardown::final_verify(final_backup, tenant, secrets),
        Step::FilestoreRemove => teardown::filestore_remove(final_backup, tenant, secrets),
        Step::TenantRelease => teardown::tenant_release(final_backup, tenant, secrets),
    })
}

fn tenant_init(tenant: &Tenant, secrets: &SecretNames) -> PodParts {
    let release = &tenant.release;
    let module = match &tenant.source {
        Source::Template { .. } => Vec::new(),
        Source::Modules(modules) => modules.clone(),
    };
    let command = Command::TenantInit(contract::TenantInit {
        tenant: database(tenant),
        roles: roles(Subject::Tenant(tenant)),
        adopt: tenant.adopt.clone(),
        template: tenant.template().map(ToString::to_string),
        module,
        odoo_version: release.major,
        host: tenant.host.clone(),
        owner_email: tenant.owner.email.clone(),
        owner_name: tenant.owner.name.clone(),
        data_directory: DATA_DIRECTORY.to_owned(),
    });
    let namespace = &release.namespace;
    PodParts {
        image: Some(release.image.clone()),
        user: (release.uid, release.gid),
        filestore: Some(release.filestore.clone()),
        secrets: [
            chosen(secrets, namespace, &DATABASE_LOGIN),
            chosen(secrets, namespace, &ADMIN_PASSWORD),
        ]
        .concat(),
        resources: tenant.jobs.heavy.clone(),
        deadline_seconds: tenant.jobs.init_deadline_seconds,
        ..light(
            Step::TenantInit.as_str(),
            Subject::Tenant(tenant),
            namespace,
            command,
            secrets,
        )
    }
}

fn tenant_smoke(tenant: &Tenant, secrets: &SecretNames) -> PodParts {
    let release = &tenant.release;
    let workers_url = format!(
        "http://{}.{}:{}",
        release.service,
        release.namespace,
        defaults::HTTP_PORT
    );
    let command = Command::TenantSmoke(contract::TenantSmoke {
        tenant: database(tenant),
        workers_url,
        host: tenant.host.clone(),
        odoo_version: release.major,
    });
    with_login(Step::TenantSmoke, tenant, command, &DATABASE_LOGIN, secrets)
}

fn room_create(tenant: &Tenant, secrets: &SecretNames) -> Option<PodParts> {
    let matrix = tenant.notices.matrix.as_ref()?;
    let command = Command::RoomCreate(contract::RoomCreate {
        homeserver: matrix.homeserver.clone(),
        server_name: matrix.server_name.clone(),
        alias: support_room(&tenant.slug, tenant.project_id),
        name: format!("Support {}", tenant.owner.name),
        owner_email: tenant.owner.email.clone(),
        invite: matrix.invite.clone(),
    });
    let namespace = &tenant.jobs.namespace;
    let token = chosen(
        secrets,
        namespace,
        &[(SecretPurpose::Matrix, contract::MATRIX_TOKEN)],
    );
    Some(PodParts {
        secrets: token,
        ..light(
            Step::RoomCreate.as_str(),
            Subject::Tenant(tenant),
            namespace,
            command,
            secrets,
        )
    })
}

fn notify(step: Step, tenant: &Tenant, occasion: Occasion<'_>, secrets: &SecretNames) -> Option<PodParts> {
    let is_portal = matches!(step, Step::PortalNotify | Step::PortalFarewell);
    let is_farewell = matches!(step, Step::PortalFarewell | Step::ErpFarewell);
    let (callback, purpose): (&Callback, _) = if is_portal {
        (tenant.notices.portal.as_ref()?, SecretPurpose::Portal)
    } else {
        (tenant.notices.erp.as_ref()?, SecretPurpose::Erp)
    };
    let command = if is_portal {
        Command::PortalNotify
    } else {
        Command::ErpCallback
    };
    let news = if is_farewell { DEPROVISIONED } else { PROVISIONED };
    let command = command(contract::Notification {
        url: callback.url.clone(),
        event_type: news.to_owned(),
        idempotency_key: news_id(news, tenant, occasion),
        tenant: facts(tenant),
    });
    let namespace = &tenant.jobs.namespace;
    let key = chosen(secrets, namespace, &[(purpose, contract::SIGNING_KEY)]);
    Some(PodParts {
        secrets: key,
        ..light(
            step.as_str(),
            Subject::Tenant(tenant),
            namespace,
            command,
            secrets,
        )
    })
}

fn event_publish(
    step: Step,
    news: &str,
    tenant: &Tenant,
    occasion: Occasion<'_>,
    secrets: &SecretNames,
) -> Option<PodParts> {
    let events = tenant.notices.events.as_ref()?;
    let command = Command::EventPublish(contract::EventPublish {
        address: events.address.clone(),
        stream: events.stream.clone(),
        max_length: events.max_length,
        event_type: news.to_owned(),
        source: events.source.clone(),
        id: news_id(news, tenant, occasion),
        tenant: facts(tenant),
    });
    let namespace = &tenant.jobs.namespace;
    let password = chosen(
        secrets,
        namespace,
        &[(SecretPurpose::Events, contract::EVENTS_PASSWORD)],
    );
    Some(PodParts {
        secrets: password,
        ..light(
            step.as_str(),
            Subject::Tenant(tenant),
            namespace,
            command,
            secrets,
        )
    })
}

/// The nightly backup.
pub fn backup(tenant: &Tenant, secrets: &SecretNames) -> PodParts {
    backup_for("backup", BackupPurpose::Scheduled, tenant, secrets)
}

fn backup_for(component: &str, purpose: BackupPurpose, tenant: &Tenant, secrets: &SecretNames) -> PodParts {
    let backup = &tenant.backup;
    let command = Command::Backup(contract::Backup {
        tenant: database(tenant),
        store: store(tenant),
        data_directory: DATA_DIRECTORY.to_owned(),
        purpose,
        retention_days: backup.retention_days,
        compression: Compression::Zstd,
        age_recipient: backup.age_recipients.clone(),
    });
    PodParts {
        image: Some(backup.image.clone()),
        user: (tenant.release.uid, tenant.release.gid),
        filestore: Some(tenant.release.backup_filestore.clone()),
        filestore_read_only: true,
        secrets: [
            chosen(secrets, &backup.namespace, &DATABASE_LOGIN),
            chosen(secrets, &backup.namespace, &STORE_LOGIN),
        ]
        .concat(),
        resources: tenant.jobs.heavy.clone(),
        deadline_seconds: backup.deadline_seconds,
        ..light(
            component,
            Subject::Tenant(tenant),
            &backup.namespace,
            command,
            secrets,
        )
    }
}

/// The pod of a Job in the namespace of the major, which logs in to the database server and maybe more.
pub fn with_login(
    step: Step,
    tenant: &Tenant,
    command: Command,
    logins: &[(SecretPurpose, SecretVariable)],
    secrets: &SecretNames,
) -> PodParts {
    let namespace = &tenant.release.namespace;
    PodParts {
        secrets: chosen(secrets, namespace, logins),
        ..light(
            step.as_str(),
            Subject::Tenant(tenant),
            namespace,
            command,
            secrets,
        )
    }
}

/// A pod of this project's own image that makes a few requests.
pub fn light(
    component: &str,
    subject: Subject<'_>,
    namespace: &str,
    command: Command,
    secrets: &SecretNames,
) -> PodParts {
    PodParts {
        namespace: namespace.to_owned(),
        labels: labels::labels(subject, component),
        command,
        program_image: subject.jobs().image.clone(),
        image: None,
        user: (PROGRAM_UID, PROGRAM_UID),
        pull_secret: secrets.get(SecretPurpose::Pull, namespace).map(str::to_owned),
        filestore: None,
        filestore_read_only: false,
        secrets: Vec::new(),
        resources: subject.jobs().light.clone(),
        deadline_seconds: defaults::NOTIFY_DEADLINE_SECONDS,
    }
}

/// The variables of Secrets that the platform has, with the names that the Secrets have in a namespace.
pub fn chosen(
    secrets: &SecretNames,
    namespace: &str,
    wanted: &[(SecretPurpose, SecretVariable)],
) -> Vec<(String, SecretVariable)> {
    let named = |(purpose, variable): &(SecretPurpose, SecretVariable)| {
        secrets
            .get(*purpose, namespace)
            .map(|name| (name.to_owned(), *variable))
    };
    wanted.iter().filter_map(named).collect()
}

/// Where the tenant's backups are.
pub fn store(tenant: &Tenant) -> contract::Store {
    let backup = &tenant.backup;
    contract::Store {
        endpoint: backup.endpoint.clone(),
        region: backup.region.clone(),
        bucket: backup.bucket.clone(),
    }
}

/// The tenant's database, and by which marker it is known to be.
pub fn database(tenant: &Tenant) -> contract::TenantDatabase {
    contract::TenantDatabase {
        server: server(Subject::Tenant(tenant)),
        slug: tenant.slug.to_string(),
        database: tenant.database.to_string(),
        marker: tenant.marker.clone(),
    }
}

/// The roles that own databases.
pub fn roles(subject: Subject<'_>) -> contract::Roles {
    contract::Roles {
        application_role: subject.release().database_role.clone(),
        maintenance_role: subject.server().maintenance_role.clone(),
    }
}

/// How a Job reaches the database server.
pub fn server(subject: Subject<'_>) -> contract::Server {
    let server = subject.server();
    let ssl_mode = match server.ssl_mode {
        SslMode::Disable => "disable",
        SslMode::Require => "require",
        SslMode::VerifyCa => "verify-ca",
        SslMode::VerifyFull => "verify-full",
    };
    contract::Server {
        database_host: server.host.clone(),
        database_port: server.port,
        database_ssl_mode: ssl_mode.to_owned(),
    }
}

fn facts(tenant: &Tenant) -> contract::TenantFacts {
    let tier = match tenant.tier {
        TierName::Starter => "starter",
        TierName::Pro => "pro",
        TierName::Enterprise => "enterprise",
    };
    contract::TenantFacts {
        subdomain: tenant.slug.to_string(),
        project_id: tenant.project_id,
        tier: tier.to_owned(),
        odoo_version: tenant.release.major,
        owner_email: tenant.owner.email.clone(),
        owner_name: tenant.owner.name.clone(),
        tenant_url: tenant.url(),
    }
}

/// One id for one piece of news of this tenant: told twice, it is the same. A tenant that comes back, or goes once more, is
/// another.
fn news_id(news: &str, tenant: &Tenant, occasion: Occasion<'_>) -> String {
    /// Digits of the id: as many as a UUID has.
    const DIGITS: usize = 32;
    let mut text = format!("{news}\n{}\n{}", tenant.slug, tenant.marker);
    if let Some(turn) = occasion.inputs {
        text.push('\n');
        text.push_str(turn);
    }
    hexadecimal(text.as_bytes(), DIGITS)
}
