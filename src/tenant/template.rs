//! A template, resolved.

use super::{DatabaseServer, Jobs, Release};
use crate::names::{DatabaseName, short_hash, template_prefix};

/// A template database and the part of the platform that concerns it.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// Name of the composite resource: `<code>-<major>`.
    pub name: String,
    /// UID of the composite resource.
    pub uid: String,
    /// The code that tiers know it by.
    pub code: String,
    /// The template database.
    pub database: DatabaseName,
    /// What the database carries to say what it is. Not the UID: a template that a cluster built is still one after the
    /// cluster was rebuilt.
    pub marker: String,
    /// The major, with the image of the wanted revision.
    pub release: Release,
    /// Tag or digest of that image.
    pub revision: String,
    /// The modules to install, sorted, each once.
    pub modules: Vec<String>,
    /// The database server.
    pub server: DatabaseServer,
    /// Where Jobs run and what they have in common.
    pub jobs: Jobs,
}

impl Template {
    /// What the names of its objects begin with.
    #[must_use]
    pub fn prefix(&self) -> String {
        template_prefix(&self.code, self.release.major)
    }

    /// Hash of all that another build would be wanted for.
    #[must_use]
    pub fn inputs(&self) -> String {
        let Self {
            database,
            revision,
            modules,
            ..
        } = self;
        short_hash(format!("{database}\n{revision}\n{}", modules.join(" ")).as_bytes())
    }
}

/// An image with another revision (a tag, or a digest).
#[must_use]
pub fn with_revision(image: &str, revision: &str) -> String {
    let (repository, _) = split(image);
    let separator = if revision.contains(':') { '@' } else { ':' };
    format!("{repository}{separator}{revision}")
}

/// The revision of an image: its digest, or its tag.
#[must_use]
pub fn revision_of(image: &str) -> &str {
    split(image).1.unwrap_or("latest")
}

/// Repository and revision. A colon before the last slash is that of a registry's port.
fn split(image: &str) -> (&str, Option<&str>) {
    let (tagged, digest) = match image.split_once('@') {
        Some((tagged, digest)) => (tagged, Some(digest)),
        None => (image, None),
    };
    let name = tagged.rfind('/').map_or(0, |slash| slash + 1);
    match tagged[name..].split_once(':') {
        Some((last, tag)) => (&tagged[..name + last.len()], digest.or(Some(tag))),
        None => (tagged, digest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_replaces_tag_and_digest() {
        let digest = format!("sha256:{}", "a".repeat(64));
        for image in [
            "r.example:5000/odoo/base-18".to_owned(),
            "r.example:5000/odoo/base-18:latest".to_owned(),
            format!("r.example:5000/odoo/base-18:latest@{digest}"),
        ] {
            assert_eq!(with_revision(&image, "4f1c"), "r.example:5000/odoo/base-18:4f1c");
            assert_eq!(
                with_revision(&image, &digest),
                format!("r.example:5000/odoo/base-18@{digest}")
            );
        }
        assert_eq!(with_revision("odoo:18", "19"), "odoo:19");
    }

    #[test]
    fn the_revision_of_an_image_is_its_digest_or_its_tag() {
        assert_eq!(revision_of("r.example:5000/odoo"), "latest");
        assert_eq!(revision_of("r.example:5000/odoo:18"), "18");
        assert_eq!(revision_of("odoo:18@sha256:ab"), "sha256:ab");
    }
}
