//! The Configuration is deleted while a tenant lives: everything that Crossplane made goes, and not a byte of data.

use super::{
    access::stored,
    cluster::{DATABASES, has_database, kubectl, object},
    stage::play,
    templates::Template,
    tenant::Tenant,
    wait::{wait, wait_gone},
};

#[test]
#[ignore = "needs the cluster of dev/up, and ends what it is for"]
fn s90_slow_the_configuration_is_deleted_and_the_data_stay() {
    let yew = Tenant::new("yew", 491);
    play("configuration: deleted under a living tenant", &[&yew], || {
        Template::new("basic").ensure();
        yew.apply();
        yew.wait_ready();
        let keys = stored(&yew).len();
        let configuration = "configuration.pkg.crossplane.io/plana-pulse-configuration-odoo";
        kubectl(&["delete", configuration, "--wait=false"]).expect("it is there");
        wait_gone("crd", "planaclients.planapulse.com");
        wait("the tenant's Database is gone", || {
            object(&[DATABASES, &yew.database()]).is_none().then_some(())
        });
        wait("the tenant's route is gone", || {
            object(&["httproute", &yew.name, "--namespace=plana-odoo-19"])
                .is_none()
                .then_some(())
        });
        assert!(has_database(&yew.database()), "the database stays");
        assert!(
            has_database(&Template::new("basic").database()),
            "the template stays"
        );
        assert_eq!(stored(&yew).len(), keys, "the backups stay");
    });
}
