//! Folders in, read-only snapshots out: the only room that writes files of a loadout.

mod claims;
mod error;
mod links;
mod publish;
mod read;
mod root;
mod shared_sync;
mod store;
#[cfg(test)]
#[cfg(unix)]
mod store_tests;
mod sweep;
mod trees;
mod walk;

pub(crate) use error::ReadError;
pub(crate) use read::{Stamp, read_tree_within, stamp, watched_folders};
pub(crate) use root::RootId;
pub(crate) use store::Store;
pub(crate) use sweep::Swept;
pub(crate) use sweep::size;
pub(crate) use trees::Verdict;
pub(crate) use walk::Limits;

#[cfg(test)]
pub(crate) use error::StoreError;
