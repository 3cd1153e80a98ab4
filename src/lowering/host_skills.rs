//! The user's own skills: which of them a thread is kept from.

use std::path::Path;

use codex_loadout_protocol::selection::Mode;
use serde_json::{Value, json};

use super::lower::Lowering;
use super::lowered::INCLUDE_INSTRUCTIONS;
use crate::catalog::{HostSkill, SkillScope};
use crate::resolver::Scope;

impl Lowering<'_> {
    /// Keeps out every skill of the user's that the plan does not name.
    pub(super) fn host_skills(&mut self) {
        let Scope::Only(kept) = &self.plan.host_skills else {
            return;
        };
        self.set(&["skills", INCLUDE_INSTRUCTIONS], false);
        if self.features.switches_off_cloud_skills {
            // The model could ask for them by Codex's `skills` tool.
            self.set(&["cloud", "skills", "enabled"], false);
        }
        // Where an administrator has Codex's own stay on, each is kept out by itself.
        let bundled_stay =
            self.catalog.policy.says(&["skills", "bundled", "enabled"]) == Some(&Value::Bool(true));
        let rules = if self.plan.mode == Mode::Replace {
            self.rules_by_name(kept, bundled_stay)
        } else {
            self.rules_by_path(kept)
        };
        self.skill_rules.extend(rules);
        let keeps_system = self
            .catalog
            .skills
            .iter()
            .any(|skill| skill.scope == SkillScope::System && is_kept(kept, skill));
        if !keeps_system && !bundled_stay {
            self.set(&["skills", "bundled", "enabled"], false);
        }
    }

    /// By name: a newcomer of the same name elsewhere is kept out as well.
    fn rules_by_name(&self, kept: &[String], bundled_stay: bool) -> Vec<Value> {
        let mut names: Vec<&str> = self
            .left_out(kept)
            .filter(|skill| bundled_stay || skill.scope != SkillScope::System)
            .map(|skill| skill.name.as_str())
            .collect();
        names.sort_unstable();
        names.dedup();
        let off = |name| json!({ "name": name, "enabled": false });
        names.into_iter().map(off).collect()
    }

    /// By path: another skill of the same name may be kept.
    fn rules_by_path(&self, kept: &[String]) -> Vec<Value> {
        self.left_out(kept)
            .map(|skill| json!({ "path": skill.path, "enabled": false }))
            .collect()
    }

    fn left_out(&self, kept: &[String]) -> impl Iterator<Item = &HostSkill> {
        let skills = self.catalog.skills.iter().chain(&self.catalog.newcomers);
        skills.filter(|skill| !is_kept(kept, skill))
    }
}

/// Whether a skill is named, by its name or by its path.
fn is_kept(kept: &[String], skill: &HostSkill) -> bool {
    kept.iter()
        .any(|kept| *kept == skill.name || Path::new(kept) == skill.path)
}
