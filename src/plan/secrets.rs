//! The Secrets of the Jobs of a tenant or a template: what they are called where the Jobs run, and which are missing.
//!
//! A Job uses the platform's Secret when its namespace has it. Where there is none, the tenant gets a copy of its own:
//! one copy for all tenants would belong to the first of them, and go when it goes.

mod needs;

use std::collections::BTreeMap;

use super::{Question, Questions, WaitingOn, course::CoursePlan, questions::full_name};
use crate::{
    blueprint::SecretNames,
    function::wire::RawValue,
    names::{ResourceName, SecretPurpose, Step},
    observed::{Lookup, Observed, Required, SECRET_QUESTION, SecretView},
    tenant::{SecretName, Subject, Template, Tenant},
};

/// A tenant's copy of a Secret.
#[derive(Clone, Debug, PartialEq)]
pub struct SecretCopy {
    /// Its composition resource name.
    pub resource: ResourceName,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its type.
    pub r#type: String,
    /// Its data, undecoded.
    pub data: Option<RawValue>,
    /// Whether it is there.
    pub ready: bool,
}

/// The Secrets of a tenant or a template.
#[derive(Default)]
pub struct Secrets {
    /// What they are called.
    pub names: SecretNames,
    /// The copies that are to exist.
    pub copies: Vec<SecretCopy>,
    /// What keeps one from being used.
    pub missing: Vec<(SecretPurpose, String, WaitingOn)>,
}

/// Our copies of Secrets, by purpose and namespace.
type Copies = BTreeMap<(SecretPurpose, String), SecretView>;

/// A Secret that Jobs in a namespace need.
struct Need {
    purpose: SecretPurpose,
    source: SecretName,
    namespace: String,
    /// Whether everything that uses it is there already, so that it need not be looked for again.
    settled: bool,
}

/// What a question found.
enum Source {
    Plain,
    Copy(SecretView),
    Missing(WaitingOn),
}

impl Secrets {
    /// Keeps the copies that are there and that nothing needs, where nobody can say so for certain.
    fn keep_all(&mut self, copies: &Copies) {
        for ((purpose, namespace), view) in copies {
            let resource = ResourceName::Secret(*purpose, namespace.clone());
            if self.copies.iter().all(|copy| copy.resource != resource) {
                self.copies.push(SecretCopy {
                    resource,
                    namespace: namespace.clone(),
                    name: view.metadata.name.clone(),
                    r#type: view.r#type.clone(),
                    data: view.data.clone(),
                    ready: true,
                });
            }
        }
    }

    /// The purposes that the tenant has a copy for in a namespace.
    pub fn copied(&self, namespace: &str) -> Vec<SecretPurpose> {
        let of = |copy: &SecretCopy| match &copy.resource {
            ResourceName::Secret(purpose, at) if at == namespace => Some(*purpose),
            _ => None,
        };
        self.copies.iter().filter_map(of).collect()
    }

    /// Whether the purposes, and the login of the image registry, can be served in a namespace.
    pub fn check(&self, purposes: &[SecretPurpose], namespace: &str) -> Result<(), WaitingOn> {
        let missing = self.missing.iter().find(|(purpose, at, _)| {
            (*purpose == SecretPurpose::Pull || purposes.contains(purpose)) && at == namespace
        });
        missing.map_or(Ok(()), |(_, _, waiting)| Err(waiting.clone()))
    }
}

/// Finds the Secrets of a tenant.
pub fn plan(
    tenant: &Tenant,
    observed: &Observed,
    course: (&CoursePlan, &BTreeMap<Step, String>),
    questions: &mut Questions,
) -> Secrets {
    let found = (&observed.secret_copies, &observed.required);
    let needs = needs::of_tenant(tenant, observed, course);
    let mut secrets = find_all(Subject::Tenant(tenant), needs, found, questions);
    // What a deletion needs is only known while everything that it has done is seen; all of them go with it in the end.
    if observed.status.phase.is_none() || observed.deletion_attempted {
        secrets.keep_all(&observed.secret_copies);
    }
    secrets
}

/// Finds the Secrets of a template, which is built as it is to be or not.
pub fn plan_template(
    template: &Template,
    is_fresh: bool,
    found: (&Copies, &Required),
    questions: &mut Questions,
) -> Secrets {
    let need = |(purpose, source): (_, &SecretName)| Need {
        purpose,
        source: source.clone(),
        namespace: template.release.namespace.clone(),
        settled: is_fresh,
    };
    let pull = template.jobs.pull_secret.as_ref();
    let needs = [(SecretPurpose::Database, &template.server.secret)]
        .into_iter()
        .chain(pull.map(|pull| (SecretPurpose::Pull, pull)));
    find_all(
        Subject::Template(template),
        needs.map(need).collect(),
        found,
        questions,
    )
}

fn find_all(
    subject: Subject<'_>,
    needs: Vec<Need>,
    found: (&Copies, &Required),
    questions: &mut Questions,
) -> Secrets {
    let (copies, _) = found;
    let mut secrets = Secrets::default();
    for need in needs {
        let Need {
            purpose,
            source,
            namespace,
            ..
        } = &need;
        let key = (*purpose, namespace.clone());
        let copy_name = format!("{}-{}", subject.prefix(), source.name);
        let name = match find(&need, found, questions) {
            Source::Plain => source.name.clone(),
            Source::Copy(view) => {
                secrets.copies.push(SecretCopy {
                    resource: ResourceName::Secret(*purpose, namespace.clone()),
                    namespace: namespace.clone(),
                    name: copy_name.clone(),
                    r#type: view.r#type,
                    data: view.data,
                    ready: copies.contains_key(&key),
                });
                copy_name
            }
            Source::Missing(waiting) => {
                // An image may need no login, so a missing one keeps nothing back; one that is looked for does, since
                // its name is part of what names the Job.
                let is_optional = *purpose == SecretPurpose::Pull;
                if !is_optional || matches!(waiting, WaitingOn::LookupPending(_)) {
                    secrets.missing.push((*purpose, namespace.clone(), waiting));
                }
                source.name.clone()
            }
        };
        secrets.names.insert(*purpose, namespace, name);
    }
    secrets
}

fn find(need: &Need, (copies, required): (&Copies, &Required), questions: &mut Questions) -> Source {
    let Need {
        purpose,
        source,
        namespace,
        settled,
    } = need;
    let copy = copies.get(&(*purpose, namespace.clone()));
    if *settled && copy.is_none() {
        return Source::Plain;
    }
    let original = ask(questions, required, &source.namespace, &source.name);
    if let Some(copy) = copy {
        // A copy stays a copy: going back to the platform's Secret would change every Job that names it. It follows
        // its original, and keeps what it has when that is gone.
        return match original {
            Lookup::Found(original) => Source::Copy(original.clone()),
            Lookup::Pending | Lookup::Absent => Source::Copy(copy.clone()),
        };
    }
    let here = ask(questions, required, namespace, &source.name);
    match (here, original) {
        (Lookup::Found(_), _) => Source::Plain,
        (Lookup::Absent, Lookup::Found(original)) => Source::Copy(original.clone()),
        (Lookup::Absent, Lookup::Absent) => Source::Missing(WaitingOn::SecretMissing {
            name: source.name.clone(),
            namespace: namespace.clone(),
            source: source.namespace.clone(),
        }),
        (Lookup::Pending, _) | (_, Lookup::Pending) => {
            let name = full_name(Some(namespace), &source.name);
            Source::Missing(WaitingOn::LookupPending(format!("the Secret {name}")))
        }
    }
}

fn ask<'a>(
    questions: &mut Questions,
    required: &'a Required,
    namespace: &str,
    name: &str,
) -> Lookup<&'a SecretView> {
    // A slash is in no name: with a hyphen, `a-b` of `c` would be answered with `b-c` of `a`.
    let key = format!("{SECRET_QUESTION}{namespace}/{name}");
    let question = Question {
        api_version: "v1",
        kind: "Secret",
        namespace: Some(namespace.to_owned()),
        name: name.to_owned(),
    };
    questions.objects.insert(key.clone(), question);
    required.secret(&key)
}
