//! The command line of `function-odoo`.
//!
//! In: arguments and environment. Out: the exit code of the command that they name; without a command, `serve`. Whatever
//! keeps a command from starting is one line on standard error and exit code 2.

pub mod composition;
pub mod diagram;
pub mod plan;
pub mod render;
mod serve;

use std::{
    env,
    fmt::Display,
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
};

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand, error::ErrorKind};

/// The command could not start: a wrong flag, a file that is missing, an address that is taken.
pub const CANNOT_START: u8 = 2;

const ABOUT: &str = "Crossplane composition function that runs Odoo as a multi-tenant service";

const LESSON: &str = "\
How it is used:
  Crossplane starts this program without arguments and calls it over gRPC for each composite resource
  (PLANAClient and others); it answers with the complete set of resources that should exist. It keeps no
  state and talks to no API server. TLS_SERVER_CERTS_DIR, which Crossplane sets, names the folder with
  tls.crt, tls.key and ca.crt; the files may be replaced while it runs.

Try it without a cluster:
  function-odoo render xr.yaml
  prints what a composite resource becomes, and function-odoo plan xr.yaml says in words where it is. The real preview prints the same from a running function:
  function-odoo --insecure --metrics-address= &
  crossplane composition render xr.yaml composition.yaml functions.yaml
  where functions.yaml carries the annotation render.crossplane.io/runtime: Development

What it shows:
  http://ADDRESS:8080/metrics, /healthz and /readyz; gRPC health and reflection on the gRPC port; one JSON
  line per call on standard error. RUST_LOG (info,function_odoo=debug) chooses levels in place of --debug.

Exit codes:
  0  stopped by SIGTERM or SIGINT, after the calls in flight were answered
  1  failed while running
  2  could not start: a wrong flag, unusable certificates, an address that is taken";

#[derive(Debug, Parser)]
#[command(name = "function-odoo", version, about = ABOUT, after_long_help = LESSON, args_conflicts_with_subcommands = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: serve::Arguments,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the function; what happens without a command, too
    Serve(serve::Arguments),
    /// Print what a composite resource becomes, as `crossplane composition render` does, without a cluster
    Render(render::RenderArguments),
    /// Print a Composition with a Platform as its input, once that was checked
    Composition(composition::CompositionArguments),
    /// Say where a tenant or a template is, what it waits for, and what a change would do
    Plan(plan::PlanArguments),
    /// Draw the course of a life as Mermaid
    Diagram(diagram::DiagramArguments),
}

/// Runs the command that the process was started with.
#[must_use]
pub fn run() -> ExitCode {
    let matches = match CommandLine::command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => return explain(&error),
    };
    let outcome = match CommandLine::from_arg_matches(&matches) {
        Err(error) => return explain(&error),
        Ok(CommandLine { command: None, serve }) => serve::run(serve),
        Ok(CommandLine {
            command: Some(Command::Serve(arguments)),
            serve: _,
        }) => serve::run(arguments),
        Ok(CommandLine {
            command: Some(Command::Render(arguments)),
            serve: _,
        }) => return print(render::run(&arguments), render::RenderError::exit_code),
        Ok(CommandLine {
            command: Some(Command::Composition(arguments)),
            serve: _,
        }) => return print(composition::run(&arguments), |_| render::BAD_INPUT),
        Ok(CommandLine {
            command: Some(Command::Plan(arguments)),
            serve: _,
        }) => return explain_plan(&arguments),
        Ok(CommandLine {
            command: Some(Command::Diagram(arguments)),
            serve: _,
        }) => return show(&diagram::run(arguments)),
    };
    outcome.unwrap_or_else(|error| {
        complain(&format!("{error:#}"));
        ExitCode::from(CANNOT_START)
    })
}

/// Prints what a command has made, or every problem on a line of its own.
fn print<E: Display>(made: Result<String, E>, exit_code: impl FnOnce(&E) -> u8) -> ExitCode {
    match made {
        Ok(text) => show(&text),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(exit_code(&error))
        }
    }
}

/// Prints a plan; its exit code says whether somebody has to do something.
fn explain_plan(arguments: &plan::PlanArguments) -> ExitCode {
    // https://no-color.org: any value but an empty one switches colours off.
    let unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    match plan::run(arguments, io::stdout().is_terminal() && !unwanted) {
        Ok(printed) => {
            show(&printed.text);
            ExitCode::from(printed.exit_code)
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(error.exit_code())
        }
    }
}

fn show(text: &str) -> ExitCode {
    // Fails only when nobody reads.
    let _ = io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

/// Help and version are answers; anything else is a complaint on one line.
fn explain(error: &clap::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // Fails only when nobody reads.
            let _ = error.print();
            ExitCode::SUCCESS
        }
        _ => {
            complain(&format!(
                "{}; see function-odoo --help",
                essence(&error.to_string())
            ));
            ExitCode::from(CANNOT_START)
        }
    }
}

/// clap's message without its usage: the first paragraph and the tips.
fn essence(message: &str) -> String {
    let first = message
        .strip_prefix("error: ")
        .unwrap_or(message)
        .lines()
        .take_while(|line| !line.is_empty());
    let tips = message
        .lines()
        .filter(|line| line.trim_start().starts_with("tip: "));
    let parts: Vec<_> = first.map(str::trim).chain(tips.map(str::trim)).collect();
    parts.join("; ").replace(":; ", ": ")
}

fn complain(text: &str) {
    let line: Vec<_> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    eprintln!("function-odoo: {}", line.join(" "));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn a_complaint_of_clap_keeps_its_tip_and_loses_its_usage() {
        let error = CommandLine::command()
            .try_get_matches_from(["function-odoo", "--insecur"])
            .unwrap_err();
        let text = essence(&error.to_string());
        assert_eq!(
            text,
            "unexpected argument '--insecur' found; tip: a similar argument exists: '--insecure'"
        );
    }
}
