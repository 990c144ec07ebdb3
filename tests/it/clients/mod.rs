//! The tools people come with, run as they are; and the peers that read the same files.

mod foreign_server;
mod peers;
mod pgbench;
mod programs;
mod psql;
mod psql_policies;
mod secured;
mod tokio_postgres;
mod tools;

use std::path::Path;
use std::process::{Command, Stdio};

use crate::gateway::{Gateway, given, postgres};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs a program to its end: what it printed, or everything it said if it failed.
pub(crate) fn run(command: &mut Command) -> Result<String, String> {
    let output = command
        .stdin(Stdio::null())
        .current_dir(root())
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() && !said.contains("ERROR") {
        return Ok(out);
    }
    Err(format!("{command:?}: {}\n{out}{said}", output.status))
}

/// Runs a Python script with the address of the gateway and of PostgreSQL.
fn python(script: &str, gateway: &Gateway) {
    let mut command = Command::new(given("LAKEGATE_TEST_PYTHON"));
    command
        .arg(script)
        .args(["--gateway", &gateway.address().to_string()])
        .args(["--postgres", &postgres().to_string()]);
    let failure = run(&mut command).err();
    assert!(failure.is_none(), "{}", failure.unwrap_or_default());
}
