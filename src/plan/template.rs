//! A template: built once, and anew when another revision or other modules are wanted.
//!
//! The Job builds it under another name and swaps it in, so the old one can be cloned until the new one is there, also when
//! building it fails. What was built last is the record of the step, with the hash of what it was built with.

use std::collections::BTreeMap;

use super::{
    ConditionState, ConditionType, JobPlan, Phase, Questions, SecretCopy, WaitingOn, invariants,
    phase::ttl_seconds,
    secrets,
    steps::{Context, Progress, StepPlan},
};
use crate::{
    api::{plana_client::StepRecord, template_snapshot::TemplateSnapshotStatus},
    contract::{Report, TemplateReport},
    names::{SecretPurpose, Step},
    observed::Observed,
    tenant::{Subject, Template},
};

/// Everything that is to be, for one template, now.
#[derive(Clone, Debug, PartialEq)]
pub struct TemplatePlan {
    /// Where the template is in its life.
    pub phase: Phase,
    /// Whether the template can be cloned.
    pub ready: bool,
    /// Its copies of Secrets.
    pub secret_copies: Vec<SecretCopy>,
    /// Its Job.
    pub jobs: Vec<JobPlan>,
    /// The conditions, all of them.
    pub conditions: BTreeMap<ConditionType, ConditionState>,
    /// The last build.
    pub built: Built,
    /// What we need to know.
    pub questions: Questions,
    /// Seconds after which to ask again.
    pub ttl_seconds: i64,
}

/// The last build.
#[derive(Clone, Debug, PartialEq)]
pub enum Built {
    /// There was none.
    Never,
    /// It is as the status that the cluster has says.
    Recorded,
    /// It has just been done; what the Job said of it, if that could be read.
    Now(StepRecord, Option<Box<TemplateReport>>),
}

/// Plans a template.
#[must_use]
pub fn plan(template: &Template, observed: &Observed<TemplateSnapshotStatus>) -> TemplatePlan {
    let plan = decide(template, observed);
    debug_assert_eq!(
        invariants::template_violations(template, &plan, observed),
        Vec::<String>::new()
    );
    plan
}

fn decide(template: &Template, observed: &Observed<TemplateSnapshotStatus>) -> TemplatePlan {
    const STEP: Step = Step::TemplateBuild;
    let mut questions = Questions::default();
    let done = &observed.status.done;
    let record = record(template, observed);
    let wanted = Some(template.inputs());
    let found = (&observed.secret_copies, &observed.required);
    let is_fresh = record.is_some_and(|record| record.inputs == wanted);
    let secrets = secrets::plan_template(template, is_fresh, found, &mut questions);
    let context = Context {
        subject: Subject::Template(template),
        done,
        jobs: &observed.jobs,
        required: &observed.required,
        secrets: &secrets,
        inputs: BTreeMap::from([(STEP, template.inputs())]),
        final_backup: None,
    };
    let gate = secrets.check(&[SecretPurpose::Database], &template.release.namespace);
    let build = StepPlan::new(STEP, &context, gate, &mut questions);
    let is_served = record.is_some() || build.is_done();
    let conditions = BTreeMap::from([
        (
            ConditionType::TemplateReady,
            ready_condition(template, &build, is_served),
        ),
        (ConditionType::Fresh, fresh_condition(template, &build, is_served)),
    ]);
    TemplatePlan {
        phase: phase(&conditions),
        ready: is_served,
        built: match (&build.progress, record) {
            (Progress::Complete(record), _) => {
                Built::Now(without_result(record), template_report(build.report))
            }
            (_, Some(_)) => Built::Recorded,
            (_, None) => Built::Never,
        },
        secret_copies: secrets.copies,
        jobs: build.job.into_iter().collect(),
        ttl_seconds: ttl_seconds(&conditions, observed),
        conditions,
        questions,
    }
}

/// The record of the last build, if it was of this database: under another domain it is another one.
pub fn record<'a>(
    template: &Template,
    observed: &'a Observed<TemplateSnapshotStatus>,
) -> Option<&'a StepRecord> {
    let database = observed.status.database.as_deref();
    let is_other = database.is_some_and(|database| database != template.database.as_str());
    let record = observed.status.done.get(Step::TemplateBuild.as_str());
    record.filter(|_| !is_other)
}

/// What the Job said is in fields of the status of their own.
fn without_result(record: &StepRecord) -> StepRecord {
    StepRecord {
        result: BTreeMap::new(),
        ..record.clone()
    }
}

fn template_report(report: Option<Report>) -> Option<Box<TemplateReport>> {
    if let Some(Report::Template(report)) = report {
        Some(Box::new(report))
    } else {
        None
    }
}

fn ready_condition(template: &Template, build: &StepPlan, is_served: bool) -> ConditionState {
    match &build.progress {
        Progress::Waits(waiting) if !is_served => ConditionState::Waits(waiting.clone()),
        Progress::Disabled if !is_served => not_done(),
        Progress::Waits(_) | Progress::Disabled | Progress::Recorded(_) | Progress::Complete(_) => {
            ConditionState::Holds(
                "Available",
                format!("the template {} can be cloned", template.database),
            )
        }
    }
}

fn fresh_condition(template: &Template, build: &StepPlan, is_served: bool) -> ConditionState {
    match &build.progress {
        Progress::Recorded(record) | Progress::Complete(record)
            if record.inputs == Some(template.inputs()) =>
        {
            let Template {
                revision, modules, ..
            } = template;
            let message = format!("it is built from {revision} with {}", modules.join(", "));
            ConditionState::Holds("UpToDate", message)
        }
        // What keeps the first build is told once, by the other condition.
        Progress::Waits(waiting) if is_served => ConditionState::Waits(waiting.clone()),
        Progress::Waits(_) | Progress::Disabled | Progress::Recorded(_) | Progress::Complete(_) => not_done(),
    }
}

fn not_done() -> ConditionState {
    ConditionState::Waits(WaitingOn::StepNotDone(Step::TemplateBuild))
}

fn phase(conditions: &BTreeMap<ConditionType, ConditionState>) -> Phase {
    let state = |r#type| conditions.get(&r#type);
    match (state(ConditionType::TemplateReady), state(ConditionType::Fresh)) {
        (Some(ConditionState::Holds(..)), Some(ConditionState::Holds(..))) => Phase::Available,
        (Some(ConditionState::Holds(..)), _) => Phase::Outdated,
        (Some(ConditionState::Waits(waiting)), _) if waiting.needs_somebody() => Phase::Blocked,
        (_, _) => Phase::Building,
    }
}
