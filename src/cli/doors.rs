//! By which verb of Codex's a command line comes to threads, past `app-server`.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use super::codex_line::{VALUE_OPTIONS, first_word};
use super::daemon;

/// Verbs that come to no thread (Codex 0.169). Any word that is no verb is a prompt.
const NO_THREADS: [&str; 22] = [
    "a",
    "app-server",
    "apply",
    "archive",
    "cloud",
    "completion",
    "debug",
    "delete",
    "doctor",
    "exec-server",
    "features",
    "help",
    "login",
    "logout",
    "mcp",
    "mcp-server",
    "migrate-nfs-db",
    "migrate-rollouts",
    "plugin",
    "sandbox",
    "unarchive",
    "update",
];

/// Options of `codex exec` that take a value, beside those of `codex` itself (Codex 0.169).
const EXEC_VALUE_OPTIONS: [&str; 7] = [
    "--thread-source",
    "--cyber-access-program",
    "--output-schema",
    "--color",
    "-o",
    "--output-last-message",
    "--ask-for-approval",
];

/// The option of `codex exec` by which nothing is kept of the thread.
const EPHEMERAL: &str = "--ephemeral";

/// Options of `codex exec` that say where the config comes from, or where the thread works: what a loadout takes from
/// the user's set is read by an `app-server`, which has no such option. Beside each, what does the same.
const WITHOUT_LOADOUT: [(&str, &str); 4] = [
    (
        "--ignore-user-config",
        "set `CODEX_HOME` to a folder with the config that is to count",
    ),
    (
        "--worktree",
        "make one by `git worktree add`, and name it by `-C`",
    ),
    ("-p", SAME_AS_PROFILE),
    ("--profile", SAME_AS_PROFILE),
];
const SAME_AS_PROFILE: &str = "give what its file says by `-c key=value`";

/// Where a command line leads.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// To no thread.
    None,
    /// `codex exec` with a prompt.
    Exec(ExecLine),
    /// `codex exec resume` of a thread that is named.
    ExecResume(ExecLine),
    /// To the terminal interface: options of Codex's config, and the folder that is named.
    Interactive(Vec<OsString>, Option<PathBuf>),
    /// To the daemon: the verb, and options of Codex's config.
    Daemon(String, Vec<OsString>),
    /// To a Codex that listens at this socket, or at its usual one.
    Proxy(Option<PathBuf>),
    /// To threads that are started there, which can't be given a loadout; the verb, for people.
    New(&'static str),
    /// To one thread: the verb, and the thread's id or name where the line has it.
    Thread(&'static str, Option<String>),
}

/// A line of `codex exec`, in parts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ExecLine {
    /// What stands before `exec`, and that.
    pub(super) begin: Vec<OsString>,
    /// Options of `exec`, without images.
    pub(super) options: Vec<OsString>,
    /// Files of `--image`.
    pub(super) images: Vec<OsString>,
    /// Of a resume, the thread; of a start, nothing.
    pub(super) thread: Option<String>,
    /// What stands behind: the prompt, or the rest of a resume.
    pub(super) rest: Vec<OsString>,
}

impl ExecLine {
    /// The folder that `-C` names.
    pub(super) fn cwd(&self) -> Option<PathBuf> {
        cwd(self.words())
    }

    /// How `--thread-source` classifies the thread.
    pub(super) fn thread_source(&self) -> Option<String> {
        let named = value(self.words(), "--thread-source")?;
        Some(named.to_string_lossy().into_owned())
    }

    fn words(&self) -> impl Iterator<Item = &OsString> + Clone {
        self.begin.iter().chain(&self.options)
    }

    /// Whether nothing is kept of the thread.
    pub(super) fn is_ephemeral(&self) -> bool {
        self.options.iter().any(|word| word == EPHEMERAL)
    }

    /// What of it an `app-server` has to be started with, to read the same config.
    pub(super) fn config_options(&self) -> Vec<OsString> {
        config_options(self.words())
    }

    /// The first option that a thread with a loadout can't have, and what does the same.
    pub(super) fn option_without_loadout(&self) -> Option<(&OsString, &'static str)> {
        let mut words = self.begin.iter().chain(&self.options);
        words.find_map(|word| {
            let text = word.to_string_lossy();
            let mut options = WITHOUT_LOADOUT.iter();
            let (_, same) = options.find(|(option, _)| {
                text == *option || option.len() > 2 && text.starts_with(&format!("{option}="))
            })?;
            Some((word, *same))
        })
    }

    /// The line with these options of Codex's config.
    pub(super) fn with(&self, config: Vec<OsString>) -> Vec<OsString> {
        let mut line = [self.begin.clone(), self.options.clone()].concat();
        for image in &self.images {
            line.extend(["--image".into(), image.clone()]);
        }
        line.extend(config);
        line.extend(self.rest.iter().cloned());
        line
    }

    /// The line that runs a thread with these options of Codex's config.
    pub(super) fn resumed(&self, thread: &str, config: Vec<OsString>) -> Vec<OsString> {
        let mut line = [self.begin.clone(), self.options.clone(), config].concat();
        line.extend(["resume".into(), thread.into()]);
        for image in &self.images {
            line.extend(["--image".into(), image.clone()]);
        }
        line.extend(self.rest.iter().cloned());
        line
    }
}

/// The folder that `-C` names.
fn cwd<'a>(words: impl Iterator<Item = &'a OsString> + Clone) -> Option<PathBuf> {
    let named = value(words.clone(), "-C").or_else(|| value(words, "--cd"));
    named.map(PathBuf::from)
}

/// The value of an option, the last one.
fn value<'a>(words: impl Iterator<Item = &'a OsString> + Clone, option: &str) -> Option<&'a OsStr> {
    let named = words.clone().zip(words.clone().skip(1));
    let apart = named.filter(|(word, _)| *word == option);
    let apart = apart.map(|(_, value)| value.as_os_str()).last();
    let joined = words.filter_map(|word| word.to_str()?.strip_prefix(option));
    let joined = joined.filter_map(|rest| rest.strip_prefix('=')).last();
    apart.or_else(|| joined.map(OsStr::new))
}

/// The options that say what Codex's config is.
fn config_options<'a>(mut words: impl Iterator<Item = &'a OsString>) -> Vec<OsString> {
    let mut found = Vec::new();
    while let Some(word) = words.next() {
        let text = word.to_string_lossy();
        let is_apart = ["-c", "--config", "--enable", "--disable"]
            .iter()
            .any(|option| word == option);
        let is_joined = ["-c", "--config=", "--enable=", "--disable="]
            .iter()
            .any(|option| text.starts_with(option) && text.len() > option.len());
        if is_apart {
            found.push(word.clone());
            found.extend(words.next().cloned());
        } else if is_joined && !text.starts_with("-C") {
            found.push(word.clone());
        }
    }
    found
}

/// The terminal interface; on a Codex elsewhere, what holds for its threads is decided there.
fn interactive(arguments: &[OsString]) -> Door {
    let is_remote = |word: &OsString| {
        word.to_str()
            .is_some_and(|word| word == "--remote" || word.starts_with("--remote="))
    };
    match arguments.iter().any(is_remote) {
        true => Door::New("`codex --remote`"),
        false => Door::Interactive(config_options(arguments.iter()), cwd(arguments.iter())),
    }
}

/// Reads a line of Codex's, without what is ours.
#[must_use]
pub(super) fn door(arguments: &[OsString]) -> Door {
    let asks_for_help = arguments
        .iter()
        .take_while(|word| *word != "--")
        .any(|word| {
            ["-h", "--help", "-V", "--version"]
                .iter()
                .any(|option| word == option)
        });
    if asks_for_help {
        return Door::None;
    }
    let Some(at) = first_word(arguments) else {
        return interactive(arguments);
    };
    let Some((word, rest)) = arguments.get(at..).and_then(<[OsString]>::split_first) else {
        return Door::None;
    };
    let thread = || rest.iter().find(|word| !is_option(word)).map(text);
    match word.to_str() {
        Some("exec" | "e") => exec(arguments, at),
        Some("app-server") => {
            let tool = first_word(rest).and_then(|at| rest.get(at));
            match tool.and_then(|tool| tool.to_str()) {
                Some("daemon") => daemon_verb(arguments, rest),
                Some("proxy") => Door::Proxy(socket(rest)),
                _ => Door::None,
            }
        }
        Some("resume" | "fork") => interactive(arguments),
        Some("queue") => Door::Thread("`codex queue`", thread()),
        Some("review") => Door::New("`codex review`"),
        Some("agents") => Door::New("`codex agents`"),
        Some("remote-control") => Door::New("`codex remote-control`"),
        Some(verb) if NO_THREADS.contains(&verb) => Door::None,
        _ => interactive(arguments),
    }
}

/// What the daemon is to do; what it does with remote control is for a Codex without us.
fn daemon_verb(arguments: &[OsString], rest: &[OsString]) -> Door {
    let mut words = rest.iter().filter(|word| !is_option(word)).skip(1);
    let verb = words.find_map(|word| word.to_str().filter(|word| daemon::is_ours(Some(word))));
    match verb {
        Some(verb) => Door::Daemon(verb.to_owned(), config_options(arguments.iter())),
        None => Door::New("`codex app-server daemon`"),
    }
}

/// What `--sock` names.
fn socket(words: &[OsString]) -> Option<PathBuf> {
    let mut apart = words.iter().skip_while(|word| *word != "--sock").skip(1);
    let joined = |word: &OsString| Some(word.to_str()?.strip_prefix("--sock=")?.into());
    apart
        .next()
        .map(PathBuf::from)
        .or_else(|| words.iter().find_map(joined))
}

fn text(word: &OsString) -> String {
    word.to_string_lossy().into_owned()
}

fn is_option(word: &OsStr) -> bool {
    word.as_encoded_bytes().starts_with(b"-") && word != "-"
}

fn takes_value(word: &OsStr) -> bool {
    let mut options = VALUE_OPTIONS.iter().chain(&EXEC_VALUE_OPTIONS);
    options.any(|option| word == *option)
}

fn exec(arguments: &[OsString], at: usize) -> Door {
    let mut line = ExecLine {
        begin: arguments[..=at].to_vec(),
        ..ExecLine::default()
    };
    let mut words = arguments[at + 1..].iter().peekable();
    while let Some(word) = words.peek().copied() {
        if word == "--" || !is_option(word) {
            break;
        }
        words.next();
        let joined = word.to_str().and_then(|word| word.strip_prefix("--image="));
        if let Some(image) = joined {
            line.images.push(image.into());
        } else if word == "-i" || word == "--image" {
            // It takes all words up to the next option.
            while let Some(image) = words.next_if(|word| !is_option(word)) {
                line.images.push(image.clone());
            }
        } else {
            line.options.push(word.clone());
            if takes_value(word) {
                line.options.extend(words.next().cloned());
            }
        }
    }
    let rest: Vec<OsString> = words.cloned().collect();
    let first = rest.first().and_then(|word| word.to_str());
    match first {
        Some("resume") => {
            let rest = &rest[1..];
            let position = rest.iter().position(|word| !is_option(word));
            let is_value = |at: usize| at > 0 && takes_value(&rest[at - 1]);
            match position {
                // Options before the thread: it is one of theirs, or the picker's.
                Some(at) if is_value(at) => Door::Thread("`codex exec resume`", None),
                Some(_) if rest.iter().any(|word| word == "--last") => {
                    Door::Thread("`codex exec resume --last`", None)
                }
                Some(at) => {
                    line.thread = Some(text(&rest[at]));
                    line.rest = [&rest[..at], &rest[at + 1..]].concat();
                    Door::ExecResume(line)
                }
                None => Door::Thread("`codex exec resume`", None),
            }
        }
        Some("fork") => {
            let thread = rest[1..].iter().find(|word| !is_option(word)).map(text);
            Door::Thread("`codex exec fork`", thread)
        }
        Some("review") => Door::New("`codex exec review`"),
        Some("help") => Door::None,
        _ => {
            line.rest = rest;
            Door::Exec(line)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn verbs_lead_to_threads_or_not() {
        for (line, expected) in [
            ("login status", Door::None),
            ("--version", Door::None),
            ("exec --help", Door::None),
            ("app-server generate-ts --out x", Door::None),
            (
                "app-server daemon start",
                Door::Daemon("start".to_owned(), vec![]),
            ),
            (
                "app-server -c a=b daemon -c c=d restart",
                Door::Daemon("restart".to_owned(), words("-c a=b -c c=d")),
            ),
            (
                "app-server daemon enable-remote-control",
                Door::New("`codex app-server daemon`"),
            ),
            ("app-server proxy --sock x", Door::Proxy(Some("x".into()))),
            ("app-server proxy", Door::Proxy(None)),
            ("app-server proxy --sock=/y", Door::Proxy(Some("/y".into()))),
            ("", Door::Interactive(vec![], None)),
            (
                "-c a=b -C /p mend the tests",
                Door::Interactive(words("-c a=b"), Some("/p".into())),
            ),
            ("resume abc", Door::Interactive(vec![], None)),
            ("fork --last", Door::Interactive(vec![], None)),
            ("--remote unix://x", Door::New("`codex --remote`")),
            ("resume --remote=x abc", Door::New("`codex --remote`")),
            ("review --uncommitted", Door::New("`codex review`")),
            ("exec review", Door::New("`codex exec review`")),
            (
                "exec fork abc go",
                Door::Thread("`codex exec fork`", Some("abc".to_owned())),
            ),
            (
                "exec resume --last go",
                Door::Thread("`codex exec resume --last`", None),
            ),
        ] {
            assert_eq!(door(&words(line)), expected, "{line}");
        }
    }

    #[test]
    fn a_line_of_exec_runs_a_thread_that_was_made_for_it() {
        for (line, resumed) in [
            ("exec hello", "exec -c k=v resume T hello"),
            (
                "-c a=b exec --json -s read-only -",
                "-c a=b exec --json -s read-only -c k=v resume T -",
            ),
            (
                "e --experimental-json --model m --image a.png b.png --cd /p",
                "e --experimental-json --model m --cd /p -c k=v resume T --image a.png --image b.png",
            ),
            (
                "exec --output-schema s.json -- -x",
                "exec --output-schema s.json -c k=v resume T -- -x",
            ),
        ] {
            let Door::Exec(exec) = door(&words(line)) else {
                panic!("{line}");
            };
            let config = words("-c k=v");
            assert_eq!(exec.resumed("T", config), words(resumed), "{line}");
        }
        let line = "exec --ephemeral --image a.png --thread-source=x --cd=/p -- -x";
        let Door::Exec(exec) = door(&words(line)) else {
            panic!();
        };
        assert!(exec.is_ephemeral());
        assert_eq!(exec.thread_source().as_deref(), Some("x"));
        assert_eq!(exec.cwd(), Some(PathBuf::from("/p")));
        let run = "exec --ephemeral --thread-source=x --cd=/p --image a.png -c k=v -- -x";
        assert_eq!(exec.with(words("-c k=v")), words(run));
        let Door::ExecResume(exec) = door(&words("exec --json resume T --image a.png go")) else {
            panic!();
        };
        assert_eq!(exec.thread.as_deref(), Some("T"));
        assert_eq!(
            exec.resumed("T", words("-c k=v")),
            words("exec --json -c k=v resume T --image a.png go")
        );
    }

    #[test]
    fn what_counts_of_a_line_of_exec_is_found() {
        let Door::Exec(exec) = door(&words("-c a=b --enable x exec -C /p --config=c=d -ce=f go"))
        else {
            panic!();
        };
        assert_eq!(exec.cwd(), Some(PathBuf::from("/p")));
        assert_eq!(exec.thread_source(), None);
        assert!(!exec.is_ephemeral());
        assert_eq!(
            exec.config_options(),
            words("-c a=b --enable x --config=c=d -ce=f")
        );
        for (line, option) in [
            ("exec --ephemeral go", None),
            ("exec --worktree go", Some("--worktree")),
            ("exec --profile=x go", Some("--profile=x")),
            ("exec --color never go", None),
        ] {
            let Door::Exec(exec) = door(&words(line)) else {
                panic!("{line}");
            };
            let found = exec.option_without_loadout().map(|(option, _)| option);
            assert_eq!(found, option.map(OsString::from).as_ref(), "{line}");
        }
    }
}
