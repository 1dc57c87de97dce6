//! What no plan may ever say.
//!
//! In: a plan and what it was made from. Out: every rule that it breaks, in words. Checked in debug builds on every
//! plan, and by the tests on every plan of every life.

use super::{Answer, Built, JobPlan, Plan, Policies, TemplatePlan, template};
use crate::{
    api::template_snapshot::TemplateSnapshotStatus,
    names::Step,
    observed::{Observed, job::JobOutcome},
    tenant::Template,
};

/// The rules that a plan breaks.
#[must_use]
pub fn violations(plan: &Plan, observed: &Observed) -> Vec<String> {
    let mut violations = Vec::new();
    let mut check = |holds: bool, rule: &str| {
        if !holds {
            violations.push(rule.to_owned());
        }
    };
    let is_proven = plan.done.contains_key(&Step::TenantInit);
    let may_create = plan
        .database
        .is_some_and(|database| database.policies == Policies::ObserveAndCreate);
    check(
        !(is_proven && may_create),
        "a database that is proven may only be looked at",
    );
    check(
        observed.backup.is_none() || plan.backup.is_some(),
        "a backup schedule that is there stays",
    );
    for step in Step::OF_TENANT {
        let recorded = observed.is_recorded(step);
        let jobs = plan.jobs.iter().filter(|job| step_of(job) == step).count();
        check(jobs <= 1, &format!("{} has at most one Job", step.as_str()));
        let record = observed.status.done.get(step.as_str());
        let again = plan.jobs.iter().find(|job| step_of(job) == step).map(inputs_of);
        check(
            record.is_none_or(|record| again != Some(record.inputs.as_ref())),
            &format!("{} is recorded and does not run again", step.as_str()),
        );
        check(
            !recorded || plan.done.contains_key(&step),
            &format!("the record of {} stays", step.as_str()),
        );
        let completed = observed
            .jobs_of(step)
            .any(|(_, job)| matches!(job.outcome(), JobOutcome::Complete { .. }));
        check(
            !completed || recorded || jobs == 1,
            &format!("the Job of {} stays until status has its record", step.as_str()),
        );
        let running = observed
            .jobs_of(step)
            .any(|(_, job)| job.outcome() == JobOutcome::Running);
        check(
            !running || recorded || jobs == 1,
            &format!("a running Job of {} stays", step.as_str()),
        );
    }
    check(
        plan.routes.is_empty() || is_proven || !observed.routes.is_empty(),
        "no route before the database is proven",
    );
    check(
        plan.backup.is_none() || is_proven || observed.backup.is_some(),
        "no backup before the database is proven",
    );
    check_ending(plan, observed, &mut check);
    violations
}

/// What a tenant that is closed, or goes, must not be done to.
fn check_ending(plan: &Plan, observed: &Observed, check: &mut impl FnMut(bool, &str)) {
    let turn = format!("turn-{}", plan.course.turn);
    let is_done = |step: Step| {
        let record = observed.status.done.get(step.as_str());
        record.is_some_and(|record| record.inputs.as_ref() == Some(&turn))
    };
    let deletion = observed.status.deletion.clone().unwrap_or_default();
    let leaves = observed.database.is_some() && plan.database.is_none();
    let may_drop = plan
        .database
        .is_some_and(|database| database.policies == Policies::ObserveAndDelete);
    let serves = observed.routes.values().any(|route| route.closed().is_none())
        || plan.routes.values().any(|route| route.answer == Answer::Workers);
    check(
        !leaves || (plan.deletion.is_some() && deletion.dropping && is_done(Step::TenantRelease)),
        "a Database that is there stays until it is to be dropped",
    );
    check(
        !(leaves || may_drop) || !serves,
        "no database is dropped while a route leads to its workers",
    );
    check(
        !(leaves || may_drop) || (is_done(Step::FilestoreRemove) && is_done(Step::TenantRelease)),
        "no database is dropped before it is released",
    );
    for job in &plan.jobs {
        let JobPlan::Run(blueprint) = job else { continue };
        let step = blueprint.step;
        let removes = matches!(step, Step::FilestoreRemove | Step::TenantRelease);
        let is_verified = is_done(Step::FinalBackup) && is_done(Step::FinalVerify);
        check(
            !removes || (is_verified && deletion.removing),
            "nothing is removed before the last backup is verified and status says that there is no way back",
        );
        let mut others = observed.jobs.iter().filter(|((of, _), _)| *of != step);
        let is_alone =
            others.all(|((of, _), job)| !Step::WRITERS.contains(of) || !job.outcome().is_unfinished());
        check(
            !Step::WRITERS.contains(&step) || is_alone,
            "one step at a time changes a tenant's data",
        );
    }
    let was_proven = observed.is_recorded(Step::TenantInit);
    let is_busy = observed
        .jobs
        .values()
        .any(|job| job.outcome() == JobOutcome::Running);
    check(
        plan.guard.is_some() || !is_busy,
        "the guard goes after the last Job",
    );
    check(
        plan.guard.is_some() || !was_proven || (observed.database.is_none() && plan.database.is_none()),
        "the guard goes after the database",
    );
}

/// The rules that the plan of a template breaks.
#[must_use]
pub fn template_violations(
    template: &Template,
    plan: &TemplatePlan,
    observed: &Observed<TemplateSnapshotStatus>,
) -> Vec<String> {
    let mut violations = Vec::new();
    let mut check = |holds: bool, rule: &str| {
        if !holds {
            violations.push(rule.to_owned());
        }
    };
    let was_built = template::record(template, observed).is_some();
    check(plan.jobs.len() <= 1, "a template has at most one Job");
    check(
        !was_built || plan.built != Built::Never,
        "the record of a build stays until there is another",
    );
    check(
        plan.ready == (plan.built != Built::Never),
        "a template that was built can be cloned, and no other",
    );
    let mut running = observed.jobs_of(Step::TemplateBuild);
    let runs = running.any(|(_, job)| job.outcome() == JobOutcome::Running);
    check(!runs || plan.jobs.len() == 1, "a running build stays");
    violations
}

fn step_of(job: &JobPlan) -> Step {
    match job {
        JobPlan::Run(blueprint) => blueprint.step,
        JobPlan::Keep(kept) => kept.step,
    }
}

fn inputs_of(job: &JobPlan) -> Option<&String> {
    match job {
        JobPlan::Run(blueprint) => blueprint.inputs.as_ref(),
        JobPlan::Keep(kept) => kept.inputs.as_ref(),
    }
}
