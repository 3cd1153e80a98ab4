//! `app-server proxy`: a host on stdio that speaks WebSocket to a Codex at a socket. What it says is not waved
//! through: its threads have their loadouts there, too.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use tokio::sync::mpsc;

use crate::connection::{
    CodexCommand, UpstreamAddress, UpstreamCommand, accept_on, codex_loadout_at, host_stdio,
};
use crate::loadouts::{LaunchCarriers, Loadouts};
use crate::session::{CodexProcess, EndsAfter, Upstreams, serve};

/// Serves the host on stdio until it leaves. `None` where Codex's own proxy does as well: a codex-loadout listens
/// there, or nobody does and Codex says so.
pub(super) async fn run(
    command: UpstreamCommand,
    socket: &Path,
    loadouts: Arc<Loadouts>,
    launch: LaunchCarriers,
) -> Result<Option<ExitCode>> {
    if !socket.exists() || codex_loadout_at(socket).await.is_some() {
        return Ok(None);
    }
    let (input, output) = host_stdio();
    let Some(host) = accept_on(tokio::io::join(input, output)).await else {
        return Ok(Some(ExitCode::FAILURE));
    };
    let (sender, doors) = mpsc::channel(1);
    let _ = sender.send(host).await;
    drop(sender);
    let codex = CodexCommand {
        command,
        arguments: vec!["app-server".into()],
    };
    let process = CodexProcess::new(loadouts, codex, launch);
    let upstreams = Upstreams::Running {
        address: UpstreamAddress::Unix(Some(socket.to_owned())),
        token: None,
    };
    // It ends with its host.
    serve(process, upstreams, doors, EndsAfter::Signal).await?;
    Ok(Some(ExitCode::SUCCESS))
}
