//! The units in `packaging/`: they say what this program and the service managers understand.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use lab::HomeBuilder;
use plist::Value;

use crate::stage::{PROXY, Stage};

const PATIENCE: Duration = Duration::from_secs(30);

fn packaging(file: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join("packaging").join(file)
}

/// Where the units look for this program: `cargo install` puts it there.
fn install(stage: &Stage) {
    let bin = stage.home.path().join(".cargo/bin");
    fs::create_dir_all(&bin).unwrap();
    std::os::unix::fs::symlink(PROXY, bin.join("codex-loadout")).unwrap();
}

/// What `codex-loadout status` says once a proxy is there.
fn status(stage: &Stage) -> Output {
    let begun = Instant::now();
    loop {
        let output = stage.verb(&["status"]);
        if output.status.success() || begun.elapsed() > PATIENCE {
            return output;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn end(mut process: std::process::Child) {
    let pid = process.id().to_string();
    let asked = Command::new("kill").arg(pid).status();
    assert!(asked.unwrap().success());
    process.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn systemd_understands_its_units() {
    let folder = tempfile::tempdir().unwrap();
    let verified = |text: &str| {
        let service = folder.path().join("codex-loadout.service");
        fs::write(&service, text).unwrap();
        let socket = folder.path().join("codex-loadout.socket");
        fs::copy(packaging("systemd/codex-loadout.socket"), &socket).unwrap();
        Command::new("systemd-analyze")
            .args(["verify", "--user"])
            .args([&service, &socket])
            .env("XDG_RUNTIME_DIR", folder.path())
            .output()
    };
    let text = fs::read_to_string(packaging("systemd/codex-loadout.service")).unwrap();
    let text = text.replace("%h/.cargo/bin/codex-loadout", PROXY);
    let Ok(output) = verified(&text) else {
        eprintln!("SKIPPED: there is no systemd-analyze to look at the units");
        return;
    };
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{output:?}"
    );
    // It would say what is wrong.
    let wrong = verified(&text.replace("KillMode=mixed", "KillMode=mild")).unwrap();
    assert!(!wrong.stderr.is_empty());
}

/// The line of a unit of systemd that a key begins, with the home of this user in it.
fn value_of(unit: &str, key: &str, stage: &Stage) -> String {
    let text = fs::read_to_string(packaging(unit)).unwrap();
    let begin = format!("{key}=");
    let value = text.lines().find_map(|line| line.strip_prefix(&begin));
    let home = stage.home.path().to_string_lossy().into_owned();
    value.unwrap().replace("%h", &home)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_is_handed_over_is_the_one_that_the_service_listens_at() {
    let stage = Stage::of(HomeBuilder::default()).await;
    install(&stage);
    let path = value_of("systemd/codex-loadout.socket", "ListenStream", &stage);
    let line = value_of("systemd/codex-loadout.service", "ExecStart", &stage);
    fs::create_dir_all(Path::new(&path).parent().unwrap()).unwrap();
    // As systemd does it: the socket is there before the program, and stays when that ends.
    let start = |listener: &UnixListener, line: &str| {
        let passed = OwnedFd::from(listener.try_clone().unwrap());
        let script = format!("exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec {line}");
        stage
            .home
            .command(Path::new("/bin/sh"), &["-c", &script])
            .env("CODEX_LOADOUT_CODEX", stage.home.codex())
            .stdin(Stdio::from(passed))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let listener = UnixListener::bind(&path).unwrap();
    for _ in 0..2 {
        let service = start(&listener, &line);
        let output = status(&stage);
        assert!(output.status.success(), "{output:?}");
        end(service);
        assert!(Path::new(&path).exists());
    }
    drop(listener);
    let elsewhere = stage.home.path().join("other.sock");
    let listener = UnixListener::bind(&elsewhere).unwrap();
    let refused = start(&listener, &line).wait_with_output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8(refused.stderr).unwrap();
    let hint = format!("hint: Add `--listen unix://{}`", elsewhere.display());
    assert!(
        said.contains("no `--listen` names the socket") && said.contains(&hint),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn launchds_list_of_properties_starts_a_proxy_at_the_control_socket() {
    let file = packaging("launchd/dev.codex-loadout.plist");
    let properties = Value::from_file(&file).unwrap().into_dictionary().unwrap();
    let label = properties["Label"].as_string().unwrap();
    assert_eq!(Some(label), file.file_stem().and_then(|name| name.to_str()));
    assert_eq!(properties["RunAtLoad"].as_boolean(), Some(true));
    let keeps = properties["KeepAlive"].as_dictionary().unwrap();
    assert_eq!(keeps["SuccessfulExit"].as_boolean(), Some(false));
    let line: Vec<&str> = properties["ProgramArguments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|word| word.as_string().unwrap())
        .collect();
    let stage = Stage::of(HomeBuilder::default()).await;
    install(&stage);
    let mut command = stage.home.command(Path::new(line[0]), &line[1..]);
    for (name, value) in properties["EnvironmentVariables"].as_dictionary().unwrap() {
        command.env(name, value.as_string().unwrap());
    }
    let proxy = command
        .env("CODEX_LOADOUT_CODEX", stage.home.codex())
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let output = status(&stage);
    assert!(output.status.success(), "{output:?}");
    end(proxy);
}
