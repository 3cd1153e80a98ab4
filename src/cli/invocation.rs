//! What a command line asks for: the proxy, a verb of ours, or Codex itself.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::shim::STAND_IN;
use crate::doctor::server;
use crate::hook_adapter;

/// The verbs that are ours; any other word is Codex's.
pub(super) const OWN_VERBS: [&str; 18] = [
    "list",
    "resolve",
    "prove",
    "profile",
    "binding",
    "trust",
    "shim",
    "threads",
    "show",
    "convert",
    "audit",
    "gc",
    "schema",
    "doctor",
    "help",
    "version",
    "completions",
    "man",
];

/// Those of them that ask a Codex, or write down where it is.
const ASK_CODEX: [&str; 6] = ["list", "resolve", "prove", "doctor", "shim", "version"];

/// Options of `codex` that stand before a subcommand and take a value as a word of its own (Codex 0.169).
pub(super) const VALUE_OPTIONS: [&str; 19] = [
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
    Own(Vec<OsString>),
    /// Run a hook that was written for Claude Code: the rest of the arguments says which.
    RunHook,
    /// Be the server that the doctor's checks give a thread.
    ProbeServer,
    /// `app-server` with a listener that the proxy can't stand in front of.
    UnsupportedListener(String),
}

/// By which name this program was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CalledAs {
    /// Its own.
    Own,
    /// `codex`: every verb is Codex's, and ours stand behind `loadout`.
    Codex,
}

/// By which name the program was called, and the line behind that. A shim says it by a word of its own.
#[must_use]
pub(super) fn called_as(line: &[OsString]) -> (CalledAs, &[OsString]) {
    let Some((program, arguments)) = line.split_first() else {
        return (CalledAs::Own, line);
    };
    if let [word, arguments @ ..] = arguments
        && word == STAND_IN
    {
        return (CalledAs::Codex, arguments);
    }
    let is_codex = Path::new(program)
        .file_stem()
        .is_some_and(|name| name == "codex");
    match is_codex {
        true => (CalledAs::Codex, arguments),
        false => (CalledAs::Own, arguments),
    }
}

/// Reads a command line, without the program's name.
#[must_use]
pub(super) fn read(called_as: CalledAs, arguments: &[OsString]) -> Invocation {
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
    let (codex, arguments) = without_codex(arguments);
    let Some(at) = first_word(&arguments) else {
        let own_option = |word: &OsString| ["--help", "-h"].iter().any(|option| word == option);
        if called_as == CalledAs::Own && arguments.first().is_some_and(own_option) {
            return Invocation::Own(arguments);
        }
        return Invocation::HandOver { codex, arguments };
    };
    let word = &arguments[at];
    if word == "app-server" {
        return app_server(codex, &arguments, at);
    }
    let (is_own, own) = match called_as {
        CalledAs::Own => (at == 0 && is_own_verb(&arguments), arguments.clone()),
        CalledAs::Codex => (at == 0 && word == "loadout", arguments[1..].to_vec()),
    };
    match is_own {
        true => Invocation::Own(with_codex(own, codex)),
        false => Invocation::HandOver { codex, arguments },
    }
}

fn is_own_verb(arguments: &[OsString]) -> bool {
    let is_ours = |word: &OsString| OWN_VERBS.iter().any(|verb| word == verb);
    match arguments {
        // Help about a verb of Codex's is Codex's.
        [help, verb, ..] if help == "help" => is_ours(verb) || verb == "app-server",
        [verb, ..] => is_ours(verb),
        [] => false,
    }
}

/// Takes `--codex PATH` out of what stands before the verb.
fn without_codex(arguments: &[OsString]) -> (Option<PathBuf>, Vec<OsString>) {
    let mut codex = None;
    let mut kept = Vec::with_capacity(arguments.len());
    let mut words = arguments.iter();
    while let Some(word) = words.as_slice().first() {
        if !word.as_encoded_bytes().starts_with(b"-") {
            break;
        }
        words.next();
        if let Some(value) = option_value("--codex", word, &mut words) {
            codex = Some(PathBuf::from(value));
            continue;
        }
        kept.push(word.clone());
        if VALUE_OPTIONS.iter().any(|option| word == option) {
            kept.extend(words.next().cloned());
        }
    }
    kept.extend(words.cloned());
    (codex, kept)
}

/// A verb of ours with the Codex that was named before it.
fn with_codex(mut arguments: Vec<OsString>, codex: Option<PathBuf>) -> Vec<OsString> {
    let takes_codex = |verb: &OsString| ASK_CODEX.iter().any(|asking| verb == asking);
    if let Some(codex) = codex
        && arguments.first().is_some_and(takes_codex)
    {
        arguments.splice(1..1, ["--codex".into(), codex.into_os_string()]);
    }
    arguments
}

/// Where the subcommand stands, behind options of `codex` itself.
pub(super) fn first_word(arguments: &[OsString]) -> Option<usize> {
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

fn app_server(codex: Option<PathBuf>, arguments: &[OsString], at: usize) -> Invocation {
    let mut codex = codex;
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
}
