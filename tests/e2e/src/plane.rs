//! The control plane: etcd, the API server, and the two that act on what it holds.
//!
//! In: the certificates. Out: an API that answers, with service accounts, RBAC and the node's own rights.

use std::{
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::Result;

use crate::{
    kubectl::Kubectl,
    place::{ADDRESS, RUN},
    program::{Programs, node_tool},
};

const LIMIT: Duration = Duration::from_secs(120);
const ETCD: &str = "http://127.0.0.1:2379";
const ETCD_PEER: &str = "http://127.0.0.1:2380";
const PROBE: Duration = Duration::from_millis(200);

/// Starts etcd and, once that answers, the API server, which takes seconds: others can start meanwhile.
pub fn start(programs: &mut Programs) -> Result<()> {
    let mut etcd = node_tool("etcd");
    etcd.args(["--data-dir", &format!("{RUN}/etcd"), "--unsafe-no-fsync"]);
    etcd.args(["--listen-client-urls", ETCD, "--advertise-client-urls", ETCD]);
    etcd.args([
        "--listen-peer-urls",
        ETCD_PEER,
        "--initial-advertise-peer-urls",
        ETCD_PEER,
    ]);
    etcd.args(["--initial-cluster", &format!("default={ETCD_PEER}")]);
    programs.start("etcd", etcd)?;
    programs.wait("etcd", LIMIT, || listens(2379))?;
    let pki = |name: &str| format!("{RUN}/pki/{name}");
    let mut api = programs.tool("kube-apiserver");
    api.arg(format!("--etcd-servers={ETCD}"));
    api.args([
        "--bind-address=0.0.0.0",
        &format!("--advertise-address={ADDRESS}"),
        "--secure-port=6443",
    ]);
    api.arg(format!("--tls-cert-file={}", pki("apiserver.crt")));
    api.arg(format!("--tls-private-key-file={}", pki("apiserver.key")));
    api.arg(format!("--client-ca-file={}", pki("ca.crt")));
    api.args([
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
    ]);
    api.arg("--service-account-issuer=https://kubernetes.default.svc");
    api.arg(format!("--service-account-key-file={}", pki("accounts.pub")));
    api.arg(format!(
        "--service-account-signing-key-file={}",
        pki("accounts.key")
    ));
    api.arg("--service-cluster-ip-range=10.0.0.0/24");
    api.arg(format!("--kubelet-certificate-authority={}", pki("ca.crt")));
    api.arg(format!(
        "--kubelet-client-certificate={}",
        pki("apiserver-kubelet.crt")
    ));
    api.arg(format!("--kubelet-client-key={}", pki("apiserver-kubelet.key")));
    api.arg("--kubelet-preferred-address-types=InternalIP");
    programs.start("kube-apiserver", api)
}

/// Waits for the API server, and starts those that need it.
pub fn finish(programs: &mut Programs, kubectl: &Kubectl) -> Result<()> {
    programs.wait("kube-apiserver", LIMIT, || kubectl.is_ready())?;
    let config = |name: &str| format!("{RUN}/{name}.kubeconfig");
    let mut manager = programs.tool("kube-controller-manager");
    let name = "kube-controller-manager";
    for flag in [
        "kubeconfig",
        "authentication-kubeconfig",
        "authorization-kubeconfig",
    ] {
        manager.arg(format!("--{flag}={}", config(name)));
    }
    manager.arg(format!(
        "--service-account-private-key-file={RUN}/pki/accounts.key"
    ));
    manager.arg(format!("--root-ca-file={RUN}/pki/ca.crt"));
    manager.args([
        "--use-service-account-credentials",
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
    ]);
    manager.arg("--controllers=*,-nodeipam,-service-lb-controller,-node-route-controller");
    programs.start(name, manager)?;
    let mut scheduler = programs.tool("kube-scheduler");
    let name = "kube-scheduler";
    for flag in [
        "kubeconfig",
        "authentication-kubeconfig",
        "authorization-kubeconfig",
    ] {
        scheduler.arg(format!("--{flag}={}", config(name)));
    }
    scheduler.arg("--authentication-skip-lookup=true");
    scheduler.args(["--leader-elect=false", "--bind-address=127.0.0.1"]);
    programs.start(name, scheduler)
}

/// Whether somebody listens on this port of the loopback interface.
pub fn listens(port: u16) -> bool {
    TcpStream::connect_timeout(&SocketAddr::from(([127, 0, 0, 1], port)), PROBE).is_ok()
}
