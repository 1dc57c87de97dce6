//! Commands that tell the systems around of a tenant.

use clap::Args;
use serde::Serialize;

/// Make the tenant's support room, or find it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Args)]
#[serde(rename_all = "kebab-case")]
pub struct RoomCreate {
    /// URL of the homeserver
    #[arg(long)]
    pub homeserver: String,
    /// Server name of the room's alias
    #[arg(long)]
    pub server_name: String,
    /// Alias of the room, without `#` and server name
    #[arg(long)]
    pub alias: String,
    /// Name of the room
    #[arg(long)]
    pub name: String,
    /// Mail address of the owner, who is invited
    #[arg(long)]
    pub owner_email: String,
    /// Matrix id that is invited; give it once for each
    #[arg(long)]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub invite: Vec<String>,
}

/// Mark the tenant's support room as inactive; what was said in it stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Args)]
#[serde(rename_all = "kebab-case")]
pub struct RoomRetire {
    /// URL of the homeserver
    #[arg(long)]
    pub homeserver: String,
    /// Server name of the room's alias
    #[arg(long)]
    pub server_name: String,
    /// Alias of the room, without `#` and server name
    #[arg(long)]
    pub alias: String,
}

/// The facts of a tenant that other systems are told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Args)]
#[serde(rename_all = "kebab-case")]
pub struct TenantFacts {
    /// Subdomain
    #[arg(long)]
    pub subdomain: String,
    /// Number of the customer's project
    #[arg(long)]
    pub project_id: i64,
    /// Tier
    #[arg(long)]
    pub tier: String,
    /// Odoo major
    #[arg(long)]
    pub odoo_version: u32,
    /// Mail address of the owner
    #[arg(long)]
    pub owner_email: String,
    /// Name of the owner
    #[arg(long)]
    pub owner_name: String,
    /// URL of the tenant
    #[arg(long)]
    pub tenant_url: String,
}

/// Tell a system of the tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Args)]
#[serde(rename_all = "kebab-case")]
pub struct Notification {
    /// URL to post to
    #[arg(long)]
    pub url: String,
    /// What happened, as the event of the same news is called: `client.provisioned`
    #[arg(long)]
    pub event_type: String,
    /// Makes a second post harmless: always the same for the same news
    #[arg(long)]
    pub idempotency_key: String,
    /// What it is told.
    #[command(flatten)]
    #[serde(flatten)]
    pub tenant: TenantFacts,
}

/// Publish an event of the tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Args)]
#[serde(rename_all = "kebab-case")]
pub struct EventPublish {
    /// URL of the Redis server (`redis://`, `rediss://`), or of the REST endpoint (`http://`, `https://`)
    #[arg(long)]
    pub address: String,
    /// Name of the stream
    #[arg(long)]
    pub stream: String,
    /// About how many entries the stream keeps
    #[arg(long)]
    pub max_length: u32,
    /// `type` of the event
    #[arg(long)]
    pub event_type: String,
    /// `source` of the event
    #[arg(long)]
    pub source: String,
    /// `id` of the event: always the same for the same news
    #[arg(long)]
    pub id: String,
    /// `data` of the event.
    #[command(flatten)]
    #[serde(flatten)]
    pub tenant: TenantFacts,
}
