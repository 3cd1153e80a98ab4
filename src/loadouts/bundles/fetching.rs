//! A bundle fetched from where it comes from, and made ready to be kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use codex_loadout_protocol::bundle::{BundleVersion, Executable, ExecutableKind};
use codex_loadout_protocol::{ErrorItem, ErrorKind, LoadoutError};
use codex_loadout_sources::{
    FetchContext, FetchError, FetchErrorKind, Fetched, Limits, Origin, Progress, fetch,
};
use serde::Serialize;
use serde_json::{Map, Value};

use super::gate::SourceGate;
use crate::bundle::{Digest, Tree};
use crate::catalog::bundle_parts;
use crate::loadouts::state::{Loadouts, blocking, unix_now};
use crate::throwaway::ThrowawayFolder;

/// How long fetching a bundle may take.
const FETCH_WITHIN: Duration = Duration::from_secs(15 * 60);

/// Who waits for a bundle: is told how far it is, and may call it off.
#[derive(Clone)]
pub(crate) struct Waiting {
    /// Told what goes on.
    pub progress: Arc<dyn Fn(Progress<'_>) + Send + Sync>,
    /// Set to call it off.
    pub cancel: Arc<AtomicBool>,
}

impl Default for Waiting {
    fn default() -> Self {
        Self {
            progress: Arc::new(|_| {}),
            cancel: Arc::default(),
        }
    }
}

/// Calls the fetching off when nobody waits for it any more.
struct CallOff(Arc<AtomicBool>);

impl Drop for CallOff {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What was fetched, ready to be kept.
pub(super) struct Ready {
    /// The name that its author gives it.
    pub name: String,
    /// What is known of it.
    pub version: BundleVersion,
    /// Its content.
    pub tree: Tree,
    /// The digest of that.
    pub digest: Digest,
    /// What its user should know.
    pub warnings: Vec<String>,
}

impl Loadouts {
    /// Fetches a bundle. Nothing of it is kept.
    ///
    /// # Errors
    /// `sourceUnavailable` where it can't be had, `blockedByPolicy` where it may not, `invalidSelection` where something
    /// else has to be asked for, `conversionFailed` where there is nothing for Codex in it.
    pub(super) async fn fetch_bundle(
        self: &Arc<Self>,
        origin: Origin,
        name: Option<String>,
        gate: Arc<SourceGate>,
        waiting: &Waiting,
    ) -> Result<Ready, LoadoutError> {
        let loadouts = self.clone();
        let Waiting { progress, cancel } = waiting.clone();
        let _call_off = CallOff(cancel.clone());
        blocking(move || {
            // What a process that is killed leaves of it, the next clean-up takes away.
            let scratch = ThrowawayFolder::new().map_err(|error| no_scratch(&error))?;
            let context = FetchContext {
                scratch: scratch.path(),
                limits: Limits::default(),
                gate: &*gate,
                progress: &*progress,
                cancel: &cancel,
                deadline: Instant::now() + FETCH_WITHIN,
                npm_registry: None,
            };
            let fetched = fetch(&origin, name.as_deref(), &context).map_err(not_fetched)?;
            let signer = gate.check(&origin, &fetched)?;
            loadouts.ready(fetched, signer)
        })
        .await
    }

    /// What is known of what was fetched. Blocking: it is put into the store, read and converted there.
    pub(super) fn ready(
        &self,
        fetched: Fetched,
        signer: Option<String>,
    ) -> Result<Ready, LoadoutError> {
        let Fetched {
            name,
            tree,
            resolved,
            commit,
            warnings,
            executables,
            ..
        } = fetched;
        let digest = tree.digest();
        let store = self.store()?;
        let publishing = store.publish()?;
        store.keep_tree(&tree, digest)?;
        let parts = bundle_parts(&name, &tree, &store.tree_path(&digest));
        drop(publishing);
        let parts = parts.map_err(|reason| not_converted(&name, &reason))?;
        if parts.parts.is_empty() {
            return Err(nothing_in_it(&name));
        }
        let mut executes: Vec<Executable> = executables.into_iter().map(executable).collect();
        executes.sort();
        executes.dedup();
        let version = BundleVersion {
            version: parts.version,
            digest: digest.to_string(),
            resolved: as_object(&resolved),
            commit,
            skills: parts.parts.skills.into_iter().map(|skill| skill.name).collect(),
            agents: parts.parts.agents.into_iter().map(|agent| agent.name).collect(),
            executes,
            report: parts.report,
            signer,
            at: unix_now(),
        };
        Ok(Ready {
            name,
            version,
            tree,
            digest,
            warnings,
        })
    }
}

fn not_converted(name: &str, reason: &str) -> LoadoutError {
    let message = format!("bundle `{name}` can't be converted for Codex: {reason}");
    LoadoutError::new(ErrorKind::ConversionFailed, message)
        .with_hint("`codex-loadout convert` with its folder shows every problem with its place.")
        .with_items(vec![ErrorItem::named(name)])
}

fn nothing_in_it(name: &str) -> LoadoutError {
    let message = format!("`{name}` has no skill, agent, hook or MCP server");
    LoadoutError::new(ErrorKind::ConversionFailed, message)
        .with_hint("Name the folder that holds the plugin with `--path`, or a plugin of a marketplace with `--plugin`.")
        .with_items(vec![ErrorItem::named(name)])
}

fn no_scratch(error: &std::io::Error) -> LoadoutError {
    let message = format!("no temporary folder can be made: {error}");
    LoadoutError::new(ErrorKind::StateUnavailable, message)
        .with_hint("Check that the temporary folder (`TMPDIR`) can be written, and has room.")
}

fn executable(found: codex_loadout_sources::Executable) -> Executable {
    use codex_loadout_sources::ExecutableKind as Kind;
    Executable {
        kind: match found.kind {
            Kind::Hook => ExecutableKind::Hook,
            Kind::McpServer => ExecutableKind::McpServer,
            Kind::Script => ExecutableKind::Script,
        },
        name: found.name,
        detail: found.detail,
    }
}

/// A value whose JSON is an object.
pub(super) fn as_object<T: Serialize>(value: &T) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(object)) => object,
        _ => Map::new(),
    }
}

/// Why it was not fetched, as hosts and people are told.
pub(super) fn not_fetched(error: FetchError) -> LoadoutError {
    let kind = match error.kind {
        FetchErrorKind::Refused => ErrorKind::BlockedByPolicy,
        FetchErrorKind::Ambiguous => ErrorKind::AmbiguousCapability,
        FetchErrorKind::Unsafe | FetchErrorKind::TooLarge | FetchErrorKind::Unreadable => {
            ErrorKind::ConversionFailed
        }
        FetchErrorKind::Mismatch => ErrorKind::Tampered,
        FetchErrorKind::Io => ErrorKind::StateUnavailable,
        FetchErrorKind::Cancelled
        | FetchErrorKind::TimedOut
        | FetchErrorKind::NotFound
        | FetchErrorKind::Unreachable
        | FetchErrorKind::MissingProgram => ErrorKind::SourceUnavailable,
    };
    let item = ErrorItem {
        candidates: error.items,
        ..ErrorItem::named("source")
    };
    let items = match item.candidates.is_empty() {
        true => Vec::new(),
        false => vec![item],
    };
    LoadoutError::new(kind, error.message)
        .with_hint(error.hint)
        .with_items(items)
}
