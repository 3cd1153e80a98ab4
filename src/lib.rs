//! codex-loadout: one loadout a thread, in front of `codex app-server`.
//!
//! The rooms, in reading order.

pub use codex_loadout_bundle as bundle;

mod wire;

pub mod connection;

pub mod messages;

mod shared;

mod threads;

mod metrics;

mod router;

mod freshness;

mod catalog;

mod resolver;

mod lowering;

mod materializer;

mod profiles;

pub mod records;

mod loadouts;

mod proof;

pub mod conversion;

pub mod doctor;

mod hook_adapter;

mod throwaway;

mod blocking;

mod control;

mod session;

mod paths;

mod crash_point;

pub mod cli;

#[cfg(any(test, fuzzing))]
pub mod fuzz;
