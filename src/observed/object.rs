//! Views of objects that need few words: metadata, conditions, Secrets, the CronJob, the guard.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fmt::{self, Formatter},
};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};

use crate::function::wire::RawValue;

/// The metadata that decisions need.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Metadata {
    /// Name.
    pub name: String,
    /// Namespace; empty for what is cluster-scoped.
    pub namespace: String,
    /// UID.
    pub uid: String,
    /// Counts changes of the spec.
    pub generation: i64,
    /// When it was created.
    pub creation_timestamp: Option<String>,
    /// When somebody asked for its deletion.
    pub deletion_timestamp: Option<String>,
    /// Labels.
    pub labels: Labels,
    /// Annotations that decisions may need: ours, and those of usages.
    #[serde(deserialize_with = "decisive")]
    pub annotations: BTreeMap<String, String>,
    /// Owners.
    pub owner_references: Vec<OwnerReference>,
}

/// The one label that a decision needs; every object has others, which are passed over.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Labels {
    /// [`crate::names::HEAVY_LABEL`].
    #[serde(rename = "planapulse.com/heavy")]
    pub heavy: Option<String>,
}

/// An owner.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OwnerReference {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// Whether it is the one that manages the object.
    pub controller: bool,
}

/// A condition of an object.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Condition {
    /// Its type.
    pub r#type: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// Why, in one word.
    pub reason: String,
    /// Why, in a sentence.
    pub message: String,
    /// The generation that it speaks of; zero when it does not say.
    pub observed_generation: i64,
}

/// Any object.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct ObjectView {
    /// Its metadata.
    pub metadata: Metadata,
}

/// A Secret. Its values are never decoded, only handed on.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct SecretView {
    /// Its metadata.
    #[serde(default)]
    pub metadata: Metadata,
    /// Its type.
    #[serde(default = "opaque")]
    pub r#type: String,
    /// Its data, undecoded.
    pub data: Option<RawValue>,
}

/// The CronJob of a tenant's backups.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct BackupView {
    /// Its metadata.
    pub metadata: Metadata,
    /// Its status.
    pub status: BackupViewStatus,
}

/// The status of a CronJob.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BackupViewStatus {
    /// When a Job of it last succeeded.
    pub last_successful_time: Option<String>,
    /// When a Job of it was last started.
    pub last_schedule_time: Option<String>,
}

/// The `ClusterUsage` that guards the composite resource.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct GuardView {
    /// Its metadata.
    pub metadata: Metadata,
    /// Its spec.
    pub spec: GuardViewSpec,
}

/// The spec of a `ClusterUsage`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GuardViewSpec {
    /// Whether a refused deletion is sent again once the usage is gone.
    pub replay_deletion: bool,
}

/// A `Lease` (`coordination.k8s.io/v1`): who has a tenant to itself.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct LeaseView {
    /// Its metadata.
    pub metadata: Metadata,
    /// Its spec.
    pub spec: LeaseViewSpec,
}

/// The spec of a Lease.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LeaseViewSpec {
    /// Who says that it holds it.
    pub holder_identity: Option<String>,
    /// For how long after it was renewed.
    pub lease_duration_seconds: Option<i64>,
    /// When it was renewed.
    pub renew_time: Option<String>,
}

/// A `TemplateSnapshot`, as one who wants to clone its template sees it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct SnapshotView {
    /// Its metadata.
    pub metadata: Metadata,
    /// Its status.
    pub status: SnapshotViewStatus,
}

/// The status of a `TemplateSnapshot`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct SnapshotViewStatus {
    /// Its conditions.
    pub conditions: Vec<Condition>,
    /// The template database.
    pub database: Option<String>,
}

/// What begins the names of annotations that mean something to us.
const DECISIVE: [&str; 2] = ["planapulse.com/", "usage.crossplane.io/"];

/// Reads the annotations that mean something to us. Every object has others, as long as kubectl's copy of all of it,
/// which are passed over unread.
fn decisive<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    deserializer.deserialize_map(Decisive)
}

struct Decisive;

#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Visitor<'de> for Decisive {
    type Value = BTreeMap<String, String>;

    fn expecting(&self, formatter: &mut Formatter) -> fmt::Result {
        formatter.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut found = BTreeMap::new();
        while let Some(Key(key)) = entries.next_key()? {
            if DECISIVE.iter().any(|begin| key.starts_with(begin)) {
                found.insert(key.into_owned(), entries.next_value()?);
            } else {
                entries.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

fn opaque() -> String {
    "Opaque".to_owned()
}

impl Metadata {
    /// The owner that manages the object.
    #[must_use]
    pub fn controller(&self) -> Option<&OwnerReference> {
        self.owner_references.iter().find(|owner| owner.controller)
    }
}

impl Condition {
    /// Whether it is true of the object as it is: a condition that speaks of an older generation does not count.
    #[must_use]
    pub fn holds(&self, generation: i64) -> bool {
        self.status == "True" && (self.observed_generation == 0 || self.observed_generation >= generation)
    }
}

/// The condition of a type.
#[must_use]
pub fn find<'a>(conditions: &'a [Condition], r#type: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.r#type == r#type)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::names::HEAVY_LABEL;

    #[test]
    fn the_label_of_heavy_jobs_is_read_among_others() {
        let metadata = |label: &str| -> Metadata {
            serde_json::from_value(json!({"labels": {"a": "b", label: "true"}})).expect("it is metadata")
        };
        assert_eq!(metadata(HEAVY_LABEL).labels.heavy.as_deref(), Some("true"));
        assert_eq!(metadata("other").labels.heavy, None);
    }

    #[test]
    fn annotations_that_mean_nothing_to_us_are_passed_over() {
        let annotations = json!({
            "crossplane.io/composition-resource-name": "guard",
            "kubectl.kubernetes.io/last-applied-configuration": "{}",
            "planapulse.com/inputs": "0a1b2c3d",
            "usage.crossplane.io/deletion-attempt-with-policy": "Background",
        });
        let metadata: Metadata =
            serde_json::from_value(json!({"annotations": annotations})).expect("it is metadata");
        let kept: Vec<_> = metadata.annotations.keys().map(String::as_str).collect();
        assert_eq!(
            kept,
            [
                "planapulse.com/inputs",
                "usage.crossplane.io/deletion-attempt-with-policy"
            ]
        );
        assert!(serde_json::from_value::<Metadata>(json!({"annotations": "text"})).is_err());
    }
}
