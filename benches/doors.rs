//! What passing through the proxy costs on the wire: beside `socat`, or a relay like it, in front of a stand-in for
//! Codex that sends back what it gets; how soon the real Codex answers `initialize`; what a start takes where there is
//! much of everything, and where there is nothing yet; and the proxy's memory.
//!
//! `cargo bench --bench doors`, or a part of it: `cargo bench --bench doors -- wire`, `crowded`, `cold`, `memory`. It
//! runs in a debug build too (`--profile dev`), with smaller numbers. What is compared takes turns in one run; the
//! ratios count.

#[path = "doors/cold.rs"]
mod cold;
mod common;
#[path = "doors/crowded.rs"]
mod crowded;
#[path = "doors/measuring.rs"]
mod measuring;
#[path = "doors/memory.rs"]
mod memory;
#[path = "doors/stand_ins.rs"]
mod stand_ins;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use common::{PROXY, connect, connect_through_us, median};
use lab::{HomeBuilder, Model, Table};
use measuring::{Pipes, Wire, line};
use stand_ins::Role;

/// What can be measured alone.
const PARTS: [&str; 4] = ["wire", "crowded", "cold", "memory"];
/// How often what is compared takes turns.
const ROUNDS: usize = if cfg!(debug_assertions) { 3 } else { 9 };
/// Small and large messages, and how many of them go one way in a round.
const SMALL: usize = 400;
const LARGE: usize = 200_000;
const SMALL_COUNT: usize = if cfg!(debug_assertions) {
    5_000
} else {
    200_000
};
const LARGE_COUNT: usize = if cfg!(debug_assertions) { 100 } else { 2_000 };
/// Messages that go to and fro in a round, one after the other.
const TRIPS: usize = if cfg!(debug_assertions) { 300 } else { 5_000 };

fn main() -> Result<()> {
    if let Some(role) = Role::of_this_process() {
        return role.run();
    }
    // `cargo test --benches` runs every bench; measuring is not a test.
    if !std::env::args().any(|argument| argument == "--bench") {
        say("run with `cargo bench --bench doors`");
        return Ok(());
    }
    let named: Vec<String> = std::env::args()
        .filter(|argument| PARTS.contains(&argument.as_str()))
        .collect();
    let is_asked = |part: &str| named.is_empty() || named.iter().any(|named| named == part);
    let runtime = tokio::runtime::Runtime::new()?;
    if is_asked("wire") {
        say(&format!(
            "{ROUNDS} rounds, the two in turns, p50; beside {}\n",
            stand_ins::beside()
        ));
        let mut table = Table::new(&[("", 46), ("ours", 12), ("beside it", 12), ("ratio", 6)]);
        pipes(&mut table)?;
        runtime.block_on(sockets(&mut table))?;
        runtime.block_on(initialized(&mut table))?;
        say(&table.to_string());
    }
    if is_asked("crowded") {
        runtime.block_on(crowded::crowded())?;
    }
    if is_asked("cold") {
        runtime.block_on(cold::cold())?;
    }
    if is_asked("memory") {
        runtime.block_on(memory::memory())?;
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "a bench shows what it measured")]
fn say(text: &str) {
    println!("{text}");
}

/// Two kinds of times, and what the row says of them.
struct Compared {
    ours: Vec<Duration>,
    other: Vec<Duration>,
}

impl Compared {
    fn row(mut self, table: &mut Table, what: &str, shown: impl Fn(Duration) -> String) {
        let (ours, other) = (median(&mut self.ours), median(&mut self.other));
        let ratio = ours.as_secs_f64() / other.as_secs_f64();
        table.row([
            what.to_owned(),
            shown(ours),
            shown(other),
            format!("{ratio:.2}"),
        ]);
    }

    /// Of throughput, more is better: the ratio is the other way round.
    fn throughput_row(mut self, table: &mut Table, what: &str, bytes: usize) {
        let (ours, other) = (median(&mut self.ours), median(&mut self.other));
        let speed = |time: Duration| format!("{:.0} MB/s", bytes as f64 / time.as_secs_f64() / 1e6);
        let ratio = other.as_secs_f64() / ours.as_secs_f64();
        table.row([
            what.to_owned(),
            speed(ours),
            speed(other),
            format!("{ratio:.2}"),
        ]);
    }
}

fn micros(time: Duration) -> String {
    format!("{:.1} us", time.as_secs_f64() * 1e6)
}

/// Over stdin and stdout, as a host that starts the program.
fn pipes(table: &mut Table) -> Result<()> {
    let echo = std::env::current_exe()?;
    let mut proxy = Command::new(PROXY);
    proxy.args(["app-server", "--codex"]).arg(&echo);
    let mut ours = Pipes::start(Role::Echo.told_to(&mut proxy))?;
    let mut other = Pipes::start(Role::Echo.told_to(&mut stand_ins::pipe_relay(&echo)?))?;
    let mut compared = |what: &dyn Fn(&mut Pipes) -> Result<Duration>| -> Result<Compared> {
        what(&mut ours)?;
        what(&mut other)?;
        let (mut of_ours, mut of_other) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            of_ours.push(what(&mut ours)?);
            of_other.push(what(&mut other)?);
        }
        Ok(Compared {
            ours: of_ours,
            other: of_other,
        })
    };
    compared(&|pipes| pipes.trip(&line(SMALL), TRIPS))?.row(
        table,
        "stdio: round trip, 400 bytes",
        micros,
    );
    compared(&|pipes| pipes.one_way(&line(SMALL), SMALL_COUNT))?.throughput_row(
        table,
        "stdio: one way, 400 bytes",
        SMALL * SMALL_COUNT,
    );
    compared(&|pipes| pipes.one_way(&line(LARGE), LARGE_COUNT))?.throughput_row(
        table,
        "stdio: one way, 200 kB",
        LARGE * LARGE_COUNT,
    );
    Ok(())
}

/// A process that ends with this.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Over Unix sockets, in WebSocket frames: in front of a listener that sends back what it gets.
async fn sockets(table: &mut Table) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let at = |name: &str| folder.path().join(name);
    let address = |name: &str| format!("unix://{}", at(name).display());
    let state = at("state").into_os_string();
    let start = |command: &mut Command| -> Result<Ends> {
        let command = command.stdin(Stdio::null()).stdout(Stdio::null());
        Ok(Ends(command.env("CODEX_LOADOUT_HOME", &state).spawn()?))
    };
    let mut listener = Command::new(std::env::current_exe()?);
    let _listener = start(Role::Listener(at("echo")).told_to(&mut listener))?;
    appears(&at("echo")).await?;
    let mut proxy = Command::new(PROXY);
    proxy.args([
        "app-server",
        "--listen",
        &address("ours"),
        "--upstream",
        &address("echo"),
    ]);
    let _proxy = start(proxy.arg("--codex").arg(std::env::current_exe()?))?;
    let _relay = start(&mut stand_ins::socket_relay(&at("other"), &at("echo"))?)?;
    appears(&at("ours")).await?;
    appears(&at("other")).await?;
    let mut ours = Wire::connect(&address("ours")).await?;
    let mut other = Wire::connect(&address("other")).await?;
    for (what, size, count) in [
        ("sockets: round trip, 400 bytes", SMALL, 0),
        ("sockets: one way, 400 bytes", SMALL, SMALL_COUNT),
        ("sockets: one way, 200 kB", LARGE, LARGE_COUNT),
    ] {
        let message = line(size);
        let mut compared = Compared {
            ours: Vec::new(),
            other: Vec::new(),
        };
        for round in 0..=ROUNDS {
            let times = match count {
                0 => [
                    ours.trip(&message, TRIPS).await?,
                    other.trip(&message, TRIPS).await?,
                ],
                count => [
                    ours.one_way(&message, count).await?,
                    other.one_way(&message, count).await?,
                ],
            };
            // The first round warms up.
            if round > 0 {
                compared.ours.push(times[0]);
                compared.other.push(times[1]);
            }
        }
        match count {
            0 => compared.row(table, what, micros),
            count => compared.throughput_row(table, what, size * count),
        }
    }
    Ok(())
}

async fn appears(path: &Path) -> Result<()> {
    let begun = Instant::now();
    while !path.exists() {
        ensure!(
            begun.elapsed() < Duration::from_secs(30),
            "{} is not there",
            path.display()
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// From the start of the program until `initialize` is answered, on the real Codex.
async fn initialized(table: &mut Table) -> Result<()> {
    let model = Model::start().await?;
    let home = HomeBuilder::standard()?.build(model.url())?;
    let mut compared = Compared {
        ours: Vec::new(),
        other: Vec::new(),
    };
    for round in 0..=2 * ROUNDS {
        let begun = Instant::now();
        let proxy = connect_through_us(&home).await?;
        let ours = begun.elapsed();
        proxy.shutdown().await?;
        let begun = Instant::now();
        let native = connect(&home, home.codex(), &[]).await?;
        let other = begun.elapsed();
        native.shutdown().await?;
        if round > 0 {
            compared.ours.push(ours);
            compared.other.push(other);
        }
    }
    let shown = |time: Duration| format!("{} ms", common::millis(time));
    compared.row(table, "initialize answered, beside Codex itself", shown);
    Ok(())
}
