//! `codex-loadout app-server`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use tokio::sync::mpsc;

use crate::connection::{UpstreamCommand, exit_code, host_stdio};
use crate::gate::Question;
use crate::loadouts::Loadouts;
use crate::session::work::{CodexCommand, Work};
use crate::{session, settings};

/// Stands between the host on stdio and Codex until Codex ends; the exit code is Codex's.
pub(super) fn run(codex: Option<PathBuf>, arguments: &[OsString]) -> Result<ExitCode> {
    let command = UpstreamCommand::find(codex)?;
    let loadouts = Arc::new(Loadouts::new(settings::state_home()?));
    let questions = guard(&loadouts);
    // One thread: waking another one would cost a frame more than all that is done with it. File work
    // that may take long goes to threads of its own.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let status = runtime.block_on(async {
        let upstream = command.start(arguments)?;
        let (input, output) = host_stdio();
        let kept = loadouts.clone();
        let codex = CodexCommand {
            command: command.clone(),
            arguments: arguments.to_vec(),
        };
        let work = |asker| Work::new(kept, asker, codex);
        let status = session::run(input, output, upstream, questions, work).await?;
        Ok::<_, anyhow::Error>(status)
    })?;
    loadouts.clear_spares();
    #[cfg(unix)]
    loadouts.close_door();
    // A read of stdin that never ends must not keep the process.
    runtime.shutdown_background();
    Ok(ExitCode::from(exit_code(status)))
}

/// Lets turns wait at a door of this proxy's.
#[cfg(unix)]
fn guard(loadouts: &Loadouts) -> mpsc::UnboundedReceiver<Question> {
    let (door, questions) = crate::gate::Door::new(loadouts.state_home());
    loadouts.guard(door);
    questions
}

/// Nobody asks.
#[cfg(not(unix))]
fn guard(_: &Loadouts) -> mpsc::UnboundedReceiver<Question> {
    mpsc::unbounded_channel().1
}
