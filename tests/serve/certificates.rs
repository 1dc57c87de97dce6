//! Certificates in a folder that is laid out, and replaced, as Kubernetes does with a mounted Secret.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};

/// The name that Crossplane verifies: service and namespace.
pub const SERVER_NAME: &str = "function-odoo.crossplane-system";

static NEXT: AtomicU32 = AtomicU32::new(0);

/// An authority that signs servers and clients.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key, in PEM.
#[derive(Clone)]
pub struct Pair {
    pub certificate: String,
    pub key: String,
}

impl Authority {
    pub fn new() -> Self {
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        Self(CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap())
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    pub fn server(&self) -> Pair {
        self.sign(vec![SERVER_NAME.to_owned()], ExtendedKeyUsagePurpose::ServerAuth)
    }

    pub fn client(&self) -> Pair {
        self.sign(Vec::new(), ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn sign(&self, names: Vec<String>, usage: ExtendedKeyUsagePurpose) -> Pair {
        let mut parameters = CertificateParams::new(names).unwrap();
        parameters.extended_key_usages = vec![usage];
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, &self.0).unwrap().pem();
        Pair {
            certificate,
            key: key.serialize_pem(),
        }
    }
}

/// `tls.crt` and its like are links through `..data` to the folder of the moment.
pub struct Mounted(PathBuf);

impl Mounted {
    pub fn of(authority: &Authority) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder =
            std::env::temp_dir().join(format!("function-odoo-serve-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        for file in ["tls.crt", "tls.key", "ca.crt"] {
            symlink(Path::new("..data").join(file), folder.join(file)).unwrap();
        }
        let mounted = Self(folder);
        mounted.replace(&authority.server(), &authority.pem());
        mounted
    }

    /// Turns `..data` to a new folder with these files.
    pub fn replace(&self, pair: &Pair, authority: &str) {
        let name = format!("..{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let next = self.0.join(&name);
        fs::create_dir(&next).unwrap();
        fs::write(next.join("tls.crt"), &pair.certificate).unwrap();
        fs::write(next.join("tls.key"), &pair.key).unwrap();
        fs::write(next.join("ca.crt"), authority).unwrap();
        symlink(&name, self.0.join("..data_tmp")).unwrap();
        fs::rename(self.0.join("..data_tmp"), self.0.join("..data")).unwrap();
    }

    pub fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
