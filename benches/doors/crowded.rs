//! Whether `thread/start` stays as quick where much is recorded and many skills are installed.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use codex_loadout::records::{Records, root_file};
use codex_loadout_protocol::audit::AuditEvent;
use lab::{Client, Home, Model, Skill, Table};
use serde_json::{Value, json};
use uuid::Uuid;

use super::common::{by_hand, connect, connect_through_us, home_with, many_names, median, millis};
use super::say;

/// Skills that are installed and threads that are recorded: a few of each, and many.
const SETTINGS: [(usize, usize); 2] = if cfg!(debug_assertions) {
    [(10, 10), (300, 500)]
} else {
    [(10, 10), (1_900, 10_000)]
};
/// Skills of [`lab::HomeBuilder::standard`].
const STANDARD: usize = 6;
/// Starts of each kind.
const STARTS: usize = if cfg!(debug_assertions) { 6 } else { 100 };
const WARM_UP: usize = 3;
/// Threads that are started to have records; all others are like these.
const MODELS: usize = 5;
/// What a start leaves to be done is not to fall onto the next one.
const SETTLE: Duration = Duration::from_millis(60);

/// One setting: who is asked, and for what.
struct Setting {
    home: Home,
    by_hand: (Client, Value),
    ours: (Client, Value),
}

pub(crate) async fn crowded() -> Result<()> {
    let model = Model::start().await?;
    let mut settings = Vec::new();
    for (skills, records) in SETTINGS {
        settings.push(Setting::new(&model, skills, records).await?);
    }
    let mut times: Vec<[Vec<Duration>; 2]> = vec![Default::default(); settings.len()];
    for round in 0..WARM_UP + STARTS {
        for (setting, times) in settings.iter().zip(&mut times) {
            // Each kind comes first as often as last.
            for kind in [round % 2, (round + 1) % 2] {
                let took = setting.start(kind).await?;
                if round >= WARM_UP {
                    times[kind].push(took);
                }
            }
        }
    }
    let mut table = Table::new(&[
        ("thread/start, warm loadout", 36),
        ("ours ms", 8),
        ("by hand", 8),
        ("ratio", 6),
    ]);
    let mut ratios = Vec::new();
    for ((skills, records), [by_hand, ours]) in SETTINGS.into_iter().zip(&mut times) {
        let (ours, by_hand) = (median(ours), median(by_hand));
        let ratio = ours.as_secs_f64() / by_hand.as_secs_f64();
        table.row([
            format!("{records} records, {skills} skills"),
            millis(ours),
            millis(by_hand),
            format!("{ratio:.2}"),
        ]);
        ratios.push(ratio);
    }
    let grown = ratios[1] / ratios[0];
    table.row(["  many / few", "", "", &format!("{grown:.2}")]);
    say(&table.to_string());
    Ok(())
}

impl Setting {
    async fn new(model: &Model, skills: usize, records: usize) -> Result<Self> {
        let more = many_names(skills - STANDARD);
        let home = home_with(&more, Skill::new, model)?;
        let selected = json!({ "cwd": home.project(),
            // So that unsubscribing unloads it.
            "config": { "thread_unload_delay_secs": 0 },
            "capabilitySelection": { "skills": ["repo-review"], "plugins": [{ "id": "github@internal", "mcpServers": [] }] } });
        let proxy = connect_through_us(&home).await?;
        for _ in 0..MODELS {
            start(&proxy, &selected).await?;
        }
        proxy.shutdown().await?;
        record_more(&home.path().join(".codex-loadout"), records).await?;
        let hand = by_hand(&home, &selected).await?;
        let direct = connect(&home, home.codex(), &[]).await?;
        let proxy = connect_through_us(&home).await?;
        Ok(Self {
            home,
            by_hand: (direct, hand),
            ours: (proxy, selected),
        })
    }

    async fn start(&self, kind: usize) -> Result<Duration> {
        let (client, params) = [&self.by_hand, &self.ours][kind];
        let took = start(client, params).await?;
        self.home.wait_for_mcp_processes(0).await?;
        tokio::time::sleep(SETTLE).await;
        Ok(took)
    }
}

/// Opens a thread and lets go of it.
async fn start(client: &Client, params: &Value) -> Result<Duration> {
    let begun = Instant::now();
    let started = client.request("thread/start", params.clone()).await?;
    let took = begun.elapsed();
    let unload = json!({ "threadId": started["thread"]["id"] });
    client.request("thread/unsubscribe", unload).await?;
    Ok(took)
}

/// Records threads like those that are recorded, each with its row in the audit, its root and its root's file, until
/// there are this many.
async fn record_more(state: &Path, count: usize) -> Result<()> {
    let records = Records::open(state).await?;
    let roots = state.join("roots");
    let models = records.threads().await?;
    for number in models.len()..count {
        let mut record = models[number % models.len()].clone();
        let of_model = record.loadout.root.take().context("it has a root")?;
        let root = Uuid::now_v7().to_string();
        symlink(fs::read_link(roots.join(&of_model))?, roots.join(&root))?;
        record.thread_id = Uuid::now_v7().to_string();
        record.loadout.root = Some(root.clone());
        root_file::write(&roots, &root, &record.loadout)?;
        let cause = record.loadout.cause("thread/start");
        let put = records.put_thread(&record, AuditEvent::Start, &cause);
        put.await?;
    }
    records.close().await;
    Ok(())
}
