//! Spec and Platform -> [`Tenant`] or [`super::Template`], or everything that is wrong with them.
//!
//! In: what an operator and the platform team wrote, the identity of the composite resource, and the major that
//! already serves the tenant. Out: a value without anything left to default, or all problems at once, each with its
//! field path and the way out. Only here may a user be refused.
//!
//! The API server has checked the spec against the schema of its day; a preview or an older schema may let more
//! through. What does not fit today's schema is refused here, in the same words.

mod platform;
mod template;

use serde::Serialize;
use serde_json::Value;

pub use self::template::resolve_template;
use super::{Identity, Living, Owner, Release, SecretName, Source, Tenant, TierName};
use crate::{
    api::{
        check::{self, INPUT_PATH, Problem},
        plana_client::PlanaClientSpec,
        platform::Platform,
    },
    defaults,
    names::{DatabaseName, NameError, Slug, is_dns_name, snapshot_name, template_prefix},
};

/// What is wrong so far.
struct Problems(Vec<Problem>);

/// Resolves a tenant, which may have a life already.
pub fn resolve(
    identity: &Identity,
    spec: &PlanaClientSpec,
    platform: &Platform,
    living: &Living,
) -> Result<Tenant, Vec<Problem>> {
    let serving = living.serving;
    let mut problems = Problems::of_spec(spec, check::plana_client_problems);
    refuse_what_is_not_served(spec, &mut problems);
    let slug = slug(identity, spec, platform, &mut problems);
    let wanted_major = wanted_major(spec, platform, serving, &mut problems);
    let release = serving
        .or(wanted_major)
        .and_then(|major| platform::release(major, platform, &mut problems));
    let older = living.routed.iter().filter(|major| Some(**major) != serving);
    let older = older
        .filter_map(|major| Some((*major, platform::release(*major, platform, &mut problems)?)))
        .collect();
    let tier = platform::tier(spec.tier, platform);
    let database = slug.as_ref().and_then(|slug| {
        let name = format!("{slug}.{}", platform.domain);
        database_name("input.domain", &name, platform, &mut problems)
    });
    let source = release
        .as_ref()
        .and_then(|release| source(spec.tier, &tier, release, platform, &mut problems));
    check_domain(platform, &mut problems);
    let (Some(slug), Some(wanted_major), Some(release), Some(database), Some(source), true) = (
        slug,
        wanted_major,
        release,
        database,
        source,
        problems.0.is_empty(),
    ) else {
        return Err(problems.sorted());
    };
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
        backup: platform::backup(
            &slug,
            spec.backup.clone().unwrap_or_default(),
            platform,
            &release,
            tier.retention_days,
        ),
        server: platform::server(platform),
        gateway: platform::gateway(platform),
        jobs: platform::jobs(platform),
        notices: platform::notices(platform),
        suspended: spec.suspended.unwrap_or(false),
        deletion_protection: spec.deletion_protection.unwrap_or(false),
        grace_hours: tier.grace_hours,
        admin_password: spec.admin_password_secret.as_ref().map(|secret| SecretName {
            name: secret.name.clone(),
            namespace: platform.jobs.namespace.clone(),
        }),
        host: database.to_string(),
        slug,
        database,
        source,
        release,
        older,
        wanted_major,
    })
}

impl Problems {
    fn of_spec(spec: &impl Serialize, check: fn(&Value) -> Vec<Problem>) -> Self {
        // A spec is plain data, which serde_json can always represent.
        Self(check(&serde_json::to_value(spec).unwrap_or_default()))
    }

    fn add(&mut self, path: &str, message: impl Into<String>) {
        self.0.push(Problem::new(path, message));
    }

    fn cannot_be(&mut self, path: &str, given: &str, expected: &str) {
        self.0.push(Problem::cannot_be(path, given, expected));
    }

    /// Whether a field is known to be wrong: another sentence about it would say less.
    fn has(&self, path: &str) -> bool {
        self.0.iter().any(|problem| problem.path == path)
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
            "cannot be served by this release: leave it empty",
        );
    }
}

fn slug(
    identity: &Identity,
    spec: &PlanaClientSpec,
    platform: &Platform,
    problems: &mut Problems,
) -> Option<Slug> {
    const PATH: &str = "spec.subdomain";
    if problems.has(PATH) {
        return None;
    }
    let subdomain = spec.subdomain.as_str();
    if identity.name != subdomain {
        let expected = format!("the subdomain, {subdomain:?}; make the object anew under that name");
        problems.cannot_be("metadata.name", &identity.name, &expected);
    }
    if is_reserved(subdomain, platform) {
        let expected = "another, since the platform keeps that name for itself";
        problems.cannot_be(PATH, subdomain, expected);
    }
    Slug::new(subdomain)
        .map_err(|error| problems.add(PATH, format!("cannot be {subdomain:?}: {error}")))
        .ok()
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
    const PATH: &str = "spec.odooVersion";
    if problems.has(PATH) {
        return None;
    }
    let text = spec.odoo_version.as_deref().unwrap_or(defaults::ODOO_VERSION);
    let major = parse_major(text);
    if major.is_none() || (serving.is_none() && !platform::is_served(text, platform)) {
        let expected = format!("one that the platform has: {}", platform::majors(platform));
        problems.cannot_be(PATH, text, &expected);
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

/// What the databases of a tier are made from; `None` when a template's name is longer than a server takes.
fn source(
    name: TierName,
    tier: &platform::ResolvedTier,
    release: &Release,
    platform: &Platform,
    problems: &mut Problems,
) -> Option<Source> {
    let modules = platform::modules(&tier.template_code, platform, problems);
    if tier.full_install {
        return Some(Source::Modules(modules));
    }
    let is_given = platform
        .tiers
        .get(&name)
        .is_some_and(|tier| tier.template_code.is_some());
    let path = if is_given {
        format!("{INPUT_PATH}.tiers.{}.templateCode", tier_word(name))
    } else {
        format!("{INPUT_PATH}.domain")
    };
    let code = &tier.template_code;
    let template = template_name(code, release.major, platform);
    Some(Source::Template {
        database: database_name(&path, &template, platform, problems)?,
        snapshot: snapshot_name(code, release.major),
    })
}

/// The name of a template's database.
fn template_name(code: &str, major: u32, platform: &Platform) -> String {
    format!("{}.{}", template_prefix(code, major), platform.domain)
}

fn database_name(
    path: &str,
    name: &str,
    platform: &Platform,
    problems: &mut Problems,
) -> Option<DatabaseName> {
    match DatabaseName::new(name) {
        Ok(name) => Some(name),
        // That the domain or the code has another form is said of themselves.
        Err(NameError::Form(_)) if !is_dns_name(&platform.domain) => None,
        Err(error) => {
            problems.add(
                path,
                format!("cannot name a database {}: {error}", check::quoted(name)),
            );
            None
        }
    }
}

fn tier_word(tier: TierName) -> &'static str {
    match tier {
        TierName::Starter => "starter",
        TierName::Pro => "pro",
        TierName::Enterprise => "enterprise",
    }
}

/// What is wrong with a Platform, whatever tenant or template asks: all that a schema cannot tell.
#[must_use]
pub fn platform_problems(platform: &Platform) -> Vec<Problem> {
    let mut problems = Problems(Vec::new());
    let codes = platform::template_codes(platform);
    for major in platform::all_majors(platform) {
        // It is one of the platform's own.
        let _ = platform::release(major, platform, &mut problems);
        for code in &codes {
            let database = template_name(code, major, platform);
            let _ = database_name("input.domain", &database, platform, &mut problems);
        }
    }
    for code in &codes {
        let _ = platform::modules(code, platform, &mut problems);
    }
    check_domain(platform, &mut problems);
    problems.sorted()
}

fn check_domain(platform: &Platform, problems: &mut Problems) {
    if !is_dns_name(&platform.domain) {
        let expected = "a DNS name in lower case (example: planapulse.app)";
        problems.cannot_be("input.domain", &platform.domain, expected);
    }
}
