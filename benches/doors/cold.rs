//! What it takes until a loadout of many skills lies in an empty store, beside a copy of their folders.
//!
//! Each round begins with programs that were just started and a state folder that is not there. What a start with the
//! same levers by hand takes, with folders that are there already, is taken off: that is Codex's part.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use lab::{Client, Home, Model, Skill, Table};
use serde_json::{Value, json};

use super::common::{PROXY, by_hand, copy, home_with, many_names, median, millis};
use super::say;

/// Skills that are selected: all that the user has but those of [`lab::HomeBuilder::standard`].
const SKILLS: usize = if cfg!(debug_assertions) { 50 } else { 500 };
const ROUNDS: usize = if cfg!(debug_assertions) { 2 } else { 9 };

pub(crate) async fn cold() -> Result<()> {
    let mut table = Table::new(&[
        ("cold loadout", 34),
        ("ours ms", 8),
        ("by hand", 8),
        ("copy", 8),
        ("(ours - by hand) / copy", 23),
    ]);
    let text = "Look at what was changed, one file after the other, and say what is missing.\n";
    let plain = |name: &str| Skill::new(name);
    let with_files = |name: &str| {
        Skill::new(name)
            .file("references/checklist.md", text)
            .file("scripts/run.sh", "#!/bin/sh\ngit diff --stat\n")
    };
    measure(&mut table, "a file each", &plain).await?;
    measure(&mut table, "three files each", &with_files).await?;
    say(&table.to_string());
    Ok(())
}

async fn measure(table: &mut Table, what: &str, skill: &dyn Fn(&str) -> Skill) -> Result<()> {
    let names = many_names(SKILLS);
    let model = Model::start().await?;
    let home = home_with(&names, skill, &model)?;
    let selected = json!({ "cwd": home.project(), "capabilitySelection": { "skills": names } });
    let hand = by_hand(&home, &selected).await?;
    let codex = home.codex().to_string_lossy().into_owned();
    let mut times: [Vec<Duration>; 3] = Default::default();
    // They go at the end: the disk would still be at taking one away while the next round begins.
    let mut folders = Vec::new();
    for round in 0..=ROUNDS {
        let folder = tempfile::tempdir_in(home.path())?;
        let state = folder.path().join("state");
        let ours = start(
            &home,
            Path::new(PROXY),
            &["--codex", &codex],
            &state,
            &selected,
        )
        .await?;
        let by_hand = start(&home, home.codex(), &[], &state, &hand).await?;
        let copied = copied_and_synced(&home, &names, &folder.path().join("copy"))?;
        // The first round warms up.
        if round > 0 {
            for (times, took) in times.iter_mut().zip([ours, by_hand, copied]) {
                times.push(took);
            }
        }
        folders.push(folder);
    }
    let [ours, by_hand, copied] = times.each_mut().map(|times| median(times));
    let part = ours.saturating_sub(by_hand).as_secs_f64() / copied.as_secs_f64();
    table.row([
        format!("{SKILLS} skills, {what}"),
        millis(ours),
        millis(by_hand),
        millis(copied),
        format!("{part:.2}"),
    ]);
    Ok(())
}

/// The first thread of a program that was just started.
async fn start(
    home: &Home,
    program: &Path,
    more: &[&str],
    state: &Path,
    params: &Value,
) -> Result<Duration> {
    let mut arguments = vec!["app-server"];
    arguments.extend(more);
    let mut command = home.command(program, &arguments);
    command.env("CODEX_LOADOUT_HOME", state);
    let client = Client::spawn(command)?;
    client.initialize(true).await?;
    let begun = Instant::now();
    client.request("thread/start", params.clone()).await?;
    let took = begun.elapsed();
    client.shutdown().await?;
    Ok(took)
}

/// As `cp -r` of the skills' folders, and then every file and folder synced.
fn copied_and_synced(home: &Home, names: &[String], to: &Path) -> Result<Duration> {
    let skills = home.path().join(".agents/skills");
    let begun = Instant::now();
    for name in names {
        copy(&skills.join(name), &to.join(name))?;
    }
    sync(to)?;
    Ok(begun.elapsed())
}

fn sync(place: &Path) -> Result<()> {
    if place.is_dir() {
        for entry in fs::read_dir(place)? {
            sync(&entry?.path())?;
        }
    }
    Ok(File::open(place)?.sync_all()?)
}
