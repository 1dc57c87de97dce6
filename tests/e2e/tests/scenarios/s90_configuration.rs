//! The Configuration is deleted while tenants live. Crossplane then deletes its kinds, and for that every `PLANAClient`: the
//! guards refuse, so the kinds wait, and the tenants go on being served by what is there.

use super::{
    access::{Browser, stored},
    cluster::{condition, has_database, kubectl, object},
    stage::play,
    templates::Template,
    tenant::Tenant,
    wait::wait,
};

#[test]
#[ignore = "needs the cluster of dev/up, and ends what it is for"]
fn s90_slow_the_configuration_is_deleted_and_the_tenants_stay() {
    let yew = Tenant::new("yew", 491);
    play("configuration: deleted under living tenants", &[&yew], || {
        Template::new("basic").ensure();
        yew.apply();
        yew.wait_ready();
        let keys = stored(&yew).len();
        let configuration = "configuration.pkg.crossplane.io/plana-pulse-configuration-odoo";
        kubectl(&["delete", configuration, "--wait=false"]).expect("it is there");
        wait("its kinds are on their way out", || {
            let definition = object(&["xrd", "planaclients.planapulse.com"])?;
            (condition(&definition, "Established")?[1] == "TerminatingCompositeResource").then_some(())
        });
        wait("nobody works on the tenant any more", || {
            (yew.condition("Synced")?[0] == "False").then_some(())
        });
        let page = Browser::new("yew").get(&yew.url("/web/login"));
        assert_eq!(page.status, 200, "it is served");
        assert!(has_database(&yew.database()), "the database stays");
        assert!(
            has_database(&Template::new("basic").database()),
            "the template stays"
        );
        assert_eq!(stored(&yew).len(), keys, "the backups stay");
    });
}
