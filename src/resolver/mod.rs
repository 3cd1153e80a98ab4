//! Selection + catalog -> plan, or a typed error that says what to write instead.
//!
//! *Architecture invariant:* pure. No file, clock, lock or process, and no
//! order that depends on a hash map.

mod bundles;
mod choose_plugins;
mod choose_servers;
mod choose_skills;
mod conversions;
mod known_tools;
mod listing;
mod name_error;
mod names;
mod plan;
mod planning;
mod receipt;
mod resolve;
mod server_names;
mod skill_list;
mod trust;
mod validate;

pub(crate) use known_tools::{KnownTools, RunAs};
pub(crate) use listing::capabilities;
pub(crate) use plan::{
    Bundle, ListedSkill, Plan, PlannedHook, PlannedPlugin, PlannedServer, RequestServers, Scope,
    ServerOrigin,
};
pub(crate) use receipt::{hooks, receipt};
pub(crate) use resolve::{resolve, resolve_beside, resolve_knowing};

#[cfg(test)]
mod converted_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::catalog as test_catalog;
