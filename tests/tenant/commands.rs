//! What a pod of ours is given as arguments is what odoo-job reads back, whatever the values are.

use function_odoo::contract::{self, BackupPurpose, Command, Compression};
use proptest::prelude::*;

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[-=' \"\\\\\n\t$(){}äЖ\u{1F600}]{0,8}",
        Just(String::new()),
        Just("--owner-name=x".to_owned()),
    ]
}

fn any_texts<const N: usize>() -> impl Strategy<Value = [String; N]> {
    prop::collection::vec(any_text(), N).prop_map(|texts| texts.try_into().unwrap())
}

fn any_list() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(any_text(), 0..3)
}

prop_compose! {
    fn any_server()(
        database_host in any_text(),
        database_port in any::<u16>(),
        ssl_mode in prop::sample::select(&["disable", "require", "verify-ca", "verify-full"][..]),
    ) -> contract::Server {
        contract::Server { database_host, database_port, database_ssl_mode: ssl_mode.to_owned() }
    }
}

prop_compose! {
    fn any_roles()([application_role, maintenance_role] in any_texts()) -> contract::Roles {
        contract::Roles { application_role, maintenance_role }
    }
}

prop_compose! {
    fn any_database()(
        server in any_server(),
        [slug, database, marker] in any_texts(),
    ) -> contract::TenantDatabase {
        contract::TenantDatabase { server, slug, database, marker }
    }
}

prop_compose! {
    fn any_store()([endpoint, region, bucket] in any_texts()) -> contract::Store {
        contract::Store { endpoint, region, bucket }
    }
}

prop_compose! {
    fn any_facts()(
        [subdomain, tier, owner_email, owner_name, tenant_url] in any_texts(),
        project_id in any::<i64>(),
        odoo_version in any::<u32>(),
    ) -> contract::TenantFacts {
        contract::TenantFacts { subdomain, project_id, tier, odoo_version, owner_email, owner_name, tenant_url }
    }
}

prop_compose! {
    fn any_init()(
        (tenant, roles) in (any_database(), any_roles()),
        (adopt, template) in (prop::option::of(any_text()), prop::option::of(any_text())),
        module in any_list(),
        odoo_version in any::<u32>(),
        [host, owner_email, owner_name, data_directory] in any_texts(),
    ) -> Command {
        Command::TenantInit(contract::TenantInit {
            tenant, roles, adopt, template, module, odoo_version, host, owner_email, owner_name, data_directory,
        })
    }
}

prop_compose! {
    fn any_access()(
        (tenant, roles, store) in (any_database(), any_roles(), any_store()),
        odoo_version in any::<u32>(),
        [final_backup, data_directory, workers_url, host] in any_texts(),
        which in 0..5,
    ) -> Command {
        match which {
            0 => Command::TenantSuspend(contract::TenantSuspend { tenant, roles }),
            1 => Command::TenantResume(contract::TenantResume { tenant, roles, odoo_version }),
            2 => Command::TenantRelease(contract::TenantRelease { tenant, roles, final_backup, store }),
            3 => Command::TenantSmoke(contract::TenantSmoke { tenant, workers_url, host, odoo_version }),
            _ => Command::FilestoreRemove(contract::FilestoreRemove {
                tenant, roles, data_directory, final_backup, store,
            }),
        }
    }
}

prop_compose! {
    fn any_template()(
        (server, roles) in (any_server(), any_roles()),
        module in prop::collection::vec(any_text(), 1..3),
        odoo_version in any::<u32>(),
        [database, marker, template_code, revision, data_directory] in any_texts(),
        remove in any::<bool>(),
    ) -> Command {
        if remove {
            Command::TemplateRemove(contract::TemplateRemove { server, roles, database, marker, data_directory })
        } else {
            Command::TemplateBuild(contract::TemplateBuild {
                server, roles, database, marker, template_code, odoo_version, revision, module, data_directory,
            })
        }
    }
}

fn any_purpose() -> impl Strategy<Value = BackupPurpose> {
    use BackupPurpose::{Final, Insurance, Manual, Scheduled};
    prop::sample::select(&[Scheduled, Insurance, Manual, Final][..])
}

prop_compose! {
    fn any_backup()(
        (tenant, store) in (any_database(), any_store()),
        [slug, data_directory, backup] in any_texts(),
        retention_days in any::<u32>(),
        purpose in any_purpose(),
        compression in prop::sample::select(&[Compression::Zstd, Compression::Gzip][..]),
        age_recipient in any_list(),
        which in 0..4,
    ) -> Command {
        match which {
            0 => Command::BackupPrune(contract::BackupPrune { store, slug, purpose, retention_days }),
            1 => Command::BackupList(contract::BackupList { store, slug }),
            2 => Command::BackupVerify(contract::BackupVerify { store, slug, backup }),
            _ => Command::Backup(contract::Backup {
                tenant, store, data_directory, purpose, retention_days, compression, age_recipient,
            }),
        }
    }
}

prop_compose! {
    fn any_room()(
        [homeserver, server_name, alias, name, owner_email] in any_texts(),
        invite in any_list(),
        retire in any::<bool>(),
    ) -> Command {
        if retire {
            Command::RoomRetire(contract::RoomRetire { homeserver, server_name, alias })
        } else {
            Command::RoomCreate(contract::RoomCreate { homeserver, server_name, alias, name, owner_email, invite })
        }
    }
}

prop_compose! {
    fn any_notice()(
        [url, event_type, idempotency_key, address, stream, source, id] in any_texts(),
        max_length in any::<u32>(),
        tenant in any_facts(),
        which in 0..3,
    ) -> Command {
        let news = contract::Notification {
            url, event_type: event_type.clone(), idempotency_key, tenant: tenant.clone(),
        };
        match which {
            0 => Command::PortalNotify(news),
            1 => Command::ErpCallback(news),
            _ => Command::EventPublish(contract::EventPublish {
                address, stream, max_length, event_type, source, id, tenant,
            }),
        }
    }
}

fn any_command() -> impl Strategy<Value = Command> {
    prop_oneof![
        any_text().prop_map(|to| Command::Install(contract::Install { to })),
        any_init(),
        any_access(),
        any_template(),
        any_room(),
        any_notice(),
        any_backup(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_command_is_read_back_from_its_arguments(command in any_command()) {
        let arguments = command.arguments();
        prop_assert_eq!(&arguments[0], &command.name());
        prop_assert_eq!(Command::parse(&arguments).map_err(|error| TestCaseError::fail(error.to_string()))?, command);
    }
}
