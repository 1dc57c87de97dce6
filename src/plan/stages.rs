//! The stages of a life, as data: what is made, and which evidence it waits for. Diagrams and the words of previews come from here.
//!
//! In: nothing. Out: tables. The planner decides by code of its own, so the simulated lives (`tests/simulate`) hold both
//! to each other: nothing is made before all of its evidence is observed, nothing waits for a step once it is, no phase
//! follows another one than the table says, and each that it says does follow.

mod phases;

use std::collections::{BTreeMap, BTreeSet};

pub use self::phases::{PHASES_OF_TEMPLATE, PHASES_OF_TENANT, Transition};
use super::{ConditionType, course};
use crate::{
    api::plana_client::{Course, CourseStatus, StepRecord},
    names::{ResourceName, Step},
};

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
    /// Every route that is there answers for maintenance.
    RoutesClosed,
    /// The last backup was read back whole, where there ever was anything to back up.
    LastBackupVerified,
    /// Status says that there is no way back.
    NoWayBack,
    /// Status has the record of a step, for this turn of the tenant's life.
    Recorded(Step),
}

/// Those of a tenant that is served.
pub const OF_TENANT: [Stage; 11] = [
    GUARD,
    DATABASE,
    ROOM,
    INIT,
    Stage {
        name: "route",
        makes: "the route to the workers",
        condition: ConditionType::RouteReady,
        needs: &[Evidence::Recorded(Step::TenantInit), Evidence::DatabaseReleased],
    },
    BACKUP,
    RESUME,
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

const GUARD: Stage = Stage {
    name: "guard",
    makes: "the guard, through which a deletion goes",
    condition: ConditionType::Guarded,
    needs: &[],
};
const DATABASE: Stage = Stage {
    name: "database",
    makes: "the Database, dark, cloned from the template",
    condition: ConditionType::DatabaseReady,
    needs: &[Evidence::TemplateUsable],
};
const ROOM: Stage = Stage {
    name: "room-create",
    makes: "the support room",
    condition: ConditionType::SupportRoomReady,
    needs: &[],
};
const INIT: Stage = Stage {
    name: "tenant-init",
    makes: "the clone becomes the tenant's, and is proven",
    condition: ConditionType::DatabaseReady,
    needs: &[Evidence::DatabaseAvailable],
};
const BACKUP: Stage = Stage {
    name: "backup",
    makes: "the nightly backups",
    condition: ConditionType::BackupScheduled,
    needs: &[Evidence::Recorded(Step::TenantInit), Evidence::DatabaseReleased],
};
const RESUME: Stage = Stage {
    name: "tenant-resume",
    makes: "the database comes back to the workers",
    condition: ConditionType::RouteReady,
    needs: &[Evidence::Recorded(Step::TenantInit), Evidence::DatabaseReleased],
};

/// Those of a tenant that is suspended.
pub const OF_SUSPENSION: [Stage; 8] = [
    GUARD,
    DATABASE,
    ROOM,
    INIT,
    Stage {
        name: "route",
        makes: "the route to the answer for maintenance",
        condition: ConditionType::RouteReady,
        needs: &[Evidence::Recorded(Step::TenantInit), Evidence::DatabaseReleased],
    },
    BACKUP,
    Stage {
        name: "maintenance",
        makes: "the answer for maintenance",
        condition: ConditionType::RouteReady,
        needs: &[],
    },
    Stage {
        name: "tenant-suspend",
        makes: "the database is hidden from the workers",
        condition: ConditionType::RouteReady,
        needs: &[
            Evidence::Recorded(Step::TenantInit),
            Evidence::DatabaseReleased,
            Evidence::RoutesClosed,
        ],
    },
];

/// Those of a tenant that goes.
pub const OF_TEARDOWN: [Stage; 11] = [
    GUARD,
    Stage {
        name: "maintenance",
        makes: "the answer for maintenance",
        condition: ConditionType::Guarded,
        needs: &[],
    },
    Stage {
        name: "tenant-suspend",
        makes: "the database is hidden from the workers",
        condition: ConditionType::Guarded,
        needs: &[Evidence::RoutesClosed],
    },
    Stage {
        name: "final-backup",
        makes: "the last backup",
        condition: ConditionType::Guarded,
        needs: &[Evidence::Recorded(Step::TenantSuspend)],
    },
    Stage {
        name: "final-verify",
        makes: "the last backup is read back whole",
        condition: ConditionType::Guarded,
        needs: &[Evidence::Recorded(Step::FinalBackup)],
    },
    Stage {
        name: "room-retire",
        makes: "the support room is marked as inactive",
        condition: ConditionType::Guarded,
        needs: &[Evidence::LastBackupVerified],
    },
    Stage {
        name: "portal-farewell",
        makes: "the account portal is told",
        condition: ConditionType::Guarded,
        needs: &[Evidence::LastBackupVerified],
    },
    Stage {
        name: "erp-farewell",
        makes: "the ERP is told",
        condition: ConditionType::Guarded,
        needs: &[Evidence::LastBackupVerified],
    },
    Stage {
        name: "event-farewell",
        makes: "client.deprovisioned is published",
        condition: ConditionType::Guarded,
        needs: &[Evidence::LastBackupVerified],
    },
    Stage {
        name: "filestore-remove",
        makes: "the files are removed",
        condition: ConditionType::Guarded,
        needs: &[Evidence::Recorded(Step::FinalVerify), Evidence::NoWayBack],
    },
    Stage {
        name: "tenant-release",
        makes: "the database is made ready to be dropped",
        condition: ConditionType::Guarded,
        needs: &[Evidence::Recorded(Step::FilestoreRemove), Evidence::NoWayBack],
    },
];

/// The stages of a tenant in a turn of its life. What has nothing to undo is left out.
#[must_use]
pub fn of_tenant(course: CourseStatus, done: &BTreeMap<Step, StepRecord>) -> Vec<Stage> {
    let all: &[Stage] = match course.name {
        Course::Serve => &OF_TENANT,
        Course::Suspend => &OF_SUSPENSION,
        Course::Teardown => &OF_TEARDOWN,
    };
    let is_told = |stage: &Stage| {
        let mut pairs = course::TAKEN_BACK.iter();
        let told = pairs.find(|(_, farewell)| farewell.as_str() == stage.name);
        told.is_none_or(|(told, _)| done.contains_key(told))
    };
    let is_proven = done.contains_key(&Step::TenantInit);
    let works_on_data = |stage: &Stage| {
        let steps = [
            Step::TenantSuspend,
            Step::FinalBackup,
            Step::FinalVerify,
            Step::FilestoreRemove,
            Step::TenantRelease,
        ];
        steps.iter().any(|step| step.as_str() == stage.name)
    };
    let is_wanted = |stage: &&Stage| match course.name {
        Course::Serve => course.turn > 0 || stage.name != RESUME.name,
        Course::Suspend => true,
        Course::Teardown => is_told(stage) && (is_proven || !works_on_data(stage)),
    };
    all.iter().filter(is_wanted).copied().collect()
}

/// The steps that are done, and need not be done again in this turn of a tenant's life.
#[must_use]
pub fn recorded(turn: u32, done: &BTreeMap<Step, StepRecord>) -> BTreeSet<&'static str> {
    let wanted = course::wanted(turn, |step| done.get(&step));
    let current = done
        .iter()
        .filter(|(step, record)| record.inputs.as_ref() == wanted.get(step));
    current.map(|(step, _)| step.as_str()).collect()
}

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
            ResourceName::Maintenance(_) => self.name == "maintenance",
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
            Self::RoutesClosed => "no route leads to the workers".to_owned(),
            Self::LastBackupVerified => {
                "the last backup is verified, where there is anything to back up".to_owned()
            }
            Self::NoWayBack => "status.deletion.removing is true".to_owned(),
            Self::Recorded(step) => format!("status.done has {}", step.as_str()),
        }
    }

    /// The stage that brings it about, by name.
    #[must_use]
    pub fn comes_from(self) -> Option<&'static str> {
        match self {
            Self::TemplateUsable | Self::RoutesClosed | Self::NoWayBack => None,
            Self::LastBackupVerified => Some("final-verify"),
            Self::DatabaseAvailable => Some("database"),
            Self::DatabaseReleased => Some("tenant-init"),
            Self::RouteAccepted => Some("route"),
            Self::Recorded(step) => Some(step.as_str()),
        }
    }
}
