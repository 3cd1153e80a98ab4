//! Git repositories.

use std::fs;
use std::process::Command;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use codex_loadout_sources::{FetchErrorKind, Origin, Source};

use crate::support::{Answer, Machine, Server, file_of, paths};

fn url(machine: &Machine, folder: &str) -> String {
    format!("file://{}", machine.at(folder).display())
}

#[test]
fn a_branch_a_tag_a_commit_and_what_the_repository_names() {
    let machine = Machine::new();
    machine.write("r/SKILL.md", "one");
    let first = machine.repository("r");
    machine.git("r", &["tag", "-a", "v1", "-m", "x"]);
    machine.git("r", &["branch", "old"]);
    machine.write("r/SKILL.md", "two");
    machine.write("r/sub/SKILL.md", "sub");
    let second = machine.commit("r");
    machine.git("r", &["clone", "-q", "--bare", ".", "../bare.git"]);
    let url = url(&machine, "r");
    for (line, commit, text) in [
        (url.clone(), &second, "two"),
        ("AT/bare.git".to_owned(), &second, "two"),
        (format!("{url} --ref main"), &second, "two"),
        (format!("{url} --ref v1"), &first, "one"),
        (format!("{url} --ref old"), &first, "one"),
        (format!("{url} --ref {first}"), &first, "one"),
        (format!("{url} --ref {}", &first[..8]), &first, "one"),
        (format!("{url} --path sub"), &second, "sub"),
    ] {
        let fetched = machine.fetch(&line).unwrap();
        assert_eq!(fetched.commit.as_ref(), Some(commit), "{line}");
        assert_eq!(fetched.tree.get("SKILL.md").unwrap().bytes, text, "{line}");
        let object = String::from_utf8(fetched.commit_object.unwrap()).unwrap();
        assert!(
            object.starts_with("tree ") && object.contains("author A <a@example.com>"),
            "{object}"
        );
        // What is pinned gives the same again.
        let origin = Origin {
            source: fetched.resolved,
            plugin: None,
        };
        let again = machine.fetch_origin(&origin).unwrap();
        assert_eq!((again.tree, again.resolved), (fetched.tree, origin.source));
    }
}

#[test]
fn what_is_not_there_is_named() {
    let machine = Machine::new();
    machine.write("r/SKILL.md", "");
    machine.repository("r");
    machine.git("r", &["tag", "v1.2"]);
    machine.git("r", &["init", "-q", "../empty"]);
    let (url, none, empty) = (
        url(&machine, "r"),
        url(&machine, "none.git"),
        url(&machine, "empty"),
    );
    let gone = "0123456789".repeat(4);
    for (line, message, items) in [
        (
            format!("{url} --ref v1.3"),
            "no branch and no tag `v1.3`",
            vec!["v1.2", "main"],
        ),
        (format!("{url} --ref {gone}"), "no commit", vec![]),
        (format!("{url} --path none"), "no folder `none`", vec![]),
        (none, "no git repository", vec![]),
        (empty, "is empty", vec![]),
        (
            "http://127.0.0.1:1/x.git".to_owned(),
            "can't be reached",
            vec![],
        ),
    ] {
        let error = machine.fetch(&line).unwrap_err();
        assert!(error.message.contains(message), "{line}: {error}");
        assert_eq!(error.items, items, "{line}");
    }
}

/// Whatever a repository holds: no hook, no filter, no submodule, no attribute has a say.
#[cfg(unix)]
#[test]
fn nothing_in_a_repository_acts() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let machine = Machine::new();
    machine.write("other/x", "");
    machine.repository("other");
    machine.write("r/SKILL.md", "$Format:%H$\n");
    machine.write("r/left-out", "still here");
    machine.write("r/run.sh", "");
    fs::set_permissions(machine.at("r/run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    machine.write(
        "r/.gitattributes",
        "left-out export-ignore\n* export-subst filter=touch text eol=crlf\n",
    );
    machine.write(
        "r/big.bin",
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
    );
    symlink("run.sh", machine.at("r/link")).unwrap();
    machine.repository("r");
    machine.git(
        "r",
        &["submodule", "add", "-q", &url(&machine, "other"), "module"],
    );
    let marker = machine.at("marker");
    for hook in ["post-checkout", "reference-transaction", "post-merge"] {
        machine.write(
            &format!("r/.git/hooks/{hook}"),
            format!("#!/bin/sh\ntouch {}\n", marker.display()),
        );
        let executable = fs::Permissions::from_mode(0o755);
        fs::set_permissions(machine.at(&format!("r/.git/hooks/{hook}")), executable).unwrap();
    }
    machine.git("r", &["config", "core.hooksPath", "/dev/null"]);
    machine.commit("r");
    machine.git("r", &["config", "--unset", "core.hooksPath"]);
    let fetched = machine.fetch(&url(&machine, "r")).unwrap();
    assert_eq!(
        paths(&fetched),
        ".gitattributes .gitmodules SKILL.md big.bin left-out link run.sh"
    );
    assert_eq!(fetched.tree.get("SKILL.md").unwrap().bytes, "$Format:%H$\n");
    assert!(fetched.tree.get("link").unwrap().executable);
    let warnings = fetched.warnings.join("\n");
    assert!(
        warnings.contains("`module`") && warnings.contains("`big.bin`"),
        "{warnings}"
    );
    assert!(!marker.exists());
}

#[cfg(unix)]
#[test]
fn what_a_repository_may_not_hold() {
    use std::os::unix::fs::symlink;
    for (name, target, why) in [
        ("out", "../../etc/passwd", "leads out"),
        ("out", "/etc/passwd", "leads out"),
        ("out", "nothing", "nothing is"),
        ("a\nb", "SKILL.md", "terminal"),
        ("skill.md", "SKILL.md", "upper and lower case"),
        ("a\\b", "SKILL.md", "backslash"),
        ("C:x", "SKILL.md", "drive"),
    ] {
        let machine = Machine::new();
        machine.write("r/p/SKILL.md", "");
        machine.write("r/q/SKILL.md", "");
        symlink(target, machine.at("r/p").join(name)).unwrap();
        machine.repository("r");
        let error = machine
            .fetch(&format!("{} --path p", url(&machine, "r")))
            .unwrap_err();
        assert!(
            error.message.contains(why) && error.kind == FetchErrorKind::Unsafe,
            "{error}"
        );
        assert!(!error.message.contains(char::is_control), "{error:?}");
        // What is not taken does no harm.
        machine
            .fetch(&format!("{} --path q", url(&machine, "r")))
            .unwrap();
    }
}

/// By http, which can't give a commit alone: the whole repository is got.
#[test]
fn a_repository_that_has_moved_is_asked_for() {
    let mut machine = Machine::new();
    machine.write("r/SKILL.md", "");
    let commit = machine.repository("r");
    machine.git("r", &["clone", "-q", "--bare", ".", "../served.git"]);
    machine.git("served.git", &["update-server-info"]);
    let there = Server::of_folder(machine.at(""));
    let moved = format!("{}/served.git", there.address);
    let to = moved.clone();
    let here = Server::new(move |path| {
        Answer::Redirect(format!("{to}{}", path.trim_start_matches("/old.git")))
    });
    let line = format!("{}/old.git", here.address);
    let fetched = machine.fetch(&line).unwrap();
    assert_eq!(fetched.commit, Some(commit));
    let asked = machine.asked();
    assert_eq!(asked.first(), Some(&line));
    assert!(
        asked.contains(&format!("→ {moved}/info/refs?service=git-upload-pack")),
        "{asked:?}"
    );
    there.asked.lock().unwrap().clear();
    machine.gate.forbidden = Some("→");
    let error = machine.fetch(&line).unwrap_err();
    assert_eq!(error.kind, FetchErrorKind::Refused);
    assert!(there.asked.lock().unwrap().is_empty());
}

#[test]
fn a_marketplace_in_a_repository_leads_to_another() {
    let machine = Machine::new();
    machine.write("plugin/deep/p/SKILL.md", "");
    machine.repository("plugin");
    machine.git("plugin", &["clone", "-q", "--bare", ".", "../plugin.git"]);
    machine.git("plugin.git", &["update-server-info"]);
    let folder = machine.at("");
    let server = Server::new(move |path| file_of(&folder, path));
    let there = format!("{}/plugin.git", server.address);
    machine.write("m/.agents/plugins/marketplace.json", format!(r#"{{"name":"m","plugins":[{{"name":"p","source":{{"source":"git-subdir","url":"{there}","path":"deep/p","ref":"main"}}}}]}}"#));
    machine.repository("m");
    let fetched = machine
        .fetch(&format!("{} --plugin p", url(&machine, "m")))
        .unwrap();
    assert_eq!(paths(&fetched), "SKILL.md");
    assert_eq!(fetched.marketplace.as_deref(), Some("m"));
    assert!(fetched.entry.is_some());
    assert!(matches!(&fetched.resolved, Source::Git { url, .. } if *url == there));
    assert_eq!(
        machine.asked(),
        [
            "file://AT/m".to_owned(),
            format!("{there} at main, folder deep/p")
        ]
    );
}

#[test]
fn it_ends_when_it_is_called_off_or_takes_too_long() {
    // It accepts, and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let line = format!("http://{}/x.git", silent.local_addr().unwrap());
    for (time, kind) in [
        (Duration::from_secs(60), FetchErrorKind::Cancelled),
        (Duration::from_millis(500), FetchErrorKind::TimedOut),
    ] {
        let mut machine = Machine::new();
        machine.time = time;
        let begun = Instant::now();
        // Open until git is gone.
        let held = std::sync::Mutex::new(None);
        let error = std::thread::scope(|scope| {
            let cancel = &machine.cancel;
            if kind == FetchErrorKind::Cancelled {
                let (silent, held) = (&silent, &held);
                // Git is there once it has connected.
                scope.spawn(move || {
                    *held.lock().unwrap() = Some(silent.accept().unwrap());
                    cancel.store(true, Ordering::Relaxed);
                });
            }
            fetch_here(&machine, &line)
        });
        assert_eq!(error.kind, kind);
        assert!(begun.elapsed() < Duration::from_secs(30));
        // What git started to connect for it is gone, too: its end of the line is closed.
        if let Some((mut line, _)) = held.lock().unwrap().take() {
            line.set_read_timeout(Some(Duration::from_secs(20)))
                .unwrap();
            std::io::copy(&mut line, &mut std::io::sink()).unwrap();
        }
    }
}

/// On this thread: a machine is not shared.
fn fetch_here(machine: &Machine, line: &str) -> codex_loadout_sources::FetchError {
    machine.fetch(line).unwrap_err()
}

/// The environment that a user has, or that somebody gave the user.
#[test]
fn variables_of_git_lead_it_nowhere() {
    let machine = Machine::new();
    machine.write("r/SKILL.md", "right");
    machine.repository("r");
    machine.write("wrong/SKILL.md", "wrong");
    machine.repository("wrong");
    let marker = machine.at("marker");
    machine.write(
        "settings",
        format!(
            "[core]\n\tfsmonitor = touch {0}\n\thooksPath = {1}\n[init]\n\ttemplateDir = {1}\n",
            marker.display(),
            machine.at("hooks").display()
        ),
    );
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "git::fetched_with_such_variables", "--ignored"])
        .env("FETCHED_FROM", url(&machine, "r"))
        .env("GIT_DIR", machine.at("wrong/.git"))
        .env("GIT_WORK_TREE", machine.at("wrong"))
        .env("GIT_OBJECT_DIRECTORY", machine.at("wrong/.git/objects"))
        .env("GIT_CONFIG_GLOBAL", machine.at("settings"))
        .env("GIT_CONFIG_COUNT", "1")
        .env(
            "GIT_CONFIG_KEY_0",
            format!("url.{}.insteadOf", url(&machine, "wrong")),
        )
        .env("GIT_CONFIG_VALUE_0", url(&machine, "r"))
        .env("GIT_TRACE", machine.at("trace"))
        .status()
        .unwrap();
    assert!(status.success());
    assert!(!marker.exists() && !machine.at("trace").exists());
}

#[test]
#[ignore = "it is run by the test above, with variables"]
fn fetched_with_such_variables() {
    let machine = Machine::new();
    let fetched = machine
        .fetch(&std::env::var("FETCHED_FROM").unwrap())
        .unwrap();
    assert_eq!(fetched.tree.get("SKILL.md").unwrap().bytes, "right");
}

#[test]
fn a_machine_without_git_says_so() {
    let machine = Machine::new();
    machine.write("r/SKILL.md", "");
    machine.repository("r");
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "git::asked_for_without_git", "--ignored"])
        .env("FETCHED_FROM", url(&machine, "r"))
        .env("PATH", machine.at("nothing"))
        .status()
        .unwrap();
    assert!(status.success());
}

#[test]
#[ignore = "it is run by the test above, without programs"]
fn asked_for_without_git() {
    let machine = Machine::new();
    let error = machine
        .fetch(&std::env::var("FETCHED_FROM").unwrap())
        .unwrap_err();
    assert_eq!(error.kind, FetchErrorKind::MissingProgram);
    assert!(error.hint.contains("install git"), "{error:?}");
}
