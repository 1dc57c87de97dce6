//! PostgreSQL: connections, statements, the lock and the marker of a tenant.
//!
//! In: the contract's server and the login from the environment. Out: a client that names host and port in every error
//! and the password in none. Values are parameters; names go into a statement by the server's own `format('%I')`.

pub mod access;
mod authority_file;
pub mod columns;
mod connect;
mod ddl;
mod lock;
mod marker;
mod tools;

pub use self::{
    authority_file::AuthorityFile,
    connect::{Client, Login},
    ddl::{change, check_name, one_text, query_error},
    lock::{LockMode, TenantLock},
    marker::{COMMENT, Marker, MarkerState, Purpose},
    tools::{Tool, find_tool, major, quote_for_connection},
};
