//! `codex-loadout bundle lock` and `bundle sync`.

use std::sync::Arc;

use anyhow::Result;
use clap::Args;
use serde_json::json;

use super::fetch_progress::waiting;
use super::options::Output;
use super::print::{columns, pretty};
use super::profile::{Place, folder};
use crate::loadouts::{Loadouts, SyncOptions};

#[derive(Debug, Args)]
pub(super) struct Lock {
    /// Bundles that are locked besides
    #[arg(value_name = "NAME")]
    pub(super) names: Vec<String>,
    #[command(flatten)]
    pub(super) place: Place,
    #[command(flatten)]
    pub(super) output: Output,
}

#[derive(Debug, Args)]
pub(super) struct Sync {
    /// Fail where the lock would have to change: for CI
    #[arg(long)]
    pub(super) frozen: bool,
    /// Fetch nothing: fail where something is not here
    #[arg(long)]
    pub(super) offline: bool,
    #[command(flatten)]
    pub(super) place: Place,
    #[command(flatten)]
    pub(super) output: Output,
}

pub(super) async fn lock(loadouts: &Arc<Loadouts>, arguments: Lock) -> Result<String> {
    let cwd = folder(&arguments.place)?;
    let (file, lock) = loadouts.lock_bundles(&cwd, &arguments.names).await?;
    let names: Vec<&String> = lock.bundles.keys().collect();
    if arguments.output.json {
        return pretty(&json!({ "file": file, "bundles": names }));
    }
    let rows: Vec<Vec<String>> = lock
        .bundles
        .iter()
        .map(|(name, locked)| vec![name.clone(), locked.digest.to_string()])
        .collect();
    Ok(format!(
        "{}\n{}",
        file.display(),
        columns(&["BUNDLE", "DIGEST"], &rows)
    ))
}

pub(super) async fn sync(loadouts: &Arc<Loadouts>, arguments: Sync) -> Result<String> {
    let cwd = folder(&arguments.place)?;
    let options = SyncOptions {
        frozen: arguments.frozen,
        offline: arguments.offline,
    };
    let (file, synced) = loadouts.sync_bundles(&cwd, options, &waiting()).await?;
    if arguments.output.json {
        return pretty(&json!({ "file": file, "data": synced }));
    }
    let rows: Vec<Vec<String>> = synced
        .iter()
        .map(|one| {
            vec![
                one.name.clone(),
                one.done.to_owned(),
                one.digest.clone(),
                one.warnings.join("; "),
            ]
        })
        .collect();
    Ok(columns(&["BUNDLE", "", "DIGEST", ""], &rows))
}
