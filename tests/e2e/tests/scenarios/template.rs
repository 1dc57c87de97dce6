//! A tenant whose template is not there, and then is.

use crate::cluster::{Tenant, psql, wait};

const TEMPLATE: &str = "pro-template-18.planapulse.app";
const ASIDE: &str = "aside-18.planapulse.app";

fn rename(from: &str, to: &str) {
    psql(&format!("ALTER DATABASE \"{from}\" RENAME TO \"{to}\""));
}

fn is_there(database: &str) -> bool {
    psql(&format!(
        "SELECT count(*) FROM pg_database WHERE datname = '{database}'"
    )) == "1"
}

#[test]
#[ignore = "needs the cluster of dev/up"]
fn a_tenant_waits_for_its_template_and_goes_on_by_itself() {
    let tenant = Tenant {
        example: "pro",
        name: "borealis",
    };
    if !is_there(ASIDE) {
        rename(TEMPLATE, ASIDE);
    }
    tenant.live(|tenant| {
        tenant.apply();
        let [status, _, message] = wait("the tenant is told that its template is missing", || {
            tenant
                .condition("DatabaseReady")
                .filter(|[_, reason, _]| reason == "TemplateMissing")
        });
        println!("DatabaseReady={status} TemplateMissing: {message}");
        assert!(message.contains(TEMPLATE), "{message}");
        rename(ASIDE, TEMPLATE);
        // provider-sql tries again by itself, at the latest after a minute.
        let [_, reason, _] = wait("the clone is there, and the first Job", || {
            tenant
                .condition("DatabaseReady")
                .filter(|[_, reason, _]| reason.starts_with("Init") || reason == "Available")
        });
        println!("DatabaseReady {reason}");
        assert!(is_there(&tenant.database()));
    });
}
