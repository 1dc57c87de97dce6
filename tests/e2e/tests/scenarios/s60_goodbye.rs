//! A tenant that goes.

use super::{
    cluster::{NAMESPACE, has_database, items, kubectl},
    stage::play,
    templates::Template,
    tenant::Tenant,
    wait::wait_gone,
};

const BASIC: Template = Template::new("basic");

#[test]
#[ignore = "needs the cluster of dev/up"]
fn s60_a_deletion_is_refused_once_and_leaves_the_data() {
    let fir = Tenant::new("fir", 471);
    play("goodbye: the objects go, the data stay", &[&fir], || {
        BASIC.ensure();
        fir.apply();
        fir.wait_ready();
        let refusal =
            kubectl(&["delete", "planaclient", &fir.name, "--wait=false"]).expect_err("the guard refuses");
        println!("          {refusal}");
        assert!(refusal.contains("in-use by 1 usage"), "{refusal}");
        wait_gone("planaclient", &fir.name);
        let selector = format!("planapulse.com/tenant={}", fir.name);
        for kinds in ["jobs,httproutes", "pods"] {
            let left = items(&[kinds, "--namespace", NAMESPACE, "--selector", &selector]);
            assert!(left.is_empty(), "{left:?}");
        }
        assert!(has_database(&fir.database()), "the data stay");
    });
}
