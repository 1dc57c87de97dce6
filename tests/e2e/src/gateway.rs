//! The gateway that tenants are reached through: the real Envoy Gateway, and the Envoy that it starts.
//!
//! In: the images of `dev/cluster-images`. Out: PLANA's Gateway, with a certificate of the cluster's authority for all
//! tenants, at an address that never changes: one machine has no load balancer to give it one.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context, Result};
use serde_json::json;

use crate::{
    kubectl::Kubectl,
    node,
    place::{Place, RUN},
    platform::secret,
    program::Programs,
};

const LIMIT: Duration = Duration::from_secs(180);
/// The address of the Gateway's Service, out of those that Kubernetes gives to nobody by itself.
pub const ADDRESS: &str = "10.0.0.10";
const NAMESPACE: &str = "plana-odoo";
/// The Secret that the Gateway's listener names.
const CERTIFICATE: &str = "planapulse-app";
const MANIFEST: &str = include_str!("../manifests/gateway.yaml");

/// Applies all of it; it comes up while the packages install.
pub fn start(programs: &Programs, place: &Place, kubectl: &Kubectl) -> Result<()> {
    node::import(&["envoy-gateway.tar", "envoy.tar"].map(|image| place.gathered(image)))?;
    for kinds in ["gateway-api", "envoy-gateway"] {
        kubectl.apply_path(&place.gathered(kinds))?;
    }
    for kind in [
        "crd/gateways.gateway.networking.k8s.io",
        "crd/gatewayclasses.gateway.networking.k8s.io",
        "crd/envoyproxies.gateway.envoyproxy.io",
    ] {
        kubectl.wait(&[kind, "--for=condition=Established"], LIMIT)?;
    }
    kubectl.apply(MANIFEST)?;
    let read = |file: &str| {
        fs::read_to_string(Path::new(RUN).join("pki").join(file))
            .with_context(|| format!("cannot read {file}"))
    };
    let pair = json!({"tls.crt": read("gateway.crt")?, "tls.key": read("gateway.key")?});
    kubectl.apply(&secret(CERTIFICATE, NAMESPACE, "kubernetes.io/tls", &pair).to_string())?;
    programs.say("the gateway is applied");
    Ok(())
}

/// Waits until Envoy serves the Gateway.
pub fn finish(programs: &Programs, kubectl: &Kubectl) -> Result<()> {
    let gateway = "gateway.gateway.networking.k8s.io/eg-gateway";
    kubectl.wait(&["-n", NAMESPACE, gateway, "--for=condition=Programmed"], LIMIT)?;
    programs.say("the gateway is programmed");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_has_the_same_address_and_the_same_certificate() {
        assert!(MANIFEST.contains(&format!("clusterIP: {ADDRESS}}}")));
        assert!(MANIFEST.contains(&format!("certificateRefs: [{{name: {CERTIFICATE}}}]")));
        assert!(include_str!("../config/Corefile").contains(&format!("IN A {ADDRESS}\"")));
    }
}
