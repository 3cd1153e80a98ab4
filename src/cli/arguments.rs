//! The verbs. The options of each stand beside it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::audit::Audit;
use super::binding::BindingVerb;
use super::bundle::BundleVerb;
use super::convert::Convert;
use super::doctor::Doctor;
use super::gc::Gc;
use super::list::List;
use super::metrics::Metrics;
use super::profile::ProfileVerb;
use super::prove::Prove;
use super::resolve::Resolve;
use super::schema::Schema;
use super::shim::Shim;
use super::status::Status;
use super::threads::{Show, Threads};
use super::trust::TrustVerb;
use super::update::Update;
use super::version::Version;

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

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Stand in for `codex app-server`: every flag of it is handed on
    ///
    /// The proxy speaks on stdin and stdout, as `codex app-server` does; its exit
    /// code and its messages on stderr are Codex's. Hosts come by sockets, too: `--listen unix://`, `--listen
    /// unix://PATH` and `--listen ws://IP:PORT`, several at once, with `--stdio` beside them, and Codex's
    /// `--ws-auth`. `--upstream URL` names a Codex that runs already, and `--upstream-token-env VARIABLE` where
    /// its token is. `--control http://127.0.0.1:PORT` serves the control door by HTTP, too, with a token that
    /// `--control-token-file FILE` holds, or that is made. `daemon` runs one at the control socket, `proxy --sock PATH` serves a host on stdio there.
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
    /// Add plugins and skills from anywhere, for the threads that select them
    ///
    /// Beside what Codex has installed: from a folder, a git repository, an archive, npm or a marketplace, pinned to
    /// what was fetched. A selection names them as `NAME@bundle`.
    #[command(subcommand)]
    Bundle(BundleVerb),
    /// Write a `codex` that is this program, for hosts that start `codex` by name
    ///
    /// It remembers the real Codex. Called by it, every verb is Codex's, and ours are `codex loadout VERB`.
    Shim(Shim),
    /// List the threads that have a loadout
    Threads(Threads),
    /// Show the loadout of one thread
    Show(Show),
    /// Give a thread that lives another loadout, between two turns
    ///
    /// The codex-loadout that has the thread loaded does it, as if its host had asked for it.
    Update(Update),
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
    /// with its thread, its cause, and who asked for it.
    Audit(Audit),
    /// Remove what nothing needs any more from the state folder
    ///
    /// Roots that are no thread's, snapshots that no record needs, what processes that were killed have left, and
    /// old rows of the audit; of a recorded thread, the newest stays. Can be run while others work, and a
    /// proxy does so itself once a day, when it has nothing else to do.
    Gc(Gc),
    /// Show who is connected to a codex-loadout that listens at a socket, and the Codex behind it
    ///
    /// Hosts, loaded threads with a loadout, versions and processes, how long each is there, and how much lies
    /// in the state folder. One that speaks on stdio alone can't be asked.
    Status(Status),
    /// Print what a codex-loadout that listens at a socket has counted, for Prometheus
    ///
    /// The same text is at `/metrics` of every listener on loopback and at a Unix socket.
    Metrics(Metrics),
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
