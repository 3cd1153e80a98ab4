//! Hosts at random on many threads for minutes, while things change underneath, and Codex, hosts and the proxy are
//! killed.
//!
//! ```text
//! cargo run --release --example soak                        ten minutes, 8 hosts, 200 threads
//! SOAK_SECONDS=180 SOAK_HOSTS=8 SOAK_THREADS=60 SOAK_SEED=1 cargo run --example soak
//! ```
//!
//! Hosts start, fork, update and resume threads that they share, run turns and hang up in the middle of something.
//! Skills come and go, and the user's config changes. In the first half the proxy is killed now and then, Codex all the
//! time (not so often that it is given up). At the end it says how much was sent and what came of it. It fails if a
//! request had no answer or two, if a model saw what its thread never had, or if the proxy has grown over the second half.

#![expect(clippy::print_stdout, reason = "an example shows what it found")]

mod processes;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{ExitCode, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use lab::{Crowd, Dice, Home, HomeBuilder, Model, Skill, Table};
use processes::{Sample, codex_of, kill};
use tokio::process::{Child, Command};

/// Codex is given up at its fifth end within a minute.
const CODEX_LIVES: Duration = Duration::from_secs(17);
/// How long the proxy lives in the first half.
const PROXY_LIVES: Duration = Duration::from_secs(41);

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

/// What runs, and what was done to it.
struct Soak {
    home: Home,
    model: Model,
    crowd: Crowd,
    begun: Instant,
    lasts: Duration,
    /// The proxy of now.
    proxy: AtomicU32,
    codex_killed: AtomicUsize,
    proxy_killed: AtomicUsize,
    changes: AtomicUsize,
    requests: AtomicUsize,
    wider: Mutex<BTreeSet<String>>,
    samples: Mutex<Vec<Sample>>,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let lasts = Duration::from_secs(setting("SOAK_SECONDS", 600));
    let seed = setting("SOAK_SEED", u64::from(std::process::id()));
    let binary = lab::proxy()?;
    let model = Model::start().await?;
    let home = HomeBuilder::standard()?.build(model.url())?;
    let address = format!("unix://{}", home.path().join("hosts.sock").display());
    let threads = usize::try_from(setting("SOAK_THREADS", 200))?;
    let crowd = Crowd::new(&[&address], home.project(), lasts).that_outlives(threads);
    let soak = Soak {
        home,
        model,
        crowd,
        begun: Instant::now(),
        lasts,
        proxy: AtomicU32::default(),
        codex_killed: AtomicUsize::default(),
        proxy_killed: AtomicUsize::default(),
        changes: AtomicUsize::default(),
        requests: AtomicUsize::default(),
        wider: Mutex::default(),
        samples: Mutex::default(),
    };
    let start = || -> Result<Child> {
        let arguments = ["app-server", "--listen", &address, "--codex"];
        let mut command = soak.home.command(&binary, &arguments);
        command.arg(soak.home.codex()).stdin(Stdio::null());
        let proxy = Command::from(command).kill_on_drop(true).spawn()?;
        let id = proxy.id().context("the proxy runs")?;
        soak.proxy.store(id, Ordering::Relaxed);
        Ok(proxy)
    };
    let hosts = (0..setting("SOAK_HOSTS", 8)).map(|number| {
        let dice = Dice::new(seed.wrapping_add(number << 32));
        soak.crowd.live(number, dice)
    });
    println!("SOAK_SEED={seed}, {} s", lasts.as_secs());
    let outcomes = tokio::select! {
        outcomes = futures_util::future::join_all(hosts) => outcomes,
        ended = soak.keep_the_proxy(start) => return Err(ended),
        () = soak.kill_codex() => unreachable!("it goes on for ever"),
        changed = soak.change_things() => return Err(changed.err().context("nothing changes")?),
        () = soak.watch() => unreachable!("it goes on for ever"),
    };
    soak.look_at_requests();
    soak.report(outcomes.into_iter().filter_map(Result::err).collect())
}

impl Soak {
    fn is_first_half(&self) -> bool {
        self.begun.elapsed() < self.lasts / 2
    }

    /// Starts the proxy, and kills it and starts it again in the first half.
    async fn keep_the_proxy(&self, start: impl Fn() -> Result<Child>) -> anyhow::Error {
        loop {
            let mut proxy = match start() {
                Ok(proxy) => proxy,
                Err(error) => return error,
            };
            let status = match tokio::time::timeout(PROXY_LIVES, proxy.wait()).await {
                Ok(status) => status,
                Err(_) if self.is_first_half() => {
                    self.proxy_killed.fetch_add(1, Ordering::Relaxed);
                    kill(proxy.id());
                    let _ = proxy.wait().await;
                    continue;
                }
                Err(_) => proxy.wait().await,
            };
            return anyhow::anyhow!("the proxy has ended by itself: {status:?}");
        }
    }

    async fn kill_codex(&self) {
        loop {
            tokio::time::sleep(CODEX_LIVES).await;
            if let Some(codex) = codex_of(self.proxy.load(Ordering::Relaxed)) {
                self.codex_killed.fetch_add(1, Ordering::Relaxed);
                kill(Some(codex));
            }
        }
    }

    /// Skills come and go, a plugin is switched on and off.
    async fn change_things(&self) -> Result<()> {
        let config = self.home.codex_home().join("config.toml");
        let before = std::fs::read_to_string(&config)?;
        loop {
            tokio::time::sleep(Duration::from_millis(400)).await;
            let step = self.changes.fetch_add(1, Ordering::Relaxed);
            let name = format!("churn-{}", step % 5);
            match step % 4 {
                0 | 2 => self.home.add_skill(".agents/skills", &Skill::new(&name))?,
                1 => {
                    let skill = self.home.path().join(".agents/skills").join(&name);
                    // It may not be there.
                    let _ = std::fs::remove_dir_all(skill);
                }
                _ if step % 8 == 3 => {
                    let on = before.replace("enabled = false", "enabled = true");
                    replace(&config, &on)?;
                }
                _ => replace(&config, &before)?,
            }
        }
    }

    /// Lets held turns go on, looks at what models were sent, and at the proxy.
    async fn watch(&self) {
        let mut looked = Instant::now();
        loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            self.model.release();
            if looked.elapsed() < Duration::from_secs(1) {
                continue;
            }
            looked = Instant::now();
            self.look_at_requests();
            if !self.is_first_half() {
                let proxy = self.proxy.load(Ordering::Relaxed);
                let sample = Sample::of(proxy, self.home.path());
                locked(&self.samples).extend(sample);
            }
        }
    }

    fn look_at_requests(&self) {
        let requests = self.model.take_requests();
        self.requests.fetch_add(requests.len(), Ordering::Relaxed);
        locked(&self.wider).extend(self.crowd.breaches(&requests));
    }

    fn report(&self, failures: Vec<String>) -> Result<ExitCode> {
        let mut table = Table::new(&[("what", 60), ("how often", 12)]);
        let counts = self.crowd.counts();
        let count = |what: &str| counts.get(what).copied().unwrap_or_default();
        let ways = [
            "answered",
            "refused",
            "lost with their connection",
            "given up by their host",
            "failed",
        ];
        let came = ways.map(count).iter().sum::<usize>();
        for (what, count) in &counts {
            table.row([what.clone(), count.to_string()]);
        }
        let wider = locked(&self.wider);
        for (what, count) in [
            ("requests of models", &self.requests),
            ("Codex killed", &self.codex_killed),
            ("proxy killed", &self.proxy_killed),
            ("changes underneath", &self.changes),
        ] {
            table.row([what.to_owned(), count.load(Ordering::Relaxed).to_string()]);
        }
        table.row(["threads".to_owned(), self.crowd.threads().len().to_string()]);
        let seen = "threads seen with another loadout";
        table.row([seen.to_owned(), wider.len().to_string()]);
        println!("{table}");
        let samples = locked(&self.samples);
        let grown = Sample::growth(&samples);
        println!("{}", Sample::halves(&samples));
        for failure in failures.iter().chain(wider.iter()) {
            println!("FAILED: {failure}\n{}", self.crowd.story(failure));
        }
        for what in &grown {
            println!("FAILED: {what}");
        }
        let all_came = count("sent") == came;
        if !all_came {
            println!("FAILED: {} sent, {came} came to something", count("sent"));
        }
        let holds = failures.is_empty() && wider.is_empty() && grown.is_empty() && all_came;
        Ok(match holds {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        })
    }
}

/// Half a file is another one.
fn replace(file: &Path, text: &str) -> Result<()> {
    let whole = file.with_extension("new");
    std::fs::write(&whole, text)?;
    Ok(std::fs::rename(whole, file)?)
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
