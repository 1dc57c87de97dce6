//! Templates: missing, built, and built anew while a tenant is cloned.

use super::{
    cluster::{has_database, psql, psql_in, text},
    stage::play,
    templates::{MODULES, Template},
    tenant::Tenant,
};

const PRO: Template = Template::new("pro");
const BASIC: Template = Template::new("basic");
const ASIDE: &str = "aside-19.planapulse.app";

fn rename(from: &str, to: &str) {
    psql(&format!("ALTER DATABASE \"{from}\" RENAME TO \"{to}\""));
}

#[test]
#[ignore = "needs the cluster of dev/up"]
fn s20_a_tenant_waits_for_its_template_and_goes_on_by_itself() {
    let maple = Tenant::new("maple", 421).tier("pro");
    play("template: missing, then there", &[&maple], || {
        PRO.ensure();
        if !has_database(ASIDE) {
            rename(&PRO.database(), ASIDE);
        }
        maple.apply();
        let [_, _, message] = maple.wait_reason("DatabaseReady", &["TemplateMissing"]);
        assert!(message.contains(&PRO.database()), "{message}");
        rename(ASIDE, &PRO.database());
        // provider-sql tries again by itself, at the latest after a minute.
        maple.wait_ready();
    });
}

#[test]
#[ignore = "needs the cluster of dev/up"]
fn s21_a_template_is_built_anew_while_tenants_are_cloned_from_it() {
    let tenants = [431, 432, 433].map(|number| Tenant::new(&format!("rowan-{number}"), number));
    let cast: Vec<_> = tenants.iter().collect();
    play("template: built anew while cloned", &cast, || {
        BASIC.ensure();
        let oid = |database: &str| {
            psql(&format!(
                "SELECT oid FROM pg_database WHERE datname = '{database}'"
            ))
        };
        let before = oid(&BASIC.database());
        let mut modules = MODULES.to_vec();
        let is_extended = BASIC
            .object()
            .is_some_and(|object| object.to_string().contains("\"bus\",\"contacts\""));
        modules.push(if is_extended { "contacts" } else { "bus" });
        if !is_extended {
            modules.push("contacts");
        }
        BASIC.apply(&modules);
        for tenant in &tenants {
            tenant.apply();
        }
        for tenant in &tenants {
            tenant.wait_ready();
        }
        BASIC.wait_available();
        assert_ne!(oid(&BASIC.database()), before, "another database has the name");
        let object = BASIC.object().expect("it is there");
        println!("          the template: {}", text(&object, "/status/database"));
        for tenant in &tenants {
            let marker = psql_in(
                &tenant.database(),
                "SELECT subject || ' ' || state FROM planapulse.ownership",
            );
            assert_eq!(marker, format!("{} ready", tenant.name));
        }
    });
}
