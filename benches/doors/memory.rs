//! The proxy's resident memory: idle, with many loaded threads, and beside many installed skills.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use lab::{Client, HomeBuilder, Model, Skill, Table};
use serde_json::{Value, json};

use super::common::{connect_through_us, home_with, many_names};
use super::say;

/// Threads that are loaded.
const THREADS: usize = if cfg!(debug_assertions) { 50 } else { 1_000 };
/// Skills that are installed, where there are many.
const SKILLS: usize = if cfg!(debug_assertions) { 300 } else { 1_900 };

pub(crate) async fn memory() -> Result<()> {
    let mut table = Table::new(&[("resident", 46), ("all", 8), ("anonymous", 9), ("files", 8)]);
    let model = Model::start().await?;
    few_skills(&model, &mut table).await?;
    many_skills(&model, &mut table).await?;
    say(&table.to_string());
    Ok(())
}

/// Idle, and with many loaded threads.
async fn few_skills(model: &Model, table: &mut Table) -> Result<()> {
    let home = HomeBuilder::standard()?.build(model.url())?;
    let proxy = connect_through_us(&home).await?;
    row(table, "idle", &proxy)?;
    let params = selecting(&home.project());
    for _ in 0..THREADS {
        proxy.request("thread/start", params.clone()).await?;
    }
    row(
        table,
        &format!("{THREADS} loaded threads with a loadout"),
        &proxy,
    )?;
    proxy.shutdown().await?;
    Ok(())
}

/// One loaded thread, of a user who has many skills.
async fn many_skills(model: &Model, table: &mut Table) -> Result<()> {
    let names = many_names(SKILLS);
    let home = home_with(&names, Skill::new, model)?;
    let proxy = connect_through_us(&home).await?;
    let params = selecting(&home.project());
    proxy.request("thread/start", params).await?;
    row(
        table,
        &format!("{SKILLS} skills, one loaded thread"),
        &proxy,
    )?;
    proxy.shutdown().await?;
    Ok(())
}

fn selecting(project: &Path) -> Value {
    json!({ "cwd": project, "capabilitySelection": { "skills": ["repo-review"] } })
}

fn row(table: &mut Table, what: &str, proxy: &Client) -> Result<()> {
    let process = proxy.id().context("the proxy runs")?;
    let status = fs::read_to_string(format!("/proc/{process}/status"))
        .context("memory is read as Linux tells it")?;
    let told = |name: &str| -> Result<String> {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
        let kilobytes: f64 = kilobytes.context("it is told")?.parse()?;
        Ok(format!("{:.1} MB", kilobytes * 1024.0 / 1e6))
    };
    table.row([
        what.to_owned(),
        told("VmRSS:")?,
        told("RssAnon:")?,
        told("RssFile:")?,
    ]);
    Ok(())
}
