//! Plan + the user's set at this moment -> Codex's own fields.
//!
//! *Architecture invariant:* the only room that names a Codex config key, and
//! pure. When Codex gets a native field for one of these, it is used here and
//! nobody else notices.

mod dotted;
mod drift;
mod gate;
mod hooks;
mod host_config;
mod launch_line;
mod levers;
mod lower;
mod policy;
mod policy_meaning;
mod server_definition;

pub use drift::{drift, summary};
pub use gate::{BLOCKED, GATE_TIMEOUT, GateInput, OPEN_GATE, has_gate, is_said_of_gate};
pub use hooks::hook_events;
pub use host_config::{HostConfig, MergeMode};
pub use levers::{Levers, NEWEST_TESTED, OLDEST_TESTED, untested};
pub use lower::{Guards, Lowered, ROOT_ID, lower, roots_json, trial_request, without_servers};
pub use policy::held_against_policy;
pub use policy_meaning::{PolicyMeaning, policy_meaning};

#[cfg(test)]
mod tests;
