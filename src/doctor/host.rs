//! A host of the throwaway home: opens threads, runs turns, looks at what the model saw.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use codex_loadout_protocol::Seen;
use serde_json::{Value, json};

use super::finding::{Expected, Outcome};
use super::home::furnish;
use crate::connection::{BriefCodex, RpcError, UpstreamCommand};
use crate::messages::thread::TURN_COMPLETED;
use crate::paths::HOME_VARIABLE;
use crate::proof::endpoint::{Endpoint, SPAWN};
use crate::throwaway::ThrowawayHome;

/// How long a turn may take.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A connection to this program in front of the Codex that is examined.
pub(super) struct Host<'a> {
    pub(super) home: ThrowawayHome,
    codex: &'a UpstreamCommand,
    endpoint: Endpoint,
    connection: BriefCodex,
}

impl<'a> Host<'a> {
    pub(super) async fn new(codex: &'a UpstreamCommand) -> Result<Self> {
        let endpoint = Endpoint::open().await?;
        let home = ThrowawayHome::new(&endpoint.url()).context("no throwaway home can be made")?;
        furnish(&home, codex)?;
        Ok(Self {
            connection: connect(&home, codex, &[]).await?,
            home,
            codex,
            endpoint,
        })
    }

    pub(super) async fn end(self) {
        self.connection.end().await;
    }

    /// Another connection, on a Codex of its own; the one before has ended.
    pub(super) async fn restart(&mut self) -> Result<()> {
        self.restart_with(&[]).await
    }

    /// The same, launched with these flags.
    pub(super) async fn restart_with(&mut self, flags: &[&str]) -> Result<()> {
        let connection = connect(&self.home, self.codex, flags).await?;
        std::mem::replace(&mut self.connection, connection)
            .end()
            .await;
        Ok(())
    }

    pub(super) async fn ask(
        &self,
        method: &'static str,
        params: &Value,
    ) -> Result<Value, RpcError> {
        self.connection.rpc().ask(method, params).await
    }

    /// A thread, and what its model sees in a first turn; no thread if Codex or we refuse.
    pub(super) async fn open(
        &self,
        method: &'static str,
        params: &Value,
        expected: &Expected,
    ) -> Result<(String, Outcome)> {
        match self.ask(method, params).await {
            Ok(opened) => {
                let id = opened["thread"]["id"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned();
                let outcome = self.look(&id, expected).await?;
                Ok((id, outcome))
            }
            Err(error) => Ok((String::new(), Outcome::refused(error.to_string()))),
        }
    }

    /// A request that shows nothing by itself.
    pub(super) async fn told(&self, method: &'static str, params: &Value) -> Option<Outcome> {
        let answer = self.ask(method, params).await;
        answer
            .err()
            .map(|error| Outcome::refused(error.to_string()))
    }

    /// What a thread's model sees in a turn.
    pub(super) async fn look(&self, thread: &str, expected: &Expected) -> Result<Outcome> {
        match self.turn(thread, "What can you do?").await? {
            None => Ok(expected.held_against(&self.seen(thread)?)),
            Some(refused) => Ok(refused),
        }
    }

    fn seen(&self, thread: &str) -> Result<Seen> {
        let asked = self.endpoint.asked();
        let last = asked.iter().rev().find(|asked| asked.thread == thread);
        Ok(Seen::of(&last.context("the model was never asked")?.body))
    }

    /// Whether anything that a thread's model was ever asked holds these words.
    pub(super) fn was_told(&self, thread: &str, words: &str) -> bool {
        let asked = self.endpoint.asked();
        let mut of_thread = asked.iter().filter(|asked| asked.thread == thread);
        of_thread.any(|asked| asked.body.to_string().contains(words))
    }

    /// A request that begins a turn, and what the model sees from then until one has ended.
    pub(super) async fn run(
        &self,
        method: &'static str,
        params: &Value,
        thread: &str,
        expected: &Expected,
    ) -> Result<Outcome> {
        let (before, asked) = (self.ended(thread), self.endpoint.asked().len());
        if let Some(refused) = self.told(method, params).await {
            return Ok(refused);
        }
        self.wait_for_end(thread, before).await?;
        let all = self.endpoint.asked();
        let since = all.get(asked..).filter(|since| !since.is_empty());
        let outcomes = since.context("the model was never asked")?.iter();
        let outcomes = outcomes.map(|asked| expected.held_against(&Seen::of(&asked.body)));
        Ok(Outcome::worst(outcomes))
    }

    /// Has a thread's history compacted; gives why that was refused, if it was.
    pub(super) async fn compact(&self, thread: &str) -> Result<Option<Outcome>> {
        let before = self.ended(thread);
        let named = json!({ "threadId": thread });
        let refused = self.told("thread/compact/start", &named).await;
        if refused.is_none() {
            self.wait_for_end(thread, before).await?;
        }
        Ok(refused)
    }

    /// Waits until no turn of a thread is under way.
    pub(super) async fn wait_for_rest(&self, thread: &str) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let named = json!({ "threadId": thread });
        while self.ask("thread/read", &named).await?["thread"]["status"]["type"] == "active" {
            if Instant::now() > deadline {
                bail!("a thread did not come to rest within {PATIENCE:?}");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// Runs a turn to its end; gives why it was refused, if it was.
    async fn turn(&self, thread: &str, text: &str) -> Result<Option<Outcome>> {
        let before = self.ended(thread);
        let turn = json!({ "threadId": thread, "input": [{ "type": "text", "text": text }] });
        match self.ask("turn/start", &turn).await {
            Ok(_) => {}
            Err(refused @ RpcError::Refused { .. }) => {
                return Ok(Some(Outcome::refused(refused.to_string())));
            }
            Err(error) => return Err(error.into()),
        }
        self.wait_for_end(thread, before).await?;
        Ok(None)
    }

    /// Lets a thread spawn another; gives that and what its model saw.
    pub(super) async fn spawn(
        &self,
        thread: &str,
        role: Option<&str>,
        expected: &Expected,
    ) -> Result<(String, Outcome)> {
        let before = self.endpoint.asked().len();
        let text = role.map_or(SPAWN.to_owned(), |role| format!("{SPAWN} {role}"));
        if let Some(refused) = self.turn(thread, &text).await? {
            return Ok((String::new(), refused));
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let asked = self.endpoint.asked();
            let mut since = asked.iter().skip(before);
            if let Some(asked) = since.find(|asked| asked.thread != thread) {
                let child = asked.thread.clone();
                let outcome = expected.held_against(&Seen::of(&asked.body));
                self.wait_for_end(&child, 0).await?;
                return Ok((child, outcome));
            }
            if Instant::now() > deadline {
                bail!("no thread was spawned within {PATIENCE:?}");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn wait_for_end(&self, thread: &str, before: usize) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while self.ended(thread) == before {
            if Instant::now() > deadline {
                bail!("a turn did not end within {PATIENCE:?}");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// How many turns of a thread have ended.
    fn ended(&self, thread: &str) -> usize {
        let said = self.connection.said();
        let of_thread = said.iter().filter(|frame| {
            frame.method() == TURN_COMPLETED
                && String::from_utf8_lossy(frame.bytes()).contains(thread)
        });
        of_thread.count()
    }
}

/// This program as a host's `codex-loadout app-server`.
async fn connect(
    home: &ThrowawayHome,
    codex: &UpstreamCommand,
    flags: &[&str],
) -> Result<BriefCodex> {
    let proxy = UpstreamCommand::this_program()?
        .with("HOME", home.path())
        .with("CODEX_HOME", home.codex_home())
        .with(HOME_VARIABLE, home.path().join(".codex-loadout"));
    let mut arguments = vec![
        "app-server".into(),
        "--codex".into(),
        codex.path.clone().into_os_string(),
    ];
    arguments.extend(flags.iter().map(Into::into));
    Ok(BriefCodex::start(&proxy, &arguments).await?)
}
