//! What a loadout costs: `thread/start` through the proxy against the same levers sent by hand
//! straight to Codex, against a native start, and the proxy's memory.
//!
//! `cargo bench --bench thread_start`. All kinds of start take turns in one run, so that what slows
//! the machine slows them all; the ratios count, not the milliseconds.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use lab::{Client, Home, HomeBuilder, Model, Table};
use serde_json::{Value, json};

const ROUNDS: usize = 60;
const WARM_UP: usize = 5;
/// What a start leaves to be done is not to fall onto the next one.
const SETTLE: Duration = Duration::from_millis(40);

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
    let codex = home.codex().to_string_lossy().into_owned();
    let proxy = connect(
        &home,
        Path::new(env!("CARGO_BIN_EXE_codex-loadout")),
        &["--codex", &codex],
    )
    .await?;
    let proxy_process = proxy.id().context("the proxy runs")?;
    let idle = memory(proxy_process);

    let plain = connect(&home, home.codex(), &[]).await?;
    let by_hand = by_hand(&home)?;
    let cwd = home.project();
    let selected = json!({ "cwd": cwd, "capabilitySelection": {
        "plugins": [{ "id": "github@internal", "mcpServers": [] }], "skills": ["repo-review"] } });
    let native = json!({ "cwd": cwd });
    let kinds = [
        ("by hand, straight to Codex", &direct, &by_hand),
        ("loadout, through the proxy", &proxy, &selected),
        ("native, 3 MCP servers", &plain, &native),
    ];
    let mut times: Vec<Vec<Duration>> = vec![Vec::new(); kinds.len()];
    for round in 0..WARM_UP + ROUNDS {
        for turn in 0..kinds.len() {
            // Each kind comes first as often as last.
            let kind = (round + turn) % kinds.len();
            let (_, client, params) = kinds[kind];
            let took = start(client, params).await?;
            if round >= WARM_UP {
                times[kind].push(took);
            }
            tokio::time::sleep(SETTLE).await;
        }
    }
    let medians: Vec<Duration> = times.iter_mut().map(|times| median(times)).collect();
    let mut table = Table::new(&[("thread/start", 28), ("p50 ms", 8), ("ratio", 28)]);
    let ratio = |a: usize, b: usize| medians[a].as_secs_f64() / medians[b].as_secs_f64();
    table.row([kinds[0].0.to_owned(), millis(medians[0]), String::new()]);
    table.row([
        kinds[1].0.to_owned(),
        millis(medians[1]),
        format!("{:.3} of by hand", ratio(1, 0)),
    ]);
    table.row([
        kinds[2].0.to_owned(),
        millis(medians[2]),
        format!("loadout is {:.3} of it", ratio(1, 2)),
    ]);
    println!(
        "{ROUNDS} starts of each kind, in turns, Codex {}:\n\n{table}",
        lab::DEFAULT_VERSION
    );
    println!(
        "resident memory of the proxy: {} with one idle connection, {} after {} loadouts",
        idle,
        memory(proxy_process),
        WARM_UP + ROUNDS
    );
    Ok(())
}

async fn connect(home: &Home, program: &Path, more: &[&str]) -> Result<Client> {
    let mut arguments = vec!["app-server"];
    arguments.extend(more);
    let client = Client::spawn(home.command(program, &arguments))?;
    client.initialize(true).await?;
    Ok(client)
}

/// One start; the thread is unloaded afterwards, so that MCP servers do not pile up.
async fn start(client: &Client, params: &Value) -> Result<Duration> {
    let begin = Instant::now();
    let started = client.request("thread/start", params.clone()).await?;
    let took = begin.elapsed();
    client
        .request(
            "thread/archive",
            json!({ "threadId": started["thread"]["id"] }),
        )
        .await
        .ok();
    client
        .request(
            "thread/unsubscribe",
            json!({ "threadId": started["thread"]["id"] }),
        )
        .await?;
    Ok(took)
}

/// The levers of `codex-0.169`, written out by hand for the same choice: one plugin without its
/// server, one skill.
fn by_hand(home: &Home) -> Result<Value> {
    // The same shape of root: a link to a folder of links.
    let hand = home.path().join("by-hand");
    let root = hand.join("root");
    let plugin = home.codex_home().join("plugins/cache/internal/github");
    let version = fs::read_dir(&plugin)?
        .next()
        .context("the plugin is installed")??;
    copy(&version.path(), &hand.join("trees/github"))?;
    copy(
        &home.path().join(".agents/skills/repo-review"),
        &hand.join("trees/repo-review"),
    )?;
    fs::create_dir_all(hand.join("loadout"))?;
    for name in ["github", "repo-review"] {
        symlink(
            Path::new("../trees").join(name),
            hand.join("loadout").join(name),
        )?;
    }
    symlink("loadout", &root)?;
    let host_skills = [
        "repo-review",
        "incident-debugging",
        "release-notes",
        "planning",
        "dependency-upgrade",
        "house-style",
    ];
    let rules: Vec<Value> = host_skills
        .iter()
        .map(|name| json!({ "name": name, "enabled": false }))
        .collect();
    Ok(json!({
        "cwd": home.project(),
        "config": {
            "features": { "plugins": false, "apps": false, "hooks": false },
            "skills": { "bundled": { "enabled": false }, "config": rules },
            "mcp_servers": { "team-notes": { "enabled": false } },
        },
        "selectedCapabilityRoots": [{ "id": "by-hand", "location": { "type": "environment", "environmentId": "local", "path": root } }],
    }))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
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

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn millis(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1000.0)
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
