//! Command lines, and what each asks for.

use std::ffi::OsString;
use std::path::PathBuf;

use super::invocation::{CalledAs, Invocation, called_as, read};

fn invocation(line: &str) -> Invocation {
    read(CalledAs::Own, &words(line))
}

fn words(line: &str) -> Vec<OsString> {
    line.split_whitespace().map(OsString::from).collect()
}

fn proxy(codex: Option<&str>, line: &str) -> Invocation {
    Invocation::Proxy {
        codex: codex.map(PathBuf::from),
        arguments: words(line),
    }
}

fn handed_over(line: &str) -> Invocation {
    Invocation::HandOver {
        codex: None,
        arguments: words(line),
    }
}

#[test]
fn the_proxy_keeps_every_flag_of_codex() {
    for (line, codex, passed) in [
        ("app-server", None, "app-server"),
        (
            "app-server --codex /c -c a=b --enable x",
            Some("/c"),
            "app-server -c a=b --enable x",
        ),
        (
            "app-server --codex=/c --new-flag 5",
            Some("/c"),
            "app-server --new-flag 5",
        ),
        (
            "-c a=b --strict-config app-server --listen stdio://",
            None,
            "-c a=b --strict-config app-server --listen stdio://",
        ),
        ("app-server -c daemon", None, "app-server -c daemon"),
    ] {
        assert_eq!(invocation(line), proxy(codex, passed), "{line}");
    }
}

#[test]
fn what_serves_nobody_is_handed_over() {
    for line in [
        "",
        "exec hello",
        "-m gpt app-servers",
        "app-server generate-ts --out x",
        "app-server --help",
        "--strict-config",
        "-c app-server exec",
        "help exec",
        "help mcp add",
        "update",
        "update --help",
        "update -c a=b",
    ] {
        assert_eq!(invocation(line), handed_over(line), "{line}");
    }
}

#[test]
fn the_version_that_hosts_read_is_codexs() {
    for line in ["--version", "-V"] {
        assert_eq!(invocation(line), handed_over(line), "{line}");
    }
}

#[test]
fn own_verbs_are_ours() {
    for line in [
        "list --json",
        "resolve x.json",
        "threads",
        "show t",
        "audit --thread t",
        "version --json",
        "gc --dry-run",
        "schema",
        "help",
        "help list",
        "help app-server",
        "update 0199a213 -p review",
        "update --json -p review 0199a213",
        "--help",
    ] {
        assert_eq!(invocation(line), Invocation::Own(words(line)), "{line}");
    }
}

#[test]
fn what_we_call_ourselves_by_is_ours() {
    assert_eq!(invocation("loadout-probe"), Invocation::ProbeServer);
    let line = "loadout-probe x";
    assert_eq!(invocation(line), handed_over(line));
}

#[test]
fn what_is_said_of_sockets_is_ours_and_the_rest_is_codexs() {
    for (line, arguments, doors) in [
        (
            "app-server --listen unix:///s -c a=b --ws-auth=capability-token",
            "app-server -c a=b",
            "--listen unix:///s --ws-auth capability-token",
        ),
        (
            "-c a=b app-server --stdio --listen=ws://127.0.0.1:1 --enable x",
            "-c a=b app-server --enable x",
            "--listen stdio:// --listen ws://127.0.0.1:1",
        ),
        (
            "app-server --upstream unix://",
            "app-server",
            "--upstream unix://",
        ),
    ] {
        let serve = Invocation::Serve {
            codex: None,
            arguments: words(arguments),
            doors: words(doors),
        };
        assert_eq!(invocation(line), serve, "{line}");
    }
}

#[test]
fn codex_may_be_named_before_the_verb() {
    assert_eq!(
        invocation("--codex /c -c a=b app-server"),
        proxy(Some("/c"), "-c a=b app-server")
    );
    assert_eq!(
        invocation("--codex=/c list --json"),
        Invocation::Own(words("list --codex /c --json"))
    );
    let exec = Invocation::HandOver {
        codex: Some(PathBuf::from("/c")),
        arguments: words("exec --codex x"),
    };
    assert_eq!(invocation("--codex /c exec --codex x"), exec);
}

#[test]
fn under_the_name_codex_every_verb_is_codexs() {
    for (line, name) in [
        ("/usr/bin/codex doctor", CalledAs::Codex),
        ("codex.exe doctor", CalledAs::Codex),
        ("/x/codex-loadout doctor", CalledAs::Own),
        ("/x/codex-loadout loadout-stand-in doctor", CalledAs::Codex),
    ] {
        let line = words(line);
        let (found, arguments) = called_as(&line);
        assert_eq!((found, arguments), (name, &words("doctor")[..]), "{line:?}");
    }
    let by_codex = |line: &str| read(CalledAs::Codex, &words(line));
    for line in ["doctor", "list", "help exec", "--help", "", "exec loadout"] {
        assert_eq!(by_codex(line), handed_over(line), "{line}");
    }
    assert_eq!(by_codex("loadout list"), Invocation::Own(words("list")));
    assert_eq!(by_codex("app-server"), proxy(None, "app-server"));
    assert_eq!(invocation("help exec"), handed_over("help exec"));
    assert_eq!(invocation("help list"), Invocation::Own(words("help list")));
}
