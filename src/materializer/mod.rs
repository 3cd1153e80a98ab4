//! Folders in, read-only snapshots out: the only room that writes files of a loadout.

mod claims;
mod error;
mod links;
mod publish;
mod read;
mod root;
mod store;
#[cfg(test)]
#[cfg(unix)]
mod store_tests;
mod sweep;
mod trees;
mod walk;

pub use error::{ReadError, StoreError};
pub use read::{Stamp, read_tree, read_tree_within, stamp, watched_folders};
pub use root::RootId;
pub use store::Store;
pub use sweep::Swept;
pub(crate) use sweep::size;
pub use trees::Verdict;
pub use walk::Limits;
