//! The systems around a tenant: Redis, an S3 server, and doubles of Matrix, portal and ERP.
//!
//! In: the programs of the machine. Out: each as a program beside the cluster, known in it by the name of a Service, and
//! with a secret of this cluster's own, which is in a file for root and in the Secret that the Platform names.

use std::{
    collections::BTreeMap,
    env,
    fmt::Write as _,
    fs,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};

use crate::{
    certificates::write_secret,
    doubles::System,
    place::{ADDRESS, RUN},
    plane::listens,
    postgres::secret,
    program::{Programs, command},
};

const LIMIT: Duration = Duration::from_secs(30);
/// The folder with the secrets, below [`RUN`].
const SECRETS: &str = "secrets";
/// Files with secrets: Redis' password, the S3 server's secret key, and those of the doubles.
pub const REDIS: &str = "redis";
/// See [`REDIS`].
pub const S3: &str = "s3";
/// See [`REDIS`].
pub const MATRIX: &str = System::Matrix.name();
/// See [`REDIS`].
pub const PORTAL: &str = System::Portal.name();
/// See [`REDIS`].
pub const ERP: &str = System::Erp.name();
/// The public half of the S3 server's key.
pub const ACCESS_KEY: &str = "e2e-backups";
/// The Platform's default bucket.
pub const BUCKET: &str = "plana-pulse-backups";
/// The Platform's default region, which requests are signed for.
const REGION: &str = "bg-sof-1";
const REDIS_PORT: u16 = 6379;
const S3_PORT: u16 = 7070;
/// Where the S3 server keeps uploads until they are whole.
const UNFINISHED: &str = ".sgwtmp";

/// Service, namespace and port of each, as `platform-input.yaml` and the Platform's defaults have them.
const SERVICES: [(&str, &str, u16); 5] = [
    ("redis", "redis", REDIS_PORT),
    ("s3", "object-store", S3_PORT),
    ("matrix", "matrix", System::Matrix.port()),
    ("pulse-account-api", "pulse-account", System::Portal.port()),
    ("erp", "erp", System::Erp.port()),
];

/// Makes the secrets, and starts everything on them.
pub fn start(programs: &mut Programs) -> Result<()> {
    let run = Path::new(RUN);
    let secrets = run.join(SECRETS);
    let made = fs::DirBuilder::new().mode(0o700).create(&secrets);
    made.context("cannot make the folder of the secrets")?;
    for name in [REDIS, S3, MATRIX, PORTAL, ERP] {
        write_secret(&secrets.join(name), &secret()?)?;
    }
    start_redis(programs, run)?;
    start_s3(programs, run)?;
    let mut doubles = command(&env::current_exe().context("cannot tell what this program is")?);
    doubles.arg("doubles").arg(secrets);
    programs.start("doubles", doubles)
}

fn start_redis(programs: &mut Programs, run: &Path) -> Result<()> {
    let folder = run.join("redis");
    fs::create_dir(&folder).context("cannot make Redis' folder")?;
    let settings = folder.join("redis.conf");
    let password = secret_of(run, REDIS)?;
    let text = format!(
        "bind 127.0.0.1 {ADDRESS}\nport {REDIS_PORT}\nsave \"\"\nappendonly no\ndir {}\nrequirepass {password}\n",
        folder.display()
    );
    write_secret(&settings, &text)?;
    let mut redis = command(Path::new("redis-server"));
    redis.arg(settings);
    programs
        .start("redis", redis)
        .context("is there a redis-server? run dev/install-tools redis")
}

fn start_s3(programs: &mut Programs, run: &Path) -> Result<()> {
    let folder = run.join("s3");
    for path in [bucket(run), folder.join("users"), folder.join("versions")] {
        fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
    }
    let mut s3 = programs.tool("versitygw");
    // By the environment: arguments are everybody's to read.
    s3.env("ROOT_ACCESS_KEY_ID", ACCESS_KEY)
        .env("ROOT_SECRET_ACCESS_KEY", secret_of(run, S3)?);
    s3.args(["--port", &format!(":{S3_PORT}"), "--region", REGION]);
    // With users in a folder, an unknown key is refused as AWS refuses it.
    s3.arg("--iam-dir").arg(folder.join("users"));
    s3.args(["posix", "--versioning-dir"])
        .arg(folder.join("versions"))
        .arg(folder.join("buckets"));
    programs.start("s3", s3)
}

/// Waits until all of them answer.
pub fn finish(programs: &mut Programs) -> Result<()> {
    programs.wait("redis", LIMIT, || listens(REDIS_PORT))?;
    programs.wait("s3", LIMIT, || listens(S3_PORT))?;
    programs.wait("doubles", LIMIT, || {
        System::ALL.into_iter().all(|system| listens(system.port()))
    })
}

/// The names by which pods reach them: Services whose endpoint is the machine.
pub fn manifests() -> String {
    let mut text = String::new();
    for (name, namespace, port) in SERVICES {
        // Writing to a string does not fail.
        let _ = write!(
            text,
            "apiVersion: v1
kind: Namespace
metadata: {{name: {namespace}}}
---
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  ports: [{{name: tcp, port: {port}}}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: {name}
  namespace: {namespace}
  labels: {{kubernetes.io/service-name: {name}}}
addressType: IPv4
ports: [{{name: tcp, port: {port}}}]
endpoints: [{{addresses: [{ADDRESS}]}}]
---
"
        );
    }
    text
}

/// One of the secrets, of the cluster whose state is there.
pub fn secret_of(run: &Path, name: &str) -> Result<String> {
    let path = run.join(SECRETS).join(name);
    fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}

/// Where the S3 server has the objects of the bucket.
pub fn bucket(run: &Path) -> PathBuf {
    run.join("s3/buckets").join(BUCKET)
}

/// The keys in a bucket, with sizes in bytes.
pub fn objects(bucket: &Path) -> Result<BTreeMap<String, u64>> {
    let (mut objects, mut folders) = (BTreeMap::new(), vec![bucket.to_owned()]);
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
        for entry in entries.flatten() {
            let path = entry.path();
            let key = path.strip_prefix(bucket).context("it is below it")?;
            let metadata = entry
                .metadata()
                .with_context(|| format!("cannot read {}", key.display()))?;
            if key == Path::new(UNFINISHED) {
                continue;
            }
            if metadata.is_dir() {
                folders.push(path);
            } else {
                objects.insert(key.to_string_lossy().into_owned(), metadata.len());
            }
        }
    }
    Ok(objects)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_input_of_the_cluster_names_the_services_that_there_are() {
        let platform = include_str!("../manifests/platform-input.yaml");
        let defaults = include_str!("../../../function/package/input/platform.yaml");
        for (name, namespace, port) in SERVICES {
            let address = format!("{name}.{namespace}:{port}");
            assert!(
                platform.contains(&address) || defaults.contains(&address),
                "{address}"
            );
        }
        assert!(defaults.contains(&format!("default: {BUCKET}")));
        assert!(defaults.contains(&format!("default: {REGION}")));
    }

    #[test]
    fn objects_are_the_files_below_the_bucket_that_are_whole() {
        let bucket = env::temp_dir().join(format!("function-odoo-e2e-bucket-{}", std::process::id()));
        for (path, text) in [("acme/a.dump", "123"), (".sgwtmp/part", "1"), ("b", "")] {
            let path = bucket.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let found = objects(&bucket);
        fs::remove_dir_all(&bucket).unwrap();
        let expected = [("acme/a.dump".to_owned(), 3), ("b".to_owned(), 0)];
        assert_eq!(found.unwrap(), BTreeMap::from(expected));
    }
}
