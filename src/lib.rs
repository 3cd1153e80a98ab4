//! codex-loadout: one loadout a thread, in front of `codex app-server`.
//!
//! The rooms, in reading order.

pub use codex_loadout_bundle as bundle;

pub mod wire;

pub mod connection;

pub mod messages;

pub mod threads;

pub mod router;

pub mod freshness;

pub mod catalog;

pub mod resolver;

pub mod lowering;

pub mod materializer;

pub mod profiles;

pub mod records;

pub mod loadouts;

pub mod proof;

pub mod conversion;

pub mod doctor;

mod hook_adapter;

mod throwaway;

mod blocking;

mod bounded_file;

pub mod control;

pub mod session;

pub mod paths;

pub mod crash_point;

pub mod cli;
