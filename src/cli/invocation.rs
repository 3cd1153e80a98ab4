//! What a command line asks for: the proxy, a verb of ours, or Codex itself.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::codex_line::{VALUE_OPTIONS, first_word, option_value, without_codex};
use super::shim::STAND_IN;
use crate::doctor::server;
use crate::hook_adapter;

/// The verbs that are ours; any other word is Codex's.
pub(super) const OWN_VERBS: [&str; 22] = [
    "list",
    "resolve",
    "prove",
    "profile",
    "binding",
    "trust",
    "bundle",
    "shim",
    "threads",
    "show",
    "update",
    "convert",
    "audit",
    "gc",
    "status",
    "metrics",
    "schema",
    "doctor",
    "help",
    "version",
    "completions",
    "man",
];

/// Those of them that ask a Codex, or write down where it is.
const ASK_CODEX: [&str; 6] = ["list", "resolve", "prove", "doctor", "shim", "version"];

/// Options of `codex app-server` that say where hosts come in and who may (Codex 0.169), and of ours, that say where
/// Codex and the control door are. Each has a value.
const DOOR_OPTIONS: [&str; 12] = [
    "--listen",
    "--upstream",
    "--upstream-token-env",
    "--control",
    "--control-token-file",
    "--ws-auth",
    "--ws-token-file",
    "--ws-token-sha256",
    "--ws-shared-secret-file",
    "--ws-issuer",
    "--ws-audience",
    "--ws-max-clock-skew-seconds",
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
    /// Stand between hosts that come by sockets and this `codex app-server`, or one that runs already.
    Serve {
        /// `--codex PATH`.
        codex: Option<PathBuf>,
        /// Codex's arguments, `app-server` included, without what is said of sockets.
        arguments: Vec<OsString>,
        /// What is said of sockets, each option and its value a word.
        doors: Vec<OsString>,
    },
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
        // Of a thread; Codex's own updates Codex, and names nothing.
        [update, rest @ ..] if update == "update" => first_word(rest).is_some(),
        [verb, ..] => is_ours(verb),
        [] => false,
    }
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

fn app_server(codex: Option<PathBuf>, arguments: &[OsString], at: usize) -> Invocation {
    let mut codex = codex;
    let mut passed = arguments[..=at].to_vec();
    // What Codex gets where hosts come by sockets: what is said of those is ours.
    let mut behind_sockets = passed.clone();
    let mut doors = Vec::new();
    let mut rest = arguments[at + 1..].iter();
    let (mut serves, mut has_socket) = (true, false);
    'words: while let Some(word) = rest.next() {
        if let Some(value) = option_value("--codex", word, &mut rest) {
            codex = Some(PathBuf::from(value));
            continue;
        }
        for option in DOOR_OPTIONS {
            if let Some(value) = option_value(option, word, &mut rest) {
                has_socket |= match option {
                    "--listen" => value != "stdio://" && value != "off",
                    "--upstream" | "--control" => true,
                    _ => false,
                };
                let said = [OsString::from(option), value.to_owned()];
                doors.extend(said.clone());
                passed.extend(said);
                continue 'words;
            }
        }
        let help = word == "--help" || word == "-h";
        serves &= !help && !APP_SERVER_TOOLS.iter().any(|tool| word == tool);
        let mut said = vec![word.clone()];
        if VALUE_OPTIONS.iter().any(|option| word == option) {
            said.extend(rest.next().cloned());
        }
        if word == "--stdio" {
            doors.extend(["--listen".into(), "stdio://".into()]);
        } else {
            behind_sockets.extend(said.clone());
        }
        passed.extend(said);
    }
    if !serves {
        return Invocation::HandOver {
            codex,
            arguments: passed,
        };
    }
    match has_socket {
        true => Invocation::Serve {
            codex,
            arguments: behind_sockets,
            doors,
        },
        false => Invocation::Proxy {
            codex,
            arguments: passed,
        },
    }
}
