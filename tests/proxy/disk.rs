//! Disks that refuse to write, under a proxy that runs: what it acknowledged is there for another process to
//! read, what it refused is not, and all goes on once the disk is well.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;

use lab::{Client, RequestError};
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use serde_json::{Value, json};

use crate::stage::{PROXY, Stage, id_of};

/// What a disk hands out at a time, and the database writes.
const PAGE: u64 = 4096;
/// A page in the database's log, after its header.
const FRAME: u64 = 24 + PAGE;
/// Two starts write less than this many pages.
const MOST: u64 = 60;

/// A proxy whose disk can be made to fail.
struct Trial<'a> {
    stage: &'a Stage,
    host: Client,
    /// What another process has to be started by to see the same disk.
    enter: Vec<String>,
    /// Threads whose start was acknowledged.
    acknowledged: Vec<String>,
}

impl Trial<'_> {
    /// Starts a thread; whether that was acknowledged.
    async fn start(&mut self) -> bool {
        let params = self.stage.params(json!({}));
        match self.host.request("thread/start", params).await {
            Ok(started) => {
                self.acknowledged.push(id_of(&started));
                true
            }
            Err(RequestError::Refused(error)) => {
                let kind = error.data["kind"].as_str().unwrap_or_default();
                assert!(
                    ["loadoutLost", "conversionFailed"].contains(&kind),
                    "{error:?}"
                );
                false
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Lets the disk fail after ever more pages, until two starts in a row succeed all the same. Tells how
    /// many were refused.
    async fn sweep(&mut self, fail_after: impl Fn(u64), mend: impl Fn()) -> usize {
        let mut refused = 0;
        for pages in 0..MOST {
            fail_after(pages);
            // The second one finds what the first left behind.
            let (first, second) = (self.start().await, self.start().await);
            refused += usize::from(!first) + usize::from(!second);
            mend();
            assert!(self.start().await, "the disk is well again");
            self.check();
            if first && second {
                return refused;
            }
        }
        panic!("{MOST} pages were not enough for two threads");
    }

    /// Another process reads which threads have a loadout, and which ones the audit says were given one.
    fn check(&mut self) {
        self.acknowledged.sort();
        for (verb, is_meant) in [
            ("threads", (|_| true) as fn(&Value) -> bool),
            ("audit", |entry| entry["event"] == "start"),
        ] {
            let read = self.another(&[verb, "--json"]).output().unwrap();
            assert!(read.status.success(), "{verb}: {read:?}");
            let page: Value = serde_json::from_slice(&read.stdout).unwrap();
            let rows = page["data"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|row| is_meant(row));
            let mut on_disk: Vec<&str> =
                rows.map(|row| row["threadId"].as_str().unwrap()).collect();
            on_disk.sort_unstable();
            assert_eq!(on_disk, self.acknowledged, "{verb}");
        }
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
        let (thread, _) = self.stage.start(&another, json!({})).await;
        self.acknowledged.push(thread);
        assert!(self.start().await);
        self.check();
        another.shutdown().await.unwrap();
        self.host.shutdown().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_io_error_at_every_page_of_the_database_takes_back_nothing_that_was_acknowledged() {
    let stage = Stage::of(lab::Home::builder()).await;
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
        acknowledged: Vec::new(),
    };
    assert!(trial.start().await);
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
    let stage = Stage::of(lab::Home::builder()).await;
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
        acknowledged: Vec::new(),
    };
    assert!(trial.start().await);
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
