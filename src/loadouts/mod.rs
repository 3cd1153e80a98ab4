//! Loadouts made, kept and found again: catalog -> resolver -> materializer ->
//! lowering -> record, for whoever asks (a host's connection, the command line).
//!
//! Decisions are the pure rooms'; this one brings them what they decide on and
//! makes durable what they decided.

mod applied;
mod audit;
mod choice;
mod collect;
mod digests;
mod keeper;
mod launch;
mod naming;
mod profiles;
mod recorded_list;
mod recovery;
mod root_assignment;
mod root_pool;
mod tools;
mod user_bindings;

pub(crate) use applied::{AppliedConfig, AppliedConfigs};
pub(crate) use choice::{Chosen, LaunchCarriers, Selected, read_referenced, read_selection};
pub(crate) use collect::Collected;
pub(crate) use keeper::Loadouts;
pub(crate) use launch::{
    INSTRUCTIONS, Inherited, Launch, Trial, check_environments, cwd_of, instructions,
    is_prediction, merge_config, read_params, request_servers, resumable_params,
};
pub(crate) use naming::catalog_for;
pub(crate) use recovery::Recorded;
pub(crate) use root_assignment::RootAssignment;
