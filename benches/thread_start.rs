//! What a loadout costs: `thread/start` through the proxy against the same levers sent by hand
//! straight to Codex, against a native start, and the proxy's memory.
//!
//! `cargo bench --bench thread_start`. All kinds of start take turns in one run, so that what slows
//! the machine slows them all; the ratios count, not the milliseconds: of each pair of starts the
//! ratio is taken, and of those the median.

mod common;

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use common::{by_hand, connect, connect_through_us, median, millis, paired_ratio};
use lab::{Client, Home, HomeBuilder, Model, Table};
use serde_json::{Value, json};

/// Threads of each kind that are measured in one setting.
const STARTS: usize = 240;
/// Threads that a host opens one after the other; they stay open meanwhile.
const SETTINGS: [usize; 2] = [4, 1];
const WARM_UP: usize = 2;
/// What a round leaves to be done is not to fall onto the next one.
const SETTLE: Duration = Duration::from_millis(60);

#[tokio::main]
#[expect(clippy::print_stdout, reason = "a bench shows what it measured")]
async fn main() -> Result<()> {
    // `cargo test --benches` runs every bench; measuring is not a test.
    if !std::env::args().any(|argument| argument == "--bench") {
        println!("run with `cargo bench --bench thread_start`");
        return Ok(());
    }
    let model = Model::start().await?;
    let home = HomeBuilder::standard()?.build(model.url())?;
    let direct = connect(&home, home.codex(), &[]).await?;
    let proxy = connect_through_us(&home).await?;
    let proxy_process = proxy.id().context("the proxy runs")?;
    let idle = memory(proxy_process);

    let plain = connect(&home, home.codex(), &[]).await?;
    let cwd = home.project();
    // So that unsubscribing unloads it.
    let unload = json!({ "thread_unload_delay_secs": 0 });
    let selected = json!({ "cwd": cwd, "config": unload, "capabilitySelection": {
        "plugins": [{ "id": "github@internal", "mcpServers": [] }], "skills": ["repo-review"] } });
    let native = json!({ "cwd": cwd, "config": unload });
    let by_hand = by_hand(&home, &selected).await?;
    let kinds = [
        ("by hand, straight to Codex", &direct, &by_hand),
        ("loadout, through the proxy", &proxy, &selected),
        ("native, 3 MCP servers", &plain, &native),
    ];
    println!(
        "{STARTS} starts of each kind, the kinds in turns, Codex {}\n",
        lab::DEFAULT_VERSION
    );
    for agents in SETTINGS {
        let mut times = measure(
            &home,
            &kinds.map(|(_, client, params)| (client, params)),
            agents,
        )
        .await?;
        let mut table = Table::new(&[("thread/start", 28), ("p50 ms", 8), ("ratio", 28)]);
        let ratio = |a: usize, b: usize| paired_ratio(&times[a], &times[b]);
        let ratios = [
            String::new(),
            format!("{:.3} of by hand", ratio(1, 0)),
            format!("loadout is {:.3} of it", ratio(1, 2)),
        ];
        for ((kind, times), ratio) in kinds.iter().zip(&mut times).zip(ratios) {
            table.row([kind.0.to_owned(), millis(median(times)), ratio]);
        }
        println!(
            "threads opened one after the other, before they are unloaded: {agents}\n\n{table}"
        );
    }
    println!(
        "resident memory of the proxy: {} with one idle connection, {} after {} loadouts",
        idle,
        memory(proxy_process),
        SETTINGS.len() * STARTS
    );
    Ok(())
}

/// How long the starts of each kind took, those at the same place a pair.
async fn measure(
    home: &Home,
    kinds: &[(&Client, &Value)],
    agents: usize,
) -> Result<Vec<Vec<Duration>>> {
    let mut times: Vec<Vec<Duration>> = vec![Vec::new(); kinds.len()];
    for round in 0..WARM_UP + STARTS / agents {
        for turn in 0..kinds.len() {
            // Each kind comes first as often as last.
            let kind = (round + turn) % kinds.len();
            let (client, params) = kinds[kind];
            let took = start(client, params, agents).await?;
            if round >= WARM_UP {
                times[kind].extend(took);
            }
            home.wait_for_mcp_processes(0).await?;
            tokio::time::sleep(SETTLE).await;
        }
    }
    Ok(times)
}

/// Opens threads; they are unloaded afterwards, so that MCP servers do not pile up.
async fn start(client: &Client, params: &Value, agents: usize) -> Result<Vec<Duration>> {
    let mut times = Vec::new();
    let mut threads = Vec::new();
    for _ in 0..agents {
        let begin = Instant::now();
        let started = client.request("thread/start", params.clone()).await?;
        times.push(begin.elapsed());
        threads.push(started["thread"]["id"].clone());
    }
    for thread in threads {
        let unload = json!({ "threadId": thread });
        client.request("thread/unsubscribe", unload).await?;
    }
    Ok(times)
}

/// Resident memory as `ps` tells it.
fn memory(process: u32) -> String {
    let told = std::process::Command::new("ps")
        .args(["-o", "rss=", "-p", &process.to_string()])
        .output();
    let kib: Option<f64> = told
        .ok()
        .and_then(|told| String::from_utf8(told.stdout).ok()?.trim().parse().ok());
    kib.map_or_else(
        || "unknown".to_owned(),
        |kib| format!("{:.1} MB", kib * 1024.0 / 1e6),
    )
}
