//! Proof that modules are installed, from the database itself.
//!
//! In: the rows of `ir_module_module`. Out: the installed modules with their versions, or what is not as it should be.
//! A module's work is committed before its row says so, and a failed run resets the states of what it did not finish,
//! so only states and versions together prove anything.

use std::collections::BTreeMap;

use tokio_postgres::{GenericClient, error::SqlState};

use crate::job::{
    failure::{Attempted, Failure},
    postgres::query_error,
};

/// Names that are told of a long list.
const SHOWN: usize = 8;
const BASE: &str = "base";

/// The row of a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: String,
    /// The version that is installed.
    pub version: Option<String>,
}

/// The rows of all modules; none when Odoo never was here.
pub async fn rows(client: &impl GenericClient) -> Attempted<Vec<Row>> {
    const QUERY: &str =
        "SELECT name, coalesce(state, ''), latest_version FROM public.ir_module_module ORDER BY name";
    match client.query(QUERY, &[]).await {
        Ok(rows) => Ok(rows
            .iter()
            .map(|row| Row {
                name: row.get(0),
                state: row.get(1),
                version: row.get(2),
            })
            .collect()),
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => Ok(Vec::new()),
        Err(error) => Err(query_error(QUERY, &error)),
    }
}

/// The installed modules among these.
#[must_use]
pub fn installed(rows: &[Row]) -> BTreeMap<String, String> {
    let installed = rows.iter().filter(|row| row.state == "installed");
    installed
        .map(|row| (row.name.clone(), row.version.clone().unwrap_or_default()))
        .collect()
}

/// Holds the rows against what was asked for: nothing half done, `base` and all others of this major, and every module
/// that was asked for installed.
pub fn judge(rows: &[Row], major: u32, asked: &[String]) -> Attempted<BTreeMap<String, String>> {
    let names = |wanted: &dyn Fn(&&Row) -> bool| -> Vec<String> {
        rows.iter().filter(wanted).map(describe).collect()
    };
    let half_done = names(&|row| row.state.starts_with("to "));
    if !half_done.is_empty() {
        return Err(Failure::give_up(
            "ModulesHalfDone",
            format!(
                "Odoo left modules half done: {}; the image lacks something that they need",
                list(&half_done)
            ),
        ));
    }
    let installed = installed(rows);
    let of_major = format!("{major}.");
    if !installed
        .get(BASE)
        .is_some_and(|version| version.starts_with(&of_major))
    {
        let found = rows.iter().find(|row| row.name == BASE);
        return Err(Failure::give_up(
            "BaseNotInstalled",
            format!(
                "the module base of Odoo {major} is not installed: {}",
                found.map_or_else(|| "there is none".to_owned(), describe)
            ),
        ));
    }
    let foreign = names(&|row| row.state == "installed" && !is_of(row, &of_major));
    if !foreign.is_empty() {
        return Err(Failure::give_up(
            "ModulesOfOtherMajor",
            format!("modules are not of Odoo {major}: {}", list(&foreign)),
        ));
    }
    let missing: Vec<String> = asked
        .iter()
        .filter(|name| !installed.contains_key(*name))
        .map(|name| {
            let row = rows.iter().find(|row| row.name == **name);
            row.map_or_else(|| format!("{name} (not in the image)"), describe)
        })
        .collect();
    if missing.is_empty() {
        return Ok(installed);
    }
    Err(Failure::give_up(
        "ModulesNotInstalled",
        format!("modules are not installed: {}", list(&missing)),
    ))
}

/// Whether a module has a version of this major. Odoo puts its own in front of a manifest's short one (`1.0`).
fn is_of(row: &Row, of_major: &str) -> bool {
    row.version
        .as_deref()
        .is_some_and(|version| version.starts_with(of_major))
}

fn describe(row: &Row) -> String {
    let version = row.version.as_deref().unwrap_or("no version");
    format!("{} ({}, {version})", row.name, row.state)
}

fn list(names: &[String]) -> String {
    let more = names.len().saturating_sub(SHOWN);
    let shown = names[..names.len() - more].join(", ");
    if more == 0 {
        shown
    } else {
        format!("{shown} and {more} more")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, state: &str, version: &str) -> Row {
        Row {
            name: name.to_owned(),
            state: state.to_owned(),
            version: (!version.is_empty()).then(|| version.to_owned()),
        }
    }

    fn reason(rows: &[Row], asked: &[&str]) -> &'static str {
        let asked: Vec<String> = asked.iter().map(|name| (*name).to_owned()).collect();
        match judge(rows, 19, &asked) {
            Ok(_) => "fine",
            Err(failure) => failure.reason,
        }
    }

    #[test]
    fn an_installed_database_is_fine() {
        let rows = [
            row("base", "installed", "19.0.1.3"),
            row("web", "installed", "19.0.1.0"),
            row("crm", "uninstalled", ""),
            row("odd", "uninstallable", ""),
        ];
        let found = judge(&rows, 19, &["base".to_owned(), "web".to_owned()]).unwrap();
        assert_eq!(found.into_keys().collect::<Vec<_>>(), ["base", "web"]);
    }

    #[test]
    fn whatever_exit_code_0_hides_is_found() {
        let base = row("base", "installed", "19.0.1.3");
        // An installed module is gone from the image, or what it depends on: its row stays `to upgrade`.
        let gone = row("sale", "to upgrade", "19.0.1.0");
        assert_eq!(reason(&[base.clone(), gone], &[]), "ModulesHalfDone");
        // Killed half way.
        let killed = row("sale", "to install", "");
        assert_eq!(reason(&[base.clone(), killed], &["sale"]), "ModulesHalfDone");
        // A typo: `invalid module names, ignored`.
        assert_eq!(
            reason(std::slice::from_ref(&base), &["base", "typo"]),
            "ModulesNotInstalled"
        );
        // There, but not for this major.
        let other = row("odd", "uninstallable", "");
        assert_eq!(reason(&[base.clone(), other], &["odd"]), "ModulesNotInstalled");
        // A failed upgrade hides itself: states were reset, versions were not.
        let old = row("sale", "installed", "18.0.1.0");
        assert_eq!(reason(&[base, old], &["sale"]), "ModulesOfOtherMajor");
        // An older image ran on a newer database, or the other way round.
        assert_eq!(
            reason(&[row("base", "installed", "18.0.1.3")], &[]),
            "BaseNotInstalled"
        );
        // Nothing was done at all.
        assert_eq!(reason(&[], &["base"]), "BaseNotInstalled");
        assert_eq!(
            reason(&[row("base", "uninstalled", "")], &["base"]),
            "BaseNotInstalled"
        );
        // 19 is not 190, and not 1.
        assert_eq!(
            reason(&[row("base", "installed", "190.0.1.3")], &[]),
            "BaseNotInstalled"
        );
    }

    #[test]
    fn a_long_list_is_cut() {
        let mut rows = vec![row("base", "installed", "19.0.1.3")];
        rows.extend((0..60).map(|number| row(&format!("m{number}"), "to install", "")));
        let failure = judge(&rows, 19, &[]).unwrap_err();
        assert!(failure.message.contains("and 52 more"), "{failure}");
    }
}
