//! Spec and Platform -> [`Tenant`], or everything that is wrong with them.
//!
//! In: what an operator and the platform team wrote, the identity of the composite resource, and the major that
//! already serves the tenant. Out: a value without anything left to default, or all problems at once, each with its
//! field path and the way out. Only here may a user be refused.

use super::{
    Backup, Callback, DatabaseServer, Events, FilestoreVolume, Gateway, Identity, Jobs, Living, Matrix,
    Notices, Owner, Release, SecretName, Tenant, TierName,
};
use crate::{
    api::{
        check::Problem,
        plana_client::PlanaClientSpec,
        platform::{self, Platform},
    },
    defaults,
    names::{DatabaseName, NameError, Slug, is_dns_name, short_hash},
};

/// What is wrong so far.
#[derive(Default)]
struct Problems(Vec<Problem>);

/// Resolves a tenant, which may have a life already.
pub fn resolve(
    identity: &Identity,
    spec: &PlanaClientSpec,
    platform: &Platform,
    living: &Living,
) -> Result<Tenant, Vec<Problem>> {
    let serving = living.serving;
    let mut problems = Problems::default();
    refuse_what_is_not_served(spec, &mut problems);
    let slug = slug(identity, spec, platform, &mut problems);
    let wanted_major = wanted_major(spec, platform, serving, &mut problems);
    let release = serving
        .or(wanted_major)
        .and_then(|major| release(major, platform, &mut problems));
    let older = living.routed.iter().filter(|major| Some(**major) != serving);
    let older = older
        .filter_map(|major| Some((*major, self::release(*major, platform, &mut problems)?)))
        .collect();
    let (template_code, tier_retention_days) = tier(spec.tier, platform);
    let host = format!("{}.{}", spec.subdomain, platform.domain);
    let template = release
        .as_ref()
        .map(|release| format!("{template_code}-template-{}.{}", release.major, platform.domain));
    let names = template.and_then(|template| {
        let database = problems.check("input.domain", DatabaseName::new(&host));
        let template = problems.check(
            &format!("input.tiers.{}.templateCode", tier_word(spec.tier)),
            DatabaseName::new(&template),
        );
        database.zip(template)
    });
    let notices = notices(platform, &mut problems);
    let (Some(slug), Some(wanted_major), Some(release), Some((database, template))) =
        (slug, wanted_major, release, names)
    else {
        return Err(problems.sorted());
    };
    if !problems.0.is_empty() {
        return Err(problems.sorted());
    }
    Ok(Tenant {
        uid: identity.uid.clone(),
        project_id: spec.project_id,
        tier: spec.tier,
        owner: Owner {
            email: spec.owner_email.clone(),
            name: spec.owner_name.clone(),
        },
        marker: spec
            .adopt_database
            .clone()
            .unwrap_or_else(|| identity.uid.clone()),
        adopt: spec.adopt_database.clone(),
        backup: backup(&slug, spec, platform, &release, tier_retention_days),
        server: server(platform),
        gateway: Gateway {
            parents: platform.gateway.parent_refs.clone(),
            request_timeout: platform.gateway.request_timeout.clone(),
        },
        jobs: jobs(platform),
        deletion_protection: spec.deletion_protection.unwrap_or(false),
        slug,
        host,
        database,
        template,
        release,
        older,
        wanted_major,
        notices,
    })
}

impl Problems {
    fn add(&mut self, path: &str, message: impl Into<String>) {
        self.0.push(Problem {
            path: path.to_owned(),
            message: message.into(),
        });
    }

    fn check<T>(&mut self, path: &str, result: Result<T, NameError>) -> Option<T> {
        result.map_err(|error| self.add(path, error.to_string())).ok()
    }

    fn sorted(mut self) -> Vec<Problem> {
        self.0.sort();
        self.0.dedup();
        self.0
    }
}

/// A field that would be ignored is worse than one that is refused: the operator believes that it holds.
fn refuse_what_is_not_served(spec: &PlanaClientSpec, problems: &mut Problems) {
    if !spec.custom_domains.is_empty() {
        problems.add(
            "spec.customDomains",
            "is not served by this release; leave it empty",
        );
    }
    if spec.suspended == Some(true) {
        problems.add("spec.suspended", "is not served by this release; leave it false");
    }
}

fn slug(
    identity: &Identity,
    spec: &PlanaClientSpec,
    platform: &Platform,
    problems: &mut Problems,
) -> Option<Slug> {
    let subdomain = spec.subdomain.as_str();
    if identity.name != subdomain {
        let message = format!("must be the subdomain, {subdomain}; make the object anew under that name");
        problems.add("metadata.name", message);
    }
    if is_reserved(subdomain, platform) {
        problems.add(
            "spec.subdomain",
            format!("cannot be {subdomain}: the platform keeps that name for itself; choose another"),
        );
    }
    problems.check("spec.subdomain", Slug::new(subdomain))
}

fn is_reserved(subdomain: &str, platform: &Platform) -> bool {
    // A tenant of that name would take over a template database, which has `<code>-template-<major>.<domain>` as its name.
    subdomain.contains("-template-")
        || defaults::RESERVED_NAMES.contains(&subdomain)
        || platform
            .reserved_names
            .iter()
            .any(|reserved| reserved == subdomain)
}

/// The major that the spec asks for: one of the platform's, unless the tenant has long been served by it.
fn wanted_major(
    spec: &PlanaClientSpec,
    platform: &Platform,
    serving: Option<u32>,
    problems: &mut Problems,
) -> Option<u32> {
    let text = spec.odoo_version.as_deref().unwrap_or(defaults::ODOO_VERSION);
    let major = parse_major(text);
    if major.is_none() || (serving.is_none() && !is_served(text, platform)) {
        problems.add(
            "spec.odooVersion",
            format!("cannot be {text}: this platform has {}", majors(platform)),
        );
        return None;
    }
    major
}

/// Reads the number of a major: two digits, as Odoo's have been since 2016 and will be until 2099.
#[must_use]
pub fn parse_major(text: &str) -> Option<u32> {
    let two_digits =
        text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    if two_digits { text.parse().ok() } else { None }
}

fn is_served(major: &str, platform: &Platform) -> bool {
    if platform.versions.is_empty() {
        defaults::ODOO_VERSIONS.contains(&major)
    } else {
        platform.versions.contains_key(major)
    }
}

fn majors(platform: &Platform) -> String {
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

/// A major of the platform. One that a tenant lives on must not vanish from it.
fn release(major: u32, platform: &Platform, problems: &mut Problems) -> Option<Release> {
    let key = major.to_string();
    if !is_served(&key, platform) {
        let message = format!(
            "lacks {key}, which this tenant needs (it has {}); add it",
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
        if !crate::names::is_label(name) {
            problems.add(
                &path(field),
                format!("cannot be {name}: must be a DNS label (example: plana-odoo-18)"),
            );
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

fn tier_word(tier: TierName) -> &'static str {
    match tier {
        TierName::Starter => "starter",
        TierName::Pro => "pro",
        TierName::Enterprise => "enterprise",
    }
}

fn tier(name: TierName, platform: &Platform) -> (String, u32) {
    let written = platform.tiers.get(&name).cloned().unwrap_or_default();
    let platform::Tier {
        template_code,
        backup_retention_days,
    } = written;
    let (code, days) = match name {
        // The template of the starter tier is called basic.
        TierName::Starter => ("basic", defaults::BACKUP_RETENTION_STARTER_DAYS),
        TierName::Pro => ("pro", defaults::BACKUP_RETENTION_PRO_DAYS),
        TierName::Enterprise => ("enterprise", defaults::BACKUP_RETENTION_ENTERPRISE_DAYS),
    };
    (
        template_code.unwrap_or_else(|| code.to_owned()),
        backup_retention_days.unwrap_or(days),
    )
}

fn backup(
    slug: &Slug,
    spec: &PlanaClientSpec,
    platform: &Platform,
    release: &Release,
    tier_days: u32,
) -> Backup {
    let overrides = spec.backup.clone().unwrap_or_default();
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

fn server(platform: &Platform) -> DatabaseServer {
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

fn jobs(platform: &Platform) -> Jobs {
    let platform::Jobs {
        namespace,
        image,
        pull_secret,
        heavy_resources,
        light_resources,
        init_deadline_seconds,
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
    }
}

fn notices(platform: &Platform, problems: &mut Problems) -> Notices {
    if !is_dns_name(&platform.domain) {
        problems.add(
            "input.domain",
            format!(
                "cannot be {}: must be a DNS name (example: planapulse.app)",
                platform.domain
            ),
        );
    }
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
