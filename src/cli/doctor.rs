//! `codex-loadout doctor`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use serde_json::json;

use super::options::Output;
use super::print::{columns, pretty};
use crate::catalog::read_policy;
use crate::connection::{BriefCodex, UpstreamCommand};
use crate::doctor::{self, Finding};
use crate::lowering::{PolicyMeaning, policy_meaning};

#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// The Codex to check [default: $CODEX_LOADOUT_CODEX, then `codex` on PATH]
    #[arg(long, value_name = "PATH")]
    pub(super) codex: Option<PathBuf>,
    #[command(flatten)]
    pub(super) output: Output,
}

/// What was found for people or programs, and whether no thread saw too much.
pub(super) async fn doctor(arguments: Doctor) -> Result<(String, bool)> {
    let command = UpstreamCommand::find(arguments.codex)?;
    let policy = policy_in_force(&command).await;
    let checks = doctor::examine(&command).await?;
    let holds = checks.iter().all(|check| check.finding != Finding::Wider);
    if arguments.output.json {
        let policy = match policy {
            Ok(policy) => json!(policy),
            Err(why) => json!({ "unreadable": why }),
        };
        return Ok((pretty(&json!({ "data": checks, "policy": policy }))?, holds));
    }
    let rows: Vec<Vec<String>> = checks
        .iter()
        .map(|check| {
            let finding = serde_json::to_value(check.finding).unwrap_or_default();
            vec![
                check.check.clone(),
                finding.as_str().unwrap_or_default().to_owned(),
                check.detail.clone(),
            ]
        })
        .collect();
    let text = columns(&["CHECK", "FOUND", "THE MODEL SAW"], &rows);
    let policy = match policy {
        Ok(policy) if policy.is_empty() => "none that concerns loadouts".to_owned(),
        Ok(policy) => {
            let row = |found: PolicyMeaning| vec![found.layer, found.key, found.meaning];
            let rows: Vec<Vec<String>> = policy.into_iter().map(row).collect();
            format!("\n{}", columns(&["LAYER", "KEY", "WHAT IT MEANS"], &rows))
        }
        Err(why) => format!("can't be read, so Codex refuses every thread: {why}"),
    };
    let codex = command.path.display();
    Ok((
        format!("{codex}\n\n{text}\nPolicy of an administrator: {policy}"),
        holds,
    ))
}

/// What an administrator's config means on this machine.
async fn policy_in_force(command: &UpstreamCommand) -> Result<Vec<PolicyMeaning>, String> {
    let codex = BriefCodex::start(command, &["app-server".into()])
        .await
        .map_err(|error| error.message)?;
    let cwd = std::env::current_dir().unwrap_or_default();
    let policy = read_policy(codex.rpc(), &cwd).await;
    codex.end().await;
    let policy = policy.map_err(|error| error.to_string())?;
    Ok(policy_meaning(&policy))
}
