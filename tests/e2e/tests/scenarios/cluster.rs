//! The cluster from outside, as a person has it: kubectl, psql, patience.
//!
//! In: the program `cluster`, which was built with the tests. Out: objects, answers, and all that explains a failure.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    path::Path,
    process::{Command, Output},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(180);
const PAUSE: Duration = Duration::from_millis(500);
/// provider-sql's kind; other groups have Databases too.
pub const DATABASES: &str = "databases.postgresql.sql.crossplane.io";
/// Where the Jobs and workers of the examples' major are.
pub const NAMESPACE: &str = "plana-odoo-18";

fn cluster(action: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cluster"));
    command
        .arg(action)
        .args(arguments)
        .output()
        .expect("it was built with this test")
}

/// What kubectl prints, or its complaint.
pub fn kubectl(arguments: &[&str]) -> Result<String, String> {
    answer("kubectl", arguments)
}

/// What curl gets in the cluster's network, or its complaint.
pub fn curl(arguments: &[&str]) -> Result<String, String> {
    answer("curl", arguments)
}

fn answer(action: &str, arguments: &[&str]) -> Result<String, String> {
    let output = cluster(action, arguments);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(text(&output.stderr))
    }
}

/// An object, or a list of them; `None` as long as there is none.
pub fn object(arguments: &[&str]) -> Option<Value> {
    let mut all = vec!["get", "--output=json"];
    all.extend_from_slice(arguments);
    serde_json::from_str(&kubectl(&all).ok()?).ok()
}

/// What the superuser gets for a statement.
pub fn psql(statement: &str) -> String {
    let arguments = [
        "--no-psqlrc",
        "--tuples-only",
        "--no-align",
        "--set=ON_ERROR_STOP=1",
        "-c",
        statement,
    ];
    let output = cluster("psql", &arguments);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Looks until there is something to see.
pub fn wait<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(seen) = look() {
            println!("{what}: {:.1} s", started.elapsed().as_secs_f32());
            return seen;
        }
        assert!(
            started.elapsed() < LIMIT,
            "waited {} s in vain: {what}",
            LIMIT.as_secs()
        );
        thread::sleep(PAUSE);
    }
}

/// Status, reason and message of a condition.
pub fn condition(object: &Value, kind: &str) -> Option<[String; 3]> {
    let conditions = object.pointer("/status/conditions")?.as_array()?;
    let condition = conditions.iter().find(|condition| condition["type"] == kind)?;
    let field = |name: &str| condition[name].as_str().unwrap_or_default().to_owned();
    Some([field("status"), field("reason"), field("message")])
}

/// Waits until an object is gone.
pub fn wait_gone(kind: &str, name: &str) {
    wait(&format!("{kind} {name} is gone"), || {
        let seen = kubectl(&["get", kind, name]);
        seen.is_err_and(|problem| problem.contains("NotFound"))
            .then_some(())
    });
}

/// A tenant of the examples.
#[derive(Clone, Copy, Debug)]
pub struct Tenant {
    /// The example's folder.
    pub example: &'static str,
    /// Its name and subdomain.
    pub name: &'static str,
}

impl Tenant {
    /// Runs a scenario with it, from nothing to nothing; says everything about it when that fails.
    pub fn live(self, scenario: impl FnOnce(Self)) {
        let status = cluster("status", &[]);
        assert!(
            status.status.success(),
            "{}",
            String::from_utf8_lossy(&status.stdout)
        );
        self.remove();
        if let Err(problem) = catch_unwind(AssertUnwindSafe(|| scenario(self))) {
            self.explain();
            resume_unwind(problem);
        }
        self.remove();
    }

    /// The name of its database, and of the Database.
    pub fn database(self) -> String {
        format!("{}.planapulse.app", self.name)
    }

    /// Applies the example.
    pub fn apply(self) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../examples")
            .join(self.example)
            .join("xr.yaml");
        kubectl(&["apply", "--filename", path.to_str().expect("the path is text")]).expect("it is valid");
    }

    /// Status, reason and message of a condition of it.
    pub fn condition(self, kind: &str) -> Option<[String; 3]> {
        condition(&object(&["planaclient", self.name])?, kind)
    }

    /// Jobs or pods of one of its steps.
    pub fn of_step(self, kinds: &str, component: &str) -> Vec<Value> {
        let selector = format!(
            "planapulse.com/tenant={},app.kubernetes.io/component={component}",
            self.name
        );
        let list = object(&[kinds, "--namespace", NAMESPACE, "--selector", &selector]);
        list.and_then(|list| list["items"].as_array().cloned())
            .unwrap_or_default()
    }

    /// Removes it, and the database that outlives it on purpose.
    fn remove(self) {
        // The guard refuses the first time and has it deleted itself, so this may complain.
        let _ = kubectl(&[
            "delete",
            "planaclient",
            self.name,
            "--ignore-not-found",
            "--wait=false",
        ]);
        wait_gone("planaclient", self.name);
        wait_gone(DATABASES, &self.database());
        // Workers that have served it keep their sessions, as they do when a real tenant is deleted.
        psql(&format!(
            "DROP DATABASE IF EXISTS \"{}\" WITH (FORCE)",
            self.database()
        ));
    }

    fn explain(self) {
        let selector = format!("planapulse.com/tenant={}", self.name);
        let function = "pkg.crossplane.io/function=plana-pulse-function-odoo";
        let system = "--namespace=crossplane-system";
        for arguments in [
            &["describe", "planaclient", self.name][..],
            &["describe", DATABASES, &self.database()],
            &["get", "jobs,pods", "--all-namespaces", "--output=wide"],
            &["get", "events", "--all-namespaces", "--sort-by=.lastTimestamp"],
            &[
                "logs",
                "--namespace",
                NAMESPACE,
                "--selector",
                &selector,
                "--all-containers",
            ],
            &["logs", system, "--selector", &selector, "--all-containers"],
            &["logs", system, "--tail=50", "--selector", "app=crossplane"],
            &["logs", system, "--tail=50", "--selector", function],
        ] {
            println!("\n--- kubectl {}", arguments.join(" "));
            println!("{}", kubectl(arguments).unwrap_or_else(|problem| problem));
        }
    }
}
