//! function-odoo: serves the composition function, or previews what it would do.
//!
//! In: the command line and the environment. Out: an exit code, and one line on standard error when something is wrong.

use std::process::ExitCode;

fn main() -> ExitCode {
    function_odoo::cli::run()
}
