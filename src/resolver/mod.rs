//! Selection + catalog -> plan, or a typed error that says what to write instead.
//!
//! *Architecture invariant:* pure. No file, clock, lock or process, and no
//! order that depends on a hash map.

mod plan;

pub use plan::{
    Bundle, BundleContent, Plan, PlannedPlugin, PlannedServer, PlannedSkill, Scope, ServerOrigin,
};
