//! Arguments to configuration to run. The only place that exits.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::Parser;
use lakegate::config::{Command, CommandLine};
use lakegate::{gateway, observe};

fn main() -> ExitCode {
    match run(&CommandLine::parse().command) {
        Ok(code) => code,
        Err(message) => {
            // Standard error may be closed; there is nobody else to tell.
            let _ = writeln!(std::io::stderr(), "lakegate: {message}");
            ExitCode::FAILURE
        }
    }
}

/// The memory holds passwords and keys: no core dump of it is left on a disk, whatever the limits of who starts this.
fn forbid_core_dumps() -> Result<(), String> {
    let set = rlimit::Resource::CORE.set(0, 0);
    set.map_err(|error| format!("core dumps cannot be switched off: {error}"))
}

fn run(command: &Command) -> Result<ExitCode, String> {
    forbid_core_dumps()?;
    let mut out = std::io::stdout();
    match command {
        Command::Demo(arguments) => {
            observe::log_to_stderr(&arguments.engine.log);
            let config = arguments.check()?;
            let is_terminal = std::io::stderr().is_terminal();
            let mut to_user = std::io::stderr();
            let made = gateway::make_demo(arguments, is_terminal, &mut to_user);
            made.map_err(|error| error.to_string())?;
            if !arguments.no_serve {
                gateway::serve_demo(&config, &mut out).map_err(|error| error.to_string())?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Serve(arguments) => {
            observe::log_to_stderr(&arguments.lake.engine.log);
            let config = arguments.check()?;
            gateway::serve(&config, &mut out).map_err(|error| error.to_string())?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Query(arguments) => {
            observe::log_to_stderr(&arguments.lake.engine.log);
            let config = arguments.lake.check()?;
            gateway::query(&config, &arguments.sql, arguments.format, &mut out)
                .map_err(|error| error.to_string())?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Refresh(arguments) => {
            observe::log_to_stderr(&arguments.lake.engine.log);
            let config = arguments.lake.check()?;
            let all_right = gateway::refresh(&config, &arguments.names, &mut out)
                .map_err(|error| error.to_string())?;
            Ok(match all_right {
                true => ExitCode::SUCCESS,
                false => ExitCode::FAILURE,
            })
        }
        Command::Check(arguments) => {
            observe::log_to_stderr(&arguments.lake.engine.log);
            let config = arguments.lake.check()?;
            let sound = gateway::check(&config, arguments.strict, &mut out)
                .map_err(|error| error.to_string())?;
            Ok(if sound {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            })
        }
    }
}
