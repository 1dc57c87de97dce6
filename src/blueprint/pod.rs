//! What the pods of all Jobs share: how odoo-job gets into them, and what they may not do.
//!
//! Pods run as a user without rights, on a read-only root file system, without capabilities or a service account
//! token. A container of another image gets odoo-job from an init container that copies itself.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::{
        Capabilities, Container, EmptyDirVolumeSource, EnvVar, EnvVarSource, LocalObjectReference,
        NFSVolumeSource, PersistentVolumeClaimVolumeSource, PodSecurityContext, PodSpec, PodTemplateSpec,
        ResourceRequirements, SeccompProfile, SecretKeySelector, SecurityContext, Volume, VolumeMount,
    },
    apimachinery::pkg::{api::resource::Quantity, apis::meta::v1::ObjectMeta},
};

use crate::{
    contract::{Command, INSTALLED_PATH, Install, PROGRAM_PATH, SecretVariable},
    names::CONTAINER,
    tenant::{FilestoreVolume, Resources},
};

/// The volume that odoo-job is copied to; its mount path is the folder of [`INSTALLED_PATH`].
const PROGRAM_VOLUME: &str = "program";
const PROGRAM_FOLDER: &str = "/job";
/// Scratch space, since the root file system is read-only.
const TEMPORARY_VOLUME: &str = "tmp";
const TEMPORARY_FOLDER: &str = "/tmp";
/// The filestore volume, at Odoo's data directory in the images.
const FILESTORE_VOLUME: &str = "filestore";
/// Odoo's data directory.
pub const DATA_DIRECTORY: &str = "/var/lib/odoo";
/// User and group of the image of this project.
pub const PROGRAM_UID: i64 = 2000;

/// What the pod of a Job is made of.
pub struct PodParts {
    /// Namespace of the Job.
    pub namespace: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// What it runs.
    pub command: Command,
    /// The image of this project.
    pub program_image: String,
    /// The image that the command needs things from; `None`: it needs nothing.
    pub image: Option<String>,
    /// User and group.
    pub user: (i64, i64),
    /// Login of the image registry.
    pub pull_secret: Option<String>,
    /// The filestore volume, when it is needed.
    pub filestore: Option<FilestoreVolume>,
    /// Whether the filestore is only read.
    pub filestore_read_only: bool,
    /// Secrets in the environment: the Secret's name and what of it.
    pub secrets: Vec<(String, SecretVariable)>,
    /// Requests and limits.
    pub resources: Resources,
    /// Seconds for the whole Job.
    pub deadline_seconds: i64,
}

impl PodParts {
    /// The pod template.
    pub fn into_template(self) -> PodTemplateSpec {
        let metadata = ObjectMeta {
            labels: Some(self.labels.clone()),
            ..ObjectMeta::default()
        };
        PodTemplateSpec {
            metadata: Some(metadata),
            spec: Some(self.pod()),
        }
    }

    fn pod(self) -> PodSpec {
        let (uid, gid) = self.user;
        PodSpec {
            automount_service_account_token: Some(false),
            enable_service_links: Some(false),
            restart_policy: Some("Never".to_owned()),
            image_pull_secrets: self
                .pull_secret
                .clone()
                .map(|name| vec![LocalObjectReference { name }]),
            security_context: Some(PodSecurityContext {
                run_as_non_root: Some(true),
                run_as_user: Some(uid),
                run_as_group: Some(gid),
                // No fsGroup: on a volume that all tenants share it may walk through every file of every tenant.
                seccomp_profile: Some(SeccompProfile {
                    type_: "RuntimeDefault".to_owned(),
                    localhost_profile: None,
                }),
                ..PodSecurityContext::default()
            }),
            init_containers: self.image.is_some().then(|| vec![self.installer()]),
            volumes: Some(self.volumes()),
            containers: vec![self.worker()],
            ..PodSpec::default()
        }
    }

    fn installer(&self) -> Container {
        Container {
            name: "install".to_owned(),
            image: Some(self.program_image.clone()),
            command: Some(vec![PROGRAM_PATH.to_owned()]),
            args: Some(
                Command::Install(Install {
                    to: INSTALLED_PATH.to_owned(),
                })
                .arguments(),
            ),
            volume_mounts: Some(vec![mount(PROGRAM_VOLUME, PROGRAM_FOLDER)]),
            security_context: Some(confined()),
            // Copying one file: the least that a kubelet accepts as a limit with room to spare.
            resources: Some(amounts(
                &[("cpu", "10m"), ("memory", "16Mi")],
                &[("cpu", "200m"), ("memory", "64Mi")],
            )),
            ..Container::default()
        }
    }

    fn worker(&self) -> Container {
        let program = if self.image.is_some() {
            INSTALLED_PATH
        } else {
            PROGRAM_PATH
        };
        let mut mounts = vec![mount(TEMPORARY_VOLUME, TEMPORARY_FOLDER)];
        if self.image.is_some() {
            mounts.push(mount(PROGRAM_VOLUME, PROGRAM_FOLDER));
        }
        if self.filestore.is_some() {
            let read_only = self.filestore_read_only.then_some(true);
            mounts.push(VolumeMount {
                read_only,
                ..mount(FILESTORE_VOLUME, DATA_DIRECTORY)
            });
        }
        Container {
            name: CONTAINER.to_owned(),
            image: Some(self.image.clone().unwrap_or_else(|| self.program_image.clone())),
            command: Some(vec![program.to_owned()]),
            args: Some(self.command.arguments()),
            env: (!self.secrets.is_empty()).then(|| self.secrets.iter().map(environment).collect()),
            volume_mounts: Some(mounts),
            resources: Some(ResourceRequirements {
                requests: Some(quantities(&self.resources.requests)),
                limits: Some(quantities(&self.resources.limits)),
                claims: None,
            }),
            security_context: Some(confined()),
            // The result is a JSON document in the termination message; a crash leaves its last lines there instead.
            termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
            ..Container::default()
        }
    }

    fn volumes(&self) -> Vec<Volume> {
        let mut volumes = vec![empty(TEMPORARY_VOLUME)];
        if self.image.is_some() {
            volumes.push(empty(PROGRAM_VOLUME));
        }
        volumes.extend(self.filestore.as_ref().map(filestore));
        volumes
    }
}

fn confined() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        read_only_root_filesystem: Some(true),
        capabilities: Some(Capabilities {
            drop: Some(vec!["ALL".to_owned()]),
            add: None,
        }),
        ..SecurityContext::default()
    }
}

fn mount(name: &str, path: &str) -> VolumeMount {
    VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        ..VolumeMount::default()
    }
}

fn empty(name: &str) -> Volume {
    Volume {
        name: name.to_owned(),
        empty_dir: Some(EmptyDirVolumeSource::default()),
        ..Volume::default()
    }
}

fn filestore(volume: &FilestoreVolume) -> Volume {
    let mut filestore = Volume {
        name: FILESTORE_VOLUME.to_owned(),
        ..Volume::default()
    };
    match volume {
        FilestoreVolume::Claim(claim) => {
            filestore.persistent_volume_claim = Some(PersistentVolumeClaimVolumeSource {
                claim_name: claim.clone(),
                read_only: None,
            });
        }
        FilestoreVolume::Nfs(export) => {
            filestore.nfs = Some(NFSVolumeSource {
                server: export.server.clone(),
                path: export.path.clone(),
                read_only: None,
            });
        }
    }
    filestore
}

fn environment((secret, variable): &(String, SecretVariable)) -> EnvVar {
    let selector = SecretKeySelector {
        name: secret.clone(),
        key: variable.key.to_owned(),
        optional: variable.optional.then_some(true),
    };
    EnvVar {
        name: variable.variable.to_owned(),
        value: None,
        value_from: Some(EnvVarSource {
            secret_key_ref: Some(selector),
            ..EnvVarSource::default()
        }),
    }
}

fn amounts(requests: &[(&str, &str)], limits: &[(&str, &str)]) -> ResourceRequirements {
    let quantities = |amounts: &[(&str, &str)]| {
        amounts
            .iter()
            .map(|(name, amount)| ((*name).to_owned(), Quantity((*amount).to_owned())))
            .collect()
    };
    ResourceRequirements {
        requests: Some(quantities(requests)),
        limits: Some(quantities(limits)),
        claims: None,
    }
}

fn quantities(amounts: &BTreeMap<String, String>) -> BTreeMap<String, Quantity> {
    amounts
        .iter()
        .map(|(name, amount)| (name.clone(), Quantity(amount.clone())))
        .collect()
}
