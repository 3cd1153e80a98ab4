//! Two agents with a loadout each, and a native thread beside them, on one Codex app-server.
//!
//! ```text
//! cargo run --example two_agents              through codex-loadout
//! cargo run --example two_agents -- --plain   the same requests to plain codex, which has no loadouts
//! ```
//!
//! A throwaway user has nine skills, three plugins and a few MCP servers. The review agent and the
//! planning agent each get a part of that, a third thread gets what every thread gets natively. At last
//! an unchanged host, OpenAI's own SDK, works with a profile: it can't send the field. The
//! tables show what the model was really sent, read from the requests that Codex made to it. It
//! fails, and names the difference, when any thread saw more or less than promised.

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lab::{Client, Home, HomeBuilder, Model, Promise, Seen, Table};
use serde_json::{Value, json};

/// Who works, with what, and what their model is to see.
struct Agent {
    name: &'static str,
    /// `capabilitySelection` of `thread/start`; without one the thread is native.
    selection: Option<Value>,
    promise: Promise,
}

fn agents() -> [Agent; 3] {
    let github = ["comment", "list_pull_requests", "read_diff"];
    // One plugin with all it brings, and one skill of the user's.
    let review = Agent {
        name: "review",
        selection: Some(json!({
            "mode": "replace",
            "plugins": ["github@internal"],
            "skills": ["repo-review"],
        })),
        promise: Promise::of_skills(&["github:pull-request", "repo-review"])
            .server("github", &github),
    };
    // A plugin without its MCP server, and one tool of a server of the user's.
    let planning = Agent {
        name: "planning",
        selection: Some(json!({
            "mode": "replace",
            "plugins": [{"id": "linear@internal", "mcpServers": []}],
            "skills": ["planning"],
            "mcpServers": [{"name": "team-notes", "tools": ["search_notes"]}],
        })),
        promise: Promise::of_skills(&["linear:issue-writing", "planning"])
            .server("team-notes", &["search_notes"]),
    };
    let native = Agent {
        name: "native",
        selection: None,
        promise: Promise::native(),
    };
    [review, planning, native]
}

/// A thread that is open, and the digest of its loadout.
struct Opened {
    id: String,
    digest: Option<String>,
}

/// A host: one connection to one app-server, and what it found out on the way.
struct Host<'a> {
    home: &'a Home,
    model: &'a Model,
    client: Client,
    table: Table,
    differences: Vec<String>,
}

impl<'a> Host<'a> {
    async fn connect(command: Command, home: &'a Home, model: &'a Model) -> Result<Self> {
        let client = Client::spawn(command)?;
        client.initialize(true).await?;
        let table = Table::new(&[
            ("thread", 16),
            ("skills the model saw", 36),
            ("MCP tools it saw", 30),
            ("chars", 6),
            ("procs", 5),
            ("ms", 5),
        ]);
        Ok(Self {
            home,
            model,
            client,
            table,
            differences: Vec::new(),
        })
    }

    /// Opens a thread by `thread/start`, `thread/resume` or `thread/fork`, runs a turn, and compares.
    async fn open(
        &mut self,
        row: &str,
        agent: &Agent,
        method: &str,
        params: Value,
    ) -> Result<Opened> {
        let processes = self.home.mcp_processes()?.len();
        let begin = Instant::now();
        let opened = self.client.request(method, params).await?;
        let took = begin.elapsed();
        let id = opened["thread"]["id"]
            .as_str()
            .context("a thread has an id")?
            .to_owned();
        self.client.turn(&id, "What can you do?").await?;
        let processes = self.home.mcp_processes()?.len().saturating_sub(processes);
        self.compare(row, agent, &self.model.seen(&id)?, processes, Some(took));
        let receipt = &opened["capabilitySelection"];
        let digest = receipt["digest"].as_str().map(str::to_owned);
        if digest.is_some() != agent.selection.is_some() {
            self.differences
                .push(format!("{row}: {method} gave the receipt {receipt}"));
        }
        Ok(Opened { id, digest })
    }

    /// Lets an agent's model spawn a child, and compares what the child's model sees.
    async fn spawn_child(&mut self, row: &str, agent: &Agent, parent: &str) -> Result<()> {
        let processes = self.home.mcp_processes()?.len();
        let mark = self.client.mark();
        // The lab's model makes the tool call that it is told to make.
        let call = r#"CALL multi_agent_v1 spawn_agent {"message":"Look around."}"#;
        self.client.turn(parent, call).await?;
        let is_spawned =
            |message: &Value| message["params"]["item"]["receiverThreadIds"][0].is_string();
        let spawned = self.client.wait_for(mark, is_spawned).await?;
        let child = spawned["params"]["item"]["receiverThreadIds"][0]
            .as_str()
            .unwrap_or_default();
        let seen = self.model.wait_for_thread(child).await?;
        let processes = self.home.mcp_processes()?.len().saturating_sub(processes);
        self.compare(row, agent, &seen, processes, None);
        Ok(())
    }

    fn compare(
        &mut self,
        row: &str,
        agent: &Agent,
        seen: &Seen,
        processes: usize,
        took: Option<Duration>,
    ) {
        let breaches = agent.promise.breaches(seen);
        self.differences.extend(
            breaches
                .into_iter()
                .map(|breach| format!("{row}: {breach}")),
        );
        // Fewer may run: a child starts its servers when it calls them first.
        let servers = agent.promise.servers();
        if processes > servers {
            self.differences.push(format!(
                "{row}: {processes} MCP processes for {servers} servers"
            ));
        }
        self.table.row([
            row.to_owned(),
            seen.skills.join(", "),
            seen.mcp_tools().join(", ").replace("mcp__", ""),
            seen.context_chars().to_string(),
            processes.to_string(),
            took.map(|took| took.as_millis().to_string())
                .unwrap_or_default(),
        ]);
    }

    /// Prints the table and hangs up; the server and all MCP processes are to end by that.
    #[expect(clippy::print_stdout, reason = "an example shows what it found")]
    async fn finish(mut self, heading: &str) -> Result<Vec<String>> {
        println!("\n{heading}\n\n{}", self.table);
        let status = self.client.shutdown().await?;
        if !status.success() {
            self.differences
                .push(format!("the app-server ended with {status}"));
        }
        self.home.wait_for_mcp_processes(0).await?;
        Ok(self.differences)
    }
}

/// Runs the story on servers made by `server`; returns every difference from what was promised.
async fn run(home: &Home, model: &Model, server: impl Fn() -> Command) -> Result<Vec<String>> {
    let agents = agents();

    let mut host = Host::connect(server(), home, model).await?;
    let mut threads = Vec::new();
    for agent in &agents {
        let mut params = json!({"cwd": home.project()});
        if let Some(selection) = &agent.selection {
            params["capabilitySelection"] = selection.clone();
        }
        threads.push(host.open(agent.name, agent, "thread/start", params).await?);
    }
    let mut differences = host.finish("Three new threads on one app-server:").await?;

    // Nothing but the thread's id: what it has is remembered.
    let mut host = Host::connect(server(), home, model).await?;
    for (agent, thread) in agents.iter().zip(&threads) {
        let row = format!("{} resumed", agent.name);
        let params = json!({"threadId": thread.id});
        let resumed = host.open(&row, agent, "thread/resume", params).await?;
        if resumed.digest != thread.digest {
            host.differences
                .push(format!("{row}: another loadout digest than before"));
        }
    }
    let [review, planning, _] = &agents;
    let fork = json!({"threadId": threads[0].id});
    host.open("review's fork", review, "thread/fork", fork)
        .await?;
    host.spawn_child("planning's child", planning, &threads[1].id)
        .await?;
    let heading = "The same after a restart, with a fork and a spawned child:";
    differences.extend(host.finish(heading).await?);
    Ok(differences)
}

/// A third agent, whose host is npm's `@openai/codex-sdk` as it is: it runs `codex exec` and knows no selection. What it
/// gets, a profile says.
#[expect(clippy::print_stdout, reason = "an example shows what it found")]
fn run_unchanged_host(home: &Home, model: &Model, program: &Path) -> Result<Vec<String>> {
    home.add_profile("review", "skills = [\"repo-review\"]\n")?;
    let script = lab::npm_hosts()?.join("codex-sdk.mjs");
    let (project, program) = (home.project(), program.to_string_lossy());
    let arguments = [script.to_string_lossy(), program, project.to_string_lossy()];
    let mut arguments: Vec<&str> = arguments.iter().map(AsRef::as_ref).collect();
    arguments.push("review");
    let output = home
        .command(Path::new("node"), &arguments)
        .env("CODEX_LOADOUT_CODEX", home.codex())
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the SDK failed: {said}");
    let thread = String::from_utf8(output.stdout)?;
    let seen = model.seen(thread.trim())?;
    let mut table = Table::new(&[("host", 20), ("profile", 8), ("skills the model saw", 36)]);
    let skills = seen.skills.join(", ");
    table.row(["@openai/codex-sdk".to_owned(), "review".to_owned(), skills]);
    println!("\nAn unchanged host with a profile, two turns:\n\n{table}");
    let breaches = Promise::of_skills(&["repo-review"]).breaches(&seen);
    let named = breaches
        .into_iter()
        .map(|it| format!("@openai/codex-sdk: {it}"));
    Ok(named.collect())
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "an example shows what it found")]
async fn main() -> Result<ExitCode> {
    let plain = std::env::args().any(|argument| argument == "--plain");
    let model = Model::start().await?;
    let home = HomeBuilder::standard()?.build(model.url())?;
    let program = if plain {
        home.codex().to_owned()
    } else {
        lab::proxy()?
    };
    let before = home.fingerprint()?;

    let server = || {
        let mut command = home.command(&program, &["app-server"]);
        if !plain {
            command.args(["--codex".as_ref(), home.codex()]);
        }
        command
    };
    let mut differences = run(&home, &model, server).await?;
    if !plain {
        differences.extend(run_unchanged_host(&home, &model, &program)?);
    }

    println!("config.toml has the sha256 {}", home.config_hash()?);
    let changes = home.fingerprint()?.changes_since(&before);
    if changes.is_empty() {
        println!("and is unchanged, as are the user's skills, plugins and project.");
    }
    differences.extend(
        changes
            .into_iter()
            .map(|change| format!("the user's files: {change}")),
    );
    if differences.is_empty() {
        println!("Every thread saw exactly what was promised.");
        return Ok(ExitCode::SUCCESS);
    }
    println!("\nNot as promised:");
    for difference in differences {
        println!("- {difference}");
    }
    Ok(ExitCode::FAILURE)
}
