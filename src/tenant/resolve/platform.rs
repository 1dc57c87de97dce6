//! What a Platform leaves out, filled in.
//!
//! In: a Platform that fits its schema. Out: the parts of a [`super::Tenant`] that come from it, without anything left
//! to default. Only a major that a tenant needs and the platform lacks is a problem here.

use std::collections::BTreeSet;

use super::{
    super::{
        Backup, Callback, DatabaseServer, Events, FilestoreVolume, Gateway, Jobs, Matrix, Notices, Release,
        SecretName, TierName,
    },
    Problems, parse_major, tier_word,
};
use crate::{
    api::{
        check::INPUT_PATH,
        plana_client::BackupOverrides,
        platform::{self, Platform},
    },
    defaults,
    names::{Slug, is_label, short_hash},
};

const TIERS: [TierName; 3] = [TierName::Starter, TierName::Pro, TierName::Enterprise];
/// Codes of PLANA's templates.
const BASIC: &str = "basic";
const PRO: &str = "pro";
const ENTERPRISE: &str = "enterprise";

/// Whether the platform has a major.
pub fn is_served(major: &str, platform: &Platform) -> bool {
    if platform.versions.is_empty() {
        defaults::ODOO_VERSIONS.contains(&major)
    } else {
        platform.versions.contains_key(major)
    }
}

/// The majors of the platform, as people list them.
pub fn majors(platform: &Platform) -> String {
    if platform.versions.is_empty() {
        defaults::ODOO_VERSIONS.join(", ")
    } else {
        platform
            .versions
            .keys()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// The majors of the platform, as numbers.
pub fn all_majors(platform: &Platform) -> Vec<u32> {
    if platform.versions.is_empty() {
        defaults::ODOO_VERSIONS
            .iter()
            .filter_map(|major| parse_major(major))
            .collect()
    } else {
        platform
            .versions
            .keys()
            .filter_map(|major| parse_major(major))
            .collect()
    }
}

/// A major of the platform. One that a tenant lives on must not vanish from it.
pub fn release(major: u32, platform: &Platform, problems: &mut Problems) -> Option<Release> {
    let key = major.to_string();
    if !is_served(&key, platform) {
        let message = format!(
            "cannot be without {key}, which this tenant needs: it has {}, add it",
            majors(platform)
        );
        problems.add("input.versions", message);
        return None;
    }
    let written = platform.versions.get(&key).cloned().unwrap_or_default();
    let platform::Version {
        namespace,
        image,
        uid,
        gid,
        service,
        filestore,
        backup_filestore,
        database_role,
    } = written;
    let filestore = filestore.unwrap_or_else(|| FilestoreVolume::Claim(defaults::FILESTORE_CLAIM.to_owned()));
    let path = |field: &str| format!("input.versions.{key}.{field}");
    let release = Release {
        major,
        namespace: namespace.unwrap_or_else(|| default_namespace(&key)),
        image: image
            .unwrap_or_else(|| format!("{}-{key}:{}", defaults::ODOO_IMAGE, defaults::ODOO_IMAGE_TAG)),
        uid: uid.unwrap_or(if key == "17" {
            defaults::ODOO_UID_17
        } else {
            defaults::ODOO_UID
        }),
        gid: gid.unwrap_or(defaults::ODOO_GID),
        service: service.unwrap_or_else(|| defaults::WORKER_SERVICE.to_owned()),
        backup_filestore: backup_filestore.unwrap_or_else(|| backup_filestore_of(&filestore, &key)),
        filestore,
        database_role: database_role.unwrap_or_else(|| platform.database.application_role.clone()),
    };
    for (field, name) in [("namespace", &release.namespace), ("service", &release.service)] {
        if !is_label(name) {
            problems.cannot_be(&path(field), name, "a DNS label (example: plana-odoo-18)");
        }
    }
    Some(release)
}

/// A claim belongs to one namespace, an NFS export to none: the backups need a claim of their own for the former.
fn backup_filestore_of(filestore: &FilestoreVolume, major: &str) -> FilestoreVolume {
    match filestore {
        FilestoreVolume::Nfs(export) => FilestoreVolume::Nfs(export.clone()),
        FilestoreVolume::Claim(_) => FilestoreVolume::Claim(format!("{}-{major}", defaults::FILESTORE_CLAIM)),
    }
}

fn default_namespace(major: &str) -> String {
    if major == defaults::VERSION_WITHOUT_SUFFIX {
        defaults::VERSION_NAMESPACE.to_owned()
    } else {
        format!("{}-{major}", defaults::VERSION_NAMESPACE)
    }
}

/// What a tier gets, without anything left to default.
pub struct ResolvedTier {
    /// The code of its template.
    pub template_code: String,
    /// Days for which backups are kept.
    pub retention_days: u32,
    /// Whether there is no template.
    pub full_install: bool,
    /// Hours for which a deleted tenant stays off the air before anything of it is removed.
    pub grace_hours: u32,
}

/// What a tier gets.
pub fn tier(name: TierName, platform: &Platform) -> ResolvedTier {
    let written = platform.tiers.get(&name).cloned().unwrap_or_default();
    let platform::Tier {
        template_code,
        backup_retention_days,
        modules: _, // those of the template, which tiers may share
        full_install,
        deletion,
    } = written;
    let (code, days) = match name {
        // The template of the starter tier is called basic.
        TierName::Starter => (BASIC, defaults::BACKUP_RETENTION_STARTER_DAYS),
        TierName::Pro => (PRO, defaults::BACKUP_RETENTION_PRO_DAYS),
        TierName::Enterprise => (ENTERPRISE, defaults::BACKUP_RETENTION_ENTERPRISE_DAYS),
    };
    ResolvedTier {
        template_code: template_code.unwrap_or_else(|| code.to_owned()),
        retention_days: backup_retention_days.unwrap_or(days),
        full_install: full_install.unwrap_or(false),
        grace_hours: deletion.map_or(0, |deletion| deletion.grace_hours),
    }
}

/// The codes of all templates, as people list them.
pub fn template_codes(platform: &Platform) -> BTreeSet<String> {
    TIERS.map(|name| tier(name, platform).template_code).into()
}

/// The modules of a template, sorted: those that a tier with its code names, or PLANA's. Tiers that share a template
/// and name different ones contradict each other.
pub fn modules(code: &str, platform: &Platform, problems: &mut Problems) -> Vec<String> {
    let mut given: Option<BTreeSet<&String>> = None;
    for name in TIERS
        .into_iter()
        .filter(|name| tier(*name, platform).template_code == code)
    {
        let Some(written) = platform.tiers.get(&name).filter(|tier| !tier.modules.is_empty()) else {
            continue;
        };
        let modules: BTreeSet<_> = written.modules.iter().collect();
        if given.as_ref().is_some_and(|given| *given != modules) {
            let path = format!("{INPUT_PATH}.tiers.{}.modules", tier_word(name));
            let message = format!(
                "cannot differ from those of another tier with the template {code}: give both the same, or another templateCode"
            );
            problems.add(&path, message);
        }
        given.get_or_insert(modules);
    }
    match given {
        Some(given) => given.into_iter().cloned().collect(),
        None => sorted(default_modules(code)),
    }
}

/// Module names, sorted, each once: another order is not another template.
pub fn sorted<T: Into<String>>(modules: impl IntoIterator<Item = T>) -> Vec<String> {
    let modules: BTreeSet<String> = modules.into_iter().map(Into::into).collect();
    modules.into_iter().collect()
}

fn default_modules(code: &str) -> Vec<&'static str> {
    let mut modules = defaults::MODULES_BASIC.to_vec();
    if [PRO, ENTERPRISE].contains(&code) {
        modules.extend(defaults::MODULES_PRO);
    }
    if code == ENTERPRISE {
        modules.extend(defaults::MODULES_ENTERPRISE);
    }
    modules
}

/// The backups of a tenant that may differ from those of its tier.
pub fn backup(
    slug: &Slug,
    overrides: BackupOverrides,
    platform: &Platform,
    release: &Release,
    tier_days: u32,
) -> Backup {
    let written = &platform.backup;
    Backup {
        namespace: written.namespace.clone(),
        is_nightly: overrides.schedule.is_none(),
        schedule: overrides
            .schedule
            .unwrap_or_else(|| schedule(slug, written.hour, written.spread_minutes)),
        time_zone: written.time_zone.clone(),
        retention_days: overrides.retention_days.unwrap_or(tier_days),
        image: written.image.clone().unwrap_or_else(|| release.image.clone()),
        endpoint: written.store.endpoint.clone(),
        region: written.store.region.clone(),
        bucket: written.store.bucket.clone(),
        store_secret: written.store.credentials_secret.clone(),
        age_recipients: written.age_recipients.clone(),
        deadline_seconds: platform.jobs.backup_deadline_seconds,
    }
}

/// The tenant's minute of the night, by its name: always the same, and spread over the window.
fn schedule(slug: &Slug, hour: u32, spread_minutes: u32) -> String {
    let hash = u32::from_str_radix(&short_hash(slug.as_str().as_bytes()), 16).unwrap_or_default();
    let minute = hour * 60 + hash % spread_minutes.max(1);
    format!("{} {} * * *", minute % 60, minute / 60 % 24)
}

/// The database server.
pub fn server(platform: &Platform) -> DatabaseServer {
    let platform::Database {
        host,
        port,
        ssl_mode,
        provider_config,
        application_role: _, // the release's role, since each major may have its own
        maintenance_role,
        credentials_secret,
    } = platform.database.clone();
    DatabaseServer {
        host,
        port,
        ssl_mode,
        provider_config,
        maintenance_role,
        secret: credentials_secret,
    }
}

/// How tenants are reached.
pub fn gateway(platform: &Platform) -> Gateway {
    let platform::Gateway {
        parent_refs,
        request_timeout,
        maintenance,
    } = platform.gateway.clone();
    Gateway {
        parents: parent_refs,
        request_timeout,
        maintenance,
    }
}

/// What Jobs have in common.
pub fn jobs(platform: &Platform) -> Jobs {
    let platform::Jobs {
        namespace,
        image,
        pull_secret,
        heavy_resources,
        light_resources,
        init_deadline_seconds,
        template_deadline_seconds,
        backup_deadline_seconds: _, // with the backup
    } = platform.jobs.clone();
    Jobs {
        pull_secret: pull_secret.map(|name| SecretName {
            name,
            namespace: namespace.clone(),
        }),
        namespace,
        image,
        heavy: heavy_resources,
        light: light_resources,
        init_deadline_seconds,
        template_deadline_seconds,
    }
}

/// Who is told of a tenant.
pub fn notices(platform: &Platform) -> Notices {
    let matrix = platform.matrix.clone();
    let events = platform.events.clone();
    Notices {
        matrix: matrix.enabled.then_some(Matrix {
            homeserver: matrix.homeserver,
            server_name: matrix.server_name,
            invite: matrix.invite,
            secret: matrix.token_secret,
        }),
        portal: callback(&platform.portal, defaults::PORTAL_URL),
        erp: callback(&platform.erp, defaults::ERP_URL),
        events: events.enabled.then_some(Events {
            address: events.address,
            stream: events.stream,
            max_length: events.max_length,
            source: events.source,
            secret: events.password_secret,
        }),
    }
}

fn callback(written: &platform::Callback, default_url: &str) -> Option<Callback> {
    let platform::Callback {
        enabled,
        url,
        signing_secret,
    } = written.clone();
    enabled.then(|| Callback {
        url: url.unwrap_or_else(|| default_url.to_owned()),
        secret: signing_secret,
    })
}
