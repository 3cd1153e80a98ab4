//! What loaded threads were told: the part of their config that is ours, as Codex holds it.
//!
//! Codex takes a thread's config when it loads the thread, and never again. So
//! whether a thread is still kept to its loadout follows from what it was told
//! and what it would be told now.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use codex_loadout_protocol::{CapabilitySelection, Receipt};
use serde_json::{Map, Value};

use crate::catalog::Catalog;
use crate::lowering::drift;
use crate::records::LoadoutRecord;
use crate::resolver::Plan;
use crate::shared::Shared;
use crate::threads::Threads;

/// What one loaded thread was told.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AppliedConfig {
    /// Our part of its config; `None`: not known, it was loaded without us.
    pub config: Option<Shared<Map<String, Value>>>,
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
pub(crate) struct AppliedConfigs {
    threads: Mutex<Threads<AppliedConfig>>,
    alike: Mutex<Alike>,
}

/// What is large of the last thread with each loadout, by the digest of its receipt: the next one that has the same
/// keeps no copy of its own.
#[derive(Debug, Default)]
struct Alike(HashMap<String, Parts>);

#[derive(Debug, Default)]
struct Parts {
    config: Weak<Map<String, Value>>,
    selection: Weak<CapabilitySelection>,
    plan: Weak<Plan>,
    receipt: Weak<Receipt>,
}

impl Alike {
    fn join(&mut self, applied: &mut AppliedConfig) {
        let loadout = Arc::make_mut(&mut applied.loadout);
        if !self.0.contains_key(&loadout.receipt.digest) {
            self.0.retain(|_, parts| parts.plan.strong_count() > 0);
        }
        let parts = self.0.entry(loadout.receipt.digest.clone()).or_default();
        if let Some(config) = &mut applied.config {
            config.join(&mut parts.config);
        }
        loadout.selection.join(&mut parts.selection);
        loadout.plan.join(&mut parts.plan);
        loadout.receipt.join(&mut parts.receipt);
    }
}

impl AppliedConfigs {
    /// Everything that is known of threads.
    pub(crate) fn with_threads<T>(&self, work: impl FnOnce(&mut Threads<AppliedConfig>) -> T) -> T {
        work(&mut self.threads.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A thread's. It is asked for at each turn, and holds a rule for each of the user's skills: it is lent, not
    /// copied.
    #[must_use]
    pub(crate) fn get(&self, thread: &str) -> Option<Arc<AppliedConfig>> {
        self.with_threads(|threads| threads.get(thread)?.applied.clone())
    }

    /// A thread was loaded.
    pub(crate) fn set(&self, thread: &str, mut applied: AppliedConfig) {
        let mut alike = self.alike.lock().unwrap_or_else(PoisonError::into_inner);
        alike.join(&mut applied);
        drop(alike);
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
            config: config.as_object().cloned().map(Shared::from),
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

    #[test]
    fn threads_with_the_same_loadout_keep_it_once() {
        let applied = AppliedConfigs::default();
        let config = |names: &[&str]| config_of(json!({ "skills": names }), None);
        for (thread, names) in [("a", ["x"]), ("b", ["x"]), ("c", ["y"])] {
            applied.set(thread, config(&names));
        }
        let one = |a: &str, b: &str| {
            let [a, b] = [a, b].map(|thread| applied.get(thread).unwrap());
            let plans = std::ptr::eq(&raw const *a.loadout.plan, &raw const *b.loadout.plan);
            let configs = [a, b].map(|applied| applied.config.clone().unwrap());
            let [a, b] = configs.each_ref().map(|config| &raw const **config);
            (plans, std::ptr::eq(a, b))
        };
        assert_eq!(
            (one("a", "b"), one("a", "c")),
            ((true, true), (true, false))
        );
        applied.change("b", |applied| applied.config = config(&["z"]).config);
        let of_a = applied.get("a").unwrap().config.clone().unwrap();
        assert_eq!(of_a["skills"], json!(["x"]));
    }
}
