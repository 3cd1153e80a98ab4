//! `codex-loadout app-server` for hosts that come by sockets.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{ExitCode, ExitStatus};
use std::sync::Arc;

use anyhow::Result;
use clap::Parser;
use codex_loadout_protocol::LoadoutError;
use tokio::sync::mpsc;

use super::app_server::{ended_like, stdio_door};
use super::control::{ControlAddress, ControlListener};
use super::terminal::say_error;
#[cfg(unix)]
use crate::connection::check_all_are_taken;
use crate::connection::{
    CodexCommand, CodexServer, Door, ListenAddress, Listener, UpstreamAddress, UpstreamCommand,
    WebSocketAuthFlags, bearer_token,
};
use crate::loadouts::{LaunchCarriers, Loadouts};
use crate::paths;
use crate::profiles::LaunchLine;
use crate::session::{CodexProcess, EndsAfter, Upstreams, serve};

/// Hosts that have come and are not served yet, of all listeners.
const COMING: usize = 16;

/// What is said of sockets.
#[derive(Debug, Parser)]
#[command(no_binary_name = true, name = "codex-loadout app-server")]
struct DoorOptions {
    /// Where hosts come in; several are served at once
    #[arg(long, value_name = "URL")]
    listen: Vec<ListenAddress>,
    /// A Codex that runs already, in the place of one of our own
    #[arg(long, value_name = "URL")]
    upstream: Option<UpstreamAddress>,
    /// The environment variable with the token that it asks for
    #[arg(long, value_name = "VARIABLE")]
    upstream_token_env: Option<String>,
    /// Serve the control door by HTTP at this address on loopback, too
    #[arg(long, value_name = "URL")]
    control: Option<ControlAddress>,
    /// A file with the token that it asks for; without it, one is made
    #[arg(long, value_name = "FILE", requires = "control")]
    control_token_file: Option<PathBuf>,
    #[command(flatten)]
    auth: WebSocketAuthFlags,
}

/// Serves hosts until Codex ends; the exit code is Codex's.
pub(super) fn run(
    codex: Option<PathBuf>,
    line: LaunchLine,
    doors: &[OsString],
) -> Result<ExitCode> {
    let options = match DoorOptions::try_parse_from(doors) {
        Ok(options) => options,
        Err(error) => {
            say_error(error.render().to_string().trim_end());
            return Ok(ExitCode::from(super::run::USAGE));
        }
    };
    let launch = LaunchCarriers::new(&line, &paths::carried())?;
    let command = UpstreamCommand::find(codex)?;
    let loadouts = Loadouts::of_this_user()?;
    let codex = CodexCommand {
        command,
        arguments: line.arguments,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let status = runtime.block_on(served(options, codex, loadouts.clone(), launch))?;
    loadouts.empty_root_pool();
    // A read of stdin that never ends must not keep the process.
    runtime.shutdown_background();
    Ok(status.map_or(ExitCode::SUCCESS, ended_like))
}

async fn served(
    options: DoorOptions,
    codex: CodexCommand,
    loadouts: Arc<Loadouts>,
    launch: LaunchCarriers,
) -> Result<Option<ExitStatus>> {
    let (sender, doors) = mpsc::channel(COMING);
    let auth = options
        .auth
        .read()
        .map_err(LoadoutError::from)?
        .map(Arc::new);
    let mut listen = options.listen;
    if listen.is_empty() {
        listen.push(ListenAddress::Stdio);
    }
    let process = CodexProcess::new(loadouts.clone(), codex.clone(), launch);
    let mut listeners = Vec::new();
    for address in &listen {
        if matches!(
            address,
            ListenAddress::Unix(_) | ListenAddress::WebSocket(_)
        ) {
            let home = paths::codex_home();
            let pages = process.pages(matches!(address, ListenAddress::Unix(_)));
            listeners.push(Listener::bind(address, &home, auth.clone(), Some(pages)).await?);
        }
    }
    let control = match options.control {
        Some(address) => {
            let state = loadouts.state_home();
            Some(ControlListener::bind(address, options.control_token_file, state).await?)
        }
        None => None,
    };
    #[cfg(unix)]
    check_all_are_taken()?;
    let upstreams = match options.upstream {
        Some(address) => Upstreams::Running {
            address,
            token: options
                .upstream_token_env
                .map(|variable| bearer_token(&variable))
                .transpose()?,
        },
        None => Upstreams::Own(Box::new(CodexServer::start(&codex).await?)),
    };
    for listener in listeners {
        if let Some(announcement) = listener.announcement() {
            say_error(announcement.trim_end());
        }
        tokio::spawn(welcome(listener, sender.clone()));
    }
    // Its token goes with it.
    let _control = control.map(|listener| {
        say_error(&listener.announcement());
        listener.serve(process.control_server())
    });
    if listen.contains(&ListenAddress::Stdio) {
        let _ = sender.send(stdio_door()).await;
    }
    // Where nothing is listened at, it ends with the host on stdio.
    drop(sender);
    tokio::spawn(loadouts.collect_now_and_then());
    serve(process, upstreams, doors, EndsAfter::Signal).await
}

/// Brings in all hosts that come to a listener.
pub(super) async fn welcome(mut listener: Listener, doors: mpsc::Sender<Door>) {
    loop {
        if doors.send(listener.accept().await).await.is_err() {
            return;
        }
    }
}
