//! odoo-job: does what one Job of the platform has to do, and proves it.
//!
//! In: the command line and the environment. Out: an exit code, progress on standard error, a result on standard output
//! and in the termination message.

use std::process::ExitCode;

fn main() -> ExitCode {
    function_odoo::job::run()
}
