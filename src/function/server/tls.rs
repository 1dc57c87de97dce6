//! Certificates: from the files that Crossplane mounts to what rustls serves with.
//!
//! In: a folder with `tls.crt`, `tls.key` and `ca.crt` in PEM, as in a Kubernetes TLS Secret. Out: an [`Identity`], or
//! [`Refused`] with every problem at once. A set is only taken when it is whole: both of two readings are equal, the
//! key belongs to the certificate, and there is an authority to check clients against.
//!
//! TLS 1.2 and 1.3; a client without a certificate of the authority is refused. No message shows a key.

mod validity;

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tokio_rustls::rustls::{
    self, RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
    server::{VerifierBuilderError, WebPkiClientVerifier, danger::ClientCertVerifier},
};

const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";
const AUTHORITIES: &str = "ca.crt";

/// What the server shows and whom it believes.
#[derive(Debug)]
pub struct Identity {
    /// Ready for handshakes.
    pub config: Arc<ServerConfig>,
    /// When the server's own certificate ends; `None` if it does not say so in a way we read.
    pub expires: Option<Timestamp>,
    digest: [u8; 32],
}

/// The certificates cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the certificates in {}: {}", .folder.display(), Listed(.problems))]
pub struct Refused {
    /// Where they are.
    pub folder: PathBuf,
    /// Everything that is wrong with them.
    pub problems: Vec<Problem>,
}

/// One thing that is wrong with the certificates.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// A file is missing or not for us to read.
    #[error("cannot read {file}: {source}")]
    Read {
        /// The file's name.
        file: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// The files changed between two readings.
    #[error("cannot use files that are being written")]
    Changing,
    /// A file is not PEM.
    #[error("cannot find PEM in {file}: {source}")]
    Pem {
        /// The file's name.
        file: &'static str,
        /// What the reader says.
        source: pem::Error,
    },
    /// A file has no certificate.
    #[error("cannot find a certificate in {file}")]
    NoCertificate {
        /// The file's name.
        file: &'static str,
    },
    /// A certificate of the authority is broken.
    #[error("cannot use an authority of {AUTHORITIES}: {0}")]
    Authority(rustls::Error),
    /// No client can be checked against these authorities.
    #[error("cannot verify clients against {AUTHORITIES}: {0}")]
    Verifier(VerifierBuilderError),
    /// Certificate and key are broken or do not belong together.
    #[error("cannot serve {CERTIFICATE} with {KEY}: {0}")]
    Pair(rustls::Error),
    /// The TLS versions that we want are not there.
    #[error("cannot set up TLS: {0}")]
    Versions(rustls::Error),
}

/// The bytes of the three files. Has the private key, so it has no `Debug`.
#[derive(PartialEq, Eq)]
struct Files {
    certificate: Vec<u8>,
    key: Vec<u8>,
    authorities: Vec<u8>,
}

/// Problems on one line.
struct Listed<'a>(&'a [Problem]);

/// Loads the certificates of `folder`.
pub fn load(folder: &Path) -> Result<Identity, Refused> {
    Files::read_settled(folder)
        .and_then(|files| files.identity())
        .map_err(refused(folder))
}

/// Loads the certificates of `folder` if the files differ from those that `served` came from.
pub fn load_changed(folder: &Path, served: &Identity) -> Result<Option<Identity>, Refused> {
    let files = Files::read_settled(folder).map_err(refused(folder))?;
    if files.digest() == served.digest {
        return Ok(None);
    }
    files.identity().map(Some).map_err(refused(folder))
}

fn refused(folder: &Path) -> impl FnOnce(Vec<Problem>) -> Refused {
    |problems| Refused {
        folder: folder.to_owned(),
        problems,
    }
}

impl Files {
    /// Reads twice: what is equal was not being written, nor was the folder replaced between two of the files.
    fn read_settled(folder: &Path) -> Result<Self, Vec<Problem>> {
        let first = Self::read(folder)?;
        if Self::read(folder)? == first {
            Ok(first)
        } else {
            Err(vec![Problem::Changing])
        }
    }

    fn read(folder: &Path) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut read = |file| {
            fs::read(folder.join(file)).unwrap_or_else(|source| {
                problems.push(Problem::Read { file, source });
                Vec::new()
            })
        };
        let files = Self {
            certificate: read(CERTIFICATE),
            key: read(KEY),
            authorities: read(AUTHORITIES),
        };
        if problems.is_empty() {
            Ok(files)
        } else {
            Err(problems)
        }
    }

    fn digest(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        for file in [&self.certificate, &self.key, &self.authorities] {
            digest.update(file.len().to_le_bytes());
            digest.update(file);
        }
        digest.finalize().into()
    }

    fn identity(&self) -> Result<Identity, Vec<Problem>> {
        let mut problems = Vec::new();
        let chain = keep(certificates(CERTIFICATE, &self.certificate), &mut problems);
        let key = keep(
            PrivateKeyDer::from_pem_slice(&self.key).map_err(|source| Problem::Pem { file: KEY, source }),
            &mut problems,
        );
        let verifier = keep(verifier(&self.authorities), &mut problems);
        let (Some(chain), Some(key), Some(verifier)) = (chain, key, verifier) else {
            return Err(problems);
        };
        let expires = chain.first().and_then(|certificate| validity::end(certificate));
        let config = config(chain, key, verifier).map_err(|problem| vec![problem])?;
        Ok(Identity {
            config: Arc::new(config),
            expires,
            digest: self.digest(),
        })
    }
}

/// Puts the problem aside, so that the next part is looked at too.
fn keep<T>(result: Result<T, Problem>, problems: &mut Vec<Problem>) -> Option<T> {
    result.map_err(|problem| problems.push(problem)).ok()
}

fn certificates(file: &'static str, bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, Problem> {
    let certificates = CertificateDer::pem_slice_iter(bytes)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|source| Problem::Pem { file, source })?;
    if certificates.is_empty() {
        Err(Problem::NoCertificate { file })
    } else {
        Ok(certificates)
    }
}

fn verifier(authorities: &[u8]) -> Result<Arc<dyn ClientCertVerifier>, Problem> {
    let mut roots = RootCertStore::empty();
    for authority in certificates(AUTHORITIES, authorities)? {
        roots.add(authority).map_err(Problem::Authority)?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::new(ring::default_provider()))
        .build()
        .map_err(Problem::Verifier)
}

fn config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    verifier: Arc<dyn ClientCertVerifier>,
) -> Result<ServerConfig, Problem> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(Problem::Versions)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .map_err(Problem::Pair)?;
    // gRPC clients insist on the name of HTTP/2 in the handshake.
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

impl fmt::Display for Listed<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(formatter, "{separator}{problem}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
pub mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

    use super::*;

    /// A folder of certificates that is removed in the end.
    pub struct Folder(PathBuf);

    impl Folder {
        /// An authority, and a certificate of it, as Crossplane makes them.
        pub fn with_new_certificates() -> Self {
            static NEXT: AtomicU32 = AtomicU32::new(0);
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let folder =
                std::env::temp_dir().join(format!("function-odoo-tls-{}-{number}", std::process::id()));
            fs::create_dir_all(&folder).unwrap();
            let folder = Self(folder);
            folder.write_new_certificates();
            folder
        }

        pub fn write_new_certificates(&self) {
            let mut parameters = CertificateParams::default();
            parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            let authority = CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap();
            let key = KeyPair::generate().unwrap();
            let name = "function-odoo.crossplane-system".to_owned();
            let certificate = CertificateParams::new([name])
                .unwrap()
                .signed_by(&key, &authority)
                .unwrap();
            self.write(AUTHORITIES, authority.pem());
            self.write(CERTIFICATE, certificate.pem());
            self.write(KEY, key.serialize_pem());
        }

        pub fn path(&self) -> &Path {
            &self.0
        }

        pub fn read(&self, file: &str) -> String {
            fs::read_to_string(self.0.join(file)).unwrap()
        }

        pub fn write(&self, file: &str, text: String) {
            fs::write(self.0.join(file), text).unwrap();
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_whole_set_is_loaded_and_an_unchanged_one_is_not_loaded_again() {
        let folder = Folder::with_new_certificates();
        let identity = load(folder.path()).unwrap();
        assert!(identity.expires.is_some());
        assert!(load_changed(folder.path(), &identity).unwrap().is_none());
        folder.write_new_certificates();
        assert!(load_changed(folder.path(), &identity).unwrap().is_some());
    }

    #[test]
    fn all_problems_are_named_at_once() {
        let folder = Folder::with_new_certificates();
        for file in [CERTIFICATE, KEY, AUTHORITIES] {
            fs::remove_file(folder.path().join(file)).unwrap();
        }
        let refused = load(folder.path()).unwrap_err();
        assert!(matches!(
            refused.problems[..],
            [Problem::Read { .. }, Problem::Read { .. }, Problem::Read { .. }]
        ));

        for file in [CERTIFICATE, KEY, AUTHORITIES] {
            folder.write(file, "nothing".to_owned());
        }
        let refused = load(folder.path()).unwrap_err();
        let expected = [CERTIFICATE, KEY, AUTHORITIES];
        assert_eq!(refused.problems.len(), expected.len(), "{refused}");
        for file in expected {
            assert!(refused.to_string().contains(file), "{refused}");
        }
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let folder = Folder::with_new_certificates();
        folder.write(KEY, Folder::with_new_certificates().read(KEY));
        assert!(matches!(
            load(folder.path()).unwrap_err().problems[..],
            [Problem::Pair(_)]
        ));
    }

    #[test]
    fn files_cut_anywhere_are_refused_or_load_without_their_last_line_end() {
        let folder = Folder::with_new_certificates();
        for file in [CERTIFICATE, KEY, AUTHORITIES] {
            let whole = folder.read(file);
            for length in (0..whole.trim_end().len()).step_by(7) {
                folder.write(file, whole[..length].to_owned());
                let refused = load(folder.path()).expect_err(file);
                assert!(!refused.to_string().contains("MII"), "{refused}");
            }
            folder.write(file, whole);
        }
        load(folder.path()).unwrap();
    }
}
