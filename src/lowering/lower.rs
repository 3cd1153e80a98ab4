//! The config of one thread.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use codex_loadout_protocol::LoadoutError;
use codex_loadout_protocol::selection::{HostServers, Mode};
use serde_json::{Map, Value};

use super::codex_features::CodexFeatures;
use super::launch_line::refuse_given_back;
use super::lowered::{Lowered, MergeMode};
use super::skill_list::skill_list;
use crate::catalog::Catalog;
use crate::resolver::Plan;

/// Where files lie that a thread's config names, and what they say.
#[derive(Clone, Copy)]
pub(crate) struct Files<'a> {
    /// Where the tree of a bundle lies in the store.
    pub snapshot: &'a dyn Fn(usize) -> PathBuf,
    /// What a role file in a snapshot says.
    pub role: &'a dyn Fn(&Path) -> Option<String>,
    /// The folder for role files of ours; `None`: no role is led to one.
    pub roles: Option<&'a Path>,
    /// This program, which hooks of converted plugins run through.
    pub program: &'a Path,
}

impl Default for Files<'_> {
    /// Files that are nowhere: to see whether a plan can be lowered at all.
    fn default() -> Self {
        Self {
            snapshot: &|_| PathBuf::new(),
            role: &|_| None,
            roles: None,
            program: Path::new("codex-loadout"),
        }
    }
}

/// Lowers a plan for a thread whose user has this set at this moment.
///
/// # Errors
/// `unsupportedUpstream` if the plan needs a lever that this Codex lacks: it was made with another one.
/// `blockedByPolicy` if it would have what the launch line takes away.
pub(crate) fn lower(
    plan: &Plan,
    catalog: &Catalog,
    features: CodexFeatures,
    files: Files<'_>,
) -> Result<Lowered, LoadoutError> {
    let mut lowering = Lowering {
        plan,
        catalog,
        features,
        files,
        skill_list: skill_list(plan, catalog, files.snapshot),
        role_files: BTreeMap::new(),
        config: Map::new(),
        skill_rules: Vec::new(),
        gone_servers: Vec::new(),
    };
    if plan.mode == Mode::Replace {
        lowering.switch_features_off();
    } else {
        lowering.native_plugins()?;
    }
    lowering.host_skills();
    lowering.config_servers();
    lowering.agents();
    lowering.hooks();
    lowering.given_servers();
    if features.unload_on_unsubscribe {
        // So that the thread can be given another config while it lives.
        lowering.set(&["thread_unload_delay_secs"], 0);
    }
    let lowered = lowering.finish();
    refuse_given_back(plan, &lowered.config, &lowered.launch_line)?;
    Ok(lowered)
}

/// A lowering under way: each kind of capability adds its part, in a file of its own.
pub(super) struct Lowering<'a> {
    pub(super) plan: &'a Plan,
    pub(super) catalog: &'a Catalog,
    pub(super) features: CodexFeatures,
    pub(super) files: Files<'a>,
    pub(super) skill_list: Option<String>,
    pub(super) role_files: BTreeMap<PathBuf, String>,
    config: Map<String, Value>,
    /// `skills.config`, which the user's skills and those of native plugins write together.
    pub(super) skill_rules: Vec<Value>,
    pub(super) gone_servers: Vec<String>,
}

impl Lowering<'_> {
    /// Sets one value of `config`, the objects around it included.
    pub(super) fn set(&mut self, path: &[&str], value: impl Into<Value>) {
        let Some((last, folders)) = path.split_last() else {
            return;
        };
        let mut at = &mut self.config;
        for key in folders {
            let inner = at.entry(*key).or_insert_with(|| Value::Object(Map::new()));
            match inner {
                Value::Object(inner) => at = inner,
                _ => return,
            }
        }
        at.insert((*last).to_owned(), value.into());
    }

    /// What was lowered, with what the catalog says of the user's config.
    fn finish(mut self) -> Lowered {
        if !self.skill_rules.is_empty() {
            let rules = std::mem::take(&mut self.skill_rules);
            self.set(&["skills", "config"], rules);
        }
        Lowered {
            config: self.config.into(),
            mode: MergeMode::of(self.plan.mode),
            launch_line: self.catalog.launch_line.clone(),
            drops_host_servers: self.plan.host_defined == HostServers::Drop,
            gone_servers: self.gone_servers,
            skill_list: self.skill_list,
            user_instructions: self.catalog.developer_instructions.clone(),
            role_files: self.role_files,
        }
    }
}
