//! Reads the command line, runs what it asks for, says what went wrong.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use codex_loadout_protocol::audit::CLI;
use codex_loadout_protocol::{ErrorKind, LoadoutError};

use super::arguments::{Arguments, Verb};
use super::codex_line::VALUE_OPTIONS;
use super::invocation::{self, Invocation};
use super::terminal::{print, say_error};
use super::{
    app_server, audit, binding, bundle, convert, daemon, doctor, exec, gc, list, metrics, profile,
    prove, resolve, schema, serve, shell, shim, status, threads, trust, update, version,
};
use crate::doctor::server;
use crate::hook_adapter;
use crate::profiles::{LaunchLine, read_launch_line, read_reference};
use crate::records::asked_by;

/// Names what is logged to stderr, in the syntax of `tracing`; nothing by default: stderr is Codex's.
const LOG_VARIABLE: &str = "CODEX_LOADOUT_LOG";

/// Codex's: with `json`, in letters of any case, what is logged is lines of JSON (0.169).
const LOG_FORMAT_VARIABLE: &str = "LOG_FORMAT";

/// Refused or failed.
const FAILED: u8 = 1;
/// The command line is wrong.
pub(super) const USAGE: u8 = 2;

/// The whole program.
#[must_use]
pub fn main() -> ExitCode {
    log_to_stderr();
    daemon::has_a_session_of_its_own();
    let line: Vec<OsString> = std::env::args_os().collect();
    let (called_as, arguments) = invocation::called_as(&line);
    let line = match read_launch_line(arguments, &VALUE_OPTIONS) {
        Ok(line) => line,
        Err(error) => {
            explain(&error.into());
            return ExitCode::from(USAGE);
        }
    };
    let done = match invocation::read(called_as, &line.arguments) {
        Invocation::Proxy { codex, arguments } => {
            app_server::run(codex, LaunchLine { arguments, ..line })
        }
        Invocation::HandOver { codex, arguments } => {
            exec::run(codex, LaunchLine { arguments, ..line })
        }
        Invocation::ProbeServer => server::serve(std::io::stdin().lock(), std::io::stdout().lock())
            .map(|()| ExitCode::SUCCESS)
            .map_err(Into::into),
        Invocation::RunHook => Ok(hook_adapter::run(arguments.get(1..).unwrap_or_default())),
        Invocation::Serve {
            codex,
            arguments,
            doors,
        } => serve::run(codex, LaunchLine { arguments, ..line }, &doors),
        Invocation::Own(_) if line.says_something() => {
            explain(&of_no_thread().into());
            return ExitCode::from(USAGE);
        }
        Invocation::Own(arguments) => own(arguments),
    };
    done.unwrap_or_else(|error| {
        explain(&error);
        ExitCode::from(FAILED)
    })
}

/// A loadout is given to a verb that comes to no thread.
fn of_no_thread() -> LoadoutError {
    let message = "a loadout on the launch line is for threads that are started by it";
    LoadoutError::new(ErrorKind::InvalidSelection, message)
        .with_hint("`app-server` and `exec` take it. `resolve` and `prove` take a profile by `-p`.")
}

fn log_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_env(LOG_VARIABLE);
    let Ok(filter) = filter else { return };
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let format = std::env::var(LOG_FORMAT_VARIABLE).unwrap_or_default();
    match format.eq_ignore_ascii_case("json") {
        true => log.json().init(),
        false => log.init(),
    }
}

fn own(arguments: Vec<OsString>) -> Result<ExitCode> {
    let line = std::iter::once(OsString::from("codex-loadout")).chain(arguments);
    let arguments = match Arguments::try_parse_from(line) {
        Ok(arguments) => arguments,
        Err(error) if error.use_stderr() => {
            say_error(error.render().to_string().trim_end());
            return Ok(ExitCode::from(USAGE));
        }
        // What was asked for: help.
        Err(error) => error.exit(),
    };
    let Some(verb) = arguments.verb else {
        return Ok(ExitCode::from(USAGE));
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (text, code) = runtime.block_on(asked_by(Some(CLI.into()), async {
        let text = match verb {
            Verb::Version(arguments) => version::version(&arguments),
            Verb::List(arguments) => list::list(arguments).await,
            Verb::Resolve(arguments) => resolve::resolve(arguments).await,
            Verb::Profile(verb) => profile::profile(verb).await,
            Verb::Binding(verb) => binding::binding(verb).await,
            Verb::Trust(verb) => trust::trust(verb).await,
            Verb::Shim(arguments) => shim::shim(&arguments),
            Verb::Threads(arguments) => threads::threads(arguments).await,
            Verb::Show(arguments) => threads::show(arguments).await,
            Verb::Update(arguments) => update::update(arguments).await,
            Verb::Audit(arguments) => audit::audit(arguments).await,
            Verb::Gc(arguments) => gc::gc(arguments).await,
            Verb::Status(arguments) => status::status(arguments).await,
            Verb::Metrics(arguments) => metrics::metrics(arguments).await,
            Verb::Schema(arguments) => schema::schema(&arguments),
            Verb::Completions(arguments) => shell::completions(arguments.shell),
            Verb::Man => shell::man_page(),
            // Read before clap is asked.
            Verb::AppServer(arguments) => {
                let loadout = arguments.loadout.as_deref().map(read_reference);
                let line = LaunchLine {
                    arguments: arguments.rest,
                    loadout: loadout.transpose()?,
                    ..LaunchLine::default()
                };
                app_server::run(arguments.codex, line).map(|_| String::new())
            }
            Verb::Doctor(arguments) => return Ok(judged(doctor::doctor(arguments).await?)),
            Verb::Bundle(verb) => return Ok(judged(bundle::bundle(verb).await?)),
            Verb::Convert(arguments) => return Ok(judged(convert::run(arguments).await?)),
            Verb::Prove(arguments) => return Ok(judged(prove::prove(arguments).await?)),
        };
        Ok::<_, anyhow::Error>((text?, ExitCode::SUCCESS))
    }))?;
    print(&text)?;
    Ok(code)
}

/// What a verb found, and the exit code for whether all holds.
fn judged((text, holds): (String, bool)) -> (String, ExitCode) {
    let code = if holds {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(FAILED)
    };
    (text, code)
}

/// The error, what to do about it, and the names that would do.
fn explain(error: &anyhow::Error) {
    say_error(&format!("error: {error}"));
    for cause in error.chain().skip(1) {
        say_error(&format!("  because {cause}"));
    }
    let Some(refusal) = error
        .chain()
        .find_map(|cause| cause.downcast_ref::<LoadoutError>())
    else {
        return;
    };
    for item in &refusal.items {
        for (title, names) in [
            ("did you mean", &item.did_you_mean),
            ("candidates", &item.candidates),
        ] {
            if !names.is_empty() {
                say_error(&format!("{}: {title} {}", item.name, names.join(", ")));
            }
        }
    }
    if !refusal.hint.is_empty() {
        say_error(&format!("hint: {}", refusal.hint));
    }
}
