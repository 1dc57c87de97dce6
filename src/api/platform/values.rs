//! PLANA's values for what a Platform leaves out, as its types have them.
//!
//! In: [`crate::defaults`], where each is spelled. Out: `Default` of the parts of a Platform.

use std::collections::BTreeMap;

use super::{
    Backup, Callback, Database, Events, Gateway, Jobs, Matrix, ObjectStore, ParentReference, Platform,
    Resources, SecretName, SslMode, control_namespace,
};
use crate::defaults;

impl Default for Platform {
    fn default() -> Self {
        Self {
            api_version: None,
            kind: None,
            metadata: None,
            domain: defaults::DOMAIN.to_owned(),
            versions: BTreeMap::new(),
            tiers: BTreeMap::new(),
            database: Database::default(),
            gateway: Gateway::default(),
            backup: Backup::default(),
            events: Events::default(),
            matrix: Matrix::default(),
            portal: Callback::to(defaults::PORTAL_URL, defaults::PORTAL_SECRET),
            erp: Callback::to(defaults::ERP_URL, defaults::ERP_SECRET),
            jobs: Jobs::default(),
            reserved_names: Vec::new(),
        }
    }
}

impl Callback {
    fn to(url: &str, signing_secret: &str) -> Self {
        Self {
            enabled: true,
            url: Some(url.to_owned()),
            signing_secret: Some(SecretName::new(signing_secret)),
        }
    }
}

impl SecretName {
    /// A Secret of that name where the platform keeps them.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            namespace: control_namespace(),
        }
    }
}

impl Default for Database {
    fn default() -> Self {
        Self {
            host: defaults::DATABASE_HOST.to_owned(),
            port: defaults::DATABASE_PORT,
            ssl_mode: SslMode::Require,
            provider_config: defaults::DATABASE_PROVIDER_CONFIG.to_owned(),
            application_role: defaults::APPLICATION_ROLE.to_owned(),
            maintenance_role: defaults::MAINTENANCE_ROLE.to_owned(),
            credentials_secret: SecretName::new(defaults::DATABASE_SECRET),
        }
    }
}

impl Default for Gateway {
    fn default() -> Self {
        Self {
            parent_refs: vec![ParentReference {
                name: defaults::GATEWAY_NAME.to_owned(),
                namespace: defaults::GATEWAY_NAMESPACE.to_owned(),
                section_name: Some(defaults::GATEWAY_SECTION.to_owned()),
            }],
            request_timeout: defaults::REQUEST_TIMEOUT.to_owned(),
            maintenance: None,
        }
    }
}

impl Default for Backup {
    fn default() -> Self {
        Self {
            namespace: defaults::BACKUP_NAMESPACE.to_owned(),
            hour: defaults::BACKUP_HOUR,
            spread_minutes: defaults::BACKUP_SPREAD_MINUTES,
            time_zone: defaults::BACKUP_TIME_ZONE.to_owned(),
            image: None,
            store: ObjectStore::default(),
            age_recipients: Vec::new(),
        }
    }
}

impl Default for ObjectStore {
    fn default() -> Self {
        Self {
            endpoint: defaults::STORE_ENDPOINT.to_owned(),
            region: defaults::STORE_REGION.to_owned(),
            bucket: defaults::STORE_BUCKET.to_owned(),
            credentials_secret: SecretName::new(defaults::STORE_SECRET),
        }
    }
}

impl Default for Events {
    fn default() -> Self {
        Self {
            enabled: true,
            address: defaults::EVENTS_ADDRESS.to_owned(),
            stream: defaults::EVENTS_STREAM.to_owned(),
            max_length: defaults::EVENTS_MAX_LENGTH,
            source: defaults::EVENTS_SOURCE.to_owned(),
            password_secret: None,
        }
    }
}

impl Default for Matrix {
    fn default() -> Self {
        Self {
            enabled: true,
            homeserver: defaults::MATRIX_HOMESERVER.to_owned(),
            server_name: defaults::MATRIX_SERVER_NAME.to_owned(),
            invite: Vec::new(),
            token_secret: SecretName::new(defaults::MATRIX_SECRET),
        }
    }
}

impl Default for Jobs {
    fn default() -> Self {
        Self {
            namespace: defaults::CONTROL_NAMESPACE.to_owned(),
            image: defaults::PROGRAM_IMAGE.to_owned(),
            pull_secret: Some(defaults::PULL_SECRET.to_owned()),
            heavy_resources: Resources::of(("500m", "512Mi"), ("2", "4Gi")),
            light_resources: Resources::of(("10m", "16Mi"), ("200m", "128Mi")),
            init_deadline_seconds: defaults::INIT_DEADLINE_SECONDS,
            template_deadline_seconds: defaults::TEMPLATE_DEADLINE_SECONDS,
            backup_deadline_seconds: defaults::BACKUP_DEADLINE_SECONDS,
        }
    }
}

impl Resources {
    fn of(requests: (&str, &str), limits: (&str, &str)) -> Self {
        let amounts = |(cpu, memory): (&str, &str)| {
            BTreeMap::from([
                ("cpu".to_owned(), cpu.to_owned()),
                ("memory".to_owned(), memory.to_owned()),
            ])
        };
        Self {
            requests: amounts(requests),
            limits: amounts(limits),
        }
    }
}
