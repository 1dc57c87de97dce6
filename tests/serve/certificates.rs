//! Certificates in a folder that is laid out, and replaced, as Kubernetes does with a mounted Secret.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Stdio},
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

/// As Crossplane makes them: RSA of 2048 bits, keys in PKCS#1, one serial number for all. Needs the openssl program, since
/// the Rust libraries at hand make no RSA keys; `None` without it.
pub fn rsa() -> Option<Rsa> {
    let folder = std::env::temp_dir().join(format!("function-odoo-rsa-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let made = Command::new("sh")
        .current_dir(&folder)
        .args(["-ec", MAKE_RSA])
        .stderr(Stdio::null())
        .status();
    let read = |file: &str| fs::read_to_string(folder.join(file)).unwrap();
    let rsa = made.unwrap().success().then(|| Rsa {
        authority: read("ca.crt"),
        server: Pair {
            certificate: read("server.crt"),
            key: read("server.key"),
        },
        client: Pair {
            certificate: read("client.crt"),
            key: read("client.key"),
        },
    });
    fs::remove_dir_all(&folder).unwrap();
    rsa
}

/// The three certificates that Crossplane makes, in PEM.
pub struct Rsa {
    pub authority: String,
    pub server: Pair,
    pub client: Pair,
}

const MAKE_RSA: &str = r"
openssl version >/dev/null
openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -days 3650 -set_serial 1 -subj /O=Crossplane
for who in server client; do
    openssl genrsa -traditional -out $who.key 2048
    grep -q 'BEGIN RSA PRIVATE KEY' $who.key
    printf 'extendedKeyUsage=%sAuth\nsubjectAltName=DNS:%s\n' $who function-odoo.crossplane-system >$who.ext
    openssl req -new -key $who.key -subj /O=Crossplane |
        openssl x509 -req -CA ca.crt -CAkey ca.key -set_serial 1 -days 3650 -extfile $who.ext -out $who.crt
done
";

/// `tls.crt` and its like are links through `..data` to the folder of the moment.
pub struct Mounted(PathBuf);

impl Mounted {
    pub fn of(authority: &Authority) -> Self {
        Self::with(&authority.server(), &authority.pem())
    }

    pub fn with(pair: &Pair, authority: &str) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder =
            std::env::temp_dir().join(format!("function-odoo-serve-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        for file in ["tls.crt", "tls.key", "ca.crt"] {
            symlink(Path::new("..data").join(file), folder.join(file)).unwrap();
        }
        let mounted = Self(folder);
        mounted.replace(pair, authority);
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
