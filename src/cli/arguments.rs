//! The verbs and their options.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use codex_loadout_converter::target::{Codex, Gemini, Target};

use super::audit::unix_time;
use super::gc::age;

/// One loadout a thread, in front of `codex app-server`.
///
/// Run `codex-loadout app-server` where you ran `codex app-server`, and send
/// `capabilitySelection` with `thread/start`. What is no verb below is handed to
/// `codex` itself, `--version` among it.
#[derive(Debug, Parser)]
#[command(
    name = "codex-loadout",
    disable_version_flag = true,
    arg_required_else_help = true
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) verb: Option<Verb>,
}

/// `version`.
#[derive(Debug, Args)]
pub(super) struct Version {
    /// The Codex to ask [default: $CODEX_LOADOUT_CODEX, then `codex` on PATH]
    #[arg(long, value_name = "PATH")]
    pub(super) codex: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Stand in for `codex app-server`: every flag of it is handed on
    ///
    /// The proxy speaks on stdin and stdout, as `codex app-server` does; its exit
    /// code and its messages on stderr are Codex's.
    #[command(name = "app-server")]
    AppServer(AppServer),
    /// Show this program's version, and the Codex that it found
    Version(Version),
    /// List everything that a selection can name in a folder
    ///
    /// Starts a Codex of its own for a moment, to ask it.
    List(List),
    /// Show what a thread would get from a selection, without starting one
    ///
    /// Starts a Codex of its own for a moment, to ask it.
    Resolve(Resolve),
    /// Show what a model would really see of a loadout, held against its receipt
    ///
    /// Starts a Codex of its own whose model is an endpoint on loopback, and runs one turn in an
    /// ephemeral thread. No model is called and nothing is changed, but the loadout's MCP servers
    /// start for it. Exits with 1 if anything differs.
    Prove(Prove),
    /// Name selections: list, show, write or delete profiles
    ///
    /// A profile is a selection in a TOML file: `profiles/NAME.toml` in the state folder,
    /// `.codex-loadout/profiles/NAME.toml` in a project that is trusted here, or
    /// `/etc/codex-loadout/profiles/NAME.toml`, an administrator's, which no other replaces. One that is
    /// called `base` is included in all of its layer.
    #[command(subcommand)]
    Profile(ProfileVerb),
    /// Say which profile counts where nobody asks for another
    ///
    /// The narrowest binding counts: of the task, of the folder (the nearest above), of the host, the
    /// user's default. What a host or the launch line says comes first.
    #[command(subcommand)]
    Binding(BindingVerb),
    /// Let the profiles of a project count
    #[command(subcommand)]
    Trust(TrustVerb),
    /// Write a `codex` that is this program, for hosts that start `codex` by name
    ///
    /// It remembers the real Codex. Called by it, every verb is Codex's, and ours are `codex loadout VERB`.
    Shim(Shim),
    /// List the threads that have a loadout
    Threads(Threads),
    /// Show the loadout of one thread
    Show(Show),
    /// Make Codex bundles of Claude plugins, with an account of every part
    ///
    /// Each plugin becomes one folder under `--out`: its skills, its commands as skills, its agents, MCP
    /// servers and hooks in Codex's form, and the rest of its files as they are. Nothing of a plugin is
    /// run. Exits with 1 if a plugin can't be converted, or if `--verify` misses something; its
    /// neighbours are converted all the same.
    Convert(Convert),
    /// Show what happened to loadouts, the oldest first
    ///
    /// Every start, resume, fork, spawn, re-bind, update, refusal, and every snapshot that was changed,
    /// with its thread and its cause.
    Audit(Audit),
    /// Remove what nothing needs any more from the state folder
    ///
    /// Roots that are no thread's, snapshots that no record needs, what processes that were killed have left, and
    /// old rows of the audit; of a recorded thread, the newest stays. Can be run while others work, and a
    /// proxy does so itself once a day, when it has nothing else to do.
    Gc(Gc),
    /// Print the JSON Schema of what goes over the wire
    Schema(Schema),
    /// Print a script that completes this command line in a shell
    Completions(Completions),
    /// Print the manual page, in roff
    Man,
    /// Check what holds on the Codex that is installed
    ///
    /// Starts this program and that Codex in a throwaway home, whose model is an endpoint on
    /// loopback, and looks at what it sees: at start, fork, resume and spawn, and when skills are
    /// added underneath. Takes about ten seconds; nothing of yours is read or changed. Exits with 1 if
    /// any thread sees more than its loadout.
    Doctor(Doctor),
}

/// `completions`.
#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell
    pub(super) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(super) struct AppServer {
    /// The loadout of threads that are started and say none: a profile, or a file with one
    #[arg(long, value_name = "NAME|FILE")]
    pub(super) loadout: Option<String>,
    /// The Codex to run [default: $CODEX_LOADOUT_CODEX, then `codex` on PATH]
    #[arg(long, value_name = "PATH")]
    pub(super) codex: Option<PathBuf>,
    /// Any flag of `codex app-server`
    #[arg(
        value_name = "FLAG OF CODEX",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub(super) rest: Vec<std::ffi::OsString>,
}

#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    pub(super) folder: Folder,
    #[command(flatten)]
    pub(super) output: Output,
}

#[derive(Debug, Args)]
pub(super) struct Resolve {
    /// A file with the selection in JSON, or a profile in TOML; `-` reads JSON from stdin
    ///
    /// Without it, and without a profile: what a thread that is started in the folder would get, by
    /// `CODEX_LOADOUT` or a binding.
    #[arg(value_name = "SELECTION.json", conflicts_with = "profile")]
    pub(super) selection: Option<PathBuf>,
    /// A profile; several are merged left to right
    #[arg(long, short, value_name = "PROFILE")]
    pub(super) profile: Vec<String>,
    /// The host whose binding counts, as its `clientInfo.name`
    #[arg(long, value_name = "NAME")]
    pub(super) host: Option<String>,
    /// The task whose binding counts
    #[arg(long, value_name = "KEY")]
    pub(super) task: Option<String>,
    #[command(flatten)]
    pub(super) folder: Folder,
    #[command(flatten)]
    pub(super) output: Output,
}

#[derive(Debug, Args)]
pub(super) struct Prove {
    /// A thread's id, or a file with a selection in JSON or a profile in TOML; `-` reads JSON from stdin
    #[arg(
        value_name = "THREAD | SELECTION.json",
        required_unless_present = "profile",
        conflicts_with = "profile"
    )]
    pub(super) subject: Option<String>,
    /// A profile; several are merged left to right
    #[arg(long, short, value_name = "PROFILE")]
    pub(super) profile: Vec<String>,
    #[command(flatten)]
    pub(super) folder: Folder,
    #[command(flatten)]
    pub(super) output: Output,
}

#[derive(Debug, Subcommand)]
pub(super) enum ProfileVerb {
    /// List the profiles that there are for a folder
    List(ProfileList),
    /// Show a profile, and what it comes to
    Show(ProfileShow),
    /// Write a profile of yours, or replace it
    Write(ProfileWrite),
    /// Delete a profile of yours
    Delete(ProfileDelete),
}

#[derive(Debug, Args)]
pub(super) struct ProfileList {
    #[command(flatten)]
    pub(super) place: Place,
    #[command(flatten)]
    pub(super) output: Output,
}

#[derive(Debug, Args)]
pub(super) struct ProfileShow {
    /// Its name
    #[arg(value_name = "NAME")]
    pub(super) name: String,
    #[command(flatten)]
    pub(super) place: Place,
    #[command(flatten)]
    pub(super) output: Output,
}

#[derive(Debug, Args)]
pub(super) struct ProfileWrite {
    /// Its name
    #[arg(value_name = "NAME")]
    pub(super) name: String,
    /// A file with the profile in TOML, or a selection in JSON; `-` reads stdin
    #[arg(value_name = "FILE", default_value = "-")]
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) output: Output,
}

#[derive(Debug, Args)]
pub(super) struct ProfileDelete {
    /// Its name
    #[arg(value_name = "NAME")]
    pub(super) name: String,
    #[command(flatten)]
    pub(super) output: Output,
}

/// A folder, where no Codex is asked.
#[derive(Debug, Args)]
pub(super) struct Place {
    /// The folder whose project counts [default: this one]
    #[arg(long, value_name = "DIR")]
    pub(super) cwd: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(super) enum BindingVerb {
    /// List the bindings, the narrowest first
    List(BindingList),
    /// Bind a task, a folder, a host, or all your threads, to a profile
    Write(BindingWrite),
    /// Delete a binding
    Delete(BindingDelete),
}

#[derive(Debug, Args)]
pub(super) struct BindingList {
    #[command(flatten)]
    pub(super) output: Output,
}

#[derive(Debug, Args)]
pub(super) struct BindingWrite {
    /// The profile; several are merged left to right
    #[arg(value_name = "PROFILE", required = true)]
    pub(super) profile: Vec<String>,
    #[command(flatten)]
    pub(super) scope: ScopeOfBinding,
    #[command(flatten)]
    pub(super) output: Output,
}

#[derive(Debug, Args)]
pub(super) struct BindingDelete {
    #[command(flatten)]
    pub(super) scope: ScopeOfBinding,
    #[command(flatten)]
    pub(super) output: Output,
}

/// What a binding is for.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct ScopeOfBinding {
    /// Threads that are started for this task: `config.capability_task`, or CODEX_LOADOUT_TASK
    #[arg(long, value_name = "KEY")]
    pub(super) task: Option<String>,
    /// Threads in this folder, and in what lies in it
    #[arg(long, value_name = "DIR")]
    pub(super) project: Option<String>,
    /// Threads of this host, by its `clientInfo.name`
    #[arg(long, value_name = "NAME")]
    pub(super) host: Option<String>,
    /// All your threads
    #[arg(long)]
    pub(super) default: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum TrustVerb {
    /// Let the profiles in a project's `.codex-loadout` count
    Project(TrustProject),
}

#[derive(Debug, Args)]
pub(super) struct TrustProject {
    /// The folder that holds `.codex-loadout`
    #[arg(value_name = "DIR")]
    pub(super) folder: PathBuf,
    /// Let them count no longer
    #[arg(long)]
    pub(super) remove: bool,
    #[command(flatten)]
    pub(super) output: Output,
}

#[derive(Debug, Args)]
pub(super) struct Shim {
    /// Where to write it
    #[arg(value_name = "DIR")]
    pub(super) folder: PathBuf,
    /// Write `node_modules/@openai/codex`, for hosts that want the root of an SDK
    #[arg(long)]
    pub(super) npm: bool,
    /// The real Codex [default: $CODEX_LOADOUT_CODEX, then `codex` on PATH]
    #[arg(long, value_name = "PATH")]
    pub(super) codex: Option<PathBuf>,
    #[command(flatten)]
    pub(super) output: Output,
}

#[derive(Debug, Args)]
pub(super) struct Threads {
    /// Only those whose loadout was made from this profile
    #[arg(long, value_name = "NAME")]
    pub(super) profile: Option<String>,
    /// Only those whose loadout holds this plugin
    #[arg(long, value_name = "ID")]
    pub(super) plugin: Option<String>,
    #[command(flatten)]
    pub(super) output: Output,
}

#[derive(Debug, Args)]
pub(super) struct Show {
    /// The thread's id
    #[arg(value_name = "THREAD")]
    pub(super) thread: String,
    #[command(flatten)]
    pub(super) output: Output,
}

#[derive(Debug, Args)]
pub(super) struct Convert {
    /// A plugin's folder, a marketplace's (all its plugins), or a folder of skills
    #[arg(value_name = "PLUGIN")]
    pub(super) plugin: PathBuf,
    /// Where the bundles go: DIR/<plugin> each
    #[arg(long, value_name = "DIR")]
    pub(super) out: PathBuf,
    /// How to print what became of each part
    #[arg(long, value_name = "FORM", value_enum, default_value_t)]
    pub(super) report: ReportForm,
    /// Replace earlier bundles of the same plugins; what is none is never touched
    #[arg(long)]
    pub(super) force: bool,
    /// Let a warning fail its plugin
    ///
    /// A warning is what the report lists as lossy or dropped: a part that is less than it was, or may
    /// be. Its notes, of what is only written in another way, are none.
    #[arg(long)]
    pub(super) strict: bool,
    /// A TOML file with other names for skills: `[plugins.NAME.skills]`, then `old = "new"`
    #[arg(long, value_name = "FILE")]
    pub(super) aliases: Option<PathBuf>,
    /// What the bundles are for
    #[arg(long, value_name = "PLATFORM", value_enum, default_value_t)]
    pub(super) target: Platform,
    /// Load each bundle in a throwaway home, and look for every skill, agent and MCP server
    ///
    /// Takes the installed Codex, with a model endpoint on loopback, or the installed Gemini CLI. MCP
    /// servers are not run: for Codex, others that do nothing stand in their places, under their names.
    #[arg(long)]
    pub(super) verify: bool,
    /// The Codex for `--verify` [default: $CODEX_LOADOUT_CODEX, then `codex` on PATH]
    #[arg(long, value_name = "PATH", requires = "verify")]
    pub(super) codex: Option<PathBuf>,
    /// The Gemini CLI for `--verify` [default: `gemini` on PATH]
    #[arg(
        long,
        value_name = "PATH",
        requires = "verify",
        default_value = "gemini",
        hide_default_value = true
    )]
    pub(super) gemini: PathBuf,
    #[command(flatten)]
    pub(super) output: Output,
}

/// What a plugin can be converted for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Platform {
    /// Bundles of Codex
    #[default]
    Codex,
    /// Extensions of the Gemini CLI
    Gemini,
}

impl Platform {
    pub(super) fn target(self) -> &'static dyn Target {
        match self {
            Self::Codex => &Codex,
            Self::Gemini => &Gemini,
        }
    }
}

/// How to print a report.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum ReportForm {
    /// For people
    #[default]
    Text,
    /// For programs, as `--json`
    Json,
}

#[derive(Debug, Args)]
pub(super) struct Audit {
    /// Only what happened to this thread
    #[arg(long, value_name = "THREAD")]
    pub(super) thread: Option<String>,
    /// Only what happened since: `2h`, `7days`, `2026-11-21`, `2026-11-21T10:00:00Z`
    #[arg(long, value_name = "TIME", value_parser = unix_time)]
    pub(super) since: Option<i64>,
    #[command(flatten)]
    pub(super) output: Output,
}

#[derive(Debug, Args)]
pub(super) struct Gc {
    /// Only tell what would go
    #[arg(long)]
    pub(super) dry_run: bool,
    /// How old rows of the audit become: `30days`, `1year`
    #[arg(long, value_name = "AGE", value_parser = age, default_value = "90days")]
    pub(super) audit_age: std::time::Duration,
    #[command(flatten)]
    pub(super) output: Output,
}

#[derive(Debug, Args)]
pub(super) struct Schema {
    /// One type alone, such as `CapabilitySelection`; `selection` is that, and `profile` a profile's file
    #[arg(value_name = "TYPE")]
    pub(super) name: Option<String>,
    #[command(flatten)]
    pub(super) output: Output,
}

#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// The Codex to check [default: $CODEX_LOADOUT_CODEX, then `codex` on PATH]
    #[arg(long, value_name = "PATH")]
    pub(super) codex: Option<PathBuf>,
    #[command(flatten)]
    pub(super) output: Output,
}

#[derive(Debug, Args)]
pub(super) struct Folder {
    /// The folder whose project skills and servers count [default: this one]
    #[arg(long, value_name = "DIR")]
    pub(super) cwd: Option<PathBuf>,
    /// The Codex to ask [default: $CODEX_LOADOUT_CODEX, then `codex` on PATH]
    #[arg(long, value_name = "PATH")]
    pub(super) codex: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Output {
    /// Print JSON for programs
    #[arg(long)]
    pub(super) json: bool,
}
