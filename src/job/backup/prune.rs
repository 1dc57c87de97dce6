//! `backup-prune`: deletes backups that are older than their retention.
//!
//! Only a backup whose readable manifest says that it is this tenant's, this owner's and of this purpose is ever deleted,
//! and never the newest complete one of its purpose. The manifest goes first: what is deleted half does not exist. What
//! interrupted runs have left, objects named like ours without a manifest, goes after a day.

use jiff::{SignedDuration, Timestamp};
use tracing::{info, warn};

use super::{
    catalogue::{Catalogue, Found, Lacking},
    layout::{self, BackupId, Part},
    manifest::Manifest,
};
use crate::{
    contract::{BackupPrune, BackupPurpose, PruneReport, Report},
    job::{
        attempt::{Attempt, println_result},
        failure::{Attempted, Failure},
        store::{Store, StoredObject},
    },
    names::Slug,
};

/// No backup takes longer, so what has no manifest by then gets none.
const LEFTOVER_HOURS: i64 = 24;
/// Before something destructive people take a week to notice.
const INSURANCE_DAYS: u32 = 7;
/// Clocks of nodes differ by less.
const FUTURE_HOURS: i64 = 1;

/// Which backups may go.
#[derive(Clone, Copy, Debug)]
pub struct Rule<'a> {
    /// Those of this purpose.
    pub purpose: BackupPurpose,
    /// When they are older than this.
    pub retention_days: u32,
    /// Those of this owner; `None`: of the owner of the newest complete one.
    pub marker: Option<&'a str>,
}

/// What is to be deleted.
#[derive(Debug, Default)]
pub struct Plan {
    expired: Vec<(BackupId, Vec<String>)>,
    leftovers: Vec<String>,
    kept: u32,
}

impl Plan {
    /// How many backups go.
    #[must_use]
    pub fn deleted(&self) -> u32 {
        u32::try_from(self.expired.len()).unwrap_or(u32::MAX)
    }
}

/// Prunes.
pub async fn run(attempt: &Attempt, command: &BackupPrune) -> Attempted<Option<Report>> {
    attempt.phase("gate").await?;
    let slug = layout::slug(&command.slug)?;
    if command.purpose == BackupPurpose::Final {
        return Err(Failure::refused(
            "FinalIsKept",
            "a tenant's final backup is never pruned; who really wants that deletes its objects by hand",
        ));
    }
    let store = Store::open(&command.store)?;
    let rule = Rule {
        purpose: command.purpose,
        retention_days: command.retention_days,
        marker: None,
    };
    let plan = attempt.interruptible(plan(&store, &slug, rule)).await??;
    if attempt.dry_run {
        for (id, _) in &plan.expired {
            println_result(&format!("would delete backup {id} of {slug}"));
        }
        for key in &plan.leftovers {
            println_result(&format!(
                "would delete {key}, which an interrupted backup has left"
            ));
        }
        return Ok(None);
    }
    attempt.phase("delete").await?;
    attempt.interruptible(carry_out(&store, &plan)).await??;
    Ok(Some(Report::Prune(PruneReport {
        deleted: plan.deleted(),
        kept: plan.kept,
    })))
}

/// Decides what goes.
pub async fn plan(store: &Store, slug: &Slug, rule: Rule<'_>) -> Attempted<Plan> {
    let catalogue = Catalogue::read(store, slug).await?;
    Ok(decide(&catalogue, rule, Timestamp::now()))
}

/// Deletes it.
pub async fn carry_out(store: &Store, plan: &Plan) -> Attempted<()> {
    for (id, keys) in &plan.expired {
        for key in keys {
            store.remove(key).await?;
        }
        info!(%id, "deleted, it was older than its retention");
    }
    for key in &plan.leftovers {
        store.remove(key).await?;
        info!(key, "deleted, an interrupted backup had left it");
    }
    Ok(())
}

fn decide(catalogue: &Catalogue, rule: Rule<'_>, now: Timestamp) -> Plan {
    let of_purpose = || {
        catalogue
            .backups
            .iter()
            .rev()
            .filter(|(id, _)| id.purpose == rule.purpose)
    };
    let owned = |manifest: &Manifest| rule.marker.is_none_or(|marker| manifest.marker == marker);
    let newest = of_purpose()
        .find_map(|(id, found)| Some((*id, found.complete().filter(|manifest| owned(manifest))?)));
    let mut plan = Plan::default();
    for (id, found) in of_purpose() {
        let Ok(manifest) = &found.manifest else { continue };
        let is_last_good = newest.is_none_or(|(newest, _)| newest == *id);
        let is_owner_s = newest.is_some_and(|(_, newest)| newest.marker == manifest.marker);
        if !is_last_good && is_owner_s && has_expired(*id, manifest, rule, now) {
            plan.expired.push((*id, manifest_first(found)));
            continue;
        }
        plan.kept += 1;
        if !is_owner_s && newest.is_some() {
            warn!(%id, marker = manifest.marker, "of another owner of this subdomain: kept");
        }
    }
    for (id, found) in &catalogue.backups {
        if let Err(Lacking::ReadableManifest(problem)) = &found.manifest {
            warn!(%id, problem, "its manifest is unusable: kept");
        }
    }
    plan.leftovers = leftovers(catalogue, now);
    plan
}

fn has_expired(id: BackupId, manifest: &Manifest, rule: Rule<'_>, now: Timestamp) -> bool {
    let days = match id.purpose {
        BackupPurpose::Scheduled => rule.retention_days,
        BackupPurpose::Insurance => rule.retention_days.max(INSURANCE_DAYS),
        // Each was asked for with its own.
        BackupPurpose::Manual => manifest.retention_days,
        BackupPurpose::Final => return false,
    };
    // The name and the document both say when; the later one counts.
    let taken = manifest.taken_at(id).max(id.begun);
    let age = now.duration_since(taken);
    if age < -SignedDuration::from_hours(FUTURE_HOURS) {
        warn!(%id, "from the future, so some clock was wrong: kept");
    }
    age > SignedDuration::from_hours(24 * i64::from(days))
}

fn manifest_first(found: &Found) -> Vec<String> {
    let mut objects: Vec<_> = found.objects.iter().collect();
    objects.sort_by_key(|(part, _)| *part != Part::Manifest);
    objects
        .into_iter()
        .map(|(_, object)| object.key.clone())
        .collect()
}

fn leftovers(catalogue: &Catalogue, now: Timestamp) -> Vec<String> {
    let limit = now - SignedDuration::from_hours(LEFTOVER_HOURS);
    let old = |id: BackupId, object: &StoredObject| id.begun < limit && object.written_at < limit;
    let without_manifest = catalogue
        .backups
        .iter()
        .filter(|(_, found)| found.manifest == Err(Lacking::Manifest));
    without_manifest
        .flat_map(|(id, found)| found.objects.iter().map(|(_, object)| (*id, object)))
        .filter(|(id, object)| old(*id, object))
        .map(|(_, object)| object.key.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::backup::manifest;

    const NOW: &str = "2026-06-30T00:00:00Z";

    fn slug() -> Slug {
        Slug::new("acme").unwrap()
    }

    /// A backup, all of which was written when it was begun.
    fn backup(id: &str, change: impl FnOnce(&mut Manifest)) -> (BackupId, Found) {
        let id = BackupId::parse(id).unwrap();
        let mut manifest = manifest::tests::example(id);
        change(&mut manifest);
        let stored = |part, bytes| {
            let object = StoredObject {
                key: id.key(&slug(), part, ".zst"),
                bytes,
                written_at: id.begun,
            };
            (part, object)
        };
        let objects = vec![
            stored(Part::Dump, 10),
            stored(Part::Filestore, 10),
            stored(Part::Manifest, 1),
        ];
        let found = Found {
            objects,
            manifest: Ok(manifest),
        };
        (id, found)
    }

    fn decided(backups: Vec<(BackupId, Found)>, purpose: BackupPurpose, marker: Option<&str>) -> Plan {
        let catalogue = Catalogue {
            backups: backups.into_iter().collect(),
            foreign: 3,
        };
        let rule = Rule {
            purpose,
            retention_days: 30,
            marker,
        };
        decide(&catalogue, rule, NOW.parse().unwrap())
    }

    fn ids(plan: &Plan) -> Vec<String> {
        plan.expired.iter().map(|(id, _)| id.to_string()).collect()
    }

    fn plain(id: &str) -> (BackupId, Found) {
        backup(id, |_| ())
    }

    #[test]
    fn what_is_older_goes_manifest_first() {
        let plan = decided(
            vec![
                plain("20260629T000000"),
                plain("20260531T000000"),
                plain("20260530T235959"),
                plain("20260101T000000"),
            ],
            BackupPurpose::Scheduled,
            Some("1b2c"),
        );
        assert_eq!(ids(&plan), ["20260530T235959", "20260101T000000"]);
        assert_eq!(plan.kept, 2);
        let (_, keys) = &plan.expired[0];
        assert_eq!(keys.len(), 3);
        assert_eq!(keys[0], "acme/manifest-20260530T235959.json");
    }

    #[test]
    fn the_last_good_one_stays_however_old() {
        let plan = decided(
            vec![plain("20250101T000000"), plain("20250102T000000")],
            BackupPurpose::Scheduled,
            None,
        );
        assert_eq!(ids(&plan), ["20250101T000000"]);
        // A newer one that lost an object is not good, so the older one is the last good one.
        let (id, mut found) = plain("20250103T000000");
        found.objects.remove(0);
        let plan = decided(
            vec![plain("20250101T000000"), (id, found)],
            BackupPurpose::Scheduled,
            None,
        );
        assert_eq!(ids(&plan), ["20250103T000000"]);
        // And where none is good, none goes.
        let (id, mut found) = plain("20250103T000000");
        found.objects.remove(1);
        assert_eq!(
            ids(&decided(vec![(id, found)], BackupPurpose::Scheduled, None)),
            Vec::<String>::new()
        );
    }

    #[test]
    fn another_owner_s_stay() {
        let other = |manifest: &mut Manifest| manifest.marker = "other".to_owned();
        let backups = || {
            vec![
                plain("20260629T000000"),
                backup("20250101T000000", other),
                plain("20250102T000000"),
            ]
        };
        assert_eq!(
            ids(&decided(backups(), BackupPurpose::Scheduled, Some("1b2c"))),
            ["20250102T000000"]
        );
        assert_eq!(
            ids(&decided(backups(), BackupPurpose::Scheduled, None)),
            ["20250102T000000"]
        );
    }

    #[test]
    fn each_purpose_has_its_own_retention() {
        let purposes = |purpose| {
            let all = vec![
                plain("20250101T000000"),
                plain("20260629T000000"),
                plain("insurance/20250101T000000"),
                plain("insurance/20260629T000000"),
                backup("manual/20250101T000000", |manifest| {
                    manifest.retention_days = 3000;
                }),
                backup("manual/20260101T000000", |manifest| manifest.retention_days = 10),
                plain("manual/20260629T000000"),
                plain("final/20240101T000000"),
                plain("final/20250101T000000"),
            ];
            ids(&decided(all, purpose, None))
        };
        assert_eq!(purposes(BackupPurpose::Scheduled), ["20250101T000000"]);
        assert_eq!(purposes(BackupPurpose::Insurance), ["insurance/20250101T000000"]);
        assert_eq!(purposes(BackupPurpose::Manual), ["manual/20260101T000000"]);
        assert!(purposes(BackupPurpose::Final).is_empty());
    }

    #[test]
    fn a_wrong_clock_deletes_nothing() {
        // Begun in the far past by its name, but not by its document.
        let odd = backup("19700101T000000", |manifest| manifest.taken_at = NOW.to_owned());
        let plan = decided(
            vec![odd, plain("20260629T000000"), plain("20991231T000000")],
            BackupPurpose::Scheduled,
            None,
        );
        assert!(ids(&plan).is_empty());
    }

    #[test]
    fn what_an_interrupted_run_left_goes_after_a_day() {
        let leftover = |id: &str, written: &str| {
            let (id, mut found) = plain(id);
            found.objects.truncate(1);
            found.objects[0].1.written_at = written.parse().unwrap();
            found.manifest = Err(Lacking::Manifest);
            (id, found)
        };
        let garbage = {
            let (id, mut found) = plain("20250105T000000");
            found.manifest = Err(Lacking::ReadableManifest("garbage".to_owned()));
            (id, found)
        };
        let plan = decided(
            vec![
                leftover("20260628T000000", "2026-06-28T01:00:00Z"),
                leftover("20260629T120000", "2026-06-29T13:00:00Z"),
                // Its clock was wrong: the store's tells that it may still be running.
                leftover("20260601T000000", "2026-06-29T13:00:00Z"),
                leftover("manual/20260601T000000", "2026-06-01T13:00:00Z"),
                garbage,
            ],
            BackupPurpose::Scheduled,
            None,
        );
        assert_eq!(
            plan.leftovers,
            [
                "acme/manual/backup-20260601T000000.dump.zst",
                "acme/backup-20260628T000000.dump.zst"
            ]
        );
        assert!(ids(&plan).is_empty());
    }
}
