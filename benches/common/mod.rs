//! What the benches share.

#![allow(dead_code, reason = "each bench uses its part")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use lab::{Client, Home, HomeBuilder, Model, Skill};
use serde_json::Value;

pub(crate) const PROXY: &str = env!("CARGO_BIN_EXE_codex-loadout");

/// Names of skills that a user has beside those of [`lab::HomeBuilder::standard`].
pub(crate) fn many_names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("many-{number}")).collect()
}

pub(crate) async fn connect(home: &Home, program: &Path, more: &[&str]) -> Result<Client> {
    let mut arguments = vec!["app-server"];
    arguments.extend(more);
    let client = Client::spawn(home.command(program, &arguments))?;
    client.initialize(true).await?;
    Ok(client)
}

/// A client of the proxy, in front of the home's Codex.
pub(crate) async fn connect_through_us(home: &Home) -> Result<Client> {
    let codex = home.codex().to_string_lossy();
    connect(home, Path::new(PROXY), &["--codex", &codex]).await
}

/// A standard home whose user has these skills as well.
pub(crate) fn home_with(
    names: &[String],
    skill: impl Fn(&str) -> Skill,
    model: &Model,
) -> Result<Home> {
    let home = HomeBuilder::standard()?;
    let skilled = names
        .iter()
        .fold(home, |home, name| home.skill(skill(name)));
    skilled.build(model.url())
}

/// The same levers by hand: the params that Codex gets for this `thread/start`, as a stand-in between keeps them. The
/// root that they name stays.
pub(crate) async fn by_hand(home: &Home, selected: &Value) -> Result<Value> {
    let (stand_in, told) = (home.path().join("between"), home.path().join("told"));
    let (codex, kept) = (home.codex().display(), told.display());
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = app-server ] || exec '{codex}' \"$@\"\ntee '{kept}' | '{codex}' \"$@\"\n"
    );
    fs::write(&stand_in, script)?;
    fs::set_permissions(&stand_in, fs::Permissions::from_mode(0o755))?;
    let between = stand_in.to_string_lossy();
    let proxy = connect(home, Path::new(PROXY), &["--codex", &between]).await?;
    proxy.request("thread/start", selected.clone()).await?;
    proxy.shutdown().await?;
    let told = fs::read_to_string(told)?;
    let mut messages = told.lines().map(serde_json::from_str::<Value>);
    let start = messages.find(|message| {
        let method = message.as_ref().map(|message| &message["method"]);
        method.is_ok_and(|method| method == "thread/start")
    });
    Ok(start.context("Codex was told to start a thread")??["params"].take())
}

/// As `cp -r`.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

pub(crate) fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// The median of the ratios of each pair: what slows one slows both.
pub(crate) fn paired_ratio(one: &[Duration], other: &[Duration]) -> f64 {
    let pairs = one.iter().zip(other);
    let mut ratios: Vec<f64> = pairs
        .map(|(one, other)| one.as_secs_f64() / other.as_secs_f64())
        .collect();
    ratios.sort_by(f64::total_cmp);
    ratios[ratios.len() / 2]
}

pub(crate) fn millis(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1000.0)
}
