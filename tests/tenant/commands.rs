//! What a pod of ours is given as arguments is what odoo-job reads back, whatever the values are.

use function_odoo::contract::{self, Command};
use proptest::prelude::*;

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[-=' \"\\\\\n\t$(){}äЖ\u{1F600}]{0,8}",
        Just(String::new()),
        Just("--owner-name=x".to_owned()),
    ]
}

fn any_facts() -> impl Strategy<Value = contract::TenantFacts> {
    (prop::collection::vec(any_text(), 5), any::<i64>(), any::<u32>()).prop_map(
        |(texts, project_id, odoo_version)| {
            let [subdomain, tier, owner_email, owner_name, tenant_url] = texts.try_into().unwrap();
            contract::TenantFacts {
                subdomain,
                project_id,
                tier,
                odoo_version,
                owner_email,
                owner_name,
                tenant_url,
            }
        },
    )
}

fn any_server() -> impl Strategy<Value = contract::Server> {
    (any_text(), any::<u16>(), any_text()).prop_map(|(database_host, database_port, database_ssl_mode)| {
        contract::Server {
            database_host,
            database_port,
            database_ssl_mode,
        }
    })
}

fn any_init() -> impl Strategy<Value = Command> {
    let texts = prop::collection::vec(any_text(), 10);
    (any_server(), texts, prop::option::of(any_text()), any::<u32>()).prop_map(
        |(server, texts, adopt, odoo_version)| {
            let [
                slug,
                database,
                marker,
                template,
                application_role,
                maintenance_role,
                host,
                owner_email,
                owner_name,
                data_directory,
            ] = texts.try_into().unwrap();
            Command::TenantInit(contract::TenantInit {
                server,
                slug,
                database,
                marker,
                adopt,
                template,
                odoo_version,
                application_role,
                maintenance_role,
                host,
                owner_email,
                owner_name,
                data_directory,
            })
        },
    )
}

fn any_backup() -> impl Strategy<Value = Command> {
    let texts = prop::collection::vec(any_text(), 7);
    let recipients = prop::collection::vec(any_text(), 0..3);
    (any_server(), texts, any::<u32>(), recipients).prop_map(
        |(server, texts, retention_days, age_recipient)| {
            let [slug, database, marker, data_directory, endpoint, region, bucket] =
                texts.try_into().unwrap();
            Command::Backup(contract::Backup {
                server,
                slug,
                database,
                marker,
                data_directory,
                endpoint,
                region,
                bucket,
                retention_days,
                age_recipient,
            })
        },
    )
}

fn any_command() -> impl Strategy<Value = Command> {
    let room = (
        prop::collection::vec(any_text(), 5),
        prop::collection::vec(any_text(), 0..3),
    )
        .prop_map(|(texts, invite)| {
            let [homeserver, server_name, alias, name, owner_email] = texts.try_into().unwrap();
            Command::RoomCreate(contract::RoomCreate {
                homeserver,
                server_name,
                alias,
                name,
                owner_email,
                invite,
            })
        });
    let notification = || {
        (any_text(), any_text(), any_facts()).prop_map(|(url, idempotency_key, tenant)| {
            contract::Notification {
                url,
                idempotency_key,
                tenant,
            }
        })
    };
    let event = (prop::collection::vec(any_text(), 5), any::<u32>(), any_facts()).prop_map(
        |(texts, max_length, tenant)| {
            let [address, stream, event_type, source, id] = texts.try_into().unwrap();
            Command::EventPublish(contract::EventPublish {
                address,
                stream,
                max_length,
                event_type,
                source,
                id,
                tenant,
            })
        },
    );
    let smoke = (any_text(), any_text(), any::<u32>()).prop_map(|(workers_url, host, odoo_version)| {
        Command::TenantSmoke(contract::TenantSmoke {
            workers_url,
            host,
            odoo_version,
        })
    });
    prop_oneof![
        any_text().prop_map(|to| Command::Install(contract::Install { to })),
        any_init(),
        smoke,
        room,
        notification().prop_map(Command::PortalNotify),
        notification().prop_map(Command::ErpCallback),
        event,
        any_backup(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_command_is_read_back_from_its_arguments(command in any_command()) {
        let arguments = command.arguments();
        prop_assert_eq!(Command::parse(&arguments).map_err(|error| TestCaseError::fail(error.to_string()))?, command);
    }
}
