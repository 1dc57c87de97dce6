//! What PLANA's platform has around a tenant, as far as it is here.
//!
//! In: the password of the database login, and the secrets of the systems around. Out: namespaces, Services, Secrets, a
//! volume, and provider-sql's access, by the names that the Platform's defaults and `platform-input.yaml` have.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::{
    certificates::DATABASE_HOST,
    kubectl::Kubectl,
    place::RUN,
    postgres::ADMIN,
    program::Programs,
    services::{self, ACCESS_KEY, ERP, MATRIX, PORTAL, REDIS, S3, secret_of},
};

const LIMIT: Duration = Duration::from_secs(60);

/// Makes all of it.
pub fn apply(programs: &Programs, kubectl: &Kubectl, password: &str) -> Result<()> {
    for folder in ["filestore", "filestore-19"] {
        let filestore = Path::new(RUN).join(folder);
        fs::create_dir(&filestore).context("cannot make the filestore")?;
        // Odoo's user id differs between its images.
        fs::set_permissions(&filestore, fs::Permissions::from_mode(0o777))
            .context("cannot open the filestore")?;
    }
    kubectl.apply(&[include_str!("../manifests/platform.yaml"), &services::manifests()].join("---\n"))?;
    let authority = fs::read_to_string(Path::new(RUN).join("pki/ca.crt")).context("cannot read ca.crt")?;
    let database = json!({
        "username": ADMIN, "password": password, "endpoint": DATABASE_HOST, "port": "5432", "ca.crt": authority,
    });
    for (name, data) in [
        ("provider-sql-postgres-creds", database),
        (
            "account-webhook",
            json!({"signing-key": secret_of(Path::new(RUN), PORTAL)?}),
        ),
        (
            "erp-callback",
            json!({"signing-key": secret_of(Path::new(RUN), ERP)?}),
        ),
        (
            "matrix-support-bot",
            json!({"token": secret_of(Path::new(RUN), MATRIX)?}),
        ),
        (
            "event-stream",
            json!({"password": secret_of(Path::new(RUN), REDIS)?}),
        ),
        (
            "backup-store-creds",
            json!({"access-key-id": ACCESS_KEY, "secret-access-key": secret_of(Path::new(RUN), S3)?}),
        ),
    ] {
        kubectl.apply(&secret(name, "crossplane-system", "Opaque", &data).to_string())?;
    }
    // The registry in here asks nobody who they are; without the Secret, each pod has a warning.
    let login = json!({".dockerconfigjson": json!({"auths": {}}).to_string()});
    for namespace in ["crossplane-system", "plana-odoo-18", "plana-odoo-19", "backup"] {
        let kind = "kubernetes.io/dockerconfigjson";
        kubectl.apply(&secret("forgejo-registry", namespace, kind, &login).to_string())?;
    }
    kubectl.wait(
        &[
            "crd/providerconfigs.postgresql.sql.crossplane.io",
            "--for=condition=Established",
        ],
        LIMIT,
    )?;
    kubectl.apply(include_str!("../manifests/provider-config.yaml"))?;
    programs.say("the platform is there: namespaces, Secrets, filestore, provider-sql's access");
    Ok(())
}

/// A Secret of these texts.
pub fn secret(name: &str, namespace: &str, kind: &str, data: &Value) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "type": kind,
        "stringData": data,
    })
}
