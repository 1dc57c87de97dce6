//! The Database of provider-sql: whether it is there, and in words what keeps it.
//!
//! provider-sql keeps the condition `Ready` from before when it can no longer see the server, so `Ready` only counts
//! together with `Synced` (v0.16, crossplane-runtime 2.2). Its errors carry PostgreSQL's SQLSTATE in parentheses.

use serde::Deserialize;

use super::object::{Condition, Metadata, find};

/// A Database (`postgresql.sql.crossplane.io/v1alpha1`).
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct DatabaseView {
    /// Its metadata.
    pub metadata: Metadata,
    /// Its spec.
    pub spec: DatabaseViewSpec,
    /// Its status.
    pub status: DatabaseViewStatus,
}

/// The spec of a Database.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DatabaseViewSpec {
    /// What provider-sql may do.
    pub management_policies: Vec<String>,
    /// What the database is to be.
    pub for_provider: DatabaseViewParameters,
}

/// What the database is to be.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct DatabaseViewParameters {
    /// The template that it was made from.
    pub template: Option<String>,
}

/// The status of a Database.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct DatabaseViewStatus {
    /// Its conditions.
    pub conditions: Vec<Condition>,
}

/// How a Database stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseState {
    /// There, and the server was seen just now.
    Available,
    /// On its way.
    Creating,
    /// Kept by something that will not pass by itself.
    Stuck(DatabaseTrouble),
}

/// What keeps a Database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseTrouble {
    /// What kind of trouble it is.
    pub kind: TroubleKind,
    /// provider-sql's words.
    pub message: String,
}

/// What kind of trouble a Database is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TroubleKind {
    /// The template does not exist.
    TemplateMissing,
    /// Somebody is connected to the template.
    TemplateInUse,
    /// The template is not a template, or the login may not copy it.
    PermissionDenied,
    /// The owner role does not exist.
    RoleMissing,
    /// Making it takes longer than provider-sql waits.
    CloneTimedOut,
    /// provider-sql was interrupted while it made it, and does not know whether it did.
    CreationUncertain,
    /// It was there and is not any more.
    Lost,
    /// provider-sql is not set up for the server.
    NotConfigured,
    /// The server refuses provider-sql's login.
    LoginRefused,
    /// provider-sql does not reach the server.
    Unreachable,
    /// Somebody is connected to the database that is to be dropped.
    InUse,
    /// Somebody paused the Database.
    Paused,
    /// Anything else.
    Other,
}

impl TroubleKind {
    /// All kinds.
    pub const ALL: [Self; 13] = [
        Self::TemplateMissing,
        Self::TemplateInUse,
        Self::PermissionDenied,
        Self::RoleMissing,
        Self::CloneTimedOut,
        Self::CreationUncertain,
        Self::Lost,
        Self::NotConfigured,
        Self::LoginRefused,
        Self::Unreachable,
        Self::InUse,
        Self::Paused,
        Self::Other,
    ];
}

/// What provider-sql writes into errors, and what it means. The first that fits counts.
const SIGNS: [(&str, TroubleKind); 15] = [
    ("external-create-pending", TroubleKind::CreationUncertain),
    ("external resource does not exist", TroubleKind::Lost),
    ("cannot get ProviderConfig", TroubleKind::NotConfigured),
    ("cannot drop database", TroubleKind::InUse),
    ("(28P01)", TroubleKind::LoginRefused),
    ("(28000)", TroubleKind::LoginRefused),
    ("password authentication failed", TroubleKind::LoginRefused),
    // While it looks it has made nothing yet: whatever else it says then, it is about the server.
    ("cannot select database", TroubleKind::Unreachable),
    ("(3D000)", TroubleKind::TemplateMissing),
    ("(55006)", TroubleKind::TemplateInUse),
    ("(42704)", TroubleKind::RoleMissing),
    ("(42501)", TroubleKind::PermissionDenied),
    ("(57014)", TroubleKind::CloneTimedOut),
    ("connection refused", TroubleKind::Unreachable),
    ("context deadline exceeded", TroubleKind::CloneTimedOut),
];

impl DatabaseView {
    /// How the Database stands.
    #[must_use]
    pub fn state(&self) -> DatabaseState {
        let generation = self.metadata.generation;
        let ready =
            find(&self.status.conditions, "Ready").is_some_and(|condition| condition.holds(generation));
        match find(&self.status.conditions, "Synced") {
            Some(synced) if synced.status == "False" => DatabaseState::Stuck(trouble(synced)),
            // Other policies make another generation, and the database is what it was.
            Some(synced) if ready && (synced.holds(generation) || self.is_observed_only()) => {
                DatabaseState::Available
            }
            Some(_) | None => DatabaseState::Creating,
        }
    }

    /// Whether provider-sql may only look.
    #[must_use]
    pub fn is_observed_only(&self) -> bool {
        self.spec.management_policies == ["Observe"]
    }

    /// Whether provider-sql drops the database together with this object.
    #[must_use]
    pub fn is_droppable(&self) -> bool {
        self.spec.management_policies == ["Observe", "Delete"]
    }
}

fn trouble(synced: &Condition) -> DatabaseTrouble {
    let sign = SIGNS.iter().find(|(sign, _)| synced.message.contains(sign));
    let kind = match sign {
        Some((_, kind)) => *kind,
        None if synced.reason == "ReconcilePaused" => TroubleKind::Paused,
        None => TroubleKind::Other,
    };
    DatabaseTrouble {
        kind,
        message: synced.message.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(conditions: &[(&str, &str, &str)]) -> DatabaseView {
        let conditions = conditions.iter().map(|(r#type, status, message)| Condition {
            r#type: (*r#type).to_owned(),
            status: (*status).to_owned(),
            message: (*message).to_owned(),
            ..Condition::default()
        });
        DatabaseView {
            status: DatabaseViewStatus {
                conditions: conditions.collect(),
            },
            ..DatabaseView::default()
        }
    }

    #[test]
    fn ready_counts_only_together_with_synced() {
        assert_eq!(
            view(&[("Ready", "True", ""), ("Synced", "True", "")]).state(),
            DatabaseState::Available
        );
        assert_eq!(view(&[("Ready", "True", "")]).state(), DatabaseState::Creating);
        assert!(matches!(
            view(&[("Ready", "True", ""), ("Synced", "False", "x")]).state(),
            DatabaseState::Stuck(_)
        ));
        assert_eq!(view(&[]).state(), DatabaseState::Creating);
    }

    #[test]
    fn a_condition_of_an_older_generation_does_not_count() {
        let mut database = view(&[("Ready", "True", ""), ("Synced", "True", "")]);
        database.metadata.generation = 2;
        database.status.conditions[1].observed_generation = 1;
        assert_eq!(database.state(), DatabaseState::Creating);
        database.spec.management_policies = vec!["Observe".to_owned()];
        assert_eq!(
            database.state(),
            DatabaseState::Available,
            "there is nothing to do"
        );
    }

    #[test]
    fn errors_are_known_by_their_sqlstate() {
        let messages = [
            (
                r#"create failed: cannot create database: pq: template database "nope" does not exist (3D000)"#,
                TroubleKind::TemplateMissing,
            ),
            (
                r#"pq: source database "tmpl2" is being accessed by other users (55006)"#,
                TroubleKind::TemplateInUse,
            ),
            (
                r#"pq: role "nobody_here" does not exist (42704)"#,
                TroubleKind::RoleMissing,
            ),
            (
                r#"pq: permission denied to copy database "plain" (42501)"#,
                TroubleKind::PermissionDenied,
            ),
            (
                "pq: canceling statement due to user request (57014)",
                TroubleKind::CloneTimedOut,
            ),
            (
                "cannot determine creation result - remove the crossplane.io/external-create-pending annotation if it is safe to proceed",
                TroubleKind::CreationUncertain,
            ),
            (
                "observe failed: external resource does not exist",
                TroubleKind::Lost,
            ),
            (
                "connect failed: cannot get ProviderConfig: ... not found",
                TroubleKind::NotConfigured,
            ),
            (
                "observe failed: cannot select database: dial tcp 10.0.0.5:5432: connect: connection refused",
                TroubleKind::Unreachable,
            ),
            (
                r#"observe failed: cannot select database: pq: password authentication failed for user "provisioner" (28P01)"#,
                TroubleKind::LoginRefused,
            ),
            (
                r#"delete failed: cannot drop database: pq: database "pk-busy" is being accessed by other users (55006)"#,
                TroubleKind::InUse,
            ),
            (
                r#"pq: must be member of role "stranger" (42501)"#,
                TroubleKind::PermissionDenied,
            ),
            (
                "update failed: something that nobody has seen yet",
                TroubleKind::Other,
            ),
        ];
        for (message, kind) in messages {
            let expected = DatabaseState::Stuck(DatabaseTrouble {
                kind,
                message: message.to_owned(),
            });
            assert_eq!(view(&[("Synced", "False", message)]).state(), expected);
        }
    }
}
