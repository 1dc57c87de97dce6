//! What `kubectl get` shows of our kinds.

use super::Column;

/// Of a `PLANAClient`.
pub fn of_clients() -> Vec<Column> {
    vec![
        always("TIER", "string", "What the customer pays for.", ".spec.tier"),
        always(
            "ODOO",
            "string",
            "The Odoo major that serves the tenant.",
            ".status.odooVersion",
        ),
        always(
            "PHASE",
            "string",
            "Where the tenant is in its life.",
            ".status.phase",
        ),
        always("URL", "string", "Where the tenant is served.", ".status.url"),
        wide(
            "OWNER",
            "string",
            "Mail address of the owner.",
            ".spec.ownerEmail",
        ),
        wide(
            "DATABASE",
            "string",
            "The tenant's database.",
            ".status.database.name",
        ),
        wide(
            "LAST-BACKUP",
            "date",
            "When a backup was last made.",
            ".status.backup.lastSuccessfulTime",
        ),
    ]
}

/// Of a `TemplateSnapshot`.
pub fn of_snapshots() -> Vec<Column> {
    vec![
        always(
            "PHASE",
            "string",
            "Where the template is in its life.",
            ".status.phase",
        ),
        always(
            "REVISION",
            "string",
            "What it was built from.",
            ".status.revision",
        ),
        always(
            "MODULES",
            "integer",
            "How many modules are installed.",
            ".status.moduleCount",
        ),
        always("BUILT", "date", "When it was built.", ".status.builtAt"),
        wide("DATABASE", "string", "The template database.", ".status.database"),
        wide(
            "BYTES",
            "integer",
            "Bytes of the template database.",
            ".status.databaseBytes",
        ),
    ]
}

fn always(
    name: &'static str,
    kind: &'static str,
    description: &'static str,
    json_path: &'static str,
) -> Column {
    Column {
        name,
        kind,
        description,
        json_path,
        priority: None,
    }
}

fn wide(
    name: &'static str,
    kind: &'static str,
    description: &'static str,
    json_path: &'static str,
) -> Column {
    Column {
        priority: Some(1),
        ..always(name, kind, description, json_path)
    }
}
