//! TLS of all connections: rustls with ring, the public authorities, and those that the platform adds.
//!
//! In: certificates in PEM, from a Secret or from the file that `SSL_CERT_FILE` names. Out: the one configuration that
//! PostgreSQL, HTTP and the object store use. The image has no certificate files, so the public roots are compiled in.

use std::{env, fs, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, pem::PemObject as _},
};

use super::{
    failure::{Attempted, Failure},
    secrets::Secret,
};

/// The file with further authorities, as OpenSSL and most programs read it.
pub const AUTHORITIES_VARIABLE: &str = "SSL_CERT_FILE";

/// The one provider of cryptography.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// The authorities that are believed: the public ones, those of `SSL_CERT_FILE`, and these.
pub fn authorities(further: Option<&Secret>) -> Attempted<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    if let Some(path) = env::var_os(AUTHORITIES_VARIABLE).filter(|path| !path.is_empty()) {
        let pem = fs::read(&path).map_err(|error| {
            unusable(&format!(
                "{AUTHORITIES_VARIABLE} names {}: {error}",
                path.display()
            ))
        })?;
        add(&mut roots, &pem, AUTHORITIES_VARIABLE)?;
    }
    if let Some(further) = further {
        add(&mut roots, further.expose().as_bytes(), "the Secret's ca.crt")?;
    }
    Ok(roots)
}

/// A client that checks the server's certificate and name.
pub fn client(further: Option<&Secret>) -> Attempted<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(&error.to_string()))?;
    Ok(builder
        .with_root_certificates(authorities(further)?)
        .with_no_client_auth())
}

fn add(roots: &mut RootCertStore, pem: &[u8], origin: &str) -> Attempted<()> {
    let mut count = 0;
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| unusable(&format!("{origin}: {error}")))?;
        roots
            .add(certificate)
            .map_err(|error| unusable(&format!("{origin}: {error}")))?;
        count += 1;
    }
    if count == 0 {
        return Err(unusable(&format!("{origin} has no certificate in PEM")));
    }
    Ok(())
}

fn unusable(what: &str) -> Failure {
    Failure::give_up(
        "AuthoritiesUnusable",
        format!("cannot read the certificate authorities: {what}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_authorities_are_there() {
        assert!(authorities(None).unwrap().len() > 50);
    }

    #[test]
    fn what_is_no_certificate_is_refused() {
        let failure = authorities(Some(&Secret::new("not PEM".to_owned()))).unwrap_err();
        assert_eq!(failure.reason, "AuthoritiesUnusable");
    }
}
