//! A bundle fetched from where it comes from, and made ready to be kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use codex_loadout_protocol::bundle::{BundleLink, BundleVersion, Executable, ExecutableKind};
use codex_loadout_protocol::{ErrorItem, ErrorKind, LoadoutError};
use codex_loadout_sources::{
    self as sources, FetchContext, FetchError, FetchErrorKind, Fetched, Limits, Origin, Progress,
    executables, fetch,
};
use serde::Serialize;
use serde_json::{Map, Value};

use super::gate::SourceGate;
use crate::bundle::{Digest, Tree};
use crate::catalog::{Added, AddedBundle};
use crate::loadouts::state::{Loadouts, blocking, unix_now};
use crate::profiles::is_profile_name;
use crate::records::BundleRecord;
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
    /// What it is called here.
    pub name: String,
    /// The name of the plugin in it.
    pub plugin: String,
    /// Its entry in the marketplace that it was found by.
    pub entry: Option<Map<String, Value>>,
    /// What is known of it.
    pub version: BundleVersion,
    /// What a thread is given of it: converted, if it was made for Claude.
    pub given: Tree,
    /// The digest of its content, which is in the store.
    pub digest: Digest,
    /// What its user should know.
    pub warnings: Vec<String>,
}

impl Ready {
    /// It on record, from where it was asked for.
    pub(super) fn record(&self, origin: &Origin, link: Option<BundleLink>) -> BundleRecord {
        BundleRecord {
            name: self.name.clone(),
            plugin: self.plugin.clone(),
            entry: self.entry.clone(),
            origin: as_object(origin),
            link,
            current: self.version.clone(),
        }
    }
}

impl Loadouts {
    /// Fetches a bundle, and puts its content into the store. It is not on record.
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
        let waiting = waiting.clone();
        let _call_off = CallOff(waiting.cancel.clone());
        blocking(move || {
            let fetched = fetched(&origin, &gate, &waiting, FETCH_WITHIN)?;
            let signer = gate.check(&fetched)?;
            loadouts.ready(fetched, name, signer)
        })
        .await
    }

    /// What is known of what was fetched. Blocking: it is put into the store, read and converted there.
    fn ready(
        &self,
        fetched: Fetched,
        name: Option<String>,
        signer: Option<String>,
    ) -> Result<Ready, LoadoutError> {
        let content = fetched.content(name.as_deref()).map_err(not_fetched)?;
        let Fetched {
            resolved,
            commit,
            warnings,
            entry,
            ..
        } = fetched;
        let name = name.unwrap_or_else(|| content.name.clone());
        check_name(&name)?;
        let tree = content.tree;
        let digest = tree.digest();
        let store = self.store()?;
        let publishing = store.publish()?;
        store.keep_tree(&tree, digest)?;
        let added = AddedBundle {
            name: name.clone(),
            plugin: content.name,
            entry,
            version: content.version,
            root: store.tree_path(&digest),
            content: digest,
            added: Added::default(),
        };
        let parts = added.parts(&tree);
        drop(publishing);
        let parts = parts.map_err(|reason| not_converted(&name, &reason))?;
        if parts.parts.is_empty() {
            return Err(nothing_in_it(&name));
        }
        let given = parts.converted.unwrap_or(tree);
        let executes = executables(&given).into_iter().map(executable);
        let skills = parts.parts.skills.into_iter().map(|skill| skill.name);
        let agents = parts.parts.agents.into_iter().map(|agent| agent.name);
        let version = BundleVersion {
            version: added.version,
            digest: digest.to_string(),
            resolved: as_object(&resolved),
            commit,
            skills: skills.collect(),
            agents: agents.collect(),
            executes: executes.collect(),
            report: parts.report,
            signer,
            at: unix_now(),
        };
        Ok(Ready {
            name,
            plugin: added.plugin,
            entry: added.entry,
            version,
            given,
            digest,
            warnings,
        })
    }
}

/// Fetches what a gate allows. Blocking.
///
/// # Errors
/// As [`Loadouts::fetch_bundle`].
pub(super) fn fetched(
    origin: &Origin,
    gate: &SourceGate,
    waiting: &Waiting,
    within: Duration,
) -> Result<Fetched, LoadoutError> {
    // What a process that is killed leaves of it, the next clean-up takes away.
    let scratch = ThrowawayFolder::new().map_err(|error| no_scratch(&error))?;
    let asked = gate.asked();
    let context = FetchContext {
        scratch: scratch.path(),
        limits: Limits::default(),
        gate: &asked,
        progress: &*waiting.progress,
        cancel: &waiting.cancel,
        deadline: Instant::now() + within,
        npm_registry: None,
    };
    fetch(origin, &context).map_err(not_fetched)
}

/// A bundle's name stands in ids, in files and on command lines.
fn check_name(name: &str) -> Result<(), LoadoutError> {
    if is_profile_name(name) && !name.starts_with('-') {
        return Ok(());
    }
    let message = format!(
        "`{name}` can't be the name of a bundle: it has letters, digits, `-`, `_` and `.`, 64 at most"
    );
    Err(LoadoutError::new(ErrorKind::InvalidSelection, message)
        .with_hint("Give it another one with `--name`.")
        .with_items(vec![ErrorItem::named(name)]))
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

pub(super) fn executable(found: sources::Executable) -> Executable {
    Executable {
        kind: match found.kind {
            sources::ExecutableKind::Hook => ExecutableKind::Hook,
            sources::ExecutableKind::McpServer => ExecutableKind::McpServer,
            sources::ExecutableKind::Script => ExecutableKind::Script,
        },
        name: found.name,
        detail: found.detail,
        path: found.path,
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
