//! Values with every field given, written without a rest pattern: a new field does not compile until it is here.

use std::collections::BTreeMap;

use function_odoo::api::plana_client::{
    AdminPasswordSecret, BackupOverrides, BackupStatus, Course, CourseStatus, DatabaseOrigin, DatabaseStatus,
    DeletionStatus, FilestoreStatus, MaintenanceStatus, PlanaClientSpec, PlanaClientStatus, StepRecord,
    TierName,
};
use function_odoo::api::platform::{
    Backup, Callback, Database, Deletion, Events, FilestoreVolume, Gateway, Jobs, MaintenanceBackend, Matrix,
    Metadata, Nfs, ObjectStore, ParentReference, Platform, Resources, SecretName, SslMode, Tier, Version,
};
use function_odoo::api::template_snapshot::{TemplateSnapshotSpec, TemplateSnapshotStatus};

/// A spec that the API server and the function take.
pub fn spec() -> PlanaClientSpec {
    PlanaClientSpec {
        subdomain: "acme".to_owned(),
        project_id: 23,
        tier: TierName::Enterprise,
        odoo_version: Some("18".to_owned()),
        owner_email: "owner@acme.example".to_owned(),
        owner_name: "Acme".to_owned(),
        custom_domains: vec!["erp.acme.example".to_owned()],
        suspended: Some(false),
        deletion_protection: Some(true),
        adopt_database: Some("0b5c-acme".to_owned()),
        backup: Some(BackupOverrides {
            schedule: Some("30 1 * * *".to_owned()),
            retention_days: Some(90),
        }),
        admin_password_secret: Some(AdminPasswordSecret {
            name: "acme-admin".to_owned(),
        }),
    }
}

/// A status.
pub fn status() -> PlanaClientStatus {
    let text = || "text".to_owned();
    let some = || Some(text());
    PlanaClientStatus {
        phase: some(),
        deletion_refused: true,
        url: some(),
        odoo_version: some(),
        namespace: some(),
        database_marker: some(),
        database: Some(DatabaseStatus {
            name: text(),
            ready: true,
            template: some(),
            origin: Some(DatabaseOrigin::Template),
        }),
        filestore: Some(FilestoreStatus { path: text() }),
        backup: Some(BackupStatus {
            schedule: text(),
            time_zone: text(),
            last_successful_time: some(),
            last_verified_time: some(),
        }),
        support_room: some(),
        support_room_id: some(),
        course: Some(CourseStatus {
            name: Course::Suspend,
            turn: 1,
        }),
        maintenance: Some(MaintenanceStatus {
            active: true,
            by: text(),
        }),
        deletion: Some(DeletionStatus {
            final_backup: some(),
            grace_until: some(),
            removing: true,
            dropping: true,
        }),
        done: done(),
    }
}

fn done() -> BTreeMap<String, StepRecord> {
    let text = || "text".to_owned();
    let record = StepRecord {
        job: text(),
        time: text(),
        inputs: Some(text()),
        result: BTreeMap::from([("marker".to_owned(), text())]),
    };
    BTreeMap::from([("init".to_owned(), record)])
}

/// The spec of a template that the API server and the function take.
pub fn snapshot_spec() -> TemplateSnapshotSpec {
    TemplateSnapshotSpec {
        template_code: "basic".to_owned(),
        odoo_version: "18".to_owned(),
        revision: Some("4f1c2d3".to_owned()),
        modules: vec!["base".to_owned(), "sale_management".to_owned()],
    }
}

/// The status of a template.
pub fn snapshot_status() -> TemplateSnapshotStatus {
    let some = || Some("text".to_owned());
    TemplateSnapshotStatus {
        phase: some(),
        database: some(),
        image: some(),
        revision: some(),
        built_at: some(),
        modules: BTreeMap::from([("base".to_owned(), "18.0.1.3".to_owned())]),
        module_count: Some(24),
        modules_digest: some(),
        database_bytes: Some(1),
        filestore_files: Some(1),
        filestore_bytes: Some(1),
        done: done(),
    }
}

/// A Platform.
pub fn platform() -> Platform {
    let map = || BTreeMap::from([("cpu".to_owned(), "1".to_owned())]);
    let resources = || Resources {
        requests: map(),
        limits: map(),
    };
    let version = |filestore: FilestoreVolume| Version {
        namespace: Some("odoo-18".to_owned()),
        image: Some("registry.example/odoo:18".to_owned()),
        uid: Some(100),
        gid: Some(101),
        service: Some("odoo".to_owned()),
        backup_filestore: Some(filestore.clone()),
        filestore: Some(filestore),
        database_role: Some("odoo18".to_owned()),
    };
    let nfs = Nfs {
        server: "nfs.example".to_owned(),
        path: "/odoo".to_owned(),
    };
    Platform {
        api_version: Some("odoo.fn.planapulse.com/v1beta1".to_owned()),
        kind: Some("Platform".to_owned()),
        metadata: Some(Metadata {
            name: Some("example".to_owned()),
            labels: map(),
            annotations: map(),
        }),
        domain: "example.com".to_owned(),
        versions: BTreeMap::from([
            (
                "17".to_owned(),
                version(FilestoreVolume::Claim("filestore".to_owned())),
            ),
            ("18".to_owned(), version(FilestoreVolume::Nfs(nfs))),
        ]),
        tiers: [TierName::Starter, TierName::Pro, TierName::Enterprise]
            .map(|name| (name, tier()))
            .into(),
        database: database(),
        gateway: gateway(),
        backup: backup(),
        events: events(),
        matrix: matrix(),
        portal: callback(),
        erp: callback(),
        jobs: Jobs {
            namespace: "control".to_owned(),
            image: "registry.example/function-odoo:v1".to_owned(),
            pull_secret: Some("pull".to_owned()),
            heavy_resources: resources(),
            light_resources: resources(),
            init_deadline_seconds: 600,
            template_deadline_seconds: 600,
            backup_deadline_seconds: 600,
        },
        reserved_names: vec!["intranet".to_owned()],
    }
}

fn tier() -> Tier {
    Tier {
        template_code: Some("basic".to_owned()),
        backup_retention_days: Some(30),
        modules: vec!["base".to_owned()],
        full_install: Some(true),
        deletion: Some(Deletion { grace_hours: 48 }),
    }
}

fn secret() -> SecretName {
    SecretName {
        name: "login".to_owned(),
        namespace: "control".to_owned(),
    }
}

fn database() -> Database {
    Database {
        host: "db.example".to_owned(),
        port: 5433,
        ssl_mode: SslMode::VerifyFull,
        provider_config: "odoo".to_owned(),
        application_role: "odoo".to_owned(),
        maintenance_role: "odoo_maintenance".to_owned(),
        credentials_secret: secret(),
    }
}

fn gateway() -> Gateway {
    Gateway {
        parent_refs: vec![ParentReference {
            name: "public".to_owned(),
            namespace: "gateways".to_owned(),
            section_name: Some("https".to_owned()),
        }],
        request_timeout: "5m".to_owned(),
        maintenance: Some(MaintenanceBackend {
            name: "maintenance".to_owned(),
            namespace: Some("gateways".to_owned()),
            port: 8080,
        }),
    }
}

fn backup() -> Backup {
    Backup {
        namespace: "backups".to_owned(),
        hour: 3,
        spread_minutes: 60,
        time_zone: "Etc/UTC".to_owned(),
        image: Some("registry.example/postgres:17".to_owned()),
        store: ObjectStore {
            endpoint: "https://s3.example".to_owned(),
            region: "eu".to_owned(),
            bucket: "odoo".to_owned(),
            credentials_secret: secret(),
        },
        age_recipients: vec!["age1example".to_owned()],
    }
}

fn events() -> Events {
    Events {
        enabled: true,
        address: "rediss://redis.example:6380".to_owned(),
        stream: "odoo".to_owned(),
        max_length: 1000,
        source: "//example".to_owned(),
        password_secret: Some(secret()),
    }
}

fn matrix() -> Matrix {
    Matrix {
        enabled: true,
        homeserver: "https://matrix.example".to_owned(),
        server_name: "example".to_owned(),
        invite: vec!["@support:example".to_owned()],
        token_secret: secret(),
    }
}

fn callback() -> Callback {
    Callback {
        enabled: true,
        url: Some("https://hook.example".to_owned()),
        signing_secret: Some(secret()),
    }
}
