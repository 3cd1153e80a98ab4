//! Loadouts made, kept and found again: catalog -> resolver -> materializer ->
//! lowering -> record, for whoever asks (a host's connection, the command line).
//!
//! Decisions are the pure rooms'; this one brings them what they decide on and
//! makes durable what they decided.

mod applied;
mod audit;
mod bundles;
mod choice;
mod collect;
mod digests;
mod draft;
mod launch;
mod lost;
mod lowered;
mod measuring;
mod naming;
mod profiles;
mod receipts;
mod recent_drafts;
mod recorded_list;
mod recovery;
mod request_params;
mod root_assignment;
mod root_pool;
mod snapshots;
mod state;
mod thread_root;
mod tools;
mod trial;
mod user_bindings;

pub(crate) use applied::{AppliedConfig, AppliedConfigs};
pub(crate) use bundles::{SyncOptions, Waiting};
pub(crate) use choice::{Chosen, LaunchCarriers, Selected, read_referenced, read_selection};
pub(crate) use collect::Collected;
pub(crate) use draft::Inherited;
pub(crate) use launch::{Launch, instructions};
pub(crate) use recovery::Recorded;
pub(crate) use request_params::{
    INSTRUCTIONS, check_environments, cwd_of, is_prediction, merge_config, read_params,
    request_servers, resumable_params,
};
pub(crate) use root_assignment::RootAssignment;
pub(crate) use state::Loadouts;
pub(crate) use trial::Trial;
