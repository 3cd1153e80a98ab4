//! What a command line asks for: the proxy, a verb of ours, or Codex itself.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use crate::doctor::server;
use crate::hook_adapter;

/// The verbs that are ours; any other word is Codex's.
pub(super) const OWN_VERBS: [&str; 12] = [
    "list", "resolve", "prove", "threads", "show", "convert", "audit", "gc", "schema", "doctor",
    "help", "version",
];

/// Options of `codex` that stand before a subcommand and take a value as a word of its own (Codex 0.169).
const VALUE_OPTIONS: [&str; 19] = [
    "-c",
    "--config",
    "--enable",
    "--disable",
    "--remote",
    "--remote-auth-token-env",
    "-i",
    "--image",
    "-m",
    "--model",
    "--local-provider",
    "-p",
    "--profile",
    "-s",
    "--sandbox",
    "-C",
    "--cd",
    "--add-dir",
    "-a",
];

/// Subcommands of `codex app-server` that serve nobody (Codex 0.169).
const APP_SERVER_TOOLS: [&str; 5] = [
    "daemon",
    "proxy",
    "generate-ts",
    "generate-json-schema",
    "help",
];

/// What a command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Invocation {
    /// Stand between a host on stdio and this `codex app-server`.
    Proxy {
        /// `--codex PATH`.
        codex: Option<PathBuf>,
        /// Codex's arguments, `app-server` included.
        arguments: Vec<OsString>,
    },
    /// Let Codex do it, as if it had been called itself.
    HandOver {
        /// `--codex PATH`.
        codex: Option<PathBuf>,
        /// Its arguments.
        arguments: Vec<OsString>,
    },
    /// A verb or an option of ours: clap reads it.
    Own,
    /// Run a hook that was written for Claude Code: the rest of the arguments says which.
    RunHook,
    /// Be the server that the doctor's checks give a thread.
    ProbeServer,
    /// `app-server` with a listener that the proxy can't stand in front of.
    UnsupportedListener(String),
}

/// Reads a command line, without the program's name.
#[must_use]
pub(super) fn read(arguments: &[OsString]) -> Invocation {
    if let [verb] = arguments
        && verb == server::VERB
    {
        return Invocation::ProbeServer;
    }
    if arguments
        .first()
        .is_some_and(|verb| verb == hook_adapter::VERB)
    {
        return Invocation::RunHook;
    }
    let Some(at) = first_word(arguments) else {
        let own_option = |word: &OsString| ["--help", "-h"].iter().any(|option| word == option);
        if arguments.first().is_some_and(own_option) {
            return Invocation::Own;
        }
        return hand_over(arguments);
    };
    let word = &arguments[at];
    if word == "app-server" {
        return app_server(arguments, at);
    }
    let is_own = |word: &OsString| OWN_VERBS.iter().any(|verb| word == verb);
    if at == 0 && word == "help" {
        let asked_for = arguments.get(1);
        let is_ours = |word: &OsString| is_own(word) || word == "app-server";
        return match asked_for.is_none_or(is_ours) {
            true => Invocation::Own,
            false => hand_over(arguments),
        };
    }
    if at == 0 && is_own(word) {
        return Invocation::Own;
    }
    hand_over(arguments)
}

fn hand_over(arguments: &[OsString]) -> Invocation {
    Invocation::HandOver {
        codex: None,
        arguments: arguments.to_vec(),
    }
}

/// Where the subcommand stands, behind options of `codex` itself.
fn first_word(arguments: &[OsString]) -> Option<usize> {
    let mut at = 0;
    while let Some(word) = arguments.get(at) {
        if VALUE_OPTIONS.iter().any(|option| word == option) {
            at += 2;
        } else if word.as_encoded_bytes().starts_with(b"-") {
            at += 1;
        } else {
            return Some(at);
        }
    }
    None
}

fn app_server(arguments: &[OsString], at: usize) -> Invocation {
    let mut codex = None;
    let mut listener = None;
    let mut passed = arguments[..=at].to_vec();
    let mut rest = arguments[at + 1..].iter();
    let mut serves = true;
    while let Some(word) = rest.next() {
        if let Some(value) = option_value("--codex", word, &mut rest) {
            codex = Some(PathBuf::from(value));
            continue;
        }
        if let Some(value) = option_value("--listen", word, &mut rest) {
            passed.extend([OsString::from("--listen"), value.to_owned()]);
            listener = Some(value.to_string_lossy().into_owned());
            continue;
        }
        let help = word == "--help" || word == "-h";
        serves &= !help && !APP_SERVER_TOOLS.iter().any(|tool| word == tool);
        passed.push(word.clone());
        if VALUE_OPTIONS.iter().any(|option| word == option) {
            passed.extend(rest.next().cloned());
        }
    }
    if !serves {
        return Invocation::HandOver {
            codex,
            arguments: passed,
        };
    }
    match listener.as_deref() {
        None | Some("stdio://" | "off") => Invocation::Proxy {
            codex,
            arguments: passed,
        },
        Some(other) => Invocation::UnsupportedListener(other.to_owned()),
    }
}

/// The value of `--name VALUE` or `--name=VALUE`.
fn option_value<'a>(
    name: &str,
    word: &'a OsString,
    rest: &mut impl Iterator<Item = &'a OsString>,
) -> Option<&'a OsStr> {
    if word == name {
        return Some(rest.next().map_or(OsStr::new(""), OsString::as_os_str));
    }
    let value = word.to_str()?.strip_prefix(name)?.strip_prefix('=')?;
    Some(OsStr::new(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invocation(line: &str) -> Invocation {
        read(&words(line))
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
            "--help",
        ] {
            assert_eq!(invocation(line), Invocation::Own, "{line}");
        }
    }

    #[test]
    fn what_we_call_ourselves_by_is_ours() {
        assert_eq!(invocation("loadout-probe"), Invocation::ProbeServer);
        let line = "loadout-probe x";
        assert_eq!(invocation(line), handed_over(line));
    }

    #[test]
    fn a_listener_that_would_bypass_the_proxy_is_refused() {
        for line in [
            "app-server --listen unix:///s",
            "app-server --listen=ws://127.0.0.1:1",
        ] {
            assert!(
                matches!(invocation(line), Invocation::UnsupportedListener(_)),
                "{line}"
            );
        }
    }
}
