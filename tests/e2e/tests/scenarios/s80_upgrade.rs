//! The packages are upgraded under a living tenant, and go back again.

use serde_json::json;

use super::{
    access::{Browser, events, look},
    cluster::{FUNCTION_PODS, SYSTEM, items, kubectl, object, text},
    stage::play,
    templates::Template,
    tenant::Tenant,
    wait::wait,
};

const NEXT: &str = "v0.1.1";
const PACKAGES: [(&str, &str); 2] = [
    ("function.pkg.crossplane.io", "function-odoo"),
    ("configuration.pkg.crossplane.io", "configuration-odoo"),
];

fn install(tag: &str) {
    for (kind, name) in PACKAGES {
        let package = format!("git.planapulse.com/plana-pulse/{name}:{tag}");
        let patch = json!({"spec": {"package": package}}).to_string();
        let object_name = format!("plana-pulse-{name}");
        kubectl(&["patch", kind, &object_name, "--type=merge", "--patch", &patch]).expect("it is installed");
    }
    wait(&format!("all replicas of the function are {tag}"), || {
        let pods = items(&["pods", "--namespace", SYSTEM, "--selector", FUNCTION_PODS]);
        let are_new = pods
            .iter()
            .all(|pod| text(pod, "/spec/containers/0/image").ends_with(tag));
        (are_new && pods.len() == 2).then_some(())
    });
    wait(&format!("the Compositions are {tag}"), || {
        let revisions = items(&["configurationrevisions"]);
        let active = revisions
            .iter()
            .find(|revision| text(revision, "/spec/desiredState") == "Active")?;
        let healthy = active.to_string().contains("\"HealthyPackageRevision\"");
        (healthy && text(active, "/spec/image").ends_with(tag)).then_some(())
    });
}

/// The tenant's Jobs, by name and uid.
fn jobs(tenant: &Tenant) -> Vec<(String, String)> {
    let selector = format!("planapulse.com/tenant={}", tenant.name);
    let all = items(&["jobs", "--all-namespaces", "--selector", &selector]);
    all.iter()
        .map(|job| {
            (
                text(job, "/metadata/name").to_owned(),
                text(job, "/metadata/uid").to_owned(),
            )
        })
        .collect()
}

#[test]
#[ignore = "needs the cluster of dev/up"]
fn s80_the_packages_are_upgraded_and_go_back_and_nothing_runs_again() {
    let sorbus = Tenant::new("sorbus", 481);
    play(
        "upgrade: next release and back under a living tenant",
        &[&sorbus],
        || {
            Template::new("basic").ensure();
            sorbus.apply();
            sorbus.wait_ready();
            sorbus.wait_told();
            let (done, jobs_before) = (sorbus.done(), jobs(&sorbus));
            println!("          {}", look("release", &[NEXT]));
            for tag in [NEXT, "v0.1.0"] {
                install(tag);
                let backup = || {
                    let backup = object(&["cronjob", "sorbus-backup", "--namespace=backup"])?;
                    backup
                        .to_string()
                        .contains(&format!("function-odoo:{tag}"))
                        .then_some(())
                };
                wait(&format!("the backups of the tenant are by {tag}"), backup);
                assert_eq!(sorbus.done(), done, "no step was done again");
                for job in jobs(&sorbus) {
                    assert!(jobs_before.contains(&job), "a new Job: {job:?}");
                }
                assert_eq!(events(&sorbus).len(), 1, "no event was sent again");
                let page = Browser::new("sorbus").get(&sorbus.url("/web/login"));
                assert_eq!(page.status, 200, "it is served all the time");
            }
            sorbus.wait_ready();
        },
    );
}
