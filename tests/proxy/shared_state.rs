//! Several proxies share one state folder: what they do at the same time is all there afterwards, and whole.

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use lab::{Client, Plugin, Promise};
use serde_json::{Value, json};

use crate::stage::{Stage, id_of};

const PROCESSES: usize = 4;

/// One process: its host, and the threads that it has made.
struct Process<'a> {
    stage: &'a Stage,
    number: usize,
    host: Client,
    /// The folder of a plugin that all of them add.
    common: String,
    threads: Vec<String>,
    profiles: Vec<String>,
}

/// What a process does in one round.
type Action = for<'a> fn(&'a mut Process<'_>, usize) -> BoxFuture<'a, ()>;

const ACTIONS: [(&str, Action); 8] = [
    ("start", |it, _| it.start().boxed()),
    ("fork", |it, _| it.fork().boxed()),
    ("resume", |it, _| it.resume().boxed()),
    ("write a profile", |it, round| {
        it.write_profile(round).boxed()
    }),
    ("bind", |it, round| it.bind(round).boxed()),
    ("collect", |it, _| it.collect().boxed()),
    ("add bundles", |it, _| it.add_bundles().boxed()),
    ("update bundles", |it, round| {
        it.update_bundles(round).boxed()
    }),
];

impl Process<'_> {
    async fn start(&mut self) {
        let selection = json!({ "skills": ["planning"] });
        let (thread, _) = self.stage.start(&self.host, selection).await;
        self.threads.push(thread);
    }

    async fn fork(&mut self) {
        let named = json!({ "threadId": self.threads[0] });
        let forked = self.host.request("thread/fork", named).await.unwrap();
        assert!(forked["capabilitySelection"]["digest"].is_string());
        self.threads.push(id_of(&forked));
    }

    async fn resume(&mut self) {
        let named = json!({ "threadId": self.threads[0] });
        let resumed = self.host.request("thread/resume", named).await.unwrap();
        let receipt = &resumed["capabilitySelection"];
        assert_eq!(receipt["skills"][0]["name"], "planning", "{resumed}");
    }

    async fn write_profile(&mut self, round: usize) {
        let own = format!("p{}-{round}", self.number);
        // One of its own, and one that all of them write.
        for name in [own.as_str(), "shared"] {
            let write = json!({ "name": name, "description": own, "selection": { "skills": ["planning"] } });
            self.host
                .request("capability/profile/write", write)
                .await
                .unwrap();
        }
        self.profiles.push(own);
    }

    async fn bind(&mut self, round: usize) {
        self.write_profile(100 + round).await;
        let binding = json!({ "scope": "task", "key": format!("{}-{round}", self.number), "profile": self.profiles.last() });
        self.host
            .request("capability/binding/write", binding)
            .await
            .unwrap();
    }

    async fn add_bundles(&mut self) {
        // One of its own, and one that all of them add.
        let own = format!("b{}", self.number);
        let source = author(self.stage, &own, 0);
        for (name, source) in [(own.as_str(), &source), ("common", &self.common)] {
            let wanted = json!({ "source": source });
            let added = self.host.request("capability/bundle/add", wanted);
            assert_eq!(added.await.unwrap()["bundle"]["name"], name);
        }
    }

    async fn update_bundles(&mut self, round: usize) {
        self.add_bundles().await;
        let name = format!("b{}", self.number);
        author(self.stage, &name, round + 1);
        let named = json!({ "name": name });
        let updated = self.host.request("capability/bundle/update", named);
        let updated = updated.await.unwrap();
        assert_eq!(updated["data"][0]["applied"], true, "{updated}");
        let selection = json!({ "plugins": [format!("{name}@bundle")] });
        let (thread, _) = self.stage.start(&self.host, selection).await;
        self.threads.push(thread);
    }

    async fn collect(&mut self) {
        // Another may do so at the moment, and say that.
        let done = self.stage.verb(&["gc", "--json"]);
        let why = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success() || why.contains("hint: "), "{why}");
    }
}

/// A plugin in a folder, whose skill says which round it is of.
fn author(stage: &Stage, name: &str, round: usize) -> String {
    let text = format!("---\nname: s\ndescription: {round}\n---\nBody.\n");
    let plugin = Plugin::new(name).file("skills/s/SKILL.md", &text);
    let folder = stage.home.write_plugin("authors", &plugin).unwrap();
    folder.to_str().unwrap().to_owned()
}

fn entries(list: &Value, field: &str) -> Vec<String> {
    let entries = list["data"].as_array().unwrap().iter();
    let mut found: Vec<String> = entries
        .map(|entry| entry[field].as_str().unwrap().to_owned())
        .collect();
    found.sort();
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn four_processes_at_once_lose_nothing_and_leave_nothing_half() {
    let stage = Stage::standard().await;
    // What all of them add is written before: a folder that is just being written is read as it is.
    let common = author(&stage, "common", 0);
    let starting = (0..PROCESSES).map(async |number| {
        let mut process = Process {
            stage: &stage,
            number,
            host: stage.host().await,
            common: common.clone(),
            threads: Vec::new(),
            profiles: Vec::new(),
        };
        process.start().await;
        process
            .host
            .turn(&process.threads[0], "hello")
            .await
            .unwrap();
        process
    });
    let mut processes = join_all(starting).await;
    for round in 0..ACTIONS.len() {
        // Each does another thing than its neighbours.
        let doing = processes.iter_mut().map(async |process| {
            let (_, action) = ACTIONS[(round + process.number) % ACTIONS.len()];
            action(process, round).await;
        });
        join_all(doing).await;
    }
    let mut threads = Vec::new();
    let mut profiles = vec!["shared".to_owned()];
    for process in &processes {
        threads.extend(process.threads.clone());
        profiles.extend(process.profiles.clone());
    }
    threads.sort();
    profiles.sort();
    let host = &processes[0].host;
    let listed = host
        .request("thread/capability/list", json!({}))
        .await
        .unwrap();
    assert_eq!(entries(&listed, "threadId"), threads);
    let listed = host
        .request("capability/profile/list", json!({}))
        .await
        .unwrap();
    assert_eq!(entries(&listed, "name"), profiles);
    assert!(
        listed["data"]
            .as_array()
            .unwrap()
            .iter()
            .all(|it| it["error"].is_null()),
        "{listed}"
    );
    let bound = host
        .request("capability/binding/list", json!({}))
        .await
        .unwrap();
    assert_eq!(
        bound["data"].as_array().unwrap().len(),
        PROCESSES,
        "{bound}"
    );
    let audit = json!({ "limit": 1000 });
    let audit = host.request("capability/audit/list", audit).await.unwrap();
    let told = entries(&audit, "event");
    let count = |event: &str| told.iter().filter(|it| *it == event).count();
    assert_eq!(
        (count("start"), count("fork"), count("refusal")),
        (3 * PROCESSES, PROCESSES, 0)
    );
    let bundles = host
        .request("capability/bundle/list", json!({}))
        .await
        .unwrap();
    assert_eq!(
        entries(&bundles, "name"),
        ["b0", "b1", "b2", "b3", "common"]
    );
    let verified = host
        .request("capability/bundle/verify", json!({}))
        .await
        .unwrap();
    let verdicts = verified["data"].as_array().unwrap();
    assert!(
        verdicts.len() >= 5 && verdicts.iter().all(|it| it["intact"] == true),
        "{verified}"
    );
    let ids: Vec<&Value> = audit["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["id"])
        .collect();
    assert!(
        ids.windows(2)
            .all(|pair| pair[0].as_str() < pair[1].as_str())
    );
    // After a last clean-up all of it is still there, for the next process.
    let mine: Vec<Vec<String>> = processes.iter().map(|it| it.threads.clone()).collect();
    for process in processes {
        process.host.shutdown().await.unwrap();
    }
    assert!(stage.verb(&["gc"]).status.success());
    let next = stage.host().await;
    for thread in mine.iter().map(|threads| &threads[0]) {
        let named = json!({ "threadId": thread });
        next.request("thread/resume", named).await.unwrap();
        stage
            .check(&next, thread, &Promise::of_skills(&["planning"]))
            .await;
    }
}
