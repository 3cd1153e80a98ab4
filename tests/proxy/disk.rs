//! Disks that refuse to write, under a proxy that runs: what it acknowledged is there for another process to
//! read, what it refused is not, and all goes on once the disk is well.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;

use lab::{Client, RequestError, Skill};
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use serde_json::{Value, json};

use crate::stage::{PROXY, Stage, id_of};

/// What a disk hands out at a time, and the database writes.
const PAGE: u64 = 4096;
/// A page in the database's log, after its header.
const FRAME: u64 = 24 + PAGE;
/// Two starts and an update write less than this many pages.
const MOST: u64 = 60;

/// A proxy whose disk can be made to fail.
struct Trial<'a> {
    stage: &'a Stage,
    host: Client,
    /// What another process has to be started by to see the same disk.
    enter: Vec<String>,
    /// The digests of loadouts that were acknowledged, by thread.
    acknowledged: BTreeMap<String, String>,
}

impl Trial<'_> {
    /// Starts a thread; its id, if that was acknowledged.
    async fn start(&mut self) -> Option<String> {
        let params = self.stage.params(json!({ "skills": ["planning"] }));
        let started = self.ask("thread/start", params).await?;
        let digest = digest_of(&started);
        self.acknowledged.insert(id_of(&started), digest);
        Some(id_of(&started))
    }

    /// Gives a thread another loadout; whether that was acknowledged.
    async fn update(&mut self, thread: &str, skills: &[&str]) -> bool {
        let params = json!({ "threadId": thread, "capabilitySelection": { "skills": skills } });
        let updated = self.ask("thread/capability/update", params).await;
        let digest = updated.as_ref().map(digest_of);
        let is_acknowledged = digest.is_some();
        self.acknowledged
            .extend(digest.map(|digest| (thread.to_owned(), digest)));
        is_acknowledged
    }

    /// The answer to a request, or `None` for a refusal of ours.
    async fn ask(&self, method: &str, params: Value) -> Option<Value> {
        match self.host.request(method, params).await {
            Ok(answer) => Some(answer),
            Err(RequestError::Refused(error)) => {
                let kind = error.data["kind"].as_str().unwrap_or_default();
                let expected = ["loadoutLost", "conversionFailed"].contains(&kind);
                assert!(expected, "{method}: {error:?}");
                None
            }
            Err(error) => panic!("{method}: {error}"),
        }
    }

    /// Lets the disk fail after ever more pages, until nothing is refused any more. Tells how much was refused.
    async fn sweep(&mut self, fail_after: impl Fn(u64), mend: impl Fn()) -> usize {
        let changing = self.start().await.unwrap();
        self.host.turn(&changing, "hello").await.unwrap();
        let mut refused = 0;
        for pages in 0..MOST {
            fail_after(pages);
            // The second and the third find what the first left behind.
            let done = [
                self.start().await.is_some(),
                self.start().await.is_some(),
                self.update(&changing, &[]).await,
            ];
            refused += done.iter().filter(|done| !**done).count();
            mend();
            self.check();
            assert!(self.start().await.is_some(), "the disk is well again");
            assert!(self.update(&changing, &["planning"]).await);
            self.check();
            if done == [true; 3] {
                return refused;
            }
        }
        panic!("{MOST} pages were not enough");
    }

    /// Another process reads which threads have which loadout, and which ones the audit says were given one.
    fn check(&self) {
        let rows = |verb: &str| {
            let read = self.another(&[verb, "--json"]).output().unwrap();
            assert!(read.status.success(), "{verb}: {read:?}");
            let mut page: Value = serde_json::from_slice(&read.stdout).unwrap();
            match page["data"].take() {
                Value::Array(rows) => rows,
                other => panic!("{verb}: {other}"),
            }
        };
        let thread_of = |row: &Value| row["threadId"].as_str().unwrap().to_owned();
        let on_disk = rows("threads");
        let on_disk: BTreeMap<_, _> = on_disk
            .iter()
            .map(|row| (thread_of(row), digest_of(row)))
            .collect();
        assert_eq!(on_disk, self.acknowledged);
        let starts = rows("audit")
            .into_iter()
            .filter(|entry| entry["event"] == "start");
        let started: BTreeSet<_> = starts.map(|entry| thread_of(&entry)).collect();
        assert_eq!(started, self.acknowledged.keys().cloned().collect());
    }

    /// Another process of this program, on the same disk.
    fn another(&self, arguments: &[&str]) -> Command {
        let mut command: Vec<&str> = self.enter.iter().map(String::as_str).collect();
        command.push(PROXY);
        command.extend(arguments);
        self.stage
            .home
            .command(Path::new(command[0]), &command[1..])
    }

    /// Another proxy is not locked out, nor does it lock this one out.
    async fn check_that_another_proxy_writes(mut self) {
        let codex = self.stage.home.codex().to_str().unwrap();
        let another = self.another(&["app-server", "--codex", codex]);
        let another = Client::spawn(another).unwrap();
        another.initialize(true).await.unwrap();
        let (thread, receipt) = self.stage.start(&another, json!({})).await;
        let digest = receipt["digest"].as_str().unwrap().to_owned();
        self.acknowledged.insert(thread, digest);
        assert!(self.start().await.is_some());
        self.check();
        another.shutdown().await.unwrap();
        self.host.shutdown().await.unwrap();
    }
}

fn digest_of(answer: &Value) -> String {
    let digest = &answer["capabilitySelection"]["digest"];
    digest.as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_io_error_at_every_page_of_the_database_takes_back_nothing_that_was_acknowledged() {
    let stage = Stage::of(lab::Home::builder().skill(Skill::new("planning"))).await;
    // Without its signal, a write beyond the limit is an I/O error.
    let host = stage.host_after(&["sh"], "trap '' XFSZ").await;
    let pid = Pid::from_raw(host.id().unwrap().cast_signed()).unwrap();
    let log = stage
        .home
        .path()
        .join(".codex-loadout/state-v1.sqlite3-wal");
    let mut trial = Trial {
        stage: &stage,
        host,
        enter: Vec::new(),
        acknowledged: BTreeMap::new(),
    };
    trial.start().await.unwrap();
    let usual = getrlimit(Resource::Fsize);
    let limit = |current: Option<u64>| {
        let limits = Rlimit {
            current,
            maximum: usual.maximum,
        };
        prlimit(Some(pid), Resource::Fsize, limits).unwrap();
    };
    let fail_after = |pages| limit(Some(fs::metadata(&log).unwrap().len() + pages * FRAME + 8));
    let refused = trial.sweep(fail_after, || limit(usual.current)).await;
    assert!(refused > 4, "{refused}");
    trial.check_that_another_proxy_writes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full_after_any_page_takes_back_nothing_that_was_acknowledged() {
    const ALONE: [&str; 3] = ["unshare", "-rm", "sh"];
    let may_mount = Command::new(ALONE[0])
        .args([ALONE[1], "sh", "-c", "mount -t tmpfs none /mnt"])
        .status();
    if !may_mount.is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: `unshare -rm` can't mount a small disk here; nothing was tested");
        return;
    }
    let stage = Stage::of(lab::Home::builder().skill(Skill::new("planning"))).await;
    let inside = stage.home.path().join(".codex-loadout");
    fs::create_dir(&inside).unwrap();
    let mount = format!(
        "mount -t tmpfs -o size=8m,mode=0700 none '{}'",
        inside.display()
    );
    let host = stage.host_after(&ALONE, &mount).await;
    let pid = host.id().unwrap().to_string();
    let filler = Path::new("/proc").join(&pid).join("root");
    let filler = filler
        .join(inside.strip_prefix("/").unwrap())
        .join("filler");
    let enter = ["nsenter", "-U", "-m", "--preserve-credentials", "-t", &pid];
    let mut trial = Trial {
        stage: &stage,
        host,
        enter: enter.map(str::to_owned).to_vec(),
        acknowledged: BTreeMap::new(),
    };
    trial.start().await.unwrap();
    let fill = |but: u64| {
        let mut file = File::create(&filler).unwrap();
        while file.write_all(&[1; PAGE as usize]).is_ok() {}
        let full = file.metadata().unwrap().len() / PAGE;
        file.set_len((full - but) * PAGE).unwrap();
    };
    let refused = trial
        .sweep(fill, || fs::remove_file(&filler).unwrap())
        .await;
    assert!(refused > 4, "{refused}");
    trial.check_that_another_proxy_writes().await;
}
