//! Features of Codex that a thread in the mode `replace` has off.

use codex_loadout_protocol::selection::ManagedPolicy;

use super::hooks;
use super::lower::Lowering;
use super::policy::has_hooks;

impl Lowering<'_> {
    /// Plugins come as snapshots in the thread's root; the user's own plugins and connectors stay out,
    /// whatever is installed later, and so do hooks, one by one where some of a chosen plugin's run. A loaded
    /// thread gets no hook that comes later (Codex 0.157 to 0.169).
    pub(super) fn switch_features_off(&mut self) {
        for feature in ["plugins", "apps"] {
            self.set(&["features", feature], false);
        }
        let of_launch_line = hooks::of_launch_line(&self.catalog.launch_line);
        let runs = self.plan.active_hooks(self.catalog).next().is_some();
        let policy = &self.catalog.policy;
        let included = self.plan.managed == ManagedPolicy::Include && has_hooks(policy);
        let stay_on = policy.forces("hooks", true) || included;
        if !runs && of_launch_line.is_empty() && !stay_on {
            self.set(&["features", "hooks"], false);
            return;
        }
        for hook in &self.catalog.hooks {
            if !hooks::is_of_launch_line(&hook.key) {
                self.set(&["hooks", "state", &hook.key, "enabled"], false);
            }
        }
    }
}
