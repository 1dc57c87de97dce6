//! What the Job of a template runs, where, and with what.

use super::{
    SecretNames,
    pod::{DATA_DIRECTORY, PodParts},
    steps::{DATABASE_LOGIN, chosen, light, roles, server},
};
use crate::{
    contract::{self, Command},
    names::Step,
    tenant::{Subject, Template},
};

/// The parts of a step's pod; `None` for a step that is no template's.
pub fn parts(step: Step, template: &Template, secrets: &SecretNames) -> Option<PodParts> {
    (step == Step::TemplateBuild).then(|| build(template, secrets))
}

fn build(template: &Template, secrets: &SecretNames) -> PodParts {
    let subject = Subject::Template(template);
    let release = &template.release;
    let command = Command::TemplateBuild(contract::TemplateBuild {
        server: server(subject),
        roles: roles(subject),
        database: template.database.to_string(),
        marker: template.marker.clone(),
        template_code: template.code.clone(),
        odoo_version: release.major,
        revision: template.revision.clone(),
        module: template.modules.clone(),
        data_directory: DATA_DIRECTORY.to_owned(),
    });
    let namespace = &release.namespace;
    PodParts {
        image: Some(release.image.clone()),
        user: (release.uid, release.gid),
        filestore: Some(release.filestore.clone()),
        secrets: chosen(secrets, namespace, &DATABASE_LOGIN),
        resources: template.jobs.heavy.clone(),
        deadline_seconds: template.jobs.template_deadline_seconds,
        ..light(Step::TemplateBuild.as_str(), subject, namespace, command, secrets)
    }
}
