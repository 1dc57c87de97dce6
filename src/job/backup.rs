//! Backups: made, listed, pruned, read back. `docs/backups.md` is the description for operators.
//!
//! In: a tenant's database and filestore, and a bucket. Out: three objects that plain tools restore. Dump first, filestore
//! second, manifest last: files are never younger than the rows that name them, and what was interrupted has no manifest
//! and does not exist.

mod catalogue;
mod dump;
mod files;
mod layout;
mod list;
mod make;
mod manifest;
mod prune;
mod snapshot;
mod transfer;
mod verify;

use self::{
    catalogue::Catalogue,
    layout::{BackupId, Part, Wanted},
};
pub use self::{
    list::run as list, make::run as make, manifest::Manifest, prune::run as prune, verify::run as verify,
};
use super::{
    attempt::Attempt,
    failure::{Attempted, Failure},
    store::Store,
};
use crate::{contract, names::Slug};

/// Proves that a backup is there and whole as far as lists tell: its manifest is readable and says what it is of, and its
/// dump and its filestore are there with the sizes that it says. What goes with the last copy of a tenant asks this
/// first.
pub async fn prove_complete(
    attempt: &Attempt,
    store: &contract::Store,
    slug: &str,
    backup_id: &str,
) -> Attempted<Manifest> {
    let (slug, wanted) = (layout::slug(slug)?, Wanted::parse(backup_id)?);
    let store = Store::open(store)?;
    let found = find(&store, &slug, wanted);
    attempt.interruptible(found).await?.map(|(_, manifest)| manifest)
}

/// A backup that is complete, by what it is asked for as.
async fn find(store: &Store, slug: &Slug, wanted: Wanted) -> Attempted<(BackupId, Manifest)> {
    let id = match wanted {
        Wanted::Exactly(id) => id,
        Wanted::Latest(purpose) => {
            let catalogue = Catalogue::read(store, slug).await?;
            let mut newest = catalogue.backups.iter().rev();
            let found = newest.find_map(|(id, found)| {
                Some((*id, found.complete()?.clone())).filter(|(id, _)| id.purpose == purpose)
            });
            return found.ok_or_else(|| {
                let purpose = format!("{purpose:?}").to_lowercase();
                Failure::give_up(
                    "BackupMissing",
                    format!("{slug} has no complete {purpose} backup in {}", store.place()),
                )
            });
        }
    };
    let key = id.key(slug, Part::Manifest, "");
    let Some(document) = store.document(&key).await? else {
        return Err(Failure::give_up(
            "BackupMissing",
            format!(
                "there is no backup {id} of {slug} in {}: {key} is not there",
                store.place()
            ),
        ));
    };
    let manifest = Manifest::parse(&document, slug, id).map_err(|error| {
        Failure::give_up("ManifestUnusable", format!("{key} in {}: {error}", store.place()))
    })?;
    let listed = store.objects(slug.as_str()).await?;
    let listed: Vec<_> = listed.iter().collect();
    for object in manifest.objects() {
        catalogue::check(object, &listed)
            .map_err(|failure| failure.while_doing(&format!("backup {id} of {slug}")))?;
    }
    Ok((id, manifest))
}
