//! What is Codex's is done by Codex, as if it had been called itself.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use crate::connection::{Start, UpstreamCommand};

/// Becomes Codex. Returns only if that fails.
#[cfg(unix)]
pub(super) fn run(codex: Option<PathBuf>, arguments: &[OsString]) -> Result<ExitCode> {
    use std::os::unix::process::CommandExt;
    let command = UpstreamCommand::find(codex)?;
    let error = command.blocking(arguments, Start::Exec).exec();
    Err(command.not_runnable(&error).into())
}

/// Runs Codex and ends as it does.
#[cfg(not(unix))]
pub(super) fn run(codex: Option<PathBuf>, arguments: &[OsString]) -> Result<ExitCode> {
    let command = UpstreamCommand::find(codex)?;
    let status = command
        .blocking(arguments, Start::Spawn)
        .status()
        .map_err(|error| command.not_runnable(&error))?;
    Ok(ExitCode::from(crate::connection::exit_code(status)))
}
