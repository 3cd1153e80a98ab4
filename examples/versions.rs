//! The checks that every supported Codex has to pass, on each of them.
//!
//! ```text
//! cargo run --example versions            every pinned Codex, 400 MB each, installed once
//! cargo run --example versions -- 0.169.0
//! ```
//!
//! Each cell says what the model saw: exactly the loadout, or what was missing or too much. A cell may
//! say that the request was refused instead: never wider, where that Codex can't do better.

use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, Result};
use lab::{
    Client, Home, HomeBuilder, Model, Plugin, Promise, RequestError, Skill, Table, VERSIONS,
};
use serde_json::{Value, json};

/// How long Codex may take to notice a new skill.
const NOTICED: Duration = Duration::from_millis(1200);

struct Check<'a> {
    home: &'a Home,
    model: &'a Model,
    proxy: &'a std::path::Path,
    promise: Promise,
    host: Client,
}

/// What a check came to.
#[derive(Debug, Clone, PartialEq)]
enum Outcome {
    Exact,
    /// Something of the loadout was missing, and nothing was too much.
    Narrower,
    Refused(String),
    Wrong(String),
}

impl Outcome {
    fn cell(&self) -> String {
        match self {
            Self::Exact => "exact".to_owned(),
            Self::Narrower => "narrower".to_owned(),
            Self::Refused(kind) => format!("refused: {kind}"),
            Self::Wrong(what) => format!("WRONG: {what}"),
        }
    }
}

impl Check<'_> {
    async fn connect(home: &Home, proxy: &std::path::Path) -> Result<Client> {
        let mut command: Command = home.command(proxy, &["app-server", "--codex"]);
        command.arg(home.codex());
        let client = Client::spawn(command)?;
        client.initialize(true).await?;
        Ok(client)
    }

    /// Opens a thread and runs a turn on it.
    async fn open(&self, method: &str, params: Value) -> Result<(String, Outcome)> {
        self.open_as(method, params, &self.promise).await
    }

    async fn turn(&self, thread: &str, text: &str) -> Result<Outcome> {
        self.turn_with(thread, text, &self.promise).await
    }

    async fn turn_as(&self, thread: &str, promise: &Promise) -> Result<Outcome> {
        self.turn_with(thread, "What can you do?", promise).await
    }

    async fn turn_with(&self, thread: &str, text: &str, promise: &Promise) -> Result<Outcome> {
        if let Err(error) = self.host.turn(thread, text).await {
            return match error.downcast::<RequestError>() {
                Ok(RequestError::Refused(error)) => Ok(refused(&error.data)),
                Ok(error) => Err(error.into()),
                Err(error) => Err(error),
            };
        }
        Ok(outcome(promise, &self.model.seen(thread)?))
    }

    fn newcomer(&self, name: &str) -> Result<()> {
        self.home.add_skill(".agents/skills", &Skill::new(name))
    }

    /// What threads see that came out of one another and no longer have the same loadout: a fork made
    /// with another one, its source, a fork whose source changed and that source, a parent that changed
    /// and its child; and all of them after a restart.
    async fn independence(&mut self) -> Result<Vec<Outcome>> {
        let selection = |skill: &str| json!({ "skills": [skill] });
        let seen = |skill: &str| Promise::of_skills(&[skill]);
        let params =
            json!({ "cwd": self.home.project(), "capabilitySelection": selection("planning") });
        let (source, first) = self
            .open_as("thread/start", params, &seen("planning"))
            .await?;
        let apart =
            json!({ "threadId": source, "capabilitySelection": selection("release-notes") });
        let (apart, made) = self
            .open_as("thread/fork", apart, &seen("release-notes"))
            .await?;
        let named = json!({ "threadId": source });
        let (twin, same) = self
            .open_as("thread/fork", named, &seen("planning"))
            .await?;
        let source_after = self.turn_as(&source, &seen("planning")).await?;
        let fork = [first, made, same, source_after]
            .into_iter()
            .fold(Outcome::Exact, worse);

        let update = json!({ "threadId": source, "capabilitySelection": selection("house-style") });
        let updated = match self.host.request("thread/capability/update", update).await {
            Err(RequestError::Refused(error)) => refused(&error.data),
            updated => updated.map(|_| Outcome::Exact)?,
        };
        let source_after = self.turn_as(&source, &seen("house-style")).await?;
        let twin_after = self.turn_as(&twin, &seen("planning")).await?;
        let update = [updated, source_after, twin_after]
            .into_iter()
            .fold(Outcome::Exact, worse);

        let child = self.spawn(&source).await?;
        let change = json!({ "threadId": source, "capabilitySelection": selection("repo-review") });
        let changed = match self.host.request("thread/capability/update", change).await {
            Err(RequestError::Refused(error)) => refused(&error.data),
            changed => changed.map(|_| Outcome::Exact)?,
        };
        let parent_after = self.turn_as(&source, &seen("repo-review")).await?;
        let child_after = self.turn_as(&child, &seen("house-style")).await?;
        let parent = [changed, parent_after, child_after]
            .into_iter()
            .fold(Outcome::Exact, worse);

        self.restart().await?;
        let mut again = Outcome::Exact;
        for (thread, skill) in [
            (&source, "repo-review"),
            (&apart, "release-notes"),
            (&twin, "planning"),
            (&child, "house-style"),
        ] {
            let named = json!({ "threadId": thread });
            again = worse(
                again,
                self.open_as("thread/resume", named, &seen(skill)).await?.1,
            );
        }
        Ok(vec![fork, update, parent, again])
    }

    async fn open_as(
        &self,
        method: &str,
        params: Value,
        promise: &Promise,
    ) -> Result<(String, Outcome)> {
        let opened = match self.host.request(method, params).await {
            Err(RequestError::Refused(error)) => return Ok((String::new(), refused(&error.data))),
            opened => opened?,
        };
        let id = opened["thread"]["id"].as_str().context("an id")?.to_owned();
        let outcome = self.turn_as(&id, promise).await?;
        Ok((id, outcome))
    }

    /// Lets a thread spawn a child and waits for the child's turn to end.
    async fn spawn(&self, thread: &str) -> Result<String> {
        let mark = self.host.mark();
        let call = r#"CALL multi_agent_v1 spawn_agent {"message":"Look around."}"#;
        self.turn(thread, call).await?;
        let is_spawned =
            |message: &Value| message["params"]["item"]["receiverThreadIds"][0].is_string();
        let spawned = self.host.wait_for(mark, is_spawned).await?;
        let child = spawned["params"]["item"]["receiverThreadIds"][0]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        self.model.wait_for_thread(&child).await?;
        let ended = |message: &Value| {
            message["method"] == "turn/completed" && message["params"]["threadId"] == json!(child)
        };
        self.host.wait_for(mark, ended).await?;
        Ok(child)
    }

    /// A plugin that was made for Claude, from its marketplace: a command and an agent.
    async fn claude(&self) -> Result<Outcome> {
        let params =
            json!({ "cwd": self.home.project(), "capabilitySelection": { "plugins": ["forge"] } });
        let promise = Promise::of_skills(&["forge:prd"]);
        let (thread, seen) = self.open_as("thread/start", params, &promise).await?;
        let agents = match seen {
            Outcome::Exact => self.model.seen(&thread)?.agents,
            _ => return Ok(seen),
        };
        if agents.iter().any(|agent| agent == "forge:reviewer") {
            return Ok(Outcome::Exact);
        }
        Ok(Outcome::Narrower)
    }

    async fn restart(&mut self) -> Result<()> {
        let host = Self::connect(self.home, self.proxy).await?;
        std::mem::replace(&mut self.host, host).kill9().await?;
        Ok(())
    }

    async fn run(&mut self) -> Result<Vec<Outcome>> {
        let start = json!({ "cwd": self.home.project(), "capabilitySelection": {
            "plugins": ["github@internal"], "skills": ["repo-review"] } });
        let mut outcomes = Vec::new();
        let (thread, started) = self.open("thread/start", start.clone()).await?;
        outcomes.push(started);
        let named = json!({ "threadId": thread });
        outcomes.push(self.open("thread/fork", named.clone()).await?.1);
        self.restart().await?;
        outcomes.push(self.open("thread/resume", named.clone()).await?.1);

        let child = self.spawn(&thread).await?;
        outcomes.push(outcome(&self.promise, &self.model.seen(&child)?));

        self.newcomer("newcomer")?;
        tokio::time::sleep(NOTICED).await;
        outcomes.push(self.turn(&thread, "Anything new?").await?);
        let fresh = self.host.request("thread/start", start).await?;
        let fresh = fresh["thread"]["id"].as_str().context("an id")?.to_owned();
        self.newcomer("newcomer-before-the-first-turn")?;
        tokio::time::sleep(NOTICED).await;
        outcomes.push(self.turn(&fresh, "Anything new?").await?);

        self.restart().await?;
        let child = json!({ "threadId": child });
        outcomes.push(self.open("thread/resume", child).await?.1);
        outcomes.extend(self.independence().await?);
        outcomes.push(self.claude().await?);
        Ok(outcomes)
    }
}

/// What the model saw, held against a promise.
fn outcome(promise: &Promise, seen: &lab::Seen) -> Outcome {
    let breaches = promise.breaches(seen);
    match breaches.as_slice() {
        [] => Outcome::Exact,
        missing if missing.iter().all(|line| line.starts_with("did not see")) => Outcome::Narrower,
        wider => Outcome::Wrong(wider.join("; ")),
    }
}

/// The one of two that promises less.
fn worse(one: Outcome, other: Outcome) -> Outcome {
    let rank = |outcome: &Outcome| match outcome {
        Outcome::Exact => 0,
        Outcome::Narrower => 1,
        Outcome::Refused(_) => 2,
        Outcome::Wrong(_) => 3,
    };
    if rank(&other) > rank(&one) {
        other
    } else {
        one
    }
}

fn forge() -> Plugin {
    let command = "---\ndescription: Writes a PRD\n---\nWrite a PRD for $ARGUMENTS.\n";
    let agent = "---\nname: reviewer\ndescription: Reviews\n---\nYou review.\n";
    Plugin::new("forge")
        .for_claude()
        .file("commands/prd.md", command)
        .file("agents/reviewer.md", agent)
}

fn refused(data: &Value) -> Outcome {
    Outcome::Refused(data["kind"].as_str().unwrap_or("by Codex").to_owned())
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "an example shows what it found")]
async fn main() -> Result<ExitCode> {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let proxy = lab::proxy()?;
    let mut table = Table::new(&[
        ("Codex", 8),
        ("start", 14),
        ("fork", 14),
        ("resume", 14),
        ("spawned", 14),
        ("drift", 22),
        ("drift before 1st turn", 22),
        ("child resumed", 14),
        ("fork with another", 18),
        ("source changes", 14),
        ("parent changes", 14),
        ("all resumed", 14),
        ("Claude plugin", 14),
    ]);
    let mut wrong = false;
    for version in VERSIONS {
        if !wanted.is_empty() && !wanted.iter().any(|name| name == version) {
            continue;
        }
        let model = Model::start().await?;
        let home = HomeBuilder::standard()?
            .codex_version(version)
            .offered_plugin(forge())
            .build(model.url())?;
        let mut check = Check {
            home: &home,
            model: &model,
            proxy: &proxy,
            promise: Promise::of_skills(&["github:pull-request", "repo-review"])
                .server("github", &["comment", "list_pull_requests", "read_diff"]),
            host: Check::connect(&home, &proxy).await?,
        };
        let outcomes = check
            .run()
            .await
            .with_context(|| format!("Codex {version}"))?;
        wrong |= outcomes
            .iter()
            .any(|outcome| matches!(outcome, Outcome::Wrong(_)));
        let cells = outcomes.iter().map(Outcome::cell);
        table.row(std::iter::once(version.to_owned()).chain(cells));
    }
    println!("\n{table}");
    Ok(if wrong {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}
