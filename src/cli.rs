//! The commands. Wiring only: what they do is in the rooms below.

mod arguments;
mod ask;
mod asking;
mod consumer_lag;
mod demo;
mod kubeconfig;
mod logging;
mod operator;
mod run;
mod screen;
mod serving;
mod signals;
mod values;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::kafka::settle_in;

pub use arguments::Cli;
use arguments::Command;

/// Everything went well.
pub const GOOD: u8 = 0;

/// Something could not be done or read.
pub const FAILED: u8 = 1;

/// The command line or every document was refused.
pub const REFUSED: u8 = 2;

/// An age is over `--fail-over`.
pub const OVER: u8 = 3;

/// Flags that do not go together, or name what is not there, which the parser cannot see.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Usage(String);

impl Usage {
    /// A flag, and what is wrong with what it names.
    fn of(flag: impl std::fmt::Display, error: impl Into<anyhow::Error>) -> Self {
        Self(format!("{flag}: {}", screen::told(&error.into())))
    }
}

/// Parses the arguments, runs the command, and prints an error chain once.
pub fn main() -> ExitCode {
    settle_in();
    let cli = Cli::parse();
    let quiet = !matches!(cli.command, Command::Run(_) | Command::Operator(_));
    // The spans of the controller would stand before every line that is told in a turn; the client shows answers that it
    // can't read, whatever they hold.
    logging::start(&cli.log, if quiet { "off" } else { "info,kube_runtime=warn,kube_client=off" });
    match execute(cli) {
        Ok(code) => ExitCode::from(code),
        Err(error) if is_broken_pipe(&error) => ExitCode::from(GOOD),
        Err(error) => {
            screen::complain(&screen::told(&error));
            ExitCode::from(if error.is::<Usage>() { REFUSED } else { FAILED })
        }
    }
}

fn execute(cli: Cli) -> anyhow::Result<u8> {
    match cli.command {
        Command::Completions { shell } => {
            // The generator panics where it cannot write, so it writes to memory.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "highwater", &mut script);
            screen::print(&String::from_utf8_lossy(&script))?;
            Ok(GOOD)
        }
        Command::Schema => {
            screen::print(&format!("{:#}\n", crate::output::json::schema()))?;
            Ok(GOOD)
        }
        Command::Crd => {
            screen::print(&crate::crd::yaml()?)?;
            Ok(GOOD)
        }
        Command::Alerts(arguments) => runtime()?.block_on(ask::alerts(*arguments)),
        Command::Group(arguments) => runtime()?.block_on(ask::group(*arguments)),
        Command::Groups(arguments) => runtime()?.block_on(ask::groups(*arguments)),
        Command::Topic(arguments) => runtime()?.block_on(ask::topic(*arguments)),
        Command::ConsumerLag(arguments) => runtime()?.block_on(consumer_lag::run(*arguments)),
        Command::Demo(arguments) => runtime()?.block_on(demo::run(arguments)),
        Command::Operator(arguments) => runtime()?.block_on(operator::run(arguments)),
        Command::Run(arguments) => runtime()?.block_on(run::run(arguments)),
    }
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

/// A reader that went away (`| head`) is no failure.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let broken = |error: &std::io::Error| error.kind() == std::io::ErrorKind::BrokenPipe;
    error.chain().filter_map(|cause| cause.downcast_ref()).any(broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_flag_has_an_environment_variable() {
        for command in Cli::command().get_subcommands() {
            for argument in command.get_arguments().filter(|argument| argument.get_long().is_some()) {
                let long = argument.get_long().unwrap_or_default();
                if matches!(long, "help" | "version") {
                    continue;
                }
                let wanted = format!("HIGHWATER_{}", long.replace('-', "_").to_uppercase());
                assert_eq!(argument.get_env().and_then(|env| env.to_str()), Some(wanted.as_str()), "--{long}");
            }
        }
    }
}
