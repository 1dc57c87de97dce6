//! Names: of composed resources within a composite (composition resource names), of Kubernetes objects, of databases.
//!
//! In: strings and numbers. Out: names within the limits of those who take them, or the limit that is broken.
//!
//! A composition resource name is what Crossplane knows a composed resource by. The observed name and namespace of an
//! object win over the desired ones for as long as the composition resource name stays (Crossplane 2.x, see
//! `docs/architecture.md`). So whatever may move to another namespace or be made again carries that in its
//! composition resource name: the route its Odoo major, a Job the hash of its whole pod template.

mod step;

use std::fmt;

use sha2::{Digest, Sha256};

pub use self::step::Step;

/// PostgreSQL cuts longer identifiers silently, so that two long names become one database (since ever; 63 = NAMEDATALEN - 1).
pub const DATABASE_NAME_MAXIMUM_BYTES: usize = 63;
/// A Job's name is a label value of its pods.
pub const JOB_NAME_MAXIMUM_BYTES: usize = 63;
/// The container that does the work, in every pod of our Jobs.
pub const CONTAINER: &str = "odoo-job";
/// The label of a Job that installs modules for minutes.
pub const HEAVY_LABEL: &str = "planapulse.com/heavy";
/// The annotation of a route that leads to no workers: how it answers.
pub const CLOSED_ANNOTATION: &str = "planapulse.com/closed";
/// A CronJob's Jobs add eleven characters to its name.
pub const CRON_JOB_NAME_MAXIMUM_BYTES: usize = 52;
/// Longest subdomain, so that `<subdomain>.<domain>` leaves room for the suffixes of copies.
pub const SLUG_MAXIMUM_BYTES: usize = 30;
/// Room that a database's name must leave for the names of its copies (`~pre`, `~` and twelve digits).
pub const DATABASE_SUFFIX_BYTES: usize = 13;
/// Hexadecimal digits of a hash in a name: at a thousand versions of one Job two are alike once in 4000 tenants' lives.
const HASH_DIGITS: usize = 8;

/// A tenant's subdomain: a DNS label that is safe as part of every other name. Example: `acme`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slug(String);

/// The name of a database. Example: `acme.planapulse.app`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DatabaseName(String);

/// Why a text is no name of its kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// It is longer than its takers allow.
    #[error("must be at most {maximum} bytes, has {actual}")]
    TooLong {
        /// Bytes allowed.
        maximum: usize,
        /// Bytes given.
        actual: usize,
    },
    /// It is not made of what it may be made of.
    #[error("must be {0}")]
    Form(&'static str),
}

/// The shape of a slug, in words.
const SLUG_FORM: &str = "lower-case letters, digits and single hyphens, beginning and ending with a letter or digit (example: acme)";
/// The shape of a DNS name, in words.
const DNS_FORM: &str = "a DNS name in lower case (example: planapulse.app)";

/// What a Secret is for, and so which keys it must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecretPurpose {
    /// Login of the Jobs at the database server.
    Database,
    /// Keys of the object store.
    Store,
    /// Login of the image registry.
    Pull,
    /// Access token of the Matrix server.
    Matrix,
    /// Signing key for the account portal.
    Portal,
    /// Signing key for the ERP.
    Erp,
    /// Password of the event stream's server.
    Events,
    /// Password of a new tenant's administrator.
    Admin,
}

/// The composition resource name of everything that we compose.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ResourceName {
    /// The tenant's Database.
    Database,
    /// The tenant's CronJob.
    Backup,
    /// The ClusterUsage that guards the composite resource.
    Guard,
    /// The route into the namespace of a major.
    Route(u32),
    /// The answer that a closed route of a major gives.
    Maintenance(u32),
    /// A Job, by its step and the hash of its pod template.
    Job(Step, String),
    /// The tenant's copy of a Secret, in a namespace.
    Secret(SecretPurpose, String),
}

impl Slug {
    /// Reads a subdomain.
    pub fn new(text: &str) -> Result<Self, NameError> {
        fit(text, SLUG_MAXIMUM_BYTES)?;
        if is_label(text) && !text.contains("--") {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError::Form(SLUG_FORM))
        }
    }

    /// The subdomain as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl DatabaseName {
    /// Reads the name of a database that copies of it are made under longer names.
    pub fn new(text: &str) -> Result<Self, NameError> {
        fit(text, DATABASE_NAME_MAXIMUM_BYTES - DATABASE_SUFFIX_BYTES)?;
        if is_dns_name(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError::Form(DNS_FORM))
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Display for DatabaseName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl SecretPurpose {
    /// All purposes.
    pub const ALL: [Self; 8] = [
        Self::Database,
        Self::Store,
        Self::Pull,
        Self::Matrix,
        Self::Portal,
        Self::Erp,
        Self::Events,
        Self::Admin,
    ];

    /// The word for it in names.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Store => "store",
            Self::Pull => "pull",
            Self::Matrix => "matrix",
            Self::Portal => "portal",
            Self::Erp => "erp",
            Self::Events => "events",
            Self::Admin => "admin",
        }
    }
}

impl ResourceName {
    /// Reads a composition resource name; `None` for one that is not ours. No two texts are the same name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::parse_loosely(text).filter(|name| name.to_string() == text)
    }

    fn parse_loosely(text: &str) -> Option<Self> {
        match text {
            "database" => return Some(Self::Database),
            "backup" => return Some(Self::Backup),
            "guard" => return Some(Self::Guard),
            _ => {}
        }
        if let Some(major) = text.strip_prefix("route-") {
            return major.parse().ok().map(Self::Route);
        }
        if let Some(major) = text.strip_prefix("maintenance-") {
            return major.parse().ok().map(Self::Maintenance);
        }
        if let Some(rest) = text.strip_prefix("secret-") {
            let (purpose, namespace) = rest.split_once('-')?;
            let purpose = SecretPurpose::ALL
                .into_iter()
                .find(|known| known.as_str() == purpose)?;
            return Some(Self::Secret(purpose, namespace.to_owned()));
        }
        let (step, hash) = text.rsplit_once('-').filter(|(_, hash)| is_hash(hash))?;
        let step = Step::ALL.into_iter().find(|known| known.as_str() == step)?;
        Some(Self::Job(step, hash.to_owned()))
    }
}

impl fmt::Display for ResourceName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database => formatter.write_str("database"),
            Self::Backup => formatter.write_str("backup"),
            Self::Guard => formatter.write_str("guard"),
            Self::Route(major) => write!(formatter, "route-{major}"),
            Self::Maintenance(major) => write!(formatter, "maintenance-{major}"),
            Self::Job(step, hash) => write!(formatter, "{}-{hash}", step.as_str()),
            Self::Secret(purpose, namespace) => write!(formatter, "secret-{}-{namespace}", purpose.as_str()),
        }
    }
}

/// The short hash of some bytes, for names that change with what they name.
#[must_use]
pub fn short_hash(bytes: &[u8]) -> String {
    hexadecimal(bytes, HASH_DIGITS)
}

/// The first digits of the SHA-256 of some bytes.
#[must_use]
pub fn hexadecimal(bytes: &[u8], digits: usize) -> String {
    use fmt::Write as _;
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text.truncate(digits);
    text
}

fn is_hash(text: &str) -> bool {
    let digits = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.len() == HASH_DIGITS && text.bytes().all(digits)
}

/// The name of the template of a code and a major among composite resources. Example: `basic-18`.
#[must_use]
pub fn snapshot_name(code: &str, major: u32) -> String {
    format!("{code}-{major}")
}

/// What the names of a template's objects begin with, its database's among them. No tenant can be called so: a subdomain
/// must not contain `-template-`.
#[must_use]
pub fn template_prefix(code: &str, major: u32) -> String {
    format!("{code}-template-{major}")
}

/// The alias of a tenant's support room: the project's number has at least three digits.
#[must_use]
pub fn support_room(slug: &Slug, project_id: i64) -> String {
    format!("support-{slug}-{project_id:03}")
}

/// A name that is cut to a limit, with a hash of the whole in place of what is cut off.
#[must_use]
pub fn shorten(name: &str, maximum: usize) -> String {
    if name.len() <= maximum {
        return name.to_owned();
    }
    let mut end = maximum - HASH_DIGITS - 1;
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!(
        "{}-{}",
        name[..end].trim_end_matches(['-', '.']),
        short_hash(name.as_bytes())
    )
}

/// Whether a text is a DNS label in lower case.
#[must_use]
pub fn is_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// Whether a text is a DNS name in lower case.
#[must_use]
pub fn is_dns_name(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_label)
}

fn fit(text: &str, maximum: usize) -> Result<(), NameError> {
    if text.len() > maximum {
        Err(NameError::TooLong {
            maximum,
            actual: text.len(),
        })
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_a_label_without_double_hyphens() {
        for good in ["a", "acme", "a-b-1", "0", &"a".repeat(SLUG_MAXIMUM_BYTES)] {
            assert!(Slug::new(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "a--b", "A", "a.b", "a_b", "ä"] {
            assert_eq!(Slug::new(bad), Err(NameError::Form(SLUG_FORM)), "{bad}");
        }
        assert_eq!(
            Slug::new(&"a".repeat(SLUG_MAXIMUM_BYTES + 1)),
            Err(NameError::TooLong {
                maximum: SLUG_MAXIMUM_BYTES,
                actual: SLUG_MAXIMUM_BYTES + 1
            })
        );
    }

    #[test]
    fn a_database_name_leaves_room_for_its_copies() {
        let longest = DATABASE_NAME_MAXIMUM_BYTES - DATABASE_SUFFIX_BYTES;
        assert!(DatabaseName::new(&"a".repeat(longest)).is_ok());
        assert!(matches!(
            DatabaseName::new(&"a".repeat(longest + 1)),
            Err(NameError::TooLong { .. })
        ));
        assert!(matches!(DatabaseName::new("a..b"), Err(NameError::Form(_))));
    }

    #[test]
    fn composition_resource_names_are_read_back() {
        let mut names = vec![
            ResourceName::Database,
            ResourceName::Backup,
            ResourceName::Guard,
            ResourceName::Route(18),
            ResourceName::Maintenance(18),
        ];
        names.extend(Step::ALL.map(|step| ResourceName::Job(step, short_hash(step.as_str().as_bytes()))));
        names.extend(
            SecretPurpose::ALL.map(|purpose| ResourceName::Secret(purpose, "plana-odoo-18".to_owned())),
        );
        for name in names {
            assert_eq!(ResourceName::parse(&name.to_string()), Some(name));
        }
        let foreign = [
            "bucket",
            "tenant-init",
            "secret-other-x",
            "job-1234",
            "",
            "route-018",
            "route-+18",
            "room-create-of-ours",
            "tenant-init-EB9E0B05",
        ];
        for foreign in foreign {
            assert_eq!(ResourceName::parse(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn a_shortened_name_keeps_its_limit_and_its_difference() {
        assert_eq!(shorten("short", 10), "short");
        let (one, other) = (shorten(&"a".repeat(70), 63), shorten(&"a".repeat(71), 63));
        assert!(one.len() <= 63 && other.len() <= 63 && one != other);
    }

    #[test]
    fn a_support_room_has_three_digits_at_least() {
        let slug = Slug::new("acme").unwrap();
        assert_eq!(support_room(&slug, 23), "support-acme-023");
        assert_eq!(support_room(&slug, 12345), "support-acme-12345");
    }
}
