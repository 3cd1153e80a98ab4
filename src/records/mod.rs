//! Durable records: which thread has which loadout, and where it came from.
//!
//! Records live in an embedded SQLite database; what was lost there is found
//! again in Codex's own session files ([`session_file`]).

mod actor;
mod approvals;
mod audit;
mod bindings;
mod bundles;
mod changes;
mod database;
mod error;
#[cfg(test)]
mod fault_tests;
mod marker;
mod needed;
mod opening;
mod origin;
mod record;
pub mod root_file;
pub mod rootless;
pub mod session_file;
pub mod session_root;
mod store;
#[cfg(test)]
mod store_tests;
mod threads;
mod unfinished;
pub mod writer_lock;

pub use actor::{actor, asked_by};
pub use approvals::Approval;
pub use audit::Happening;
pub use bindings::may_be_bound;
pub use bundles::{BundleHead, BundleRecord, happened};
pub use error::RecordsError;
pub use needed::{BegunFork, LoadoutNeeds, NeededByRecords};
#[cfg(test)]
pub(crate) use record::tests as record_tests;
pub use record::{Lineage, LoadoutRecord, ThreadRecord};
pub use store::Records;
pub use unfinished::is_made_right_after;
