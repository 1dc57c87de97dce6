//! All backups of a tenant, as the store has them.
//!
//! In: the list of a tenant's folder, and the manifests in it. Out: which backups there are, which of them are complete,
//! what an interrupted run has left, and how many objects are somebody else's.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::{
    layout::{self, BackupId, Part},
    manifest::{Manifest, Object},
};
use crate::{
    job::{
        failure::{Attempted, Failure},
        store::{Store, StoredObject},
    },
    names::Slug,
};

/// Manifests that are read at a time.
const READS: usize = 8;

/// All backups of a tenant.
#[derive(Debug)]
pub struct Catalogue {
    /// By time.
    pub backups: BTreeMap<BackupId, Found>,
    /// Objects in the tenant's folder that are not named like ours.
    pub foreign: u64,
}

/// A backup as it was found.
#[derive(Debug)]
pub struct Found {
    /// Its objects, the manifest included.
    pub objects: Vec<(Part, StoredObject)>,
    /// The manifest, or why there is none.
    pub manifest: Result<Manifest, Lacking>,
}

/// What a backup lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lacking {
    /// It has no manifest: it is being made, or was interrupted.
    Manifest,
    /// Its manifest is none of ours.
    ReadableManifest(String),
}

impl Catalogue {
    /// Reads the tenant's folder.
    pub async fn read(store: &Store, slug: &Slug) -> Attempted<Self> {
        let mut grouped: BTreeMap<BackupId, Vec<(Part, StoredObject)>> = BTreeMap::new();
        let mut foreign = 0;
        for object in store.objects(slug.as_str()).await? {
            match layout::parse_key(slug, &object.key) {
                Some((id, part)) => grouped.entry(id).or_default().push((part, object)),
                None => foreign += 1,
            }
        }
        let backups = stream::iter(grouped)
            .map(|(id, objects)| async move {
                let manifest = manifest(store, slug, id, &objects).await?;
                Ok((id, Found { objects, manifest }))
            })
            .buffer_unordered(READS)
            .try_collect()
            .await?;
        Ok(Self { backups, foreign })
    }
}

impl Found {
    /// The manifest, when all objects are there with the sizes that it says.
    pub fn complete(&self) -> Option<&Manifest> {
        let manifest = self.manifest.as_ref().ok()?;
        let objects: Vec<_> = self.objects.iter().map(|(_, object)| object).collect();
        manifest
            .objects()
            .iter()
            .all(|wanted| check(wanted, &objects).is_ok())
            .then_some(manifest)
    }

    /// In words, what is wrong with it.
    pub fn problem(&self) -> Option<String> {
        match &self.manifest {
            Err(Lacking::Manifest) => Some("it has no manifest".to_owned()),
            Err(Lacking::ReadableManifest(problem)) => Some(format!("its manifest is unusable: {problem}")),
            Ok(manifest) => {
                let objects: Vec<_> = self.objects.iter().map(|(_, object)| object).collect();
                let mut wanted = manifest.objects().into_iter();
                wanted.find_map(|wanted| Some(check(wanted, &objects).err()?.message))
            }
        }
    }
}

/// Whether an object that a manifest names is there, with its size.
pub fn check(wanted: &Object, objects: &[&StoredObject]) -> Attempted<()> {
    let Some(found) = objects.iter().find(|object| object.key == wanted.key) else {
        return Err(Failure::give_up(
            "BackupIncomplete",
            format!("{} is missing", wanted.key),
        ));
    };
    let (is, was) = (found.bytes, wanted.stored.bytes);
    if is < was {
        let message = format!("{} has {is} bytes of {was}", wanted.key);
        return Err(Failure::give_up("BackupTruncated", message));
    }
    if is > was {
        let message = format!("{} has {is} bytes and had {was}", wanted.key);
        return Err(Failure::give_up("BackupAltered", message));
    }
    Ok(())
}

/// Reads the manifest of one backup.
async fn manifest(
    store: &Store,
    slug: &Slug,
    id: BackupId,
    objects: &[(Part, StoredObject)],
) -> Attempted<Result<Manifest, Lacking>> {
    let Some((_, object)) = objects.iter().find(|(part, _)| *part == Part::Manifest) else {
        return Ok(Err(Lacking::Manifest));
    };
    // One that was removed meanwhile is none.
    let Some(document) = store.document(&object.key).await? else {
        return Ok(Err(Lacking::Manifest));
    };
    let manifest = Manifest::parse(&document, slug, id);
    Ok(manifest.map_err(|error| Lacking::ReadableManifest(error.to_string())))
}
