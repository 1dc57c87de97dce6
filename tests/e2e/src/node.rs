//! The node: registry, containerd, kubelet, proxy and name server.
//!
//! In: the API. Out: a node that is Ready, whose images come from the registry in here whatever host they name.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result, ensure};

use crate::{
    certificates::NODE_NAME,
    kubectl::Kubectl,
    place::{ADDRESS, Place, RUN},
    plane::listens,
    program::{Programs, node_tool},
};

const LIMIT: Duration = Duration::from_secs(60);

/// The configuration files, and where they go below [`RUN`].
const FILES: [(&str, &str); 5] = [
    ("kubelet.yaml", include_str!("../config/kubelet.yaml")),
    ("containerd.toml", include_str!("../config/containerd.toml")),
    (
        "registries/_default/hosts.toml",
        include_str!("../config/hosts.toml"),
    ),
    (
        "network/bridge.conflist",
        include_str!("../config/bridge.conflist"),
    ),
    ("Corefile", include_str!("../config/Corefile")),
];

/// Writes the configuration files.
pub fn configure() -> Result<()> {
    for (name, text) in FILES {
        let path = Path::new(RUN).join(name);
        let folder = path.parent().context("a file is in a folder")?;
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        fs::write(&path, text).with_context(|| format!("cannot write {name}"))?;
    }
    Ok(())
}

/// Starts what needs no API: the registry, and containerd with the images that no registry has.
pub fn start(programs: &mut Programs, place: &Place) -> Result<()> {
    let mut registry = programs.tool("crane");
    registry.args(["registry", "serve", "--address", "0.0.0.0:5000", "--disk"]);
    registry.arg(Path::new(RUN).join("registry"));
    fs::create_dir_all(Path::new(RUN).join("registry")).context("cannot make the registry's folder")?;
    programs.start("registry", registry)?;
    let mut containerd = node_tool("containerd");
    containerd.args(["--config", &format!("{RUN}/containerd.toml")]);
    programs.start("containerd", containerd)?;
    programs.wait("registry", LIMIT, || listens(5000))?;
    let answers = || {
        let mut command = ctr();
        command.arg("version").stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    programs.wait("containerd", LIMIT, answers)?;
    import(&[place.gathered("pause.tar"), place.crossplane().join("image.tar")])?;
    programs.say("the node's images are there");
    Ok(())
}

/// Gives the node images that no registry has.
pub fn import(images: &[PathBuf]) -> Result<()> {
    for path in images {
        let mut command = ctr();
        command
            .args(["--namespace", "k8s.io", "images", "import"])
            .arg(path);
        let output = command.output().context("cannot start ctr")?;
        ensure!(
            output.status.success(),
            "cannot import {}: {}",
            path.display(),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(())
}

fn ctr() -> std::process::Command {
    let mut command = node_tool("ctr");
    command.args(["--address", "/run/containerd.sock"]);
    command
}

/// Starts what needs the API, and waits until the node is Ready.
pub fn finish(programs: &mut Programs, kubectl: &Kubectl) -> Result<()> {
    kubectl.apply(include_str!("../manifests/coredns.yaml"))?;
    let mut kubelet = programs.tool("kubelet");
    kubelet.arg(format!("--config={RUN}/kubelet.yaml"));
    kubelet.arg(format!("--kubeconfig={RUN}/node.kubeconfig"));
    kubelet.args([
        &format!("--hostname-override={NODE_NAME}"),
        &format!("--node-ip={ADDRESS}"),
    ]);
    kubelet.args([
        &format!("--root-dir={RUN}/kubelet"),
        &format!("--cert-dir={RUN}/kubelet-certificates"),
    ]);
    programs.start("kubelet", kubelet)?;
    let mut proxy = programs.tool("kube-proxy");
    proxy.arg(format!("--kubeconfig={RUN}/kube-proxy.kubeconfig"));
    proxy.args(["--proxy-mode=nftables", "--cluster-cidr=10.88.0.0/24"]);
    proxy.arg(format!("--hostname-override={NODE_NAME}"));
    // These are the whole machine's, and not ours to set.
    for limit in [
        "max-per-core",
        "tcp-timeout-established",
        "tcp-timeout-close-wait",
    ] {
        proxy.arg(format!("--conntrack-{limit}=0"));
    }
    programs.start("kube-proxy", proxy)?;
    let mut names = programs.tool("coredns");
    names.args(["-conf", &format!("{RUN}/Corefile")]);
    programs.start("coredns", names)?;
    programs.wait("coredns", LIMIT, || listens(8181))?;
    programs.wait("kubelet", LIMIT, || listens(10248))?;
    kubectl.wait(&["node", NODE_NAME, "--for=condition=Ready"], LIMIT)?;
    programs.say("the node is Ready");
    Ok(())
}
