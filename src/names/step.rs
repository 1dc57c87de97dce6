//! The steps of a life: what a Job does, under which name status records it, and how conditions call it.

/// A step of the life of a composite resource that a Job does once. Its name is what status records it under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Build the template and swap it in.
    TemplateBuild,
    /// Make the cloned database the tenant's, and prove it.
    TenantInit,
    /// Ask the tenant's workers for the tenant.
    TenantSmoke,
    /// Make the support room.
    RoomCreate,
    /// Tell the account portal.
    PortalNotify,
    /// Tell the ERP.
    ErpCallback,
    /// Publish `client.provisioned`.
    EventPublish,
    /// Hide the database from its pool, so that crons and sessions end.
    TenantSuspend,
    /// Give the database back to its pool.
    TenantResume,
    /// Back up for the last time before the tenant goes.
    FinalBackup,
    /// Read the last backup back whole.
    FinalVerify,
    /// Mark the support room as inactive.
    RoomRetire,
    /// Tell the account portal that the tenant goes.
    PortalFarewell,
    /// Tell the ERP that the tenant goes.
    ErpFarewell,
    /// Publish `client.deprovisioned`.
    EventFarewell,
    /// Remove the filestore.
    FilestoreRemove,
    /// Make the database ready to be dropped.
    TenantRelease,
}

impl Step {
    /// The steps of a tenant, in the order of its life.
    pub const OF_TENANT: [Self; 16] = [
        Self::TenantInit,
        Self::TenantSmoke,
        Self::RoomCreate,
        Self::PortalNotify,
        Self::ErpCallback,
        Self::EventPublish,
        Self::TenantSuspend,
        Self::TenantResume,
        Self::FinalBackup,
        Self::FinalVerify,
        Self::RoomRetire,
        Self::PortalFarewell,
        Self::ErpFarewell,
        Self::EventFarewell,
        Self::FilestoreRemove,
        Self::TenantRelease,
    ];
    /// Those that change the tenant's data or who may use them: one at a time.
    pub const WRITERS: [Self; 5] = [
        Self::TenantInit,
        Self::TenantSuspend,
        Self::TenantResume,
        Self::FilestoreRemove,
        Self::TenantRelease,
    ];
    /// All steps.
    pub const ALL: [Self; 17] = [
        Self::TemplateBuild,
        Self::TenantInit,
        Self::TenantSmoke,
        Self::RoomCreate,
        Self::PortalNotify,
        Self::ErpCallback,
        Self::EventPublish,
        Self::TenantSuspend,
        Self::TenantResume,
        Self::FinalBackup,
        Self::FinalVerify,
        Self::RoomRetire,
        Self::PortalFarewell,
        Self::ErpFarewell,
        Self::EventFarewell,
        Self::FilestoreRemove,
        Self::TenantRelease,
    ];

    /// The name in status, and the beginning of the Job's composition resource name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TemplateBuild => "template-build",
            Self::TenantInit => "tenant-init",
            Self::TenantSmoke => "tenant-smoke",
            Self::RoomCreate => "room-create",
            Self::PortalNotify => "portal-notify",
            Self::ErpCallback => "erp-callback",
            Self::EventPublish => "event-publish",
            Self::TenantSuspend => "tenant-suspend",
            Self::TenantResume => "tenant-resume",
            Self::FinalBackup => "final-backup",
            Self::FinalVerify => "final-verify",
            Self::RoomRetire => "room-retire",
            Self::PortalFarewell => "portal-farewell",
            Self::ErpFarewell => "erp-farewell",
            Self::EventFarewell => "event-farewell",
            Self::FilestoreRemove => "filestore-remove",
            Self::TenantRelease => "tenant-release",
        }
    }

    /// The same as the first word of a condition's reason.
    #[must_use]
    pub fn reason_word(self) -> &'static str {
        match self {
            Self::TemplateBuild => "Build",
            Self::TenantInit => "Init",
            Self::TenantSmoke => "Smoke",
            Self::RoomCreate => "SupportRoom",
            Self::PortalNotify => "Portal",
            Self::ErpCallback => "Erp",
            Self::EventPublish => "Event",
            Self::TenantSuspend => "Suspend",
            Self::TenantResume => "Resume",
            Self::FinalBackup => "FinalBackup",
            Self::FinalVerify => "FinalVerify",
            Self::RoomRetire => "RoomRetire",
            Self::PortalFarewell => "PortalFarewell",
            Self::ErpFarewell => "ErpFarewell",
            Self::EventFarewell => "EventFarewell",
            Self::FilestoreRemove => "FilestoreRemove",
            Self::TenantRelease => "Release",
        }
    }
}
