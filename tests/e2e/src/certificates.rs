//! Who is who in the cluster: one authority, certificates by it, and the kubeconfigs of those who speak to the API.
//!
//! In: a folder. Out: PEM files, and kubeconfigs that name them relative to themselves, so that they are as good
//! outside the cluster's namespaces as inside. The state goes with the cluster, and so do the keys.

use std::{
    fs,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use serde_json::json;

use crate::place::ADDRESS;

/// Where the API server listens.
pub const API: &str = "https://10.88.0.1:6443";
/// The name of the only node.
pub const NODE_NAME: &str = "node";
/// Where PLANA's platform has its PostgreSQL; here the cluster's name server sends it to ours.
pub const DATABASE_HOST: &str = "pg01.planapulse.com";

/// The hosts of the tenants, all behind the gateway.
const TENANTS: &str = "*.planapulse.app";

/// The authority, and the folder that it writes to.
pub struct Authority {
    folder: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// A new one, with its certificate in `pki/ca.crt`.
    pub fn new(folder: &Path) -> Result<Self> {
        let key = KeyPair::generate().context("cannot make a key")?;
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        params
            .distinguished_name
            .push(DnType::CommonName, "function-odoo-e2e");
        let certificate = params.self_signed(&key).context("cannot sign")?;
        fs::create_dir_all(folder.join("pki")).context("cannot make the folder of the keys")?;
        fs::write(folder.join("pki/ca.crt"), certificate.pem()).context("cannot write ca.crt")?;
        Ok(Self {
            folder: folder.to_owned(),
            issuer: Issuer::new(params, key),
        })
    }

    /// Everything that the cluster needs.
    pub fn write_all(&self) -> Result<()> {
        let api = [
            "127.0.0.1",
            "10.0.0.1",
            ADDRESS,
            "localhost",
            "kubernetes",
            "kubernetes.default.svc",
        ];
        self.server("apiserver", "kube-apiserver", &api)?;
        self.server("kubelet", NODE_NAME, &[ADDRESS, "127.0.0.1", NODE_NAME])?;
        self.server("postgres", DATABASE_HOST, &[DATABASE_HOST, "127.0.0.1"])?;
        self.server("gateway", TENANTS, &[TENANTS])?;
        // The kubelet asks the API server whether its caller may; masters may.
        self.client(
            "apiserver-kubelet",
            "kube-apiserver-kubelet-client",
            Some("system:masters"),
        )?;
        self.user("admin", "admin", Some("system:masters"))?;
        self.user("node", &format!("system:node:{NODE_NAME}"), Some("system:nodes"))?;
        for name in [
            "kube-controller-manager",
            "kube-scheduler",
            "kube-proxy",
            "coredns",
        ] {
            self.user(name, &format!("system:{name}"), None)?;
        }
        let accounts = KeyPair::generate().context("cannot make a key")?;
        self.write_secret("pki/accounts.key", &accounts.serialize_pem())?;
        fs::write(self.folder.join("pki/accounts.pub"), accounts.public_key_pem())
            .context("cannot write a key")
    }

    fn server(&self, file: &str, name: &str, names: &[&str]) -> Result<()> {
        let names = names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let params = CertificateParams::new(names).context("cannot name a server")?;
        self.sign(file, name, None, params, ExtendedKeyUsagePurpose::ServerAuth)
    }

    fn client(&self, file: &str, name: &str, group: Option<&str>) -> Result<()> {
        let params = CertificateParams::default();
        self.sign(file, name, group, params, ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn sign(
        &self,
        file: &str,
        name: &str,
        group: Option<&str>,
        mut params: CertificateParams,
        usage: ExtendedKeyUsagePurpose,
    ) -> Result<()> {
        params.extended_key_usages = vec![usage];
        params.distinguished_name.push(DnType::CommonName, name);
        if let Some(group) = group {
            params.distinguished_name.push(DnType::OrganizationName, group);
        }
        let key = KeyPair::generate().context("cannot make a key")?;
        let certificate = params.signed_by(&key, &self.issuer).context("cannot sign")?;
        self.write_secret(&format!("pki/{file}.key"), &key.serialize_pem())?;
        fs::write(self.folder.join(format!("pki/{file}.crt")), certificate.pem()).context("cannot write it")
    }

    /// A certificate, and the kubeconfig that uses it.
    fn user(&self, file: &str, name: &str, group: Option<&str>) -> Result<()> {
        self.client(file, name, group)?;
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "e2e",
            "clusters": [{"name": "e2e", "cluster": {"server": API, "certificate-authority": "pki/ca.crt"}}],
            "users": [{"name": name, "user": {
                "client-certificate": format!("pki/{file}.crt"), "client-key": format!("pki/{file}.key"),
            }}],
            "contexts": [{"name": "e2e", "context": {"cluster": "e2e", "user": name}}],
        });
        let path = self.folder.join(format!("{file}.kubeconfig"));
        fs::write(&path, config.to_string()).with_context(|| format!("cannot write {}", path.display()))
    }

    fn write_secret(&self, name: &str, text: &str) -> Result<()> {
        write_secret(&self.folder.join(name), text)
    }
}

/// A new file that only its owner may read.
pub fn write_secret(path: &Path, text: &str) -> Result<()> {
    let write = || {
        let mut options = fs::File::options();
        let mut file = options.write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(text.as_bytes())
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}
