//! What loaded threads were told: the part of their config that is ours, as Codex holds it.
//!
//! Codex takes a thread's config when it loads the thread, and never again. So
//! whether a thread is still kept to its loadout follows from what it was told
//! and what it would be told now.

use std::collections::{BTreeSet, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value};

use crate::catalog::Catalog;
use crate::lowering::drift;
use crate::records::LoadoutRecord;
use crate::threads::Threads;

/// What one loaded thread was told.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AppliedConfig {
    /// Our part of its config; `None`: not known, it was loaded without us.
    pub config: Option<Map<String, Value>>,
    /// Its loadout.
    pub loadout: Arc<LoadoutRecord>,
    /// What the host's own request gave that a resume can give again, `config` included.
    pub host_params: Map<String, Value>,
    /// The catalog under which it was last found to have been told everything.
    pub checked: Option<Arc<Catalog>>,
    /// The MCP servers that Codex has told of since it loaded the thread; `None`: they were held against the
    /// receipt.
    pub servers_heard: Option<BTreeSet<String>>,
    /// Its folder.
    pub cwd: PathBuf,
    /// The folder it may be moving to: asked for, and not yet told by Codex.
    pub next_cwd: Option<PathBuf>,
    /// Its settings, as Codex told them last (`thread/settings/updated`).
    pub settings: Option<Value>,
    /// The thread that spawned it.
    pub parent: Option<String>,
    /// Whether it may get servers that it was not told of: Codex was asked to reload them since it was told.
    pub servers_reload: bool,
}

impl AppliedConfig {
    /// A thread in this folder that is told nothing of ours.
    #[must_use]
    pub(crate) fn new(loadout: Arc<LoadoutRecord>, cwd: PathBuf) -> Self {
        Self {
            config: None,
            loadout,
            host_params: Map::new(),
            checked: None,
            servers_heard: Some(BTreeSet::new()),
            cwd,
            next_cwd: None,
            settings: None,
            parent: None,
            servers_reload: false,
        }
    }
}

impl AppliedConfig {
    /// What the thread was not told and has to be, by its place in the config. Skills are not among it: Codex
    /// lists none by itself.
    #[must_use]
    pub(crate) fn untold(&self, now: &Map<String, Value>) -> Vec<String> {
        let Some(told) = &self.config else {
            return vec!["all of it: it was loaded without its loadout".to_owned()];
        };
        let mut places = drift(told, now);
        places.retain(|place| !place.starts_with("skills"));
        places
    }
}

/// What was applied to the loaded threads of one Codex process: the part of every thread's state that those who
/// work on requests share with the router. Never held while somebody waits.
#[derive(Debug, Default)]
pub(crate) struct AppliedConfigs(Mutex<Threads<AppliedConfig>>);

impl AppliedConfigs {
    /// Everything that is known of threads.
    pub(crate) fn with_threads<T>(&self, work: impl FnOnce(&mut Threads<AppliedConfig>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A thread's. It is asked for at each turn, and holds a rule for each of the user's skills: it is lent, not
    /// copied.
    #[must_use]
    pub(crate) fn get(&self, thread: &str) -> Option<Arc<AppliedConfig>> {
        self.with_threads(|threads| threads.get(thread)?.applied.clone())
    }

    /// A thread was loaded.
    pub(crate) fn set(&self, thread: &str, applied: AppliedConfig) {
        self.with_threads(|threads| {
            threads.change(thread, |state| state.applied = Some(Arc::new(applied)));
        });
    }

    /// A thread is no longer loaded, or no longer has a loadout.
    pub(crate) fn remove(&self, thread: &str) {
        self.with_threads(|threads| threads.change(thread, |state| state.applied = None));
    }

    /// Changes one that is there.
    pub(crate) fn change(&self, thread: &str, change: impl FnOnce(&mut AppliedConfig)) {
        self.with_threads(|threads| {
            threads.change(thread, |state| {
                state.applied.as_mut().map(Arc::make_mut).map(change)
            });
        });
    }

    /// Changes all of them.
    pub(crate) fn change_all(&self, change: impl Fn(&mut AppliedConfig)) {
        self.with_threads(|threads| threads.applied_mut().map(Arc::make_mut).for_each(change));
    }

    /// All of them, by thread.
    #[must_use]
    pub(crate) fn all(&self) -> Vec<(String, Arc<AppliedConfig>)> {
        let mut all: Vec<_> = self.with_threads(|threads| {
            let states = threads.iter();
            states
                .filter_map(|(thread, state)| Some((thread.clone(), state.applied.clone()?)))
                .collect()
        });
        // Ids sort by time: each before those that it spawned.
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    }

    /// The thread and what it spawned, and so on: each before those that it spawned.
    #[must_use]
    pub(crate) fn family(&self, thread: &str) -> Vec<String> {
        let mut family = vec![thread.to_owned()];
        let mut seen: HashSet<String> = family.iter().cloned().collect();
        self.with_threads(|threads| {
            let spawned_by = |parent: &str| -> Vec<String> {
                let is_child = |applied: &AppliedConfig| applied.parent.as_deref() == Some(parent);
                let states = threads.iter();
                let children =
                    states.filter(|(_, state)| state.applied.as_deref().is_some_and(is_child));
                children.map(|(child, _)| child.clone()).collect()
            };
            let mut at = 0;
            while let Some(parent) = family.get(at).cloned() {
                let mut children = spawned_by(&parent);
                children.retain(|child| seen.insert(child.clone()));
                children.sort();
                family.append(&mut children);
                at += 1;
            }
        });
        family
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::record_tests::loadout;
    use serde_json::json;

    fn config_of(config: Value, parent: Option<&str>) -> AppliedConfig {
        AppliedConfig {
            config: config.as_object().cloned(),
            parent: parent.map(str::to_owned),
            ..AppliedConfig::new(Arc::new(loadout(1)), PathBuf::from("/project"))
        }
    }

    #[test]
    fn a_family_is_told_from_the_eldest() {
        let applied = AppliedConfigs::default();
        for (thread, parent) in [
            ("p", None),
            ("b", Some("p")),
            ("a", Some("p")),
            ("g", Some("b")),
            ("x", Some("other")),
            ("loop", Some("loop")),
        ] {
            applied.set(thread, config_of(json!({}), parent));
        }
        assert_eq!(applied.family("p"), ["p", "a", "b", "g"]);
        assert_eq!(applied.family("loop"), ["loop"]);
        applied.remove("b");
        assert_eq!(applied.family("p"), ["p", "a"]);
    }
}
