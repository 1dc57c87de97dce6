//! `backup-list`: a tenant's backups, newest first. A table for people at a terminal, a JSON document a line for
//! programs.

use std::io::{IsTerminal as _, stdout};

use serde::Serialize;
use tracing::info;

use super::{
    catalogue::{Catalogue, Found},
    layout::{self, BackupId},
};
use crate::{
    contract::{BackupList, Report},
    job::{
        attempt::{Attempt, println_result},
        failure::Attempted,
        store::Store,
    },
};

/// A backup as it is listed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    id: String,
    purpose: String,
    taken_at: String,
    dump_bytes: u64,
    filestore_bytes: u64,
    filestore_files: u64,
    encrypted: bool,
    complete: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

/// Lists.
pub async fn run(attempt: &Attempt, command: &BackupList) -> Attempted<Option<Report>> {
    attempt.phase("list").await?;
    let slug = layout::slug(&command.slug)?;
    let store = Store::open(&command.store)?;
    let catalogue = attempt.interruptible(Catalogue::read(&store, &slug)).await??;
    let lines: Vec<_> = catalogue
        .backups
        .iter()
        .rev()
        .map(|(id, found)| line(*id, found))
        .collect();
    if stdout().is_terminal() {
        println_result(&table(&lines));
    } else {
        for line in &lines {
            // Plain data, which serde_json can always represent.
            println_result(&serde_json::to_string(line).unwrap_or_default());
        }
    }
    if catalogue.foreign > 0 {
        info!(
            count = catalogue.foreign,
            "objects in the tenant's folder are not ours"
        );
    }
    Ok(None)
}

fn line(id: BackupId, found: &Found) -> Line {
    let manifest = found.manifest.as_ref().ok();
    let problem = found.problem();
    Line {
        id: id.to_string(),
        purpose: format!("{:?}", id.purpose).to_lowercase(),
        taken_at: manifest
            .map_or(id.begun, |manifest| manifest.taken_at(id))
            .to_string(),
        dump_bytes: manifest.map_or(0, |manifest| manifest.dump.stored.bytes),
        filestore_bytes: manifest.map_or(0, |manifest| manifest.filestore.stored.bytes),
        filestore_files: manifest.map_or(0, |manifest| manifest.files.count),
        encrypted: manifest.is_some_and(super::Manifest::is_encrypted),
        complete: problem.is_none(),
        problem,
    }
}

fn table(lines: &[Line]) -> String {
    let head = [
        "ID",
        "PURPOSE",
        "TAKEN",
        "DUMP",
        "FILESTORE",
        "FILES",
        "ENCRYPTED",
        "STATE",
    ]
    .map(str::to_owned);
    let rows = lines.iter().map(|line| {
        [
            line.id.clone(),
            line.purpose.clone(),
            line.taken_at.clone(),
            size(line.dump_bytes),
            size(line.filestore_bytes),
            line.filestore_files.to_string(),
            if line.encrypted { "yes" } else { "no" }.to_owned(),
            line.problem
                .clone()
                .map_or("complete".to_owned(), |problem| format!("incomplete: {problem}")),
        ]
    });
    let rows: Vec<_> = std::iter::once(head).chain(rows).collect();
    let widths: Vec<_> = (0..rows[0].len())
        .map(|column| {
            rows.iter()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or_default()
        })
        .collect();
    let text = |row: &[String; 8]| {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(text).collect::<Vec<_>>().join("\n")
}

/// Bytes for people.
fn size(bytes: u64) -> String {
    let mut unit = "B";
    let mut tenths = bytes.saturating_mul(10);
    for larger in ["kB", "MB", "GB", "TB"] {
        if tenths < 10_000 {
            break;
        }
        tenths /= 1000;
        unit = larger;
    }
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_get_a_table() {
        let line = |id: &str, problem: Option<&str>| Line {
            id: id.to_owned(),
            purpose: "scheduled".to_owned(),
            taken_at: "2026-01-02T03:04:05Z".to_owned(),
            dump_bytes: 12_345_678,
            filestore_bytes: 999,
            filestore_files: 3,
            encrypted: false,
            complete: problem.is_none(),
            problem: problem.map(str::to_owned),
        };
        let text = table(&[
            line("20260102T030405", None),
            line("final/20260102T030405", Some("it has no manifest")),
        ]);
        let expected = "\
ID                     PURPOSE    TAKEN                 DUMP     FILESTORE  FILES  ENCRYPTED  STATE
20260102T030405        scheduled  2026-01-02T03:04:05Z  12.3 MB  999.0 B    3      no         complete
final/20260102T030405  scheduled  2026-01-02T03:04:05Z  12.3 MB  999.0 B    3      no         incomplete: it has no manifest";
        assert_eq!(text, expected);
    }

    #[test]
    fn sizes_are_short() {
        for (bytes, text) in [
            (0, "0.0 B"),
            (1000, "1.0 kB"),
            (1_500_000, "1.5 MB"),
            (u64::MAX, "1844674.4 TB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }
}
