//! `template-build`: builds a template database that tenants are cloned from, and swaps it in.
//!
//! In: the modules, and the revision of the image that this runs in. Out: a sealed database under the template's name
//! with exactly these modules, proven; its files beside it; nothing else. It is built under another name that no pool
//! can see, so the old template serves until the new one takes its place in one transaction.
//!
//! | phase | what it leaves when it is killed | what the next run makes of it |
//! |---|---|---|
//! | `clean` to `prove` | a database `<template>~<build>` with our marker, and files under its name | drops both, begins anew |
//! | `seal` | the same, sealed | swaps it in: sealed means proven |
//! | `files`, `swap` | more files in the template's directory | adds them again |
//! | `drop` | the old template under its new name, the directory of the build | removes both |

mod content;
mod preview;

use tracing::{info, warn};

use super::{
    attempt::Attempt,
    failure::{Attempted, Failure},
    filestore::Filestore,
    odoo,
    postgres::{Client, LockMode, Login, Marker, MarkerState, TenantLock, one_text},
    template::{
        self, Found, Record, build_id, build_name, databases, family,
        files::{self, Manifest},
        retired_name,
    },
};
use crate::contract::{Report, TemplateBuild, TemplateReport};

/// One run: what is to be built, and how the server is reached.
struct Run<'a> {
    attempt: &'a Attempt,
    command: &'a TemplateBuild,
    login: Login,
    client: Client,
    lock: TenantLock,
    /// The modules, each once, sorted.
    modules: Vec<String>,
    /// The id of the build.
    build: String,
    /// The name of the build's database.
    name: String,
}

/// What is there already.
#[derive(Debug)]
struct Situation {
    /// The template.
    current: Option<Found>,
    /// The build that we would make, finished by an earlier run.
    finished: Option<(Found, Manifest)>,
    /// What is ours to drop.
    leftovers: Vec<Found>,
    /// Whether the template is as it is to be.
    is_fresh: bool,
}

/// Builds the template, or finds it as it is to be.
pub async fn run(attempt: &Attempt, command: &TemplateBuild) -> Attempted<Option<Report>> {
    template::check_name(&command.database)?;
    let mut modules = command.module.clone();
    modules.sort_unstable();
    modules.dedup();
    odoo::check_names(&command.database, &modules)?;
    let login = Login::from_environment(
        &command.server,
        &format!("odoo-job template-build {}", command.database),
    )?;
    attempt.phase("lock").await?;
    let lock = TenantLock::take(&login, &command.database, LockMode::Write).await?;
    let client = login.connect().await?;
    let marker = Marker::template(
        &command.marker,
        &command.template_code,
        command.odoo_version,
        MarkerState::Claimed,
    );
    let build = build_id(&marker, &command.revision, &modules);
    let mut run = Run {
        attempt,
        command,
        login,
        client,
        lock,
        name: build_name(&command.database, &build),
        modules,
        build,
    };
    attempt.phase("gate").await?;
    let situation = run.gate().await?;
    if attempt.dry_run {
        preview::say(command, &run.name, &run.modules, &situation);
        return Ok(None);
    }
    attempt.phase("clean").await?;
    run.clean(&situation).await?;
    if !situation.is_fresh {
        run.build(&situation, &marker).await?;
    }
    let report = run.report().await?;
    run.lock.release().await;
    Ok(Some(Report::Template(report)))
}

impl Run<'_> {
    fn filestore(&self, database: &str) -> Attempted<Filestore> {
        Filestore::new(&self.command.data_directory, database)
    }

    /// Looks at everything, touches nothing, and refuses what is not ours.
    async fn gate(&self) -> Attempted<Situation> {
        let command = self.command;
        odoo::check_roles(&*self.client, &command.roles).await?;
        files::check_writable(&command.data_directory).await?;
        let mut leftovers = Vec::new();
        let (mut current, mut finished) = (None, None);
        for found in family(&*self.client, &command.database).await? {
            if found.database == command.database {
                self.check_ours(&found)?;
                current = Some(found);
            } else if found.is_of(&command.marker) || found.is_stillborn(&command.roles.maintenance_role) {
                leftovers.push(found);
            } else if found.database == self.name {
                return Err(foreign(&found));
            }
        }
        if current.is_none()
            && files::is_foreign(self.filestore(&command.database)?, command.marker.clone()).await?
            && leftovers.is_empty()
        {
            return Err(Failure::refused(
                "ForeignFilestore",
                format!(
                    "{} is there without a database, and does not say that it is of this template; move it away",
                    self.filestore(&command.database)?.path().display()
                ),
            ));
        }
        let is_fresh = match &current {
            Some(current) => self.is_fresh(current).await?,
            None => false,
        };
        if let Some(position) = leftovers
            .iter()
            .position(|found| found.database == self.name && found.is_sealed() && !is_fresh)
        {
            let manifest = files::complete(self.filestore(&self.name)?, self.build.clone()).await?;
            if let Some(manifest) = manifest {
                finished = Some((leftovers.remove(position), manifest));
            }
        }
        if !is_fresh && finished.is_none() {
            odoo::check_version(self.attempt, command.odoo_version).await?;
        }
        Ok(Situation {
            current,
            finished,
            leftovers,
            is_fresh,
        })
    }

    /// Refuses a database under the template's name that is not this template.
    fn check_ours(&self, found: &Found) -> Attempted<()> {
        let wanted = Marker::template(
            &self.command.marker,
            &self.command.template_code,
            self.command.odoo_version,
            MarkerState::Ready,
        );
        if found
            .marker
            .as_ref()
            .is_some_and(|marker| marker.is_same_owner(&wanted))
        {
            return Ok(());
        }
        Err(foreign(found))
    }

    /// Whether the template is what is wanted, sealed, and has all of its files.
    async fn is_fresh(&self, current: &Found) -> Attempted<bool> {
        let Some(record) = &current.record else {
            return Ok(false);
        };
        let is_wanted = record.revision == self.command.revision && record.modules.keys().eq(&self.modules);
        if !is_wanted || databases::prove(Some(current), &record.build, &self.command.roles).is_err() {
            return Ok(false);
        }
        let filestore = self.filestore(&self.command.database)?;
        Ok(files::complete(filestore, record.build.clone()).await?.is_some())
    }

    /// Removes what earlier runs have left.
    async fn clean(&self, situation: &Situation) -> Attempted<()> {
        for found in &situation.leftovers {
            info!(database = found.database, "an earlier run has left this");
            databases::discard(&self.client, found, &self.command.data_directory).await?;
        }
        let Some(record) = situation.current.as_ref().and_then(|found| found.record.as_ref()) else {
            return Ok(());
        };
        // A run that was killed after the swap leaves the directory that the template was built in.
        let made_in = build_name(&self.command.database, &record.build);
        if !matches!(&situation.finished, Some((found, _)) if found.database == made_in) {
            files::remove(self.filestore(&made_in)?).await?;
        }
        self.prune(record).await
    }

    /// Leaves the files of a build and of the one before it in the template's directory.
    async fn prune(&self, record: &Record) -> Attempted<()> {
        let builds = [Some(record.build.clone()), record.previous.clone()];
        let filestore = self.filestore(&self.command.database)?;
        files::prune(filestore, builds.into_iter().flatten().collect()).await?;
        Ok(())
    }

    async fn build(&mut self, situation: &Situation, marker: &Marker) -> Attempted<()> {
        let manifest = match &situation.finished {
            Some((found, manifest)) => {
                info!(
                    database = found.database,
                    "an earlier run has finished this build"
                );
                manifest.clone()
            }
            None => match self.make(situation, marker).await {
                Ok(manifest) => manifest,
                Err(failure) => {
                    self.tidy_up().await;
                    return Err(failure);
                }
            },
        };
        let database = &self.command.database;
        self.attempt.phase("files").await?;
        files::add(self.filestore(&self.name)?, self.filestore(database)?, manifest).await?;
        self.attempt.phase("swap").await?;
        self.lock.prove().await?;
        let current = situation.current.as_ref();
        let retired = current.map(|found| {
            let build = found.record.as_ref().map_or("unknown", |record| &record.build);
            retired_name(database, build)
        });
        databases::swap(&mut self.client, database, &self.name, retired.as_deref()).await?;
        info!(database, build = self.build, "swapped in");
        self.attempt.phase("drop").await?;
        self.drop_old().await
    }

    /// Makes the build's database and files, from nothing to sealed.
    async fn make(&mut self, situation: &Situation, marker: &Marker) -> Attempted<Manifest> {
        let command = self.command;
        self.attempt.phase("create").await?;
        databases::create(&mut self.client, &self.login, &self.name, marker, &command.roles).await?;
        self.attempt.phase("install").await?;
        odoo::install(
            self.attempt,
            &self.login,
            &command.roles,
            &self.name,
            command.odoo_version,
            &self.modules,
            &command.data_directory,
        )
        .await?;
        let mut inside = self.login.connect_to(&self.name).await?;
        self.attempt.phase("strip").await?;
        content::strip(&mut inside).await?;
        self.attempt.phase("prove").await?;
        let installed = odoo::prove(&inside, command.odoo_version, &self.modules).await?;
        content::prove_stripped(&inside).await?;
        let filestore = self.filestore(&self.name)?;
        let manifest = files::write_manifest(filestore, command.marker.clone(), self.build.clone()).await?;
        content::prove_attachments(&inside, &manifest).await?;
        let previous = situation.current.as_ref().and_then(|found| found.record.as_ref());
        let record = Record {
            build: self.build.clone(),
            revision: command.revision.clone(),
            built_at: content::now(&inside).await?,
            modules: content::asked(&installed, &self.modules),
            module_count: u32::try_from(installed.len()).unwrap_or(u32::MAX),
            modules_digest: content::digest(&installed),
            filestore_files: manifest.files.len() as u64,
            filestore_bytes: manifest.bytes(),
            previous: previous.map(|record| record.build.clone()),
        };
        let marker = Marker {
            state: MarkerState::Ready,
            ..marker.clone()
        };
        self.attempt.phase("seal").await?;
        content::write(&mut inside, &record, &marker, &command.roles).await?;
        inside.close().await;
        self.lock.prove().await?;
        databases::seal(&mut self.client, &self.name, &marker, &record).await?;
        Ok(manifest)
    }

    /// Removes what a failed build has left, as far as that can be done now: it takes room on the volume that tenants
    /// use. There is no time for it when we are told to stop.
    async fn tidy_up(&self) {
        if self.attempt.stop().is_stopping() {
            return;
        }
        let tidied = async {
            for found in family(&*self.client, &self.command.database).await? {
                if found.database == self.name && found.is_of(&self.command.marker) {
                    databases::discard(&self.client, &found, &self.command.data_directory).await?;
                }
            }
            Attempted::Ok(())
        };
        if let Err(failure) = tidied.await {
            warn!("the next run has to remove what this one has left: {failure}");
        }
    }

    /// Drops the old template, and the directory that the build was made in.
    async fn drop_old(&self) -> Attempted<()> {
        let command = self.command;
        self.lock.prove().await?;
        let found = family(&*self.client, &command.database).await?;
        let current = found.iter().find(|found| found.database == command.database);
        databases::prove(current, &self.build, &command.roles)?;
        for found in &found {
            if found.database != command.database && found.is_of(&command.marker) {
                databases::discard(&self.client, found, &command.data_directory).await?;
            }
        }
        files::remove(self.filestore(&self.name)?).await?;
        match current.and_then(|found| found.record.as_ref()) {
            Some(record) => self.prune(record).await,
            None => Ok(()),
        }
    }

    /// Reads back what the template is now.
    async fn report(&self) -> Attempted<TemplateReport> {
        const SIZE: &str = "SELECT pg_database_size($1::text::name)::text";
        let database = &self.command.database;
        let all = family(&*self.client, database).await?;
        let current = all.into_iter().find(|found| found.database == *database);
        if !matches!(&current, Some(current) if self.is_fresh(current).await?) {
            return Err(Failure::retry(
                "TemplateChanged",
                format!("{database} is not as it was made a moment ago: somebody else changes it"),
            ));
        }
        let Some(record) = current.and_then(|found| found.record) else {
            return Ok(TemplateReport::default());
        };
        let bytes = one_text(&*self.client, SIZE, &[database]).await?;
        Ok(TemplateReport {
            marker: self.command.marker.clone(),
            revision: record.revision,
            built_at: record.built_at,
            modules: record.modules,
            module_count: record.module_count,
            modules_digest: record.modules_digest,
            database_bytes: bytes.and_then(|text| text.parse().ok()).unwrap_or_default(),
            filestore_files: record.filestore_files,
            filestore_bytes: record.filestore_bytes,
        })
    }
}

fn foreign(found: &Found) -> Failure {
    Failure::refused(
        "ForeignDatabase",
        format!(
            "a database {:?} is there, and {}; rename or drop it, or give the template another name",
            found.database,
            found.describe()
        ),
    )
}
