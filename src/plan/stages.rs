//! The stages of a life, as data: what is made, and which evidence it waits for. Diagrams and the words of previews come from here.
//!
//! In: nothing. Out: tables. The planner decides by code of its own, so the simulated lives (`tests/simulate`) hold both
//! to each other: nothing is made before all of its evidence is observed, nothing waits for a step once it is, no phase
//! follows another one than the table says, and each that it says does follow.

use super::{ConditionType, Phase};
use crate::names::{ResourceName, Step};

/// Something that is made in the course of a life.
#[derive(Clone, Copy, Debug)]
pub struct Stage {
    /// Its name: that of its step, or the beginning of its composition resource name.
    pub name: &'static str,
    /// What is made, in words.
    pub makes: &'static str,
    /// The condition that tells of it.
    pub condition: ConditionType,
    /// What has to be observed before it is made.
    pub needs: &'static [Evidence],
}

/// Something that can be observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Evidence {
    /// No `TemplateSnapshot` says that the template is not there.
    TemplateUsable,
    /// The Database's conditions `Ready` and `Synced` are true.
    DatabaseAvailable,
    /// The Database's management policies are `[Observe]`.
    DatabaseReleased,
    /// Every Gateway takes the route.
    RouteAccepted,
    /// Status has the record of a step.
    Recorded(Step),
}

/// One phase may follow another.
#[derive(Clone, Copy, Debug)]
pub struct Transition {
    /// What was.
    pub from: Phase,
    /// What is.
    pub to: Phase,
    /// What happened.
    pub when: &'static str,
}

/// Those of a tenant.
pub const OF_TENANT: [Stage; 10] = [
    Stage {
        name: "guard",
        makes: "the guard, through which a deletion goes",
        condition: ConditionType::Guarded,
        needs: &[],
    },
    Stage {
        name: "database",
        makes: "the Database, dark, cloned from the template",
        condition: ConditionType::DatabaseReady,
        needs: &[Evidence::TemplateUsable],
    },
    Stage {
        name: "room-create",
        makes: "the support room",
        condition: ConditionType::SupportRoomReady,
        needs: &[],
    },
    Stage {
        name: "tenant-init",
        makes: "the clone becomes the tenant's, and is proven",
        condition: ConditionType::DatabaseReady,
        needs: &[Evidence::DatabaseAvailable],
    },
    Stage {
        name: "route",
        makes: "the route to the workers",
        condition: ConditionType::RouteReady,
        needs: &[Evidence::Recorded(Step::TenantInit), Evidence::DatabaseReleased],
    },
    Stage {
        name: "backup",
        makes: "the nightly backups",
        condition: ConditionType::BackupScheduled,
        needs: &[Evidence::Recorded(Step::TenantInit), Evidence::DatabaseReleased],
    },
    Stage {
        name: "tenant-smoke",
        makes: "the workers are asked for the tenant",
        condition: ConditionType::RouteReady,
        needs: &[Evidence::RouteAccepted],
    },
    Stage {
        name: "portal-notify",
        makes: "the account portal is told",
        condition: ConditionType::PortalNotified,
        needs: &[Evidence::Recorded(Step::TenantSmoke)],
    },
    Stage {
        name: "erp-callback",
        makes: "the ERP is told",
        condition: ConditionType::ErpNotified,
        needs: &[Evidence::Recorded(Step::TenantSmoke)],
    },
    Stage {
        name: "event-publish",
        makes: "client.provisioned is published",
        condition: ConditionType::EventPublished,
        needs: &[Evidence::Recorded(Step::TenantSmoke)],
    },
];

/// Those of a template.
pub const OF_TEMPLATE: [Stage; 1] = [Stage {
    name: "template-build",
    makes: "the template, built under another name, proven, and swapped in",
    condition: ConditionType::TemplateReady,
    needs: &[],
}];

impl Stage {
    /// Whether a composed resource is what the stage makes.
    #[must_use]
    pub fn makes(&self, resource: &ResourceName) -> bool {
        match resource {
            ResourceName::Database => self.name == "database",
            ResourceName::Backup => self.name == "backup",
            ResourceName::Guard => self.name == "guard",
            ResourceName::Route(_) => self.name == "route",
            ResourceName::Job(step, _) => self.name == step.as_str(),
            ResourceName::Secret(..) => false,
        }
    }
}

impl Evidence {
    /// In words.
    #[must_use]
    pub fn words(self) -> String {
        match self {
            Self::TemplateUsable => "no TemplateSnapshot says that the template is missing".to_owned(),
            Self::DatabaseAvailable => "the Database is Ready and Synced".to_owned(),
            Self::DatabaseReleased => "the Database's policies are [Observe]".to_owned(),
            Self::RouteAccepted => "the Gateways accept the route".to_owned(),
            Self::Recorded(step) => format!("status.done has {}", step.as_str()),
        }
    }

    /// The stage that brings it about, by name.
    #[must_use]
    pub fn comes_from(self) -> Option<&'static str> {
        match self {
            Self::TemplateUsable => None,
            Self::DatabaseAvailable => Some("database"),
            Self::DatabaseReleased => Some("tenant-init"),
            Self::RouteAccepted => Some("route"),
            Self::Recorded(step) => Some(step.as_str()),
        }
    }
}

const DATABASE_THERE: &str = "the database is there";
const STUCK: &str = "somebody has to do something";
const MENDED: &str = "that is done";
const ANSWERED: &str = "its workers answer";
const WRONG: &str = "something that it needs is not right";
const DELETED: &str = "it is deleted, and may go";
const TAKEN_BACK: &str = "the deletion is taken back in time";

/// The phases of a tenant that follow each other.
pub const PHASES_OF_TENANT: &[Transition] = &[
    becomes(Phase::Provisioning, Phase::Initializing, DATABASE_THERE),
    becomes(Phase::Provisioning, Phase::Blocked, STUCK),
    becomes(Phase::Initializing, Phase::Running, ANSWERED),
    becomes(Phase::Initializing, Phase::Blocked, STUCK),
    becomes(
        Phase::Initializing,
        Phase::Provisioning,
        "the database is not to be seen",
    ),
    becomes(Phase::Initializing, Phase::Degraded, WRONG),
    becomes(Phase::Blocked, Phase::Provisioning, MENDED),
    becomes(Phase::Blocked, Phase::Initializing, MENDED),
    becomes(Phase::Blocked, Phase::Running, ANSWERED),
    becomes(Phase::Blocked, Phase::Degraded, ANSWERED),
    becomes(Phase::Running, Phase::Degraded, WRONG),
    becomes(Phase::Degraded, Phase::Running, MENDED),
    becomes(Phase::Provisioning, Phase::Deleting, DELETED),
    becomes(Phase::Initializing, Phase::Deleting, DELETED),
    becomes(Phase::Blocked, Phase::Deleting, DELETED),
    becomes(Phase::Running, Phase::Deleting, DELETED),
    becomes(Phase::Degraded, Phase::Deleting, DELETED),
    becomes(Phase::Deleting, Phase::Provisioning, TAKEN_BACK),
    becomes(Phase::Deleting, Phase::Initializing, TAKEN_BACK),
    becomes(Phase::Deleting, Phase::Blocked, TAKEN_BACK),
    becomes(Phase::Deleting, Phase::Running, TAKEN_BACK),
    becomes(Phase::Deleting, Phase::Degraded, TAKEN_BACK),
];

/// Those of a template.
pub const PHASES_OF_TEMPLATE: &[Transition] = &[
    becomes(Phase::Building, Phase::Available, "it is built"),
    becomes(
        Phase::Building,
        Phase::Outdated,
        "it is built, and something else is wanted by now",
    ),
    becomes(Phase::Building, Phase::Blocked, STUCK),
    becomes(Phase::Blocked, Phase::Building, MENDED),
    becomes(Phase::Available, Phase::Outdated, "something else is wanted"),
    becomes(Phase::Outdated, Phase::Available, "it is built anew"),
];

const fn becomes(from: Phase, to: Phase, when: &'static str) -> Transition {
    Transition { from, to, when }
}
