//! The shared workers of Odoo 19, which serve every tenant of that major.
//!
//! In: the image of `dev/odoo-image`, and the password of the pools. Out: the image in the registry under the name that
//! the Platform's defaults give it, where the pods of the Jobs get it too, and the Service `worker-odoo`.

use std::{process::Child, process::Stdio, time::Duration};

use anyhow::{Context, Result};
use serde_json::json;

use crate::{
    certificates::DATABASE_HOST,
    kubectl::{Kubectl, checked},
    place::{Place, REGISTRY},
    platform::secret,
    postgres::{self, POOL},
    program::Programs,
};

const LIMIT: Duration = Duration::from_secs(180);
const NAMESPACE: &str = "plana-odoo-19";
const IMAGE: &str = "plana-pulse/odoo-modules/base-19:latest";
/// The revision of the examples' templates, which is a tag: the Job that builds one runs the image of it.
const REVISION: &str = "4f1c2d3";

/// Starts to push the image, which takes a while and needs nobody.
pub fn push(programs: &Programs, place: &Place) -> Result<Child> {
    let mut command = programs.tool("crane");
    command.args(["push", "--insecure"]).arg(place.odoo_image());
    command.arg(format!("{REGISTRY}/{IMAGE}"));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().context("cannot start crane")
}

/// Applies the workers, once their image and their namespace are there.
pub fn start(programs: &Programs, kubectl: &Kubectl, push: Child, password: &str) -> Result<()> {
    checked(
        &push.wait_with_output().context("cannot wait for crane")?,
        "crane push",
    )?;
    let mut tag = programs.tool("crane");
    tag.args(["tag", "--insecure", &format!("{REGISTRY}/{IMAGE}"), REVISION]);
    checked(&tag.output().context("cannot start crane")?, "crane tag")?;
    programs.say("Odoo's image is in the registry");
    let file = json!({"odoo.conf": configuration(password, &postgres::secret()?)});
    kubectl.apply(&secret("odoo-conf", NAMESPACE, "Opaque", &file).to_string())?;
    kubectl.apply(include_str!("../manifests/workers.yaml"))
}

/// Waits until they answer.
pub fn finish(programs: &Programs, kubectl: &Kubectl) -> Result<()> {
    let name = "deployment/worker-odoo";
    kubectl.wait(&["-n", NAMESPACE, name, "--for=condition=Available"], LIMIT)?;
    programs.say("Odoo's workers answer");
    Ok(())
}

/// How PLANA's pools run. The master password is known to nobody: whoever has it owns all databases.
fn configuration(password: &str, master: &str) -> String {
    format!(
        "[options]\n\
         admin_passwd = {master}\n\
         db_host = {DATABASE_HOST}\n\
         db_port = 5432\n\
         db_user = {POOL}\n\
         db_password = {password}\n\
         db_sslmode = require\n\
         dbfilter = ^%h$\n\
         list_db = False\n\
         proxy_mode = True\n\
         data_dir = /var/lib/odoo\n\
         workers = 2\n\
         max_cron_threads = 1\n\
         http_port = 8069\n\
         gevent_port = 8072\n"
    )
}
