//! Where things are.
//!
//! In: the cache folder of `dev/install-tools`. Out: the paths in it, and those that are the same in every cluster.
//! What the cluster writes is in `e2e/run` of the cache, which its own namespace has as [`RUN`]: short enough for
//! sockets, open to the users that programs run as, and the same in all configuration files.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};

/// `e2e/run` of the cache, as the cluster sees it.
pub const RUN: &str = "/run/e2e";
/// The unpacked packages of `dev/node`, as the cluster sees them.
pub const NODE: &str = "/run/node";
/// The address of the machine in the cluster's network: pods, DNS, registry and PostgreSQL meet there.
pub const ADDRESS: &str = "10.88.0.1";
/// How the registry is reached from the machine, and from pods.
pub const REGISTRY: &str = "127.0.0.1:5000";

/// The folder of the pinned release of Crossplane; others have their number behind it.
pub const CROSSPLANE: &str = "crossplane";

/// The cache folder.
#[derive(Clone, Debug)]
pub struct Place {
    cache: PathBuf,
}

impl Place {
    /// The folder that was given, or the usual one.
    pub fn new(cache: Option<PathBuf>) -> Result<Self> {
        let usual = || {
            let caches = env::var_os("XDG_CACHE_HOME")
                .map(PathBuf::from)
                .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache")));
            Some(caches?.join("function-odoo"))
        };
        let cache = cache
            .or_else(usual)
            .context("cannot tell where the cache is: set HOME or FUNCTION_ODOO_CACHE")?;
        let cache = std::path::absolute(cache).context("cannot make the cache's path absolute")?;
        Ok(Self { cache })
    }

    /// The folder itself.
    pub fn cache(&self) -> &Path {
        &self.cache
    }

    /// A program of `dev/install-tools`.
    pub fn tool(&self, name: &str) -> PathBuf {
        self.cache.join("bin").join(name)
    }

    /// What `dev/node` has unpacked.
    pub fn node(&self) -> PathBuf {
        self.cache.join("node")
    }

    /// What `dev/cluster-images` has gathered.
    pub fn gathered(&self, name: &str) -> PathBuf {
        self.cache.join("cluster").join(name)
    }

    /// What it has gathered of the release of Crossplane that the running cluster is made with.
    pub fn crossplane(&self) -> PathBuf {
        let name = text(&self.crossplane_file()).unwrap_or_else(|| CROSSPLANE.to_owned());
        self.gathered(&name)
    }

    /// The file that names it, where it is not the pinned one.
    pub fn crossplane_file(&self) -> PathBuf {
        self.run().join(CROSSPLANE)
    }

    /// What `dev/odoo-image` has made.
    pub fn odoo_image(&self) -> PathBuf {
        self.cache.join("odoo-19/image.tar")
    }

    /// What is ours to write.
    pub fn home(&self) -> PathBuf {
        self.cache.join("e2e")
    }

    /// The state of the running cluster; gone with it.
    pub fn run(&self) -> PathBuf {
        self.home().join("run")
    }

    /// The logs of the running cluster, or of the last one.
    pub fn logs(&self) -> PathBuf {
        self.home().join("logs")
    }

    /// The log of this program.
    pub fn log(&self, name: &str) -> PathBuf {
        self.logs().join(format!("{name}.log"))
    }

    /// Who keeps the cluster, and the process that has its namespaces.
    pub fn keeper(&self) -> PathBuf {
        self.home().join("keeper")
    }

    /// There once everything is ready.
    pub fn ready(&self) -> PathBuf {
        self.run().join("ready")
    }

    /// The folder with the packages that the running cluster came up with.
    pub fn packages(&self) -> Result<PathBuf> {
        let path = text(&self.packages_file()).context("no cluster is up; start one with dev/up")?;
        Ok(PathBuf::from(path))
    }

    /// The file that names it.
    pub fn packages_file(&self) -> PathBuf {
        self.run().join("packages")
    }

    /// Which programs run, one a line; written by the supervisor.
    pub fn programs(&self) -> PathBuf {
        self.run().join("programs")
    }

    /// That everything which the cluster is made of is there.
    pub fn check(&self, packages: &Path) -> Result<()> {
        const TOOLS: [&str; 11] = [
            "kube-apiserver",
            "kube-controller-manager",
            "kube-scheduler",
            "kubelet",
            "kube-proxy",
            "kubectl",
            "coredns",
            "crane",
            "crossplane",
            "crossplane-core",
            "versitygw",
        ];
        let tools = TOOLS.map(|name| self.tool(name));
        let others = [
            self.node().join("bin/containerd"),
            self.gathered("crossplane/image.tar"),
            self.gathered("provider-sql.xpkg"),
            self.gathered("envoy-gateway.tar"),
            self.gathered("envoy.tar"),
            self.odoo_image(),
        ];
        for path in tools.iter().chain(&others) {
            ensure!(
                path.exists(),
                "{} is missing: run dev/install-tools --e2e",
                path.display()
            );
        }
        for name in ["function-odoo-amd64.xpkg", "configuration-odoo.xpkg"] {
            let path = packages.join(name);
            ensure!(path.exists(), "{} is missing: run dev/package", path.display());
        }
        Ok(())
    }
}

/// The text of a file, without the space around it; `None` when it cannot be read.
pub fn text(path: &Path) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}
