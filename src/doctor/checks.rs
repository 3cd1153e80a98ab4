//! The checks, each a few requests and a look at what the model saw.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use codex_loadout_protocol::Seen;
use codex_loadout_protocol::selection::FIELD;
use serde::Serialize;
use serde_json::{Value, json};

use crate::connection::{AskError, BriefCodex, UpstreamCommand};
use crate::interceptors::thread::TURN_COMPLETED;
use crate::proof::endpoint::{Endpoint, SPAWN};
use crate::settings::HOME_VARIABLE;
use crate::throwaway::ThrowawayHome;

/// How long Codex may take to notice a new skill.
const NOTICED: Duration = Duration::from_millis(1500);
/// How long a turn may take.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// What was found of one promise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// What was tried.
    pub check: &'static str,
    /// What came of it.
    pub finding: Finding,
    /// What the model saw, or why Codex refused.
    pub detail: String,
}

/// What came of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Finding {
    /// The model saw exactly the loadout.
    Exact,
    /// It saw less.
    Narrower,
    /// The request was refused; nothing ran.
    Refused,
    /// It saw more: the promise is broken.
    Wider,
}

/// Makes all checks on a Codex. Takes about ten seconds.
///
/// # Errors
/// What kept a check from being made at all.
pub async fn examine(codex: &UpstreamCommand) -> Result<Vec<Check>> {
    let endpoint = Endpoint::open().await?;
    let home = ThrowawayHome::new(&endpoint.url()).context("no throwaway home can be made")?;
    for skill in [CHOSEN, OTHER] {
        home.add_skill(skill)?;
    }
    let mut doctor = Doctor {
        host: connect(&home, codex).await?,
        home,
        codex,
        endpoint,
        checks: Vec::new(),
    };
    let done = doctor.run().await;
    doctor.host.end().await;
    done.map(|()| doctor.checks)
}

/// The skill that the checks choose.
const CHOSEN: &str = "chosen";
/// One that they don't.
const OTHER: &str = "other";

struct Doctor<'a> {
    home: ThrowawayHome,
    codex: &'a UpstreamCommand,
    endpoint: Endpoint,
    host: BriefCodex,
    checks: Vec<Check>,
}

/// This program as a host's `codex-loadout app-server`, in front of the Codex that is examined.
async fn connect(home: &ThrowawayHome, codex: &UpstreamCommand) -> Result<BriefCodex> {
    let proxy = UpstreamCommand::this_program()?
        .with("HOME", home.path())
        .with("CODEX_HOME", home.codex_home())
        .with(HOME_VARIABLE, home.path().join(".codex-loadout"));
    let arguments = [
        "app-server".into(),
        "--codex".into(),
        codex.path.clone().into_os_string(),
    ];
    Ok(BriefCodex::start(&proxy, &arguments).await?)
}

impl Doctor<'_> {
    async fn run(&mut self) -> Result<()> {
        let start = json!({ "cwd": self.home.project(), FIELD: { "skills": [CHOSEN] } });
        let thread = self.open("start", "thread/start", &start).await?;
        let thread = thread.context("no thread could be started")?;
        let named = json!({ "threadId": thread });
        self.open("fork", "thread/fork", &named).await?;

        let before = self.endpoint.asked().len();
        self.turn(&thread, SPAWN).await?;
        let child = self.child(&thread, before).await;
        if let Some((_, seen)) = &child {
            self.note("spawned thread", seen);
        }

        self.home.add_skill("newcomer")?;
        tokio::time::sleep(NOTICED).await;
        self.check_turn("a skill is added", &thread).await?;
        let fresh: Value = self.host.asker().ask("thread/start", &start).await?;
        self.home.add_skill("newcomer-before-the-first-turn")?;
        tokio::time::sleep(NOTICED).await;
        let fresh = fresh["thread"]["id"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        self.check_turn("a skill is added before the first turn", &fresh)
            .await?;

        let again = connect(&self.home, self.codex).await?;
        std::mem::replace(&mut self.host, again).end().await;
        self.open("resume after a restart", "thread/resume", &named)
            .await?;
        if let Some((child, _)) = child {
            let named = json!({ "threadId": child });
            self.open("spawned thread resumed", "thread/resume", &named)
                .await?;
        }
        Ok(())
    }

    /// Opens a thread and runs a turn on it.
    async fn open(
        &mut self,
        check: &'static str,
        method: &'static str,
        params: &Value,
    ) -> Result<Option<String>> {
        let opened: Result<Value, AskError> = self.host.asker().ask(method, params).await;
        let opened = match opened {
            Ok(opened) => opened,
            Err(error) => {
                self.refused(check, &error);
                return Ok(None);
            }
        };
        let id = opened["thread"]["id"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        self.check_turn(check, &id).await?;
        Ok(Some(id))
    }

    async fn check_turn(&mut self, check: &'static str, thread: &str) -> Result<()> {
        match self.turn(thread, "What can you do?").await {
            Ok(()) => {
                let asked = self.endpoint.asked();
                let last = asked.iter().rev().find(|asked| asked.thread == thread);
                let last = last.context("the model was never asked")?;
                self.note(check, &Seen::of(&last.body));
                Ok(())
            }
            Err(error) => match error.downcast_ref::<AskError>() {
                Some(refused @ AskError::Refused { .. }) => {
                    self.refused(check, refused);
                    Ok(())
                }
                _ => Err(error),
            },
        }
    }

    async fn turn(&self, thread: &str, text: &str) -> Result<()> {
        let ended = || {
            let of_thread = |frame: &&crate::wire::Frame| {
                let text = String::from_utf8_lossy(frame.bytes());
                frame.method() == TURN_COMPLETED && text.contains(thread)
            };
            self.host.said().iter().filter(of_thread).count()
        };
        let before = ended();
        let turn = json!({ "threadId": thread, "input": [{ "type": "text", "text": text }] });
        let _: Value = self.host.asker().ask("turn/start", &turn).await?;
        let deadline = Instant::now() + PATIENCE;
        while ended() == before {
            if Instant::now() > deadline {
                bail!("a turn did not end within {PATIENCE:?}");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// The spawned thread, and what its model saw.
    async fn child(&self, parent: &str, before: usize) -> Option<(String, Seen)> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let asked = self.endpoint.asked();
            let of_child = asked
                .iter()
                .skip(before)
                .find(|asked| asked.thread != parent);
            if let Some(asked) = of_child {
                return Some((asked.thread.clone(), Seen::of(&asked.body)));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        None
    }

    fn note(&mut self, check: &'static str, seen: &Seen) {
        let finding = match seen.skills.as_slice() {
            [one] if one == CHOSEN => Finding::Exact,
            [] => Finding::Narrower,
            _ => Finding::Wider,
        };
        self.checks.push(Check {
            check,
            finding,
            detail: seen.skills.join(", "),
        });
    }

    fn refused(&mut self, check: &'static str, error: &AskError) {
        self.checks.push(Check {
            check,
            finding: Finding::Refused,
            detail: error.to_string(),
        });
    }
}
