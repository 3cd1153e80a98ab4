//! A question to a Codex of our own, as a host would ask it.

use std::sync::Arc;

use anyhow::{Result, anyhow};
use codex_loadout_protocol::LoadoutError;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::options::{Folder, resolved};
use crate::connection::{BriefCodex, CodexCommand, UpstreamCommand};
use crate::control::{self, Control};
use crate::loadouts::{LaunchCarriers, Loadouts};
use crate::paths;
use crate::profiles::LaunchLine;

/// Calls a method of ours on a Codex that runs for it.
pub(super) async fn ask(folder: Folder, method: &str, mut params: Value) -> Result<Value> {
    if let Some(cwd) = folder.cwd {
        params["cwd"] = json!(resolved(&cwd)?);
    }
    let loadouts = Loadouts::of_this_user()?;
    let of_codex = CodexCommand {
        command: UpstreamCommand::find(folder.codex)?,
        arguments: vec!["app-server".into()],
    };
    let codex = BriefCodex::start(&of_codex.command, &of_codex.arguments).await?;
    let (_upstream, watching) = watch::channel(Some(codex.info().clone()));
    let rpc = codex.rpc().clone();
    let launch = LaunchCarriers::new(&LaunchLine::default(), &paths::carried())?;
    let control = Control::new(control::Context {
        loadouts,
        upstream: Arc::new(control::HostConnection {
            rpc,
            upstream: watching,
        }),
        updates: None,
        catalogs: Arc::default(),
        applied: Arc::default(),
        launch: Arc::new(launch),
        codex: of_codex,
        host: Arc::default(),
    });
    let (member, json) = control.call(method, Some(&params.to_string())).await;
    codex.end().await;
    let value: Value = serde_json::from_str(&json)?;
    if member == "result" {
        return Ok(value);
    }
    // Our errors keep their kind, so that the hint and the candidates are shown.
    match value
        .get("data")
        .cloned()
        .map(serde_json::from_value::<LoadoutError>)
    {
        Some(Ok(error)) => Err(error.into()),
        _ => Err(anyhow!(
            "{}",
            value["message"].as_str().unwrap_or("the method failed")
        )),
    }
}
