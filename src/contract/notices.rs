//! Commands that tell the systems around of a tenant.

use clap::Args;
use serde::Serialize;

const NOTICE_LESSON: &str = "\
What is sent:
  POST of {\"event\", \"idempotencyKey\", \"subdomain\", \"projectId\", \"tier\", \"odooVersion\", \"ownerEmail\",
  \"ownerName\", \"url\"} as JSON, with the headers
    Idempotency-Key        the same for the same news, in every try and every run
    X-Signature-Timestamp  seconds since 1970
    X-Signature            sha256=<HMAC-SHA256 of \"<timestamp>.<body>\" in hexadecimal, by ODOO_JOB_SIGNING_KEY>
  The signature is left out when ODOO_JOB_SIGNING_KEY is not set; an empty one is refused (SecretMissing).

What the answer means:
  2xx                    done
  409 that names the key in its body or in the header Idempotency-Key: done, it is known already
  408, 425, 429, 5xx, no connection, silence, a broken answer: tried again, with growing pauses or after
                         Retry-After; at last exit code 75 (EndpointBusy, EndpointFailing, EndpointUnreachable,
                         EndpointSilent, AnswerBroken)
  3xx                    exit code 70 (Redirected): redirects are not followed
  any other 4xx          exit code 70 (CredentialsRefused for 401, NotAccepted) with the first line of the body

Phases: check, send. ODOO_JOB_RETRY_PAUSE_MILLISECONDS (1000) is the first pause, and 600 of them the longest that all
takes; ODOO_JOB_REQUEST_TIMEOUT_MILLISECONDS (30000) is the time of one request.";

const EVENT_LESSON: &str = "\
What is published:
  A CloudEvent 1.0 in JSON: specversion, id, source, type, subject (the subdomain), time, datacontenttype, and data with
  subdomain, projectId, tier, odooVersion, ownerEmail, ownerName, url.

Where:
  redis://[user@]host[:6379][/database], rediss:// with TLS: an entry of the stream with the fields id, source, type,
  subject, and event (the JSON). ODOO_JOB_EVENTS_PASSWORD is the password; one in the address is refused.
  http://, https://: POST of the JSON with ODOO_JOB_EVENTS_PASSWORD as X-API-Key; 2xx and 409 count as done.

Why twice is once:
  The stream itself is looked through, newest first, for an entry with this source and id; the entry is added only if
  the stream has not changed since (WATCH, MULTI, XADD, EXEC), and then read back. There is no second key that could
  be evicted, expire or be left without its entry. The stream remembers about --max-length events: that is how long a
  repetition is recognised. Redis 6.2 or later; the user needs SELECT, WATCH, MULTI, EXEC, XADD, XRANGE and XREVRANGE.

Phases: check, publish. Away, busy, loading, full or a replica is tried again (exit code 75: EventsUnreachable,
EventsBusy); a wrong password or right, another type under the stream's name, or a cluster's redirect is not (70:
CredentialsRefused, StreamUnusable). Pauses and times: see portal-notify.";

const ROOM_LESSON: &str = "\
Whose room it is:
  A room that already has the alias is ours when the account of ODOO_JOB_MATRIX_TOKEN made it, or has set its state
  com.planapulse.support with this alias. Any other room is refused (exit code 78, RoomForeign) and left alone.

Who is invited:
  Each --invite. The owner, when the server (Synapse) has an account with the mail address and the token is an
  administrator's: an invitation by mail would need an identity server, so otherwise the room's topic tells the staff
  whom to invite. Whoever was invited once, and left, is not invited again. An invitation that fails is no failure of
  the command: the result lists it in notInvited.

room-retire marks the room: state com.planapulse.support with active false, and \"[inactive] \" before its name. Members
and messages stay, and so does the alias: a second run finds the room by it, and room-create makes it active again.
A room that is not there is retired.

Phases: check, find, create, mark, invite, prove; of room-retire check, find, mark, prove. A busy or failing server is
tried again (exit code 75); M_LIMIT_EXCEEDED is obeyed. Pauses and times: see portal-notify.";

/// Make the tenant's support room, or find it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Args)]
#[serde(rename_all = "kebab-case")]
#[command(after_long_help = ROOM_LESSON)]
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
#[command(after_long_help = ROOM_LESSON)]
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
#[command(after_long_help = NOTICE_LESSON)]
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
#[command(after_long_help = EVENT_LESSON)]
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
