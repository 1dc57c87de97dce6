//! The status of a `TemplateSnapshot`.

use crate::{
    api::template_snapshot::TemplateSnapshotStatus,
    contract::TemplateReport,
    names::Step,
    observed::Observed,
    plan::{Built, TemplatePlan},
    tenant::{Template, with_revision},
};

/// The status of a template: what was built last stays until something else is.
#[must_use]
pub fn template_status(
    template: &Template,
    plan: &TemplatePlan,
    observed: &Observed<TemplateSnapshotStatus>,
) -> TemplateSnapshotStatus {
    let last = match &plan.built {
        Built::Never => TemplateSnapshotStatus::default(),
        Built::Recorded => observed.status.clone(),
        Built::Now(record, report) => {
            let done = [(Step::TemplateBuild.as_str().to_owned(), record.clone())].into();
            let built = match report {
                Some(report) => of_report(template, report.clone()),
                None => TemplateSnapshotStatus {
                    built_at: Some(record.time.clone()),
                    ..TemplateSnapshotStatus::default()
                },
            };
            TemplateSnapshotStatus { done, ..built }
        }
    };
    TemplateSnapshotStatus {
        phase: Some(plan.phase.as_str().to_owned()),
        database: Some(template.database.to_string()),
        ..last
    }
}

fn of_report(template: &Template, report: TemplateReport) -> TemplateSnapshotStatus {
    let TemplateReport {
        marker: _, // of the template's name
        revision,
        built_at,
        modules,
        module_count,
        modules_digest,
        database_bytes,
        filestore_files,
        filestore_bytes,
    } = report;
    let number = |number: u64| i64::try_from(number).ok();
    TemplateSnapshotStatus {
        image: Some(with_revision(&template.release.image, &revision)),
        revision: Some(revision),
        built_at: Some(built_at),
        modules,
        module_count: Some(module_count.into()),
        modules_digest: Some(modules_digest),
        database_bytes: number(database_bytes),
        filestore_files: number(filestore_files),
        filestore_bytes: number(filestore_bytes),
        ..TemplateSnapshotStatus::default()
    }
}
