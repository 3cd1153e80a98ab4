//! `codex-loadout app-server`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;

use crate::connection::{UpstreamCommand, exit_code, host_stdio};
use crate::loadouts::Loadouts;
use crate::session::work::{CodexCommand, Work};
use crate::{session, settings};

/// Stands between the host on stdio and Codex until Codex ends; the exit code is Codex's.
pub(super) fn run(codex: Option<PathBuf>, arguments: &[OsString]) -> Result<ExitCode> {
    let command = UpstreamCommand::find(codex)?;
    let loadouts = Arc::new(Loadouts::new(settings::state_home()?));
    // One thread: waking another one would cost a frame more than all that is done with it. File work
    // that may take long goes to threads of its own.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let status = runtime.block_on(async {
        let upstream = command.start(arguments)?;
        // It ends with the runtime.
        tokio::spawn(loadouts.clone().collect_now_and_then());
        let (input, output) = host_stdio();
        let kept = loadouts.clone();
        let codex = CodexCommand {
            command: command.clone(),
            arguments: arguments.to_vec(),
        };
        let work = |asker| Work::new(kept, asker, codex);
        let status = session::run(input, output, upstream, work).await?;
        Ok::<_, anyhow::Error>(status)
    })?;
    loadouts.clear_spares();
    // A read of stdin that never ends must not keep the process.
    runtime.shutdown_background();
    Ok(ExitCode::from(exit_code(status)))
}
