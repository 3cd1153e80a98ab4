//! Eight hosts that come, start, fork, update, resume, run turns and leave at random, on threads that they share.
//!
//! `CHURN_SEED=N` makes the same choices again; `CHURN_SECONDS=600 CHURN_HOSTS=8` is the long form.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lab::{Client, Dice, Promise, RequestError};
use serde_json::{Value, json};

use crate::load::setting;
use crate::many_hosts::Doors;
use crate::stage::Stage;

/// A host opens no more threads than this.
const OPEN: usize = 6;

fn loadouts() -> Vec<(Value, Promise)> {
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
            json!({ "plugins": [{ "id": "github@internal", "mcpServers": [] }] }),
            Promise::of_skills(&["github:pull-request"]),
        ),
        (
            json!({ "plugins": [{ "id": "sentry@internal", "mcpServers": [] }], "skills": ["planning"] }),
            Promise::of_skills(&["sentry:error-triage", "planning"]),
        ),
        (json!({}), Promise::default()),
    ]
}

/// What is known of a thread.
#[derive(Debug, Clone, Default)]
struct Known {
    /// Loadouts that it has had, or may have had.
    had: BTreeSet<usize>,
    /// Whether Codex has something to resume.
    has_turn: bool,
}

struct World<'a> {
    doors: &'a Doors,
    stage: &'a Stage,
    loadouts: Vec<(Value, Promise)>,
    threads: Mutex<BTreeMap<String, Known>>,
    refused: Mutex<BTreeMap<String, usize>>,
    /// What was done, and what came of it.
    log: Mutex<Vec<String>>,
    begun: Instant,
    until: Instant,
    failed: AtomicBool,
}

impl World<'_> {
    fn is_over(&self) -> bool {
        Instant::now() >= self.until || self.failed.load(Ordering::Relaxed)
    }

    fn change(&self, thread: &str, change: impl FnOnce(&mut Known)) {
        change(
            self.threads
                .lock()
                .unwrap()
                .entry(thread.to_owned())
                .or_default(),
        );
    }

    /// A thread that can be resumed and forked.
    fn any(&self, dice: &mut Dice) -> Option<(String, Known)> {
        let threads = self.threads.lock().unwrap();
        let threads: Vec<_> = threads.iter().filter(|it| it.1.has_turn).collect();
        let (thread, known) = *dice.pick(&threads)?;
        Some((thread.clone(), known.clone()))
    }

    fn has_turn(&self, thread: &str) -> bool {
        let threads = self.threads.lock().unwrap();
        threads.get(thread).is_some_and(|it| it.has_turn)
    }

    fn note(&self, line: String) {
        self.log.lock().unwrap().push(line);
    }

    /// What was done to the thread that an error names.
    fn story(&self, error: &str) -> String {
        let log = self.log.lock().unwrap();
        let threads = self.threads.lock().unwrap();
        let named = threads.keys().find(|thread| error.contains(*thread));
        let told = log
            .iter()
            .filter(|line| named.is_none_or(|it| line.contains(it) || line.contains(" leaves")));
        told.cloned().collect::<Vec<_>>().join("\n")
    }

    fn count(&self, what: &str) {
        let mut refused = self.refused.lock().unwrap();
        *refused.entry(what.to_owned()).or_default() += 1;
    }

    /// The result, if the request was not refused for a turn that is under way.
    fn unless_busy(
        &self,
        method: &str,
        thread: &str,
        answer: Result<Value, RequestError>,
    ) -> Result<Option<Value>, String> {
        match answer {
            Ok(result) => {
                self.count(method);
                Ok(Some(result))
            }
            Err(RequestError::Refused(error)) if error.data["kind"] == "threadBusy" => {
                self.count(&format!("{method}: threadBusy"));
                Ok(None)
            }
            Err(error) => Err(format!("{method} of {thread}: {error}")),
        }
    }
}

/// A host, while it is connected.
struct Host<'a> {
    number: u64,
    world: &'a World<'a>,
    client: Client,
    /// Threads that it has open.
    open: BTreeSet<String>,
    /// Threads that it has had open.
    opened: BTreeSet<String>,
}

impl Host<'_> {
    /// Asks, and writes down what came of it.
    async fn request(&self, method: &str, params: Value) -> Result<Value, RequestError> {
        let begun = self.world.begun.elapsed();
        let said = format!("host {} {method} {params}", self.number);
        self.world.note(format!("{begun:?} {said}"));
        let answer = self.client.request(method, params).await;
        let came = match &answer {
            Ok(result) => format!("{} {}", result["thread"]["id"], result["turn"]["id"]),
            Err(error) => error.to_string(),
        };
        self.world
            .note(format!("{:?} {said}: {came}", self.world.begun.elapsed()));
        answer
    }

    fn opens(&mut self, thread: &str) {
        self.open.insert(thread.to_owned());
        self.opened.insert(thread.to_owned());
    }

    async fn act(&mut self, dice: &mut Dice) -> Result<(), String> {
        let open: Vec<String> = self.open.iter().cloned().collect();
        let Some(thread) = dice.pick(&open).cloned() else {
            return match dice.below(2) {
                0 => self.start(dice).await,
                _ => self.resume(dice).await,
            };
        };
        let has_room = open.len() < OPEN;
        match dice.below(12) {
            0 if has_room => self.start(dice).await,
            1 if has_room => self.fork(dice).await,
            2 | 3 if has_room => self.resume(dice).await,
            4 | 5 => self.update(&thread, dice).await,
            6 if self.world.has_turn(&thread) => self.read(&thread).await,
            7 => self.unsubscribe(&thread).await,
            8 => self.hold(&thread).await,
            _ => self.turn(&thread).await,
        }
    }

    async fn start(&mut self, dice: &mut Dice) -> Result<(), String> {
        let chosen = dice.below(self.world.loadouts.len());
        let params = self
            .world
            .stage
            .params(self.world.loadouts[chosen].0.clone());
        let started = self.request("thread/start", params).await;
        let Some(started) = self.world.unless_busy("thread/start", "?", started)? else {
            return Err("a start is refused".to_owned());
        };
        let thread = started["thread"]["id"].as_str().unwrap().to_owned();
        self.world.change(&thread, |it| it.had.extend([chosen]));
        self.opens(&thread);
        Ok(())
    }

    async fn fork(&mut self, dice: &mut Dice) -> Result<(), String> {
        let Some((source, known)) = self.world.any(dice) else {
            return Ok(());
        };
        let mut params = json!({ "threadId": source });
        let mut had = known.had;
        if dice.below(2) == 0 {
            let chosen = dice.below(self.world.loadouts.len());
            params["capabilitySelection"] = self.world.loadouts[chosen].0.clone();
            had = [chosen].into();
        }
        let forked = self.request("thread/fork", params.clone()).await;
        if let Some(forked) = self.world.unless_busy("thread/fork", &source, forked)? {
            let thread = forked["thread"]["id"].as_str().unwrap().to_owned();
            if thread == source {
                return Err(format!("a fork of {source} is itself"));
            }
            if params.get("capabilitySelection").is_none() {
                // The source may have got another meanwhile.
                let threads = self.world.threads.lock().unwrap();
                had.extend(threads[&source].had.clone());
            }
            self.world.change(&thread, |it| it.had.extend(had));
            self.opens(&thread);
        }
        Ok(())
    }

    async fn resume(&mut self, dice: &mut Dice) -> Result<(), String> {
        let Some((thread, _)) = self.world.any(dice) else {
            return Ok(());
        };
        let mut params = json!({ "threadId": thread });
        if dice.below(4) == 0 {
            let chosen = dice.below(self.world.loadouts.len());
            params["capabilitySelection"] = self.world.loadouts[chosen].0.clone();
            self.world.change(&thread, |it| it.had.extend([chosen]));
        }
        // What it says before its answer is heard, too.
        self.opened.insert(thread.clone());
        let resumed = self.request("thread/resume", params).await;
        if let Some(resumed) = self.world.unless_busy("thread/resume", &thread, resumed)? {
            is_of(&resumed["thread"]["id"], &thread)?;
            self.opens(&thread);
        }
        Ok(())
    }

    async fn update(&mut self, thread: &str, dice: &mut Dice) -> Result<(), String> {
        let chosen = dice.below(self.world.loadouts.len());
        let selection = &self.world.loadouts[chosen].0;
        self.world.change(thread, |it| it.had.extend([chosen]));
        let params = json!({ "threadId": thread, "capabilitySelection": selection });
        let updated = self
            .client
            .request("thread/capability/update", params)
            .await;
        let updated = self
            .world
            .unless_busy("thread/capability/update", thread, updated);
        updated.map(drop)
    }

    async fn read(&mut self, thread: &str) -> Result<(), String> {
        let params = json!({ "threadId": thread });
        let read = self.request("thread/read", params).await;
        let read = read.map_err(|error| format!("thread/read: {error}"))?;
        is_of(&read["thread"]["id"], thread)
    }

    async fn unsubscribe(&mut self, thread: &str) -> Result<(), String> {
        let params = json!({ "threadId": thread });
        let left = self.request("thread/unsubscribe", params).await;
        self.open.remove(thread);
        self.world
            .unless_busy("thread/unsubscribe", thread, left)
            .map(drop)
    }

    async fn ask(&mut self, thread: &str, text: &str) -> Result<Option<Value>, String> {
        let input = json!([{ "type": "text", "text": text }]);
        let params = json!({ "threadId": thread, "input": input });
        let begun = self.request("turn/start", params).await;
        if let Err(error) = &begun
            && error.to_string().contains("thread not found")
        {
            // It was told that it has it open no more: a host has died that was just giving it another loadout.
            let closed =
                |it: &Value| it["method"] == "thread/closed" && it["params"]["threadId"] == thread;
            let told = self.client.messages().iter().any(closed);
            self.open.remove(thread);
            self.world.count("thread/closed");
            return match told {
                true => Ok(None),
                false => Err(format!("{thread} is gone, and nobody said so")),
            };
        }
        self.world.unless_busy("turn/start", thread, begun)
    }

    async fn hold(&mut self, thread: &str) -> Result<(), String> {
        self.ask(thread, "HOLD").await.map(drop)
    }

    async fn turn(&mut self, thread: &str) -> Result<(), String> {
        let mark = self.client.mark();
        let Some(begun) = self.ask(thread, "go on").await? else {
            return Ok(());
        };
        let turn = &begun["turn"]["id"];
        let is_over =
            |it: &Value| it["method"] == "turn/completed" && it["params"]["turn"]["id"] == *turn;
        let heard = self.client.wait_for(mark, is_over).await;
        let heard = heard.map_err(|_| {
            let messages = self.client.messages();
            let of_thread = messages
                .iter()
                .skip(mark)
                .filter(|it| it["params"]["threadId"] == thread);
            let said = of_thread.map(|it| {
                format!(
                    "{} {} {}",
                    it["method"], it["params"]["turn"]["id"], it["emittedAtMs"]
                )
            });
            format!(
                "{turn} of {thread} was not completed, after {:?}",
                said.collect::<Vec<_>>()
            )
        })?;
        is_of(&heard["params"]["threadId"], thread)?;
        self.world.change(thread, |it| it.has_turn = true);
        Ok(())
    }

    /// Nothing came twice, and nothing that is for others.
    fn check(&self) -> Result<(), String> {
        for message in self.client.messages() {
            let Some(method) = message["method"].as_str() else {
                return Err(format!("an answer that nobody waits for: {message}"));
            };
            let is_of_turn = method.starts_with("turn/") || method.starts_with("item/");
            let thread = message["params"]["threadId"].as_str();
            if is_of_turn && thread.is_some_and(|it| !self.opened.contains(it)) {
                let told = self.client.messages();
                let told: Vec<_> = told
                    .iter()
                    .filter(|it| {
                        it["params"]
                            .to_string()
                            .contains(thread.unwrap_or_default())
                    })
                    .map(|it| it["method"].to_string())
                    .collect();
                return Err(format!(
                    "overheard: {message}, after {told:?}; {:?}",
                    self.opened
                ));
            }
        }
        Ok(())
    }
}

fn is_of(id: &Value, thread: &str) -> Result<(), String> {
    match id == thread {
        true => Ok(()),
        false => Err(format!("asked for {thread}, and got {id}")),
    }
}

/// A host that comes back as soon as it has left.
async fn live(world: &World<'_>, number: u64, mut dice: Dice) -> Result<(), String> {
    while !world.is_over() {
        let addresses = [
            &world.doors.unix,
            &world.doors.unix,
            &world.doors.web_socket,
        ];
        let address = dice.pick(&addresses).unwrap();
        let mut host = Host {
            number,
            world,
            client: world.doors.host(address).await,
            open: BTreeSet::new(),
            opened: BTreeSet::new(),
        };
        for _ in 0..dice.below(30) {
            if world.is_over() {
                break;
            }
            host.act(&mut dice).await?;
            // Answers that come twice come soon.
            host.check()?;
        }
        if dice.below(2) == 0 {
            // In the middle of something.
            let soon = Duration::from_millis(dice.below(8) as u64);
            let left = tokio::time::timeout(soon, host.act(&mut dice)).await;
            left.unwrap_or(Ok(()))?;
        }
        host.check()?;
        let at = world.begun.elapsed();
        world.note(format!("{at:?} host {number} leaves {:?}", host.open));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_hosts_at_random_see_no_thread_wider_and_lose_no_answer() {
    let now = std::time::SystemTime::now();
    let now = now.duration_since(std::time::UNIX_EPOCH).unwrap();
    let seed = setting("CHURN_SEED", u64::from(now.subsec_nanos()));
    println!("CHURN_SEED={seed}");
    let stage = Stage::standard().await;
    let mut proxy = stage.proxy();
    proxy.env("CODEX_LOADOUT_LOG", "codex_loadout=debug");
    let doors = Doors::of(&stage, proxy).await;
    let world = World {
        doors: &doors,
        stage: &stage,
        loadouts: loadouts(),
        threads: Mutex::default(),
        refused: Mutex::default(),
        log: Mutex::default(),
        begun: Instant::now(),
        until: Instant::now() + Duration::from_secs(setting("CHURN_SECONDS", 15)),
        failed: AtomicBool::new(false),
    };
    let hosts = (0..setting("CHURN_HOSTS", 8)).map(|number| {
        let dice = Dice::new(seed.wrapping_add(number << 32));
        let world = &world;
        async move {
            let lived = live(world, number, dice).await;
            if lived.is_err() {
                world.failed.store(true, Ordering::Relaxed);
            }
            lived
        }
    });
    let hosts = futures_util::future::join_all(hosts);
    let letting_go = async {
        loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            stage.model.release();
        }
    };
    let outcomes = tokio::select! {
        outcomes = hosts => outcomes,
        () = letting_go => unreachable!(),
    };
    let refused = world.refused.lock().unwrap().clone();
    println!("{refused:#?}");
    for outcome in outcomes {
        outcome.unwrap_or_else(|error| {
            let story = world.story(&error);
            let stderr = doors.stdio.stderr();
            panic!("CHURN_SEED={seed}: {error}\n{story}\n{stderr}")
        });
    }
    stage.model.release();
    let threads = world.threads.lock().unwrap().clone();
    let mut ended = std::pin::pin!(at_rest(&world, &threads));
    loop {
        tokio::select! {
            () = &mut ended => break,
            () = tokio::time::sleep(Duration::from_millis(100)) => stage.model.release(),
        }
    }
    let requests = stage.model.requests();
    let mut wrong = BTreeSet::new();
    for request in &requests {
        let thread = request.thread.clone().unwrap();
        let seen = request.seen();
        let Some(known) = threads.get(&thread) else {
            wrong.insert(format!("{thread}: nobody knows it"));
            continue;
        };
        let breaches = known
            .had
            .iter()
            .map(|it| world.loadouts[*it].1.breaches(&seen));
        let breaches: Vec<_> = breaches.collect();
        if breaches.iter().all(|it| !it.is_empty()) {
            wrong.insert(format!("{thread}: {breaches:?}"));
        }
    }
    println!(
        "{} model requests of {} threads",
        requests.len(),
        threads.len()
    );
    assert!(wrong.is_empty(), "CHURN_SEED={seed}: {wrong:#?}");
    assert!(requests.len() > 20);
    assert!(refused["thread/capability/update"] > 5, "{refused:?}");
}

/// Each thread is what its receipt says that it is, once nobody changes it any more.
async fn at_rest(world: &World<'_>, threads: &BTreeMap<String, Known>) {
    let host = world.doors.host(&world.doors.unix).await;
    let mut digests = BTreeMap::new();
    for (number, (selection, _)) in world.loadouts.iter().enumerate() {
        let asked = host.request("capability/resolve", world.stage.params(selection.clone()));
        let resolved = asked.await.unwrap();
        let digest = resolved["capabilitySelection"]["digest"].to_string();
        digests.insert(digest, number);
    }
    for (thread, known) in threads.iter().filter(|it| it.1.has_turn) {
        let named = json!({ "threadId": thread });
        let resumed = host.request("thread/resume", named).await.unwrap();
        let digest = resumed["capabilitySelection"]["digest"].to_string();
        let number = digests[&digest];
        assert!(known.had.contains(&number), "{thread}: {known:?}, {digest}");
        let promise = &world.loadouts[number].1;
        // A turn that was held may be under way still.
        while host
            .request("thread/read", json!({ "threadId": thread }))
            .await
            .unwrap()["thread"]["status"]["type"]
            == "active"
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        world.stage.check(&host, thread, promise).await;
        let left = host.request("thread/unsubscribe", json!({ "threadId": thread }));
        left.await.unwrap();
    }
}
