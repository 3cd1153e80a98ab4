//! `codex-loadout app-server`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;

use crate::connection::{UpstreamCommand, exit_code, host_stdio};
use crate::loadouts::Loadouts;
use crate::session::work::Work;
use crate::{session, settings};

/// Stands between the host on stdio and Codex until Codex ends; the exit code is Codex's.
pub(super) fn run(codex: Option<PathBuf>, arguments: &[OsString]) -> Result<ExitCode> {
    let command = UpstreamCommand::find(codex)?;
    let loadouts = Arc::new(Loadouts::new(settings::state_home()?));
    // Two threads: one connection never keeps more busy, and each costs memory.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let status = runtime.block_on(async {
        let upstream = command.start(arguments)?;
        let (input, output) = host_stdio();
        let work = |asker| Work::new(loadouts, asker);
        let status = session::run(input, output, upstream, work).await?;
        Ok::<_, anyhow::Error>(status)
    })?;
    // A read of stdin that never ends must not keep the process.
    runtime.shutdown_background();
    Ok(ExitCode::from(exit_code(status)))
}
