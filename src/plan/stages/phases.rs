//! The phases that follow each other, as data.
//!
//! In: nothing. Out: tables, which the simulated lives hold the planner to.

use super::super::Phase;

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

const DATABASE_THERE: &str = "the database is there";
const STUCK: &str = "somebody has to do something";
const MENDED: &str = "that is done";
const ANSWERED: &str = "its workers answer";
const WRONG: &str = "something that it needs is not right";
const DELETED: &str = "it is deleted, and may go";
const CLOSED: &str = "it is suspended";
const OPENED: &str = "it is suspended no more";
const TAKEN: &str = "an operation has it to itself";
const GIVEN: &str = "the operation has ended";
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
    becomes(Phase::Initializing, Phase::Suspended, CLOSED),
    becomes(Phase::Blocked, Phase::Suspended, CLOSED),
    becomes(Phase::Degraded, Phase::Suspended, CLOSED),
    becomes(Phase::Suspended, Phase::Provisioning, OPENED),
    becomes(Phase::Suspended, Phase::Initializing, OPENED),
    becomes(Phase::Suspended, Phase::Blocked, OPENED),
    becomes(Phase::Suspended, Phase::Degraded, OPENED),
    becomes(Phase::Provisioning, Phase::Maintenance, TAKEN),
    becomes(Phase::Initializing, Phase::Maintenance, TAKEN),
    becomes(Phase::Blocked, Phase::Maintenance, TAKEN),
    becomes(Phase::Running, Phase::Maintenance, TAKEN),
    becomes(Phase::Degraded, Phase::Maintenance, TAKEN),
    becomes(Phase::Maintenance, Phase::Provisioning, GIVEN),
    becomes(Phase::Maintenance, Phase::Initializing, GIVEN),
    becomes(Phase::Maintenance, Phase::Blocked, GIVEN),
    becomes(Phase::Maintenance, Phase::Running, GIVEN),
    becomes(Phase::Maintenance, Phase::Degraded, GIVEN),
    becomes(Phase::Suspended, Phase::Deleting, DELETED),
    becomes(Phase::Maintenance, Phase::Deleting, DELETED),
    becomes(Phase::Provisioning, Phase::Deleting, DELETED),
    becomes(Phase::Initializing, Phase::Deleting, DELETED),
    becomes(Phase::Blocked, Phase::Deleting, DELETED),
    becomes(Phase::Running, Phase::Deleting, DELETED),
    becomes(Phase::Degraded, Phase::Deleting, DELETED),
    becomes(Phase::Deleting, Phase::Provisioning, TAKEN_BACK),
    becomes(Phase::Deleting, Phase::Initializing, TAKEN_BACK),
    becomes(Phase::Deleting, Phase::Blocked, TAKEN_BACK),
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
