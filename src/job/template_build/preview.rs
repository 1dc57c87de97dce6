//! What a build would do, in words: `--dry-run`.

use super::Situation;
use crate::{contract::TemplateBuild, job::attempt::println_result};

/// Says what a run with these modules would make of what is there; `name` is the database it would build.
pub fn say(command: &TemplateBuild, name: &str, modules: &[String], situation: &Situation) {
    let (database, revision) = (&command.database, &command.revision);
    if situation.is_fresh {
        println_result(&format!(
            "would change nothing: {database} is of revision {revision} and has these modules"
        ));
    } else {
        let old = situation.current.as_ref().map_or(
            "there is none yet",
            |_| "the one that is there would serve until then, and be dropped",
        );
        let modules = modules.join(", ");
        println_result(&format!(
            "would build {database} from revision {revision} with {modules} as {name}, and swap it in; {old}"
        ));
    }
    for found in &situation.leftovers {
        println_result(&format!(
            "would drop {}, which an earlier run has left",
            found.database
        ));
    }
}
