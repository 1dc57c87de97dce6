//! Spec of a `TemplateSnapshot` and Platform -> [`Template`], or everything that is wrong with them.

use super::{
    super::{
        Identity, Release, Template,
        template::{revision_of, with_revision},
    },
    Problems, check_domain, database_name, parse_major, platform, template_name,
};
use crate::{
    api::{
        check::{self, Problem},
        platform::Platform,
        template_snapshot::TemplateSnapshotSpec,
    },
    names::snapshot_name,
};

/// Resolves a template.
pub fn resolve_template(
    identity: &Identity,
    spec: &TemplateSnapshotSpec,
    platform: &Platform,
) -> Result<Template, Vec<Problem>> {
    let mut problems = Problems::of_spec(spec, check::template_snapshot_problems);
    check_code(spec, platform, &mut problems);
    let release = release(spec, platform, &mut problems);
    let code = &spec.template_code;
    let modules = if spec.modules.is_empty() {
        platform::modules(code, platform, &mut problems)
    } else {
        platform::sorted(spec.modules.iter().cloned())
    };
    check_domain(platform, &mut problems);
    let names = release.as_ref().and_then(|release| {
        let name = snapshot_name(code, release.major);
        check_name(identity, &name, &mut problems);
        let database = template_name(code, release.major, platform);
        Some((
            name,
            database_name("input.domain", &database, platform, &mut problems)?,
        ))
    });
    let (Some(release), Some((name, database)), true) = (release, names, problems.0.is_empty()) else {
        return Err(problems.sorted());
    };
    Ok(Template {
        uid: identity.uid.clone(),
        code: code.clone(),
        marker: format!("template-{name}"),
        revision: revision_of(&release.image).to_owned(),
        server: platform::server(platform),
        jobs: platform::jobs(platform),
        name,
        database,
        release,
        modules,
    })
}

fn check_name(identity: &Identity, name: &str, problems: &mut Problems) {
    if identity.name != name {
        let expected = format!("the code and the major, {name:?}; make the object anew under that name");
        problems.cannot_be("metadata.name", &identity.name, &expected);
    }
}

/// A template that no tier is cloned from would be built for nobody: most likely it is misspelt.
fn check_code(spec: &TemplateSnapshotSpec, platform: &Platform, problems: &mut Problems) {
    const PATH: &str = "spec.templateCode";
    let codes = platform::template_codes(platform);
    if !problems.has(PATH) && !codes.contains(&spec.template_code) {
        let codes: Vec<_> = codes.into_iter().collect();
        let expected = format!("the templateCode of a tier: {}", codes.join(", "));
        problems.cannot_be(PATH, &spec.template_code, &expected);
    }
}

/// The major, with the image of the wanted revision.
fn release(spec: &TemplateSnapshotSpec, platform: &Platform, problems: &mut Problems) -> Option<Release> {
    const PATH: &str = "spec.odooVersion";
    let text = &spec.odoo_version;
    if problems.has(PATH) {
        return None;
    }
    let Some(major) = parse_major(text).filter(|_| platform::is_served(text, platform)) else {
        let expected = format!("one that the platform has: {}", platform::majors(platform));
        problems.cannot_be(PATH, text, &expected);
        return None;
    };
    let mut release = platform::release(major, platform, problems)?;
    if let Some(revision) = &spec.revision {
        release.image = with_revision(&release.image, revision);
    }
    Some(release)
}
