//! A template and a tenant of the Odoo that is here, until its login page comes through the gateway. The template stays
//! for the next run; it goes with the cluster.

use std::{env, fs, path::Path};

use crate::cluster::{Tenant, condition, curl, kubectl, object, psql, wait};

const VESNA: Tenant = Tenant {
    example: "starter",
    name: "vesna",
};
const TEMPLATE: &str = "basic-template-19.planapulse.app";

/// Applies an example as an object of Odoo 19 with other names.
fn apply(example: &str, changes: &[(&str, &str)]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples")
        .join(example)
        .join("xr.yaml");
    let mut text = fs::read_to_string(path).expect("it is an example");
    for (from, to) in changes {
        assert!(text.contains(from), "{example} has no {from}");
        text = text.replace(from, to);
    }
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{example}-19.yaml"));
    fs::write(&file, text).expect("the target directory is writable");
    kubectl(&["apply", "--filename", file.to_str().expect("the path is text")]).expect("it is valid");
}

#[test]
#[ignore = "needs the cluster of dev/up"]
fn a_tenant_is_served_by_its_name_through_the_gateway() {
    apply(
        "template",
        &[
            ("18", "19"),
            (
                "odooVersion: \"19\"",
                "odooVersion: \"19\"\n  modules: [base, web]",
            ),
        ],
    );
    wait("the template is available", || {
        let template = object(&["templatesnapshot", "basic-19"])?;
        (condition(&template, "Ready")?[0] == "True").then_some(())
    });
    let sealed = psql(&format!(
        "SELECT datistemplate, datallowconn FROM pg_database WHERE datname = '{TEMPLATE}'"
    ));
    assert_eq!(sealed, "t|f");
    VESNA.live(|vesna| {
        no_files_of_an_earlier_run(vesna);
        apply(
            "starter",
            &[("\"18\"", "\"19\""), ("acme", vesna.name), ("23", "19")],
        );
        let [_, reason, message] = wait("the gateway serves its route", || {
            vesna
                .condition("RouteReady")
                .filter(|[status, ..]| status == "True")
        });
        println!("RouteReady {reason}: {message}");
        login_page_is_whole(vesna);
        database_manager_is_closed(vesna);
    });
}

/// A tenant's files outlive it, and the next of its name is refused because of them.
fn no_files_of_an_earlier_run(tenant: Tenant) {
    let files = format!("/var/lib/odoo/filestore/{}", tenant.database());
    let remove = "import shutil, sys; shutil.rmtree(sys.argv[1], ignore_errors=True)";
    let python = "/usr/lib/odoo/venv/bin/python";
    let workers = [
        "exec",
        "--namespace",
        "plana-odoo-19",
        "deployment/worker-odoo",
        "--",
    ];
    kubectl(&[&workers[..], &[python, "-c", remove, &files]].concat()).expect("the workers have Python");
}

fn address(tenant: Tenant, path: &str) -> String {
    format!("https://{}.planapulse.app{path}", tenant.name)
}

fn login_page_is_whole(tenant: Tenant) {
    let page = curl(&[
        "--silent",
        "--show-error",
        "--fail",
        &address(tenant, "/web/login"),
    ])
    .expect("the login page is there");
    assert!(page.contains("name=\"login\""), "{page}");
    let style = page
        .split('"')
        .find(|word| word.contains("assets_frontend.min.css"))
        .expect("it has a stylesheet");
    let style = curl(&["--silent", "--show-error", "--fail", &address(tenant, style)]);
    assert!(style.expect("the stylesheet is there").len() > 10_000);
}

fn database_manager_is_closed(tenant: Tenant) {
    let headers = curl(&["--silent", "--head", &address(tenant, "/web/database/manager")])
        .expect("the gateway answers");
    assert!(headers.starts_with("HTTP/2 302"), "{headers}");
    let somebody_else = curl(&[
        "--silent",
        "--head",
        "https://nobody-here.planapulse.app/web/login",
    ]);
    let headers = somebody_else.expect("the gateway answers");
    assert!(headers.starts_with("HTTP/2 404"), "{headers}");
}
