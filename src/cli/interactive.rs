//! Codex's terminal interface with a loadout: it is a host like others, on a socket of its own.

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use futures_util::FutureExt;
use tokio::sync::{mpsc, oneshot};

use super::app_server::ended_like;
use super::serve::welcome;
use crate::connection::{CodexCommand, CodexServer, ListenAddress, Listener, UpstreamCommand};
use crate::loadouts::{LaunchCarriers, Loadouts};
use crate::paths;
use crate::session::{CodexProcess, EndsAfter, Upstreams, serve};
use crate::throwaway::ThrowawayFolder;

/// Runs a line of Codex's on a socket behind which threads have their loadouts, until it ends.
pub(super) async fn run(
    command: UpstreamCommand,
    arguments: &[OsString],
    config: Vec<OsString>,
    loadouts: Arc<Loadouts>,
    launch: LaunchCarriers,
) -> Result<ExitCode> {
    let folder = ThrowawayFolder::new()?;
    let socket = folder.path().join("host.sock");
    let address = ListenAddress::Unix(Some(socket.clone()));
    let listener = Listener::bind(&address, &paths::codex_home(), None, None).await?;
    let codex = CodexCommand {
        command: command.clone(),
        arguments: [vec!["app-server".into()], config].concat(),
    };
    let server = CodexServer::start(&codex).await?;
    let mut remote = OsString::from("unix://");
    remote.push(&socket);
    let line = [vec!["--remote".into(), remote], arguments.to_vec()].concat();
    let mut interface = command.command(&line).spawn()?;
    let interface_id = interface.id();
    let (sender, doors) = mpsc::channel(1);
    tokio::spawn(welcome(listener, sender));
    let process = CodexProcess::new(loadouts, codex, launch);
    let (ended, has_ended) = oneshot::channel();
    let waiting = tokio::spawn(async move {
        let status = interface.wait().await;
        let _ = ended.send(());
        status
    });
    let ends_after = EndsAfter::Process {
        id: interface_id,
        ended: has_ended.map(|_| ()).boxed(),
    };
    let upstreams = Upstreams::Own(Box::new(server));
    let served = serve(process, upstreams, doors, ends_after).await;
    // It has the terminal until it ends.
    let status = waiting.await??;
    served?;
    Ok(ended_like(status))
}
