//! Hosts that come, start, fork, update, resume, run turns and leave at random, on threads that they share, and what is
//! to hold whatever they do: nothing wider, nothing lost, nothing twice, nothing that is for others.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{Client, Dice, Promise, Request, RequestError};

/// A host opens no more threads than this.
const OPEN: usize = 6;
/// What takes longer is counted apart.
const SLOW: Duration = Duration::from_secs(20);
/// How long somebody may be away.
const AWAY: Duration = Duration::from_secs(60);

/// Selections, and what a thread with each of them is to see.
#[must_use]
pub fn crowd_loadouts() -> Vec<(Value, Promise)> {
    let github = json!({ "id": "github@internal", "mcpServers": [] });
    let sentry = json!({ "id": "sentry@internal", "mcpServers": [] });
    vec![
        (
            json!({ "skills": ["planning"] }),
            Promise::of_skills(&["planning"]),
        ),
        (
            json!({ "skills": ["release-notes", "repo-review"] }),
            Promise::of_skills(&["release-notes", "repo-review"]),
        ),
        (
            json!({ "plugins": [github] }),
            Promise::of_skills(&["github:pull-request"]),
        ),
        (
            json!({ "plugins": [sentry], "skills": ["planning"] }),
            Promise::of_skills(&["sentry:error-triage", "planning"]),
        ),
        (json!({}), Promise::default()),
    ]
}

/// What is known of a thread.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Loadouts that it has had, or may have had.
    pub had: BTreeSet<usize>,
    /// Whether Codex has something to resume.
    pub has_turn: bool,
}

/// Hosts and their threads.
#[derive(Debug)]
pub struct Crowd {
    addresses: Vec<String>,
    project: PathBuf,
    /// What threads may get.
    pub loadouts: Vec<(Value, Promise)>,
    threads: Mutex<BTreeMap<String, Known>>,
    /// No more threads are made than this.
    most_threads: usize,
    /// Whether Codex and the proxy die now and then.
    outlives: bool,
    counts: Mutex<BTreeMap<String, usize>>,
    /// What was done, and what came of it, lately.
    log: Mutex<Vec<String>>,
    begun: Instant,
    until: Instant,
    failed: AtomicBool,
}

/// Why a host stops.
#[derive(Debug)]
enum Stop {
    /// Its connection has ended.
    Gone,
    /// Something does not hold.
    Failed(String),
}

impl From<String> for Stop {
    fn from(why: String) -> Self {
        Self::Failed(why)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Crowd {
    /// Hosts that come by these addresses, for a while.
    #[must_use]
    pub fn new(addresses: &[&str], project: PathBuf, lasts: Duration) -> Self {
        let begun = Instant::now();
        Self {
            addresses: addresses.iter().map(|it| (*it).to_owned()).collect(),
            project,
            loadouts: crowd_loadouts(),
            threads: Mutex::default(),
            most_threads: usize::MAX,
            outlives: false,
            counts: Mutex::default(),
            log: Mutex::default(),
            begun,
            until: begun + lasts,
            failed: AtomicBool::new(false),
        }
    }

    /// The same, where Codex and the proxy die now and then, with this many threads.
    #[must_use]
    pub fn that_outlives(mut self, most_threads: usize) -> Self {
        self.outlives = true;
        self.most_threads = most_threads;
        self
    }

    /// Whether time is up, or something has failed.
    #[must_use]
    pub fn is_over(&self) -> bool {
        Instant::now() >= self.until || self.failed.load(Ordering::Relaxed)
    }

    /// All threads.
    #[must_use]
    pub fn threads(&self) -> BTreeMap<String, Known> {
        lock(&self.threads).clone()
    }

    /// How much there was of what.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<String, usize> {
        lock(&self.counts).clone()
    }

    /// What was done to the thread that an error names.
    #[must_use]
    pub fn story(&self, error: &str) -> String {
        let (log, threads) = (lock(&self.log), lock(&self.threads));
        let named = threads.keys().find(|thread| error.contains(*thread));
        let told = log
            .iter()
            .filter(|line| named.is_none_or(|it| line.contains(it)));
        told.cloned().collect::<Vec<_>>().join("\n")
    }

    /// Requests of models that show what their thread never had: each is a line.
    #[must_use]
    pub fn breaches(&self, requests: &[Arc<Request>]) -> BTreeSet<String> {
        let threads = lock(&self.threads);
        let mut wrong = BTreeSet::new();
        for request in requests {
            let thread = request.thread.clone().unwrap_or_default();
            let Some(known) = threads.get(&thread) else {
                wrong.insert(format!("{thread}: nobody knows it"));
                continue;
            };
            let seen = request.seen();
            let breaches = known
                .had
                .iter()
                .map(|it| self.loadouts[*it].1.breaches(&seen));
            let breaches: Vec<_> = breaches.collect();
            if breaches.iter().all(|it| !it.is_empty()) {
                wrong.insert(format!("{thread}: {breaches:?}"));
            }
        }
        wrong
    }

    /// A host that comes back as soon as it has left, until all is over.
    ///
    /// # Errors
    /// What does not hold.
    pub async fn live(&self, number: u64, mut dice: Dice) -> Result<(), String> {
        while !self.is_over() {
            let visit = self.visit(number, &mut dice).await;
            match visit {
                Err(Stop::Gone) if self.outlives => self.count("connections lost"),
                Err(Stop::Gone) => return Err(self.fail("a connection ends".to_owned())),
                Err(Stop::Failed(why)) => return Err(self.fail(why)),
                Ok(()) => {}
            }
        }
        Ok(())
    }

    fn fail(&self, why: String) -> String {
        self.failed.store(true, Ordering::Relaxed);
        why
    }

    async fn visit(&self, number: u64, dice: &mut Dice) -> Result<(), Stop> {
        let address = dice.pick(&self.addresses).cloned().unwrap_or_default();
        let mut host = Host {
            number,
            crowd: self,
            client: self.connect(&address).await?,
            open: BTreeSet::new(),
            opened: BTreeSet::new(),
            read: 0,
        };
        for _ in 0..dice.below(30) {
            if self.is_over() {
                break;
            }
            host.act(dice).await?;
            host.check()?;
        }
        if dice.below(2) == 0 {
            // In the middle of something, as one that is killed.
            let soon = Duration::from_millis(dice.below(8) as u64);
            let left = tokio::time::timeout(soon, host.act(dice)).await;
            left.unwrap_or(Ok(()))?;
        }
        host.check()?;
        self.note(format!("host {number} leaves {:?}", host.open));
        Ok(())
    }

    async fn connect(&self, address: &str) -> Result<Client, Stop> {
        let begun = Instant::now();
        loop {
            let why = match Client::connect(address).await {
                Ok(client) => match client.initialize(true).await {
                    Ok(_) => return Ok(client),
                    Err(error) => error.to_string(),
                },
                Err(error) => error.to_string(),
            };
            if begun.elapsed() > SLOW {
                self.count("slow: initialize");
            }
            if !self.outlives || begun.elapsed() > AWAY {
                return Err(Stop::Failed(format!("no host can come: {why}")));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn change(&self, thread: &str, change: impl FnOnce(&mut Known)) {
        change(lock(&self.threads).entry(thread.to_owned()).or_default());
    }

    fn knows(&self, thread: &str) -> Known {
        lock(&self.threads).get(thread).cloned().unwrap_or_default()
    }

    fn has_room(&self) -> bool {
        lock(&self.threads).len() < self.most_threads
    }

    /// A thread that can be resumed and forked.
    fn any(&self, dice: &mut Dice) -> Option<String> {
        let threads = lock(&self.threads);
        let threads: Vec<_> = threads.iter().filter(|it| it.1.has_turn).collect();
        dice.pick(&threads).map(|it| it.0.clone())
    }

    fn note(&self, line: String) {
        let mut log = lock(&self.log);
        log.push(format!("{:?} {line}", self.begun.elapsed()));
        if log.len() > 20_000 {
            log.drain(..10_000);
        }
    }

    fn count(&self, what: &str) {
        *lock(&self.counts).entry(what.to_owned()).or_default() += 1;
    }

    /// A loadout at random, as a selection, and which it is.
    fn choose(&self, dice: &mut Dice) -> (usize, Value) {
        let chosen = dice.below(self.loadouts.len());
        (chosen, self.loadouts[chosen].0.clone())
    }
}

/// Counts a request that its host does not wait for any more.
struct Sent<'a> {
    crowd: &'a Crowd,
    is_answered: bool,
}

impl Drop for Sent<'_> {
    fn drop(&mut self) {
        if !self.is_answered {
            self.crowd.count("given up by their host");
        }
    }
}

/// A host, while it is connected.
struct Host<'a> {
    number: u64,
    crowd: &'a Crowd,
    client: Client,
    /// Threads that it has open.
    open: BTreeSet<String>,
    /// Threads that it has had open.
    opened: BTreeSet<String>,
    /// How much of what it was told is known to have closed threads.
    read: usize,
}

impl Host<'_> {
    /// The result, or nothing where the thread is busy, or somebody has died.
    async fn ask(&self, method: &str, thread: &str, params: Value) -> Result<Option<Value>, Stop> {
        let said = format!("host {} {method} {params}", self.number);
        self.crowd.note(said.clone());
        self.crowd.count("sent");
        let mut sent = Sent {
            crowd: self.crowd,
            is_answered: false,
        };
        let begun = Instant::now();
        let answer = self.client.request(method, params).await;
        if begun.elapsed() > SLOW {
            self.crowd.count(&format!("slow: {method}"));
        }
        sent.is_answered = true;
        drop(sent);
        self.crowd.note(match &answer {
            Ok(result) => format!(
                "{said}: {} {}",
                result["thread"]["id"], result["turn"]["id"]
            ),
            Err(error) => format!("{said}: {error}"),
        });
        match answer {
            Ok(result) => {
                self.crowd.count("answered");
                Ok(Some(result))
            }
            Err(RequestError::Refused(error)) => {
                let why = match error.data["kind"].as_str() {
                    Some(kind) => kind,
                    None if error.message.contains("thread not found") => "thread not found",
                    None => error.message.as_str(),
                };
                let is_told = why == "threadBusy"
                    || (why == "thread not found" && self.was_told_closed(thread));
                let may_be = is_told || (self.crowd.outlives && comes_of_a_death(why));
                if !may_be {
                    self.crowd.count("failed");
                    return Err(Stop::Failed(format!(
                        "{method} of {thread}: {} {}",
                        error.message, error.data
                    )));
                }
                self.crowd.count("refused");
                self.crowd.count(&format!("refused: {why}"));
                Ok(None)
            }
            Err(RequestError::Gone(_)) => {
                self.crowd.count("lost with their connection");
                Err(Stop::Gone)
            }
            Err(error) => {
                self.crowd.count("failed");
                Err(Stop::Failed(format!("{method} of {thread}: {error}")))
            }
        }
    }

    /// Whether Codex's own words for it have come: a host has died that was just giving the thread another loadout.
    fn was_told_closed(&self, thread: &str) -> bool {
        let messages = self.client.messages();
        messages.iter().any(|it| is_closed(it, thread))
    }

    /// Forgets the threads that it was told are closed.
    fn look_for_closed(&mut self) {
        let messages = self.client.messages();
        for message in &messages[self.read..] {
            self.open.retain(|thread| !is_closed(message, thread));
        }
        self.read = messages.len();
    }

    fn opens(&mut self, thread: &str) {
        self.look_for_closed();
        self.open.insert(thread.to_owned());
        self.opened.insert(thread.to_owned());
    }

    async fn act(&mut self, dice: &mut Dice) -> Result<(), Stop> {
        self.look_for_closed();
        let open: Vec<String> = self.open.iter().cloned().collect();
        let may_start = self.crowd.has_room();
        let Some(thread) = dice.pick(&open).cloned() else {
            return match dice.below(2) {
                0 if may_start => self.start(dice).await,
                _ => self.resume(dice).await,
            };
        };
        let has_room = open.len() < OPEN;
        match dice.below(12) {
            0 if has_room && may_start => self.start(dice).await,
            1 if has_room && may_start => self.fork(dice).await,
            2 | 3 if has_room => self.resume(dice).await,
            4 | 5 => self.update(&thread, dice).await,
            6 if self.crowd.knows(&thread).has_turn => self.read(&thread).await,
            7 => self.unsubscribe(&thread).await,
            8 => self.begin(&thread, "HOLD").await.map(drop),
            _ => self.turn(&thread).await,
        }
    }

    async fn start(&mut self, dice: &mut Dice) -> Result<(), Stop> {
        let (chosen, selection) = self.crowd.choose(dice);
        let params = json!({ "cwd": self.crowd.project, "capabilitySelection": selection });
        if let Some(started) = self.ask("thread/start", "a new one", params).await? {
            let thread = id_of(&started);
            self.crowd.change(&thread, |it| it.had.extend([chosen]));
            self.opens(&thread);
        }
        Ok(())
    }

    async fn fork(&mut self, dice: &mut Dice) -> Result<(), Stop> {
        let Some(source) = self.crowd.any(dice) else {
            return Ok(());
        };
        let mut params = json!({ "threadId": source });
        let mut had = self.crowd.knows(&source).had;
        let inherits = dice.below(2) == 0;
        if !inherits {
            let (chosen, selection) = self.crowd.choose(dice);
            params["capabilitySelection"] = selection;
            had = [chosen].into();
        }
        if let Some(forked) = self.ask("thread/fork", &source, params).await? {
            let thread = id_of(&forked);
            if thread == source {
                return Err(Stop::Failed(format!("a fork of {source} is itself")));
            }
            if inherits {
                // The source may have got another meanwhile.
                had.extend(self.crowd.knows(&source).had);
            }
            self.crowd.change(&thread, |it| it.had.extend(had));
            self.opens(&thread);
        }
        Ok(())
    }

    async fn resume(&mut self, dice: &mut Dice) -> Result<(), Stop> {
        let Some(thread) = self.crowd.any(dice) else {
            return Ok(());
        };
        let mut params = json!({ "threadId": thread });
        if dice.below(4) == 0 {
            let (chosen, selection) = self.crowd.choose(dice);
            params["capabilitySelection"] = selection;
            self.crowd.change(&thread, |it| it.had.extend([chosen]));
        }
        // What it says before its answer is heard, too.
        self.opened.insert(thread.clone());
        if let Some(resumed) = self.ask("thread/resume", &thread, params).await? {
            is_of(&resumed["thread"]["id"], &thread)?;
            self.opens(&thread);
        }
        Ok(())
    }

    async fn update(&mut self, thread: &str, dice: &mut Dice) -> Result<(), Stop> {
        let (chosen, selection) = self.crowd.choose(dice);
        self.crowd.change(thread, |it| it.had.extend([chosen]));
        let params = json!({ "threadId": thread, "capabilitySelection": selection });
        let updated = self.ask("thread/capability/update", thread, params).await;
        updated.map(drop)
    }

    async fn read(&mut self, thread: &str) -> Result<(), Stop> {
        let params = json!({ "threadId": thread });
        match self.ask("thread/read", thread, params).await? {
            Some(read) => is_of(&read["thread"]["id"], thread),
            None => Ok(()),
        }
    }

    async fn unsubscribe(&mut self, thread: &str) -> Result<(), Stop> {
        let params = json!({ "threadId": thread });
        let left = self.ask("thread/unsubscribe", thread, params).await;
        self.open.remove(thread);
        left.map(drop)
    }

    async fn begin(&mut self, thread: &str, text: &str) -> Result<Option<Value>, Stop> {
        let input = json!([{ "type": "text", "text": text }]);
        let params = json!({ "threadId": thread, "input": input });
        let begun = self.ask("turn/start", thread, params).await?;
        if begun.is_none() && self.was_told_closed(thread) {
            self.open.remove(thread);
        }
        Ok(begun)
    }

    async fn turn(&mut self, thread: &str) -> Result<(), Stop> {
        let mark = self.client.mark();
        let Some(begun) = self.begin(thread, "go on").await? else {
            return Ok(());
        };
        let turn = &begun["turn"]["id"];
        let is_over = |it: &Value| {
            let ended = it["method"] == "turn/completed" && it["params"]["turn"]["id"] == *turn;
            ended || is_closed(it, thread)
        };
        let begun = Instant::now();
        let heard = self.client.wait_for(mark, is_over).await;
        if begun.elapsed() > SLOW {
            self.crowd.count("slow: turns");
        }
        let heard = heard.map_err(|error| {
            if error.to_string().contains("gone") {
                return Stop::Gone;
            }
            let messages = self.client.messages();
            let of_thread = messages.iter().skip(mark);
            let of_thread = of_thread.filter(|it| it["params"]["threadId"] == thread);
            let said =
                of_thread.map(|it| format!("{} {}", it["method"], it["params"]["turn"]["id"]));
            let said = said.collect::<Vec<_>>();
            Stop::Failed(format!(
                "{turn} of {thread} was not completed, after {said:?}"
            ))
        })?;
        if is_closed(&heard, thread) {
            self.open.remove(thread);
            return Ok(());
        }
        is_of(&heard["params"]["threadId"], thread)?;
        self.crowd.change(thread, |it| it.has_turn = true);
        Ok(())
    }

    /// Nothing came twice, and nothing that is for others.
    fn check(&self) -> Result<(), Stop> {
        for message in self.client.messages() {
            let Some(method) = message["method"].as_str() else {
                let why = format!("an answer that nobody waits for: {message}");
                return Err(Stop::Failed(why));
            };
            let is_of_turn = method.starts_with("turn/") || method.starts_with("item/");
            let thread = message["params"]["threadId"].as_str();
            if is_of_turn && thread.is_some_and(|it| !self.opened.contains(it)) {
                return Err(Stop::Failed(format!("overheard: {message}")));
            }
        }
        Ok(())
    }
}

/// What a request may be refused with where Codex and hosts die: nothing of it was done, or it was not heard of.
fn comes_of_a_death(why: &str) -> bool {
    let kinds = ["unsupportedUpstream", "thread not found", "threadNotFound"];
    let words = [
        "Codex ended before it answered",
        "Server overloaded",
        "no rollout found",
        "is closing",
    ];
    kinds.contains(&why) || words.iter().any(|it| why.contains(it))
}

fn is_closed(message: &Value, thread: &str) -> bool {
    message["method"] == "thread/closed" && message["params"]["threadId"] == thread
}

fn id_of(opened: &Value) -> String {
    let id = opened["thread"]["id"].as_str();
    id.unwrap_or_default().to_owned()
}

fn is_of(id: &Value, thread: &str) -> Result<(), Stop> {
    match id == thread {
        true => Ok(()),
        false => Err(Stop::Failed(format!("asked for {thread}, and got {id}"))),
    }
}
