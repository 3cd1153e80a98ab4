//! The checks, each a few requests and a look at what the model saw.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Result;
use codex_loadout_protocol::method::{THREAD_CAPABILITY_PROVE, THREAD_CAPABILITY_UPDATE};
use codex_loadout_protocol::selection::FIELD;
use serde_json::{Value, json};

use super::finding::{Check, Expected, Finding, Outcome};
use super::home::{
    CLAUDE_AGENT, CLAUDE_PLUGIN, CLAUDE_SKILL, PLUGIN, PLUGIN_SKILL, ROLE, ROLE_WORDS, SKILLS,
};
use super::host::Host;
use crate::connection::UpstreamCommand;
use crate::messages::thread::{FORK, RESUME, START};

/// How long Codex may take to notice a new skill.
const NOTICED: Duration = Duration::from_millis(1500);

/// Makes all checks on a Codex. Takes about fifteen seconds.
///
/// # Errors
/// What kept a check from being made at all.
pub async fn examine(codex: &UpstreamCommand) -> Result<Vec<Check>> {
    let mut doctor = Doctor {
        host: Host::new(codex).await?,
        checks: Vec::new(),
    };
    let done = doctor.run().await;
    doctor.host.end().await;
    done.map(|()| doctor.checks)
}

struct Doctor<'a> {
    host: Host<'a>,
    checks: Vec<Check>,
}

fn named(thread: &str) -> Value {
    json!({ "threadId": thread })
}

impl Doctor<'_> {
    async fn run(&mut self) -> Result<()> {
        if !self.lifecycle().await? {
            return Ok(());
        }
        self.independence().await?;
        self.claude().await?;
        self.roles().await?;
        self.launch_line().await
    }

    fn note(&mut self, check: &str, outcome: Outcome) {
        self.checks.push(outcome.of(check));
    }

    fn start(&self, selection: Value) -> Value {
        json!({ "cwd": self.host.home.project(), FIELD: selection })
    }

    /// One thread with skills and a server: what becomes of its loadout. Whether threads can be started with one
    /// at all: an administrator may be in the way.
    async fn lifecycle(&mut self) -> Result<bool> {
        let start = self.start(json!({ "plugins": [PLUGIN], "skills": [SKILLS[0]] }));
        let all = Expected::skills(&[SKILLS[0], PLUGIN_SKILL]).and_server();
        let (thread, outcome) = self.host.open(START, &start, &all).await?;
        let refused = outcome.finding == Finding::Refused;
        self.note("start", outcome);
        if refused {
            return Ok(false);
        }
        let (_, outcome) = self.host.open(FORK, &named(&thread), &all).await?;
        self.note("fork", outcome);
        self.host.restart().await?;
        let (_, outcome) = self.host.open(RESUME, &named(&thread), &all).await?;
        self.note("resume after a restart", outcome);
        let (child, outcome) = self.host.spawn(&thread, None, &all).await?;
        self.note("spawned thread", outcome);

        self.newcomer("newcomer").await?;
        let outcome = self.host.look(&thread, &all).await?;
        self.note("a skill is added", outcome);
        let fresh = self.host.ask(START, &start).await?;
        self.newcomer("newcomer-before-the-first-turn").await?;
        let fresh = fresh["thread"]["id"].as_str().unwrap_or_default();
        let outcome = self.host.look(fresh, &all).await?;
        self.note("a skill is added before the first turn", outcome);
        self.turns_of_other_kinds(&thread, &all).await?;
        let mut ephemeral = start.clone();
        ephemeral["ephemeral"] = true.into();
        let (_, outcome) = self.host.open(START, &ephemeral, &all).await?;
        self.note("an ephemeral thread", outcome);

        self.host.restart().await?;
        let (_, outcome) = self.host.open(RESUME, &named(&child), &all).await?;
        self.note("spawned thread resumed", outcome);
        Ok(true)
    }

    /// Turns that are not begun by a prompt, each after a skill was added.
    async fn turns_of_other_kinds(&mut self, thread: &str, all: &Expected) -> Result<()> {
        self.newcomer("newcomer-before-others").await?;
        let review =
            json!({ "threadId": thread, "target": { "type": "custom", "instructions": "Look." } });
        let outcome = self.host.run("review/start", &review, thread, all).await?;
        self.note("a review", outcome);
        let refused = self.host.compact(thread).await?;
        let after = self.host.look(thread, all).await?;
        self.note("after a compaction", refused.unwrap_or(after));
        let goal = json!({ "threadId": thread, "objective": "Go on." });
        let outcome = self.host.run("thread/goal/set", &goal, thread, all).await?;
        self.note("a goal's turns", outcome);
        let pause = json!({ "threadId": thread, "status": "paused" });
        // Where there are no goals, there is none to pause.
        let _ = self.host.told("thread/goal/set", &pause).await;
        self.host.wait_for_rest(thread).await
    }

    async fn newcomer(&self, skill: &str) -> Result<()> {
        self.host.home.add_skill(skill)?;
        tokio::time::sleep(NOTICED).await;
        Ok(())
    }

    /// Threads that came out of one another and no longer have the same loadout: a fork made with another
    /// one, its source, a fork whose source changed and that source, a parent that changed and its child;
    /// and all of them after a restart.
    async fn independence(&mut self) -> Result<()> {
        let [one, two, three, four] = SKILLS.map(|skill| Expected::skills(&[skill]));
        let with = |skill: &str| json!({ "skills": [skill] });
        let start = self.start(with(SKILLS[0]));
        let (source, started) = self.host.open(START, &start, &one).await?;
        let other = json!({ "threadId": source, FIELD: with(SKILLS[1]) });
        let (apart, forked) = self.host.open(FORK, &other, &two).await?;
        let (twin, same) = self.host.open(FORK, &named(&source), &one).await?;
        let after = self.host.look(&source, &one).await?;
        let outcome = Outcome::worst([started, forked, same, after]);
        self.note("fork with another loadout", outcome);

        let change = json!({ "threadId": source, FIELD: with(SKILLS[2]) });
        let refused = self.host.told(THREAD_CAPABILITY_UPDATE, &change).await;
        let itself = self.host.look(&source, &three).await?;
        let other = self.host.look(&twin, &one).await?;
        let outcome = Outcome::worst(refused.into_iter().chain([itself, other]));
        self.note("a fork's source changes", outcome);

        let (child, _) = self.host.spawn(&source, None, &three).await?;
        let change = json!({ "threadId": source, FIELD: with(SKILLS[3]) });
        let refused = self.host.told(THREAD_CAPABILITY_UPDATE, &change).await;
        let itself = self.host.look(&source, &four).await?;
        let other = self.host.look(&child, &three).await?;
        let outcome = Outcome::worst(refused.into_iter().chain([itself, other]));
        self.note("a spawned thread's parent changes", outcome);

        self.host.restart().await?;
        let mut outcomes = Vec::new();
        for (thread, expected) in [(source, four), (apart, two), (twin, one), (child, three)] {
            outcomes.push(self.host.open(RESUME, &named(&thread), &expected).await?.1);
        }
        self.note("all of these resumed", Outcome::worst(outcomes));
        Ok(())
    }

    /// A tool of Codex's own that the launch line takes away.
    async fn launch_line(&mut self) -> Result<()> {
        let start = self.start(json!({ "skills": [SKILLS[0]] }));
        let tools = |proof: &Value| -> BTreeSet<String> {
            let tools = proof["seen"]["otherTools"].as_array().into_iter().flatten();
            tools
                .filter_map(|tool| Some(tool.as_str()?.to_owned()))
                .collect()
        };
        let with = self.host.ask(THREAD_CAPABILITY_PROVE, &start).await?;
        self.host.restart_with(&["--disable", "shell_tool"]).await?;
        let without = self.host.ask(THREAD_CAPABILITY_PROVE, &start).await?;
        self.host.restart().await?;
        let gone: Vec<String> = tools(&with).difference(&tools(&without)).cloned().collect();
        let holds = !gone.is_empty() && without["differences"] == json!([]);
        let outcome = Outcome {
            finding: if holds {
                Finding::Exact
            } else {
                Finding::Wider
            },
            detail: format!("{}, without {}", SKILLS[0], gone.join(", ")),
        };
        self.note("the launch line takes a tool away", outcome);
        Ok(())
    }

    async fn claude(&mut self) -> Result<()> {
        let start = self.start(json!({ "plugins": [CLAUDE_PLUGIN] }));
        let expected = Expected::skills(&[CLAUDE_SKILL]).and_agent(CLAUDE_AGENT);
        let (_, outcome) = self.host.open(START, &start, &expected).await?;
        self.note("a plugin made for Claude", outcome);
        Ok(())
    }

    /// A role of the user's own that the loadout does not name.
    async fn roles(&mut self) -> Result<()> {
        let one = Expected::skills(&[SKILLS[0]]);
        let start = self.start(json!({ "skills": [SKILLS[0]] }));
        let (thread, started) = self.host.open(START, &start, &one).await?;
        let (child, mut spawned) = self.host.spawn(&thread, Some(ROLE), &one).await?;
        if self.host.was_told(&child, ROLE_WORDS) {
            spawned.finding = Finding::Wider;
            spawned.detail += ", the role's words";
        }
        self.note(
            "a role of the user's own",
            Outcome::worst([started, spawned]),
        );
        Ok(())
    }
}
