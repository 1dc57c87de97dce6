//! What the database of a new tenant is before anything is done to it: the gate.
//!
//! In: what the server says, the marker inside, whether there is anything else in it. Out: what to do, or a refusal that
//! says whose it is and what to do about that. Only a database that no pool can see may become somebody's.

use std::fmt;

use crate::{
    contract::TenantInit,
    job::{
        failure::{Attempted, Failure},
        postgres::{Marker, MarkerState, Purpose, access::DatabaseFacts},
    },
};

/// What the database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// A clone of the template, nobody's yet.
    Clone,
    /// An empty database, nobody's yet.
    Empty,
    /// Another's, by the marker that the command names: to be taken over.
    Adoptable,
    /// Ours; an earlier run has begun it.
    Begun,
    /// Ours; an earlier run has finished it.
    Finished,
}

/// What was seen of a database.
#[derive(Clone, Debug)]
pub struct Seen {
    /// What the server says.
    pub facts: DatabaseFacts,
    /// The marker inside.
    pub marker: Option<Marker>,
    /// Whether nobody's tables are in it.
    pub is_empty: bool,
    /// For whom the template is, by its comment or its name; `None` when it says nothing.
    pub template_subject: Option<String>,
}

/// What the database is, or why it is none of ours.
pub fn standing(command: &TenantInit, seen: &Seen) -> Attempted<Standing> {
    let wanted = Marker::tenant(&command.tenant.marker, &command.tenant.slug, MarkerState::Ready);
    let say = |what: fmt::Arguments<'_>| {
        format!(
            "the database {:?} {what} ({}); nothing was touched",
            command.tenant.database,
            seen.facts.describe()
        )
    };
    if seen.facts.is_template {
        return Err(Failure::refused(
            "DatabaseIsTemplate",
            say(format_args!("is a template, and no tenant's")),
        ));
    }
    match &seen.marker {
        Some(marker) if marker.is_same_owner(&wanted) => Ok(match marker.state {
            MarkerState::Claimed => Standing::Begun,
            MarkerState::Ready => Standing::Finished,
        }),
        Some(marker) if marker.purpose == Purpose::Tenant => {
            if command.adopt.as_ref() == Some(&marker.id) {
                return Ok(Standing::Adoptable);
            }
            Err(Failure::refused(
                "ForeignDatabase",
                say(format_args!(
                    "belongs to {}, not to {}. To take it over on purpose, set spec.adoptDatabase to {:?}",
                    marker.describe(),
                    wanted.describe(),
                    marker.id
                )),
            ))
        }
        found if command.adopt.is_some() => Err(Failure::refused(
            "NotAdoptable",
            say(format_args!(
                "was to be taken over as that of {:?}, and carries {}",
                command.adopt.as_deref().unwrap_or_default(),
                found
                    .as_ref()
                    .map_or_else(|| "no marker".to_owned(), Marker::describe)
            )),
        )),
        Some(template) => clone_of(command, seen, template),
        None if seen.is_empty && seen.facts.is_dark(&command.roles) && command.template.is_none() => {
            Ok(Standing::Empty)
        }
        None if seen.is_empty && command.template.is_some() => Err(Failure::refused(
            "DatabaseEmpty",
            say(format_args!(
                "is empty, and was to be a clone of a template. Delete it, so that it is cloned again"
            )),
        )),
        None => Err(Failure::refused(
            "DatabaseUnmarked",
            say(format_args!(
                "says nothing of whose it is, and only one that is empty and hidden, or a clone of a template that \
                 template-build has made, becomes a tenant's. Move it away, or mark it and set spec.adoptDatabase"
            )),
        )),
    }
}

/// A database that carries the marker of a template.
fn clone_of(command: &TenantInit, seen: &Seen, marker: &Marker) -> Attempted<Standing> {
    let say = |what: &str| {
        format!(
            "the database {:?} is a copy of {} and {what} ({}); nothing was touched",
            command.tenant.database,
            marker.describe(),
            seen.facts.describe()
        )
    };
    let major = marker.subject.rsplit_once('-').map(|(_, major)| major);
    if command.template.is_none() {
        return Err(Failure::refused(
            "ForeignDatabase",
            say("was to be empty. Delete it, so that it is made again"),
        ));
    }
    if marker.state != MarkerState::Ready {
        return Err(Failure::refused(
            "TemplateUnfinished",
            say("of one that was not finished. Delete it, so that it is cloned again"),
        ));
    }
    let is_other = seen
        .template_subject
        .as_ref()
        .is_some_and(|subject| *subject != marker.subject);
    if is_other || major != Some(&command.odoo_version.to_string()) {
        let template = command.template.as_deref().unwrap_or_default();
        return Err(Failure::refused(
            "ForeignDatabase",
            say(&format!(
                "not of {template:?}. Delete it, so that it is cloned again"
            )),
        ));
    }
    if !seen.facts.is_dark(&command.roles) {
        return Err(Failure::refused(
            "DatabasePublished",
            say("pools can see it already. Somebody has given it away: move it away"),
        ));
    }
    Ok(Standing::Clone)
}

/// What a run would do, in words.
#[must_use]
pub fn would(command: &TenantInit, standing: &Standing) -> String {
    let (database, role) = (&command.tenant.database, &command.roles.application_role);
    match standing {
        Standing::Clone => {
            format!("claim {database:?}, copy the template's files, personalise it, give it to {role}")
        }
        Standing::Empty => {
            format!("claim {database:?}, install Odoo's modules, personalise it, give it to {role}")
        }
        Standing::Begun => {
            format!("go on with {database:?}, which an earlier run has claimed, and give it to {role}")
        }
        Standing::Adoptable => {
            format!("put our marker and host on {database:?}, and leave its data as they are")
        }
        Standing::Finished => format!("look at {database:?}, which is finished, and change nothing"),
    }
}

/// For whom a template is, by its name: `basic-18` of `basic-template-18.planapulse.app`.
#[must_use]
pub fn subject_of_name(template: &str) -> Option<String> {
    let (code, rest) = template.split_once("-template-")?;
    let end = rest
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(rest.len());
    (end > 0).then(|| format!("{code}-{}", &rest[..end]))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::contract::{ExitCode, Roles, Server, TenantDatabase};

    fn command() -> TenantInit {
        TenantInit {
            tenant: TenantDatabase {
                server: Server {
                    database_host: "pg01".to_owned(),
                    database_port: 5432,
                    database_ssl_mode: "disable".to_owned(),
                },
                slug: "acme".to_owned(),
                database: "acme.planapulse.app".to_owned(),
                marker: "ours".to_owned(),
            },
            roles: Roles {
                application_role: "plana".to_owned(),
                maintenance_role: "plana_maint".to_owned(),
            },
            adopt: None,
            template: Some("basic-template-18.planapulse.app".to_owned()),
            module: Vec::new(),
            odoo_version: 18,
            host: "acme.planapulse.app".to_owned(),
            owner_email: "ada@acme.example".to_owned(),
            owner_name: "Ada".to_owned(),
            data_directory: "/data".to_owned(),
        }
    }

    fn seen(marker: Option<Marker>) -> Seen {
        Seen {
            facts: DatabaseFacts {
                owner: "plana_maint".to_owned(),
                allow_connections: true,
                is_template: false,
                bytes: 1,
                grantees: BTreeSet::new(),
            },
            is_empty: marker.is_none(),
            marker,
            template_subject: Some("basic-18".to_owned()),
        }
    }

    fn template(subject: &str, state: MarkerState) -> Marker {
        let (code, major) = subject.rsplit_once('-').unwrap();
        Marker::template("t", code, major.parse().unwrap(), state)
    }

    fn refusal(command: &TenantInit, seen: &Seen) -> &'static str {
        let failure = standing(command, seen).unwrap_err();
        assert_eq!(failure.exit, ExitCode::Refused, "{failure}");
        assert!(failure.message.contains("nothing was touched"), "{failure}");
        failure.reason
    }

    #[test]
    fn a_dark_clone_of_the_template_is_claimed_and_no_other() {
        let ready = MarkerState::Ready;
        let good = seen(Some(template("basic-18", ready)));
        assert_eq!(standing(&command(), &good), Ok(Standing::Clone));
        for other in ["pro-18", "basic-17"] {
            assert_eq!(
                refusal(&command(), &seen(Some(template(other, ready)))),
                "ForeignDatabase"
            );
        }
        let unfinished = seen(Some(template("basic-18", MarkerState::Claimed)));
        assert_eq!(refusal(&command(), &unfinished), "TemplateUnfinished");
        let mut published = good.clone();
        published.facts.owner = "plana".to_owned();
        assert_eq!(refusal(&command(), &published), "DatabasePublished");
        let mut open = good.clone();
        open.facts.grantees.insert(None);
        assert_eq!(refusal(&command(), &open), "DatabasePublished");
        let empty_wanted = TenantInit {
            template: None,
            ..command()
        };
        assert_eq!(refusal(&empty_wanted, &good), "ForeignDatabase");
        let mut sealed = good;
        sealed.facts.is_template = true;
        assert_eq!(refusal(&command(), &sealed), "DatabaseIsTemplate");
    }

    #[test]
    fn a_template_that_vanished_leaves_its_major_to_compare() {
        let mut gone = seen(Some(template("pro-18", MarkerState::Ready)));
        gone.template_subject = None;
        assert_eq!(standing(&command(), &gone), Ok(Standing::Clone));
        gone.marker = Some(template("pro-17", MarkerState::Ready));
        assert_eq!(refusal(&command(), &gone), "ForeignDatabase");
    }

    #[test]
    fn only_an_empty_dark_database_needs_no_marker() {
        let empty_wanted = TenantInit {
            template: None,
            ..command()
        };
        assert_eq!(standing(&empty_wanted, &seen(None)), Ok(Standing::Empty));
        assert_eq!(refusal(&command(), &seen(None)), "DatabaseEmpty");
        let mut published = seen(None);
        published.facts.owner = "plana".to_owned();
        assert_eq!(refusal(&empty_wanted, &published), "DatabaseUnmarked");
        let full = Seen {
            is_empty: false,
            ..seen(None)
        };
        assert_eq!(refusal(&empty_wanted, &full), "DatabaseUnmarked");
        assert_eq!(refusal(&command(), &full), "DatabaseUnmarked");
    }

    #[test]
    fn another_tenants_is_taken_over_only_by_its_id() {
        let other = seen(Some(Marker::tenant("theirs", "acme", MarkerState::Ready)));
        let failure = standing(&command(), &other).unwrap_err();
        assert_eq!(failure.reason, "ForeignDatabase");
        assert!(failure.message.contains("\"theirs\""), "{failure}");
        let adopting = |id: &str| TenantInit {
            adopt: Some(id.to_owned()),
            ..command()
        };
        assert_eq!(standing(&adopting("theirs"), &other), Ok(Standing::Adoptable));
        assert_eq!(refusal(&adopting("wrong"), &other), "ForeignDatabase");
        assert_eq!(refusal(&adopting("theirs"), &seen(None)), "NotAdoptable");
        let clone = seen(Some(template("basic-18", MarkerState::Ready)));
        assert_eq!(refusal(&adopting("t"), &clone), "NotAdoptable");
        // The same id for another slug is another tenant.
        let renamed = seen(Some(Marker::tenant("ours", "other", MarkerState::Ready)));
        assert_eq!(refusal(&command(), &renamed), "ForeignDatabase");
    }

    #[test]
    fn what_is_ours_goes_on_or_is_done() {
        let ours = |state| seen(Some(Marker::tenant("ours", "acme", state)));
        assert_eq!(
            standing(&command(), &ours(MarkerState::Claimed)),
            Ok(Standing::Begun)
        );
        assert_eq!(
            standing(&command(), &ours(MarkerState::Ready)),
            Ok(Standing::Finished)
        );
    }

    #[test]
    fn the_name_of_a_template_says_for_whom_it_is() {
        let subject = |name| subject_of_name(name);
        assert_eq!(
            subject("basic-template-18.planapulse.app").as_deref(),
            Some("basic-18")
        );
        assert_eq!(subject("my-pro-template-19").as_deref(), Some("my-pro-19"));
        for none in ["basic", "basic-template-", "basic-template-x.planapulse.app"] {
            assert_eq!(subject(none), None, "{none}");
        }
    }
}
