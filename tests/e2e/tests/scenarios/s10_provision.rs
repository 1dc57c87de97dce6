//! From `kubectl apply` to a tenant that Odoo serves.

use serde_json::json;

use super::{
    access::{Browser, events, requests, stored},
    cluster::{NAMESPACE, SYSTEM, apply, condition, has_database, kubectl, object, psql, psql_in},
    manifests::secret,
    stage::play,
    templates::Template,
    tenant::Tenant,
    wait::wait,
};

const PASSWORD: &str = "correct horse 100% staple";
const BASIC: Template = Template::new("basic");

#[test]
#[ignore = "needs the cluster of dev/up"]
fn s10_a_starter_is_served_and_its_owner_logs_in() {
    let secret_name = "larch-first-password";
    let larch = Tenant::new("larch", 401).with(json!({"adminPasswordSecret": {"name": secret_name}}));
    play("provision: starter, from nothing to a login", &[&larch], || {
        BASIC.ensure();
        apply(&secret(SYSTEM, secret_name, "password", PASSWORD)).expect("it is valid");
        larch.apply();
        larch.wait_ready();
        is_published(&larch);
        let browser = Browser::new("larch");
        page_is_whole(&browser, &larch);
        assert_eq!(
            browser.get(&larch.url("/web/database/manager")).status,
            302,
            "it is blocked"
        );
        assert_eq!(browser.log_in(&larch, "owner@larch.example", "wrong"), None);
        let known_as = browser.log_in(&larch, "owner@larch.example", PASSWORD);
        assert_eq!(known_as.as_deref(), Some("owner@larch.example"));
        everybody_was_told(&larch);
        is_backed_up(&larch);
    });
}

#[test]
#[ignore = "needs the cluster of dev/up"]
fn s11_slow_pro_and_enterprise_come_from_their_own_templates() {
    let (alder, cedar) = (
        Tenant::new("alder", 411).tier("pro"),
        Tenant::new("cedar", 412).tier("enterprise"),
    );
    play("provision: pro and enterprise", &[&alder, &cedar], || {
        for code in ["pro", "enterprise"] {
            Template::new(code).ensure();
        }
        for (tenant, code, days) in [(&alder, "pro", "90"), (&cedar, "enterprise", "365")] {
            tenant.apply();
            tenant.wait_ready();
            let template = Template::new(code).database();
            let status = tenant.object().expect("it is there");
            assert_eq!(
                status.pointer("/status/database/template"),
                Some(&json!(template))
            );
            let backup = tenant.of("cronjobs", "backup", "backup");
            let printed = backup.first().expect("there are backups").to_string();
            assert!(printed.contains(days), "kept for {days} days: {printed}");
        }
    });
}

/// The page with its stylesheet; and nobody is served by another name.
fn page_is_whole(browser: &Browser, tenant: &Tenant) {
    let page = browser.get(&tenant.url("/web/login"));
    assert!(page.body.contains("name=\"login\""), "{}", page.body);
    let is_style = |word: &&str| word.contains("assets_frontend.min.css");
    let style = page.body.split('"').find(is_style).expect("it has a stylesheet");
    assert!(
        browser.get(&tenant.url(style)).body.len() > 10_000,
        "it is a stylesheet"
    );
    assert_eq!(
        browser.get("https://nobody-here.planapulse.app/web/login").status,
        404
    );
}

/// Given to the pool as the last act, and to nobody else.
fn is_published(tenant: &Tenant) {
    let name = tenant.database();
    let seen = psql(&format!(
        "SELECT datallowconn, rolname FROM pg_database JOIN pg_roles r ON r.oid = datdba WHERE datname = '{name}'"
    ));
    assert_eq!(seen, "t|plana");
    let owner = psql_in(&name, "SELECT subject || ' ' || state FROM planapulse.ownership");
    assert_eq!(owner, format!("{} ready", tenant.name));
    let route = object(&["httproute", &tenant.name, "--namespace", NAMESPACE]).expect("there is a route");
    assert_eq!(route.pointer("/spec/hostnames/0"), Some(&json!(name)));
}

/// The room, the portal, the ERP and the stream, each once.
fn everybody_was_told(tenant: &Tenant) {
    tenant.wait_told();
    for system in ["portal", "erp"] {
        let told = requests(system);
        let of_tenant = |line: &&serde_json::Value| line.to_string().contains(&tenant.database());
        let told: Vec<_> = told.iter().filter(of_tenant).collect();
        assert!(!told.is_empty(), "{system} was told");
        println!("          {system}: {}", told[0]);
    }
    let events = events(tenant);
    assert_eq!(events.len(), 1, "one event: {events:?}");
    assert_eq!(events[0]["type"], "client.provisioned");
}

/// A backup by hand, as docs/backups.md has it, is three objects with a manifest.
fn is_backed_up(tenant: &Tenant) {
    let job = format!("{}-by-hand", tenant.name);
    let from = format!("--from=cronjob/{}-backup", tenant.name);
    let _old = kubectl(&["delete", "job", "--namespace=backup", &job, "--ignore-not-found"]);
    kubectl(&["create", "job", "--namespace=backup", &job, &from]).expect("the CronJob is there");
    wait("a backup by hand is complete", || {
        let job = object(&["job", "--namespace=backup", &job])?;
        (condition(&job, "Complete")?[0] == "True").then_some(())
    });
    let keys = stored(tenant);
    println!("          in the bucket: {}", keys.join(" "));
    assert!(keys.iter().any(|key| key.contains("manifest")), "{keys:?}");
    assert!(keys.len() >= 3, "dump, filestore and manifest: {keys:?}");
    assert!(has_database(&tenant.database()), "a backup takes nothing");
}
