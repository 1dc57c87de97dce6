//! Statements that take names: written by the server itself, so that nothing is ever pasted.

use tokio_postgres::{GenericClient, error::SqlState, types::ToSql};

use crate::{
    job::failure::{Attempted, Failure},
    names::DATABASE_NAME_MAXIMUM_BYTES,
};

/// Refuses a name that PostgreSQL would cut: it does so with no more than a notice, and two long names become one.
pub fn check_name(what: &str, name: &str) -> Attempted<()> {
    let length = name.len();
    if (1..=DATABASE_NAME_MAXIMUM_BYTES).contains(&length) && !name.contains('\0') {
        return Ok(());
    }
    Err(Failure::give_up(
        "NameTooLong",
        format!(
            "the {what} {name:?} has {length} bytes; PostgreSQL takes 1 to {DATABASE_NAME_MAXIMUM_BYTES}"
        ),
    ))
}

/// Runs a statement with names (`%I`) and texts (`%L`) in it, such as `ALTER DATABASE %I OWNER TO %I`.
pub async fn change(client: &impl GenericClient, template: &str, arguments: &[&str]) -> Attempted<()> {
    let parameters = (2..=arguments.len() + 1).map(|number| format!(", ${number}::text"));
    let format = format!("SELECT format($1::text{})", parameters.collect::<String>());
    let mut values: Vec<&(dyn ToSql + Sync)> = vec![&template];
    values.extend(arguments.iter().map(|argument| argument as &(dyn ToSql + Sync)));
    let failed = |error| query_error(template, &error);
    let statement: String = client.query_one(&format, &values).await.map_err(failed)?.get(0);
    client.batch_execute(&statement).await.map_err(failed)
}

/// The one text that a query gives; `None` for no row or NULL.
pub async fn one_text(
    client: &impl GenericClient,
    query: &str,
    parameters: &[&(dyn ToSql + Sync)],
) -> Attempted<Option<String>> {
    let row = client
        .query_opt(query, parameters)
        .await
        .map_err(|error| query_error(query, &error))?;
    Ok(row.and_then(|row| row.get(0)))
}

/// What a statement that failed means. What the server said is told, values of parameters are not part of that.
#[must_use]
pub fn query_error(statement: &str, error: &tokio_postgres::Error) -> Failure {
    /// Enough of a statement to know it again.
    const SHOWN: usize = 80;
    let shown: String = statement
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .take(SHOWN)
        .collect();
    let Some(server) = error.as_db_error() else {
        return Failure::retry(
            "ServerLost",
            format!("PostgreSQL went away during `{shown}`: {error}"),
        );
    };
    let code = server.code();
    let said = format!("`{shown}`: {} (SQLSTATE {})", server.message(), code.code());
    let passes = [
        &SqlState::OBJECT_IN_USE,
        &SqlState::LOCK_NOT_AVAILABLE,
        &SqlState::T_R_DEADLOCK_DETECTED,
        &SqlState::T_R_SERIALIZATION_FAILURE,
        &SqlState::ADMIN_SHUTDOWN,
        &SqlState::CRASH_SHUTDOWN,
        &SqlState::CANNOT_CONNECT_NOW,
        &SqlState::TOO_MANY_CONNECTIONS,
        &SqlState::QUERY_CANCELED,
    ];
    if *code == SqlState::DISK_FULL {
        Failure::retry("ServerDiskFull", said)
    } else if passes.contains(&code) {
        Failure::retry("ServerBusy", said)
    } else if *code == SqlState::INSUFFICIENT_PRIVILEGE {
        Failure::give_up("PermissionDenied", format!("the Jobs' login may not do {said}"))
    } else {
        Failure::give_up("StatementFailed", said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_would_be_cut_is_refused() {
        assert!(check_name("database", &"a".repeat(63)).is_ok());
        assert_eq!(
            check_name("database", &"a".repeat(64)).unwrap_err().reason,
            "NameTooLong"
        );
        assert!(check_name("database", "").is_err());
        // Bytes count, not letters.
        assert!(check_name("database", &"ä".repeat(32)).is_err());
    }
}
