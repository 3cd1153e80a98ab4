//! `codex-loadout app-server`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use crate::connection::{CodexCommand, Door, UpstreamCommand, exit_code, host_stdio};
use crate::loadouts::{LaunchCarriers, Loadouts};
use crate::profiles::LaunchLine;
use crate::session::CodexProcess;
use crate::{paths, session};

/// Stands between the host on stdio and Codex until Codex ends; the exit code is Codex's.
pub(super) fn run(codex: Option<PathBuf>, line: LaunchLine) -> Result<ExitCode> {
    let command = UpstreamCommand::find(codex)?;
    let launch = LaunchCarriers::new(&line, &paths::carried())?;
    let arguments = line.arguments;
    let loadouts = Loadouts::of_this_user()?;
    // One thread: waking another one would cost a frame more than all that is done with it. File work
    // that may take long goes to threads of its own.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let status = runtime.block_on(async {
        let upstream = command.start(&arguments)?;
        // It ends with the runtime.
        tokio::spawn(loadouts.clone().collect_now_and_then());
        let codex = CodexCommand {
            command: command.clone(),
            arguments: arguments.clone(),
        };
        let process = CodexProcess::new(loadouts.clone(), codex, launch);
        let status = session::run(process, stdio_door(), upstream).await?;
        Ok::<_, anyhow::Error>(status)
    })?;
    loadouts.empty_root_pool();
    // A read of stdin that never ends must not keep the process.
    runtime.shutdown_background();
    Ok(ended_like(status))
}

/// The host that has started this program.
pub(super) fn stdio_door() -> Door {
    let (input, output) = host_stdio();
    Door::of_lines(input, output)
}

/// What says that this ended as another process has.
pub(super) fn ended_like(status: std::process::ExitStatus) -> ExitCode {
    end_by_the_same_signal(status);
    ExitCode::from(exit_code(status))
}

/// Ends this process by the signal that ended Codex, if one did: whoever waits for it sees what it would see of Codex.
fn end_by_the_same_signal(status: std::process::ExitStatus) {
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt;
        if let Some(signal) = status.signal() {
            // If it can't be, the exit code says it, as a shell's does.
            let _ = signal_hook::low_level::emulate_default_handler(signal);
        }
    }
    #[cfg(not(unix))]
    let _ = status;
}
