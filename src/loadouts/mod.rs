//! Loadouts made, kept and found again: catalog -> resolver -> materializer ->
//! lowering -> record, for whoever asks (a host's connection, the command line).
//!
//! Decisions are the pure rooms'; this one brings them what they decide on and
//! makes durable what they decided.

mod applied;
mod audit;
mod collect;
mod digests;
mod keeper;
mod launch;
mod naming;
mod own_root;
mod recorded_list;
mod recovery;
mod spares;

pub use applied::{AppliedConfig, AppliedConfigs};
pub use collect::{AUDIT_AGE, Collected};
pub use keeper::Loadouts;
pub use launch::{
    INSTRUCTIONS, Inherited, Launch, Trial, check_environments, cwd_of, instructions,
    is_prediction, merge_config, read_params, resumable_params,
};
pub use naming::catalog_for;
pub use own_root::Place;
pub use recovery::Recorded;
